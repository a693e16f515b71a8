//! The Router: codecs, and the transports on all shards of its Worker between which media is forwarded.

use crate::app_data::AppData;
use crate::children::Children;
use crate::data::DataProducerShared;
use crate::dispatch::Task;
use crate::error::{
    CanConsumeError, CreateRouterError, CreateRtpObserverError, CreateTransportError,
    PipeDataProducerToRouterError, PipeProducerToRouterError, RequestError, UpdateMediaCodecsError,
};
use crate::event::{RouterEvent, RouterObserverEvent};
use crate::link::Link;
use crate::listeners::{Emitter, HandlerId, ListenerError, Outlet, lock, on_events};
use crate::liveness::Liveness;
use crate::options::{
    ActiveSpeakerObserverOptions, AudioLevelObserverOptions, DirectTransportOptions, LastNAudioOptions,
    PlainTransportOptions, RouterOptions, WebRtcTransportOptions,
};
use crate::pipe::{
    self, Pairs, PipeToRouterOptions, PipeTransportOptions, PipedDataProducerPair, PipedProducerPair,
};
use crate::producer::ProducerShared;
use crate::rtp_observer::{
    ActiveSpeakerObserver, AnyRtpObserver, AudioLevelObserver, LastNAudio, RtpObserverShared,
    create_active_speaker_observer, create_audio_level_observer, create_last_n_audio,
};
use crate::stream::EventStream;
use crate::transport::{
    self, AnyTransport, DirectTransport, PipeTransport, PlainTransport, TransportShared, WebRtcTransport,
};
use crate::worker::{Worker, WorkerShared, announce_router};
use std::sync::{Arc, Mutex, Weak};
use tureen_media_model as model;
use tureen_media_model::{
    CloseCause, CloseRouter, CreateRouter, DataProducerId, DumpRouter, ProducerId, RouterDump, RouterId,
    UpdateMediaCodecs,
};
use tureen_rtp_dictionaries::{self as dict, RouterRtpCodecCapability, RtpCapabilities};
use uuid::Uuid;

/// What all handles to one Router, and all that is on it, share.
pub(crate) struct RouterShared {
    pub(crate) id: RouterId,
    pub(crate) serial: u64,
    pub(crate) worker: Arc<WorkerShared>,
    pub(crate) liveness: Arc<Liveness>,
    pub(crate) outlet: Outlet<RouterEvent, RouterObserverEvent>,
    pub(crate) transports: Children<TransportShared>,
    pub(crate) rtp_observers: Children<RtpObserverShared>,
    pub(crate) pipes: Pairs,
    capabilities: Mutex<RtpCapabilities>,
    app_data: AppData,
}

impl RouterShared {
    fn links(&self) -> impl Iterator<Item = Link> + '_ {
        self.worker.shards.iter().map(|shard| Link::new(Arc::clone(&self.worker), shard.clone()))
    }

    fn close(self: &Arc<Self>) {
        if self.liveness.close() {
            self.links().for_each(|link| link.close(CloseRouter { id: self.id }));
            self.worker.task(Task::RouterClosed(Arc::clone(self)));
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
        if cause == CloseCause::WorkerClosed {
            self.outlet.tell(&RouterEvent::WorkerClose);
        }
        self.outlet.observe(&RouterObserverEvent::Close);
        self.outlet.end();
        self.forget();
    }

    fn forget(&self) {
        self.worker.routers.remove(self.serial);
    }

    /// An open producer of this router.
    pub(crate) fn producer(self: &Arc<Self>, id: &ProducerId) -> Option<Arc<ProducerShared>> {
        let producer = self.worker.index.producers.get(id)?;
        let own = Arc::ptr_eq(&producer.transport.router, self);
        (own && producer.info.get().is_some() && !producer.liveness.is_closed()).then_some(producer)
    }

    /// An open data producer of this Router.
    pub(crate) fn data_producer(self: &Arc<Self>, id: &DataProducerId) -> Option<Arc<DataProducerShared>> {
        let producer = self.worker.index.data_producers.get(id)?;
        let own = Arc::ptr_eq(&producer.transport.router, self);
        (own && producer.info.get().is_some() && !producer.liveness.is_closed()).then_some(producer)
    }
}

pub(crate) struct RouterInner {
    pub(crate) shared: Arc<RouterShared>,
    worker: Worker,
}

impl Drop for RouterInner {
    fn drop(&mut self) {
        self.shared.close();
    }
}

