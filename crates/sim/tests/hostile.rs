//! Bad input and hostile peers in the middle of good streams.

mod common;

use common::{S0, lossless, settle};
use std::net::SocketAddr;
use std::time::Duration;
use tureen_media_model::{Event, GetTransportStats, TransportEvent};
use tureen_sim::endpoint::ModelCodec;
use tureen_sim::link::LinkConfig;
use tureen_sim::{ConsumeOptions, HostId, ProduceOptions, World};
use tureen_transport::PathEvent;

fn attacker() -> SocketAddr {
    SocketAddr::from(([203, 0, 113, 9], 4444))
}

/// A well-formed packet of a model sender's stream.
fn rtp(ssrc: u32, payload_type: u8, sequence_number: u16) -> Vec<u8> {
    let mut packet = vec![0x80, payload_type];
    packet.extend(sequence_number.to_be_bytes());
    packet.extend([0, 0, 0, 1]);
    packet.extend(ssrc.to_be_bytes());
    packet.extend([0x90, 0x80, 0x80, 1, 0x10, 1, 2, 3]);
    packet
}

fn rejected(world: &mut World, host: HostId) -> u64 {
    let id = world.transport_of(host);
    let stats = world.request(S0, GetTransportStats { id }).unwrap();
    stats.datagrams_rejected.values().sum()
}

#[test]
fn media_from_elsewhere_neither_teaches_an_address_nor_gets_in() {
    let mut world = World::new(41);
    let source = world.add_host(S0);
    let sink = world.add_unconnected_host(S0, true, LinkConfig::default(), LinkConfig::default());
    let producer = world.produce(source, &ProduceOptions::new(ModelCodec::Vp8));
    let consumer = world.consume(sink, producer, &ConsumeOptions::default());
    let ssrc = world.sender(producer).config().ssrc;
    world.run_for(Duration::from_secs(2));
    assert_eq!(world.receiver(consumer).stats().packets, 0, "nobody knows yet where the sink is");
    // RTCP alone does not teach the address of a path that is multiplexed; RTP does.
    world.send_from(sink, vec![0x80, 201, 0, 1, 0, 0, 0, 1]);
    world.run_for(Duration::from_millis(10));
    assert_eq!(world.receiver(consumer).stats().packets, 0);
    world.send_from(sink, rtp(1, 96, 1));
    world.run_for(Duration::from_secs(2));
    assert!(world.receiver(consumer).stats().frames > 40);
    // From now on an attacker tries both transports, at a hundred packets a second.
    for round in 0..200_u16 {
        world.inject(source, attacker(), rtp(ssrc, 96, 1200 + round));
        world.inject(sink, attacker(), rtp(1, 96, round));
        world.inject(sink, attacker(), vec![0x81, 206, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2]);
        world.run_for(Duration::from_millis(10));
    }
    settle(&mut world, producer);
    lossless(&world.receiver(consumer).stats());
    assert_eq!(rejected(&mut world, source), 200);
    assert_eq!(rejected(&mut world, sink), 400);
    let learned: Vec<_> = world
        .events()
        .iter()
        .filter_map(|(_, _, event)| match event {
            Event::Transport(_, TransportEvent::Path(PathEvent::Tuple(arrival))) => Some(arrival.source),
            _ => None,
        })
        .collect();
    assert_eq!(learned, [world.host(sink).address]);
    assert!(!world.trace().contains("-> 203.0.113.9"), "nothing was ever sent to the attacker");
}

