//! A call over WebRTC that goes on while strangers send what they like to the same port (THREATS 1, 3, 6, 8).
//!
//! A program of its own, since it measures its own memory; and one test at a time, since each measures the delivery.
#![allow(clippy::print_stderr, reason = "what was measured is of interest")]

#[path = "../server/support.rs"]
#[allow(dead_code, reason = "the tests beside use all of it")]
mod support;
mod webrtc_client;

use crate::support::{TestServer, opus, rtp, settings};
use crate::webrtc_client::{DtlsClient, IceClient, WebRtcClient, nobody};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::{Duration, Instant};
use tureen_rtp_wire::rtp::{DatagramKind, classify};
use tureen_server::Settings;

const PERIOD: Duration = Duration::from_millis(5);
/// Datagrams that go out at once, and how often: 10,000 a second, which a machine that builds beside can still receive.
const BURST: usize = 50;
const PAUSE: Duration = Duration::from_millis(5);

static ALONE: Mutex<()> = Mutex::new(());

/// Somebody who sends audio and somebody who hears it, both over the shard's one WebRTC port.
struct Call {
    running: &'static AtomicBool,
    speaker: JoinHandle<u16>,
    listener: JoinHandle<usize>,
    port: SocketAddr,
}

impl Call {
    fn start(server: &TestServer) -> Self {
        let speaker = WebRtcClient::connect(server, &server.broadcaster("call", "speaker"));
        let listener = WebRtcClient::connect(server, &server.broadcaster("call", "listener"));
        let producer = server.post_json(&format!("{}/producers", speaker.ice.path), &opus(7));
        let consume =
            format!("{}/consume?producerId={}", listener.ice.path, producer["id"].as_str().unwrap());
        server.post_json(&consume, &json!({}));
        let running: &'static AtomicBool = Box::leak(Box::new(AtomicBool::new(true)));
        let port = speaker.ice.server;
        Self {
            running,
            port,
            speaker: spawn(move || speak(speaker, running)),
            listener: spawn(move || listen(listener, running)),
        }
    }

    /// Ends it; the share of the packets that came through.
    fn end(self) -> (u16, f64) {
        self.running.store(false, Ordering::Relaxed);
        let sent = self.speaker.join().unwrap();
        let heard = self.listener.join().unwrap();
        (sent, heard as f64 / f64::from(sent))
    }
}

fn speak(mut client: WebRtcClient, running: &AtomicBool) -> u16 {
    let (start, mut sent) = (Instant::now(), 0u16);
    while running.load(Ordering::Relaxed) {
        client.send_rtp(&rtp(101, sent, u32::from(sent) * 240, 7));
        sent += 1;
        if sent % 200 == 0 {
            client.ice.send(&client.ice.request());
        }
        sleep((start + PERIOD * u32::from(sent)).saturating_duration_since(Instant::now()));
    }
    sent
}

fn listen(mut client: WebRtcClient, running: &AtomicBool) -> usize {
    let (mut heard, mut asked) = (BTreeSet::new(), Instant::now());
    let mut quiet = 0;
    while quiet < 10 {
        match client.receive_rtp() {
            Some(packet) => _ = heard.insert([packet[2], packet[3]]),
            None if !running.load(Ordering::Relaxed) => quiet += 1,
            None => {}
        }
        if asked.elapsed() > Duration::from_secs(1) {
            client.ice.send(&client.ice.request());
            asked = Instant::now();
        }
    }
    heard.len()
}

/// Memory of this process in KiB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// What is different each time, and the same in every run (xorshift).
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| (self.next() >> 32) as u8).collect()
    }

    /// Something that begins as one of the protocols, or as none (RFC 7983 section 7).
    fn datagram(&mut self) -> Vec<u8> {
        let len = (self.next() % 200) as usize;
        let mut bytes = self.bytes(len);
        let start: &[u8] = match self.next() % 6 {
            0 => b"\0\x01\0\x08\x21\x12\xa4\x42",
            // A username that is somebody's length, and cut off.
            1 => b"\0\x01\0\x40\x21\x12\xa4\x42aaaabbbbcccc\0\x06\0\x20aaaaaaaaaaaaaaaa",
            2 => b"\x80\x65\0\x01\0\0\0\x01\0\0\0\x07",
            3 => b"\x81\xc9\0\x07\0\0\0\x07",
            4 => b"\x16\xfe\xfd\0\0\0\0\0\0\0\0\0\x40\x01",
            _ => b"",
        };
        bytes.splice(..start.len().min(bytes.len()), start.iter().copied());
        bytes
    }
}

