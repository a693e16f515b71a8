//! A peer: somebody in a room, with transports, producers and consumers. Does not know how its endpoint is reached.

use crate::data::{announce_all_data, offer_all_data};
use crate::error::{AddTransportError, ConsumeError, JoinError, ProduceError};
use crate::inbox::{CAPACITY, Note, PeerEvent, listen_to_consumer, listen_to_producer, listen_to_transport};
use crate::options::{CloseReason, Device, Direction, PeerLimits, PeerOptions, Profile, Role, Subscription};
use crate::queue::{Queue, lock};
use crate::register::{Entry, Register, close_all, same};
use crate::room::Room;
use crate::rooms::RoomsEvent;
use std::sync::{Arc, Mutex, OnceLock};
use tureen::dictionaries::{MediaKind, RtpCapabilities, validate_rtp_capabilities};
use tureen::{
    AnyTransport, AppData, Consumer, ConsumerId, ConsumerOptions, KeyFrameCache, Producer, ProducerId,
    ProducerOptions, RequestError, Router, Transport, TransportId,
};

pub(crate) struct PeerShared {
    id: String,
    role: Role,
    subscription: Mutex<Subscription>,
    pub(crate) limits: PeerLimits,
    room: Room,
    pub(crate) queue: Queue<Note>,
    reason: OnceLock<CloseReason>,
    app_data: AppData,
}

/// Somebody in a room, as others are told.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PeerInfo {
    /// Its id.
    pub id: String,
    /// For people.
    pub display_name: String,
    /// What it runs on.
    pub device: Device,
    /// What it sends.
    pub producers: Vec<ProducerInfo>,
}

/// What somebody sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProducerInfo {
    /// Its id.
    pub id: ProducerId,
    /// Audio or video.
    pub kind: MediaKind,
}

/// Somebody in a room. Clones are handles to the same peer; it does not leave with them, but by [`Peer::close`] or with
/// its room.
#[derive(Clone)]
pub struct Peer {
    pub(crate) shared: Arc<PeerShared>,
}

impl PartialEq for Peer {
    fn eq(&self, other: &Self) -> bool {
        same(&self.shared, &other.shared)
    }
}

impl Eq for Peer {}

impl Peer {
    pub(crate) fn new(room: Room, options: PeerOptions) -> Self {
        Self {
            shared: Arc::new(PeerShared {
                id: options.id,
                role: options.role,
                subscription: Mutex::new(options.subscription),
                limits: options.limits,
                room,
                queue: Queue::new(CAPACITY),
                reason: OnceLock::new(),
                app_data: options.app_data,
            }),
        }
    }

    /// Its id.
    pub fn id(&self) -> &str {
        &self.shared.id
    }

    /// What it may do.
    pub fn role(&self) -> Role {
        self.shared.role
    }

    /// The room that it is, or was, in.
    pub fn room(&self) -> &Room {
        &self.shared.room
    }

    /// The Router that its transports are to be on.
    pub fn router(&self) -> &Router {
        self.shared.room.router()
    }

    /// The program's own data.
    pub fn app_data(&self) -> &AppData {
        &self.shared.app_data
    }

    /// Why it is closed, if it is.
    pub fn close_reason(&self) -> Option<CloseReason> {
        self.shared.reason.get().copied()
    }

    /// Whether it is closed.
    pub fn closed(&self) -> bool {
        self.close_reason().is_some()
    }

    /// Which consumers it gets.
    pub fn subscription(&self) -> Subscription {
        *lock(&self.shared.subscription)
    }

    pub(crate) fn wants_consumers(&self) -> bool {
        self.subscription() != Subscription::OnRequest
    }

    /// Changes how many consumers it gets of producers to come.
    pub fn set_subscription(&self, subscription: Subscription) {
        *lock(&self.shared.subscription) = subscription;
    }

    /// What others are told of it.
    pub fn info(&self) -> Option<PeerInfo> {
        self.with(|entry| entry.info())
    }

    /// Whether it has joined.
    pub fn joined(&self) -> bool {
        self.with(|entry| entry.profile.is_some()).unwrap_or(false)
    }

    /// What it told of itself when it joined.
    pub fn profile(&self) -> Option<Profile> {
        self.with(|entry| entry.profile.clone()).flatten()
    }

    pub(crate) fn with<T>(&self, read: impl FnOnce(&mut Entry) -> T) -> Option<T> {
        lock(&self.shared.room.shared.register).entry(self).map(read)
    }

