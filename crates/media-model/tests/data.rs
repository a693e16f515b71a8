//! Data producers and data consumers: messages from remotes with SCTP and from programs, to both.

mod support;

use std::collections::BTreeMap;
use support::messages::{Scene, stream};
use tureen_data::dcep::{DataChannelOpen, DcepMessage};
use tureen_data::{AssociationOptions, Limit, Ppid, Reliability, SendError};
use tureen_media_model::*;
use tureen_rtp_dictionaries::{SctpState, SctpStreamParameters, SctpStreamParametersError};

fn text(text: &str) -> DataMessage {
    DataMessage::text(text)
}

#[test]
fn messages_go_from_a_remote_to_remotes_and_to_the_program() {
    let mut scene = Scene::new();
    let (one, two) = (scene.sctp(1, SctpOptions::default()), scene.sctp(2, SctpOptions::default()));
    let direct = scene.direct(3);
    let states: Vec<_> = scene
        .bench
        .events()
        .into_iter()
        .filter_map(|event| match event {
            Event::Transport(id, TransportEvent::SctpState(state)) if id == one => Some(state),
            _ => None,
        })
        .collect();
    assert_eq!(states, [SctpState::Connecting, SctpState::Connected]);

    let producer = scene.produce(one, Some(stream(5)));
    let (first, second) = (scene.consume(two, producer), scene.consume(two, producer));
    let program = scene.consume(direct, producer);
    let streams = [&first, &second].map(|info| info.sctp_stream_parameters.unwrap().stream_id);
    assert_eq!(streams, [0, 1]);
    assert_eq!((first.data_type, program.data_type), (DataType::Sctp, DataType::Direct));
    assert_eq!((first.label.as_str(), first.protocol.as_str()), ("chat", "text"));

    scene.say(1, 5, "hello");
    scene.say(1, 6, "nobody produces this");
    assert_eq!(scene.heard(2), [(0, "hello".to_owned()), (1, "hello".to_owned())]);
    assert_eq!(scene.told(), [(program.id, "hello".to_owned())]);

    let stats = scene.bench.ask(GetDataProducerStats { id: producer }).unwrap();
    assert_eq!((stats.messages_received, stats.bytes_received, stats.label.as_str()), (1, 5, "chat"));
    let stats = scene.bench.ask(GetDataConsumerStats { id: first.id }).unwrap();
    assert_eq!((stats.messages_sent, stats.bytes_sent, stats.buffered_amount), (1, 5, 0));
    let dump = scene.bench.ask(DumpTransport { id: one }).unwrap().data;
    assert_eq!((dump.messages_unclaimed, dump.sctp_state), (1, Some(SctpState::Connected)));
    assert_eq!(dump.sctp_listener.unwrap().stream_id_table, BTreeMap::from([(5, producer)]));
    let stats = scene.bench.ask(GetTransportStats { id: one }).unwrap();
    assert_eq!(
        (stats.sctp_state, scene.bench.ask(GetTransportStats { id: direct }).unwrap().sctp_state),
        (Some(SctpState::Connected), None)
    );
    let router = scene.bench.router;
    let dump = scene.bench.ask(DumpRouter { id: router }).unwrap();
    let consumers = vec![first.id, second.id, program.id];
    assert_eq!(dump.map_data_producer_id_data_consumer_ids, BTreeMap::from([(producer, consumers)]));
}

