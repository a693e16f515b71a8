//! VP8's PictureID and TL0PICIDX (RFC 7741 section 4.2) of a consumer: continuous over pauses, exchanged sources and frames that were
//! left out.

use crate::continuity::Continuity;
use crate::sequence::Unwrapper;
use crate::verdict::PayloadPatch;

/// The picture ids of one packet, as it carries them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PictureIds {
    /// PictureID, 7 or 15 bits.
    pub picture_id: Option<u16>,
    /// Whether PictureID has 15 bits (the M bit).
    pub is_long: bool,
    /// TL0PICIDX.
    pub tl0_pic_idx: Option<u8>,
}

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

    /// The patch for a packet that is forwarded. Ids from before the start or behind the window are left as they are.
    pub fn forward(&mut self, ids: PictureIds) -> PayloadPatch {
        let picture_id = ids.picture_id.map(|picture_id| {
            let extended = self.extend(picture_id, ids.is_long);
            let output = self.pictures.forward(extended).unwrap_or(u64::from(picture_id));
            (output & if ids.is_long { 0x7fff } else { 0x7f }) as u16
        });
        let tl0_pic_idx = ids.tl0_pic_idx.map(|tl0_pic_idx| self.forward_tl0(tl0_pic_idx));
        if picture_id.is_none() && tl0_pic_idx.is_none() {
            return PayloadPatch::None;
        }
        PayloadPatch::Vp8 { picture_id, tl0_pic_idx }
    }

    /// Leaves the packet's frame out: the next one takes its PictureID.
    pub fn drop_picture(&mut self, ids: PictureIds) {
        if let Some(picture_id) = ids.picture_id {
            let extended = self.extend(picture_id, ids.is_long);
            self.pictures.omit(extended);
        }
    }

    fn extend(&mut self, picture_id: u16, is_long: bool) -> u64 {
        let value = u32::from(picture_id);
        if is_long { self.long.unwrap(value) } else { self.short.unwrap(value) }
    }

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

    fn long(picture_id: u16, tl0_pic_idx: u8) -> PictureIds {
        PictureIds { picture_id: Some(picture_id), is_long: true, tl0_pic_idx: Some(tl0_pic_idx) }
    }

    fn patch(picture_id: u16, tl0_pic_idx: u8) -> PayloadPatch {
        PayloadPatch::Vp8 { picture_id: Some(picture_id), tl0_pic_idx: Some(tl0_pic_idx) }
    }

    #[test]
    fn ids_go_on_over_a_switch() {
        let mut map = PictureIdMap::new();
        assert_eq!(map.forward(long(32_767, 255)), patch(1, 255));
        assert_eq!(map.forward(long(32_767, 255)), patch(1, 255));
        assert_eq!(map.forward(long(0, 0)), patch(2, 0));
        assert_eq!(map.forward(long(32_767, 255)), patch(1, 255));
        map.resync();
        assert_eq!(map.forward(long(5000, 77)), patch(3, 1));
        assert_eq!(map.forward(long(5001, 77)), patch(4, 1));
        assert_eq!(map.forward(long(5002, 78)), patch(5, 2));
    }

    #[test]
    fn dropped_frames_leave_no_gap() {
        let mut map = PictureIdMap::new();
        assert_eq!(map.forward(long(10, 3)), patch(1, 3));
        map.drop_picture(long(11, 3));
        map.drop_picture(long(11, 3));
        assert_eq!(map.forward(long(12, 4)), patch(2, 4));
    }

    #[test]
    fn short_ids_stay_short() {
        let mut map = PictureIdMap::new();
        let short =
            |picture_id| PictureIds { picture_id: Some(picture_id), is_long: false, tl0_pic_idx: None };
        for frame in 0..300u16 {
            let PayloadPatch::Vp8 { picture_id, tl0_pic_idx: None } =
                map.forward(short((100 + frame) & 0x7f))
            else {
                panic!("a packet with a PictureID is patched");
            };
            assert_eq!(picture_id, Some((1 + frame) & 0x7f));
        }
    }

    #[test]
    fn packets_without_ids_are_not_patched() {
        assert_eq!(PictureIdMap::new().forward(PictureIds::default()), PayloadPatch::None);
    }
}
