//! Messages on their way from a data producer to its data consumers. One that has no room delays none of the others.

use crate::arena::Key;
use crate::core::Core;
use crate::data::{DataConsumer, DataMessage, DataModel, DataProducer, DataSource};
use crate::event::{DataConsumerEvent, DataProducerEvent, Event};
use crate::notes::Note;
use std::time::Duration;
use tureen_data::{Association, SendError};
use tureen_rtp_wire::Time;
use tureen_transport::Transport;

const LIMIT_TOLD_EVERY: Duration = Duration::from_secs(1);

/// What became of a message for one data consumer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Delivery {
    Sent,
    /// There is no room now.
    Full,
    /// There is nothing that could carry it.
    Dropped,
}

impl DataModel {
    /// The association that a data consumer sends on, and its stream there.
    pub(super) fn association_of(&mut self, key: Key<DataConsumer>) -> Option<(&mut Association, u16)> {
        let consumer = self.consumers.get(key)?;
        let stream = consumer.stream?.stream_id;
        let association = self.transports.get_mut(&consumer.transport)?.association.as_mut()?;
        Some((association, stream))
    }

    /// Bytes of a data consumer that wait to be sent or acknowledged.
    pub(super) fn buffered_amount(&mut self, key: Key<DataConsumer>) -> u32 {
        let buffered =
            self.association_of(key).map_or(0, |(association, stream)| association.buffered_amount(stream));
        u32::try_from(buffered).unwrap_or(u32::MAX)
    }
}

impl<T: Transport> Core<T> {
    /// Counts a message of a data producer and gives it to all its data consumers that want it, on whichever shard.
    pub(super) fn pass_on(&mut self, now: Time, key: Key<DataProducer>, message: &DataMessage) {
        let Some(producer) = self.data.producers.get_mut(key) else { return };
        producer.messages_received += 1;
        producer.bytes_received += message.payload.len() as u64;
        let source = producer.source;
        let counters = &mut self.counters.data;
        counters.messages_received += 1;
        counters.bytes_received += message.payload.len() as u64;
        let note =
            Note::Message { data_producer: producer.id, ppid: message.ppid, bytes: message.payload.len() };
        self.events.note(now, note);
        self.fan_out(now, source, message);
    }

    /// A message of a data producer goes no further: there are too many. That is told once a second.
    pub(super) fn limit_message(&mut self, now: Time, key: Key<DataProducer>) {
        let Some(producer) = self.data.producers.get_mut(key) else { return };
        producer.messages_limited += 1;
        self.counters.data.messages_limited += 1;
        let note = Note::MessageLimited { data_producer: producer.id, messages: producer.messages_limited };
        self.events.note(now, note);
        if producer.told_limited.is_none_or(|told| now.since(told) >= LIMIT_TOLD_EVERY) {
            producer.told_limited = Some(now);
            let event = DataProducerEvent::MessagesLimited(producer.messages_limited);
            self.events.message(Event::DataProducer(producer.id, event), 0);
        }
    }

    /// Gives a message to the data consumers and mirrors of a source, unless that is paused.
    pub(super) fn fan_out(&mut self, now: Time, key: Key<DataSource>, message: &DataMessage) {
        let Some(source) = self.data.sources.get(key).filter(|source| !source.paused) else { return };
        let (producer, mirrors, consumers) =
            (source.producer_id, source.mirrors.clone(), source.consumers.clone());
        for mirror in mirrors {
            self.relay_message(mirror.shard, producer, message);
        }
        for consumer in consumers {
            self.deliver(now, consumer, message);
        }
    }

    fn deliver(&mut self, now: Time, key: Key<DataConsumer>, message: &DataMessage) {
        let wants = |consumer: &&mut DataConsumer| consumer.pause.flows() && consumer.wants(message);
        let Some(consumer) = self.data.consumers.get_mut(key).filter(wants) else { return };
        let (id, transport, reliability) = (consumer.id, consumer.transport, consumer.reliability);
        let on_wire = consumer.on_wire(message);
        let delivery = if consumer.stream.is_none() {
            let event = DataConsumerEvent::Message { ppid: message.ppid, payload: message.payload.clone() };
            let event = Event::DataConsumer(id, event);
            if self.events.message(event, message.payload.len()) { Delivery::Sent } else { Delivery::Full }
        } else if let (Some((association, stream)), Some((ppid, bytes))) =
            (self.data.association_of(key), on_wire)
        {
            match association.send(now, stream, ppid, &bytes, reliability) {
                Ok(_) => Delivery::Sent,
                Err(SendError::BufferFull { .. }) => Delivery::Full,
                Err(_) => Delivery::Dropped,
            }
        } else {
            Delivery::Dropped
        };
        match delivery {
            Delivery::Sent => {
                self.sent_to(key, message.payload.len());
                self.wake_data(now, transport);
            }
            Delivery::Full => self.no_room_for(now, key, 1),
            Delivery::Dropped => self.dropped_for(now, key, 1),
        }
    }

    pub(super) fn sent_to(&mut self, key: Key<DataConsumer>, len: usize) {
        if let Some(consumer) = self.data.consumers.get_mut(key) {
            consumer.messages_sent += 1;
            consumer.bytes_sent += len as u64;
            consumer.told_full = false;
            self.counters.data.messages_sent += 1;
            self.counters.data.bytes_sent += len as u64;
        }
    }

    fn dropped_for(&mut self, now: Time, key: Key<DataConsumer>, messages: u64) {
        if let Some(consumer) = self.data.consumers.get_mut(key) {
            consumer.messages_dropped += messages;
            self.counters.data.messages_dropped += messages;
            let note = Note::MessageLost { data_consumer: consumer.id, messages: consumer.messages_dropped };
            self.events.note(now, note);
        }
    }

    /// So many messages for a data consumer found no room. That is told once, until something fits in again.
    pub(super) fn no_room_for(&mut self, now: Time, key: Key<DataConsumer>, messages: u64) {
        self.dropped_for(now, key, messages);
        let Some(consumer) = self.data.consumers.get_mut(key) else { return };
        if !std::mem::replace(&mut consumer.told_full, true) {
            let event = Event::DataConsumer(consumer.id, DataConsumerEvent::SendBufferFull);
            // Where nobody takes events it is lost, as the messages before it.
            self.events.message(event, 0);
        }
    }
}