#[test]
fn the_program_sends_through_a_direct_data_producer() {
    let mut scene = Scene::new();
    let (remote, direct) = (scene.sctp(1, SctpOptions::default()), scene.direct(2));
    let producer = scene.produce(direct, None);
    let (outer, inner) = (scene.consume(remote, producer), scene.consume(direct, producer));
    scene.bench.ask(SendToDataProducer { id: producer, message: text("hi") }).unwrap();
    scene.bench.ask(SendToDataProducer { id: producer, message: text("") }).unwrap();
    scene.run(100);
    assert_eq!(scene.heard(1), [(0, "hi".to_owned()), (0, String::new())]);
    assert_eq!(scene.told(), [(inner.id, "hi".to_owned()), (inner.id, String::new())]);

    // A data consumer is spoken to alone.
    assert_eq!(scene.bench.ask(SendToDataConsumer { id: outer.id, message: text("psst") }), Ok(4));
    scene.run(100);
    assert_eq!(scene.heard(1), [(0, "psst".to_owned())]);
    assert_eq!(
        scene.bench.ask(SendToDataConsumer { id: inner.id, message: text("psst") }),
        Err(SendDataError::Direct)
    );
    let too_large = DataMessage::binary(vec![0; 262_145]);
    assert_eq!(
        scene.bench.ask(SendToDataProducer { id: producer, message: too_large }),
        Err(SendDataError::Refused(SendError::TooLarge { len: 262_145, max: 262_144 }))
    );
    let establishment = DataMessage::new(Ppid::Dcep, "x");
    assert_eq!(
        scene.bench.ask(SendToDataProducer { id: producer, message: establishment }),
        Err(SendDataError::Ppid)
    );
    let produced = scene.produce(remote, Some(stream(0)));
    assert_eq!(
        scene.bench.ask(SendToDataProducer { id: produced, message: text("a") }),
        Err(SendDataError::NotDirect)
    );
}

#[test]
fn subchannels_choose_who_hears() {
    let mut scene = Scene::new();
    let direct = scene.direct(1);
    let producer = scene.produce(direct, None);
    let mut ids = vec![];
    for subchannels in [vec![], vec![1], vec![1, 2], vec![2, 2, 3]] {
        let options = DataConsumerOptions { subchannels, ..scene.options(producer) };
        ids.push(scene.bench.ask(ConsumeData { transport: direct, options }).unwrap().id);
    }
    let hear = |scene: &mut Scene, message: DataMessage| {
        scene.bench.ask(SendToDataProducer { id: producer, message }).unwrap();
        let told = scene.told();
        (0..4).filter(|index| told.iter().any(|(id, _)| *id == ids[*index])).collect::<Vec<_>>()
    };
    assert_eq!(hear(&mut scene, text("all")), [0, 1, 2, 3]);
    assert_eq!(hear(&mut scene, DataMessage { subchannels: vec![1], ..text("a") }), [1, 2]);
    assert_eq!(hear(&mut scene, DataMessage { subchannels: vec![3, 9], ..text("a") }), [3]);
    assert_eq!(hear(&mut scene, DataMessage { required_subchannel: Some(2), ..text("a") }), [2, 3]);
    assert_eq!(hear(&mut scene, DataMessage { ignored_subchannel: Some(1), ..text("a") }), [0, 3]);
    let both = DataMessage { subchannels: vec![2], required_subchannel: Some(1), ..text("a") };
    assert_eq!(hear(&mut scene, both), [2]);

    let id = ids[0];
    assert_eq!(scene.bench.ask(AddSubchannel { id, subchannel: 7 }), Ok(vec![7]));
    assert_eq!(scene.bench.ask(AddSubchannel { id, subchannel: 5 }), Ok(vec![5, 7]));
    assert_eq!(scene.bench.ask(RemoveSubchannel { id, subchannel: 7 }), Ok(vec![5]));
    assert_eq!(scene.bench.ask(SetSubchannels { id, subchannels: vec![9, 8, 9] }), Ok(vec![8, 9]));
}

