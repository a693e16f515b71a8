//! Writes one media section of an answer, or of a trickle fragment's transport. Trusts that what it writes was offered.

use std::net::{IpAddr, Ipv4Addr};

use sdp::description::common::Attribute;
use sdp::description::media::{MediaDescription, MediaName, RangedPort};
use tureen_rtp_dictionaries::{
    DtlsFingerprint, FingerprintAlgorithm, IceCandidate, RtcpFeedback, RtpCodecParameters,
    RtpHeaderExtensionDirection as ExtensionDirection, RtpParameters, TransportProtocol,
};

use crate::answer::{Answer, SectionAnswer, connection};
use crate::media::{Direction, OfferedMedia};
use crate::rtp::{OfferedExtension, fmtp_value, rtcp_feedback_value, rtpmap_value};
use crate::sending::is_primary;
use crate::streams::SimulcastRid;
use crate::transport::{candidate_value, setup_value};

pub(crate) struct SectionWriter<'a> {
    answer: &'a Answer<'a>,
    offered: &'a OfferedMedia,
    formats: Vec<String>,
    /// Feedback by stream has been written.
    by_stream: bool,
    attributes: Vec<Attribute>,
}

impl<'a> SectionWriter<'a> {
    pub(crate) fn new(answer: &'a Answer<'a>, offered: &'a OfferedMedia) -> Self {
        Self { answer, offered, formats: Vec::new(), by_stream: false, attributes: Vec::new() }
    }

    pub(crate) fn write(mut self, answer: &SectionAnswer<'_>) -> MediaDescription {
        if let Some(mid) = &self.offered.mid {
            self.value("mid", mid.clone());
        }
        match *answer {
            SectionAnswer::Rejected => self.property("inactive"),
            SectionAnswer::Inactive => {
                self.transport();
                self.inactive();
            }
            SectionAnswer::Media { receive, send } => {
                self.transport();
                self.media(receive, send);
            }
            SectionAnswer::Data { sctp_port, max_message_size } => {
                self.transport();
                self.formats.clone_from(&self.offered.formats);
                self.value("sctp-port", sctp_port.to_string());
                self.value("max-message-size", max_message_size.to_string());
            }
        }
        self.finish(answer)
    }

    fn finish(self, answer: &SectionAnswer<'_>) -> MediaDescription {
        let candidate = default_candidate(self.answer.local.candidates);
        let (address, port) = candidate.unwrap_or((Ipv4Addr::UNSPECIFIED.into(), 9));
        let (address, port, formats) = match answer {
            SectionAnswer::Rejected => (Ipv4Addr::UNSPECIFIED.into(), 0, self.offered.formats.clone()),
            _ => (address, port, self.formats),
        };
        MediaDescription {
            media_name: MediaName {
                media: self.offered.media.clone(),
                port: RangedPort { value: isize::try_from(port).unwrap_or(9), range: None },
                protos: self.offered.protocol.clone(),
                formats,
            },
            connection_information: Some(connection(address)),
            attributes: self.attributes,
            ..MediaDescription::default()
        }
    }

    fn property(&mut self, key: &str) {
        self.attributes.push(Attribute::new(key.to_owned(), None));
    }

    fn value(&mut self, key: &str, value: String) {
        self.attributes.push(Attribute::new(key.to_owned(), Some(value)));
    }

    fn transport(&mut self) {
        let local = self.answer.local;
        self.value("ice-ufrag", local.ice.username_fragment.clone());
        self.value("ice-pwd", local.ice.password.clone());
        if self.answer.offer.ice_options.iter().any(|option| option == "trickle") {
            self.value("ice-options", "trickle".to_owned());
        }
        for candidate in local.candidates {
            self.value("candidate", candidate_value(candidate));
        }
        self.property("end-of-candidates");
        for fingerprint in understood(&local.dtls.fingerprints) {
            self.value("fingerprint", format!("{} {}", fingerprint.algorithm.name(), fingerprint.value));
        }
        self.value("setup", setup_value(self.answer.dtls_role).to_owned());
    }

    fn media(&mut self, receive: Option<&RtpParameters>, send: Option<&RtpParameters>) {
        self.rtp(Direction::new(send.is_some(), receive.is_some()));
        let both = || [receive, send].into_iter().flatten();
        let mut extensions: Vec<u8> = Vec::new();
        for extension in both().flat_map(|params| &params.header_extensions) {
            let offered = self.offered.extensions.iter().find(|offered| offered.id == extension.id);
            if let Some(offered) = offered.filter(|_| !extensions.contains(&extension.id)) {
                extensions.push(extension.id);
                self.value("extmap", extmap_value(offered));
            }
        }
        if let Some(msid) = send.map(|consumer| self.msid(consumer)) {
            self.value("msid", msid);
        }
        // The offer's order is the offerer's preference, which is as good as any here.
        let place = |codec: &&RtpCodecParameters| {
            let offered = &self.offered.codecs;
            offered.iter().position(|offered| offered.payload_type == codec.payload_type)
        };
        let mut codecs: Vec<_> = both().flat_map(|params| &params.codecs).collect();
        codecs.sort_by_key(place);
        for codec in codecs {
            self.codec(codec);
        }
        if let Some(producer) = receive {
            self.rids(producer);
        }
        if let Some(consumer) = send {
            self.ssrcs(consumer);
        }
    }

