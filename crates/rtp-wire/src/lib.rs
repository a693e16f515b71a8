//! Checked zero-copy views, in-place patches and builders of RTP, RTCP and codec payload descriptors.

mod time;

pub use time::{NtpTime, Time, WallClock};
