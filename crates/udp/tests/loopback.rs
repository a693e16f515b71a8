//! Batches over the loopback device: both address families, the fast and the portable path.

use proptest::prelude::*;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};
use tureen_udp::{RecvBatch, SendBatch, Socket, SocketConfig, realtime_now};

const V4: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
const V6: SocketAddr = SocketAddr::new(std::net::IpAddr::V6(Ipv6Addr::LOCALHOST), 0);

fn bind(addr: SocketAddr, portable: bool) -> Socket {
    let config = SocketConfig { portable, recv_buffer: Some(4 << 20), ..SocketConfig::new(addr) };
    let socket = Socket::bind(&config).unwrap();
    assert_eq!(socket.is_batched(), cfg!(target_os = "linux") && !portable);
    socket
}

/// Everything that arrives until `count` datagrams have, or two seconds are over.
fn receive(socket: &Socket, count: usize) -> Vec<(SocketAddr, Vec<u8>)> {
    let mut batch = RecvBatch::new(8);
    let mut received = Vec::new();
    let deadline = Instant::now() + Duration::from_secs(2);
    while received.len() < count && Instant::now() < deadline {
        let before = received.len();
        let said = socket.recv(&mut batch).unwrap();
        received.extend(batch.datagrams_mut().map(|datagram| (datagram.source, datagram.bytes.to_vec())));
        assert_eq!(received.len() - before, said);
        assert_eq!(batch.truncated(), 0);
    }
    received
}

fn content(number: usize, len: usize) -> Vec<u8> {
    (0..len).map(|at| (number * 31 + at * 7 + at / 256) as u8).collect()
}

fn queue(batch: &mut SendBatch, lane: u32, socket: u32, to: SocketAddr, packet: &[u8]) {
    batch.reserve(lane, socket, to, packet.len()).unwrap().copy_from_slice(packet);
    assert!(batch.commit(packet.len()));
}

#[test]
fn the_system_segments_and_merges() {
    if cfg!(target_os = "linux") {
        let socket = bind(V4, false);
        assert!(socket.max_segments() >= 64);
        assert!(socket.has_gro());
    }
    let portable = bind(V4, true);
    assert_eq!(portable.max_segments(), 1);
    assert!(!portable.has_gro());
}

#[test]
fn a_burst_leaves_as_one_message_and_arrives_whole() {
    for addr in [V4, V6] {
        for (sending, receiving) in [(false, false), (false, true), (true, false), (true, true)] {
            let (here, there) = (bind(addr, sending), bind(addr, receiving));
            let packets: Vec<_> = (0..40).map(|n| content(n, if n == 39 { 700 } else { 1200 })).collect();
            let mut batch = SendBatch::new(64);
            for packet in &packets {
                queue(&mut batch, 0, 0, there.local_addr(), packet);
            }
            let stats = batch.flush(|_| Some(&here));
            assert_eq!((stats.packets, stats.bytes), (40, 39 * 1200 + 700));
            if here.is_batched() {
                assert_eq!((stats.gso_messages, stats.system_calls), (1, 1));
            } else {
                assert_eq!((stats.gso_messages, stats.system_calls), (0, 40));
            }
            assert!(batch.is_empty());
            let expected: Vec<_> = packets.into_iter().map(|packet| (here.local_addr(), packet)).collect();
            assert_eq!(receive(&there, 40), expected);
        }
    }
}

#[test]
fn lanes_over_several_sockets_reach_their_destinations_in_order() {
    let senders = [bind(V4, false), bind(V4, true), bind(V6, false)];
    let receivers: Vec<_> = [V4, V4, V6].map(|addr| bind(addr, false)).into();
    let mut batch = SendBatch::new(512);
    for number in 0..300 {
        let lane = number % 3;
        let packet = content(number, 100 + number % 5);
        queue(&mut batch, lane as u32, lane as u32, receivers[lane].local_addr(), &packet);
    }
    let stats = batch.flush(|socket| senders.get(socket as usize));
    assert_eq!(stats.packets, 300);
    for (lane, receiver) in receivers.iter().enumerate() {
        let expected: Vec<_> = (0..300)
            .filter(|number| number % 3 == lane)
            .map(|number| (senders[lane].local_addr(), content(number, 100 + number % 5)))
            .collect();
        assert_eq!(receive(receiver, 100), expected);
    }
}

#[test]
fn more_messages_than_one_call_takes() {
    let (here, there) = (bind(V4, false), bind(V4, false));
    let mut batch = SendBatch::with_slot_len(3000, 64);
    for number in 0..3000_u32 {
        // Growing lengths in each lane: no two packets make one message.
        let packet = content(number as usize, 10 + number as usize % 50);
        queue(&mut batch, number / 50, 0, there.local_addr(), &packet);
    }
    assert_eq!(batch.free(), 0);
    assert!(batch.reserve(0, 0, there.local_addr(), 1).is_none());
    let stats = batch.flush(|_| Some(&here));
    assert_eq!((stats.packets, stats.gso_messages), (3000, 0));
    if here.is_batched() {
        assert_eq!(stats.system_calls, 3);
    }
    let received = receive(&there, 3000);
    assert_eq!(received.len(), 3000);
    for (number, (_, packet)) in received.into_iter().enumerate() {
        assert_eq!(packet, content(number, 10 + number % 50));
    }
}

