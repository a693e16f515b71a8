//! VP9's picture id and TL0PICIDX (RFC 9628 section 4.2) of a consumer: they go on over pauses, switches and exchanged sources.
//!
//! Within a run they keep their distances: pictures refer to one another by how far back their ids are (P_DIFF), also over pictures
//! that were left out. So one number is added to all ids of a run, and none at all before the first switch.

use crate::verdict::PayloadPatch;
use tureen_rtp_wire::payload::vp8::PictureId;
use tureen_rtp_wire::payload::vp9::Descriptor;

/// What is added to the ids of a consumer, modulo their width.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Vp9Ids {
    offset: u16,
    /// The newest picture that was sent.
    newest: Option<Sent>,
    /// The next packet with a picture id begins a run.
    starts: bool,
    tl0_offset: u8,
    newest_tl0: Option<u8>,
    /// The next packet with a TL0PICIDX begins a run.
    tl0_starts: bool,
}

/// A picture id as the source had it, and as it was sent.
#[derive(Clone, Copy, Debug)]
struct Sent {
    source: u16,
    sent: u16,
    long: bool,
}

impl Vp9Ids {
    pub(crate) const fn new() -> Self {
        Self { offset: 0, newest: None, starts: true, tl0_offset: 0, newest_tl0: None, tl0_starts: true }
    }

    /// The next packet starts anew, and its ids follow the newest so far.
    pub(crate) const fn resync(&mut self) {
        self.starts = true;
        self.tl0_starts = true;
    }

    /// The next run begins with this packet, whether it is forwarded or not: packets of its picture may come behind those of others.
    pub(crate) fn begin(&mut self, descriptor: &Descriptor) {
        self.resync();
        if self.newest.is_some() || self.newest_tl0.is_some() {
            self.forward(descriptor);
        }
    }

    /// The patch for a packet that is forwarded: none if its ids stay as they are.
    #[inline]
    pub(crate) fn forward(&mut self, descriptor: &Descriptor) -> PayloadPatch {
        let id = descriptor.picture_id;
        let tl0_pic_idx = descriptor.layers.and_then(|layers| layers.tl0_pic_idx);
        let sent = id.map(|id| self.forward_picture_id(id));
        let sent_tl0 = tl0_pic_idx.map(|tl0_pic_idx| self.forward_tl0(tl0_pic_idx));
        if sent == id.map(|id| id.value) && sent_tl0 == tl0_pic_idx {
            return PayloadPatch::None;
        }
        PayloadPatch::Vp9 { picture_id: sent.unwrap_or(0), tl0_pic_idx: sent_tl0.unwrap_or(0) }
    }

    #[inline]
    fn forward_picture_id(&mut self, id: PictureId) -> u16 {
        let starts = std::mem::take(&mut self.starts);
        if let Some(newest) = self.newest {
            if starts {
                self.offset = newest.sent.wrapping_add(1).wrapping_sub(id.value);
            } else if id.long && !newest.long && newest.is_behind(self.sent_as(id)) {
                // Section 4.2: an id that grows from 7 to 15 bits goes on with zeros in front.
                self.offset = newest.sent.wrapping_sub(newest.source);
            }
        }
        let sent = self.sent_as(id);
        if self.newest.is_none_or(|newest| newest.is_behind(sent)) {
            self.newest = Some(sent);
        }
        sent.sent
    }

    fn sent_as(&self, id: PictureId) -> Sent {
        let sent = id.value.wrapping_add(self.offset) & if id.long { 0x7fff } else { 0x7f };
        Sent { source: id.value, sent, long: id.long }
    }

    #[inline]
    fn forward_tl0(&mut self, tl0_pic_idx: u8) -> u8 {
        if std::mem::take(&mut self.tl0_starts)
            && let Some(newest) = self.newest_tl0
        {
            self.tl0_offset = newest.wrapping_add(1).wrapping_sub(tl0_pic_idx);
        }
        let sent = tl0_pic_idx.wrapping_add(self.tl0_offset);
        if self.newest_tl0.is_none_or(|newest| sent.wrapping_sub(newest) < 1 << 7) {
            self.newest_tl0 = Some(sent);
        }
        sent
    }
}

