//! RTP: the view stays inside of its bytes, patches change what they say, what the writer writes reads back.
//!
//! Planted: a patched packet loses its last octet of payload.

use crate::Fault;
use crate::bytes::Bytes;
use tureen_rtp_wire::rtp::{
    ExtensionForm, RtpHeader, RtpLayout, RtpPacket, RtpPacketMut, RtpWriter, classify,
};
use tureen_rtp_wire::validate;

pub(crate) fn run(data: &[u8], fault: Fault) {
    let _ = classify(data);
    let mut choices = Bytes::new(data);
    let header = RtpHeader {
        marker: choices.u8() & 1 == 1,
        payload_type: choices.u8() & 0x7f,
        sequence_number: choices.u16(),
        timestamp: choices.u32(),
        ssrc: choices.u32(),
    };
    let layout = RtpLayout::parse(data);
    assert_eq!(layout.is_ok(), RtpPacket::parse(data).is_ok());
    if validate::rtp(data).is_ok() {
        assert!(layout.is_ok(), "the stricter check passed");
    }
    let Ok(packet) = RtpPacket::parse(data) else { return };
    check_view(data, &packet);
    check_patch(data, &packet, &header, fault);
    check_writer(&packet, &header);
}

fn check_view(data: &[u8], packet: &RtpPacket<'_>) {
    let layout = packet.layout();
    assert_eq!(layout.total_len(), data.len());
    assert_eq!(RtpLayout::header_len_of(data), Ok(layout.header_len()));
    assert!(layout.extension_range().end <= layout.header_len());
    assert_eq!(layout.payload_range().start, layout.header_len());
    assert_eq!(layout.payload_range().end + usize::from(layout.padding_len()), data.len());
    assert_eq!(packet.payload(), &data[layout.payload_range()]);
    let mut seen = [false; 256];
    for (id, value) in packet.extensions() {
        if !std::mem::replace(&mut seen[usize::from(id)], true) {
            assert_eq!(packet.extension(id), Some(value), "the first of its id");
        }
    }
    for id in 1..=255 {
        assert_eq!(packet.extension(id).is_some(), seen[usize::from(id)], "id {id}");
    }
}

fn check_patch(data: &[u8], packet: &RtpPacket<'_>, header: &RtpHeader, fault: Fault) {
    let mut copy = data.to_vec();
    let mut patched =
        RtpPacketMut::from_parts(&mut copy, packet.layout()).expect("the layout is that of the bytes");
    assert!(patched.set_header(header));
    if fault == Fault::Planted && packet.payload().len() > 40 {
        copy.pop();
    }
    let after = RtpPacket::parse(&copy).expect("a patched packet stays one");
    assert_eq!(after.header(), *header);
    assert_eq!(after.layout(), packet.layout());
    assert_eq!(after.payload(), packet.payload());
    assert!(after.extensions().eq(packet.extensions()));
    assert!(after.csrcs().eq(packet.csrcs()));
}

fn check_writer(packet: &RtpPacket<'_>, header: &RtpHeader) {
    let mut buffer = vec![0; packet.bytes().len() * 2 + 64];
    let mut writer =
        RtpWriter::new(&mut buffer, header, ExtensionForm::TwoByte).expect("the buffer has room");
    for csrc in packet.csrcs() {
        writer.csrc(csrc).expect("no more than 15");
    }
    let mut written = Vec::new();
    for (id, value) in packet.extensions() {
        if id != 0 && writer.push_extension(id, value).is_ok() {
            written.push((id, value));
        }
    }
    writer.payload(packet.payload()).expect("the buffer has room");
    let len = writer.finish();
    let again = RtpPacket::parse(&buffer[..len]).expect("what was written reads");
    assert_eq!((again.header(), again.payload()), (*header, packet.payload()));
    assert!(again.extensions().eq(written), "extensions read back");
}
