//! Runs the scenarios and prints one table; `cargo xtask sim quality` starts it.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program for people")]

use clap::Parser;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;
use tureen_quality::metrics::Metrics;
use tureen_quality::pair::PairError;
use tureen_quality::scenario::{Scenario, scenarios};
use tureen_quality::system::System;
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
    /// The same with other systems in the same world, and where these are ahead: gcc, str0m; without a name with all of them
    #[arg(long, value_name = "SYSTEM", num_args = 0.., value_delimiter = ',', value_parser = find_system)]
    compare: Option<Vec<System>>,
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

fn find_system(name: &str) -> Result<System, String> {
    System::find_other(name).ok_or_else(|| {
        let names: Vec<&str> = System::OTHERS.iter().map(|system| system.name()).collect();
        format!("the systems are {}", names.join(", "))
    })
}

/// This project's, and those to compare it with.
fn systems(line: &Line) -> Vec<System> {
    let others = line.compare.iter().flat_map(|named| if named.is_empty() { System::OTHERS } else { named });
    std::iter::once(System::Tureen).chain(others.copied()).collect()
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
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(line: &Line) -> Result<(), Box<dyn std::error::Error>> {
    let at = |path: &Path, error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    std::fs::create_dir_all(&line.plots).map_err(|error| at(&line.plots, &error))?;
    let chosen = if line.scenario.is_empty() { scenarios() } else { line.scenario.clone() };
    let (systems, compares) = (systems(line), line.compare.is_some());
    let mut blocks: Vec<Vec<Vec<Metrics>>> = Vec::new();
    for &system in &systems {
        if compares {
            println!("\n{}: {}", system.name(), system.about());
        }
        println!("{}", table::head());
        let mut block = Vec::new();
        for scenario in &chosen {
            let runs = all_seeds(line, system, scenario)
                .map_err(|error| format!("{}, {}: {error}", system.name(), scenario.name))?;
            print!("{}", table::rows(scenario.name, &runs));
            if let Some(first) = runs.first() {
                let of = if compares { format!("{}-", system.name()) } else { String::new() };
                let file = line.plots.join(format!("{of}{}.svg", scenario.name));
                let caption = format!("{}: {}", scenario.name, scenario.about);
                plot::draw(&file, &caption, &first.samples).map_err(|error| at(&file, &error))?;
            }
            block.push(runs);
        }
        blocks.push(block);
    }
    println!("\n{}plots: {}", table::legend(), line.plots.display());
    if let Some((own, others)) = blocks.split_first() {
        for (system, other) in systems.iter().skip(1).zip(others) {
            println!(
                "\nwhere {} is ahead, in the median: this project's number and the other's",
                system.name()
            );
            for ((scenario, own), other) in chosen.iter().zip(own).zip(other) {
                print!("{}", table::behind(scenario.name, own, other));
            }
        }
    }
    Ok(())
}

/// Runs of one scenario, on as many threads as there are processors. Each is a world of its own.
fn all_seeds(line: &Line, system: System, scenario: &Scenario) -> Result<Vec<Metrics>, PairError> {
    let (started, next) = (Instant::now(), AtomicU64::new(0));
    let work = || {
        let mut done = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= line.seeds {
                return done;
            }
            let seconds = started.elapsed().as_secs_f64();
            eprint!("\r{} {}: seed {}, {seconds:.0} s ", system.name(), scenario.name, line.seed + number);
            done.push((number, world::run_with(system, scenario, line.seed + number)));
        }
    };
    let workers = std::thread::available_parallelism().map_or(1, NonZero::get);
    let mut runs: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("a run does not panic")).collect()
    });
    eprint!("\r{:50}\r", "");
    runs.sort_by_key(|(number, _)| *number);
    runs.into_iter().map(|(_, metrics)| metrics).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compared(arguments: &[&str]) -> Result<Vec<System>, String> {
        let line = Line::try_parse_from([&["quality"], arguments].concat());
        line.map(|line| systems(&line)).map_err(|error| error.to_string())
    }

    #[test]
    fn systems_are_compared_by_name_or_all() {
        use System::{Gcc, Str0m, Tureen};
        assert_eq!(compared(&[]), Ok(vec![Tureen]));
        assert_eq!(compared(&["--compare", "--seeds", "1"]), Ok(vec![Tureen, Gcc, Str0m]));
        assert_eq!(compared(&["--compare", "str0m"]), Ok(vec![Tureen, Str0m]));
        assert_eq!(compared(&["--compare", "str0m,gcc"]), Ok(vec![Tureen, Str0m, Gcc]));
        let unknown = compared(&["--compare", "tureen"]).expect_err("it is not another");
        assert!(unknown.contains("the systems are gcc, str0m"), "{unknown}");
    }
}
