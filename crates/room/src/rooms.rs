//! All rooms on a Worker: made by the first who enters, gone with the last who leaves. Does not know what peers do there.

use crate::error::EnterError;
use crate::inbox::Inbox;
use crate::options::{CloseReason, PeerOptions, RoomsOptions};
use crate::peer::Peer;
use crate::queue::{Queue, Supersede, lock};
use crate::register::same;
use crate::room::{Room, RoomShared};
use crate::speakers::Speakers;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, Weak};
use tureen::dictionaries::{
    MediaKind, RouterCapabilitiesError, RtpCapabilities, generate_router_rtp_capabilities,
};
use tureen::{KeyFrameCache, ProducerId, RouterOptions, Worker};

/// Events that wait for a reader of [`Rooms::events`].
const EVENTS: usize = 4_096;

pub(crate) struct RoomsShared {
    worker: Worker,
    options: RoomsOptions,
    rtp_capabilities: RtpCapabilities,
    state: Mutex<State>,
    readers: Mutex<Vec<Weak<Queue<RoomsEvent>>>>,
}

#[derive(Default)]
struct State {
    rooms: BTreeMap<String, Room>,
    draining: bool,
    closed: bool,
}

/// What happens in any room.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RoomsEvent {
    /// A room was made.
    RoomOpened {
        /// Its id.
        room: String,
    },
    /// A room closed; its peers left before.
    RoomClosed {
        /// Its id.
        room: String,
    },
    /// A peer joined.
    PeerJoined {
        /// The room's id.
        room: String,
        /// The peer's id.
        peer: String,
    },
    /// A peer that had joined left.
    PeerLeft {
        /// The room's id.
        room: String,
        /// The peer's id.
        peer: String,
        /// Why.
        reason: CloseReason,
    },
    /// A producer was made.
    ProducerAdded {
        /// The room's id.
        room: String,
        /// The peer's id.
        peer: String,
        /// The producer's id.
        producer: ProducerId,
        /// Audio or video.
        kind: MediaKind,
    },
    /// A producer closed.
    ProducerRemoved {
        /// The room's id.
        room: String,
        /// The peer's id.
        peer: String,
        /// The producer's id.
        producer: ProducerId,
        /// Audio or video.
        kind: MediaKind,
    },
}

impl Supersede for RoomsEvent {
    fn supersedes(&self, _: &Self) -> bool {
        false
    }
}

/// What happens in any room, from the moment that it was asked for. A reader who leaves 4096 events waiting gets no more.
pub struct RoomsEvents {
    queue: Arc<Queue<RoomsEvent>>,
}

impl RoomsEvents {
    /// Waits for the next event; `None` once the rooms are closed and all was read, or when the reader was too slow.
    pub async fn next(&mut self) -> Option<RoomsEvent> {
        self.queue.next().await
    }

    /// Whether events were lost because they were not read in time.
    pub fn lagged(&self) -> bool {
        self.queue.overflowed()
    }
}

impl std::fmt::Debug for RoomsEvents {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RoomsEvents").field("lagged", &self.lagged()).finish_non_exhaustive()
    }
}

impl RoomsShared {
    pub(crate) fn key_frame_cache(&self) -> Option<KeyFrameCache> {
        self.options.key_frame_cache
    }

    pub(crate) fn tell(&self, event: &RoomsEvent) {
        lock(&self.readers).retain(|reader| match reader.upgrade() {
            Some(queue) => {
                queue.push(event.clone());
                true
            }
            None => false,
        });
    }

    pub(crate) fn max_peers(&self) -> usize {
        self.options.max_peers
    }

    /// The room is empty or was closed.
    pub(crate) fn forget(&self, room: &Room) {
        let removed = {
            let mut state = lock(&self.state);
            let own = state.rooms.get(room.id()).is_some_and(|other| same(&other.shared, &room.shared));
            if own { state.rooms.remove(room.id()) } else { None }
        };
        if removed.is_some() {
            self.tell(&RoomsEvent::RoomClosed { room: room.id().to_owned() });
        }
    }
}

/// All rooms of a program. Clones are handles to the same rooms.
#[derive(Clone)]
pub struct Rooms {
    shared: Arc<RoomsShared>,
}

