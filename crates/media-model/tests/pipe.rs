//! Two routers and a pipe between them: all encodings cross, and the far router's consumers choose among them.

mod support;

use support::{Bench, vp8, vp8_parameters};
use tureen_media_model::{
    Consume, ConsumerEvent, ConsumerId, ConsumerInfo, ConsumerScore, DumpConsumer, Event, GetConsumerStats,
    GetProducerStats, ProducerInfo, SetPreferredLayers,
};
use tureen_rtp_dictionaries::{ConsumerType, MediaKind, MediaLayers, ProducerType, RtpParameters};
use tureen_rtp_wire::rtcp::{Compound, ReportBlock, RtcpPacket, RtcpWriter};
use tureen_rtp_wire::rtp::RtpPacket;

const ENCODINGS: [u32; 3] = [1000, 2000, 3000];

fn simulcast() -> RtpParameters {
    let mut parameters = serde_json::to_value(vp8_parameters(1000)).unwrap();
    let encodings = ENCODINGS.iter().map(|ssrc| serde_json::json!({"ssrc": ssrc, "scalabilityMode": "L1T3"}));
    parameters["encodings"] = encodings.collect();
    serde_json::from_value(parameters).unwrap()
}

/// A publisher at the near router, and a viewer at the far one.
struct Pipe {
    near: Bench,
    far: Bench,
    consumer: ConsumerInfo,
    producer: ProducerInfo,
    viewer: ConsumerInfo,
    frames: u32,
    /// Packets between the routers that get lost, by how many went before.
    lost: Vec<usize>,
    crossed: usize,
}

impl Pipe {
    fn new(parameters: RtpParameters, enable_rtx: bool) -> Self {
        let (mut near, mut far) = (Bench::new(), Bench::new());
        let (source, out) = (near.transport(1), near.pipe(2, enable_rtx));
        let (into, sink) = (far.pipe(1, enable_rtx), far.transport(2));
        let original = near.produce(source, MediaKind::Video, parameters);
        let consumer = near.consume(out, original.id);
        let producer = far.produce(into, MediaKind::Video, consumer.rtp_parameters.clone());
        let viewer = far.consume(sink, producer.id);
        Self { near, far, consumer, producer, viewer, frames: 0, lost: vec![], crossed: 0 }
    }

    /// A frame of each encoding, key frames where the publisher was asked. Then its time passes.
    fn frame(&mut self) -> Vec<(u16, u32)> {
        let asked = self.asked();
        for (index, ssrc) in ENCODINGS.into_iter().enumerate() {
            let number = (100 * (index as u32 + 1) + self.frames) as u16;
            let bytes = vp8(ssrc, number, ssrc * 1000 + self.frames * 3000, asked.contains(&index));
            self.near.receive(1, &bytes);
            self.cross();
        }
        self.frames += 1;
        for _ in 0..3 {
            self.near.pass(11);
            self.far.pass(11);
            self.cross();
        }
        self.got()
    }

    fn run(&mut self, frames: usize) -> Vec<(u16, u32)> {
        (0..frames).flat_map(|_| self.frame()).collect()
    }

    /// What each router sends to the other arrives.
    fn cross(&mut self) {
        let (media, reports) = self.near.sent_to(2);
        for bytes in media {
            if !self.lost.contains(&self.crossed) {
                self.far.receive(1, &bytes);
            }
            self.crossed += 1;
        }
        reports.iter().for_each(|bytes| self.far.receive(1, bytes));
        let (media, reports) = self.far.sent_to(1);
        assert!(media.is_empty(), "nothing is sent towards the source");
        reports.iter().for_each(|bytes| self.near.receive(2, bytes));
    }

    /// The encodings whose key frames the publisher was asked for.
    fn asked(&mut self) -> Vec<usize> {
        self.cross();
        let (_, compounds) = self.near.sent_to(1);
        let packets = compounds.iter().flat_map(|bytes| Compound::parse(bytes).unwrap());
        let asked = packets.filter_map(|packet| match packet.unwrap() {
            RtcpPacket::Pli(pli) => ENCODINGS.iter().position(|ssrc| *ssrc == pli.media_ssrc),
            _ => None,
        });
        asked.collect()
    }

