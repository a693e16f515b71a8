//! Rooms and who is in them. A room is made with its first broadcaster and goes with its last. Must not know HTTP.

mod broadcaster;
mod refusal;

pub(crate) use broadcaster::{Broadcaster, Device, NewBroadcaster, NewTransport};
pub(crate) use refusal::Refusal;

use crate::config::Settings;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;
use tureen::dictionaries::{MediaKind, RtpCapabilities, generate_router_rtp_capabilities};
use tureen::{ProducerId, Router, RouterOptions, Worker};

/// The longest name of a room or broadcaster, in bytes.
const MAX_NAME: usize = 128;

/// All rooms of a server.
pub(crate) struct Rooms {
    worker: Worker,
    settings: Arc<Settings>,
    /// What every room has: all have the same codecs.
    rtp_capabilities: RtpCapabilities,
    /// `None` once the server is closing.
    rooms: Mutex<Option<BTreeMap<String, Room>>>,
}

struct Room {
    router: Router,
    broadcasters: BTreeMap<String, Arc<Broadcaster>>,
}

/// Somebody in a room, as others are told.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PeerInfo {
    id: String,
    display_name: String,
    device: Device,
    producers: Vec<ProducerInfo>,
}

/// What somebody in a room sends.
#[derive(Debug, Serialize)]
pub(crate) struct ProducerInfo {
    pub(crate) id: ProducerId,
    pub(crate) kind: MediaKind,
}

/// How much there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Census {
    pub(crate) rooms: usize,
    pub(crate) broadcasters: usize,
}

impl Rooms {
    /// No rooms yet, all to be on `worker`.
    ///
    /// # Errors
    /// The codecs of the settings are refused.
    pub(crate) fn new(
        worker: Worker,
        settings: Arc<Settings>,
    ) -> Result<Self, tureen::dictionaries::RouterCapabilitiesError> {
        let codecs: Vec<_> = settings.media_codecs.iter().map(|codec| codec.0.clone()).collect();
        let rtp_capabilities = generate_router_rtp_capabilities(&codecs)?;
        Ok(Self { worker, settings, rtp_capabilities, rooms: Mutex::new(Some(BTreeMap::new())) })
    }

    pub(crate) fn worker(&self) -> &Worker {
        &self.worker
    }

    /// What endpoints may send to the room and receive from it. The room need not exist: it would be made with these.
    ///
    /// # Errors
    /// The name is empty or too long.
    pub(crate) fn rtp_capabilities(&self, room: &str) -> Result<&RtpCapabilities, Refusal> {
        check_name("room", room)?;
        Ok(&self.rtp_capabilities)
    }

    /// Lets a broadcaster in, and tells who is there.
    ///
    /// # Errors
    /// The name of the room, or the id, is empty, too long or taken; or a limit is reached.
    pub(crate) async fn join(&self, name: &str, new: NewBroadcaster) -> Result<Vec<PeerInfo>, Refusal> {
        check_name("room", name)?;
        check_name("id", &new.id)?;
        let mut guard = self.rooms.lock().await;
        let rooms = guard.as_mut().ok_or_else(stopping)?;
        if !rooms.contains_key(name) {
            if rooms.len() >= self.settings.max_rooms {
                return Err(Refusal::Full { what: "rooms", limit: self.settings.max_rooms });
            }
            rooms.insert(
                name.to_owned(),
                Room { router: self.new_router().await?, broadcasters: BTreeMap::new() },
            );
        }
        let room = rooms.get_mut(name).ok_or_else(|| Refusal::unknown("room", name))?;
        if room.broadcasters.contains_key(&new.id) {
            return Err(Refusal::Argument(format!("id: '{}' is in the room already", new.id)));
        }
        if room.broadcasters.len() >= self.settings.max_broadcasters {
            return Err(Refusal::Full {
                what: "broadcasters in the room",
                limit: self.settings.max_broadcasters,
            });
        }
        let others: Vec<_> = room.broadcasters.values().map(Arc::clone).collect();
        let (id, router) = (new.id.clone(), room.router.clone());
        let broadcaster = Arc::new(Broadcaster::new(new, router, Arc::clone(&self.settings)));
        room.broadcasters.insert(id, Arc::clone(&broadcaster));
        drop(guard);
        let mut peers = Vec::with_capacity(others.len());
        for other in others {
            peers.push(broadcaster.describe(&other).await);
        }
        Ok(peers)
    }

