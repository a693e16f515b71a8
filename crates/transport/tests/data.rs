//! Bare SCTP on a plain transport.

use std::net::SocketAddr;
use tureen_rtp_wire::Time;
use tureen_transport::{
    Arrival, BoundSocket, Component, MAX_DATA, MAX_TRANSMIT, Opened, PathEvent, PlainConnectOptions,
    PlainTransport, PlainTransportOptions, RejectReason, SocketId, Transport,
};

const NOW: Time = Time::ZERO;

fn address(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

fn from(socket: u32, port: u16) -> Arrival {
    Arrival { socket: SocketId(socket), source: address(port) }
}

fn transport(options: PlainTransportOptions) -> PlainTransport {
    let rtp = BoundSocket { id: SocketId(0), local: address(40_000) };
    let rtcp = BoundSocket { id: SocketId(1), local: address(40_001) };
    PlainTransport::new(&options, rtp, Some(rtcp), &[7; 46])
}

fn with_sctp() -> PlainTransportOptions {
    PlainTransportOptions { enable_sctp: true, ..Default::default() }
}

fn connected() -> PlainTransport {
    let mut plain = transport(with_sctp());
    let remote = PlainConnectOptions { ip: Some(address(0).ip()), port: Some(6000), ..Default::default() };
    plain.connect(NOW, remote).expect("good options");
    plain
}

/// A packet to a tag with one chunk of a type.
fn sctp(tag: u32, chunk: u8) -> Vec<u8> {
    let mut packet = vec![0x13, 0x88, 0x13, 0x88];
    packet.extend(tag.to_be_bytes());
    packet.extend([1, 2, 3, 4, chunk, 0, 0, 4]);
    packet
}

#[test]
fn sctp_comes_in_from_the_connected_address_and_goes_out_to_it() {
    let mut plain = connected();
    let opened = plain.open(NOW, from(0, 6001), &mut sctp(9, 0));
    assert!(matches!(opened, Opened::Rejected(RejectReason::ForeignAddress)));
    assert!(matches!(plain.open(NOW, from(0, 6000), &mut sctp(9, 0)), Opened::Consumed));
    assert_eq!(plain.poll_data(), Some(sctp(9, 0)));
    assert_eq!(plain.poll_data(), None);

    plain.send_data(NOW, &sctp(7, 3));
    plain.send_data(NOW, &[0x13; MAX_DATA + 1]);
    let mut buffer = [0; MAX_TRANSMIT];
    let sent = plain.poll_transmit(&mut buffer);
    assert_eq!(sent, Some((plain.destination(Component::Rtp).expect("connected"), 16)));
    assert_eq!(buffer[..16], sctp(7, 3));
    assert_eq!(plain.poll_transmit(&mut buffer), None);
}

#[test]
fn without_the_option_sctp_is_an_unknown_protocol() {
    let mut plain = transport(PlainTransportOptions { comedia: true, ..Default::default() });
    let opened = plain.open(NOW, from(0, 6000), &mut sctp(0, 1));
    assert!(matches!(opened, Opened::Rejected(RejectReason::UnknownProtocol)));
    plain.send_data(NOW, &sctp(7, 3));
    assert_eq!(plain.poll_transmit(&mut [0; MAX_TRANSMIT]), None);
}

#[test]
fn comedia_learns_from_an_init_and_from_no_other_packet() {
    let mut plain = transport(PlainTransportOptions { comedia: true, ..with_sctp() });
    for mut packet in [sctp(9, 0), sctp(9, 1), sctp(0, 10)] {
        let opened = plain.open(NOW, from(0, 6000), &mut packet);
        assert!(matches!(opened, Opened::Rejected(RejectReason::ForeignAddress)));
    }
    assert_eq!(plain.destination(Component::Rtp), None);
    assert!(matches!(plain.open(NOW, from(0, 6000), &mut sctp(0, 1)), Opened::Consumed));
    assert_eq!(plain.poll_event(), Some(PathEvent::Tuple(from(0, 6000))));
    assert_eq!(plain.destination(Component::Rtp), Some(from(0, 6000).into()));
    let opened = plain.open(NOW, from(0, 6002), &mut sctp(0, 1));
    assert!(matches!(opened, Opened::Rejected(RejectReason::ForeignAddress)));
}

#[test]
fn with_srtp_an_init_teaches_nothing() {
    let mut plain = transport(PlainTransportOptions { comedia: true, enable_srtp: true, ..with_sctp() });
    let opened = plain.open(NOW, from(0, 6000), &mut sctp(0, 1));
    assert!(matches!(opened, Opened::Rejected(RejectReason::ForeignAddress)));
    assert_eq!(plain.destination(Component::Rtp), None);
}

#[test]
fn sctp_on_the_port_of_rtcp_is_refused_and_what_waits_is_bounded() {
    let mut plain = transport(PlainTransportOptions { rtcp_mux: false, comedia: true, ..with_sctp() });
    let opened = plain.open(NOW, from(1, 6000), &mut sctp(0, 1));
    assert!(matches!(opened, Opened::Rejected(RejectReason::WrongComponent)));

    let mut plain = connected();
    for _ in 0..1_000 {
        plain.open(NOW, from(0, 6000), &mut sctp(9, 0));
        plain.send_data(NOW, &sctp(7, 3));
    }
    assert_eq!(std::iter::from_fn(|| plain.poll_data()).count(), 64);
    assert_eq!(std::iter::from_fn(|| plain.poll_transmit(&mut [0; MAX_TRANSMIT])).count(), 64);
}
