//! The Producer: a source of audio or video that comes in on a transport.

use crate::app_data::AppData;
use crate::children::Children;
use crate::consumer::ConsumerShared;
use crate::dispatch::{Created, Task};
use crate::error::{ProduceError, RequestError, SendError};
use crate::event::{ProducerEvent, ProducerObserverEvent};
use crate::index::Living;
use crate::listeners::{Emitter, ListenerError, Outlet, lock, on_events};
use crate::liveness::Liveness;
use crate::log::{LogLevel, LogTag};
use crate::options::ProducerOptions;
use crate::stream::EventStream;
use crate::switch::Switch;
use crate::transport::{AnyTransport, TransportInner, TransportShared};
use crate::typed;
use crate::worker::Burden;
use bytes::Bytes;
use std::sync::{Arc, Mutex, OnceLock, Weak};
use tureen_media_model as model;
use tureen_media_model::{
    CloseCause, CloseProducer, ContentHint, DumpProducer, GetProducerStats, PauseProducer, Produce,
    ProducerDump, ProducerId, ProducerInfo, ProducerScore, ProducerStats, ProducerTrace, ProducerTraceFlags,
    ResumeProducer, TraceProducer, VideoOrientation, highest_layers,
};
use tureen_rtp_dictionaries::{MediaKind, MediaLayers, ProducerType, RtpParameters};
use uuid::Uuid;

/// What all handles to one producer, and its consumers, share.
pub(crate) struct ProducerShared {
    pub(crate) id: ProducerId,
    pub(crate) transport: Arc<TransportShared>,
    pub(crate) liveness: Arc<Liveness>,
    pub(crate) consumers: Children<ConsumerShared>,
    /// Set once the shard has made it.
    pub(crate) info: OnceLock<Arc<ProducerInfo>>,
    pub(crate) kind: MediaKind,
    pub(crate) content_hint: Option<ContentHint>,
    /// What its handles own; set with the first.
    handle: OnceLock<Weak<ProducerInner>>,
    serial: u64,
    outlet: Outlet<ProducerEvent, ProducerObserverEvent>,
    paused: Switch,
    scores: Mutex<Vec<ProducerScore>>,
    /// What was told of them last.
    wanted_layers: Mutex<Option<Option<MediaLayers>>>,
    burden: Mutex<Option<Burden>>,
    app_data: AppData,
}

impl Living for ProducerShared {
    fn liveness(&self) -> &Arc<Liveness> {
        &self.liveness
    }
}

impl ProducerShared {
    fn new(transport: &Arc<TransportShared>, options: &ProducerOptions) -> Self {
        let worker = &transport.link.worker;
        Self {
            id: options.id.unwrap_or_else(|| ProducerId(Uuid::new_v4().as_u128())),
            transport: Arc::clone(transport),
            liveness: Liveness::under(&transport.liveness),
            consumers: Children::default(),
            info: OnceLock::new(),
            kind: options.kind,
            content_hint: options.content_hint,
            handle: OnceLock::new(),
            serial: worker.serial(),
            outlet: Outlet::default(),
            paused: Switch::new(options.paused),
            scores: Mutex::default(),
            wanted_layers: Mutex::default(),
            burden: Mutex::new(Some(worker.burden(&transport.link))),
            app_data: options.app_data.clone(),
        }
    }

    pub(crate) fn app_data(&self) -> &AppData {
        &self.app_data
    }

    pub(crate) fn is_simulcast(&self) -> bool {
        self.info.get().is_some_and(|info| info.producer_type == ProducerType::Simulcast)
    }

    /// A handle that does not keep it open.
    pub(crate) fn weak(&self) -> Option<WeakProducer> {
        Some(WeakProducer { inner: Weak::clone(self.handle.get()?), id: self.id })
    }

