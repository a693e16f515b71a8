//! Typed arenas: objects live in slots and are named by keys that go stale when the slot is reused.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;

/// Names a slot of an arena and the generation of its content. `T` is only a tag that keeps keys of one arena from
/// being used in another.
pub struct Key<T> {
    index: u32,
    generation: u32,
    of: PhantomData<fn() -> T>,
}

impl<T> Key<T> {
    /// The dense index of the slot.
    pub fn index(self) -> u32 {
        self.index
    }

    /// A number that names it, for those who keep keys of no arena.
    pub(crate) fn to_bits(self) -> u64 {
        u64::from(self.generation) << 32 | u64::from(self.index)
    }

    /// The key that [`to_bits`](Self::to_bits) gave.
    pub(crate) fn from_bits(bits: u64) -> Self {
        Self { index: bits as u32, generation: (bits >> 32) as u32, of: PhantomData }
    }
}

impl<T> Clone for Key<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Key<T> {}

impl<T> PartialEq for Key<T> {
    fn eq(&self, other: &Self) -> bool {
        (self.index, self.generation) == (other.index, other.generation)
    }
}

impl<T> Eq for Key<T> {}

impl<T> PartialOrd for Key<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Key<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.index, self.generation).cmp(&(other.index, other.generation))
    }
}

impl<T> Hash for Key<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.index, self.generation).hash(state);
    }
}

impl<T> fmt::Debug for Key<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}v{}", self.index, self.generation)
    }
}

#[derive(Debug)]
struct Slot<T> {
    generation: u32,
    content: Option<T>,
}

/// Slots with generations. Insertion, removal and lookup are O(1).
#[derive(Debug)]
pub(crate) struct Arena<T, Tag = T> {
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
    tag: PhantomData<fn() -> Tag>,
}

impl<T, Tag> Default for Arena<T, Tag> {
    fn default() -> Self {
        Self { slots: Vec::new(), free: Vec::new(), tag: PhantomData }
    }
}

impl<T, Tag> Arena<T, Tag> {
    /// Puts `content` into a free slot.
    pub(crate) fn insert(&mut self, content: T) -> Key<Tag> {
        if let Some(index) = self.free.pop()
            && let Some(slot) = self.slots.get_mut(index as usize)
        {
            slot.content = Some(content);
            return Key { index, generation: slot.generation, of: PhantomData };
        }
        let index = u32::try_from(self.slots.len()).unwrap_or(u32::MAX);
        self.slots.push(Slot { generation: 0, content: Some(content) });
        Key { index, generation: 0, of: PhantomData }
    }

    /// Takes the content out; the key and its copies are stale from now on.
    pub(crate) fn remove(&mut self, key: Key<Tag>) -> Option<T> {
        let slot = self.slots.get_mut(key.index as usize)?;
        if slot.generation != key.generation {
            return None;
        }
        let content = slot.content.take()?;
        slot.generation = slot.generation.wrapping_add(1);
        self.free.push(key.index);
        Some(content)
    }

    /// The content, unless the key is stale.
    pub(crate) fn get(&self, key: Key<Tag>) -> Option<&T> {
        let slot = self.slots.get(key.index as usize)?;
        slot.content.as_ref().filter(|_| slot.generation == key.generation)
    }

    /// The content, unless the key is stale.
    pub(crate) fn get_mut(&mut self, key: Key<Tag>) -> Option<&mut T> {
        let slot = self.slots.get_mut(key.index as usize)?;
        slot.content.as_mut().filter(|_| slot.generation == key.generation)
    }

    /// The content of a slot, whatever its generation.
    pub(crate) fn at(&self, index: u32) -> Option<&T> {
        self.slots.get(index as usize)?.content.as_ref()
    }

    /// All contents.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.slots.iter().filter_map(|slot| slot.content.as_ref())
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_goes_stale_when_its_slot_is_reused() {
        let mut arena: Arena<&str> = Arena::default();
        let first = arena.insert("first");
        assert_eq!(arena.remove(first), Some("first"));
        let second = arena.insert("second");
        assert_eq!(second.index(), first.index());
        assert_eq!(arena.get(first), None);
        assert_eq!(arena.remove(first), None);
        assert_eq!(arena.get(second), Some(&"second"));
        assert_eq!((arena.len(), arena.at(first.index())), (1, Some(&"second")));
        assert_eq!(arena.at(1), None);
        assert_eq!(arena.iter().collect::<Vec<_>>(), [&"second"]);
    }
}
