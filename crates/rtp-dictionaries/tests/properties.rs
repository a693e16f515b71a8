//! What holds for any router, producer and receiver, and for any JSON.

mod fixture;

use std::collections::BTreeSet;

use fixture::*;
use proptest::prelude::*;
use proptest::sample::{Index, subsequence};
use serde_json::Value;
use tureen_rtp_dictionaries::*;

/// A router with some codecs of the table, Opus among them.
fn any_router() -> impl Strategy<Value = RtpCapabilities> {
    let all = supported_rtp_capabilities().codecs;
    let (opus, rest) = (all[0].clone(), all[1..].to_vec());
    (subsequence(rest, 0..=10), proptest::option::of(96u8..=127)).prop_map(
        move |(mut codecs, payload_type)| {
            // The table states 13 for each comfort noise; stated twice in a list, it would be refused.
            for codec in &mut codecs {
                codec.preferred_payload_type = None;
            }
            codecs.push(RouterRtpCodecCapability { preferred_payload_type: payload_type, ..opus.clone() });
            generate_router_rtp_capabilities(&codecs).unwrap()
        },
    )
}

/// What a client that supports some of the router's codecs and extensions says.
fn any_client(router: &RtpCapabilities) -> impl Strategy<Value = RtpCapabilities> + use<> {
    let (codecs, extensions) = (router.codecs.clone(), router.header_extensions.clone());
    let (most_codecs, most_extensions) = (codecs.len(), extensions.len());
    let codecs = subsequence(codecs, 0..=most_codecs);
    (codecs, subsequence(extensions, 0..=most_extensions), any::<u8>()).prop_map(
        |(mut codecs, exts, bits)| {
            for (i, codec) in codecs.iter_mut().enumerate() {
                codec.rtcp_feedback.truncate(usize::from(bits.rotate_left(i as u32)) % 6);
            }
            RtpCapabilities { codecs, header_extensions: exts }
        },
    )
}

/// A producer of the router's codecs of one kind, under payload types of its own.
fn any_producer(router: &RtpCapabilities) -> impl Strategy<Value = RtpParameters> + use<> {
    let router = router.clone();
    (any::<bool>(), 1u32..5, 0u8..32).prop_map(move |(video, encodings, shift)| {
        let is_picture = |codec: &RtpCodecCapability| {
            codec.kind() == MediaKind::Video && codec.mime_type.codec().is_media()
        };
        let has_video = router.codecs.iter().any(is_picture);
        let kind = if video && has_video { MediaKind::Video } else { MediaKind::Audio };
        let own = |payload_type: u8| (payload_type + shift) % 128;
        let codecs = router.codecs.iter().filter(|codec| codec.kind() == kind).map(|codec| {
            let mut own_codec = RtpCodecParameters::new(
                codec.mime_type.clone(),
                own(codec.preferred_payload_type),
                codec.clock_rate,
            );
            own_codec.channels = codec.channels;
            own_codec.parameters = codec.parameters.clone();
            if let Some(apt) = codec.parameters.get_u64("apt") {
                own_codec.parameters.insert("apt", u64::from(own(apt as u8)));
            }
            if let Some(blocks) = red_blocks(&codec.parameters) {
                let blocks: Vec<u8> = blocks.iter().map(|block| own(*block)).collect();
                own_codec.parameters = red_parameters(&blocks);
            }
            own_codec
        });
        let mut params = RtpParameters { codecs: codecs.collect(), ..Default::default() };
        for ssrc in 0..encodings {
            let scalability_mode = (ssrc % 2 == 0).then(|| "L1T2".to_owned());
            params.encodings.push(RtpEncodingParameters {
                ssrc: Some(ssrc),
                scalability_mode,
                ..Default::default()
            });
        }
        params
    })
}

fn any_call() -> impl Strategy<Value = (RtpCapabilities, RtpParameters, RtpCapabilities)> {
    any_router().prop_flat_map(|router| {
        (any_producer(&router), any_client(&router))
            .prop_map(move |(producer, client)| (router.clone(), producer, client))
    })
}

fn distinct_payload_types(params: &RtpParameters) -> bool {
    let distinct: BTreeSet<u8> = params.codecs.iter().map(|codec| codec.payload_type).collect();
    distinct.len() == params.codecs.len()
}

fn distinct_ssrcs(params: &RtpParameters) -> bool {
    let all: Vec<u32> = params
        .encodings
        .iter()
        .flat_map(|it| [it.ssrc, it.rtx.map(|rtx| rtx.ssrc), it.fec.map(|fec| fec.ssrc)])
        .flatten()
        .collect();
    all.iter().collect::<BTreeSet<_>>().len() == all.len()
}

