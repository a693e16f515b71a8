//! What a packet says of its frame. Must not know what becomes of it.
//!
//! A dependency descriptor is believed alone: the payload may be encrypted end to end, and then says anything.

use crate::codec::Content;
use tureen_forwarding::{ActiveLayers, DecodeTargets, FrameLayers, PacketMeta, SequenceUnwrapper};
use tureen_rtp_wire::Time;
use tureen_rtp_wire::dependency_descriptor::{DependencyDescriptor, TemplateStructure};
use tureen_rtp_wire::payload::PayloadDescriptor;
use tureen_rtp_wire::rtp::RtpPacket;

/// Reads the packets of one stream.
#[derive(Clone, Debug, Default)]
pub(crate) struct Describer {
    /// What the stream's dependency descriptors refer to; none before the first.
    dependencies: Option<Box<Dependencies>>,
}

#[derive(Clone, Debug, Default)]
struct Dependencies {
    structure: TemplateStructure,
    targets: DecodeTargets,
    /// The layers that are sent now, if those are not all.
    active: Option<ActiveLayers>,
    order: SequenceUnwrapper,
    /// The extended sequence number of the packet that said so last.
    since: u64,
}

/// A packet this far behind is no late one: the stream counts anew.
const LATEST: u64 = 1000;

/// What one packet says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Description {
    pub(crate) is_key_frame: bool,
    pub(crate) spatial_layer: u8,
    pub(crate) temporal_layer: u8,
    content: Content,
    payload: PayloadDescriptor,
    layers: FrameLayers,
}

impl Description {
    fn of_payload(content: Content, payload: PayloadDescriptor) -> Self {
        Self {
            is_key_frame: payload.is_key_frame(),
            spatial_layer: payload.spatial_layer(),
            temporal_layer: payload.temporal_layer(),
            content,
            payload,
            layers: FrameLayers::of_payload(&payload),
        }
    }

    /// The payload type of the media; of RED, that of its primary block.
    pub(crate) fn payload_type(&self) -> u8 {
        self.content.payload_type
    }

    /// The facts about the packet, in its place.
    pub(crate) fn meta(
        &self,
        now: Time,
        extended_sequence: u64,
        encoding: u8,
        packet: &RtpPacket<'_>,
    ) -> PacketMeta {
        PacketMeta {
            is_key_frame: self.is_key_frame,
            spatial_layer: self.spatial_layer,
            temporal_layer: self.temporal_layer,
            layers: self.layers,
            primary: self.content.primary,
            ..PacketMeta::new(now, extended_sequence, encoding, packet, self.payload)
        }
    }
}

impl Describer {
    /// `None` if nothing tells of the packet: it has no dependency descriptor under the id `dependencies`, and its payload
    /// breaks its format. Padding alone says nothing, which is fine.
    pub(crate) fn describe(
        &mut self,
        content: Content,
        dependencies: Option<u8>,
        packet: &RtpPacket<'_>,
    ) -> Option<Description> {
        if packet.payload().is_empty() {
            return Some(Description::of_payload(content, PayloadDescriptor::Opaque));
        }
        let payload = PayloadDescriptor::parse(content.format, content.of(packet.payload()));
        match dependencies.and_then(|id| packet.extension(id)) {
            Some(value) => {
                let payload = payload.unwrap_or(PayloadDescriptor::Opaque);
                Some(self.by_dependencies(packet.sequence_number(), value, content, payload))
            }
            None => payload.map(|payload| Description::of_payload(content, payload)),
        }
    }

    fn by_dependencies(
        &mut self,
        number: u16,
        value: &[u8],
        content: Content,
        payload: PayloadDescriptor,
    ) -> Description {
        let dependencies = self.dependencies.get_or_insert_default();
        let place = dependencies.order.unwrap(u32::from(number));
        if (1..LATEST).contains(&dependencies.since.saturating_sub(place)) {
            // What it says of the stream is outdated: it came late, or was repaired.
            return Dependencies::clone(dependencies).read(place, value, content, payload);
        }
        dependencies.read(place, value, content, payload)
    }

    /// The layers that the stream has now, if it said that it has not all of them.
    pub(crate) fn active_layers(&self) -> Option<ActiveLayers> {
        self.dependencies.as_ref().and_then(|dependencies| dependencies.active)
    }
}

