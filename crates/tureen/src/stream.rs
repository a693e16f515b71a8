//! Events as a stream: a bounded queue that a slow reader cannot make anybody wait for.

use crate::listeners::{Class, Signal, lock};
use futures_core::Stream;
use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

/// How many events wait before a stream starts to coalesce switches and to drop samples.
pub(crate) const CAPACITY: usize = 256;

/// The events of one object, from the moment that the stream was asked for until the object is closed.
///
/// It never makes the sender wait. Of scores, layers and orientations only the newest waits. Beyond 256 waiting events,
/// of pauses and resumptions only the newest is kept, and traces and packets are dropped; the next item then is
/// `Lagged` with their number. Lifecycle events are always kept. Dropping the stream unsubscribes.
pub struct EventStream<E> {
    queue: Arc<Queue<E>>,
}

/// Where events of a kind go. Behind this the compiler looks no further: whether a handle may go to another thread would else
/// be asked through every event of every object that can be reached from it.
pub(crate) trait Sink<E>: Send + Sync {
    /// Takes an event; never waits.
    fn push(&self, event: &E);
    /// There will be no more.
    fn end(&self);
}

pub(crate) struct Queue<E> {
    state: Mutex<State<E>>,
}

struct State<E> {
    waiting: VecDeque<E>,
    lost: u64,
    ended: bool,
    waker: Option<Waker>,
}

impl<E> Default for Queue<E> {
    fn default() -> Self {
        Self { state: Mutex::new(State { waiting: VecDeque::new(), lost: 0, ended: false, waker: None }) }
    }
}

