//! The RTP that the sender sends: VP8 frames of equal packets, each of which ends with the time at which it left.
//!
//! The first packets of the stream are a key frame, and from then on one comes every `KEY_FRAME_INTERVAL` frames, so that
//! nobody who waits for one has to ask.

/// SSRC of the stream.
pub const SSRC: u32 = 0x7475_7265;
/// Payload type of the stream.
pub const PAYLOAD_TYPE: u8 = 102;
/// Octets of the time of sending, at the end of each packet.
pub const STAMP_LEN: usize = 8;

const KEY_FRAME_INTERVAL: u64 = 500;
/// RTP ticks between frames: 30 a second at 90 kHz.
const TICKS: u32 = 3000;
const HEADER_LEN: usize = 12;

/// What comes next in the stream.
#[derive(Debug)]
pub struct Stream {
    sequence_number: u16,
    frame: u64,
    key_frame_wanted: bool,
}

impl Default for Stream {
    fn default() -> Self {
        // Near the wrap-around, so that every run has one.
        Self { sequence_number: 65_000, frame: 0, key_frame_wanted: false }
    }
}

impl Stream {
    /// A stream that begins with a key frame.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes the next frame a key frame, as a receiver asked for.
    pub fn want_key_frame(&mut self) {
        self.key_frame_wanted = true;
    }

    /// Writes packet number `place` of a frame of `packets` into `slot`, which has the length of the packet.
    pub fn write(&mut self, slot: &mut [u8], place: u16, packets: u16, now: u64) {
        let (first, last) = (place == 0, place + 1 == packets);
        slot.fill(0x5a);
        let mut head = [0; HEADER_LEN];
        head[0] = 0x80;
        head[1] = PAYLOAD_TYPE | if last { 0x80 } else { 0 };
        head[2..4].copy_from_slice(&self.sequence_number.to_be_bytes());
        head[4..8].copy_from_slice(&(self.frame as u32).wrapping_mul(TICKS).to_be_bytes());
        head[8..].copy_from_slice(&SSRC.to_be_bytes());
        // RFC 7741 section 4.2: X, S in the first packet of a frame; I; a PictureID of 15 bits. Then the frame's first
        // octet, whose lowest bit is 0 in a key frame (section 4.3).
        let [high, low] = (self.frame as u16).to_be_bytes();
        let start = if first { 0x90 } else { 0x80 };
        let is_key_frame = self.key_frame_wanted || self.frame.is_multiple_of(KEY_FRAME_INTERVAL);
        let inter = u8::from(!is_key_frame);
        let descriptor = [start, 0x80, high | 0x80, low, 0x10 | inter];
        let parts = head.into_iter().chain(descriptor);
        slot.iter_mut().zip(parts).for_each(|(octet, value)| *octet = value);
        if let Some(stamp) = slot.last_chunk_mut::<STAMP_LEN>() {
            *stamp = now.to_be_bytes();
        }
        self.sequence_number = self.sequence_number.wrapping_add(1);
        self.frame += u64::from(last);
        self.key_frame_wanted &= !last;
    }
}

/// When a packet left, in nanoseconds of `CLOCK_MONOTONIC`, by its opened bytes.
pub fn stamp(packet: &[u8]) -> Option<u64> {
    packet.last_chunk::<STAMP_LEN>().map(|stamp| u64::from_be_bytes(*stamp))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tureen_rtp_wire::rtp::RtpPacket;

    #[test]
    fn a_frame_is_packets_with_one_timestamp_and_a_marker_at_its_end() {
        let mut stream = Stream::new();
        let mut slot = [0; 160];
        let mut seen = Vec::new();
        for place in [0, 1, 0, 1] {
            stream.write(&mut slot, place, 2, 77);
            let packet = RtpPacket::parse(&slot).unwrap();
            assert_eq!((packet.ssrc(), packet.payload_type()), (SSRC, PAYLOAD_TYPE));
            assert_eq!(stamp(&slot), Some(77));
            seen.push((packet.sequence_number(), packet.timestamp(), packet.marker(), slot[12], slot[16]));
        }
        let expected = [
            (65_000, 0, false, 0x90, 0x10),
            (65_001, 0, true, 0x80, 0x10),
            (65_002, 3000, false, 0x90, 0x11),
            (65_003, 3000, true, 0x80, 0x11),
        ];
        assert_eq!(seen, expected);
    }

    #[test]
    fn key_frames_come_back() {
        let mut stream = Stream::new();
        let mut slot = [0; 40];
        let keys = (0..=KEY_FRAME_INTERVAL).filter(|_| {
            stream.write(&mut slot, 0, 1, 0);
            slot[16] & 1 == 0
        });
        assert_eq!(keys.collect::<Vec<_>>(), [0, KEY_FRAME_INTERVAL]);
    }

    #[test]
    fn a_key_frame_comes_when_it_is_wanted_and_once() {
        let mut stream = Stream::new();
        let mut slot = [0; 40];
        let mut is_key_frame = |stream: &mut Stream| {
            stream.write(&mut slot, 0, 1, 0);
            slot[16] & 1 == 0
        };
        assert!(is_key_frame(&mut stream) && !is_key_frame(&mut stream));
        stream.want_key_frame();
        assert!(is_key_frame(&mut stream) && !is_key_frame(&mut stream));
    }
}
