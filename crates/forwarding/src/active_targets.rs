//! Which decode targets a receiver of some layers is told to be active (appendix A of the RTP payload format for AV1): those that
//! it can decode, so that it waits for no frames that are not sent to it.
//!
//! Knows one stream by the dependency descriptors of its packets, and no consumer.

use crate::decode_targets::DecodeTargets;
use crate::descriptor_changes::DescriptorChange;
use crate::frame_layers::Limit;
use tureen_rtp_wire::dependency_descriptor::{
    DependencyDescriptor, MaskPlace, TemplateStructure, tells_of_targets,
};

/// The decode targets of a stream, and which of them its publisher sends.
#[derive(Clone, Debug, Default)]
pub struct StreamTargets {
    /// What the newest structure said; `None` if that is not known.
    table: Option<Table>,
    /// The packets that brought the newest structure, and that told last which targets are active.
    structure_at: u64,
    told_at: u64,
    newest: u64,
    /// From this packet on the table holds for those that tell of targets themselves, and for those that are told to.
    since: u64,
    announcements_since: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Table {
    targets: DecodeTargets,
    active: u32,
}

/// What the descriptor of one packet has to say of decode targets to one receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ActiveTargets {
    /// Decode targets of the structure.
    count: u8,
    /// Those that the receiver can decode, bit i for target i.
    decodable: u32,
    /// Those that the publisher sends.
    active: u32,
    /// To be said even if the descriptor says nothing of it.
    announces: bool,
}

impl StreamTargets {
    /// Takes note of the dependency descriptor of the packet with this extended sequence number. One that comes late changes nothing
    /// that a newer one has said.
    #[inline]
    pub fn note(&mut self, extended_sequence: u64, value: &[u8]) {
        self.newest = self.newest.max(extended_sequence);
        if tells_of_targets(value) {
            self.hear(extended_sequence, value);
        }
    }

    #[cold]
    fn hear(&mut self, extended_sequence: u64, value: &[u8]) {
        let is_late = extended_sequence < self.told_at;
        let structure = brings_structure(value);
        if extended_sequence < self.structure_at || is_late && !structure {
            return;
        }
        let table = match (structure, is_late) {
            (true, false) => read_structure(value),
            // What was told since was read by another structure.
            (true, true) => None,
            (false, _) => self.table.and_then(|table| {
                let active = MaskPlace::find(value, table.targets.count())?.active()?;
                Some(Table { active, ..table })
            }),
        };
        if structure {
            self.structure_at = extended_sequence;
        }
        self.told_at = self.told_at.max(extended_sequence);
        if self.table != table {
            self.table = table;
            // Packets between may have left by what was known before. None of them told anything itself, unless this one is late.
            let behind = if extended_sequence < self.newest { self.newest + 1 } else { extended_sequence };
            self.announcements_since = behind;
            self.since = if is_late { behind } else { extended_sequence };
        }
    }

    /// What the packet with this extended sequence number is to say, if it is to say anything: nothing where the receiver gets all
    /// layers, and nothing in a packet from before all that is known.
    #[inline]
    pub fn active_targets(&self, extended_sequence: u64, change: &DescriptorChange) -> Option<ActiveTargets> {
        if !change.concerns_targets() || extended_sequence < self.holds_from(change) {
            return None;
        }
        let Table { targets, active } = self.table.as_ref()?;
        Some(ActiveTargets {
            count: targets.count(),
            // Who gets all layers is told what the publisher tells.
            decodable: if change.limit == Limit::NONE {
                u32::MAX
            } else {
                targets.decodable_within(change.limit)
            },
            active: *active,
            announces: change.announces,
        })
    }

    /// Whether it is unknown by now what the packet with this extended sequence number and this dependency descriptor said when it
    /// was sent.
    pub fn is_outdated(&self, extended_sequence: u64, change: &DescriptorChange, value: &[u8]) -> bool {
        let said = change.announces || change.concerns_targets() && tells_of_targets(value);
        said && extended_sequence < self.holds_from(change)
    }

    fn holds_from(&self, change: &DescriptorChange) -> u64 {
        if change.announces { self.announcements_since } else { self.since }
    }
}

