//! The DataProducer: a source of messages that come in on a transport.

use super::{DataConsumerShared, DataProducerOptions};
use crate::app_data::AppData;
use crate::children::Children;
use crate::dispatch::{Created, Task};
use crate::error::{ProduceDataError, RequestError, SendDataError};
use crate::event::{DataProducerEvent, DataProducerObserverEvent};
use crate::index::Living;
use crate::listeners::{Emitter, ListenerError, Outlet, on_events};
use crate::liveness::Liveness;
use crate::stream::EventStream;
use crate::switch::Switch;
use crate::transport::{AnyTransport, TransportInner, TransportShared};
use std::sync::{Arc, OnceLock, Weak};
use tureen_media_model as model;
use tureen_media_model::{
    CloseCause, CloseDataProducer, DataMessage, DataProducerDump, DataProducerId, DataProducerInfo,
    DataProducerStats, DataType, DumpDataProducer, GetDataProducerStats, PauseDataProducer, ProduceData,
    ResumeDataProducer, SendToDataProducer,
};
use tureen_rtp_dictionaries::SctpStreamParameters;
use uuid::Uuid;

/// What all handles to one data producer, and its data consumers, share.
pub(crate) struct DataProducerShared {
    pub(crate) id: DataProducerId,
    pub(crate) transport: Arc<TransportShared>,
    pub(crate) liveness: Arc<Liveness>,
    pub(crate) consumers: Children<DataConsumerShared>,
    /// Set once the shard has made it.
    pub(crate) info: OnceLock<DataProducerInfo>,
    serial: u64,
    label: String,
    protocol: String,
    outlet: Outlet<DataProducerEvent, DataProducerObserverEvent>,
    paused: Switch,
    app_data: AppData,
}

impl Living for DataProducerShared {
    fn liveness(&self) -> &Arc<Liveness> {
        &self.liveness
    }
}

impl DataProducerShared {
    fn new(transport: &Arc<TransportShared>, options: &DataProducerOptions) -> Self {
        Self {
            id: options.id.unwrap_or_else(|| DataProducerId(Uuid::new_v4().as_u128())),
            transport: Arc::clone(transport),
            liveness: Liveness::under(&transport.liveness),
            consumers: Children::default(),
            info: OnceLock::new(),
            serial: transport.link.worker.serial(),
            label: options.label.clone(),
            protocol: options.protocol.clone(),
            outlet: Outlet::default(),
            paused: Switch::new(options.paused),
            app_data: options.app_data.clone(),
        }
    }

    pub(crate) fn app_data(&self) -> &AppData {
        &self.app_data
    }

    fn close(self: &Arc<Self>) {
        if self.liveness.close() {
            self.transport.link.close(CloseDataProducer { id: self.id });
            self.transport.link.worker.task(Task::DataProducerClosed(Arc::clone(self)));
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
            self.outlet.tell(&DataProducerEvent::TransportClose);
        }
        self.outlet.observe(&DataProducerObserverEvent::Close);
        self.outlet.end();
        self.forget();
    }

    fn forget(&self) {
        self.transport.data.producers.remove(self.serial);
        self.transport.link.worker.index.data_producers.remove(&self.id, self);
    }

    pub(crate) fn handle_event(&self, event: model::DataProducerEvent) {
        match event {
            model::DataProducerEvent::Paused => self.outlet.observe(&DataProducerObserverEvent::Pause),
            model::DataProducerEvent::Resumed => self.outlet.observe(&DataProducerObserverEvent::Resume),
            model::DataProducerEvent::MessagesLimited(messages) => {
                self.outlet.tell(&DataProducerEvent::MessagesLimited(messages));
            }
            _ => {}
        }
    }
}

/// A data producer that is being made; it is closed again unless that succeeds.
struct Pending(Option<Arc<DataProducerShared>>);

impl Drop for Pending {
    fn drop(&mut self) {
        if let Some(shared) = self.0.take() {
            shared.close();
        }
    }
}

