//! Events: what each says, who causes which, and what becomes of listeners that panic, go or do not look.

mod support;

use futures_util::StreamExt;
use pollster::block_on;
use support::{Kept, Log, Stage, audio, consumer, eventually};
use tureen::{
    ConsumerEvent, ConsumerObserverEvent, ProducerEvent, ProducerObserverEvent, RouterObserverEvent,
    Transport as _, TransportObserverEvent, WorkerManagerEvent, WorkerObserverEvent,
};

#[test]
fn what_is_made_is_told_to_the_observer_of_its_parent() {
    let stage = Stage::new();
    let log = Log::default();
    let mut kept = Kept::default();
    kept.add(stage.manager.on_new_worker({
        let log = log.clone();
        move |worker| log.write(format!("worker {}", worker.id()))
    }));
    kept.add(stage.worker.observer().on_new_router({
        let log = log.clone();
        move |router| log.write(format!("router {}", router.id()))
    }));
    kept.add(stage.router.observer().on_new_transport({
        let log = log.clone();
        move |transport| log.write(format!("transport {}", transport.id()))
    }));
    let settings = tureen::WorkerSettings::with_shards(1);
    let worker = block_on(stage.manager.create_worker(settings)).expect("a worker");
    let router = block_on(stage.worker.create_router(Default::default())).expect("a router");
    let transport = stage.transport();
    kept.add(transport.observer().on_new_producer({
        let log = log.clone();
        move |producer| log.write(format!("producer {}", producer.id()))
    }));
    kept.add(transport.observer().on_new_consumer({
        let log = log.clone();
        move |consumer| log.write(format!("consumer {}", consumer.id()))
    }));
    let producer = audio(&transport, 1000);
    let consumer = consumer(&transport, &producer);
    assert_eq!(
        log.wait(5),
        [
            format!("worker {}", worker.id()),
            format!("router {}", router.id()),
            format!("transport {}", transport.id()),
            format!("producer {}", producer.id()),
            format!("consumer {}", consumer.id()),
        ]
    );
}

#[test]
fn streams_tell_the_same_as_listeners() {
    let stage = Stage::new();
    let mut workers = stage.manager.events();
    let mut routers = stage.worker.observer().events();
    let mut transports = stage.router.observer().events();
    let worker =
        block_on(stage.manager.create_worker(tureen::WorkerSettings::with_shards(1))).expect("a worker");
    let router = block_on(stage.worker.create_router(Default::default())).expect("a router");
    let transport = stage.transport();
    let mut children = transport.observer().events();
    let producer = audio(&transport, 1000);
    let consumer = consumer(&transport, &producer);
    let next = block_on(workers.next());
    assert!(matches!(next, Some(WorkerManagerEvent::NewWorker(made)) if made.id() == worker.id()));
    let next = block_on(routers.next());
    assert!(matches!(next, Some(WorkerObserverEvent::NewRouter(made)) if made.id() == router.id()));
    let next = block_on(transports.next());
    assert!(matches!(next, Some(RouterObserverEvent::NewTransport(made)) if made.id() == transport.id()));
    let next = block_on(children.next());
    assert!(matches!(next, Some(TransportObserverEvent::NewProducer(made)) if made.id() == producer.id()));
    let next = block_on(children.next());
    assert!(matches!(next, Some(TransportObserverEvent::NewConsumer(made)) if made.id() == consumer.id()));
    let (mut of_producer, mut of_consumer) = (producer.observer().events(), consumer.events());
    transport.close();
    assert!(matches!(block_on(of_producer.next()), Some(ProducerObserverEvent::Close)));
    assert!(block_on(of_producer.next()).is_none(), "nothing after the close");
    assert!(matches!(block_on(StreamExt::next(&mut of_consumer)), Some(ConsumerEvent::TransportClose)));
    assert!(block_on(of_consumer.next()).is_none());
    assert!(matches!(block_on(children.next()), Some(TransportObserverEvent::Close)));
    assert!(block_on(transport.events().next()).is_none(), "a stream of what is closed ends at once");
}

#[test]
fn a_pause_is_public_for_others_and_observed_only_when_it_has_an_effect() {
    for shards in [1, 2] {
        let stage = Stage::with_shards(shards);
        let (source, sink) = (stage.transport_on(0), stage.transport_on(shards - 1));
        let producer = audio(&source, 1000);
        let consumer = consumer(&sink, &producer);
        let log = Log::default();
        let mut kept = Kept::default();
        kept.add(producer.observer().on_pause(log.line("producer pause")));
        kept.add(producer.observer().on_resume(log.line("producer resume")));
        let on_consumer = Log::default();
        kept.add(consumer.on_producer_pause(on_consumer.line("producerpause")));
        kept.add(consumer.on_producer_resume(on_consumer.line("producerresume")));
        kept.add(consumer.observer().on_pause(on_consumer.line("observer pause")));
        kept.add(consumer.observer().on_resume(on_consumer.line("observer resume")));

        block_on(producer.pause()).expect("it is open");
        assert!(producer.paused(), "known when the call returns");
        on_consumer.wait(2);
        eventually("the consumer knows", || consumer.producer_paused());
        block_on(consumer.pause()).expect("it is open");
        assert!(consumer.paused());
        block_on(consumer.resume()).expect("it is open");
        block_on(consumer.pause()).expect("it is open");
        block_on(producer.pause()).expect("pausing twice is nothing");
        block_on(producer.resume()).expect("it is open");
        on_consumer.wait(3);
        block_on(consumer.resume()).expect("it is open");
        assert_eq!(
            on_consumer.wait(4),
            ["producerpause", "observer pause", "producerresume", "observer resume"],
            "with {shards} shards"
        );
        assert!(!consumer.paused() && !consumer.producer_paused() && !producer.paused());
        assert_eq!(log.wait(2), ["producer pause", "producer resume"]);
    }
}

