//! Sources across shards: a producer's home publishes, other shards mirror.

use crate::command::{MirrorSource, PublishSource};
use crate::control::closing::Closing;
use crate::control::produce::source_streams;
use crate::core::Core;
use crate::description::SourceDescription;
use crate::error::NotFoundError;
use crate::extensions::SourceExtensions;
use crate::relay::{RelayNews, Subscription};
use crate::source::{Mirror, Origin, Source};
use crate::wanted::Wish;
use smallvec::SmallVec;
use tureen_rtp_wire::Time;
use tureen_transport::Transport;

impl<T: Transport> Core<T> {
    pub(crate) fn publish_source(
        &mut self,
        _now: Time,
        request: PublishSource,
    ) -> Result<SourceDescription, NotFoundError> {
        let missing = NotFoundError::Producer(request.producer);
        // Only the home of a producer publishes it: a mirror of a mirror would relay twice.
        self.producer_key(request.producer)?;
        let key = self.source_key(request.producer)?;
        let home = self.config.shard;
        let subscription = self.relay.next_subscription(home);
        let source = self.sources.get_mut(key).ok_or(missing)?;
        if request.to != home {
            source.mirrors.retain(|mirror| mirror.shard != request.to);
            source.mirrors.push(Mirror { shard: request.to, subscription });
        }
        let router_id = self.routers.get(source.router).map(|router| router.id).ok_or(missing)?;
        Ok(SourceDescription {
            producer_id: source.producer_id,
            router_id,
            home,
            kind: source.kind,
            producer_type: source.producer_type,
            rtp_parameters: source.rtp_parameters.clone(),
            consumable_rtp_parameters: source.consumable.clone(),
            mapping: source.mapping.clone(),
            key_frame_cache: source.key_frame_cache,
            content_hint: source.content_hint,
            paused: source.paused,
            left_out: source.left_out,
            scores: source.scores().collect(),
            subscription,
        })
    }

    pub(crate) fn mirror_source(&mut self, _now: Time, request: MirrorSource) -> Result<(), NotFoundError> {
        let description = request.source;
        let (home, subscription) = (description.home, description.subscription);
        let subscribed = Subscription { producer: description.producer_id, number: subscription };
        if self.confirm_mirror(&description) {
            self.relay.to(home).push_news(RelayNews::Subscribed(subscribed, self.config.shard));
            return Ok(());
        }
        let Some(router) = self.index.routers.get(&description.router_id).copied() else {
            self.relay.to(home).push_news(RelayNews::Unsubscribe(subscribed, self.config.shard));
            return Err(NotFoundError::Router(description.router_id));
        };
        let cache = description.key_frame_cache;
        let mut streams = source_streams(description.kind, &description.consumable_rtp_parameters, cache);
        for (stream, score) in streams.iter_mut().zip(&description.scores) {
            stream.score = *score;
        }
        let extensions = SourceExtensions::new(&description.rtp_parameters.header_extensions);
        self.insert_source(Source {
            producer_id: description.producer_id,
            router,
            origin: Origin::Shard { home, subscription },
            kind: description.kind,
            producer_type: description.producer_type,
            rtp_parameters: description.rtp_parameters,
            consumable: description.consumable_rtp_parameters,
            mapping: description.mapping,
            dependency_descriptor: extensions.dependency_descriptor,
            key_frame_cache: cache,
            content_hint: description.content_hint,
            paused: description.paused,
            left_out: description.left_out,
            clock: None,
            streams,
            consumers: Vec::new(),
            mirrors: SmallVec::new(),
            wanted: Default::default(),
            burst: Default::default(),
        });
        self.relay.to(home).push_news(RelayNews::Subscribed(subscribed, self.config.shard));
        Ok(())
    }

    /// Whether a source is there already, which then belongs to the new publication. A mirror of another producer that had the
    /// same id goes: the news of its end is still under way.
    fn confirm_mirror(&mut self, description: &SourceDescription) -> bool {
        let Some(&key) = self.index.sources.get(&description.producer_id) else { return false };
        let Some(source) = self.sources.get_mut(key) else { return false };
        let Origin::Shard { home, subscription } = &mut source.origin else { return true };
        let same = *home == description.home
            && source.rtp_parameters == description.rtp_parameters
            && source.mapping == description.mapping
            && source.key_frame_cache == description.key_frame_cache
            && source.content_hint == description.content_hint;
        if same {
            *subscription = description.subscription.max(*subscription);
            // The home keeps what is wanted for the newest publication alone.
            source.wanted.relayed = Wish::Nothing;
            self.wishes_changed(key);
        } else {
            self.end_source(key, Closing::Nothing);
        }
        same
    }
}
