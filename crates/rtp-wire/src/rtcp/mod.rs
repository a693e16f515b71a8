//! RTCP: a compound iterator over checked views (RFC 3550 section 6), and a writer.
//!
//! It knows nothing of intervals, streams or round-trip times: who reports what and when is decided above.

mod app;
mod bye;
mod compound;
mod congestion_feedback;
mod fir;
mod nack;
mod pli;
mod remb;
mod report;
mod sdes;
mod transport_feedback;
mod writer;
mod writer_feedback;
mod xr;

pub use app::{Afb, App};
pub use bye::Bye;
pub use compound::{Compound, RawPacket, RtcpPacket};
pub use congestion_feedback::{Arrival, CongestionFeedback, PacketReport, StreamReport};
pub use fir::{Fir, FirEntry};
pub use nack::{Nack, NackEntry};
pub use pli::Pli;
pub use remb::Remb;
pub use report::{ReceiverReport, ReportBlock, SenderInfo, SenderReport};
pub use sdes::{Sdes, SdesChunk, SdesItem, SdesItemKind};
pub use transport_feedback::{PacketStatus, TransportFeedback};
pub use writer::RtcpWriter;
pub use writer_feedback::CongestionFeedbackWriter;
pub use xr::{DlrrReport, Xr, XrBlock};

/// Packet types (IANA registry "RTCP Control Packet Types").
pub mod packet_type {
    /// Sender report.
    pub const SENDER_REPORT: u8 = 200;
    /// Receiver report.
    pub const RECEIVER_REPORT: u8 = 201;
    /// Source description.
    pub const SOURCE_DESCRIPTION: u8 = 202;
    /// Goodbye.
    pub const GOODBYE: u8 = 203;
    /// Application-defined.
    pub const APPLICATION_DEFINED: u8 = 204;
    /// Transport layer feedback (RFC 4585).
    pub const TRANSPORT_FEEDBACK: u8 = 205;
    /// Payload-specific feedback (RFC 4585).
    pub const PAYLOAD_FEEDBACK: u8 = 206;
    /// Extended report (RFC 3611).
    pub const EXTENDED_REPORT: u8 = 207;
}

/// Feedback message types, the FMT field (RFC 4585 section 6.1).
pub mod feedback_type {
    /// Generic NACK, transport layer (RFC 4585 section 6.2.1).
    pub const NACK: u8 = 1;
    /// Congestion control feedback, transport layer (RFC 8888 section 3.1).
    pub const CONGESTION_FEEDBACK: u8 = 11;
    /// Transport-wide congestion control, transport layer (draft-holmer-rmcat-transport-wide-cc-extensions-01).
    pub const TRANSPORT_WIDE: u8 = 15;
    /// Picture loss indication, payload-specific (RFC 4585 section 6.3.1).
    pub const PLI: u8 = 1;
    /// Full intra request, payload-specific (RFC 5104 section 4.3.1).
    pub const FIR: u8 = 4;
    /// Application layer feedback, payload-specific (RFC 4585 section 6.4).
    pub const AFB: u8 = 15;
}

/// The most report blocks, chunks or sources that a 5-bit count can say.
pub const MAX_COUNT: usize = 31;
