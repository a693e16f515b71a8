//! The least that any forwarder does: receive a batch, copy each packet for each receiver, seal it, send the batch.
//!
//! Through the same sockets API as the server and to as many destinations, over one socket, without anything that an SFU
//! adds. It is told its destinations as one line of JSON, answers with its address, and answers each further line with its
//! counters.

use crate::error::{Error, while_doing};
use crate::options::Protection;
use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use serde::{Deserialize, Serialize};
use std::io::{BufRead, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tureen_udp::{FlushStats, Poller, RecvBatch, SendBatch, Socket, SocketConfig};

/// As the server's.
const RECEIVE_MESSAGES: usize = 32;
/// Eight packets of a frame to a hundred receivers: packet by packet as they are written, so that with fewer slots the packets to one
/// receiver could not leave as one message.
const SEND_SLOTS: usize = 1024;
const SLOT_LEN: usize = 1600;
const HEADER_LEN: usize = 12;
const TAG_LEN: usize = 16;

/// What the loop is told.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Task {
    pub(crate) listen: SocketAddr,
    pub(crate) destinations: Vec<SocketAddr>,
    pub(crate) srtp: Protection,
}

/// What the loop has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counters {
    /// Datagrams that came in.
    pub(crate) received: u64,
    /// Datagrams that the system took.
    pub(crate) sent: u64,
    /// Those that it did not take.
    pub(crate) dropped: u64,
    /// System calls to send.
    pub(crate) send_calls: u64,
}

#[derive(Debug, Default)]
struct Shared {
    received: AtomicU64,
    sent: AtomicU64,
    dropped: AtomicU64,
    send_calls: AtomicU64,
}

impl Shared {
    fn add(&self, received: usize, sent: &FlushStats) {
        self.received.fetch_add(received as u64, Ordering::Relaxed);
        self.sent.fetch_add(sent.packets, Ordering::Relaxed);
        self.dropped.fetch_add(sent.dropped_error + sent.dropped_would_block, Ordering::Relaxed);
        self.send_calls.fetch_add(sent.system_calls, Ordering::Relaxed);
    }

    fn counters(&self) -> Counters {
        Counters {
            received: self.received.load(Ordering::Relaxed),
            sent: self.sent.load(Ordering::Relaxed),
            dropped: self.dropped.load(Ordering::Relaxed),
            send_calls: self.send_calls.load(Ordering::Relaxed),
        }
    }
}

/// Forwards until standard input ends.
pub(crate) fn run() -> Result<(), Error> {
    let mut lines = std::io::stdin().lock().lines().map_while(Result::ok);
    let task = lines.next().unwrap_or_default();
    let task: Task = serde_json::from_str(&task).map_err(while_doing("the task"))?;
    let socket = Socket::bind(&SocketConfig::new(task.listen)).map_err(while_doing("cannot bind"))?;
    let shared = Arc::new(Shared::default());
    say(&socket.local_addr())?;
    let (forwarding, counters) = (Forwarding::new(&task)?, Arc::clone(&shared));
    std::thread::spawn(move || {
        if let Err(error) = forwarding.run(&socket, &counters) {
            eprintln!("bare loop: {error}");
        }
    });
    for _ in lines {
        say(&shared.counters())?;
    }
    Ok(())
}

fn say(value: &impl Serialize) -> Result<(), Error> {
    let text = serde_json::to_string(value).map_err(while_doing("an answer"))?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).map_err(while_doing("standard output"))
}

struct Forwarding {
    receivers: Vec<(SocketAddr, Option<LessSafeKey>)>,
    out: SendBatch,
}

impl Forwarding {
    fn new(task: &Task) -> Result<Self, Error> {
        let mut receivers = Vec::new();
        for (number, destination) in task.destinations.iter().enumerate() {
            let key = match task.srtp {
                Protection::None => None,
                Protection::Gcm => Some(key(number as u32)?),
            };
            receivers.push((*destination, key));
        }
        Ok(Self { receivers, out: SendBatch::with_slot_len(SEND_SLOTS, SLOT_LEN) })
    }

