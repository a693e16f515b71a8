//! Fan-out: the packets of a source to each of its consumers. Decides here, seals in [`super::seal`].
//!
//! What came in of a source within one batch waits in its [`Burst`] and goes out together, consumer by consumer: the state of a
//! consumer, its transport and its keys are brought near once for several packets, and what goes to one place stands side by
//! side in the egress. Each consumer gets its packets in the order in which they came. Nothing waits longer than the batch.

use crate::arena::{Arena, Key};
use crate::consumer::Consumer;
use crate::core::{Core, CoreCounters};
use crate::event::{ConsumerEvent, Event, EventQueue};
use crate::extensions::Elements;
use crate::path::forms::Forms;
use crate::path::ingest::trace_of;
use crate::path::pacing::{park, stream_kind};
use crate::path::parity::{owes_parity, send_parity};
use crate::path::seal::{Outgoing, Payload, patch, seal};
use crate::source::{Burst, Source};
use crate::switches::SwitchCause;
use crate::timers::Timers;
use crate::trace::{RtpPacketTrace, Trace, TraceDirection, TraceInfo};
use crate::transport_state::{TransportState, TransportTag, lane};
use smallvec::SmallVec;
use tureen_congestion::send::PacketKind;
use tureen_forwarding::{
    DropReason, PacketMeta, PayloadPatch, Selector, SentPacket, Stored, StreamTargets, Verdict,
};
use tureen_rtp_wire::Time;
use tureen_rtp_wire::payload::PayloadDescriptor;
use tureen_rtp_wire::rtp::RtpPacket;
use tureen_transport::{Component, Destination, Egress, Transport};

/// A packet on its way out, and what is the same for all who get it.
pub(super) struct Departure<'a> {
    pub(super) meta: &'a PacketMeta,
    packet: RtpPacket<'a>,
    elements: Elements<'a>,
    forms: Forms<'a>,
    /// It carries a dependency descriptor, which is not the same for all.
    is_described: bool,
    /// It is in the store of its stream, and can leave later.
    is_stored: bool,
    /// What its stream's dependency descriptors say of decode targets.
    targets: Option<&'a StreamTargets>,
    /// Room for a copy of the payload that each consumer overwrites where it differs for each, see [`Scratch`].
    scratch: &'a mut [u8],
    /// The copy was made.
    is_copied: bool,
}

/// Gives out room for copies of payloads that differ from consumer to consumer in a few octets: the first of them makes the copy, each
/// overwrites these octets and seals from it, so that the rest is copied once for all.
pub(super) struct Scratch<'a> {
    pub(super) free: &'a mut [u8],
}

impl<'a> Scratch<'a> {
    /// How many consumers a copy is worth its while for.
    const CONSUMERS: usize = 3;

    /// Room for the payload of a packet, or nothing where no copy is wanted.
    fn take(&mut self, source: &Source, meta: &PacketMeta, payload: &[u8]) -> &'a mut [u8] {
        let has_ids = matches!(meta.descriptor, PayloadDescriptor::Vp8(_) | PayloadDescriptor::Vp9(_));
        if !has_ids || source.consumers.len() < Self::CONSUMERS {
            return &mut [];
        }
        let Some((room, free)) = std::mem::take(&mut self.free).split_at_mut_checked(payload.len()) else {
            return &mut [];
        };
        self.free = free;
        room
    }
}

impl<'a> Departure<'a> {
    pub(super) fn new(
        source: &'a Source,
        meta: &'a PacketMeta,
        packet: RtpPacket<'a>,
        scratch: &mut Scratch<'a>,
    ) -> Self {
        let forms = Forms::new(&source.mapping, meta, &packet);
        let scratch = scratch.take(source, meta, packet.payload());
        let targets =
            source.streams.get(usize::from(meta.encoding)).and_then(|stream| stream.targets.as_deref());
        let elements = Elements::of(&packet);
        let is_described = source.dependency_descriptor.is_some_and(|id| elements.has(id));
        let is_stored = true;
        Self { meta, elements, packet, forms, is_described, is_stored, targets, scratch, is_copied: false }
    }
}

/// The moment of a fan-out.
#[derive(Clone, Copy)]
pub(super) struct Moment {
    pub(super) now: Time,
    pub(super) abs_send_time: u32,
}

