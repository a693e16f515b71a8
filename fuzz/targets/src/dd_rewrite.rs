//! Dependency descriptors under any structure: what a forwarder writes reads back with another frame number and another mask of active
//! decode targets, all else being equal, and is longer by the mask at most.
//!
//! Planted: the number is written one octet too late.

use crate::Fault;
use crate::bytes::Bytes;
use tureen_forwarding::{DescriptorChange, StreamTargets};
use tureen_rtp_wire::dependency_descriptor::{
    DependencyDescriptor, MaskPlace, TemplateStructure, add_to_frame_number, tells_of_targets,
};

/// Room enough for all that an element may be, and its mask.
const ROOM: usize = 300;

pub(crate) fn run(data: &[u8], fault: Fault) {
    let mut input = Bytes::new(data);
    let mut structure = TemplateStructure::default();
    let mut targets = StreamTargets::default();
    let mut number = 100;
    while !input.is_empty() {
        let (offset, mask, len) = (input.u16(), input.u32(), usize::from(input.u8()));
        let value = input.take(len);
        let before = structure;
        number += 1;
        targets.note(number, value);
        assert_eq!(targets.active_targets(number, &DescriptorChange::NONE), None, "who gets all is told all");
        renumbered(value, &before, offset, fault);
        let Ok(descriptor) = DependencyDescriptor::parse(value, &mut structure) else {
            // Read by any number of targets, it is neither read nor written beyond its end.
            if let Some(place) = MaskPlace::find(value, (mask & 63) as u8) {
                let _ = place.write(value, mask & 1, &mut [0; ROOM]);
            }
            continue;
        };
        narrowed(value, &descriptor, &before, &structure, mask);
    }
}

fn renumbered(value: &[u8], structure: &TemplateStructure, offset: u16, fault: Fault) {
    let mut copy = value.to_vec();
    add_to_frame_number(&mut copy, offset);
    if fault == Fault::Planted && copy.len() > 3 && offset > 0 {
        copy.swap(2, 3);
    }
    let (mut one, mut other) = (*structure, *structure);
    match (DependencyDescriptor::parse(value, &mut one), DependencyDescriptor::parse(&copy, &mut other)) {
        (Ok(mut before), Ok(after)) => {
            before.mandatory.frame_number = before.mandatory.frame_number.wrapping_add(offset);
            assert!(before == after && one == other, "only the number changes");
        }
        (before, after) => assert_eq!(before, after, "the number decides about nothing"),
    }
}

fn narrowed(
    value: &[u8],
    before: &DependencyDescriptor,
    known: &TemplateStructure,
    structure: &TemplateStructure,
    mask: u32,
) {
    let count = structure.decode_target_count();
    let place = MaskPlace::find(value, count).expect("what reads has a place for a mask");
    assert_eq!(place.active(), before.active_decode_targets, "both readers find the same mask");
    assert_eq!(tells_of_targets(value), before.active_decode_targets.is_some());
    let mask = mask & structure.all_decode_targets();
    let mut out = [0xff; ROOM];
    let len = place.write(value, mask, &mut out).expect("there is room");
    let grown = len - value.len();
    let bits = usize::from(count) + if value.len() > 3 { 0 } else { 5 };
    assert!(grown <= bits.div_ceil(8), "{grown} octets for {bits} bits");
    assert_eq!(place.write(value, mask, &mut out[..len - 1]), None, "not beyond its end");
    let mut found = *known;
    let after = DependencyDescriptor::parse(&out[..len], &mut found).expect("what was written reads");
    assert!(found == *structure, "the structure stays");
    assert_eq!(after, DependencyDescriptor { active_decode_targets: Some(mask), ..*before });
    let mut twice = [0; ROOM];
    let place = MaskPlace::find(&out[..len], count).expect("a place");
    assert_eq!(place.write(&out[..len], mask, &mut twice), Some(len));
    assert_eq!(twice[..len], out[..len], "the same mask again changes nothing");
}