    /// Makes it known to the others, and starts to offer it what they produce. Returns who has joined before.
    ///
    /// # Errors
    /// [`JoinError`].
    pub fn join(&self, mut profile: Profile) -> Result<Vec<PeerInfo>, JoinError> {
        if let Some(capabilities) = &mut profile.rtp_capabilities {
            validate_rtp_capabilities(capabilities)?;
        }
        let mut register = lock(&self.shared.room.shared.register);
        let entry = register.entry(self).ok_or(JoinError::Closed)?;
        if entry.profile.is_some() {
            return Err(JoinError::AlreadyJoined);
        }
        entry.profile = Some(profile);
        let info = entry.info();
        let (receives, hears) = (entry.receiver().is_some(), entry.data_sink().is_some());
        let others = register.joined_but(self).map(Entry::info).collect();
        for other in register.joined_but(self) {
            other.peer.tell(PeerEvent::PeerJoined(info.clone()));
        }
        if receives {
            self.offer_all(&register);
        }
        if hears {
            offer_all_data(&register, self);
        }
        // Producers may have been made before.
        for producer in &info.producers {
            announce(&register, self, producer.id);
        }
        announce_all_data(&register, self);
        drop(register);
        self.shared.room.shared.tell(|room| RoomsEvent::PeerJoined { room, peer: self.id().to_owned() });
        Ok(others)
    }

    /// Changes its name.
    ///
    /// # Errors
    /// The peer has not joined, or is closed.
    pub fn rename(&self, display_name: String) -> Result<(), JoinError> {
        let mut register = lock(&self.shared.room.shared.register);
        let profile =
            register.entry(self).and_then(|entry| entry.profile.as_mut()).ok_or(JoinError::Closed)?;
        let old_display_name = std::mem::replace(&mut profile.display_name, display_name.clone());
        let event = PeerEvent::PeerRenamed { peer_id: self.id().to_owned(), display_name, old_display_name };
        register.joined_but(self).for_each(|other| other.peer.tell(event.clone()));
        Ok(())
    }

    /// Queues an event for its endpoint.
    pub(crate) fn tell(&self, event: PeerEvent) {
        self.shared.queue.push(Note::Event(event));
    }

    /// Every producer of those who have joined is to be offered to it.
    fn offer_all(&self, register: &Register) {
        for producer in register.joined_but(self).flat_map(|other| other.producers.keys()) {
            self.shared.queue.push(Note::Produced(*producer));
        }
    }

    /// Takes a transport of the room's Router over: it closes with the peer.
    ///
    /// # Errors
    /// [`AddTransportError`].
    pub fn add_transport(
        &self,
        transport: impl Into<AnyTransport>,
        direction: Direction,
    ) -> Result<TransportId, AddTransportError> {
        let transport = transport.into();
        let id = transport.id();
        if transport.router().id() != self.router().id() {
            return Err(AddTransportError::OtherRouter);
        }
        let limit = self.shared.limits.transports;
        let mut register = lock(&self.shared.room.shared.register);
        let entry = register.entry(self).ok_or(AddTransportError::Closed)?;
        if entry.transports.len() >= limit {
            return Err(AddTransportError::Full(limit));
        }
        let first_sink = entry.sink().is_none();
        let weak = Arc::downgrade(&self.shared);
        transport
            .observer()
            .on_close(move || {
                if let Some(shared) = weak.upgrade() {
                    Self { shared }.forget_transport(&id);
                }
            })
            .detach();
        listen_to_transport(self, &transport);
        entry.transports.insert(id, (transport, direction));
        entry.order.push(id);
        let (media, data) = (entry.receiver().is_some(), entry.data_sink().is_some());
        if first_sink && media {
            self.offer_all(&register);
        }
        if first_sink && data {
            offer_all_data(&register, self);
        }
        Ok(id)
    }

    /// Whether it may have another transport.
    pub fn transports_left(&self) -> usize {
        let limit = self.shared.limits.transports;
        self.with(|entry| limit.saturating_sub(entry.transports.len())).unwrap_or(0)
    }

    fn forget_transport(&self, id: &TransportId) {
        let forgotten = self.with(|entry| {
            entry.order.retain(|other| other != id);
            entry.transports.remove(id)
        });
        drop(forgotten);
    }

    /// A transport of it.
    pub fn transport(&self, id: &TransportId) -> Option<AnyTransport> {
        self.with(|entry| entry.transport(id)).flatten()
    }

    /// Its transports, in the order of their making.
    pub fn transports(&self) -> Vec<AnyTransport> {
        self.with(|entry| entry.order.iter().filter_map(|id| entry.transport(id)).collect())
            .unwrap_or_default()
    }

    /// Closes a transport and all on it. Returns whether there was one.
    pub fn close_transport(&self, id: &TransportId) -> bool {
        let transport = self.transport(id);
        if let Some(transport) = &transport {
            transport.close();
            self.forget_transport(id);
        }
        transport.is_some()
    }

