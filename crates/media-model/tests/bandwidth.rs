//! What a viewer gets over a path that carries less than there is: layers by the estimate, packets by the pacer.

mod support;

use proptest::prelude::*;
use support::call::{Call, Show, Telling};
use tureen_media_model::{
    AskForNotes, BweTrace, ContentHint, Event, GetConsumerStats, Note, NoteTopics, Obstacle,
    OutgoingBitrateError, SetMaxOutgoingBitrate, SetMinOutgoingBitrate, SetPreferredLayers, SwitchCause,
    Trace, TraceInfo, TransportEvent, TransportId,
};
use tureen_rtp_dictionaries::MediaLayers;
use tureen_rtp_wire::rtcp::RtcpWriter;

#[test]
fn a_viewer_gets_what_its_path_carries() {
    let mut call = Call::new(5_000_000, Telling::Reports);
    let start = call.layers(8, 500);
    assert_eq!(start.last(), Some(&Some(2)), "{start:?}");
    assert_eq!(call.explain().obstacle, None);

    call.run(11_000);
    call.link.capacity = 400_000;
    let fall = call.layers(4, 500);
    assert_eq!(fall.last(), Some(&Some(0)), "{fall:?}");
    call.run(500);
    let queue = call.link.queue_millis(call.bench.now);
    assert!(queue < 50, "{queue} ms wait in front of the bottleneck");
    let told = call.explain();
    assert!(matches!(told.obstacle, Some(Obstacle::Bandwidth { available_bitrate: 150_000..=450_000 })));
    assert_eq!(told.switches[0].cause, SwitchCause::Bandwidth);
    let path = told.path.unwrap();
    assert!((150_000..=450_000).contains(&path.available_bitrate), "{path:?}");
    assert!((39.0..120.0).contains(&path.round_trip_time), "{path:?}");

    call.link.capacity = 5_000_000;
    let rise = call.layers(10, 500);
    assert_eq!(rise.last(), Some(&Some(2)), "{rise:?}");
}

#[test]
fn a_path_that_turns_narrow_and_wide_again_is_followed() {
    let mut call = Call::new(3_000_000, Telling::Reports);
    call.run(15_000);
    call.link.capacity = 700_000;
    let fall = call.layers(6, 500);
    assert_eq!(fall.last(), Some(&Some(1)), "{fall:?}");
    let narrow = call.layers(34, 500);
    assert!(narrow.iter().all(|layer| *layer == Some(1)), "{narrow:?}");
    call.link.capacity = 3_000_000;
    let rise = call.layers(16, 500);
    assert_eq!(rise.last(), Some(&Some(2)), "{rise:?}");
}

#[test]
fn frames_of_uneven_size_cost_no_layer() {
    let mut call = Call::new(3_000_000, Telling::Reports);
    call.is_uneven = true;
    call.run(8000);
    let before = call.explain().switch_count;
    let layers = call.layers(60, 500);
    assert!(layers.iter().all(|layer| *layer == Some(2)), "{layers:?}");
    assert_eq!(call.explain().switch_count, before);
    for bitrate in granted(&mut call) {
        assert!((1_300_000..1_800_000).contains(&bitrate), "{bitrate}");
    }
}

/// What the layers that are granted are told to take, four times within as many seconds.
fn granted(call: &mut Call) -> Vec<u32> {
    let one = |call: &mut Call| {
        call.run(1000);
        call.explain().path.unwrap().granted_bitrate
    };
    (0..4).map(|_| one(call)).collect()
}

#[test]
fn a_key_frame_that_takes_a_second_is_not_given_up() {
    let mut call = Call::new(3_000_000, Telling::Reports);
    call.run(6000);
    assert_eq!(call.layer(), Some(2));
    call.key_frame = 35;
    // The viewer lost its picture.
    let mut buffer = [0; 100];
    let mut writer = RtcpWriter::new(&mut buffer);
    writer.receiver_report(9, &[]).unwrap();
    writer.pli(9, call.consumer.rtp_parameters.encodings[0].ssrc.unwrap()).unwrap();
    let len = writer.finish();
    call.bench.receive(2, &buffer[..len]);
    let layers = call.layers(30, 100);
    assert!(layers.iter().all(Option::is_some), "something always flows: {layers:?}");
}

#[test]
fn the_path_is_not_overrun_while_it_carries_little() {
    let mut call = Call::new(900_000, Telling::Reports);
    call.run(5000);
    let (lost, mut worst) = (call.link.lost, 0);
    for _ in 0..1000 {
        call.run(20);
        worst = worst.max(call.link.queue_millis(call.bench.now));
    }
    assert_eq!(call.layer(), Some(1));
    assert!(worst < 150, "{worst} ms wait in front of the bottleneck");
    assert_eq!(call.link.lost, lost, "nothing is lost that need not be");
}