    /// Sequence numbers and timestamps that the viewer got, retransmissions aside.
    fn got(&mut self) -> Vec<(u16, u32)> {
        let ssrc = self.viewer.rtp_parameters.encodings[0].ssrc.unwrap();
        let (sent, _) = self.far.sent_to(2);
        let packets = sent.iter().map(|bytes| RtpPacket::parse(bytes).unwrap());
        let media = packets.filter(|packet| packet.ssrc() == ssrc);
        media.map(|packet| (packet.sequence_number(), packet.timestamp())).collect()
    }

    fn prefer(&mut self, spatial_layer: u8) {
        let layers = MediaLayers { spatial_layer, temporal_layer: None };
        self.far.ask(SetPreferredLayers { id: self.viewer.id, layers }).unwrap();
    }

    fn told_spatial(&mut self) -> Option<u8> {
        let mut layers = self.far.events().into_iter().filter_map(|event| match event {
            Event::Consumer(_, ConsumerEvent::Layers(layers)) => layers,
            _ => None,
        });
        layers.next_back().map(|layers| layers.spatial_layer)
    }

    /// The scores of the pipe consumer that were told.
    fn scores(&mut self) -> Vec<ConsumerScore> {
        let id: ConsumerId = self.consumer.id;
        let scores = self.near.events().into_iter().filter_map(|event| match event {
            Event::Consumer(told, ConsumerEvent::Score(score)) if told == id => Some(score),
            _ => None,
        });
        scores.collect()
    }
}

