//! Last-N audio: only the loudest producers are forwarded.

use super::{RtpObserver, RtpObserverInner, RtpObserverType, complete, prepare, sealed};
use crate::error::CreateRtpObserverError;
use crate::options::LastNAudioOptions;
use crate::router::Router;
use std::sync::{Arc, Weak};
use tureen_media_model as model;
use tureen_media_model::CreateLastNAudio;

pub(crate) async fn create_last_n_audio(
    router: Router,
    options: LastNAudioOptions,
) -> Result<LastNAudio, CreateRtpObserverError> {
    let LastNAudioOptions { n, shard, app_data } = options;
    let inner = prepare(router, shard, RtpObserverType::LastN, app_data)?;
    let shared = &inner.shared;
    let options = model::LastNAudioOptions { id: shared.id, n };
    let answer = shared.link.call(CreateLastNAudio { router: shared.router.id, options }).await?;
    complete(&inner, answer)?;
    Ok(LastNAudio::new(inner))
}

/// Has only the loudest N of its producers forwarded, on all shards; mediasoup has no such thing.
///
/// Somebody counts for 2 s as loud as the loudest moment of these, so that pauses between words cost nobody the place; who is 6 dB louder
/// comes in within 200 ms. Nothing changes in silence. A producer whose packets carry no audio levels counts as silent, so it is best not
/// added. Paused or closed, it lets all through. Have a producer in one of them only.
///
/// Consumers of those who are left out are not paused: [`Consumer::explain`](crate::Consumer::explain) says why they send nothing.
#[derive(Clone)]
pub struct LastNAudio {
    inner: Arc<RtpObserverInner>,
}

/// A handle that does not keep its [`LastNAudio`] open.
#[derive(Clone)]
pub struct WeakLastNAudio {
    inner: Weak<RtpObserverInner>,
}

impl WeakLastNAudio {
    /// The handle, unless the last one is gone.
    pub fn upgrade(&self) -> Option<LastNAudio> {
        self.inner.upgrade().map(LastNAudio::new)
    }
}

impl sealed::Handle for LastNAudio {
    fn inner(&self) -> &Arc<RtpObserverInner> {
        &self.inner
    }
}

impl RtpObserver for LastNAudio {}

impl LastNAudio {
    pub(super) fn new(inner: Arc<RtpObserverInner>) -> Self {
        Self { inner }
    }

    /// A handle that does not keep it open.
    pub fn downgrade(&self) -> WeakLastNAudio {
        WeakLastNAudio { inner: Arc::downgrade(&self.inner) }
    }
}

impl std::fmt::Debug for LastNAudio {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut debug = f.debug_struct("LastNAudio");
        debug.field("id", &self.id()).field("closed", &self.closed()).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for WeakLastNAudio {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WeakLastNAudio").finish_non_exhaustive()
    }
}
