//! The values of the header extension elements that a forwarder reads or writes.
//!
//! Ids are negotiated; this module knows values only. Lengths that a specification does not allow give `None`.

use core::time::Duration;

use crate::octets::{u16_at, u24_at, u64_at};
use crate::time::NtpTime;

/// abs-send-time: 24 bits of 6.18 fixed-point seconds, wrapping every 64 s
/// (<http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time>).
pub fn abs_send_time(value: &[u8]) -> Option<u32> {
    if value.len() == 3 { u24_at(value, 0) } else { None }
}

/// The three octets of an abs-send-time; higher bits are dropped.
pub const fn write_abs_send_time(send_time: u32) -> [u8; 3] {
    let [_, a, b, c] = send_time.to_be_bytes();
    [a, b, c]
}

/// transport-wide sequence number (draft-holmer-rmcat-transport-wide-cc-extensions-01 section 2). The four-octet form of
/// version 2 carries a feedback request behind it, which is left unread.
pub fn transport_sequence_number(value: &[u8]) -> Option<u16> {
    if matches!(value.len(), 2 | 4) { u16_at(value, 0) } else { None }
}

/// Audio level of one packet (RFC 6464 section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AudioLevel {
    /// Whether the encoder believes that there is voice.
    pub voice: bool,
    /// Level in -dBov: 0 is the loudest, 127 is silence.
    pub level: u8,
}

impl AudioLevel {
    /// From an element's value; the two-octet form's second octet is padding (RFC 6464 section 3).
    pub fn parse(value: &[u8]) -> Option<Self> {
        match *value {
            [octet] | [octet, _] => Some(Self { voice: octet & 0x80 != 0, level: octet & 0x7f }),
            _ => None,
        }
    }

    /// The octet on the wire; a level over 127 is silence.
    pub const fn to_octet(self) -> u8 {
        let level = if self.level > 127 { 127 } else { self.level };
        (self.voice as u8) << 7 | level
    }
}

/// Coordination of video orientation (3GPP TS 26.114 section 7.4.5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct VideoOrientation {
    /// C: the back-facing camera.
    pub back_camera: bool,
    /// F: flipped horizontally.
    pub flip: bool,
    /// R1 R0: clockwise rotation in quarter turns, 0 to 3.
    pub rotation: u8,
}

impl VideoOrientation {
    /// From an element's value of one octet.
    pub fn parse(value: &[u8]) -> Option<Self> {
        let &[octet] = value else { return None };
        Some(Self { back_camera: octet & 8 != 0, flip: octet & 4 != 0, rotation: octet & 3 })
    }

    /// The octet on the wire; rotation counts modulo 4.
    pub const fn to_octet(self) -> u8 {
        (self.back_camera as u8) << 3 | (self.flip as u8) << 2 | self.rotation & 3
    }

    /// Clockwise rotation in degrees: 0, 90, 180 or 270.
    pub const fn degrees(self) -> u16 {
        (self.rotation & 3) as u16 * 90
    }
}

/// When a frame was captured (<http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time>).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AbsCaptureTime {
    /// In the clock of the capturer.
    pub capture: NtpTime,
    /// Capturer's clock minus that of the sender, the one of its sender reports, in units of 2^-32 s; absent in the eight-octet form.
    pub clock_offset: Option<i64>,
}

impl AbsCaptureTime {
    /// From an element's value of 8 or 16 octets.
    pub fn parse(value: &[u8]) -> Option<Self> {
        let clock_offset = match value.len() {
            8 => None,
            16 => Some(u64_at(value, 8)?.cast_signed()),
            _ => return None,
        };
        Some(Self { capture: NtpTime(u64_at(value, 0)?), clock_offset })
    }

    /// Writes the form that fits `out`: 8 octets without, 16 octets with an offset (none counts as zero);
    /// `false` (nothing written) on any other length.
    #[must_use]
    pub fn write(self, out: &mut [u8]) -> bool {
        let capture = self.capture.0.to_be_bytes();
        match out.len() {
            8 => out.copy_from_slice(&capture),
            16 => {
                let (head, tail) = out.split_at_mut(8);
                head.copy_from_slice(&capture);
                tail.copy_from_slice(&self.clock_offset.unwrap_or(0).to_be_bytes());
            }
            _ => return false,
        }
        true
    }
}

/// Limits of the receiver's playout delay (<http://www.webrtc.org/experiments/rtp-hdrext/playout-delay>).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PlayoutDelay {
    min: u16,
    max: u16,
}

impl PlayoutDelay {
    /// Both in steps of 10 ms, 0 to 40.95 s; `None` out of range or if `min` exceeds `max`.
    pub fn new(min: Duration, max: Duration) -> Option<Self> {
        let steps = |d: Duration| u16::try_from(d.as_millis() / 10).ok().filter(|&s| s < 1 << 12);
        let (min, max) = (steps(min)?, steps(max)?);
        (min <= max).then_some(Self { min, max })
    }

    /// From an element's value of three octets.
    pub fn parse(value: &[u8]) -> Option<Self> {
        if value.len() != 3 {
            return None;
        }
        let bits = u24_at(value, 0)?;
        let (min, max) = ((bits >> 12) as u16, (bits & 0xfff) as u16);
        (min <= max).then_some(Self { min, max })
    }

    /// The shortest delay wanted.
    pub const fn min(self) -> Duration {
        Duration::from_millis(self.min as u64 * 10)
    }

    /// The longest delay allowed.
    pub const fn max(self) -> Duration {
        Duration::from_millis(self.max as u64 * 10)
    }

    /// The three octets on the wire.
    pub const fn to_octets(self) -> [u8; 3] {
        let [_, a, b, c] = ((self.min as u32) << 12 | self.max as u32).to_be_bytes();
        [a, b, c]
    }
}

/// A media identification of 1 to 255 octets of the SDP token alphabet (RFC 9143 section 15, RFC 8843).
pub fn mid(value: &[u8]) -> Option<&str> {
    if value.is_empty() || !value.iter().all(|&b| is_token(b)) {
        return None;
    }
    str::from_utf8(value).ok()
}

/// An RtpStreamId or RepairedRtpStreamId: ASCII letters and digits, at least one (RFC 8852 section 3).
pub fn rid(value: &[u8]) -> Option<&str> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_alphanumeric) {
        return None;
    }
    str::from_utf8(value).ok()
}

/// `token-char` of RFC 8866 section 9.
const fn is_token(octet: u8) -> bool {
    matches!(octet, 0x21 | 0x23..=0x27 | 0x2a | 0x2b | 0x2d | 0x2e | 0x30..=0x39 | 0x41..=0x5a | 0x5e..=0x7e)
}
