//! Answers the offer on standard input: takes all that it sends, and sends one stream to each section that receives,
//! as if there were a producer of the router's first codec that the section has.
//!
//! `cargo run -p tureen-sdp-bridge --example answer < offer.sdp`

use std::error::Error;
use std::io::Read as _;

use tureen_rtp_dictionaries::*;
use tureen_sdp_bridge::{Answer, LocalTransport, Offer, OfferedMedia, SectionKind};

fn main() -> Result<(), Box<dyn Error>> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text)?;
    let offer = Offer::parse(&text)?;
    let router = router()?;
    let media = negotiate(&offer, &router);

    let (ice, candidates, dtls) = transport();
    let mut answer = Answer::new(&offer, LocalTransport { ice: &ice, candidates: &candidates, dtls: &dtls })?;
    for (section, (producer, consumer)) in offer.media.iter().zip(&media) {
        let Some(mid) = &section.mid else { continue };
        if let Some(producer) = producer {
            answer.receive(mid, producer)?;
        }
        if let Some(consumer) = consumer {
            answer.send(mid, consumer)?;
        }
        if section.kind == SectionKind::Data && !section.rejected {
            answer.data(mid, 5000, 262_144)?;
        }
    }
    std::io::Write::write_all(&mut std::io::stdout(), answer.to_sdp()?.as_bytes())?;
    Ok(())
}

/// What is received from and sent to each section.
fn negotiate(offer: &Offer, router: &RtpCapabilities) -> Vec<(Option<RtpParameters>, Option<RtpParameters>)> {
    let sections = offer.media.iter().zip(0_u32..);
    let both = |(section, index): (&OfferedMedia, u32)| {
        let producer = section.producer_rtp_parameters(router, None).ok();
        (producer, consumer(section, router, 1_000_000 * (index + 1)))
    };
    sections.map(both).collect()
}

/// The router of a room.
fn router() -> Result<RtpCapabilities, Box<dyn Error>> {
    let codecs = r#"[
        {"mimeType": "audio/opus", "clockRate": 48000, "channels": 2},
        {"mimeType": "audio/red", "clockRate": 48000, "channels": 2},
        {"mimeType": "video/VP8", "clockRate": 90000},
        {"mimeType": "video/VP9", "clockRate": 90000},
        {"mimeType": "video/AV1", "clockRate": 90000},
        {"mimeType": "video/H264", "clockRate": 90000,
         "parameters": {"packetization-mode": 1, "profile-level-id": "42e01f", "level-asymmetry-allowed": 1}}
    ]"#;
    let codecs: Vec<RouterRtpCodecCapability> = from_json(codecs)?;
    Ok(generate_router_rtp_capabilities(&codecs)?)
}

/// A consumer of a producer of somebody else, who sends with the numbers of the router.
fn consumer(section: &OfferedMedia, router: &RtpCapabilities, ssrc_base: u32) -> Option<RtpParameters> {
    let capabilities = section.rtp_capabilities();
    let kind = section.media_kind()?;
    let codecs = router.codecs.iter().filter(|codec| codec.kind() == kind);
    codecs.filter(|codec| codec.mime_type.codec().is_media()).find_map(|codec| {
        let mut sent =
            RtpCodecParameters::new(codec.mime_type.clone(), codec.preferred_payload_type, codec.clock_rate);
        (sent.channels, sent.parameters) = (codec.channels, codec.parameters.clone());
        let encodings = vec![RtpEncodingParameters { ssrc: Some(1), ..RtpEncodingParameters::default() }];
        let producer = RtpParameters { codecs: vec![sent], encodings, ..RtpParameters::default() };
        let mapping = get_producer_rtp_parameters_mapping(&producer, router, 1).ok()?;
        let consumable = get_consumable_rtp_parameters(kind, &producer, router, &mapping).ok()?;
        let consumer = get_receiver_consumer_rtp_parameters(ConsumerOffer {
            consumable: &consumable,
            remote_rtp_capabilities: &capabilities,
            pipe: false,
            enable_rtx: kind == MediaKind::Video,
            ssrc_base,
            rtx_ssrc_base: ssrc_base + 1,
        });
        let mut parameters = consumer.ok()?.parameters;
        parameters.mid.clone_from(&section.mid);
        parameters.rtcp.cname = Some("0badcafe".to_owned());
        Some(parameters)
    })
}

/// A lite agent with fixed credentials, so that the same offer has the same answer.
fn transport() -> (IceParameters, Vec<IceCandidate>, DtlsParameters) {
    let ice = IceParameters {
        username_fragment: "tureen00".to_owned(),
        password: "not-secret-in-an-example".replace('-', "+"),
        ice_lite: true,
    };
    let candidate = IceCandidate {
        foundation: "udp".to_owned(),
        priority: 2_130_706_431,
        address: "192.0.2.200".to_owned(),
        ip: "192.0.2.200".to_owned(),
        protocol: TransportProtocol::Udp,
        port: 44_444,
        candidate_type: IceCandidateType::Host,
        tcp_type: None,
    };
    let tcp = IceCandidate {
        foundation: "tcp".to_owned(),
        priority: 2_130_706_175,
        protocol: TransportProtocol::Tcp,
        tcp_type: Some(IceCandidateTcpType::Passive),
        ..candidate.clone()
    };
    let fingerprint = DtlsFingerprint::new(FingerprintAlgorithm::Sha256, &[0xab; 32]);
    (ice, vec![candidate, tcp], DtlsParameters { role: DtlsRole::Auto, fingerprints: vec![fingerprint] })
}
