//! Setting a [`World`] up: hosts, producers and consumers with the model endpoints behind them.

use crate::endpoint::{ModelCodec, Receiver, ReceiverConfig, RtxIds, Sender, SenderConfig};
use crate::link::LinkConfig;
use crate::world::{HostId, World};
use tureen_media_model::{
    AddTransport, ConnectTransport, Consume, ConsumeError, ConsumerId, ConsumerOptions, CreateRouter,
    KeyFrameCache, MirrorSource, Produce, ProducerId, ProducerOptions, PublishSource, RouterId,
    RouterOptions, ShardId, TransportId, TransportOptions,
};
use tureen_rtp_dictionaries::{
    Codec, MediaKind, RouterRtpCodecCapability, RtpCapabilities, RtpParameters, from_json,
    generate_router_rtp_capabilities,
};
use tureen_transport::{PlainConnectOptions, PlainTransport, PlainTransportOptions};

const MEDIA_CODECS: &str = r#"[
    {"kind": "audio", "mimeType": "audio/opus", "clockRate": 48000, "channels": 2,
     "rtcpFeedback": [{"type": "nack"}]},
    {"kind": "video", "mimeType": "video/VP8", "clockRate": 90000},
    {"kind": "video", "mimeType": "video/H264", "clockRate": 90000,
     "parameters": {"packetization-mode": 1, "profile-level-id": "42e01f"}}
]"#;

const MID_EXTENSION: u8 = 1;

/// The one router of a world.
pub const ROUTER: RouterId = RouterId(0xface);

/// How a producer of a [`World`] is made.
#[derive(Clone, Debug)]
pub struct ProduceOptions {
    /// What it sends.
    pub codec: ModelCodec,
    /// Whether the source answers NACKs in a stream of its own. Default `true`.
    pub rtx: bool,
    /// Changes the model sender before it starts.
    pub sender: fn(&mut SenderConfig),
    /// Whether it starts paused.
    pub paused: bool,
    /// What is kept since the last key frame. Default nothing.
    pub key_frame_cache: Option<KeyFrameCache>,
}

impl ProduceOptions {
    /// A producer of `codec`, with RTX where it is video.
    pub fn new(codec: ModelCodec) -> Self {
        Self {
            codec,
            rtx: codec.kind() == MediaKind::Video,
            sender: |_| (),
            paused: false,
            key_frame_cache: None,
        }
    }
}

/// How a consumer of a [`World`] is made.
#[derive(Clone, Debug)]
pub struct ConsumeOptions {
    /// Whether the endpoint can take lost packets in a stream of their own; else they come again as they were. Audio comes
    /// again as it was anyhow. Default `true`.
    pub rtx: bool,
    /// Changes the model receiver before it starts.
    pub receiver: fn(&mut ReceiverConfig),
    /// Whether it starts paused.
    pub paused: bool,
}

impl Default for ConsumeOptions {
    fn default() -> Self {
        Self { rtx: true, receiver: |_| (), paused: false }
    }
}

/// The codecs of the world's router, as its capabilities.
pub fn router_capabilities() -> RtpCapabilities {
    generate_router_rtp_capabilities(&media_codecs()).expect("the codecs are known ones")
}

/// What the endpoints of consumers can do: all that the router can, with or without RTX.
fn endpoint_capabilities(rtx: bool) -> RtpCapabilities {
    let mut capabilities = router_capabilities();
    capabilities.codecs.retain(|codec| rtx || codec.mime_type.codec() != Codec::Rtx);
    capabilities
}

fn media_codecs() -> Vec<RouterRtpCodecCapability> {
    from_json(MEDIA_CODECS).expect("a list of codecs")
}

impl World {
    pub(crate) fn create_routers(&mut self) {
        for shard in self.shards() {
            let options = RouterOptions { media_codecs: media_codecs() };
            self.request(shard, CreateRouter { id: ROUTER, options }).expect("the codecs are known ones");
        }
    }

    fn draw_id(&mut self) -> u128 {
        self.next_id += 1;
        self.next_id
    }

    /// Adds a host on a plain transport that knows the host's address, over perfect links.
    pub fn add_host(&mut self, shard: ShardId) -> HostId {
        self.add_linked_host(shard, LinkConfig::default(), LinkConfig::default())
    }

    /// Adds a host on a plain transport that knows the host's address: `up` leads to the shard, `down` to the host.
    pub fn add_linked_host(&mut self, shard: ShardId, up: LinkConfig, down: LinkConfig) -> HostId {
        let host = self.add_unconnected_host(shard, false, up, down);
        let address = self.host(host).address;
        let options =
            PlainConnectOptions { ip: Some(address.ip()), port: Some(address.port()), ..Default::default() };
        let connect = ConnectTransport { id: self.transport_of(host), options };
        self.request(shard, connect).expect("the transport is there").expect("the address is right");
        host
    }

    /// Adds a host whose transport was not told the host's address; with `comedia` the first packet tells.
    pub fn add_unconnected_host(
        &mut self,
        shard: ShardId,
        comedia: bool,
        up: LinkConfig,
        down: LinkConfig,
    ) -> HostId {
        let id = TransportId(self.draw_id());
        let options = PlainTransportOptions { comedia, ..Default::default() };
        let transport = PlainTransport::new(&options, self.next_socket(shard), None, &[0; 46]);
        let add = AddTransport { router: ROUTER, id, transport, options: TransportOptions::default() };
        self.request(shard, add).expect("the router is there");
        self.attach(shard, id, up, down)
    }

