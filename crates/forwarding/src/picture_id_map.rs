//! VP8's PictureID and TL0PICIDX (RFC 7741 section 4.2) of a consumer: continuous over pauses, exchanged sources and frames that were
//! left out.

use crate::continuity::Continuity;
use crate::sequence::Unwrapper;
use crate::verdict::PayloadPatch;
use tureen_rtp_wire::payload::vp8::{Descriptor, PictureId};

/// How far PictureIDs are followed behind the newest, in frames.
const WINDOW_WORDS: usize = 4;

/// Maps a source's picture ids to a consumer's.
#[derive(Clone, Copy, Debug)]
pub struct PictureIdMap {
    short: Unwrapper<7>,
    long: Unwrapper<15>,
    pictures: Continuity<WINDOW_WORDS>,
    tl0_offset: u8,
    highest_tl0: Option<u8>,
    tl0_synced: bool,
}

impl Default for PictureIdMap {
    fn default() -> Self {
        Self::new()
    }
}

impl PictureIdMap {
    /// A map whose first PictureID is 1, and whose TL0PICIDX starts as the source's does.
    pub const fn new() -> Self {
        Self {
            short: Unwrapper::new(),
            long: Unwrapper::new(),
            pictures: Continuity::new((1 << 15) + 1),
            tl0_offset: 0,
            highest_tl0: None,
            tl0_synced: false,
        }
    }

    /// The next packet starts anew, and its ids follow the highest so far.
    pub const fn resync(&mut self) {
        self.short = Unwrapper::new();
        self.long = Unwrapper::new();
        self.pictures.sync(0);
        self.tl0_synced = false;
    }

    /// The patch for a packet that is forwarded. A PictureID from before the start or behind the window is left as it is.
    #[inline]
    pub fn forward(&mut self, descriptor: &Descriptor) -> PayloadPatch {
        if descriptor.picture_id.is_none() && descriptor.tl0_pic_idx.is_none() {
            return PayloadPatch::None;
        }
        let picture_id = descriptor.picture_id.map_or(0, |picture_id| {
            let extended = self.extend(picture_id);
            let output = self.pictures.forward(extended).unwrap_or(u64::from(picture_id.value));
            (output & if picture_id.long { 0x7fff } else { 0x7f }) as u16
        });
        let tl0_pic_idx = descriptor.tl0_pic_idx.map_or(0, |tl0_pic_idx| self.forward_tl0(tl0_pic_idx));
        PayloadPatch::Vp8 { picture_id, tl0_pic_idx }
    }

    /// Leaves the packet's frame out: the next one takes its PictureID.
    pub fn drop_picture(&mut self, descriptor: &Descriptor) {
        if let Some(picture_id) = descriptor.picture_id {
            let extended = self.extend(picture_id);
            self.pictures.omit(extended);
        }
    }

    #[inline]
    fn extend(&mut self, picture_id: PictureId) -> u64 {
        let value = u32::from(picture_id.value);
        if picture_id.long { self.long.unwrap(value) } else { self.short.unwrap(value) }
    }

    #[inline]
    fn forward_tl0(&mut self, tl0_pic_idx: u8) -> u8 {
        if !self.tl0_synced {
            self.tl0_synced = true;
            self.tl0_offset =
                self.highest_tl0.map_or(0, |highest| highest.wrapping_add(1).wrapping_sub(tl0_pic_idx));
        }
        let output = tl0_pic_idx.wrapping_add(self.tl0_offset);
        if self.highest_tl0.is_none_or(|highest| output.wrapping_sub(highest) < 128) {
            self.highest_tl0 = Some(output);
        }
        output
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn long(picture_id: u16, tl0_pic_idx: u8) -> Descriptor {
        let [high, low] = (picture_id | 0x8000).to_be_bytes();
        Descriptor::parse(&[0x90, 0xc0, high, low, tl0_pic_idx, 0]).expect("a long PictureID and TL0PICIDX")
    }

    fn short(picture_id: u8) -> Descriptor {
        Descriptor::parse(&[0x90, 0x80, picture_id, 0]).expect("a short PictureID")
    }

    fn patch(picture_id: u16, tl0_pic_idx: u8) -> PayloadPatch {
        PayloadPatch::Vp8 { picture_id, tl0_pic_idx }
    }

    #[test]
    fn ids_go_on_over_a_switch() {
        let mut map = PictureIdMap::new();
        assert_eq!(map.forward(&long(32_767, 255)), patch(1, 255));
        assert_eq!(map.forward(&long(32_767, 255)), patch(1, 255));
        assert_eq!(map.forward(&long(0, 0)), patch(2, 0));
        assert_eq!(map.forward(&long(32_767, 255)), patch(1, 255));
        map.resync();
        assert_eq!(map.forward(&long(5000, 77)), patch(3, 1));
        assert_eq!(map.forward(&long(5001, 77)), patch(4, 1));
        assert_eq!(map.forward(&long(5002, 78)), patch(5, 2));
    }

    #[test]
    fn dropped_frames_leave_no_gap() {
        let mut map = PictureIdMap::new();
        assert_eq!(map.forward(&long(10, 3)), patch(1, 3));
        map.drop_picture(&long(11, 3));
        map.drop_picture(&long(11, 3));
        assert_eq!(map.forward(&long(12, 4)), patch(2, 4));
    }

    #[test]
    fn short_ids_stay_short() {
        let mut map = PictureIdMap::new();
        for frame in 0..300u16 {
            let expected = patch((1 + frame) & 0x7f, 0);
            assert_eq!(map.forward(&short((100 + frame) as u8 & 0x7f)), expected);
        }
    }

    #[test]
    fn packets_without_ids_are_not_patched() {
        let descriptor = Descriptor::parse(&[0x10, 0]).expect("a descriptor without extension");
        assert_eq!(PictureIdMap::new().forward(&descriptor), PayloadPatch::None);
    }
}
