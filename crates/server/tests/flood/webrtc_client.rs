//! A WebRTC endpoint over a socket: connectivity checks, DTLS as the client, SRTP. Must not know what its media means.

use crate::support::{TestServer, eventually};
use aws_lc_rs::hmac;
use dimpl::{Config, Dtls, Output, SrtpProfile};
use serde_json::{Value, json};
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tureen_rtp_wire::rtp::{DatagramKind, RtpLayout, classify};
use tureen_rtp_wire::stun::{
    FINGERPRINT_LEN, FINGERPRINT_XOR, MESSAGE_INTEGRITY_LEN, StunClass, StunWriter, attribute,
};
use tureen_srtp::{DEFAULT_PROVIDER, Profile, SrtpReceiver, SrtpSender};

/// The fingerprint of nobody's certificate.
pub(crate) fn nobody() -> Value {
    let value = ["00"; 32].join(":");
    json!({ "role": "client", "fingerprints": [{ "algorithm": "sha-256", "value": value }] })
}

/// A transport of the server, and a socket whose address ICE can be told.
pub(crate) struct IceClient {
    pub(crate) socket: UdpSocket,
    pub(crate) server: SocketAddr,
    pub(crate) path: String,
    username_fragment: String,
    password: String,
}

impl IceClient {
    /// A new transport of the broadcaster.
    pub(crate) fn new(server: &TestServer, broadcaster: &str) -> Self {
        let transports = format!("{broadcaster}/transports");
        let made = server.post_json(&transports, &json!({ "type": "webrtc" }));
        let candidates = made["iceCandidates"].as_array().unwrap();
        let udp = candidates.iter().find(|candidate| candidate["protocol"] == "udp").expect("UDP");
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let port = u16::try_from(udp["port"].as_u64().unwrap()).unwrap();
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        Self {
            socket,
            server: SocketAddr::new(text(&udp["address"]).parse().unwrap(), port),
            path: format!("{transports}/{}", made["id"].as_str().unwrap()),
            username_fragment: text(&made["iceParameters"]["usernameFragment"]),
            password: text(&made["iceParameters"]["password"]),
        }
    }

    /// A genuine request that nominates.
    pub(crate) fn request(&self) -> Vec<u8> {
        let mut buffer = vec![0; 256];
        let mut writer = StunWriter::new(&mut buffer, StunClass::Request, *b"transaction!").unwrap();
        let username = format!("{}:test", self.username_fragment);
        writer.attribute(attribute::USERNAME, username.as_bytes()).unwrap();
        writer.attribute(attribute::PRIORITY, &[0x6e, 0, 1, 0xff]).unwrap();
        writer.attribute(attribute::ICE_CONTROLLING, &[7; 8]).unwrap();
        writer.attribute(attribute::USE_CANDIDATE, &[]).unwrap();
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, self.password.as_bytes());
        let mac = hmac::sign(&key, writer.covered(MESSAGE_INTEGRITY_LEN).unwrap());
        writer.attribute(attribute::MESSAGE_INTEGRITY, mac.as_ref()).unwrap();
        let crc = crc32fast::hash(writer.covered(FINGERPRINT_LEN).unwrap()) ^ FINGERPRINT_XOR;
        writer.attribute(attribute::FINGERPRINT, &crc.to_be_bytes()).unwrap();
        let len = writer.finish();
        buffer.truncate(len);
        buffer
    }

    pub(crate) fn send(&self, datagram: &[u8]) {
        self.socket.send_to(datagram, self.server).expect("sent");
    }

    /// The next datagram, if one comes soon.
    pub(crate) fn receive(&self) -> Option<Vec<u8>> {
        let mut buffer = [0; 2048];
        let (len, source) = self.socket.recv_from(&mut buffer).ok()?;
        assert_eq!(source, self.server, "only the server knows the socket");
        Some(buffer[..len].to_vec())
    }

    /// Makes the socket's address a valid tuple.
    pub(crate) fn validate(&self) {
        eventually("a valid tuple", || {
            self.send(&self.request());
            self.receive().filter(|answer| classify(answer) == DatagramKind::Stun)
        });
    }
}

/// A client's side of DTLS, as datagrams.
pub(crate) struct DtlsClient {
    dtls: Dtls,
    pub(crate) fingerprint: Value,
    pub(crate) outgoing: Vec<Vec<u8>>,
    keys: Option<(Profile, Vec<u8>)>,
}

