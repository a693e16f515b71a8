//! Piping: a producer of one Router made available on another, over a pair of pipe transports. Must not know packets.
//!
//! | part | where |
//! |---|---|
//! | what it is asked for with | [`options`] |
//! | the transports between two Routers | [`pair`] |
//! | what keeps the two ends alike | [`mirror`] |

mod mirror;
mod options;
mod pair;

pub use options::{PipeConnectOptions, PipeToRouterOptions, PipeTransportOptions};
pub(crate) use pair::Pairs;

use crate::consumer::Consumer;
use crate::data::{DataConsumer, DataConsumerOptions, DataProducer, DataProducerOptions};
use crate::error::{PipeDataProducerToRouterError, PipeError, PipeProducerToRouterError};
use crate::options::{ConsumerOptions, ProducerOptions};
use crate::producer::Producer;
use crate::router::Router;
use crate::transport::{DataTransport as _, Transport as _};
use mirror::{FarEnd, Mirror};
use std::sync::Arc;
use tureen_media_model::{DataProducerId, ProducerId};

/// A producer on two Routers.
#[derive(Debug)]
pub struct PipedProducerPair {
    /// What carries it out of the near Router.
    pub consumer: Consumer,
    /// What it is on the far Router.
    pub producer: PipedProducer,
}

/// A data producer on two Routers.
#[derive(Debug)]
pub struct PipedDataProducerPair {
    /// What carries its messages out of the near Router.
    pub consumer: DataConsumer,
    /// What it is on the far Router.
    pub producer: PipedDataProducer,
}

/// A producer that came over a pipe. Dropping this closes nothing: it is open for as long as the one that it mirrors, unless it or its
/// transport is closed before.
pub struct PipedProducer(Piped<Producer>);

/// A data producer that came over a pipe. Dropping this closes nothing: it is open for as long as the one that it mirrors, unless it or its
/// transport is closed before.
pub struct PipedDataProducer(Piped<DataProducer>);

struct Piped<F: FarEnd> {
    producer: F,
    mirror: Arc<Mirror<F>>,
}

impl<F: FarEnd> Piped<F> {
    fn into_inner(self) -> F {
        self.mirror.let_go();
        self.producer
    }
}

macro_rules! guards {
    ($($guard:ident of $producer:ident;)*) => {$(
        impl $guard {
            /// The producer.
            pub fn producer(&self) -> &$producer {
                &self.0.producer
            }

            /// Makes it one that closes with its last handle, as others do.
            pub fn into_inner(self) -> $producer {
                self.0.into_inner()
            }
        }

        impl std::fmt::Debug for $guard {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_tuple(stringify!($guard)).field(self.producer()).finish()
            }
        }
    )*};
}

guards! {
    PipedProducer of Producer;
    PipedDataProducer of DataProducer;
}

fn check(near: &Router, options: &PipeToRouterOptions) -> Result<(), PipeError> {
    let far = &options.router;
    if near.id() == far.id() {
        return Err(PipeError::SameRouter);
    }
    let same_worker = near.worker().id() == far.worker().id();
    if options.keep_id && same_worker { Err(PipeError::SameWorker) } else { Ok(()) }
}

pub(crate) async fn pipe_producer(
    near: &Router,
    id: ProducerId,
    options: PipeToRouterOptions,
) -> Result<PipedProducerPair, PipeProducerToRouterError> {
    check(near, &options)?;
    let missing = || PipeProducerToRouterError::ProducerNotFound(id);
    let original = near.shared().producer(&id).ok_or_else(missing)?;
    let shard = original.transport.link.shard_id().0;
    let [near_end, far_end] = pair::join(near, &options, shard).await?;
    let consumer = near_end.consume(ConsumerOptions::over_pipe(id)).await?;
    let paused = consumer.producer_paused();
    let mut far = ProducerOptions::new(consumer.kind(), consumer.rtp_parameters().clone());
    far.id = options.keep_id.then_some(id);
    far.paused = paused;
    far.content_hint = original.content_hint;
    far.app_data = original.app_data().clone();
    let producer = far_end.produce(far).await?;
    let mirror = Mirror::join(&consumer, &producer, paused);
    if original.liveness.is_closed() {
        return Err(missing());
    }
    Ok(PipedProducerPair { consumer, producer: PipedProducer(Piped { producer, mirror }) })
}

pub(crate) async fn pipe_data_producer(
    near: &Router,
    id: DataProducerId,
    options: PipeToRouterOptions,
) -> Result<PipedDataProducerPair, PipeDataProducerToRouterError> {
    check(near, &options)?;
    let missing = || PipeDataProducerToRouterError::DataProducerNotFound(id);
    let original = near.shared().data_producer(&id).ok_or_else(missing)?;
    let shard = original.transport.link.shard_id().0;
    let [near_end, far_end] = pair::join(near, &options, shard).await?;
    let consumer = near_end.consume_data(DataConsumerOptions::new(id)).await?;
    let paused = consumer.data_producer_paused();
    let far = DataProducerOptions {
        id: options.keep_id.then_some(id),
        sctp_stream_parameters: consumer.sctp_stream_parameters(),
        label: consumer.label().to_owned(),
        protocol: consumer.protocol().to_owned(),
        paused,
        app_data: original.app_data().clone(),
    };
    let producer = far_end.produce_data(far).await?;
    let mirror = Mirror::join(&consumer, &producer, paused);
    if original.liveness.is_closed() {
        return Err(missing());
    }
    Ok(PipedDataProducerPair { consumer, producer: PipedDataProducer(Piped { producer, mirror }) })
}
