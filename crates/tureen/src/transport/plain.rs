//! The plain transport: RTP over UDP without ICE, with or without SRTP.

use super::{
    PlainTransportDump, PlainTransportStats, Transport, TransportInner, TransportKind, TransportTuple,
    complete, prepare, sealed,
};
use crate::error::{ConnectError, CreateTransportError, RequestError};
use crate::event::{TransportEvent, TransportObserverEvent};
use crate::listeners::{Outlet, lock, on_events};
use crate::options::{ListenInfo, PlainConnectOptions, PlainTransportOptions};
use crate::router::Router;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, Weak};
use tureen_media_model::{SetMaxIncomingBitrate, TransportId};
use tureen_rtp_dictionaries::{SrtpParameters, TransportProtocol};
use tureen_runtime::{AnyDetails, PlainListen, PortChoice, SocketListen};
use tureen_transport::{self as adapter, PathEvent, PlainDetails};

/// What is known of a plain transport's addresses and keys.
pub(crate) struct PlainState {
    announced: Option<String>,
    rtcp_announced: Option<String>,
    /// `None` until the shard has answered.
    details: Mutex<Option<PlainDetails>>,
}

impl PlainState {
    fn new(options: &PlainTransportOptions) -> Self {
        let announced = options.listen_info.announced_address.clone();
        let rtcp_announced = match &options.rtcp_listen_info {
            Some(listen) => listen.announced_address.clone(),
            None => announced.clone(),
        };
        Self { announced, rtcp_announced, details: Mutex::default() }
    }

    /// Of RTP and RTCP on one port.
    pub(super) fn on_one_port(listen: &ListenInfo) -> Self {
        let announced = listen.announced_address.clone();
        Self { rtcp_announced: announced.clone(), announced, details: Mutex::default() }
    }

    /// Where RTP is received, whatever is announced.
    pub(super) fn local(&self) -> Option<SocketAddr> {
        self.read(|details| details.local)
    }

    fn read<T>(&self, read: impl FnOnce(&PlainDetails) -> T) -> Option<T> {
        lock(&self.details).as_ref().map(read)
    }

    pub(super) fn replace(&self, details: PlainDetails) {
        *lock(&self.details) = Some(details);
    }

    pub(super) fn tuple(&self) -> TransportTuple {
        let tuple = self.read(|details| self.tuple_of(details));
        tuple
            .unwrap_or_else(|| TransportTuple::new(([0, 0, 0, 0], 0).into(), self.announced.as_deref(), None))
    }

    fn tuple_of(&self, details: &PlainDetails) -> TransportTuple {
        TransportTuple::new(details.local, self.announced.as_deref(), details.remote)
    }

    fn rtcp_tuple(&self) -> Option<TransportTuple> {
        let tuple = |local, remote| TransportTuple::new(local, self.rtcp_announced.as_deref(), remote);
        self.read(|details| details.rtcp_local.map(|local| tuple(local, details.rtcp_remote))).flatten()
    }

    pub(super) fn srtp_parameters(&self) -> Option<SrtpParameters> {
        self.read(|details| details.srtp_parameters.clone()).flatten()
    }

    pub(super) fn stats(&self) -> PlainTransportStats {
        let (rtcp_mux, comedia) =
            self.read(|details| (details.rtcp_mux, details.comedia)).unwrap_or_default();
        PlainTransportStats { rtcp_mux, comedia, tuple: self.tuple(), rtcp_tuple: self.rtcp_tuple() }
    }

    pub(super) fn dump(&self) -> PlainTransportDump {
        PlainTransportDump { path: self.stats(), srtp_parameters: self.srtp_parameters() }
    }

    pub(super) fn handle_event(
        &self,
        event: PathEvent,
        outlet: &Outlet<TransportEvent, TransportObserverEvent>,
    ) {
        match event {
            PathEvent::Tuple(arrival) => {
                if let Some(details) = lock(&self.details).as_mut() {
                    details.remote = Some(arrival.source);
                }
                let tuple = self.tuple();
                outlet.tell(&TransportEvent::Tuple(tuple.clone()));
                outlet.observe(&TransportObserverEvent::Tuple(tuple));
            }
            PathEvent::RtcpTuple(arrival) => {
                if let Some(details) = lock(&self.details).as_mut() {
                    details.rtcp_remote = Some(arrival.source);
                }
                if let Some(tuple) = self.rtcp_tuple() {
                    outlet.tell(&TransportEvent::RtcpTuple(tuple.clone()));
                    outlet.observe(&TransportObserverEvent::RtcpTuple(tuple));
                }
            }
            _ => {}
        }
    }
}

pub(super) fn socket_listen(info: &ListenInfo, default_ports: &RangeInclusive<u16>) -> SocketListen {
    let port = match (info.port, info.port_range) {
        (Some(port), _) if port != 0 => PortChoice::Fixed(port),
        (_, Some(range)) => PortChoice::Range { min: range.min, max: range.max },
        _ => PortChoice::Range { min: *default_ports.start(), max: *default_ports.end() },
    };
    SocketListen {
        ip: info.ip,
        port,
        ipv6_only: info.flags.ipv6_only,
        udp_reuse_port: info.flags.udp_reuse_port,
        ecn: info.flags.ecn,
        send_buffer_size: info.send_buffer_size,
        recv_buffer_size: info.recv_buffer_size,
    }
}

