//! What crosses from shard to shard: packets already opened, with what ingest knew, messages, and the news around them.
//!
//! Each packet and message crosses to a shard once, however many consumers wait there. Must not know channels or wake-ups.

use crate::data::DataMessage;
use crate::id::{DataProducerId, ProducerId, ShardId};
use crate::observers::LevelReport;
use crate::wanted::Wish;
use tureen_forwarding::{ActiveLayers, ClockOffset, PacketMeta};
use tureen_rtp_wire::rtp::RtpLayout;

/// Bytes of messages that may be under way from one shard to another; beyond it messages are refused. A message finds room when no
/// other is under way, whatever its size.
pub(crate) const MAX_RELAYED_BYTES: usize = 4 * 1024 * 1024;
/// What a message counts besides its payload and subchannels, so that small ones are limited too.
const MESSAGE_OVERHEAD: usize = 64;

/// A packet within a [`RelayBatch`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct RelayedPacket {
    pub(crate) producer: ProducerId,
    pub(crate) meta: PacketMeta,
    pub(crate) layout: RtpLayout,
    start: usize,
    len: usize,
}

/// A message within a [`RelayBatch`].
#[derive(Clone, Debug)]
pub(crate) struct RelayedMessage {
    /// The shard that it comes from, which wants to know when it has arrived.
    pub(crate) home: ShardId,
    pub(crate) producer: DataProducerId,
    pub(crate) message: DataMessage,
}

impl RelayedMessage {
    /// What it counts while it is under way.
    fn size(&self) -> usize {
        let DataMessage { payload, subchannels, .. } = &self.message;
        MESSAGE_OVERHEAD + payload.len() + subchannels.len() * size_of::<u16>()
    }
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
    /// Home to mirrors: an encoding is silent since nobody wants it.
    Resting(ProducerId, u8),
    /// Mirror to home: what is wanted of the source here.
    Wanted(Subscription, ShardId, Wish),
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
    /// Of a data producer, or of messages.
    Data(DataNews),
}

/// News of the source of a data producer, or of messages under way. Never dropped.
#[derive(Clone, Copy, Debug)]
pub(crate) enum DataNews {
    /// Home to mirrors: the data producer was paused or resumed.
    Paused(DataProducerId, bool),
    /// Home to mirrors: the data producer is gone.
    Closed(Subscription<DataProducerId>),
    /// Mirror to home: the mirror stands, and is to be told how things are.
    Subscribed(Subscription<DataProducerId>, ShardId),
    /// Mirror to home: the mirror is gone, or could not be made.
    Unsubscribe(Subscription<DataProducerId>, ShardId),
    /// Back from a shard: it has taken messages of so many bytes.
    Taken(ShardId, usize),
    /// Home to mirrors: so many messages found no room on the way.
    Refused(DataProducerId, u64),
}

/// One relation of a mirror, or of observers, to a producer's home. Commands and news take different ways and overtake each other, so each
/// request has a number of its own, and news of an older one changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Subscription<P = ProducerId> {
    pub(crate) producer: P,
    pub(crate) number: u64,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum RelayItem {
    Packet(RelayedPacket),
    /// One that a new mirror is given of what came before it: to be kept, not to be sent.
    Past(RelayedPacket),
    /// By its place among the batch's messages. Never dropped.
    Message(usize),
    /// How loud a producer is; the next report makes up for a lost one.
    Levels(ProducerId, LevelReport),
    News(RelayNews),
}

/// Packets, levels, messages and news for one shard, in order. Its buffers are meant to be recycled.
#[derive(Debug, Default)]
pub struct RelayBatch {
    items: Vec<RelayItem>,
    bytes: Vec<u8>,
    messages: Vec<RelayedMessage>,
    news: usize,
    levels: usize,
}

impl RelayBatch {
    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Whether it carries news or messages, which must arrive; packets and levels alone may be dropped when the way is full.
    pub fn has_news(&self) -> bool {
        self.news > 0 || !self.messages.is_empty()
    }

    /// How many packets it carries.
    pub fn packets(&self) -> usize {
        self.items.len() - self.messages.len() - self.news - self.levels
    }

    /// Leaves packets and levels out, for a way that is full; news and messages stay, in order.
    pub fn drop_packets(&mut self) {
        self.items.retain(|item| matches!(item, RelayItem::News(_) | RelayItem::Message(_)));
        self.bytes.clear();
        self.levels = 0;
    }

    /// Takes over the news and messages of a later batch, behind its own.
    pub fn append_news(&mut self, later: &Self) {
        for item in later.items() {
            match item {
                RelayItem::News(news) => self.push_news(news),
                RelayItem::Message(index) => {
                    if let Some(message) = later.message(index) {
                        self.push_message(message.clone());
                    }
                }
                RelayItem::Packet(_) | RelayItem::Past(_) | RelayItem::Levels(..) => {}
            }
        }
    }

    /// Empties it, keeping its memory.
    pub fn clear(&mut self) {
        self.items.clear();
        self.bytes.clear();
        self.messages.clear();
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

    fn push_message(&mut self, message: RelayedMessage) {
        self.items.push(RelayItem::Message(self.messages.len()));
        self.messages.push(message);
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

    pub(crate) fn message(&self, index: usize) -> Option<&RelayedMessage> {
        self.messages.get(index)
    }

    /// Where its messages come from and how many bytes they count, if there are any.
    pub(crate) fn load(&self) -> Option<(ShardId, usize)> {
        let home = self.messages.first()?.home;
        Some((home, self.messages.iter().map(RelayedMessage::size).sum()))
    }
}

/// What goes to one other shard.
#[derive(Debug, Default)]
struct Way {
    /// Being filled.
    batch: RelayBatch,
    /// Bytes of messages that the shard has not taken yet, those in the batch included.
    under_way: usize,
}

/// Ways being filled, one for each shard that something goes to.
#[derive(Debug, Default)]
pub(crate) struct RelayOut {
    ways: Vec<Way>,
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
        &mut self.way(shard).batch
    }

    fn way(&mut self, shard: ShardId) -> &mut Way {
        let index = usize::from(shard.0);
        if self.ways.len() <= index {
            self.ways.resize_with(index + 1, Way::default);
        }
        &mut self.ways[index]
    }

    /// Sends a message to a shard. Returns whether there was room on the way.
    pub(crate) fn send_message(&mut self, to: ShardId, message: RelayedMessage) -> bool {
        let (way, size) = (self.way(to), message.size());
        let room = way.under_way == 0 || way.under_way + size <= MAX_RELAYED_BYTES;
        if room {
            way.under_way += size;
            way.batch.push_message(message);
        }
        room
    }

    /// A shard has taken messages that count so many bytes.
    pub(crate) fn taken(&mut self, by: ShardId, bytes: usize) {
        let way = self.way(by);
        way.under_way = way.under_way.saturating_sub(bytes);
    }

    /// Exchanges the first batch that is not empty for `recycled`.
    pub(crate) fn take(&mut self, recycled: &mut Vec<RelayBatch>) -> Option<(ShardId, RelayBatch)> {
        let index = self.ways.iter().position(|way| !way.batch.is_empty())?;
        let mut empty = recycled.pop().unwrap_or_default();
        empty.clear();
        let batch = std::mem::replace(&mut self.ways[index].batch, empty);
        Some((ShardId(index as u8), batch))
    }
}
