//! How others wake a shard: one system call for any number of reasons that gather before it wakes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tureen_udp::Waker;

/// Wakes one shard. Copies ring the same bell.
#[derive(Clone, Debug)]
pub(crate) struct Doorbell {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    rung: AtomicBool,
    waker: Waker,
}

impl Doorbell {
    pub(crate) fn new(waker: Waker) -> Self {
        Self { shared: Arc::new(Shared { rung: AtomicBool::new(false), waker }) }
    }

    /// Call this after the message is in its queue.
    pub(crate) fn ring(&self) {
        if !self.shared.rung.swap(true, Ordering::AcqRel) {
            self.shared.waker.wake();
        }
    }

    /// Whether it rang since the last call. The shard calls this before it looks into its queues, so that a ring for
    /// something it does not see yet wakes it again.
    pub(crate) fn answer(&self) -> bool {
        self.shared.rung.swap(false, Ordering::AcqRel)
    }
}
