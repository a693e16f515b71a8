//! The bot of a room: it says again what peers say to it, for everybody to hear. Must not know signalling.

use crate::refusal::Refusal;
use std::sync::{Mutex, PoisonError};
use tureen::data_channels::Ppid;
use tureen::{
    DataConsumer, DataConsumerOptions, DataMessage, DataProducer, DataProducerOptions, DataTransport,
    DirectTransport, DirectTransportOptions,
};
use tureen_room::{Peer, Room};

/// The label of what is said to the bot, and of what it says.
pub(super) const BOT: &str = "bot";
/// So many characters of what it heard it says again.
const REPEATED: usize = 1_000;

/// Lies in the room's slot for data, and goes with the room.
pub(crate) struct Bot {
    transport: DirectTransport,
    voice: DataProducer,
    /// What it listens to; some may be closed.
    ears: Mutex<Vec<DataConsumer>>,
}

impl Bot {
    pub(super) async fn new(room: &Room) -> Result<Self, Refusal> {
        let transport = room.router().create_direct_transport(DirectTransportOptions::default()).await?;
        let mut options = DataProducerOptions::default();
        (options.label, options.protocol) = (BOT.to_owned(), BOT.to_owned());
        let voice = transport.produce_data(options).await.map_err(tureen_room::ProduceDataError::from)?;
        Ok(Self { transport, voice, ears: Mutex::default() })
    }

    /// What it says.
    pub(super) fn voice(&self) -> &DataProducer {
        &self.voice
    }

    /// Answers what comes from a peer's data producer, until that closes.
    pub(super) async fn listen_to(&self, peer: &Peer, producer: &DataProducer) -> Result<(), Refusal> {
        let options = DataConsumerOptions::new(producer.id());
        let consumed = self.transport.consume_data(options).await;
        let consumer = consumed.map_err(tureen_room::ConsumeDataError::from)?;
        let (voice, speaker) = (self.voice.downgrade(), peer.clone());
        consumer
            .on_message(move |message| {
                if let (Some(voice), Some(answer)) = (voice.upgrade(), answer(&speaker, message)) {
                    // It is queued by the call; where there is no room for it, it is lost.
                    drop(voice.send(DataMessage::text(answer)));
                }
            })
            .detach();
        let mut ears = self.ears.lock().unwrap_or_else(PoisonError::into_inner);
        ears.retain(|ear| !ear.closed());
        ears.push(consumer);
        Ok(())
    }
}

/// What the bot says to a text; it has nothing to say to bytes.
fn answer(speaker: &Peer, message: &DataMessage) -> Option<String> {
    let text = std::str::from_utf8(&message.payload).ok().filter(|_| message.ppid == Ppid::String)?;
    let name = speaker.profile().map(|profile| profile.display_name).filter(|name| !name.is_empty());
    let name = name.unwrap_or_else(|| speaker.id().to_owned());
    let repeated: String = text.chars().take(REPEATED).collect();
    Some(format!("{name}, I heard you say: {repeated}"))
}
