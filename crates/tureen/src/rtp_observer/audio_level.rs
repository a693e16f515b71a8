//! The audio level observer: how loud producers are.

use super::{RtpObserver, RtpObserverInner, RtpObserverType, complete, prepare, sealed};
use crate::error::CreateRtpObserverError;
use crate::event::{AudioLevelVolume, RtpObserverEvent};
use crate::listeners::on_events;
use crate::options::AudioLevelObserverOptions;
use crate::router::Router;
use std::sync::{Arc, Weak};
use tureen_media_model as model;
use tureen_media_model::CreateAudioLevelObserver;

pub(crate) async fn create_audio_level_observer(
    router: Router,
    options: AudioLevelObserverOptions,
) -> Result<AudioLevelObserver, CreateRtpObserverError> {
    let AudioLevelObserverOptions { max_entries, threshold, interval, shard, app_data } = options;
    let inner = prepare(router, shard, RtpObserverType::AudioLevel, app_data)?;
    let shared = &inner.shared;
    let options = model::AudioLevelObserverOptions { id: shared.id, max_entries, threshold, interval };
    let answer = shared.link.call(CreateAudioLevelObserver { router: shared.router.id, options }).await?;
    complete(&inner, answer)?;
    Ok(AudioLevelObserver::new(inner))
}

/// Tells how loud producers are, once an interval.
///
/// The volume of a producer is the average level of its packets in the interval, of ten at least, or of one for each 60 ms of a short
/// interval.
#[derive(Clone)]
pub struct AudioLevelObserver {
    inner: Arc<RtpObserverInner>,
}

/// A handle that does not keep its observer open.
#[derive(Clone)]
pub struct WeakAudioLevelObserver {
    inner: Weak<RtpObserverInner>,
}

impl WeakAudioLevelObserver {
    /// The observer, unless its last handle is gone.
    pub fn upgrade(&self) -> Option<AudioLevelObserver> {
        self.inner.upgrade().map(AudioLevelObserver::new)
    }
}

impl sealed::Handle for AudioLevelObserver {
    fn inner(&self) -> &Arc<RtpObserverInner> {
        &self.inner
    }
}

impl RtpObserver for AudioLevelObserver {}

impl AudioLevelObserver {
    pub(super) fn new(inner: Arc<RtpObserverInner>) -> Self {
        Self { inner }
    }

    /// A handle that does not keep it open.
    pub fn downgrade(&self) -> WeakAudioLevelObserver {
        WeakAudioLevelObserver { inner: Arc::downgrade(&self.inner) }
    }

    on_events! { RtpObserverEvent, |this| this.inner.shared.outlet.public;
        /// Who was heard in the last interval, the loudest first.
        on_volumes => Volumes([AudioLevelVolume]);
        /// Nobody was heard, while somebody was before.
        on_silence => Silence;
    }
}

impl std::fmt::Debug for AudioLevelObserver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut debug = f.debug_struct("AudioLevelObserver");
        debug.field("id", &self.id()).field("closed", &self.closed()).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for WeakAudioLevelObserver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WeakAudioLevelObserver").finish_non_exhaustive()
    }
}
