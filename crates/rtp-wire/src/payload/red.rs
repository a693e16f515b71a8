//! RED payloads (RFC 2198): a packet that repeats earlier frames beside its own. Must not know what the blocks hold.
//!
//! All headers come first (section 3), then the blocks in the order of their headers. In bits:
//!
//! | block | F | payload type | timestamp offset | block length |
//! |---|---|---|---|---|
//! | redundant | 1, set | 7 | 14 | 10 |
//! | primary, the last | 1, clear | 7 | - | -: the rest of the payload |

use crate::WireError;
use crate::octets::u32_at;
use core::num::NonZeroU16;

/// The most blocks that a payload may have, the primary one included. Senders use two or three.
pub const MAX_BLOCKS: usize = 32;

/// Octets of a redundant block's header; the primary block's has one.
const HEADER_LEN: usize = 4;

/// The F bit: another header follows.
const FOLLOWED: u8 = 0x80;

/// One block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block<'a> {
    /// Its payload type, 0 to 127.
    pub payload_type: u8,
    /// How long before the packet's timestamp it was sampled, in units of the clock rate, 0 to 16383; 0 for the primary block.
    pub timestamp_offset: u16,
    /// What it holds; 0 to 1023 octets for a redundant block.
    pub data: &'a [u8],
}

/// Where the primary block of a payload is. Without references, to be kept beside the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Primary {
    payload_type: u8,
    /// At least one header is before it.
    start: NonZeroU16,
}

impl Primary {
    /// Its payload type, 0 to 127.
    #[inline]
    pub fn payload_type(&self) -> u8 {
        self.payload_type
    }

    /// What the block holds, in the payload that it was found in; nothing in a shorter one.
    #[inline]
    pub fn data<'a>(&self, payload: &'a [u8]) -> &'a [u8] {
        payload.get(usize::from(self.start.get())..).unwrap_or_default()
    }
}

/// A payload whose headers were checked.
#[derive(Clone, Copy, Debug)]
pub struct RedPayload<'a> {
    payload: &'a [u8],
    /// Octets of all headers.
    headers_len: usize,
    primary: Primary,
}

impl<'a> RedPayload<'a> {
    /// Reads the headers of a payload that came under `payload_type`.
    ///
    /// # Errors
    /// - `Truncated` if the payload ends inside of a header;
    /// - `Length` if the redundant blocks are longer than the payload;
    /// - `Count` for more than [`MAX_BLOCKS`];
    /// - `Nested` if a block is RED itself, under the same payload type.
    #[inline]
    pub fn parse(payload_type: u8, payload: &'a [u8]) -> Result<Self, WireError> {
        let (mut at, mut redundant_len) = (0, 0);
        for _ in 0..MAX_BLOCKS {
            let &first = payload.get(at).ok_or(WireError::Truncated)?;
            let block_type = first & !FOLLOWED;
            if block_type == payload_type {
                return Err(WireError::Nested);
            }
            if first & FOLLOWED == 0 {
                let headers_len = at + 1;
                let start = Some(headers_len + redundant_len).filter(|start| *start <= payload.len());
                let start = start.and_then(|start| u16::try_from(start).ok()).and_then(NonZeroU16::new);
                let start = start.ok_or(WireError::Length)?;
                return Ok(Self {
                    payload,
                    headers_len,
                    primary: Primary { payload_type: block_type, start },
                });
            }
            let header = u32_at(payload, at).ok_or(WireError::Truncated)?;
            redundant_len += (header & 0x3ff) as usize;
            at += HEADER_LEN;
        }
        Err(WireError::Count)
    }

    /// All blocks in order: redundant ones, then the primary one.
    pub fn blocks(&self) -> Blocks<'a> {
        Blocks { payload: self.payload, header_at: 0, data_at: self.headers_len, is_over: false }
    }

    /// Where the primary block is: the frame that the packet was sent for.
    #[inline]
    pub fn primary(&self) -> Primary {
        self.primary
    }
}

/// Iterates the blocks of a payload; see [`RedPayload::blocks`].
#[derive(Clone, Debug)]
pub struct Blocks<'a> {
    payload: &'a [u8],
    header_at: usize,
    data_at: usize,
    is_over: bool,
}

impl<'a> Iterator for Blocks<'a> {
    type Item = Block<'a>;

