//! Fan-out: one packet of a source to each of its consumers. Decides here, seals in [`super::seal`].

use crate::arena::Key;
use crate::core::Core;
use crate::event::{ConsumerEvent, Event};
use crate::extensions::Elements;
use crate::path::ingest::trace_of;
use crate::path::seal::{Outgoing, seal};
use crate::source::Source;
use crate::trace::{Trace, TraceDirection, TraceInfo};
use crate::transport_state::lane;
use tureen_forwarding::{DropReason, PacketMeta, SentPacket, Verdict};
use tureen_rtp_wire::Time;
use tureen_rtp_wire::rtp::RtpPacket;
use tureen_transport::{Component, Egress, Transport};

impl<T: Transport> Core<T> {
    /// Stores a packet, relays it to other shards and sends it to the consumers of this one.
    pub(crate) fn forward(
        &mut self,
        now: Time,
        source_key: Key<Source>,
        meta: &PacketMeta,
        packet: &RtpPacket<'_>,
        out: &mut impl Egress,
    ) {
        let Some(source) = self.sources.get_mut(source_key) else { return };
        for mirror in &source.mirrors {
            self.counters.relayed += 1;
            self.relay.to(*mirror).push_packet(source.producer_id, *meta, packet.layout(), packet.bytes());
        }
        let Some(stream) = source.streams.get_mut(usize::from(meta.encoding)) else { return };
        stream.packets += 1;
        let is_first = stream.packets == 1;
        if let Some(store) = &mut stream.store {
            let _ = store.insert(packet.bytes(), packet.layout(), meta);
        }
        if is_first {
            self.follow_best_encoding(source_key);
        }
        self.fan_out(now, source_key, meta, packet, out);
    }

    fn fan_out(
        &mut self,
        now: Time,
        source_key: Key<Source>,
        meta: &PacketMeta,
        packet: &RtpPacket<'_>,
        out: &mut impl Egress,
    ) {
        let Self { sources, consumers, transports, counters, events, config, .. } = self;
        let Some(source) = sources.get(source_key) else { return };
        let elements = Elements::of(packet);
        let payload_type =
            source.mapping.payload_type(packet.payload_type()).unwrap_or(packet.payload_type());
        let abs_send_time = config.wall_clock.abs_send_time(now);
        for &key in &source.consumers {
            let Some(consumer) = consumers.get_mut(key) else { continue };
            let Some(transport) = transports.get_mut(consumer.transport) else { continue };
            let Some(to) = transport.adapter.destination(Component::Rtp) else {
                consumer.drops.add(DropReason::NotConnected);
                counters.dropped += 1;
                continue;
            };
            let (index, verdict) = consumer.decide(payload_type, meta);
            let rewrite = match verdict {
                Verdict::Forward(rewrite) => rewrite,
                Verdict::Drop(reason) => {
                    consumer.drops.add(reason);
                    counters.dropped += 1;
                    continue;
                }
            };
            let Some(stream) = consumer.streams.get_mut(index) else { continue };
            let outgoing = Outgoing {
                lane: lane(consumer.transport, Component::Rtp),
                to,
                ssrc: stream.ssrc,
                payload_type: consumer.renumbering.apply(payload_type),
                rewrite: &rewrite,
                rtx: None,
                descriptor: &meta.descriptor,
                repeat: false,
                abs_send_time,
            };
            let sent = SentPacket { encoding: meta.encoding, source: meta.extended_sequence as u32, rewrite };
            match seal(transport, &consumer.extensions, &outgoing, packet, &elements, out) {
                Ok(len) => {
                    stream.send.on_sent(now, sent, len, usize::from(meta.payload_size));
                    transport.meters.sent.add(now, len);
                    transport.meters.rtp_sent.add(now, len);
                    counters.packets_sent += 1;
                    counters.bytes_sent += len as u64;
                }
                Err(reason) => {
                    consumer.drops.add(reason);
                    counters.dropped += 1;
                    continue;
                }
            }
            let flags = consumer.trace;
            if flags.rtp || flags.key_frame && meta.is_key_frame {
                let mut traced = trace_of(packet, meta, false);
                (traced.ssrc, traced.sequence_number) = (stream.ssrc, rewrite.sequence_number);
                (traced.timestamp, traced.payload_type) = (rewrite.timestamp, outgoing.payload_type);
                let is_key_frame = flags.key_frame && meta.is_key_frame;
                let info = if is_key_frame { TraceInfo::KeyFrame(traced) } else { TraceInfo::Rtp(traced) };
                let trace = Trace { info, timestamp: now.as_millis(), direction: TraceDirection::Out };
                events.trace(Event::Consumer(consumer.definition.id, ConsumerEvent::Trace(trace)));
            }
        }
    }
}
