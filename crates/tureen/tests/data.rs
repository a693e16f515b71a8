//! Messages: from this program to itself over direct transports, and from Router to Router over SCTP.

mod support;

use pollster::block_on;
use support::{Kept, Log, Stage, eventually};
use tureen::data_channels::{Ppid, SendError};
use tureen::dictionaries::{NumSctpStreams, SctpState, SctpStreamParameters};
use tureen::*;

fn stream(stream_id: u16) -> SctpStreamParameters {
    SctpStreamParameters { stream_id, ordered: None, max_packet_life_time: None, max_retransmits: None }
}

fn labelled(label: &str) -> DataProducerOptions {
    let mut options = DataProducerOptions::default();
    options.label = label.to_owned();
    options.protocol = "text".to_owned();
    options
}

fn produce(transport: &impl DataTransport, options: DataProducerOptions) -> DataProducer {
    block_on(transport.produce_data(options)).expect("a data producer")
}

fn consume(transport: &impl DataTransport, producer: &DataProducer) -> DataConsumer {
    block_on(transport.consume_data(DataConsumerOptions::new(producer.id()))).expect("a data consumer")
}

fn text_of(message: &DataMessage) -> String {
    String::from_utf8(message.payload.to_vec()).expect("text")
}

/// Writes what a data consumer hears to a log.
fn listen(consumer: &DataConsumer, log: &Log, kept: &mut Kept) {
    let log = log.clone();
    kept.add(consumer.on_message(move |message| {
        log.write(format!("{} {}", message.ppid.number(), text_of(message)));
    }));
}

fn with_sctp() -> PlainTransportOptions {
    let mut options = PlainTransportOptions::new(ListenInfo::loopback());
    options.sctp = SctpTransportOptions::enabled();
    options
}

/// Two plain transports with SCTP that are each other's remote.
fn joined(near: &Router, far: &Router) -> [PlainTransport; 2] {
    let pair = [near, far].map(|router| {
        let created = router.create_plain_transport(with_sctp());
        block_on(created).expect("a transport")
    });
    join(&pair);
    pair
}

/// Makes two plain transports each other's remote.
fn join(pair: &[PlainTransport; 2]) {
    for (own, other) in [(0, 1), (1, 0)] {
        let tuple = pair[other].tuple();
        let ip = tuple.local_address.parse().expect("an address");
        block_on(pair[own].connect(PlainConnectOptions::to(ip, tuple.local_port))).expect("connected");
    }
    eventually("both associations stand", || {
        pair.iter().all(|transport| transport.sctp_state() == Some(SctpState::Connected))
    });
}

#[test]
fn messages_of_this_program_come_back_to_it() {
    let stage = Stage::new();
    let transport = stage.transport();
    let (log, mut kept) = (Log::default(), Kept::default());
    let producer = produce(&transport, labelled("chat"));
    let consumer = consume(&transport, &producer);
    listen(&consumer, &log, &mut kept);
    assert_eq!((producer.data_type(), consumer.data_type()), (DataType::Direct, DataType::Direct));
    assert_eq!((consumer.label(), consumer.protocol()), ("chat", "text"));
    assert_eq!((producer.sctp_stream_parameters(), consumer.sctp_stream_parameters()), (None, None));
    assert_eq!((transport.sctp_parameters(), transport.sctp_state()), (None, None));

    for message in [DataMessage::text("one"), DataMessage::binary("two"), DataMessage::text("")] {
        block_on(producer.send(message)).expect("it is taken");
    }
    assert_eq!(log.wait(3), ["51 one", "53 two", "56 "]);
    let stats = block_on(producer.get_stats()).expect("statistics");
    assert_eq!((stats.kind, stats.messages_received, stats.bytes_received), ("data-producer", 3, 6));
    let stats = block_on(consumer.get_stats()).expect("statistics");
    assert_eq!((stats.kind, stats.messages_sent, stats.bytes_sent), ("data-consumer", 3, 6));
    assert_eq!(block_on(producer.dump()).expect("a dump").label, "chat");
    assert_eq!(block_on(consumer.dump()).expect("a dump").data_producer_id, producer.id());
    assert_eq!(block_on(consumer.get_buffered_amount()), Ok(0));
    let refused = block_on(consumer.send(DataMessage::text("a")));
    assert_eq!(refused, Err(SendDataError::Refused(model::SendDataError::Direct)));
    let refused = block_on(producer.send(DataMessage::new(Ppid::Dcep, "a")));
    assert_eq!(refused, Err(SendDataError::Refused(model::SendDataError::Ppid)));
}

