//! The Server: Workers, and the rooms that are shared out to them. Does not know who is in a room.

use super::dump::{ServerDump, WorkerRoomsDump};
use super::error::{
    CloseError, CreateRoomError, CreateServerError, InvalidStateError, StateError, UpdateSettingsError,
};
use super::event::{ServerEvent, tell, tell_last};
use super::ids::{Ids, random_index, random_name};
use super::settings::{RoomOptions, RtcAddresses, ServerSettings};
use super::{Room, room_codecs};
use crate::queue::lock;
use std::sync::{Arc, Mutex, Weak};
use tureen::signals::Emitter;
use tureen::{
    AppData, EventStream, ListenerError, RouterOptions, Worker, WorkerId, WorkerManager, WorkerUpdateSettings,
};

/// What all objects of a Server have in common.
pub(super) struct Hub {
    pub(super) manager: WorkerManager,
    pub(super) ids: Ids,
    pub(super) addresses: RtcAddresses,
}

pub(super) struct ServerShared {
    hub: Arc<Hub>,
    emitter: Emitter<ServerEvent>,
    state: Mutex<State>,
    app_data: AppData,
}

#[derive(Default)]
struct State {
    closed: bool,
    workers: Vec<NamedWorker>,
    rooms: Vec<Room>,
}

#[derive(Clone)]
struct NamedWorker {
    name: String,
    worker: Worker,
}

const CLOSED: InvalidStateError = InvalidStateError("server");

impl ServerShared {
    fn check_open(state: &State) -> Result<(), InvalidStateError> {
        if state.closed { Err(CLOSED) } else { Ok(()) }
    }

    /// A room closed.
    pub(super) fn forget(&self, room: &Room) {
        lock(&self.state).rooms.retain(|other| other != room);
    }

    fn worker_closed(&self, id: WorkerId) {
        let died =
            lock(&self.state).workers.iter().any(|named| named.worker.id() == id && named.worker.died());
        self.end_worker(id, died);
    }

    /// A Worker closed, whoever closed it, and with it its rooms.
    fn end_worker(&self, id: WorkerId, died: bool) {
        let (ended, rooms, is_last) = {
            let mut state = lock(&self.state);
            let Some(index) = state.workers.iter().position(|named| named.worker.id() == id) else { return };
            let ended = state.workers.remove(index);
            let rooms = state.rooms.iter().filter(|room| room.router().worker().id() == id).cloned();
            (ended, rooms.collect::<Vec<_>>(), state.workers.is_empty())
        };
        drop(ended);
        rooms.iter().for_each(|room| room.close_because(died.then_some(&CloseError::WorkerDied)));
        if is_last {
            self.close_because(died.then_some(&CloseError::AllWorkersDied));
        }
    }

    fn close_because(&self, error: Option<&CloseError>) {
        let State { rooms, workers, .. } = {
            let mut state = lock(&self.state);
            if state.closed {
                return;
            }
            std::mem::replace(&mut *state, State { closed: true, ..State::default() })
        };
        rooms.iter().for_each(|room| room.close_because(error));
        workers.iter().for_each(|named| named.worker.close());
        tell_last(&self.hub.manager, &self.emitter, ServerEvent::Close(error.cloned()));
    }
}

struct ServerInner {
    shared: Arc<ServerShared>,
}

impl Drop for ServerInner {
    fn drop(&mut self) {
        self.shared.close_because(None);
    }
}

/// Workers and rooms. Clones are handles to the same Server; it closes with [`Server::close`], when the last handle goes, or when all its
/// Workers died.
#[derive(Clone)]
pub struct Server {
    inner: Arc<ServerInner>,
}

