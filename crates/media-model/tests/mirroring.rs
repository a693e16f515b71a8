//! A source on another shard: commands and news take different ways there, and each may overtake the other.

mod support;

use support::{
    Bench, audio, give, red_capabilities, red_parameters, red_payload, settle, take, vp8, vp8_parameters,
};
use tureen_media_model::{
    CloseProducer, CloseRouter, Consume, ConsumerEvent, ConsumerOptions, ContentHint, CreateRouter,
    DumpConsumer, DumpProducer, Event, MirrorSource, PauseProducer, Produce, ProducerId, ProducerOptions,
    PublishSource, ResumeProducer, RouterOptions, ShardId, SourceDescription, TransportId,
};
use tureen_rtp_dictionaries::{MediaKind, RtpParameters};
use tureen_rtp_wire::rtp::RtpPacket;

/// A producer on shard 0, and a shard 1 that may mirror it.
struct Pair {
    home: Bench,
    far: Bench,
    producer: ProducerId,
    target: TransportId,
}

impl Pair {
    fn new() -> Self {
        Self::of(MediaKind::Video, vp8_parameters(1000))
    }

    fn of(kind: MediaKind, parameters: RtpParameters) -> Self {
        let (mut home, mut far) = (Bench::on_shard(0), Bench::on_shard(1));
        let source = home.transport(1);
        let producer = home.produce(source, kind, parameters).id;
        let target = far.transport(2);
        Self { home, far, producer, target }
    }

    fn publish(&mut self) -> SourceDescription {
        self.home.ask(PublishSource { producer: self.producer, to: ShardId(1) }).unwrap()
    }

    /// Lets news and packets cross until there are no more.
    fn settle(&mut self) {
        settle(&mut self.home, &mut self.far);
    }

    fn relayed(&mut self) -> u64 {
        let before = self.home.core.counters().relayed;
        self.home.receive(1, &vp8(1000, 7, 3000, true));
        self.home.core.counters().relayed - before
    }
}

#[test]
fn a_pause_before_the_mirror_stands_is_not_lost() {
    let mut pair = Pair::new();
    let source = pair.publish();
    assert!(!source.paused);
    pair.home.ask(PauseProducer { id: pair.producer }).unwrap();
    // The news is faster than the command that makes the mirror.
    pair.settle();
    pair.far.ask(MirrorSource { source }).unwrap();
    let consumer = pair.far.consume(pair.target, pair.producer);
    pair.settle();
    assert!(pair.far.ask(DumpConsumer { id: consumer.id }).unwrap().producer_paused);
    pair.home.ask(ResumeProducer { id: pair.producer }).unwrap();
    pair.settle();
    assert!(!pair.far.ask(DumpConsumer { id: consumer.id }).unwrap().producer_paused);
}

#[test]
fn a_producer_that_closes_before_its_mirror_stands_takes_it_along() {
    let mut pair = Pair::new();
    let source = pair.publish();
    pair.home.ask(CloseProducer { id: pair.producer }).unwrap();
    pair.settle();
    pair.far.ask(MirrorSource { source }).unwrap();
    let consumer = pair.far.consume(pair.target, pair.producer);
    pair.far.events();
    pair.settle();
    let closed =
        |event: &Event| matches!(event, Event::Consumer(id, ConsumerEvent::Closed(_)) if *id == consumer.id);
    assert!(pair.far.events().iter().any(closed));
}

#[test]
fn the_end_of_an_old_mirror_does_not_end_a_new_one() {
    let mut pair = Pair::new();
    let source = pair.publish();
    pair.far.ask(MirrorSource { source }).unwrap();
    pair.settle();
    assert_eq!(pair.relayed(), 1);
    pair.settle();
    // The router goes on the far shard and comes back; meanwhile the source is published to it again.
    let router = pair.far.router;
    pair.far.ask(CloseRouter { id: router }).unwrap();
    let goodbye = take(&mut pair.far);
    let source = pair.publish();
    give(&mut pair.home, &goodbye);
    let media_codecs = serde_json::from_value(serde_json::json!([
        {"kind": "video", "mimeType": "video/VP8", "clockRate": 90000}
    ]))
    .unwrap();
    pair.far.ask(CreateRouter { id: router, options: RouterOptions { media_codecs } }).unwrap();
    pair.far.ask(MirrorSource { source }).unwrap();
    pair.settle();
    pair.home.receive(1, &vp8(1000, 8, 6000, true));
    assert_eq!(pair.home.core.counters().relayed, 2);
}

#[test]
fn a_mirror_that_cannot_be_made_is_not_relayed_to() {
    let mut pair = Pair::new();
    let source = pair.publish();
    let router = pair.far.router;
    pair.far.ask(CloseRouter { id: router }).unwrap();
    assert!(pair.far.ask(MirrorSource { source }).is_err());
    pair.settle();
    assert_eq!(pair.relayed(), 0);
}

#[test]
fn news_of_an_old_publication_does_not_end_what_was_confirmed_since() {
    let mut pair = Pair::new();
    let first = pair.publish();
    let second = pair.publish();
    pair.far.ask(MirrorSource { source: second }).unwrap();
    pair.far.ask(MirrorSource { source: first }).unwrap();
    pair.settle();
    assert_eq!(pair.relayed(), 1);
    pair.home.ask(CloseProducer { id: pair.producer }).unwrap();
    let consumer = pair.far.consume(pair.target, pair.producer);
    pair.settle();
    assert!(pair.far.ask(DumpConsumer { id: consumer.id }).is_err());
}

#[test]
fn red_is_unpacked_on_the_shard_of_who_does_not_take_it() {
    let mut pair = Pair::of(MediaKind::Audio, red_parameters(1000));
    let source = pair.publish();
    pair.far.ask(MirrorSource { source }).unwrap();
    pair.far.consume(pair.target, pair.producer);
    let with_red = pair.far.transport(3);
    let options = pair.far.consumer_options(pair.producer);
    let options = ConsumerOptions { rtp_capabilities: red_capabilities(), ..options };
    pair.far.ask(Consume { transport: with_red, options }).unwrap();
    pair.settle();
    pair.home.receive(1, &audio(1000, 63, 7, &red_payload(111, &[0x78, 1], &[0x78, 2, 3])));
    pair.settle();
    for (socket, payload_type, payload) in
        [(2, 100, vec![0x78, 2, 3]), (3, 105, red_payload(100, &[0x78, 1], &[0x78, 2, 3]))]
    {
        let (sent, _) = pair.far.sent_to(socket);
        let packets: Vec<_> = sent.iter().map(|bytes| RtpPacket::parse(bytes).unwrap()).collect();
        assert_eq!(packets.len(), 1);
        assert_eq!((packets[0].payload_type(), packets[0].payload()), (payload_type, &payload[..]));
    }
}

#[test]
fn what_pictures_show_is_known_on_every_shard() {
    let mut pair = Pair::new();
    assert_eq!(pair.publish().content_hint, None);
    let parameters = RtpParameters { mid: Some("w".to_owned()), ..vp8_parameters(2000) };
    let options = ProducerOptions {
        content_hint: Some(ContentHint::Detail),
        ..pair.home.producer_options(MediaKind::Video, parameters)
    };
    let source = pair.home.transport(3);
    let producer = pair.home.ask(Produce { transport: source, options }).unwrap().id;
    let there = pair.home.ask(PublishSource { producer, to: ShardId(1) }).unwrap();
    assert_eq!(there.content_hint, Some(ContentHint::Detail));
    assert_eq!(pair.home.ask(DumpProducer { id: producer }).unwrap().content_hint, there.content_hint);
}
