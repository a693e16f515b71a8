//! Where a transport can be reached: the sockets, the TCP connections behind them, and the candidates that tell of them.
//! Knows no credentials and no tuples.

use smallvec::SmallVec;
use std::net::SocketAddr;
use tureen_rtp_dictionaries::{IceCandidate, IceCandidateTcpType, IceCandidateType, TransportProtocol};
use tureen_transport::{Arrival, IceTuple, SocketId, SocketIds};

/// TCP connections that are remembered at most; those without a valid request make room.
const MAX_CONNECTIONS: usize = 32;

/// One socket that a transport is reached at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IceListen {
    /// Its name on the packet path: a UDP socket, or a TCP listener.
    pub socket: SocketId,
    /// Where it is bound.
    pub local: SocketAddr,
    /// What it carries.
    pub protocol: TransportProtocol,
    /// Whether other transports listen on it too: then the transport claims what is its own.
    pub shared: bool,
    /// The addresses or host names that clients are told; the local IP address where there is none.
    pub announced: Vec<String>,
}

/// The sockets of one transport.
#[derive(Debug)]
pub(crate) struct Listens {
    listens: Vec<IceListen>,
    /// Accepted connections and their listeners.
    connections: SmallVec<[(SocketId, SocketId); 4]>,
}

impl Listens {
    pub(crate) fn new(listens: Vec<IceListen>) -> Self {
        Self { listens, connections: SmallVec::new() }
    }

    /// The listen of a UDP socket or of an accepted connection.
    fn of(&self, socket: SocketId) -> Option<&IceListen> {
        let connection = self.connections.iter().find(|(connection, _)| *connection == socket);
        let listener = connection.map_or(socket, |(_, listener)| *listener);
        self.listens.iter().find(|listen| listen.socket == listener)
    }

    /// What a tuple is called outside; `None` for a socket that is not of this transport.
    pub(crate) fn tuple(&self, arrival: Arrival) -> Option<IceTuple> {
        let listen = self.of(arrival.socket)?;
        Some(IceTuple { local: listen.local, remote: arrival.source, protocol: listen.protocol })
    }

    pub(crate) fn is_shared(&self, socket: SocketId) -> bool {
        self.of(socket).is_some_and(|listen| listen.shared)
    }

    pub(crate) fn any_shared(&self) -> bool {
        self.listens.iter().any(|listen| listen.shared)
    }

    /// The sockets that carry datagrams of nobody else.
    pub(crate) fn own_sockets(&self) -> SocketIds {
        self.listens.iter().filter(|listen| !listen.shared).map(|listen| listen.socket).collect()
    }

    /// Remembers a connection; `in_use` says which ones must stay.
    pub(crate) fn connect(
        &mut self,
        connection: SocketId,
        listener: SocketId,
        in_use: impl Fn(SocketId) -> bool,
    ) {
        self.disconnect(connection);
        if self.connections.len() >= MAX_CONNECTIONS {
            let idle = self.connections.iter().position(|(socket, _)| !in_use(*socket));
            idle.map(|index| self.connections.remove(index));
        }
        self.connections.push((connection, listener));
    }

    pub(crate) fn disconnect(&mut self, connection: SocketId) {
        self.connections.retain(|(socket, _)| *socket != connection);
    }

    /// The candidates, best first: one for each socket and announced address. `prefer` raises those of a protocol.
    pub(crate) fn candidates(&self, prefer: impl Fn(TransportProtocol) -> bool) -> Vec<IceCandidate> {
        let addresses = self.listens.iter().flat_map(|listen| {
            let own = listen.announced.is_empty().then(|| listen.local.ip().to_string());
            listen.announced.iter().cloned().chain(own).map(move |address| (listen, address))
        });
        let mut candidates: Vec<_> = addresses
            .enumerate()
            .map(|(index, (listen, address))| candidate(listen, address, index, prefer(listen.protocol)))
            .collect();
        candidates.sort_by_key(|candidate| std::cmp::Reverse(candidate.priority));
        candidates
    }
}

