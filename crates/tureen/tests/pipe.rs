//! What goes from Router to Router over pipe transports: media with its layers, messages with their subchannels, pauses and closings.

mod support;

use pollster::block_on;
use std::sync::atomic::{AtomicU16, Ordering};
use support::{Kept, Log, Stage, audio, consumer, eventually, from_json, rtp_packet};
use tureen::dictionaries::{
    ConsumerType, CryptoSuite, MediaKind, MediaLayers, ProducerType, SctpState, SrtpParameters,
};
use tureen::*;

const ENCODINGS: [u32; 3] = [3000, 3001, 3002];

/// Two Workers with a Router each.
struct Scene {
    here: Stage,
    there: Stage,
}

impl Scene {
    fn new() -> Self {
        Self { here: Stage::new(), there: Stage::new() }
    }

    fn pipe(&self, producer: &Producer) -> PipedProducerPair {
        let options = PipeToRouterOptions::new(&self.there.router);
        block_on(self.here.router.pipe_producer_to_router(producer.id(), options)).expect("it is piped")
    }
}

fn simulcast(transport: &DirectTransport) -> Producer {
    let mut parameters = support::vp8(ENCODINGS[0]);
    parameters.encodings =
        from_json(serde_json::json!(ENCODINGS.map(|ssrc| serde_json::json!({"ssrc": ssrc}))));
    let mut options = ProducerOptions::new(MediaKind::Video, parameters);
    options.content_hint = Some(ContentHint::Detail);
    block_on(transport.produce(options)).expect("a producer")
}

/// A VP8 key frame of 320 by 240 in one packet (RFC 7741 section 4.2, RFC 6386 section 9.1).
fn key_frame(picture_id: u16) -> [u8; 14] {
    let [high, low] = picture_id.to_be_bytes();
    [0x90, 0x80, high | 0x80, low, 0x10, 0x02, 0x00, 0x9d, 0x01, 0x2a, 0x40, 0x01, 0xf0, 0x00]
}

/// Sends key frames of every encoding, one more with each call.
fn film(producer: &Producer, number: &AtomicU16) {
    let number = number.fetch_add(1, Ordering::SeqCst);
    for ssrc in ENCODINGS {
        producer.send(rtp_packet(ssrc, 96, number, &key_frame(number & 0x7fff))).expect("it is taken");
    }
}

/// The open pipe transports of a Router, by its own account.
fn pipes(router: &Router, log: &Log) -> HandlerId {
    let log = log.clone();
    router.observer().on_new_transport(move |transport| {
        if let AnyTransport::Pipe(pipe) = transport {
            log.write(pipe.id().to_string());
        }
    })
}

fn transports(router: &Router) -> usize {
    block_on(router.dump()).expect("a dump").transport_ids.len()
}

#[test]
fn simulcast_crosses_with_srtp_and_rtx_and_layers_are_chosen_at_the_far_end() {
    let scene = Scene::new();
    let producer = simulcast(&scene.here.transport());
    let mut options = PipeToRouterOptions::new(&scene.there.router);
    (options.enable_rtx, options.enable_srtp) = (true, true);
    let piped = block_on(scene.here.router.pipe_producer_to_router(producer.id(), options)).expect("piped");
    let far = piped.producer.producer();
    assert_eq!((far.id(), far.producer_type()), (producer.id(), ProducerType::Simulcast));
    assert_eq!(far.content_hint(), Some(ContentHint::Detail));
    assert_eq!(piped.consumer.consumer_type(), ConsumerType::Pipe);
    assert!(piped.consumer.rtp_parameters().encodings.iter().all(|encoding| encoding.rtx.is_some()));
    let viewer = consumer(&scene.there.transport(), far);
    let number = AtomicU16::new(1);
    for spatial_layer in [2, 0, 1] {
        let wanted = MediaLayers { spatial_layer, temporal_layer: None };
        block_on(viewer.set_preferred_layers(wanted)).expect("it is open");
        eventually("the layer flows", || {
            film(&producer, &number);
            viewer.current_layers().is_some_and(|layers| layers.spatial_layer == spatial_layer)
        });
    }
    let stats = block_on(piped.consumer.get_stats()).expect("statistics");
    assert_eq!((stats.outbound.len(), stats.inbound), (3, None));
    assert_eq!(block_on(piped.consumer.dump()).expect("a dump").rtp_streams.len(), 3);
    assert_eq!(block_on(far.get_stats()).expect("statistics").len(), 3);
}

