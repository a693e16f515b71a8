//! Ingest: from a packet of a transport to a packet of a producer's stream, numbered, counted and described.

use crate::arena::Key;
use crate::core::Core;
use crate::describe::Description;
use crate::event::{Event, ProducerEvent, VideoOrientation};
use crate::listener::StreamRef;
use crate::producer::Producer;
use crate::trace::{RtpPacketTrace, Trace, TraceDirection, TraceInfo};
use crate::transport_state::TransportTag;
use smallvec::SmallVec;
use tureen_forwarding::rtx::decapsulate;
use tureen_forwarding::{PacketInfo, PacketMeta, Received};
use tureen_rtp_wire::rtp::{self, RtpLayout, RtpPacket, extension};
use tureen_rtp_wire::{Ecn, Time};
use tureen_transport::{Egress, Transport};

/// As many frames on other streams show that the picture does not just stand still.
const ABANDONED_FRAMES: u8 = 6;

impl<T: Transport> Core<T> {
    /// Takes an opened RTP packet all the way to its consumers.
    pub(crate) fn handle_rtp(
        &mut self,
        now: Time,
        transport_key: Key<TransportTag>,
        bytes: &mut [u8],
        layout: RtpLayout,
        ecn: Ecn,
        out: &mut impl Egress,
    ) {
        let Some(packet) = RtpPacket::from_parts(bytes, layout) else { return };
        // Of every packet, whatever becomes of it: the remote's estimate is about the path.
        self.note_arrival(now, transport_key, &packet, ecn);
        let Some(stream) = self.find_stream(now, transport_key, &packet) else {
            self.counters.unknown_stream += 1;
            return;
        };
        self.meter_rtp(now, transport_key, stream.rtx, bytes.len());
        self.follow_capture_time(now, transport_key, stream, bytes, layout);
        if stream.rtx {
            self.ingest_retransmission(now, stream, bytes, layout, out);
        } else if let Some(packet) = RtpPacket::from_parts(bytes, layout) {
            self.ingest_media(now, stream, &packet, out);
        }
    }

    fn meter_rtp(&mut self, now: Time, key: Key<TransportTag>, rtx: bool, len: usize) {
        if let Some(transport) = self.transports.get_mut(key) {
            let meters = &mut transport.meters;
            let meter = if rtx { &mut meters.rtx_received } else { &mut meters.rtp_received };
            meter.add(now, len);
        }
    }

    fn ingest_media(&mut self, now: Time, stream: StreamRef, packet: &RtpPacket<'_>, out: &mut impl Egress) {
        let Some(producer) = self.producers.get_mut(stream.producer) else { return };
        let content = producer.codecs.content(packet.payload_type(), packet.payload());
        let dependencies = producer.extensions.dependency_descriptor;
        let Some(state) = producer.stream_mut(stream.encoding) else { return };
        let Some(description) = content.and_then(|it| state.describer.describe(it, dependencies, packet))
        else {
            self.counters.bad_payload += 1;
            return;
        };
        let active_layers = state.describer.active_layers();
        let info = packet_info(packet, packet.sequence_number(), &description);
        let received = state.recv.on_packet(now, &info);
        let source = producer.source;
        self.set_active_layers(now, source, stream.encoding, active_layers);
        self.accept(now, stream, packet, received, description, out);
    }

    /// Unwraps a retransmission (RFC 4588 section 4) in place and takes what is inside like any other packet.
    fn ingest_retransmission(
        &mut self,
        now: Time,
        stream: StreamRef,
        bytes: &mut [u8],
        layout: RtpLayout,
        out: &mut impl Egress,
    ) {
        let Some(producer) = self.producers.get_mut(stream.producer) else { return };
        let Some(rtx) = RtpPacket::from_parts(bytes, layout) else { return };
        let (rtx_sequence, timestamp) = (rtx.sequence_number(), rtx.timestamp());
        let Some(codec) = producer.codecs.by_rtx(rtx.payload_type()) else {
            self.counters.bad_payload += 1;
            return;
        };
        let payload_type = codec.payload_type;
        let dependencies = producer.extensions.dependency_descriptor;
        let Some(state) = producer.stream_mut(stream.encoding) else { return };
        let Some((original, _)) = decapsulate(rtx.payload()) else {
            state.recv.on_rtx_padding(now, rtx_sequence, timestamp);
            return;
        };
        let media_ssrc = state.recv.config().ssrc;
        let Some(packet) = unwrap(bytes, layout, original, media_ssrc, payload_type) else { return };
        let content = producer.codecs.content(payload_type, packet.payload());
        let Some(state) = producer.stream_mut(stream.encoding) else { return };
        let Some(description) = content.and_then(|it| state.describer.describe(it, dependencies, &packet))
        else {
            self.counters.bad_payload += 1;
            return;
        };
        let info = packet_info(&packet, original, &description);
        let received = state.recv.on_rtx_packet(now, rtx_sequence, &info);
        self.accept(now, stream, &packet, received, description, out);
    }

