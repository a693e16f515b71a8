//! From dependency descriptors (appendix A of the RTP payload format for AV1, version 1.0.0) to [`FrameLayers`], whatever the codec.
//!
//! A structure names decode targets; each becomes the layers for which it is the best one. Made once a structure, so that a packet costs
//! one look at each of its targets.

use crate::frame_layers::{FrameLayers, Limit, LimitSet, References};
use tureen_rtp_wire::dependency_descriptor::{
    DecodeTargetIndication, DependencyDescriptor, FrameDependencies, MAX_DECODE_TARGETS, TemplateStructure,
};

/// Which layers each decode target of a structure stands for.
#[derive(Clone, Copy, Debug)]
pub struct DecodeTargets {
    count: usize,
    /// The highest layers in the target.
    layers: [Limit; MAX_DECODE_TARGETS],
    /// For which limits it is the best target.
    serves: [LimitSet; MAX_DECODE_TARGETS],
    spatial_nests: bool,
    temporal_nests: bool,
}

/// The spatial and temporal layers that a stream has now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ActiveLayers {
    /// The lowest spatial layer that can be decoded on its own.
    pub lowest_spatial: u8,
    /// The highest spatial layer.
    pub highest_spatial: u8,
    /// The highest temporal layer.
    pub highest_temporal: u8,
}

impl Default for DecodeTargets {
    fn default() -> Self {
        Self {
            count: 0,
            layers: [Limit { spatial: 0, temporal: 0 }; MAX_DECODE_TARGETS],
            serves: [LimitSet::default(); MAX_DECODE_TARGETS],
            spatial_nests: true,
            temporal_nests: true,
        }
    }
}

impl DecodeTargets {
    /// What the decode targets of a structure stand for.
    pub fn new(structure: &TemplateStructure) -> Self {
        let count = usize::from(structure.decode_target_count()).min(MAX_DECODE_TARGETS);
        let mut targets = Self { count, ..Self::default() };
        // Bit j of `holds[i]`: each frame that target i needs, target j needs, too.
        let mut holds = [u32::MAX; MAX_DECODE_TARGETS];
        for template in structure.templates() {
            let present = template.indications.present_mask();
            let needing = (0..count).filter(|target| present >> target & 1 == 1);
            for target in needing {
                let Limit { spatial, temporal } = &mut targets.layers[target];
                *spatial = template.spatial_id.max(*spatial);
                *temporal = template.temporal_id.max(*temporal);
                holds[target] &= present;
            }
        }
        targets.note_nesting(&holds);
        targets.assign_limits();
        targets
    }

    /// The layers of the targets that `active` holds, bit i for target i; `None` if that is none.
    pub fn active_layers(&self, active: u32) -> Option<ActiveLayers> {
        let of_active = (0..self.count).filter(|target| active >> target & 1 == 1);
        of_active.map(|target| self.layers[target]).fold(None, |found: Option<ActiveLayers>, limit| {
            let so_far = found.unwrap_or(ActiveLayers {
                lowest_spatial: limit.spatial,
                highest_spatial: 0,
                highest_temporal: 0,
            });
            Some(ActiveLayers {
                lowest_spatial: so_far.lowest_spatial.min(limit.spatial),
                highest_spatial: so_far.highest_spatial.max(limit.spatial),
                highest_temporal: so_far.highest_temporal.max(limit.temporal),
            })
        })
    }

    /// What a descriptor of the structure says of its frame.
    pub fn frame_layers(&self, descriptor: &DependencyDescriptor) -> FrameLayers {
        let DependencyDescriptor { mandatory, frame, .. } = descriptor;
        let mut layers = FrameLayers {
            needed: LimitSet::default(),
            references: references(frame),
            number: mandatory.frame_number,
            ends_frame: mandatory.end_of_frame,
            enters_spatial: true,
            spatial_nests: self.spatial_nests,
            temporal_nests: self.temporal_nests,
            ..FrameLayers::told(frame.spatial_id, frame.temporal_id)
        };
        for (target, &serves) in self.serves[..self.count].iter().enumerate() {
            match frame.indications.get(target) {
                DecodeTargetIndication::NotPresent => continue,
                DecodeTargetIndication::Switch => layers.entry.insert(serves),
                DecodeTargetIndication::Discardable | DecodeTargetIndication::Required => {}
            }
            layers.needed.insert(serves);
        }
        layers
    }

    /// Whether lower targets need nothing that higher ones do without. Not so where each spatial layer refers to itself alone.
    fn note_nesting(&mut self, holds: &[u32; MAX_DECODE_TARGETS]) {
        for (low, holds) in holds[..self.count].iter().enumerate() {
            for high in (0..self.count).filter(|high| holds >> high & 1 == 0) {
                let (from, to) = (self.layers[high], self.layers[low]);
                if to.spatial == from.spatial && to.temporal <= from.temporal {
                    self.temporal_nests = false;
                } else if to.spatial < from.spatial && to.temporal <= from.temporal {
                    self.spatial_nests = false;
                }
            }
        }
    }

    /// Each limit is served by the target with the highest spatial, then the highest temporal layer within it, or else by the lowest.
    fn assign_limits(&mut self) {
        let layers = &self.layers[..self.count];
        let order = |target: &usize| (layers[*target].spatial, layers[*target].temporal);
        let Some(lowest) = (0..self.count).min_by_key(order) else { return };
        for limit in LimitSet::limits() {
            let (spatial, temporal) = (Limit::up_to(limit.spatial), Limit::up_to(limit.temporal));
            let within = |target: &usize| {
                layers[*target].spatial <= spatial && layers[*target].temporal <= temporal
            };
            let best = (0..self.count).filter(within).max_by_key(order).unwrap_or(lowest);
            self.serves[best].insert(LimitSet::of(limit));
        }
    }
}

fn references(frame: &FrameDependencies) -> References {
    let mut mask = 0;
    for &distance in frame.fdiffs.as_slice() {
        match distance {
            1..=32 => mask |= 1 << (distance - 1),
            _ => return References::Unknown,
        }
    }
    References::Frames(mask)
}
