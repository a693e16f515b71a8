//! The DataConsumer: a data producer's messages, going out on a transport.

use super::{DataConsumerOptions, DataProducerShared};
use crate::app_data::AppData;
use crate::dispatch::{Created, Task};
use crate::error::{ConsumeDataError, RequestError, SendDataError};
use crate::event::{DataConsumerEvent, DataConsumerObserverEvent};
use crate::index::Living;
use crate::link::Link;
use crate::listeners::{Emitter, ListenerError, Outlet, lock, on_events};
use crate::liveness::Liveness;
use crate::stream::EventStream;
use crate::switch::Switch;
use crate::transport::{AnyTransport, TransportInner, TransportShared};
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use tureen_media_model as model;
use tureen_media_model::{
    AddSubchannel, CloseCause, CloseDataConsumer, ConsumeData, DataConsumerDump, DataConsumerId,
    DataConsumerInfo, DataConsumerStats, DataMessage, DataProducerId, DataType, DumpDataConsumer,
    GetBufferedAmount, GetDataConsumerStats, MirrorDataSource, NotFoundError, PauseDataConsumer,
    PublishDataSource, RemoveSubchannel, Request, ResumeDataConsumer, SendToDataConsumer,
    SetBufferedAmountLowThreshold, SetSubchannels,
};
use tureen_rtp_dictionaries::SctpStreamParameters;
use tureen_runtime::AnyTransport as ShardTransport;
use uuid::Uuid;

/// What all handles to one data consumer share.
pub(crate) struct DataConsumerShared {
    pub(crate) id: DataConsumerId,
    pub(crate) transport: Arc<TransportShared>,
    pub(crate) producer: Arc<DataProducerShared>,
    pub(crate) liveness: Arc<Liveness>,
    outlet: Outlet<DataConsumerEvent, DataConsumerObserverEvent>,
    paused: Switch,
    app_data: AppData,
    serial: u64,
    state: Mutex<DataConsumerState>,
}

/// What is known of a data consumer.
struct DataConsumerState {
    producer_paused: bool,
    /// Events may overtake the task that waits for the answer that made the data consumer; they are newer.
    producer_pause_seen: bool,
    subchannels: Vec<u16>,
}

impl Living for DataConsumerShared {
    fn liveness(&self) -> &Arc<Liveness> {
        &self.liveness
    }
}

impl DataConsumerShared {
    fn new(
        transport: &Arc<TransportShared>,
        producer: &Arc<DataProducerShared>,
        options: &DataConsumerOptions,
    ) -> Self {
        Self {
            id: DataConsumerId(Uuid::new_v4().as_u128()),
            transport: Arc::clone(transport),
            producer: Arc::clone(producer),
            liveness: Liveness::under_both(&transport.liveness, &producer.liveness),
            outlet: Outlet::default(),
            paused: Switch::new(options.paused),
            app_data: options.app_data.clone(),
            serial: transport.link.worker.serial(),
            state: Mutex::new(DataConsumerState {
                producer_paused: false,
                producer_pause_seen: false,
                subchannels: Vec::new(),
            }),
        }
    }

    fn enter(self: &Arc<Self>) {
        self.transport.link.worker.index.data_consumers.insert(self.id, self);
        self.transport.data.consumers.insert(self.serial, Arc::clone(self));
        self.producer.consumers.insert(self.serial, Arc::clone(self));
    }

    /// Takes over what its shard answered.
    fn made(&self, info: &DataConsumerInfo) {
        let mut state = self.state();
        if !state.producer_pause_seen {
            state.producer_paused = info.data_producer_paused;
        }
        state.subchannels.clone_from(&info.subchannels);
    }

