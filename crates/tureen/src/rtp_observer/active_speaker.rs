//! The active speaker observer: who of several speaks.

use super::{RtpObserver, RtpObserverInner, RtpObserverType, complete, prepare, sealed};
use crate::error::CreateRtpObserverError;
use crate::event::RtpObserverEvent;
use crate::listeners::HandlerId;
use crate::options::ActiveSpeakerObserverOptions;
use crate::producer::Producer;
use crate::router::Router;
use std::sync::{Arc, Weak};
use tureen_media_model as model;
use tureen_media_model::CreateActiveSpeakerObserver;

pub(crate) async fn create_active_speaker_observer(
    router: Router,
    options: ActiveSpeakerObserverOptions,
) -> Result<ActiveSpeakerObserver, CreateRtpObserverError> {
    let ActiveSpeakerObserverOptions { interval, shard, app_data } = options;
    let inner = prepare(router, shard, RtpObserverType::ActiveSpeaker, app_data)?;
    let shared = &inner.shared;
    let options = model::ActiveSpeakerObserverOptions { id: shared.id, interval };
    let answer = shared.link.call(CreateActiveSpeakerObserver { router: shared.router.id, options }).await?;
    complete(&inner, answer)?;
    Ok(ActiveSpeakerObserver::new(inner))
}

/// Tells who speaks: one producer at a time, and when all are silent the one that spoke last.
///
/// Somebody else is told of within a second of taking over; coughs, noise and talking at once do not count (Volfin and Cohen, "Dominant
/// speaker identification for multipoint videoconferencing").
#[derive(Clone)]
pub struct ActiveSpeakerObserver {
    inner: Arc<RtpObserverInner>,
}

/// A handle that does not keep its observer open.
#[derive(Clone)]
pub struct WeakActiveSpeakerObserver {
    inner: Weak<RtpObserverInner>,
}

impl WeakActiveSpeakerObserver {
    /// The observer, unless its last handle is gone.
    pub fn upgrade(&self) -> Option<ActiveSpeakerObserver> {
        self.inner.upgrade().map(ActiveSpeakerObserver::new)
    }
}

impl sealed::Handle for ActiveSpeakerObserver {
    fn inner(&self) -> &Arc<RtpObserverInner> {
        &self.inner
    }
}

impl RtpObserver for ActiveSpeakerObserver {}

impl ActiveSpeakerObserver {
    pub(super) fn new(inner: Arc<RtpObserverInner>) -> Self {
        Self { inner }
    }

    /// A handle that does not keep it open.
    pub fn downgrade(&self) -> WeakActiveSpeakerObserver {
        WeakActiveSpeakerObserver { inner: Arc::downgrade(&self.inner) }
    }

    /// Somebody else speaks now.
    pub fn on_dominant_speaker(&self, listener: impl Fn(Producer) + Send + Sync + 'static) -> HandlerId {
        self.inner.shared.outlet.public.listen(move |event| {
            if let RtpObserverEvent::DominantSpeaker(producer) = event
                && let Some(producer) = producer.upgrade()
            {
                listener(producer);
            }
        })
    }
}

impl std::fmt::Debug for ActiveSpeakerObserver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut debug = f.debug_struct("ActiveSpeakerObserver");
        debug.field("id", &self.id()).field("closed", &self.closed()).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for WeakActiveSpeakerObserver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WeakActiveSpeakerObserver").finish_non_exhaustive()
    }
}
