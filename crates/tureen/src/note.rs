//! Log lines of what shards note beside their events, by tag. Must not know who listens.

use crate::log::{LogLevel, LogTag};
use crate::worker::WorkerShared;
use tureen_media_model::{Note, NoteTopic};

/// What a line about a note is tagged with, and how much it matters.
fn rank(note: &Note) -> (LogLevel, LogTag) {
    let tag = match note.topic() {
        NoteTopic::Srtp => LogTag::Srtp,
        NoteTopic::Rtx => LogTag::Rtx,
        NoteTopic::Bwe => LogTag::Bwe,
        NoteTopic::Message => LogTag::Message,
    };
    let level = match note {
        Note::Refused { .. }
        | Note::MessageLost { .. }
        | Note::MessageLimited { .. }
        | Note::MessageUnclaimed { .. } => LogLevel::Warn,
        _ => LogLevel::Debug,
    };
    (level, tag)
}

/// Logs a note where the Worker's settings ask for it. The target and the level of a line are constants, hence the arms.
pub(crate) fn log(worker: &WorkerShared, note: &Note, left_out: u64) {
    let (level, tag) = rank(note);
    if !worker.log.allows(level, tag) {
        return;
    }
    let worker = worker.id;
    match (tag, level) {
        (LogTag::Srtp, _) => tracing::warn!(target: "tureen::srtp", %worker, ?note, left_out),
        (LogTag::Rtx, _) => tracing::debug!(target: "tureen::rtx", %worker, ?note, left_out),
        (LogTag::Bwe, _) => tracing::debug!(target: "tureen::bwe", %worker, ?note, left_out),
        (_, LogLevel::Warn) => tracing::warn!(target: "tureen::message", %worker, ?note, left_out),
        _ => tracing::debug!(target: "tureen::message", %worker, ?note, left_out),
    }
}
