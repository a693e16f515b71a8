//! What this crate seals, `webrtc-srtp` opens, and the other way round; what one provider seals, the other opens.
#![cfg(any(feature = "aws-lc", feature = "rust-crypto"))]

mod common;

use common::{any_profile, keying_material, providers, rtp, with_room};
use proptest::prelude::*;
use tureen_srtp::{Profile, ProtectError, SrtpReceiver, SrtpSender};
use webrtc_srtp::context::Context;
use webrtc_srtp::protection_profile::ProtectionProfile;

fn oracle(profile: Profile, keying_material: &[u8]) -> Context {
    let theirs = match profile {
        Profile::AesCm128HmacSha1_80 => ProtectionProfile::Aes128CmHmacSha1_80,
        Profile::AesCm128HmacSha1_32 => ProtectionProfile::Aes128CmHmacSha1_32,
        Profile::AeadAes128Gcm => ProtectionProfile::AeadAes128Gcm,
        _ => ProtectionProfile::AeadAes256Gcm,
    };
    let (key, salt) = keying_material.split_at(profile.key_len());
    Context::new(key, salt, theirs, None, None).unwrap()
}

/// A receiver report and more, with a valid header.
fn rtcp(ssrc: u32, words: usize) -> Vec<u8> {
    let mut bytes = vec![0x80, 201];
    bytes.extend((1 + words as u16).to_be_bytes());
    bytes.extend(ssrc.to_be_bytes());
    bytes.extend((0..words * 4).map(|byte| byte as u8));
    bytes
}

#[derive(Debug, Clone)]
struct Shape {
    csrcs: usize,
    extension: Option<u8>,
    payload: Vec<u8>,
    ssrc: u32,
}

