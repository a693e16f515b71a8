//! Parameters that would make packets nobody can send or tell apart are refused when an object is made.

mod support;

use std::time::Duration;
use support::{Bench, vp8_parameters};
use tureen_media_model::{
    Consume, ConsumeError, ConsumerOptions, ContentHint, KeyFrameCache, Produce, ProduceError, ProducerId,
    ProducerInfo, ProducerOptions,
};
use tureen_rtp_dictionaries::{MediaKind, RtpParameters};

fn produce(kind: MediaKind, rtp_parameters: RtpParameters) -> Result<ProducerInfo, ProduceError> {
    produce_with(kind, rtp_parameters, None, None)
}

fn produce_keeping(
    kind: MediaKind,
    rtp_parameters: RtpParameters,
    key_frame_cache: Option<KeyFrameCache>,
) -> Result<ProducerInfo, ProduceError> {
    produce_with(kind, rtp_parameters, key_frame_cache, None)
}

fn produce_with(
    kind: MediaKind,
    rtp_parameters: RtpParameters,
    key_frame_cache: Option<KeyFrameCache>,
    content_hint: Option<ContentHint>,
) -> Result<ProducerInfo, ProduceError> {
    let mut bench = Bench::new();
    let transport = bench.transport(1);
    let id = ProducerId(bench.id());
    let options = ProducerOptions {
        id,
        kind,
        rtp_parameters,
        paused: false,
        key_frame_request_delay: Default::default(),
        key_frame_cache,
        content_hint,
    };
    bench.ask(Produce { transport, options })
}

#[test]
fn a_mid_fits_into_its_header_extension() {
    let with_mid = |mid: &str| RtpParameters { mid: Some(mid.to_owned()), ..vp8_parameters(1000) };
    assert!(produce(MediaKind::Video, with_mid("1234567890123456")).is_ok());
    assert_eq!(produce(MediaKind::Video, with_mid("12345678901234567")).err(), Some(ProduceError::Mid));
    assert!(ProduceError::Mid.to_string().contains("rtpParameters.mid"));

    let mut bench = Bench::new();
    let (source, target) = (bench.transport(1), bench.transport(2));
    let producer = bench.produce(source, MediaKind::Video, vp8_parameters(1000));
    for mid in ["", "12345678901234567"] {
        let options = ConsumerOptions { mid: Some(mid.to_owned()), ..bench.consumer_options(producer.id) };
        assert_eq!(bench.ask(Consume { transport: target, options }).err(), Some(ConsumeError::Mid));
    }
}

#[test]
fn only_codecs_that_can_are_simulcast() {
    let mut video = vp8_parameters(1000);
    video.encodings.extend(vp8_parameters(2000).encodings);
    assert!(produce(MediaKind::Video, video).is_ok());
    let audio: RtpParameters = serde_json::from_value(serde_json::json!({
        "codecs": [{"mimeType": "audio/opus", "clockRate": 48000, "channels": 2, "payloadType": 111}],
        "encodings": [{"ssrc": 1000}, {"ssrc": 2000}]
    }))
    .unwrap();
    let refused = produce(MediaKind::Audio, audio.clone()).err();
    assert_eq!(refused, Some(ProduceError::SimulcastCodec("audio/opus".to_owned())));
    let alone = RtpParameters { encodings: audio.encodings[..1].to_vec(), ..audio };
    assert!(produce(MediaKind::Audio, alone).is_ok());
}

#[test]
fn a_key_frame_cache_has_its_limits_and_needs_key_frames_that_can_be_told() {
    let video = |max_bytes, millis| {
        let cache = KeyFrameCache { max_bytes, max_age: Duration::from_millis(millis) };
        produce_keeping(MediaKind::Video, vp8_parameters(1000), Some(cache)).err()
    };
    for (max_bytes, millis) in [(1024, 1), (1_048_576, 10_000)] {
        assert_eq!(video(max_bytes, millis), None);
    }
    for max_bytes in [0, 1023, 1_048_577] {
        assert_eq!(video(max_bytes, 2000), Some(ProduceError::KeyFrameCacheMaxBytes));
    }
    for millis in [0, 10_001] {
        assert_eq!(video(500_000, millis), Some(ProduceError::KeyFrameCacheMaxAge));
    }
    assert!(
        ProduceError::KeyFrameCacheMaxBytes
            .to_string()
            .contains("keyFrameCache.maxBytes must be 1024 to 1048576")
    );
    assert!(
        ProduceError::KeyFrameCacheMaxAge.to_string().contains("keyFrameCache.maxAge must be 1 to 10000 ms")
    );
    let audio: RtpParameters = serde_json::from_value(serde_json::json!({
        "codecs": [{"mimeType": "audio/opus", "clockRate": 48000, "channels": 2, "payloadType": 100}],
        "encodings": [{"ssrc": 5}]
    }))
    .unwrap();
    assert!(produce(MediaKind::Audio, audio.clone()).is_ok());
    let refused = produce_keeping(MediaKind::Audio, audio, Some(KeyFrameCache::default())).err();
    assert_eq!(refused, Some(ProduceError::KeyFrameCacheUnsuited));
}

#[test]
fn a_key_frame_cache_reads_and_writes_as_json() {
    let cache: KeyFrameCache = serde_json::from_str(r#"{"maxAge": 1500}"#).unwrap();
    assert_eq!(cache, KeyFrameCache { max_bytes: 524_288, max_age: Duration::from_millis(1500) });
    assert_eq!(serde_json::to_string(&cache).unwrap(), r#"{"maxBytes":524288,"maxAge":1500}"#);
    assert!(serde_json::from_str::<KeyFrameCache>(r#"{"maxage": 1}"#).is_err());
}

#[test]
fn a_content_hint_is_for_video() {
    let hint = |name: &str| serde_json::from_value::<ContentHint>(name.into());
    let hints = ["motion", "detail", "text"].map(|name| hint(name).unwrap());
    assert_eq!(hints, [ContentHint::Motion, ContentHint::Detail, ContentHint::Text]);
    assert!(hint("speech").is_err());
    let audio: RtpParameters = serde_json::from_value(serde_json::json!({
        "codecs": [{"mimeType": "audio/opus", "clockRate": 48000, "channels": 2, "payloadType": 111}],
        "encodings": [{"ssrc": 1000}]
    }))
    .unwrap();
    for hint in hints {
        assert!(produce_with(MediaKind::Video, vp8_parameters(1000), None, Some(hint)).is_ok());
        let refused = produce_with(MediaKind::Audio, audio.clone(), None, Some(hint)).err();
        assert_eq!(refused, Some(ProduceError::ContentHintOfAudio));
    }
}
