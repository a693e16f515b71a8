//! The packets of a stream since its newest key frame: what a newcomer can start from without asking the source.
//!
//! Follows where the run begins and how large it is. The packets are in the [`PacketStore`](crate::PacketStore), which asks here what it
//! has to keep.

use crate::meta::PacketMeta;
use std::time::Duration;
use tureen_rtp_wire::Time;

/// What a run of packets since a key frame may be, to be kept for newcomers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunLimits {
    /// The most bytes of whole packets.
    pub max_bytes: usize,
    /// The longest time since the key frame's first packet.
    pub max_age: Duration,
}

/// A run stays in the store for so long beyond its age: whoever began with it in time gets to its end.
const GRACE: Duration = Duration::from_millis(500);

/// A run that is whole, by its first and its newest packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyFrameRun {
    /// The first packet of the key frame.
    pub first: PacketMeta,
    /// The packet with the highest number.
    pub newest: PacketMeta,
}

/// The newest key frame, and what came since.
#[derive(Clone, Copy, Debug)]
struct Current {
    first: u64,
    timestamp: u32,
    started: Time,
    bytes: usize,
}

/// Follows the newest run of a stream.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RunTracker {
    limits: RunLimits,
    current: Option<Current>,
}

impl RunTracker {
    pub(crate) const fn new(limits: RunLimits) -> Self {
        Self { limits, current: None }
    }

    /// A packet of `bytes` in all was kept.
    pub(crate) fn on_kept(&mut self, meta: &PacketMeta, bytes: usize) {
        let number = meta.extended_sequence;
        match &mut self.current {
            Some(run) if meta.timestamp == run.timestamp && meta.is_key_frame && number < run.first => {
                run.first = number;
                run.bytes = run.bytes.saturating_add(bytes);
            }
            Some(run) if meta.is_key_frame && meta.timestamp != run.timestamp && number > run.first => {
                self.start(meta, bytes);
            }
            Some(run) if number >= run.first => {
                run.bytes = run.bytes.saturating_add(bytes);
            }
            None if meta.is_key_frame => self.start(meta, bytes),
            _ => {}
        }
        if self.current.is_some_and(|run| {
            run.bytes > self.limits.max_bytes
                || meta.received_at.since(run.started) > self.limits.max_age + GRACE
        }) {
            self.current = None;
        }
    }

    /// What stands behind a key frame that came late is not counted among its bytes.
    fn start(&mut self, meta: &PacketMeta, bytes: usize) {
        self.current = Some(Current {
            first: meta.extended_sequence,
            timestamp: meta.timestamp,
            started: meta.received_at,
            bytes,
        });
    }

    /// Nothing since the key frame is of use any more.
    pub(crate) const fn forget(&mut self) {
        self.current = None;
    }

    /// A packet of the stream is no longer kept.
    pub(crate) fn on_evicted(&mut self, extended_sequence: u64) {
        if self.contains(extended_sequence) {
            self.current = None;
        }
    }

    /// Whether a packet belongs to the run.
    pub(crate) fn contains(&self, extended_sequence: u64) -> bool {
        self.current.is_some_and(|run| extended_sequence >= run.first)
    }

    /// The number of the key frame's first packet, unless it is too old at `now`.
    pub(crate) fn first(&self, now: Time) -> Option<u64> {
        let run = self.current.filter(|run| now.since(run.started) <= self.limits.max_age)?;
        Some(run.first)
    }

    /// The most bytes that a run may have.
    pub(crate) const fn max_bytes(&self) -> usize {
        self.limits.max_bytes
    }
}
