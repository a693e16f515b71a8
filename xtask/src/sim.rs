//! `cargo xtask sim`: runs the simulator's named scenarios, and with `quality` those of the bench of congestion control. What
//! they are stands in the packages `tureen-sim` and `tureen-quality`.

use crate::step::{Outcome, Step};
use crate::tree::Tree;

/// Run scenarios in virtual time, or --list them: a table of what was lost, repaired and decoded; `quality`: how well bad networks are used
#[derive(clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Options {
    /// Options of the simulator, or `quality` and those of the bench; `--help` lists them
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "OPTIONS")]
    pub(crate) arguments: Vec<String>,
}

pub(crate) fn run(tree: &Tree, options: &Options) -> Outcome {
    let rerun = format!("cargo xtask sim {}", options.arguments.join(" "));
    let step = Step::begin("sim", rerun.trim_end());
    let mut command = tree.cargo();
    match options.arguments.split_first() {
        Some((first, rest)) if first == "quality" => {
            let plots = tree.target().join("quality");
            command.args(["run", "--quiet", "--package", "tureen-quality", "--", "--plots"]).arg(plots);
            step.run(command.args(rest))?;
        }
        _ => {
            command.args(["run", "--quiet", "--package", "tureen-sim", "--example", "scenarios", "--"]);
            step.run(command.args(&options.arguments))?;
        }
    }
    step.end();
    Ok(())
}
