//! The plain transport: RTP, RTCP and bare SCTP over UDP without ICE, with or without SRTP, connected or comedia.

use crate::adapter::{Adapter, MAX_DATA, Opened, PathEvent, RejectReason, SocketIds, Transport};
use crate::address::{Arrival, Component, Destination, SocketId};
use crate::cipher::{Cipher, CipherError, NullCipher};
use crate::data::{DataQueues, begins_association, is_sctp};
use crate::path::{Path, SocketPath};
use crate::srtp::SrtpCipher;
use std::net::{IpAddr, SocketAddr};
use tureen_rtp_dictionaries::{CryptoSuite, SrtpParameters};
use tureen_rtp_wire::Time;
use tureen_srtp::Profile;

/// Random bytes for one SRTP master key and salt, as many as the longest suite takes.
pub type KeyMaterial = [u8; 46];

/// How a plain transport is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlainTransportOptions {
    /// Whether RTP and RTCP share one port (RFC 5761). Default `true`.
    pub rtcp_mux: bool,
    /// Whether the remote addresses are learned from the first packets. Default `false`.
    pub comedia: bool,
    /// Whether packets are SRTP. Default `false`.
    pub enable_srtp: bool,
    /// The suite offered with SRTP. Default AES_CM_128_HMAC_SHA1_80.
    pub srtp_crypto_suite: CryptoSuite,
    /// Whether bare SCTP is carried beside RTP. It is not protected, with SRTP neither. Default `false`.
    pub enable_sctp: bool,
}

impl Default for PlainTransportOptions {
    fn default() -> Self {
        Self {
            rtcp_mux: true,
            comedia: false,
            enable_srtp: false,
            srtp_crypto_suite: CryptoSuite::AesCm128HmacSha1_80,
            enable_sctp: false,
        }
    }
}

/// What the remote tells of itself. Which fields must be there depends on the transport's options.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlainConnectOptions {
    /// The remote address; required without comedia, refused with it.
    pub ip: Option<IpAddr>,
    /// The remote RTP port; required without comedia, refused with it.
    pub port: Option<u16>,
    /// The remote RTCP port; required without comedia and without RTCP multiplexing, refused otherwise.
    pub rtcp_port: Option<u16>,
    /// The remote's suite and key; required with SRTP, refused without.
    pub srtp_parameters: Option<SrtpParameters>,
    /// Fresh random bytes for our own key, used if the remote chose another suite than the one offered.
    pub key_material: Option<Box<KeyMaterial>>,
}

/// Why [`PlainTransport`] refuses to connect. Nothing has changed then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlainConnectError {
    /// It is connected already.
    #[error("connect() already called")]
    AlreadyConnected,
    /// A field that these options need is missing.
    #[error("missing {0}")]
    Missing(&'static str),
    /// A field is there that these options exclude.
    #[error("{field} must not be given {because}")]
    Unexpected {
        /// The field, as JSON spells it.
        field: &'static str,
        /// Why it must not be there.
        because: &'static str,
    },
    /// The key is not base64, or its length is not the suite's.
    #[error("srtpParameters.keyBase64 must hold {expected} bytes of key and salt in base64")]
    WrongKey {
        /// Bytes that the suite takes.
        expected: usize,
    },
    /// The port is 0.
    #[error("{0} must not be 0")]
    ZeroPort(&'static str),
    /// The address family differs from the one that the transport listens on.
    #[error("ip is of another address family than the transport's own")]
    AddressFamily,
}

/// What a plain transport tells about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlainDetails {
    /// Whether RTP and RTCP share one port.
    pub rtcp_mux: bool,
    /// Whether the remote addresses are learned.
    pub comedia: bool,
    /// Where RTP is received.
    pub local: SocketAddr,
    /// Where RTCP is received, without multiplexing.
    pub rtcp_local: Option<SocketAddr>,
    /// Where RTP goes, once known.
    pub remote: Option<SocketAddr>,
    /// Where RTCP goes, without multiplexing and once known.
    pub rtcp_remote: Option<SocketAddr>,
    /// Our own suite and key, with SRTP.
    pub srtp_parameters: Option<SrtpParameters>,
}

