//! A handle to a transport of any kind. Must not know what the kinds can do.

use super::{
    DirectTransport, Handle, PipeTransport, PlainTransport, Transport, TransportInner, TransportKind,
    WebRtcTransport,
};
use std::sync::{Arc, Weak};
use tureen_media_model::TransportId;

impl TransportInner {
    pub(crate) fn any(self: &Arc<Self>) -> AnyTransport {
        match self.shared.kind {
            TransportKind::Plain(_) => AnyTransport::Plain(PlainTransport::new(Arc::clone(self))),
            TransportKind::WebRtc(_) => AnyTransport::WebRtc(WebRtcTransport::new(Arc::clone(self))),
            TransportKind::Direct => AnyTransport::Direct(DirectTransport::new(Arc::clone(self))),
            TransportKind::Pipe(_) => AnyTransport::Pipe(PipeTransport::new(Arc::clone(self))),
        }
    }
}

/// A transport of any kind.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum AnyTransport {
    /// A plain transport.
    Plain(PlainTransport),
    /// A WebRTC transport.
    WebRtc(WebRtcTransport),
    /// A direct transport.
    Direct(DirectTransport),
    /// A pipe transport.
    Pipe(PipeTransport),
}

impl Handle for AnyTransport {
    fn inner(&self) -> &Arc<TransportInner> {
        match self {
            Self::Plain(transport) => transport.inner(),
            Self::WebRtc(transport) => transport.inner(),
            Self::Direct(transport) => transport.inner(),
            Self::Pipe(transport) => transport.inner(),
        }
    }
}

impl Transport for AnyTransport {}

impl AnyTransport {
    /// A handle that does not keep it open.
    pub fn downgrade(&self) -> WeakTransport {
        WeakTransport { inner: Arc::downgrade(self.inner()), id: self.id() }
    }
}

impl From<PlainTransport> for AnyTransport {
    fn from(transport: PlainTransport) -> Self {
        Self::Plain(transport)
    }
}

impl From<WebRtcTransport> for AnyTransport {
    fn from(transport: WebRtcTransport) -> Self {
        Self::WebRtc(transport)
    }
}

impl From<DirectTransport> for AnyTransport {
    fn from(transport: DirectTransport) -> Self {
        Self::Direct(transport)
    }
}

impl From<PipeTransport> for AnyTransport {
    fn from(transport: PipeTransport) -> Self {
        Self::Pipe(transport)
    }
}

/// A handle that does not keep its transport open.
#[derive(Clone)]
pub struct WeakTransport {
    inner: Weak<TransportInner>,
    id: TransportId,
}

impl WeakTransport {
    /// The transport, unless its last handle is gone.
    pub fn upgrade(&self) -> Option<AnyTransport> {
        self.inner.upgrade().map(|inner| inner.any())
    }

    /// Its id.
    pub fn id(&self) -> TransportId {
        self.id
    }
}

impl std::fmt::Debug for WeakTransport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WeakTransport").field("id", &self.id).finish_non_exhaustive()
    }
}
