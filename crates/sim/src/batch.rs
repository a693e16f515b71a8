//! The I/O seam of a Core in virtual time: one datagram in, packets out into a list.

use tureen_rtp_wire::Ecn;
use tureen_transport::{Arrival, Datagram, Destination, Egress, Ingress, Lane};

/// One datagram as a batch.
#[derive(Debug)]
pub(crate) struct One {
    arrival: Arrival,
    bytes: Vec<u8>,
    taken: bool,
}

impl One {
    pub(crate) fn new(arrival: Arrival, bytes: Vec<u8>) -> Self {
        Self { arrival, bytes, taken: false }
    }
}

impl Ingress for One {
    fn next(&mut self) -> Option<Datagram<'_>> {
        if std::mem::replace(&mut self.taken, true) {
            return None;
        }
        Some(Datagram { arrival: self.arrival, bytes: &mut self.bytes, ecn: Ecn::NotCapable })
    }
}

/// Packets on their way out, in order.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    reserved: Option<(Destination, Vec<u8>)>,
    packets: Vec<(Destination, Vec<u8>)>,
}

impl Outbox {
    pub(crate) fn take(&mut self) -> Vec<(Destination, Vec<u8>)> {
        self.reserved = None;
        std::mem::take(&mut self.packets)
    }
}

impl Egress for Outbox {
    fn reserve(&mut self, _lane: Lane, to: &Destination, capacity: usize) -> Option<&mut [u8]> {
        let (_, bytes) = self.reserved.insert((*to, vec![0; capacity]));
        Some(bytes)
    }

    fn commit(&mut self, len: usize) {
        if let Some((to, mut bytes)) = self.reserved.take() {
            bytes.truncate(len);
            self.packets.push((to, bytes));
        }
    }
}
