//! What the Core asks of a transport, and the adapter that composes one from a [`Path`] and a [`Cipher`].
//!
//! Must not know producers, consumers or what is inside a packet beyond its header length.

use crate::address::{Arrival, Component, Destination, SocketId};
use crate::cipher::{Cipher, CipherError};
use crate::path::{Admission, Path};
use crate::username::UsernameFragment;
use smallvec::SmallVec;
use std::net::SocketAddr;
use tureen_rtp_dictionaries::{CryptoSuite, DtlsState, IceState, TransportProtocol};
use tureen_rtp_wire::Time;
use tureen_rtp_wire::rtp::{self, DatagramKind, RtpLayout};

/// Why a datagram was dropped before anyone looked at its media.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RejectReason {
    /// Neither RTP nor RTCP nor anything that the transport speaks (RFC 7983).
    UnknownProtocol,
    /// The header does not parse.
    Malformed,
    /// From an address that is not the transport's remote.
    ForeignAddress,
    /// Authentication failed.
    NotGenuine,
    /// Seen before, or too old to tell.
    Replayed,
    /// No keys yet, or a limit of the cipher was met.
    CipherNotReady,
    /// The RTP and RTCP ports were mixed up.
    WrongComponent,
    /// A STUN message that does not parse, or whose FINGERPRINT is wrong.
    StunMalformed,
    /// A STUN request without the right credentials.
    StunUnauthenticated,
    /// A genuine STUN request that was refused: unknown attributes, a missing one, or the wrong role.
    StunRefused,
    /// STUN that is no binding request.
    StunUnexpected,
    /// More STUN requests than answers have room for.
    StunOverload,
    /// DTLS from an address that ICE has not validated.
    DtlsBeforeIce,
    /// DTLS that no handshake or session has a use for, or that is framed wrongly.
    DtlsUnexpected,
}

impl RejectReason {
    /// Every reason, in the order of [`RejectReason::index`].
    pub const ALL: [Self; 14] = [
        Self::UnknownProtocol,
        Self::Malformed,
        Self::ForeignAddress,
        Self::NotGenuine,
        Self::Replayed,
        Self::CipherNotReady,
        Self::WrongComponent,
        Self::StunMalformed,
        Self::StunUnauthenticated,
        Self::StunRefused,
        Self::StunUnexpected,
        Self::StunOverload,
        Self::DtlsBeforeIce,
        Self::DtlsUnexpected,
    ];

    /// A dense index for counters.
    pub const fn index(self) -> usize {
        self as usize
    }

    /// A name for metrics, in snake case.
    pub const fn name(self) -> &'static str {
        match self {
            Self::UnknownProtocol => "unknown_protocol",
            Self::Malformed => "malformed",
            Self::ForeignAddress => "foreign_address",
            Self::NotGenuine => "not_genuine",
            Self::Replayed => "replayed",
            Self::CipherNotReady => "cipher_not_ready",
            Self::WrongComponent => "wrong_component",
            Self::StunMalformed => "stun_malformed",
            Self::StunUnauthenticated => "stun_unauthenticated",
            Self::StunRefused => "stun_refused",
            Self::StunUnexpected => "stun_unexpected",
            Self::StunOverload => "stun_overload",
            Self::DtlsBeforeIce => "dtls_before_ice",
            Self::DtlsUnexpected => "dtls_unexpected",
        }
    }
}

impl From<CipherError> for RejectReason {
    fn from(error: CipherError) -> Self {
        match error {
            CipherError::NotReady | CipherError::Exhausted => Self::CipherNotReady,
            CipherError::NotGenuine => Self::NotGenuine,
            CipherError::Replayed => Self::Replayed,
        }
    }
}

/// What a datagram turned out to be. Lengths count from the datagram's first byte.
#[derive(Clone, Copy, Debug)]
pub enum Opened {
    /// A checked plain RTP packet of `len` bytes.
    Rtp {
        /// Its length without what the cipher added.
        len: usize,
        /// Its layout.
        layout: RtpLayout,
    },
    /// A plain RTCP compound of `len` bytes, not parsed yet.
    Rtcp {
        /// Its length without what the cipher added.
        len: usize,
    },
    /// The transport took it for itself.
    Consumed,
    /// Dropped.
    Rejected(RejectReason),
}

