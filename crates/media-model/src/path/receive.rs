//! Demux and open: from a datagram to a checked packet of a known transport.

use crate::arena::Key;
use crate::core::Core;
use crate::error::NotFoundError;
use crate::id::TransportId;
use crate::notes::Note;
use crate::transport_state::TransportTag;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use tureen_rtp_wire::{Ecn, Time};
use tureen_transport::{Arrival, Datagram, Egress, Ingress, Opened, SocketId, Transport};

impl<T: Transport> Core<T> {
    /// Takes a batch of datagrams; packets that follow from it go to `out`.
    pub fn handle_batch(&mut self, now: Time, rx: &mut impl Ingress, out: &mut impl Egress) {
        while let Some(datagram) = rx.next() {
            let arrival = datagram.arrival;
            let Some(route) = self.sockets.route(arrival, datagram.bytes) else {
                self.counters.unknown_socket += 1;
                continue;
            };
            if let Some(listener) = route.accepted_by {
                self.join_connection(route.transport, arrival.socket, listener);
            }
            let Datagram { bytes, ecn, .. } = datagram;
            self.handle_datagram(now, route.transport, arrival, bytes, ecn, out);
        }
        self.handle_timeout(now, out);
    }

    /// Takes an RTP or RTCP packet that the program sends on a direct transport.
    ///
    /// # Errors
    /// There is no such transport.
    pub fn handle_program_packet(
        &mut self,
        now: Time,
        transport: TransportId,
        packet: &mut [u8],
        out: &mut impl Egress,
    ) -> Result<(), NotFoundError> {
        let key = self.transport_key(transport)?;
        let nowhere = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0));
        let arrival = Arrival { socket: SocketId(u32::MAX), source: nowhere };
        self.handle_datagram(now, key, arrival, packet, Ecn::NotCapable, out);
        self.handle_timeout(now, out);
        Ok(())
    }

    fn handle_datagram(
        &mut self,
        now: Time,
        key: Key<TransportTag>,
        arrival: Arrival,
        bytes: &mut [u8],
        ecn: Ecn,
        out: &mut impl Egress,
    ) {
        let Some(transport) = self.transports.get_mut(key) else { return };
        self.counters.datagrams_received += 1;
        self.counters.bytes_received += bytes.len() as u64;
        transport.meters.received.add(now, bytes.len());
        let opened = transport.adapter.open(now, arrival, bytes);
        self.tell_path_events(now, key);
        match opened {
            Opened::Rtp { len, layout } => {
                if let Some(packet) = bytes.get_mut(..len) {
                    self.handle_rtp(now, key, packet, layout, ecn, out);
                }
            }
            Opened::Rtcp { len } => {
                if let Some(compound) = bytes.get(..len) {
                    self.handle_rtcp(now, key, compound, out);
                }
            }
            Opened::Consumed => self.follow_transport(now, key, out),
            Opened::Rejected(reason) => {
                self.counters.rejected += 1;
                if let Some(transport) = self.transports.get_mut(key) {
                    let refused = &mut transport.rejected[reason.index()];
                    *refused += 1;
                    if let Some(note) = Note::of_refusal(transport.id, reason, *refused) {
                        self.events.note(now, note);
                    }
                }
                // What was refused may still be answered, as STUN errors are.
                self.follow_transport(now, key, out);
            }
        }
    }

    fn join_connection(&mut self, key: Key<TransportTag>, connection: SocketId, listener: SocketId) {
        let Some(transport) = self.transports.get_mut(key) else { return };
        transport.connections.push(connection);
        transport.adapter.connection_accepted(connection, listener);
    }
}
