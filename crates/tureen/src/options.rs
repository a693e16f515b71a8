//! What objects are made with, defaults filled in.

use crate::app_data::AppData;
use crate::log::{LogLevel, LogTag};
use crate::webrtc_server::WebRtcServer;
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, Ipv4Addr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;
use tureen_data::AssociationOptions;
use tureen_media_model::{
    ConsumerIdentity, ConsumerNumbering, ContentHint, KeyFrameCache, OutgoingBitrates, ProducerId,
    SctpOptions,
};
use tureen_rtp_dictionaries::{
    CryptoSuite, MediaKind, MediaLayers, NumSctpStreams, RouterRtpCodecCapability, RtpCapabilities,
    RtpParameters, SrtpParameters, TransportProtocol,
};

/// How a Worker is made.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct WorkerSettings {
    /// How much is logged. Default [`LogLevel::Error`].
    pub log_level: LogLevel,
    /// The tags whose warnings and details are logged. Default none.
    pub log_tags: Vec<LogTag>,
    /// The UDP ports that sockets take where a transport chooses none, 1 to 65535. Default 10000 to 59999.
    pub rtc_port_range: RangeInclusive<u16>,
    /// The certificate that WebRTC transports show to their remotes. Default: one that is made for the Worker.
    pub dtls_files: Option<DtlsFiles>,
    /// How the shards are run: how many, their queues, batching. Default: one for each core.
    pub runtime: tureen_runtime::RuntimeConfig,
    /// The program's own data. Default `()`.
    pub app_data: AppData,
}

impl Default for WorkerSettings {
    fn default() -> Self {
        Self {
            log_level: LogLevel::default(),
            log_tags: Vec::new(),
            rtc_port_range: 10_000..=59_999,
            dtls_files: None,
            runtime: tureen_runtime::RuntimeConfig::default(),
            app_data: AppData::default(),
        }
    }
}

impl WorkerSettings {
    /// The defaults with so many shards, 1 to 255.
    pub fn with_shards(shards: u8) -> Self {
        let runtime = tureen_runtime::RuntimeConfig { shards: Some(shards), ..Default::default() };
        Self { runtime, ..Self::default() }
    }
}

/// A certificate for DTLS: files in PEM. Elliptic curve keys only (P-256, P-384).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DtlsFiles {
    /// The certificate.
    pub certificate: PathBuf,
    /// Its private key.
    pub private_key: PathBuf,
}

/// Settings that a running Worker takes; what is `None` stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct WorkerUpdateSettings {
    /// How much is logged.
    pub log_level: Option<LogLevel>,
    /// The tags whose warnings and details are logged.
    pub log_tags: Option<Vec<LogTag>>,
}

/// How a Router is made.
#[derive(Clone, Debug, Default)]
pub struct RouterOptions {
    /// The codecs that may be produced. Default none.
    pub media_codecs: Vec<RouterRtpCodecCapability>,
    /// The program's own data. Default `()`.
    pub app_data: AppData,
}

impl RouterOptions {
    /// A router of these codecs.
    pub fn new(media_codecs: Vec<RouterRtpCodecCapability>) -> Self {
        Self { media_codecs, ..Self::default() }
    }
}

/// Where a transport listens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListenInfo {
    /// What carries packets; plain transports take UDP only. Default UDP.
    #[serde(default)]
    pub protocol: TransportProtocol,
    /// The local address; unspecified for all of its family.
    pub ip: IpAddr,
    /// The address or host name that remotes are told instead of `ip`. Default `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub announced_address: Option<String>,
    /// Whether WebRTC remotes are told `ip` as well as `announced_address`. Default `false`.
    #[serde(default)]
    pub expose_internal_ip: bool,
    /// The port; 0 or `None` for one of the range. Default `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// The ports to choose from. Default: the Worker's `rtc_port_range`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port_range: Option<PortRange>,
    /// Socket flags. Default none.
    #[serde(default)]
    pub flags: SocketFlags,
    /// SO_SNDBUF in bytes. Default: the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub send_buffer_size: Option<u32>,
    /// SO_RCVBUF in bytes. Default: the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recv_buffer_size: Option<u32>,
}

