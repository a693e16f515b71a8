//! Answers to NACKs: the stored packet is sealed again, in a stream of its own where RTX was negotiated (RFC 4588).

use crate::arena::Key;
use crate::consumer::{Consumer, ConsumerStream};
use crate::core::Core;
use crate::extensions::Elements;
use crate::notes::Note;
use crate::path::fan_out::Moment;
use crate::path::forms::Forms;
use crate::path::seal::{Outgoing, Payload, seal};
use crate::sending::Queued;
use crate::source::Source;
use crate::transport_state::{Meters, lane};
use tureen_congestion::send::{PacketKind, ProbeId};
use tureen_forwarding::{ResendRefusal, RtxHeader, SentPacket};
use tureen_rtp_wire::Time;
use tureen_rtp_wire::rtp::RtpPacket;
use tureen_transport::{Component, Destination, Egress, Transport};

/// The most packets that one NACK message is answered with at once.
const MAX_ANSWERS: usize = 64;

/// How a stored packet goes out this time.
#[derive(Clone, Copy)]
pub(super) struct Turn {
    /// What makes it a retransmission in a stream of its own.
    pub(super) rtx: Option<RtxHeader>,
    pub(super) kind: PacketKind,
    pub(super) probe: Option<ProbeId>,
}

/// A packet that left.
#[derive(Clone, Copy)]
pub(super) struct Sealed {
    /// Bytes of the datagram.
    pub(super) len: usize,
    pub(super) payload_len: usize,
}

impl<T: Transport> Core<T> {
    /// Sends the packets again that `lost` names, as far as they are still there.
    pub(crate) fn retransmit(
        &mut self,
        now: Time,
        key: Key<Consumer>,
        ssrc: u32,
        lost: impl Iterator<Item = u16>,
        out: &mut impl Egress,
    ) {
        let mut budget = MAX_ANSWERS;
        let mut asked = 0usize;
        for sequence_number in lost {
            asked += 1;
            if let Some(parity) = self.sent_stream(key, ssrc).and_then(|stream| stream.send.parity_mut()) {
                parity.on_lost(sequence_number);
            }
            let sent = match budget {
                0 => Err(ResendRefusal::TooMany),
                _ => self.repair(now, key, ssrc, sequence_number, out),
            };
            match sent {
                Ok(()) => budget -= 1,
                Err(reason) => {
                    if let Some(stream) = self.sent_stream(key, ssrc) {
                        stream.send.refuse(reason);
                    }
                }
            }
        }
        if let Some(stream) = self.sent_stream(key, ssrc) {
            stream.send.on_nack(asked);
        }
        if let Some(consumer) = self.consumers.get(key) {
            let (consumer, answered) = (consumer.definition.id, MAX_ANSWERS - budget);
            self.events.note(now, Note::SentAgain { consumer, ssrc, asked, answered });
        }
    }

    fn sent_stream(&mut self, key: Key<Consumer>, ssrc: u32) -> Option<&mut ConsumerStream> {
        self.consumers.get_mut(key)?.streams.iter_mut().find(|stream| stream.ssrc == ssrc)
    }

    /// Sends a packet again, if it is of use and not too soon; later, where the path has no room for it now.
    fn repair(
        &mut self,
        now: Time,
        key: Key<Consumer>,
        ssrc: u32,
        sequence_number: u16,
        out: &mut impl Egress,
    ) -> Result<(), ResendRefusal> {
        let packet = Queued { ssrc, sequence_number, again: true };
        if self.waits_its_turn(now, key, packet).ok_or(ResendRefusal::Unknown)? {
            return Ok(());
        }
        self.retransmit_one(now, key, ssrc, sequence_number, out)
    }

    /// Sends a packet again, in the stream of retransmissions if there is one.
    pub(super) fn retransmit_one(
        &mut self,
        now: Time,
        key: Key<Consumer>,
        ssrc: u32,
        sequence_number: u16,
        out: &mut impl Egress,
    ) -> Result<(), ResendRefusal> {
        let gone = ResendRefusal::Unknown;
        let flows = self.consumers.get(key).is_some_and(|consumer| consumer.pause.flows());
        let stream = self.sent_stream(key, ssrc).filter(|_| flows).ok_or(gone)?;
        let resend = stream.send.resend(now, sequence_number)?;
        let turn = Turn { rtx: resend.rtx, kind: PacketKind::Retransmission, probe: None };
        let sealed = self.seal_stored(now, key, ssrc, resend.packet, turn, out).ok_or(gone)?;
        self.sent_stream(key, ssrc).ok_or(gone)?.send.on_resent(now, sealed.len);
        self.meters_of(key).ok_or(gone)?.rtx_sent.add(now, sealed.len);
        self.counters.packets_sent += 1;
        self.counters.bytes_sent += sealed.len as u64;
        self.counters.retransmissions += 1;
        Ok(())
    }