#[test]
fn messages_cross_from_router_to_router_over_sctp() {
    let (here, there) = (Stage::new(), Stage::new());
    let [out, into] = joined(&here.router, &there.router);
    let parameters = out.sctp_parameters().expect("it has SCTP");
    assert_eq!((parameters.port, parameters.os, parameters.mis), (5000, 1024, 1024));
    assert_eq!((parameters.max_message_size, parameters.is_data_channel), (262_144, false));

    // Here a program speaks, there one listens.
    let source = produce(&here.transport(), labelled("chat"));
    let outgoing = consume(&out, &source);
    let on_wire = outgoing.sctp_stream_parameters().expect("a stream");
    assert_eq!((on_wire.stream_id, on_wire.ordered), (0, Some(true)));
    let incoming = produce(&into, DataProducerOptions::on_stream(stream(on_wire.stream_id)));
    let heard = consume(&there.transport(), &incoming);
    let (log, mut kept) = (Log::default(), Kept::default());
    listen(&heard, &log, &mut kept);
    block_on(source.send(DataMessage::text("hello"))).expect("it is taken");
    assert_eq!(log.wait(1), ["51 hello"]);

    // The data consumer's endpoint is spoken to alone, and a message of the largest size arrives.
    assert!(block_on(outgoing.send(DataMessage::text("psst"))).is_ok());
    assert_eq!(log.wait(2)[1], "51 psst");
    let largest = "x".repeat(262_144);
    eventually("there is room for it", || block_on(outgoing.get_buffered_amount()) == Ok(0));
    assert_eq!(block_on(outgoing.send(DataMessage::text(largest.clone()))), Ok(262_144));
    assert!(log.wait(3)[2] == format!("51 {largest}"));
    let refused = block_on(outgoing.send(DataMessage::text(largest + "y")));
    let too_large = SendError::TooLarge { len: 262_145, max: 262_144 };
    assert_eq!(refused, Err(SendDataError::Refused(too_large.into())));

    let dump = block_on(into.dump()).expect("a dump").base.data;
    assert_eq!(dump.data_producer_ids, [incoming.id()]);
    assert_eq!(dump.sctp_state, Some(SctpState::Connected));
}

#[test]
fn messages_beyond_the_limit_are_told() {
    let (here, there) = (Stage::new(), Stage::new());
    let mut limited = with_sctp();
    limited.sctp.max_messages_per_second = 5;
    let out = block_on(here.router.create_plain_transport(with_sctp())).expect("a transport");
    let into = block_on(there.router.create_plain_transport(limited)).expect("a transport");
    join(&[out.clone(), into.clone()]);
    let source = produce(&here.transport(), labelled("bulk"));
    let outgoing = consume(&out, &source);
    let incoming = produce(&into, DataProducerOptions::on_stream(outgoing.sctp_stream_parameters().unwrap()));
    let (log, mut kept) = (Log::default(), Kept::default());
    let lines = log.clone();
    kept.add(incoming.on_messages_limited(move |messages| lines.write(format!("limited {messages}"))));
    for _ in 0..30 {
        block_on(source.send(DataMessage::text("more"))).expect("it is taken");
    }
    assert_eq!(log.wait(1)[0], "limited 1");
    eventually("all came", || {
        let stats = block_on(incoming.get_stats()).expect("statistics");
        stats.messages_received + stats.messages_limited == 30 && (10..15).contains(&stats.messages_received)
    });
}

