//! VP8's ids through their map and into the payload: the packets of a picture share an id, and nothing but the ids changes. Read beside
//! a second reader, which goes by the drawing in RFC 7741 section 4.2.
//!
//! Planted: a short picture id is written where TL0PICIDX is.

use crate::Fault;
use crate::bytes::Bytes;
use tureen_forwarding::{PayloadPatch, PictureIdMap};
use tureen_rtp_wire::payload::{PayloadDescriptor, vp8};

pub(crate) fn run(data: &[u8], fault: Fault) {
    let mut input = Bytes::new(data);
    let mut map = PictureIdMap::new();
    // What the last picture that was forwarded had: its id here and there, and the width.
    let mut before: Option<(u16, u16, bool)> = None;
    while !input.is_empty() {
        let (operation, len) = (input.u8(), usize::from(input.u8() & 31));
        let payload = input.take(len);
        let Some(descriptor) = vp8::Descriptor::parse(payload) else {
            assert_eq!(read(payload), None, "the other reader finds one: {payload:02x?}");
            continue;
        };
        let ids = read(payload).expect("the other reader finds none");
        match operation % 8 {
            0 => {
                map.resync();
                before = None;
            }
            1 => {
                map.drop_picture(&descriptor);
                before = None;
            }
            _ => {
                let patch = map.forward(&descriptor);
                let id = rewritten(payload, &descriptor, &ids, patch, fault);
                if let (Some((_, source, long)), Some(id)) = (ids.picture_id, id) {
                    if let Some((last_source, last, last_long)) = before
                        && (last_source, last_long) == (source, long)
                    {
                        assert_eq!(id, last, "packets of a picture share its id");
                    }
                    before = Some((source, id, long));
                }
            }
        }
    }
}

/// Where the ids are: offset and value, and for picture ids whether they are long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ids {
    picture_id: Option<(usize, u16, bool)>,
    tl0_pic_idx: Option<(usize, u8)>,
}

/// The ids of a payload that goes on behind its descriptor.
fn read(payload: &[u8]) -> Option<Ids> {
    let mut ids = Ids { picture_id: None, tl0_pic_idx: None };
    let mut end = 1;
    if payload.first()? & 0x80 != 0 {
        let extension = *payload.get(1)?;
        end = 2;
        if extension & 0x80 != 0 {
            let high = *payload.get(end)?;
            let long = high >= 0x80;
            let low = if long { *payload.get(end + 1)? } else { 0 };
            let value = if long { u16::from(high - 0x80) * 256 + u16::from(low) } else { u16::from(high) };
            ids.picture_id = Some((end, value, long));
            end += 1 + usize::from(long);
        }
        if extension & 0x40 != 0 {
            ids.tl0_pic_idx = Some((end, *payload.get(end)?));
            end += 1;
        }
        end += usize::from(extension & 0x30 != 0);
    }
    (payload.len() > end).then_some(ids)
}

/// Patches a copy of the payload and compares; gives the picture id that it has then.
fn rewritten(
    payload: &[u8],
    descriptor: &vp8::Descriptor,
    ids: &Ids,
    patch: PayloadPatch,
    fault: Fault,
) -> Option<u16> {
    let mut copy = payload.to_vec();
    assert!(patch.apply(&mut copy, &PayloadDescriptor::Vp8(*descriptor)), "the patch is for this packet");
    let mut expected = payload.to_vec();
    let mut sent = None;
    match patch {
        PayloadPatch::None => assert_eq!((ids.picture_id, ids.tl0_pic_idx), (None, None)),
        PayloadPatch::Vp8 { picture_id, tl0_pic_idx } => {
            if let Some((mut at, _, long)) = ids.picture_id {
                if fault == Fault::Planted && !long {
                    at += 1;
                }
                sent = Some(if long { picture_id % 0x8000 } else { picture_id % 0x80 });
                if long {
                    expected[at] = 0x80 + (picture_id % 0x8000 / 256) as u8;
                    at += 1;
                }
                expected[at] = if long { picture_id as u8 } else { (picture_id % 0x80) as u8 };
            }
            if let Some((at, _)) = ids.tl0_pic_idx {
                expected[at] = tl0_pic_idx;
            }
        }
        other => panic!("{other:?} for VP8"),
    }
    assert_eq!(copy, expected, "only the ids change");
    sent
}
