//! One descriptor: its mandatory fields, and what they mean under a structure.

use super::bits::{BitReader, BitWriter};
use super::structure::{Fdiffs, Template, TemplateStructure, read_indications, write_indications};
use super::{DecodeTargetIndications, MAX_CHAINS};
use crate::WireError;
use crate::octets::chunk_at;

/// The three octets that every descriptor starts with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MandatoryFields {
    /// The first packet of a frame.
    pub start_of_frame: bool,
    /// The last packet of a frame.
    pub end_of_frame: bool,
    /// 0 to 63.
    pub template_id: u8,
    /// In decode order, wrapping at 65536.
    pub frame_number: u16,
}

impl MandatoryFields {
    /// Reads the fields without a structure; `None` under three octets.
    #[inline]
    pub fn parse(value: &[u8]) -> Option<Self> {
        let &[first, high, low] = chunk_at(value, 0)?;
        Some(Self {
            start_of_frame: first & 0x80 != 0,
            end_of_frame: first & 0x40 != 0,
            template_id: first & 0x3f,
            frame_number: u16::from_be_bytes([high, low]),
        })
    }
}

/// What one frame is and needs, its template's values or its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FrameDependencies {
    /// Spatial layer.
    pub spatial_id: u8,
    /// Temporal layer.
    pub temporal_id: u8,
    /// What the frame is to each decode target.
    pub indications: DecodeTargetIndications,
    /// The frames that the frame refers to, 1 to 4096 each.
    pub fdiffs: Fdiffs,
    /// For each chain the distance to its frame before, 0 to 255; 0 if the chain starts here.
    pub chain_fdiffs: [u8; MAX_CHAINS],
}

impl FrameDependencies {
    /// What a frame is and needs that says no more than its template.
    pub fn of_template(template: &Template) -> Self {
        Self {
            spatial_id: template.spatial_id,
            temporal_id: template.temporal_id,
            indications: template.indications,
            fdiffs: template.fdiffs,
            chain_fdiffs: template.chain_fdiffs,
        }
    }
}

/// A whole descriptor, resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DependencyDescriptor {
    /// The first three octets.
    pub mandatory: MandatoryFields,
    /// The packet brought a structure: it starts a coded video sequence.
    pub has_structure: bool,
    /// Which decode targets are produced from here on, bit i for target i; `None` leaves it as it was.
    pub active_decode_targets: Option<u32>,
    /// What the frame is and needs.
    pub frame: FrameDependencies,
}

/// The five flags behind the mandatory fields.
#[derive(Clone, Copy, Debug, Default)]
struct ExtendedFlags {
    structure: bool,
    active_decode_targets: bool,
    indications: bool,
    fdiffs: bool,
    chains: bool,
}

impl DependencyDescriptor {
    /// Reads a descriptor and resolves it with `structure`, which is replaced if the descriptor brings another. On an
    /// error `structure` stays as it was.
    ///
    /// # Errors
    /// `Truncated` if the value ends early or exceeds this module's capacities; `UnknownTemplate` if the structure that
    /// the descriptor refers to was not seen.
    pub fn parse(value: &[u8], structure: &mut TemplateStructure) -> Result<Self, WireError> {
        let mandatory = MandatoryFields::parse(value).ok_or(WireError::Truncated)?;
        let mut reader = BitReader::new(value.get(3..).unwrap_or_default());
        let flags = if value.len() > 3 { read_flags(&mut reader) } else { Some(ExtendedFlags::default()) };
        let flags = flags.ok_or(WireError::Truncated)?;
        if !flags.structure {
            return Self::resolve(mandatory, flags, &mut reader, structure);
        }
        let brought = TemplateStructure::read(&mut reader).ok_or(WireError::Truncated)?;
        let descriptor = Self::resolve(mandatory, flags, &mut reader, &brought)?;
        *structure = brought;
        Ok(descriptor)
    }

    fn resolve(
        mandatory: MandatoryFields,
        flags: ExtendedFlags,
        reader: &mut BitReader<'_>,
        structure: &TemplateStructure,
    ) -> Result<Self, WireError> {
        let template = structure.template(mandatory.template_id).ok_or(WireError::UnknownTemplate)?;
        let mut frame = FrameDependencies::of_template(template);
        let active_decode_targets =
            read_customs(reader, flags, structure, &mut frame).ok_or(WireError::Truncated)?;
        Ok(Self { mandatory, has_structure: flags.structure, active_decode_targets, frame })
    }