/// A Router: media that comes in on one of its transports can go out on any other, whichever shards they live on.
///
/// Clones are handles to the same Router; it closes with [`Router::close`] or when the last handle goes, those that its
/// transports hold included.
#[derive(Clone)]
pub struct Router {
    inner: Arc<RouterInner>,
}

/// A handle that does not keep its Router open.
#[derive(Clone, Debug)]
pub struct WeakRouter {
    inner: Weak<RouterInner>,
    id: RouterId,
}

impl WeakRouter {
    /// The Router, unless its last handle is gone.
    pub fn upgrade(&self) -> Option<Router> {
        self.inner.upgrade().map(|inner| Router { inner })
    }

    /// Its id.
    pub fn id(&self) -> RouterId {
        self.id
    }
}

pub(crate) async fn create_router(
    worker: Worker,
    options: RouterOptions,
) -> Result<Router, CreateRouterError> {
    let owner = Arc::clone(worker.shared());
    if owner.liveness.is_closed() {
        return Err(RequestError::Closed.into());
    }
    let shared = Arc::new(RouterShared {
        id: RouterId(Uuid::new_v4().as_u128()),
        serial: owner.serial(),
        liveness: Liveness::under(&owner.liveness),
        outlet: Outlet::default(),
        transports: Children::default(),
        rtp_observers: Children::default(),
        pipes: Pairs::default(),
        capabilities: Mutex::default(),
        app_data: options.app_data,
        worker: Arc::clone(&owner),
    });
    owner.routers.insert(shared.serial, Arc::clone(&shared));
    // Whoever closes the Worker from here on finds the Router; whoever did before did not.
    if shared.liveness.is_closed() {
        shared.abandon();
        return Err(RequestError::Closed.into());
    }
    // From here on dropping the handle, be it because this future is dropped, closes what was made so far.
    let router = Router { inner: Arc::new(RouterInner { shared: Arc::clone(&shared), worker }) };
    let options = model::RouterOptions { media_codecs: options.media_codecs };
    let request = || CreateRouter { id: shared.id, options: options.clone() };
    match ask_all(shared.links().map(|link| link.call(request()))).await {
        Ok(Some(Ok(capabilities))) => *lock(&shared.capabilities) = capabilities,
        Ok(Some(Err(refused))) => {
            shared.abandon();
            return Err(refused.into());
        }
        Ok(None) => return Err(RequestError::Closed.into()),
        Err(error) => return Err(error.into()),
    }
    if shared.liveness.is_closed() {
        return Err(RequestError::Closed.into());
    }
    announce_router(&router);
    Ok(router)
}

/// Waits for the answers of all shards, which agree, and returns the last; or the first failure to answer.
async fn ask_all<A>(
    requests: impl Iterator<Item = impl Future<Output = Result<A, RequestError>>>,
) -> Result<Option<A>, RequestError> {
    let requests: Vec<_> = requests.collect();
    let mut answer = None;
    for request in requests {
        answer = Some(request.await?);
    }
    Ok(answer)
}

impl Router {
    pub(crate) fn shared(&self) -> &Arc<RouterShared> {
        &self.inner.shared
    }

    /// Its id.
    pub fn id(&self) -> RouterId {
        self.inner.shared.id
    }

    /// The Worker that it is on.
    pub fn worker(&self) -> &Worker {
        &self.inner.worker
    }

    /// Whether it, or its Worker, is closed.
    pub fn closed(&self) -> bool {
        self.inner.shared.liveness.is_closed()
    }

    /// The program's own data.
    pub fn app_data(&self) -> &AppData {
        &self.inner.shared.app_data
    }

    /// What endpoints may send to it and receive from it: to be given to them.
    pub fn rtp_capabilities(&self) -> RtpCapabilities {
        lock(&self.inner.shared.capabilities).clone()
    }

    /// Closes it and all on it, at once; does nothing if it is closed.
    pub fn close(&self) {
        self.inner.shared.close();
    }

    /// A handle that does not keep it open.
    pub fn downgrade(&self) -> WeakRouter {
        WeakRouter { inner: Arc::downgrade(&self.inner), id: self.id() }
    }

    /// Makes a transport of plain RTP over UDP.
    ///
    /// # Errors
    /// Addresses or ports that cannot be bound, options that exclude each other, or [`RequestError`].
    pub async fn create_plain_transport(
        &self,
        options: PlainTransportOptions,
    ) -> Result<PlainTransport, CreateTransportError> {
        transport::create_plain(self.clone(), options).await
    }

