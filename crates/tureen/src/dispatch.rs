//! The thread that listeners are called on: it takes what shards report and what handles did, keeps the objects' last
//! known state, and tells listeners in order.
//!
//! Nothing that happens here can hold up a shard: they only ever try to send.

use crate::cascade::{self, Node};
use crate::consumer::{ConsumerShared, WeakConsumer};
use crate::data::{DataConsumerShared, DataProducerShared, WeakDataConsumer, WeakDataProducer};
use crate::event::{RouterObserverEvent, TransportObserverEvent, WorkerManagerEvent, WorkerObserverEvent};
use crate::listeners::{Audience, Emitter, lock};
use crate::log::{LogLevel, LogTag};
use crate::note;
use crate::producer::{ProducerShared, WeakProducer};
use crate::router::{RouterShared, WeakRouter};
use crate::rtp_observer::{RtpObserverShared, WeakRtpObserver};
use crate::transport::{TransportShared, WeakTransport};
use crate::webrtc_server::{WeakWebRtcServer, WebRtcServerShared};
use crate::worker::{WeakWorker, WorkerShared};
use crossbeam_channel::{Receiver, Select, Sender, unbounded};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::ThreadId;
use tureen_media_model::Event;
use tureen_runtime::ShardEvent;

/// What a handle asks of the dispatcher.
pub(crate) enum Task {
    /// Listen to a Worker's shards.
    Attach(Arc<WorkerShared>, Receiver<ShardEvent>),
    /// Tell of an object that was made.
    Created(Created, Audience),
    /// Something of a layer on top.
    Run(Box<dyn FnOnce() + Send>),
    /// A Worker was closed.
    WorkerClosed(Arc<WorkerShared>),
    /// A WebRtcServer was closed.
    WebRtcServerClosed(Arc<WebRtcServerShared>),
    /// A Router was closed.
    RouterClosed(Arc<RouterShared>),
    /// A transport was closed.
    TransportClosed(Arc<TransportShared>),
    /// A producer was closed.
    ProducerClosed(Arc<ProducerShared>),
    /// A consumer was closed.
    ConsumerClosed(Arc<ConsumerShared>),
    /// An RTP observer was closed.
    RtpObserverClosed(Arc<RtpObserverShared>),
    /// A data producer was closed.
    DataProducerClosed(Arc<DataProducerShared>),
    /// A data consumer was closed.
    DataConsumerClosed(Arc<DataConsumerShared>),
}

/// An object that was made, after who is told.
pub(crate) enum Created {
    Worker(Emitter<WorkerManagerEvent>, WeakWorker),
    Router(Arc<WorkerShared>, WeakRouter),
    WebRtcServer(Arc<WorkerShared>, WeakWebRtcServer),
    Transport(Arc<RouterShared>, WeakTransport),
    Producer(Arc<TransportShared>, WeakProducer),
    Consumer(Arc<TransportShared>, WeakConsumer),
    RtpObserver(Arc<RouterShared>, WeakRtpObserver),
    DataProducer(Arc<TransportShared>, WeakDataProducer),
    DataConsumer(Arc<TransportShared>, WeakDataConsumer),
}

impl Created {
    /// The task of telling those who listen now.
    pub(crate) fn task(self) -> Task {
        let audience = match &self {
            Self::Worker(emitter, _) => emitter.audience(),
            Self::Router(worker, _) | Self::WebRtcServer(worker, _) => worker.outlet.observer.audience(),
            Self::Transport(router, _) | Self::RtpObserver(router, _) => router.outlet.observer.audience(),
            Self::Producer(transport, _)
            | Self::Consumer(transport, _)
            | Self::DataProducer(transport, _)
            | Self::DataConsumer(transport, _) => transport.outlet.observer.audience(),
        };
        Task::Created(self, audience)
    }
}

/// Starts the thread; it ends when every sender is gone.
pub(crate) fn start() -> std::io::Result<(Sender<Task>, ThreadId)> {
    let (sender, tasks) = unbounded();
    let dispatcher = Dispatcher { tasks, attached: Vec::new() };
    let builder = std::thread::Builder::new().name("tureen-events".to_owned());
    let thread = builder.spawn(move || dispatcher.run())?.thread().id();
    Ok((sender, thread))
}

struct Attached {
    worker: Arc<WorkerShared>,
    events: Receiver<ShardEvent>,
}

struct Dispatcher {
    tasks: Receiver<Task>,
    attached: Vec<Attached>,
}

/// How many events of one Worker are told before the others have their turn.
const TURN: usize = 64;

