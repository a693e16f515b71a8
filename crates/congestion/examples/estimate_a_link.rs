//! A sender follows the receiver's estimate over a link that carries 2 Mbit/s, then 800 kbit/s, then 2 Mbit/s again; beside it,
//! what the other kind of feedback would say of the same packets.
#![allow(clippy::print_stdout, reason = "an example speaks to its reader")]

use std::time::Duration;
use tureen_congestion::{RembEstimator, TransportFeedbackGenerator};
use tureen_rtp_wire::rtcp::RtcpWriter;
use tureen_rtp_wire::{NtpTime, Time, WallClock};

const PACKET: u64 = 1200;

fn main() {
    let clock = WallClock::new(NtpTime::new(3_900_000_000, 0));
    let mut estimator = RembEstimator::new();
    let mut generator = TransportFeedbackGenerator::new();
    let (mut sent, mut link_free) = (Time::ZERO, Time::ZERO);
    let (mut bitrate, mut feedback_packets) = (1_500_000, 0);
    let mut next_line = Time::ZERO;

    for sequence_number in (0..=u16::MAX).cycle() {
        let capacity = if (20..40).contains(&(sent.as_millis() / 1000)) { 800_000 } else { 2_000_000 };
        link_free = link_free.max(sent) + transmission(capacity);
        let arrival = link_free + Duration::from_millis(20);

        estimator.on_packet(arrival, clock.abs_send_time(sent), PACKET as usize);
        if let Some(estimate) = estimator.poll(arrival) {
            bitrate = estimate.min(4_000_000);
        }
        generator.record(arrival, sequence_number);
        let mut compound = [0; 1200];
        feedback_packets += u32::from(generator.poll(arrival, 1, 2, &mut RtcpWriter::new(&mut compound)));

        if sent >= next_line {
            let queue = link_free.since(sent).as_millis();
            println!(
                "{:>3} s: capacity {capacity:>7}, told {bitrate:>7} bit/s, {queue:>3} ms of queue, {feedback_packets:>4} feedback packets",
                sent.as_millis() / 1000
            );
            next_line += Duration::from_secs(2);
        }
        sent += transmission(bitrate);
        if sent > Time::from_millis(60_000) {
            break;
        }
    }
}

fn transmission(bitrate: u64) -> Duration {
    Duration::from_nanos(PACKET * 8 * 1_000_000_000 / bitrate)
}