#[test]
fn a_flood_of_key_frame_requests_costs_the_source_one_a_second() {
    let mut world = World::new(42);
    let source = world.add_host(S0);
    let producer = world.produce(source, &ProduceOptions::new(ModelCodec::Vp8));
    for _ in 0..5 {
        let host = world.add_host(S0);
        let options = ConsumeOptions {
            receiver: |receiver| receiver.pli_flood = Some(Duration::from_millis(5)),
            ..Default::default()
        };
        world.consume(host, producer, &options);
    }
    world.run_for(Duration::from_secs(20));
    let requests = world.sender(producer).stats().key_frame_requests.clone();
    assert!((19..=23).contains(&requests.len()), "{} requests in 20 s", requests.len());
    for pair in requests.windows(2).skip(2) {
        assert!(pair[1].since(pair[0]) >= Duration::from_millis(1000), "{pair:?}");
    }
}

/// Datagrams that no transport should take, or whose content no producer or consumer should.
fn malformed(ssrc: u32) -> Vec<Vec<u8>> {
    let good = rtp(ssrc, 96, 5);
    let mut all: Vec<Vec<u8>> =
        vec![Vec::new(), vec![0x80], vec![0x80; 11], vec![0xff; 1500], vec![0x16; 64], vec![0, 1, 0, 0]];
    // Truncations, a wrong version, too many CSRCs, an extension that overruns, padding longer than the payload.
    all.extend((0..12).map(|len| good[..len].to_vec()));
    let with = |at: usize, byte: u8| {
        let mut packet = good.clone();
        packet[at] = byte;
        packet
    };
    all.extend([with(0, 0x40), with(0, 0x8f), with(0, 0x90), with(0, 0xa0)]);
    let mut padded = with(0, 0xa0);
    *padded.last_mut().expect("not empty") = 200;
    all.push(padded);
    // Payload types that the producer does not have; an unknown stream; a VP8 descriptor cut off.
    all.extend([with(1, 33), with(1, 127), rtp(ssrc ^ 0x5555, 96, 7)]);
    all.extend((12..16).map(|len| good[..len].to_vec()));
    // A retransmission without content, and the packets that `rtp` and `rtcp` stumble over.
    let mut rtx = rtp(ssrc + 1, 97, 1);
    rtx.truncate(13);
    all.push(rtx);
    all.push(
        [&[0x90, 0x60, 0, 1, 0, 0, 0, 1], &ssrc.to_be_bytes()[..], &[0xbe, 0xde, 0, 1, 0x1f, 1, 2, 3]]
            .concat(),
    );
    for start in [
        [0x84, 0xce, 0, 1],
        [0x81, 0xcd, 0, 1],
        [0x81, 0xcd, 0, 9],
        [0x9f, 0xc8, 0, 1],
        [0x80, 0xcf, 0xff, 0xff],
    ] {
        all.push([&start[..], &[0, 0, 0, 1]].concat());
    }
    all
}

#[test]
fn malformed_packets_disturb_nothing() {
    for codec in [ModelCodec::Vp8, ModelCodec::H264, ModelCodec::Opus] {
        let mut world = World::new(43);
        let (source, sink) = (world.add_host(S0), world.add_host(S0));
        let producer = world.produce(source, &ProduceOptions::new(codec));
        let consumer = world.consume(sink, producer, &ConsumeOptions::default());
        let ssrc = world.sender(producer).config().ssrc;
        let bad = malformed(ssrc);
        for _ in 0..20 {
            for packet in &bad {
                // The good sequence numbers are far from 5: these few must not look like a restart.
                world.send_from(source, packet.clone());
                world.send_from(sink, packet.clone());
                world.run_for(Duration::from_millis(3));
            }
        }
        settle(&mut world, producer);
        let seen = world.receiver(consumer).stats();
        assert_eq!(
            (seen.gaps, seen.duplicates, seen.jumps, seen.corrupt, seen.broken),
            (0, 0, 0, 0, 0),
            "{codec:?} {seen:?}"
        );
        assert_eq!(seen.frames, u64::from(world.sender(producer).stats().frames), "{codec:?}");
        assert!(rejected(&mut world, source) > 200);
        let counters = world.counters(S0);
        assert!(counters.bad_rtcp > 20 && counters.unknown_stream > 20, "{counters:?}");
    }
}
