//! A Worker's objects by id: where events find the object that they are about. Must not know what the objects do.

use crate::consumer::ConsumerShared;
use crate::data::{DataConsumerShared, DataProducerShared};
use crate::listeners::lock;
use crate::liveness::Liveness;
use crate::producer::ProducerShared;
use crate::rtp_observer::RtpObserverShared;
use crate::transport::TransportShared;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex};
use tureen_media_model::{
    ConsumerId, DataConsumerId, DataProducerId, ProducerId, RtpObserverId, TransportId,
};

/// The tables of one Worker. Routers need none: no event of a shard is about them alone.
#[derive(Default)]
pub(crate) struct Index {
    pub(crate) transports: Table<TransportId, TransportShared>,
    pub(crate) producers: Table<ProducerId, ProducerShared>,
    pub(crate) consumers: Table<ConsumerId, ConsumerShared>,
    pub(crate) rtp_observers: Table<RtpObserverId, RtpObserverShared>,
    pub(crate) data_producers: Table<DataProducerId, DataProducerShared>,
    pub(crate) data_consumers: Table<DataConsumerId, DataConsumerShared>,
}

/// An object with a place in the closing tree.
pub(crate) trait Living {
    fn liveness(&self) -> &Arc<Liveness>;
}

pub(crate) struct Table<I, T> {
    entries: Mutex<HashMap<I, Arc<T>>>,
}

impl<I, T> Default for Table<I, T> {
    fn default() -> Self {
        Self { entries: Mutex::default() }
    }
}

impl<I: Hash + Eq, T: Living> Table<I, T> {
    pub(crate) fn get(&self, id: &I) -> Option<Arc<T>> {
        lock(&self.entries).get(id).cloned()
    }

    /// Enters an object; `false` if the id belongs to an open one.
    pub(crate) fn insert(&self, id: I, object: &Arc<T>) -> bool {
        let mut entries = lock(&self.entries);
        let taken = entries.get(&id).is_some_and(|other| !other.liveness().is_closed());
        let replaced = if taken { None } else { entries.insert(id, Arc::clone(object)) };
        drop(entries);
        drop(replaced);
        !taken
    }

    /// Takes an object out, but not another one that has its id by now.
    pub(crate) fn remove(&self, id: &I, object: &T) {
        let mut entries = lock(&self.entries);
        let own = entries.get(id).is_some_and(|entry| std::ptr::eq(Arc::as_ptr(entry), object));
        let removed = if own { entries.remove(id) } else { None };
        drop(entries);
        drop(removed);
    }
}
