//! Profile, tier and level of H265 and how two of them meet (RFC 7798 sections 7.1 and 7.2.2).

use crate::parameter_map::ParameterMap;

/// The parameters of H265 that matter for matching, with the defaults of RFC 7798 section 7.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ProfileTierLevel {
    /// `profile-space`, from 0 to 3; 0 by default.
    pub profile_space: u8,
    /// `profile-id`, from 0 to 31; 1 (Main) by default.
    pub profile_id: u8,
    /// `tier-flag`, 0 or 1; 0 (Main tier) by default.
    pub tier_flag: u8,
    /// `level-id`, 30 times the level number; 93 (level 3.1) by default.
    pub level_id: u8,
    /// `tx-mode`; [`TransmissionMode::Srst`] by default.
    pub tx_mode: TransmissionMode,
}

/// How many RTP streams and transports carry a bitstream (RFC 7798 section 7.1, `tx-mode`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TransmissionMode {
    /// A single stream on a single transport.
    Srst,
    /// Multiple streams on a single transport.
    Mrst,
    /// Multiple streams on multiple transports.
    Mrmt,
}

impl ProfileTierLevel {
    /// Reads the parameters of a codec; `None` if one of them is out of its range.
    pub fn of(parameters: &ParameterMap) -> Option<Self> {
        let number = |name: &str, default: u8, max: u8| match parameters.get(name) {
            None => Some(default),
            Some(value) => u8::try_from(value.as_u64()?).ok().filter(|number| *number <= max),
        };
        let tx_mode = match parameters.get("tx-mode").map(|mode| mode.to_text()) {
            None => TransmissionMode::Srst,
            Some(text) => match &*text? {
                "SRST" => TransmissionMode::Srst,
                "MRST" => TransmissionMode::Mrst,
                "MRMT" => TransmissionMode::Mrmt,
                _ => return None,
            },
        };
        Some(Self {
            profile_space: number("profile-space", 0, 3)?,
            profile_id: number("profile-id", 1, 31)?,
            tier_flag: number("tier-flag", 0, 1)?,
            level_id: number("level-id", 93, u8::MAX)?,
            tx_mode,
        })
    }
}

/// True if a stream of one can be described by the other: the same profile, tier and transmission mode. These are
/// symmetric, while `level-id` may differ (RFC 7798 section 7.2.2). Parameters out of range match nothing.
pub fn h265_matches(a: &ParameterMap, b: &ParameterMap) -> bool {
    let (Some(a), Some(b)) = (ProfileTierLevel::of(a), ProfileTierLevel::of(b)) else { return false };
    a.profile_space == b.profile_space
        && a.profile_id == b.profile_id
        && a.tier_flag == b.tier_flag
        && a.tx_mode == b.tx_mode
}

/// The `level-id` that answers `offered` on behalf of `supported`: the lower of both. `None` if they do not match.
pub fn h265_answer_level(supported: &ParameterMap, offered: &ParameterMap) -> Option<u8> {
    if !h265_matches(supported, offered) {
        return None;
    }
    Some(ProfileTierLevel::of(supported)?.level_id.min(ProfileTierLevel::of(offered)?.level_id))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(json: &str) -> ParameterMap {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn matching_looks_at_profile_tier_and_mode_but_not_level() {
        let chrome = r#"{"level-id":180,"profile-id":1,"tier-flag":0,"tx-mode":"SRST"}"#;
        let cases = [
            ("{}", chrome, true),
            (chrome, r#"{"level-id":"93"}"#, true),
            (chrome, r#"{"profile-id":2}"#, false),
            (chrome, r#"{"tier-flag":1}"#, false),
            (chrome, r#"{"tx-mode":"MRST"}"#, false),
            (chrome, r#"{"profile-space":1}"#, false),
            (r#"{"profile-id":32}"#, r#"{"profile-id":32}"#, false),
            (r#"{"tier-flag":2}"#, r#"{"tier-flag":2}"#, false),
            (r#"{"level-id":256}"#, "{}", false),
            (r#"{"tx-mode":"srst"}"#, r#"{"tx-mode":"srst"}"#, false),
            (r#"{"tx-mode":null}"#, "{}", false),
        ];
        for (a, b, expected) in cases {
            assert_eq!(h265_matches(&map(a), &map(b)), expected, "{a} {b}");
            assert_eq!(h265_matches(&map(b), &map(a)), expected, "{b} {a}");
        }
    }

    #[test]
    fn the_answer_takes_the_lower_level() {
        assert_eq!(h265_answer_level(&map(r#"{"level-id":120}"#), &map("{}")), Some(93));
        assert_eq!(h265_answer_level(&map("{}"), &map(r#"{"level-id":30}"#)), Some(30));
        assert_eq!(h265_answer_level(&map("{}"), &map(r#"{"tier-flag":1}"#)), None);
    }
}
