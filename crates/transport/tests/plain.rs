//! What a plain transport takes and refuses, with and without SRTP.

use proptest::prelude::*;
use std::net::SocketAddr;
use tureen_rtp_dictionaries::{CryptoSuite, SrtpParameters};
use tureen_rtp_wire::Time;
use tureen_srtp::{DEFAULT_PROVIDER, SrtpSender};
use tureen_transport::{
    Arrival, BoundSocket, Cipher as _, Component, KeyMaterial, Opened, PathEvent, PlainConnectError,
    PlainConnectOptions, PlainTransport, PlainTransportOptions, RejectReason, SocketId, Transport,
    profile_of,
};

const SUITES: [CryptoSuite; 4] = [
    CryptoSuite::AeadAes128Gcm,
    CryptoSuite::AeadAes256Gcm,
    CryptoSuite::AesCm128HmacSha1_80,
    CryptoSuite::AesCm128HmacSha1_32,
];

fn address(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

fn from(port: u16) -> Arrival {
    Arrival { socket: SocketId(0), source: address(port) }
}

fn transport(options: PlainTransportOptions) -> PlainTransport {
    let rtp = BoundSocket { id: SocketId(0), local: address(40_000) };
    let rtcp = BoundSocket { id: SocketId(1), local: address(40_001) };
    PlainTransport::new(&options, rtp, Some(rtcp), &[7; 46])
}

fn rtp(sequence_number: u8) -> Vec<u8> {
    let mut packet = vec![0x80, 100, 0, sequence_number, 0, 0, 0, 0, 0, 0, 0, 9];
    packet.extend_from_slice(&[0x55; 160]);
    packet
}

#[test]
fn only_the_connected_address_is_heard() {
    let mut plain = transport(PlainTransportOptions::default());
    assert!(matches!(
        plain.open(Time::ZERO, from(5000), &mut rtp(1)),
        Opened::Rejected(RejectReason::ForeignAddress)
    ));
    let remote = PlainConnectOptions { ip: Some(address(0).ip()), port: Some(5000), ..Default::default() };
    plain.connect(Time::ZERO, remote.clone()).unwrap();
    assert!(matches!(plain.open(Time::ZERO, from(5000), &mut rtp(1)), Opened::Rtp { len: 172, .. }));
    assert!(matches!(
        plain.open(Time::ZERO, from(5001), &mut rtp(2)),
        Opened::Rejected(RejectReason::ForeignAddress)
    ));
    assert_eq!(plain.connect(Time::ZERO, remote), Err(PlainConnectError::AlreadyConnected));
}

#[test]
fn comedia_learns_from_valid_rtp_and_not_from_garbage_or_rtcp() {
    let mut plain = transport(PlainTransportOptions { comedia: true, ..Default::default() });
    plain.open(Time::ZERO, from(6000), &mut [0x80, 100, 0]);
    plain.open(Time::ZERO, from(6000), &mut [0x80, 201, 0, 1, 0, 0, 0, 1]);
    assert_eq!(plain.destination(Component::Rtp), None);
    plain.open(Time::ZERO, from(5000), &mut rtp(1));
    assert_eq!(plain.poll_event(), Some(PathEvent::Tuple(from(5000))));
    assert_eq!(plain.destination(Component::Rtp), Some(from(5000).into()));
    assert!(matches!(
        plain.open(Time::ZERO, from(6000), &mut rtp(2)),
        Opened::Rejected(RejectReason::ForeignAddress)
    ));
    assert_eq!(plain.poll_event(), None);
}

#[test]
fn comedia_with_srtp_learns_from_authentic_packets_alone() {
    for suite in SUITES {
        let options = PlainTransportOptions {
            comedia: true,
            enable_srtp: true,
            srtp_crypto_suite: suite,
            ..Default::default()
        };
        let mut plain = transport(options);
        assert!(matches!(
            plain.open(Time::ZERO, from(6000), &mut rtp(1)),
            Opened::Rejected(RejectReason::CipherNotReady)
        ));
        let key = vec![3; suite.master_len()];
        let srtp_parameters = Some(SrtpParameters::new(suite, &key).unwrap());
        plain.connect(Time::ZERO, PlainConnectOptions { srtp_parameters, ..Default::default() }).unwrap();
        assert!(matches!(
            plain.open(Time::ZERO, from(6000), &mut rtp(1)),
            Opened::Rejected(RejectReason::NotGenuine)
        ));
        assert_eq!(plain.destination(Component::Rtp), None);

        let mut sender = SrtpSender::new(profile_of(suite), &key, DEFAULT_PROVIDER).unwrap();
        let mut sealed = rtp(1);
        let len = sealed.len();
        sealed.resize(len + 64, 0);
        let sealed_len = sender.protect_rtp(&mut sealed, 12, len).unwrap();
        sealed.truncate(sealed_len);
        let mut again = sealed.clone();
        assert!(matches!(plain.open(Time::ZERO, from(5000), &mut sealed), Opened::Rtp { len: 172, .. }));
        assert_eq!(&sealed[12..172], &[0x55; 160][..]);
        assert!(matches!(
            plain.open(Time::ZERO, from(5000), &mut again),
            Opened::Rejected(RejectReason::Replayed)
        ));
        assert_eq!(plain.destination(Component::Rtp), Some(from(5000).into()));
    }
}

#[test]
fn wrong_connect_options_name_their_field_and_change_nothing() {
    let address_given =
        || PlainConnectOptions { ip: Some(address(0).ip()), port: Some(5000), ..Default::default() };
    let srtp = |suite, len| {
        let parameters = SrtpParameters { crypto_suite: suite, key_base64: "A".repeat(len) };
        PlainConnectOptions { srtp_parameters: Some(parameters), ..address_given() }
    };
    let (mux, two_ports) =
        (PlainTransportOptions::default(), PlainTransportOptions { rtcp_mux: false, ..Default::default() });
    let comedia = PlainTransportOptions { comedia: true, ..Default::default() };
    let secure = PlainTransportOptions { enable_srtp: true, ..Default::default() };
    let unexpected = |field, because| PlainConnectError::Unexpected { field, because };
    let cases = [
        (mux.clone(), PlainConnectOptions::default(), PlainConnectError::Missing("ip")),
        (
            mux.clone(),
            PlainConnectOptions { port: None, ..address_given() },
            PlainConnectError::Missing("port"),
        ),
        (
            mux.clone(),
            PlainConnectOptions { port: Some(0), ..address_given() },
            PlainConnectError::ZeroPort("port"),
        ),
        (
            mux.clone(),
            PlainConnectOptions { rtcp_port: Some(5001), ..address_given() },
            unexpected("rtcpPort", "with rtcpMux"),
        ),
        (
            mux.clone(),
            PlainConnectOptions { ip: Some("::1".parse().unwrap()), ..address_given() },
            PlainConnectError::AddressFamily,
        ),
        (two_ports, address_given(), PlainConnectError::Missing("rtcpPort")),
        (comedia, address_given(), unexpected("ip", "with comedia")),
        (mux, srtp(CryptoSuite::AeadAes128Gcm, 4), unexpected("srtpParameters", "without enableSrtp")),
        (secure.clone(), address_given(), PlainConnectError::Missing("srtpParameters")),
        (secure, srtp(CryptoSuite::AesCm128HmacSha1_80, 4), PlainConnectError::WrongKey { expected: 30 }),
    ];
    for (options, connect, error) in cases {
        let mut plain = transport(options);
        let before = plain.details();
        assert_eq!(plain.connect(Time::ZERO, connect), Err(error));
        assert_eq!(plain.details(), before);
    }
}

#[test]
fn a_remote_with_another_suite_gets_a_fresh_key_of_that_suite() {
    let mut plain = transport(PlainTransportOptions { enable_srtp: true, ..Default::default() });
    let offered = plain.details().srtp_parameters.unwrap();
    assert_eq!(offered.crypto_suite, CryptoSuite::AesCm128HmacSha1_80);
    let theirs = SrtpParameters::new(CryptoSuite::AeadAes256Gcm, &[1; 44]).unwrap();
    let options = PlainConnectOptions {
        ip: Some(address(0).ip()),
        port: Some(5000),
        srtp_parameters: Some(theirs),
        key_material: Some(Box::new([9; size_of::<KeyMaterial>()])),
        ..Default::default()
    };
    plain.connect(Time::ZERO, options).unwrap();
    let ours = plain.details().srtp_parameters.unwrap();
    assert_eq!(
        (ours.crypto_suite, ours.master_key_and_salt().unwrap()),
        (CryptoSuite::AeadAes256Gcm, vec![9; 44])
    );
    assert_eq!(plain.cipher().rtp_overhead(), 16);
}

proptest! {
    #[test]
    fn no_datagram_panics_or_moves_a_connected_transport(
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
        port in 1u16..,
    ) {
        let mut plain = transport(PlainTransportOptions { comedia: true, ..Default::default() });
        plain.open(Time::ZERO, from(5000), &mut rtp(1));
        let mut bytes = bytes;
        plain.open(Time::ZERO, from(port), &mut bytes);
        prop_assert_eq!(plain.destination(Component::Rtp), Some(from(5000).into()));
    }
}
