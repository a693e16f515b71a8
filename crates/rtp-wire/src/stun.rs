//! Just enough of STUN to tell whose a request is.

/// The part before the colon of USERNAME in a well-formed binding request (RFC 8489 section 14.3, RFC 8445 section 7.2.2).
pub fn local_username_fragment(datagram: &[u8]) -> Option<&[u8]> {
    const USERNAME: u16 = 0x0006;
    let header = datagram.get(..20)?;
    let declared = usize::from(u16::from_be_bytes([header[2], header[3]]));
    if header[..2] != [0, 1] || header[4..8] != [0x21, 0x12, 0xa4, 0x42] || datagram.len() != 20 + declared {
        return None;
    }
    let mut rest = datagram.get(20..)?;
    while let Some((head, tail)) = rest.split_first_chunk::<4>() {
        let kind = u16::from_be_bytes([head[0], head[1]]);
        let len = usize::from(u16::from_be_bytes([head[2], head[3]]));
        if kind == USERNAME {
            let name = tail.get(..len)?;
            return name.get(..name.iter().position(|byte| *byte == b':')?);
        }
        rest = tail.get(len.next_multiple_of(4)..)?;
    }
    None
}
