//! The system calls. The only place of the workspace with unsafe code: each block says why it is sound, and what it
//! offers to the rest of the crate is safe.

#![allow(unsafe_code)]

#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(target_os = "linux"))]
mod portable;
mod unix;

#[cfg(target_os = "linux")]
pub(crate) use linux::{
    Epoll, FAST, Outgoing, RecvHeaders, SendHeaders, enable_ecn, enable_gro, enable_timestamps, max_segments,
    pin_current_thread, send_marked, wake_channel,
};
#[cfg(not(target_os = "linux"))]
pub(crate) use portable::{
    FAST, Outgoing, RecvHeaders, SendHeaders, enable_ecn, enable_gro, enable_timestamps, max_segments,
    pin_current_thread, send_marked, wake_channel,
};
pub(crate) use unix::{clock, poll_readable, readable, resource_usage};

use std::net::{Ipv4Addr, SocketAddr};

/// What is known of a received message.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Received {
    pub(crate) len: usize,
    pub(crate) source: SocketAddr,
    /// Length of the datagrams that were merged into the message; 0 when it is one.
    pub(crate) segment: usize,
    /// Nanoseconds since the Unix epoch.
    pub(crate) received: Option<u64>,
    /// The two bits of the ECN mark, which packets that are merged have in common.
    pub(crate) ecn: u8,
    /// Whether a part of the message was lost for want of room.
    pub(crate) truncated: bool,
}

impl Default for Received {
    fn default() -> Self {
        let source = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        Self { len: 0, source, segment: 0, received: None, ecn: 0, truncated: false }
    }
}

/// The mark of a message that is sent: two bits, and whether the IP header that they go into is that of IPv6.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mark {
    pub(crate) ecn: u8,
    pub(crate) ipv6: bool,
}

/// A timeout as `poll(2)` takes it: rounded up, so that a deadline has passed when the wait is over; -1 for none.
pub(crate) fn milliseconds(timeout: Option<u64>) -> i32 {
    timeout.map_or(-1, |timeout| i32::try_from(timeout.div_ceil(1_000_000)).unwrap_or(i32::MAX))
}
