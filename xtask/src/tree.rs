//! The repository: where it is, which packages it has, which files belong to it. It runs nothing but `cargo metadata`
//! and `git`, and judges nothing.

use crate::step::{Failure, Outcome, while_doing};
use cargo_metadata::{Metadata, MetadataCommand, Package};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The repository and what cargo knows of it.
pub(crate) struct Tree {
    root: PathBuf,
    metadata: Metadata,
}

impl Tree {
    /// Reads the workspace that this program was built in.
    pub(crate) fn load() -> Outcome<Self> {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let metadata = MetadataCommand::new()
            .manifest_path(here.join("Cargo.toml"))
            .exec()
            .map_err(while_doing("cargo metadata"))?;
        Ok(Self { root: metadata.workspace_root.clone().into_std_path_buf(), metadata })
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// What cargo knows of the dependencies that this platform uses.
    pub(crate) fn metadata_of_this_platform(&self) -> Outcome<Metadata> {
        let rustc =
            Command::new("rustc").args(["--print", "host-tuple"]).output().map_err(while_doing("rustc"))?;
        let host = String::from_utf8_lossy(&rustc.stdout).trim().to_owned();
        MetadataCommand::new()
            .manifest_path(self.root.join("Cargo.toml"))
            .other_options(["--filter-platform".to_owned(), host])
            .exec()
            .map_err(while_doing("cargo metadata"))
    }

    /// Where cargo puts what it builds.
    pub(crate) fn target(&self) -> &Path {
        self.metadata.target_directory.as_std_path()
    }

    /// The workspace's package of that name.
    pub(crate) fn package(&self, name: &str) -> Option<&Package> {
        self.metadata.workspace_packages().into_iter().find(|package| package.name == name)
    }

    /// The workspace's version.
    pub(crate) fn version(&self) -> Outcome<String> {
        let server =
            self.package("tureen-server").ok_or_else(|| Failure::new("there is no package tureen-server"))?;
        Ok(server.version.to_string())
    }

    /// A `cargo` of the toolchain that runs this program, started at the root.
    pub(crate) fn cargo(&self) -> Command {
        let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command.current_dir(&self.root);
        command
    }

    /// A `cargo` of another toolchain, through rustup.
    pub(crate) fn cargo_of(&self, toolchain: &str) -> Command {
        let mut command = Command::new("rustup");
        // What `cargo run` sets for this program belongs to the toolchain that built it.
        command.env_remove("CARGO").env_remove("LD_LIBRARY_PATH");
        command.current_dir(&self.root).args(["run", toolchain, "cargo"]);
        command
    }

    /// Whether cargo has this external verb (`cargo-<verb>` on the path).
    pub(crate) fn has_cargo_verb(&self, verb: &str) -> bool {
        self.cargo()
            .args([verb, "--version"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    }

    /// The output of `git` with these arguments, run at the root.
    pub(crate) fn git(&self, arguments: &[&str]) -> Outcome<String> {
        let output = Command::new("git")
            .current_dir(&self.root)
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .map_err(while_doing("git"))?;
        if !output.status.success() {
            return Err(Failure::new(format!(
                "git {}: {}",
                arguments.join(" "),
                String::from_utf8_lossy(&output.stderr).trim()
            )));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Paths, relative to the root, of all files that are in the repository or about to be.
    pub(crate) fn files(&self) -> Outcome<Vec<String>> {
        let listed = self.git(&["ls-files", "-z", "--cached", "--others", "--exclude-standard"])?;
        let mut files: Vec<String> = listed
            .split('\0')
            .filter(|path| !path.is_empty() && self.root.join(path).is_file())
            .map(str::to_owned)
            .collect();
        files.sort();
        files.dedup();
        Ok(files)
    }

    /// Folders under `examples/` that are projects of their own.
    pub(crate) fn example_projects(&self) -> Vec<PathBuf> {
        let mut projects: Vec<PathBuf> = fs::read_dir(self.root.join("examples"))
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.join("Cargo.toml").is_file())
            .collect();
        projects.sort();
        projects
    }
}
