//! Sequences of control commands against a Core and a small model that knows who must be alive, who is paused, and which
//! close event each object gets: exactly one.
//!
//! Planted: the event of a consumer that closed with its producer gets lost.

use crate::Fault;
use crate::bytes::Bytes;
use crate::scene::{ask, core, media_codecs, parameters, plain, remote, router_capabilities};
use std::collections::BTreeMap;
use std::time::Duration;
use tureen_media_model::{
    AddTransport, CloseCause, CloseConsumer, CloseProducer, CloseRouter, CloseTransport, ConnectTransport,
    Consume, ConsumeError, ConsumerEvent, ConsumerId, ConsumerNumbering, ConsumerOptions, ContentHint, Core,
    CreateRouter, DumpConsumer, Event, KeyFrameCache, PauseConsumer, PauseProducer, Population, Produce,
    ProduceError, ProducerEvent, ProducerId, ProducerOptions, ResumeConsumer, ResumeProducer, RouterEvent,
    RouterId, RouterOptions, TransportEvent, TransportId,
};
use tureen_rtp_dictionaries::MediaKind;
use tureen_rtp_wire::Time;
use tureen_transport::{PlainConnectOptions, PlainTransport};

const MAX_STEPS: usize = 300;
/// Ids are drawn from so few that they meet again.
const IDS: u8 = 12;

/// An object, by kind and id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Object {
    Router(u128),
    Transport(u128),
    Producer(u128),
    Consumer(u128),
}

#[derive(Clone, Copy, Debug)]
struct Produced {
    transport: u128,
    ssrc: u32,
    is_video: bool,
    paused: bool,
}

#[derive(Clone, Copy, Debug)]
struct Consumed {
    transport: u128,
    producer: u128,
    paused: bool,
}

/// What must be.
#[derive(Debug, Default)]
struct Model {
    routers: BTreeMap<u128, ()>,
    /// With their router.
    transports: BTreeMap<u128, u128>,
    /// Transports in the order in which they were made, which is the one in which their router closes them.
    order: Vec<u128>,
    producers: BTreeMap<u128, Produced>,
    consumers: BTreeMap<u128, Consumed>,
    /// What must have been told since the last look.
    closed: Vec<(Object, CloseCause)>,
}

pub(crate) fn run(data: &[u8], fault: Fault) {
    let mut input = Bytes::new(data);
    let (mut core, mut model) = (core(), Model::default());
    let mut now = Time::from_millis(1000);
    let mut next_socket = 0;
    for _ in 0..MAX_STEPS {
        if input.is_empty() {
            return;
        }
        now += Duration::from_millis(7);
        operate(&mut core, &mut model, now, &mut input, &mut next_socket);
        compare(&mut core, &mut model, now, fault);
    }
}

fn id(input: &mut Bytes<'_>) -> u128 {
    u128::from(input.u8() % IDS)
}

fn operate(
    core: &mut Core<PlainTransport>,
    model: &mut Model,
    now: Time,
    input: &mut Bytes<'_>,
    next_socket: &mut u32,
) {
    let choice = input.u8();
    match choice & 15 {
        0 => {
            let id = id(input) % 3;
            let options = RouterOptions { media_codecs: media_codecs() };
            let made = ask(core, now, CreateRouter { id: RouterId(id), options }).is_ok();
            assert_eq!(made, model.routers.insert(id, ()).is_none());
        }
        1 | 2 => add_transport(core, model, now, input, next_socket),
        3 | 4 => produce(core, model, now, input, choice >> 4),
        5..=7 => consume(core, model, now, input),
        8 => {
            let id = id(input) % 3;
            let done = ask(core, now, CloseRouter { id: RouterId(id) }).is_ok();
            assert_eq!(done, model.close_router(id));
        }
        9 => {
            let id = id(input);
            let done = ask(core, now, CloseTransport { id: TransportId(id) }).is_ok();
            assert_eq!(done, model.close_transport(id, CloseCause::Requested));
        }
        10 => {
            let id = id(input);
            let done = ask(core, now, CloseProducer { id: ProducerId(id) }).is_ok();
            assert_eq!(done, model.close_producer(id, CloseCause::Requested));
        }
        11 => {
            let id = id(input);
            let done = ask(core, now, CloseConsumer { id: ConsumerId(id) }).is_ok();
            assert_eq!(done, model.close_consumer(id, CloseCause::Requested));
        }
        12 | 13 => {
            let (id, paused) = (id(input), choice & 16 == 0);
            let done = match paused {
                true => ask(core, now, PauseProducer { id: ProducerId(id) }).is_ok(),
                false => ask(core, now, ResumeProducer { id: ProducerId(id) }).is_ok(),
            };
            let known = model.producers.get_mut(&id).map(|producer| producer.paused = paused);
            assert_eq!(done, known.is_some());
        }
        _ => {
            let (id, paused) = (id(input), choice & 16 == 0);
            let done = match paused {
                true => ask(core, now, PauseConsumer { id: ConsumerId(id) }).is_ok(),
                false => ask(core, now, ResumeConsumer { id: ConsumerId(id) }).is_ok(),
            };
            let known = model.consumers.get_mut(&id).map(|consumer| consumer.paused = paused);
            assert_eq!(done, known.is_some());
        }
    }
}

