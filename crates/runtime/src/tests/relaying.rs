//! The ways between shards when they are full: packets may go, news and messages may not.

use super::support::{ROUTER, packet, producer_options, router_options};
use crate::AnyTransport;
use crate::relay::RelayLinks;
use tureen_media_model::{
    AddTransport, Core, CoreConfig, CreateRouter, DataMessage, DataProducerId, DataProducerOptions,
    PauseProducer, Produce, ProduceData, ProducerId, PublishDataSource, PublishSource, RelayBatch, Request,
    ResumeProducer, SendToDataProducer, ShardId, TransportId, TransportOptions,
};
use tureen_rtp_wire::{NtpTime, Time, WallClock};
use tureen_transport::{Destination, DirectTransport, Egress, Lane};
use tureen_udp::Poller;

struct Nowhere;

impl Egress for Nowhere {
    fn reserve(&mut self, _: Lane, _: &Destination, _: usize) -> Option<&mut [u8]> {
        None
    }

    fn commit(&mut self, _: usize) {}
}

/// A Core that relays a producer to shard 1.
struct Home {
    core: Core<AnyTransport>,
    sequence_number: u16,
}

impl Home {
    const TRANSPORT: TransportId = TransportId(10);
    const PRODUCER: ProducerId = ProducerId(20);
    const DATA_PRODUCER: DataProducerId = DataProducerId(30);

    fn new() -> Self {
        let wall_clock = WallClock::new(NtpTime::new(3_900_000_000, 0));
        let core = Core::new(CoreConfig { shard: ShardId(0), seed: 7, wall_clock });
        let mut home = Self { core, sequence_number: 0 };
        home.ask(CreateRouter { id: ROUTER, options: router_options() }).expect("the router is made");
        let transport = DirectTransport::new().into();
        let options = TransportOptions { direct: true, ..Default::default() };
        home.ask(AddTransport { router: ROUTER, id: Self::TRANSPORT, transport, options })
            .expect("it is added");
        home.ask(Produce { transport: Self::TRANSPORT, options: producer_options(Self::PRODUCER.0, 1000) })
            .expect("the producer is made");
        home.ask(PublishSource { producer: Self::PRODUCER, to: ShardId(1) })
            .expect("the source is published");
        let options = DataProducerOptions {
            id: Self::DATA_PRODUCER,
            sctp_stream_parameters: None,
            label: String::new(),
            protocol: String::new(),
            paused: false,
        };
        home.ask(ProduceData { transport: Self::TRANSPORT, options }).expect("the data producer is made");
        home.ask(PublishDataSource { data_producer: Self::DATA_PRODUCER, to: ShardId(1) })
            .expect("its source is published");
        home
    }

    fn message(&mut self) {
        let message = DataMessage::text("hello");
        self.ask(SendToDataProducer { id: Self::DATA_PRODUCER, message }).expect("it is taken");
    }

    fn ask<R: Request<AnyTransport>>(&mut self, request: R) -> R::Reply {
        R::reply(self.core.handle_command(Time::ZERO, request.into())).expect("a reply of the request's type")
    }

    fn packet(&mut self) {
        self.sequence_number += 1;
        let mut packet = packet(1000, self.sequence_number);
        let sent = self.core.handle_program_packet(Time::ZERO, Self::TRANSPORT, &mut packet, &mut Nowhere);
        sent.expect("the transport exists");
    }

    fn relay(&mut self, links: &mut RelayLinks) {
        links.send_all(|recycled| self.core.poll_relay(recycled));
    }
}

fn take(links: &mut RelayLinks) -> Vec<(usize, bool)> {
    let mut taken = Vec::new();
    links.receive(usize::MAX, |batch: &RelayBatch| taken.push((batch.packets(), batch.has_news())));
    taken
}

#[test]
fn a_full_way_drops_and_counts_packets_but_keeps_news() {
    let poller = Poller::new().expect("a poller opens");
    let mut links = RelayLinks::mesh(&[poller.waker(), poller.waker()], 1);
    let mut home = Home::new();
    let (here, there) = links.split_at_mut(1);
    let (here, there) = (&mut here[0], &mut there[0]);
    // News of the making may be on its way already; it is not what this is about.
    home.relay(here);
    take(there);

    home.packet();
    home.relay(here);
    assert!(there.has_waiting());
    home.packet();
    home.packet();
    home.ask(PauseProducer { id: Home::PRODUCER }).expect("it pauses");
    home.relay(here);
    home.ask(ResumeProducer { id: Home::PRODUCER }).expect("it resumes");
    home.packet();
    home.relay(here);
    assert_eq!(here.packets_dropped(), 3);
    assert!(here.has_overdue());

    assert_eq!(take(there).iter().map(|(packets, _)| packets).sum::<usize>(), 1);
    home.relay(here);
    assert!(!here.has_overdue());
    assert_eq!(take(there), [(0, true)], "the news comes without its packets");

    home.packet();
    home.relay(here);
    assert_eq!(take(there).iter().map(|(packets, _)| packets).sum::<usize>(), 1);
    assert_eq!(here.packets_dropped(), 3);
}

#[test]
fn a_full_way_keeps_messages() {
    let poller = Poller::new().expect("a poller opens");
    let mut links = RelayLinks::mesh(&[poller.waker(), poller.waker()], 1);
    let mut home = Home::new();
    let (here, there) = links.split_at_mut(1);
    let (here, there) = (&mut here[0], &mut there[0]);
    for _ in 0..5 {
        home.packet();
        home.message();
        home.relay(here);
    }
    assert_eq!(here.packets_dropped(), 4);
    assert!(here.has_overdue());
    assert_eq!(take(there), [(1, true)]);
    home.relay(here);
    assert_eq!(take(there), [(0, true)], "the messages come without the packets");
    assert!(!here.has_overdue());
    assert_eq!(home.core.counters().data.messages_relayed, 5);
}

#[test]
fn a_way_to_a_shard_that_is_gone_swallows_everything() {
    let poller = Poller::new().expect("a poller opens");
    let mut links = RelayLinks::mesh(&[poller.waker(), poller.waker()], 1);
    links.truncate(1);
    let mut home = Home::new();
    for _ in 0..10 {
        home.packet();
        home.ask(PauseProducer { id: Home::PRODUCER }).expect("it pauses");
        home.ask(ResumeProducer { id: Home::PRODUCER }).expect("it resumes");
        home.relay(&mut links[0]);
        assert!(!links[0].has_overdue());
    }
}
