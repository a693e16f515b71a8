//! What a payload type means: told by the user, fixed by the profile, or guessed from what is sent.

use serde::Serialize;
use std::str::FromStr;
use tureen_rtp_wire::payload::{PayloadDescriptor, PayloadFormat, av1, h264, h265, vp8};

/// A codec and its clock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Codec {
    /// Its name, as in SDP.
    pub name: String,
    /// Its RTP clock in Hz.
    pub clock_rate: u32,
    /// How this is known.
    pub known_from: KnownFrom,
}

/// How a codec is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum KnownFrom {
    /// The user said so.
    Hint,
    /// The payload type is fixed (RFC 3551 section 6).
    Profile,
    /// The packets look like it.
    Guess,
}

/// `PT=NAME/CLOCK`, such as `96=VP8/90000`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PayloadTypeHint {
    /// 0 to 127.
    pub payload_type: u8,
    /// What it means.
    pub codec: Codec,
}

/// Why a text is no [`PayloadTypeHint`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected PT=NAME/CLOCK with PT from 0 to 127 and CLOCK in Hz, such as 96=VP8/90000")]
pub struct PayloadTypeHintError;

impl FromStr for PayloadTypeHint {
    type Err = PayloadTypeHintError;

    fn from_str(text: &str) -> Result<Self, PayloadTypeHintError> {
        let (payload_type, codec) = text.split_once('=').ok_or(PayloadTypeHintError)?;
        let (name, clock_rate) = codec.split_once('/').ok_or(PayloadTypeHintError)?;
        let payload_type = payload_type.parse().ok().filter(|&payload_type| payload_type < 128);
        let clock_rate = clock_rate.parse().ok().filter(|&clock_rate| clock_rate != 0);
        match (payload_type, clock_rate, name.is_empty()) {
            (Some(payload_type), Some(clock_rate), false) => {
                let codec = Codec { name: name.to_owned(), clock_rate, known_from: KnownFrom::Hint };
                Ok(Self { payload_type, codec })
            }
            _ => Err(PayloadTypeHintError),
        }
    }
}

/// RFC 3551 section 6, tables 4 and 5.
const PROFILE: &[(u8, &str, u32)] = &[
    (0, "PCMU", 8_000),
    (3, "GSM", 8_000),
    (4, "G723", 8_000),
    (5, "DVI4", 8_000),
    (6, "DVI4", 16_000),
    (7, "LPC", 8_000),
    (8, "PCMA", 8_000),
    (9, "G722", 8_000),
    (10, "L16", 44_100),
    (11, "L16", 44_100),
    (12, "QCELP", 8_000),
    (13, "CN", 8_000),
    (14, "MPA", 90_000),
    (15, "G728", 8_000),
    (16, "DVI4", 11_025),
    (17, "DVI4", 22_050),
    (18, "G729", 8_000),
    (25, "CelB", 90_000),
    (26, "JPEG", 90_000),
    (28, "nv", 90_000),
    (31, "H261", 90_000),
    (32, "MPV", 90_000),
    (33, "MP2T", 90_000),
    (34, "H263", 90_000),
];

/// What a payload type always means.
pub(super) fn from_profile(payload_type: u8) -> Option<Codec> {
    let &(_, name, clock_rate) = PROFILE.iter().find(|&&(known, ..)| known == payload_type)?;
    Some(Codec { name: name.to_owned(), clock_rate, known_from: KnownFrom::Profile })
}

/// How the payload of a codec is laid out.
pub(super) fn format_of(name: &str) -> PayloadFormat {
    match name.to_ascii_lowercase().as_str() {
        "opus" => PayloadFormat::Opus,
        "vp8" => PayloadFormat::Vp8,
        "vp9" => PayloadFormat::Vp9,
        "h264" => PayloadFormat::H264,
        "h265" => PayloadFormat::H265,
        "av1" => PayloadFormat::Av1,
        _ => PayloadFormat::Opaque,
    }
}

/// Clocks that are in use, in Hz.
const CLOCKS: [u32; 5] = [8_000, 16_000, 44_100, 48_000, 90_000];

/// The clock that went nearest to `ticks` in so many nanoseconds, if one went within a tenth of it.
pub(super) fn guess_clock(ticks: u64, nanoseconds: u64) -> Option<u32> {
    if nanoseconds == 0 {
        return None;
    }
    let rate = ticks as f64 * 1e9 / nanoseconds as f64;
    let distance = |clock: u32| (rate - f64::from(clock)).abs() / f64::from(clock);
    let nearest = CLOCKS.into_iter().min_by(|&a, &b| distance(a).total_cmp(&distance(b)))?;
    (distance(nearest) < 0.1).then_some(nearest)
}

