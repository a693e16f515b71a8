//! One DTLS association: who starts it, who the peer has to be, and what comes of it. Knows no address: what it is given
//! comes from a tuple that ICE has validated, and what it says goes to the selected one.

mod framing;
mod session;

use crate::certificate::{DtlsCertificate, certificate_pem, hash};
use crate::cipher::SrtpKeys;
use crate::options::{DtlsClock, DtlsVersion, MAX_FINGERPRINTS, WebRtcConnectError};
use framing::{Early, is_well_framed};
use session::{Heard, Session};
use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::time::Duration;
use tureen_rtp_dictionaries::{DtlsParameters, DtlsRole, DtlsState, FingerprintAlgorithm};
use tureen_rtp_wire::Time;
use tureen_srtp::Profile;
use tureen_transport::RejectReason;

/// Datagrams that wait to be sent at most; more are as good as lost, and repaired by timers.
const MAX_OUTGOING: usize = 24;
/// Datagrams of data that wait to be taken at most; more are lost. A datagram of the remote's holds few.
const MAX_INCOMING: usize = 64;

/// The pause before a timer is served again that was due already when it had been served. The library acknowledges gaps in
/// a flight of DTLS 1.3 without one (RFC 9147 section 7.1 asks for a quarter of the retransmission timer).
const OVERDUE_PAUSE: Duration = Duration::from_millis(50);

/// Why a DTLS association failed, or the alert that ended it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DtlsFailure {
    /// The remote's certificate has none of the fingerprints that were told of.
    #[error("the fingerprint of the remote certificate matches none of those given")]
    FingerprintMismatch,
    /// The remote's certificate has a key that is not verified here: RSA, or anything but ECDSA on P-256 and P-384.
    #[error("the remote certificate has no ECDSA key on P-256 or P-384 (RSA is not supported)")]
    UnsupportedCertificate,
    /// The handshake ended without a certificate of the remote's.
    #[error("the remote sent no certificate")]
    NoCertificate,
    /// The handshake agreed on no SRTP profile (RFC 5764 section 4.1.2).
    #[error("no common SRTP protection profile")]
    NoSrtpProfile,
    /// The remote ended it by an alert (RFC 5246 section 7.2).
    #[error("alert {0} from the remote")]
    Alert(u8),
    /// The remote did not answer in time.
    #[error("the handshake timed out")]
    TimedOut,
    /// The remote broke the protocol.
    #[error("{0}")]
    Protocol(Box<str>),
}

/// What the keys of media have to follow.
#[derive(Debug)]
pub(crate) enum KeyChange {
    /// The peer is who it should be.
    Install(Box<SrtpKeys>),
    /// The association is over.
    Forget,
}

/// Why a session is over.
enum End {
    Failed(DtlsFailure),
    Closed,
}

/// What is known of the remote before it has said anything.
#[derive(Debug)]
struct Remote {
    fingerprints: Vec<(FingerprintAlgorithm, Vec<u8>)>,
}

impl Remote {
    fn new(parameters: &DtlsParameters) -> Result<Self, WebRtcConnectError> {
        if parameters.fingerprints.is_empty() {
            return Err(WebRtcConnectError::NoFingerprint);
        }
        if parameters.fingerprints.len() > MAX_FINGERPRINTS {
            return Err(WebRtcConnectError::TooManyFingerprints);
        }
        let indexed = parameters.fingerprints.iter().enumerate();
        let fingerprints = indexed
            .map(|(index, fingerprint)| {
                let refused =
                    WebRtcConnectError::Fingerprint { index, expected: fingerprint.algorithm.len() };
                fingerprint.hash().map(|hash| (fingerprint.algorithm, hash)).map_err(|_| refused)
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { fingerprints })
    }

    fn has(&self, certificate: &[u8]) -> bool {
        self.fingerprints.iter().any(|(algorithm, known)| hash(*algorithm, certificate) == *known)
    }
}

/// A DTLS endpoint from before the remote is known until after it has gone.
#[derive(Debug)]
pub(crate) struct DtlsEndpoint {
    certificate: DtlsCertificate,
    clock: DtlsClock,
    allow_13: bool,
    role: DtlsRole,
    remote: Option<Remote>,
    early: Early,
    session: Option<Box<Session>>,
    state: DtlsState,
    state_news: Option<DtlsState>,
    key_change: Option<KeyChange>,
    outgoing: VecDeque<Vec<u8>>,
    incoming: VecDeque<Vec<u8>>,
    timeout: Time,
    remote_certificate: Option<Vec<u8>>,
    version: Option<DtlsVersion>,
    profile: Option<Profile>,
    failure: Option<DtlsFailure>,
}

impl DtlsEndpoint {
    pub(crate) fn new(certificate: &DtlsCertificate, clock: DtlsClock, allow_13: bool) -> Self {
        Self {
            certificate: certificate.clone(),
            clock,
            allow_13,
            role: DtlsRole::Auto,
            remote: None,
            early: Early::default(),
            session: None,
            state: DtlsState::New,
            state_news: None,
            key_change: None,
            outgoing: VecDeque::new(),
            incoming: VecDeque::new(),
            timeout: Time::NEVER,
            remote_certificate: None,
            version: None,
            profile: None,
            failure: None,
        }
    }