    fn close(self: &Arc<Self>) {
        if self.liveness.close() {
            self.transport.link.close(CloseProducer { id: self.id });
            self.transport.link.worker.task(Task::ProducerClosed(Arc::clone(self)));
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
        if cause == CloseCause::TransportClosed {
            self.outlet.tell(&ProducerEvent::TransportClose);
        }
        self.outlet.observe(&ProducerObserverEvent::Close);
        self.outlet.end();
        self.forget();
    }

    fn forget(&self) {
        self.transport.producers.remove(self.serial);
        self.transport.link.worker.index.producers.remove(&self.id, self);
        lock(&self.burden).take();
    }

    pub(crate) fn handle_event(&self, event: model::ProducerEvent) {
        let outlet = &self.outlet;
        match event {
            model::ProducerEvent::Paused => outlet.observe(&ProducerObserverEvent::Pause),
            model::ProducerEvent::Resumed => outlet.observe(&ProducerObserverEvent::Resume),
            model::ProducerEvent::Score(scores) => {
                let worker = &self.transport.link.worker;
                if worker.log.allows(LogLevel::Debug, LogTag::Score) {
                    tracing::debug!(target: "tureen::score", worker = %worker.id, producer = %self.id, ?scores);
                }
                lock(&self.scores).clone_from(&scores);
                outlet.tell(&ProducerEvent::Score(scores.clone()));
                outlet.observe(&ProducerObserverEvent::Score(scores));
            }
            model::ProducerEvent::VideoOrientation(orientation) => {
                outlet.tell(&ProducerEvent::VideoOrientationChange(orientation));
                outlet.observe(&ProducerObserverEvent::VideoOrientationChange(orientation));
            }
            model::ProducerEvent::WantedLayers(layers) => {
                *lock(&self.wanted_layers) = Some(layers);
                outlet.tell(&ProducerEvent::WantedLayersChange(layers));
                outlet.observe(&ProducerObserverEvent::WantedLayersChange(layers));
            }
            model::ProducerEvent::Trace(trace) => {
                outlet.tell(&ProducerEvent::Trace(trace.clone()));
                outlet.observe(&ProducerObserverEvent::Trace(trace));
            }
            _ => {}
        }
    }
}

/// A producer that is being made; it is closed again unless that succeeds.
struct Pending(Option<Arc<ProducerShared>>);

impl Drop for Pending {
    fn drop(&mut self) {
        if let Some(shared) = self.0.take() {
            shared.close();
        }
    }
}

pub(crate) async fn produce(
    transport: Arc<TransportInner>,
    options: ProducerOptions,
) -> Result<Producer, ProduceError> {
    let parent = &transport.shared;
    if parent.liveness.is_closed() {
        return Err(RequestError::Closed.into());
    }
    let shared = Arc::new(ProducerShared::new(parent, &options));
    if !parent.link.worker.index.producers.insert(shared.id, &shared) {
        return Err(ProduceError::Refused(model::ProduceError::AlreadyExists(shared.id)));
    }
    parent.producers.insert(shared.serial, Arc::clone(&shared));
    // Whoever closes the transport from here on finds the producer; whoever did before did not.
    if shared.liveness.is_closed() {
        shared.abandon();
        return Err(RequestError::Closed.into());
    }
    let mut pending = Pending(Some(Arc::clone(&shared)));
    let request = model::ProducerOptions {
        id: shared.id,
        kind: options.kind,
        rtp_parameters: options.rtp_parameters,
        paused: options.paused,
        key_frame_request_delay: options.key_frame_request_delay,
        key_frame_cache: options.key_frame_cache,
        content_hint: options.content_hint,
    };
    let info = match parent.link.call(Produce { transport: parent.id, options: request }).await? {
        Ok(info) => Arc::new(info),
        Err(refused) => {
            shared.abandon();
            return Err(refused.into());
        }
    };
    if shared.liveness.is_closed() {
        return Err(RequestError::Closed.into());
    }
    let info = Arc::clone(shared.info.get_or_init(|| info));
    pending.0 = None;
    let parent = Arc::clone(parent);
    let inner = Arc::new(ProducerInner { shared, info, transport });
    inner.shared.handle.get_or_init(|| Arc::downgrade(&inner));
    let producer = Producer { inner };
    let worker = Arc::clone(&parent.link.worker);
    worker.task(Created::Producer(parent, producer.downgrade()).task());
    Ok(producer)
}

struct ProducerInner {
    shared: Arc<ProducerShared>,
    info: Arc<ProducerInfo>,
    transport: Arc<TransportInner>,
}

impl Drop for ProducerInner {
    fn drop(&mut self) {
        self.shared.close();
    }
}

/// A source of audio or video.
///
/// Clones are handles to the same producer; it closes with [`Producer::close`] or when the last handle goes. Its consumers
/// do not keep it open.
#[derive(Clone)]
pub struct Producer {
    inner: Arc<ProducerInner>,
}

/// A handle that does not keep its producer open.
#[derive(Clone)]
pub struct WeakProducer {
    inner: Weak<ProducerInner>,
    id: ProducerId,
}

impl WeakProducer {
    /// The producer, unless its last handle is gone.
    pub fn upgrade(&self) -> Option<Producer> {
        self.inner.upgrade().map(|inner| Producer { inner })
    }

