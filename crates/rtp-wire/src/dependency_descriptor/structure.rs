//! The template dependency structure (appendix A.8.2), with capacities fixed and kept by the caller.

use super::bits::{BitReader, BitWriter};
use super::{
    DecodeTargetIndication, DecodeTargetIndications, MAX_CHAINS, MAX_DECODE_TARGETS, MAX_FDIFFS,
    MAX_SPATIAL_LAYERS, MAX_TEMPLATES, MAX_TEMPORAL_LAYERS,
};

/// Frame number differences to the frames that a frame refers to, at most eight.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Fdiffs {
    values: [u16; MAX_FDIFFS],
    len: u8,
}

impl Fdiffs {
    /// From 1 to 4096 each (to 16 in a template); `None` for more than eight.
    pub fn new(values: &[u16]) -> Option<Self> {
        let mut fdiffs = Self::default();
        for &value in values {
            fdiffs.push(value)?;
        }
        Some(fdiffs)
    }

    /// The differences, in wire order.
    pub fn as_slice(&self) -> &[u16] {
        self.values.get(..usize::from(self.len)).unwrap_or_default()
    }

    pub(super) fn push(&mut self, value: u16) -> Option<()> {
        *self.values.get_mut(usize::from(self.len))? = value;
        self.len += 1;
        Some(())
    }
}

/// A frame dependency template.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Template {
    /// Spatial layer, 0 to 7.
    pub spatial_id: u8,
    /// Temporal layer, 0 to 7.
    pub temporal_id: u8,
    /// What the frame is to each decode target.
    pub indications: DecodeTargetIndications,
    /// The frames that the frame refers to, 1 to 16 each.
    pub fdiffs: Fdiffs,
    /// For each chain the distance to its frame before, 0 to 15.
    pub chain_fdiffs: [u8; MAX_CHAINS],
}

/// The templates, decode targets and chains of a coded video sequence. Empty until a descriptor brought one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TemplateStructure {
    id_offset: u8,
    decode_target_count: u8,
    chain_count: u8,
    template_count: u8,
    templates: [Template; MAX_TEMPLATES],
    protected_by: [u8; MAX_DECODE_TARGETS],
    resolutions: Option<[(u16, u16); MAX_SPATIAL_LAYERS]>,
}

impl Default for TemplateStructure {
    fn default() -> Self {
        Self {
            id_offset: 0,
            decode_target_count: 0,
            chain_count: 0,
            template_count: 0,
            templates: [Template::default(); MAX_TEMPLATES],
            protected_by: [0; MAX_DECODE_TARGETS],
            resolutions: None,
        }
    }
}

impl TemplateStructure {
    /// Describes a sequence: `id_offset` 0 to 63, one to 32 decode targets, no more chains than decode targets,
    /// `protected_by` a chain for each decode target (empty without chains), templates in the order of appendix
    /// A.8.2, and the largest width and height minus one of each spatial layer. `None` where that does not hold.
    pub fn new(
        id_offset: u8,
        decode_target_count: u8,
        templates: &[Template],
        chain_count: u8,
        protected_by: &[u8],
        resolutions: Option<[(u16, u16); MAX_SPATIAL_LAYERS]>,
    ) -> Option<Self> {
        let targets = usize::from(decode_target_count);
        let expected_protection = if chain_count == 0 { 0 } else { targets };
        let fits = id_offset < 64
            && (1..=MAX_DECODE_TARGETS).contains(&targets)
            && chain_count <= decode_target_count
            && protected_by.len() == expected_protection
            && protected_by.iter().all(|&chain| chain < chain_count)
            && !templates.is_empty()
            && templates.iter().all(|template| {
                usize::from(template.spatial_id) < MAX_SPATIAL_LAYERS
                    && usize::from(template.temporal_id) < MAX_TEMPORAL_LAYERS
            });
        if !fits {
            return None;
        }
        let mut structure =
            Self { id_offset, decode_target_count, chain_count, resolutions, ..Self::default() };
        structure.protected_by.get_mut(..protected_by.len())?.copy_from_slice(protected_by);
        structure.templates.get_mut(..templates.len())?.copy_from_slice(templates);
        structure.template_count = u8::try_from(templates.len()).ok()?;
        Some(structure)
    }

