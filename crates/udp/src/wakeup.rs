//! How many wake-ups become one system call, and none is lost: the protocol between those who wake and the one who waits.
//!
//! Must not know what the flag and the bell are made of, so that `loom` can try every order in which threads may run.

use std::sync::atomic::{AtomicBool, Ordering};

/// Whether a wake-up is under way.
pub(crate) trait Flag {
    /// Sets it; says whether it was set. What the caller did before is visible to whoever lowers it after.
    fn raise(&self) -> bool;
    /// Clears it. What was done before any `raise` that came before is visible to the caller.
    fn lower(&self);
}

impl Flag for AtomicBool {
    fn raise(&self) -> bool {
        self.swap(true, Ordering::AcqRel)
    }

    fn lower(&self) {
        self.swap(false, Ordering::AcqRel);
    }
}

/// What ends a wait, and goes on ending waits until it is silenced.
pub(crate) trait Bell {
    fn ring(&self);
    fn silence(&self);
}

/// Shared by those who wake and the one who waits for the bell.
#[derive(Debug)]
pub(crate) struct Wakeup<F, B> {
    pending: F,
    pub(crate) bell: B,
}

impl<F: Flag, B: Bell> Wakeup<F, B> {
    pub(crate) const fn new(pending: F, bell: B) -> Self {
        Self { pending, bell }
    }

    /// Ends the wait that is under way, or else the next one.
    pub(crate) fn wake(&self) {
        if !self.pending.raise() {
            self.bell.ring();
        }
    }

    /// The bell has ended a wait: whatever was left before a `wake` that rings no more can be seen from now on.
    pub(crate) fn answer(&self) {
        // In this order: a wake-up between the two finds the flag set and does not ring, but this wait is over anyway.
        self.bell.silence();
        self.pending.lower();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use loom::sync::atomic::{AtomicBool as LoomBool, AtomicUsize};
    use loom::sync::{Arc, Condvar, Mutex};
    use loom::thread;

    impl Flag for LoomBool {
        fn raise(&self) -> bool {
            self.swap(true, Ordering::AcqRel)
        }

        fn lower(&self) {
            self.swap(false, Ordering::AcqRel);
        }
    }

    /// A bell that a thread can wait for.
    #[derive(Default)]
    struct Counter {
        rings: Mutex<u32>,
        rung: Condvar,
    }

    impl Bell for Counter {
        fn ring(&self) {
            *self.rings.lock().unwrap() += 1;
            self.rung.notify_one();
        }

        fn silence(&self) {
            *self.rings.lock().unwrap() = 0;
        }
    }

    impl Counter {
        fn wait(&self) {
            let mut rings = self.rings.lock().unwrap();
            while *rings == 0 {
                rings = self.rung.wait(rings).unwrap();
            }
        }
    }

    type Loomed = Wakeup<LoomBool, Counter>;

    // With `lower` before `silence`, one thread that wakes three times ends here in a deadlock, which loom answers by aborting.
    /// Each of so many threads leaves something and wakes so many times; one waits until it has seen the last of all. A wake-up that is lost
    /// leaves it waiting for good, which loom tells.
    fn nothing_is_lost(threads: usize, times: usize, answer: fn(&Loomed)) {
        let mut model = loom::model::Builder::new();
        model.preemption_bound = Some(3);
        model.check(move || {
            let wakeup = Arc::new(Loomed::new(LoomBool::new(false), Counter::default()));
            let wakers: Vec<_> = (0..threads)
                .map(|_| {
                    let (wakeup, left) = (Arc::clone(&wakeup), Arc::new(AtomicUsize::new(0)));
                    let own = Arc::clone(&left);
                    let waker = thread::spawn(move || {
                        for number in 1..=times {
                            own.store(number, Ordering::Relaxed);
                            wakeup.wake();
                        }
                    });
                    (waker, left)
                })
                .collect();
            while !wakers.iter().all(|(_, left)| left.load(Ordering::Relaxed) == times) {
                wakeup.bell.wait();
                answer(&wakeup);
            }
            for (waker, _) in wakers {
                waker.join().unwrap();
            }
        });
    }

    #[test]
    fn no_order_of_threads_loses_a_wake_up() {
        nothing_is_lost(2, 1, Loomed::answer);
        nothing_is_lost(1, 3, Loomed::answer);
    }
}
