//! What keeps the two ends of something piped alike: paused, resumed and closed together. Must not know how they were made.

use crate::consumer::Consumer;
use crate::data::{DataConsumer, DataProducer, WeakDataProducer};
use crate::listeners::lock;
use crate::producer::{Producer, WeakProducer};
use std::sync::{Arc, Mutex};

/// A producer at the far end of a pipe.
pub(super) trait FarEnd: Clone + Send + Sync + 'static {
    /// A handle that does not keep it open.
    type Weak: Send + Sync + 'static;
    fn downgrade(&self) -> Self::Weak;
    fn upgrade(weak: &Self::Weak) -> Option<Self>;
    fn closed(&self) -> bool;
    fn close(&self);
    /// Pauses or resumes it; the request goes out in the moment of the call.
    fn turn(&self, paused: bool);
    fn on_close(&self, listener: impl Fn() + Send + Sync + 'static);
}

/// A consumer at the near end of a pipe.
pub(super) trait NearEnd: Clone + Send + Sync + 'static {
    fn closed(&self) -> bool;
    fn close(&self);
    /// Whether messages or media are stopped, by itself or by what it consumes.
    fn stopped(&self) -> bool;
    fn on_close(&self, listener: impl Fn() + Send + Sync + 'static);
    fn on_turn(&self, listener: impl Fn(bool) + Clone + Send + Sync + 'static);
}

/// What listeners of the near end hold of the far one.
pub(super) struct Mirror<F: FarEnd> {
    far: F::Weak,
    /// Keeps it open for as long as the near end is, unless somebody else took that over.
    kept: Mutex<Option<F>>,
    /// Whether a pause or its end was told since the two were joined.
    told: Mutex<bool>,
}

impl<F: FarEnd> Mirror<F> {
    /// From now on the two ends close and pause together. The near end is kept open by the far one, and that by the near one.
    pub(super) fn join<N: NearEnd>(near: &N, far: &F, was_paused: bool) -> Arc<Self> {
        let kept = Mutex::new(Some(far.clone()));
        let mirror = Arc::new(Self { far: far.downgrade(), kept, told: Mutex::new(false) });
        let in_listener = Arc::clone(&mirror);
        near.on_turn(move |paused| in_listener.turn(paused));
        let in_listener = Arc::clone(&mirror);
        near.on_close(move || in_listener.close());
        let in_listener = near.clone();
        far.on_close(move || in_listener.close());
        mirror.catch_up(near, far, was_paused);
        mirror
    }

    /// What happened while the far end was being made, nobody was told of.
    fn catch_up<N: NearEnd>(&self, near: &N, far: &F, was_paused: bool) {
        let told = lock(&self.told);
        if !*told && near.stopped() != was_paused {
            far.turn(near.stopped());
        }
        drop(told);
        if near.closed() {
            far.close();
        }
        if far.closed() {
            near.close();
        }
    }

    fn turn(&self, paused: bool) {
        let mut told = lock(&self.told);
        *told = true;
        if let Some(far) = F::upgrade(&self.far) {
            far.turn(paused);
        }
    }

    fn close(&self) {
        if let Some(far) = F::upgrade(&self.far) {
            far.close();
        }
        self.let_go();
    }

    /// Keeps the far end open no more.
    pub(super) fn let_go(&self) {
        let kept = lock(&self.kept).take();
        // Outside of the lock: the last handle closes it.
        drop(kept);
    }
}

macro_rules! ends {
    ($($consumer:ident => $producer:ident, $weak:ident, $producer_paused:ident;)*) => {$(
        impl FarEnd for $producer {
            type Weak = $weak;

            fn downgrade(&self) -> $weak {
                $producer::downgrade(self)
            }

            fn upgrade(weak: &$weak) -> Option<Self> {
                weak.upgrade()
            }

            fn closed(&self) -> bool {
                $producer::closed(self)
            }

            fn close(&self) {
                $producer::close(self);
            }

            fn turn(&self, paused: bool) {
                self.turn_at_once(paused);
            }

            fn on_close(&self, listener: impl Fn() + Send + Sync + 'static) {
                self.observer().on_close(listener).detach();
            }
        }

        impl NearEnd for $consumer {
            fn closed(&self) -> bool {
                $consumer::closed(self)
            }

            fn close(&self) {
                $consumer::close(self);
            }

            fn stopped(&self) -> bool {
                self.paused() || self.$producer_paused()
            }

            fn on_close(&self, listener: impl Fn() + Send + Sync + 'static) {
                self.observer().on_close(listener).detach();
            }

            fn on_turn(&self, listener: impl Fn(bool) + Clone + Send + Sync + 'static) {
                let on_resume = listener.clone();
                self.observer().on_pause(move || listener(true)).detach();
                self.observer().on_resume(move || on_resume(false)).detach();
            }
        }
    )*};
}

ends! {
    Consumer => Producer, WeakProducer, producer_paused;
    DataConsumer => DataProducer, WeakDataProducer, data_producer_paused;
}
