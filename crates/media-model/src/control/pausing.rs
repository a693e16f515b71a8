//! Pausing and resuming producers and consumers.
//!
//! A consumer's media flows while neither it nor its producer is paused; when it starts to flow again, it does so on a key
//! frame.

use crate::arena::Key;
use crate::command::{PauseConsumer, PauseProducer, ResumeConsumer, ResumeProducer};
use crate::consumer::Consumer;
use crate::core::Core;
use crate::error::NotFoundError;
use crate::event::{ConsumerEvent, Event, ProducerEvent};
use crate::id::{ConsumerId, ProducerId};
use crate::producer::Producer;
use crate::relay::RelayNews;
use crate::source::Source;
use crate::switches::SwitchCause;
use tureen_rtp_wire::Time;
use tureen_transport::Transport;

impl<T: Transport> Core<T> {
    pub(crate) fn producer_key(&self, id: ProducerId) -> Result<Key<Producer>, NotFoundError> {
        self.index.producers.get(&id).copied().ok_or(NotFoundError::Producer(id))
    }

    pub(crate) fn producer_mut(&mut self, id: ProducerId) -> Result<&mut Producer, NotFoundError> {
        let key = self.producer_key(id)?;
        self.producers.get_mut(key).ok_or(NotFoundError::Producer(id))
    }

    pub(crate) fn consumer_key(&self, id: ConsumerId) -> Result<Key<Consumer>, NotFoundError> {
        self.index.consumers.get(&id).copied().ok_or(NotFoundError::Consumer(id))
    }

    pub(crate) fn consumer_mut(&mut self, id: ConsumerId) -> Result<&mut Consumer, NotFoundError> {
        let key = self.consumer_key(id)?;
        self.consumers.get_mut(key).ok_or(NotFoundError::Consumer(id))
    }

    pub(crate) fn pause_producer(&mut self, now: Time, request: PauseProducer) -> Result<(), NotFoundError> {
        self.set_producer_paused(now, request.id, true)
    }

    pub(crate) fn resume_producer(
        &mut self,
        now: Time,
        request: ResumeProducer,
    ) -> Result<(), NotFoundError> {
        self.set_producer_paused(now, request.id, false)
    }

    fn set_producer_paused(&mut self, now: Time, id: ProducerId, paused: bool) -> Result<(), NotFoundError> {
        let producer = self.producer_mut(id)?;
        if producer.paused == paused {
            return Ok(());
        }
        producer.paused = paused;
        let source = producer.source;
        for stream in producer.streams.iter_mut().flatten() {
            if paused {
                stream.recv.pause();
            } else {
                stream.recv.resume(now);
            }
        }
        let event = if paused { ProducerEvent::Paused } else { ProducerEvent::Resumed };
        self.events.push(Event::Producer(id, event));
        self.set_source_paused(now, source, paused);
        Ok(())
    }

    /// Tells consumers and mirrors of a source that its producer was paused or resumed.
    pub(crate) fn set_source_paused(&mut self, now: Time, key: Key<Source>, paused: bool) {
        let Some(source) = self.sources.get_mut(key) else { return };
        if source.paused == paused {
            return;
        }
        source.paused = paused;
        for store in source.streams.iter_mut().filter_map(|stream| stream.store.as_mut()) {
            // What comes after a pause does not follow on what came before.
            store.forget_run();
        }
        for mirror in source.mirrors.clone() {
            self.relay.to(mirror.shard).push_news(RelayNews::Paused(source.producer_id, paused));
        }
        for consumer_key in source.consumers.clone() {
            let Some(consumer) = self.consumers.get_mut(consumer_key) else { continue };
            consumer.pause.producer = paused;
            let effective = !consumer.pause.own;
            let event = if paused {
                ConsumerEvent::ProducerPaused { effective }
            } else {
                ConsumerEvent::ProducerResumed { effective }
            };
            self.events.push(Event::Consumer(consumer.definition.id, event));
            let cause = if paused { SwitchCause::ProducerPaused } else { SwitchCause::ProducerResumed };
            self.flow_changed(now, consumer_key, cause);
        }
    }

    /// Stops the consumers and mirrors of a source from forwarding it since others are louder, or lets them again. Nobody is told of a
    /// pause.
    pub(crate) fn set_left_out(&mut self, key: Key<Source>, left_out: bool) {
        let Some(source) = self.sources.get_mut(key) else { return };
        if std::mem::replace(&mut source.left_out, left_out) == left_out {
            return;
        }
        for mirror in &source.mirrors {
            self.relay.to(mirror.shard).push_news(RelayNews::LeftOut(source.producer_id, left_out));
        }
        for key in &source.consumers {
            if let Some(consumer) = self.consumers.get_mut(*key) {
                consumer.pause.left_out = left_out;
                consumer.selector.restart();
            }
        }
    }

    pub(crate) fn pause_consumer(&mut self, now: Time, request: PauseConsumer) -> Result<(), NotFoundError> {
        self.set_consumer_paused(now, request.id, true)
    }

    pub(crate) fn resume_consumer(
        &mut self,
        now: Time,
        request: ResumeConsumer,
    ) -> Result<(), NotFoundError> {
        self.set_consumer_paused(now, request.id, false)
    }

    fn set_consumer_paused(&mut self, now: Time, id: ConsumerId, paused: bool) -> Result<(), NotFoundError> {
        let key = self.consumer_key(id)?;
        let consumer = self.consumer_mut(id)?;
        if consumer.pause.own == paused {
            return Ok(());
        }
        consumer.pause.own = paused;
        let source = consumer.source;
        let effective = !consumer.pause.producer;
        let event =
            if paused { ConsumerEvent::Paused { effective } } else { ConsumerEvent::Resumed { effective } };
        self.events.push(Event::Consumer(id, event));
        let cause = if paused { SwitchCause::Paused } else { SwitchCause::Resumed };
        self.flow_changed(now, key, cause);
        self.wishes_changed(source);
        Ok(())
    }

    /// A consumer may have stopped or started to flow: it starts on a key frame, which is asked for.
    pub(crate) fn flow_changed(&mut self, now: Time, key: Key<Consumer>, cause: SwitchCause) {
        let Some(consumer) = self.consumers.get_mut(key) else { return };
        consumer.selector.restart();
        consumer.switches.decide(now, cause);
        consumer.replay = None;
        if consumer.pause.flows() {
            self.request_key_frames_for(key);
        }
        self.reallocate_for(now, key);
        self.note_layers(now, key);
        self.promise_layers(key);
    }
}
