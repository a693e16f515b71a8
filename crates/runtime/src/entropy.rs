//! Randomness of the operating system: for keys, for seeds that the program did not give, and for the choice of ports.

use crate::config::EntropyError;
use tureen_transport::KeyMaterial;
use tureen_transport_webrtc::IceCredentials;

/// Fresh random bytes for an SRTP key and salt, from the operating system.
///
/// # Errors
/// [`EntropyError`] where the operating system has none to give.
pub fn fresh_key_material() -> Result<KeyMaterial, EntropyError> {
    let mut material = [0; 46];
    getrandom::fill(&mut material).map_err(|_| EntropyError)?;
    Ok(material)
}

/// Fresh ICE credentials, from the operating system.
pub(crate) fn fresh_credentials() -> Result<IceCredentials, EntropyError> {
    let mut entropy = [0; 48];
    getrandom::fill(&mut entropy).map_err(|_| EntropyError)?;
    Ok(IceCredentials::from_entropy(&entropy))
}

pub(crate) fn random_u64() -> Result<u64, EntropyError> {
    getrandom::u64().map_err(|_| EntropyError)
}