#[test]
fn a_pipe_transport_tells_what_it_is() {
    let scene = Scene::new();
    let mut options = PipeTransportOptions::new(ListenInfo::loopback());
    (options.enable_rtx, options.enable_srtp) = (true, true);
    options.sctp = SctpTransportOptions::enabled();
    options.app_data = AppData::new("pipe");
    let pipe = block_on(scene.here.router.create_pipe_transport(options)).expect("a transport");
    assert_eq!(pipe.transport_type(), TransportType::Pipe);
    assert_eq!(pipe.app_data().get::<&str>().as_deref(), Some(&"pipe"));
    assert_eq!((pipe.tuple().local_address.as_str(), pipe.tuple().remote_port), ("127.0.0.1", None));
    assert_eq!(pipe.sctp_state(), Some(SctpState::New));
    let own = pipe.srtp_parameters().expect("it has a key");
    assert_eq!(
        (own.crypto_suite, own.master_key_and_salt().unwrap().len()),
        (CryptoSuite::AeadAes256Gcm, 44)
    );

    let remote = PipeConnectOptions::to([127, 0, 0, 1].into(), 4000);
    assert!(matches!(block_on(pipe.connect(remote.clone())), Err(ConnectError::Refused(_))), "no key");
    let other = SrtpParameters::new(CryptoSuite::AeadAes128Gcm, &[1; 28]).expect("a key");
    let wrong = PipeConnectOptions { srtp_parameters: Some(other), ..remote.clone() };
    assert_eq!(block_on(pipe.connect(wrong)), Err(ConnectError::CryptoSuite));
    let right = PipeConnectOptions { srtp_parameters: Some(own), ..remote };
    block_on(pipe.connect(right.clone())).expect("connected");
    assert!(matches!(block_on(pipe.connect(right)), Err(ConnectError::Refused(_))), "once only");
    assert_eq!(pipe.tuple().remote_port, Some(4000));

    let stats = serde_json::to_value(block_on(pipe.get_stats()).expect("statistics")).expect("JSON");
    assert_eq!((&stats["type"], &stats["tuple"]["remotePort"]), (&"pipe-transport".into(), &4000.into()));
    let dump = serde_json::to_value(block_on(pipe.dump()).expect("a dump")).expect("JSON");
    assert_eq!((&dump["rtx"], &dump["tuple"]["remotePort"]), (&true.into(), &4000.into()));
    assert!(dump["srtpParameters"]["keyBase64"].is_string());
    let tcp = PipeTransportOptions::new(ListenInfo::tcp([127, 0, 0, 1].into()));
    let refused = block_on(scene.here.router.create_pipe_transport(tcp)).err();
    assert!(matches!(refused, Some(CreateTransportError::Protocol)));
}

#[test]
fn calls_in_both_directions_make_one_pair() {
    let scene = Scene::new();
    let (here, there) = (Log::default(), Log::default());
    let _kept = [pipes(&scene.here.router, &here), pipes(&scene.there.router, &there)];
    let (near, far) = (scene.here.transport(), scene.there.transport());
    let outward: Vec<_> = (0..4).map(|index| audio(&near, 1000 + index)).collect();
    let inward: Vec<_> = (0..4).map(|index| audio(&far, 1000 + index)).collect();
    let piped: Vec<PipedProducerPair> = std::thread::scope(|scope| {
        let calls = [(&scene.here, &scene.there, &outward), (&scene.there, &scene.here, &inward)];
        let calls = calls.into_iter().flat_map(|(from, to, producers)| {
            producers.iter().map(move |producer| {
                scope.spawn(move || {
                    let options = PipeToRouterOptions::new(&to.router);
                    block_on(from.router.pipe_producer_to_router(producer.id(), options))
                })
            })
        });
        let calls: Vec<_> = calls.collect();
        calls.into_iter().map(|call| call.join().expect("no panic").expect("it is piped")).collect()
    });
    assert_eq!((here.wait(1).len(), there.wait(1).len()), (1, 1));
    assert_eq!((transports(&scene.here.router), transports(&scene.there.router)), (2, 2));

    // The pair goes with the last that needs it, and comes again.
    for pair in piped {
        pair.consumer.close();
    }
    eventually("the pair is gone", || {
        (transports(&scene.here.router), transports(&scene.there.router)) == (1, 1)
    });
    scene.pipe(&outward[0]);
    assert_eq!((here.wait(2).len(), there.wait(2).len()), (2, 2));
}