    /// Nothing is known yet.
    pub fn is_empty(&self) -> bool {
        self.template_count == 0
    }

    /// The id of the first template, 0 to 63.
    pub fn id_offset(&self) -> u8 {
        self.id_offset
    }

    /// 1 to 32, 0 in an empty structure.
    pub fn decode_target_count(&self) -> u8 {
        self.decode_target_count
    }

    /// 0 to 32.
    pub fn chain_count(&self) -> u8 {
        self.chain_count
    }

    /// The templates, in wire order.
    pub fn templates(&self) -> &[Template] {
        self.templates.get(..usize::from(self.template_count)).unwrap_or_default()
    }

    /// The template that a frame_dependency_template_id names.
    pub fn template(&self, id: u8) -> Option<&Template> {
        self.templates().get(usize::from((id & 63).wrapping_sub(self.id_offset) & 63))
    }

    /// The chain that protects a decode target; `None` without chains.
    pub fn protected_by(&self, decode_target: usize) -> Option<u8> {
        if self.chain_count == 0 || decode_target >= usize::from(self.decode_target_count) {
            return None;
        }
        self.protected_by.get(decode_target).copied()
    }

    /// The highest spatial and temporal layer of a decode target.
    pub fn decode_target_layers(&self, decode_target: usize) -> Option<(u8, u8)> {
        if decode_target >= usize::from(self.decode_target_count) {
            return None;
        }
        let present = |template: &&Template| {
            template.indications.get(decode_target) != DecodeTargetIndication::NotPresent
        };
        Some(self.templates().iter().filter(present).fold((0, 0), |(spatial, temporal), template| {
            (template.spatial_id.max(spatial), template.temporal_id.max(temporal))
        }))
    }

    /// The largest width and height of frames of a spatial layer, if the structure tells.
    pub fn resolution(&self, spatial_id: u8) -> Option<(u32, u32)> {
        let &(width, height) = self.resolutions.as_ref()?.get(usize::from(spatial_id))?;
        Some((u32::from(width) + 1, u32::from(height) + 1))
    }

    /// A mask with a bit for each decode target.
    pub fn all_decode_targets(&self) -> u32 {
        // The count is at most 32.
        ((1u64 << self.decode_target_count) - 1) as u32
    }

    /// The highest spatial layer of all templates.
    fn max_spatial_id(&self) -> u8 {
        self.templates().iter().map(|template| template.spatial_id).max().unwrap_or(0)
    }

    pub(super) fn read(reader: &mut BitReader<'_>) -> Option<Self> {
        let mut structure = Self {
            id_offset: reader.octet(6)?,
            decode_target_count: reader.octet(5)? + 1,
            ..Self::default()
        };
        structure.read_layers(reader)?;
        let targets = usize::from(structure.decode_target_count);
        for template in structure.templates_mut() {
            template.indications = read_indications(reader, targets)?;
        }
        for template in structure.templates_mut() {
            while reader.flag()? {
                template.fdiffs.push(u16::from(reader.octet(4)?) + 1)?;
            }
        }
        structure.read_chains(reader)?;
        if reader.flag()? {
            let mut resolutions = [(0, 0); MAX_SPATIAL_LAYERS];
            for resolution in resolutions.iter_mut().take(usize::from(structure.max_spatial_id()) + 1) {
                let mut size = || u16::try_from(reader.bits(16)?).ok();
                *resolution = (size()?, size()?);
            }
            structure.resolutions = Some(resolutions);
        }
        Some(structure)
    }

    fn templates_mut(&mut self) -> &mut [Template] {
        self.templates.get_mut(..usize::from(self.template_count)).unwrap_or_default()
    }

    /// `template_layers()`.
    fn read_layers(&mut self, reader: &mut BitReader<'_>) -> Option<()> {
        let (mut spatial_id, mut temporal_id) = (0u8, 0u8);
        loop {
            if usize::from(spatial_id) >= MAX_SPATIAL_LAYERS
                || usize::from(temporal_id) >= MAX_TEMPORAL_LAYERS
            {
                return None;
            }
            let template = self.templates.get_mut(usize::from(self.template_count))?;
            (template.spatial_id, template.temporal_id) = (spatial_id, temporal_id);
            self.template_count += 1;
            match reader.bits(2)? {
                0 => {}
                1 => temporal_id += 1,
                2 => (spatial_id, temporal_id) = (spatial_id + 1, 0),
                _ => return Some(()),
            }
        }
    }

