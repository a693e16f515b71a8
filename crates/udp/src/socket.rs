//! A bound, non-blocking UDP socket that knows which offloads the system grants it.

use crate::recv::RecvBatch;
use crate::sys;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// After so many refusals of a segmented message, without one that went through, a socket stops segmenting.
const SEGMENTATION_STRIKES: u32 = 64;

/// Bytes of a buffer that every system grants.
const LEAST_BUFFER: usize = 64 * 1024;

/// What a [`Socket`] is bound with.
#[derive(Debug, Clone)]
pub struct SocketConfig {
    /// The local address; port 0 takes a free one.
    pub addr: SocketAddr,
    /// Wished size of the kernel's receive buffer in bytes; default: the system's. The system may grant less.
    pub recv_buffer: Option<usize>,
    /// Wished size of the kernel's send buffer in bytes; default: the system's. The system may grant less.
    pub send_buffer: Option<usize>,
    /// Whether an IPv6 socket takes IPv6 only; default `false`. IPv4 peers of a socket of both show as IPv4 addresses.
    pub ipv6_only: bool,
    /// Whether other sockets may be bound to the same port (`SO_REUSEPORT`); default `false`.
    pub reuse_port: bool,
    /// Whether the kernel says when each datagram arrived; default `false`. Linux only, ignored by the portable path.
    pub timestamps: bool,
    /// Whether the ECN marks of IP headers (RFC 3168) are read from what arrives, and set on packets that are committed with one;
    /// default `false`. Linux only: the portable path reads and sets none.
    pub ecn: bool,
    /// Whether to use the portable path even where there is a fast one; default `false`.
    pub portable: bool,
}

impl SocketConfig {
    /// A socket bound to `addr`, all else at its default.
    #[must_use]
    pub fn new(addr: SocketAddr) -> Self {
        Self {
            addr,
            recv_buffer: None,
            send_buffer: None,
            ipv6_only: false,
            reuse_port: false,
            timestamps: false,
            ecn: false,
            portable: false,
        }
    }
}

/// Systems that do not lower a wish themselves refuse it; then half of it may do.
fn wish(size: usize, set: impl Fn(usize) -> io::Result<()> + Copy) -> io::Result<()> {
    match set(size) {
        Err(_) if size > LEAST_BUFFER => wish(size / 2, set),
        outcome => outcome,
    }
}

/// A bound, non-blocking UDP socket.
#[derive(Debug)]
pub struct Socket {
    inner: UdpSocket,
    local: SocketAddr,
    fast: bool,
    gro: bool,
    ecn: bool,
    /// None for a socket that serves many remotes.
    remote: Option<OnceLock<SocketAddr>>,
    /// One where the socket does not segment.
    max_segments: AtomicU32,
    strikes: AtomicU32,
}

impl Socket {
    /// Binds a socket and finds out which offloads it has.
    ///
    /// # Errors
    /// Those of `socket(2)`, `setsockopt(2)` and `bind(2)`, such as `AddrInUse` and `AddrNotAvailable`.
    pub fn bind(config: &SocketConfig) -> io::Result<Self> {
        let domain = socket2::Domain::for_address(config.addr);
        let socket = socket2::Socket::new(domain, socket2::Type::DGRAM, Some(socket2::Protocol::UDP))?;
        socket.set_nonblocking(true)?;
        if config.addr.is_ipv6() {
            socket.set_only_v6(config.ipv6_only)?;
        }
        if config.reuse_port {
            socket.set_reuse_port(true)?;
        }
        if let Some(size) = config.recv_buffer {
            wish(size, |size| socket.set_recv_buffer_size(size))?;
        }
        if let Some(size) = config.send_buffer {
            wish(size, |size| socket.set_send_buffer_size(size))?;
        }
        socket.bind(&config.addr.into())?;
        let inner = UdpSocket::from(socket);
        let fast = sys::FAST && !config.portable;
        if fast && config.timestamps {
            sys::enable_timestamps(inner.as_fd())?;
        }
        let ecn = fast && config.ecn;
        if ecn {
            sys::enable_ecn(inner.as_fd(), config.addr.is_ipv6())?;
        }
        let local = inner.local_addr()?;
        Ok(Self {
            local,
            fast,
            remote: None,
            ecn,
            gro: fast && sys::enable_gro(inner.as_fd()),
            max_segments: AtomicU32::new(if fast { sys::max_segments() } else { 1 }),
            strikes: AtomicU32::new(0),
            inner,
        })
    }

