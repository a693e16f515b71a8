//! FlexFEC: what was lost comes back octet for octet, and another implementation reads and writes the same packets.

use bytes::Bytes;
use proptest::prelude::*;
use rtc_interceptor::{FlexFec03Decoder, FlexFec03Encoder};
use tureen_rtp_wire::WireError;
use tureen_rtp_wire::payload::flexfec::{FlexFecPayload, MAX_PACKET_LEN, MAX_SPAN, Parity};
use tureen_rtp_wire::rtp::{RtpHeader, RtpPacket, patch_header};

const MEDIA: u32 = 0x0102_0304;
const REPAIR: u32 = 0x0506_0708;

fn packet(sequence_number: u16, timestamp: u32, marker: bool, payload: &[u8]) -> Vec<u8> {
    let header = RtpHeader { marker, payload_type: 101, sequence_number, timestamp, ssrc: MEDIA };
    let mut bytes = vec![0; 12];
    assert!(patch_header(&mut bytes, &header));
    bytes[0] = 0x80;
    bytes.extend(payload);
    bytes
}

fn parity(packets: &[Vec<u8>]) -> Vec<u8> {
    let mut parity = Parity::new();
    packets.iter().for_each(|packet| parity.add(packet).unwrap());
    let mut payload = vec![0xff; parity.payload_len()];
    assert_eq!(parity.write(MEDIA, &mut payload), Ok(payload.len()));
    payload
}

fn number(packet: &[u8]) -> u16 {
    u16::from_be_bytes([packet[2], packet[3]])
}

/// Packets of one stream in order, with gaps, some of them with CSRCs, extensions and padding as far as their flags say.
fn packets() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let one =
        (1..6_u16, any::<u8>(), any::<u32>(), any::<bool>(), prop::collection::vec(any::<u8>(), 0..1488));
    (any::<u16>(), prop::collection::vec(one, 1..20)).prop_map(|(first, packets)| {
        let mut at = 0;
        let mut result: Vec<Vec<u8>> = Vec::new();
        for (gap, flags, timestamp, marker, payload) in packets {
            if at < MAX_SPAN {
                let mut bytes = packet(first.wrapping_add(at), timestamp, marker, &payload);
                bytes[0] |= flags & 0x3f;
                result.push(bytes);
            }
            at += gap;
        }
        result
    })
}

proptest! {
    #[test]
    fn any_lost_packet_comes_back(packets in packets(), lost in any::<prop::sample::Index>()) {
        let payload = parity(&packets);
        let read = FlexFecPayload::parse(&payload).unwrap();
        prop_assert_eq!(read.ssrc(), MEDIA);
        prop_assert!(read.sequence_numbers().eq(packets.iter().map(|packet| number(packet))));
        let lost = lost.index(packets.len());
        let others = packets.iter().enumerate().filter(|(at, _)| *at != lost).map(|(_, packet)| &packet[..]);
        let mut recovered = vec![0xaa; MAX_PACKET_LEN];
        let len = read.recover(number(&packets[lost]), others, &mut recovered).unwrap();
        prop_assert_eq!(&recovered[..len], &packets[lost][..]);
    }

    #[test]
    fn a_cleared_parity_is_as_good_as_new(before in packets(), packets in packets()) {
        let mut parity = Parity::new();
        before.iter().for_each(|packet| parity.add(packet).unwrap());
        parity.clear();
        packets.iter().for_each(|packet| parity.add(packet).unwrap());
        let mut payload = vec![0; parity.payload_len()];
        parity.write(MEDIA, &mut payload).unwrap();
        prop_assert_eq!(payload, self::parity(&packets));
    }

    #[test]
    fn any_octets_are_read_or_refused(
        payload in prop::collection::vec(any::<u8>(), 0..80),
        others in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..80), 0..4),
    ) {
        let Ok(read) = FlexFecPayload::parse(&payload) else { return Ok(()) };
        let mut buf = [0; 100];
        let missing = read.sequence_numbers().next().unwrap();
        if let Ok(len) = read.recover(missing, others.iter().map(Vec::as_slice), &mut buf) {
            prop_assert!(len <= buf.len());
        }
    }

    #[test]
    fn another_decoder_recovers_by_what_is_written(
        first in any::<u16>(),
        payloads in prop::collection::vec(prop::collection::vec(1..=255_u8, 1..1200), 2..30),
        lost in any::<prop::sample::Index>(),
    ) {
        let packets: Vec<_> =
            (0..).zip(&payloads).map(|(at, payload)| packet(first.wrapping_add(at), 90, at % 5 == 0, payload)).collect();
        let lost = lost.index(packets.len());
        let mut decoder = FlexFec03Decoder::new(REPAIR, MEDIA);
        for (at, bytes) in packets.iter().enumerate() {
            if at != lost {
                prop_assert!(decoder.decode(theirs(bytes, MEDIA)).is_empty());
            }
        }
        let mut repair = packet(7, 90, false, &parity(&packets));
        repair[8..12].copy_from_slice(&REPAIR.to_be_bytes());
        let recovered = decoder.decode(theirs(&repair, REPAIR));
        prop_assert_eq!(recovered.len(), 1);
        prop_assert_eq!(recovered[0].header.sequence_number, number(&packets[lost]));
        prop_assert_eq!(recovered[0].header.marker, lost % 5 == 0);
        prop_assert_eq!(&recovered[0].payload[..], &payloads[lost][..]);
    }

    #[test]
    fn what_another_encoder_writes_is_written_alike(
        first in any::<u16>(),
        payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..1200), 1..30),
    ) {
        let packets: Vec<_> =
            (0..).zip(&payloads).map(|(at, payload)| packet(first.wrapping_add(at), 90, false, payload)).collect();
        let media: Vec<_> = packets.iter().map(|bytes| theirs(bytes, MEDIA)).collect();
        let repair = FlexFec03Encoder::new(110, REPAIR).encode(&media, 1);
        prop_assert_eq!(repair.len(), 1);
        prop_assert_eq!(&repair[0].payload[..], &parity(&packets)[..]);
    }
}

