//! A small Core for the stateful targets: codecs, parameters, transports and the two ends of its batches.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::OnceLock;
use tureen_media_model::{Core, CoreConfig, Request, ShardId};
use tureen_rtp_dictionaries::{
    RouterRtpCodecCapability, RtpCapabilities, RtpParameters, from_json, generate_router_rtp_capabilities,
};
use tureen_rtp_wire::{Ecn, NtpTime, Time, WallClock};
use tureen_transport::{
    Arrival, BoundSocket, Datagram, Destination, Egress, Ingress, Lane, PlainTransport,
    PlainTransportOptions, SocketId, Transport,
};

const MEDIA_CODECS: &str = r#"[
    {"kind": "audio", "mimeType": "audio/opus", "clockRate": 48000, "channels": 2},
    {"kind": "video", "mimeType": "video/VP8", "clockRate": 90000},
    {"kind": "video", "mimeType": "video/H264", "clockRate": 90000, "parameters": {"packetization-mode": 1}}
]"#;

pub(crate) fn media_codecs() -> Vec<RouterRtpCodecCapability> {
    static CODECS: OnceLock<Vec<RouterRtpCodecCapability>> = OnceLock::new();
    CODECS.get_or_init(|| from_json(MEDIA_CODECS).expect("a list of codecs")).clone()
}

/// What a router with these codecs offers.
pub(crate) fn router_capabilities() -> RtpCapabilities {
    static CAPABILITIES: OnceLock<RtpCapabilities> = OnceLock::new();
    CAPABILITIES
        .get_or_init(|| generate_router_rtp_capabilities(&media_codecs()).expect("known codecs"))
        .clone()
}

/// VP8 with NACK, PLI and RTX, or Opus; the RTX stream has the next SSRC.
pub(crate) fn parameters(is_video: bool, ssrc: u32) -> RtpParameters {
    let json = if is_video {
        format!(
            r#"{{"codecs": [
                {{"payloadType": 96, "mimeType": "video/VP8", "clockRate": 90000,
                  "rtcpFeedback": [{{"type": "nack"}}, {{"type": "nack", "parameter": "pli"}}]}},
                {{"payloadType": 97, "mimeType": "video/rtx", "clockRate": 90000, "parameters": {{"apt": 96}}}}],
               "headerExtensions": [{{"uri": "urn:ietf:params:rtp-hdrext:sdes:mid", "id": 1}}],
               "encodings": [{{"ssrc": {ssrc}, "rtx": {{"ssrc": {}}}}}]}}"#,
            ssrc + 1
        )
    } else {
        format!(
            r#"{{"codecs": [{{"payloadType": 111, "mimeType": "audio/opus", "clockRate": 48000, "channels": 2}}],
               "encodings": [{{"ssrc": {ssrc}}}]}}"#
        )
    };
    from_json(&json).expect("well-formed parameters")
}

pub(crate) fn core() -> Core<PlainTransport> {
    let wall_clock = WallClock::new(NtpTime::new(3_913_056_000, 0));
    Core::new(CoreConfig { shard: ShardId(0), seed: 1, wall_clock })
}

/// The remote address that belongs to a socket.
pub(crate) fn remote(socket: u32) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::new(192, 0, 2, 1), 5000 + socket as u16))
}

pub(crate) fn plain(socket: u32, comedia: bool) -> PlainTransport {
    let local = SocketAddr::from((Ipv4Addr::LOCALHOST, 40_000 + socket as u16));
    let options = PlainTransportOptions { comedia, ..Default::default() };
    PlainTransport::new(&options, BoundSocket { id: SocketId(socket), local }, None, &[0; 46])
}

pub(crate) fn ask<T: Transport, R: Request<T>>(core: &mut Core<T>, now: Time, request: R) -> R::Reply {
    R::reply(core.handle_command(now, request.into()))
        .expect("a Core answers with the reply of the request's name")
}

/// One datagram as a batch.
#[derive(Debug)]
pub(crate) struct One(pub(crate) Option<(Arrival, Vec<u8>)>, Vec<u8>);

impl One {
    pub(crate) fn new(arrival: Arrival, bytes: Vec<u8>) -> Self {
        Self(Some((arrival, bytes)), Vec::new())
    }
}

impl Ingress for One {
    fn next(&mut self) -> Option<Datagram<'_>> {
        let (arrival, bytes) = self.0.take()?;
        self.1 = bytes;
        Some(Datagram { arrival, bytes: &mut self.1, ecn: Ecn::NotCapable })
    }
}

/// What a Core sent, in order.
#[derive(Debug, Default)]
pub(crate) struct Sink {
    reserved: Option<(Destination, Vec<u8>)>,
    pub(crate) packets: Vec<(Destination, Vec<u8>)>,
}

impl Egress for Sink {
    fn reserve(&mut self, _lane: Lane, to: &Destination, capacity: usize) -> Option<&mut [u8]> {
        let (_, bytes) = self.reserved.insert((*to, vec![0; capacity]));
        Some(bytes)
    }

    fn commit(&mut self, len: usize) {
        let (to, mut bytes) = self.reserved.take().expect("a slot was reserved before");
        assert!(len <= bytes.len(), "no more is committed than was reserved");
        bytes.truncate(len);
        self.packets.push((to, bytes));
    }
}
