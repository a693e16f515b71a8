//! How a Server and its objects are made: settings, options, and what follows from them for Workers and transports. Knows no object.

use super::error::{CreateServerError, CreateTransportError};
use std::net::IpAddr;
use std::ops::RangeInclusive;
use tureen::dictionaries::{MediaKind, RouterRtpCodecCapability};
use tureen::{AppData, DtlsFiles, ListenInfo, LogLevel, LogTag, WebRtcTransportOptions, WorkerSettings};

/// Whether transports listen on addresses of a family.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RtcAddress {
    /// On the first address of the machine that others may reach, else on the loopback one.
    #[default]
    Detect,
    /// On this one.
    Address(IpAddr),
    /// They do not.
    Disabled,
}

/// How a [`Server`](super::Server) is made.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ServerSettings {
    /// Workers, 1 to 255, each a thread that rooms are shared out to. Default: one for each core.
    pub num_workers: Option<u8>,
    /// How much is logged. Default [`LogLevel::Debug`].
    pub log_level: LogLevel,
    /// The tags whose warnings and details are logged. Default none.
    pub log_tags: Vec<LogTag>,
    /// Whether transports listen on IPv4. Default [`RtcAddress::Detect`].
    pub rtc_ipv4: RtcAddress,
    /// Whether transports listen on IPv6. Default [`RtcAddress::Detect`].
    pub rtc_ipv6: RtcAddress,
    /// What remotes are told instead of the IPv4 address. Default `None`.
    pub rtc_announced_ipv4: Option<String>,
    /// What remotes are told instead of the IPv6 address. Default `None`.
    pub rtc_announced_ipv6: Option<String>,
    /// The lowest port of media, at least 1. Default 10000.
    pub rtc_min_port: u16,
    /// The highest port of media. The ports are shared out evenly to the Workers. Default 59999.
    pub rtc_max_port: u16,
    /// The certificate that WebRTC transports show to their remotes. Default: one that is made for each Worker.
    pub dtls_files: Option<DtlsFiles>,
    /// The program's own data. Default `()`.
    pub app_data: AppData,
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            num_workers: None,
            log_level: LogLevel::Debug,
            log_tags: Vec::new(),
            rtc_ipv4: RtcAddress::default(),
            rtc_ipv6: RtcAddress::default(),
            rtc_announced_ipv4: None,
            rtc_announced_ipv6: None,
            rtc_min_port: 10_000,
            rtc_max_port: 59_999,
            dtls_files: None,
            app_data: AppData::default(),
        }
    }
}

impl ServerSettings {
    /// The defaults with so many Workers.
    pub fn with_workers(num_workers: u8) -> Self {
        Self { num_workers: Some(num_workers), ..Self::default() }
    }

    /// The settings of each Worker.
    pub(super) fn of_workers(&self) -> Result<Vec<WorkerSettings>, CreateServerError> {
        let cores = || std::thread::available_parallelism().map_or(1, |cores| cores.get().min(255) as u8);
        let workers = self.num_workers.unwrap_or_else(cores);
        let ports = share_ports(self.rtc_min_port, self.rtc_max_port, workers)?;
        let settings = ports.into_iter().map(|rtc_port_range| {
            let mut settings = WorkerSettings::with_shards(1);
            settings.log_level = self.log_level;
            settings.log_tags.clone_from(&self.log_tags);
            settings.rtc_port_range = rtc_port_range;
            settings.dtls_files.clone_from(&self.dtls_files);
            settings
        });
        Ok(settings.collect())
    }

    /// Where transports listen.
    pub(super) fn addresses(&self) -> Result<RtcAddresses, CreateServerError> {
        let found = own_addresses();
        let resolve = |field, setting, announced: &Option<String>, is_v4: bool| {
            let ip = match setting {
                RtcAddress::Disabled => return Ok(None),
                RtcAddress::Address(ip) if ip.is_ipv4() != is_v4 => {
                    return Err(CreateServerError::Family { field, ip });
                }
                RtcAddress::Address(ip) => ip,
                RtcAddress::Detect => match found.iter().find(|ip| ip.is_ipv4() == is_v4) {
                    Some(ip) => *ip,
                    None => return Ok(None),
                },
            };
            Ok(Some(ListenInfo { announced_address: announced.clone(), ..ListenInfo::new(ip) }))
        };
        Ok(RtcAddresses {
            ipv4: resolve("rtcIPv4", self.rtc_ipv4, &self.rtc_announced_ipv4, true)?,
            ipv6: resolve("rtcIPv6", self.rtc_ipv6, &self.rtc_announced_ipv6, false)?,
        })
    }
}