impl<T: Transport> Core<T> {
    /// Stores a packet, relays it to other shards and sends it to the consumers of this one, by the end of the batch at the
    /// latest.
    pub(crate) fn forward(
        &mut self,
        now: Time,
        source_key: Key<Source>,
        meta: &PacketMeta,
        packet: &RtpPacket<'_>,
        out: &mut impl Egress,
    ) {
        let Some(source) = self.sources.get_mut(source_key) else { return };
        // What is left out is so on all shards.
        for mirror in source.mirrors.iter().filter(|_| !source.left_out) {
            self.counters.relayed += 1;
            self.relay.to(mirror.shard).push_packet(
                source.producer_id,
                *meta,
                packet.layout(),
                packet.bytes(),
            );
        }
        let Some(stream) = source.streams.get_mut(usize::from(meta.encoding)) else { return };
        stream.packets += 1;
        stream.rates.add(now, meta, packet.bytes().len());
        if let Some(value) = source.dependency_descriptor.and_then(|id| packet.extension(id)) {
            stream.targets.get_or_insert_default().note(meta.extended_sequence, value);
        }
        let is_first = std::mem::take(&mut stream.resting) | (stream.packets == 1);
        let stored = stream.store.as_mut().map(|store| store.insert(packet.bytes(), packet.layout(), meta));
        if is_first {
            self.send_burst(now, source_key, out);
            self.choose_layers(now, source_key, SwitchCause::EncodingCame);
        }
        if stored == Some(Stored::Kept) {
            self.hold(now, source_key, meta, out);
        } else {
            self.send_burst(now, source_key, out);
            self.send_now(now, source_key, meta, packet, out);
        }
    }

    /// Lets a packet that is in its store wait for those that follow it.
    fn hold(&mut self, now: Time, key: Key<Source>, meta: &PacketMeta, out: &mut impl Egress) {
        let Some(source) = self.sources.get_mut(key) else { return };
        if source.burst.is_empty() {
            self.waiting.push(key);
        }
        source.burst.push(meta.encoding, meta.extended_sequence);
        if source.burst.is_full() {
            self.send_burst(now, key, out);
        }
    }

    /// Sends all that waits.
    pub(crate) fn send_bursts(&mut self, now: Time, out: &mut impl Egress) {
        let mut waiting = std::mem::take(&mut self.waiting);
        for key in waiting.drain(..) {
            self.send_burst(now, key, out);
        }
        self.waiting = waiting;
        self.note_switches(now);
    }

    fn send_burst(&mut self, now: Time, key: Key<Source>, out: &mut impl Egress) {
        let Some(source) = self.sources.get_mut(key).filter(|source| !source.burst.is_empty()) else {
            return;
        };
        let burst = std::mem::take(&mut source.burst);
        let Self {
            sources, consumers, transports, counters, events, config, scratch, switched, timers, ..
        } = self;
        let Some(source) = sources.get(key) else { return };
        let mut scratch = Scratch { free: scratch };
        let mut departures: SmallVec<[Departure<'_>; Burst::CAPACITY]> = burst
            .iter()
            .filter_map(|(encoding, extended_sequence)| {
                let store = source.streams.get(usize::from(encoding))?.store.as_ref()?;
                let stored = store.get(extended_sequence, now)?;
                let packet = RtpPacket::from_parts(stored.bytes, stored.layout)?;
                Some(Departure::new(source, stored.meta, packet, &mut scratch))
            })
            .collect();
        let moment = Moment { now, abs_send_time: config.wall_clock.abs_send_time(now) };
        let ledger = &mut Ledger { counters, events, switched, timers };
        fan_out(moment, source, &mut departures, (consumers, transports), ledger, out);
        drop(departures);
        self.note_switches(now);
    }

    /// Sends a packet that no store keeps.
    fn send_now(
        &mut self,
        now: Time,
        key: Key<Source>,
        meta: &PacketMeta,
        packet: &RtpPacket<'_>,
        out: &mut impl Egress,
    ) {
        let Self { sources, consumers, transports, counters, events, config, switched, timers, .. } = self;
        let Some(source) = sources.get(key) else { return };
        let departure = Departure::new(source, meta, *packet, &mut Scratch { free: &mut [] });
        let mut departures = [Departure { is_stored: false, ..departure }];
        let moment = Moment { now, abs_send_time: config.wall_clock.abs_send_time(now) };
        let ledger = &mut Ledger { counters, events, switched, timers };
        fan_out(moment, source, &mut departures, (consumers, transports), ledger, out);
        self.note_switches(now);
    }
}

/// What is written down about a fan-out.
pub(super) struct Ledger<'a> {
    pub(super) counters: &'a mut CoreCounters,
    pub(super) events: &'a mut EventQueue,
    pub(super) switched: &'a mut Vec<Key<Consumer>>,
    pub(super) timers: &'a mut Timers,
}

