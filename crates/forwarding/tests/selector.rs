//! What each kind of selector is to those who send by it: packets, retransmissions, sender reports, requests for key frames.

use tureen_forwarding::{
    DecodeTargets, DescriptorChange, DropReason, FrameLayers, PacketMeta, PipeSelector, SelectedLayers,
    Selector, SimpleSelector, SimpleSelectorConfig, SimulcastSelector, SimulcastSelectorConfig,
    StreamTargets, Verdict, clock_alignment,
};
use tureen_rtp_wire::dependency_descriptor::{
    DecodeTargetIndication, DecodeTargetIndications, DependencyDescriptor, FrameDependencies,
    MandatoryFields, MaskPlace, Template, TemplateStructure,
};
use tureen_rtp_wire::payload::{PayloadDescriptor, PayloadFormat};
use tureen_rtp_wire::rtcp::SenderInfo;
use tureen_rtp_wire::{NtpTime, Time};

const CLOCK_RATE: u32 = 90_000;
/// The first sequence number that is sent.
const FIRST: u16 = 60_000;
/// Where the clock of encoding 1 stands when that of encoding 0 stands at 0.
const CLOCK_OF_ONE: u32 = 1_000_000;
const ALL: u8 = u8::MAX;

fn simple(first_sequence_number: u16) -> SimpleSelectorConfig {
    SimpleSelectorConfig {
        needs_key_frame: true,
        ignore_dtx: false,
        clock_rate: CLOCK_RATE,
        first_sequence_number,
    }
}

fn simulcast(needs_key_frame: bool) -> SimulcastSelector {
    SimulcastSelector::new(SimulcastSelectorConfig {
        needs_key_frame,
        clock_rate: CLOCK_RATE,
        first_sequence_number: FIRST,
    })
}

/// One of each kind, to which encoding 1 is sent.
fn of_each_kind() -> [Selector; 3] {
    let mut target_one = simulcast(true);
    target_one.set_target(1, ALL);
    [
        Selector::Simple(Box::new(SimpleSelector::new(simple(FIRST)))),
        Selector::Pipe(PipeSelector::new([simple(20_000), simple(FIRST)])),
        Selector::Simulcast(Box::new(target_one)),
    ]
}

/// A packet that is a whole frame; frames of all encodings come every 10 ms, by their number.
fn frame(encoding: u8, number: u64, is_key_frame: bool) -> PacketMeta {
    PacketMeta {
        received_at: Time::from_millis(number * 10),
        extended_sequence: 65_536 + 1000 * u64::from(encoding) + number,
        timestamp: number as u32 * 900 + CLOCK_OF_ONE * u32::from(encoding),
        payload_size: 1000,
        encoding,
        spatial_layer: 0,
        temporal_layer: 0,
        marker: true,
        is_key_frame,
        primary: None,
        descriptor: PayloadDescriptor::Opaque,
        layers: FrameLayers::UNKNOWN,
    }
}

/// Two temporal layers, of which decode target 1 needs both.
fn structure() -> TemplateStructure {
    let template = |temporal_id, targets: &[usize]| Template {
        temporal_id,
        indications: targets.iter().fold(DecodeTargetIndications::default(), |all, target| {
            all.with(*target, DecodeTargetIndication::Switch)
        }),
        ..Template::default()
    };
    let templates = [template(0, &[0, 1]), template(1, &[1])];
    TemplateStructure::new(0, 2, &templates, 0, &[], None).expect("a structure")
}

/// A packet with this dependency descriptor.
fn described(meta: PacketMeta, descriptor: &DependencyDescriptor) -> PacketMeta {
    PacketMeta { layers: DecodeTargets::new(&structure()).frame_layers(descriptor), ..meta }
}