impl Server {
    /// Starts the Workers.
    ///
    /// # Errors
    /// [`CreateServerError`] names the setting that is refused.
    pub async fn new(settings: ServerSettings) -> Result<Self, CreateServerError> {
        let (workers, addresses) = (settings.of_workers()?, settings.addresses()?);
        let manager = WorkerManager::new().map_err(CreateServerError::Thread)?;
        let shared = Arc::new(ServerShared {
            hub: Arc::new(Hub { manager, ids: Ids::default(), addresses }),
            emitter: Emitter::default(),
            state: Mutex::default(),
            app_data: settings.app_data,
        });
        let server = Self { inner: Arc::new(ServerInner { shared: Arc::clone(&shared) }) };
        let prefix = random_name();
        for (number, settings) in (1..).zip(workers) {
            let worker = shared.hub.manager.create_worker(settings).await?;
            listen(&shared, &worker);
            lock(&shared.state).workers.push(NamedWorker { name: format!("{prefix}#{number}"), worker });
        }
        Ok(server)
    }

    fn shared(&self) -> &ServerShared {
        &self.inner.shared
    }

    /// Whether it is closed.
    pub fn closed(&self) -> bool {
        lock(&self.shared().state).closed
    }

    /// The program's own data.
    pub fn app_data(&self) -> &AppData {
        &self.shared().app_data
    }

    /// Its rooms, the oldest first.
    pub fn rooms(&self) -> Vec<Room> {
        lock(&self.shared().state).rooms.clone()
    }

    /// Its Workers that live.
    pub fn workers(&self) -> Vec<Worker> {
        lock(&self.shared().state).workers.iter().map(|named| named.worker.clone()).collect()
    }

    /// Closes its rooms and its Workers; does nothing if it is closed.
    pub fn close(&self) {
        self.shared().close_because(None);
    }

    /// Changes what its Workers log from now on; what is `None` stays.
    ///
    /// # Errors
    /// [`UpdateSettingsError`]: it is closed.
    pub async fn update_settings(&self, settings: WorkerUpdateSettings) -> Result<(), UpdateSettingsError> {
        let workers = {
            let state = lock(&self.shared().state);
            ServerShared::check_open(&state)?;
            state.workers.clone()
        };
        for NamedWorker { worker, .. } in workers {
            // One that died meanwhile logs nothing any more.
            let _ = worker.update_settings(settings.clone()).await;
        }
        Ok(())
    }

    /// Makes a room, on one of the Workers at random.
    ///
    /// # Errors
    /// [`CreateRoomError`].
    pub async fn create_room(&self, options: RoomOptions) -> Result<Room, CreateRoomError> {
        let shared = self.shared();
        let worker = {
            let state = lock(&shared.state);
            ServerShared::check_open(&state)?;
            let index = random_index(state.workers.len());
            state.workers.get(index).map(|named| named.worker.clone()).ok_or(CLOSED)?
        };
        let media_codecs = room_codecs(&options.media_codecs)?;
        let router = worker.create_router(RouterOptions::new(media_codecs)).await?;
        let weak = Arc::downgrade(&self.inner.shared);
        let mut state = lock(&shared.state);
        ServerShared::check_open(&state)?;
        let room = Room::new(weak, Arc::clone(&shared.hub), router, options.app_data);
        state.rooms.push(room.clone());
        tell(&shared.hub.manager, &shared.emitter, ServerEvent::NewRoom(room.clone()));
        drop(state);
        // The Worker may have died before the room was known.
        if room.router().closed() {
            room.close_because(worker.died().then_some(&CloseError::WorkerDied));
        }
        Ok(room)
    }

    /// Its internals.
    ///
    /// # Errors
    /// [`StateError`].
    pub async fn dump(&self) -> Result<ServerDump, StateError> {
        let (named, all_rooms) = {
            let state = lock(&self.shared().state);
            ServerShared::check_open(&state)?;
            (state.workers.clone(), state.rooms.clone())
        };
        let mut workers = Vec::with_capacity(named.len());
        for NamedWorker { name, worker } in named {
            let mut rooms = Vec::new();
            for room in all_rooms.iter().filter(|room| room.router().worker().id() == worker.id()) {
                rooms.push(room.dump().await?);
            }
            workers.push(WorkerRoomsDump { worker_id: name, rooms });
        }
        Ok(ServerDump { workers })
    }

    /// Its news as a stream.
    pub fn events(&self) -> EventStream<ServerEvent> {
        self.shared().emitter.stream()
    }