fn any_shape() -> impl Strategy<Value = Shape> {
    (0_usize..=15, prop::option::of(0_u8..6), prop::collection::vec(any::<u8>(), 0..1300), 1_u32..5)
        .prop_map(|(csrcs, extension, payload, ssrc)| Shape { csrcs, extension, payload, ssrc })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Sealing from elsewhere gives what sealing a copy in place gives, and can be repeated alike.
    #[test]
    fn sealing_from_elsewhere_is_sealing_a_copy(
        profile in any_profile(),
        random in prop::array::uniform32(any::<u8>()),
        sequence: u16, ssrc: u32,
        payload in prop::collection::vec(any::<u8>(), 0..1400),
    ) {
        let packet = rtp(sequence, ssrc, 1, Some(2), &payload);
        let material = keying_material(profile, &[random, random].concat());
        for provider in providers() {
            let sender = || SrtpSender::new(profile, &material, provider).unwrap().with_retransmission(8);
            let (mut copying, mut sparing) = (sender(), sender());
            let mut expected = with_room(&packet.bytes, profile.rtp_overhead());
            let len = copying.protect_rtp(&mut expected, packet.header_len, packet.bytes.len()).unwrap();
            let mut sealed = vec![0xEE; len];
            sealed[..packet.header_len].copy_from_slice(&packet.bytes[..packet.header_len]);
            prop_assert_eq!(sparing.protect_rtp_from(&mut sealed, packet.header_len, &payload), Ok(len));
            prop_assert_eq!(&sealed, &expected);
            let mut short = sealed.clone();
            short.truncate(len - 1);
            let refused = sparing.protect_rtp_from(&mut short, packet.header_len, &payload);
            prop_assert_eq!(refused, Err(ProtectError::BufferTooSmall));
            let mut again = with_room(&packet.bytes, profile.rtp_overhead());
            prop_assert_eq!(sparing.retransmit_rtp(&mut again, packet.header_len, packet.bytes.len()), Ok(len));
            prop_assert_eq!(&again, &expected);
        }
    }

    #[test]
    fn rtp_agrees(
        profile in any_profile(),
        random in prop::array::uniform32(any::<u8>()),
        first in any::<u16>(),
        shapes in prop::collection::vec(any_shape(), 1..8),
    ) {
        let material = keying_material(profile, &[&random[..], &random].concat());
        for provider in providers() {
            let mut sender = SrtpSender::new(profile, &material, provider).unwrap();
            let mut receiver = SrtpReceiver::new(profile, &material, provider).unwrap();
            let (mut seals, mut opens) = (oracle(profile, &material), oracle(profile, &material));
            for (step, shape) in shapes.iter().enumerate() {
                let sequence = first.wrapping_add(step as u16 * 3000);
                let packet = rtp(sequence, shape.ssrc, shape.csrcs, shape.extension, &shape.payload);
                let mut ours = with_room(&packet.bytes, profile.rtp_overhead());
                let len = sender.protect_rtp(&mut ours, packet.header_len, packet.bytes.len()).unwrap();
                prop_assert_eq!(len, ours.len());
                let theirs = seals.encrypt_rtp(&packet.bytes).unwrap();
                prop_assert_eq!(&ours[..], &theirs[..]);
                prop_assert_eq!(&opens.decrypt_rtp(&ours).unwrap()[..], &packet.bytes[..]);
                let len = receiver.unprotect_rtp(&mut ours, packet.header_len).unwrap();
                prop_assert_eq!(&ours[..len], &packet.bytes[..]);
            }
        }
    }

    #[test]
    fn rtcp_agrees(
        profile in any_profile(),
        random in prop::array::uniform32(any::<u8>()),
        shapes in prop::collection::vec((1_u32..4, 0_usize..300), 1..12),
    ) {
        let material = keying_material(profile, &[&random[..], &random].concat());
        for provider in providers() {
            let mut sender = SrtpSender::new(profile, &material, provider).unwrap();
            let mut receiver = SrtpReceiver::new(profile, &material, provider).unwrap();
            let (mut seals, mut opens) = (oracle(profile, &material), oracle(profile, &material));
            for (ssrc, words) in &shapes {
                let packet = rtcp(*ssrc, *words);
                let mut ours = with_room(&packet, profile.rtcp_overhead());
                prop_assert_eq!(sender.protect_rtcp(&mut ours, packet.len()), Ok(ours.len()));
                prop_assert_eq!(&opens.decrypt_rtcp(&ours).unwrap()[..], &packet[..]);
                let mut theirs = seals.encrypt_rtcp(&packet).unwrap().to_vec();
                let len = receiver.unprotect_rtcp(&mut theirs).unwrap();
                prop_assert_eq!(&theirs[..len], &packet[..]);
            }
        }
    }

    #[test]
    fn providers_open_each_other(
        profile in any_profile(),
        random in prop::array::uniform32(any::<u8>()),
        shape in any_shape(),
        sequence in any::<u16>(),
    ) {
        let material = keying_material(profile, &[&random[..], &random].concat());
        let packet = rtp(sequence, shape.ssrc, shape.csrcs, shape.extension, &shape.payload);
        let report = rtcp(shape.ssrc, shape.csrcs);
        for sealing in providers() {
            for opening in providers() {
                let mut sender = SrtpSender::new(profile, &material, sealing).unwrap();
                let mut receiver = SrtpReceiver::new(profile, &material, opening).unwrap();
                let mut buf = with_room(&packet.bytes, profile.rtp_overhead());
                sender.protect_rtp(&mut buf, packet.header_len, packet.bytes.len()).unwrap();
                prop_assert_eq!(receiver.unprotect_rtp(&mut buf, packet.header_len), Ok(packet.bytes.len()));
                prop_assert_eq!(&buf[..packet.bytes.len()], &packet.bytes[..]);
                let mut buf = with_room(&report, profile.rtcp_overhead());
                sender.protect_rtcp(&mut buf, report.len()).unwrap();
                prop_assert_eq!(receiver.unprotect_rtcp(&mut buf), Ok(report.len()));
                prop_assert_eq!(&buf[..report.len()], &report[..]);
            }
        }
    }
}