fn rtcp(fill: impl FnOnce(&mut RtcpWriter<'_>)) -> Vec<u8> {
    let mut buffer = vec![0; 1200];
    let mut writer = RtcpWriter::new(&mut buffer);
    writer.receiver_report(5, &[]).unwrap();
    fill(&mut writer);
    let len = writer.finish();
    buffer.truncate(len);
    buffer
}

#[test]
fn a_pipe_consumer_is_what_the_router_forwards() {
    let pipe = Pipe::new(simulcast(), false);
    let parameters = &pipe.consumer.rtp_parameters;
    assert_eq!(pipe.consumer.consumer_type, ConsumerType::Pipe);
    assert_eq!((parameters.mid.as_deref(), parameters.encodings.len()), (None, 3));
    let first = parameters.encodings[0].ssrc.unwrap();
    let ssrcs: Vec<_> = parameters.encodings.iter().map(|encoding| encoding.ssrc).collect();
    assert_eq!(ssrcs, [0, 1, 2].map(|index| Some(first + index)));
    assert!(parameters.encodings.iter().all(|encoding| encoding.rtx.is_none()));
    assert!(parameters.codecs.iter().all(|codec| codec.payload_type == 101), "no RTX unless asked for");
    assert_eq!(pipe.producer.producer_type, ProducerType::Simulcast);
    assert_eq!(pipe.viewer.consumer_type, ConsumerType::Simulcast);

    let pipe = Pipe::new(simulcast(), true);
    let codecs: Vec<_> = pipe.consumer.rtp_parameters.codecs.iter().map(|codec| codec.payload_type).collect();
    assert_eq!(codecs, [101, 102]);
    assert!(pipe.consumer.rtp_parameters.encodings.iter().all(|encoding| encoding.rtx.is_some()));
}

#[test]
fn capabilities_count_for_nothing_on_a_pipe() {
    let mut bench = Bench::new();
    let (source, out) = (bench.transport(1), bench.pipe(2, false));
    let producer = bench.produce(source, MediaKind::Video, vp8_parameters(1000));
    let mut options = bench.consumer_options(producer.id);
    options.rtp_capabilities = Default::default();
    options.enable_rtx = Some(true);
    let consumer = bench.ask(Consume { transport: out, options }).unwrap();
    assert_eq!(consumer.rtp_parameters.codecs.len(), 1);
}

#[test]
fn layers_are_chosen_at_the_far_end_and_only_the_chosen_one_is_asked_for() {
    let mut pipe = Pipe::new(simulcast(), false);
    let mut sent = pipe.run(20);
    assert_eq!(pipe.told_spatial(), Some(2));
    sent.extend(pipe.run(30));
    for layer in [0, 1, 2] {
        pipe.prefer(layer);
        pipe.far.pass(1);
        assert_eq!(pipe.asked(), [usize::from(layer)], "of one encoding alone");
        let ssrc = ENCODINGS[usize::from(layer)];
        let number = (100 * (u32::from(layer) + 1) + pipe.frames) as u16;
        pipe.near.receive(1, &vp8(ssrc, number, ssrc * 1000 + pipe.frames * 3000, true));
        pipe.frames += 1;
        pipe.cross();
        sent.extend(pipe.got());
        assert_eq!(pipe.told_spatial(), Some(layer));
        sent.extend(pipe.run(40));
    }
    let steps = sent.windows(2).map(|pair| pair[1].0.wrapping_sub(pair[0].0));
    assert_eq!(steps.filter(|step| *step != 1).count(), 0, "the viewer's numbers have no gap");
    assert!(sent.len() > 150, "{}", sent.len());
}

#[test]
fn a_packet_lost_between_the_routers_is_sent_again() {
    let mut pipe = Pipe::new(simulcast(), true);
    pipe.run(30);
    let before = pipe.crossed;
    pipe.lost = vec![before + 2];
    pipe.run(10);
    let stats = pipe.near.ask(GetConsumerStats { id: pipe.consumer.id }).unwrap();
    let resent: u64 = stats.outbound.iter().map(|stream| stream.stream.packets_retransmitted).sum();
    assert_eq!(resent, 1, "one of one encoding");
    let repaired = pipe
        .far
        .ask(GetProducerStats { id: pipe.producer.id })
        .unwrap()
        .iter()
        .map(|stream| stream.stream.packets_repaired)
        .sum::<u64>();
    assert_eq!(repaired, 1);
}

#[test]
fn the_far_router_answers_its_viewers_even_where_it_cannot_ask() {
    let mut pipe = Pipe::new(simulcast(), false);
    let sent = pipe.run(20);
    let encoding = &pipe.viewer.rtp_parameters.encodings[0];
    let (ssrc, rtx) = (encoding.ssrc.unwrap(), encoding.rtx.unwrap().ssrc);
    let missed = sent[sent.len() - 3].0;
    pipe.far.receive(2, &rtcp(|writer| writer.nack(5, ssrc, [missed]).unwrap()));
    let (again, _) = pipe.far.sent_to(2);
    let packet = RtpPacket::parse(&again[0]).unwrap();
    assert_eq!((packet.ssrc(), &packet.payload()[..2]), (rtx, &missed.to_be_bytes()[..]));
}

#[test]
fn each_stream_has_its_statistics_and_the_worst_gives_the_score() {
    let mut pipe = Pipe::new(simulcast(), false);
    pipe.run(20);
    let id = pipe.consumer.id;
    let stats = pipe.near.ask(GetConsumerStats { id }).unwrap();
    assert_eq!((stats.outbound.len(), stats.inbound), (3, None));
    assert!(stats.outbound.iter().all(|stream| stream.packet_count > 10));
    let dump = pipe.near.ask(DumpConsumer { id }).unwrap();
    let streams: Vec<_> = dump.rtp_streams.iter().map(|stream| (stream.encoding_idx, stream.ssrc)).collect();
    let first = pipe.consumer.rtp_parameters.encodings[0].ssrc.unwrap();
    assert_eq!(streams, [(0, first), (1, first + 1), (2, first + 2)]);

    // The far end says that it loses most of the middle one.
    pipe.near.events();
    let mut own = Vec::new();
    for turn in 1..=10 {
        pipe.run(5);
        let block = ReportBlock {
            ssrc: first + 1,
            fraction_lost: 200,
            cumulative_lost: 100 * turn,
            ..Default::default()
        };
        pipe.near.receive(2, &rtcp(|writer| writer.receiver_report(6, &[block]).unwrap()));
        let dump = pipe.near.ask(DumpConsumer { id }).unwrap();
        own.push(dump.rtp_streams.iter().map(|stream| stream.score).collect::<Vec<_>>());
    }
    let told = pipe.scores();
    let (last, own) = (told.last().expect("a score is told"), own.last().expect("it was read"));
    assert!(last.score < 10, "{told:?}");
    assert_eq!(own[..], [10, last.score, 10]);
    assert_eq!(last.producer_scores, [10, 10, 10]);
}

#[test]
fn a_silent_encoding_does_not_count() {
    let mut pipe = Pipe::new(simulcast(), false);
    for number in 0..30 {
        pipe.near.receive(1, &vp8(1000, number, u32::from(number) * 3000, number == 0));
        pipe.near.pass(33);
    }
    let told = pipe.scores();
    let last = told.last().expect("a score is told").clone();
    assert_eq!((last.score, last.producer_score, last.producer_scores), (10, 10, vec![10, 0, 0]));
}
