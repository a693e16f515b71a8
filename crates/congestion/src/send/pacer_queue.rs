//! A queue of fixed room: tokens of packets with their sizes and times.
//!
//! Must not know priorities or rates.

use tureen_rtp_wire::Time;

/// A packet that waits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waiting<T> {
    pub token: T,
    pub size: u16,
    pub since: Time,
}

/// First in, first out.
#[derive(Clone, Debug)]
pub(crate) struct PacerQueue<T> {
    slots: Box<[Option<Waiting<T>>]>,
    first: usize,
    len: usize,
    bytes: u64,
}

impl<T: Copy> PacerQueue<T> {
    pub(crate) fn new(room: usize) -> Self {
        Self { slots: vec![None; room].into_boxed_slice(), first: 0, len: 0, bytes: 0 }
    }

    /// Whether there was room.
    pub(crate) fn push(&mut self, waiting: Waiting<T>) -> bool {
        if self.len >= self.slots.len() {
            return false;
        }
        let place = (self.first + self.len) % self.slots.len();
        let Some(slot) = self.slots.get_mut(place) else { return false };
        *slot = Some(waiting);
        self.len += 1;
        self.bytes += u64::from(waiting.size);
        true
    }

    pub(crate) fn front(&self) -> Option<Waiting<T>> {
        if self.len == 0 { None } else { self.slots.get(self.first).copied().flatten() }
    }

    pub(crate) fn pop(&mut self) -> Option<Waiting<T>> {
        let waiting = self.front()?;
        self.first = (self.first + 1) % self.slots.len();
        self.len -= 1;
        self.bytes -= u64::from(waiting.size);
        Some(waiting)
    }

    /// Keeps what `keep` says, in its order.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(T) -> bool) {
        for _ in 0..self.len {
            if let Some(waiting) = self.pop()
                && keep(waiting.token)
            {
                // There is room: it has just left.
                self.push(waiting);
            }
        }
    }

    pub(crate) const fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(crate) const fn len(&self) -> usize {
        self.len
    }
}
