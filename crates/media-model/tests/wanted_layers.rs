//! What is told of the layers that anybody wants, and how streams rest that nobody does.

mod support;

use proptest::prelude::*;
use support::{Bench, settle, vp8, vp8_parameters};
use tureen_media_model::{
    CloseConsumer, Consume, ConsumerEvent, ConsumerId, DumpConsumer, Event, ExplainConsumer, MirrorSource,
    PauseConsumer, PauseProducer, ProducerEvent, ProducerId, PublishSource, ResumeConsumer, ResumeProducer,
    SetPreferredLayers, ShardId, TransportId, UNWANTED_LAYERS_DELAY,
};
use tureen_rtp_dictionaries::{MediaKind, MediaLayers, RtpParameters};
use tureen_rtp_wire::rtcp::{Compound, RtcpPacket};

const ENCODINGS: [u32; 3] = [1000, 2000, 3000];
const DELAY_MS: u64 = UNWANTED_LAYERS_DELAY.as_millis() as u64;

fn parameters(encodings: &[u32], mode: Option<&str>) -> RtpParameters {
    let mut parameters = serde_json::to_value(vp8_parameters(1000)).unwrap();
    parameters["encodings"] = encodings
        .iter()
        .map(|ssrc| match mode {
            Some(mode) => serde_json::json!({"ssrc": ssrc, "scalabilityMode": mode}),
            None => serde_json::json!({"ssrc": ssrc}),
        })
        .collect();
    serde_json::from_value(parameters).unwrap()
}

fn layers(spatial_layer: u8) -> MediaLayers {
    MediaLayers { spatial_layer, temporal_layer: None }
}

/// A publisher that stops what nobody wants, and viewers on its shard and on another one.
struct Call {
    home: Bench,
    far: Bench,
    producer: ProducerId,
    near_transport: TransportId,
    far_transport: TransportId,
    /// What the publisher was told last.
    told: Option<Option<MediaLayers>>,
    next: [u16; 3],
    frames: u32,
    scores: Vec<u8>,
}

impl Call {
    fn new(parameters: RtpParameters) -> Self {
        let (mut home, mut far) = (Bench::on_shard(0), Bench::on_shard(1));
        let source = home.transport(1);
        let producer = home.produce(source, MediaKind::Video, parameters).id;
        let near_transport = home.transport(2);
        let far_transport = far.transport(2);
        let (told, next) = (None, [100, 200, 300]);
        Self { home, far, producer, near_transport, far_transport, told, next, frames: 0, scores: Vec::new() }
    }

    fn simulcast() -> Self {
        Self::new(parameters(&ENCODINGS, Some("L1T3")))
    }

    fn mirror(&mut self) {
        let source = self.home.ask(PublishSource { producer: self.producer, to: ShardId(1) }).unwrap();
        self.far.ask(MirrorSource { source }).unwrap();
        self.settle();
    }

    /// Lets all cross, and listens.
    fn settle(&mut self) {
        self.far.now = self.home.now;
        settle(&mut self.home, &mut self.far);
        for event in self.home.events() {
            match event {
                Event::Producer(id, ProducerEvent::WantedLayers(layers)) if id == self.producer => {
                    assert_ne!(self.told, Some(layers), "told when it changes");
                    self.told = Some(layers);
                }
                Event::Producer(_, ProducerEvent::Score(scores)) => {
                    self.scores.extend(scores.iter().map(|score| score.score));
                }
                _ => {}
            }
        }
    }

    fn told_spatial(&mut self) -> Option<Option<u8>> {
        self.settle();
        self.told.take().map(|layers| layers.map(|layers| layers.spatial_layer))
    }

    fn pass(&mut self, millis: u64) {
        self.home.pass(millis);
        self.far.pass(millis);
    }

    fn watch_near(&mut self, preferred: Option<MediaLayers>) -> ConsumerId {
        let mut options = self.home.consumer_options(self.producer);
        options.preferred_layers = preferred;
        self.home.ask(Consume { transport: self.near_transport, options }).unwrap().id
    }