#[test]
fn a_path_that_does_not_carry_the_lowest_layer_gets_none_until_it_does() {
    let mut call = Call::new(5_000_000, Telling::Reports);
    call.run(15_000);
    call.link.capacity = 80_000;
    call.run(8000);
    let told = call.explain();
    assert_eq!(told.current_layers, None);
    assert!(matches!(told.obstacle, Some(Obstacle::Bandwidth { .. })), "{:?}", told.obstacle);
    assert!(told.packets_dropped["congestion"] > 0);
    call.link.capacity = 5_000_000;
    let back = call.layers(20, 500);
    assert!(back.last().unwrap().is_some(), "{back:?}");
    assert!(call.stats().outgoing.probation_bytes_sent > 0, "where nothing is sent, padding finds out");
}

#[test]
fn a_viewer_who_does_not_report_is_sent_everything_after_two_seconds() {
    let mut call = Call::new(5_000_000, Telling::Nothing);
    call.run(1500);
    assert!(call.layer() < Some(2));
    call.run(1500);
    assert_eq!(call.layer(), Some(2));
    assert_eq!(call.explain().obstacle, None);
    assert_eq!(call.stats().outgoing.available_outgoing_bitrate, None);
}

#[test]
fn a_viewer_who_estimates_is_believed() {
    let mut call = Call::new(5_000_000, Telling::Remb(700_000));
    call.run(4000);
    assert_eq!(call.layer(), Some(1));
    call.telling = Telling::Remb(3_000_000);
    call.run(4000);
    assert_eq!(call.layer(), Some(2));
    assert_eq!(call.stats().outgoing.available_outgoing_bitrate, Some(3_000_000));
}

#[test]
fn bounds_hold_and_wrong_ones_are_refused() {
    let mut call = Call::new(5_000_000, Telling::Reports);
    // What is lost soon after it was won is not tried again for a while.
    call.run(15_000);
    let id = call.viewer;
    call.bench.ask(SetMaxOutgoingBitrate { id, bitrate: 600_000 }).unwrap();
    call.run(500);
    assert_eq!(call.layer(), Some(1));
    let stats = call.stats();
    assert_eq!(stats.outgoing.max_outgoing_bitrate, Some(600_000));
    assert!(stats.outgoing.available_outgoing_bitrate.unwrap() <= 600_000);
    let refused = call.bench.ask(SetMinOutgoingBitrate { id, bitrate: 700_000 });
    assert_eq!(refused, Err(OutgoingBitrateError::MinAboveMax { min: 700_000, max: 600_000 }));
    let refused = call.bench.ask(SetMaxOutgoingBitrate { id, bitrate: 29_999 });
    assert_eq!(refused, Err(OutgoingBitrateError::MaxTooLow(29_999)));
    let refused = call.bench.ask(SetMinOutgoingBitrate { id, bitrate: 1 });
    assert_eq!(refused, Err(OutgoingBitrateError::MinTooLow(1)));
    call.bench.ask(SetMaxOutgoingBitrate { id, bitrate: 0 }).unwrap();
    call.run(4000);
    assert_eq!(call.layer(), Some(2));
    let plain = call.bench.transport(3);
    let refused = call.bench.ask(SetMaxOutgoingBitrate { id: plain, bitrate: 600_000 });
    assert_eq!(refused, Err(OutgoingBitrateError::NoEstimate));
}

#[test]
fn what_is_preferred_is_had_at_once_where_there_is_room() {
    let mut call = Call::new(5_000_000, Telling::Reports);
    call.run(4000);
    let id = call.consumer.id;
    let layers = |spatial_layer| MediaLayers { spatial_layer, temporal_layer: None };
    call.bench.ask(SetPreferredLayers { id, layers: layers(0) }).unwrap();
    call.run(200);
    assert_eq!(call.layer(), Some(0));
    call.run(5000);
    call.bench.ask(SetPreferredLayers { id, layers: layers(2) }).unwrap();
    call.run(200);
    assert_eq!(call.layer(), Some(2));
}

#[test]
fn changes_of_the_estimate_and_probes_are_traced_where_asked_for() {
    let mut call = Call::new(1_200_000, Telling::Reports);
    call.trace();
    call.run(10_000);
    let is_probation = |trace: &Trace| matches!(trace.info, TraceInfo::Probation { .. });
    assert!(call.traces().any(is_probation));
    let estimates = call.estimates();
    assert!((3..40).contains(&estimates.len()), "{} in ten seconds", estimates.len());
    assert_eq!(estimates[0].1.start_bitrate, 600_000);
    let (_, last) = estimates.last().unwrap();
    assert!(last.available_bitrate > 600_000 && last.desired_bitrate > 1_500_000, "{last:?}");
}

