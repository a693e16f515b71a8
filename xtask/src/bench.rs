//! The criterion benchmarks of the package `tureen-benches`. What they measure is written there.

use crate::step::{Failure, Outcome, Step};
use crate::tree::Tree;
use cargo_metadata::TargetKind;

/// Run the criterion benchmarks.
///
/// `cargo xtask bench seal -- --save-baseline before` runs what has `seal` in its name and keeps the result, and
/// `cargo xtask bench seal -- --baseline before` compares with it.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Only benchmarks whose name contains this
    filter: Option<String>,
    /// Arguments for criterion itself, such as --save-baseline NAME or --quick
    #[arg(last = true)]
    criterion: Vec<String>,
}

pub(crate) fn run(tree: &Tree, options: &Options) -> Outcome {
    let package =
        tree.package("tureen-benches").ok_or_else(|| Failure::new("there is no package tureen-benches"))?;
    let benches: Vec<&str> = package
        .targets
        .iter()
        .filter(|target| target.kind.contains(&TargetKind::Bench))
        .map(|target| target.name.as_str())
        .collect();
    if benches.is_empty() {
        return Err(Failure::new("tureen-benches has no benchmarks: none is under benches/benches/"));
    }
    let step = Step::begin(&format!("bench: {}", benches.join(", ")), "cargo xtask bench");
    let mut command = tree.cargo();
    command.args(["bench", "--package", "tureen-benches"]);
    for bench in benches {
        // Named one by one, so that the harness of an ordinary test binary does not meet criterion's arguments.
        command.args(["--bench", bench]);
    }
    command.arg("--").args(&options.filter).args(&options.criterion);
    step.run(&mut command)?;
    step.end();
    println!("    estimates of this and the last run: {}", tree.target().join("criterion").display());
    Ok(())
}
