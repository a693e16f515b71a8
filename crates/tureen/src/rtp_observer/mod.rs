//! What all RTP observers have in common: the trait of their handles, and what the handles share.

mod active_speaker;
mod audio_level;
mod last_n;

pub(crate) use active_speaker::create_active_speaker_observer;
pub use active_speaker::{ActiveSpeakerObserver, WeakActiveSpeakerObserver};
pub(crate) use audio_level::create_audio_level_observer;
pub use audio_level::{AudioLevelObserver, WeakAudioLevelObserver};
pub(crate) use last_n::create_last_n_audio;
pub use last_n::{LastNAudio, WeakLastNAudio};

use crate::app_data::AppData;
use crate::dispatch::{Created, Task};
use crate::error::{AddProducerError, CreateRtpObserverError, RemoveProducerError, RequestError};
use crate::event::{AudioLevelVolume, RtpObserverEvent, RtpObserverObserverEvent};
use crate::index::Living;
use crate::link::Link;
use crate::listeners::{Emitter, HandlerId, ListenerError, Outlet, on_events};
use crate::liveness::Liveness;
use crate::producer::{Producer, WeakProducer};
use crate::router::{Router, RouterShared};
use crate::stream::EventStream;
use crate::switch::Switch;
use serde::{Deserialize, Serialize};
use std::sync::{Arc, Weak};
use tureen_media_model as model;
use tureen_media_model::{
    CloseCause, CloseRtpObserver, DumpRtpObserver, ObserveProducer, PauseRtpObserver, ProducerId,
    ResumeRtpObserver, RtpObserverDump, RtpObserverId, UnobserveProducer,
};
use tureen_rtp_dictionaries::MediaKind;
use uuid::Uuid;

/// The kinds of RTP observers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum RtpObserverType {
    /// [`ActiveSpeakerObserver`].
    ActiveSpeaker,
    /// [`AudioLevelObserver`].
    AudioLevel,
    /// [`LastNAudio`].
    LastN,
}

/// What all handles to one observer share.
pub(crate) struct RtpObserverShared {
    pub(crate) id: RtpObserverId,
    pub(crate) liveness: Arc<Liveness>,
    pub(crate) router: Arc<RouterShared>,
    pub(crate) link: Link,
    serial: u64,
    kind: RtpObserverType,
    outlet: Outlet<RtpObserverEvent, RtpObserverObserverEvent>,
    paused: Switch,
    app_data: AppData,
}

impl Living for RtpObserverShared {
    fn liveness(&self) -> &Arc<Liveness> {
        &self.liveness
    }
}

impl RtpObserverShared {
    fn close(self: &Arc<Self>) {
        if self.liveness.close() {
            self.link.close(CloseRtpObserver { id: self.id });
            self.link.worker.task(Task::RtpObserverClosed(Arc::clone(self)));
        }
    }

    /// It was never made: nobody is told, and nothing is left of it.
    fn abandon(&self) {
        self.liveness.close();
        if self.liveness.announce() {
            self.forget();
        }
    }

    /// Tells listeners why it closed.
    pub(crate) fn announce_closing(&self, cause: CloseCause) {
        if cause == CloseCause::RouterClosed {
            self.outlet.tell(&RtpObserverEvent::RouterClose);
        }
        self.outlet.observe(&RtpObserverObserverEvent::Close);
        self.outlet.end();
        self.forget();
    }

    fn forget(&self) {
        self.router.rtp_observers.remove(self.serial);
        self.link.worker.index.rtp_observers.remove(&self.id, self);
    }

    fn producer(&self, id: &ProducerId) -> Option<WeakProducer> {
        self.router.producer(id)?.weak()
    }

