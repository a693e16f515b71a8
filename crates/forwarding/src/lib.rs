//! The forwarding core, one RTP stream at a time: receive, map, store, repair, rewrite.

mod continuity;
pub mod key_frame;
pub mod meta;
pub mod nack;
pub mod picture_id_map;
pub mod rate;
mod reception;
pub mod recv_stream;
pub mod rtx;
pub mod score;
mod seen;
pub mod selector;
pub mod send_stream;
pub mod sent_log;
pub mod sequence;
pub mod sequence_map;
pub mod store;
pub mod timestamp_map;
pub mod verdict;

pub use key_frame::{KeyFrameGate, KeyFrameRequest, KeyFrameRequests, KeyFrameRequestsConfig};
pub use meta::PacketMeta;
pub use nack::{NackGenerator, NackOutcome};
pub use picture_id_map::PictureIdMap;
pub use rate::RateWindow;
pub use reception::{ReceivedSenderInfo, Report, SenderInfo, round_trip_time};
pub use recv_stream::{PacketInfo, Received, RecvStats, RecvStream, RecvStreamConfig};
pub use rtx::{RtxConfig, RtxHeader, RtxSender};
pub use score::ScoreHistory;
pub use selector::{PipeSelector, Selector, SimpleSelector, SimpleSelectorConfig};
pub use send_stream::{Resend, SendStats, SendStream, SendStreamConfig};
pub use sent_log::{ResendRefusal, SentLog, SentPacket};
pub use sequence::{ExtendedSequence, SequenceStep, SequenceUnwrapper, TimestampUnwrapper};
pub use sequence_map::SequenceMap;
pub use store::{PacketStore, PacketStoreConfig, Stored, StoredPacket};
pub use timestamp_map::TimestampMap;
pub use verdict::{DropCounters, DropReason, PayloadPatch, Rewrite, Verdict};