fn add_transport(
    core: &mut Core<PlainTransport>,
    model: &mut Model,
    now: Time,
    input: &mut Bytes<'_>,
    next_socket: &mut u32,
) {
    let (router, id) = (id(input) % 3, id(input));
    let socket = *next_socket;
    *next_socket += 1;
    let add = AddTransport {
        router: RouterId(router),
        id: TransportId(id),
        transport: plain(socket, false),
        options: Default::default(),
    };
    let made = ask(core, now, add).is_ok();
    let expected = model.routers.contains_key(&router) && !model.transports.contains_key(&id);
    assert_eq!(made, expected);
    if !made {
        return;
    }
    model.transports.insert(id, router);
    model.order.push(id);
    if input.u8() & 1 == 0 {
        let remote = remote(socket);
        let options =
            PlainConnectOptions { ip: Some(remote.ip()), port: Some(remote.port()), ..Default::default() };
        let mut connect =
            || ask(core, now, ConnectTransport { id: TransportId(id), options: options.clone() });
        assert!(connect().expect("the transport is there").is_ok());
        assert!(connect().expect("the transport is there").is_err(), "once only");
    }
}

fn produce(core: &mut Core<PlainTransport>, model: &mut Model, now: Time, input: &mut Bytes<'_>, flags: u8) {
    let (transport, id, is_video, paused) = (id(input), id(input), flags & 1 == 0, flags & 2 != 0);
    let ssrc = 1000 + u32::from(input.u8() & 7) * 2;
    let options = ProducerOptions {
        id: ProducerId(id),
        kind: if is_video { MediaKind::Video } else { MediaKind::Audio },
        rtp_parameters: parameters(is_video, ssrc),
        paused,
        key_frame_request_delay: Duration::ZERO,
        key_frame_cache: (is_video && flags & 4 != 0).then(KeyFrameCache::default),
        content_hint: (is_video && flags & 8 != 0).then_some(ContentHint::Detail),
    };
    let result = ask(core, now, Produce { transport: TransportId(transport), options });
    let taken = model.producers.values().any(|other| other.transport == transport && other.ssrc == ssrc);
    match result {
        Ok(info) => {
            assert_eq!(info.id, ProducerId(id));
            assert!(model.transports.contains_key(&transport) && !taken);
            let before = model.producers.insert(id, Produced { transport, ssrc, is_video, paused });
            assert!(before.is_none(), "the id was taken");
        }
        Err(ProduceError::NotFound(_)) => assert!(!model.transports.contains_key(&transport)),
        Err(ProduceError::AlreadyExists(_)) => assert!(model.producers.contains_key(&id)),
        Err(ProduceError::DuplicateSsrc(_)) => assert!(taken),
        Err(other) => panic!("{other}"),
    }
}

fn consume(core: &mut Core<PlainTransport>, model: &mut Model, now: Time, input: &mut Bytes<'_>) {
    let (transport, id, producer, paused) = (id(input), id(input), id(input), input.u8() & 1 == 1);
    let options = ConsumerOptions {
        id: ConsumerId(id),
        producer_id: ProducerId(producer),
        rtp_capabilities: router_capabilities(),
        paused,
        mid: None,
        preferred_layers: None,
        enable_rtx: None,
        ignore_dtx: false,
        pipe: false,
        numbering: if id & 1 == 1 { ConsumerNumbering::Receiver } else { ConsumerNumbering::Router },
        identity: Default::default(),
    };
    let result = ask(core, now, Consume { transport: TransportId(transport), options });
    let router = model.transports.get(&transport);
    let produced = model.producers.get(&producer);
    let home = produced.and_then(|producer| model.transports.get(&producer.transport));
    match result {
        Ok(info) => {
            assert!(router.is_some() && router == home);
            let produced = produced.expect("there is a producer");
            assert_eq!((info.paused, info.producer_paused), (paused, produced.paused));
            assert_eq!(info.kind == MediaKind::Video, produced.is_video);
            let before = model.consumers.insert(id, Consumed { transport, producer, paused });
            assert!(before.is_none(), "the id was taken");
        }
        Err(ConsumeError::NotFound(_)) => assert!(router.is_none() || produced.is_none()),
        Err(ConsumeError::AlreadyExists(_)) => assert!(model.consumers.contains_key(&id)),
        Err(ConsumeError::OtherRouter(_)) => assert!(router != home),
        Err(other) => panic!("{other}"),
    }
}