fn descriptor(temporal_layer: u8, frame_number: u16, first: bool, last: bool) -> DependencyDescriptor {
    let template = *structure().template(temporal_layer).expect("a template for each layer");
    DependencyDescriptor {
        mandatory: MandatoryFields {
            start_of_frame: first,
            end_of_frame: last,
            template_id: temporal_layer,
            frame_number,
        },
        has_structure: false,
        active_decode_targets: None,
        frame: FrameDependencies::of_template(&template),
    }
}

/// A packet that is the whole frame with this number.
fn numbered(meta: PacketMeta, frame_number: u16) -> PacketMeta {
    described(meta, &descriptor(0, frame_number, true, true))
}

fn outcome(verdict: Verdict) -> Result<(u16, u32), DropReason> {
    match verdict {
        Verdict::Forward(rewrite) => Ok((rewrite.sequence_number, rewrite.timestamp)),
        Verdict::Drop(reason) => Err(reason),
    }
}

/// The first packet of another stream of encoding 1: 30 ms after [`frame`] 1, with numbers and a clock of its own.
fn of_another_stream(is_key_frame: bool) -> PacketMeta {
    PacketMeta { extended_sequence: 90_000, timestamp: 4_000_000_000, ..frame(1, 4, is_key_frame) }
}

#[test]
fn an_exchanged_stream_is_waited_for_and_goes_on_in_number_and_time() {
    for mut selector in of_each_kind() {
        assert!(selector.needs_key_frame(1));
        let (_, first) = outcome(selector.decide(&frame(1, 1, true))).expect("a key frame");
        assert!(!selector.needs_key_frame(1));
        selector.source_changed(1);
        assert!(selector.needs_key_frame(1), "{selector:?}");
        let waiting = Err(DropReason::WaitingForKeyFrame);
        assert_eq!(outcome(selector.decide(&of_another_stream(false))), waiting);
        let next = outcome(selector.decide(&of_another_stream(true)));
        assert_eq!(next, Ok((FIRST + 1, first + 2700)), "30 ms later");
        assert!(!selector.needs_key_frame(1));
    }
}

#[test]
fn frame_numbers_rise_over_an_exchange_and_what_is_sent_again_keeps_its_own() {
    for mut selector in of_each_kind() {
        assert!(outcome(selector.decide(&numbered(frame(1, 1, true), 500))).is_ok());
        assert_eq!(selector.descriptor_change(1, FIRST), Some(DescriptorChange::NONE));
        selector.source_changed(1);
        assert!(outcome(selector.decide(&numbered(of_another_stream(true), 7))).is_ok());
        let change = selector.descriptor_change(1, FIRST + 1).expect("it is known");
        assert_eq!(change.frame_number_offset, 501 - 7);
        assert_eq!(selector.descriptor_change(1, FIRST), Some(DescriptorChange::NONE), "sent again");
    }
}

#[test]
fn how_far_timestamps_are_moved_is_not_told_of_a_stream_before_it_is_sent() {
    for mut selector in of_each_kind() {
        assert_eq!(selector.timestamp_offset(1), None);
        assert!(outcome(selector.decide(&frame(1, 1, true))).is_ok());
        assert_eq!(selector.timestamp_offset(1), Some(0));
        selector.source_changed(1);
        assert_eq!(selector.timestamp_offset(1), None, "that of the stream before says nothing of this one");
        let other = of_another_stream(true);
        let (_, timestamp) = outcome(selector.decide(&other)).expect("a key frame");
        assert_eq!(selector.timestamp_offset(1), Some(timestamp.wrapping_sub(other.timestamp)));
    }
}

#[test]
fn the_next_sequence_number_is_the_one_that_the_next_packet_gets() {
    for mut selector in of_each_kind() {
        assert_eq!(selector.next_sequence_number(1), Some(FIRST));
        assert_eq!(outcome(selector.decide(&frame(1, 1, true))), Ok((FIRST, 900 + CLOCK_OF_ONE)));
        let padding = PacketMeta { payload_size: 0, ..frame(1, 2, false) };
        assert_eq!(outcome(selector.decide(&padding)), Err(DropReason::PaddingOnly));
        assert_eq!(selector.next_sequence_number(1), Some(FIRST + 1));
        assert_eq!(outcome(selector.decide(&frame(1, 3, false))), Ok((FIRST + 1, 2700 + CLOCK_OF_ONE)));
    }
}

