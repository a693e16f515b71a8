//! A room: a Router, and the peers that share it. Does not know what a peer's endpoint is.

use crate::error::EnterError;
use crate::inbox::Inbox;
use crate::options::{CloseReason, PeerOptions};
use crate::peer::{Peer, PeerInfo};
use crate::queue::lock;
use crate::register::{Entry, Register};
use crate::rooms::{RoomsEvent, RoomsShared};
use crate::speakers::Speakers;
use std::sync::{Arc, Mutex, Weak};
use tureen::{AppData, KeyFrameCache, Producer, ProducerId, Router};

pub(crate) struct RoomShared {
    id: String,
    pub(crate) router: Router,
    rooms: Weak<RoomsShared>,
    pub(crate) speakers: Speakers,
    pub(crate) register: Mutex<Register>,
    app_data: AppData,
}

impl RoomShared {
    pub(crate) fn new(id: &str, router: Router, speakers: Speakers, rooms: Weak<RoomsShared>) -> Self {
        let (register, app_data) = (Mutex::default(), AppData::default());
        Self { id: id.to_owned(), router, rooms, speakers, register, app_data }
    }

    /// What is kept of the room's video since the last key frame.
    pub(crate) fn key_frame_cache(&self) -> Option<KeyFrameCache> {
        self.rooms.upgrade()?.key_frame_cache()
    }

    pub(crate) fn tell(&self, event: impl FnOnce(String) -> RoomsEvent) {
        if let Some(rooms) = self.rooms.upgrade() {
            rooms.tell(&event(self.id.clone()));
        }
    }
}

/// A room. Clones are handles to the same room; it does not close with them, but with its last peer or [`Room::close`].
#[derive(Clone)]
pub struct Room {
    pub(crate) shared: Arc<RoomShared>,
}

/// What a room is like.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RoomInfo {
    /// Its id.
    pub id: String,
    /// Whether nobody else may enter.
    pub locked: bool,
    /// Who has joined.
    pub peers: Vec<PeerInfo>,
}

impl Room {
    /// Its id.
    pub fn id(&self) -> &str {
        &self.shared.id
    }

    /// Its Router, to make transports on.
    pub fn router(&self) -> &Router {
        &self.shared.router
    }

    /// The program's own data.
    pub fn app_data(&self) -> &AppData {
        &self.shared.app_data
    }

    /// Whether it is closed.
    pub fn closed(&self) -> bool {
        lock(&self.shared.register).closed
    }

    /// Everybody in it, joined or not, by id.
    pub fn peers(&self) -> Vec<Peer> {
        lock(&self.shared.register).peers()
    }

    /// The peer of this id, joined or not.
    pub fn peer(&self, id: &str) -> Option<Peer> {
        lock(&self.shared.register).entries.get(id).map(|entry| entry.peer.clone())
    }

    /// What those who have joined produce, the oldest first, and whose it is.
    pub fn producers(&self) -> Vec<(String, Producer)> {
        lock(&self.shared.register).producers()
    }

    /// A producer of anybody in it, and whose it is.
    pub fn producer(&self, id: &ProducerId) -> Option<(String, Producer)> {
        lock(&self.shared.register).producer(id)
    }

    /// What it is like.
    pub fn info(&self) -> RoomInfo {
        let register = lock(&self.shared.register);
        let joined = register.entries.values().filter(|entry| entry.profile.is_some());
        RoomInfo {
            id: self.shared.id.clone(),
            locked: register.locked,
            peers: joined.map(Entry::info).collect(),
        }
    }

    /// Lets nobody else in from now on, or does again. Who is in stays.
    pub fn set_locked(&self, locked: bool) {
        lock(&self.shared.register).locked = locked;
    }

    /// Whether nobody else may enter.
    pub fn locked(&self) -> bool {
        lock(&self.shared.register).locked
    }

    pub(crate) fn admit(&self, options: PeerOptions) -> Result<(Peer, Inbox), EnterError> {
        let rooms = self.shared.rooms.upgrade().ok_or(EnterError::Closed)?;
        let mut register = lock(&self.shared.register);
        if register.closed {
            return Err(EnterError::Closed);
        }
        if register.entries.contains_key(&options.id) {
            return Err(EnterError::Taken(options.id));
        }
        if register.locked {
            return Err(EnterError::Locked(self.shared.id.clone()));
        }
        if register.entries.len() >= rooms.max_peers() {
            return Err(EnterError::RoomFull(rooms.max_peers()));
        }
        let peer = Peer::new(self.clone(), options);
        register.entries.insert(peer.id().to_owned(), Entry::new(peer.clone()));
        drop(register);
        let inbox = Inbox::new(&peer);
        Ok((peer, inbox))
    }

    /// Closes it, and with it the peers and all that they have; does nothing if it is closed.
    pub fn close(&self) {
        let peers = {
            let mut register = lock(&self.shared.register);
            if std::mem::replace(&mut register.closed, true) {
                return;
            }
            register.peers()
        };
        peers.iter().for_each(|peer| peer.close_because(CloseReason::RoomClosed));
        self.end();
    }

    /// It is closed and empty.
    pub(crate) fn end(&self) {
        self.shared.router.close();
        if let Some(rooms) = self.shared.rooms.upgrade() {
            rooms.forget(self);
        }
    }
}

impl std::fmt::Debug for Room {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Room").field("id", &self.id()).finish_non_exhaustive()
    }
}
