//! What a transport itself has to say and to hear: STUN, DTLS and what that carries, its timers, its claims on shared sockets.
//!
//! Beside the packet path: media takes no step in here.

use crate::arena::Key;
use crate::core::{Core, Farewell};
use crate::event::{Event, TransportEvent};
use crate::timers::Timer;
use crate::transport_state::{TransportState, TransportTag, lane};
use tureen_rtp_dictionaries::DtlsState;
use tureen_rtp_wire::Time;
use tureen_transport::{Arrival, Claim, Component, Egress, MAX_TRANSMIT, PathEvent, SocketId, Transport};

impl<T: Transport> Core<T> {
    /// From now on transports share what comes in on `socket`: each is found by what it claims.
    pub fn share_socket(&mut self, socket: SocketId) {
        self.sockets.share(socket);
    }

    /// A TCP connection was accepted by the socket `listener`; what it carries comes in as datagrams of `connection`.
    pub fn add_connection(&mut self, connection: SocketId, listener: SocketId) {
        self.sockets.accept(connection, listener);
    }

    /// Whether ICE has validated a TCP connection. Others may be closed when they have had time enough.
    pub fn is_proven_connection(&self, connection: SocketId) -> bool {
        self.sockets.is_proven(connection)
    }

    /// A socket is gone: a TCP connection ended, or a shared socket was closed.
    pub fn handle_socket_closed(&mut self, now: Time, socket: SocketId, out: &mut impl Egress) {
        let Some(key) = self.sockets.forget(socket) else { return };
        let Some(transport) = self.transports.get_mut(key) else { return };
        transport.connections.retain(|connection| *connection != socket);
        transport.adapter.socket_closed(now, socket);
        self.follow_transport(now, key, out);
    }

    /// Takes out all that follows from what a transport was just given.
    pub(crate) fn follow_transport(&mut self, now: Time, key: Key<TransportTag>, out: &mut impl Egress) {
        self.tell_path_events(now, key);
        self.take_claims(key);
        self.follow_data(now, key);
        self.transmit(now, key, out);
        self.arm_transport(key);
    }

    pub(crate) fn tell_path_events(&mut self, now: Time, key: Key<TransportTag>) {
        let Some(transport) = self.transports.get_mut(key) else { return };
        let (mut news, mut over) = (false, false);
        while let Some(event) = transport.adapter.poll_event() {
            over |= matches!(event, PathEvent::DtlsState(DtlsState::Failed | DtlsState::Closed));
            self.events.push(Event::Transport(transport.id, TransportEvent::Path(event)));
            news = true;
        }
        if news {
            self.request_awaited_key_frames(key);
            self.follow_data(now, key);
        }
        if over {
            self.end_association(now, key);
        }
    }

    pub(crate) fn take_claims(&mut self, key: Key<TransportTag>) {
        let Some(transport) = self.transports.get_mut(key) else { return };
        while let Some(claim) = transport.adapter.poll_claim() {
            self.sockets.claim(key, claim);
            // A TCP connection has one tuple: without it, it is of no use.
            if let Claim::ReleaseTuple(Arrival { socket, .. }) = claim
                && self.sockets.is_proven(socket)
            {
                self.sockets.forget(socket);
                transport.connections.retain(|connection| *connection != socket);
                self.leavings.released.push_back(socket);
            }
        }
    }

    pub(crate) fn transmit(&mut self, now: Time, key: Key<TransportTag>, out: &mut impl Egress) {
        let Some(transport) = self.transports.get_mut(key) else { return };
        let lane = lane(key, Component::Rtcp);
        let mut buffer = [0; MAX_TRANSMIT];
        while let Some((to, len)) = transport.adapter.poll_transmit(&mut buffer) {
            let Some(bytes) = buffer.get(..len) else { continue };
            // Where there is no room it is lost as on any network, and said again.
            let Some(slot) = out.reserve(lane, &to, len) else { continue };
            slot.copy_from_slice(bytes);
            out.commit(len);
            transport.meters.control_sent.add(now, len);
            self.counters.bytes_sent += len as u64;
        }
    }

    pub(crate) fn arm_transport(&mut self, key: Key<TransportTag>) {
        let Some(transport) = self.transports.get_mut(key) else { return };
        let deadline = transport.adapter.poll_timeout();
        transport.timer.arm(&mut self.timers, deadline, Timer::Transport(key));
    }

    /// Has a transport looked after at once.
    pub(crate) fn wake_transport(&mut self, now: Time, key: Key<TransportTag>) {
        if let Some(transport) = self.transports.get_mut(key) {
            transport.timer.arm(&mut self.timers, now, Timer::Transport(key));
        }
    }

    pub(crate) fn transport_due(&mut self, now: Time, key: Key<TransportTag>, out: &mut impl Egress) {
        let Some(transport) = self.transports.get_mut(key) else { return };
        if !transport.timer.fired(now) {
            return;
        }
        transport.adapter.handle_timeout(now);
        self.follow_transport(now, key, out);
    }

    /// Lets a transport that is about to go say goodbye, with the next packets that leave, and ends its claims.
    pub(crate) fn dismiss(&mut self, now: Time, key: Key<TransportTag>, state: &mut TransportState<T>) {
        self.dismiss_association(now, key, state);
        state.adapter.close(now);
        let mut buffer = [0; MAX_TRANSMIT];
        while let Some((to, len)) = state.adapter.poll_transmit(&mut buffer) {
            let bytes = buffer.get(..len).unwrap_or_default().into();
            self.leavings.farewells.push(Farewell { lane: lane(key, Component::Rtcp), to, bytes });
        }
        while let Some(claim) = state.adapter.poll_claim() {
            self.sockets.claim(key, claim);
        }
    }

    pub(crate) fn say_farewells(&mut self, out: &mut impl Egress) {
        for farewell in self.leavings.farewells.drain(..) {
            let len = farewell.bytes.len();
            if let Some(slot) = out.reserve(farewell.lane, &farewell.to, len) {
                slot.copy_from_slice(&farewell.bytes);
                out.commit(len);
            }
        }
    }
}
