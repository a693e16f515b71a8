//! SRTP as a [`Cipher`]: one sending and one receiving context, each absent until its key is known.

use crate::cipher::{Cipher, CipherError};
use tureen_srtp::{
    DEFAULT_PROVIDER, KeyError, Profile, ProtectError, SrtpReceiver, SrtpSender, UnprotectError,
};

/// Packets of each stream that can go out once more without a retransmission stream.
const REPEATABLE: usize = 512;

/// An SRTP cipher; packets are refused with [`CipherError::NotReady`] while the key of their direction is missing.
#[derive(Default)]
pub struct SrtpCipher {
    sender: Option<SrtpSender>,
    receiver: Option<SrtpReceiver>,
    repeats: bool,
}

impl std::fmt::Debug for SrtpCipher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SrtpCipher")
            .field("sender", &self.sender.is_some())
            .field("receiver", &self.receiver.is_some())
            .finish()
    }
}

impl SrtpCipher {
    /// Installs the keys of both directions: master key and salt, one behind the other.
    ///
    /// # Errors
    /// A key whose length is not the profile's.
    pub fn install(
        &mut self,
        (send_profile, send_key): (Profile, &[u8]),
        (receive_profile, receive_key): (Profile, &[u8]),
    ) -> Result<(), KeyError> {
        let sender = SrtpSender::new(send_profile, send_key, DEFAULT_PROVIDER)?;
        let receiver = SrtpReceiver::new(receive_profile, receive_key, DEFAULT_PROVIDER)?;
        self.sender = Some(if self.repeats { sender.with_retransmission(REPEATABLE) } else { sender });
        self.receiver = Some(receiver);
        Ok(())
    }

    fn sender(&mut self) -> Result<&mut SrtpSender, CipherError> {
        self.sender.as_mut().ok_or(CipherError::NotReady)
    }

    fn receiver(&mut self) -> Result<&mut SrtpReceiver, CipherError> {
        self.receiver.as_mut().ok_or(CipherError::NotReady)
    }

    fn send_profile(&self) -> Option<Profile> {
        self.sender.as_ref().map(SrtpSender::profile)
    }
}

impl Cipher for SrtpCipher {
    #[inline]
    fn rtp_overhead(&self) -> usize {
        self.send_profile().map_or(0, Profile::rtp_overhead)
    }

    fn rtcp_overhead(&self) -> usize {
        self.send_profile().map_or(0, Profile::rtcp_overhead)
    }

    fn forbids_altered_repeats(&self) -> bool {
        // While the suite is not settled, the stricter rule holds.
        !matches!(self.send_profile(), Some(Profile::AesCm128HmacSha1_80 | Profile::AesCm128HmacSha1_32))
    }

    fn protect_rtp(
        &mut self,
        buffer: &mut [u8],
        header_len: usize,
        len: usize,
    ) -> Result<usize, CipherError> {
        self.sender()?.protect_rtp(buffer, header_len, len).map_err(protect_error)
    }

    #[inline]
    fn protect_rtp_from(
        &mut self,
        buffer: &mut [u8],
        header_len: usize,
        payload: &[u8],
    ) -> Result<usize, CipherError> {
        self.sender()?.protect_rtp_from(buffer, header_len, payload).map_err(protect_error)
    }

    fn protect_rtp_again(
        &mut self,
        buffer: &mut [u8],
        header_len: usize,
        len: usize,
    ) -> Result<usize, CipherError> {
        self.sender()?.retransmit_rtp(buffer, header_len, len).map_err(protect_error)
    }

    fn expect_repeats(&mut self) {
        self.repeats = true;
        self.sender = self.sender.take().map(|sender| sender.with_retransmission(REPEATABLE));
    }

    fn protect_rtcp(&mut self, buffer: &mut [u8], len: usize) -> Result<usize, CipherError> {
        self.sender()?.protect_rtcp(buffer, len).map_err(protect_error)
    }

    fn unprotect_rtp(&mut self, buffer: &mut [u8], header_len: usize) -> Result<usize, CipherError> {
        self.receiver()?.unprotect_rtp(buffer, header_len).map_err(unprotect_error)
    }

    fn unprotect_rtcp(&mut self, buffer: &mut [u8]) -> Result<usize, CipherError> {
        self.receiver()?.unprotect_rtcp(buffer).map_err(unprotect_error)
    }
}

fn protect_error(error: ProtectError) -> CipherError {
    match error {
        ProtectError::IndexReused
        | ProtectError::TooOld
        | ProtectError::NotRemembered
        | ProtectError::PacketChanged => CipherError::Replayed,
        _ => CipherError::Exhausted,
    }
}

fn unprotect_error(error: UnprotectError) -> CipherError {
    match error {
        UnprotectError::Replayed | UnprotectError::TooOld => CipherError::Replayed,
        UnprotectError::TooManyStreams | UnprotectError::KeyExhausted => CipherError::Exhausted,
        _ => CipherError::NotGenuine,
    }
}
