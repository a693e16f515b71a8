//! Peers that are somebody else, and strangers that speak DTLS (THREATS: unvalidated sources, skipped fingerprints).

mod support;

use base64::Engine;
use std::time::Duration;
use support::peers::{DimplPeer, Peer, Version, dimpl};
use support::stun::BindingRequest;
use support::{Net, REMOTE, To, credentials, faultless, origin, parameters};
use tureen_rtp_dictionaries::{DtlsFingerprint, DtlsParameters, DtlsRole, DtlsState, FingerprintAlgorithm};
use tureen_transport::{Opened, RejectReason, Transport};
use tureen_transport_webrtc::{
    DtlsCertificate, DtlsFailure, WebRtcConnectError, WebRtcConnectOptions, WebRtcOptions,
};

const LIMIT: Duration = Duration::from_secs(5);

fn options() -> WebRtcOptions {
    let mut options = WebRtcOptions::default();
    options.dtls_13 = true;
    options
}

fn role(is_client: bool) -> DtlsRole {
    if is_client { DtlsRole::Client } else { DtlsRole::Server }
}

const CASES: [(Version, bool); 4] =
    [(Version::Dtls12, true), (Version::Dtls12, false), (Version::Dtls13, true), (Version::Dtls13, false)];

#[test]
fn another_certificate_than_announced_gets_no_keys() {
    let certificate = DtlsCertificate::generate().unwrap();
    for (version, is_client) in CASES {
        let (now, peer) = dimpl(version, is_client);
        let mut net = Net::new(&options(), &certificate, now, peer);
        net.connect_to(parameters(role(is_client), b"another certificate"));
        net.run(LIMIT, faultless);
        let details = net.transport.details();
        assert_eq!(details.dtls_state, DtlsState::Failed);
        assert_eq!(details.dtls_error, Some(DtlsFailure::FingerprintMismatch));
        assert_eq!((details.dtls_remote_cert, details.srtp_suite), (None, None));
        net.assert_no_keys();
        // And none of what follows brings them.
        net.run(LIMIT, faultless);
        assert_eq!(net.state(), DtlsState::Failed);
        net.assert_no_keys();
    }
}

#[test]
fn one_fingerprint_of_several_is_enough() {
    let certificate = DtlsCertificate::generate().unwrap();
    let (now, peer) = dimpl(Version::Dtls12, true);
    let mut net = Net::new(&options(), &certificate, now, peer);
    let mut wanted = parameters(DtlsRole::Client, &net.peer.certificate());
    wanted.fingerprints.insert(0, DtlsFingerprint::new(FingerprintAlgorithm::Sha1, &[0; 20]));
    net.connect_to(wanted);
    net.run(LIMIT, faultless);
    assert_eq!(net.state(), DtlsState::Connected);
}

/// A self-signed certificate with an RSA key of 2048 bits.
const RSA_CERTIFICATE: &str = concat!(
    "MIIC/TCCAeWgAwIBAgIUPFrs9YCW5l2H2IUM6iHBn9HgsakwDQYJKoZIhvcNAQELBQAwDjEMMAoGA1UEAwwDcnNhMB4XDTI2",
    "MTEyMTA2NTI0MFoXDTM2MTExODA2NTI0MFowDjEMMAoGA1UEAwwDcnNhMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKC",
    "AQEAvSlyPUrKodBc5WYEOxs2njD0MgkgOtOMhCb9TsTdUx8zrVAkvcR+x1RdWqVERL/a2j5S3xbcxOkGG+cxSwydf1fewHd8",
    "JOc0AM9Eqrl2sY9txxs1hrHnC1le12dlKCUt3Au5SbDfW0XYZByAXRViP0xqOYu3NlulDhJgGBcohtWd+nW4ibbLkP18GB9q",
    "60IALk4npg4/Hkc+xAYgX1Xe3d6wZwxpzSkoluV08r09sVyaWqWqV17QrQGsw2bAJ/FiXe6UOIykdDfgJtsXXGpsWQYsBFfp",
    "sKYYWCoEAS7kGLJB5uIYW6vJ8vAYYxTlukwzATUPnhrOuaB+1c+UmCIL+wIDAQABo1MwUTAdBgNVHQ4EFgQUGTvaD0Hmfrsk",
    "ue9G0p7aw3OYT/MwHwYDVR0jBBgwFoAUGTvaD0Hmfrskue9G0p7aw3OYT/MwDwYDVR0TAQH/BAUwAwEB/zANBgkqhkiG9w0B",
    "AQsFAAOCAQEAgFt/xR5ql9vYlFHUUfT9lS94T516LRsfl9u4nWgieL+/54WSU6PfUdUuJGJ3X4KsrRZ4W8pMBNLRyc/F1r7z",
    "3wpnb2kstGiNv8bM4Xvmhnyt69X5QjtsYVh7QBQ2nuOLj8lbJLnhKUzKcowHTZM1O+A75wVFbSRzmD73yHn5XWHj6xPxh8mH",
    "t+xP2dOXwqyyfYtDO5ca057xhuNC2TuwaSfuZAzLBn6fjiPexdqQWAd0m7CwnwnRopXLqP4x5mDW5c3UAFkZ1xnXw8kWWljA",
    "9BXIcHkOX8IjEm1m2C0G9qwE46gzQf1jojUdIVWi0cYlZeBBkn0dwHnqU2mCl3/h0g==",
);

