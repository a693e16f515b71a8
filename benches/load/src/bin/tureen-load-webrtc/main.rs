//! What a WebRTC receiver costs a whole server: `tureen-load-webrtc`, which `cargo xtask load --webrtc` builds and starts.
//!
//! One process publishes RTP and watches it over WHEP, with receivers that are built on stacks which are not ours: `str0m`, and
//! `webrtc` with a DTLS of its own. The server is a process of its own, on a core of its own. This file knows the order of
//! things and nothing of the work.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command-line program talks to its terminal")]

mod options;
mod plot;
mod publisher;
mod report;
mod run;
mod sans_io;
mod tokio_based;
mod viewers;

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    match run::run(&options::Options::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("tureen-load-webrtc: {error}");
            ExitCode::FAILURE
        }
    }
}
