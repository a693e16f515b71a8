//! The one registry of listeners: callbacks and streams of one kind of event. Must not know which object they belong to.
//!
//! Callbacks run on the dispatcher's thread, one after the other, in the order of their registration; a panic in one of
//! them is caught and handed back to be reported. No lock is held while they run.

use crate::stream::{EventStream, Queue, Sink};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// How a stream that is not read treats an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Kept whatever happens; the number of objects bounds how many there are.
    Lifecycle,
    /// The newest of its slot takes the place of an older one that still waits.
    Newest(u8),
    /// Kept while there is room; then like [`Class::Newest`].
    Switch(u8),
    /// Kept while there is room; then dropped and counted.
    Sample,
}

/// An event that listeners can be told of.
pub trait Signal: Clone + Send + Sync + 'static {
    /// Its name, as reports of listener panics spell it.
    fn name(&self) -> &'static str;
    /// What becomes of it in a stream that is not read.
    fn class(&self) -> Class;
    /// The event that says how many were dropped.
    fn lagged(count: u64) -> Self;
}

/// A listener that panicked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerError {
    /// The event that it was told of.
    pub event: &'static str,
    /// What it panicked with, if that was text.
    pub message: String,
}

/// Keeps a listener registered: dropping it removes the listener.
#[must_use = "dropping it removes the listener; `detach` keeps the listener for good"]
pub struct HandlerId {
    registration: Option<(Weak<dyn Remove>, u64)>,
}

impl HandlerId {
    /// Keeps the listener for as long as the object is open.
    pub fn detach(mut self) {
        self.registration = None;
    }
}

impl Drop for HandlerId {
    fn drop(&mut self) {
        if let Some((registry, id)) = self.registration.take()
            && let Some(registry) = registry.upgrade()
        {
            registry.remove(id);
        }
    }
}

impl std::fmt::Debug for HandlerId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HandlerId").field("id", &self.registration.as_ref().map(|(_, id)| id)).finish()
    }
}

trait Remove: Send + Sync {
    fn remove(&self, id: u64);
}

/// The listeners of one moment: what happened before somebody listened is none of their business, even where it is told
/// after.
#[derive(Clone, Copy, Debug)]
pub struct Audience(u64);

type Callback<E> = Arc<dyn Fn(&E) + Send + Sync>;
type Callbacks<E> = Arc<[(u64, Callback<E>)]>;
type Streams<E> = Vec<(u64, Weak<dyn Sink<E>>)>;

/// The listeners of one kind of event of one object.
pub struct Emitter<E: Signal> {
    registry: Arc<Registry<E>>,
}

struct Registry<E: Signal> {
    next_id: AtomicU64,
    ended: AtomicBool,
    // Replaced, not changed, when listeners come and go: emitting shares it without copying.
    callbacks: Mutex<Callbacks<E>>,
    streams: Mutex<Streams<E>>,
}

/// Takes a lock whose data no panic can leave half changed.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<E: Signal> std::fmt::Debug for Emitter<E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Emitter").field("ended", &self.registry.ended.load(Ordering::SeqCst)).finish()
    }
}

impl<E: Signal> Clone for Emitter<E> {
    fn clone(&self) -> Self {
        Self { registry: Arc::clone(&self.registry) }
    }
}

impl<E: Signal> Default for Emitter<E> {
    fn default() -> Self {
        Self {
            registry: Arc::new(Registry {
                next_id: AtomicU64::new(0),
                ended: AtomicBool::new(false),
                callbacks: Mutex::new(Arc::from([])),
                streams: Mutex::default(),
            }),
        }
    }
}

impl<E: Signal> Emitter<E> {
    /// Registers a callback.
    pub fn listen(&self, callback: impl Fn(&E) + Send + Sync + 'static) -> HandlerId {
        let id = self.registry.next_id.fetch_add(1, Ordering::SeqCst);
        let mut callbacks = lock(&self.registry.callbacks);
        if self.registry.ended.load(Ordering::SeqCst) {
            return HandlerId { registration: None };
        }
        let added: Callback<E> = Arc::new(callback);
        *callbacks = callbacks.iter().cloned().chain([(id, added)]).collect();
        let registry: Arc<dyn Remove> = Arc::clone(&self.registry) as _;
        HandlerId { registration: Some((Arc::downgrade(&registry), id)) }
    }