/// The ports of each Worker: as many for each, the first even and the last odd.
fn share_ports(min: u16, max: u16, workers: u8) -> Result<Vec<RangeInclusive<u16>>, CreateServerError> {
    if workers == 0 {
        return Err(CreateServerError::NumWorkers);
    }
    let too_few = CreateServerError::RtcPorts { min, max, workers };
    let count = u32::from(max).checked_sub(u32::from(min)).map_or(0, |ports| ports + 1);
    let each = count / u32::from(workers);
    let shares = (0..u32::from(workers)).map(|worker| {
        let first = u32::from(min) + worker * each;
        let (even, odd) = (first.next_multiple_of(2), (first + each).checked_sub(1)?);
        let odd = if odd % 2 == 1 { odd } else { odd.checked_sub(1)? };
        let share = u16::try_from(even).ok()?..=u16::try_from(odd).ok()?;
        (even > 0 && !share.is_empty()).then_some(share)
    });
    shares.collect::<Option<Vec<_>>>().ok_or(too_few)
}

/// The addresses of this machine without link-local ones, which need a zone that nobody is told of (RFC 4007), and loopback ones last.
fn own_addresses() -> Vec<IpAddr> {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_else(|error| {
        tracing::warn!(%error, "cannot list the addresses of this machine");
        Vec::new()
    });
    let is_link_local = |ip: &IpAddr| match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    };
    let addresses = interfaces.iter().map(if_addrs::Interface::ip);
    let mut addresses: Vec<IpAddr> = addresses.filter(|ip| !is_link_local(ip)).collect();
    addresses.sort_by_key(IpAddr::is_loopback);
    addresses
}

/// Where a Server's transports listen.
#[derive(Clone, Debug)]
pub(super) struct RtcAddresses {
    ipv4: Option<ListenInfo>,
    ipv6: Option<ListenInfo>,
}

impl RtcAddresses {
    /// What a WebRTC transport is made with: its candidates come in the order of preference.
    pub(super) fn webrtc(
        &self,
        options: &TransportOptions,
    ) -> Result<WebRtcTransportOptions, CreateTransportError> {
        if !options.udp && !options.tcp {
            return Err(CreateTransportError::NoProtocol);
        }
        let ipv6_first = options.prefer_ipv6 && !options.prefer_ipv4;
        let families = if ipv6_first { [&self.ipv6, &self.ipv4] } else { [&self.ipv4, &self.ipv6] };
        let udp: Vec<ListenInfo> = families.into_iter().flatten().cloned().collect();
        if udp.is_empty() {
            return Err(CreateTransportError::NoAddress);
        }
        let tcp = udp.iter().map(|info| ListenInfo {
            announced_address: info.announced_address.clone(),
            ..ListenInfo::tcp(info.ip)
        });
        let places = udp.iter().cloned().zip(tcp).flat_map(|(udp, tcp)| [udp, tcp]).collect();
        let mut made = WebRtcTransportOptions::new(places);
        made.enable_udp = options.udp;
        made.enable_tcp = options.tcp;
        made.prefer_udp = options.prefer_udp;
        made.prefer_tcp = options.prefer_tcp;
        Ok(made)
    }
}

/// How a room is made.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct RoomOptions {
    /// Its codecs, by [`room_codecs`](super::room_codecs). Default none.
    pub media_codecs: Vec<RouterRtpCodecCapability>,
    /// The program's own data. Default `()`.
    pub app_data: AppData,
}

impl RoomOptions {
    /// A room of these codecs.
    pub fn new(media_codecs: Vec<RouterRtpCodecCapability>) -> Self {
        Self { media_codecs, ..Self::default() }
    }
}

/// How a transport for browsers is made.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TransportOptions {
    /// Whether it takes UDP. Default `true`.
    pub udp: bool,
    /// Whether it takes TCP. Default `true`.
    pub tcp: bool,
    /// Whether IPv4 candidates come first, which they do anyway unless IPv6 is preferred. Default `false`.
    pub prefer_ipv4: bool,
    /// Whether IPv6 candidates come first. Default `false`.
    pub prefer_ipv6: bool,
    /// Whether UDP candidates come first. Default `false`.
    pub prefer_udp: bool,
    /// Whether TCP candidates come first. Default `false`.
    pub prefer_tcp: bool,
    /// The program's own data. Default `()`.
    pub app_data: AppData,
}

