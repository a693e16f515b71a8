//! The program's handle to a shard: calls, closes, transports and packets in. Nothing here waits for a shard's thread.

use crate::entropy::{fresh_credentials, fresh_key_material, random_u64};
use crate::error::{
    AddDirectTransportError, AddListeningTransportError, CallError, ConnectTransportError, SendPacketError,
};
use crate::ice_listen::WebRtcSockets;
use crate::inbox::{AddPlain, AddWebRtc, Message, Outside, ProgramPacket};
use crate::listen::{Binder, BoundIceSocket, IceSocketListen, PlainListen, SocketListen};
use crate::snapshot::ShardSnapshot;
use crate::transport::{AnyConnectOptions, AnyDetails, AnyTransport};
use bytes::Bytes;
use crossbeam_channel::TrySendError;
use futures_channel::oneshot;
use std::fmt;
use std::sync::Arc;
use tureen_media_model::{
    AddTransport, CloseConsumer, CloseDataConsumer, CloseDataProducer, CloseProducer, CloseRouter,
    CloseRtpObserver, CloseTransport, Command, ConnectTransport, PipeOptions, Request, RouterId, SctpOptions,
    ShardId, TransportId, TransportOptions,
};
use tureen_rtp_dictionaries::CryptoSuite;
use tureen_rtp_wire::rtp::{self, DatagramKind};
use tureen_transport::{DirectTransport, PlainDetails, PlainTransportOptions, SocketId};
use tureen_transport_webrtc::{
    DtlsCertificate, IceListen, WebRtcConnectOptions, WebRtcDetails, WebRtcOptions,
};

/// A handle to a shard. Copies lead to the same shard; none of them keeps it running.
///
/// Requests are queued in the moment of the call, in order, and are carried out even if the future is dropped. The futures
/// run on any executor.
#[derive(Clone)]
pub struct ShardHandle {
    shared: Arc<Shared>,
}

struct Shared {
    id: ShardId,
    outside: Outside,
    portable_io: bool,
}

impl fmt::Debug for ShardHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ShardHandle").field(&self.shared.id).finish()
    }
}

/// What closes an object. It is never refused and never lost.
#[derive(Clone, Debug)]
pub enum Close {
    /// A router, and all on it.
    Router(CloseRouter),
    /// A transport, and all on it.
    Transport(CloseTransport),
    /// A producer, and its consumers.
    Producer(CloseProducer),
    /// A consumer.
    Consumer(CloseConsumer),
    /// An RTP observer.
    RtpObserver(CloseRtpObserver),
    /// A data producer, and its data consumers.
    DataProducer(CloseDataProducer),
    /// A data consumer.
    DataConsumer(CloseDataConsumer),
}

macro_rules! close_from {
    ($($request:ident => $variant:ident),*) => {$(
        impl From<$request> for Close {
            fn from(request: $request) -> Self {
                Self::$variant(request)
            }
        }
    )*};
}

close_from!(
    CloseRouter => Router,
    CloseTransport => Transport,
    CloseProducer => Producer,
    CloseConsumer => Consumer,
    CloseRtpObserver => RtpObserver,
    CloseDataProducer => DataProducer,
    CloseDataConsumer => DataConsumer
);

impl From<Close> for Command<AnyTransport> {
    fn from(close: Close) -> Self {
        match close {
            Close::Router(request) => request.into(),
            Close::Transport(request) => request.into(),
            Close::Producer(request) => request.into(),
            Close::Consumer(request) => request.into(),
            Close::RtpObserver(request) => request.into(),
            Close::DataProducer(request) => request.into(),
            Close::DataConsumer(request) => request.into(),
        }
    }
}

/// The longest payload of a UDP datagram over IPv4.
const MAX_DATAGRAM: usize = 65_507;

impl ShardHandle {
    pub(crate) fn new(id: ShardId, outside: Outside, portable_io: bool) -> Self {
        Self { shared: Arc::new(Shared { id, outside, portable_io }) }
    }

    /// The shard.
    pub fn id(&self) -> ShardId {
        self.shared.id
    }

    /// Asks the shard's Core.
    ///
    /// # Errors
    /// [`CallError`] where there is no answer; what the Core refuses is in the answer.
    pub fn call<R>(&self, request: R) -> impl Future<Output = Result<R::Reply, CallError>> + Send + use<R>
    where
        R: Request<AnyTransport>,
    {
        let command = Box::new(request.into());
        let answer = self.answer(self.shared.outside.call(|answer| Message::Call(command, answer)));
        async move { R::reply(answer.await?).ok_or(CallError::WrongReply) }
    }

    /// The answer to what was queued.
    fn answer<A: Send>(
        &self,
        queued: Result<oneshot::Receiver<A>, CallError>,
    ) -> impl Future<Output = Result<A, CallError>> + Send + use<A> {
        let shared = Arc::clone(&self.shared);
        async move { queued?.await.map_err(|oneshot::Canceled| shared.outside.status.absence()) }
    }

