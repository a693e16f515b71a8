//! The text trace of a world: one line for each datagram, deadline, relay batch and event.

use crate::link::Delivery;
use std::fmt::Write as _;
use std::net::SocketAddr;
use tureen_media_model::{Event, Timer};
use tureen_rtp_wire::Time;
use tureen_rtp_wire::rtp::classify;

#[derive(Debug, Default)]
pub(crate) struct Trace {
    text: String,
}

impl Trace {
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    fn line(&mut self, at: Time, what: std::fmt::Arguments<'_>) {
        let nanos = at.as_nanos();
        let (seconds, fraction) = (nanos / 1_000_000_000, nanos % 1_000_000_000);
        // Writing to a String does not fail.
        let _ = writeln!(self.text, "{seconds:6}.{fraction:09} {what}");
    }

    /// A datagram sets out; `delivery` is `None` if its destination does not exist.
    pub(crate) fn datagram(
        &mut self,
        at: Time,
        from: SocketAddr,
        to: SocketAddr,
        bytes: &[u8],
        delivery: Option<Delivery>,
    ) {
        let (kind, len, digest) = (classify(bytes), bytes.len(), digest(bytes));
        let fate = match delivery {
            None => "nowhere".to_owned(),
            Some(Delivery::Dropped(reason)) => format!("dropped {reason:?}"),
            Some(Delivery::Once(due)) => format!("+{} us", due.since(at).as_micros()),
            Some(Delivery::Twice(due, again)) => {
                format!("+{} us and +{} us", due.since(at).as_micros(), again.since(at).as_micros())
            }
        };
        self.line(at, format_args!("{from} -> {to} {kind:?} {len} {digest:016x} {fate}"));
    }

    pub(crate) fn timeout(&mut self, at: Time, shard: usize, reason: Timer) {
        self.line(at, format_args!("shard {shard} timeout {reason:?}"));
    }

    pub(crate) fn relay(&mut self, at: Time, from: usize, to: usize, packets: usize) {
        self.line(at, format_args!("shard {from} -> shard {to} relay {packets} packets"));
    }

    pub(crate) fn event(&mut self, at: Time, shard: usize, event: &Event) {
        self.line(at, format_args!("shard {shard} event {event:?}"));
    }
}

/// FNV-1a, 64 bits: tells contents apart, and is the same everywhere.
fn digest(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
