//! The answer to an offer: what becomes of each of its sections. Must not know rooms.

use super::problem::Problem;
use tureen::WebRtcTransport;
use tureen::dictionaries::{DtlsRole, RtpParameters};
use tureen_sdp_bridge::{Answer, LocalTransport, Offer};

/// What a section of an offer becomes.
pub(super) enum Section {
    /// A producer.
    Received(RtpParameters),
    /// A consumer.
    Sent(RtpParameters),
    /// Nothing, but it stays.
    Inactive,
    /// Nothing.
    Rejected,
}

/// The text of an answer, and the DTLS role of this side. There is a section for each of the offer's.
pub(super) fn answer(
    offer: &Offer,
    transport: &WebRtcTransport,
    sections: &[Section],
) -> Result<(DtlsRole, String), Problem> {
    let (ice, candidates) = (transport.ice_parameters(), transport.ice_candidates());
    let dtls = transport.dtls_parameters();
    let local = LocalTransport { ice: &ice, candidates: &candidates, dtls: &dtls };
    let mut answer = Answer::new(offer, local)?;
    for (media, section) in offer.media.iter().zip(sections) {
        let Some(mid) = &media.mid else { continue };
        match section {
            Section::Received(producer) => answer.receive(mid, producer)?,
            Section::Sent(consumer) => answer.send(mid, consumer)?,
            Section::Inactive => answer.inactive(mid)?,
            Section::Rejected => {}
        }
    }
    Ok((answer.dtls_role(), answer.to_sdp()?))
}