    /// Makes a producer, and offers it to everybody else who has joined. While its kind is muted it is paused.
    ///
    /// # Errors
    /// [`ProduceError`].
    pub async fn produce(
        &self,
        transport: &TransportId,
        mut options: ProducerOptions,
    ) -> Result<Producer, ProduceError> {
        if !self.role().may_produce() {
            return Err(ProduceError::Role);
        }
        let limit = self.shared.limits.producers;
        let found = self.with(|entry| {
            if entry.producers.len() >= limit {
                return Err(ProduceError::Full(limit));
            }
            let muted = entry.is_muted(options.kind);
            Ok((entry.transport(transport).ok_or(ProduceError::TransportNotFound(*transport))?, muted))
        });
        let (transport, muted) = found.ok_or(ProduceError::Closed)??;
        options.paused |= muted;
        if KeyFrameCache::suits(options.kind, &options.rtp_parameters) {
            options.key_frame_cache = options.key_frame_cache.or(self.shared.room.shared.key_frame_cache());
        }
        let producer = transport.produce(options).await?;
        self.register_producer(&producer)?;
        listen_to_producer(self, &producer);
        let (id, kind) = (producer.id(), producer.kind());
        let peer = self.id().to_owned();
        self.shared.room.shared.tell(|room| RoomsEvent::ProducerAdded { room, peer, producer: id, kind });
        self.shared.room.shared.speakers.add(&producer).await;
        Ok(producer)
    }

    fn register_producer(&self, producer: &Producer) -> Result<(), ProduceError> {
        let limit = self.shared.limits.producers;
        let mut register = lock(&self.shared.room.shared.register);
        let entry = register.entry(self).ok_or(ProduceError::Closed)?;
        // Others may have been made meanwhile.
        if entry.producers.len() >= limit {
            return Err(ProduceError::Full(limit));
        }
        entry.producers.insert(producer.id(), producer.clone());
        let joined = entry.profile.is_some();
        register.note_made(producer.id());
        if joined {
            announce(&register, self, producer.id());
        }
        Ok(())
    }

    /// It closed, whoever closed it.
    pub(crate) fn forget_producer(&self, id: &ProducerId) {
        let Some(producer) = self.with(|entry| entry.producers.remove(id)).flatten() else { return };
        self.tell_producer_removed(&producer);
    }

    fn tell_producer_removed(&self, producer: &Producer) {
        let (id, kind, peer) = (producer.id(), producer.kind(), self.id().to_owned());
        self.shared.room.shared.tell(|room| RoomsEvent::ProducerRemoved { room, peer, producer: id, kind });
    }

    /// A producer of it.
    pub fn producer(&self, id: &ProducerId) -> Option<Producer> {
        self.with(|entry| entry.producers.get(id).filter(|producer| !producer.closed()).cloned()).flatten()
    }

    /// Its producers, by id.
    pub fn producers(&self) -> Vec<Producer> {
        self.with(|entry| entry.producers.values().cloned().collect()).unwrap_or_default()
    }

    /// Closes a producer, and the others' consumers of it. Returns whether there was one.
    pub fn close_producer(&self, id: &ProducerId) -> bool {
        let producer = self.producer(id);
        if let Some(producer) = &producer {
            producer.close();
            self.forget_producer(id);
        }
        producer.is_some()
    }

    /// Pauses all that it sends of a kind and keeps it paused, or resumes it.
    ///
    /// # Errors
    /// [`RequestError`].
    pub async fn set_muted(&self, kind: MediaKind, muted: bool) -> Result<(), RequestError> {
        let producers = self.with(|entry| {
            entry.muted.retain(|other| *other != kind);
            if muted {
                entry.muted.push(kind);
            }
            entry.producers.values().filter(|producer| producer.kind() == kind).cloned().collect::<Vec<_>>()
        });
        for producer in producers.ok_or(RequestError::Closed)? {
            if muted { producer.pause().await? } else { producer.resume().await? }
        }
        Ok(())
    }

    /// Whether a kind is muted.
    pub fn muted(&self, kind: MediaKind) -> bool {
        self.with(|entry| entry.is_muted(kind)).unwrap_or(false)
    }

    /// Makes a consumer of anybody's producer. Without capabilities those that it joined with count, and without those the
    /// Router's.
    ///
    /// # Errors
    /// [`ConsumeError`].
    pub async fn consume(
        &self,
        transport: &TransportId,
        producer: ProducerId,
        rtp_capabilities: Option<RtpCapabilities>,
        paused: bool,
    ) -> Result<Consumer, ConsumeError> {
        let found = self.with(|entry| {
            let own = entry.profile.as_ref().and_then(|profile| profile.rtp_capabilities.clone());
            let found = entry.transport(transport).ok_or(ConsumeError::TransportNotFound(*transport));
            found.map(|transport| (transport, own))
        });
        let (transport, own) = found.ok_or(ConsumeError::Closed)??;
        self.room().producer(&producer).ok_or(ConsumeError::ProducerNotFound(producer))?;
        let capabilities = rtp_capabilities.or(own).unwrap_or_else(|| self.router().rtp_capabilities());
        self.make_consumer(&transport, producer, capabilities, paused).await
    }

