//! Goes from the codecs of a router to what one consumer gets, and prints each step.

use std::error::Error;
use std::io::Write;

use tureen_rtp_dictionaries::*;

const ROUTER: &str = r#"[
    { "mimeType": "audio/opus", "clockRate": 48000, "channels": 2 },
    { "mimeType": "video/VP8", "clockRate": 90000 }
]"#;

const SENT: &str = r#"{
    "mid": "0",
    "codecs": [
        { "mimeType": "video/VP8", "payloadType": 96, "clockRate": 90000 },
        { "mimeType": "video/rtx", "payloadType": 97, "clockRate": 90000, "parameters": { "apt": 96 } }
    ],
    "encodings": [
        { "rid": "r0", "scalabilityMode": "L1T3", "maxBitrate": 150000 },
        { "rid": "r1", "scalabilityMode": "L1T3", "maxBitrate": 1500000 }
    ]
}"#;

/// A receiver without RTX that knows transport-wide congestion control.
const RECEIVER: &str = r#"{
    "codecs": [
        { "mimeType": "video/VP8", "preferredPayloadType": 101, "clockRate": 90000,
          "rtcpFeedback": [{ "type": "nack", "parameter": "pli" }, { "type": "transport-cc" }] }
    ],
    "headerExtensions": [
        { "kind": "video", "preferredId": 5,
          "uri": "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01" }
    ]
}"#;

fn main() -> Result<(), Box<dyn Error>> {
    let mut out = std::io::stdout().lock();

    let router = generate_router_rtp_capabilities(&from_json::<Vec<_>>(ROUTER)?)?;
    for codec in &router.codecs {
        writeln!(out, "the router calls {} {}", codec.mime_type, codec.preferred_payload_type)?;
    }

    let mut sent: RtpParameters = from_json(SENT)?;
    validate_rtp_parameters(&mut sent)?;
    let mapping = get_producer_rtp_parameters_mapping(&sent, &router, 111_111_111)?;
    for entry in &mapping.codecs {
        writeln!(out, "the producer's {} becomes {}", entry.payload_type, entry.mapped_payload_type)?;
    }
    let consumable = get_consumable_rtp_parameters(MediaKind::Video, &sent, &router, &mapping)?;

    let mut receiver: RtpCapabilities = from_json(RECEIVER)?;
    validate_rtp_capabilities(&mut receiver)?;
    let received = get_consumer_rtp_parameters(ConsumerOffer {
        consumable: &consumable,
        remote_rtp_capabilities: &receiver,
        pipe: false,
        enable_rtx: true,
        ssrc_base: 222_222_222,
        rtx_ssrc_base: 333_333_333,
    })?;
    writeln!(out, "the consumer gets {}", serde_json::to_string_pretty(&received)?)?;
    Ok(())
}
