//! Whatever comes in: no panic, no amplification, no answer to who does not know the password, bounded memory.

mod support;

use allocation_counter::measure;
use proptest::prelude::*;
use std::sync::LazyLock;
use std::time::Duration;
use support::peers::{DimplPeer, Peer, Version};
use support::stun::BindingRequest;
use support::{Net, REMOTE, arrival, credentials, faultless, listens, origin, transport};
use tureen_rtp_dictionaries::{DtlsRole, DtlsState, IceState};
use tureen_rtp_wire::Time;
use tureen_rtp_wire::stun::StunMessage;
use tureen_transport::{MAX_TRANSMIT, Opened, Transport};
use tureen_transport_webrtc::{
    DtlsCertificate, DtlsClock, WebRtcConnectOptions, WebRtcOptions, WebRtcTransport,
};

static CERTIFICATE: LazyLock<DtlsCertificate> = LazyLock::new(|| DtlsCertificate::generate().unwrap());

/// Octets that look like something: a first octet of each protocol, a magic cookie where STUN has one.
fn datagram() -> impl Strategy<Value = Vec<u8>> {
    let bytes = prop::collection::vec(any::<u8>(), 0..300);
    (bytes, any::<u8>(), any::<bool>()).prop_map(|(mut bytes, kind, shaped)| {
        if shaped && bytes.len() >= 20 {
            let len = (bytes.len() - 20) / 4 * 4;
            bytes.truncate(20 + len);
            match kind % 3 {
                0 => {
                    bytes[..2].copy_from_slice(&[0, 1]);
                    bytes[2..4].copy_from_slice(&(len as u16).to_be_bytes());
                    bytes[4..8].copy_from_slice(&0x2112_a442_u32.to_be_bytes());
                }
                1 => {
                    let len = (bytes.len() - 13) as u16;
                    bytes[0] = 20 + kind % 7;
                    bytes[1..5].copy_from_slice(&[0xfe, 0xfd, 0, kind & 1]);
                    bytes[11..13].copy_from_slice(&len.to_be_bytes());
                }
                _ => bytes[0] = kind,
            }
        }
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn strangers_get_no_more_than_they_send(datagrams in prop::collection::vec(datagram(), 1..40)) {
        let mut transport = transport(origin(), &WebRtcOptions::default(), &CERTIFICATE);
        for mut datagram in datagrams {
            let len = datagram.len();
            let opened = transport.open(Time::ZERO, arrival(REMOTE), &mut datagram);
            prop_assert!(matches!(opened, Opened::Rejected(_)));
            let mut buffer = [0; MAX_TRANSMIT];
            while let Some((to, answer)) = transport.poll_transmit(&mut buffer) {
                prop_assert_eq!(to, arrival(REMOTE).into());
                prop_assert!(answer <= len);
                prop_assert!(StunMessage::parse(&buffer[..answer]).is_ok());
            }
        }
        prop_assert_eq!(transport.details().ice_state, IceState::New);
    }

    #[test]
    fn a_request_with_any_change_is_not_believed(at in any::<prop::sample::Index>(), bit in 0..8_u8) {
        let mut transport = transport(origin(), &WebRtcOptions::default(), &CERTIFICATE);
        let mut request = BindingRequest::to(&credentials(1)).nominating().bytes();
        // Not the type and length of FINGERPRINT: it may be missing, and whatever else is behind the integrity is ignored.
        let at = at.index(request.len() - 4);
        let at = if at >= request.len() - 8 { at + 4 } else { at };
        request[at] ^= 1 << bit;
        let len = request.len();
        let opened = transport.open(Time::ZERO, arrival(REMOTE), &mut request);
        prop_assert!(matches!(opened, Opened::Rejected(_)), "{} {}", at, bit);
        prop_assert_eq!(transport.destination(tureen_transport::Component::Rtp), None);
        if let Some((_, answer)) = transport.poll_transmit(&mut [0; MAX_TRANSMIT]) {
            prop_assert!(answer <= len);
        }
    }

    #[test]
    fn any_operations_in_any_order_leave_it_standing(
        operations in prop::collection::vec((0..9_u8, any::<u16>(), datagram()), 1..60),
    ) {
        let listens = listens(true);
        let clock = DtlsClock(origin());
        let options = WebRtcOptions::default();
        let mut transport = WebRtcTransport::with_null_cipher(&options, listens, credentials(1), &CERTIFICATE, clock);
        let mut now = Time::ZERO;
        let mut seed = 1;
        for (operation, number, mut datagram) in operations {
            now += Duration::from_millis(u64::from(number % 2000));
            let from = arrival(5000 + number % 12);
            match operation {
                0 => _ = transport.open(now, from, &mut datagram),
                1 => _ = transport.open(now, from, &mut BindingRequest::to(&credentials(seed)).bytes()),
                2 => _ = transport.open(now, from, &mut BindingRequest::to(&credentials(seed)).nominating().bytes()),
                3 => transport.handle_timeout(now),
                4 => {
                    seed = (number % 250) as u8 + 1;
                    _ = transport.connect(now, WebRtcConnectOptions::RestartIce(credentials(seed)));
                }
                5 => {
                    let role = if number.is_multiple_of(2) { DtlsRole::Client } else { DtlsRole::Server };
                    _ = transport.connect(now, WebRtcConnectOptions::Dtls(support::parameters(role, &datagram)));
                }
                6 => transport.socket_closed(now, from.socket),
                7 => _ = transport.details(),
                _ if number.is_multiple_of(64) => transport.close(now),
                _ => {}
            }
            let mut buffer = [0; MAX_TRANSMIT];
            let sent = std::iter::from_fn(|| transport.poll_transmit(&mut buffer)).count();
            prop_assert!(sent < 40);
            let news = std::iter::from_fn(|| transport.poll_event()).count();
            prop_assert!(news <= 3);
            let claims = std::iter::from_fn(|| transport.poll_claim()).count();
            prop_assert!(claims <= 16);
            let details = transport.details();
            // Media goes nowhere before there are keys.
            let ready = details.ice_selected_tuple.is_some() && details.dtls_state == DtlsState::Connected;
            prop_assert_eq!(ready, transport.destination(tureen_transport::Component::Rtp).is_some());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// Flights with one octet changed, cut or repeated: the handshake may fail, but nothing panics and no key is there
    /// without a peer that has proved itself.
    #[test]
    fn a_handshake_of_mutated_flights_stands(
        version in prop::sample::select(vec![Version::Dtls12, Version::Dtls13]),
        is_client in any::<bool>(),
        mutations in prop::collection::vec((0..12_usize, any::<prop::sample::Index>(), any::<u8>(), 0..4_u8), 1..4),
    ) {
        let now = origin();
        let peer = DimplPeer::with_mtu(now, version, is_client, 400);
        let mut options = WebRtcOptions::default();
        options.dtls_13 = true;
        let mut net = Net::new(&options, &CERTIFICATE, now, peer);
        net.connect(if is_client { DtlsRole::Client } else { DtlsRole::Server });
        for step in 0..60 {
            net.run(Duration::from_millis(2), faultless);
            let mut extra = vec![];
            while let Some(mut datagram) = net.peer.transmit() {
                for (which, at, value, how) in &mutations {
                    if *which != step % 12 || datagram.is_empty() {
                        continue;
                    }
                    let at = at.index(datagram.len());
                    match how {
                        0 => datagram[at] ^= value,
                        1 => datagram.truncate(at),
                        2 => datagram.insert(at, *value),
                        _ => extra.push(datagram.clone()),
                    }
                }
                extra.push(datagram);
            }
            for datagram in extra {
                net.open(REMOTE, &datagram);
            }
        }
        net.run(Duration::from_secs(40), faultless);
        match net.state() {
            DtlsState::Connected => prop_assert!(net.transport.details().dtls_remote_cert.is_some()),
            _ => net.assert_no_keys(),
        }
    }
}

fn garbage(random: &mut u64, buffer: &mut [u8; 200]) -> usize {
    for chunk in buffer.chunks_mut(8) {
        *random ^= *random << 13;
        *random ^= *random >> 7;
        *random ^= *random << 17;
        chunk.copy_from_slice(&random.to_le_bytes()[..chunk.len()]);
    }
    let len = (*random % 200) as usize;
    match *random >> 60 {
        0..=5 => {
            buffer[..2].copy_from_slice(&[0, 1]);
            buffer[2..4].copy_from_slice(&(len.saturating_sub(20) as u16).to_be_bytes());
            buffer[4..8].copy_from_slice(&0x2112_a442_u32.to_be_bytes());
        }
        6..=10 => {
            buffer[0] = 20 + (*random % 7) as u8;
            buffer[1..5].copy_from_slice(&[0xfe, 0xfd, 0, (*random % 2) as u8]);
            buffer[11..13].copy_from_slice(&(len.saturating_sub(13) as u16).to_be_bytes());
        }
        _ => {}
    }
    len
}

#[test]
fn a_hundred_thousand_strange_datagrams_allocate_nothing() {
    let mut transport = transport(origin(), &WebRtcOptions::default(), &CERTIFICATE);
    let mut random = 0x9e37_79b9_7f4a_7c15;
    let mut buffer = [0; 200];
    let mut answer = [0; MAX_TRANSMIT];
    let allocated = measure(|| {
        for _ in 0..100_000 {
            let len = garbage(&mut random, &mut buffer);
            transport.open(Time::ZERO, arrival(REMOTE), &mut buffer[..len]);
            while transport.poll_transmit(&mut answer).is_some() {}
        }
    });
    assert_eq!(allocated.count_total, 0, "{allocated:?}");
}

#[test]
fn a_hundred_thousand_strange_datagrams_from_a_valid_tuple_leave_no_memory_behind() {
    let now = origin();
    let peer = DimplPeer::new(now, Version::Dtls12, true);
    let mut net = Net::new(&WebRtcOptions::default(), &CERTIFICATE, now, peer);
    net.connect(DtlsRole::Client);
    net.run(Duration::from_secs(5), faultless);
    assert_eq!(net.state(), DtlsState::Connected);
    let mut random = 0x9e37_79b9_7f4a_7c15;
    let mut buffer = [0; 200];
    let mut answer = [0; MAX_TRANSMIT];
    let mut strange = |rounds: u32| {
        for _ in 0..rounds {
            let len = garbage(&mut random, &mut buffer);
            net.transport.open(net.now, arrival(REMOTE), &mut buffer[..len]);
            while net.transport.poll_transmit(&mut answer).is_some() {}
        }
    };
    strange(10_000);
    let allocated = measure(|| strange(100_000));
    assert!(allocated.bytes_current < 64 * 1024, "{allocated:?}");
    assert_eq!(net.state(), DtlsState::Connected);
}

#[test]
fn checks_and_media_of_a_connected_peer_allocate_nothing() {
    let now = origin();
    let peer = DimplPeer::new(now, Version::Dtls12, true);
    let mut net = Net::new(&WebRtcOptions::default(), &CERTIFICATE, now, peer);
    net.connect(DtlsRole::Client);
    net.run(Duration::from_secs(5), faultless);
    let request = BindingRequest::to(&credentials(1)).nominating().bytes();
    let mut datagram = request.clone();
    let mut answer = [0; MAX_TRANSMIT];
    let mut check = |count: u64| {
        for second in 0..count {
            let now = net.now + Duration::from_secs(second);
            datagram.copy_from_slice(&request);
            let opened = net.transport.open(now, arrival(REMOTE), &mut datagram);
            assert!(matches!(opened, Opened::Consumed));
            assert!(net.transport.poll_transmit(&mut answer).is_some());
            while net.transport.poll_event().is_some() {}
            if net.transport.poll_timeout() <= now {
                net.transport.handle_timeout(now);
            }
        }
    };
    check(10);
    let allocated = measure(|| check(1000));
    assert_eq!(allocated.count_total, 0, "{allocated:?}");
}