#[test]
fn an_rsa_certificate_fails_by_its_name() {
    let certificate = DtlsCertificate::generate().unwrap();
    for (version, is_client) in CASES {
        let now = origin();
        let mut pair = dimpl::certificate::generate_self_signed_certificate().unwrap();
        pair.certificate = base64::engine::general_purpose::STANDARD.decode(RSA_CERTIFICATE).unwrap();
        let peer = DimplPeer::with_pair(now, version, is_client, 1150, pair);
        let mut net = Net::new(&options(), &certificate, now, peer);
        net.connect(role(is_client));
        net.run(LIMIT, faultless);
        let details = net.transport.details();
        let expected = (DtlsState::Failed, Some(DtlsFailure::UnsupportedCertificate));
        assert_eq!((details.dtls_state, details.dtls_error), expected, "{version:?} {is_client}");
        net.assert_no_keys();
    }
}

#[test]
fn dtls_from_an_address_that_ice_has_not_validated_is_not_heard() {
    let certificate = DtlsCertificate::generate().unwrap();
    let (now, peer) = dimpl(Version::Dtls12, true);
    let mut net = Net::new(&options(), &certificate, now, peer);
    net.connect(DtlsRole::Client);

    // A stranger's hello starts nothing, neither before nor during nor after the handshake.
    let (_, mut stranger) = dimpl(Version::Dtls12, true);
    let hello = stranger.transmit().unwrap();
    let alert = b"\x15\xfe\xfd\0\0\0\0\0\0\0\x09\0\x02\x02\x28";
    let heard = |net: &mut Net<DimplPeer>| {
        for datagram in [hello.as_slice(), alert] {
            let opened = net.open(REMOTE + 1, datagram);
            assert!(matches!(opened, Opened::Rejected(RejectReason::DtlsBeforeIce)), "{opened:?}");
        }
    };
    heard(&mut net);
    let mut steps = 0;
    while net.state() != DtlsState::Connected && steps < 50 {
        net.run(Duration::from_millis(10), faultless);
        heard(&mut net);
        steps += 1;
    }
    assert_eq!(net.state(), DtlsState::Connected);
    net.run(LIMIT, faultless);
    heard(&mut net);
    assert!(net.transport.poll_transmit(&mut [0; 1400]).is_none());
    net.assert_media_flows();
}

#[test]
fn unprotected_records_do_not_end_or_feed_a_session() {
    let certificate = DtlsCertificate::generate().unwrap();
    for (version, is_client) in CASES {
        let (now, peer) = dimpl(version, is_client);
        let mut net = Net::new(&options(), &certificate, now, peer);
        net.connect(role(is_client));
        net.run(LIMIT, faultless);
        assert_eq!(net.state(), DtlsState::Connected);

        let (_, mut stranger) = dimpl(version, true);
        let hello = stranger.transmit().unwrap();
        let fatal = b"\x15\xfe\xfd\0\0\0\0\0\0\0\x09\0\x02\x02\x28".to_vec();
        let goodbye = b"\x15\xfe\xfd\0\0\0\0\0\0\0\x0a\0\x02\x01\0".to_vec();
        let data = b"\x17\xfe\xfd\0\0\0\0\0\0\0\x0b\0\x04data".to_vec();
        let spoof = b"\x15\xfe\xfd\0\x01\0\0\0\0\0\x20\0\x20aaaaaaaabbbbbbbbccccccccdddddddd".to_vec();
        for datagram in [&hello, &fatal, &goodbye, &data, &spoof, &hello] {
            net.open(REMOTE, datagram);
        }
        // Alerts and data without protection do not even reach the library.
        let unheard = net.rejected.iter().filter(|reason| **reason == RejectReason::DtlsUnexpected).count();
        assert!(unheard >= 3, "{:?}", net.rejected);
        net.run(LIMIT, faultless);
        assert_eq!(net.state(), DtlsState::Connected, "{version:?} {is_client}");
        net.assert_media_flows();
        // Goodbye by the peer itself still counts.
        net.peer.close();
        net.run(LIMIT, faultless);
        assert_eq!(net.state(), DtlsState::Closed);
    }
}