    tureen::on_events! { ServerEvent, |this| this.shared().emitter;
        /// It closed, and by which failure, if by one.
        on_close => Close(Option<CloseError>);
        /// A room was made.
        on_new_room => NewRoom(Room);
        /// A listener of it panicked.
        on_listener_error => ListenerError(ListenerError);
    }
}

fn listen(server: &Arc<ServerShared>, worker: &Worker) {
    let (server, id): (Weak<ServerShared>, WorkerId) = (Arc::downgrade(server), worker.id());
    let closed = move || {
        if let Some(server) = server.upgrade() {
            server.worker_closed(id);
        }
    };
    worker.observer().on_close(closed).detach();
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("closed", &self.closed()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conference::Peer;
    use pollster::block_on;
    use tureen::DirectTransportOptions;
    use tureen::dictionaries::{MediaKind, from_json_value};

    fn able(room: &Room, name: &str) -> Peer {
        let peer = room.create_peer(name).unwrap();
        block_on(peer.set_capabilities(room.capabilities().clone())).unwrap();
        peer
    }

    fn room_of(server: &Server) -> Room {
        let opus = serde_json::json!([{"mimeType": "audio/opus", "clockRate": 48000, "channels": 2}]);
        block_on(server.create_room(RoomOptions::new(from_json_value(opus).unwrap()))).unwrap()
    }

    /// What everything in a room tells of its end.
    fn watch(room: &Room, told: &Arc<Mutex<Vec<String>>>) {
        let write = |name: &'static str| {
            let told = Arc::clone(told);
            move |error: &Option<CloseError>| lock(&told).push(format!("{name}: {error:?}"))
        };
        let (alice, bob) = (able(room, "alice"), able(room, "bob"));
        let transport = block_on(alice.create_direct_transport(DirectTransportOptions::default())).unwrap();
        let receiver = alice.create_rtp_receiver(MediaKind::Audio, &transport).unwrap();
        let sent = serde_json::json!({
            "codecs": [{"mimeType": "audio/opus", "clockRate": 48000, "channels": 2, "payloadType": 100}],
            "encodings": [{"ssrc": 1000}]
        });
        block_on(receiver.receive(from_json_value(sent).unwrap())).unwrap();
        bob.rtp_senders().iter().for_each(|sender| sender.on_close(write("sender")).detach());
        receiver.on_close(write("receiver")).detach();
        transport.on_close(write("transport")).detach();
        alice.on_close(write("alice")).detach();
        bob.on_close(write("bob")).detach();
        room.on_close(write("room")).detach();
    }

    #[test]
    fn a_worker_that_died_takes_its_rooms_along_with_an_error_and_the_last_one_the_server() {
        let server = block_on(Server::new(ServerSettings::with_workers(2))).unwrap();
        let told = Arc::default();
        let room = room_of(&server);
        watch(&room, &told);
        let in_server = Arc::clone(&told);
        server.on_close(move |error| lock(&in_server).push(format!("server: {error:?}"))).detach();
        let [first, second] = &server.workers()[..] else { panic!("two workers") };
        let (own, other) =
            if room.router().worker().id() == first.id() { (first, second) } else { (second, first) };

        server.shared().end_worker(own.id(), true);
        assert!(room.closed() && server.rooms().is_empty() && !server.closed());
        assert_eq!(server.workers().len(), 1);
        let survivor = room_of(&server);
        assert_eq!(survivor.router().worker().id(), other.id(), "rooms go to who lives");
        server.shared().end_worker(own.id(), true);
        server.shared().end_worker(other.id(), true);
        server.shared().end_worker(other.id(), true);
        assert!(server.closed() && survivor.closed());
        block_on(server.shared().hub.manager.all_told());
        let of = |name: &str| format!("{name}: Some(WorkerDied)");
        let mut expected = ["sender", "receiver", "transport", "alice", "bob", "room"].map(of).to_vec();
        expected.push("server: Some(AllWorkersDied)".to_owned());
        assert_eq!(*lock(&told), expected);
    }
}
