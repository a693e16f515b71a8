//! The media under receivers and senders: a producer for a receiver that has parameters and a transport, and a consumer for each of its senders that
//! is available and has a transport.
//!
//! Whoever changes something settles what follows from it, before it returns. One receiver's producer and its consumers are made by one at a time,
//! which the guard of its `media` stands for. Must not know who changed what.

use super::error::{CloseError, ReceiveError};
use super::reduce::as_capabilities;
use super::{RtpReceiver, RtpSender, Transport};
use futures_util::lock::MutexGuard;
use tureen::dictionaries::RtpParameters;
use tureen::{
    ConsumeError, Consumer, ConsumerOptions, ProduceError, Producer, ProducerOptions, RequestError,
    Transport as _,
};

/// The right to make a receiver's producer and its consumers.
pub(super) type Media<'a> = MutexGuard<'a, ()>;

impl RtpReceiver {
    /// Whether it should have a producer and has none.
    pub(super) fn lacks_producer(&self) -> bool {
        let state = self.state();
        let has = state.producer.as_ref().is_some_and(|producer| !producer.closed());
        state.parameters.is_some() && state.transport.is_some() && !has
    }

    pub(super) async fn produce(
        &self,
        transport: &Transport,
        parameters: &RtpParameters,
    ) -> Result<Producer, ProduceError> {
        transport.handle().produce(ProducerOptions::new(self.kind(), parameters.clone())).await
    }

    /// Puts a producer with other parameters in the place of the present one. Both cannot be at a time: they may have the same SSRCs.
    pub(super) async fn exchange_producer(&self, parameters: &RtpParameters) -> Result<(), ReceiveError> {
        let (transport, old, before) = {
            let _register = self.peer().room().lock();
            let mut state = self.open_state()?;
            (state.transport.clone(), state.parameters.clone(), state.producer.take())
        };
        let Some(transport) = transport else { return Ok(()) };
        drop(before);
        match self.produce(&transport, parameters).await {
            Ok(producer) => Ok(self.take_producer(&transport, producer)?),
            // What has lost its transport takes the parameters all the same.
            Err(_) if transport.closed() => Ok(()),
            Err(refused) => {
                if let Some(old) = old {
                    self.restore_producer(&transport, &old).await;
                }
                Err(refused.into())
            }
        }
    }

    /// A refusal changes nothing: what was received before goes on.
    async fn restore_producer(&self, transport: &Transport, parameters: &RtpParameters) {
        let media_goes_on = match self.produce(transport, parameters).await {
            Ok(producer) => self.take_producer(transport, producer).map_err(|_| None),
            Err(_) if transport.closed() => Ok(()),
            Err(error) => Err(Some(error)),
        };
        if let Err(Some(error)) = media_goes_on {
            let _register = self.peer().room().lock();
            self.end(Some(&CloseError::Produce(error)));
            return;
        }
        for sender in self.senders() {
            sender.settle_or_fail().await;
        }
    }

    /// Unless it, or its transport, closed meanwhile.
    fn take_producer(
        &self,
        transport: &Transport,
        producer: Producer,
    ) -> Result<(), super::InvalidStateError> {
        let _register = self.peer().room().lock();
        let mut state = self.open_state()?;
        if state.transport.as_ref() == Some(transport) {
            state.producer = Some(producer);
        }
        Ok(())
    }

    /// Brings everything that its media goes to in line with it. A sender whose media cannot go on closes.
    pub(super) async fn settle_all(&self, _: &Media<'_>) {
        for sender in self.senders() {
            sender.settle_or_fail().await;
        }
        let packets = self.state().packets.upgrade();
        if let Some(packets) = packets {
            packets.settle(self.producer()).await;
        }
        self.settle_levels().await;
    }
}

/// What a sender's consumer is to be.
struct Wanted {
    transport: Transport,
    producer: Producer,
    paused: bool,
}

