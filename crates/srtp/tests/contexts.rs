//! What the contexts refuse and what they follow: replay, forgery, reordering, roll-over, retransmission, limits.
#![cfg(any(feature = "aws-lc", feature = "rust-crypto"))]

mod common;

use common::{RtpPacket, any_profile, keying_material, rtp, with_room};
use hex_literal::hex;
use proptest::prelude::*;
use tureen_srtp::{DEFAULT_PROVIDER, Profile, ProtectError, SrtpReceiver, SrtpSender, UnprotectError};

const MATERIAL: [u8; 44] = [0x3C; 44];

fn pair(profile: Profile) -> (SrtpSender, SrtpReceiver) {
    let material = keying_material(profile, &MATERIAL);
    (
        SrtpSender::new(profile, &material, DEFAULT_PROVIDER).unwrap(),
        SrtpReceiver::new(profile, &material, DEFAULT_PROVIDER).unwrap(),
    )
}

fn seal(sender: &mut SrtpSender, packet: &RtpPacket) -> Result<Vec<u8>, ProtectError> {
    let mut buf = with_room(&packet.bytes, sender.profile().rtp_overhead());
    let len = sender.protect_rtp(&mut buf, packet.header_len, packet.bytes.len())?;
    assert_eq!(len, buf.len());
    Ok(buf)
}

fn retransmit(sender: &mut SrtpSender, packet: &RtpPacket) -> (Result<usize, ProtectError>, Vec<u8>) {
    let mut buf = with_room(&packet.bytes, sender.profile().rtp_overhead());
    (sender.retransmit_rtp(&mut buf, packet.header_len, packet.bytes.len()), buf)
}

fn report(ssrc: u8) -> Vec<u8> {
    vec![0x80, 201, 0, 3, 0, 0, 0, ssrc, 1, 2, 3, 4, 5, 6, 7, 8]
}

#[test]
fn a_packet_of_libsrtp() {
    // The reference packet of libsrtp's own tests, under the master key of RFC 3711 appendix B.3.
    let material = hex!("E1F97A0D3E018BE0D64FA32C06DE41390EC675AD498AFEEBB6960B3AABE6");
    let mut sender = SrtpSender::new(Profile::AesCm128HmacSha1_80, &material, DEFAULT_PROVIDER).unwrap();
    let mut bytes = hex!("800f1234decafbadcafebabe").to_vec();
    bytes.extend([0xab; 16]);
    assert_eq!(
        seal(&mut sender, &RtpPacket { bytes, header_len: 12 }).unwrap(),
        hex!("800f1234decafbadcafebabe4e55dc4ce79978d88ca4d215949d2402b78d6acc99ea179b8dbb")
    );
}

#[test]
fn replays_are_refused() {
    for profile in Profile::ALL {
        let (mut sender, mut receiver) = pair(profile);
        let sealed = seal(&mut sender, &rtp(9, 1, 0, None, b"frame")).unwrap();
        assert_eq!(receiver.unprotect_rtp(&mut sealed.clone(), 12), Ok(17));
        assert_eq!(receiver.unprotect_rtp(&mut sealed.clone(), 12), Err(UnprotectError::Replayed));
        let mut sealed = with_room(&report(1), profile.rtcp_overhead());
        sender.protect_rtcp(&mut sealed, 16).unwrap();
        assert_eq!(receiver.unprotect_rtcp(&mut sealed.clone()), Ok(16));
        assert_eq!(receiver.unprotect_rtcp(&mut sealed.clone()), Err(UnprotectError::Replayed));
    }
}

#[test]
fn packets_before_the_window_are_too_old() {
    for (window, expected) in [(64, Err(UnprotectError::TooOld)), (128, Ok(17))] {
        let (mut sender, receiver) = pair(Profile::AeadAes128Gcm);
        let mut receiver = receiver.with_replay_window(window);
        let mut old = seal(&mut sender, &rtp(100, 1, 0, None, b"frame")).unwrap();
        let mut new = seal(&mut sender, &rtp(164, 1, 0, None, b"frame")).unwrap();
        receiver.unprotect_rtp(&mut new, 12).unwrap();
        assert_eq!(receiver.unprotect_rtp(&mut old, 12), expected);
    }
}

