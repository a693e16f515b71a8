//! `cargo xtask ci`: the steps that have to be green before a change goes in. Each is a verb or cargo command that a
//! person can run alone, so that nothing is checked in one place only.

use crate::step::{Failure, Outcome, Step, elapsed};
use crate::tree::Tree;
use crate::{test, tidy};
use clap::ValueEnum;
use std::process::{Command, Stdio};
use std::time::Instant;

/// Everything that has to be green before a change goes in.
///
/// The steps run in the order of the list below, also after one has failed. The step test is `cargo xtask test`, which
/// replays the corpora of the fuzz targets too.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Only this step
    #[arg(long, value_enum, value_name = "STEP")]
    only: Option<Part>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// cargo fmt --check
    Fmt,
    /// cargo xtask tidy
    Tidy,
    /// cargo clippy on all targets; a warning is a failure
    Clippy,
    /// cargo xtask doc
    Doc,
    /// cargo xtask test
    Test,
    /// cargo check with the oldest compiler that the workspace promises
    Msrv,
}

impl Part {
    const ALL: [Self; 6] = [Self::Fmt, Self::Tidy, Self::Clippy, Self::Doc, Self::Test, Self::Msrv];

    fn name(self) -> &'static str {
        match self {
            Self::Fmt => "fmt",
            Self::Tidy => "tidy",
            Self::Clippy => "clippy",
            Self::Doc => "doc",
            Self::Test => "test",
            Self::Msrv => "msrv",
        }
    }
}

pub(crate) fn run(tree: &Tree, options: &Options) -> Outcome {
    let started = Instant::now();
    let mut lines = Vec::new();
    let mut failed = Vec::new();
    for part in Part::ALL.into_iter().filter(|part| options.only.is_none_or(|only| only == *part)) {
        let began = Instant::now();
        let result = run_part(tree, part);
        let mark = if result.is_ok() { "ok    " } else { "FAILED" };
        lines.push(format!("{mark} {:<8} {:>8}", part.name(), elapsed(began)));
        if let Err(failure) = result {
            eprintln!("\n{failure}");
            failed.push(part);
        }
    }
    println!("\n{}\nin {}", lines.join("\n"), elapsed(started));
    let reruns: Vec<String> =
        failed.iter().map(|part| format!("cargo xtask ci --only {}", part.name())).collect();
    if reruns.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = failed.iter().map(|part| part.name()).collect();
    Err(Failure::new(format!("ci: {}", names.join(", "))).with_rerun(&reruns.join("; ")))
}

fn run_part(tree: &Tree, part: Part) -> Outcome {
    match part {
        Part::Fmt => fmt(tree),
        Part::Tidy => tidy::run(tree),
        Part::Clippy => clippy(tree),
        Part::Doc => doc(tree),
        Part::Test => test::run(tree, &test::Options::everything()),
        Part::Msrv => msrv(tree),
    }
}

/// The workspace, and the projects outside of it.
fn fmt(tree: &Tree) -> Outcome {
    let step = Step::begin("fmt", "cargo xtask ci --only fmt");
    step.run(tree.cargo().args(["fmt", "--all", "--check"]))?;
    let fuzz = tree.root().join("fuzz");
    let outside =
        tree.example_projects().into_iter().chain(fuzz.join("Cargo.toml").is_file().then_some(fuzz));
    for project in outside {
        step.run(tree.cargo().current_dir(project).args(["fmt", "--check"]))?;
    }
    step.end();
    Ok(())
}

fn clippy(tree: &Tree) -> Outcome {
    let step = Step::begin("clippy", "cargo xtask ci --only clippy");
    step.run(tree.cargo().args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))?;
    step.end();
    Ok(())
}

/// `cargo xtask doc`.
pub(crate) fn doc(tree: &Tree) -> Outcome {
    let step = Step::begin("doc", "cargo xtask doc");
    step.run(tree.cargo().env("RUSTDOCFLAGS", "-D warnings").args(["doc", "--workspace", "--no-deps"]))?;
    step.end();
    println!("    {}", tree.target().join("doc").display());
    Ok(())
}

fn msrv(tree: &Tree) -> Outcome {
    let step = Step::begin("msrv", "cargo xtask ci --only msrv");
    let wanted = tree.package("tureen").and_then(|package| package.rust_version.clone());
    let Some(wanted) = wanted else { return Err(step.failure("the package tureen states no rust-version")) };
    let wanted = format!("{}.{}", wanted.major, wanted.minor);
    if printed("rustc", &["--version"]).is_some_and(|line| is_release(&line, &wanted)) {
        println!("    the active toolchain is Rust {wanted}: every other step has built with it");
        return Ok(());
    }
    let toolchains = printed("rustup", &["toolchain", "list"]).unwrap_or_default();
    let Some(toolchain) = toolchain_of(&toolchains, &wanted) else {
        println!("    SKIPPED: Rust {wanted} is not installed (rustup toolchain install {wanted})");
        return Ok(());
    };
    step.run(tree.cargo_of(toolchain).args(["check", "--workspace", "--all-targets"]))?;
    step.end();
    Ok(())
}

fn printed(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Whether `rustc 1.95.0 (...)` is a release of `1.95`.
fn is_release(rustc: &str, wanted: &str) -> bool {
    rustc.split_whitespace().nth(1).is_some_and(|version| is_patch_of(version, wanted))
}

/// The first toolchain of a `rustup toolchain list` that is a release of `wanted`.
fn toolchain_of<'a>(list: &'a str, wanted: &str) -> Option<&'a str> {
    list.lines()
        .filter_map(|line| line.split_whitespace().next())
        .find(|name| is_patch_of(name.split('-').next().unwrap_or_default(), wanted))
}

fn is_patch_of(version: &str, wanted: &str) -> bool {
    version.strip_prefix(wanted).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_active_compiler_counts_when_it_is_the_promised_one() {
        assert!(is_release("rustc 1.95.0 (59807616e 2026-04-14)", "1.95"));
        assert!(!is_release("rustc 1.9.5 (x)", "1.95"));
        assert!(!is_release("rustc 1.951.0 (x)", "1.95"));
        assert!(!is_release("rustc 1.96.0-nightly (x)", "1.95"));
    }

    #[test]
    fn an_installed_toolchain_is_found_by_its_release() {
        let list = "stable-x86_64-unknown-linux-gnu (active, default)\nnightly-x86_64-unknown-linux-gnu\n\
                    1.95.0-x86_64-unknown-linux-gnu\n";
        assert_eq!(toolchain_of(list, "1.95"), Some("1.95.0-x86_64-unknown-linux-gnu"));
        assert_eq!(toolchain_of(list, "1.9"), None);
    }
}
