//! What a thread that lives on packets asks the system: a core of its own, the time, what it has used.

use crate::sys;
use std::io;
use std::time::Duration;

/// Keeps the calling thread on core number `core`, counted from 0. Linux only.
///
/// # Errors
/// `InvalidInput` for a core that the machine does not have or the process may not use, `Unsupported` elsewhere.
pub fn pin_current_thread(core: usize) -> io::Result<()> {
    sys::pin_current_thread(core)
}

/// CPU time that the calling thread has used (`CLOCK_THREAD_CPUTIME_ID`).
#[must_use]
pub fn thread_cpu_time() -> Duration {
    Duration::from_nanos(sys::clock(libc::CLOCK_THREAD_CPUTIME_ID))
}

/// Nanoseconds since some point in the past, never going back (`CLOCK_MONOTONIC`).
#[must_use]
pub fn monotonic_now() -> u64 {
    sys::clock(libc::CLOCK_MONOTONIC)
}

/// Nanoseconds since the Unix epoch (`CLOCK_REALTIME`): the clock of [`Datagram::received`](crate::Datagram::received).
#[must_use]
pub fn realtime_now() -> u64 {
    sys::clock(libc::CLOCK_REALTIME)
}

/// What the process has used so far: the 16 fields of `getrusage(2)`, under their names there. Those that the system does
/// not keep are zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ResourceUsage {
    /// CPU time in user mode, in milliseconds.
    pub utime: u64,
    /// CPU time in the kernel, in milliseconds.
    pub stime: u64,
    /// Largest resident set, in KiB on Linux.
    pub maxrss: u64,
    /// Shared memory.
    pub ixrss: u64,
    /// Unshared data.
    pub idrss: u64,
    /// Unshared stack.
    pub isrss: u64,
    /// Page faults without input or output.
    pub minflt: u64,
    /// Page faults with input or output.
    pub majflt: u64,
    /// Swaps.
    pub nswap: u64,
    /// Blocks read.
    pub inblock: u64,
    /// Blocks written.
    pub oublock: u64,
    /// Messages sent.
    pub msgsnd: u64,
    /// Messages received.
    pub msgrcv: u64,
    /// Signals received.
    pub nsignals: u64,
    /// Context switches that the process asked for.
    pub nvcsw: u64,
    /// Context switches that were forced on it.
    pub nivcsw: u64,
}

/// What the process has used so far.
///
/// # Errors
/// Those of `getrusage(2)`: none in practice.
pub fn process_usage() -> io::Result<ResourceUsage> {
    let usage = sys::resource_usage()?;
    let count = |value: libc::c_long| u64::try_from(value).unwrap_or(0);
    let milliseconds = |time: libc::timeval| {
        let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
        seconds.saturating_mul(1000).saturating_add(u64::try_from(time.tv_usec).unwrap_or(0) / 1000)
    };
    Ok(ResourceUsage {
        utime: milliseconds(usage.ru_utime),
        stime: milliseconds(usage.ru_stime),
        maxrss: count(usage.ru_maxrss),
        ixrss: count(usage.ru_ixrss),
        idrss: count(usage.ru_idrss),
        isrss: count(usage.ru_isrss),
        minflt: count(usage.ru_minflt),
        majflt: count(usage.ru_majflt),
        nswap: count(usage.ru_nswap),
        inblock: count(usage.ru_inblock),
        oublock: count(usage.ru_oublock),
        msgsnd: count(usage.ru_msgsnd),
        msgrcv: count(usage.ru_msgrcv),
        nsignals: count(usage.ru_nsignals),
        nvcsw: count(usage.ru_nvcsw),
        nivcsw: count(usage.ru_nivcsw),
    })
}

#[cfg(test)]
mod tests {
    use super::{monotonic_now, pin_current_thread, process_usage, realtime_now, thread_cpu_time};
    use std::io::ErrorKind;
    use std::time::{Duration, Instant, SystemTime};

    #[test]
    fn clocks_run() {
        let (before, cpu) = (monotonic_now(), thread_cpu_time());
        let start = Instant::now();
        while start.elapsed() < Duration::from_millis(20) {}
        assert!(monotonic_now() - before >= 20_000_000);
        assert!(thread_cpu_time() > cpu);
        let epoch = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64;
        assert!(realtime_now().abs_diff(epoch) < 10_000_000_000);
    }

    #[test]
    fn the_process_has_used_memory_and_time() {
        let usage = process_usage().unwrap();
        assert!(usage.maxrss > 0 && usage.minflt > 0);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn threads_are_pinned_to_cores_that_exist() {
        std::thread::scope(|scope| {
            scope.spawn(|| {
                pin_current_thread(0).unwrap();
                let affinity = std::fs::read_to_string("/proc/thread-self/status").unwrap();
                let line = affinity.lines().find(|line| line.starts_with("Cpus_allowed_list:")).unwrap();
                assert_eq!(line.split_whitespace().nth(1), Some("0"));
                for core in [1023, 1024, usize::MAX] {
                    assert_eq!(pin_current_thread(core).unwrap_err().kind(), ErrorKind::InvalidInput);
                }
            });
        });
    }
}