#[test]
fn unencrypted_rtcp_must_authenticate_too() {
    for profile in Profile::ALL {
        let (mut sender, mut receiver) = pair(profile);
        let mut sealed = with_room(&report(1), profile.rtcp_overhead());
        let len = sender.protect_rtcp(&mut sealed, 16).unwrap();
        let word = if profile.is_aead() { len - 4 } else { len - 4 - profile.rtcp_tag_len() };
        assert_eq!(sealed[word..word + 4], [0x80, 0, 0, 0], "E flag and first index");
        sealed[word] = 0;
        assert_eq!(receiver.unprotect_rtcp(&mut sealed), Err(UnprotectError::AuthenticationFailed));
    }
}

#[test]
fn only_authenticated_packets_make_streams() {
    let (mut sender, receiver) = pair(Profile::AesCm128HmacSha1_32);
    let mut receiver = receiver.with_max_streams(2);
    for ssrc in 0..100 {
        let mut forged = rtp(1, ssrc, 0, None, &[0; 40]).bytes;
        assert_eq!(receiver.unprotect_rtp(&mut forged, 12), Err(UnprotectError::AuthenticationFailed));
    }
    assert_eq!(receiver.streams(), 0);
    for (ssrc, expected) in [(1, Ok(17)), (2, Ok(17)), (3, Err(UnprotectError::TooManyStreams))] {
        let mut sealed = seal(&mut sender, &rtp(1, ssrc, 0, None, b"frame")).unwrap();
        assert_eq!(receiver.unprotect_rtp(&mut sealed, 12), expected);
    }
    assert_eq!(receiver.streams(), 2);
}

#[test]
fn the_sender_limits_its_streams() {
    let (sender, _) = pair(Profile::AeadAes128Gcm);
    let mut sender = sender.with_max_streams(1);
    assert!(seal(&mut sender, &rtp(1, 1, 0, None, b"a")).is_ok());
    assert_eq!(seal(&mut sender, &rtp(1, 2, 0, None, b"a")), Err(ProtectError::TooManyStreams));
    let mut buf = with_room(&report(3), 20);
    assert_eq!(sender.protect_rtcp(&mut buf, 16), Err(ProtectError::TooManyStreams));
}

#[test]
fn an_index_seals_one_packet_only() {
    for profile in Profile::ALL {
        let (mut sender, _) = pair(profile);
        for sequence in [5, 3, 2000] {
            seal(&mut sender, &rtp(sequence, 1, 0, None, b"frame")).unwrap();
        }
        let again = seal(&mut sender, &rtp(2000, 1, 0, None, b"frame"));
        assert_eq!(again, Err(ProtectError::IndexReused));
        assert_eq!(seal(&mut sender, &rtp(5, 1, 0, None, b"frame")), Err(ProtectError::TooOld));
        let (result, _) = retransmit(&mut sender, &rtp(2000, 1, 0, None, b"frame"));
        assert_eq!(result, Err(ProtectError::NotRemembered));
    }
}

#[test]
fn an_identical_retransmission_is_the_same_packet() {
    for profile in Profile::ALL {
        let (sender, _) = pair(profile);
        let mut sender = sender.with_retransmission(256);
        let packets: Vec<_> = (0..300_u16)
            .map(|step| rtp(65_400_u16.wrapping_add(step), 1, 1, Some(1), &[step as u8; 50]))
            .collect();
        let sealed: Vec<_> = packets.iter().map(|packet| seal(&mut sender, packet).unwrap()).collect();
        for (step, (packet, sealed)) in packets.iter().zip(&sealed).enumerate() {
            let (result, buf) = retransmit(&mut sender, packet);
            if step < 300 - 256 {
                assert_eq!(result, Err(ProtectError::NotRemembered));
            } else {
                assert_eq!((result, &buf), (Ok(sealed.len()), sealed));
            }
        }
        let (result, _) = retransmit(&mut sender, &rtp(200, 1, 0, None, b"not sent yet"));
        assert_eq!(result, Err(ProtectError::NotRemembered));
    }
}

