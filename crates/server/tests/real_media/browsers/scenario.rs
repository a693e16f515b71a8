//! A scenario of `tests/clients/browser`: its options go in as JSON, its figures come out as JSON. It must not know what
//! they mean.

use super::super::process::Process;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const CLIENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/browser");

/// Runs the scenario of this name; panics where it fails or takes longer than `limit`.
pub(crate) fn run<T: DeserializeOwned>(directory: &Path, name: &str, options: &Value, limit: Duration) -> T {
    let mut process = start(directory, name, options);
    process.wait(limit);
    figures(name, &process)
}

/// Starts it, for whoever has to do something meanwhile.
pub(super) fn start(directory: &Path, name: &str, options: &Value) -> Process {
    let clients = Path::new(CLIENTS);
    assert!(
        clients.join("node_modules").exists(),
        "cargo xtask test --only setup installs the browsers' drivers"
    );
    let mut command = Command::new("node");
    command.current_dir(clients).arg(format!("{name}.mjs")).arg(options.to_string());
    Process::start(directory, name, &mut command)
}

/// What one that has ended tells.
pub(super) fn figures<T: DeserializeOwned>(name: &str, process: &Process) -> T {
    let text = process.stdout();
    serde_json::from_str(&text)
        .unwrap_or_else(|error| panic!("{name}: {error}: {text}\n{}", process.stderr()))
}
