//! A data producer on another shard: each message crosses once, and only so many bytes are under way.

mod support;

use support::{Bench, address, give, settle, take};
use tureen_data::Ppid;
use tureen_media_model::*;
use tureen_rtp_dictionaries::SctpStreamParameters;
use tureen_transport::{BoundSocket, PlainTransport, PlainTransportOptions, SocketId};

/// A data producer of the program on shard 0, and a shard 1 that may mirror it.
struct Pair {
    home: Bench,
    far: Bench,
    speaker: TransportId,
    listener: TransportId,
    producer: DataProducerId,
}

fn add(bench: &mut Bench, socket: u32, options: TransportOptions) -> TransportId {
    let id = TransportId(bench.id());
    let bound = BoundSocket { id: SocketId(socket), local: address(40_000 + socket as u16) };
    let adapter = PlainTransportOptions { enable_sctp: options.sctp.is_some(), ..Default::default() };
    let transport = PlainTransport::new(&adapter, bound, None, &[0; 46]);
    let router = bench.router;
    bench.ask(AddTransport { router, id, transport, options }).unwrap();
    id
}

fn direct() -> TransportOptions {
    TransportOptions { direct: true, ..Default::default() }
}

fn produce(
    bench: &mut Bench,
    transport: TransportId,
    stream: Option<SctpStreamParameters>,
) -> DataProducerId {
    let id = DataProducerId(bench.id());
    let options = DataProducerOptions {
        id,
        sctp_stream_parameters: stream,
        label: "chat".to_owned(),
        protocol: "text".to_owned(),
        paused: false,
    };
    bench.ask(ProduceData { transport, options }).unwrap().id
}

fn consumer_options(bench: &mut Bench, data_producer_id: DataProducerId) -> DataConsumerOptions {
    DataConsumerOptions {
        id: DataConsumerId(bench.id()),
        data_producer_id,
        ordered: None,
        max_packet_life_time: None,
        max_retransmits: None,
        paused: false,
        subchannels: vec![],
    }
}

impl Pair {
    fn new() -> Self {
        let (mut home, mut far) = (Bench::on_shard(0), Bench::on_shard(1));
        let speaker = add(&mut home, 1, direct());
        let producer = produce(&mut home, speaker, None);
        let listener = add(&mut far, 2, direct());
        Self { home, far, speaker, listener, producer }
    }

    fn mirrored() -> Self {
        let mut pair = Self::new();
        pair.mirror();
        pair.settle();
        pair
    }

    fn publish(&mut self) -> DataSourceDescription {
        self.home.ask(PublishDataSource { data_producer: self.producer, to: ShardId(1) }).unwrap()
    }

    fn mirror(&mut self) {
        let source = self.publish();
        self.far.ask(MirrorDataSource { source }).unwrap();
    }

    fn consume(&mut self, subchannels: Vec<u16>) -> DataConsumerId {
        let options = DataConsumerOptions { subchannels, ..consumer_options(&mut self.far, self.producer) };
        self.far.ask(ConsumeData { transport: self.listener, options }).unwrap().id
    }

    fn send(&mut self, message: DataMessage) {
        self.home.ask(SendToDataProducer { id: self.producer, message }).unwrap();
    }

    /// Lets news and messages cross until there are no more.
    fn settle(&mut self) {
        settle(&mut self.home, &mut self.far);
    }

    fn relayed(&self) -> u64 {
        self.home.core.counters().data.messages_relayed
    }

    /// What data consumers on the far shard told since the last call.
    fn told(&mut self) -> Vec<(DataConsumerId, String)> {
        let describe = |event| match event {
            DataConsumerEvent::Message { ppid, payload } => {
                format!("{} {}", ppid.number(), String::from_utf8_lossy(&payload))
            }
            other => format!("{other:?}"),
        };
        let events = self.far.events().into_iter();
        let of_data = |event| match event {
            Event::DataConsumer(id, event) => Some((id, describe(event))),
            _ => None,
        };
        events.filter_map(of_data).collect()
    }
}

fn line(id: DataConsumerId, text: &str) -> (DataConsumerId, String) {
    (id, text.to_owned())
}

