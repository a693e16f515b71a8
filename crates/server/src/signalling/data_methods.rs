//! The methods about messages, one function each. Must not know sockets.

use super::methods::{Answered, done};
use super::session::Session;
use crate::refusal::Refusal;
use crate::rooms::NewDataProducer;
use serde::Deserialize;
use serde_json::{Value, json};
use tureen::dictionaries::SctpStreamParameters;
use tureen::{DataConsumerId, DataProducer, DataProducerId, TransportId};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ProduceData {
    transport_id: String,
    sctp_stream_parameters: SctpStreamParameters,
    #[serde(default)]
    label: String,
    #[serde(default)]
    protocol: String,
    #[serde(default)]
    app_data: serde_json::Map<String, Value>,
}

pub(super) async fn produce_data(session: &Session, produce: ProduceData) -> Answered {
    let peer = session.peer();
    if !peer.joined() {
        return Err(Refusal::Argument("method: produceData comes after join".into()));
    }
    let ProduceData { transport_id, sctp_stream_parameters, label, protocol, app_data } = produce;
    let transport: TransportId =
        transport_id.parse().map_err(|_| Refusal::unknown("transport", &transport_id))?;
    let new = NewDataProducer { sctp_stream_parameters, label, protocol, app_data };
    let producer = session.app.rooms.produce_data(peer, &transport, new).await?;
    Ok(json!({ "id": producer.id() }).into())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OfDataProducer {
    data_producer_id: String,
}

fn data_producer(session: &Session, of: &OfDataProducer) -> Result<DataProducer, Refusal> {
    let unknown = || Refusal::unknown("data producer", &of.data_producer_id);
    let id: DataProducerId = of.data_producer_id.parse().map_err(|_| unknown())?;
    session.peer().data_producer(&id).ok_or_else(unknown)
}

pub(super) fn close_data_producer(session: &Session, of: &OfDataProducer) -> Answered {
    let id = data_producer(session, of)?.id();
    session.peer().close_data_producer(&id);
    done()
}

pub(super) async fn data_producer_stats(session: &Session, of: &OfDataProducer) -> Answered {
    let stats = data_producer(session, of)?.get_stats().await;
    let refusal = |error| Refusal::request(error, "data producer", &of.data_producer_id);
    Ok(json!([stats.map_err(refusal)?]).into())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OfDataConsumer {
    data_consumer_id: String,
}

pub(super) async fn data_consumer_stats(session: &Session, of: &OfDataConsumer) -> Answered {
    let unknown = || Refusal::unknown("data consumer", &of.data_consumer_id);
    let id: DataConsumerId = of.data_consumer_id.parse().map_err(|_| unknown())?;
    let stats = session.peer().data_consumer(&id).ok_or_else(unknown)?.get_stats().await;
    let refusal = |error| Refusal::request(error, "data consumer", &of.data_consumer_id);
    Ok(json!([stats.map_err(refusal)?]).into())
}
