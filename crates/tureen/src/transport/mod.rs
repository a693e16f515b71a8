//! What all transports have in common: the trait of their handles, and what the handles share.

mod any;
mod data;
mod describe;
mod direct;
mod log;
mod pipe;
mod plain;
mod webrtc;

pub use any::{AnyTransport, WeakTransport};
pub use data::DataTransport;
pub use describe::{
    IceTransportStats, PipeTransportDump, PipeTransportStats, PlainTransportDump, PlainTransportStats,
    TransportDump, TransportStats, TransportTuple, WebRtcTransportDump,
};
pub(crate) use direct::create_direct;
pub use direct::{DirectTransport, WeakDirectTransport};
pub(crate) use pipe::create_pipe;
pub use pipe::{PipeTransport, WeakPipeTransport};
pub(crate) use plain::create_plain;
pub use plain::{PlainTransport, WeakPlainTransport};
pub use webrtc::{WeakWebRtcTransport, WebRtcTransport};
pub(crate) use webrtc::{create_webrtc, ice_listen};

use crate::app_data::AppData;
use crate::children::Children;
use crate::consumer::{Consumer, ConsumerShared, consume};
use crate::dispatch::{Created, Task};
use crate::error::{ConsumeError, CreateTransportError, ProduceError, RequestError};
use crate::event::{TransportEvent, TransportObserverEvent};
use crate::index::Living;
use crate::link::Link;
use crate::listeners::{Emitter, HandlerId, ListenerError, Outlet, lock, on_events};
use crate::liveness::Liveness;
use crate::options::{ConsumerOptions, ProducerOptions};
use crate::producer::{Producer, ProducerShared, produce};
use crate::router::{Router, RouterShared};
use crate::stream::EventStream;
use crate::webrtc_server::WebRtcServerShared;
use crate::worker::Burden;
use bytes::Bytes;
use data::TransportData;
use pipe::PipeState;
use plain::{PlainState, socket_listen};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use tureen_media_model as model;
use tureen_media_model::{
    CloseCause, CloseTransport, DumpTransport, GetTransportStats, SctpOptions, TraceTransport, TransportId,
    TransportTrace, TransportTraceFlags,
};
use tureen_rtp_dictionaries::{DtlsState, IceState};
use uuid::Uuid;
use webrtc::WebRtcState;

/// The kinds of transports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum TransportType {
    /// [`PlainTransport`].
    Plain,
    /// [`WebRtcTransport`].
    WebRtc,
    /// [`DirectTransport`].
    Direct,
    /// [`PipeTransport`].
    Pipe,
}

/// What all handles to one transport, and all that is on it, share.
pub(crate) struct TransportShared {
    pub(crate) id: TransportId,
    pub(crate) serial: u64,
    pub(crate) router: Arc<RouterShared>,
    pub(crate) link: Link,
    pub(crate) liveness: Arc<Liveness>,
    pub(crate) outlet: Outlet<TransportEvent, TransportObserverEvent>,
    pub(crate) producers: Children<ProducerShared>,
    pub(crate) consumers: Children<ConsumerShared>,
    pub(crate) data: TransportData,
    kind: TransportKind,
    /// Of a direct transport: who gets an RTP packet.
    receivers: RwLock<HashMap<u32, Arc<ConsumerShared>>>,
    burden: Mutex<Option<Burden>>,
    app_data: AppData,
}

/// What only one kind of transport has.
pub(crate) enum TransportKind {
    Plain(Box<PlainState>),
    WebRtc(Box<WebRtcState>),
    Direct,
    Pipe(Box<PipeState>),
}

impl TransportKind {
    pub(crate) fn plain(&self) -> Option<&PlainState> {
        match self {
            Self::Plain(plain) => Some(plain),
            _ => None,
        }
    }

    pub(crate) fn webrtc(&self) -> Option<&WebRtcState> {
        match self {
            Self::WebRtc(webrtc) => Some(webrtc),
            _ => None,
        }
    }

    pub(crate) fn pipe(&self) -> Option<&PipeState> {
        match self {
            Self::Pipe(pipe) => Some(pipe),
            _ => None,
        }
    }

    fn name(&self) -> TransportType {
        match self {
            Self::Plain(_) => TransportType::Plain,
            Self::WebRtc(_) => TransportType::WebRtc,
            Self::Direct => TransportType::Direct,
            Self::Pipe(_) => TransportType::Pipe,
        }
    }
}

impl Living for TransportShared {
    fn liveness(&self) -> &Arc<Liveness> {
        &self.liveness
    }
}

