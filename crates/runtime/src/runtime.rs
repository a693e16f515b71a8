//! Starting and stopping shards.

use crate::config::{RuntimeConfig, StartError};
use crate::entropy::random_u64;
use crate::error::ShutdownError;
use crate::event::{EventSink, ShardEvent};
use crate::handle::ShardHandle;
use crate::inbox::{Status, inbox};
use crate::net::Net;
use crate::relay::RelayLinks;
use crate::shard::{Shard, ShardParts};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use std::convert::Infallible;
use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use tureen_media_model::{CoreConfig, ShardId};
use tureen_udp::Waker;

/// Running shards. Dropping it shuts them down, as [`Runtime::shutdown`] does.
#[derive(Debug)]
pub struct Runtime {
    shards: Vec<ShardHandle>,
    threads: Vec<ShardThread>,
    events: Receiver<ShardEvent>,
    /// Disconnected when every thread has ended.
    alive: Receiver<Infallible>,
    shutdown_timeout: Duration,
}

#[derive(Debug)]
struct ShardThread {
    id: ShardId,
    status: Arc<Status>,
    waker: Waker,
    thread: JoinHandle<()>,
}

/// What a shard's thread brings along.
struct Launch {
    id: ShardId,
    pin: bool,
    parts: ShardParts,
    status: Arc<Status>,
    waker: Waker,
    /// Nothing is ever sent on it: it tells by its end that the thread is gone.
    alive: Sender<Infallible>,
}

impl Runtime {
    /// Starts the shards.
    ///
    /// # Errors
    /// [`StartError`] names the field, or what the system refused.
    pub fn start(config: RuntimeConfig) -> Result<Self, StartError> {
        config.check()?;
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        let count = config.shard_count(cores);
        let pin = config.pin.unwrap_or(usize::from(count) <= cores);
        let (sinks, events) = EventSink::queue(count, config.queues.events);
        let (keep_alive, alive) = bounded(0);
        let launches = prepare(&config, sinks, pin, keep_alive)?;
        let shutdown_timeout = config.shutdown_timeout;
        let mut runtime = Self { shards: Vec::new(), threads: Vec::new(), events, alive, shutdown_timeout };
        for (launch, handle) in launches {
            runtime.threads.push(launch.spawn()?);
            runtime.shards.push(handle);
        }
        tracing::info!(shards = count, pin, "runtime started");
        Ok(runtime)
    }

    /// The shards, in the order of their numbers.
    pub fn shards(&self) -> &[ShardHandle] {
        &self.shards
    }

    /// What the shards tell. Each event reaches one of the receivers; take them out steadily, or packets of direct
    /// transports and traces are lost.
    pub fn events(&self) -> Receiver<ShardEvent> {
        self.events.clone()
    }

    /// Lets every shard finish what it was asked, and ends its thread.
    ///
    /// # Errors
    /// [`ShutdownError`] names the shards that did not end within the time that the config gives.
    pub fn shutdown(mut self) -> Result<(), ShutdownError> {
        self.stop()
    }

    fn stop(&mut self) -> Result<(), ShutdownError> {
        if self.threads.is_empty() {
            return Ok(());
        }
        for shard in &self.threads {
            shard.status.stop();
            shard.waker.wake();
        }
        let deadline = Instant::now() + self.shutdown_timeout;
        let all_ended = matches!(self.alive.recv_deadline(deadline), Err(RecvTimeoutError::Disconnected));
        let mut late = Vec::new();
        for shard in self.threads.drain(..) {
            if all_ended || shard.thread.is_finished() {
                // A panic was caught within the thread, so joining cannot fail with one.
                let _ = shard.thread.join();
            } else {
                late.push(shard.id);
            }
        }
        if late.is_empty() { Ok(()) } else { Err(ShutdownError(late)) }
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        if let Err(error) = self.stop() {
            tracing::warn!(%error, "runtime dropped");
        }
    }
}

/// Makes all that the shards share before any of them runs.
fn prepare(
    config: &RuntimeConfig,
    sinks: Vec<EventSink>,
    pin: bool,
    alive: Sender<Infallible>,
) -> Result<Vec<(Launch, ShardHandle)>, StartError> {
    let seed = config.seed.map_or_else(random_u64, Ok)?;
    let (mut nets, mut wakers) = (Vec::new(), Vec::new());
    for sink in &sinks {
        let refused =
            |source| StartError::Shard { shard: sink.shard(), what: "cannot make a poller", source };
        let (net, waker) = Net::open(!config.egress_hold.is_zero()).map_err(refused)?;
        nets.push(net);
        wakers.push(waker);
    }
    let links = RelayLinks::mesh(&wakers, config.queues.relay_batches);
    let shards = sinks.into_iter().zip(nets).zip(wakers).zip(links);
    let launch = |(((events, net), waker), relay): (((EventSink, Net), Waker), RelayLinks)| {
        let id = events.shard();
        let (outside, inbox) = inbox(config.queues.calls, config.queues.program_packets, waker.clone());
        let status = Arc::clone(&outside.status);
        let core =
            CoreConfig { shard: id, seed: shard_seed(seed, id), wall_clock: config.clock.wall_clock() };
        let (clock, egress_hold) = (config.clock, config.egress_hold);
        let parts = ShardParts { core, clock, net, inbox, relay, events, egress_hold };
        let launch = Launch { id, pin, parts, status, waker, alive: alive.clone() };
        (launch, ShardHandle::new(id, outside, config.portable_io))
    };
    Ok(shards.map(launch).collect())
}

/// A seed for each shard, far apart (the increment of SplitMix64).
fn shard_seed(seed: u64, shard: ShardId) -> u64 {
    seed.wrapping_add(u64::from(shard.0).wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

impl Launch {
    fn spawn(self) -> Result<ShardThread, StartError> {
        let (id, status, waker) = (self.id, Arc::clone(&self.status), self.waker.clone());
        let thread = thread::Builder::new()
            .name(format!("tureen-shard-{}", id.0))
            .spawn(move || self.run())
            .map_err(|source| StartError::Shard { shard: id, what: "cannot start its thread", source })?;
        Ok(ShardThread { id, status, waker, thread })
    }

    fn run(self) {
        let Self { id, pin, parts, status, alive, .. } = self;
        if pin && let Err(error) = tureen_udp::pin_current_thread(usize::from(id.0)) {
            tracing::warn!(shard = id.0, %error, "cannot pin a shard to its core");
        }
        let mut shard = Shard::new(parts, Arc::clone(&status));
        match catch_unwind(AssertUnwindSafe(|| shard.run())) {
            Ok(()) => tracing::debug!(shard = id.0, "shard stopped"),
            Err(panic) => {
                let reason = message_of(panic.as_ref());
                tracing::error!(shard = id.0, reason, "shard died");
                status.die();
                // Its queues go with it, and with them the calls that wait in them.
                shard.into_events().last_word(reason, || !status.stopping());
            }
        }
        drop(alive);
    }
}

fn message_of(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a message".to_owned())
}
