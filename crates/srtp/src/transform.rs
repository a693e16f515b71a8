//! Turns one packet into its protected form and back, given its index. Knows no stream state: that no index is used
//! twice is the business of the contexts.

use crate::error::{KeyError, ProtectError, UnprotectError};
use crate::kdf::SessionKeys;
use crate::profile::{GCM_TAG_LEN, Profile, SRTCP_WORD_LEN};
use crate::provider::{CryptoProvider, CtrKey, GcmKey, MacKey};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroize as _;

/// The part of a compound RTCP packet that is never encrypted (RFC 3711 section 3.4).
pub(crate) const RTCP_HEADER_LEN: usize = 8;
/// Says that an SRTCP packet is encrypted (RFC 3711 section 3.4).
const E_FLAG: u32 = 1 << 31;
/// The longest tag that is compared.
const MAC_LEN: usize = 20;

/// Where an RTP packet lies in its buffer, and which packet of which stream it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RtpPosition {
    pub(crate) header_len: usize,
    /// Length of the packet without its tag.
    pub(crate) len: usize,
    pub(crate) ssrc: u32,
    /// Roll-over counter and sequence number.
    pub(crate) index: u64,
}

/// What a sealed packet is recognised by, should it be sealed again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Fingerprint(pub(crate) u64);

/// The keys of one direction and one packet kind, ready for use.
pub(crate) struct Transform {
    cipher: Cipher,
    salt: [u8; 16],
}

enum Cipher {
    Gcm(GcmKey),
    CmSha1 { ctr: CtrKey, mac: MacKey, tag_len: usize },
}

impl Transform {
    pub(crate) fn new(
        profile: Profile,
        tag_len: usize,
        keys: &SessionKeys,
        provider: &dyn CryptoProvider,
    ) -> Result<Self, KeyError> {
        let cipher = if profile.is_aead() {
            Cipher::Gcm(provider.aes_gcm(keys.encryption())?)
        } else {
            Cipher::CmSha1 {
                ctr: provider.aes_ctr(keys.encryption())?,
                mac: provider.hmac_sha1(&keys.authentication)?,
                tag_len,
            }
        };
        Ok(Self { cipher, salt: keys.salt })
    }

    /// Seals `buf[..at.len]` and writes the tag behind it: in place or, if `plain` is given, with that as its payload. A fingerprint
    /// is made where one is wanted.
    #[inline]
    pub(crate) fn seal_rtp(
        &self,
        buf: &mut [u8],
        at: RtpPosition,
        plain: Option<&[u8]>,
        fingerprint: bool,
    ) -> Result<(usize, Fingerprint), ProtectError> {
        match &self.cipher {
            Cipher::Gcm(key) => {
                let (header, text, room) = parts(buf, at).ok_or(ProtectError::BufferTooSmall)?;
                let tag = room.first_chunk_mut().ok_or(ProtectError::BufferTooSmall)?;
                let nonce = self.gcm_nonce(at.ssrc, at.index);
                let sealed = match plain {
                    Some(plain) => key.seal_from(&nonce, header, plain, text, tag),
                    None => key.seal(&nonce, header, text).map(|sealed| *tag = sealed),
                };
                sealed.map_err(|_| ProtectError::CipherFailed)?;
                let mark = if fingerprint { u64::from_be_bytes(first_half(tag)) } else { 0 };
                Ok((at.len + GCM_TAG_LEN, Fingerprint(mark)))
            }
            Cipher::CmSha1 { ctr, mac, tag_len } => {
                let end = at.len + tag_len;
                let (_, text, room) = parts(buf, at).ok_or(ProtectError::BufferTooSmall)?;
                if room.len() < *tag_len || plain.is_some_and(|plain| plain.len() != text.len()) {
                    return Err(ProtectError::BufferTooSmall);
                }
                if let Some(plain) = plain {
                    text.copy_from_slice(plain);
                }
                let iv = self.counter_block(at.ssrc, at.index);
                ctr.apply(&iv, text).map_err(|_| ProtectError::CipherFailed)?;
                let mark = if fingerprint { digest(text) } else { Fingerprint::default() };
                let tag = authenticate_rtp(mac, buf, at).ok_or(ProtectError::BufferTooSmall)?;
                write_tag(buf, at.len, &tag, *tag_len).ok_or(ProtectError::BufferTooSmall)?;
                Ok((end, mark))
            }
        }
    }

    /// Opens a packet whose tag stands at `at.len`.
    pub(crate) fn open_rtp(&self, buf: &mut [u8], at: RtpPosition) -> Result<(), UnprotectError> {
        match &self.cipher {
            Cipher::Gcm(key) => {
                let (header, text, room) = parts(buf, at).ok_or(UnprotectError::TooShort)?;
                let tag = room.first_chunk().ok_or(UnprotectError::TooShort)?;
                key.open(&self.gcm_nonce(at.ssrc, at.index), header, text, tag)
                    .map_err(|_| UnprotectError::AuthenticationFailed)
            }
            Cipher::CmSha1 { ctr, mac, tag_len } => {
                let given = read_tag(buf, at.len, *tag_len).ok_or(UnprotectError::TooShort)?;
                let tag = authenticate_rtp(mac, buf, at).ok_or(UnprotectError::TooShort)?;
                check_tag(&given, &tag, *tag_len)?;
                let (_, text, _) = parts(buf, at).ok_or(UnprotectError::TooShort)?;
                let iv = self.counter_block(at.ssrc, at.index);
                ctr.apply(&iv, text).map_err(|_| UnprotectError::AuthenticationFailed)
            }
        }
    }