    pub(crate) fn state(&self) -> DtlsState {
        self.state
    }

    pub(crate) fn parameters(&self) -> DtlsParameters {
        DtlsParameters { role: self.role, fingerprints: self.certificate.fingerprints().to_vec() }
    }

    pub(crate) fn remote_certificate(&self) -> Option<String> {
        self.remote_certificate.as_deref().map(certificate_pem)
    }

    pub(crate) fn version(&self) -> Option<DtlsVersion> {
        self.version
    }

    pub(crate) fn profile(&self) -> Option<Profile> {
        self.profile
    }

    pub(crate) fn failure(&self) -> Option<&DtlsFailure> {
        self.failure.as_ref()
    }

    /// Takes the remote's parameters, from which our role follows: client, unless the remote wants to be it.
    pub(crate) fn connect(&mut self, parameters: &DtlsParameters) -> Result<(), WebRtcConnectError> {
        if self.remote.is_some() {
            return Err(WebRtcConnectError::AlreadyConnected);
        }
        if self.state == DtlsState::Closed {
            return Err(WebRtcConnectError::Closed);
        }
        self.remote = Some(Remote::new(parameters)?);
        self.role = match parameters.role {
            DtlsRole::Client => DtlsRole::Server,
            DtlsRole::Auto | DtlsRole::Server => DtlsRole::Client,
        };
        Ok(())
    }

    /// Starts the handshake where the remote is known and it has not started yet. Call it once ICE has a tuple.
    pub(crate) fn start(&mut self, now: Time) {
        if self.state != DtlsState::New || self.remote.is_none() {
            return;
        }
        self.enter(DtlsState::Connecting);
        let is_client = self.role == DtlsRole::Client;
        self.session = Some(Box::new(Session::new(
            &self.certificate,
            self.clock.instant(now),
            is_client,
            self.allow_13,
        )));
        self.handle_timeout(now);
        for hello in std::mem::take(&mut self.early).take().filter(|_| !is_client) {
            // Whoever sends it again will be heard; a hello that does not fit is nobody's loss.
            let _ = self.handle(now, &hello);
        }
    }

    /// Takes a datagram from a tuple that ICE has validated.
    pub(crate) fn handle(&mut self, now: Time, datagram: &[u8]) -> Result<(), RejectReason> {
        let unexpected = Err(RejectReason::DtlsUnexpected);
        let established = self.state == DtlsState::Connected;
        if !is_well_framed(datagram, established) {
            return unexpected;
        }
        let instant = self.clock.instant(now);
        let Some(session) = &mut self.session else {
            let keep = self.state == DtlsState::New && self.role != DtlsRole::Client;
            return if keep && self.early.keep(datagram) { Ok(()) } else { unexpected };
        };
        if !session.wants(datagram) {
            return unexpected;
        }
        let outcome = session.handle(instant, datagram);
        self.settle(now, outcome);
        Ok(())
    }

    pub(crate) fn poll_timeout(&self) -> Time {
        self.timeout
    }

    pub(crate) fn handle_timeout(&mut self, now: Time) {
        let instant = self.clock.instant(now);
        if let Some(session) = &mut self.session {
            let outcome = session.handle_timeout(instant);
            self.settle(now, outcome);
        }
    }

    /// Takes out all that the session has to say, and ends it where it failed.
    fn settle(&mut self, now: Time, outcome: Result<(), DtlsFailure>) {
        let Some(mut session) = self.session.take() else {
            return;
        };
        let end = match session.drain(|heard| self.hear(heard)) {
            ControlFlow::Break(end) => Some(end),
            ControlFlow::Continue(instant) => {
                let due = self.clock.time(instant, now);
                self.timeout = if due > now { due } else { now + OVERDUE_PAUSE };
                outcome.and_then(|()| self.establish(&session)).err().map(End::Failed)
            }
        };
        self.session = Some(session);
        match end {
            None => {}
            Some(End::Closed) => self.end(DtlsState::Closed),
            Some(End::Failed(failure)) => self.fail(failure),
        }
    }