    /// Producers that closed meanwhile are left out.
    pub(crate) fn handle_event(&self, event: model::RtpObserverEvent) {
        use RtpObserverObserverEvent as Observed;
        let outlet = &self.outlet;
        match event {
            model::RtpObserverEvent::Paused => outlet.observe(&Observed::Pause),
            model::RtpObserverEvent::Resumed => outlet.observe(&Observed::Resume),
            model::RtpObserverEvent::ProducerAdded(id) => {
                if let Some(producer) = self.producer(&id) {
                    outlet.observe(&Observed::AddProducer(producer));
                }
            }
            model::RtpObserverEvent::ProducerRemoved(id) => outlet.observe(&Observed::RemoveProducer(id)),
            model::RtpObserverEvent::Volumes(volumes) => {
                let volumes = volumes.iter().filter_map(|heard| {
                    Some(AudioLevelVolume {
                        producer: self.producer(&heard.producer_id)?,
                        volume: heard.volume,
                    })
                });
                let volumes: Vec<_> = volumes.collect();
                if !volumes.is_empty() {
                    outlet.tell(&RtpObserverEvent::Volumes(volumes.clone()));
                    outlet.observe(&Observed::Volumes(volumes));
                }
            }
            model::RtpObserverEvent::Silence => {
                outlet.tell(&RtpObserverEvent::Silence);
                outlet.observe(&Observed::Silence);
            }
            model::RtpObserverEvent::DominantSpeaker(id) => {
                if let Some(producer) = self.producer(&id) {
                    outlet.tell(&RtpObserverEvent::DominantSpeaker(producer.clone()));
                    outlet.observe(&Observed::DominantSpeaker(producer));
                }
            }
            _ => {}
        }
    }

    async fn add_producer(&self, id: ProducerId) -> Result<(), AddProducerError> {
        if self.liveness.is_closed() {
            return Err(RequestError::Closed.into());
        }
        let producer = self.router.producer(&id).ok_or(AddProducerError::ProducerNotFound(id))?;
        if producer.kind != MediaKind::Audio {
            return Err(AddProducerError::Kind(id));
        }
        let home = producer.transport.link.shard_id();
        Ok(self.link.call(ObserveProducer { observer: self.id, producer: id, home }).await??)
    }

    async fn remove_producer(&self, id: ProducerId) -> Result<(), RemoveProducerError> {
        if self.liveness.is_closed() {
            return Err(RequestError::Closed.into());
        }
        Ok(self.link.call(UnobserveProducer { observer: self.id, producer: id }).await??)
    }

    async fn pause(&self) -> Result<(), RequestError> {
        let request = PauseRtpObserver { id: self.id };
        self.paused.turn(true, || self.link.ask(&self.liveness, request)).await
    }

    async fn resume(&self) -> Result<(), RequestError> {
        let request = ResumeRtpObserver { id: self.id };
        self.paused.turn(false, || self.link.ask(&self.liveness, request)).await
    }
}

/// What the handles of one observer own: the observer stays open until it goes.
pub struct RtpObserverInner {
    shared: Arc<RtpObserverShared>,
    router: Router,
}

impl Drop for RtpObserverInner {
    fn drop(&mut self) {
        self.shared.close();
    }
}

impl RtpObserverInner {
    fn any(self: &Arc<Self>) -> AnyRtpObserver {
        match self.shared.kind {
            RtpObserverType::ActiveSpeaker => {
                AnyRtpObserver::ActiveSpeaker(ActiveSpeakerObserver::new(Arc::clone(self)))
            }
            RtpObserverType::AudioLevel => {
                AnyRtpObserver::AudioLevel(AudioLevelObserver::new(Arc::clone(self)))
            }
            RtpObserverType::LastN => AnyRtpObserver::LastN(LastNAudio::new(Arc::clone(self))),
        }
    }
}

/// An observer's place, before its shard knows of it. Dropping what is returned closes what was made so far.
fn prepare(
    router: Router,
    shard: Option<u8>,
    kind: RtpObserverType,
    app_data: AppData,
) -> Result<Arc<RtpObserverInner>, CreateRtpObserverError> {
    let parent = Arc::clone(router.shared());
    if parent.liveness.is_closed() {
        return Err(RequestError::Closed.into());
    }
    let worker = &parent.worker;
    let link = worker.link(shard).ok_or(CreateRtpObserverError::ShardNotFound(shard.unwrap_or_default()))?;
    let shared = Arc::new(RtpObserverShared {
        id: RtpObserverId(Uuid::new_v4().as_u128()),
        liveness: Liveness::under(&parent.liveness),
        serial: worker.serial(),
        kind,
        outlet: Outlet::default(),
        paused: Switch::new(false),
        app_data,
        link,
        router: Arc::clone(&parent),
    });
    worker.index.rtp_observers.insert(shared.id, &shared);
    parent.rtp_observers.insert(shared.serial, Arc::clone(&shared));
    // Whoever closes the Router from here on finds the observer; whoever did before did not.
    if shared.liveness.is_closed() {
        shared.abandon();
        return Err(RequestError::Closed.into());
    }
    Ok(Arc::new(RtpObserverInner { shared, router }))
}

