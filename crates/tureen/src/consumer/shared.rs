//! What all handles to one consumer share: its last known state, and what becomes of its shard's events.

use crate::app_data::AppData;
use crate::dispatch::Task;
use crate::error::RequestError;
use crate::event::{ConsumerEvent, ConsumerObserverEvent};
use crate::index::Living;
use crate::listeners::{Outlet, lock};
use crate::liveness::Liveness;
use crate::log::{LogLevel, LogTag};
use crate::options::ConsumerOptions;
use crate::producer::ProducerShared;
use crate::switch::Switch;
use crate::transport::TransportShared;
use crate::worker::Burden;
use bytes::Bytes;
use std::sync::{Arc, Mutex, MutexGuard};
use tureen_media_model as model;
use tureen_media_model::{
    CloseCause, CloseConsumer, ConsumerId, ConsumerInfo, ConsumerScore, GetProducerStats, InboundRtpStats,
    NotFoundError, Request,
};
use tureen_rtp_dictionaries::MediaLayers;
use tureen_runtime::AnyTransport;
use uuid::Uuid;

/// What all handles to one consumer share.
pub(crate) struct ConsumerShared {
    pub(crate) id: ConsumerId,
    pub(crate) transport: Arc<TransportShared>,
    pub(crate) producer: Arc<ProducerShared>,
    pub(crate) liveness: Arc<Liveness>,
    pub(super) outlet: Outlet<ConsumerEvent, ConsumerObserverEvent>,
    pub(super) paused: Switch,
    pub(super) app_data: AppData,
    serial: u64,
    state: Mutex<ConsumerState>,
    burden: Mutex<Option<Burden>>,
}

/// What is known of a consumer.
pub(super) struct ConsumerState {
    pub(super) producer_paused: bool,
    pub(super) priority: u8,
    pub(super) score: ConsumerScore,
    pub(super) preferred_layers: Option<MediaLayers>,
    pub(super) current_layers: Option<MediaLayers>,
    /// Events may overtake the task that waits for the answer that made the consumer; they are newer.
    producer_pause_seen: bool,
    score_seen: bool,
}

impl Living for ConsumerShared {
    fn liveness(&self) -> &Arc<Liveness> {
        &self.liveness
    }
}

impl ConsumerShared {
    pub(super) fn new(
        transport: &Arc<TransportShared>,
        producer: &Arc<ProducerShared>,
        options: &ConsumerOptions,
    ) -> Self {
        let worker = &transport.link.worker;
        Self {
            id: ConsumerId(Uuid::new_v4().as_u128()),
            transport: Arc::clone(transport),
            producer: Arc::clone(producer),
            liveness: Liveness::under_both(&transport.liveness, &producer.liveness),
            outlet: Outlet::default(),
            paused: Switch::new(options.paused),
            app_data: options.app_data.clone(),
            serial: worker.serial(),
            state: Mutex::new(ConsumerState {
                producer_paused: false,
                priority: 1,
                score: ConsumerScore::default(),
                preferred_layers: None,
                current_layers: None,
                producer_pause_seen: false,
                score_seen: false,
            }),
            burden: Mutex::new(Some(worker.burden(&transport.link))),
        }
    }

    pub(super) fn enter(self: &Arc<Self>) {
        self.transport.link.worker.index.consumers.insert(self.id, self);
        self.transport.consumers.insert(self.serial, Arc::clone(self));
        self.producer.consumers.insert(self.serial, Arc::clone(self));
    }

