//! Binding sockets: which port, how often to try, and what to say when there is none.
//!
//! Runs on the caller's thread, never on a shard's. Must not know transports or Cores.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use tureen_rtp_dictionaries::TransportProtocol;
use tureen_udp::{Socket, SocketConfig};

/// Which port to bind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PortChoice {
    /// Whatever the operating system gives.
    #[default]
    Any,
    /// This one, 1 to 65535.
    Fixed(u16),
    /// The first free one from a random start between `min` and `max`, both included.
    Range {
        /// The lowest, at least 1.
        min: u16,
        /// The highest.
        max: u16,
    },
}

/// Where one socket listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketListen {
    /// The local address.
    pub ip: IpAddr,
    /// The port. Default [`PortChoice::Any`].
    pub port: PortChoice,
    /// Whether an IPv6 socket refuses IPv4 (IPV6_V6ONLY). Default `false`.
    pub ipv6_only: bool,
    /// Whether other sockets may share the port (SO_REUSEPORT); not with a range, where it would hide collisions.
    /// Default `false`.
    pub udp_reuse_port: bool,
    /// Whether ECN marks of IP headers (RFC 3168) are read, for those who send, and set on media to those who report them (RFC 8888): UDP
    /// only. Default `false`.
    pub ecn: bool,
    /// SO_SNDBUF in bytes. Default: the system's.
    pub send_buffer_size: Option<u32>,
    /// SO_RCVBUF in bytes. Default: the system's.
    pub recv_buffer_size: Option<u32>,
}

impl SocketListen {
    /// Any port of `ip`, with defaults.
    pub fn new(ip: IpAddr) -> Self {
        Self {
            ip,
            port: PortChoice::Any,
            ipv6_only: false,
            udp_reuse_port: false,
            ecn: false,
            send_buffer_size: None,
            recv_buffer_size: None,
        }
    }

    /// The same with another port.
    pub fn with_port(self, port: PortChoice) -> Self {
        Self { port, ..self }
    }
}

/// Where a plain transport listens. Announced addresses are no matter of sockets; whoever tells addresses to others
/// exchanges them there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlainListen {
    /// RTP, and RTCP too where both share a port.
    pub rtp: SocketListen,
    /// RTCP where it has its own port. Default `None`: as RTP; where RTP's port is ours to choose, RTP gets an even port
    /// and RTCP the odd one above (RFC 3550 section 11), with a fixed RTP port any port.
    pub rtcp: Option<SocketListen>,
}

impl PlainListen {
    /// Any port of `ip`, with defaults.
    pub fn new(ip: IpAddr) -> Self {
        Self { rtp: SocketListen::new(ip), rtcp: None }
    }
}

/// Where an ICE candidate listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IceSocketListen {
    /// The socket; `udp_reuse_port` and the buffer sizes are those of UDP.
    pub listen: SocketListen,
    /// UDP or TCP.
    pub protocol: TransportProtocol,
    /// Addresses or host names that the remote is told; empty for the local address.
    pub announced: Vec<String>,
}

/// Why no socket could be bound.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// The port is 0, or the range is empty or starts at 0.
    #[error("port {min} to {max} of {ip} is no range of ports from 1 to 65535")]
    PortRange {
        /// The local address.
        ip: IpAddr,
        /// The lowest port.
        min: u16,
        /// The highest port.
        max: u16,
    },
    /// `udp_reuse_port` was asked for with a range.
    #[error("udpReusePort needs a single port of {0}, not a range")]
    ReusePortInRange(IpAddr),
    /// The operating system refused an address.
    #[error("cannot bind {address}/{protocol}: {source}")]
    Address {
        /// UDP or TCP.
        protocol: TransportProtocol,
        /// The address.
        address: SocketAddr,
        /// Its reason.
        source: io::Error,
    },
    /// Every port tried is in use.
    #[error("no free port on {ip} between {min} and {max} in {attempts} attempts")]
    NoFreePort {
        /// The local address.
        ip: IpAddr,
        /// The lowest port.
        min: u16,
        /// The highest port.
        max: u16,
        /// How many were tried.
        attempts: u32,
    },
}

/// A search gives up after so many ports.
const MAX_ATTEMPTS: u32 = 1024;
/// Where the operating system chooses, pairs are tried so often.
const MAX_PAIR_ATTEMPTS: u32 = 64;

/// A bound socket of an ICE candidate.
#[derive(Debug)]
pub(crate) struct BoundIceSocket {
    pub(crate) socket: IceSocket,
    pub(crate) announced: Vec<String>,
}

#[derive(Debug)]
pub(crate) enum IceSocket {
    Udp(Socket),
    Tcp(TcpListener, SocketAddr),
}

