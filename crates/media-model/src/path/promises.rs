//! Events that are told by their newest state: promised once, described when somebody asks.

use crate::arena::Key;
use crate::consumer::Consumer;
use crate::core::Core;
use crate::event::{ConsumerEvent, Event, Pending, ProducerEvent, ProducerScore};
use crate::producer::Producer;
use crate::relay::RelayNews;
use crate::source::Source;
use crate::switches::SwitchCause;
use tureen_rtp_wire::Time;
use tureen_transport::Transport;

impl<T: Transport> Core<T> {
    /// The next event, if there is one.
    pub fn poll_event(&mut self) -> Option<Event> {
        loop {
            let described = match self.events.pop()? {
                Pending::Ready(event) => Some(event),
                Pending::ProducerScore(key) => self.describe_producer_score(key),
                Pending::ProducerOrientation(key) => self.describe_orientation(key),
                Pending::WantedLayers(key) => self.describe_wanted(key),
                Pending::ConsumerScore(key) => self.describe_consumer_score(key),
                Pending::ConsumerLayers(key) => self.describe_layers(key),
                Pending::Finding(key) => self.describe_finding(key),
            };
            if described.is_some() {
                return described;
            }
        }
    }

    pub(crate) fn promise_producer_score(&mut self, key: Key<Producer>) {
        let Some(producer) = self.producers.get_mut(key) else { return };
        if !std::mem::replace(&mut producer.score_promised, true) {
            self.events.promise(Pending::ProducerScore(key));
        }
    }

    pub(crate) fn promise_orientation(&mut self, key: Key<Producer>) {
        let Some(producer) = self.producers.get_mut(key) else { return };
        if !std::mem::replace(&mut producer.orientation_promised, true) {
            self.events.promise(Pending::ProducerOrientation(key));
        }
    }

    pub(crate) fn promise_consumer_score(&mut self, key: Key<Consumer>) {
        let Some(consumer) = self.consumers.get_mut(key) else { return };
        if !std::mem::replace(&mut consumer.score_promised, true) {
            self.events.promise(Pending::ConsumerScore(key));
        }
    }

    pub(crate) fn promise_layers(&mut self, key: Key<Consumer>) {
        let Some(consumer) = self.consumers.get_mut(key) else { return };
        if !std::mem::replace(&mut consumer.layers_promised, true) {
            self.events.promise(Pending::ConsumerLayers(key));
        }
    }

    /// Takes note of the score of an encoding, here and where it is mirrored, and lets consumers act on it.
    pub(crate) fn set_score(&mut self, now: Time, key: Key<Source>, encoding: u8, score: u8) {
        let Some(source) = self.sources.get_mut(key) else { return };
        let Some(stream) = source.streams.get_mut(usize::from(encoding)) else { return };
        if stream.score == score {
            return;
        }
        stream.score = score;
        let producer_id = source.producer_id;
        for mirror in &source.mirrors {
            self.relay.to(mirror.shard).push_news(RelayNews::Score(producer_id, encoding, score));
        }
        let mut index = 0;
        while let Some(&consumer) = self.sources.get(key).and_then(|source| source.consumers.get(index)) {
            self.promise_consumer_score(consumer);
            index += 1;
        }
        let cause = if score == 0 { SwitchCause::EncodingEnded } else { SwitchCause::EncodingCame };
        self.choose_layers(now, key, cause);
        if score == 0 {
            self.note_switches(now);
        }
    }

    fn describe_producer_score(&mut self, key: Key<Producer>) -> Option<Event> {
        let producer = self.producers.get_mut(key)?;
        producer.score_promised = false;
        let scores = producer_scores(producer);
        Some(Event::Producer(producer.definition.id, ProducerEvent::Score(scores)))
    }

    fn describe_orientation(&mut self, key: Key<Producer>) -> Option<Event> {
        let producer = self.producers.get_mut(key)?;
        producer.orientation_promised = false;
        Some(Event::Producer(producer.definition.id, ProducerEvent::VideoOrientation(producer.orientation?)))
    }

    fn describe_consumer_score(&mut self, key: Key<Consumer>) -> Option<Event> {
        let consumer = self.consumers.get_mut(key)?;
        consumer.score_promised = false;
        let scores = self.sources.get(consumer.source)?.scores().collect();
        Some(Event::Consumer(consumer.definition.id, ConsumerEvent::Score(consumer.score(scores))))
    }

    fn describe_layers(&mut self, key: Key<Consumer>) -> Option<Event> {
        let consumer = self.consumers.get_mut(key)?;
        consumer.layers_promised = false;
        let layers = consumer.current_layers();
        if consumer.told_layers == layers {
            return None;
        }
        consumer.told_layers = layers;
        Some(Event::Consumer(consumer.definition.id, ConsumerEvent::Layers(layers)))
    }
}

/// The score of each stream that was seen.
pub(crate) fn producer_scores(producer: &Producer) -> Vec<ProducerScore> {
    let encodings = &producer.definition.rtp_parameters.encodings;
    let seen = producer.streams.iter().zip(encodings).enumerate();
    let scores = seen.filter_map(|(index, (stream, encoding))| {
        let stream = stream.as_deref()?;
        Some(ProducerScore {
            encoding_idx: u8::try_from(index).ok()?,
            ssrc: stream.recv.config().ssrc,
            rid: encoding.rid.clone(),
            score: stream.recv.score(),
        })
    });
    scores.collect()
}
