//! Checked zero-copy views, in-place patches and builders of RTP, RTCP and codec payload descriptors.

pub mod dependency_descriptor;
mod error;
mod octets;
pub mod payload;
pub mod rtcp;
pub mod rtp;
mod time;
pub mod validate;

pub use error::WireError;
pub use time::{NtpTime, Time, WallClock};
