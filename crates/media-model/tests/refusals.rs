//! Parameters that would make packets nobody can send or tell apart are refused when an object is made.

mod support;

use support::{Bench, vp8_parameters};
use tureen_media_model::{
    Consume, ConsumeError, ConsumerOptions, Produce, ProduceError, ProducerId, ProducerInfo, ProducerOptions,
};
use tureen_rtp_dictionaries::{MediaKind, RtpParameters};

fn produce(kind: MediaKind, rtp_parameters: RtpParameters) -> Result<ProducerInfo, ProduceError> {
    let mut bench = Bench::new();
    let transport = bench.transport(1);
    let id = ProducerId(bench.id());
    let options = ProducerOptions {
        id,
        kind,
        rtp_parameters,
        paused: false,
        key_frame_request_delay: Default::default(),
        key_frame_cache: None,
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
