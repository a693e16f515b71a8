//! Named conversations in virtual time, and what became of them: for people who want to see what a change does.
//!
//! Each is a minute of media. The figures are of all consumers together; that packets were never altered, numbered twice or
//! put out of order is judged here, what is good enough is not.

use crate::endpoint::{ModelCodec, ReceiverStats};
use crate::link::{LinkConfig, Loss};
use crate::{ConsumeOptions, HostId, ProduceOptions, World};
use std::time::Duration;
use tureen_media_model::{ConsumerId, PauseConsumer, ProducerId, ResumeConsumer, ShardId};

const S0: ShardId = ShardId(0);
const S1: ShardId = ShardId(1);
const MINUTE: Duration = Duration::from_secs(60);
/// What is under way has this long to arrive, or to be repaired.
const SETTLE: Duration = Duration::from_secs(3);

/// A conversation that can be run with any seed.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// What it is called on command lines: lower-case words with hyphens.
    pub name: &'static str,
    /// What happens in it, in one line.
    pub about: &'static str,
    play: fn(&mut Play),
}

/// What became of a scenario. Counts are sums over its consumers, where nothing else is said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Frames that the source sent.
    pub frames_sent: u64,
    /// Decodable frames of the consumer that has the fewest.
    pub fewest_frames: u64,
    /// Packets that arrived, repairs included.
    pub packets: u64,
    /// Sequence numbers that were missing when a later one came.
    pub missing: u64,
    /// Missing packets that came after a NACK.
    pub repaired: u64,
    /// Sequence numbers that were given up.
    pub given_up: u64,
    /// Repairs that nobody needed, and packets that came twice.
    pub useless: u64,
    /// Frames that came and could not be decoded.
    pub broken: u64,
    /// The longest run without a decodable frame of any consumer, in milliseconds.
    pub longest_freeze: u64,
    /// Key frames that the source was asked for.
    pub key_frame_requests: u64,
    /// Packets altered or numbered wrongly, and frames out of order. Anything but zero is a defect.
    pub unsound: u64,
    /// What the first consumer's interface saw, as a pcap file, where it was asked for.
    pub capture: Option<Vec<u8>>,
}

/// Every scenario.
pub const SCENARIOS: [Scenario; 10] = [
    Scenario { name: "clean", about: "video to eight consumers over perfect links", play: clean },
    Scenario { name: "audio", about: "Opus over links that lose 3% of packets each way", play: audio },
    Scenario {
        name: "uplink-loss",
        about: "video whose source loses 5% on the way in, RTX",
        play: uplink_loss,
    },
    Scenario { name: "downlink-loss", about: "video to consumers that lose 5%, RTX", play: downlink_loss },
    Scenario {
        name: "plain-repair",
        about: "5% loss on both legs, repaired without RTX",
        play: plain_repair,
    },
    Scenario { name: "bursts", about: "H.264 over a link that loses packets in bursts", play: bursts },
    Scenario {
        name: "reordering",
        about: "jitter that overtakes, and packets that come twice",
        play: reordering,
    },
    Scenario { name: "late-joiner", about: "a consumer that comes after twenty seconds", play: late_joiner },
    Scenario { name: "pause", about: "a consumer that pauses for ten seconds, on a lossy link", play: pause },
    Scenario { name: "shards", about: "consumers on two shards, 5% loss on each leg", play: shards },
];

impl Scenario {
    /// The scenario of that name.
    pub fn find(name: &str) -> Option<&'static Self> {
        SCENARIOS.iter().find(|scenario| scenario.name == name)
    }

    /// Runs it; with the same seed the outcome is the same.
    pub fn run(&self, seed: u64, capture: bool) -> Outcome {
        let mut play =
            Play { world: World::with_shards(seed, 2), capture, cast: None, consumers: Vec::new() };
        (self.play)(&mut play);
        play.end()
    }
}

