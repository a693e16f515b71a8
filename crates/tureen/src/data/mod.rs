//! Data producers and data consumers: handles to messages that a Router passes on. Knows no media.

mod consumer;
mod options;
mod producer;

pub use consumer::{DataConsumer, DataConsumerObserver, WeakDataConsumer};
pub(crate) use consumer::{DataConsumerShared, consume_data};
pub use options::{DataConsumerOptions, DataProducerOptions};
pub use producer::{DataProducer, DataProducerObserver, WeakDataProducer};
pub(crate) use producer::{DataProducerShared, produce_data};
