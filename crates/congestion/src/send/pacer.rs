//! When packets leave: at a rate, in short bursts, sound first. The packets are the caller's; here are tokens of them.
//!
//! A burst is what the rate allows in 5 ms, so that a timer serves several packets and they can leave as one segmented send.
//! Must not know what a packet holds, nor why the rate is what it is.

use super::history::PacketKind;
use super::pacer_queue::{PacerQueue, Waiting};
use super::probe::{Probe, ProbeId};
use std::time::Duration;
use tureen_rtp_wire::Time;

/// Bounds of what waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PacerConfig {
    /// Packets of pictures that may wait. Default 1024, at least 1. Of sound and of retransmissions a quarter as many may.
    pub packets: usize,
    /// Bytes that may wait altogether; sound is let in above it. Default 2,000,000.
    pub bytes: u64,
    /// Pictures that waited for longer are given back as expired, retransmissions after half of it. Default 1 s.
    pub wait: Duration,
    /// What leaves in one burst at most, as the time that the rate takes for it. Default 5 ms, at least 1 ms.
    pub burst: Duration,
}

impl Default for PacerConfig {
    fn default() -> Self {
        Self {
            packets: 1024,
            bytes: 2_000_000,
            wait: Duration::from_secs(1),
            burst: Duration::from_millis(5),
        }
    }
}

/// Why a packet was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PushError {
    /// As many packets of its kind wait as may.
    #[error("as many packets of this kind wait as may")]
    Packets,
    /// As many bytes wait as may.
    #[error("as many bytes wait as may")]
    Bytes,
    /// Padding does not wait: it is made when it is due.
    #[error("padding does not wait")]
    Kind,
}

/// A packet that is to leave now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Released<T> {
    /// The caller's name for it.
    pub token: T,
    /// Its size, as it was pushed.
    pub size: u16,
    /// Its kind, as it was pushed.
    pub kind: PacketKind,
    /// The probe that it belongs to, for [`SentPacket`](super::SentPacket).
    pub probe: Option<ProbeId>,
    /// How long it waited.
    pub waited: Duration,
}

/// What is to be done now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release<T> {
    /// Send this packet.
    Packet(Released<T>),
    /// Send padding of this size for a probe. Who has none sends nothing, and the probe fails.
    Padding {
        /// Bytes on the wire.
        size: u16,
        /// The probe.
        probe: ProbeId,
    },
    /// Throw this packet away: it waited for too long.
    Expired {
        /// The caller's name for it.
        token: T,
        /// Its kind.
        kind: PacketKind,
    },
}

/// A probe that is being sent.
#[derive(Clone, Copy, Debug)]
struct Train {
    probe: Probe,
    left: u32,
    next: Time,
}

/// The times of the budget.
#[derive(Clone, Copy, Debug)]
struct Budget {
    /// What was sent is paid for until here.
    paid: Time,
    /// The burst that is under way goes on until so much is paid for.
    burst: Time,
    /// Nanoseconds a byte, times 256.
    price: u64,
}

impl Budget {
    const fn spend(&mut self, size: u16) {
        let nanos = (self.price.saturating_mul(size as u64)) >> 8;
        self.paid = Time::from_nanos(self.paid.as_nanos().saturating_add(nanos));
    }
}

/// Bits per second below which nothing is paced.
const LEAST_BITRATE: u64 = 1_000;
const NANOS_PER_BYTE: u64 = 8_000_000_000;

/// Queues tokens of packets and gives them back when they are to leave.
///
/// For each packet: [`push`](Self::push). At [`next_deadline`](Self::next_deadline), and after pushing:
/// [`poll`](Self::poll), until it gives nothing.
#[derive(Clone, Debug)]
pub struct Pacer<T: Copy> {
    config: PacerConfig,
    audio: PacerQueue<T>,
    retransmissions: PacerQueue<T>,
    video: PacerQueue<T>,
    budget: Budget,
    train: Option<Train>,
}

impl<T: Copy> Pacer<T> {
    /// An empty pacer of 300 kbit/s. All its memory is reserved here.
    pub fn new(config: PacerConfig) -> Self {
        let config = PacerConfig {
            packets: config.packets.clamp(1, 1 << 20),
            burst: config.burst.max(Duration::from_millis(1)),
            ..config
        };
        let less = config.packets.div_ceil(4);
        let mut pacer = Self {
            config,
            audio: PacerQueue::new(less),
            retransmissions: PacerQueue::new(less),
            video: PacerQueue::new(config.packets),
            budget: Budget { paid: Time::ZERO, burst: Time::ZERO, price: 0 },
            train: None,
        };
        pacer.set_bitrate(300_000);
        pacer
    }

    /// Sets the rate, in bits per second; below 1000 counts as that.
    pub fn set_bitrate(&mut self, bitrate: u64) {
        self.budget.price = (NANOS_PER_BYTE << 8) / bitrate.max(LEAST_BITRATE);
    }

    /// Whether a packet of `size` bytes may leave now, past the queues; if so it counts as sent. Sound always may. Anything else may while
    /// nothing waits that would be overtaken, no probe is under way, and the rate allows. What may not is to be [pushed](Self::push).
    pub fn admit(&mut self, now: Time, size: u16, kind: PacketKind) -> bool {
        let overtakes = self.packets_waiting() > 0 || self.train.is_some();
        let admitted = kind == PacketKind::Audio || !overtakes && self.may_send(now);
        if admitted {
            self.budget.paid = self.budget.paid.max(now - self.config.burst);
            self.budget.spend(size);
        }
        admitted
    }