    /// The socket as one that serves one remote alone: it is connected (`connect(2)`) to the first destination that it
    /// sends to. The system then looks the way up once, not for every packet, and drops what comes from elsewhere. Without
    /// effect on the portable path, and on unspecified addresses, where a connection would fix the local address too.
    #[must_use]
    pub fn for_one_remote(mut self) -> Self {
        self.remote = (self.fast && !self.local.ip().is_unspecified()).then(OnceLock::new);
        self
    }

    /// The address that the socket is bound to.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// The size of the kernel's receive buffer in bytes, as granted (Linux counts its own overhead in, twice the wish).
    ///
    /// # Errors
    /// Those of `getsockopt(2)`.
    pub fn recv_buffer_size(&self) -> io::Result<usize> {
        socket2::SockRef::from(&self.inner).recv_buffer_size()
    }

    /// The size of the kernel's send buffer in bytes, as granted (Linux counts its own overhead in, twice the wish).
    ///
    /// # Errors
    /// Those of `getsockopt(2)`.
    pub fn send_buffer_size(&self) -> io::Result<usize> {
        socket2::SockRef::from(&self.inner).send_buffer_size()
    }

    /// How many packets go into one message at most; 1 where the system does not segment.
    #[must_use]
    pub fn max_segments(&self) -> usize {
        self.max_segments.load(Ordering::Relaxed) as usize
    }

    /// Whether the kernel merges arriving packets of one sender (`UDP_GRO`).
    #[must_use]
    pub fn has_gro(&self) -> bool {
        self.gro
    }

    /// Whether marks of IP headers are read and set.
    #[must_use]
    pub fn has_ecn(&self) -> bool {
        self.ecn
    }

    /// Whether this socket sends and receives in batches, or one datagram a call.
    #[must_use]
    pub fn is_batched(&self) -> bool {
        self.fast
    }

    /// Fills `batch` with what has arrived and returns the number of datagrams; 0 when there are none. Never blocks.
    ///
    /// # Errors
    /// Those of `recvmmsg(2)`. Errors that an earlier packet left behind, such as `ConnectionRefused`, are passed over.
    pub fn recv(&self, batch: &mut RecvBatch) -> io::Result<usize> {
        batch.fill(self)
    }

    pub(crate) fn udp(&self) -> &UdpSocket {
        &self.inner
    }

    /// Whether packets to `destination` need no address, since the socket is connected to it, if need be from now on.
    pub(crate) fn is_connected_to(&self, destination: SocketAddr) -> bool {
        let Some(remote) = &self.remote else { return false };
        // Where it cannot be connected, sending with an address tells why, or works.
        let connect = || socket2::SockRef::from(&self.inner).connect(&destination.into()).is_ok();
        match remote.get() {
            Some(remote) => *remote == destination,
            None => connect() && *remote.get_or_init(|| destination) == destination,
        }
    }

    /// A segmented message went through.
    pub(crate) fn segmentation_worked(&self) {
        if self.strikes.load(Ordering::Relaxed) != 0 {
            self.strikes.store(0, Ordering::Relaxed);
        }
    }

    /// A segmented message was refused. Where the device cannot do it at all the socket stops at once; a refusal that
    /// may be about one destination (its MTU) counts only when it keeps coming.
    pub(crate) fn segmentation_failed(&self, for_good: bool) {
        let strikes = self.strikes.fetch_add(1, Ordering::Relaxed) + 1;
        if for_good || strikes >= SEGMENTATION_STRIKES {
            self.max_segments.store(1, Ordering::Relaxed);
        }
    }

    /// The form in which `destination` is given to the system: an IPv6 socket takes IPv4 addresses as mapped ones.
    pub(crate) fn reachable(&self, destination: SocketAddr) -> SocketAddr {
        match destination {
            SocketAddr::V4(v4) if self.local.is_ipv6() => {
                SocketAddr::new(v4.ip().to_ipv6_mapped().into(), v4.port())
            }
            other => other,
        }
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inner.as_fd()
    }
}

/// An IPv4-mapped source as the IPv4 address that it is.
pub(crate) fn canonical(source: SocketAddr) -> SocketAddr {
    match source {
        SocketAddr::V6(v6) => match v6.ip().to_ipv4_mapped() {
            Some(v4) => SocketAddr::new(v4.into(), v6.port()),
            None => source,
        },
        SocketAddr::V4(_) => source,
    }
}
