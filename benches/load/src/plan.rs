//! What is done for one case: find the rates, load bare loop and server in turns, reduce the rounds to a row.

use crate::child::Process;
use crate::drive::Pace;
use crate::error::Error;
use crate::options::{Case, Device, Level, Options};
use crate::report::{Delays, Row, Side, median};
use crate::subject::{Round, Subject};
use hdrhistogram::Histogram;
use std::time::Duration;

/// Packets to receivers a second that every machine bears: what the search for a rate starts with.
const FIRST_RATE: f64 = 50_000.0;
const STRETCH: Duration = Duration::from_millis(400);
const NANOSECONDS: f64 = 1e9;

/// Measures a case at its levels of load; `tell` hears how far it is.
pub(crate) fn measure(
    options: &Options,
    case: &Case,
    cores: usize,
    [bare, server]: [Process; 2],
    mut tell: impl FnMut(&str),
) -> Result<Vec<Row>, Error> {
    let mut bare = Subject::bare(bare, case)?;
    let mut server = Subject::server(server, case)?;
    let given = options.given_rate(case.packet_size);
    let levels = match given {
        Some(rate) => vec![(Level::Given, rate)],
        None => find_rates(case, cores, &mut server, &mut tell)?,
    };
    // Whoever was idle meets its first packets here, not in a round that counts.
    for subject in [&mut bare, &mut server] {
        subject.round(&pace(case, levels.first().map_or(1.0, |(_, rate)| *rate)), STRETCH)?;
    }
    let mut rows = Vec::new();
    for (level, rate) in levels {
        let pace = pace(case, rate);
        let (mut bare_rounds, mut server_rounds) = (Vec::new(), Vec::new());
        for number in 1..=options.rounds {
            tell(&format!("{rate:.0} packets/s in, round {number} of {}", options.rounds));
            bare_rounds.push(bare.round(&pace, options.round())?);
            server_rounds.push(server.round(&pace, options.round())?);
        }
        let ratio = ratio(&server_rounds, &bare_rounds);
        let [bare, server] = [(&bare, bare_rounds), (&server, server_rounds)]
            .map(|(subject, rounds)| Ok::<_, Error>(side(case, &rounds, subject.resident()?)));
        rows.push(Row { case: *case, level, bare: bare?, server: server?, ratio });
    }
    Ok(rows)
}

fn pace(case: &Case, rate: f64) -> Pace {
    Pace { rate, burst: case.burst, packet_size: case.packet_size }
}

/// The rates at which the server's cores are about 60% and 90% busy. On the device that discards there are no delays, and
/// so the first is left out.
fn find_rates(
    case: &Case,
    cores: usize,
    server: &mut Subject,
    tell: &mut impl FnMut(&str),
) -> Result<Vec<(Level, f64)>, Error> {
    // The generator needs a core as well.
    let shards = usize::from(case.shards).min(cores.saturating_sub(1)).max(1) as f64;
    let mut rate = FIRST_RATE / f64::from(case.receivers);
    let mut cost = 0.0;
    for aim in [0.4, 0.7] {
        tell(&format!("looking for a rate: {rate:.0} packets/s in"));
        let round = server.round(&pace(case, rate), STRETCH)?;
        cost = round.did.cpu.as_nanos() as f64 / round.driven.packets.max(1) as f64;
        rate = aim * shards * NANOSECONDS / cost.max(1.0);
    }
    // The last step is from the cost at about half load.
    let round = server.round(&pace(case, rate), STRETCH)?;
    let last = round.did.cpu.as_nanos() as f64 / round.driven.packets.max(1) as f64;
    cost = if last > 0.0 { last } else { cost };
    let at = |busy: f64| busy * shards * NANOSECONDS / cost.max(1.0);
    Ok(match case.device {
        Device::Loopback => vec![(Level::Half, at(0.6)), (Level::High, at(0.9))],
        Device::Ifb => vec![(Level::High, at(0.9))],
    })
}

fn cpu_ns(round: &Round) -> f64 {
    round.did.cpu.as_nanos() as f64 / round.did.sent.max(1) as f64
}

/// The median over pairs of neighbouring rounds: a machine that changes its speed changes both of a pair.
fn ratio(server: &[Round], bare: &[Round]) -> f64 {
    median(server.iter().zip(bare).map(|(server, bare)| cpu_ns(server) / cpu_ns(bare)))
}

fn side(case: &Case, rounds: &[Round], resident_kib: u64) -> Side {
    let of = |value: fn(&Round) -> f64| median(rounds.iter().map(value));
    let expected: u64 = rounds.iter().map(|round| round.driven.packets * u64::from(case.receivers)).sum();
    let arrived = rounds.iter().map(|round| match &round.seen {
        Some(seen) => seen.packets,
        None => round.did.sent,
    });
    let missing = expected.saturating_sub(arrived.sum::<u64>());
    Side {
        packets_in_per_second: of(|round| round.driven.packets as f64 / round.driven.took.as_secs_f64()),
        packets_out_per_second: of(|round| round.did.sent as f64 / round.driven.took.as_secs_f64()),
        cpu_ns_per_packet: of(cpu_ns),
        busy: of(|round| round.did.cpu.as_secs_f64() / round.driven.took.as_secs_f64()),
        waited: of(|round| round.did.waited.as_secs_f64() / round.driven.took.as_secs_f64()),
        packets_per_send_call: of(|round| round.did.sent as f64 / round.did.send_calls.max(1) as f64),
        loss: missing as f64 / expected.max(1) as f64,
        refused_by_system: rounds.iter().map(|round| round.did.dropped).sum(),
        lost_before: rounds.iter().map(|round| round.driven.packets.saturating_sub(round.did.received)).sum(),
        disordered: rounds.iter().filter_map(|round| Some(round.seen.as_ref()?.disordered)).sum(),
        gaps: rounds.iter().filter_map(|round| Some(round.seen.as_ref()?.lost)).sum(),
        broken: rounds.iter().filter_map(|round| Some(round.seen.as_ref()?.broken)).sum(),
        delays: delays(rounds),
        resident_kib,
    }
}

fn delays(rounds: &[Round]) -> Option<Delays> {
    let mut all: Option<Histogram<u64>> = None;
    for seen in rounds.iter().filter_map(|round| round.seen.as_ref()) {
        match &mut all {
            // Histograms of equal bounds always add up.
            Some(sum) => sum.add(&seen.delays).ok()?,
            None => all = Some(seen.delays.clone()),
        }
    }
    let all = all.filter(|all| !all.is_empty())?;
    let microseconds = |quantile| all.value_at_quantile(quantile) as f64 / 1000.0;
    Some(Delays { p50: microseconds(0.5), p99: microseconds(0.99), p999: microseconds(0.999) })
}
