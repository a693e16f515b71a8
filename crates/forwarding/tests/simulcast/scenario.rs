//! A publisher of three encodings, VP8 or VP9, with three temporal layers each, a network, and one viewer who changes their mind.

use std::collections::BTreeMap;
use tureen_forwarding::{
    FrameLayers, PacketMeta, PayloadPatch, Rewrite, SimulcastSelector, SimulcastSelectorConfig, Verdict,
};
use tureen_rtp_wire::Time;
use tureen_rtp_wire::payload::{PayloadDescriptor, PayloadFormat};

pub(crate) const ENCODINGS: usize = 3;
const FRAMES: u64 = 240;
/// The last frames come without trouble, so that the viewer gets what they want.
const CALM: u64 = 60;
const FRAME_MILLIS: u64 = 33;

/// A frame as the publisher made it.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub(crate) is_key: bool,
    pub(crate) layer: u8,
    /// The frames of the same stream that it refers to.
    pub(crate) references: Vec<usize>,
    pub(crate) timestamp: u32,
    pub(crate) tl0: u8,
    /// Of its first packet.
    pub(crate) number: u64,
    pub(crate) packets: u64,
}

/// One life of one encoding.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stream {
    pub(crate) frames: Vec<Frame>,
}

/// A packet of a frame of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Packet {
    pub(crate) stream: usize,
    pub(crate) frame: usize,
    pub(crate) index: u64,
}

/// A packet that the selector decided about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Decided {
    pub(crate) packet: Packet,
    /// How often the viewer had paused until then.
    pub(crate) pauses: u32,
    /// How it was sent, if it was.
    pub(crate) sent: Option<Rewrite>,
}

/// All that happened.
#[derive(Clone, Debug, Default)]
pub(crate) struct Record {
    pub(crate) streams: Vec<Stream>,
    /// In the order of time.
    pub(crate) decided: Vec<Decided>,
    /// VP9, whose picture ids keep the gaps of what is left out; else VP8, whose ids have none.
    pub(crate) vp9: bool,
    /// Picture ids have 7 bits.
    pub(crate) short_ids: bool,
    /// Encoding and temporal layer wanted and sent at the end.
    pub(crate) wanted: (u8, u8),
    pub(crate) reached: Option<(u8, u8)>,
}

/// xorshift64* (Vigna, 2014).
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, limit: u64) -> u64 {
        (self.roll() >> 33) % limit
    }

    fn one_in(&mut self, chance: u64) -> bool {
        self.below(chance) == 0
    }
}

/// One encoding of the publisher.
struct Encoder {
    /// Its life now.
    stream: usize,
    next_number: u64,
    timestamp_origin: u32,
    picture_origin: u16,
    tl0: u8,
    alive: bool,
    /// Place in the pattern of temporal layers.
    phase: usize,
    /// By temporal layer, the last frame.
    last: [Option<usize>; 3],
}

struct World {
    dice: Dice,
    record: Record,
    encoders: Vec<Encoder>,
    selector: SimulcastSelector,
    /// By time of arrival and a tie-break.
    under_way: BTreeMap<(u64, u64), (Packet, PacketMeta)>,
    store: BTreeMap<Packet, PacketMeta>,
    by_number: BTreeMap<(usize, u64), Packet>,
    pauses: u32,
    packets: u64,
}

/// Plays the scenario of a seed: VP9 if it is odd.
pub(crate) fn play(seed: u64) -> Record {
    let mut dice = Dice(seed | 1);
    for _ in 0..8 {
        dice.roll();
    }
    let config = SimulcastSelectorConfig {
        needs_key_frame: true,
        clock_rate: 90_000,
        first_sequence_number: dice.roll() as u16,
    };
    let mut world = World {
        dice,
        record: Record::default(),
        encoders: Vec::new(),
        selector: SimulcastSelector::new(config),
        under_way: BTreeMap::new(),
        store: BTreeMap::new(),
        by_number: BTreeMap::new(),
        pauses: 0,
        packets: 0,
    };
    world.record.vp9 = seed % 2 == 1;
    world.record.short_ids = world.dice.one_in(4);
    for _ in 0..ENCODINGS {
        let encoder = world.start_encoder();
        world.encoders.push(encoder);
    }
    world.want();
    for tick in 0..FRAMES {
        world.tick(tick);
    }
    world.deliver(u64::MAX);
    world.record.reached = world.selector.current().map(|layers| (layers.encoding, layers.temporal_layer));
    world.record
}

