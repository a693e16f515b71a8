//! The one pair of pipe transports between two Routers: made by the first who needs it, gone with the last. Must not know what goes over it.

use super::{PipeConnectOptions, PipeToRouterOptions, PipeTransportOptions};
use crate::error::{ConnectError, PipeError, RequestError};
use crate::listeners::lock;
use crate::router::Router;
use crate::transport::{PipeTransport, Transport as _, WeakPipeTransport};
use futures_util::lock::Mutex as AsyncMutex;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, Mutex};
use tureen_media_model::RouterId;

/// The pairs of a Router with those whose id is above its own: what concerns two is at one of them.
#[derive(Default)]
pub(crate) struct Pairs {
    slots: Mutex<BTreeMap<RouterId, Arc<Slot>>>,
}

/// Held locked while a pair is made, so that there is one however many ask for it.
type Slot = AsyncMutex<Option<Joined>>;

/// The ends of a pipe, in the order of their Routers' ids. What goes over it keeps them open.
struct Joined([WeakPipeTransport; 2]);

impl Joined {
    fn open(&self) -> Option<[PipeTransport; 2]> {
        let [low, high] = &self.0;
        let ends = [low.upgrade()?, high.upgrade()?];
        ends.iter().all(|end| !end.closed()).then_some(ends)
    }
}

impl Pairs {
    /// The place of the pair with another Router, without those of Routers that are gone.
    fn slot(&self, other: RouterId) -> Arc<Slot> {
        let mut slots = lock(&self.slots);
        slots.retain(|id, slot| *id == other || !is_idle(slot));
        Arc::clone(slots.entry(other).or_default())
    }
}

fn is_idle(slot: &Arc<Slot>) -> bool {
    let unused = Arc::strong_count(slot) == 1;
    unused && slot.try_lock().is_some_and(|joined| joined.as_ref().and_then(Joined::open).is_none())
}

/// The pipe transports of two Routers, that of `near` first; they are made unless they are there. On `shard` of the near Worker, if so.
pub(super) async fn join(
    near: &Router,
    options: &PipeToRouterOptions,
    shard: u8,
) -> Result<[PipeTransport; 2], PipeError> {
    let far = &options.router;
    let reversed = far.id() < near.id();
    let (low, high) = if reversed { (far, near) } else { (near, far) };
    let in_order = |[low, high]: [PipeTransport; 2]| if reversed { [high, low] } else { [low, high] };
    let slot = low.shared().pipes.slot(high.id());
    let mut joined = slot.lock().await;
    if let Some(ends) = joined.as_ref().and_then(Joined::open) {
        return Ok(in_order(ends));
    }
    // It is its own inverse.
    let ends = in_order(make(near, options, shard).await?);
    *joined = Some(Joined(ends.each_ref().map(PipeTransport::downgrade)));
    Ok(in_order(ends))
}

async fn make(
    near: &Router,
    options: &PipeToRouterOptions,
    shard: u8,
) -> Result<[PipeTransport; 2], PipeError> {
    let mut making = PipeTransportOptions::new(options.listen_info.clone());
    making.enable_rtx = options.enable_rtx;
    making.enable_srtp = options.enable_srtp;
    making.sctp = options.sctp;
    let far_end = options.router.create_pipe_transport(making.clone()).await?;
    making.shard = Some(shard);
    let near_end = near.create_pipe_transport(making).await?;
    near_end.connect(towards(&far_end)?).await?;
    far_end.connect(towards(&near_end)?).await?;
    close_together(&near_end, &far_end);
    close_together(&far_end, &near_end);
    if near_end.closed() || far_end.closed() {
        near_end.close();
        far_end.close();
        return Err(ConnectError::from(RequestError::Closed).into());
    }
    Ok([near_end, far_end])
}

/// What the other end needs to know of one in the same process.
fn towards(end: &PipeTransport) -> Result<PipeConnectOptions, ConnectError> {
    let local = end.local().ok_or(RequestError::Closed)?;
    let ip = match local.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    Ok(PipeConnectOptions { ip, port: local.port(), srtp_parameters: end.srtp_parameters() })
}

fn close_together(first: &PipeTransport, second: &PipeTransport) {
    let second = second.downgrade();
    first
        .observer()
        .on_close(move || {
            if let Some(second) = second.upgrade() {
                second.close();
            }
        })
        .detach();
}
