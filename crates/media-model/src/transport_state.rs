//! A transport as the Core keeps it: the adapter, the tables that find producers, reports and counters.

use crate::arena::Key;
use crate::consumer::Consumer;
use crate::extensions::SourceExtensions;
use crate::feedback::PathFeedback;
use crate::id::TransportId;
use crate::listener::Listener;
use crate::options::TransportOptions;
use crate::producer::Producer;
use crate::router::Router;
use crate::sending::Sending;
use crate::timers::Armed;
use crate::trace::TransportTraceFlags;
use rustc_hash::FxHashMap;
use std::time::Duration;
use tureen_forwarding::rate::RATE_WINDOW;
use tureen_forwarding::{RateWindow, SenderClock};
use tureen_rtp_wire::{NtpTime, Time};
use tureen_transport::{Component, Lane, RejectReason, SocketId};

/// Tags the keys of transports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TransportTag {}

/// SSRCs of one transport whose sequence numbers are kept.
const MAX_LEFT_OFF: usize = 4_096;

/// Bytes and rate of one kind of traffic.
#[derive(Debug)]
pub(crate) struct Meter {
    /// Bytes so far.
    pub bytes: u64,
    rate: RateWindow,
}

impl Default for Meter {
    fn default() -> Self {
        Self { bytes: 0, rate: RateWindow::new(RATE_WINDOW) }
    }
}

impl Meter {
    /// Counts `bytes` at `now`.
    #[inline]
    pub(crate) fn add(&mut self, now: Time, bytes: usize) {
        self.bytes += bytes as u64;
        self.rate.add(now, bytes);
    }

    /// Bits per second at `now`.
    pub(crate) fn bitrate(&self, now: Time) -> u32 {
        u32::try_from(self.rate.bitrate(now)).unwrap_or(u32::MAX)
    }
}

/// What a transport has carried.
#[derive(Debug, Default)]
pub(crate) struct Meters {
    /// Datagrams that came in.
    pub received: Meter,
    /// What went out that is not RTP.
    pub control_sent: Meter,
    /// RTP in, without retransmissions.
    pub rtp_received: Meter,
    /// RTP out, without retransmissions.
    pub rtp_sent: Meter,
    /// Retransmissions in.
    pub rtx_received: Meter,
    /// Retransmissions out.
    pub rtx_sent: Meter,
    /// What filled up probes.
    pub probation_sent: Meter,
}

impl Meters {
    /// Bytes of all datagrams that went out.
    pub(crate) fn bytes_sent(&self) -> u64 {
        self.control_sent.bytes + self.rtp_sent.bytes + self.rtx_sent.bytes + self.probation_sent.bytes
    }

    /// Bits per second of all datagrams that go out at `now`.
    pub(crate) fn send_bitrate(&self, now: Time) -> u32 {
        let parts = [&self.control_sent, &self.rtp_sent, &self.rtx_sent, &self.probation_sent];
        parts.into_iter().fold(0, |sum, part| sum.saturating_add(part.bitrate(now)))
    }
}

/// The bitrate that the remote is told not to exceed (draft-alvestrand-rmcat-remb-03).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct IncomingLimit {
    /// Bits per second; `None` for no limit.
    pub bitrate: Option<u32>,
    /// How often the end of a limit is still to be told: a lost message must not leave it in force.
    pub lifts_left: u8,
}

impl IncomingLimit {
    /// Sets the limit, or lifts it with 0.
    pub(crate) fn set(&mut self, bitrate: u32) {
        let limited = self.bitrate.is_some();
        self.bitrate = Some(bitrate).filter(|&bitrate| bitrate > 0);
        self.lifts_left = if limited && self.bitrate.is_none() { 4 } else { 0 };
    }

    /// What to tell now, if anything.
    pub(crate) fn poll(&mut self) -> Option<u64> {
        match self.bitrate {
            Some(bitrate) => Some(u64::from(bitrate)),
            None => {
                self.lifts_left = self.lifts_left.checked_sub(1)?;
                Some(u64::from(u32::MAX))
            }
        }
    }
}

