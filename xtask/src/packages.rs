//! System packages that the real-media tests need: asked of `dpkg-query`, and installed through `apt-get` only where
//! they are missing and this program may. It touches nothing that is already there.

use crate::step::{Outcome, Step, while_doing};
use std::process::{Command, Stdio};

/// Debian packages: the programs that send and receive real media, and the network namespaces around them.
const NEEDED: [&str; 16] = [
    "chromium",
    "ffmpeg",
    "firefox-esr",
    "gstreamer1.0-tools",
    "gstreamer1.0-plugins-base",
    "gstreamer1.0-plugins-good",
    "gstreamer1.0-plugins-bad",
    "gstreamer1.0-plugins-ugly",
    "gstreamer1.0-libav",
    "gstreamer1.0-nice",
    "python3-gst-1.0",
    "python3-venv",
    "gir1.2-gst-plugins-bad-1.0",
    "iproute2",
    "nodejs",
    "npm",
];

/// Makes sure that every needed package is installed.
pub(crate) fn set_up(step: &Step) -> Outcome {
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
    // Builds of Node.js that are not Debian's bring their own, and do not get on with the package.
    let has_npm = Command::new("npm").arg("--version").output().is_ok_and(|output| output.status.success());
    let missing: Vec<&str> = missing(&known).into_iter().filter(|name| *name != "npm" || !has_npm).collect();
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
