//! The direct transport: RTP and RTCP between a Router and this program.

use super::{Transport, TransportInner, complete, prepare, sealed};
use crate::error::{CreateTransportError, SendError};
use crate::event::TransportEvent;
use crate::listeners::{HandlerId, on_events};
use crate::options::DirectTransportOptions;
use crate::router::Router;
use crate::typed;
use bytes::Bytes;
use std::sync::{Arc, Weak};

pub(crate) async fn create_direct(
    router: Router,
    options: DirectTransportOptions,
) -> Result<DirectTransport, CreateTransportError> {
    let inner = prepare(router, options.shard, super::TransportKind::Direct, None, options.app_data)?;
    let shared = &inner.shared;
    let answer =
        shared.link.shard().add_direct_transport(shared.router.id, shared.id, options.max_message_size).await;
    complete(&inner, answer)?;
    Ok(DirectTransport::new(inner))
}

/// A transport between a Router and this program: [`Producer::send`](crate::Producer::send) puts RTP in,
/// [`Consumer::on_rtp`](crate::Consumer::on_rtp) takes it out, and RTCP goes both ways here.
///
/// It has no address, no keys, and nobody who could be told to send less.
#[derive(Clone)]
pub struct DirectTransport {
    inner: Arc<TransportInner>,
}

/// A handle that does not keep its transport open.
#[derive(Clone)]
pub struct WeakDirectTransport {
    inner: Weak<TransportInner>,
}

impl WeakDirectTransport {
    /// The transport, unless its last handle is gone.
    pub fn upgrade(&self) -> Option<DirectTransport> {
        self.inner.upgrade().map(DirectTransport::new)
    }
}

impl sealed::Handle for DirectTransport {
    fn inner(&self) -> &Arc<TransportInner> {
        &self.inner
    }
}

impl Transport for DirectTransport {}

impl DirectTransport {
    pub(super) fn new(inner: Arc<TransportInner>) -> Self {
        Self { inner }
    }

    /// A handle that does not keep it open.
    pub fn downgrade(&self) -> WeakDirectTransport {
        WeakDirectTransport { inner: Arc::downgrade(&self.inner) }
    }

    /// Sends an RTCP compound, as an endpoint would. What is in it counts if it is well formed.
    ///
    /// # Errors
    /// [`SendError`].
    pub fn send_rtcp(&self, packet: Bytes) -> Result<(), SendError> {
        let shared = &self.inner.shared;
        if shared.liveness.is_closed() {
            return Err(SendError::Closed);
        }
        Ok(shared.link.shard().send_rtcp(shared.id, packet)?)
    }

    /// Sends RTCP packets of the `rtcp` crate as one compound; see [`DirectTransport::send_rtcp`].
    ///
    /// # Errors
    /// [`SendError`].
    pub fn send_rtcp_packets(
        &self,
        packets: &[Box<dyn rtcp::packet::Packet + Send + Sync>],
    ) -> Result<(), SendError> {
        self.send_rtcp(typed::rtcp_bytes(packets)?)
    }

    on_events! { TransportEvent, |this| this.inner.shared.outlet.public;
        /// An RTCP compound for this program.
        on_rtcp => Rtcp(Bytes);
    }

    /// An RTCP compound for this program, as packets of the `rtcp` crate. Those that it has no room for are left out.
    pub fn on_rtcp_packets(
        &self,
        listener: impl Fn(&[Box<dyn rtcp::packet::Packet + Send + Sync>]) + Send + Sync + 'static,
    ) -> HandlerId {
        self.on_rtcp(move |packet| {
            if let Some(packets) = typed::rtcp_packets(packet) {
                listener(&packets);
            }
        })
    }
}

impl std::fmt::Debug for DirectTransport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut debug = f.debug_struct("DirectTransport");
        debug.field("id", &self.id()).field("closed", &self.closed()).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for WeakDirectTransport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WeakDirectTransport").finish_non_exhaustive()
    }
}
