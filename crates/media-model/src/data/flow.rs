//! Associations over transports: they begin when the path of the transport is open, are fed and emptied, and end with it.

use crate::arena::Key;
use crate::core::Core;
use crate::data::{AnnouncedDataChannel, DataMessage, TransportData, pipe_frame};
use crate::event::{DataConsumerEvent, Event, TransportEvent};
use crate::notes::Note;
use crate::timers::Timer;
use crate::transport_state::TransportTag;
use tureen_data::dcep::DcepMessage;
use tureen_data::{Association, AssociationEvent, Message, Ppid, Reliability};
use tureen_rtp_wire::Time;
use tureen_transport::{Component, Egress, Transport};

impl<T: Transport> Core<T> {
    /// Begins the association of a transport whose path has opened, and gives it what came in.
    pub(crate) fn follow_data(&mut self, now: Time, key: Key<TransportTag>) {
        let Some(state) = self.transports.get_mut(key) else { return };
        let Some(data) = self.data.transports.get_mut(&key) else {
            // Nobody asked for it.
            while state.adapter.poll_data().is_some() {}
            return;
        };
        let mut begun = false;
        if data.association.is_none()
            && !data.over
            && let Some(sctp) = data.sctp
            && state.adapter.destination(Component::Rtp).is_some()
        {
            // The options were checked when the transport was added.
            data.association = Association::new(now, sctp.association).ok();
            begun = true;
        }
        let mut came = false;
        while let Some(datagram) = state.adapter.poll_data() {
            came = true;
            if let Some(association) = &mut data.association {
                association.handle_datagram(now, &datagram);
            }
        }
        if begun {
            self.set_thresholds(key);
        }
        if begun || came {
            self.wake_data(now, key);
        }
    }

    /// Thresholds that were set before there was an association.
    fn set_thresholds(&mut self, key: Key<TransportTag>) {
        let Some(data) = self.data.transports.get_mut(&key) else { return };
        let Some(association) = &mut data.association else { return };
        for (stream, consumer) in &data.outgoing {
            if let Some(threshold) =
                self.data.consumers.get(*consumer).and_then(|consumer| consumer.low_threshold)
            {
                association.set_buffered_amount_low_threshold(*stream, threshold);
            }
        }
    }

    /// The path of a transport has closed for good.
    pub(crate) fn end_association(&mut self, now: Time, key: Key<TransportTag>) {
        let Some(data) = self.data.transports.get_mut(&key) else { return };
        data.over = true;
        if let Some(association) = &mut data.association {
            association.close(now);
        }
        self.wake_data(now, key);
    }

    /// Has the association of a transport looked after at once.
    pub(crate) fn wake_data(&mut self, now: Time, key: Key<TransportTag>) {
        if let Some(data) = self.data.transports.get_mut(&key)
            && data.association.is_some()
        {
            data.timer.arm(&mut self.timers, now, Timer::Data(key));
        }
    }

    pub(crate) fn data_due(&mut self, now: Time, key: Key<TransportTag>, out: &mut impl Egress) {
        let Some(data) = self.data.transports.get_mut(&key) else { return };
        if !data.timer.fired(now) {
            return;
        }
        if let Some(association) = data.association.as_mut().filter(|known| known.poll_timeout() <= now) {
            association.handle_timeout(now);
        }
        self.hear_association(now, key);
        self.send_datagrams(now, key, out);
        if let Some(data) = self.data.transports.get_mut(&key)
            && let Some(association) = &data.association
        {
            data.timer.arm(&mut self.timers, association.poll_timeout(), Timer::Data(key));
        }
    }

    fn send_datagrams(&mut self, now: Time, key: Key<TransportTag>, out: &mut impl Egress) {
        while let Some(datagram) = self.association(key).and_then(Association::poll_transmit) {
            let Some(state) = self.transports.get_mut(key) else { return };
            state.adapter.send_data(now, &datagram);
            self.transmit(now, key, out);
        }
        // What carries it may have set timers of its own.
        self.arm_transport(key);
    }

    fn association(&mut self, key: Key<TransportTag>) -> Option<&mut Association> {
        self.data.transports.get_mut(&key)?.association.as_mut()
    }

