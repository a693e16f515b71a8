//! The format parameters of `audio/red` (RFC 2198 section 5): the payload types that its blocks may have.
//!
//! In SDP they are a bare list, `a=fmtp:63 111/111`, without the `name=` that the `parameters` of a dictionary
//! would need. Here the list stands under the empty name, `{"": "111/111"}`. Parsers of SDP in the field make the
//! list itself a name without a value, which JSON keeps as null or loses; both are read too, and a lost
//! list means the Opus codec beside it.

use smallvec::SmallVec;

use crate::MAX_PAYLOAD_TYPE;
use crate::codec::RtpCodecParameters;
use crate::media::Codec;
use crate::parameter_map::ParameterMap;

/// The name under which [`red_parameters`] puts the list.
pub const RED_PARAMETER: &str = "";

/// How many blocks a list may name. Senders use two or three.
pub const MAX_RED_BLOCKS: usize = 32;

/// The payload types of RED blocks, primary first.
pub type RedBlocks = SmallVec<[u8; 4]>;

/// The parameters of a RED codec whose blocks have these payload types.
pub fn red_parameters(blocks: &[u8]) -> ParameterMap {
    let list: Vec<String> = blocks.iter().map(u8::to_string).collect();
    ParameterMap::from_iter([(RED_PARAMETER, list.join("/"))])
}

/// The payload types that the parameters of a RED codec list, primary first. `None` if there is no list or a bad one.
pub fn red_blocks(parameters: &ParameterMap) -> Option<RedBlocks> {
    if let Some(value) = parameters.get(RED_PARAMETER) {
        return parse(&value.to_text()?);
    }
    parameters.iter().find_map(|(name, _)| parse(name))
}

/// The payload types of the blocks of a RED codec among `codecs`: those that it lists, or twice the first Opus codec
/// of its clock rate if it has no list. `None` if one of them is not a media codec of `codecs`.
pub fn resolve_red_blocks(red: &RtpCodecParameters, codecs: &[RtpCodecParameters]) -> Option<RedBlocks> {
    let blocks = match red_blocks(&red.parameters) {
        Some(blocks) => blocks,
        None if red.parameters.get(RED_PARAMETER).is_some() => return None,
        None => {
            let opus = codecs.iter().find(|codec| is_primary(codec, red))?;
            RedBlocks::from_slice(&[opus.payload_type, opus.payload_type])
        }
    };
    let is_audio = |pt: &u8| {
        let mut media = codecs.iter().filter(|codec| codec.mime_type.codec().is_media());
        media.any(|codec| codec.payload_type == *pt && codec.clock_rate == red.clock_rate)
    };
    blocks.iter().all(is_audio).then_some(blocks)
}

fn is_primary(codec: &RtpCodecParameters, red: &RtpCodecParameters) -> bool {
    codec.mime_type.codec() == Codec::Opus && codec.clock_rate == red.clock_rate
}

fn parse(list: &str) -> Option<RedBlocks> {
    let mut blocks = RedBlocks::new();
    for item in list.split('/') {
        let payload_type = item.parse::<u8>().ok().filter(|pt| *pt <= MAX_PAYLOAD_TYPE)?;
        if blocks.len() == MAX_RED_BLOCKS {
            return None;
        }
        blocks.push(payload_type);
    }
    Some(blocks)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(json: &str) -> Option<Vec<u8>> {
        red_blocks(&serde_json::from_str(json).unwrap()).map(|blocks| blocks.to_vec())
    }

    #[test]
    fn every_spelling_of_the_list_reads() {
        assert_eq!(blocks(r#"{"":"111/111"}"#), Some(vec![111, 111]));
        assert_eq!(blocks(r#"{"111/111/0":null}"#), Some(vec![111, 111, 0]));
        assert_eq!(blocks(r#"{"111/111":""}"#), Some(vec![111, 111]));
        assert_eq!(blocks(r#"{"":111}"#), Some(vec![111]));
        assert_eq!(serde_json::to_string(&red_parameters(&[100, 101])).unwrap(), r#"{"":"100/101"}"#);
    }

    #[test]
    fn other_text_is_no_list() {
        for json in ["{}", r#"{"":"128"}"#, r#"{"":"1//2"}"#, r#"{"":null}"#, r#"{"a":"1/2"}"#, r#"{"":"/"}"#]
        {
            assert_eq!(blocks(json), None, "{json}");
        }
        let long = vec!["1"; MAX_RED_BLOCKS + 1].join("/");
        assert_eq!(parse(&long), None);
    }
}