pub(crate) async fn produce_data(
    transport: Arc<TransportInner>,
    options: DataProducerOptions,
) -> Result<DataProducer, ProduceDataError> {
    let parent = &transport.shared;
    if parent.liveness.is_closed() {
        return Err(RequestError::Closed.into());
    }
    let shared = Arc::new(DataProducerShared::new(parent, &options));
    if !parent.link.worker.index.data_producers.insert(shared.id, &shared) {
        return Err(ProduceDataError::Refused(model::ProduceDataError::AlreadyExists(shared.id)));
    }
    parent.data.producers.insert(shared.serial, Arc::clone(&shared));
    // Whoever closes the transport from here on finds the data producer; whoever did before did not.
    if shared.liveness.is_closed() {
        shared.abandon();
        return Err(RequestError::Closed.into());
    }
    let mut pending = Pending(Some(Arc::clone(&shared)));
    let request = model::DataProducerOptions {
        id: shared.id,
        sctp_stream_parameters: options.sctp_stream_parameters,
        label: options.label,
        protocol: options.protocol,
        paused: options.paused,
    };
    let info = match parent.link.call(ProduceData { transport: parent.id, options: request }).await? {
        Ok(info) => info,
        Err(refused) => {
            shared.abandon();
            return Err(refused.into());
        }
    };
    if shared.liveness.is_closed() {
        return Err(RequestError::Closed.into());
    }
    let info = shared.info.get_or_init(|| info).clone();
    pending.0 = None;
    let parent = Arc::clone(parent);
    let producer = DataProducer { inner: Arc::new(DataProducerInner { shared, info, transport }) };
    let worker = Arc::clone(&parent.link.worker);
    worker.task(Created::DataProducer(parent, producer.downgrade()).task());
    Ok(producer)
}

struct DataProducerInner {
    shared: Arc<DataProducerShared>,
    info: DataProducerInfo,
    transport: Arc<TransportInner>,
}

impl Drop for DataProducerInner {
    fn drop(&mut self) {
        self.shared.close();
    }
}

/// A source of messages: a stream of an endpoint's SCTP association or, on a direct transport, this program.
///
/// Clones are handles to the same data producer; it closes with [`DataProducer::close`] or when the last handle goes. Its
/// data consumers do not keep it open.
#[derive(Clone)]
pub struct DataProducer {
    inner: Arc<DataProducerInner>,
}

/// A handle that does not keep its data producer open.
#[derive(Clone)]
pub struct WeakDataProducer {
    inner: Weak<DataProducerInner>,
    id: DataProducerId,
}

impl WeakDataProducer {
    /// The data producer, unless its last handle is gone.
    pub fn upgrade(&self) -> Option<DataProducer> {
        self.inner.upgrade().map(|inner| DataProducer { inner })
    }

    /// Its id.
    pub fn id(&self) -> DataProducerId {
        self.id
    }
}

impl DataProducer {
    /// Its id.
    pub fn id(&self) -> DataProducerId {
        self.inner.shared.id
    }

    /// The transport that its messages come in on.
    pub fn transport(&self) -> AnyTransport {
        self.inner.transport.any()
    }

    /// Whether it, or its transport, is closed.
    pub fn closed(&self) -> bool {
        self.inner.shared.liveness.is_closed()
    }

    /// What carries its messages.
    pub fn data_type(&self) -> DataType {
        self.inner.info.data_type
    }

    /// Its stream, defaults filled in; `None` on a direct transport.
    pub fn sctp_stream_parameters(&self) -> Option<SctpStreamParameters> {
        self.inner.info.sctp_stream_parameters
    }

    /// What its endpoint calls it.
    pub fn label(&self) -> &str {
        &self.inner.shared.label
    }

    /// The protocol of its messages.
    pub fn protocol(&self) -> &str {
        &self.inner.shared.protocol
    }

    /// Whether it is paused.
    pub fn paused(&self) -> bool {
        self.inner.shared.paused.is_on()
    }

    /// The program's own data.
    pub fn app_data(&self) -> &AppData {
        &self.inner.shared.app_data
    }

    /// Closes it, and its data consumers, at once; does nothing if it is closed.
    pub fn close(&self) {
        self.inner.shared.close();
    }

    /// A handle that does not keep it open.
    pub fn downgrade(&self) -> WeakDataProducer {
        WeakDataProducer { inner: Arc::downgrade(&self.inner), id: self.id() }
    }