#[test]
fn a_changed_retransmission_stays_inside() {
    for profile in Profile::ALL {
        let (sender, mut receiver) = pair(profile);
        let mut sender = sender.with_retransmission(16);
        let first = rtp(1, 1, 0, Some(1), b"a frame of a film");
        seal(&mut sender, &first).unwrap();

        let mut payload = first.clone();
        payload.bytes[first.header_len + 3] ^= 1;
        let (result, buf) = retransmit(&mut sender, &payload);
        assert_eq!(result, Err(ProtectError::PacketChanged));
        assert!(buf.iter().all(|byte| *byte == 0));

        // A new abs-send-time: harmless with HMAC, fatal with GCM.
        let mut extension = first.clone();
        extension.bytes[first.header_len - 1] ^= 1;
        let (result, mut buf) = retransmit(&mut sender, &extension);
        if profile.is_aead() {
            assert_eq!(result, Err(ProtectError::PacketChanged));
            assert!(buf.iter().all(|byte| *byte == 0));
        } else {
            assert_eq!(result, Ok(buf.len()));
            assert_eq!(receiver.unprotect_rtp(&mut buf, first.header_len), Ok(first.bytes.len()));
            assert_eq!(&buf[..first.bytes.len()], &extension.bytes[..]);
        }
    }
}

#[test]
fn lengths_are_checked() {
    for profile in Profile::ALL {
        let (mut sender, mut receiver) = pair(profile);
        let (rtp_room, rtcp_room) = (profile.rtp_overhead(), profile.rtcp_overhead());
        let mut buf = vec![0x80; 70_000];
        assert_eq!(sender.protect_rtp(&mut buf, 11, 40), Err(ProtectError::TooShort));
        assert_eq!(sender.protect_rtp(&mut buf, 41, 40), Err(ProtectError::TooShort));
        assert_eq!(sender.protect_rtp(&mut buf[..39], 12, 40), Err(ProtectError::TooShort));
        assert_eq!(sender.protect_rtp(&mut buf[..39 + rtp_room], 12, 40), Err(ProtectError::BufferTooSmall));
        assert_eq!(sender.protect_rtp(&mut buf, 12, usize::MAX), Err(ProtectError::TooShort));
        assert_eq!(sender.protect_rtp(&mut buf, 12, 65_530 + 6), Err(ProtectError::TooLong));
        assert_eq!(sender.protect_rtcp(&mut buf, 7), Err(ProtectError::TooShort));
        assert_eq!(sender.protect_rtcp(&mut buf[..15 + rtcp_room], 16), Err(ProtectError::BufferTooSmall));
        assert_eq!(sender.streams(), 0);
        for len in 0..12 + rtp_room {
            assert_eq!(receiver.unprotect_rtp(&mut buf[..len], 12), Err(UnprotectError::TooShort));
        }
        assert_eq!(receiver.unprotect_rtp(&mut buf[..100], 101), Err(UnprotectError::TooShort));
        assert_eq!(receiver.unprotect_rtp(&mut buf[..100], 3), Err(UnprotectError::TooShort));
        assert_eq!(receiver.unprotect_rtp(&mut buf, 12), Err(UnprotectError::TooLong));
        for len in 0..8 + rtcp_room {
            assert_eq!(receiver.unprotect_rtcp(&mut buf[..len]), Err(UnprotectError::TooShort));
        }
        assert_eq!(receiver.unprotect_rtcp(&mut buf), Err(UnprotectError::TooLong));
        // Exactly enough.
        assert_eq!(sender.protect_rtp(&mut buf[..12 + rtp_room], 12, 12), Ok(12 + rtp_room));
        assert_eq!(receiver.unprotect_rtp(&mut buf[..12 + rtp_room], 12), Ok(12));
    }
}

