//! Options, errors, application data, dumps and settings.

mod support;

use pollster::block_on;
use std::net::{IpAddr, Ipv4Addr};
use support::{Kept, Log, Stage, audio, capabilities, consumer, from_json, media_codecs, opus, video, vp8};
use tureen::dictionaries::{CryptoSuite, MediaKind, SrtpParameters};
use tureen::{
    AppData, CanConsumeError, ConnectError, ConsumeError, ConsumerOptions, CreateTransportError,
    CreateWorkerError, DirectTransportOptions, ListenInfo, LogLevel, LogTag, PlainConnectOptions,
    PlainTransportOptions, ProduceError, ProducerId, ProducerOptions, RouterOptions, SetPriorityError,
    Transport, TransportType, WorkerManager, WorkerSettings, WorkerUpdateSettings, model,
};

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

#[test]
fn module_members() {
    assert_eq!(tureen::version(), env!("CARGO_PKG_VERSION"));
    assert!(!tureen::supported_rtp_capabilities().codecs.is_empty());
    let mode = tureen::parse_scalability_mode("L3T2_KEY");
    assert_eq!((mode.spatial_layers, mode.temporal_layers, mode.ksvc), (3, 2, true));
}

#[test]
fn worker_settings_are_checked_and_can_be_changed() {
    let manager = WorkerManager::new().expect("a thread");
    let mut settings = WorkerSettings::with_shards(1);
    settings.rtc_port_range = std::ops::RangeInclusive::new(5, 4);
    let refused = block_on(manager.create_worker(settings)).err();
    assert!(matches!(refused, Some(CreateWorkerError::RtcPortRange { min: 5, max: 4 })), "{refused:?}");
    let refused = block_on(manager.create_worker(WorkerSettings::with_shards(0))).err();
    assert!(matches!(refused, Some(CreateWorkerError::Start(_))), "{refused:?}");

    let mut settings = WorkerSettings::with_shards(2);
    settings.app_data = AppData::new("mine");
    let worker = block_on(manager.create_worker(settings)).expect("a worker");
    assert_eq!(worker.app_data().get::<&str>().as_deref(), Some(&"mine"));
    assert_eq!((worker.shards(), worker.pid()), (2, std::process::id()));
    assert_eq!(worker.log_filter().level(), LogLevel::Error);
    let update = from_json::<WorkerUpdateSettings>(
        serde_json::json!({"logLevel": "debug", "logTags": ["rtp", "score"]}),
    );
    block_on(worker.update_settings(update)).expect("it is open");
    assert_eq!(worker.log_filter().level(), LogLevel::Debug);
    assert_eq!(worker.log_filter().tags(), [LogTag::Rtp, LogTag::Score]);
    let usage = block_on(worker.get_resource_usage()).expect("the system tells");
    assert!(usage.ru_maxrss > 0);
    assert_eq!(
        serde_json::to_value(usage).expect("it serialises").as_object().map(|fields| fields.len()),
        Some(16)
    );
    let router = block_on(worker.create_router(RouterOptions::default())).expect("a router");
    let dump = serde_json::to_value(block_on(worker.dump()).expect("it is open")).expect("it serialises");
    assert_eq!(dump["routerIds"], serde_json::json!([router.id().to_string()]));
    assert_eq!(block_on(worker.snapshot()).expect("it is open").len(), 2);
}

