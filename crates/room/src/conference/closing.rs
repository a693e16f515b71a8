//! Who closes whom. Each object tells once that it closed, what hangs on it before it, and each with the failure that was the cause, if one was.
//!
//! All of it happens under the lock of the room, so that nobody sees a part of it.

use super::error::CloseError;
use super::event::{PeerEvent, RoomEvent, RtpReceiverEvent, RtpSenderEvent, TransportEvent, tell_last};
use super::{Peer, Room, RtpReceiver, RtpSender, Transport};
use crate::queue::lock;
use tureen::Transport as _;

impl Room {
    /// Peers in the order of their coming, then the room.
    pub(super) fn close_because(&self, error: Option<&CloseError>) {
        {
            let mut register = self.lock();
            if std::mem::replace(&mut register.closed, true) {
                return;
            }
            let peers = std::mem::take(&mut register.peers);
            peers.iter().for_each(|peer| peer.end(error));
            self.router().close();
            let hub = self.hub();
            tell_last(&hub.manager, &self.shared.emitter, RoomEvent::Close(error.cloned()));
            hub.ids.release(self.id());
        }
        if let Some(server) = self.shared.server.upgrade() {
            server.forget(self);
        }
    }
}

impl Peer {
    /// What it sends, with the others' senders; what it gets; its transports; then the peer.
    pub(super) fn end(&self, error: Option<&CloseError>) {
        let (receivers, senders, transports) = {
            let mut state = self.state();
            if std::mem::replace(&mut state.closed, true) {
                return;
            }
            (state.receivers.clone(), state.senders.clone(), state.transports.clone())
        };
        receivers.iter().for_each(|receiver| receiver.end(error));
        senders.iter().for_each(|sender| sender.end(error));
        transports.iter().for_each(|transport| transport.end(error));
        let hub = self.room().hub();
        tell_last(&hub.manager, &self.shared.emitter, PeerEvent::Close(error.cloned()));
        hub.ids.release(self.id());
    }
}

impl RtpReceiver {
    /// Its senders, then the receiver.
    pub(super) fn end(&self, error: Option<&CloseError>) {
        let (senders, producer) = {
            let mut state = self.state();
            if std::mem::replace(&mut state.closed, true) {
                return;
            }
            state.transport = None;
            if let Some(packets) = state.packets.upgrade() {
                packets.end();
            }
            (std::mem::take(&mut state.senders), state.producer.take())
        };
        senders.iter().for_each(|sender| sender.end(error));
        if let Some(producer) = producer {
            producer.close();
        }
        self.peer().state().receivers.retain(|other| other != self);
        let hub = self.peer().room().hub();
        tell_last(&hub.manager, &self.shared.emitter, RtpReceiverEvent::Close(error.cloned()));
        hub.ids.release(self.id());
    }
}

impl RtpSender {
    pub(super) fn end(&self, error: Option<&CloseError>) {
        let consumer = {
            let mut state = self.state();
            if std::mem::replace(&mut state.closed, true) {
                return;
            }
            state.transport = None;
            state.consumer.take()
        };
        if let Some(consumer) = consumer {
            consumer.close();
        }
        self.peer().state().senders.retain(|other| other != self);
        self.associated_rtp_receiver().state().senders.retain(|other| other != self);
        let hub = self.peer().room().hub();
        tell_last(&hub.manager, &self.shared.emitter, RtpSenderEvent::Close(error.cloned()));
        hub.ids.release(self.id());
    }

    /// Its media cannot go on.
    pub(super) fn fail(&self, error: tureen::ConsumeError) {
        let _register = self.peer().room().lock();
        self.end(Some(&CloseError::Consume(error)));
    }
}

impl Transport {
    /// Receivers and senders on it lose it and stay.
    pub(super) fn end(&self, error: Option<&CloseError>) {
        if std::mem::replace(&mut *lock(&self.shared.closed), true) {
            return;
        }
        let (receivers, senders) = {
            let mut state = self.peer().state();
            state.transports.retain(|other| other != self);
            (state.receivers.clone(), state.senders.clone())
        };
        for receiver in receivers {
            let mut state = receiver.state();
            if state.transport.as_ref() == Some(self) {
                state.transport = None;
                state.producer = None;
            }
        }
        for sender in senders {
            sender.change(true, |state| {
                if state.transport.as_ref() == Some(self) {
                    state.transport = None;
                    state.consumer = None;
                }
            });
        }
        self.handle().close();
        let hub = self.peer().room().hub();
        tell_last(&hub.manager, &self.shared.emitter, TransportEvent::Close(error.cloned()));
        hub.ids.release(self.id());
    }

    /// The transport below closed. If the Worker died, so did the room.
    pub(super) fn closed_below(&self) {
        let room = self.peer().room();
        if room.router().worker().died() {
            room.close_because(Some(&CloseError::WorkerDied));
        } else {
            self.close();
        }
    }
}
