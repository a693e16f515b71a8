//! Who runs on which core: the measured on the first, those who load it on the last.

use crate::error::{Error, while_doing};

/// The core of whoever is measured.
const MEASURED_CORE: usize = 0;

/// How many cores the machine has, and the generator's, which is the last.
pub fn generator_core() -> (usize, usize) {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    (cores, cores.saturating_sub(1))
}

/// Runs `start` on a thread that is kept on the core of those who are measured, whose children stay there too; or as it is,
/// for a child that wants several cores.
pub fn on_measured_core<T: Send>(
    alone: bool,
    start: impl FnOnce() -> Result<T, Error> + Send,
) -> Result<T, Error> {
    if alone { on_core(MEASURED_CORE, start) } else { start() }
}

/// Runs `work` on a thread that is kept on a core.
pub fn on_core<T: Send>(core: usize, work: impl FnOnce() -> Result<T, Error> + Send) -> Result<T, Error> {
    let pinned = || {
        tureen_udp::pin_current_thread(core)
            .map_err(while_doing(format!("cannot keep a thread on core {core}")))?;
        work()
    };
    let ended = std::thread::scope(|scope| scope.spawn(pinned).join());
    ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
