//! The packets of RFC 3711 appendix B.2 and of RFC 7714 sections 16 and 17, under session keys as the RFCs give them.

use super::{RtpPosition, Transform};
use crate::kdf::SessionKeys;
use crate::testing::providers;
use crate::{CryptoProvider, Profile, UnprotectError};
use hex_literal::hex;

const KEY: [u8; 32] = hex!("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");
const SALT: [u8; 12] = *b"Quid pro quo";
const RTP_HEADER: [u8; 12] = hex!("8040f17b8041f8d35501a0b2");
const RTP_PAYLOAD: &[u8] = b"Gallia est omnis divisa in partes tres";
const RTP_128: [u8; 54] = hex!(
    "f24de3a3fb34de6cacba861c9d7e4bcabe633bd50d294e6f42a5f47a51c7d19b36de3adf8833"
    "899d7f27beb16a9152cf765ee4390cce"
);
const RTP_256: [u8; 54] = hex!(
    "32b1de78a822fe12ef9f78fa332e33aab18012389a58e2f3b50b2a0276ffae0f1ba63799b87b"
    "7aa3db36dfffd6b0f9bb7878d7a76c13"
);
const RTCP: [u8; 52] = hex!(
    "81c8000d4d6172734e5450314e545032525450200000042a0000e9304c756e61"
    "deadbeefdeadbeefdeadbeefdeadbeefdeadbeef"
);
const RTCP_INDEX: u32 = 0x5d4;
const RTCP_SSRC: u32 = 0x4d61_7273;
const RTCP_128: [u8; 72] = hex!(
    "81c8000d4d61727363e94885dcdab67ca727d7662f6b7e997ff5c0f76c06f32d"
    "c676a5f1730d6fda4ce09b4686303ded0bb9275bc84aa45896cf4d2fc5abf872"
    "45d9eade800005d4"
);
const RTCP_256: [u8; 72] = hex!(
    "81c8000d4d617273d50ae4d1f5ce5d304ba297e47d470c282c3ece5dbffe0a50"
    "a2eaa5c1110555be8415f658c61de0476f1b6fad1d1eb30c4446839f57ff6f6c"
    "b26ac3be800005d4"
);
const RTCP_128_TAG: [u8; 20] = hex!("841dd9683dd78ec92ae58790125f62b3000005d4");
const RTCP_256_TAG: [u8; 20] = hex!("91db4afbfeee5a978fab4393ed2615fe000005d4");

fn transform(profile: Profile, provider: &dyn CryptoProvider) -> Transform {
    let keys = SessionKeys::from_parts(&KEY[..profile.key_len()], &SALT);
    Transform::new(profile, profile.rtp_tag_len(), &keys, provider).unwrap()
}

fn check_rtp(profile: Profile, expected: &[u8; 54]) {
    for provider in providers() {
        let transform = transform(profile, provider);
        let at = RtpPosition { header_len: 12, len: 50, ssrc: 0x5501_a0b2, index: 0xf17b };
        let mut buf = [0; 66];
        buf[..12].copy_from_slice(&RTP_HEADER);
        buf[12..50].copy_from_slice(RTP_PAYLOAD);
        assert_eq!(transform.seal_rtp(&mut buf, at, None, false).unwrap().0, 66);
        assert_eq!(buf[..12], RTP_HEADER);
        assert_eq!(buf[12..], expected[..]);
        transform.open_rtp(&mut buf, at).unwrap();
        assert_eq!(&buf[12..50], RTP_PAYLOAD);
    }
}

#[test]
fn rfc_7714_section_16_1() {
    check_rtp(Profile::AeadAes128Gcm, &RTP_128);
}

#[test]
fn rfc_7714_section_16_2() {
    check_rtp(Profile::AeadAes256Gcm, &RTP_256);
}

fn check_rtcp(profile: Profile, expected: &[u8; 72]) {
    for provider in providers() {
        let transform = transform(profile, provider);
        let mut buf = [0; 72];
        buf[..52].copy_from_slice(&RTCP);
        assert_eq!(transform.seal_rtcp(&mut buf, 52, RTCP_SSRC, RTCP_INDEX), Ok(72));
        assert_eq!(buf, *expected);
        assert_eq!(transform.rtcp_word(&buf), Some((true, RTCP_INDEX)));
        assert_eq!(transform.open_rtcp(&mut buf, RTCP_SSRC, true, RTCP_INDEX), Ok(52));
        assert_eq!(buf[..52], RTCP);
    }
}

#[test]
fn rfc_7714_section_17_1() {
    check_rtcp(Profile::AeadAes128Gcm, &RTCP_128);
}

#[test]
fn rfc_7714_section_17_2() {
    check_rtcp(Profile::AeadAes256Gcm, &RTCP_256);
}

#[test]
fn rfc_7714_sections_17_3_and_17_4_tag_without_encryption() {
    for provider in providers() {
        for (profile, trailer) in
            [(Profile::AeadAes128Gcm, RTCP_128_TAG), (Profile::AeadAes256Gcm, RTCP_256_TAG)]
        {
            let transform = transform(profile, provider);
            let mut buf = [&RTCP[..], &trailer].concat();
            assert_eq!(transform.rtcp_word(&buf), Some((false, RTCP_INDEX)));
            let mut forged = buf.clone();
            forged[20] ^= 1;
            assert_eq!(transform.open_rtcp(&mut buf, RTCP_SSRC, false, RTCP_INDEX), Ok(52));
            assert_eq!(buf[..52], RTCP);
            assert_eq!(
                transform.open_rtcp(&mut forged, RTCP_SSRC, false, RTCP_INDEX),
                Err(UnprotectError::AuthenticationFailed)
            );
        }
    }
}

#[test]
fn rfc_3711_appendix_b_2_key_stream() {
    let salt = hex!("F0F1F2F3F4F5F6F7F8F9FAFBFCFD");
    let keys = SessionKeys::from_parts(&hex!("2B7E151628AED2A6ABF7158809CF4F3C"), &salt);
    for provider in providers() {
        let ctr = provider.aes_ctr(keys.encryption()).unwrap();
        let transform = Transform::new(Profile::AesCm128HmacSha1_80, 10, &keys, provider).unwrap();
        let mut stream = vec![0; 16 * 0xFF02];
        ctr.apply(&transform.counter_block(0, 0), &mut stream).unwrap();
        assert_eq!(
            stream[..48],
            hex!(
                "E03EAD0935C95E80E166B16DD92B4EB4"
                "D23513162B02D0F72A43A2FE4A5F97AB"
                "41E95B3BB0A2E8DD477901E4FCA894C0"
            )
        );
        assert_eq!(
            stream[16 * 0xFEFF..],
            hex!(
                "EC8CDF7398607CB0F2D21675EA9EA1E4"
                "362B7C3C6773516318A077D7FC5073AE"
                "6A2CC3787889374FBEB4C81B17BA6C44"
            )
        );
    }
}
