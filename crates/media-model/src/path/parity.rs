//! Parity (FlexFEC) over what a consumer was sent: made of the packets in the store, as they left, once as many are there as share one.
//!
//! Must not know when parity is worth its bytes; that is `tureen_forwarding::parity`.

use crate::arena::Key;
use crate::consumer::Consumer;
use crate::core::Core;
use crate::path::fan_out::Moment;
use crate::path::retransmit::{Turn, restore};
use crate::path::seal::{Own, render, seal_parity};
use crate::source::Source;
use crate::transport_state::{TransportState, lane};
use tureen_congestion::send::PacketKind;
use tureen_forwarding::ParityBlock;
use tureen_rtp_wire::Time;
use tureen_rtp_wire::payload::flexfec::{MAX_PACKET_LEN, Parity};
use tureen_rtp_wire::rtp::RtpHeader;
use tureen_transport::{Component, Destination, Egress, Transport};

/// Whether packets of a consumer wait for their parity, and there are enough of them.
#[inline]
pub(super) fn owes_parity(consumer: &Consumer) -> bool {
    let parity = consumer.streams.first().and_then(|stream| stream.send.parity());
    parity.is_some_and(|parity| parity.is_due())
}

/// Sends the parity that is due; returns the length of the datagram. Nothing is sent where the path has no room for it now, or where a
/// packet is gone that it would be of: it is of use at once, or never.
#[cold]
pub(super) fn send_parity<T: Transport>(
    moment: Moment,
    source: &Source,
    consumer: &mut Consumer,
    transport: &mut TransportState<T>,
    to: &Destination,
    out: &mut impl Egress,
) -> Option<usize> {
    let block = consumer.streams.first_mut()?.send.parity_mut()?.take();
    let (parity, timestamp) = gather(moment, source, consumer, to, block)?;
    if let Some(control) = &mut transport.sending.control
        && !control.admits(moment.now, parity.payload_len(), PacketKind::Retransmission)
    {
        return None;
    }
    let stream = consumer.streams.first_mut()?;
    let sender = stream.send.parity_mut()?;
    let config = sender.config();
    let header = RtpHeader {
        marker: false,
        payload_type: config.payload_type,
        sequence_number: sender.next_sequence_number(),
        timestamp,
        ssrc: config.ssrc,
    };
    let own = Own {
        lane: lane(consumer.transport, Component::Rtp),
        to,
        header,
        now: moment.now,
        abs_send_time: moment.abs_send_time,
        probe: None,
    };
    let len = seal_parity(transport, &consumer.extensions, (&parity, stream.ssrc), &own, out)?;
    stream.send.on_parity_sent(moment.now, len);
    transport.meters.rtx_sent.add(moment.now, len);
    Some(len)
}

impl<T: Transport> Core<T> {
    /// Sends the parity that is due since a packet has left that had waited.
    pub(super) fn send_parity_late(&mut self, now: Time, key: Key<Consumer>, out: &mut impl Egress) {
        let Self { sources, consumers, transports, config, counters, .. } = self;
        let Some(consumer) = consumers.get_mut(key).filter(|consumer| owes_parity(consumer)) else { return };
        let Some(transport) = transports.get_mut(consumer.transport) else { return };
        let Some(to) = transport.adapter.destination(Component::Rtp) else { return };
        let Some(source) = sources.get(consumer.source) else { return };
        let moment = Moment { now, abs_send_time: config.wall_clock.abs_send_time(now) };
        if let Some(len) = send_parity(moment, source, consumer, transport, &to, out) {
            counters.packets_sent += 1;
            counters.bytes_sent += len as u64;
        }
    }
}

/// The parity of a block, and the timestamp of its last packet.
fn gather(
    moment: Moment,
    source: &Source,
    consumer: &Consumer,
    to: &Destination,
    block: ParityBlock,
) -> Option<(Parity, u32)> {
    let stream = consumer.streams.first()?;
    let turn = Turn { rtx: None, kind: PacketKind::Retransmission, probe: None };
    let (mut parity, mut timestamp) = (Parity::new(), 0);
    let mut room = [0; MAX_PACKET_LEN];
    for sequence_number in block.sequence_numbers() {
        let sent = stream.send.logged(sequence_number)?;
        let extensions = &consumer.extensions;
        let len = restore(
            moment,
            source,
            consumer,
            (to, stream.ssrc),
            (sent, turn),
            |outgoing, packet, elements| render(&mut room, extensions, outgoing, packet, elements),
        )?;
        parity.add(room.get(..len)?).ok()?;
        timestamp = sent.rewrite.timestamp;
    }
    Some((parity, timestamp))
}
