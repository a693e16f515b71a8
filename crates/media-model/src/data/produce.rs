//! Making data producers, pausing them, and what programs send through them.

use crate::arena::Key;
use crate::command::{PauseDataProducer, ProduceData, ResumeDataProducer, SendToDataProducer};
use crate::core::Core;
use crate::data::{
    DataMessage, DataOrigin, DataProducer, DataProducerInfo, DataProducerOptions, DataSource, DataType,
    ProduceDataError, SendDataError, TransportData,
};
use crate::error::NotFoundError;
use crate::event::{DataConsumerEvent, DataProducerEvent, Event};
use crate::id::DataProducerId;
use crate::relay::{DataNews, RelayNews};
use tureen_data::{Ppid, SendError};
use tureen_rtp_dictionaries::{SctpStreamParameters, validate_sctp_stream_parameters};
use tureen_rtp_wire::Time;
use tureen_transport::Transport;

impl<T: Transport> Core<T> {
    pub(crate) fn produce_data(
        &mut self,
        _now: Time,
        request: ProduceData,
    ) -> Result<DataProducerInfo, ProduceDataError> {
        let DataProducerOptions { id, sctp_stream_parameters, label, protocol, paused } = request.options;
        let transport = self.transport_key(request.transport)?;
        if self.data.source_ids.contains_key(&id) {
            return Err(ProduceDataError::AlreadyExists(id));
        }
        let missing = NotFoundError::Transport(request.transport);
        let router = self.transports.get(transport).ok_or(missing)?.router;
        let data = self.data.transports.get_mut(&transport).ok_or(ProduceDataError::SctpNotEnabled)?;
        let stream = settle_stream(data, sctp_stream_parameters)?;
        let source = self.insert_data_source(DataSource {
            producer_id: id,
            router,
            origin: DataOrigin::Here,
            stream,
            label: label.clone(),
            protocol: protocol.clone(),
            paused,
            consumers: Vec::new(),
            mirrors: Vec::new(),
        });
        let key = self.data.producers.insert(DataProducer {
            id,
            transport,
            source,
            stream,
            label,
            protocol,
            paused,
            messages_received: 0,
            bytes_received: 0,
            messages_limited: 0,
            told_limited: None,
        });
        self.data.producer_ids.insert(id, key);
        if let Some(data) = self.data.transports.get_mut(&transport) {
            data.producers.push(key);
            if let Some(stream) = stream {
                data.incoming.insert(stream.stream_id, key);
            }
        }
        Ok(DataProducerInfo { id, data_type: DataType::of(stream.as_ref()), sctp_stream_parameters: stream })
    }

    pub(crate) fn data_producer_key(&self, id: DataProducerId) -> Result<Key<DataProducer>, NotFoundError> {
        self.data.producer_ids.get(&id).copied().ok_or(NotFoundError::DataProducer(id))
    }

    pub(crate) fn data_producer_mut(
        &mut self,
        id: DataProducerId,
    ) -> Result<&mut DataProducer, NotFoundError> {
        let key = self.data_producer_key(id)?;
        self.data.producers.get_mut(key).ok_or(NotFoundError::DataProducer(id))
    }

    pub(crate) fn pause_data_producer(
        &mut self,
        _now: Time,
        request: PauseDataProducer,
    ) -> Result<(), NotFoundError> {
        self.set_data_producer_paused(request.id, true)
    }

    pub(crate) fn resume_data_producer(
        &mut self,
        _now: Time,
        request: ResumeDataProducer,
    ) -> Result<(), NotFoundError> {
        self.set_data_producer_paused(request.id, false)
    }

    fn set_data_producer_paused(&mut self, id: DataProducerId, paused: bool) -> Result<(), NotFoundError> {
        let producer = self.data_producer_mut(id)?;
        if producer.paused == paused {
            return Ok(());
        }
        producer.paused = paused;
        let source = producer.source;
        let event = if paused { DataProducerEvent::Paused } else { DataProducerEvent::Resumed };
        self.events.push(Event::DataProducer(id, event));
        self.set_data_source_paused(source, paused);
        Ok(())
    }

    /// Tells data consumers and mirrors of a source that its data producer was paused or resumed.
    pub(super) fn set_data_source_paused(&mut self, key: Key<DataSource>, paused: bool) {
        let Some(source) = self.data.sources.get_mut(key) else { return };
        if std::mem::replace(&mut source.paused, paused) == paused {
            return;
        }
        for mirror in &source.mirrors {
            let news = DataNews::Paused(source.producer_id, paused);
            self.relay.to(mirror.shard).push_news(RelayNews::Data(news));
        }
        for key in &source.consumers {
            let Some(consumer) = self.data.consumers.get_mut(*key) else { continue };
            consumer.pause.producer = paused;
            let effective = !consumer.pause.own;
            let event = if paused {
                DataConsumerEvent::DataProducerPaused { effective }
            } else {
                DataConsumerEvent::DataProducerResumed { effective }
            };
            self.events.push(Event::DataConsumer(consumer.id, event));
        }
    }

    pub(crate) fn send_to_data_producer(
        &mut self,
        now: Time,
        request: SendToDataProducer,
    ) -> Result<(), SendDataError> {
        let key = self.data_producer_key(request.id)?;
        let missing = NotFoundError::DataProducer(request.id);
        let producer = self.data.producers.get(key).ok_or(missing)?;
        if producer.stream.is_some() {
            return Err(SendDataError::NotDirect);
        }
        let data = self.data.transports.get(&producer.transport).ok_or(missing)?;
        check_message(&request.message)?;
        let (len, max) = (request.message.payload.len(), data.max_message_size);
        if len > max as usize {
            return Err(SendError::TooLarge { len, max }.into());
        }
        self.pass_on(now, key, &request.message);
        Ok(())
    }
}

/// What programs may not send.
pub(super) fn check_message(message: &DataMessage) -> Result<(), SendDataError> {
    if message.ppid == Ppid::Dcep {
        return Err(SendDataError::Ppid);
    }
    if message.payload.is_empty() && !message.ppid.is_empty() {
        return Err(SendError::Empty.into());
    }
    Ok(())
}

/// The stream of a data producer on this transport: none on a direct one.
fn settle_stream(
    data: &TransportData,
    given: Option<SctpStreamParameters>,
) -> Result<Option<SctpStreamParameters>, ProduceDataError> {
    let Some(sctp) = data.sctp else { return Ok(None) };
    let mut stream = given.ok_or(ProduceDataError::SctpStreamParametersRequired)?;
    validate_sctp_stream_parameters(&mut stream)?;
    if stream.stream_id >= sctp.association.incoming_streams {
        return Err(ProduceDataError::StreamId(stream.stream_id));
    }
    if data.incoming.contains_key(&stream.stream_id) {
        return Err(ProduceDataError::DuplicateStreamId(stream.stream_id));
    }
    Ok(Some(stream))
}
