//! Two networks and a router between them that can be stopped: neither sees its own device go down. Must not know what runs in them. Needs
//! root.

use super::namespace::{Namespace, SETTLING};
use std::thread;

const FORWARDING: &str = "/proc/sys/net/ipv4/ip_forward";

pub(super) struct Road {
    pub(super) ends: [Namespace; 2],
    router: Namespace,
}

impl Road {
    /// The addresses of what is in the two networks.
    pub(super) const ADDRESSES: [&str; 2] = ["10.118.1.2", "10.118.2.2"];

    pub(super) fn new() -> Self {
        let road = Self { ends: [Namespace::alone(), Namespace::alone()], router: Namespace::alone() };
        road.router.lead("10.118.1.1/24", &road.ends[0], "10.118.1.2/24", "10.118.1.1");
        road.router.lead("10.118.2.1/24", &road.ends[1], "10.118.2.2/24", "10.118.2.1");
        road.router.shell(&format!("echo 1 > {FORWARDING}"));
        thread::sleep(SETTLING);
        road
    }

    /// The command that stops the router, or starts it again.
    pub(super) fn opening(&self, open: bool) -> Vec<String> {
        self.router.shell_command(&format!("echo {} > {FORWARDING}", u8::from(open)))
    }
}