    fn hear(&mut self, heard: Heard<'_>) -> ControlFlow<End> {
        match heard {
            Heard::Packet(packet) => {
                if self.outgoing.len() < MAX_OUTGOING {
                    self.outgoing.push_back(packet.to_vec());
                }
            }
            Heard::Certificate(certificate) => {
                if let Err(failure) = self.know(certificate) {
                    return ControlFlow::Break(End::Failed(failure));
                }
            }
            Heard::Keys(profile, exported) => {
                // No key without a peer that is known (RFC 5763 section 5).
                self.profile = profile.filter(|_| self.remote_certificate.is_some());
                let is_client = self.role == DtlsRole::Client;
                let keys =
                    self.profile.and_then(|profile| SrtpKeys::from_exported(profile, &exported, is_client));
                self.key_change = keys.map(|keys| KeyChange::Install(Box::new(keys)));
            }
            Heard::Data(data) => {
                // Nothing is believed of a peer that may still prove to be somebody else.
                if self.state == DtlsState::Connected && self.incoming.len() < MAX_INCOMING {
                    self.incoming.push_back(data.to_vec());
                }
            }
            Heard::Closed => return ControlFlow::Break(End::Closed),
        }
        ControlFlow::Continue(())
    }

    /// The remote's certificate came: nothing is believed unless its fingerprint is known.
    fn know(&mut self, certificate: &[u8]) -> Result<(), DtlsFailure> {
        if !self.remote.as_ref().is_some_and(|remote| remote.has(certificate)) {
            return Err(DtlsFailure::FingerprintMismatch);
        }
        if crate::certificate::has_rsa_key(certificate) {
            return Err(DtlsFailure::UnsupportedCertificate);
        }
        self.remote_certificate = Some(certificate.to_vec());
        Ok(())
    }

    /// Once the handshake is through: no certificate or no keys is a failure.
    fn establish(&mut self, session: &Session) -> Result<(), DtlsFailure> {
        if !session.is_connected() || self.state != DtlsState::Connecting {
            return Ok(());
        }
        self.version = session.version();
        if self.remote_certificate.is_none() {
            return Err(DtlsFailure::NoCertificate);
        }
        if self.key_change.is_none() {
            return Err(DtlsFailure::NoSrtpProfile);
        }
        self.enter(DtlsState::Connected);
        Ok(())
    }

    fn fail(&mut self, failure: DtlsFailure) {
        // After the handshake an alert is a goodbye; so is what else the authenticated peer breaks off with.
        let state = if self.state == DtlsState::Connected { DtlsState::Closed } else { DtlsState::Failed };
        let forged = failure == DtlsFailure::FingerprintMismatch;
        self.failure.get_or_insert(failure);
        if forged {
            self.outgoing.clear();
        }
        self.end(state);
    }

    fn end(&mut self, state: DtlsState) {
        if matches!(self.state, DtlsState::Failed | DtlsState::Closed) {
            return;
        }
        self.session = None;
        self.timeout = Time::NEVER;
        self.key_change = Some(KeyChange::Forget);
        self.enter(state);
    }

    /// Says goodbye, where there is somebody to say it to.
    pub(crate) fn close(&mut self, now: Time) {
        if let Some(session) = &mut self.session {
            let outcome = session.close();
            self.settle(now, outcome);
        }
        self.early = Early::default();
        self.end(DtlsState::Closed);
    }

    fn enter(&mut self, state: DtlsState) {
        self.state = state;
        self.state_news = Some(state);
    }

    pub(crate) fn poll_state(&mut self) -> Option<DtlsState> {
        self.state_news.take()
    }

    pub(crate) fn take_key_change(&mut self) -> Option<KeyChange> {
        self.key_change.take()
    }

    /// The next datagram to the selected tuple.
    pub(crate) fn poll_transmit(&mut self, buffer: &mut [u8]) -> Option<usize> {
        let datagram = self.outgoing.pop_front()?;
        buffer.get_mut(..datagram.len())?.copy_from_slice(&datagram);
        Some(datagram.len())
    }

    /// The next datagram of data that came in.
    pub(crate) fn poll_data(&mut self) -> Option<Vec<u8>> {
        self.incoming.pop_front()
    }

    /// Puts a datagram of data into a record of its own.
    pub(crate) fn send_data(&mut self, now: Time, datagram: &[u8]) {
        if self.state != DtlsState::Connected {
            return;
        }
        if let Some(session) = &mut self.session {
            // What the library refuses is lost; that is no reason to end the session.
            let _ = session.send(datagram);
        }
        self.settle(now, Ok(()));
    }

    /// There is nowhere to send to: what waits is lost, and timers repair it.
    pub(crate) fn drop_outgoing(&mut self) {
        self.outgoing.clear();
    }
}
