//! What the real-media tests need: system packages, asked of `dpkg-query`, and installed through `apt-get` only where they
//! are missing and this program may; and the drivers of browsers, as their lock file pins them. It touches nothing that is
//! already there.

use crate::step::{Outcome, Step, while_doing};
use crate::tree::Tree;
use std::fs;
use std::process::{Command, Stdio};

/// Debian packages: the programs that send and receive real media, and the network namespaces around them.
const NEEDED: [&str; 14] = [
    "chromium",
    "firefox-esr",
    "nodejs",
    "npm",
    "ffmpeg",
    "gstreamer1.0-tools",
    "gstreamer1.0-plugins-base",
    "gstreamer1.0-plugins-good",
    "gstreamer1.0-plugins-bad",
    "gstreamer1.0-plugins-ugly",
    "gstreamer1.0-libav",
    "python3-gst-1.0",
    "gir1.2-gst-plugins-bad-1.0",
    "iproute2",
];

/// The package of the browsers' drivers.
const DRIVERS: &str = "crates/server/tests/clients/browser";
/// The lock file that was installed from, among the packages.
const INSTALLED: &str = ".installed-lock.json";

/// Makes sure that everything needed is installed.
pub(crate) fn set_up(tree: &Tree, step: &Step) -> Outcome {
    system_packages(step)?;
    drivers(tree, step)
}

/// Installs the drivers, unless those of this lock file are there.
fn drivers(tree: &Tree, step: &Step) -> Outcome {
    let directory = tree.root().join(DRIVERS);
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

fn system_packages(step: &Step) -> Outcome {
    let known = match Command::new("dpkg-query")
        .args(["-W", "-f", "${Package} ${db:Status-Status}\n"])
        .output()
    {
        Ok(output) => String::from_utf8_lossy(&output.stdout).into_owned(),
        Err(_) => {
            return Err(step.failure(&format!(
                "there is no dpkg-query here, so this is no Debian: install what these packages hold, then run the \
                 steps with --only: {}",
                NEEDED.join(" ")
            )));
        }
    };
    let missing = missing(&known);
    if missing.is_empty() {
        println!("    all {} system packages are installed", NEEDED.len());
        return Ok(());
    }
    if !is_root()? {
        return Err(step.failure(&format!(
            "system packages are missing; as root: apt-get install --no-install-recommends {}",
            missing.join(" ")
        )));
    }
    println!("    installing: {}", missing.join(" "));
    step.run(apt_get().arg("update"))?;
    step.run(apt_get().args(["install", "--yes", "--no-install-recommends"]).args(missing))
}

fn apt_get() -> Command {
    let mut command = Command::new("apt-get");
    command.arg("--quiet").env("DEBIAN_FRONTEND", "noninteractive");
    command
}

fn is_root() -> Outcome<bool> {
    let output = Command::new("id").arg("-u").stdin(Stdio::null()).output().map_err(while_doing("id -u"))?;
    Ok(output.stdout.trim_ascii() == b"0")
}

/// The needed packages that a listing of `name status` lines does not call installed.
fn missing(known: &str) -> Vec<&'static str> {
    let installed = |package: &str| {
        known.lines().any(|line| {
            line.split_once(' ').is_some_and(|(name, status)| name == package && status == "installed")
        })
    };
    NEEDED.into_iter().filter(|package| !installed(package)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_missing_is_asked_for() {
        let mut known = String::from("bash installed\n");
        for package in NEEDED {
            let status = match package {
                "ffmpeg" => "config-files",
                "iproute2" => continue,
                _ => "installed",
            };
            known.push_str(&format!("{package} {status}\n"));
        }
        assert_eq!(missing(&known), ["ffmpeg", "iproute2"]);
    }
}
