//! What comes from other shards: relayed packets go straight to decide, news changes the state it is about.

use crate::core::Core;
use crate::id::{ProducerId, ShardId};
use crate::relay::{RelayBatch, RelayItem, RelayNews, RelayedPacket};
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
                RelayItem::News(news) => self.handle_relay_news(news),
            }
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

    fn handle_relay_news(&mut self, news: RelayNews) {
        match news {
            RelayNews::Paused(producer, paused) => {
                if let Ok(key) = self.source_key(producer) {
                    self.set_source_paused(key, paused);
                }
            }
            RelayNews::Closed(producer) => {
                if let Ok(key) = self.source_key(producer) {
                    self.end_source(key);
                }
            }
            RelayNews::Score(producer, encoding, score) => {
                if let Ok(key) = self.source_key(producer) {
                    self.set_score(key, encoding, score);
                }
            }
            RelayNews::Exchanged(producer, encoding) => {
                if let Ok(key) = self.source_key(producer) {
                    self.exchange_stream(key, encoding);
                }
            }
            RelayNews::KeyFrame(producer, encoding) => self.request_key_frame_here(producer, encoding),
            RelayNews::Unsubscribe(producer, shard) => self.stop_mirroring(producer, shard),
        }
    }

    fn stop_mirroring(&mut self, producer: ProducerId, shard: ShardId) {
        let Ok(key) = self.source_key(producer) else { return };
        let Some(source) = self.sources.get_mut(key) else { return };
        if matches!(source.origin, Origin::Here(_)) {
            source.mirrors.retain(|mirror| *mirror != shard);
        }
    }
}
