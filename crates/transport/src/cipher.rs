//! Ciphers: what protects packets on a path. Must not know addresses.

/// Why a packet could not be protected or unprotected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CipherError {
    /// Keys are not there yet.
    NotReady,
    /// The packet is not genuine: authentication failed, or it is too short to tell.
    NotGenuine,
    /// The packet was seen before, or is too old to tell.
    Replayed,
    /// A limit was met: buffer, number of streams, or key lifetime.
    Exhausted,
}

/// Protects and unprotects packets in place.
///
/// `header_len` is the length of the RTP header with CSRCs and extension, which stays readable.
pub trait Cipher {
    /// Bytes that protecting adds to an RTP packet.
    fn rtp_overhead(&self) -> usize;
    /// Bytes that protecting adds to an RTCP packet.
    fn rtcp_overhead(&self) -> usize;
    /// Whether one packet index must never carry two different contents, headers included (AEAD nonces, RFC 7714
    /// section 8.4): a plain retransmission then has to be byte for byte the packet first sent.
    fn forbids_altered_repeats(&self) -> bool;
    /// Protects the RTP packet in `buffer[..len]`; returns its new length.
    fn protect_rtp(&mut self, buffer: &mut [u8], header_len: usize, len: usize)
    -> Result<usize, CipherError>;
    /// Protects a packet whose header is in `buffer[..header_len]` and whose payload is still elsewhere; returns its length. The
    /// result is the same as of copying the payload behind the header and protecting that, but a cipher may spare the copy.
    #[inline]
    fn protect_rtp_from(
        &mut self,
        buffer: &mut [u8],
        header_len: usize,
        payload: &[u8],
    ) -> Result<usize, CipherError> {
        let len = header_len.saturating_add(payload.len());
        buffer.get_mut(header_len..len).ok_or(CipherError::Exhausted)?.copy_from_slice(payload);
        self.protect_rtp(buffer, header_len, len)
    }
    /// Protects an RTP packet that was protected before and goes out once more under its old sequence number; see
    /// [`Cipher::forbids_altered_repeats`] and [`Cipher::expect_repeats`].
    fn protect_rtp_again(
        &mut self,
        buffer: &mut [u8],
        header_len: usize,
        len: usize,
    ) -> Result<usize, CipherError>;
    /// Streams that start from now on may have packets that go out once more under their old sequence numbers.
    fn expect_repeats(&mut self);
    /// Protects the RTCP packet in `buffer[..len]`; returns its new length.
    fn protect_rtcp(&mut self, buffer: &mut [u8], len: usize) -> Result<usize, CipherError>;
    /// Unprotects the RTP packet in `buffer`; returns its new length.
    fn unprotect_rtp(&mut self, buffer: &mut [u8], header_len: usize) -> Result<usize, CipherError>;
    /// Unprotects the RTCP packet in `buffer`; returns its new length.
    fn unprotect_rtcp(&mut self, buffer: &mut [u8]) -> Result<usize, CipherError>;
}

/// No protection: plain RTP, and what lets a fuzzer reach behind the keys.
#[derive(Clone, Copy, Debug, Default)]
pub struct NullCipher;

impl Cipher for NullCipher {
    fn rtp_overhead(&self) -> usize {
        0
    }

    fn rtcp_overhead(&self) -> usize {
        0
    }

    fn forbids_altered_repeats(&self) -> bool {
        false
    }

    fn protect_rtp(&mut self, _: &mut [u8], _: usize, len: usize) -> Result<usize, CipherError> {
        Ok(len)
    }

    fn protect_rtp_again(&mut self, _: &mut [u8], _: usize, len: usize) -> Result<usize, CipherError> {
        Ok(len)
    }

    fn expect_repeats(&mut self) {}

    fn protect_rtcp(&mut self, _: &mut [u8], len: usize) -> Result<usize, CipherError> {
        Ok(len)
    }

    fn unprotect_rtp(&mut self, buffer: &mut [u8], _: usize) -> Result<usize, CipherError> {
        Ok(buffer.len())
    }

    fn unprotect_rtcp(&mut self, buffer: &mut [u8]) -> Result<usize, CipherError> {
        Ok(buffer.len())
    }
}