/// News from a transport that its user hears about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PathEvent {
    /// The remote address of RTP became known.
    Tuple(Arrival),
    /// The remote address of RTCP became known.
    RtcpTuple(Arrival),
    /// ICE came further, or lost its last tuple.
    IceState(IceState),
    /// Packets go to another tuple from now on, or to none.
    IceSelectedTuple(Option<IceTuple>),
    /// DTLS came further.
    DtlsState(DtlsState),
    /// Keys for SRTP are installed, of this suite.
    SrtpKeys(CryptoSuite),
}

/// A pair of addresses that ICE has validated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IceTuple {
    /// The local address, as bound.
    pub local: SocketAddr,
    /// The remote's.
    pub remote: SocketAddr,
    /// What carries datagrams.
    pub protocol: TransportProtocol,
}

/// What a transport claims of sockets that it shares with others, or gives up again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// Datagrams of this origin are the transport's.
    Tuple(Arrival),
    /// They are its no longer.
    ReleaseTuple(Arrival),
    /// STUN requests to this username fragment are the transport's.
    Username(UsernameFragment),
    /// They are its no longer.
    ReleaseUsername(UsernameFragment),
}

/// What the Core asks of a transport on the packet path and around it.
///
/// After each call that may have changed something the Core takes out what follows: [`Transport::poll_event`],
/// [`Transport::poll_claim`], [`Transport::poll_transmit`] until there is nothing more, then the next
/// [`Transport::poll_timeout`].
pub trait Transport {
    /// What [`Transport::connect`] takes.
    type ConnectOptions;
    /// Why connecting fails.
    type ConnectError;
    /// What the transport tells about itself.
    type Details;

    /// Judges, unprotects and checks one datagram in place.
    fn open(&mut self, now: Time, arrival: Arrival, datagram: &mut [u8]) -> Opened;
    /// Where packets of `component` go, `None` while unknown.
    fn destination(&self, component: Component) -> Option<Destination>;
    /// The cipher that outgoing packets are sealed with.
    fn cipher(&mut self) -> &mut impl Cipher;
    /// News since the last call.
    fn poll_event(&mut self) -> Option<PathEvent>;
    /// The sockets whose datagrams belong to this transport alone.
    fn sockets(&self) -> SocketIds;
    /// Takes the remote's parameters.
    fn connect(&mut self, now: Time, options: Self::ConnectOptions) -> Result<(), Self::ConnectError>;
    /// What the transport tells about itself.
    fn details(&self) -> Self::Details;

    /// Writes the next datagram that the transport itself has to say (STUN, DTLS) to `buffer`, which has room for
    /// [`MAX_TRANSMIT`] bytes; returns where it goes and how long it is.
    fn poll_transmit(&mut self, buffer: &mut [u8]) -> Option<(Destination, usize)> {
        let _ = buffer;
        None
    }

    /// The next datagram of data (SCTP, RFC 8831) that came in, behind what protects it. [`Transport::open`] says
    /// [`Opened::Consumed`] where there may be one.
    fn poll_data(&mut self) -> Option<Vec<u8>> {
        None
    }

    /// Takes a datagram of data, at most [`MAX_DATA`] bytes, for the remote; it leaves with [`Transport::poll_transmit`].
    /// While there is no [`Transport::destination`] it is lost, as on any network.
    fn send_data(&mut self, now: Time, datagram: &[u8]) {
        let _ = (now, datagram);
    }

    /// When [`Transport::handle_timeout`] wants to be called; [`Time::NEVER`] while nothing is due.
    fn poll_timeout(&self) -> Time {
        Time::NEVER
    }

    /// Does what is due.
    fn handle_timeout(&mut self, now: Time) {
        let _ = now;
    }

    /// The next claim on shared sockets, or the end of one.
    fn poll_claim(&mut self) -> Option<Claim> {
        None
    }

    /// A TCP connection was accepted by the socket `listener`; what it carries comes in as datagrams of `connection`.
    fn connection_accepted(&mut self, connection: SocketId, listener: SocketId) {
        let _ = (connection, listener);
    }

    /// The transport is about to go: what it has to say to its remote is taken out with [`Transport::poll_transmit`], and
    /// its claims end with [`Transport::poll_claim`].
    fn close(&mut self, now: Time) {
        let _ = now;
    }

    /// A socket is gone: a TCP connection ended.
    fn socket_closed(&mut self, now: Time, socket: SocketId) {
        let _ = (now, socket);
    }
}

/// Sockets of one transport; rarely more than two.
pub type SocketIds = SmallVec<[SocketId; 2]>;

