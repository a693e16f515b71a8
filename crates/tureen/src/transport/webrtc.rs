//! The WebRTC transport: ICE-lite, DTLS and SRTP, towards browsers and their like.

use super::{
    IceTransportStats, Transport, TransportInner, TransportTuple, WebRtcTransportDump, complete,
    prepare_under, sealed, socket_listen,
};
use crate::error::{ConnectError, CreateTransportError, RequestError, SetOutgoingBitrateError};
use crate::event::{TransportEvent, TransportObserverEvent};
use crate::listeners::{Outlet, lock, on_events};
use crate::options::{ListenInfo, WebRtcListen, WebRtcTransportOptions};
use crate::router::Router;
use crate::transport::TransportKind;
use crate::webrtc_server::{WebRtcServer, WebRtcServerShared};
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, Weak};
use tureen_media_model::{
    DescribeTransport, SetMaxIncomingBitrate, SetMaxOutgoingBitrate, SetMinOutgoingBitrate, TransportId,
    TransportOptions,
};
use tureen_rtp_dictionaries::{
    DtlsParameters, DtlsState, IceCandidate, IceParameters, IceRole, IceState, TransportProtocol,
};
use tureen_runtime::{AnyDetails, ConnectTransportError, IceSocketListen, WebRtcListens};
use tureen_transport::PathEvent;
use tureen_transport_webrtc::{WebRtcConnectOptions, WebRtcDetails, WebRtcOptions};

/// What is known of a WebRTC transport.
pub(crate) struct WebRtcState {
    /// The server whose sockets it uses, if it has none of its own.
    server: Option<Arc<WebRtcServerShared>>,
    /// `None` until the shard has answered.
    details: Mutex<Option<WebRtcDetails>>,
}

impl WebRtcState {
    pub(crate) fn new(server: Option<Arc<WebRtcServerShared>>) -> Self {
        Self { server, details: Mutex::default() }
    }

    pub(crate) fn server(&self) -> Option<&Arc<WebRtcServerShared>> {
        self.server.as_ref()
    }

    fn read<T>(&self, read: impl FnOnce(&WebRtcDetails) -> T) -> Option<T> {
        lock(&self.details).as_ref().map(read)
    }

    /// Takes over what the shard says, but not states: those come by events, in order.
    fn replace(&self, mut fresh: WebRtcDetails) {
        let mut details = lock(&self.details);
        if let Some(known) = details.take() {
            fresh.ice_state = known.ice_state;
            fresh.ice_selected_tuple = known.ice_selected_tuple;
            fresh.dtls_state = known.dtls_state;
        }
        *details = Some(fresh);
    }

    fn selected_tuple(&self) -> Option<TransportTuple> {
        self.read(|details| {
            details.ice_selected_tuple.map(|tuple| TransportTuple::of_ice(&tuple, &details.ice_candidates))
        })
        .flatten()
    }

    pub(super) fn stats(&self) -> IceTransportStats {
        IceTransportStats {
            ice_role: IceRole::Controlled,
            ice_state: self.read(|details| details.ice_state).unwrap_or_default(),
            ice_selected_tuple: self.selected_tuple(),
            dtls_state: self.read(|details| details.dtls_state).unwrap_or_default(),
        }
    }

    pub(super) fn dump(&self) -> Option<WebRtcTransportDump> {
        let path = self.stats();
        self.read(|details| WebRtcTransportDump {
            path,
            ice_parameters: details.ice_parameters.clone(),
            ice_candidates: details.ice_candidates.clone(),
            dtls_parameters: details.dtls_parameters.clone(),
        })
    }

    /// Its last states; called before listeners hear of the closing.
    pub(crate) fn end(&self) {
        if let Some(details) = lock(&self.details).as_mut() {
            details.ice_state = IceState::Closed;
            details.dtls_state = DtlsState::Closed;
            details.ice_selected_tuple = None;
        }
    }

