//! From JSON to what a consumer gets: whatever is accepted leads to consistent parameters.
//!
//! The input is one JSON object with `mediaCodecs`, `kind`, `rtpParameters` and `rtpCapabilities`. Planted: a consumer's second
//! codec gets the payload type of the first.

use crate::Fault;
use serde_json::Value;
use std::collections::BTreeSet;
use tureen_rtp_dictionaries::{
    ConsumerOffer, MediaKind, RouterRtpCodecCapability, RtpCapabilities, RtpParameters, can_consume,
    from_json_value, generate_router_rtp_capabilities, get_consumable_rtp_parameters,
    get_consumer_rtp_parameters, get_pipe_consumer_rtp_parameters, get_producer_rtp_parameters_mapping,
    validate_rtp_capabilities, validate_rtp_parameters,
};

pub(crate) fn run(data: &[u8], fault: Fault) {
    let Ok(mut input) = serde_json::from_slice::<Value>(data) else { return };
    let mut part = |name: &str| input.get_mut(name).map(Value::take).unwrap_or(Value::Null);
    let capabilities = read_capabilities(part("rtpCapabilities"));
    let parameters = read_parameters(part("rtpParameters"));
    let Ok(codecs) = from_json_value::<Vec<RouterRtpCodecCapability>>(part("mediaCodecs")) else { return };
    let kind = from_json_value::<MediaKind>(part("kind")).unwrap_or(MediaKind::Video);
    let Ok(mut router) = generate_router_rtp_capabilities(&codecs) else { return };
    validate_rtp_capabilities(&mut router).expect("a router's capabilities are valid");
    unique(router.codecs.iter().map(|codec| codec.preferred_payload_type), "payload types of the router");
    let Some(parameters) = parameters else { return };
    let Ok(mapping) = get_producer_rtp_parameters_mapping(&parameters, &router, 1000) else { return };
    // Without encodings there is one, of no SSRC.
    assert_eq!(mapping.encodings.len(), parameters.encodings.len().max(1));
    for codec in &mapping.codecs {
        assert!(parameters.codecs.iter().any(|own| own.payload_type == codec.payload_type));
        assert!(router.codecs.iter().any(|own| own.preferred_payload_type == codec.mapped_payload_type));
    }
    let Ok(consumable) = get_consumable_rtp_parameters(kind, &parameters, &router, &mapping) else { return };
    check(&consumable, "consumable");
    for capabilities in [Some(&router), capabilities.as_ref()].into_iter().flatten() {
        for (pipe, enable_rtx) in [(false, true), (false, false), (true, true)] {
            consume(&consumable, capabilities, pipe, enable_rtx, fault);
        }
    }
    check(&get_pipe_consumer_rtp_parameters(&consumable, true, 1000, 2000), "pipe");
}

fn read_capabilities(json: Value) -> Option<RtpCapabilities> {
    let mut capabilities = from_json_value::<RtpCapabilities>(json).ok()?;
    validate_rtp_capabilities(&mut capabilities).ok()?;
    let mut again = capabilities.clone();
    assert_eq!(validate_rtp_capabilities(&mut again), Ok(()));
    assert_eq!(again, capabilities, "validation settles at once");
    Some(capabilities)
}

fn read_parameters(json: Value) -> Option<RtpParameters> {
    let mut parameters = from_json_value::<RtpParameters>(json).ok()?;
    validate_rtp_parameters(&mut parameters).ok()?;
    let mut again = parameters.clone();
    assert_eq!(validate_rtp_parameters(&mut again), Ok(()));
    assert_eq!(again, parameters, "validation settles at once");
    let written = serde_json::to_value(&parameters).expect("parameters can be written");
    assert_eq!(from_json_value::<RtpParameters>(written), Ok(parameters.clone()), "and read back");
    Some(parameters)
}

fn consume(
    consumable: &RtpParameters,
    capabilities: &RtpCapabilities,
    pipe: bool,
    enable_rtx: bool,
    fault: Fault,
) {
    let offer = ConsumerOffer {
        consumable,
        remote_rtp_capabilities: capabilities,
        pipe,
        enable_rtx,
        ssrc_base: 100_000_000,
        rtx_ssrc_base: 200_000_000,
    };
    let result = get_consumer_rtp_parameters(offer);
    assert_eq!(result.is_ok(), can_consume(consumable, capabilities));
    let Ok(mut parameters) = result else { return };
    if fault == Fault::Planted && parameters.codecs.len() > 1 {
        parameters.codecs[1].payload_type = parameters.codecs[0].payload_type;
    }
    check(&parameters, "consumer");
    for codec in &parameters.codecs {
        let offered = consumable.codecs.iter().any(|own| own.mime_type == codec.mime_type);
        assert!(offered, "a codec that nobody offered");
        assert!(enable_rtx || !codec.is_rtx());
    }
    for extension in &parameters.header_extensions {
        let offered = consumable.header_extensions.iter().any(|own| own.uri == extension.uri);
        assert!(offered, "an extension that nobody offered");
    }
}

/// What holds for all parameters that negotiation makes.
fn check(parameters: &RtpParameters, what: &str) {
    validate_rtp_parameters(&mut parameters.clone()).expect(what);
    unique(parameters.codecs.iter().map(|codec| codec.payload_type), what);
    unique(parameters.header_extensions.iter().map(|extension| extension.id), what);
    let ssrcs = parameters.encodings.iter().flat_map(|encoding| {
        [encoding.ssrc, encoding.rtx.as_ref().map(|rtx| rtx.ssrc)].into_iter().flatten()
    });
    unique(ssrcs, what);
    for codec in parameters.codecs.iter().filter(|codec| codec.is_rtx()) {
        let apt = codec.apt().expect("an RTX codec names its media");
        assert!(parameters.codecs.iter().any(|other| other.payload_type == apt), "{what}: RTX of nothing");
    }
}

fn unique<T: Ord + std::fmt::Debug>(values: impl Iterator<Item = T>, what: &str) {
    let mut seen = BTreeSet::new();
    for value in values {
        let text = format!("{value:?}");
        assert!(seen.insert(value), "{what}: {text} twice");
    }
}
