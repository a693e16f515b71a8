//! A microphone that says how loud it is.

use super::{Bench, packet_with};
use tureen_media_model::ProducerId;
use tureen_rtp_dictionaries::{MediaKind, RtpParameters};
use tureen_rtp_wire::rtp::RtpHeader;

const LEVEL: u8 = 10;

pub fn opus_parameters(ssrc: u32) -> RtpParameters {
    serde_json::from_value(serde_json::json!({
        "codecs": [{"mimeType": "audio/opus", "clockRate": 48000, "channels": 2, "payloadType": 111}],
        "headerExtensions": [{"uri": "urn:ietf:params:rtp-hdrext:ssrc-audio-level", "id": LEVEL}],
        "encodings": [{"ssrc": ssrc}],
        "rtcp": {"cname": "tester"}
    }))
    .unwrap()
}

/// A microphone on a transport of its own.
pub struct Microphone {
    pub socket: u32,
    pub id: ProducerId,
    sent: u16,
}

impl Microphone {
    pub fn new(bench: &mut Bench, socket: u32) -> Self {
        let transport = bench.transport(socket);
        let id = bench.produce(transport, MediaKind::Audio, opus_parameters(socket)).id;
        Self { socket, id, sent: 0 }
    }

    /// Sends 20 ms at a level in -dBov.
    pub fn send(&mut self, bench: &mut Bench, level: Option<u8>) {
        self.sent += 1;
        let header = RtpHeader {
            marker: false,
            payload_type: 111,
            sequence_number: self.sent,
            timestamp: 960 * u32::from(self.sent),
            ssrc: self.socket,
        };
        let value = [level.unwrap_or_default()];
        let elements: &[(u8, &[u8])] = if level.is_some() { &[(LEVEL, &value)] } else { &[] };
        bench.receive(self.socket, &packet_with(&header, elements, b"sound"));
    }
}

/// Lets everybody send for a while, each at a level.
pub fn talk(bench: &mut Bench, microphones: &mut [Microphone], levels: &[Option<u8>], millis: u64) {
    for _ in 0..millis / 20 {
        for (microphone, level) in microphones.iter_mut().zip(levels) {
            microphone.send(bench, *level);
        }
        bench.pass(20);
    }
}