    fn next(&mut self) -> Option<Block<'a>> {
        if self.is_over {
            return None;
        }
        let &first = self.payload.get(self.header_at)?;
        let payload_type = first & !FOLLOWED;
        if first & FOLLOWED == 0 {
            self.is_over = true;
            return Some(Block {
                payload_type,
                timestamp_offset: 0,
                data: self.payload.get(self.data_at..)?,
            });
        }
        let header = u32_at(self.payload, self.header_at)?;
        let (start, len) = (self.data_at, (header & 0x3ff) as usize);
        self.header_at += HEADER_LEN;
        self.data_at += len;
        Some(Block {
            payload_type,
            timestamp_offset: (header >> 10 & 0x3fff) as u16,
            data: self.payload.get(start..self.data_at)?,
        })
    }
}

/// Writes other payload types into the headers of a payload: what `number` makes of each, of which the low 7 bits count. Changes
/// nothing else.
pub fn renumber(payload: &mut [u8], number: impl Fn(u8) -> u8) {
    for header in payload.chunks_mut(HEADER_LEN).take(MAX_BLOCKS) {
        let Some(first) = header.first_mut() else { return };
        let followed = *first & FOLLOWED;
        *first = followed | number(*first & !FOLLOWED) & !FOLLOWED;
        if followed == 0 {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RED: u8 = 121;

    fn blocks(payload: &[u8]) -> Vec<(u8, u16, &[u8])> {
        let red = RedPayload::parse(RED, payload).expect("a payload");
        red.blocks().map(|block| (block.payload_type, block.timestamp_offset, block.data)).collect()
    }

    fn error(payload: &[u8]) -> Option<WireError> {
        RedPayload::parse(RED, payload).err()
    }

    /// The layout of RFC 2198 section 3 and its example in section 7: a redundant LPC block (7) before a DVI4 one (5).
    #[test]
    fn the_example_of_the_rfc_reads() {
        let mut payload = vec![0x80 | 7, 0b0000_0010, 0b1000_0000, 14, 5];
        payload.extend([0xaa; 14]);
        payload.extend([0xbb; 84]);
        assert_eq!(blocks(&payload), [(7, 160, &[0xaa; 14][..]), (5, 0, &[0xbb; 84][..])]);
        let primary = RedPayload::parse(RED, &payload).expect("a payload").primary();
        assert_eq!((primary.payload_type(), primary.data(&payload)), (5, &[0xbb; 84][..]));
        assert_eq!(size_of::<Option<Primary>>(), 4);
    }

    #[test]
    fn the_primary_block_may_be_alone() {
        assert_eq!(blocks(&[111, 1, 2]), [(111, 0, &[1, 2][..])]);
        assert_eq!(blocks(&[111]), [(111, 0, &[][..])]);
        assert_eq!(blocks(&[0xff, 0xff, 0xfc, 0, 111, 9]), [(127, 16383, &[][..]), (111, 0, &[9][..])]);
    }

    #[test]
    fn what_is_cut_short_is_refused() {
        assert_eq!(error(&[]), Some(WireError::Truncated));
        assert_eq!(error(&[0xef, 0, 0]), Some(WireError::Truncated));
        assert_eq!(error(&[0xef, 0, 0, 0]), Some(WireError::Truncated), "no primary header");
        assert_eq!(error(&[0xef, 0, 0, 2, 111, 1]), Some(WireError::Length));
        assert_eq!(error(&[0xef, 0, 3, 0xff, 111, 1]), Some(WireError::Length));
    }

    #[test]
    fn blocks_are_counted_and_none_is_red() {
        let mut payload = [0xef, 0, 0, 0].repeat(MAX_BLOCKS - 1);
        payload.push(111);
        assert_eq!(blocks(&payload).len(), MAX_BLOCKS);
        payload.splice(..0, [0xef, 0, 0, 0]);
        assert_eq!(error(&payload), Some(WireError::Count));
        assert_eq!(error(&[RED, 111, 1]), Some(WireError::Nested));
        assert_eq!(error(&[0x80 | RED, 0, 0, 1, 111, 1]), Some(WireError::Nested));
    }

    #[test]
    fn other_numbers_change_nothing_else() {
        let mut payload = [0xef, 0x6f, 0x6f, 2, 0xf0, 0, 0, 1, 111, 111, 111, 111, 1];
        renumber(&mut payload, |number| if number == 111 { 100 } else { 0xff });
        assert_eq!(payload, [0xe4, 0x6f, 0x6f, 2, 0xff, 0, 0, 1, 100, 111, 111, 111, 1]);
        let mut cut = [0xef, 0, 0, 0, 0xef];
        renumber(&mut cut, |_| 1);
        assert_eq!(cut, [0x81, 0, 0, 0, 0x81]);
        renumber(&mut [], |_| 1);
    }
}
