//! The server's rooms: the rooms of `tureen-room` under the server's settings, and the broadcasters among their peers. Must
//! not know HTTP.

mod bot;
mod broadcaster;
mod data;
mod describe;
mod pipe;
mod pipe_data;
mod webrtc;

pub(crate) use broadcaster::{Broadcaster, NewTransport, Remote};
pub(crate) use data::NewDataProducer;
pub(crate) use describe::{NewBroadcaster, NewDevice, PeerJson, explanation_json};
pub(crate) use pipe::{
    NewPipe, PeerState, PipeReply, PipeState, PipedConsumer, PipedPeer, PipedProducer, ProducerState,
    RoomState,
};
pub(crate) use pipe_data::{PipedDataConsumer, PipedDataProducer};
pub(crate) use webrtc::{WebRtc, webrtc_transport};

use crate::access::Grant;
use crate::config::Settings;
use crate::refusal::Refusal;
use broadcaster::Activity;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tureen::dictionaries::{RtcpFeedback, RtpCapabilities};
use tureen::{AppData, KeyFrameCache, Worker};
use tureen_room::{
    CloseReason, Inbox, Peer, PeerLimits, PeerOptions, Profile, Room, RoomsEvents, RoomsOptions, Subscription,
};

/// The longest name of a room or peer, in bytes.
const MAX_NAME: usize = 128;

/// All rooms of a server.
pub(crate) struct Rooms {
    rooms: tureen_room::Rooms,
    settings: Arc<Settings>,
    webrtc: Arc<WebRtc>,
    /// Held while a room gets its bot, so that it gets one.
    bots: tokio::sync::Mutex<()>,
}

/// How much there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Census {
    pub(crate) rooms: usize,
    /// Broadcasters included.
    pub(crate) peers: usize,
    pub(crate) broadcasters: usize,
}

impl Rooms {
    /// No rooms yet, all to be on `worker`.
    ///
    /// # Errors
    /// The codecs of the settings are refused.
    pub(crate) fn new(
        worker: Worker,
        webrtc: WebRtc,
        settings: Arc<Settings>,
    ) -> Result<Self, tureen::dictionaries::RouterCapabilitiesError> {
        let mut codecs: Vec<_> = settings.media_codecs.iter().map(|codec| codec.0.clone()).collect();
        if let Some(codec) = codecs.first_mut().filter(|_| settings.stream_feedback) {
            // All codecs of a router have it, or none.
            codec.rtcp_feedback.push(RtcpFeedback::ACK_CCFB);
        }
        let mut options = RoomsOptions::new(codecs);
        (options.max_rooms, options.max_peers) = (settings.max_rooms, settings.max_peers);
        options.key_frame_cache = (settings.key_frame_cache > 0).then(|| KeyFrameCache {
            max_age: Duration::from_millis(settings.key_frame_cache.into()),
            ..Default::default()
        });
        options.last_n_audio = (settings.last_n_audio > 0).then_some(settings.last_n_audio);
        let rooms = tureen_room::Rooms::new(worker, options)?;
        Ok(Self { rooms, settings, webrtc: Arc::new(webrtc), bots: tokio::sync::Mutex::default() })
    }

    pub(crate) fn worker(&self) -> &Worker {
        self.rooms.worker()
    }

    pub(crate) fn webrtc(&self) -> &WebRtc {
        &self.webrtc
    }

    /// What endpoints may send to the room and receive from it. The room need not exist: it would be made with these.
    ///
    /// # Errors
    /// The name is empty or too long.
    pub(crate) fn rtp_capabilities(&self, room: &str) -> Result<&RtpCapabilities, Refusal> {
        check_name("room", room)?;
        Ok(self.rooms.rtp_capabilities())
    }

    /// A room that exists.
    pub(crate) fn room(&self, id: &str) -> Result<Room, Refusal> {
        self.rooms.get(id).ok_or_else(|| Refusal::unknown("room", id))
    }

    pub(crate) fn list(&self) -> Vec<Room> {
        self.rooms.list()
    }

    pub(crate) fn events(&self) -> RoomsEvents {
        self.rooms.events()
    }

    pub(crate) fn set_draining(&self, draining: bool) {
        self.rooms.set_draining(draining);
    }

    pub(crate) fn draining(&self) -> bool {
        self.rooms.draining()
    }

