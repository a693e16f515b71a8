//! Data producers and data consumers of peers and broadcasters: what clients say of them, within limits. Must not know who asks.

use super::Rooms;
use super::bot::{BOT, Bot};
use crate::refusal::Refusal;
use serde::Deserialize;
use serde_json::Value;
use std::sync::Arc;
use tureen::dictionaries::SctpStreamParameters;
use tureen::{AppData, DataProducer, DataProducerOptions, DataTransport, Transport, TransportId};
use tureen_room::{Audience, Peer, Room};

/// The longest label, and the longest protocol, in bytes.
const MAX_LABEL: usize = 255;

/// A data producer as a client asks for it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NewDataProducer {
    pub(crate) sctp_stream_parameters: SctpStreamParameters,
    #[serde(default)]
    pub(crate) label: String,
    #[serde(default)]
    pub(crate) protocol: String,
    #[serde(default)]
    pub(crate) app_data: serde_json::Map<String, Value>,
}

impl NewDataProducer {
    fn check(&self) -> Result<(), Refusal> {
        for (field, text) in [("label", &self.label), ("protocol", &self.protocol)] {
            if text.len() > MAX_LABEL {
                return Err(Refusal::Argument(format!("{field}: must not be longer than {MAX_LABEL} bytes")));
            }
        }
        Ok(())
    }
}

impl Rooms {
    /// Makes a data producer of a peer. What is labelled for the bot goes there; all else goes to every other peer.
    pub(crate) async fn produce_data(
        &self,
        peer: &Peer,
        transport: &TransportId,
        new: NewDataProducer,
    ) -> Result<DataProducer, Refusal> {
        new.check()?;
        self.check_one_transport(peer, transport)?;
        let for_bot = new.label == BOT;
        let mut app_data = new.app_data;
        app_data.insert("peerId".into(), peer.id().into());
        let mut options = DataProducerOptions::on_stream(new.sctp_stream_parameters);
        (options.label, options.protocol) = (new.label, new.protocol);
        options.app_data = AppData::new(Value::Object(app_data));
        let audience = if for_bot { Audience::OnRequest } else { Audience::Everybody };
        let producer = peer.produce_data(transport, options, audience).await?;
        if for_bot {
            let listening = async { self.bot(peer.room()).await?.listen_to(peer, &producer).await };
            if let Err(refusal) = listening.await {
                peer.close_data_producer(&producer.id());
                return Err(refusal);
            }
        }
        Ok(producer)
    }

    /// How many messages go further is counted by transport, so what a peer says has to come over one.
    fn check_one_transport(&self, peer: &Peer, transport: &TransportId) -> Result<(), Refusal> {
        let carries = peer.transport(transport).is_some_and(|own| own.sctp_parameters().is_some());
        let limited = carries && self.settings.max_data_messages_per_second > 0;
        let elsewhere =
            |producer: &DataProducer| !producer.closed() && producer.transport().id() != *transport;
        if limited && peer.data_producers().iter().any(elsewhere) {
            let reason = "transportId: data producers of a peer have to be on one transport";
            return Err(Refusal::Argument(reason.into()));
        }
        Ok(())
    }

    /// The bot of a room, which comes when it is first asked for.
    pub(crate) async fn bot(&self, room: &Room) -> Result<Arc<Bot>, Refusal> {
        let _one_at_a_time = self.bots.lock().await;
        if let Some(bot) = room.app_data().get::<Bot>() {
            return Ok(bot);
        }
        let bot = Bot::new(room).await?;
        let voice = bot.voice().clone();
        room.app_data().set(bot);
        room.add_data_producer(voice);
        room.app_data().get().ok_or_else(|| Refusal::Failed("no bot".into()))
    }
}
