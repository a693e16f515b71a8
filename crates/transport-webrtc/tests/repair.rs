//! Handshakes over links that lose, repeat and reorder, in virtual time.

mod support;

use rtc_dtls::extension::extension_use_srtp::SrtpProtectionProfile as Offered;
use std::time::Duration;
use support::peers::{DimplPeer, Peer, RtcPeer, Version};
use support::{Net, To, faultless, origin};
use tureen_rtp_dictionaries::{DtlsRole, DtlsState};
use tureen_rtp_wire::Time;
use tureen_transport::Transport;
use tureen_transport_webrtc::{DtlsCertificate, DtlsFailure, WebRtcOptions};

const LIMIT: Duration = Duration::from_secs(60);

fn options() -> WebRtcOptions {
    let mut options = WebRtcOptions::default();
    options.dtls_13 = true;
    options
}

const CASES: [(Version, bool); 4] =
    [(Version::Dtls12, true), (Version::Dtls12, false), (Version::Dtls13, true), (Version::Dtls13, false)];

fn net(certificate: &DtlsCertificate, (version, is_client): (Version, bool)) -> Net<DimplPeer> {
    let now = origin();
    // Small datagrams of 1.2: more to lose. The library does not reassemble flights of 1.3 that come again in other pieces.
    let mtu = if version == Version::Dtls12 { 300 } else { 1150 };
    let peer = DimplPeer::with_mtu(now, version, is_client, mtu);
    let mut net = Net::new(&options(), certificate, now, peer);
    net.connect(if is_client { DtlsRole::Client } else { DtlsRole::Server });
    net
}

#[test]
fn the_loss_of_any_one_datagram_is_repaired() {
    let certificate = DtlsCertificate::generate().unwrap();
    for case in CASES {
        let mut whole = net(&certificate, case);
        whole.run(LIMIT, faultless);
        let sent = whole.sent;
        for (lost_way, count) in
            [(To::Peer, sent[To::Peer as usize]), (To::Transport, sent[To::Transport as usize])]
        {
            assert!(count > 0);
            for lost in 0..count {
                let mut net = net(&certificate, case);
                net.run(
                    LIMIT,
                    |to, index, _| if (to, index) == (lost_way, lost) { vec![] } else { vec![10] },
                );
                let details = net.transport.details();
                let what =
                    format!("{case:?} without datagram {lost} to {lost_way:?}: {:?}", details.dtls_error);
                assert_eq!(details.dtls_state, DtlsState::Connected, "{what}");
                assert!(net.peer.keys().is_some(), "{what}");
                net.assert_media_flows();
            }
        }
    }
}

/// The other stack does not repair what it loses itself, so only our own datagrams are lost here.
#[test]
fn what_the_other_stack_misses_is_sent_again() {
    let certificate = DtlsCertificate::generate().unwrap();
    for is_client in [true, false] {
        for lost in 0..2 {
            let now = origin();
            let peer = RtcPeer::new(now, is_client, &[Offered::Srtp_Aead_Aes_128_Gcm]);
            let mut net = Net::new(&WebRtcOptions::default(), &certificate, now, peer);
            net.connect(if is_client { DtlsRole::Client } else { DtlsRole::Server });
            net.run(LIMIT, |to, index, _| if (to, index) == (To::Peer, lost) { vec![] } else { vec![10] });
            assert_eq!(net.state(), DtlsState::Connected, "{is_client} {lost}");
            net.assert_media_flows();
        }
    }
}

#[test]
fn doubled_and_reordered_flights_do_no_harm() {
    let certificate = DtlsCertificate::generate().unwrap();
    for case in CASES {
        for pattern in 0..6_u64 {
            let mut net = net(&certificate, case);
            net.run(LIMIT, |_, index, _| {
                let index = index as u64;
                match pattern {
                    // Each one twice, at once or later.
                    0 => vec![10, 10],
                    1 => vec![10, 40],
                    // Flights turned around.
                    2 => vec![30 - 5 * (index % 5)],
                    3 => vec![if index.is_multiple_of(2) { 30 } else { 10 }],
                    // Both, and old ones long after.
                    4 => vec![10 + 7 * (index % 3), 25 - 5 * (index % 4)],
                    _ => vec![10, 600],
                }
            });
            let details = net.transport.details();
            assert_eq!(
                details.dtls_state,
                DtlsState::Connected,
                "{case:?} {pattern}: {:?}",
                details.dtls_error
            );
            net.assert_media_flows();
        }
    }
}

#[test]
fn half_of_everything_may_be_lost() {
    let certificate = DtlsCertificate::generate().unwrap();
    for case in CASES {
        let mut connected = 0;
        for seed in 1..9_u64 {
            let mut random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let mut net = net(&certificate, case);
            net.run(LIMIT, |_, _, _| {
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                if random.is_multiple_of(3) { vec![] } else { vec![10 + random % 20] }
            });
            connected += usize::from(net.state() == DtlsState::Connected);
        }
        assert!(connected >= 6, "{case:?}: {connected} of 8");
    }
}

#[test]
fn silence_fails_in_time_and_timers_rest_afterwards() {
    let certificate = DtlsCertificate::generate().unwrap();
    for case in [(Version::Dtls12, false), (Version::Dtls13, false)] {
        let mut net = net(&certificate, case);
        net.run(LIMIT, |_, _, _| vec![]);
        let details = net.transport.details();
        assert_eq!(
            (details.dtls_state, details.dtls_error),
            (DtlsState::Failed, Some(DtlsFailure::TimedOut))
        );
        assert!((10_000..=31_000).contains(&net.now.as_millis()), "{:?}", net.now);
        assert!(net.sent[To::Peer as usize] <= 10, "{:?}", net.sent);
        // What is left is consent.
        net.transport.handle_timeout(net.now + Duration::from_secs(60));
        assert_eq!(net.transport.poll_timeout(), Time::NEVER);
    }
}