#[test]
fn over_a_pipe_a_message_says_whom_it_is_for() {
    let mut scene = Scene::new();
    let direct = scene.direct(1);
    let pipe = scene.pipe(2);
    let producer = scene.produce(direct, None);
    let all = scene.consume(pipe, producer);
    let (required_subchannel, ignored_subchannel) = (Some(8), Some(9));
    let chosen = DataMessage { subchannels: vec![7], required_subchannel, ignored_subchannel, ..text("hi") };
    scene.bench.ask(SendToDataProducer { id: producer, message: chosen.clone() }).unwrap();
    scene.bench.ask(SendToDataProducer { id: producer, message: text("") }).unwrap();
    scene.run(100);
    let frame = [1, 51, 3, 0, 1, 0, 8, 0, 9, 0, 7, b'h', b'i'];
    let received = std::mem::take(&mut scene.remotes.get_mut(&2).unwrap().received);
    let frames: Vec<_> = received.iter().map(|message| (message.ppid, &message.payload[..])).collect();
    assert_eq!(frames, [(Ppid::Binary, &frame[..]), (Ppid::Binary, &[1, 56, 0, 0, 0])]);

    // With subchannels of its own it takes what is for these; whom a message is not for is for the far router to say.
    scene.bench.ask(SetSubchannels { id: all.id, subchannels: vec![7, 8, 9] }).unwrap();
    scene.bench.ask(SendToDataProducer { id: producer, message: chosen.clone() }).unwrap();
    scene.bench.ask(SetSubchannels { id: all.id, subchannels: vec![7] }).unwrap();
    scene.bench.ask(SendToDataProducer { id: producer, message: chosen.clone() }).unwrap();
    scene.run(100);
    assert_eq!(scene.remotes[&2].received.len(), 1);

    // At the far router it is what it was.
    let incoming = scene.produce(pipe, Some(stream(3)));
    let mut ids = vec![];
    for subchannels in [vec![], vec![7, 8], vec![7, 8, 9], vec![8]] {
        let options = DataConsumerOptions { subchannels, ..scene.options(incoming) };
        ids.push(scene.bench.ask(ConsumeData { transport: direct, options }).unwrap().id);
    }
    scene.send(2, 3, Ppid::Binary, &frame);
    assert_eq!(scene.told(), [(ids[1], "hi".to_owned())]);
}

#[test]
fn what_is_not_framed_goes_no_further_than_the_pipe() {
    let mut scene = Scene::new();
    let (direct, pipe) = (scene.direct(1), scene.pipe(2));
    let incoming = scene.produce(pipe, Some(stream(0)));
    scene.consume(direct, incoming);
    scene.say(2, 0, "hello");
    scene.send(2, 0, Ppid::Binary, &[1, 51, 0, 255, 255, b'x']);
    assert_eq!(scene.told(), []);
    assert_eq!(scene.bench.ask(DumpTransport { id: pipe }).unwrap().data.messages_unclaimed, 2);
    assert_eq!(scene.bench.ask(GetDataProducerStats { id: incoming }).unwrap().messages_received, 0);
}

#[test]
fn pauses_stop_messages_and_are_told() {
    let mut scene = Scene::new();
    let direct = scene.direct(1);
    let producer = scene.produce(direct, None);
    let (a, b) = (scene.consume(direct, producer).id, scene.consume(direct, producer).id);
    scene.bench.ask(PauseDataConsumer { id: a }).unwrap();
    scene.bench.ask(PauseDataConsumer { id: a }).unwrap();
    assert_eq!(scene.bench.events(), [Event::DataConsumer(a, DataConsumerEvent::Paused { effective: true })]);
    scene.bench.ask(SendToDataProducer { id: producer, message: text("one") }).unwrap();
    assert_eq!(scene.told(), [(b, "one".to_owned())]);

    scene.bench.ask(PauseDataProducer { id: producer }).unwrap();
    assert_eq!(
        scene.bench.events(),
        [
            Event::DataProducer(producer, DataProducerEvent::Paused),
            Event::DataConsumer(a, DataConsumerEvent::DataProducerPaused { effective: false }),
            Event::DataConsumer(b, DataConsumerEvent::DataProducerPaused { effective: true }),
        ]
    );
    scene.bench.ask(SendToDataProducer { id: producer, message: text("two") }).unwrap();
    assert_eq!(scene.told(), []);
    scene.bench.ask(ResumeDataProducer { id: producer }).unwrap();
    scene.bench.ask(ResumeDataConsumer { id: a }).unwrap();
    scene.bench.events();
    scene.bench.ask(SendToDataProducer { id: producer, message: text("three") }).unwrap();
    assert_eq!(scene.told(), [(a, "three".to_owned()), (b, "three".to_owned())]);
}

