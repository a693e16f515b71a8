//! Answers to NACKs: the stored packet is sealed again, in a stream of its own where RTX was negotiated (RFC 4588).

use crate::arena::Key;
use crate::consumer::{Consumer, ConsumerStream};
use crate::core::Core;
use crate::extensions::Elements;
use crate::path::forms::Forms;
use crate::path::seal::{Outgoing, Payload, seal};
use crate::transport_state::lane;
use tureen_forwarding::ResendRefusal;
use tureen_rtp_wire::Time;
use tureen_rtp_wire::rtp::RtpPacket;
use tureen_transport::{Component, Egress, Transport};

/// The most packets that one NACK message is answered with at once.
const MAX_ANSWERS: usize = 64;

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
            let sent = match budget {
                0 => Err(ResendRefusal::TooMany),
                _ => self.retransmit_one(now, key, ssrc, sequence_number, out),
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
    }

    fn sent_stream(&mut self, key: Key<Consumer>, ssrc: u32) -> Option<&mut ConsumerStream> {
        self.consumers.get_mut(key)?.streams.iter_mut().find(|stream| stream.ssrc == ssrc)
    }

    fn retransmit_one(
        &mut self,
        now: Time,
        key: Key<Consumer>,
        ssrc: u32,
        sequence_number: u16,
        out: &mut impl Egress,
    ) -> Result<(), ResendRefusal> {
        let gone = ResendRefusal::Unknown;
        let Self { sources, consumers, transports, counters, config, .. } = self;
        let consumer = consumers.get_mut(key).filter(|consumer| consumer.pause.flows()).ok_or(gone)?;
        let transport = transports.get_mut(consumer.transport).ok_or(gone)?;
        let to = transport.adapter.destination(Component::Rtp).ok_or(gone)?;
        let stream = consumer.streams.iter_mut().find(|stream| stream.ssrc == ssrc).ok_or(gone)?;
        let resend = stream.send.resend(now, sequence_number)?;
        let sent = resend.packet;
        let source = sources.get(consumer.source).ok_or(gone)?;
        let source_stream = source.streams.get(usize::from(sent.encoding)).ok_or(gone)?;
        let store = source_stream.store.as_ref().ok_or(gone)?;
        let stored = store.get_low(sent.source, now).ok_or(gone)?;
        let packet = RtpPacket::from_parts(stored.bytes, stored.layout).ok_or(gone)?;
        let forms = Forms::new(&source.mapping, stored.meta, &packet);
        let form = forms.taken_by(consumer.payload_types);
        let elements = Elements::of(&packet);
        let change = consumer.selector.descriptor_change(sent.encoding, sequence_number).ok_or(gone)?;
        let active_targets = match source_stream.targets.as_deref() {
            Some(targets) => {
                let number = stored.meta.extended_sequence;
                let descriptor = consumer.extensions.dependencies_of(&elements);
                // What is sent again is what was sent first, or nothing (RFC 3711 section 9.1).
                if descriptor.is_some_and(|value| targets.is_outdated(number, &change, value)) {
                    return Err(gone);
                }
                targets.active_targets(number, &change)
            }
            None => None,
        };
        let outgoing = Outgoing {
            lane: lane(consumer.transport, Component::Rtp),
            to: &to,
            ssrc: stream.ssrc,
            payload_type: consumer.renumbering.apply(form.payload_type),
            rewrite: &sent.rewrite,
            rtx: resend.rtx,
            descriptor: &stored.meta.descriptor,
            payload: Payload::Copied(form.payload, form.block_numbers(&consumer.renumbering)),
            repeat: resend.rtx.is_none(),
            abs_send_time: config.wall_clock.abs_send_time(now),
            frame_number_offset: change.frame_number_offset,
            active_targets,
        };
        let len =
            seal(transport, &consumer.extensions, &outgoing, &packet, &elements, out).map_err(|_| gone)?;
        stream.send.on_resent(now, len);
        transport.meters.rtx_sent.add(now, len);
        counters.packets_sent += 1;
        counters.bytes_sent += len as u64;
        counters.retransmissions += 1;
        Ok(())
    }
}
