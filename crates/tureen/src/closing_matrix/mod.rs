//! Every object closed by every cause at every moment, in random order: each is told exactly what `docs/CLOSING.md` says, once, and nothing
//! of it stays in a Core. In the crate, as nothing outside can make a Worker die.

mod model;

use crate::dispatch::end_shard;
use crate::*;
use model::{Kind, Model, endings, name};
use pollster::block_on;
use proptest::prelude::*;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use tureen_media_model::Population;
use tureen_rtp_dictionaries::MediaKind;

/// What happens next. Numbers choose among what there is, modulo how many there are.
#[derive(Clone, Debug)]
enum Step {
    Make(Kind, usize, usize),
    /// The making is given up halfway.
    Abandon(Kind, usize, usize),
    Close(usize),
    /// The last handle goes, of something that nothing hangs on.
    Drop(usize),
    Die,
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        1 => Just(Kind::Router),
        3 => Just(Kind::Transport),
        4 => Just(Kind::Producer),
        6 => Just(Kind::Consumer),
        3 => Just(Kind::DataProducer),
        4 => Just(Kind::DataConsumer),
        2 => Just(Kind::RtpObserver),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let places = || (any::<prop::sample::Index>(), any::<prop::sample::Index>());
    let place = |index: prop::sample::Index| index.index(1 << 16);
    prop_oneof![
        40 => (kind(), places()).prop_map(move |(kind, (a, b))| Step::Make(kind, place(a), place(b))),
        5 => (kind(), places()).prop_map(move |(kind, (a, b))| Step::Abandon(kind, place(a), place(b))),
        8 => any::<prop::sample::Index>().prop_map(move |a| Step::Close(place(a))),
        3 => any::<prop::sample::Index>().prop_map(move |a| Step::Drop(place(a))),
        1 => Just(Step::Die),
    ]
}

/// A handle to anything.
#[derive(Clone)]
enum Handle {
    Worker(Worker),
    Router(Router),
    Transport(DirectTransport),
    Producer(Producer),
    Consumer(Consumer),
    DataProducer(DataProducer),
    DataConsumer(DataConsumer),
    RtpObserver(AudioLevelObserver),
}

impl Handle {
    fn kind(&self) -> Kind {
        match self {
            Self::Worker(_) => Kind::Worker,
            Self::Router(_) => Kind::Router,
            Self::Transport(_) => Kind::Transport,
            Self::Producer(_) => Kind::Producer,
            Self::Consumer(_) => Kind::Consumer,
            Self::DataProducer(_) => Kind::DataProducer,
            Self::DataConsumer(_) => Kind::DataConsumer,
            Self::RtpObserver(_) => Kind::RtpObserver,
        }
    }

    fn close(&self) {
        match self {
            Self::Worker(it) => it.close(),
            Self::Router(it) => it.close(),
            Self::Transport(it) => it.close(),
            Self::Producer(it) => it.close(),
            Self::Consumer(it) => it.close(),
            Self::DataProducer(it) => it.close(),
            Self::DataConsumer(it) => it.close(),
            Self::RtpObserver(it) => it.close(),
        }
    }

    fn closed(&self) -> bool {
        match self {
            Self::Worker(it) => it.closed(),
            Self::Router(it) => it.closed(),
            Self::Transport(it) => it.closed(),
            Self::Producer(it) => it.closed(),
            Self::Consumer(it) => it.closed(),
            Self::DataProducer(it) => it.closed(),
            Self::DataConsumer(it) => it.closed(),
            Self::RtpObserver(it) => it.closed(),
        }
    }

    /// Lets every closing event be written to the log.
    fn watch(&self, name: &str, log: &Log) {
        // The last event first: what closes meanwhile is told whole, or its end alone.
        let line = |event: &str| log.line(format!("{name} {event}"));
        match self {
            Self::Worker(it) => {
                it.observer().on_close(line("close")).detach();
                let (log, name) = (log.clone(), name.to_owned());
                it.on_died(move |reason| log.write(format!("{name} died of {reason}"))).detach();
            }
            Self::Router(it) => {
                it.observer().on_close(line("close")).detach();
                it.on_worker_close(line("workerclose")).detach();
            }
            Self::Transport(it) => {
                it.observer().on_close(line("close")).detach();
                it.on_router_close(line("routerclose")).detach();
            }
            Self::Producer(it) => {
                it.observer().on_close(line("close")).detach();
                it.on_transport_close(line("transportclose")).detach();
            }
            Self::Consumer(it) => {
                it.observer().on_close(line("close")).detach();
                it.on_transport_close(line("transportclose")).detach();
                it.on_producer_close(line("producerclose")).detach();
            }
            Self::DataProducer(it) => {
                it.observer().on_close(line("close")).detach();
                it.on_transport_close(line("transportclose")).detach();
            }
            Self::DataConsumer(it) => {
                it.observer().on_close(line("close")).detach();
                it.on_transport_close(line("transportclose")).detach();
                it.on_data_producer_close(line("dataproducerclose")).detach();
            }
            Self::RtpObserver(it) => {
                it.observer().on_close(line("close")).detach();
                it.on_router_close(line("routerclose")).detach();
            }
        }
    }
}