    /// Lets somebody in. `EnterError::Taken` is for the caller to judge.
    pub(crate) async fn enter(
        &self,
        room: &str,
        peer: &str,
        grant: &Grant,
        subscription: Subscription,
        app_data: AppData,
    ) -> Result<Result<(Peer, Inbox), tureen_room::EnterError>, Refusal> {
        check_name("room", room)?;
        check_name("id", peer)?;
        grant.check_peer(peer)?;
        let mut options = PeerOptions::new(peer);
        options.role = grant.role;
        options.subscription = subscription;
        let Settings { max_transports, max_producers, max_consumers, .. } = *self.settings;
        options.limits = PeerLimits::new(max_transports, max_producers, max_consumers);
        options.limits.data_producers = self.settings.max_data_producers;
        options.limits.data_consumers = self.settings.max_data_consumers;
        options.app_data = app_data;
        Ok(self.rooms.enter(room, options).await)
    }

    /// Lets a broadcaster in, and tells who is there: with capabilities of its own only what it can consume.
    ///
    /// # Errors
    /// The name of the room, or the id, is empty, too long or taken; or a limit is reached.
    pub(crate) async fn join(
        &self,
        name: &str,
        new: NewBroadcaster,
        grant: &Grant,
    ) -> Result<Vec<PeerJson>, Refusal> {
        let limit = self.settings.max_broadcasters;
        if self.rooms.get(name).is_some_and(|room| self.broadcasters(&room).len() >= limit) {
            return Err(Refusal::Full { what: "broadcasters in the room", limit });
        }
        let slot = AppData::new(Activity::default());
        let (peer, _) = self.enter(name, &new.id, grant, Subscription::OnRequest, slot).await??;
        let capabilities = new.rtp_capabilities.clone();
        let profile = Profile::new(new.display_name, new.device.into(), new.rtp_capabilities);
        let others = peer.join(profile).inspect_err(|_| peer.close())?;
        let can_consume = |id: &tureen::ProducerId| match &capabilities {
            Some(capabilities) => peer.router().can_consume(id, capabilities).unwrap_or(false),
            None => true,
        };
        Ok(others.into_iter().map(|info| PeerJson::new(info, can_consume)).collect())
    }

    fn broadcasters(&self, room: &Room) -> Vec<Broadcaster> {
        let peers = room.peers().into_iter();
        peers.filter_map(|peer| Broadcaster::of(peer, &self.settings, &self.webrtc)).collect()
    }

    /// A broadcaster of a room.
    ///
    /// # Errors
    /// There is no such room or broadcaster.
    pub(crate) fn broadcaster(&self, name: &str, id: &str) -> Result<Broadcaster, Refusal> {
        let peer = self.room(name)?.peer(id);
        let broadcaster = peer.and_then(|peer| Broadcaster::of(peer, &self.settings, &self.webrtc));
        let broadcaster = broadcaster.ok_or_else(|| Refusal::unknown("broadcaster", id))?;
        broadcaster.touch();
        Ok(broadcaster)
    }

    /// Removes the broadcasters that have been idle for so long.
    pub(crate) async fn remove_idle(&self, limit: Duration) {
        for room in self.rooms.list() {
            for broadcaster in self.broadcasters(&room) {
                if broadcaster.idle_for(Instant::now()).await >= limit {
                    broadcaster.peer().close_because(CloseReason::Lost);
                    tracing::info!(room = room.id(), broadcaster = broadcaster.peer().id(), "removed: idle");
                }
            }
        }
    }

    pub(crate) fn census(&self) -> Census {
        self.rooms.list().iter().fold(Census::default(), |sum, room| Census {
            rooms: sum.rooms + 1,
            peers: sum.peers + room.peers().len(),
            broadcasters: sum.broadcasters + self.broadcasters(room).len(),
        })
    }

    /// Closes every room, and makes none any more.
    pub(crate) fn close(&self) {
        self.rooms.close();
    }
}

impl std::fmt::Debug for Rooms {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rooms").field("rooms", &self.rooms).finish_non_exhaustive()
    }
}

pub(crate) fn check_name(field: &str, name: &str) -> Result<(), Refusal> {
    let reason = match name.len() {
        0 => "must not be empty".to_owned(),
        len if len > MAX_NAME => format!("must not be longer than {MAX_NAME} bytes"),
        _ if name.chars().any(char::is_control) => "must not have control characters".to_owned(),
        _ => return Ok(()),
    };
    Err(Refusal::Argument(format!("{field}: {reason}")))
}