#[test]
fn closing_goes_from_leaves_to_trunk_and_resets_streams_of_data_channels() {
    let mut scene = Scene::new();
    let channels = SctpOptions { is_data_channel: true, ..Default::default() };
    let (one, two) = (scene.sctp(1, channels), scene.sctp(2, channels));
    let producer = scene.produce(one, Some(stream(5)));
    let consumer = scene.consume(two, producer);
    scene.say(1, 5, "hello");
    assert_eq!(scene.heard(2), [(0, "hello".to_owned())]);
    scene.bench.events();
    scene.bench.ask(CloseDataProducer { id: producer }).unwrap();
    assert_eq!(
        scene.bench.events(),
        [
            Event::DataConsumer(consumer.id, DataConsumerEvent::Closed(CloseCause::ProducerClosed)),
            Event::DataProducer(producer, DataProducerEvent::Closed(CloseCause::Requested)),
        ]
    );
    scene.run(1_000);
    assert_eq!((&scene.remotes[&1].resets, &scene.remotes[&2].resets), (&vec![5], &vec![0]));

    // The stream is free again, on both sides.
    let producer = scene.produce(one, Some(stream(5)));
    let consumer = scene.consume(two, producer);
    scene.say(1, 5, "again");
    assert_eq!(scene.heard(2), [(1, "again".to_owned())]);
    scene.bench.events();
    scene.bench.ask(CloseTransport { id: one }).unwrap();
    assert_eq!(
        scene.bench.events(),
        [
            Event::DataConsumer(consumer.id, DataConsumerEvent::Closed(CloseCause::ProducerClosed)),
            Event::DataProducer(producer, DataProducerEvent::Closed(CloseCause::TransportClosed)),
            Event::Transport(one, TransportEvent::Closed(CloseCause::Requested)),
        ]
    );
    let producer = scene.produce(two, Some(stream(5)));
    let consumer = scene.consume(two, producer);
    let router = scene.bench.router;
    scene.bench.ask(CloseRouter { id: router }).unwrap();
    assert_eq!(
        scene.bench.events(),
        [
            Event::DataProducer(producer, DataProducerEvent::Closed(CloseCause::TransportClosed)),
            Event::DataConsumer(consumer.id, DataConsumerEvent::Closed(CloseCause::TransportClosed)),
            Event::Transport(two, TransportEvent::Closed(CloseCause::RouterClosed)),
            Event::Router(router, RouterEvent::Closed(CloseCause::Requested)),
        ]
    );
    assert_eq!(scene.bench.core.population(), Population::default());
}

#[test]
fn a_remote_that_does_not_read_holds_up_nobody() {
    let mut scene = Scene::new();
    let (slow, fast) = (scene.sctp(1, SctpOptions::default()), scene.sctp(2, SctpOptions::default()));
    let direct = scene.direct(3);
    let producer = scene.produce(direct, None);
    let (stuck, flowing) = (scene.consume(slow, producer), scene.consume(fast, producer));
    scene.bench.ask(SetBufferedAmountLowThreshold { id: stuck.id, threshold: 10_000 }).unwrap();
    let silent = scene.remotes.remove(&1).unwrap();
    scene.bench.events();
    for _ in 0..40 {
        let message = DataMessage::binary(vec![7; 10_000]);
        scene.bench.ask(SendToDataProducer { id: producer, message }).unwrap();
        scene.run(20);
    }
    assert_eq!(scene.remotes[&2].received.len(), 40);
    assert_eq!(scene.bench.ask(GetBufferedAmount { id: stuck.id }), Ok(260_000));
    assert_eq!(scene.bench.ask(GetBufferedAmount { id: flowing.id }), Ok(0));
    let full = Event::DataConsumer(stuck.id, DataConsumerEvent::SendBufferFull);
    assert_eq!(scene.bench.events(), [full], "told once");
    assert_eq!(scene.bench.ask(DumpDataConsumer { id: stuck.id }).unwrap().messages_dropped, 14);
    assert!(matches!(
        scene.bench.ask(SendToDataConsumer { id: stuck.id, message: DataMessage::binary(vec![7; 10_000]) }),
        Err(SendDataError::Refused(SendError::BufferFull { buffered: 260_000 }))
    ));

    scene.remotes.insert(1, silent);
    scene.run(5_000);
    assert_eq!(scene.remotes[&1].received.len(), 26);
    let low = Event::DataConsumer(stuck.id, DataConsumerEvent::BufferedAmountLow(10_000));
    let events = scene.bench.events();
    assert!(
        matches!(
            events.as_slice(),
            [Event::DataConsumer(id, DataConsumerEvent::BufferedAmountLow(0..=10_000))] if *id == stuck.id
        ),
        "{events:?}, like {low:?}"
    );
}