    /// Opens a stream of what is emitted from now on.
    pub fn stream(&self) -> EventStream<E> {
        let queue = Arc::new(Queue::default());
        let id = self.registry.next_id.fetch_add(1, Ordering::SeqCst);
        let mut streams = lock(&self.registry.streams);
        if self.registry.ended.load(Ordering::SeqCst) {
            queue.end();
        } else {
            let sink: Arc<dyn Sink<E>> = Arc::clone(&queue) as _;
            streams.push((id, Arc::downgrade(&sink)));
        }
        EventStream::new(queue)
    }

    /// Tells every listener; what is returned are the panics of callbacks.
    pub fn emit(&self, event: &E) -> Vec<ListenerError> {
        self.emit_to(Audience(u64::MAX), event)
    }

    /// Those who listen now.
    pub fn audience(&self) -> Audience {
        Audience(self.registry.next_id.load(Ordering::SeqCst))
    }

    /// Tells those listeners of an audience that are still there.
    pub fn emit_to(&self, audience: Audience, event: &E) -> Vec<ListenerError> {
        lock(&self.registry.streams).retain(|(id, stream)| match stream.upgrade() {
            Some(queue) => {
                if *id < audience.0 {
                    queue.push(event);
                }
                true
            }
            None => false,
        });
        let callbacks = Arc::clone(&lock(&self.registry.callbacks));
        let addressed = callbacks.iter().filter(|(id, _)| *id < audience.0);
        let panics = addressed.filter_map(|(_, callback)| {
            catch_unwind(AssertUnwindSafe(|| callback(event))).err().map(|payload| ListenerError {
                event: event.name(),
                message: panic_message(payload.as_ref()),
            })
        });
        panics.collect()
    }

    /// Ends the streams and lets go of the callbacks, and with them of whatever they captured.
    pub fn end(&self) {
        self.registry.ended.store(true, Ordering::SeqCst);
        let callbacks = std::mem::replace(&mut *lock(&self.registry.callbacks), Arc::from([]));
        let streams = std::mem::take(&mut *lock(&self.registry.streams));
        streams.iter().filter_map(|(_, stream)| stream.upgrade()).for_each(|queue| queue.end());
        // What a callback captured may panic when it is dropped.
        drop(catch_unwind(AssertUnwindSafe(|| drop(callbacks))));
    }
}

impl<E: Signal> Remove for Registry<E> {
    fn remove(&self, id: u64) {
        let kept: Callbacks<E>;
        let replaced = {
            let mut callbacks = lock(&self.callbacks);
            kept = callbacks.iter().filter(|(other, _)| *other != id).cloned().collect();
            std::mem::replace(&mut *callbacks, kept)
        };
        // Outside of the lock: what the callback captured may hold a `HandlerId` of this registry.
        drop(replaced);
    }
}

impl<E: Signal> Drop for Registry<E> {
    fn drop(&mut self) {
        let streams = self.streams.get_mut().unwrap_or_else(PoisonError::into_inner);
        streams.iter().filter_map(|(_, stream)| stream.upgrade()).for_each(|queue| queue.end());
    }
}

fn panic_message(payload: &(dyn Any + Send)) -> String {
    if let Some(text) = payload.downcast_ref::<&str>() {
        (*text).to_owned()
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text.clone()
    } else {
        "the listener panicked with something that is not text".to_owned()
    }
}

/// An object's two emitters: for what happens to it, and for the observer of everything.
pub(crate) struct Outlet<P: Signal, O: Signal> {
    pub(crate) public: Emitter<P>,
    pub(crate) observer: Emitter<O>,
}

impl<P: Signal, O: Signal> Default for Outlet<P, O> {
    fn default() -> Self {
        Self { public: Emitter::default(), observer: Emitter::default() }
    }
}

impl<P: Signal + From<ListenerError>, O: Signal> Outlet<P, O> {
    /// Emits a public event.
    pub(crate) fn tell(&self, event: &P) {
        self.report(self.public.emit(event));
    }