fn round_trips<T>(value: &T) -> bool
where
    T: serde::Serialize + serde::de::DeserializeOwned + PartialEq,
{
    from_json::<T>(&serde_json::to_string(value).unwrap()).is_ok_and(|back| back == *value)
}

/// Every codec, its feedback and every extension is one that the client stated.
fn assert_allowed(consumer: &RtpParameters, client: &RtpCapabilities) -> Result<(), TestCaseError> {
    for codec in &consumer.codecs {
        let stated: Vec<_> =
            client.codecs.iter().filter(|stated| stated.mime_type == codec.mime_type).collect();
        prop_assert!(stated.iter().any(|stated| stated.clock_rate == codec.clock_rate
            && stated.channels == codec.channels
            && codec.rtcp_feedback.iter().all(|feedback| stated.rtcp_feedback.contains(feedback))));
        if let Some(apt) = codec.apt() {
            prop_assert!(consumer.codecs.iter().any(|media| media.payload_type == apt));
            // The client is a part of the router, so it has the same payload types.
            prop_assert!(
                stated.iter().any(|stated| stated.parameters.get_u64("apt") == Some(u64::from(apt)))
            );
        }
        for block in red_blocks(&codec.parameters).unwrap_or_default() {
            prop_assert!(consumer.codecs.iter().any(|media| media.payload_type == block));
        }
    }
    for ext in &consumer.header_extensions {
        let stated = |stated: &RtpHeaderExtension| stated.uri == ext.uri && stated.preferred_id == ext.id;
        prop_assert!(client.header_extensions.iter().any(stated));
    }
    Ok(())
}

/// Everything that one could do with what strangers sent, in the order in which a server does it.
fn negotiate(codecs: Vec<RouterRtpCodecCapability>, mut params: RtpParameters, mut client: RtpCapabilities) {
    let valid = validate_rtp_parameters(&mut params).is_ok() & validate_rtp_capabilities(&mut client).is_ok();
    let routers =
        [generate_router_rtp_capabilities(&codecs).ok(), Some(router(ROUTER_CODECS)), Some(client.clone())];
    for router in routers.into_iter().flatten() {
        let Ok(mapping) = get_producer_rtp_parameters_mapping(&params, &router, u32::MAX) else { continue };
        for kind in [MediaKind::Audio, MediaKind::Video] {
            let Ok(consumable) = get_consumable_rtp_parameters(kind, &params, &router, &mapping) else {
                continue;
            };
            let pipe = get_pipe_consumer_rtp_parameters(&consumable, true, u32::MAX, 0);
            assert!(!valid || distinct_payload_types(&pipe));
            for (pipe, enable_rtx) in [(false, false), (false, true), (true, false), (true, true)] {
                let offer = ConsumerOffer { pipe, enable_rtx, ..offer(&consumable, &client) };
                let consumer = get_consumer_rtp_parameters(offer);
                assert_eq!(consumer.is_ok(), can_consume(&consumable, &client));
            }
        }
    }
    // Functions of dictionaries that nobody validated must hold as well.
    let _ = (can_consume(&params, &client), ProducerType::of(&params));
    let _ = get_consumer_rtp_parameters(ConsumerOffer { pipe: true, ..offer(&params, &client) });
    let _ = get_pipe_consumer_rtp_parameters(&params, true, 0, u32::MAX);
}

fn any_scalar() -> impl Strategy<Value = Value> {
    let words = [
        "",
        "audio/red",
        "video/rtx",
        "audio/opus",
        "video/H264",
        "video/H265",
        "42e01f",
        "1/2",
        "é",
        "sendonly",
    ];
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (0u8..=130).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        prop::sample::select(words.to_vec()).prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
        Just(Value::Array(vec![])),
        Just(Value::Object(serde_json::Map::new())),
    ]
}

/// Replaces the `n`th value below `value`, counting in depth first order; returns what is left of `n`.
fn replace(value: &mut Value, n: usize, with: &Value) -> Option<usize> {
    if n == 0 {
        *value = with.clone();
        return None;
    }
    let mut left = n - 1;
    let children: Vec<&mut Value> = match value {
        Value::Array(items) => items.iter_mut().collect(),
        Value::Object(members) => members.values_mut().collect(),
        _ => Vec::new(),
    };
    for child in children {
        left = replace(child, left, with)?;
    }
    Some(left)
}

fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(count).sum(),
        Value::Object(members) => members.values().map(count).sum(),
        _ => 0,
    }
}

