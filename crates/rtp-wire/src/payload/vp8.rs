//! The VP8 payload descriptor (RFC 7741 section 4.2), its in-place patch, and a writer of its longest form.

use crate::octets::{Cursor, u16_at};

/// The largest descriptor: two octets, a long picture id, TL0PICIDX and TID/Y/KEYIDX.
pub const MAX_DESCRIPTOR_LEN: usize = 6;

/// A picture id and the width that it travels in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PictureId {
    /// 0 to 127, or 0 to 32767 if long.
    pub value: u16,
    /// 15 bits (M set) instead of 7.
    pub long: bool,
}

/// What the descriptor says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Descriptor {
    /// I bit: the picture id.
    pub picture_id: Option<PictureId>,
    /// L bit: the running index of temporal base layer frames.
    pub tl0_pic_idx: Option<u8>,
    /// T bit: the temporal layer, 0 to 3.
    pub temporal_layer: Option<u8>,
    /// Y: the frame depends on the base layer only. Meaningful with a temporal layer.
    pub layer_sync: bool,
    /// K bit: the key frame index, 0 to 31.
    pub key_idx: Option<u8>,
    /// S: the payload starts a partition.
    pub start_of_partition: bool,
    /// PID: the partition, 0 to 7.
    pub partition_id: u8,
    /// N: no frame refers to this one.
    pub non_reference: bool,
    /// Octets of the descriptor, 1 to 6.
    pub header_len: u8,
    /// The payload starts the first partition, and the P bit of the payload header is clear (section 4.3).
    pub key_frame: bool,
}

impl Descriptor {
    /// Reads the descriptor; `None` if the payload ends inside of it, or right behind it.
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let &first = payload.first()?;
        let mut at = 1;
        let mut next = |len: usize| {
            let range = at..at + len;
            at += len;
            payload.get(range)
        };
        let extension = if first & 0x80 != 0 { *next(1)?.first()? } else { 0 };
        let picture_id = if extension & 0x80 != 0 {
            let &octet = next(1)?.first()?;
            Some(if octet & 0x80 == 0 {
                PictureId { value: u16::from(octet), long: false }
            } else {
                let &low = next(1)?.first()?;
                PictureId { value: u16::from_be_bytes([octet & 0x7f, low]), long: true }
            })
        } else {
            None
        };
        let tl0_pic_idx = if extension & 0x40 != 0 { Some(*next(1)?.first()?) } else { None };
        let has_temporal = extension & 0x20 != 0;
        let has_key_idx = extension & 0x10 != 0;
        let layers = if has_temporal || has_key_idx { *next(1)?.first()? } else { 0 };
        let &payload_header = payload.get(at)?;
        let mut descriptor = Self {
            picture_id,
            tl0_pic_idx,
            temporal_layer: has_temporal.then_some(layers >> 6),
            layer_sync: has_temporal && layers & 0x20 != 0,
            key_idx: has_key_idx.then_some(layers & 0x1f),
            start_of_partition: first & 0x10 != 0,
            partition_id: first & 0x07,
            non_reference: first & 0x20 != 0,
            header_len: u8::try_from(at).ok()?,
            key_frame: false,
        };
        descriptor.key_frame = descriptor.starts_frame() && payload_header & 1 == 0;
        Some(descriptor)
    }

    /// The first packet of a key frame: S set, partition 0, P clear (section 4.3).
    #[inline]
    pub fn is_key_frame(&self) -> bool {
        self.key_frame
    }

    /// S set and partition 0: the first packet of a frame (section 4.2).
    #[inline]
    pub fn starts_frame(&self) -> bool {
        self.start_of_partition && self.partition_id == 0
    }
}

/// Overwrites picture id and TL0PICIDX in place, where the descriptor has them; lengths stay, so a short id keeps the
/// low 7 bits. `false` (nothing written) if `payload` does not carry this descriptor.
#[must_use]
pub fn patch(payload: &mut [u8], descriptor: &Descriptor, picture_id: u16, tl0_pic_idx: u8) -> bool {
    if Descriptor::parse(payload).is_none_or(|found| !same_shape(&found, descriptor)) {
        return false;
    }
    let mut at = 2;
    if let Some(id) = descriptor.picture_id {
        if id.long {
            write_at(payload, at, &(picture_id | 0x8000).to_be_bytes());
            at += 2;
        } else {
            write_at(payload, at, &[picture_id.to_be_bytes()[1] & 0x7f]);
            at += 1;
        }
    }
    if descriptor.tl0_pic_idx.is_some() {
        write_at(payload, at, &[tl0_pic_idx]);
    }
    true
}

fn same_shape(a: &Descriptor, b: &Descriptor) -> bool {
    a.header_len == b.header_len
        && a.picture_id.map(|id| id.long) == b.picture_id.map(|id| id.long)
        && a.tl0_pic_idx.is_some() == b.tl0_pic_idx.is_some()
}

fn write_at(payload: &mut [u8], at: usize, value: &[u8]) {
    if let Some(slot) = payload.get_mut(at..at + value.len()) {
        slot.copy_from_slice(value);
    }
}

