//! The Consumer: a producer's media, going out on a transport.

mod make;
mod shared;

pub(crate) use make::consume;
pub(crate) use shared::ConsumerShared;

use crate::app_data::AppData;
use crate::error::{RequestError, SetPriorityError};
use crate::event::{ConsumerEvent, ConsumerObserverEvent};
use crate::listeners::{Emitter, HandlerId, ListenerError, on_events};
use crate::stream::EventStream;
use crate::transport::{AnyTransport, TransportInner};
use crate::typed;
use bytes::Bytes;
use std::sync::{Arc, Weak};
use tureen_media_model::{
    ConsumerDump, ConsumerExplanation, ConsumerId, ConsumerInfo, ConsumerScore, ConsumerStats, ConsumerTrace,
    ConsumerTraceFlags, DumpConsumer, ExplainConsumer, GetConsumerStats, PauseConsumer, ProducerId,
    RequestKeyFrame, ResumeConsumer, SetConsumerPriority, SetPreferredLayers, TraceConsumer,
};
use tureen_rtp_dictionaries::{ConsumerType, MediaKind, MediaLayers, RtpParameters};

struct ConsumerInner {
    shared: Arc<ConsumerShared>,
    info: ConsumerInfo,
    transport: Arc<TransportInner>,
}

impl Drop for ConsumerInner {
    fn drop(&mut self) {
        self.shared.close();
    }
}

/// A producer's media on its way to one endpoint.
///
/// Clones are handles to the same consumer; it closes with [`Consumer::close`], when the last handle goes, or with its
/// producer.
#[derive(Clone)]
pub struct Consumer {
    inner: Arc<ConsumerInner>,
}

/// A handle that does not keep its consumer open.
#[derive(Clone)]
pub struct WeakConsumer {
    inner: Weak<ConsumerInner>,
    id: ConsumerId,
}

impl WeakConsumer {
    /// The consumer, unless its last handle is gone.
    pub fn upgrade(&self) -> Option<Consumer> {
        self.inner.upgrade().map(|inner| Consumer { inner })
    }

    /// Its id.
    pub fn id(&self) -> ConsumerId {
        self.id
    }
}

impl Consumer {
    /// Its id.
    pub fn id(&self) -> ConsumerId {
        self.inner.shared.id
    }

    /// What it consumes.
    pub fn producer_id(&self) -> ProducerId {
        self.inner.shared.producer.id
    }

    /// The transport that its media goes out on.
    pub fn transport(&self) -> AnyTransport {
        self.inner.transport.any()
    }

    /// Whether it, its transport or its producer is closed.
    pub fn closed(&self) -> bool {
        self.inner.shared.liveness.is_closed()
    }

    /// Audio or video.
    pub fn kind(&self) -> MediaKind {
        self.inner.info.kind
    }

    /// What its endpoint is to receive.
    pub fn rtp_parameters(&self) -> &RtpParameters {
        &self.inner.info.rtp_parameters
    }

    /// What kind of layers it has.
    pub fn consumer_type(&self) -> ConsumerType {
        self.inner.info.consumer_type
    }

    /// Whether it is paused itself.
    pub fn paused(&self) -> bool {
        self.inner.shared.paused.is_on()
    }

    /// Whether its producer is paused, as far as is known.
    pub fn producer_paused(&self) -> bool {
        self.inner.shared.state().producer_paused
    }

    /// Its share when bandwidth is short, 1 (the default) to 255.
    pub fn priority(&self) -> u8 {
        self.inner.shared.state().priority
    }

    /// The last known scores, 0 (worst) to 10.
    pub fn score(&self) -> ConsumerScore {
        self.inner.shared.state().score.clone()
    }

    /// The layers wanted of a simulcast or SVC source.
    pub fn preferred_layers(&self) -> Option<MediaLayers> {
        self.inner.shared.state().preferred_layers
    }

    /// The layers being forwarded, as far as is known.
    pub fn current_layers(&self) -> Option<MediaLayers> {
        self.inner.shared.state().current_layers
    }

    /// The program's own data.
    pub fn app_data(&self) -> &AppData {
        &self.inner.shared.app_data
    }

    /// Closes it at once; does nothing if it is closed.
    pub fn close(&self) {
        self.inner.shared.close();
    }

    /// A handle that does not keep it open.
    pub fn downgrade(&self) -> WeakConsumer {
        WeakConsumer { inner: Arc::downgrade(&self.inner), id: self.id() }
    }

    /// Stops its media; does nothing if it is paused.
    ///
    /// # Errors
    /// [`RequestError`].
    pub async fn pause(&self) -> Result<(), RequestError> {
        let shared = &self.inner.shared;
        shared.paused.turn(true, || shared.ask(PauseConsumer { id: shared.id })).await
    }

    /// Lets its media flow again, if its producer is not paused; does nothing if it is not paused. Video then starts with a
    /// key frame.
    ///
    /// # Errors
    /// [`RequestError`].
    pub async fn resume(&self) -> Result<(), RequestError> {
        let shared = &self.inner.shared;
        shared.paused.turn(false, || shared.ask(ResumeConsumer { id: shared.id })).await
    }

    /// Prefers layers of a simulcast or SVC source; what the source does not have is clamped. Returns the layers that are
    /// preferred now, `None` where the source has none to choose from.
    ///
    /// # Errors
    /// [`RequestError`].
    pub async fn set_preferred_layers(
        &self,
        layers: MediaLayers,
    ) -> Result<Option<MediaLayers>, RequestError> {
        let shared = &self.inner.shared;
        let preferred = shared.ask(SetPreferredLayers { id: shared.id, layers }).await?;
        shared.state().preferred_layers = preferred;
        Ok(preferred)
    }

