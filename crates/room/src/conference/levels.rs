//! How loud those in a room are: an audio level observer of what they send, for as long as somebody listens. Must not know what is made of it.

use super::error::{InvalidStateError, ListenAudioLevelsError};
use super::event::{AudioLevel, AudioLevelsEvent, report};
use super::room::RoomShared;
use super::{Room, RtpReceiver};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tureen::dictionaries::MediaKind;
use tureen::signals::Emitter;
use tureen::{
    AudioLevelObserver, AudioLevelObserverOptions, AudioLevelVolume, HandlerId, Producer, RtpObserver as _,
};

/// The time between two events.
const INTERVAL: Duration = Duration::from_millis(500);
/// Everybody is told of, silent or not: in dBov, the least that a packet can say (RFC 6464 section 3).
const THRESHOLD: i8 = -127;

/// The levels of one room.
pub(super) struct Levels {
    observer: AudioLevelObserver,
    emitter: Emitter<AudioLevelsEvent>,
}

/// Keeps a listener of audio levels registered: dropping it removes the listener, and with the last one the levels are no longer computed.
#[must_use = "dropping it removes the listener"]
pub struct AudioLevelsListener {
    _handler: HandlerId,
    _levels: Arc<Levels>,
}

impl std::fmt::Debug for AudioLevelsListener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AudioLevelsListener").finish_non_exhaustive()
    }
}

impl Room {
    /// Tells `listener` every 500 ms how loud each audio receiver was, the average over that time, the loudest first; an empty list once nobody
    /// is heard any more. Only what says its level in its packets (RFC 6464) counts. Levels are computed while somebody listens, until what is
    /// returned is dropped.
    ///
    /// # Errors
    /// [`ListenAudioLevelsError`]: the room is closed, or its Worker has no place for an observer.
    pub async fn on_audio_levels(
        &self,
        listener: impl Fn(&[AudioLevel]) + Send + Sync + 'static,
    ) -> Result<AudioLevelsListener, ListenAudioLevelsError> {
        let levels = self.levels().await?;
        let handler = levels.emitter.listen(move |event| {
            if let AudioLevelsEvent::Levels(levels) = event {
                listener(levels);
            }
        });
        Ok(AudioLevelsListener { _handler: handler, _levels: levels })
    }

    async fn levels(&self) -> Result<Arc<Levels>, ListenAudioLevelsError> {
        let mut known = self.shared.levels.lock().await;
        if self.closed() {
            return Err(InvalidStateError("room").into());
        }
        if let Some(levels) = known.upgrade() {
            return Ok(levels);
        }
        let levels = Arc::new(Levels::new(self).await?);
        for receiver in self.peers().iter().flat_map(super::Peer::rtp_receivers) {
            levels.hear(&receiver).await;
        }
        *known = Arc::downgrade(&levels);
        Ok(levels)
    }
}

impl RtpReceiver {
    /// Its producer may be another one: it is heard too, if somebody listens.
    pub(super) async fn settle_levels(&self) {
        let levels = self.peer().room().shared.levels.lock().await.upgrade();
        if let Some(levels) = levels {
            levels.hear(self).await;
        }
    }
}

impl Levels {
    async fn new(room: &Room) -> Result<Self, tureen::CreateRtpObserverError> {
        let mut options = AudioLevelObserverOptions::default();
        (options.max_entries, options.threshold, options.interval) = (u16::MAX, THRESHOLD, INTERVAL);
        let observer = room.router().create_audio_level_observer(options).await?;
        let emitter = Emitter::default();
        let (room, told) = (Arc::downgrade(&room.shared), emitter.clone());
        let volumes = move |volumes: &[AudioLevelVolume]| tell(&told, in_room(&room, volumes));
        observer.on_volumes(volumes).detach();
        let told = emitter.clone();
        observer.on_silence(move || tell(&told, Vec::new())).detach();
        Ok(Self { observer, emitter })
    }

    async fn hear(&self, receiver: &RtpReceiver) {
        let producer = receiver.producer().filter(|_| receiver.kind() == MediaKind::Audio);
        let Some(producer) = producer.filter(|producer| !producer.closed()) else { return };
        if let Err(error) = self.observer.add_producer(producer.id()).await {
            // It is heard already, or closed meanwhile.
            tracing::debug!(%error, "not heard anew");
        }
    }
}

fn tell(emitter: &Emitter<AudioLevelsEvent>, levels: Vec<AudioLevel>) {
    report(emitter.emit(&AudioLevelsEvent::Levels(levels)));
}

/// Whose the volumes are; of those that are still there.
fn in_room(room: &Weak<RoomShared>, volumes: &[AudioLevelVolume]) -> Vec<AudioLevel> {
    let Some(shared) = room.upgrade() else { return Vec::new() };
    let receivers: Vec<RtpReceiver> =
        Room { shared }.peers().iter().flat_map(super::Peer::rtp_receivers).collect();
    let of = |producer: &Producer| {
        receivers.iter().find(|it| it.producer().is_some_and(|own| own.id() == producer.id())).cloned()
    };
    let levels = volumes.iter().filter_map(|volume| {
        let rtp_receiver = of(&volume.producer.upgrade()?)?;
        Some(AudioLevel { peer: rtp_receiver.peer().clone(), rtp_receiver, audio_level: volume.volume })
    });
    levels.collect()
}