impl World {
    fn start_encoder(&mut self) -> Encoder {
        self.record.streams.push(Stream::default());
        let dice = &mut self.dice;
        Encoder {
            stream: self.record.streams.len() - 1,
            next_number: 65_536 + (dice.roll() & 0xffff),
            // Near a wrap, half of the time.
            timestamp_origin: if dice.one_in(2) { u32::MAX - 90_000 } else { dice.roll() as u32 },
            picture_origin: if dice.one_in(2) { 0x7ff0 } else { dice.roll() as u16 & 0x7fff },
            tl0: dice.roll() as u8,
            alive: true,
            phase: 0,
            last: [None; 3],
        }
    }

    fn want(&mut self) {
        let (encoding, layer) = (self.dice.below(ENCODINGS as u64) as u8, self.dice.below(3) as u8);
        self.selector.set_target(encoding, layer);
        self.record.wanted = (encoding, layer);
    }

    fn tick(&mut self, tick: u64) {
        let calm = tick + CALM >= FRAMES;
        let now = 1000 + tick * FRAME_MILLIS;
        if !calm {
            self.disturb();
        }
        for encoding in 0..ENCODINGS {
            if calm {
                self.encoders[encoding].alive = true;
            }
            if self.encoders[encoding].alive {
                self.encode(encoding, tick, now, calm);
            }
        }
        self.deliver(now + FRAME_MILLIS - 1);
    }

    fn disturb(&mut self) {
        if self.dice.one_in(12) {
            self.want();
        }
        if self.dice.one_in(60) {
            self.selector.restart();
            self.pauses += 1;
        }
        let encoding = self.dice.below(ENCODINGS as u64) as usize;
        if self.dice.one_in(25) {
            self.encoders[encoding].alive ^= true;
        }
        if self.dice.one_in(20) {
            let alignment = self.encoders[encoding].timestamp_origin.wrapping_neg();
            self.selector.set_alignment(encoding as u8, alignment);
        }
        if self.dice.one_in(80) {
            let gone = self.encoders[encoding].stream;
            self.under_way.retain(|_, (packet, _)| packet.stream != gone);
            self.encoders[encoding] = self.start_encoder();
            self.selector.source_changed(encoding as u8);
        }
    }

    fn encode(&mut self, encoding: usize, tick: u64, now: u64, calm: bool) {
        let asked = self.selector.needs_key_frame(encoding as u8) && (calm || self.dice.one_in(4));
        let dice = &mut self.dice;
        let encoder = &mut self.encoders[encoding];
        let stream = &mut self.record.streams[encoder.stream];
        let is_key = stream.frames.is_empty() || asked || dice.one_in(100);
        if is_key {
            (encoder.phase, encoder.last) = (0, [None; 3]);
        }
        let layer = [0, 2, 1, 2][encoder.phase % 4];
        encoder.phase += 1;
        let vp9 = self.record.vp9;
        // The first frame of a layer has nothing but the base to refer to; others may choose to.
        let sync =
            !vp9 && layer > 0 && (calm || dice.one_in(3) || encoder.last[layer].is_none() && layer == 1);
        // With VP9 it is the base that says that nothing behind it refers to higher layers in front of it.
        let up = vp9 && layer == 0 && (calm || dice.one_in(2));
        let lower = if sync { &encoder.last[..1] } else { &encoder.last[..=layer] };
        let references: Vec<usize> =
            if is_key { Vec::new() } else { lower.iter().flatten().copied().collect() };
        if up {
            encoder.last = [None; 3];
        }
        if layer == 0 {
            encoder.tl0 = encoder.tl0.wrapping_add(1);
        }
        encoder.last[layer] = Some(stream.frames.len());
        let frame = Frame {
            is_key,
            layer: layer as u8,
            references,
            timestamp: encoder.timestamp_origin.wrapping_add((tick * FRAME_MILLIS * 90) as u32),
            tl0: encoder.tl0,
            number: encoder.next_number,
            packets: 1 + dice.below(4),
        };
        encoder.next_number += frame.packets;
        let place = stream.frames.len();
        let picture = encoder.picture_origin.wrapping_add(place as u16) & 0x7fff;
        let (stream, short) = (encoder.stream, self.record.short_ids);
        let entry = sync || up;
        self.record.streams[stream].frames.push(frame.clone());
        for index in 0..frame.packets {
            let packet = Packet { stream, frame: place, index };
            let payload = if vp9 {
                vp9_payload(&frame, index, picture, short, entry)
            } else {
                vp8_payload(&frame, index, picture, short, entry)
            };
            let format = if vp9 { PayloadFormat::Vp9 } else { PayloadFormat::Vp8 };
            let descriptor = PayloadDescriptor::parse(format, &payload).expect("a descriptor");
            let meta = describe(&frame, encoding, index, descriptor);
            self.by_number.insert((stream, meta.extended_sequence), packet);
            self.send(packet, meta, now, calm);
        }
    }