    /// Its id.
    pub fn id(&self) -> ProducerId {
        self.id
    }
}

impl Producer {
    /// Its id.
    pub fn id(&self) -> ProducerId {
        self.inner.shared.id
    }

    /// The transport that its media comes in on.
    pub fn transport(&self) -> AnyTransport {
        self.inner.transport.any()
    }

    /// Whether it, or its transport, is closed.
    pub fn closed(&self) -> bool {
        self.inner.shared.liveness.is_closed()
    }

    /// Audio or video.
    pub fn kind(&self) -> MediaKind {
        self.inner.shared.kind
    }

    /// What its pictures show, if that was said.
    pub fn content_hint(&self) -> Option<ContentHint> {
        self.inner.shared.content_hint
    }

    /// What its endpoint sends, defaults filled in.
    pub fn rtp_parameters(&self) -> &RtpParameters {
        &self.inner.info.rtp_parameters
    }

    /// What consumers are offered.
    pub fn consumable_rtp_parameters(&self) -> &RtpParameters {
        &self.inner.info.consumable_rtp_parameters
    }

    /// What kind of layers it has.
    pub fn producer_type(&self) -> ProducerType {
        self.inner.info.producer_type
    }

    /// Whether it is paused.
    pub fn paused(&self) -> bool {
        self.inner.shared.paused.is_on()
    }

    /// The last known score of each stream seen, 0 (worst) to 10.
    pub fn score(&self) -> Vec<ProducerScore> {
        lock(&self.inner.shared.scores).clone()
    }

    /// The highest layers that anybody wants, of simulcast the highest encoding as spatial layer; `None` if nobody wants any. A publisher
    /// may stop what is above them, and what rests so keeps its score. All that it has, until a change is told.
    ///
    /// It covers what every consumer that is not paused prefers, on all shards, and what it is sent meanwhile; one that pipes wants all.
    /// What is wanted again counts at once, what is not wanted any more after
    /// [`UNWANTED_LAYERS_DELAY`](tureen_media_model::UNWANTED_LAYERS_DELAY). Audio is always wanted.
    pub fn wanted_layers(&self) -> Option<MediaLayers> {
        let told = *lock(&self.inner.shared.wanted_layers);
        told.unwrap_or_else(|| Some(highest_layers(&self.inner.info.rtp_parameters)))
    }

    /// The program's own data.
    pub fn app_data(&self) -> &AppData {
        &self.inner.shared.app_data
    }

    /// Closes it, and its consumers, at once; does nothing if it is closed.
    pub fn close(&self) {
        self.inner.shared.close();
    }

    /// A handle that does not keep it open.
    pub fn downgrade(&self) -> WeakProducer {
        WeakProducer { inner: Arc::downgrade(&self.inner), id: self.id() }
    }

    /// Stops its media from reaching its consumers; does nothing if it is paused.
    ///
    /// # Errors
    /// [`RequestError`].
    pub async fn pause(&self) -> Result<(), RequestError> {
        let shared = &self.inner.shared;
        let link = &shared.transport.link;
        shared.paused.turn(true, || link.ask(&shared.liveness, PauseProducer { id: shared.id })).await
    }

    /// Lets its media reach its consumers again; does nothing if it is not paused. Consumers of video then ask for a key
    /// frame.
    ///
    /// # Errors
    /// [`RequestError`].
    pub async fn resume(&self) -> Result<(), RequestError> {
        let shared = &self.inner.shared;
        let link = &shared.transport.link;
        shared.paused.turn(false, || link.ask(&shared.liveness, ResumeProducer { id: shared.id })).await
    }

    /// Pauses or resumes it without waiting: the request goes out in the moment of the call.
    pub(crate) fn turn_at_once(&self, paused: bool) {
        let shared = &self.inner.shared;
        let (id, link, liveness) = (shared.id, &shared.transport.link, &shared.liveness);
        if paused {
            shared.paused.set(true, || drop(link.ask(liveness, PauseProducer { id })));
        } else {
            shared.paused.set(false, || drop(link.ask(liveness, ResumeProducer { id })));
        }
    }

