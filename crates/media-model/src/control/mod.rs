//! The control plane's operations on a Core: each takes a request of [`crate::command`] and answers at once.

mod allocating;
pub(crate) mod closing;
mod consume;
mod explaining;
mod observing;
mod pausing;
mod produce;
pub(crate) mod reporting;
mod routers;
mod sources;
mod transports;
mod wanting;

/// The longest MID in bytes: an element in the one-byte form has no more room (RFC 8285 section 4.2).
const MAX_MID_LEN: usize = 16;
