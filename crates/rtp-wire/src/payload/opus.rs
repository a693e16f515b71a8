//! The Opus TOC octet (RFC 6716 section 3.1) and what tells a silent packet.

/// What the TOC says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Descriptor {
    /// Configuration: mode, bandwidth and frame size, 0 to 31.
    pub config: u8,
    /// Two channels.
    pub stereo: bool,
    /// Frame count code, 0 to 3.
    pub code: u8,
    dtx: bool,
}

impl Descriptor {
    /// Reads the TOC; `None` on an empty payload.
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let &toc = payload.first()?;
        let code = toc & 3;
        // Frames of at most one octet: the TOC alone for codes 0 and 1, TOC and one length for code 2.
        let dtx = matches!((code, payload.len()), (0 | 1, 1) | (2, 2));
        Some(Self { config: toc >> 3, stereo: toc & 4 != 0, code, dtx })
    }

    /// Carries no sound: discontinuous transmission (RFC 6716 section 2.1.9).
    #[inline]
    pub fn is_dtx(&self) -> bool {
        self.dtx
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dtx_is_a_packet_without_frames() {
        let dtx = |payload: &[u8]| Descriptor::parse(payload).map(|d| d.is_dtx());
        assert_eq!(dtx(&[]), None);
        assert_eq!(dtx(&[0x78]), Some(true));
        assert_eq!(dtx(&[0x79]), Some(true));
        assert_eq!(dtx(&[0x7a]), Some(false));
        assert_eq!(dtx(&[0x7a, 0]), Some(true));
        assert_eq!(dtx(&[0x78, 0]), Some(false));
        assert_eq!(dtx(&[0x7b]), Some(false));
    }

    #[test]
    fn the_toc_is_split() {
        let d = Descriptor::parse(&[0xfc, 1, 2]).expect("not empty");
        assert_eq!((d.config, d.stereo, d.code), (31, true, 0));
    }
}
