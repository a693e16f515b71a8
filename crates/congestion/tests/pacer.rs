//! The pacer's rate, order and bounds.

use proptest::prelude::*;
use std::time::Duration;
use tureen_congestion::send::{Estimator, Pacer, PacerConfig, PacketKind, PushError, Release, SentPacket};
use tureen_rtp_wire::Time;

const MS: Duration = Duration::from_millis(1);

fn pacer(bitrate: u64) -> Pacer<u32> {
    let mut pacer = Pacer::new(PacerConfig::default());
    pacer.set_bitrate(bitrate);
    pacer
}

/// Everything that leaves until the pacer is empty or `end` is over, with the time of each.
fn drain(pacer: &mut Pacer<u32>, mut now: Time, end: Time) -> Vec<(Time, Release<u32>)> {
    let mut left = Vec::new();
    while now <= end {
        while let Some(release) = pacer.poll(now) {
            left.push((now, release));
        }
        let next = pacer.next_deadline();
        if next == Time::NEVER {
            break;
        }
        assert!(next > now, "a timer that is due at once");
        now = next;
    }
    left
}

fn tokens(released: &[(Time, Release<u32>)]) -> Vec<u32> {
    let token = |(_, release): &(Time, Release<u32>)| match release {
        Release::Packet(packet) => Some(packet.token),
        _ => None,
    };
    released.iter().filter_map(token).collect()
}

#[test]
fn sound_goes_before_repairs_before_pictures() {
    let mut pacer = pacer(1_000_000);
    let now = Time::from_millis(10);
    for (token, kind) in [
        (1, PacketKind::Video),
        (2, PacketKind::Retransmission),
        (3, PacketKind::Audio),
        (4, PacketKind::Video),
    ] {
        pacer.push(now, token, 1000, kind).expect("there is room");
    }
    assert_eq!(tokens(&drain(&mut pacer, now, now + 100 * MS)), [3, 2, 1, 4]);
}

#[test]
fn a_queue_leaves_at_the_rate_in_bursts_of_five_milliseconds() {
    let mut pacer = pacer(8_000_000);
    let start = Time::from_millis(10);
    for token in 0..500 {
        pacer.push(start, token, 1000, PacketKind::Video).expect("there is room");
    }
    let left = drain(&mut pacer, start, start + Duration::from_secs(10));
    assert_eq!(left.len(), 500);
    let took = left.last().map(|(at, _)| at.since(start)).expect("packets left");
    assert!((490 * MS..=500 * MS).contains(&took), "{took:?}");
    let mut wakes: Vec<Time> = left.iter().map(|(at, _)| *at).collect();
    wakes.dedup();
    assert_eq!(wakes.len(), 100, "five packets a burst");
}

#[test]
fn sound_does_not_wait_for_the_rate() {
    let mut pacer = pacer(30_000);
    let now = Time::from_millis(10);
    pacer.push(now, 0, 1200, PacketKind::Video).expect("there is room");
    assert!(pacer.poll(now).is_some());
    for token in 1..4 {
        let now = now + token * 20 * MS;
        pacer.push(now, token, 80, PacketKind::Audio).expect("there is room");
        assert_eq!(tokens(&drain(&mut pacer, now, now)), [token]);
    }
}

#[test]
fn what_waited_for_too_long_is_given_back() {
    let mut pacer = pacer(8_000);
    let start = Time::from_millis(10);
    for token in 0..5 {
        pacer.push(start, token, 1000, PacketKind::Video).expect("there is room");
    }
    let left = drain(&mut pacer, start, start + Duration::from_secs(20));
    assert_eq!(tokens(&left), [0, 1], "one at once, one a second later");
    let expired = left.iter().filter(|(_, release)| matches!(release, Release::Expired { .. })).count();
    assert_eq!(expired, 3);
}

