//! What a consumer starts from that comes to wait for a key frame: the packets of its source since the last one, where those are kept. And
//! what it goes on with after a key frame that was held back in vain.
//!
//! They go through decide and seal as any others, in portions, and what is live waits behind them in the store until the consumer has
//! caught up. Must not know why a consumer waits; that is [`super::key_frames`].

use crate::arena::Key;
use crate::consumer::{Consumer, Replay};
use crate::core::Core;
use crate::path::fan_out::{Departure, Ledger, Moment, Scratch, Sent, send};
use crate::path::seal::has_room;
use crate::source::{Source, SourceStream};
use crate::switches::SwitchCause;
use crate::timers::Timer;
use crate::transport_state::lane;
use std::time::Duration;
use tureen_forwarding::{DropReason, PacketMeta, Selector};
use tureen_rtp_wire::Time;
use tureen_rtp_wire::rtp::RtpPacket;
use tureen_transport::{Component, Egress, Transport};

/// The most packets of a portion: a burst that a switch on the way takes, and a fraction of an egress batch.
const PORTION: u64 = 64;
/// Time between two portions: 64 packets of 1200 bytes each 5 ms are 123 Mbit/s.
const PORTION_INTERVAL: Duration = Duration::from_millis(5);
/// How long a key frame waits for the one of another encoding that was made of the same picture: senders send them within a paced burst.
const LONGEST_HOLD: Duration = Duration::from_millis(50);
/// After so many portions in a row for which the egress had no room, the next packet is given up: it is too large.
const PATIENCE: u8 = 100;

impl<T: Transport> Core<T> {
    /// Lets a consumer start from what came since the last key frame of `encoding`, if the source keeps that: at the next timeout, which
    /// is due at once. `false` if a key frame has to be asked for.
    pub(crate) fn replay(&mut self, key: Key<Consumer>, encoding: u8) -> bool {
        let Some(consumer) = self.consumers.get_mut(key) else { return false };
        let kept = self.sources.get(consumer.source).is_some_and(|source| source.key_frame_cache.is_some());
        if !kept {
            return false;
        }
        if consumer.replay.as_ref().is_some_and(|replay| replay.encoding == encoding) {
            return true;
        }
        if !consumer.selector.starts_with(encoding) {
            return false;
        }
        let replay = consumer.replay.insert(Box::new(Replay::new(encoding)));
        replay.timer.arm(&mut self.timers, Time::ZERO, Timer::Replay(key));
        true
    }

    /// Sends the next portion to a consumer; what is in the store is served or held back.
    pub(crate) fn replay_due(&mut self, now: Time, key: Key<Consumer>, out: &mut impl Egress) {
        let Some(consumer) = self.consumers.get_mut(key) else { return };
        let Some(replay) = &mut consumer.replay else { return };
        if !replay.timer.fired(now) {
            return;
        }
        let (source, encoding) = (consumer.source, replay.encoding);
        let has_begun = replay.next.is_some() || self.begin_replay(now, key).is_some();
        if has_begun && self.send_portion(now, key, out) == Progress::Behind {
            if let Some(replay) = self.consumers.get_mut(key).and_then(|it| it.replay.as_mut()) {
                replay.timer.arm(&mut self.timers, now + PORTION_INTERVAL, Timer::Replay(key));
            }
            return;
        }
        let Some(consumer) = self.consumers.get_mut(key) else { return };
        consumer.replay = None;
        // There was no run, or layers above need another key frame.
        if consumer.awaited_encodings().any(|awaited| awaited == encoding) {
            self.request_key_frame_of(source, encoding);
        }
        self.note_switches(now);
    }

    /// Sees that a key frame which is held back comes in the end.
    pub(crate) fn time_hold(&mut self, key: Key<Consumer>) {
        let Some(replay) = self.consumers.get_mut(key).and_then(|it| it.replay.as_mut()) else { return };
        if let Some(due) = replay.due.take() {
            replay.timer.arm(&mut self.timers, due, Timer::Replay(key));
        }
    }

    /// Finds where a replay begins, if all since the last key frame is there.
    fn begin_replay(&mut self, now: Time, key: Key<Consumer>) -> Option<()> {
        let consumer = self.consumers.get_mut(key).filter(|consumer| consumer.pause.flows())?;
        let source = self.sources.get(consumer.source)?;
        let encoding = consumer.replay.as_ref()?.encoding;
        let index = consumer.stream_of(encoding)?;
        let run = stream_of(source, encoding)?.store.as_ref()?.run(now)?;
        let stream = consumer.streams.get_mut(index)?;
        let timestamp = consumer.selector.start_from(&run)?;
        stream.send.anchor(timestamp, run.newest.received_at);
        consumer.replay.as_mut()?.next = Some(run.first.extended_sequence);
        self.counters.replays += 1;
        Some(())
    }

