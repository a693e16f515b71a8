//! Probes: short trains of packets, sent faster than the estimate, that show what the way carries.
//!
//! This decides when to probe and at what rate, and reads the result. It must not know what the packets hold; who paces
//! them sends media first and padding where there is none.

use super::history::SentPacket;
use std::time::Duration;
use tureen_rtp_wire::Time;

/// Tells the packets of one probe from those of others; it wraps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ProbeId(u8);

/// A train of packets to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probe {
    /// Goes with each of its packets into [`SentPacket::probe`].
    pub id: ProbeId,
    /// Bits per second to send them at.
    pub bitrate: u64,
    /// Bytes to send, by as many packets as the rate wants: at least [`MIN_PROBE_PACKETS`].
    pub bytes: u32,
}

/// A probe of fewer packets says nothing.
pub const MIN_PROBE_PACKETS: u32 = 5;

impl Probe {
    /// The largest packet of padding that leaves room for the packets that a probe must have, 100 to 1200 bytes.
    pub fn padding_size(&self) -> u16 {
        u16::try_from((self.bytes / MIN_PROBE_PACKETS).clamp(100, 1200)).unwrap_or(1200)
    }
}

/// How long a probe lasts in microseconds, and so many times the spread of delays longer, up to the most.
const LENGTH: f64 = 30_000.0;
const LENGTH_PER_SPREAD: f64 = 8.0;
const MAX_LENGTH: f64 = 200_000.0;
/// Delays that lie apart by less are no reason for a longer probe.
const LITTLE_SPREAD: f64 = 4_000.0;
const MIN_BYTES: u32 = 800;
/// A result must be there this long after the probe was asked for.
const PATIENCE: Duration = Duration::from_secs(1);
/// From one probe to the next while more is wanted; and the most that this grows to by failures.
const INTERVAL: Duration = Duration::from_millis(1_500);
const MAX_INTERVAL: Duration = Duration::from_secs(3);
/// A probe goes to at most so many times the estimate.
const MAX_STEP: f64 = 3.0;
/// A probe goes so much beyond what is wanted, so that a success is enough.
const BEYOND: f64 = 1.15;
/// Below this part of the rate it was sent at, a probe has found the capacity.
const SATURATED: f64 = 0.9;
/// A train that arrives so much faster than it was sent says nothing: something held it up and let it go.
const COMPRESSED: f64 = 1.6;

/// What a probe found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct ProbeResult {
    /// Bits per second that got through.
    pub bitrate: f64,
    /// Less got through than was sent: this is the capacity.
    pub saturated: bool,
}

/// A probe under way.
#[derive(Clone, Copy, Debug)]
struct Measurement {
    probe: Probe,
    asked: Time,
    sent: Span<Time>,
    arrived: Span<i64>,
}

/// First and last, and the bytes between them.
#[derive(Clone, Copy, Debug)]
struct Span<T> {
    ends: Option<(T, T)>,
    first: u32,
    last: u32,
    bytes: u32,
    packets: u32,
}

impl<T: Copy + Ord> Span<T> {
    const EMPTY: Self = Self { ends: None, first: 0, last: 0, bytes: 0, packets: 0 };

    fn add(&mut self, at: T, size: u16) {
        let size = u32::from(size);
        match &mut self.ends {
            None => (self.ends, self.first, self.last) = (Some((at, at)), size, size),
            Some((first, _)) if at < *first => (*first, self.first) = (at, size),
            Some((_, last)) if at >= *last => (*last, self.last) = (at, size),
            Some(_) => {}
        }
        self.bytes = self.bytes.saturating_add(size);
        self.packets = self.packets.saturating_add(1);
    }
}

/// Decides on probes.
#[derive(Clone, Debug)]
pub(crate) struct Prober {
    under_way: Option<Measurement>,
    next: Time,
    interval: Duration,
    /// A probe that succeeded is followed by another at once.
    go_on: bool,
    asked: bool,
    count: u8,
}

