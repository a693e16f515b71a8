//! `cargo xtask sim`: runs the simulator's named scenarios. What they are stands in the crate `tureen-sim`.

use crate::step::{Outcome, Step};
use crate::tree::Tree;

/// Run scenarios in virtual time, or --list them: a table of what was lost, repaired and decoded
#[derive(clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Options {
    /// Options of the simulator; `--help` lists them
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "OPTIONS")]
    pub(crate) arguments: Vec<String>,
}

pub(crate) fn run(tree: &Tree, options: &Options) -> Outcome {
    let rerun = format!("cargo xtask sim {}", options.arguments.join(" "));
    let step = Step::begin("sim", rerun.trim_end());
    let mut command = tree.cargo();
    command.args(["run", "--quiet", "--package", "tureen-sim", "--example", "scenarios", "--"]);
    step.run(command.args(&options.arguments))?;
    step.end();
    Ok(())
}
