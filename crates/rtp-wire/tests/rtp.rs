//! RTP: known packets, and what is written comes back.

use hex_literal::hex;
use proptest::prelude::*;
use tureen_rtp_wire::WireError;
use tureen_rtp_wire::rtp::{
    self, ExtensionForm, ExtensionProfile, RtpHeader, RtpLayout, RtpPacket, RtpPacketMut, RtpWriter,
};

/// V=2, X, 1 CSRC, M, PT 96; one-byte extension: id 1 "a", padding, id 2 of three octets; payload of 4, padding of 2.
const FULL: [u8; 34] =
    hex!("b1 e0 1234 89abcdef 01020304 0a0b0c0d  bede 0002 10 61 00 22 010203 00  deadbeef 00 02  ");

#[test]
fn a_full_packet_comes_apart() {
    let packet = RtpPacket::parse(&FULL[..]).expect("valid");
    assert!(packet.marker());
    assert_eq!(packet.payload_type(), 96);
    assert_eq!(packet.sequence_number(), 0x1234);
    assert_eq!(packet.timestamp(), 0x89ab_cdef);
    assert_eq!(packet.ssrc(), 0x0102_0304);
    assert_eq!(packet.csrcs().collect::<Vec<_>>(), [0x0a0b_0c0d]);
    assert_eq!(packet.layout().extension_profile(), ExtensionProfile::OneByte);
    assert_eq!(packet.extensions().collect::<Vec<_>>(), [(1, &b"a"[..]), (2, &[1, 2, 3])]);
    assert_eq!(packet.extension(2), Some(&[1, 2, 3][..]));
    assert_eq!(packet.extension(3), None);
    assert_eq!(packet.payload(), [0xde, 0xad, 0xbe, 0xef]);
    assert_eq!(packet.padding_len(), 2);
    assert!(!packet.is_padding_only());
    assert_eq!(packet.layout().header_len(), 28);
    assert_eq!(packet.layout().total_len(), FULL.len());
}

#[test]
fn a_layout_is_small() {
    assert!(size_of::<RtpLayout>() <= 16, "{}", size_of::<RtpLayout>());
}

#[test]
fn every_truncation_is_refused_or_shortens_the_payload() {
    for len in 0..28 {
        assert_eq!(RtpLayout::parse(&FULL[..len]), Err(WireError::Truncated), "{len} octets");
    }
}

#[test]
fn bad_packets_are_refused() {
    let refused = |bytes: &[u8]| RtpLayout::parse(bytes).expect_err("to be refused");
    assert_eq!(refused(&hex!("40 60 0001 00000001 00000009")), WireError::Version);
    assert_eq!(refused(&hex!("a0 60 0001 00000001 00000009")), WireError::Padding, "P without a count");
    assert_eq!(refused(&hex!("a0 60 0001 00000001 00000009 00")), WireError::Padding, "a count of zero");
    assert_eq!(
        refused(&hex!("a0 60 0001 00000001 00000009 aa 03")),
        WireError::Padding,
        "more than the payload"
    );
    assert_eq!(
        refused(&hex!("90 60 0001 00000001 00000009 1000 0001 00000005")),
        WireError::ExtensionOverrun
    );
    assert_eq!(
        refused(&hex!("90 60 0001 00000001 00000009 1000 0001 05040102")),
        WireError::ExtensionOverrun
    );
    assert_eq!(refused(&[0x80; 65536]), WireError::TooLong);
    assert!(RtpLayout::parse(&[0x80; 65535]).is_ok());
}

#[test]
fn a_probe_is_padding_only() {
    let packet =
        RtpPacket::parse(&hex!("a0 60 0001 00000001 00000009 00 00 00 04")[..]).map(|p| p.is_padding_only());
    assert_eq!(packet, Ok(true));
}

#[test]
fn one_byte_blocks_end_at_id_15_and_at_id_0_with_a_length() {
    let packet = hex!("90 60 0001 00000001 00000009 bede 0002 10 61 f2 20 62 20 63 00 ff");
    let found = RtpPacket::parse(&packet).expect("valid");
    assert_eq!(found.extensions().collect::<Vec<_>>(), [(1, &b"a"[..])]);
    assert_eq!(found.payload(), [0xff]);
    let packet = hex!("90 60 0001 00000001 00000009 bede 0001 10 61 02 20");
    assert_eq!(RtpPacket::parse(&packet).expect("valid").extensions().count(), 1);
}