#[test]
fn streams_of_a_pipe_do_not_feel_that_another_is_exchanged() {
    let [_, mut selector, _] = of_each_kind();
    for encoding in [0, 1] {
        assert!(outcome(selector.decide(&numbered(frame(encoding, 1, true), 500))).is_ok());
    }
    selector.source_changed(1);
    assert!(selector.needs_key_frame(1) && !selector.needs_key_frame(0));
    assert_eq!((selector.timestamp_offset(0), selector.timestamp_offset(1)), (Some(0), None));
    assert_eq!(outcome(selector.decide(&frame(0, 2, false))), Ok((20_001, 1800)));
    assert!(outcome(selector.decide(&numbered(of_another_stream(true), 7))).is_ok());
    assert_eq!(selector.descriptor_change(0, FIRST + 1), Some(DescriptorChange::NONE));
    assert_eq!(selector.next_sequence_number(0), Some(20_002));
    assert_eq!(selector.next_sequence_number(1), Some(FIRST + 2));
}

#[test]
fn a_pipe_knows_nothing_of_streams_that_it_does_not_have() {
    let [_, mut selector, _] = of_each_kind();
    selector.source_changed(2);
    assert!(!selector.needs_key_frame(2));
    assert_eq!(selector.timestamp_offset(2), None);
    assert_eq!(selector.next_sequence_number(2), None);
    assert_eq!(selector.descriptor_change(2, FIRST), None);
}

#[test]
fn what_is_wanted_and_what_flows_are_told_apart() {
    let mut selector = simulcast(true);
    assert_eq!((selector.target(), selector.current()), (None, None));
    let layers =
        |encoding, temporal_layer| Some(SelectedLayers { encoding, spatial_layer: ALL, temporal_layer });
    selector.set_target(0, 1);
    assert_eq!((selector.target(), selector.current()), (layers(0, 1), None));
    assert!(outcome(selector.decide(&frame(0, 1, true))).is_ok());
    selector.set_target(1, 2);
    assert!(selector.set_spatial_target(0) && !selector.set_spatial_target(0));
    let target = SelectedLayers { encoding: 1, spatial_layer: 0, temporal_layer: 2 };
    assert_eq!((selector.target(), selector.current()), (Some(target), layers(0, 1)));
    assert!(outcome(selector.decide(&frame(1, 2, true))).is_ok());
    assert_eq!(selector.current(), Some(target));
}

#[test]
fn what_came_of_a_stream_before_it_was_exchanged_is_not_behind_the_key_frame_of_the_next() {
    for (exchanged, expected) in [(0, vec![66_541]), (1, vec![])] {
        let mut selector = simulcast(true);
        selector.set_target(1, ALL);
        let early = frame(1, 5, false);
        assert_eq!(outcome(selector.decide(&early)), Err(DropReason::WaitingForKeyFrame));
        selector.source_changed(exchanged);
        assert!(outcome(selector.decide(&frame(1, 4, true))).is_ok());
        assert_eq!(selector.take_backlog().collect::<Vec<_>>(), expected, "{exchanged}");
    }
}

