//! Settings: what each is called, its default, and which source wins. Must not know what a setting does.
//!
//! Every setting has one name: `http_listen` in the file is `--http-listen` on the command line and
//! `TUREEN_HTTP_LISTEN` in the environment. A flag beats the environment, that beats the file, that beats the default.

use crate::access::{Secret, StaticToken};
use crate::ice_server::IceServer;
use crate::links::ConfiguredLink;
use crate::media_codec::{MediaCodec, default_codecs};
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Lines for people.
    Text,
    /// An object a line.
    Json,
}

macro_rules! settings {
    ($($(#[$doc:meta])* $name:ident: $type:ty = $default:expr, $env:literal [$($arg:tt)*];)*) => {
        /// What the server runs with, defaults filled in.
        #[derive(Clone, Debug, PartialEq, Serialize)]
        pub struct Settings {
            $($(#[$doc])* pub $name: $type,)*
        }

        impl Default for Settings {
            fn default() -> Self {
                Self { $($name: $default,)* }
            }
        }

        /// Settings that a source gives; the rest it leaves open.
        #[derive(Clone, Debug, Default, PartialEq, Deserialize, clap::Args)]
        #[serde(default, deny_unknown_fields)]
        pub struct Overrides {
            $($(#[$doc])* #[arg(long, env = $env, $($arg)*)] pub $name: Option<$type>,)*
        }

        impl Overrides {
            /// These, and where they are silent those of a weaker source, and then the defaults.
            pub fn over(self, weaker: Self) -> Settings {
                let defaults = Settings::default();
                Settings { $($name: self.$name.or(weaker.$name).unwrap_or(defaults.$name),)* }
            }
        }
    };
}

settings! {
    /// Address and port of HTTP; port 0 for a free one. Default: 0.0.0.0:8080.
    http_listen: SocketAddr = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 8080)), "TUREEN_HTTP_LISTEN" [value_name = "IP:PORT"];
    /// Whether HTTPS and wss are served too. Default: true.
    tls: bool = true, "TUREEN_TLS" [value_name = "BOOL"];
    /// Address and port of HTTPS; port 0 for a free one. Default: 0.0.0.0:4443.
    https_listen: SocketAddr = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 4443)), "TUREEN_HTTPS_LISTEN" [value_name = "IP:PORT"];
    /// PEM file of the certificate, with its chain; needs tls_key. Default: none, which is a self-signed certificate.
    tls_cert: String = String::new(), "TUREEN_TLS_CERT" [value_name = "FILE"];
    /// PEM file of the certificate's private key. Default: none.
    tls_key: String = String::new(), "TUREEN_TLS_KEY" [value_name = "FILE"];
    /// Directory that keeps the self-signed certificate from one start to the next. Default: none, which is a new one at
    /// every start.
    tls_dir: String = String::new(), "TUREEN_TLS_DIR" [value_name = "DIRECTORY"];
    /// Connections of HTTP and WebSocket at a time, at least 1. Default: 4096.
    max_connections: usize = 4_096, "TUREEN_MAX_CONNECTIONS" [value_name = "COUNT"];
    /// Addresses for media, separated by commas; a plain transport takes the first of the client's address family, WebRTC
    /// takes all, and of an unspecified one every address that the machine has of its family. Default: 0.0.0.0.
    listen_ips: Vec<IpAddr> = vec![IpAddr::V4(Ipv4Addr::UNSPECIFIED)], "TUREEN_LISTEN_IPS" [value_delimiter = ',', value_name = "IP"];
    /// Address or host name that clients are told to send media to. Default: auto, which is the listen address or, where
    /// that is unspecified, the address that the client reached HTTP on.
    announced_address: String = AUTO.to_owned(), "TUREEN_ANNOUNCED_ADDRESS" [value_name = "HOST"];
    /// UDP and TCP port of WebRTC; each further shard takes the next; 0 for free ones. Default: 44444.
    webrtc_port: u16 = 44_444, "TUREEN_WEBRTC_PORT" [value_name = "PORT"];
    /// Whether WebRTC runs over TCP too. Default: true.
    webrtc_tcp: bool = true, "TUREEN_WEBRTC_TCP" [value_name = "BOOL"];
    /// Whether DTLS 1.3 may be negotiated: the browser then chooses the SRTP profile, which is the slower one. Default: false.
    webrtc_dtls_13: bool = false, "TUREEN_WEBRTC_DTLS_13" [value_name = "BOOL"];
    /// Whether what WebRTC viewers are sent is fitted to what their paths carry, by their reports. Default: true.
    webrtc_bwe: bool = true, "TUREEN_WEBRTC_BWE" [value_name = "BOOL"];
    /// Whether bandwidth is estimated by congestion control feedback on streams (RFC 8888, `ack ccfb`) with clients that offer it, instead of
    /// by transport-wide feedback. Default: false.
    stream_feedback: bool = false, "TUREEN_STREAM_FEEDBACK" [value_name = "BOOL"];
    /// Whether marks of congestion in IP headers (ECN) are read, and media is sent as ECT(1) to those WebRTC viewers who report marks; needs
    /// stream_feedback. Default: false.
    webrtc_ecn: bool = false, "TUREEN_WEBRTC_ECN" [value_name = "BOOL"];
    /// Bits per second that a WebRTC viewer is sent at most, 30000 or more; 0 for no limit. Default: 0.
    max_outgoing_bitrate: u32 = 0, "TUREEN_MAX_OUTGOING_BITRATE" [value_name = "BITRATE"];
    /// Bits a second that the remote of a WebRTC transport is told to send at most (REMB), up to 4294967295; 0 for no limit. Default: 0.
    max_incoming_bitrate: u32 = 0, "TUREEN_MAX_INCOMING_BITRATE" [value_name = "BITS"];
    /// ICE servers that clients are told of, separated by commas, each as stun:HOST:PORT or turn:HOST:PORT;username=NAME;credential=WORD.
    /// Default: none.
    ice_servers: Vec<IceServer> = Vec::new(), "TUREEN_ICE_SERVERS" [value_delimiter = ',', value_name = "SERVER"];
    /// Lowest UDP port of plain transports, 1 to 65535. Default: 40000.
    rtc_min_port: u16 = 40_000, "TUREEN_RTC_MIN_PORT" [value_name = "PORT"];
    /// Highest UDP port of plain transports, 1 to 65535. Default: 49999.
    rtc_max_port: u16 = 49_999, "TUREEN_RTC_MAX_PORT" [value_name = "PORT"];
    /// Threads that forward media, 1 to 255; 0 for one a core. Default: 0.
    shards: u8 = 0, "TUREEN_SHARDS" [value_name = "COUNT"];
    /// Codecs of rooms, separated by commas, each as type/subtype/clock rate in Hz, with /channels and ;parameter=value where there are. Default:
    /// Opus, PCMU, PCMA, G722, VP8, VP9 profiles 0 and 2, H264 constrained baseline and high, H265, AV1.
    media_codecs: Vec<MediaCodec> = default_codecs(), "TUREEN_MEDIA_CODECS" [value_delimiter = ',', value_name = "CODEC"];
    /// How many microphones of a room are forwarded, the loudest; 0 for all. Those whose packets carry no audio levels are forwarded
    /// besides. Default: 0.
    last_n_audio: u8 = 0, "TUREEN_LAST_N_AUDIO" [value_name = "COUNT"];
    /// Milliseconds, up to 10000, that newcomers may start from a video's last key frame for, instead of one of their own being
    /// asked for; 0 for never. Default: 0.
    key_frame_cache: u32 = 0, "TUREEN_KEY_FRAME_CACHE" [value_name = "MILLISECONDS"];
    /// What is logged: off, error, warn, info, debug or trace, or target=level pairs separated by commas. The targets of media are tureen::TAG
    /// (ice, dtls, rtp, srtp, rtcp, rtx, bwe, score, simulcast, svc, sctp, message), and speak at level debug. Default: info.
    log: String = "info".to_owned(), "TUREEN_LOG" [value_name = "FILTER"];
    /// How log lines look. Default: text.
    log_format: LogFormat = LogFormat::Text, "TUREEN_LOG_FORMAT" [value_enum];
    /// Rooms at a time, at least 1. Default: 1000.
    max_rooms: usize = 1_000, "TUREEN_MAX_ROOMS" [value_name = "COUNT"];
    /// Peers in a room, broadcasters included, at least 1. Default: 500.
    max_peers: usize = 500, "TUREEN_MAX_PEERS" [value_name = "COUNT"];
    /// Broadcasters in a room, at least 1. Default: 100.
    max_broadcasters: usize = 100, "TUREEN_MAX_BROADCASTERS" [value_name = "COUNT"];
    /// WHIP and WHEP sessions in a room, at least 1. Default: 500.
    max_whip_sessions: usize = 500, "TUREEN_MAX_WHIP_SESSIONS" [value_name = "COUNT"];
    /// Transports of a peer, at least 1. Default: 16.
    max_transports: usize = 16, "TUREEN_MAX_TRANSPORTS" [value_name = "COUNT"];
    /// Producers of a peer, at least 1. Default: 32.
    max_producers: usize = 32, "TUREEN_MAX_PRODUCERS" [value_name = "COUNT"];
    /// Consumers of a peer, at least 1. Default: 1000.
    max_consumers: usize = 1_000, "TUREEN_MAX_CONSUMERS" [value_name = "COUNT"];
    /// Data producers of a peer, at least 1. Default: 16.
    max_data_producers: usize = 16, "TUREEN_MAX_DATA_PRODUCERS" [value_name = "COUNT"];
    /// Data consumers of a peer, at least 1. Default: 1000.
    max_data_consumers: usize = 1_000, "TUREEN_MAX_DATA_CONSUMERS" [value_name = "COUNT"];
    /// Size of a message over a data channel in bytes, 1 to 16777216. Default: 262144.
    max_data_message_bytes: u32 = 262_144, "TUREEN_MAX_DATA_MESSAGE_BYTES" [value_name = "BYTES"];
    /// Messages of a peer over data channels that go further in a second, with bursts of twice as many; 0 for no limit. Default: 100.
    max_data_messages_per_second: u32 = 100, "TUREEN_MAX_DATA_MESSAGES_PER_SECOND" [value_name = "COUNT"];
    /// Size of a request's body in bytes. Default: 65536.
    max_body_bytes: usize = 65_536, "TUREEN_MAX_BODY_BYTES" [value_name = "BYTES"];
    /// Requests of a client address a second, with bursts of twice as many; 0 for no limit. Default: 100.
    max_requests_per_second: u32 = 100, "TUREEN_MAX_REQUESTS_PER_SECOND" [value_name = "COUNT"];
    /// Seconds after which a broadcaster without requests and without media is removed; 0 for never. Default: 300.
    idle_timeout: u32 = 300, "TUREEN_IDLE_TIMEOUT" [value_name = "SECONDS"];
    /// Size of a WebSocket message in bytes. Default: 262144.
    max_message_bytes: usize = 262_144, "TUREEN_MAX_MESSAGE_BYTES" [value_name = "BYTES"];
    /// Requests over a WebSocket a second, with bursts of twice as many; 0 for no limit. Default: 100.
    max_messages_per_second: u32 = 100, "TUREEN_MAX_MESSAGES_PER_SECOND" [value_name = "COUNT"];
    /// Seconds that a peer keeps its place after its WebSocket or its media path was lost. Default: 30.
    peer_grace: u32 = 30, "TUREEN_PEER_GRACE" [value_name = "SECONDS"];
    /// Secret of signed tokens (HS256), at least 32 bytes; with it, or with static_tokens, rooms and the operators' API need
    /// a token. Default: none, which is open rooms, and the operators' API for this machine only.
    token_secret: Secret = Secret::default(), "TUREEN_TOKEN_SECRET" [value_name = "SECRET", hide_env_values = true];
    /// Tokens that are words, separated by commas, each as ROLE:ROOM:TOKEN, where ROLE is publish, subscribe or admin, and
    /// ROOM may be * for all. Default: none.
    static_tokens: Vec<StaticToken> = Vec::new(), "TUREEN_STATIC_TOKENS" [value_delimiter = ',', value_name = "TOKEN", hide_env_values = true];
    /// Rooms that are linked with rooms of other servers from the start on, separated by commas, each as ROOM=URL with ;token=WORD, ;room=NAME,
    /// ;announced-address=HOST, ;srtp=BOOL, ;rtx=BOOL and ;data=BOOL where there is a need. Default: none.
    links: Vec<ConfiguredLink> = Vec::new(), "TUREEN_LINKS" [value_delimiter = ',', value_name = "LINK", hide_env_values = true];
    /// Where events are posted: room, peer, producer started and ended. Default: none.
    webhook_url: String = String::new(), "TUREEN_WEBHOOK_URL" [value_name = "URL"];
    /// Secret that events are signed with (HMAC-SHA256). Default: none, which is unsigned.
    webhook_secret: Secret = Secret::default(), "TUREEN_WEBHOOK_SECRET" [value_name = "SECRET", hide_env_values = true];
    /// Seconds that requests under way have to end when the server is asked to stop. Default: 5.
    shutdown_grace: u32 = 5, "TUREEN_SHUTDOWN_GRACE" [value_name = "SECONDS"];
}

/// The least length of a secret that HMAC-SHA256 is keyed with: that of the hash (RFC 7518 section 3.2).
const MIN_SECRET: usize = 32;

/// Value of `announced_address` that lets the server find it out.
pub const AUTO: &str = "auto";

/// Why there are no settings to run with.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not TOML, has a key that is no setting, or a value of the wrong type.
    #[error("{}: {source}", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// What is wrong, and in which line.
        source: Box<toml::de::Error>,
    },
    /// A value is out of range.
    #[error("{setting}: {reason}")]
    Value {
        /// The setting.
        setting: &'static str,
        /// What is wrong with its value.
        reason: String,
    },
}