impl<E: Signal> Sink<E> for Queue<E> {
    fn push(&self, event: &E) {
        let waker = {
            let mut state = lock(&self.state);
            state.push(event);
            state.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn end(&self) {
        let waker = {
            let mut state = lock(&self.state);
            state.ended = true;
            state.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl<E: Signal> State<E> {
    fn push(&mut self, event: &E) {
        let full = self.waiting.len() >= CAPACITY;
        match event.class() {
            Class::Newest(_) => self.replace_or_append(event),
            Class::Switch(_) if full => self.replace_or_append(event),
            Class::Sample if full => self.lost += 1,
            Class::Lifecycle | Class::Switch(_) | Class::Sample => self.waiting.push_back(event.clone()),
        }
    }

    fn replace_or_append(&mut self, event: &E) {
        match self.waiting.iter_mut().rev().find(|waiting| waiting.class() == event.class()) {
            Some(older) => *older = event.clone(),
            None => self.waiting.push_back(event.clone()),
        }
    }

    fn pop(&mut self) -> Option<E> {
        match std::mem::take(&mut self.lost) {
            0 => self.waiting.pop_front(),
            lost => Some(E::lagged(lost)),
        }
    }
}

impl<E> EventStream<E> {
    pub(crate) fn new(queue: Arc<Queue<E>>) -> Self {
        Self { queue }
    }
}

#[allow(private_bounds, reason = "only this crate's own events are streamed")]
impl<E: Signal> EventStream<E> {
    /// The next event if one waits already.
    pub fn try_next(&mut self) -> Option<E> {
        lock(&self.queue.state).pop()
    }

    /// Waits for the next event; `None` once the object is closed and all was read.
    pub async fn next(&mut self) -> Option<E> {
        std::future::poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }
}

impl<E: Signal> Stream for EventStream<E> {
    type Item = E;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<E>> {
        let mut state = lock(&self.queue.state);
        match state.pop() {
            Some(event) => Poll::Ready(Some(event)),
            None if state.ended => Poll::Ready(None),
            None => {
                state.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl<E> std::fmt::Debug for EventStream<E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EventStream").field("waiting", &lock(&self.queue.state).waiting.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Clone, Debug, PartialEq)]
    enum Test {
        Born(usize),
        Score(usize),
        Paused(bool),
        Trace(usize),
        Lagged(u64),
    }

    impl Signal for Test {
        fn name(&self) -> &'static str {
            "test"
        }

        fn class(&self) -> Class {
            match self {
                Self::Born(_) | Self::Lagged(_) => Class::Lifecycle,
                Self::Score(_) => Class::Newest(0),
                Self::Paused(_) => Class::Switch(1),
                Self::Trace(_) => Class::Sample,
            }
        }

        fn lagged(count: u64) -> Self {
            Self::Lagged(count)
        }
    }

    fn drain(stream: &mut EventStream<Test>) -> Vec<Test> {
        std::iter::from_fn(|| stream.try_next()).collect()
    }

    #[test]
    fn the_newest_score_takes_the_place_of_the_one_that_waits() {
        let queue = Arc::new(Queue::default());
        let mut stream = EventStream::new(Arc::clone(&queue));
        for event in [Test::Score(1), Test::Born(1), Test::Score(2), Test::Paused(true), Test::Paused(false)]
        {
            queue.push(&event);
        }
        assert_eq!(
            drain(&mut stream),
            [Test::Score(2), Test::Born(1), Test::Paused(true), Test::Paused(false)],
            "switches are all told while there is room"
        );
    }

    #[test]
    fn a_full_stream_drops_samples_keeps_lifecycle_and_the_newest_switch() {
        let queue = Arc::new(Queue::default());
        let mut stream = EventStream::new(Arc::clone(&queue));
        queue.push(&Test::Paused(true));
        for number in 0..CAPACITY + 10 {
            queue.push(&Test::Trace(number));
        }
        queue.push(&Test::Born(1));
        queue.push(&Test::Paused(false));
        let told = drain(&mut stream);
        assert_eq!(told.first(), Some(&Test::Lagged(11)));
        assert_eq!(told.get(1), Some(&Test::Paused(false)), "in the place of the older one");
        assert_eq!(told.last(), Some(&Test::Born(1)));
        assert_eq!(told.len(), CAPACITY + 2);
        queue.push(&Test::Trace(7));
        assert_eq!(drain(&mut stream), [Test::Trace(7)], "once read it takes samples again");
    }

    #[test]
    fn a_stream_wakes_its_reader_and_ends() {
        let queue = Arc::new(Queue::default());
        let mut stream = EventStream::new(Arc::clone(&queue));
        let writer = std::thread::spawn(move || {
            queue.push(&Test::Born(3));
            queue.end();
        });
        assert_eq!(pollster::block_on(stream.next()), Some(Test::Born(3)));
        assert_eq!(pollster::block_on(stream.next()), None);
        writer.join().expect("the writer does not panic");
    }

    #[derive(Clone, Debug)]
    enum Step {
        Push(Test),
        Pop,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            1 => (0..9_usize).prop_map(|number| Step::Push(Test::Born(number))),
            2 => (0..9_usize).prop_map(|number| Step::Push(Test::Score(number))),
            2 => any::<bool>().prop_map(|paused| Step::Push(Test::Paused(paused))),
            20 => (0..9_usize).prop_map(|number| Step::Push(Test::Trace(number))),
            4 => Just(Step::Pop),
        ];
        prop::collection::vec(step, 0..1000)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn whatever_the_reader_does_lifecycle_is_kept_the_newest_is_told_and_samples_are_counted(steps in steps()) {
            let queue = Arc::new(Queue::default());
            let mut stream = EventStream::new(Arc::clone(&queue));
            let (mut pushed, mut told) = (Vec::new(), Vec::new());
            for step in steps {
                match step {
                    Step::Push(event) => {
                        queue.push(&event);
                        pushed.push(event);
                    }
                    Step::Pop => told.extend(stream.try_next()),
                }
            }
            told.extend(drain(&mut stream));
            let born = |events: &[Test]| -> Vec<Test> {
                events.iter().filter(|event| matches!(event, Test::Born(_))).cloned().collect()
            };
            prop_assert_eq!(born(&told), born(&pushed));
            for is_kind in [|event: &&Test| matches!(event, Test::Score(_)), |event: &&Test| matches!(event, Test::Paused(_))] {
                prop_assert_eq!(told.iter().rfind(is_kind), pushed.iter().rfind(is_kind));
            }
            let samples = |events: &[Test]| -> u64 {
                events.iter().map(|event| match event {
                    Test::Trace(_) => 1,
                    Test::Lagged(count) => *count,
                    _ => 0,
                }).sum()
            };
            prop_assert_eq!(samples(&told), samples(&pushed));
        }
    }
}
