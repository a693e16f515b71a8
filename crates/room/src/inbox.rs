//! What a peer's endpoint has to know, in order; and the making of consumers, which is the reader's own work.
//!
//! Whoever reads the inbox makes the peer's consumers: a producer costs its own peer nothing, however many others there
//! are. Knows no wire format.

use crate::data::{self, DataOffer};
use crate::options::CloseReason;
use crate::peer::{Peer, PeerInfo, PeerShared};
use crate::queue::Supersede;
use std::sync::{Arc, Weak};
use tureen::dictionaries::MediaLayers;
use tureen::model::{BweTrace, ConsumerScore, ProducerScore, TraceInfo};
use tureen::{
    AnyTransport, Consumer, ConsumerId, DataConsumerId, DataProducerId, Producer, ProducerId, Transport,
    TransportId,
};

/// Events that may wait for a peer's reader.
pub(crate) const CAPACITY: usize = 2_048;

/// A consumer that was made unasked, paused.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Offer {
    /// Whose media it is.
    pub peer_id: String,
    /// What it consumes.
    pub producer: Producer,
    /// To be resumed once the endpoint is ready.
    pub consumer: Consumer,
}

/// Something that a peer's endpoint has to know.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum PeerEvent {
    /// Somebody else joined.
    PeerJoined(PeerInfo),
    /// Somebody else who had joined left.
    PeerLeft {
        /// Who.
        peer_id: String,
    },
    /// Somebody else changed their name.
    PeerRenamed {
        /// Who.
        peer_id: String,
        /// The name from now on.
        display_name: String,
        /// The name until now.
        old_display_name: String,
    },
    /// A consumer was made.
    ConsumerAdded(Offer),
    /// A consumer closed with its producer.
    ConsumerClosed(ConsumerId),
    /// A consumer's producer was paused (`true`) or resumed.
    ConsumerPaused(ConsumerId, bool),
    /// A consumer's score changed.
    ConsumerScore(ConsumerId, ConsumerScore),
    /// A consumer gets other layers.
    ConsumerLayers(ConsumerId, Option<MediaLayers>),
    /// A data consumer was made.
    DataConsumerAdded(DataOffer),
    /// A data consumer closed with its data producer.
    DataConsumerClosed(DataConsumerId),
    /// Messages of one of the peer's own data producers went no further, since there were too many in a second: so many by now.
    DataProducerLimited(DataProducerId, u64),
    /// What one of the peer's transports may send to it changed noticeably, or what would be sent to it. Told where the program asked for
    /// the transport's `bwe` trace ([`enable_trace_event`](tureen::Transport::enable_trace_event)), once a second at the most, and five times
    /// where far more or far less may be sent.
    Downlink(TransportId, BweTrace),
    /// A score of one of the peer's own producers changed.
    ProducerScore(ProducerId, Vec<ProducerScore>),
    /// The highest layers that anybody wants of one of the peer's own producers changed; `None` if nobody wants any. See
    /// [`Producer::wanted_layers`].
    ProducerWantedLayers(ProducerId, Option<MediaLayers>),
    /// Somebody in the room speaks, the peer itself perhaps, or nobody any more. Told when that changes, and while somebody speaks every
    /// 800 ms.
    ActiveSpeaker {
        /// Who.
        peer_id: Option<String>,
        /// How loud in the last 800 ms, in dBov, -127 to 0; `None` if that is not known yet, or nobody speaks.
        volume: Option<i8>,
    },
}

/// An event, or work that will become some.
#[derive(Debug)]
pub(crate) enum Note {
    Event(PeerEvent),
    /// Consumers are to be made of it.
    Produced(ProducerId),
    /// A data consumer is to be made of it.
    ProducedData(DataProducerId),
}

impl Supersede for Note {
    fn supersedes(&self, older: &Self) -> bool {
        use PeerEvent as E;
        let (Self::Event(new), Self::Event(old)) = (self, older) else { return false };
        match (new, old) {
            (E::ConsumerPaused(new, _), E::ConsumerPaused(old, _))
            | (E::ConsumerScore(new, _), E::ConsumerScore(old, _))
            | (E::ConsumerLayers(new, _), E::ConsumerLayers(old, _)) => new == old,
            (E::ProducerScore(new, _), E::ProducerScore(old, _))
            | (E::ProducerWantedLayers(new, _), E::ProducerWantedLayers(old, _)) => new == old,
            (E::DataProducerLimited(new, _), E::DataProducerLimited(old, _)) => new == old,
            (E::Downlink(new, _), E::Downlink(old, _)) => new == old,
            (E::ActiveSpeaker { .. }, E::ActiveSpeaker { .. }) => true,
            _ => false,
        }
    }
}

/// What consumers are still to be made of.
enum Work {
    /// A producer, and how many of it.
    Media(ProducerId, u8),
    /// A data producer.
    Data(DataProducerId),
}

/// The one reader of a peer's events. A peer whose inbox holds 2048 events unread is closed as [`CloseReason::Lagged`].
///
/// It does not keep its peer: it may lie in the peer's own [`app_data`](Peer::app_data).
pub struct Inbox {
    peer: Weak<PeerShared>,
    work: Option<Work>,
}

impl Inbox {
    pub(crate) fn new(peer: &Peer) -> Self {
        Self { peer: Arc::downgrade(&peer.shared), work: None }
    }

