//! The answer to an offer. Checks that what is answered was offered; does not choose anything.

use sdp::SessionDescription;
use sdp::description::common::{Address, ConnectionInformation};
use sdp::description::session::{Origin, TimeDescription};
use tureen_rtp_dictionaries::{
    DtlsParameters, DtlsRole, HeaderExtensionUri, IceCandidate, IceParameters, RtcpFeedback, RtpParameters,
};

use crate::media::{OfferedMedia, SectionKind};
use crate::offer::Offer;
use crate::section::SectionWriter;

/// This side of the transport.
#[derive(Debug, Clone, Copy)]
pub struct LocalTransport<'a> {
    /// Credentials, and whether this is a lite agent.
    pub ice: &'a IceParameters,
    /// All candidates; none follow.
    pub candidates: &'a [IceCandidate],
    /// Fingerprints, and the role; [`DtlsRole::Auto`] waits for the offerer's ClientHello where it may (RFC 9725 section
    /// 4.4.1).
    pub dtls: &'a DtlsParameters,
}

/// Why an answer cannot be made so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AnswerError {
    /// Both sides insist on the same role.
    #[error("dtlsParameters.role: offerer and answerer both want to be {}", crate::transport::setup_value(*.0))]
    DtlsRole(DtlsRole),
    /// The offer has no section with this media identification.
    #[error("mid {0}: not in the offer")]
    UnknownMid(String),
    /// The section is rejected, goes the other way or is about something else.
    #[error("mid {mid}: the m-line at line {line} does not allow that")]
    NotOffered {
        /// The media identification.
        mid: String,
        /// The m-line.
        line: usize,
    },
    /// The parameters have no codec.
    #[error("mid {0}: codecs: there is none")]
    NoCodec(String),
    /// The section has no such payload type, or another codec under it.
    #[error("mid {mid}: codecs: the offer has no {mime_type} with payload type {payload_type}")]
    PayloadType {
        /// The media identification.
        mid: String,
        /// The payload type.
        payload_type: u8,
        /// The codec.
        mime_type: String,
    },
    /// The section has no such header extension under that id.
    #[error("mid {mid}: headerExtensions: the offer has no {uri} with id {id}")]
    HeaderExtension {
        /// The media identification.
        mid: String,
        /// The extension.
        uri: HeaderExtensionUri,
        /// Its id.
        id: u8,
    },
    /// A stream that is sent has no SSRC.
    #[error("mid {0}: encodings: an encoding has no ssrc")]
    NoSsrc(String),
    /// A text would not stay in its line.
    #[error("{0}: control characters in the value")]
    ControlCharacter(String),
}

/// What a section is answered with.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) enum SectionAnswer<'a> {
    #[default]
    Rejected,
    Inactive,
    Media {
        receive: Option<&'a RtpParameters>,
        send: Option<&'a RtpParameters>,
    },
    Data {
        sctp_port: u16,
        max_message_size: u32,
    },
}

impl SectionAnswer<'_> {
    pub(crate) const fn is_rejected(&self) -> bool {
        matches!(self, Self::Rejected)
    }
}

/// An answer in the making: every section is rejected until it is said otherwise.
#[derive(Debug, Clone)]
pub struct Answer<'a> {
    pub(crate) offer: &'a Offer,
    pub(crate) local: LocalTransport<'a>,
    pub(crate) dtls_role: DtlsRole,
    session_id: u64,
    session_version: u64,
    sections: Vec<SectionAnswer<'a>>,
}

impl<'a> Answer<'a> {
    /// Answers an offer from this transport. The session id is the offer's, and so is the version, which then grows with
    /// each offer; see [`with_session`](Self::with_session).
    ///
    /// # Errors
    /// [`AnswerError::DtlsRole`].
    pub fn new(offer: &'a Offer, local: LocalTransport<'a>) -> Result<Self, AnswerError> {
        let dtls_role = match (offer.dtls().role, local.dtls.role) {
            (DtlsRole::Auto, DtlsRole::Auto) => DtlsRole::Server,
            (DtlsRole::Auto, role) => role,
            (DtlsRole::Client, DtlsRole::Auto | DtlsRole::Server) => DtlsRole::Server,
            (DtlsRole::Server, DtlsRole::Auto | DtlsRole::Client) => DtlsRole::Client,
            (role, _) => return Err(AnswerError::DtlsRole(role)),
        };
        Ok(Self {
            offer,
            local,
            dtls_role,
            session_id: offer.session_id,
            session_version: offer.session_version,
            sections: vec![SectionAnswer::Rejected; offer.media.len()],
        })
    }