    fn watch_far(&mut self, preferred: Option<MediaLayers>) -> ConsumerId {
        let mut options = self.far.consumer_options(self.producer);
        options.preferred_layers = preferred;
        self.far.ask(Consume { transport: self.far_transport, options }).unwrap().id
    }

    fn prefer(&mut self, id: ConsumerId, spatial_layer: u8) {
        self.home.ask(SetPreferredLayers { id, layers: layers(spatial_layer) }).unwrap();
    }

    /// A picture in these encodings, key frames where they are asked for or begin.
    fn picture(&mut self, encodings: &[usize], key: bool) {
        let (_, compounds) = self.home.sent_to(1);
        let asked: Vec<u32> = compounds
            .iter()
            .flat_map(|bytes| Compound::parse(bytes).unwrap())
            .filter_map(|packet| match packet.unwrap() {
                RtcpPacket::Pli(pli) => Some(pli.media_ssrc),
                _ => None,
            })
            .collect();
        for &encoding in encodings {
            let (ssrc, number) = (ENCODINGS[encoding], self.next[encoding]);
            self.next[encoding] += 1;
            let key = key || asked.contains(&ssrc);
            self.home.receive(1, &vp8(ssrc, number, ssrc * 1000 + self.frames * 3000, key));
        }
        self.frames += 1;
        self.settle();
        self.pass(33);
        self.settle();
    }

    fn pictures(&mut self, encodings: &[usize], millis: u64) {
        for _ in 0..millis / 33 {
            self.picture(encodings, false);
        }
    }

    fn current(&mut self, id: ConsumerId) -> Option<u8> {
        let explained = self.home.ask(ExplainConsumer { id }).unwrap();
        explained.current_layers.map(|layers| layers.spatial_layer)
    }
}

#[test]
fn what_nobody_watches_is_told_after_a_while_and_what_somebody_wants_at_once() {
    let mut call = Call::simulcast();
    call.pass(DELAY_MS - 1);
    assert_eq!(call.told_spatial(), None);
    call.pass(1);
    assert_eq!(call.told_spatial(), Some(None), "nobody is there");
    let id = call.watch_near(Some(layers(1)));
    assert_eq!(call.told_spatial(), Some(Some(1)));
    call.prefer(id, 2);
    assert_eq!(call.told_spatial(), Some(Some(2)));
    call.prefer(id, 0);
    call.pass(DELAY_MS - 1);
    assert_eq!(call.told_spatial(), None);
    call.pass(1);
    assert_eq!(call.told_spatial(), Some(Some(0)));
    // What comes and goes within the delay is told of no further.
    call.prefer(id, 1);
    assert_eq!(call.told_spatial(), Some(Some(1)));
    call.prefer(id, 0);
    call.pass(DELAY_MS / 2);
    call.prefer(id, 1);
    call.pass(3 * DELAY_MS);
    assert_eq!(call.told_spatial(), None);
}

#[test]
fn the_most_of_all_viewers_counts() {
    let mut call = Call::simulcast();
    let (low, high) = (call.watch_near(Some(layers(0))), call.watch_near(None));
    call.pass(2 * DELAY_MS);
    assert_eq!(call.told_spatial(), None, "one wants all");
    call.home.ask(PauseConsumer { id: high }).unwrap();
    call.pass(2 * DELAY_MS);
    assert_eq!(call.told_spatial(), Some(Some(0)));
    call.home.ask(ResumeConsumer { id: high }).unwrap();
    assert_eq!(call.told_spatial(), Some(Some(2)));
    call.home.ask(CloseConsumer { id: high }).unwrap();
    call.pass(2 * DELAY_MS);
    assert_eq!(call.told_spatial(), Some(Some(0)));
    call.home.ask(CloseConsumer { id: low }).unwrap();
    call.pass(2 * DELAY_MS);
    assert_eq!(call.told_spatial(), Some(None));
}

#[test]
fn a_pause_of_the_producer_is_no_ones_wish() {
    let mut call = Call::simulcast();
    call.watch_near(None);
    let id = call.producer;
    call.home.ask(PauseProducer { id }).unwrap();
    call.pass(2 * DELAY_MS);
    call.home.ask(ResumeProducer { id }).unwrap();
    assert_eq!(call.told_spatial(), None);
}