    /// Writes the descriptor into `out` and says how many octets it took: the shortest form that says the same, with
    /// `structure` in it if [`has_structure`](Self::has_structure) is set.
    ///
    /// `None` (`out` undefined) if `out` is too short, if the descriptor names no template of `structure`, or if a value
    /// does not fit its field.
    pub fn write(&self, structure: &TemplateStructure, out: &mut [u8]) -> Option<usize> {
        let template = structure.template(self.mandatory.template_id)?;
        let frame = &self.frame;
        let chains = usize::from(structure.chain_count());
        let implied = self.has_structure.then(|| structure.all_decode_targets());
        let flags = ExtendedFlags {
            structure: self.has_structure,
            active_decode_targets: self.active_decode_targets.is_some()
                && self.active_decode_targets != implied,
            indications: frame.indications != template.indications,
            fdiffs: frame.fdiffs != template.fdiffs,
            chains: frame.chain_fdiffs.get(..chains)? != template.chain_fdiffs.get(..chains)?,
        };
        let mut writer = BitWriter::new(out);
        writer.flag(self.mandatory.start_of_frame)?;
        writer.flag(self.mandatory.end_of_frame)?;
        writer.bits(6, u32::from(self.mandatory.template_id))?;
        writer.bits(16, u32::from(self.mandatory.frame_number))?;
        let all =
            [flags.structure, flags.active_decode_targets, flags.indications, flags.fdiffs, flags.chains];
        if all.contains(&true) {
            for flag in all {
                writer.flag(flag)?;
            }
        }
        if flags.structure {
            structure.write(&mut writer)?;
        }
        if flags.active_decode_targets {
            writer.bits(u32::from(structure.decode_target_count()), self.active_decode_targets?)?;
        }
        if flags.indications {
            write_indications(&mut writer, frame.indications, usize::from(structure.decode_target_count()))?;
        }
        if flags.fdiffs {
            write_fdiffs(&mut writer, &frame.fdiffs)?;
        }
        if flags.chains {
            for &fdiff in frame.chain_fdiffs.get(..chains)? {
                writer.bits(8, u32::from(fdiff))?;
            }
        }
        writer.finish()
    }
}

fn read_flags(reader: &mut BitReader<'_>) -> Option<ExtendedFlags> {
    Some(ExtendedFlags {
        structure: reader.flag()?,
        active_decode_targets: reader.flag()?,
        indications: reader.flag()?,
        fdiffs: reader.flag()?,
        chains: reader.flag()?,
    })
}

/// What follows the structure: the mask of active decode targets (the result), then the frame's own values.
fn read_customs(
    reader: &mut BitReader<'_>,
    flags: ExtendedFlags,
    structure: &TemplateStructure,
    frame: &mut FrameDependencies,
) -> Option<Option<u32>> {
    let mut active = flags.structure.then(|| structure.all_decode_targets());
    if flags.active_decode_targets {
        active = Some(reader.bits(u32::from(structure.decode_target_count()))?);
    }
    if flags.indications {
        frame.indications = read_indications(reader, usize::from(structure.decode_target_count()))?;
    }
    if flags.fdiffs {
        frame.fdiffs = read_fdiffs(reader)?;
    }
    if flags.chains {
        for fdiff in frame.chain_fdiffs.iter_mut().take(usize::from(structure.chain_count())) {
            *fdiff = reader.octet(8)?;
        }
    }
    Some(active)
}

/// `frame_fdiffs()`.
fn read_fdiffs(reader: &mut BitReader<'_>) -> Option<Fdiffs> {
    let mut fdiffs = Fdiffs::default();
    loop {
        match reader.bits(2)? {
            0 => return Some(fdiffs),
            size => fdiffs.push(u16::try_from(reader.bits(4 * size)? + 1).ok()?)?,
        }
    }
}

fn write_fdiffs(writer: &mut BitWriter<'_>, fdiffs: &Fdiffs) -> Option<()> {
    for &fdiff in fdiffs.as_slice() {
        let value = u32::from(fdiff.checked_sub(1)?);
        let size = match value {
            0..=0xf => 1,
            0x10..=0xff => 2,
            _ => 3,
        };
        writer.bits(2, size)?;
        writer.bits(4 * size, value)?;
    }
    writer.bits(2, 0)
}
