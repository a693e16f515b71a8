//! The packet path: demux, open, ingest, decide, seal, in this order and no other; and RTCP beside it.
//!
//! | stop | where |
//! |---|---|
//! | demux, open | [`receive`] |
//! | ingest | [`ingest`] |
//! | decide, for each consumer | [`fan_out`], [`crate::consumer`] |
//! | seal | [`seal`], after a while in [`pacing`] where the path has no room |
//!
//! What transports say for themselves stands in [`own_traffic`].
//!
//! Feedback sets state on the way and leaves when the batch is over or a timer fires ([`timeouts`], [`path_feedback`]).

mod clocks;
mod discover;
mod fan_out;
mod forms;
mod ingest;
mod key_frames;
mod layers;
mod levels;
mod own_traffic;
pub(crate) mod pacing;
mod parity;
mod path_feedback;
mod promises;
mod receive;
mod relaying;
mod replay;
mod reports_in;
mod reports_out;
mod retransmit;
mod seal;
mod timeouts;
