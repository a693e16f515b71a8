//! The drivers of the browsers that the real-media tests need, and mediasoup-client: npm packages, as their lock file pins
//! them.

use crate::step::{Outcome, Step, while_doing};
use crate::tree::Tree;
use std::fs;
use std::process::Command;

/// The package that asks for them.
const PACKAGE: &str = "crates/server/tests/clients/browser";
/// The lock file that was installed from, among what was installed.
const INSTALLED: &str = ".installed-lock.json";

/// Installs them, unless those of this lock file are there.
pub(crate) fn set_up(tree: &Tree, step: &Step) -> Outcome {
    let directory = tree.root().join(PACKAGE);
    let wanted = directory.join("package-lock.json");
    let installed = directory.join("node_modules").join(INSTALLED);
    if fs::read(&wanted).ok().zip(fs::read(&installed).ok()).is_some_and(|(wanted, there)| wanted == there) {
        println!("    the drivers of browsers are installed");
        return Ok(());
    }
    let mut npm = Command::new("npm");
    npm.current_dir(&directory).args(["ci", "--no-audit", "--no-fund"]);
    // The system's browsers are driven.
    npm.env("PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD", "1").env("PUPPETEER_SKIP_DOWNLOAD", "1");
    step.run(&mut npm)?;
    fs::copy(&wanted, &installed).map(drop).map_err(while_doing("copy package-lock.json"))
}
