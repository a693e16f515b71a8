//! Keeps `docs/CLOSING.md` true: who closes whom, what each is told, in which order.

mod support;

use pollster::block_on;
use support::{Kept, Log, Stage, audio, capabilities, consumer, eventually, opus};
use tureen::dictionaries::MediaKind;
use tureen::{
    Consumer, ConsumerOptions, DirectTransport, DirectTransportOptions, Producer, ProducerOptions,
    RequestError, Router, RouterOptions, Transport, Worker,
};

/// Writes every closing event of everything on the stage to one log.
struct Watch {
    log: Log,
    kept: Kept,
}

impl Watch {
    fn new() -> Self {
        Self { log: Log::default(), kept: Kept::default() }
    }

    fn worker(&mut self, worker: &Worker) {
        let died = self.log.line("worker died");
        self.kept.add(worker.on_died(move |_| died()));
        self.kept.add(worker.observer().on_close(self.log.line("worker close")));
    }

    fn router(&mut self, router: &Router) {
        self.kept.add(router.on_worker_close(self.log.line("router workerclose")));
        self.kept.add(router.observer().on_close(self.log.line("router close")));
    }

    fn transport(&mut self, name: &str, transport: &DirectTransport) {
        self.kept.add(transport.on_router_close(self.log.line(&format!("{name} routerclose"))));
        self.kept.add(transport.observer().on_close(self.log.line(&format!("{name} close"))));
    }

    fn producer(&mut self, producer: &Producer) {
        self.kept.add(producer.on_transport_close(self.log.line("producer transportclose")));
        self.kept.add(producer.observer().on_close(self.log.line("producer close")));
    }

    fn consumer(&mut self, consumer: &Consumer) {
        self.kept.add(consumer.on_transport_close(self.log.line("consumer transportclose")));
        self.kept.add(consumer.on_producer_close(self.log.line("consumer producerclose")));
        self.kept.add(consumer.observer().on_close(self.log.line("consumer close")));
    }
}

/// A producer on one transport and a consumer of it on another, all watched.
struct Scene {
    stage: Stage,
    source: DirectTransport,
    sink: DirectTransport,
    producer: Producer,
    consumer: Consumer,
    watch: Watch,
}

impl Scene {
    fn on(shards: u8) -> Self {
        let stage = Stage::with_shards(shards);
        let (source, sink) = (stage.transport_on(0), stage.transport_on(shards - 1));
        let producer = audio(&source, 1000);
        let consumer = consumer(&sink, &producer);
        let mut watch = Watch::new();
        watch.worker(&stage.worker);
        watch.router(&stage.router);
        watch.transport("source", &source);
        watch.transport("sink", &sink);
        watch.producer(&producer);
        watch.consumer(&consumer);
        Self { stage, source, sink, producer, consumer, watch }
    }

    /// Exactly these lines, and none after them.
    fn expect(&self, lines: &[&str]) {
        assert_eq!(self.watch.log.wait(lines.len()), lines);
        // Listeners are told in one order: whatever else there were would be told before this.
        let marker = Log::default();
        let _kept = self.stage.manager.on_new_worker({
            let marker = marker.clone();
            move |_| marker.write("marker")
        });
        let settings = tureen::WorkerSettings::with_shards(1);
        let worker = block_on(self.stage.manager.create_worker(settings)).expect("a worker");
        marker.wait(1);
        drop(worker);
        assert_eq!(self.watch.log.lines(), lines);
    }
}

#[test]
fn closing_a_consumer_reaches_nobody_else() {
    let scene = Scene::on(1);
    scene.consumer.close();
    assert!(scene.consumer.closed());
    assert!(!scene.producer.closed() && !scene.sink.closed());
    scene.consumer.close();
    scene.expect(&["consumer close"]);
}

#[test]
fn closing_a_producer_closes_its_consumers() {
    for shards in [1, 2] {
        let scene = Scene::on(shards);
        scene.producer.close();
        assert!(scene.consumer.closed(), "at once");
        assert!(!scene.source.closed() && !scene.sink.closed());
        scene.expect(&["producer close", "consumer producerclose", "consumer close"]);
    }
}