    /// The codec that media would have, since an m-line has a format at least.
    fn inactive(&mut self) {
        self.rtp(Direction::Inactive);
        let codecs = &self.offered.codecs;
        let primary = codecs.iter().find(|codec| is_primary(codec)).or_else(|| codecs.first());
        if let Some(codec) = primary {
            let mut codec = codec.clone();
            // It is for all sections of a session or for none.
            let by_stream = self.answer.has_stream_feedback();
            codec.rtcp_feedback.retain(|feedback| by_stream || *feedback != RtcpFeedback::ACK_CCFB);
            self.codec(&codec);
        }
    }

    fn rtp(&mut self, direction: Direction) {
        self.property(direction.as_str());
        self.property("rtcp-mux");
        if self.offered.rtcp_reduced_size {
            self.property("rtcp-rsize");
        }
        let offer = self.answer.offer;
        if self.offered.extmap_allow_mixed && !offer.extmap_allow_mixed {
            self.property("extmap-allow-mixed");
        }
    }

    fn codec(&mut self, codec: &RtpCodecParameters) {
        let format = codec.payload_type.to_string();
        if self.formats.contains(&format) {
            return;
        }
        self.formats.push(format);
        self.value("rtpmap", rtpmap_value(codec));
        for feedback in &codec.rtcp_feedback {
            if *feedback != RtcpFeedback::ACK_CCFB {
                self.value("rtcp-fb", rtcp_feedback_value(codec.payload_type, feedback));
            } else if !std::mem::replace(&mut self.by_stream, true) {
                // Its payload type must be the wildcard (RFC 8888 section 6).
                self.value("rtcp-fb", format!("* {} {}", feedback.kind, feedback.parameter));
            }
        }
        if let Some(fmtp) = fmtp_value(codec) {
            self.value("fmtp", fmtp);
        }
    }

    /// What is received of the simulcast that is offered (RFC 8853 section 5.3.2), in the offer's order. What starts
    /// paused stays so: without the mark a sender would start it.
    fn rids(&mut self, producer: &RtpParameters) {
        let used = |id: &str| producer.encodings.iter().any(|encoding| encoding.rid.as_deref() == Some(id));
        let Some(simulcast) = &self.offered.streams.simulcast else { return };
        let first = simulcast.send.iter().filter_map(|alternatives| alternatives.first());
        let mut streams: Vec<String> = Vec::new();
        for SimulcastRid { id, paused } in first.filter(|rid| used(&rid.id)) {
            self.value("rid", format!("{id} recv"));
            streams.push(if *paused { format!("~{id}") } else { id.clone() });
        }
        if !streams.is_empty() {
            self.value("simulcast", format!("recv {}", streams.join(";")));
        }
    }

    fn msid(&self, consumer: &RtpParameters) -> String {
        let stream = consumer.rtcp.cname.as_deref().unwrap_or("-");
        let track = self.offered.mid.as_deref().unwrap_or("-");
        consumer.msid.clone().unwrap_or_else(|| format!("{stream} {track}"))
    }

    fn ssrcs(&mut self, consumer: &RtpParameters) {
        let cname = consumer.rtcp.cname.as_deref().unwrap_or("-");
        for encoding in &consumer.encodings {
            let Some(ssrc) = encoding.ssrc else { continue };
            if let Some(rtx) = encoding.rtx {
                self.value("ssrc-group", format!("FID {ssrc} {}", rtx.ssrc));
            }
            if let Some(fec) = encoding.fec {
                // RFC 5956 section 4.3.
                self.value("ssrc-group", format!("FEC-FR {ssrc} {}", fec.ssrc));
            }
            let others = [encoding.rtx.map(|rtx| rtx.ssrc), encoding.fec.map(|fec| fec.ssrc)];
            for ssrc in [Some(ssrc)].into_iter().chain(others).flatten() {
                self.value("ssrc", format!("{ssrc} cname:{cname}"));
            }
        }
    }
}

/// The direction of an extension is turned around, as that of media is (RFC 8285 section 6).
fn extmap_value(offered: &OfferedExtension) -> String {
    let direction = match offered.direction {
        None => "",
        Some(ExtensionDirection::SendRecv) => "/sendrecv",
        Some(ExtensionDirection::SendOnly) => "/recvonly",
        Some(ExtensionDirection::RecvOnly) => "/sendonly",
        Some(ExtensionDirection::Inactive) => "/inactive",
    };
    format!("{}{direction} {}", offered.id, offered.uri)
}

/// The first UDP candidate that is an address, which `c=` and `m=` name (RFC 8839 section 4.2.1.2).
fn default_candidate(candidates: &[IceCandidate]) -> Option<(IpAddr, u16)> {
    let udp = candidates.iter().filter(|candidate| candidate.protocol == TransportProtocol::Udp);
    udp.filter_map(|candidate| Some((candidate.address.parse().ok()?, candidate.port))).next()
}

/// That of SHA-256 where there is one, which everybody understands (RFC 8122 section 5); some clients give up at the first other one.
fn understood(fingerprints: &[DtlsFingerprint]) -> impl Iterator<Item = &DtlsFingerprint> {
    let is_sha_256 = |fingerprint: &DtlsFingerprint| fingerprint.algorithm == FingerprintAlgorithm::Sha256;
    let any = !fingerprints.iter().any(is_sha_256);
    fingerprints.iter().filter(move |fingerprint| any || is_sha_256(fingerprint))
}
