//! A room: a Router, and the peers whose media reaches each other. Does not know how a peer's endpoint is reached.

use super::capabilities::of_kind;
use super::dump::RoomDump;
use super::error::{CloseError, CreatePeerError, InvalidStateError, StateError};
use super::event::{RoomEvent, tell};
use super::levels::Levels;
use super::server::{Hub, ServerShared};
use super::{Peer, RtpReceiver};
use crate::queue::lock;
use crate::register::same;
use futures_util::lock::Mutex as AsyncMutex;
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use tureen::dictionaries::{MediaKind, RtpCapabilities};
use tureen::signals::Emitter;
use tureen::{AppData, EventStream, ListenerError, Router};

pub(super) struct RoomShared {
    pub(super) id: u32,
    pub(super) hub: Arc<Hub>,
    pub(super) server: Weak<ServerShared>,
    pub(super) emitter: Emitter<RoomEvent>,
    router: Router,
    capabilities: RtpCapabilities,
    register: Mutex<Register>,
    /// Of how loud they are, while somebody listens.
    pub(super) levels: AsyncMutex<Weak<Levels>>,
    app_data: AppData,
}

/// Who is in a room. Its lock is the room's: whatever changes of any object in the room changes while it is held, so that events are told in the
/// order of the changes.
#[derive(Default)]
pub(super) struct Register {
    pub(super) closed: bool,
    pub(super) peers: Vec<Peer>,
}

impl Register {
    /// The receivers of everybody else that have parameters.
    pub(super) fn sources(&self, peer: &Peer) -> Vec<RtpReceiver> {
        let others = self.peers.iter().filter(|other| *other != peer);
        others.flat_map(Peer::rtp_receivers).filter(|receiver| receiver.rtp_parameters().is_some()).collect()
    }
}

/// A room. Clones are handles to the same room; it does not close with them, but by [`Room::close`] or with its Server.
#[derive(Clone)]
pub struct Room {
    pub(super) shared: Arc<RoomShared>,
}

impl PartialEq for Room {
    fn eq(&self, other: &Self) -> bool {
        same(&self.shared, &other.shared)
    }
}

impl Eq for Room {}

impl Room {
    pub(super) fn new(server: Weak<ServerShared>, hub: Arc<Hub>, router: Router, app_data: AppData) -> Self {
        let (id, capabilities) = (hub.ids.draw(), router.rtp_capabilities());
        let (emitter, register) = (Emitter::default(), Mutex::default());
        let levels = AsyncMutex::new(Weak::new());
        let shared =
            RoomShared { id, hub, server, emitter, router, capabilities, register, levels, app_data };
        Self { shared: Arc::new(shared) }
    }

    pub(super) fn hub(&self) -> &Hub {
        &self.shared.hub
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Register> {
        lock(&self.shared.register)
    }

    /// Its id, 10000000 to 99999999.
    pub fn id(&self) -> u32 {
        self.shared.id
    }

    /// Whether it is closed.
    pub fn closed(&self) -> bool {
        self.lock().closed
    }

    /// Its Router.
    pub fn router(&self) -> &Router {
        &self.shared.router
    }

    /// Who is in it, in the order of their coming.
    pub fn peers(&self) -> Vec<Peer> {
        self.lock().peers.clone()
    }

    /// What endpoints may send to it and receive from it.
    pub fn capabilities(&self) -> &RtpCapabilities {
        &self.shared.capabilities
    }

    /// The same of one kind of media.
    pub fn get_capabilities(&self, kind: MediaKind) -> RtpCapabilities {
        of_kind(&self.shared.capabilities, kind)
    }

    /// The program's own data.
    pub fn app_data(&self) -> &AppData {
        &self.shared.app_data
    }

    /// Lets somebody in.
    ///
    /// # Errors
    /// [`CreatePeerError`]: the room is closed, or the name is empty or taken.
    pub fn create_peer(&self, name: impl Into<String>) -> Result<Peer, CreatePeerError> {
        let name = name.into();
        let mut register = self.lock();
        if register.closed {
            return Err(InvalidStateError("room").into());
        }
        if name.is_empty() {
            return Err(CreatePeerError::EmptyName);
        }
        if register.peers.iter().any(|peer| peer.name() == name) {
            return Err(CreatePeerError::DuplicateName(name));
        }
        let peer = Peer::new(self.clone(), name);
        register.peers.push(peer.clone());
        tell(&self.hub().manager, &self.shared.emitter, RoomEvent::NewPeer(peer.clone()));
        Ok(peer)
    }

    /// The peer of this name.
    pub fn get_peer(&self, name: &str) -> Option<Peer> {
        self.lock().peers.iter().find(|peer| peer.name() == name).cloned()
    }

    /// Closes it, and with it the peers and all that they have; does nothing if it is closed.
    pub fn close(&self) {
        self.close_because(None);
    }

    /// Its internals.
    ///
    /// # Errors
    /// [`StateError`].
    pub async fn dump(&self) -> Result<RoomDump, StateError> {
        let peers = {
            let register = self.lock();
            if register.closed {
                return Err(InvalidStateError("room").into());
            }
            register.peers.clone()
        };
        let mut dump = RoomDump {
            room_id: self.id(),
            capabilities: self.shared.capabilities.clone(),
            peers: Vec::with_capacity(peers.len()),
            map_rtp_receiver_rtp_senders: Default::default(),
            map_rtp_sender_rtp_receiver: Default::default(),
        };
        for peer in peers {
            for receiver in peer.rtp_receivers() {
                let senders: Vec<u32> = receiver.senders().iter().map(|sender| sender.id()).collect();
                dump.map_rtp_sender_rtp_receiver.extend(senders.iter().map(|id| (*id, receiver.id())));
                dump.map_rtp_receiver_rtp_senders.insert(receiver.id(), senders);
            }
            dump.peers.push(peer.dump().await?);
        }
        Ok(dump)
    }

    /// Its news as a stream.
    pub fn events(&self) -> EventStream<RoomEvent> {
        self.shared.emitter.stream()
    }

    tureen::on_events! { RoomEvent, |this| this.shared.emitter;
        /// It closed, and by which failure, if by one.
        on_close => Close(Option<CloseError>);
        /// A peer was made.
        on_new_peer => NewPeer(Peer);
        /// A listener of it panicked.
        on_listener_error => ListenerError(ListenerError);
    }
}

impl std::fmt::Debug for Room {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Room").field("id", &self.id()).finish_non_exhaustive()
    }
}
