//! The sample messages of RFC 5769 section 2.

use super::*;
use hex_literal::hex;
use std::net::SocketAddr;
use tureen_rtp_wire::stun::{StunClass, xor_mapped_address};

const PASSWORD: &[u8] = b"VOkJxbRl1RmTxUk/WvJxBt";

const REQUEST: &[u8] = &hex!(
    "00010058 2112a442 b7e7a701bc34d686fa87dfae"
    "80220010 5354554e207465737420636c69656e74"
    "00240004 6e0001ff"
    "80290008 932ff9b151263b36"
    "00060009 6576746a3a68367659202020"
    "00080014 9aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a2"
    "80280004 e57a3bcf"
);

const IPV4_RESPONSE: &[u8] = &hex!(
    "0101003c 2112a442 b7e7a701bc34d686fa87dfae"
    "8022000b 7465737420766563746f7220"
    "00200008 0001a147e112a643"
    "00080014 2b91f599fd9e90c38c7489f92af9ba53f06be7d7"
    "80280004 c07d4c96"
);

const IPV6_RESPONSE: &[u8] = &hex!(
    "01010048 2112a442 b7e7a701bc34d686fa87dfae"
    "8022000b 7465737420766563746f7220"
    "00200014 0002a1470113a9faa5d3f179bc25f4b5bed2b9d9"
    "00080014 a382954e4be67bf11784c97c8292c275bfe3ed41"
    "80280004 c8fb0b4c"
);

fn check(bytes: &[u8]) -> StunMessage<'_> {
    let message = StunMessage::parse(bytes).unwrap();
    let integrity = message.attribute(attribute::MESSAGE_INTEGRITY).unwrap();
    assert!(IntegrityKey::new(PASSWORD).verifies(&message, integrity));
    assert!(!IntegrityKey::new(b"another password of 22").verifies(&message, integrity));
    assert!(fingerprint_holds(&message));
    message
}

#[test]
fn the_sample_request_is_genuine() {
    let message = check(REQUEST);
    assert_eq!(message.class(), StunClass::Request);
    assert_eq!(message.attribute(attribute::USERNAME).unwrap().value, b"evtj:h6vY");
    assert_eq!(tureen_rtp_wire::stun::local_username_fragment(REQUEST), Some(&b"evtj"[..]));
    assert_eq!(message.attribute(attribute::SOFTWARE).unwrap().value, b"STUN test client");
}

#[test]
fn the_sample_responses_are_genuine_and_tell_the_address() {
    for (bytes, address) in
        [(IPV4_RESPONSE, "192.0.2.1:32853"), (IPV6_RESPONSE, "[2001:db8:1234:5678:11:2233:4455:6677]:32853")]
    {
        let message = check(bytes);
        assert_eq!(message.class(), StunClass::Success);
        let mapped = message.attribute(attribute::XOR_MAPPED_ADDRESS).unwrap().value;
        let expected: SocketAddr = address.parse().unwrap();
        assert_eq!(xor_mapped_address(mapped, &message.transaction_id()), Some(expected));
    }
}

/// The samples pad SOFTWARE with spaces where we write zeros; all that follows has to be the same.
#[test]
fn what_we_sign_is_what_the_samples_hold() {
    let mut buffer = [0; 128];
    let transaction = StunMessage::parse(IPV4_RESPONSE).unwrap().transaction_id();
    let mut writer = StunWriter::new(&mut buffer, StunClass::Success, transaction).unwrap();
    writer.xor_mapped_address("192.0.2.1:32853".parse().unwrap()).unwrap();
    IntegrityKey::new(PASSWORD).sign(&mut writer).unwrap();
    append_fingerprint(&mut writer).unwrap();
    let len = writer.finish();
    let message = check(&buffer[..len]);
    let ours = message.attribute(attribute::XOR_MAPPED_ADDRESS).unwrap().value;
    let sample = StunMessage::parse(IPV4_RESPONSE).unwrap();
    assert_eq!(ours, sample.attribute(attribute::XOR_MAPPED_ADDRESS).unwrap().value);
}

#[test]
fn every_changed_bit_is_noticed() {
    for bit in 0..REQUEST.len() * 8 {
        let mut changed = REQUEST.to_vec();
        changed[bit / 8] ^= 1 << (bit % 8);
        let Ok(message) = StunMessage::parse(&changed) else { continue };
        let genuine = message
            .attribute(attribute::MESSAGE_INTEGRITY)
            .is_some_and(|integrity| IntegrityKey::new(PASSWORD).verifies(&message, integrity));
        let fingerprint = message.attribute(attribute::FINGERPRINT).is_some() && fingerprint_holds(&message);
        assert!(!(genuine && fingerprint), "bit {bit}");
    }
}
