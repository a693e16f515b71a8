//! Builds, tests, benchmarks and checks of the workspace: `cargo xtask VERB`.
//!
//! This file knows the command line and nothing of the work: each verb is a module of its own.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command-line program talks to its terminal")]

mod bench;
mod ci;
mod dist;
mod drivers;
mod examples;
mod fuzz;
mod load;
mod packages;
mod python;
mod release;
mod report;
mod sim;
mod step;
mod tally;
mod test;
mod third_party;
mod tidy;
mod tree;

use clap::{CommandFactory, Parser, Subcommand};
use std::process::ExitCode;
use std::time::Instant;

/// Builds, tests, benchmarks and checks of the workspace.
///
/// Every verb runs from any folder of the repository. A failure names the step that failed and the command that
/// runs this step alone.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", disable_help_subcommand = true)]
struct Line {
    #[command(subcommand)]
    verb: Option<Verb>,
}

// A verb with options has its help on them.
#[derive(Subcommand)]
enum Verb {
    Build(release::Options),
    Test(test::Options),
    /// Check the rules that the compiler does not know: crate edges, sizes, stubs, links
    Tidy,
    Bench(bench::Options),
    Load(load::Options),
    Sim(sim::Options),
    Fuzz(fuzz::Options),
    /// Build the documentation; a warning is a failure
    Doc,
    Ci(ci::Options),
}

fn main() -> ExitCode {
    let line = Line::parse();
    let Some(verb) = line.verb else {
        return match Line::command().print_help() {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        };
    };
    let started = Instant::now();
    match tree::Tree::load().and_then(|tree| dispatch(&tree, verb)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("\nfailed after {}: {failure}", step::elapsed(started));
            ExitCode::FAILURE
        }
    }
}

fn dispatch(tree: &tree::Tree, verb: Verb) -> step::Outcome {
    match verb {
        Verb::Build(options) => release::run(tree, &options),
        Verb::Test(options) => test::run(tree, &options),
        Verb::Tidy => tidy::run(tree),
        Verb::Bench(options) => bench::run(tree, &options),
        Verb::Load(options) => load::run(tree, &options),
        Verb::Sim(options) => sim::run(tree, &options),
        Verb::Fuzz(options) => fuzz::run(tree, options),
        Verb::Doc => ci::doc(tree),
        Verb::Ci(options) => ci::run(tree, &options),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Line::command().debug_assert();
    }

    #[test]
    fn load_and_sim_hand_their_options_on() {
        let line = Line::parse_from(["xtask", "load", "--receivers", "7", "--help"]);
        assert!(
            matches!(line.verb, Some(Verb::Load(options)) if options.arguments == ["--receivers", "7", "--help"])
        );
        let line = Line::parse_from(["xtask", "sim", "bursts", "--seed", "3"]);
        assert!(
            matches!(line.verb, Some(Verb::Sim(options)) if options.arguments == ["bursts", "--seed", "3"])
        );
    }

    #[test]
    fn every_verb_has_one_line_of_help() {
        for verb in Line::command().get_subcommands() {
            let about = verb.get_about().map(ToString::to_string).unwrap_or_default();
            assert!(!about.is_empty() && !about.contains('\n'), "{}", verb.get_name());
        }
    }
}