#[test]
fn queues_have_bounds_and_say_which() {
    let config = PacerConfig { packets: 8, bytes: 4000, ..PacerConfig::default() };
    let mut pacer = Pacer::new(config);
    let now = Time::from_millis(10);
    for token in 0..8 {
        pacer.push(now, token, 100, PacketKind::Video).expect("there is room");
    }
    assert_eq!(pacer.push(now, 8, 100, PacketKind::Video), Err(PushError::Packets));
    assert_eq!(pacer.push(now, 8, 4000, PacketKind::Retransmission), Err(PushError::Bytes));
    assert_eq!(pacer.push(now, 8, 4000, PacketKind::Audio), Ok(()), "sound is let in");
    assert_eq!(pacer.push(now, 9, 10, PacketKind::Padding), Err(PushError::Kind));
    assert_eq!((pacer.packets_waiting(), pacer.bytes_waiting()), (9, 4800));
    pacer.retain(|token| token % 2 == 1);
    assert_eq!(pacer.packets_waiting(), 4);
    assert_eq!(tokens(&drain(&mut pacer, now, now + Duration::from_secs(1))), [1, 3, 5, 7]);
}

#[test]
fn a_probe_takes_what_waits_and_fills_up_with_padding_at_its_rate() {
    let mut estimator = Estimator::default();
    estimator.on_sent(
        Time::from_millis(1),
        SentPacket { sequence_number: 0, size: 100, kind: PacketKind::Audio, probe: None },
    );
    let probe = estimator.on_timeout(Time::from_millis(2)).expect("the first probe");
    let mut pacer = pacer(300_000);
    let start = Time::from_millis(10);
    pacer.push(start, 7, 400, PacketKind::Video).expect("there is room");
    pacer.start_probe(start, probe);
    let left = drain(&mut pacer, start, start + Duration::from_secs(1));
    let sizes: u32 = left
        .iter()
        .map(|(_, release)| match release {
            Release::Packet(packet) => {
                assert_eq!((packet.token, packet.probe), (7, Some(probe.id)));
                u32::from(packet.size)
            }
            Release::Padding { size, probe: id } => {
                assert_eq!(*id, probe.id);
                u32::from(*size)
            }
            Release::Expired { .. } => panic!("nothing waited for long"),
        })
        .sum();
    assert!((probe.bytes..probe.bytes + 1200).contains(&sizes), "{sizes} of {}", probe.bytes);
    assert!(left.len() >= 5);
    let took = left.last().map(|(at, _)| at.since(start)).expect("packets left");
    let expected = Duration::from_secs_f64(f64::from(probe.bytes) * 8.0 / probe.bitrate as f64);
    assert!(took <= expected && took >= expected / 2, "{took:?} {expected:?}");
}

proptest! {
    #[test]
    fn in_any_second_no_more_leaves_than_the_rate_and_a_burst(
        bitrate in 20_000_u64..20_000_000,
        packets in prop::collection::vec((0_u64..3000, 40_u16..1300, any::<bool>()), 1..300),
    ) {
        let mut pacer = pacer(bitrate);
        let mut packets = packets;
        packets.sort_unstable();
        let mut left: Vec<(Time, u64)> = Vec::new();
        let mut packets = packets.into_iter().peekable();
        let mut now = Time::ZERO;
        let mut pushed = 0;
        loop {
            while let Some(&(at, size, again)) = packets.peek() && Time::from_millis(at) <= now {
                packets.next();
                let kind = if again { PacketKind::Retransmission } else { PacketKind::Video };
                pushed += u32::from(pacer.push(now, 0, size, kind).is_ok());
            }
            while let Some(release) = pacer.poll(now) {
                pushed -= 1;
                if let Release::Packet(packet) = release {
                    left.push((now, u64::from(packet.size)));
                }
            }
            let next = packets.peek().map_or(Time::NEVER, |&(at, ..)| Time::from_millis(at));
            now = next.min(pacer.next_deadline());
            if now == Time::NEVER {
                break;
            }
        }
        prop_assert_eq!(pushed, 0, "each packet came out once");
        for (first, &(from, _)) in left.iter().enumerate() {
            let until = from + Duration::from_secs(1);
            let bytes: u64 = left[first..].iter().take_while(|(at, _)| *at < until).map(|(_, size)| size).sum();
            // A second, two bursts at its ends, and a packet that each of them may exceed its time by.
            prop_assert!(bytes <= bitrate / 8 * 102 / 100 + 2 * 1300, "{} bytes at {}", bytes, bitrate);
        }
    }
}
