//! The dependency descriptor: the structures of the specification's appendix A.10.2, and what is written comes back.

use hex_literal::hex;
use proptest::prelude::*;
use tureen_rtp_wire::WireError;
use tureen_rtp_wire::dependency_descriptor::{
    DecodeTargetIndication as Dti, DecodeTargetIndications, DependencyDescriptor, Fdiffs, FrameDependencies,
    MAX_CHAINS, MandatoryFields, Template, TemplateStructure,
};

fn indications(symbols: &str) -> DecodeTargetIndications {
    symbols.chars().enumerate().fold(DecodeTargetIndications::default(), |all, (i, symbol)| {
        let indication = match symbol {
            'S' => Dti::Switch,
            'D' => Dti::Discardable,
            'R' => Dti::Required,
            _ => Dti::NotPresent,
        };
        all.with(i, indication)
    })
}

fn template(spatial_id: u8, temporal_id: u8, fdiffs: &[u16], chains: &[u8], symbols: &str) -> Template {
    let mut chain_fdiffs = [0; MAX_CHAINS];
    chain_fdiffs[..chains.len()].copy_from_slice(chains);
    let fdiffs = Fdiffs::new(fdiffs).expect("at most eight");
    Template { spatial_id, temporal_id, indications: indications(symbols), fdiffs, chain_fdiffs }
}

/// Appendix A.10.2.1.
fn l1t3() -> TemplateStructure {
    let templates = [
        template(0, 0, &[], &[0], "SSS"),
        template(0, 0, &[4], &[4], "SSS"),
        template(0, 1, &[2], &[2], "SD-"),
        template(0, 2, &[1], &[1], "D--"),
        template(0, 2, &[1], &[3], "D--"),
    ];
    TemplateStructure::new(0, 3, &templates, 1, &[0, 0, 0], None).expect("consistent")
}

/// Appendix A.10.2.2, with sizes.
fn l3t3() -> TemplateStructure {
    let templates = [
        template(0, 0, &[], &[0, 0, 0], "SSSSSSSSS"),
        template(0, 0, &[12], &[12, 11, 10], "RRRRRRSSS"),
        template(0, 1, &[6], &[6, 5, 4], "RR-RR-SD-"),
        template(0, 2, &[3], &[3, 2, 1], "R--R--D--"),
        template(0, 2, &[3], &[9, 8, 7], "R--R--D--"),
        template(1, 0, &[1], &[1, 1, 1], "SSSSSS---"),
        template(1, 0, &[12, 1], &[1, 1, 1], "RRRSSS---"),
        template(1, 1, &[6, 1], &[7, 6, 5], "RR-SD----"),
        template(1, 2, &[3, 1], &[4, 3, 2], "R--D-----"),
        template(1, 2, &[3, 1], &[10, 9, 8], "R--D-----"),
        template(2, 0, &[1], &[2, 1, 1], "SSS------"),
        template(2, 0, &[12, 1], &[2, 1, 1], "SSS------"),
        template(2, 1, &[6, 1], &[8, 7, 6], "SD-------"),
        template(2, 2, &[3, 1], &[5, 4, 3], "D--------"),
        template(2, 2, &[3, 1], &[11, 10, 9], "D--------"),
    ];
    let mut sizes = [(0, 0); 8];
    sizes[..3].copy_from_slice(&[(319, 179), (639, 359), (1279, 719)]);
    TemplateStructure::new(60, 9, &templates, 3, &[2, 2, 2, 1, 1, 1, 0, 0, 0], Some(sizes))
        .expect("consistent")
}

fn of_template(structure: &TemplateStructure, template_id: u8, has_structure: bool) -> DependencyDescriptor {
    let template = structure.template(template_id).expect("known");
    DependencyDescriptor {
        mandatory: MandatoryFields {
            start_of_frame: true,
            end_of_frame: false,
            template_id,
            frame_number: 0xabcd,
        },
        has_structure,
        active_decode_targets: has_structure.then(|| structure.all_decode_targets()),
        frame: FrameDependencies {
            spatial_id: template.spatial_id,
            temporal_id: template.temporal_id,
            indications: template.indications,
            fdiffs: template.fdiffs,
            chain_fdiffs: template.chain_fdiffs,
        },
    }
}

