//! Whether an object is closed: its own flag, or that of anything it hangs on. Must not know what the objects are.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// One object's place in the tree of what closes what.
#[derive(Debug, Default)]
pub(crate) struct Liveness {
    closed: AtomicBool,
    announced: AtomicBool,
    parent: Option<Arc<Self>>,
    source: Option<Arc<Self>>,
}

impl Liveness {
    /// An object that nothing else closes.
    pub(crate) fn root() -> Arc<Self> {
        Arc::default()
    }

    /// An object that closes with `parent`.
    pub(crate) fn under(parent: &Arc<Self>) -> Arc<Self> {
        Arc::new(Self { parent: Some(Arc::clone(parent)), ..Self::default() })
    }

    /// An object that closes with `parent` and with `source`.
    pub(crate) fn under_both(parent: &Arc<Self>, source: &Arc<Self>) -> Arc<Self> {
        Arc::new(Self {
            parent: Some(Arc::clone(parent)),
            source: Some(Arc::clone(source)),
            ..Self::default()
        })
    }

    /// Whether the object, or one that it hangs on, is closed.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed_itself() || self.closed_from_above()
    }

    /// Whether the object was closed by its own `close` or drop.
    pub(crate) fn closed_itself(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    /// Whether anything that the object hangs on is closed.
    pub(crate) fn closed_from_above(&self) -> bool {
        [&self.parent, &self.source].into_iter().flatten().any(|above| above.is_closed())
    }

    /// Closes the object itself; `false` if it is closed, by itself or from above.
    pub(crate) fn close(&self) -> bool {
        !self.closed_from_above() && !self.closed.swap(true, Ordering::SeqCst)
    }

    /// Claims the right to tell listeners of the closing, which one caller gets.
    pub(crate) fn announce(&self) -> bool {
        !self.announced.swap(true, Ordering::SeqCst)
    }

    /// Whether listeners were told.
    pub(crate) fn announced(&self) -> bool {
        self.announced.load(Ordering::SeqCst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_reaches_all_that_hangs_below_and_nothing_above() {
        let transport = Liveness::root();
        let other = Liveness::root();
        let producer = Liveness::under(&transport);
        let consumer = Liveness::under_both(&other, &producer);
        assert!(producer.close());
        assert!(!producer.close(), "only the first call closes");
        assert!(consumer.is_closed() && !consumer.closed_itself());
        assert!(!transport.is_closed() && !other.is_closed());
    }

    #[test]
    fn what_was_closed_from_above_does_not_close_itself_any_more() {
        let transport = Liveness::root();
        let producer = Liveness::under(&transport);
        assert!(transport.close());
        assert!(!producer.close());
        assert!(producer.is_closed() && !producer.closed_itself());
    }

    #[test]
    fn a_closing_is_announced_once() {
        let object = Liveness::root();
        assert!(object.announce());
        assert!(!object.announce());
    }
}
