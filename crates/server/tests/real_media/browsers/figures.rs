//! What the scenario `room` tells of each peer, and the least that it must be. It must not know how a room was made.

use crate::report;
use serde::Deserialize;
use std::collections::BTreeMap;

/// A bar in frames a second.
const FRAME_RATE: f64 = 25.0;
/// How much looser than the bar a rate is judged: the machine may be busy.
const SLACK: f64 = 3.0;
/// A bar for the time between a sound and its picture.
pub(super) const SKEW_MS: f64 = 40.0;
/// The least difference of a channel, of 255, between two grabs of a picture that moves.
const MOVEMENT: f64 = 20.0;

#[derive(Debug, Deserialize)]
pub(super) struct Room {
    pub(super) seconds: f64,
    pub(super) before: Vec<Peer>,
    pub(super) after: Vec<Peer>,
    pub(super) moved: Vec<Vec<f64>>,
    pub(super) healed: Option<Healed>,
    /// What the statistics of the others' tiles say to the first peer, where it looks.
    overlay: Option<Vec<BTreeMap<String, String>>>,
    /// By how many milliseconds what the first peer hears was captured later than what it sees, sampled.
    skew: Vec<f64>,
    /// The tiles that the first peer saw marked as speaking.
    spoke: Vec<String>,
    /// What each peer wrote and read, where they write.
    pub(super) chat: Option<Vec<Vec<Said>>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Said {
    pub(super) own: bool,
    pub(super) name: String,
    pub(super) text: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Peer {
    pub(super) send: Path,
    pub(super) receive: Path,
    pub(super) outbound: Vec<Outbound>,
    inbound: Vec<Inbound>,
    first_frame: FirstFrame,
}

/// A connection.
#[derive(Debug, Deserialize)]
pub(super) struct Path {
    pub(super) tls: Option<String>,
    pub(super) srtp: Option<String>,
    pub(super) protocol: Option<String>,
    pub(super) remote: Option<String>,
    /// Bits a second that the browser believes its way carries.
    #[serde(rename = "availableOutgoing")]
    pub(super) available_outgoing: Option<f64>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Outbound {
    pub(super) kind: String,
    pub(super) width: Option<f64>,
    pub(super) target: Option<f64>,
    pub(super) bytes: f64,
    pub(super) limited: Option<String>,
    pub(super) mode: Option<String>,
    /// Key frames that were asked for.
    pub(super) plis: Option<u32>,
}

#[derive(Debug, Deserialize)]
struct Inbound {
    kind: String,
    codec: Option<String>,
    frames: Option<f64>,
    energy: Option<f64>,
    bytes: f64,
}

/// Milliseconds of the page's clock.
#[derive(Debug, Deserialize)]
struct FirstFrame {
    connected: Option<f64>,
    decoded: Option<f64>,
}

/// After the network of the first peer had changed.
#[derive(Debug, Deserialize)]
pub(super) struct Healed {
    /// Milliseconds until each peer saw pictures again.
    pub(super) took: Vec<f64>,
    /// Pictures that each peer saw in the second half of the outage.
    pub(super) leaked: Vec<f64>,
    pub(super) state: String,
    /// Whether the first peer has kept its id.
    pub(super) same: bool,
}

impl Peer {
    fn frames(&self) -> f64 {
        self.inbound.iter().filter_map(|stream| stream.frames).sum()
    }

    fn energy(&self) -> f64 {
        self.inbound.iter().filter_map(|stream| stream.energy).sum()
    }

    fn audio_bytes(&self) -> f64 {
        self.inbound.iter().filter(|stream| stream.kind == "audio").map(|stream| stream.bytes).sum()
    }

    /// The codec of the video that it receives.
    pub(super) fn video_codec(&self) -> Option<&str> {
        self.inbound.iter().find(|stream| stream.kind == "video")?.codec.as_deref()
    }
}

impl Room {
    /// The peer sees moving pictures of one other and hears something.
    pub(super) fn assert_watching(&self, index: usize) {
        let (before, after) = (&self.before[index], &self.after[index]);
        let rate = (after.frames() - before.frames()) / self.seconds;
        report(&format!(
            "peer {index}: {rate:.1} frames/s of {:?} over {:.0} s, path {:?}",
            after.video_codec(),
            self.seconds,
            after.receive
        ));
        assert!(rate >= FRAME_RATE / SLACK, "peer {index}: {rate:.1} frames/s: {after:#?}");
        let moved = self.moved[index].iter().copied().fold(0.0, f64::max);
        assert!(moved >= MOVEMENT, "peer {index}: pictures stand still, {moved}");
        self.assert_listening(index);
    }

    /// Bytes of audio that the peer received in the time of measuring.
    pub(super) fn audio_received(&self, index: usize) -> f64 {
        self.after[index].audio_bytes() - self.before[index].audio_bytes()
    }

    /// The peer hears something.
    pub(super) fn assert_listening(&self, index: usize) {
        let (before, after) = (&self.before[index], &self.after[index]);
        assert!(after.audio_bytes() > before.audio_bytes(), "peer {index}: no sound comes in");
        assert!(after.energy() > before.energy(), "peer {index}: silence");
    }

    /// By the browser's own account, the first peer hears what it sees. One that has no time for its pictures plays sound seconds late, which
    /// says nothing of the server.
    pub(super) fn assert_in_step(&self) {
        let mut skew = self.skew.clone();
        skew.sort_by(f64::total_cmp);
        report(&format!("sound against picture, ms: {skew:?}"));
        let median = *skew.get(skew.len() / 2).expect("the browser tells when it plays what");
        let rate = (self.after[0].frames() - self.before[0].frames()) / self.seconds;
        let in_step = median.abs() <= SKEW_MS * SLACK;
        assert!(in_step || rate < FRAME_RATE, "{median} ms at {rate:.1} frames/s");
    }

    /// The server told the first peer who speaks.
    pub(super) fn assert_somebody_spoke(&self) {
        report(&format!("marked as speaking: {:?}", self.spoke));
        assert!(!self.spoke.is_empty(), "nobody was marked as speaking");
    }

    /// The server told the first peer why it sends it the layers that it sends.
    pub(super) fn assert_explained(&self) {
        let overlay = self.overlay.as_deref().expect("the first peer looked");
        report(&format!("statistics: {overlay:?}"));
        let [tile] = overlay else { panic!("one other: {overlay:?}") };
        assert!(tile["layer"].starts_with('S'), "{tile:?}");
        assert!(tile["switched"].contains(" → S") && tile["switched"].ends_with("s ago"), "{tile:?}");
    }

    /// The peer, who joined others that were sending, saw a picture within a second of being connected.
    pub(super) fn assert_soon_watching(&self, index: usize) {
        let FirstFrame { connected, decoded } = self.after[index].first_frame;
        let (connected, decoded) = (connected.expect("a connection"), decoded.expect("a picture"));
        report(&format!(
            "peer {index}: the first picture {:.0} ms after being connected",
            decoded - connected
        ));
        assert!(decoded - connected <= 1000.0 * SLACK, "peer {index}: {} ms", decoded - connected);
    }

    /// What both connections of every peer negotiated.
    pub(super) fn assert_protection(&self, tls: &str, srtp: &str) {
        for (index, peer) in self.after.iter().enumerate() {
            for path in [&peer.send, &peer.receive] {
                // Firefox tells neither.
                if let (Some(version), Some(profile)) = (&path.tls, &path.srtp) {
                    let profile = profile.trim_start_matches("SRTP_");
                    assert_eq!((version.as_str(), profile), (tls, srtp), "peer {index}");
                }
            }
        }
        let told = self.after.iter().filter(|peer| peer.send.tls.is_some()).count();
        assert!(told > 0, "no browser tells what it negotiated: {:#?}", self.after);
    }

    /// Every video stream of the peer that was encoded in the time of measuring.
    pub(super) fn sent_layers(&self, index: usize) -> Vec<&Outbound> {
        let before: Vec<&Outbound> = self.before[index].outbound.iter().collect();
        let grew = |now: &&Outbound| {
            let sent_before = before.iter().filter(|then| then.kind == now.kind && then.width == now.width);
            sent_before.map(|then| then.bytes).fold(0.0, f64::max) < now.bytes
        };
        self.after[index].outbound.iter().filter(|stream| stream.kind == "video").filter(grew).collect()
    }
}
