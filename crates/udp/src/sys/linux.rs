//! Linux: `recvmmsg(2)`, `sendmmsg(2)`, `udp(7)` offloads, `epoll(7)`, `sched_setaffinity(2)`.

use super::unix::nanoseconds;
use super::{Mark, Received};
use crate::socket::Socket;
use std::fmt;
use std::fs::File;
use std::io;
use std::marker::PhantomData;
use std::mem::{self, MaybeUninit};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;
use std::sync::OnceLock;

pub(crate) const FAST: bool = true;

/// Large enough for every control message that is asked for: the segment length, the time of arrival and the mark.
const CONTROL_LEN: usize = 128;
/// What newer kernels segment at most, and what older ones do (`UDP_MAX_SEGMENTS`).
const SEGMENTS: [u32; 2] = [128, 64];

/// A buffer for control messages, aligned as their headers want it.
#[repr(C)]
union Control {
    bytes: [u8; CONTROL_LEN],
    align: libc::cmsghdr,
}

const EMPTY_CONTROL: Control = Control { bytes: [0; CONTROL_LEN] };

/// The parallel arrays of messages that the calls work on: headers, addresses, control buffers.
struct Headers {
    messages: Box<[libc::mmsghdr]>,
    /// Room for an address of either family; the IPv6 form is the longer one and is aligned no less.
    names: Box<[libc::sockaddr_in6]>,
    vectors: Box<[libc::iovec]>,
    controls: Box<[Control]>,
}

// SAFETY: the pointers in `messages` and `vectors` are written before each system call and read by it alone, within one
// method that has exclusive access; between calls they are never followed, so another thread may own them.
unsafe impl Send for Headers {}
// SAFETY: nothing can be done through a shared reference.
unsafe impl Sync for Headers {}

impl Headers {
    fn new(messages: usize, vectors: usize) -> Self {
        // SAFETY: mmsghdr, sockaddr_in6 and iovec consist of integers and raw pointers: all zeros are valid.
        let (message, name, vector): (libc::mmsghdr, libc::sockaddr_in6, libc::iovec) =
            unsafe { (mem::zeroed(), mem::zeroed(), mem::zeroed()) };
        Self {
            messages: vec![message; messages].into_boxed_slice(),
            names: vec![name; messages].into_boxed_slice(),
            vectors: vec![vector; vectors].into_boxed_slice(),
            controls: (0..messages).map(|_| EMPTY_CONTROL).collect(),
        }
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Headers").field("messages", &self.messages.len()).finish_non_exhaustive()
    }
}

/// The headers of a receive batch.
#[derive(Debug)]
pub(crate) struct RecvHeaders(Headers);

impl RecvHeaders {
    pub(crate) fn new(messages: usize) -> Self {
        Self(Headers::new(messages, messages))
    }

    /// Receives into `buf`, message `n` at `n * stride`, and describes each message in `messages`.
    pub(crate) fn recv(
        &mut self,
        socket: &Socket,
        buf: &mut [u8],
        stride: usize,
        messages: &mut [Received],
    ) -> io::Result<usize> {
        let headers = &mut self.0;
        let places = buf.chunks_exact_mut(stride).zip(&mut headers.names).zip(&mut headers.controls);
        let places = places.zip(&mut headers.vectors).zip(&mut headers.messages);
        let mut count = 0;
        for ((((chunk, name), control), vector), message) in places {
            *vector = libc::iovec { iov_base: chunk.as_mut_ptr().cast(), iov_len: chunk.len() };
            message.msg_len = 0;
            let header = &mut message.msg_hdr;
            header.msg_name = ptr::from_mut(name).cast();
            header.msg_namelen = size_of::<libc::sockaddr_in6>() as libc::socklen_t;
            header.msg_iov = vector;
            header.msg_iovlen = 1;
            header.msg_control = ptr::from_mut(control).cast();
            header.msg_controllen = CONTROL_LEN as _;
            header.msg_flags = 0;
            count += 1;
        }
        let (fd, flags) = (socket.as_fd().as_raw_fd(), libc::MSG_DONTWAIT);
        let array = headers.messages.as_mut_ptr();
        // SAFETY: the first `count` messages were set up above with pointers to buffers of the stated lengths, distinct
        // for each message, all of them borrowed exclusively for the length of this call; there is no timeout.
        let received = unsafe { libc::recvmmsg(fd, array, count, flags as _, ptr::null_mut()) };
        let received = usize::try_from(received).map_err(|_| io::Error::last_os_error())?;
        for ((message, name), described) in
            headers.messages.iter().zip(&headers.names).zip(messages).take(received)
        {
            *described = describe(message, name);
        }
        Ok(received)
    }
}

