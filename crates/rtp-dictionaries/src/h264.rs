//! `profile-level-id` of H264 and how two of them meet (RFC 6184 sections 8.1 and 8.2.2).

use std::fmt;

use crate::parameter_map::ParameterMap;

/// The profiles that WebRTC endpoints tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum H264Profile {
    /// Constrained Baseline.
    ConstrainedBaseline,
    /// Baseline.
    Baseline,
    /// Main.
    Main,
    /// Constrained High.
    ConstrainedHigh,
    /// High.
    High,
    /// High 4:4:4 Predictive.
    PredictiveHigh444,
}

/// A level, ordered by what it allows: 1b stands between 1 and 1.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct H264Level {
    /// Ten times the level number.
    idc: u8,
    /// Level 1b, whose `idc` is that of level 1.
    b: bool,
}

/// A profile and a level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ProfileLevelId {
    /// The profile.
    pub profile: H264Profile,
    /// The highest level.
    pub level: H264Level,
}

/// The text is not six hexadecimal digits of a known profile and level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a known profile-level-id")]
#[non_exhaustive]
pub struct InvalidProfileLevelId;

/// profile_idc, the mask of constraint flags that matter, their value, the profile: RFC 6184 section 8.1, table 5.
const PROFILES: &[(u8, u8, u8, H264Profile)] = &[
    (0x42, 0b0100_1111, 0b0100_0000, H264Profile::ConstrainedBaseline),
    (0x4d, 0b1000_1111, 0b1000_0000, H264Profile::ConstrainedBaseline),
    (0x58, 0b1100_1111, 0b1100_0000, H264Profile::ConstrainedBaseline),
    (0x42, 0b0100_1111, 0b0000_0000, H264Profile::Baseline),
    (0x58, 0b1100_1111, 0b1000_0000, H264Profile::Baseline),
    (0x4d, 0b1010_1111, 0b0000_0000, H264Profile::Main),
    (0x64, 0b1111_1111, 0b0000_0000, H264Profile::High),
    (0x64, 0b1111_1111, 0b0000_1100, H264Profile::ConstrainedHigh),
    (0xf4, 0b1111_1111, 0b0000_0000, H264Profile::PredictiveHigh444),
];

const LEVELS: &[u8] = &[10, 11, 12, 13, 20, 21, 22, 30, 31, 32, 40, 41, 42, 50, 51, 52, 60, 61, 62];

/// constraint_set3_flag, which makes level 1b of 1.1 in Baseline, Main and Extended.
const CONSTRAINT_SET3: u8 = 0x10;

impl H264Level {
    /// Level 1b.
    pub const LEVEL_1B: Self = Self { idc: 10, b: true };

    /// The level of a `level_idc` such as 31; `None` if there is none.
    pub fn from_idc(idc: u8) -> Option<Self> {
        LEVELS.contains(&idc).then_some(Self { idc, b: false })
    }
}

impl ProfileLevelId {
    /// What the absence of the parameter means among WebRTC endpoints: Constrained Baseline, level 3.1.
    pub const DEFAULT: Self =
        Self { profile: H264Profile::ConstrainedBaseline, level: H264Level { idc: 31, b: false } };

    /// Reads six hexadecimal digits.
    ///
    /// # Errors
    /// [`InvalidProfileLevelId`] for other text, unknown profiles and unknown levels.
    pub fn parse(text: &str) -> Result<Self, InvalidProfileLevelId> {
        if text.len() != 6 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(InvalidProfileLevelId);
        }
        let number = u32::from_str_radix(text, 16).map_err(|_| InvalidProfileLevelId)?;
        let [_, profile_idc, flags, level_idc] = number.to_be_bytes();
        let profile = PROFILES
            .iter()
            .find(|(idc, mask, value, _)| *idc == profile_idc && flags & mask == *value)
            .map(|(_, _, _, profile)| *profile)
            .ok_or(InvalidProfileLevelId)?;
        let level = if level_idc == 11 && flags & CONSTRAINT_SET3 != 0 {
            H264Level::LEVEL_1B
        } else {
            H264Level::from_idc(level_idc).ok_or(InvalidProfileLevelId)?
        };
        Ok(Self { profile, level })
    }

    /// Reads the `profile-level-id` of a codec, [`Self::DEFAULT`] if there is none.
    ///
    /// # Errors
    /// [`InvalidProfileLevelId`] when there is one, and it is not valid.
    pub fn of(parameters: &ParameterMap) -> Result<Self, InvalidProfileLevelId> {
        match parameters.get("profile-level-id") {
            None => Ok(Self::DEFAULT),
            Some(value) => Self::parse(&value.to_text().ok_or(InvalidProfileLevelId)?),
        }
    }
}

impl fmt::Display for ProfileLevelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (idc, mut flags) = match self.profile {
            H264Profile::ConstrainedBaseline => (0x42, 0xe0),
            H264Profile::Baseline => (0x42, 0x00),
            H264Profile::Main => (0x4d, 0x00),
            H264Profile::ConstrainedHigh => (0x64, 0x0c),
            H264Profile::High => (0x64, 0x00),
            H264Profile::PredictiveHigh444 => (0xf4, 0x00),
        };
        let mut level = self.level.idc;
        if self.level == H264Level::LEVEL_1B {
            (flags, level) = (flags | CONSTRAINT_SET3, 11);
        }
        write!(f, "{idc:02x}{flags:02x}{level:02x}")
    }
}