/// Sockets of a plain transport.
#[derive(Debug)]
pub(crate) struct BoundPair {
    pub(crate) rtp: Socket,
    pub(crate) rtcp: Option<Socket>,
}

/// What binding needs beside the addresses.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Binder {
    pub(crate) portable: bool,
    /// A random number that searches start from.
    pub(crate) start: u64,
}

impl Binder {
    /// Binds what `listen` asks for; `rtcp_mux` leaves RTCP's socket out.
    pub(crate) fn bind_plain(self, listen: &PlainListen, rtcp_mux: bool) -> Result<BoundPair, BindError> {
        let rtp = &listen.rtp;
        match (rtcp_mux, listen.rtcp, rtp.port) {
            (true, ..) => Ok(BoundPair { rtp: self.bind(rtp)?, rtcp: None }),
            (false, Some(rtcp), _) => {
                let rtp = self.bind(rtp)?;
                Ok(BoundPair { rtp, rtcp: Some(self.bind(&rtcp)?) })
            }
            (false, None, PortChoice::Fixed(_)) => {
                let bound = self.bind(rtp)?;
                Ok(BoundPair { rtp: bound, rtcp: Some(self.bind(&rtp.with_port(PortChoice::Any))?) })
            }
            (false, None, PortChoice::Any) => self.bind_any_pair(rtp),
            (false, None, PortChoice::Range { min, max }) => self.bind_pair_in_range(rtp, min, max),
        }
    }

    fn bind(self, listen: &SocketListen) -> Result<Socket, BindError> {
        self.bind_with(listen, |listen, port| self.bind_port(listen, port))
    }

    fn bind_with<B>(
        self,
        listen: &SocketListen,
        bind_port: impl Fn(&SocketListen, u16) -> Result<B, BindError>,
    ) -> Result<B, BindError> {
        match listen.port {
            PortChoice::Any => bind_port(listen, 0),
            PortChoice::Fixed(0) => Err(BindError::PortRange { ip: listen.ip, min: 0, max: 0 }),
            PortChoice::Fixed(port) => bind_port(listen, port),
            PortChoice::Range { min, max } => {
                check_range(listen, min, max)?;
                self.search(listen, (min, max), 1, |port| bind_port(listen, port))
            }
        }
    }

    /// Binds a socket for each candidate.
    pub(crate) fn bind_ice(self, listens: &[IceSocketListen]) -> Result<Vec<BoundIceSocket>, BindError> {
        let bound = |ice: &IceSocketListen| {
            let socket = match ice.protocol {
                TransportProtocol::Udp => IceSocket::Udp(self.bind(&ice.listen)?),
                TransportProtocol::Tcp => {
                    let (listener, local) = self.bind_with(&ice.listen, bind_tcp)?;
                    IceSocket::Tcp(listener, local)
                }
            };
            Ok(BoundIceSocket { socket, announced: ice.announced.clone() })
        };
        listens.iter().map(bound).collect()
    }

    fn bind_pair_in_range(self, listen: &SocketListen, min: u16, max: u16) -> Result<BoundPair, BindError> {
        check_range(listen, min, max)?;
        // RTP's ports are the even ones whose odd neighbour is in the range too.
        let first = min.checked_next_multiple_of(2).filter(|first| *first < max);
        let Some(first) = first else {
            return Err(BindError::NoFreePort { ip: listen.ip, min, max, attempts: 0 });
        };
        let last = if max % 2 == 1 { max - 1 } else { max - 2 };
        self.search(listen, (first, last), 2, |port| self.bind_neighbours(listen, port))
    }

    /// Lets the operating system choose one port and takes its neighbour beside.
    fn bind_any_pair(self, listen: &SocketListen) -> Result<BoundPair, BindError> {
        for _ in 0..MAX_PAIR_ATTEMPTS {
            let chosen = self.bind_port(listen, 0)?;
            let port = chosen.local_addr().port();
            match self.bind_port(listen, port ^ 1) {
                Ok(neighbour) if port % 2 == 0 => {
                    return Ok(BoundPair { rtp: chosen, rtcp: Some(neighbour) });
                }
                Ok(neighbour) => return Ok(BoundPair { rtp: neighbour, rtcp: Some(chosen) }),
                Err(error) if error.is_collision() => {}
                Err(error) => return Err(error),
            }
        }
        Err(BindError::NoFreePort { ip: listen.ip, min: 1, max: u16::MAX, attempts: MAX_PAIR_ATTEMPTS })
    }

