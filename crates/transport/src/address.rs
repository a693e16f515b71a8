//! Names of the places that packets come from and go to. Must not know what a socket is.

use std::net::SocketAddr;

/// A socket of the driver: a dense index that it hands out and reuses after release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SocketId(pub u32);

/// Where a datagram came in: the local socket and the remote address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Arrival {
    /// The socket that received it.
    pub socket: SocketId,
    /// The sender's address, not to be trusted before a path admits it.
    pub source: SocketAddr,
}

/// Where a datagram goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Destination {
    /// Out of a socket to a remote address; a TCP connection is a socket with one.
    Socket {
        /// The socket to send from.
        socket: SocketId,
        /// The remote address.
        remote: SocketAddr,
    },
    /// To the program that holds the transport, in process.
    Program,
}

impl From<Arrival> for Destination {
    fn from(arrival: Arrival) -> Self {
        Self::Socket { socket: arrival.socket, remote: arrival.source }
    }
}

/// A small dense number for one (transport, component): batches group what they send by lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lane(pub u32);

/// RTP, or RTCP where it has a port of its own (RFC 3605); with RTP/RTCP multiplexing (RFC 5761) all is [`Component::Rtp`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Component {
    /// RTP, and RTCP too where both share a port.
    Rtp,
    /// RTCP on its own port.
    Rtcp,
}
