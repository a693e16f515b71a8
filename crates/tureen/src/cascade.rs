//! Who closes with whom, and in which order listeners are told: the one place that `docs/CLOSING.md` describes.
//!
//! Flags are set before: an object is closed as soon as anything that it hangs on is. What happens here is the telling.

use crate::consumer::ConsumerShared;
use crate::data::{DataConsumerShared, DataProducerShared};
use crate::index::Living as _;
use crate::liveness::Liveness;
use crate::log::{LogLevel, LogTag};
use crate::producer::ProducerShared;
use crate::router::RouterShared;
use crate::rtp_observer::RtpObserverShared;
use crate::transport::TransportShared;
use crate::webrtc_server::WebRtcServerShared;
use crate::worker::WorkerShared;
use std::sync::Arc;
use tureen_media_model::CloseCause;

/// Any object.
pub(crate) enum Node {
    Worker(Arc<WorkerShared>),
    WebRtcServer(Arc<WebRtcServerShared>),
    Router(Arc<RouterShared>),
    Transport(Arc<TransportShared>),
    Producer(Arc<ProducerShared>),
    Consumer(Arc<ConsumerShared>),
    RtpObserver(Arc<RtpObserverShared>),
    DataProducer(Arc<DataProducerShared>),
    DataConsumer(Arc<DataConsumerShared>),
}

/// Tells listeners that `root` closed, and with it all that hangs on it: what hangs on an object before the object, the
/// older sibling first, producers before consumers, media before data, transports before RTP observers; the consumers of a producer that closed, where they live on a
/// transport that did not, right after it. Each object is told of once, however many ways lead to it.
pub(crate) fn announce(root: Node) {
    let mut closed = Vec::new();
    collect(root, CloseCause::Requested, &mut closed);
    for (node, cause) in closed {
        node.log(cause);
        node.announce_closing(cause);
        for consumer in node.consumers() {
            if consumer.liveness().announce() {
                let cause = cause_for(consumer.liveness(), CloseCause::ProducerClosed);
                consumer.log(cause);
                consumer.announce_closing(cause);
            }
        }
    }
}

/// Claims the telling of all below `node` and of itself, in order.
fn collect(node: Node, cause: CloseCause, closed: &mut Vec<(Node, CloseCause)>) {
    match &node {
        Node::Worker(worker) => {
            for router in worker.routers.all() {
                collect(Node::Router(router), CloseCause::WorkerClosed, closed);
            }
            for server in worker.webrtc_servers.all() {
                collect(Node::WebRtcServer(server), CloseCause::WorkerClosed, closed);
            }
        }
        Node::WebRtcServer(server) => {
            for transport in server.transports.all() {
                collect(Node::Transport(transport), CloseCause::ListenServerClosed, closed);
            }
        }
        Node::Router(router) => {
            for transport in router.transports.all() {
                collect(Node::Transport(transport), CloseCause::RouterClosed, closed);
            }
            for observer in router.rtp_observers.all() {
                collect(Node::RtpObserver(observer), CloseCause::RouterClosed, closed);
            }
        }
        Node::Transport(transport) => {
            for producer in transport.producers.all() {
                collect(Node::Producer(producer), CloseCause::TransportClosed, closed);
            }
            for consumer in transport.consumers.all() {
                collect(Node::Consumer(consumer), CloseCause::TransportClosed, closed);
            }
            for producer in transport.data.producers.all() {
                collect(Node::DataProducer(producer), CloseCause::TransportClosed, closed);
            }
            for consumer in transport.data.consumers.all() {
                collect(Node::DataConsumer(consumer), CloseCause::TransportClosed, closed);
            }
        }
        Node::Producer(_)
        | Node::Consumer(_)
        | Node::DataProducer(_)
        | Node::DataConsumer(_)
        | Node::RtpObserver(_) => {}
    }
    if node.liveness().announce() {
        let cause = cause_for(node.liveness(), cause);
        closed.push((node, cause));
    }
}

/// An object that its own `close` reached first is told of as closed by that.
fn cause_for(liveness: &Liveness, cause: CloseCause) -> CloseCause {
    if liveness.closed_itself() { CloseCause::Requested } else { cause }
}

impl Node {
    /// Of a producer of either kind.
    fn consumers(&self) -> Vec<Self> {
        match self {
            Self::Producer(producer) => producer.consumers.all().into_iter().map(Self::Consumer).collect(),
            Self::DataProducer(producer) => {
                producer.consumers.all().into_iter().map(Self::DataConsumer).collect()
            }
            _ => Vec::new(),
        }
    }

    fn liveness(&self) -> &Arc<Liveness> {
        match self {
            Self::Worker(worker) => &worker.liveness,
            Self::WebRtcServer(server) => &server.liveness,
            Self::Router(router) => &router.liveness,
            Self::Transport(transport) => transport.liveness(),
            Self::Producer(producer) => producer.liveness(),
            Self::Consumer(consumer) => consumer.liveness(),
            Self::RtpObserver(observer) => observer.liveness(),
            Self::DataProducer(producer) => producer.liveness(),
            Self::DataConsumer(consumer) => consumer.liveness(),
        }
    }

    fn announce_closing(&self, cause: CloseCause) {
        match self {
            Self::Worker(worker) => worker.announce_closing(),
            Self::WebRtcServer(server) => server.announce_closing(cause),
            Self::Router(router) => router.announce_closing(cause),
            Self::Transport(transport) => transport.announce_closing(cause),
            Self::Producer(producer) => producer.announce_closing(cause),
            Self::Consumer(consumer) => consumer.announce_closing(cause),
            Self::RtpObserver(observer) => observer.announce_closing(cause),
            Self::DataProducer(producer) => producer.announce_closing(cause),
            Self::DataConsumer(consumer) => consumer.announce_closing(cause),
        }
    }

    fn log(&self, cause: CloseCause) {
        let (worker, class, id) = match self {
            Self::Worker(worker) => (worker, "worker", worker.id.0),
            Self::WebRtcServer(server) => (&server.worker, "webrtcserver", server.id.as_u128()),
            Self::Router(router) => (&router.worker, "router", router.id.0),
            Self::Transport(transport) => (&transport.link.worker, "transport", transport.id.0),
            Self::Producer(producer) => (&producer.transport.link.worker, "producer", producer.id.0),
            Self::Consumer(consumer) => (&consumer.transport.link.worker, "consumer", consumer.id.0),
            Self::RtpObserver(observer) => (&observer.link.worker, "rtpobserver", observer.id.0),
            Self::DataProducer(producer) => (&producer.transport.link.worker, "dataproducer", producer.id.0),
            Self::DataConsumer(consumer) => (&consumer.transport.link.worker, "dataconsumer", consumer.id.0),
        };
        if worker.log.allows(LogLevel::Debug, LogTag::Info) {
            let id = uuid::Uuid::from_u128(id);
            tracing::debug!(target: "tureen::info", worker = %worker.id, class, %id, ?cause, "closed");
        }
    }
}
