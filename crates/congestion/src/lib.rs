//! Congestion control of RTP, both ends of it.
//!
//! Receiving: [`TransportFeedbackGenerator`] notes when packets with transport-wide sequence numbers arrive and reports it; the
//! sender estimates. [`CongestionFeedbackGenerator`] does so by stream, with ECN marks (RFC 8888), and needs no numbers of the sender's.
//! [`RembEstimator`] serves senders that cannot read such reports: it estimates here, from absolute send
//! times, and the sender is told a bitrate. A transport needs one of the three.
//!
//! Sending: [`send`] has the estimate of what a transport may send and the pacing of what it sends, [`allocator`] who gets which
//! layers of it.
//!
//! All of it is plain state: time is an argument, nothing is sent, nothing is allocated for a packet, and equal input gives
//! equal output. It does not know streams, producers or how a compound leaves.
//!
//! ```
//! use std::time::Duration;
//! use tureen_congestion::TransportFeedbackGenerator;
//! use tureen_rtp_wire::Time;
//! use tureen_rtp_wire::rtcp::{Compound, RtcpPacket, RtcpWriter};
//!
//! let mut generator = TransportFeedbackGenerator::new();
//! for (millis, sequence_number) in [(10, 65_534), (15, 65_535), (21, 1)] {
//!     generator.record(Time::from_millis(millis), sequence_number);
//! }
//! let due = generator.next_deadline();
//! assert_eq!(due, Time::from_millis(110));
//!
//! let mut buffer = [0; 1200];
//! let mut writer = RtcpWriter::new(&mut buffer);
//! assert!(generator.poll(due, 1, 2, &mut writer));
//! let len = writer.finish();
//!
//! let Some(Ok(RtcpPacket::TransportFeedback(feedback))) = Compound::parse(&buffer[..len])?.next() else { panic!() };
//! let arrived: Vec<_> = feedback.packets().map(|packet| (packet.sequence_number, packet.delta)).collect();
//! assert_eq!(arrived, [(65_534, Some(40)), (65_535, Some(20)), (0, None), (1, Some(24))]);
//! # Ok::<(), tureen_rtp_wire::WireError>(())
//! ```

pub mod allocator;
mod arrival_group;
pub mod congestion_feedback;
mod link_capacity;
mod overuse;
mod rate_control;
pub mod remb_estimator;
pub mod send;
mod throughput;
pub mod transport_feedback;

pub use congestion_feedback::CongestionFeedbackGenerator;
pub use remb_estimator::RembEstimator;
pub use transport_feedback::TransportFeedbackGenerator;
