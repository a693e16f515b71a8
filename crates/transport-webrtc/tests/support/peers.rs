//! DTLS endpoints of two foreign stacks under one trait.

use super::origin;
use bytes::BytesMut;
use dimpl::{Config, Dtls, Output, SrtpProfile};
use rtc_dtls::config::{ClientAuthType, ConfigBuilder, ExtendedMasterSecretType, HandshakeConfig};
use rtc_dtls::crypto::Certificate;
use rtc_dtls::crypto_provider;
use rtc_dtls::endpoint::{Endpoint, EndpointEvent};
use rtc_dtls::extension::extension_use_srtp::SrtpProtectionProfile;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;
use tureen_srtp::Profile;

pub(crate) trait Peer {
    fn handle(&mut self, now: Instant, datagram: &[u8]);
    fn transmit(&mut self) -> Option<Vec<u8>>;
    fn timeout(&self) -> Option<Instant>;
    fn handle_timeout(&mut self, now: Instant);
    /// What was exported, once the handshake is through.
    fn keys(&self) -> Option<(Profile, Vec<u8>)>;
    fn is_client(&self) -> bool;
    fn certificate(&self) -> Vec<u8>;
    fn close(&mut self);
    fn is_closed(&self) -> bool;
}

/// `dimpl`, the stack that the transport has inside too.
pub(crate) struct DimplPeer {
    dtls: Dtls,
    certificate: Vec<u8>,
    outgoing: VecDeque<Vec<u8>>,
    timeout: Option<Instant>,
    keys: Option<(Profile, Vec<u8>)>,
    closed: bool,
    pub(crate) failed: bool,
    pub(crate) data: Vec<Vec<u8>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    Dtls12,
    Dtls13,
    Auto,
}

impl DimplPeer {
    pub(crate) fn new(now: Instant, version: Version, is_client: bool) -> Self {
        Self::with_mtu(now, version, is_client, 1150)
    }

    pub(crate) fn with_mtu(now: Instant, version: Version, is_client: bool, mtu: usize) -> Self {
        let pair = dimpl::certificate::generate_self_signed_certificate().unwrap();
        Self::with_pair(now, version, is_client, mtu, pair)
    }

    pub(crate) fn with_pair(
        now: Instant,
        version: Version,
        is_client: bool,
        mtu: usize,
        pair: dimpl::DtlsCertificate,
    ) -> Self {
        let config = Arc::new(Config::builder().mtu(mtu).use_server_cookie(false).build().unwrap());
        let certificate = pair.certificate.clone();
        let mut dtls = match version {
            Version::Dtls12 => Dtls::new_12(config, pair, now),
            Version::Dtls13 => Dtls::new_13(config, pair, now),
            Version::Auto => Dtls::new_auto(config, pair, now),
        };
        dtls.set_active(is_client);
        let mut peer = Self {
            dtls,
            certificate,
            outgoing: VecDeque::new(),
            timeout: None,
            keys: None,
            closed: false,
            failed: false,
            data: vec![],
        };
        peer.handle_timeout(now);
        peer
    }

    pub(crate) fn send(&mut self, data: &[u8]) {
        self.dtls.send_application_data(data).unwrap();
        self.drain();
    }

    fn drain(&mut self) {
        let mut buffer = vec![0; 1 << 16];
        loop {
            match self.dtls.poll_output(&mut buffer) {
                Output::Packet(packet) => self.outgoing.push_back(packet.to_vec()),
                Output::KeyingMaterial(exported, profile) => {
                    let profile = match profile {
                        SrtpProfile::AES128_CM_SHA1_80 => Profile::AesCm128HmacSha1_80,
                        SrtpProfile::AEAD_AES_128_GCM => Profile::AeadAes128Gcm,
                        SrtpProfile::AEAD_AES_256_GCM => Profile::AeadAes256Gcm,
                        other => panic!("{other:?}"),
                    };
                    self.keys = Some((profile, exported.to_vec()));
                }
                Output::CloseNotify => self.closed = true,
                Output::ApplicationData(data) => self.data.push(data.to_vec()),
                Output::Timeout(due) => {
                    self.timeout = Some(due);
                    return;
                }
                _ => {}
            }
        }
    }
}

impl Peer for DimplPeer {
    fn handle(&mut self, now: Instant, datagram: &[u8]) {
        let handled = self.dtls.handle_timeout(now).and_then(|()| self.dtls.handle_packet(datagram));
        self.failed |= handled.is_err();
        self.drain();
    }