/// L1T3, put together by hand from appendix A.8.2.
#[test]
fn l1t3_bit_for_bit() {
    let bits = [
        // Start, end, template id, frame number, flags.
        "1 0 000000 1010101111001101 10000",
        // Offset, decode targets less one, layers: same, next temporal, next temporal, same, end.
        "000000 00010 00 01 01 00 11",
        // Indications of five templates.
        "101010 101010 100100 010000 010000",
        // Differences: none, 4, 2, 1, 1; each is 1, the difference less one, and 0 ends a list.
        "0 1 0011 0 1 0001 0 1 0000 0 1 0000 0",
        // One chain as ns(4), protection as ns(1) without bits, the chain's differences.
        "01 0000 0100 0010 0001 0011",
        // No sizes.
        "0",
    ];
    let bits: Vec<_> = bits.concat().chars().filter(|bit| *bit != ' ').collect();
    let mut expected = vec![0u8; bits.len().div_ceil(8)];
    for (i, bit) in bits.iter().enumerate() {
        expected[i / 8] |= u8::from(*bit == '1') << (7 - i % 8);
    }
    let mut known = TemplateStructure::default();
    let parsed = DependencyDescriptor::parse(&expected, &mut known).expect("valid");
    assert_eq!(known, l1t3());
    assert_eq!(parsed, of_template(&known, 0, true));
    let mut out = [0xff; 64];
    let len = parsed.write(&known, &mut out).expect("room");
    assert_eq!(out[..len], expected[..]);
}

#[test]
fn l3t3_comes_back_and_resolves_later_frames() {
    let structure = l3t3();
    let mut out = [0; 255];
    let first = of_template(&structure, 60, true);
    let len = first.write(&structure, &mut out).expect("room");
    let mut known = TemplateStructure::default();
    assert_eq!(DependencyDescriptor::parse(&out[..len], &mut known), Ok(first));
    assert_eq!(known, structure);
    assert_eq!(known.resolution(2), Some((1280, 720)));
    assert_eq!(known.decode_target_layers(0), Some((2, 2)));
    assert_eq!(known.decode_target_layers(5), Some((1, 0)));
    assert_eq!(known.decode_target_layers(9), None);
    assert_eq!((known.protected_by(0), known.protected_by(8)), (Some(2), Some(0)));
    // Ids wrap at 64: 60 + 14 is 10, the last template.
    let later = DependencyDescriptor::parse(&hex!("4a 0007"), &mut known).expect("three octets");
    assert_eq!((later.frame.spatial_id, later.frame.temporal_id), (2, 2));
    assert_eq!(later.frame.fdiffs.as_slice(), [3, 1]);
    assert_eq!(later.frame.chain_fdiffs[..3], [11, 10, 9]);
    assert_eq!((later.active_decode_targets, later.mandatory.end_of_frame), (None, true));
    assert_eq!(later.frame.indications.present_mask(), 1);
    assert_eq!(DependencyDescriptor::parse(&hex!("0b 0007"), &mut known), Err(WireError::UnknownTemplate));
}

#[test]
fn without_a_structure_only_the_mandatory_fields_are_known() {
    let mut known = TemplateStructure::default();
    assert_eq!(DependencyDescriptor::parse(&hex!("c5 1234"), &mut known), Err(WireError::UnknownTemplate));
    let fields = MandatoryFields::parse(&hex!("c5 1234")).expect("three octets");
    assert_eq!((fields.start_of_frame, fields.end_of_frame), (true, true));
    assert_eq!((fields.template_id, fields.frame_number), (5, 0x1234));
    assert_eq!(MandatoryFields::parse(&hex!("c5 12")), None);
}

#[test]
fn a_broken_structure_leaves_the_known_one() {
    let structure = l3t3();
    let mut out = [0; 255];
    let len = of_template(&structure, 60, true).write(&structure, &mut out).expect("room");
    for cut in 3..len {
        let mut known = l1t3();
        let result = DependencyDescriptor::parse(&out[..cut], &mut known);
        assert!(result.is_err(), "{cut} octets");
        assert_eq!(known, l1t3());
    }
}