    fn bind_neighbours(self, listen: &SocketListen, even: u16) -> Result<BoundPair, BindError> {
        let rtp = self.bind_port(listen, even)?;
        let rtcp = self.bind_port(listen, even | 1)?;
        Ok(BoundPair { rtp, rtcp: Some(rtcp) })
    }

    /// Tries the ports `first`, `first + step` and so on up to `last`, from a random start around.
    fn search<B>(
        self,
        listen: &SocketListen,
        (first, last): (u16, u16),
        step: u16,
        mut bind: impl FnMut(u16) -> Result<B, BindError>,
    ) -> Result<B, BindError> {
        let choices = u32::from((last - first) / step) + 1;
        let start = (self.start % u64::from(choices)) as u32;
        let attempts = choices.min(MAX_ATTEMPTS);
        for attempt in 0..attempts {
            let nth = (start + attempt) % choices;
            match bind(first + step * nth as u16) {
                Err(error) if error.is_collision() => {}
                done => return done,
            }
        }
        Err(BindError::NoFreePort { ip: listen.ip, min: first, max: last | (step - 1), attempts })
    }

    fn bind_port(self, listen: &SocketListen, port: u16) -> Result<Socket, BindError> {
        let address = SocketAddr::new(listen.ip, port);
        let config = SocketConfig {
            ipv6_only: listen.ipv6_only,
            reuse_port: listen.udp_reuse_port,
            send_buffer: listen.send_buffer_size.map(|size| size as usize),
            recv_buffer: listen.recv_buffer_size.map(|size| size as usize),
            ecn: listen.ecn,
            portable: self.portable,
            ..SocketConfig::new(address)
        };
        Socket::bind(&config).map_err(|source| BindError::Address {
            protocol: TransportProtocol::Udp,
            address,
            source,
        })
    }
}

/// Connections that wait to be accepted.
const TCP_BACKLOG: i32 = 256;

fn bind_tcp(listen: &SocketListen, port: u16) -> Result<(TcpListener, SocketAddr), BindError> {
    let address = SocketAddr::new(listen.ip, port);
    let bound = || {
        let domain = socket2::Domain::for_address(address);
        let socket = socket2::Socket::new(domain, socket2::Type::STREAM, Some(socket2::Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        // Ports of connections that ended a moment ago are free for a server that starts again.
        socket.set_reuse_address(true)?;
        if address.is_ipv6() {
            socket.set_only_v6(listen.ipv6_only)?;
        }
        socket.bind(&address.into())?;
        socket.listen(TCP_BACKLOG)?;
        let listener = TcpListener::from(socket);
        let local = listener.local_addr()?;
        Ok((listener, local))
    };
    let refused = |source| BindError::Address { protocol: TransportProtocol::Tcp, address, source };
    bound().map_err(refused)
}

impl BindError {
    fn is_collision(&self) -> bool {
        matches!(self, Self::Address { source, .. } if source.kind() == io::ErrorKind::AddrInUse)
    }
}

fn check_range(listen: &SocketListen, min: u16, max: u16) -> Result<(), BindError> {
    if min == 0 || min > max {
        return Err(BindError::PortRange { ip: listen.ip, min, max });
    }
    if listen.udp_reuse_port {
        return Err(BindError::ReusePortInRange(listen.ip));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::cell::RefCell;
    use std::net::Ipv4Addr;

    proptest! {
        #[test]
        fn a_search_tries_each_port_of_its_range_once_and_gives_up(
            start: u64,
            min in 1_u16..,
            len in 0_u16..3000,
            step in 1_u16..3,
        ) {
            let listen = SocketListen::new(Ipv4Addr::LOCALHOST.into());
            let max = min.saturating_add(len);
            let tried = RefCell::new(Vec::new());
            let binder = Binder { portable: false, start };
            let result = binder.search(&listen, (min, max), step, |port| -> Result<(), BindError> {
                tried.borrow_mut().push(port);
                let address = SocketAddr::new(listen.ip, port);
                Err(BindError::Address { protocol: TransportProtocol::Udp, address, source: io::ErrorKind::AddrInUse.into() })
            });
            let mut tried = tried.into_inner();
            let choices = usize::from((max - min) / step) + 1;
            prop_assert_eq!(tried.len(), choices.min(MAX_ATTEMPTS as usize));
            let attempted = tried.len() as u32;
            let gave_up = matches!(result, Err(BindError::NoFreePort { attempts, .. }) if attempts == attempted);
            prop_assert!(gave_up);
            tried.sort_unstable();
            tried.dedup();
            prop_assert_eq!(tried.len() as u32, attempted);
            prop_assert!(tried.iter().all(|port| (min..=max).contains(port) && (port - min) % step == 0));
        }
    }
}
