//! The slot for the program's own data that every object has.

use crate::listeners::lock;
use std::any::Any;
use std::sync::{Arc, Mutex};

/// A slot for data of the program, of any type; clones share it. It can be changed at any time, from any thread.
///
/// ```
/// use tureen::AppData;
///
/// let slot = AppData::new("alice");
/// assert_eq!(slot.get::<&str>().as_deref(), Some(&"alice"));
/// slot.set(42_u32);
/// assert_eq!(slot.get::<u32>().as_deref(), Some(&42));
/// assert!(slot.get::<&str>().is_none());
/// ```
#[derive(Clone)]
pub struct AppData {
    slot: Arc<Mutex<Arc<dyn Any + Send + Sync>>>,
}

impl Default for AppData {
    /// A slot that holds `()`.
    fn default() -> Self {
        Self::new(())
    }
}

impl AppData {
    /// A slot that holds `value`.
    pub fn new<T: Any + Send + Sync>(value: T) -> Self {
        Self { slot: Arc::new(Mutex::new(Arc::new(value))) }
    }

    /// What the slot holds, if it is a `T`.
    pub fn get<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        Arc::clone(&lock(&self.slot)).downcast().ok()
    }

    /// Puts `value` in the slot, whatever type was there before.
    pub fn set<T: Any + Send + Sync>(&self, value: T) {
        let replaced = std::mem::replace(&mut *lock(&self.slot), Arc::new(value));
        // Outside of the lock: dropping the program's data may run anything.
        drop(replaced);
    }
}

impl std::fmt::Debug for AppData {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AppData").finish_non_exhaustive()
    }
}
