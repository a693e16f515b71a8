//! Viewers built on `webrtc`, whose DTLS and SRTP are of its own. Must not know how figures are reported.

use crate::viewers::{Received, SPACING};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;
use tureen_load::api::Api;
use tureen_load::error::{Error, while_doing};
use webrtc::api::APIBuilder;
use webrtc::api::interceptor_registry::register_default_interceptors;
use webrtc::api::media_engine::MediaEngine;
use webrtc::api::setting_engine::SettingEngine;
use webrtc::ice::network_type::NetworkType;
use webrtc::interceptor::registry::Registry;
use webrtc::peer_connection::RTCPeerConnection;
use webrtc::peer_connection::configuration::RTCConfiguration;
use webrtc::peer_connection::sdp::session_description::RTCSessionDescription;
use webrtc::rtp_transceiver::rtp_codec::RTPCodecType;
use webrtc::rtp_transceiver::rtp_transceiver_direction::RTCRtpTransceiverDirection;
use webrtc::rtp_transceiver::{RTCRtpTransceiverInit, rtp_receiver::RTCRtpReceiver};
use webrtc::track::track_remote::TrackRemote;

/// How long a viewer may take until it gets media.
const PATIENCE: Duration = Duration::from_secs(10);

/// Viewers on a runtime of their own, until they are dropped.
pub(crate) struct TokioViewers {
    runtime: Runtime,
    viewers: Vec<RTCPeerConnection>,
    received: Received,
}

impl TokioViewers {
    /// A runtime without viewers; its thread runs on the cores that the calling thread may use.
    pub(crate) fn new() -> Result<Self, Error> {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.map_err(while_doing("cannot start a runtime"))?;
        Ok(Self { runtime, viewers: Vec::new(), received: Received::default() })
    }

    /// Lets one more viewer join; returns how long it took from its request to its first packet of media.
    pub(crate) fn join(&mut self, api: &Api) -> Result<Duration, Error> {
        std::thread::sleep(SPACING);
        let (viewer, took) = self.runtime.block_on(join(api.clone(), self.received.clone()))?;
        self.viewers.push(viewer);
        Ok(took)
    }

    pub(crate) fn received(&self) -> &Received {
        &self.received
    }
}

impl Drop for TokioViewers {
    fn drop(&mut self) {
        for viewer in self.viewers.drain(..) {
            // The process is about to end anyway.
            let _ = self.runtime.block_on(viewer.close());
        }
    }
}

async fn join(api: Api, received: Received) -> Result<(RTCPeerConnection, Duration), Error> {
    let viewer = connection().await.map_err(refused)?;
    let (tell, mut first) = mpsc::unbounded_channel();
    viewer.on_track(Box::new(move |track: Arc<TrackRemote>, _: Arc<RTCRtpReceiver>, _| {
        tokio::spawn(count(track, received.clone(), tell.clone()));
        Box::pin(async {})
    }));
    let offer = viewer.create_offer(None).await.map_err(refused)?;
    let mut gathered = viewer.gathering_complete_promise().await;
    viewer.set_local_description(offer).await.map_err(refused)?;
    gathered.recv().await;
    let offer = viewer.local_description().await.ok_or_else(|| refused("there is nothing to offer"))?;
    let began = Instant::now();
    let answer = tokio::task::spawn_blocking(move || api.watch(&offer.sdp)).await.map_err(refused)??;
    let answer = RTCSessionDescription::answer(answer).map_err(refused)?;
    viewer.set_remote_description(answer).await.map_err(refused)?;
    match tokio::time::timeout(PATIENCE, first.recv()).await {
        Ok(Some(at)) => Ok((viewer, at.saturating_duration_since(began))),
        _ => Err(refused("a viewer gets no media")),
    }
}

/// A connection that receives one video, over the loopback device alone.
async fn connection() -> Result<RTCPeerConnection, webrtc::Error> {
    let mut media = MediaEngine::default();
    media.register_default_codecs()?;
    let registry = register_default_interceptors(Registry::new(), &mut media)?;
    let mut settings = SettingEngine::default();
    settings.set_include_loopback_candidate(true);
    settings.set_ip_filter(Box::new(|ip| ip.is_loopback()));
    settings.set_network_types(vec![NetworkType::Udp4]);
    let api = APIBuilder::new()
        .with_media_engine(media)
        .with_interceptor_registry(registry)
        .with_setting_engine(settings)
        .build();
    let viewer = api.new_peer_connection(RTCConfiguration::default()).await?;
    let receive =
        RTCRtpTransceiverInit { direction: RTCRtpTransceiverDirection::Recvonly, send_encodings: Vec::new() };
    viewer.add_transceiver_from_kind(RTPCodecType::Video, Some(receive)).await?;
    Ok(viewer)
}

/// Counts the packets of a track until it ends, and tells when the first one came.
async fn count(track: Arc<TrackRemote>, received: Received, first: mpsc::UnboundedSender<Instant>) {
    let mut told = false;
    while let Ok((_packet, _)) = track.read_rtp().await {
        received.count();
        if !told {
            told = true;
            // Nobody listens where the run has ended already.
            let _ = first.send(Instant::now());
        }
    }
}

fn refused(error: impl std::fmt::Display) -> Error {
    Error::Child(format!("webrtc: {error}"))
}
