//! What other parsers make of the same bytes: `rtp` and `rtcp` 0.17 as oracles, behind the length validator.

use bytes::Bytes;
use hex_literal::hex;
use proptest::prelude::*;
use tureen_rtp_wire::WireError;
use tureen_rtp_wire::rtcp::{Compound, RtcpPacket, SdesItemKind, XrBlock};
use tureen_rtp_wire::rtp::{ExtensionProfile, RtpPacket};
use tureen_rtp_wire::validate;
use webrtc_util::marshal::Unmarshal;

const RTP_OVERRUN: [u8; 20] = hex!("90 60 0001 00000001 00000009 BEDE 0001 1F 010203");
const SHORT_FIR: [u8; 8] = hex!("84 CE 0001 00000009");
const SHORT_NACK: [u8; 8] = hex!("81 CD 0001 00000009");

#[test]
fn packets_that_make_other_parsers_panic_stop_at_the_validator() {
    assert_eq!(validate::rtp(&RTP_OVERRUN), Err(WireError::ExtensionOverrun));
    assert_eq!(RtpPacket::parse(&RTP_OVERRUN).err(), Some(WireError::ExtensionOverrun));
    for packet in [SHORT_FIR, SHORT_NACK] {
        assert_eq!(validate::rtcp(&packet), Err(WireError::Truncated));
        let first = Compound::parse(&packet).expect("a valid header").next().expect("one packet");
        assert_eq!(first.err(), Some(WireError::Truncated));
    }
}

#[test]
fn the_oracles_do_panic_on_them() {
    // Keeps the reason of the validator honest: without a panic here it is no longer needed.
    let panics = |run: fn()| std::panic::catch_unwind(run).is_err();
    assert!(panics(|| drop(rtp::packet::Packet::unmarshal(&mut Bytes::from_static(&RTP_OVERRUN)))));
    assert!(panics(|| drop(rtcp::packet::unmarshal(&mut Bytes::from_static(&SHORT_FIR)))));
    assert!(panics(|| drop(rtcp::packet::unmarshal(&mut Bytes::from_static(&SHORT_NACK)))));
}

/// Compares an RTP packet that the validator passed; the oracle may refuse it.
fn compare_rtp(bytes: &[u8]) -> Result<bool, TestCaseError> {
    if validate::rtp(bytes).is_err() {
        return Ok(false);
    }
    let ours = RtpPacket::parse(bytes).expect("the validator is stricter");
    let Ok(theirs) = rtp::packet::Packet::unmarshal(&mut Bytes::copy_from_slice(bytes)) else {
        return Ok(false);
    };
    prop_assert_eq!(ours.marker(), theirs.header.marker);
    prop_assert_eq!(ours.payload_type(), theirs.header.payload_type);
    prop_assert_eq!(ours.sequence_number(), theirs.header.sequence_number);
    prop_assert_eq!(ours.timestamp(), theirs.header.timestamp);
    prop_assert_eq!(ours.ssrc(), theirs.header.ssrc);
    prop_assert!(ours.csrcs().eq(theirs.header.csrc.iter().copied()));
    prop_assert_eq!(ours.payload(), &theirs.payload[..]);
    let profile = ours.layout().extension_profile();
    let known = profile == ExtensionProfile::OneByte || theirs.header.extension_profile == 0x1000;
    if known {
        let theirs = theirs.header.extensions.iter().map(|extension| (extension.id, &extension.payload[..]));
        prop_assert!(ours.extensions().eq(theirs));
    }
    Ok(true)
}

/// Compares an RTCP compound that the validator passed, packet by packet; the oracle may refuse it.
fn compare_rtcp(bytes: &[u8]) -> Result<bool, TestCaseError> {
    if validate::rtcp(bytes).is_err() {
        return Ok(false);
    }
    let Ok(theirs) = rtcp::packet::unmarshal(&mut Bytes::copy_from_slice(bytes)) else { return Ok(false) };
    let ours: Vec<_> = Compound::parse(bytes).expect("the validator is stricter").collect();
    prop_assert_eq!(ours.len(), theirs.len());
    for (ours, theirs) in ours.into_iter().zip(&theirs) {
        compare_packet(ours.expect("the validator is stricter"), theirs.as_any())?;
    }
    Ok(true)
}

