//! Making data consumers, and their settings.

use crate::arena::Key;
use crate::command::{
    AddSubchannel, ConsumeData, GetBufferedAmount, PauseDataConsumer, RemoveSubchannel, ResumeDataConsumer,
    SendToDataConsumer, SetBufferedAmountLowThreshold, SetSubchannels,
};
use crate::consumer::PauseState;
use crate::core::Core;
use crate::data::produce::check_message;
use crate::data::{
    ConsumeDataError, DataConsumer, DataConsumerInfo, DataConsumerOptions, DataSource, DataType,
    SendDataError,
};
use crate::error::NotFoundError;
use crate::event::{DataConsumerEvent, Event};
use crate::id::DataConsumerId;
use tureen_data::{Reliability, SendError};
use tureen_rtp_dictionaries::{
    SctpStreamParameters, SctpStreamParametersError, validate_sctp_stream_parameters,
};
use tureen_rtp_wire::Time;
use tureen_transport::Transport;

impl<T: Transport> Core<T> {
    pub(crate) fn consume_data(
        &mut self,
        _now: Time,
        request: ConsumeData,
    ) -> Result<DataConsumerInfo, ConsumeDataError> {
        let options = request.options;
        let transport = self.transport_key(request.transport)?;
        let source_key = self.data_source_key(options.data_producer_id)?;
        if self.data.consumer_ids.contains_key(&options.id) {
            return Err(ConsumeDataError::AlreadyExists(options.id));
        }
        let missing = NotFoundError::DataProducer(options.data_producer_id);
        let source = self.data.sources.get(source_key).ok_or(missing)?;
        if self.transports.get(transport).is_none_or(|state| state.router != source.router) {
            return Err(ConsumeDataError::OtherRouter(options.data_producer_id));
        }
        let data = self.data.transports.get_mut(&transport).ok_or(ConsumeDataError::SctpNotEnabled)?;
        let mut wanted = settle_reliability(&options, source)?;
        let stream = if data.sctp.is_some() {
            wanted.stream_id = data.draw_stream().ok_or(ConsumeDataError::NoStreamId)?;
            Some(wanted)
        } else {
            None
        };
        let consumer = DataConsumer {
            id: options.id,
            transport,
            source: source_key,
            producer_id: source.producer_id,
            stream,
            is_pipe: data.is_pipe,
            reliability: Reliability::from(&wanted),
            label: source.label.clone(),
            protocol: source.protocol.clone(),
            pause: PauseState { own: options.paused, producer: source.paused, ..PauseState::default() },
            subchannels: options.subchannels.into_iter().collect(),
            messages_sent: 0,
            bytes_sent: 0,
            messages_dropped: 0,
            told_full: false,
            low_threshold: None,
        };
        let info = consumer.describe();
        let key = self.data.consumers.insert(consumer);
        self.data.consumer_ids.insert(options.id, key);
        data.consumers.push(key);
        if let Some(stream) = stream {
            data.outgoing.insert(stream.stream_id, key);
        }
        if let Some(source) = self.data.sources.get_mut(source_key) {
            source.consumers.push(key);
        }
        Ok(info)
    }

    pub(crate) fn data_consumer_key(&self, id: DataConsumerId) -> Result<Key<DataConsumer>, NotFoundError> {
        self.data.consumer_ids.get(&id).copied().ok_or(NotFoundError::DataConsumer(id))
    }

    pub(crate) fn data_consumer_mut(
        &mut self,
        id: DataConsumerId,
    ) -> Result<&mut DataConsumer, NotFoundError> {
        let key = self.data_consumer_key(id)?;
        self.data.consumers.get_mut(key).ok_or(NotFoundError::DataConsumer(id))
    }

    pub(crate) fn pause_data_consumer(
        &mut self,
        _now: Time,
        request: PauseDataConsumer,
    ) -> Result<(), NotFoundError> {
        self.set_data_consumer_paused(request.id, true)
    }

    pub(crate) fn resume_data_consumer(
        &mut self,
        _now: Time,
        request: ResumeDataConsumer,
    ) -> Result<(), NotFoundError> {
        self.set_data_consumer_paused(request.id, false)
    }

    fn set_data_consumer_paused(&mut self, id: DataConsumerId, paused: bool) -> Result<(), NotFoundError> {
        let consumer = self.data_consumer_mut(id)?;
        if consumer.pause.own == paused {
            return Ok(());
        }
        consumer.pause.own = paused;
        let effective = !consumer.pause.producer;
        let event = if paused {
            DataConsumerEvent::Paused { effective }
        } else {
            DataConsumerEvent::Resumed { effective }
        };
        self.events.push(Event::DataConsumer(id, event));
        Ok(())
    }