impl Sent {
    /// Whether `other` is newer, by the bits that both have.
    fn is_behind(self, other: Self) -> bool {
        let ahead = other.sent.wrapping_sub(self.sent);
        if self.long && other.long {
            (1..1 << 14).contains(&(ahead & 0x7fff))
        } else {
            (1..1 << 6).contains(&(ahead & 0x7f))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn long(picture_id: u16, tl0_pic_idx: u8) -> Descriptor {
        let [high, low] = (picture_id | 0x8000).to_be_bytes();
        Descriptor::parse(&[0xa8, high, low, 0, tl0_pic_idx, 0]).expect("a long id and TL0PICIDX")
    }

    fn flexible(picture_id: u16, is_long: bool) -> Descriptor {
        let [high, low] = (picture_id | 0x8000).to_be_bytes();
        let payload: &[u8] = if is_long { &[0x90, high, low, 0] } else { &[0x90, low & 0x7f, 0] };
        Descriptor::parse(payload).expect("a picture id")
    }

    fn patch(picture_id: u16, tl0_pic_idx: u8) -> PayloadPatch {
        PayloadPatch::Vp9 { picture_id, tl0_pic_idx }
    }

    /// The id that a packet is sent with.
    fn sent(ids: &mut Vp9Ids, picture_id: u16, is_long: bool) -> u16 {
        match ids.forward(&flexible(picture_id, is_long)) {
            PayloadPatch::Vp9 { picture_id, .. } => picture_id,
            _ => picture_id & if is_long { 0x7fff } else { 0x7f },
        }
    }

    #[test]
    fn the_ids_of_the_first_run_are_left_alone() {
        let mut ids = Vp9Ids::new();
        for (picture_id, tl0_pic_idx) in [(32_766, 255), (32_767, 255), (2, 0), (1, 0), (2, 0)] {
            assert_eq!(ids.forward(&long(picture_id, tl0_pic_idx)), PayloadPatch::None);
        }
    }

    #[test]
    fn a_run_follows_the_one_before_and_keeps_its_distances() {
        let mut ids = Vp9Ids::new();
        assert_eq!(ids.forward(&long(32_767, 255)), PayloadPatch::None);
        assert_eq!(ids.forward(&long(32_766, 254)), PayloadPatch::None, "late");
        ids.resync();
        assert_eq!(ids.forward(&long(500, 7)), patch(0, 0));
        assert_eq!(ids.forward(&long(500, 7)), patch(0, 0), "another packet of the picture");
        assert_eq!(ids.forward(&long(504, 8)), patch(4, 1), "three pictures were left out");
        assert_eq!(ids.forward(&long(502, 7)), patch(2, 0), "late");
        ids.resync();
        assert_eq!(ids.forward(&long(500, 7)), patch(5, 2));
    }

    #[test]
    fn a_run_whose_ids_fit_by_chance_needs_no_patch() {
        let mut ids = Vp9Ids::new();
        assert_eq!(ids.forward(&long(10, 3)), PayloadPatch::None);
        ids.resync();
        assert_eq!(ids.forward(&long(11, 4)), PayloadPatch::None);
    }

    #[test]
    fn widths_go_on_into_each_other() {
        let mut ids = Vp9Ids::new();
        assert_eq!(sent(&mut ids, 1000, true), 1000);
        ids.resync();
        assert_eq!(sent(&mut ids, 125, false), 1001 & 0x7f);
        assert_eq!(sent(&mut ids, 126, false), 1002 & 0x7f);
        assert_eq!(sent(&mut ids, 127, true), (1002 & 0x7f) + 1, "zeros in front");
        assert_eq!(sent(&mut ids, 126, false), 1002 & 0x7f, "late");
        assert_eq!(sent(&mut ids, 128, true), (1002 & 0x7f) + 2);
        assert_eq!(sent(&mut ids, 129 & 0x7f, false), (1002 & 0x7f) + 3);
        ids.resync();
        assert_eq!(sent(&mut ids, 30_000, true), (1002 & 0x7f) + 4);
    }

    #[test]
    fn packets_without_ids_are_not_patched() {
        let descriptor = Descriptor::parse(&[0x08, 0]).expect("a descriptor of flags alone");
        let mut ids = Vp9Ids::new();
        assert_eq!(ids.forward(&long(7, 7)), PayloadPatch::None);
        ids.resync();
        assert_eq!(ids.forward(&descriptor), PayloadPatch::None);
        assert_eq!(ids.forward(&long(70, 70)), patch(8, 8), "it begins the run");
    }

    proptest! {
        /// Runs of pictures of one width, each with gaps and late packets: against sums of their distances.
        #[test]
        fn ids_are_the_distances_summed_up(
            is_long: bool,
            runs in prop::collection::vec(
                (any::<u16>(), prop::collection::vec((0u16..5, 0u16..4), 1..40)), 1..6,
            ),
        ) {
            let mask = if is_long { 0x7fff } else { 0x7f };
            let mut ids = Vp9Ids::new();
            let mut expected = None;
            for (first, steps) in runs {
                ids.resync();
                let mut source = first & mask;
                let mut newest = expected.map_or(source, |last: u16| (last + 1) & mask);
                prop_assert_eq!(sent(&mut ids, source, is_long), newest);
                let start = source;
                for (ahead, back) in steps {
                    source = source.wrapping_add(ahead);
                    newest = newest.wrapping_add(ahead);
                    prop_assert_eq!(sent(&mut ids, source & mask, is_long), newest & mask);
                    let back = back.min(source.wrapping_sub(start));
                    let late = sent(&mut ids, source.wrapping_sub(back) & mask, is_long);
                    prop_assert_eq!(late, newest.wrapping_sub(back) & mask);
                }
                expected = Some(newest & mask);
            }
        }

        #[test]
        fn no_id_is_too_wide_and_each_run_begins_with_the_next(
            packets in prop::collection::vec((any::<u16>(), any::<bool>(), any::<bool>()), 0..200),
        ) {
            let mut ids = Vp9Ids::new();
            for (picture_id, is_long, starts) in packets {
                if starts {
                    ids.resync();
                }
                let before = ids.newest;
                let sent = sent(&mut ids, picture_id & 0x7fff, is_long);
                let widest = if is_long { 0x7fff } else { 0x7f };
                prop_assert!(sent <= widest);
                if let Some(newest) = before.filter(|_| starts) {
                    prop_assert_eq!(sent & 0x7f, newest.sent.wrapping_add(1) & 0x7f);
                }
            }
        }
    }
}
