//! How many messages of an endpoint go further.

mod support;

use support::messages::{Scene, stream};
use tureen_media_model::*;

#[test]
fn what_is_too_much_goes_no_further_and_is_told_once_a_second() {
    let mut scene = Scene::new();
    let one = scene.sctp(1, SctpOptions { max_messages_per_second: 10, ..Default::default() });
    let direct = scene.direct(3);
    let (first, second) = (scene.produce(one, Some(stream(0))), scene.produce(one, Some(stream(1))));
    let consumer = scene.consume(direct, first).id;
    let limited = |scene: &mut Scene| {
        let events = scene.bench.events().into_iter();
        let mut counts = (0, vec![]);
        for event in events {
            match event {
                Event::DataConsumer(id, DataConsumerEvent::Message { .. }) if id == consumer => counts.0 += 1,
                Event::DataProducer(id, DataProducerEvent::MessagesLimited(all)) => counts.1.push((id, all)),
                _ => {}
            }
        }
        counts
    };
    // Twice what a second may bring comes at once, whichever data producer it is of.
    for number in 0..40 {
        scene.send_at_once(1, number % 2);
    }
    scene.run(100);
    let (heard, told) = limited(&mut scene);
    assert_eq!(heard, 10, "of twenty, every second is of the other one");
    assert_eq!(told, [(first, 1), (second, 1)]);
    for _ in 0..40 {
        scene.send_at_once(1, 0);
        scene.run(50);
    }
    let (heard, told) = limited(&mut scene);
    assert!((19..=22).contains(&heard), "{heard} in two seconds");
    assert_eq!(told.len(), 2, "{told:?}");
    let stats = scene.bench.ask(GetDataProducerStats { id: first }).unwrap();
    assert_eq!((stats.messages_received, stats.messages_limited), (10 + heard, 10 + 40 - heard));
    let counters = scene.bench.core.counters().data;
    assert_eq!(counters.messages_limited, stats.messages_limited + 10);
}
