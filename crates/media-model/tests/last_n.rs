//! Only the loudest are forwarded: who comes in when, what becomes of the others, here and on other shards.

mod support;

use support::microphone::{Microphone, talk};
use support::{Bench, take};
use tureen_media_model::{
    CloseRtpObserver, ConsumerId, CreateLastNAudio, CreateRtpObserverError, DumpConsumer, DumpRtpObserver,
    ExplainConsumer, LastNAudioOptions, MirrorSource, ObserveProducer, Obstacle, PauseRtpObserver,
    PublishSource, RtpObserverId, RtpObserverKind, ShardId, UnobserveProducer,
};
use tureen_rtp_wire::rtp::RtpPacket;

const SILENCE: Option<u8> = Some(90);
const VOICE: Option<u8> = Some(30);

fn last_n(bench: &mut Bench, n: u8) -> RtpObserverId {
    let id = RtpObserverId(bench.id());
    bench.ask(CreateLastNAudio { router: bench.router, options: LastNAudioOptions { id, n } }).unwrap();
    id
}

/// Two microphones of which one is forwarded, and a consumer of each on socket 9.
struct Call {
    bench: Bench,
    microphones: [Microphone; 2],
    consumers: [ConsumerId; 2],
    ssrcs: [u32; 2],
    observer: RtpObserverId,
}

impl Call {
    fn new() -> Self {
        let mut bench = Bench::new();
        let microphones = [1, 2].map(|socket| Microphone::new(&mut bench, socket));
        let viewer = bench.transport(9);
        let consumers = microphones.each_ref().map(|it| bench.consume(viewer, it.id));
        let observer = last_n(&mut bench, 1);
        for microphone in &microphones {
            bench.ask(ObserveProducer { observer, producer: microphone.id, home: ShardId(0) }).unwrap();
        }
        let ssrcs = consumers.each_ref().map(|it| it.rtp_parameters.encodings[0].ssrc.unwrap());
        let mut call = Self { bench, microphones, consumers: consumers.map(|it| it.id), ssrcs, observer };
        // The first has the place.
        call.talk([SILENCE, SILENCE], 200);
        call.heard();
        call
    }

    fn talk(&mut self, levels: [Option<u8>; 2], millis: u64) {
        talk(&mut self.bench, &mut self.microphones, &levels, millis);
    }

    /// The sequence numbers that the viewer got of each.
    fn heard(&mut self) -> [Vec<u16>; 2] {
        let (packets, _) = self.bench.sent_to(9);
        self.ssrcs.map(|ssrc| {
            let packets = packets.iter().map(|bytes| RtpPacket::parse(bytes).unwrap());
            packets.filter(|packet| packet.ssrc() == ssrc).map(|packet| packet.sequence_number()).collect()
        })
    }

    fn obstacle(&mut self, index: usize) -> Option<Obstacle> {
        self.bench.ask(ExplainConsumer { id: self.consumers[index] }).unwrap().obstacle
    }
}

#[test]
fn who_is_louder_comes_in_within_200_ms_and_the_other_is_left_out() {
    let mut call = Call::new();
    call.talk([SILENCE, SILENCE], 1000);
    let [first, second] = call.heard();
    assert_eq!((first.len(), second.len()), (50, 0));
    assert_eq!(call.obstacle(1), Some(Obstacle::LastN));
    call.talk([SILENCE, VOICE], 200);
    call.heard();
    call.talk([SILENCE, VOICE], 1000);
    let [first, second] = call.heard();
    assert_eq!((first.len(), second.len()), (0, 50));
    assert_eq!((call.obstacle(0), call.obstacle(1)), (Some(Obstacle::LastN), None));
    let id = call.consumers[0];
    let dump = call.bench.ask(DumpConsumer { id }).unwrap();
    assert!(!dump.paused && !dump.producer_paused, "no pause that a client sees");
    assert!(dump.packets_dropped["last_n"] >= 50, "{:?}", dump.packets_dropped);
}

#[test]
fn sequence_numbers_go_on_where_they_stopped() {
    let mut call = Call::new();
    let mut numbers = Vec::new();
    for _ in 0..3 {
        call.talk([VOICE, SILENCE], 2500);
        numbers.extend(call.heard()[0].clone());
        call.talk([SILENCE, Some(10)], 2500);
        numbers.extend(call.heard()[0].clone());
    }
    assert!(numbers.len() > 150, "{}", numbers.len());
    assert!(numbers.windows(2).all(|pair| pair[1] == pair[0].wrapping_add(1)), "{numbers:?}");
}

