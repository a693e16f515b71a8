//! H.265 payloads (RFC 7798): single NAL units, aggregation packets and fragmentation units, without DONL fields
//! (sprop-max-don-diff is 0 in WebRTC).

use super::h264::AggregatedUnits;

const IRAP: core::ops::RangeInclusive<u8> = 16..=23;
const VPS: u8 = 32;
const SPS: u8 = 33;
const PPS: u8 = 34;
const AP: u8 = 48;
const FU: u8 = 49;
const PACI: u8 = 50;

/// How the payload carries NAL units (RFC 7798 section 4.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Packetization {
    /// One NAL unit.
    Single,
    /// Several NAL units of one time.
    Aggregation,
    /// A fragment of a NAL unit.
    Fragmentation {
        /// S: the first fragment.
        start: bool,
        /// E: the last fragment.
        end: bool,
    },
    /// A payload with content information (section 4.4.4); not looked into.
    Paci,
}

/// What the payload's headers say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Descriptor {
    /// How NAL units are carried.
    pub packetization: Packetization,
    /// Bit n is set if a NAL unit of type n starts here, or is continued here.
    pub nal_types: u64,
    /// LayerId, 0 to 63.
    pub layer_id: u8,
    /// TID: the temporal layer, 0 to 6.
    pub temporal_layer: u8,
}

impl Descriptor {
    /// Reads the headers; `None` if a length inside of the payload is wrong or the temporal id is zero.
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let (&[high, low], rest) = payload.split_first_chunk()?;
        let (packetization, nal_types) = match nal_type(high) {
            AP => (Packetization::Aggregation, aggregated_types(rest)?),
            FU => {
                let &fu = rest.first()?;
                // Section 4.4.3: start and end are never both set.
                if fu & 0xc0 == 0xc0 {
                    return None;
                }
                (
                    Packetization::Fragmentation { start: fu & 0x80 != 0, end: fu & 0x40 != 0 },
                    1 << (fu & 0x3f),
                )
            }
            PACI => (Packetization::Paci, 0),
            kind if kind > PACI => return None,
            kind => (Packetization::Single, 1 << kind),
        };
        let temporal_layer = (low & 0x07).checked_sub(1)?;
        Some(Self { packetization, nal_types, layer_id: (high & 1) << 5 | low >> 3, temporal_layer })
    }

    /// Whether a NAL unit of this type (0 to 63) starts or goes on here.
    #[inline]
    pub fn has_nal_type(&self, nal_type: u8) -> bool {
        self.nal_types >> (nal_type & 0x3f) & 1 != 0
    }

    /// Starts a NAL unit: anything but the later fragments of a fragmentation unit.
    #[inline]
    pub fn starts_nal_unit(&self) -> bool {
        !matches!(self.packetization, Packetization::Fragmentation { start: false, .. })
    }

    /// A parameter set or a slice of an intra random access point starts here.
    #[inline]
    pub fn is_key_frame(&self) -> bool {
        self.starts_nal_unit() && IRAP.chain([VPS, SPS, PPS]).any(|kind| self.has_nal_type(kind))
    }
}

/// The type in the first octet of a NAL unit header (section 1.1.4).
const fn nal_type(high: u8) -> u8 {
    high >> 1 & 0x3f
}

fn aggregated_types(rest: &[u8]) -> Option<u64> {
    let mut units = AggregatedUnits::new(rest);
    let mut types = 0;
    for unit in units.by_ref() {
        types |= 1 << nal_type(unit.first_chunk::<2>()?[0]);
    }
    (units.is_complete() && types != 0).then_some(types)
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
        assert_eq!(key(&hex!("40 01 0c")), Some(true), "VPS");
        assert_eq!(key(&hex!("42 01 01")), Some(true), "SPS");
        assert_eq!(key(&hex!("44 01 c0")), Some(true), "PPS");
        assert_eq!(key(&hex!("26 01 af")), Some(true), "IDR_W_RADL");
        assert_eq!(key(&hex!("02 01 d0")), Some(false), "TRAIL_R");
        assert_eq!(key(&hex!("60 01 0003 40 01 0c 0003 42 01 01")), Some(true), "AP");
        assert_eq!(key(&hex!("62 01 93 af")), Some(true), "FU start of an IDR");
        assert_eq!(key(&hex!("62 01 13 af")), Some(false), "FU middle of an IDR");
    }

    #[test]
    fn layers_are_read() {
        let d = Descriptor::parse(&hex!("03 1b d0")).expect("valid");
        assert_eq!((d.layer_id, d.temporal_layer), (35, 2));
    }

    #[test]
    fn broken_payloads_are_refused() {
        for payload in [
            &hex!("")[..],
            &hex!("40"),
            &hex!("40 00 0c"),
            &hex!("62 01"),
            &hex!("62 01 d3"),
            &hex!("60 01 0004 40 01 0c"),
            &hex!("60 01 0001 40"),
            &hex!("66 01 00"),
        ] {
            assert_eq!(Descriptor::parse(payload), None, "{payload:02x?}");
        }
    }
}
