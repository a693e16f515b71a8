//! The dependency descriptor header extension (RTP Payload Format For AV1, appendix A), which tells for each frame what
//! it needs and which decode targets need it, whatever the codec.
//!
//! The caller keeps one [`TemplateStructure`] a stream: a descriptor mostly names a template of the structure that came
//! with the last key frame. All capacities are fixed; nothing is allocated.

mod bits;
mod descriptor;
mod rewrite;
mod structure;

pub use descriptor::{DependencyDescriptor, FrameDependencies, MandatoryFields};
pub use rewrite::{MaskPlace, add_to_frame_number, tells_of_targets};
pub use structure::{Fdiffs, Template, TemplateStructure};

/// Most decode targets (dt_cnt_minus_one has 5 bits).
pub const MAX_DECODE_TARGETS: usize = 32;
/// Most chains: never more than decode targets.
pub const MAX_CHAINS: usize = MAX_DECODE_TARGETS;
/// Most templates (frame_dependency_template_id has 6 bits).
pub const MAX_TEMPLATES: usize = 64;
/// Most frames that one frame can refer to: AV1 keeps eight. The syntax has no bound; more are refused.
pub const MAX_FDIFFS: usize = 8;
/// Most spatial layers. The syntax has no bound; more are refused.
pub const MAX_SPATIAL_LAYERS: usize = 8;
/// Most temporal layers. The syntax has no bound; more are refused.
pub const MAX_TEMPORAL_LAYERS: usize = 8;
/// URI of the extension.
pub const URI: &str =
    "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension";

/// What a frame is to a decode target (table A.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum DecodeTargetIndication {
    /// `-`: not part of it.
    #[default]
    NotPresent,
    /// `D`: part of it, and nothing in it depends on the frame.
    Discardable,
    /// `S`: part of it, and a receiver may switch to the target here.
    Switch,
    /// `R`: part of it, and needed.
    Required,
}

/// The indication for each decode target of a structure, two bits each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct DecodeTargetIndications(u64);

impl DecodeTargetIndications {
    /// The indication for decode target `index`; not present from 32 on.
    pub const fn get(self, index: usize) -> DecodeTargetIndication {
        if index >= MAX_DECODE_TARGETS {
            return DecodeTargetIndication::NotPresent;
        }
        match self.0 >> (2 * index) & 3 {
            0 => DecodeTargetIndication::NotPresent,
            1 => DecodeTargetIndication::Discardable,
            2 => DecodeTargetIndication::Switch,
            _ => DecodeTargetIndication::Required,
        }
    }

    /// The same with another indication for decode target `index`; unchanged from 32 on.
    #[must_use]
    pub const fn with(self, index: usize, indication: DecodeTargetIndication) -> Self {
        if index >= MAX_DECODE_TARGETS {
            return self;
        }
        Self(self.0 & !(3 << (2 * index)) | (indication as u64) << (2 * index))
    }

    /// Bit i is set if the frame is part of decode target i.
    pub fn present_mask(self) -> u32 {
        (0..MAX_DECODE_TARGETS)
            .filter(|&index| self.get(index) != DecodeTargetIndication::NotPresent)
            .fold(0, |mask, index| mask | 1 << index)
    }
}
