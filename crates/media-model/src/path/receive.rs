//! Demux and open: from a datagram to a checked packet of a known transport.

use crate::arena::Key;
use crate::core::Core;
use crate::error::NotFoundError;
use crate::event::{Event, TransportEvent};
use crate::id::TransportId;
use crate::transport_state::TransportTag;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use tureen_rtp_wire::Time;
use tureen_transport::{Arrival, Egress, Ingress, Opened, SocketId, Transport};

impl<T: Transport> Core<T> {
    /// Takes a batch of datagrams; packets that follow from it go to `out`.
    pub fn handle_batch(&mut self, now: Time, rx: &mut impl Ingress, out: &mut impl Egress) {
        while let Some(datagram) = rx.next() {
            let arrival = datagram.arrival;
            let owner = self.sockets.get(arrival.socket.0 as usize).copied().flatten();
            match owner {
                Some(transport) => self.handle_datagram(now, transport, arrival, datagram.bytes, out),
                None => self.counters.unknown_socket += 1,
            }
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
        self.handle_datagram(now, key, arrival, packet, out);
        self.handle_timeout(now, out);
        Ok(())
    }

    fn handle_datagram(
        &mut self,
        now: Time,
        key: Key<TransportTag>,
        arrival: Arrival,
        bytes: &mut [u8],
        out: &mut impl Egress,
    ) {
        let Some(transport) = self.transports.get_mut(key) else { return };
        self.counters.datagrams_received += 1;
        self.counters.bytes_received += bytes.len() as u64;
        transport.meters.received.add(now, bytes.len());
        let opened = transport.adapter.open(arrival, bytes);
        self.tell_path_events(key);
        match opened {
            Opened::Rtp { len, layout } => {
                if let Some(packet) = bytes.get_mut(..len) {
                    self.handle_rtp(now, key, packet, layout, out);
                }
            }
            Opened::Rtcp { len } => {
                if let Some(compound) = bytes.get(..len) {
                    self.handle_rtcp(now, key, compound, out);
                }
            }
            Opened::Consumed => {}
            Opened::Rejected(reason) => {
                self.counters.rejected += 1;
                if let Some(transport) = self.transports.get_mut(key) {
                    transport.rejected[reason.index()] += 1;
                }
            }
        }
    }

    fn tell_path_events(&mut self, key: Key<TransportTag>) {
        let Some(transport) = self.transports.get_mut(key) else { return };
        let mut news = false;
        while let Some(event) = transport.adapter.poll_event() {
            self.events.push(Event::Transport(transport.id, TransportEvent::Path(event)));
            news = true;
        }
        if news {
            self.request_awaited_key_frames(key);
        }
    }
}