fn compare_block(
    ours: tureen_rtp_wire::rtcp::ReportBlock,
    theirs: &rtcp::reception_report::ReceptionReport,
) -> Result<(), TestCaseError> {
    prop_assert_eq!(ours.ssrc, theirs.ssrc);
    prop_assert_eq!(ours.fraction_lost, theirs.fraction_lost);
    prop_assert_eq!(ours.cumulative_lost.cast_unsigned() & 0xff_ffff, theirs.total_lost);
    prop_assert_eq!(ours.highest_sequence_number, theirs.last_sequence_number);
    prop_assert_eq!(ours.jitter, theirs.jitter);
    prop_assert_eq!(ours.last_sender_report, theirs.last_sender_report);
    prop_assert_eq!(ours.delay_since_last_sender_report, theirs.delay);
    Ok(())
}

fn cast<T: 'static>(theirs: &(dyn std::any::Any + Send + Sync)) -> Result<&T, TestCaseError> {
    theirs.downcast_ref().ok_or_else(|| TestCaseError::fail("the oracle sees another type"))
}

fn compare_packet(
    ours: RtcpPacket<'_>,
    theirs: &(dyn std::any::Any + Send + Sync),
) -> Result<(), TestCaseError> {
    match ours {
        RtcpPacket::SenderReport(ours) => {
            let theirs: &rtcp::sender_report::SenderReport = cast(theirs)?;
            let info = ours.info();
            prop_assert_eq!(
                (ours.ssrc(), info.ntp.0, info.rtp_timestamp),
                (theirs.ssrc, theirs.ntp_time, theirs.rtp_time)
            );
            prop_assert_eq!((info.packet_count, info.octet_count), (theirs.packet_count, theirs.octet_count));
            prop_assert_eq!(ours.report_blocks().len(), theirs.reports.len());
            for (ours, theirs) in ours.report_blocks().zip(&theirs.reports) {
                compare_block(ours, theirs)?;
            }
            prop_assert_eq!(ours.extension(), &theirs.profile_extensions[..]);
        }
        RtcpPacket::ReceiverReport(ours) => {
            let theirs: &rtcp::receiver_report::ReceiverReport = cast(theirs)?;
            prop_assert_eq!((ours.ssrc(), ours.report_blocks().len()), (theirs.ssrc, theirs.reports.len()));
            for (ours, theirs) in ours.report_blocks().zip(&theirs.reports) {
                compare_block(ours, theirs)?;
            }
            prop_assert_eq!(ours.extension(), &theirs.profile_extensions[..]);
        }
        RtcpPacket::Sdes(ours) => {
            let theirs: &rtcp::source_description::SourceDescription = cast(theirs)?;
            // They take an item of a kind after PRIV for the end of the list.
            if ours.chunks().any(|chunk| chunk.items().any(|item| !is_rfc_3550_item(item.kind))) {
                return Ok(());
            }
            prop_assert_eq!(ours.chunks().count(), theirs.chunks.len());
            for (ours, theirs) in ours.chunks().zip(&theirs.chunks) {
                prop_assert_eq!(ours.ssrc(), theirs.source);
                prop_assert!(
                    ours.items().map(|item| item.text).eq(theirs.items.iter().map(|item| &item.text[..]))
                );
            }
        }
        RtcpPacket::Bye(ours) => {
            let theirs: &rtcp::goodbye::Goodbye = cast(theirs)?;
            prop_assert!(ours.ssrcs().eq(theirs.sources.iter().copied()));
            prop_assert_eq!(ours.reason().unwrap_or_default(), &theirs.reason[..]);
        }
        RtcpPacket::Xr(ours) => compare_extended(ours, cast(theirs)?)?,
        feedback => compare_feedback(feedback, theirs)?,
    }
    Ok(())
}

fn is_rfc_3550_item(kind: SdesItemKind) -> bool {
    use SdesItemKind::{Cname, Email, Location, Name, Note, Phone, Private, Tool};
    matches!(kind, Cname | Name | Email | Phone | Location | Tool | Note | Private)
}