impl Dependencies {
    fn read(
        &mut self,
        place: u64,
        value: &[u8],
        content: Content,
        payload: PayloadDescriptor,
    ) -> Description {
        let Self { structure, targets, active, since, .. } = self;
        let Ok(found) = DependencyDescriptor::parse(value, structure) else {
            // Its structure was lost, so that it is no key frame.
            let layers = FrameLayers::UNKNOWN;
            return Description {
                is_key_frame: false,
                spatial_layer: 0,
                temporal_layer: 0,
                content,
                payload,
                layers,
            };
        };
        if found.has_structure {
            *targets = DecodeTargets::new(structure);
        }
        if let Some(mask) = found.active_decode_targets {
            *since = place;
            *active = targets.active_layers(mask).filter(|_| mask != structure.all_decode_targets());
        }
        Description {
            // A structure comes with a key frame (section A.4 of the AV1 payload format).
            is_key_frame: found.has_structure && found.mandatory.start_of_frame,
            spatial_layer: found.frame.spatial_id,
            temporal_layer: found.frame.temporal_id,
            content,
            payload,
            layers: targets.frame_layers(&found),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tureen_rtp_wire::dependency_descriptor::{
        DecodeTargetIndication, DecodeTargetIndications, FrameDependencies, MandatoryFields, Template,
    };
    use tureen_rtp_wire::payload::PayloadFormat;

    const ID: u8 = 3;

    fn content(format: PayloadFormat) -> Content {
        Content { payload_type: 96, format, primary: None }
    }

    fn structure() -> TemplateStructure {
        let template = |temporal_id| Template {
            temporal_id,
            indications: DecodeTargetIndications::default().with(0, DecodeTargetIndication::Required),
            ..Template::default()
        };
        TemplateStructure::new(0, 1, &[template(0), template(1)], 0, &[], None).expect("a structure")
    }

    /// An RTP packet whose payload is noise, with a dependency descriptor.
    fn packet(template_id: u8, has_structure: bool, start_of_frame: bool) -> Vec<u8> {
        of_structure(&structure(), 1, template_id, has_structure, start_of_frame)
    }

    fn of_structure(
        structure: &TemplateStructure,
        number: u8,
        template_id: u8,
        has_structure: bool,
        start_of_frame: bool,
    ) -> Vec<u8> {
        let frame = FrameDependencies::of_template(structure.template(template_id).expect("a template"));
        let mandatory = MandatoryFields { start_of_frame, end_of_frame: true, template_id, frame_number: 7 };
        let descriptor =
            DependencyDescriptor { mandatory, has_structure, active_decode_targets: None, frame };
        let mut value = [0; 64];
        let len = descriptor.write(structure, &mut value).expect("room");
        let mut bytes = vec![0x90, 96, 0, number, 0, 0, 0, 1, 0, 0, 0, 2, 0xbe, 0xde, 0, 0];
        bytes.push(ID << 4 | u8::try_from(len - 1).expect("short"));
        bytes.extend_from_slice(&value[..len]);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes[15] = u8::try_from((bytes.len() - 16) / 4).expect("short");
        bytes.extend_from_slice(&[0xff; 20]);
        bytes
    }

    fn describe(describer: &mut Describer, bytes: &[u8]) -> Option<(bool, u8)> {
        let packet = RtpPacket::parse(bytes).expect("a packet");
        let description = describer.describe(content(PayloadFormat::Av1), Some(ID), &packet)?;
        Some((description.is_key_frame, description.temporal_layer))
    }

    #[test]
    fn an_encrypted_payload_is_told_by_its_dependency_descriptor() {
        let mut describer = Describer::default();
        assert_eq!(describe(&mut describer, &packet(1, false, true)), Some((false, 0)), "no structure yet");
        assert_eq!(describe(&mut describer, &packet(0, true, true)), Some((true, 0)));
        assert_eq!(describe(&mut describer, &packet(0, true, false)), Some((false, 0)), "amid the key frame");
        assert_eq!(describe(&mut describer, &packet(1, false, true)), Some((false, 1)));
    }

    #[test]
    fn a_structure_that_was_repaired_late_changes_nothing() {
        let template = |temporal_id| Template {
            temporal_id,
            indications: DecodeTargetIndications::default().with(0, DecodeTargetIndication::Required),
            ..Template::default()
        };
        // The same templates under other ids.
        let newer = TemplateStructure::new(10, 1, &[template(0), template(1)], 0, &[], None).unwrap();
        let mut describer = Describer::default();
        let mut read = |bytes: &[u8]| describe(&mut describer, bytes);
        assert_eq!(read(&of_structure(&newer, 9, 10, true, true)), Some((true, 0)));
        assert_eq!(read(&of_structure(&structure(), 5, 0, true, true)), Some((true, 0)), "of its own");
        assert_eq!(read(&of_structure(&newer, 10, 11, false, true)), Some((false, 1)));
    }

    #[test]
    fn without_a_descriptor_the_payload_has_to_parse() {
        let bytes = packet(0, true, true);
        let packet = RtpPacket::parse(&bytes).expect("a packet");
        assert_eq!(Describer::default().describe(content(PayloadFormat::Av1), None, &packet), None);
        assert!(Describer::default().describe(content(PayloadFormat::Opaque), None, &packet).is_some());
    }
}
