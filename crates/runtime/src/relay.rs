//! The ways between shards: a bounded channel for each pair and direction, with emptied batches coming back.
//!
//! Where a way is full, packets are dropped and counted, but news and messages are kept and go ahead of what comes later; the Cores
//! limit how much of them there can be. Must not know what is in a batch.

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use tureen_media_model::{RelayBatch, ShardId};
use tureen_udp::Waker;

/// Emptied batches kept for reuse, for each way.
const RECYCLED: usize = 8;

/// All ways from and to one shard.
#[derive(Debug)]
pub(crate) struct RelayLinks {
    outgoing: Vec<Option<Outgoing>>,
    incoming: Vec<Incoming>,
    recycled: Vec<RelayBatch>,
    packets_dropped: u64,
}

#[derive(Debug)]
struct Outgoing {
    batches: Sender<RelayBatch>,
    emptied: Receiver<RelayBatch>,
    waker: Waker,
    /// News and messages that found the way full.
    overdue: RelayBatch,
}

#[derive(Debug)]
struct Incoming {
    batches: Receiver<RelayBatch>,
    emptied: Sender<RelayBatch>,
}

impl RelayLinks {
    /// The ways between all shards whose wakers are given, in their order.
    pub(crate) fn mesh(wakers: &[Waker], size: usize) -> Vec<Self> {
        let mut links: Vec<Self> = wakers.iter().map(|_| Self::none(wakers.len())).collect();
        for from in 0..wakers.len() {
            for (to, waker) in wakers.iter().enumerate().filter(|(to, _)| *to != from) {
                let (outgoing, incoming) = way(waker.clone(), size);
                links[from].outgoing[to] = Some(outgoing);
                links[to].incoming.push(incoming);
            }
        }
        links
    }

    fn none(shards: usize) -> Self {
        Self {
            outgoing: (0..shards).map(|_| None).collect(),
            incoming: Vec::new(),
            recycled: Vec::new(),
            packets_dropped: 0,
        }
    }

    /// Sends what `next` gives until that is nothing; `next` takes emptied batches from what it is lent. Returns how many.
    pub(crate) fn send_all(
        &mut self,
        mut next: impl FnMut(&mut Vec<RelayBatch>) -> Option<(ShardId, RelayBatch)>,
    ) -> usize {
        self.collect_emptied();
        self.send_overdue();
        let mut sent = 0;
        while let Some((to, batch)) = next(&mut self.recycled) {
            self.send(to, batch);
            sent += 1;
        }
        sent
    }

    fn collect_emptied(&mut self) {
        for outgoing in self.outgoing.iter().flatten() {
            let room = (RECYCLED * self.outgoing.len()).saturating_sub(self.recycled.len());
            self.recycled.extend(outgoing.emptied.try_iter().take(room));
        }
    }

    fn send(&mut self, to: ShardId, batch: RelayBatch) {
        let way = self.outgoing.get_mut(usize::from(to.0)).and_then(Option::as_mut);
        match way.map(|way| way.send(batch)) {
            Some(Some(mut kept_back)) => {
                self.packets_dropped += kept_back.packets() as u64;
                kept_back.clear();
                self.recycled.push(kept_back);
            }
            Some(None) => {}
            None => tracing::error!(shard = to.0, "relay batch for a shard that does not exist"),
        }
    }

    /// Whether news waits for room, so that the shard has to try again soon.
    pub(crate) fn has_overdue(&self) -> bool {
        self.outgoing.iter().flatten().any(|way| way.overdue.has_news())
    }

    fn send_overdue(&mut self) {
        for way in self.outgoing.iter_mut().flatten() {
            way.send_overdue();
        }
    }

    /// Hands up to `budget` batches of each shard to `take`. Returns how many.
    pub(crate) fn receive(&mut self, budget: usize, mut take: impl FnMut(&RelayBatch)) -> usize {
        let mut received = 0;
        for way in &self.incoming {
            for mut batch in way.batches.try_iter().take(budget) {
                take(&batch);
                received += 1;
                batch.clear();
                // Where the sender has enough of them, this one is freed.
                let _ = way.emptied.try_send(batch);
            }
        }
        received
    }

    /// Whether batches wait that [`RelayLinks::receive`] left for later.
    pub(crate) fn has_waiting(&self) -> bool {
        self.incoming.iter().any(|way| !way.batches.is_empty())
    }

    pub(crate) fn packets_dropped(&self) -> u64 {
        self.packets_dropped
    }
}

fn way(waker: Waker, size: usize) -> (Outgoing, Incoming) {
    let (batches, incoming) = bounded(size);
    let (emptied, returned) = bounded(size.min(RECYCLED));
    let outgoing = Outgoing { batches, emptied: returned, waker, overdue: RelayBatch::default() };
    (outgoing, Incoming { batches: incoming, emptied })
}

impl Outgoing {
    /// Sends a batch. What comes back found no room: its news is in `overdue` now, its packets are for the caller to count.
    fn send(&mut self, batch: RelayBatch) -> Option<RelayBatch> {
        if !self.send_overdue() {
            return Some(self.keep_news(batch));
        }
        match self.batches.try_send(batch) {
            Ok(()) => {
                self.waker.wake();
                None
            }
            Err(TrySendError::Full(batch)) => Some(self.keep_news(batch)),
            // The other shard is gone, and all that the news was about.
            Err(TrySendError::Disconnected(mut batch)) => {
                batch.clear();
                Some(batch)
            }
        }
    }

    fn keep_news(&mut self, batch: RelayBatch) -> RelayBatch {
        self.overdue.append_news(&batch);
        batch
    }

    /// Whether the way is free of overdue news.
    fn send_overdue(&mut self) -> bool {
        if !self.overdue.has_news() {
            return true;
        }
        match self.batches.try_send(std::mem::take(&mut self.overdue)) {
            Ok(()) => self.waker.wake(),
            Err(TrySendError::Full(news)) => self.overdue = news,
            Err(TrySendError::Disconnected(_)) => {}
        }
        !self.overdue.has_news()
    }
}