    /// The session id and version of `o=` (RFC 8866 section 5.2); the version has to grow with each answer of a session.
    pub fn with_session(mut self, id: u64, version: u64) -> Self {
        (self.session_id, self.session_version) = (id, version);
        self
    }

    /// The DTLS role of this side that follows from both sides' wishes.
    pub fn dtls_role(&self) -> DtlsRole {
        self.dtls_role
    }

    /// Receives what a section sends, as a producer with these parameters
    /// ([`OfferedMedia::producer_rtp_parameters`]).
    ///
    /// # Errors
    /// [`AnswerError`] where the offer does not have what the parameters say.
    pub fn receive(&mut self, mid: &str, producer: &'a RtpParameters) -> Result<(), AnswerError> {
        let (section, answer) =
            self.section(mid, |section| section.media_kind().is_some() && section.sends())?;
        check(section, mid, producer)?;
        *answer = match *answer {
            SectionAnswer::Media { send, .. } => SectionAnswer::Media { receive: Some(producer), send },
            _ => SectionAnswer::Media { receive: Some(producer), send: None },
        };
        Ok(())
    }

    /// Sends to a section what a consumer with these parameters gets. They have to be under the offer's numbers
    /// ([`get_receiver_consumer_rtp_parameters`](tureen_rtp_dictionaries::get_receiver_consumer_rtp_parameters)), and
    /// their `mid` to be the section's. Without `msid`, the stream is called as its CNAME, and the track as its mid.
    ///
    /// # Errors
    /// [`AnswerError`] where the offer does not have what the parameters say.
    pub fn send(&mut self, mid: &str, consumer: &'a RtpParameters) -> Result<(), AnswerError> {
        let (section, answer) =
            self.section(mid, |section| section.media_kind().is_some() && section.receives())?;
        check(section, mid, consumer)?;
        let has_ssrcs = consumer.encodings.iter().all(|encoding| encoding.ssrc.is_some());
        if !has_ssrcs || consumer.encodings.is_empty() {
            return Err(AnswerError::NoSsrc(mid.to_owned()));
        }
        *answer = match *answer {
            SectionAnswer::Media { receive, .. } => SectionAnswer::Media { receive, send: Some(consumer) },
            _ => SectionAnswer::Media { receive: None, send: Some(consumer) },
        };
        Ok(())
    }

    /// Keeps a section without media, so that a later offer can use it.
    ///
    /// # Errors
    /// [`AnswerError`] where the section is rejected or no RTP.
    pub fn inactive(&mut self, mid: &str) -> Result<(), AnswerError> {
        let (_, answer) =
            self.section(mid, |section| section.media_kind().is_some() && !section.codecs.is_empty())?;
        *answer = SectionAnswer::Inactive;
        Ok(())
    }

    /// Takes data channels: the SCTP port of this side, and the largest message that it receives, in bytes.
    ///
    /// # Errors
    /// [`AnswerError`] where the section has none.
    pub fn data(&mut self, mid: &str, sctp_port: u16, max_message_size: u32) -> Result<(), AnswerError> {
        let (_, answer) = self.section(mid, |section| section.kind == SectionKind::Data)?;
        *answer = SectionAnswer::Data { sctp_port, max_message_size };
        Ok(())
    }

    /// Rejects a section, as all are at first.
    ///
    /// # Errors
    /// [`AnswerError::UnknownMid`].
    pub fn reject(&mut self, mid: &str) -> Result<(), AnswerError> {
        let known = |media: &OfferedMedia| media.mid.as_deref() == Some(mid);
        let index = self.offer.media.iter().position(known);
        let answer = index.and_then(|index| self.sections.get_mut(index));
        *answer.ok_or_else(|| AnswerError::UnknownMid(mid.to_owned()))? = SectionAnswer::Rejected;
        Ok(())
    }

    /// The text. The same answer gives the same text.
    ///
    /// # Errors
    /// [`AnswerError::ControlCharacter`] where a value would break out of its line.
    pub fn to_sdp(&self) -> Result<String, AnswerError> {
        let mut session = SessionWriter::new(self).description;
        for (section, answer) in self.offer.media.iter().zip(&self.sections) {
            session.media_descriptions.push(SectionWriter::new(self, section).write(answer));
        }
        let sections = session.media_descriptions.iter().map(|section| &section.attributes);
        for attribute in std::iter::once(&session.attributes).chain(sections).flatten() {
            if attribute.value.as_ref().is_some_and(|value| value.chars().any(char::is_control)) {
                return Err(AnswerError::ControlCharacter(attribute.key.clone()));
            }
        }
        let text = session.marshal();
        // What the offer's media lines said is said again.
        if text.split("\r\n").any(|line| line.chars().any(char::is_control)) {
            return Err(AnswerError::ControlCharacter("m".to_owned()));
        }
        Ok(text)
    }

