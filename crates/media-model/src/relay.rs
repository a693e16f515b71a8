//! What crosses from shard to shard: packets already opened, with what ingest knew, and the news around them.
//!
//! Each packet crosses to a shard once, however many consumers wait there. Must not know channels or wake-ups.

use crate::id::{ProducerId, ShardId};
use crate::observers::LevelReport;
use tureen_forwarding::{ActiveLayers, ClockOffset, PacketMeta};
use tureen_rtp_wire::rtp::RtpLayout;

/// A packet within a [`RelayBatch`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct RelayedPacket {
    pub(crate) producer: ProducerId,
    pub(crate) meta: PacketMeta,
    pub(crate) layout: RtpLayout,
    start: usize,
    len: usize,
}

/// News of a source, or of those who consume it elsewhere. Never dropped.
#[derive(Clone, Copy, Debug)]
pub(crate) enum RelayNews {
    /// Home to mirrors: the producer was paused or resumed.
    Paused(ProducerId, bool),
    /// Home to mirrors: the producer is not forwarded since others are louder, or is again.
    LeftOut(ProducerId, bool),
    /// Home to mirrors: the producer is gone.
    Closed(Subscription),
    /// Home to mirrors: the score of an encoding.
    Score(ProducerId, u8, u8),
    /// Home to mirrors: how the clock of an encoding lies to that of the others.
    Alignment(ProducerId, u8, u32),
    /// Home to mirrors: how the wall clock of the source lies to ours.
    Clock(ProducerId, ClockOffset),
    /// Home to mirrors: the layers that an encoding has now, if those are not all.
    ActiveLayers(ProducerId, u8, Option<ActiveLayers>),
    /// Home to mirrors: the stream of an encoding was exchanged for another one.
    Exchanged(ProducerId, u8),
    /// Mirror to home: consumers of an encoding need a key frame.
    KeyFrame(ProducerId, u8),
    /// Mirror to home: the mirror stands, and is to be told how things are. What was told before it stood was lost.
    Subscribed(Subscription, ShardId),
    /// Mirror to home: the mirror is gone, or could not be made.
    Unsubscribe(Subscription, ShardId),
    /// Observers to home: reports of the producer's levels are wanted.
    Listen(Subscription, ShardId),
    /// Observers to home: no more reports are wanted.
    Unlisten(Subscription, ShardId),
    /// Observers to home: the producer is not to be forwarded since others are louder, or is again.
    LeaveOut(Subscription, ShardId, bool),
    /// Home to observers: the producer is gone.
    Unheard(Subscription),
}

/// One relation of a mirror, or of observers, to a producer's home. Commands and news take different ways and overtake each other, so each
/// request has a number of its own, and news of an older one changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Subscription {
    pub(crate) producer: ProducerId,
    pub(crate) number: u64,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum RelayItem {
    Packet(RelayedPacket),
    /// One that a new mirror is given of what came before it: to be kept, not to be sent.
    Past(RelayedPacket),
    /// How loud a producer is; the next report makes up for a lost one.
    Levels(ProducerId, LevelReport),
    News(RelayNews),
}

/// Packets, levels and news for one shard, in order. Its buffers are meant to be recycled.
#[derive(Debug, Default)]
pub struct RelayBatch {
    items: Vec<RelayItem>,
    bytes: Vec<u8>,
    news: usize,
    levels: usize,
}

impl RelayBatch {
    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Whether it carries news, which must arrive; packets and levels alone may be dropped when the way is full.
    pub fn has_news(&self) -> bool {
        self.news > 0
    }

    /// How many packets it carries.
    pub fn packets(&self) -> usize {
        self.items.len() - self.news - self.levels
    }

    /// Leaves packets and levels out, for a way that is full; the news stays, in order.
    pub fn drop_packets(&mut self) {
        self.items.retain(|item| matches!(item, RelayItem::News(_)));
        self.bytes.clear();
        self.levels = 0;
    }

    /// Takes over the news of a later batch, behind its own.
    pub fn append_news(&mut self, later: &Self) {
        let news = later.items.iter().filter(|item| matches!(item, RelayItem::News(_)));
        self.items.extend(news);
        self.news += later.news;
    }

    /// Empties it, keeping its memory.
    pub fn clear(&mut self) {
        self.items.clear();
        self.bytes.clear();
        (self.news, self.levels) = (0, 0);
    }

    pub(crate) fn push_packet(
        &mut self,
        producer: ProducerId,
        meta: PacketMeta,
        layout: RtpLayout,
        bytes: &[u8],
    ) {
        let packet = self.append(producer, meta, layout, bytes);
        self.items.push(RelayItem::Packet(packet));
    }

    pub(crate) fn push_past(
        &mut self,
        producer: ProducerId,
        meta: PacketMeta,
        layout: RtpLayout,
        bytes: &[u8],
    ) {
        let packet = self.append(producer, meta, layout, bytes);
        self.items.push(RelayItem::Past(packet));
    }

    fn append(
        &mut self,
        producer: ProducerId,
        meta: PacketMeta,
        layout: RtpLayout,
        bytes: &[u8],
    ) -> RelayedPacket {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        RelayedPacket { producer, meta, layout, start, len: bytes.len() }
    }

    pub(crate) fn push_news(&mut self, news: RelayNews) {
        self.items.push(RelayItem::News(news));
        self.news += 1;
    }

    pub(crate) fn push_levels(&mut self, producer: ProducerId, report: LevelReport) {
        self.items.push(RelayItem::Levels(producer, report));
        self.levels += 1;
    }

    pub(crate) fn items(&self) -> impl Iterator<Item = RelayItem> {
        self.items.iter().copied()
    }

    pub(crate) fn bytes_of(&self, packet: &RelayedPacket) -> Option<&[u8]> {
        self.bytes.get(packet.start..packet.start.checked_add(packet.len)?)
    }
}

/// Batches being filled, one for each shard that something goes to.
#[derive(Debug, Default)]
pub(crate) struct RelayOut {
    batches: Vec<RelayBatch>,
    /// Subscriptions numbered so far.
    subscriptions: u64,
}

impl RelayOut {
    /// A number that no other subscription has, whatever the shard, `own` being this one.
    pub(crate) fn next_subscription(&mut self, own: ShardId) -> u64 {
        self.subscriptions += 1;
        u64::from(own.0) << 56 | self.subscriptions
    }

    pub(crate) fn to(&mut self, shard: ShardId) -> &mut RelayBatch {
        let index = usize::from(shard.0);
        if self.batches.len() <= index {
            self.batches.resize_with(index + 1, RelayBatch::default);
        }
        &mut self.batches[index]
    }

    /// Exchanges the first batch that is not empty for `recycled`.
    pub(crate) fn take(&mut self, recycled: &mut Vec<RelayBatch>) -> Option<(ShardId, RelayBatch)> {
        let index = self.batches.iter().position(|batch| !batch.is_empty())?;
        let mut empty = recycled.pop().unwrap_or_default();
        empty.clear();
        let batch = std::mem::replace(&mut self.batches[index], empty);
        Some((ShardId(index as u8), batch))
    }
}
