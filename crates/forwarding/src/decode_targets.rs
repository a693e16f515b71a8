//! From dependency descriptors (appendix A of the RTP payload format for AV1, version 1.0.0) to [`FrameLayers`], whatever the codec.
//!
//! A structure names decode targets; each becomes the layers for which it is the best one. Made once a structure, so that a packet costs
//! one look at each of its targets.

use crate::frame_layers::{FrameLayers, Limit, LimitSet, References};
use tureen_rtp_wire::dependency_descriptor::{
    DecodeTargetIndication, DependencyDescriptor, FrameDependencies, MAX_DECODE_TARGETS, TemplateStructure,
};

/// Which layers each decode target of a structure stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeTargets {
    count: usize,
    /// The highest layers in the target.
    layers: [Limit; MAX_DECODE_TARGETS],
    /// For which limits it is the best target.
    serves: [LimitSet; MAX_DECODE_TARGETS],
    /// Bit j: each frame that the target needs, target j needs, too.
    within: [u32; MAX_DECODE_TARGETS],
    spatial_nests: bool,
    temporal_nests: bool,
}

/// The spatial and temporal layers that a stream has now, 0 to 7 each: those of its active decode targets (appendix A of the RTP payload
/// format for AV1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ActiveLayers {
    /// The lowest of the highest spatial layers of each target: nobody can ask for less.
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
            within: [u32::MAX; MAX_DECODE_TARGETS],
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
        for template in structure.templates() {
            let present = template.indications.present_mask();
            let needing = (0..count).filter(|target| present >> target & 1 == 1);
            for target in needing {
                let Limit { spatial, temporal } = &mut targets.layers[target];
                *spatial = template.spatial_id.max(*spatial);
                *temporal = template.temporal_id.max(*temporal);
                targets.within[target] &= present;
            }
        }
        targets.note_nesting();
        targets.assign_limits();
        targets
    }

    /// How many there are.
    pub(crate) fn count(&self) -> u8 {
        self.count as u8
    }

    /// The targets that can be decoded with the frames that the best one for `limit` needs, bit i for target i.
    pub(crate) fn decodable_within(&self, limit: Limit) -> u32 {
        let best = (0..self.count).find(|target| self.serves[*target].contains(limit));
        let decodable =
            (0..self.count).filter(|target| best.is_none_or(|best| self.within[*target] >> best & 1 == 1));
        decodable.fold(0, |mask, target| mask | 1 << target)
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
            is_numbered: true,
            starts_frame: mandatory.start_of_frame,
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
    fn note_nesting(&mut self) {
        for (low, within) in self.within[..self.count].iter().enumerate() {
            for high in (0..self.count).filter(|high| within >> high & 1 == 0) {
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
            let within =
                |target: &usize| layers[*target].spatial <= spatial && layers[*target].temporal <= temporal;
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

#[cfg(test)]
mod tests {
    use super::*;
    use tureen_rtp_wire::dependency_descriptor::{
        DecodeTargetIndications, Fdiffs, MandatoryFields, Template,
    };

    /// As in the tables of the AV1 payload format: a row of indications for each target.
    fn template(spatial_id: u8, temporal_id: u8, row: &str) -> Template {
        let indications =
            row.chars().enumerate().fold(DecodeTargetIndications::default(), |all, (target, letter)| {
                let indication = match letter {
                    'S' => DecodeTargetIndication::Switch,
                    'R' => DecodeTargetIndication::Required,
                    'D' => DecodeTargetIndication::Discardable,
                    _ => DecodeTargetIndication::NotPresent,
                };
                all.with(target, indication)
            });
        Template { spatial_id, temporal_id, indications, ..Template::default() }
    }

    /// Two spatial and two temporal layers. With `own`, layers refer to those below in key pictures alone.
    fn structure(own: bool) -> TemplateStructure {
        let rows = if own {
            [(0, 0, "SSSS"), (0, 0, "SS--"), (0, 1, "-D--"), (1, 0, "--SS"), (1, 0, "--SS"), (1, 1, "---D")]
        } else {
            [(0, 0, "SSSS"), (0, 0, "SSRR"), (0, 1, "-D-R"), (1, 0, "--SS"), (1, 0, "--SS"), (1, 1, "---D")]
        };
        let templates = rows.map(|(spatial, temporal, row)| template(spatial, temporal, row));
        TemplateStructure::new(0, 4, &templates, 0, &[], None).expect("a structure")
    }

    fn layers_of(structure: &TemplateStructure, template_id: u8, fdiffs: &[u16]) -> FrameLayers {
        let template = structure.template(template_id).expect("a template");
        let descriptor = DependencyDescriptor {
            mandatory: MandatoryFields {
                start_of_frame: true,
                end_of_frame: true,
                template_id,
                frame_number: 9,
            },
            has_structure: false,
            active_decode_targets: None,
            frame: FrameDependencies {
                fdiffs: Fdiffs::new(fdiffs).expect("few"),
                ..FrameDependencies::of_template(template)
            },
        };
        DecodeTargets::new(structure).frame_layers(&descriptor)
    }

    fn who_needs(layers: &FrameLayers) -> Vec<(u8, u8)> {
        let both = LimitSet::limits().filter(|limit| limit.spatial < 2 && limit.temporal < 2);
        both.filter(|limit| layers.needed.contains(*limit))
            .map(|limit| (limit.spatial, limit.temporal))
            .collect()
    }

    #[test]
    fn who_needs_a_frame_is_told_by_its_indications() {
        let (nested, own) = (structure(false), structure(true));
        assert_eq!(who_needs(&layers_of(&nested, 2, &[1])), [(0, 1), (1, 1)]);
        assert_eq!(who_needs(&layers_of(&own, 2, &[1])), [(0, 1)]);
        assert_eq!(who_needs(&layers_of(&own, 5, &[2])), [(1, 1)]);
        assert_eq!(who_needs(&layers_of(&own, 0, &[])), [(0, 0), (0, 1), (1, 0), (1, 1)]);
    }

    #[test]
    fn layers_above_all_that_there_are_are_those_of_the_best_target() {
        let layers = layers_of(&structure(true), 5, &[2]);
        assert!(layers.needed.contains(Limit { spatial: u8::MAX, temporal: u8::MAX }));
        assert!(!layers.needed.contains(Limit { spatial: u8::MAX, temporal: 0 }));
    }

    #[test]
    fn layers_that_refer_to_themselves_alone_do_not_nest() {
        let nested = layers_of(&structure(false), 1, &[4]);
        assert!(nested.spatial_nests && nested.temporal_nests);
        let own = layers_of(&structure(true), 1, &[4]);
        assert!(!own.spatial_nests && own.temporal_nests);
    }

    #[test]
    fn references_are_distances_and_those_too_far_are_not_told() {
        let structure = structure(false);
        assert_eq!(layers_of(&structure, 1, &[1, 3]).references, References::Frames(0b101));
        assert_eq!(layers_of(&structure, 1, &[33]).references, References::Unknown);
    }

    #[test]
    fn active_targets_have_a_lowest_and_a_highest_layer() {
        let targets = DecodeTargets::new(&structure(true));
        let active = |mask| {
            targets.active_layers(mask).map(|it| (it.lowest_spatial, it.highest_spatial, it.highest_temporal))
        };
        assert_eq!(active(0b1111), Some((0, 1, 1)));
        assert_eq!(active(0b0001), Some((0, 0, 0)));
        assert_eq!(active(0b1000), Some((1, 1, 1)));
        assert_eq!(active(0), None);
        assert_eq!(DecodeTargets::default().active_layers(u32::MAX), None);
    }
}
