//! The sending side: what a transport may send, and when its packets leave.
//!
//! [`Estimator`] turns reports into a rate, [`Pacer`] decides which packet leaves next and when. Between the two stands the
//! caller, who owns the packets. Neither knows streams or layers; who gets which layer is [`allocator`](crate::allocator)'s.
//!
//! ```
//! use std::time::Duration;
//! use tureen_congestion::send::{
//!     Ecn, Estimator, Outcome, Pacer, PacerConfig, PacketKind, PacketResult, ReceiverTime, Release, SentPacket,
//! };
//! use tureen_rtp_wire::Time;
//!
//! let mut estimator = Estimator::default();
//! let mut pacer = Pacer::new(PacerConfig::default());
//! pacer.set_bitrate(estimator.pacing_bitrate());
//!
//! // The token is the caller's name for a packet.
//! let now = Time::from_millis(5);
//! pacer.push(now, 'a', 1200, PacketKind::Video)?;
//! let Some(Release::Packet(packet)) = pacer.poll(now) else { panic!() };
//! assert_eq!(packet.token, 'a');
//! estimator.on_sent(now, SentPacket { sequence_number: 1, size: packet.size, kind: packet.kind, probe: packet.probe });
//!
//! // Later a report comes in; readers make it of RTCP.
//! let outcome = Outcome::ArrivedAt(ReceiverTime::from_micros(7_000_000));
//! let result = PacketResult { sequence_number: 1, outcome, ecn: Ecn::NotCapable };
//! estimator.on_feedback(now + Duration::from_millis(60), [result]);
//! assert_eq!(estimator.state().round_trip, Duration::from_millis(60));
//! # Ok::<(), tureen_congestion::send::PushError>(())
//! ```

mod arrivals;
mod competition;
mod delay;
mod estimator;
mod history;
mod holding;
mod loss;
mod pacer;
mod pacer_queue;
mod probe;
mod rate;
mod report;

pub use estimator::{Estimator, EstimatorConfig, EstimatorState, LEAST_BITRATE, MOST_BITRATE};
pub use history::{HISTORY, PacketKind, SentPacket};
pub use pacer::{Pacer, PacerConfig, PushError, Release, Released};
pub use probe::{MIN_PROBE_PACKETS, Probe, ProbeId};
pub use rate::RateReason;
pub use report::{FeedbackReader, Outcome, PacketResult, ReceiverTime, StreamIndex};
pub use tureen_rtp_wire::Ecn;