impl RtpSender {
    fn wanted(&self) -> (Option<Wanted>, Option<Consumer>) {
        let producer = self.associated_rtp_receiver().producer().filter(|producer| !producer.closed());
        let state = self.state();
        let transport = state.transport.clone().filter(|_| state.available() && !state.closed);
        let wanted = transport.zip(producer).map(|(transport, producer)| Wanted {
            transport,
            producer,
            paused: !state.enabled,
        });
        (wanted, state.consumer.clone())
    }

    /// Makes its consumer, pauses or resumes it, or closes it, as its state asks for.
    pub(super) async fn settle(&self, _: &Media<'_>) -> Result<(), ConsumeError> {
        self.settle_now().await
    }

    async fn settle_now(&self) -> Result<(), ConsumeError> {
        match self.try_to_settle().await {
            // What lost its transport or its source meanwhile has nothing to send: that is no failure.
            Err(_) if self.wanted().0.is_none_or(|wanted| wanted.transport.handle().closed()) => Ok(()),
            outcome => outcome,
        }
    }

    async fn try_to_settle(&self) -> Result<(), ConsumeError> {
        let (wanted, consumer) = self.wanted();
        let Some(wanted) = wanted else {
            self.put_consumer(None);
            return Ok(());
        };
        let fits = |consumer: &Consumer| {
            !consumer.closed()
                && consumer.producer_id() == wanted.producer.id()
                && consumer.transport().id() == wanted.transport.handle().id()
        };
        let Some(consumer) = consumer.filter(fits) else {
            // The one before may have the same SSRCs.
            self.put_consumer(None);
            let made = self.consume(&wanted.transport, &wanted.producer, wanted.paused).await?;
            self.put_consumer(Some((wanted.transport, made)));
            return Ok(());
        };
        if consumer.paused() != wanted.paused {
            if wanted.paused { consumer.pause().await? } else { consumer.resume().await? }
        }
        Ok(())
    }

    /// The same where nobody waits for the outcome.
    pub(super) async fn settle_or_fail(&self) {
        match self.settle_now().await {
            // The end of the Worker is told by itself.
            Ok(()) | Err(ConsumeError::Request(RequestError::Closed | RequestError::WorkerDied)) => {}
            Err(error) => self.fail(error),
        }
    }

    /// Takes a consumer, unless its transport is another one meanwhile, or none.
    fn put_consumer(&self, made: Option<(Transport, Consumer)>) {
        let _register = self.peer().room().lock();
        let mut state = self.state();
        let fits = |(transport, consumer): (Transport, Consumer)| {
            (!state.closed && state.transport.as_ref() == Some(&transport)).then_some(consumer)
        };
        let consumer = made.and_then(fits);
        let before = std::mem::replace(&mut state.consumer, consumer);
        drop(state);
        drop(before);
    }

    /// A consumer on a transport that is about to be its, if there is to be one.
    pub(super) async fn consume_on(
        &self,
        transport: &Transport,
        _: &Media<'_>,
    ) -> Result<Option<Consumer>, ConsumeError> {
        let producer = self.associated_rtp_receiver().producer().filter(|producer| !producer.closed());
        let (available, enabled) = {
            let state = self.state();
            (state.available(), state.enabled)
        };
        match producer.filter(|_| available) {
            Some(producer) => match self.consume(transport, &producer, !enabled).await {
                // It lost its source meanwhile.
                Err(_) if producer.closed() => Ok(None),
                made => made.map(Some),
            },
            None => Ok(None),
        }
    }

    async fn consume(
        &self,
        transport: &Transport,
        producer: &Producer,
        paused: bool,
    ) -> Result<Consumer, ConsumeError> {
        let parameters = self.rtp_parameters();
        let identity = &self.shared.identity;
        let mut options = ConsumerOptions::new(producer.id(), as_capabilities(&parameters));
        options.paused = paused;
        options.mid = Some(identity.mid.clone());
        // With `false` there would be no NACK either; without an RTX codec there is no RTX.
        options.enable_rtx = Some(true);
        options.identity.ssrc = Some(identity.ssrc);
        options.identity.cname = parameters.rtcp.cname;
        transport.handle().consume(options).await
    }
}