    fn state(&self) -> MutexGuard<'_, DataConsumerState> {
        lock(&self.state)
    }

    /// Asks its shard.
    fn ask<R, A>(&self, request: R) -> impl Future<Output = Result<A, RequestError>> + Send + use<R, A>
    where
        R: Request<ShardTransport, Reply = Result<A, NotFoundError>>,
        A: Send,
    {
        self.transport.link.ask(&self.liveness, request)
    }

    fn close(self: &Arc<Self>) {
        if self.liveness.close() {
            self.transport.link.close(CloseDataConsumer { id: self.id });
            self.transport.link.worker.task(Task::DataConsumerClosed(Arc::clone(self)));
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
        match cause {
            CloseCause::TransportClosed => self.outlet.tell(&DataConsumerEvent::TransportClose),
            CloseCause::ProducerClosed => self.outlet.tell(&DataConsumerEvent::DataProducerClose),
            _ => {}
        }
        self.outlet.observe(&DataConsumerObserverEvent::Close);
        self.outlet.end();
        self.forget();
    }

    fn forget(&self) {
        self.transport.data.consumers.remove(self.serial);
        self.producer.consumers.remove(self.serial);
        self.transport.link.worker.index.data_consumers.remove(&self.id, self);
    }

    pub(crate) fn handle_event(&self, event: model::DataConsumerEvent) {
        let outlet = &self.outlet;
        match event {
            model::DataConsumerEvent::Paused { effective } => self.observe_pause(effective),
            model::DataConsumerEvent::Resumed { effective } => self.observe_resume(effective),
            model::DataConsumerEvent::DataProducerPaused { effective } => {
                self.producer_paused(true);
                outlet.tell(&DataConsumerEvent::DataProducerPause);
                self.observe_pause(effective);
            }
            model::DataConsumerEvent::DataProducerResumed { effective } => {
                self.producer_paused(false);
                outlet.tell(&DataConsumerEvent::DataProducerResume);
                self.observe_resume(effective);
            }
            model::DataConsumerEvent::Message { ppid, payload } => {
                outlet.tell(&DataConsumerEvent::Message(DataMessage::new(ppid, payload)));
            }
            model::DataConsumerEvent::SendBufferFull => outlet.tell(&DataConsumerEvent::SctpSendBufferFull),
            model::DataConsumerEvent::BufferedAmountLow(buffered) => {
                outlet.tell(&DataConsumerEvent::BufferedAmountLow(buffered));
            }
            _ => {}
        }
    }

    fn producer_paused(&self, paused: bool) {
        let mut state = self.state();
        state.producer_pause_seen = true;
        state.producer_paused = paused;
    }

    fn observe_pause(&self, effective: bool) {
        if effective {
            self.outlet.observe(&DataConsumerObserverEvent::Pause);
        }
    }

    fn observe_resume(&self, effective: bool) {
        if effective {
            self.outlet.observe(&DataConsumerObserverEvent::Resume);
        }
    }
}

/// A data consumer that is being made; it is closed again unless that succeeds.
struct Pending(Option<Arc<DataConsumerShared>>);

impl Drop for Pending {
    fn drop(&mut self) {
        if let Some(shared) = self.0.take() {
            shared.close();
        }
    }
}

pub(crate) async fn consume_data(
    transport: Arc<TransportInner>,
    options: DataConsumerOptions,
) -> Result<DataConsumer, ConsumeDataError> {
    let parent = &transport.shared;
    if parent.liveness.is_closed() {
        return Err(RequestError::Closed.into());
    }
    let data_producer_id = options.data_producer_id;
    let missing = ConsumeDataError::DataProducerNotFound(data_producer_id);
    let producer = parent.router.data_producer(&data_producer_id).ok_or(missing)?;
    bring(&producer, &parent.link).await?;
    let shared = Arc::new(DataConsumerShared::new(parent, &producer, &options));
    shared.enter();
    // Whoever closes the transport or the data producer from here on finds it; whoever did before did not.
    if shared.liveness.is_closed() {
        shared.abandon();
        return Err(closed(&shared));
    }
    let mut pending = Pending(Some(Arc::clone(&shared)));
    let request = model::DataConsumerOptions {
        id: shared.id,
        data_producer_id,
        ordered: options.ordered,
        max_packet_life_time: options.max_packet_life_time,
        max_retransmits: options.max_retransmits,
        paused: options.paused,
        subchannels: options.subchannels,
    };
    let info = match parent.link.call(ConsumeData { transport: parent.id, options: request }).await? {
        Ok(info) => info,
        Err(refused) => {
            shared.abandon();
            return Err(refused.into());
        }
    };
    shared.made(&info);
    if shared.liveness.is_closed() {
        return Err(closed(&shared));
    }
    pending.0 = None;
    let parent = Arc::clone(parent);
    let consumer = DataConsumer { inner: Arc::new(DataConsumerInner { shared, info, transport }) };
    let worker = Arc::clone(&parent.link.worker);
    worker.task(Created::DataConsumer(parent, consumer.downgrade()).task());
    Ok(consumer)
}

/// Has the data producer's messages relayed to the data consumer's shard, unless it lives there. Both steps do nothing when they
/// were done before.
async fn bring(producer: &DataProducerShared, to: &Link) -> Result<(), ConsumeDataError> {
    let home = &producer.transport.link;
    if home.shard_id() == to.shard_id() {
        return Ok(());
    }
    let request = PublishDataSource { data_producer: producer.id, to: to.shard_id() };
    let published = home.call(request).await?;
    let source = published.map_err(|_| ConsumeDataError::DataProducerNotFound(producer.id))?;
    to.call(MirrorDataSource { source }).await?.map_err(RequestError::from)?;
    Ok(())
}

