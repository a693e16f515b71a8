//! What rooms and peers are made with, and the words they share. Knows no object.

use tureen::dictionaries::{RouterRtpCodecCapability, RtpCapabilities};
use tureen::{AppData, KeyFrameCache};

/// The most extra consumers that a peer gets of each producer.
pub const MAX_REPLICAS: u8 = 4;

/// How [`Rooms`](crate::Rooms) are made.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RoomsOptions {
    /// The codecs of every room.
    pub media_codecs: Vec<RouterRtpCodecCapability>,
    /// Rooms at a time. Default 1000.
    pub max_rooms: usize,
    /// Peers in a room. Default 500.
    pub max_peers: usize,
    /// What is kept since the last key frame of each video whose key frames can be told, so that newcomers start from it; a producer's
    /// own option goes before it. Default nothing.
    pub key_frame_cache: Option<KeyFrameCache>,
    /// How many audio producers of a room are forwarded, the loudest, 1 to 255; see [`LastNAudio`](tureen::LastNAudio). Those whose packets
    /// carry no audio levels are forwarded besides. Default: all.
    pub last_n_audio: Option<u8>,
}

impl RoomsOptions {
    /// Rooms of these codecs, with defaults.
    pub fn new(media_codecs: Vec<RouterRtpCodecCapability>) -> Self {
        Self { media_codecs, max_rooms: 1_000, max_peers: 500, key_frame_cache: None, last_n_audio: None }
    }
}

/// What a peer may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Role {
    /// Send and receive.
    #[default]
    Publish,
    /// Receive only.
    Subscribe,
    /// Send, receive, and whatever the program lets operators do.
    Admin,
}

impl Role {
    /// Whether it may produce.
    pub const fn may_produce(self) -> bool {
        !matches!(self, Self::Subscribe)
    }
}

/// Whether a peer gets consumers unasked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Subscription {
    /// One of every producer of the others, and so many more of each, up to [`MAX_REPLICAS`].
    All {
        /// Consumers of each producer beyond the first.
        replicas: u8,
    },
    /// Only those that [`Peer::consume`](crate::Peer::consume) makes.
    #[default]
    OnRequest,
}

impl Subscription {
    /// How many consumers are made unasked of each producer.
    pub(crate) fn consumers(self) -> u8 {
        match self {
            Self::All { replicas } => replicas.min(MAX_REPLICAS).saturating_add(1),
            Self::OnRequest => 0,
        }
    }
}

/// How much a peer may have at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PeerLimits {
    /// Transports. Default 16.
    pub transports: usize,
    /// Producers. Default 32.
    pub producers: usize,
    /// Consumers. Default 1000.
    pub consumers: usize,
    /// Data producers. Default 16.
    pub data_producers: usize,
    /// Data consumers. Default 1000.
    pub data_consumers: usize,
}

impl Default for PeerLimits {
    fn default() -> Self {
        Self::new(16, 32, 1_000)
    }
}

impl PeerLimits {
    /// So many of each; for messages, the defaults.
    pub const fn new(transports: usize, producers: usize, consumers: usize) -> Self {
        Self { transports, producers, consumers, data_producers: 16, data_consumers: 1_000 }
    }
}

/// How a peer enters a room.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PeerOptions {
    /// Its id, which nobody else in the room has.
    pub id: String,
    /// What it may do. Default [`Role::Publish`].
    pub role: Role,
    /// Which consumers it gets. Default: one of every producer.
    pub subscription: Subscription,
    /// How much it may have.
    pub limits: PeerLimits,
    /// The program's own data. Default `()`.
    pub app_data: AppData,
}

impl PeerOptions {
    /// A peer of this id, with defaults.
    pub fn new(id: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            role: Role::default(),
            subscription: Subscription::All { replicas: 0 },
            limits: PeerLimits::default(),
            app_data: AppData::default(),
        }
    }
}

/// What an endpoint is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Device {
    /// Its family in one word, such as `chrome`.
    pub flag: String,
    /// Its name, such as `Chrome` or `FFmpeg`.
    pub name: String,
    /// Its version.
    pub version: String,
}

impl Device {
    /// A device of this family, name and version.
    pub fn new(flag: impl Into<String>, name: impl Into<String>, version: impl Into<String>) -> Self {
        Self { flag: flag.into(), name: name.into(), version: version.into() }
    }
}

/// What a peer tells of itself when it joins.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Profile {
    /// For people.
    pub display_name: String,
    /// What it runs on.
    pub device: Device,
    /// What it can receive; without it no consumers are made unasked.
    pub rtp_capabilities: Option<RtpCapabilities>,
}

impl Profile {
    /// All of it.
    pub fn new(
        display_name: impl Into<String>,
        device: Device,
        rtp_capabilities: Option<RtpCapabilities>,
    ) -> Self {
        Self { display_name: display_name.into(), device, rtp_capabilities }
    }
}

/// What a transport of a peer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Producers only.
    Producing,
    /// Consumers too; the first such transport is where consumers are made unasked.
    Consuming,
}

/// Why a peer is no longer in its room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CloseReason {
    /// It left.
    Left,
    /// Another with its id took its place.
    Replaced,
    /// An operator removed it.
    Removed,
    /// It was gone, idle or broken for too long.
    Lost,
    /// The room closed.
    RoomClosed,
    /// It did not read its [`Inbox`](crate::Inbox) in time.
    Lagged,
}
