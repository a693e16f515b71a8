//! Ports of plain transports: chosen, paired, refused, given back.

use super::support::{LOCALHOST, ROUTER, start, wait_for};
use crate::{
    AddListeningTransportError, BindError, PlainListen, PortChoice, ShardEvent, ShardHandle, SocketListen,
};
use pollster::block_on;
use std::io::ErrorKind;
use std::net::UdpSocket;
use tureen_media_model::{CloseTransport, Event, RouterId, TransportEvent, TransportId};
use tureen_transport::{PlainDetails, PlainTransportOptions};

fn add(
    shard: &ShardHandle,
    id: u128,
    port: PortChoice,
    rtcp_mux: bool,
) -> Result<PlainDetails, AddListeningTransportError> {
    let listen = PlainListen { rtp: SocketListen::new(LOCALHOST).with_port(port), rtcp: None };
    let options = PlainTransportOptions { rtcp_mux, ..Default::default() };
    block_on(shard.add_plain_transport(ROUTER, TransportId(id), &listen, options, None))
}

fn sockets(shard: &ShardHandle) -> usize {
    block_on(shard.snapshot()).expect("the shard answers").sockets
}

#[test]
fn ports_chosen_for_rtp_and_rtcp_are_neighbours() {
    let runtime = start(1);
    let shard = &runtime.shards()[0];
    for (id, port) in [(10, PortChoice::Any), (11, PortChoice::Range { min: 20_001, max: 20_998 })] {
        let details = add(shard, id, port, false).expect("there are free ports");
        let (rtp, rtcp) = (details.local.port(), details.rtcp_local.expect("RTCP has its own port").port());
        assert_eq!((rtp % 2, rtcp), (0, rtp + 1));
        if id == 11 {
            assert!((20_002..=20_996).contains(&rtp));
        }
    }
    assert_eq!(sockets(shard), 4);
}

#[test]
fn a_range_gives_its_ports_one_by_one_and_then_says_that_it_is_used_up() {
    let runtime = start(1);
    let shard = &runtime.shards()[0];
    let range = PortChoice::Range { min: 21_000, max: 21_003 };
    let mut ports: Vec<_> =
        (10..14).map(|id| add(shard, id, range, true).expect("a port is free").local.port()).collect();
    ports.sort_unstable();
    assert_eq!(ports, [21_000, 21_001, 21_002, 21_003]);
    let refused = add(shard, 14, range, true).expect_err("no port is left");
    assert_eq!(refused.to_string(), "no free port on 127.0.0.1 between 21000 and 21003 in 4 attempts");
}

#[test]
fn a_refused_address_is_named() {
    let runtime = start(1);
    let shard = &runtime.shards()[0];
    let taken = UdpSocket::bind((LOCALHOST, 0)).expect("a socket binds");
    let port = taken.local_addr().expect("a bound socket has an address").port();
    let refused = add(shard, 10, PortChoice::Fixed(port), true).expect_err("the port is in use");
    assert!(refused.to_string().contains(&format!("127.0.0.1:{port}/udp")), "{refused}");
    assert!(matches!(refused, AddListeningTransportError::Bind(BindError::Address { source, .. })
        if source.kind() == ErrorKind::AddrInUse));
    // An address of documentation (RFC 5737) that no machine has.
    let listen = PlainListen::new([192, 0, 2, 1].into());
    let added =
        shard.add_plain_transport(ROUTER, TransportId(11), &listen, PlainTransportOptions::default(), None);
    assert!(
        matches!(block_on(added), Err(AddListeningTransportError::Bind(BindError::Address { source, .. }))
        if source.kind() == ErrorKind::AddrNotAvailable)
    );
    assert_eq!(sockets(shard), 0);
}

#[test]
fn ports_that_make_no_sense_are_refused() {
    let runtime = start(1);
    let shard = &runtime.shards()[0];
    let choices =
        [PortChoice::Fixed(0), PortChoice::Range { min: 0, max: 9 }, PortChoice::Range { min: 9, max: 8 }];
    for port in choices {
        let refused = add(shard, 10, port, true);
        assert!(
            matches!(refused, Err(AddListeningTransportError::Bind(BindError::PortRange { .. }))),
            "{port:?}"
        );
    }
    let even_only = PortChoice::Range { min: 22_000, max: 22_000 };
    let refused = add(shard, 10, even_only, false);
    assert!(matches!(refused, Err(AddListeningTransportError::Bind(BindError::NoFreePort { .. }))));
    let shared = SocketListen {
        udp_reuse_port: true,
        ..SocketListen::new(LOCALHOST).with_port(PortChoice::Range { min: 22_000, max: 22_010 })
    };
    let listen = PlainListen { rtp: shared, rtcp: None };
    let added =
        shard.add_plain_transport(ROUTER, TransportId(10), &listen, PlainTransportOptions::default(), None);
    assert!(matches!(block_on(added), Err(AddListeningTransportError::Bind(BindError::ReusePortInRange(_)))));
}

#[test]
fn a_shared_port_takes_two_transports() {
    let runtime = start(2);
    let mut listen = PlainListen::new(LOCALHOST);
    listen.rtp.udp_reuse_port = true;
    let [first, second] = [&runtime.shards()[0], &runtime.shards()[1]];
    let options = PlainTransportOptions::default();
    let added = first.add_plain_transport(ROUTER, TransportId(10), &listen, options.clone(), None);
    let port = block_on(added).expect("a port is free").local.port();
    listen.rtp.port = PortChoice::Fixed(port);
    let added = second.add_plain_transport(ROUTER, TransportId(11), &listen, options, None);
    assert_eq!(block_on(added).expect("the port is shared").local.port(), port);
}

#[test]
fn sockets_are_given_back() {
    let runtime = start(1);
    let (shard, events) = (&runtime.shards()[0], runtime.events());
    let listen = PlainListen::new(LOCALHOST);
    let nowhere = shard.add_plain_transport(
        RouterId(99),
        TransportId(10),
        &listen,
        PlainTransportOptions::default(),
        None,
    );
    assert!(matches!(block_on(nowhere), Err(AddListeningTransportError::Refused(_))));
    assert_eq!(sockets(shard), 0);
    let port = add(shard, 11, PortChoice::Any, true).expect("a port is free").local.port();
    shard.post(CloseTransport { id: TransportId(11) });
    wait_for(&events, |event| match event {
        ShardEvent::Core(_, Event::Transport(TransportId(11), TransportEvent::Closed(_))) => Some(()),
        _ => None,
    });
    assert_eq!(sockets(shard), 0);
    add(shard, 12, PortChoice::Fixed(port), true).expect("the port is free again");
}