/// A scenario under way.
struct Play {
    world: World,
    capture: bool,
    cast: Option<ProducerId>,
    consumers: Vec<(HostId, ConsumerId)>,
}

impl Play {
    /// The source, on the first shard, with the same link both ways.
    fn source(&mut self, codec: ModelCodec, link: &LinkConfig, rtx: bool) -> ProducerId {
        let host = self.world.add_linked_host(S0, link.clone(), link.clone());
        let rtx = rtx && ProduceOptions::new(codec).rtx;
        let producer = self.world.produce(host, &ProduceOptions { rtx, ..ProduceOptions::new(codec) });
        self.cast = Some(producer);
        producer
    }

    /// A consumer with the same link both ways.
    fn consumer(&mut self, shard: ShardId, producer: ProducerId, link: &LinkConfig, rtx: bool) -> ConsumerId {
        let host = self.world.add_linked_host(shard, link.clone(), link.clone());
        if self.capture && self.consumers.is_empty() {
            self.world.start_capture(host);
        }
        let consumer = self.world.consume(host, producer, &ConsumeOptions { rtx, ..Default::default() });
        self.consumers.push((host, consumer));
        consumer
    }

    fn consumers(
        &mut self,
        count: usize,
        shard: ShardId,
        producer: ProducerId,
        link: &LinkConfig,
        rtx: bool,
    ) {
        for _ in 0..count {
            self.consumer(shard, producer, link, rtx);
        }
    }

    fn end(mut self) -> Outcome {
        let mut outcome = Outcome::default();
        if let Some(producer) = self.cast {
            self.world.sender_mut(producer).stop();
            self.world.run_for(SETTLE);
            let sent = self.world.sender(producer).stats();
            outcome.frames_sent = sent.frames.into();
            outcome.key_frame_requests = sent.key_frame_requests.len() as u64;
        }
        let seen = self.consumers.iter().map(|(_, consumer)| self.world.receiver(*consumer).stats());
        let seen: Vec<ReceiverStats> = seen.collect();
        outcome.fewest_frames = seen.iter().map(|seen| seen.frames).min().unwrap_or(0);
        seen.iter().for_each(|seen| outcome.add(seen));
        outcome.capture = self.consumers.first().and_then(|(host, _)| self.world.take_capture(*host));
        outcome
    }
}

impl Outcome {
    fn add(&mut self, seen: &ReceiverStats) {
        self.packets += seen.distinct;
        self.missing += seen.missing;
        self.repaired += seen.repaired;
        self.given_up += seen.gaps;
        self.useless += seen.useless_repairs + seen.duplicates;
        self.broken += seen.broken;
        self.longest_freeze = self.longest_freeze.max(seen.longest_freeze);
        self.unsound += seen.corrupt + seen.jumps + seen.picture_id_breaks + seen.timestamp_breaks;
    }
}

fn perfect() -> LinkConfig {
    LinkConfig::default()
}

fn losing(loss: Loss) -> LinkConfig {
    LinkConfig { loss, delay: Duration::from_millis(20), ..LinkConfig::default() }
}

fn clean(play: &mut Play) {
    let producer = play.source(ModelCodec::Vp8, &perfect(), true);
    play.consumers(8, S0, producer, &perfect(), true);
    play.world.run_for(MINUTE);
}

fn audio(play: &mut Play) {
    let link = losing(Loss::Random(0.03));
    let producer = play.source(ModelCodec::Opus, &link, false);
    play.consumers(3, S0, producer, &link, false);
    play.world.run_for(MINUTE);
}

fn uplink_loss(play: &mut Play) {
    let producer = play.source(ModelCodec::Vp8, &losing(Loss::Random(0.05)), true);
    play.consumers(3, S0, producer, &losing(Loss::None), true);
    play.world.run_for(MINUTE);
}