    /// Makes a transport for browsers: ICE-lite, DTLS, SRTP.
    ///
    /// # Errors
    /// Addresses or ports that cannot be bound, no place to listen, a WebRtcServer that is closed or another Worker's, or
    /// [`RequestError`].
    pub async fn create_webrtc_transport(
        &self,
        options: WebRtcTransportOptions,
    ) -> Result<WebRtcTransport, CreateTransportError> {
        transport::create_webrtc(self.clone(), options).await
    }

    /// Makes a transport between the router and this program.
    ///
    /// # Errors
    /// A shard that does not exist, or [`RequestError`].
    pub async fn create_direct_transport(
        &self,
        options: DirectTransportOptions,
    ) -> Result<DirectTransport, CreateTransportError> {
        transport::create_direct(self.clone(), options).await
    }

    /// Makes a transport that leads to another Router, here or elsewhere.
    ///
    /// # Errors
    /// An address or port that cannot be bound, `listen_info` for TCP, or [`RequestError`].
    pub async fn create_pipe_transport(
        &self,
        options: PipeTransportOptions,
    ) -> Result<PipeTransport, CreateTransportError> {
        transport::create_pipe(self.clone(), options).await
    }

    /// Makes a producer of this Router available on another one of this process, whose consumers choose among its layers as those here do.
    /// What is paused, resumed or closed at one end is so at the other. Between two Routers there is one pair of pipe transports, in
    /// whichever direction and however often this is called; it is open for as long as anything goes over it.
    ///
    /// # Errors
    /// [`PipeProducerToRouterError`]: the same Router, one of the same Worker with `keep_id`, a producer that is unknown or closes meanwhile,
    /// codecs that the other Router lacks.
    pub async fn pipe_producer_to_router(
        &self,
        producer_id: ProducerId,
        options: PipeToRouterOptions,
    ) -> Result<PipedProducerPair, PipeProducerToRouterError> {
        pipe::pipe_producer(self, producer_id, options).await
    }

    /// Makes a data producer of this Router available on another one, as [`Router::pipe_producer_to_router`] does with producers. Subchannels go
    /// along.
    ///
    /// # Errors
    /// [`PipeDataProducerToRouterError`]: as for producers; or the data producer is on another shard than the pipe that is there.
    pub async fn pipe_data_producer_to_router(
        &self,
        data_producer_id: DataProducerId,
        options: PipeToRouterOptions,
    ) -> Result<PipedDataProducerPair, PipeDataProducerToRouterError> {
        pipe::pipe_data_producer(self, data_producer_id, options).await
    }

    /// Makes an observer of how loud producers are.
    ///
    /// # Errors
    /// `max_entries` of 0, a `threshold` out of range, a shard that does not exist, or [`RequestError`].
    pub async fn create_audio_level_observer(
        &self,
        options: AudioLevelObserverOptions,
    ) -> Result<AudioLevelObserver, CreateRtpObserverError> {
        create_audio_level_observer(self.clone(), options).await
    }

    /// Makes an observer of who speaks.
    ///
    /// # Errors
    /// A shard that does not exist, or [`RequestError`].
    pub async fn create_active_speaker_observer(
        &self,
        options: ActiveSpeakerObserverOptions,
    ) -> Result<ActiveSpeakerObserver, CreateRtpObserverError> {
        create_active_speaker_observer(self.clone(), options).await
    }

    /// Makes what has only the loudest of its producers forwarded.
    ///
    /// # Errors
    /// `n` of 0, a shard that does not exist, or [`RequestError`].
    pub async fn create_last_n_audio(
        &self,
        options: LastNAudioOptions,
    ) -> Result<LastNAudio, CreateRtpObserverError> {
        create_last_n_audio(self.clone(), options).await
    }

    /// Whether an endpoint with these capabilities can consume a producer.
    ///
    /// # Errors
    /// [`CanConsumeError`]: the Router is closed, has no such producer, or the capabilities are malformed.
    pub fn can_consume(
        &self,
        producer_id: &ProducerId,
        rtp_capabilities: &RtpCapabilities,
    ) -> Result<bool, CanConsumeError> {
        if self.closed() {
            return Err(CanConsumeError::Closed);
        }
        let producer =
            self.inner.shared.producer(producer_id).ok_or(CanConsumeError::ProducerNotFound(*producer_id))?;
        let info = producer.info.get().ok_or(CanConsumeError::ProducerNotFound(*producer_id))?;
        let mut capabilities = rtp_capabilities.clone();
        dict::validate_rtp_capabilities(&mut capabilities)?;
        Ok(dict::can_consume(&info.consumable_rtp_parameters, &capabilities))
    }