    /// Sets its share when bandwidth is short, 1 to 255.
    ///
    /// # Errors
    /// [`SetPriorityError`]: 0, or no answer.
    pub async fn set_priority(&self, priority: u8) -> Result<(), SetPriorityError> {
        self.change_priority(Some(priority)).await
    }

    /// Sets its share when bandwidth is short to the default, 1.
    ///
    /// # Errors
    /// [`SetPriorityError`]: no answer.
    pub async fn unset_priority(&self) -> Result<(), SetPriorityError> {
        self.change_priority(None).await
    }

    async fn change_priority(&self, priority: Option<u8>) -> Result<(), SetPriorityError> {
        let shared = &self.inner.shared;
        if shared.liveness.is_closed() {
            return Err(RequestError::Closed.into());
        }
        let request = SetConsumerPriority { id: shared.id, priority };
        let priority = shared.transport.link.call(request).await??;
        shared.state().priority = priority;
        Ok(())
    }

    /// Asks the source for a key frame.
    ///
    /// # Errors
    /// [`RequestError`].
    pub async fn request_key_frame(&self) -> Result<(), RequestError> {
        self.inner.shared.ask(RequestKeyFrame { id: self.id() }).await
    }

    /// Chooses its trace events: `rtp`, `keyframe`, `nack`, `pli`, `fir`. Other names are left out; none turns them off.
    ///
    /// # Errors
    /// [`RequestError`].
    pub async fn enable_trace_event(&self, types: &[&str]) -> Result<(), RequestError> {
        let flags = ConsumerTraceFlags::from_names(types.iter().copied());
        self.inner.shared.ask(TraceConsumer { id: self.id(), flags }).await
    }

    /// Statistics of its streams, and of the producer's stream in use.
    ///
    /// # Errors
    /// [`RequestError`].
    pub async fn get_stats(&self) -> Result<ConsumerStats, RequestError> {
        let mut stats = self.inner.shared.ask(GetConsumerStats { id: self.id() }).await?;
        if stats.inbound.is_none() && self.consumer_type() != ConsumerType::Pipe {
            stats.inbound = self.inner.shared.inbound_from_afar().await;
        }
        Ok(stats)
    }

    /// Why it sends what it sends: its layers, those preferred and gone for, what keeps it from more, packets not sent by reason,
    /// and its last switches with cause and time.
    ///
    /// # Errors
    /// [`RequestError`].
    pub async fn explain(&self) -> Result<ConsumerExplanation, RequestError> {
        self.inner.shared.ask(ExplainConsumer { id: self.id() }).await
    }

    /// Its internals.
    ///
    /// # Errors
    /// [`RequestError`].
    pub async fn dump(&self) -> Result<ConsumerDump, RequestError> {
        self.inner.shared.ask(DumpConsumer { id: self.id() }).await
    }

    /// Its news as a stream.
    pub fn events(&self) -> EventStream<ConsumerEvent> {
        self.inner.shared.outlet.public.stream()
    }

    /// Everything that happens to it, whoever caused it.
    pub fn observer(&self) -> ConsumerObserver {
        ConsumerObserver { emitter: self.inner.shared.outlet.observer.clone() }
    }

    on_events! { ConsumerEvent, |this| this.inner.shared.outlet.public;
        /// Its transport closed, and it with it.
        on_transport_close => TransportClose;
        /// Its producer closed, and it with it.
        on_producer_close => ProducerClose;
        /// Its producer was paused, whether or not the consumer itself is.
        on_producer_pause => ProducerPause;
        /// Its producer was resumed, whether or not the consumer itself is paused.
        on_producer_resume => ProducerResume;
        /// A score that concerns it changed.
        on_score => Score(ConsumerScore);
        /// Other layers are being forwarded; `None` for none.
        on_layers_change => LayersChange(Option<MediaLayers>);
        /// A trace that [`Consumer::enable_trace_event`] asked for.
        on_trace => Trace(ConsumerTrace);
        /// On a direct transport: an RTP packet for this program.
        on_rtp => Rtp(Bytes);
        /// A listener of it or its observer panicked.
        on_listener_error => ListenerError(ListenerError);
    }

    /// On a direct transport: an RTP packet for this program, as a packet of the `rtp` crate.
    pub fn on_rtp_packet(
        &self,
        listener: impl Fn(&rtp::packet::Packet) + Send + Sync + 'static,
    ) -> HandlerId {
        self.on_rtp(move |packet| {
            if let Some(packet) = typed::rtp_packet(packet) {
                listener(&packet);
            }
        })
    }
}

impl std::fmt::Debug for Consumer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Consumer")
            .field("id", &self.id())
            .field("closed", &self.closed())
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for WeakConsumer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WeakConsumer").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Everything that happens to a [`Consumer`]. It does not keep the consumer open.
#[derive(Clone)]
pub struct ConsumerObserver {
    emitter: Emitter<ConsumerObserverEvent>,
}

impl ConsumerObserver {
    /// All of it as a stream.
    pub fn events(&self) -> EventStream<ConsumerObserverEvent> {
        self.emitter.stream()
    }

    on_events! { ConsumerObserverEvent, |this| this.emitter;
        /// It closed.
        on_close => Close;
        /// Media stopped: it or its producer was paused, and neither was before.
        on_pause => Pause;
        /// Media may flow again: neither it nor its producer is paused, and one was before.
        on_resume => Resume;
        /// As [`Consumer::on_score`].
        on_score => Score(ConsumerScore);
        /// As [`Consumer::on_layers_change`].
        on_layers_change => LayersChange(Option<MediaLayers>);
        /// As [`Consumer::on_trace`].
        on_trace => Trace(ConsumerTrace);
    }
}
