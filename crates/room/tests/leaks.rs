//! Rooms come and go, and leave nothing behind: neither objects in the Cores nor memory.
#![allow(clippy::print_stdout, reason = "the numbers are the result")]

mod support;

use pollster::block_on;
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use std::alloc::System;
use support::*;
use tureen::model::Population;
use tureen_room::conference::*;

#[global_allocator]
static GLOBAL: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// What may differ: tables that grew meanwhile.
const SLACK: isize = 4096;

fn live_bytes() -> isize {
    let stats = GLOBAL.stats();
    stats.bytes_allocated as isize - stats.bytes_deallocated as isize
}

/// A room in which one hears another, and what ends it.
fn cycle(server: &Server, number: usize) {
    let room = room_of(server);
    let (alice, bob) = (able(&room, "alice"), able(&room, "bob"));
    let (source, sink) = (transport(&alice), transport(&bob));
    let receiver = speaking(&alice, &source, 1000);
    let sender = only_sender(&bob);
    let closed = Log::default();
    sender.on_close(closed.closing("sender")).detach();
    block_on(sender.set_transport(&sink)).expect("a consumer");
    let heard = Heard::of(&sender.consumer().expect("it is active"));
    send(&receiver, rtp_packet(1000, 100, 1, &[7]));
    heard.wait_for(7);
    match number % 4 {
        0 => receiver.close(),
        1 => source.close(),
        2 => alice.close(),
        _ => {}
    }
    room.close();
    assert_eq!(closed.wait(1), ["sender close"]);
}

/// All that was asked for is done: nothing is in a Core, and nobody is told any more.
fn settle(server: &Server) {
    for worker in server.workers() {
        eventually("empty Cores", || {
            let shards = block_on(worker.snapshot()).expect("it is open");
            shards.iter().all(|shard| shard.population == Population::default())
        });
        block_on(worker.manager().all_told());
    }
}

#[test]
fn rooms_leave_nothing_behind() {
    let full = std::env::var_os("TUREEN_TEST_FULL").is_some();
    let (warm_up, cycles) = if full { (1000, 10_000) } else { (200, 1000) };
    let server = server(1);
    (0..warm_up).for_each(|number| cycle(&server, number));
    settle(&server);
    let before = live_bytes();
    (warm_up..cycles).for_each(|number| cycle(&server, number));
    settle(&server);
    let grown = live_bytes() - before;
    println!("{grown} bytes more after {cycles} rooms than after {warm_up}");
    assert!(grown.abs() <= SLACK, "{grown} bytes more");
}
