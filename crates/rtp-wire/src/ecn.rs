//! The mark that routers leave in a packet's IP header (RFC 3168 section 5). Must not know how it is read or set.

/// The two bits of Explicit Congestion Notification.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Ecn {
    /// Not capable, or nothing was said: the default.
    #[default]
    NotCapable,
    /// ECT(1): of an L4S sender (RFC 9331).
    Capable1,
    /// ECT(0).
    Capable0,
    /// A queue on the way marked it.
    CongestionExperienced,
}

impl Ecn {
    /// From the two bits of the header; higher bits are ignored.
    pub const fn from_bits(bits: u8) -> Self {
        match bits & 3 {
            0 => Self::NotCapable,
            1 => Self::Capable1,
            2 => Self::Capable0,
            _ => Self::CongestionExperienced,
        }
    }

    /// The two bits of the header.
    pub const fn bits(self) -> u8 {
        match self {
            Self::NotCapable => 0,
            Self::Capable1 => 1,
            Self::Capable0 => 2,
            Self::CongestionExperienced => 3,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Ecn;

    #[test]
    fn bits_are_those_of_the_header() {
        for bits in 0..=255 {
            assert_eq!(Ecn::from_bits(bits).bits(), bits & 3);
        }
        assert_eq!(Ecn::from_bits(1), Ecn::Capable1);
    }
}
