//! A pipe: a peer whose endpoint is a room of another server. With a name it is one of the peers there, and sends what that one sends; without,
//! nobody is told of it, and it carries producers of this room away. Must not know HTTP.

use super::pipe_data::{DataConsumerState, open_data_consumers, open_data_producers};
use super::webrtc::sctp_options;
use super::{NewDevice, Rooms};
use crate::access::{Grant, Secret};
use crate::net::media_place;
use crate::random::draw;
use crate::refusal::Refusal;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tureen::dictionaries::{ConsumerType, MediaKind, RtpParameters, SrtpParameters};
use tureen::{
    AnyTransport, AppData, ConsumerId, ConsumerOptions, ContentHint, DataProducerId, PipeConnectOptions,
    PipeTransport, PipeTransportOptions, Producer, ProducerId, ProducerOptions, SctpTransportOptions,
    Transport,
};
use tureen_room::{CloseReason, Direction, Peer, Profile, Role, Room, Subscription};

/// What a pipe is to be like.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub(crate) struct NewPipe {
    /// Whether packets are SRTP. Default `true`.
    pub(crate) enable_srtp: bool,
    /// Whether lost packets are asked for and sent again. Default `true`.
    pub(crate) enable_rtx: bool,
    /// Whether it carries messages too, which are not protected. Default `false`.
    pub(crate) enable_data: bool,
    /// The address that the other server is told to send to. Default: that of the settings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) announced_address: Option<String>,
    /// Who of the other room it stands for; without it sends nothing into this room.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) peer: Option<PipedPeer>,
    /// What several pipes have in common; those who ask for the pipes of a link keep these open.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) link: String,
}

impl Default for NewPipe {
    fn default() -> Self {
        Self {
            enable_srtp: true,
            enable_rtx: true,
            enable_data: false,
            announced_address: None,
            peer: None,
            link: String::new(),
        }
    }
}

/// A peer of the other room, as peers of this one are told of it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct PipedPeer {
    pub(crate) display_name: String,
    pub(crate) device: NewDevice,
}

/// What the other server has to know of a pipe.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PipeReply {
    pub(crate) id: String,
    pub(crate) ip: String,
    pub(crate) port: u16,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) srtp_parameters: Option<SrtpParameters>,
}

/// A producer of the other room.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PipedProducer {
    /// The id that it is to have here too. Default: another.
    pub(crate) id: Option<ProducerId>,
    pub(crate) kind: MediaKind,
    /// Those of the other server's consumer.
    pub(crate) rtp_parameters: RtpParameters,
    #[serde(default)]
    pub(crate) paused: bool,
    /// What its pictures show.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) content_hint: Option<ContentHint>,
}

/// A producer of this room on its way to the other.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PipedConsumer {
    pub(crate) id: ConsumerId,
    pub(crate) producer_id: ProducerId,
    pub(crate) kind: MediaKind,
    #[serde(rename = "type")]
    pub(crate) consumer_type: ConsumerType,
    pub(crate) rtp_parameters: RtpParameters,
    pub(crate) producer_paused: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) content_hint: Option<ContentHint>,
}

