//! Log lines of what becomes of a transport's path and association, by tag. Must not know who listens.

use super::TransportShared;
use crate::log::{LogLevel, LogTag};
use tureen_media_model::AnnouncedDataChannel;
use tureen_rtp_dictionaries::SctpState;
use tureen_transport::PathEvent;

/// What a line about an event is tagged with.
fn tag_of(event: &PathEvent) -> LogTag {
    match event {
        PathEvent::IceState(_) | PathEvent::IceSelectedTuple(_) => LogTag::Ice,
        PathEvent::DtlsState(_) => LogTag::Dtls,
        PathEvent::SrtpKeys(_) => LogTag::Srtp,
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
        LogTag::Srtp => tracing::debug!(target: "tureen::srtp", %worker, transport = %id, ?event),
        LogTag::Rtp => tracing::debug!(target: "tureen::rtp", %worker, transport = %id, ?event),
        LogTag::Rtcp => tracing::debug!(target: "tureen::rtcp", %worker, transport = %id, ?event),
        _ => tracing::debug!(target: "tureen::info", %worker, transport = %id, ?event),
    }
}

/// Logs that an association came further. One that failed is worth a warning.
pub(super) fn log_sctp(transport: &TransportShared, state: SctpState) {
    let (log, worker, id) = (&transport.link.worker.log, transport.link.worker.id, transport.id);
    if state == SctpState::Failed && log.allows(LogLevel::Warn, LogTag::Sctp) {
        tracing::warn!(target: "tureen::sctp", %worker, transport = %id, ?state);
    } else if state != SctpState::Failed && log.allows(LogLevel::Debug, LogTag::Sctp) {
        tracing::debug!(target: "tureen::sctp", %worker, transport = %id, ?state);
    }
}

/// Characters of a remote's label that a line shows.
const LABEL_SHOWN: usize = 64;

/// Logs that the remote opened a data channel. Its label is the remote's: it is quoted, and cut off.
pub(super) fn log_channel(transport: &TransportShared, channel: &AnnouncedDataChannel) {
    let (log, worker, id) = (&transport.link.worker.log, transport.link.worker.id, transport.id);
    if log.allows(LogLevel::Debug, LogTag::Sctp) {
        let label: String = channel.label.chars().take(LABEL_SHOWN).collect();
        let stream = channel.sctp_stream_parameters.stream_id;
        tracing::debug!(target: "tureen::sctp", %worker, transport = %id, stream, ?label, "channel opened");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tureen_rtp_dictionaries::{CryptoSuite, DtlsState, IceState};

    #[test]
    fn lines_about_ice_dtls_and_srtp_have_their_tags() {
        assert_eq!(tag_of(&PathEvent::SrtpKeys(CryptoSuite::default())), LogTag::Srtp);
        assert_eq!(tag_of(&PathEvent::IceState(IceState::Connected)), LogTag::Ice);
        assert_eq!(tag_of(&PathEvent::IceSelectedTuple(None)), LogTag::Ice);
        assert_eq!(tag_of(&PathEvent::DtlsState(DtlsState::Connected)), LogTag::Dtls);
    }
}
