//! A Worker with a Router, direct transports on it, and a log that listeners write to.

#![allow(dead_code, unreachable_pub, reason = "each test binary uses its part")]

use bytes::Bytes;
use pollster::block_on;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tureen::dictionaries::{MediaKind, RtpCapabilities, RtpParameters};
use tureen::{
    Consumer, ConsumerOptions, DirectTransport, DirectTransportOptions, HandlerId, Producer, ProducerOptions,
    Router, RouterOptions, Transport as _, Worker, WorkerManager, WorkerSettings,
};

/// How long anything may take.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// Lines that listeners wrote, in order.
#[derive(Clone, Default)]
pub struct Log {
    lines: Arc<(Mutex<Vec<String>>, Condvar)>,
}

impl Log {
    pub fn write(&self, line: impl Into<String>) {
        let (lines, written) = &*self.lines;
        lines.lock().unwrap_or_else(PoisonError::into_inner).push(line.into());
        written.notify_all();
    }

    /// A listener that writes `line`.
    pub fn line(&self, line: &str) -> impl Fn() + Send + Sync + 'static {
        let (log, line) = (self.clone(), line.to_owned());
        move || log.write(line.clone())
    }

    pub fn lines(&self) -> Vec<String> {
        self.lines.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until so many lines are there, and returns all.
    pub fn wait(&self, count: usize) -> Vec<String> {
        let (lines, written) = &*self.lines;
        let guard = lines.lock().unwrap_or_else(PoisonError::into_inner);
        let (guard, timeout) = written
            .wait_timeout_while(guard, PATIENCE, |lines| lines.len() < count)
            .unwrap_or_else(PoisonError::into_inner);
        assert!(!timeout.timed_out(), "only {:?}", *guard);
        guard.clone()
    }
}

/// Keeps listeners for as long as a test runs.
#[derive(Default)]
pub struct Kept(Vec<HandlerId>);

impl Kept {
    pub fn add(&mut self, id: HandlerId) {
        self.0.push(id);
    }
}

/// Waits until something holds.
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

pub struct Stage {
    pub manager: WorkerManager,
    pub worker: Worker,
    pub router: Router,
}

impl Stage {
    pub fn new() -> Self {
        Self::with_shards(1)
    }

    pub fn with_shards(shards: u8) -> Self {
        let manager = WorkerManager::new().expect("a thread");
        let worker = block_on(manager.create_worker(WorkerSettings::with_shards(shards))).expect("a worker");
        let router = block_on(worker.create_router(RouterOptions::new(media_codecs()))).expect("a router");
        Self { manager, worker, router }
    }

    pub fn transport(&self) -> DirectTransport {
        block_on(self.router.create_direct_transport(DirectTransportOptions::default())).expect("a transport")
    }

    pub fn transport_on(&self, shard: u8) -> DirectTransport {
        block_on(self.router.create_direct_transport(DirectTransportOptions::on_shard(shard)))
            .expect("a transport")
    }
}

pub fn audio(transport: &DirectTransport, ssrc: u32) -> Producer {
    block_on(transport.produce(ProducerOptions::new(MediaKind::Audio, opus(ssrc)))).expect("a producer")
}

pub fn video(transport: &DirectTransport, ssrc: u32) -> Producer {
    block_on(transport.produce(ProducerOptions::new(MediaKind::Video, vp8(ssrc)))).expect("a producer")
}

pub fn consumer(transport: &DirectTransport, producer: &Producer) -> Consumer {
    block_on(transport.consume(ConsumerOptions::new(producer.id(), capabilities()))).expect("a consumer")
}

pub fn media_codecs<T: serde::de::DeserializeOwned>() -> T {
    from_json(serde_json::json!([
        {"kind": "audio", "mimeType": "audio/opus", "clockRate": 48000, "channels": 2},
        {"kind": "video", "mimeType": "video/VP8", "clockRate": 90000}
    ]))
}

pub fn capabilities() -> RtpCapabilities {
    from_json(serde_json::json!({
        "codecs": [
            {"kind": "audio", "mimeType": "audio/opus", "clockRate": 48000, "channels": 2, "preferredPayloadType": 100},
            {"kind": "video", "mimeType": "video/VP8", "clockRate": 90000, "preferredPayloadType": 101,
             "rtcpFeedback": [{"type": "nack"}, {"type": "nack", "parameter": "pli"}]}
        ]
    }))
}

pub fn opus(ssrc: u32) -> RtpParameters {
    from_json(serde_json::json!({
        "codecs": [{"mimeType": "audio/opus", "clockRate": 48000, "channels": 2, "payloadType": 111}],
        "encodings": [{"ssrc": ssrc}],
        "rtcp": {"cname": "tester"}
    }))
}

pub fn vp8(ssrc: u32) -> RtpParameters {
    from_json(serde_json::json!({
        "codecs": [{"mimeType": "video/VP8", "clockRate": 90000, "payloadType": 96,
                    "rtcpFeedback": [{"type": "nack"}, {"type": "nack", "parameter": "pli"}]}],
        "encodings": [{"ssrc": ssrc}],
        "rtcp": {"cname": "tester"}
    }))
}

pub fn from_json<T: serde::de::DeserializeOwned>(value: serde_json::Value) -> T {
    serde_json::from_value(value).expect("well-formed JSON")
}

/// An RTP packet without extensions (RFC 3550 section 5.1).
pub fn rtp_packet(ssrc: u32, payload_type: u8, sequence_number: u16, payload: &[u8]) -> Bytes {
    let mut bytes = vec![0x80, 0x80 | payload_type];
    bytes.extend(sequence_number.to_be_bytes());
    bytes.extend((u32::from(sequence_number) * 960).to_be_bytes());
    bytes.extend(ssrc.to_be_bytes());
    bytes.extend(payload);
    bytes.into()
}
