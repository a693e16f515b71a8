//! Statistics and dumps.

use crate::command::{
    AskForNotes, DumpConsumer, DumpProducer, DumpRouter, DumpTransport, GetConsumerStats, GetProducerStats,
    GetTransportStats,
};
use crate::consumer::{Consumer, ConsumerStream};
use crate::control::consume::{fec_ssrc, rtx_ssrc};
use crate::core::Core;
use crate::description::{
    ConsumerDump, ProducerDump, RouterDump, RtpListenerDump, RtpStreamDump, TransportDump,
};
use crate::error::NotFoundError;
use crate::id::{ConsumerId, ProducerId, RtpObserverId};
use crate::notes::NoteTopics;
use crate::options::OutgoingBitrates;
use crate::producer::{Producer, ProducerStream};
use crate::sending::SendControl;
use crate::source::Origin;
use crate::stats::{
    ConsumerStats, FecStats, InboundRtpStats, OutboundRtpStats, OutgoingPathStats, ProducerStats,
    RtpStreamStats, TransportStats,
};
use std::collections::BTreeMap;
use std::time::Duration;
use tureen_forwarding::ResendRefusals;
use tureen_rtp_dictionaries::{RtpCodecParameters, RtpEncodingParameters, RtpParameters};
use tureen_rtp_wire::Time;
use tureen_transport::{RejectReason, Transport};

impl<T: Transport> Core<T> {
    pub(crate) fn ask_for_notes(&mut self, _now: Time, request: AskForNotes) -> NoteTopics {
        self.events.ask_for_notes(request.topics)
    }

    pub(crate) fn get_producer_stats(
        &mut self,
        now: Time,
        request: GetProducerStats,
    ) -> Result<Vec<ProducerStats>, NotFoundError> {
        let producer = self.producer_mut(request.id)?;
        let streams = producer.streams.iter().enumerate();
        Ok(streams
            .filter_map(|(index, stream)| Some(inbound(now, producer, index, stream.as_deref()?)))
            .collect())
    }

    pub(crate) fn get_consumer_stats(
        &mut self,
        now: Time,
        request: GetConsumerStats,
    ) -> Result<ConsumerStats, NotFoundError> {
        let key = self.consumer_key(request.id)?;
        let consumer = self.consumers.get(key).ok_or(NotFoundError::Consumer(request.id))?;
        let outbound = consumer.streams.iter().map(|stream| outbound(now, consumer, stream)).collect();
        let source = self.sources.get(consumer.source).map(|source| source.origin);
        // Of several streams at a time none is the one in use.
        let stream = consumer.streams.first().filter(|_| !consumer.definition.pipe);
        let encoding = stream.and_then(|stream| stream.encoding);
        let inbound = match (source, encoding) {
            (Some(Origin::Here(producer)), Some(encoding)) => {
                self.producers.get(producer).and_then(|producer| {
                    Some(inbound(now, producer, usize::from(encoding), producer.stream(encoding)?))
                })
            }
            _ => None,
        };
        Ok(ConsumerStats { outbound, inbound })
    }

    pub(crate) fn get_transport_stats(
        &mut self,
        now: Time,
        request: GetTransportStats,
    ) -> Result<TransportStats, NotFoundError> {
        let transport = self.transport(request.id)?;
        let sctp_state = self.sctp_state(self.transport_key(request.id)?);
        let meters = &transport.meters;
        let control = transport.sending.control.as_deref();
        let available = control.and_then(SendControl::available);
        let bound = |of: fn(OutgoingBitrates) -> u32| transport.options.outgoing.map(of).filter(|it| *it > 0);
        let rejected =
            RejectReason::ALL.iter().map(|reason| (reason.name(), transport.rejected[reason.index()]));
        let outgoing = OutgoingPathStats {
            probation_bytes_sent: meters.probation_sent.bytes,
            probation_send_bitrate: meters.probation_sent.bitrate(now),
            available_outgoing_bitrate: available.map(clamp_rate),
            max_outgoing_bitrate: bound(|bitrates| bitrates.max),
            min_outgoing_bitrate: bound(|bitrates| bitrates.min),
        };
        Ok(TransportStats {
            transport_id: transport.id,
            timestamp: now.as_millis(),
            sctp_state,
            bytes_received: meters.received.bytes,
            recv_bitrate: meters.received.bitrate(now),
            bytes_sent: meters.bytes_sent(),
            send_bitrate: meters.send_bitrate(now),
            rtp_bytes_received: meters.rtp_received.bytes,
            rtp_recv_bitrate: meters.rtp_received.bitrate(now),
            rtp_bytes_sent: meters.rtp_sent.bytes,
            rtp_send_bitrate: meters.rtp_sent.bitrate(now),
            rtx_bytes_received: meters.rtx_received.bytes,
            rtx_recv_bitrate: meters.rtx_received.bitrate(now),
            rtx_bytes_sent: meters.rtx_sent.bytes,
            rtx_send_bitrate: meters.rtx_sent.bitrate(now),
            outgoing,
            available_incoming_bitrate: transport.feedback.estimate().map(clamp_rate),
            max_incoming_bitrate: transport.incoming_limit.bitrate,
            datagrams_rejected: rejected.filter(|(_, count)| *count > 0).collect(),
            round_trip_time: transport.reports.round_trip.map(millis),
        })
    }