fn downlink_loss(play: &mut Play) {
    let producer = play.source(ModelCodec::Vp8, &losing(Loss::None), true);
    play.consumers(3, S0, producer, &losing(Loss::Random(0.05)), true);
    play.world.run_for(MINUTE);
}

fn plain_repair(play: &mut Play) {
    let link = losing(Loss::Random(0.05));
    let producer = play.source(ModelCodec::Vp8, &link, false);
    play.consumers(3, S0, producer, &link, false);
    play.world.run_for(MINUTE);
}

fn bursts(play: &mut Play) {
    // A burst every five hundred packets, four packets long.
    let loss = Loss::GilbertElliott { to_bad: 0.002, to_good: 0.25, good_loss: 0.0, bad_loss: 1.0 };
    let producer = play.source(ModelCodec::H264, &losing(Loss::None), true);
    play.consumers(3, S0, producer, &losing(loss), true);
    play.world.run_for(MINUTE);
}

fn reordering(play: &mut Play) {
    let link = LinkConfig {
        delay: Duration::from_millis(20),
        jitter: Duration::from_millis(8),
        jitter_reorders: true,
        duplicate: 0.01,
        ..LinkConfig::default()
    };
    let producer = play.source(ModelCodec::Vp8, &link, true);
    play.consumers(3, S0, producer, &link, true);
    play.world.run_for(MINUTE);
}

fn late_joiner(play: &mut Play) {
    let producer = play.source(ModelCodec::Vp8, &perfect(), true);
    play.world.run_for(MINUTE / 3);
    play.consumer(S0, producer, &perfect(), true);
    play.world.run_for(MINUTE - MINUTE / 3);
}

fn pause(play: &mut Play) {
    let producer = play.source(ModelCodec::Vp8, &losing(Loss::None), true);
    let consumer = play.consumer(S0, producer, &losing(Loss::Random(0.03)), true);
    play.world.run_for(MINUTE / 3);
    // The consumer was made above and nobody closes it, so that neither request is refused.
    let _ = play.world.request(S0, PauseConsumer { id: consumer });
    play.world.run_for(MINUTE / 6);
    let _ = play.world.request(S0, ResumeConsumer { id: consumer });
    play.world.run_for(MINUTE / 2);
}

fn shards(play: &mut Play) {
    let link = losing(Loss::Random(0.05));
    let producer = play.source(ModelCodec::Vp8, &link, true);
    play.consumers(1, S0, producer, &link, true);
    play.consumers(2, S1, producer, &link, true);
    play.world.run_for(MINUTE);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_different_and_found() {
        let names: BTreeSet<&str> = SCENARIOS.iter().map(|scenario| scenario.name).collect();
        assert_eq!(names.len(), SCENARIOS.len());
        for name in names {
            assert_eq!(Scenario::find(name).map(|scenario| scenario.name), Some(name));
            assert!(name.chars().all(|c| c.is_ascii_lowercase() || c == '-'), "{name}");
        }
        assert!(Scenario::find("none").is_none());
    }

    #[test]
    fn every_scenario_is_sound_and_shows_its_frames() {
        for scenario in SCENARIOS {
            let outcome = scenario.run(5, false);
            assert_eq!(outcome.unsound, 0, "{}: {outcome:?}", scenario.name);
            assert!(outcome.fewest_frames * 2 > outcome.frames_sent, "{}: {outcome:?}", scenario.name);
            assert_eq!(outcome.capture, None);
        }
    }

    #[test]
    fn a_seed_decides_the_outcome_and_the_capture() {
        let scenario = Scenario::find("downlink-loss").expect("it is in the list");
        let outcome = scenario.run(7, true);
        assert!(outcome.missing > 0 && outcome.repaired > 0, "{outcome:?}");
        assert!(outcome.capture.as_ref().is_some_and(|capture| capture.len() > 100_000));
        assert_eq!(outcome, scenario.run(7, true));
        assert_ne!(outcome.missing, scenario.run(8, false).missing);
    }
}