/// What there is in a room, as a link needs to know it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct RoomState {
    /// Those who have joined, but for the peers of other rooms.
    pub(crate) peers: Vec<PeerState>,
    pub(crate) pipes: Vec<PipeState>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PeerState {
    pub(crate) id: String,
    pub(crate) display_name: String,
    pub(crate) device: NewDevice,
    pub(crate) producers: Vec<ProducerState>,
    /// Those that are for everybody.
    pub(crate) data_producers: Vec<DataProducerId>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct ProducerState {
    pub(crate) id: ProducerId,
    pub(crate) kind: MediaKind,
    pub(crate) paused: bool,
}

impl From<&Producer> for ProducerState {
    fn from(producer: &Producer) -> Self {
        Self { id: producer.id(), kind: producer.kind(), paused: producer.paused() }
    }
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PipeState {
    pub(crate) id: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) link: String,
    /// Of a peer of the other room.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) display_name: Option<String>,
    pub(crate) producers: Vec<ProducerState>,
    pub(crate) consumers: Vec<ConsumerState>,
    pub(crate) data_producers: Vec<DataProducerId>,
    pub(crate) data_consumers: Vec<DataConsumerState>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ConsumerState {
    pub(crate) id: ConsumerId,
    pub(crate) producer_id: ProducerId,
}

/// What makes a peer a pipe, in the peer's slot for data.
struct Slot {
    link: String,
    /// When somebody last asked for it or something came over it.
    used: Mutex<Instant>,
    /// The bytes that had come when it was last looked at.
    received: Mutex<u64>,
}

pub(crate) struct Pipe {
    pub(super) peer: Peer,
    slot: Arc<Slot>,
}

impl Pipe {
    /// The pipe that a peer is, if it is one.
    fn of(peer: Peer) -> Option<Self> {
        let slot = peer.app_data().get::<Slot>()?;
        Some(Self { peer, slot })
    }

    fn touch(&self) {
        *self.slot.used.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    pub(super) fn transport(&self) -> Result<PipeTransport, Refusal> {
        let mut transports = self.peer.transports().into_iter();
        let found = transports.find_map(|transport| match transport {
            AnyTransport::Pipe(pipe) => Some(pipe),
            _ => None,
        });
        found.ok_or_else(|| Refusal::unknown("pipe", self.peer.id()))
    }

    /// How long nobody has asked for it and nothing has come over it.
    async fn idle_for(&self, now: Instant) -> Duration {
        let stats = match self.transport() {
            Ok(transport) => transport.get_stats().await.ok(),
            Err(_) => None,
        };
        let received = stats.map_or(0, |stats| stats.base.bytes_received);
        let mut before = self.slot.received.lock().unwrap_or_else(PoisonError::into_inner);
        let mut used = self.slot.used.lock().unwrap_or_else(PoisonError::into_inner);
        if std::mem::replace(&mut *before, received) != received {
            *used = now;
        }
        now.saturating_duration_since(*used)
    }

    pub(crate) fn state(&self) -> PipeState {
        let consumers = self.peer.consumers();
        let consumers = consumers.iter().filter(|consumer| !consumer.closed());
        PipeState {
            id: self.peer.id().to_owned(),
            link: self.slot.link.clone(),
            display_name: self.peer.profile().map(|profile| profile.display_name),
            producers: open_producers(&self.peer),
            consumers: consumers
                .map(|consumer| ConsumerState { id: consumer.id(), producer_id: consumer.producer_id() })
                .collect(),
            data_producers: open_data_producers(&self.peer),
            data_consumers: open_data_consumers(&self.peer),
        }
    }

    /// Gives the peer that it stands for another name.
    pub(crate) fn rename(&self, display_name: String) -> Result<(), Refusal> {
        self.check_peer()?;
        Ok(self.peer.rename(display_name)?)
    }

    /// Only a peer of the other room produces, and has a name.
    pub(super) fn check_peer(&self) -> Result<(), Refusal> {
        let reason = "peer: a pipe that was made without one produces nothing and has no name";
        if self.peer.joined() { Ok(()) } else { Err(Refusal::Argument(reason.into())) }
    }

    pub(crate) async fn connect(&self, remote: PipeConnectOptions) -> Result<(), Refusal> {
        Ok(self.transport()?.connect(remote).await?)
    }

    pub(crate) async fn consume(&self, producer: ProducerId) -> Result<PipedConsumer, Refusal> {
        let transport = self.transport()?.id();
        let consumer = self.peer.consume_with(&transport, ConsumerOptions::over_pipe(producer)).await?;
        Ok(PipedConsumer {
            id: consumer.id(),
            producer_id: producer,
            kind: consumer.kind(),
            consumer_type: consumer.consumer_type(),
            rtp_parameters: consumer.rtp_parameters().clone(),
            producer_paused: consumer.producer_paused(),
            content_hint: self.peer.room().producer(&producer).and_then(|(_, found)| found.content_hint()),
        })
    }

    pub(crate) async fn produce(&self, piped: PipedProducer) -> Result<ProducerId, Refusal> {
        self.check_peer()?;
        let mut options = ProducerOptions::new(piped.kind, piped.rtp_parameters);
        options.id = piped.id;
        options.paused = piped.paused;
        options.content_hint = piped.content_hint;
        Ok(self.peer.produce(&self.transport()?.id(), options).await?.id())
    }

    fn producer(&self, id: &ProducerId) -> Result<Producer, Refusal> {
        self.peer.producer(id).ok_or_else(|| Refusal::unknown("producer", id))
    }

    /// Pauses or resumes what comes from the other room. What an operator muted stays so.
    pub(crate) async fn set_paused(&self, id: &ProducerId, paused: bool) -> Result<(), Refusal> {
        let producer = self.producer(id)?;
        if !paused && self.peer.muted(producer.kind()) {
            return Err(Refusal::Forbidden("an operator has muted this peer".into()));
        }
        let done = if paused { producer.pause().await } else { producer.resume().await };
        done.map_err(|error| Refusal::request(error, "producer", id))
    }

    pub(crate) fn close_producer(&self, id: &ProducerId) -> Result<(), Refusal> {
        let found = self.peer.close_producer(id);
        if found { Ok(()) } else { Err(Refusal::unknown("producer", id)) }
    }

    pub(crate) fn close_consumer(&self, id: &ConsumerId) -> Result<(), Refusal> {
        let found = self.peer.close_consumer(id);
        if found { Ok(()) } else { Err(Refusal::unknown("consumer", id)) }
    }

    pub(crate) fn close(&self) {
        self.peer.close();
    }
}

fn open_producers(peer: &Peer) -> Vec<ProducerState> {
    let producers = peer.producers();
    producers.iter().filter(|producer| !producer.closed()).map(ProducerState::from).collect()
}

fn pipes(room: &Room) -> Vec<Pipe> {
    room.peers().into_iter().filter_map(Pipe::of).collect()
}

impl Rooms {
    /// Opens a pipe into a room, which is made if it is not there.
    ///
    /// # Errors
    /// The name of the room is refused, it is locked, a limit is reached, or no port is free.
    pub(crate) async fn open_pipe(
        &self,
        room: &str,
        new: NewPipe,
        reached_on: Option<IpAddr>,
    ) -> Result<PipeReply, Refusal> {
        let id = format!("pipe-{}", draw::<6>()?);
        let slot = Slot { link: new.link, used: Mutex::new(Instant::now()), received: Mutex::default() };
        let grant = Grant { role: Role::Publish, peer: None, token: Secret::default() };
        let entered = self.enter(room, &id, &grant, Subscription::OnRequest, AppData::new(slot)).await?;
        let (peer, _) = entered?;
        let mut options = PipeTransportOptions::new(media_place(&self.settings, reached_on));
        if new.announced_address.is_some() {
            options.listen_info.announced_address = new.announced_address;
        }
        (options.enable_srtp, options.enable_rtx) = (new.enable_srtp, new.enable_rtx);
        if new.enable_data {
            // They were counted where they came from.
            options.sctp =
                SctpTransportOptions { max_messages_per_second: 0, ..sctp_options(&self.settings) };
        }
        let made = add_transport(&peer, options, new.peer).await;
        let transport = made.inspect_err(|_| peer.close())?;
        let tuple = transport.tuple();
        let srtp_parameters = transport.srtp_parameters();
        Ok(PipeReply { id, ip: tuple.local_address, port: tuple.local_port, srtp_parameters })
    }

    /// A pipe of a room.
    ///
    /// # Errors
    /// There is no such room or pipe.
    pub(crate) fn pipe(&self, room: &str, id: &str) -> Result<Pipe, Refusal> {
        let pipe = self.room(room)?.peer(id).and_then(Pipe::of);
        let pipe = pipe.ok_or_else(|| Refusal::unknown("pipe", id))?;
        pipe.touch();
        Ok(pipe)
    }

    /// What there is in a room. The pipes of `link` are kept open by that.
    ///
    /// # Errors
    /// There is no such room.
    pub(crate) fn room_state(&self, room: &str, link: Option<&str>) -> Result<RoomState, Refusal> {
        let room = self.room(room)?;
        let pipes = pipes(&room);
        pipes.iter().filter(|pipe| link == Some(&*pipe.slot.link)).for_each(Pipe::touch);
        let peers = room.peers().into_iter().filter(|peer| peer.app_data().get::<Slot>().is_none());
        let peers = peers.filter_map(|peer| {
            let Profile { display_name, device, .. } = peer.profile()?;
            let (producers, data_producers) = (open_producers(&peer), open_data_producers(&peer));
            let (id, device) = (peer.id().to_owned(), device.into());
            Some(PeerState { id, display_name, device, producers, data_producers })
        });
        Ok(RoomState { peers: peers.collect(), pipes: pipes.iter().map(Pipe::state).collect() })
    }

    /// Removes the pipes that nobody has asked for, and that nothing came over, for so long.
    pub(crate) async fn remove_silent_pipes(&self, limit: Duration) {
        for room in self.list() {
            for pipe in pipes(&room) {
                if pipe.idle_for(Instant::now()).await >= limit {
                    pipe.peer.close_because(CloseReason::Lost);
                    tracing::info!(room = room.id(), pipe = pipe.peer.id(), "removed: silent");
                }
            }
        }
    }
}

async fn add_transport(
    peer: &Peer,
    options: PipeTransportOptions,
    piped: Option<PipedPeer>,
) -> Result<PipeTransport, Refusal> {
    let transport = peer.router().create_pipe_transport(options).await?;
    peer.add_transport(transport.clone(), Direction::Producing)?;
    if let Some(PipedPeer { display_name, device }) = piped {
        peer.join(Profile::new(display_name, device.into(), None))?;
    }
    Ok(transport)
}
