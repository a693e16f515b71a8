//! The VP9 payload descriptor (RFC 9628 section 4.2), flexible and non-flexible mode, scalability structure included.

use super::vp8::PictureId;

/// Spatial layers that a scalability structure can describe.
pub const MAX_SPATIAL_LAYERS: usize = 8;
/// Reference indices that one picture can have in flexible mode.
pub const MAX_REFERENCES: usize = 3;

/// The layer indices of one packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LayerIndices {
    /// TID: 0 to 7.
    pub temporal: u8,
    /// U: a receiver may switch up to this temporal layer from here.
    pub switching_up_point: bool,
    /// SID: 0 to 7.
    pub spatial: u8,
    /// D: depends on the spatial layer below in the same picture.
    pub inter_layer_dependency: bool,
    /// Only in non-flexible mode: the running index of temporal base layer pictures.
    pub tl0_pic_idx: Option<u8>,
}

/// The outline of a scalability structure (V bit).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ScalabilityStructure {
    /// N_S + 1: 1 to 8.
    pub spatial_layers: u8,
    /// Y: width and height of each spatial layer, lowest first.
    pub resolutions: Option<[(u16, u16); MAX_SPATIAL_LAYERS]>,
    /// N_G: pictures in the picture group, 0 to 255; 0 without a G bit.
    pub picture_group_len: u8,
    /// The highest temporal layer in the picture group, 0 without one.
    pub max_temporal_layer: u8,
}

/// What the descriptor says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Descriptor {
    /// I bit: the picture id.
    pub picture_id: Option<PictureId>,
    /// L bit: the layer indices.
    pub layers: Option<LayerIndices>,
    /// P: the picture refers to pictures before it.
    pub inter_picture_predicted: bool,
    /// F: the references are in the descriptor.
    pub flexible_mode: bool,
    /// B: the first packet of a layer frame.
    pub begins_frame: bool,
    /// E: the last packet of a layer frame.
    pub ends_frame: bool,
    /// Z: no layer frame of a higher spatial layer of this picture depends on this one.
    pub not_spatial_reference: bool,
    /// P_DIFF values of flexible mode, each 1 to 127; zero marks unused places.
    pub reference_differences: [u8; MAX_REFERENCES],
    /// V bit: a scalability structure.
    pub scalability: Option<ScalabilityStructure>,
    /// Octets of the descriptor.
    pub header_len: u16,
}

impl Descriptor {
    /// Reads the descriptor; `None` if it breaks the format, or if the payload ends inside of it or right behind it.
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let mut octets = Octets { payload, at: 0 };
        let first = octets.u8()?;
        let bit = |mask: u8| first & mask != 0;
        let flexible_mode = bit(0x10);
        let inter_picture_predicted = bit(0x40);
        let picture_id = if bit(0x80) { Some(octets.picture_id()?) } else { None };
        // Section 4.2: flexible mode needs a picture id.
        if flexible_mode && picture_id.is_none() {
            return None;
        }
        let layers = if bit(0x20) { Some(octets.layers(flexible_mode)?) } else { None };
        let reference_differences =
            if flexible_mode && inter_picture_predicted { octets.references()? } else { [0; MAX_REFERENCES] };
        let scalability = if bit(0x02) { Some(octets.scalability()?) } else { None };
        payload.get(octets.at)?;
        Some(Self {
            picture_id,
            layers,
            inter_picture_predicted,
            flexible_mode,
            begins_frame: bit(0x08),
            ends_frame: bit(0x04),
            not_spatial_reference: bit(0x01),
            reference_differences,
            scalability,
            header_len: u16::try_from(octets.at).ok()?,
        })
    }

    /// The first packet of a key picture: B set, P clear, lowest spatial layer, no inter-layer dependency.
    #[inline]
    pub fn is_key_frame(&self) -> bool {
        let lowest = self.layers.is_none_or(|layers| layers.spatial == 0 && !layers.inter_layer_dependency);
        self.begins_frame && !self.inter_picture_predicted && lowest
    }

    /// B: the first packet of a layer frame.
    #[inline]
    pub fn starts_frame(&self) -> bool {
        self.begins_frame
    }

    /// SID, 0 without layer indices.
    #[inline]
    pub fn spatial_layer(&self) -> u8 {
        self.layers.map_or(0, |layers| layers.spatial)
    }

    /// TID, 0 without layer indices.
    #[inline]
    pub fn temporal_layer(&self) -> u8 {
        self.layers.map_or(0, |layers| layers.temporal)
    }
}

/// Overwrites picture id and TL0PICIDX in place, where the descriptor has them; lengths stay, so a short id keeps the
/// low 7 bits. `false` (nothing written) if `payload` does not carry this descriptor.
#[must_use]
pub fn patch(payload: &mut [u8], descriptor: &Descriptor, picture_id: u16, tl0_pic_idx: u8) -> bool {
    let shape = |d: &Descriptor| {
        (d.header_len, d.picture_id.map(|id| id.long), d.layers.map(|layers| layers.tl0_pic_idx.is_some()))
    };
    if Descriptor::parse(payload).is_none_or(|found| shape(&found) != shape(descriptor)) {
        return false;
    }
    overwrite_ids(payload, descriptor, picture_id, tl0_pic_idx);
    true
}

/// As [`patch`], where the payload is known to carry the descriptor: it is not read again. In any other payload up to three of the
/// first five octets change.
#[inline]
pub fn overwrite_ids(payload: &mut [u8], descriptor: &Descriptor, picture_id: u16, tl0_pic_idx: u8) {
    // The picture id stands behind the octet of flags, TL0PICIDX behind TID, U, SID and D.
    let mut at = 1;
    if let Some(PictureId { long, .. }) = descriptor.picture_id {
        let [high, low] = (picture_id | 0x8000).to_be_bytes();
        if long {
            overwrite(payload, at, high);
            at += 1;
        }
        overwrite(payload, at, if long { low } else { low & 0x7f });
        at += 1;
    }
    if descriptor.layers.is_some_and(|layers| layers.tl0_pic_idx.is_some()) {
        overwrite(payload, at + 1, tl0_pic_idx);
    }
}

