//! What transports with SCTP and direct ones can do with messages.

use super::{
    AnyTransport, DirectTransport, PipeTransport, PlainTransport, Transport, TransportObserver,
    WebRtcTransport,
};
use crate::children::Children;
use crate::data::{
    DataConsumer, DataConsumerOptions, DataConsumerShared, DataProducer, DataProducerOptions,
    DataProducerShared, consume_data, produce_data,
};
use crate::error::{ConsumeDataError, ProduceDataError};
use crate::event::{TransportEvent, TransportObserverEvent};
use crate::listeners::{HandlerId, Outlet, lock, on_events};
use std::sync::{Arc, Mutex};
use tureen_media_model::{AnnouncedDataChannel, SctpOptions};
use tureen_rtp_dictionaries::{SctpParameters, SctpState};

/// What all handles to one transport share of what it has for messages.
pub(crate) struct TransportData {
    pub(crate) producers: Children<DataProducerShared>,
    pub(crate) consumers: Children<DataConsumerShared>,
    sctp: Option<SctpOptions>,
    state: Mutex<SctpState>,
}

impl TransportData {
    pub(super) fn new(sctp: Option<SctpOptions>) -> Self {
        Self { producers: Children::default(), consumers: Children::default(), sctp, state: Mutex::default() }
    }

    pub(super) fn end(&self) {
        *lock(&self.state) = SctpState::Closed;
    }

    pub(super) fn state_changed(
        &self,
        state: SctpState,
        outlet: &Outlet<TransportEvent, TransportObserverEvent>,
    ) {
        *lock(&self.state) = state;
        outlet.tell(&TransportEvent::SctpStateChange(state));
        outlet.observe(&TransportObserverEvent::SctpStateChange(state));
    }
}

/// What every transport can do with messages: those made with SCTP exchange them with their remote, direct ones with this
/// program.
pub trait DataTransport: Transport {
    /// What the remote must know of the SCTP association; `None` without SCTP.
    fn sctp_parameters(&self) -> Option<SctpParameters> {
        self.inner().shared.data.sctp.as_ref().map(SctpOptions::parameters)
    }

    /// How far the SCTP association has come, as far as is known; `None` without SCTP.
    fn sctp_state(&self) -> Option<SctpState> {
        let data = &self.inner().shared.data;
        data.sctp.map(|_| *lock(&data.state))
    }

    /// Makes a data producer, whose messages come in on this transport.
    ///
    /// # Errors
    /// [`ProduceDataError`], which names the field that is refused; nothing has changed then.
    fn produce_data(
        &self,
        options: DataProducerOptions,
    ) -> impl Future<Output = Result<DataProducer, ProduceDataError>> + Send + use<Self> {
        produce_data(Arc::clone(self.inner()), options)
    }

    /// Makes a data consumer, whose messages go out on this transport, of a data producer on the Router.
    ///
    /// Where the two are on different shards, 4 MiB of messages at most are on the way from one to the other; a message beyond that
    /// is lost to the data consumers there, which tell of it as [`DataConsumer::on_sctp_send_buffer_full`].
    ///
    /// # Errors
    /// [`ConsumeDataError`], which names the field that is refused; nothing has changed then.
    fn consume_data(
        &self,
        options: DataConsumerOptions,
    ) -> impl Future<Output = Result<DataConsumer, ConsumeDataError>> + Send + use<Self> {
        consume_data(Arc::clone(self.inner()), options)
    }

    /// The SCTP association came further, or is over.
    fn on_sctp_state_change(&self, listener: impl Fn(&SctpState) + Send + Sync + 'static) -> HandlerId {
        self.inner().shared.outlet.public.listen(move |event| {
            if let TransportEvent::SctpStateChange(state) = event {
                listener(state);
            }
        })
    }

    /// The remote opened a data channel in the band (RFC 8832), which was acknowledged. Its messages reach nobody until
    /// `produce_data(DataProducerOptions::from(channel))`.
    fn on_data_channel(&self, listener: impl Fn(&AnnouncedDataChannel) + Send + Sync + 'static) -> HandlerId {
        self.inner().shared.outlet.public.listen(move |event| {
            if let TransportEvent::DataChannel(channel) = event {
                listener(channel);
            }
        })
    }
}

impl DataTransport for PlainTransport {}
impl DataTransport for WebRtcTransport {}
impl DataTransport for DirectTransport {}
impl DataTransport for PipeTransport {}
impl DataTransport for AnyTransport {}

impl TransportObserver {
    on_events! { TransportObserverEvent, |this| this.emitter;
        /// As [`DataTransport::on_sctp_state_change`].
        on_sctp_state_change => SctpStateChange(SctpState);
    }

    /// A data producer was made on it.
    pub fn on_new_data_producer(&self, listener: impl Fn(DataProducer) + Send + Sync + 'static) -> HandlerId {
        self.emitter.listen(move |event| {
            if let TransportObserverEvent::NewDataProducer(producer) = event
                && let Some(producer) = producer.upgrade()
            {
                listener(producer);
            }
        })
    }

    /// A data consumer was made on it.
    pub fn on_new_data_consumer(&self, listener: impl Fn(DataConsumer) + Send + Sync + 'static) -> HandlerId {
        self.emitter.listen(move |event| {
            if let TransportObserverEvent::NewDataConsumer(consumer) = event
                && let Some(consumer) = consumer.upgrade()
            {
                listener(consumer);
            }
        })
    }
}
