//! AV1 payloads: the aggregation header and the OBU elements behind it (RTP Payload Format For AV1 sections 4.4 and
//! 4.5).

const OBU_SEQUENCE_HEADER: u8 = 1;

/// What the aggregation header and the first OBU headers say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Descriptor {
    /// Z: the first element continues the last one of the packet before.
    pub continues: bool,
    /// Y: the last element goes on in the next packet.
    pub continued: bool,
    /// W: elements in the packet, the last without a length; 0 if each has a length. 0 to 3.
    pub element_count: u8,
    /// N: the first packet of a coded video sequence.
    pub new_sequence: bool,
    /// The packet holds a sequence header OBU.
    pub sequence_header: bool,
    /// spatial_id of the first OBU here that carries one, 0 to 3.
    pub spatial_layer: u8,
    /// temporal_id of the first OBU here that carries one, 0 to 7.
    pub temporal_layer: u8,
}

impl Descriptor {
    /// Reads the headers; `None` if a length inside of the payload is wrong or N stands with Z.
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let (&head, rest) = payload.split_first()?;
        let mut descriptor = Self {
            continues: head & 0x80 != 0,
            continued: head & 0x40 != 0,
            element_count: head >> 4 & 3,
            new_sequence: head & 0x08 != 0,
            sequence_header: false,
            spatial_layer: 0,
            temporal_layer: 0,
        };
        // Section 4.4: Z is 0 where N is 1.
        if descriptor.continues && descriptor.new_sequence {
            return None;
        }
        let mut elements =
            Elements { rest, left: descriptor.element_count, counted: descriptor.element_count != 0 };
        let mut count = 0u32;
        let mut layered = false;
        for element in elements.by_ref() {
            count += 1;
            if count == 1 && descriptor.continues {
                continue;
            }
            let Some(obu) = ObuHeader::parse(element) else { continue };
            descriptor.sequence_header |= obu.obu_type == OBU_SEQUENCE_HEADER;
            if let Some((temporal, spatial)) = obu.layers.filter(|_| !layered) {
                layered = true;
                descriptor.temporal_layer = temporal;
                descriptor.spatial_layer = spatial;
            }
        }
        (elements.is_complete() && count != 0).then_some(descriptor)
    }

    /// The first packet of a coded video sequence: N set, or a sequence header in a packet that continues nothing.
    #[inline]
    pub fn is_key_frame(&self) -> bool {
        self.new_sequence || (self.sequence_header && !self.continues)
    }

    /// Whether the packet may start a frame: its first element is not a continuation. Only the dependency descriptor
    /// says so for certain.
    #[inline]
    pub fn starts_frame(&self) -> bool {
        !self.continues
    }
}

/// The header of an open bitstream unit (AV1 specification section 5.3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ObuHeader {
    /// obu_type, 0 to 15.
    pub obu_type: u8,
    /// obu_has_size_field.
    pub has_size: bool,
    /// temporal_id (0 to 7) and spatial_id (0 to 3), if the OBU has an extension header.
    pub layers: Option<(u8, u8)>,
}

impl ObuHeader {
    /// Reads the header at the start of an element that does not continue another.
    pub fn parse(element: &[u8]) -> Option<Self> {
        let &head = element.first()?;
        if head & 0x80 != 0 {
            return None;
        }
        let layers = if head & 0x04 != 0 {
            let &extension = element.get(1)?;
            Some((extension >> 5, extension >> 3 & 3))
        } else {
            None
        };
        Some(Self { obu_type: head >> 3 & 0x0f, has_size: head & 0x02 != 0, layers })
    }
}

/// The OBU elements of a payload: whole OBUs, or pieces of them at either end.
#[derive(Clone, Debug)]
pub struct Elements<'a> {
    rest: &'a [u8],
    left: u8,
    counted: bool,
}

impl Elements<'_> {
    fn is_complete(&self) -> bool {
        self.rest.is_empty() && self.left == 0
    }
}

/// Iterates the OBU elements of a payload; stops where a length is wrong.
pub fn elements(payload: &[u8]) -> Elements<'_> {
    let (head, rest) = payload.split_first().map_or((0, &[][..]), |(&head, rest)| (head, rest));
    let left = head >> 4 & 3;
    Elements { rest, left, counted: left != 0 }
}

impl<'a> Iterator for Elements<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        if self.rest.is_empty() || (self.counted && self.left == 0) {
            return None;
        }
        if self.left == 1 {
            self.left = 0;
            return Some(core::mem::take(&mut self.rest));
        }
        let (len, behind) = leb128(self.rest)?;
        let (element, rest) = behind.split_at_checked(usize::try_from(len).ok()?)?;
        self.left = self.left.saturating_sub(1);
        self.rest = rest;
        Some(element)
    }
}

/// An unsigned little-endian base 128 number of at most eight octets and 32 bits, and what follows it (AV1
/// specification section 4.10.5).
pub fn leb128(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let mut value = 0u64;
    for (i, &octet) in bytes.iter().enumerate().take(8) {
        value |= u64::from(octet & 0x7f) << (7 * i);
        if octet & 0x80 == 0 {
            return Some((u32::try_from(value).ok()?, bytes.get(i + 1..)?));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use hex_literal::hex;

    #[test]
    fn a_key_frame_of_two_elements() {
        // W = 2, N: sequence header of 2 octets behind its length, then a frame OBU with an extension header.
        let payload = hex!("28 02 08 00 34 50 aa bb");
        let d = Descriptor::parse(&payload).expect("valid");
        assert!(d.new_sequence && d.sequence_header && d.is_key_frame() && d.starts_frame());
        assert_eq!((d.temporal_layer, d.spatial_layer), (2, 2));
        let mut found = elements(&payload);
        assert_eq!(found.next(), Some(&hex!("08 00")[..]));
        assert_eq!(found.next(), Some(&hex!("34 50 aa bb")[..]));
        assert_eq!(found.next(), None);
    }

    #[test]
    fn without_a_count_each_element_has_a_length() {
        let d = Descriptor::parse(&hex!("00 02 30 aa 03 30 bb cc")).expect("valid");
        assert!(!d.is_key_frame());
        assert_eq!(elements(&hex!("00 02 30 aa 03 30 bb cc")).count(), 2);
        assert_eq!(Descriptor::parse(&hex!("00 02 30 aa 04 30 bb cc")), None);
    }

    #[test]
    fn a_continuation_is_not_read_as_a_header() {
        let d = Descriptor::parse(&hex!("90 0a 00")).expect("valid");
        assert!(d.continues && !d.sequence_header && !d.starts_frame());
        assert_eq!(Descriptor::parse(&hex!("98 0a 00")), None, "N with Z");
    }

    #[test]
    fn broken_payloads_are_refused() {
        for payload in
            [&hex!("")[..], &hex!("10"), &hex!("00"), &hex!("30 01 30 01 30"), &hex!("00 ff ff ff ff 0f 00")]
        {
            assert_eq!(Descriptor::parse(payload), None, "{payload:02x?}");
        }
    }

    #[test]
    fn leb128_stops_at_32_bits_and_8_octets() {
        assert_eq!(leb128(&hex!("e5 8e 26")), Some((624_485, &[][..])));
        assert_eq!(leb128(&hex!("ff ff ff ff 0f 01")), Some((u32::MAX, &[1][..])));
        assert_eq!(leb128(&hex!("ff ff ff ff 1f")), None);
        assert_eq!(leb128(&hex!("81 80 80 80 80 80 80 00")), Some((1, &[][..])));
        assert_eq!(leb128(&hex!("81 80 80 80 80 80 80 80 00")), None);
    }
}
