//! What can go wrong: one enum per operation. The two of the packet path are `Copy` and never allocate.

use thiserror::Error;

/// Why a context could not be made from keying material.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The keying material is not the master key followed by the master salt of the profile.
    #[error("keying material has {actual} bytes, the profile takes {expected}")]
    WrongLength {
        /// What [`Profile::keying_material_len`](crate::Profile::keying_material_len) says.
        expected: usize,
        /// What was given.
        actual: usize,
    },
    /// The crypto provider refused the key.
    #[error("the crypto provider refused the key")]
    Refused,
}

/// Why a packet was not protected. The buffer holds no usable packet then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ProtectError {
    /// The packet is shorter than its fixed header, or than the given header length.
    #[error("packet shorter than its header")]
    TooShort,
    /// The packet would be longer than a UDP datagram can be.
    #[error("packet longer than a datagram")]
    TooLong,
    /// The buffer has no room behind the packet for what protection adds.
    #[error("no room for the authentication tag")]
    BufferTooSmall,
    /// A packet with this sequence number was protected before: a second one would reuse the key stream.
    #[error("packet index already used")]
    IndexReused,
    /// The sequence number lies before the window in which the sender knows what it used.
    #[error("packet index older than the window")]
    TooOld,
    /// A retransmission of a packet that was never protected, or that is no longer remembered.
    #[error("not a packet that is remembered")]
    NotRemembered,
    /// A retransmission that differs from the packet that went out first. The buffer was wiped.
    #[error("retransmission differs from the first transmission")]
    PacketChanged,
    /// The limit on the number of SSRCs was reached.
    #[error("too many synchronization sources")]
    TooManyStreams,
    /// The index space of the key is used up: a new master key is needed (RFC 3711 section 9.2).
    #[error("key exhausted")]
    KeyExhausted,
    /// The crypto provider failed.
    #[error("the crypto provider failed")]
    CipherFailed,
}

/// Why a packet was not accepted. The content of the buffer is then unspecified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum UnprotectError {
    /// The packet is shorter than its header plus what protection adds.
    #[error("packet too short")]
    TooShort,
    /// The packet is longer than a UDP datagram can be.
    #[error("packet longer than a datagram")]
    TooLong,
    /// A packet with this index was accepted before.
    #[error("packet replayed")]
    Replayed,
    /// The index lies before the replay window.
    #[error("packet older than the replay window")]
    TooOld,
    /// The tag is wrong: forged, damaged, sealed with another key or another roll-over counter.
    #[error("authentication failed")]
    AuthenticationFailed,
    /// The packet is from a new SSRC and the limit on the number of SSRCs was reached.
    #[error("too many synchronization sources")]
    TooManyStreams,
    /// The roll-over counter would overflow: a new master key is needed (RFC 3711 section 9.2).
    #[error("key exhausted")]
    KeyExhausted,
}
