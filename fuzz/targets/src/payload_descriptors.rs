//! Payload descriptors: read within bounds, patched without touching anything else; dependency descriptors read back; of parity nothing
//! is made beyond its bounds.
//!
//! The first byte chooses. Planted: the VP8 patch writes one octet beyond the descriptor.

use crate::Fault;
use crate::bytes::Bytes;
use tureen_rtp_wire::dependency_descriptor::{DependencyDescriptor, TemplateStructure};
use tureen_rtp_wire::payload::flexfec::{FlexFecPayload, MAX_PACKET_LEN, MAX_SPAN};
use tureen_rtp_wire::payload::{PayloadDescriptor, PayloadFormat, h264, vp8, vp9};
use tureen_rtp_wire::rtp::RtpPacket;

const FORMATS: [PayloadFormat; 7] = [
    PayloadFormat::Opaque,
    PayloadFormat::Opus,
    PayloadFormat::Vp8,
    PayloadFormat::Vp9,
    PayloadFormat::H264,
    PayloadFormat::H265,
    PayloadFormat::Av1,
];

/// This bit chooses parity over dependency descriptors.
const PARITY: u8 = 8;

pub(crate) fn run(data: &[u8], fault: Fault) {
    let mut input = Bytes::new(data);
    let choice = input.u8();
    let Some(&format) = FORMATS.get(usize::from(choice & 7)) else {
        return if choice & PARITY == 0 { dependency_descriptors(input) } else { parity(input) };
    };
    let (picture_id, tl0_pic_idx) = (input.u16() & 0x7fff, input.u8());
    let payload = input.rest();
    let Some(descriptor) = PayloadDescriptor::parse(format, payload) else { return };
    assert!(format == PayloadFormat::Opaque || !payload.is_empty());
    if descriptor.is_key_frame()
        && matches!(descriptor, PayloadDescriptor::Vp8(_) | PayloadDescriptor::H264(_))
    {
        assert!(descriptor.starts_frame());
    }
    let _ = (descriptor.spatial_layer(), descriptor.temporal_layer());
    match descriptor {
        PayloadDescriptor::Vp8(descriptor) => vp8(payload, &descriptor, picture_id, tl0_pic_idx, fault),
        PayloadDescriptor::Vp9(descriptor) => vp9(payload, &descriptor, picture_id, tl0_pic_idx),
        PayloadDescriptor::H264(_) => {
            assert!(h264::nal_units(payload).map(<[u8]>::len).sum::<usize>() <= payload.len());
            let _ = h264::fragment(payload);
        }
        _ => {}
    }
}

fn vp8(payload: &[u8], before: &vp8::Descriptor, picture_id: u16, tl0_pic_idx: u8, fault: Fault) {
    let header_len = usize::from(before.header_len);
    assert!(header_len <= vp8::MAX_DESCRIPTOR_LEN && header_len < payload.len());
    let mut patched = payload.to_vec();
    assert!(vp8::patch(&mut patched, before, picture_id, tl0_pic_idx), "its own descriptor fits");
    if fault == Fault::Planted && before.tl0_pic_idx.is_some() {
        patched[header_len] ^= 0x80;
    }
    assert_eq!(patched[header_len..], payload[header_len..], "nothing behind the descriptor changes");
    let after = vp8::Descriptor::parse(&patched).expect("a patched descriptor reads");
    assert_eq!(after.header_len, before.header_len);
    assert_eq!(after.temporal_layer, before.temporal_layer);
    assert_eq!((after.key_idx, after.layer_sync), (before.key_idx, before.layer_sync));
    assert_eq!(after.is_key_frame(), before.is_key_frame());
    assert_eq!(after.tl0_pic_idx, before.tl0_pic_idx.map(|_| tl0_pic_idx));
    let expected = |id: vp8::PictureId| if id.long { picture_id } else { picture_id & 0x7f };
    assert_eq!(after.picture_id.map(|id| id.value), before.picture_id.map(expected));
    let mut long = [0; vp8::MAX_DESCRIPTOR_LEN + 1];
    let len = vp8::write_long_picture_id(&mut long, before, picture_id, tl0_pic_idx)
        .expect("the longest form fits");
    let read = vp8::Descriptor::parse(&long[..len + 1]).expect("what was written reads");
    assert_eq!(usize::from(read.header_len), len);
    assert_eq!(read.picture_id, Some(vp8::PictureId { value: picture_id, long: true }));
    assert_eq!(read.temporal_layer, before.temporal_layer);
    let _ = vp8::key_frame_size(payload, before);
}

fn vp9(payload: &[u8], before: &vp9::Descriptor, picture_id: u16, tl0_pic_idx: u8) {
    let mut patched = payload.to_vec();
    if !vp9::patch(&mut patched, before, picture_id, tl0_pic_idx) {
        return;
    }
    let after = vp9::Descriptor::parse(&patched).expect("a patched descriptor reads");
    assert_eq!(after.is_key_frame(), before.is_key_frame());
    assert_eq!(after.starts_frame(), before.starts_frame());
    assert_eq!(
        (after.spatial_layer(), after.temporal_layer()),
        (before.spatial_layer(), before.temporal_layer())
    );
    let changed = patched.iter().zip(payload).filter(|(a, b)| a != b).count();
    assert!(changed <= 3, "a picture id and an index have three octets");
}

fn parity(mut input: Bytes<'_>) {
    let len = usize::from(input.u8());
    let Ok(parity) = FlexFecPayload::parse(input.take(len)) else { return };
    let numbers: Vec<u16> = parity.sequence_numbers().collect();
    assert!(!numbers.is_empty() && numbers.len() <= usize::from(MAX_SPAN));
    let mut packets = Vec::new();
    while !input.is_empty() {
        let len = usize::from(input.u16());
        packets.push(input.take(len));
    }
    let mut recovered = [0; MAX_PACKET_LEN];
    if let Ok(len) = parity.recover(numbers[0], packets, &mut recovered) {
        let Ok(packet) = RtpPacket::parse(&recovered[..len]) else { return };
        assert_eq!((packet.sequence_number(), packet.ssrc()), (numbers[0], parity.ssrc()));
    }
}

fn dependency_descriptors(mut input: Bytes<'_>) {
    let mut structure = TemplateStructure::default();
    while !input.is_empty() {
        let len = usize::from(input.u8());
        let value = input.take(len);
        let before = structure;
        let Ok(descriptor) = DependencyDescriptor::parse(value, &mut structure) else {
            assert!(structure == before, "an error changes nothing");
            continue;
        };
        assert!(descriptor.has_structure || structure == before);
        let mut buffer = [0; 1024];
        // Values that need no own field may make it shorter; it must say the same.
        let Some(len) = descriptor.write(&structure, &mut buffer) else {
            panic!("what was read can be written")
        };
        let mut copy = structure;
        let again = DependencyDescriptor::parse(&buffer[..len], &mut copy).expect("what was written reads");
        assert!(copy == structure, "the structure reads back");
        assert_eq!(again.mandatory, descriptor.mandatory);
        assert_eq!(again.frame, descriptor.frame);
    }
}