/// What the payloads of one stream look like, packet by packet.
#[derive(Clone, Debug, Default)]
pub(super) struct Evidence {
    payloads: u32,
    vp8_starts: u32,
    vp9: u32,
    vp9_starts: u32,
    h264: u32,
    h264_sets: u32,
    h265: u32,
    h265_sets: u32,
    av1: u32,
    av1_starts: u32,
}

impl Evidence {
    pub(super) fn add(&mut self, payload: &[u8]) {
        self.payloads = self.payloads.saturating_add(1);
        self.vp8_starts += u32::from(is_vp8_start(payload));
        if let Some(descriptor) = PayloadDescriptor::parse(PayloadFormat::Vp9, payload) {
            self.vp9 += 1;
            self.vp9_starts += u32::from(descriptor.is_key_frame());
        }
        // SPS and PPS, and the bit that must be zero (RFC 6184 section 1.3).
        if let Some(descriptor) =
            h264::Descriptor::parse(payload).filter(|_| payload.first().is_some_and(|b| b & 0x80 == 0))
        {
            self.h264 += 1;
            self.h264_sets += u32::from(descriptor.has_nal_type(7) || descriptor.has_nal_type(8));
        }
        // VPS, SPS and PPS (RFC 7798 section 1.1.4).
        if let Some(descriptor) = h265::Descriptor::parse(payload) {
            self.h265 += 1;
            self.h265_sets += u32::from((32..=34).any(|kind| descriptor.has_nal_type(kind)));
        }
        // The lowest three bits of the aggregation header are reserved and zero.
        if let Some(descriptor) =
            av1::Descriptor::parse(payload).filter(|_| payload.first().is_some_and(|b| b & 7 == 0))
        {
            self.av1 += 1;
            self.av1_starts += u32::from(descriptor.sequence_header);
        }
    }

    /// The codec that what was seen speaks for, given the clock.
    pub(super) fn codec(&self, clock_rate: Option<u32>) -> Option<&'static str> {
        if clock_rate.is_some_and(|clock_rate| clock_rate != 90_000) {
            return (clock_rate == Some(48_000)).then_some("opus");
        }
        let all = |count: u32| self.payloads > 0 && count == self.payloads;
        match () {
            () if self.vp8_starts > 0 => Some("VP8"),
            () if all(self.h264) && self.h264_sets > 0 => Some("H264"),
            () if all(self.h265) && self.h265_sets > 0 => Some("H265"),
            () if all(self.av1) && self.av1_starts > 0 => Some("AV1"),
            () if all(self.vp9) && self.vp9_starts > 0 => Some("VP9"),
            () => None,
        }
    }
}

/// The start code of VP8 key frames (RFC 6386 section 9.1), behind the descriptor and a frame tag of three bytes.
fn is_vp8_start(payload: &[u8]) -> bool {
    let Some(descriptor) = vp8::Descriptor::parse(payload).filter(vp8::Descriptor::is_key_frame) else {
        return false;
    };
    let start = usize::from(descriptor.header_len) + 3;
    payload.get(start..start + 3) == Some(&[0x9d, 0x01, 0x2a])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_is_a_payload_type_a_name_and_a_clock() {
        let hint: PayloadTypeHint = "96=VP8/90000".parse().unwrap();
        assert_eq!((hint.payload_type, hint.codec.name.as_str(), hint.codec.clock_rate), (96, "VP8", 90_000));
        for text in ["", "96", "96=VP8", "128=VP8/90000", "96=/90000", "96=VP8/0", "x=VP8/1"] {
            assert!(text.parse::<PayloadTypeHint>().is_err(), "{text}");
        }
    }

    #[test]
    fn clocks_are_told_by_their_pace() {
        assert_eq!(guess_clock(89_500, 1_000_000_000), Some(90_000));
        assert_eq!(guess_clock(48_100, 1_000_000_000), Some(48_000));
        assert_eq!(guess_clock(8_000, 1_000_000_000), Some(8_000));
        assert_eq!(guess_clock(60_000, 1_000_000_000), None);
        assert_eq!(guess_clock(0, 0), None);
    }

    #[test]
    fn evidence_speaks_for_a_codec() {
        let mut vp8 = Evidence::default();
        vp8.add(&[0x10, 0, 0, 0, 0x9d, 0x01, 0x2a, 0x40, 1, 0xf0, 0]);
        assert_eq!(vp8.codec(Some(90_000)), Some("VP8"));
        let mut h264 = Evidence::default();
        h264.add(&[0x67, 0x42, 0xe0, 0x1f]);
        h264.add(&[0x41, 1, 2, 3]);
        assert_eq!(h264.codec(None), Some("H264"));
        assert_eq!(Evidence::default().codec(None), None);
        assert_eq!(h264.codec(Some(48_000)), Some("opus"));
    }
}
