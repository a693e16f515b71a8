//! UDP ports of 127.0.0.1 for the clients: which are free, and who has bound his.

use std::fs;
use std::net::UdpSocket;
use std::sync::atomic::{AtomicU16, Ordering};

/// Below the ports that the system gives out by itself, and off those of the server's plain transports.
static NEXT: AtomicU16 = AtomicU16::new(20_000);

/// A free even port whose successor is free as well: RTP and RTCP (RFC 3550 section 11).
pub(crate) fn free_pair() -> (u16, u16) {
    loop {
        let rtp = NEXT.fetch_add(2, Ordering::Relaxed);
        assert!(rtp < 30_000, "no free pair of ports");
        if is_free(rtp) && is_free(rtp + 1) {
            return (rtp, rtp + 1);
        }
    }
}

fn is_free(port: u16) -> bool {
    UdpSocket::bind(("0.0.0.0", port)).is_ok()
}

/// Whether some process has bound this UDP port, without binding it to find out.
pub(crate) fn is_bound(port: u16) -> bool {
    let suffix = format!(":{port:04X}");
    let table = |path| fs::read_to_string(path).unwrap_or_default();
    [table("/proc/net/udp"), table("/proc/net/udp6")]
        .iter()
        .flat_map(|table| table.lines())
        .filter_map(|line| line.split_whitespace().nth(1))
        .any(|local| local.ends_with(&suffix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_port_is_seen() {
        let (port, _) = free_pair();
        assert!(!is_bound(port));
        let socket = UdpSocket::bind(("127.0.0.1", port)).unwrap();
        assert!(is_bound(port));
        drop(socket);
        assert!(!is_bound(port));
    }

    #[test]
    fn pairs_are_even_and_differ() {
        let (one, two) = (free_pair(), free_pair());
        assert!(one != two && one.0 % 2 == 0 && one.1 == one.0 + 1);
    }
}
