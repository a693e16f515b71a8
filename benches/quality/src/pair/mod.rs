//! A pair of endpoints of `str0m` in virtual time: the server's sends by its own estimator, pacer, probes and retransmissions, the
//! viewer's reports and asks by its own.
//!
//! ICE and DTLS are over before the run begins. Layers are chosen as for everybody else. Must not know the link.

mod end;
mod label;
mod server;
#[cfg(test)]
mod tests;
mod viewer;

use crate::decoder::Decoder;
use crate::ends::{Leaving, Said};
use crate::forwarding::Switch;
use crate::source::Packet;
use end::End;
use server::Server;
use std::collections::VecDeque;
use std::time::{Duration, Instant};
use str0m::bwe::Bitrate;
use str0m::format::Codec;
use str0m::media::{MediaKind, Mid, Pt};
use str0m::rtp::Ssrc;
use str0m::{Rtc, RtcConfig, RtcError};
use tureen_congestion::send::EstimatorConfig;
use tureen_rtp_wire::Time;
use viewer::Viewer;

/// A handshake that takes longer does not end.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// For what ICE still has to say after it.
const SETTLE: Duration = Duration::from_millis(500);
const AUDIO: u32 = 1;
const VIDEO: u32 = 2;
const REPAIR: u32 = 3;
/// Octets of a datagram beside the payload: the header of RTP, its extensions (absolute send time and transport-wide number; with
/// pictures, whose stream has one for repairs, the MID to the end), the tag of SRTP.
const SOUND_OVERHEAD: u16 = 40;
const PICTURE_OVERHEAD: u16 = 44;