impl ActiveTargets {
    /// Whether the descriptor may have to change.
    #[inline]
    pub fn concern(&self, value: &[u8]) -> bool {
        self.announces || tells_of_targets(value)
    }

    /// Writes the descriptor to `out` with the targets that are left, and says how many octets it takes: up to five more than before.
    /// `None` (`out` undefined) if it stays as it is: it says so already, none would be left, it is broken, or `out` is too short.
    pub fn write(&self, value: &[u8], out: &mut [u8]) -> Option<usize> {
        if !self.concern(value) {
            return None;
        }
        let place = MaskPlace::find(value, self.count)?;
        let mask = place.active().unwrap_or(self.active) & self.decodable;
        if mask == 0 || place.active() == Some(mask) {
            return None;
        }
        place.write(value, mask, out)
    }
}

/// The first of the flags behind the mandatory fields.
fn brings_structure(value: &[u8]) -> bool {
    value.get(3).is_some_and(|flags| flags & 0x80 != 0)
}

fn read_structure(value: &[u8]) -> Option<Table> {
    let mut structure = TemplateStructure::default();
    let found = DependencyDescriptor::parse(value, &mut structure).ok()?;
    Some(Table { targets: DecodeTargets::new(&structure), active: found.active_decode_targets? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tureen_rtp_wire::dependency_descriptor::{
        DecodeTargetIndication, DecodeTargetIndications, FrameDependencies, MandatoryFields, Template,
    };

    /// Two spatial and two temporal layers, targets 0 to 3 in this order. With `own`, layers refer to themselves alone.
    fn structure(own: bool) -> TemplateStructure {
        let rows: [(u8, u8, [u8; 4]); 4] = match own {
            false => [(0, 0, [1, 1, 1, 1]), (0, 1, [0, 1, 0, 1]), (1, 0, [0, 0, 1, 1]), (1, 1, [0, 0, 0, 1])],
            true => [(0, 0, [1, 1, 0, 0]), (0, 1, [0, 1, 0, 0]), (1, 0, [0, 0, 1, 1]), (1, 1, [0, 0, 0, 1])],
        };
        let templates = rows.map(|(spatial_id, temporal_id, row)| {
            let indications = (0..4)
                .filter(|target| row[*target] == 1)
                .fold(DecodeTargetIndications::default(), |all, target| {
                    all.with(target, DecodeTargetIndication::Switch)
                });
            Template { spatial_id, temporal_id, indications, ..Template::default() }
        });
        TemplateStructure::new(0, 4, &templates, 0, &[], None).expect("a structure")
    }

    fn value(structure: &TemplateStructure, has_structure: bool, mask: Option<u32>) -> Vec<u8> {
        let template = structure.template(0).expect("a template");
        let mandatory =
            MandatoryFields { start_of_frame: true, end_of_frame: true, template_id: 0, frame_number: 7 };
        let frame = FrameDependencies::of_template(template);
        let descriptor =
            DependencyDescriptor { mandatory, has_structure, active_decode_targets: mask, frame };
        let mut out = [0; 64];
        let len = descriptor.write(structure, &mut out).expect("room");
        out[..len].to_vec()
    }

    fn limited(spatial: u8, temporal: u8, announces: bool) -> DescriptorChange {
        DescriptorChange { limit: Limit { spatial, temporal }, announces, ..DescriptorChange::NONE }
    }

    /// The mask that a packet is sent with; `None` if it is sent as it is.
    fn mask(targets: &StreamTargets, number: u64, change: DescriptorChange, value: &[u8]) -> Option<u32> {
        let mut out = [0; 64];
        let len = targets.active_targets(number, &change)?.write(value, &mut out)?;
        MaskPlace::find(&out[..len], 4).expect("it reads").active()
    }

    #[test]
    fn what_can_be_decoded_is_what_is_sent_whole() {
        for (own, spatial, temporal, expected) in [
            (false, 0, 0, 0b0001),
            (false, 0, 1, 0b0011),
            (false, 1, 0, 0b0101),
            (true, 0, 1, 0b0011),
            (true, 1, 0, 0b0100),
            (true, 1, u8::MAX, 0b1100),
        ] {
            let (structure, mut targets) = (structure(own), StreamTargets::default());
            let key = value(&structure, true, None);
            targets.note(10, &key);
            let found = mask(&targets, 10, limited(spatial, temporal, false), &key);
            assert_eq!(found, Some(expected), "{own} {spatial} {temporal}");
        }
    }

    #[test]
    fn what_the_publisher_does_not_send_is_not_active() {
        let (structure, mut targets) = (structure(false), StreamTargets::default());
        targets.note(10, &value(&structure, true, None));
        let news = value(&structure, false, Some(0b0111));
        targets.note(12, &news);
        assert_eq!(mask(&targets, 12, limited(0, 1, false), &news), Some(0b0011));
        let plain = value(&structure, false, None);
        assert_eq!(mask(&targets, 13, limited(0, 1, false), &plain), None, "nothing new");
        assert_eq!(mask(&targets, 13, limited(0, 1, true), &plain), Some(0b0011));
        let whole = DescriptorChange { announces: true, ..DescriptorChange::NONE };
        assert_eq!(mask(&targets, 14, whole, &plain), Some(0b0111), "all that there are again");
        assert_eq!(mask(&targets, 14, DescriptorChange::NONE, &news), None);
        targets.note(15, &value(&structure, false, Some(0b1000)));
        assert_eq!(mask(&targets, 15, limited(0, 0, true), &plain), None, "none would be left");
    }

    #[test]
    fn packets_from_before_a_change_are_left_alone_and_not_sent_again() {
        let (nested, own, mut targets) = (structure(false), structure(true), StreamTargets::default());
        let change = limited(0, 0, false);
        let first = value(&nested, true, None);
        targets.note(10, &first);
        targets.note(20, &value(&nested, true, None));
        assert!(!targets.is_outdated(10, &change, &first), "the same again is no change");
        targets.note(30, &value(&own, true, None));
        assert!(targets.is_outdated(10, &change, &first) && !targets.is_outdated(30, &change, &first));
        assert!(!targets.is_outdated(10, &DescriptorChange::NONE, &first));
        let plain = value(&nested, false, None);
        assert!(!targets.is_outdated(10, &change, &plain), "it said nothing");
        assert!(targets.is_outdated(10, &limited(0, 0, true), &plain));
        assert_eq!(mask(&targets, 10, change, &first), None);
    }

    #[test]
    fn a_structure_that_was_overtaken_holds_for_itself_and_for_no_announcement_before_it() {
        let (structure, mut targets) = (structure(false), StreamTargets::default());
        let (key, plain) = (value(&structure, true, None), value(&structure, false, None));
        targets.note(12, &plain);
        assert_eq!(mask(&targets, 12, limited(0, 0, true), &plain), None);
        targets.note(10, &key);
        assert_eq!(mask(&targets, 10, limited(0, 0, false), &key), Some(0b0001));
        assert_eq!(mask(&targets, 12, limited(0, 0, true), &plain), None, "as it was sent");
        assert!(targets.is_outdated(12, &limited(0, 0, true), &plain));
        assert_eq!(mask(&targets, 13, limited(0, 0, true), &plain), Some(0b0001));
    }

    #[test]
    fn a_structure_that_comes_late_is_not_mixed_with_what_was_told_since() {
        let (nested, own, mut targets) = (structure(false), structure(true), StreamTargets::default());
        let key = value(&nested, true, None);
        targets.note(10, &key);
        targets.note(30, &value(&nested, false, Some(0b0011)));
        targets.note(5, &value(&own, true, None));
        targets.note(29, &value(&nested, false, Some(0b0001)));
        assert_eq!(mask(&targets, 31, limited(0, 1, true), &value(&nested, false, None)), Some(0b0011));
        targets.note(20, &value(&own, true, None));
        assert_eq!(targets.active_targets(31, &limited(0, 1, true)), None);
        targets.note(40, &key);
        assert_eq!(mask(&targets, 40, limited(0, 0, false), &key), Some(0b0001));
    }
}
