//! Messages in a room: data producers and data consumers of peers, and data producers of the program for everybody. Does not know what
//! is said.

use crate::error::{ConsumeDataError, ProduceDataError};
use crate::inbox::{Note, PeerEvent};
use crate::peer::{Peer, PeerShared};
use crate::queue::lock;
use crate::register::{Entry, Register};
use crate::room::Room;
use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use tureen::{
    AnyTransport, DataConsumer, DataConsumerId, DataConsumerOptions, DataProducer, DataProducerId,
    DataProducerOptions, DataTransport, TransportId,
};

/// Who gets data consumers of a data producer unasked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Audience {
    /// Everybody else who has joined, and who will.
    #[default]
    Everybody,
    /// Nobody: those who want one call [`Peer::consume_data`], or are the program itself.
    OnRequest,
}

/// A data consumer that was made unasked.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DataOffer {
    /// Whose messages it passes on; `None` for the program's.
    pub peer_id: Option<String>,
    /// What it consumes.
    pub data_producer: DataProducer,
    /// It passes messages on from the start.
    pub data_consumer: DataConsumer,
}

/// What a peer has for messages.
#[derive(Default)]
pub(crate) struct PeerData {
    producers: BTreeMap<DataProducerId, (DataProducer, Audience)>,
    consumers: BTreeMap<DataConsumerId, DataConsumer>,
}

impl PeerData {
    /// Its data producers that are for everybody.
    fn offered(&self) -> impl Iterator<Item = DataProducerId> {
        let everybody = |(_, (_, audience)): &(&DataProducerId, &(DataProducer, Audience))| {
            *audience == Audience::Everybody
        };
        self.producers.iter().filter(everybody).map(|(id, _)| *id)
    }
}

impl Entry {
    /// Where data consumers are made unasked, if it wants them and that carries messages.
    pub(crate) fn data_sink(&self) -> Option<AnyTransport> {
        self.profile.as_ref().filter(|_| self.peer.wants_consumers())?;
        self.sink().filter(|sink| sink.sctp_parameters().is_some() || matches!(sink, AnyTransport::Direct(_)))
    }
}

/// Offers all data producers of the program and of those who have joined to a peer.
pub(crate) fn offer_all_data(register: &Register, peer: &Peer) {
    let of_peers = register.joined_but(peer).flat_map(|other| other.data.offered());
    for producer in register.data_producers.keys().copied().chain(of_peers) {
        peer.shared.queue.push(Note::ProducedData(producer));
    }
}

/// Offers the data producers of a peer that has just joined to the others.
pub(crate) fn announce_all_data(register: &Register, source: &Peer) {
    let own = register.entries.get(source.id());
    for producer in own.into_iter().flat_map(|entry| entry.data.offered()) {
        announce(register, Some(source), producer);
    }
}

/// Offers a data producer to everybody who has joined, but for its own peer.
fn announce(register: &Register, source: Option<&Peer>, producer: DataProducerId) {
    let others = register.entries.values().filter(|entry| Some(&entry.peer) != source);
    for other in others.filter(|entry| entry.data_sink().is_some()) {
        other.peer.shared.queue.push(Note::ProducedData(producer));
    }
}

impl Room {
    /// Offers a data producer of the program to everybody who has joined, and who will; until it closes.
    pub fn add_data_producer(&self, producer: DataProducer) {
        let id = producer.id();
        let mut register = lock(&self.shared.register);
        register.data_producers.retain(|_, other| !other.closed());
        if register.data_producers.insert(id, producer).is_none() {
            announce(&register, None, id);
        }
    }

    /// A data producer of anybody in it, or of the program; and whose it is, if it is a peer's.
    pub fn data_producer(&self, id: &DataProducerId) -> Option<(Option<String>, DataProducer)> {
        let register = lock(&self.shared.register);
        let own = register.data_producers.get(id).map(|producer| (None, producer));
        let of_peer = |entry: &'_ Entry| Some(entry.peer.id().to_owned());
        let mut entries = register.entries.values();
        let found = own
            .or_else(|| entries.find_map(|entry| Some((of_peer(entry), &entry.data.producers.get(id)?.0))));
        found.filter(|(_, producer)| !producer.closed()).map(|(peer, producer)| (peer, producer.clone()))
    }
}

