//! The forwarding core, one RTP stream at a time: receive, map, store, repair, rewrite.
//!
//! A packet's way: [`RecvStream::on_packet`] says whether it counts and gives it its extended sequence number; [`PacketMeta`] collects
//! what is known about it; [`PacketStore`] keeps the one copy; for each consumer a [`Selector`] makes a [`Verdict`] of the meta alone,
//! and a [`SendStream`] notes what left. A NACK goes the other way: [`SendStream::resend`] finds the source's number and the changes
//! that the packet had, the store has its bytes.
//!
//! Nothing here reads a clock, draws a random number, sends, or allocates once it is made ([`PacketStore`] takes memory in blocks until it
//! has seen its busiest stretch). What a stream wants to send it hands out when polled; `next_deadline` says when.
//!
//! ```
//! use tureen_forwarding::*;
//! use tureen_rtp_wire::Time;
//! use tureen_rtp_wire::payload::{PayloadDescriptor, PayloadFormat};
//! use tureen_rtp_wire::rtp::RtpPacket;
//!
//! let mut source = RecvStream::new(RecvStreamConfig { ssrc: 1, payload_type: 111, clock_rate: 48_000, ..Default::default() });
//! let mut selector = SimpleSelector::new(SimpleSelectorConfig { clock_rate: 48_000, first_sequence_number: 500, ..Default::default() });
//!
//! let now = Time::from_millis(20);
//! let bytes = [0x80, 111, 0x12, 0x34, 0, 0, 3, 0xc0, 0, 0, 0, 1, 0xf8, 0xff, 0xfe];
//! let packet = RtpPacket::parse(&bytes)?;
//! let info = PacketInfo {
//!     sequence_number: packet.sequence_number(),
//!     timestamp: packet.timestamp(),
//!     payload_type: packet.payload_type(),
//!     size: bytes.len(),
//!     ..Default::default()
//! };
//! let received = source.on_packet(now, &info);
//! let extended_sequence = received.extended_sequence().expect("the first packet counts");
//!
//! let descriptor = PayloadDescriptor::parse(PayloadFormat::Opus, packet.payload()).expect("an Opus payload");
//! let meta = PacketMeta::new(now, extended_sequence, 0, &packet, descriptor);
//! let Verdict::Forward(rewrite) = selector.decide(&meta) else { panic!("audio passes at once") };
//! assert_eq!((rewrite.sequence_number, rewrite.timestamp), (500, 960));
//! # Ok::<(), tureen_rtp_wire::WireError>(())
//! ```

pub mod active_targets;
mod continuity;
pub mod decode_targets;
pub mod descriptor_changes;
pub mod frame_layers;
pub mod key_frame;
pub mod key_frame_budget;
pub mod key_frame_run;
mod layer_filter;
pub mod meta;
pub mod nack;
pub mod parity;
mod payload_ids;
pub mod picture_id_map;
pub mod rate;
mod reception;
pub mod recv_stream;
pub mod repair;
pub mod rtx;
pub mod score;
mod seen;
pub mod selector;
pub mod send_stream;
mod sender_clock;
pub mod sent_log;
pub mod sequence;
pub mod sequence_map;
pub mod simulcast;
pub mod store;
pub mod timeline;
pub mod timestamp_map;
pub mod verdict;
mod vp9_ids;

pub use active_targets::{ActiveTargets, StreamTargets};
pub use decode_targets::{ActiveLayers, DecodeTargets};
pub use descriptor_changes::DescriptorChange;
pub use frame_layers::FrameLayers;
pub use key_frame::{KeyFrameGate, KeyFrameRequest, KeyFrameRequests, KeyFrameRequestsConfig};
pub use key_frame_budget::KeyFrameBudget;
pub use key_frame_run::{KeyFrameRun, RunLimits};
pub use meta::PacketMeta;
pub use nack::{NackGenerator, NackOutcome};
pub use parity::{FecConfig, ParityBlock, ParitySender};
pub use picture_id_map::PictureIdMap;
pub use rate::RateWindow;
pub use reception::{ReceivedSenderInfo, round_trip_time};
pub use recv_stream::{PacketInfo, Received, RecvStats, RecvStream, RecvStreamConfig};
pub use repair::{ResendRefusal, ResendRefusals, ResendTimes};
pub use rtx::{RtxConfig, RtxHeader, RtxSender};
pub use score::ScoreHistory;
pub use selector::{PipeSelector, Selector, SimpleSelector, SimpleSelectorConfig};
pub use send_stream::{Resend, SendStats, SendStream, SendStreamConfig};
pub use sender_clock::{ClockOffset, SenderClock};
pub use sent_log::{SentLog, SentPacket};
pub use sequence::{ExtendedSequence, SequenceStep, SequenceUnwrapper, TimestampUnwrapper};
pub use sequence_map::SequenceMap;
pub use simulcast::{Backlog, SelectedLayers, SimulcastSelector, SimulcastSelectorConfig};
pub use store::{PacketStore, PacketStoreConfig, Stored, StoredPacket};
pub use timeline::{clock_alignment, clock_reading};
pub use timestamp_map::TimestampMap;
pub use verdict::{DropCounters, DropReason, PayloadPatch, Rewrite, Verdict};
