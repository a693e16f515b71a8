//! SRTP and SRTCP (RFC 3711, RFC 7714) in place on the caller's buffers, over an exchangeable crypto provider.
//!
//! A [`SrtpSender`] protects what an endpoint sends under one master key, a [`SrtpReceiver`] opens what it receives.
//! Both keep the state of many SSRCs: roll-over counter, packet index, replay window. Packets are changed in place; in
//! steady state nothing is allocated. Keys are wiped from memory when a context is dropped.
//!
//! ```
//! # #[cfg(any(feature = "aws-lc", feature = "rust-crypto"))]
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use tureen_srtp::{DEFAULT_PROVIDER, Profile, SrtpReceiver, SrtpSender, UnprotectError};
//!
//! let profile = Profile::AeadAes128Gcm;
//! let keying_material = [7; 28]; // from the DTLS handshake
//! let mut sender = SrtpSender::new(profile, &keying_material, DEFAULT_PROVIDER)?;
//! let mut receiver = SrtpReceiver::new(profile, &keying_material, DEFAULT_PROVIDER)?;
//!
//! let mut packet = vec![0x80, 96, 0, 1, 0, 0, 0, 0, 0xCA, 0xFE, 0, 1];
//! packet.extend_from_slice(b"a frame");
//! let (header_len, len) = (12, packet.len());
//! packet.resize(len + profile.rtp_overhead(), 0);
//!
//! assert_eq!(sender.protect_rtp(&mut packet, header_len, len)?, packet.len());
//! let replay = packet.clone();
//! let len = receiver.unprotect_rtp(&mut packet, header_len)?;
//! assert_eq!(&packet[header_len..len], b"a frame");
//! assert_eq!(receiver.unprotect_rtp(&mut replay.clone(), header_len), Err(UnprotectError::Replayed));
//! # Ok(())
//! # }
//! # #[cfg(not(any(feature = "aws-lc", feature = "rust-crypto")))]
//! # fn main() {}
//! ```
//!
//! # Providers
//! [`AwsLc`] (feature `aws-lc`, on by default) is the fastest; `RustCrypto` (feature `rust-crypto`) needs no C compiler.
//! With neither, a [`CryptoProvider`] of one's own does.
//!
//! # What it does not do
//! Key exchange, MKI, key derivation rates other than zero, encrypted header extensions (RFC 6904), AES-192, AES-F8.

#[cfg(feature = "aws-lc")]
mod aws_lc;
mod error;
mod header;
mod index;
mod kdf;
mod profile;
mod provider;
mod receiver;
#[cfg(feature = "rust-crypto")]
mod rust_crypto;
mod sender;
mod streams;
mod transform;
mod window;

#[cfg(feature = "aws-lc")]
pub use aws_lc::AwsLc;
pub use error::{KeyError, ProtectError, UnprotectError};
pub use profile::Profile;
#[cfg(any(feature = "aws-lc", feature = "rust-crypto"))]
pub use provider::DEFAULT_PROVIDER;
pub use provider::{CipherFailed, CryptoProvider, Ctr, CtrKey, Gcm, GcmKey, Mac, MacKey};
pub use receiver::SrtpReceiver;
#[cfg(feature = "rust-crypto")]
pub use rust_crypto::RustCrypto;
pub use sender::SrtpSender;

#[cfg(test)]
mod testing {
    use crate::CryptoProvider;

    /// Every provider of this build.
    pub(crate) fn providers() -> Vec<&'static dyn CryptoProvider> {
        vec![
            #[cfg(feature = "aws-lc")]
            &crate::AwsLc,
            #[cfg(feature = "rust-crypto")]
            &crate::RustCrypto,
        ]
    }
}