#[test]
fn a_refused_message_does_not_stop_the_others() {
    for portable in [false, true] {
        let (here, there) = (bind(V4, portable), bind(V4, false));
        let broadcast = SocketAddr::from(([255, 255, 255, 255], 9));
        let port_zero = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let mut batch = SendBatch::new(16);
        for (lane, to) in [there.local_addr(), broadcast, there.local_addr(), port_zero, there.local_addr()]
            .into_iter()
            .enumerate()
        {
            for number in 0..2 {
                queue(&mut batch, lane as u32, 0, to, &content(lane * 2 + number, 50));
            }
        }
        let stats = batch.flush(|_| Some(&here));
        assert_eq!((stats.packets, stats.dropped_error), (6, 4));
        let received: Vec<_> = receive(&there, 6).into_iter().map(|(_, packet)| packet).collect();
        assert_eq!(received, [0, 1, 4, 5, 8, 9].map(|number| content(number, 50)));
        assert!(
            !here.is_batched() || here.max_segments() > 1,
            "the broadcast is no reason to stop segmenting"
        );
    }
}

#[test]
fn a_socket_that_is_gone_costs_its_packets() {
    let there = bind(V4, false);
    let mut batch = SendBatch::new(4);
    queue(&mut batch, 0, 9, there.local_addr(), b"lost");
    let stats = batch.flush(|_| None);
    assert_eq!((stats.packets, stats.dropped_error), (0, 1));
    assert_eq!(batch.free(), 4);
}

#[test]
fn a_closed_peer_is_survived() {
    for portable in [false, true] {
        let here = bind(V4, portable);
        let gone = UdpSocket::bind(V4).unwrap().local_addr().unwrap();
        let there = bind(V4, false);
        let (mut out, mut batch) = (SendBatch::new(8), RecvBatch::new(4));
        for round in 0..20 {
            queue(&mut out, 0, 0, gone, b"hello");
            queue(&mut out, 1, 0, there.local_addr(), &content(round, 30));
            let stats = out.flush(|_| Some(&here));
            assert_eq!((stats.packets, stats.dropped_error), (2, 0));
            assert_eq!(here.recv(&mut batch).unwrap(), 0);
        }
        assert_eq!(receive(&there, 20).len(), 20);
    }
}

#[test]
fn a_socket_of_both_families_speaks_ipv4() {
    for portable in [false, true] {
        let both = bind((Ipv6Addr::UNSPECIFIED, 0).into(), portable);
        let peer = bind(V4, false);
        let to = SocketAddr::from((Ipv4Addr::LOCALHOST, both.local_addr().port()));
        let mut batch = SendBatch::new(4);
        queue(&mut batch, 0, 0, to, b"ping");
        batch.flush(|_| Some(&peer));
        assert_eq!(receive(&both, 1), [(peer.local_addr(), b"ping".to_vec())]);
        queue(&mut batch, 0, 0, peer.local_addr(), b"pong");
        assert_eq!(batch.flush(|_| Some(&both)).packets, 1);
        assert_eq!(receive(&peer, 1), [(to, b"pong".to_vec())]);
    }
}

#[test]
fn ports_are_shared_only_when_asked() {
    let first = Socket::bind(&SocketConfig { reuse_port: true, ..SocketConfig::new(V4) }).unwrap();
    let same = SocketConfig::new(first.local_addr());
    assert_eq!(Socket::bind(&same).unwrap_err().kind(), std::io::ErrorKind::AddrInUse);
    let second = Socket::bind(&SocketConfig { reuse_port: true, ..same }).unwrap();
    assert_eq!(second.local_addr(), first.local_addr());
}

#[test]
fn ipv6_only_leaves_the_port_to_ipv4() {
    let any6 = SocketConfig { ipv6_only: true, ..SocketConfig::new((Ipv6Addr::UNSPECIFIED, 0).into()) };
    let six = Socket::bind(&any6).unwrap();
    let four = (Ipv4Addr::UNSPECIFIED, six.local_addr().port()).into();
    assert!(Socket::bind(&SocketConfig::new(four)).is_ok());
}