/// What a pair cannot do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PairError {
    /// The handshake took longer than it may.
    #[error("the endpoints do not connect within {HANDSHAKE:?} of virtual time")]
    Handshake,
    /// An endpoint lacks what media needs.
    #[error("the endpoint has no {0}")]
    Missing(&'static str),
    /// An endpoint is due at one time without an end.
    #[error("the endpoint wants to be woken without an end")]
    Restless,
    /// An endpoint gave up.
    #[error("the endpoint gave up: {0}")]
    Endpoint(#[from] RtcError),
}

/// The scenario's time as an endpoint's.
#[derive(Clone, Copy, Debug)]
struct Clock {
    epoch: Instant,
    begins: Time,
}

impl Clock {
    fn instant(self, time: Time) -> Instant {
        self.epoch + time.since(self.begins)
    }

    fn time(self, instant: Instant) -> Time {
        self.begins + instant.saturating_duration_since(self.epoch)
    }
}

/// Both ends.
#[derive(Debug)]
pub struct Pair {
    server: Server,
    viewer: Viewer,
}

impl Pair {
    /// Endpoints that have connected over a way of `delay` each way, for a source of these rates; media may come from `begins` on.
    ///
    /// # Errors
    /// If they do not connect.
    pub fn connect(ladder: &[u64], delay: Duration, begins: Time) -> Result<Self, PairError> {
        let start = Instant::now();
        let config =
            || RtcConfig::new().set_rtp_mode(true).clear_codecs().enable_vp8(true).enable_opus(true, false);
        let initial = Bitrate::bps(EstimatorConfig::default().start_bitrate);
        let mut server = End::new(config().enable_bwe(Some(initial)), start, 1)?;
        let mut viewer = End::new(config(), start, 2)?;
        server.meet(&mut viewer)?;
        let epoch = carry(&mut server, &mut viewer, start, delay)?;
        let clock = Clock { epoch, begins };
        Ok(Self {
            server: Server::new(server, clock, ladder)?,
            viewer: Viewer::new(viewer, clock, delay * 2)?,
        })
    }

    /// A packet of sound is to be sent.
    pub fn on_audio(&mut self, now: Time, size: u16) {
        self.server.on_audio(now, size);
    }

    /// A packet of the source is to be sent, if it is of the rung that is forwarded.
    pub fn on_video(&mut self, now: Time, packet: Packet) {
        self.server.on_video(now, packet);
    }

    /// A datagram has come back to the server.
    pub fn on_answer(&mut self, now: Time, datagram: &[u8]) {
        self.server.on_datagram(now, datagram);
    }

    /// The next datagram that leaves the server now.
    pub fn poll_server(&mut self, now: Time) -> Option<Leaving> {
        self.server.poll(now)
    }

    /// When to poll the server next.
    pub fn server_deadline(&self) -> Time {
        self.server.next_deadline()
    }

    /// The rung of which a key frame is to be asked for, once.
    pub fn take_key_frame_request(&mut self) -> Option<usize> {
        self.server.forwarding.take_key_frame_request()
    }

    /// A datagram has come to the viewer: what that says to it.
    pub fn on_arrival(&mut self, now: Time, datagram: &[u8]) -> Vec<Said> {
        self.viewer.on_datagram(now, datagram)
    }

    /// What the viewer says now.
    pub fn poll_viewer(&mut self, now: Time) -> Vec<Said> {
        self.viewer.poll(now)
    }

    /// When to poll the viewer next.
    pub fn viewer_deadline(&self) -> Time {
        self.viewer.next_deadline()
    }

    /// The estimate, in bits per second on the wire.
    pub fn target_bitrate(&self) -> u64 {
        self.server.target_bitrate()
    }

    /// Bits per second of the rung that is forwarded.
    pub fn rung_bitrate(&self) -> u64 {
        self.server.forwarding.rung_bitrate()
    }

    /// What is seen and heard.
    pub fn decoder(&self) -> &Decoder {
        &self.viewer.decoder
    }

    /// What the viewer saw, and the changes of rung.
    ///
    /// # Errors
    /// If an endpoint gave up on the way.
    pub fn finish(self) -> Result<(Decoder, Vec<Switch>), PairError> {
        self.server.end.finish()?;
        self.viewer.end.finish()?;
        Ok((self.viewer.decoder, self.server.forwarding.switches))
    }
}

/// Lets two endpoints connect over a way without losses. Says when they are done.
fn carry(one: &mut End, other: &mut End, start: Instant, delay: Duration) -> Result<Instant, PairError> {
    let (mut now, mut done) = (start, None);
    // The way takes all equally long, so what was sent first comes first.
    let mut under_way: VecDeque<(Instant, bool, Vec<u8>)> = VecDeque::new();
    while done.is_none_or(|done| now < done) {
        if now > start + HANDSHAKE {
            return Err(PairError::Handshake);
        }
        while under_way.front().is_some_and(|&(at, ..)| at <= now) {
            let Some((_, to_one, datagram)) = under_way.pop_front() else { break };
            if to_one { one.receive(now, &datagram) } else { other.receive(now, &datagram) }
        }
        for (end, to_one) in [(&mut *one, false), (&mut *other, true)] {
            end.wake(now);
            under_way.extend(
                std::iter::from_fn(|| end.next_datagram()).map(|datagram| (now + delay, to_one, datagram)),
            );
        }
        if done.is_none() && one.is_connected() && other.is_connected() {
            done = Some(now + SETTLE);
        }
        let due = [under_way.front().map(|&(at, ..)| at), one.deadline(), other.deadline(), done];
        now = due.into_iter().flatten().min().ok_or(PairError::Handshake)?;
    }
    Ok(now)
}

/// The sections for sound and pictures, the same at both ends.
struct Sections {
    audio: Mid,
    video: Mid,
    audio_type: Pt,
    video_type: Pt,
}

impl Sections {
    fn declare(rtc: &mut Rtc) -> Result<Self, PairError> {
        let payload_type = |codec, name| {
            let known = rtc.codec_config().find(|params| params.spec().codec == codec);
            known.map(|params| params.pt()).ok_or(PairError::Missing(name))
        };
        let (audio_type, video_type) =
            (payload_type(Codec::Opus, "codec of sound")?, payload_type(Codec::Vp8, "codec of pictures")?);
        let (audio, video) = (Mid::from("0"), Mid::from("1"));
        let mut direct = rtc.direct_api();
        direct.declare_media(audio, MediaKind::Audio);
        direct.declare_media(video, MediaKind::Video);
        Ok(Self { audio, video, audio_type, video_type })
    }
}

fn ssrc(number: u32) -> Ssrc {
    Ssrc::from(number)
}
