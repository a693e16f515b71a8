//! Answers to STUN requests, written when the request comes in and kept in place until the driver takes them.
//! Decides nothing: who is answered what is the caller's business.

use crate::integrity::{IntegrityKey, append_fingerprint};
use std::net::SocketAddr;
use tureen_rtp_wire::WireError;
use tureen_rtp_wire::stun::{StunClass, StunWriter, TransactionId, attribute};
use tureen_transport::{Arrival, Destination};

/// Answers that wait at most; a driver takes them out after each batch.
const CAPACITY: usize = 8;
/// The longest: 420 with [`MAX_UNKNOWN`] types has 92 octets.
const MAX_ANSWER: usize = 96;
/// Types that an answer 420 lists at most.
pub(crate) const MAX_UNKNOWN: usize = 8;

/// Types of attributes that were not understood.
pub(crate) type UnknownAttributes = smallvec::SmallVec<[u16; MAX_UNKNOWN]>;

/// A ring of written answers.
#[derive(Debug)]
pub(crate) struct Answers {
    ring: [Answer; CAPACITY],
    first: usize,
    len: usize,
}

#[derive(Clone, Copy, Debug)]
struct Answer {
    to: Destination,
    len: usize,
    bytes: [u8; MAX_ANSWER],
}

impl Default for Answers {
    fn default() -> Self {
        let nothing = Answer { to: Destination::Program, len: 0, bytes: [0; MAX_ANSWER] };
        Self { ring: [nothing; CAPACITY], first: 0, len: 0 }
    }
}

impl Answers {
    /// Whether there is room for another one.
    pub(crate) fn has_room(&self) -> bool {
        self.len < CAPACITY
    }

    pub(crate) fn success(&mut self, to: Arrival, transaction: TransactionId, key: &IntegrityKey) {
        let mapped: SocketAddr = to.source;
        self.push(to, |buffer| {
            let mut writer = StunWriter::new(buffer, StunClass::Success, transaction)?;
            writer.xor_mapped_address(mapped)?;
            key.sign(&mut writer)?;
            append_fingerprint(&mut writer)?;
            Ok(writer.finish())
        });
    }

    /// Refuses a request whose sender has proved to know the password.
    pub(crate) fn refuse(
        &mut self,
        to: Arrival,
        transaction: TransactionId,
        key: &IntegrityKey,
        (code, unknown): (u16, &UnknownAttributes),
    ) {
        self.push(to, |buffer| {
            let mut writer = StunWriter::new(buffer, StunClass::Error, transaction)?;
            writer.error_code(code)?;
            if !unknown.is_empty() {
                let mut types = [0; 2 * MAX_UNKNOWN];
                for (slot, kind) in types.chunks_exact_mut(2).zip(unknown) {
                    slot.copy_from_slice(&kind.to_be_bytes());
                }
                let len = types.len().min(2 * unknown.len());
                writer.attribute(attribute::UNKNOWN_ATTRIBUTES, types.get(..len).unwrap_or_default())?;
            }
            key.sign(&mut writer)?;
            append_fingerprint(&mut writer)?;
            Ok(writer.finish())
        });
    }

    /// Refuses a request of anybody, with no more octets than the request had; silently where that does not do.
    pub(crate) fn refuse_stranger(
        &mut self,
        to: Arrival,
        transaction: TransactionId,
        code: u16,
        request_len: usize,
    ) {
        self.push(to, |buffer| {
            let room = buffer.len().min(request_len);
            let buffer = buffer.get_mut(..room).ok_or(WireError::BufferFull)?;
            let mut writer = StunWriter::new(buffer, StunClass::Error, transaction)?;
            writer.error_code(code)?;
            append_fingerprint(&mut writer)?;
            Ok(writer.finish())
        });
    }

    fn push(&mut self, to: Arrival, write: impl FnOnce(&mut [u8]) -> Result<usize, WireError>) {
        let next = (self.first + self.len) % CAPACITY;
        let Some(slot) = self.ring.get_mut(next).filter(|_| self.len < CAPACITY) else {
            return;
        };
        if let Ok(len) = write(&mut slot.bytes) {
            slot.len = len;
            slot.to = to.into();
            self.len += 1;
        }
    }

    /// Copies the oldest answer out.
    pub(crate) fn pop(&mut self, buffer: &mut [u8]) -> Option<(Destination, usize)> {
        if self.len == 0 {
            return None;
        }
        let answer = self.ring.get(self.first)?;
        self.first = (self.first + 1) % CAPACITY;
        self.len -= 1;
        let bytes = answer.bytes.get(..answer.len)?;
        buffer.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some((answer.to, bytes.len()))
    }
}
