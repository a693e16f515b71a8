//! Who in a room speaks, and how loud: from two observers of all its audio to what peers are told; and who of them is forwarded. Knows no
//! packet.

use crate::inbox::PeerEvent;
use crate::queue::lock;
use crate::room::RoomShared;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;
use tureen::dictionaries::{HeaderExtensionUri, MediaKind};
use tureen::{
    ActiveSpeakerObserver, ActiveSpeakerObserverOptions, AudioLevelObserver, AudioLevelObserverOptions,
    AudioLevelVolume, CreateRtpObserverError, LastNAudio, LastNAudioOptions, Producer, ProducerId, Router,
    RtpObserver,
};

/// How often volumes are told.
const INTERVAL: Duration = Duration::from_millis(800);

/// What listens to the audio of a room.
pub(crate) struct Speakers {
    speech: ActiveSpeakerObserver,
    loudness: AudioLevelObserver,
    /// Where only so many are forwarded.
    last_n: Option<LastNAudio>,
    heard: Mutex<Heard>,
}

/// What the observers told last.
#[derive(Default)]
struct Heard {
    /// Who speaks, or did last.
    dominant: Option<ProducerId>,
    /// In dBov; empty in silence.
    volumes: BTreeMap<ProducerId, i8>,
}

impl Heard {
    /// Who is speaking, and how loud.
    fn speaker(&self) -> Option<(ProducerId, i8)> {
        let dominant = self.dominant?;
        Some((dominant, *self.volumes.get(&dominant)?))
    }
}

impl Speakers {
    pub(crate) async fn new(router: &Router, last_n: Option<u8>) -> Result<Self, CreateRtpObserverError> {
        let mut options = AudioLevelObserverOptions::default();
        (options.max_entries, options.interval) = (u16::MAX, INTERVAL);
        Ok(Self {
            speech: router.create_active_speaker_observer(ActiveSpeakerObserverOptions::default()).await?,
            loudness: router.create_audio_level_observer(options).await?,
            last_n: match last_n {
                Some(n) => Some(router.create_last_n_audio(LastNAudioOptions::new(n)).await?),
                None => None,
            },
            heard: Mutex::default(),
        })
    }

    /// Tells the peers of a room from now on.
    pub(crate) fn listen(room: &Arc<RoomShared>) {
        let owner = Arc::downgrade(room);
        let speech = &room.speakers.speech;
        speech.on_dominant_speaker(move |producer| with(&owner, |room| take_over(room, &producer))).detach();
        let owner = Arc::downgrade(room);
        let loudness = &room.speakers.loudness;
        loudness.on_volumes(move |volumes| with(&owner, |room| follow(room, volumes))).detach();
        let owner = Arc::downgrade(room);
        loudness.on_silence(move || with(&owner, fall_silent)).detach();
    }

    /// Listens to a producer, until that closes.
    pub(crate) async fn add(&self, producer: &Producer) {
        let extensions = &producer.rtp_parameters().header_extensions;
        let has_levels = extensions.iter().any(|entry| entry.uri == HeaderExtensionUri::SsrcAudioLevel);
        if producer.kind() != MediaKind::Audio || !has_levels {
            return;
        }
        let speech = self.speech.add_producer(producer.id()).await;
        let loudness = self.loudness.add_producer(producer.id()).await;
        let last_n = match &self.last_n {
            Some(last_n) => last_n.add_producer(producer.id()).await,
            None => Ok(()),
        };
        if let Err(error) = speech.and(loudness).and(last_n) {
            tracing::debug!(producer = %producer.id(), %error, "not observed");
        }
    }
}

fn with(room: &Weak<RoomShared>, act: impl FnOnce(&RoomShared)) {
    if let Some(room) = room.upgrade() {
        act(&room);
    }
}

fn take_over(room: &RoomShared, producer: &Producer) {
    let id = producer.id();
    let volume = {
        let mut heard = lock(&room.speakers.heard);
        heard.dominant = Some(id);
        heard.volumes.get(&id).copied()
    };
    tell(room, Some((id, volume)));
}

fn follow(room: &RoomShared, volumes: &[AudioLevelVolume]) {
    let speaker = {
        let mut heard = lock(&room.speakers.heard);
        heard.volumes = volumes.iter().map(|heard| (heard.producer.id(), heard.volume)).collect();
        heard.speaker()
    };
    if let Some((producer, volume)) = speaker {
        tell(room, Some((producer, Some(volume))));
    }
}

fn fall_silent(room: &RoomShared) {
    lock(&room.speakers.heard).volumes.clear();
    tell(room, None);
}

/// Tells those who have joined of a speaker who has joined.
fn tell(room: &RoomShared, speaker: Option<(ProducerId, Option<i8>)>) {
    let register = lock(&room.register);
    let event = match speaker {
        None => PeerEvent::ActiveSpeaker { peer_id: None, volume: None },
        Some((producer, volume)) => {
            let Some(peer_id) = register.joined_owner(&producer) else { return };
            PeerEvent::ActiveSpeaker { peer_id: Some(peer_id), volume }
        }
    };
    let joined = register.entries.values().filter(|entry| entry.profile.is_some());
    joined.for_each(|entry| entry.peer.tell(event.clone()));
}
