//! The link model in real time: a UDP relay that impairs what passes between real programs.
//!
//! It listens on a loopback address, forwards to a target, and carries the answers back to whoever sent last. It must
//! not know any protocol beyond telling RTP from RTCP by the first two bytes.
//!
//! ```
//! use std::net::UdpSocket;
//! use tureen_sim::link::{LinkConfig, Loss};
//! use tureen_sim::relay::{Filter, Impairment, Relay, RelayConfig};
//!
//! # fn main() -> std::io::Result<()> {
//! let receiver = UdpSocket::bind("127.0.0.1:0")?;
//! let loss = LinkConfig { loss: Loss::Random(0.03), ..LinkConfig::default() };
//! let mut config = RelayConfig::new(receiver.local_addr()?);
//! config.to_target = Impairment { link: loss, filter: Filter::Rtp };
//! let relay = Relay::start(config)?;
//! // A receiver report: it passes the filter.
//! UdpSocket::bind("127.0.0.1:0")?.send_to(&[0x80, 201, 0, 1, 0, 0, 0, 1], relay.listen_addr())?;
//! assert_eq!(receiver.recv_from(&mut [0; 100])?, (8, relay.target_side_addr()));
//! # Ok(())
//! # }
//! ```

mod direction;
#[cfg(test)]
mod tests;

use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use self::direction::{Destination, Direction};
use crate::link::LinkConfig;

/// What a datagram looks like from its first bytes (RFC 5764 section 5.1.2, RFC 5761 section 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DatagramKind {
    /// RTP or SRTP, with its payload type.
    Rtp {
        /// The payload type, 0 to 127.
        payload_type: u8,
    },
    /// RTCP or SRTCP.
    Rtcp,
    /// STUN, DTLS or anything else.
    Other,
}

impl DatagramKind {
    /// Classifies a datagram. Encryption does not matter: SRTP and SRTCP leave the first bytes alone.
    pub const fn of(datagram: &[u8]) -> Self {
        match datagram {
            [128..=191, 192..=223, ..] => Self::Rtcp,
            [128..=191, second, ..] => Self::Rtp { payload_type: *second & 0x7f },
            _ => Self::Other,
        }
    }
}

/// Which datagrams take the impaired link; the others pass at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Filter {
    /// All of them.
    #[default]
    Everything,
    /// RTP alone.
    Rtp,
    /// RTCP alone.
    Rtcp,
    /// RTP of one payload type alone.
    PayloadType(u8),
}

impl Filter {
    /// Whether the filter picks this datagram.
    pub fn picks(self, datagram: &[u8]) -> bool {
        let kind = DatagramKind::of(datagram);
        match self {
            Self::Everything => true,
            Self::Rtp => matches!(kind, DatagramKind::Rtp { .. }),
            Self::Rtcp => kind == DatagramKind::Rtcp,
            Self::PayloadType(payload_type) => kind == DatagramKind::Rtp { payload_type },
        }
    }
}

/// What one direction of a relay does. The default does nothing.
#[derive(Clone, Debug, Default)]
pub struct Impairment {
    /// The path.
    pub link: LinkConfig,
    /// What takes that path.
    pub filter: Filter,
}

/// How to start a [`Relay`].
#[derive(Clone, Debug)]
pub struct RelayConfig {
    /// Where to listen; port 0 lets the system choose.
    pub listen: SocketAddr,
    /// Where to send what is received there.
    pub target: SocketAddr,
    /// Where to send what the target says, until a datagram on the listening side says otherwise.
    pub client: Option<SocketAddr>,
    /// From the listening side to the target.
    pub to_target: Impairment,
    /// From the target to the listening side.
    pub to_client: Impairment,
    /// Decides every draw. The times of arrival are real, so it repeats which packet is lost, not when one arrives.
    pub seed: u64,
}

impl RelayConfig {
    /// A perfect relay to `target` from a loopback port that the system chooses.
    pub fn new(target: SocketAddr) -> Self {
        Self {
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            target,
            client: None,
            to_target: Impairment::default(),
            to_client: Impairment::default(),
            seed: 0,
        }
    }
}

