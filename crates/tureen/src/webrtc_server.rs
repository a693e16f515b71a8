//! The WebRtcServer: sockets that any number of WebRTC transports share, so that one port is open instead of one each.

use crate::app_data::AppData;
use crate::children::Children;
use crate::dispatch::Task;
use crate::error::{CreateWebRtcServerError, RequestError};
use crate::event::{WebRtcServerEvent, WebRtcServerObserverEvent};
use crate::listeners::{Emitter, HandlerId, ListenerError, Outlet, lock, on_events};
use crate::liveness::Liveness;
use crate::options::{ListenInfo, WebRtcServerOptions};
use crate::stream::EventStream;
use crate::transport::{TransportShared, WeakTransport, WebRtcTransport, ice_listen};
use crate::worker::{Worker, WorkerShared};
use serde::Serialize;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use tureen_media_model::{CloseCause, CloseTransport, ShardId, TransportId};
use tureen_rtp_dictionaries::TransportProtocol;
use tureen_transport_webrtc::IceListen;
use uuid::Uuid;

/// A WebRtcServer's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WebRtcServerId(Uuid);

impl Serialize for WebRtcServerId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl WebRtcServerId {
    pub(crate) fn as_u128(self) -> u128 {
        self.0.as_u128()
    }
}

impl fmt::Display for WebRtcServerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What all handles to one WebRtcServer share.
pub(crate) struct WebRtcServerShared {
    pub(crate) id: WebRtcServerId,
    pub(crate) serial: u64,
    pub(crate) worker: Arc<WorkerShared>,
    pub(crate) liveness: Arc<Liveness>,
    pub(crate) outlet: Outlet<WebRtcServerEvent, WebRtcServerObserverEvent>,
    pub(crate) transports: Children<TransportShared>,
    /// Its sockets, by shard.
    listens: Mutex<Vec<Vec<IceListen>>>,
    app_data: AppData,
}

impl WebRtcServerShared {
    pub(crate) fn listens_of(&self, shard: ShardId) -> Vec<IceListen> {
        lock(&self.listens).get(usize::from(shard.0)).cloned().unwrap_or_default()
    }

    fn close(self: &Arc<Self>) {
        if self.liveness.close() {
            for transport in self.transports.all() {
                transport.link.close(CloseTransport { id: transport.id });
            }
            self.release();
            self.worker.task(Task::WebRtcServerClosed(Arc::clone(self)));
        }
    }

    fn release(&self) {
        let listens = std::mem::take(&mut *lock(&self.listens));
        for (shard, listens) in self.worker.shards.iter().zip(listens) {
            shard.remove_listeners(listens.iter().map(|listen| listen.socket).collect());
        }
    }

    /// Tells listeners why it closed.
    pub(crate) fn announce_closing(&self, cause: CloseCause) {
        if cause == CloseCause::WorkerClosed {
            self.outlet.tell(&WebRtcServerEvent::WorkerClose);
        }
        self.outlet.observe(&WebRtcServerObserverEvent::Close);
        self.outlet.end();
        self.worker.webrtc_servers.remove(self.serial);
    }

    pub(crate) fn handled(&self, transport: WeakTransport) {
        self.outlet.observe(&WebRtcServerObserverEvent::WebRtcTransportHandled(transport));
    }

    pub(crate) fn unhandled(&self, transport: TransportId, serial: u64) {
        self.transports.remove(serial);
        self.outlet.observe(&WebRtcServerObserverEvent::WebRtcTransportUnhandled(transport));
    }
}

pub(crate) struct WebRtcServerInner {
    shared: Arc<WebRtcServerShared>,
    worker: Worker,
}

impl Drop for WebRtcServerInner {
    fn drop(&mut self) {
        self.shared.close();
    }
}

/// Sockets that WebRTC transports share.
///
/// Clones are handles to the same server; it closes with [`WebRtcServer::close`] or when the last handle goes, and with it the
/// transports on it.
#[derive(Clone)]
pub struct WebRtcServer {
    inner: Arc<WebRtcServerInner>,
}

/// A socket of a WebRtcServer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WebRtcServerSocket {
    /// The local address.
    pub ip: IpAddr,
    /// The port.
    pub port: u16,
}

/// A WebRtcServer's internals.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WebRtcServerDump {
    /// Its id.
    pub id: WebRtcServerId,
    /// Its UDP sockets, those of the first shard first.
    pub udp_sockets: Vec<WebRtcServerSocket>,
    /// Its TCP listeners, those of the first shard first.
    pub tcp_servers: Vec<WebRtcServerSocket>,
    /// The transports on it, oldest first.
    pub web_rtc_transport_ids: Vec<TransportId>,
}

/// The same place for another shard: a fixed port moves up by the shard's number.
fn for_shard(info: &ListenInfo, shard: usize) -> Option<ListenInfo> {
    let mut info = info.clone();
    if let Some(port) = info.port.filter(|port| *port != 0) {
        info.port = Some(port.checked_add(u16::try_from(shard).ok()?)?);
    }
    Some(info)
}

