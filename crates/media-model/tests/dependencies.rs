//! Layers of a stream whose payload says nothing: told by dependency descriptors alone, as with AV1 and with media that is encrypted end
//! to end.

mod support;

use support::{Bench, packet_with, vp8_parameters};
use tureen_media_model::{Consume, ConsumerEvent, ConsumerInfo, Event, SetPreferredLayers};
use tureen_rtp_dictionaries::{HeaderExtensionUri, MediaKind, MediaLayers, RtpParameters};
use tureen_rtp_wire::dependency_descriptor::{
    self, DecodeTargetIndication, DecodeTargetIndications, DependencyDescriptor, Fdiffs, FrameDependencies,
    MandatoryFields, Template, TemplateStructure,
};
use tureen_rtp_wire::rtcp::{Compound, RtcpPacket, RtcpWriter};
use tureen_rtp_wire::rtp::{RtpHeader, RtpPacket};

const SSRC: u32 = 1000;
const EXTENSION: u8 = 3;

/// Two spatial and two temporal layers; spatial layers refer to the one below in key pictures alone. Pairs of templates: that of key
/// pictures, if there is one, and those of the temporal layers.
fn structure() -> TemplateStructure {
    let rows =
        [(0, 0, "SSSS"), (0, 0, "SS--"), (0, 1, "-D--"), (1, 0, "--SS"), (1, 0, "--SS"), (1, 1, "---D")];
    let templates = rows.map(|(spatial_id, temporal_id, row)| {
        let letters = row.chars().enumerate();
        let indications = letters.fold(DecodeTargetIndications::default(), |all, (target, letter)| {
            let indication = match letter {
                'S' => DecodeTargetIndication::Switch,
                'D' => DecodeTargetIndication::Discardable,
                _ => DecodeTargetIndication::NotPresent,
            };
            all.with(target, indication)
        });
        Template { spatial_id, temporal_id, indications, ..Template::default() }
    });
    TemplateStructure::new(0, 4, &templates, 0, &[], None).unwrap()
}

fn parameters() -> RtpParameters {
    let mut parameters = serde_json::to_value(vp8_parameters(SSRC)).unwrap();
    parameters["codecs"] = serde_json::json!([{
        "mimeType": "video/VP9", "clockRate": 90000, "payloadType": 98,
        "rtcpFeedback": [{"type": "nack"}, {"type": "nack", "parameter": "pli"}]
    }]);
    parameters["encodings"] = serde_json::json!([{"ssrc": SSRC, "scalabilityMode": "L2T2_KEY"}]);
    parameters["headerExtensions"] =
        serde_json::json!([{"uri": dependency_descriptor::URI, "id": EXTENSION}]);
    serde_json::from_value(parameters).unwrap()
}

/// A publisher whose pictures alternate between temporal layer 0 and 1, and a viewer.
struct Call {
    bench: Bench,
    consumer: ConsumerInfo,
    picture: u32,
    number: u16,
    /// How many spatial layers are sent, and whether the next key picture is to say so.
    spatial_layers: u8,
    /// The least octets of a descriptor that brings a structure; zeros behind what it needs.
    padded: usize,
}

/// What the viewer got of a picture: the spatial and temporal layer of each packet, and its marker.
type Got = Vec<(u8, u8, bool)>;

impl Call {
    fn new() -> Self {
        let mut bench = Bench::new();
        let (source, target) = (bench.transport(1), bench.transport(2));
        let producer = bench.produce(source, MediaKind::Video, parameters());
        let mut options = bench.consumer_options(producer.id);
        let mut capabilities = serde_json::to_value(&options.rtp_capabilities).unwrap();
        let extensions = capabilities["headerExtensions"].as_array_mut().unwrap();
        let extension = serde_json::json!({
            "kind": "video", "uri": dependency_descriptor::URI, "preferredId": 7
        });
        extensions.push(extension);
        options.rtp_capabilities = serde_json::from_value(capabilities).unwrap();
        let consumer = bench.ask(Consume { transport: target, options }).unwrap();
        Self { bench, consumer, picture: 0, number: 100, spatial_layers: 2, padded: 0 }
    }

    /// Sends a picture, a packet a frame. `news` is what its first packet says of the targets that are active from then on.
    fn picture(&mut self, key: bool, news: Option<u32>) -> Got {
        let sent = self.send(key, news);
        let packets = sent.iter().map(|bytes| RtpPacket::parse(bytes).unwrap());
        packets.map(|packet| (packet.payload()[1], packet.payload()[2], packet.marker())).collect()
    }

    /// The same; gives what the viewer was sent.
    fn send(&mut self, key: bool, news: Option<u32>) -> Vec<Vec<u8>> {
        let temporal = if key { 0 } else { (self.picture % 2) as u8 };
        for spatial in 0..self.spatial_layers {
            self.frame(key, spatial, temporal, news.filter(|_| spatial == 0));
        }
        let (sent, _) = self.bench.sent_to(2);
        self.picture += 1;
        self.bench.pass(33);
        sent
    }

