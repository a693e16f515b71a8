//! An offer as a whole: media sections on one transport (BUNDLE, RFC 9143). Knows nothing of what answers it.

use std::collections::BTreeSet;

use tureen_rtp_dictionaries::{DtlsParameters, IceCandidate, IceParameters};

use crate::error::{AttributeFault, SdpError};
use crate::lines::{Attribute, Description};
use crate::media::{FromSession, OfferedMedia};
use crate::transport::{MAX_CANDIDATES, TransportAttributes};

/// An SDP offer of a WebRTC endpoint: what it has to send, and what it can receive, all on one transport.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Offer {
    /// The session id of `o=`.
    pub session_id: u64,
    /// The version of the session in `o=`, which grows from offer to offer.
    pub session_version: u64,
    /// Media sections in order, rejected ones included.
    pub media: Vec<OfferedMedia>,
    /// The media identifications of the BUNDLE group, in its order.
    pub bundle: Vec<String>,
    /// Whether `a=extmap-allow-mixed` stands at the session (RFC 8285 section 6).
    pub extmap_allow_mixed: bool,
    /// Its candidates so far; candidates of transports or types that are not known are left out.
    pub candidates: Vec<IceCandidate>,
    /// Whether these are all.
    pub end_of_candidates: bool,
    /// Its ICE options, such as `trickle` (RFC 8840) and `ice2` (RFC 8445).
    pub ice_options: Vec<String>,
    ice: IceParameters,
    dtls: DtlsParameters,
}

impl Offer {
    /// Reads an offer.
    ///
    /// All media sections that are not rejected have to be in one BUNDLE group (a single one needs none), and RTP has to
    /// be multiplexed with RTCP. ICE and DTLS are those of the first section of the group.
    ///
    /// # Errors
    /// [`SdpError`] names the line. Text of up to [`MAX_LEN`](crate::MAX_LEN) bytes is read; attributes that are not
    /// known are ignored (RFC 8866 section 5.13).
    pub fn parse(text: &str) -> Result<Self, SdpError> {
        let description = Description::parse(text)?;
        let session = description.session();
        let from_session = FromSession::new(&session);
        let session_transport = TransportAttributes::parse(&session)?;
        let bundle = bundle(&session);
        let sections = description.sections();
        let (mut media, mut transports) = (Vec::new(), Vec::new());
        for section in &sections {
            let (section, transport) = OfferedMedia::parse(section, from_session)?;
            media.push(section);
            transports.push(transport);
        }
        let cname = media.iter().find_map(|section| section.streams.cname()).map(str::to_owned);
        for section in &mut media {
            section.cname = section.streams.cname().map(str::to_owned).or_else(|| cname.clone());
        }
        check_mids(&media)?;
        check_bundle(&media, &bundle)?;
        let (tagged, transport) = tagged(&media, &transports, &bundle).ok_or(SdpError::NoMedia)?;
        let ice = transport.ice(&session_transport, tagged.line)?;
        let dtls = transport.dtls(&session_transport, tagged.line)?;
        let ice_options = match transport.ice_options.as_slice() {
            [] => session_transport.ice_options.clone(),
            options => options.to_vec(),
        };
        Ok(Self {
            session_id: description.session_id(),
            session_version: description.session_version(),
            extmap_allow_mixed: from_session.extmap_allow_mixed(),
            candidates: candidates(&transports, &ice),
            end_of_candidates: transport.end_of_candidates || session_transport.end_of_candidates,
            ice_options,
            media,
            bundle,
            ice,
            dtls,
        })
    }

    /// Its ICE credentials.
    pub fn ice(&self) -> &IceParameters {
        &self.ice
    }

    /// Its DTLS role (`auto` for `actpass`) and fingerprints.
    pub fn dtls(&self) -> &DtlsParameters {
        &self.dtls
    }

    /// Whether candidates may come later (RFC 8840).
    pub fn trickles(&self) -> bool {
        self.ice_options.iter().any(|option| option == "trickle") && !self.end_of_candidates
    }

    /// Whether it asks for an ICE restart of a connection whose offerer had `previous` (RFC 8839 section 4.4.1.1.1).
    pub fn restarts_ice(&self, previous: &IceParameters) -> bool {
        self.ice.username_fragment != previous.username_fragment || self.ice.password != previous.password
    }

    /// The section with a media identification.
    pub fn section(&self, mid: &str) -> Option<&OfferedMedia> {
        self.media.iter().find(|media| media.mid.as_deref() == Some(mid))
    }
}

/// The first BUNDLE group; others could not share the transport.
fn bundle(session: &[Attribute<'_>]) -> Vec<String> {
    let groups = session.iter().filter(|attribute| attribute.key == "group");
    let mut words = groups.map(|attribute| attribute.value.split_whitespace());
    let first = words.find_map(|mut words| (words.next() == Some("BUNDLE")).then_some(words));
    first.into_iter().flatten().take(crate::MAX_MEDIA_SECTIONS).map(str::to_owned).collect()
}

fn check_mids(media: &[OfferedMedia]) -> Result<(), SdpError> {
    let mut seen = BTreeSet::new();
    for section in media {
        if section.mid.as_deref().is_some_and(|mid| !seen.insert(mid)) {
            let (line, attribute) = (section.line, "mid");
            return Err(SdpError::Attribute { line, attribute, fault: AttributeFault::Duplicate });
        }
    }
    Ok(())
}

fn check_bundle(media: &[OfferedMedia], bundle: &[String]) -> Result<(), SdpError> {
    let mut open = media.iter().filter(|section| !section.rejected);
    if bundle.is_empty() && open.clone().nth(1).is_none() {
        return Ok(());
    }
    let bundled = |section: &OfferedMedia| section.mid.as_ref().is_some_and(|mid| bundle.contains(mid));
    match open.find(|section| !bundled(section)) {
        Some(section) => Err(SdpError::NotBundled { line: section.line }),
        None => Ok(()),
    }
}

/// The section whose transport is everybody's (RFC 9143 section 7.2): the first of the group that is not rejected.
fn tagged<'a>(
    media: &'a [OfferedMedia],
    transports: &'a [TransportAttributes],
    bundle: &[String],
) -> Option<(&'a OfferedMedia, &'a TransportAttributes)> {
    let mut open = media.iter().zip(transports).filter(|(section, _)| !section.rejected);
    let place = |mid: &Option<String>| bundle.iter().position(|other| Some(other) == mid.as_ref());
    if bundle.is_empty() { open.next() } else { open.min_by_key(|(section, _)| place(&section.mid)) }
}

/// The candidates of all sections with the same credentials, each once.
fn candidates(transports: &[TransportAttributes], ice: &IceParameters) -> Vec<IceCandidate> {
    let same = |transport: &&TransportAttributes| {
        transport.username_fragment.as_ref().is_none_or(|fragment| *fragment == ice.username_fragment)
    };
    let mut candidates: Vec<IceCandidate> = Vec::new();
    for candidate in transports.iter().filter(same).flat_map(|transport| &transport.candidates) {
        if candidates.len() < MAX_CANDIDATES && !candidates.contains(candidate) {
            candidates.push(candidate.clone());
        }
    }
    candidates
}
