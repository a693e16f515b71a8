//! Packets that wait for room on the path, and what fills up a probe.
//!
//! A packet is decided about when it comes; where the path has no room it waits in its store under the number that it was given, and is
//! sealed when the pacer lets it go. Must not know how the estimate is made, nor who gets which layers.

use crate::arena::Key;
use crate::consumer::Consumer;
use crate::core::Core;
use crate::event::{Event, TransportEvent};
use crate::path::retransmit::Turn;
use crate::path::seal::{MOST_PADDING, Own, seal_padding};
use crate::sending::{LONG_WAIT, Queued, SendControl};
use crate::trace::{Trace, TraceDirection, TraceInfo};
use crate::transport_state::{TransportState, TransportTag, lane};
use tureen_congestion::send::{PacketKind, ProbeId, Release};
use tureen_forwarding::{DropReason, RtxHeader, Selector, SentPacket};
use tureen_rtp_dictionaries::MediaKind;
use tureen_rtp_wire::Time;
use tureen_rtp_wire::rtp::RtpHeader;
use tureen_transport::{Component, Egress, Transport};

/// How far back the packet is looked for that is sent again in place of padding.
const LOOK_BACK: u16 = 32;
/// A packet of this part of the size that is wanted, in hundredths, is as good as padding.
const LIKE_PADDING_PERCENT: usize = 80;

/// What the packets of a stream are to the pacer. What nobody can find again does not wait.
#[inline]
pub(super) fn stream_kind<T>(consumer: &Consumer, index: usize, transport: &TransportState<T>) -> PacketKind {
    let waits = transport.sending.control.is_some()
        && consumer.definition.kind == MediaKind::Video
        && consumer.streams.get(index).is_some_and(|stream| stream.send.can_park());
    if waits { PacketKind::Video } else { PacketKind::Audio }
}

/// Lets a packet wait that was decided about.
///
/// # Errors
/// `Congestion` if so much waits that there is no room: what the consumer was sent ends here, until a key frame.
#[cold]
pub(super) fn park(
    now: Time,
    consumer: &mut Consumer,
    control: &mut SendControl,
    index: usize,
    sent: SentPacket,
    size: usize,
) -> Result<usize, DropReason> {
    let stream = consumer.streams.get_mut(index).ok_or(DropReason::UnknownEncoding)?;
    stream.send.park(now, sent);
    let (ssrc, sequence_number) = (stream.ssrc, sent.rewrite.sequence_number);
    let packet = Queued { ssrc, sequence_number, again: false };
    if control.queue(now, packet, size, PacketKind::Video).is_ok() {
        return Ok(0);
    }
    break_off(consumer, control);
    Err(DropReason::Congestion)
}

/// Gives up what waits for a consumer: it goes on at a key frame, and what it missed is of no use any more.
pub(crate) fn break_off(consumer: &mut Consumer, control: &mut SendControl) {
    consumer.selector.restart();
    consumer.replay = None;
    for stream in &mut consumer.streams {
        control.forget(stream.ssrc);
        stream.send.forget_sent();
    }
}

impl<T: Transport> Core<T> {
    /// Whether a packet that is to be sent again is to wait; it does then. `None` if there is no such packet.
    pub(super) fn waits_its_turn(&mut self, now: Time, key: Key<Consumer>, packet: Queued) -> Option<bool> {
        let consumer = self.consumers.get(key)?;
        let transport = self.transports.get_mut(consumer.transport)?;
        let Some(control) = &mut transport.sending.control else { return Some(false) };
        let stream = consumer.streams.iter().find(|stream| stream.ssrc == packet.ssrc)?;
        let sent = stream.send.logged(packet.sequence_number)?;
        let source = self.sources.get(consumer.source)?;
        let store = source.streams.get(usize::from(sent.encoding))?.store.as_ref()?;
        let size = store.get_low(sent.source, now)?.bytes.len();
        let waits = !control.admits(now, size, PacketKind::Retransmission);
        if waits {
            // Where there is no room it is asked for again.
            control.queue(now, packet, size, PacketKind::Retransmission).ok()?;
            transport.sending.arm(&mut self.timers, consumer.transport);
        }
        Some(waits)
    }