#[test]
fn what_cannot_be_piped_is_refused() {
    let scene = Scene::new();
    let producer = audio(&scene.here.transport(), 1000);
    let pipe = |id, options| block_on(scene.here.router.pipe_producer_to_router(id, options)).map(|_| ());
    let refused = pipe(producer.id(), PipeToRouterOptions::new(&scene.here.router));
    assert!(matches!(refused, Err(PipeProducerToRouterError::Pipe(PipeError::SameRouter))));
    let codecs = RouterOptions::new(support::media_codecs());
    let sibling = block_on(scene.here.worker.create_router(codecs)).expect("a router");
    let refused = pipe(producer.id(), PipeToRouterOptions::new(&sibling));
    assert!(matches!(refused, Err(PipeProducerToRouterError::Pipe(PipeError::SameWorker))));
    let unknown = ProducerId(7);
    let refused = pipe(unknown, PipeToRouterOptions::new(&scene.there.router));
    assert!(matches!(refused, Err(PipeProducerToRouterError::ProducerNotFound(id)) if id == unknown));
    let _first = scene.pipe(&producer);
    let refused = pipe(producer.id(), PipeToRouterOptions::new(&scene.there.router));
    assert!(matches!(refused, Err(PipeProducerToRouterError::Produce(_))), "the far router has it");
    let bare = block_on(scene.there.worker.create_router(RouterOptions::default())).expect("a router");
    let refused = pipe(producer.id(), PipeToRouterOptions::new(&bare));
    assert!(matches!(refused, Err(PipeProducerToRouterError::Produce(_))), "it has no codecs");
    producer.close();
    let refused = pipe(producer.id(), PipeToRouterOptions::new(&scene.there.router));
    assert!(matches!(refused, Err(PipeProducerToRouterError::ProducerNotFound(_))));
}

#[test]
fn routers_of_one_worker_are_piped_under_another_id() {
    let stage = Stage::new();
    let sibling =
        block_on(stage.worker.create_router(RouterOptions::new(support::media_codecs()))).expect("one");
    let producer = audio(&stage.transport(), 1000);
    let mut options = PipeToRouterOptions::new(&sibling);
    options.keep_id = false;
    let piped = block_on(stage.router.pipe_producer_to_router(producer.id(), options)).expect("it is piped");
    assert_ne!(piped.producer.producer().id(), producer.id());
    let sink =
        block_on(sibling.create_direct_transport(DirectTransportOptions::default())).expect("a transport");
    let heard = consumer(&sink, piped.producer.producer());
    let log = Log::default();
    let in_listener = log.clone();
    let _kept = heard.on_rtp(move |packet| in_listener.write(String::from_utf8_lossy(&packet[12..])));
    let number = AtomicU16::new(1);
    eventually("sound crosses", || {
        let number = number.fetch_add(1, Ordering::SeqCst);
        producer.send(rtp_packet(1000, 111, number, b"sound")).expect("it is taken");
        log.lines().iter().any(|line| line.ends_with("sound"))
    });
}

#[test]
fn pauses_are_mirrored_also_those_from_before() {
    let scene = Scene::new();
    let near = scene.here.transport();
    let producer = audio(&near, 1000);
    block_on(producer.pause()).expect("it is open");
    let piped = scene.pipe(&producer);
    let far = piped.producer.producer();
    assert!(far.paused(), "as the original when it was piped");
    let heard = consumer(&scene.there.transport(), far);
    let log = Log::default();
    let mut kept = Kept::default();
    kept.add(heard.on_producer_pause(log.line("paused")));
    kept.add(heard.on_producer_resume(log.line("resumed")));
    block_on(producer.resume()).expect("it is open");
    assert_eq!(log.wait(1), ["resumed"]);
    block_on(piped.consumer.pause()).expect("it is open");
    assert_eq!(log.wait(2)[1], "paused");
    block_on(producer.pause()).expect("it is open");
    block_on(piped.consumer.resume()).expect("it is open");
    block_on(producer.resume()).expect("it is open");
    assert_eq!(log.wait(3)[2], "resumed");
    eventually("the far end knows", || !far.paused());
    assert_eq!(log.lines().len(), 3, "what is stopped twice is told once");
}