impl ListenInfo {
    /// Listens on `ip`, with defaults.
    pub fn new(ip: IpAddr) -> Self {
        Self {
            protocol: TransportProtocol::Udp,
            ip,
            announced_address: None,
            expose_internal_ip: false,
            port: None,
            port_range: None,
            flags: SocketFlags::default(),
            send_buffer_size: None,
            recv_buffer_size: None,
        }
    }

    /// Listens on `ip` for TCP, with defaults.
    pub fn tcp(ip: IpAddr) -> Self {
        Self { protocol: TransportProtocol::Tcp, ..Self::new(ip) }
    }

    /// Listens on 127.0.0.1, with defaults.
    pub fn loopback() -> Self {
        Self::new(Ipv4Addr::LOCALHOST.into())
    }
}

/// Ports, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortRange {
    /// The lowest, at least 1.
    pub min: u16,
    /// The highest, at least `min`.
    pub max: u16,
}

/// Flags of a socket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SocketFlags {
    /// Whether an IPv6 socket refuses IPv4. Default `false`.
    pub ipv6_only: bool,
    /// Whether other sockets may share the port; needs a fixed `port`. Default `false`.
    pub udp_reuse_port: bool,
    /// Whether marks of congestion in IP headers (ECN, RFC 3168) are taken part in, over UDP and where the system has them (Linux): those of
    /// what comes in are told to senders that get RFC 8888 feedback, and media to WebRTC remotes that give it is sent as ECT(1) (RFC 9331),
    /// for as long as they tell of marks. Default `false`.
    pub ecn: bool,
}

/// How a WebRtcServer is made.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct WebRtcServerOptions {
    /// Where it listens, at least one place.
    pub listen_infos: Vec<ListenInfo>,
    /// The program's own data. Default `()`.
    pub app_data: AppData,
}

impl WebRtcServerOptions {
    /// A server that listens in these places.
    pub fn new(listen_infos: Vec<ListenInfo>) -> Self {
        Self { listen_infos, ..Self::default() }
    }
}

/// Where a WebRTC transport listens.
#[derive(Clone, Debug)]
pub enum WebRtcListen {
    /// On sockets of its own.
    Individual(Vec<ListenInfo>),
    /// On the sockets of a WebRtcServer.
    Server(WebRtcServer),
}

/// SCTP on a transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SctpTransportOptions {
    /// Whether there is any. Default `false`.
    pub enable_sctp: bool,
    /// Streams to send on (OS) and to receive on (MIS), 1 to 65535 each. Default 1024 each.
    pub num_sctp_streams: NumSctpStreams,
    /// The largest message in bytes, both ways, 1 to 16777216. Default 262144.
    pub max_sctp_message_size: u32,
    /// The most bytes of all messages that wait to be sent or acknowledged, at least 1. Default 262144.
    pub sctp_send_buffer_size: u32,
    /// Messages of all data producers of the transport that go further in a second, after two seconds' worth at once; 0 for no limit.
    /// Default 0.
    pub max_messages_per_second: u32,
}

impl Default for SctpTransportOptions {
    fn default() -> Self {
        let association = AssociationOptions::default();
        Self {
            enable_sctp: false,
            num_sctp_streams: NumSctpStreams::default(),
            max_sctp_message_size: association.max_message_size,
            sctp_send_buffer_size: association.send_buffer_size,
            max_messages_per_second: 0,
        }
    }
}

impl SctpTransportOptions {
    /// SCTP with the other defaults.
    pub fn enabled() -> Self {
        Self { enable_sctp: true, ..Self::default() }
    }

    /// For the shard. Remotes of WebRTC begin by themselves, so they are given a second before we do.
    pub(crate) fn model(&self, is_data_channel: bool) -> Option<SctpOptions> {
        let start_after = if is_data_channel { Duration::from_secs(1) } else { Duration::ZERO };
        let association = AssociationOptions {
            start_after: Some(start_after),
            outgoing_streams: self.num_sctp_streams.os,
            incoming_streams: self.num_sctp_streams.mis,
            max_message_size: self.max_sctp_message_size,
            send_buffer_size: self.sctp_send_buffer_size,
        };
        let max_messages_per_second = self.max_messages_per_second;
        self.enable_sctp.then_some(SctpOptions { association, is_data_channel, max_messages_per_second })
    }
}