#[test]
fn temporal_layers_count_and_a_source_of_one_layer_is_all_or_nothing() {
    let mut call = Call::new(parameters(&ENCODINGS[..1], Some("L3T3_KEY")));
    let low = MediaLayers { spatial_layer: 1, temporal_layer: Some(0) };
    let id = call.watch_near(Some(low));
    call.pass(2 * DELAY_MS);
    call.settle();
    assert_eq!(call.told.take(), Some(Some(low)));
    call.home.ask(SetPreferredLayers { id, layers: layers(0) }).unwrap();
    call.settle();
    let both = MediaLayers { spatial_layer: 1, temporal_layer: Some(2) };
    assert_eq!(call.told.take(), Some(Some(both)), "what was wanted until now stays for a while");

    let mut call = Call::new(parameters(&ENCODINGS[..1], None));
    call.pass(2 * DELAY_MS);
    assert_eq!(call.told_spatial(), Some(None));
    call.watch_near(None);
    call.settle();
    assert_eq!(call.told, Some(Some(layers(0))));
}

#[test]
fn viewers_on_another_shard_count() {
    let mut call = Call::simulcast();
    call.mirror();
    call.watch_near(Some(layers(0)));
    call.pass(2 * DELAY_MS);
    assert_eq!(call.told_spatial(), Some(Some(0)));
    let id = call.watch_far(Some(layers(1)));
    assert_eq!(call.told_spatial(), Some(Some(1)));
    call.far.ask(PauseConsumer { id }).unwrap();
    call.settle();
    call.pass(2 * DELAY_MS);
    assert_eq!(call.told_spatial(), Some(Some(0)));
    call.far.ask(ResumeConsumer { id }).unwrap();
    assert_eq!(call.told_spatial(), Some(Some(1)));
    // Published once more, the mirror says again what is wanted there.
    call.mirror();
    call.pass(2 * DELAY_MS);
    assert_eq!(call.told_spatial(), None);
    let router = call.far.router;
    call.far.ask(tureen_media_model::CloseRouter { id: router }).unwrap();
    call.settle();
    call.pass(2 * DELAY_MS);
    assert_eq!(call.told_spatial(), Some(Some(0)), "the mirror is gone");
}

#[test]
fn a_pipe_wants_all() {
    let mut call = Call::simulcast();
    let pipe = call.home.pipe(3, false);
    let options = call.home.consumer_options(call.producer);
    call.home.ask(Consume { transport: pipe, options }).unwrap();
    call.pass(2 * DELAY_MS);
    assert_eq!(call.told_spatial(), None);
}

#[test]
fn audio_is_not_spoken_of() {
    let mut bench = Bench::new();
    let source = bench.transport(1);
    bench.produce(source, MediaKind::Audio, support::red_parameters(1000));
    bench.pass(3 * DELAY_MS);
    assert_eq!(bench.events(), []);
}

#[test]
fn an_encoding_that_nobody_wants_rests_and_is_no_dead_one() {
    let mut call = Call::simulcast();
    let id = call.watch_near(None);
    call.picture(&[0, 1, 2], true);
    call.pictures(&[0, 1, 2], 2000);
    assert_eq!(call.current(id), Some(2));
    call.prefer(id, 0);
    call.pictures(&[0, 1, 2], DELAY_MS + 100);
    assert_eq!(call.told_spatial(), Some(Some(0)));
    assert_eq!(call.current(id), Some(0));
    call.scores.clear();
    call.pictures(&[0], 6000);
    assert_eq!(call.scores, [0u8; 0], "nothing has become worse");
    let explained = call.home.ask(ExplainConsumer { id }).unwrap();
    let resting: Vec<bool> = explained.encodings.iter().map(|state| state.resting).collect();
    assert_eq!(resting, [false, true, true]);
    assert!(explained.encodings.iter().all(|state| state.score > 0));
    assert_eq!(explained.obstacle, None);

    // Asked for again, it is told in the same instant; the lower one goes on until the first packet of the top.
    call.prefer(id, 2);
    assert_eq!(call.told_spatial(), Some(Some(2)));
    call.picture(&[0], false);
    assert_eq!(call.current(id), Some(0));
    call.home.sent_to(2);
    call.picture(&[0, 1, 2], true);
    assert_eq!(call.current(id), Some(2), "its first picture is sent");
    assert_eq!(call.scores, [0u8; 0]);
}

