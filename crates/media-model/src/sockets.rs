//! Whose a datagram is: sockets of one transport, sockets that many share, and TCP connections.
//!
//! On a shared socket a transport is found by the pair of addresses that ICE has validated, and before there is one by the
//! username fragment of a STUN request. Only transports add to these tables, after authentication, so that strangers cannot make
//! them grow. Must not know what else is in a datagram.

use crate::arena::Key;
use crate::transport_state::TransportTag;
use rustc_hash::FxHashMap;
use tureen_rtp_wire::stun;
use tureen_transport::{Arrival, Claim, SocketId, UsernameFragment};

/// Who takes what comes in on a socket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Owner {
    #[default]
    Nobody,
    /// One transport.
    Alone(Key<TransportTag>),
    /// Those who claim it, datagram by datagram.
    Shared,
}

/// A TCP connection.
#[derive(Clone, Copy, Debug)]
struct Connection {
    listener: SocketId,
    /// The transport that it led to.
    transport: Option<Key<TransportTag>>,
    /// Whether ICE has validated it.
    proven: bool,
}

/// Where a datagram belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) transport: Key<TransportTag>,
    /// The listener of a TCP connection that leads to this transport for the first time.
    pub(crate) accepted_by: Option<SocketId>,
}

#[derive(Debug, Default)]
pub(crate) struct SocketTable {
    owners: Vec<Owner>,
    tuples: FxHashMap<Arrival, Key<TransportTag>>,
    usernames: FxHashMap<UsernameFragment, Key<TransportTag>>,
    connections: FxHashMap<SocketId, Connection>,
}

impl SocketTable {
    fn put(&mut self, socket: SocketId, owner: Owner) {
        let index = socket.0 as usize;
        if self.owners.len() <= index {
            self.owners.resize(index + 1, Owner::Nobody);
        }
        if let Some(slot) = self.owners.get_mut(index) {
            *slot = owner;
        }
    }

    fn owner(&self, socket: SocketId) -> Owner {
        self.owners.get(socket.0 as usize).copied().unwrap_or_default()
    }

    /// A socket of one transport.
    pub(crate) fn own(&mut self, socket: SocketId, transport: Key<TransportTag>) {
        self.put(socket, Owner::Alone(transport));
    }

    /// A socket that transports share.
    pub(crate) fn share(&mut self, socket: SocketId) {
        self.put(socket, Owner::Shared);
    }

    /// A TCP connection, which belongs to whom its listener belongs to.
    pub(crate) fn accept(&mut self, connection: SocketId, listener: SocketId) {
        self.put(connection, self.owner(listener));
        self.connections.insert(connection, Connection { listener, transport: None, proven: false });
    }

    /// A socket that is gone or about to go. Says whose it was, if it was one transport's or a connection to one.
    pub(crate) fn forget(&mut self, socket: SocketId) -> Option<Key<TransportTag>> {
        let owner = self.owner(socket);
        if owner != Owner::Nobody {
            self.put(socket, Owner::Nobody);
        }
        let connected = self.connections.remove(&socket).and_then(|connection| connection.transport);
        match owner {
            Owner::Alone(transport) => Some(transport),
            _ => connected,
        }
    }

    /// Whether ICE has validated a TCP connection.
    pub(crate) fn is_proven(&self, connection: SocketId) -> bool {
        self.connections.get(&connection).is_some_and(|connection| connection.proven)
    }

    /// Whether a socket is a transport's own.
    pub(crate) fn is_own(&self, socket: SocketId, transport: Key<TransportTag>) -> bool {
        self.owner(socket) == Owner::Alone(transport)
    }

    /// The transport that a datagram is for.
    pub(crate) fn route(&mut self, arrival: Arrival, datagram: &[u8]) -> Option<Route> {
        match self.owner(arrival.socket) {
            Owner::Nobody => None,
            Owner::Alone(transport) if self.connections.is_empty() => {
                Some(Route { transport, accepted_by: None })
            }
            Owner::Alone(transport) => Some(self.first_use(arrival.socket, transport)),
            Owner::Shared => match self.tuples.get(&arrival) {
                Some(&transport) => Some(Route { transport, accepted_by: None }),
                None => self.route_request(arrival, datagram),
            },
        }
    }

    fn route_request(&mut self, arrival: Arrival, datagram: &[u8]) -> Option<Route> {
        let username = UsernameFragment::new(stun::local_username_fragment(datagram)?)?;
        let transport = *self.usernames.get(&username)?;
        Some(self.first_use(arrival.socket, transport))
    }

    fn first_use(&mut self, socket: SocketId, transport: Key<TransportTag>) -> Route {
        let connection = self.connections.get_mut(&socket).filter(|known| known.transport != Some(transport));
        let accepted_by = connection.map(|connection| {
            connection.transport = Some(transport);
            connection.listener
        });
        Route { transport, accepted_by }
    }

