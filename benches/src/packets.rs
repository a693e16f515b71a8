//! VP8 packets as a browser sends them: abs-send-time and transport-wide-cc in the header, a full payload descriptor.

use tureen_rtp_wire::rtp::{ExtensionForm, RtpHeader, RtpLayout, RtpWriter, patch_header};

/// SSRC of the media.
pub const SSRC: u32 = 0x1122_3344;
/// Payload type of the media.
pub const PAYLOAD_TYPE: u8 = 96;
/// Payload type of its retransmissions.
pub const RTX_PAYLOAD_TYPE: u8 = 97;
/// Id of abs-send-time.
pub const ABS_SEND_TIME_ID: u8 = 2;
/// Id of the transport-wide sequence number.
pub const TRANSPORT_WIDE_CC_ID: u8 = 3;

/// Packets of one frame.
const FRAME_PACKETS: u16 = 4;
/// Offset of the descriptor's flags: behind 12 bytes of header and 12 of header extension.
const DESCRIPTOR_AT: usize = 24;

/// One packet of `len` bytes, header and all: the first of a key frame.
///
/// # Panics
/// Under 48 bytes.
pub fn vp8_packet(len: usize) -> Vec<u8> {
    assert!(len >= 48, "a header, a descriptor and something to send");
    let header = RtpHeader { payload_type: PAYLOAD_TYPE, ssrc: SSRC, ..RtpHeader::default() };
    let mut bytes = vec![0; len];
    let mut writer = RtpWriter::new(&mut bytes, &header, ExtensionForm::OneByte).expect("a header fits");
    writer.push_extension(ABS_SEND_TIME_ID, &[1, 2, 3]).expect("an extension fits");
    writer.push_extension(TRANSPORT_WIDE_CC_ID, &[4, 5]).expect("an extension fits");
    let payload = writer.reserve_payload(len - DESCRIPTOR_AT).expect("the payload fits");
    for (at, byte) in payload.iter_mut().enumerate() {
        *byte = at as u8;
    }
    // X, S, partition 0; I, L; a PictureID of 15 bits; TL0PICIDX; then a frame header of a key frame (RFC 7741 section 4).
    payload[..6].copy_from_slice(&[0x90, 0xc0, 0x80, 0, 0, 0x10]);
    assert_eq!(writer.finish(), len, "the packet has the length asked for");
    bytes
}

/// A stream of such packets: frames of four packets at 90 kHz and 30 frames a second.
#[derive(Debug)]
pub struct Vp8Stream {
    template: Vec<u8>,
    layout: RtpLayout,
    sent: u32,
}

impl Vp8Stream {
    /// A stream of packets of `len` bytes.
    pub fn new(len: usize) -> Self {
        let template = vp8_packet(len);
        let layout = RtpLayout::parse(&template).expect("the template is a packet");
        Self { template, layout, sent: 0 }
    }

    /// A packet like each that the stream sends.
    pub fn template(&self) -> &[u8] {
        &self.template
    }

    /// Its layout.
    pub fn layout(&self) -> RtpLayout {
        self.layout
    }

    /// A buffer that [`Vp8Stream::advance`] can patch.
    pub fn buffer(&self) -> Vec<u8> {
        self.template.clone()
    }

    /// Patches a buffer into the next packet. Only the first frame is a key frame.
    pub fn advance(&mut self, buffer: &mut [u8]) {
        let (frame, place) = (self.sent / u32::from(FRAME_PACKETS), self.sent as u16 % FRAME_PACKETS);
        let header = RtpHeader {
            marker: place + 1 == FRAME_PACKETS,
            payload_type: PAYLOAD_TYPE,
            sequence_number: self.sent as u16,
            timestamp: frame.wrapping_mul(3000),
            ssrc: SSRC,
        };
        assert!(patch_header(buffer, &header), "a packet of this stream");
        let [high, low] = (frame as u16).to_be_bytes();
        let start = if place == 0 { 0x90 } else { 0x80 };
        let inter_frame = u8::from(frame > 0);
        buffer[DESCRIPTOR_AT..DESCRIPTOR_AT + 6].copy_from_slice(&[
            start,
            0xc0,
            high | 0x80,
            low,
            frame as u8,
            0x10 | inter_frame,
        ]);
        self.sent += 1;
    }
}
