//! The numbers that objects of a Server are known by, and other random names. Must not know the objects.

use crate::queue::lock;
use std::collections::BTreeSet;
use std::sync::Mutex;
use uuid::Uuid;

/// The smallest id.
const FIRST_ID: u32 = 10_000_000;
/// How many there are: up to 99999999.
const IDS: u32 = 90_000_000;
/// SSRCs are drawn from 100000000 to 999999999.
const FIRST_SSRC: u32 = 100_000_000;
const SSRCS: u32 = 899_999_998;

/// The ids of what lives.
#[derive(Debug, Default)]
pub(super) struct Ids {
    taken: Mutex<BTreeSet<u32>>,
}

impl Ids {
    /// A random id that nobody has.
    pub(super) fn draw(&self) -> u32 {
        let mut taken = lock(&self.taken);
        loop {
            let id = FIRST_ID + random() % IDS;
            if taken.insert(id) {
                return id;
            }
        }
    }

    /// It is free again.
    pub(super) fn release(&self, id: u32) {
        lock(&self.taken).remove(&id);
    }
}

/// The last 32 bits of a random UUID are all random (RFC 9562 section 5.4).
fn random() -> u32 {
    Uuid::new_v4().as_u128() as u32
}

/// One of so many, at random; 0 of none.
pub(super) fn random_index(count: usize) -> usize {
    random() as usize % count.max(1)
}

/// Eight random characters.
pub(super) fn random_name() -> String {
    format!("{:08x}", random())
}

/// An SSRC whose successor is one too.
pub(super) fn random_ssrc() -> u32 {
    FIRST_SSRC + random() % SSRCS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_of_eight_digits_and_nobody_elses_until_they_are_released() {
        let ids = Ids::default();
        let drawn: BTreeSet<u32> = (0..10_000).map(|_| ids.draw()).collect();
        assert_eq!(drawn.len(), 10_000);
        assert!(drawn.iter().all(|id| (10_000_000..=99_999_999).contains(id)));
        let released = *drawn.first().unwrap();
        ids.release(released);
        assert_eq!(lock(&ids.taken).len(), 9_999);
        assert!(lock(&ids.taken).insert(released));
    }

    #[test]
    fn names_have_eight_characters() {
        assert_eq!(random_name().len(), 8);
        assert_ne!(random_name(), random_name());
    }
}