    /// Closes an object, without an answer. Never blocks and is never lost, so it is fit for `drop`; post the close of an
    /// object once, then what waits is bounded by the number of live objects. What was called before is done before.
    pub fn post(&self, close: impl Into<Close>) {
        self.shared.outside.post(Message::Close(Box::new(close.into().into())));
    }

    /// Binds sockets on this thread, before the future is first polled, and adds a plain transport over them to a router.
    /// With `sctp` it carries bare SCTP too.
    ///
    /// # Errors
    /// [`AddListeningTransportError`]; the sockets are closed then.
    pub fn add_plain_transport(
        &self,
        router: RouterId,
        id: TransportId,
        listen: &PlainListen,
        options: PlainTransportOptions,
        sctp: Option<SctpOptions>,
    ) -> impl Future<Output = Result<PlainDetails, AddListeningTransportError>> + Send + use<> {
        self.add_bound(self.bind(router, id, listen, options).map(|bound| AddPlain { sctp, ..bound }))
    }

    /// Binds a socket on this thread, before the future is first polled, and adds a transport over it that leads to another router: RTP and
    /// RTCP on one port, with `enable_srtp` under AEAD_AES_256_GCM. With `sctp` it carries bare SCTP too, which is not protected.
    ///
    /// # Errors
    /// [`AddListeningTransportError`]; the socket is closed then.
    pub fn add_pipe_transport(
        &self,
        router: RouterId,
        id: TransportId,
        listen: SocketListen,
        enable_srtp: bool,
        pipe: PipeOptions,
        sctp: Option<SctpOptions>,
    ) -> impl Future<Output = Result<PlainDetails, AddListeningTransportError>> + Send + use<> {
        let options = PlainTransportOptions {
            enable_srtp,
            srtp_crypto_suite: CryptoSuite::AeadAes256Gcm,
            ..Default::default()
        };
        let listen = PlainListen { rtp: listen, rtcp: None };
        let bound = self.bind(router, id, &listen, options);
        self.add_bound(bound.map(|bound| AddPlain { sctp, pipe: Some(pipe), ..bound }))
    }

    fn add_bound(
        &self,
        bound: Result<AddPlain, AddListeningTransportError>,
    ) -> impl Future<Output = Result<PlainDetails, AddListeningTransportError>> + Send + use<> {
        let answer = bound.map(|transport| {
            let transport = Box::new(transport);
            self.answer(self.shared.outside.call(|answer| Message::AddPlain(transport, answer)))
        });
        async move { answer?.await? }
    }

    fn bind(
        &self,
        router: RouterId,
        id: TransportId,
        listen: &PlainListen,
        options: PlainTransportOptions,
    ) -> Result<AddPlain, AddListeningTransportError> {
        let binder = Binder { portable: self.shared.portable_io, start: random_u64()? };
        let sockets = binder.bind_plain(listen, options.rtcp_mux)?;
        let key_material = fresh_key_material()?;
        Ok(AddPlain { router, id, options, sockets, key_material, sctp: None, pipe: None })
    }

    /// Binds sockets on this thread, before the future is first polled, for WebRTC transports of this shard to share.
    ///
    /// # Errors
    /// [`AddListeningTransportError`]; the sockets are closed then.
    pub fn add_listeners(
        &self,
        listens: &[IceSocketListen],
    ) -> impl Future<Output = Result<Vec<IceListen>, AddListeningTransportError>> + Send + use<> {
        let answer = self.bind_ice(listens).map(|sockets| {
            self.answer(self.shared.outside.call(|answer| Message::AddListeners(sockets, answer)))
        });
        async move { answer?.await? }
    }

    /// Closes shared sockets, without an answer; never lost. To transports that still use them this is a remote that has
    /// gone silent.
    pub fn remove_listeners(&self, sockets: Vec<SocketId>) {
        self.shared.outside.post(Message::RemoveListeners(sockets));
    }

    /// Adds a WebRTC transport to a router; `model` is what its Core needs to know of it. Its own sockets are bound on this thread, before the future is first polled.
    ///
    /// # Errors
    /// [`AddListeningTransportError`]; sockets of its own are closed then.
    pub fn add_webrtc_transport(
        &self,
        router: RouterId,
        id: TransportId,
        listens: WebRtcListens<'_>,
        options: WebRtcOptions,
        certificate: &DtlsCertificate,
        model: TransportOptions,
    ) -> impl Future<Output = Result<WebRtcDetails, AddListeningTransportError>> + Send + use<> {
        let sockets = match listens {
            WebRtcListens::Own(listens) => self.bind_ice(listens).map(WebRtcSockets::Own),
            WebRtcListens::Shared(listens) => Ok(WebRtcSockets::Shared(listens.to_vec())),
        };
        let certificate = certificate.clone();
        let answer = sockets.and_then(|sockets| {
            let credentials = fresh_credentials()?;
            let add = Box::new(AddWebRtc { router, id, sockets, options, credentials, certificate, model });
            Ok(self.answer(self.shared.outside.call(|answer| Message::AddWebRtc(add, answer))))
        });
        async move { answer?.await? }
    }

