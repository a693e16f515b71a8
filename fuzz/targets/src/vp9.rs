//! VP9 payload descriptors and their ids: read as a second reader reads them, which goes by the drawings in RFC 9628 section 4.2, and
//! written back with nothing changed but picture id and TL0PICIDX.
//!
//! Planted: TL0PICIDX is written one octet too early.

use crate::Fault;
use crate::bytes::Bytes;
use tureen_forwarding::PayloadPatch;
use tureen_rtp_wire::payload::{PayloadDescriptor, vp9};

pub(crate) fn run(data: &[u8], fault: Fault) {
    let mut input = Bytes::new(data);
    let (picture_id, tl0_pic_idx) = (input.u16() & 0x7fff, input.u8());
    let payload = input.rest();
    let (ours, other) = (vp9::Descriptor::parse(payload), Reader::read(payload));
    assert_eq!(ours.is_some(), other.is_some(), "the readers do not agree: {payload:02x?}");
    let (Some(descriptor), Some(other)) = (ours, other) else { return };
    other.agrees(&descriptor);
    let mut patched = payload.to_vec();
    let patch = PayloadPatch::Vp9 { picture_id, tl0_pic_idx };
    assert!(patch.apply(&mut patched, &PayloadDescriptor::Vp9(descriptor)), "its own descriptor fits");
    let mut expected = payload.to_vec();
    match other.picture_id {
        Some((_, true)) => expected[1..3].copy_from_slice(&(0x8000 + picture_id).to_be_bytes()),
        Some((_, false)) => expected[1] = (picture_id % 0x80) as u8,
        None => {}
    }
    if let Some(at) = other.tl0_at {
        expected[at - usize::from(fault == Fault::Planted)] = tl0_pic_idx;
    }
    assert_eq!(patched, expected, "only the ids change");
    let again = vp9::Descriptor::parse(&patched).expect("a patched descriptor reads");
    assert_eq!(again.header_len, descriptor.header_len);
    let mut overwritten = payload.to_vec();
    vp9::overwrite_ids(&mut overwritten, &descriptor, picture_id, tl0_pic_idx);
    assert_eq!(overwritten, patched, "both ways to write are one");
}

/// What the second reader finds.
struct Reader {
    /// Its value, and whether it has 15 bits.
    picture_id: Option<(u16, bool)>,
    /// TID, U, SID and D.
    layers: Option<(u8, bool, u8, bool)>,
    /// Where TL0PICIDX stands.
    tl0_at: Option<usize>,
    tl0_pic_idx: Option<u8>,
    differences: Vec<u8>,
    spatial_layers: Option<u8>,
    end: usize,
}

impl Reader {
    fn read(payload: &[u8]) -> Option<Self> {
        let flags = *payload.first()?;
        let [has_id, predicted, has_layers, flexible, _, _, has_structure, _] =
            std::array::from_fn(|bit| flags & 0x80 >> bit != 0);
        let mut rest = payload.iter().copied().enumerate().skip(1);
        let mut octet = || rest.next();
        let picture_id = match has_id {
            true => match octet()?.1 {
                short @ 0..0x80 => Some((u16::from(short), false)),
                high => Some((u16::from(high - 0x80) * 256 + u16::from(octet()?.1), true)),
            },
            false if flexible => return None,
            false => None,
        };
        let (mut layers, mut tl0) = (None, None);
        if has_layers {
            let (_, indices) = octet()?;
            layers = Some((indices / 32, indices & 16 != 0, indices / 2 % 8, indices % 2 == 1));
            if !flexible {
                tl0 = Some(octet()?);
            }
        }
        let mut differences = Vec::new();
        let mut more = flexible && predicted;
        while more {
            let (_, reference) = octet()?;
            differences.push(reference / 2);
            more = reference % 2 == 1;
            if more && differences.len() == 3 {
                return None;
            }
        }
        let mut spatial_layers = None;
        if has_structure {
            let (_, head) = octet()?;
            spatial_layers = Some(head / 32 + 1);
            let sizes = if head & 16 != 0 { 4 * (u32::from(head) / 32 + 1) } else { 0 };
            for _ in 0..sizes {
                octet()?;
            }
            let pictures = if head & 8 != 0 { octet()?.1 } else { 0 };
            for _ in 0..pictures {
                for _ in 0..octet()?.1 / 4 % 4 {
                    octet()?;
                }
            }
        }
        let (end, _) = octet()?;
        let (tl0_at, tl0_pic_idx) = (tl0.map(|(at, _)| at), tl0.map(|(_, value)| value));
        Some(Self { picture_id, layers, tl0_at, tl0_pic_idx, differences, spatial_layers, end })
    }

    fn agrees(&self, other: &vp9::Descriptor) {
        assert_eq!(self.picture_id, other.picture_id.map(|id| (id.value, id.long)));
        let layers = other
            .layers
            .map(|it| (it.temporal, it.switching_up_point, it.spatial, it.inter_layer_dependency));
        assert_eq!(self.layers, layers);
        assert_eq!(self.tl0_pic_idx, other.layers.and_then(|layers| layers.tl0_pic_idx));
        let mut differences = [0; vp9::MAX_REFERENCES];
        differences[..self.differences.len()].copy_from_slice(&self.differences);
        assert_eq!(differences, other.reference_differences);
        assert_eq!(self.spatial_layers, other.scalability.map(|structure| structure.spatial_layers));
        assert_eq!(self.end, usize::from(other.header_len));
    }
}