fn compare_feedback(
    ours: RtcpPacket<'_>,
    theirs: &(dyn std::any::Any + Send + Sync),
) -> Result<(), TestCaseError> {
    use rtcp::payload_feedbacks as payload;
    use rtcp::transport_feedbacks as transport;
    match ours {
        RtcpPacket::Pli(ours) => {
            let theirs: &payload::picture_loss_indication::PictureLossIndication = cast(theirs)?;
            prop_assert_eq!((ours.sender_ssrc, ours.media_ssrc), (theirs.sender_ssrc, theirs.media_ssrc));
        }
        RtcpPacket::Fir(ours) => {
            let theirs: &payload::full_intra_request::FullIntraRequest = cast(theirs)?;
            prop_assert_eq!((ours.sender_ssrc(), ours.media_ssrc()), (theirs.sender_ssrc, theirs.media_ssrc));
            let entries = theirs.fir.iter().map(|entry| (entry.ssrc, entry.sequence_number));
            prop_assert!(ours.entries().map(|entry| (entry.ssrc, entry.sequence_number)).eq(entries));
        }
        RtcpPacket::Nack(ours) => {
            let theirs: &transport::transport_layer_nack::TransportLayerNack = cast(theirs)?;
            prop_assert_eq!((ours.sender_ssrc(), ours.media_ssrc()), (theirs.sender_ssrc, theirs.media_ssrc));
            prop_assert!(ours.lost().eq(theirs.nacks.iter().flat_map(|pair| pair.packet_list())));
        }
        RtcpPacket::Remb(ours) => {
            let theirs: &payload::receiver_estimated_maximum_bitrate::ReceiverEstimatedMaximumBitrate =
                cast(theirs)?;
            prop_assert_eq!(ours.sender_ssrc(), theirs.sender_ssrc);
            // Their float cannot say zero, nor anything over 64 bits as we do.
            if ours.bitrate() != 0 && ours.bitrate() != u64::MAX {
                prop_assert_eq!(ours.bitrate() as f32, theirs.bitrate);
            }
            prop_assert!(ours.ssrcs().eq(theirs.ssrcs.iter().copied()));
        }
        RtcpPacket::TransportFeedback(ours) => {
            let theirs: &transport::transport_layer_cc::TransportLayerCc = cast(theirs)?;
            prop_assert_eq!(ours.base_sequence_number(), theirs.base_sequence_number);
            prop_assert_eq!(ours.status_count(), theirs.packet_status_count);
            prop_assert_eq!(ours.reference_time().cast_unsigned() & 0xff_ffff, theirs.reference_time);
            prop_assert_eq!(ours.feedback_count(), theirs.fb_pkt_count);
            let deltas: Vec<_> =
                ours.packets().filter_map(|packet| packet.delta).map(|d| i64::from(d) * 250).collect();
            let theirs: Vec<_> = theirs.recv_deltas.iter().map(|delta| delta.delta).collect();
            // They read deltas also for symbols past the status count.
            prop_assert_eq!(&deltas[..], &theirs[..deltas.len()]);
        }
        _ => prop_assert!(
            theirs.is::<rtcp::raw_packet::RawPacket>()
                || theirs.is::<transport::rapid_resynchronization_request::RapidResynchronizationRequest>()
        ),
    }
    Ok(())
}

fn compare_extended(
    ours: tureen_rtp_wire::rtcp::Xr<'_>,
    theirs: &rtcp::extended_report::ExtendedReport,
) -> Result<(), TestCaseError> {
    use rtcp::extended_report::{DLRRReportBlock, ReceiverReferenceTimeReportBlock};
    prop_assert_eq!((ours.ssrc(), ours.blocks().count()), (theirs.sender_ssrc, theirs.reports.len()));
    for (ours, theirs) in ours.blocks().zip(&theirs.reports) {
        let theirs = theirs.as_any();
        match ours {
            XrBlock::ReceiverReferenceTime(ntp) => {
                let theirs = theirs.downcast_ref::<ReceiverReferenceTimeReportBlock>();
                prop_assert_eq!(Some(ntp.0), theirs.map(|block| block.ntp_timestamp));
            }
            XrBlock::Dlrr(_) => {
                let theirs = theirs.downcast_ref::<DLRRReportBlock>();
                let theirs = theirs.into_iter().flat_map(|block| &block.reports);
                let ours = ours.dlrr_reports();
                prop_assert!(
                    ours.map(|r| (r.ssrc, r.last_receiver_report, r.delay_since_last_receiver_report))
                        .eq(theirs.map(|r| (r.ssrc, r.last_rr, r.dlrr)))
                );
            }
            _ => {}
        }
    }
    Ok(())
}