    pub(crate) fn dump_router(
        &mut self,
        _now: Time,
        request: DumpRouter,
    ) -> Result<RouterDump, NotFoundError> {
        let missing = NotFoundError::Router(request.id);
        let key = self.index.routers.get(&request.id).copied().ok_or(missing)?;
        let router = self.routers.get(key).ok_or(missing)?;
        let transports = router.transports.iter().filter_map(|key| self.transports.get(*key));
        let mut consumers: BTreeMap<ProducerId, Vec<ConsumerId>> = BTreeMap::new();
        let mut producers = BTreeMap::new();
        for source in router.sources.iter().filter_map(|key| self.sources.get(*key)) {
            let entry = consumers.entry(source.producer_id).or_default();
            for consumer in source.consumers.iter().filter_map(|key| self.consumers.get(*key)) {
                entry.push(consumer.definition.id);
                producers.insert(consumer.definition.id, source.producer_id);
            }
        }
        let observers = router.observers.iter().filter_map(|key| self.observing.observers.get(*key));
        let mut observed: BTreeMap<ProducerId, Vec<RtpObserverId>> = BTreeMap::new();
        for observer in observers.clone() {
            for producer in observer.producers() {
                observed.entry(producer).or_default().push(observer.id);
            }
        }
        let data_consumers = self.map_data_consumers(&router.data_sources);
        Ok(RouterDump {
            id: request.id,
            transport_ids: transports.map(|transport| transport.id).collect(),
            map_producer_id_consumer_ids: consumers,
            map_consumer_id_producer_id: producers,
            rtp_observer_ids: observers.clone().map(|observer| observer.id).collect(),
            map_producer_id_observer_ids: observed,
            map_data_consumer_id_data_producer_id: data_consumers
                .iter()
                .flat_map(|(producer, consumers)| consumers.iter().map(|consumer| (*consumer, *producer)))
                .collect(),
            map_data_producer_id_data_consumer_ids: data_consumers,
        })
    }

    pub(crate) fn dump_transport(
        &mut self,
        _now: Time,
        request: DumpTransport,
    ) -> Result<TransportDump, NotFoundError> {
        let transport = self.transport(request.id)?;
        let producer_id = |key| self.producers.get(key).map(|producer: &Producer| producer.definition.id);
        let consumer_id = |key| self.consumers.get(key).map(|consumer: &Consumer| consumer.definition.id);
        let named = |name: &[u8]| String::from_utf8_lossy(name).into_owned();
        let entries = transport.listener.entries();
        let rtx = |key, ssrc: u32| {
            self.consumers
                .get(key)
                .is_some_and(|consumer: &Consumer| consumer.streams.iter().all(|s| s.ssrc != ssrc))
        };
        let by_ssrc = |want_rtx: bool| {
            let known = transport.consumer_ssrcs.iter().filter(|&(ssrc, key)| rtx(*key, *ssrc) == want_rtx);
            known.filter_map(|(ssrc, key)| Some((*ssrc, consumer_id(*key)?))).collect()
        };
        Ok(TransportDump {
            id: transport.id,
            direct: transport.options.direct,
            producer_ids: transport.producers.iter().filter_map(|key| producer_id(*key)).collect(),
            consumer_ids: transport.consumers.iter().filter_map(|key| consumer_id(*key)).collect(),
            map_ssrc_consumer_id: by_ssrc(false),
            map_rtx_ssrc_consumer_id: by_ssrc(true),
            recv_rtp_header_extensions: transport.extensions.named().collect(),
            rtp_listener: RtpListenerDump {
                ssrc_table: entries
                    .ssrcs
                    .iter()
                    .filter_map(|&(ssrc, key)| Some((ssrc, producer_id(key)?)))
                    .collect(),
                mid_table: entries
                    .mids
                    .iter()
                    .filter_map(|&(mid, key)| Some((named(mid), producer_id(key)?)))
                    .collect(),
                rid_table: entries
                    .rids
                    .iter()
                    .filter_map(|&(rid, key)| Some((named(rid), producer_id(key)?)))
                    .collect(),
            },
            data: self.dump_data(self.transport_key(request.id)?),
            trace_event_types: transport.trace.names(),
        })
    }

