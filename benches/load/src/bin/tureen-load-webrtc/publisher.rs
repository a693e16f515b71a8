//! The publisher: VP8 over plain RTP at an even pace, with a key frame whenever the server asks for one.

use crate::options::Options;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use tureen_load::error::{Error, while_doing};
use tureen_load::stream::Stream;
use tureen_udp::{RecvBatch, SendBatch, Socket, SocketConfig, monotonic_now};

/// RTCP payload-specific feedback, which PLI and FIR are (RFC 4585 section 6.1).
const PAYLOAD_FEEDBACK: u8 = 206;
const SECOND: f64 = 1e9;

/// A thread that publishes until it is dropped.
#[derive(Debug)]
pub(crate) struct Publisher {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    stop: AtomicBool,
    sent: AtomicU64,
}

/// Binds the publisher's socket.
pub(crate) fn bind(ip: IpAddr) -> Result<Socket, Error> {
    Socket::bind(&SocketConfig::new(SocketAddr::new(ip, 0))).map_err(while_doing("cannot bind the publisher"))
}

impl Publisher {
    /// Publishes to `target`, on the cores that the calling thread may use.
    pub(crate) fn start(socket: Socket, target: SocketAddr, options: &Options) -> Self {
        let shared = Arc::new(Shared::default());
        let (seen, options) = (Arc::clone(&shared), options.clone());
        let thread = std::thread::spawn(move || publish(&socket, target, &options, &seen));
        Self { shared, thread: Some(thread) }
    }

    /// Packets sent so far.
    pub(crate) fn sent(&self) -> u64 {
        self.shared.sent.load(Ordering::Relaxed)
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // It returns nothing; a panic of its has told of itself.
            let _ = thread.join();
        }
    }
}

fn publish(socket: &Socket, target: SocketAddr, options: &Options, shared: &Shared) {
    let (mut stream, mut out, mut feedback) = (Stream::new(), SendBatch::new(32), RecvBatch::new(8));
    let interval = (f64::from(options.burst) / f64::from(options.rate) * SECOND) as u64;
    let mut next = monotonic_now();
    while !shared.stop.load(Ordering::Relaxed) {
        if wants_key_frame(socket, &mut feedback) {
            stream.want_key_frame();
        }
        let now = monotonic_now();
        for place in 0..options.burst {
            let len = usize::from(options.packet_size);
            let Some(slot) = out.reserve(0, 0, target, len) else { continue };
            stream.write(slot, place, options.burst, now);
            out.commit(len);
        }
        shared.sent.fetch_add(out.flush(|_| Some(socket)).packets, Ordering::Relaxed);
        // Who was held up does not make up for it by a flood.
        next = (next + interval).max(now);
        std::thread::sleep(Duration::from_nanos(next.saturating_sub(monotonic_now())));
    }
}

/// Whether the server asked for a key frame since the last call.
fn wants_key_frame(socket: &Socket, batch: &mut RecvBatch) -> bool {
    let mut wanted = false;
    while socket.recv(batch).is_ok_and(|datagrams| datagrams > 0) {
        wanted |= batch.datagrams_mut().any(|datagram| has_payload_feedback(datagram.bytes));
    }
    wanted
}

/// Whether one of the packets of a compound is payload-specific feedback.
fn has_payload_feedback(compound: &[u8]) -> bool {
    let mut rest = compound;
    while let Some(&[_, kind, high, low]) = rest.first_chunk::<4>() {
        if kind == PAYLOAD_FEEDBACK {
            return true;
        }
        // RFC 3550 section 6.4.1: the length counts words, less one.
        let len = (usize::from(u16::from_be_bytes([high, low])) + 1) * 4;
        rest = rest.get(len..).unwrap_or_default();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_for_key_frames_are_found_behind_reports() {
        let report = [0x80, 200, 0, 1, 0, 0, 0, 1];
        let request = [0x81, 206, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2];
        assert!(has_payload_feedback(&[&report[..], &request].concat()));
        assert!(!has_payload_feedback(&report));
        assert!(!has_payload_feedback(&[0x80, 200, 0xff, 0xff]));
    }
}