    fn bind_ice(
        &self,
        listens: &[IceSocketListen],
    ) -> Result<Vec<BoundIceSocket>, AddListeningTransportError> {
        let binder = Binder { portable: self.shared.portable_io, start: random_u64()? };
        Ok(binder.bind_ice(listens)?)
    }

    /// Draws new ICE credentials for a WebRTC transport; the old ones hold until the new are used (RFC 8445 section 2.4).
    ///
    /// # Errors
    /// [`ConnectTransportError`]; the transport is as before then.
    pub fn restart_ice(
        &self,
        id: TransportId,
    ) -> impl Future<Output = Result<AnyDetails, ConnectTransportError>> + Send + use<> {
        let answer = fresh_credentials()
            .map(|credentials| self.connect_transport(id, WebRtcConnectOptions::RestartIce(credentials)));
        async move { answer?.await }
    }

    /// Adds a direct transport to a router, for messages of so many bytes at most. What goes out on it comes as
    /// [`ShardEvent::DirectPacket`](crate::ShardEvent::DirectPacket).
    ///
    /// # Errors
    /// [`AddDirectTransportError`].
    pub fn add_direct_transport(
        &self,
        router: RouterId,
        id: TransportId,
        max_message_size: u32,
    ) -> impl Future<Output = Result<(), AddDirectTransportError>> + Send + use<> {
        let options = TransportOptions { direct: true, max_message_size, ..Default::default() };
        let transport = AnyTransport::from(DirectTransport::new());
        let answer = self.call(AddTransport { router, id, transport, options });
        async move { Ok(answer.await??) }
    }

    /// Gives a transport its remote's parameters. A fresh key is drawn for SRTP where the options bring none.
    ///
    /// # Errors
    /// [`ConnectTransportError`]; the transport is as before then.
    pub fn connect_transport<O: Into<AnyConnectOptions>>(
        &self,
        id: TransportId,
        options: O,
    ) -> impl Future<Output = Result<AnyDetails, ConnectTransportError>> + Send + use<O> {
        let answer = with_key(options.into()).map(|options| self.call(ConnectTransport { id, options }));
        async move { Ok(answer?.await???) }
    }

    /// Sends an RTP packet on a direct transport, as if it had come in from an endpoint.
    ///
    /// # Errors
    /// [`SendPacketError`]; the packet is not sent then. Whether the transport exists shows only on its shard, which drops
    /// and counts packets that belong nowhere.
    pub fn send_rtp(&self, transport: TransportId, packet: Bytes) -> Result<(), SendPacketError> {
        self.send(transport, packet, DatagramKind::Rtp)
    }

    /// Sends an RTCP compound on a direct transport, as if it had come in from an endpoint.
    ///
    /// # Errors
    /// As [`ShardHandle::send_rtp`].
    pub fn send_rtcp(&self, transport: TransportId, packet: Bytes) -> Result<(), SendPacketError> {
        self.send(transport, packet, DatagramKind::Rtcp)
    }

    fn send(&self, transport: TransportId, packet: Bytes, kind: DatagramKind) -> Result<(), SendPacketError> {
        if packet.len() > MAX_DATAGRAM {
            return Err(SendPacketError::TooLong(packet.len()));
        }
        if rtp::classify(&packet) != kind {
            let name = if kind == DatagramKind::Rtp { "RTP" } else { "RTCP" };
            return Err(SendPacketError::WrongKind(name));
        }
        let outside = &self.shared.outside;
        outside.packet(ProgramPacket { transport, packet }).map_err(|error| match error {
            TrySendError::Full(_) => SendPacketError::Full,
            TrySendError::Disconnected(_) => SendPacketError::Gone(outside.status.absence()),
        })
    }

    /// The shard's figures.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn snapshot(&self) -> impl Future<Output = Result<ShardSnapshot, CallError>> + Send + use<> {
        self.answer(self.shared.outside.call(Message::Snapshot))
    }

    /// Makes the shard's thread panic.
    #[cfg(test)]
    pub(crate) fn panic(&self) {
        self.shared.outside.post(Message::Panic);
    }
}

/// Where a WebRTC transport listens.
#[derive(Clone, Copy, Debug)]
pub enum WebRtcListens<'a> {
    /// On sockets of its own.
    Own(&'a [IceSocketListen]),
    /// On sockets of its shard, as [`ShardHandle::add_listeners`] gave them.
    Shared(&'a [IceListen]),
}

fn with_key(options: AnyConnectOptions) -> Result<AnyConnectOptions, ConnectTransportError> {
    let mut options = match options {
        AnyConnectOptions::Plain(options) => options,
        other => return Ok(other),
    };
    if options.srtp_parameters.is_some() && options.key_material.is_none() {
        options.key_material = Some(Box::new(fresh_key_material()?));
    }
    Ok(options.into())
}
