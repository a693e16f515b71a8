//! A set of payload types (RFC 3550 section 5.1: seven bits).

use crate::MAX_PAYLOAD_TYPE;

/// Which payload types are taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct PayloadTypes(u128);

/// Why a payload type was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    OutOfRange,
    Duplicate,
}

impl PayloadTypes {
    pub(crate) fn take(&mut self, payload_type: u8) -> Result<(), Refused> {
        if payload_type > MAX_PAYLOAD_TYPE {
            return Err(Refused::OutOfRange);
        }
        if self.contains(payload_type) {
            return Err(Refused::Duplicate);
        }
        self.0 |= 1 << payload_type;
        Ok(())
    }

    pub(crate) fn contains(self, payload_type: u8) -> bool {
        payload_type <= MAX_PAYLOAD_TYPE && self.0 & (1 << payload_type) != 0
    }

    /// Takes the first of `pool` that is free.
    pub(crate) fn take_first_free(&mut self, pool: &[u8]) -> Option<u8> {
        let free = pool.iter().copied().find(|payload_type| !self.contains(*payload_type))?;
        self.take(free).ok().map(|()| free)
    }
}
