//! `cargo xtask load`: builds the server and the load generator, and lets the latter measure. What is measured, and what
//! the options mean, is written in the package `tureen-load`.

use crate::release;
use crate::step::{Outcome, Step};
use crate::tree::Tree;
use std::process::Command;

/// Load a whole server and a bare loop in turns: CPU time a packet, loss, delay, memory
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
    let server = release::binary(tree, &step, "tureen-server", "tureen")?;
    let generator = release::binary(tree, &step, "tureen-load", "tureen-load")?;
    let mut command = Command::new(generator);
    command.arg("run").arg("--server").arg(server).arg("--plots").arg(tree.target().join("load"));
    step.run(command.args(&options.arguments))?;
    step.end();
    Ok(())
}