    /// Exchanges the codecs. What exists stays as it is; what is made from now on goes by the new ones.
    ///
    /// # Errors
    /// As for [`Worker::create_router`]; nothing has changed then.
    pub async fn update_media_codecs(
        &self,
        media_codecs: Vec<RouterRtpCodecCapability>,
    ) -> Result<(), UpdateMediaCodecsError> {
        let shared = &self.inner.shared;
        if self.closed() {
            return Err(RequestError::Closed.into());
        }
        let options = model::RouterOptions { media_codecs };
        let request = || UpdateMediaCodecs { id: shared.id, options: options.clone() };
        let answer = ask_all(shared.links().map(|link| link.call(request()))).await?;
        *lock(&shared.capabilities) = answer.ok_or(RequestError::Closed)??;
        Ok(())
    }

    /// Its internals, of all shards together.
    ///
    /// # Errors
    /// [`RequestError`].
    pub async fn dump(&self) -> Result<RouterDump, RequestError> {
        let shared = &self.inner.shared;
        let requests: Vec<_> =
            shared.links().map(|link| link.ask(&shared.liveness, DumpRouter { id: shared.id })).collect();
        let mut whole = None;
        for request in requests {
            let part = request.await?;
            match &mut whole {
                None => whole = Some(part),
                Some(whole) => merge(whole, part),
            }
        }
        whole.ok_or(RequestError::Closed)
    }

    /// Its news as a stream.
    pub fn events(&self) -> EventStream<RouterEvent> {
        self.inner.shared.outlet.public.stream()
    }

    /// Everything that happens to it, whoever caused it.
    pub fn observer(&self) -> RouterObserver {
        RouterObserver { emitter: self.inner.shared.outlet.observer.clone() }
    }

    on_events! { RouterEvent, |this| this.inner.shared.outlet.public;
        /// Its Worker closed or died, and it with it.
        on_worker_close => WorkerClose;
        /// A listener of it or its observer panicked.
        on_listener_error => ListenerError(ListenerError);
    }
}

/// A source mirrored on other shards is listed there with its consumers; together they are one entry.
fn merge(whole: &mut RouterDump, part: RouterDump) {
    whole.transport_ids.extend(part.transport_ids);
    whole.map_consumer_id_producer_id.extend(part.map_consumer_id_producer_id);
    whole.rtp_observer_ids.extend(part.rtp_observer_ids);
    for (producer, observers) in part.map_producer_id_observer_ids {
        whole.map_producer_id_observer_ids.entry(producer).or_default().extend(observers);
    }
    for (producer, consumers) in part.map_producer_id_consumer_ids {
        whole.map_producer_id_consumer_ids.entry(producer).or_default().extend(consumers);
    }
    whole.map_data_consumer_id_data_producer_id.extend(part.map_data_consumer_id_data_producer_id);
    for (producer, consumers) in part.map_data_producer_id_data_consumer_ids {
        whole.map_data_producer_id_data_consumer_ids.entry(producer).or_default().extend(consumers);
    }
}

impl std::fmt::Debug for Router {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Router")
            .field("id", &self.id())
            .field("closed", &self.closed())
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for RouterInner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RouterInner").field("id", &self.shared.id).finish_non_exhaustive()
    }
}

/// Everything that happens to a [`Router`]. It does not keep the Router open.
#[derive(Clone)]
pub struct RouterObserver {
    emitter: Emitter<RouterObserverEvent>,
}

impl RouterObserver {
    /// All of it as a stream.
    pub fn events(&self) -> EventStream<RouterObserverEvent> {
        self.emitter.stream()
    }

    on_events! { RouterObserverEvent, |this| this.emitter;
        /// It closed.
        on_close => Close;
    }

    /// A transport was made on it.
    pub fn on_new_transport(&self, listener: impl Fn(AnyTransport) + Send + Sync + 'static) -> HandlerId {
        self.emitter.listen(move |event| {
            if let RouterObserverEvent::NewTransport(transport) = event
                && let Some(transport) = transport.upgrade()
            {
                listener(transport);
            }
        })
    }

    /// An RTP observer was made on it.
    pub fn on_new_rtp_observer(
        &self,
        listener: impl Fn(AnyRtpObserver) + Send + Sync + 'static,
    ) -> HandlerId {
        self.emitter.listen(move |event| {
            if let RouterObserverEvent::NewRtpObserver(observer) = event
                && let Some(observer) = observer.upgrade()
            {
                listener(observer);
            }
        })
    }
}