/// Counts of one direction of a [`Relay`], in datagrams.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RelayStats {
    /// RTP that was sent on.
    pub rtp_passed: u64,
    /// RTP that the link dropped.
    pub rtp_dropped: u64,
    /// RTCP that was sent on.
    pub rtcp_passed: u64,
    /// RTCP that the link dropped.
    pub rtcp_dropped: u64,
    /// Other datagrams that were sent on.
    pub other_passed: u64,
    /// Other datagrams that the link dropped.
    pub other_dropped: u64,
    /// Datagrams for which there was no client yet.
    pub homeless: u64,
}

impl RelayStats {
    /// All datagrams that were sent on.
    pub const fn passed(&self) -> u64 {
        self.rtp_passed + self.rtcp_passed + self.other_passed
    }

    /// All datagrams that the link dropped.
    pub const fn dropped(&self) -> u64 {
        self.rtp_dropped + self.rtcp_dropped + self.other_dropped
    }
}

/// A running relay. It stops when it is dropped.
#[derive(Debug)]
pub struct Relay {
    listen_addr: SocketAddr,
    target_side_addr: SocketAddr,
    to_target: Arc<Direction>,
    to_client: Arc<Direction>,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Relay {
    /// Binds both sockets and starts the threads.
    ///
    /// # Errors
    ///
    /// What binding a socket, or starting a thread, answers.
    pub fn start(config: RelayConfig) -> io::Result<Self> {
        let client_side = Arc::new(UdpSocket::bind(config.listen)?);
        let target_side = Arc::new(UdpSocket::bind(SocketAddr::new(config.listen.ip(), 0))?);
        let client = Arc::new(Mutex::new(config.client));
        let to_target = Arc::new(Direction::new(config.to_target, config.seed));
        // The second half of the golden ratio: two directions never share their draws.
        let to_client = Arc::new(Direction::new(config.to_client, config.seed ^ 0x9e37_79b9_7f4a_7c15));
        let mut relay = Self {
            listen_addr: client_side.local_addr()?,
            target_side_addr: target_side.local_addr()?,
            to_target: Arc::clone(&to_target),
            to_client: Arc::clone(&to_client),
            stop: Arc::new(AtomicBool::new(false)),
            threads: Vec::with_capacity(4),
        };
        let target = Destination::Fixed(config.target);
        relay.spawn(&to_target, &client_side, &target_side, Some(Arc::clone(&client)), target)?;
        relay.spawn(&to_client, &target_side, &client_side, None, Destination::Learned(client))?;
        Ok(relay)
    }

    /// Where a sender on the listening side sends to.
    pub const fn listen_addr(&self) -> SocketAddr {
        self.listen_addr
    }

    /// Where the target sees datagrams come from, and sends its own to.
    pub const fn target_side_addr(&self) -> SocketAddr {
        self.target_side_addr
    }

    /// Counts from the listening side to the target.
    pub fn to_target_stats(&self) -> RelayStats {
        self.to_target.stats()
    }

    /// Counts from the target to the listening side.
    pub fn to_client_stats(&self) -> RelayStats {
        self.to_client.stats()
    }

    /// Changes the rate of the bottleneck towards the listening side, as [`LinkConfig::rate`] has it, for datagrams that come from
    /// now on.
    pub fn set_rate_to_client(&self, rate: Option<u64>) {
        self.to_client.set_rate(rate);
    }

    /// How long a datagram of the target that comes now would wait in front of the bottleneck.
    pub fn queue_to_client(&self) -> Duration {
        self.to_client.queue_delay()
    }

    fn spawn(
        &mut self,
        direction: &Arc<Direction>,
        from: &Arc<UdpSocket>,
        to: &Arc<UdpSocket>,
        learn: Option<Arc<Mutex<Option<SocketAddr>>>>,
        destination: Destination,
    ) -> io::Result<()> {
        from.set_read_timeout(Some(direction::POLL))?;
        let (reader, socket, stop) = (Arc::clone(direction), Arc::clone(from), Arc::clone(&self.stop));
        let read = move || reader.read(&socket, learn.as_deref(), &stop);
        self.threads.push(thread::Builder::new().name("relay-read".into()).spawn(read)?);
        let (writer, socket, stop) = (Arc::clone(direction), Arc::clone(to), Arc::clone(&self.stop));
        let write = move || writer.write(&socket, &destination, &stop);
        self.threads.push(thread::Builder::new().name("relay-write".into()).spawn(write)?);
        Ok(())
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.to_target.wake();
        self.to_client.wake();
        for thread in self.threads.drain(..) {
            // A panic in a relay thread has been printed; a drop must not raise a second one.
            let _ = thread.join();
        }
    }
}