#[test]
fn messages_that_no_program_takes_do_not_pile_up() {
    let mut scene = Scene::new();
    let direct = scene.direct(1);
    let producer = scene.produce(direct, None);
    let consumer = scene.consume(direct, producer);
    for _ in 0..2_000 {
        scene.bench.ask(SendToDataProducer { id: producer, message: text("flood") }).unwrap();
    }
    assert_eq!(scene.bench.ask(DumpDataConsumer { id: consumer.id }).unwrap().messages_dropped, 976);
    assert_eq!(scene.told().len(), 1_024);
    for _ in 0..100 {
        let message = DataMessage::binary(vec![b'x'; 200_000]);
        scene.bench.ask(SendToDataProducer { id: producer, message }).unwrap();
    }
    assert_eq!(scene.told().len(), 4 * 1024 * 1024 / 200_000);
}

#[test]
fn a_channel_opened_in_the_band_is_acknowledged_and_told() {
    let mut scene = Scene::new();
    let channels = SctpOptions { is_data_channel: true, ..Default::default() };
    let transport = scene.sctp(1, channels);
    scene.bench.events();
    let open = DataChannelOpen {
        reliability: Reliability { ordered: false, limit: Some(Limit::Retransmits(3)) },
        priority: 256,
        label: "mine".to_owned(),
        protocol: "p".to_owned(),
    };
    let bytes = DcepMessage::Open(open).write().unwrap();
    let now = scene.bench.now;
    let remote = scene.remotes.get_mut(&1).unwrap();
    remote.association.send(now, 8, Ppid::Dcep, &bytes, Reliability::default()).unwrap();
    remote.association.send(now, 9, Ppid::Dcep, b"nonsense", Reliability::default()).unwrap();
    scene.run(500);
    let remote = scene.remotes.get_mut(&1).unwrap();
    let answers: Vec<_> = remote.received.drain(..).map(|message| (message.stream, message.ppid)).collect();
    assert_eq!(answers, [(8, Ppid::Dcep)]);
    let parameters = SctpStreamParameters {
        stream_id: 8,
        ordered: Some(false),
        max_packet_life_time: None,
        max_retransmits: Some(3),
    };
    let channel = AnnouncedDataChannel {
        sctp_stream_parameters: parameters,
        label: "mine".to_owned(),
        protocol: "p".to_owned(),
    };
    assert_eq!(
        scene.bench.events(),
        [Event::Transport(transport, TransportEvent::DataChannel(channel.clone()))]
    );
    assert_eq!(scene.bench.ask(DumpTransport { id: transport }).unwrap().data.messages_unclaimed, 1);

    // What the layer above makes of it.
    let producer = scene.produce(transport, Some(channel.sctp_stream_parameters));
    let direct = scene.direct(2);
    let consumer = scene.consume(direct, producer);
    scene.say(1, 8, "heard");
    assert_eq!(scene.told(), [(consumer.id, "heard".to_owned())]);
}

