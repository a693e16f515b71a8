//! The producer/sender model: routers, transports, producers and consumers, of media and of messages, as plain data, without I/O.
//!
//! [`Core`] holds all objects of one shard. It is generic over the [`Transport`](tureen_transport::Transport) that carries packets,
//! reads no clock and draws no randomness but from its seed: what comes in is a list of (time, datagram or request), and what goes
//! out follows from it.

mod arena;
mod codec;
mod command;
mod consumer;
mod control;
mod core;
mod data;
mod describe;
mod description;
mod error;
mod event;
mod explanation;
mod extensions;
mod feedback;
mod id;
mod listener;
mod notes;
mod observers;
mod options;
mod path;
mod producer;
mod relay;
mod router;
mod sending;
mod sockets;
mod source;
mod stats;
mod switches;
mod timers;
mod trace;
mod transport_state;
mod wanted;

pub use crate::core::{Core, CoreConfig, CoreCounters, Population};
pub use arena::Key;
pub use command::*;
pub use data::*;
pub use description::*;
pub use error::*;
pub use event::{
    AudioLevelVolume, CloseCause, ConsumerEvent, ConsumerScore, DataConsumerEvent, DataProducerEvent, Event,
    ProducerEvent, ProducerScore, RouterEvent, RtpObserverEvent, TransportEvent, VideoOrientation,
};
pub use explanation::{ConsumerExplanation, ConsumerFigures, EncodingState, Obstacle, PathEstimate, Repairs};
pub use id::{
    ConsumerId, DataConsumerId, DataProducerId, ParseIdError, ProducerId, RouterId, RtpObserverId, ShardId,
    TransportId, WorkerId,
};
pub use notes::{NOTES_PER_SECOND, Note, NoteTopic, NoteTopics};
pub use options::{
    ActiveSpeakerObserverOptions, AudioLevelObserverOptions, ConsumerIdentity, ConsumerNumbering,
    ConsumerOptions, ContentHint, KEY_FRAME_CACHE_AGE, KEY_FRAME_CACHE_BYTES, KeyFrameCache,
    LastNAudioOptions, OutgoingBitrates, PipeOptions, ProducerOptions, RouterOptions, TransportOptions,
};
pub use relay::RelayBatch;
pub use sending::LayerRates;
pub use stats::*;
pub use switches::{LayerSwitch, SWITCHES_REMEMBERED, SwitchCause};
pub use timers::Timer;
pub use trace::*;
pub use wanted::{UNWANTED_LAYERS_DELAY, highest_layers};