/// How a WebRTC transport is made.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct WebRtcTransportOptions {
    /// Where it listens.
    pub listen: WebRtcListen,
    /// Whether it takes UDP. Default `true`.
    pub enable_udp: bool,
    /// Whether it takes TCP. Default `true` on a WebRtcServer, `false` on sockets of its own.
    pub enable_tcp: bool,
    /// Whether UDP candidates come first. Default `false`: in the order of the places.
    pub prefer_udp: bool,
    /// Whether TCP candidates come first. Default `false`.
    pub prefer_tcp: bool,
    /// How long a pair of addresses stays without a valid request of the remote (RFC 7675); 10 s to 60 s, zero for ever.
    /// Default 30 s.
    pub ice_consent_timeout: Duration,
    /// Whether DTLS 1.3 may be negotiated. Default `false`: with 1.2 the cheap AES-GCM profile is chosen, while with 1.3
    /// the remote's first choice counts.
    pub dtls_13: bool,
    /// Whether what goes out is fitted to what the path carries, as far as the remote reports on it (transport-wide feedback, REMB): packets
    /// are paced, and layers chosen. Default `true`.
    pub enable_bwe: bool,
    /// Where the estimate of the path begins, in bits per second. Default 600,000.
    pub initial_available_outgoing_bitrate: u32,
    /// It does not fall below, in bits per second: 30,000 or more, or 0 for no bound. Default 0.
    pub min_outgoing_bitrate: u32,
    /// It does not grow above, in bits per second: 30,000 or more, or 0 for no bound. Default 0.
    pub max_outgoing_bitrate: u32,
    /// SCTP over DTLS, for data channels. Default: not enabled.
    pub sctp: SctpTransportOptions,
    /// The shard that it lives on. Default: the one with the least on it.
    pub shard: Option<u8>,
    /// The program's own data. Default `()`.
    pub app_data: AppData,
}

impl WebRtcTransportOptions {
    /// Listens on sockets of its own, with defaults.
    pub fn new(listen_infos: Vec<ListenInfo>) -> Self {
        Self {
            listen: WebRtcListen::Individual(listen_infos),
            enable_udp: true,
            enable_tcp: false,
            prefer_udp: false,
            prefer_tcp: false,
            ice_consent_timeout: Duration::from_secs(30),
            dtls_13: false,
            enable_bwe: true,
            initial_available_outgoing_bitrate: OutgoingBitrates::default().initial,
            min_outgoing_bitrate: 0,
            max_outgoing_bitrate: 0,
            sctp: SctpTransportOptions::default(),
            shard: None,
            app_data: AppData::default(),
        }
    }

    pub(crate) fn outgoing(&self) -> Option<OutgoingBitrates> {
        let (min, max) = (self.min_outgoing_bitrate, self.max_outgoing_bitrate);
        self.enable_bwe.then_some(OutgoingBitrates {
            initial: self.initial_available_outgoing_bitrate,
            min,
            max,
        })
    }

    /// Uses the sockets of a WebRtcServer, with defaults.
    pub fn with_server(server: &WebRtcServer) -> Self {
        Self { listen: WebRtcListen::Server(server.clone()), enable_tcp: true, ..Self::new(Vec::new()) }
    }
}

