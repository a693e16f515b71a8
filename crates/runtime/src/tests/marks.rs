//! Marks of congestion in IP headers: those of a publisher come back in its feedback, and packets leave with theirs.

use super::support::{LOCALHOST, PATIENCE, start};
use crate::PlainListen;
use crate::net::Net;
use pollster::block_on;
use std::net::{SocketAddr, UdpSocket};
use std::time::Instant;
use tureen_media_model::{
    CreateRouter, Produce, ProducerId, ProducerOptions, RouterId, RouterOptions, TransportId,
};
use tureen_rtp_dictionaries::MediaKind;
use tureen_rtp_wire::Ecn;
use tureen_rtp_wire::rtcp::{Compound, RtcpPacket};
use tureen_transport::{Destination, Egress as _, Lane, PlainConnectOptions, PlainTransportOptions};
use tureen_udp::{RecvBatch, Socket, SocketConfig};

const ROUTER: RouterId = RouterId(2);
const TRANSPORT: TransportId = TransportId(10);
const SSRC: u32 = 1000;

/// A packet that is a whole key frame of VP8.
fn picture(sequence_number: u8) -> Vec<u8> {
    let mut packet = vec![0x80, 0x80 | 96, 0, sequence_number, 0, 0, 0, sequence_number];
    packet.extend(SSRC.to_be_bytes());
    packet.extend([0x10, 0x02, 0x00, 0x9d, 0x01, 0x2a, 0x40, 0x01, 0xf0, 0x00]);
    packet
}

/// The marks that feedback on streams tells of, of the first packets in order.
fn told(socket: &UdpSocket, count: usize) -> Vec<Option<u8>> {
    let (mut buffer, mut marks) = ([0; 2048], Vec::new());
    while marks.len() < count {
        let len = socket.recv(&mut buffer).expect("feedback comes in time");
        for packet in Compound::parse(&buffer[..len]).into_iter().flatten().flatten() {
            let RtcpPacket::CongestionFeedback(feedback) = packet else { continue };
            let packets =
                feedback.streams().filter(|stream| stream.ssrc == SSRC).flat_map(|stream| stream.packets());
            marks.extend(packets.map(|(_, report)| report.map(|report| report.ecn)));
        }
    }
    marks
}

#[test]
fn a_publisher_is_told_of_the_marks_of_its_packets() {
    let runtime = start(1);
    let shard = &runtime.shards()[0];
    let codecs = serde_json::json!([{"kind": "video", "mimeType": "video/VP8", "clockRate": 90000,
                                     "rtcpFeedback": [{"type": "ack", "parameter": "ccfb"}]}]);
    let media_codecs = serde_json::from_value(codecs).expect("these are codecs");
    let router = CreateRouter { id: ROUTER, options: RouterOptions { media_codecs } };
    block_on(shard.call(router)).expect("the shard answers").expect("the router is made");
    let mut listen = PlainListen::new(LOCALHOST);
    listen.rtp.ecn = true;
    let added = shard.add_plain_transport(ROUTER, TRANSPORT, &listen, PlainTransportOptions::default(), None);
    let remote = block_on(added).expect("the transport is added").local;
    let socket = UdpSocket::bind((LOCALHOST, 0)).expect("a peer binds");
    socket.set_read_timeout(Some(PATIENCE)).expect("a timeout is set");
    let port = socket.local_addr().expect("a bound socket has an address").port();
    let options = PlainConnectOptions { ip: Some(LOCALHOST), port: Some(port), ..Default::default() };
    block_on(shard.connect_transport(TRANSPORT, options)).expect("the transport connects");
    let rtp_parameters = serde_json::from_value(serde_json::json!({
        "codecs": [{"mimeType": "video/VP8", "clockRate": 90000, "payloadType": 96,
                    "rtcpFeedback": [{"type": "ack", "parameter": "ccfb"}]}],
        "encodings": [{"ssrc": SSRC}]
    }))
    .expect("these are parameters");
    let options = ProducerOptions {
        id: ProducerId(20),
        kind: MediaKind::Video,
        rtp_parameters,
        paused: false,
        key_frame_request_delay: Default::default(),
        key_frame_cache: None,
        content_hint: None,
    };
    let produce = Produce { transport: TRANSPORT, options };
    block_on(shard.call(produce)).expect("the shard answers").expect("the producer is made");
    // The class of service above the mark is nobody's business here.
    for (number, tos) in (1..).zip([1, 0xb8 | 3, 0]) {
        socket2::SockRef::from(&socket).set_tos_v4(tos).expect("a mark is set");
        socket.send_to(&picture(number), remote).expect("loopback takes a datagram");
    }
    assert_eq!(told(&socket, 3), [Some(1), Some(3), Some(0)]);
}

#[test]
fn packets_leave_a_shard_with_their_marks() {
    let bind = |ecn| Socket::bind(&SocketConfig { ecn, ..SocketConfig::new(SocketAddr::new(LOCALHOST, 0)) });
    let there = bind(true).expect("a socket binds");
    for (ecn, expected) in [(true, [1, 0, 3]), (false, [0, 0, 0])] {
        let (mut net, _waker) = Net::open(false).expect("a shard's sockets");
        let socket = net.add(bind(ecn).expect("a socket binds")).expect("it is taken in");
        let mut out = net.outgoing();
        for mark in [Ecn::Capable1, Ecn::NotCapable, Ecn::CongestionExperienced] {
            let to = Destination::Socket { socket, remote: there.local_addr() };
            out.reserve(Lane(0), &to, 10).expect("there is room").fill(7);
            match mark {
                Ecn::NotCapable => out.commit(10),
                mark => out.commit_marked(10, mark),
            }
        }
        net.flush(|_, _| panic!("nothing is for the program"));
        let (mut batch, mut marks, deadline) = (RecvBatch::new(8), Vec::new(), Instant::now() + PATIENCE);
        while marks.len() < 3 && Instant::now() < deadline {
            there.recv(&mut batch).expect("loopback gives datagrams");
            marks.extend(batch.datagrams_mut().map(|datagram| datagram.ecn));
        }
        assert_eq!(marks, expected);
    }
}