    pub(crate) fn set_subchannels(
        &mut self,
        _now: Time,
        request: SetSubchannels,
    ) -> Result<Vec<u16>, NotFoundError> {
        let consumer = self.data_consumer_mut(request.id)?;
        consumer.subchannels = request.subchannels.into_iter().collect();
        Ok(consumer.subchannels.iter().copied().collect())
    }

    pub(crate) fn add_subchannel(
        &mut self,
        _now: Time,
        request: AddSubchannel,
    ) -> Result<Vec<u16>, NotFoundError> {
        let consumer = self.data_consumer_mut(request.id)?;
        consumer.subchannels.insert(request.subchannel);
        Ok(consumer.subchannels.iter().copied().collect())
    }

    pub(crate) fn remove_subchannel(
        &mut self,
        _now: Time,
        request: RemoveSubchannel,
    ) -> Result<Vec<u16>, NotFoundError> {
        let consumer = self.data_consumer_mut(request.id)?;
        consumer.subchannels.remove(&request.subchannel);
        Ok(consumer.subchannels.iter().copied().collect())
    }

    pub(crate) fn set_buffered_amount_low_threshold(
        &mut self,
        _now: Time,
        request: SetBufferedAmountLowThreshold,
    ) -> Result<(), NotFoundError> {
        let key = self.data_consumer_key(request.id)?;
        if let Some((association, stream)) = self.data.association_of(key) {
            association.set_buffered_amount_low_threshold(stream, request.threshold);
        }
        // Where there is no association yet it gets it when it begins.
        self.data_consumer_mut(request.id)?.low_threshold = Some(request.threshold);
        Ok(())
    }

    pub(crate) fn get_buffered_amount(
        &mut self,
        _now: Time,
        request: GetBufferedAmount,
    ) -> Result<u32, NotFoundError> {
        let key = self.data_consumer_key(request.id)?;
        Ok(self.data.buffered_amount(key))
    }

    pub(crate) fn send_to_data_consumer(
        &mut self,
        now: Time,
        request: SendToDataConsumer,
    ) -> Result<u32, SendDataError> {
        let key = self.data_consumer_key(request.id)?;
        let consumer = self.data.consumers.get(key).ok_or(NotFoundError::DataConsumer(request.id))?;
        if consumer.stream.is_none() {
            return Err(SendDataError::Direct);
        }
        check_message(&request.message)?;
        let (transport, reliability) = (consumer.transport, consumer.reliability);
        let (ppid, bytes) = consumer.on_wire(&request.message).ok_or(SendDataError::Subchannels)?;
        let (association, stream) = self.data.association_of(key).ok_or(SendError::NotConnected)?;
        let buffered = association.send(now, stream, ppid, &bytes, reliability)?;
        self.sent_to(key, request.message.payload.len());
        self.wake_data(now, transport);
        Ok(u32::try_from(buffered).unwrap_or(u32::MAX))
    }
}

impl DataConsumer {
    fn describe(&self) -> DataConsumerInfo {
        DataConsumerInfo {
            id: self.id,
            data_producer_id: self.producer_id,
            data_type: DataType::of(self.stream.as_ref()),
            sctp_stream_parameters: self.stream,
            label: self.label.clone(),
            protocol: self.protocol.clone(),
            paused: self.pause.own,
            data_producer_paused: self.pause.producer,
            subchannels: self.subchannels.iter().copied().collect(),
        }
    }
}

/// How reliable a data consumer is: as asked for, else as its data producer. The stream is still to be drawn.
fn settle_reliability(
    options: &DataConsumerOptions,
    source: &DataSource,
) -> Result<SctpStreamParameters, SctpStreamParametersError> {
    let mut asked = SctpStreamParameters {
        stream_id: 0,
        ordered: options.ordered,
        max_packet_life_time: options.max_packet_life_time,
        max_retransmits: options.max_retransmits,
    };
    let nothing =
        asked.ordered.is_none() && asked.max_packet_life_time.is_none() && asked.max_retransmits.is_none();
    if let Some(stream) = source.stream.filter(|_| nothing) {
        asked = SctpStreamParameters { stream_id: 0, ..stream };
    }
    validate_sctp_stream_parameters(&mut asked)?;
    Ok(asked)
}
