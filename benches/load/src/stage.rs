//! Where a load takes place: addresses of a device, and the network namespace of the device that discards.

use crate::error::{Error, while_doing};
use crate::options::Device;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Command, Stdio};

/// The server's end of the device that discards.
const IFB_ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
const IFB: &str = "ifb0";
const PREFIX: &str = "tureen-load-";

impl Device {
    /// Where server, bare loop and sender bind.
    pub(crate) fn local_ip(self) -> IpAddr {
        match self {
            Self::Loopback => Ipv4Addr::LOCALHOST.into(),
            Self::Ifb => IFB_ADDRESS.into(),
        }
    }
}

/// Addresses behind the device that discards, all different.
pub(crate) fn discarded(count: u16) -> Vec<SocketAddr> {
    let address = |number: u16| Ipv4Addr::new(10, 77, 1 + (number / 250) as u8, 1 + (number % 250) as u8);
    (0..count).map(|number| SocketAddr::from((address(number), 5004))).collect()
}

/// A network namespace with a device that discards what it is given; removed when dropped.
#[derive(Debug)]
pub(crate) struct Namespace {
    name: String,
}

impl Namespace {
    /// Makes one. Needs root and the kernel's `ifb`.
    pub(crate) fn make() -> Result<Self, Error> {
        remove_left_behind();
        let name = format!("{PREFIX}{}", std::process::id());
        ip(&["netns", "add", &name])?;
        let namespace = Self { name };
        namespace.ip(&["link", "set", "up", "lo"])?;
        namespace.ip(&["link", "add", IFB, "type", "ifb"])?;
        namespace.ip(&["addr", "add", &format!("{IFB_ADDRESS}/16"), "dev", IFB])?;
        namespace.ip(&["link", "set", "up", IFB])?;
        Ok(namespace)
    }

    /// A command that runs `program` in there.
    pub(crate) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name]).arg(program);
        command
    }

    fn ip(&self, arguments: &[&str]) -> Result<(), Error> {
        ip(&[&["-netns", &self.name], arguments].concat())
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        if let Err(error) = ip(&["netns", "del", &self.name]) {
            eprintln!("tureen-load: {error}");
        }
    }
}

/// Removes namespaces of runs that were cut off.
fn remove_left_behind() {
    let Ok(output) = Command::new("ip").args(["netns", "list"]).output() else { return };
    for name in
        left_behind(&String::from_utf8_lossy(&output.stdout), |pid| Path::new("/proc").join(pid).exists())
    {
        // Somebody else may have been faster.
        let _ = ip(&["netns", "del", &name]);
    }
}

fn left_behind(list: &str, lives: impl Fn(&str) -> bool) -> Vec<String> {
    let names = list.lines().filter_map(|line| line.split_whitespace().next());
    let ours = names.filter(|name| name.strip_prefix(PREFIX).is_some_and(|pid| !lives(pid)));
    ours.map(str::to_owned).collect()
}

fn ip(arguments: &[&str]) -> Result<(), Error> {
    let line = format!("ip {}", arguments.join(" "));
    let output = Command::new("ip")
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .map_err(while_doing(format!("`{line}`")))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(Error::Child(format!("`{line}`: {}", String::from_utf8_lossy(&output.stderr).trim()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn addresses_behind_the_device_differ_and_lie_in_its_network() {
        let addresses = discarded(5000);
        assert_eq!(addresses.iter().collect::<BTreeSet<_>>().len(), 5000);
        for address in addresses {
            let IpAddr::V4(ip) = address.ip() else { panic!("{address}") };
            assert!(ip.octets().starts_with(&[10, 77]) && ip != IFB_ADDRESS);
            assert!((1..=254).contains(&ip.octets()[3]));
        }
    }

    #[test]
    fn only_our_own_dead_namespaces_are_removed() {
        let list = "other\ntureen-load-12 (id: 3)\ntureen-load-34\n";
        assert_eq!(left_behind(list, |pid| pid == "34"), ["tureen-load-12"]);
    }
}