/// Lines that listeners wrote.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn write(&self, line: String) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }

    fn line(&self, line: String) -> impl Fn() + Send + Sync + 'static {
        let log = self.clone();
        move || log.write(line.clone())
    }

    fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Objects that were made, and the model of them.
struct Scene {
    manager: WorkerManager,
    /// `None` once the handle is gone.
    handles: Vec<Option<Handle>>,
    model: Model,
    log: Log,
    next_ssrc: u32,
    shards: u8,
}

impl Scene {
    fn new(shards: u8) -> Self {
        let manager = WorkerManager::new().expect("a thread");
        let worker = block_on(manager.create_worker(WorkerSettings::with_shards(shards))).expect("a worker");
        let (log, model) = (Log::default(), Model::default());
        let mut scene = Self { manager, handles: Vec::new(), model, log, next_ssrc: 1000, shards };
        scene.add(Handle::Worker(worker), None, None);
        scene
    }

    fn add(&mut self, handle: Handle, parent: Option<usize>, source: Option<usize>) {
        let index = self.model.add(handle.kind(), parent, source);
        handle.watch(&name(handle.kind(), index), &self.log);
        self.handles.push(Some(handle));
    }

    fn worker(&self) -> Worker {
        match &self.handles[0] {
            Some(Handle::Worker(worker)) => worker.clone(),
            _ => unreachable!("it is the first, and is kept"),
        }
    }

    /// The object of a kind that `choice` stands for, open or not.
    fn choose(&self, kind: Kind, choice: usize) -> Option<(usize, Handle)> {
        let all = self.handles.iter().enumerate();
        let of_kind: Vec<_> = all
            .filter_map(|(index, handle)| Some((index, handle.clone()?)))
            .filter(|(_, handle)| handle.kind() == kind)
            .collect();
        let place = choice.checked_rem(of_kind.len())?;
        Some(of_kind[place].clone())
    }

    /// The future that makes something, with what it hangs on and what it consumes. `None` if there is nothing that it could be made on.
    fn making(&mut self, kind: Kind, a: usize, b: usize) -> Option<Making> {
        self.next_ssrc += 10;
        let (ssrc, shard) = (self.next_ssrc, (b % usize::from(self.shards)) as u8);
        Some(match kind {
            Kind::Worker => return None,
            Kind::Router => {
                let worker = self.worker();
                let options = RouterOptions::new(from_json(serde_json::json!([
                    {"kind": "audio", "mimeType": "audio/opus", "clockRate": 48000, "channels": 2}
                ])));
                Making::new(0, None, async move {
                    Some(Handle::Router(worker.create_router(options).await.ok()?))
                })
            }
            Kind::Transport => {
                let (parent, Handle::Router(router)) = self.choose(Kind::Router, a)? else { return None };
                let options = DirectTransportOptions::on_shard(shard);
                let made = async move { router.create_direct_transport(options).await.ok() };
                Making::new(parent, None, async move { made.await.map(Handle::Transport) })
            }
            Kind::RtpObserver => {
                let (parent, Handle::Router(router)) = self.choose(Kind::Router, a)? else { return None };
                let options = AudioLevelObserverOptions { shard: Some(shard), ..Default::default() };
                let made = async move { router.create_audio_level_observer(options).await.ok() };
                Making::new(parent, None, async move { made.await.map(Handle::RtpObserver) })
            }
            Kind::Producer => {
                let (parent, transport) = self.transport(a)?;
                let options = ProducerOptions::new(MediaKind::Audio, opus(ssrc));
                Making::new(parent, None, async move {
                    transport.produce(options).await.ok().map(Handle::Producer)
                })
            }
            Kind::DataProducer => {
                let (parent, transport) = self.transport(a)?;
                let made = async move { transport.produce_data(DataProducerOptions::default()).await.ok() };
                Making::new(parent, None, async move { made.await.map(Handle::DataProducer) })
            }
            Kind::Consumer => {
                let (source, Handle::Producer(producer)) = self.choose(Kind::Producer, b)? else {
                    return None;
                };
                let (parent, transport) = self.transport_beside(&producer.transport(), a)?;
                let options = ConsumerOptions::new(producer.id(), transport.router().rtp_capabilities());
                let made = async move { transport.consume(options).await.ok() };
                Making::new(parent, Some(source), async move { made.await.map(Handle::Consumer) })
            }
            Kind::DataConsumer => {
                let (source, Handle::DataProducer(producer)) = self.choose(Kind::DataProducer, b)? else {
                    return None;
                };
                let (parent, transport) = self.transport_beside(&producer.transport(), a)?;
                let options = DataConsumerOptions::new(producer.id());
                let made = async move { transport.consume_data(options).await.ok() };
                Making::new(parent, Some(source), async move { made.await.map(Handle::DataConsumer) })
            }
        })
    }