    /// Queues a packet of `size` bytes.
    ///
    /// # Errors
    /// `Packets` or `Bytes` if the queue is full, `Kind` for padding. The packet is not queued then.
    pub fn push(&mut self, now: Time, token: T, size: u16, kind: PacketKind) -> Result<(), PushError> {
        let full = self.bytes_waiting() + u64::from(size) > self.config.bytes;
        let queue = match kind {
            PacketKind::Audio => &mut self.audio,
            PacketKind::Retransmission => &mut self.retransmissions,
            PacketKind::Video => &mut self.video,
            PacketKind::Padding => return Err(PushError::Kind),
        };
        if full && kind != PacketKind::Audio {
            return Err(PushError::Bytes);
        }
        if queue.push(Waiting { token, size, since: now }) { Ok(()) } else { Err(PushError::Packets) }
    }

    /// Sends a probe from now on, instead of one that is under way. Packets that wait go first, padding fills up.
    pub const fn start_probe(&mut self, now: Time, probe: Probe) {
        self.train = Some(Train { probe, left: probe.bytes, next: now });
    }

    /// What is to be done now, if anything.
    pub fn poll(&mut self, now: Time) -> Option<Release<T>> {
        if let Some(expired) = self.expired(now) {
            return Some(expired);
        }
        if self.train.is_some() {
            return self.poll_train(now);
        }
        if let Some(audio) = self.audio.pop() {
            return Some(self.release(now, audio, PacketKind::Audio));
        }
        if !self.may_send(now) {
            return None;
        }
        if let Some(waiting) = self.retransmissions.pop() {
            return Some(self.release(now, waiting, PacketKind::Retransmission));
        }
        let waiting = self.video.pop()?;
        Some(self.release(now, waiting, PacketKind::Video))
    }

    /// When to poll next; [`Time::NEVER`] while nothing waits.
    pub fn next_deadline(&self) -> Time {
        if let Some(train) = &self.train {
            return train.next;
        }
        let oldest = |queue: &PacerQueue<T>| queue.front().map(|waiting| waiting.since);
        match (oldest(&self.audio), oldest(&self.retransmissions).or(oldest(&self.video))) {
            (Some(since), _) => since,
            (None, None) => Time::NEVER,
            // Within a burst there is no wait.
            (None, Some(since)) if self.budget.paid < self.budget.burst => since,
            (None, Some(since)) => since.max(self.budget.paid),
        }
    }

    /// Forgets the packets of which `keep` says no, in whatever queue: those of a layer that is left, say.
    pub fn retain(&mut self, mut keep: impl FnMut(T) -> bool) {
        self.audio.retain(&mut keep);
        self.retransmissions.retain(&mut keep);
        self.video.retain(keep);
    }

    /// Bytes that wait.
    pub const fn bytes_waiting(&self) -> u64 {
        self.audio.bytes() + self.retransmissions.bytes() + self.video.bytes()
    }

    /// Packets that wait.
    pub const fn packets_waiting(&self) -> usize {
        self.audio.len() + self.retransmissions.len() + self.video.len()
    }

    /// How long the rate takes for what waits.
    pub const fn backlog(&self) -> Duration {
        Duration::from_nanos((self.budget.price.saturating_mul(self.bytes_waiting())) >> 8)
    }

    /// Whether the budget allows a packet. What was not used is lost, but for the burst that begins now.
    fn may_send(&mut self, now: Time) -> bool {
        if now >= self.budget.paid {
            self.budget.paid = now;
            self.budget.burst = now + self.config.burst;
        }
        self.budget.paid < self.budget.burst
    }

    fn release(&mut self, now: Time, waiting: Waiting<T>, kind: PacketKind) -> Release<T> {
        self.budget.paid = self.budget.paid.max(now - self.config.burst);
        self.budget.spend(waiting.size);
        Release::Packet(Released {
            token: waiting.token,
            size: waiting.size,
            kind,
            probe: None,
            waited: now.since(waiting.since),
        })
    }

    /// The next packet of a probe, one at a time: a train in bursts would measure the bursts.
    fn poll_train(&mut self, now: Time) -> Option<Release<T>> {
        let train = self.train.filter(|train| now >= train.next)?;
        let id = train.probe.id;
        let media = if let Some(waiting) = self.audio.pop() {
            Some((waiting, PacketKind::Audio))
        } else if let Some(waiting) = self.retransmissions.pop() {
            Some((waiting, PacketKind::Retransmission))
        } else {
            self.video.pop().map(|waiting| (waiting, PacketKind::Video))
        };
        let (release, size) = match media {
            Some((waiting, kind)) => match self.release(now, waiting, kind) {
                Release::Packet(packet) => {
                    (Release::Packet(Released { probe: Some(id), ..packet }), waiting.size)
                }
                other => (other, waiting.size),
            },
            None => {
                let size = train.probe.padding_size();
                (Release::Padding { size, probe: id }, size)
            }
        };
        let left = train.left.saturating_sub(u32::from(size.max(1)));
        let nanos = NANOS_PER_BYTE.saturating_mul(u64::from(size)) / train.probe.bitrate.max(LEAST_BITRATE);
        let next = train.next.max(now - self.config.burst) + Duration::from_nanos(nanos);
        self.train = (left > 0).then_some(Train { left, next, ..train });
        Some(release)
    }

    fn expired(&mut self, now: Time) -> Option<Release<T>> {
        let expired = |queue: &mut PacerQueue<T>, kind, wait| {
            let waiting = queue.front()?;
            (now.since(waiting.since) > wait).then(|| {
                queue.pop();
                Release::Expired { token: waiting.token, kind }
            })
        };
        let wait = self.config.wait;
        expired(&mut self.retransmissions, PacketKind::Retransmission, wait / 2)
            .or_else(|| expired(&mut self.video, PacketKind::Video, wait))
    }
}