#[test]
fn whatever_closes_one_end_closes_the_other() {
    type Cause = (&'static str, fn(&Scene, &Producer, &PipedProducerPair));
    let causes: [Cause; 9] = [
        ("the original", |_, original, _| original.close()),
        ("its transport", |_, original, _| original.transport().close()),
        ("the consumer", |_, _, pair| pair.consumer.close()),
        ("the far producer", |_, _, pair| pair.producer.producer().close()),
        ("the near end", |_, _, pair| pair.consumer.transport().close()),
        ("the far end", |_, _, pair| pair.producer.producer().transport().close()),
        ("the near router", |scene, _, _| scene.here.router.close()),
        ("the far router", |scene, _, _| scene.there.router.close()),
        ("the far worker", |scene, _, _| scene.there.worker.close()),
    ];
    for (name, close) in causes {
        let scene = Scene::new();
        let producer = audio(&scene.here.transport(), 1000);
        let pair = scene.pipe(&producer);
        let ends = [pair.consumer.transport(), pair.producer.producer().transport()];
        close(&scene, &producer, &pair);
        eventually(name, || pair.consumer.closed() && pair.producer.producer().closed());
        let whole_pair = name.ends_with("end") || name.ends_with("router") || name.ends_with("worker");
        if whole_pair {
            eventually(name, || ends.iter().all(Transport::closed));
        } else {
            assert!(!ends.iter().any(Transport::closed), "{name} leaves the pipe");
        }
    }
}

#[test]
fn a_piped_producer_lives_with_its_original_unless_it_is_taken_over() {
    let scene = Scene::new();
    let near = scene.here.transport();
    let producer = audio(&near, 1000);
    let pair = scene.pipe(&producer);
    let weak = pair.producer.producer().downgrade();
    drop(pair);
    assert!(weak.upgrade().is_some_and(|far| !far.closed()), "nobody has to hold it");
    producer.close();
    eventually("it closes with the original", || weak.upgrade().is_none_or(|far| far.closed()));
    eventually("its handles are let go", || weak.upgrade().is_none());

    let producer = audio(&near, 1001);
    let pair = scene.pipe(&producer);
    let far = pair.producer.into_inner();
    assert!(!far.closed());
    drop(far);
    eventually("the last handle closes it", || pair.consumer.closed());
    assert!(!producer.closed());
}

#[test]
fn messages_cross_with_their_subchannels() {
    let scene = Scene::new();
    let (near, far) = (scene.here.transport(), scene.there.transport());
    let mut options = DataProducerOptions::default();
    (options.label, options.protocol) = ("chat".to_owned(), "text".to_owned());
    let producer = block_on(near.produce_data(options)).expect("a data producer");
    let options = PipeToRouterOptions::new(&scene.there.router);
    let piping = scene.here.router.pipe_data_producer_to_router(producer.id(), options);
    let piped = block_on(piping).expect("it is piped");
    let arrived = piped.producer.producer();
    assert_eq!((arrived.id(), arrived.label(), arrived.protocol()), (producer.id(), "chat", "text"));
    let ends = [piped.consumer.transport(), arrived.transport()];
    eventually("both associations stand", || {
        ends.iter().all(|end| end.sctp_state() == Some(SctpState::Connected))
    });
    let log = Log::default();
    let mut kept = Kept::default();
    let heard: Vec<_> = [vec![], vec![1], vec![1, 2]]
        .into_iter()
        .map(|subchannels| {
            let mut options = DataConsumerOptions::new(arrived.id());
            options.subchannels.clone_from(&subchannels);
            let heard = block_on(far.consume_data(options)).expect("a data consumer");
            let log = log.clone();
            kept.add(heard.on_message(move |message| {
                let text = String::from_utf8_lossy(&message.payload);
                log.write(format!("{subchannels:?} {} {text}", message.ppid.number()));
            }));
            heard
        })
        .collect();
    let say = |message: DataMessage| block_on(producer.send(message)).expect("it is taken");
    say(DataMessage { subchannels: vec![2], ..DataMessage::text("two") });
    say(DataMessage {
        required_subchannel: Some(1),
        ignored_subchannel: Some(2),
        ..DataMessage::binary("one")
    });
    say(DataMessage::text(""));
    let lines = log.wait(5);
    assert_eq!(lines[..2], ["[1, 2] 51 two", "[1] 53 one"]);
    assert_eq!(lines[2..], ["[] 56 ", "[1] 56 ", "[1, 2] 56 "]);

    // The largest message has room for whom it is for.
    let largest = DataMessage { subchannels: vec![1], ..DataMessage::binary(vec![7; 262_144]) };
    say(largest);
    log.wait(7);
    block_on(producer.pause()).expect("it is open");
    eventually("the far end is paused", || arrived.paused());
    producer.close();
    eventually("all is closed", || {
        piped.consumer.closed() && arrived.closed() && heard.iter().all(DataConsumer::closed)
    });
}