    /// Takes over what its shard answered.
    pub(super) fn made(self: &Arc<Self>, info: &ConsumerInfo) {
        let mut state = self.state();
        if !state.producer_pause_seen {
            state.producer_paused = info.producer_paused;
        }
        if !state.score_seen {
            // Of one stream the score is that of the source; of several none is in use yet.
            let producer_score = if let [only] = info.producer_scores[..] { only } else { 0 };
            let producer_scores = info.producer_scores.clone();
            state.score = ConsumerScore { score: 10, producer_score, producer_scores };
        }
        state.preferred_layers = info.preferred_layers;
        drop(state);
        if self.transport.is_direct() {
            let encodings = info.rtp_parameters.encodings.iter();
            let ssrcs =
                encodings.flat_map(|encoding| [encoding.ssrc, encoding.rtx.as_ref().map(|rtx| rtx.ssrc)]);
            self.transport.add_receiver(self, ssrcs.flatten());
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, ConsumerState> {
        lock(&self.state)
    }

    /// Asks its shard.
    pub(super) fn ask<R, A>(
        &self,
        request: R,
    ) -> impl Future<Output = Result<A, RequestError>> + Send + use<R, A>
    where
        R: Request<AnyTransport, Reply = Result<A, NotFoundError>>,
        A: Send,
    {
        self.transport.link.ask(&self.liveness, request)
    }

    pub(super) fn close(self: &Arc<Self>) {
        if self.liveness.close() {
            self.transport.link.close(CloseConsumer { id: self.id });
            self.transport.link.worker.task(Task::ConsumerClosed(Arc::clone(self)));
        }
    }

    /// It was never made: nobody is told, and nothing is left of it.
    pub(super) fn abandon(&self) {
        self.liveness.close();
        if self.liveness.announce() {
            self.forget();
        }
    }

    /// Tells listeners why it closed.
    pub(crate) fn announce_closing(&self, cause: CloseCause) {
        match cause {
            CloseCause::TransportClosed => self.outlet.tell(&ConsumerEvent::TransportClose),
            CloseCause::ProducerClosed => self.outlet.tell(&ConsumerEvent::ProducerClose),
            _ => {}
        }
        self.outlet.observe(&ConsumerObserverEvent::Close);
        self.outlet.end();
        self.forget();
    }

    fn forget(&self) {
        self.transport.consumers.remove(self.serial);
        self.producer.consumers.remove(self.serial);
        self.transport.link.worker.index.consumers.remove(&self.id, self);
        if self.transport.is_direct() {
            self.transport.remove_receiver(self);
        }
        lock(&self.burden).take();
    }

    /// Hands a packet that went out on a direct transport to its listeners.
    pub(crate) fn receive(&self, packet: Bytes) {
        self.outlet.tell(&ConsumerEvent::Rtp(packet));
    }

    pub(crate) fn handle_event(&self, event: model::ConsumerEvent) {
        let outlet = &self.outlet;
        match event {
            model::ConsumerEvent::Paused { effective } => self.observe_pause(effective),
            model::ConsumerEvent::Resumed { effective } => self.observe_resume(effective),
            model::ConsumerEvent::ProducerPaused { effective } => {
                self.producer_paused(true);
                outlet.tell(&ConsumerEvent::ProducerPause);
                self.observe_pause(effective);
            }
            model::ConsumerEvent::ProducerResumed { effective } => {
                self.producer_paused(false);
                outlet.tell(&ConsumerEvent::ProducerResume);
                self.observe_resume(effective);
            }
            model::ConsumerEvent::Score(score) => {
                let mut state = self.state();
                state.score_seen = true;
                state.score.clone_from(&score);
                drop(state);
                outlet.tell(&ConsumerEvent::Score(score.clone()));
                outlet.observe(&ConsumerObserverEvent::Score(score));
            }
            model::ConsumerEvent::Layers(layers) => {
                self.log_layers(layers);
                self.state().current_layers = layers;
                outlet.tell(&ConsumerEvent::LayersChange(layers));
                outlet.observe(&ConsumerObserverEvent::LayersChange(layers));
            }
            model::ConsumerEvent::Trace(trace) => {
                outlet.tell(&ConsumerEvent::Trace(trace.clone()));
                outlet.observe(&ConsumerObserverEvent::Trace(trace));
            }
            _ => {}
        }
    }

    fn log_layers(&self, layers: Option<MediaLayers>) {
        let worker = &self.transport.link.worker;
        let (id, consumer) = (worker.id, self.id);
        if self.producer.is_simulcast() {
            if worker.log.allows(LogLevel::Debug, LogTag::Simulcast) {
                tracing::debug!(target: "tureen::simulcast", worker = %id, %consumer, ?layers);
            }
        } else if worker.log.allows(LogLevel::Debug, LogTag::Svc) {
            tracing::debug!(target: "tureen::svc", worker = %id, %consumer, ?layers);
        }
    }

    fn producer_paused(&self, paused: bool) {
        let mut state = self.state();
        state.producer_pause_seen = true;
        state.producer_paused = paused;
    }

    fn observe_pause(&self, effective: bool) {
        if effective {
            self.outlet.observe(&ConsumerObserverEvent::Pause);
        }
    }

    fn observe_resume(&self, effective: bool) {
        if effective {
            self.outlet.observe(&ConsumerObserverEvent::Resume);
        }
    }

    /// Statistics of the producer's stream in use, where that is on another shard.
    pub(super) async fn inbound_from_afar(&self) -> Option<InboundRtpStats> {
        let home = &self.producer.transport.link;
        if home.shard_id() == self.transport.link.shard_id() {
            return None;
        }
        let streams = home.ask(&self.liveness, GetProducerStats { id: self.producer.id }).await.ok()?;
        let spatial_layer = self.state().current_layers.map_or(0, |layers| usize::from(layers.spatial_layer));
        let encodings = &self.producer.info.get()?.rtp_parameters.encodings;
        let encoding = if encodings.len() > 1 { encodings.get(spatial_layer)? } else { encodings.first()? };
        let is_used = |stream: &InboundRtpStats| match (&encoding.rid, encoding.ssrc) {
            (_, Some(ssrc)) => stream.stream.ssrc == ssrc,
            (rid, None) => stream.stream.rid.as_deref() == rid.as_deref(),
        };
        streams.into_iter().find(is_used)
    }
}