    fn transmit(&mut self) -> Option<Vec<u8>> {
        self.outgoing.pop_front()
    }

    fn timeout(&self) -> Option<Instant> {
        self.timeout.filter(|_| !self.failed)
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.failed |= self.dtls.handle_timeout(now).is_err();
        self.drain();
    }

    fn keys(&self) -> Option<(Profile, Vec<u8>)> {
        self.keys.clone()
    }

    fn is_client(&self) -> bool {
        self.dtls.is_active()
    }

    fn certificate(&self) -> Vec<u8> {
        self.certificate.clone()
    }

    fn close(&mut self) {
        self.dtls.close().unwrap();
        self.drain();
    }

    fn is_closed(&self) -> bool {
        self.closed
    }
}

/// `rtc-dtls`: DTLS 1.2 of another origin, with a choice of SRTP profiles.
pub(crate) struct RtcPeer {
    endpoint: Endpoint,
    certificate: Vec<u8>,
    is_client: bool,
    complete: bool,
    closed: bool,
    now: Instant,
}

impl RtcPeer {
    pub(crate) fn new(now: Instant, is_client: bool, profiles: &[SrtpProtectionProfile]) -> Self {
        let crypto = crypto_provider::default_provider().unwrap();
        let certificate =
            Certificate::generate_self_signed(vec!["peer".to_owned()], crypto.crypto()).unwrap();
        let der = certificate.certificate[0].to_vec();
        let config = ConfigBuilder::default()
            .with_crypto_provider(crypto)
            .with_certificates(vec![certificate])
            .with_srtp_protection_profiles(profiles.to_vec())
            .with_extended_master_secret(ExtendedMasterSecretType::Require)
            .with_client_auth(ClientAuthType::RequireAnyClientCert)
            .with_insecure_skip_verify(true);
        let config: Arc<HandshakeConfig> = Arc::new(config.build(is_client, None).unwrap());
        let server = (!is_client).then(|| Arc::clone(&config));
        let mut endpoint = Endpoint::new(Self::local(), Default::default(), server);
        if is_client {
            endpoint.connect(now, Self::remote(), config, None).unwrap();
        }
        Self { endpoint, certificate: der, is_client, complete: false, closed: false, now }
    }

    fn local() -> SocketAddr {
        SocketAddr::from(([198, 51, 100, 9], 5000))
    }

    fn remote() -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 1], 40_000))
    }
}

impl Peer for RtcPeer {
    fn handle(&mut self, now: Instant, datagram: &[u8]) {
        self.now = now;
        for event in
            self.endpoint.read(now, Self::remote(), None, BytesMut::from(datagram)).unwrap_or_default()
        {
            match event {
                EndpointEvent::HandshakeComplete => self.complete = true,
                EndpointEvent::PeerClosed => self.closed = true,
                _ => {}
            }
        }
    }

    fn transmit(&mut self) -> Option<Vec<u8>> {
        self.endpoint.poll_transmit().map(|transmit| transmit.message.to_vec())
    }

    fn timeout(&self) -> Option<Instant> {
        self.endpoint.poll_timeout(&Self::remote())
    }

    fn handle_timeout(&mut self, now: Instant) {
        let _ = self.endpoint.handle_timeout(Self::remote(), now);
    }

    fn keys(&self) -> Option<(Profile, Vec<u8>)> {
        let state = self.endpoint.get_connection_state(Self::remote()).filter(|_| self.complete)?;
        let profile = match state.srtp_protection_profile() {
            SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80 => Profile::AesCm128HmacSha1_80,
            SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm => Profile::AeadAes128Gcm,
            SrtpProtectionProfile::Srtp_Aead_Aes_256_Gcm => Profile::AeadAes256Gcm,
            _ => return None,
        };
        let len = 2 * profile.keying_material_len();
        let exported = state.export_keying_material("EXTRACTOR-dtls_srtp", &[], len).ok()?;
        Some((profile, exported.as_ref().to_vec()))
    }

    fn is_client(&self) -> bool {
        self.is_client
    }

    fn certificate(&self) -> Vec<u8> {
        self.certificate.clone()
    }

    fn close(&mut self) {
        self.endpoint.close(self.now).unwrap();
    }

    fn is_closed(&self) -> bool {
        self.closed
    }
}

pub(crate) fn dimpl(version: Version, is_client: bool) -> (Instant, DimplPeer) {
    let now = origin();
    (now, DimplPeer::new(now, version, is_client))
}
