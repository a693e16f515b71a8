//! The written report of a full test run: what ran, on what, with which result. It measures nothing itself.

use crate::step::{Outcome, for_people, while_doing};
use crate::tally::Tally;
use crate::tree::Tree;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

/// The result of one step.
pub(crate) struct Row {
    pub(crate) step: &'static str,
    pub(crate) tally: Tally,
    pub(crate) took: Duration,
    pub(crate) rerun: String,
    /// Why the step failed or was left out; empty when there is nothing to say.
    pub(crate) remark: String,
}

/// The file that tests append what they measure to, a line each: the test's name, a colon, what it says.
pub(crate) fn figures(tree: &Tree) -> PathBuf {
    tree.target().join("xtask/figures.txt")
}

/// Writes `docs/reports/<name>.md` and returns where it is.
pub(crate) fn write(tree: &Tree, name: &str, rows: &[Row]) -> Outcome<PathBuf> {
    let commit = tree.git(&["log", "-1", "--format=%h of %cs"])?;
    let folder = tree.root().join("docs/reports");
    fs::create_dir_all(&folder).map_err(while_doing("docs/reports"))?;
    let path = folder.join(format!("{name}.md"));
    let figures = fs::read_to_string(figures(tree)).unwrap_or_default();
    fs::write(&path, render(commit.trim(), &machine(), rows, &figures))
        .map_err(while_doing(path.display()))?;
    Ok(path)
}

fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model =
        cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ").map(|(_, name)| name));
    format!("{cores} cores, {}", model.unwrap_or("an unnamed processor"))
}

fn render(commit: &str, machine: &str, rows: &[Row], figures: &str) -> String {
    let mut total = Tally::default();
    let mut text = format!(
        "# Full test run\n\nWritten by `cargo xtask test --full` at commit {commit}, on {machine}.\n\n\
         | step | passed | failed | time | alone | remark |\n|---|---|---|---|---|---|\n"
    );
    for row in rows {
        total += row.tally;
        text.push_str(&format!(
            "| {} | {} | {} | {} | `{}` | {} |\n",
            row.step,
            row.tally.passed,
            row.tally.failed,
            for_people(row.took),
            row.rerun,
            row.remark.replace('\n', " ").replace('|', "/"),
        ));
    }
    text.push_str(&format!("\n{total}\n"));
    if !figures.is_empty() {
        text.push_str(&format!("\n## What the tests measured\n\n```text\n{}\n```\n", figures.trim_end()));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_lists_each_step_and_the_sum() {
        let row = |step, passed, failed, remark: &str| Row {
            step,
            tally: Tally { passed, failed },
            took: Duration::from_secs(70),
            rerun: format!("cargo xtask test --only {step}"),
            remark: remark.to_owned(),
        };
        let text = render(
            "abc of 2026-01-02",
            "2 cores",
            &[row("unit", 5, 1, "a|b"), row("doc", 2, 0, "")],
            "a: 5 ms\n",
        );
        assert!(text.contains("| unit | 5 | 1 | 1m10s | `cargo xtask test --only unit` | a/b |"), "{text}");
        assert!(text.contains("\n7 passed, 1 failed\n"), "{text}");
        assert!(text.ends_with("\n```text\na: 5 ms\n```\n"), "{text}");
    }
}
