//! RTP packets (RFC 3550 section 5): one checked walk, a view, in-place patches, a writer, header extension values
//! (RFC 8285) and the demultiplexing of datagrams (RFC 7983).
//!
//! It knows nothing of streams: what a sequence number or a payload type means is not decided here.

mod classify;
pub mod extension;
mod layout;
mod packet;
mod patch;
mod writer;

pub use classify::{DatagramKind, classify};
pub use layout::{ExtensionProfile, RtpLayout};
pub use packet::{Extensions, RtpPacket};
pub use patch::{
    RtpPacketMut, patch_header, set_marker, set_payload_type, set_sequence_number, set_ssrc, set_timestamp,
};
pub use writer::{ExtensionForm, RtpWriter};

/// Octets of the fixed header (RFC 3550 section 5.1).
pub const FIXED_HEADER_LEN: usize = 12;

/// The fields of the fixed header that a forwarder sets (RFC 3550 section 5.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct RtpHeader {
    /// The marker bit; its meaning is the payload format's.
    pub marker: bool,
    /// 0 to 127.
    pub payload_type: u8,
    /// Counts packets, wraps at 65536.
    pub sequence_number: u16,
    /// In units of the codec's clock rate.
    pub timestamp: u32,
    /// Synchronization source.
    pub ssrc: u32,
}
