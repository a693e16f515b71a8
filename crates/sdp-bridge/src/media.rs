//! One media section of an offer. Knows what the offerer said, and nothing of routers.

use tureen_rtp_dictionaries::{MediaKind, RtpCodecParameters};

use crate::error::SdpError;
use crate::lines::{Attribute, Section};
use crate::rtp::{self, OfferedExtension};
use crate::streams::OfferedStreams;
use crate::transport::TransportAttributes;

/// What a media section is about.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SectionKind {
    /// Audio or video over RTP.
    Rtp(MediaKind),
    /// Data channels (RFC 8841).
    Data,
    /// Anything else: it can only be rejected.
    Other,
}

/// Which way media goes, seen from the offerer (RFC 8866 section 6.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Direction {
    /// Both ways.
    #[default]
    SendRecv,
    /// From the offerer.
    SendOnly,
    /// To the offerer.
    RecvOnly,
    /// Not at all.
    Inactive,
}

impl Direction {
    /// True if the side that states it sends.
    pub const fn sends(self) -> bool {
        matches!(self, Self::SendRecv | Self::SendOnly)
    }

    /// True if the side that states it receives.
    pub const fn receives(self) -> bool {
        matches!(self, Self::SendRecv | Self::RecvOnly)
    }

    /// The name of the attribute.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SendRecv => "sendrecv",
            Self::SendOnly => "sendonly",
            Self::RecvOnly => "recvonly",
            Self::Inactive => "inactive",
        }
    }

    pub(crate) const fn new(sends: bool, receives: bool) -> Self {
        match (sends, receives) {
            (true, true) => Self::SendRecv,
            (true, false) => Self::SendOnly,
            (false, true) => Self::RecvOnly,
            (false, false) => Self::Inactive,
        }
    }

    fn parse(attributes: &[Attribute<'_>]) -> Option<Self> {
        attributes.iter().find_map(|attribute| {
            let all = [Self::SendRecv, Self::SendOnly, Self::RecvOnly, Self::Inactive];
            all.into_iter().find(|direction| direction.as_str() == attribute.key)
        })
    }
}

/// The SCTP attributes of a data section (RFC 8841).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct OfferedData {
    /// The SCTP port.
    pub sctp_port: u16,
    /// The largest message that the offerer takes, in bytes; 0 for any size, 65536 by default.
    pub max_message_size: u64,
}

/// A media section of an offer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct OfferedMedia {
    /// The number of its m-line, from 1.
    pub line: usize,
    /// What it is about.
    pub kind: SectionKind,
    /// Its media identification (RFC 5888); only a rejected section may lack it.
    pub mid: Option<String>,
    /// Whether the offerer has rejected or stopped it: port 0 without `a=bundle-only` (RFC 9143 section 6).
    pub rejected: bool,
    /// Which way media goes.
    pub direction: Direction,
    /// Codecs in the offerer's order, best first, with fmtp and rtcp-fb.
    pub codecs: Vec<RtpCodecParameters>,
    /// Header extensions.
    pub extensions: Vec<OfferedExtension>,
    /// Whether one-byte and two-byte header extensions may be mixed (RFC 8285 section 6).
    pub extmap_allow_mixed: bool,
    /// Whether reduced-size RTCP (RFC 5506) is offered.
    pub rtcp_reduced_size: bool,
    /// What tells its streams apart.
    pub streams: OfferedStreams,
    /// The canonical name of its RTCP, or of any other section's: an endpoint has one (RFC 8834 section 4.9).
    pub cname: Option<String>,
    /// SCTP, for [`SectionKind::Data`].
    pub data: Option<OfferedData>,
    /// The media type, protocol and formats of the m-line, as a rejecting answer repeats them.
    pub(crate) media: String,
    pub(crate) protocol: Vec<String>,
    pub(crate) formats: Vec<String>,
}

/// What a section has from its session.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FromSession {
    direction: Direction,
    extmap_allow_mixed: bool,
}