impl Peer {
    /// Makes a data producer, and with [`Audience::Everybody`] offers it to everybody else who has joined.
    ///
    /// # Errors
    /// [`ProduceDataError`].
    pub async fn produce_data(
        &self,
        transport: &TransportId,
        options: DataProducerOptions,
        audience: Audience,
    ) -> Result<DataProducer, ProduceDataError> {
        if !self.role().may_produce() {
            return Err(ProduceDataError::Role);
        }
        let limit = self.shared.limits.data_producers;
        let found = self.with(|entry| {
            if entry.data.producers.len() >= limit {
                return Err(ProduceDataError::Full(limit));
            }
            entry.transport(transport).ok_or(ProduceDataError::TransportNotFound(*transport))
        });
        let transport = found.ok_or(ProduceDataError::Closed)??;
        let producer = transport.produce_data(options).await?;
        self.register_data_producer(&producer, audience)?;
        listen_to_data_producer(self, &producer);
        Ok(producer)
    }

    fn register_data_producer(
        &self,
        producer: &DataProducer,
        audience: Audience,
    ) -> Result<(), ProduceDataError> {
        let limit = self.shared.limits.data_producers;
        let mut register = lock(&self.room().shared.register);
        let entry = register.entry(self).ok_or(ProduceDataError::Closed)?;
        // Others may have been made meanwhile.
        if entry.data.producers.len() >= limit {
            return Err(ProduceDataError::Full(limit));
        }
        entry.data.producers.insert(producer.id(), (producer.clone(), audience));
        if entry.profile.is_some() && audience == Audience::Everybody {
            announce(&register, Some(self), producer.id());
        }
        Ok(())
    }

    /// A data producer of it.
    pub fn data_producer(&self, id: &DataProducerId) -> Option<DataProducer> {
        let found = self.with(|entry| entry.data.producers.get(id).map(|(producer, _)| producer.clone()));
        found.flatten().filter(|producer| !producer.closed())
    }

    /// Its data producers, by id.
    pub fn data_producers(&self) -> Vec<DataProducer> {
        let all =
            |entry: &mut Entry| entry.data.producers.values().map(|(producer, _)| producer.clone()).collect();
        self.with(all).unwrap_or_default()
    }

    /// Closes a data producer, and the others' data consumers of it. Returns whether there was one.
    pub fn close_data_producer(&self, id: &DataProducerId) -> bool {
        let producer = self.data_producer(id);
        if let Some(producer) = &producer {
            producer.close();
            self.forget_data_producer(id);
        }
        producer.is_some()
    }

    /// It closed, whoever closed it.
    fn forget_data_producer(&self, id: &DataProducerId) {
        drop(self.with(|entry| entry.data.producers.remove(id)));
    }

    /// Makes a data consumer of anybody's data producer.
    ///
    /// # Errors
    /// [`ConsumeDataError`].
    pub async fn consume_data(
        &self,
        transport: &TransportId,
        options: DataConsumerOptions,
    ) -> Result<DataConsumer, ConsumeDataError> {
        let producer = options.data_producer_id;
        let found = self.with(|entry| entry.transport(transport)).ok_or(ConsumeDataError::Closed)?;
        let transport = found.ok_or(ConsumeDataError::TransportNotFound(*transport))?;
        self.room().data_producer(&producer).ok_or(ConsumeDataError::DataProducerNotFound(producer))?;
        self.add_data_consumer(&transport, options).await
    }