    fn transport(&self, choice: usize) -> Option<(usize, DirectTransport)> {
        match self.choose(Kind::Transport, choice)? {
            (index, Handle::Transport(transport)) => Some((index, transport)),
            _ => None,
        }
    }

    /// One of the transports on the Router of another.
    fn transport_beside(&self, other: &AnyTransport, choice: usize) -> Option<(usize, DirectTransport)> {
        let transports = self.handles.iter().enumerate().filter_map(|(index, handle)| match handle {
            Some(Handle::Transport(transport)) if transport.router().id() == other.router().id() => {
                Some((index, transport.clone()))
            }
            _ => None,
        });
        let transports: Vec<_> = transports.collect();
        let place = choice.checked_rem(transports.len())?;
        Some(transports[place].clone())
    }

    fn take(&mut self, step: &Step) {
        match *step {
            Step::Make(kind, a, b) => {
                let Some(Making { parent, source, future }) = self.making(kind, a, b) else { return };
                let is_possible =
                    !self.model.closed(parent) && source.is_none_or(|it| !self.model.closed(it));
                let made = block_on(future);
                assert_eq!(made.is_some(), is_possible, "{kind:?} on what is closed, or not on what is open");
                if let Some(handle) = made {
                    self.add(handle, Some(parent), source);
                }
            }
            Step::Abandon(kind, a, b) => {
                let Some(Making { mut future, .. }) = self.making(kind, a, b) else { return };
                // A making that is through at once is closed by its last handle.
                let _: Poll<Option<Handle>> = future.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            }
            Step::Close(choice) => {
                let place = choice % self.handles.len();
                // The Worker ends few lives early.
                let Some(handle) = self.handles[place].as_ref().filter(|_| place > 0 || choice % 7 == 0)
                else {
                    return;
                };
                handle.close();
                self.model.close(place);
            }
            Step::Drop(choice) => {
                let place = choice % self.handles.len();
                let is_leaf =
                    |handle: &Handle| !matches!(handle.kind(), Kind::Worker | Kind::Router | Kind::Transport);
                if self.handles[place].as_ref().is_some_and(is_leaf) {
                    self.handles[place] = None;
                    self.model.close(place);
                }
            }
            Step::Die => {
                let worker = self.worker();
                self.manager.run(move || end_shard(&worker, "a test"));
                block_on(self.manager.all_told());
                self.model.die(0, "shard 0: a test");
            }
        }
        self.assert_flags();
    }

    /// What is closed says so at once.
    fn assert_flags(&self) {
        for (index, handle) in self.handles.iter().enumerate() {
            if let Some(handle) = handle {
                let name = name(handle.kind(), index);
                assert_eq!(handle.closed(), self.model.closed(index), "{name} says that it is closed");
            }
        }
    }

    /// Closes what is left, and sees that nothing of it stays in the Cores.
    fn end(mut self) -> (Vec<String>, Vec<String>) {
        let worker = self.worker();
        let routers =
            (0..self.handles.len()).filter(|place| matches!(self.handles[*place], Some(Handle::Router(_))));
        for place in routers.collect::<Vec<_>>() {
            if let Some(router) = &self.handles[place] {
                router.close();
            }
            self.model.close(place);
        }
        if !worker.closed() {
            assert_empty(&worker);
        }
        worker.close();
        self.model.close(0);
        block_on(self.manager.all_told());
        (self.log.lines(), self.model.told)
    }
}