impl TransportShared {
    pub(crate) fn is_direct(&self) -> bool {
        matches!(self.kind, TransportKind::Direct)
    }

    fn close(self: &Arc<Self>) {
        if self.liveness.close() {
            self.link.close(CloseTransport { id: self.id });
            self.link.worker.task(Task::TransportClosed(Arc::clone(self)));
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
        if let Some(webrtc) = self.kind.webrtc() {
            webrtc.end();
        }
        self.data.end();
        match cause {
            CloseCause::RouterClosed => self.outlet.tell(&TransportEvent::RouterClose),
            CloseCause::ListenServerClosed => self.outlet.tell(&TransportEvent::ListenServerClose),
            _ => {}
        }
        self.outlet.observe(&TransportObserverEvent::Close);
        self.outlet.end();
        self.forget();
    }

    fn forget(&self) {
        self.router.transports.remove(self.serial);
        self.link.worker.index.transports.remove(&self.id, self);
        lock(&self.burden).take();
        if let Some(server) = self.kind.webrtc().and_then(WebRtcState::server) {
            server.unhandled(self.id, self.serial);
        }
    }

    pub(crate) fn handle_event(&self, event: model::TransportEvent) {
        match event {
            model::TransportEvent::Path(event) => {
                log::log(self, &event);
                match &self.kind {
                    TransportKind::Plain(plain) => plain.handle_event(event, &self.outlet),
                    TransportKind::WebRtc(webrtc) => webrtc.handle_event(event, &self.outlet),
                    TransportKind::Direct | TransportKind::Pipe(_) => {}
                }
            }
            model::TransportEvent::SctpState(state) => {
                log::log_sctp(self, state);
                self.data.state_changed(state, &self.outlet);
            }
            model::TransportEvent::DataChannel(channel) => {
                log::log_channel(self, &channel);
                self.outlet.tell(&TransportEvent::DataChannel(channel));
            }
            model::TransportEvent::Trace(trace) => {
                self.outlet.tell(&TransportEvent::Trace(trace.clone()));
                self.outlet.observe(&TransportObserverEvent::Trace(trace));
            }
            _ => {}
        }
    }

    /// Hands a packet that went out on a direct transport to its listeners.
    pub(crate) fn receive(&self, packet: Bytes) {
        // RTCP's packet types take the place of the second byte of RTP (RFC 5761 section 4).
        if packet.get(1).is_some_and(|second| (192..=223).contains(second)) {
            self.outlet.tell(&TransportEvent::Rtcp(packet.clone()));
            self.outlet.observe(&TransportObserverEvent::Rtcp(packet));
            return;
        }
        let Some(ssrc) = packet.get(8..12).and_then(|bytes| bytes.try_into().ok()).map(u32::from_be_bytes)
        else {
            return;
        };
        let receivers = self.receivers.read().unwrap_or_else(PoisonError::into_inner);
        let receiver = receivers.get(&ssrc).cloned();
        drop(receivers);
        if let Some(receiver) = receiver {
            receiver.receive(packet);
        }
    }

    /// Packets of these SSRCs are a consumer's from now on.
    pub(crate) fn add_receiver(&self, consumer: &Arc<ConsumerShared>, ssrcs: impl Iterator<Item = u32>) {
        let mut receivers = self.receivers.write().unwrap_or_else(PoisonError::into_inner);
        receivers.extend(ssrcs.map(|ssrc| (ssrc, Arc::clone(consumer))));
    }

    pub(crate) fn remove_receiver(&self, consumer: &ConsumerShared) {
        let mut receivers = self.receivers.write().unwrap_or_else(PoisonError::into_inner);
        receivers.retain(|_, receiver| !std::ptr::eq(Arc::as_ptr(receiver), consumer));
    }
}

/// What the handles of one transport own: the transport stays open until it goes.
pub struct TransportInner {
    pub(crate) shared: Arc<TransportShared>,
    pub(crate) router: Router,
}

impl Drop for TransportInner {
    fn drop(&mut self) {
        self.shared.close();
    }
}

/// A transport's place, before its shard knows of it. Dropping what is returned closes what was made so far.
fn prepare(
    router: Router,
    shard: Option<u8>,
    kind: TransportKind,
    sctp: Option<SctpOptions>,
    app_data: AppData,
) -> Result<Arc<TransportInner>, CreateTransportError> {
    prepare_under(router, shard, None, kind, sctp, app_data)
}

/// The same for a transport that closes with a WebRtcServer too.
fn prepare_under(
    router: Router,
    shard: Option<u8>,
    server: Option<Arc<WebRtcServerShared>>,
    kind: TransportKind,
    sctp: Option<SctpOptions>,
    app_data: AppData,
) -> Result<Arc<TransportInner>, CreateTransportError> {
    let parent = Arc::clone(router.shared());
    if parent.liveness.is_closed() {
        return Err(RequestError::Closed.into());
    }
    let worker = &parent.worker;
    let link = worker.link(shard).ok_or(CreateTransportError::ShardNotFound(shard.unwrap_or_default()))?;
    let shared = Arc::new(TransportShared {
        id: TransportId(Uuid::new_v4().as_u128()),
        serial: worker.serial(),
        liveness: match &server {
            Some(server) => Liveness::under_both(&parent.liveness, &server.liveness),
            None => Liveness::under(&parent.liveness),
        },
        outlet: Outlet::default(),
        producers: Children::default(),
        consumers: Children::default(),
        data: TransportData::new(sctp),
        kind,
        receivers: RwLock::default(),
        burden: Mutex::new(Some(worker.burden(&link))),
        app_data,
        link,
        router: Arc::clone(&parent),
    });
    worker.index.transports.insert(shared.id, &shared);
    parent.transports.insert(shared.serial, Arc::clone(&shared));
    if let Some(server) = &server {
        server.transports.insert(shared.serial, Arc::clone(&shared));
    }
    // Whoever closes the Router from here on finds the transport; whoever did before did not.
    if shared.liveness.is_closed() {
        shared.abandon();
        return Err(RequestError::Closed.into());
    }
    Ok(Arc::new(TransportInner { shared, router }))
}

/// Ends the making of a transport with its shard's answer.
fn complete<E: Into<CreateTransportError>>(
    inner: &Arc<TransportInner>,
    answer: Result<(), E>,
) -> Result<(), CreateTransportError> {
    if let Err(error) = answer {
        inner.shared.abandon();
        return Err(error.into());
    }
    if inner.shared.liveness.is_closed() {
        return Err(RequestError::Closed.into());
    }
    let router = Arc::clone(&inner.shared.router);
    if let Some(server) = inner.shared.kind.webrtc().and_then(WebRtcState::server) {
        server.handled(inner.any().downgrade());
    }
    let created = Created::Transport(Arc::clone(&router), inner.any().downgrade());
    router.worker.task(created.task());
    Ok(())
}

mod sealed {
    use super::TransportInner;
    use std::sync::Arc;