#[test]
fn what_is_refused_names_its_field() {
    let mut scene = Scene::new();
    let few = AssociationOptions { outgoing_streams: 2, incoming_streams: 10, ..Default::default() };
    let transport = scene.sctp(1, SctpOptions { association: few, ..Default::default() });
    let without = scene.bench.transport(2);
    let taken = scene.produce(transport, Some(stream(1)));
    let direct = scene.direct(3);
    let produce = |scene: &mut Scene, transport, id, stream| {
        let options = DataProducerOptions {
            id: DataProducerId(id),
            sctp_stream_parameters: stream,
            label: String::new(),
            protocol: String::new(),
            paused: false,
        };
        scene.bench.ask(ProduceData { transport, options }).map(|info| info.id)
    };
    let both = SctpStreamParameters { max_packet_life_time: Some(1), max_retransmits: Some(1), ..stream(2) };
    let cases = [
        (without, 7, Some(stream(2)), ProduceDataError::SctpNotEnabled),
        (transport, 7, None, ProduceDataError::SctpStreamParametersRequired),
        (transport, 7, Some(stream(1)), ProduceDataError::DuplicateStreamId(1)),
        (transport, 7, Some(stream(10)), ProduceDataError::StreamId(10)),
        (transport, 7, Some(both), SctpStreamParametersError::BothLimits.into()),
        (transport, taken.0, Some(stream(2)), ProduceDataError::AlreadyExists(taken)),
    ];
    for (transport, id, stream, error) in cases {
        assert_eq!(produce(&mut scene, transport, id, stream), Err(error));
    }
    assert_eq!(
        ProduceDataError::from(SctpStreamParametersError::BothLimits).to_string(),
        "sctpStreamParameters.maxRetransmits: excludes maxPacketLifeTime"
    );

    let consume = |scene: &mut Scene, transport, change: fn(&mut DataConsumerOptions)| {
        let mut options = scene.options(taken);
        change(&mut options);
        scene.bench.ask(ConsumeData { transport, options })
    };
    let refused = consume(&mut scene, without, |_| ());
    assert_eq!(refused, Err(ConsumeDataError::SctpNotEnabled));
    let refused = consume(&mut scene, transport, |options| {
        options.ordered = Some(true);
        options.max_retransmits = Some(0);
    });
    assert_eq!(refused, Err(SctpStreamParametersError::OrderedWithLimit.into()));
    let unknown = consume(&mut scene, transport, |options| options.data_producer_id = DataProducerId(9));
    assert_eq!(unknown, Err(NotFoundError::DataProducer(DataProducerId(9)).into()));
    // Stream 1 is in use by the data producer.
    let info = consume(&mut scene, transport, |_| ()).unwrap();
    assert_eq!(info.sctp_stream_parameters.map(|stream| stream.stream_id), Some(0));
    assert_eq!(consume(&mut scene, transport, |_| ()), Err(ConsumeDataError::NoStreamId));
    assert!(consume(&mut scene, direct, |_| ()).is_ok());

    let none = AssociationOptions { outgoing_streams: 0, ..Default::default() };
    let options = TransportOptions {
        sctp: Some(SctpOptions { association: none, ..Default::default() }),
        ..Default::default()
    };
    assert!(matches!(scene.add(4, options), Err(AddTransportError::Sctp(_))));
}

#[test]
fn a_data_consumer_is_as_reliable_as_its_data_producer_unless_asked_otherwise() {
    let mut scene = Scene::new();
    let (transport, direct) = (scene.sctp(1, SctpOptions::default()), scene.direct(2));
    let lossy = SctpStreamParameters { max_retransmits: Some(2), ..stream(3) };
    let (lossy, reliable) = (scene.produce(transport, Some(lossy)), scene.produce(direct, None));
    let settled = |info: DataConsumerInfo| {
        let stream = info.sctp_stream_parameters.unwrap();
        (stream.ordered, stream.max_packet_life_time, stream.max_retransmits)
    };
    let info = scene.consume(transport, lossy);
    assert_eq!(settled(info), (Some(false), None, Some(2)));
    let info = scene.consume(transport, reliable);
    assert_eq!(settled(info), (Some(true), None, None));
    let options = DataConsumerOptions { max_packet_life_time: Some(100), ..scene.options(lossy) };
    let info = scene.bench.ask(ConsumeData { transport, options }).unwrap();
    assert_eq!(settled(info), (Some(false), Some(100), None));
}
