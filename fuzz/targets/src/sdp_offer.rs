//! Offers, fragments and candidates of strangers: what is read is valid for a router, and the answer fits the offer.
//!
//! The input is text. Planted: an answer leaves out the sections that it rejects (RFC 3264 section 6 wants as many).

use crate::Fault;
use tureen_rtp_dictionaries::{
    DtlsFingerprint, DtlsParameters, DtlsRole, FingerprintAlgorithm, IceCandidate, IceParameters,
    RouterRtpCodecCapability, RtpCapabilities, from_json, generate_router_rtp_capabilities,
    get_producer_rtp_parameters_mapping, validate_rtp_capabilities, validate_rtp_parameters,
};
use tureen_sdp_bridge::{
    Answer, AnswerError, LocalTransport, Offer, TrickleFragment, candidate_value, parse_candidate,
};

/// The codecs of the router.
const CODECS: &str = r#"[
    {"mimeType": "audio/opus", "clockRate": 48000, "channels": 2},
    {"mimeType": "audio/PCMU", "clockRate": 8000},
    {"mimeType": "video/VP8", "clockRate": 90000},
    {"mimeType": "video/VP9", "clockRate": 90000},
    {"mimeType": "video/AV1", "clockRate": 90000},
    {"mimeType": "video/H264", "clockRate": 90000,
     "parameters": {"packetization-mode": 1, "profile-level-id": "42e01f"}}]"#;

pub(crate) fn run(data: &[u8], fault: Fault) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    fragment(text);
    text.lines().take(50).for_each(candidate);
    let Ok(offer) = Offer::parse(text) else { return };
    let mut merged = offer.rtp_capabilities();
    validate_rtp_capabilities(&mut merged).expect("merged capabilities are valid");
    let router = router();
    let producers: Vec<_> =
        offer.media.iter().map(|media| media.producer_rtp_parameters(&router, None).ok()).collect();
    let local = Local::new();
    let mut answer = Answer::new(&offer, local.transport()).expect("a free role fits");
    for (media, producer) in offer.media.iter().zip(&producers) {
        let (Some(mid), Some(producer)) = (&media.mid, producer) else { continue };
        validate_rtp_parameters(&mut producer.clone()).expect("parameters of a producer are valid");
        get_producer_rtp_parameters_mapping(producer, &router, 1).expect("the router has what was chosen");
        answer.receive(mid, producer).expect("what was offered can be received");
    }
    let Some(mut text) = written(&answer) else { return };
    if fault == Fault::Planted {
        text = text.split("m=").filter(|section| !section.contains(" 0 ")).collect::<Vec<_>>().join("m=");
    }
    check(&offer, &text);
}

/// The text of an answer, unless the offerer's own words would break out of their lines.
pub(crate) fn written(answer: &Answer<'_>) -> Option<String> {
    match answer.to_sdp() {
        Ok(text) => Some(text),
        Err(AnswerError::ControlCharacter(_)) => None,
        Err(error) => panic!("an answer that was checked cannot be written: {error}"),
    }
}

/// What holds for every answer: a section for each of the offer's, going the other way, with nothing that was not offered.
pub(crate) fn check(offer: &Offer, text: &str) {
    for line in text.split("\r\n") {
        assert!(!line.chars().any(char::is_control), "{line:?} is more than a line");
    }
    let sections = text.split("\r\n").filter(|line| line.starts_with("m=")).count();
    assert_eq!(sections, offer.media.len(), "sections of {text}");
    let Ok(answer) = Offer::parse(text) else {
        assert!(!text.contains("\r\na=setup:"), "an answer that takes something cannot be read: {text}");
        return;
    };
    for (offered, answered) in offer.media.iter().zip(&answer.media) {
        assert_eq!(offered.mid, answered.mid);
        assert!(answered.rejected || !offered.rejected, "what is rejected stays so");
        if answered.rejected {
            continue;
        }
        assert!(offered.sends() || !answered.receives(), "received what nobody sends: {text}");
        assert!(offered.receives() || !answered.sends(), "sent what nobody receives: {text}");
        for codec in &answered.codecs {
            let same = |own: &&tureen_rtp_dictionaries::RtpCodecParameters| {
                own.payload_type == codec.payload_type && own.mime_type == codec.mime_type
            };
            assert!(offered.codecs.iter().any(|own| same(&own)), "a codec that nobody offered: {text}");
        }
    }
}

pub(crate) fn router() -> RtpCapabilities {
    let codecs: Vec<RouterRtpCodecCapability> = from_json(CODECS).expect("codecs");
    generate_router_rtp_capabilities(&codecs).expect("a router's codecs")
}

/// This side of the transport.
pub(crate) struct Local {
    ice: IceParameters,
    candidates: Vec<IceCandidate>,
    dtls: DtlsParameters,
}

impl Local {
    pub(crate) fn new() -> Self {
        let ice = IceParameters {
            username_fragment: "tureen00".into(),
            password: "0123456789012345678901".into(),
            ice_lite: true,
        };
        let fingerprint = DtlsFingerprint::new(FingerprintAlgorithm::Sha256, &[7; 32]);
        let candidates = parse_candidate("udp 1 udp 9 192.0.2.1 4000 typ host").into_iter().collect();
        Self {
            ice,
            candidates,
            dtls: DtlsParameters { role: DtlsRole::Auto, fingerprints: vec![fingerprint] },
        }
    }

    pub(crate) fn transport(&self) -> LocalTransport<'_> {
        LocalTransport { ice: &self.ice, candidates: &self.candidates, dtls: &self.dtls }
    }

    /// A fragment, and what answers it where it restarts ICE.
    pub(crate) fn restart(&self, fragment: &TrickleFragment) {
        let text = match fragment.answer_restart(&self.ice, &self.candidates) {
            Ok(text) => text,
            Err(AnswerError::ControlCharacter(_)) => return,
            Err(error) => panic!("a fragment cannot be answered: {error}"),
        };
        let read = TrickleFragment::parse(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        assert_eq!(read.ice.as_ref(), Some(&self.ice), "{text}");
        assert_eq!(read.candidates, self.candidates);
        assert!(read.end_of_candidates);
    }
}

fn fragment(text: &str) {
    let Ok(fragment) = TrickleFragment::parse(text) else { return };
    if let Some(ice) = &fragment.ice {
        assert!(!fragment.restarts_ice(ice), "the same credentials are no restart");
    }
    Local::new().restart(&fragment);
}

fn candidate(line: &str) {
    let line = line.strip_prefix("a=candidate:").unwrap_or(line);
    let Some(candidate) = parse_candidate(line) else { return };
    assert_eq!(parse_candidate(&candidate_value(&candidate)), Some(candidate), "{line}");
}
