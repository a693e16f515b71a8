//! A pair over a way without losses: what it is given arrives, in datagrams of the sizes that the source says.

use super::Pair;
use crate::ends::{Carried, Said};
use crate::scenario::{AUDIO_PACKET, LADDER};
use crate::source::{FRAME_INTERVAL, Packet, Source};
use std::collections::VecDeque;
use std::time::Duration;
use tureen_rtp_wire::Time;

const DELAY: Duration = Duration::from_millis(20);

/// A pair and what is under way between its ends.
struct Run {
    pair: Pair,
    source: Source,
    down: VecDeque<(Time, Vec<u8>)>,
    up: VecDeque<(Time, Vec<u8>)>,
    /// Sizes of the datagrams with pictures, and of all.
    pictures: Vec<u16>,
    sizes: Vec<u16>,
}

impl Run {
    fn new() -> Self {
        let pair = Pair::connect(LADDER, DELAY, Time::ZERO).expect("a handshake in memory without losses");
        let (down, up) = (VecDeque::new(), VecDeque::new());
        Self { pair, source: Source::new(LADDER, 1), down, up, pictures: Vec::new(), sizes: Vec::new() }
    }

    /// Does what there is to do in a millisecond.
    fn step(&mut self, now: Time) {
        while self.up.front().is_some_and(|&(at, _)| at <= now) {
            let (_, datagram) = self.up.pop_front().expect("it is there");
            self.pair.on_answer(now, &datagram);
        }
        while let Some(leaving) = self.pair.poll_server(now) {
            let Carried::Datagram(datagram) = leaving.carried else { panic!("no datagram") };
            assert_eq!(datagram.len(), usize::from(leaving.size));
            self.sizes.push(leaving.size);
            self.pictures.extend(leaving.waited.map(|_| leaving.size));
            self.down.push_back((now + DELAY, datagram));
        }
        if let Some(rung) = self.pair.take_key_frame_request() {
            self.source.request_key_frame(now, rung);
        }
        let mut said = Vec::new();
        while self.down.front().is_some_and(|&(at, _)| at <= now) {
            let (_, datagram) = self.down.pop_front().expect("it is there");
            said.extend(self.pair.on_arrival(now, &datagram));
        }
        said.extend(self.pair.poll_viewer(now));
        for said in said {
            let Said::Datagram(datagram) = said else { panic!("no datagram") };
            self.up.push_back((now + DELAY, datagram));
        }
    }

    /// Runs for some seconds. Gives the packets of the rung that was forwarded.
    fn run(&mut self, seconds: u64) -> Vec<Packet> {
        let mut given = Vec::new();
        let mut frame_at = Time::ZERO;
        for now in (0..seconds * 1000).map(Time::from_millis) {
            if now.as_millis().is_multiple_of(20) {
                self.pair.on_audio(now, AUDIO_PACKET);
            }
            if now >= frame_at {
                frame_at += FRAME_INTERVAL;
                for packet in self.source.next_frame(now) {
                    self.pair.on_video(now, packet);
                    if self.pair.rung_bitrate() == LADDER[packet.rung] {
                        given.push(packet);
                    }
                }
            }
            self.step(now);
        }
        given
    }
}

#[test]
fn a_datagram_has_the_size_that_the_source_says() {
    let mut run = Run::new();
    let given: Vec<u16> = run.run(10).iter().map(|packet| packet.size).collect();
    let left = run.pictures.len();
    assert!(left > 1000 && left <= given.len(), "{left} of {}", given.len());
    assert_eq!(run.pictures, given[..left]);
    let sounds = run.sizes.iter().filter(|&&size| size == AUDIO_PACKET).count();
    // The first report on it, which ends the naming of that stream, comes within 5 s.
    assert!(sounds > 200, "{sounds}");
}

#[test]
fn what_is_given_is_decoded_and_what_is_sent_beside_it_is_padding() {
    let mut run = Run::new();
    run.run(10);
    let decoder = run.pair.decoder();
    assert!(decoder.decoded.len() > 280, "{}", decoder.decoded.len());
    assert_eq!(decoder.decoded.last().map(|decoded| decoded.rung), Some(LADDER.len() - 1));
    assert!(decoder.audio_gap < Duration::from_millis(30), "{:?}", decoder.audio_gap);
    let arrived = decoder.media_bytes + decoder.padding_bytes;
    // The rest is reports, STUN, and what is under way.
    let sent: u64 = run.sizes.iter().copied().map(u64::from).sum();
    assert!(arrived <= sent && arrived * 100 > sent * 97, "{arrived} of {sent}");
    // It probes.
    assert!(decoder.padding_bytes > 20_000, "{}", decoder.padding_bytes);
    run.pair.finish().expect("ends that are alive");
}