    /// Makes a producer of a host, and a model sender that starts at once.
    pub fn produce(&mut self, host: HostId, options: &ProduceOptions) -> ProducerId {
        let id = ProducerId(self.draw_id());
        let number = self.senders.len() as u32;
        let mut config = SenderConfig::new(options.codec, 10_000 + 2 * number, payload_type(options.codec));
        config.rtx =
            options.rtx.then_some(RtxIds { ssrc: config.ssrc + 1, payload_type: config.payload_type + 1 });
        config.mid = Some((MID_EXTENSION, format!("m{number}")));
        (options.sender)(&mut config);
        let produce = Produce {
            transport: self.transport_of(host),
            options: ProducerOptions {
                id,
                kind: options.codec.kind(),
                rtp_parameters: rtp_parameters(&config),
                paused: options.paused,
                key_frame_request_delay: std::time::Duration::ZERO,
                key_frame_cache: options.key_frame_cache,
                content_hint: None,
            },
        };
        let shard = self.shard_of(host);
        self.request(shard, produce).expect("the router knows these parameters");
        let sender = Sender::new(config, self.wall_clock(), self.now);
        self.host_mut(host).senders.push(sender);
        let index = self.host(host).senders.len() - 1;
        self.senders.insert(id, (host, index, shard));
        id
    }

    /// Makes a consumer of a host, across shards if need be, and the model receiver of what it sends.
    pub fn consume(&mut self, host: HostId, producer: ProducerId, options: &ConsumeOptions) -> ConsumerId {
        self.try_consume(host, producer, options).expect("the producer is there")
    }

    /// As [`World::consume`].
    ///
    /// # Errors
    /// What the Core answers.
    pub fn try_consume(
        &mut self,
        host: HostId,
        producer: ProducerId,
        options: &ConsumeOptions,
    ) -> Result<ConsumerId, ConsumeError> {
        let (_, _, home) = self.senders[&producer];
        let shard = self.shard_of(host);
        if home != shard {
            let source = self.request(home, PublishSource { producer, to: shard })?;
            self.request(shard, MirrorSource { source })?;
        }
        let id = ConsumerId(self.draw_id());
        let codec = self.sender(producer).config().codec;
        let consume = Consume {
            transport: self.transport_of(host),
            options: ConsumerOptions {
                id,
                producer_id: producer,
                rtp_capabilities: endpoint_capabilities(options.rtx && codec.kind() == MediaKind::Video),
                paused: options.paused,
                mid: None,
                preferred_layers: None,
                // With `false` there would be no NACK either.
                enable_rtx: Some(true),
                ignore_dtx: false,
                pipe: false,
                numbering: Default::default(),
                identity: Default::default(),
            },
        };
        let info = self.request(shard, consume)?;
        let mut config =
            receiver_config(codec, &info.rtp_parameters).expect("a consumer has an SSRC and a codec");
        (options.receiver)(&mut config);
        let receiver = Receiver::new(config, self.now);
        self.host_mut(host).receivers.push(receiver);
        let index = self.host(host).receivers.len() - 1;
        self.receivers.insert(id, (host, index));
        Ok(id)
    }
}

const fn payload_type(codec: ModelCodec) -> u8 {
    match codec {
        ModelCodec::Opus => 111,
        ModelCodec::Vp8 => 96,
        ModelCodec::H264 => 102,
    }
}

/// What the endpoint of a model sender signals.
pub fn rtp_parameters(config: &SenderConfig) -> RtpParameters {
    let codec = match config.codec {
        ModelCodec::Opus => {
            r#""mimeType": "audio/opus", "clockRate": 48000, "channels": 2, "rtcpFeedback": [{"type": "nack"}]"#
        }
        ModelCodec::Vp8 => {
            r#""mimeType": "video/VP8", "clockRate": 90000,
               "rtcpFeedback": [{"type": "nack"}, {"type": "nack", "parameter": "pli"}]"#
        }
        ModelCodec::H264 => {
            r#""mimeType": "video/H264", "clockRate": 90000,
               "parameters": {"packetization-mode": 1, "profile-level-id": "42e01f"},
               "rtcpFeedback": [{"type": "nack"}, {"type": "ccm", "parameter": "fir"}]"#
        }
    };
    let (rtx_codec, rtx_encoding) = match config.rtx {
        Some(rtx) => (
            format!(
                r#", {{"payloadType": {}, "mimeType": "video/rtx", "clockRate": 90000, "parameters": {{"apt": {}}}}}"#,
                rtx.payload_type, config.payload_type
            ),
            format!(r#", "rtx": {{"ssrc": {}}}"#, rtx.ssrc),
        ),
        None => Default::default(),
    };
    let (mid, extensions) = match &config.mid {
        Some((id, mid)) => (
            format!(r#""mid": "{mid}","#),
            format!(r#"{{"uri": "urn:ietf:params:rtp-hdrext:sdes:mid", "id": {id}}}"#),
        ),
        None => Default::default(),
    };
    let json = format!(
        r#"{{{mid} "codecs": [{{"payloadType": {}, {codec}}}{rtx_codec}], "headerExtensions": [{extensions}],
            "encodings": [{{"ssrc": {}{rtx_encoding}}}], "rtcp": {{"cname": "model"}}}}"#,
        config.payload_type, config.ssrc
    );
    from_json(&json).expect("these parameters are well-formed")
}

fn receiver_config(codec: ModelCodec, parameters: &RtpParameters) -> Option<ReceiverConfig> {
    let encoding = parameters.encodings.first()?;
    let media = parameters.codecs.iter().find(|codec| !codec.is_rtx())?;
    let rtx = parameters.codecs.iter().find(|codec| codec.apt() == Some(media.payload_type));
    let mut config = ReceiverConfig::new(codec, encoding.ssrc?, media.payload_type);
    config.rtx = encoding
        .rtx
        .as_ref()
        .zip(rtx)
        .map(|(encoding, codec)| RtxIds { ssrc: encoding.ssrc, payload_type: codec.payload_type });
    Some(config)
}