    /// Emits an observer event.
    pub(crate) fn observe(&self, event: &O) {
        self.report(self.observer.emit(event));
    }

    /// Emits an observer event to those who listened when it happened.
    pub(crate) fn observe_by(&self, audience: Audience, event: &O) {
        self.report(self.observer.emit_to(audience, event));
    }

    /// No more events will come.
    pub(crate) fn end(&self) {
        self.public.end();
        self.observer.end();
    }

    fn report(&self, panics: Vec<ListenerError>) {
        for panic in panics {
            tracing::error!(target: "tureen::info", event = panic.event, message = panic.message, "a listener panicked");
            // A panic in a listener for listener errors is not reported in turn.
            self.public.emit(&panic.into());
        }
    }
}

/// Writes `on_…` methods over an [`Emitter`]: one for each variant named.
#[doc(hidden)]
#[macro_export]
macro_rules! on_events {
    ($Event:ident, |$this:ident| $emitter:expr; $($(#[$doc:meta])* $name:ident => $Variant:ident $(($payload:ty))?;)*) => {
        $($crate::on_event! { $Event, $this, $emitter, [$(#[$doc])*], $name, $Variant $(, $payload)? })*
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! on_event {
    ($Event:ident, $this:ident, $emitter:expr, [$($doc:tt)*], $name:ident, $Variant:ident) => {
        $($doc)*
        pub fn $name(&self, listener: impl Fn() + Send + Sync + 'static) -> $crate::HandlerId {
            let $this = self;
            $emitter.listen(move |event| {
                if let $Event::$Variant = event {
                    listener();
                }
            })
        }
    };
    ($Event:ident, $this:ident, $emitter:expr, [$($doc:tt)*], $name:ident, $Variant:ident, $payload:ty) => {
        $($doc)*
        pub fn $name(&self, listener: impl Fn(&$payload) + Send + Sync + 'static) -> $crate::HandlerId {
            let $this = self;
            $emitter.listen(move |event| {
                if let $Event::$Variant(payload) = event {
                    listener(payload);
                }
            })
        }
    };
}

pub(crate) use on_events;

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;

    #[derive(Clone, Debug, PartialEq)]
    struct Number(u64);

    impl Signal for Number {
        fn name(&self) -> &'static str {
            "number"
        }

        fn class(&self) -> Class {
            Class::Sample
        }

        fn lagged(count: u64) -> Self {
            Self(count)
        }
    }

    #[test]
    fn listeners_hear_until_their_handler_id_goes() {
        let emitter = Emitter::default();
        let heard = Arc::new(AtomicUsize::new(0));
        let count = || {
            let heard = Arc::clone(&heard);
            move |_: &Number| {
                heard.fetch_add(1, Ordering::SeqCst);
            }
        };
        let first = emitter.listen(count());
        emitter.listen(count()).detach();
        assert!(emitter.emit(&Number(1)).is_empty());
        drop(first);
        assert!(emitter.emit(&Number(2)).is_empty());
        assert_eq!(heard.load(Ordering::SeqCst), 3);
    }

    #[test]
    fn a_panicking_listener_is_reported_and_the_others_still_hear() {
        let emitter = Emitter::default();
        let heard = Arc::new(AtomicUsize::new(0));
        let in_listener = Arc::clone(&heard);
        emitter.listen(|_: &Number| panic!("oh no")).detach();
        emitter
            .listen(move |_| {
                in_listener.fetch_add(1, Ordering::SeqCst);
            })
            .detach();
        let panics = emitter.emit(&Number(1));
        assert_eq!(panics, [ListenerError { event: "number", message: "oh no".to_owned() }]);
        assert_eq!(heard.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn ending_lets_go_of_what_the_listeners_captured() {
        let emitter = Emitter::<Number>::default();
        let captured = Arc::new(());
        let in_listener = Arc::clone(&captured);
        emitter.listen(move |_| drop(Arc::clone(&in_listener))).detach();
        emitter.end();
        assert_eq!(Arc::strong_count(&captured), 1);
        let late = Arc::clone(&captured);
        emitter.listen(move |_| drop(Arc::clone(&late))).detach();
        assert_eq!(Arc::strong_count(&captured), 1, "an ended emitter keeps no listener");
    }
}
