//! An SCTP association over any datagram path: who begins it, what may be sent, and what comes of it. Knows no channel and
//! no transport.

use crate::engine::{Configuration, Engine, Initiator, initiate_tag};
use crate::options::{AssociationOptions, Limit, OptionsError, Reliability, SendError};
use crate::ppid::Ppid;
use bytes::Bytes;
use sctp_proto::{Event, PayloadProtocolIdentifier, ReliabilityType, StreamEvent};
use std::collections::{BTreeMap, VecDeque};
use tureen_rtp_dictionaries::SctpState;
use tureen_rtp_wire::Time;

/// A whole message that came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The stream that it came on.
    pub stream: u16,
    /// What it is.
    pub ppid: Ppid,
    /// Its bytes; none with [`Ppid::StringEmpty`] and [`Ppid::BinaryEmpty`].
    pub payload: Bytes,
}

/// News of an association.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AssociationEvent {
    /// It came further, or is over.
    State(SctpState),
    /// A message came in.
    Message(Message),
    /// The remote closed a stream, as it does with a data channel (RFC 8831 section 6.7). Our half is closed with it.
    StreamReset(u16),
    /// What waits on a stream fell to its threshold or below.
    BufferedAmountLow {
        /// The stream.
        stream: u16,
        /// Bytes that wait to be sent or acknowledged.
        buffered: usize,
    },
}

/// What an association has refused to believe.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AssociationCounters {
    /// Datagrams that are no packets of the association.
    pub datagrams_refused: u64,
    /// Messages with a protocol identifier that data channels do not have.
    pub unknown_ppid: u64,
}

/// An association, from before its handshake until after its end.
///
/// Hand in what arrives and the time, then take out [`Association::poll_transmit`] and [`Association::poll_event`] until
/// there is nothing more, and come back at [`Association::poll_timeout`].
#[derive(Debug)]
pub struct Association {
    options: AssociationOptions,
    configuration: Configuration,
    engine: Option<Engine>,
    state: SctpState,
    begins_at: Time,
    outgoing: VecDeque<Bytes>,
    events: VecDeque<AssociationEvent>,
    /// Streams that something was sent on, or a threshold set for, with that threshold.
    sending: BTreeMap<u16, u32>,
    /// No less than what waits on all streams.
    buffered_at_most: usize,
    counters: AssociationCounters,
}

impl Association {
    /// An association over a path that is open from now on.
    ///
    /// # Errors
    /// [`OptionsError`] names the option at fault.
    pub fn new(now: Time, options: AssociationOptions) -> Result<Self, OptionsError> {
        options.check()?;
        let mut new = Self {
            options,
            configuration: Configuration::new(&options),
            engine: None,
            state: SctpState::New,
            begins_at: options.start_after.map_or(Time::NEVER, |after| now + after),
            outgoing: VecDeque::new(),
            events: VecDeque::new(),
            sending: BTreeMap::new(),
            buffered_at_most: 0,
            counters: AssociationCounters::default(),
        };
        new.handle_timeout(now);
        Ok(new)
    }

    /// How far it has come.
    pub fn state(&self) -> SctpState {
        self.state
    }

    /// What it was made with.
    pub fn options(&self) -> &AssociationOptions {
        &self.options
    }

    /// What it has refused to believe.
    pub fn counters(&self) -> AssociationCounters {
        self.counters
    }

    /// Takes a datagram: one SCTP packet (RFC 9260 section 3). What is none, or not of this association, is counted.
    pub fn handle_datagram(&mut self, now: Time, datagram: &[u8]) {
        let taken = match initiate_tag(datagram) {
            Some(tag) if !self.knows(tag) => self.consider(now, tag, datagram),
            // An INIT that was held up on its way: the library would give up an association that stands for it.
            Some(_) if self.state == SctpState::Connected => false,
            _ => self.pass_on(now, datagram),
        };
        if !taken {
            self.counters.datagrams_refused += 1;
        }
        self.settle(now);
    }

    fn pass_on(&mut self, now: Time, datagram: &[u8]) -> bool {
        let ready = self.state == SctpState::Connected || is_handshake(datagram);
        let engine = self.engine.as_mut().filter(|_| ready);
        engine.is_some_and(|engine| engine.handle_datagram(now, datagram))
    }

    /// Whether the association at hand began with this INIT of the remote's, which has come again then.
    fn knows(&self, tag: u32) -> bool {
        self.engine.as_ref().is_some_and(|engine| engine.initiator == Initiator::Remote(tag))
    }