    fn run(mut self, socket: &Socket, shared: &Shared) -> std::io::Result<()> {
        let mut poller = Poller::new()?;
        poller.add(socket, 0)?;
        let (mut batch, mut ready) = (RecvBatch::new(RECEIVE_MESSAGES), Vec::new());
        loop {
            poller.wait(None, &mut ready)?;
            loop {
                let received = socket.recv(&mut batch)?;
                if received == 0 {
                    break;
                }
                let mut sent = FlushStats::default();
                for datagram in batch.datagrams_mut() {
                    self.fan_out(datagram.bytes, socket, &mut sent);
                }
                add(&mut sent, &self.out.flush(|_| Some(socket)));
                shared.add(received, &sent);
            }
        }
    }

    fn fan_out(&mut self, packet: &[u8], socket: &Socket, sent: &mut FlushStats) {
        for (lane, (destination, key)) in self.receivers.iter().enumerate() {
            if self.out.free() == 0 {
                add(sent, &self.out.flush(|_| Some(socket)));
            }
            let room = packet.len() + TAG_LEN;
            let Some(slot) = self.out.reserve(lane as u32, 0, *destination, room) else { continue };
            let Some(len) = write(slot, packet, key.as_ref()) else { continue };
            self.out.commit(len);
        }
    }
}

/// Copies a packet, and seals it if there is a key; returns its length.
fn write(slot: &mut [u8], packet: &[u8], key: Option<&LessSafeKey>) -> Option<usize> {
    let (body, rest) = slot.split_at_mut_checked(packet.len())?;
    body.copy_from_slice(packet);
    let Some(key) = key else { return Some(packet.len()) };
    let (header, text) = body.split_at_mut_checked(HEADER_LEN)?;
    let tag = key.seal_in_place_separate_tag(nonce(header)?, Aad::from(&*header), text).ok()?;
    rest.get_mut(..TAG_LEN)?.copy_from_slice(tag.as_ref());
    Some(packet.len() + TAG_LEN)
}

/// Opens what [`write`] sealed; returns the packet's length.
pub(crate) fn open(packet: &mut [u8], key: &LessSafeKey) -> Option<usize> {
    let (header, text) = packet.split_at_mut_checked(HEADER_LEN)?;
    let len = key.open_in_place(nonce(header)?, Aad::from(&*header), text).ok()?.len();
    Some(HEADER_LEN + len)
}

/// The header differs from packet to packet, which is what a nonce is for.
fn nonce(header: &[u8]) -> Option<Nonce> {
    header.first_chunk::<HEADER_LEN>().map(|header| Nonce::assume_unique_for_key(*header))
}

/// The key for a receiver. Nobody keeps a secret with it.
pub(crate) fn key(receiver: u32) -> Result<LessSafeKey, Error> {
    let mut bytes = [0x42; 16];
    bytes.iter_mut().zip(receiver.to_be_bytes()).for_each(|(place, octet)| *place = octet);
    let key = UnboundKey::new(&AES_128_GCM, &bytes).map_err(|_| Error::Options("no AES-128-GCM".into()))?;
    Ok(LessSafeKey::new(key))
}

fn add(sum: &mut FlushStats, more: &FlushStats) {
    sum.packets += more.packets;
    sum.dropped_error += more.dropped_error;
    sum.dropped_would_block += more.dropped_would_block;
    sum.system_calls += more.system_calls;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_with_the_same_key_only() {
        let packet: Vec<u8> = (0..100).collect();
        let mut slot = [0; 128];
        let len = write(&mut slot, &packet, Some(&key(7).unwrap())).unwrap();
        assert_eq!(len, 116);
        assert_eq!(&slot[..12], &packet[..12]);
        assert_ne!(&slot[12..100], &packet[12..]);
        let mut other = slot;
        assert_eq!(open(&mut other[..len], &key(8).unwrap()), None);
        assert_eq!(open(&mut slot[..len], &key(7).unwrap()), Some(100));
        assert_eq!(&slot[..100], packet);
        assert_eq!(write(&mut slot, &packet, None), Some(100));
        assert_eq!(write(&mut slot[..50], &packet, None), None);
    }
}
