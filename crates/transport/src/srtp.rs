//! SRTP as a [`Cipher`]: one sending and one receiving context, each absent until its key is known.

use crate::cipher::{Cipher, CipherError};
use tureen_srtp::{KeyError, Profile, ProtectError, SrtpReceiver, SrtpSender, UnprotectError};

/// An SRTP cipher; packets are refused with [`CipherError::NotReady`] while the key of their direction is missing.
#[derive(Default)]
pub struct SrtpCipher {
    sender: Option<SrtpSender>,
    receiver: Option<SrtpReceiver>,
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
        let sender = SrtpSender::new(send_profile, send_key)?;
        let receiver = SrtpReceiver::new(receive_profile, receive_key)?;
        self.sender = Some(sender);
        self.receiver = Some(receiver);
        Ok(())
    }
}
