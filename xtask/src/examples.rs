//! The standalone projects under `examples/`: each is built, tested, and run where its manifest says how. They are
//! outside of the workspace, as a reader's own project would be. Also whether the crates can be packed for a registry at all.

use crate::step::{Outcome, Step, while_doing};
use crate::tally::{Runner, Tally};
use crate::test::Done;
use crate::tree::Tree;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Builds, tests and tries every example project; the first failure of a project ends that project only.
pub(crate) fn run(tree: &Tree, step: &Step) -> Done {
    let projects = tree.example_projects();
    let mut done =
        Done { tally: Tally::default(), result: Ok(()), remark: format!("{} projects", projects.len()) };
    let profile = match shared_profile(tree) {
        Ok(profile) => profile,
        Err(failure) => return Done { result: Err(failure), ..done },
    };
    let packed = pack(tree, step);
    done.tally += Tally::one(packed.is_ok());
    done.result = packed;
    for project in projects {
        println!("    {}", project.strip_prefix(tree.root()).unwrap_or(&project).display());
        let result = try_project(tree, step, &project, &profile, &mut done.tally);
        done.tally += Tally::one(result.is_ok());
        done.result = done.result.and(result);
    }
    done
}

/// Packs every crate as a registry takes it; building what was packed is left to `cargo package --workspace`.
fn pack(tree: &Tree, step: &Step) -> Outcome {
    println!("    cargo package");
    let mut command = tree.cargo();
    step.run(command.args(["package", "--workspace", "--locked", "--no-verify", "--allow-dirty", "--quiet"]))
}

fn try_project(tree: &Tree, step: &Step, project: &Path, profile: &Path, tally: &mut Tally) -> Outcome {
    // The versions that the workspace is tested with, rather than whatever is newest today.
    let lock = project.join("Cargo.lock");
    if !lock.exists() {
        fs::copy(tree.root().join("Cargo.lock"), &lock).map_err(while_doing(lock.display()))?;
    }
    let cargo = |arguments: &[&str]| {
        let mut command: Command = tree.cargo();
        command.current_dir(project).env("CARGO_TARGET_DIR", tree.target());
        command.arg("--config").arg(profile).args(arguments);
        command
    };
    step.run(&mut cargo(&["build", "--all-targets"]))?;
    step.run_watched(&mut cargo(&["test", "--no-fail-fast"]), |line| tally.read(Runner::Libtest, line))?;
    let manifest = fs::read_to_string(project.join("Cargo.toml")).map_err(while_doing(project.display()))?;
    match smoke(&manifest) {
        Ok(Some(arguments)) => {
            step.run(&mut cargo(&arguments.iter().map(String::as_str).collect::<Vec<_>>()))
        }
        Ok(None) => Ok(()),
        Err(what) => Err(step.failure(&format!("{}: {what}", project.display()))),
    }
}

/// The profiles of the workspace as a configuration file, so that the projects use its built dependencies.
fn shared_profile(tree: &Tree) -> Outcome<PathBuf> {
    let manifest = fs::read_to_string(tree.root().join("Cargo.toml")).map_err(while_doing("Cargo.toml"))?;
    let manifest: toml::Table = manifest.parse().map_err(while_doing("Cargo.toml"))?;
    let profiles: toml::Table = manifest.into_iter().filter(|(key, _)| key == "profile").collect();
    let folder = tree.target().join("xtask");
    fs::create_dir_all(&folder).map_err(while_doing(folder.display()))?;
    let path = folder.join("profiles.toml");
    fs::write(&path, profiles.to_string()).map_err(while_doing(path.display()))?;
    Ok(path)
}

/// The arguments of the documented trial run: `package.metadata.smoke = "cargo run -- --seconds 2"`.
fn smoke(manifest: &str) -> Result<Option<Vec<String>>, String> {
    let manifest: toml::Table = manifest.parse().map_err(|error| format!("Cargo.toml: {error}"))?;
    let smoke = manifest.get("package").and_then(|package| package.get("metadata")?.get("smoke"));
    let Some(smoke) = smoke else { return Ok(None) };
    let words: Vec<&str> = smoke.as_str().unwrap_or_default().split_whitespace().collect();
    match words.split_first() {
        Some((&"cargo", arguments)) if !arguments.is_empty() => {
            Ok(Some(arguments.iter().map(|word| (*word).to_owned()).collect()))
        }
        _ => Err("package.metadata.smoke has to be a command that starts with `cargo`".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_smoke_command_is_a_cargo_command() {
        let with = |line: &str| smoke(&format!("[package]\nname = \"x\"\n[package.metadata]\n{line}\n"));
        let arguments = ["run", "--", "--seconds", "2"].map(str::to_owned).to_vec();
        assert_eq!(with("smoke = \"cargo run -- --seconds 2\""), Ok(Some(arguments)));
        assert_eq!(with(""), Ok(None));
        assert!(with("smoke = \"sh -c true\"").is_err());
        assert!(with("smoke = 3").is_err());
    }
}