    pub(super) fn handle_event(
        &self,
        event: PathEvent,
        outlet: &Outlet<TransportEvent, TransportObserverEvent>,
    ) {
        let update = |change: &mut dyn FnMut(&mut WebRtcDetails)| {
            if let Some(details) = lock(&self.details).as_mut() {
                change(details);
            }
        };
        match event {
            PathEvent::IceState(state) => {
                update(&mut |details| details.ice_state = state);
                outlet.tell(&TransportEvent::IceStateChange(state));
                outlet.observe(&TransportObserverEvent::IceStateChange(state));
            }
            PathEvent::IceSelectedTuple(tuple) => {
                update(&mut |details| details.ice_selected_tuple = tuple);
                let tuple = self.selected_tuple();
                outlet.tell(&TransportEvent::IceSelectedTupleChange(tuple.clone()));
                outlet.observe(&TransportObserverEvent::IceSelectedTupleChange(tuple));
            }
            PathEvent::DtlsState(state) => {
                update(&mut |details| details.dtls_state = state);
                outlet.tell(&TransportEvent::DtlsStateChange(state));
                outlet.observe(&TransportObserverEvent::DtlsStateChange(state));
            }
            _ => {}
        }
    }
}

/// Where ICE listens for one `ListenInfo`.
pub(crate) fn ice_listen(info: &ListenInfo, default_ports: &RangeInclusive<u16>) -> IceSocketListen {
    let internal = info.expose_internal_ip && info.announced_address.is_some();
    let internal = internal.then(|| info.ip.to_string());
    IceSocketListen {
        listen: socket_listen(info, default_ports),
        protocol: info.protocol,
        announced: info.announced_address.iter().cloned().chain(internal).collect(),
    }
}

fn wanted(protocol: TransportProtocol, options: &WebRtcTransportOptions) -> bool {
    match protocol {
        TransportProtocol::Udp => options.enable_udp,
        TransportProtocol::Tcp => options.enable_tcp,
    }
}

pub(crate) async fn create_webrtc(
    router: Router,
    options: WebRtcTransportOptions,
) -> Result<WebRtcTransport, CreateTransportError> {
    let mut adapter_options = WebRtcOptions::default();
    adapter_options.prefer_udp = options.prefer_udp;
    adapter_options.prefer_tcp = options.prefer_tcp;
    adapter_options.ice_consent_timeout = options.ice_consent_timeout;
    adapter_options.dtls_13 = options.dtls_13;
    let server = match &options.listen {
        WebRtcListen::Server(server) => Some(server_on(&router, server)?),
        WebRtcListen::Individual(_) => None,
    };
    let state = TransportKind::WebRtc(Box::new(WebRtcState::new(server.clone())));
    let sctp = options.sctp.model(true);
    let inner = prepare_under(router, options.shard, server.clone(), state, sctp, options.app_data.clone())?;
    let shared = &inner.shared;
    let worker = &shared.router.worker;
    let shard = shared.link.shard();
    let (own, of_server);
    let listens = match (&options.listen, server) {
        (WebRtcListen::Individual(infos), _) => {
            let chosen = infos.iter().filter(|info| wanted(info.protocol, &options));
            own = chosen.map(|info| ice_listen(info, &worker.rtc_port_range)).collect::<Vec<_>>();
            WebRtcListens::Own(&own)
        }
        (WebRtcListen::Server(_), server) => {
            let listens = server.map(|server| server.listens_of(shard.id())).unwrap_or_default();
            of_server =
                listens.into_iter().filter(|listen| wanted(listen.protocol, &options)).collect::<Vec<_>>();
            WebRtcListens::Shared(&of_server)
        }
    };
    let none = match listens {
        WebRtcListens::Own(listens) => listens.is_empty(),
        WebRtcListens::Shared(listens) => listens.is_empty(),
    };
    let answer = if none {
        Err(CreateTransportError::NoListenInfo)
    } else {
        let added = shard.add_webrtc_transport(
            shared.router.id,
            shared.id,
            listens,
            adapter_options,
            &worker.certificate,
            TransportOptions { sctp, outgoing: options.outgoing(), ..Default::default() },
        );
        added.await.map_err(CreateTransportError::from)
    };
    let answer = answer.map(|details| {
        if let Some(webrtc) = shared.kind.webrtc() {
            webrtc.replace(details);
        }
    });
    complete(&inner, answer)?;
    Ok(WebRtcTransport::new(inner))
}

fn server_on(
    router: &Router,
    server: &WebRtcServer,
) -> Result<Arc<WebRtcServerShared>, CreateTransportError> {
    let shared = server.shared();
    if !Arc::ptr_eq(&shared.worker, &router.shared().worker) {
        return Err(CreateTransportError::ForeignWebRtcServer);
    }
    if shared.liveness.is_closed() {
        return Err(CreateTransportError::WebRtcServerClosed);
    }
    Ok(Arc::clone(shared))
}