    /// Takes a packet that the home of a mirrored source kept from before, for those who start here. One that newer ones overtook is
    /// too late for that.
    pub(crate) fn keep(&mut self, now: Time, key: Key<Source>, meta: &PacketMeta, packet: &RtpPacket<'_>) {
        let Some(source) = self.sources.get_mut(key) else { return };
        let Some(stream) = source.streams.get_mut(usize::from(meta.encoding)) else { return };
        let Some(store) = &mut stream.store else { return };
        let is_first = stream.packets == 0;
        if !is_first && meta.extended_sequence <= store.highest() {
            return;
        }
        stream.packets += 1;
        store.insert(packet.bytes(), packet.layout(), meta);
        if let Some(value) = source.dependency_descriptor.and_then(|id| packet.extension(id)) {
            stream.targets.get_or_insert_default().note(meta.extended_sequence, value);
        }
        if is_first {
            self.choose_layers(now, key, SwitchCause::EncodingCame);
        }
    }

    fn send_portion(&mut self, now: Time, key: Key<Consumer>, out: &mut impl Egress) -> Progress {
        let Self { sources, consumers, transports, counters, events, config, switched, timers, .. } = self;
        let Some(consumer) = consumers.get_mut(key) else { return Progress::Over };
        let Some(source) = sources.get(consumer.source) else { return Progress::Over };
        let Some(transport) = transports.get_mut(consumer.transport) else { return Progress::Over };
        let Some(to) = transport.adapter.destination(Component::Rtp) else { return Progress::Over };
        let Some(replay) = &consumer.replay else { return Progress::Over };
        let (encoding, first, patience) = (replay.encoding, replay.next.unwrap_or(u64::MAX), replay.patience);
        let Some(store) = stream_of(source, encoding).and_then(|stream| stream.store.as_ref()) else {
            return Progress::Over;
        };
        let moment = Moment { now, abs_send_time: config.wall_clock.abs_send_time(now) };
        let lane = lane(consumer.transport, Component::Rtp);
        let before = consumer.selected();
        let (mut sent, mut next, mut is_over) = (Sent::default(), first, false);
        while next <= store.highest() && next - first < PORTION && !is_over {
            let stored = store.get(next, now);
            let packet = stored.and_then(|stored| RtpPacket::from_parts(stored.bytes, stored.layout));
            if let (Some(stored), Some(packet)) = (stored, packet) {
                if patience > 0 && !has_room(transport, lane, &to, &packet, out) {
                    break;
                }
                let mut departure =
                    Departure::new(source, stored.meta, packet, &mut Scratch { free: &mut [] });
                let outcome = send(moment, consumer, transport, &mut departure, &to, events, out);
                is_over = outcome == Err(DropReason::OtherEncoding);
                sent.count(consumer, outcome);
            }
            next += 1;
        }
        if let Selector::Simulcast(selector) = &mut consumer.selector {
            // What stands behind a key frame comes anyhow.
            selector.take_backlog();
        }
        if let Some(replay) = &mut consumer.replay {
            replay.next = Some(next);
            replay.patience = if next > first { PATIENCE } else { patience.saturating_sub(1) };
        }
        if sent.packets > 0 {
            transport.meters.rtp_sent.add(now, sent.bytes);
        }
        if consumer.selected() != before {
            switched.push(key);
        }
        transport.sending.arm(timers, consumer.transport);
        Ledger { counters, events, switched, timers }.count(sent);
        if is_over || next > store.highest() { Progress::Over } else { Progress::Behind }
    }
}

fn stream_of(source: &Source, encoding: u8) -> Option<&SourceStream> {
    source.streams.get(usize::from(encoding))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    /// There is more to send.
    Behind,
    /// The consumer has caught up, or cannot.
    Over,
}

impl Replay {
    fn new(encoding: u8) -> Self {
        Self { encoding, next: None, patience: PATIENCE, due: None, timer: Default::default() }
    }
}

impl Consumer {
    /// Lets a key frame of what flows, which is in the store, wait where the one of another encoding that is waited for is likely to come
    /// right behind it. It comes later, with all that follows, unless the consumer has switched by then.
    pub(super) fn hold_back(&mut self, now: Time, source: &Source, meta: &PacketMeta) -> bool {
        let Selector::Simulcast(selector) = &mut self.selector else { return false };
        let store = stream_of(source, meta.encoding).and_then(|stream| stream.store.as_ref());
        let is_stored = store.is_some_and(|store| store.get(meta.extended_sequence, now).is_some());
        let holds = is_stored && self.replay.is_none() && selector.may_be_replaced(meta);
        if holds {
            let (next, due) = (Some(meta.extended_sequence), Some(now + LONGEST_HOLD));
            self.replay = Some(Box::new(Replay { next, due, ..Replay::new(meta.encoding) }));
        }
        holds
    }
}