#[test]
fn what_is_wanted_again_and_stays_away_is_silent() {
    let mut call = Call::simulcast();
    let id = call.watch_near(Some(layers(0)));
    call.picture(&[0, 1, 2], true);
    call.pictures(&[0, 1, 2], DELAY_MS + 100);
    call.pictures(&[0], 6000);
    call.scores.clear();
    call.prefer(id, 2);
    call.pictures(&[0], 900);
    assert_eq!(call.scores, [0u8; 0]);
    call.pictures(&[0], 800);
    assert!(call.scores.contains(&0), "{:?}", call.scores);
    assert_eq!(call.current(id), Some(0));
    call.picture(&[0, 1, 2], true);
    assert_eq!(call.current(id), Some(2));
}

#[test]
fn a_publisher_that_does_not_stop_is_served_as_before() {
    let mut call = Call::simulcast();
    let id = call.watch_near(Some(layers(0)));
    call.picture(&[0, 1, 2], true);
    call.pictures(&[0, 1, 2], 4 * DELAY_MS);
    assert_eq!(call.told_spatial(), Some(Some(0)));
    call.prefer(id, 2);
    call.pictures(&[0, 1, 2], 100);
    assert_eq!(call.current(id), Some(2));
}

#[test]
fn who_comes_when_all_rests_is_shown_the_first_picture() {
    let mut call = Call::simulcast();
    call.mirror();
    call.picture(&[0, 1, 2], true);
    call.pictures(&[0, 1, 2], DELAY_MS + 100);
    assert_eq!(call.told_spatial(), Some(None));
    call.pass(20_000);
    call.settle();
    let (near, far) = (call.watch_near(None), call.watch_far(None));
    assert_eq!(call.told_spatial(), Some(Some(2)));
    let explained = call.home.ask(ExplainConsumer { id: near }).unwrap();
    assert_eq!(explained.obstacle.map(|obstacle| obstacle.name()), Some("source_silent"));
    // Its publisher begins with the lowest.
    call.picture(&[0], true);
    assert_eq!(call.current(near), Some(0));
    assert_eq!((call.home.sent_to(2).0.len(), call.far.sent_to(2).0.len()), (1, 1));
    call.picture(&[0, 1, 2], true);
    assert_eq!(call.current(near), Some(2));
    let explained = call.far.ask(ExplainConsumer { id: far }).unwrap();
    assert_eq!(explained.current_layers.map(|layers| layers.spatial_layer), Some(2));
}

#[test]
fn a_mirror_that_comes_later_knows_what_rests() {
    let mut call = Call::simulcast();
    let id = call.watch_near(Some(layers(0)));
    call.picture(&[0, 1, 2], true);
    call.pictures(&[0, 1, 2], DELAY_MS + 100);
    call.pictures(&[0], 3000);
    call.mirror();
    let far = call.watch_far(None);
    assert_eq!(call.told_spatial(), Some(Some(2)));
    call.picture(&[0], true);
    let explained = call.far.ask(ExplainConsumer { id: far }).unwrap();
    assert_eq!(
        explained.current_layers.map(|layers| layers.spatial_layer),
        Some(0),
        "not held up by the top"
    );
    assert_eq!(call.current(id), Some(0));
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Prefer(usize, u8),
    Pause(usize),
    Resume(usize),
    Close(usize),
    Watch(bool),
    Pictures(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..6usize, 0..3u8).prop_map(|(at, layer)| Step::Prefer(at, layer)),
        (0..6usize).prop_map(Step::Pause),
        (0..6usize).prop_map(Step::Resume),
        (0..6usize).prop_map(Step::Close),
        any::<bool>().prop_map(Step::Watch),
        (100..7000u64).prop_map(Step::Pictures),
    ]
}