impl Ledger<'_> {
    pub(super) fn count(&mut self, sent: Sent) {
        self.counters.packets_sent += sent.packets;
        self.counters.bytes_sent += sent.bytes as u64;
        self.counters.dropped += sent.dropped;
    }
}

type Receivers<'a, T> = (&'a mut Arena<Consumer>, &'a mut Arena<TransportState<T>, TransportTag>);

fn fan_out<T: Transport>(
    moment: Moment,
    source: &Source,
    departures: &mut [Departure<'_>],
    (consumers, transports): Receivers<'_, T>,
    ledger: &mut Ledger<'_>,
    out: &mut impl Egress,
) {
    for &key in &source.consumers {
        let Some(consumer) = consumers.get_mut(key) else { continue };
        let Some(transport) = transports.get_mut(consumer.transport) else { continue };
        let before = consumer.selected();
        let sent = serve(moment, source, consumer, transport, departures, ledger.events, out);
        ledger.count(sent);
        transport.sending.arm(ledger.timers, consumer.transport);
        if sent.held_back || sent.awaits_timer || consumer.selected() != before {
            ledger.switched.push(key);
        }
    }
}

/// What one consumer was sent of a burst.
#[derive(Clone, Copy, Default)]
pub(super) struct Sent {
    pub(super) packets: u64,
    pub(super) bytes: usize,
    dropped: u64,
    /// A key frame could not be switched to, and another one is needed.
    held_back: bool,
    /// A key frame waits for another one to take its place.
    awaits_timer: bool,
}

impl Sent {
    pub(super) fn count(&mut self, consumer: &mut Consumer, outcome: Result<usize, DropReason>) {
        match outcome {
            // It waits to be sent.
            Ok(0) => {}
            Ok(len) => {
                self.packets += 1;
                self.bytes += len;
            }
            Err(reason) => {
                consumer.drops.add(reason);
                self.dropped += 1;
                self.held_back |= matches!(reason, DropReason::KeyFrameBehind | DropReason::Congestion);
            }
        }
    }
}

/// Decides and seals the packets of a burst for one consumer.
fn serve<T: Transport>(
    moment: Moment,
    source: &Source,
    consumer: &mut Consumer,
    transport: &mut TransportState<T>,
    departures: &mut [Departure<'_>],
    events: &mut EventQueue,
    out: &mut impl Egress,
) -> Sent {
    let mut sent = Sent::default();
    let Some(to) = transport.adapter.destination(Component::Rtp) else {
        departures.iter().for_each(|_| consumer.drops.add(DropReason::NotConnected));
        return Sent { dropped: departures.len() as u64, ..sent };
    };
    for departure in departures.iter_mut() {
        if consumer.replay.as_ref().is_some_and(|replay| replay.comes_to(departure.meta)) {
            continue;
        }
        if departure.meta.is_key_frame && consumer.hold_back(moment.now, source, departure.meta) {
            sent.awaits_timer = true;
            continue;
        }
        let outcome = send(moment, consumer, transport, departure, &to, events, out);
        sent.count(consumer, outcome);
        if departure.meta.is_key_frame {
            // It may have come in pieces that layers above cannot be entered with.
            sent.held_back |= outcome.is_ok() && consumer.selector.needs_key_frame(departure.meta.encoding);
            catch_up(
                moment,
                source,
                consumer,
                transport,
                departure.meta.encoding,
                (&to, &mut sent, events),
                out,
            );
        }
    }
    if sent.packets > 0 {
        transport.meters.rtp_sent.add(moment.now, sent.bytes);
        if owes_parity(consumer)
            && let Some(len) = send_parity(moment, source, consumer, transport, &to, out)
        {
            (sent.packets, sent.bytes) = (sent.packets + 1, sent.bytes + len);
        }
    }
    sent
}

/// Decides once more about what overtook the key frame that a consumer has just switched to. It is in the store.
fn catch_up<T: Transport>(
    moment: Moment,
    source: &Source,
    consumer: &mut Consumer,
    transport: &mut TransportState<T>,
    encoding: u8,
    (to, sent, events): (&Destination, &mut Sent, &mut EventQueue),
    out: &mut impl Egress,
) {
    let Selector::Simulcast(selector) = &mut consumer.selector else { return };
    let backlog = selector.take_backlog();
    let store = source.streams.get(usize::from(encoding)).and_then(|stream| stream.store.as_ref());
    for extended_sequence in backlog {
        let Some(stored) = store.and_then(|store| store.get(extended_sequence, moment.now)) else { continue };
        let Some(packet) = RtpPacket::from_parts(stored.bytes, stored.layout) else { continue };
        let mut departure = Departure::new(source, stored.meta, packet, &mut Scratch { free: &mut [] });
        let outcome = send(moment, consumer, transport, &mut departure, to, events, out);
        sent.count(consumer, outcome);
    }
}

/// Decides about a packet and seals it, or lets it wait where the path has no room; returns the length of the datagram, 0 if it waits.
#[inline]
pub(super) fn send<T: Transport>(
    moment: Moment,
    consumer: &mut Consumer,
    transport: &mut TransportState<T>,
    departure: &mut Departure<'_>,
    to: &Destination,
    events: &mut EventQueue,
    out: &mut impl Egress,
) -> Result<usize, DropReason> {
    let Departure { meta, packet, elements, forms, is_described, is_stored, targets, scratch, is_copied } =
        departure;
    let form = forms.taken_by(consumer.payload_types);
    let index = consumer.route(form.payload_type, meta)?;
    // Not moved out: a copy would wait for its parts to be written.
    let verdict = consumer.selector.decide(meta);
    let rewrite = match &verdict {
        Verdict::Forward(rewrite) => rewrite,
        Verdict::Drop(reason) => return Err(*reason),
    };
    let source = meta.extended_sequence as u32;
    let kind = if *is_stored { stream_kind(consumer, index, transport) } else { PacketKind::Audio };
    if let Some(control) = &mut transport.sending.control
        && !control.admits(moment.now, packet.bytes().len(), kind)
    {
        let sent = SentPacket { encoding: meta.encoding, source, rewrite: *rewrite };
        return park(moment.now, consumer, control, index, sent, packet.bytes().len());
    }
    let stream = consumer.streams.get_mut(index).ok_or(DropReason::UnknownEncoding)?;
    let payload = match (rewrite.payload, form.block_numbers(&consumer.renumbering)) {
        (PayloadPatch::None, None) => Payload::Ready(form.payload),
        (payload, None) if !scratch.is_empty() => {
            if !std::mem::replace(is_copied, true) {
                scratch.copy_from_slice(packet.payload());
            }
            patch(scratch, payload, &meta.descriptor);
            Payload::Ready(scratch)
        }
        (_, blocks) => Payload::Copied(form.payload, blocks),
    };
    let change = match is_described {
        true => consumer.selector.descriptor_change(meta.encoding, rewrite.sequence_number),
        false => None,
    };
    let change = change.unwrap_or_default();
    let outgoing = Outgoing {
        lane: lane(consumer.transport, Component::Rtp),
        to,
        ssrc: stream.ssrc,
        payload_type: consumer.renumbering.apply(form.payload_type),
        rewrite,
        rtx: None,
        descriptor: &meta.descriptor,
        payload,
        repeat: false,
        now: moment.now,
        abs_send_time: moment.abs_send_time,
        kind,
        probe: None,
        frame_number_offset: change.frame_number_offset,
        active_targets: targets.and_then(|targets| targets.active_targets(meta.extended_sequence, &change)),
    };
    let len = seal(transport, &consumer.extensions, &outgoing, packet, elements, out)?;
    let sent = SentPacket { encoding: meta.encoding, source, rewrite: *rewrite };
    stream.send.on_sent(moment.now, sent, len, form.payload.len());
    if consumer.trace.rtp || consumer.trace.key_frame && meta.is_key_frame {
        let mut traced = trace_of(packet, meta, false);
        (traced.ssrc, traced.sequence_number) = (stream.ssrc, rewrite.sequence_number);
        (traced.timestamp, traced.payload_type) = (rewrite.timestamp, outgoing.payload_type);
        traced.size -= traced.payload_size - form.payload.len();
        traced.payload_size = form.payload.len();
        events.trace(trace_out(consumer, traced, moment.now));
    }
    Ok(len)
}

#[cold]
fn trace_out(consumer: &Consumer, packet: RtpPacketTrace, now: Time) -> Event {
    let is_key_frame = consumer.trace.key_frame && packet.is_key_frame;
    let info = if is_key_frame { TraceInfo::KeyFrame(packet) } else { TraceInfo::Rtp(packet) };
    let trace = Trace { info, timestamp: now.as_millis(), direction: TraceDirection::Out };
    Event::Consumer(consumer.definition.id, ConsumerEvent::Trace(trace))
}