impl Model {
    fn close_consumer(&mut self, id: u128, cause: CloseCause) -> bool {
        let known = self.consumers.remove(&id).is_some();
        self.closed.extend(known.then_some((Object::Consumer(id), cause)));
        known
    }

    fn close_producer(&mut self, id: u128, cause: CloseCause) -> bool {
        let known = self.producers.remove(&id).is_some();
        for consumer in keys(&self.consumers, |consumer| consumer.producer == id) {
            self.close_consumer(consumer, CloseCause::ProducerClosed);
        }
        self.closed.extend(known.then_some((Object::Producer(id), cause)));
        known
    }

    fn close_transport(&mut self, id: u128, cause: CloseCause) -> bool {
        let known = self.transports.remove(&id).is_some();
        self.order.retain(|other| *other != id);
        // Consumers close with their own transport, where it closes by the same cause as their producer's.
        for consumer in keys(&self.consumers, |consumer| consumer.transport == id) {
            self.close_consumer(consumer, CloseCause::TransportClosed);
        }
        for producer in keys(&self.producers, |producer| producer.transport == id) {
            self.close_producer(producer, CloseCause::TransportClosed);
        }
        self.closed.extend(known.then_some((Object::Transport(id), cause)));
        known
    }

    fn close_router(&mut self, id: u128) -> bool {
        let known = self.routers.remove(&id).is_some();
        let ours = |consumer: &Consumed| self.transports.get(&consumer.transport) == Some(&id);
        for consumer in keys(&self.consumers, ours) {
            self.close_consumer(consumer, CloseCause::TransportClosed);
        }
        for transport in self.order.clone() {
            if self.transports.get(&transport) != Some(&id) {
                continue;
            }
            self.close_transport(transport, CloseCause::RouterClosed);
        }
        self.closed.extend(known.then_some((Object::Router(id), CloseCause::Requested)));
        known
    }
}

fn keys<V>(map: &BTreeMap<u128, V>, wanted: impl Fn(&V) -> bool) -> Vec<u128> {
    map.iter().filter(|(_, value)| wanted(value)).map(|(key, _)| *key).collect()
}

fn compare(core: &mut Core<PlainTransport>, model: &mut Model, now: Time, fault: Fault) {
    let mut told: Vec<(Object, CloseCause)> = Vec::new();
    while let Some(event) = core.poll_event() {
        told.extend(match event {
            Event::Router(id, RouterEvent::Closed(cause)) => Some((Object::Router(id.0), cause)),
            Event::Transport(id, TransportEvent::Closed(cause)) => Some((Object::Transport(id.0), cause)),
            Event::Producer(id, ProducerEvent::Closed(cause)) => Some((Object::Producer(id.0), cause)),
            Event::Consumer(id, ConsumerEvent::Closed(cause)) => Some((Object::Consumer(id.0), cause)),
            _ => None,
        });
    }
    if fault == Fault::Planted {
        told.retain(|(_, cause)| *cause != CloseCause::ProducerClosed);
    }
    let mut expected = std::mem::take(&mut model.closed);
    told.sort_by_key(|(object, _)| *object);
    expected.sort_by_key(|(object, _)| *object);
    let objects = |list: &[(Object, CloseCause)]| list.iter().map(|(object, _)| *object).collect::<Vec<_>>();
    assert_eq!(objects(&told), objects(&expected), "one close event for each object");
    assert_eq!(told, expected, "with its cause");
    let population = Population {
        routers: model.routers.len(),
        transports: model.transports.len(),
        producers: model.producers.len(),
        sources: model.producers.len(),
        consumers: model.consumers.len(),
        rtp_observers: 0,
        data_producers: 0,
        data_sources: 0,
        data_consumers: 0,
    };
    assert_eq!(core.population(), population);
    for (id, consumer) in &model.consumers {
        let dump = ask(core, now, DumpConsumer { id: ConsumerId(*id) }).expect("it is alive");
        let producer_paused = model.producers.get(&consumer.producer).is_some_and(|producer| producer.paused);
        assert_eq!((dump.paused, dump.producer_paused), (consumer.paused, producer_paused));
    }
}
