//! From text to attributes that know their line. Does not know what any attribute means.

use std::io::Cursor;

use sdp::SessionDescription;
use sdp::description::common::Attribute as SdpAttribute;
use sdp::description::media::MediaName;

use crate::error::{AttributeFault, SdpError};

/// The most bytes of a description or a fragment.
pub const MAX_LEN: usize = 256 * 1024;

/// The most media sections of a description or a fragment.
pub const MAX_MEDIA_SECTIONS: usize = 128;

/// An attribute and where it stands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attribute<'a> {
    pub(crate) line: usize,
    pub(crate) key: &'a str,
    /// Empty where there is none: no attribute that is read tells the two apart.
    pub(crate) value: &'a str,
}

impl Attribute<'_> {
    pub(crate) fn error(&self, attribute: &'static str, fault: AttributeFault) -> SdpError {
        SdpError::Attribute { line: self.line, attribute, fault }
    }

    pub(crate) fn malformed(&self, attribute: &'static str, expected: &'static str) -> SdpError {
        self.error(attribute, AttributeFault::Malformed(expected))
    }
}

/// A description whose attributes are paired with their lines.
#[derive(Debug)]
pub(crate) struct Description {
    sdp: SessionDescription,
    /// The lines of all attributes, those of the session first.
    attribute_lines: Vec<usize>,
    /// The lines of all m-lines.
    media_lines: Vec<usize>,
}

/// A media section as it was read.
#[derive(Debug)]
pub(crate) struct Section<'a> {
    pub(crate) line: usize,
    pub(crate) name: &'a MediaName,
    pub(crate) attributes: Vec<Attribute<'a>>,
}

impl Description {
    pub(crate) fn parse(text: &str) -> Result<Self, SdpError> {
        let (attribute_lines, media_lines) = scan(text)?;
        let mut reader = Cursor::new(text.as_bytes());
        let sdp = SessionDescription::unmarshal(&mut reader).map_err(|error| {
            let read = usize::try_from(reader.position()).unwrap_or(usize::MAX);
            syntax(line_of(text, read), &error.to_string())
        })?;
        Ok(Self { sdp, attribute_lines, media_lines })
    }

    pub(crate) fn session_id(&self) -> u64 {
        self.sdp.origin.session_id
    }

    pub(crate) fn session_version(&self) -> u64 {
        self.sdp.origin.session_version
    }

    /// The attributes of the session.
    pub(crate) fn session(&self) -> Vec<Attribute<'_>> {
        pair(&self.sdp.attributes, &self.attribute_lines)
    }

    /// The media sections in order.
    pub(crate) fn sections(&self) -> Vec<Section<'_>> {
        let mut lines = self.attribute_lines.get(self.sdp.attributes.len()..).unwrap_or_default();
        let mut sections = Vec::with_capacity(self.sdp.media_descriptions.len());
        for (media, line) in self.sdp.media_descriptions.iter().zip(&self.media_lines) {
            let attributes = pair(&media.attributes, lines);
            lines = lines.get(attributes.len()..).unwrap_or_default();
            sections.push(Section { line: *line, name: &media.media_name, attributes });
        }
        sections
    }
}

fn pair<'a>(attributes: &'a [SdpAttribute], lines: &[usize]) -> Vec<Attribute<'a>> {
    let attribute = |(attribute, line): (&'a SdpAttribute, &usize)| Attribute {
        line: *line,
        key: &attribute.key,
        value: attribute.value.as_deref().unwrap_or_default(),
    };
    attributes.iter().zip(lines).map(attribute).collect()
}

/// The lines of `text` that are not empty, from 1, each a letter, `=` and a value.
pub(crate) fn typed_lines(text: &str) -> impl Iterator<Item = Result<(usize, char, &str), SdpError>> {
    let lines = text.split('\n').zip(1..).map(|(line, number)| (line.trim_matches('\r'), number));
    lines.filter(|(line, _)| !line.is_empty()).map(|(line, number)| {
        let mut chars = line.chars();
        match (chars.next(), chars.next()) {
            (Some(letter @ 'a'..='z'), Some('=')) => Ok((number, letter, chars.as_str())),
            _ => Err(syntax(number, "expected a lower-case letter and =")),
        }
    })
}

/// Where attributes and m-lines stand, within the limits.
fn scan(text: &str) -> Result<(Vec<usize>, Vec<usize>), SdpError> {
    if text.len() > MAX_LEN {
        return Err(SdpError::TooLong(text.len()));
    }
    let (mut attributes, mut media) = (Vec::new(), Vec::new());
    for line in typed_lines(text) {
        match line? {
            (line, 'a', _) => attributes.push(line),
            (line, 'm', _) if media.len() == MAX_MEDIA_SECTIONS => {
                return Err(SdpError::TooManyMediaSections { line });
            }
            (line, 'm', _) => media.push(line),
            _ => {}
        }
    }
    Ok((attributes, media))
}

pub(crate) fn syntax(line: usize, reason: &str) -> SdpError {
    SdpError::Syntax { line, reason: reason.chars().filter(|c| !c.is_control()).take(120).collect() }
}

/// The line whose end, or middle, is the `read`th byte.
fn line_of(text: &str, read: usize) -> usize {
    let before = text.as_bytes().get(..read.saturating_sub(1)).unwrap_or(text.as_bytes());
    1 + before.iter().filter(|byte| **byte == b'\n').count()
}
