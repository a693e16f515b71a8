//! RTCP of a capture: packets of one type from one sender about one source, summed up.

use rtcp::goodbye::Goodbye;
use rtcp::packet::Packet;
use rtcp::payload_feedbacks::full_intra_request::FullIntraRequest;
use rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use rtcp::payload_feedbacks::receiver_estimated_maximum_bitrate::ReceiverEstimatedMaximumBitrate;
use rtcp::receiver_report::ReceiverReport;
use rtcp::reception_report::ReceptionReport;
use rtcp::sender_report::SenderReport;
use rtcp::source_description::{SdesType, SourceDescription};
use rtcp::transport_feedbacks::transport_layer_cc::TransportLayerCc;
use rtcp::transport_feedbacks::transport_layer_nack::TransportLayerNack;
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What a summary is of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ControlKey {
    /// `sr`, `rr`, `sdes`, `bye`, `nack`, `pli`, `fir`, `remb`, `twcc`, or the number of another type.
    #[serde(rename = "type")]
    pub kind: String,
    /// The SSRC of who sent it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender: Option<u32>,
    /// The SSRC that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub media: Option<u32>,
}

/// Packets of one kind, summed up: the last report's fields, and sums whose names say so.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ControlSummary {
    /// How many packets or report blocks.
    pub count: u64,
    /// The interesting fields.
    #[serde(flatten)]
    pub fields: BTreeMap<&'static str, Value>,
}

impl ControlSummary {
    fn set(&mut self, name: &'static str, value: impl Into<Value>) {
        self.fields.insert(name, value.into());
    }

    fn sum(&mut self, name: &'static str, value: u64) {
        let before = self.fields.get(name).and_then(Value::as_u64).unwrap_or_default();
        self.fields.insert(name, json!(before.saturating_add(value)));
    }
}

/// All RTCP of one 5-tuple.
pub(super) type Control = BTreeMap<ControlKey, ControlSummary>;

fn entry<'a>(
    control: &'a mut Control,
    kind: &str,
    sender: Option<u32>,
    media: Option<u32>,
) -> &'a mut ControlSummary {
    let summary = control.entry(ControlKey { kind: kind.to_owned(), sender, media }).or_default();
    summary.count += 1;
    summary
}

/// Adds one packet of a compound.
pub(super) fn add(control: &mut Control, packet: &(dyn Packet + Send + Sync)) {
    let any = packet.as_any();
    if let Some(report) = any.downcast_ref::<SenderReport>() {
        let summary = entry(control, "sr", Some(report.ssrc), None);
        summary.set("ntpTime", report.ntp_time);
        summary.set("rtpTime", report.rtp_time);
        summary.set("packetCount", report.packet_count);
        summary.set("octetCount", report.octet_count);
        report_blocks(control, report.ssrc, &report.reports);
    } else if let Some(report) = any.downcast_ref::<ReceiverReport>() {
        if report.reports.is_empty() {
            entry(control, "rr", Some(report.ssrc), None);
        }
        report_blocks(control, report.ssrc, &report.reports);
    } else if let Some(description) = any.downcast_ref::<SourceDescription>() {
        for chunk in &description.chunks {
            let summary = entry(control, "sdes", Some(chunk.source), None);
            let cname = chunk.items.iter().find(|item| item.sdes_type == SdesType::SdesCname);
            if let Some(cname) = cname {
                summary.set("cname", String::from_utf8_lossy(&cname.text).into_owned());
            }
        }
    } else if let Some(goodbye) = any.downcast_ref::<Goodbye>() {
        for &source in &goodbye.sources {
            let summary = entry(control, "bye", Some(source), None);
            if !goodbye.reason.is_empty() {
                summary.set("reason", String::from_utf8_lossy(&goodbye.reason).into_owned());
            }
        }
    } else {
        feedback(control, packet);
    }
}

fn report_blocks(control: &mut Control, sender: u32, reports: &[ReceptionReport]) {
    for report in reports {
        let summary = entry(control, "rr", Some(sender), Some(report.ssrc));
        summary.set("fractionLost", f64::from(report.fraction_lost) / 256.0);
        // Cumulative loss is a signed number of 24 bits (RFC 3550 section 6.4.1).
        summary.set("totalLost", (report.total_lost << 8) as i32 >> 8);
        summary.set("highestSequenceNumber", report.last_sequence_number);
        summary.set("jitter", report.jitter);
    }
}

fn feedback(control: &mut Control, packet: &(dyn Packet + Send + Sync)) {
    let any = packet.as_any();
    if let Some(nack) = any.downcast_ref::<TransportLayerNack>() {
        let asked: u64 = nack.nacks.iter().map(|pair| 1 + u64::from(pair.lost_packets.count_ones())).sum();
        entry(control, "nack", Some(nack.sender_ssrc), Some(nack.media_ssrc)).sum("packetsAskedFor", asked);
    } else if let Some(pli) = any.downcast_ref::<PictureLossIndication>() {
        entry(control, "pli", Some(pli.sender_ssrc), Some(pli.media_ssrc));
    } else if let Some(fir) = any.downcast_ref::<FullIntraRequest>() {
        for request in &fir.fir {
            let summary = entry(control, "fir", Some(fir.sender_ssrc), Some(request.ssrc));
            summary.set("lastCommand", request.sequence_number);
        }
    } else if let Some(remb) = any.downcast_ref::<ReceiverEstimatedMaximumBitrate>() {
        let summary = entry(control, "remb", Some(remb.sender_ssrc), None);
        summary.set("bitrate", f64::from(remb.bitrate));
        summary.set("ssrcs", remb.ssrcs.clone());
    } else if let Some(twcc) = any.downcast_ref::<TransportLayerCc>() {
        let summary = entry(control, "twcc", Some(twcc.sender_ssrc), Some(twcc.media_ssrc));
        let received = twcc.recv_deltas.len() as u64;
        summary.sum("packetsReportedSum", twcc.packet_status_count.into());
        summary.sum("packetsReceivedSum", received);
        summary.sum("packetsLostSum", u64::from(twcc.packet_status_count).saturating_sub(received));
    } else {
        let header = packet.header();
        entry(control, &format!("{}/{}", header.packet_type as u8, header.count), None, None);
    }
}