    fn send(&mut self, packet: Packet, meta: PacketMeta, now: u64, calm: bool) {
        let dice = &mut self.dice;
        let late = match dice.below(if calm { 1 } else { 40 }) {
            1 => return,
            2 => 20 + dice.below(150),
            3..6 => dice.below(8),
            _ => 0,
        };
        self.packets += 1;
        self.under_way.insert((now + 1 + late, self.packets), (packet, meta));
    }

    fn deliver(&mut self, until: u64) {
        while let Some(entry) = self.under_way.first_entry() {
            let (at, _) = *entry.key();
            if at > until {
                return;
            }
            let (packet, meta) = entry.remove();
            let meta = PacketMeta { received_at: Time::from_millis(at), ..meta };
            self.store.insert(packet, meta);
            self.decide(packet, &meta);
            if meta.is_key_frame {
                for number in self.selector.take_backlog() {
                    let behind = self.by_number[&(packet.stream, number)];
                    let meta = self.store[&behind];
                    self.decide(behind, &meta);
                }
            }
        }
    }

    fn decide(&mut self, packet: Packet, meta: &PacketMeta) {
        let sent = match self.selector.decide(meta) {
            Verdict::Forward(rewrite) => {
                let payload = ids_sent(rewrite.payload, &meta.descriptor);
                Some(Rewrite { payload, ..rewrite })
            }
            Verdict::Drop(_) => None,
        };
        self.record.decided.push(Decided { packet, pauses: self.pauses, sent });
    }
}

/// The ids that a packet has when it is sent, be they its own.
fn ids_sent(patch: PayloadPatch, descriptor: &PayloadDescriptor) -> PayloadPatch {
    match (patch, descriptor) {
        (PayloadPatch::None, PayloadDescriptor::Vp9(vp9)) => PayloadPatch::Vp9 {
            picture_id: vp9.picture_id.expect("it has a picture id").value,
            tl0_pic_idx: vp9.layers.and_then(|layers| layers.tl0_pic_idx).expect("it has layers"),
        },
        (patch, _) => patch,
    }
}

fn picture_id(picture: u16, short: bool) -> Vec<u8> {
    let [high, low] = (picture | 0x8000).to_be_bytes();
    if short { vec![low & 0x7f] } else { vec![high, low] }
}

fn vp8_payload(frame: &Frame, index: u64, picture: u16, short: bool, sync: bool) -> Vec<u8> {
    let mut payload = vec![if index == 0 { 0x90 } else { 0x80 }, 0xe0];
    payload.extend(picture_id(picture, short));
    payload.extend([frame.tl0, frame.layer << 6 | u8::from(sync) << 5, u8::from(!frame.is_key)]);
    payload
}

/// In non-flexible mode.
fn vp9_payload(frame: &Frame, index: u64, picture: u16, short: bool, up: bool) -> Vec<u8> {
    let (starts, ends) = (index == 0, index + 1 == frame.packets);
    let mut payload = vec![0xa0 | u8::from(!frame.is_key) << 6 | u8::from(starts) << 3 | u8::from(ends) << 2];
    payload.extend(picture_id(picture, short));
    payload.extend([frame.layer << 5 | u8::from(up) << 4, frame.tl0, 0]);
    payload
}

fn describe(frame: &Frame, encoding: usize, index: u64, descriptor: PayloadDescriptor) -> PacketMeta {
    PacketMeta {
        received_at: Time::ZERO,
        extended_sequence: frame.number + index,
        timestamp: frame.timestamp,
        payload_size: 1000,
        encoding: encoding as u8,
        spatial_layer: 0,
        temporal_layer: frame.layer,
        marker: index + 1 == frame.packets,
        is_key_frame: descriptor.is_key_frame(),
        primary: None,
        descriptor,
        layers: FrameLayers::of_payload(&descriptor),
    }
}