#[test]
fn routers_negotiate() {
    let stage = Stage::with_shards(2);
    let codecs = stage.router.rtp_capabilities().codecs;
    assert_eq!(codecs.len(), 3, "opus, VP8 and its rtx");
    let bad = from_json(serde_json::json!([{"kind": "audio", "mimeType": "audio/PCMU", "clockRate": 1}]));
    let refused = block_on(stage.worker.create_router(RouterOptions::new(bad))).err();
    assert!(matches!(refused, Some(tureen::CreateRouterError::Refused(_))), "{refused:?}");
    assert_eq!(
        block_on(stage.worker.dump()).expect("it is open").router_ids,
        [stage.router.id()],
        "nothing is left"
    );

    let producer = video(&stage.transport(), 3000);
    assert_eq!(stage.router.can_consume(&producer.id(), &capabilities()), Ok(true));
    let audio_only = from_json(serde_json::json!({
        "codecs": [{"kind": "audio", "mimeType": "audio/opus", "clockRate": 48000, "channels": 2, "preferredPayloadType": 100}]
    }));
    assert_eq!(stage.router.can_consume(&producer.id(), &audio_only), Ok(false));
    let nobody = ProducerId(7);
    let refused = stage.router.can_consume(&nobody, &audio_only);
    assert_eq!(refused, Err(CanConsumeError::ProducerNotFound(nobody)));
    let elsewhere =
        block_on(stage.worker.create_router(RouterOptions::new(media_codecs()))).expect("a router");
    let refused = elsewhere.can_consume(&producer.id(), &audio_only);
    assert_eq!(refused, Err(CanConsumeError::ProducerNotFound(producer.id())), "it is another router's");

    block_on(stage.router.update_media_codecs(Vec::new())).expect("no codecs are codecs");
    assert!(stage.router.rtp_capabilities().codecs.is_empty());
    assert!(!producer.closed());
    let refused =
        block_on(stage.transport_on(1).produce(ProducerOptions::new(MediaKind::Audio, opus(1)))).err();
    assert!(matches!(refused, Some(ProduceError::Refused(model::ProduceError::Mapping(_)))), "{refused:?}");
}

#[test]
fn a_producer_has_what_it_was_made_with() {
    let stage = Stage::new();
    let transport = stage.transport();
    let mut options = ProducerOptions::new(MediaKind::Video, vp8(3000));
    options.id = Some("01234567-89ab-cdef-0011-223344556677".parse().expect("an id"));
    options.paused = true;
    options.app_data = AppData::new(5_u8);
    options.key_frame_request_delay = std::time::Duration::from_secs(1);
    let cache = tureen::KeyFrameCache { max_bytes: 4096, ..Default::default() };
    options.key_frame_cache = Some(cache);
    options.content_hint = Some(tureen::ContentHint::Text);
    let producer = block_on(transport.produce(options)).expect("a producer");
    assert_eq!(producer.id().to_string(), "01234567-89ab-cdef-0011-223344556677");
    assert_eq!(producer.kind(), MediaKind::Video);
    assert_eq!(producer.producer_type(), tureen::dictionaries::ProducerType::Simple);
    assert!(producer.paused() && producer.score().is_empty());
    assert_eq!(producer.transport().id(), transport.id());
    assert_eq!(producer.rtp_parameters().encodings[0].ssrc, Some(3000));
    assert_ne!(producer.consumable_rtp_parameters().encodings[0].ssrc, Some(3000), "mapped");
    assert_eq!(producer.app_data().get::<u8>().as_deref(), Some(&5));
    producer.app_data().set("other");
    assert_eq!(producer.clone().app_data().get::<&str>().as_deref(), Some(&"other"));
    block_on(producer.enable_trace_event(&["rtp", "sr", "unknown"])).expect("it is open");
    let dump = block_on(producer.dump()).expect("it is open");
    assert_eq!(dump.trace_event_types, ["rtp", "sr"]);
    assert!(dump.paused && dump.id == producer.id());
    assert_eq!(dump.key_frame_cache, Some(cache));
    assert_eq!(
        (dump.content_hint, producer.content_hint()),
        (Some(tureen::ContentHint::Text), Some(tureen::ContentHint::Text))
    );
}

