//! Trace events: told only while asked for, and only of the kinds asked for.

mod support;

use support::{Bench, vp8, vp8_parameters};
use tureen_media_model::{
    ConsumerEvent, ConsumerTraceFlags, Event, ProducerEvent, ProducerTraceFlags, TraceConsumer, TraceInfo,
    TraceProducer,
};
use tureen_rtp_dictionaries::MediaKind;

fn traces(bench: &mut Bench) -> Vec<(&'static str, TraceInfo)> {
    let events = bench.events().into_iter();
    let traces = events.filter_map(|event| match event {
        Event::Producer(_, ProducerEvent::Trace(trace)) => Some(("producer", trace.info)),
        Event::Consumer(_, ConsumerEvent::Trace(trace)) => Some(("consumer", trace.info)),
        _ => None,
    });
    traces.collect()
}

#[test]
fn traces_are_told_while_asked_for() {
    let mut bench = Bench::new();
    let (source, target) = (bench.transport(1), bench.transport(2));
    let producer = bench.produce(source, MediaKind::Video, vp8_parameters(1000));
    let consumer = bench.consume(target, producer.id);
    bench.receive(1, &vp8(1000, 1, 3000, true));
    assert_eq!(traces(&mut bench), []);

    let flags = ProducerTraceFlags::from_names(["keyframe", "nack", "pli"]);
    bench.ask(TraceProducer { id: producer.id, flags }).unwrap();
    bench.ask(TraceConsumer { id: consumer.id, flags: ConsumerTraceFlags::from_names(["rtp"]) }).unwrap();
    bench.receive(1, &vp8(1000, 2, 6000, false));
    assert!(
        matches!(&traces(&mut bench)[..], [("consumer", TraceInfo::Rtp(packet))] if packet.payload_type == 101)
    );
    bench.receive(1, &vp8(1000, 3, 9000, true));
    let told = traces(&mut bench);
    assert!(matches!(&told[..], [("producer", TraceInfo::KeyFrame(packet)), ("consumer", TraceInfo::Rtp(_))]
        if packet.sequence_number == 3 && packet.is_key_frame));
    bench.receive(1, &vp8(1000, 5, 12_000, false));
    bench.pass(60);
    assert!(traces(&mut bench).iter().any(|(of, info)| *of == "producer" && *info == TraceInfo::Nack));

    bench.ask(TraceProducer { id: producer.id, flags: ProducerTraceFlags::default() }).unwrap();
    bench.ask(TraceConsumer { id: consumer.id, flags: ConsumerTraceFlags::default() }).unwrap();
    bench.receive(1, &vp8(1000, 6, 15_000, true));
    assert_eq!(traces(&mut bench), []);
}
