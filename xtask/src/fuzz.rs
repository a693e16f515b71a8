//! The fuzz targets: `fuzz/` is a workspace of its own, built by nightly cargo-fuzz; `fuzz/targets` is a library of
//! the main workspace, which replays `fuzz/corpus/<target>/` on the stable toolchain. The targets are written there.

use crate::step::{Failure, Outcome, Step, while_doing};
use crate::test;
use crate::tree::Tree;
use clap::Subcommand;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

const NIGHTLY: &str = "nightly";

/// List the fuzz targets, run them, replay their corpora, measure their coverage.
///
/// Alone it lists the targets. What a run finds stays in the target folder until somebody adds it to fuzz/corpus/.
#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Subcommand)]
enum Verb {
    /// Run one target
    Run {
        target: String,
        #[command(flatten)]
        how: How,
    },
    /// Run every target, one after another
    All {
        #[command(flatten)]
        how: How,
    },
    /// Measure which code the corpora reach; one target, or all
    Coverage {
        target: Option<String>,
        /// Install cargo-fuzz if it is missing
        #[arg(long)]
        install: bool,
    },
    /// Run every corpus file through its target on the stable toolchain
    Replay,
}

#[derive(clap::Args, Clone, Copy)]
struct How {
    /// How long each target runs
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// Install cargo-fuzz if it is missing
    #[arg(long)]
    install: bool,
}

pub(crate) fn run(tree: &Tree, options: Options) -> Outcome {
    match options.verb {
        None => list(tree),
        Some(Verb::Run { target, how }) => {
            let target = known(&targets(tree)?, &target)?;
            need_cargo_fuzz(tree, how.install)?;
            run_target(tree, &target, how.seconds)
        }
        Some(Verb::All { how }) => {
            let targets = targets(tree)?;
            need_cargo_fuzz(tree, how.install)?;
            targets.iter().try_for_each(|target| run_target(tree, target, how.seconds))
        }
        Some(Verb::Coverage { target, install }) => {
            let targets = targets(tree)?;
            let chosen = match target {
                Some(name) => vec![known(&targets, &name)?],
                None => targets,
            };
            need_cargo_fuzz(tree, install)?;
            chosen.iter().try_for_each(|target| coverage(tree, target))
        }
        Some(Verb::Replay) => test::run_replay(tree),
    }
}

fn list(tree: &Tree) -> Outcome {
    for target in targets(tree)? {
        let corpus = tree.root().join("fuzz/corpus").join(&target);
        let files = fs::read_dir(&corpus).map_or(0, Iterator::count);
        println!("{target:<24} {files} corpus files");
    }
    println!("\nrun one with: cargo xtask fuzz run TARGET --seconds N");
    Ok(())
}

/// The names of the binaries in `fuzz/Cargo.toml`.
fn targets(tree: &Tree) -> Outcome<Vec<String>> {
    let manifest =
        fs::read_to_string(tree.root().join("fuzz/Cargo.toml")).map_err(while_doing("fuzz/Cargo.toml"))?;
    let targets = names(&manifest).map_err(while_doing("fuzz/Cargo.toml"))?;
    if targets.is_empty() { Err(Failure::new("fuzz/Cargo.toml names no [[bin]]")) } else { Ok(targets) }
}

fn names(manifest: &str) -> Result<Vec<String>, toml::de::Error> {
    let manifest: toml::Table = manifest.parse()?;
    let bins = manifest.get("bin").and_then(toml::Value::as_array).into_iter().flatten();
    Ok(bins.filter_map(|bin| bin.get("name")?.as_str().map(str::to_owned)).collect())
}

fn known(targets: &[String], name: &str) -> Outcome<String> {
    match targets.iter().find(|target| *target == name) {
        Some(target) => Ok(target.clone()),
        None => {
            Err(Failure::new(format!("there is no fuzz target {name}; there are: {}", targets.join(", "))))
        }
    }
}

fn need_cargo_fuzz(tree: &Tree, install: bool) -> Outcome {
    let toolchain =
        tree.cargo_of(NIGHTLY).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !toolchain.is_ok_and(|status| status.success()) {
        return Err(Failure::new("fuzzing needs a nightly toolchain: rustup toolchain install nightly"));
    }
    if tree.has_cargo_verb("fuzz") {
        return Ok(());
    }
    if !install {
        return Err(Failure::new(
            "cargo-fuzz is missing: add --install, or run cargo install --locked cargo-fuzz",
        ));
    }
    let step = Step::begin("install cargo-fuzz", "cargo install --locked cargo-fuzz");
    step.run(tree.cargo().args(["install", "--locked", "cargo-fuzz"]))?;
    step.end();
    Ok(())
}

