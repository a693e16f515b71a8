//! Whether the server could listen where it is told to. Binds each port as the server would, for as long as it looks.

use super::finding::{Report, Verdict};
use crate::config::Settings;
use crate::net::media_addresses;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};

/// Ports of the range for plain transports that are tried.
const SAMPLES: u16 = 64;

/// Sockets that stay bound until all are tried, so that two settings with one port are noticed.
#[derive(Default)]
struct Bound {
    tcp: Vec<TcpListener>,
    udp: Vec<UdpSocket>,
}

impl Bound {
    fn tcp(&mut self, address: SocketAddr) -> io::Result<()> {
        self.tcp.push(TcpListener::bind(address)?);
        Ok(())
    }

    fn udp(&mut self, address: SocketAddr) -> io::Result<()> {
        self.udp.push(UdpSocket::bind(address)?);
        Ok(())
    }
}

pub(super) fn examine(settings: &Settings, report: &mut Report) {
    let mut bound = Bound::default();
    web("http_listen", settings.http_listen, &mut bound, report);
    if settings.tls {
        web("https_listen", settings.https_listen, &mut bound, report);
    }
    webrtc(settings, &mut bound, report);
    plain(settings, report);
}

fn web(setting: &'static str, address: SocketAddr, bound: &mut Bound, report: &mut Report) {
    match bound.tcp(address) {
        Ok(()) => report.ok(setting, format!("{address}/tcp is free")),
        Err(error) => refused(setting, &format!("{address}/tcp"), &error, report),
    }
}

/// The ports of WebRTC: one for each shard, on each address.
fn webrtc(settings: &Settings, bound: &mut Bound, report: &mut Report) {
    const SETTING: &str = "webrtc_port";
    if settings.webrtc_port == 0 {
        let advice = "firewalls cannot be told of it: name a port where there is one";
        report.warn(SETTING, "0, a free one at each start", advice);
        return;
    }
    let shards = shards(settings);
    let Some(last) = settings.webrtc_port.checked_add(u16::from(shards) - 1) else {
        let found = format!("{shards} shards need as many ports from {}", settings.webrtc_port);
        report.fail(SETTING, found, "choose a lower port or fewer shards");
        return;
    };
    let before = report.findings.len();
    let addresses = media_addresses(&settings.listen_ips);
    for &ip in &addresses {
        for port in settings.webrtc_port..=last {
            let address = SocketAddr::new(ip, port);
            if let Err(error) = bound.udp(address) {
                refused(SETTING, &format!("{address}/udp"), &error, report);
            }
            if settings.webrtc_tcp
                && let Err(error) = bound.tcp(address)
            {
                refused(SETTING, &format!("{address}/tcp"), &error, report);
            }
        }
    }
    if report.findings.len() == before {
        let protocols = if settings.webrtc_tcp { "udp and tcp" } else { "udp" };
        let found = format!(
            "{} to {last}, {protocols}, are free on {}",
            settings.webrtc_port,
            list(addresses.iter())
        );
        report.ok(SETTING, found);
    }
    if settings.webrtc_port <= settings.rtc_max_port && settings.rtc_min_port <= last {
        let found = format!("lies within {} to {} as well", settings.rtc_min_port, settings.rtc_max_port);
        let advice =
            "set rtc_min_port and rtc_max_port beside it, or a plain transport takes it at a restart";
        // The defaults overlap; the server binds its own port first.
        if settings.webrtc_port != Settings::default().webrtc_port {
            report.warn(SETTING, found, advice);
        }
    }
}

/// A sample of the ports of plain transports, on the first address of each family, which is what they use.
fn plain(settings: &Settings, report: &mut Report) {
    const SETTING: &str = "rtc_min_port";
    let (min, max) = (settings.rtc_min_port, settings.rtc_max_port);
    let mut families: Vec<IpAddr> = Vec::new();
    for ip in &settings.listen_ips {
        if !families.iter().any(|other| other.is_ipv4() == ip.is_ipv4()) {
            families.push(*ip);
        }
    }
    let step = ((max - min) / SAMPLES).max(1);
    for ip in families {
        let (mut tried, mut free, mut error) = (0u32, 0u32, None);
        for port in (min..=max).step_by(usize::from(step)) {
            tried += 1;
            match UdpSocket::bind((ip, port)) {
                Ok(_) => free += 1,
                Err(refusal) => error = Some(refusal),
            }
        }
        let found = format!("{free} of {tried} ports tried of {ip}, {min} to {max}/udp, are free");
        match error {
            Some(error) if free == 0 => {
                refused(SETTING, &format!("{ip}, {min} to {max}/udp"), &error, report)
            }
            _ if max - min < 20 => {
                report.warn(
                    SETTING,
                    found,
                    "a plain transport takes one port, or two without rtcpMux: widen the range",
                );
            }
            _ if free * 2 < tried => {
                report.warn(SETTING, found, "another program uses this range: choose another")
            }
            _ => report.ok(SETTING, found),
        }
    }
}

fn refused(setting: &'static str, what: &str, error: &io::Error, report: &mut Report) {
    let (found, advice) = match error.kind() {
        ErrorKind::AddrInUse => (
            format!("{what} is taken, and no Tureen answers over HTTP"),
            "end the other program (`ss -lnptu` names it), or choose another port",
        ),
        ErrorKind::AddrNotAvailable => (
            format!("{what} is no address of this machine"),
            "name an address that `ip address` lists, or 0.0.0.0",
        ),
        ErrorKind::PermissionDenied => (
            format!("{what} may not be bound"),
            "choose a port above 1023, or give the program CAP_NET_BIND_SERVICE",
        ),
        _ => (format!("{what} cannot be bound, {error}"), "see `ip address` and the limits of this process"),
    };
    report.add(setting, Verdict::Fail, found, advice);
}

/// How many shards there will be.
pub(super) fn shards(settings: &Settings) -> u8 {
    match settings.shards {
        0 => u8::try_from(cores()).unwrap_or(u8::MAX),
        shards => shards,
    }
}

/// Cores that this process may use, at least 1.
pub(super) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Things with commas between.
pub(super) fn list<T: ToString>(things: impl Iterator<Item = T>) -> String {
    things.map(|thing| thing.to_string()).collect::<Vec<_>>().join(", ")
}