    fn frame(&mut self, key: bool, spatial: u8, temporal: u8, news: Option<u32>) {
        let structure = structure();
        let template_id = 3 * spatial + if key { 0 } else { 1 + temporal };
        let template = structure.template(template_id).unwrap();
        let has_structure = key && spatial == 0;
        let implied = has_structure.then(|| structure.all_decode_targets());
        let fdiffs: &[u16] = match (key, spatial) {
            (true, 0) => &[],
            (true, _) => &[1],
            (false, _) => &[2],
        };
        let descriptor = DependencyDescriptor {
            mandatory: MandatoryFields {
                start_of_frame: true,
                end_of_frame: true,
                template_id,
                frame_number: 2 * self.picture as u16 + u16::from(spatial),
            },
            has_structure,
            active_decode_targets: news.or(implied),
            frame: FrameDependencies {
                fdiffs: Fdiffs::new(fdiffs).unwrap(),
                ..FrameDependencies::of_template(template)
            },
        };
        let mut value = [0; 32];
        let needed = descriptor.write(&structure, &mut value).unwrap();
        let len = if has_structure { needed.max(self.padded) } else { needed };
        let header = RtpHeader {
            marker: spatial + 1 == self.spatial_layers,
            payload_type: 98,
            sequence_number: self.number,
            timestamp: self.picture * 3000,
            ssrc: SSRC,
        };
        self.number += 1;
        // The payload is noise but for two octets, by which the test knows the frame again.
        let payload = [0xff, spatial, temporal, 0xff];
        self.bench.receive(1, &packet_with(&header, &[(EXTENSION, &value[..len])], &payload));
    }

    /// The dependency descriptor in a packet for the viewer.
    fn descriptor<'a>(&self, packet: &'a [u8]) -> &'a [u8] {
        let extensions = &self.consumer.rtp_parameters.header_extensions;
        let is_it = |uri: &HeaderExtensionUri| *uri == HeaderExtensionUri::DependencyDescriptor;
        let id = extensions.iter().find(|extension| is_it(&extension.uri)).unwrap().id;
        RtpPacket::parse(packet).unwrap().extension(id).unwrap()
    }

    /// What the packets say of active decode targets.
    fn masks(&self, packets: &[Vec<u8>]) -> Vec<Option<u32>> {
        let mask = |packet: &Vec<u8>| {
            let found = DependencyDescriptor::parse(self.descriptor(packet), &mut structure()).unwrap();
            found.active_decode_targets
        };
        packets.iter().map(mask).collect()
    }

    /// How often a packet is sent again that the viewer says it has lost: as it was, but for the time at which it is sent.
    fn repeats(&mut self, packet: &[u8]) -> usize {
        let number = RtpPacket::parse(packet).unwrap().sequence_number();
        let ssrc = self.consumer.rtp_parameters.encodings[0].ssrc.unwrap();
        let mut nack = [0; 100];
        let mut writer = RtcpWriter::new(&mut nack);
        writer.receiver_report(5, &[]).unwrap();
        writer.nack(5, ssrc, [number]).unwrap();
        let len = writer.finish();
        self.bench.receive(2, &nack[..len]);
        let (again, _) = self.bench.sent_to(2);
        let essence = |packet: &[u8]| {
            let view = RtpPacket::parse(packet).unwrap();
            let numbers = (view.sequence_number(), view.timestamp(), view.marker());
            (numbers, self.descriptor(packet).to_vec(), view.payload().to_vec())
        };
        again.iter().for_each(|repeat| assert_eq!(essence(repeat), essence(packet)));
        again.len()
    }

    fn asked(&mut self) -> bool {
        let (_, compounds) = self.bench.sent_to(1);
        let mut packets = compounds.iter().flat_map(|bytes| Compound::parse(bytes).unwrap());
        packets.any(|packet| matches!(packet, Ok(RtcpPacket::Pli(_))))
    }

    fn prefer(&mut self, spatial_layer: u8, temporal_layer: u8) {
        let layers = MediaLayers { spatial_layer, temporal_layer: Some(temporal_layer) };
        self.bench.ask(SetPreferredLayers { id: self.consumer.id, layers }).unwrap().expect("it has layers");
    }

    /// The layers that were told last.
    fn told(&mut self) -> Option<(u8, u8)> {
        let mut layers = self.bench.events().into_iter().filter_map(|event| match event {
            Event::Consumer(_, ConsumerEvent::Layers(layers)) => Some(layers),
            _ => None,
        });
        layers.next_back().flatten().map(|layers| (layers.spatial_layer, layers.temporal_layer.unwrap()))
    }
}

#[test]
fn frames_that_other_layers_need_are_left_out() {
    let mut call = Call::new();
    assert_eq!(call.picture(true, None), [(0, 0, false), (1, 0, true)], "a key picture is needed whole");
    assert_eq!(call.told(), Some((1, 1)));
    assert_eq!(call.picture(false, None), [(1, 1, true)], "the upper layer refers to itself");
    assert_eq!(call.picture(false, None), [(1, 0, true)]);
    call.prefer(1, 0);
    assert_eq!(call.picture(false, None), []);
    assert_eq!(call.told(), Some((1, 0)));
    assert_eq!(call.picture(false, None), [(1, 0, true)]);
    call.prefer(1, 1);
    assert_eq!(call.picture(false, None), [], "not entered amid a layer");
    assert_eq!(call.picture(false, None), [(1, 0, true)]);
    assert_eq!(call.picture(false, None), [(1, 1, true)]);
    assert_eq!(call.told(), Some((1, 1)));
}

