//! Notes for logs: told of the topics that are asked for, seldom enough, and of nothing else.

mod support;

use support::messages::{Scene, stream};
use support::{Bench, vp8, vp8_parameters};
use tureen_media_model::{AskForNotes, Event, NOTES_PER_SECOND, Note, NoteTopics, PipeOptions, SctpOptions};
use tureen_rtp_dictionaries::MediaKind;
use tureen_rtp_wire::rtcp::RtcpWriter;

const RTX: NoteTopics = NoteTopics { srtp: false, rtx: true, bwe: false, message: false };
const MESSAGE: NoteTopics = NoteTopics { srtp: false, rtx: false, bwe: false, message: true };

fn notes(bench: &mut Bench) -> Vec<(Note, u64)> {
    let events = bench.events().into_iter();
    let notes = events.filter_map(|event| match event {
        Event::Note { note, left_out } => Some((note, left_out)),
        _ => None,
    });
    notes.collect()
}

fn nack(ssrc: u32, lost: impl IntoIterator<Item = u16>) -> Vec<u8> {
    let mut bytes = [0; 200];
    let mut writer = RtcpWriter::new(&mut bytes);
    writer.receiver_report(1, &[]).unwrap();
    writer.nack(1, ssrc, lost).unwrap();
    let len = writer.finish();
    bytes[..len].to_vec()
}

#[test]
fn packets_asked_for_and_sent_again_are_noted_while_asked_for() {
    let mut bench = Bench::new();
    let (source, target) = (bench.transport(1), bench.transport(2));
    let producer = bench.produce(source, MediaKind::Video, vp8_parameters(1000));
    let consumer = bench.consume(target, producer.id);
    let ssrc = consumer.rtp_parameters.encodings[0].ssrc.unwrap();
    bench.receive(1, &vp8(1000, 1, 3000, true));
    let (media, _) = bench.sent_to(2);
    let first = u16::from_be_bytes([media[0][2], media[0][3]]);
    let unknown = first.wrapping_sub(100);
    bench.receive(2, &nack(ssrc, [first]));
    assert_eq!(notes(&mut bench), [], "nobody asked");

    assert_eq!(bench.ask(AskForNotes { topics: RTX }), NoteTopics::default());
    bench.pass(500);
    bench.receive(2, &nack(ssrc, [unknown, first]));
    let sent = Note::SentAgain { consumer: consumer.id, ssrc, asked: 2, answered: 1 };
    assert_eq!(notes(&mut bench), [(sent, 0)]);
    bench.receive(1, &vp8(1000, 4, 12_000, false));
    bench.pass(60);
    let asked = Note::AskedAgain { producer: producer.id, ssrc: 1000, packets: 2 };
    assert!(notes(&mut bench).contains(&(asked, 0)));

    assert_eq!(bench.ask(AskForNotes { topics: MESSAGE }), RTX);
    bench.pass(500);
    bench.receive(2, &nack(ssrc, [first]));
    assert_eq!(notes(&mut bench), [], "nobody asks any more");
}

#[test]
fn a_flood_is_noted_so_often_a_second_and_what_was_left_out_is_told() {
    let mut bench = Bench::new();
    let (source, target) = (bench.transport(1), bench.transport(2));
    let producer = bench.produce(source, MediaKind::Video, vp8_parameters(1000));
    let consumer = bench.consume(target, producer.id);
    let ssrc = consumer.rtp_parameters.encodings[0].ssrc.unwrap();
    bench.ask(AskForNotes { topics: RTX });
    for _ in 0..1000 {
        bench.receive(2, &nack(ssrc, [7]));
    }
    assert_eq!(notes(&mut bench).len(), NOTES_PER_SECOND as usize);
    bench.pass(1000);
    bench.receive(2, &nack(ssrc, [7]));
    assert_eq!(notes(&mut bench)[0].1, 1000 - u64::from(NOTES_PER_SECOND));
}

#[test]
fn messages_are_noted_as_they_pass_and_where_they_are_lost() {
    let mut scene = Scene::new();
    let transport = scene.connected(1, SctpOptions::default(), None::<PipeOptions>);
    let producer = scene.produce(transport, Some(stream(3)));
    scene.say(1, 3, "unheard of");
    assert_eq!(notes(&mut scene.bench), [], "nobody asked");
    scene.bench.ask(AskForNotes { topics: MESSAGE });
    scene.say(1, 3, "hello");
    scene.say(1, 4, "to nobody");
    let told: Vec<Note> = notes(&mut scene.bench).into_iter().map(|(note, _)| note).collect();
    let [Note::Message { data_producer, bytes: 5, .. }, unclaimed] = told[..] else { panic!("{told:?}") };
    assert_eq!(data_producer, producer);
    assert_eq!(unclaimed, Note::MessageUnclaimed { transport, stream: 4 });
}
