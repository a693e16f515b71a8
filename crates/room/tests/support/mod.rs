//! A Server with a room, peers on direct transports, and a log that listeners write to.

#![allow(dead_code, unreachable_pub, reason = "each test binary uses its part")]

use pollster::block_on;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tureen::dictionaries::{MediaKind, RtpCapabilities, RtpParameters, from_json_value};
use tureen::{Consumer, DirectTransportOptions, LogLevel};
use tureen_room::conference::*;

/// How long anything may take.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// Lines that listeners wrote, in order.
#[derive(Clone, Default)]
pub struct Log {
    lines: Arc<(Mutex<Vec<String>>, Condvar)>,
}

impl Log {
    pub fn write(&self, line: impl Into<String>) {
        let (lines, written) = &*self.lines;
        lines.lock().unwrap_or_else(PoisonError::into_inner).push(line.into());
        written.notify_all();
    }

    pub fn lines(&self) -> Vec<String> {
        self.lines.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until so many lines are there, and returns all.
    pub fn wait(&self, count: usize) -> Vec<String> {
        let (lines, written) = &*self.lines;
        let guard = lines.lock().unwrap_or_else(PoisonError::into_inner);
        let (guard, timeout) = written
            .wait_timeout_while(guard, PATIENCE, |lines| lines.len() < count)
            .unwrap_or_else(PoisonError::into_inner);
        assert!(!timeout.timed_out(), "only {:?}", *guard);
        guard.clone()
    }

    /// A listener for `close` that writes whose it was, and the failure.
    pub fn closing(&self, name: &str) -> impl Fn(&Option<CloseError>) + Send + Sync + 'static {
        let (log, name) = (self.clone(), name.to_owned());
        move |error| match error {
            Some(error) => log.write(format!("{name} close: {error}")),
            None => log.write(format!("{name} close")),
        }
    }
}

/// Waits until something holds.
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

pub fn server(workers: u8) -> Server {
    let mut settings = ServerSettings::with_workers(workers);
    settings.log_level = LogLevel::Error;
    settings.rtc_ipv4 = RtcAddress::Address([127, 0, 0, 1].into());
    settings.rtc_ipv6 = RtcAddress::Disabled;
    block_on(Server::new(settings)).expect("a server")
}

pub fn room_of(server: &Server) -> Room {
    block_on(server.create_room(RoomOptions::new(media_codecs()))).expect("a room")
}

/// Opus 100, VP8 101 with RTX 102, H264 103 with RTX 104.
pub fn media_codecs<T: serde::de::DeserializeOwned>() -> T {
    from_json_value(serde_json::json!([
        {"kind": "audio", "mimeType": "audio/opus", "clockRate": 48000, "channels": 2},
        {"kind": "video", "mimeType": "video/VP8", "clockRate": 90000},
        {"kind": "video", "mimeType": "video/H264", "clockRate": 90000,
         "parameters": {"packetization-mode": 1, "profile-level-id": "42e01f"}}
    ]))
    .expect("codecs")
}

/// What a peer that has only these of the room's codecs can do.
pub fn only(room: &Room, names: &[&str]) -> RtpCapabilities {
    let mut capabilities = room.capabilities().clone();
    capabilities.codecs.retain(|codec| names.contains(&codec.mime_type.subtype()));
    capabilities
}

/// A peer that can do all that the room can.
pub fn able(room: &Room, name: &str) -> Peer {
    let peer = room.create_peer(name).expect("a peer");
    block_on(peer.set_capabilities(room.capabilities().clone())).expect("capabilities");
    peer
}

pub fn transport(peer: &Peer) -> Transport {
    block_on(peer.create_direct_transport(DirectTransportOptions::default())).expect("a transport")
}

pub fn opus(ssrc: u32) -> RtpParameters {
    from_json_value(serde_json::json!({
        "codecs": [{"mimeType": "audio/opus", "clockRate": 48000, "channels": 2, "payloadType": 100}],
        "encodings": [{"ssrc": ssrc}],
        "rtcp": {"cname": "someone"}
    }))
    .expect("parameters")
}

pub fn vp8(ssrc: u32) -> RtpParameters {
    from_json_value(serde_json::json!({
        "codecs": [
            {"mimeType": "video/VP8", "clockRate": 90000, "payloadType": 101,
             "rtcpFeedback": [{"type": "nack"}, {"type": "nack", "parameter": "pli"}]},
            {"mimeType": "video/rtx", "clockRate": 90000, "payloadType": 102, "parameters": {"apt": 101}}
        ],
        "headerExtensions": [{"uri": "urn:3gpp:video-orientation", "id": 8}],
        "encodings": [{"ssrc": ssrc, "rtx": {"ssrc": ssrc + 1}}],
        "rtcp": {"cname": "someone"}
    }))
    .expect("parameters")
}