#[test]
fn what_produce_refuses_names_its_field() {
    let stage = Stage::new();
    let transport = stage.transport();
    let refuse = |parameters: serde_json::Value| {
        let options = ProducerOptions::new(MediaKind::Audio, from_json(parameters));
        match block_on(transport.produce(options)) {
            Err(ProduceError::Refused(refused)) => refused,
            other => panic!("expected a refusal, not {other:?}"),
        }
    };
    let codec =
        serde_json::json!({"mimeType": "audio/opus", "clockRate": 48000, "channels": 2, "payloadType": 111});
    let refused = refuse(serde_json::json!({"codecs": [codec], "encodings": []}));
    assert!(matches!(refused, model::ProduceError::NoEncodings), "{refused:?}");
    let refused = refuse(serde_json::json!({"codecs": [codec], "encodings": [{}]}));
    assert!(matches!(refused, model::ProduceError::UnidentifiedEncoding(0)), "{refused:?}");
    let _producer = audio(&transport, 1000);
    let refused = refuse(serde_json::json!({"codecs": [codec], "encodings": [{"ssrc": 1000}]}));
    assert!(matches!(refused, model::ProduceError::DuplicateSsrc(1000)), "{refused:?}");
    assert_eq!(refused.to_string(), "ssrc 1000 is already in use on this transport");
    assert_eq!(block_on(transport.dump()).expect("it is open").base.producer_ids.len(), 1, "nothing is left");
}

#[test]
fn a_consumer_has_what_it_was_made_with() {
    let stage = Stage::with_shards(2);
    let (source, sink) = (stage.transport_on(0), stage.transport_on(1));
    let producer = video(&source, 3000);
    let mut options = ConsumerOptions::new(producer.id(), capabilities());
    options.mid = Some("seven".to_owned());
    options.app_data = AppData::new('c');
    let consumer = block_on(sink.consume(options)).expect("a consumer");
    assert_eq!((consumer.producer_id(), consumer.kind()), (producer.id(), MediaKind::Video));
    assert_eq!(consumer.rtp_parameters().mid.as_deref(), Some("seven"));
    assert_eq!(consumer.consumer_type(), tureen::dictionaries::ConsumerType::Simple);
    assert_eq!(consumer.app_data().get::<char>().as_deref(), Some(&'c'));
    assert_eq!(consumer.transport().id(), sink.id());
    assert_eq!((consumer.preferred_layers(), consumer.current_layers()), (None, None));
    assert_eq!(consumer.priority(), 1);
    block_on(consumer.set_priority(9)).expect("in range");
    assert_eq!(consumer.priority(), 9);
    assert_eq!(block_on(consumer.set_priority(0)), Err(SetPriorityError::Zero));
    assert_eq!(consumer.priority(), 9);
    block_on(consumer.unset_priority()).expect("it is open");
    assert_eq!(consumer.priority(), 1);
    let layers = tureen::dictionaries::MediaLayers { spatial_layer: 0, temporal_layer: None };
    assert_eq!(block_on(consumer.set_preferred_layers(layers)), Ok(None), "a simple source has no layers");
    let dump = block_on(consumer.dump()).expect("it is open");
    assert_eq!((dump.id, dump.producer_id, dump.priority), (consumer.id(), producer.id(), 1));
    let router = block_on(stage.router.dump()).expect("it is open");
    assert_eq!(router.map_consumer_id_producer_id.get(&consumer.id()), Some(&producer.id()));
    assert_eq!(router.map_producer_id_consumer_ids.get(&producer.id()), Some(&vec![consumer.id()]));
    assert_eq!(router.transport_ids.len(), 2, "of both shards");
}

#[test]
fn what_consume_refuses_names_its_field() {
    let stage = Stage::new();
    let transport = stage.transport();
    let producer = video(&transport, 3000);
    let nobody = ProducerId(7);
    let refused = block_on(transport.consume(ConsumerOptions::new(nobody, capabilities()))).err();
    assert_eq!(refused, Some(ConsumeError::ProducerNotFound(nobody)));
    let mut options = ConsumerOptions::new(producer.id(), capabilities());
    options.mid = Some(String::new());
    let refused = block_on(transport.consume(options)).err();
    assert_eq!(refused, Some(ConsumeError::Refused(model::ConsumeError::Mid)));
    let options = ConsumerOptions::new(producer.id(), Default::default());
    let refused = block_on(transport.consume(options)).err();
    assert!(
        matches!(refused, Some(ConsumeError::Refused(model::ConsumeError::Parameters(_)))),
        "{refused:?}"
    );
    assert!(block_on(transport.dump()).expect("it is open").base.consumer_ids.is_empty(), "nothing is left");
}