    pub(crate) fn dump_producer(
        &mut self,
        _now: Time,
        request: DumpProducer,
    ) -> Result<ProducerDump, NotFoundError> {
        let producer = self.producer_mut(request.id)?;
        let definition = &producer.definition;
        let streams = producer.streams.iter().enumerate();
        Ok(ProducerDump {
            id: definition.id,
            kind: definition.kind,
            producer_type: definition.producer_type,
            rtp_parameters: definition.rtp_parameters.clone(),
            rtp_mapping: definition.mapping.clone(),
            rtp_streams: streams
                .filter_map(|(index, stream)| dump_inbound(producer, index, stream.as_deref()?))
                .collect(),
            trace_event_types: producer.trace.names(),
            key_frame_cache: definition.key_frame_cache,
            content_hint: definition.content_hint,
            paused: producer.paused,
        })
    }

    pub(crate) fn dump_consumer(
        &mut self,
        _now: Time,
        request: DumpConsumer,
    ) -> Result<ConsumerDump, NotFoundError> {
        let (consumer, source) = self.consumer_and_source(request.id)?;
        let definition = &consumer.definition;
        let drops = consumer.drops.iter().filter(|(_, count)| *count > 0);
        Ok(ConsumerDump {
            id: definition.id,
            producer_id: source.producer_id,
            kind: definition.kind,
            consumer_type: definition.consumer_type,
            rtp_parameters: definition.rtp_parameters.clone(),
            consumable_rtp_encodings: source.consumable.encodings.clone(),
            supported_codec_payload_types: consumer.payload_types.iter().collect(),
            trace_event_types: consumer.trace.names(),
            paused: consumer.pause.own,
            producer_paused: consumer.pause.producer,
            priority: consumer.priority,
            rtp_streams: consumer
                .streams
                .iter()
                .enumerate()
                .filter_map(|(at, s)| dump_outbound(consumer, at, s))
                .collect(),
            packets_dropped: drops.map(|(reason, count)| (reason.name(), count)).collect(),
        })
    }
}

pub(crate) fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

pub(crate) fn clamp_rate(bitrate: u64) -> u32 {
    u32::try_from(bitrate).unwrap_or(u32::MAX)
}

fn media_codec(parameters: &RtpParameters) -> Option<&RtpCodecParameters> {
    parameters.codecs.iter().find(|codec| !codec.is_rtx())
}

fn mime_type(parameters: &RtpParameters) -> String {
    media_codec(parameters).map(|codec| codec.mime_type.to_string()).unwrap_or_default()
}

fn inbound(now: Time, producer: &Producer, index: usize, stream: &ProducerStream) -> InboundRtpStats {
    let definition = &producer.definition;
    let (recv, stats) = (&stream.recv, stream.recv.stats());
    let encoding = definition.rtp_parameters.encodings.get(index);
    let mode = encoding.map(RtpEncodingParameters::layers).unwrap_or_default();
    let mut bitrate_by_layer = BTreeMap::new();
    for spatial in 0..mode.spatial_layers.min(8) {
        for temporal in 0..mode.temporal_layers.min(8) {
            let bitrate = clamp_rate(recv.layer_bitrate(now, spatial, temporal));
            bitrate_by_layer.insert(format!("{spatial}.{temporal}"), bitrate);
        }
    }
    InboundRtpStats {
        kind: "inbound-rtp",
        stream: RtpStreamStats {
            timestamp: now.as_millis(),
            ssrc: recv.config().ssrc,
            rtx_ssrc: recv.config().rtx.map(|rtx| rtx.ssrc).filter(|&ssrc| ssrc != 0),
            rid: encoding.and_then(|encoding| encoding.rid.clone()),
            kind: definition.kind,
            mime_type: mime_type(&definition.rtp_parameters),
            packets_lost: stats.packets_lost,
            fraction_lost: stats.fraction_lost,
            jitter: stats.jitter,
            packets_discarded: stats.packets_discarded,
            packets_retransmitted: stats.packets_retransmitted,
            packets_repaired: stats.packets_repaired,
            nack_count: stats.nack_count,
            nack_packet_count: stats.nack_packet_count,
            pli_count: stats.pli_count,
            fir_count: stats.fir_count,
            round_trip_time: stats.round_trip_time.map(millis),
            rtx_packets_discarded: recv.config().rtx.map(|_| stats.rtx_packets_discarded),
            score: stats.score,
        },
        packet_count: stats.packet_count,
        byte_count: stats.byte_count,
        bitrate: clamp_rate(recv.bitrate(now)),
        bitrate_by_layer,
    }
}

