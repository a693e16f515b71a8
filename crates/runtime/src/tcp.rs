//! TCP for ICE: connections that carry datagrams, each behind its length (RFC 4571).
//!
//! What a connection may hold back is bounded in both directions: one datagram of the peer's, and a queue of ours that drops
//! what finds no room, as a network would. Must not know what the datagrams are.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use tureen_rtp_wire::Time;

/// The longest datagram that is taken, in bytes; whoever announces a longer one speaks something else.
const MAX_DATAGRAM: usize = 8 * 1024;
/// Bytes that are read at a time.
const READ_LEN: usize = 32 * 1024;
/// Bytes that wait for a peer that does not read: half a second of 4 Mbit/s.
const MAX_QUEUED: usize = 256 * 1024;
const LENGTH: usize = 2;

/// A connection.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    remote: SocketAddr,
    pub(crate) since: Time,
    /// Bytes received; whole datagrams are taken from its front.
    inbound: Vec<u8>,
    outbound: Vec<u8>,
    /// How much of `outbound` the system has taken.
    sent: usize,
    pub(crate) queued_for_flush: bool,
}

/// What a read brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Intake {
    /// Bytes; perhaps there are more.
    Some,
    /// Nothing for now.
    Nothing,
    /// The peer is gone, or speaks something else.
    Ended,
}

impl Connection {
    /// A connection that was accepted at `now`.
    ///
    /// # Errors
    /// Those of `fcntl(2)`.
    pub(crate) fn new(now: Time, stream: TcpStream, remote: SocketAddr) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        // Media does not wait to fill a segment. A socket that cannot is as good as gone, and says so when read.
        let _ = stream.set_nodelay(true);
        let (inbound, outbound) = (Vec::new(), Vec::new());
        Ok(Self { stream, remote, since: now, inbound, outbound, sent: 0, queued_for_flush: false })
    }

    pub(crate) fn remote(&self) -> SocketAddr {
        self.remote
    }

    /// Reads what is there, up to a limit, behind what was left of the last read.
    pub(crate) fn read(&mut self) -> Intake {
        let filled = self.inbound.len();
        self.inbound.resize(filled + READ_LEN, 0);
        let read = self.stream.read(self.inbound.get_mut(filled..).unwrap_or_default());
        self.inbound.truncate(filled + *read.as_ref().unwrap_or(&0));
        match read {
            Ok(0) => Intake::Ended,
            Ok(_) => Intake::Some,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
                Intake::Nothing
            }
            Err(_) => Intake::Ended,
        }
    }

    /// The whole datagrams received; to be given back, so that half ones are not lost.
    pub(crate) fn lend(&mut self) -> Datagrams {
        Datagrams { bytes: std::mem::take(&mut self.inbound), at: 0, broken: false }
    }

    pub(crate) fn take_back(&mut self, datagrams: Datagrams) {
        self.inbound = datagrams.bytes;
        self.inbound.drain(..datagrams.at);
    }

    /// Queues a datagram; `false` if there was no room.
    pub(crate) fn queue(&mut self, datagram: &[u8]) -> bool {
        let Ok(len) = u16::try_from(datagram.len()) else { return false };
        if self.outbound.len() - self.sent + LENGTH + datagram.len() > MAX_QUEUED {
            return false;
        }
        self.outbound.extend_from_slice(&len.to_be_bytes());
        self.outbound.extend_from_slice(datagram);
        true
    }

    /// Gives the system what it takes; `true` if something is left. An error shows when the connection is read next.
    pub(crate) fn flush(&mut self) -> bool {
        while let Some(rest) = self.outbound.get(self.sent..).filter(|rest| !rest.is_empty()) {
            match self.stream.write(rest) {
                Ok(taken) if taken > 0 => self.sent += taken,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.outbound.drain(..self.sent);
                    self.sent = 0;
                    return true;
                }
                _ => break,
            }
        }
        self.outbound.clear();
        self.sent = 0;
        false
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

/// Whole datagrams at the front of a connection's bytes.
#[derive(Debug)]
pub(crate) struct Datagrams {
    bytes: Vec<u8>,
    at: usize,
    broken: bool,
}

impl Datagrams {
    pub(crate) fn next(&mut self) -> Option<&mut [u8]> {
        let length = self.bytes.get(self.at..)?.first_chunk::<LENGTH>()?;
        let len = usize::from(u16::from_be_bytes(*length));
        if len > MAX_DATAGRAM {
            self.broken = true;
            return None;
        }
        let start = self.at + LENGTH;
        let datagram = self.bytes.get_mut(start..start + len)?;
        self.at = start + len;
        Some(datagram)
    }

    /// Whether the peer announced a datagram longer than any that is taken.
    pub(crate) fn broken(&self) -> bool {
        self.broken
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    fn pair() -> (Connection, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let client = TcpStream::connect(listener.local_addr().expect("bound")).expect("listening");
        let (stream, remote) = listener.accept().expect("connected");
        (Connection::new(Time::ZERO, stream, remote).expect("a socket"), client)
    }

    fn read_some(connection: &mut Connection) {
        while connection.read() != Intake::Some {
            std::thread::yield_now();
        }
    }

    #[test]
    fn datagrams_come_out_whole_however_they_were_cut() {
        let (mut connection, mut client) = pair();
        let stream = [&[0, 3][..], b"one", &[0, 0], &[0, 5], b"three"].concat();
        let mut datagrams: Vec<Vec<u8>> = Vec::new();
        for byte in stream {
            client.write_all(&[byte]).expect("connected");
            read_some(&mut connection);
            let mut whole = connection.lend();
            while let Some(datagram) = whole.next() {
                datagrams.push(datagram.to_vec());
            }
            assert!(!whole.broken());
            connection.take_back(whole);
        }
        assert_eq!(datagrams, [&b"one"[..], b"", b"three"]);
        drop(client);
        assert_eq!(connection.read(), Intake::Ended);
    }

    #[test]
    fn who_announces_too_much_is_broken_and_the_queue_is_bounded() {
        let (mut connection, mut client) = pair();
        client.write_all(b"GET / HTTP/1.1\r\n\r\n").expect("connected");
        read_some(&mut connection);
        let mut datagrams = connection.lend();
        assert!(datagrams.next().is_none() && datagrams.broken());
        connection.take_back(datagrams);
        let queued = (0..1_000_000).take_while(|_| connection.queue(&[7; 1200])).count();
        assert_eq!(queued, MAX_QUEUED / 1202);
        // The peer does not read: the system takes some, the rest stays and room is made again.
        connection.flush();
        let mut received = vec![0; 1202];
        client.read_exact(&mut received).expect("flushed");
        assert_eq!(received.get(..3), Some(&[4, 176, 7][..]));
    }
}