impl Dispatcher {
    fn run(mut self) {
        loop {
            let ready = self.wait();
            if !self.carry_out_tasks() {
                return;
            }
            if let Some(index) = ready {
                self.tell_events(index);
            }
            self.attached.retain(|attached| !attached.worker.liveness.announced());
        }
    }

    /// Waits until there are tasks, or events of the Worker whose index is returned.
    fn wait(&self) -> Option<usize> {
        let mut select = Select::new();
        select.recv(&self.tasks);
        for attached in &self.attached {
            select.recv(&attached.events);
        }
        select.ready().checked_sub(1)
    }

    /// Carries out what waits; `false` when nothing ever will again.
    fn carry_out_tasks(&mut self) -> bool {
        loop {
            match self.tasks.try_recv() {
                Ok(Task::Attach(worker, events)) => self.attached.push(Attached { worker, events }),
                Ok(task) => carry_out(task),
                Err(error) => return error.is_empty(),
            }
        }
    }

    fn tell_events(&mut self, index: usize) {
        let Some(Attached { worker, events }) = self.attached.get(index) else {
            return;
        };
        let (worker, events) = (Arc::clone(worker), events.clone());
        for _ in 0..TURN {
            match events.try_recv() {
                // What handles did before the shard answered them is told before what the shard did after.
                Ok(event) => {
                    if !self.carry_out_tasks() {
                        return;
                    }
                    handle_event(&worker, event);
                }
                Err(error) if error.is_disconnected() => return shards_are_gone(&worker),
                Err(_) => return,
            }
        }
    }
}

fn carry_out(task: Task) {
    match task {
        // Attaching is the dispatcher's own.
        Task::Attach(..) => {}
        Task::Created(created, audience) => tell_created(created, audience),
        Task::Run(task) => run(task),
        Task::WorkerClosed(worker) => {
            cascade::announce(Node::Worker(Arc::clone(&worker)));
            worker.stop();
        }
        Task::WebRtcServerClosed(server) => cascade::announce(Node::WebRtcServer(server)),
        Task::RouterClosed(router) => cascade::announce(Node::Router(router)),
        Task::TransportClosed(transport) => cascade::announce(Node::Transport(transport)),
        Task::ProducerClosed(producer) => cascade::announce(Node::Producer(producer)),
        Task::ConsumerClosed(consumer) => cascade::announce(Node::Consumer(consumer)),
        Task::RtpObserverClosed(observer) => cascade::announce(Node::RtpObserver(observer)),
        Task::DataProducerClosed(producer) => cascade::announce(Node::DataProducer(producer)),
        Task::DataConsumerClosed(consumer) => cascade::announce(Node::DataConsumer(consumer)),
    }
}

fn run(task: Box<dyn FnOnce() + Send>) {
    if catch_unwind(AssertUnwindSafe(task)).is_err() {
        tracing::error!(target: "tureen::info", "a task of the program panicked");
    }
}

fn tell_created(created: Created, audience: Audience) {
    match created {
        Created::Worker(emitter, worker) => {
            for panic in emitter.emit_to(audience, &WorkerManagerEvent::NewWorker(worker)) {
                emitter.emit(&panic.into());
            }
        }
        Created::Router(worker, router) => {
            worker.outlet.observe_by(audience, &WorkerObserverEvent::NewRouter(router));
        }
        Created::WebRtcServer(worker, server) => {
            worker.outlet.observe_by(audience, &WorkerObserverEvent::NewWebRtcServer(server));
        }
        Created::Transport(router, transport) => {
            router.outlet.observe_by(audience, &RouterObserverEvent::NewTransport(transport));
        }
        Created::Producer(transport, producer) => {
            transport.outlet.observe_by(audience, &TransportObserverEvent::NewProducer(producer));
        }
        Created::Consumer(transport, consumer) => {
            transport.outlet.observe_by(audience, &TransportObserverEvent::NewConsumer(consumer));
        }
        Created::RtpObserver(router, observer) => {
            router.outlet.observe_by(audience, &RouterObserverEvent::NewRtpObserver(observer));
        }
        Created::DataProducer(transport, producer) => {
            transport.outlet.observe_by(audience, &TransportObserverEvent::NewDataProducer(producer));
        }
        Created::DataConsumer(transport, consumer) => {
            transport.outlet.observe_by(audience, &TransportObserverEvent::NewDataConsumer(consumer));
        }
    }
}

