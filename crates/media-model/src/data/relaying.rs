//! Messages to and from other shards, and the news around them.
//!
//! Only so many bytes may be under way to a shard; it says what it has taken. A message that finds no room is refused for the data
//! consumers there, which learn of it with the next bytes that are taken.

use crate::control::closing::Closing;
use crate::core::Core;
use crate::data::{DataMessage, DataOrigin};
use crate::id::{DataProducerId, ShardId};
use crate::relay::{DataNews, RelayNews, RelayedMessage, Subscription};
use tureen_rtp_wire::Time;
use tureen_transport::Transport;

impl<T: Transport> Core<T> {
    /// Sends a message to a shard that mirrors its source, if there is room on the way.
    pub(super) fn relay_message(&mut self, to: ShardId, producer: DataProducerId, message: &DataMessage) {
        let relayed = RelayedMessage { home: self.config.shard, producer, message: message.clone() };
        if self.relay.send_message(to, relayed) {
            self.counters.data.messages_relayed += 1;
        } else {
            *self.data.refused.entry(to).or_default().entry(producer).or_default() += 1;
        }
    }

    /// Takes a message of a data producer on another shard.
    pub(crate) fn hear_relayed_message(&mut self, now: Time, relayed: &RelayedMessage) {
        if let Ok(key) = self.data_source_key(relayed.producer) {
            self.fan_out(now, key, &relayed.message);
        }
    }

    /// Tells a shard that messages of so many bytes are under way no more.
    pub(crate) fn acknowledge_messages(&mut self, home: ShardId, bytes: usize) {
        let taken = DataNews::Taken(self.config.shard, bytes);
        self.relay.to(home).push_news(RelayNews::Data(taken));
    }

    pub(crate) fn handle_data_news(&mut self, now: Time, news: DataNews) {
        match news {
            DataNews::Paused(producer, paused) => {
                if let Ok(key) = self.data_source_key(producer) {
                    self.set_data_source_paused(key, paused);
                }
            }
            DataNews::Closed(subscription) => self.end_data_mirror(now, subscription),
            DataNews::Subscribed(subscription, shard) => self.brief_data_mirror(subscription, shard),
            DataNews::Unsubscribe(subscription, shard) => self.stop_mirroring_data(subscription, shard),
            DataNews::Taken(shard, bytes) => {
                self.relay.taken(shard, bytes);
                self.tell_refused(shard);
            }
            DataNews::Refused(producer, messages) => self.hear_refused(now, producer, messages),
        }
    }

    fn end_data_mirror(&mut self, now: Time, closed: Subscription<DataProducerId>) {
        let Ok(key) = self.data_source_key(closed.producer) else { return };
        let Some(source) = self.data.sources.get(key) else { return };
        if matches!(source.origin, DataOrigin::Shard { subscription, .. } if subscription == closed.number) {
            self.end_data_source(now, key, Closing::Nothing);
        }
    }

    /// Tells a new mirror how things are: news that came before it stood was lost, and what it was made from may be outdated.
    fn brief_data_mirror(&mut self, subscription: Subscription<DataProducerId>, shard: ShardId) {
        let source =
            self.data_source_key(subscription.producer).ok().and_then(|key| self.data.sources.get(key));
        let news = match source.filter(|source| source.origin == DataOrigin::Here) {
            Some(source) => DataNews::Paused(subscription.producer, source.paused),
            None => DataNews::Closed(subscription),
        };
        self.relay.to(shard).push_news(RelayNews::Data(news));
    }

    fn stop_mirroring_data(&mut self, ended: Subscription<DataProducerId>, shard: ShardId) {
        let Ok(key) = self.data_source_key(ended.producer) else { return };
        if let Some(source) = self.data.sources.get_mut(key) {
            source.mirrors.retain(|mirror| mirror.shard != shard || mirror.subscription != ended.number);
        }
    }

    /// Tells a shard of the messages that found no room on the way there.
    fn tell_refused(&mut self, shard: ShardId) {
        for (producer, messages) in self.data.refused.remove(&shard).unwrap_or_default() {
            let news = DataNews::Refused(producer, messages);
            self.relay.to(shard).push_news(RelayNews::Data(news));
        }
    }

    /// Messages were refused before anybody saw their subchannels: they count for every data consumer that flows.
    fn hear_refused(&mut self, now: Time, producer: DataProducerId, messages: u64) {
        let source = self.data_source_key(producer).ok().and_then(|key| self.data.sources.get(key));
        for key in source.map(|source| source.consumers.clone()).unwrap_or_default() {
            if self.data.consumers.get(key).is_some_and(|consumer| consumer.pause.flows()) {
                self.no_room_for(now, key, messages);
            }
        }
    }
}
