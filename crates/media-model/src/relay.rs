//! What crosses from shard to shard: packets already opened, with what ingest knew, and the news around them.
//!
//! Each packet crosses to a shard once, however many consumers wait there. Must not know channels or wake-ups.

use crate::id::{ProducerId, ShardId};
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
}

/// One relation of a mirror to its home. Commands and news take different ways and overtake each other, so each
/// publication has a number of its own, and news of an older one changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Subscription {
    pub(crate) producer: ProducerId,
    pub(crate) number: u64,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum RelayItem {
    Packet(RelayedPacket),
    News(RelayNews),
}

/// Packets and news for one shard, in order. Its buffers are meant to be recycled.
#[derive(Debug, Default)]
pub struct RelayBatch {
    items: Vec<RelayItem>,
    bytes: Vec<u8>,
    news: usize,
}

impl RelayBatch {
    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Whether it carries news, which must arrive; packets alone may be dropped when the way is full.
    pub fn has_news(&self) -> bool {
        self.news > 0
    }

    /// How many packets it carries.
    pub fn packets(&self) -> usize {
        self.items.len() - self.news
    }

    /// Leaves the packets out, for a way that is full; the news stays, in order.
    pub fn drop_packets(&mut self) {
        self.items.retain(|item| matches!(item, RelayItem::News(_)));
        self.bytes.clear();
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
        self.news = 0;
    }

    pub(crate) fn push_packet(
        &mut self,
        producer: ProducerId,
        meta: PacketMeta,
        layout: RtpLayout,
        bytes: &[u8],
    ) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        self.items.push(RelayItem::Packet(RelayedPacket { producer, meta, layout, start, len: bytes.len() }));
    }

    pub(crate) fn push_news(&mut self, news: RelayNews) {
        self.items.push(RelayItem::News(news));
        self.news += 1;
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
    publications: u64,
}

impl RelayOut {
    /// The number of a new publication, counted from 1.
    pub(crate) fn next_publication(&mut self) -> u64 {
        self.publications += 1;
        self.publications
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
