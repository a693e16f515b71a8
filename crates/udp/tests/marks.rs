//! ECN marks of IP headers: read from what arrives, set on what leaves, in both address families.
#![cfg(target_os = "linux")]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};
use tureen_udp::{RecvBatch, SendBatch, Socket, SocketConfig};

const V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);
const ANY: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);

fn bind(ip: IpAddr, ecn: bool) -> Socket {
    Socket::bind(&SocketConfig { ecn, ..SocketConfig::new(SocketAddr::new(ip, 0)) }).unwrap()
}

/// First octet, length and mark of the datagrams that arrive until there are so many.
fn receive(socket: &Socket, count: usize) -> Vec<(u8, usize, u8)> {
    let (mut batch, mut received) = (RecvBatch::new(8), Vec::new());
    let deadline = Instant::now() + Duration::from_secs(2);
    while received.len() < count && Instant::now() < deadline {
        socket.recv(&mut batch).unwrap();
        received.extend(batch.datagrams_mut().map(|it| (it.bytes[0], it.bytes.len(), it.ecn)));
    }
    received
}

/// Packets of a lane with these marks; each is as long as its number says.
fn send(from: &Socket, to: SocketAddr, marks: &[u8]) -> u64 {
    let mut batch = SendBatch::new(64);
    for (number, ecn) in (1..).zip(marks) {
        batch.reserve(0, 0, to, 100).unwrap().fill(number);
        assert!(batch.commit_marked(100, *ecn));
    }
    let stats = batch.flush(|_| Some(from));
    assert_eq!(stats.packets, marks.len() as u64);
    stats.gso_messages
}

#[test]
fn a_mark_that_another_socket_sets_is_seen() {
    for (ip, level, option) in
        [(V4, libc::IPPROTO_IP, libc::IP_TOS), (V6, libc::IPPROTO_IPV6, libc::IPV6_TCLASS)]
    {
        let (there, plain) = (bind(ip, true), UdpSocket::bind((ip, 0)).unwrap());
        for tos in [0_u32, 1, 2, 3, 0xb8 | 1] {
            let set = socket2::SockRef::from(&plain);
            match option {
                libc::IP_TOS => set.set_tos_v4(tos).unwrap(),
                _ => set.set_tclass_v6(tos).unwrap(),
            }
            plain.send_to(&[tos as u8; 5], there.local_addr()).unwrap();
            assert_eq!(receive(&there, 1), [(tos as u8, 5, tos as u8 & 3)], "{level}");
        }
    }
}

#[test]
fn packets_leave_with_their_marks() {
    for ip in [V4, V6] {
        let (here, there) = (bind(ip, true), bind(ip, true));
        assert!(here.has_ecn());
        let messages = send(&here, there.local_addr(), &[1, 1, 1, 0, 3, 2, 2]);
        let expected = [(1, 1), (2, 1), (3, 1), (4, 0), (5, 3), (6, 2), (7, 2)];
        assert_eq!(receive(&there, 7), expected.map(|(number, ecn)| (number, 100, ecn)));
        assert_eq!(messages, 2, "what has one mark is one message");
    }
}

#[test]
fn a_socket_of_both_families_marks_both() {
    let (here, v4, v6) = (bind(ANY, true), bind(V4, true), bind(V6, true));
    for there in [&v4, &v6] {
        send(&here, there.local_addr(), &[1]);
        assert_eq!(receive(there, 1), [(1, 100, 1)]);
        let port = here.local_addr().port();
        send(there, SocketAddr::new(there.local_addr().ip(), port), &[3]);
        assert_eq!(receive(&here, 1), [(1, 100, 3)]);
    }
}

#[test]
fn a_connected_socket_marks_too() {
    let (here, there) = (bind(V4, true).for_one_remote(), bind(V4, true));
    send(&here, there.local_addr(), &[1, 1]);
    assert_eq!(receive(&there, 2), [(1, 100, 1), (2, 100, 1)]);
}

#[test]
fn without_being_asked_nothing_is_read_or_set() {
    let (plain, marking, reading) = (bind(V4, false), bind(V4, true), bind(V4, true));
    assert!(!plain.has_ecn());
    send(&plain, reading.local_addr(), &[1]);
    assert_eq!(receive(&reading, 1), [(1, 100, 0)]);
    send(&marking, plain.local_addr(), &[1]);
    assert_eq!(receive(&plain, 1), [(1, 100, 0)]);
    let portable = SocketConfig { ecn: true, portable: true, ..SocketConfig::new(SocketAddr::new(V4, 0)) };
    let portable = Socket::bind(&portable).unwrap();
    assert!(!portable.has_ecn());
    send(&portable, reading.local_addr(), &[1]);
    assert_eq!(receive(&reading, 1), [(1, 100, 0)]);
    assert!(portable.as_fd().try_clone_to_owned().is_ok());
}
