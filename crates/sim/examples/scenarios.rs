//! Runs named scenarios and prints a table of what became of them; `cargo xtask sim` starts it.
//!
//! `cargo run -p tureen-sim --example scenarios -- [NAME] [--list] [--seed SEED] [--seeds COUNT] [--trace FILE.pcap]`
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program for people")]

use clap::Parser;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;
use tureen_sim::scenario::{Outcome, SCENARIOS, Scenario};

/// Runs scenarios in virtual time: what was lost, what was repaired, what was decoded.
///
/// A run follows from its seed. The table has a line for each seed; the program fails where packets were altered or put out
/// of order.
#[derive(Parser)]
#[command(name = "cargo xtask sim", bin_name = "cargo xtask sim")]
struct Line {
    /// Only this scenario; otherwise all
    #[arg(value_parser = find)]
    name: Option<&'static Scenario>,
    /// Lists the scenarios, and runs none
    #[arg(long)]
    list: bool,
    /// The first seed
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many seeds, one after the other, 1 to 10000
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    seeds: u64,
    /// Writes what the first consumer's interface saw with the first seed, for Wireshark; wants a NAME
    #[arg(long, value_name = "FILE.pcap", requires = "name")]
    trace: Option<PathBuf>,
}

fn find(name: &str) -> Result<&'static Scenario, String> {
    Scenario::find(name).ok_or_else(|| {
        let names: Vec<&str> = SCENARIOS.iter().map(|scenario| scenario.name).collect();
        format!("the scenarios are {}", names.join(", "))
    })
}

fn main() -> ExitCode {
    let line = Line::parse();
    if line.list {
        SCENARIOS.iter().for_each(|scenario| println!("{:<14} {}", scenario.name, scenario.about));
        return ExitCode::SUCCESS;
    }
    match run(&line) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            eprintln!("packets were altered or put out of order: see the column unsound");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

const COLUMNS: [&str; 13] = [
    "scenario",
    "seed",
    "sent",
    "decoded",
    "packets",
    "missing",
    "repaired",
    "given up",
    "useless",
    "broken",
    "freeze ms",
    "key req",
    "unsound",
];

fn row(cells: [String; 13]) -> String {
    let [name, seed, rest @ ..] = cells;
    let rest = rest.map(|cell| format!("{cell:>9}"));
    format!("{name:<14} {seed:>6} {}", rest.join(" "))
}

fn cells(scenario: &Scenario, seed: u64, outcome: &Outcome) -> [String; 13] {
    let Outcome { frames_sent, fewest_frames, packets, missing, repaired, given_up, .. } = outcome;
    let Outcome { useless, broken, longest_freeze, key_frame_requests, unsound, .. } = outcome;
    let counts = [
        frames_sent,
        fewest_frames,
        packets,
        missing,
        repaired,
        given_up,
        useless,
        broken,
        longest_freeze,
        key_frame_requests,
        unsound,
    ];
    let mut counts = counts.into_iter().map(ToString::to_string);
    std::array::from_fn(|column| match column {
        0 => scenario.name.to_owned(),
        1 => seed.to_string(),
        _ => counts.next().unwrap_or_default(),
    })
}

/// `false` where an outcome is not sound.
#[allow(clippy::disallowed_methods, reason = "tells how long it took")]
fn run(line: &Line) -> std::io::Result<bool> {
    let started = Instant::now();
    let scenarios: Vec<&Scenario> = match line.name {
        Some(scenario) => vec![scenario],
        None => SCENARIOS.iter().collect(),
    };
    println!("{}", row(COLUMNS.map(str::to_owned)));
    let (mut sound, mut runs) = (true, 0);
    for scenario in scenarios {
        for nth in 0..line.seeds {
            let seed = line.seed.wrapping_add(nth);
            let outcome = scenario.run(seed, line.trace.is_some() && nth == 0);
            println!("{}", row(cells(scenario, seed, &outcome)));
            sound &= outcome.unsound == 0;
            runs += 1;
            if let (Some(path), Some(capture)) = (&line.trace, &outcome.capture) {
                std::fs::write(path, capture)?;
                println!("capture: {}", path.display());
            }
        }
    }
    println!("{runs} minutes of virtual time in {:.1?}", started.elapsed());
    Ok(sound)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Line::command().debug_assert();
    }

    #[test]
    fn unknown_names_are_refused_with_the_known_ones() {
        let told = Line::try_parse_from(["sim", "nothing"]).err().map(|error| error.to_string());
        assert!(told.is_some_and(|told| SCENARIOS.iter().all(|scenario| told.contains(scenario.name))));
        assert!(Line::try_parse_from(["sim", "--trace", "x.pcap"]).is_err(), "a trace is of one scenario");
        let line = Line::try_parse_from(["sim", "bursts", "--seeds", "3"]).unwrap();
        assert_eq!((line.name.map(|scenario| scenario.name), line.seed, line.seeds), (Some("bursts"), 1, 3));
    }

    #[test]
    fn a_line_has_a_cell_for_each_column() {
        let outcome = Outcome { frames_sent: 1800, unsound: 7, ..Outcome::default() };
        let cells = cells(&SCENARIOS[0], 9, &outcome);
        assert_eq!((cells[0].as_str(), cells[1].as_str(), cells[2].as_str()), ("clean", "9", "1800"));
        assert_eq!(cells[12], "7");
        assert_eq!(row(cells).len(), row(COLUMNS.map(str::to_owned)).len());
    }
}