#[test]
fn a_consumer_made_of_a_paused_producer_knows() {
    for shards in [1, 2] {
        let stage = Stage::with_shards(shards);
        let (source, sink) = (stage.transport_on(0), stage.transport_on(shards - 1));
        let mut options =
            tureen::ProducerOptions::new(tureen::dictionaries::MediaKind::Audio, support::opus(1000));
        options.paused = true;
        let producer = block_on(source.produce(options)).expect("a producer");
        assert!(producer.paused());
        let mut options = tureen::ConsumerOptions::new(producer.id(), support::capabilities());
        options.paused = true;
        let consumer = block_on(sink.consume(options)).expect("a consumer");
        assert!(consumer.paused() && consumer.producer_paused());
    }
}

#[test]
fn a_listener_that_panics_is_reported_and_harms_nobody() {
    let stage = Stage::new();
    let transport = stage.transport();
    let producer = audio(&transport, 1000);
    let log = Log::default();
    let mut kept = Kept::default();
    kept.add(producer.observer().on_pause(|| panic!("first")));
    kept.add(producer.observer().on_pause(log.line("second")));
    kept.add(producer.on_listener_error({
        let log = log.clone();
        move |error| log.write(format!("{}: {}", error.event, error.message))
    }));
    kept.add(producer.on_listener_error(|_| panic!("a listener of errors panics too")));
    let mut events = producer.events();
    block_on(producer.pause()).expect("it is open");
    assert_eq!(log.wait(2), ["second", "pause: first"]);
    assert!(
        matches!(block_on(events.next()), Some(ProducerEvent::ListenerError(error)) if error.message == "first")
    );
    block_on(producer.resume()).expect("the dispatcher lives");
    block_on(producer.pause()).expect("it is open");
    assert_eq!(log.wait(4)[2..], ["second", "pause: first"]);
}

#[test]
fn many_listeners_hear_in_the_order_of_their_coming_until_they_go() {
    let stage = Stage::new();
    let transport = stage.transport();
    let producer = audio(&transport, 1000);
    let log = Log::default();
    let mut ids: Vec<_> =
        (0..50).map(|number| producer.observer().on_pause(log.line(&number.to_string()))).collect();
    producer.observer().on_pause(log.line("detached")).detach();
    block_on(producer.pause()).expect("it is open");
    let expected: Vec<_> = (0..50).map(|number| number.to_string()).chain(["detached".to_owned()]).collect();
    assert_eq!(log.wait(51), expected);
    drop(ids.drain(1..));
    block_on(producer.resume()).expect("it is open");
    block_on(producer.pause()).expect("it is open");
    assert_eq!(log.wait(53)[51..], ["0", "detached"]);
}

#[test]
fn a_listener_may_use_the_handles() {
    let stage = Stage::new();
    let (source, sink) = (stage.transport(), stage.transport());
    let producer = audio(&source, 1000);
    let consumer = consumer(&sink, &producer);
    let log = Log::default();
    let held = std::sync::Mutex::new(Some(consumer.clone()));
    let in_listener = log.clone();
    let _kept = producer.observer().on_pause(move || {
        let consumer = held.lock().expect("not poisoned").take();
        if let Some(consumer) = consumer {
            block_on(consumer.pause()).expect("a call from a listener is answered");
            consumer.close();
            in_listener.write("closed from a listener");
        }
    });
    block_on(producer.pause()).expect("it is open");
    log.wait(1);
    assert!(consumer.closed());
    let mut events = consumer.observer().events();
    let rest = block_on(events.next());
    assert!(matches!(rest, None | Some(ConsumerObserverEvent::Close)), "{rest:?}");
}

#[test]
fn a_listener_that_is_slow_does_not_hold_up_requests() {
    let stage = Stage::new();
    let transport = stage.transport();
    let producer = audio(&transport, 1000);
    let (release, wait) = std::sync::mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let log = Log::default();
    let in_listener = log.clone();
    let _kept = producer.observer().on_pause(move || {
        in_listener.write("waiting");
        let _ = wait.lock().expect("not poisoned").recv();
    });
    block_on(producer.pause()).expect("it is open");
    log.wait(1);
    block_on(producer.resume()).expect("shards answer while a listener blocks");
    assert!(!block_on(producer.dump()).expect("it is open").paused);
    drop(release);
}

#[test]
fn what_a_layer_on_top_runs_comes_in_order_and_may_panic() {
    let stage = Stage::new();
    let log = Log::default();
    let transport = stage.transport();
    let _kept = transport.observer().on_close(log.line("close"));
    transport.close();
    stage.manager.run(|| panic!("oh no"));
    stage.manager.run(log.line("run"));
    assert_eq!(log.wait(2), ["close", "run"]);
}

#[test]
fn all_told_waits_for_listeners_but_not_for_itself() {
    let stage = Stage::new();
    let log = Log::default();
    let (manager, writer) = (stage.manager.clone(), log.clone());
    stage.manager.run(move || {
        block_on(manager.all_told());
        writer.write("told");
    });
    block_on(stage.manager.all_told());
    assert_eq!(log.lines(), ["told"]);
}