#[test]
fn transports_spread_over_the_shards() {
    let stage = Stage::with_shards(2);
    let transports = [stage.transport(), stage.transport(), stage.transport(), stage.transport()];
    let on_first = transports.iter().filter(|transport| transport.shard() == 0).count();
    assert_eq!(on_first, 2);
    let refused = block_on(stage.router.create_direct_transport(DirectTransportOptions::on_shard(2))).err();
    assert!(matches!(refused, Some(CreateTransportError::ShardNotFound(2))), "{refused:?}");
    assert_eq!(transports[0].transport_type(), TransportType::Direct);
    assert_eq!(transports[0].router().id(), stage.router.id());
}

#[test]
fn a_plain_transport_listens_connects_and_forwards() {
    let stage = Stage::with_shards(2);
    let mut options = PlainTransportOptions::new(ListenInfo::loopback());
    options.listen_info.announced_address = Some("sfu.example".to_owned());
    options.comedia = true;
    let source = block_on(stage.router.create_plain_transport(options)).expect("a transport");
    let tuple = source.tuple();
    assert_eq!((tuple.local_address.as_str(), tuple.remote_ip), ("sfu.example", None));
    assert!((10_000..=59_999).contains(&tuple.local_port));
    let endpoint = std::net::UdpSocket::bind((LOOPBACK, 0)).expect("a socket");
    endpoint.set_read_timeout(Some(support::PATIENCE)).expect("a timeout");
    let port = endpoint.local_addr().expect("an address").port();
    let sink =
        block_on(stage.router.create_plain_transport(PlainTransportOptions::new(ListenInfo::loopback())))
            .expect("a transport");
    block_on(sink.connect(PlainConnectOptions::to(LOOPBACK, port))).expect("it connects");
    assert_eq!(sink.tuple().remote_port, Some(port));
    block_on(sink.set_max_incoming_bitrate(500_000)).expect("it is open");

    let producer =
        block_on(source.produce(ProducerOptions::new(MediaKind::Audio, opus(1000)))).expect("a producer");
    let options = ConsumerOptions::new(producer.id(), capabilities());
    let consumer = block_on(sink.consume(options)).expect("a consumer");
    let log = Log::default();
    let mut kept = Kept::default();
    kept.add(source.on_tuple({
        let log = log.clone();
        move |tuple| log.write(format!("{:?}", tuple.remote_port))
    }));
    endpoint
        .send_to(&support::rtp_packet(1000, 111, 1, b"hi"), (LOOPBACK, tuple.local_port))
        .expect("it is sent");
    assert_eq!(log.wait(1), [format!("{:?}", Some(port))]);
    let mut buffer = [0; 1500];
    loop {
        let len = endpoint.recv(&mut buffer).expect("the packet comes back");
        // RTCP of either transport may come first (RFC 5761 section 4).
        if !(192..=223).contains(&buffer[1]) {
            assert_eq!(&buffer[len - 2..len], b"hi");
            break;
        }
    }
    let stats = serde_json::to_value(block_on(sink.get_stats()).expect("it is open")).expect("it serialises");
    assert_eq!((&stats["type"], &stats["rtcpMux"]), (&"plain-rtp-transport".into(), &true.into()));
    assert_eq!(stats["tuple"]["remotePort"], port);
    assert_eq!(stats["maxIncomingBitrate"], 500_000);
    drop(consumer);
}

