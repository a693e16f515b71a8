//! A transport, a DTLS peer and the datagrams between them, in virtual time. Asserts nothing by itself but that timers do
//! not spin.

#![allow(dead_code, reason = "each test program uses a part")]

pub(crate) mod peers;
pub(crate) mod stun;

use peers::Peer;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use stun::BindingRequest;
use tureen_rtp_dictionaries::{
    DtlsFingerprint, DtlsParameters, DtlsRole, DtlsState, FingerprintAlgorithm, TransportProtocol,
};
use tureen_rtp_wire::Time;
use tureen_rtp_wire::rtp::{DatagramKind, classify};
use tureen_srtp::{DEFAULT_PROVIDER, SrtpReceiver, SrtpSender};
use tureen_transport::{Arrival, Cipher, MAX_TRANSMIT, Opened, PathEvent, RejectReason, SocketId, Transport};
use tureen_transport_webrtc::{
    DtlsCertificate, DtlsClock, IceCredentials, IceListen, WebRtcConnectOptions, WebRtcOptions,
    WebRtcTransport,
};

pub(crate) const UDP: SocketId = SocketId(1);
pub(crate) const TCP: SocketId = SocketId(2);

#[expect(clippy::disallowed_methods, reason = "the instant that virtual time counts from")]
pub(crate) fn origin() -> Instant {
    Instant::now()
}

pub(crate) fn listen(socket: SocketId, protocol: TransportProtocol, shared: bool) -> IceListen {
    let local = SocketAddr::from(([192, 0, 2, 1], 40_000));
    IceListen { socket, local, protocol, shared, announced: vec![] }
}

pub(crate) fn listens(shared: bool) -> Vec<IceListen> {
    vec![listen(UDP, TransportProtocol::Udp, shared), listen(TCP, TransportProtocol::Tcp, shared)]
}

pub(crate) fn credentials(seed: u8) -> IceCredentials {
    IceCredentials::from_entropy(&std::array::from_fn(|index| {
        seed.wrapping_mul(31).wrapping_add((index * 7) as u8)
    }))
}

pub(crate) fn arrival(port: u16) -> Arrival {
    Arrival { socket: UDP, source: SocketAddr::from(([198, 51, 100, 9], port)) }
}

pub(crate) fn transport(
    origin: Instant,
    options: &WebRtcOptions,
    certificate: &DtlsCertificate,
) -> WebRtcTransport {
    WebRtcTransport::new(options, listens(false), credentials(1), certificate, DtlsClock(origin))
}

pub(crate) fn parameters(role: DtlsRole, certificate: &[u8]) -> DtlsParameters {
    let hash = sha2::Sha256::digest(certificate);
    DtlsParameters { role, fingerprints: vec![DtlsFingerprint::new(FingerprintAlgorithm::Sha256, &hash)] }
}

use sha2::Digest;

/// Which way a datagram goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum To {
    Transport,
    Peer,
}

/// When a datagram arrives, in milliseconds after it was sent: never, once or several times.
pub(crate) type Fate = Vec<u64>;

pub(crate) struct Net<P> {
    pub(crate) transport: WebRtcTransport,
    pub(crate) peer: P,
    pub(crate) now: Time,
    pub(crate) origin: Instant,
    pub(crate) events: Vec<PathEvent>,
    pub(crate) rejected: Vec<RejectReason>,
    /// Datagrams of DTLS in each direction.
    pub(crate) sent: [usize; 2],
    in_flight: BTreeMap<(Time, usize), (To, Vec<u8>)>,
    serial: usize,
}

pub(crate) const REMOTE: u16 = 5000;

impl<P: Peer> Net<P> {
    /// A transport that the peer has validated a tuple of.
    pub(crate) fn new(
        options: &WebRtcOptions,
        certificate: &DtlsCertificate,
        origin: Instant,
        peer: P,
    ) -> Self {
        let mut net = Self {
            transport: transport(origin, options, certificate),
            peer,
            now: Time::ZERO,
            origin,
            events: vec![],
            rejected: vec![],
            sent: [0; 2],
            in_flight: BTreeMap::new(),
            serial: 0,
        };
        net.validate(REMOTE);
        net
    }

    pub(crate) fn validate(&mut self, port: u16) {
        let request = BindingRequest::to(&credentials(1)).nominating().bytes();
        self.open(port, &request);
        let mut buffer = [0; MAX_TRANSMIT];
        while let Some((_, len)) = self.transport.poll_transmit(&mut buffer) {
            assert_eq!(classify(&buffer[..len]), DatagramKind::Stun);
        }
    }

    pub(crate) fn open(&mut self, port: u16, datagram: &[u8]) -> Opened {
        let opened = self.transport.open(self.now, arrival(port), &mut datagram.to_vec());
        if let Opened::Rejected(reason) = opened {
            self.rejected.push(reason);
        }
        opened
    }

    /// Tells the transport who the peer is.
    pub(crate) fn connect(&mut self, role: DtlsRole) {
        let parameters = parameters(role, &self.peer.certificate());
        self.connect_to(parameters);
    }

    pub(crate) fn connect_to(&mut self, parameters: DtlsParameters) {
        self.transport.connect(self.now, WebRtcConnectOptions::Dtls(parameters)).unwrap();
    }

    pub(crate) fn state(&self) -> DtlsState {
        self.transport.details().dtls_state
    }

    pub(crate) fn instant(&self) -> Instant {
        self.origin + Duration::from_nanos(self.now.as_nanos())
    }

