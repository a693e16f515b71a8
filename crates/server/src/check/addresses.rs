//! Whether the addresses that clients are told can be reached: those announced, against those of the interfaces.

use super::finding::{Report, Verdict};
use super::ports::list;
use crate::config::{AUTO, Settings};
use crate::net::{addresses, media_addresses};
use std::net::{IpAddr, ToSocketAddrs};

const ANNOUNCED: &str = "announced_address";
const LISTEN: &str = "listen_ips";

pub(super) fn examine(settings: &Settings, report: &mut Report) {
    let own = addresses();
    for ip in &settings.listen_ips {
        if !ip.is_unspecified() && !own.contains(ip) && !ip.is_loopback() {
            let found = format!("{ip} is no address of this machine, which has {}", list(own.iter()));
            report.fail(LISTEN, found, "name one of these, or 0.0.0.0, and announce the other");
        }
    }
    let media = media_addresses(&settings.listen_ips);
    let reach = if settings.announced_address == AUTO {
        unannounced(&media)
    } else {
        announced(&settings.announced_address, &media)
    };
    report.findings.push(reach);
}

/// Where clients are told the addresses that the server listens on.
fn unannounced(media: &[IpAddr]) -> super::Finding {
    let shown = list(media.iter());
    let (verdict, found, advice) = if media.iter().all(IpAddr::is_loopback) {
        let found = format!("auto, and media is taken on {shown} only");
        (Verdict::Warn, found, "only this machine can join: set listen_ips to 0.0.0.0")
    } else if media.iter().all(|ip| is_private(*ip)) {
        let found = format!("auto, which is {shown}, all private");
        (Verdict::Warn, found, "clients on the internet need the public address announced")
    } else {
        return finding(Verdict::Ok, format!("auto, which is {shown}"), None);
    };
    finding(verdict, found, Some(advice.to_owned()))
}

fn announced(name: &str, media: &[IpAddr]) -> super::Finding {
    // The port is of no matter: only the address is.
    let resolved: Vec<IpAddr> = (name, 0)
        .to_socket_addrs()
        .map(|found| found.map(|address| address.ip()).collect())
        .unwrap_or_default();
    let Some(&ip) = resolved.first() else {
        let advice = "put it into the DNS, or announce an IP address".to_owned();
        return finding(Verdict::Fail, format!("{name} has no address"), Some(advice));
    };
    let shown = if name.parse::<IpAddr>().is_ok() { name.to_owned() } else { format!("{name}, {ip},") };
    let is_listened = media.contains(&ip);
    let only_loopback = media.iter().all(IpAddr::is_loopback);
    let ports = "forward the WebRTC port, udp and tcp, and the ports of plain transports to this machine";
    let (verdict, found, advice) = match ip {
        ip if ip.is_unspecified() || ip.is_multicast() => (
            Verdict::Fail,
            format!("{shown} is no address of one machine"),
            "announce the one that clients reach".into(),
        ),
        ip if ip.is_loopback() => (
            Verdict::Fail,
            format!("{shown} is each client's own machine"),
            "announce the address that clients reach".into(),
        ),
        _ if only_loopback => {
            let found = format!("{shown} is announced, and media is taken on {} only", list(media.iter()));
            (Verdict::Fail, found, "set listen_ips to an address that packets come to".into())
        }
        ip if is_listened && is_private(ip) => (
            Verdict::Warn,
            format!("{shown} is private"),
            "only clients of the same network get through".into(),
        ),
        _ if is_listened => {
            return finding(Verdict::Ok, format!("{shown} is an address of this machine"), None);
        }
        ip if is_private(ip) => {
            let found =
                format!("{shown} is private, and no address that media is taken on ({})", list(media.iter()));
            (Verdict::Warn, found, "is it that of another machine or of a container's host?".into())
        }
        _ if media.iter().all(|own| is_private(*own)) => {
            (Verdict::Ok, format!("{shown} is not this machine's, so that there is NAT"), ports.into())
        }
        _ => {
            let found = format!("{shown} is no address that media is taken on ({})", list(media.iter()));
            (Verdict::Warn, found, format!("is it right? If it is that of NAT, {ports}"))
        }
    };
    finding(verdict, found, Some(advice))
}

fn finding(verdict: Verdict, found: String, advice: Option<String>) -> super::Finding {
    super::Finding { check: ANNOUNCED, verdict, found, advice }
}

/// Not to be reached from the internet (RFC 1918, RFC 6598, RFC 4193, and this machine itself).
pub(super) fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            let [first, second, ..] = ip.octets();
            ip.is_private()
                || ip.is_loopback()
                || ip.is_link_local()
                || (first == 100 && (64..128).contains(&second))
        }
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(name: &str, media: &[&str]) -> Verdict {
        let media: Vec<IpAddr> = media.iter().map(|ip| ip.parse().unwrap()).collect();
        if name == AUTO { unannounced(&media).verdict } else { announced(name, &media).verdict }
    }

    #[test]
    fn what_clients_are_told_is_judged_by_where_media_is_taken() {
        let cases = [
            (AUTO, &["203.0.113.5"][..], Verdict::Ok),
            (AUTO, &["10.0.0.5", "203.0.113.5"], Verdict::Ok),
            (AUTO, &["10.0.0.5", "127.0.0.1"], Verdict::Warn),
            (AUTO, &["127.0.0.1"], Verdict::Warn),
            ("203.0.113.5", &["203.0.113.5"], Verdict::Ok),
            ("203.0.113.5", &["10.0.0.5", "127.0.0.1"], Verdict::Ok),
            ("203.0.113.6", &["203.0.113.5"], Verdict::Warn),
            ("203.0.113.6", &["127.0.0.1"], Verdict::Fail),
            ("10.0.0.5", &["10.0.0.5"], Verdict::Warn),
            ("10.0.0.6", &["10.0.0.5"], Verdict::Warn),
            ("127.0.0.1", &["10.0.0.5"], Verdict::Fail),
            ("0.0.0.0", &["10.0.0.5"], Verdict::Fail),
            ("no-such-host.invalid", &["10.0.0.5"], Verdict::Fail),
        ];
        for (name, media, expected) in cases {
            assert_eq!(verdict(name, media), expected, "{name} on {media:?}");
        }
    }

    #[test]
    fn private_is_what_the_internet_does_not_route() {
        for ip in ["10.1.2.3", "172.31.0.1", "192.168.0.1", "100.64.0.1", "127.0.0.1", "fd00::1", "::1"] {
            assert!(is_private(ip.parse().unwrap()), "{ip}");
        }
        for ip in ["172.32.0.1", "100.128.0.1", "203.0.113.1", "2001:db8::1"] {
            assert!(!is_private(ip.parse().unwrap()), "{ip}");
        }
    }
}
