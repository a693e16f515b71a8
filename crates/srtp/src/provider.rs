//! The crypto seam: what a context asks of a library of ciphers. Knows no packet format.
//!
//! A provider is asked once, when a context is made, and hands out keys. The keys of the two built-in providers are
//! variants of closed enums, so that sealing a packet calls them directly; keys of any other provider are boxed.

use crate::error::KeyError;
use std::fmt;

/// The provider of this build: AWS-LC where the feature `aws-lc` is on, RustCrypto else.
#[cfg(feature = "aws-lc")]
pub static DEFAULT_PROVIDER: &dyn CryptoProvider = &crate::aws_lc::AwsLc;
/// The provider of this build: AWS-LC where the feature `aws-lc` is on, RustCrypto else.
#[cfg(all(feature = "rust-crypto", not(feature = "aws-lc")))]
pub static DEFAULT_PROVIDER: &dyn CryptoProvider = &crate::rust_crypto::RustCrypto;

/// Makes the keys of a context out of derived session keys.
pub trait CryptoProvider: fmt::Debug + Send + Sync {
    /// A short name for logs and reports.
    fn name(&self) -> &'static str;

    /// A key for AES in counter mode; `key` has 16 or 32 bytes.
    ///
    /// # Errors
    /// [`KeyError::Refused`] when the library does not take the key.
    fn aes_ctr(&self, key: &[u8]) -> Result<CtrKey, KeyError>;

    /// A key for AES in Galois/counter mode; `key` has 16 or 32 bytes.
    ///
    /// # Errors
    /// [`KeyError::Refused`] when the library does not take the key.
    fn aes_gcm(&self, key: &[u8]) -> Result<GcmKey, KeyError>;

    /// A key for HMAC-SHA1.
    ///
    /// # Errors
    /// [`KeyError::Refused`] when the library does not take the key.
    fn hmac_sha1(&self, key: &[u8; 20]) -> Result<MacKey, KeyError>;
}

/// A cipher operation failed, or a tag did not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CipherFailed;

/// AES in counter mode, for a provider of one's own.
pub trait Ctr: Send + Sync {
    /// XORs `text` with the key stream that starts at counter block `iv`.
    ///
    /// # Errors
    /// [`CipherFailed`] when the library fails.
    fn apply(&self, iv: &[u8; 16], text: &mut [u8]) -> Result<(), CipherFailed>;
}

/// AES-GCM, for a provider of one's own.
pub trait Gcm: Send + Sync {
    /// Encrypts `text` in place and returns the tag over `aad` and the result.
    ///
    /// # Errors
    /// [`CipherFailed`] when the library fails.
    fn seal(&self, nonce: &[u8; 12], aad: &[u8], text: &mut [u8]) -> Result<[u8; 16], CipherFailed>;

    /// Encrypts `plain` into `text`, which is as long, and writes the tag over `aad` and the result to `tag`. Unless overridden,
    /// copies and then [`seal`](Self::seal)s.
    ///
    /// # Errors
    /// [`CipherFailed`] when the library fails, or the lengths differ.
    fn seal_from(
        &self,
        nonce: &[u8; 12],
        aad: &[u8],
        plain: &[u8],
        text: &mut [u8],
        tag: &mut [u8; 16],
    ) -> Result<(), CipherFailed> {
        if plain.len() != text.len() {
            return Err(CipherFailed);
        }
        text.copy_from_slice(plain);
        *tag = self.seal(nonce, aad, text)?;
        Ok(())
    }

    /// Checks `tag` and decrypts `text` in place.
    ///
    /// # Errors
    /// [`CipherFailed`] when the tag is wrong; the content of `text` is unspecified then.
    fn open(&self, nonce: &[u8; 12], aad: &[u8], text: &mut [u8], tag: &[u8; 16])
    -> Result<(), CipherFailed>;
}

/// HMAC-SHA1, for a provider of one's own.
pub trait Mac: Send + Sync {
    /// The tag of `data`.
    fn sign(&self, data: &[u8]) -> [u8; 20];
}

macro_rules! key {
    ($(#[$doc:meta])* $name:ident, $kind:ident, $boxed:ident, $aws:ident, [$($rust:ident),+]) => {
        $(#[$doc])*
        pub struct $name(pub(crate) $kind);

        pub(crate) enum $kind {
            #[cfg(feature = "aws-lc")]
            AwsLc(Box<crate::aws_lc::$aws>),
            $(#[cfg(feature = "rust-crypto")]
            $rust(Box<crate::rust_crypto::$rust>),)+
            Boxed(Box<dyn $boxed>),
        }

        impl $name {
            /// Wraps the key of a provider of one's own; each packet then costs one virtual call more.
            #[must_use]
            pub fn boxed(key: Box<dyn $boxed>) -> Self {
                Self($kind::Boxed(key))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }
    };
}

key!(
    /// A key for AES in counter mode.
    CtrKey, CtrKind, Ctr, AwsLcCtr, [Ctr128, Ctr256]
);
key!(
    /// A key for AES-GCM.
    GcmKey, GcmKind, Gcm, AwsLcGcm, [Gcm128, Gcm256]
);
key!(
    /// A key for HMAC-SHA1.
    MacKey, MacKind, Mac, AwsLcMac, [RustMac]
);

/// Calls the same method on whichever key is inside.
macro_rules! each {
    ($kind:ident, $value:expr, [$($rust:ident),+], $key:ident => $call:expr) => {
        match $value {
            #[cfg(feature = "aws-lc")]
            $kind::AwsLc($key) => $call,
            $(#[cfg(feature = "rust-crypto")]
            $kind::$rust($key) => $call,)+
            $kind::Boxed($key) => $call,
        }
    };
}

impl CtrKey {
    #[inline]
    pub(crate) fn apply(&self, iv: &[u8; 16], text: &mut [u8]) -> Result<(), CipherFailed> {
        each!(CtrKind, &self.0, [Ctr128, Ctr256], key => key.apply(iv, text))
    }
}

impl GcmKey {
    #[inline]
    pub(crate) fn seal(
        &self,
        nonce: &[u8; 12],
        aad: &[u8],
        text: &mut [u8],
    ) -> Result<[u8; 16], CipherFailed> {
        each!(GcmKind, &self.0, [Gcm128, Gcm256], key => key.seal(nonce, aad, text))
    }

    #[inline]
    pub(crate) fn seal_from(
        &self,
        nonce: &[u8; 12],
        aad: &[u8],
        plain: &[u8],
        text: &mut [u8],
        tag: &mut [u8; 16],
    ) -> Result<(), CipherFailed> {
        each!(GcmKind, &self.0, [Gcm128, Gcm256], key => key.seal_from(nonce, aad, plain, text, tag))
    }

    #[inline]
    pub(crate) fn open(
        &self,
        nonce: &[u8; 12],
        aad: &[u8],
        text: &mut [u8],
        tag: &[u8; 16],
    ) -> Result<(), CipherFailed> {
        each!(GcmKind, &self.0, [Gcm128, Gcm256], key => key.open(nonce, aad, text, tag))
    }
}

impl MacKey {
    #[inline]
    pub(crate) fn sign(&self, data: &[u8]) -> [u8; 20] {
        each!(MacKind, &self.0, [RustMac], key => key.sign(data))
    }
}