#[test]
fn room_in_the_buffer_is_told_when_asked_for() {
    let (here, there) = (Stage::new(), Stage::new());
    let [out, _into] = joined(&here.router, &there.router);
    let source = produce(&here.transport(), labelled("bulk"));
    let outgoing = consume(&out, &source);
    let (log, mut kept) = (Log::default(), Kept::default());
    let lines = log.clone();
    kept.add(
        outgoing.on_buffered_amount_low(move |buffered| lines.write(format!("low {}", *buffered <= 1000))),
    );
    let full = log.line("full");
    kept.add(outgoing.on_sctp_send_buffer_full(full));
    block_on(outgoing.set_buffered_amount_low_threshold(1000)).expect("set");
    // Both are in the shard's queue at once, and there is room for one.
    let both = [260_000, 260_000].map(|len| source.send(DataMessage::binary(vec![7; len])));
    for taken in both {
        block_on(taken).expect("what the buffer has no room for is lost to the data consumer alone");
    }
    assert_eq!(log.wait(2), ["full", "low true"]);
}

#[test]
fn states_of_sctp_are_told() {
    let stage = Stage::new();
    let (log, mut kept) = (Log::default(), Kept::default());
    let transport = block_on(stage.router.create_plain_transport(with_sctp())).expect("a transport");
    assert_eq!(transport.sctp_state(), Some(SctpState::New));
    let lines = log.clone();
    kept.add(transport.on_sctp_state_change(move |state| lines.write(format!("{state:?}"))));
    let lines = log.clone();
    kept.add(
        transport.observer().on_sctp_state_change(move |state| lines.write(format!("observed {state:?}"))),
    );
    let remote = block_on(stage.router.create_plain_transport(with_sctp())).expect("a transport");
    let address = |transport: &PlainTransport| {
        let tuple = transport.tuple();
        PlainConnectOptions::to(tuple.local_address.parse().expect("an address"), tuple.local_port)
    };
    block_on(transport.connect(address(&remote))).expect("connected");
    block_on(remote.connect(address(&transport))).expect("connected");
    assert_eq!(log.wait(4), ["Connecting", "observed Connecting", "Connected", "observed Connected"]);
    remote.close();
    assert_eq!(log.wait(6)[4..], ["Closed", "observed Closed"], "it said goodbye");
}

#[test]
fn subchannels_and_pauses_choose_who_hears() {
    let stage = Stage::new();
    let transport = stage.transport();
    let (log, mut kept) = (Log::default(), Kept::default());
    let producer = produce(&transport, labelled("chat"));
    let mut options = DataConsumerOptions::new(producer.id());
    options.subchannels = vec![2, 1, 2];
    let consumer = block_on(transport.consume_data(options)).expect("a data consumer");
    listen(&consumer, &log, &mut kept);
    assert_eq!(consumer.subchannels(), [1, 2]);
    let say = |text: &str, subchannel: u16| {
        let message = DataMessage { subchannels: vec![subchannel], ..DataMessage::text(text) };
        block_on(producer.send(message)).expect("it is taken");
    };
    say("a", 1);
    say("b", 3);
    block_on(consumer.add_subchannel(3)).expect("added");
    say("c", 3);
    block_on(consumer.remove_subchannel(1)).expect("taken away");
    assert_eq!(consumer.subchannels(), [2, 3]);
    say("d", 1);
    block_on(consumer.set_subchannels(vec![9])).expect("exchanged");
    say("e", 2);
    say("f", 9);
    assert_eq!(log.wait(3), ["51 a", "51 c", "51 f"]);

    kept.add(consumer.on_data_producer_pause(log.line("dataproducerpause")));
    kept.add(consumer.on_data_producer_resume(log.line("dataproducerresume")));
    kept.add(consumer.observer().on_pause(log.line("pause")));
    kept.add(consumer.observer().on_resume(log.line("resume")));
    kept.add(producer.observer().on_pause(log.line("producer pause")));
    block_on(consumer.pause()).expect("paused");
    assert!(consumer.paused());
    say("lost", 9);
    block_on(consumer.resume()).expect("resumed");
    block_on(producer.pause()).expect("paused");
    assert!(producer.paused());
    say("lost", 9);
    eventually("it is known", || consumer.data_producer_paused());
    block_on(producer.resume()).expect("resumed");
    say("g", 9);
    let expected = [
        "pause",
        "resume",
        "producer pause",
        "dataproducerpause",
        "pause",
        "dataproducerresume",
        "resume",
        "51 g",
    ];
    assert_eq!(log.wait(11)[3..], expected);
}