pub(crate) async fn create_webrtc_server(
    worker: Worker,
    options: WebRtcServerOptions,
) -> Result<WebRtcServer, CreateWebRtcServerError> {
    if options.listen_infos.is_empty() {
        return Err(CreateWebRtcServerError::NoListenInfo);
    }
    let owner = Arc::clone(worker.shared());
    if owner.liveness.is_closed() {
        return Err(RequestError::Closed.into());
    }
    let shared = Arc::new(WebRtcServerShared {
        id: WebRtcServerId(Uuid::new_v4()),
        serial: owner.serial(),
        liveness: Liveness::under(&owner.liveness),
        outlet: Outlet::default(),
        transports: Children::default(),
        listens: Mutex::default(),
        app_data: options.app_data,
        worker: Arc::clone(&owner),
    });
    // From here on dropping the handle, be it because this future is dropped, closes what was made so far.
    let server = WebRtcServer { inner: Arc::new(WebRtcServerInner { shared: Arc::clone(&shared), worker }) };
    for (index, shard) in owner.shards.iter().enumerate() {
        let infos =
            options.listen_infos.iter().map(|info| for_shard(info, index)).collect::<Option<Vec<_>>>();
        let infos = infos.ok_or(CreateWebRtcServerError::PortRange)?;
        let listens: Vec<_> = infos.iter().map(|info| ice_listen(info, &owner.rtc_port_range)).collect();
        let added = shard.add_listeners(&listens).await?;
        lock(&shared.listens).push(added);
    }
    owner.webrtc_servers.insert(shared.serial, Arc::clone(&shared));
    if shared.liveness.is_closed() {
        return Err(RequestError::Closed.into());
    }
    owner.task(crate::dispatch::Created::WebRtcServer(Arc::clone(&owner), server.clone().downgrade()).task());
    Ok(server)
}

/// A handle that does not keep its WebRtcServer open.
#[derive(Clone)]
pub struct WeakWebRtcServer {
    inner: std::sync::Weak<WebRtcServerInner>,
}

impl WeakWebRtcServer {
    /// The server, unless its last handle is gone.
    pub fn upgrade(&self) -> Option<WebRtcServer> {
        self.inner.upgrade().map(|inner| WebRtcServer { inner })
    }
}

impl fmt::Debug for WeakWebRtcServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeakWebRtcServer").finish_non_exhaustive()
    }
}

impl WebRtcServer {
    pub(crate) fn shared(&self) -> &Arc<WebRtcServerShared> {
        &self.inner.shared
    }

    /// Its id.
    pub fn id(&self) -> WebRtcServerId {
        self.inner.shared.id
    }

    /// The Worker that it is on.
    pub fn worker(&self) -> &Worker {
        &self.inner.worker
    }

    /// Whether it, or its Worker, is closed.
    pub fn closed(&self) -> bool {
        self.inner.shared.liveness.is_closed()
    }

    /// The program's own data.
    pub fn app_data(&self) -> &AppData {
        &self.inner.shared.app_data
    }

    /// Closes it and the transports on it, at once; does nothing if it is closed.
    pub fn close(&self) {
        self.inner.shared.close();
    }

    /// A handle that does not keep it open.
    pub fn downgrade(&self) -> WeakWebRtcServer {
        WeakWebRtcServer { inner: Arc::downgrade(&self.inner) }
    }

    /// Its internals.
    ///
    /// # Errors
    /// [`RequestError::Closed`].
    pub async fn dump(&self) -> Result<WebRtcServerDump, RequestError> {
        let shared = &self.inner.shared;
        if shared.liveness.is_closed() {
            return Err(RequestError::Closed);
        }
        let listens: Vec<IceListen> = lock(&shared.listens).iter().flatten().cloned().collect();
        let of = |protocol| {
            let listens = listens.iter().filter(move |listen| listen.protocol == protocol);
            listens
                .map(|listen| WebRtcServerSocket { ip: listen.local.ip(), port: listen.local.port() })
                .collect()
        };
        Ok(WebRtcServerDump {
            id: shared.id,
            udp_sockets: of(TransportProtocol::Udp),
            tcp_servers: of(TransportProtocol::Tcp),
            web_rtc_transport_ids: shared.transports.all().iter().map(|transport| transport.id).collect(),
        })
    }

    /// Its news as a stream.
    pub fn events(&self) -> EventStream<WebRtcServerEvent> {
        self.inner.shared.outlet.public.stream()
    }

    /// Everything that happens to it, whoever caused it.
    pub fn observer(&self) -> WebRtcServerObserver {
        WebRtcServerObserver { emitter: self.inner.shared.outlet.observer.clone() }
    }

    on_events! { WebRtcServerEvent, |this| this.inner.shared.outlet.public;
        /// Its Worker closed or died, and it with it.
        on_worker_close => WorkerClose;
        /// A listener of it or its observer panicked.
        on_listener_error => ListenerError(ListenerError);
    }
}

impl fmt::Debug for WebRtcServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebRtcServer")
            .field("id", &self.id())
            .field("closed", &self.closed())
            .finish_non_exhaustive()
    }
}

/// Everything that happens to a [`WebRtcServer`]. It does not keep the server open.
#[derive(Clone)]
pub struct WebRtcServerObserver {
    emitter: Emitter<WebRtcServerObserverEvent>,
}

impl WebRtcServerObserver {
    /// All of it as a stream.
    pub fn events(&self) -> EventStream<WebRtcServerObserverEvent> {
        self.emitter.stream()
    }

    on_events! { WebRtcServerObserverEvent, |this| this.emitter;
        /// It closed.
        on_close => Close;
        /// A transport on it closed.
        on_webrtc_transport_unhandled => WebRtcTransportUnhandled(TransportId);
    }

    /// A transport was made on it.
    pub fn on_webrtc_transport_handled(
        &self,
        listener: impl Fn(WebRtcTransport) + Send + Sync + 'static,
    ) -> HandlerId {
        self.emitter.listen(move |event| {
            if let WebRtcServerObserverEvent::WebRtcTransportHandled(transport) = event
                && let Some(crate::AnyTransport::WebRtc(transport)) = transport.upgrade()
            {
                listener(transport);
            }
        })
    }
}