#[test]
fn two_byte_blocks_have_long_ids_and_empty_values() {
    let packet = hex!("90 60 0001 00000001 00000009 1003 0002 00 c8 00 01 03 aabbcc 55");
    let found = RtpPacket::parse(&packet).expect("valid");
    assert_eq!(found.layout().extension_profile(), ExtensionProfile::TwoByte);
    assert_eq!(found.extensions().collect::<Vec<_>>(), [(200, &[][..]), (1, &[0xaa, 0xbb, 0xcc])]);
}

#[test]
fn another_profile_is_carried_unread() {
    let packet = hex!("90 60 0001 00000001 00000009 abcd 0001 1f010203 55");
    let found = RtpPacket::parse(&packet).expect("valid");
    assert_eq!(found.layout().extension_profile(), ExtensionProfile::Other);
    assert_eq!(found.extensions().count(), 0);
    assert_eq!(found.payload(), [0x55]);
}

#[test]
fn patches_change_their_field_only() {
    let mut bytes = FULL;
    let mut packet = RtpPacketMut::parse(&mut bytes).expect("valid");
    packet.set_marker(false);
    assert!(packet.set_payload_type(127));
    assert!(!packet.set_payload_type(128));
    packet.set_sequence_number(7);
    packet.set_timestamp(8);
    packet.set_ssrc(9);
    packet.extension_mut(2).expect("present").copy_from_slice(&[7, 8, 9]);
    let expected =
        hex!("b1 7f 0007 00000008 00000009 0a0b0c0d  bede 0002 10 61 00 22 070809 00  deadbeef 00 02");
    assert_eq!(bytes, expected);
    assert!(!rtp::set_ssrc(&mut [0; 11], 1));
}

#[test]
fn the_writer_keeps_the_order_and_the_forms() {
    let header = RtpHeader { payload_type: 96, ..RtpHeader::default() };
    let mut buf = [0xff; 64];
    let mut writer = RtpWriter::new(&mut buf, &header, ExtensionForm::OneByte).expect("room");
    assert_eq!(writer.push_extension(15, b"a"), Err(WireError::ExtensionId));
    assert_eq!(writer.push_extension(0, b"a"), Err(WireError::ExtensionId));
    assert_eq!(writer.push_extension(1, b""), Err(WireError::ExtensionLength));
    assert_eq!(writer.push_extension(1, &[0; 17]), Err(WireError::ExtensionLength));
    assert_eq!(writer.reserve_extension(3, 2), Some(17..19));
    assert_eq!(writer.csrc(1), Err(WireError::Order));
    assert_eq!(writer.payload(&[0; 64]), Err(WireError::BufferFull));
    assert_eq!(writer.push_extension(4, b"z"), Ok(()), "a refused payload closes nothing");
    assert_eq!(writer.payload(&[1, 2]), Ok(()));
    assert_eq!(writer.push_extension(5, b"z"), Err(WireError::Order));
    assert_eq!(writer.padding(3), Ok(()));
    assert_eq!(writer.payload(&[1]), Err(WireError::Order));
    let len = writer.finish();
    assert_eq!(buf[..len], hex!("b0 60 0000 00000000 00000000 bede 0002 31 0000 40 7a 000000 0102 000003"));
    let bad = RtpHeader { payload_type: 128, ..RtpHeader::default() };
    assert_eq!(RtpWriter::new(&mut buf, &bad, ExtensionForm::OneByte).err(), Some(WireError::PayloadType));
    assert_eq!(
        RtpWriter::new(&mut [0; 11], &header, ExtensionForm::OneByte).err(),
        Some(WireError::BufferFull)
    );
}

#[test]
fn extension_values() {
    use rtp::extension::{self as value, AbsCaptureTime, AudioLevel, PlayoutDelay, VideoOrientation};
    use std::time::Duration;
    assert_eq!(value::abs_send_time(&[1, 2, 3]), Some(0x010203));
    assert_eq!(value::write_abs_send_time(0x0a0b0c), [0x0a, 0x0b, 0x0c]);
    assert_eq!(value::abs_send_time(&[1, 2]), None);
    assert_eq!(value::transport_sequence_number(&[1, 2]), Some(0x0102));
    assert_eq!(value::transport_sequence_number(&[1]), None);
    assert_eq!(AudioLevel::parse(&[0x9e]), Some(AudioLevel { voice: true, level: 30 }));
    assert_eq!(AudioLevel { voice: false, level: 200 }.to_octet(), 127);
    let turned = VideoOrientation::parse(&[0x0f]).expect("one octet");
    assert_eq!((turned.back_camera, turned.flip, turned.degrees()), (true, true, 270));
    assert_eq!(turned.to_octet(), 0x0f);
    let capture = AbsCaptureTime::parse(&hex!("0000000100000002 ffffffffffffffff")).expect("16 octets");
    assert_eq!((capture.capture.seconds(), capture.clock_offset), (1, Some(-1)));
    let mut out = [0; 16];
    assert!(capture.write(&mut out));
    assert_eq!(out, hex!("0000000100000002 ffffffffffffffff"));
    assert!(!capture.write(&mut [0; 9]));
    let delay = PlayoutDelay::new(Duration::from_millis(20), Duration::from_millis(400)).expect("in range");
    assert_eq!(delay.to_octets(), hex!("00 20 28"));
    assert_eq!(PlayoutDelay::parse(&delay.to_octets()), Some(delay));
    assert_eq!(PlayoutDelay::parse(&hex!("00 30 02")), None, "min over max");
    assert_eq!(value::rid(b"r0"), Some("r0"));
    assert_eq!(value::rid(b"r-0"), None);
    assert_eq!(value::rid(b""), None);
    assert_eq!(value::mid(b"a-0"), Some("a-0"));
    assert_eq!(value::mid(b"a 0"), None);
}

