//! Log lines: each has the target of its tag, and is written only while that is asked for.

mod support;

use pollster::block_on;
use std::net::{Ipv4Addr, UdpSocket};
use std::sync::{Mutex, PoisonError};
use support::{Log, Stage, consumer, eventually, from_json, rtp_packet, vp8};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};
use tureen::dictionaries::MediaKind;
use tureen::{
    DirectTransport, ListenInfo, LogLevel, LogTag, PlainTransportOptions, ProducerOptions, Transport as _,
    WorkerUpdateSettings,
};

static TARGETS: Mutex<Vec<&'static str>> = Mutex::new(Vec::new());

/// Keeps the target of every line of this crate.
struct Targets;

impl Subscriber for Targets {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("tureen::")
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        TARGETS.lock().unwrap_or_else(PoisonError::into_inner).push(event.metadata().target());
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

fn targets() -> Vec<&'static str> {
    std::mem::take(&mut *TARGETS.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Returns when listeners were told of all that was done before, and lines written of it. What is returned is best kept to the end.
fn settle(stage: &Stage) -> DirectTransport {
    let told = Log::default();
    let _kept = stage.router.observer().on_new_transport({
        let told = told.clone();
        move |_| told.write("told")
    });
    let transport = stage.transport();
    told.wait(1);
    transport
}

/// Has a transport learn its remote address, a consumer get other layers, and a producer close.
fn act(stage: &Stage, endpoint: &UdpSocket) {
    let mut options = PlainTransportOptions::new(ListenInfo::loopback());
    options.comedia = true;
    let plain = block_on(stage.router.create_plain_transport(options)).expect("a transport");
    let empty = [0x80, 111, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9, 1];
    endpoint.send_to(&empty, (Ipv4Addr::LOCALHOST, plain.tuple().local_port)).expect("sent");
    eventually("the address", || plain.tuple().remote_port.is_some());

    let direct = stage.transport();
    let mut parameters = vp8(3000);
    parameters.encodings = from_json(serde_json::json!([{"ssrc": 3000}, {"ssrc": 3001}]));
    let producer = block_on(direct.produce(ProducerOptions::new(MediaKind::Video, parameters)));
    let producer = producer.expect("a producer");
    let consumer = consumer(&direct, &producer);
    for number in 1_u16..4 {
        let [high, low] = number.to_be_bytes();
        let key_frame = [0x90, 0x80, high | 0x80, low, 0x10, 2, 0, 0x9d, 1, 0x2a, 0x40, 1, 0xf0, 0];
        producer.send(rtp_packet(3000, 96, number, &key_frame)).expect("it is taken");
    }
    eventually("layers", || consumer.current_layers().is_some());
    producer.close();
}

#[test]
fn a_line_is_written_while_its_level_and_tag_are_asked_for() {
    tracing::subscriber::set_global_default(Targets).expect("this is the only test of its program");
    let stage = Stage::new();
    let endpoint = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
    let written = |level, tags: &[LogTag]| {
        let settings = WorkerUpdateSettings { log_level: Some(level), log_tags: Some(tags.to_vec()) };
        block_on(stage.worker.update_settings(settings)).expect("it is open");
        let _before = settle(&stage);
        targets();
        act(&stage, &endpoint);
        let _after = settle(&stage);
        let mut written = targets();
        written.sort_unstable();
        written.dedup();
        written
    };
    assert_eq!(written(LogLevel::Error, LogTag::ALL), [""; 0]);
    assert_eq!(written(LogLevel::Warn, LogTag::ALL), [""; 0]);
    assert_eq!(written(LogLevel::Debug, &[]), [""; 0]);
    assert_eq!(written(LogLevel::Debug, &[LogTag::Rtp]), ["tureen::rtp"]);
    assert_eq!(written(LogLevel::Debug, &[LogTag::Simulcast]), ["tureen::simulcast"]);
    let both = ["tureen::info", "tureen::simulcast"];
    assert_eq!(written(LogLevel::Debug, &[LogTag::Simulcast, LogTag::Info]), both);
}
