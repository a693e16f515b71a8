//! Who is in a room and what each has: plain data under the room's one lock. Calls nobody.

use crate::data::PeerData;
use crate::options::{Device, Direction, Profile};
use crate::peer::{Peer, PeerInfo, ProducerInfo};
use std::collections::BTreeMap;
use std::sync::Arc;
use tureen::dictionaries::{MediaKind, RtpCapabilities};
use tureen::{
    AnyTransport, Consumer, ConsumerId, DataProducer, DataProducerId, Producer, ProducerId, Transport,
    TransportId,
};

#[derive(Default)]
pub(crate) struct Register {
    pub(crate) locked: bool,
    pub(crate) closed: bool,
    pub(crate) entries: BTreeMap<String, Entry>,
    /// Producers in the order of their making; some may be gone.
    made: Vec<ProducerId>,
    /// The program's, for everybody.
    pub(crate) data_producers: BTreeMap<DataProducerId, DataProducer>,
}

/// A peer and all that it has.
pub(crate) struct Entry {
    pub(crate) peer: Peer,
    /// Set once it has joined.
    pub(crate) profile: Option<Profile>,
    pub(crate) transports: BTreeMap<TransportId, (AnyTransport, Direction)>,
    /// The transports in the order of their making.
    pub(crate) order: Vec<TransportId>,
    pub(crate) producers: BTreeMap<ProducerId, Producer>,
    pub(crate) consumers: BTreeMap<ConsumerId, Consumer>,
    pub(crate) data: PeerData,
    pub(crate) muted: Vec<MediaKind>,
}

impl Entry {
    pub(crate) fn new(peer: Peer) -> Self {
        Self {
            peer,
            profile: None,
            transports: BTreeMap::new(),
            order: Vec::new(),
            producers: BTreeMap::new(),
            consumers: BTreeMap::new(),
            data: PeerData::default(),
            muted: Vec::new(),
        }
    }

    pub(crate) fn transport(&self, id: &TransportId) -> Option<AnyTransport> {
        self.transports.get(id).map(|(transport, _)| transport.clone())
    }

    /// Where consumers are made unasked.
    pub(crate) fn sink(&self) -> Option<AnyTransport> {
        let mut found = self.order.iter().filter_map(|id| self.transports.get(id));
        found
            .find(|(transport, direction)| *direction == Direction::Consuming && !transport.closed())
            .map(|(transport, _)| transport.clone())
    }

    /// What it can receive, if it wants consumers unasked and has where to put them.
    pub(crate) fn receiver(&self) -> Option<&RtpCapabilities> {
        let capabilities = self.profile.as_ref()?.rtp_capabilities.as_ref()?;
        (self.peer.wants_consumers() && self.sink().is_some()).then_some(capabilities)
    }

    pub(crate) fn is_muted(&self, kind: MediaKind) -> bool {
        self.muted.contains(&kind)
    }

    /// What others are told.
    pub(crate) fn info(&self) -> PeerInfo {
        let profile = self.profile.as_ref();
        let producers = self.producers.values().filter(|producer| !producer.closed());
        PeerInfo {
            id: self.peer.id().to_owned(),
            display_name: profile.map_or_else(String::new, |profile| profile.display_name.clone()),
            device: profile.map_or_else(Device::default, |profile| profile.device.clone()),
            producers: producers
                .map(|producer| ProducerInfo { id: producer.id(), kind: producer.kind() })
                .collect(),
        }
    }
}

impl Register {
    /// The entry of exactly this peer, not of another with its id.
    pub(crate) fn entry(&mut self, peer: &Peer) -> Option<&mut Entry> {
        self.entries.get_mut(peer.id()).filter(|entry| entry.peer == *peer)
    }

    /// Those who have joined, but for one.
    pub(crate) fn joined_but<'a>(&'a self, peer: &'a Peer) -> impl Iterator<Item = &'a Entry> {
        self.entries.values().filter(move |entry| entry.profile.is_some() && entry.peer != *peer)
    }

    pub(crate) fn peers(&self) -> Vec<Peer> {
        self.entries.values().map(|entry| entry.peer.clone()).collect()
    }

    /// Notes a producer that was just made.
    pub(crate) fn note_made(&mut self, id: ProducerId) {
        let Self { entries, made, .. } = self;
        made.retain(|id| entries.values().any(|entry| entry.producers.contains_key(id)));
        made.push(id);
    }

    /// The producers of those who have joined, in the order of their making, and whose they are.
    pub(crate) fn producers(&self) -> Vec<(String, Producer)> {
        let found = |id| self.producer(id);
        let joined = |peer: &String| self.entries.get(peer).is_some_and(|entry| entry.profile.is_some());
        self.made.iter().filter_map(found).filter(|(peer, _)| joined(peer)).collect()
    }

    /// Whose a producer is, if that peer has joined.
    pub(crate) fn joined_owner(&self, id: &ProducerId) -> Option<String> {
        let entry = self.entries.values().find(|entry| entry.producers.contains_key(id))?;
        entry.profile.is_some().then(|| entry.peer.id().to_owned())
    }

    /// A producer of anybody, and whose it is.
    pub(crate) fn producer(&self, id: &ProducerId) -> Option<(String, Producer)> {
        let entry = self.entries.values().find(|entry| entry.producers.contains_key(id))?;
        let producer = entry.producers.get(id).filter(|producer| !producer.closed())?;
        Some((entry.peer.id().to_owned(), producer.clone()))
    }
}

/// What remains to be done once the lock is let go: dropping handles may call anybody.
pub(crate) fn close_all(entry: Entry) {
    for id in &entry.order {
        if let Some((transport, _)) = entry.transports.get(id) {
            transport.close();
        }
    }
    drop(entry);
}

/// Whether two handles are to the same object.
pub(crate) fn same<T: ?Sized>(one: &Arc<T>, other: &Arc<T>) -> bool {
    Arc::ptr_eq(one, other)
}