/// A transport for browsers and all that speaks WebRTC: ICE-lite (RFC 8445), DTLS (RFC 5764) and SRTP.
///
/// Neither a failed handshake nor lost consent closes it: watch [`WebRtcTransport::on_dtls_state_change`] and
/// [`WebRtcTransport::on_ice_state_change`].
#[derive(Clone)]
pub struct WebRtcTransport {
    inner: Arc<TransportInner>,
}

/// A handle that does not keep its transport open.
#[derive(Clone)]
pub struct WeakWebRtcTransport {
    inner: Weak<TransportInner>,
}

impl WeakWebRtcTransport {
    /// The transport, unless its last handle is gone.
    pub fn upgrade(&self) -> Option<WebRtcTransport> {
        self.inner.upgrade().map(WebRtcTransport::new)
    }
}

impl sealed::Handle for WebRtcTransport {
    fn inner(&self) -> &Arc<TransportInner> {
        &self.inner
    }
}

impl Transport for WebRtcTransport {}

impl WebRtcTransport {
    pub(super) fn new(inner: Arc<TransportInner>) -> Self {
        Self { inner }
    }

    fn read<T: Default>(&self, read: impl FnOnce(&WebRtcDetails) -> T) -> T {
        self.inner.shared.kind.webrtc().and_then(|webrtc| webrtc.read(read)).unwrap_or_default()
    }

    /// A handle that does not keep it open.
    pub fn downgrade(&self) -> WeakWebRtcTransport {
        WeakWebRtcTransport { inner: Arc::downgrade(&self.inner) }
    }

    /// Always controlled: it is a lite agent (RFC 8445 section 2.5).
    pub fn ice_role(&self) -> IceRole {
        IceRole::Controlled
    }

    /// Its credentials; [`WebRtcTransport::restart_ice`] draws new ones.
    pub fn ice_parameters(&self) -> IceParameters {
        self.inner
            .shared
            .kind
            .webrtc()
            .and_then(|webrtc| webrtc.read(|details| details.ice_parameters.clone()))
            .unwrap_or(IceParameters {
                username_fragment: String::new(),
                password: String::new(),
                ice_lite: true,
            })
    }

    /// Where remotes reach it, the most preferred first.
    pub fn ice_candidates(&self) -> Vec<IceCandidate> {
        self.read(|details| details.ice_candidates.clone())
    }

    /// How far ICE has come.
    pub fn ice_state(&self) -> IceState {
        self.read(|details| details.ice_state)
    }

    /// The pair of addresses that packets go over.
    pub fn ice_selected_tuple(&self) -> Option<TransportTuple> {
        self.inner.shared.kind.webrtc().and_then(WebRtcState::selected_tuple)
    }

    /// Its role, `auto` until it is connected, and the fingerprints of its certificate.
    pub fn dtls_parameters(&self) -> DtlsParameters {
        self.inner
            .shared
            .kind
            .webrtc()
            .and_then(|webrtc| webrtc.read(|details| details.dtls_parameters.clone()))
            .unwrap_or(DtlsParameters { role: Default::default(), fingerprints: Vec::new() })
    }

    /// How far DTLS has come.
    pub fn dtls_state(&self) -> DtlsState {
        self.read(|details| details.dtls_state)
    }

    /// All that its shard knows of it now: the remote's certificate, the DTLS version, the SRTP profile, and why a
    /// handshake failed.
    ///
    /// # Errors
    /// [`RequestError`].
    pub async fn details(&self) -> Result<WebRtcDetails, RequestError> {
        let shared = &self.inner.shared;
        if shared.liveness.is_closed() {
            return Err(RequestError::Closed);
        }
        match shared.link.call(DescribeTransport { id: shared.id }).await?? {
            AnyDetails::WebRtc(details) => Ok(*details),
            _ => Err(RequestError::Closed),
        }
    }

    /// The certificate that the remote has shown, as PEM, once DTLS is connected.
    ///
    /// # Errors
    /// [`RequestError`].
    pub async fn dtls_remote_cert(&self) -> Result<Option<String>, RequestError> {
        Ok(self.details().await?.dtls_remote_cert)
    }

