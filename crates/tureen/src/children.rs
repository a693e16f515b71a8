//! What hangs on an object, in the order in which it was made. Must not know what it is.

use crate::listeners::lock;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// Objects by their serial number. The parent's list keeps none of them open: handles do.
pub(crate) struct Children<T> {
    by_serial: Mutex<BTreeMap<u64, Arc<T>>>,
}

impl<T> Default for Children<T> {
    fn default() -> Self {
        Self { by_serial: Mutex::default() }
    }
}

impl<T> Children<T> {
    pub(crate) fn insert(&self, serial: u64, child: Arc<T>) {
        lock(&self.by_serial).insert(serial, child);
    }

    pub(crate) fn remove(&self, serial: u64) {
        let removed = lock(&self.by_serial).remove(&serial);
        drop(removed);
    }

    /// The children now, oldest first.
    pub(crate) fn all(&self) -> Vec<Arc<T>> {
        lock(&self.by_serial).values().cloned().collect()
    }
}