#[test]
fn what_a_plain_transport_refuses_names_its_field() {
    let stage = Stage::new();
    let mut options = PlainTransportOptions::new(ListenInfo::loopback());
    options.rtcp_listen_info = Some(ListenInfo::loopback());
    let refused = block_on(stage.router.create_plain_transport(options)).err();
    assert!(matches!(refused, Some(CreateTransportError::RtcpListenInfo)), "{refused:?}");
    let unbindable = ListenInfo::new(Ipv4Addr::new(203, 0, 113, 1).into());
    let refused = block_on(stage.router.create_plain_transport(PlainTransportOptions::new(unbindable))).err();
    assert!(matches!(refused, Some(CreateTransportError::Bind(_))), "{refused:?}");
    assert!(block_on(stage.router.dump()).expect("it is open").transport_ids.is_empty(), "nothing is left");

    let mut options = PlainTransportOptions::new(ListenInfo::loopback());
    options.rtcp_mux = false;
    options.enable_srtp = true;
    options.srtp_crypto_suite = CryptoSuite::AeadAes128Gcm;
    let transport = block_on(stage.router.create_plain_transport(options)).expect("a transport");
    let local = transport.srtp_parameters().expect("a key");
    assert_eq!(local.crypto_suite, CryptoSuite::AeadAes128Gcm);
    assert_eq!(transport.rtcp_tuple().map(|tuple| tuple.local_port), Some(transport.tuple().local_port + 1));
    let refuse = |options| match block_on(transport.connect(options)) {
        Err(ConnectError::Refused(refused)) => refused.to_string(),
        other => panic!("expected a refusal, not {other:?}"),
    };
    let mut options = PlainConnectOptions::to(LOOPBACK, 4000);
    assert_eq!(refuse(options.clone()), "missing rtcpPort");
    options.rtcp_port = Some(4001);
    assert_eq!(refuse(options.clone()), "missing srtpParameters");
    options.srtp_parameters =
        Some(SrtpParameters { crypto_suite: CryptoSuite::AesCm128HmacSha1_80, key_base64: local.key_base64 });
    assert!(refuse(options.clone()).contains("srtpParameters.keyBase64"));
    let key_base64 = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".to_owned();
    options.srtp_parameters =
        Some(SrtpParameters { crypto_suite: CryptoSuite::AesCm128HmacSha1_80, key_base64 });
    block_on(transport.connect(options.clone())).expect("it connects");
    let local = transport.srtp_parameters().expect("a key");
    assert_eq!(local.crypto_suite, CryptoSuite::AesCm128HmacSha1_80, "the remote's suite");
    assert_eq!(refuse(options), "connect() already called");
}

#[test]
fn requests_of_a_busy_stage_stay_apart() {
    let stage = Stage::with_shards(2);
    let (source, sink) = (stage.transport_on(0), stage.transport_on(1));
    let producers: Vec<_> = (0..20).map(|number| audio(&source, 1000 + number)).collect();
    let consumers: Vec<_> = producers.iter().map(|producer| consumer(&sink, producer)).collect();
    for (producer, consumer) in producers.iter().zip(&consumers) {
        assert_eq!(consumer.producer_id(), producer.id());
    }
    let dump = block_on(stage.router.dump()).expect("it is open");
    assert_eq!(dump.map_consumer_id_producer_id.len(), 20);
}

#[test]
fn a_plain_transport_learns_where_rtcp_goes() {
    let stage = Stage::new();
    let mut options = PlainTransportOptions::new(ListenInfo::loopback());
    options.comedia = true;
    options.rtcp_mux = false;
    let transport = block_on(stage.router.create_plain_transport(options)).expect("a transport");
    let log = Log::default();
    let mut kept = Kept::default();
    let write = |name: &'static str| {
        let log = log.clone();
        move |tuple: &tureen::TransportTuple| log.write(format!("{name} {:?}", tuple.remote_port))
    };
    kept.add(transport.on_rtcp_tuple(write("public")));
    kept.add(transport.observer().on_rtcp_tuple(write("observer")));
    let endpoint = std::net::UdpSocket::bind((LOOPBACK, 0)).expect("a socket");
    let port = endpoint.local_addr().expect("an address").port();
    let rtcp_port = transport.rtcp_tuple().expect("a port of its own").local_port;
    // An empty receiver report (RFC 3550 section 6.4.2).
    endpoint.send_to(&[0x80, 201, 0, 1, 0, 0, 0, 9], (LOOPBACK, rtcp_port)).expect("it is sent");
    assert_eq!(log.wait(2), [format!("public Some({port})"), format!("observer Some({port})")]);
    assert_eq!(transport.rtcp_tuple().and_then(|tuple| tuple.remote_port), Some(port));
    assert_eq!(transport.tuple().remote_port, None);
}
