//! The cipher of a WebRTC transport: SRTP, or none for fuzzers. Knows no handshake; keys are handed to it.

use std::fmt;
use tureen_srtp::{KeyError, Profile};
use tureen_transport::{Cipher, NullCipher, SrtpCipher};

/// The keys of both directions, each a master key followed by its salt.
pub struct SrtpKeys {
    /// What both are for.
    pub profile: Profile,
    pub(crate) send: [u8; MAX_KEY],
    pub(crate) receive: [u8; MAX_KEY],
}

/// Octets of the longest master key and salt.
const MAX_KEY: usize = 44;

impl fmt::Debug for SrtpKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SrtpKeys").field("profile", &self.profile).finish_non_exhaustive()
    }
}

impl SrtpKeys {
    /// Splits what DTLS exported (RFC 5764 section 4.2): the client's key, the server's, the client's salt, the server's.
    pub(crate) fn from_exported(profile: Profile, exported: &[u8], we_are_client: bool) -> Option<Self> {
        let (key, salt) = (profile.key_len(), profile.salt_len());
        let (keys, salts) = exported.split_at_checked(2 * key)?;
        if salts.len() != 2 * salt {
            return None;
        }
        let (client_key, server_key) = keys.split_at_checked(key)?;
        let (client_salt, server_salt) = salts.split_at_checked(salt)?;
        let join = |key: &[u8], salt: &[u8]| {
            let mut joined = [0; MAX_KEY];
            joined.iter_mut().zip(key.iter().chain(salt)).for_each(|(slot, byte)| *slot = *byte);
            joined
        };
        let (client, server) = (join(client_key, client_salt), join(server_key, server_salt));
        let (send, receive) = if we_are_client { (client, server) } else { (server, client) };
        Some(Self { profile, send, receive })
    }

    /// The key that we send with.
    pub fn send_key(&self) -> &[u8] {
        self.send.get(..self.profile.keying_material_len()).unwrap_or_default()
    }

    /// The key that the remote sends with.
    pub fn receive_key(&self) -> &[u8] {
        self.receive.get(..self.profile.keying_material_len()).unwrap_or_default()
    }
}

/// A cipher that is keyed after it was made.
pub trait KeyedCipher: Cipher + Default {
    /// Takes the keys of both directions.
    ///
    /// # Errors
    /// A key whose length is not the profile's.
    fn install_keys(&mut self, keys: &SrtpKeys) -> Result<(), KeyError>;
}

impl KeyedCipher for SrtpCipher {
    fn install_keys(&mut self, keys: &SrtpKeys) -> Result<(), KeyError> {
        self.install((keys.profile, keys.send_key()), (keys.profile, keys.receive_key()))
    }
}

impl KeyedCipher for NullCipher {
    fn install_keys(&mut self, _: &SrtpKeys) -> Result<(), KeyError> {
        Ok(())
    }
}