/// Starts of packets that both sides understand, to be mutated.
const RTP_SEEDS: [&[u8]; 4] = [
    &hex!("80 60 0001 00000001 00000009 01020304"),
    &hex!("b1 e0 1234 89abcdef 01020304 0a0b0c0d  bede 0002 10 61 00 22 010203 00  deadbeef 00 02"),
    &hex!("90 60 0001 00000001 00000009 1000 0002 c8 00 01 03 aabbcc 00 5566"),
    &hex!("90 60 0001 00000001 00000009 abcd 0001 1f010203 55"),
];
const RTCP_SEEDS: [&[u8]; 12] = [
    &hex!("80 c8 0006 00000001 0102030405060708 00000002 00000003 00000004"),
    &hex!("81 c9 0007 902f9e2e bc5e9a40 01ffffff 000046e1 00000111 09f36432 00024a79"),
    &hex!("81 ca 0003 902f9e2e 01 04 7b39637d 00 00"),
    &hex!("81 cb 0002 902f9e2e 03 464f4f"),
    &hex!("81 ce 0002 902f9e2e 00000007"),
    &hex!("84 ce 0004 00000001 00000000 00000005 07000000"),
    &hex!("81 cd 0003 00000001 00000002 0004 8003"),
    &hex!("8f ce 0005 00000001 00000000 52454d42 01 1a20df 4874ed16"),
    &hex!("8f cd 0007 00000001 00000002 fffe 0017 fffffe 09 2002 9000 e400 04 08 0c fff0 10"),
    &hex!("80 cf 0008 00000001 04000002 0102030405060708 05000003 00000005 00000006 00000007"),
    &hex!("80 cc 0003 00000001 41424344 01020304"),
    &hex!("85 cd 0002 00000001 00000002"),
];

#[test]
fn every_seed_is_compared() {
    for seed in RTP_SEEDS {
        assert!(matches!(compare_rtp(seed), Ok(true)), "{seed:02x?}");
    }
    for seed in RTCP_SEEDS {
        assert!(matches!(compare_rtcp(seed), Ok(true)), "{seed:02x?}");
    }
    assert!(matches!(compare_rtcp(&RTCP_SEEDS.concat()), Ok(true)));
}

fn mutated(seed: &[u8], flips: &[(prop::sample::Index, u8)], tail: &[u8], cut: usize) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    bytes.extend_from_slice(tail);
    for (at, value) in flips {
        let at = at.index(bytes.len());
        bytes[at] = *value;
    }
    let len = bytes.len().saturating_sub(cut);
    bytes.truncate(len);
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn rtp_packets_agree(
        seed in 0..RTP_SEEDS.len(), flips in prop::collection::vec(any::<(prop::sample::Index, u8)>(), 0..6),
        tail in prop::collection::vec(any::<u8>(), 0..8), cut in 0usize..6,
    ) {
        compare_rtp(&mutated(RTP_SEEDS[seed], &flips, &tail, cut))?;
    }

    #[test]
    fn rtcp_packets_agree(
        seed in 0..RTCP_SEEDS.len(), flips in prop::collection::vec(any::<(prop::sample::Index, u8)>(), 0..6),
        words in prop::collection::vec(any::<[u8; 4]>(), 0..8), fit: bool,
    ) {
        let mut bytes = mutated(RTCP_SEEDS[seed], &flips, words.as_flattened(), 0);
        if fit {
            bytes[3] = (bytes.len() / 4 - 1) as u8;
        }
        compare_rtcp(&bytes)?;
    }

    #[test]
    fn arbitrary_bodies_agree(
        count in 0u8..32, padded: bool, kind in 198u8..210, words in prop::collection::vec(any::<[u8; 4]>(), 0..20),
    ) {
        let mut bytes = vec![0x80 | u8::from(padded) << 5 | count, kind, 0, words.len() as u8];
        bytes.extend_from_slice(words.as_flattened());
        compare_rtcp(&bytes)?;
    }
}
