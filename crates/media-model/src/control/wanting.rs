//! What consumers want of a source, on all shards: gathered where the producer is, and told to the program. And encodings that rest since
//! nobody wants them.

use crate::arena::Key;
use crate::core::Core;
use crate::event::{Event, Pending, ProducerEvent};
use crate::id::{ProducerId, ShardId};
use crate::producer::Producer;
use crate::relay::{RelayNews, Subscription};
use crate::source::{Mirror, Origin, Source};
use crate::switches::SwitchCause;
use crate::timers::Timer;
use crate::wanted::Wish;
use tureen_rtp_dictionaries::MediaKind;
use tureen_rtp_wire::Time;
use tureen_transport::Transport;

impl<T: Transport> Core<T> {
    /// What is wanted of a source may be something else from now on.
    pub(crate) fn wishes_changed(&mut self, key: Key<Source>) {
        if let Some(source) = self.sources.get_mut(key).filter(|source| source.kind == MediaKind::Video) {
            source.wanted.look_soon(&mut self.timers, key);
        }
    }

    pub(crate) fn wanted_due(&mut self, now: Time, key: Key<Source>) {
        let Some(source) = self.sources.get_mut(key) else { return };
        if !source.wanted.fired(now) {
            return;
        }
        let consumers = source.consumers.iter().filter_map(|consumer| self.consumers.get(*consumer));
        let here = consumers.fold(Wish::Nothing, |all, consumer| all.join(consumer.wish()));
        let producer = match source.origin {
            Origin::Here(producer) => producer,
            Origin::Shard { home, subscription } => {
                if std::mem::replace(&mut source.wanted.relayed, here) != here {
                    let subscription = Subscription { producer: source.producer_id, number: subscription };
                    let news = RelayNews::Wanted(subscription, self.config.shard, here);
                    self.relay.to(home).push_news(news);
                }
                return;
            }
        };
        let all = here.join(source.wished_elsewhere());
        let changed = source.wanted.follow(now, all);
        source.wanted.arm(&mut self.timers, key);
        if changed {
            if !std::mem::replace(&mut source.wanted.promised, true) {
                self.events.promise(Pending::WantedLayers(key));
            }
            self.end_rest_of_wanted(now, producer, key);
        }
    }

    /// What is wanted on another shard.
    pub(crate) fn hear_wish(&mut self, told: Subscription, shard: ShardId, wish: Wish) {
        let Ok(key) = self.source_key(told.producer) else { return };
        let Some(source) = self.sources.get_mut(key) else { return };
        source.wished_at(Mirror { shard, subscription: told.number }, wish);
        self.wishes_changed(key);
    }

    pub(crate) fn describe_wanted(&mut self, key: Key<Source>) -> Option<Event> {
        let source = self.sources.get_mut(key)?;
        let layers = source.announce_wanted()?;
        Some(Event::Producer(source.producer_id, ProducerEvent::WantedLayers(layers)))
    }

    /// Encodings that are wanted again are waited for: if they stay away, they are silent as any others.
    fn end_rest_of_wanted(&mut self, now: Time, key: Key<Producer>, source: Key<Source>) {
        let Some(source) = self.sources.get(source) else { return };
        let Some(producer) = self.producers.get_mut(key) else { return };
        let streams = (0..).zip(&mut producer.streams).filter(|(encoding, _)| source.wants(*encoding));
        for (encoding, stream) in streams {
            let Some(stream) = stream else { continue };
            if stream.recv.end_rest(now) {
                let deadline = stream.recv.next_deadline();
                stream.timer.arm(&mut self.timers, deadline, Timer::Stream(key, encoding));
            }
        }
    }

    /// Lets a silent stream rest that nobody wants: its publisher stopped it because of that.
    pub(crate) fn rest_unwanted(&mut self, now: Time, key: Key<Producer>, encoding: u8) {
        let Some(producer) = self.producers.get_mut(key) else { return };
        let source = producer.source;
        let unwanted = self.sources.get(source).is_some_and(|source| !source.wants(encoding));
        let rests =
            producer.stream_mut(encoding).is_some_and(|stream| unwanted && stream.recv.poll_rest(now));
        if rests {
            self.set_resting(now, source, encoding);
        }
    }

    /// Takes note that an encoding rests, here and where it is mirrored: consumers do not go for it until its next packet.
    fn set_resting(&mut self, now: Time, key: Key<Source>, encoding: u8) {
        let Some(source) = self.sources.get_mut(key) else { return };
        let Some(stream) = source.streams.get_mut(usize::from(encoding)) else { return };
        if std::mem::replace(&mut stream.resting, true) {
            return;
        }
        for mirror in &source.mirrors {
            self.relay.to(mirror.shard).push_news(RelayNews::Resting(source.producer_id, encoding));
        }
        self.choose_layers(now, key, SwitchCause::EncodingEnded);
        self.note_switches(now);
    }

    /// The same, at a mirror.
    pub(crate) fn hear_resting(&mut self, now: Time, producer: ProducerId, encoding: u8) {
        if let Ok(key) = self.source_key(producer) {
            self.set_resting(now, key, encoding);
        }
    }
}