impl FromSession {
    pub(crate) fn new(session: &[Attribute<'_>]) -> Self {
        Self {
            direction: Direction::parse(session).unwrap_or_default(),
            extmap_allow_mixed: has(session, "extmap-allow-mixed"),
        }
    }

    pub(crate) const fn extmap_allow_mixed(self) -> bool {
        self.extmap_allow_mixed
    }
}

/// Whether an attribute is there.
pub(crate) fn has(attributes: &[Attribute<'_>], key: &str) -> bool {
    attributes.iter().any(|attribute| attribute.key == key)
}

impl OfferedMedia {
    /// Reads a section. Of a rejected one only what a rejecting answer repeats.
    pub(crate) fn parse(
        section: &Section<'_>,
        from_session: FromSession,
    ) -> Result<(Self, TransportAttributes), SdpError> {
        let Section { line, name, attributes } = section;
        let rejected = name.port.value == 0 && !has(attributes, "bundle-only");
        let kind = kind_of(section);
        let mid = mid(attributes)?;
        if mid.is_none() && !rejected {
            return Err(SdpError::Missing { line: *line, attribute: "mid" });
        }
        let mut media = Self {
            line: *line,
            mid,
            rejected,
            direction: Direction::parse(attributes).unwrap_or(from_session.direction),
            codecs: Vec::new(),
            extensions: Vec::new(),
            extmap_allow_mixed: from_session.extmap_allow_mixed || has(attributes, "extmap-allow-mixed"),
            rtcp_reduced_size: has(attributes, "rtcp-rsize"),
            streams: OfferedStreams::default(),
            cname: None,
            data: None,
            media: name.media.clone(),
            protocol: name.protos.clone(),
            formats: name.formats.clone(),
            kind,
        };
        if rejected {
            return Ok((media, TransportAttributes::default()));
        }
        match media.kind {
            SectionKind::Rtp(kind) => {
                if !has(attributes, "rtcp-mux") {
                    return Err(SdpError::Missing { line: *line, attribute: "rtcp-mux" });
                }
                media.codecs = rtp::codecs(section, kind)?;
                media.extensions = rtp::extensions(section)?;
                media.streams = OfferedStreams::parse(attributes)?;
            }
            SectionKind::Data => media.data = Some(data(section)?),
            SectionKind::Other => {}
        }
        Ok((media, TransportAttributes::parse(attributes)?))
    }

    /// Whether this side could take media from it.
    pub fn sends(&self) -> bool {
        !self.rejected && self.direction.sends()
    }

    /// Whether this side could give media to it.
    pub fn receives(&self) -> bool {
        !self.rejected && self.direction.receives()
    }

    /// Audio or video, if it is RTP.
    pub fn media_kind(&self) -> Option<MediaKind> {
        match self.kind {
            SectionKind::Rtp(kind) => Some(kind),
            SectionKind::Data | SectionKind::Other => None,
        }
    }
}

fn kind_of(section: &Section<'_>) -> SectionKind {
    let protocol = section.name.protos.iter().map(String::as_str).collect::<Vec<_>>();
    // RFC 8829 section 5.1.2: any profile of these means DTLS-SRTP or SCTP over DTLS.
    let rtp = matches!(*protocol, [.., "RTP", "SAVPF" | "SAVP"]);
    let data = matches!(*protocol, ["UDP" | "TCP", "DTLS", "SCTP"]);
    match section.name.media.as_str() {
        "audio" if rtp => SectionKind::Rtp(MediaKind::Audio),
        "video" if rtp => SectionKind::Rtp(MediaKind::Video),
        "application" if data && section.name.formats.iter().any(|format| format == "webrtc-datachannel") => {
            SectionKind::Data
        }
        _ => SectionKind::Other,
    }
}

/// The longest media identification that is taken; it goes into each packet (RFC 9143 section 15).
const MAX_MID_LEN: usize = 16;

pub(crate) fn mid(attributes: &[Attribute<'_>]) -> Result<Option<String>, SdpError> {
    let Some(attribute) = attributes.iter().find(|attribute| attribute.key == "mid") else {
        return Ok(None);
    };
    let is_token = |byte: u8| byte.is_ascii_graphic() && !br#""(),/:;<=>?@[\]"#.contains(&byte);
    let value = attribute.value.trim();
    if (1..=MAX_MID_LEN).contains(&value.len()) && value.bytes().all(is_token) {
        Ok(Some(value.to_owned()))
    } else {
        Err(attribute.malformed("mid", "a token of 1 to 16 characters"))
    }
}

fn data(section: &Section<'_>) -> Result<OfferedData, SdpError> {
    let mut data = OfferedData { sctp_port: 0, max_message_size: 65_536 };
    for attribute in &section.attributes {
        match attribute.key {
            "sctp-port" => {
                let port = attribute.value.trim().parse().ok().filter(|port| *port > 0);
                data.sctp_port = port.ok_or_else(|| attribute.malformed("sctp-port", "a port above 0"))?;
            }
            "max-message-size" => {
                let size = attribute.value.trim().parse();
                data.max_message_size =
                    size.map_err(|_| attribute.malformed("max-message-size", "a number of bytes"))?;
            }
            _ => {}
        }
    }
    if data.sctp_port == 0 {
        return Err(SdpError::Missing { line: section.line, attribute: "sctp-port" });
    }
    Ok(data)
}
