//! Who closes whom, and what each is told: `docs/CLOSING.md`.

mod support;

use support::{Bench, vp8, vp8_parameters};
use tureen_media_model::{
    CloseCause, CloseProducer, CloseRouter, CloseTransport, ConsumerEvent, DumpConsumer, Event,
    ProducerEvent, RouterEvent, TransportEvent,
};
use tureen_rtp_dictionaries::MediaKind;

#[test]
fn a_closed_producer_takes_its_consumers_along() {
    let mut bench = Bench::new();
    let (source, target) = (bench.transport(1), bench.transport(2));
    let producer = bench.produce(source, MediaKind::Video, vp8_parameters(1000));
    let consumer = bench.consume(target, producer.id);
    bench.events();
    bench.ask(CloseProducer { id: producer.id }).unwrap();
    assert_eq!(
        bench.events(),
        [
            Event::Consumer(consumer.id, ConsumerEvent::Closed(CloseCause::ProducerClosed)),
            Event::Producer(producer.id, ProducerEvent::Closed(CloseCause::Requested)),
        ]
    );
    assert!(bench.ask(DumpConsumer { id: consumer.id }).is_err());
    assert!(bench.ask(CloseProducer { id: producer.id }).is_err());
    bench.receive(1, &vp8(1000, 1, 3000, true));
    assert!(bench.sent_to(2).0.is_empty());
    assert_eq!(bench.core.counters().unknown_stream, 1);
}

#[test]
fn a_closed_transport_takes_its_producers_and_consumers_along_and_gives_its_socket_back() {
    let mut bench = Bench::new();
    let (source, target) = (bench.transport(1), bench.transport(2));
    let producer = bench.produce(source, MediaKind::Video, vp8_parameters(1000));
    let consumer = bench.consume(target, producer.id);
    bench.events();
    bench.ask(CloseTransport { id: target }).unwrap();
    assert_eq!(
        bench.events(),
        [
            Event::Consumer(consumer.id, ConsumerEvent::Closed(CloseCause::TransportClosed)),
            Event::Transport(target, TransportEvent::Closed(CloseCause::Requested)),
        ]
    );
    assert_eq!(bench.core.poll_released_socket().map(|socket| socket.0), Some(2));
    assert_eq!(bench.core.poll_released_socket(), None);
    assert_eq!(bench.core.population().producers, 1);
}

#[test]
fn a_closed_router_closes_leaves_before_trunk() {
    let mut bench = Bench::new();
    let (source, target) = (bench.transport(1), bench.transport(2));
    let producer = bench.produce(source, MediaKind::Video, vp8_parameters(1000));
    let consumer = bench.consume(target, producer.id);
    bench.events();
    let router = bench.router;
    bench.ask(CloseRouter { id: router }).unwrap();
    assert_eq!(
        bench.events(),
        [
            Event::Producer(producer.id, ProducerEvent::Closed(CloseCause::TransportClosed)),
            Event::Transport(source, TransportEvent::Closed(CloseCause::RouterClosed)),
            Event::Consumer(consumer.id, ConsumerEvent::Closed(CloseCause::TransportClosed)),
            Event::Transport(target, TransportEvent::Closed(CloseCause::RouterClosed)),
            Event::Router(router, RouterEvent::Closed(CloseCause::Requested)),
        ]
    );
    let population = bench.core.population();
    assert_eq!((population.transports, population.producers, population.consumers), (0, 0, 0));
}

#[test]
fn a_consumer_beside_its_producer_closes_with_their_transport() {
    let mut bench = Bench::new();
    let (both, other) = (bench.transport(1), bench.transport(2));
    let producer = bench.produce(both, MediaKind::Video, vp8_parameters(1000));
    let (beside, elsewhere) = (bench.consume(both, producer.id), bench.consume(other, producer.id));
    bench.events();
    bench.ask(CloseTransport { id: both }).unwrap();
    assert_eq!(
        bench.events(),
        [
            Event::Consumer(elsewhere.id, ConsumerEvent::Closed(CloseCause::ProducerClosed)),
            Event::Producer(producer.id, ProducerEvent::Closed(CloseCause::TransportClosed)),
            Event::Consumer(beside.id, ConsumerEvent::Closed(CloseCause::TransportClosed)),
            Event::Transport(both, TransportEvent::Closed(CloseCause::Requested)),
        ]
    );
}

#[test]
fn a_closed_router_tells_the_same_whichever_transport_came_first() {
    let mut bench = Bench::new();
    let (target, source) = (bench.transport(1), bench.transport(2));
    let producer = bench.produce(source, MediaKind::Video, vp8_parameters(1000));
    let consumer = bench.consume(target, producer.id);
    bench.events();
    let router = bench.router;
    bench.ask(CloseRouter { id: router }).unwrap();
    assert_eq!(
        bench.events(),
        [
            Event::Consumer(consumer.id, ConsumerEvent::Closed(CloseCause::TransportClosed)),
            Event::Transport(target, TransportEvent::Closed(CloseCause::RouterClosed)),
            Event::Producer(producer.id, ProducerEvent::Closed(CloseCause::TransportClosed)),
            Event::Transport(source, TransportEvent::Closed(CloseCause::RouterClosed)),
            Event::Router(router, RouterEvent::Closed(CloseCause::Requested)),
        ]
    );
}