impl Prober {
    pub(crate) const fn new() -> Self {
        Self { under_way: None, next: Time::ZERO, interval: INTERVAL, go_on: true, asked: false, count: 0 }
    }

    /// When to ask for a probe, or give one up; [`Time::NEVER`] if nothing more is wanted.
    pub(crate) fn deadline(&self, estimate: f64, want: Want) -> Time {
        match &self.under_way {
            Some(measurement) => measurement.asked + PATIENCE,
            None if want.rate(estimate, self.go_on).is_some() => self.next,
            None => Time::NEVER,
        }
    }

    /// The next probe, if it is time for one. `spread`: how far delays lie apart, in microseconds.
    pub(crate) fn poll(&mut self, now: Time, estimate: f64, want: Want, spread: f64) -> Option<Probe> {
        if let Some(measurement) = &self.under_way {
            if now < measurement.asked + PATIENCE {
                return None;
            }
            self.fail(now);
        }
        if now < self.next {
            return None;
        }
        let bitrate = want.rate(estimate, self.go_on)?;
        self.asked = true;
        self.count = self.count.wrapping_add(1);
        let length = (LENGTH + LENGTH_PER_SPREAD * (spread - LITTLE_SPREAD).max(0.0)).min(MAX_LENGTH);
        let bytes = (bitrate * length / 8e6).clamp(f64::from(MIN_BYTES), 1e6) as u32;
        let probe = Probe { id: ProbeId(self.count), bitrate: bitrate as u64, bytes };
        self.under_way = Some(Measurement { probe, asked: now, sent: Span::EMPTY, arrived: Span::EMPTY });
        Some(probe)
    }

    /// Whether a probe was ever asked for.
    pub(crate) const fn has_asked(&self) -> bool {
        self.asked
    }

    pub(crate) fn on_sent(&mut self, now: Time, packet: SentPacket) {
        if let Some(measurement) = &mut self.under_way
            && packet.probe == Some(measurement.probe.id)
        {
            measurement.sent.add(now, packet.size);
        }
    }

    pub(crate) fn on_arrived(&mut self, id: ProbeId, at: i64, size: u16) {
        if let Some(measurement) = &mut self.under_way
            && measurement.probe.id == id
        {
            measurement.arrived.add(at, size);
        }
    }

    /// The result, once enough of the probe arrived.
    pub(crate) fn take_result(&mut self, now: Time) -> Option<ProbeResult> {
        let measurement = self.under_way.as_ref()?;
        let (sent, arrived) = (&measurement.sent, &measurement.arrived);
        let all = u64::from(arrived.bytes) * 5 >= u64::from(measurement.probe.bytes.max(sent.bytes)) * 4;
        if !all || arrived.packets < MIN_PROBE_PACKETS - 1 {
            return None;
        }
        let result = rates(sent, arrived).map(|(sent, arrived)| ProbeResult {
            bitrate: sent.min(arrived),
            saturated: arrived < SATURATED * sent,
        });
        let Some(result) = result else {
            self.fail(now);
            return None;
        };
        self.under_way = None;
        self.go_on = !result.saturated;
        if result.saturated {
            self.next = now + self.interval;
            self.interval = (self.interval * 5 / 4).min(MAX_INTERVAL);
        } else {
            (self.next, self.interval) = (now, INTERVAL);
        }
        Some(result)
    }

    /// Waits before the next probe: the estimate fell, or queues are there.
    pub(crate) fn postpone(&mut self, until: Time) {
        self.under_way = None;
        self.go_on = false;
        self.next = self.next.max(until);
    }

    /// Probes from anew, as at the start: the way was gone and is there again.
    pub(crate) const fn restart(&mut self, now: Time) {
        (self.under_way, self.next, self.interval, self.go_on) = (None, now, INTERVAL, true);
    }

    fn fail(&mut self, now: Time) {
        self.under_way = None;
        self.go_on = false;
        self.next = now + self.interval;
    }
}