    async fn new_router(&self) -> Result<Router, Refusal> {
        let codecs = self.settings.media_codecs.iter().map(|codec| codec.0.clone()).collect();
        Ok(self.worker.create_router(RouterOptions::new(codecs)).await?)
    }

    /// A broadcaster of a room.
    ///
    /// # Errors
    /// There is no such room or broadcaster.
    pub(crate) async fn broadcaster(&self, name: &str, id: &str) -> Result<Arc<Broadcaster>, Refusal> {
        let guard = self.rooms.lock().await;
        let rooms = guard.as_ref().ok_or_else(stopping)?;
        let room = rooms.get(name).ok_or_else(|| Refusal::unknown("room", name))?;
        let broadcaster = room.broadcasters.get(id).ok_or_else(|| Refusal::unknown("broadcaster", id))?;
        broadcaster.touch();
        Ok(Arc::clone(broadcaster))
    }

    /// Removes a broadcaster with all that it has, and the room if it was the last.
    ///
    /// # Errors
    /// There is no such room or broadcaster.
    pub(crate) async fn leave(&self, name: &str, id: &str) -> Result<(), Refusal> {
        let mut guard = self.rooms.lock().await;
        let rooms = guard.as_mut().ok_or_else(stopping)?;
        let room = rooms.get_mut(name).ok_or_else(|| Refusal::unknown("room", name))?;
        let broadcaster = room.broadcasters.remove(id).ok_or_else(|| Refusal::unknown("broadcaster", id))?;
        if room.broadcasters.is_empty()
            && let Some(room) = rooms.remove(name)
        {
            room.router.close();
        }
        drop(guard);
        broadcaster.close().await;
        Ok(())
    }

    /// Removes the broadcasters that have been idle for so long.
    pub(crate) async fn remove_idle(&self, limit: Duration) {
        for (room, broadcaster) in self.everybody().await {
            if broadcaster.idle_for(Instant::now()).await < limit {
                continue;
            }
            // It may have left by itself just now.
            if self.leave(&room, broadcaster.id()).await.is_ok() {
                tracing::info!(room, broadcaster = broadcaster.id(), "removed: idle");
            }
        }
    }

    async fn everybody(&self) -> Vec<(String, Arc<Broadcaster>)> {
        let guard = self.rooms.lock().await;
        let rooms = guard.iter().flatten();
        rooms
            .flat_map(|(name, room)| {
                room.broadcasters.values().map(move |broadcaster| (name.clone(), Arc::clone(broadcaster)))
            })
            .collect()
    }

    pub(crate) async fn census(&self) -> Census {
        let guard = self.rooms.lock().await;
        let rooms = || guard.iter().flatten();
        Census {
            rooms: rooms().count(),
            broadcasters: rooms().map(|(_, room)| room.broadcasters.len()).sum(),
        }
    }

    /// Closes every room, and makes none any more.
    pub(crate) async fn close(&self) {
        let rooms = self.rooms.lock().await.take();
        for room in rooms.into_iter().flatten().map(|(_, room)| room) {
            room.router.close();
        }
        self.worker.close();
    }
}

impl std::fmt::Debug for Rooms {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rooms").field("worker", &self.worker).finish_non_exhaustive()
    }
}

fn stopping() -> Refusal {
    Refusal::Unavailable("the server is stopping".into())
}

fn check_name(field: &str, name: &str) -> Result<(), Refusal> {
    let reason = match name.len() {
        0 => "must not be empty".to_owned(),
        len if len > MAX_NAME => format!("must not be longer than {MAX_NAME} bytes"),
        _ if name.chars().any(char::is_control) => "must not have control characters".to_owned(),
        _ => return Ok(()),
    };
    Err(Refusal::Argument(format!("{field}: {reason}")))
}