/// A future that makes something, or fails.
struct Making {
    parent: usize,
    source: Option<usize>,
    future: futures_util::future::BoxFuture<'static, Option<Handle>>,
}

impl Making {
    fn new(
        parent: usize,
        source: Option<usize>,
        future: impl Future<Output = Option<Handle>> + Send + 'static,
    ) -> Self {
        Self { parent, source, future: Box::pin(future) }
    }
}

/// Shards forget on request: what is closed is gone a moment later.
fn assert_empty(worker: &Worker) {
    let start = std::time::Instant::now();
    loop {
        let snapshots = block_on(worker.snapshot()).expect("it is open");
        let left: Vec<_> = snapshots.iter().map(|shard| shard.population).collect();
        if left.iter().all(|population| *population == Population::default()) {
            return;
        }
        assert!(start.elapsed().as_secs() < 10, "left behind: {left:?}");
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
}

fn from_json<T: serde::de::DeserializeOwned>(value: serde_json::Value) -> T {
    serde_json::from_value(value).expect("well-formed JSON")
}

fn opus(ssrc: u32) -> dictionaries::RtpParameters {
    from_json(serde_json::json!({
        "codecs": [{"mimeType": "audio/opus", "clockRate": 48000, "channels": 2, "payloadType": 111}],
        "encodings": [{"ssrc": ssrc}],
        "rtcp": {"cname": "tester"}
    }))
}

fn cases() -> ProptestConfig {
    let cases = if std::env::var_os("TUREEN_TEST_FULL").is_some() { 1000 } else { 60 };
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn everything_closes_as_it_is_written(
        shards in 1u8..=2,
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let mut scene = Scene::new(shards);
        for step in [Step::Make(Kind::Router, 0, 0), Step::Make(Kind::Transport, 0, 0)].iter().chain(&steps) {
            scene.take(step);
        }
        let (told, expected) = scene.end();
        prop_assert_eq!(told, expected);
    }

    /// Two threads close what a third one makes.
    #[test]
    fn whatever_races_each_ends_once(
        shards in 1u8..=2,
        kinds in prop::collection::vec((kind(), any::<u16>(), any::<u16>()), 20..60),
        closings in prop::collection::vec((any::<u16>(), 0u8..200), 5..30),
    ) {
        let mut scene = Scene::new(shards);
        for step in [Step::Make(Kind::Router, 0, 0), Step::Make(Kind::Transport, 0, 0)] {
            scene.take(&step);
        }
        let shared = Arc::new(Mutex::new(Vec::<Handle>::new()));
        let closers = [0, 1].map(|thread| {
            let (shared, closings) = (Arc::clone(&shared), closings.clone());
            std::thread::spawn(move || {
                for (choice, wait) in closings.into_iter().skip(thread).step_by(2) {
                    std::thread::sleep(std::time::Duration::from_micros(u64::from(wait)));
                    let handles = shared.lock().unwrap_or_else(PoisonError::into_inner);
                    let chosen = usize::from(choice).checked_rem(handles.len()).map(|place| handles[place].clone());
                    drop(handles);
                    if let Some(handle) = chosen {
                        handle.close();
                    }
                }
            })
        });
        for (kind, a, b) in kinds {
            let Some(Making { parent, source, future }) = scene.making(kind, a.into(), b.into()) else { continue };
            if let Some(handle) = block_on(future) {
                shared.lock().unwrap_or_else(PoisonError::into_inner).push(handle.clone());
                scene.add(handle, Some(parent), source);
            }
        }
        for closer in closers {
            closer.join().expect("it only closes");
        }
        let kinds: Vec<_> = scene.handles.iter().flatten().map(Handle::kind).collect();
        let (told, _) = scene.end();
        for (index, kind) in kinds.into_iter().enumerate() {
            let prefix = format!("{} ", name(kind, index));
            let own: Vec<_> = told.iter().filter_map(|line| line.strip_prefix(&prefix)).collect();
            // What closed before it was watched has nobody to tell.
            prop_assert!(own.is_empty() || endings(kind).contains(&&own[..]), "{}{:?}", prefix, own);
        }
    }
}