/// What reports towards the remote need.
#[derive(Debug, Default)]
pub(crate) struct Reports {
    /// CNAME of all that we send on this transport.
    pub cname: String,
    /// SSRC that reports come from while nothing is sent.
    pub own_ssrc: u32,
    /// The remote's last receiver reference time (RFC 3611 section 4.4), who sent it and when it came.
    pub reference_time: Option<(u32, NtpTime, Time)>,
    /// Round trip to the remote.
    pub round_trip: Option<Duration>,
    pub(crate) timer: Armed,
}

/// What the consumers of a transport are called where nobody says so, and where those left off that say it themselves.
#[derive(Debug, Default)]
pub(crate) struct Identities {
    /// The number that the next MID is made of.
    next_mid: u32,
    /// The next sequence number of SSRCs whose consumer ended and may be made again.
    left_off: FxHashMap<u32, u16>,
}

impl Identities {
    /// The next MID that nobody gave: a counter that wraps before it outgrows 8 digits.
    pub(crate) fn draw_mid(&mut self) -> String {
        let mid = self.next_mid;
        self.next_mid = if mid >= 99_999_999 { 0 } else { mid + 1 };
        mid.to_string()
    }

    /// Keeps where a consumer left off. With too many of them nothing is kept: who then sends an SSRC again is stopped by the cipher, which
    /// uses no packet index twice.
    pub(crate) fn keep(&mut self, consumer: &Consumer) {
        if consumer.definition.keeps_ssrc && self.left_off.len() < MAX_LEFT_OFF {
            self.left_off.extend(consumer.next_sequence_numbers());
        }
    }

    /// The sequence number that an SSRC goes on with, if it was in use before.
    pub(crate) fn go_on(&mut self, ssrc: u32) -> Option<u16> {
        self.left_off.remove(&ssrc)
    }
}

/// A transport.
#[derive(Debug)]
pub(crate) struct TransportState<T> {
    /// Its id.
    pub id: TransportId,
    /// Its router.
    pub router: Key<Router>,
    /// Path and cipher.
    pub adapter: T,
    /// What else it was made with.
    pub options: TransportOptions,
    /// How incoming packets find their producer.
    pub listener: Listener,
    /// Extension ids that are read before a producer is known.
    pub extensions: SourceExtensions,
    /// Its producers, oldest first.
    pub producers: Vec<Key<Producer>>,
    /// Its consumers, oldest first.
    pub consumers: Vec<Key<Consumer>>,
    /// Consumers by SSRC, of media and of retransmissions.
    pub consumer_ssrcs: FxHashMap<u32, Key<Consumer>>,
    /// What consumers to come are called.
    pub identities: Identities,
    /// What it may send.
    pub sending: Sending,
    /// Reports towards the remote.
    pub reports: Reports,
    /// The wall clock of the remote.
    pub clock: SenderClock,
    /// What it carried.
    pub meters: Meters,
    /// Datagrams dropped, by reason.
    pub rejected: [u64; RejectReason::ALL.len()],
    /// Which traces are asked for.
    pub trace: TransportTraceFlags,
    /// What the remote may send.
    pub incoming_limit: IncomingLimit,
    /// What the remote is told of the path.
    pub feedback: PathFeedback,
    /// TCP connections that lead to it.
    pub connections: Vec<SocketId>,
    /// The adapter's own deadline.
    pub timer: Armed,
}

impl<T> TransportState<T> {
    /// What to tell the remote of the most that it may send, if anything: the limit, or our estimate if that is less.
    pub(crate) fn poll_limit(&mut self) -> Option<u64> {
        let limit = self.incoming_limit.poll()?;
        Some(self.feedback.estimate().map_or(limit, |estimate| estimate.min(limit)))
    }
}

/// The lane of a component of a transport.
pub(crate) fn lane(key: Key<TransportTag>, component: Component) -> Lane {
    Lane(key.index().wrapping_mul(2) + u32::from(component == Component::Rtcp))
}
