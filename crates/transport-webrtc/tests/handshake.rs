//! Handshakes with two DTLS stacks in both roles, versions and profiles, and the media that follows.

mod support;

use rtc_dtls::extension::extension_use_srtp::SrtpProtectionProfile as Offered;
use std::time::Duration;
use support::peers::{DimplPeer, Peer, RtcPeer, Version};
use support::{Net, faultless, origin};
use tureen_rtp_dictionaries::{CryptoSuite, DtlsRole, DtlsState, IceState};
use tureen_transport::{PathEvent, Transport};
use tureen_transport_webrtc::{DtlsCertificate, DtlsVersion, WebRtcOptions};

const LIMIT: Duration = Duration::from_secs(5);

fn options(dtls_13: bool) -> WebRtcOptions {
    let mut options = WebRtcOptions::default();
    options.dtls_13 = dtls_13;
    options
}

/// Connects, checks both ends and the media; returns the version and suite.
fn connect<P: Peer>(mut net: Net<P>) -> (Option<DtlsVersion>, Option<CryptoSuite>) {
    let role = if net.peer.is_client() { DtlsRole::Client } else { DtlsRole::Server };
    net.connect(role);
    net.run(LIMIT, faultless);
    let details = net.transport.details();
    assert_eq!(details.dtls_state, DtlsState::Connected, "{:?}", details.dtls_error);
    assert_eq!(details.dtls_parameters.role == DtlsRole::Client, !net.peer.is_client());
    let pem = details.dtls_remote_cert.expect("the certificate of the remote");
    assert!(pem.starts_with("-----BEGIN CERTIFICATE-----\n") && pem.ends_with("-----END CERTIFICATE-----\n"));
    let states: Vec<_> = net.events.iter().filter(|e| !matches!(e, PathEvent::IceSelectedTuple(_))).collect();
    let suite = details.srtp_suite.expect("a suite");
    let last = [&PathEvent::DtlsState(DtlsState::Connected), &PathEvent::SrtpKeys(suite)];
    assert_eq!(states[0], &PathEvent::IceState(IceState::Completed));
    assert!(states.ends_with(&last), "{states:?}");
    net.assert_media_flows();
    (details.dtls_version, details.srtp_suite)
}

#[test]
fn dimpl_in_every_role_and_version() {
    let certificate = DtlsCertificate::generate().unwrap();
    for (version, allow_13, expected) in [
        (Version::Dtls12, false, DtlsVersion::Dtls12),
        (Version::Auto, false, DtlsVersion::Dtls12),
        (Version::Dtls12, true, DtlsVersion::Dtls12),
        (Version::Dtls13, true, DtlsVersion::Dtls13),
        (Version::Auto, true, DtlsVersion::Dtls13),
    ] {
        for is_client in [true, false] {
            let now = origin();
            let peer = DimplPeer::new(now, version, is_client);
            let (negotiated, suite) = connect(Net::new(&options(allow_13), &certificate, now, peer));
            assert_eq!(negotiated, Some(expected), "{version:?} {is_client}");
            assert_eq!(suite, Some(CryptoSuite::AeadAes256Gcm));
        }
    }
}

#[test]
fn another_stack_in_both_roles_with_each_profile() {
    let certificate = DtlsCertificate::generate().unwrap();
    for (profile, expected) in [
        (Offered::Srtp_Aes128_Cm_Hmac_Sha1_80, CryptoSuite::AesCm128HmacSha1_80),
        (Offered::Srtp_Aead_Aes_128_Gcm, CryptoSuite::AeadAes128Gcm),
        (Offered::Srtp_Aead_Aes_256_Gcm, CryptoSuite::AeadAes256Gcm),
    ] {
        for is_client in [true, false] {
            for allow_13 in [false, true] {
                let now = origin();
                let peer = RtcPeer::new(now, is_client, &[profile]);
                let net = Net::new(&options(allow_13), &certificate, now, peer);
                assert_eq!(
                    connect(net),
                    (Some(DtlsVersion::Dtls12), Some(expected)),
                    "{is_client} {allow_13}"
                );
            }
        }
    }
}

#[test]
fn gcm_is_chosen_though_the_client_lists_it_last() {
    let certificate = DtlsCertificate::generate().unwrap();
    let now = origin();
    let offered = [
        Offered::Srtp_Aes128_Cm_Hmac_Sha1_80,
        Offered::Srtp_Aead_Aes_256_Gcm,
        Offered::Srtp_Aead_Aes_128_Gcm,
    ];
    let net = Net::new(&options(false), &certificate, now, RtcPeer::new(now, true, &offered));
    assert_eq!(connect(net).1, Some(CryptoSuite::AeadAes256Gcm));
}

#[test]
fn a_remote_that_takes_either_role_gets_a_client() {
    let certificate = DtlsCertificate::generate().unwrap();
    let now = origin();
    let mut net = Net::new(&options(false), &certificate, now, DimplPeer::new(now, Version::Dtls12, false));
    assert_eq!(net.transport.details().dtls_parameters.role, DtlsRole::Auto);
    net.connect(DtlsRole::Auto);
    assert_eq!(net.transport.details().dtls_parameters.role, DtlsRole::Client);
    net.run(LIMIT, faultless);
    assert_eq!(net.state(), DtlsState::Connected);
}

#[test]
fn a_hello_in_two_datagrams_before_connect_needs_no_retransmission() {
    let certificate = DtlsCertificate::generate().unwrap();
    for (allow_13, swapped) in [(false, false), (false, true), (true, false), (true, true)] {
        let now = origin();
        let (version, mtu) = if allow_13 { (Version::Dtls13, 150) } else { (Version::Dtls12, 90) };
        let peer = DimplPeer::with_mtu(now, version, true, mtu);
        let mut net = Net::new(&options(allow_13), &certificate, now, peer);
        let mut hello: Vec<_> = std::iter::from_fn(|| net.peer.transmit()).collect();
        assert_eq!(hello.len(), 2, "{:?}", hello.iter().map(Vec::len).collect::<Vec<_>>());
        if swapped {
            hello.reverse();
        }
        for datagram in &hello {
            net.open(support::REMOTE, datagram);
        }
        assert_eq!(net.state(), DtlsState::New);
        net.connect(DtlsRole::Client);
        net.run(LIMIT, faultless);
        assert_eq!((net.state(), &net.rejected), (DtlsState::Connected, &vec![]));
        assert!(net.now.as_millis() < 100, "{:?}", net.now);
    }
}

#[test]
fn goodbyes_go_both_ways() {
    let certificate = DtlsCertificate::generate().unwrap();
    for version in [Version::Dtls12, Version::Dtls13] {
        let (now, peer) = support::peers::dimpl(version, true);
        let mut net = Net::new(&options(true), &certificate, now, peer);
        net.connect(DtlsRole::Client);
        net.run(LIMIT, faultless);
        net.peer.close();
        net.run(LIMIT, faultless);
        assert_eq!(net.state(), DtlsState::Closed);
        net.assert_no_keys();

        let (now, peer) = support::peers::dimpl(version, false);
        let mut net = Net::new(&options(true), &certificate, now, peer);
        net.connect(DtlsRole::Server);
        net.run(LIMIT, faultless);
        net.transport.close(net.now);
        net.run(LIMIT, faultless);
        assert!(net.peer.is_closed());
        let last: Vec<_> = net.events.iter().rev().take(3).collect();
        assert!(last.contains(&&PathEvent::DtlsState(DtlsState::Closed)));
        assert!(last.contains(&&PathEvent::IceState(IceState::Closed)));
        net.assert_no_keys();
    }
}
