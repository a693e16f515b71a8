//! One stretch of load: bursts at even intervals, and in between whatever the receivers get.

use crate::error::{Error, while_doing};
use crate::receivers::Receivers;
use crate::stream::Stream;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tureen_udp::{RecvBatch, SendBatch, Socket, SocketConfig, monotonic_now};

/// The system may wake a sleeper this many nanoseconds late (`PR_SET_TIMERSLACK`), so that the last stretch is not slept.
const SLACK: u64 = 60_000;
/// For so long packets that are under way have time to arrive.
const SETTLE: Duration = Duration::from_millis(60);
const SECOND: f64 = 1e9;

/// How the sender sends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// Packets a second.
    pub(crate) rate: f64,
    /// Packets of a frame, sent back to back.
    pub(crate) burst: u16,
    /// Octets of a packet.
    pub(crate) packet_size: u16,
}

/// What was sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Driven {
    pub(crate) packets: u64,
    pub(crate) took: Duration,
}

/// The sender: its socket, and its place in the stream.
#[derive(Debug)]
pub(crate) struct Sender {
    socket: Socket,
    stream: Stream,
    out: SendBatch,
    feedback: RecvBatch,
}

impl Sender {
    pub(crate) fn bind(ip: IpAddr) -> Result<Self, Error> {
        let socket = Socket::bind(&SocketConfig::new(SocketAddr::new(ip, 0)))
            .map_err(while_doing("cannot bind the sender"))?;
        Ok(Self { socket, stream: Stream::new(), out: SendBatch::new(32), feedback: RecvBatch::new(8) })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.socket.local_addr()
    }

    /// Sends one frame; returns how many packets the system took.
    fn burst(&mut self, target: SocketAddr, pace: &Pace) -> u64 {
        let now = monotonic_now();
        for place in 0..pace.burst {
            let Some(slot) = self.out.reserve(0, 0, target, pace.packet_size.into()) else { continue };
            self.stream.write(slot, place, pace.burst, now);
            self.out.commit(pace.packet_size.into());
        }
        self.out.flush(|_| Some(&self.socket)).packets
    }

    /// Throws away reports and requests of the server: the sender sends key frames anyway.
    fn forget_feedback(&mut self) {
        while self.socket.recv(&mut self.feedback).is_ok_and(|datagrams| datagrams > 0) {}
    }
}

/// Sends to `target` at `pace` for `duration`, and lets what is under way arrive.
pub(crate) fn drive(
    sender: &mut Sender,
    mut receivers: Option<&mut Receivers>,
    target: SocketAddr,
    pace: &Pace,
    duration: Duration,
) -> Result<Driven, Error> {
    let interval = (f64::from(pace.burst) / pace.rate * SECOND).max(1.0) as u64;
    let begin = monotonic_now();
    let end = begin + duration.as_nanos() as u64;
    let (mut next, mut packets) = (begin, 0);
    loop {
        let now = monotonic_now();
        if now >= end {
            break;
        }
        if now >= next {
            packets += sender.burst(target, pace);
            // Who was held up does not make up for it by a flood.
            next = (next + interval).max(now.saturating_sub(interval));
            continue;
        }
        let wait = (next - now).saturating_sub(SLACK);
        match &mut receivers {
            Some(receivers) => receivers.receive(wait, next)?,
            None if wait > 0 => std::thread::sleep(Duration::from_nanos(wait)),
            None => std::hint::spin_loop(),
        }
    }
    let took = Duration::from_nanos(monotonic_now() - begin);
    settle(receivers)?;
    sender.forget_feedback();
    Ok(Driven { packets, took })
}

fn settle(receivers: Option<&mut Receivers>) -> Result<(), Error> {
    let Some(receivers) = receivers else {
        std::thread::sleep(SETTLE);
        return Ok(());
    };
    let end = monotonic_now() + SETTLE.as_nanos() as u64;
    while monotonic_now() < end {
        receivers.receive(5_000_000, end)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn packets_leave_at_the_rate_asked_for_and_arrive() {
        let ip = Ipv4Addr::LOCALHOST.into();
        let mut sender = Sender::bind(ip).unwrap();
        let mut receivers = Receivers::bind(ip, 1).unwrap();
        let target = receivers.addresses()[0];
        let pace = Pace { rate: 1000.0, burst: 4, packet_size: 100 };
        let driven =
            drive(&mut sender, Some(&mut receivers), target, &pace, Duration::from_millis(200)).unwrap();
        let seen = receivers.take().unwrap();
        assert_eq!((seen.packets, seen.lost, seen.broken), (driven.packets, 0, 0));
        assert!((4..=204).contains(&driven.packets) && driven.packets.is_multiple_of(4), "{driven:?}");
        assert!(!seen.delays.is_empty());
    }
}