/// Packets in an order with losses and local shuffles, across several wraps of the sequence number.
fn any_journey() -> impl Strategy<Value = (u16, Vec<u64>)> {
    (any::<u16>(), prop::collection::vec((1_u64..900, any::<bool>(), 0_u64..600), 300..500)).prop_map(
        |(first, steps)| {
            let mut index = u64::from(first);
            let mut arrivals = Vec::new();
            for (step, lost, delay) in steps {
                if !lost {
                    arrivals.push((index + delay, index));
                }
                index += step;
            }
            // The one packet that all agreement starts from arrives first.
            arrivals.push((0, u64::from(first)));
            arrivals.sort_unstable();
            arrivals.dedup_by_key(|(_, index)| *index);
            (first, arrivals.into_iter().map(|(_, index)| index).collect())
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Sender and receiver keep the same roll-over counter through loss and reordering on the way.
    #[test]
    fn the_roll_over_counter_survives_loss_and_reordering(
        profile in any_profile(),
        (first, arrivals) in any_journey(),
    ) {
        let (mut sender, receiver) = pair(profile);
        let mut receiver = receiver.with_replay_window(2048);
        let mut order = arrivals.clone();
        order.sort_unstable();
        order.dedup();
        let mut sealed = std::collections::BTreeMap::new();
        for index in &order {
            let packet = rtp(*index as u16, 1, 0, None, &index.to_be_bytes());
            sealed.insert(*index, seal(&mut sender, &packet).unwrap());
        }
        prop_assert_eq!(sender.highest_index(1), order.last().copied());
        let mut seen = std::collections::BTreeSet::new();
        for index in &arrivals {
            let mut buf = sealed[index].clone();
            let expected = if seen.insert(*index) { Ok(20) } else { Err(UnprotectError::Replayed) };
            prop_assert_eq!(receiver.unprotect_rtp(&mut buf, 12), expected);
            if expected.is_ok() {
                prop_assert_eq!(&buf[12..20], &index.to_be_bytes());
            }
        }
        prop_assert_eq!(receiver.highest_index(1), arrivals.iter().max().copied());
        prop_assert!(*order.last().unwrap() > u64::from(first) + 0x1_0000);
    }

    /// A sender that forwards a reordered stream seals what arrives late under the right index.
    #[test]
    fn a_sender_follows_reordering(profile in any_profile(), (_, arrivals) in any_journey()) {
        let (mut sender, mut receiver) = pair(profile);
        let mut seen = std::collections::BTreeSet::new();
        for index in arrivals {
            let packet = rtp(index as u16, 1, 0, None, b"x");
            match seal(&mut sender, &packet) {
                Ok(mut sealed) => {
                    prop_assert!(seen.insert(index));
                    prop_assert_eq!(receiver.unprotect_rtp(&mut sealed, 12), Ok(13));
                    prop_assert_eq!(receiver.highest_index(1), sender.highest_index(1));
                }
                Err(error) => {
                    prop_assert_eq!(error, ProtectError::IndexReused);
                    prop_assert!(seen.contains(&index));
                }
            }
        }
    }

    /// Any flipped bit is found, and leaves no trace in the state.
    #[test]
    fn a_flipped_bit_is_found(
        profile in any_profile(),
        payload in prop::collection::vec(any::<u8>(), 0..200),
        place in any::<prop::sample::Index>(),
        bit in 0_u32..8,
    ) {
        let (mut sender, mut receiver) = pair(profile);
        let sealed = seal(&mut sender, &rtp(77, 1, 2, Some(2), &payload)).unwrap();
        let header_len = 12 + 8 + 12;
        let mut damaged = sealed.clone();
        damaged[place.index(sealed.len())] ^= 1 << bit;
        prop_assert_eq!(receiver.unprotect_rtp(&mut damaged, header_len), Err(UnprotectError::AuthenticationFailed));
        prop_assert_eq!(receiver.streams(), 0);
        prop_assert_eq!(receiver.unprotect_rtp(&mut sealed.clone(), header_len), Ok(header_len + payload.len()));

        let mut sealed = with_room(&report(9), profile.rtcp_overhead());
        sender.protect_rtcp(&mut sealed, 16).unwrap();
        let mut damaged = sealed.clone();
        damaged[place.index(sealed.len())] ^= 1 << bit;
        prop_assert_eq!(receiver.unprotect_rtcp(&mut damaged), Err(UnprotectError::AuthenticationFailed));
        prop_assert_eq!(receiver.unprotect_rtcp(&mut sealed), Ok(16));
    }

    /// No bytes make a receiver panic.
    #[test]
    fn noise_is_refused(
        profile in any_profile(),
        noise in prop::collection::vec(any::<u8>(), 0..300),
        header_len in 0_usize..400,
    ) {
        let (_, mut receiver) = pair(profile);
        prop_assert!(receiver.unprotect_rtp(&mut noise.clone(), header_len).is_err());
        prop_assert!(receiver.unprotect_rtcp(&mut noise.clone()).is_err());
        prop_assert_eq!(receiver.streams(), 0);
    }
}