/// A fixture with some of its values replaced.
fn mutated(fixture: &str) -> impl Strategy<Value = Value> + use<> {
    let fixture: Value = serde_json::from_str(fixture).unwrap();
    prop::collection::vec((any::<Index>(), any_scalar()), 0..4).prop_map(move |changes| {
        let mut value = fixture.clone();
        for (index, with) in changes {
            let n = index.index(count(&value));
            replace(&mut value, n, &with);
        }
        value
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn payload_types_of_a_router_never_collide(router in any_router()) {
        let mut copy = router.clone();
        prop_assert_eq!(validate_rtp_capabilities(&mut copy), Ok(()));
        prop_assert_eq!(&copy, &router);
        prop_assert!(round_trips(&router));
    }

    #[test]
    fn a_consumer_gets_what_its_capabilities_allow(
        (router, producer, client) in any_call(),
        pipe in any::<bool>(), enable_rtx in any::<bool>(), ssrc_base in any::<u32>(), rtx_ssrc_base in any::<u32>(),
    ) {
        let mut copy = producer.clone();
        prop_assert_eq!(validate_rtp_parameters(&mut copy), Ok(()));
        let consumable = consumable(&router, &producer);
        prop_assert!(distinct_payload_types(&consumable) && round_trips(&consumable));
        let offer = ConsumerOffer {
            consumable: &consumable, remote_rtp_capabilities: &client, pipe, enable_rtx, ssrc_base, rtx_ssrc_base,
        };
        prop_assert!(can_consume(&consumable, &router), "the router itself can take everything");
        let Ok(mut consumer) = get_consumer_rtp_parameters(offer) else { return Ok(()) };
        assert_allowed(&consumer, &client)?;
        prop_assert!(consumer.codecs[0].mime_type.codec().is_media());
        prop_assert!(distinct_payload_types(&consumer) && distinct_ssrcs(&consumer) && round_trips(&consumer));
        prop_assert_eq!(consumer.encodings.len(), if pipe { producer.encodings.len() } else { 1 });
        prop_assert_eq!(validate_rtp_parameters(&mut consumer), Ok(()));
    }

    #[test]
    fn a_pipe_needs_no_second_mapping(
        (router, producer, _) in any_call(), rtx in any::<bool>(), base in any::<u32>(), rtx_base in any::<u32>(),
    ) {
        let pipe = get_pipe_consumer_rtp_parameters(&consumable(&router, &producer), rtx, base, rtx_base);
        prop_assert!(distinct_ssrcs(&pipe));
        let mapping = get_producer_rtp_parameters_mapping(&pipe, &router, base).unwrap();
        prop_assert!(mapping.codecs.iter().all(|entry| entry.payload_type == entry.mapped_payload_type));
    }

    #[test]
    fn any_structure_is_taken_or_refused(
        codecs in mutated(ROUTER_CODECS), audio in mutated(AUDIO), video in mutated(SIMULCAST),
        client in mutated(CAPABILITIES),
    ) {
        let codecs: Vec<RouterRtpCodecCapability> = from_json_value(codecs).unwrap_or_default();
        let client: RtpCapabilities = from_json_value(client).unwrap_or_default();
        for params in [audio, video] {
            let Ok(params) = from_json_value::<RtpParameters>(params) else { continue };
            negotiate(codecs.clone(), params, client.clone());
        }
    }

    #[test]
    fn any_text_is_taken_or_refused(
        text in ".{0,64}", cut in any::<Index>(), insert in r#"[\[\]{}",:0-9a-z\\ ]{0,6}"#,
    ) {
        for fixture in [AUDIO, SIMULCAST, CAPABILITIES, ROUTER_CODECS] {
            let cut = cut.index(fixture.len());
            let changed = format!("{}{insert}{}", &fixture[..cut], &fixture[cut..]);
            for text in [&*text, &fixture[..cut], &changed] {
                let params = from_json::<RtpParameters>(text).unwrap_or_default();
                let client = from_json::<RtpCapabilities>(text).unwrap_or_default();
                negotiate(from_json(text).unwrap_or_default(), params, client);
            }
        }
    }

    #[test]
    fn any_parameter_value_is_harmless(
        name in "(profile-level-id|packetization-mode|level-id|tx-mode|apt|)", value in any_scalar(),
    ) {
        let Ok(value) = from_json_value::<ParameterValue>(value) else { return Ok(()) };
        let map = ParameterMap::from_iter([(name, value)]);
        let _ = (h264_answer(&map, &map), h265_answer_level(&map, &map), red_blocks(&map));
        prop_assert_eq!(h264_matches(&map, &map), ProfileLevelId::of(&map).is_ok()
            && map.get("packetization-mode").is_none_or(|mode| mode.as_u64().is_some()));
    }

    #[test]
    fn any_scalability_mode_names_a_layer_at_least(text in "[LS]?[0-9]{0,3}T?[0-9]{0,3}(_KEY)?.{0,3}") {
        let mode = parse_scalability_mode(&text);
        prop_assert!((1..=99).contains(&mode.spatial_layers) && (1..=99).contains(&mode.temporal_layers));
    }
}
