//! What a packet costs in a whole server: `tureen-load run`, which `cargo xtask load` builds and starts.
//!
//! One process sends RTP and takes what comes out; the server and the bare loop that it is compared with are processes of
//! their own, on a core of their own, and are loaded in turns. This file knows the commands and nothing of the work.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command-line program talks to its terminal")]

mod bare;
mod drive;
mod measure;
mod options;
mod plan;
mod plot;
mod receivers;
mod report;
mod run;
mod stage;
mod subject;

use clap::{Parser, Subcommand};
use std::process::ExitCode;
use tureen_load::{api, child, cores, error, stream};

/// What a packet costs in a whole server, beside a bare loop.
#[derive(Parser)]
#[command(name = "tureen-load")]
struct Line {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Measures every case that the options name, and compares
    #[command(after_help = "`cargo xtask load --webrtc` loads the server by WebRTC receivers instead; \
                            `cargo xtask load --webrtc --help` lists its options.")]
    Run(options::Options),
    /// Measures the cases of one device; its rows go to standard output as JSON
    Measure(options::Options),
    /// The bare loop: receives, copies or seals, sends; told what to do on standard input
    Bare,
}

fn main() -> ExitCode {
    let outcome = match Line::parse().command {
        Command::Run(options) => run::run(&options),
        Command::Measure(options) => measure::run(&options).map(|()| true),
        Command::Bare => bare::run().map(|()| true),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("tureen-load: {error}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Line::command().debug_assert();
    }
}
