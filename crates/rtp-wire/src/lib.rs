//! Checked zero-copy views, in-place patches and builders of RTP, RTCP, STUN and codec payload descriptors.
//!
//! The lowest layer of a selective forwarding unit: it turns bytes of strangers into typed views or a [`WireError`], and
//! typed values into bytes. It must not know streams, keys, sockets or clocks; time comes in as a [`Time`].
//!
//! - Each packet is walked once. [`rtp::RtpLayout`] keeps the offsets, is `Copy` and is carried beside the bytes.
//! - Nothing allocates, and no bytes make it panic: each read and each write is length-checked.
//! - Writers take the caller's buffer and refuse what does not fit, whole piece by whole piece.
//!
//! ```
//! use tureen_rtp_wire::rtcp::{Compound, RtcpPacket, RtcpWriter};
//! use tureen_rtp_wire::rtp::{ExtensionForm, RtpHeader, RtpPacket, RtpWriter, set_ssrc};
//!
//! // A packet with an audio level in element 1.
//! let header = RtpHeader { marker: true, payload_type: 111, sequence_number: 7, timestamp: 960, ssrc: 1 };
//! let mut buf = [0; 64];
//! let mut writer = RtpWriter::new(&mut buf, &header, ExtensionForm::OneByte)?;
//! writer.push_extension(1, &[0x80 | 30])?;
//! writer.payload(b"opus")?;
//! let len = writer.finish();
//!
//! // Patched in place, then viewed.
//! assert!(set_ssrc(&mut buf[..len], 2));
//! let packet = RtpPacket::parse(&buf[..len])?;
//! assert_eq!((packet.ssrc(), packet.payload(), packet.extension(1)), (2, &b"opus"[..], Some(&[0x9e][..])));
//!
//! // A NACK of two packets.
//! let mut buf = [0; 64];
//! let mut writer = RtcpWriter::new(&mut buf);
//! writer.nack(1, 2, [10, 12])?;
//! let len = writer.finish();
//! for packet in Compound::parse(&buf[..len])? {
//!     let RtcpPacket::Nack(nack) = packet? else { continue };
//!     assert!(nack.lost().eq([10, 12]));
//! }
//! # Ok::<(), tureen_rtp_wire::WireError>(())
//! ```

pub mod dependency_descriptor;
mod ecn;
mod error;
mod octets;
pub mod payload;
pub mod rtcp;
pub mod rtp;
pub mod stun;
mod time;
pub mod validate;

pub use ecn::Ecn;
pub use error::WireError;
pub use time::{NtpTime, Time, WallClock};

/// Keeps the example of the README compiling.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
