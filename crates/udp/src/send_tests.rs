//! The answers of the system that a loopback device does not give: full buffers, partial sends, devices that cannot
//! segment.

use super::{Flush, FlushStats, Transmit};
use crate::slots::{Run, Slots};
use crate::{RecvBatch, Socket, SocketConfig};
use std::collections::VecDeque;
use std::io;
use std::net::Ipv4Addr;

/// Answers as it is told and notes what it is asked.
struct Script {
    answers: VecDeque<io::Result<usize>>,
    asked: Vec<usize>,
}

impl Transmit for Script {
    fn transmit(&mut self, _socket: &Socket, from: usize) -> io::Result<usize> {
        self.asked.push(from);
        self.answers.pop_front().expect("an answer for each call")
    }
}

struct Bench {
    here: Socket,
    there: Socket,
    slots: Slots,
    runs: Vec<Run>,
}

impl Bench {
    /// Three lanes with three packets each, one message a lane.
    fn new() -> Self {
        let bind = || Socket::bind(&SocketConfig::new((Ipv4Addr::LOCALHOST, 0).into())).unwrap();
        let (here, there, mut slots) = (bind(), bind(), Slots::new(9, 100));
        for packet in 0..9_u8 {
            slots.reserve(u32::from(packet / 3), 0, there.local_addr(), 10).unwrap().fill(packet);
            assert!(slots.commit(10, 0));
        }
        let mut runs = Vec::new();
        slots.for_each_run(0, 64, |run| runs.push(run));
        assert_eq!(runs.iter().map(|run| run.packets).collect::<Vec<_>>(), [3, 3, 3]);
        Self { here, there, slots, runs }
    }

    fn flush(&self, answers: impl IntoIterator<Item = io::Result<usize>>) -> (FlushStats, Vec<usize>, bool) {
        let mut script = Script { answers: answers.into_iter().collect(), asked: Vec::new() };
        let mut stats = FlushStats::default();
        let done = Flush { slots: &self.slots, socket: &self.here, stats: &mut stats }
            .send_part(&self.runs, &mut script);
        assert!(script.answers.is_empty());
        (stats, script.asked, done)
    }

    /// The first byte of each datagram that really was sent.
    fn arrived(&self) -> Vec<u8> {
        let mut batch = RecvBatch::new(8);
        let mut bytes = Vec::new();
        while self.there.recv(&mut batch).unwrap() > 0 {
            bytes.extend(batch.datagrams_mut().map(|datagram| datagram.bytes[0]));
        }
        bytes
    }
}

fn error<T>(code: i32) -> io::Result<T> {
    Err(io::Error::from_raw_os_error(code))
}

#[test]
fn a_partial_send_goes_on_where_it_stopped() {
    let (stats, asked, done) = Bench::new().flush([Ok(1), error(libc::EINTR), Ok(2)]);
    assert_eq!((asked, done), (vec![0, 1, 1], true));
    assert_eq!((stats.packets, stats.bytes, stats.gso_messages, stats.system_calls), (9, 90, 3, 3));
}

#[test]
fn a_full_buffer_drops_the_rest() {
    for code in [libc::EAGAIN, libc::ENOBUFS] {
        let (stats, asked, done) = Bench::new().flush([Ok(1), error(code)]);
        assert_eq!((asked, done), (vec![0, 1], false));
        assert_eq!((stats.packets, stats.dropped_would_block, stats.dropped_error), (3, 6, 0));
    }
}

#[test]
fn a_message_that_is_refused_costs_itself_only() {
    let (stats, asked, done) = Bench::new().flush([error(libc::EACCES), Ok(2)]);
    assert_eq!((asked, done), (vec![0, 1], true));
    assert_eq!((stats.packets, stats.dropped_error), (6, 3));
}

#[test]
fn an_error_of_an_earlier_packet_costs_nothing() {
    let (stats, asked, _) = Bench::new().flush([error(libc::ECONNREFUSED), Ok(3)]);
    assert_eq!(asked, [0, 0]);
    assert_eq!((stats.packets, stats.refused), (9, 1));
    let stubborn = (0..5).map(|_| error(libc::ECONNREFUSED)).chain([Ok(2)]);
    let (stats, _, _) = Bench::new().flush(stubborn);
    assert_eq!((stats.packets, stats.dropped_error, stats.refused), (6, 3, 4));
}

#[test]
fn a_device_that_cannot_segment_is_believed_at_once() {
    let bench = Bench::new();
    assert!(bench.here.max_segments() > 1);
    let (stats, asked, _) = bench.flush([Ok(1), error(libc::EIO)]);
    assert_eq!(asked, [0, 1], "the third message is not tried as one");
    assert_eq!((stats.packets, stats.gso_messages), (9, 1));
    assert_eq!(bench.here.max_segments(), 1);
    assert_eq!(bench.arrived(), [3, 4, 5, 6, 7, 8]);
}

#[test]
fn a_destination_with_a_small_mtu_does_not_end_segmentation_for_all() {
    let bench = Bench::new();
    let (stats, ..) = bench.flush([error(libc::EINVAL), Ok(2)]);
    assert_eq!((stats.packets, stats.gso_messages), (9, 2));
    assert!(bench.here.max_segments() > 1);
    assert_eq!(bench.arrived(), [0, 1, 2]);
    for _ in 0..22 {
        if bench.here.max_segments() > 1 {
            let failures = (0..3).map(|_| error(libc::EINVAL));
            let mut script = Script { answers: failures.collect(), asked: Vec::new() };
            let mut stats = FlushStats::default();
            Flush { slots: &bench.slots, socket: &bench.here, stats: &mut stats }
                .send_part(&bench.runs, &mut script);
            assert_eq!(stats.packets, 9);
        }
    }
    assert_eq!(bench.here.max_segments(), 1, "but a refusal without end does");
}
