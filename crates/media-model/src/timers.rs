//! Deadlines of the Core: one heap, at most one entry for each timer that runs.

use crate::arena::Key;
use crate::consumer::Consumer;
use crate::observers::RtpObserver;
use crate::producer::Producer;
use crate::source::Source;
use crate::transport_state::TransportTag;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use tureen_rtp_wire::Time;

/// What a deadline is for. Also the reason that [`crate::Core::poll_timeout`] gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Timer {
    /// Sender and receiver reports of a transport are due.
    Reports(Key<TransportTag>),
    /// A stream of a producer may have something to ask for (NACK, key frame), or may have gone silent.
    Stream(Key<Producer>, u8),
    /// A transport has something to do of its own: repeat a handshake message, look after consent.
    Transport(Key<TransportTag>),
    /// Feedback about the path of a transport is due: which packets arrived when, or a bitrate.
    Feedback(Key<TransportTag>),
    /// A packet of a transport that waits may leave, or its estimate has something to do.
    Sending(Key<TransportTag>),
    /// The association of a transport has something to do.
    Data(Key<TransportTag>),
    /// A consumer that starts from what came since the last key frame gets the next portion.
    Replay(Key<Consumer>),
    /// What is wanted of a source changed, or is no longer wanted for long enough.
    WantedLayers(Key<Source>),
    /// Levels of audio producers are to be reported to those who listen.
    Levels,
    /// An RTP observer is to judge what it has heard.
    Observer(Key<RtpObserver>),
}

/// When a deadline was reached that nobody waits for any more, its timer finds nothing to do; setting a timer earlier than
/// before therefore just adds an entry, and owners remember what they set.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    heap: BinaryHeap<Reverse<(Time, Timer)>>,
}

impl Timers {
    pub(crate) fn set(&mut self, at: Time, timer: Timer) {
        if at != Time::NEVER {
            self.heap.push(Reverse((at, timer)));
        }
    }

    pub(crate) fn next(&self) -> Option<(Time, Timer)> {
        self.heap.peek().map(|Reverse(entry)| *entry)
    }

    pub(crate) fn pop_due(&mut self, now: Time) -> Option<Timer> {
        match self.heap.peek() {
            Some(Reverse((at, _))) if *at <= now => self.heap.pop().map(|Reverse((_, timer))| timer),
            _ => None,
        }
    }
}

/// A timer that an object runs: sets it only if that moves the deadline forward.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Armed {
    at: Time,
}

impl Default for Armed {
    fn default() -> Self {
        Self { at: Time::NEVER }
    }
}

impl Armed {
    /// Makes sure that `timer` fires at `at` or before.
    pub(crate) fn arm(&mut self, timers: &mut Timers, at: Time, timer: Timer) {
        if at < self.at {
            self.at = at;
            timers.set(at, timer);
        }
    }

    /// Whether a deadline reached at `now` is the one that was armed; if so the timer is free to be armed again.
    pub(crate) fn fired(&mut self, now: Time) -> bool {
        let due = self.at <= now;
        if due {
            self.at = Time::NEVER;
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arena::Arena;

    #[test]
    fn an_armed_timer_has_one_entry_unless_it_moves_forward() {
        let mut arena: Arena<(), Producer> = Arena::default();
        let timer = Timer::Stream(arena.insert(()), 0);
        let (mut timers, mut armed) = (Timers::default(), Armed::default());
        armed.arm(&mut timers, Time::from_millis(20), timer);
        armed.arm(&mut timers, Time::from_millis(30), timer);
        assert_eq!(timers.heap.len(), 1);
        armed.arm(&mut timers, Time::from_millis(10), timer);
        assert_eq!(timers.next(), Some((Time::from_millis(10), timer)));
        assert_eq!(timers.pop_due(Time::from_millis(10)), Some(timer));
        assert!(armed.fired(Time::from_millis(10)));
        assert_eq!(timers.pop_due(Time::from_millis(25)), Some(timer));
        assert!(!armed.fired(Time::from_millis(25)), "the older, later entry finds nothing to do");
    }
}
