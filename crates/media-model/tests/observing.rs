//! RTP observers: who is heard how loud, who speaks, and what crosses between shards for it.

mod support;

use std::time::Duration;
use support::microphone::{Microphone, talk};
use support::{Bench, take, vp8_parameters};
use tureen_media_model::{
    ActiveSpeakerObserverOptions, AudioLevelObserverOptions, AudioLevelVolume, CloseCause, CloseProducer,
    CloseRouter, CloseRtpObserver, CreateActiveSpeakerObserver, CreateAudioLevelObserver,
    CreateRtpObserverError, DumpRouter, DumpRtpObserver, Event, NotFoundError, ObserveProducer,
    ObserveProducerError, PauseProducer, PauseRtpObserver, ProducerId, ResumeRtpObserver, RtpObserverEvent,
    RtpObserverId, RtpObserverKind, ShardId, UnobserveProducer, UnobserveProducerError,
};
use tureen_rtp_dictionaries::MediaKind;

fn levels(bench: &mut Bench, max_entries: u16) -> RtpObserverId {
    let id = RtpObserverId(bench.id());
    let options = AudioLevelObserverOptions { max_entries, ..AudioLevelObserverOptions::new(id) };
    bench.ask(CreateAudioLevelObserver { router: bench.router, options }).unwrap();
    id
}

fn speaker(bench: &mut Bench) -> RtpObserverId {
    let id = RtpObserverId(bench.id());
    let options = ActiveSpeakerObserverOptions::new(id);
    bench.ask(CreateActiveSpeakerObserver { router: bench.router, options }).unwrap();
    id
}

fn observe(bench: &mut Bench, observer: RtpObserverId, producer: ProducerId, home: u8) {
    bench.ask(ObserveProducer { observer, producer, home: ShardId(home) }).unwrap();
}

/// What an observer told since the last call.
fn told(bench: &mut Bench, observer: RtpObserverId) -> Vec<RtpObserverEvent> {
    let events = bench.events().into_iter();
    events
        .filter_map(|event| match event {
            Event::RtpObserver(id, event) if id == observer => Some(event),
            _ => None,
        })
        .collect()
}

fn volume(microphone: &Microphone, volume: i8) -> AudioLevelVolume {
    AudioLevelVolume { producer_id: microphone.id, volume }
}

#[test]
fn volumes_come_loudest_first_and_silence_once() {
    let mut bench = Bench::new();
    let mut microphones = [1, 2, 3].map(|socket| Microphone::new(&mut bench, socket));
    let observer = levels(&mut bench, 2);
    for microphone in &microphones {
        observe(&mut bench, observer, microphone.id, 0);
    }
    talk(&mut bench, &mut microphones, &[Some(50), Some(20), Some(35)], 1000);
    let loudest = vec![volume(&microphones[1], -20), volume(&microphones[2], -35)];
    let added = microphones.each_ref().map(|it| RtpObserverEvent::ProducerAdded(it.id));
    let expected: Vec<_> = added.into_iter().chain([RtpObserverEvent::Volumes(loudest)]).collect();
    assert_eq!(told(&mut bench, observer), expected);
    // Below the threshold of -80 dBov.
    talk(&mut bench, &mut microphones, &[Some(81), Some(100), Some(127)], 3000);
    let told = told(&mut bench, observer);
    let silences = told.iter().filter(|event| **event == RtpObserverEvent::Silence).count();
    assert_eq!((silences, told.last()), (1, Some(&RtpObserverEvent::Silence)), "{told:?}");
}

#[test]
fn a_packet_without_a_level_does_not_count() {
    let mut bench = Bench::new();
    let mut microphones = [Microphone::new(&mut bench, 1)];
    let observer = levels(&mut bench, 1);
    observe(&mut bench, observer, microphones[0].id, 0);
    talk(&mut bench, &mut microphones, &[None], 2000);
    assert_eq!(told(&mut bench, observer), [RtpObserverEvent::ProducerAdded(microphones[0].id)]);
}

#[test]
fn what_is_paused_is_not_heard() {
    let mut bench = Bench::new();
    let mut microphones = [Microphone::new(&mut bench, 1)];
    let observer = levels(&mut bench, 1);
    observe(&mut bench, observer, microphones[0].id, 0);
    talk(&mut bench, &mut microphones, &[Some(20)], 1100);
    told(&mut bench, observer);
    bench.ask(PauseRtpObserver { id: observer }).unwrap();
    bench.ask(PauseRtpObserver { id: observer }).unwrap();
    talk(&mut bench, &mut microphones, &[Some(20)], 3000);
    assert_eq!(told(&mut bench, observer), [RtpObserverEvent::Paused, RtpObserverEvent::Silence]);
    bench.ask(ResumeRtpObserver { id: observer }).unwrap();
    talk(&mut bench, &mut microphones, &[Some(20)], 1100);
    let volumes = RtpObserverEvent::Volumes(vec![volume(&microphones[0], -20)]);
    assert_eq!(told(&mut bench, observer), [RtpObserverEvent::Resumed, volumes]);
    bench.ask(PauseProducer { id: microphones[0].id }).unwrap();
    talk(&mut bench, &mut microphones, &[Some(20)], 3000);
    assert_eq!(told(&mut bench, observer).last(), Some(&RtpObserverEvent::Silence));
}