impl Rooms {
    /// No rooms yet, all to be on `worker`.
    ///
    /// # Errors
    /// The codecs are refused.
    pub fn new(worker: Worker, options: RoomsOptions) -> Result<Self, RouterCapabilitiesError> {
        let rtp_capabilities = generate_router_rtp_capabilities(&options.media_codecs)?;
        let (state, readers) = (Mutex::default(), Mutex::default());
        Ok(Self { shared: Arc::new(RoomsShared { worker, options, rtp_capabilities, state, readers }) })
    }

    /// The Worker that the rooms are on.
    pub fn worker(&self) -> &Worker {
        &self.shared.worker
    }

    /// What endpoints may send to any room and receive from it.
    pub fn rtp_capabilities(&self) -> &RtpCapabilities {
        &self.shared.rtp_capabilities
    }

    /// The room of this id.
    pub fn get(&self, id: &str) -> Option<Room> {
        lock(&self.shared.state).rooms.get(id).cloned()
    }

    /// All rooms, by id.
    pub fn list(&self) -> Vec<Room> {
        lock(&self.shared.state).rooms.values().cloned().collect()
    }

    /// Lets a peer into a room, which is made if it is not there. Events for the peer wait in the inbox from now on.
    ///
    /// # Errors
    /// [`EnterError`].
    pub async fn enter(&self, room: &str, options: PeerOptions) -> Result<(Peer, Inbox), EnterError> {
        loop {
            let found = self.open(room).await?;
            match found.admit(options.clone()) {
                // The last peer left in between, and the room with it.
                Err(EnterError::Closed) => self.shared.forget(&found),
                admitted => return admitted,
            }
        }
    }

    async fn open(&self, id: &str) -> Result<Room, EnterError> {
        if let Some(room) = self.may_open(id)? {
            return Ok(room);
        }
        let options = RouterOptions::new(self.shared.options.media_codecs.clone());
        let router = self.shared.worker.create_router(options).await?;
        let speakers = Speakers::new(&router, self.shared.options.last_n_audio).await?;
        let mut state = lock(&self.shared.state);
        // Others may have been faster.
        if let Some(room) = self.check(&state, id)? {
            return Ok(room);
        }
        let shared = Arc::new(RoomShared::new(id, router, speakers, Arc::downgrade(&self.shared)));
        Speakers::listen(&shared);
        let room = Room { shared };
        state.rooms.insert(id.to_owned(), room.clone());
        drop(state);
        self.shared.tell(&RoomsEvent::RoomOpened { room: id.to_owned() });
        Ok(room)
    }

    fn may_open(&self, id: &str) -> Result<Option<Room>, EnterError> {
        self.check(&lock(&self.shared.state), id)
    }

    fn check(&self, state: &State, id: &str) -> Result<Option<Room>, EnterError> {
        if state.closed {
            return Err(EnterError::Closed);
        }
        if let Some(room) = state.rooms.get(id) {
            return Ok(Some(room.clone()));
        }
        if state.draining {
            return Err(EnterError::Draining);
        }
        let limit = self.shared.options.max_rooms;
        if state.rooms.len() >= limit { Err(EnterError::RoomsFull(limit)) } else { Ok(None) }
    }

    /// Opens no new rooms from now on, or does again.
    pub fn set_draining(&self, draining: bool) {
        lock(&self.shared.state).draining = draining;
    }

    /// Whether no new rooms are opened.
    pub fn draining(&self) -> bool {
        lock(&self.shared.state).draining
    }

    /// What happens in any room from now on.
    pub fn events(&self) -> RoomsEvents {
        let queue = Arc::new(Queue::new(EVENTS));
        lock(&self.shared.readers).push(Arc::downgrade(&queue));
        RoomsEvents { queue }
    }

    /// Closes every room, lets nobody in any more, and closes the Worker.
    pub fn close(&self) {
        let rooms = {
            let mut state = lock(&self.shared.state);
            state.closed = true;
            state.rooms.values().cloned().collect::<Vec<_>>()
        };
        rooms.iter().for_each(Room::close);
        self.shared.worker.close();
        let readers = std::mem::take(&mut *lock(&self.shared.readers));
        readers.iter().filter_map(Weak::upgrade).for_each(|queue| queue.end());
    }
}

impl std::fmt::Debug for Rooms {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rooms").field("worker", &self.shared.worker).finish_non_exhaustive()
    }
}