fn theirs(bytes: &[u8], ssrc: u32) -> rtc_rtp::Packet {
    let ours = RtpPacket::parse(bytes).unwrap();
    let header = rtc_rtp::Header {
        version: 2,
        marker: ours.marker(),
        payload_type: ours.payload_type(),
        sequence_number: ours.sequence_number(),
        timestamp: ours.timestamp(),
        ssrc,
        ..rtc_rtp::Header::default()
    };
    rtc_rtp::Packet { header, payload: Bytes::copy_from_slice(ours.payload()) }
}

#[test]
fn the_order_the_span_and_the_sizes_are_checked() {
    let mut parity = Parity::new();
    assert_eq!(parity.write(MEDIA, &mut [0; 100]), Err(WireError::Count));
    assert_eq!(parity.add(&[0x80; 11]), Err(WireError::Truncated));
    assert_eq!(parity.add(&[0x40; 12]), Err(WireError::Version));
    assert_eq!(parity.add(&packet(1, 0, false, &[0; MAX_PACKET_LEN - 11])), Err(WireError::TooLong));
    parity.add(&packet(0xffff, 0, false, &[1])).unwrap();
    for number in [0xffff, 0xfffe, 0xffff_u16.wrapping_add(MAX_SPAN)] {
        assert_eq!(parity.add(&packet(number, 0, false, &[1])), Err(WireError::Value));
    }
    assert_eq!(parity.payload_len(), 21, "15 packets are said in two octets");
    parity.add(&packet(MAX_SPAN - 2, 0, false, &[1, 2])).unwrap();
    assert_eq!((parity.packets(), parity.payload_len()), (2, 26));
    assert_eq!(parity.write(MEDIA, &mut [0; 25]), Err(WireError::BufferFull));
}

#[test]
fn packets_that_were_not_protected_are_refused() {
    let packets =
        [packet(5, 0, false, &[1; 30]), packet(6, 0, false, &[2; 20]), packet(8, 0, false, &[3; 10])];
    let payload = parity(&packets);
    let read = FlexFecPayload::parse(&payload).unwrap();
    let mut buf = [0; 100];
    let all = || packets.iter().map(Vec::as_slice);
    assert_eq!(read.recover(7, all(), &mut buf), Err(WireError::Value), "it is not of 7");
    assert_eq!(read.recover(8, all(), &mut buf), Err(WireError::Value), "8 is there");
    assert_eq!(read.recover(8, all().take(1), &mut buf), Err(WireError::Value), "6 is missing as well");
    assert_eq!(read.recover(8, all().take(2), &mut buf[..20]), Err(WireError::BufferFull));
    let longer = packet(6, 0, false, &[2; 300]);
    let others = [&packets[0][..], &longer[..]];
    assert_eq!(read.recover(8, others, &mut buf), Err(WireError::Length));
    assert_eq!(read.recover(8, all().take(2), &mut buf), Ok(22));
}
