//! What shards tell the program, and the one bounded queue it goes through.
//!
//! Nothing here blocks a shard: events that find no room stay in the Core, and direct packets are dropped and counted.

use bytes::Bytes;
use crossbeam_channel::{Receiver, SendTimeoutError, Sender, TrySendError, bounded};
use std::time::Duration;
use tureen_media_model::{Event, ShardId, TransportId};
use tureen_transport::Component;

/// News from a shard.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ShardEvent {
    /// Something happened to an object. Lifecycle events are never lost; they may be late.
    Core(ShardId, Event),
    /// A packet that goes out on a direct transport.
    DirectPacket {
        /// The transport's shard.
        shard: ShardId,
        /// The direct transport.
        transport: TransportId,
        /// [`Component::Rtp`] also for RTCP, as on any path that carries both.
        component: Component,
        /// The RTP packet or RTCP compound.
        packet: Bytes,
    },
    /// The shard's thread panicked: all that was on it is gone, and its calls fail.
    Died {
        /// The shard.
        shard: ShardId,
        /// The panic's message.
        reason: String,
    },
}

/// A shard's end of the event queue.
#[derive(Debug)]
pub(crate) struct EventSink {
    shard: ShardId,
    queue: Sender<ShardEvent>,
    /// Direct packets leave the room above this to events.
    packet_limit: usize,
    /// An event that another shard took the room from.
    held: Option<Event>,
    packets_dropped: u64,
    backlog: bool,
}

/// How often a dying shard looks whether its last word is still wanted.
const LAST_WORD_PATIENCE: Duration = Duration::from_millis(50);

impl EventSink {
    /// The sinks of `shards` shards and the end that the program reads.
    pub(crate) fn queue(shards: u8, size: usize) -> (Vec<Self>, Receiver<ShardEvent>) {
        let (queue, events) = bounded(size);
        let sink = |shard| Self {
            shard: ShardId(shard),
            queue: queue.clone(),
            packet_limit: (size - size / 4).min(size),
            held: None,
            packets_dropped: 0,
            backlog: false,
        };
        ((0..shards).map(sink).collect(), events)
    }

    pub(crate) fn shard(&self) -> ShardId {
        self.shard
    }

    /// Passes on what `next` gives until that is nothing or there is no room; returns how many.
    pub(crate) fn pass_on(&mut self, mut next: impl FnMut() -> Option<Event>) -> usize {
        let mut passed = 0;
        self.backlog = false;
        while let Some(event) = self.held.take().or_else(|| if self.queue.is_full() { None } else { next() })
        {
            match self.queue.try_send(ShardEvent::Core(self.shard, event)) {
                Ok(()) => passed += 1,
                Err(TrySendError::Full(ShardEvent::Core(_, event))) => {
                    self.held = Some(event);
                    break;
                }
                // Nobody listens any more.
                Err(_) => {}
            }
        }
        self.backlog = self.queue.is_full();
        passed
    }

    /// Whether the queue was full, so that events may be waiting without anything to wake the shard for them.
    pub(crate) fn backlog(&self) -> bool {
        self.backlog
    }

    /// Delivers a packet of a direct transport, or drops and counts it.
    pub(crate) fn direct_packet(&mut self, transport: TransportId, component: Component, packet: &[u8]) {
        let packet = || ShardEvent::DirectPacket {
            shard: self.shard,
            transport,
            component,
            packet: Bytes::copy_from_slice(packet),
        };
        if self.queue.len() >= self.packet_limit || self.queue.try_send(packet()).is_err() {
            self.packets_dropped += 1;
        }
    }

    pub(crate) fn packets_dropped(&self) -> u64 {
        self.packets_dropped
    }

    /// Waits until [`ShardEvent::Died`] is in the queue or nobody wants it; for a thread that has nothing else to do.
    pub(crate) fn last_word(self, reason: String, wanted: impl Fn() -> bool) {
        let mut event = ShardEvent::Died { shard: self.shard, reason };
        while wanted() {
            match self.queue.send_timeout(event, LAST_WORD_PATIENCE) {
                Err(SendTimeoutError::Timeout(back)) => event = back,
                Ok(()) | Err(SendTimeoutError::Disconnected(_)) => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tureen_media_model::{CloseCause, ConsumerEvent, ConsumerId};

    fn event(id: u128) -> Event {
        Event::Consumer(ConsumerId(id), ConsumerEvent::Closed(CloseCause::Requested))
    }

    fn id_of(event: ShardEvent) -> u128 {
        match event {
            ShardEvent::Core(_, Event::Consumer(id, _)) => id.0,
            other => panic!("expected a consumer's event, not {other:?}"),
        }
    }

    #[test]
    fn events_that_find_no_room_stay_where_they_are_and_none_is_lost() {
        let (mut sinks, events) = EventSink::queue(2, 3);
        let mut waiting: std::collections::VecDeque<Event> = (0..8).map(event).collect();
        assert_eq!(sinks[0].pass_on(|| waiting.pop_front()), 3);
        assert!(sinks[0].backlog());
        assert_eq!(waiting.len(), 5);
        let mut seen = Vec::new();
        while seen.len() < 8 {
            seen.extend(events.try_iter().map(id_of));
            sinks[0].pass_on(|| waiting.pop_front());
        }
        assert_eq!(seen, [0, 1, 2, 3, 4, 5, 6, 7]);
    }

    #[test]
    fn direct_packets_leave_room_for_events() {
        let (mut sinks, events) = EventSink::queue(1, 8);
        for _ in 0..100 {
            sinks[0].direct_packet(TransportId(1), Component::Rtp, b"packet");
        }
        assert_eq!(events.len(), 6);
        assert_eq!(sinks[0].packets_dropped(), 94);
        let mut one = Some(event(7));
        assert_eq!(sinks[0].pass_on(|| one.take()), 1);
    }

    #[test]
    fn a_last_word_waits_for_room_but_not_for_ever() {
        let (mut sinks, events) = EventSink::queue(2, 1);
        let mut one = Some(event(1));
        sinks[0].pass_on(|| one.take());
        let unwanted = sinks.pop().expect("two sinks");
        unwanted.last_word("nobody asks".to_owned(), || false);
        let dying = sinks.pop().expect("one sink is left");
        std::thread::scope(|scope| {
            scope.spawn(|| dying.last_word("boom".to_owned(), || true));
            assert_eq!(events.recv().map(id_of), Ok(1));
            assert!(matches!(events.recv(), Ok(ShardEvent::Died { reason, .. }) if reason == "boom"));
        });
    }
}
