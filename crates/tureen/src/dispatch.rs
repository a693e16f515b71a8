//! The thread that listeners are called on: it takes what shards report and what handles did, keeps the objects' last
//! known state, and tells listeners in order.
//!
//! Nothing that happens here can hold up a shard: they only ever try to send.

use crate::cascade::{self, Node};
use crate::consumer::{ConsumerShared, WeakConsumer};
use crate::event::{RouterObserverEvent, TransportObserverEvent, WorkerManagerEvent, WorkerObserverEvent};
use crate::listeners::{Emitter, lock};
use crate::log::{LogLevel, LogTag};
use crate::producer::{ProducerShared, WeakProducer};
use crate::router::{RouterShared, WeakRouter};
use crate::transport::{TransportShared, WeakTransport};
use crate::worker::{WeakWorker, WorkerShared};
use crossbeam_channel::{Receiver, Select, Sender, unbounded};
use std::sync::Arc;
use tureen_media_model::Event;
use tureen_runtime::ShardEvent;

/// What a handle asks of the dispatcher.
pub(crate) enum Task {
    /// Listen to a Worker's shards.
    Attach(Arc<WorkerShared>, Receiver<ShardEvent>),
    /// Tell of an object that was made.
    Created(Created),
    /// A Worker was closed.
    WorkerClosed(Arc<WorkerShared>),
    /// A Router was closed.
    RouterClosed(Arc<RouterShared>),
    /// A transport was closed.
    TransportClosed(Arc<TransportShared>),
    /// A producer was closed.
    ProducerClosed(Arc<ProducerShared>),
    /// A consumer was closed.
    ConsumerClosed(Arc<ConsumerShared>),
}

/// An object that was made, after the one that is told.
pub(crate) enum Created {
    Worker(Emitter<WorkerManagerEvent>, WeakWorker),
    Router(Arc<WorkerShared>, WeakRouter),
    Transport(Arc<RouterShared>, WeakTransport),
    Producer(Arc<TransportShared>, WeakProducer),
    Consumer(Arc<TransportShared>, WeakConsumer),
}

/// Starts the thread; it ends when every sender is gone.
pub(crate) fn start() -> std::io::Result<Sender<Task>> {
    let (sender, tasks) = unbounded();
    let dispatcher = Dispatcher { tasks, attached: Vec::new() };
    std::thread::Builder::new().name("tureen-events".to_owned()).spawn(move || dispatcher.run())?;
    Ok(sender)
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
        Task::Created(created) => tell_created(created),
        Task::WorkerClosed(worker) => {
            cascade::announce(Node::Worker(Arc::clone(&worker)));
            worker.stop();
        }
        Task::RouterClosed(router) => cascade::announce(Node::Router(router)),
        Task::TransportClosed(transport) => cascade::announce(Node::Transport(transport)),
        Task::ProducerClosed(producer) => cascade::announce(Node::Producer(producer)),
        Task::ConsumerClosed(consumer) => cascade::announce(Node::Consumer(consumer)),
    }
}

/// Tells of a new object, unless its parent's listeners were already told that all on it is closed.
fn tell_created(created: Created) {
    match created {
        Created::Worker(emitter, worker) => {
            for panic in emitter.emit(&WorkerManagerEvent::NewWorker(worker)) {
                emitter.emit(&panic.into());
            }
        }
        Created::Router(worker, router) => worker.outlet.observe(&WorkerObserverEvent::NewRouter(router)),
        Created::Transport(router, transport) => {
            router.outlet.observe(&RouterObserverEvent::NewTransport(transport));
        }
        Created::Producer(transport, producer) => {
            transport.outlet.observe(&TransportObserverEvent::NewProducer(producer));
        }
        Created::Consumer(transport, consumer) => {
            transport.outlet.observe(&TransportObserverEvent::NewConsumer(consumer));
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
