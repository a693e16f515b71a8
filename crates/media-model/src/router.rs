//! A router as one Core sees it. On several shards, each has its share of the same router.

use crate::arena::Key;
use crate::data::DataSource;
use crate::id::RouterId;
use crate::observers::RtpObserver;
use crate::source::Source;
use crate::transport_state::TransportTag;
use tureen_rtp_dictionaries::RtpCapabilities;

/// A router.
#[derive(Debug)]
pub struct Router {
    /// Its id.
    pub id: RouterId,
    /// What it can route.
    pub capabilities: RtpCapabilities,
    /// Its transports on this shard, oldest first.
    pub transports: Vec<Key<TransportTag>>,
    /// Its sources on this shard, oldest first.
    pub sources: Vec<Key<Source>>,
    /// Its sources of messages on this shard, oldest first.
    pub(crate) data_sources: Vec<Key<DataSource>>,
    /// Its observers on this shard, oldest first.
    pub(crate) observers: Vec<Key<RtpObserver>>,
}