impl DtlsClient {
    pub(crate) fn new() -> Self {
        let pair = dimpl::certificate::generate_self_signed_certificate().unwrap();
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &pair.certificate);
        let hex: Vec<String> = digest.as_ref().iter().map(|byte| format!("{byte:02X}")).collect();
        let config = Arc::new(Config::builder().mtu(1150).build().unwrap());
        let mut dtls = Dtls::new_12(config, pair, Instant::now());
        dtls.set_active(true);
        let fingerprint = json!({ "algorithm": "sha-256", "value": hex.join(":") });
        let mut client = Self { dtls, fingerprint, outgoing: Vec::new(), keys: None };
        client.tick();
        client
    }

    pub(crate) fn tick(&mut self) {
        self.dtls.handle_timeout(Instant::now()).unwrap();
        self.drain();
    }

    fn handle(&mut self, datagram: &[u8]) {
        self.dtls.handle_packet(datagram).unwrap();
        self.drain();
    }

    fn drain(&mut self) {
        let mut buffer = vec![0; 1 << 16];
        loop {
            match self.dtls.poll_output(&mut buffer) {
                Output::Packet(packet) => self.outgoing.push(packet.to_vec()),
                Output::KeyingMaterial(exported, profile) => {
                    let profile = match profile {
                        SrtpProfile::AES128_CM_SHA1_80 => Profile::AesCm128HmacSha1_80,
                        SrtpProfile::AEAD_AES_128_GCM => Profile::AeadAes128Gcm,
                        SrtpProfile::AEAD_AES_256_GCM => Profile::AeadAes256Gcm,
                        other => panic!("{other:?}"),
                    };
                    self.keys = Some((profile, exported.to_vec()));
                }
                Output::Timeout(_) => return,
                _ => {}
            }
        }
    }
}

/// One end of a call.
pub(crate) struct WebRtcClient {
    pub(crate) ice: IceClient,
    sender: SrtpSender,
    receiver: SrtpReceiver,
}

impl WebRtcClient {
    /// Makes a transport of the broadcaster and connects to it.
    pub(crate) fn connect(server: &TestServer, broadcaster: &str) -> Self {
        let ice = IceClient::new(server, broadcaster);
        let mut dtls = DtlsClient::new();
        let parameters = json!({ "role": "client", "fingerprints": [dtls.fingerprint] });
        server.post_json(&format!("{}/connect", ice.path), &json!({ "dtlsParameters": parameters }));
        ice.validate();
        let (profile, exported) = eventually("keys", || {
            dtls.tick();
            dtls.outgoing.drain(..).for_each(|datagram| ice.send(&datagram));
            if let Some(datagram) = ice.receive()
                && classify(&datagram) == DatagramKind::Dtls
            {
                dtls.handle(&datagram);
            }
            dtls.keys.clone()
        });
        // The last flight.
        dtls.outgoing.drain(..).for_each(|datagram| ice.send(&datagram));
        let (keys, salts) = exported.split_at(2 * profile.key_len());
        let of = |side: usize| {
            let (key, salt) = (profile.key_len(), profile.salt_len());
            [&keys[side * key..][..key], &salts[side * salt..][..salt]].concat()
        };
        Self {
            ice,
            sender: SrtpSender::new(profile, &of(0), DEFAULT_PROVIDER).unwrap(),
            receiver: SrtpReceiver::new(profile, &of(1), DEFAULT_PROVIDER).unwrap(),
        }
    }

    /// Protects and sends a packet without CSRCs and extensions.
    pub(crate) fn send_rtp(&mut self, packet: &[u8]) {
        let mut buffer = [0; 1500];
        buffer[..packet.len()].copy_from_slice(packet);
        let len = self.sender.protect_rtp(&mut buffer, 12, packet.len()).unwrap();
        self.ice.send(&buffer[..len]);
    }

    /// The next packet of media that authenticates, if one comes soon; other datagrams are passed over.
    pub(crate) fn receive_rtp(&mut self) -> Option<Vec<u8>> {
        let mut datagram = self.ice.receive()?;
        if classify(&datagram) != DatagramKind::Rtp {
            return None;
        }
        let header_len = RtpLayout::header_len_of(&datagram).ok()?;
        let len = self.receiver.unprotect_rtp(&mut datagram, header_len).ok()?;
        datagram.truncate(len);
        Some(datagram)
    }
}
