//! The receiving end: a socket for each receiver, the continuity of its sequence numbers, and the delay of what it gets.

use crate::bare;
use crate::error::{Error, while_doing};
use crate::stream;
use aws_lc_rs::aead::LessSafeKey;
use hdrhistogram::Histogram;
use std::net::{IpAddr, SocketAddr};
use tureen_rtp_wire::rtp::RtpLayout;
use tureen_srtp::SrtpReceiver;
use tureen_udp::{Poller, RecvBatch, Socket, SocketConfig, monotonic_now};

/// One packet in so many is opened for the time in it; all are checked for their number.
const SAMPLE: u16 = 4;
/// The longest delay that is told apart, in nanoseconds.
const LONGEST: u64 = 10_000_000_000;
/// Wished size of a socket's buffer, so that the generator is not what loses packets.
const BUFFER: usize = 2 << 20;

/// How a receiver opens what it gets.
pub(crate) enum Opener {
    /// It came in the clear.
    Plain,
    /// SRTP, from the server.
    Srtp(Box<SrtpReceiver>),
    /// AES-128-GCM, from the bare loop.
    Gcm(Box<LessSafeKey>),
}

/// What receivers saw since the last [`Receivers::start`].
#[derive(Debug)]
pub(crate) struct Seen {
    /// RTP packets.
    pub(crate) packets: u64,
    /// Numbers that were skipped, less those that came late.
    pub(crate) lost: i64,
    /// Packets that came after a later one, or again.
    pub(crate) disordered: u64,
    /// Packets that could not be read.
    pub(crate) broken: u64,
    /// Delays in nanoseconds.
    pub(crate) delays: Histogram<u64>,
}

struct Receiver {
    socket: Socket,
    opener: Opener,
    next: Option<u16>,
}

/// All receivers of one subject.
pub(crate) struct Receivers {
    receivers: Vec<Receiver>,
    poller: Poller,
    ready: Vec<u64>,
    batch: RecvBatch,
    seen: Seen,
}

impl Seen {
    fn new() -> Result<Self, Error> {
        let delays = Histogram::new_with_bounds(1, LONGEST, 3)
            .map_err(|error| Error::Options(format!("delays: {error}")))?;
        Ok(Self { packets: 0, lost: 0, disordered: 0, broken: 0, delays })
    }
}

impl Receivers {
    /// Sockets on `ip`, which open nothing yet.
    pub(crate) fn bind(ip: IpAddr, count: u16) -> Result<Self, Error> {
        let mut poller = Poller::new().map_err(while_doing("cannot wait for sockets"))?;
        let mut receivers = Vec::new();
        for number in 0..count {
            let mut config = SocketConfig::new(SocketAddr::new(ip, 0));
            config.recv_buffer = Some(BUFFER);
            let socket = Socket::bind(&config).map_err(while_doing("cannot bind a receiver"))?;
            poller.add(&socket, number.into()).map_err(while_doing("cannot wait for a receiver"))?;
            receivers.push(Receiver { socket, opener: Opener::Plain, next: None });
        }
        Ok(Self { receivers, poller, ready: Vec::new(), batch: RecvBatch::new(32), seen: Seen::new()? })
    }

    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        self.receivers.iter().map(|receiver| receiver.socket.local_addr()).collect()
    }

    /// Gives receivers what they open packets with, in their order.
    pub(crate) fn open_with(&mut self, openers: Vec<Opener>) {
        for (receiver, opener) in self.receivers.iter_mut().zip(openers) {
            receiver.opener = opener;
        }
    }

    /// Counts from zero on, and expects numbers to go on where they are.
    pub(crate) fn start(&mut self) -> Result<(), Error> {
        self.seen = Seen::new()?;
        Ok(())
    }

    /// What was seen since, which then is forgotten.
    pub(crate) fn take(&mut self) -> Result<Seen, Error> {
        Ok(std::mem::replace(&mut self.seen, Seen::new()?))
    }

    /// Waits for so many nanoseconds at most, then takes one batch from each socket that has something, until it is
    /// `until`.
    pub(crate) fn receive(&mut self, timeout: u64, until: u64) -> Result<(), Error> {
        self.poller.wait(Some(timeout), &mut self.ready).map_err(while_doing("cannot wait for sockets"))?;
        for token in &self.ready {
            let Some(receiver) = self.receivers.get_mut(*token as usize) else { continue };
            receiver.socket.recv(&mut self.batch).map_err(while_doing("cannot receive"))?;
            let now = monotonic_now();
            for datagram in self.batch.datagrams_mut() {
                receiver.take_in(datagram.bytes, now, &mut self.seen);
            }
            if now >= until {
                break;
            }
        }
        Ok(())
    }
}

impl Receiver {
    fn take_in(&mut self, bytes: &mut [u8], now: u64, seen: &mut Seen) {
        let Some(&[_, kind, high, low]) = bytes.first_chunk::<4>() else {
            seen.broken += 1;
            return;
        };
        // RTCP on the same port (RFC 5761 section 4).
        if (192..=223).contains(&kind) {
            return;
        }
        seen.packets += 1;
        let number = u16::from_be_bytes([high, low]);
        self.follow(number, seen);
        if number.is_multiple_of(SAMPLE) {
            match self.open(bytes).and_then(|len| stream::stamp(bytes.get(..len)?)) {
                Some(sent) => seen.delays.saturating_record(now.saturating_sub(sent).max(1)),
                None => seen.broken += 1,
            }
        }
    }

    fn follow(&mut self, number: u16, seen: &mut Seen) {
        let skipped = self.next.map_or(0, |next| number.wrapping_sub(next));
        if skipped < 1 << 15 {
            seen.lost += i64::from(skipped);
            self.next = Some(number.wrapping_add(1));
        } else {
            seen.lost -= 1;
            seen.disordered += 1;
        }
    }

    fn open(&mut self, bytes: &mut [u8]) -> Option<usize> {
        match &mut self.opener {
            Opener::Plain => Some(bytes.len()),
            Opener::Srtp(context) => {
                let header_len = RtpLayout::header_len_of(bytes).ok()?;
                context.unprotect_rtp(bytes, header_len).ok()
            }
            Opener::Gcm(key) => bare::open(bytes, key),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn loss_disorder_and_delay_are_told_apart() {
        let mut receivers = Receivers::bind(Ipv4Addr::LOCALHOST.into(), 1).unwrap();
        let receiver = &mut receivers.receivers[0];
        let mut seen = Seen::new().unwrap();
        for number in [65_534_u16, 65_535, 2, 1, 3, 4] {
            let mut packet = [0; 40];
            packet[1] = 102;
            packet[2..4].copy_from_slice(&number.to_be_bytes());
            packet[32..].copy_from_slice(&1000_u64.to_be_bytes());
            receiver.take_in(&mut packet, 6000, &mut seen);
        }
        receiver.take_in(&mut [0x80, 200, 0, 1], 0, &mut seen);
        receiver.take_in(&mut [0x80], 0, &mut seen);
        assert_eq!((seen.packets, seen.lost, seen.disordered, seen.broken), (6, 1, 1, 1));
        assert_eq!(seen.delays.len(), 1);
        assert!(seen.delays.max().abs_diff(5000) < 10);
    }
}
