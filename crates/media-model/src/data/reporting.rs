//! Statistics and dumps.

use crate::arena::Key;
use crate::command::{DumpDataConsumer, DumpDataProducer, GetDataConsumerStats, GetDataProducerStats};
use crate::core::Core;
use crate::data::{
    DataConsumerDump, DataConsumerStats, DataProducerDump, DataProducerStats, DataSource, DataType,
    SctpListenerDump, SctpOptions, TransportDataDump,
};
use crate::error::NotFoundError;
use crate::id::{DataConsumerId, DataProducerId};
use crate::transport_state::TransportTag;
use std::collections::BTreeMap;
use tureen_rtp_dictionaries::{SctpParameters, SctpState, SctpStreamParameters};
use tureen_rtp_wire::Time;
use tureen_transport::Transport;

impl DataType {
    pub(super) fn of(stream: Option<&SctpStreamParameters>) -> Self {
        if stream.is_some() { Self::Sctp } else { Self::Direct }
    }
}

impl SctpOptions {
    /// What the remote must know of the association.
    pub fn parameters(&self) -> SctpParameters {
        let association = &self.association;
        SctpParameters {
            port: tureen_data::SCTP_PORT,
            os: association.outgoing_streams,
            mis: association.incoming_streams,
            max_message_size: association.max_message_size,
            max_send_message_size: association.max_message_size,
            max_receive_message_size: association.max_message_size,
            send_buffer_size: association.send_buffer_size,
            per_stream_send_queue_limit: association.send_buffer_size,
            max_receiver_window_buffer_size: association.receive_buffer_size(),
            is_data_channel: self.is_data_channel,
        }
    }
}

impl<T: Transport> Core<T> {
    pub(crate) fn get_data_producer_stats(
        &mut self,
        now: Time,
        request: GetDataProducerStats,
    ) -> Result<DataProducerStats, NotFoundError> {
        let producer = self.data_producer_mut(request.id)?;
        Ok(DataProducerStats {
            kind: "data-producer",
            timestamp: now.as_millis(),
            label: producer.label.clone(),
            protocol: producer.protocol.clone(),
            messages_received: producer.messages_received,
            bytes_received: producer.bytes_received,
            messages_limited: producer.messages_limited,
        })
    }

    pub(crate) fn get_data_consumer_stats(
        &mut self,
        now: Time,
        request: GetDataConsumerStats,
    ) -> Result<DataConsumerStats, NotFoundError> {
        let key = self.data_consumer_key(request.id)?;
        let buffered_amount = self.data.buffered_amount(key);
        let consumer = self.data_consumer_mut(request.id)?;
        Ok(DataConsumerStats {
            kind: "data-consumer",
            timestamp: now.as_millis(),
            label: consumer.label.clone(),
            protocol: consumer.protocol.clone(),
            messages_sent: consumer.messages_sent,
            bytes_sent: consumer.bytes_sent,
            buffered_amount,
        })
    }

    pub(crate) fn dump_data_producer(
        &mut self,
        _now: Time,
        request: DumpDataProducer,
    ) -> Result<DataProducerDump, NotFoundError> {
        let producer = self.data_producer_mut(request.id)?;
        Ok(DataProducerDump {
            id: producer.id,
            data_type: DataType::of(producer.stream.as_ref()),
            sctp_stream_parameters: producer.stream,
            label: producer.label.clone(),
            protocol: producer.protocol.clone(),
            paused: producer.paused,
        })
    }

    pub(crate) fn dump_data_consumer(
        &mut self,
        _now: Time,
        request: DumpDataConsumer,
    ) -> Result<DataConsumerDump, NotFoundError> {
        let consumer = self.data_consumer_mut(request.id)?;
        Ok(DataConsumerDump {
            id: consumer.id,
            data_producer_id: consumer.producer_id,
            data_type: DataType::of(consumer.stream.as_ref()),
            sctp_stream_parameters: consumer.stream,
            label: consumer.label.clone(),
            protocol: consumer.protocol.clone(),
            paused: consumer.pause.own,
            data_producer_paused: consumer.pause.producer,
            subchannels: consumer.subchannels.iter().copied().collect(),
            messages_dropped: consumer.messages_dropped,
        })
    }

    /// How far the association of a transport has come; `None` without SCTP.
    pub(crate) fn sctp_state(&self, key: Key<TransportTag>) -> Option<SctpState> {
        let data = self.data.transports.get(&key)?;
        data.sctp.map(|_| data.state)
    }

    /// What a transport has for messages.
    pub(crate) fn dump_data(&self, key: Key<TransportTag>) -> TransportDataDump {
        let Some(data) = self.data.transports.get(&key) else { return TransportDataDump::default() };
        let producer_id = |key| self.data.producers.get(key).map(|producer| producer.id);
        let consumer_id = |key| self.data.consumers.get(key).map(|consumer| consumer.id);
        let streams = data.incoming.iter().filter_map(|(stream, key)| Some((*stream, producer_id(*key)?)));
        TransportDataDump {
            data_producer_ids: data.producers.iter().filter_map(|key| producer_id(*key)).collect(),
            data_consumer_ids: data.consumers.iter().filter_map(|key| consumer_id(*key)).collect(),
            sctp_parameters: data.sctp.as_ref().map(SctpOptions::parameters),
            sctp_state: self.sctp_state(key),
            sctp_listener: data.sctp.map(|_| SctpListenerDump { stream_id_table: streams.collect() }),
            messages_unclaimed: data.unclaimed,
        }
    }

    /// The data producers of sources and their data consumers.
    pub(crate) fn map_data_consumers(
        &self,
        sources: &[Key<DataSource>],
    ) -> BTreeMap<DataProducerId, Vec<DataConsumerId>> {
        let sources = sources.iter().filter_map(|key| self.data.sources.get(*key));
        let consumer_id = |key| self.data.consumers.get(key).map(|consumer| consumer.id);
        let ids = |keys: &[_]| keys.iter().filter_map(|key| consumer_id(*key)).collect();
        sources.map(|source| (source.producer_id, ids(&source.consumers))).collect()
    }
}