    /// The server whose sockets it uses, unless it has sockets of its own.
    pub fn webrtc_server(&self) -> Option<crate::WebRtcServerId> {
        self.inner.shared.kind.webrtc()?.server().map(|server| server.id)
    }

    /// Gives it its remote's DTLS parameters, once.
    ///
    /// # Errors
    /// [`ConnectError`] names what is missing or wrong, or says that it was connected before. Nothing has changed then.
    pub async fn connect(&self, dtls_parameters: DtlsParameters) -> Result<(), ConnectError> {
        let shared = &self.inner.shared;
        if shared.liveness.is_closed() {
            return Err(RequestError::Closed.into());
        }
        let options = WebRtcConnectOptions::Dtls(dtls_parameters);
        let details = shared.link.shard().connect_transport(shared.id, options).await?;
        self.take(details);
        Ok(())
    }

    fn take(&self, details: AnyDetails) {
        if let (AnyDetails::WebRtc(details), Some(webrtc)) = (details, self.inner.shared.kind.webrtc()) {
            webrtc.replace(*details);
        }
    }

    /// Draws new ICE credentials for the remote to restart with; the old ones hold until the new are used.
    ///
    /// # Errors
    /// [`RequestError`].
    pub async fn restart_ice(&self) -> Result<IceParameters, RequestError> {
        let shared = &self.inner.shared;
        if shared.liveness.is_closed() {
            return Err(RequestError::Closed);
        }
        match shared.link.shard().restart_ice(shared.id).await {
            Ok(details) => self.take(details),
            Err(ConnectTransportError::Call(error)) => return Err(shared.link.worker.explain(error)),
            Err(_) => return Err(RequestError::Closed),
        }
        Ok(self.ice_parameters())
    }

    /// Limits what the remote is told to send (REMB), in bits per second; 0 lifts the limit.
    ///
    /// # Errors
    /// [`RequestError`].
    pub async fn set_max_incoming_bitrate(&self, bitrate: u32) -> Result<(), RequestError> {
        let shared = &self.inner.shared;
        shared.link.ask(&shared.liveness, SetMaxIncomingBitrate { id: shared.id, bitrate }).await
    }

    /// Bounds from above what the path is believed to carry, in bits per second: 30,000 or more, or 0 for no bound.
    ///
    /// # Errors
    /// [`SetOutgoingBitrateError`].
    pub async fn set_max_outgoing_bitrate(&self, bitrate: u32) -> Result<(), SetOutgoingBitrateError> {
        let shared = &self.inner.shared;
        if shared.liveness.is_closed() {
            return Err(RequestError::Closed.into());
        }
        Ok(shared.link.call(SetMaxOutgoingBitrate { id: shared.id, bitrate }).await??)
    }

    /// Bounds it from below, in bits per second: 30,000 or more, or 0 for no bound.
    ///
    /// # Errors
    /// [`SetOutgoingBitrateError`].
    pub async fn set_min_outgoing_bitrate(&self, bitrate: u32) -> Result<(), SetOutgoingBitrateError> {
        let shared = &self.inner.shared;
        if shared.liveness.is_closed() {
            return Err(RequestError::Closed.into());
        }
        Ok(shared.link.call(SetMinOutgoingBitrate { id: shared.id, bitrate }).await??)
    }

    on_events! { TransportEvent, |this| this.inner.shared.outlet.public;
        /// ICE came further, or consent was lost.
        on_ice_state_change => IceStateChange(IceState);
        /// Packets go over another pair of addresses now, or over none.
        on_ice_selected_tuple_change => IceSelectedTupleChange(Option<TransportTuple>);
        /// DTLS came further, failed or ended.
        on_dtls_state_change => DtlsStateChange(DtlsState);
        /// Its WebRtcServer closed, and it with it.
        on_listen_server_close => ListenServerClose;
    }
}

impl std::fmt::Debug for WebRtcTransport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let id: TransportId = self.id();
        f.debug_struct("WebRtcTransport")
            .field("id", &id)
            .field("ice_state", &self.ice_state())
            .field("dtls_state", &self.dtls_state())
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for WeakWebRtcTransport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WeakWebRtcTransport").finish_non_exhaustive()
    }
}
