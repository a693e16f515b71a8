//! One video stream from a source that loses packets to a receiver that joins late: key frame, renumbering, NACK in both directions.
#![allow(clippy::print_stdout, reason = "an example speaks to its reader")]

use std::error::Error;
use tureen_forwarding::{
    PacketInfo, PacketMeta, PacketStore, PacketStoreConfig, RecvStream, RecvStreamConfig, Resend, RtxConfig,
    SendStream, SendStreamConfig, SentPacket, SimpleSelector, SimpleSelectorConfig, Verdict,
};
use tureen_rtp_wire::Time;
use tureen_rtp_wire::payload::{PayloadDescriptor, PayloadFormat};
use tureen_rtp_wire::rtp::RtpPacket;

fn main() -> Result<(), Box<dyn Error>> {
    let mut source = RecvStream::new(RecvStreamConfig {
        ssrc: 0x1111,
        payload_type: 96,
        clock_rate: 90_000,
        use_nack: true,
        use_pli: true,
        ..RecvStreamConfig::default()
    });
    let mut store = PacketStore::new(PacketStoreConfig::VIDEO);
    let mut selector = SimpleSelector::new(SimpleSelectorConfig {
        needs_key_frame: true,
        clock_rate: 90_000,
        first_sequence_number: 7000,
        ..SimpleSelectorConfig::default()
    });
    let mut receiver = SendStream::new(SendStreamConfig {
        ssrc: 0x2222,
        payload_type: 101,
        clock_rate: 90_000,
        rtx: Some(RtxConfig { ssrc: 0x2223, payload_type: 102 }),
        rtx_first_sequence_number: 1,
        log_capacity: 1024,
        ..SendStreamConfig::default()
    });

    for number in (0..30u16).filter(|number| number % 10 != 7) {
        let now = Time::from_millis(u64::from(number) * 33);
        let bytes = vp8_packet(number, number == 12);
        let packet = RtpPacket::parse(&bytes)?;
        let descriptor = PayloadDescriptor::parse(PayloadFormat::Vp8, packet.payload()).ok_or("not VP8")?;
        let info = PacketInfo {
            sequence_number: packet.sequence_number(),
            timestamp: packet.timestamp(),
            payload_type: packet.payload_type(),
            size: bytes.len(),
            is_key_frame: descriptor.is_key_frame(),
            spatial_layer: descriptor.spatial_layer(),
            temporal_layer: descriptor.temporal_layer(),
        };
        let Some(extended_sequence) = source.on_packet(now, &info).extended_sequence() else {
            continue;
        };
        let meta = PacketMeta::new(now, extended_sequence, 0, &packet, descriptor);
        store.insert(&bytes, packet.layout(), &meta);

        match selector.decide(&meta) {
            Verdict::Forward(rewrite) => {
                println!("{number:>2} -> {} at {}", rewrite.sequence_number, rewrite.timestamp);
                let sent = SentPacket { encoding: 0, source: extended_sequence as u32, rewrite };
                receiver.on_sent(now, sent, bytes.len(), packet.payload().len());
            }
            Verdict::Drop(reason) => {
                println!("{number:>2} dropped: {}", reason.name());
                source.request_key_frame();
            }
        }
        if let Some(request) = source.poll_key_frame_request(now) {
            println!("   to the source: {request:?}");
        }
        source.poll_nack(now, &mut |missing| println!("   to the source: NACK {missing}"));
    }

    let now = Time::from_millis(1000);
    receiver.on_nack(1);
    let Resend { packet, rtx } = receiver.resend(now, 7003).map_err(|refusal| format!("{refusal:?}"))?;
    let stored = store.get_low(packet.source, now).ok_or("too old")?;
    println!(
        "the receiver missed 7003: {} bytes of source packet {} again, {rtx:?}",
        stored.bytes.len(),
        packet.source as u16
    );
    println!("{:#?}", source.stats());
    Ok(())
}

fn vp8_packet(number: u16, is_key_frame: bool) -> Vec<u8> {
    let mut bytes = vec![0x80, 0x80 | 96];
    bytes.extend_from_slice(&number.to_be_bytes());
    bytes.extend_from_slice(&(u32::from(number) * 3000).to_be_bytes());
    bytes.extend_from_slice(&0x1111u32.to_be_bytes());
    // S, partition 0, no extension; then the payload header, P in its lowest bit.
    bytes.extend_from_slice(&[0x10, u8::from(!is_key_frame), 0, 0]);
    bytes.resize(200, 0);
    bytes
}
