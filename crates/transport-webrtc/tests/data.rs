//! Datagrams of data behind DTLS, in both versions and roles.

mod support;

use std::time::Duration;
use support::peers::{DimplPeer, Peer as _, Version};
use support::{Net, REMOTE, faultless, origin};
use tureen_rtp_dictionaries::{DtlsRole, DtlsState};
use tureen_transport::{MAX_DATA, MAX_TRANSMIT, Opened, Transport};
use tureen_transport_webrtc::{DtlsCertificate, WebRtcOptions};

const LIMIT: Duration = Duration::from_secs(5);

fn connected(version: Version, is_client: bool) -> Net<DimplPeer> {
    let mut options = WebRtcOptions::default();
    options.dtls_13 = true;
    let now = origin();
    let peer = DimplPeer::new(now, version, is_client);
    let mut net = Net::new(&options, &DtlsCertificate::generate().unwrap(), now, peer);
    net.transport.send_data(net.now, b"too early");
    net.connect(if is_client { DtlsRole::Client } else { DtlsRole::Server });
    net.run(LIMIT, faultless);
    assert_eq!(net.state(), DtlsState::Connected);
    net
}

#[test]
fn data_goes_both_ways_a_datagram_at_a_time() {
    for version in [Version::Dtls12, Version::Dtls13] {
        for is_client in [true, false] {
            let mut net = connected(version, is_client);
            let longest = vec![7; MAX_DATA];
            net.transport.send_data(net.now, b"first");
            net.transport.send_data(net.now, &longest);
            net.transport.send_data(net.now, &[8; MAX_DATA + 1]);
            net.run(LIMIT, faultless);
            assert_eq!(net.peer.data, [b"first".to_vec(), longest], "{version:?} {is_client}");

            net.peer.send(b"answer");
            net.peer.send(b"and another");
            net.run(LIMIT, faultless);
            assert_eq!(net.transport.poll_data().as_deref(), Some(b"answer".as_slice()));
            assert_eq!(net.transport.poll_data().as_deref(), Some(b"and another".as_slice()));
            assert_eq!(net.transport.poll_data(), None);
        }
    }
}

#[test]
fn data_of_one_who_is_never_taken_does_not_pile_up() {
    let mut net = connected(Version::Dtls12, true);
    for count in 0..500u16 {
        net.peer.send(&count.to_be_bytes());
        net.run(LIMIT, faultless);
    }
    let kept: Vec<_> = std::iter::from_fn(|| net.transport.poll_data()).collect();
    assert_eq!(kept.len(), 64);
    assert_eq!(kept[0], [0, 0], "the first ones; the remote says the rest again");
}

#[test]
fn nothing_is_sent_after_a_goodbye() {
    let mut net = connected(Version::Dtls12, true);
    net.peer.close();
    let goodbye = net.peer.transmit().expect("a goodbye");
    assert!(matches!(net.open(REMOTE, &goodbye), Opened::Consumed));
    while net.transport.poll_transmit(&mut [0; MAX_TRANSMIT]).is_some() {}
    net.transport.send_data(net.now, b"too late");
    assert_eq!(net.transport.poll_transmit(&mut [0; MAX_TRANSMIT]), None);
}
