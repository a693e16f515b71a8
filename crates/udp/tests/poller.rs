//! Waiting: readiness, timeouts, wake-ups from other threads, with `epoll(7)` and `poll(2)`.

use std::io::ErrorKind;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};
use tureen_udp::{Poller, RecvBatch, SendBatch, Socket, SocketConfig};

fn bind() -> Socket {
    Socket::bind(&SocketConfig::new((Ipv4Addr::LOCALHOST, 0).into())).unwrap()
}

fn pollers() -> [Poller; 2] {
    [Poller::new().unwrap(), Poller::portable().unwrap()]
}

fn send(from: &Socket, to: &Socket) {
    let mut batch = SendBatch::new(1);
    batch.reserve(0, 0, to.local_addr(), 1).unwrap().fill(7);
    assert!(batch.commit(1));
    assert_eq!(batch.flush(|_| Some(from)).packets, 1);
}

const SECOND: Option<u64> = Some(1_000_000_000);

#[test]
fn ready_sockets_are_named_until_they_are_read() {
    for mut poller in pollers() {
        let sockets: Vec<_> = (0..20).map(|_| bind()).collect();
        for (token, socket) in sockets.iter().enumerate() {
            poller.add(socket, token as u64 + 100).unwrap();
        }
        let mut ready = vec![1, 2, 3];
        assert!(!poller.wait(Some(0), &mut ready).unwrap());
        assert!(ready.is_empty());
        send(&sockets[0], &sockets[3]);
        send(&sockets[0], &sockets[17]);
        for _ in 0..2 {
            assert!(!poller.wait(SECOND, &mut ready).unwrap());
            ready.sort_unstable();
            assert_eq!(ready, [103, 117]);
        }
        assert_eq!(sockets[3].recv(&mut RecvBatch::new(2)).unwrap(), 1);
        poller.remove(&sockets[17]).unwrap();
        poller.wait(Some(1_000_000), &mut ready).unwrap();
        assert!(ready.is_empty());
    }
}

#[test]
fn a_wait_lasts_as_long_as_it_should() {
    for mut poller in pollers() {
        let mut ready = Vec::new();
        for timeout in [300_000_u64, 2_500_000, 20_000_000] {
            let start = Instant::now();
            assert!(!poller.wait(Some(timeout), &mut ready).unwrap());
            let waited = start.elapsed();
            assert!(waited >= Duration::from_nanos(timeout), "{waited:?} of {timeout} ns");
            assert!(waited < Duration::from_secs(1));
        }
    }
}

#[test]
fn wakers_end_the_wait() {
    for mut poller in pollers() {
        let waker = poller.waker();
        let mut ready = Vec::new();
        // Before the wait: many calls, one wake-up.
        for _ in 0..100 {
            waker.wake();
        }
        assert!(poller.wait(None, &mut ready).unwrap());
        assert!(!poller.wait(Some(0), &mut ready).unwrap());
        std::thread::scope(|scope| {
            for _ in 0..50 {
                let thread = scope.spawn(|| waker.clone().wake());
                assert!(poller.wait(None, &mut ready).unwrap());
                thread.join().unwrap();
                // The flag may have been raised by the same call that this wait saw; nothing may be left behind.
                poller.wait(Some(0), &mut ready).unwrap();
            }
        });
        drop(poller);
        waker.wake();
    }
}

#[test]
fn no_wake_up_is_lost() {
    use std::sync::atomic::{AtomicU64, Ordering};
    for mut poller in pollers() {
        let (waker, work) = (poller.waker(), AtomicU64::new(0));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for _ in 0..20_000 {
                    work.fetch_add(1, Ordering::Relaxed);
                    waker.wake();
                }
            });
            let (mut seen, mut ready) = (0, Vec::new());
            while seen < 20_000 {
                assert!(
                    poller.wait(Some(5_000_000_000), &mut ready).unwrap(),
                    "a wake-up was lost at {seen}"
                );
                seen += work.swap(0, Ordering::Relaxed);
            }
        });
    }
}

#[test]
fn misuse_is_refused() {
    for mut poller in pollers() {
        let socket = bind();
        assert_eq!(poller.add(&socket, u64::MAX).unwrap_err().kind(), ErrorKind::InvalidInput);
        assert_eq!(poller.remove(&socket).unwrap_err().kind(), ErrorKind::NotFound);
        poller.add(&socket, 1).unwrap();
        assert_eq!(poller.add(&socket, 2).unwrap_err().kind(), ErrorKind::AlreadyExists);
        poller.remove(&socket).unwrap();
        poller.add(&socket, 3).unwrap();
    }
}
