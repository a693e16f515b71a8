//! Five hundred consumers of one producer on one Worker: each gets every packet once and in order, and nothing is left of them after.

mod support;

use pollster::block_on;
use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Instant;
use support::{PATIENCE, Stage, audio, capabilities, eventually, rtp_packet};
use tureen::model::Population;
use tureen::{
    Consumer, ConsumerOptions, ListenInfo, PlainConnectOptions, PlainTransport, PlainTransportOptions,
    Producer, Transport as _,
};

const CONSUMERS: usize = 500;
/// How many of them share a transport, and their endpoint a socket, whose buffer holds a flight of packets for all of them.
const ON_A_TRANSPORT: usize = 50;
const PACKETS: u16 = 100;
/// Packets that are sent before all have come to everybody.
const FLIGHT: u16 = 4;
const LOCALHOST: Ipv4Addr = Ipv4Addr::LOCALHOST;

/// An endpoint of many consumers: by SSRC, the sequence numbers and the payloads that came, in order.
struct Endpoint {
    socket: UdpSocket,
    came: HashMap<u32, Vec<(u16, u16)>>,
    count: usize,
}

impl Endpoint {
    fn new() -> Self {
        let socket = UdpSocket::bind((LOCALHOST, 0)).expect("a socket");
        socket.set_read_timeout(Some(PATIENCE)).expect("a time limit");
        Self { socket, came: HashMap::new(), count: 0 }
    }

    fn address(&self) -> SocketAddr {
        self.socket.local_addr().expect("an address")
    }

    /// Takes media until so many packets have come.
    fn receive(&mut self, count: usize) {
        let mut buffer = [0; 1500];
        while self.count < count {
            let len = self.socket.recv(&mut buffer).expect("a packet in time");
            let packet = &buffer[..len];
            if (192..=223).contains(&packet[1]) {
                continue;
            }
            let pair = |at: usize| u16::from_be_bytes([packet[at], packet[at + 1]]);
            let ssrc = u32::from_be_bytes(packet[8..12].try_into().expect("four bytes"));
            self.came.entry(ssrc).or_default().push((pair(2), pair(len - 2)));
            self.count += 1;
        }
    }

    /// Nothing more has come than was waited for.
    fn assert_silent(&self) {
        self.socket.set_nonblocking(true).expect("a socket");
        let mut buffer = [0; 1500];
        while let Ok(len) = self.socket.recv(&mut buffer) {
            assert!((192..=223).contains(&buffer[1]), "one more packet of {len} bytes");
        }
    }
}

fn viewers(
    stage: &Stage,
    producer: &Producer,
    endpoint: &Endpoint,
    shard: u8,
) -> (PlainTransport, Vec<Consumer>) {
    let mut options = PlainTransportOptions::new(ListenInfo::loopback());
    options.shard = Some(shard);
    let transport = block_on(stage.router.create_plain_transport(options)).expect("a transport");
    let remote = PlainConnectOptions::to(LOCALHOST.into(), endpoint.address().port());
    block_on(transport.connect(remote)).expect("it connects");
    let consume = || {
        let options = ConsumerOptions::new(producer.id(), capabilities());
        block_on(transport.consume(options)).expect("a consumer")
    };
    let consumers = (0..ON_A_TRANSPORT).map(|_| consume()).collect();
    (transport, consumers)
}

fn populations(stage: &Stage) -> Vec<Population> {
    let snapshots = block_on(stage.worker.snapshot()).expect("it is open");
    snapshots.into_iter().map(|shard| shard.population).collect()
}

fn five_hundred_get_everything(shards: u8) {
    let started = Instant::now();
    let stage = Stage::with_shards(shards);
    let source = stage.transport_on(0);
    let producer = audio(&source, 1000);
    let mut endpoints: Vec<Endpoint> = (0..CONSUMERS / ON_A_TRANSPORT).map(|_| Endpoint::new()).collect();
    let shard_of = |number: usize| (number % usize::from(shards)) as u8;
    let crowd: Vec<_> = endpoints
        .iter()
        .enumerate()
        .map(|(number, endpoint)| viewers(&stage, &producer, endpoint, shard_of(number)))
        .collect();
    let consumers: usize = populations(&stage).iter().map(|population| population.consumers).sum();
    assert_eq!(consumers, CONSUMERS);

    for flight in 0..PACKETS / FLIGHT {
        let numbers = flight * FLIGHT..(flight + 1) * FLIGHT;
        let all = usize::from(numbers.end) * ON_A_TRANSPORT;
        for number in numbers {
            producer.send(rtp_packet(1000, 111, number, &number.to_be_bytes())).expect("it is taken");
        }
        endpoints.iter_mut().for_each(|endpoint| endpoint.receive(all));
    }
    for (endpoint, (_, consumers)) in endpoints.iter().zip(&crowd) {
        endpoint.assert_silent();
        assert_eq!(endpoint.came.len(), ON_A_TRANSPORT);
        for consumer in consumers {
            let ssrc = consumer.rtp_parameters().encodings[0].ssrc.expect("an ssrc");
            let came = &endpoint.came[&ssrc];
            let (first, _) = came[0];
            let expected: Vec<_> = (0..PACKETS).map(|number| (first.wrapping_add(number), number)).collect();
            assert_eq!(*came, expected, "every packet once and in order");
        }
    }

    stage.router.close();
    eventually("nothing is left", || {
        populations(&stage).iter().all(|population| *population == Population::default())
    });
    assert!(crowd.iter().flat_map(|(_, consumers)| consumers).all(Consumer::closed));
    assert!(started.elapsed() < PATIENCE * 6, "{:?} for {shards} shards", started.elapsed());
}

#[test]
fn five_hundred_consumers_on_one_core_get_every_packet_once_and_in_order() {
    five_hundred_get_everything(1);
}

#[test]
fn five_hundred_consumers_on_two_cores_get_every_packet_once_and_in_order() {
    five_hundred_get_everything(2);
}
