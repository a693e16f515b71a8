//! A packet of the source, written at the head of a payload and read from there. Must not know who carries it.

use crate::source::Packet;

/// Octets of a label.
const LEN: usize = 14;

/// A payload of `len` octets, which are no fewer than a label has, with a packet's label at its head.
pub(super) fn write(packet: &Packet, len: usize) -> Vec<u8> {
    let mut payload = Vec::with_capacity(len.max(LEN));
    payload.extend(packet.frame.to_be_bytes());
    payload.extend([packet.rung as u8, u8::from(packet.key)]);
    payload.extend(packet.index.to_be_bytes());
    payload.extend(packet.of.to_be_bytes());
    payload.resize(len.max(LEN), 0);
    payload
}

/// The packet of a payload, if it has a label.
pub(super) fn read(payload: &[u8], size: u16) -> Option<Packet> {
    let (frame, rest) = payload.split_first_chunk::<8>()?;
    let (&[rung, key], rest) = rest.split_first_chunk::<2>()?;
    let (index, rest) = rest.split_first_chunk::<2>()?;
    let (of, _) = rest.split_first_chunk::<2>()?;
    Some(Packet {
        rung: usize::from(rung),
        frame: u64::from_be_bytes(*frame),
        key: key != 0,
        index: u16::from_be_bytes(*index),
        of: u16::from_be_bytes(*of),
        size,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_read_as_it_was_written() {
        let packet = Packet { rung: 3, frame: 1 << 40, key: true, index: 7, of: 300, size: 1200 };
        assert_eq!(read(&write(&packet, 1160), 1200), Some(packet));
        assert_eq!(write(&packet, 0).len(), LEN);
        assert_eq!(read(&[0; LEN - 1], 20), None);
    }
}