#[test]
fn hellos_again_and_again_are_not_amplified() {
    let certificate = DtlsCertificate::generate().unwrap();
    let (now, mut peer) = dimpl(Version::Dtls12, true);
    let hello = peer.transmit().unwrap();
    let mut net = Net::new(&options(), &certificate, now, peer);
    net.open(REMOTE, &hello);
    net.connect(DtlsRole::Client);
    net.run(LIMIT, faultless);
    assert_eq!(net.state(), DtlsState::Connected);
    let before = net.sent[To::Peer as usize];
    for _ in 0..1000 {
        net.open(REMOTE, &hello);
        net.collect(&mut faultless);
    }
    assert!(net.sent[To::Peer as usize] - before < 20);
    assert_eq!(net.state(), DtlsState::Connected);
}

#[test]
fn an_alert_of_the_remote_during_the_handshake_is_named() {
    let certificate = DtlsCertificate::generate().unwrap();
    for options in [options(), WebRtcOptions::default()] {
        for (is_client, handshake_ms) in [(true, 15), (false, 5), (false, 25)] {
            let (now, peer) = dimpl(Version::Dtls12, is_client);
            let mut net = Net::new(&options, &certificate, now, peer);
            net.connect(role(is_client));
            net.run(Duration::from_millis(handshake_ms), faultless);
            assert_eq!(net.state(), DtlsState::Connecting);
            net.open(REMOTE, b"\x15\xfe\xfd\0\0\0\0\0\0\0\x09\0\x02\x02\x28");
            let details = net.transport.details();
            let expected = (DtlsState::Failed, Some(DtlsFailure::Alert(40)));
            assert_eq!((details.dtls_state, details.dtls_error), expected, "{is_client} {handshake_ms}");
        }
    }
}

#[test]
fn wrong_parameters_are_refused_by_name_and_change_nothing() {
    let certificate = DtlsCertificate::generate().unwrap();
    let (now, peer) = dimpl(Version::Dtls12, true);
    let mut net = Net::new(&options(), &certificate, now, peer);
    let mut connect =
        |parameters: DtlsParameters| net.transport.connect(net.now, WebRtcConnectOptions::Dtls(parameters));
    let none = DtlsParameters { role: DtlsRole::Auto, fingerprints: vec![] };
    assert_eq!(connect(none.clone()), Err(WebRtcConnectError::NoFingerprint));
    let good = DtlsFingerprint::new(FingerprintAlgorithm::Sha256, &[1; 32]);
    let short = DtlsFingerprint::new(FingerprintAlgorithm::Sha512, &[1; 32]);
    let wrong = DtlsParameters { fingerprints: vec![good.clone(), short], ..none.clone() };
    assert_eq!(connect(wrong), Err(WebRtcConnectError::Fingerprint { index: 1, expected: 64 }));
    let many = DtlsParameters { fingerprints: vec![good.clone(); 17], ..none.clone() };
    assert_eq!(connect(many), Err(WebRtcConnectError::TooManyFingerprints));
    let right = DtlsParameters { fingerprints: vec![good], ..none };
    assert_eq!(connect(right.clone()), Ok(()));
    assert_eq!(connect(right.clone()), Err(WebRtcConnectError::AlreadyConnected));
    net.transport.close(net.now);
    let closed = net.transport.connect(net.now, WebRtcConnectOptions::Dtls(right));
    assert_eq!(closed, Err(WebRtcConnectError::Closed));
    let request = BindingRequest::to(&credentials(1)).bytes();
    assert!(matches!(
        net.open(REMOTE, &request),
        Opened::Rejected(RejectReason::StunUnexpected | RejectReason::ForeignAddress)
    ));
}
