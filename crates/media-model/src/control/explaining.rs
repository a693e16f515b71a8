//! Why a consumer sends what it sends, for whoever asks. Reads, changes nothing.

use crate::command::ExplainConsumer;
use crate::consumer::Consumer;
use crate::control::reporting::{clamp_rate, millis, refusals_by_name};
use crate::core::Core;
use crate::error::NotFoundError;
use crate::explanation::{
    ConsumerExplanation, ConsumerFigures, EncodingState, Obstacle, PathEstimate, Repairs,
};
use crate::id::ConsumerId;
use crate::sending::SendControl;
use crate::source::{Source, SourceStream};
use crate::transport_state::TransportState;
use tureen_forwarding::{ResendRefusals, Selector};
use tureen_rtp_dictionaries::{ConsumerType, MediaLayers};
use tureen_rtp_wire::Time;
use tureen_transport::{Component, Transport};

impl<T: Transport> Core<T> {
    pub(crate) fn explain_consumer(
        &mut self,
        now: Time,
        request: ExplainConsumer,
    ) -> Result<ConsumerExplanation, NotFoundError> {
        let (consumer, source) = self.consumer_and_source(request.id)?;
        let definition = &consumer.definition;
        let drops = consumer.drops.iter().filter(|(_, count)| *count > 0);
        Ok(ConsumerExplanation {
            consumer_id: definition.id,
            producer_id: source.producer_id,
            kind: definition.kind,
            consumer_type: definition.consumer_type,
            timestamp: now.as_millis(),
            preferred_layers: consumer.preferred_layers,
            target_layers: consumer.target_layers(),
            current_layers: consumer.current_layers(),
            obstacle: self.obstacle(consumer, source),
            granted_layers: consumer.granted_layers,
            path: self.transports.get(consumer.transport).and_then(|transport| path_estimate(now, transport)),
            encodings: (0..)
                .zip(&source.streams)
                .map(|(index, stream)| encoding_state(index, stream))
                .collect(),
            packets_sent: consumer.streams.iter().map(|stream| stream.send.stats().packet_count).sum(),
            packets_dropped: drops.map(|(reason, count)| (reason.name(), count)).collect(),
            repairs: repairs(consumer),
            switches: consumer.switches.iter().collect(),
            switch_count: consumer.switches.count(),
        })
    }

    /// A consumer, and what it consumes.
    pub(crate) fn consumer_and_source(&self, id: ConsumerId) -> Result<(&Consumer, &Source), NotFoundError> {
        let missing = NotFoundError::Consumer(id);
        let consumer = self.consumers.get(self.consumer_key(id)?).ok_or(missing)?;
        Ok((consumer, self.sources.get(consumer.source).ok_or(missing)?))
    }

    /// What all its consumers together have done and wait for. Takes as long as there are consumers.
    pub fn consumer_figures(&self) -> ConsumerFigures {
        let mut figures = ConsumerFigures {
            drops: self.tally.past_drops,
            switches: self.tally.switches,
            obstacles: [0; Obstacle::NAMES.len()],
        };
        for consumer in self.consumers.iter() {
            figures.drops.merge(&consumer.drops);
            let source = self.sources.get(consumer.source);
            let obstacle = source.and_then(|source| self.obstacle(consumer, source));
            if let Some(count) = obstacle.and_then(|obstacle| figures.obstacles.get_mut(obstacle.index())) {
                *count += 1;
            }
        }
        figures
    }

    /// The first of what keeps a consumer from sending what is preferred, in the order of a packet's way.
    fn obstacle(&self, consumer: &Consumer, source: &Source) -> Option<Obstacle> {
        let transport = self.transports.get(consumer.transport);
        let connected =
            transport.is_some_and(|transport| transport.adapter.destination(Component::Rtp).is_some());
        let control = transport.and_then(|transport| transport.sending.control.as_deref());
        let available = control.and_then(SendControl::available).map_or(u32::MAX, clamp_rate);
        let checks = [
            (consumer.pause.own, Obstacle::Paused),
            (consumer.pause.producer, Obstacle::ProducerPaused),
            (consumer.pause.left_out, Obstacle::LastN),
            (!connected, Obstacle::NotConnected),
            (consumer.pause.starved, Obstacle::Bandwidth { available_bitrate: available }),
            (source.streams.iter().all(|stream| stream.packets == 0), Obstacle::NothingCame),
            (source.streams.iter().all(|stream| stream.score == 0 || stream.resting), Obstacle::SourceSilent),
        ];
        let first = checks.into_iter().find_map(|(applies, obstacle)| applies.then_some(obstacle));
        first.or_else(|| start_obstacle(consumer)).or_else(|| layer_obstacle(consumer, source, available))
    }
}

