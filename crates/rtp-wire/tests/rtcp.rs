//! RTCP: known packets, and what is written comes back.

use hex_literal::hex;
use proptest::prelude::*;
use tureen_rtp_wire::rtcp::{
    Arrival, Compound, DlrrReport, FirEntry, PacketReport, ReportBlock, RtcpPacket, RtcpWriter, SdesItemKind,
    SenderInfo, XrBlock,
};
use tureen_rtp_wire::{NtpTime, WireError};

fn only(bytes: &[u8]) -> RtcpPacket<'_> {
    let mut compound = Compound::parse(bytes).expect("valid headers");
    let packet = compound.next().expect("one packet").expect("valid body");
    assert!(compound.next().is_none(), "more than one packet");
    packet
}

fn written(write: impl FnOnce(&mut RtcpWriter<'_>) -> Result<(), WireError>) -> Vec<u8> {
    let mut buf = vec![0xa5; 70_000];
    let mut writer = RtcpWriter::new(&mut buf);
    write(&mut writer).expect("room");
    let len = writer.finish();
    buf.truncate(len);
    buf
}

#[test]
fn a_compound_of_report_description_and_goodbye() {
    // RFC 3550 sections 6.4.2, 6.5 and 6.6; then PLI (RFC 4585 section 6.3.1).
    let bytes = hex!(
        "81 c9 0007 902f9e2e bc5e9a40 01 ffffff 000046e1 00000111 09f36432 00024a79"
        "81 ca 0003 902f9e2e 01 04 7b39637d 00 00"
        "81 cb 0002 902f9e2e 03 464f4f"
        "81 ce 0002 902f9e2e 00000007"
    );
    let mut packets = Compound::parse(&bytes).expect("valid").map(|packet| packet.expect("valid body"));
    let Some(RtcpPacket::ReceiverReport(report)) = packets.next() else { panic!("a receiver report") };
    let block = ReportBlock {
        ssrc: 0xbc5e_9a40,
        fraction_lost: 1,
        cumulative_lost: -1,
        highest_sequence_number: 0x46e1,
        jitter: 273,
        last_sender_report: 0x09f3_6432,
        delay_since_last_sender_report: 0x0002_4a79,
    };
    assert_eq!((report.ssrc(), report.report_blocks().collect::<Vec<_>>()), (0x902f_9e2e, vec![block]));
    let Some(RtcpPacket::Sdes(sdes)) = packets.next() else { panic!("a description") };
    let chunk = sdes.chunks().next().expect("one chunk");
    assert_eq!((chunk.ssrc(), chunk.cname()), (0x902f_9e2e, Some(&b"{9c}"[..])));
    let Some(RtcpPacket::Bye(bye)) = packets.next() else { panic!("a goodbye") };
    assert_eq!((bye.ssrcs().collect::<Vec<_>>(), bye.reason()), (vec![0x902f_9e2e], Some(&b"FOO"[..])));
    let Some(RtcpPacket::Pli(pli)) = packets.next() else { panic!("a PLI") };
    assert_eq!((pli.sender_ssrc, pli.media_ssrc), (0x902f_9e2e, 7));
    assert!(packets.next().is_none());
    let rewritten = written(|w| {
        w.receiver_report(0x902f_9e2e, &[block])?;
        w.source_description(0x902f_9e2e, b"{9c}", &[])?;
        w.bye(&[0x902f_9e2e], Some(b"FOO"))?;
        w.pli(0x902f_9e2e, 7)
    });
    assert_eq!(rewritten, bytes);
}

#[test]
fn padding_stands_in_the_last_packet_only() {
    let padded = hex!("a1 cb 0002 00000001 00000004");
    let RtcpPacket::Bye(bye) = only(&padded) else { panic!("a goodbye") };
    assert_eq!((bye.ssrcs().len(), bye.reason()), (1, None));
    let mut twice = padded.to_vec();
    twice.extend_from_slice(&padded);
    assert_eq!(Compound::parse(&twice).err(), Some(WireError::Padding));
    for count in [0, 12, 255] {
        let mut bad = padded;
        bad[11] = count;
        assert_eq!(Compound::parse(&bad).err(), Some(WireError::Padding), "a count of {count}");
    }
}

#[test]
fn padding_as_browsers_write_it_is_no_whole_word() {
    // As Chromium sends it: one packet received, one octet of delta, one octet of padding.
    let padded = hex!("af cd 0005 00000001 00000002 0001 0001 000002 00 2001 04 01");
    let RtcpPacket::TransportFeedback(feedback) = only(&padded) else { panic!("transport-wide feedback") };
    let told: Vec<_> = feedback.packets().map(|packet| (packet.sequence_number, packet.delta)).collect();
    assert_eq!(told, [(1, Some(4))]);
}

#[test]
fn bad_headers_are_refused_and_a_bad_body_only_itself() {
    assert_eq!(Compound::parse(&[]).err(), Some(WireError::Truncated));
    assert_eq!(Compound::parse(&hex!("41 cb 0001 00000001")).err(), Some(WireError::Version));
    assert_eq!(Compound::parse(&hex!("81 cb 0002 00000001")).err(), Some(WireError::Truncated));
    // A receiver report that promises a block, then a PLI.
    let bytes = hex!("81 c9 0001 00000001  81 ce 0002 00000001 00000002");
    let mut compound = Compound::parse(&bytes).expect("valid headers");
    assert_eq!(compound.next().expect("first").err(), Some(WireError::Length));
    assert!(matches!(compound.next(), Some(Ok(RtcpPacket::Pli(_)))));
}

#[test]
fn short_feedback_is_refused() {
    for bytes in
        [&hex!("84 ce 0001 00000001")[..], &hex!("81 cd 0001 00000001"), &hex!("81 ce 0001 00000001")]
    {
        let error = Compound::parse(bytes).expect("valid headers").next().expect("one").err();
        assert_eq!(error, Some(WireError::Truncated), "{bytes:02x?}");
    }
    for bytes in [&hex!("84 ce 0002 00000001 00000002")[..], &hex!("81 cd 0002 00000001 00000002")] {
        let error = Compound::parse(bytes).expect("valid headers").next().expect("one").err();
        assert_eq!(error, Some(WireError::Length), "{bytes:02x?}");
    }
}

#[test]
fn nack_packs_and_unpacks() {
    let bytes = written(|w| w.nack(1, 2, [65534, 65535, 0, 14, 15, 30]));
    // 65534 + 17 is 15, and 15 + 15 is 30.
    assert_eq!(bytes, hex!("81 cd 0004 00000001 00000002 fffe 8003 000f 4000"));
    let RtcpPacket::Nack(nack) = only(&bytes) else { panic!("a NACK") };
    assert_eq!(nack.lost().collect::<Vec<_>>(), [65534, 65535, 0, 14, 15, 30]);
}

#[test]
fn remb_keeps_eighteen_bits() {
    let bytes = written(|w| w.remb(1, 8_927_168, &[1_215_622_422]));
    // The vector that every implementation tests with.
    assert_eq!(bytes, hex!("8f ce 0005 00000001 00000000 52454d42 01 1a20df 4874ed16"));
    let RtcpPacket::Remb(remb) = only(&bytes) else { panic!("a REMB") };
    assert_eq!((remb.bitrate(), remb.ssrcs().collect::<Vec<_>>()), (8_927_168, vec![1_215_622_422]));
    let RtcpPacket::Remb(huge) = only(&hex!("8f ce 0004 00000001 00000000 52454d42 00 ffffff")) else {
        panic!("a REMB")
    };
    assert_eq!(huge.bitrate(), u64::MAX);
    assert!(matches!(only(&hex!("8f ce 0003 00000001 00000002 41424344")), RtcpPacket::Afb(_)));
    let promising = hex!("8f ce 0004 00000001 00000000 52454d42 01 1a20df");
    assert_eq!(
        Compound::parse(&promising).expect("headers").next().expect("one").err(),
        Some(WireError::Length)
    );
}

#[test]
fn transport_feedback_of_every_chunk_form() {
    // Run of two small deltas; one-bit vector 0 1 0...; two-bit vector 2 1 0 0 0 0 0; 23 packets.
    let bytes = hex!("8f cd 0007 00000001 00000002 fffe 0017 fffffe 09  2002 9000 e400 04 08 0c fff0 10");
    let RtcpPacket::TransportFeedback(feedback) = only(&bytes) else { panic!("feedback") };
    assert_eq!((feedback.base_sequence_number(), feedback.status_count()), (65534, 23));
    assert_eq!((feedback.reference_time(), feedback.feedback_count()), (-2, 9));
    let received: Vec<_> =
        feedback.packets().filter_map(|p| p.delta.map(|delta| (p.sequence_number, delta))).collect();
    assert_eq!(received, [(65534, 4), (65535, 8), (1, 12), (14, -16), (15, 16)]);
    assert_eq!(feedback.packets().count(), 23);
}

#[test]
fn rfc_8888_report() {
    // Two sources; the first has three metrics and so a word of padding.
    let bytes = hex!(
        "8b cd 0009 00000001"
        "0000000a 0005 0003 8005 0000 ffff 0000"
        "0000000b ffff 0002 bffe c000"
        "12345678"
    );
    let RtcpPacket::CongestionFeedback(feedback) = only(&bytes) else { panic!("feedback") };
    assert_eq!(feedback.report_timestamp(), 0x1234_5678);
    let streams: Vec<_> =
        feedback.streams().map(|stream| (stream.ssrc, stream.packets().collect::<Vec<_>>())).collect();
    let report = |ecn, arrival| Some(PacketReport { ecn, arrival });
    let first = vec![(5, report(0, Arrival::Before(5))), (6, None), (7, report(3, Arrival::Unavailable))];
    let second = vec![(65535, report(1, Arrival::OutOfRange)), (0, report(2, Arrival::Before(0)))];
    assert_eq!(streams, [(10, first), (11, second)]);
    let rewritten = written(|w| {
        w.congestion_feedback(1, 0x1234_5678, |blocks| {
            for stream in feedback.streams() {
                blocks.stream(
                    stream.ssrc,
                    stream.begin_sequence_number,
                    stream.packets().map(|(_, report)| report),
                )?;
            }
            Ok(())
        })
    });
    assert_eq!(rewritten, bytes);
}

#[test]
fn extended_reports() {
    let dlrr = DlrrReport { ssrc: 5, last_receiver_report: 6, delay_since_last_receiver_report: 7 };
    let bytes = written(|w| w.extended_report(1, Some(NtpTime(0x0102_0304_0506_0708)), &[dlrr]));
    assert_eq!(
        bytes,
        hex!("80 cf 0008 00000001 04 00 0002 0102030405060708 05 00 0003 00000005 00000006 00000007")
    );
    let RtcpPacket::Xr(xr) = only(&bytes) else { panic!("an XR") };
    let blocks: Vec<_> = xr.blocks().collect();
    assert_eq!(blocks[0], XrBlock::ReceiverReferenceTime(NtpTime(0x0102_0304_0506_0708)));
    assert_eq!(blocks[1].dlrr_reports().collect::<Vec<_>>(), [dlrr]);
    let unknown = hex!("80 cf 0003 00000001 63 07 0001 aabbccdd");
    let RtcpPacket::Xr(xr) = only(&unknown) else { panic!("an XR") };
    let expected = XrBlock::Unknown { block_type: 0x63, type_specific: 7, data: &[0xaa, 0xbb, 0xcc, 0xdd] };
    assert_eq!(xr.blocks().collect::<Vec<_>>(), [expected]);
    for bad in [&hex!("80 cf 0003 00000001 04 00 0001 00000000")[..], &hex!("80 cf 0002 00000001 63 00 0001")]
    {
        assert_eq!(
            Compound::parse(bad).expect("headers").next().expect("one").err(),
            Some(WireError::Length)
        );
    }
}

#[test]
fn the_writer_refuses_and_keeps_what_it_had() {
    let mut buf = [0; 30];
    let mut writer = RtcpWriter::new(&mut buf);
    writer.pli(1, 2).expect("room");
    assert_eq!(writer.receiver_report(1, &[ReportBlock::default(); 31]), Err(WireError::BufferFull));
    assert_eq!(writer.nack(1, 2, [1, 100]), Err(WireError::BufferFull));
    assert_eq!(writer.nack(1, 2, []), Err(WireError::Length));
    assert_eq!(writer.fir(1, &[]), Err(WireError::Length));
    assert_eq!((writer.len(), writer.remaining()), (12, 18));
    writer.nack(1, 2, [1, 2]).expect("room");
    assert_eq!(writer.finish(), 28);
    assert!(matches!(Compound::parse(&buf[..28]).expect("valid").nth(1), Some(Ok(RtcpPacket::Nack(_)))));
    let mut large = [0; 2000];
    let mut writer = RtcpWriter::new(&mut large);
    assert_eq!(writer.receiver_report(1, &[ReportBlock::default(); 32]), Err(WireError::Count));
    assert_eq!(writer.bye(&[0; 32], None), Err(WireError::Count));
    assert_eq!(writer.source_description(1, &[b'x'; 256], &[]), Err(WireError::TooLong));
    assert_eq!(writer.source_description(1, b"x", &[(SdesItemKind::Other(0), b"y")]), Err(WireError::Value));
    assert!(writer.is_empty());
}

prop_compose! {
    fn any_block()(
        ssrc: u32, fraction_lost: u8, cumulative_lost in -0x80_0000i32..0x80_0000, highest_sequence_number: u32,
        jitter: u32, last_sender_report: u32, delay_since_last_sender_report: u32,
    ) -> ReportBlock {
        ReportBlock {
            ssrc, fraction_lost, cumulative_lost, highest_sequence_number, jitter, last_sender_report,
            delay_since_last_sender_report,
        }
    }
}

/// Walks everything that a view offers, and counts the steps.
fn exhaust(bytes: &[u8]) -> usize {
    let Ok(compound) = Compound::parse(bytes) else { return 0 };
    let steps = |packet| match packet {
        RtcpPacket::SenderReport(p) => p.report_blocks().count() + p.extension().len(),
        RtcpPacket::ReceiverReport(p) => p.report_blocks().count() + p.extension().len(),
        RtcpPacket::Sdes(p) => p.chunks().map(|c| c.items().count() + c.cname().map_or(0, <[u8]>::len)).sum(),
        RtcpPacket::Bye(p) => p.ssrcs().count() + p.reason().map_or(0, <[u8]>::len),
        RtcpPacket::App(p) => p.data.len(),
        RtcpPacket::Nack(p) => p.lost().count(),
        RtcpPacket::Fir(p) => p.entries().count(),
        RtcpPacket::Remb(p) => p.ssrcs().count(),
        RtcpPacket::TransportFeedback(p) => p.packets().count(),
        RtcpPacket::CongestionFeedback(p) => p.streams().map(|s| s.packets().count()).sum(),
        RtcpPacket::Xr(p) => p.blocks().map(|b| b.dlrr_reports().count()).sum(),
        _ => 1,
    };
    compound.flatten().map(steps).sum()
}

proptest! {
    #[test]
    fn reports_come_back(
        ssrc: u32, ntp: u64, rtp_timestamp: u32, packet_count: u32, octet_count: u32,
        blocks in prop::collection::vec(any_block(), 0..32),
    ) {
        let info = SenderInfo { ntp: NtpTime(ntp), rtp_timestamp, packet_count, octet_count };
        let bytes = written(|w| w.sender_report(ssrc, &info, &blocks));
        let RtcpPacket::SenderReport(report) = only(&bytes) else { panic!("a sender report") };
        prop_assert_eq!((report.ssrc(), report.info()), (ssrc, info));
        prop_assert!(report.report_blocks().eq(blocks.iter().copied()));
    }

    #[test]
    fn descriptions_come_back(
        ssrc: u32, cname in prop::collection::vec(any::<u8>(), 0..256), tool in prop::collection::vec(any::<u8>(), 0..9),
    ) {
        let bytes = written(|w| w.source_description(ssrc, &cname, &[(SdesItemKind::Tool, &tool)]));
        let RtcpPacket::Sdes(sdes) = only(&bytes) else { panic!("a description") };
        let chunk = sdes.chunks().next().expect("one chunk");
        prop_assert_eq!((chunk.ssrc(), chunk.cname()), (ssrc, Some(&cname[..])));
        prop_assert_eq!(chunk.items().nth(1).map(|item| (item.kind, item.text)), Some((SdesItemKind::Tool, &tool[..])));
        prop_assert_eq!(chunk.items().count(), 2);
    }

    #[test]
    fn nacks_come_back(lost in prop::collection::btree_set(any::<u16>(), 1..300)) {
        let bytes = written(|w| w.nack(1, 2, lost.iter().copied()));
        let RtcpPacket::Nack(nack) = only(&bytes) else { panic!("a NACK") };
        prop_assert!(nack.lost().eq(lost.iter().copied()));
    }

    #[test]
    fn full_intra_requests_come_back(entries in prop::collection::vec(any::<(u32, u8)>(), 1..20)) {
        let entries: Vec<_> =
            entries.into_iter().map(|(ssrc, sequence_number)| FirEntry { ssrc, sequence_number }).collect();
        let bytes = written(|w| w.fir(1, &entries));
        let RtcpPacket::Fir(fir) = only(&bytes) else { panic!("a FIR") };
        prop_assert!(fir.entries().eq(entries.iter().copied()));
    }

    #[test]
    fn remb_rounds_down_by_less_than_a_part_in_2_to_the_17(bitrate: u64) {
        let bytes = written(|w| w.remb(1, bitrate, &[]));
        let RtcpPacket::Remb(remb) = only(&bytes) else { panic!("a REMB") };
        prop_assert!(remb.bitrate() <= bitrate && bitrate - remb.bitrate() <= bitrate >> 17);
    }

    #[test]
    fn transport_feedback_comes_back(
        base: u16, reference in -0x80_0000i32..0x80_0000, count: u8,
        runs in prop::collection::vec(
            (prop_oneof![Just(None), (0i16..256).prop_map(Some), any::<i16>().prop_map(Some)], 1usize..40), 1..30),
    ) {
        let statuses: Vec<Option<i16>> = runs.iter().flat_map(|&(status, len)| std::iter::repeat_n(status, len)).collect();
        let bytes = written(|w| w.transport_feedback(1, 2, base, reference, count, statuses.iter().copied()));
        let RtcpPacket::TransportFeedback(feedback) = only(&bytes) else { panic!("feedback") };
        prop_assert_eq!((feedback.reference_time(), feedback.feedback_count()), (reference, count));
        prop_assert!(feedback.packets().map(|p| p.delta).eq(statuses.iter().copied()));
        prop_assert!(feedback.packets().enumerate().all(|(i, p)| p.sequence_number == base.wrapping_add(i as u16)));
    }

    #[test]
    fn a_small_buffer_is_never_overrun(room in 0usize..200, lost in prop::collection::vec(any::<u16>(), 1..40)) {
        let mut buf = [0xa5; 200];
        let mut writer = RtcpWriter::new(&mut buf[..room]);
        let _ = writer.sender_report(1, &SenderInfo::default(), &[ReportBlock::default()]);
        let _ = writer.source_description(1, b"cname", &[]);
        let _ = writer.nack(1, 2, lost.iter().copied());
        let _ = writer.transport_feedback(1, 2, 3, 4, 5, lost.iter().map(|&s| (s % 3 != 0).then_some(s as i16)));
        let _ = writer.congestion_feedback(1, 2, |blocks| blocks.stream(3, 4, lost.iter().map(|_| None)));
        let len = writer.finish();
        prop_assert!(len <= room);
        prop_assert!(buf[room..].iter().all(|&octet| octet == 0xa5));
        if len != 0 {
            prop_assert!(Compound::parse(&buf[..len]).expect("valid").all(|packet| packet.is_ok()));
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(exhaust(&bytes) <= 1 << 16);
    }

    #[test]
    fn arbitrary_bodies_never_panic(
        count in 0u8..32, kind in 198u8..210, body in prop::collection::vec(any::<u8>(), 0..100),
    ) {
        let mut bytes = vec![0x80 | count, kind, 0, (body.len() / 4) as u8];
        bytes.extend_from_slice(&body[..body.len() / 4 * 4]);
        // Only run-length chunks say more packets than octets, at most 8191 each.
        prop_assert!(exhaust(&bytes) <= 1 << 16);
    }
}
