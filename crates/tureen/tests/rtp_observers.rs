//! RTP observers through their handles: who speaks and how loud, on one shard and on two.

mod support;

use bytes::Bytes;
use pollster::block_on;
use std::time::{Duration, Instant};
use support::{Kept, Log, PATIENCE, Stage, consumer, eventually, from_json, video};
use tureen::dictionaries::{MediaKind, RtpParameters};
use tureen::model;
use tureen::{
    ActiveSpeakerObserver, ActiveSpeakerObserverOptions, AddProducerError, AudioLevelObserver,
    AudioLevelObserverOptions, CreateRtpObserverError, DirectTransport, LastNAudioOptions, Producer,
    ProducerId, ProducerOptions, RemoveProducerError, RequestError, RtpObserver as _, RtpObserverEvent,
    RtpObserverObserverEvent, RtpObserverType, Transport as _,
};

const LEVEL: u8 = 10;

fn parameters(ssrc: u32) -> RtpParameters {
    from_json(serde_json::json!({
        "codecs": [{"mimeType": "audio/opus", "clockRate": 48000, "channels": 2, "payloadType": 111}],
        "headerExtensions": [{"uri": "urn:ietf:params:rtp-hdrext:ssrc-audio-level", "id": LEVEL}],
        "encodings": [{"ssrc": ssrc}],
        "rtcp": {"cname": "tester"}
    }))
}

fn microphone(transport: &DirectTransport, ssrc: u32) -> Producer {
    block_on(transport.produce(ProducerOptions::new(MediaKind::Audio, parameters(ssrc)))).expect("a producer")
}

/// An RTP packet with an audio level in -dBov (RFC 6464 section 3, RFC 8285 section 4.2).
fn packet(ssrc: u32, sequence_number: u16, level: u8) -> Bytes {
    let mut bytes = vec![0x90, 111];
    bytes.extend(sequence_number.to_be_bytes());
    bytes.extend((u32::from(sequence_number) * 960).to_be_bytes());
    bytes.extend(ssrc.to_be_bytes());
    bytes.extend([0xbe, 0xde, 0, 1, LEVEL << 4, level, 0, 0]);
    bytes.extend(b"sound");
    bytes.into()
}

