//! The Worker: a set of shards, and the Routers that span them.

use crate::app_data::AppData;
use crate::children::Children;
use crate::dispatch::{Created, Task};
use crate::error::{CreateRouterError, CreateWebRtcServerError, RequestError, ResourceUsageError};
use crate::event::{WorkerEvent, WorkerObserverEvent};
use crate::index::Index;
use crate::link::Link;
use crate::listeners::{Emitter, HandlerId, ListenerError, Outlet, lock, on_events};
use crate::liveness::Liveness;
use crate::log::LogFilter;
use crate::manager::WorkerManager;
use crate::options::{RouterOptions, WebRtcServerOptions, WorkerUpdateSettings};
use crate::resource_usage::{self, ResourceUsage};
use crate::router::{Router, RouterShared, create_router};
use crate::stream::EventStream;
use crate::webrtc_server::{WebRtcServer, WebRtcServerId, WebRtcServerShared, create_webrtc_server};
use crossbeam_channel::Sender;
use serde::Serialize;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};
use tureen_media_model::{AskForNotes, RouterId, WorkerId};
use tureen_runtime::{CallError, Runtime, ShardHandle, ShardSnapshot};
use tureen_transport_webrtc::DtlsCertificate;

/// What all handles to one Worker, and all that is on it, share.
pub(crate) struct WorkerShared {
    pub(crate) id: WorkerId,
    pub(crate) liveness: Arc<Liveness>,
    pub(crate) outlet: Outlet<WorkerEvent, WorkerObserverEvent>,
    pub(crate) routers: Children<RouterShared>,
    pub(crate) webrtc_servers: Children<WebRtcServerShared>,
    /// What its WebRTC transports show to their remotes.
    pub(crate) certificate: DtlsCertificate,
    pub(crate) index: Index,
    pub(crate) log: LogFilter,
    pub(crate) rtc_port_range: RangeInclusive<u16>,
    pub(crate) shards: Vec<ShardHandle>,
    pub(crate) tasks: Sender<Task>,
    /// How much lives on each shard.
    load: Vec<AtomicUsize>,
    next_serial: AtomicU64,
    died: AtomicBool,
    /// Held while shards are told what to tell for the log, so that they hear of changes in their order.
    notes: Mutex<()>,
    /// Why it died, until listeners are told.
    pub(crate) death: Mutex<Option<String>>,
    app_data: AppData,
    runtime: Mutex<Option<Runtime>>,
}

/// What a Worker is put together from.
pub(crate) struct WorkerParts {
    pub(crate) id: WorkerId,
    pub(crate) runtime: Runtime,
    pub(crate) log: LogFilter,
    pub(crate) rtc_port_range: RangeInclusive<u16>,
    pub(crate) certificate: DtlsCertificate,
    pub(crate) app_data: AppData,
    pub(crate) tasks: Sender<Task>,
}

impl WorkerShared {
    pub(crate) fn new(parts: WorkerParts) -> Self {
        let shards = parts.runtime.shards().to_vec();
        Self {
            id: parts.id,
            liveness: Liveness::root(),
            outlet: Outlet::default(),
            routers: Children::default(),
            webrtc_servers: Children::default(),
            certificate: parts.certificate,
            index: Index::default(),
            log: parts.log,
            rtc_port_range: parts.rtc_port_range,
            load: shards.iter().map(|_| AtomicUsize::new(0)).collect(),
            shards,
            tasks: parts.tasks,
            next_serial: AtomicU64::new(0),
            died: AtomicBool::new(false),
            notes: Mutex::default(),
            death: Mutex::default(),
            app_data: parts.app_data,
            runtime: Mutex::new(Some(parts.runtime)),
        }
    }