/// What the publisher sends, having been told this.
fn obeyed(told: Option<Option<MediaLayers>>) -> Vec<usize> {
    match told {
        None => vec![0, 1, 2],
        Some(None) => vec![],
        Some(Some(layers)) => (0..=usize::from(layers.spatial_layer)).collect(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn what_is_told_covers_what_anybody_is_sent(steps in proptest::collection::vec(step(), 1..25)) {
        let mut call = Call::simulcast();
        call.mirror();
        let mut viewers: Vec<(bool, ConsumerId)> = Vec::new();
        for step in steps {
            let viewer = |at: usize| viewers.get(at).copied();
            match step {
                Step::Watch(far) => {
                    let id = if far { call.watch_far(None) } else { call.watch_near(None) };
                    viewers.push((far, id));
                }
                Step::Prefer(at, layer) => if let Some((far, id)) = viewer(at) {
                    let bench = if far { &mut call.far } else { &mut call.home };
                    bench.ask(SetPreferredLayers { id, layers: layers(layer) }).unwrap();
                },
                Step::Pause(at) => if let Some((far, id)) = viewer(at) {
                    let bench = if far { &mut call.far } else { &mut call.home };
                    bench.ask(PauseConsumer { id }).unwrap();
                },
                Step::Resume(at) => if let Some((far, id)) = viewer(at) {
                    let bench = if far { &mut call.far } else { &mut call.home };
                    bench.ask(ResumeConsumer { id }).unwrap();
                },
                Step::Close(at) => if at < viewers.len() {
                    let (far, id) = viewers.remove(at);
                    let bench = if far { &mut call.far } else { &mut call.home };
                    bench.ask(CloseConsumer { id }).unwrap();
                },
                Step::Pictures(millis) => for _ in 0..millis / 200 {
                    call.settle();
                    let sends = obeyed(call.told);
                    call.picture(&sends, true);
                    call.pass(167);
                },
            }
            call.settle();
            let told = match call.told { None => Some(2), Some(told) => told.map(|it| it.spatial_layer) };
            for (far, id) in &viewers {
                let bench = if *far { &mut call.far } else { &mut call.home };
                let explained = bench.ask(ExplainConsumer { id: *id }).unwrap();
                let sent = explained.current_layers.map(|it| it.spatial_layer);
                prop_assert!(sent <= told, "sent {:?}, told {:?}", sent, told);
                let paused = bench.ask(DumpConsumer { id: *id }).unwrap().paused;
                let wanted = explained.preferred_layers.map_or(2, |it| it.spatial_layer);
                prop_assert!(paused || told >= Some(wanted), "wanted {}, told {:?}", wanted, told);
            }
        }
        // A publisher that obeys serves everybody in the end.
        for _ in 0..10 {
            let sends = obeyed(call.told);
            call.picture(&sends, true);
        }
        for (far, id) in &viewers {
            let bench = if *far { &mut call.far } else { &mut call.home };
            let explained = bench.ask(ExplainConsumer { id: *id }).unwrap();
            if !bench.ask(DumpConsumer { id: *id }).unwrap().paused {
                let wanted = explained.preferred_layers.map_or(2, |it| it.spatial_layer);
                prop_assert_eq!(explained.current_layers.map(|it| it.spatial_layer), Some(wanted));
            }
        }
    }
}

#[test]
fn viewers_hear_of_layers_and_not_of_ends() {
    let mut call = Call::simulcast();
    let id = call.watch_near(None);
    call.picture(&[0, 1, 2], true);
    call.pictures(&[0, 1, 2], 2000);
    call.prefer(id, 0);
    call.pictures(&[0, 1, 2], DELAY_MS + 100);
    call.home.events();
    for _ in 0..100 {
        call.home.receive(1, &vp8(ENCODINGS[0], call.next[0], 0, false));
        call.next[0] += 1;
        call.home.pass(33);
    }
    let told = call.home.events().into_iter().filter(|event| {
        matches!(event, Event::Consumer(_, ConsumerEvent::Score(_) | ConsumerEvent::Layers(_)))
    });
    assert_eq!(told.count(), 0);
}
