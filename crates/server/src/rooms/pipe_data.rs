//! Messages over a pipe: what peers say to everybody crosses to the other room, what is for the bot of a room stays there. Must not know HTTP.

use super::bot::BOT;
use super::pipe::Pipe;
use crate::refusal::Refusal;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tureen::dictionaries::SctpStreamParameters;
use tureen::{AppData, DataConsumerId, DataConsumerOptions, DataProducerId, DataProducerOptions, Transport};
use tureen_room::{Audience, Peer};

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DataConsumerState {
    pub(crate) id: DataConsumerId,
    pub(crate) data_producer_id: DataProducerId,
}

/// A data producer of this room on its way to the other.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PipedDataConsumer {
    pub(crate) id: DataConsumerId,
    pub(crate) data_producer_id: DataProducerId,
    pub(crate) sctp_stream_parameters: SctpStreamParameters,
    pub(crate) label: String,
    pub(crate) protocol: String,
}

/// A data producer of the other room.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PipedDataProducer {
    /// The id that it is to have here too. Default: another.
    pub(crate) id: Option<DataProducerId>,
    /// Those of the other server's data consumer.
    pub(crate) sctp_stream_parameters: SctpStreamParameters,
    #[serde(default)]
    pub(crate) label: String,
    #[serde(default)]
    pub(crate) protocol: String,
}

/// A peer's data producers but for those that only the bot hears.
pub(super) fn open_data_producers(peer: &Peer) -> Vec<DataProducerId> {
    let producers = peer.data_producers();
    let open = producers.iter().filter(|producer| !producer.closed() && producer.label() != BOT);
    open.map(tureen::DataProducer::id).collect()
}

pub(super) fn open_data_consumers(peer: &Peer) -> Vec<DataConsumerState> {
    let consumers = peer.data_consumers();
    let open = consumers.iter().filter(|consumer| !consumer.closed());
    open.map(|consumer| DataConsumerState {
        id: consumer.id(),
        data_producer_id: consumer.data_producer_id(),
    })
    .collect()
}

impl Pipe {
    pub(crate) async fn consume_data(&self, producer: DataProducerId) -> Result<PipedDataConsumer, Refusal> {
        let transport = self.transport()?.id();
        let consumer = self.peer.consume_data(&transport, DataConsumerOptions::new(producer)).await?;
        let stream = consumer.sctp_stream_parameters();
        Ok(PipedDataConsumer {
            id: consumer.id(),
            data_producer_id: producer,
            sctp_stream_parameters: stream.ok_or_else(|| Refusal::Failed("a pipe without streams".into()))?,
            label: consumer.label().to_owned(),
            protocol: consumer.protocol().to_owned(),
        })
    }

    pub(crate) async fn produce_data(&self, piped: PipedDataProducer) -> Result<DataProducerId, Refusal> {
        self.check_peer()?;
        let mut options = DataProducerOptions::on_stream(piped.sctp_stream_parameters);
        (options.id, options.label, options.protocol) = (piped.id, piped.label, piped.protocol);
        options.app_data = AppData::new(json!({ "peerId": self.peer.id() }));
        let transport = self.transport()?.id();
        Ok(self.peer.produce_data(&transport, options, Audience::Everybody).await?.id())
    }

    pub(crate) fn close_data_producer(&self, id: &DataProducerId) -> Result<(), Refusal> {
        let found = self.peer.close_data_producer(id);
        if found { Ok(()) } else { Err(Refusal::unknown("data producer", id)) }
    }

    pub(crate) fn close_data_consumer(&self, id: &DataConsumerId) -> Result<(), Refusal> {
        let found = self.peer.close_data_consumer(id);
        if found { Ok(()) } else { Err(Refusal::unknown("data consumer", id)) }
    }
}
