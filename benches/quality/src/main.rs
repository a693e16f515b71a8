//! Runs the scenarios and prints one table; `cargo xtask sim quality` starts it.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program for people")]

use clap::Parser;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;
use tureen_quality::metrics::Metrics;
use tureen_quality::scenario::{Scenario, scenarios};
use tureen_quality::{plot, table, world};

/// Runs scenarios of bad networks in virtual time: medians over the seeds and the worst seed, and plots of the first one.
#[derive(Parser)]
#[command(name = "cargo xtask sim quality", bin_name = "cargo xtask sim quality")]
struct Line {
    /// Only this scenario; may be given several times
    #[arg(long, value_parser = find)]
    scenario: Vec<Scenario>,
    /// How many seeds, 1 to 1000
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=1000))]
    seeds: u64,
    /// The first seed
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where plots go
    #[arg(long, value_name = "FOLDER", default_value = "target/quality")]
    plots: PathBuf,
    /// Lists the scenarios, and runs none
    #[arg(long)]
    list: bool,
}

fn find(name: &str) -> Result<Scenario, String> {
    Scenario::find(name).ok_or_else(|| {
        let names: Vec<&str> = scenarios().iter().map(|scenario| scenario.name).collect();
        format!("the scenarios are {}", names.join(", "))
    })
}

fn main() -> ExitCode {
    let line = Line::parse();
    if line.list {
        scenarios().iter().for_each(|scenario| println!("{:<12} {}", scenario.name, scenario.about));
        return ExitCode::SUCCESS;
    }
    match run(&line) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}: {error}", line.plots.display());
            ExitCode::FAILURE
        }
    }
}

fn run(line: &Line) -> Result<(), Box<dyn std::error::Error>> {
    std::fs::create_dir_all(&line.plots)?;
    let chosen = if line.scenario.is_empty() { scenarios() } else { line.scenario.clone() };
    println!("{}", table::head());
    for scenario in chosen {
        let started = Instant::now();
        let runs: Vec<Metrics> = (line.seed..line.seed + line.seeds)
            .map(|seed| {
                eprint!("\r{}: seed {seed}, {:.0} s ", scenario.name, started.elapsed().as_secs_f64());
                world::run(&scenario, seed)
            })
            .collect();
        eprint!("\r{:40}\r", "");
        print!("{}", table::rows(scenario.name, &runs));
        if let Some(first) = runs.first() {
            let file = line.plots.join(format!("{}.svg", scenario.name));
            plot::draw(&file, &format!("{}: {}", scenario.name, scenario.about), &first.samples)?;
        }
    }
    println!("\n{}plots: {}", table::legend(), line.plots.display());
    Ok(())
}