fn outbound(now: Time, consumer: &Consumer, stream: &ConsumerStream) -> OutboundRtpStats {
    let definition = &consumer.definition;
    let stats = stream.send.stats();
    OutboundRtpStats {
        kind: "outbound-rtp",
        stream: RtpStreamStats {
            timestamp: now.as_millis(),
            ssrc: stream.ssrc,
            rtx_ssrc: rtx_ssrc(stream),
            rid: None,
            kind: definition.kind,
            mime_type: mime_type(&definition.rtp_parameters),
            packets_lost: i64::from(stats.packets_lost),
            fraction_lost: stats.fraction_lost,
            jitter: stats.jitter,
            packets_discarded: 0,
            packets_retransmitted: stats.packets_retransmitted,
            packets_repaired: stats.packets_repaired,
            nack_count: stats.nack_count,
            nack_packet_count: stats.nack_packet_count,
            pli_count: stats.pli_count,
            fir_count: stats.fir_count,
            round_trip_time: stream.send.rtt().map(millis),
            rtx_packets_discarded: None,
            score: stream.send.score(),
        },
        packet_count: stats.packet_count,
        byte_count: stats.byte_count,
        bitrate: clamp_rate(stream.send.bitrate(now)),
        fec: fec_ssrc(stream).map(|ssrc| FecStats {
            ssrc,
            packets_sent: stats.parity_packets,
            bytes_sent: stats.parity_bytes,
        }),
        retransmissions_refused: refusals_by_name(&stats.refused),
    }
}

fn dump_inbound(producer: &Producer, index: usize, stream: &ProducerStream) -> Option<RtpStreamDump> {
    let parameters = &producer.definition.rtp_parameters;
    let encoding = parameters.encodings.get(index)?;
    let config = stream.recv.config();
    let codec = producer.codecs.get(config.payload_type)?;
    let mode = encoding.layers();
    Some(RtpStreamDump {
        encoding_idx: u8::try_from(index).ok()?,
        ssrc: config.ssrc,
        payload_type: config.payload_type,
        mime_type: mime_type(parameters),
        clock_rate: config.clock_rate,
        rid: encoding.rid.clone(),
        cname: parameters.rtcp.cname.clone().unwrap_or_default(),
        rtx_ssrc: config.rtx.map(|rtx| rtx.ssrc).filter(|&ssrc| ssrc != 0),
        rtx_payload_type: config.rtx.map(|rtx| rtx.payload_type),
        use_nack: config.use_nack,
        use_pli: config.use_pli,
        use_fir: config.use_fir,
        use_in_band_fec: codec.in_band_fec,
        use_dtx: codec.dtx,
        spatial_layers: mode.spatial_layers,
        temporal_layers: mode.temporal_layers,
        score: stream.recv.score(),
    })
}

fn dump_outbound(consumer: &Consumer, index: usize, stream: &ConsumerStream) -> Option<RtpStreamDump> {
    let parameters = &consumer.definition.rtp_parameters;
    let encoding = parameters.encodings.get(index)?;
    let codec = media_codec(parameters)?;
    let feedback = crate::codec::Feedback::of(codec);
    let mode = encoding.layers();
    Some(RtpStreamDump {
        encoding_idx: u8::try_from(index).ok()?,
        ssrc: stream.ssrc,
        payload_type: codec.payload_type,
        mime_type: codec.mime_type.to_string(),
        clock_rate: codec.clock_rate,
        rid: None,
        cname: parameters.rtcp.cname.clone().unwrap_or_default(),
        rtx_ssrc: rtx_ssrc(stream),
        rtx_payload_type: stream.send.config().rtx.map(|rtx| rtx.payload_type),
        use_nack: feedback.nack,
        use_pli: feedback.pli,
        use_fir: feedback.fir,
        use_in_band_fec: codec.parameters.get_u64("useinbandfec") == Some(1),
        use_dtx: encoding.dtx || codec.parameters.get_u64("usedtx") == Some(1),
        spatial_layers: mode.spatial_layers,
        temporal_layers: mode.temporal_layers,
        score: stream.send.score(),
    })
}

/// Reasons without packets are left out.
pub(crate) fn refusals_by_name(refused: &ResendRefusals) -> BTreeMap<&'static str, u64> {
    refused.iter().filter(|(_, count)| *count > 0).map(|(reason, count)| (reason.name(), count)).collect()
}