/// Keeps to the rate of [`BURST`] and [`PAUSE`].
fn send_all(mut send: impl FnMut(usize), count: usize) {
    let start = Instant::now();
    for nth in 0..count {
        send(nth);
        if nth % BURST == BURST - 1 {
            let due = start + PAUSE * u32::try_from(nth / BURST + 1).unwrap();
            sleep(due.saturating_duration_since(Instant::now()));
        }
    }
}

fn flooded() -> TestServer {
    TestServer::start(Settings { shards: 1, max_transports: 16, ..settings() })
}

fn check(what: &str, call: Call, before: u64, limit: u64) {
    let (sent, share) = call.end();
    let grown = resident().saturating_sub(before);
    eprintln!(
        "{what}: {:.2} % of {sent} packets delivered, {before} KiB before, {grown} KiB more after",
        share * 100.0
    );
    assert!(sent > 1000, "{sent} packets");
    assert!(share >= 0.99, "{share} of {sent} packets");
    assert!(grown < limit, "{grown} KiB more");
}

#[test]
fn a_hundred_thousand_strange_datagrams_leave_a_call_unharmed() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let server = flooded();
    let call = Call::start(&server);
    let sockets: Vec<UdpSocket> =
        (0..200).map(|nth| UdpSocket::bind((format!("127.0.0.{}", 2 + nth % 50), 0)).unwrap()).collect();
    let mut noise = Noise(0x9e37_79b9_7f4a_7c15);
    let port = call.port;
    // Buffers that are allocated once are allocated before the count begins.
    send_all(|nth| _ = sockets[nth % sockets.len()].send_to(&noise.datagram(), port), 2_000);
    let before = resident();
    send_all(|nth| _ = sockets[nth % sockets.len()].send_to(&noise.datagram(), port), 100_000);
    // Nobody who proved nothing learns anything but a short refusal.
    let mut buffer = [0; 2048];
    for socket in &sockets {
        socket.set_nonblocking(true).unwrap();
        while let Ok((len, _)) = socket.recv_from(&mut buffer) {
            assert!(len <= 200 && buffer[0] < 4, "{len} bytes of {:#x}", buffer[0]);
        }
    }
    check("100,000 strange datagrams", call, before, 16 * 1024);
    server.shutdown();
}

/// Sixty-four transports, each with a valid tuple; half of them know a remote and so have a handshake to do.
fn attackers(server: &TestServer) -> Vec<IceClient> {
    let mut attackers = Vec::new();
    for nth in 0..4 {
        let broadcaster = server.broadcaster("attack", &format!("attacker-{nth}"));
        for of in 0..16 {
            let client = IceClient::new(server, &broadcaster);
            client.validate();
            if of % 2 == 0 {
                let remote: Value = json!({ "dtlsParameters": nobody() });
                server.post_json(&format!("{}/connect", client.path), &remote);
            }
            attackers.push(client);
        }
    }
    attackers
}

#[test]
fn ten_thousand_half_open_handshakes_leave_a_call_unharmed() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let server = flooded();
    let call = Call::start(&server);
    let attackers = attackers(&server);
    let strangers: Vec<UdpSocket> = (0..100).map(|_| UdpSocket::bind("127.0.0.1:0").unwrap()).collect();
    let hello = DtlsClient::new().outgoing.concat();
    let mut noise = Noise(0x2545_f491_4f6c_dd1d);
    let mut hellos = |count| {
        send_all(
            |nth| {
                // Another random each time: record and handshake headers are 25 bytes, the version 2 (RFC 6347 section 4.2.2).
                let mut hello = hello.clone();
                hello.splice(27..59, noise.bytes(32));
                if nth % 2 == 0 {
                    attackers[nth / 2 % attackers.len()].send(&hello);
                } else {
                    _ = strangers[nth / 2 % strangers.len()].send_to(&hello, call.port);
                }
            },
            count,
        );
    };
    hellos(500);
    let before = resident();
    hellos(10_000);
    let mut buffer = [0; 2048];
    for socket in &strangers {
        socket.set_nonblocking(true).unwrap();
        assert!(socket.recv_from(&mut buffer).is_err(), "a hello of a stranger is not answered");
    }
    // Who is expected is answered, so that there were handshakes indeed.
    let answers =
        |client: &IceClient| std::iter::from_fn(|| client.receive()).map(|bytes| classify(&bytes)).collect();
    let kinds: Vec<Vec<DatagramKind>> = attackers.iter().map(answers).collect();
    let answered = kinds.iter().filter(|kinds| kinds.contains(&DatagramKind::Dtls)).count();
    assert_eq!(answered, attackers.len() / 2);
    // At 10,000 a second it took a second only; the call has to last for longer to be measured.
    sleep(Duration::from_secs(4));
    check("10,000 half-open handshakes", call, before, 32 * 1024);
    server.shutdown();
}
