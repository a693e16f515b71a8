//! Clocks, accounting and `poll(2)`: the calls that every Unix has.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Reads a clock, in nanoseconds; 0 for a clock that the system does not have.
pub(crate) fn clock(id: libc::clockid_t) -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid place for one timespec for the length of the call.
    let result = unsafe { libc::clock_gettime(id, &raw mut time) };
    if result == 0 { nanoseconds(time) } else { 0 }
}

pub(crate) fn nanoseconds(time: libc::timespec) -> u64 {
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    seconds.saturating_mul(1_000_000_000).saturating_add(u64::try_from(time.tv_nsec).unwrap_or(0))
}

/// What the process has used so far.
pub(crate) fn resource_usage() -> io::Result<libc::rusage> {
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: `usage` is a valid place for one rusage for the length of the call.
    if unsafe { libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: rusage is made of integers, for which all zeros are valid, and the call has filled it in.
    Ok(unsafe { usage.assume_init() })
}

/// The `poll(2)` request for readability of `fd`.
pub(crate) fn readable(fd: BorrowedFd<'_>) -> libc::pollfd {
    libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLIN, revents: 0 }
}

/// Waits until one of `fds` is ready or `timeout` milliseconds (-1: no limit) are over; returns how many are ready.
pub(crate) fn poll_readable(fds: &mut [libc::pollfd], timeout: i32) -> io::Result<usize> {
    let count = libc::nfds_t::try_from(fds.len()).map_err(io::Error::other)?;
    // SAFETY: `fds` is a valid array of `count` entries for the length of the call. Descriptors in it that were closed
    // in the meantime are reported as such by the kernel.
    let ready = unsafe { libc::poll(fds.as_mut_ptr(), count, timeout) };
    usize::try_from(ready).map_err(|_| io::Error::last_os_error())
}
