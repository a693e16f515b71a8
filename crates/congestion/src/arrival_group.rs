//! Groups of packets that were sent together, and what the network made of the time between them
//! (draft-ietf-rmcat-gcc-02 sections 5.1 and 5.2).

use std::time::Duration;
use tureen_rtp_wire::Time;

/// Packets sent within this long of a group's first belong to the group (section 5.2, `burst_time`).
const BURST_TIME: f64 = 5.0;
/// A group that arrives longer than this after the one before says nothing of queues.
const MAX_GAP: Duration = Duration::from_secs(3);

/// Milliseconds between two groups of packets.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct GroupDelta {
    /// As they were sent.
    pub sent: f64,
    /// As they arrived.
    pub arrived: f64,
}

#[derive(Clone, Copy, Debug)]
struct Group {
    first_sent: u32,
    last_sent: u32,
    first_arrival: Time,
    last_arrival: Time,
}

/// Puts packets into groups.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ArrivalGroups {
    current: Option<Group>,
    previous: Option<Group>,
}

impl ArrivalGroups {
    /// Takes a packet. If it begins a group, gives what lies between the two groups before it.
    pub(crate) fn add(&mut self, now: Time, abs_send_time: u32) -> Option<GroupDelta> {
        let Some(current) = &mut self.current else {
            self.current = Some(Group::new(now, abs_send_time));
            return None;
        };
        if now.since(current.last_arrival) > MAX_GAP {
            *self = Self { current: Some(Group::new(now, abs_send_time)), previous: None };
            return None;
        }
        let sent = send_delta(abs_send_time, current.first_sent);
        if sent < 0.0 {
            // Reordered: it belongs to a group that is over.
            return None;
        }
        if sent <= BURST_TIME || current.is_burst(now, abs_send_time) {
            current.extend(now, abs_send_time);
            return None;
        }
        let ended = *current;
        self.current = Some(Group::new(now, abs_send_time));
        let before = self.previous.replace(ended)?;
        Some(GroupDelta {
            sent: send_delta(ended.last_sent, before.last_sent),
            arrived: millis(ended.last_arrival.since(before.last_arrival)),
        })
    }
}

impl Group {
    const fn new(now: Time, abs_send_time: u32) -> Self {
        Self { first_sent: abs_send_time, last_sent: abs_send_time, first_arrival: now, last_arrival: now }
    }

    fn extend(&mut self, now: Time, abs_send_time: u32) {
        if send_delta(abs_send_time, self.last_sent) > 0.0 {
            self.last_sent = abs_send_time;
        }
        self.last_arrival = now;
    }

    /// Whether a packet came out of a queue right behind the group: closer than it was sent. Ends after 100 ms, so that a
    /// long queue still has groups.
    fn is_burst(&self, now: Time, abs_send_time: u32) -> bool {
        let arrived = millis(now.since(self.last_arrival));
        let sent = send_delta(abs_send_time, self.last_sent);
        arrived <= BURST_TIME && arrived < sent && now.since(self.first_arrival) < Duration::from_millis(100)
    }
}

/// Milliseconds from one absolute send time to another: 24 bits of 2^-18 s that wrap every 64 s.
fn send_delta(to: u32, from: u32) -> f64 {
    let delta = (to.wrapping_sub(from) << 8).cast_signed() >> 8;
    f64::from(delta) * 1000.0 / f64::from(1 << 18)
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2^-18 s in `micros` microseconds.
    fn sent(micros: u64) -> u32 {
        ((micros << 18) / 1_000_000) as u32 & 0x00ff_ffff
    }

    #[test]
    fn groups_are_told_apart_by_when_they_were_sent_across_the_wrap() {
        let mut groups = ArrivalGroups::default();
        let mut deltas = Vec::new();
        let start = 63_960_000;
        // Three packets 1 ms apart every 20 ms; the third group is 7 ms late.
        for group in 0..5u64 {
            for packet in 0..3u64 {
                let at = start + group * 20_000 + packet * 1000;
                let arrival = at + if group >= 2 { 7000 } else { 0 };
                deltas.extend(groups.add(Time::from_micros(arrival), sent(at)));
            }
        }
        assert_eq!(deltas.len(), 3);
        for (delta, arrived) in deltas.iter().zip([20.0, 27.0, 20.0]) {
            assert!((delta.sent - 20.0).abs() < 0.01, "{delta:?}");
            assert!((delta.arrived - arrived).abs() < 0.01, "{delta:?}");
        }
    }

    #[test]
    fn what_is_older_than_the_group_does_not_count() {
        let mut groups = ArrivalGroups::default();
        for (micros, at) in [(0, 20_000), (1000, 0), (40_000, 40_000), (41_000, 20_000), (60_000, 60_000)] {
            let delta = groups.add(Time::from_micros(micros), sent(at));
            assert_eq!(delta.is_some(), micros == 60_000);
        }
    }
}