    /// Stops its messages from reaching its data consumers: what comes meanwhile is lost. Does nothing if it is paused.
    ///
    /// # Errors
    /// [`RequestError`].
    pub async fn pause(&self) -> Result<(), RequestError> {
        let shared = &self.inner.shared;
        let link = &shared.transport.link;
        shared.paused.turn(true, || link.ask(&shared.liveness, PauseDataProducer { id: shared.id })).await
    }

    /// Lets its messages reach its data consumers again; does nothing if it is not paused.
    ///
    /// # Errors
    /// [`RequestError`].
    pub async fn resume(&self) -> Result<(), RequestError> {
        let shared = &self.inner.shared;
        let link = &shared.transport.link;
        shared.paused.turn(false, || link.ask(&shared.liveness, ResumeDataProducer { id: shared.id })).await
    }

    /// Pauses or resumes it without waiting: the request goes out in the moment of the call.
    pub(crate) fn turn_at_once(&self, paused: bool) {
        let shared = &self.inner.shared;
        let (id, link, liveness) = (shared.id, &shared.transport.link, &shared.liveness);
        if paused {
            shared.paused.set(true, || drop(link.ask(liveness, PauseDataProducer { id })));
        } else {
            shared.paused.set(false, || drop(link.ask(liveness, ResumeDataProducer { id })));
        }
    }

    /// On a direct transport: gives a message to its data consumers. The message is queued in the moment of the call; the
    /// future tells whether it was taken.
    ///
    /// # Errors
    /// [`SendDataError`]: not on a direct transport, too large, closed.
    pub fn send(
        &self,
        message: DataMessage,
    ) -> impl Future<Output = Result<(), SendDataError>> + Send + use<> {
        let shared = &self.inner.shared;
        let open = !shared.liveness.is_closed();
        let request = SendToDataProducer { id: shared.id, message };
        let answer = open.then(|| shared.transport.link.call(request)).ok_or(RequestError::Closed);
        async move { Ok(answer?.await??) }
    }

    /// Its statistics.
    ///
    /// # Errors
    /// [`RequestError`].
    pub async fn get_stats(&self) -> Result<DataProducerStats, RequestError> {
        let shared = &self.inner.shared;
        shared.transport.link.ask(&shared.liveness, GetDataProducerStats { id: shared.id }).await
    }

    /// Its internals.
    ///
    /// # Errors
    /// [`RequestError`].
    pub async fn dump(&self) -> Result<DataProducerDump, RequestError> {
        let shared = &self.inner.shared;
        shared.transport.link.ask(&shared.liveness, DumpDataProducer { id: shared.id }).await
    }

    /// Its news as a stream.
    pub fn events(&self) -> EventStream<DataProducerEvent> {
        self.inner.shared.outlet.public.stream()
    }

    /// Everything that happens to it, whoever caused it.
    pub fn observer(&self) -> DataProducerObserver {
        DataProducerObserver { emitter: self.inner.shared.outlet.observer.clone() }
    }

    on_events! { DataProducerEvent, |this| this.inner.shared.outlet.public;
        /// Its transport closed, and it with it.
        on_transport_close => TransportClose;
        /// Messages beyond [`max_messages_per_second`](crate::SctpTransportOptions::max_messages_per_second) went no further: so many by
        /// now. Told once a second while there are more.
        on_messages_limited => MessagesLimited(u64);
        /// A listener of it or its observer panicked.
        on_listener_error => ListenerError(ListenerError);
    }
}

impl std::fmt::Debug for DataProducer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DataProducer")
            .field("id", &self.id())
            .field("closed", &self.closed())
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for WeakDataProducer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WeakDataProducer").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Everything that happens to a [`DataProducer`]. It does not keep the data producer open.
#[derive(Clone)]
pub struct DataProducerObserver {
    emitter: Emitter<DataProducerObserverEvent>,
}

impl DataProducerObserver {
    /// All of it as a stream.
    pub fn events(&self) -> EventStream<DataProducerObserverEvent> {
        self.emitter.stream()
    }

    on_events! { DataProducerObserverEvent, |this| this.emitter;
        /// It closed.
        on_close => Close;
        /// It was paused.
        on_pause => Pause;
        /// It was resumed.
        on_resume => Resume;
    }
}
