//! Packets in, packets out: over one shard, over two, and to and from the program.

use super::support::{Peer, ROUTER, consume, is_rtp, packet, payload, produce, start, start_with, wait_for};
use crate::{AddDirectTransportError, RuntimeConfig, SendPacketError, ShardEvent};
use bytes::Bytes;
use pollster::block_on;
use std::time::Duration;
use tureen_media_model::{AddTransportError, MirrorSource, ProducerId, PublishSource, ShardId, TransportId};

const PACKETS: u16 = 200;

/// Sends packets in bursts that small receive buffers hold, and checks that each peer gets all of them in order.
fn check_forwarding(sender: &Peer, ssrc: u32, receivers: &[&Peer]) {
    for burst in 0..PACKETS / 20 {
        let numbers = burst * 20..(burst + 1) * 20;
        numbers.clone().for_each(|number| sender.send(&packet(ssrc, number)));
        let expected: Vec<_> = numbers.map(|number| payload(&packet(ssrc, number)).to_vec()).collect();
        for receiver in receivers {
            assert_eq!(receiver.receive(expected.len()), expected);
        }
    }
}

#[test]
fn a_plain_producer_reaches_two_plain_consumers_on_one_shard() {
    let runtime = start(1);
    let shard = &runtime.shards()[0];
    let [sender, first, second] = [10, 11, 12].map(|id| Peer::connect(shard, id));
    produce(shard, sender.transport, 20, 1000);
    consume(shard, first.transport, 30, 20);
    consume(shard, second.transport, 31, 20);
    check_forwarding(&sender, 1000, &[&first, &second]);
    let snapshot = block_on(shard.snapshot()).expect("the shard answers");
    assert_eq!(snapshot.population.consumers, 2);
    assert!(snapshot.core.packets_sent >= 2 * u64::from(PACKETS));
    assert!(snapshot.io.datagrams_sent >= 2 * u64::from(PACKETS) && snapshot.io.sends_dropped == 0);
    assert!(snapshot.cpu_time > Duration::ZERO);
}

#[test]
fn a_plain_producer_reaches_consumers_on_another_shard() {
    let runtime = start(2);
    let [home, far] = [&runtime.shards()[0], &runtime.shards()[1]];
    let sender = Peer::connect(home, 10);
    let [near, first, second] =
        [(home, 11), (far, 12), (far, 13)].map(|(shard, id)| Peer::connect(shard, id));
    produce(home, sender.transport, 20, 1000);
    let publish = PublishSource { producer: ProducerId(20), to: far.id() };
    let source = block_on(home.call(publish)).expect("the shard answers").expect("the source is published");
    block_on(far.call(MirrorSource { source })).expect("the shard answers").expect("the source is mirrored");
    consume(home, near.transport, 30, 20);
    consume(far, first.transport, 31, 20);
    consume(far, second.transport, 32, 20);
    check_forwarding(&sender, 1000, &[&near, &first, &second]);
    let snapshot = block_on(home.snapshot()).expect("the shard answers");
    assert_eq!(snapshot.core.relayed, u64::from(PACKETS), "each packet crosses once, for two consumers");
    assert_eq!(snapshot.io.relay_packets_dropped, 0);
}

#[test]
fn packets_that_are_held_back_still_all_arrive() {
    let config = RuntimeConfig {
        shards: Some(1),
        egress_hold: Duration::from_millis(5),
        portable_io: true,
        ..RuntimeConfig::default()
    };
    let runtime = start_with(config);
    let shard = &runtime.shards()[0];
    let [sender, receiver] = [10, 11].map(|id| Peer::connect(shard, id));
    produce(shard, sender.transport, 20, 1000);
    consume(shard, receiver.transport, 30, 20);
    check_forwarding(&sender, 1000, &[&receiver]);
}

#[test]
fn the_program_sends_and_receives_on_direct_transports() {
    let runtime = start(1);
    let (shard, events) = (&runtime.shards()[0], runtime.events());
    let (source, sink) = (TransportId(10), TransportId(11));
    for id in [source, sink] {
        block_on(shard.add_direct_transport(ROUTER, id, 262_144)).expect("the transport is added");
    }
    let peer = Peer::connect(shard, 12);
    produce(shard, source, 20, 1000);
    consume(shard, sink, 30, 20);
    consume(shard, peer.transport, 31, 20);
    for number in 0..10 {
        let sent = packet(1000, number);
        shard.send_rtp(source, Bytes::copy_from_slice(&sent)).expect("the queue has room");
        assert_eq!(peer.receive(1), [payload(&sent)]);
        let received = wait_for(&events, |event| match event {
            ShardEvent::DirectPacket { shard, transport, packet, .. } if is_rtp(&packet) => {
                assert_eq!((shard, transport), (ShardId(0), sink));
                Some(packet)
            }
            _ => None,
        });
        assert_eq!(payload(&received), payload(&sent));
    }
}

#[test]
fn what_is_no_packet_is_refused_at_once() {
    let runtime = start(1);
    let (shard, transport) = (&runtime.shards()[0], TransportId(10));
    let rtp = Bytes::from(packet(1, 1));
    let rtcp = Bytes::from_static(&[0x80, 201, 0, 1, 0, 0, 0, 1]);
    assert_eq!(shard.send_rtcp(transport, rtp), Err(SendPacketError::WrongKind("RTCP")));
    assert_eq!(shard.send_rtp(transport, rtcp), Err(SendPacketError::WrongKind("RTP")));
    assert_eq!(shard.send_rtp(transport, Bytes::new()), Err(SendPacketError::WrongKind("RTP")));
    assert_eq!(shard.send_rtp(transport, vec![0x80; 70_000].into()), Err(SendPacketError::TooLong(70_000)));
    let twice = [1, 2].map(|_| block_on(shard.add_direct_transport(ROUTER, transport, 262_144)));
    let refused = AddDirectTransportError::Refused(AddTransportError::AlreadyExists(transport));
    assert_eq!(twice, [Ok(()), Err(refused)]);
}