    async fn add_data_consumer(
        &self,
        transport: &AnyTransport,
        options: DataConsumerOptions,
    ) -> Result<DataConsumer, ConsumeDataError> {
        let limit = self.shared.limits.data_consumers;
        let count = self.with(|entry| entry.data.consumers.len()).ok_or(ConsumeDataError::Closed)?;
        if count >= limit {
            return Err(ConsumeDataError::Full(limit));
        }
        let consumer = transport.consume_data(options).await?;
        self.with(|entry| entry.data.consumers.insert(consumer.id(), consumer.clone()))
            .ok_or(ConsumeDataError::Closed)?;
        listen_to_data_consumer(self, &consumer);
        Ok(consumer)
    }

    /// It closed, whoever closed it.
    fn forget_data_consumer(&self, id: &DataConsumerId) -> Option<DataConsumer> {
        self.with(|entry| entry.data.consumers.remove(id)).flatten()
    }

    /// Closes a data consumer. Returns whether there was one.
    pub fn close_data_consumer(&self, id: &DataConsumerId) -> bool {
        let consumer = self.forget_data_consumer(id);
        if let Some(consumer) = &consumer {
            consumer.close();
        }
        consumer.is_some()
    }

    /// A data consumer of it.
    pub fn data_consumer(&self, id: &DataConsumerId) -> Option<DataConsumer> {
        let found = self.with(|entry| entry.data.consumers.get(id).cloned()).flatten();
        found.filter(|consumer| !consumer.closed())
    }

    /// Its data consumers, by id.
    pub fn data_consumers(&self) -> Vec<DataConsumer> {
        self.with(|entry| entry.data.consumers.values().cloned().collect()).unwrap_or_default()
    }
}

/// A data consumer for a peer, unless the data producer is gone or the peer has nothing that carries messages.
pub(crate) async fn make(peer: &Peer, producer: DataProducerId) -> Option<DataOffer> {
    let transport = peer.with(|entry| entry.data_sink()).flatten()?;
    let (peer_id, data_producer) = peer.room().data_producer(&producer)?;
    match peer.add_data_consumer(&transport, DataConsumerOptions::new(producer)).await {
        Ok(data_consumer) => Some(DataOffer { peer_id, data_producer, data_consumer }),
        Err(error) => {
            tracing::warn!(peer = peer.id(), %producer, %error, "no data consumer");
            None
        }
    }
}

/// Runs `act` on the peer, from a listener that does not keep it.
fn with(peer: &Weak<PeerShared>, act: impl FnOnce(&Peer)) {
    if let Some(shared) = peer.upgrade() {
        act(&Peer { shared });
    }
}

fn listen_to_data_producer(peer: &Peer, producer: &DataProducer) {
    let id = producer.id();
    let owner = Arc::downgrade(&peer.shared);
    producer.observer().on_close(move || with(&owner, |peer| peer.forget_data_producer(&id))).detach();
    let owner = Arc::downgrade(&peer.shared);
    producer
        .on_messages_limited(move |messages| {
            with(&owner, |peer| peer.tell(PeerEvent::DataProducerLimited(id, *messages)));
        })
        .detach();
    // It may have closed before anybody listened.
    if producer.closed() {
        peer.forget_data_producer(&id);
    }
}

fn listen_to_data_consumer(peer: &Peer, consumer: &DataConsumer) {
    let id = consumer.id();
    let weak = || Arc::downgrade(&peer.shared);
    let owner = weak();
    consumer.on_data_producer_close(move || with(&owner, |peer| tell_closed(peer, id))).detach();
    let owner = weak();
    consumer.observer().on_close(move || with(&owner, |peer| drop(peer.forget_data_consumer(&id)))).detach();
    // It may have closed before anybody listened.
    if consumer.closed() {
        tell_closed(peer, id);
    }
}

/// Tells once that a data consumer closed with its data producer.
fn tell_closed(peer: &Peer, id: DataConsumerId) {
    if peer.forget_data_consumer(&id).is_some() {
        peer.tell(PeerEvent::DataConsumerClosed(id));
    }
}
