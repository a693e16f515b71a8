//! When two descriptions of a codec mean the same stream format.

use crate::codec::{RouterRtpCodecCapability, RtpCodecCapability, RtpCodecParameters};
use crate::h264::h264_matches;
use crate::h265::h265_matches;
use crate::media::{Codec, MediaKind, MimeType};
use crate::parameter_map::ParameterMap;

/// The members of any codec dictionary that matching looks at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Format<'a> {
    mime_type: &'a MimeType,
    clock_rate: u32,
    channels: Option<u8>,
    parameters: &'a ParameterMap,
}

impl<'a> From<&'a RtpCodecCapability> for Format<'a> {
    fn from(codec: &'a RtpCodecCapability) -> Self {
        let RtpCodecCapability { mime_type, clock_rate, channels, parameters, .. } = codec;
        Self { mime_type, clock_rate: *clock_rate, channels: *channels, parameters }
    }
}

impl<'a> From<&'a RouterRtpCodecCapability> for Format<'a> {
    fn from(codec: &'a RouterRtpCodecCapability) -> Self {
        let RouterRtpCodecCapability { mime_type, clock_rate, channels, parameters, .. } = codec;
        Self { mime_type, clock_rate: *clock_rate, channels: *channels, parameters }
    }
}

impl<'a> From<&'a RtpCodecParameters> for Format<'a> {
    fn from(codec: &'a RtpCodecParameters) -> Self {
        let RtpCodecParameters { mime_type, clock_rate, channels, parameters, .. } = codec;
        Self { mime_type, clock_rate: *clock_rate, channels: *channels, parameters }
    }
}

/// The same payload format: MIME type, clock rate and channels, and the stream layout of multi-channel Opus. Profiles
/// may differ.
pub(crate) fn same_format<'a>(a: impl Into<Format<'a>>, b: impl Into<Format<'a>>) -> bool {
    let (a, b) = (a.into(), b.into());
    let channels = |format: &Format<'_>| match format.mime_type.kind() {
        MediaKind::Audio => format.channels.unwrap_or(1),
        MediaKind::Video => 0,
    };
    a.mime_type == b.mime_type
        && a.clock_rate == b.clock_rate
        && channels(&a) == channels(&b)
        && (a.mime_type.codec() != Codec::MultiOpus || same_opus_layout(a.parameters, b.parameters))
}

/// The same payload format, and profiles that one stream satisfies.
pub(crate) fn same_profile<'a>(a: impl Into<Format<'a>>, b: impl Into<Format<'a>>) -> bool {
    let (a, b) = (a.into(), b.into());
    same_format(a, b)
        && match a.mime_type.codec() {
            Codec::H264 => h264_matches(a.parameters, b.parameters),
            Codec::H265 => h265_matches(a.parameters, b.parameters),
            Codec::Vp9 => same_number("profile-id", a.parameters, b.parameters),
            Codec::Av1 => same_number("profile", a.parameters, b.parameters),
            _ => true,
        }
}

fn same_opus_layout(a: &ParameterMap, b: &ParameterMap) -> bool {
    ["num_streams", "coupled_streams"].iter().all(|name| a.get_u64(name) == b.get_u64(name))
}

/// The same value of a parameter that is 0 by default
/// (VP9: RFC 9628 section 6; AV1: its RTP payload format, section 7).
/// What is not a number matches nothing.
fn same_number(name: &str, a: &ParameterMap, b: &ParameterMap) -> bool {
    let number = |map: &ParameterMap| map.get(name).map_or(Some(0), |value| value.as_u64());
    number(a).is_some() && number(a) == number(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codec(json: &str) -> RouterRtpCodecCapability {
        serde_json::from_str(json).unwrap()
    }

    fn check(a: &str, b: &str, format: bool, profile: bool) {
        let (a, b) = (codec(a), codec(b));
        for (a, b) in [(&a, &b), (&b, &a)] {
            assert_eq!(same_format(a, b), format, "format of {a:?} {b:?}");
            assert_eq!(same_profile(a, b), profile, "profile of {a:?} {b:?}");
        }
    }

    #[test]
    fn type_rate_and_channels_must_agree() {
        let opus = r#"{"mimeType":"audio/opus","clockRate":48000,"channels":2}"#;
        check(opus, r#"{"mimeType":"AUDIO/Opus","clockRate":48000,"channels":2}"#, true, true);
        check(opus, r#"{"mimeType":"audio/opus","clockRate":48000}"#, false, false);
        check(opus, r#"{"mimeType":"audio/opus","clockRate":16000,"channels":2}"#, false, false);
        let pcmu = r#"{"mimeType":"audio/PCMU","clockRate":8000}"#;
        check(pcmu, r#"{"mimeType":"audio/PCMU","clockRate":8000,"channels":1}"#, true, true);
    }

    #[test]
    fn video_has_no_channels() {
        let vp8 = r#"{"mimeType":"video/VP8","clockRate":90000}"#;
        check(vp8, r#"{"mimeType":"video/VP8","clockRate":90000,"channels":1}"#, true, true);
    }

    #[test]
    fn multiopus_layouts_must_agree() {
        let make = |streams: u8| {
            let parameters = format!(r#"{{"num_streams":{streams},"coupled_streams":2}}"#);
            format!(
                r#"{{"mimeType":"audio/multiopus","clockRate":48000,"channels":6,"parameters":{parameters}}}"#
            )
        };
        check(&make(4), &make(4), true, true);
        check(&make(4), &make(5), false, false);
    }

    #[test]
    fn profiles_of_vp9_av1_h264_and_h265() {
        let make = |mime: &str, parameters: &str| {
            format!(r#"{{"mimeType":"video/{mime}","clockRate":90000,"parameters":{parameters}}}"#)
        };
        let cases = [
            ("VP9", "{}", r#"{"profile-id":0}"#, true),
            ("VP9", r#"{"profile-id":"2"}"#, r#"{"profile-id":2}"#, true),
            ("VP9", "{}", r#"{"profile-id":2}"#, false),
            ("VP9", r#"{"profile-id":"x"}"#, r#"{"profile-id":"x"}"#, false),
            ("AV1", "{}", r#"{"profile":0,"level-idx":5,"tier":0}"#, true),
            ("AV1", "{}", r#"{"profile":1}"#, false),
            ("H264", r#"{"profile-level-id":"42e01f"}"#, r#"{"profile-level-id":"4d0032"}"#, false),
            ("H264", r#"{"packetization-mode":1}"#, r#"{"packetization-mode":0}"#, false),
            ("H265", "{}", r#"{"tier-flag":1}"#, false),
        ];
        for (mime, a, b, profile) in cases {
            check(&make(mime, a), &make(mime, b), true, profile);
        }
    }
}