    pub trait Handle {
        fn inner(&self) -> &Arc<TransportInner>;
    }
}

pub(crate) use sealed::Handle;

/// What every transport can do: [`PlainTransport`], [`WebRtcTransport`], [`DirectTransport`], [`PipeTransport`], and [`AnyTransport`] for any
/// of them.
///
/// Clones are handles to the same transport; it closes with [`Transport::close`] or when the last handle goes, those that
/// its producers and consumers hold included.
pub trait Transport: sealed::Handle {
    /// Its id.
    fn id(&self) -> TransportId {
        self.inner().shared.id
    }

    /// Its kind.
    fn transport_type(&self) -> TransportType {
        self.inner().shared.kind.name()
    }

    /// The Router that it is on.
    fn router(&self) -> &Router {
        &self.inner().router
    }

    /// The shard of the Worker that it lives on.
    fn shard(&self) -> u8 {
        self.inner().shared.link.shard_id().0
    }

    /// Whether it, or its Router, is closed.
    fn closed(&self) -> bool {
        self.inner().shared.liveness.is_closed()
    }

    /// The program's own data.
    fn app_data(&self) -> &AppData {
        &self.inner().shared.app_data
    }

    /// Closes it and all on it, at once; does nothing if it is closed.
    fn close(&self) {
        self.inner().shared.close();
    }

    /// Makes a producer, whose media comes in on this transport.
    ///
    /// # Errors
    /// [`ProduceError`], which names the field that is refused; nothing has changed then.
    fn produce(
        &self,
        options: ProducerOptions,
    ) -> impl Future<Output = Result<Producer, ProduceError>> + Send + use<Self> {
        produce(Arc::clone(self.inner()), options)
    }

    /// Makes a consumer, whose media goes out on this transport, of a producer anywhere on the Router.
    ///
    /// # Errors
    /// [`ConsumeError`], which names the field that is refused; nothing has changed then.
    fn consume(
        &self,
        options: ConsumerOptions,
    ) -> impl Future<Output = Result<Consumer, ConsumeError>> + Send + use<Self> {
        consume(Arc::clone(self.inner()), options)
    }