    /// A number larger than any before, so that siblings sort by age.
    pub(crate) fn serial(&self) -> u64 {
        self.next_serial.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn task(&self, task: Task) {
        // The dispatcher lives for as long as anybody can send to it.
        let _ = self.tasks.send(task);
    }

    /// The link to the shard asked for, or to the one with the least on it.
    pub(crate) fn link(self: &Arc<Self>, shard: Option<u8>) -> Option<Link> {
        let index = match shard {
            Some(shard) => usize::from(shard),
            None => (0..self.load.len()).min_by_key(|&index| self.load_of(index))?,
        };
        self.shards.get(index).map(|shard| Link::new(Arc::clone(self), shard.clone()))
    }

    fn load_of(&self, index: usize) -> usize {
        self.load.get(index).map_or(usize::MAX, |load| load.load(Ordering::Relaxed))
    }

    /// Counts an object on a shard until what is returned is dropped.
    pub(crate) fn burden(self: &Arc<Self>, link: &Link) -> Burden {
        let index = usize::from(link.shard_id().0);
        if let Some(load) = self.load.get(index) {
            load.fetch_add(1, Ordering::Relaxed);
        }
        Burden { worker: Arc::clone(self), index }
    }

    pub(crate) fn explain(&self, error: CallError) -> RequestError {
        if self.died.load(Ordering::SeqCst) { RequestError::WorkerDied } else { error.into() }
    }

    /// Has the shards tell what the log's level and tags ask for.
    pub(crate) async fn ask_for_notes(&self) -> Result<(), RequestError> {
        let asked: Vec<_> = {
            let _in_order = lock(&self.notes);
            let request = AskForNotes { topics: self.log.note_topics() };
            self.shards.iter().map(|shard| shard.call(request.clone())).collect()
        };
        for answer in asked {
            answer.await.map_err(|error| self.explain(error))?;
        }
        Ok(())
    }

    fn close(self: &Arc<Self>) {
        if self.liveness.close() {
            self.task(Task::WorkerClosed(Arc::clone(self)));
        }
    }

    /// A shard ended unasked. `false` if the Worker was closed before.
    pub(crate) fn die(&self) -> bool {
        let died = self.liveness.close();
        if died {
            self.died.store(true, Ordering::SeqCst);
        }
        died
    }

    /// Tells listeners that it closed, and before that why it died, if it did.
    pub(crate) fn announce_closing(&self) {
        let death = lock(&self.death).take();
        if let Some(reason) = death {
            self.outlet.tell(&WorkerEvent::Died(reason));
        }
        self.outlet.observe(&WorkerObserverEvent::Close);
        self.outlet.end();
    }

    /// Ends the shards.
    pub(crate) fn stop(&self) {
        let runtime = lock(&self.runtime).take();
        drop(runtime);
    }
}

/// One object's share of a shard's load, until it is closed.
pub(crate) struct Burden {
    worker: Arc<WorkerShared>,
    index: usize,
}

impl Drop for Burden {
    fn drop(&mut self) {
        if let Some(load) = self.worker.load.get(self.index) {
            load.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

pub(crate) struct WorkerInner {
    pub(crate) shared: Arc<WorkerShared>,
    manager: WorkerManager,
}

impl Drop for WorkerInner {
    fn drop(&mut self) {
        self.shared.close();
    }
}

/// A Worker: shards, each a thread with its own sockets, and the [`Router`]s that span them.
///
/// Clones are handles to the same Worker; it closes with [`Worker::close`] or when the last handle goes, those that its
/// routers hold included.
#[derive(Clone)]
pub struct Worker {
    inner: Arc<WorkerInner>,
}

/// A handle that does not keep its Worker open.
#[derive(Clone, Debug)]
pub struct WeakWorker {
    inner: Weak<WorkerInner>,
    id: WorkerId,
}

impl WeakWorker {
    /// The Worker, unless its last handle is gone.
    pub fn upgrade(&self) -> Option<Worker> {
        self.inner.upgrade().map(|inner| Worker { inner })
    }

    /// Its id.
    pub fn id(&self) -> WorkerId {
        self.id
    }
}

/// A Worker's internals.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkerDump {
    /// Its id.
    pub id: WorkerId,
    /// The process that it runs in.
    pub pid: u32,
    /// Its open WebRtcServers, oldest first.
    pub web_rtc_server_ids: Vec<WebRtcServerId>,
    /// Its open routers, oldest first.
    pub router_ids: Vec<RouterId>,
    /// How many shards it has.
    pub shards: usize,
}

impl Worker {
    pub(crate) fn new(shared: Arc<WorkerShared>, manager: WorkerManager) -> Self {
        Self { inner: Arc::new(WorkerInner { shared, manager }) }
    }

    pub(crate) fn shared(&self) -> &Arc<WorkerShared> {
        &self.inner.shared
    }

    /// Its id.
    pub fn id(&self) -> WorkerId {
        self.inner.shared.id
    }

    /// The process that it runs in: this one.
    pub fn pid(&self) -> u32 {
        std::process::id()
    }

    /// The manager that it was made with.
    pub fn manager(&self) -> &WorkerManager {
        &self.inner.manager
    }

    /// How many shards it has.
    pub fn shards(&self) -> usize {
        self.inner.shared.shards.len()
    }

    /// Whether it is closed; dead Workers are.
    pub fn closed(&self) -> bool {
        self.inner.shared.liveness.is_closed()
    }

    /// Whether one of its shards ended unasked.
    pub fn died(&self) -> bool {
        self.inner.shared.died.load(Ordering::SeqCst)
    }

    /// The program's own data.
    pub fn app_data(&self) -> &AppData {
        &self.inner.shared.app_data
    }

    /// Closes it and all on it, at once; does nothing if it is closed.
    pub fn close(&self) {
        self.inner.shared.close();
    }

    /// A handle that does not keep it open.
    pub fn downgrade(&self) -> WeakWorker {
        WeakWorker { inner: Arc::downgrade(&self.inner), id: self.id() }
    }

    /// Makes a Router on all shards.
    ///
    /// # Errors
    /// A codec that is not supported, or two that claim one payload type, or more than there are payload types for.
    pub async fn create_router(&self, options: RouterOptions) -> Result<Router, CreateRouterError> {
        create_router(self.clone(), options).await
    }

    /// Opens sockets for any number of WebRTC transports: for each of `listen_infos` one a shard, where a fixed port is that of
    /// the first shard and each further shard takes the next.
    ///
    /// # Errors
    /// [`CreateWebRtcServerError`]: no `listen_infos`, or a socket that cannot be bound; nothing is left open then.
    pub async fn create_webrtc_server(
        &self,
        options: WebRtcServerOptions,
    ) -> Result<WebRtcServer, CreateWebRtcServerError> {
        create_webrtc_server(self.clone(), options).await
    }

    /// Changes what is logged from now on; see [`Worker::log_filter`].
    ///
    /// # Errors
    /// [`RequestError::Closed`] or [`RequestError::WorkerDied`].
    pub async fn update_settings(&self, settings: WorkerUpdateSettings) -> Result<(), RequestError> {
        self.check_open()?;
        if let Some(level) = settings.log_level {
            self.inner.shared.log.set_level(level);
        }
        if let Some(tags) = settings.log_tags {
            self.inner.shared.log.set_tags(&tags);
        }
        self.inner.shared.ask_for_notes().await
    }

    /// What decides which of its log lines are written.
    pub fn log_filter(&self) -> &LogFilter {
        &self.inner.shared.log
    }

    /// Resources used by this process.
    ///
    /// # Errors
    /// The Worker is closed, or the operating system refuses.
    pub async fn get_resource_usage(&self) -> Result<ResourceUsage, ResourceUsageError> {
        self.check_open().map_err(|_| ResourceUsageError::Closed)?;
        resource_usage::read()
    }

    /// Its internals.
    ///
    /// # Errors
    /// [`RequestError::Closed`].
    pub async fn dump(&self) -> Result<WorkerDump, RequestError> {
        self.check_open()?;
        let routers = self.inner.shared.routers.all();
        let open = routers.iter().filter(|router| !router.liveness.is_closed());
        let servers = self.inner.shared.webrtc_servers.all();
        Ok(WorkerDump {
            web_rtc_server_ids: servers.iter().map(|server| server.id).collect(),
            id: self.id(),
            pid: self.pid(),
            router_ids: open.map(|router| router.id).collect(),
            shards: self.shards(),
        })
    }

    /// Figures of each shard, for metrics.
    ///
    /// # Errors
    /// [`RequestError::Closed`] or [`RequestError::WorkerDied`].
    pub async fn snapshot(&self) -> Result<Vec<ShardSnapshot>, RequestError> {
        self.check_open()?;
        let mut snapshots = Vec::with_capacity(self.shards());
        for shard in &self.inner.shared.shards {
            snapshots.push(shard.snapshot().await.map_err(|error| self.inner.shared.explain(error))?);
        }
        Ok(snapshots)
    }

    fn check_open(&self) -> Result<(), RequestError> {
        match (self.died(), self.closed()) {
            (true, _) => Err(RequestError::WorkerDied),
            (false, true) => Err(RequestError::Closed),
            (false, false) => Ok(()),
        }
    }

    /// Its news as a stream.
    pub fn events(&self) -> EventStream<WorkerEvent> {
        self.inner.shared.outlet.public.stream()
    }

    /// Everything that happens to it, whoever caused it.
    pub fn observer(&self) -> WorkerObserver {
        WorkerObserver { emitter: self.inner.shared.outlet.observer.clone() }
    }

    on_events! { WorkerEvent, |this| this.inner.shared.outlet.public;
        /// One of its shards ended unasked; the text says why.
        on_died => Died(str);
        /// A listener of it or its observer panicked.
        on_listener_error => ListenerError(ListenerError);
    }
}

impl std::fmt::Debug for Worker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Worker")
            .field("id", &self.id())
            .field("closed", &self.closed())
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for WorkerInner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WorkerInner").field("id", &self.shared.id).finish_non_exhaustive()
    }
}

/// Everything that happens to a [`Worker`]. It does not keep the Worker open.
#[derive(Clone)]
pub struct WorkerObserver {
    emitter: Emitter<WorkerObserverEvent>,
}

impl WorkerObserver {
    /// All of it as a stream.
    pub fn events(&self) -> EventStream<WorkerObserverEvent> {
        self.emitter.stream()
    }

    on_events! { WorkerObserverEvent, |this| this.emitter;
        /// It closed.
        on_close => Close;
    }

    /// A Router was made on it.
    pub fn on_new_router(&self, listener: impl Fn(Router) + Send + Sync + 'static) -> HandlerId {
        self.emitter.listen(move |event| {
            if let WorkerObserverEvent::NewRouter(router) = event
                && let Some(router) = router.upgrade()
            {
                listener(router);
            }
        })
    }

    /// A WebRtcServer was made on it.
    pub fn on_new_webrtc_server(&self, listener: impl Fn(WebRtcServer) + Send + Sync + 'static) -> HandlerId {
        self.emitter.listen(move |event| {
            if let WorkerObserverEvent::NewWebRtcServer(server) = event
                && let Some(server) = server.upgrade()
            {
                listener(server);
            }
        })
    }
}

/// Tells of a Router that was made.
pub(crate) fn announce_router(router: &Router) {
    let worker = router.worker().shared();
    worker.task(Created::Router(Arc::clone(worker), router.downgrade()).task());
}
