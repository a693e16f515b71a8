//! What the load generators share: children and their figures, cores, the server's HTTP API, and a stream to send.
//!
//! Must not know what is measured.
#![allow(clippy::print_stderr, reason = "a command-line program talks to its terminal")]

pub mod api;
pub mod child;
pub mod cores;
pub mod error;
pub mod stream;
