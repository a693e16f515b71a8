//! What a consumer says of itself: why it sends what it sends.

mod support;

use support::{Bench, vp8, vp8_parameters};
use tureen_media_model::{
    CloseConsumer, Consume, ConsumerExplanation, ConsumerId, ExplainConsumer, NotFoundError, Obstacle,
    PauseConsumer, PauseProducer, ProducerId, ResumeConsumer, ResumeProducer, SetPreferredLayers,
    SwitchCause,
};
use tureen_rtp_dictionaries::{MediaKind, MediaLayers};

const ENCODINGS: [u32; 3] = [1000, 2000, 3000];

/// A publisher of simulcast at 30 frames a second, each a key frame, and a viewer.
struct Call {
    bench: Bench,
    producer: ProducerId,
    consumer: ConsumerId,
    frames: u16,
}

impl Call {
    fn new() -> Self {
        let mut bench = Bench::new();
        let (source, target) = (bench.transport(1), bench.transport(2));
        let mut parameters = serde_json::to_value(vp8_parameters(1000)).unwrap();
        let encodings = ENCODINGS.map(|ssrc| serde_json::json!({"ssrc": ssrc, "scalabilityMode": "L1T1"}));
        parameters["encodings"] = encodings.to_vec().into();
        let parameters = serde_json::from_value(parameters).unwrap();
        let producer = bench.produce(source, MediaKind::Video, parameters).id;
        let options = bench.consumer_options(producer);
        let consumer = bench.ask(Consume { transport: target, options }).unwrap().id;
        Self { bench, producer, consumer, frames: 0 }
    }

    fn frames(&mut self, encodings: &[usize], count: usize, key_frames: bool) {
        for _ in 0..count {
            for &encoding in encodings {
                let timestamp = u32::from(self.frames) * 3000;
                self.bench.receive(1, &vp8(ENCODINGS[encoding], 100 + self.frames, timestamp, key_frames));
            }
            self.frames += 1;
            self.bench.pass(33);
        }
    }

    fn explain(&mut self) -> ConsumerExplanation {
        self.bench.ask(ExplainConsumer { id: self.consumer }).unwrap()
    }

    fn obstacle(&mut self) -> Option<Obstacle> {
        self.explain().obstacle
    }

    fn prefer(&mut self, spatial_layer: u8) {
        let layers = MediaLayers { spatial_layer, temporal_layer: None };
        self.bench.ask(SetPreferredLayers { id: self.consumer, layers }).unwrap();
    }
}

fn spatial(layers: Option<MediaLayers>) -> Option<u8> {
    layers.map(|layers| layers.spatial_layer)
}

#[test]
fn it_says_what_it_waits_for() {
    let mut call = Call::new();
    assert_eq!(call.obstacle(), Some(Obstacle::NothingCame));
    call.frames(&[0], 2, false);
    assert_eq!(call.obstacle(), Some(Obstacle::WaitingForKeyFrame { encoding_idx: 0 }));
    call.frames(&[0], 2, true);
    assert_eq!(call.obstacle(), Some(Obstacle::EncodingSilent { spatial_layer: 2 }));
    call.frames(&[0, 1, 2], 4, true);
    assert_eq!(call.obstacle(), None);
    call.prefer(0);
    call.frames(&[0, 1, 2], 2, false);
    let explained = call.explain();
    assert_eq!(explained.obstacle, Some(Obstacle::WaitingForKeyFrame { encoding_idx: 0 }));
    assert_eq!((spatial(explained.current_layers), spatial(explained.target_layers)), (Some(2), Some(0)));
    assert_eq!(spatial(explained.preferred_layers), Some(0));
    call.frames(&[0, 1, 2], 1, true);
    assert_eq!(call.obstacle(), None);
    assert_eq!(
        call.explain().encodings.iter().map(|encoding| encoding.score).collect::<Vec<_>>(),
        [10, 10, 10]
    );
}

#[test]
fn it_says_who_paused_it() {
    let mut call = Call::new();
    call.frames(&[0, 1, 2], 4, true);
    let (consumer, producer) = (call.consumer, call.producer);
    call.bench.ask(PauseConsumer { id: consumer }).unwrap();
    call.bench.ask(PauseProducer { id: producer }).unwrap();
    assert_eq!(call.obstacle(), Some(Obstacle::Paused));
    assert_eq!(call.explain().current_layers, None);
    call.bench.ask(ResumeConsumer { id: consumer }).unwrap();
    assert_eq!(call.obstacle(), Some(Obstacle::ProducerPaused));
    call.bench.ask(ResumeProducer { id: producer }).unwrap();
    assert_eq!(call.obstacle(), Some(Obstacle::WaitingForKeyFrame { encoding_idx: 2 }));
    call.frames(&[0, 1, 2], 1, true);
    let explained = call.explain();
    assert_eq!(explained.obstacle, None);
    let causes: Vec<_> = explained.switches.iter().take(2).map(|switch| switch.cause).collect();
    assert_eq!(causes, [SwitchCause::ProducerResumed, SwitchCause::Paused]);
}

#[test]
fn its_last_switches_have_a_cause_and_a_time() {
    let mut call = Call::new();
    call.frames(&[0], 2, true);
    call.frames(&[0, 1, 2], 2, true);
    call.prefer(1);
    call.frames(&[0, 1, 2], 3, false);
    call.frames(&[0, 1, 2], 1, true);
    // Encoding 1 falls silent while the others go on.
    call.frames(&[0, 2], 60, true);
    let explained = call.explain();
    let told: Vec<_> =
        explained.switches.iter().map(|it| (spatial(it.from), spatial(it.to), it.cause)).collect();
    let expected = [
        (Some(1), Some(0), SwitchCause::EncodingEnded),
        (Some(2), Some(1), SwitchCause::Preferred),
        (Some(1), Some(2), SwitchCause::EncodingCame),
        (Some(0), Some(1), SwitchCause::EncodingCame),
        (None, Some(0), SwitchCause::EncodingCame),
    ];
    assert_eq!(told, expected);
    assert_eq!(explained.switch_count, 5);
    let waited: Vec<_> = explained.switches.iter().map(|switch| switch.at - switch.decided_at).collect();
    assert!(waited[1] >= 99 && waited[1] < 140, "three frames without a key: {waited:?}");
    assert!(explained.switches.is_sorted_by_key(|switch| std::cmp::Reverse(switch.at)));
}

#[test]
fn drops_are_counted_by_reason_and_stay_counted_when_it_is_gone() {
    let mut call = Call::new();
    call.frames(&[0, 1, 2], 10, true);
    let explained = call.explain();
    let others = explained.packets_dropped["other_encoding"];
    assert!(others >= 16, "{:?}", explained.packets_dropped);
    assert_eq!(explained.packets_dropped.get("paused"), None);
    assert_eq!(explained.packets_sent + explained.packets_dropped.values().sum::<u64>(), 30);
    let figures = call.bench.core.consumer_figures();
    assert_eq!(figures.drops.total(), explained.packets_dropped.values().sum::<u64>());
    assert_eq!(figures.switches.iter().sum::<u64>(), explained.switch_count);
    assert_eq!(figures.obstacles, [0; Obstacle::NAMES.len()]);
    let id = call.consumer;
    call.bench.ask(CloseConsumer { id }).unwrap();
    assert_eq!(call.bench.core.consumer_figures().drops, figures.drops);
    assert_eq!(call.bench.ask(ExplainConsumer { id }).unwrap_err(), NotFoundError::Consumer(id));
}