/// True if a stream of one can be described by the other: the same profile (a bad one matches nothing) and the same
/// `packetization-mode`, 0 by default. Levels never keep two codecs apart, they are negotiated down.
pub fn h264_matches(a: &ParameterMap, b: &ParameterMap) -> bool {
    let mode = |map: &ParameterMap| map.get("packetization-mode").map_or(Some(0), |mode| mode.as_u64());
    let (Ok(a_id), Ok(b_id)) = (ProfileLevelId::of(a), ProfileLevelId::of(b)) else { return false };
    a_id.profile == b_id.profile && mode(a).is_some() && mode(a) == mode(b)
}

/// The `profile-level-id` that answers `offered` on behalf of `supported` (RFC 6184 section 8.2.2): the level is the
/// lower of both, or the supported one where both say `level-asymmetry-allowed=1`. `None` if the profiles differ or
/// one of them is not valid.
pub fn h264_answer(supported: &ParameterMap, offered: &ParameterMap) -> Option<ProfileLevelId> {
    let local = ProfileLevelId::of(supported).ok()?;
    let remote = ProfileLevelId::of(offered).ok()?;
    if local.profile != remote.profile {
        return None;
    }
    let asymmetric = |map: &ParameterMap| map.get_u64("level-asymmetry-allowed") == Some(1);
    let both = asymmetric(supported) && asymmetric(offered);
    let level = if both { local.level } else { local.level.min(remote.level) };
    Some(ProfileLevelId { profile: local.profile, level })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(json: &str) -> ParameterMap {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn profiles_and_levels_of_table_5() {
        use H264Profile::*;
        let cases = [
            ("42e01f", ConstrainedBaseline, 31),
            ("42C02A", ConstrainedBaseline, 42),
            ("4de01f", ConstrainedBaseline, 31),
            ("58f01f", ConstrainedBaseline, 31),
            ("42001f", Baseline, 31),
            ("42a01f", Baseline, 31),
            ("58a01f", Baseline, 31),
            ("4d401f", Main, 31),
            ("64001f", High, 31),
            ("640c1f", ConstrainedHigh, 31),
            ("640c34", ConstrainedHigh, 52),
            ("f4001f", PredictiveHigh444, 31),
        ];
        for (text, profile, idc) in cases {
            let id = ProfileLevelId::parse(text).unwrap();
            assert_eq!(id, ProfileLevelId { profile, level: H264Level::from_idc(idc).unwrap() }, "{text}");
        }
    }

    #[test]
    fn malformed_ids_are_refused() {
        for text in [
            "", "42e01", "42e01f1", "42e01g", "42e000", "42e0ff", "gggggg", "58601f", "42de1f", "+2e01f",
            "42é1f",
        ] {
            assert_eq!(ProfileLevelId::parse(text), Err(InvalidProfileLevelId), "{text}");
        }
    }

    #[test]
    fn level_1b_stands_between_1_and_1_1() {
        let b = ProfileLevelId::parse("42f00b").unwrap();
        assert_eq!(b.level, H264Level::LEVEL_1B);
        assert!(H264Level::from_idc(10).unwrap() < b.level && b.level < H264Level::from_idc(11).unwrap());
        assert_eq!(b.to_string(), "42f00b");
    }

    #[test]
    fn an_id_reads_back_from_its_text() {
        for text in ["42e01f", "42000d", "4d0020", "640c28", "64001f", "f40034"] {
            assert_eq!(ProfileLevelId::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn matching_looks_at_profile_and_packetization_mode() {
        let cases = [
            ("{}", "{}", true),
            ("{}", r#"{"profile-level-id":"42e034"}"#, true),
            (r#"{"profile-level-id":"42e01f"}"#, r#"{"profile-level-id":"4d801f"}"#, true),
            (r#"{"profile-level-id":"42e01f"}"#, r#"{"profile-level-id":"42001f"}"#, false),
            (r#"{"profile-level-id":640032}"#, r#"{"profile-level-id":"64001f"}"#, true),
            (r#"{"packetization-mode":0}"#, "{}", true),
            (r#"{"packetization-mode":1}"#, r#"{"packetization-mode":"1"}"#, true),
            (r#"{"packetization-mode":1}"#, "{}", false),
            (r#"{"packetization-mode":"x"}"#, r#"{"packetization-mode":"x"}"#, false),
            (r#"{"profile-level-id":null}"#, "{}", false),
            (r#"{"profile-level-id":"zz"}"#, r#"{"profile-level-id":"zz"}"#, false),
        ];
        for (a, b, expected) in cases {
            assert_eq!(h264_matches(&map(a), &map(b)), expected, "{a} {b}");
            assert_eq!(h264_matches(&map(b), &map(a)), expected, "{b} {a}");
        }
    }

    #[test]
    fn the_answer_keeps_its_own_level_only_with_asymmetry_on_both_sides() {
        let high = r#"{"profile-level-id":"42e034","level-asymmetry-allowed":1}"#;
        let low = r#"{"profile-level-id":"42e015","level-asymmetry-allowed":1}"#;
        let strict = r#"{"profile-level-id":"42e015"}"#;
        let answer = |a: &str, b: &str| h264_answer(&map(a), &map(b)).map(|id| id.to_string());
        assert_eq!(answer(high, low).unwrap(), "42e034");
        assert_eq!(answer(high, strict).unwrap(), "42e015");
        assert_eq!(answer(strict, high).unwrap(), "42e015");
        assert_eq!(answer(high, r#"{"profile-level-id":"64001f"}"#), None);
    }
}
