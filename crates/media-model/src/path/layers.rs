//! Which layers a consumer gets: chosen when a stream of its source comes, goes or recovers, and when its preference changes.
//!
//! Chooses; the switch itself, at a key frame, is the selector's.

use crate::arena::Key;
use crate::consumer::Consumer;
use crate::core::Core;
use crate::relay::RelayNews;
use crate::source::{Source, SourceStream};
use crate::switches::SwitchCause;
use tureen_forwarding::{ActiveLayers, Selector};
use tureen_rtp_wire::Time;
use tureen_transport::Transport;

impl<T: Transport> Core<T> {
    /// Chooses anew for all consumers of a source.
    pub(crate) fn choose_layers(&mut self, now: Time, key: Key<Source>, cause: SwitchCause) {
        let mut index = 0;
        while let Some(&consumer) = self.sources.get(key).and_then(|source| source.consumers.get(index)) {
            self.choose_layers_of(now, consumer, cause);
            index += 1;
        }
    }

    /// Lets a consumer of one stream follow the best encoding that is alive and not above what it prefers, nor above what its path has room for. What follows from it is done
    /// by [`note_switches`](Self::note_switches), at the end of the batch at the latest: the packet that made an encoding the best one may
    /// be the key frame that is needed.
    pub(crate) fn choose_layers_of(&mut self, now: Time, key: Key<Consumer>, cause: SwitchCause) {
        let Some(consumer) = self.consumers.get_mut(key) else { return };
        let Some(source) = self.sources.get(consumer.source) else { return };
        let allowed = consumer.allowed_layers().map(|layers| layers.spatial_layer);
        let Some(best) = source.best_encoding(allowed) else { return };
        let (spatial_layer, temporal_layer) = match source.streams.get(usize::from(best)) {
            Some(SourceStream { active_layers: Some(active), .. }) => {
                within(consumer.wanted_layers(), *active)
            }
            _ => consumer.wanted_layers(),
        };
        let Some(stream) = consumer.streams.first_mut() else { return };
        let moved = match &mut consumer.selector {
            Selector::Simulcast(selector) => {
                stream.encoding = stream.encoding.or(Some(best));
                let before = selector.target();
                let moved =
                    selector.set_target(best, temporal_layer) | selector.set_spatial_target(spatial_layer);
                if selector.target() != before {
                    consumer.switches.decide(now, cause);
                }
                moved
            }
            Selector::Pipe(_) => false,
            selector => {
                let moved = stream.encoding.replace(best) != Some(best);
                if moved {
                    selector.source_changed(best);
                    consumer.replay = None;
                }
                moved
            }
        };
        if moved {
            self.switched.push(key);
        }
    }

    /// Follows up on consumers that are to send other layers, do so now, or could not switch.
    pub(crate) fn note_switches(&mut self, now: Time) {
        let mut switched = std::mem::take(&mut self.switched);
        for key in switched.drain(..) {
            let Some(consumer) = self.consumers.get_mut(key) else { continue };
            if let (Some(layers), Some(stream)) = (consumer.selected(), consumer.streams.first_mut()) {
                stream.encoding = Some(layers.encoding);
            }
            let source = consumer.source;
            self.wishes_changed(source);
            self.time_hold(key);
            self.request_key_frames_for(key);
            self.note_layers(now, key);
            self.promise_layers(key);
            self.promise_consumer_score(key);
        }
        self.switched = switched;
    }

    /// Writes down what a consumer sends now, if that is something else than before.
    pub(crate) fn note_layers(&mut self, now: Time, key: Key<Consumer>) {
        let Some(consumer) = self.consumers.get_mut(key) else { return };
        let layers = consumer.current_layers();
        if let Some(cause) = consumer.switches.note(now, layers)
            && let Some(count) = self.tally.switches.get_mut(cause.index())
        {
            *count += 1;
        }
    }

    /// Takes note of the layers that a stream has now: who wants others gets the nearest.
    pub(crate) fn set_active_layers(
        &mut self,
        now: Time,
        key: Key<Source>,
        encoding: u8,
        layers: Option<ActiveLayers>,
    ) {
        let Some(source) = self.sources.get_mut(key) else { return };
        let Some(stream) = source.streams.get_mut(usize::from(encoding)) else { return };
        if std::mem::replace(&mut stream.active_layers, layers) == layers {
            return;
        }
        for mirror in &source.mirrors {
            let news = RelayNews::ActiveLayers(source.producer_id, encoding, layers);
            self.relay.to(mirror.shard).push_news(news);
        }
        self.choose_layers(now, key, SwitchCause::PublisherLayers);
    }
}

/// The nearest layers to those wanted, of those that are sent.
fn within((spatial, temporal): (u8, u8), active: ActiveLayers) -> (u8, u8) {
    (spatial.min(active.highest_spatial).max(active.lowest_spatial), temporal.min(active.highest_temporal))
}
