//! An egress that discards: slots are written, committed and recycled, as a driver's are after each send.

use tureen_transport::{Destination, Egress, Lane};

/// Bytes from slot to slot: an odd number of cache lines, so that slots spread over all cache sets.
pub const SLOT_STRIDE: usize = 25 * 64;

/// A ring of slots.
#[derive(Debug)]
pub struct SlotPool {
    bytes: Vec<u8>,
    slots: usize,
    next: usize,
    committed: u64,
    committed_bytes: u64,
    last: Option<Destination>,
}

impl SlotPool {
    /// A ring of `slots` slots.
    pub fn new(slots: usize) -> Self {
        let bytes = vec![0; slots * SLOT_STRIDE];
        Self { bytes, slots, next: 0, committed: 0, committed_bytes: 0, last: None }
    }

    /// Packets and bytes committed so far.
    pub fn committed(&self) -> (u64, u64) {
        (self.committed, self.committed_bytes)
    }

    /// Where the slot reserved last would have gone.
    pub fn last_destination(&self) -> Option<Destination> {
        self.last
    }

    /// The slot reserved last.
    pub fn current(&mut self) -> &mut [u8] {
        let start = self.next * SLOT_STRIDE;
        &mut self.bytes[start..start + SLOT_STRIDE]
    }
}

impl Egress for SlotPool {
    fn reserve(&mut self, _: Lane, to: &Destination, capacity: usize) -> Option<&mut [u8]> {
        self.last = Some(*to);
        let start = self.next * SLOT_STRIDE;
        self.bytes.get_mut(start..start + SLOT_STRIDE).filter(|slot| capacity <= slot.len())
    }

    fn commit(&mut self, len: usize) {
        self.committed += 1;
        self.committed_bytes += len as u64;
        self.next = if self.next + 1 == self.slots { 0 } else { self.next + 1 };
    }
}
