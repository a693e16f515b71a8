//! What all viewers report, whatever they are built on.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// From one viewer's first packet of media to the next one's request. A source is asked for a key frame once a second at most, and
/// who comes sooner would wait for that.
pub(crate) const SPACING: Duration = Duration::from_millis(1100);

/// RTP packets of media that some viewers received.
#[derive(Clone, Debug, Default)]
pub(crate) struct Received(Arc<AtomicU64>);

impl Received {
    pub(crate) fn count(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn total(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