/// Ends the making of an observer with its shard's answer.
fn complete(
    inner: &Arc<RtpObserverInner>,
    answer: Result<(), model::CreateRtpObserverError>,
) -> Result<(), CreateRtpObserverError> {
    if let Err(error) = answer {
        inner.shared.abandon();
        return Err(error.into());
    }
    if inner.shared.liveness.is_closed() {
        return Err(RequestError::Closed.into());
    }
    let router = Arc::clone(&inner.shared.router);
    let created = Created::RtpObserver(Arc::clone(&router), inner.any().downgrade());
    router.worker.task(created.task());
    Ok(())
}

mod sealed {
    use super::RtpObserverInner;
    use std::sync::Arc;

    pub trait Handle {
        fn inner(&self) -> &Arc<RtpObserverInner>;
    }
}

/// What every RTP observer can do: [`AudioLevelObserver`], [`ActiveSpeakerObserver`], [`LastNAudio`], and [`AnyRtpObserver`] for any of
/// them.
///
/// It listens to the audio producers that it was given, whichever shards they live on, by the level that their endpoints write into each
/// packet (RFC 6464); packets without one do not count. Clones are handles to the same observer; it closes with [`RtpObserver::close`] or
/// when the last handle goes.
pub trait RtpObserver: sealed::Handle {
    /// Its id.
    fn id(&self) -> RtpObserverId {
        self.inner().shared.id
    }

    /// Its kind.
    fn observer_type(&self) -> RtpObserverType {
        self.inner().shared.kind
    }

    /// The Router that it is on.
    fn router(&self) -> &Router {
        &self.inner().router
    }

    /// Whether it, or its Router, is closed.
    fn closed(&self) -> bool {
        self.inner().shared.liveness.is_closed()
    }

    /// Whether it is paused.
    fn paused(&self) -> bool {
        self.inner().shared.paused.is_on()
    }

    /// The program's own data.
    fn app_data(&self) -> &AppData {
        &self.inner().shared.app_data
    }

    /// Closes it at once; does nothing if it is closed.
    fn close(&self) {
        self.inner().shared.close();
    }

    /// Stops listening; does nothing if it is paused.
    ///
    /// # Errors
    /// [`RequestError`].
    fn pause(&self) -> impl Future<Output = Result<(), RequestError>> + Send + use<Self> {
        let shared = Arc::clone(&self.inner().shared);
        async move { shared.pause().await }
    }

    /// Listens again; does nothing if it is not paused.
    ///
    /// # Errors
    /// [`RequestError`].
    fn resume(&self) -> impl Future<Output = Result<(), RequestError>> + Send + use<Self> {
        let shared = Arc::clone(&self.inner().shared);
        async move { shared.resume().await }
    }

    /// Listens to a producer too, until that closes.
    ///
    /// # Errors
    /// [`AddProducerError`]: the Router has no such producer, it is of video, or was added before.
    fn add_producer(
        &self,
        producer_id: ProducerId,
    ) -> impl Future<Output = Result<(), AddProducerError>> + Send + use<Self> {
        let shared = Arc::clone(&self.inner().shared);
        async move { shared.add_producer(producer_id).await }
    }

    /// Listens to a producer no more.
    ///
    /// # Errors
    /// [`RemoveProducerError`]: it was not added, or has closed.
    fn remove_producer(
        &self,
        producer_id: ProducerId,
    ) -> impl Future<Output = Result<(), RemoveProducerError>> + Send + use<Self> {
        let shared = Arc::clone(&self.inner().shared);
        async move { shared.remove_producer(producer_id).await }
    }

    /// Its internals.
    ///
    /// # Errors
    /// [`RequestError`].
    fn dump(&self) -> impl Future<Output = Result<RtpObserverDump, RequestError>> + Send + use<Self> {
        let shared = &self.inner().shared;
        shared.link.ask(&shared.liveness, DumpRtpObserver { id: shared.id })
    }

    /// Its news as a stream.
    fn events(&self) -> EventStream<RtpObserverEvent> {
        self.inner().shared.outlet.public.stream()
    }

    /// Everything that happens to it, whoever caused it.
    fn observer(&self) -> RtpObserverObserver {
        RtpObserverObserver { emitter: self.inner().shared.outlet.observer.clone() }
    }