fn handle_event(worker: &Arc<WorkerShared>, event: ShardEvent) {
    match event {
        ShardEvent::Core(_, event) => handle_core_event(worker, event),
        ShardEvent::DirectPacket { transport, packet, .. } => {
            if let Some(transport) = worker.index.transports.get(&transport) {
                transport.receive(packet);
            }
        }
        ShardEvent::Died { shard, reason } => die(worker, format!("shard {}: {reason}", shard.0)),
        _ => {}
    }
}

/// Events of objects that are closed by now find nobody. Closings are told from here, where all shards are seen at once.
fn handle_core_event(worker: &WorkerShared, event: Event) {
    match event {
        Event::Transport(id, event) => {
            if let Some(transport) = worker.index.transports.get(&id) {
                transport.handle_event(event);
            }
        }
        Event::Producer(id, event) => {
            if let Some(producer) = worker.index.producers.get(&id) {
                producer.handle_event(event);
            }
        }
        Event::Consumer(id, event) => {
            if let Some(consumer) = worker.index.consumers.get(&id) {
                consumer.handle_event(event);
            }
        }
        Event::RtpObserver(id, event) => {
            if let Some(observer) = worker.index.rtp_observers.get(&id) {
                observer.handle_event(event);
            }
        }
        Event::DataProducer(id, event) => {
            if let Some(producer) = worker.index.data_producers.get(&id) {
                producer.handle_event(event);
            }
        }
        Event::Note { note, left_out } => note::log(worker, &note, left_out),
        Event::DataConsumer(id, event) => {
            if let Some(consumer) = worker.index.data_consumers.get(&id) {
                consumer.handle_event(event);
            }
        }
        _ => {}
    }
}

fn shards_are_gone(worker: &Arc<WorkerShared>) {
    die(worker, "the shards are gone".to_owned());
}

fn die(worker: &Arc<WorkerShared>, reason: String) {
    if worker.die() {
        if worker.log.allows(LogLevel::Error, LogTag::Info) {
            tracing::error!(target: "tureen::info", worker = %worker.id, reason, "worker died");
        }
        *lock(&worker.death) = Some(reason);
        cascade::announce(Node::Worker(Arc::clone(worker)));
        worker.stop();
    }
}

/// Tells that the first shard of a Worker ended; only on the dispatcher's thread.
#[cfg(test)]
pub(crate) fn end_shard(worker: &crate::Worker, reason: &str) {
    let shard = tureen_media_model::ShardId(0);
    handle_event(worker.shared(), ShardEvent::Died { shard, reason: reason.to_owned() });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        CreateTransportError, DirectTransportOptions, RequestError, RouterOptions, Transport as _,
        WorkerManager, WorkerSettings,
    };
    use pollster::block_on;
    use std::sync::Mutex;
    use tureen_media_model::ShardId;

    #[test]
    fn a_worker_whose_shard_ends_is_dead_with_all_on_it() {
        let manager = WorkerManager::new().expect("a thread");
        let worker = block_on(manager.create_worker(WorkerSettings::with_shards(2))).expect("a worker");
        let router = block_on(worker.create_router(RouterOptions::default())).expect("a router");
        let transport =
            block_on(router.create_direct_transport(DirectTransportOptions::default())).expect("a transport");
        let told = Arc::new(Mutex::new(Vec::new()));
        let write = |line: &'static str| {
            let told = Arc::clone(&told);
            move || lock(&told).push(line.to_owned())
        };
        transport.on_router_close(write("transport routerclose")).detach();
        router.on_worker_close(write("router workerclose")).detach();
        router.observer().on_close(write("router close")).detach();
        worker.observer().on_close(write("worker close")).detach();
        let in_listener = Arc::clone(&told);
        worker.on_died(move |reason| lock(&in_listener).push(format!("worker died of {reason}"))).detach();

        handle_event(worker.shared(), ShardEvent::Died { shard: ShardId(1), reason: "a test".to_owned() });
        assert!(worker.died() && worker.closed() && router.closed() && transport.closed());
        assert_eq!(
            *lock(&told),
            [
                "transport routerclose",
                "router workerclose",
                "router close",
                "worker died of shard 1: a test",
                "worker close",
            ]
        );
        assert_eq!(block_on(worker.dump()).err(), Some(RequestError::WorkerDied));
        let refused = block_on(router.create_direct_transport(DirectTransportOptions::default())).err();
        assert!(matches!(refused, Some(CreateTransportError::Request(RequestError::Closed))));
        handle_event(worker.shared(), ShardEvent::Died { shard: ShardId(0), reason: "again".to_owned() });
        assert_eq!(lock(&told).len(), 5, "it dies once");
    }
}
