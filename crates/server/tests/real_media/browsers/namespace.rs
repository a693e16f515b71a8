//! A network of its own for a program: a namespace, joined with the machine's by a pair of virtual devices. It must not
//! know what runs in it. Needs root.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{self, Command};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

const SETTLING: Duration = Duration::from_secs(2);

/// Gone when dropped.
pub(crate) struct Namespace {
    name: String,
    outside: String,
    inside: String,
}

impl Namespace {
    /// Makes it, with `outside` as the machine's address towards it and `inside` as its own, both with a prefix length.
    pub(crate) fn new(outside: &str, inside: &str) -> Self {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let id = format!("{}{}", process::id() % 100_000, MADE.fetch_add(1, Ordering::Relaxed));
        let own = Self {
            name: format!("tureen-test-{id}"),
            outside: format!("tur{id}a"),
            inside: format!("tur{id}b"),
        };
        ip(&["netns", "add", &own.name]);
        ip(&["link", "add", &own.outside, "type", "veth", "peer", "name", &own.inside, "netns", &own.name]);
        ip(&["addr", "add", outside, "dev", &own.outside, "nodad"]);
        ip(&["link", "set", "dev", &own.outside, "up"]);
        // An address that turns valid late is a change of network, over which a browser breaks off what it loads.
        let at_once = "for all in /proc/sys/net/ipv6/conf/*/accept_dad; do echo 0 > $all; done";
        ip(&["netns", "exec", &own.name, "sh", "-c", at_once]);
        own.within(&["addr", "add", inside, "dev", &own.inside, "nodad"]);
        own.within(&["link", "set", "dev", "lo", "up"]);
        own.within(&["link", "set", "dev", &own.inside, "up"]);
        // A browser breaks off what it loads while devices still come up.
        thread::sleep(SETTLING);
        own
    }

    fn within(&self, arguments: &[&str]) {
        ip(&[&["-n", self.name.as_str()], arguments].concat());
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

    /// The commands that take it off the network for a second, and give it another address.
    pub(super) fn renumbering(&self, old: &str, new: &str) -> Vec<Vec<String>> {
        let own = |arguments: &[&str]| {
            [&["ip", "-n", &self.name], arguments].concat().into_iter().map(str::to_owned).collect::<Vec<_>>()
        };
        vec![
            own(&["link", "set", "dev", &self.inside, "down"]),
            own(&["addr", "del", old, "dev", &self.inside]),
            vec!["sleep".to_owned(), "1".to_owned()],
            own(&["addr", "add", new, "dev", &self.inside]),
            own(&["link", "set", "dev", &self.inside, "up"]),
        ]
    }

    /// A program that runs another in the namespace, for drivers that take a path alone.
    pub(super) fn wrapper(&self, directory: &Path, program: &str) -> PathBuf {
        let path = directory.join("in-namespace");
        fs::write(&path, format!("#!/bin/sh\nexec ip netns exec {} {program} \"$@\"\n", self.name))
            .expect("a script");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("a script that can run");
        path
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // A namespace goes when its last process does; its devices, and routes to it, at once.
        let _ = Command::new("ip").args(["link", "del", "dev", &self.outside]).status();
        let _ = Command::new("ip").args(["netns", "del", &self.name]).status();
    }
}

fn ip(arguments: &[&str]) {
    let output = Command::new("ip").args(arguments).output().expect("the program ip");
    assert!(output.status.success(), "ip {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}
