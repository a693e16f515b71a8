//! A DTLS peer for the targets that have a WebRTC transport inside. It draws its own randomness, so that targets with a
//! handshake assert what holds for any.

use dimpl::{Config, Dtls, Output};
use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use tureen_rtp_dictionaries::{DtlsFingerprint, DtlsParameters, DtlsRole, FingerprintAlgorithm};
use tureen_rtp_wire::Time;
use tureen_transport_webrtc::DtlsCertificate;

pub(crate) struct DtlsPeer {
    dtls: Dtls,
    fingerprint: [u8; 32],
    is_client: bool,
    /// Whether it has given up.
    failed: bool,
    pub(crate) outgoing: VecDeque<Vec<u8>>,
}

/// The transports' certificate: making one takes longer than a handshake.
pub(crate) fn certificate() -> &'static DtlsCertificate {
    static CERTIFICATE: OnceLock<DtlsCertificate> = OnceLock::new();
    CERTIFICATE.get_or_init(|| DtlsCertificate::generate().expect("a certificate"))
}

/// What virtual time counts from.
#[expect(clippy::disallowed_methods, reason = "the instant that virtual time counts from")]
pub(crate) fn origin() -> Instant {
    static ORIGIN: OnceLock<Instant> = OnceLock::new();
    *ORIGIN.get_or_init(Instant::now)
}

impl DtlsPeer {
    pub(crate) fn new(now: Time, is_client: bool, version_13: bool) -> Self {
        static PAIR: OnceLock<dimpl::DtlsCertificate> = OnceLock::new();
        let pair = PAIR
            .get_or_init(|| dimpl::certificate::generate_self_signed_certificate().expect("a certificate"))
            .clone();
        let fingerprint = <sha2::Sha256 as sha2::Digest>::digest(&pair.certificate).into();
        let config =
            Arc::new(Config::builder().mtu(1150).use_server_cookie(false).build().expect("a config"));
        let instant = instant(now);
        let mut dtls = if version_13 {
            Dtls::new_13(config, pair, instant)
        } else {
            Dtls::new_12(config, pair, instant)
        };
        dtls.set_active(is_client);
        let mut peer = Self { dtls, fingerprint, is_client, failed: false, outgoing: VecDeque::new() };
        peer.pass(now);
        peer
    }

    /// What the transport is told of it; `genuine` or not.
    pub(crate) fn parameters(&self, genuine: bool) -> DtlsParameters {
        let role = if self.is_client { DtlsRole::Client } else { DtlsRole::Server };
        let mut hash = self.fingerprint;
        hash[0] ^= u8::from(!genuine);
        DtlsParameters { role, fingerprints: vec![DtlsFingerprint::new(FingerprintAlgorithm::Sha256, &hash)] }
    }

    pub(crate) fn handle(&mut self, now: Time, datagram: &[u8]) {
        if !self.failed {
            let handled =
                self.dtls.handle_timeout(instant(now)).and_then(|()| self.dtls.handle_packet(datagram));
            self.failed = handled.is_err();
            self.drain();
        }
    }

    pub(crate) fn pass(&mut self, now: Time) {
        if !self.failed {
            self.failed = self.dtls.handle_timeout(instant(now)).is_err();
            self.drain();
        }
    }

    fn drain(&mut self) {
        let mut buffer = vec![0; 4096];
        loop {
            match self.dtls.poll_output(&mut buffer) {
                Output::Packet(packet) => self.outgoing.push_back(packet.to_vec()),
                Output::Timeout(_) => return,
                _ => {}
            }
        }
    }
}

fn instant(now: Time) -> Instant {
    origin() + Duration::from_nanos(now.as_nanos())
}