    fn hear_association(&mut self, now: Time, key: Key<TransportTag>) {
        let Some(id) = self.transports.get(key).map(|state| state.id) else { return };
        while let Some(event) = self.association(key).and_then(Association::poll_event) {
            match event {
                AssociationEvent::State(state) => {
                    if let Some(data) = self.data.transports.get_mut(&key) {
                        data.state = state;
                    }
                    self.events.push(Event::Transport(id, TransportEvent::SctpState(state)));
                }
                AssociationEvent::Message(message) if message.ppid == Ppid::Dcep => {
                    self.hear_establishment(now, key, &message);
                }
                AssociationEvent::Message(message) => self.hear_message(now, key, message),
                AssociationEvent::BufferedAmountLow { stream, buffered } => {
                    self.hear_low_buffer(key, stream, buffered);
                }
                _ => {}
            }
        }
    }

    fn hear_message(&mut self, now: Time, key: Key<TransportTag>, message: Message) {
        let Some(data) = self.data.transports.get_mut(&key) else { return };
        let Some(producer) = data.incoming.get(&message.stream).copied() else {
            return self.leave_unclaimed(now, key, message.stream);
        };
        if !data.rate.take(now) {
            return self.limit_message(now, producer);
        }
        let stream = message.stream;
        let message = match data.is_pipe {
            true => pipe_frame::read(message.ppid, &message.payload),
            false => Some(DataMessage::new(message.ppid, message.payload)),
        };
        match message {
            Some(message) => self.pass_on(now, producer, &message),
            None => self.leave_unclaimed(now, key, stream),
        }
    }

    fn leave_unclaimed(&mut self, now: Time, key: Key<TransportTag>, stream: u16) {
        let Some(data) = self.data.transports.get_mut(&key) else { return };
        data.unclaimed += 1;
        if let Some(state) = self.transports.get(key) {
            self.events.note(now, Note::MessageUnclaimed { transport: state.id, stream });
        }
    }

    fn hear_establishment(&mut self, now: Time, key: Key<TransportTag>, message: &Message) {
        let Some(id) = self.transports.get(key).map(|state| state.id) else { return };
        let Some(data) = self.data.transports.get_mut(&key) else { return };
        match DcepMessage::parse(&message.payload) {
            Ok(DcepMessage::Open(open)) => {
                acknowledge(now, data, message.stream);
                let channel = AnnouncedDataChannel::new(message.stream, open);
                let len = channel.label.len() + channel.protocol.len();
                self.events.message(Event::Transport(id, TransportEvent::DataChannel(channel)), len);
            }
            Ok(DcepMessage::Ack) => {}
            Err(_) => self.leave_unclaimed(now, key, message.stream),
        }
    }

    fn hear_low_buffer(&mut self, key: Key<TransportTag>, stream: u16, buffered: usize) {
        let data = self.data.transports.get(&key);
        let consumer = data.and_then(|data| data.outgoing.get(&stream)).copied();
        let consumer = consumer.and_then(|consumer| self.data.consumers.get(consumer));
        if let Some(consumer) = consumer.filter(|consumer| consumer.low_threshold.is_some()) {
            let buffered = u32::try_from(buffered).unwrap_or(u32::MAX);
            let event = DataConsumerEvent::BufferedAmountLow(buffered);
            self.events.message(Event::DataConsumer(consumer.id, event), 0);
        }
    }

    /// A stream has lost a user; `release` says whether it was one. Where streams are data channels it is closed with it.
    pub(super) fn free_stream(
        &mut self,
        now: Time,
        key: Key<TransportTag>,
        stream: u16,
        release: impl FnOnce(&mut TransportData) -> bool,
    ) {
        let Some(data) = self.data.transports.get_mut(&key) else { return };
        let released = release(data);
        let is_data_channel = data.sctp.is_some_and(|sctp| sctp.is_data_channel);
        if let Some(association) = data.association.as_mut().filter(|_| released && is_data_channel) {
            association.reset_stream(now, stream);
            self.wake_data(now, key);
        }
    }
}

/// Answers the opening of a channel (RFC 8832 section 6). Where there is no room for the answer the remote does without.
fn acknowledge(now: Time, data: &mut TransportData, stream: u16) {
    if let (Some(association), Ok(ack)) = (&mut data.association, DcepMessage::Ack.write()) {
        let _ = association.send(now, stream, Ppid::Dcep, &ack, Reliability::default());
    }
}