#[test]
fn one_instant_has_one_timestamp_in_all_encodings_once_reports_tell_their_clocks() {
    let by_arrival = 3600 + 15 * 90;
    for (is_told, expected) in [(false, by_arrival), (true, 5 * 900)] {
        let mut selector = simulcast(true);
        for encoding in [0, 1].into_iter().filter(|_| is_told) {
            let rtp_timestamp = frame(encoding, 0, false).timestamp;
            let ntp = NtpTime(5000 << 32);
            let report = SenderInfo { ntp, rtp_timestamp, packet_count: 0, octet_count: 0 };
            let alignment = clock_alignment(&report, CLOCK_RATE).expect("a wall clock");
            selector.set_alignment(encoding, alignment);
        }
        selector.set_target(0, ALL);
        assert_eq!(outcome(selector.decide(&frame(0, 4, true))), Ok((FIRST, 3600)));
        selector.set_target(1, ALL);
        // It took 5 ms longer than what was sent before.
        let late = PacketMeta { received_at: Time::from_millis(55), ..frame(1, 5, true) };
        assert_eq!(outcome(selector.decide(&late)), Ok((FIRST + 1, expected)), "{is_told}");
        let mut selector = Selector::Simulcast(Box::new(selector));
        assert_eq!(selector.timestamp_offset(1), Some(expected.wrapping_sub(late.timestamp)));
        assert_eq!(selector.timestamp_offset(0), None, "it does not flow any more");
        selector.restart();
        assert_eq!(selector.timestamp_offset(1), None, "nothing flows");
    }
}

#[test]
fn a_key_frame_of_what_flows_waits_once_for_one_of_the_awaited_encoding() {
    let mut selector = simulcast(true);
    selector.set_target(0, ALL);
    assert!(!selector.may_be_replaced(&frame(0, 1, true)), "nothing flows yet");
    assert!(outcome(selector.decide(&frame(0, 1, true))).is_ok());
    assert!(!selector.may_be_replaced(&frame(0, 2, true)), "no other one is awaited");
    selector.set_target(1, ALL);
    assert!(!selector.may_be_replaced(&frame(1, 2, true)), "it is what is awaited");
    assert!(!selector.may_be_replaced(&frame(2, 2, true)), "it is sent in no case");
    assert!(!selector.may_be_replaced(&frame(0, 2, false)), "the awaited key frame comes with no such frame");
    assert!(!selector.may_be_replaced(&frame(0, 0, true)), "what came behind it was sent");
    assert!(!selector.may_be_replaced(&frame(0, 1, true)), "it was sent");
    assert!(selector.may_be_replaced(&frame(0, 2, true)));
    assert!(!selector.may_be_replaced(&frame(0, 2, true)), "it has waited");
    assert!(outcome(selector.decide(&frame(0, 2, true))).is_ok());
    assert!(selector.may_be_replaced(&frame(0, 3, true)), "the next one");
}

#[test]
fn a_key_frame_does_not_wait_while_the_frame_before_it_is_not_through() {
    let mut selector = simulcast(true);
    selector.set_target(0, ALL);
    let begun = PacketMeta { marker: false, ..frame(0, 1, true) };
    assert!(outcome(selector.decide(&begun)).is_ok());
    selector.set_target(1, ALL);
    assert!(!selector.may_be_replaced(&frame(0, 3, true)));
    let ended = PacketMeta { timestamp: begun.timestamp, ..frame(0, 2, false) };
    assert!(outcome(selector.decide(&ended)).is_ok());
    assert!(selector.may_be_replaced(&frame(0, 3, true)));
}

#[test]
fn nothing_waits_for_key_frames_where_there_are_none() {
    let mut selector = simulcast(false);
    selector.set_target(0, ALL);
    assert!(outcome(selector.decide(&frame(0, 1, true))).is_ok());
    selector.set_target(1, ALL);
    assert!(!selector.needs_key_frame(1) && !selector.may_be_replaced(&frame(0, 2, true)));
    assert_eq!(outcome(selector.decide(&frame(1, 3, false))), Ok((FIRST + 1, 2700)));
}