    /// Fills up a probe with a packet that was sent before, in the stream of retransmissions.
    pub(super) fn repeat_for(
        &mut self,
        now: Time,
        key: Key<Consumer>,
        ssrc: u32,
        sequence_number: u16,
        probe: ProbeId,
        out: &mut impl Egress,
    ) -> Option<()> {
        let stream = self.sent_stream(key, ssrc)?;
        let packet = stream.send.logged(sequence_number)?;
        let rtx = stream.send.rtx_mut()?.encapsulate(sequence_number);
        let turn = Turn { rtx: Some(rtx), kind: PacketKind::Padding, probe: Some(probe) };
        let sealed = self.seal_stored(now, key, ssrc, packet, turn, out)?;
        self.meters_of(key)?.probation_sent.add(now, sealed.len);
        self.counters.packets_sent += 1;
        self.counters.bytes_sent += sealed.len as u64;
        Some(())
    }

    fn meters_of(&mut self, key: Key<Consumer>) -> Option<&mut Meters> {
        Some(&mut self.transports.get_mut(self.consumers.get(key)?.transport)?.meters)
    }

    /// Seals a packet that a consumer was given its number of before, out of the store.
    pub(super) fn seal_stored(
        &mut self,
        now: Time,
        key: Key<Consumer>,
        ssrc: u32,
        sent: SentPacket,
        turn: Turn,
        out: &mut impl Egress,
    ) -> Option<Sealed> {
        let Self { sources, consumers, transports, config, .. } = self;
        let consumer = consumers.get(key)?;
        let transport = transports.get_mut(consumer.transport)?;
        let to = transport.adapter.destination(Component::Rtp)?;
        let source = sources.get(consumer.source)?;
        let moment = Moment { now, abs_send_time: config.wall_clock.abs_send_time(now) };
        restore(moment, source, consumer, (&to, ssrc), (sent, turn), |outgoing, packet, elements| {
            let len = seal(transport, &consumer.extensions, outgoing, packet, elements, out).ok()?;
            let (Payload::Ready(payload) | Payload::Copied(payload, _)) = outgoing.payload;
            Some(Sealed { len, payload_len: payload.len() })
        })
    }
}

/// Finds a packet in the store that a consumer was given its number of before, and hands it to `take` as it goes out this time.
pub(super) fn restore<R>(
    moment: Moment,
    source: &Source,
    consumer: &Consumer,
    (to, ssrc): (&Destination, u32),
    (sent, turn): (SentPacket, Turn),
    take: impl FnOnce(&Outgoing<'_>, &RtpPacket<'_>, &Elements<'_>) -> Option<R>,
) -> Option<R> {
    let source_stream = source.streams.get(usize::from(sent.encoding))?;
    let stored = source_stream.store.as_ref()?.get_low(sent.source, moment.now)?;
    let packet = RtpPacket::from_parts(stored.bytes, stored.layout)?;
    let forms = Forms::new(&source.mapping, stored.meta, &packet);
    let form = forms.taken_by(consumer.payload_types);
    let elements = Elements::of(&packet);
    let change = consumer.selector.descriptor_change(sent.encoding, sent.rewrite.sequence_number)?;
    let is_again = turn.kind != PacketKind::Video;
    let active_targets = match source_stream.targets.as_deref() {
        Some(targets) => {
            let number = stored.meta.extended_sequence;
            let descriptor = consumer.extensions.dependencies_of(&elements);
            // What is sent again is what was sent first, or nothing (RFC 3711 section 9.1).
            if is_again && descriptor.is_some_and(|value| targets.is_outdated(number, &change, value)) {
                return None;
            }
            targets.active_targets(number, &change)
        }
        None => None,
    };
    let outgoing = Outgoing {
        lane: lane(consumer.transport, Component::Rtp),
        to,
        ssrc,
        payload_type: consumer.renumbering.apply(form.payload_type),
        rewrite: &sent.rewrite,
        rtx: turn.rtx,
        descriptor: &stored.meta.descriptor,
        payload: Payload::Copied(form.payload, form.block_numbers(&consumer.renumbering)),
        repeat: is_again && turn.rtx.is_none(),
        now: moment.now,
        abs_send_time: moment.abs_send_time,
        kind: turn.kind,
        probe: turn.probe,
        frame_number_offset: change.frame_number_offset,
        active_targets,
    };
    take(&outgoing, &packet, &elements)
}
