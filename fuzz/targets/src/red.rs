//! RED payloads: the view agrees with a second reading, its blocks tile the payload, and renumbering touches payload types alone.
//!
//! The first byte is the payload type, the second what is added to those of the blocks. Planted: renumbering changes a block's length.

use crate::Fault;
use crate::bytes::Bytes;
use tureen_rtp_wire::payload::red::{MAX_BLOCKS, RedPayload, renumber};

pub(crate) fn run(data: &[u8], fault: Fault) {
    let mut input = Bytes::new(data);
    let (payload_type, added) = (input.u8() & 0x7f, input.u8());
    let payload = input.rest();
    let expected = read(payload).filter(|blocks| blocks.iter().all(|block| block.0 != payload_type));
    let view = RedPayload::parse(payload_type, payload).ok();
    assert_eq!(view.map(|view| listed(&view)), expected, "both readings agree");
    renumbered(payload, added, fault);
    let Some(view) = view else { return };
    let blocks = listed(&view);
    let headers_len = 4 * (blocks.len() - 1) + 1;
    let tiles: Vec<u8> = blocks.iter().flat_map(|block| block.2).copied().collect();
    assert_eq!(tiles, payload[headers_len..], "the blocks are all that is behind the headers");
    assert!((1..=MAX_BLOCKS).contains(&blocks.len()));
    assert!(blocks.iter().all(|block| block.0 < 128 && block.1 < 1 << 14));
    assert!(blocks[..blocks.len() - 1].iter().all(|block| block.2.len() < 1 << 10));
    let primary = view.primary();
    assert!(payload.ends_with(primary.data(payload)), "the primary block is last");
    assert_eq!(Some(&(primary.payload_type(), 0, primary.data(payload))), blocks.last());
    for len in 0..payload.len() {
        let _ = primary.data(&payload[..len]);
    }
}

/// Payload type, timestamp offset and data of a block.
type Listed<'a> = (u8, u16, &'a [u8]);

fn listed<'a>(view: &RedPayload<'a>) -> Vec<Listed<'a>> {
    view.blocks().map(|block| (block.payload_type, block.timestamp_offset, block.data)).collect()
}

/// The blocks by RFC 2198 section 3, read another way: all headers are cut off first, then each block from what is left.
fn read(payload: &[u8]) -> Option<Vec<Listed<'_>>> {
    let redundant = payload.chunks(4).take_while(|header| header[0] >= 128).count();
    if redundant >= MAX_BLOCKS {
        return None;
    }
    let (headers, rest) = payload.split_at_checked(4 * redundant)?;
    let (&last, mut data) = rest.split_first()?;
    let mut blocks = Vec::new();
    for header in headers.chunks(4) {
        let offset = u16::from(header[1]) * 64 + u16::from(header[2]) / 4;
        let len = usize::from(header[2] % 4) * 256 + usize::from(header[3]);
        let (block, behind) = data.split_at_checked(len)?;
        blocks.push((header[0] - 128, offset, block));
        data = behind;
    }
    blocks.push((last, 0, data));
    Some(blocks)
}

fn renumbered(payload: &[u8], added: u8, fault: Fault) {
    let mut changed = payload.to_vec();
    renumber(&mut changed, |number| number.wrapping_add(added));
    if fault == Fault::Planted && payload.len() > 4 && payload[0] >= 128 {
        changed[3] ^= 1;
    }
    let expected = read(payload).map(|mut blocks| {
        blocks.iter_mut().for_each(|block| block.0 = block.0.wrapping_add(added) & 0x7f);
        blocks
    });
    assert_eq!(read(&changed), expected, "another number is all that is new");
    assert_eq!(changed.len(), payload.len());
    let back = 0u8.wrapping_sub(added);
    renumber(&mut changed, |number| number.wrapping_add(back));
    assert_eq!(changed, payload, "and it can be taken back");
}