impl Overrides {
    /// What a file says.
    ///
    /// # Errors
    /// [`ConfigError::Read`] and [`ConfigError::Parse`].
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        toml::from_str(&text)
            .map_err(|source| ConfigError::Parse { path: path.to_owned(), source: Box::new(source) })
    }
}

impl Settings {
    /// Settings out of flags and environment, and a file if one is named, checked.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn resolve(flags: Overrides, file: Option<&Path>) -> Result<Self, ConfigError> {
        let file = file.map(Overrides::read).transpose()?.unwrap_or_default();
        let settings = flags.over(file);
        settings.check()?;
        Ok(settings)
    }

    /// Checks the range of every value.
    ///
    /// # Errors
    /// [`ConfigError::Value`].
    pub fn check(&self) -> Result<(), ConfigError> {
        let refuse = |setting, reason: String| Err(ConfigError::Value { setting, reason });
        if self.rtc_min_port == 0 {
            return refuse("rtc_min_port", "must be 1 to 65535".into());
        }
        if self.rtc_max_port < self.rtc_min_port {
            return refuse(
                "rtc_max_port",
                format!("{} is below rtc_min_port, {}", self.rtc_max_port, self.rtc_min_port),
            );
        }
        if self.listen_ips.is_empty() {
            return refuse("listen_ips", "must name an address".into());
        }
        if self.announced_address.is_empty() || self.announced_address.chars().any(char::is_whitespace) {
            return refuse("announced_address", "must be an address, a host name or auto".into());
        }
        if self.media_codecs.is_empty() {
            return refuse("media_codecs", "must name a codec".into());
        }
        if (1..30_000).contains(&self.max_outgoing_bitrate) {
            return refuse("max_outgoing_bitrate", "must be 0, or 30000 or more".into());
        }
        if self.webrtc_ecn && !self.stream_feedback {
            return refuse("webrtc_ecn", "needs stream_feedback, which tells of marks".into());
        }
        if self.key_frame_cache > 10_000 {
            return refuse("key_frame_cache", "must be 0 to 10000".into());
        }
        if !(1..=16_777_216).contains(&self.max_data_message_bytes) {
            return refuse("max_data_message_bytes", "must be 1 to 16777216".into());
        }
        if let Err(error) = self.log.parse::<tracing_subscriber::filter::Targets>() {
            return refuse("log", error.to_string());
        }
        if self.tls_cert.is_empty() != self.tls_key.is_empty() {
            return refuse("tls_cert", "needs tls_key, and tls_key needs it".into());
        }
        if !self.token_secret.is_empty() && self.token_secret.as_bytes().len() < MIN_SECRET {
            return refuse("token_secret", format!("must have at least {MIN_SECRET} bytes"));
        }
        let twice = |(at, link): (usize, &ConfiguredLink)| {
            self.links.iter().take(at).any(|before| before.same_rooms(link))
        };
        if self.links.iter().enumerate().any(twice) {
            return refuse("links", "two are between the same rooms".into());
        }
        let url = &self.webhook_url;
        if !(url.is_empty() || url.starts_with("http://") || url.starts_with("https://")) {
            return refuse("webhook_url", "must start with http:// or https://".into());
        }
        self.check_counts()
    }

    fn check_counts(&self) -> Result<(), ConfigError> {
        let counts = [
            ("max_connections", self.max_connections),
            ("max_rooms", self.max_rooms),
            ("max_peers", self.max_peers),
            ("max_broadcasters", self.max_broadcasters),
            ("max_whip_sessions", self.max_whip_sessions),
            ("max_transports", self.max_transports),
            ("max_producers", self.max_producers),
            ("max_consumers", self.max_consumers),
            ("max_data_producers", self.max_data_producers),
            ("max_data_consumers", self.max_data_consumers),
            ("max_body_bytes", self.max_body_bytes),
            ("max_message_bytes", self.max_message_bytes),
        ];
        match counts.into_iter().find(|&(_, count)| count == 0) {
            Some((setting, _)) => Err(ConfigError::Value { setting, reason: "must be at least 1".into() }),
            None => Ok(()),
        }
    }

    /// All of it as the text of a file.
    pub fn to_toml(&self) -> String {
        // Every field is a number, a text or a list of texts, all of which TOML has.
        toml::to_string(self).unwrap_or_default()
    }
}
