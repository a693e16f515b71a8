//! A sender finds what a link carries: 1 Mbit/s, then 400 kbit/s, then 2 Mbit/s. The estimator says how much, the pacer when.
#![allow(clippy::print_stdout, reason = "an example speaks to its reader")]

use std::time::Duration;
use tureen_congestion::send::{
    Ecn, Estimator, Outcome, Pacer, PacerConfig, PacketKind, PacketResult, ReceiverTime, Release, SentPacket,
};
use tureen_rtp_wire::Time;

const DELAY: Duration = Duration::from_millis(20);

fn main() {
    let mut estimator = Estimator::default();
    estimator.set_wanted(2_500_000, 2_500_000);
    let mut pacer = Pacer::new(PacerConfig::default());
    let (mut sequence_number, mut owed, mut link_free) = (0_u16, 0.0, Time::ZERO);
    let mut reports: Vec<(Time, PacketResult)> = Vec::new();

    for millis in 1..=30_000 {
        let now = Time::from_millis(millis);
        let capacity: u64 = [1_000_000, 400_000, 2_000_000][(millis as usize - 1) / 10_000];
        // A source that follows the target.
        owed += estimator.target_bitrate() as f64 / 8000.0;
        while owed >= 1000.0 {
            owed -= 1000.0;
            if pacer.push(now, (), 1000, PacketKind::Video).is_err() {
                println!("the pacer is full");
            }
        }
        if now >= estimator.poll_timeout()
            && let Some(probe) = estimator.on_timeout(now)
        {
            pacer.start_probe(now, probe);
        }
        pacer.set_bitrate(estimator.pacing_bitrate());
        while let Some(release) = pacer.poll(now) {
            let (size, kind, probe) = match release {
                Release::Packet(packet) => (packet.size, packet.kind, packet.probe),
                Release::Padding { size, probe } => (size, PacketKind::Padding, Some(probe)),
                Release::Expired { .. } => continue,
            };
            sequence_number = sequence_number.wrapping_add(1);
            estimator.on_sent(now, SentPacket { sequence_number, size, kind, probe });
            link_free = link_free.max(now) + Duration::from_nanos(u64::from(size) * 8_000_000_000 / capacity);
            let arrival = link_free + DELAY;
            let outcome = Outcome::ArrivedAt(ReceiverTime::from_micros(arrival.as_micros() as i64));
            reports.push((arrival + DELAY, PacketResult { sequence_number, outcome, ecn: Ecn::NotCapable }));
        }
        if millis % 100 == 0 {
            let told = reports.iter().take_while(|(at, _)| *at <= now).count();
            estimator.on_feedback(now, reports.drain(..told).map(|(_, result)| result));
        }
        if millis % 2000 == 0 {
            let state = estimator.state();
            println!(
                "{:>2} s: capacity {capacity:>7}, target {:>7} bit/s, {:>3} ms of queue, {:?}",
                millis / 1000,
                state.target_bitrate,
                link_free.since(now).as_millis(),
                state.reason
            );
        }
    }
}