    /// `template_chains()`.
    fn read_chains(&mut self, reader: &mut BitReader<'_>) -> Option<()> {
        let chains = reader.non_symmetric(self.decode_target_count + 1)?;
        self.chain_count = chains;
        if chains == 0 {
            return Some(());
        }
        for chain in self.protected_by.iter_mut().take(usize::from(self.decode_target_count)) {
            *chain = reader.non_symmetric(chains)?;
        }
        for template in self.templates_mut() {
            for fdiff in template.chain_fdiffs.iter_mut().take(usize::from(chains)) {
                *fdiff = reader.octet(4)?;
            }
        }
        Some(())
    }

    pub(super) fn write(&self, writer: &mut BitWriter<'_>) -> Option<()> {
        let targets = usize::from(self.decode_target_count);
        writer.bits(6, u32::from(self.id_offset))?;
        writer.bits(5, u32::from(self.decode_target_count.checked_sub(1)?))?;
        self.write_layers(writer)?;
        for template in self.templates() {
            write_indications(writer, template.indications, targets)?;
        }
        for template in self.templates() {
            for &fdiff in template.fdiffs.as_slice() {
                writer.flag(true)?;
                writer.bits(4, u32::from(fdiff.checked_sub(1)?))?;
            }
            writer.flag(false)?;
        }
        self.write_chains(writer)?;
        writer.flag(self.resolutions.is_some())?;
        if let Some(resolutions) = &self.resolutions {
            for &(width, height) in resolutions.iter().take(usize::from(self.max_spatial_id()) + 1) {
                writer.bits(16, u32::from(width))?;
                writer.bits(16, u32::from(height))?;
            }
        }
        Some(())
    }

    /// `template_layers()`: only steps that table A.2 knows can be written.
    fn write_layers(&self, writer: &mut BitWriter<'_>) -> Option<()> {
        let mut layers = self.templates().iter().map(|template| (template.spatial_id, template.temporal_id));
        let (mut spatial_id, mut temporal_id) = layers.next().filter(|&first| first == (0, 0))?;
        for (spatial, temporal) in layers {
            let step = if (spatial, temporal) == (spatial_id, temporal_id) {
                0
            } else if (spatial, temporal) == (spatial_id, temporal_id + 1) {
                1
            } else if (spatial, temporal) == (spatial_id + 1, 0) {
                2
            } else {
                return None;
            };
            writer.bits(2, step)?;
            (spatial_id, temporal_id) = (spatial, temporal);
        }
        writer.bits(2, 3)
    }

    fn write_chains(&self, writer: &mut BitWriter<'_>) -> Option<()> {
        let chains = usize::from(self.chain_count);
        writer.non_symmetric(self.decode_target_count.checked_add(1)?, self.chain_count)?;
        if chains == 0 {
            return Some(());
        }
        for &chain in self.protected_by.iter().take(usize::from(self.decode_target_count)) {
            writer.non_symmetric(self.chain_count, chain)?;
        }
        for template in self.templates() {
            for &fdiff in template.chain_fdiffs.iter().take(chains) {
                writer.bits(4, u32::from(fdiff))?;
            }
        }
        Some(())
    }
}

pub(super) fn read_indications(
    reader: &mut BitReader<'_>,
    targets: usize,
) -> Option<DecodeTargetIndications> {
    let mut indications = 0;
    for target in 0..targets {
        indications |= u64::from(reader.bits(2)?) << (2 * target);
    }
    Some(DecodeTargetIndications(indications))
}

pub(super) fn write_indications(
    writer: &mut BitWriter<'_>,
    indications: DecodeTargetIndications,
    targets: usize,
) -> Option<()> {
    for target in 0..targets {
        writer.bits(2, indications.get(target) as u32)?;
    }
    Some(())
}
