//! Which layers a consumer gets: chosen when a stream of its source comes, goes or recovers, and when its preference changes.
//!
//! Chooses; the switch itself, at a key frame, is the selector's.

use crate::arena::Key;
use crate::consumer::Consumer;
use crate::core::Core;
use crate::relay::RelayNews;
use crate::source::{Source, SourceStream};
use tureen_forwarding::{ActiveLayers, Selector};
use tureen_transport::Transport;

impl<T: Transport> Core<T> {
    /// Chooses anew for all consumers of a source.
    pub(crate) fn choose_layers(&mut self, key: Key<Source>) {
        let mut index = 0;
        while let Some(&consumer) = self.sources.get(key).and_then(|source| source.consumers.get(index)) {
            self.choose_layers_of(consumer);
            index += 1;
        }
    }

    /// Lets a consumer of one stream follow the best encoding that is alive and not above what it prefers. What follows from it is done
    /// by [`note_switches`](Self::note_switches), at the end of the batch at the latest: the packet that made an encoding the best one may
    /// be the key frame that is needed.
    pub(crate) fn choose_layers_of(&mut self, key: Key<Consumer>) {
        let Some(consumer) = self.consumers.get_mut(key) else { return };
        let Some(source) = self.sources.get(consumer.source) else { return };
        let preferred = consumer.preferred_layers.map(|layers| layers.spatial_layer);
        let Some(best) = source.best_encoding(preferred) else { return };
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
                selector.set_target(best, temporal_layer) | selector.set_spatial_target(spatial_layer)
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
    pub(crate) fn note_switches(&mut self) {
        let mut switched = std::mem::take(&mut self.switched);
        for key in switched.drain(..) {
            let Some(consumer) = self.consumers.get_mut(key) else { continue };
            if let (Some(layers), Some(stream)) = (consumer.selected(), consumer.streams.first_mut()) {
                stream.encoding = Some(layers.encoding);
            }
            self.request_key_frames_for(key);
            self.promise_layers(key);
            self.promise_consumer_score(key);
        }
        self.switched = switched;
    }

    /// Takes note of the layers that a stream has now: who wants others gets the nearest.
    pub(crate) fn set_active_layers(&mut self, key: Key<Source>, encoding: u8, layers: Option<ActiveLayers>) {
        let Some(source) = self.sources.get_mut(key) else { return };
        let Some(stream) = source.streams.get_mut(usize::from(encoding)) else { return };
        if std::mem::replace(&mut stream.active_layers, layers) == layers {
            return;
        }
        for mirror in &source.mirrors {
            let news = RelayNews::ActiveLayers(source.producer_id, encoding, layers);
            self.relay.to(mirror.shard).push_news(news);
        }
        self.choose_layers(key);
    }

    /// Takes note of how the clock of a stream lies to that of the source's other streams.
    pub(crate) fn set_alignment(&mut self, key: Key<Source>, encoding: u8, alignment: u32) {
        let Some(source) = self.sources.get_mut(key).filter(|source| source.streams.len() > 1) else {
            return;
        };
        let Some(stream) = source.streams.get_mut(usize::from(encoding)) else { return };
        stream.alignment = Some(alignment);
        for mirror in &source.mirrors {
            let news = RelayNews::Alignment(source.producer_id, encoding, alignment);
            self.relay.to(mirror.shard).push_news(news);
        }
        for &consumer in &source.consumers {
            if let Some(Selector::Simulcast(selector)) =
                self.consumers.get_mut(consumer).map(|consumer| &mut consumer.selector)
            {
                selector.set_alignment(encoding, alignment);
            }
        }
    }
}

/// The nearest layers to those wanted, of those that are sent.
fn within((spatial, temporal): (u8, u8), active: ActiveLayers) -> (u8, u8) {
    (spatial.min(active.highest_spatial).max(active.lowest_spatial), temporal.min(active.highest_temporal))
}
