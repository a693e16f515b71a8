//! An object's link to the shard that it lives on.

use crate::error::RequestError;
use crate::liveness::Liveness;
use crate::worker::WorkerShared;
use std::sync::Arc;
use tureen_media_model::{NotFoundError, Request, ShardId};
use tureen_runtime::{AnyTransport, Close, ShardHandle};

/// A shard of a Worker, and the Worker.
#[derive(Clone)]
pub(crate) struct Link {
    pub(crate) worker: Arc<WorkerShared>,
    shard: ShardHandle,
}

impl Link {
    pub(crate) fn new(worker: Arc<WorkerShared>, shard: ShardHandle) -> Self {
        Self { worker, shard }
    }

    pub(crate) fn shard(&self) -> &ShardHandle {
        &self.shard
    }

    pub(crate) fn shard_id(&self) -> ShardId {
        self.shard.id()
    }

    /// Sends a request at once; the future waits for its answer.
    pub(crate) fn call<R: Request<AnyTransport>>(
        &self,
        request: R,
    ) -> impl Future<Output = Result<R::Reply, RequestError>> + Send + use<R>
    where
        R::Reply: Send,
    {
        let answer = self.shard.call(request);
        let worker = Arc::clone(&self.worker);
        async move { answer.await.map_err(|error| worker.explain(error)) }
    }

    /// Asks on behalf of an object that must be open.
    pub(crate) fn ask<R, A>(
        &self,
        liveness: &Liveness,
        request: R,
    ) -> impl Future<Output = Result<A, RequestError>> + Send + use<R, A>
    where
        R: Request<AnyTransport, Reply = Result<A, NotFoundError>>,
        A: Send,
    {
        let answer = if liveness.is_closed() { Err(RequestError::Closed) } else { Ok(self.call(request)) };
        async move { Ok(answer?.await??) }
    }

    /// Closes an object on the shard.
    pub(crate) fn close(&self, close: impl Into<Close>) {
        self.shard.post(close);
    }
}