    /// The remote begins an association: it is answered unless there is one, or our own INIT has precedence. Where both
    /// sides are of this kind, both see the same precedence; others answer INITs that cross (RFC 9260 section 5.2.1). A remote
    /// that comes late, and has to answer ours, gets it at once: the next repetition may be a minute away.
    fn consider(&mut self, now: Time, tag: u32, init: &[u8]) -> bool {
        let begun = matches!(self.state, SctpState::New | SctpState::Connecting | SctpState::Failed);
        let ours = self.engine.as_ref().map(|engine| engine.initiator);
        let precedes = matches!(ours, Some(Initiator::Local(own)) if own > tag);
        if !begun {
            return false;
        }
        if let Some(engine) = self.engine.as_ref().filter(|_| precedes) {
            engine.repeat_init(&mut self.outgoing);
            return false;
        }
        let Some(engine) = Engine::accept(&self.configuration, now, (tag, init), &mut self.outgoing) else {
            return false;
        };
        self.engine = Some(engine);
        self.enter(SctpState::Connecting);
        true
    }

    /// When [`Association::handle_timeout`] wants to be called; [`Time::NEVER`] while nothing is due.
    pub fn poll_timeout(&self) -> Time {
        match &self.engine {
            Some(engine) => engine.poll_timeout(),
            None if self.state == SctpState::New => self.begins_at,
            None => Time::NEVER,
        }
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Time) {
        if self.engine.is_none() && self.state == SctpState::New && self.begins_at <= now {
            self.engine = Engine::begin(&self.configuration, now, &mut self.outgoing);
            self.enter(SctpState::Connecting);
        } else if let Some(engine) = &mut self.engine {
            engine.handle_timeout(now);
        }
        self.settle(now);
    }

    /// The next datagram to send.
    pub fn poll_transmit(&mut self) -> Option<Bytes> {
        self.outgoing.pop_front()
    }

    /// The next piece of news.
    pub fn poll_event(&mut self) -> Option<AssociationEvent> {
        self.events.pop_front()
    }

    /// Sends a message; returns the bytes that wait on its stream with it. Messages of [`Ppid::Dcep`] go ordered and
    /// reliably, whatever is asked for (RFC 8832 section 6). With [`Ppid::StringEmpty`] and [`Ppid::BinaryEmpty`] the
    /// payload does not count.
    ///
    /// # Errors
    /// [`SendError`] says what is wrong with the message, or that there is no room for it.
    pub fn send(
        &mut self,
        now: Time,
        stream: u16,
        ppid: Ppid,
        payload: &[u8],
        reliability: Reliability,
    ) -> Result<usize, SendError> {
        if self.state != SctpState::Connected {
            return Err(SendError::NotConnected);
        }
        if stream >= self.options.outgoing_streams {
            return Err(SendError::StreamId(stream));
        }
        let payload = if ppid.is_empty() { &[0] } else { payload };
        if payload.is_empty() {
            return Err(SendError::Empty);
        }
        let max = self.options.max_message_size;
        if payload.len() > max as usize {
            return Err(SendError::TooLarge { len: payload.len(), max });
        }
        self.check_room(payload.len())?;
        let reliability = if ppid == Ppid::Dcep { Reliability::default() } else { reliability };
        self.write(stream, ppid, payload, reliability)?;
        self.settle(now);
        Ok(self.buffered_amount(stream))
    }

    fn check_room(&mut self, len: usize) -> Result<(), SendError> {
        let cap = self.options.send_buffer_size as usize;
        if self.buffered_at_most.saturating_add(len) > cap
            && let Some(engine) = &mut self.engine
        {
            self.buffered_at_most = self.sending.keys().map(|stream| engine.buffered(*stream)).sum();
        }
        let buffered = self.buffered_at_most;
        if buffered > 0 && buffered.saturating_add(len) > cap {
            return Err(SendError::BufferFull { buffered });
        }
        Ok(())
    }

    fn write(
        &mut self,
        id: u16,
        ppid: Ppid,
        payload: &[u8],
        reliability: Reliability,
    ) -> Result<(), SendError> {
        let threshold = *self.sending.entry(id).or_default() as usize;
        let engine = self.engine.as_mut().ok_or(SendError::NotConnected)?;
        let association = &mut engine.association;
        let resetting = |_| SendError::Resetting(id);
        if association.stream(id).is_err() {
            association.open_stream(id, PayloadProtocolIdentifier::Binary).map_err(resetting)?;
        }
        let mut stream = association.stream(id).map_err(resetting)?;
        let (kind, value) = match reliability.limit {
            None => (ReliabilityType::Reliable, 0),
            Some(Limit::LifeTime(millis)) => (ReliabilityType::Timed, u32::from(millis)),
            Some(Limit::Retransmits(count)) => (ReliabilityType::Rexmit, u32::from(count)),
        };
        stream.set_reliability_params(!reliability.ordered, kind, value).map_err(resetting)?;
        stream.set_buffered_amount_low_threshold(threshold).map_err(resetting)?;
        stream.write_with_ppi(payload, ppid.identifier()).map_err(resetting)?;
        self.buffered_at_most = self.buffered_at_most.saturating_add(payload.len());
        Ok(())
    }

