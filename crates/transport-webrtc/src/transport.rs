//! The transport for browsers: ICE-lite finds the path, DTLS over it brings the keys, SRTP goes through the adapter.
//! Knows no socket and no media.

use crate::certificate::DtlsCertificate;
use crate::cipher::KeyedCipher;
use crate::dtls::{DtlsEndpoint, KeyChange};
use crate::ice::{IceCredentials, IceListen, IceServer};
use crate::options::{DtlsClock, WebRtcConnectError, WebRtcConnectOptions, WebRtcDetails, WebRtcOptions};
use tureen_rtp_dictionaries::{CryptoSuite, DtlsState, IceRole, IceState};
use tureen_rtp_wire::Time;
use tureen_rtp_wire::rtp::{DatagramKind, classify};
use tureen_srtp::Profile;
use tureen_transport::{
    Adapter, Arrival, Cipher, Claim, Component, Destination, MAX_DATA, NullCipher, Opened, Path, PathEvent,
    RejectReason, SocketId, SocketIds, SrtpCipher, Transport,
};

/// A transport for browsers. The type parameter is the cipher of media: SRTP, or for fuzzers [`NullCipher`].
#[derive(Debug)]
pub struct WebRtcTransport<C = SrtpCipher> {
    adapter: Adapter<IceServer, C>,
    dtls: DtlsEndpoint,
    options: WebRtcOptions,
    /// Where a last goodbye goes.
    farewell: Option<Destination>,
}

impl WebRtcTransport {
    /// A transport over bound sockets. What is random in it comes with the credentials and the certificate.
    pub fn new(
        options: &WebRtcOptions,
        listens: Vec<IceListen>,
        credentials: IceCredentials,
        certificate: &DtlsCertificate,
        clock: DtlsClock,
    ) -> Self {
        Self::compose(options, listens, credentials, certificate, clock)
    }
}

impl WebRtcTransport<NullCipher> {
    /// A transport whose media is not protected, so that fuzzers reach behind the keys.
    #[doc(hidden)]
    pub fn with_null_cipher(
        options: &WebRtcOptions,
        listens: Vec<IceListen>,
        credentials: IceCredentials,
        certificate: &DtlsCertificate,
        clock: DtlsClock,
    ) -> Self {
        Self::compose(options, listens, credentials, certificate, clock)
    }
}

impl<C: KeyedCipher> WebRtcTransport<C> {
    fn compose(
        options: &WebRtcOptions,
        listens: Vec<IceListen>,
        credentials: IceCredentials,
        certificate: &DtlsCertificate,
        clock: DtlsClock,
    ) -> Self {
        let ice = IceServer::new(listens, credentials, options.ice_consent_timeout);
        Self {
            adapter: Adapter::new(ice, C::default(), true),
            dtls: DtlsEndpoint::new(certificate, clock, options.dtls_13),
            options: *options,
            farewell: None,
        }
    }

    fn open_stun(&mut self, now: Time, arrival: Arrival, datagram: &[u8]) -> Result<(), RejectReason> {
        self.adapter.path.handle(now, arrival, datagram)?;
        self.progress(now);
        Ok(())
    }

    fn open_dtls(&mut self, now: Time, arrival: Arrival, datagram: &[u8]) -> Result<(), RejectReason> {
        if !self.adapter.path.is_validated(arrival) {
            return Err(RejectReason::DtlsBeforeIce);
        }
        let heard = self.dtls.handle(now, datagram);
        self.follow_keys();
        heard
    }

    /// Starts the handshake as soon as there is a tuple for it, and a remote to expect.
    fn progress(&mut self, now: Time) {
        if self.adapter.path.selected_tuple().is_some() {
            self.dtls.start(now);
            self.follow_keys();
        }
    }

    fn follow_keys(&mut self) {
        match self.dtls.take_key_change() {
            // The lengths are those of the profile, so installing cannot fail; without keys nothing would pass.
            Some(KeyChange::Install(keys)) => {
                if self.adapter.cipher.install_keys(&keys).is_ok()
                    && let Some(suite) = self.dtls.profile().and_then(suite_of)
                {
                    self.adapter.keyed(suite);
                }
            }
            Some(KeyChange::Forget) => self.adapter.cipher = C::default(),
            None => {}
        }
    }

    /// Ends ICE and DTLS. Take out what is left to send, to claim and to tell afterwards: a goodbye to the remote, the
    /// release of every claim, the closed states.
    pub fn close(&mut self, now: Time) {
        self.farewell = self.farewell.or(self.adapter.path.destination(Component::Rtp));
        self.dtls.close(now);
        self.follow_keys();
        self.adapter.path.close();
    }
}

impl<C: KeyedCipher> Transport for WebRtcTransport<C> {
    type ConnectOptions = WebRtcConnectOptions;
    type ConnectError = WebRtcConnectError;
    type Details = WebRtcDetails;