#[test]
fn a_talker_is_not_cut_between_words() {
    let mut call = Call::new();
    call.talk([VOICE, SILENCE], 1000);
    call.heard();
    // As loud as the words before the pause.
    call.talk([SILENCE, VOICE], 1800);
    assert_eq!(call.heard().map(|numbers| numbers.len()), [90, 0]);
    call.talk([SILENCE, VOICE], 600);
    call.heard();
    call.talk([SILENCE, VOICE], 1000);
    assert_eq!(call.heard().map(|numbers| numbers.len()), [0, 50]);
}

#[test]
fn everybody_is_let_in_when_nobody_selects_any_more() {
    let ends: [fn(&mut Call); 3] = [
        |call| call.bench.ask(CloseRtpObserver { id: call.observer }).unwrap(),
        |call| call.bench.ask(PauseRtpObserver { id: call.observer }).unwrap(),
        |call| {
            let producer = call.microphones[1].id;
            call.bench.ask(UnobserveProducer { observer: call.observer, producer }).unwrap();
        },
    ];
    for end in ends {
        let mut call = Call::new();
        assert_eq!(call.obstacle(1), Some(Obstacle::LastN));
        end(&mut call);
        call.talk([SILENCE, SILENCE], 1000);
        assert_eq!(call.heard().map(|numbers| numbers.len()), [50, 50]);
        assert_eq!(call.obstacle(1), None);
    }
}

#[test]
fn a_consumer_of_who_is_left_out_waits_too() {
    let mut call = Call::new();
    let late = call.bench.transport(8);
    let consumer = call.bench.consume(late, call.microphones[1].id).id;
    call.talk([SILENCE, SILENCE], 200);
    assert!(call.bench.sent_to(8).0.is_empty());
    let explained = call.bench.ask(ExplainConsumer { id: consumer }).unwrap();
    assert_eq!(explained.obstacle, Some(Obstacle::LastN));
    let dump = call.bench.ask(DumpRtpObserver { id: call.observer }).unwrap();
    let left_out_producer_ids = vec![call.microphones[1].id];
    assert_eq!(dump.kind, RtpObserverKind::LastN { n: 1, left_out_producer_ids });
    let options = LastNAudioOptions { id: RtpObserverId(1), n: 0 };
    let refused = call.bench.ask(CreateLastNAudio { router: call.bench.router, options });
    assert_eq!(refused, Err(CreateRtpObserverError::N));
}

/// Lets news and packets cross until there are no more.
fn settle(home: &mut Bench, far: &mut Bench) {
    loop {
        let (there, back) = (take(home), take(far));
        if there.is_empty() && back.is_empty() {
            return;
        }
        there.iter().for_each(|batch| far.core.handle_relay(far.now, batch, &mut far.out));
        back.iter().for_each(|batch| home.core.handle_relay(home.now, batch, &mut home.out));
    }
}

#[test]
fn it_holds_on_every_shard() {
    // Both producers live on shard 0, the selection and a viewer on shard 1.
    let (mut home, mut far) = (Bench::on_shard(0), Bench::on_shard(1));
    let mut microphones = [1, 2].map(|socket| Microphone::new(&mut home, socket));
    let viewers = [11, 12].map(|socket| far.transport(socket));
    let observer = last_n(&mut far, 1);
    for (microphone, viewer) in microphones.iter().zip(viewers) {
        far.ask(ObserveProducer { observer, producer: microphone.id, home: ShardId(0) }).unwrap();
        let source = home.ask(PublishSource { producer: microphone.id, to: ShardId(1) }).unwrap();
        far.ask(MirrorSource { source }).unwrap();
        far.consume(viewer, microphone.id);
    }
    settle(&mut home, &mut far);
    let mut talk = |home: &mut Bench, far: &mut Bench, levels: [Option<u8>; 2], millis: u64| {
        for _ in 0..millis / 20 {
            for (microphone, level) in microphones.iter_mut().zip(levels) {
                microphone.send(home, level);
            }
            home.pass(20);
            far.pass(20);
            settle(home, far);
        }
        [11, 12].map(|socket| far.sent_to(socket).0.len())
    };
    talk(&mut home, &mut far, [SILENCE, VOICE], 200);
    assert_eq!(talk(&mut home, &mut far, [SILENCE, VOICE], 1000), [0, 50]);
    let relayed = home.core.counters().relayed;
    talk(&mut home, &mut far, [SILENCE, VOICE], 1000);
    assert_eq!(home.core.counters().relayed - relayed, 50, "who is left out does not cross");
    far.ask(CloseRtpObserver { id: observer }).unwrap();
    settle(&mut home, &mut far);
    assert_eq!(talk(&mut home, &mut far, [SILENCE, VOICE], 1000), [50, 50]);
}
