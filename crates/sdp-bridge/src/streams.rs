//! What tells the streams of a media section apart: msid (RFC 8830), SSRCs (RFC 5576), RTP stream ids (RFC 8851) and
//! simulcast (RFC 8853). Does not know codecs.

use tureen_rtp_dictionaries::MAX_ENCODINGS;

use crate::error::{AttributeFault, SdpError};
use crate::lines::Attribute;

/// The most SSRCs, and groups of them, of a media section.
const MAX_SSRCS: usize = 128;

/// The longest RTP stream id that a header extension carries in its one-byte form (RFC 8285 section 4.2).
const MAX_RID_LEN: usize = 16;

/// The most alternatives for one simulcast stream.
const MAX_ALTERNATIVES: usize = 8;

/// An SSRC of a media section (RFC 5576 section 4.1).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct OfferedSsrc {
    /// The synchronization source.
    pub ssrc: u32,
    /// The canonical name that its RTCP has.
    pub cname: Option<String>,
    /// Its media stream identification, where the section has none of its own.
    pub msid: Option<String>,
}

/// SSRCs that belong together (RFC 5576 section 4.2).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SsrcGroup {
    /// `FID` (a stream and its retransmissions), `SIM` (simulcast before rids), `FEC-FR` and others.
    pub semantics: String,
    /// The SSRCs in order.
    pub ssrcs: Vec<u32>,
}

/// Which way a rid or a simulcast stream goes, seen from the offerer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StreamDirection {
    /// The offerer sends it.
    Send,
    /// The offerer receives it.
    Recv,
}

impl StreamDirection {
    fn parse(text: &str) -> Option<Self> {
        match text {
            "send" => Some(Self::Send),
            "recv" => Some(Self::Recv),
            _ => None,
        }
    }
}

/// An RTP stream id and its restrictions (RFC 8851).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct OfferedRid {
    /// The id.
    pub id: String,
    /// Which way its stream goes.
    pub direction: StreamDirection,
    /// The payload types that it is limited to; empty for all.
    pub payload_types: Vec<u8>,
    /// The largest width in pixels, if limited.
    pub max_width: Option<u32>,
    /// The largest height in pixels, if limited.
    pub max_height: Option<u32>,
    /// The most frames a second, if limited.
    pub max_fps: Option<u32>,
    /// The most bit/s, if limited.
    pub max_bitrate: Option<u64>,
}

/// One stream id of a simulcast (RFC 8853 section 5.1).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SimulcastRid {
    /// The RTP stream id.
    pub id: String,
    /// Whether it starts paused (`~`).
    pub paused: bool,
}

/// The simulcast of a media section (RFC 8853): each stream is a list of alternatives, best first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Simulcast {
    /// What the offerer sends.
    pub send: Vec<Vec<SimulcastRid>>,
    /// What the offerer receives.
    pub recv: Vec<Vec<SimulcastRid>>,
}

/// Everything that tells streams apart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct OfferedStreams {
    /// `<stream id> <track id>`; the stream id is `-` for a track without a stream.
    pub msid: Option<String>,
    /// In the order in which they first appear.
    pub ssrcs: Vec<OfferedSsrc>,
    /// In order.
    pub ssrc_groups: Vec<SsrcGroup>,
    /// In order.
    pub rids: Vec<OfferedRid>,
    /// If there is any.
    pub simulcast: Option<Simulcast>,
}

