//! One direction of a relay: a thread that reads into the link, a thread that writes what is due.
//!
//! The writer sleeps on a condition variable, whose time-out is exact to some ten microseconds; a socket's read time-out
//! is not.

use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tureen_rtp_wire::Time;

use super::{DatagramKind, Filter, Impairment, RelayStats};
use crate::link::{Delivery, Link, LinkQueue};

/// How long a thread waits at most before it looks whether to stop.
pub(super) const POLL: Duration = Duration::from_millis(20);

/// Where a direction ends.
#[derive(Debug)]
pub(super) enum Destination {
    Fixed(SocketAddr),
    Learned(std::sync::Arc<Mutex<Option<SocketAddr>>>),
}

impl Destination {
    fn get(&self) -> Option<SocketAddr> {
        match self {
            Self::Fixed(target) => Some(*target),
            Self::Learned(client) => *lock(client),
        }
    }
}

#[derive(Debug)]
pub(super) struct Direction {
    origin: Instant,
    filter: Filter,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    queue: LinkQueue<Vec<u8>>,
    stats: RelayStats,
}

impl Direction {
    pub(super) fn new(impairment: Impairment, seed: u64) -> Self {
        let queue = LinkQueue::new(Link::new(impairment.link, seed));
        Self {
            origin: Instant::now(),
            filter: impairment.filter,
            state: Mutex::new(State { queue, stats: RelayStats::default() }),
            changed: Condvar::new(),
        }
    }

    pub(super) fn stats(&self) -> RelayStats {
        lock(&self.state).stats
    }

    pub(super) fn set_rate(&self, rate: Option<u64>) {
        lock(&self.state).queue.set_rate(rate);
    }

    /// How long a datagram that comes now would wait in front of the bottleneck.
    pub(super) fn queue_delay(&self) -> Duration {
        let now = self.now();
        lock(&self.state).queue.link().queue_delay(now)
    }

    pub(super) fn wake(&self) {
        self.changed.notify_all();
    }

    /// Reads datagrams into the link until told to stop. An error is a time-out, or a port unreachable of an earlier
    /// send: the next read tells.
    pub(super) fn read(
        &self,
        socket: &UdpSocket,
        learn: Option<&Mutex<Option<SocketAddr>>>,
        stop: &AtomicBool,
    ) {
        let mut buffer = vec![0; 65_536];
        while !stop.load(Ordering::Relaxed) {
            let Ok((size, source)) = socket.recv_from(&mut buffer) else { continue };
            if let Some(client) = learn {
                *lock(client) = Some(source);
            }
            self.accept(&buffer[..size]);
        }
    }

    fn accept(&self, datagram: &[u8]) {
        let now = self.now();
        let mut state = lock(&self.state);
        if !self.filter.picks(datagram) {
            state.queue.bypass(now, datagram.to_vec());
        } else if let Delivery::Dropped(_) = state.queue.push(now, datagram.to_vec(), datagram.len()) {
            match DatagramKind::of(datagram) {
                DatagramKind::Rtp { .. } => state.stats.rtp_dropped += 1,
                DatagramKind::Rtcp => state.stats.rtcp_dropped += 1,
                DatagramKind::Other => state.stats.other_dropped += 1,
            }
            return;
        }
        drop(state);
        self.changed.notify_one();
    }

    /// Sends what is due, and sleeps until the next is, until told to stop.
    pub(super) fn write(&self, socket: &UdpSocket, destination: &Destination, stop: &AtomicBool) {
        let mut state = lock(&self.state);
        while !stop.load(Ordering::Relaxed) {
            let now = self.now();
            if let Some((_, datagram)) = state.queue.pop(now) {
                // A send fails for good reasons (nobody listens yet) and UDP promises nothing.
                let sent = destination.get().map(|to| socket.send_to(&datagram, to));
                count(&mut state.stats, &datagram, sent.is_some());
                continue;
            }
            let wait = state.queue.next_deadline().map_or(POLL, |at| at.since(now).min(POLL));
            state = self.changed.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn now(&self) -> Time {
        Time::ZERO + self.origin.elapsed()
    }
}

fn count(stats: &mut RelayStats, datagram: &[u8], has_destination: bool) {
    let counter = match DatagramKind::of(datagram) {
        _ if !has_destination => &mut stats.homeless,
        DatagramKind::Rtp { .. } => &mut stats.rtp_passed,
        DatagramKind::Rtcp => &mut stats.rtcp_passed,
        DatagramKind::Other => &mut stats.other_passed,
    };
    *counter += 1;
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