    /// Whose it is; `None` once the peer is closed and nobody has a handle to it.
    pub fn peer(&self) -> Option<Peer> {
        self.peer.upgrade().map(|shared| Peer { shared })
    }

    /// Waits for the next event, and makes consumers meanwhile; `None` once the peer is closed and all was read, or nobody has a
    /// handle to it. A future that is dropped loses nothing: what it was at is done again by the next.
    pub async fn next(&mut self) -> Option<PeerEvent> {
        let peer = self.peer()?;
        loop {
            if let Some(work) = &self.work {
                let (made, left) = carry_out(&peer, work).await;
                self.work = left;
                if let Some(event) = made {
                    return Some(event);
                }
                continue;
            }
            match peer.shared.queue.next().await {
                Some(Note::Event(event)) => return Some(event),
                Some(Note::Produced(producer)) => {
                    let left = peer.subscription().consumers();
                    self.work = (left > 0).then_some(Work::Media(producer, left));
                }
                Some(Note::ProducedData(producer)) => self.work = Some(Work::Data(producer)),
                None => {
                    if peer.shared.queue.overflowed() {
                        peer.close_because(CloseReason::Lagged);
                    }
                    return None;
                }
            }
        }
    }
}

impl std::fmt::Debug for Inbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inbox").field("peer", &self.peer()).finish_non_exhaustive()
    }
}

/// Makes a consumer. Returns the event that tells of it, and what is left of the work.
async fn carry_out(peer: &Peer, work: &Work) -> (Option<PeerEvent>, Option<Work>) {
    match *work {
        Work::Media(producer, left) => match make(peer, producer).await {
            Some(offer) => {
                let left = left.saturating_sub(1);
                (Some(PeerEvent::ConsumerAdded(offer)), (left > 0).then_some(Work::Media(producer, left)))
            }
            None => (None, None),
        },
        Work::Data(producer) => (data::make(peer, producer).await.map(PeerEvent::DataConsumerAdded), None),
    }
}

/// A consumer for a peer, unless the producer is gone or the peer cannot receive it.
async fn make(peer: &Peer, producer: ProducerId) -> Option<Offer> {
    let (transport, capabilities) = peer.sink()?;
    let (peer_id, source) = peer.room().producer(&producer)?;
    if !peer.router().can_consume(&producer, &capabilities).unwrap_or(false) {
        tracing::debug!(peer = peer.id(), %producer, "cannot receive this producer");
        return None;
    }
    match peer.make_consumer(&transport, producer, capabilities, true).await {
        Ok(consumer) => Some(Offer { peer_id, producer: source, consumer }),
        Err(error) => {
            tracing::warn!(peer = peer.id(), %producer, %error, "no consumer");
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

pub(crate) fn listen_to_consumer(peer: &Peer, consumer: &Consumer) {
    let id = consumer.id();
    let weak = || Arc::downgrade(&peer.shared);
    let owner = weak();
    consumer.on_producer_close(move || with(&owner, |peer| tell_closed(peer, id))).detach();
    let owner = weak();
    consumer
        .on_producer_pause(move || with(&owner, |peer| peer.tell(PeerEvent::ConsumerPaused(id, true))))
        .detach();
    let owner = weak();
    consumer
        .on_producer_resume(move || with(&owner, |peer| peer.tell(PeerEvent::ConsumerPaused(id, false))))
        .detach();
    let owner = weak();
    consumer
        .on_score(move |score| with(&owner, |peer| peer.tell(PeerEvent::ConsumerScore(id, score.clone()))))
        .detach();
    let owner = weak();
    consumer
        .on_layers_change(move |layers| {
            with(&owner, |peer| peer.tell(PeerEvent::ConsumerLayers(id, *layers)))
        })
        .detach();
    let owner = weak();
    consumer.observer().on_close(move || with(&owner, |peer| drop(peer.forget_consumer(&id)))).detach();
    // It may have closed before anybody listened.
    if consumer.closed() {
        tell_closed(peer, id);
    }
}

/// Tells once that a consumer closed with its producer.
fn tell_closed(peer: &Peer, id: ConsumerId) {
    if peer.forget_consumer(&id).is_some() {
        peer.tell(PeerEvent::ConsumerClosed(id));
    }
}

pub(crate) fn listen_to_transport(peer: &Peer, transport: &AnyTransport) {
    let id = transport.id();
    let owner = Arc::downgrade(&peer.shared);
    transport
        .on_trace(move |trace| {
            if let TraceInfo::Bwe(bwe) = trace.info {
                with(&owner, |peer| peer.tell(PeerEvent::Downlink(id, bwe)));
            }
        })
        .detach();
}

pub(crate) fn listen_to_producer(peer: &Peer, producer: &Producer) {
    let id = producer.id();
    let owner = Arc::downgrade(&peer.shared);
    producer
        .on_score(move |scores| with(&owner, |peer| peer.tell(PeerEvent::ProducerScore(id, scores.to_vec()))))
        .detach();
    let owner = Arc::downgrade(&peer.shared);
    producer
        .on_wanted_layers_change(move |layers| {
            with(&owner, |peer| peer.tell(PeerEvent::ProducerWantedLayers(id, *layers)))
        })
        .detach();
    let owner = Arc::downgrade(&peer.shared);
    producer.observer().on_close(move || with(&owner, |peer| peer.forget_producer(&id))).detach();
    if producer.closed() {
        peer.forget_producer(&id);
    }
}
