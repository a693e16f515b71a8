//! The username fragment and password of one ICE session. Draws no randomness: that is an argument.

use crate::integrity::IntegrityKey;
use std::fmt;
use tureen_rtp_dictionaries::IceParameters;
use tureen_transport::UsernameFragment;

/// The ICE characters (RFC 8839 section 5.4): 64 of them, so that six random bits choose one evenly.
const ICE_CHARACTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Characters of a username fragment made from entropy: 96 random bits, where RFC 8445 section 5.3 asks for 24.
const FRAGMENT_LEN: usize = 16;

/// Local ICE credentials: a username fragment of 16 characters and a password of 32. `Debug` does not show the password.
#[derive(Clone)]
pub struct IceCredentials {
    pub(crate) username_fragment: UsernameFragment,
    pub(crate) key: IntegrityKey,
    password: String,
}

impl fmt::Debug for IceCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IceCredentials")
            .field("username_fragment", &self.username_fragment)
            .finish_non_exhaustive()
    }
}

impl IceCredentials {
    /// Credentials from 48 bytes that must come from a cryptographic generator: 96 bits of fragment, 192 of password.
    pub fn from_entropy(entropy: &[u8; 48]) -> Self {
        let characters = entropy.map(|byte| ICE_CHARACTERS[usize::from(byte % 64)]);
        let (fragment, password) = characters.split_at(FRAGMENT_LEN);
        let username_fragment = UsernameFragment::new(fragment).expect("16 ICE characters are a fragment");
        Self::new(username_fragment, String::from_utf8_lossy(password).into_owned())
    }

    fn new(username_fragment: UsernameFragment, password: String) -> Self {
        Self { username_fragment, key: IntegrityKey::new(password.as_bytes()), password }
    }

    /// Credentials from elsewhere; `None` unless the fragment has 4 to 32 ICE characters and the password 22 to 256
    /// (RFC 8839 section 5.4).
    pub fn from_parameters(parameters: &IceParameters) -> Option<Self> {
        let fragment = UsernameFragment::new(parameters.username_fragment.as_bytes())?;
        let password = &parameters.password;
        let characters = password.bytes().all(|byte| ICE_CHARACTERS.contains(&byte));
        ((22..=256).contains(&password.len()) && characters).then(|| Self::new(fragment, password.clone()))
    }

    /// The username fragment, by which requests on shared sockets are told apart.
    pub fn username_fragment(&self) -> UsernameFragment {
        self.username_fragment
    }

    /// What the remote is told.
    pub fn parameters(&self) -> IceParameters {
        IceParameters {
            username_fragment: self.username_fragment.as_str().to_owned(),
            password: self.password.clone(),
            ice_lite: true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entropy_becomes_ice_characters() {
        let entropy: [u8; 48] = std::array::from_fn(|index| (index * 37) as u8);
        let credentials = IceCredentials::from_entropy(&entropy);
        let parameters = credentials.parameters();
        assert_eq!((parameters.username_fragment.len(), parameters.password.len()), (16, 32));
        assert!(parameters.ice_lite);
        assert!(!format!("{credentials:?}").contains(&parameters.password));
        let again = IceCredentials::from_parameters(&parameters).unwrap();
        assert_eq!(again.parameters(), parameters);
    }

    #[test]
    fn a_password_that_others_would_refuse_is_refused() {
        let parameters = |password: &str| IceParameters {
            username_fragment: "abcd".into(),
            password: password.into(),
            ice_lite: true,
        };
        assert!(IceCredentials::from_parameters(&parameters(&"p".repeat(22))).is_some());
        for refused in ["p".repeat(21), "p".repeat(257), "p ".repeat(12)] {
            assert!(IceCredentials::from_parameters(&parameters(&refused)).is_none());
        }
    }
}
