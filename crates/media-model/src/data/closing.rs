//! Closing data producers and data consumers, in the order of [`crate::control::closing`].

use crate::arena::Key;
use crate::command::{CloseDataConsumer, CloseDataProducer};
use crate::control::closing::Closing;
use crate::core::Core;
use crate::data::{DataConsumer, DataProducer};
use crate::error::CloseError;
use crate::event::{CloseCause, DataConsumerEvent, DataProducerEvent, Event};
use crate::transport_state::{TransportState, TransportTag};
use tureen_rtp_wire::Time;
use tureen_transport::Transport;

impl<T: Transport> Core<T> {
    pub(crate) fn close_data_producer(
        &mut self,
        now: Time,
        request: CloseDataProducer,
    ) -> Result<(), CloseError> {
        let key = self.data_producer_key(request.id)?;
        self.end_data_producer(now, key, CloseCause::Requested, Closing::Nothing);
        Ok(())
    }

    pub(crate) fn close_data_consumer(
        &mut self,
        now: Time,
        request: CloseDataConsumer,
    ) -> Result<(), CloseError> {
        let key = self.data_consumer_key(request.id)?;
        self.end_data_consumer(now, key, CloseCause::Requested);
        Ok(())
    }

    /// Ends all of a transport that is about messages.
    pub(crate) fn end_data(&mut self, now: Time, key: Key<TransportTag>, closing: Closing) {
        let Some(data) = self.data.transports.get(&key) else { return };
        let (producers, consumers) = (data.producers.clone(), data.consumers.clone());
        for producer in producers {
            self.end_data_producer(now, producer, CloseCause::TransportClosed, closing);
        }
        for consumer in consumers {
            self.end_data_consumer(now, consumer, CloseCause::TransportClosed);
        }
    }

    /// Lets the association of a transport that is about to go say goodbye.
    pub(crate) fn dismiss_association(
        &mut self,
        now: Time,
        key: Key<TransportTag>,
        state: &mut TransportState<T>,
    ) {
        let Some(mut association) = self.data.transports.remove(&key).and_then(|data| data.association)
        else {
            return;
        };
        association.close(now);
        while let Some(datagram) = association.poll_transmit() {
            state.adapter.send_data(now, &datagram);
        }
    }

    fn end_data_producer(&mut self, now: Time, key: Key<DataProducer>, cause: CloseCause, closing: Closing) {
        let Some(producer) = self.data.producers.get(key) else { return };
        for consumer in producer.consumers.clone() {
            let transport = self.data.consumers.get(consumer).map(|consumer| consumer.transport);
            if !transport.is_some_and(|transport| closing.takes(transport)) {
                self.end_data_consumer(now, consumer, CloseCause::ProducerClosed);
            }
        }
        let Some(producer) = self.data.producers.remove(key) else { return };
        self.data.producer_ids.remove(&producer.id);
        if let Some(data) = self.data.transports.get_mut(&producer.transport) {
            data.producers.retain(|other| *other != key);
        }
        if let Some(stream) = producer.stream {
            self.free_stream(now, producer.transport, stream.stream_id, |data| {
                data.incoming.remove(&stream.stream_id).is_some()
            });
        }
        self.events.push(Event::DataProducer(producer.id, DataProducerEvent::Closed(cause)));
    }

    fn end_data_consumer(&mut self, now: Time, key: Key<DataConsumer>, cause: CloseCause) {
        let Some(consumer) = self.data.consumers.remove(key) else { return };
        self.data.consumer_ids.remove(&consumer.id);
        if let Some(producer) = self.data.producers.get_mut(consumer.producer) {
            producer.consumers.retain(|other| *other != key);
        }
        if let Some(data) = self.data.transports.get_mut(&consumer.transport) {
            data.consumers.retain(|other| *other != key);
        }
        if let Some(stream) = consumer.stream {
            self.free_stream(now, consumer.transport, stream.stream_id, |data| {
                data.outgoing.remove(&stream.stream_id).is_some()
            });
        }
        self.events.push(Event::DataConsumer(consumer.id, DataConsumerEvent::Closed(cause)));
    }
}