/// The longest datagram that a transport writes by itself, in bytes.
pub const MAX_TRANSMIT: usize = 1400;

/// The longest datagram of data that a transport carries, in bytes: [`MAX_TRANSMIT`] without what DTLS puts around it.
pub const MAX_DATA: usize = 1340;

/// A path and a cipher that together carry RTP and RTCP.
#[derive(Debug)]
pub struct Adapter<P, C> {
    /// Where packets come from and go to.
    pub path: P,
    /// What protects them.
    pub cipher: C,
    /// Whether RTCP shares the RTP port (RFC 5761).
    pub rtcp_mux: bool,
    news: [Option<PathEvent>; 3],
}

impl<P: Path, C: Cipher> Adapter<P, C> {
    /// Composes a path and a cipher.
    pub fn new(path: P, cipher: C, rtcp_mux: bool) -> Self {
        Self { path, cipher, rtcp_mux, news: [None; 3] }
    }

    /// See [`Transport::open`]. `component` is the port that the datagram came in on.
    pub fn open(&mut self, arrival: Arrival, component: Component, datagram: &mut [u8]) -> Opened {
        let opened = match (rtp::classify(datagram), component, self.rtcp_mux) {
            (DatagramKind::Rtp, Component::Rtp, _) => self.open_rtp(arrival, datagram),
            (DatagramKind::Rtcp, Component::Rtp, true) => self.open_rtcp(arrival, Component::Rtp, datagram),
            (DatagramKind::Rtcp, Component::Rtcp, _) => self.open_rtcp(arrival, Component::Rtcp, datagram),
            (DatagramKind::Rtp | DatagramKind::Rtcp, _, _) => Err(RejectReason::WrongComponent),
            _ => Err(RejectReason::UnknownProtocol),
        };
        opened.unwrap_or_else(Opened::Rejected)
    }

    fn open_rtp(&mut self, arrival: Arrival, datagram: &mut [u8]) -> Result<Opened, RejectReason> {
        let admission = self.admit(arrival, Component::Rtp)?;
        let header_len = RtpLayout::header_len_of(datagram).map_err(|_| RejectReason::Malformed)?;
        let len = self.cipher.unprotect_rtp(datagram, header_len)?;
        let plain = datagram.get(..len).ok_or(RejectReason::Malformed)?;
        let layout = RtpLayout::parse(plain).map_err(|_| RejectReason::Malformed)?;
        self.settle(admission, arrival, Component::Rtp);
        Ok(Opened::Rtp { len, layout })
    }

    fn open_rtcp(
        &mut self,
        arrival: Arrival,
        component: Component,
        datagram: &mut [u8],
    ) -> Result<Opened, RejectReason> {
        let admission = self.admit(arrival, component)?;
        let len = self.cipher.unprotect_rtcp(datagram)?;
        // With RTP/RTCP multiplexing, RTCP alone does not teach the address: the first RTP packet does.
        if component == Component::Rtcp {
            self.settle(admission, arrival, component);
        }
        Ok(Opened::Rtcp { len })
    }

    /// Judges the origin of bare data. With `teaches` it may be what a comedia path learns its remote from.
    pub fn open_data(&mut self, arrival: Arrival, teaches: bool) -> Result<(), RejectReason> {
        match self.admit(arrival, Component::Rtp)? {
            Admission::Learnable if !teaches => Err(RejectReason::ForeignAddress),
            admission => {
                self.settle(admission, arrival, Component::Rtp);
                Ok(())
            }
        }
    }

    fn admit(&self, arrival: Arrival, component: Component) -> Result<Admission, RejectReason> {
        match self.path.admit(arrival, component) {
            Admission::Foreign => Err(RejectReason::ForeignAddress),
            admission => Ok(admission),
        }
    }

    fn settle(&mut self, admission: Admission, arrival: Arrival, component: Component) {
        if admission == Admission::Learnable {
            self.path.learn(arrival, component);
            match component {
                Component::Rtp => self.news[0] = Some(PathEvent::Tuple(arrival)),
                Component::Rtcp => self.news[1] = Some(PathEvent::RtcpTuple(arrival)),
            }
        }
    }

    /// Keys for its cipher were installed.
    pub fn keyed(&mut self, suite: CryptoSuite) {
        self.news[2] = Some(PathEvent::SrtpKeys(suite));
    }

    /// See [`Transport::poll_event`].
    pub fn poll_event(&mut self) -> Option<PathEvent> {
        self.news.iter_mut().find_map(Option::take)
    }
}