/// Writes the descriptor to the start of `out` with a 15-bit picture id, whatever it had before, and with TL0PICIDX if
/// it had one. Gives the octets written (2 more than a descriptor without extension has at most), `None` (`out`
/// undefined) if `out` is too short.
///
/// Wrap-around differs between 7 and 15 bits, so a receiver that sees several sources needs the long form throughout.
pub fn write_long_picture_id(
    out: &mut [u8],
    descriptor: &Descriptor,
    picture_id: u16,
    tl0_pic_idx: u8,
) -> Option<usize> {
    let has_tl0 = descriptor.tl0_pic_idx.is_some();
    let has_layers = descriptor.temporal_layer.is_some() || descriptor.key_idx.is_some();
    let mut cursor = Cursor::new(out, 0);
    let first = 0x80
        | u8::from(descriptor.non_reference) << 5
        | u8::from(descriptor.start_of_partition) << 4
        | descriptor.partition_id & 0x07;
    let extension = 0x80
        | u8::from(has_tl0) << 6
        | u8::from(descriptor.temporal_layer.is_some()) << 5
        | u8::from(descriptor.key_idx.is_some()) << 4;
    cursor.put(&[first, extension]).ok()?;
    cursor.u16(picture_id | 0x8000).ok()?;
    if has_tl0 {
        cursor.u8(tl0_pic_idx).ok()?;
    }
    if has_layers {
        let temporal = descriptor.temporal_layer.unwrap_or(0) & 3;
        let key_idx = descriptor.key_idx.unwrap_or(0) & 0x1f;
        cursor.u8(temporal << 6 | u8::from(descriptor.layer_sync) << 5 | key_idx).ok()?;
    }
    Some(cursor.position())
}

/// Width and height of a key frame whose first payload this is (RFC 6386 section 9.1); `None` on other packets.
pub fn key_frame_size(payload: &[u8], descriptor: &Descriptor) -> Option<(u16, u16)> {
    if !descriptor.is_key_frame() {
        return None;
    }
    let frame = payload.get(usize::from(descriptor.header_len)..)?;
    if frame.get(3..6)? != [0x9d, 0x01, 0x2a] {
        return None;
    }
    // Little endian; the two high bits scale.
    let size = |at| Some(u16_at(frame, at)?.swap_bytes() & 0x3fff);
    Some((size(6)?, size(8)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hex_literal::hex;

    #[test]
    fn the_shortest_descriptor() {
        // X clear; S, PID 0; payload header with P clear.
        let d = Descriptor::parse(&hex!("10 00")).expect("valid");
        assert!(d.is_key_frame() && d.starts_frame());
        assert_eq!(d.header_len, 1);
        assert_eq!((d.picture_id, d.tl0_pic_idx, d.temporal_layer, d.key_idx), (None, None, None, None));
        assert!(!Descriptor::parse(&hex!("10 01")).expect("valid").is_key_frame());
        assert!(!Descriptor::parse(&hex!("11 00")).expect("valid").is_key_frame());
        assert!(!Descriptor::parse(&hex!("00 00")).expect("valid").is_key_frame());
    }

    #[test]
    fn the_longest_descriptor() {
        let d = Descriptor::parse(&hex!("b0 f0 92 34 56 a7 01")).expect("valid");
        assert_eq!(d.picture_id, Some(PictureId { value: 0x1234, long: true }));
        assert_eq!(d.tl0_pic_idx, Some(0x56));
        assert_eq!(d.temporal_layer, Some(2));
        assert!(d.layer_sync && d.non_reference);
        assert_eq!(d.key_idx, Some(7));
        assert_eq!(d.header_len, 6);
    }

    #[test]
    fn every_truncation_is_refused() {
        let full = hex!("b0 f0 92 34 56 a7 01");
        for len in 0..full.len() {
            assert_eq!(Descriptor::parse(&full[..len]), None, "{len} octets");
        }
    }

    #[test]
    fn patch_keeps_lengths() {
        let mut short = hex!("90 c0 05 09 01");
        let d = Descriptor::parse(&short).expect("valid");
        assert!(patch(&mut short, &d, 0x1285, 77));
        assert_eq!(short, hex!("90 c0 05 4d 01"));
        let mut long = hex!("90 c0 80 05 09 01");
        let d = Descriptor::parse(&long).expect("valid");
        assert!(patch(&mut long, &d, 0x1285, 77));
        assert_eq!(long, hex!("90 c0 92 85 4d 01"));
        assert!(!patch(&mut short, &d, 1, 1), "a descriptor of another shape is refused");
    }

    #[test]
    fn the_long_form_says_the_same_with_15_bits() {
        let d = Descriptor::parse(&hex!("b0 f0 12 56 a7 00")).expect("valid");
        let mut out = [0; MAX_DESCRIPTOR_LEN + 1];
        assert_eq!(write_long_picture_id(&mut out, &d, 0x7fff, 3), Some(6));
        let again = Descriptor::parse(&out).expect("valid");
        assert_eq!(again.picture_id, Some(PictureId { value: 0x7fff, long: true }));
        assert_eq!(again.tl0_pic_idx, Some(3));
        assert_eq!((again.temporal_layer, again.layer_sync, again.key_idx), (Some(2), true, Some(7)));
        for len in 0..6 {
            assert_eq!(write_long_picture_id(&mut out[..len], &d, 1, 1), None, "{len} octets");
        }
    }

    #[test]
    fn the_size_of_a_key_frame() {
        let payload = hex!("10 10 00 00 9d 01 2a 80 02 68 01");
        let d = Descriptor::parse(&payload).expect("valid");
        assert_eq!(key_frame_size(&payload, &d), Some((640, 360)));
    }
}