#[test]
fn whoever_takes_over_is_told_within_a_second() {
    let mut bench = Bench::new();
    let mut microphones = [1, 2].map(|socket| Microphone::new(&mut bench, socket));
    let observer = speaker(&mut bench);
    for microphone in &microphones {
        observe(&mut bench, observer, microphone.id, 0);
    }
    let [first, second] = microphones.each_ref().map(|it| RtpObserverEvent::DominantSpeaker(it.id));
    told(&mut bench, observer);
    talk(&mut bench, &mut microphones, &[Some(30), Some(80)], 3000);
    assert_eq!(told(&mut bench, observer), [first]);
    talk(&mut bench, &mut microphones, &[Some(80), Some(30)], 1000);
    assert_eq!(told(&mut bench, observer), [second]);
    talk(&mut bench, &mut microphones, &[Some(80), Some(80)], 10_000);
    assert_eq!(told(&mut bench, observer), [], "silence keeps the last speaker");
    let dump = bench.ask(DumpRtpObserver { id: observer }).unwrap();
    let dominant_producer_id = Some(microphones[1].id);
    assert_eq!(dump.kind, RtpObserverKind::ActiveSpeaker { dominant_producer_id });
}

#[test]
fn options_are_checked_and_clamped() {
    let mut bench = Bench::new();
    let mut create = |options| bench.ask(CreateAudioLevelObserver { router: bench.router, options });
    let defaults = AudioLevelObserverOptions::new(RtpObserverId(1));
    let zero = AudioLevelObserverOptions { max_entries: 0, ..defaults };
    assert_eq!(create(zero), Err(CreateRtpObserverError::MaxEntries));
    for threshold in [-128, 1] {
        let out_of_range = AudioLevelObserverOptions { threshold, ..defaults };
        assert_eq!(create(out_of_range), Err(CreateRtpObserverError::Threshold));
    }
    let long = AudioLevelObserverOptions { interval: Duration::from_secs(60), ..defaults };
    assert_eq!(create(long), Ok(()));
    assert_eq!(create(defaults), Err(CreateRtpObserverError::AlreadyExists(RtpObserverId(1))));
    let interval = |bench: &mut Bench, id| bench.ask(DumpRtpObserver { id }).unwrap().interval;
    assert_eq!(interval(&mut bench, RtpObserverId(1)), 5000);
    for (id, wanted, taken) in [(2, 0, 100), (3, 9000, 5000), (4, 400, 400)] {
        let id = RtpObserverId(id);
        let options = ActiveSpeakerObserverOptions { id, interval: Duration::from_millis(wanted) };
        bench.ask(CreateActiveSpeakerObserver { router: bench.router, options }).unwrap();
        assert_eq!(interval(&mut bench, id), taken);
    }
}

#[test]
fn only_audio_of_the_router_is_observed_and_once() {
    let mut bench = Bench::new();
    let microphone = Microphone::new(&mut bench, 1);
    let camera = bench.transport(2);
    let camera = bench.produce(camera, MediaKind::Video, vp8_parameters(1000)).id;
    let observer = levels(&mut bench, 1);
    let home = ShardId(0);
    let mut add = |producer| bench.ask(ObserveProducer { observer, producer, home });
    assert_eq!(add(camera), Err(ObserveProducerError::Kind(camera)));
    let nobody = ProducerId(7);
    assert_eq!(add(nobody), Err(NotFoundError::Producer(nobody).into()));
    assert_eq!(add(microphone.id), Ok(()));
    assert_eq!(add(microphone.id), Err(ObserveProducerError::AlreadyObserved(microphone.id)));
    let mut remove = |producer| bench.ask(UnobserveProducer { observer, producer });
    assert_eq!(remove(camera), Err(UnobserveProducerError::NotObserved(camera)));
    assert_eq!(remove(microphone.id), Ok(()));
    assert_eq!(remove(microphone.id), Err(UnobserveProducerError::NotObserved(microphone.id)));
}

