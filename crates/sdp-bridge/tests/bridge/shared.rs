//! Recorded offers, a router, and this side of the transport.

use std::path::PathBuf;

use tureen_rtp_dictionaries::*;
use tureen_sdp_bridge::{LocalTransport, Offer, OfferedMedia};

/// The text of a recorded offer.
pub(crate) fn text(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(format!("{name}.sdp"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

pub(crate) fn offer(name: &str) -> Offer {
    Offer::parse(&text(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The names of all recorded offers.
pub(crate) fn names() -> Vec<String> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name());
    let mut names: Vec<String> =
        files.map(|name| name.to_str().unwrap().trim_end_matches(".sdp").to_owned()).collect();
    names.sort();
    assert!(names.len() >= 29);
    names
}

/// The capabilities of a router with these codecs.
pub(crate) fn router(codecs: &str) -> RtpCapabilities {
    let codecs: Vec<RouterRtpCodecCapability> = from_json(codecs).unwrap();
    generate_router_rtp_capabilities(&codecs).unwrap()
}

pub(crate) fn full_router() -> RtpCapabilities {
    router(
        r#"[{"mimeType": "audio/opus", "clockRate": 48000, "channels": 2},
            {"mimeType": "audio/red", "clockRate": 48000, "channels": 2},
            {"mimeType": "video/VP8", "clockRate": 90000},
            {"mimeType": "video/VP9", "clockRate": 90000},
            {"mimeType": "video/AV1", "clockRate": 90000},
            {"mimeType": "video/H264", "clockRate": 90000,
             "parameters": {"packetization-mode": 1, "profile-level-id": "42e01f"}}]"#,
    )
}

/// The parameters of a consumer for a section, from a producer that sends what it pleases.
pub(crate) fn consumer(
    section: &OfferedMedia,
    router: &RtpCapabilities,
    producer: &RtpParameters,
) -> RtpParameters {
    let kind = section.media_kind().unwrap();
    let mapping = get_producer_rtp_parameters_mapping(producer, router, 1).unwrap();
    let consumable = get_consumable_rtp_parameters(kind, producer, router, &mapping).unwrap();
    let mut capabilities = section.rtp_capabilities();
    validate_rtp_capabilities(&mut capabilities).unwrap();
    let consumer = get_receiver_consumer_rtp_parameters(ConsumerOffer {
        consumable: &consumable,
        remote_rtp_capabilities: &capabilities,
        pipe: false,
        enable_rtx: kind == MediaKind::Video,
        ssrc_base: 1000,
        rtx_ssrc_base: 2000,
    });
    let mut parameters = consumer.unwrap().parameters;
    parameters.mid.clone_from(&section.mid);
    parameters.rtcp.cname = Some("cname".to_owned());
    parameters
}

pub(crate) struct Local {
    pub(crate) ice: IceParameters,
    pub(crate) candidates: Vec<IceCandidate>,
    pub(crate) dtls: DtlsParameters,
}

impl Local {
    pub(crate) fn new(role: DtlsRole) -> Self {
        let ice = IceParameters {
            username_fragment: "tureen00".into(),
            password: "0123456789012345678901".into(),
            ice_lite: true,
        };
        let candidate = IceCandidate {
            foundation: "udp".into(),
            priority: 2_130_706_431,
            address: "192.0.2.200".into(),
            ip: "192.0.2.200".into(),
            protocol: TransportProtocol::Udp,
            port: 44_444,
            candidate_type: IceCandidateType::Host,
            tcp_type: None,
        };
        let fingerprints = vec![
            DtlsFingerprint::new(FingerprintAlgorithm::Sha1, &[0xab; 20]),
            DtlsFingerprint::new(FingerprintAlgorithm::Sha256, &[0xab; 32]),
        ];
        Self { ice, candidates: vec![candidate], dtls: DtlsParameters { role, fingerprints } }
    }

    pub(crate) fn transport(&self) -> LocalTransport<'_> {
        LocalTransport { ice: &self.ice, candidates: &self.candidates, dtls: &self.dtls }
    }
}