/// One bound socket of a plain transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BoundSocket {
    /// Its name on the packet path.
    pub id: SocketId,
    /// Where it listens.
    pub local: SocketAddr,
}

#[derive(Debug)]
enum PlainCipher {
    Null(NullCipher),
    Srtp(Box<SrtpCipher>),
}

/// A transport of plain RTP: [`SocketPath`] and either [`NullCipher`] or [`SrtpCipher`].
#[derive(Debug)]
pub struct PlainTransport {
    adapter: Adapter<SocketPath, PlainCipher>,
    rtp: BoundSocket,
    rtcp: Option<BoundSocket>,
    local_srtp: Option<LocalKey>,
    connected: bool,
    data: Option<Box<DataQueues>>,
}

#[derive(Clone)]
struct LocalKey {
    suite: CryptoSuite,
    key: Vec<u8>,
}

impl std::fmt::Debug for LocalKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LocalKey").field("suite", &self.suite).finish_non_exhaustive()
    }
}

impl LocalKey {
    fn new(suite: CryptoSuite, material: &KeyMaterial) -> Self {
        let len = suite.master_len().min(material.len());
        Self { suite, key: material[..len].to_vec() }
    }

    fn parameters(&self) -> Option<SrtpParameters> {
        SrtpParameters::new(self.suite, &self.key).ok()
    }
}

impl PlainTransport {
    /// A transport over bound sockets; `rtcp` is used only without RTCP multiplexing. `material` must come from a
    /// cryptographic generator.
    pub fn new(
        options: &PlainTransportOptions,
        rtp: BoundSocket,
        rtcp: Option<BoundSocket>,
        material: &KeyMaterial,
    ) -> Self {
        let rtcp = if options.rtcp_mux { None } else { rtcp };
        let path = SocketPath::new(rtp.id, rtcp.map(|socket| socket.id), options.comedia);
        let (cipher, local_srtp) = if options.enable_srtp {
            (PlainCipher::Srtp(Box::default()), Some(LocalKey::new(options.srtp_crypto_suite, material)))
        } else {
            (PlainCipher::Null(NullCipher), None)
        };
        Self {
            adapter: Adapter::new(path, cipher, options.rtcp_mux),
            rtp,
            rtcp,
            local_srtp,
            connected: false,
            data: options.enable_sctp.then(Box::default),
        }
    }

    fn open_data(&mut self, arrival: Arrival, datagram: &[u8]) -> Option<Opened> {
        let data = self.data.as_mut().filter(|_| is_sctp(datagram))?;
        // What nobody has authenticated teaches no address where media would have to be authentic.
        let teaches = self.local_srtp.is_none() && begins_association(datagram);
        if arrival.socket != self.rtp.id {
            return Some(Opened::Rejected(RejectReason::WrongComponent));
        }
        let opened = self.adapter.open_data(arrival, teaches).map(|()| {
            data.receive(datagram);
            Opened::Consumed
        });
        Some(opened.unwrap_or_else(Opened::Rejected))
    }

    fn check_address(&self, options: &PlainConnectOptions) -> Result<Option<Remote>, PlainConnectError> {
        if self.adapter.path.comedia() {
            return check_comedia(options).map(|()| None);
        }
        let ip = options.ip.ok_or(PlainConnectError::Missing("ip"))?;
        let port = required_port(options.port, "port")?;
        if ip.is_ipv4() != self.rtp.local.is_ipv4() {
            return Err(PlainConnectError::AddressFamily);
        }
        let rtcp = if self.adapter.rtcp_mux {
            refuse(options.rtcp_port.is_some(), "rtcpPort", "with rtcpMux")?;
            None
        } else {
            Some(SocketAddr::new(ip, required_port(options.rtcp_port, "rtcpPort")?))
        };
        Ok(Some(Remote { rtp: SocketAddr::new(ip, port), rtcp }))
    }