/// A data producer on one transport and its data consumer on another, with the log of all that close.
fn watched(stage: &Stage) -> (DirectTransport, DirectTransport, DataProducer, DataConsumer, Log, Kept) {
    let (source, sink) = (stage.transport(), stage.transport());
    let (log, mut kept) = (Log::default(), Kept::default());
    let created = log.clone();
    kept.add(sink.observer().on_new_data_consumer(move |_| created.write("newdataconsumer")));
    let created = log.clone();
    kept.add(source.observer().on_new_data_producer(move |_| created.write("newdataproducer")));
    let producer = produce(&source, labelled("chat"));
    let consumer = consume(&sink, &producer);
    assert_eq!(log.wait(2), ["newdataproducer", "newdataconsumer"]);
    kept.add(producer.on_transport_close(log.line("dataproducer transportclose")));
    kept.add(producer.observer().on_close(log.line("dataproducer close")));
    kept.add(consumer.on_transport_close(log.line("dataconsumer transportclose")));
    kept.add(consumer.on_data_producer_close(log.line("dataconsumer dataproducerclose")));
    kept.add(consumer.observer().on_close(log.line("dataconsumer close")));
    kept.add(source.observer().on_close(log.line("source close")));
    kept.add(sink.observer().on_close(log.line("sink close")));
    (source, sink, producer, consumer, log, kept)
}

#[test]
fn closing_a_data_producer_closes_its_data_consumers() {
    let stage = Stage::new();
    let (_source, _sink, producer, consumer, log, _kept) = watched(&stage);
    producer.close();
    assert!(producer.closed() && consumer.closed());
    let expected = ["dataproducer close", "dataconsumer dataproducerclose", "dataconsumer close"];
    assert_eq!(log.wait(5)[2..], expected);
    assert_eq!(block_on(consumer.pause()), Err(RequestError::Closed));
    assert_eq!(block_on(producer.send(DataMessage::text("a"))), Err(RequestError::Closed.into()));
}

#[test]
fn closing_a_transport_closes_what_is_on_it() {
    let stage = Stage::new();
    let (source, _sink, producer, consumer, log, _kept) = watched(&stage);
    source.close();
    assert!(producer.closed() && consumer.closed());
    let expected = [
        "dataproducer transportclose",
        "dataproducer close",
        "dataconsumer dataproducerclose",
        "dataconsumer close",
        "source close",
    ];
    assert_eq!(log.wait(7)[2..], expected);

    let (_source, sink, producer, consumer, log, _kept) = watched(&stage);
    sink.close();
    assert!(!producer.closed() && consumer.closed());
    let expected = ["dataconsumer transportclose", "dataconsumer close", "sink close"];
    assert_eq!(log.wait(5)[2..], expected);
    let refused = block_on(sink.consume_data(DataConsumerOptions::new(producer.id()))).err();
    assert_eq!(refused, Some(RequestError::Closed.into()));
}

#[test]
fn dropping_the_last_handle_closes() {
    let stage = Stage::new();
    let (source, sink, producer, consumer, log, _kept) = watched(&stage);
    let weak = (producer.downgrade(), consumer.downgrade());
    drop(consumer);
    assert_eq!(log.wait(3)[2], "dataconsumer close");
    let clone = producer.clone();
    drop(producer);
    assert!(!clone.closed() && weak.0.upgrade().is_some());
    drop(clone);
    assert_eq!(log.wait(4)[3], "dataproducer close");
    assert!(weak.0.upgrade().is_none() && weak.1.upgrade().is_none());
    eventually("the shard forgot them", || {
        let dumps = [&source, &sink].map(|transport| block_on(transport.dump()).expect("a dump").base.data);
        dumps.iter().all(|data| data.data_producer_ids.is_empty() && data.data_consumer_ids.is_empty())
    });
}

