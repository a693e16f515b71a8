//! H.264 payloads (RFC 6184): single NAL units, STAP-A and FU-A.

use crate::octets::u16_at;

const IDR: u8 = 5;
const SPS: u8 = 7;
const STAP_A: u8 = 24;
const FU_A: u8 = 28;
const FU_B: u8 = 29;

/// How the payload carries NAL units (RFC 6184 section 5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Packetization {
    /// One NAL unit.
    Single,
    /// Several NAL units of one time.
    StapA,
    /// A fragment of a NAL unit.
    FuA {
        /// S: the first fragment.
        start: bool,
        /// E: the last fragment.
        end: bool,
    },
    /// A form of the interleaved mode (STAP-B, MTAP, FU-B), which WebRTC does not use.
    Interleaved,
}

/// What the payload's headers say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Descriptor {
    /// How NAL units are carried.
    pub packetization: Packetization,
    /// Bit n is set if a NAL unit of type n starts here, or is continued here.
    pub nal_types: u32,
    /// NRI: importance, 0 to 3.
    pub ref_idc: u8,
}

impl Descriptor {
    /// Reads the headers; `None` if a length inside of the payload is wrong or a type is not a NAL unit's.
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let &head = payload.first()?;
        let (packetization, nal_types) = match head & 0x1f {
            0 | 30 | 31 => return None,
            STAP_A => (Packetization::StapA, stap_a_types(payload)?),
            FU_A => {
                let &fu = payload.get(1)?;
                // Section 5.8: start and end are never both set.
                if fu & 0xc0 == 0xc0 {
                    return None;
                }
                (Packetization::FuA { start: fu & 0x80 != 0, end: fu & 0x40 != 0 }, 1 << (fu & 0x1f))
            }
            25..=27 | FU_B => (Packetization::Interleaved, 0),
            nal_type => (Packetization::Single, 1 << nal_type),
        };
        Some(Self { packetization, nal_types, ref_idc: head >> 5 & 3 })
    }

    /// Whether a NAL unit of this type (0 to 31) starts or goes on here.
    #[inline]
    pub fn has_nal_type(&self, nal_type: u8) -> bool {
        self.nal_types >> (nal_type & 0x1f) & 1 != 0
    }

    /// Starts a NAL unit: anything but the later fragments of a fragmentation unit.
    #[inline]
    pub fn starts_nal_unit(&self) -> bool {
        !matches!(self.packetization, Packetization::FuA { start: false, .. })
    }

    /// A sequence parameter set or an IDR slice starts here.
    #[inline]
    pub fn is_key_frame(&self) -> bool {
        self.starts_nal_unit() && (self.has_nal_type(SPS) || self.has_nal_type(IDR))
    }
}

fn stap_a_types(payload: &[u8]) -> Option<u32> {
    let mut units = AggregatedUnits::new(payload.get(1..)?);
    let mut types = 0;
    for unit in units.by_ref() {
        types |= 1 << (unit.first()? & 0x1f);
    }
    (units.is_complete() && types != 0).then_some(types)
}

/// The NAL units of a STAP-A: each behind a 16-bit length (RFC 6184 section 5.7.1).
#[derive(Clone, Debug)]
pub struct AggregatedUnits<'a> {
    rest: &'a [u8],
}

impl<'a> AggregatedUnits<'a> {
    /// `rest` follows the STAP-A's own octet.
    pub(super) fn new(rest: &'a [u8]) -> Self {
        Self { rest }
    }

    /// Whether nothing was left over.
    pub(super) fn is_complete(&self) -> bool {
        self.rest.is_empty()
    }
}

impl<'a> Iterator for AggregatedUnits<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let len = usize::from(u16_at(self.rest, 0)?);
        let unit = self.rest.get(2..2 + len).filter(|unit| !unit.is_empty())?;
        self.rest = self.rest.get(2 + len..)?;
        Some(unit)
    }
}

/// The NAL units that lie whole in `payload`: one of a single NAL unit packet, all of a STAP-A, none of a fragment.
pub fn nal_units(payload: &[u8]) -> impl Iterator<Item = &[u8]> + Clone {
    let kind = payload.first().map_or(0, |head| head & 0x1f);
    let single = matches!(kind, 1..=23).then_some(payload);
    let aggregated = if kind == STAP_A { payload.get(1..).unwrap_or_default() } else { &[] };
    single.into_iter().chain(AggregatedUnits::new(aggregated))
}

/// A piece of a NAL unit (RFC 6184 section 5.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fragment<'a> {
    /// The header octet of the NAL unit that the fragments make up.
    pub nal_header: u8,
    /// S: the first fragment.
    pub start: bool,
    /// E: the last fragment.
    pub end: bool,
    /// The piece, without the NAL unit's header.
    pub data: &'a [u8],
}

/// Reads an FU-A; `None` on other payloads and broken ones.
pub fn fragment(payload: &[u8]) -> Option<Fragment<'_>> {
    let Packetization::FuA { start, end } = Descriptor::parse(payload)?.packetization else { return None };
    let (&[indicator, fu], data) = payload.split_first_chunk()?;
    Some(Fragment { nal_header: indicator & 0xe0 | fu & 0x1f, start, end, data })
}

#[cfg(test)]
mod tests {
    use super::*;
    use hex_literal::hex;

    fn key(payload: &[u8]) -> Option<bool> {
        Descriptor::parse(payload).map(|d| d.is_key_frame())
    }

    #[test]
    fn key_frames_by_packetization() {
        assert_eq!(key(&hex!("67 42 00 1f")), Some(true), "SPS");
        assert_eq!(key(&hex!("65 88")), Some(true), "IDR");
        assert_eq!(key(&hex!("41 9a")), Some(false), "non-IDR slice");
        assert_eq!(key(&hex!("78 0002 67 42 0002 68 ce")), Some(true), "STAP-A with SPS and PPS");
        assert_eq!(key(&hex!("78 0002 41 9a")), Some(false), "STAP-A without");
        assert_eq!(key(&hex!("7c 85 88")), Some(true), "FU-A start of an IDR");
        assert_eq!(key(&hex!("7c 05 88")), Some(false), "FU-A middle of an IDR");
        assert_eq!(key(&hex!("7c 81 88")), Some(false), "FU-A start of a slice");
    }

    #[test]
    fn broken_payloads_are_refused() {
        for payload in [
            &hex!("")[..],
            &hex!("7c"),
            &hex!("7c c5"),
            &hex!("78"),
            &hex!("78 0003 67 42"),
            &hex!("78 0000"),
        ] {
            assert_eq!(Descriptor::parse(payload), None, "{payload:02x?}");
        }
        assert_eq!(key(&hex!("78 0002 67 42 00")), None, "a lone octet behind the last unit");
    }

    #[test]
    fn units_and_fragments_come_apart() {
        let stap = hex!("78 0002 67 42 0003 68 ce 3c");
        let mut units = nal_units(&stap);
        assert_eq!(units.next(), Some(&hex!("67 42")[..]));
        assert_eq!(units.next(), Some(&hex!("68 ce 3c")[..]));
        assert_eq!(units.next(), None);
        let single = hex!("65 88");
        assert_eq!(nal_units(&single).count(), 1);
        let fu = hex!("7c 45 01 02");
        assert_eq!(nal_units(&fu).count(), 0);
        let piece = fragment(&fu).expect("an FU-A");
        assert_eq!((piece.nal_header, piece.start, piece.end, piece.data), (0x65, false, true, &fu[2..]));
        assert_eq!(fragment(&single), None);
    }
}
