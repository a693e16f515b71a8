//! `cargo xtask build`: the release binary of the server, and with `--dist` the archive that other machines get.

use crate::dist;
use crate::step::{Outcome, Step, while_doing};
use crate::tree::Tree;
use sha2::{Digest, Sha256};
use std::fs;
use std::path::{Path, PathBuf};

/// Build the release binary of the server; with --dist, pack it for other machines.
///
/// Prints path, size and SHA-256. The archive holds the program, its licences and those of the software in it, the
/// README, a systemd unit and a container file; the same commit and compiler give the same bytes.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Pack target/dist/tureen-VERSION-ARCH.tar.gz with its .sha256
    #[arg(long)]
    dist: bool,
}

pub(crate) fn run(tree: &Tree, options: &Options) -> Outcome {
    let step = Step::begin("build", "cargo xtask build");
    let binary = binary(tree, &step, "tureen-server", "tureen", &[])?;
    describe(&binary)?;
    step.end();
    if options.dist {
        let step = Step::begin("dist", "cargo xtask build --dist");
        let archive = dist::pack(tree, &binary)?;
        let digest = describe(&archive)?;
        let name = archive.file_name().unwrap_or_default().to_string_lossy();
        let beside = PathBuf::from(format!("{}.sha256", archive.display()));
        // The format of sha256sum: `sha256sum --check` reads it.
        fs::write(&beside, format!("{digest}  {name}\n")).map_err(while_doing(beside.display()))?;
        step.end();
    }
    Ok(())
}

/// Builds a program of the workspace for release, with features of its package; returns where it is.
pub(crate) fn binary(
    tree: &Tree,
    step: &Step,
    package: &str,
    program: &str,
    features: &[&str],
) -> Outcome<PathBuf> {
    let mut command = tree.cargo();
    command.args(["build", "--release", "--locked", "--package", package, "--bin", program]);
    step.run(command.args(features.iter().flat_map(|feature| ["--features", feature])))?;
    Ok(tree.target().join("release").join(program))
}

/// Prints path, size and digest of a file, and returns the digest.
fn describe(path: &Path) -> Outcome<String> {
    let bytes = fs::read(path).map_err(while_doing(path.display()))?;
    let digest = hex(&Sha256::digest(&bytes));
    println!("    {}\n    {} bytes\n    sha256 {digest}", path.display(), bytes.len());
    Ok(digest)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digest_of_the_empty_file() {
        // FIPS 180-4, the empty message.
        let expected = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(hex(&Sha256::digest([])), expected);
    }
}