fn describe(message: &libc::mmsghdr, name: &libc::sockaddr_in6) -> Received {
    let mut described = Received {
        len: message.msg_len as usize,
        truncated: message.msg_hdr.msg_flags & libc::MSG_TRUNC != 0,
        ..Received::default()
    };
    if let Some(source) = address(name) {
        described.source = source;
    }
    // SAFETY: the kernel has filled the control buffer of this message and set its length; the header outlives the walk.
    let mut control = unsafe { libc::CMSG_FIRSTHDR(&raw const message.msg_hdr) };
    while !control.is_null() {
        // SAFETY: CMSG_FIRSTHDR and CMSG_NXTHDR yield headers that lie wholly within the control buffer.
        let (level, kind, data) =
            unsafe { ((*control).cmsg_level, (*control).cmsg_type, libc::CMSG_DATA(control)) };
        match (level, kind) {
            (libc::SOL_UDP, libc::UDP_GRO) => {
                // SAFETY: the kernel puts an int here (udp(7)); it need not be aligned.
                let segment = unsafe { data.cast::<libc::c_int>().read_unaligned() };
                described.segment = usize::try_from(segment).unwrap_or(0);
            }
            (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS) => {
                // SAFETY: the kernel puts a timespec here (socket(7)); it need not be aligned.
                let time = unsafe { data.cast::<libc::timespec>().read_unaligned() };
                described.received = Some(nanoseconds(time));
            }
            (libc::IPPROTO_IP, libc::IP_TOS) => {
                // SAFETY: the kernel puts the octet of the header here (ip(7)).
                described.ecn = unsafe { data.read() } & 3;
            }
            (libc::IPPROTO_IPV6, libc::IPV6_TCLASS) => {
                // SAFETY: the kernel puts an int here (RFC 3542 section 6.5); it need not be aligned.
                let class = unsafe { data.cast::<libc::c_int>().read_unaligned() };
                described.ecn = (class & 3) as u8;
            }
            _ => {}
        }
        // SAFETY: as for CMSG_FIRSTHDR; `control` lies within the buffer.
        control = unsafe { libc::CMSG_NXTHDR(&raw const message.msg_hdr, control) };
    }
    described
}

/// The headers of a send batch.
#[derive(Debug)]
pub(crate) struct SendHeaders(Headers);

impl SendHeaders {
    /// Room for `messages` messages of `packets` packets in all.
    pub(crate) fn new(messages: usize, packets: usize) -> Self {
        Self(Headers::new(messages, packets))
    }

    /// Starts an empty list of messages.
    pub(crate) fn begin<'h, 'b>(&'h mut self) -> Outgoing<'h, 'b> {
        Outgoing { headers: &mut self.0, messages: 0, vectors: 0, packets: PhantomData }
    }
}

/// A list of messages to send; it borrows the packets in it.
pub(crate) struct Outgoing<'h, 'b> {
    headers: &'h mut Headers,
    messages: usize,
    vectors: usize,
    packets: PhantomData<&'b [u8]>,
}