    /// Follows a transport's claim; the newest claim of a tuple counts.
    pub(crate) fn claim(&mut self, transport: Key<TransportTag>, claim: Claim) {
        match claim {
            Claim::Tuple(arrival) => {
                self.tuples.insert(arrival, transport);
                if let Some(connection) = self.connections.get_mut(&arrival.socket) {
                    connection.proven = true;
                }
            }
            Claim::Username(username) => {
                self.usernames.insert(username, transport);
            }
            Claim::ReleaseTuple(arrival) => {
                if self.tuples.get(&arrival) == Some(&transport) {
                    self.tuples.remove(&arrival);
                }
            }
            Claim::ReleaseUsername(username) => {
                if self.usernames.get(&username) == Some(&transport) {
                    self.usernames.remove(&username);
                }
            }
        }
    }

    /// Entries of shared sockets, for tests: tuples, usernames, connections.
    #[cfg(test)]
    pub(crate) fn claims(&self) -> (usize, usize, usize) {
        (self.tuples.len(), self.usernames.len(), self.connections.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arena::Arena;
    use std::net::SocketAddr;

    fn arrival(socket: u32, port: u16) -> Arrival {
        Arrival { socket: SocketId(socket), source: SocketAddr::from(([192, 0, 2, 1], port)) }
    }

    /// A binding request with nothing but a username (RFC 8489 section 14.3).
    fn request(username: &[u8]) -> Vec<u8> {
        let padded = username.len().next_multiple_of(4);
        let mut bytes = vec![0, 1, 0, (4 + padded) as u8, 0x21, 0x12, 0xa4, 0x42];
        bytes.extend([7; 12]);
        bytes.extend([0, 6, 0, username.len() as u8]);
        bytes.extend(username);
        bytes.resize(24 + padded, 0);
        bytes
    }

    fn keys() -> [Key<TransportTag>; 2] {
        let mut arena: Arena<(), TransportTag> = Arena::default();
        [arena.insert(()), arena.insert(())]
    }

    fn username(text: &str) -> UsernameFragment {
        UsernameFragment::new(text.as_bytes()).expect("ICE characters")
    }

    #[test]
    fn a_shared_socket_leads_by_tuple_and_before_that_by_username() {
        let [one, two] = keys();
        let mut table = SocketTable::default();
        table.share(SocketId(3));
        table.claim(one, Claim::Username(username("aaaa")));
        table.claim(two, Claim::Username(username("bbbb")));
        let route = |table: &mut SocketTable, arrival, bytes: &[u8]| {
            table.route(arrival, bytes).map(|route| route.transport)
        };
        assert_eq!(route(&mut table, arrival(3, 1), &request(b"aaaa:xyzw")), Some(one));
        assert_eq!(route(&mut table, arrival(3, 1), &request(b"bbbb:xyzw")), Some(two));
        assert_eq!(route(&mut table, arrival(3, 1), &request(b"cccc:xyzw")), None);
        assert_eq!(route(&mut table, arrival(3, 1), &[0x80; 40]), None);
        table.claim(two, Claim::Tuple(arrival(3, 1)));
        assert_eq!(route(&mut table, arrival(3, 1), &[0x80; 40]), Some(two));
        table.claim(one, Claim::ReleaseTuple(arrival(3, 1)));
        assert_eq!(route(&mut table, arrival(3, 1), &[0x80; 40]), Some(two), "it is another's");
        table.claim(two, Claim::ReleaseTuple(arrival(3, 1)));
        table.claim(two, Claim::ReleaseUsername(username("bbbb")));
        table.claim(one, Claim::ReleaseUsername(username("aaaa")));
        assert_eq!(table.claims(), (0, 0, 0));
    }

    #[test]
    fn a_connection_belongs_to_its_listeners_owner_and_is_told_once() {
        let [one, two] = keys();
        let mut table = SocketTable::default();
        table.own(SocketId(1), one);
        table.accept(SocketId(5), SocketId(1));
        let first = table.route(arrival(5, 9), &[]);
        assert_eq!(first, Some(Route { transport: one, accepted_by: Some(SocketId(1)) }));
        assert_eq!(table.route(arrival(5, 9), &[]).and_then(|route| route.accepted_by), None);
        assert_eq!(table.forget(SocketId(5)), Some(one));
        assert_eq!(table.route(arrival(5, 9), &[]), None);

        table.share(SocketId(2));
        table.accept(SocketId(6), SocketId(2));
        table.claim(two, Claim::Username(username("bbbb")));
        let route = table.route(arrival(6, 9), &request(b"bbbb:x"));
        assert_eq!(route, Some(Route { transport: two, accepted_by: Some(SocketId(2)) }));
        assert_eq!(table.forget(SocketId(6)), Some(two));
    }
}
