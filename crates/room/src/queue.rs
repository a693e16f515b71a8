//! A bounded queue from listeners to one reader, for any executor. Does not know what it carries.
//!
//! A value whose newest is all that counts takes the place of an older one of the same key. When there is no room left, the
//! queue ends and says so: whoever lags that far has to start anew.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// An item that may make older ones pointless.
pub(crate) trait Supersede {
    /// Whether `self` says all that `older` says.
    fn supersedes(&self, older: &Self) -> bool;
}

pub(crate) struct Queue<T> {
    state: Mutex<State<T>>,
    capacity: usize,
}

struct State<T> {
    waiting: VecDeque<T>,
    end: Option<End>,
    waker: Option<Waker>,
}

/// Why nothing more will come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The writer ended it; what waits is still read.
    Finished,
    /// It was full; what waited is gone.
    Overflow,
}

/// Takes a lock whose data no panic can leave half changed.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<T: Supersede> Queue<T> {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { state: Mutex::new(State { waiting: VecDeque::new(), end: None, waker: None }), capacity }
    }

    /// Never waits. Returns whether the queue has overflowed.
    pub(crate) fn push(&self, item: T) -> bool {
        let mut state = lock(&self.state);
        if let Some(end) = state.end {
            return end == End::Overflow;
        }
        if let Some(at) = state.waiting.iter().rposition(|older| item.supersedes(older)) {
            state.waiting.remove(at);
        }
        let overflow = state.waiting.len() >= self.capacity;
        if overflow {
            state.waiting.clear();
            state.end = Some(End::Overflow);
        } else {
            state.waiting.push_back(item);
        }
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
        overflow
    }

    /// Nothing more comes; what waits is still read.
    pub(crate) fn end(&self) {
        let mut state = lock(&self.state);
        state.end.get_or_insert(End::Finished);
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    pub(crate) fn overflowed(&self) -> bool {
        lock(&self.state).end == Some(End::Overflow)
    }

    /// The next item; `None` once the queue has ended and all was read.
    pub(crate) fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let mut state = lock(&self.state);
        match state.waiting.pop_front() {
            Some(item) => Poll::Ready(Some(item)),
            None if state.end.is_some() => Poll::Ready(None),
            None => {
                state.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    pub(crate) async fn next(&self) -> Option<T> {
        std::future::poll_fn(|cx| self.poll_next(cx)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Clone, Debug, PartialEq)]
    enum Item {
        Fact(u8),
        Value(u8, u8),
    }

    impl Supersede for Item {
        fn supersedes(&self, older: &Self) -> bool {
            matches!((self, older), (Self::Value(key, _), Self::Value(other, _)) if key == other)
        }
    }

    fn read_all(queue: &Queue<Item>) -> Vec<Item> {
        pollster::block_on(async {
            let mut read = Vec::new();
            while let Some(item) = queue.next().await {
                read.push(item);
            }
            read
        })
    }

    #[test]
    fn a_full_queue_ends_and_forgets() {
        let queue = Queue::new(2);
        assert!(!queue.push(Item::Fact(1)) && !queue.push(Item::Fact(2)));
        assert!(queue.push(Item::Fact(3)) && queue.push(Item::Fact(4)));
        assert!(queue.overflowed());
        assert!(read_all(&queue).is_empty());
    }

    proptest! {
        #[test]
        fn facts_keep_their_order_and_of_values_the_newest_counts(
            items in prop::collection::vec(
                prop_oneof![any::<u8>().prop_map(Item::Fact), (0..3u8, any::<u8>()).prop_map(|(k, v)| Item::Value(k, v))],
                0..50,
            )
        ) {
            let queue = Queue::new(100);
            for item in &items {
                prop_assert!(!queue.push(item.clone()));
            }
            queue.end();
            let read = read_all(&queue);
            let facts = |items: &[Item]| -> Vec<Item> {
                items.iter().filter(|item| matches!(item, Item::Fact(_))).cloned().collect()
            };
            prop_assert_eq!(facts(&read), facts(&items));
            for key in 0..3 {
                let is_of = |item: &&Item| matches!(item, Item::Value(other, _) if *other == key);
                prop_assert!(read.iter().filter(is_of).count() <= 1);
                prop_assert_eq!(read.iter().rfind(is_of), items.iter().rfind(is_of));
            }
        }
    }
}