/// What closed a data consumer while it was being made.
fn closed(shared: &DataConsumerShared) -> ConsumeDataError {
    if shared.transport.liveness.is_closed() {
        RequestError::Closed.into()
    } else {
        ConsumeDataError::DataProducerNotFound(shared.producer.id)
    }
}

struct DataConsumerInner {
    shared: Arc<DataConsumerShared>,
    info: DataConsumerInfo,
    transport: Arc<TransportInner>,
}

impl Drop for DataConsumerInner {
    fn drop(&mut self) {
        self.shared.close();
    }
}

/// A data producer's messages on their way to one endpoint or, on a direct transport, to this program.
///
/// Clones are handles to the same data consumer; it closes with [`DataConsumer::close`], when the last handle goes, or with
/// its data producer.
#[derive(Clone)]
pub struct DataConsumer {
    inner: Arc<DataConsumerInner>,
}

/// A handle that does not keep its data consumer open.
#[derive(Clone)]
pub struct WeakDataConsumer {
    inner: Weak<DataConsumerInner>,
    id: DataConsumerId,
}

impl WeakDataConsumer {
    /// The data consumer, unless its last handle is gone.
    pub fn upgrade(&self) -> Option<DataConsumer> {
        self.inner.upgrade().map(|inner| DataConsumer { inner })
    }

    /// Its id.
    pub fn id(&self) -> DataConsumerId {
        self.id
    }
}

impl DataConsumer {
    /// Its id.
    pub fn id(&self) -> DataConsumerId {
        self.inner.shared.id
    }

    /// What it consumes.
    pub fn data_producer_id(&self) -> DataProducerId {
        self.inner.shared.producer.id
    }

    /// The transport that its messages go out on.
    pub fn transport(&self) -> AnyTransport {
        self.inner.transport.any()
    }

    /// Whether it, its transport or its data producer is closed.
    pub fn closed(&self) -> bool {
        self.inner.shared.liveness.is_closed()
    }

    /// What carries its messages.
    pub fn data_type(&self) -> DataType {
        self.inner.info.data_type
    }

    /// The stream that its endpoint is to take; `None` on a direct transport.
    pub fn sctp_stream_parameters(&self) -> Option<SctpStreamParameters> {
        self.inner.info.sctp_stream_parameters
    }

    /// The data producer's label.
    pub fn label(&self) -> &str {
        &self.inner.info.label
    }

    /// The data producer's protocol.
    pub fn protocol(&self) -> &str {
        &self.inner.info.protocol
    }

    /// Whether it is paused itself.
    pub fn paused(&self) -> bool {
        self.inner.shared.paused.is_on()
    }

    /// Whether its data producer is paused, as far as is known.
    pub fn data_producer_paused(&self) -> bool {
        self.inner.shared.state().producer_paused
    }

    /// Its subchannels, in order.
    pub fn subchannels(&self) -> Vec<u16> {
        self.inner.shared.state().subchannels.clone()
    }

    /// The program's own data.
    pub fn app_data(&self) -> &AppData {
        &self.inner.shared.app_data
    }

    /// Closes it at once; does nothing if it is closed.
    pub fn close(&self) {
        self.inner.shared.close();
    }

    /// A handle that does not keep it open.
    pub fn downgrade(&self) -> WeakDataConsumer {
        WeakDataConsumer { inner: Arc::downgrade(&self.inner), id: self.id() }
    }

    /// Stops its messages: what comes meanwhile is lost to it. Does nothing if it is paused.
    ///
    /// # Errors
    /// [`RequestError`].
    pub async fn pause(&self) -> Result<(), RequestError> {
        let shared = &self.inner.shared;
        shared.paused.turn(true, || shared.ask(PauseDataConsumer { id: shared.id })).await
    }

    /// Lets its messages flow again, if its data producer is not paused; does nothing if it is not paused.
    ///
    /// # Errors
    /// [`RequestError`].
    pub async fn resume(&self) -> Result<(), RequestError> {
        let shared = &self.inner.shared;
        shared.paused.turn(false, || shared.ask(ResumeDataConsumer { id: shared.id })).await
    }

    /// Exchanges its subchannels.
    ///
    /// # Errors
    /// [`RequestError`].
    pub async fn set_subchannels(&self, subchannels: Vec<u16>) -> Result<(), RequestError> {
        let shared = &self.inner.shared;
        shared.state().subchannels = shared.ask(SetSubchannels { id: shared.id, subchannels }).await?;
        Ok(())
    }

    /// Adds a subchannel; does nothing if it has it.
    ///
    /// # Errors
    /// [`RequestError`].
    pub async fn add_subchannel(&self, subchannel: u16) -> Result<(), RequestError> {
        let shared = &self.inner.shared;
        shared.state().subchannels = shared.ask(AddSubchannel { id: shared.id, subchannel }).await?;
        Ok(())
    }

