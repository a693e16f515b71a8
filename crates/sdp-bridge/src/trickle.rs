//! Trickle fragments, `application/trickle-ice-sdpfrag` (RFC 8840 section 9), as WHIP and WHEP send them in PATCH. Knows
//! nothing of media.

use tureen_rtp_dictionaries::{IceCandidate, IceParameters};

use crate::answer::AnswerError;
use crate::error::SdpError;
use crate::lines::{Attribute, MAX_LEN, MAX_MEDIA_SECTIONS, syntax, typed_lines};
use crate::media::mid;
use crate::transport::{MAX_CANDIDATES, TransportAttributes, candidate_value};

/// The media type of a fragment.
pub const TRICKLE_MEDIA_TYPE: &str = "application/trickle-ice-sdpfrag";

/// What a fragment says of the one transport of a BUNDLE group.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TrickleFragment {
    /// The credentials that the candidates belong to, if it says so.
    pub ice: Option<IceParameters>,
    /// Candidates; those of transports or types that are not known are left out.
    pub candidates: Vec<IceCandidate>,
    /// Whether no more follow.
    pub end_of_candidates: bool,
    /// The media identification of its first m-line, if there is one.
    pub mid: Option<String>,
    /// The BUNDLE group and m-line, as an answer repeats them.
    group: Option<String>,
    media: Option<String>,
}

/// A value that an answer repeats.
fn one_line(line: usize, value: &str) -> Result<String, SdpError> {
    if value.chars().any(char::is_control) {
        return Err(syntax(line, "control characters"));
    }
    Ok(value.to_owned())
}

impl TrickleFragment {
    /// Reads a fragment. Credentials count where they stand first, at the session or in the first m-line; candidates
    /// count in every m-line with these credentials.
    ///
    /// # Errors
    /// [`SdpError`] names the line.
    pub fn parse(text: &str) -> Result<Self, SdpError> {
        if text.len() > MAX_LEN {
            return Err(SdpError::TooLong(text.len()));
        }
        let mut fragment = Self::default();
        let mut sections = vec![(1, TransportAttributes::default())];
        for line in typed_lines(text) {
            match line? {
                (line, 'm', _) if sections.len() > MAX_MEDIA_SECTIONS => {
                    return Err(SdpError::TooManyMediaSections { line });
                }
                (line, 'm', value) => {
                    fragment.media.get_or_insert(one_line(line, value)?);
                    sections.push((line, TransportAttributes::default()));
                }
                (line, 'a', value) => {
                    let (key, value) = value.split_once(':').unwrap_or((value, ""));
                    let attribute = Attribute { line, key, value };
                    fragment.read(&attribute)?;
                    if let Some((_, section)) = sections.last_mut() {
                        section.read(&attribute)?;
                    }
                }
                _ => {}
            }
        }
        fragment.merge(&sections)?;
        Ok(fragment)
    }

    fn read(&mut self, attribute: &Attribute<'_>) -> Result<(), SdpError> {
        match attribute.key {
            "mid" if self.mid.is_none() => self.mid = mid(&[*attribute])?,
            "group" if self.group.is_none() => self.group = Some(one_line(attribute.line, attribute.value)?),
            _ => {}
        }
        Ok(())
    }

    fn merge(&mut self, sections: &[(usize, TransportAttributes)]) -> Result<(), SdpError> {
        let ice_lite = sections.iter().any(|(_, section)| section.ice_lite);
        if let Some((line, section)) =
            sections.iter().find(|(_, section)| section.username_fragment.is_some())
        {
            let ice = section.ice(&TransportAttributes::default(), *line)?;
            self.ice = Some(IceParameters { ice_lite, ..ice });
        }
        for (_, section) in sections {
            let fragment = section.username_fragment.as_ref();
            if self.ice.as_ref().zip(fragment).is_some_and(|(ice, other)| ice.username_fragment != *other) {
                continue;
            }
            self.end_of_candidates |= section.end_of_candidates;
            for candidate in &section.candidates {
                if self.candidates.len() < MAX_CANDIDATES && !self.candidates.contains(candidate) {
                    self.candidates.push(candidate.clone());
                }
            }
        }
        Ok(())
    }

    /// Whether it asks for an ICE restart of a connection whose endpoint had `previous`: it says other credentials (RFC
    /// 9725 section 4.3.2).
    pub fn restarts_ice(&self, previous: &IceParameters) -> bool {
        self.ice.as_ref().is_some_and(|ice| {
            ice.username_fragment != previous.username_fragment || ice.password != previous.password
        })
    }

    /// The fragment that answers a restart: the new credentials of this side and all its candidates (RFC 9725 section
    /// 4.3.2). Lines end in CRLF.
    ///
    /// # Errors
    /// [`AnswerError::ControlCharacter`] where a value would break out of its line.
    pub fn answer_restart(
        &self,
        ice: &IceParameters,
        candidates: &[IceCandidate],
    ) -> Result<String, AnswerError> {
        let mut lines: Vec<(&str, String)> = Vec::new();
        if ice.ice_lite {
            lines.push(("a=ice-lite", String::new()));
        }
        lines.push(("a=ice-options:", "trickle".to_owned()));
        lines.extend(self.group.as_ref().map(|group| ("a=group:", group.clone())));
        let media = self.media.as_deref().unwrap_or("audio 9 UDP/TLS/RTP/SAVPF 0");
        lines.push(("m=", media.to_owned()));
        lines.push(("a=mid:", self.mid.clone().unwrap_or_else(|| "0".to_owned())));
        lines.push(("a=ice-ufrag:", ice.username_fragment.clone()));
        lines.push(("a=ice-pwd:", ice.password.clone()));
        lines.extend(candidates.iter().map(|candidate| ("a=candidate:", candidate_value(candidate))));
        lines.push(("a=end-of-candidates", String::new()));
        let mut text = String::new();
        for (name, value) in lines {
            if value.chars().any(char::is_control) {
                let name = name.trim_start_matches("a=").trim_end_matches(':');
                return Err(AnswerError::ControlCharacter(name.to_owned()));
            }
            text.extend([name, &value, "\r\n"]);
        }
        Ok(text)
    }
}
