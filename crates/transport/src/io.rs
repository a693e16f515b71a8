//! The I/O seam: how a driver hands datagrams in and takes packets out, without the Core knowing of sockets.

use crate::address::{Arrival, Destination, Lane};
use tureen_rtp_wire::Ecn;

/// One received datagram, writable so that it can be unprotected in place.
#[derive(Debug)]
pub struct Datagram<'a> {
    /// Where it came in.
    pub arrival: Arrival,
    /// Its bytes.
    pub bytes: &'a mut [u8],
    /// The mark that it came with, where the driver reads marks; else [`Ecn::NotCapable`].
    pub ecn: Ecn,
}

/// A batch of received datagrams.
pub trait Ingress {
    /// The next datagram of the batch.
    fn next(&mut self) -> Option<Datagram<'_>>;
}

/// A batch of packets to send: slots are reserved, written in place and committed.
pub trait Egress {
    /// A slot of at least `capacity` bytes that will go to `to`; `None` if the batch is full, and the packet is lost.
    ///
    /// `lane` groups what goes to one place; a lane always has the same destination within a batch.
    fn reserve(&mut self, lane: Lane, to: &Destination, capacity: usize) -> Option<&mut [u8]>;
    /// Sends the first `len` bytes of the slot reserved last. A slot reserved but not committed is taken back.
    fn commit(&mut self, len: usize);
    /// The same for a packet that is to leave with this mark in its IP header (RFC 3168). A driver that sets no marks sends it without,
    /// which is the default.
    fn commit_marked(&mut self, len: usize, mark: Ecn) {
        let _ = mark;
        self.commit(len);
    }
}