/// Bits per second sent and arrived, if they make sense.
fn rates(sent: &Span<Time>, arrived: &Span<i64>) -> Option<(f64, f64)> {
    let (first, last) = sent.ends?;
    let sent_span = last.since(first).as_secs_f64();
    let (first, last) = arrived.ends?;
    let arrived_span = last.saturating_sub(first) as f64 / 1e6;
    if !(0.001..1.0).contains(&sent_span) || !(0.001..1.0).contains(&arrived_span) {
        return None;
    }
    let sent_rate = f64::from(sent.bytes - sent.last) * 8.0 / sent_span;
    let arrived_rate = f64::from(arrived.bytes - arrived.first) * 8.0 / arrived_span;
    (arrived_rate > 0.0 && arrived_rate < COMPRESSED * sent_rate).then_some((sent_rate, arrived_rate))
}

/// What the sender would send if it could, in bits per second: at least which rate would let it send more than now, and at
/// which it has all that it wants.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Want {
    pub next: f64,
    pub all: f64,
}

impl Want {
    /// The rate of a probe; `None` if the estimate is enough.
    fn rate(self, estimate: f64, go_on: bool) -> Option<f64> {
        if estimate >= self.all || estimate <= 0.0 {
            return None;
        }
        // What follows a success goes as far as it can; what is only tried goes to where it would help.
        let goal = if go_on { self.all } else { self.next.max(estimate * 1.1) };
        Some((goal * BEYOND).min(estimate * MAX_STEP))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WANT: Want = Want { next: 1e6, all: 3e6 };

    fn run(prober: &mut Prober, start: Time, estimate: f64, capacity: f64) -> Option<ProbeResult> {
        let probe = prober.poll(start, estimate, WANT, 0.0).expect("it is time");
        let size = probe.padding_size();
        let (mut at, mut arrival, mut bytes) = (start, 0.0, 0);
        let step = |rate: f64| f64::from(size) * 8.0 / rate;
        while bytes < probe.bytes {
            let packet = SentPacket {
                sequence_number: 0,
                size,
                kind: super::super::PacketKind::Padding,
                probe: Some(probe.id),
            };
            prober.on_sent(at, packet);
            prober.on_arrived(probe.id, (arrival * 1e6) as i64, size);
            bytes += u32::from(size);
            at += Duration::from_secs_f64(step(probe.bitrate as f64));
            arrival += step(capacity.min(probe.bitrate as f64));
        }
        prober.take_result(at)
    }

    #[test]
    fn probes_go_on_until_one_finds_the_capacity() {
        let mut prober = Prober::new();
        let first = run(&mut prober, Time::ZERO, 3e5, 2e6).expect("all arrived");
        assert!(!first.saturated && (first.bitrate - 9e5).abs() < 2e4, "{first:?}");
        let second = run(&mut prober, Time::from_millis(100), 9e5, 2e6).expect("all arrived");
        assert!(second.saturated && (second.bitrate - 2e6).abs() < 2e4, "{second:?}");
        assert!(prober.poll(Time::from_millis(200), 2e6, WANT, 0.0).is_none(), "not at once after a failure");
        assert!(prober.deadline(2e6, WANT) > Time::from_millis(1000));
        assert_eq!(prober.deadline(3e6, WANT), Time::NEVER, "there is enough");
    }

    #[test]
    fn what_comes_at_once_after_a_stop_says_nothing() {
        let mut prober = Prober::new();
        let probe = prober.poll(Time::ZERO, 3e5, WANT, 0.0).expect("it is time");
        for packet in 0..10_u16 {
            let sent = SentPacket {
                sequence_number: packet,
                size: 500,
                kind: super::super::PacketKind::Video,
                probe: Some(probe.id),
            };
            prober.on_sent(Time::from_millis(u64::from(packet) * 4), sent);
            prober.on_arrived(probe.id, i64::from(packet) * 250, 500);
        }
        assert_eq!(prober.take_result(Time::from_millis(60)), None);
        assert!(prober.poll(Time::from_millis(60), 3e5, WANT, 0.0).is_none());
    }
}