impl Default for TransportOptions {
    fn default() -> Self {
        Self {
            udp: true,
            tcp: true,
            prefer_ipv4: false,
            prefer_ipv6: false,
            prefer_udp: false,
            prefer_tcp: false,
            app_data: AppData::default(),
        }
    }
}

/// What a receiver may be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReceiverKind {
    /// Sound.
    Audio,
    /// Pictures.
    Video,
    /// Distances; refused.
    Depth,
}

impl From<MediaKind> for ReceiverKind {
    fn from(kind: MediaKind) -> Self {
        match kind {
            MediaKind::Audio => Self::Audio,
            MediaKind::Video => Self::Video,
        }
    }
}

/// How a sender is enabled or disabled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EnableOptions {
    /// Whether `activechange` is told if that changes. Default `true`.
    pub emit: bool,
}

impl Default for EnableOptions {
    fn default() -> Self {
        Self { emit: true }
    }
}

impl EnableOptions {
    /// Nobody is told.
    pub const fn silent() -> Self {
        Self { emit: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tureen::dictionaries::TransportProtocol;

    #[test]
    fn ports_are_shared_evenly_from_even_to_odd() {
        assert_eq!(share_ports(10_000, 59_999, 2).unwrap(), [10_000..=34_999, 35_000..=59_999]);
        assert_eq!(share_ports(10_001, 10_010, 2).unwrap(), [10_002..=10_005, 10_006..=10_009]);
        for (min, max, workers) in [(10_000, 10_002, 2), (10_001, 10_000, 1), (5, 4, 1), (0, 3, 1)] {
            let refused = share_ports(min, max, workers);
            assert!(matches!(refused, Err(CreateServerError::RtcPorts { .. })), "{min} {max} {workers}");
        }
        assert!(matches!(share_ports(1, 2, 0), Err(CreateServerError::NumWorkers)));
    }

    fn addresses(ipv4: bool, ipv6: bool) -> RtcAddresses {
        let info = |ip: &str| ListenInfo::new(ip.parse().unwrap());
        RtcAddresses { ipv4: ipv4.then(|| info("127.0.0.1")), ipv6: ipv6.then(|| info("::1")) }
    }

    #[test]
    fn candidates_follow_the_preferred_family() {
        let families = |options: TransportOptions| -> Vec<bool> {
            let made = addresses(true, true).webrtc(&options).unwrap();
            let tureen::WebRtcListen::Individual(places) = made.listen else { panic!("own sockets") };
            assert_eq!(places.iter().filter(|place| place.protocol == TransportProtocol::Tcp).count(), 2);
            places.iter().map(|place| place.ip.is_ipv4()).collect()
        };
        let default = TransportOptions::default;
        assert_eq!(families(default()), [true, true, false, false]);
        assert_eq!(families(TransportOptions { prefer_ipv6: true, ..default() }), [false, false, true, true]);
    }

    #[test]
    fn a_transport_needs_a_protocol_and_an_address() {
        let none = TransportOptions { udp: false, tcp: false, ..TransportOptions::default() };
        assert!(matches!(addresses(true, false).webrtc(&none), Err(CreateTransportError::NoProtocol)));
        let refused = addresses(false, false).webrtc(&TransportOptions::default());
        assert!(matches!(refused, Err(CreateTransportError::NoAddress)));
    }

    #[test]
    fn an_address_is_of_its_family() {
        let ip: IpAddr = "::1".parse().unwrap();
        let settings = ServerSettings { rtc_ipv4: RtcAddress::Address(ip), ..ServerSettings::default() };
        assert!(matches!(settings.addresses(), Err(CreateServerError::Family { field: "rtcIPv4", .. })));
        let settings = ServerSettings {
            rtc_ipv4: RtcAddress::Disabled,
            rtc_ipv6: RtcAddress::Address(ip),
            ..ServerSettings::default()
        };
        let addresses = settings.addresses().unwrap();
        assert!(addresses.ipv4.is_none() && addresses.ipv6.is_some_and(|info| info.ip == ip));
    }
}
