//! Scalability modes such as `L3T3_KEY` (W3C WebRTC-SVC section 6). Knows the names, not the codecs.

use serde::{Deserialize, Serialize};

/// The layers that a mode names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ScalabilityMode {
    /// Spatial layers, from 1 to 99.
    pub spatial_layers: u8,
    /// Temporal layers, from 1 to 99.
    pub temporal_layers: u8,
    /// Whether spatial layers depend on each other in key frames only.
    pub ksvc: bool,
}

impl Default for ScalabilityMode {
    /// One layer of each sort.
    fn default() -> Self {
        Self { spatial_layers: 1, temporal_layers: 1, ksvc: false }
    }
}

/// Reads the start of `text`: `L` or `S`, the spatial layers, `T`, the temporal layers, and perhaps `_KEY`.
///
/// What follows does not matter, so that `L3T3h` and `L2T3_KEY_SHIFT` read too. Text that starts otherwise means
/// one layer of each sort.
pub fn parse_scalability_mode(text: &str) -> ScalabilityMode {
    parse(text).unwrap_or_default()
}

fn parse(text: &str) -> Option<ScalabilityMode> {
    let (spatial_layers, rest) = count(text.strip_prefix(['L', 'S'])?)?;
    let (temporal_layers, rest) = count(rest.strip_prefix('T')?)?;
    Some(ScalabilityMode { spatial_layers, temporal_layers, ksvc: rest.starts_with("_KEY") })
}

/// One or two digits that do not start with zero, and what follows them.
fn count(text: &str) -> Option<(u8, &str)> {
    let digit = |i: usize| text.as_bytes().get(i).filter(|b| b.is_ascii_digit()).map(|b| b - b'0');
    let first = digit(0).filter(|d| *d != 0)?;
    match digit(1) {
        Some(second) => Some((first * 10 + second, text.get(2..)?)),
        None => Some((first, text.get(1..)?)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_read_as_their_layers() {
        let cases = [
            ("L1T3", (1, 3, false)),
            ("L3T2_KEY", (3, 2, true)),
            ("L2T3_KEY_SHIFT", (2, 3, true)),
            ("S3T3", (3, 3, false)),
            ("S2T1h", (2, 1, false)),
            ("L10T99", (10, 99, false)),
            ("L1T100", (1, 10, false)),
            ("L1T3_KEYS", (1, 3, true)),
            ("L1T3x_KEY", (1, 3, false)),
        ];
        for (text, (spatial_layers, temporal_layers, ksvc)) in cases {
            let expected = ScalabilityMode { spatial_layers, temporal_layers, ksvc };
            assert_eq!(parse_scalability_mode(text), expected, "{text}");
        }
    }

    #[test]
    fn anything_else_is_one_layer() {
        for text in
            ["", "foo", "L0T3", "L3T0", "L100T1", "xL3T3", " L3T3", "L3", "L3T", "LT3", "l3t3", "L3Té"]
        {
            assert_eq!(parse_scalability_mode(text), ScalabilityMode::default(), "{text}");
        }
    }
}