impl<'b> Outgoing<'_, 'b> {
    /// Adds a message that is the concatenation of `packets`, to be cut into segments of `segment` bytes; without a
    /// destination it goes where the socket is connected to. Beyond the room that the headers were made for nothing is
    /// added.
    pub(crate) fn push(
        &mut self,
        destination: Option<SocketAddr>,
        segment: Option<u16>,
        mark: Option<Mark>,
        packets: impl Iterator<Item = &'b [u8]>,
    ) {
        let Headers { messages, names, vectors, controls } = &mut *self.headers;
        let at = self.messages;
        let (Some(message), Some(name), Some(control)) =
            (messages.get_mut(at), names.get_mut(at), controls.get_mut(at))
        else {
            return;
        };
        let room = vectors.get_mut(self.vectors..).unwrap_or_default();
        let header = &mut message.msg_hdr;
        header.msg_iov = room.as_mut_ptr();
        let mut count = 0;
        for (vector, packet) in room.iter_mut().zip(packets) {
            *vector = libc::iovec { iov_base: packet.as_ptr().cast_mut().cast(), iov_len: packet.len() };
            count += 1;
        }
        header.msg_iovlen = count as _;
        (header.msg_name, header.msg_namelen) = match destination {
            Some(destination) => {
                let len = write_address(name, destination);
                (ptr::from_mut(name).cast(), len)
            }
            None => (ptr::null_mut(), 0),
        };
        (header.msg_control, header.msg_controllen) = (ptr::null_mut(), 0);
        header.msg_flags = 0;
        if segment.is_some() || mark.is_some() {
            let len = segment.map_or(0, |segment| write_segment(control, segment));
            let len = mark.map_or(len, |mark| write_mark(control, len, mark));
            header.msg_control = ptr::from_mut(control).cast();
            header.msg_controllen = len as _;
        }
        self.messages += 1;
        self.vectors += count;
    }

    /// Sends the messages from number `from` on; returns how many the kernel took, at least one.
    pub(crate) fn send(&mut self, socket: &Socket, from: usize) -> io::Result<usize> {
        let messages = self.headers.messages.get_mut(from..self.messages).unwrap_or_default();
        let (fd, flags) = (socket.as_fd().as_raw_fd(), libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL);
        if let [message] = messages {
            // SAFETY: as below, for one message.
            let sent = unsafe { libc::sendmsg(fd, &raw const message.msg_hdr, flags) };
            return if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(1) };
        }
        // SAFETY: `push` has set up every one of these messages with pointers to packets that `'b` keeps borrowed, and
        // to vectors, a name and a control buffer within the boxed slices of `headers`, which stay where they are. The
        // kernel writes nothing but the `msg_len` of the messages.
        let sent =
            unsafe { libc::sendmmsg(fd, messages.as_mut_ptr(), messages.len() as libc::c_uint, flags as _) };
        usize::try_from(sent).map_err(|_| io::Error::last_os_error())
    }
}

/// Writes the control message that asks for segmentation; returns the length of the control data.
fn write_segment(control: &mut Control, segment: u16) -> usize {
    write_control(control, 0, (libc::SOL_UDP, libc::UDP_SEGMENT), segment)
}

/// Writes the control message that sets the mark behind `at` octets of others; returns the length of the control data.
fn write_mark(control: &mut Control, at: usize, mark: Mark) -> usize {
    let kind =
        if mark.ipv6 { (libc::IPPROTO_IPV6, libc::IPV6_TCLASS) } else { (libc::IPPROTO_IP, libc::IP_TOS) };
    write_control(control, at, kind, libc::c_int::from(mark.ecn))
}

/// Writes a control message behind `at` octets, which are whole control messages; returns the length of the control data. Nothing is
/// written where there is no room.
fn write_control<T: Copy>(
    control: &mut Control,
    at: usize,
    (level, kind): (libc::c_int, libc::c_int),
    value: T,
) -> usize {
    let len = size_of::<T>() as libc::c_uint;
    // SAFETY: these only compute, from any length.
    let (space, message_len) = unsafe { (libc::CMSG_SPACE(len) as usize, libc::CMSG_LEN(len)) };
    if at + space > CONTROL_LEN || !at.is_multiple_of(align_of::<libc::cmsghdr>()) {
        return at;
    }
    // SAFETY: `control` is aligned for a cmsghdr, so `at` octets behind its start is too, and the header with its data ends within it;
    // CMSG_DATA points right behind the header.
    unsafe {
        let header = ptr::from_mut(control).cast::<u8>().add(at).cast::<libc::cmsghdr>();
        (*header).cmsg_level = level;
        (*header).cmsg_type = kind;
        (*header).cmsg_len = message_len as _;
        libc::CMSG_DATA(header).cast::<T>().write_unaligned(value);
    }
    at + space
}

/// Sends one packet with a mark.
pub(crate) fn send_marked(
    socket: &Socket,
    packet: &[u8],
    destination: SocketAddr,
    mark: Mark,
) -> io::Result<()> {
    let mut headers = SendHeaders::new(1, 1);
    let mut outgoing = headers.begin();
    outgoing.push(Some(destination), None, Some(mark), std::iter::once(packet));
    outgoing.send(socket, 0).map(drop)
}