    /// The remote's key, and our own for the same suite.
    fn check_srtp(&self, options: &PlainConnectOptions) -> Result<Option<Keys>, PlainConnectError> {
        let Some(local) = &self.local_srtp else {
            refuse(options.srtp_parameters.is_some(), "srtpParameters", "without enableSrtp")?;
            return Ok(None);
        };
        let remote = options.srtp_parameters.as_ref().ok_or(PlainConnectError::Missing("srtpParameters"))?;
        let suite = remote.crypto_suite;
        let expected = suite.master_len();
        let key = remote.master_key_and_salt().map_err(|_| PlainConnectError::WrongKey { expected })?;
        let local = match &options.key_material {
            _ if suite == local.suite => local.clone(),
            Some(material) => LocalKey::new(suite, material),
            None => return Err(PlainConnectError::Missing("key material")),
        };
        Ok(Some(Keys { local, remote: key }))
    }
}

struct Remote {
    rtp: SocketAddr,
    rtcp: Option<SocketAddr>,
}

struct Keys {
    local: LocalKey,
    remote: Vec<u8>,
}

fn check_comedia(options: &PlainConnectOptions) -> Result<(), PlainConnectError> {
    refuse(options.ip.is_some(), "ip", "with comedia")?;
    refuse(options.port.is_some(), "port", "with comedia")?;
    refuse(options.rtcp_port.is_some(), "rtcpPort", "with comedia")
}

fn refuse(given: bool, field: &'static str, because: &'static str) -> Result<(), PlainConnectError> {
    if given { Err(PlainConnectError::Unexpected { field, because }) } else { Ok(()) }
}

fn required_port(port: Option<u16>, field: &'static str) -> Result<u16, PlainConnectError> {
    match port {
        None => Err(PlainConnectError::Missing(field)),
        Some(0) => Err(PlainConnectError::ZeroPort(field)),
        Some(port) => Ok(port),
    }
}

/// The SRTP profile of a suite's name in SDP (RFC 4568, RFC 7714).
pub fn profile_of(suite: CryptoSuite) -> Profile {
    match suite {
        CryptoSuite::AeadAes256Gcm => Profile::AeadAes256Gcm,
        CryptoSuite::AeadAes128Gcm => Profile::AeadAes128Gcm,
        CryptoSuite::AesCm128HmacSha1_80 => Profile::AesCm128HmacSha1_80,
        CryptoSuite::AesCm128HmacSha1_32 => Profile::AesCm128HmacSha1_32,
    }
}

impl Transport for PlainTransport {
    type ConnectOptions = PlainConnectOptions;
    type ConnectError = PlainConnectError;
    type Details = PlainDetails;

    fn open(&mut self, _now: Time, arrival: Arrival, datagram: &mut [u8]) -> Opened {
        if let Some(opened) = self.open_data(arrival, datagram) {
            return opened;
        }
        let component = self.adapter.path.component(arrival.socket);
        self.adapter.open(arrival, component, datagram)
    }

    fn poll_data(&mut self) -> Option<Vec<u8>> {
        self.data.as_mut()?.next_received()
    }

    fn send_data(&mut self, _now: Time, datagram: &[u8]) {
        let ready = self.adapter.path.destination(Component::Rtp).is_some() && datagram.len() <= MAX_DATA;
        if let Some(data) = self.data.as_mut().filter(|_| ready) {
            data.send(datagram);
        }
    }

    fn poll_transmit(&mut self, buffer: &mut [u8]) -> Option<(Destination, usize)> {
        let datagram = self.data.as_mut()?.next_to_send()?;
        let to = self.adapter.path.destination(Component::Rtp)?;
        buffer.get_mut(..datagram.len())?.copy_from_slice(&datagram);
        Some((to, datagram.len()))
    }

    fn destination(&self, component: Component) -> Option<Destination> {
        self.adapter.path.destination(component)
    }

    fn cipher(&mut self) -> &mut impl Cipher {
        &mut self.adapter.cipher
    }

    fn poll_event(&mut self) -> Option<PathEvent> {
        self.adapter.poll_event()
    }

    fn sockets(&self) -> SocketIds {
        std::iter::once(self.rtp.id).chain(self.rtcp.map(|socket| socket.id)).collect()
    }