#[test]
fn an_estimate_is_told_seldom_and_not_without_need() {
    let mut call = Call::new(3_000_000, Telling::Reports);
    call.trace();
    call.run(15_000);
    call.link.capacity = 400_000;
    call.run(5000);
    call.link.capacity = 3_000_000;
    call.run(10_000);
    let estimates = call.estimates();
    for pair in estimates.windows(2) {
        let [(before, told), (at, now)] = pair else { unreachable!() };
        let parts = |trace: &BweTrace| {
            [trace.desired_bitrate, trace.effective_desired_bitrate, trace.available_bitrate].map(f64::from)
        };
        let [_, _, available] = parts(now).map(|bitrate| bitrate / f64::from(told.available_bitrate));
        let is_far = !(0.76..=1.49).contains(&available);
        assert!(at - before >= if is_far { 200 } else { 1000 }, "{pair:?}");
        let differs = |(now, told): (f64, f64)| (now - told).abs() > told * 0.049;
        assert!(parts(now).into_iter().zip(parts(told)).any(differs), "{pair:?}");
    }
    let mut narrow = estimates.iter().filter(|(at, _)| (15_000..17_000).contains(at));
    assert!(narrow.any(|(_, told)| told.available_bitrate < 1_000_000), "{estimates:?}");
    let (_, last) = estimates.last().unwrap();
    assert!(last.available_bitrate > 1_500_000, "{last:?}");
    assert!(last.effective_desired_bitrate > 1_300_000, "{last:?}");
}

#[test]
fn nothing_is_told_of_a_path_that_nobody_reports_on() {
    let mut call = Call::new(5_000_000, Telling::Nothing);
    call.trace();
    call.run(6000);
    assert!(call.estimates().iter().all(|(at, _)| *at <= 2500), "{:?}", call.estimates());
}

#[test]
fn changes_of_the_estimate_are_noted_without_a_trace() {
    let mut call = Call::new(1_200_000, Telling::Reports);
    call.run(2000);
    assert!(estimates_noted(&call).is_empty(), "nobody asked");
    let topics = NoteTopics { bwe: true, ..Default::default() };
    call.bench.ask(AskForNotes { topics });
    call.run(4000);
    call.link.capacity = 300_000;
    call.run(4000);
    let noted = estimates_noted(&call);
    assert!((2..40).contains(&noted.len()), "{} in eight seconds", noted.len());
    assert!(noted.iter().all(|(transport, bitrate)| *transport == call.viewer && *bitrate > 0));
    let traced = |event: &Event| matches!(event, Event::Transport(_, TransportEvent::Trace(_)));
    assert!(!call.events.iter().any(traced), "no trace was asked for");
}

fn estimates_noted(call: &Call) -> Vec<(TransportId, u32)> {
    let noted = call.events.iter().filter_map(|event| match event {
        Event::Note { note: Note::Estimate { transport, estimate }, .. } => {
            Some((*transport, estimate.available_bitrate))
        }
        _ => None,
    });
    noted.collect()
}

#[test]
fn packets_that_wait_keep_their_order_and_count_once() {
    let mut call = Call::new(5_000_000, Telling::Reports);
    call.run(6000);
    call.run(1000);
    assert_eq!(call.holes, 0, "what waits is neither lost nor overtaken");
    let stats = call.bench.ask(GetConsumerStats { id: call.consumer.id }).unwrap();
    let under_way = call.link.under_way.len() as u64;
    let sent = stats.outbound[0].packet_count;
    assert!((call.got.0..=call.got.0 + under_way).contains(&sent), "{sent} sent, {} came", call.got.0);
}

#[test]
fn what_has_no_layers_is_paced_at_what_its_source_takes() {
    let show = Show { bitrates: &[4_000_000], ..Show::default() };
    let mut call = Call::showing(10_000_000, Telling::Reports, show);
    call.run(9000);
    let told = call.explain();
    assert_eq!((told.packets_dropped.get("congestion"), told.obstacle), (None, None));
    let path = told.path.unwrap();
    assert!(path.available_bitrate > 4_000_000, "it is found out that there is room: {path:?}");
    assert!(path.send_bitrate > 3_500_000, "{path:?}");
}

#[test]
fn a_path_that_was_narrow_from_the_first_is_found_to_be_wide() {
    let mut call = Call::new(97_948, Telling::Reports);
    call.run(1500);
    call.link.capacity = 8_000_000;
    call.run(5000);
    assert!(call.layer().is_some());
}

#[test]
fn of_a_screen_motion_is_given_up_before_sharpness() {
    let layers = |content_hint| {
        let show = Show { content_hint, has_temporal_layers: true, ..Show::default() };
        let mut call = Call::showing(400_000, Telling::Reports, show);
        call.run(12_000);
        let layers = call.explain().current_layers.unwrap();
        (layers.spatial_layer, layers.temporal_layer.unwrap())
    };
    // The lower encoding takes 150,000 bits per second, the next one 250,000 with half of its pictures and 500,000 with all.
    for camera in [None, Some(ContentHint::Motion)] {
        assert_eq!(layers(camera), (0, 1), "{camera:?}");
    }
    for screen in [ContentHint::Detail, ContentHint::Text] {
        assert_eq!(layers(Some(screen)), (1, 0), "{screen:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever the path does: nothing panics, no timer is hot, and who can be served is in the end.
    #[test]
    fn any_path_is_survived(capacities in prop::collection::vec(20_000_u64..20_000_000, 1..5)) {
        let mut call = Call::new(capacities[0], Telling::Reports);
        for capacity in capacities {
            call.link.capacity = capacity;
            call.run(1500);
        }
        call.link.capacity = 8_000_000;
        call.run(60_000);
        prop_assert!(call.layer().is_some());
        let (at, _) = call.bench.core.poll_timeout().unwrap();
        prop_assert!(at > call.bench.now);
    }
}