#[test]
fn an_observer_closes_with_its_router_and_a_producer_leaves_it() {
    let mut bench = Bench::new();
    let (first, second) = (Microphone::new(&mut bench, 1), Microphone::new(&mut bench, 2));
    let observer = levels(&mut bench, 1);
    observe(&mut bench, observer, first.id, 0);
    observe(&mut bench, observer, second.id, 0);
    let other = speaker(&mut bench);
    observe(&mut bench, other, second.id, 0);
    told(&mut bench, observer);
    bench.ask(CloseProducer { id: first.id }).unwrap();
    assert_eq!(told(&mut bench, observer), [RtpObserverEvent::ProducerRemoved(first.id)]);
    let router = bench.router;
    let dump = bench.ask(DumpRouter { id: router }).unwrap();
    assert_eq!(dump.rtp_observer_ids, [observer, other]);
    assert_eq!(dump.map_producer_id_observer_ids[&second.id], [observer, other]);
    bench.ask(CloseRtpObserver { id: other }).unwrap();
    assert_eq!(told(&mut bench, other), [RtpObserverEvent::Closed(CloseCause::Requested)]);
    bench.ask(CloseRouter { id: router }).unwrap();
    assert_eq!(told(&mut bench, observer), [RtpObserverEvent::Closed(CloseCause::RouterClosed)]);
    assert_eq!(bench.core.population().rtp_observers, 0);
    bench.pass(10_000);
    assert_eq!(bench.core.poll_timeout(), None, "nothing is left to be done");
}

/// A microphone on shard 0, and observers of it on shard 1.
struct Pair {
    home: Bench,
    far: Bench,
    microphone: Microphone,
    /// Batches that crossed from home.
    crossed: usize,
}

impl Pair {
    fn new() -> Self {
        let (mut home, far) = (Bench::on_shard(0), Bench::on_shard(1));
        let microphone = Microphone::new(&mut home, 1);
        Self { home, far, microphone, crossed: 0 }
    }

    fn settle(&mut self) {
        loop {
            let (there, back) = (take(&mut self.home), take(&mut self.far));
            if there.is_empty() && back.is_empty() {
                return;
            }
            self.crossed += there.len();
            there.iter().for_each(|batch| self.far.core.handle_relay(self.far.now, batch, &mut self.far.out));
            back.iter()
                .for_each(|batch| self.home.core.handle_relay(self.home.now, batch, &mut self.home.out));
        }
    }

    /// Lets the microphone send for a while; returns how many batches crossed.
    fn talk(&mut self, millis: u64) -> usize {
        let before = self.crossed;
        for _ in 0..millis / 20 {
            self.microphone.send(&mut self.home, Some(30));
            self.home.pass(20);
            self.far.pass(20);
            self.settle();
        }
        self.crossed - before
    }
}

#[test]
fn a_producer_of_another_shard_is_heard_by_one_report_each_tenth_of_a_second() {
    let mut pair = Pair::new();
    let (loudness, speech) = (levels(&mut pair.far, 1), speaker(&mut pair.far));
    observe(&mut pair.far, loudness, pair.microphone.id, 0);
    observe(&mut pair.far, speech, pair.microphone.id, 0);
    pair.settle();
    let crossed = pair.talk(2000);
    assert!((19..=21).contains(&crossed), "{crossed} batches for 100 packets and 2 observers");
    let events = pair.far.events();
    let dominant = RtpObserverEvent::DominantSpeaker(pair.microphone.id);
    assert!(events.contains(&Event::RtpObserver(speech, dominant)), "{events:?}");
    let volumes = RtpObserverEvent::Volumes(vec![volume(&pair.microphone, -30)]);
    assert!(events.contains(&Event::RtpObserver(loudness, volumes)), "{events:?}");
}

#[test]
fn reports_end_when_nobody_listens_any_more() {
    let mut pair = Pair::new();
    let (first, second) = (levels(&mut pair.far, 1), levels(&mut pair.far, 1));
    observe(&mut pair.far, first, pair.microphone.id, 0);
    observe(&mut pair.far, second, pair.microphone.id, 0);
    pair.settle();
    pair.far.ask(CloseRtpObserver { id: first }).unwrap();
    assert!(pair.talk(1000) > 0, "one still listens");
    pair.far.ask(UnobserveProducer { observer: second, producer: pair.microphone.id }).unwrap();
    pair.settle();
    pair.talk(100);
    assert_eq!(pair.talk(1000), 0);
}

#[test]
fn a_producer_that_closes_on_another_shard_leaves_its_observers() {
    let mut pair = Pair::new();
    let observer = levels(&mut pair.far, 1);
    observe(&mut pair.far, observer, pair.microphone.id, 0);
    pair.settle();
    told(&mut pair.far, observer);
    pair.home.ask(CloseProducer { id: pair.microphone.id }).unwrap();
    pair.settle();
    let removed = [RtpObserverEvent::ProducerRemoved(pair.microphone.id)];
    assert_eq!(told(&mut pair.far, observer), removed);
    // One that is gone already when it is to be observed.
    observe(&mut pair.far, observer, pair.microphone.id, 0);
    pair.settle();
    assert_eq!(told(&mut pair.far, observer).last(), removed.last());
}
