//! Waits for many sockets at once, and can be woken from another thread.

use crate::sys;
use crate::wakeup::{Bell, Wakeup};
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// The token that stands for the waker.
const WAKER: u64 = u64::MAX;
/// How many ready descriptors one wait reports; the others come with the next.
const EVENTS: usize = 256;

/// Waits until descriptors become readable: `epoll(7)` on Linux, `poll(2)` elsewhere.
///
/// Readiness is level-triggered: a socket that was not read empty is ready again at once.
#[derive(Debug)]
pub struct Poller {
    backend: Backend,
    wakeup: Arc<Wakeup<AtomicBool, WakeChannel>>,
}

#[derive(Debug)]
enum Backend {
    #[cfg(target_os = "linux")]
    Epoll(sys::Epoll),
    Poll(PollSet),
}

/// What is readable from a wake-up on: both ends of it.
#[derive(Debug)]
struct WakeChannel {
    reading: File,
    writing: File,
}

impl Bell for WakeChannel {
    fn ring(&self) {
        // Where it is full already it wakes as well, and a poller that is gone needs no waking.
        let _ = (&self.writing).write(&1_u64.to_ne_bytes());
    }

    fn silence(&self) {
        let mut bytes = [0; 64];
        while (&self.reading).read(&mut bytes).is_ok_and(|count| count == bytes.len()) {}
    }
}

/// Ends a [`Poller::wait`] from any thread.
#[derive(Debug, Clone)]
pub struct Waker(Arc<Wakeup<AtomicBool, WakeChannel>>);

impl Poller {
    /// A poller with the best means of the system.
    ///
    /// # Errors
    /// Those of `epoll_create1(2)` and `eventfd(2)`: too many open files.
    pub fn new() -> io::Result<Self> {
        #[cfg(target_os = "linux")]
        let backend = Backend::Epoll(sys::Epoll::new(EVENTS)?);
        #[cfg(not(target_os = "linux"))]
        let backend = Backend::Poll(PollSet::default());
        Self::with(backend)
    }

    /// A poller over `poll(2)`, as on systems without `epoll(7)`. Its timeouts are rounded up to milliseconds.
    ///
    /// # Errors
    /// Those of `eventfd(2)` or `socketpair(2)`: too many open files.
    pub fn portable() -> io::Result<Self> {
        Self::with(Backend::Poll(PollSet::default()))
    }

    fn with(backend: Backend) -> io::Result<Self> {
        let (reading, writing) = sys::wake_channel()?;
        let wakeup = Arc::new(Wakeup::new(AtomicBool::new(false), WakeChannel { reading, writing }));
        let mut poller = Self { backend, wakeup };
        let reading = poller.wakeup.bell.reading.as_fd();
        match &mut poller.backend {
            #[cfg(target_os = "linux")]
            Backend::Epoll(epoll) => epoll.add(reading, WAKER)?,
            Backend::Poll(set) => set.add(reading, WAKER)?,
        }
        Ok(poller)
    }

    /// Watches `source` until it is removed or closed; `token` is any number but [`u64::MAX`].
    ///
    /// # Errors
    /// `InvalidInput` for the token [`u64::MAX`], `AlreadyExists` for a source that is watched, those of `epoll_ctl(2)`.
    pub fn add(&mut self, source: &impl AsFd, token: u64) -> io::Result<()> {
        if token == WAKER {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        match &mut self.backend {
            #[cfg(target_os = "linux")]
            Backend::Epoll(epoll) => epoll.add(source.as_fd(), token),
            Backend::Poll(set) => set.add(source.as_fd(), token),
        }
    }

    /// Stops watching `source`; to be called before it is closed.
    ///
    /// # Errors
    /// `NotFound` for a source that is not watched, those of `epoll_ctl(2)`.
    pub fn remove(&mut self, source: &impl AsFd) -> io::Result<()> {
        match &mut self.backend {
            #[cfg(target_os = "linux")]
            Backend::Epoll(epoll) => epoll.remove(source.as_fd()),
            Backend::Poll(set) => set.remove(source.as_fd()),
        }
    }

    /// Waits until a source is readable, the waker is used, a signal comes or `timeout` nanoseconds are over; `None`
    /// waits without a limit, zero does not wait. Clears `ready` and fills it with the tokens of the readable sources,
    /// at most 256 of them, and returns whether the waker was used.
    ///
    /// # Errors
    /// Those of `epoll_pwait2(2)` or `poll(2)`; not `Interrupted`, which ends the wait early.
    pub fn wait(&mut self, timeout: Option<u64>, ready: &mut Vec<u64>) -> io::Result<bool> {
        ready.clear();
        let mut woken = false;
        let each = |token| {
            if token == WAKER {
                woken = true;
            } else {
                ready.push(token);
            }
        };
        let result = match &mut self.backend {
            #[cfg(target_os = "linux")]
            Backend::Epoll(epoll) => epoll.wait(timeout, each),
            Backend::Poll(set) => set.wait(timeout, each),
        };
        match result {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
        if woken {
            self.wakeup.answer();
        }
        Ok(woken)
    }

    /// A handle that ends [`wait`](Self::wait).
    #[must_use]
    pub fn waker(&self) -> Waker {
        Waker(Arc::clone(&self.wakeup))
    }
}

impl Waker {
    /// Ends the wait that is under way, or else the next one. Cheap when the poller was woken already.
    pub fn wake(&self) {
        self.0.wake();
    }
}

/// The descriptors of a poller over `poll(2)`.
#[derive(Debug, Default)]
struct PollSet {
    fds: Vec<libc::pollfd>,
    tokens: Vec<u64>,
}

impl PollSet {
    fn add(&mut self, fd: BorrowedFd<'_>, token: u64) -> io::Result<()> {
        if self.position(fd).is_some() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        self.fds.push(sys::readable(fd));
        self.tokens.push(token);
        Ok(())
    }

    fn remove(&mut self, fd: BorrowedFd<'_>) -> io::Result<()> {
        let position = self.position(fd).ok_or(io::ErrorKind::NotFound)?;
        self.fds.swap_remove(position);
        self.tokens.swap_remove(position);
        Ok(())
    }

    fn wait(&mut self, timeout: Option<u64>, mut each: impl FnMut(u64)) -> io::Result<()> {
        sys::poll_readable(&mut self.fds, sys::milliseconds(timeout))?;
        let ready = self.fds.iter().zip(&self.tokens).filter(|(fd, _)| fd.revents != 0);
        ready.take(EVENTS).for_each(|(_, token)| each(*token));
        Ok(())
    }

    fn position(&self, fd: BorrowedFd<'_>) -> Option<usize> {
        self.fds.iter().position(|entry| entry.fd == fd.as_raw_fd())
    }
}
