//! A network of its own for a program: a namespace, joined with the machine's, or with another one, by a pair of virtual devices. It must
//! not know what runs in it. Needs root.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{self, Command};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

pub(super) const SETTLING: Duration = Duration::from_secs(2);
/// An address that turns valid late is a change of network, over which a browser breaks off what it loads.
const WITHOUT_DETECTION: &str = "for all in /proc/sys/net/ipv6/conf/*/accept_dad; do echo 0 > $all; done";

/// Gone when dropped.
pub(crate) struct Namespace {
    name: String,
    /// Its device, and the machine's at the other end, where it is joined with that.
    inside: String,
    outside: Option<String>,
}

impl Namespace {
    /// Makes it, with `outside` as the machine's address towards it and `inside` as its own, both with a prefix length.
    pub(crate) fn new(outside: &str, inside: &str) -> Self {
        let mut own = Self::alone();
        let device = join(&[], outside, &own, inside);
        own.outside = Some(device);
        // A browser breaks off what it loads while devices still come up.
        thread::sleep(SETTLING);
        own
    }

    /// Makes it without a way out.
    pub(super) fn alone() -> Self {
        let id = number();
        let own = Self { name: format!("tureen-test-{id}"), inside: format!("tur{id}b"), outside: None };
        ip(&["netns", "add", &own.name]);
        own.within(&["link", "set", "dev", "lo", "up"]);
        own
    }

    /// Joins another one with it, with `here` and `there` as their addresses, both with a prefix length; the way out of the other one is
    /// over `gateway`.
    pub(super) fn lead(&self, here: &str, other: &Self, there: &str, gateway: &str) {
        join(&["-n", &self.name], here, other, there);
        other.within(&["route", "add", "default", "via", gateway]);
    }

    pub(super) fn within(&self, arguments: &[&str]) {
        ip(&[&["-n", self.name.as_str()], arguments].concat());
    }

    /// Has a shell in it run a line.
    pub(super) fn shell(&self, line: &str) {
        ip(&["netns", "exec", &self.name, "sh", "-c", line]);
    }

    /// What runs a line in a shell in it.
    pub(super) fn shell_command(&self, line: &str) -> Vec<String> {
        ["ip", "netns", "exec", &self.name, "sh", "-c", line].map(str::to_owned).into()
    }

    /// A program that runs in it.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name]).arg(program);
        command
    }

    /// Cuts it off from the machine, or joins the two again.
    pub(crate) fn set_joined(&self, joined: bool) {
        self.within(&["link", "set", "dev", &self.inside, if joined { "up" } else { "down" }]);
    }

    /// The commands that take it off the network, and those that bring it back under another address.
    pub(super) fn renumbering(&self, old: &str, new: &str) -> [Vec<Vec<String>>; 2] {
        let own = |arguments: &[&str]| {
            [&["ip", "-n", &self.name], arguments].concat().into_iter().map(str::to_owned).collect::<Vec<_>>()
        };
        [
            vec![
                own(&["link", "set", "dev", &self.inside, "down"]),
                own(&["addr", "del", old, "dev", &self.inside]),
            ],
            vec![
                own(&["addr", "add", new, "dev", &self.inside]),
                own(&["link", "set", "dev", &self.inside, "up"]),
            ],
        ]
    }

    /// A program that runs another in the namespace, for drivers that take a path alone.
    pub(super) fn wrapper(&self, directory: &Path, program: &str) -> PathBuf {
        let path = directory.join(format!("in-{}", self.name));
        fs::write(&path, format!("#!/bin/sh\nexec ip netns exec {} {program} \"$@\"\n", self.name))
            .expect("a script");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("a script that can run");
        path
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // A namespace goes when its last process does; its devices, and routes to it, at once.
        if let Some(outside) = &self.outside {
            let _ = Command::new("ip").args(["link", "del", "dev", outside]).status();
        }
        let _ = Command::new("ip").args(["netns", "del", &self.name]).status();
    }
}

/// A number for a name that nobody else has taken.
fn number() -> String {
    static MADE: AtomicU32 = AtomicU32::new(0);
    format!("{}{}", process::id() % 100_000, MADE.fetch_add(1, Ordering::Relaxed))
}

/// Lays a pair of devices between where `at` leads, as arguments of `ip`, and a namespace; the name of the one at `at`.
fn join(at: &[&str], outside: &str, namespace: &Namespace, inside: &str) -> String {
    let device = format!("tur{}a", number());
    let outer = |arguments: &[&str]| ip(&[at, arguments].concat());
    let Namespace { name, inside: inner, .. } = namespace;
    outer(&["link", "add", &device, "type", "veth", "peer", "name", inner, "netns", name]);
    outer(&["addr", "add", outside, "dev", &device, "nodad"]);
    outer(&["link", "set", "dev", &device, "up"]);
    namespace.shell(WITHOUT_DETECTION);
    namespace.within(&["addr", "add", inside, "dev", inner, "nodad"]);
    namespace.within(&["link", "set", "dev", inner, "up"]);
    device
}

fn ip(arguments: &[&str]) {
    let output = Command::new("ip").args(arguments).output().expect("the program ip");
    assert!(output.status.success(), "ip {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}
