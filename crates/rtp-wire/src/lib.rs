//! Checked zero-copy views, in-place patches and builders of RTP, RTCP and codec payload descriptors.

mod error;
mod octets;
pub mod payload;
pub mod rtcp;
pub mod rtp;
mod time;

pub use error::WireError;
pub use time::{NtpTime, Time, WallClock};