impl OfferedStreams {
    pub(crate) fn parse(attributes: &[Attribute<'_>]) -> Result<Self, SdpError> {
        let mut streams = Self::default();
        for attribute in attributes {
            match attribute.key {
                // A track may be in several streams; the first one speaks for it.
                "msid" if streams.msid.is_none() => {
                    let words: Vec<&str> = attribute.value.split_whitespace().take(2).collect();
                    streams.msid = Some(words.join(" ")).filter(|msid| !msid.is_empty());
                }
                "ssrc" => streams.read_ssrc(attribute)?,
                "ssrc-group" => streams.read_ssrc_group(attribute)?,
                "rid" => streams.read_rid(attribute)?,
                "simulcast" => {
                    let simulcast = simulcast(attribute)?;
                    if streams.simulcast.replace(simulcast).is_some() {
                        return Err(attribute.error("simulcast", AttributeFault::Duplicate));
                    }
                }
                _ => {}
            }
        }
        Ok(streams)
    }

    /// The SSRC that repairs `ssrc` (RFC 4588 section 8.3).
    pub fn rtx_of(&self, ssrc: u32) -> Option<u32> {
        let mut groups = self.ssrc_groups.iter().filter(|group| group.semantics == "FID");
        groups.find_map(|group| match group.ssrcs.as_slice() {
            [media, rtx] if *media == ssrc => Some(*rtx),
            _ => None,
        })
    }

    /// The canonical name of any of the SSRCs; they have the same one (RFC 8834 section 4.9).
    pub fn cname(&self) -> Option<&str> {
        self.ssrcs.iter().find_map(|ssrc| ssrc.cname.as_deref())
    }

    fn read_ssrc(&mut self, attribute: &Attribute<'_>) -> Result<(), SdpError> {
        let (ssrc, rest) = attribute.value.split_once(' ').unwrap_or((attribute.value, ""));
        let ssrc = ssrc.parse().map_err(|_| attribute.malformed("ssrc", "<ssrc> <attribute>"))?;
        let index = match self.ssrcs.iter().position(|known| known.ssrc == ssrc) {
            Some(index) => index,
            None if self.ssrcs.len() == MAX_SSRCS => {
                return Err(attribute.error("ssrc", AttributeFault::TooMany(MAX_SSRCS)));
            }
            None => {
                self.ssrcs.push(OfferedSsrc { ssrc, cname: None, msid: None });
                self.ssrcs.len() - 1
            }
        };
        let Some(entry) = self.ssrcs.get_mut(index) else { return Ok(()) };
        match rest.split_once(':') {
            Some(("cname", cname)) if !cname.is_empty() => entry.cname = Some(cname.to_owned()),
            Some(("msid", msid)) if !msid.is_empty() => entry.msid = Some(msid.to_owned()),
            _ => {}
        }
        Ok(())
    }

    fn read_ssrc_group(&mut self, attribute: &Attribute<'_>) -> Result<(), SdpError> {
        let malformed = || attribute.malformed("ssrc-group", "<semantics> <ssrc> ...");
        let mut words = attribute.value.split_whitespace();
        let semantics = words.next().ok_or_else(malformed)?.to_owned();
        let ssrcs: Result<Vec<u32>, _> = words.take(MAX_SSRCS).map(str::parse).collect();
        if self.ssrc_groups.len() == MAX_SSRCS {
            return Err(attribute.error("ssrc-group", AttributeFault::TooMany(MAX_SSRCS)));
        }
        self.ssrc_groups.push(SsrcGroup { semantics, ssrcs: ssrcs.map_err(|_| malformed())? });
        Ok(())
    }

    fn read_rid(&mut self, attribute: &Attribute<'_>) -> Result<(), SdpError> {
        let rid = rid(attribute.value);
        let rid = rid.ok_or_else(|| attribute.malformed("rid", "<id> <send or recv> [<restrictions>]"))?;
        // The same id may name a stream in each direction.
        if self.rids.iter().any(|known| known.id == rid.id && known.direction == rid.direction) {
            return Err(attribute.error("rid", AttributeFault::Duplicate));
        }
        if self.rids.len() == 2 * MAX_ENCODINGS {
            return Err(attribute.error("rid", AttributeFault::TooMany(2 * MAX_ENCODINGS)));
        }
        self.rids.push(rid);
        Ok(())
    }
}

/// True for what RFC 8851 section 10 allows, short enough for a one-byte header extension.
fn is_rid(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=MAX_RID_LEN).contains(&text.len()) && text.bytes().all(allowed)
}

fn rid(value: &str) -> Option<OfferedRid> {
    let mut words = value.split_whitespace();
    let id = words.next().filter(|id| is_rid(id))?;
    let direction = StreamDirection::parse(words.next()?)?;
    let mut rid = OfferedRid {
        id: id.to_owned(),
        direction,
        payload_types: Vec::new(),
        max_width: None,
        max_height: None,
        max_fps: None,
        max_bitrate: None,
    };
    for restriction in words.flat_map(|words| words.split(';')) {
        let Some((name, value)) = restriction.split_once('=') else { continue };
        match name {
            "pt" => {
                let payload_types: Result<_, _> = value.split(',').take(128).map(str::parse).collect();
                rid.payload_types = payload_types.ok()?;
            }
            "max-width" => rid.max_width = value.parse().ok(),
            "max-height" => rid.max_height = value.parse().ok(),
            "max-fps" => rid.max_fps = value.parse().ok(),
            "max-br" => rid.max_bitrate = value.parse().ok(),
            _ => {}
        }
    }
    Some(rid)
}

fn simulcast(attribute: &Attribute<'_>) -> Result<Simulcast, SdpError> {
    let malformed = || attribute.malformed("simulcast", "<send or recv> <id>[,<id>][;<id>] ...");
    let mut simulcast = Simulcast::default();
    let mut words = attribute.value.split_whitespace();
    while let Some(direction) = words.next() {
        let streams = match StreamDirection::parse(direction).ok_or_else(malformed)? {
            StreamDirection::Send => &mut simulcast.send,
            StreamDirection::Recv => &mut simulcast.recv,
        };
        if !streams.is_empty() {
            return Err(malformed());
        }
        for alternatives in words.next().ok_or_else(malformed)?.split(';') {
            let alternatives: Option<Vec<_>> =
                alternatives.split(',').take(MAX_ALTERNATIVES).map(simulcast_rid).collect();
            streams.push(alternatives.ok_or_else(malformed)?);
            if streams.len() > MAX_ENCODINGS {
                return Err(attribute.error("simulcast", AttributeFault::TooMany(MAX_ENCODINGS)));
            }
        }
    }
    Ok(simulcast)
}

fn simulcast_rid(text: &str) -> Option<SimulcastRid> {
    let (id, paused) = match text.strip_prefix('~') {
        Some(id) => (id, true),
        None => (text, false),
    };
    is_rid(id).then(|| SimulcastRid { id: id.to_owned(), paused })
}
