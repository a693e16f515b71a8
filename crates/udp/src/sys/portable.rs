//! What takes the place of the fast path where there is none. Sockets say that they are not batched,
//! so that the headers are never used.

use super::{Mark, Received};
use crate::socket::Socket;
use std::fs::File;
use std::io;
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

pub(crate) const FAST: bool = false;

pub(crate) fn enable_gro(_socket: BorrowedFd<'_>) -> bool {
    false
}

pub(crate) fn enable_timestamps(_socket: BorrowedFd<'_>) -> io::Result<()> {
    Ok(())
}

pub(crate) fn enable_ecn(_socket: BorrowedFd<'_>, _ipv6: bool) -> io::Result<()> {
    Ok(())
}

pub(crate) fn send_marked(
    socket: &Socket,
    packet: &[u8],
    destination: SocketAddr,
    _mark: Mark,
) -> io::Result<()> {
    socket.udp().send_to(packet, destination).map(drop)
}

pub(crate) fn max_segments() -> u32 {
    1
}

pub(crate) fn pin_current_thread(_core: usize) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// The reading and the writing end of a socket pair, both non-blocking.
pub(crate) fn wake_channel() -> io::Result<(File, File)> {
    let (reading, writing) = UnixStream::pair()?;
    reading.set_nonblocking(true)?;
    writing.set_nonblocking(true)?;
    Ok((File::from(OwnedFd::from(reading)), File::from(OwnedFd::from(writing))))
}

#[derive(Debug)]
pub(crate) struct RecvHeaders;

impl RecvHeaders {
    pub(crate) fn new(_messages: usize) -> Self {
        Self
    }

    pub(crate) fn recv(
        &mut self,
        _socket: &Socket,
        _buf: &mut [u8],
        _stride: usize,
        _messages: &mut [Received],
    ) -> io::Result<usize> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

#[derive(Debug)]
pub(crate) struct SendHeaders;

impl SendHeaders {
    pub(crate) fn new(_messages: usize, _packets: usize) -> Self {
        Self
    }

    pub(crate) fn begin<'h, 'b>(&'h mut self) -> Outgoing<'h, 'b> {
        Outgoing(PhantomData)
    }
}

pub(crate) struct Outgoing<'h, 'b>(PhantomData<(&'h mut SendHeaders, &'b [u8])>);

impl<'b> Outgoing<'_, 'b> {
    pub(crate) fn push(
        &mut self,
        _destination: Option<SocketAddr>,
        _segment: Option<u16>,
        _mark: Option<Mark>,
        _packets: impl Iterator<Item = &'b [u8]>,
    ) {
    }

    pub(crate) fn send(&mut self, _socket: &Socket, _from: usize) -> io::Result<usize> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