fn write_address(name: &mut libc::sockaddr_in6, address: SocketAddr) -> libc::socklen_t {
    match address {
        SocketAddr::V4(v4) => {
            let place = ptr::from_mut(name).cast::<libc::sockaddr_in>();
            let short = libc::sockaddr_in {
                sin_family: libc::AF_INET as libc::sa_family_t,
                sin_port: v4.port().to_be(),
                sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(v4.ip().octets()) },
                sin_zero: [0; 8],
            };
            // SAFETY: a sockaddr_in is shorter than the sockaddr_in6 at this place and aligned no stricter.
            unsafe { place.write(short) };
            size_of::<libc::sockaddr_in>() as libc::socklen_t
        }
        SocketAddr::V6(v6) => {
            *name = libc::sockaddr_in6 {
                sin6_family: libc::AF_INET6 as libc::sa_family_t,
                sin6_port: v6.port().to_be(),
                sin6_flowinfo: v6.flowinfo(),
                sin6_addr: libc::in6_addr { s6_addr: v6.ip().octets() },
                sin6_scope_id: v6.scope_id(),
            };
            size_of::<libc::sockaddr_in6>() as libc::socklen_t
        }
    }
}

fn address(name: &libc::sockaddr_in6) -> Option<SocketAddr> {
    match libc::c_int::from(name.sin6_family) {
        libc::AF_INET => {
            // SAFETY: a sockaddr_in is shorter than a sockaddr_in6, aligned no stricter, and made of integers; its family
            // is at the same place.
            let short = unsafe { ptr::from_ref(name).cast::<libc::sockaddr_in>().read() };
            let ip = Ipv4Addr::from(short.sin_addr.s_addr.to_ne_bytes());
            Some(SocketAddrV4::new(ip, u16::from_be(short.sin_port)).into())
        }
        libc::AF_INET6 => {
            let ip = Ipv6Addr::from(name.sin6_addr.s6_addr);
            let port = u16::from_be(name.sin6_port);
            Some(SocketAddrV6::new(ip, port, name.sin6_flowinfo, name.sin6_scope_id).into())
        }
        _ => None,
    }
}

