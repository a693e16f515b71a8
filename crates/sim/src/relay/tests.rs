//! The relay over real sockets: what passes, what is dropped, and that it ends.

use std::time::Instant;

use super::*;
use crate::link::Loss;

const RTP: [u8; 12] = [0x80, 101, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1];
const RTCP: [u8; 8] = [0x81, 205, 0, 1, 0, 0, 0, 1];

fn socket() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    socket
}

#[test]
fn datagrams_are_told_apart_by_their_first_bytes() {
    assert_eq!(DatagramKind::of(&RTP), DatagramKind::Rtp { payload_type: 101 });
    assert_eq!(DatagramKind::of(&[0x80, 0x80 | 101]), DatagramKind::Rtp { payload_type: 101 });
    assert_eq!(DatagramKind::of(&RTCP), DatagramKind::Rtcp);
    assert_eq!(DatagramKind::of(&[0, 1, 0, 0]), DatagramKind::Other);
    assert_eq!(DatagramKind::of(&[22, 254, 253]), DatagramKind::Other);
    assert_eq!(DatagramKind::of(&[0x80]), DatagramKind::Other);
    assert!(Filter::PayloadType(101).picks(&RTP) && !Filter::PayloadType(102).picks(&RTP));
    assert!(Filter::Rtcp.picks(&RTCP) && !Filter::Rtcp.picks(&RTP) && !Filter::Rtp.picks(&RTCP));
}

#[test]
fn datagrams_go_to_the_target_and_back_to_the_client() {
    let (client, target) = (socket(), socket());
    let relay = Relay::start(RelayConfig::new(target.local_addr().unwrap())).unwrap();
    client.send_to(&RTP, relay.listen_addr()).unwrap();
    let mut buffer = [0; 100];
    assert_eq!(target.recv_from(&mut buffer).unwrap(), (12, relay.target_side_addr()));
    target.send_to(&RTCP, relay.target_side_addr()).unwrap();
    assert_eq!(client.recv_from(&mut buffer).unwrap(), (8, relay.listen_addr()));
    assert_eq!(buffer[..8], RTCP);
    // The datagram is on its way before it is counted.
    let deadline = Instant::now() + Duration::from_secs(5);
    while relay.to_client_stats().passed() == 0 && Instant::now() < deadline {
        std::thread::yield_now();
    }
    assert_eq!(relay.to_target_stats(), RelayStats { rtp_passed: 1, ..RelayStats::default() });
    assert_eq!(relay.to_client_stats(), RelayStats { rtcp_passed: 1, ..RelayStats::default() });
}

#[test]
fn only_what_the_filter_picks_is_impaired() {
    let (client, target) = (socket(), socket());
    let mut config = RelayConfig::new(target.local_addr().unwrap());
    let link = LinkConfig { loss: Loss::Random(1.0), ..LinkConfig::default() };
    config.to_target = Impairment { link, filter: Filter::Rtp };
    let relay = Relay::start(config).unwrap();
    for _ in 0..10 {
        client.send_to(&RTP, relay.listen_addr()).unwrap();
        client.send_to(&RTCP, relay.listen_addr()).unwrap();
    }
    let mut buffer = [0; 100];
    for _ in 0..10 {
        let (size, _) = target.recv_from(&mut buffer).unwrap();
        assert_eq!(buffer[..size], RTCP);
    }
    assert_eq!(relay.to_target_stats().rtp_dropped, 10);
    assert_eq!(relay.to_target_stats().rtcp_dropped, 0);
}

#[test]
fn the_delay_is_that_of_the_link() {
    let (client, target) = (socket(), socket());
    let mut config = RelayConfig::new(target.local_addr().unwrap());
    config.to_target.link.delay = Duration::from_millis(60);
    let relay = Relay::start(config).unwrap();
    let sent = Instant::now();
    client.send_to(&RTP, relay.listen_addr()).unwrap();
    target.recv_from(&mut [0; 100]).unwrap();
    let delay = sent.elapsed();
    assert!(delay >= Duration::from_millis(60) && delay < Duration::from_secs(1), "{delay:?}");
}

#[test]
fn the_rate_towards_the_client_can_be_changed_while_it_runs() {
    let (client, target) = (socket(), socket());
    let mut config = RelayConfig::new(target.local_addr().unwrap());
    config.client = Some(client.local_addr().unwrap());
    let relay = Relay::start(config).unwrap();
    let took = || {
        let sent = Instant::now();
        target.send_to(&[0; 1250], relay.target_side_addr()).unwrap();
        client.recv_from(&mut [0; 1500]).unwrap();
        sent.elapsed()
    };
    // 1250 bytes take 100 ms of 100 kbit/s.
    relay.set_rate_to_client(Some(100_000));
    assert!(took() >= Duration::from_millis(100));
    target.send_to(&[0; 1250], relay.target_side_addr()).unwrap();
    let deadline = Instant::now() + Duration::from_secs(5);
    while relay.queue_to_client() < Duration::from_millis(50) {
        assert!(Instant::now() < deadline, "nothing waits");
    }
    client.recv_from(&mut [0; 1500]).unwrap();
    relay.set_rate_to_client(Some(0));
    target.send_to(&[0; 1250], relay.target_side_addr()).unwrap();
    while relay.to_client_stats().other_dropped == 0 {
        assert!(Instant::now() < deadline, "nothing passes a rate of zero");
    }
}

#[test]
fn a_preset_client_is_reached_before_it_speaks() {
    let (client, target) = (socket(), socket());
    let mut config = RelayConfig::new(target.local_addr().unwrap());
    config.client = Some(client.local_addr().unwrap());
    let relay = Relay::start(config).unwrap();
    target.send_to(&RTCP, relay.target_side_addr()).unwrap();
    assert_eq!(client.recv_from(&mut [0; 100]).unwrap(), (8, relay.listen_addr()));
}

#[test]
fn a_dropped_relay_gives_its_ports_back() {
    let target = socket();
    let relay = Relay::start(RelayConfig::new(target.local_addr().unwrap())).unwrap();
    let addr = relay.listen_addr();
    drop(relay);
    UdpSocket::bind(addr).unwrap();
}