prop_compose! {
    fn any_header()(marker: bool, payload_type in 0u8..128, sequence_number: u16, timestamp: u32, ssrc: u32) -> RtpHeader {
        RtpHeader { marker, payload_type, sequence_number, timestamp, ssrc }
    }
}

proptest! {
    #[test]
    fn what_is_written_comes_back(
        header in any_header(),
        csrcs in prop::collection::vec(any::<u32>(), 0..16),
        two_byte: bool,
        elements in prop::collection::vec((1u8..15, prop::collection::vec(any::<u8>(), 1..17)), 0..8),
        payload in prop::collection::vec(any::<u8>(), 0..100),
        padding: u8,
        room in 0usize..700,
    ) {
        let form = if two_byte { ExtensionForm::TwoByte } else { ExtensionForm::OneByte };
        let write = |buf: &mut [u8]| -> Result<usize, WireError> {
            let mut writer = RtpWriter::new(buf, &header, form)?;
            for &csrc in &csrcs {
                writer.csrc(csrc)?;
            }
            for (id, value) in &elements {
                writer.push_extension(*id, value)?;
            }
            writer.payload(&payload)?;
            writer.padding(padding)?;
            Ok(writer.finish())
        };
        let mut buf = [0xa5; 1000];
        let len = write(&mut buf).expect("room for all");
        let packet = RtpPacket::parse(&buf[..len]).expect("valid");
        prop_assert_eq!(packet.header(), header);
        prop_assert!(packet.csrcs().eq(csrcs.iter().copied()));
        prop_assert!(packet.extensions().eq(elements.iter().map(|(id, value)| (*id, &value[..]))));
        prop_assert_eq!(packet.payload(), &payload[..]);
        prop_assert_eq!(packet.padding_len(), padding);
        // A buffer of any size is filled exactly or refused, and never overrun.
        let mut small = vec![0; room];
        let written = write(&mut small);
        if room < len {
            prop_assert_eq!(written, Err(WireError::BufferFull));
        } else {
            prop_assert_eq!(written, Ok(len));
            prop_assert_eq!(&small[..len], &buf[..len]);
        }
    }

    #[test]
    fn mutated_packets_never_panic(
        flips in prop::collection::vec((0usize..FULL.len(), any::<u8>()), 0..6), cut in 0usize..=FULL.len(),
    ) {
        let mut bytes = FULL;
        for (at, value) in flips {
            bytes[at] = value;
        }
        let bytes = &mut bytes[..cut];
        if let Ok(packet) = RtpPacket::parse(bytes) {
            let layout = packet.layout();
            let covered = layout.header_len() + packet.payload().len() + usize::from(packet.padding_len());
            prop_assert_eq!(covered, bytes.len());
            for (id, value) in packet.extensions() {
                prop_assert!(packet.extension(id).is_some());
                prop_assert!(value.len() <= 255);
            }
            let _ = packet.csrcs().count();
            let mut again = RtpPacketMut::from_parts(bytes, layout).expect("the same length");
            if let Some(value) = again.extension_mut(1) {
                value.fill(0);
            }
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), other: u8) {
        let _ = rtp::classify(&bytes);
        if let Ok(layout) = RtpLayout::parse(&bytes) {
            // A layout put to other bytes of the same length gives wrong fields, and no panic.
            let foreign = vec![other; bytes.len()];
            let packet = RtpPacket::from_parts(&foreign, layout).expect("the same length");
            let _ = (packet.extensions().count(), packet.csrcs().count(), packet.payload(), packet.extension(1));
            prop_assert!(RtpPacket::from_parts(&foreign[1..], layout).is_none());
        }
    }
}
