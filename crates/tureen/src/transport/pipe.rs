//! The pipe transport: whole producers and their messages from one Router to another, in this process or elsewhere.

use super::plain::PlainState;
use super::{
    PipeTransportDump, PipeTransportStats, Transport, TransportInner, TransportKind, TransportTuple,
    complete, prepare, sealed, socket_listen,
};
use crate::error::{ConnectError, CreateTransportError, RequestError};
use crate::pipe::{PipeConnectOptions, PipeTransportOptions};
use crate::router::Router;
use std::net::SocketAddr;
use std::sync::{Arc, Weak};
use tureen_data::MAX_MESSAGE_SIZE;
use tureen_media_model::{PIPE_FRAME_ROOM, PipeOptions, SctpOptions, SetMaxIncomingBitrate, TransportId};
use tureen_rtp_dictionaries::{CryptoSuite, SrtpParameters, TransportProtocol};
use tureen_runtime::AnyDetails;
use tureen_transport as adapter;

/// What is known of a pipe transport's addresses and keys.
pub(crate) struct PipeState {
    path: PlainState,
    rtx: bool,
}

impl PipeState {
    pub(super) fn stats(&self) -> PipeTransportStats {
        PipeTransportStats { tuple: self.path.tuple() }
    }

    pub(super) fn dump(&self) -> PipeTransportDump {
        PipeTransportDump {
            tuple: self.path.tuple(),
            rtx: self.rtx,
            srtp_parameters: self.path.srtp_parameters(),
        }
    }
}

pub(crate) async fn create_pipe(
    router: Router,
    options: PipeTransportOptions,
) -> Result<PipeTransport, CreateTransportError> {
    if options.listen_info.protocol != TransportProtocol::Udp {
        return Err(CreateTransportError::Protocol);
    }
    let listen = socket_listen(&options.listen_info, &router.shared().worker.rtc_port_range);
    let path = PlainState::on_one_port(&options.listen_info);
    let sctp = options.sctp.model(false).map(with_room_for_frames);
    let kind = TransportKind::Pipe(Box::new(PipeState { path, rtx: options.enable_rtx }));
    let inner = prepare(router, options.shard, kind, sctp, options.app_data)?;
    let shared = &inner.shared;
    let shard = shared.link.shard();
    let pipe = PipeOptions { enable_rtx: options.enable_rtx };
    let answer =
        shard.add_pipe_transport(shared.router.id, shared.id, listen, options.enable_srtp, pipe, sctp).await;
    let answer = answer.map(|details| {
        if let Some(pipe) = shared.kind.pipe() {
            pipe.path.replace(details);
        }
    });
    complete(&inner, answer)?;
    Ok(PipeTransport::new(inner))
}

/// The largest message is the program's, and whom it is for goes before it.
fn with_room_for_frames(mut sctp: SctpOptions) -> SctpOptions {
    let size = &mut sctp.association.max_message_size;
    // What is out of range stays so, and is refused.
    if (1..=MAX_MESSAGE_SIZE).contains(size) {
        *size = size.saturating_add(PIPE_FRAME_ROOM).min(MAX_MESSAGE_SIZE);
    }
    sctp
}

/// A transport that leads to another Router, with a pipe transport of that as its remote.
///
/// Its consumers carry every encoding of their producers, each as a stream of its own, under the Router's payload types; capabilities count
/// for nothing. At the far end `produce` takes the consumer's `rtp_parameters`, and the producer that it makes is like the near one:
/// consumers there choose among its layers. Its data consumers carry subchannels along. [`Router::pipe_producer_to_router`] does all of this
/// for two Routers of one process.
///
/// RTP and RTCP share one port, and the remote's address is fixed.
#[derive(Clone)]
pub struct PipeTransport {
    inner: Arc<TransportInner>,
}

/// A handle that does not keep its transport open.
#[derive(Clone)]
pub struct WeakPipeTransport {
    inner: Weak<TransportInner>,
}

impl WeakPipeTransport {
    /// The transport, unless its last handle is gone.
    pub fn upgrade(&self) -> Option<PipeTransport> {
        self.inner.upgrade().map(PipeTransport::new)
    }
}

impl sealed::Handle for PipeTransport {
    fn inner(&self) -> &Arc<TransportInner> {
        &self.inner
    }
}

impl Transport for PipeTransport {}

impl PipeTransport {
    pub(super) fn new(inner: Arc<TransportInner>) -> Self {
        Self { inner }
    }

    fn state(&self) -> Option<&PipeState> {
        self.inner.shared.kind.pipe()
    }

    /// Where it listens, whatever is announced.
    pub(crate) fn local(&self) -> Option<SocketAddr> {
        self.state()?.path.local()
    }

    /// A handle that does not keep it open.
    pub fn downgrade(&self) -> WeakPipeTransport {
        WeakPipeTransport { inner: Arc::downgrade(&self.inner) }
    }

    /// Its addresses.
    pub fn tuple(&self) -> TransportTuple {
        let unknown = || TransportTuple::new(([0, 0, 0, 0], 0).into(), None, None);
        self.state().map_or_else(unknown, |state| state.path.tuple())
    }

    /// Its own key, with SRTP: AEAD_AES_256_GCM, 32 bytes and 12 of salt.
    pub fn srtp_parameters(&self) -> Option<SrtpParameters> {
        self.state()?.path.srtp_parameters()
    }

    /// Gives it its remote's parameters, once.
    ///
    /// # Errors
    /// [`ConnectError`]: connected already, a port of 0, a key that is missing, must not be given, or is wrong. Nothing has changed then.
    pub async fn connect(&self, options: PipeConnectOptions) -> Result<(), ConnectError> {
        let shared = &self.inner.shared;
        if shared.liveness.is_closed() {
            return Err(RequestError::Closed.into());
        }
        let suite = options.srtp_parameters.as_ref().map(|parameters| parameters.crypto_suite);
        if suite.is_some_and(|suite| suite != CryptoSuite::AeadAes256Gcm) {
            return Err(ConnectError::CryptoSuite);
        }
        let options = adapter::PlainConnectOptions {
            ip: Some(options.ip),
            port: Some(options.port),
            rtcp_port: None,
            srtp_parameters: options.srtp_parameters,
            key_material: None,
        };
        let details = shared.link.shard().connect_transport(shared.id, options).await?;
        if let (AnyDetails::Plain(details), Some(state)) = (details, self.state()) {
            state.path.replace(details);
        }
        Ok(())
    }

    /// Limits what the remote is told to send (REMB), in bits per second; 0 lifts the limit.
    ///
    /// # Errors
    /// [`RequestError`].
    pub async fn set_max_incoming_bitrate(&self, bitrate: u32) -> Result<(), RequestError> {
        let shared = &self.inner.shared;
        shared.link.ask(&shared.liveness, SetMaxIncomingBitrate { id: shared.id, bitrate }).await
    }
}

impl std::fmt::Debug for PipeTransport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let id: TransportId = self.id();
        f.debug_struct("PipeTransport")
            .field("id", &id)
            .field("closed", &self.closed())
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for WeakPipeTransport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WeakPipeTransport").finish_non_exhaustive()
    }
}
