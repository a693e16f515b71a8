//! Sources across shards: a producer's home publishes, other shards mirror.

use crate::codec::CodecTable;
use crate::command::{MirrorSource, PublishSource};
use crate::control::produce::source_streams;
use crate::core::Core;
use crate::description::SourceDescription;
use crate::error::NotFoundError;
use crate::source::{Origin, Source};
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
        let source = self.sources.get_mut(key).ok_or(missing)?;
        if request.to != home && !source.mirrors.contains(&request.to) {
            source.mirrors.push(request.to);
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
            paused: source.paused,
            scores: source.scores().collect(),
        })
    }

    pub(crate) fn mirror_source(&mut self, _now: Time, request: MirrorSource) -> Result<(), NotFoundError> {
        let description = request.source;
        if self.index.sources.contains_key(&description.producer_id) {
            return Ok(());
        }
        let router = self.index.routers.get(&description.router_id).copied();
        let router = router.ok_or(NotFoundError::Router(description.router_id))?;
        let codecs = CodecTable::new(&description.rtp_parameters, &description.mapping);
        let mut streams = source_streams(description.kind, &description.rtp_parameters, &codecs);
        for (stream, score) in streams.iter_mut().zip(&description.scores) {
            stream.score = *score;
        }
        self.insert_source(Source {
            producer_id: description.producer_id,
            router,
            origin: Origin::Shard(description.home),
            kind: description.kind,
            producer_type: description.producer_type,
            rtp_parameters: description.rtp_parameters,
            consumable: description.consumable_rtp_parameters,
            mapping: description.mapping,
            paused: description.paused,
            streams,
            consumers: Vec::new(),
            mirrors: SmallVec::new(),
            burst: Default::default(),
        });
        Ok(())
    }
}