    fn connect(&mut self, _now: Time, options: PlainConnectOptions) -> Result<(), PlainConnectError> {
        if self.connected {
            return Err(PlainConnectError::AlreadyConnected);
        }
        let remote = self.check_address(&options)?;
        let keys = self.check_srtp(&options)?;
        if let (Some(keys), PlainCipher::Srtp(cipher)) = (keys, &mut self.adapter.cipher) {
            let profile = profile_of(keys.local.suite);
            let expected = keys.local.suite.master_len();
            cipher
                .install((profile, &keys.local.key), (profile, &keys.remote))
                .map_err(|_| PlainConnectError::WrongKey { expected })?;
            self.adapter.keyed(keys.local.suite);
            self.local_srtp = Some(keys.local);
        }
        if let Some(remote) = remote {
            self.adapter.path.connect(remote.rtp, remote.rtcp);
        }
        self.connected = true;
        Ok(())
    }

    fn details(&self) -> PlainDetails {
        let path = &self.adapter.path;
        PlainDetails {
            rtcp_mux: self.adapter.rtcp_mux,
            comedia: path.comedia(),
            local: self.rtp.local,
            rtcp_local: self.rtcp.map(|socket| socket.local),
            remote: path.remote(Component::Rtp),
            rtcp_remote: self.rtcp.and_then(|_| path.remote(Component::Rtcp)),
            srtp_parameters: self.local_srtp.as_ref().and_then(LocalKey::parameters),
        }
    }
}

impl Cipher for PlainCipher {
    fn rtp_overhead(&self) -> usize {
        match self {
            Self::Null(cipher) => cipher.rtp_overhead(),
            Self::Srtp(cipher) => cipher.rtp_overhead(),
        }
    }

    fn rtcp_overhead(&self) -> usize {
        match self {
            Self::Null(cipher) => cipher.rtcp_overhead(),
            Self::Srtp(cipher) => cipher.rtcp_overhead(),
        }
    }

    fn forbids_altered_repeats(&self) -> bool {
        match self {
            Self::Null(cipher) => cipher.forbids_altered_repeats(),
            Self::Srtp(cipher) => cipher.forbids_altered_repeats(),
        }
    }

    fn protect_rtp(
        &mut self,
        buffer: &mut [u8],
        header_len: usize,
        len: usize,
    ) -> Result<usize, CipherError> {
        match self {
            Self::Null(cipher) => cipher.protect_rtp(buffer, header_len, len),
            Self::Srtp(cipher) => cipher.protect_rtp(buffer, header_len, len),
        }
    }

    #[inline]
    fn protect_rtp_from(
        &mut self,
        buffer: &mut [u8],
        header_len: usize,
        payload: &[u8],
    ) -> Result<usize, CipherError> {
        match self {
            Self::Null(cipher) => cipher.protect_rtp_from(buffer, header_len, payload),
            Self::Srtp(cipher) => cipher.protect_rtp_from(buffer, header_len, payload),
        }
    }

    fn protect_rtp_again(
        &mut self,
        buffer: &mut [u8],
        header_len: usize,
        len: usize,
    ) -> Result<usize, CipherError> {
        match self {
            Self::Null(cipher) => cipher.protect_rtp_again(buffer, header_len, len),
            Self::Srtp(cipher) => cipher.protect_rtp_again(buffer, header_len, len),
        }
    }

    fn expect_repeats(&mut self) {
        match self {
            Self::Null(cipher) => cipher.expect_repeats(),
            Self::Srtp(cipher) => cipher.expect_repeats(),
        }
    }

    fn protect_rtcp(&mut self, buffer: &mut [u8], len: usize) -> Result<usize, CipherError> {
        match self {
            Self::Null(cipher) => cipher.protect_rtcp(buffer, len),
            Self::Srtp(cipher) => cipher.protect_rtcp(buffer, len),
        }
    }

    fn unprotect_rtp(&mut self, buffer: &mut [u8], header_len: usize) -> Result<usize, CipherError> {
        match self {
            Self::Null(cipher) => cipher.unprotect_rtp(buffer, header_len),
            Self::Srtp(cipher) => cipher.unprotect_rtp(buffer, header_len),
        }
    }

    fn unprotect_rtcp(&mut self, buffer: &mut [u8]) -> Result<usize, CipherError> {
        match self {
            Self::Null(cipher) => cipher.unprotect_rtcp(buffer),
            Self::Srtp(cipher) => cipher.unprotect_rtcp(buffer),
        }
    }
}