#[test]
fn closing_the_transport_of_a_producer_closes_both_and_the_consumers() {
    for shards in [1, 2] {
        let scene = Scene::on(shards);
        scene.source.close();
        assert!(scene.producer.closed() && scene.consumer.closed() && !scene.sink.closed());
        scene.expect(&[
            "producer transportclose",
            "producer close",
            "consumer producerclose",
            "consumer close",
            "source close",
        ]);
    }
}

#[test]
fn closing_the_transport_of_a_consumer_leaves_its_producer() {
    let scene = Scene::on(1);
    scene.sink.close();
    assert!(scene.consumer.closed() && !scene.producer.closed());
    scene.expect(&["consumer transportclose", "consumer close", "sink close"]);
}

#[test]
fn closing_a_router_closes_leaves_before_trunk() {
    for shards in [1, 2] {
        let scene = Scene::on(shards);
        scene.stage.router.close();
        assert!(
            scene.consumer.closed()
                && scene.producer.closed()
                && scene.source.closed()
                && scene.sink.closed()
        );
        assert!(!scene.stage.worker.closed());
        scene.expect(&[
            "producer transportclose",
            "producer close",
            "source routerclose",
            "source close",
            "consumer transportclose",
            "consumer close",
            "sink routerclose",
            "sink close",
            "router close",
        ]);
    }
}

#[test]
fn closing_a_worker_closes_everything() {
    let scene = Scene::on(2);
    scene.stage.worker.close();
    assert!(scene.consumer.closed() && scene.stage.router.closed());
    assert!(!scene.stage.worker.died());
    scene.expect(&[
        "producer transportclose",
        "producer close",
        "source routerclose",
        "source close",
        "consumer transportclose",
        "consumer close",
        "sink routerclose",
        "sink close",
        "router workerclose",
        "router close",
        "worker close",
    ]);
}

#[test]
fn a_closed_object_refuses_every_request() {
    let Scene { stage, source, sink, producer, consumer, .. } = Scene::on(1);
    let producer_id = producer.id();
    producer.close();
    assert_eq!(block_on(producer.pause()), Err(RequestError::Closed));
    assert_eq!(block_on(producer.resume()), Err(RequestError::Closed));
    assert_eq!(block_on(producer.enable_trace_event(&["rtp"])), Err(RequestError::Closed));
    assert_eq!(block_on(producer.get_stats()), Err(RequestError::Closed));
    assert_eq!(block_on(producer.dump()).err(), Some(RequestError::Closed));
    assert_eq!(producer.send(support::rtp_packet(1000, 111, 1, b"x")), Err(tureen::SendError::Closed));

    assert_eq!(block_on(consumer.pause()), Err(RequestError::Closed));
    assert_eq!(block_on(consumer.resume()), Err(RequestError::Closed));
    assert_eq!(
        block_on(consumer.set_priority(2)),
        Err(tureen::SetPriorityError::Request(RequestError::Closed))
    );
    assert_eq!(
        block_on(consumer.unset_priority()),
        Err(tureen::SetPriorityError::Request(RequestError::Closed))
    );
    let layers = tureen::dictionaries::MediaLayers { spatial_layer: 0, temporal_layer: None };
    assert_eq!(block_on(consumer.set_preferred_layers(layers)), Err(RequestError::Closed));
    assert_eq!(block_on(consumer.request_key_frame()), Err(RequestError::Closed));
    assert_eq!(block_on(consumer.enable_trace_event(&[])), Err(RequestError::Closed));
    assert_eq!(block_on(consumer.get_stats()).err(), Some(RequestError::Closed));
    assert_eq!(block_on(consumer.dump()).err(), Some(RequestError::Closed));
    let refused = block_on(sink.consume(ConsumerOptions::new(producer_id, capabilities())));
    assert_eq!(refused.err(), Some(tureen::ConsumeError::ProducerNotFound(producer_id)));

    source.close();
    let refused = block_on(source.produce(ProducerOptions::new(MediaKind::Audio, opus(1))));
    assert_eq!(refused.err(), Some(tureen::ProduceError::Request(RequestError::Closed)));
    let refused = block_on(source.consume(ConsumerOptions::new(producer_id, capabilities())));
    assert_eq!(refused.err(), Some(tureen::ConsumeError::Request(RequestError::Closed)));
    assert_eq!(block_on(source.get_stats()).err(), Some(RequestError::Closed));
    assert_eq!(block_on(source.dump()).err(), Some(RequestError::Closed));
    assert_eq!(block_on(source.enable_trace_event(&["bwe"])), Err(RequestError::Closed));
    assert_eq!(source.send_rtcp(bytes::Bytes::new()), Err(tureen::SendError::Closed));

    let router = stage.router.clone();
    router.close();
    let refused = block_on(router.create_direct_transport(DirectTransportOptions::default())).err();
    assert!(matches!(refused, Some(tureen::CreateTransportError::Request(RequestError::Closed))));
    let options = tureen::PlainTransportOptions::new(tureen::ListenInfo::loopback());
    let refused = block_on(router.create_plain_transport(options)).err();
    assert!(matches!(refused, Some(tureen::CreateTransportError::Request(RequestError::Closed))));
    assert_eq!(block_on(router.dump()).err(), Some(RequestError::Closed));
    let refused = block_on(router.update_media_codecs(Vec::new())).err();
    assert_eq!(refused, Some(tureen::UpdateMediaCodecsError::Request(RequestError::Closed)));
    assert_eq!(router.can_consume(&producer_id, &capabilities()), Err(tureen::CanConsumeError::Closed));

    stage.worker.close();
    let refused = block_on(stage.worker.create_router(RouterOptions::default())).err();
    assert_eq!(refused, Some(tureen::CreateRouterError::Request(RequestError::Closed)));
    assert_eq!(block_on(stage.worker.update_settings(Default::default())), Err(RequestError::Closed));
    assert_eq!(block_on(stage.worker.dump()).err(), Some(RequestError::Closed));
    assert_eq!(block_on(stage.worker.snapshot()).err(), Some(RequestError::Closed));
    let refused = block_on(stage.worker.get_resource_usage()).err();
    assert!(matches!(refused, Some(tureen::ResourceUsageError::Closed)));
}