fn repairs(consumer: &Consumer) -> Repairs {
    let mut refused = ResendRefusals::default();
    let mut repairs = Repairs::default();
    for stats in consumer.streams.iter().map(|stream| stream.send.stats()) {
        repairs.asked += stats.nack_packet_count;
        repairs.sent += stats.packets_retransmitted;
        repairs.parity += stats.parity_packets;
        refused.merge(&stats.refused);
    }
    Repairs { refused: refusals_by_name(&refused), ..repairs }
}

/// A key frame that is waited for, of any encoding.
fn start_obstacle(consumer: &Consumer) -> Option<Obstacle> {
    consumer.awaited_encodings().next().map(|encoding_idx| Obstacle::WaitingForKeyFrame { encoding_idx })
}

/// Why other layers flow than those that are preferred.
fn layer_obstacle(consumer: &Consumer, source: &Source, available_bitrate: u32) -> Option<Obstacle> {
    let Selector::Simulcast(selector) = &consumer.selector else { return None };
    if !consumer.is_layered() {
        return None;
    }
    let target = selector.target()?;
    if selector.current() != Some(target) {
        return Some(Obstacle::WaitingForSwitchPoint);
    }
    if consumer.is_limited {
        return Some(Obstacle::Bandwidth { available_bitrate });
    }
    let wanted = wanted_encoding(consumer, source);
    if target.encoding != wanted {
        return Some(Obstacle::EncodingSilent { spatial_layer: wanted });
    }
    let active = source.streams.get(usize::from(target.encoding))?.active_layers?;
    let (spatial, temporal) = consumer.wanted_layers();
    let has_all = (target.spatial_layer, target.temporal_layer) == (spatial, temporal);
    (!has_all).then_some(Obstacle::LayersInactive {
        spatial_layer: active.highest_spatial,
        temporal_layer: active.highest_temporal,
    })
}

/// The encoding that is preferred, whether it is alive or not.
fn wanted_encoding(consumer: &Consumer, source: &Source) -> u8 {
    let top = u8::try_from(source.streams.len().saturating_sub(1)).unwrap_or(u8::MAX);
    let simulcast = consumer.definition.consumer_type == ConsumerType::Simulcast;
    let preferred = consumer.preferred_layers.filter(|_| simulcast);
    preferred.map_or(top, |layers| layers.spatial_layer.min(top))
}

fn encoding_state(encoding_idx: u8, stream: &SourceStream) -> EncodingState {
    let active_layers = stream.active_layers.map(|active| MediaLayers {
        spatial_layer: active.highest_spatial,
        temporal_layer: Some(active.highest_temporal),
    });
    EncodingState {
        encoding_idx,
        score: stream.score,
        packet_count: stream.packets,
        resting: stream.resting,
        active_layers,
    }
}

/// What is known of the path of a transport, where somebody says.
fn path_estimate<T>(now: Time, transport: &TransportState<T>) -> Option<PathEstimate> {
    let control = transport.sending.control.as_deref().filter(|control| control.governs())?;
    let state = control.state();
    Some(PathEstimate {
        available_bitrate: clamp_rate(state.target_bitrate),
        acknowledged_bitrate: state.acknowledged_bitrate.map(clamp_rate),
        send_bitrate: transport.meters.send_bitrate(now),
        granted_bitrate: clamp_rate(control.allocator.granted()),
        reason: state.reason.name(),
        queue: millis(state.queue),
        round_trip_time: millis(state.round_trip),
        loss: state.loss,
        backlog: millis(control.backlog()),
    })
}
