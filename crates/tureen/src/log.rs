//! Which of a Worker's log lines are written: a level and tags that can be changed while it runs.

use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU16, Ordering};
use tureen_media_model::NoteTopics;

/// How much is logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[repr(u8)]
pub enum LogLevel {
    /// Nothing.
    None = 0,
    /// Errors, whatever their tag. The default.
    #[default]
    Error = 1,
    /// Errors, and warnings of the tags chosen.
    Warn = 2,
    /// Errors, and warnings and details of the tags chosen.
    Debug = 3,
}

macro_rules! tags {
    ($($(#[$doc:meta])* $Tag:ident = $name:literal),* $(,)?) => {
        /// What a log line is about.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "lowercase")]
        #[repr(u8)]
        pub enum LogTag { $($(#[$doc])* $Tag),* }

        impl LogTag {
            /// Every tag.
            pub const ALL: &[Self] = &[$(Self::$Tag),*];

            /// The tag's name; log lines have the target `tureen::` and this name.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$Tag => $name),*
                }
            }
        }
    };
}

tags! {
    /// Objects made and closed, listeners, versions.
    Info = "info",
    /// ICE.
    Ice = "ice",
    /// DTLS.
    Dtls = "dtls",
    /// RTP.
    Rtp = "rtp",
    /// SRTP.
    Srtp = "srtp",
    /// RTCP.
    Rtcp = "rtcp",
    /// Retransmissions.
    Rtx = "rtx",
    /// Bandwidth estimation.
    Bwe = "bwe",
    /// Scores.
    Score = "score",
    /// Simulcast.
    Simulcast = "simulcast",
    /// Scalable video coding.
    Svc = "svc",
    /// SCTP.
    Sctp = "sctp",
    /// Messages of data channels.
    Message = "message",
}

impl LogTag {
    const fn bit(self) -> u16 {
        1 << self as u8
    }

    /// The tag of a log line's target, if it is one of this project's.
    pub fn of_target(target: &str) -> Option<Self> {
        let name = target.strip_prefix("tureen::")?;
        Self::ALL.iter().copied().find(|tag| tag.name() == name)
    }
}

/// A Worker's level and tags; clones share them. They decide about the Worker's own log lines; give
/// [`LogFilter::enabled`] to a subscriber (`tracing_subscriber::filter::filter_fn`) to rule the lines of the shards'
/// threads too.
#[derive(Clone, Debug)]
pub struct LogFilter {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    level: AtomicU8,
    tags: AtomicU16,
}

impl LogFilter {
    /// A filter with this level and these tags.
    pub fn new(level: LogLevel, tags: &[LogTag]) -> Self {
        let filter = Self { shared: Arc::new(Shared { level: AtomicU8::new(0), tags: AtomicU16::new(0) }) };
        filter.set_level(level);
        filter.set_tags(tags);
        filter
    }

    /// Changes the level.
    pub(crate) fn set_level(&self, level: LogLevel) {
        self.shared.level.store(level as u8, Ordering::Relaxed);
    }

    /// Changes the tags.
    pub(crate) fn set_tags(&self, tags: &[LogTag]) {
        let bits = tags.iter().fold(0, |bits, tag| bits | tag.bit());
        self.shared.tags.store(bits, Ordering::Relaxed);
    }

    /// The level now.
    pub fn level(&self) -> LogLevel {
        match self.shared.level.load(Ordering::Relaxed) {
            0 => LogLevel::None,
            1 => LogLevel::Error,
            2 => LogLevel::Warn,
            _ => LogLevel::Debug,
        }
    }

    /// The tags now.
    pub fn tags(&self) -> Vec<LogTag> {
        let bits = self.shared.tags.load(Ordering::Relaxed);
        LogTag::ALL.iter().copied().filter(|tag| bits & tag.bit() != 0).collect()
    }

    /// Whether a line of this level and tag is written. Tags matter for warnings and details only.
    pub fn allows(&self, level: LogLevel, tag: LogTag) -> bool {
        let tagged = level <= LogLevel::Error || self.shared.tags.load(Ordering::Relaxed) & tag.bit() != 0;
        level != LogLevel::None && level <= self.level() && tagged
    }

    /// What shards are asked to tell so that there is something to write.
    pub(crate) fn note_topics(&self) -> NoteTopics {
        NoteTopics {
            srtp: self.allows(LogLevel::Warn, LogTag::Srtp),
            rtx: self.allows(LogLevel::Debug, LogTag::Rtx),
            bwe: self.allows(LogLevel::Debug, LogTag::Bwe),
            message: self.allows(LogLevel::Warn, LogTag::Message),
        }
    }

    /// Whether a span or log line is written, for a subscriber's filter. Lines of other projects are.
    pub fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        if !metadata.target().starts_with("tureen") {
            return true;
        }
        let level = match *metadata.level() {
            tracing::Level::ERROR => LogLevel::Error,
            tracing::Level::WARN => LogLevel::Warn,
            _ => LogLevel::Debug,
        };
        self.allows(level, LogTag::of_target(metadata.target()).unwrap_or(LogTag::Info))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_choose_among_warnings_and_details_and_errors_always_pass() {
        let filter = LogFilter::new(LogLevel::Warn, &[LogTag::Score]);
        assert!(filter.allows(LogLevel::Error, LogTag::Rtp));
        assert!(filter.allows(LogLevel::Warn, LogTag::Score));
        assert!(!filter.allows(LogLevel::Warn, LogTag::Rtp));
        assert!(!filter.allows(LogLevel::Debug, LogTag::Score));
        filter.set_level(LogLevel::None);
        assert!(!filter.allows(LogLevel::Error, LogTag::Rtp));
    }

    #[test]
    fn a_change_is_seen_through_every_clone() {
        let filter = LogFilter::new(LogLevel::default(), &[]);
        let clone = filter.clone();
        clone.set_level(LogLevel::Debug);
        clone.set_tags(&[LogTag::Info, LogTag::Rtx]);
        assert_eq!((filter.level(), filter.tags()), (LogLevel::Debug, vec![LogTag::Info, LogTag::Rtx]));
        assert_eq!(LogTag::of_target("tureen::rtx"), Some(LogTag::Rtx));
        assert_eq!(LogTag::of_target("tureen::nonsense"), None);
    }
}