    /// As [`Peer::consume`], with all options that a consumer has.
    ///
    /// # Errors
    /// [`ConsumeError`].
    pub async fn consume_with(
        &self,
        transport: &TransportId,
        options: ConsumerOptions,
    ) -> Result<Consumer, ConsumeError> {
        let producer = options.producer_id;
        let found = self.with(|entry| entry.transport(transport)).ok_or(ConsumeError::Closed)?;
        let transport = found.ok_or(ConsumeError::TransportNotFound(*transport))?;
        self.room().producer(&producer).ok_or(ConsumeError::ProducerNotFound(producer))?;
        self.add_consumer(&transport, options).await
    }

    pub(crate) async fn make_consumer(
        &self,
        transport: &AnyTransport,
        producer: ProducerId,
        capabilities: RtpCapabilities,
        paused: bool,
    ) -> Result<Consumer, ConsumeError> {
        let mut options = ConsumerOptions::new(producer, capabilities);
        options.paused = paused;
        self.add_consumer(transport, options).await
    }

    async fn add_consumer(
        &self,
        transport: &AnyTransport,
        options: ConsumerOptions,
    ) -> Result<Consumer, ConsumeError> {
        let limit = self.shared.limits.consumers;
        let count = self.with(|entry| entry.consumers.len()).ok_or(ConsumeError::Closed)?;
        if count >= limit {
            return Err(ConsumeError::Full(limit));
        }
        let consumer = transport.consume(options).await?;
        self.with(|entry| entry.consumers.insert(consumer.id(), consumer.clone()))
            .ok_or(ConsumeError::Closed)?;
        listen_to_consumer(self, &consumer);
        Ok(consumer)
    }

    /// It closed, whoever closed it.
    pub(crate) fn forget_consumer(&self, id: &ConsumerId) -> Option<Consumer> {
        self.with(|entry| entry.consumers.remove(id)).flatten()
    }

    /// Closes a consumer. Returns whether there was one.
    pub fn close_consumer(&self, id: &ConsumerId) -> bool {
        let consumer = self.forget_consumer(id);
        if let Some(consumer) = &consumer {
            consumer.close();
        }
        consumer.is_some()
    }

    /// A consumer of it.
    pub fn consumer(&self, id: &ConsumerId) -> Option<Consumer> {
        self.with(|entry| entry.consumers.get(id).filter(|consumer| !consumer.closed()).cloned()).flatten()
    }

    /// Its consumers, by id.
    pub fn consumers(&self) -> Vec<Consumer> {
        self.with(|entry| entry.consumers.values().cloned().collect()).unwrap_or_default()
    }

    pub(crate) fn sink(&self) -> Option<(AnyTransport, RtpCapabilities)> {
        self.with(|entry| Some((entry.sink()?, entry.receiver()?.clone()))).flatten()
    }

    /// Leaves the room, with all that it has; does nothing if it is closed.
    pub fn close(&self) {
        self.close_because(CloseReason::Left);
    }

    /// Leaves the room for a certain reason; see [`Peer::close`].
    pub fn close_because(&self, reason: CloseReason) {
        if self.shared.reason.set(reason).is_err() {
            return;
        }
        let room = &self.shared.room;
        let (entry, last) = {
            let mut register = lock(&room.shared.register);
            if register.entry(self).is_none() {
                return;
            }
            let Some(entry) = register.entries.remove(self.id()) else { return };
            if entry.profile.is_some() {
                let left = PeerEvent::PeerLeft { peer_id: self.id().to_owned() };
                register.joined_but(self).for_each(|other| other.peer.tell(left.clone()));
            }
            let last = register.entries.is_empty() && !register.closed;
            register.closed |= last;
            (entry, last)
        };
        let joined = entry.profile.is_some();
        let producers: Vec<_> = entry.producers.values().cloned().collect();
        close_all(entry);
        self.shared.queue.end();
        producers.iter().for_each(|producer| self.tell_producer_removed(producer));
        if joined {
            let peer = self.id().to_owned();
            room.shared.tell(|room| RoomsEvent::PeerLeft { room, peer, reason });
        }
        if last {
            room.end();
        }
    }
}

/// Offers a producer to everybody who has joined, but for its own peer.
fn announce(register: &Register, source: &Peer, producer: ProducerId) {
    for other in register.joined_but(source).filter(|other| other.receiver().is_some()) {
        other.peer.shared.queue.push(Note::Produced(producer));
    }
}

impl std::fmt::Debug for Peer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Peer").field("id", &self.id()).field("closed", &self.closed()).finish_non_exhaustive()
    }
}
