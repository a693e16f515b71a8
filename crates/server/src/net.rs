//! The addresses of this machine, and how media sockets listen on them. Must not know what is sent to them.

use crate::config::{AUTO, Settings};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use tureen::{ListenInfo, PortRange};

/// Bytes of kernel buffer that media sockets ask for on each side: a burst of key frames that comes while a core is busy.
pub(crate) const SOCKET_BUFFER: u32 = 4 * 1024 * 1024;

/// UDP on `ip`, with room for bursts.
pub(crate) fn media_listen_info(ip: IpAddr) -> ListenInfo {
    ListenInfo {
        recv_buffer_size: Some(SOCKET_BUFFER),
        send_buffer_size: Some(SOCKET_BUFFER),
        ..ListenInfo::new(ip)
    }
}

/// The listen address of the family of who reached HTTP on an address of this server, and what they are told of it.
pub(crate) fn media_place(settings: &Settings, reached_on: Option<IpAddr>) -> ListenInfo {
    let ips = &settings.listen_ips;
    let reached_on = reached_on.map(|ip| ip.to_canonical());
    let same_family = |ip: &&IpAddr| reached_on.is_none_or(|reached_on| reached_on.is_ipv4() == ip.is_ipv4());
    let fallback = || IpAddr::from([127, 0, 0, 1]);
    let ip = ips.iter().find(same_family).or(ips.first()).copied().unwrap_or_else(fallback);
    let announced_address = match settings.announced_address.as_str() {
        AUTO => reached_on
            .filter(|reached_on| ip.is_unspecified() && reached_on.is_ipv4() == ip.is_ipv4())
            .map(|ip| ip.to_string()),
        address => Some(address.to_owned()),
    };
    let port_range = Some(PortRange { min: settings.rtc_min_port, max: settings.rtc_max_port });
    ListenInfo { announced_address, port_range, ..media_listen_info(ip) }
}

/// Every address of the machine that others may reach, and those of the machine alone last.
pub(crate) fn addresses() -> Vec<IpAddr> {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_else(|error| {
        tracing::warn!(%error, "cannot list the addresses of this machine");
        Vec::new()
    });
    let mut ips: Vec<IpAddr> =
        interfaces.iter().map(if_addrs::Interface::ip).filter(|ip| !is_link_local(ip)).collect();
    ips.sort_by_key(IpAddr::is_loopback);
    let mut seen = Vec::new();
    ips.retain(|ip| {
        let new = !seen.contains(ip);
        seen.push(*ip);
        new
    });
    ips
}

/// Link-local addresses need a zone that nobody is told of (RFC 4007).
fn is_link_local(ip: &IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}

/// Addresses to listen on for media: an unspecified one stands for all that the machine has of its family.
pub(crate) fn media_addresses(listen_ips: &[IpAddr]) -> Vec<IpAddr> {
    let mut found: Vec<IpAddr> = Vec::new();
    for ip in listen_ips {
        let own = || addresses().into_iter().filter(|own| own.is_ipv4() == ip.is_ipv4());
        let meant = if ip.is_unspecified() { own().collect() } else { vec![*ip] };
        for ip in meant {
            if !found.contains(&ip) {
                found.push(ip);
            }
        }
    }
    if found.is_empty() { listen_ips.to_vec() } else { found }
}

/// The address to give to people for a socket that listens on `ip`.
pub(crate) fn shown(ip: IpAddr) -> IpAddr {
    if !ip.is_unspecified() {
        return ip;
    }
    let same_family = |own: &IpAddr| own.is_ipv4() == ip.is_ipv4();
    addresses().into_iter().find(same_family).unwrap_or(IpAddr::from([127, 0, 0, 1]))
}

/// The address that this machine reaches a socket on that listens on `ip`.
pub(crate) fn reached_locally(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    }
}