    /// Chooses its trace events: `rtp`, `keyframe`, `nack`, `pli`, `fir`, `sr`. Other names are left out; none turns them
    /// off.
    ///
    /// # Errors
    /// [`RequestError`].
    pub async fn enable_trace_event(&self, types: &[&str]) -> Result<(), RequestError> {
        let shared = &self.inner.shared;
        let flags = ProducerTraceFlags::from_names(types.iter().copied());
        shared.transport.link.ask(&shared.liveness, TraceProducer { id: shared.id, flags }).await
    }

    /// Statistics of each stream seen.
    ///
    /// # Errors
    /// [`RequestError`].
    pub async fn get_stats(&self) -> Result<Vec<ProducerStats>, RequestError> {
        let shared = &self.inner.shared;
        shared.transport.link.ask(&shared.liveness, GetProducerStats { id: shared.id }).await
    }

    /// Its internals.
    ///
    /// # Errors
    /// [`RequestError`].
    pub async fn dump(&self) -> Result<ProducerDump, RequestError> {
        let shared = &self.inner.shared;
        shared.transport.link.ask(&shared.liveness, DumpProducer { id: shared.id }).await
    }

    /// On a direct transport: puts an RTP packet in, as its endpoint would send it. Never waits.
    ///
    /// # Errors
    /// [`SendError`]. A packet that is not well formed, or not one of this transport's producers', shows in the transport's
    /// counters only.
    pub fn send(&self, packet: Bytes) -> Result<(), SendError> {
        let shared = &self.inner.shared;
        if !shared.transport.is_direct() {
            return Err(SendError::NotDirect);
        }
        if shared.liveness.is_closed() {
            return Err(SendError::Closed);
        }
        Ok(shared.transport.link.shard().send_rtp(shared.transport.id, packet)?)
    }

    /// On a direct transport: puts a packet of the `rtp` crate in; see [`Producer::send`].
    ///
    /// # Errors
    /// [`SendError`].
    pub fn send_packet(&self, packet: &rtp::packet::Packet) -> Result<(), SendError> {
        self.send(typed::rtp_bytes(packet)?)
    }

    /// Its news as a stream.
    pub fn events(&self) -> EventStream<ProducerEvent> {
        self.inner.shared.outlet.public.stream()
    }

    /// Everything that happens to it, whoever caused it.
    pub fn observer(&self) -> ProducerObserver {
        ProducerObserver { emitter: self.inner.shared.outlet.observer.clone() }
    }

    on_events! { ProducerEvent, |this| this.inner.shared.outlet.public;
        /// Its transport closed, and it with it.
        on_transport_close => TransportClose;
        /// The score of one of its streams changed; all are told.
        on_score => Score([ProducerScore]);
        /// The source was turned; needs the header extension `urn:3gpp:video-orientation`.
        on_video_orientation_change => VideoOrientationChange(VideoOrientation);
        /// [`Producer::wanted_layers`] changed: the publisher may stop the layers above, or is to send them again. `None` if nobody
        /// wants any.
        on_wanted_layers_change => WantedLayersChange(Option<MediaLayers>);
        /// A trace that [`Producer::enable_trace_event`] asked for.
        on_trace => Trace(ProducerTrace);
        /// A listener of it or its observer panicked.
        on_listener_error => ListenerError(ListenerError);
    }
}

impl std::fmt::Debug for Producer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Producer")
            .field("id", &self.id())
            .field("closed", &self.closed())
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for WeakProducer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WeakProducer").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Everything that happens to a [`Producer`]. It does not keep the producer open.
#[derive(Clone)]
pub struct ProducerObserver {
    emitter: Emitter<ProducerObserverEvent>,
}

impl ProducerObserver {
    /// All of it as a stream.
    pub fn events(&self) -> EventStream<ProducerObserverEvent> {
        self.emitter.stream()
    }

    on_events! { ProducerObserverEvent, |this| this.emitter;
        /// It closed.
        on_close => Close;
        /// It was paused.
        on_pause => Pause;
        /// It was resumed.
        on_resume => Resume;
        /// As [`Producer::on_score`].
        on_score => Score([ProducerScore]);
        /// As [`Producer::on_video_orientation_change`].
        on_video_orientation_change => VideoOrientationChange(VideoOrientation);
        /// As [`Producer::on_wanted_layers_change`].
        on_wanted_layers_change => WantedLayersChange(Option<MediaLayers>);
        /// As [`Producer::on_trace`].
        on_trace => Trace(ProducerTrace);
    }
}