#[test]
fn capacities_are_kept() {
    // next_layer_idc 2 (one more spatial layer) without an end.
    let mut endless = vec![0x80, 0, 0, 0x80, 0x00];
    endless.extend([0xaa; 60]);
    assert!(DependencyDescriptor::parse(&endless, &mut TemplateStructure::default()).is_err());
    // next_layer_idc 0 without an end: a 65th template.
    let mut same = vec![0x80, 0, 0, 0x80];
    same.extend([0; 60]);
    assert!(DependencyDescriptor::parse(&same, &mut TemplateStructure::default()).is_err());
    assert!(Fdiffs::new(&[1; 9]).is_none());
    assert!(TemplateStructure::new(0, 3, &[], 1, &[0, 0, 0], None).is_none());
    assert!(TemplateStructure::new(0, 33, &[Template::default()], 0, &[], None).is_none());
    assert!(TemplateStructure::new(0, 1, &[Template::default()], 1, &[1], None).is_none());
    let high = Template { temporal_id: 255, ..Template::default() };
    assert!(TemplateStructure::new(0, 1, &[high], 0, &[], None).is_none());
}

prop_compose! {
    fn any_frame()(
        template_id in 0u8..64, start_of_frame: bool, end_of_frame: bool, frame_number: u16, has_structure: bool,
        active in prop::option::of(0u32..512), custom in prop::option::of(any::<u16>()),
        fdiffs in prop::option::of(prop::collection::vec(1u16..4097, 0..9)),
        chains in prop::option::of(any::<[u8; 3]>()),
    ) -> DependencyDescriptor {
        let structure = l3t3();
        let template_id = (60 + template_id % 15) & 63;
        let mut descriptor = of_template(&structure, template_id, has_structure);
        descriptor.mandatory = MandatoryFields { start_of_frame, end_of_frame, template_id, frame_number };
        descriptor.active_decode_targets = active.or(descriptor.active_decode_targets);
        if let Some(custom) = custom {
            let symbols: String = (0..9).map(|i| char::from(b"-DSR"[usize::from(custom >> i) & 3])).collect();
            descriptor.frame.indications = indications(&symbols);
        }
        if let Some(fdiffs) = fdiffs {
            descriptor.frame.fdiffs = Fdiffs::new(&fdiffs).expect("at most eight");
        }
        if let Some(chains) = chains {
            descriptor.frame.chain_fdiffs[..3].copy_from_slice(&chains);
        }
        descriptor
    }
}

proptest! {
    #[test]
    fn what_is_written_comes_back(descriptor in any_frame(), room in 0usize..120) {
        let structure = l3t3();
        let mut out = [0xff; 255];
        let len = descriptor.write(&structure, &mut out).expect("room");
        let mut known = if descriptor.has_structure { TemplateStructure::default() } else { structure };
        prop_assert_eq!(DependencyDescriptor::parse(&out[..len], &mut known), Ok(descriptor));
        prop_assert_eq!(known, structure);
        // A buffer of any size is filled exactly or refused, and never overrun.
        let mut small = [0xa5; 120];
        let written = descriptor.write(&structure, &mut small[..room]);
        prop_assert_eq!(written, (room >= len).then_some(len));
        prop_assert!(small[room..].iter().all(|&octet| octet == 0xa5));
    }

    #[test]
    fn mutated_descriptors_never_panic(
        descriptor in any_frame(), flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(), room in 0usize..255,
    ) {
        let mut out = [0; 255];
        let len = descriptor.write(&l3t3(), &mut out).expect("room");
        for (at, value) in flips {
            out[at.index(len)] = value;
        }
        let mut known = l3t3();
        if let Ok(found) = DependencyDescriptor::parse(&out[..cut.index(len + 1)], &mut known) {
            // What was accepted can be written again, and says the same.
            let mut again = [0; 255];
            let len = found.write(&known, &mut again).expect("what was read fits");
            let mut known_again = known;
            prop_assert_eq!(DependencyDescriptor::parse(&again[..len], &mut known_again), Ok(found));
            prop_assert_eq!(known_again, known);
            let _ = found.write(&known, &mut again[..room]);
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..255)) {
        let mut known = TemplateStructure::default();
        if DependencyDescriptor::parse(&bytes, &mut known).is_err() {
            prop_assert!(known.is_empty());
        }
    }
}
