//! The state machine of `dimpl`, with its outputs as ours and its errors named. Judges no certificate.

use super::DtlsFailure;
use super::framing::{CLIENT_HELLO, begins_server_flight, first_message, unprotected_fatal_alert};
use crate::certificate::DtlsCertificate;
use crate::options::DtlsVersion;
use dimpl::{
    CertificateError, CryptoError, Dtls, KeyingMaterial, Output, ProtocolVersion, SecurityError, SrtpProfile,
};
use std::fmt;
use std::ops::ControlFlow;
use std::time::Instant;
use tureen_srtp::Profile;

pub(super) struct Session {
    dtls: Dtls,
    scratch: Vec<u8>,
    connected: bool,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("dtls", &self.dtls).field("connected", &self.connected).finish()
    }
}

/// One output.
pub(super) enum Heard<'a> {
    Packet(&'a [u8]),
    Certificate(&'a [u8]),
    /// `None` for a profile that SRTP here does not have.
    Keys(Option<Profile>, KeyingMaterial),
    Data(&'a [u8]),
    Closed,
}

impl Session {
    pub(super) fn new(certificate: &DtlsCertificate, now: Instant, is_client: bool, allow_13: bool) -> Self {
        let new = if allow_13 { Dtls::new_auto } else { Dtls::new_12 };
        let mut dtls = new(certificate.config(), certificate.pair(), now);
        dtls.set_active(is_client);
        Self { dtls, scratch: vec![0; 2048], connected: false }
    }

    pub(super) fn is_connected(&self) -> bool {
        self.connected
    }

    pub(super) fn version(&self) -> Option<DtlsVersion> {
        match self.dtls.protocol_version()? {
            ProtocolVersion::DTLS1_2 => Some(DtlsVersion::Dtls12),
            ProtocolVersion::DTLS1_3 => Some(DtlsVersion::Dtls13),
            _ => None,
        }
    }

    /// Whether the library can do anything with the datagram: a client has no use for a hello of another client.
    pub(super) fn wants(&self, datagram: &[u8]) -> bool {
        if !self.dtls.is_active() {
            return true;
        }
        match first_message(datagram) {
            // A client that waits to learn the version gives up on whatever does not begin a server's first flight.
            _ if self.is_undecided() => {
                begins_server_flight(datagram) || unprotected_fatal_alert(datagram).is_some()
            }
            Some((kind, _)) => kind != CLIENT_HELLO,
            None => true,
        }
    }

    /// Whether this is a client that offers both versions and has not heard from the server yet.
    fn is_undecided(&self) -> bool {
        self.dtls.is_active() && self.dtls.protocol_version().is_none()
    }

    pub(super) fn handle(&mut self, now: Instant, datagram: &[u8]) -> Result<(), DtlsFailure> {
        if let Some(description) = unprotected_fatal_alert(datagram).filter(|_| self.is_undecided()) {
            return Err(DtlsFailure::Alert(description));
        }
        // Timers first: the library takes its time from there.
        let outcome = self.dtls.handle_timeout(now).and_then(|()| self.dtls.handle_packet(datagram));
        outcome.map_err(failure)
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) -> Result<(), DtlsFailure> {
        self.dtls.handle_timeout(now).map_err(failure)
    }

    pub(super) fn send(&mut self, data: &[u8]) -> Result<(), DtlsFailure> {
        self.dtls.send_application_data(data).map(|_| ()).map_err(failure)
    }

    pub(super) fn close(&mut self) -> Result<(), DtlsFailure> {
        self.dtls.close().map_err(failure)
    }

    /// Hands every output to `hear` until there is nothing more or `hear` breaks off; says when the next timer is due.
    pub(super) fn drain<B>(
        &mut self,
        mut hear: impl FnMut(Heard<'_>) -> ControlFlow<B>,
    ) -> ControlFlow<B, Instant> {
        loop {
            let heard = match self.dtls.poll_output(&mut self.scratch) {
                Output::Packet(packet) => Heard::Packet(packet),
                Output::BufferTooSmall { needed } => {
                    // Bounded by what the library reassembles: its queue holds 30 datagrams of 4 KiB.
                    self.scratch.resize(needed, 0);
                    continue;
                }
                Output::Timeout(instant) => return ControlFlow::Continue(instant),
                Output::Connected => {
                    self.connected = true;
                    continue;
                }
                Output::PeerCert(der) => Heard::Certificate(der),
                Output::KeyingMaterial(exported, profile) => Heard::Keys(profile_of(profile), exported),
                Output::ApplicationData(data) => Heard::Data(data),
                Output::CloseNotify => Heard::Closed,
                _ => continue,
            };
            if let ControlFlow::Break(end) = hear(heard) {
                return ControlFlow::Break(end);
            }
        }
    }
}

fn profile_of(profile: SrtpProfile) -> Option<Profile> {
    match profile {
        SrtpProfile::AES128_CM_SHA1_80 => Some(Profile::AesCm128HmacSha1_80),
        SrtpProfile::AEAD_AES_128_GCM => Some(Profile::AeadAes128Gcm),
        SrtpProfile::AEAD_AES_256_GCM => Some(Profile::AeadAes256Gcm),
        _ => None,
    }
}

fn failure(error: dimpl::Error) -> DtlsFailure {
    match error {
        dimpl::Error::SecurityError(SecurityError::FatalAlert { description }) => {
            DtlsFailure::Alert(description)
        }
        dimpl::Error::Timeout(_) => DtlsFailure::TimedOut,
        dimpl::Error::CertificateError(
            CertificateError::NoServerCertificateReceived | CertificateError::NoClientCertificateReceived,
        ) => DtlsFailure::NoCertificate,
        dimpl::Error::CryptoError(
            CryptoError::UnsupportedPublicKeyAlgorithm | CryptoError::UnsupportedEcCurve,
        )
        | dimpl::Error::CertificateError(CertificateError::UnsupportedEcCurve) => {
            DtlsFailure::UnsupportedCertificate
        }
        error => DtlsFailure::Protocol(error.to_string().into()),
    }
}