fn overwrite(payload: &mut [u8], at: usize, octet: u8) {
    if let Some(place) = payload.get_mut(at) {
        *place = octet;
    }
}

struct Octets<'a> {
    payload: &'a [u8],
    at: usize,
}

impl Octets<'_> {
    fn u8(&mut self) -> Option<u8> {
        let &octet = self.payload.get(self.at)?;
        self.at += 1;
        Some(octet)
    }

    fn u16(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes([self.u8()?, self.u8()?]))
    }

    fn picture_id(&mut self) -> Option<PictureId> {
        let octet = self.u8()?;
        Some(if octet & 0x80 == 0 {
            PictureId { value: u16::from(octet), long: false }
        } else {
            PictureId { value: u16::from_be_bytes([octet & 0x7f, self.u8()?]), long: true }
        })
    }

    fn layers(&mut self, flexible_mode: bool) -> Option<LayerIndices> {
        let octet = self.u8()?;
        Some(LayerIndices {
            temporal: octet >> 5,
            switching_up_point: octet & 0x10 != 0,
            spatial: octet >> 1 & 0x07,
            inter_layer_dependency: octet & 0x01 != 0,
            tl0_pic_idx: if flexible_mode { None } else { Some(self.u8()?) },
        })
    }

    /// P_DIFF with an N bit that announces another, at most three of them.
    fn references(&mut self) -> Option<[u8; MAX_REFERENCES]> {
        let mut differences = [0; MAX_REFERENCES];
        for difference in &mut differences {
            let octet = self.u8()?;
            *difference = octet >> 1;
            if octet & 1 == 0 {
                return Some(differences);
            }
        }
        None
    }

    fn scalability(&mut self) -> Option<ScalabilityStructure> {
        let head = self.u8()?;
        let spatial_layers = (head >> 5) + 1;
        let mut structure = ScalabilityStructure { spatial_layers, ..ScalabilityStructure::default() };
        if head & 0x10 != 0 {
            let mut resolutions = [(0, 0); MAX_SPATIAL_LAYERS];
            for resolution in resolutions.iter_mut().take(usize::from(spatial_layers)) {
                *resolution = (self.u16()?, self.u16()?);
            }
            structure.resolutions = Some(resolutions);
        }
        if head & 0x08 != 0 {
            structure.picture_group_len = self.u8()?;
            for _ in 0..structure.picture_group_len {
                let octet = self.u8()?;
                structure.max_temporal_layer = structure.max_temporal_layer.max(octet >> 5);
                for _ in 0..(octet >> 2 & 0x03) {
                    self.u8()?;
                }
            }
        }
        Some(structure)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hex_literal::hex;

    #[test]
    fn non_flexible_mode_with_a_scalability_structure() {
        // I L B V; 15-bit id 0x0102; TID 0 SID 0; TL0PICIDX 9; SS: 2 layers with sizes, group of 2.
        let payload = hex!("aa 81 02 00 09  38 0140 00b4 0280 0168 02  04 01  30  ff");
        let d = Descriptor::parse(&payload).expect("valid");
        assert_eq!(d.picture_id, Some(PictureId { value: 0x102, long: true }));
        assert_eq!(d.layers.and_then(|layers| layers.tl0_pic_idx), Some(9));
        assert!(d.is_key_frame() && d.starts_frame() && !d.ends_frame && !d.not_spatial_reference);
        let ss = d.scalability.expect("V is set");
        assert_eq!((ss.spatial_layers, ss.picture_group_len, ss.max_temporal_layer), (2, 2, 1));
        let sizes = ss.resolutions.expect("Y is set");
        assert_eq!(sizes[..2], [(320, 180), (640, 360)]);
        assert_eq!(usize::from(d.header_len), payload.len() - 1);
        for len in 0..payload.len() {
            assert_eq!(Descriptor::parse(&payload[..len]), None, "{len} octets");
        }
    }

    #[test]
    fn flexible_mode_with_references() {
        // I P L F E Z; 7-bit id 5; TID 1 U SID 2 D; P_DIFF 1, 3.
        let d = Descriptor::parse(&hex!("f5 05 35 03 06 00")).expect("valid");
        let layers = d.layers.expect("L is set");
        assert_eq!((layers.temporal, layers.spatial), (1, 2));
        assert!(layers.switching_up_point && layers.inter_layer_dependency);
        assert_eq!(layers.tl0_pic_idx, None);
        assert_eq!(d.reference_differences, [1, 3, 0]);
        assert!(!d.is_key_frame() && d.ends_frame && d.not_spatial_reference);
        assert_eq!(Descriptor::parse(&hex!("f5 05 35 03 03 03 00")), None, "a fourth reference is announced");
        assert_eq!(Descriptor::parse(&hex!("10 00")), None, "flexible mode without a picture id");
    }

    #[test]
    fn patch_keeps_lengths() {
        let mut payload = hex!("a8 05 00 09 ff");
        let d = Descriptor::parse(&payload).expect("valid");
        assert!(patch(&mut payload, &d, 0x1285, 77));
        assert_eq!(payload, hex!("a8 05 00 4d ff"));
        let mut flexible = hex!("b8 80 05 00 ff");
        let d = Descriptor::parse(&flexible).expect("valid");
        assert!(patch(&mut flexible, &d, 0x1285, 77));
        assert_eq!(flexible, hex!("b8 92 85 00 ff"));
    }
}