#[test]
fn numbers_kept_for_late_parameter_sets_are_given_to_no_other_frame() {
    let mut selector = simulcast(true);
    selector.set_target(0, ALL);
    let h264 = |meta: PacketMeta, payload: &[u8]| {
        let descriptor = PayloadDescriptor::parse(PayloadFormat::H264, payload).expect("H.264");
        PacketMeta { is_key_frame: descriptor.is_key_frame(), descriptor, ..meta }
    };
    let (slice, key_slice, parameters) = ([0x41, 0x9a], [0x65, 0x88], [0x67, 0x42, 0, 0x1f]);
    let early = h264(frame(0, 1, false), &slice);
    assert_eq!(outcome(selector.decide(&early)), Err(DropReason::WaitingForKeyFrame));
    let key_frame = h264(frame(0, 4, false), &key_slice);
    assert_eq!(outcome(selector.decide(&key_frame)), Ok((FIRST + 2, 3600)));
    // The end of the frame before, and the beginning of the key frame.
    let late = h264(frame(0, 2, false), &slice);
    assert_eq!(outcome(selector.decide(&late)), Err(DropReason::BeforeStart));
    let parameters = h264(PacketMeta { timestamp: 3600, ..frame(0, 3, false) }, &parameters);
    assert_eq!(outcome(selector.decide(&parameters)), Ok((FIRST + 1, 3600)));
    let same_number = h264(PacketMeta { timestamp: 2700, ..frame(0, 4, false) }, &slice);
    assert_eq!(outcome(selector.decide(&same_number)), Err(DropReason::BeforeStart));
}

#[test]
fn the_first_packet_of_the_next_frame_says_that_fewer_layers_come() {
    let mut selector = simulcast(true);
    selector.set_target(0, ALL);
    let mut targets = StreamTargets::default();
    // By number of the packet; two make a frame, the frames are in temporal layers 0 and 1 by turns.
    let described = |number: u64| {
        let (frame_number, last) = ((number / 2) as u16, number % 2 == 1);
        let is_key_frame = number == 0;
        let descriptor = DependencyDescriptor {
            has_structure: is_key_frame,
            ..descriptor((frame_number % 2) as u8, frame_number, !last, last)
        };
        let timestamp = u32::from(frame_number) * 3000;
        let meta = PacketMeta { timestamp, marker: last, ..frame(0, number, is_key_frame) };
        let mut value = [0; 64];
        let len = descriptor.write(&structure(), &mut value).expect("room");
        (described(meta, &descriptor), value[..len].to_vec())
    };
    let mut sent = Vec::new();
    // The first packet of frame 2 comes behind its second one.
    for number in [0, 1, 2, 3, 5, 4, 6, 7, 8, 9, 10, 11, 12, 13] {
        if number == 5 {
            selector.set_target(0, 0);
        }
        let (meta, value) = described(number);
        targets.note(meta.extended_sequence, &value);
        if let Ok((sequence_number, _)) = outcome(selector.decide(&meta)) {
            let change = selector.descriptor_change(sequence_number).expect("it is known");
            sent.push((number, sequence_number, told(&targets, &meta, &change, &value)));
        }
    }
    let numbers: Vec<u64> = sent.iter().map(|(number, ..)| *number).collect();
    assert_eq!(numbers, [0, 1, 2, 3, 5, 4, 8, 9, 12, 13]);
    for (number, sequence_number, mask) in sent {
        assert_eq!(mask, (number == 8).then_some(0b01), "packet {number}");
        let change = selector.descriptor_change(sequence_number).expect("it is known");
        let (meta, value) = described(number);
        assert_eq!(told(&targets, &meta, &change, &value), mask, "packet {number}, sent again");
    }
}

/// The mask of active decode targets that is written into the descriptor of a packet, if one is.
fn told(targets: &StreamTargets, meta: &PacketMeta, change: &DescriptorChange, value: &[u8]) -> Option<u32> {
    let mut out = [0; 64];
    let len = targets.active_targets(meta.extended_sequence, change)?.write(value, &mut out)?;
    MaskPlace::find(&out[..len], 2).expect("it reads").active()
}
