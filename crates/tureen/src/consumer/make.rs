//! How a consumer is made, and how its source is brought to its shard first where that is another one.

use super::{Consumer, ConsumerInner, ConsumerShared};
use crate::dispatch::Created;
use crate::error::{ConsumeError, RequestError};
use crate::link::Link;
use crate::options::ConsumerOptions;
use crate::producer::ProducerShared;
use crate::transport::TransportInner;
use std::sync::Arc;
use tureen_media_model as model;
use tureen_media_model::{Consume, MirrorSource, NotFoundError, PublishSource};

/// A consumer that is being made; it is closed again unless that succeeds.
struct Pending(Option<Arc<ConsumerShared>>);

impl Drop for Pending {
    fn drop(&mut self) {
        if let Some(shared) = self.0.take() {
            shared.close();
        }
    }
}

pub(crate) async fn consume(
    transport: Arc<TransportInner>,
    options: ConsumerOptions,
) -> Result<Consumer, ConsumeError> {
    let parent = &transport.shared;
    if parent.liveness.is_closed() {
        return Err(RequestError::Closed.into());
    }
    let producer_id = options.producer_id;
    let producer = parent.router.producer(&producer_id).ok_or(ConsumeError::ProducerNotFound(producer_id))?;
    bring(&producer, &parent.link).await?;
    let shared = Arc::new(ConsumerShared::new(parent, &producer, &options));
    shared.enter();
    // Whoever closes the transport or the producer from here on finds the consumer; whoever did before did not.
    if shared.liveness.is_closed() {
        shared.abandon();
        return Err(closed(&shared));
    }
    let mut pending = Pending(Some(Arc::clone(&shared)));
    let request = model::ConsumerOptions {
        id: shared.id,
        producer_id,
        rtp_capabilities: options.rtp_capabilities,
        paused: options.paused,
        mid: options.mid,
        preferred_layers: options.preferred_layers,
        enable_rtx: options.enable_rtx,
        ignore_dtx: options.ignore_dtx,
        pipe: options.pipe,
        numbering: options.numbering,
        identity: options.identity,
    };
    let info = match parent.link.call(Consume { transport: parent.id, options: request }).await? {
        Ok(info) => info,
        Err(refused) => {
            shared.abandon();
            return Err(explain(refused));
        }
    };
    shared.made(&info);
    if shared.liveness.is_closed() {
        parent.remove_receiver(&shared);
        return Err(closed(&shared));
    }
    pending.0 = None;
    let parent = Arc::clone(parent);
    let consumer = Consumer { inner: Arc::new(ConsumerInner { shared, info, transport }) };
    let worker = Arc::clone(&parent.link.worker);
    worker.task(Created::Consumer(parent, consumer.downgrade()).task());
    Ok(consumer)
}

/// Has the producer's packets relayed to the consumer's shard, unless it lives there. Both steps do nothing when they
/// were done before.
async fn bring(producer: &ProducerShared, to: &Link) -> Result<(), ConsumeError> {
    let home = &producer.transport.link;
    if home.shard_id() == to.shard_id() {
        return Ok(());
    }
    let published = home.call(PublishSource { producer: producer.id, to: to.shard_id() }).await?;
    let source = published.map_err(|_| ConsumeError::ProducerNotFound(producer.id))?;
    to.call(MirrorSource { source }).await?.map_err(RequestError::from)?;
    Ok(())
}

/// What closed a consumer while it was being made.
fn closed(shared: &ConsumerShared) -> ConsumeError {
    if shared.transport.liveness.is_closed() {
        RequestError::Closed.into()
    } else {
        ConsumeError::ProducerNotFound(shared.producer.id)
    }
}

fn explain(refused: model::ConsumeError) -> ConsumeError {
    match refused {
        model::ConsumeError::NotFound(NotFoundError::Producer(id)) => ConsumeError::ProducerNotFound(id),
        model::ConsumeError::NotFound(gone) => ConsumeError::Request(gone.into()),
        refused => ConsumeError::Refused(refused),
    }
}
