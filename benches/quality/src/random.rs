//! Seeded random numbers for the bench. Must not know what they are for.

use rand_core::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;

/// Even draws that follow from a seed.
#[derive(Clone, Debug)]
pub(crate) struct Random(Pcg64Mcg);

impl Random {
    /// Draws of this seed.
    pub(crate) fn new(seed: u64) -> Self {
        Self(Pcg64Mcg::seed_from_u64(seed))
    }

    /// From [0, 1).
    pub(crate) fn unit(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }
}
