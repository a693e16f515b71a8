//! What arrived on a socket: a preallocated batch of messages, taken apart into datagrams.

use crate::socket::{Socket, canonical};
use crate::sys::{Received, RecvHeaders};
use std::io;
use std::net::SocketAddr;

/// A message that the kernel merged can be as long as a UDP datagram can be (`UDP_GRO`); an odd number of cache lines,
/// so that the starts of the messages do not fall into the same few sets of the cache.
const STRIDE: usize = 65_536 + 64;
/// Errors of earlier packets that are passed over in one call.
const MAX_STALE_ERRORS: usize = 16;

/// A batch of received messages, allocated once and filled again and again.
///
/// With receive offload a message holds up to 64 datagrams of one sender, so that a few messages are many datagrams. The
/// address space is 64 KiB a message; memory is used only as far as messages were ever filled.
#[derive(Debug)]
pub struct RecvBatch {
    buf: Box<[u8]>,
    messages: Box<[Received]>,
    filled: usize,
    truncated: u64,
    headers: RecvHeaders,
}

/// A datagram in a [`RecvBatch`].
#[derive(Debug)]
pub struct Datagram<'a> {
    /// Its content, to be worked on in place.
    pub bytes: &'a mut [u8],
    /// Who sent it.
    pub source: SocketAddr,
    /// When it reached the kernel, in nanoseconds since the Unix epoch, where
    /// [`SocketConfig::timestamps`](crate::SocketConfig::timestamps) asks for it.
    pub received: Option<u64>,
    /// The two bits of its ECN mark (RFC 3168), where [`SocketConfig::ecn`](crate::SocketConfig::ecn) asks for it; else 0.
    pub ecn: u8,
}

impl RecvBatch {
    /// A batch of up to `messages` messages, at least one; 32 suits a busy socket.
    #[must_use]
    pub fn new(messages: usize) -> Self {
        let messages = messages.max(1);
        Self {
            buf: vec![0; messages * STRIDE].into_boxed_slice(),
            messages: vec![Received::default(); messages].into_boxed_slice(),
            filled: 0,
            truncated: 0,
            headers: RecvHeaders::new(messages),
        }
    }

    /// The datagrams of the last [`Socket::recv`], in the order of their arrival. Empty datagrams are left out.
    pub fn datagrams_mut(&mut self) -> impl Iterator<Item = Datagram<'_>> {
        let messages = self.messages.iter().take(self.filled);
        self.buf.chunks_mut(STRIDE).zip(messages).flat_map(|(chunk, message)| {
            let bytes = chunk.get_mut(..message.len).unwrap_or_default();
            let Received { source, received, ecn, .. } = *message;
            let segments = bytes.chunks_mut(message.segment_len());
            segments.map(move |bytes| Datagram { bytes, source, received, ecn })
        })
    }

    /// Whether the last [`Socket::recv`] filled every message, so that more may be waiting.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.filled == self.messages.len()
    }

    /// How many messages arrived that did not fit, since the batch was made. They were dropped.
    #[must_use]
    pub fn truncated(&self) -> u64 {
        self.truncated
    }

    pub(crate) fn fill(&mut self, socket: &Socket) -> io::Result<usize> {
        self.filled = 0;
        let mut stale_errors = 0;
        self.filled = loop {
            let result = if socket.is_batched() {
                self.headers.recv(socket, &mut self.buf, STRIDE, &mut self.messages)
            } else {
                self.recv_one_by_one(socket)
            };
            match result {
                Ok(messages) => break messages,
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock => break 0,
                    io::ErrorKind::Interrupted => {}
                    // What ICMP said about a packet that was sent; it says nothing about receiving.
                    io::ErrorKind::ConnectionRefused
                    | io::ErrorKind::HostUnreachable
                    | io::ErrorKind::NetworkUnreachable
                        if stale_errors < MAX_STALE_ERRORS =>
                    {
                        stale_errors += 1;
                    }
                    _ => return Err(error),
                },
            }
        };
        let mut datagrams = 0;
        for message in self.messages.iter_mut().take(self.filled) {
            if message.truncated {
                self.truncated += 1;
                message.len = 0;
            }
            message.source = canonical(message.source);
            datagrams += message.len.div_ceil(message.segment_len());
        }
        Ok(datagrams)
    }

    fn recv_one_by_one(&mut self, socket: &Socket) -> io::Result<usize> {
        let mut filled = 0;
        for (chunk, message) in self.buf.chunks_mut(STRIDE).zip(&mut self.messages) {
            match socket.udp().recv_from(chunk) {
                Ok((len, source)) => {
                    *message = Received { len, source, ..Received::default() };
                    filled += 1;
                }
                Err(error) if filled == 0 => return Err(error),
                // It comes up again in the next call.
                Err(_) => break,
            }
        }
        Ok(filled)
    }
}

impl Received {
    /// The length of the datagrams in the message; the last may be shorter. Never zero.
    fn segment_len(&self) -> usize {
        if self.segment == 0 { self.len.max(1) } else { self.segment }
    }
}