    /// Bytes of a stream that wait to be sent or acknowledged.
    pub fn buffered_amount(&mut self, stream: u16) -> usize {
        self.engine.as_mut().map_or(0, |engine| engine.buffered(stream))
    }

    /// From what number of waiting bytes downwards [`AssociationEvent::BufferedAmountLow`] tells of a stream, when it falls
    /// to it. Default 0.
    pub fn set_buffered_amount_low_threshold(&mut self, stream: u16, threshold: u32) {
        if stream >= self.options.outgoing_streams {
            return;
        }
        self.sending.insert(stream, threshold);
        if let Some(engine) = &mut self.engine
            && let Ok(mut stream) = engine.association.stream(stream)
        {
            // It fails for streams that are gone, which get it when they are opened again.
            let _ = stream.set_buffered_amount_low_threshold(threshold as usize);
        }
    }

    /// Closes a stream in both directions, as a data channel is closed (RFC 8831 section 6.7).
    pub fn reset_stream(&mut self, now: Time, stream: u16) {
        self.sending.remove(&stream);
        if let Some(engine) = &mut self.engine
            && let Ok(mut stream) = engine.association.stream(stream)
        {
            // It fails while the association is not connected, and then there is nothing to close.
            let _ = stream.close();
        }
        self.settle(now);
    }

    /// Ends the association. Take out what is left to send afterwards: a goodbye, where nothing waits.
    pub fn close(&mut self, now: Time) {
        if let Some(engine) = &mut self.engine
            && self.state == SctpState::Connected
        {
            // It fails where the remote shut down before, and then there is nothing to say.
            let _ = engine.association.shutdown();
            engine.transmit(now, &mut self.outgoing);
        }
        self.end(SctpState::Closed);
    }

    fn enter(&mut self, state: SctpState) {
        if self.state != state {
            self.state = state;
            self.events.push_back(AssociationEvent::State(state));
        }
    }

    fn end(&mut self, state: SctpState) {
        self.engine = None;
        self.sending.clear();
        self.buffered_at_most = 0;
        self.enter(state);
    }

    /// Follows up on whatever the library was given.
    fn settle(&mut self, now: Time) {
        let Some(mut engine) = self.engine.take() else { return };
        engine.transmit(now, &mut self.outgoing);
        let mut over = false;
        while let Some(event) = engine.poll() {
            match event {
                Event::Connected => self.enter(SctpState::Connected),
                Event::HandshakeFailed { .. } | Event::AssociationLost { .. } => over = true,
                Event::Stream(event) => over |= !self.follow_stream(&mut engine, event),
                _ => {}
            }
        }
        engine.transmit(now, &mut self.outgoing);
        // A remote that shuts down has its answer by now, and may be gone: nothing is worth waiting for.
        if over || engine.association.is_closing() {
            let connected = self.state == SctpState::Connected;
            self.end(if connected { SctpState::Closed } else { SctpState::Failed });
        } else {
            self.engine = Some(engine);
        }
    }

    /// Returns whether the association can go on.
    fn follow_stream(&mut self, engine: &mut Engine, event: StreamEvent) -> bool {
        match event {
            // The remote was told how many streams there are. The library would make every one that it names.
            StreamEvent::Opened { id } => return id < self.options.incoming_streams,
            StreamEvent::Readable { id } => self.read(engine, id),
            StreamEvent::Finished { id } => {
                self.sending.remove(&id);
                self.events.push_back(AssociationEvent::StreamReset(id));
            }
            StreamEvent::BufferedAmountLow { id } => {
                let buffered = engine.buffered(id);
                self.events.push_back(AssociationEvent::BufferedAmountLow { stream: id, buffered });
            }
            _ => {}
        }
        true
    }

    fn read(&mut self, engine: &mut Engine, id: u16) {
        let Ok(mut stream) = engine.association.stream(id) else { return };
        while let Ok(Some(chunks)) = stream.read_sctp() {
            let Some(ppid) = Ppid::of(chunks.ppi) else {
                self.counters.unknown_ppid += 1;
                continue;
            };
            let mut payload = vec![0; if ppid.is_empty() { 0 } else { chunks.len() }];
            // The buffer is as long as the message, or not wanted.
            let _ = chunks.read(&mut payload);
            let message = Message { stream: id, ppid, payload: payload.into() };
            self.events.push_back(AssociationEvent::Message(message));
        }
    }
}

/// Whether a packet begins with a chunk that has a place before the association stands: INIT, INIT ACK, ABORT, ERROR,
/// COOKIE ECHO, COOKIE ACK (RFC 9260 section 3.2).
fn is_handshake(datagram: &[u8]) -> bool {
    matches!(datagram.get(12), Some(1 | 2 | 6 | 9 | 10 | 11))
}