    /// Takes a subchannel away; does nothing if it has it not.
    ///
    /// # Errors
    /// [`RequestError`].
    pub async fn remove_subchannel(&self, subchannel: u16) -> Result<(), RequestError> {
        let shared = &self.inner.shared;
        shared.state().subchannels = shared.ask(RemoveSubchannel { id: shared.id, subchannel }).await?;
        Ok(())
    }

    /// Bytes that wait to be sent or acknowledged; 0 on a direct transport.
    ///
    /// # Errors
    /// [`RequestError`].
    pub async fn get_buffered_amount(&self) -> Result<u32, RequestError> {
        self.inner.shared.ask(GetBufferedAmount { id: self.id() }).await
    }

    /// Sets from what number of waiting bytes downwards [`DataConsumer::on_buffered_amount_low`] tells, when they fall to
    /// it. Before it is set nothing is told.
    ///
    /// # Errors
    /// [`RequestError`].
    pub async fn set_buffered_amount_low_threshold(&self, threshold: u32) -> Result<(), RequestError> {
        self.inner.shared.ask(SetBufferedAmountLowThreshold { id: self.id(), threshold }).await
    }

    /// Sends a message to its endpoint alone, whatever its pauses and subchannels; answers with the bytes that wait then.
    /// The message is queued in the moment of the call.
    ///
    /// # Errors
    /// [`SendDataError`]: on a direct transport, not connected, too large, no room, closed.
    pub fn send(
        &self,
        message: DataMessage,
    ) -> impl Future<Output = Result<u32, SendDataError>> + Send + use<> {
        let shared = &self.inner.shared;
        let open = !shared.liveness.is_closed();
        let request = SendToDataConsumer { id: shared.id, message };
        let answer = open.then(|| shared.transport.link.call(request)).ok_or(RequestError::Closed);
        async move { Ok(answer?.await??) }
    }

    /// Its statistics.
    ///
    /// # Errors
    /// [`RequestError`].
    pub async fn get_stats(&self) -> Result<DataConsumerStats, RequestError> {
        self.inner.shared.ask(GetDataConsumerStats { id: self.id() }).await
    }

    /// Its internals.
    ///
    /// # Errors
    /// [`RequestError`].
    pub async fn dump(&self) -> Result<DataConsumerDump, RequestError> {
        self.inner.shared.ask(DumpDataConsumer { id: self.id() }).await
    }

    /// Its news as a stream.
    pub fn events(&self) -> EventStream<DataConsumerEvent> {
        self.inner.shared.outlet.public.stream()
    }

    /// Everything that happens to it, whoever caused it.
    pub fn observer(&self) -> DataConsumerObserver {
        DataConsumerObserver { emitter: self.inner.shared.outlet.observer.clone() }
    }

    on_events! { DataConsumerEvent, |this| this.inner.shared.outlet.public;
        /// Its transport closed, and it with it.
        on_transport_close => TransportClose;
        /// Its data producer closed, and it with it.
        on_data_producer_close => DataProducerClose;
        /// Its data producer was paused, whether or not the data consumer itself is.
        on_data_producer_pause => DataProducerPause;
        /// Its data producer was resumed, whether or not the data consumer itself is paused.
        on_data_producer_resume => DataProducerResume;
        /// On a direct transport: a message for this program.
        on_message => Message(DataMessage);
        /// A message found no room, at its transport or on the way from another shard, and is lost to it; told once until there is room
        /// again.
        on_sctp_send_buffer_full => SctpSendBufferFull;
        /// What waits fell to its threshold or below; the bytes that wait.
        on_buffered_amount_low => BufferedAmountLow(u32);
        /// A listener of it or its observer panicked.
        on_listener_error => ListenerError(ListenerError);
    }
}

impl std::fmt::Debug for DataConsumer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DataConsumer")
            .field("id", &self.id())
            .field("closed", &self.closed())
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for WeakDataConsumer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WeakDataConsumer").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Everything that happens to a [`DataConsumer`]. It does not keep the data consumer open.
#[derive(Clone)]
pub struct DataConsumerObserver {
    emitter: Emitter<DataConsumerObserverEvent>,
}

impl DataConsumerObserver {
    /// All of it as a stream.
    pub fn events(&self) -> EventStream<DataConsumerObserverEvent> {
        self.emitter.stream()
    }

    on_events! { DataConsumerObserverEvent, |this| this.emitter;
        /// It closed.
        on_close => Close;
        /// Messages stopped: it or its data producer was paused, and neither was before.
        on_pause => Pause;
        /// Messages flow again: neither it nor its data producer is paused, and one was before.
        on_resume => Resume;
    }
}
