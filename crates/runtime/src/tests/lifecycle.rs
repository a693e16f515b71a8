//! Starting, idling, dying and stopping.

use super::support::{PATIENCE, Peer, ROUTER, consume, packet, produce, router_options, start, wait_for};
use crate::inbox::{Message, ProgramPacket, inbox};
use crate::{CallError, Runtime, RuntimeConfig, SendPacketError, ShardEvent};
use bytes::Bytes;
use crossbeam_channel::TrySendError;
use futures_channel::oneshot;
use pollster::block_on;
use std::time::{Duration, Instant};
use tureen_media_model::{CloseRouter, CreateRouter, CreateRouterError, DumpRouter, ShardId, TransportId};
use tureen_udp::Poller;

#[test]
fn each_shard_answers_for_itself() {
    let runtime = start(3);
    assert_eq!(runtime.shards().iter().map(|shard| shard.id().0).collect::<Vec<_>>(), [0, 1, 2]);
    for shard in runtime.shards() {
        let again = CreateRouter { id: ROUTER, options: router_options() };
        let refused = block_on(shard.call(again)).expect("the shard answers");
        assert_eq!(refused.err(), Some(CreateRouterError::AlreadyExists(ROUTER)));
        let snapshot = block_on(shard.snapshot()).expect("the shard answers");
        assert_eq!((snapshot.shard, snapshot.population.routers), (shard.id(), 1));
    }
    assert_eq!(runtime.shutdown(), Ok(()));
}

#[test]
fn requests_are_carried_out_in_order_even_when_nobody_waits() {
    let runtime = start(1);
    let shard = &runtime.shards()[0];
    drop(shard.call(CloseRouter { id: ROUTER }));
    drop(shard.call(CreateRouter { id: ROUTER, options: router_options() }));
    shard.post(CloseRouter { id: ROUTER });
    let dump = block_on(shard.call(DumpRouter { id: ROUTER })).expect("the shard answers");
    assert!(dump.is_err(), "the close came last");
}

#[test]
fn calls_beyond_the_limit_are_refused_and_closes_never() {
    let poller = Poller::new().expect("a poller opens");
    let (outside, inbox) = inbox(1, 1, poller.waker());
    let waiting = outside.call(Message::Snapshot).expect("one call has room");
    assert_eq!(outside.call(Message::Snapshot).err(), Some(CallError::Busy));
    for _ in 0..100 {
        outside.post(Message::Close(Box::new(CloseRouter { id: ROUTER }.into())));
    }
    assert!(matches!(inbox.next(), Some(Message::Snapshot(_))), "the call came first");
    let _second = outside.call(Message::Snapshot).expect("there is room again");
    assert_eq!(
        std::iter::from_fn(|| inbox.next()).filter(|message| matches!(message, Message::Close(_))).count(),
        100
    );
    let program = || ProgramPacket { transport: TransportId(1), packet: Bytes::new() };
    assert!(outside.packet(program()).is_ok());
    assert!(matches!(outside.packet(program()), Err(TrySendError::Full(_))));
    drop(inbox);
    assert_eq!(block_on(waiting).err(), Some(oneshot::Canceled));
    assert_eq!(outside.call(Message::Snapshot).err(), Some(CallError::Stopped));
}

#[test]
fn an_idle_shard_sleeps() {
    let runtime = start(1);
    let shard = &runtime.shards()[0];
    // A producer and a consumer that have seen a packet, so that timers are armed.
    let [sender, receiver] = [10, 11].map(|id| Peer::connect(shard, id));
    produce(shard, sender.transport, 20, 1000);
    consume(shard, receiver.transport, 30, 20);
    sender.send(&packet(1000, 1));
    receiver.receive(1);
    let before = block_on(shard.snapshot()).expect("the shard answers").turns;
    std::thread::sleep(Duration::from_secs(2));
    let after = block_on(shard.snapshot()).expect("the shard answers").turns;
    assert!(after.all - before.all < 40, "{before:?} to {after:?} within two seconds");
    assert!(after.idle - before.idle < 10, "{before:?} to {after:?} within two seconds");
}

#[test]
fn a_shard_that_panics_fails_its_calls_and_leaves_the_others_alone() {
    let runtime = start(2);
    let [dying, other] = [&runtime.shards()[0], &runtime.shards()[1]];
    let events = runtime.events();
    dying.panic();
    let pending = dying.call(DumpRouter { id: ROUTER });
    let (shard, reason) = wait_for(&events, |event| match event {
        ShardEvent::Died { shard, reason } => Some((shard, reason)),
        _ => None,
    });
    assert_eq!((shard, reason.as_str()), (ShardId(0), "asked to"));
    assert_eq!(block_on(pending).err(), Some(CallError::ShardDied));
    assert_eq!(block_on(dying.snapshot()).err(), Some(CallError::ShardDied));
    let lost = dying.send_rtp(TransportId(1), packet(1, 1).into());
    assert_eq!(lost, Err(SendPacketError::Gone(CallError::ShardDied)));
    dying.post(CloseRouter { id: ROUTER });
    assert!(block_on(other.call(DumpRouter { id: ROUTER })).expect("the other shard answers").is_ok());
    assert_eq!(runtime.shutdown(), Ok(()));
}

#[test]
fn a_death_that_nobody_hears_of_does_not_hold_up_a_shutdown() {
    let mut config = RuntimeConfig { shards: Some(1), ..RuntimeConfig::default() };
    config.queues.events = 1;
    let runtime = Runtime::start(config).expect("a runtime starts");
    let (shard, events) = (&runtime.shards()[0], runtime.events());
    for _ in 0..2 {
        drop(shard.call(CreateRouter { id: ROUTER, options: router_options() }));
        shard.post(CloseRouter { id: ROUTER });
    }
    let deadline = Instant::now() + PATIENCE;
    while !events.is_full() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(1));
    }
    shard.panic();
    assert_eq!(runtime.shutdown(), Ok(()));
}

#[test]
fn what_was_asked_before_a_shutdown_is_done_and_what_comes_after_is_refused() {
    let runtime = start(1);
    let shard = runtime.shards()[0].clone();
    let asked = shard.call(CloseRouter { id: ROUTER });
    assert_eq!(runtime.shutdown(), Ok(()));
    assert_eq!(block_on(asked), Ok(Ok(())));
    assert_eq!(block_on(shard.snapshot()).err(), Some(CallError::Stopped));
    shard.post(CloseRouter { id: ROUTER });
    let late = shard.send_rtp(TransportId(1), packet(1, 1).into());
    assert_eq!(late, Err(SendPacketError::Gone(CallError::Stopped)));
}

#[test]
fn dropping_a_runtime_stops_it() {
    let runtime = start(2);
    let shards = runtime.shards().to_vec();
    drop(runtime);
    for shard in shards {
        assert_eq!(block_on(shard.snapshot()).err(), Some(CallError::Stopped));
    }
}