    /// Lets go what the path has room for, and does what the estimate asks for.
    pub(crate) fn sending_due(&mut self, now: Time, key: Key<TransportTag>, out: &mut impl Egress) {
        let Some(transport) = self.transports.get_mut(key) else { return };
        let Some(control) = &mut transport.sending.control else { return };
        if !control.timer.fired(now) {
            return;
        }
        let wants_sign = control.wants_sign(now);
        if control.on_timeout(now) {
            self.allocate(now, key);
        }
        if wants_sign {
            self.send_padding(now, key, 1, None, out);
        }
        self.release(now, key, out);
        if let Some(transport) = self.transports.get_mut(key) {
            transport.sending.arm(&mut self.timers, key);
        }
    }

    fn release(&mut self, now: Time, key: Key<TransportTag>, out: &mut impl Egress) {
        while let Some(transport) = self.transports.get_mut(key)
            && let Some(control) = &mut transport.sending.control
            && let Some(release) = control.release(now)
        {
            match release {
                Release::Padding { size, probe } => self.pad(now, key, usize::from(size), probe, out),
                Release::Packet(packet) if packet.token.again => {
                    let Queued { ssrc, sequence_number, .. } = packet.token;
                    if let Some(consumer) = self.consumer_of(key, ssrc) {
                        // Whoever still misses it asks again.
                        let _ = self.retransmit_one(now, consumer, ssrc, sequence_number, out);
                    }
                }
                Release::Packet(packet)
                    if packet.waited > LONG_WAIT && self.is_outdated(key, packet.token) =>
                {
                    self.give_up(now, key, packet.token.ssrc);
                }
                Release::Packet(packet) => self.send_late(now, key, packet.token, packet.probe, out),
                Release::Expired { token, kind } => {
                    if kind == PacketKind::Video {
                        self.give_up(now, key, token.ssrc);
                    }
                }
            }
        }
    }

    /// Whether a packet is of another encoding than its consumer is to send. Where it is not, it is what is needed, and giving up a key frame
    /// that takes long only brings another one that takes as long.
    fn is_outdated(&self, key: Key<TransportTag>, packet: Queued) -> bool {
        let consumer = self.consumer_of(key, packet.ssrc).and_then(|key| self.consumers.get(key));
        let Some(consumer) = consumer else { return false };
        let Selector::Simulcast(selector) = &consumer.selector else { return false };
        let stream = consumer.streams.iter().find(|stream| stream.ssrc == packet.ssrc);
        let sent = stream.and_then(|stream| stream.send.logged(packet.sequence_number));
        let encoding = sent.map(|sent| sent.encoding);
        encoding != selector.target().map(|target| target.encoding)
    }

    /// Sends a packet for the first time, now that there is room for it.
    fn send_late(
        &mut self,
        now: Time,
        key: Key<TransportTag>,
        packet: Queued,
        probe: Option<ProbeId>,
        out: &mut impl Egress,
    ) {
        let Queued { ssrc, sequence_number, .. } = packet;
        let Some(consumer_key) = self.consumer_of(key, ssrc) else { return };
        let Some(consumer) = self.consumers.get(consumer_key).filter(|it| it.pause.flows()) else { return };
        let Some(stream) = consumer.streams.iter().find(|stream| stream.ssrc == ssrc) else { return };
        let Some(sent) = stream.send.logged(sequence_number) else { return };
        let turn = Turn { rtx: None, kind: PacketKind::Video, probe };
        let Some(sealed) = self.seal_stored(now, consumer_key, ssrc, sent, turn, out) else { return };
        let Some(consumer) = self.consumers.get_mut(consumer_key) else { return };
        let Some(stream) = consumer.streams.iter_mut().find(|stream| stream.ssrc == ssrc) else { return };
        stream.send.on_sent(now, sent, sealed.len, sealed.payload_len);
        if let Some(transport) = self.transports.get_mut(key) {
            transport.meters.rtp_sent.add(now, sealed.len);
        }
        self.counters.packets_sent += 1;
        self.counters.bytes_sent += sealed.len as u64;
        self.send_parity_late(now, consumer_key, out);
    }

    /// A picture could not be sent in time: its consumer goes on at a key frame.
    fn give_up(&mut self, now: Time, key: Key<TransportTag>, ssrc: u32) {
        let Some(consumer_key) = self.consumer_of(key, ssrc) else { return };
        let Some(consumer) = self.consumers.get_mut(consumer_key) else { return };
        let Some(transport) = self.transports.get_mut(key) else { return };
        if let Some(control) = &mut transport.sending.control {
            consumer.drops.add(DropReason::Congestion);
            self.counters.dropped += 1;
            break_off(consumer, control);
            self.switched.push(consumer_key);
            self.note_switches(now);
        }
    }

