//! Sources of messages across shards: a data producer's home publishes, other shards mirror.

use crate::arena::Key;
use crate::command::{MirrorDataSource, PublishDataSource};
use crate::control::closing::Closing;
use crate::core::Core;
use crate::data::{DataOrigin, DataSource, DataSourceDescription};
use crate::error::NotFoundError;
use crate::id::DataProducerId;
use crate::relay::{DataNews, RelayNews, Subscription};
use crate::source::Mirror;
use tureen_rtp_wire::Time;
use tureen_transport::Transport;

impl<T: Transport> Core<T> {
    pub(crate) fn data_source_key(&self, id: DataProducerId) -> Result<Key<DataSource>, NotFoundError> {
        self.data.source_ids.get(&id).copied().ok_or(NotFoundError::DataProducer(id))
    }

    pub(super) fn insert_data_source(&mut self, source: DataSource) -> Key<DataSource> {
        let (id, router) = (source.producer_id, source.router);
        let key = self.data.sources.insert(source);
        self.data.source_ids.insert(id, key);
        if let Some(router) = self.routers.get_mut(router) {
            router.data_sources.push(key);
        }
        key
    }

    pub(crate) fn publish_data_source(
        &mut self,
        _now: Time,
        request: PublishDataSource,
    ) -> Result<DataSourceDescription, NotFoundError> {
        let missing = NotFoundError::DataProducer(request.data_producer);
        // Only the home of a data producer publishes it: a mirror of a mirror would relay twice.
        let producer = self.data_producer_key(request.data_producer)?;
        let key = self.data.producers.get(producer).ok_or(missing)?.source;
        let home = self.config.shard;
        let subscription = self.relay.next_subscription(home);
        let source = self.data.sources.get_mut(key).ok_or(missing)?;
        if request.to != home {
            source.mirrors.retain(|mirror| mirror.shard != request.to);
            source.mirrors.push(Mirror { shard: request.to, subscription });
        }
        let router_id = self.routers.get(source.router).map(|router| router.id).ok_or(missing)?;
        Ok(DataSourceDescription {
            data_producer_id: source.producer_id,
            router_id,
            home,
            sctp_stream_parameters: source.stream,
            label: source.label.clone(),
            protocol: source.protocol.clone(),
            paused: source.paused,
            subscription,
        })
    }

    pub(crate) fn mirror_data_source(
        &mut self,
        now: Time,
        request: MirrorDataSource,
    ) -> Result<(), NotFoundError> {
        let description = request.source;
        let (home, subscription) = (description.home, description.subscription);
        let subscribed = Subscription { producer: description.data_producer_id, number: subscription };
        if !self.confirm_data_mirror(now, &description) {
            let Some(router) = self.index.routers.get(&description.router_id).copied() else {
                let news = DataNews::Unsubscribe(subscribed, self.config.shard);
                self.relay.to(home).push_news(RelayNews::Data(news));
                return Err(NotFoundError::Router(description.router_id));
            };
            self.insert_data_source(DataSource {
                producer_id: description.data_producer_id,
                router,
                origin: DataOrigin::Shard { home, subscription },
                stream: description.sctp_stream_parameters,
                label: description.label,
                protocol: description.protocol,
                paused: description.paused,
                consumers: Vec::new(),
                mirrors: Vec::new(),
            });
        }
        let news = DataNews::Subscribed(subscribed, self.config.shard);
        self.relay.to(home).push_news(RelayNews::Data(news));
        Ok(())
    }

    /// Whether a source is there already, which then belongs to the new publication. A mirror of another data producer that had the
    /// same id goes: the news of its end is still under way.
    fn confirm_data_mirror(&mut self, now: Time, description: &DataSourceDescription) -> bool {
        let Ok(key) = self.data_source_key(description.data_producer_id) else { return false };
        let Some(source) = self.data.sources.get_mut(key) else { return false };
        let DataOrigin::Shard { home, subscription } = &mut source.origin else { return true };
        let same = *home == description.home
            && source.stream == description.sctp_stream_parameters
            && source.label == description.label
            && source.protocol == description.protocol;
        if same {
            *subscription = description.subscription.max(*subscription);
        } else {
            self.end_data_source(now, key, Closing::Nothing);
        }
        same
    }
}
