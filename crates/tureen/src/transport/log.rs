//! Log lines of what becomes of a transport's path, by tag. Must not know who listens.

use super::TransportShared;
use crate::log::{LogLevel, LogTag};
use tureen_transport::PathEvent;

/// What a line about an event is tagged with.
fn tag_of(event: &PathEvent) -> LogTag {
    match event {
        PathEvent::IceState(_) | PathEvent::IceSelectedTuple(_) => LogTag::Ice,
        PathEvent::DtlsState(_) => LogTag::Dtls,
        PathEvent::Tuple(_) => LogTag::Rtp,
        PathEvent::RtcpTuple(_) => LogTag::Rtcp,
        _ => LogTag::Info,
    }
}

/// Logs an event where the Worker's settings ask for it. The target of a line is a constant, hence the arms.
pub(super) fn log(transport: &TransportShared, event: &PathEvent) {
    let (tag, worker) = (tag_of(event), &transport.link.worker);
    if !worker.log.allows(LogLevel::Debug, tag) {
        return;
    }
    let (worker, id) = (worker.id, transport.id);
    match tag {
        LogTag::Ice => tracing::debug!(target: "tureen::ice", %worker, transport = %id, ?event),
        LogTag::Dtls => tracing::debug!(target: "tureen::dtls", %worker, transport = %id, ?event),
        LogTag::Rtp => tracing::debug!(target: "tureen::rtp", %worker, transport = %id, ?event),
        LogTag::Rtcp => tracing::debug!(target: "tureen::rtcp", %worker, transport = %id, ?event),
        _ => tracing::debug!(target: "tureen::info", %worker, transport = %id, ?event),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tureen_rtp_dictionaries::{DtlsState, IceState};

    #[test]
    fn lines_about_ice_and_dtls_have_their_tags() {
        assert_eq!(tag_of(&PathEvent::IceState(IceState::Connected)), LogTag::Ice);
        assert_eq!(tag_of(&PathEvent::IceSelectedTuple(None)), LogTag::Ice);
        assert_eq!(tag_of(&PathEvent::DtlsState(DtlsState::Connected)), LogTag::Dtls);
    }
}