#[test]
fn a_message_crosses_once_and_reaches_all_who_want_it() {
    let mut pair = Pair::mirrored();
    let (all, some) = (pair.consume(vec![]), pair.consume(vec![1, 2]));
    pair.send(DataMessage::text("hello"));
    pair.send(DataMessage { subchannels: vec![2, 9], ..DataMessage::binary("for two") });
    pair.send(DataMessage { ignored_subchannel: Some(1), ..DataMessage::text("not for two") });
    pair.send(DataMessage::new(Ppid::Binary, ""));
    assert_eq!(pair.relayed(), 4);
    pair.settle();
    let expected = [
        line(all, "51 hello"),
        line(some, "51 hello"),
        line(some, "53 for two"),
        line(all, "51 not for two"),
        line(all, "57 "),
        line(some, "57 "),
    ];
    assert_eq!(pair.told(), expected);
    let stats = pair.far.ask(GetDataConsumerStats { id: all }).unwrap();
    assert_eq!((stats.messages_sent, stats.bytes_sent, stats.label.as_str()), (3, 16, "chat"));
    let (home, far) = (pair.home.core.counters().data, pair.far.core.counters().data);
    assert_eq!((home.messages_received, far.messages_received, far.messages_sent), (4, 0, 6));
    let (router, id) = (pair.far.router, pair.producer);
    let dump = pair.far.ask(DumpRouter { id: router }).unwrap();
    assert_eq!(dump.map_data_producer_id_data_consumer_ids[&id], [all, some]);
}

#[test]
fn how_reliable_a_stream_is_is_known_on_other_shards() {
    let (mut home, mut far) = (Bench::on_shard(0), Bench::on_shard(1));
    let sctp = || TransportOptions { sctp: Some(SctpOptions::default()), ..Default::default() };
    let (source, sink) = (add(&mut home, 1, sctp()), add(&mut far, 2, sctp()));
    let lossy = SctpStreamParameters {
        stream_id: 5,
        ordered: None,
        max_packet_life_time: None,
        max_retransmits: Some(2),
    };
    let producer = produce(&mut home, source, Some(lossy));
    let source = home.ask(PublishDataSource { data_producer: producer, to: ShardId(1) }).unwrap();
    far.ask(MirrorDataSource { source }).unwrap();
    let options = consumer_options(&mut far, producer);
    let info = far.ask(ConsumeData { transport: sink, options }).unwrap();
    let stream = info.sctp_stream_parameters.unwrap();
    assert_eq!((stream.stream_id, stream.ordered, stream.max_retransmits), (0, Some(false), Some(2)));
    assert_eq!((info.label.as_str(), info.protocol.as_str()), ("chat", "text"));
}

#[test]
fn pauses_cross_in_order_with_messages() {
    let mut pair = Pair::mirrored();
    let consumer = pair.consume(vec![]);
    pair.send(DataMessage::text("before"));
    pair.home.ask(PauseDataProducer { id: pair.producer }).unwrap();
    pair.send(DataMessage::text("lost"));
    pair.home.ask(ResumeDataProducer { id: pair.producer }).unwrap();
    pair.send(DataMessage::text("after"));
    pair.settle();
    let expected = [
        line(consumer, "DataProducerPaused { effective: true }"),
        line(consumer, "DataProducerResumed { effective: true }"),
        line(consumer, "51 before"),
        line(consumer, "51 after"),
    ];
    assert_eq!(pair.told(), expected, "news of pauses goes ahead of messages to programs");
    pair.far.ask(PauseDataConsumer { id: consumer }).unwrap();
    pair.send(DataMessage::text("unheard"));
    pair.settle();
    assert_eq!(pair.told(), [line(consumer, "Paused { effective: true }")]);
}

#[test]
fn a_pause_before_the_mirror_stands_is_not_lost() {
    let mut pair = Pair::new();
    let source = pair.publish();
    pair.home.ask(PauseDataProducer { id: pair.producer }).unwrap();
    // The news is faster than the command that makes the mirror.
    pair.settle();
    pair.far.ask(MirrorDataSource { source }).unwrap();
    let consumer = pair.consume(vec![]);
    pair.settle();
    assert!(pair.far.ask(DumpDataConsumer { id: consumer }).unwrap().data_producer_paused);
    pair.home.ask(ResumeDataProducer { id: pair.producer }).unwrap();
    pair.settle();
    assert!(!pair.far.ask(DumpDataConsumer { id: consumer }).unwrap().data_producer_paused);
}