#[test]
fn a_lower_layer_that_was_left_out_takes_a_key_frame() {
    let mut call = Call::new();
    call.picture(true, None);
    call.bench.pass(1100);
    call.asked();
    call.prefer(0, 1);
    assert!(call.asked(), "at once");
    assert_eq!(call.picture(false, None), [(1, 1, true)], "the upper one goes on meanwhile");
    assert_eq!(call.picture(true, None), [(0, 0, true)]);
    assert_eq!(call.told(), Some((0, 1)));
    assert_eq!(call.picture(false, None), [(0, 1, true)]);
}

#[test]
fn a_layer_that_is_no_longer_sent_is_left_and_rejoined() {
    let mut call = Call::new();
    call.picture(true, None);
    assert_eq!(call.told(), Some((1, 1)));
    call.bench.pass(1100);
    call.asked();
    // The publisher goes down to its base layer (targets 0 and 1), and says so.
    call.spatial_layers = 1;
    assert_eq!(call.picture(false, Some(0b0011)), [], "what it refers to was left out");
    assert!(call.asked(), "so a key frame is needed");
    assert_eq!(call.picture(true, Some(0b0011)), [(0, 0, true)]);
    assert_eq!(call.told(), Some((0, 1)));
    assert_eq!(call.picture(false, None), [(0, 1, true)]);
    call.spatial_layers = 2;
    assert_eq!(call.picture(true, None), [(0, 0, false), (1, 0, true)]);
    assert_eq!(call.told(), Some((1, 1)));
}

/// A viewer who wanted the lowest layers of a call, and got them.
fn lowest(padded: usize) -> (Call, Vec<Vec<u8>>) {
    let mut call = Call { padded, ..Call::new() };
    let first = call.send(true, None);
    assert_eq!(call.masks(&first), [Some(0b1111), None], "who gets all layers is told of all");
    call.bench.pass(1100);
    call.asked();
    call.prefer(0, 0);
    let sent = call.send(true, None);
    (call, sent)
}

#[test]
fn who_gets_lower_layers_is_told_of_no_higher_targets() {
    let (mut call, mut sent) = lowest(0);
    assert_eq!(call.masks(&sent), [Some(0b0001)], "with the structure");
    // Then temporal layers 0 and 1 by turns.
    call.prefer(0, 1);
    sent.extend(call.send(false, None));
    sent.extend(call.send(false, None));
    sent.extend(call.send(false, None));
    assert_eq!(call.masks(&sent[1..]), [Some(0b0011), None, None], "once, where it is entered");
    call.prefer(0, 0);
    for _ in 0..3 {
        sent.extend(call.send(false, None));
    }
    assert_eq!(call.masks(&sent[4..]), [Some(0b0001)], "and where it is left");
    for first in sent {
        assert_eq!(call.repeats(&first), 1);
    }
    let news = call.send(false, Some(0b0011));
    assert_eq!(call.masks(&news), [Some(0b0001)], "of what the publisher sends");
    assert_eq!(call.repeats(&news[0]), 1);
}

#[test]
fn who_gets_all_layers_again_is_told_of_all() {
    let (mut call, _) = lowest(0);
    call.bench.pass(1100);
    call.asked();
    call.prefer(1, 1);
    let sent = call.send(true, None);
    assert_eq!(call.masks(&sent), [Some(0b1111), None]);
    assert_eq!(call.told(), Some((1, 1)));
    call.prefer(1, 0);
    call.send(false, None);
    let lower = call.send(false, None);
    assert_eq!(call.masks(&lower), [Some(0b0100)], "the base layer's own targets need what is left out");
    call.prefer(1, 1);
    call.send(false, None);
    let whole = call.send(false, None);
    assert_eq!(call.masks(&whole), [Some(0b1111)], "without a structure");
    assert_eq!(call.repeats(&whole[0]), 1);
}

#[test]
fn what_was_said_by_another_structure_is_not_sent_again() {
    let (mut call, sent) = lowest(0);
    // Another set of targets is active: what the first key picture said is not known any more.
    call.send(false, None);
    call.send(false, Some(0b0111));
    assert_eq!(call.repeats(&sent[0]), 0);
    let next = call.send(true, None);
    assert_eq!(call.repeats(&next[0]), 1);
}

#[test]
fn a_mask_takes_no_more_room_than_the_form_has() {
    for (padded, expected) in [(0, 0b0001), (16, 0b1111), (17, 0b0001), (31, 0b0001)] {
        let (mut call, sent) = lowest(padded);
        assert_eq!(call.masks(&sent), [Some(expected)], "{padded}");
        assert_eq!(call.repeats(&sent[0]), 1);
    }
}