pub fn h264(ssrc: u32) -> RtpParameters {
    from_json_value(serde_json::json!({
        "codecs": [{"mimeType": "video/H264", "clockRate": 90000, "payloadType": 103,
                    "parameters": {"packetization-mode": 1, "profile-level-id": "42e01f"},
                    "rtcpFeedback": [{"type": "nack"}, {"type": "nack", "parameter": "pli"}]}],
        "encodings": [{"ssrc": ssrc}],
        "rtcp": {"cname": "someone"}
    }))
    .expect("parameters")
}

/// A receiver of sound that has parameters.
pub fn speaking(peer: &Peer, transport: &Transport, ssrc: u32) -> RtpReceiver {
    let receiver = peer.create_rtp_receiver(MediaKind::Audio, transport).expect("a receiver");
    block_on(receiver.receive(opus(ssrc))).expect("parameters");
    receiver
}

/// A receiver of pictures that has parameters.
pub fn showing(peer: &Peer, transport: &Transport, parameters: RtpParameters) -> RtpReceiver {
    let receiver = peer.create_rtp_receiver(MediaKind::Video, transport).expect("a receiver");
    block_on(receiver.receive(parameters)).expect("parameters");
    receiver
}

/// The one sender of a peer.
pub fn only_sender(peer: &Peer) -> RtpSender {
    let senders = peer.rtp_senders();
    assert_eq!(senders.len(), 1, "{senders:?}");
    senders.into_iter().next().expect("one")
}

/// An RTP packet without extensions (RFC 3550 section 5.1).
pub fn rtp_packet(ssrc: u32, payload_type: u8, sequence_number: u16, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x80, 0x80 | payload_type];
    bytes.extend(sequence_number.to_be_bytes());
    bytes.extend((u32::from(sequence_number) * 960).to_be_bytes());
    bytes.extend(ssrc.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// The start of a VP8 key frame (RFC 7741 section 4) with room for a mark.
pub fn vp8_key_frame(mark: u8) -> Vec<u8> {
    vec![0x10, 0x10, 0, 0, 0x9d, 0x01, 0x2a, 0x40, 0x01, 0xf0, 0, mark]
}

/// A fragment of an IDR picture of H.264 (RFC 6184 section 5.6), whole.
pub fn h264_key_frame(mark: u8) -> Vec<u8> {
    // A STAP-A of SPS and IDR slice (RFC 6184 section 5.7.1).
    vec![24, 0, 4, 0x67, 0x42, 0xe0, 0x1f, 0, 3, 0x65, 0x88, mark]
}

/// SSRC, sequence number, payload type and last byte of a packet.
pub type Packet = (u32, u16, u8, u8);

/// What came out of consumers.
#[derive(Clone, Default)]
pub struct Heard {
    packets: Arc<Mutex<Vec<Packet>>>,
}

impl Heard {
    pub fn of(consumer: &Consumer) -> Self {
        let heard = Self::default();
        heard.also(consumer);
        heard
    }

    /// Listens to another consumer too.
    pub fn also(&self, consumer: &Consumer) {
        let packets = Arc::clone(&self.packets);
        let listener = move |packet: &bytes::Bytes| {
            let ssrc = u32::from_be_bytes(packet[8..12].try_into().expect("four bytes"));
            let number = u16::from_be_bytes(packet[2..4].try_into().expect("two bytes"));
            let last = *packet.last().expect("a packet");
            packets.lock().unwrap().push((ssrc, number, packet[1] & 0x7f, last));
        };
        consumer.on_rtp(listener).detach();
    }

    pub fn packets(&self) -> Vec<Packet> {
        self.packets.lock().unwrap().clone()
    }

    /// Waits for the packet whose last byte is `mark`.
    pub fn wait_for(&self, mark: u8) -> Packet {
        eventually("a packet", || self.packets().iter().any(|packet| packet.3 == mark));
        *self.packets().iter().find(|packet| packet.3 == mark).expect("it came")
    }
}

/// Puts a packet in where a receiver's endpoint would send it.
pub fn send(receiver: &RtpReceiver, packet: Vec<u8>) {
    receiver.producer().expect("a producer").send(packet.into()).expect("room for a packet");
}
