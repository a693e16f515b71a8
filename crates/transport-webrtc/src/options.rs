//! What a WebRTC transport takes and tells. Decides nothing.

use crate::dtls::DtlsFailure;
use crate::ice::IceCredentials;
use std::time::{Duration, Instant};
use tureen_rtp_dictionaries::{
    CryptoSuite, DtlsParameters, DtlsState, IceCandidate, IceParameters, IceRole, IceState, TransportProtocol,
};
use tureen_rtp_wire::Time;
use tureen_transport::IceTuple;

/// How a WebRTC transport is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WebRtcOptions {
    /// Raises the priority of UDP candidates. Default `false`.
    pub prefer_udp: bool,
    /// Raises the priority of TCP candidates. Default `false`.
    pub prefer_tcp: bool,
    /// How long a tuple lives without a valid request (RFC 7675). Default 30 s; clamped to 10 to 60 s; zero switches the
    /// check off.
    pub ice_consent_timeout: Duration,
    /// Whether DTLS 1.3 is offered and taken. Default `false`: its handshake takes the remote's first SRTP profile, which
    /// with browsers is the slow one; that of 1.2 prefers AES-GCM.
    pub dtls_13: bool,
}

impl Default for WebRtcOptions {
    fn default() -> Self {
        Self {
            prefer_udp: false,
            prefer_tcp: false,
            ice_consent_timeout: Duration::from_secs(30),
            dtls_13: false,
        }
    }
}

impl WebRtcOptions {
    pub(crate) fn prefers(&self, protocol: TransportProtocol) -> bool {
        match protocol {
            TransportProtocol::Udp => self.prefer_udp,
            TransportProtocol::Tcp => self.prefer_tcp,
        }
    }
}

/// The [`Instant`] that the driver's [`Time::ZERO`] stands for: the DTLS library counts in these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DtlsClock(pub Instant);

impl DtlsClock {
    pub(crate) fn instant(self, now: Time) -> Instant {
        // Where the platform cannot say an instant that late, time stands still for DTLS.
        self.0.checked_add(Duration::from_nanos(now.as_nanos())).unwrap_or(self.0)
    }

    /// The library says "nothing is due" by an instant years ahead.
    pub(crate) fn time(self, instant: Instant, now: Time) -> Time {
        const LATEST: Duration = Duration::from_secs(24 * 60 * 60);
        let due = Time::ZERO + instant.saturating_duration_since(self.0);
        if due.since(now) > LATEST { Time::NEVER } else { due }
    }
}

/// What is told to a WebRTC transport after it was made.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum WebRtcConnectOptions {
    /// The remote's role and fingerprints; once.
    Dtls(DtlsParameters),
    /// New local ICE credentials; any number of times.
    RestartIce(IceCredentials),
}

/// Why a WebRTC transport refuses. Nothing has changed then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WebRtcConnectError {
    /// The remote's parameters are known already.
    #[error("connect() already called")]
    AlreadyConnected,
    /// The transport is closed.
    #[error("the transport is closed")]
    Closed,
    /// There is no fingerprint to know the remote by.
    #[error("dtlsParameters.fingerprints must not be empty")]
    NoFingerprint,
    /// More fingerprints than [`MAX_FINGERPRINTS`].
    #[error("dtlsParameters.fingerprints has more than {MAX_FINGERPRINTS} entries")]
    TooManyFingerprints,
    /// A fingerprint is no hash of its algorithm.
    #[error(
        "dtlsParameters.fingerprints[{index}].value must be {expected} bytes in hexadecimal digits with colons between"
    )]
    Fingerprint {
        /// Which one, from 0.
        index: usize,
        /// Bytes that its algorithm has.
        expected: usize,
    },
}

/// Fingerprints of one remote at most.
pub const MAX_FINGERPRINTS: usize = 16;

/// What a WebRTC transport tells about itself.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct WebRtcDetails {
    /// Always controlled.
    pub ice_role: IceRole,
    /// The local credentials.
    pub ice_parameters: IceParameters,
    /// The local candidates, best first.
    pub ice_candidates: Vec<IceCandidate>,
    /// How far ICE has come.
    pub ice_state: IceState,
    /// The tuple that packets go to.
    pub ice_selected_tuple: Option<IceTuple>,
    /// The local role, `auto` before the remote's is known, and fingerprints.
    pub dtls_parameters: DtlsParameters,
    /// How far DTLS has come.
    pub dtls_state: DtlsState,
    /// The remote's certificate in PEM, once it has proved to be the right one.
    pub dtls_remote_cert: Option<String>,
    /// The version that was negotiated.
    pub dtls_version: Option<DtlsVersion>,
    /// The SRTP suite that was negotiated.
    pub srtp_suite: Option<CryptoSuite>,
    /// Why DTLS failed or was closed by an alert.
    pub dtls_error: Option<DtlsFailure>,
}

/// A version of DTLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DtlsVersion {
    /// RFC 6347.
    Dtls12,
    /// RFC 9147.
    Dtls13,
}