    fn send(&mut self, to: To, datagram: Vec<u8>, fate: &mut impl FnMut(To, usize, &[u8]) -> Fate) {
        let index = self.sent[to as usize];
        self.sent[to as usize] += 1;
        for delay in fate(to, index, &datagram) {
            self.serial += 1;
            self.in_flight
                .insert((self.now + Duration::from_millis(delay), self.serial), (to, datagram.clone()));
        }
    }

    /// Moves what both sides have to say onto the link.
    pub(crate) fn collect(&mut self, fate: &mut impl FnMut(To, usize, &[u8]) -> Fate) {
        let mut buffer = [0; MAX_TRANSMIT];
        while let Some((destination, len)) = self.transport.poll_transmit(&mut buffer) {
            assert_eq!(destination, arrival(REMOTE).into());
            self.send(To::Peer, buffer[..len].to_vec(), fate);
        }
        while let Some(datagram) = self.peer.transmit() {
            self.send(To::Transport, datagram, fate);
        }
        while let Some(event) = self.transport.poll_event() {
            self.events.push(event);
        }
    }

    fn settled(&self) -> bool {
        let done = match self.state() {
            DtlsState::Connected => self.peer.keys().is_some(),
            DtlsState::Failed | DtlsState::Closed => true,
            _ => false,
        };
        done && self.in_flight.is_empty()
    }

    /// Runs until the handshake is through on both sides and the link is empty, or for `limit`.
    pub(crate) fn run(&mut self, limit: Duration, mut fate: impl FnMut(To, usize, &[u8]) -> Fate) {
        let end = self.now + limit;
        for step in 0.. {
            assert!(
                step < 10_000,
                "timers spin at {:?}: {:?}, {:?}, {:?} in flight, sent {:?}",
                self.now,
                self.transport.poll_timeout(),
                self.peer.timeout().map(|due| due.saturating_duration_since(self.origin)),
                self.in_flight.len(),
                self.sent,
            );
            self.collect(&mut fate);
            if self.settled() {
                return;
            }
            let arrives = self.in_flight.first_key_value().map_or(Time::NEVER, |((at, _), _)| *at);
            let peer_due = self
                .peer
                .timeout()
                .map_or(Time::NEVER, |due| Time::ZERO + due.saturating_duration_since(self.origin));
            let next = arrives.min(self.transport.poll_timeout()).min(peer_due);
            if next > end {
                self.now = end;
                return;
            }
            self.now = self.now.max(next);
            self.deliver();
            if self.transport.poll_timeout() <= self.now {
                self.transport.handle_timeout(self.now);
            }
            if peer_due <= self.now {
                let instant = self.instant();
                self.peer.handle_timeout(instant);
            }
        }
    }

    fn deliver(&mut self) {
        while let Some(entry) = self.in_flight.first_entry().filter(|entry| entry.key().0 <= self.now) {
            match entry.remove() {
                (To::Transport, datagram) => _ = self.open(REMOTE, &datagram),
                (To::Peer, datagram) => {
                    let instant = self.instant();
                    self.peer.handle(instant, &datagram);
                }
            }
        }
    }

    /// Sends an SRTP and an SRTCP packet each way and checks what comes out.
    pub(crate) fn assert_media_flows(&mut self) {
        let (profile, exported) = self.peer.keys().expect("keys of the peer");
        let (client, server) = split(&exported, profile.key_len(), profile.salt_len());
        let (own, ours) = if self.peer.is_client() { (client, server) } else { (server, client) };
        let mut sender = SrtpSender::new(profile, &own, DEFAULT_PROVIDER).unwrap();
        let mut receiver = SrtpReceiver::new(profile, &ours, DEFAULT_PROVIDER).unwrap();

        let rtp = *b"\x80\x60\x00\x01\x00\x00\x00\x09\x00\x00\x00\x07media";
        let mut buffer = [0; 64];
        buffer[..rtp.len()].copy_from_slice(&rtp);
        let len = sender.protect_rtp(&mut buffer, 12, rtp.len()).unwrap();
        let mut datagram = buffer[..len].to_vec();
        let opened = self.transport.open(self.now, arrival(REMOTE), &mut datagram);
        assert!(matches!(opened, Opened::Rtp { len: 17, .. }), "{opened:?}");
        assert_eq!(datagram[..17], rtp);

        let mut buffer = [0; 64];
        buffer[..rtp.len()].copy_from_slice(&rtp);
        let len = self.transport.cipher().protect_rtp(&mut buffer, 12, rtp.len()).unwrap();
        let plain = receiver.unprotect_rtp(&mut buffer[..len], 12).unwrap();
        assert_eq!(buffer[..plain], rtp);

        let rtcp = *b"\x80\xc9\x00\x01\x00\x00\x00\x07";
        let mut buffer = [0; 64];
        buffer[..8].copy_from_slice(&rtcp);
        let len = sender.protect_rtcp(&mut buffer, 8).unwrap();
        let opened = self.transport.open(self.now, arrival(REMOTE), &mut buffer[..len]);
        assert!(matches!(opened, Opened::Rtcp { len: 8 }), "{opened:?}");
    }

    /// No key is installed, so nothing can be sent.
    pub(crate) fn assert_no_keys(&mut self) {
        assert!(self.transport.cipher().protect_rtcp(&mut [0x80; 64], 8).is_err());
    }
}

fn split(exported: &[u8], key: usize, salt: usize) -> (Vec<u8>, Vec<u8>) {
    let (keys, salts) = exported.split_at(2 * key);
    let join = |index: usize| [&keys[index * key..][..key], &salts[index * salt..][..salt]].concat();
    (join(0), join(1))
}

/// The link that loses nothing and takes 10 ms.
pub(crate) fn faultless(_: To, _: usize, _: &[u8]) -> Fate {
    vec![10]
}