/// Lets some talk, each at a level in -dBov, until something holds.
fn talk(sent: &mut u16, voices: &[(&Producer, u32, u8)], mut until: impl FnMut() -> bool) {
    let start = Instant::now();
    while !until() {
        assert!(start.elapsed() < PATIENCE, "not in time");
        *sent += 1;
        for (producer, ssrc, level) in voices {
            producer.send(packet(*ssrc, *sent, *level)).expect("room");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn levels(stage: &Stage, shard: u8) -> AudioLevelObserver {
    let mut options = AudioLevelObserverOptions::default();
    options.max_entries = 2;
    options.interval = Duration::from_millis(250);
    options.shard = Some(shard);
    block_on(stage.router.create_audio_level_observer(options)).expect("an observer")
}

fn speaker(stage: &Stage, shard: u8) -> ActiveSpeakerObserver {
    let mut options = ActiveSpeakerObserverOptions::default();
    options.shard = Some(shard);
    block_on(stage.router.create_active_speaker_observer(options)).expect("an observer")
}

#[test]
fn volumes_come_loudest_first_from_every_shard() {
    for shards in [1, 2] {
        let stage = Stage::with_shards(shards);
        let (near, far) = (stage.transport_on(0), stage.transport_on(shards - 1));
        let (quiet, loud) = (microphone(&near, 1000), microphone(&far, 2000));
        let observer = levels(&stage, 0);
        block_on(observer.add_producer(quiet.id())).expect("it is open");
        block_on(observer.add_producer(loud.id())).expect("it is open");
        let (log, mut kept) = (Log::default(), Kept::default());
        kept.add(observer.on_volumes({
            let log = log.clone();
            move |volumes| {
                let volumes: Vec<_> = volumes.iter().map(|it| (it.producer.id(), it.volume)).collect();
                log.write(format!("{volumes:?}"));
            }
        }));
        kept.add(observer.on_silence(log.line("silence")));
        kept.add(observer.observer().on_silence(log.line("observer silence")));
        let both = format!("{:?}", [(loud.id(), -20), (quiet.id(), -50)]);
        talk(&mut 0, &[(&quiet, 1000, 50), (&loud, 2000, 20)], || log.lines().contains(&both));
        eventually("silence", || {
            log.lines().ends_with(&["silence".to_owned(), "observer silence".to_owned()])
        });
    }
}

#[test]
fn whoever_speaks_is_told_on_every_shard() {
    for shards in [1, 2] {
        let stage = Stage::with_shards(shards);
        let (near, far) = (stage.transport_on(0), stage.transport_on(shards - 1));
        let (first, second) = (microphone(&near, 1000), microphone(&far, 2000));
        let observer = speaker(&stage, 0);
        for producer in [&first, &second] {
            block_on(observer.add_producer(producer.id())).expect("it is open");
        }
        let (log, mut kept) = (Log::default(), Kept::default());
        let write = |log: &Log| {
            let log = log.clone();
            move |producer: Producer| log.write(producer.id().to_string())
        };
        kept.add(observer.on_dominant_speaker(write(&log)));
        let observed = Log::default();
        kept.add(observer.observer().on_dominant_speaker(write(&observed)));
        let newest = |log: &Log, who: &Producer| log.lines().last() == Some(&who.id().to_string());
        let mut sent = 0;
        talk(&mut sent, &[(&first, 1000, 30), (&second, 2000, 90)], || newest(&log, &first));
        talk(&mut sent, &[(&first, 1000, 90), (&second, 2000, 30)], || newest(&log, &second));
        assert_eq!(log.lines(), [first.id().to_string(), second.id().to_string()]);
        assert_eq!(observed.wait(2), log.lines());
    }
}

#[test]
fn everything_that_happens_to_an_observer_is_observed() {
    for shards in [1, 2] {
        let stage = Stage::with_shards(shards);
        let producer = microphone(&stage.transport_on(shards - 1), 1000);
        let made = Log::default();
        let _kept = stage.router.observer().on_new_rtp_observer({
            let made = made.clone();
            move |observer| made.write(observer.id().to_string())
        });
        let mut news = stage.router.observer().events();
        let observer = levels(&stage, 0);
        assert_eq!(made.wait(1), [observer.id().to_string()]);
        let next = block_on(news.next());
        let is_it = |id| id == observer.id();
        assert!(matches!(next, Some(tureen::RouterObserverEvent::NewRtpObserver(made)) if is_it(made.id())));
        let (log, mut kept) = (Log::default(), Kept::default());
        let observed = observer.observer();
        kept.add(observed.on_pause(log.line("pause")));
        kept.add(observed.on_resume(log.line("resume")));
        kept.add(observed.on_add_producer({
            let log = log.clone();
            move |producer| log.write(format!("addproducer {}", producer.id()))
        }));
        kept.add(observed.on_remove_producer({
            let log = log.clone();
            move |id| log.write(format!("removeproducer {id}"))
        }));
        kept.add(observed.on_close(log.line("close")));
        let (add, remove) =
            (format!("addproducer {}", producer.id()), format!("removeproducer {}", producer.id()));
        let mut stream = observed.events();
        block_on(observer.add_producer(producer.id())).expect("it is open");
        block_on(observer.pause()).expect("it is open");
        assert!(observer.paused());
        block_on(observer.resume()).expect("it is open");
        assert!(!observer.paused());
        block_on(observer.remove_producer(producer.id())).expect("it was added");
        block_on(observer.add_producer(producer.id())).expect("it was removed");
        log.wait(5);
        producer.close();
        log.wait(6);
        observer.close();
        assert_eq!(log.wait(7), [&add, "pause", "resume", &remove, &add, &remove, "close"]);
        assert!(matches!(block_on(stream.next()), Some(RtpObserverObserverEvent::AddProducer(_))));
    }
}

#[test]
fn only_open_audio_producers_of_the_router_are_added_and_once() {
    for shards in [1, 2] {
        let stage = Stage::with_shards(shards);
        let far = stage.transport_on(shards - 1);
        let (microphone, camera) = (microphone(&far, 1000), video(&far, 2000));
        let observer = speaker(&stage, 0);
        let add = |id| block_on(observer.add_producer(id));
        assert_eq!(add(camera.id()), Err(AddProducerError::Kind(camera.id())));
        let nobody = ProducerId(7);
        assert_eq!(add(nobody), Err(AddProducerError::ProducerNotFound(nobody)));
        let elsewhere = block_on(stage.worker.create_router(Default::default())).expect("a router");
        let stranger = block_on(elsewhere.create_active_speaker_observer(Default::default()));
        let refused = block_on(stranger.expect("an observer").add_producer(microphone.id()));
        assert_eq!(refused, Err(AddProducerError::ProducerNotFound(microphone.id())));
        assert_eq!(add(microphone.id()), Ok(()));
        assert_eq!(add(microphone.id()), Err(AddProducerError::AlreadyAdded(microphone.id())));
        let remove = |id| block_on(observer.remove_producer(id));
        assert_eq!(remove(nobody), Err(RemoveProducerError::NotAdded(nobody)));
        microphone.close();
        assert_eq!(add(microphone.id()), Err(AddProducerError::ProducerNotFound(microphone.id())));
        observer.close();
        assert_eq!(add(camera.id()), Err(RequestError::Closed.into()));
        assert_eq!(remove(camera.id()), Err(RequestError::Closed.into()));
        assert_eq!(block_on(observer.pause()), Err(RequestError::Closed));
    }
}

#[test]
fn options_that_make_no_sense_are_refused() {
    let stage = Stage::new();
    let create = |change: &dyn Fn(&mut AudioLevelObserverOptions)| {
        let mut options = AudioLevelObserverOptions::default();
        change(&mut options);
        block_on(stage.router.create_audio_level_observer(options)).err()
    };
    let refused = |error| Some(CreateRtpObserverError::Refused(error));
    let max_entries = create(&|options| options.max_entries = 0);
    assert_eq!(max_entries, refused(model::CreateRtpObserverError::MaxEntries));
    let threshold = create(&|options| options.threshold = 1);
    assert_eq!(threshold, refused(model::CreateRtpObserverError::Threshold));
    let shard = create(&|options| options.shard = Some(1));
    assert_eq!(shard, Some(CreateRtpObserverError::ShardNotFound(1)));
    assert_eq!(create(&|_| ()), None);
    let n = block_on(stage.router.create_last_n_audio(LastNAudioOptions::new(0))).err();
    assert_eq!(n, refused(model::CreateRtpObserverError::N));
    stage.router.close();
    assert_eq!(create(&|_| ()), Some(RequestError::Closed.into()));
    let speaker = block_on(stage.router.create_active_speaker_observer(Default::default()));
    assert_eq!(speaker.err(), Some(RequestError::Closed.into()));
}

#[test]
fn observers_are_in_dumps() {
    let stage = Stage::with_shards(2);
    let producer = microphone(&stage.transport_on(1), 1000);
    let (loudness, speech) = (levels(&stage, 0), speaker(&stage, 1));
    block_on(loudness.add_producer(producer.id())).expect("it is open");
    block_on(speech.add_producer(producer.id())).expect("it is open");
    loudness.app_data().set("data");
    assert_eq!(loudness.app_data().get::<&str>().as_deref(), Some(&"data"));
    let dump = block_on(stage.router.dump()).expect("it is open");
    assert_eq!(dump.rtp_observer_ids, [loudness.id(), speech.id()]);
    assert_eq!(dump.map_producer_id_observer_ids[&producer.id()], [loudness.id(), speech.id()]);
    let dump = serde_json::to_value(block_on(loudness.dump()).expect("it is open")).expect("it serialises");
    let expected = serde_json::json!({
        "id": loudness.id(), "type": "audiolevel", "maxEntries": 2, "threshold": -80, "paused": false,
        "interval": 250, "producerIds": [producer.id()]
    });
    assert_eq!(dump, expected);
    let dump = serde_json::to_value(block_on(speech.dump()).expect("it is open")).expect("it serialises");
    assert_eq!(
        (&dump["type"], &dump["dominantProducerId"]),
        (&"activespeaker".into(), &serde_json::Value::Null)
    );
    assert_eq!(speech.observer_type(), RtpObserverType::ActiveSpeaker);
}

#[test]
fn the_last_handle_closes_an_observer_and_producers_outlive_it() {
    let stage = Stage::new();
    let producer = microphone(&stage.transport(), 1000);
    let observer = levels(&stage, 0);
    block_on(observer.add_producer(producer.id())).expect("it is open");
    let weak = observer.downgrade();
    drop(observer);
    assert!(weak.upgrade().is_none() && !producer.closed());
    let dump = block_on(stage.router.dump()).expect("it is open");
    assert!(dump.rtp_observer_ids.is_empty() && dump.map_producer_id_observer_ids.is_empty());
}

#[test]
fn an_observer_closes_with_its_router_and_keeps_it_open() {
    for shards in [1, 2] {
        let stage = Stage::with_shards(shards);
        let observer = levels(&stage, shards - 1);
        let mut events = observer.events();
        let log = Log::default();
        let mut kept = Kept::default();
        kept.add(observer.on_router_close(log.line("routerclose")));
        kept.add(observer.observer().on_close(log.line("close")));
        kept.add(stage.router.observer().on_close(log.line("router close")));
        let Stage { router, .. } = &stage;
        router.close();
        assert!(observer.closed());
        assert_eq!(log.wait(3), ["routerclose", "close", "router close"]);
        assert!(matches!(block_on(events.next()), Some(RtpObserverEvent::RouterClose)));
        assert!(block_on(events.next()).is_none());
    }
    let stage = Stage::new();
    let observer = levels(&stage, 0);
    let Stage { router, .. } = stage;
    drop(router);
    assert!(!observer.closed(), "it keeps its router open");
}

#[test]
fn only_the_loudest_is_forwarded_on_every_shard() {
    for shards in [1, 2] {
        let stage = Stage::with_shards(shards);
        let (near, far) = (stage.transport_on(0), stage.transport_on(shards - 1));
        let (loud, quiet) = (microphone(&near, 1000), microphone(&far, 2000));
        let viewers = [&loud, &quiet].map(|producer| consumer(&near, producer));
        let last_n =
            block_on(stage.router.create_last_n_audio(LastNAudioOptions::new(1))).expect("it is made");
        for producer in [&loud, &quiet] {
            block_on(last_n.add_producer(producer.id())).expect("it is open");
        }
        let explain = |index: usize| block_on(viewers[index].explain()).expect("it is open");
        let mut sent = 0;
        talk(&mut sent, &[(&loud, 1000, 20), (&quiet, 2000, 40)], || {
            explain(1).obstacle == Some(model::Obstacle::LastN) && explain(0).obstacle.is_none()
        });
        assert!(!viewers[1].paused() && !viewers[1].producer_paused());
        let before = explain(1).packets_sent;
        let until = sent + 25;
        let mut packets = 0;
        talk(&mut sent, &[(&loud, 1000, 20), (&quiet, 2000, 40)], || {
            packets += 1;
            packets > 25
        });
        assert_eq!((sent, explain(1).packets_sent), (until, before));
        assert_eq!(last_n.observer_type(), RtpObserverType::LastN);
        last_n.close();
        talk(&mut sent, &[(&loud, 1000, 20), (&quiet, 2000, 40)], || explain(1).packets_sent > before);
    }
}