#[test]
fn what_is_refused_names_its_field() {
    let stage = Stage::with_shards(2);
    let router = &stage.router;
    let mut options = with_sctp();
    options.sctp.num_sctp_streams = NumSctpStreams { os: 0, mis: 1 };
    let refused =
        block_on(router.create_plain_transport(options)).map(|_| ()).map_err(|error| error.to_string());
    assert_eq!(refused, Err("numSctpStreams.OS must be 1 to 65535".to_owned()));

    let mut options = with_sctp();
    options.shard = Some(0);
    let plain = block_on(router.create_plain_transport(options)).expect("a transport");
    let refused = block_on(plain.produce_data(DataProducerOptions::default())).err();
    let required = model::ProduceDataError::SctpStreamParametersRequired;
    assert_eq!(refused, Some(ProduceDataError::Refused(required)));
    let producer = produce(&plain, DataProducerOptions::on_stream(stream(7)));
    let mut again = DataProducerOptions::on_stream(stream(8));
    again.id = Some(producer.id());
    let refused = block_on(plain.produce_data(again)).err();
    let taken = model::ProduceDataError::AlreadyExists(producer.id());
    assert_eq!(refused, Some(ProduceDataError::Refused(taken)));

    let without = PlainTransportOptions::new(ListenInfo::loopback());
    let without = block_on(router.create_plain_transport(without)).expect("a transport");
    let refused = block_on(without.produce_data(DataProducerOptions::on_stream(stream(7)))).err();
    let not_enabled = model::ProduceDataError::SctpNotEnabled;
    assert_eq!(refused, Some(ProduceDataError::Refused(not_enabled)));

    let unknown = DataProducerId(1);
    let elsewhere = stage.transport_on(1);
    let refused = block_on(elsewhere.consume_data(DataConsumerOptions::new(unknown))).err();
    assert_eq!(refused, Some(ConsumeDataError::DataProducerNotFound(unknown)));
}

#[test]
fn messages_reach_data_consumers_on_other_shards() {
    let stage = Stage::with_shards(3);
    let source = stage.transport_on(0);
    let producer = produce(&source, labelled("chat"));
    let logs: Vec<_> = (0..3)
        .map(|shard| {
            let (log, mut kept) = (Log::default(), Kept::default());
            let transport = stage.transport_on(shard);
            let consumer = consume(&transport, &producer);
            assert_eq!((consumer.label(), consumer.protocol()), ("chat", "text"));
            listen(&consumer, &log, &mut kept);
            kept.add(consumer.on_data_producer_pause(log.line("paused")));
            kept.add(consumer.on_data_producer_resume(log.line("resumed")));
            kept.add(consumer.on_data_producer_close(log.line("producer closed")));
            (log, kept, consumer)
        })
        .collect();
    let said: Vec<_> = (0..200).map(|number| format!("51 {number}")).collect();
    for number in 0..200 {
        block_on(producer.send(DataMessage::text(number.to_string()))).expect("it is taken");
    }
    for (log, ..) in &logs {
        assert_eq!(log.wait(200), said);
    }
    block_on(producer.pause()).expect("paused");
    block_on(producer.send(DataMessage::text("lost"))).expect("it is taken");
    block_on(producer.resume()).expect("resumed");
    block_on(producer.send(DataMessage::binary("again"))).expect("it is taken");
    for (log, ..) in &logs {
        assert_eq!(log.wait(203)[200..], ["paused", "resumed", "53 again"]);
    }
    let dump = block_on(stage.router.dump()).expect("a dump");
    let ids: Vec<_> = logs.iter().map(|(_, _, consumer)| consumer.id()).collect();
    assert_eq!(dump.map_data_producer_id_data_consumer_ids[&producer.id()], ids);
    assert_eq!(dump.map_data_consumer_id_data_producer_id.len(), 3);
    producer.close();
    for (log, _, consumer) in &logs {
        assert_eq!(log.wait(204)[203], "producer closed");
        assert!(consumer.closed());
    }
}

#[test]
fn a_data_producer_that_closes_while_others_consume_it_leaves_nothing_on_any_shard() {
    let stage = Stage::with_shards(2);
    let (source, sink) = (stage.transport_on(0), stage.transport_on(1));
    for _ in 0..50 {
        let producer = produce(&source, labelled("chat"));
        let making = sink.consume_data(DataConsumerOptions::new(producer.id()));
        let closing = std::thread::spawn(move || producer.close());
        if let Ok(consumer) = block_on(making) {
            eventually("it closes with its data producer", || consumer.closed());
        }
        closing.join().expect("it closes");
    }
    eventually("the shards forgot them", || {
        let dump = block_on(stage.router.dump()).expect("a dump");
        dump.map_data_producer_id_data_consumer_ids.is_empty()
            && block_on(sink.dump()).expect("a dump").base.data.data_consumer_ids.is_empty()
    });
}
