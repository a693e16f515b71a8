//! What the operating system accounts to this process.

use crate::error::ResourceUsageError;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;
use serde::{Deserialize, Serialize};

/// Resources used by the process that the Worker runs in, since it started (getrusage(2), RUSAGE_SELF). The fields that
/// an operating system does not keep are 0; Linux keeps the two times, `ru_maxrss`, the page faults, the block
/// operations and the context switches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceUsage {
    /// User time, in milliseconds.
    pub ru_utime: u64,
    /// System time, in milliseconds.
    pub ru_stime: u64,
    /// Largest resident set, in kilobytes.
    pub ru_maxrss: u64,
    /// Shared memory.
    pub ru_ixrss: u64,
    /// Unshared data.
    pub ru_idrss: u64,
    /// Unshared stack.
    pub ru_isrss: u64,
    /// Page faults without I/O.
    pub ru_minflt: u64,
    /// Page faults with I/O.
    pub ru_majflt: u64,
    /// Swaps.
    pub ru_nswap: u64,
    /// Block reads.
    pub ru_inblock: u64,
    /// Block writes.
    pub ru_oublock: u64,
    /// Messages sent.
    pub ru_msgsnd: u64,
    /// Messages received.
    pub ru_msgrcv: u64,
    /// Signals received.
    pub ru_nsignals: u64,
    /// Context switches that threads asked for.
    pub ru_nvcsw: u64,
    /// Context switches that were forced on threads.
    pub ru_nivcsw: u64,
}

pub(crate) fn read() -> Result<ResourceUsage, ResourceUsageError> {
    let usage = getrusage(UsageWho::RUSAGE_SELF).map_err(|errno| ResourceUsageError::System(errno.into()))?;
    Ok(ResourceUsage {
        ru_utime: milliseconds(usage.user_time()),
        ru_stime: milliseconds(usage.system_time()),
        ru_maxrss: count(usage.max_rss()),
        ru_ixrss: count(usage.shared_integral()),
        ru_idrss: count(usage.unshared_data_integral()),
        ru_isrss: count(usage.unshared_stack_integral()),
        ru_minflt: count(usage.minor_page_faults()),
        ru_majflt: count(usage.major_page_faults()),
        ru_nswap: count(usage.full_swaps()),
        ru_inblock: count(usage.block_reads()),
        ru_oublock: count(usage.block_writes()),
        ru_msgsnd: count(usage.ipc_sends()),
        ru_msgrcv: count(usage.ipc_receives()),
        ru_nsignals: count(usage.signals()),
        ru_nvcsw: count(usage.voluntary_context_switches()),
        ru_nivcsw: count(usage.involuntary_context_switches()),
    })
}

fn milliseconds(time: TimeVal) -> u64 {
    count(time.tv_sec()).saturating_mul(1000).saturating_add(count(time.tv_usec()) / 1000)
}

/// The system counts in signed words; a count is never negative.
fn count(value: impl TryInto<u64>) -> u64 {
    value.try_into().unwrap_or(0)
}