    fn accept(
        &mut self,
        now: Time,
        stream: StreamRef,
        packet: &RtpPacket<'_>,
        received: Received,
        description: Description,
        out: &mut impl Egress,
    ) {
        self.tend_stream(now, stream.producer, stream.encoding);
        let Some(extended_sequence) = received.extended_sequence() else {
            self.counters.discarded += 1;
            return;
        };
        let meta = description.meta(now, extended_sequence, stream.encoding, packet);
        let Some(producer) = self.producers.get_mut(stream.producer) else { return };
        let (source, paused) = (producer.source, producer.paused);
        self.observe(now, stream, packet, &meta);
        if !paused {
            self.note_level(now, stream.producer, packet);
            self.forward(now, source, &meta, packet, out);
        }
        if meta.marker {
            self.notice_abandoned(now, stream);
        }
    }

    /// A frame of one stream has come: others of its source that are silent meanwhile were given up by their sender.
    fn notice_abandoned(&mut self, now: Time, came: StreamRef) {
        let Some(producer) = self.producers.get_mut(came.producer).filter(|it| it.streams.len() > 1) else {
            return;
        };
        let mut abandoned = SmallVec::<[u8; 4]>::new();
        for (encoding, stream) in (0..).zip(&mut producer.streams) {
            let Some(stream) = stream else { continue };
            stream.frames_beside =
                if encoding == came.encoding { 0 } else { stream.frames_beside.saturating_add(1) };
            if stream.frames_beside >= ABANDONED_FRAMES && stream.recv.is_abandoned(now) {
                abandoned.push(encoding);
            }
        }
        for encoding in abandoned {
            self.rest_unwanted(now, came.producer, encoding);
            if let Some(stream) = self.producers.get_mut(came.producer).and_then(|it| it.stream_mut(encoding))
            {
                stream.recv.poll_abandonment(now);
            }
            self.follow_score(now, came.producer, encoding);
        }
    }

    /// What listeners want to know of a packet: how the camera is held, and traces.
    fn observe(&mut self, now: Time, stream: StreamRef, packet: &RtpPacket<'_>, meta: &PacketMeta) {
        let Some(producer) = self.producers.get_mut(stream.producer) else { return };
        if let Some(id) = producer.extensions.video_orientation
            && let Some(orientation) = packet.extension(id).and_then(extension::VideoOrientation::parse)
        {
            let orientation = VideoOrientation {
                camera: orientation.back_camera,
                flip: orientation.flip,
                rotation: orientation.degrees(),
            };
            if producer.orientation.replace(orientation) != Some(orientation) {
                self.promise_orientation(stream.producer);
            }
        }
        self.trace_packet(now, stream.producer, packet, meta, stream.rtx);
    }

    fn trace_packet(
        &mut self,
        now: Time,
        key: Key<Producer>,
        packet: &RtpPacket<'_>,
        meta: &PacketMeta,
        is_rtx: bool,
    ) {
        let Some(producer) = self.producers.get(key) else { return };
        let (flags, id) = (producer.trace, producer.definition.id);
        let info = if flags.key_frame && meta.is_key_frame {
            TraceInfo::KeyFrame(trace_of(packet, meta, is_rtx))
        } else if flags.rtp {
            TraceInfo::Rtp(trace_of(packet, meta, is_rtx))
        } else {
            return;
        };
        let trace = Trace { info, timestamp: now.as_millis(), direction: TraceDirection::In };
        self.events.trace(Event::Producer(id, ProducerEvent::Trace(trace)));
    }
}

/// What a trace says of a packet.
pub(crate) fn trace_of(packet: &RtpPacket<'_>, meta: &PacketMeta, is_rtx: bool) -> RtpPacketTrace {
    RtpPacketTrace {
        payload_type: packet.payload_type(),
        sequence_number: packet.sequence_number(),
        timestamp: packet.timestamp(),
        marker: packet.marker(),
        ssrc: packet.ssrc(),
        is_key_frame: meta.is_key_frame,
        size: packet.bytes().len(),
        payload_size: packet.payload().len(),
        spatial_layer: meta.spatial_layer,
        temporal_layer: meta.temporal_layer,
        is_rtx,
    }
}

fn packet_info(packet: &RtpPacket<'_>, sequence_number: u16, description: &Description) -> PacketInfo {
    PacketInfo {
        sequence_number,
        timestamp: packet.timestamp(),
        payload_type: description.payload_type(),
        size: packet.bytes().len(),
        is_key_frame: description.is_key_frame,
        spatial_layer: description.spatial_layer,
        temporal_layer: description.temporal_layer,
    }
}

/// Moves the header over the two bytes of the original sequence number and restores what RTX replaced.
fn unwrap(
    bytes: &mut [u8],
    layout: RtpLayout,
    original: u16,
    ssrc: u32,
    payload_type: u8,
) -> Option<RtpPacket<'_>> {
    let header_len = layout.header_len();
    bytes.get(..header_len.checked_add(2)?)?;
    bytes.copy_within(..header_len, 2);
    let packet = bytes.get_mut(2..)?;
    let patched = rtp::set_sequence_number(packet, original)
        && rtp::set_ssrc(packet, ssrc)
        && rtp::set_payload_type(packet, payload_type);
    patched.then_some(())?;
    RtpPacket::parse(packet).ok()
}
