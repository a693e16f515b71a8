//! Bits in network order, read and written with every length checked (appendix A.8.2: `f(n)` and `ns(n)`).

/// Reads bits from high to low.
#[derive(Clone, Debug)]
pub(super) struct BitReader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> BitReader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// How many bits were read.
    pub(super) fn position(&self) -> usize {
        self.at
    }

    /// `f(n)`, `n` from 0 to 32.
    pub(super) fn bits(&mut self, n: u32) -> Option<u32> {
        let mut value = 0u64;
        for _ in 0..n {
            let &octet = self.bytes.get(self.at / 8)?;
            value = value << 1 | u64::from(octet >> (7 - self.at % 8) & 1);
            self.at += 1;
        }
        u32::try_from(value).ok()
    }

    pub(super) fn flag(&mut self) -> Option<bool> {
        Some(self.bits(1)? != 0)
    }

    /// `f(n)` of at most 8 bits.
    pub(super) fn octet(&mut self, n: u32) -> Option<u8> {
        u8::try_from(self.bits(n)?).ok()
    }

    /// `ns(n)`: 0 to `n` - 1, `n` from 1 to 255.
    pub(super) fn non_symmetric(&mut self, n: u8) -> Option<u8> {
        let n = u32::from(n);
        let width = u32::BITS - n.leading_zeros();
        let short = (1 << width) - n;
        let value = self.bits(width.checked_sub(1)?)?;
        let value = if value < short { value } else { (value << 1) - short + self.bits(1)? };
        u8::try_from(value).ok()
    }
}

/// Writes bits from high to low into zeroed octets.
#[derive(Debug)]
pub(super) struct BitWriter<'b> {
    bytes: &'b mut [u8],
    at: usize,
}

impl<'b> BitWriter<'b> {
    pub(super) fn new(bytes: &'b mut [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// The low `n` bits of `value`, `n` from 0 to 32. `None` if the buffer is full or the value is wider.
    pub(super) fn bits(&mut self, n: u32, value: u32) -> Option<()> {
        if u64::from(value) >> n != 0 {
            return None;
        }
        for i in (0..n).rev() {
            let octet = self.bytes.get_mut(self.at / 8)?;
            let shift = 7 - self.at % 8;
            *octet = *octet & !(1 << shift) | ((value >> i & 1) as u8) << shift;
            self.at += 1;
        }
        Some(())
    }

    pub(super) fn flag(&mut self, value: bool) -> Option<()> {
        self.bits(1, u32::from(value))
    }

    /// The next `n` bits of a reader, however many.
    pub(super) fn copy(&mut self, reader: &mut BitReader<'_>, n: usize) -> Option<()> {
        for _ in 0..n / 32 {
            self.bits(32, reader.bits(32)?)?;
        }
        let rest = (n % 32) as u32;
        self.bits(rest, reader.bits(rest)?)
    }

    /// `ns(n)` of `value`, which is less than `n`.
    pub(super) fn non_symmetric(&mut self, n: u8, value: u8) -> Option<()> {
        if value >= n {
            return None;
        }
        let (n, value) = (u32::from(n), u32::from(value));
        let width = u32::BITS - n.leading_zeros();
        let short = (1 << width) - n;
        if value < short { self.bits(width - 1, value) } else { self.bits(width, value + short) }
    }

    /// Zeroes the rest of the last octet and says how many octets were begun.
    pub(super) fn finish(mut self) -> Option<usize> {
        while !self.at.is_multiple_of(8) {
            self.flag(false)?;
        }
        Some(self.at / 8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn non_symmetric_codes_of_five() {
        // The table in appendix A.8.2: 00, 01, 10, 110, 111.
        let mut reader = BitReader::new(&[0b0001_1011, 0b0111_0000]);
        let values: Vec<_> = (0..5).map(|_| reader.non_symmetric(5)).collect();
        assert_eq!(values, [0, 1, 2, 3, 4].map(Some));
        let mut out = [0xff; 2];
        let mut writer = BitWriter::new(&mut out);
        for value in 0..5 {
            writer.non_symmetric(5, value).expect("room");
        }
        assert_eq!(writer.finish(), Some(2));
        assert_eq!(out, [0b0001_1011, 0b0111_0000]);
    }

    #[test]
    fn one_value_takes_no_bits() {
        assert_eq!(BitReader::new(&[]).non_symmetric(1), Some(0));
        assert_eq!(BitWriter::new(&mut []).non_symmetric(1, 0), Some(()));
        assert_eq!(BitReader::new(&[]).non_symmetric(0), None);
    }

    #[test]
    fn a_full_buffer_is_refused() {
        let mut out = [0; 1];
        let mut writer = BitWriter::new(&mut out);
        assert_eq!(writer.bits(8, 0x5a), Some(()));
        assert_eq!(writer.bits(1, 0), None);
        assert_eq!(BitWriter::new(&mut [0; 4]).bits(3, 8), None);
        assert_eq!(BitReader::new(&[0x80]).bits(9), None);
    }
}
