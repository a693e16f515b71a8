//! Once lanes and sockets are known, sending and receiving allocate nothing.

use std::net::Ipv4Addr;
use tureen_udp::{Poller, RecvBatch, SendBatch, Socket, SocketConfig};

#[test]
fn nothing_is_allocated_in_steady_state() {
    for portable in [false, true] {
        let config = SocketConfig { portable, ..SocketConfig::new((Ipv4Addr::LOCALHOST, 0).into()) };
        let (here, there) = (Socket::bind(&config).unwrap(), Socket::bind(&config).unwrap());
        let mut poller = if portable { Poller::portable() } else { Poller::new() }.unwrap();
        poller.add(&there, 1).unwrap();
        let (mut out, mut batch, mut ready) = (SendBatch::new(64), RecvBatch::new(16), Vec::new());
        let mut received = 0;
        let mut round = || {
            for number in 0..60_u32 {
                let slot = out.reserve(number % 5, 0, there.local_addr(), 1000).unwrap();
                slot.fill(number as u8);
                assert!(out.commit(1000));
            }
            assert_eq!(out.flush(|_| Some(&here)).packets, 60);
            poller.wait(Some(0), &mut ready).unwrap();
            assert_eq!(ready, [1]);
            while there.recv(&mut batch).unwrap() > 0 {
                received += batch.datagrams_mut().count();
            }
        };
        round();
        let measured = allocation_counter::measure(|| (0..50).for_each(|_| round()));
        assert_eq!((measured.count_total, received), (0, 51 * 60));
    }
}
