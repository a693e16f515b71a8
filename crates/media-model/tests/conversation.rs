//! Who is told to speak in a scripted conversation: voices, coughs and words of assent over the noise of rooms, through a real Opus encoder. The
//! levels are in `fixtures/conversation.txt`, which `fixtures/conversation.py` writes.

mod support;

use support::Bench;
use support::microphone::Microphone;
use tureen_media_model::{
    ActiveSpeakerObserverOptions, CreateActiveSpeakerObserver, Event, ObserveProducer, RtpObserverEvent,
    RtpObserverId, ShardId,
};

const FIXTURE: &str = include_str!("fixtures/conversation.txt");
const FRAME_MS: u64 = 20;
/// A take-over has to be told within a second.
const BAR_MS: u64 = 1000;

/// Somebody who is to be the dominant speaker, and within what time that has to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct TakeOver {
    speaker: usize,
    from: u64,
    until: u64,
}

struct Conversation {
    take_overs: Vec<TakeOver>,
    /// By speaker, in -dBov, for each 20 ms.
    levels: Vec<Vec<u8>>,
}

impl Conversation {
    fn read() -> Self {
        let mut conversation = Self { take_overs: vec![], levels: vec![] };
        let mut before = None;
        for line in FIXTURE.lines().filter(|line| !line.starts_with('#')) {
            let words: Vec<&str> = line.split(' ').collect();
            let number = |at: usize| words[at].parse::<u64>().unwrap();
            let speaker = number(1) as usize;
            match words[0] {
                "turn" => {
                    let (start, end) = (number(2), number(3));
                    let (last, over) = before.unwrap_or((usize::MAX, 0));
                    // Who breaks in takes over once the other has given way.
                    if last != speaker {
                        let until = start.max(over) + BAR_MS;
                        conversation.take_overs.push(TakeOver { speaker, from: start, until });
                    }
                    before = Some((speaker, end));
                }
                "levels" => {
                    if conversation.levels.len() <= speaker {
                        conversation.levels.push(vec![]);
                    }
                    let octets = words[2].as_bytes().chunks(2);
                    let level =
                        |hex: &[u8]| u8::from_str_radix(std::str::from_utf8(hex).unwrap(), 16).unwrap();
                    conversation.levels[speaker].extend(octets.map(level));
                }
                _ => assert!(["cough", "assent"].contains(&words[0]), "{line}"),
            }
        }
        conversation
    }

    /// Who is told to be the dominant speaker, and when, where it begins so late.
    fn told(&self, late: u64) -> Vec<(usize, u64)> {
        let mut bench = Bench::new();
        let mut microphones = [1, 2, 3].map(|socket| Microphone::new(&mut bench, socket));
        let id = RtpObserverId(bench.id());
        let options = ActiveSpeakerObserverOptions::new(id);
        bench.ask(CreateActiveSpeakerObserver { router: bench.router, options }).unwrap();
        for microphone in &microphones {
            let home = ShardId(0);
            bench.ask(ObserveProducer { observer: id, producer: microphone.id, home }).unwrap();
        }
        bench.pass(late);
        let mut told = vec![];
        for frame in 0..self.levels[0].len() {
            for (microphone, levels) in microphones.iter_mut().zip(&self.levels) {
                microphone.send(&mut bench, Some(levels[frame]));
            }
            bench.pass(FRAME_MS);
            for event in bench.events() {
                if let Event::RtpObserver(_, RtpObserverEvent::DominantSpeaker(producer)) = event {
                    let speaker = microphones.iter().position(|microphone| microphone.id == producer);
                    told.push((speaker.unwrap(), (frame as u64 + 1) * FRAME_MS));
                }
            }
        }
        told
    }
}

#[test]
fn each_take_over_of_a_conversation_is_told_within_a_second_and_nothing_else() {
    let conversation = Conversation::read();
    assert_eq!((conversation.levels.len(), conversation.take_overs.len()), (3, 13));
    let mut slowest = 0;
    // However the speech lies in the observer's intervals.
    for late in (0..300).step_by(20) {
        let told = conversation.told(late);
        let wanted = &conversation.take_overs;
        let speakers: Vec<usize> = told.iter().map(|(speaker, _)| *speaker).collect();
        let expected: Vec<usize> = wanted.iter().map(|take_over| take_over.speaker).collect();
        assert_eq!(speakers, expected, "{late} ms late: {told:?}");
        for ((_, at), wanted) in told.iter().zip(wanted) {
            assert!((wanted.from..=wanted.until).contains(at), "{late} ms late: told at {at}, {wanted:?}");
            slowest = slowest.max(at + BAR_MS - wanted.until);
        }
    }
    report(slowest);
}

#[expect(clippy::print_stderr, reason = "measurements of a test belong in its output")]
fn report(slowest: u64) {
    eprintln!("the slowest take-over was told {slowest} ms after it began");
}