fn run_target(tree: &Tree, target: &str, seconds: u64) -> Outcome {
    let rerun = format!("cargo xtask fuzz run {target} --seconds {seconds}");
    let step = Step::begin(&format!("fuzz {target}, {seconds}s"), &rerun);
    // libFuzzer writes what it finds to the first folder and only reads the others.
    let found = tree.target().join("fuzz-found").join(target);
    fs::create_dir_all(&found).map_err(while_doing(found.display()))?;
    let mut command = tree.cargo_of(NIGHTLY);
    command.args(["fuzz", "run", target]).arg(&found);
    command.args(corpus(tree.root(), target));
    command.args(["--", &format!("-max_total_time={seconds}"), "-print_final_stats=1"]);
    step.run(&mut command)?;
    step.end();
    Ok(())
}

fn coverage(tree: &Tree, target: &str) -> Outcome {
    let step = Step::begin(&format!("coverage of {target}"), &format!("cargo xtask fuzz coverage {target}"));
    let Some(corpus) = corpus(tree.root(), target) else {
        return Err(step.failure(&format!("fuzz/corpus/{target} is missing: there is nothing to measure")));
    };
    let Some(llvm_cov) = llvm_cov(tree) else {
        return Err(step.failure("llvm-cov is missing: rustup component add --toolchain nightly llvm-tools"));
    };
    step.run(tree.cargo_of(NIGHTLY).args(["fuzz", "coverage", target]).arg(corpus))?;
    let binary =
        coverage_binary(tree, target).ok_or_else(|| step.failure("cargo fuzz left no coverage binary"))?;
    let profile = tree.root().join("fuzz/coverage").join(target).join("coverage.profdata");
    let mut report = std::process::Command::new(llvm_cov);
    report.arg("report").arg(binary).arg("-instr-profile").arg(profile);
    // Other people's code and the standard library say nothing about our targets.
    report.arg("-ignore-filename-regex=(registry|rustc|library)/");
    step.run(&mut report)?;
    step.end();
    Ok(())
}

fn corpus(root: &Path, target: &str) -> Option<PathBuf> {
    Some(root.join("fuzz/corpus").join(target)).filter(|folder| folder.is_dir())
}

fn nightly_prints(tree: &Tree, arguments: &[&str]) -> Option<String> {
    let output = std::process::Command::new("rustup")
        .current_dir(tree.root())
        .args(["run", NIGHTLY, "rustc"])
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn llvm_cov(tree: &Tree) -> Option<PathBuf> {
    let libraries = nightly_prints(tree, &["--print", "target-libdir"])?;
    let tool = Path::new(&libraries).parent()?.join("bin/llvm-cov");
    tool.is_file().then_some(tool)
}

/// Where cargo-fuzz puts the instrumented binary: below its own target folder, or the one that the environment names.
fn coverage_binary(tree: &Tree, target: &str) -> Option<PathBuf> {
    let host = nightly_prints(tree, &["--print", "host-tuple"])?;
    let below =
        |folder: PathBuf| folder.join(&host).join("coverage").join(&host).join("release").join(target);
    let places = [tree.root().join("target"), tree.root().join("fuzz/target"), tree.target().to_owned()];
    places.into_iter().map(below).find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_the_binaries_of_the_fuzz_manifest() {
        let manifest = "[package]\nname = \"fuzz\"\n[[bin]]\nname = \"rtp\"\npath = \"a.rs\"\n[[bin]]\nname = \"rtcp\"\n";
        assert_eq!(names(manifest).unwrap(), ["rtp", "rtcp"]);
        assert_eq!(names("[package]\nname = \"fuzz\"\n").unwrap(), [""; 0]);
    }

    #[test]
    fn an_unknown_target_is_answered_with_the_known_ones() {
        let text = known(&["rtp".to_owned(), "rtcp".to_owned()], "stun").unwrap_err().to_string();
        assert!(text.contains("stun") && text.contains("rtp, rtcp"), "{text}");
    }
}