fn set_option(
    socket: BorrowedFd<'_>,
    level: libc::c_int,
    name: libc::c_int,
    value: libc::c_int,
) -> io::Result<()> {
    let len = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: the option value is an int that lives for the length of the call, and `len` is its length.
    let result = unsafe { libc::setsockopt(socket.as_raw_fd(), level, name, (&raw const value).cast(), len) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Asks the kernel to merge arriving packets; whether it does.
pub(crate) fn enable_gro(socket: BorrowedFd<'_>) -> bool {
    set_option(socket, libc::SOL_UDP, libc::UDP_GRO, 1).is_ok()
}

/// Asks the kernel for the mark of each message; of IPv4 on sockets of both families too.
pub(crate) fn enable_ecn(socket: BorrowedFd<'_>, ipv6: bool) -> io::Result<()> {
    if ipv6 {
        set_option(socket, libc::IPPROTO_IPV6, libc::IPV6_RECVTCLASS, 1)?;
    }
    set_option(socket, libc::IPPROTO_IP, libc::IP_RECVTOS, 1)
}

/// Asks the kernel for the time of arrival of each message.
pub(crate) fn enable_timestamps(socket: BorrowedFd<'_>) -> io::Result<()> {
    set_option(socket, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, 1)
}

/// How many segments the kernel takes in one message, found out once by sending some over the loopback device.
pub(crate) fn max_segments() -> u32 {
    static FOUND: OnceLock<u32> = OnceLock::new();
    *FOUND.get_or_init(|| SEGMENTS.into_iter().find(|count| takes_segments(*count).is_ok()).unwrap_or(1))
}

fn takes_segments(count: u32) -> io::Result<()> {
    let from = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    let to = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    set_option(from.as_fd(), libc::SOL_UDP, libc::UDP_SEGMENT, 1)?;
    from.send_to(&vec![0; count as usize], to.local_addr()?)?;
    Ok(())
}

/// Keeps the calling thread on one core.
pub(crate) fn pin_current_thread(core: usize) -> io::Result<()> {
    let mut set = MaybeUninit::<libc::cpu_set_t>::zeroed();
    if core >= size_of::<libc::cpu_set_t>() * 8 {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // SAFETY: a cpu_set_t is a bit map, for which all zeros are valid, and `core` lies within it.
    unsafe { libc::CPU_SET(core, set.assume_init_mut()) };
    // SAFETY: thread 0 is the calling one; the set is valid for the length of the call and of the stated size.
    let result = unsafe { libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), set.as_ptr()) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// The reading and the writing end of an event counter (`eventfd(2)`), both non-blocking.
pub(crate) fn wake_channel() -> io::Result<(File, File)> {
    // SAFETY: the call takes no pointers.
    let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
    // SAFETY: the descriptor is new and owned by nobody else.
    let file = File::from(unsafe { OwnedFd::from_raw_fd(valid(fd)?) });
    Ok((file.try_clone()?, file))
}

/// An epoll instance that watches descriptors for readability.
pub(crate) struct Epoll {
    fd: OwnedFd,
    events: Box<[libc::epoll_event]>,
    /// Whether the kernel has `epoll_pwait2(2)`: 5.11 and later.
    precise: bool,
}

impl Epoll {
    pub(crate) fn new(events: usize) -> io::Result<Self> {
        // SAFETY: the call takes no pointers.
        let fd = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
        // SAFETY: the descriptor is new and owned by nobody else.
        let fd = unsafe { OwnedFd::from_raw_fd(valid(fd)?) };
        let event = libc::epoll_event { events: 0, u64: 0 };
        Ok(Self { fd, events: vec![event; events.max(1)].into_boxed_slice(), precise: true })
    }

    pub(crate) fn add(&self, fd: BorrowedFd<'_>, token: u64) -> io::Result<()> {
        let mut event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: token };
        let (epoll, fd) = (self.fd.as_raw_fd(), fd.as_raw_fd());
        // SAFETY: `event` is valid for the length of the call.
        let result = unsafe { libc::epoll_ctl(epoll, libc::EPOLL_CTL_ADD, fd, &raw mut event) };
        valid(result).map(|_| ())
    }

    pub(crate) fn remove(&self, fd: BorrowedFd<'_>) -> io::Result<()> {
        let (epoll, fd) = (self.fd.as_raw_fd(), fd.as_raw_fd());
        // SAFETY: no event is needed to remove a descriptor (Linux 2.6.9 and later).
        let result = unsafe { libc::epoll_ctl(epoll, libc::EPOLL_CTL_DEL, fd, ptr::null_mut()) };
        valid(result).map(|_| ())
    }

    /// Waits and calls `each` with the token of every descriptor that is ready.
    pub(crate) fn wait(&mut self, timeout: Option<u64>, mut each: impl FnMut(u64)) -> io::Result<()> {
        let ready = if self.precise { self.wait_precisely(timeout) } else { self.wait_milliseconds(timeout) };
        let ready = match ready {
            Err(error) if self.precise && error.raw_os_error() == Some(libc::ENOSYS) => {
                self.precise = false;
                self.wait_milliseconds(timeout)?
            }
            other => other?,
        };
        for event in self.events.iter().take(ready) {
            each(event.u64);
        }
        Ok(())
    }

    fn wait_precisely(&mut self, timeout: Option<u64>) -> io::Result<usize> {
        let timeout = timeout.map(|nanoseconds| libc::timespec {
            tv_sec: (nanoseconds / 1_000_000_000) as libc::time_t,
            tv_nsec: (nanoseconds % 1_000_000_000) as _,
        });
        let timeout = timeout.as_ref().map_or(ptr::null(), ptr::from_ref);
        // SAFETY: the events are a valid array of the stated length and the timeout is null or valid, both for the length
        // of the call; there is no signal mask, whose size is then ignored. Called by number, since not every C library
        // has a wrapper; on the 64 bit systems where one is missing the kernel's timespec is the C library's.
        let ready = unsafe {
            libc::syscall(
                libc::SYS_epoll_pwait2,
                self.fd.as_raw_fd(),
                self.events.as_mut_ptr(),
                self.events.len() as libc::c_int,
                timeout,
                ptr::null::<libc::sigset_t>(),
                0_usize,
            )
        };
        usize::try_from(ready).map_err(|_| io::Error::last_os_error())
    }

    fn wait_milliseconds(&mut self, timeout: Option<u64>) -> io::Result<usize> {
        let timeout = super::milliseconds(timeout);
        let (fd, len) = (self.fd.as_raw_fd(), self.events.len() as libc::c_int);
        // SAFETY: the events are a valid array of the stated length for the length of the call.
        let ready = unsafe { libc::epoll_wait(fd, self.events.as_mut_ptr(), len, timeout) };
        usize::try_from(ready).map_err(|_| io::Error::last_os_error())
    }
}

impl fmt::Debug for Epoll {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Epoll").field("fd", &self.fd).finish_non_exhaustive()
    }
}

fn valid(result: libc::c_int) -> io::Result<RawFd> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}