    fn open(&mut self, now: Time, arrival: Arrival, datagram: &mut [u8]) -> Opened {
        let consumed = match classify(datagram) {
            DatagramKind::Rtp | DatagramKind::Rtcp => {
                return self.adapter.open(arrival, Component::Rtp, datagram);
            }
            DatagramKind::Stun => self.open_stun(now, arrival, datagram),
            DatagramKind::Dtls => self.open_dtls(now, arrival, datagram),
            _ => Err(RejectReason::UnknownProtocol),
        };
        consumed.map_or_else(Opened::Rejected, |()| Opened::Consumed)
    }

    fn destination(&self, component: Component) -> Option<Destination> {
        // Media waits for keys.
        let ready = self.dtls.state() == DtlsState::Connected;
        ready.then(|| self.adapter.path.destination(component)).flatten()
    }

    fn cipher(&mut self) -> &mut impl Cipher {
        &mut self.adapter.cipher
    }

    fn poll_event(&mut self) -> Option<PathEvent> {
        let Self { adapter, dtls, .. } = self;
        let path = adapter.path.poll_event().or_else(|| dtls.poll_state().map(PathEvent::DtlsState));
        path.or_else(|| adapter.poll_event())
    }

    fn sockets(&self) -> SocketIds {
        self.adapter.path.sockets()
    }

    fn connect(&mut self, now: Time, options: WebRtcConnectOptions) -> Result<(), WebRtcConnectError> {
        if self.adapter.path.state() == IceState::Closed {
            return Err(WebRtcConnectError::Closed);
        }
        match options {
            WebRtcConnectOptions::Dtls(parameters) => {
                self.dtls.connect(&parameters)?;
                self.progress(now);
            }
            WebRtcConnectOptions::RestartIce(credentials) => self.adapter.path.restart(credentials),
        }
        Ok(())
    }

    fn details(&self) -> WebRtcDetails {
        let ice = &self.adapter.path;
        WebRtcDetails {
            ice_role: IceRole::Controlled,
            ice_parameters: ice.parameters(),
            ice_candidates: ice.candidates(|protocol| self.options.prefers(protocol)),
            ice_state: ice.state(),
            ice_selected_tuple: ice.selected_tuple(),
            dtls_parameters: self.dtls.parameters(),
            dtls_state: self.dtls.state(),
            dtls_remote_cert: self.dtls.remote_certificate(),
            dtls_version: self.dtls.version(),
            srtp_suite: self.dtls.profile().and_then(suite_of),
            dtls_error: self.dtls.failure().cloned(),
        }
    }

    fn poll_transmit(&mut self, buffer: &mut [u8]) -> Option<(Destination, usize)> {
        if let Some(answer) = self.adapter.path.poll_transmit(buffer) {
            return Some(answer);
        }
        let Some(destination) = self.adapter.path.destination(Component::Rtp).or(self.farewell) else {
            self.dtls.drop_outgoing();
            return None;
        };
        self.dtls.poll_transmit(buffer).map(|len| (destination, len))
    }

    fn poll_data(&mut self) -> Option<Vec<u8>> {
        self.dtls.poll_data()
    }

    fn send_data(&mut self, now: Time, datagram: &[u8]) {
        if self.adapter.path.destination(Component::Rtp).is_some() && datagram.len() <= MAX_DATA {
            self.dtls.send_data(now, datagram);
        }
    }

    fn poll_timeout(&self) -> Time {
        self.adapter.path.poll_timeout().min(self.dtls.poll_timeout())
    }

    fn handle_timeout(&mut self, now: Time) {
        self.adapter.path.handle_timeout(now);
        if self.dtls.poll_timeout() <= now {
            self.dtls.handle_timeout(now);
            self.follow_keys();
        }
    }

    fn poll_claim(&mut self) -> Option<Claim> {
        self.adapter.path.poll_claim()
    }

    fn connection_accepted(&mut self, connection: SocketId, listener: SocketId) {
        self.adapter.path.connection_accepted(connection, listener);
    }

    fn socket_closed(&mut self, _now: Time, socket: SocketId) {
        self.adapter.path.socket_closed(socket);
    }
}

fn suite_of(profile: Profile) -> Option<CryptoSuite> {
    match profile {
        Profile::AesCm128HmacSha1_80 => Some(CryptoSuite::AesCm128HmacSha1_80),
        Profile::AesCm128HmacSha1_32 => Some(CryptoSuite::AesCm128HmacSha1_32),
        Profile::AeadAes128Gcm => Some(CryptoSuite::AeadAes128Gcm),
        Profile::AeadAes256Gcm => Some(CryptoSuite::AeadAes256Gcm),
        _ => None,
    }
}