#[test]
fn a_data_producer_that_closes_takes_its_mirror_along() {
    for before_it_stands in [true, false] {
        let mut pair = Pair::new();
        let source = pair.publish();
        if before_it_stands {
            pair.home.ask(CloseDataProducer { id: pair.producer }).unwrap();
            pair.settle();
        }
        pair.far.ask(MirrorDataSource { source }).unwrap();
        let consumer = pair.consume(vec![]);
        pair.settle();
        if !before_it_stands {
            assert_eq!(pair.told(), []);
            pair.send(DataMessage::text("last words"));
            pair.home.ask(CloseTransport { id: pair.speaker }).unwrap();
            pair.settle();
        }
        let told = pair.told();
        let closed = line(consumer, "Closed(ProducerClosed)");
        assert!(told.contains(&closed), "{told:?}");
        assert_eq!(told.contains(&line(consumer, "51 last words")), !before_it_stands);
        assert!(pair.far.ask(DumpDataConsumer { id: consumer }).is_err());
        let options = consumer_options(&mut pair.far, pair.producer);
        let gone = pair.far.ask(ConsumeData { transport: pair.listener, options });
        assert_eq!(gone, Err(NotFoundError::DataProducer(pair.producer).into()));
    }
}

#[test]
fn news_of_an_old_publication_does_not_end_what_was_confirmed_since() {
    let mut pair = Pair::new();
    let first = pair.publish();
    let second = pair.publish();
    pair.far.ask(MirrorDataSource { source: second }).unwrap();
    pair.far.ask(MirrorDataSource { source: first }).unwrap();
    pair.settle();
    let consumer = pair.consume(vec![]);
    pair.send(DataMessage::text("once"));
    pair.settle();
    assert_eq!(pair.told(), [line(consumer, "51 once")]);
    pair.home.ask(CloseDataProducer { id: pair.producer }).unwrap();
    pair.settle();
    assert_eq!(pair.told(), [line(consumer, "Closed(ProducerClosed)")]);
}

#[test]
fn a_router_that_is_gone_is_not_relayed_to() {
    let mut pair = Pair::mirrored();
    let router = pair.far.router;
    let source = pair.publish();
    pair.far.ask(CloseRouter { id: router }).unwrap();
    assert!(pair.far.ask(MirrorDataSource { source }).is_err());
    pair.settle();
    pair.send(DataMessage::text("to nobody"));
    assert_eq!(pair.relayed(), 0);
}

#[test]
fn only_so_many_bytes_are_under_way_and_what_is_refused_is_told() {
    let mut pair = Pair::mirrored();
    let (consumer, paused) = (pair.consume(vec![]), pair.consume(vec![]));
    pair.far.ask(PauseDataConsumer { id: paused }).unwrap();
    pair.told();
    for _ in 0..30 {
        pair.send(DataMessage::binary(vec![b'x'; 200_000]));
    }
    let fit = 4 * 1024 * 1024 / 200_000;
    assert_eq!(pair.relayed(), fit);
    // A small one still fits in between, and keeps its place.
    pair.send(DataMessage::text("small"));
    assert_eq!(pair.relayed(), fit + 1);
    pair.settle();
    let told = pair.told();
    let full: Vec<_> = told.iter().filter(|(_, text)| text == "SendBufferFull").collect();
    assert_eq!(full, [&line(consumer, "SendBufferFull")]);
    assert_eq!(told.iter().filter(|(_, text)| text.starts_with("53 ")).count() as u64, fit);
    assert!(told.contains(&line(consumer, "51 small")));
    let dropped = |pair: &mut Pair, id| pair.far.ask(DumpDataConsumer { id }).unwrap().messages_dropped;
    assert_eq!(dropped(&mut pair, consumer), 30 - fit);
    assert_eq!(dropped(&mut pair, paused), 0);
    // What was taken makes room.
    pair.send(DataMessage::text("again"));
    pair.settle();
    assert_eq!(pair.told(), [line(consumer, "51 again")]);
}

#[test]
fn small_messages_are_bounded_too() {
    let mut pair = Pair::mirrored();
    for _ in 0..100_000 {
        pair.send(DataMessage::text(""));
    }
    assert_eq!(pair.relayed(), 4 * 1024 * 1024 / 64);
}

#[test]
fn messages_that_wait_for_room_keep_their_order() {
    let mut pair = Pair::mirrored();
    let consumer = pair.consume(vec![]);
    let mut waiting = RelayBatch::default();
    for text in ["one", "two", "three"] {
        pair.send(DataMessage::text(text));
        for batch in take(&mut pair.home) {
            waiting.append_news(&batch);
        }
    }
    assert!(waiting.has_news() && waiting.packets() == 0);
    waiting.drop_packets();
    give(&mut pair.far, &[waiting]);
    assert_eq!(pair.told(), [line(consumer, "51 one"), line(consumer, "51 two"), line(consumer, "51 three")]);
}