    /// Seals the compound RTCP packet `buf[..len]` in place; what protection adds goes behind it.
    pub(crate) fn seal_rtcp(
        &self,
        buf: &mut [u8],
        len: usize,
        ssrc: u32,
        index: u32,
    ) -> Result<usize, ProtectError> {
        let small = ProtectError::BufferTooSmall;
        let word = (E_FLAG | index).to_be_bytes();
        let (packet, room) = buf.split_at_mut_checked(len).ok_or(small)?;
        let (header, text) =
            packet.split_first_chunk_mut::<RTCP_HEADER_LEN>().ok_or(ProtectError::TooShort)?;
        match &self.cipher {
            Cipher::Gcm(key) => {
                let (tag, room) = room.split_first_chunk_mut::<GCM_TAG_LEN>().ok_or(small)?;
                let place = room.first_chunk_mut::<SRTCP_WORD_LEN>().ok_or(small)?;
                *tag = key
                    .seal(&self.gcm_nonce(ssrc, u64::from(index)), &rtcp_aad(header, word), text)
                    .map_err(|_| ProtectError::CipherFailed)?;
                *place = word;
                Ok(len + GCM_TAG_LEN + SRTCP_WORD_LEN)
            }
            Cipher::CmSha1 { ctr, mac, tag_len } => {
                let end = len + SRTCP_WORD_LEN;
                if room.len() < SRTCP_WORD_LEN + tag_len {
                    return Err(small);
                }
                *room.first_chunk_mut().ok_or(small)? = word;
                let iv = self.counter_block(ssrc, u64::from(index));
                ctr.apply(&iv, text).map_err(|_| ProtectError::CipherFailed)?;
                let tag = mac.sign(buf.get(..end).ok_or(small)?);
                write_tag(buf, end, &tag, *tag_len).ok_or(small)?;
                Ok(end + tag_len)
            }
        }
    }

    /// The E flag and the index of an SRTCP packet, not yet authenticated.
    pub(crate) fn rtcp_word(&self, buf: &[u8]) -> Option<(bool, u32)> {
        let behind = match &self.cipher {
            Cipher::Gcm(_) => 0,
            Cipher::CmSha1 { tag_len, .. } => *tag_len,
        };
        let end = buf.len().checked_sub(behind)?;
        let word = u32::from_be_bytes(*buf.get(..end)?.last_chunk()?);
        Some((word & E_FLAG != 0, word & !E_FLAG))
    }

    /// Opens an SRTCP packet in place and returns the length of the compound RTCP packet.
    pub(crate) fn open_rtcp(
        &self,
        buf: &mut [u8],
        ssrc: u32,
        encrypted: bool,
        index: u32,
    ) -> Result<usize, UnprotectError> {
        match &self.cipher {
            Cipher::Gcm(key) => {
                let nonce = self.gcm_nonce(ssrc, u64::from(index));
                open_rtcp_gcm(key, &nonce, buf, encrypted)
            }
            Cipher::CmSha1 { ctr, mac, tag_len } => {
                let end = buf.len().checked_sub(*tag_len).ok_or(UnprotectError::TooShort)?;
                let len = end.checked_sub(SRTCP_WORD_LEN).ok_or(UnprotectError::TooShort)?;
                let given = read_tag(buf, end, *tag_len).ok_or(UnprotectError::TooShort)?;
                let tag = mac.sign(buf.get(..end).ok_or(UnprotectError::TooShort)?);
                check_tag(&given, &tag, *tag_len)?;
                let text = buf.get_mut(RTCP_HEADER_LEN..len).ok_or(UnprotectError::TooShort)?;
                if encrypted {
                    let iv = self.counter_block(ssrc, u64::from(index));
                    ctr.apply(&iv, text).map_err(|_| UnprotectError::AuthenticationFailed)?;
                }
                Ok(len)
            }
        }
    }

    /// The first counter block (RFC 3711 section 4.1.1).
    fn counter_block(&self, ssrc: u32, index: u64) -> [u8; 16] {
        let block = (u128::from(ssrc) << 64) | (u128::from(index) << 16);
        (u128::from_be_bytes(self.salt) ^ block).to_be_bytes()
    }

    /// The nonce (RFC 7714 sections 8.1 and 9.1); SRTP and SRTCP differ only in the width of the index.
    #[inline]
    fn gcm_nonce(&self, ssrc: u32, index: u64) -> [u8; 12] {
        let block = (u128::from(ssrc) << 80) | (u128::from(index) << 32);
        let [nonce @ .., _, _, _, _] = (u128::from_be_bytes(self.salt) ^ block).to_be_bytes();
        nonce
    }
}