#[test]
fn buffer_sizes_are_what_the_system_grants() {
    let sized =
        |size| SocketConfig { recv_buffer: Some(size), send_buffer: Some(size), ..SocketConfig::new(V4) };
    let (small, large) = (Socket::bind(&sized(20_000)).unwrap(), Socket::bind(&sized(100_000)).unwrap());
    assert!(small.recv_buffer_size().unwrap() >= 20_000);
    assert!(large.recv_buffer_size().unwrap() > small.recv_buffer_size().unwrap());
    assert!(large.send_buffer_size().unwrap() > small.send_buffer_size().unwrap());
}

#[test]
#[cfg(target_os = "linux")]
fn the_kernel_says_when_a_datagram_arrived() {
    let here = bind(V4, false);
    let there = Socket::bind(&SocketConfig { timestamps: true, ..SocketConfig::new(V4) }).unwrap();
    let (mut out, mut batch) = (SendBatch::new(16), RecvBatch::new(8));
    let before = realtime_now();
    for _ in 0..10 {
        queue(&mut out, 0, 0, there.local_addr(), &[1; 500]);
    }
    out.flush(|_| Some(&here));
    let mut count = 0;
    while count < 10 {
        there.recv(&mut batch).unwrap();
        for datagram in batch.datagrams_mut() {
            let received = datagram.received.unwrap();
            assert!((before - 1_000_000..=realtime_now()).contains(&received));
            assert_eq!(datagram.bytes, [1; 500]);
            count += 1;
        }
    }
}

#[test]
fn empty_datagrams_are_left_out() {
    for portable in [false, true] {
        let (here, there) = (bind(V4, false), bind(V4, portable));
        let mut out = SendBatch::new(4);
        for packet in [&b"a"[..], b"", b"b"] {
            queue(&mut out, 0, 0, there.local_addr(), packet);
        }
        assert_eq!(out.flush(|_| Some(&here)).packets, 3);
        let received: Vec<_> = receive(&there, 2).into_iter().map(|(_, packet)| packet).collect();
        assert_eq!(received, [b"a", b"b"]);
    }
}

#[test]
fn the_longest_datagram_fits() {
    for portable in [false, true] {
        let (here, there) = (bind(V4, portable), bind(V4, portable));
        let mut out = SendBatch::with_slot_len(2, 65_507);
        let packet = content(1, 65_507);
        queue(&mut out, 0, 0, there.local_addr(), &packet);
        assert_eq!(out.flush(|_| Some(&here)).packets, 1);
        assert_eq!(receive(&there, 1), [(here.local_addr(), packet)]);
    }
}

#[test]
fn reading_an_empty_socket_yields_nothing() {
    for portable in [false, true] {
        let mut batch = RecvBatch::new(4);
        assert_eq!(bind(V6, portable).recv(&mut batch).unwrap(), 0);
        assert_eq!(batch.datagrams_mut().count(), 0);
        assert!(!batch.is_full());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever mix of lanes and lengths goes in, each lane comes out whole and in order, on either path.
    #[test]
    fn both_paths_carry_the_same(packets in prop::collection::vec((0_usize..4, 1_usize..4), 1..120)) {
        for portable in [false, true] {
            let here = bind(V4, portable);
            let there: Vec<_> = (0..4).map(|_| bind(V4, false)).collect();
            let mut out = SendBatch::new(128);
            let mut expected = vec![Vec::new(); 4];
            for (number, (lane, size)) in packets.iter().enumerate() {
                let packet = content(number, size * 400);
                queue(&mut out, *lane as u32, 0, there[*lane].local_addr(), &packet);
                expected[*lane].push((here.local_addr(), packet));
            }
            let stats = out.flush(|_| Some(&here));
            prop_assert_eq!(stats.packets as usize, packets.len());
            for (receiver, expected) in there.iter().zip(expected) {
                prop_assert_eq!(receive(receiver, expected.len()), expected);
            }
        }
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_socket_for_one_remote_hears_that_one_only_once_it_has_sent() {
    let [here, there, stranger] = [(); 3].map(|()| bind(V4, false));
    let here = here.for_one_remote();
    let send = |from: &Socket, to: &Socket, packets: u32| {
        let mut out = SendBatch::new(8);
        (0..packets).for_each(|number| queue(&mut out, number % 2, 0, to.local_addr(), b"hello"));
        out.flush(|_| Some(from)).packets
    };
    assert_eq!(send(&stranger, &here, 1), 1);
    assert_eq!(receive(&here, 1).len(), 1);
    for packets in [1, 5] {
        assert_eq!(send(&here, &there, packets), packets.into());
        assert_eq!(receive(&there, packets as usize).len(), packets as usize);
    }
    send(&stranger, &here, 1);
    assert_eq!(send(&there, &here, 1), 1);
    let heard = receive(&here, 1);
    assert_eq!(heard, [(there.local_addr(), b"hello".to_vec())]);
    // A second destination is not what the socket is for, and still is reached.
    assert_eq!(send(&here, &stranger, 1), 1);
    assert_eq!(receive(&stranger, 1).len(), 1);
}
