//! RTCP: any compound is walked to its end, and what we can write reads back the same.
//!
//! Planted: a NACK loses the last packet that its bit mask names.

use crate::Fault;
use std::collections::BTreeSet;
use tureen_rtp_wire::rtcp::{Compound, FirEntry, ReportBlock, RtcpPacket, RtcpWriter};
use tureen_rtp_wire::validate;

pub(crate) fn run(data: &[u8], fault: Fault) {
    if validate::rtcp(data).is_ok() {
        assert!(Compound::parse(data).is_ok(), "the stricter check passed");
    }
    let Ok(compound) = Compound::parse(data) else { return };
    let bodies: usize = compound.raw().map(|raw| 4 + raw.body.len()).sum();
    assert!(bodies <= data.len());
    for packet in compound.flatten() {
        walk(&packet);
        rewrite(&packet, fault);
    }
}

/// Looks at everything, however deep.
fn walk(packet: &RtcpPacket<'_>) {
    match packet {
        RtcpPacket::Sdes(sdes) => {
            for chunk in sdes.chunks() {
                let items = chunk.items().count();
                assert!(items > 0 || chunk.cname().is_none());
            }
        }
        RtcpPacket::Bye(bye) => assert!(bye.ssrcs().len() < 32),
        RtcpPacket::Xr(xr) => {
            for block in xr.blocks() {
                let _ = block.dlrr_reports().count();
            }
        }
        RtcpPacket::TransportFeedback(feedback) => {
            assert!(feedback.packets().count() <= usize::from(feedback.status_count()));
        }
        RtcpPacket::CongestionFeedback(feedback) => {
            for stream in feedback.streams() {
                let _ = stream.packets().count();
            }
        }
        RtcpPacket::Remb(remb) => assert!(remb.ssrcs().len() <= 255),
        _ => {}
    }
}

fn rewrite(packet: &RtcpPacket<'_>, fault: Fault) {
    let mut buffer = vec![0; 0x1_0000 * 4];
    let mut writer = RtcpWriter::new(&mut buffer);
    match packet {
        RtcpPacket::SenderReport(report) => {
            let blocks: Vec<ReportBlock> = report.report_blocks().collect();
            writer.sender_report(report.ssrc(), &report.info(), &blocks).expect("it was read");
            let len = writer.finish();
            let RtcpPacket::SenderReport(again) = read(&buffer[..len]) else {
                panic!("it was a sender report")
            };
            assert_eq!((again.ssrc(), again.info()), (report.ssrc(), report.info()));
            assert!(again.report_blocks().eq(blocks));
        }
        RtcpPacket::ReceiverReport(report) => {
            let blocks: Vec<ReportBlock> = report.report_blocks().collect();
            writer.receiver_report(report.ssrc(), &blocks).expect("it was read");
            let len = writer.finish();
            let RtcpPacket::ReceiverReport(again) = read(&buffer[..len]) else {
                panic!("it was a receiver report")
            };
            assert!(again.report_blocks().eq(blocks));
        }
        RtcpPacket::Nack(nack) => {
            let mut lost: BTreeSet<u16> = nack.lost().collect();
            assert!(nack.lost().count() <= 17 * nack.entries().len());
            if lost.is_empty() {
                return;
            }
            writer.nack(nack.sender_ssrc(), nack.media_ssrc(), lost.iter().copied()).expect("it was read");
            let len = writer.finish();
            let RtcpPacket::Nack(again) = read(&buffer[..len]) else { panic!("it was a NACK") };
            if fault == Fault::Planted && lost.len() > 2 {
                lost.pop_last();
            }
            assert_eq!(again.lost().collect::<BTreeSet<u16>>(), lost);
        }
        RtcpPacket::Pli(pli) => {
            writer.pli(pli.sender_ssrc, pli.media_ssrc).expect("it was read");
            let len = writer.finish();
            let RtcpPacket::Pli(again) = read(&buffer[..len]) else { panic!("it was a PLI") };
            assert_eq!((again.sender_ssrc, again.media_ssrc), (pli.sender_ssrc, pli.media_ssrc));
        }
        RtcpPacket::Fir(fir) => {
            let entries: Vec<FirEntry> = fir.entries().collect();
            if entries.is_empty() {
                return;
            }
            writer.fir(fir.sender_ssrc(), &entries).expect("it was read");
            let len = writer.finish();
            let RtcpPacket::Fir(again) = read(&buffer[..len]) else { panic!("it was a FIR") };
            assert!(again.entries().eq(entries));
        }
        _ => {}
    }
}

fn read(bytes: &[u8]) -> RtcpPacket<'_> {
    let mut packets = Compound::parse(bytes).expect("what was written is a compound").into_iter();
    packets.next().expect("of one packet").expect("that reads")
}