    /// Chooses its trace events: `probation`, `bwe`. Other names are left out; none turns them off.
    ///
    /// # Errors
    /// [`RequestError`].
    fn enable_trace_event(
        &self,
        types: &[&str],
    ) -> impl Future<Output = Result<(), RequestError>> + Send + use<Self> {
        let shared = &self.inner().shared;
        let flags = TransportTraceFlags::from_names(types.iter().copied());
        shared.link.ask(&shared.liveness, TraceTransport { id: shared.id, flags })
    }

    /// Its statistics.
    ///
    /// # Errors
    /// [`RequestError`].
    fn get_stats(&self) -> impl Future<Output = Result<TransportStats, RequestError>> + Send + use<Self> {
        let shared = Arc::clone(&self.inner().shared);
        async move {
            let base = shared.link.ask(&shared.liveness, GetTransportStats { id: shared.id }).await?;
            Ok(TransportStats::new(base, &shared.kind))
        }
    }

    /// Its internals.
    ///
    /// # Errors
    /// [`RequestError`].
    fn dump(&self) -> impl Future<Output = Result<TransportDump, RequestError>> + Send + use<Self> {
        let shared = Arc::clone(&self.inner().shared);
        async move {
            let base = shared.link.ask(&shared.liveness, DumpTransport { id: shared.id }).await?;
            Ok(TransportDump::new(base, &shared.kind))
        }
    }

    /// Its news as a stream.
    fn events(&self) -> EventStream<TransportEvent> {
        self.inner().shared.outlet.public.stream()
    }

    /// Everything that happens to it, whoever caused it.
    fn observer(&self) -> TransportObserver {
        TransportObserver { emitter: self.inner().shared.outlet.observer.clone() }
    }

    /// Its Router closed, and it with it.
    fn on_router_close(&self, listener: impl Fn() + Send + Sync + 'static) -> HandlerId {
        self.inner().shared.outlet.public.listen(move |event| {
            if let TransportEvent::RouterClose = event {
                listener();
            }
        })
    }

    /// A trace that [`Transport::enable_trace_event`] asked for.
    fn on_trace(&self, listener: impl Fn(&TransportTrace) + Send + Sync + 'static) -> HandlerId {
        self.inner().shared.outlet.public.listen(move |event| {
            if let TransportEvent::Trace(trace) = event {
                listener(trace);
            }
        })
    }

    /// A listener of it or its observer panicked.
    fn on_listener_error(&self, listener: impl Fn(&ListenerError) + Send + Sync + 'static) -> HandlerId {
        self.inner().shared.outlet.public.listen(move |event| {
            if let TransportEvent::ListenerError(error) = event {
                listener(error);
            }
        })
    }
}

/// Everything that happens to a transport. It does not keep the transport open.
#[derive(Clone)]
pub struct TransportObserver {
    emitter: Emitter<TransportObserverEvent>,
}

impl TransportObserver {
    /// All of it as a stream.
    pub fn events(&self) -> EventStream<TransportObserverEvent> {
        self.emitter.stream()
    }

    on_events! { TransportObserverEvent, |this| this.emitter;
        /// It closed.
        on_close => Close;
        /// As [`Transport::on_trace`].
        on_trace => Trace(TransportTrace);
        /// As [`PlainTransport::on_tuple`].
        on_tuple => Tuple(TransportTuple);
        /// As [`PlainTransport::on_rtcp_tuple`].
        on_rtcp_tuple => RtcpTuple(TransportTuple);
        /// As [`WebRtcTransport::on_ice_state_change`].
        on_ice_state_change => IceStateChange(IceState);
        /// As [`WebRtcTransport::on_ice_selected_tuple_change`].
        on_ice_selected_tuple_change => IceSelectedTupleChange(Option<TransportTuple>);
        /// As [`WebRtcTransport::on_dtls_state_change`].
        on_dtls_state_change => DtlsStateChange(DtlsState);
        /// As [`DirectTransport::on_rtcp`].
        on_rtcp => Rtcp(Bytes);
    }

    /// A producer was made on it.
    pub fn on_new_producer(&self, listener: impl Fn(Producer) + Send + Sync + 'static) -> HandlerId {
        self.emitter.listen(move |event| {
            if let TransportObserverEvent::NewProducer(producer) = event
                && let Some(producer) = producer.upgrade()
            {
                listener(producer);
            }
        })
    }

    /// A consumer was made on it.
    pub fn on_new_consumer(&self, listener: impl Fn(Consumer) + Send + Sync + 'static) -> HandlerId {
        self.emitter.listen(move |event| {
            if let TransportObserverEvent::NewConsumer(consumer) = event
                && let Some(consumer) = consumer.upgrade()
            {
                listener(consumer);
            }
        })
    }
}
