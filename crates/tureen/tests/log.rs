//! Log lines: each has the target of its tag, and is written only while that is asked for.

mod support;

use pollster::block_on;
use std::net::{Ipv4Addr, UdpSocket};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use support::{Kept, Log, Stage, consumer, eventually, from_json, rtp_packet, video, vp8};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};
use tureen::data_channels::Ppid;
use tureen::dictionaries::{MediaKind, SctpState};
use tureen::{
    DataConsumerOptions, DataMessage, DataProducerOptions, DataTransport as _, DirectTransport, ListenInfo,
    LogLevel, LogTag, PlainConnectOptions, PlainTransport, PlainTransportOptions, ProducerOptions,
    SctpTransportOptions, Transport as _, WorkerUpdateSettings,
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

/// One test at a time: they share what is written.
fn turn() -> MutexGuard<'static, ()> {
    static SUBSCRIBER: Once = Once::new();
    static TURN: Mutex<()> = Mutex::new(());
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    SUBSCRIBER.call_once(|| {
        tracing::subscriber::set_global_default(Targets).expect("nobody else sets one");
    });
    turn
}

fn choose(stage: &Stage, level: LogLevel, tags: &[LogTag]) {
    let settings = WorkerUpdateSettings { log_level: Some(level), log_tags: Some(tags.to_vec()) };
    block_on(stage.worker.update_settings(settings)).expect("it is open");
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
    let _turn = turn();
    let stage = Stage::new();
    let endpoint = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
    let written = |level, tags: &[LogTag]| {
        choose(&stage, level, tags);
        let _before = settle(&stage);
        targets();
        act(&stage, &endpoint);
        let _after = settle(&stage);
        choose(&stage, LogLevel::None, &[]);
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

fn plain(stage: &Stage, options: PlainTransportOptions) -> PlainTransport {
    block_on(stage.router.create_plain_transport(options)).expect("a transport")
}

/// Makes a line of the tag `rtp`, and waits for it: what the shard did before has been told then.
fn mark(stage: &Stage) {
    let endpoint = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
    let mut options = PlainTransportOptions::new(ListenInfo::loopback());
    options.comedia = true;
    let transport = plain(stage, options);
    let packet = rtp_packet(9, 111, 1, b"x");
    endpoint.send_to(&packet, (Ipv4Addr::LOCALHOST, transport.tuple().local_port)).expect("sent");
    eventually("the mark", || {
        TARGETS.lock().unwrap_or_else(PoisonError::into_inner).contains(&"tureen::rtp")
    });
}

/// Packets that are lost on the way in, and others on the way out.
fn lose_packets(stage: &Stage) {
    let (source, sink) = (stage.transport(), stage.transport());
    let producer = video(&source, 1000);
    let consumer = consumer(&sink, &producer);
    let (came, asked, mut kept) = (Log::default(), Log::default(), Kept::default());
    let listener = came.clone();
    kept.add(consumer.on_rtp(move |packet| {
        listener.write(u16::from_be_bytes([packet[2], packet[3]]).to_string());
    }));
    let listener = asked.clone();
    kept.add(source.on_rtcp(move |compound| {
        // The receiver report before it is of 8 bytes.
        if compound.get(9) == Some(&205) {
            listener.write("nack");
        }
    }));
    for number in [1, 2, 5] {
        producer
            .send(rtp_packet(1000, 96, number, &[0x10, 0, 0, 0, 0x9d, 1, 0x2a, 8, 0, 8, 0]))
            .expect("taken");
    }
    asked.wait(1);
    let number: u16 = came.wait(3)[0].parse().expect("a number");
    let ssrc = consumer.rtp_parameters().encodings[0].ssrc.expect("an ssrc");
    let mut nack = vec![0x81, 205, 0, 3, 0, 0, 0, 1];
    nack.extend(ssrc.to_be_bytes());
    nack.extend([number.to_be_bytes(), [0, 0]].concat());
    sink.send_rtcp(nack.into()).expect("it is taken");
    let rtx = came.wait(4);
    assert_eq!(rtx[3], rtx[0], "sent again");
}

/// A packet under another key.
fn break_protection(stage: &Stage) {
    let endpoint = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
    let mut options = PlainTransportOptions::new(ListenInfo::loopback());
    options.enable_srtp = true;
    let transport = plain(stage, options);
    let port = endpoint.local_addr().expect("an address").port();
    let mut remote = PlainConnectOptions::to(Ipv4Addr::LOCALHOST.into(), port);
    remote.srtp_parameters = transport.srtp_parameters();
    block_on(transport.connect(remote)).expect("it connects");
    let packet = rtp_packet(9, 111, 1, &[7; 40]);
    endpoint.send_to(&packet, (Ipv4Addr::LOCALHOST, transport.tuple().local_port)).expect("sent");
    eventually("the refusal", || {
        let stats = block_on(transport.get_stats()).expect("it is open");
        stats.base.datagrams_rejected.get("not_genuine") == Some(&1)
    });
}

/// An association between two transports.
fn associate(stage: &Stage) {
    let mut options = PlainTransportOptions::new(ListenInfo::loopback());
    options.sctp = SctpTransportOptions::enabled();
    let pair = [options.clone(), options].map(|options| plain(stage, options));
    for (own, other) in [(0, 1), (1, 0)] {
        let remote = PlainConnectOptions::to(Ipv4Addr::LOCALHOST.into(), pair[other].tuple().local_port);
        block_on(pair[own].connect(remote)).expect("connected");
    }
    eventually("both stand", || {
        pair.iter().all(|transport| transport.sctp_state() == Some(SctpState::Connected))
    });
}

/// A message that is heard.
fn converse(stage: &Stage) {
    let transport = stage.transport();
    let producer = block_on(transport.produce_data(DataProducerOptions::default())).expect("a data producer");
    let consumer = block_on(transport.consume_data(DataConsumerOptions::new(producer.id())));
    let (consumer, heard) = (consumer.expect("a data consumer"), Log::default());
    let _kept = consumer.on_message({
        let heard = heard.clone();
        move |_| heard.write("message")
    });
    block_on(producer.send(DataMessage::new(Ppid::String, "secret"))).expect("it is taken");
    heard.wait(1);
}

#[test]
fn each_tag_speaks_of_its_traffic_while_it_is_asked_for_and_no_other_does() {
    type Act = fn(&Stage);
    let _turn = turn();
    let stage = Stage::new();
    let acts: [(LogTag, &str, Act); 4] = [
        (LogTag::Rtx, "tureen::rtx", lose_packets),
        (LogTag::Srtp, "tureen::srtp", break_protection),
        (LogTag::Sctp, "tureen::sctp", associate),
        (LogTag::Message, "tureen::message", converse),
    ];
    for (tag, target, act) in acts {
        let said = |tags: &[LogTag]| {
            choose(&stage, LogLevel::Debug, tags);
            targets();
            act(&stage);
            mark(&stage);
            let said = targets();
            choose(&stage, LogLevel::None, &[]);
            said.iter().filter(|said| **said == target).count()
        };
        let others: Vec<LogTag> = LogTag::ALL.iter().copied().filter(|other| *other != tag).collect();
        assert_eq!(said(&others), 0, "{target} is not asked for");
        let lines = said(&[tag, LogTag::Rtp]);
        assert!((1..20).contains(&lines), "{lines} lines of {target}");
        assert_eq!(said(&others), 0, "{target} is not asked for any more");
    }
}
