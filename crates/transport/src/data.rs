//! Bare SCTP on a plain transport: how its packets are told from others, and those that wait. Knows no association.

use std::collections::VecDeque;

/// Both ports of every packet (RFC 9260 section 3.1): 5000, which no RTP, RTCP, STUN or DTLS begins with.
const PORTS: [u8; 4] = [0x13, 0x88, 0x13, 0x88];
/// The common header, and the header of a chunk.
const MIN_LEN: usize = 16;
/// Datagrams that wait in either direction at most; more are lost.
const MAX_WAITING: usize = 64;

/// Whether a datagram looks like SCTP.
pub(crate) fn is_sctp(datagram: &[u8]) -> bool {
    datagram.len() >= MIN_LEN && datagram.starts_with(&PORTS)
}

/// Whether it begins an association: an INIT to tag 0 (RFC 9260 section 3.3.2).
pub(crate) fn begins_association(datagram: &[u8]) -> bool {
    datagram.get(4..8) == Some(&[0; 4]) && datagram.get(12) == Some(&1)
}

/// Datagrams on their way between the socket and the association.
#[derive(Debug, Default)]
pub(crate) struct DataQueues {
    incoming: VecDeque<Vec<u8>>,
    outgoing: VecDeque<Vec<u8>>,
}

impl DataQueues {
    pub(crate) fn receive(&mut self, datagram: &[u8]) {
        push(&mut self.incoming, datagram);
    }

    pub(crate) fn send(&mut self, datagram: &[u8]) {
        push(&mut self.outgoing, datagram);
    }

    pub(crate) fn next_received(&mut self) -> Option<Vec<u8>> {
        self.incoming.pop_front()
    }

    pub(crate) fn next_to_send(&mut self) -> Option<Vec<u8>> {
        self.outgoing.pop_front()
    }
}

fn push(queue: &mut VecDeque<Vec<u8>>, datagram: &[u8]) {
    if queue.len() < MAX_WAITING {
        queue.push_back(datagram.to_vec());
    }
}
