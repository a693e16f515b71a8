//! Closing, and what follows from it. `docs/CLOSING.md` has the whole cascade.
//!
//! A parent's close reaches its children first, so that whoever listens hears of the leaves before the trunk.

use crate::arena::Key;
use crate::command::{CloseConsumer, CloseProducer, CloseRouter, CloseTransport};
use crate::consumer::Consumer;
use crate::core::Core;
use crate::error::{CloseError, NotFoundError};
use crate::event::{CloseCause, ConsumerEvent, Event, ProducerEvent, RouterEvent, TransportEvent};
use crate::producer::Producer;
use crate::relay::{RelayNews, Subscription};
use crate::source::{Origin, Source};
use crate::transport_state::TransportTag;
use tureen_rtp_wire::Time;
use tureen_transport::Transport;

/// Transports that are about to close by the cause at hand: their consumers go with them, not with their producers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Closing {
    /// None.
    Nothing,
    /// One.
    Transport(Key<TransportTag>),
    /// All of the router, and so all that can consume the producer.
    Router,
}

impl Closing {
    pub(crate) fn takes(self, transport: Key<TransportTag>) -> bool {
        match self {
            Self::Nothing => false,
            Self::Transport(closing) => closing == transport,
            Self::Router => true,
        }
    }
}

impl<T: Transport> Core<T> {
    pub(crate) fn close_router(&mut self, now: Time, request: CloseRouter) -> Result<(), CloseError> {
        let key = self.index.routers.get(&request.id).copied().ok_or(NotFoundError::Router(request.id))?;
        let observers = self.routers.get(key).map(|router| router.observers.clone()).unwrap_or_default();
        for observer in observers {
            self.end_observer(observer, CloseCause::RouterClosed);
        }
        let transports = self.routers.get(key).map(|router| router.transports.clone()).unwrap_or_default();
        for transport in transports {
            self.end_transport(now, transport, CloseCause::RouterClosed, Closing::Router);
        }
        // What is left are mirrors of other shards' producers; those tell of their own end.
        let sources = self.routers.get(key).map(|router| router.sources.clone()).unwrap_or_default();
        for source in sources {
            self.end_source(source, Closing::Nothing);
        }
        let sources = self.routers.get(key).map(|router| router.data_sources.clone()).unwrap_or_default();
        for source in sources {
            self.end_data_source(now, source, Closing::Nothing);
        }
        self.routers.remove(key);
        self.index.routers.remove(&request.id);
        self.events.push(Event::Router(request.id, RouterEvent::Closed(CloseCause::Requested)));
        Ok(())
    }

    pub(crate) fn close_transport(&mut self, now: Time, request: CloseTransport) -> Result<(), CloseError> {
        let key = self.transport_key(request.id)?;
        self.end_transport(now, key, CloseCause::Requested, Closing::Transport(key));
        Ok(())
    }

    pub(crate) fn close_producer(&mut self, _now: Time, request: CloseProducer) -> Result<(), CloseError> {
        let key = self.producer_key(request.id)?;
        self.end_producer(key, CloseCause::Requested, Closing::Nothing);
        Ok(())
    }

    pub(crate) fn close_consumer(&mut self, _now: Time, request: CloseConsumer) -> Result<(), CloseError> {
        let key = self.consumer_key(request.id)?;
        self.end_consumer(key, CloseCause::Requested);
        Ok(())
    }

    fn end_transport(&mut self, now: Time, key: Key<TransportTag>, cause: CloseCause, closing: Closing) {
        let Some(state) = self.transports.get(key) else { return };
        let (producers, consumers) = (state.producers.clone(), state.consumers.clone());
        for producer in producers {
            self.end_producer(producer, CloseCause::TransportClosed, closing);
        }
        for consumer in consumers {
            self.end_consumer(consumer, CloseCause::TransportClosed);
        }
        self.end_data(now, key, closing);
        let Some(mut state) = self.transports.remove(key) else { return };
        self.index.transports.remove(&state.id);
        if let Some(router) = self.routers.get_mut(state.router) {
            router.transports.retain(|other| *other != key);
        }
        self.dismiss(now, key, &mut state);
        let own = state.adapter.sockets().into_iter().filter(|socket| self.sockets.is_own(*socket, key));
        let own: Vec<_> = own.chain(state.connections).collect();
        for socket in own {
            self.sockets.forget(socket);
            self.leavings.released.push_back(socket);
        }
        self.events.push(Event::Transport(state.id, TransportEvent::Closed(cause)));
    }

    fn end_producer(&mut self, key: Key<Producer>, cause: CloseCause, closing: Closing) {
        let Some(source) = self.producers.get(key).map(|producer| producer.source) else { return };
        self.end_source(source, closing);
        let Some(producer) = self.producers.remove(key) else { return };
        let id = producer.definition.id;
        self.index.producers.remove(&id);
        if let Some(transport) = self.transports.get_mut(producer.transport) {
            transport.listener.remove(key);
            transport.producers.retain(|other| *other != key);
        }
        self.events.push(Event::Producer(id, ProducerEvent::Closed(cause)));
        if let Some(meter) = producer.meter {
            self.end_metering(id, &meter);
        }
    }

    /// Ends the fan-out half of a producer, here and on the shards that mirror it. Consumers of transports that are closing stay for
    /// those.
    pub(crate) fn end_source(&mut self, key: Key<Source>, closing: Closing) {
        let Some(source) = self.sources.get(key) else { return };
        for consumer in source.consumers.clone() {
            let transport = self.consumers.get(consumer).map(|consumer| consumer.transport);
            if !transport.is_some_and(|transport| closing.takes(transport)) {
                self.end_consumer(consumer, CloseCause::ProducerClosed);
            }
        }
        let Some(source) = self.sources.remove(key) else { return };
        self.index.sources.remove(&source.producer_id);
        if let Some(router) = self.routers.get_mut(source.router) {
            router.sources.retain(|other| *other != key);
        }
        match source.origin {
            Origin::Here(_) => {
                for mirror in source.mirrors {
                    let closed = Subscription { producer: source.producer_id, number: mirror.subscription };
                    self.relay.to(mirror.shard).push_news(RelayNews::Closed(closed));
                }
            }
            Origin::Shard { home, subscription } => {
                let ended = Subscription { producer: source.producer_id, number: subscription };
                self.relay.to(home).push_news(RelayNews::Unsubscribe(ended, self.config.shard));
            }
        }
    }

    fn end_consumer(&mut self, key: Key<Consumer>, cause: CloseCause) {
        let Some(consumer) = self.consumers.remove(key) else { return };
        self.tally.past_drops.merge(&consumer.drops);
        let id = consumer.definition.id;
        self.index.consumers.remove(&id);
        if let Some(transport) = self.transports.get_mut(consumer.transport) {
            transport.consumers.retain(|other| *other != key);
            transport.consumer_ssrcs.retain(|_, other| *other != key);
            transport.identities.keep(&consumer);
            if let Some(control) = &mut transport.sending.control {
                control.allocator.remove(key.to_bits());
                consumer.streams.iter().for_each(|stream| control.forget(stream.ssrc));
            }
        }
        if let Some(source) = self.sources.get_mut(consumer.source) {
            source.consumers.retain(|other| *other != key);
        }
        self.wishes_changed(consumer.source);
        self.events.push(Event::Consumer(id, ConsumerEvent::Closed(cause)));
    }
}
