//! The local username fragment of ICE, by which requests from unknown addresses find their transport.

use std::fmt;

/// An ICE username fragment (RFC 8445 section 5.3) of 4 to 32 characters, kept without allocation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UsernameFragment {
    len: u8,
    bytes: [u8; Self::MAX_LEN],
}

impl UsernameFragment {
    /// The longest that is taken, in characters.
    pub const MAX_LEN: usize = 32;

    /// The fragment that these bytes spell: letters, digits, `+` and `/` (RFC 8839 section 5.4); `None` for any other.
    pub fn new(text: &[u8]) -> Option<Self> {
        let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
        if !(4..=Self::MAX_LEN).contains(&text.len()) || !text.iter().all(allowed) {
            return None;
        }
        let mut bytes = [0; Self::MAX_LEN];
        bytes.get_mut(..text.len())?.copy_from_slice(text);
        Some(Self { len: text.len() as u8, bytes })
    }

    /// Its characters.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }

    /// Its characters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }
}

impl fmt::Debug for UsernameFragment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("UsernameFragment").field(&self.as_str()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ice_characters_in_the_right_number_are_taken() {
        let fragment = UsernameFragment::new(b"aZ09+/").map(|fragment| fragment.as_str().to_owned());
        assert_eq!(fragment.as_deref(), Some("aZ09+/"));
        for refused in [&b"abc"[..], &[b'a'; 33], b"ab:cd", b"", &[0xff; 8]] {
            assert_eq!(UsernameFragment::new(refused), None);
        }
        assert!(UsernameFragment::new(&[b'a'; 32]).is_some());
    }
}
