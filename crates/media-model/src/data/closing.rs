//! Closing data producers and data consumers, in the order of [`crate::control::closing`].

use crate::arena::Key;
use crate::command::{CloseDataConsumer, CloseDataProducer};
use crate::control::closing::Closing;
use crate::core::Core;
use crate::data::{DataConsumer, DataOrigin, DataProducer, DataSource};
use crate::error::CloseError;
use crate::event::{CloseCause, DataConsumerEvent, DataProducerEvent, Event};
use crate::relay::{DataNews, RelayNews, Subscription};
use crate::source::Mirror;
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
        let Some(source) = self.data.producers.get(key).map(|producer| producer.source) else { return };
        self.end_data_source(now, source, closing);
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

    /// Ends the fan-out half of a data producer, here and on the shards that mirror it. Data consumers of transports that are closing
    /// stay for those.
    pub(crate) fn end_data_source(&mut self, now: Time, key: Key<DataSource>, closing: Closing) {
        let Some(source) = self.data.sources.get(key) else { return };
        for consumer in source.consumers.clone() {
            let transport = self.data.consumers.get(consumer).map(|consumer| consumer.transport);
            if !transport.is_some_and(|transport| closing.takes(transport)) {
                self.end_data_consumer(now, consumer, CloseCause::ProducerClosed);
            }
        }
        let Some(source) = self.data.sources.remove(key) else { return };
        let producer = source.producer_id;
        self.data.source_ids.remove(&producer);
        if let Some(router) = self.routers.get_mut(source.router) {
            router.data_sources.retain(|other| *other != key);
        }
        match source.origin {
            DataOrigin::Here => {
                for Mirror { shard, subscription } in source.mirrors {
                    let closed = DataNews::Closed(Subscription { producer, number: subscription });
                    self.relay.to(shard).push_news(RelayNews::Data(closed));
                }
            }
            DataOrigin::Shard { home, subscription } => {
                let ended = Subscription { producer, number: subscription };
                let news = DataNews::Unsubscribe(ended, self.config.shard);
                self.relay.to(home).push_news(RelayNews::Data(news));
            }
        }
    }

    fn end_data_consumer(&mut self, now: Time, key: Key<DataConsumer>, cause: CloseCause) {
        let Some(consumer) = self.data.consumers.remove(key) else { return };
        self.data.consumer_ids.remove(&consumer.id);
        if let Some(source) = self.data.sources.get_mut(consumer.source) {
            source.consumers.retain(|other| *other != key);
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
