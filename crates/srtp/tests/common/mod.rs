//! Random packets for the integration tests.
#![allow(dead_code, reason = "each test uses a part")]

use proptest::prelude::*;
use tureen_srtp::{CryptoProvider, Profile};

/// Every provider of this build.
pub(crate) fn providers() -> Vec<&'static dyn CryptoProvider> {
    vec![
        #[cfg(feature = "aws-lc")]
        &tureen_srtp::AwsLc,
        #[cfg(feature = "rust-crypto")]
        &tureen_srtp::RustCrypto,
    ]
}

/// An RTP packet and the length of its header.
#[derive(Debug, Clone)]
pub(crate) struct RtpPacket {
    /// Header and payload.
    pub(crate) bytes: Vec<u8>,
    /// Fixed header, CSRCs and extension.
    pub(crate) header_len: usize,
}

/// A packet with the given parts; the extension has the one-byte form with `extension` four-byte words.
pub(crate) fn rtp(
    sequence: u16,
    ssrc: u32,
    csrcs: usize,
    extension: Option<u8>,
    payload: &[u8],
) -> RtpPacket {
    let mut bytes = vec![0x80 | csrcs as u8, 96];
    if extension.is_some() {
        bytes[0] |= 0x10;
    }
    bytes.extend(sequence.to_be_bytes());
    bytes.extend([1, 2, 3, 4]);
    bytes.extend(ssrc.to_be_bytes());
    bytes.extend((0..csrcs * 4).map(|byte| byte as u8));
    if let Some(words) = extension {
        bytes.extend([0xBE, 0xDE, 0, words]);
        for word in 0..words {
            bytes.extend([0x12, word, 0xAA, 0x55]);
        }
    }
    let header_len = bytes.len();
    bytes.extend(payload);
    RtpPacket { bytes, header_len }
}

/// Any profile.
pub(crate) fn any_profile() -> impl Strategy<Value = Profile> {
    prop::sample::select(Profile::ALL.to_vec())
}

/// Random keying material of the profile, from 44 random bytes.
pub(crate) fn keying_material(profile: Profile, random: &[u8]) -> Vec<u8> {
    random[..profile.keying_material_len()].to_vec()
}

/// `packet` in a buffer with `room` more bytes.
pub(crate) fn with_room(packet: &[u8], room: usize) -> Vec<u8> {
    let mut buf = packet.to_vec();
    buf.resize(packet.len() + room, 0xEE);
    buf
}