    /// Fills up a probe, in a stream of retransmissions, whose receiver takes no notice: what was sent lately is sent again, or else there
    /// is nothing but padding in it. Where there is no such stream the probe comes to nothing.
    fn pad(&mut self, now: Time, key: Key<TransportTag>, size: usize, probe: ProbeId, out: &mut impl Egress) {
        let Some(transport) = self.transports.get(key) else { return };
        let (first, before) = (transport.sending.sequence_number, transport.meters.probation_sent.bytes);
        match self.like_padding(now, &transport.consumers, size) {
            Some((consumer, ssrc, sequence_number)) => {
                self.repeat_for(now, consumer, ssrc, sequence_number, probe, out);
            }
            None => self.send_padding(now, key, size, Some(probe), out),
        }
        let Some(transport) = self.transports.get(key).filter(|transport| transport.trace.probation) else {
            return;
        };
        let size = transport.meters.probation_sent.bytes - before;
        if size > 0 {
            let info = TraceInfo::Probation { wide_sequence_number: first, size };
            let trace = Trace { info, timestamp: now.as_millis(), direction: TraceDirection::Out };
            self.events.trace(Event::Transport(transport.id, TransportEvent::Trace(trace)));
        }
    }

    /// Sends packets of nothing but padding, of about so many bytes together.
    fn send_padding(
        &mut self,
        now: Time,
        key: Key<TransportTag>,
        size: usize,
        probe: Option<ProbeId>,
        out: &mut impl Egress,
    ) {
        let Self { consumers, transports, counters, config, .. } = self;
        let Some(transport) = transports.get_mut(key) else { return };
        let Some(to) = transport.adapter.destination(Component::Rtp) else { return };
        let repairs = |key: &Key<Consumer>| {
            let consumer = consumers.get(*key);
            consumer.is_some_and(|consumer| consumer.streams.iter().any(|it| it.send.rtx().is_some()))
        };
        let Some(consumer) = transport.consumers.iter().copied().find(repairs) else { return };
        let Some(consumer) = consumers.get_mut(consumer) else { return };
        let Some(rtx) = consumer.streams.iter_mut().find_map(|stream| stream.send.rtx_mut()) else { return };
        for _ in 0..size.div_ceil(usize::from(MOST_PADDING)) {
            let RtxHeader { ssrc, payload_type, sequence_number, .. } = rtx.encapsulate(0);
            let header = RtpHeader { marker: false, payload_type, sequence_number, timestamp: 0, ssrc };
            let lane = lane(key, Component::Rtp);
            let abs_send_time = config.wall_clock.abs_send_time(now);
            let padding = Own { lane, to: &to, header, now, abs_send_time, probe };
            let Some(len) = seal_padding(transport, &consumer.extensions, &padding, out) else { return };
            transport.meters.probation_sent.add(now, len);
            counters.packets_sent += 1;
            counters.bytes_sent += len as u64;
        }
    }

    /// A packet that was sent lately, of about this size or as large as there is.
    fn like_padding(
        &self,
        now: Time,
        consumers: &[Key<Consumer>],
        size: usize,
    ) -> Option<(Key<Consumer>, u32, u16)> {
        let mut largest = None;
        for key in consumers {
            let Some(consumer) = self.consumers.get(*key) else { continue };
            if consumer.definition.kind != MediaKind::Video || !consumer.pause.flows() {
                continue;
            }
            let Some(source) = self.sources.get(consumer.source) else { continue };
            for (index, stream) in consumer.streams.iter().enumerate() {
                let Some(next) = consumer.selector.next_sequence_number(index) else { continue };
                if stream.send.rtx().is_none() {
                    continue;
                }
                for back in 1..=LOOK_BACK {
                    let number = next.wrapping_sub(back);
                    let Some(sent) = stream.send.logged(number) else { continue };
                    let stream_of = source.streams.get(usize::from(sent.encoding));
                    let store = stream_of.and_then(|stream| stream.store.as_ref());
                    let Some(stored) = store.and_then(|store| store.get_low(sent.source, now)) else {
                        continue;
                    };
                    let len = stored.bytes.len();
                    if largest.is_none_or(|(known, _)| len > known) {
                        largest = Some((len, (*key, stream.ssrc, number)));
                    }
                    if len * 100 >= size * LIKE_PADDING_PERCENT {
                        return largest.map(|(_, found)| found);
                    }
                }
            }
        }
        largest.map(|(_, found)| found)
    }
}
