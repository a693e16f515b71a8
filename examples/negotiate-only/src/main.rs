//! Prints what a client would get from a router, given the router's codecs and the client's capabilities as JSON.

use std::io::{self, Read, Write};
use std::process::ExitCode;

use serde::{Deserialize, Serialize};
use tureen_rtp_dictionaries::{
    Codec, ConsumerOffer, RouterRtpCodecCapability, RtpCapabilities, RtpCodecCapability, RtpCodecParameters,
    RtpEncodingParameters, RtpParameters, from_json, generate_router_rtp_capabilities,
    get_consumable_rtp_parameters, get_consumer_rtp_parameters, get_producer_rtp_parameters_mapping,
    validate_rtp_capabilities, validate_rtp_parameters,
};

const USAGE: &str = "usage: negotiate-only [FILE]\n\
    Reads FILE or standard input: a JSON object with mediaCodecs, rtpCapabilities and perhaps rtpParameters.";

/// Real programs take these from a random number generator.
const SSRC_BASES: [u32; 3] = [111_111_111, 222_222_222, 333_333_333];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Call {
    media_codecs: Vec<RouterRtpCodecCapability>,
    rtp_capabilities: RtpCapabilities,
    rtp_parameters: Option<RtpParameters>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    router_rtp_capabilities: RtpCapabilities,
    consumers: Vec<Consumer>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Consumer {
    producer_codec: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    rtp_parameters: Option<RtpParameters>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

fn main() -> ExitCode {
    let report = read_input().and_then(|text| negotiate(&text));
    match report.and_then(|report| print(&report)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(message) => {
            eprintln!("negotiate-only: {message}");
            ExitCode::from(2)
        }
    }
}

fn read_input() -> Result<String, String> {
    let mut arguments = std::env::args().skip(1);
    let file = arguments.next();
    if arguments.next().is_some() || file.as_deref().is_some_and(|file| file.starts_with("--")) {
        return Err(USAGE.into());
    }
    match file {
        Some(file) if file != "-" => {
            std::fs::read_to_string(&file).map_err(|error| format!("cannot read {file}: {error}"))
        }
        _ => {
            let mut text = String::new();
            io::stdin()
                .read_to_string(&mut text)
                .map_err(|error| format!("cannot read standard input: {error}"))?;
            Ok(text)
        }
    }
}

fn negotiate(text: &str) -> Result<Report, String> {
    let mut call: Call = from_json(text).map_err(|error| format!("{error}\n{USAGE}"))?;
    let router = generate_router_rtp_capabilities(&call.media_codecs).map_err(|error| error.to_string())?;
    let capabilities = &mut call.rtp_capabilities;
    validate_rtp_capabilities(capabilities).map_err(|error| format!("rtpCapabilities.{error}"))?;
    let producers = match call.rtp_parameters {
        Some(mut params) => {
            validate_rtp_parameters(&mut params).map_err(|error| format!("rtpParameters.{error}"))?;
            vec![params]
        }
        None => imaginary_producers(&router),
    };
    let mut consumers = Vec::with_capacity(producers.len());
    for params in &producers {
        consumers.push(consume(params, &router, capabilities)?);
    }
    Ok(Report { router_rtp_capabilities: router, consumers })
}

/// One producer for each codec that can stand alone.
fn imaginary_producers(router: &RtpCapabilities) -> Vec<RtpParameters> {
    let media = router.codecs.iter().filter(|codec| codec.mime_type.codec().is_media());
    let producer = |(ssrc, codec)| RtpParameters {
        codecs: vec![as_parameters(codec)],
        encodings: vec![RtpEncodingParameters { ssrc: Some(ssrc), ..Default::default() }],
        ..Default::default()
    };
    (1..).zip(media).map(producer).collect()
}

fn as_parameters(codec: &RtpCodecCapability) -> RtpCodecParameters {
    RtpCodecParameters {
        mime_type: codec.mime_type.clone(),
        payload_type: codec.preferred_payload_type,
        clock_rate: codec.clock_rate,
        channels: codec.channels,
        parameters: codec.parameters.clone(),
        rtcp_feedback: codec.rtcp_feedback.clone(),
    }
}

/// An error of the producer is the caller's; one of the consumer is what the report is for.
fn consume(
    params: &RtpParameters,
    router: &RtpCapabilities,
    capabilities: &RtpCapabilities,
) -> Result<Consumer, String> {
    let [mapped_ssrc, ssrc_base, rtx_ssrc_base] = SSRC_BASES;
    let media = params.codecs.iter().find(|codec| codec.mime_type.codec() != Codec::Rtx);
    let Some(media) = media else { return Err("rtpParameters.codecs: there is no media codec".into()) };
    let mapping = get_producer_rtp_parameters_mapping(params, router, mapped_ssrc)
        .map_err(|error| format!("rtpParameters.{error}"))?;
    let consumable = get_consumable_rtp_parameters(media.kind(), params, router, &mapping)
        .map_err(|error| format!("rtpParameters.{error}"))?;
    let consumer = get_consumer_rtp_parameters(ConsumerOffer {
        consumable: &consumable,
        remote_rtp_capabilities: capabilities,
        pipe: false,
        enable_rtx: true,
        ssrc_base,
        rtx_ssrc_base,
    });
    let producer_codec = media.mime_type.to_string();
    Ok(match consumer {
        Ok(params) => Consumer { producer_codec, rtp_parameters: Some(params), error: None },
        Err(error) => Consumer { producer_codec, rtp_parameters: None, error: Some(error.to_string()) },
    })
}

/// True if there is something to consume.
fn print(report: &Report) -> Result<bool, String> {
    let json = serde_json::to_string_pretty(report).map_err(|error| error.to_string())?;
    writeln!(io::stdout(), "{json}").map_err(|error| format!("cannot write: {error}"))?;
    Ok(report.consumers.iter().any(|consumer| consumer.rtp_parameters.is_some()))
}