#[test]
fn dropping_the_last_handle_closes() {
    let Scene { stage, source, sink, producer, consumer, watch } = Scene::on(1);
    let again = producer.clone();
    drop(producer);
    assert!(!again.closed() && !consumer.closed(), "one handle is left");
    drop(again);
    assert!(consumer.closed());
    assert_eq!(watch.log.wait(3), ["producer close", "consumer producerclose", "consumer close"]);
    drop((stage, source, sink, consumer));
}

#[test]
fn children_keep_their_parents_open_and_parents_do_not_keep_children() {
    let Scene { stage, source, sink, producer, consumer, watch } = Scene::on(1);
    let (worker, router) = (stage.worker.downgrade(), stage.router.downgrade());
    let (weak_source, weak_sink) = (source.downgrade(), sink.downgrade());
    let (weak_producer, weak_consumer) = (producer.downgrade(), consumer.downgrade());
    drop((stage, source, sink, consumer));
    assert!(weak_consumer.upgrade().is_none() && weak_sink.upgrade().is_none());
    assert!(!producer.closed());
    assert!(worker.upgrade().is_some_and(|worker| !worker.closed()));
    assert!(router.upgrade().is_some() && weak_source.upgrade().is_some());
    drop(producer);
    assert!(weak_producer.upgrade().is_none() && weak_source.upgrade().is_none());
    assert!(router.upgrade().is_none() && worker.upgrade().is_none());
    let lines = watch.log.wait(6);
    assert_eq!(
        lines,
        ["consumer close", "sink close", "producer close", "source close", "router close", "worker close"],
        "nobody is told that another closed it"
    );
}

#[test]
fn a_producers_id_is_free_again_once_it_is_closed() {
    let Scene { source, sink, producer, .. } = Scene::on(1);
    let mut options = ProducerOptions::new(MediaKind::Audio, opus(2000));
    options.id = Some(producer.id());
    let refused = block_on(sink.produce(options.clone())).err();
    let taken = tureen::model::ProduceError::AlreadyExists(producer.id());
    assert_eq!(refused, Some(tureen::ProduceError::Refused(taken)));
    assert!(!producer.closed(), "a refusal harms nobody");
    producer.close();
    let successor = block_on(source.produce(options)).expect("the id is free");
    assert_eq!(successor.id(), producer.id());
    let consumer = consumer(&sink, &successor);
    eventually("the old one's closing is told", || !successor.closed() && !consumer.closed());
}
