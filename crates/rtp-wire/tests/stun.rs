//! STUN views and the writer: bytes of strangers never panic, and what is written reads back.

use proptest::prelude::*;
use tureen_rtp_wire::stun::{
    StunClass, StunMessage, StunWriter, attribute, local_username_fragment, split_username,
    xor_mapped_address,
};

proptest! {
    #[test]
    fn no_bytes_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..128), shaped in any::<bool>()) {
        if shaped && bytes.len() >= 20 {
            bytes.truncate(bytes.len() / 4 * 4);
            let len = (bytes.len() - 20) as u16;
            bytes[..2].copy_from_slice(&[0, 1]);
            bytes[2..4].copy_from_slice(&len.to_be_bytes());
            bytes[4..8].copy_from_slice(&[0x21, 0x12, 0xa4, 0x42]);
        }
        if let Some(fragment) = local_username_fragment(&bytes) {
            prop_assert!(!fragment.is_empty() && !fragment.contains(&b':'));
        }
        let Ok(message) = StunMessage::parse(&bytes) else { return Ok(()) };
        let mut end = 20;
        for attribute in message.attributes() {
            prop_assert_eq!(attribute.offset, end);
            end += 4 + attribute.value.len().next_multiple_of(4);
            let (header, body) = message.covered(attribute.offset, 24).unwrap();
            prop_assert_eq!(header.len() + body.len(), attribute.offset);
            xor_mapped_address(attribute.value, &message.transaction_id());
            split_username(attribute.value);
        }
        prop_assert_eq!(end, bytes.len());
    }

    #[test]
    fn what_is_written_reads_back(
        attributes in prop::collection::vec((any::<u16>(), prop::collection::vec(any::<u8>(), 0..40)), 0..8),
        transaction in any::<[u8; 12]>(),
        room in 0..400_usize,
    ) {
        let mut buffer = vec![0xff; room];
        let written = StunWriter::new(&mut buffer, StunClass::Request, transaction).and_then(|mut writer| {
            for (kind, value) in &attributes {
                writer.attribute(*kind, value)?;
            }
            Ok(writer.finish())
        });
        let Ok(len) = written else {
            let needed: usize = attributes.iter().map(|(_, value)| 4 + value.len().next_multiple_of(4)).sum();
            prop_assert!(20 + needed > room);
            return Ok(());
        };
        let message = StunMessage::parse(&buffer[..len]).unwrap();
        prop_assert_eq!(message.transaction_id(), transaction);
        let read: Vec<_> = message.attributes().map(|attribute| (attribute.kind, attribute.value.to_vec())).collect();
        prop_assert_eq!(read, attributes);
    }
}

#[test]
fn comprehension_is_required_below_0x8000() {
    assert!(attribute::comprehension_required(attribute::NOMINATION));
    assert!(!attribute::comprehension_required(attribute::GOOG_NOMINATION));
}
