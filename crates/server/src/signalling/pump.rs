//! From a peer's inbox to its client: each event as the message that tells of it. Must not know requests of clients.

use super::message;
use super::outbox::{Offered, Outbox};
use super::seat::Seat;
use crate::rooms::PeerJson;
use serde_json::{Value, json};
use std::sync::Arc;
use tureen::dictionaries::{MediaKind, MediaLayers};
use tureen::model::BweTrace;
use tureen::{DataProducerId, ProducerId};
use tureen_room::{DataOffer, Offer, Peer, PeerEvent};

/// Tells the client what its peer has to know, until the peer is closed. Of its messages over data channels so many go further in a second.
pub(super) async fn run(seat: Arc<Seat>, outbox: Outbox, max_messages: u32) {
    let mut inbox = seat.inbox.lock().await;
    // What the connection before this one told of may not have arrived.
    for offered in seat.take_unanswered().into_iter().filter(|offered| !offered.closed()) {
        offer(&outbox, offered).await;
    }
    let Some(inbox) = inbox.as_mut() else { return };
    // A publisher that missed that its layers are wanted again would not send them.
    for producer in inbox.peer().iter().flat_map(Peer::producers) {
        if producer.kind() == MediaKind::Video {
            let (method, data) = wanted_layers(producer.id(), producer.wanted_layers());
            outbox.send_in_turn(message::notification(method, &data)).await;
        }
    }
    while let Some(event) = inbox.next().await {
        match event {
            PeerEvent::ConsumerAdded(added) => offer(&outbox, Offered::Media(added)).await,
            PeerEvent::DataConsumerAdded(added) => offer(&outbox, Offered::Data(added)).await,
            PeerEvent::DataProducerLimited(id, messages) => {
                let data = describe_limit(id, messages, max_messages);
                outbox.send_in_turn(message::notification("dataProducerLimited", &data)).await;
            }
            event => {
                if let Some((method, data)) = tell(event) {
                    outbox.send_in_turn(message::notification(method, &data)).await;
                }
            }
        }
    }
}

async fn offer(outbox: &Outbox, offered: Offered) {
    let data = match &offered {
        Offered::Media(offer) => describe(offer),
        Offered::Data(offer) => describe_data(offer),
    };
    outbox.offer(offered, &data).await;
}

fn describe_data(offer: &DataOffer) -> Value {
    let consumer = &offer.data_consumer;
    json!({
        "peerId": offer.peer_id,
        "dataProducerId": consumer.data_producer_id(),
        "id": consumer.id(),
        "sctpStreamParameters": consumer.sctp_stream_parameters(),
        "label": consumer.label(),
        "protocol": consumer.protocol(),
        "appData": offer.data_producer.app_data().get::<Value>().map_or_else(|| json!({}), |data| (*data).clone()),
    })
}

fn describe_limit(id: DataProducerId, messages: u64, max_messages: u32) -> Value {
    let reason = format!("too many messages: {max_messages} a second of a peer go further");
    json!({ "dataProducerId": id, "messagesLimited": messages, "errorCode": 429, "errorReason": reason })
}

fn describe(offer: &Offer) -> Value {
    let consumer = &offer.consumer;
    json!({
        "peerId": offer.peer_id,
        "producerId": consumer.producer_id(),
        "id": consumer.id(),
        "kind": consumer.kind(),
        "rtpParameters": consumer.rtp_parameters(),
        "type": consumer.consumer_type(),
        "appData": offer.producer.app_data().get::<Value>().map_or_else(|| json!({ "peerId": offer.peer_id }), |data| (*data).clone()),
        "producerPaused": consumer.producer_paused(),
    })
}

/// Spatial and temporal layer, `null` for none.
fn spell(layers: Option<MediaLayers>) -> (Value, Value) {
    layers.map_or((Value::Null, Value::Null), |layers| {
        (json!(layers.spatial_layer), json!(layers.temporal_layer))
    })
}

fn wanted_layers(id: ProducerId, layers: Option<MediaLayers>) -> (&'static str, Value) {
    let (spatial, temporal) = spell(layers);
    let data = json!({ "producerId": id, "spatialLayer": spatial, "temporalLayer": temporal });
    ("producerWantedLayersChanged", data)
}

/// Bits a second.
fn downlink(estimate: BweTrace) -> Value {
    json!({
        "desiredBitrate": estimate.desired_bitrate,
        "effectiveDesiredBitrate": estimate.effective_desired_bitrate,
        "availableBitrate": estimate.available_bitrate,
    })
}

/// The notification that tells of an event.
fn tell(event: PeerEvent) -> Option<(&'static str, Value)> {
    Some(match event {
        PeerEvent::PeerJoined(info) => ("newPeer", json!(PeerJson::without_producers(info))),
        PeerEvent::PeerLeft { peer_id } => ("peerClosed", json!({ "peerId": peer_id })),
        PeerEvent::PeerRenamed { peer_id, display_name, old_display_name } => {
            let data =
                json!({ "peerId": peer_id, "displayName": display_name, "oldDisplayName": old_display_name });
            ("peerDisplayNameChanged", data)
        }
        PeerEvent::ConsumerClosed(id) => ("consumerClosed", json!({ "consumerId": id })),
        PeerEvent::DataConsumerClosed(id) => ("dataConsumerClosed", json!({ "dataConsumerId": id })),
        PeerEvent::ConsumerPaused(id, true) => ("consumerPaused", json!({ "consumerId": id })),
        PeerEvent::ConsumerPaused(id, false) => ("consumerResumed", json!({ "consumerId": id })),
        PeerEvent::ConsumerScore(id, score) => ("consumerScore", json!({ "consumerId": id, "score": score })),
        PeerEvent::ConsumerLayers(id, layers) => {
            let (spatial, temporal) = spell(layers);
            let data = json!({ "consumerId": id, "spatialLayer": spatial, "temporalLayer": temporal });
            ("consumerLayersChanged", data)
        }
        PeerEvent::ActiveSpeaker { peer_id, volume } => {
            ("activeSpeaker", json!({ "peerId": peer_id, "volume": volume }))
        }
        PeerEvent::ProducerScore(id, score) => ("producerScore", json!({ "producerId": id, "score": score })),
        PeerEvent::ProducerWantedLayers(id, layers) => wanted_layers(id, layers),
        PeerEvent::Downlink(_, estimate) => ("downlinkBwe", downlink(estimate)),
        // Told by others means, or of no interest to clients.
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tureen::model::BweType;

    #[test]
    fn what_there_is_room_for_has_the_names_that_clients_know() {
        let estimate = BweTrace {
            bwe_type: BweType::TransportCc,
            desired_bitrate: 2_182_000,
            effective_desired_bitrate: 532_000,
            min_bitrate: 30_000,
            max_bitrate: 0,
            start_bitrate: 600_000,
            max_padding_bitrate: 1_650_000,
            available_bitrate: 700_000,
        };
        let expected = json!({
            "desiredBitrate": 2_182_000, "effectiveDesiredBitrate": 532_000, "availableBitrate": 700_000,
        });
        assert_eq!(downlink(estimate), expected);
    }
}
