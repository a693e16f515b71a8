//! Synthetic media: payloads with the frame structure of a codec, each piece labelled so that a receiver can tell what is
//! missing without trusting RTP sequence numbers.

use bytes::Bytes;
use rtp::packetizer::Depacketizer as _;
use std::time::Duration;
use tureen_rtp_dictionaries::MediaKind;

/// What a model sender sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ModelCodec {
    /// Opus: each packet a frame of 20 ms.
    Opus,
    /// VP8 with 15-bit picture ids (RFC 7741).
    Vp8,
    /// H.264 in packetization mode 1: a parameter set, then fragments (RFC 6184).
    H264,
}

/// What a piece of a frame says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameTag {
    /// Frames count from 0, without holes.
    pub frame: u32,
    /// Which piece of the frame, from 0.
    pub index: u8,
    /// Pieces of the frame.
    pub count: u8,
    /// Whether the frame can be decoded alone.
    pub is_key_frame: bool,
}

/// A payload as a receiver reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The label.
    pub tag: FrameTag,
    /// VP8 alone: the picture id.
    pub picture_id: Option<u16>,
    /// Whether the bytes behind the label are those that the sender wrote.
    pub intact: bool,
}

const TAG_LEN: usize = 7;
const H264_SPS: u8 = 7;
const H264_IDR: u8 = 5;
const H264_SLICE: u8 = 1;
const H264_FU_A: u8 = 28;

impl ModelCodec {
    /// Audio or video.
    pub const fn kind(self) -> MediaKind {
        match self {
            Self::Opus => MediaKind::Audio,
            Self::Vp8 | Self::H264 => MediaKind::Video,
        }
    }

    /// Ticks a second of the timestamps.
    pub const fn clock_rate(self) -> u32 {
        match self {
            Self::Opus => 48_000,
            Self::Vp8 | Self::H264 => 90_000,
        }
    }

    /// Time from frame to frame: 20 ms of audio, 40 ms of video.
    pub const fn frame_interval(self) -> Duration {
        match self {
            Self::Opus => Duration::from_millis(20),
            Self::Vp8 | Self::H264 => Duration::from_millis(40),
        }
    }

    /// The payload of one piece: `size` bytes behind codec header and label.
    pub fn write(self, tag: &FrameTag, picture_id: u16, size: usize) -> Vec<u8> {
        let mut payload = match self {
            Self::Opus => vec![0x78],
            Self::Vp8 => vp8_header(tag, picture_id),
            Self::H264 => h264_header(tag),
        };
        payload.extend(tag.frame.to_be_bytes());
        payload.extend([tag.index, tag.count, u8::from(tag.is_key_frame)]);
        payload.extend((0..size).map(|at| filler(tag, at)));
        payload
    }

    /// Reads what [`ModelCodec::write`] wrote, whatever was rewritten on the way. `None` if that is not it.
    pub fn read(self, payload: &Bytes) -> Option<Piece> {
        let (body, picture_id) = match self {
            Self::Opus => (payload.get(1..)?, None),
            Self::H264 => {
                let fragment = payload.first()? & 0x1f == H264_FU_A;
                (payload.get(if fragment { 2 } else { 1 }..)?, None)
            }
            Self::Vp8 => {
                let mut vp8 = rtp::codecs::vp8::Vp8Packet::default();
                let frame = vp8.depacketize(payload).ok()?;
                // The payload header of a first partition.
                let skip = usize::from(vp8.s == 1 && vp8.pid == 0);
                let at = payload.len().checked_sub(frame.len())?.checked_add(skip)?;
                (payload.get(at..)?, (vp8.i == 1).then_some(vp8.picture_id))
            }
        };
        let (label, rest) = body.split_at_checked(TAG_LEN)?;
        let &[a, b, c, d, index, count, key] = label else { return None };
        let frame = u32::from_be_bytes([a, b, c, d]);
        let tag = FrameTag { frame, index, count, is_key_frame: key == 1 };
        let intact = rest.iter().enumerate().all(|(at, &byte)| byte == filler(&tag, at));
        Some(Piece { tag, picture_id, intact })
    }
}

fn filler(tag: &FrameTag, at: usize) -> u8 {
    (tag.frame as u8).wrapping_mul(31).wrapping_add(tag.index.wrapping_mul(7)).wrapping_add(at as u8)
}

fn vp8_header(tag: &FrameTag, picture_id: u16) -> Vec<u8> {
    let start = tag.index == 0;
    let [high, low] = (picture_id | 0x8000).to_be_bytes();
    let mut header = vec![0x80 | u8::from(start) << 4, 0x80, high, low];
    if start {
        // P, the lowest bit, is clear on a key frame (RFC 7741 section 4.3).
        header.push(0x10 | u8::from(!tag.is_key_frame));
    }
    header
}

fn h264_header(tag: &FrameTag) -> Vec<u8> {
    match (tag.is_key_frame, tag.index, tag.count) {
        (true, 0, _) => vec![0x60 | H264_SPS],
        (false, 0, 1) => vec![0x60 | H264_SLICE],
        (is_key_frame, index, count) => {
            let (kind, first) = if is_key_frame { (H264_IDR, 1) } else { (H264_SLICE, 0) };
            let (start, end) = (index == first, index + 1 == count);
            vec![0x60 | H264_FU_A, u8::from(start) << 7 | u8::from(end) << 6 | kind]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_reads_back_as_it_was_written() {
        for codec in [ModelCodec::Opus, ModelCodec::Vp8, ModelCodec::H264] {
            for (index, is_key_frame) in [(0, true), (1, true), (3, true), (0, false), (2, false)] {
                let tag = FrameTag { frame: 70_000, index, count: 4, is_key_frame };
                let payload = Bytes::from(codec.write(&tag, 0x1234, 100));
                let piece = codec.read(&payload).expect("it reads");
                assert_eq!((piece.tag, piece.intact), (tag, true), "{codec:?} {index}");
                assert_eq!(piece.picture_id, (codec == ModelCodec::Vp8).then_some(0x1234));
                let mut altered = payload.to_vec();
                *altered.last_mut().expect("not empty") ^= 1;
                assert!(!codec.read(&altered.into()).expect("the label is whole").intact);
            }
        }
    }
}
