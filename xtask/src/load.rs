//! `cargo xtask load`: builds the server and a load generator, and lets the latter measure. What is measured, and what the
//! options mean, is written in the two programs of the package `tureen-load`.

use crate::release;
use crate::step::{Outcome, Step};
use crate::tree::Tree;
use std::process::Command;

/// The package of the load generators.
const GENERATOR: &str = "tureen-load";
/// The option that chooses WebRTC receivers; all others are the generator's.
const WEBRTC: &str = "--webrtc";

/// Load a whole server and a bare loop in turns: CPU time a packet, loss, delay, memory; with --webrtc, by WebRTC receivers
#[derive(clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Options {
    /// Options of the load; `--help` lists them
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "OPTIONS")]
    pub(crate) arguments: Vec<String>,
}

pub(crate) fn run(tree: &Tree, options: &Options) -> Outcome {
    let rerun = format!("cargo xtask load {}", options.arguments.join(" "));
    let step = Step::begin("load", rerun.trim_end());
    let server = release::binary(tree, &step, "tureen-server", "tureen", &[])?;
    let webrtc = options.arguments.iter().any(|argument| argument == WEBRTC);
    let mut command = if webrtc {
        Command::new(release::binary(tree, &step, GENERATOR, "tureen-load-webrtc", &["webrtc"])?)
    } else {
        let mut command = Command::new(release::binary(tree, &step, GENERATOR, "tureen-load", &[])?);
        command.arg("run");
        command
    };
    command.arg("--server").arg(server).arg("--plots").arg(tree.target().join("load"));
    step.run(command.args(options.arguments.iter().filter(|argument| *argument != WEBRTC)))?;
    step.end();
    Ok(())
}