fn candidate(listen: &IceListen, address: String, index: usize, preferred: bool) -> IceCandidate {
    let is_tcp = listen.protocol == TransportProtocol::Tcp;
    let foundation = if is_tcp { "tcpcandidate" } else { "udpcandidate" };
    IceCandidate {
        foundation: foundation.to_owned(),
        priority: priority(index, preferred),
        ip: address.clone(),
        address,
        protocol: listen.protocol,
        port: listen.local.port(),
        candidate_type: IceCandidateType::Host,
        tcp_type: is_tcp.then_some(IceCandidateTcpType::Passive),
    }
}

/// RFC 8445 section 5.1.2.1 for component 1, with a type preference of 64 and local preferences that fall with the order.
fn priority(index: usize, preferred: bool) -> u32 {
    const TYPE_PREFERENCE: u32 = 64;
    const FIRST_LOCAL_PREFERENCE: u32 = 10_000;
    let fallen = u32::try_from(index).unwrap_or(u32::MAX).saturating_mul(100);
    let bonus = if preferred { 1_000 } else { 0 };
    let local_preference = FIRST_LOCAL_PREFERENCE.saturating_sub(fallen) + bonus;
    (TYPE_PREFERENCE << 24) + (local_preference << 8) + (256 - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listen(socket: u32, protocol: TransportProtocol, announced: &[&str]) -> IceListen {
        IceListen {
            socket: SocketId(socket),
            local: SocketAddr::from(([192, 0, 2, 1], 40_000)),
            protocol,
            shared: false,
            announced: announced.iter().map(|&text| text.to_owned()).collect(),
        }
    }

    #[test]
    fn each_socket_and_announced_address_is_a_candidate() {
        let listens = Listens::new(vec![
            listen(1, TransportProtocol::Udp, &["198.51.100.1", "sfu.example"]),
            listen(2, TransportProtocol::Tcp, &[]),
        ]);
        let candidates = listens.candidates(|_| false);
        let addresses: Vec<_> = candidates.iter().map(|c| (c.address.as_str(), c.ip.as_str())).collect();
        assert_eq!(
            addresses,
            [("198.51.100.1", "198.51.100.1"), ("sfu.example", "sfu.example"), ("192.0.2.1", "192.0.2.1")]
        );
        let preferences: Vec<_> = candidates.iter().map(|c| (c.priority >> 8) & 0xffff).collect();
        assert_eq!(preferences, [10_000, 9_900, 9_800]);
        assert_eq!(candidates[0].priority, 1_076_302_079);
        assert_eq!(candidates[0].tcp_type, None);
        assert_eq!(candidates[2].tcp_type, Some(IceCandidateTcpType::Passive));
        assert_eq!(candidates[2].foundation, "tcpcandidate");
    }

    #[test]
    fn a_preferred_protocol_comes_first() {
        let listens = Listens::new(vec![
            listen(1, TransportProtocol::Udp, &[]),
            listen(2, TransportProtocol::Tcp, &[]),
        ]);
        let candidates = listens.candidates(|protocol| protocol == TransportProtocol::Tcp);
        assert_eq!(candidates[0].protocol, TransportProtocol::Tcp);
        assert_eq!((candidates[0].priority >> 8) & 0xffff, 10_900);
    }

    #[test]
    fn idle_connections_make_room_for_new_ones() {
        let mut listens = Listens::new(vec![listen(1, TransportProtocol::Tcp, &[])]);
        let source = SocketAddr::from(([198, 51, 100, 7], 9));
        for connection in 100..200 {
            listens.connect(SocketId(connection), SocketId(1), |socket| socket == SocketId(100));
        }
        assert!(listens.tuple(Arrival { socket: SocketId(100), source }).is_some());
        assert!(listens.tuple(Arrival { socket: SocketId(101), source }).is_none());
        assert!(listens.tuple(Arrival { socket: SocketId(199), source }).is_some());
        assert_eq!(listens.connections.len(), MAX_CONNECTIONS);
    }
}