    /// Its Router closed, and it with it.
    fn on_router_close(&self, listener: impl Fn() + Send + Sync + 'static) -> HandlerId {
        self.inner().shared.outlet.public.listen(move |event| {
            if let RtpObserverEvent::RouterClose = event {
                listener();
            }
        })
    }

    /// A listener of it or its observer panicked.
    fn on_listener_error(&self, listener: impl Fn(&ListenerError) + Send + Sync + 'static) -> HandlerId {
        self.inner().shared.outlet.public.listen(move |event| {
            if let RtpObserverEvent::ListenerError(error) = event {
                listener(error);
            }
        })
    }
}

/// An RTP observer of any kind.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum AnyRtpObserver {
    /// An active speaker observer.
    ActiveSpeaker(ActiveSpeakerObserver),
    /// An audio level observer.
    AudioLevel(AudioLevelObserver),
    /// Last-N audio.
    LastN(LastNAudio),
}

impl sealed::Handle for AnyRtpObserver {
    fn inner(&self) -> &Arc<RtpObserverInner> {
        match self {
            Self::ActiveSpeaker(observer) => observer.inner(),
            Self::AudioLevel(observer) => observer.inner(),
            Self::LastN(last_n) => last_n.inner(),
        }
    }
}

impl RtpObserver for AnyRtpObserver {}

impl AnyRtpObserver {
    /// A handle that does not keep it open.
    pub fn downgrade(&self) -> WeakRtpObserver {
        WeakRtpObserver { inner: Arc::downgrade(sealed::Handle::inner(self)), id: self.id() }
    }
}

impl From<ActiveSpeakerObserver> for AnyRtpObserver {
    fn from(observer: ActiveSpeakerObserver) -> Self {
        Self::ActiveSpeaker(observer)
    }
}

impl From<AudioLevelObserver> for AnyRtpObserver {
    fn from(observer: AudioLevelObserver) -> Self {
        Self::AudioLevel(observer)
    }
}

impl From<LastNAudio> for AnyRtpObserver {
    fn from(last_n: LastNAudio) -> Self {
        Self::LastN(last_n)
    }
}

/// A handle that does not keep its observer open.
#[derive(Clone)]
pub struct WeakRtpObserver {
    inner: Weak<RtpObserverInner>,
    id: RtpObserverId,
}

impl WeakRtpObserver {
    /// The observer, unless its last handle is gone.
    pub fn upgrade(&self) -> Option<AnyRtpObserver> {
        self.inner.upgrade().map(|inner| inner.any())
    }

    /// Its id.
    pub fn id(&self) -> RtpObserverId {
        self.id
    }
}

impl std::fmt::Debug for WeakRtpObserver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WeakRtpObserver").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Everything that happens to an RTP observer. It does not keep the observer open.
#[derive(Clone)]
pub struct RtpObserverObserver {
    emitter: Emitter<RtpObserverObserverEvent>,
}

impl RtpObserverObserver {
    /// All of it as a stream.
    pub fn events(&self) -> EventStream<RtpObserverObserverEvent> {
        self.emitter.stream()
    }

    on_events! { RtpObserverObserverEvent, |this| this.emitter;
        /// It closed.
        on_close => Close;
        /// It was paused.
        on_pause => Pause;
        /// It was resumed.
        on_resume => Resume;
        /// It listens to a producer no more, which may have closed.
        on_remove_producer => RemoveProducer(ProducerId);
        /// As [`AudioLevelObserver::on_volumes`].
        on_volumes => Volumes([AudioLevelVolume]);
        /// As [`AudioLevelObserver::on_silence`].
        on_silence => Silence;
    }

    /// It listens to a producer.
    pub fn on_add_producer(&self, listener: impl Fn(Producer) + Send + Sync + 'static) -> HandlerId {
        self.emitter.listen(move |event| {
            if let RtpObserverObserverEvent::AddProducer(producer) = event
                && let Some(producer) = producer.upgrade()
            {
                listener(producer);
            }
        })
    }

    /// As [`ActiveSpeakerObserver::on_dominant_speaker`].
    pub fn on_dominant_speaker(&self, listener: impl Fn(Producer) + Send + Sync + 'static) -> HandlerId {
        self.emitter.listen(move |event| {
            if let RtpObserverObserverEvent::DominantSpeaker(producer) = event
                && let Some(producer) = producer.upgrade()
            {
                listener(producer);
            }
        })
    }
}