pub(crate) async fn create_plain(
    router: Router,
    options: PlainTransportOptions,
) -> Result<PlainTransport, CreateTransportError> {
    let infos = [Some(&options.listen_info), options.rtcp_listen_info.as_ref()];
    if infos.into_iter().flatten().any(|info| info.protocol != TransportProtocol::Udp) {
        return Err(CreateTransportError::Protocol);
    }
    if options.rtcp_mux && options.rtcp_listen_info.is_some() {
        return Err(CreateTransportError::RtcpListenInfo);
    }
    let ports = router.shared().worker.rtc_port_range.clone();
    let listen = PlainListen {
        rtp: socket_listen(&options.listen_info, &ports),
        rtcp: options.rtcp_listen_info.as_ref().map(|info| socket_listen(info, &ports)),
    };
    let state = PlainState::new(&options);
    let adapter_options = adapter::PlainTransportOptions {
        rtcp_mux: options.rtcp_mux,
        comedia: options.comedia,
        enable_srtp: options.enable_srtp,
        srtp_crypto_suite: options.srtp_crypto_suite,
        enable_sctp: options.sctp.enable_sctp,
    };
    let sctp = options.sctp.model(false);
    let kind = TransportKind::Plain(Box::new(state));
    let inner = prepare(router, options.shard, kind, sctp, options.app_data)?;
    let shared = &inner.shared;
    let shard = shared.link.shard();
    let answer = shard.add_plain_transport(shared.router.id, shared.id, &listen, adapter_options, sctp).await;
    let answer = answer.map(|details| {
        if let Some(plain) = shared.kind.plain() {
            plain.replace(details);
        }
    });
    complete(&inner, answer)?;
    Ok(PlainTransport::new(inner))
}

/// A transport of plain RTP over UDP, connected to a fixed remote or, with comedia, to the first that sends.
#[derive(Clone)]
pub struct PlainTransport {
    inner: Arc<TransportInner>,
}

/// A handle that does not keep its transport open.
#[derive(Clone)]
pub struct WeakPlainTransport {
    inner: Weak<TransportInner>,
}

impl WeakPlainTransport {
    /// The transport, unless its last handle is gone.
    pub fn upgrade(&self) -> Option<PlainTransport> {
        self.inner.upgrade().map(PlainTransport::new)
    }
}

impl sealed::Handle for PlainTransport {
    fn inner(&self) -> &Arc<TransportInner> {
        &self.inner
    }
}

impl Transport for PlainTransport {}

impl PlainTransport {
    pub(super) fn new(inner: Arc<TransportInner>) -> Self {
        Self { inner }
    }

    fn state(&self) -> Option<&PlainState> {
        self.inner.shared.kind.plain()
    }

    /// A handle that does not keep it open.
    pub fn downgrade(&self) -> WeakPlainTransport {
        WeakPlainTransport { inner: Arc::downgrade(&self.inner) }
    }

    /// The addresses of RTP, and of RTCP too with `rtcp_mux`.
    pub fn tuple(&self) -> TransportTuple {
        self.state()
            .map_or_else(|| TransportTuple::new(([0, 0, 0, 0], 0).into(), None, None), PlainState::tuple)
    }

    /// The addresses of RTCP, without `rtcp_mux`.
    pub fn rtcp_tuple(&self) -> Option<TransportTuple> {
        self.state().and_then(PlainState::rtcp_tuple)
    }

    /// Its own suite and key, with SRTP; connecting may change them to the remote's suite.
    pub fn srtp_parameters(&self) -> Option<SrtpParameters> {
        self.state().and_then(PlainState::srtp_parameters)
    }

    /// Gives it its remote's parameters, once.
    ///
    /// # Errors
    /// [`ConnectError`]: connected already, a field that is missing, must not be given, or is wrong. Nothing has changed
    /// then.
    pub async fn connect(&self, options: PlainConnectOptions) -> Result<(), ConnectError> {
        let shared = &self.inner.shared;
        if shared.liveness.is_closed() {
            return Err(RequestError::Closed.into());
        }
        let options = adapter::PlainConnectOptions {
            ip: options.ip,
            port: options.port,
            rtcp_port: options.rtcp_port,
            srtp_parameters: options.srtp_parameters,
            key_material: None,
        };
        let details = shared.link.shard().connect_transport(shared.id, options).await?;
        if let (AnyDetails::Plain(details), Some(plain)) = (details, shared.kind.plain()) {
            plain.replace(details);
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

    on_events! { TransportEvent, |this| this.inner.shared.outlet.public;
        /// With comedia: the remote address of RTP became known.
        on_tuple => Tuple(TransportTuple);
        /// With comedia and without `rtcp_mux`: the remote address of RTCP became known.
        on_rtcp_tuple => RtcpTuple(TransportTuple);
    }
}

impl std::fmt::Debug for PlainTransport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let id: TransportId = self.id();
        f.debug_struct("PlainTransport")
            .field("id", &id)
            .field("closed", &self.closed())
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for WeakPlainTransport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WeakPlainTransport").finish_non_exhaustive()
    }
}
