//! Walks one packet and rewrites a copy of it for each of three receivers, as an SFU does.

use std::io::{self, Write};

use tureen_rtp_wire::WireError;
use tureen_rtp_wire::payload::{PayloadDescriptor, PayloadFormat, vp8};
use tureen_rtp_wire::rtp::{ExtensionForm, RtpHeader, RtpPacket, RtpPacketMut, RtpWriter};

/// The negotiated id of transport-wide sequence numbers.
const TRANSPORT_CC: u8 = 3;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut buf = [0; 1500];
    let len = source_packet(&mut buf)?;
    let source = RtpPacket::parse(buf.get(..len).ok_or(WireError::Truncated)?)?;
    let descriptor = PayloadDescriptor::parse(PayloadFormat::Vp8, source.payload());
    let Some(PayloadDescriptor::Vp8(descriptor)) = descriptor else { return Err("not VP8".into()) };
    writeln!(io::stdout(), "in:  {:?}, key frame: {}", source.header(), descriptor.is_key_frame())?;

    for receiver in 0..3u16 {
        let mut slot = [0; 1500];
        let egress = slot.get_mut(..len).ok_or(WireError::BufferFull)?;
        egress.copy_from_slice(source.bytes());
        let mut egress = RtpPacketMut::from_parts(egress, source.layout()).ok_or(WireError::Length)?;
        let header = RtpHeader {
            sequence_number: 1000 * (receiver + 1),
            ssrc: 0x1000_0000 + u32::from(receiver),
            ..source.header()
        };
        if !egress.set_header(&header) || !vp8::patch(egress.payload_mut(), &descriptor, 100 + receiver, 9) {
            return Err("the packet does not take the rewrite".into());
        }
        if let Some(value) = egress.extension_mut(TRANSPORT_CC) {
            value.copy_from_slice(&(receiver + 7).to_be_bytes());
        }
        let view = egress.view().ok_or(WireError::Length)?;
        let patched = vp8::Descriptor::parse(view.payload()).and_then(|d| d.picture_id);
        writeln!(
            io::stdout(),
            "out: {:?}, {patched:?}, transport-cc {:?}",
            view.header(),
            view.extension(TRANSPORT_CC)
        )?;
    }
    Ok(())
}

/// The first packet of a VP8 key frame with a 15-bit picture id and a transport-wide sequence number.
fn source_packet(buf: &mut [u8]) -> Result<usize, WireError> {
    let header = RtpHeader { marker: true, payload_type: 96, sequence_number: 5, timestamp: 90_000, ssrc: 7 };
    let mut writer = RtpWriter::new(buf, &header, ExtensionForm::OneByte)?;
    writer.push_extension(TRANSPORT_CC, &[0, 1])?;
    writer.payload(&[0x90, 0xc0, 0x80, 0x01, 0x01, 0x00, 0xaa, 0xbb])?;
    Ok(writer.finish())
}
