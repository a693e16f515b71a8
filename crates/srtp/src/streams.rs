//! A bounded table from SSRC to the state of one stream. Knows nothing of what the state is.
//!
//! Open addressing over 32 bit positions: a look-up is a multiplication and, as a rule, one probe. Memory is taken
//! when a stream is added, never when one is looked up. Streams are not removed: forgetting the index of an SSRC under
//! a living key would let its packet indices, and so its key stream, repeat.

const FIRST_BUCKETS: usize = 8;

#[derive(Debug)]
pub(crate) struct StreamTable<T> {
    entries: Vec<(u32, T)>,
    /// Position in `entries` plus one; zero is empty. The length is a power of two, at least twice that of `entries`.
    buckets: Box<[u32]>,
    limit: usize,
    /// Where the stream is that was looked up for change last: as a rule the next one too.
    recent: usize,
}

impl<T> StreamTable<T> {
    /// An empty table for at most `limit` streams.
    pub(crate) fn new(limit: usize) -> Self {
        Self { entries: Vec::new(), buckets: vec![0; FIRST_BUCKETS].into_boxed_slice(), limit, recent: 0 }
    }

    pub(crate) fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.entries.len() >= self.limit
    }

    pub(crate) fn get(&self, ssrc: u32) -> Option<&T> {
        let position = self.position(ssrc)?;
        self.entries.get(position).map(|(_, state)| state)
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, ssrc: u32) -> Option<&mut T> {
        if self.entries.get(self.recent).is_none_or(|(found, _)| *found != ssrc) {
            self.recent = self.position(ssrc)?;
        }
        self.entries.get_mut(self.recent).map(|(_, state)| state)
    }

    /// Adds a stream that is not in the table yet; `false` when the table is full.
    pub(crate) fn insert(&mut self, ssrc: u32, state: T) -> bool {
        if self.is_full() {
            return false;
        }
        self.entries.push((ssrc, state));
        if self.entries.len() * 2 > self.buckets.len() {
            self.grow();
        } else {
            self.link(ssrc, self.entries.len());
        }
        true
    }

    fn position(&self, ssrc: u32) -> Option<usize> {
        let mut bucket = self.bucket(ssrc);
        loop {
            let position = (*self.buckets.get(bucket)? as usize).checked_sub(1)?;
            if self.entries.get(position).is_some_and(|(found, _)| *found == ssrc) {
                return Some(position);
            }
            bucket = (bucket + 1) & (self.buckets.len() - 1);
        }
    }

    fn grow(&mut self) {
        self.buckets = vec![0; self.buckets.len() * 2].into_boxed_slice();
        for position in 0..self.entries.len() {
            if let Some((ssrc, _)) = self.entries.get(position) {
                self.link(*ssrc, position + 1);
            }
        }
    }

    /// Writes `value` into the first free bucket of `ssrc`; at least half of the buckets are free.
    fn link(&mut self, ssrc: u32, value: usize) {
        let mask = self.buckets.len() - 1;
        let mut bucket = self.bucket(ssrc);
        while let Some(slot) = self.buckets.get_mut(bucket) {
            if *slot == 0 {
                *slot = u32::try_from(value).unwrap_or(0);
                return;
            }
            bucket = (bucket + 1) & mask;
        }
    }

    fn bucket(&self, ssrc: u32) -> usize {
        // Fibonacci hashing: the high bits of the product depend on all bits of the SSRC.
        (ssrc.wrapping_mul(0x9E37_79B1) as usize >> 15) & (self.buckets.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::StreamTable;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #[test]
        fn agrees_with_a_map(ssrcs in prop::collection::vec(0_u32..600, 0..500), limit in 1_usize..300) {
            let mut table = StreamTable::new(limit);
            let mut model = BTreeMap::new();
            for (order, ssrc) in ssrcs.iter().copied().enumerate() {
                if let Some(state) = model.get(&ssrc) {
                    prop_assert_eq!(table.get(ssrc), Some(state));
                    continue;
                }
                let inserted = table.insert(ssrc, order);
                prop_assert_eq!(inserted, model.len() < limit);
                if inserted {
                    model.insert(ssrc, order);
                }
            }
            prop_assert_eq!(table.len(), model.len());
            for ssrc in 0..600 {
                prop_assert_eq!(table.get_mut(ssrc).copied(), model.get(&ssrc).copied());
            }
        }
    }
}