/// How a plain transport is made.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PlainTransportOptions {
    /// Where RTP comes in, and RTCP too with `rtcp_mux`.
    pub listen_info: ListenInfo,
    /// Where RTCP comes in; only without `rtcp_mux`. Default: as RTP, on the port above.
    pub rtcp_listen_info: Option<ListenInfo>,
    /// Whether RTP and RTCP share one port (RFC 5761). Default `true`.
    pub rtcp_mux: bool,
    /// Whether the remote addresses are learned from the first packets. Default `false`.
    pub comedia: bool,
    /// Whether packets are SRTP (RFC 3711). Default `false`.
    pub enable_srtp: bool,
    /// The suite offered with SRTP. Default AES_CM_128_HMAC_SHA1_80.
    pub srtp_crypto_suite: CryptoSuite,
    /// SCTP, for messages; it is not protected, with SRTP neither. Default: not enabled.
    pub sctp: SctpTransportOptions,
    /// The shard that it lives on. Default: the one with the least on it.
    pub shard: Option<u8>,
    /// The program's own data. Default `()`.
    pub app_data: AppData,
}

impl PlainTransportOptions {
    /// Listens on `listen_info`, with defaults.
    pub fn new(listen_info: ListenInfo) -> Self {
        Self {
            listen_info,
            rtcp_listen_info: None,
            rtcp_mux: true,
            comedia: false,
            enable_srtp: false,
            srtp_crypto_suite: CryptoSuite::AesCm128HmacSha1_80,
            sctp: SctpTransportOptions::default(),
            shard: None,
            app_data: AppData::default(),
        }
    }
}

/// What a plain transport's remote tells of itself.
///
/// Without comedia `ip` and `port` are required, and `rtcp_port` exactly where RTCP has its own port; with comedia none of
/// the three may be given. `srtp_parameters` must be given exactly with SRTP.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PlainConnectOptions {
    /// The remote address.
    pub ip: Option<IpAddr>,
    /// The remote RTP port, at least 1.
    pub port: Option<u16>,
    /// The remote RTCP port, at least 1.
    pub rtcp_port: Option<u16>,
    /// The remote's suite and key.
    pub srtp_parameters: Option<SrtpParameters>,
}

impl PlainConnectOptions {
    /// A remote that takes RTP and RTCP at one port.
    pub fn to(ip: IpAddr, port: u16) -> Self {
        Self { ip: Some(ip), port: Some(port), ..Self::default() }
    }
}

/// How a direct transport is made.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DirectTransportOptions {
    /// The largest message of the program in bytes. Default 262144.
    pub max_message_size: u32,
    /// The shard that it lives on. Default: the one with the least on it.
    pub shard: Option<u8>,
    /// The program's own data. Default `()`.
    pub app_data: AppData,
}

impl Default for DirectTransportOptions {
    fn default() -> Self {
        Self { max_message_size: 262_144, shard: None, app_data: AppData::default() }
    }
}

impl DirectTransportOptions {
    /// The defaults, on a certain shard.
    pub fn on_shard(shard: u8) -> Self {
        Self { shard: Some(shard), ..Self::default() }
    }
}

/// How a producer is made.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ProducerOptions {
    /// Its id. Default: a random one.
    pub id: Option<ProducerId>,
    /// Audio or video.
    pub kind: MediaKind,
    /// What the endpoint sends.
    pub rtp_parameters: RtpParameters,
    /// Whether it starts paused. Default `false`.
    pub paused: bool,
    /// The least time between two key-frame requests towards the source. Default 0.
    pub key_frame_request_delay: Duration,
    /// What is kept since the last key frame, so that consumers start from it and the source is not asked for a key frame of their own.
    /// Default nothing. Refused for what is no video, or of a codec whose key frames cannot be told, see [`KeyFrameCache::suits`].
    pub key_frame_cache: Option<KeyFrameCache>,
    /// What its pictures show, for the order in which layers are given up where a path does not carry all: of a screen
    /// ([`ContentHint::Detail`], [`ContentHint::Text`]) motion goes before sharpness. Default nothing, which counts as
    /// [`ContentHint::Motion`]. Refused for audio.
    pub content_hint: Option<ContentHint>,
    /// The program's own data. Default `()`.
    pub app_data: AppData,
}

impl ProducerOptions {
    /// A producer of `kind`, with defaults.
    pub fn new(kind: MediaKind, rtp_parameters: RtpParameters) -> Self {
        Self {
            id: None,
            kind,
            rtp_parameters,
            paused: false,
            key_frame_request_delay: Duration::ZERO,
            key_frame_cache: None,
            content_hint: None,
            app_data: AppData::default(),
        }
    }
}

