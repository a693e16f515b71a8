//! What a forwarder changes in a descriptor: the frame number, and the mask of active decode targets. All else stays as it was, bit for
//! bit. Must not know why something changes.

use super::bits::{BitReader, BitWriter};
use super::structure::TemplateStructure;

/// Where the mask of active decode targets of a descriptor is, or would be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MaskPlace {
    /// Bits in front of it, the three mandatory octets included.
    at: usize,
    /// Bits of the mask: a decode target each.
    width: u8,
    /// The descriptor brings a structure.
    has_structure: bool,
    /// What the descriptor says itself, if it does.
    mask: Option<u32>,
}

/// Whether a descriptor brings a structure or a mask: whether it says anything of the targets that are active.
#[inline]
pub fn tells_of_targets(value: &[u8]) -> bool {
    value.get(3).is_some_and(|flags| flags & 0xc0 != 0)
}

/// Adds to the frame number, modulo 2^16. Nothing happens to a value under three octets.
#[inline]
pub fn add_to_frame_number(value: &mut [u8], offset: u16) {
    if let [_, high, low, ..] = value {
        [*high, *low] = u16::from_be_bytes([*high, *low]).wrapping_add(offset).to_be_bytes();
    }
}

impl MaskPlace {
    /// Finds the place. `decode_targets` is their number in the structure that the descriptor refers to, 1 to 32; one that brings a
    /// structure goes by its own. `None` if the descriptor ends early, or if the number is out of range.
    pub fn find(value: &[u8], decode_targets: u8) -> Option<Self> {
        let mut reader = BitReader::new(value);
        reader.bits(24)?;
        let (mut has_structure, mut has_mask) = (false, false);
        let mut width = decode_targets;
        if value.len() > 3 {
            (has_structure, has_mask) = (reader.flag()?, reader.flag()?);
            reader.bits(3)?;
        }
        if has_structure {
            width = TemplateStructure::read(&mut reader)?.decode_target_count();
        }
        if !(1..=32).contains(&width) {
            return None;
        }
        let at = reader.position();
        let mask = if has_mask { Some(reader.bits(width.into())?) } else { None };
        Some(Self { at, width, has_structure, mask })
    }

    /// Which targets are active by this descriptor: all of a structure that comes without a mask. `None` leaves it as it was.
    pub fn active(&self) -> Option<u32> {
        let all = || u32::MAX >> (32 - u32::from(self.width));
        self.mask.or_else(|| self.has_structure.then(all))
    }

    /// Copies the descriptor that the place was found in to `out`, with this mask in the place of its own, or inserted. Says how
    /// many octets that takes: up to five more than it had. `None` (`out` undefined) if `out` is too short, or if the mask has bits for
    /// targets that there are not.
    pub fn write(&self, value: &[u8], mask: u32, out: &mut [u8]) -> Option<usize> {
        let mut reader = BitReader::new(value);
        let mut writer = BitWriter::new(out);
        writer.copy(&mut reader, 24)?;
        // Five flags: structure, mask, own indications, own references, own chains.
        let flags = if value.len() > 3 { reader.bits(5)? } else { 0 };
        writer.bits(5, flags | 0b01000)?;
        writer.copy(&mut reader, self.at.saturating_sub(29))?;
        writer.bits(self.width.into(), mask)?;
        if self.mask.is_some() {
            reader.bits(self.width.into())?;
        }
        let rest = (8 * value.len()).checked_sub(reader.position())?;
        writer.copy(&mut reader, rest)?;
        writer.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dependency_descriptor::{
        DecodeTargetIndication, DecodeTargetIndications, DependencyDescriptor, Fdiffs, FrameDependencies,
        MandatoryFields, Template,
    };

    fn structure() -> TemplateStructure {
        let indications = DecodeTargetIndications::default().with(0, DecodeTargetIndication::Switch);
        let template = |temporal_id| Template { temporal_id, indications, ..Template::default() };
        let mut resolutions = [(0, 0); 8];
        resolutions[0] = (639, 359);
        TemplateStructure::new(60, 3, &[template(0), template(1)], 1, &[0; 3], Some(resolutions))
            .expect("a structure")
    }

    fn descriptor(has_structure: bool, mask: Option<u32>, own: bool) -> DependencyDescriptor {
        let structure = structure();
        let mut frame = FrameDependencies::of_template(structure.template(61).expect("a template"));
        if own {
            frame.fdiffs = Fdiffs::new(&[1, 300]).expect("few");
            frame.chain_fdiffs[0] = 200;
            frame.indications = frame.indications.with(2, DecodeTargetIndication::Discardable);
        }
        let mandatory = MandatoryFields {
            start_of_frame: true,
            end_of_frame: false,
            template_id: 61,
            frame_number: 65_535,
        };
        DependencyDescriptor { mandatory, has_structure, active_decode_targets: mask, frame }
    }

    #[test]
    fn a_mask_is_inserted_or_replaced_and_nothing_else_changes() {
        for (has_structure, mask, own) in [
            (false, None, false),
            (false, None, true),
            (false, Some(0b111), false),
            (false, Some(0b101), true),
            (true, None, false),
            (true, Some(0b110), true),
        ] {
            let before = descriptor(has_structure, mask, own);
            let mut bytes = [0; 200];
            let len = before.write(&structure(), &mut bytes).expect("room");
            let value = &bytes[..len];
            assert_eq!(tells_of_targets(value), has_structure || mask.is_some());
            let place = MaskPlace::find(value, 3).expect("a place");
            assert_eq!(place.active(), mask.or(has_structure.then_some(0b111)));
            let mut out = [0xff; 205];
            let len = place.write(value, 0b010, &mut out).expect("room");
            assert!(len <= value.len() + usize::from(mask.is_none()), "three bits, and five of flags");
            let mut found = if has_structure { TemplateStructure::default() } else { structure() };
            let after = DependencyDescriptor::parse(&out[..len], &mut found).expect("it reads");
            assert_eq!(after, DependencyDescriptor { active_decode_targets: Some(0b010), ..before });
            assert!(found == structure(), "the structure stays");
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let value = [0xc1, 0x12, 0x34];
        let place = MaskPlace::find(&value, 9).expect("a place");
        assert_eq!(place.write(&value, 0x1ff, &mut [0; 5]), Some(5));
        assert_eq!(place.write(&value, 0x1ff, &mut [0; 4]), None);
        assert_eq!(place.write(&value, 0x200, &mut [0; 5]), None, "a target that there is not");
        assert_eq!(MaskPlace::find(&value, 0), None);
        assert_eq!(MaskPlace::find(&value, 33), None);
        assert_eq!(MaskPlace::find(&value[..2], 3), None);
        assert_eq!(MaskPlace::find(&[0xc1, 0x12, 0x34, 0x40], 9), None, "it ends within its mask");
        let widest = MaskPlace::find(&value, 32).expect("a place");
        assert_eq!(widest.write(&value, u32::MAX, &mut [0; 8]), Some(8));
    }

    #[test]
    fn frame_numbers_wrap() {
        let mut value = [0xc1, 0xff, 0xff, 0x80];
        add_to_frame_number(&mut value, 2);
        assert_eq!(value, [0xc1, 0x00, 0x01, 0x80]);
        let mut short = [0xc1, 0xff];
        add_to_frame_number(&mut short, 2);
        assert_eq!(short, [0xc1, 0xff]);
    }
}