    /// Whether media in it has congestion control feedback by stream (RFC 8888).
    pub(crate) fn has_stream_feedback(&self) -> bool {
        let parameters = self.sections.iter().flat_map(|section| match section {
            SectionAnswer::Media { receive, send } => [*receive, *send],
            _ => [None, None],
        });
        let mut codecs = parameters.flatten().flat_map(|parameters| &parameters.codecs);
        codecs.any(|codec| codec.rtcp_feedback.contains(&RtcpFeedback::ACK_CCFB))
    }

    fn section(
        &mut self,
        mid: &str,
        allows: impl Fn(&OfferedMedia) -> bool,
    ) -> Result<(&'a OfferedMedia, &mut SectionAnswer<'a>), AnswerError> {
        let offer: &'a Offer = self.offer;
        let mut both = offer.media.iter().zip(&mut self.sections);
        let found = both.find(|(section, _)| section.mid.as_deref() == Some(mid));
        let (section, answer) = found.ok_or_else(|| AnswerError::UnknownMid(mid.to_owned()))?;
        if section.rejected || !allows(section) {
            return Err(AnswerError::NotOffered { mid: mid.to_owned(), line: section.line });
        }
        Ok((section, answer))
    }
}

/// That a section has all codecs and header extensions, under the same numbers.
fn check(section: &OfferedMedia, mid: &str, params: &RtpParameters) -> Result<(), AnswerError> {
    if params.codecs.is_empty() {
        return Err(AnswerError::NoCodec(mid.to_owned()));
    }
    for codec in &params.codecs {
        let known = section.codecs.iter().any(|offered| {
            offered.payload_type == codec.payload_type
                && offered.mime_type == codec.mime_type
                && offered.clock_rate == codec.clock_rate
        });
        if !known {
            return Err(AnswerError::PayloadType {
                mid: mid.to_owned(),
                payload_type: codec.payload_type,
                mime_type: codec.mime_type.as_str().to_owned(),
            });
        }
    }
    for extension in &params.header_extensions {
        let known = |offered: &crate::rtp::OfferedExtension| {
            offered.id == extension.id && offered.uri == extension.uri && !offered.encrypt
        };
        if !section.extensions.iter().any(known) {
            let (mid, uri, id) = (mid.to_owned(), extension.uri.clone(), extension.id);
            return Err(AnswerError::HeaderExtension { mid, uri, id });
        }
    }
    Ok(())
}

/// Writes what stands before the first m-line.
struct SessionWriter {
    description: SessionDescription,
}

impl SessionWriter {
    fn new(answer: &Answer<'_>) -> Self {
        let Answer { offer, local, sections, .. } = answer;
        let mut description = SessionDescription {
            origin: Origin {
                username: "-".to_owned(),
                session_id: answer.session_id,
                session_version: answer.session_version,
                network_type: "IN".to_owned(),
                address_type: "IP4".to_owned(),
                unicast_address: "127.0.0.1".to_owned(),
            },
            session_name: "-".to_owned(),
            time_descriptions: vec![TimeDescription::default()],
            ..SessionDescription::default()
        };
        if local.ice.ice_lite {
            description = description.with_property_attribute("ice-lite".to_owned());
        }
        let accepted = |mid: &&String| {
            let place = offer.media.iter().position(|section| section.mid.as_ref() == Some(*mid));
            place.and_then(|place| sections.get(place)).is_some_and(|section| !section.is_rejected())
        };
        let mut group = vec!["BUNDLE"];
        group.extend(offer.bundle.iter().filter(accepted).map(String::as_str));
        if group.len() > 1 {
            description = description.with_value_attribute("group".to_owned(), group.join(" "));
        }
        if offer.extmap_allow_mixed {
            description = description.with_property_attribute("extmap-allow-mixed".to_owned());
        }
        description = description.with_value_attribute("msid-semantic".to_owned(), " WMS *".to_owned());
        Self { description }
    }
}

/// An address of `c=`.
pub(crate) fn connection(address: std::net::IpAddr) -> ConnectionInformation {
    ConnectionInformation {
        network_type: "IN".to_owned(),
        address_type: if address.is_ipv4() { "IP4" } else { "IP6" }.to_owned(),
        address: Some(Address { address: address.to_string(), ttl: None, range: None }),
    }
}
