//! What comes from other shards: relayed packets go straight to decide, news changes the state it is about.

use crate::control::closing::Closing;
use crate::core::Core;
use crate::id::ShardId;
use crate::relay::{RelayBatch, RelayItem, RelayNews, RelayedPacket, Subscription};
use crate::source::Origin;
use tureen_rtp_wire::Time;
use tureen_rtp_wire::rtp::RtpPacket;
use tureen_transport::{Egress, Transport};

impl<T: Transport> Core<T> {
    /// Takes a batch from another shard; packets that follow from it go to `out`.
    pub fn handle_relay(&mut self, now: Time, batch: &RelayBatch, out: &mut impl Egress) {
        for item in batch.items() {
            match item {
                RelayItem::Packet(packet) => self.handle_relayed_packet(now, batch, &packet, out),
                RelayItem::Past(packet) => self.handle_past_packet(now, batch, &packet),
                RelayItem::Message(index) => {
                    if let Some(relayed) = batch.message(index) {
                        self.hear_relayed_message(now, relayed);
                    }
                }
                RelayItem::Levels(producer, report) => self.hear(producer, &report),
                RelayItem::News(news) => self.handle_relay_news(now, news),
            }
        }
        if let Some((home, bytes)) = batch.load() {
            self.acknowledge_messages(home, bytes);
        }
        self.handle_timeout(now, out);
    }

    fn handle_relayed_packet(
        &mut self,
        now: Time,
        batch: &RelayBatch,
        relayed: &RelayedPacket,
        out: &mut impl Egress,
    ) {
        let Ok(key) = self.source_key(relayed.producer) else { return };
        let Some(bytes) = batch.bytes_of(relayed) else { return };
        if let Some(packet) = RtpPacket::from_parts(bytes, relayed.layout) {
            self.forward(now, key, &relayed.meta, &packet, out);
        }
    }

    fn handle_past_packet(&mut self, now: Time, batch: &RelayBatch, relayed: &RelayedPacket) {
        let Ok(key) = self.source_key(relayed.producer) else { return };
        let packet = batch.bytes_of(relayed).and_then(|bytes| RtpPacket::from_parts(bytes, relayed.layout));
        if let Some(packet) = packet {
            self.keep(now, key, &relayed.meta, &packet);
        }
    }

    fn handle_relay_news(&mut self, now: Time, news: RelayNews) {
        match news {
            RelayNews::Paused(producer, paused) => {
                if let Ok(key) = self.source_key(producer) {
                    self.set_source_paused(now, key, paused);
                }
            }
            RelayNews::LeftOut(producer, left_out) => {
                if let Ok(key) = self.source_key(producer) {
                    self.set_left_out(key, left_out);
                }
            }
            RelayNews::Closed(subscription) => self.end_mirror(subscription),
            RelayNews::Score(producer, encoding, score) => {
                if let Ok(key) = self.source_key(producer) {
                    self.set_score(now, key, encoding, score);
                }
            }
            RelayNews::Alignment(producer, encoding, alignment) => {
                if let Ok(key) = self.source_key(producer) {
                    self.set_alignment(key, encoding, alignment);
                }
            }
            RelayNews::Clock(producer, offset) => {
                if let Ok(key) = self.source_key(producer) {
                    self.set_clock(key, offset);
                }
            }
            RelayNews::ActiveLayers(producer, encoding, layers) => {
                if let Ok(key) = self.source_key(producer) {
                    self.set_active_layers(now, key, encoding, layers);
                }
            }
            RelayNews::Exchanged(producer, encoding) => {
                if let Ok(key) = self.source_key(producer) {
                    self.exchange_stream(now, key, encoding);
                }
            }
            RelayNews::KeyFrame(producer, encoding) => self.request_key_frame_here(producer, encoding),
            RelayNews::Subscribed(subscription, shard) => self.brief_mirror(now, subscription, shard),
            RelayNews::Unsubscribe(subscription, shard) => self.stop_mirroring(subscription, shard),
            RelayNews::Listen(subscription, shard) => self.start_metering(subscription, shard),
            RelayNews::Unlisten(subscription, shard) => self.stop_metering(subscription, shard),
            RelayNews::LeaveOut(subscription, shard, left_out) => {
                self.leave_out_here(subscription, shard, left_out);
            }
            RelayNews::Unheard(subscription) => self.end_listening(subscription),
            RelayNews::Resting(producer, encoding) => self.hear_resting(now, producer, encoding),
            RelayNews::Wanted(subscription, shard, wish) => self.hear_wish(subscription, shard, wish),
            RelayNews::Data(news) => self.handle_data_news(now, news),
        }
    }

    fn end_mirror(&mut self, closed: Subscription) {
        let Ok(key) = self.source_key(closed.producer) else { return };
        let Some(source) = self.sources.get(key) else { return };
        if matches!(source.origin, Origin::Shard { subscription, .. } if subscription == closed.number) {
            self.end_source(key, Closing::Nothing);
        }
    }

    /// Tells a new mirror how things are: news that came before it stood was lost, and what it was made from may be outdated.
    fn brief_mirror(&mut self, now: Time, subscription: Subscription, shard: ShardId) {
        let source = self.source_key(subscription.producer).ok().and_then(|key| self.sources.get(key));
        let way = self.relay.to(shard);
        let Some(source) = source.filter(|source| matches!(source.origin, Origin::Here(_))) else {
            way.push_news(RelayNews::Closed(subscription));
            return;
        };
        way.push_news(RelayNews::Paused(subscription.producer, source.paused));
        way.push_news(RelayNews::LeftOut(subscription.producer, source.left_out));
        if let Some(offset) = source.clock {
            way.push_news(RelayNews::Clock(subscription.producer, offset));
        }
        for (encoding, stream) in (0..).zip(&source.streams) {
            way.push_news(RelayNews::Score(subscription.producer, encoding, stream.score));
            way.push_news(RelayNews::ActiveLayers(subscription.producer, encoding, stream.active_layers));
            if stream.resting {
                way.push_news(RelayNews::Resting(subscription.producer, encoding));
            }
            if let Some(alignment) = stream.alignment {
                way.push_news(RelayNews::Alignment(subscription.producer, encoding, alignment));
            }
            // What its first viewers start from.
            for packet in stream.store.iter().flat_map(|store| store.since_key_frame(now)) {
                way.push_past(subscription.producer, *packet.meta, packet.layout, packet.bytes);
            }
        }
    }

    fn stop_mirroring(&mut self, ended: Subscription, shard: ShardId) {
        let Ok(key) = self.source_key(ended.producer) else { return };
        if let Some(source) = self.sources.get_mut(key) {
            source.mirrors.retain(|mirror| mirror.shard != shard || mirror.subscription != ended.number);
        }
        self.wishes_changed(key);
    }
}
