//! Payload descriptors: no bytes make them panic, and a patch or a rewrite changes what it says and nothing else.

use proptest::prelude::*;
use tureen_rtp_wire::payload::red::{MAX_BLOCKS, RedPayload, renumber};
use tureen_rtp_wire::payload::{PayloadDescriptor, PayloadFormat, av1, h264, vp8, vp9};

const FORMATS: [PayloadFormat; 7] = [
    PayloadFormat::Opaque,
    PayloadFormat::Opus,
    PayloadFormat::Vp8,
    PayloadFormat::Vp9,
    PayloadFormat::H264,
    PayloadFormat::H265,
    PayloadFormat::Av1,
];

proptest! {
    #[test]
    fn arbitrary_payloads_never_panic(payload in prop::collection::vec(any::<u8>(), 0..64)) {
        for format in FORMATS {
            if let Some(descriptor) = PayloadDescriptor::parse(format, &payload) {
                prop_assert!(!descriptor.is_key_frame() || descriptor.starts_frame());
                prop_assert!(descriptor.spatial_layer() < 64 && descriptor.temporal_layer() < 8);
            }
        }
        prop_assert!(h264::nal_units(&payload).map(<[u8]>::len).sum::<usize>() <= payload.len());
        prop_assert!(av1::elements(&payload).map(<[u8]>::len).sum::<usize>() <= payload.len());
        let _ = h264::fragment(&payload);
    }

    #[test]
    fn a_vp8_patch_changes_two_fields_only(
        payload in prop::collection::vec(any::<u8>(), 1..16), picture_id in 0u16..0x8000, tl0: u8,
    ) {
        let Some(before) = vp8::Descriptor::parse(&payload) else { return Ok(()) };
        let mut patched = payload.clone();
        prop_assert!(vp8::patch(&mut patched, &before, picture_id, tl0));
        let after = vp8::Descriptor::parse(&patched).expect("still valid");
        let expected = vp8::Descriptor {
            picture_id: before.picture_id.map(|id| vp8::PictureId {
                value: if id.long { picture_id } else { picture_id & 0x7f },
                long: id.long,
            }),
            tl0_pic_idx: before.tl0_pic_idx.map(|_| tl0),
            ..before
        };
        prop_assert_eq!(after, expected);
        let head = usize::from(before.header_len);
        prop_assert_eq!(&patched[head..], &payload[head..]);
        // A descriptor that came from elsewhere never writes past the payload.
        for len in 0..patched.len() {
            let _ = vp8::patch(&mut patched[..len], &before, picture_id, tl0);
        }
    }

    #[test]
    fn the_long_vp8_form_says_the_same(
        payload in prop::collection::vec(any::<u8>(), 1..16), picture_id in 0u16..0x8000, tl0: u8, room in 0usize..8,
    ) {
        let Some(before) = vp8::Descriptor::parse(&payload) else { return Ok(()) };
        let body = &payload[usize::from(before.header_len)..];
        let mut out = [0xa5; 8];
        let written = vp8::write_long_picture_id(&mut out[..room], &before, picture_id, tl0);
        prop_assert!(out[room..].iter().all(|&octet| octet == 0xa5));
        let Some(len) = written else { return Ok(()) };
        let mut rewritten = out[..len].to_vec();
        rewritten.extend_from_slice(body);
        let after = vp8::Descriptor::parse(&rewritten).expect("valid");
        let expected = vp8::Descriptor {
            picture_id: Some(vp8::PictureId { value: picture_id, long: true }),
            tl0_pic_idx: before.tl0_pic_idx.map(|_| tl0),
            header_len: after.header_len,
            ..before
        };
        prop_assert_eq!(after, expected);
        prop_assert_eq!(usize::from(after.header_len), len);
    }

    #[test]
    fn a_vp9_patch_changes_two_fields_only(
        payload in prop::collection::vec(any::<u8>(), 1..40), picture_id in 0u16..0x8000, tl0: u8,
    ) {
        let Some(before) = vp9::Descriptor::parse(&payload) else { return Ok(()) };
        let mut patched = payload.clone();
        prop_assert!(vp9::patch(&mut patched, &before, picture_id, tl0));
        let after = vp9::Descriptor::parse(&patched).expect("still valid");
        let expected = vp9::Descriptor {
            picture_id: before.picture_id.map(|id| vp8::PictureId {
                value: if id.long { picture_id } else { picture_id & 0x7f },
                long: id.long,
            }),
            layers: before.layers.map(|layers| vp9::LayerIndices {
                tl0_pic_idx: layers.tl0_pic_idx.map(|_| tl0),
                ..layers
            }),
            ..before
        };
        prop_assert_eq!(after, expected);
    }
}