impl Drop for Transform {
    fn drop(&mut self) {
        self.salt.zeroize();
    }
}

fn first_half(tag: &[u8; 16]) -> [u8; 8] {
    let [a, b, c, d, e, f, g, h, ..] = *tag;
    [a, b, c, d, e, f, g, h]
}

/// Header, payload and what lies behind.
fn parts(buf: &mut [u8], at: RtpPosition) -> Option<(&[u8], &mut [u8], &mut [u8])> {
    let (packet, room) = buf.split_at_mut_checked(at.len)?;
    let (header, text) = packet.split_at_mut_checked(at.header_len)?;
    Some((header, text, room))
}

/// The tag over the packet and the roll-over counter (RFC 3711 section 4.2), which is written to where the tag goes.
fn authenticate_rtp(mac: &MacKey, buf: &mut [u8], at: RtpPosition) -> Option<[u8; MAC_LEN]> {
    let counter = u32::try_from(at.index >> 16).ok()?;
    let (_, room) = buf.split_at_mut_checked(at.len)?;
    *room.first_chunk_mut()? = counter.to_be_bytes();
    Some(mac.sign(buf.get(..at.len + size_of::<u32>())?))
}

fn write_tag(buf: &mut [u8], at: usize, tag: &[u8; MAC_LEN], tag_len: usize) -> Option<()> {
    buf.get_mut(at..at + tag_len)?.copy_from_slice(tag.get(..tag_len)?);
    Some(())
}

fn read_tag(buf: &[u8], at: usize, tag_len: usize) -> Option<[u8; MAC_LEN]> {
    let mut tag = [0; MAC_LEN];
    tag.get_mut(..tag_len)?.copy_from_slice(buf.get(at..at + tag_len)?);
    Some(tag)
}

fn check_tag(given: &[u8; MAC_LEN], tag: &[u8; MAC_LEN], tag_len: usize) -> Result<(), UnprotectError> {
    let (given, tag) = (given.get(..tag_len), tag.get(..tag_len));
    let same = given.zip(tag).is_some_and(|(given, tag)| bool::from(given.ct_eq(tag)));
    if same { Ok(()) } else { Err(UnprotectError::AuthenticationFailed) }
}

/// The associated data of an encrypted SRTCP packet (RFC 7714 section 9.2).
fn rtcp_aad(header: &[u8; RTCP_HEADER_LEN], word: [u8; SRTCP_WORD_LEN]) -> [u8; 12] {
    let [a, b, c, d, e, f, g, h] = *header;
    let [i, j, k, l] = word;
    [a, b, c, d, e, f, g, h, i, j, k, l]
}

fn open_rtcp_gcm(
    key: &GcmKey,
    nonce: &[u8; 12],
    buf: &mut [u8],
    encrypted: bool,
) -> Result<usize, UnprotectError> {
    let short = UnprotectError::TooShort;
    let len = buf.len().checked_sub(GCM_TAG_LEN + SRTCP_WORD_LEN).ok_or(short)?;
    let (packet, trailer) = buf.split_at_mut_checked(len).ok_or(short)?;
    let (tag, word) = trailer.split_first_chunk::<GCM_TAG_LEN>().ok_or(short)?;
    let word = *word.first_chunk().ok_or(short)?;
    let tag = *tag;
    let opened = if encrypted {
        let (header, text) = packet.split_first_chunk_mut::<RTCP_HEADER_LEN>().ok_or(short)?;
        key.open(nonce, &rtcp_aad(header, word), text, &tag)
    } else {
        // All of the packet, then the word, is associated data (RFC 7714 section 9.3): bring the two together.
        *trailer.first_chunk_mut().ok_or(short)? = word;
        let aad = buf.get(..len + SRTCP_WORD_LEN).ok_or(short)?;
        key.open(nonce, aad, &mut [], &tag)
    };
    opened.map_err(|_| UnprotectError::AuthenticationFailed)?;
    Ok(len)
}

/// A quick digest that tells a retransmitted ciphertext from a changed one. It guards against mistakes of the program
/// itself and need not stand up to an adversary.
fn digest(text: &[u8]) -> Fingerprint {
    const PRIME: u64 = 0x9E37_79B9_7F4A_7C15;
    let (chunks, tail) = text.as_chunks::<8>();
    let mut last = [0; 8];
    for (to, from) in last.iter_mut().zip(tail) {
        *to = *from;
    }
    let fold = |state: u64, chunk: &[u8; 8]| {
        (state ^ u64::from_le_bytes(*chunk)).wrapping_mul(PRIME).rotate_left(29)
    };
    Fingerprint(fold(chunks.iter().fold(text.len() as u64, fold), &last).wrapping_mul(PRIME))
}

#[cfg(test)]
#[path = "transform_tests.rs"]
mod tests;