/// How a consumer is made. It is best made paused, and resumed once its endpoint is ready.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ConsumerOptions {
    /// What it consumes.
    pub producer_id: ProducerId,
    /// What its endpoint can receive. Not looked at on a [`PipeTransport`](crate::PipeTransport).
    pub rtp_capabilities: RtpCapabilities,
    /// Whether it starts paused. Default `false`.
    pub paused: bool,
    /// Its MID, 1 to 16 bytes. Default: the transport's next number, and none on a pipe transport.
    pub mid: Option<String>,
    /// The layers wanted of a simulcast or SVC source. Default: the best.
    pub preferred_layers: Option<MediaLayers>,
    /// Whether lost packets are sent again in a stream of their own (RFC 4588). Default: for video. On a pipe transport, its option counts.
    pub enable_rtx: Option<bool>,
    /// Whether packets of Opus without sound are left out. Default `false`.
    pub ignore_dtx: bool,
    /// Whether every encoding is carried, each as a stream of its own. Default `false`; on a pipe transport it always is.
    pub pipe: bool,
    /// Whose payload types and header-extension ids its packets carry. Default: the router's.
    pub numbering: ConsumerNumbering,
    /// What its packets are known by. Default: drawn, and its transport's.
    pub identity: ConsumerIdentity,
    /// The program's own data. Default `()`.
    pub app_data: AppData,
}

impl ConsumerOptions {
    /// Consumes `producer_id`, with defaults.
    pub fn new(producer_id: ProducerId, rtp_capabilities: RtpCapabilities) -> Self {
        Self {
            producer_id,
            rtp_capabilities,
            paused: false,
            mid: None,
            preferred_layers: None,
            enable_rtx: None,
            ignore_dtx: false,
            pipe: false,
            numbering: ConsumerNumbering::default(),
            identity: ConsumerIdentity::default(),
            app_data: AppData::default(),
        }
    }

    /// Consumes `producer_id` on a pipe transport.
    pub fn over_pipe(producer_id: ProducerId) -> Self {
        Self { pipe: true, ..Self::new(producer_id, RtpCapabilities::default()) }
    }
}

/// How an audio level observer is made.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AudioLevelObserverOptions {
    /// The most producers that one event tells of, 1 or more. Default 1.
    pub max_entries: u16,
    /// The average level in dBov, -127 to 0, from which on a producer is told of. Default -80.
    pub threshold: i8,
    /// The time between two events; what is below 250 ms or above 5 s is taken as that. Default 1 s.
    pub interval: Duration,
    /// The shard that it lives on. Default: the one with the least on it.
    pub shard: Option<u8>,
    /// The program's own data. Default `()`.
    pub app_data: AppData,
}

impl Default for AudioLevelObserverOptions {
    fn default() -> Self {
        Self {
            max_entries: 1,
            threshold: -80,
            interval: Duration::from_secs(1),
            shard: None,
            app_data: AppData::default(),
        }
    }
}

/// How an active speaker observer is made.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ActiveSpeakerObserverOptions {
    /// The time between two decisions in whole tenths of a second; what is below 100 ms or above 5 s is taken as that. Default 300 ms.
    pub interval: Duration,
    /// The shard that it lives on. Default: the one with the least on it.
    pub shard: Option<u8>,
    /// The program's own data. Default `()`.
    pub app_data: AppData,
}

impl Default for ActiveSpeakerObserverOptions {
    fn default() -> Self {
        Self { interval: Duration::from_millis(300), shard: None, app_data: AppData::default() }
    }
}

/// How [`LastNAudio`](crate::LastNAudio) is made.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LastNAudioOptions {
    /// How many producers are forwarded at most, 1 or more.
    pub n: u8,
    /// The shard that it lives on. Default: the one with the least on it.
    pub shard: Option<u8>,
    /// The program's own data. Default `()`.
    pub app_data: AppData,
}

impl LastNAudioOptions {
    /// The loudest `n`, with defaults.
    pub fn new(n: u8) -> Self {
        Self { n, shard: None, app_data: AppData::default() }
    }
}