/// Redundant blocks (payload type, timestamp offset, data) and a primary one, written as RFC 2198 section 3 says.
fn red_payload(redundant: &[(u8, u16, Vec<u8>)], primary: (u8, &[u8])) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (payload_type, offset, data) in redundant {
        let header = 1 << 31 | u32::from(*payload_type) << 24 | u32::from(*offset) << 10 | data.len() as u32;
        bytes.extend(header.to_be_bytes());
    }
    bytes.push(primary.0);
    redundant.iter().for_each(|(_, _, data)| bytes.extend(data));
    bytes.extend(primary.1);
    bytes
}

fn red_block() -> impl Strategy<Value = (u8, u16, Vec<u8>)> {
    // Not 127, which is RED here.
    (0u8..127, 0u16..0x4000, prop::collection::vec(any::<u8>(), 0..1024))
}

proptest! {
    #[test]
    fn what_is_written_as_red_reads_back(
        redundant in prop::collection::vec(red_block(), 0..5),
        payload_type in 0u8..127,
        primary in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let payload = red_payload(&redundant, (payload_type, &primary));
        let red = RedPayload::parse(127, &payload).expect("valid");
        let mut blocks: Vec<_> = red.blocks().map(|b| (b.payload_type, b.timestamp_offset, b.data.to_vec())).collect();
        prop_assert_eq!(blocks.pop(), Some((payload_type, 0, primary.clone())));
        prop_assert_eq!(blocks, redundant);
        prop_assert_eq!(red.primary().payload_type(), payload_type);
        prop_assert_eq!(red.primary().data(&payload), primary);
    }

    #[test]
    fn any_payload_is_tiled_by_its_blocks_or_refused(
        payload in prop::collection::vec(prop_oneof![any::<u8>(), Just(0x80), Just(0), Just(111)], 0..80),
    ) {
        let Ok(red) = RedPayload::parse(127, &payload) else { return Ok(()) };
        let blocks: Vec<_> = red.blocks().collect();
        let headers_len = 4 * blocks.len() - 3;
        let tiles: Vec<u8> = blocks.iter().flat_map(|block| block.data).copied().collect();
        prop_assert_eq!(tiles, &payload[headers_len..]);
        prop_assert!(blocks.len() <= MAX_BLOCKS && blocks.iter().all(|block| block.payload_type < 127));
    }

    #[test]
    fn a_renumbered_payload_has_the_same_blocks(
        payload in prop::collection::vec(prop_oneof![any::<u8>(), Just(0x80), Just(0)], 0..80), added in 0u8..128,
    ) {
        let mut renumbered = payload.clone();
        renumber(&mut renumbered, |number| number.wrapping_add(added));
        // No payload type is 128, so that neither is refused for holding RED.
        let read = |payload: &[u8]| RedPayload::parse(128, payload).map(|red| {
            red.blocks().map(|b| (b.payload_type, b.timestamp_offset, b.data.to_vec())).collect::<Vec<_>>()
        });
        let expected = read(&payload).map(|mut blocks| {
            blocks.iter_mut().for_each(|block| block.0 = (block.0 + added) & 0x7f);
            blocks
        });
        prop_assert_eq!(read(&renumbered), expected);
    }
}
