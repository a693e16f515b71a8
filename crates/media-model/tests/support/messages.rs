//! A Core whose transports carry messages, and what is at their other ends.

use super::{Bench, address};
use std::collections::BTreeMap;
use tureen_data::{Association, AssociationEvent, AssociationOptions, Message, Ppid, Reliability};
use tureen_media_model::*;
use tureen_rtp_dictionaries::{SctpState, SctpStreamParameters};
use tureen_rtp_wire::Time;
use tureen_transport::{BoundSocket, PlainConnectOptions, PlainTransport, PlainTransportOptions, SocketId};

/// A Core, and at the sockets of its transports one association each.
pub struct Scene {
    pub bench: Bench,
    pub remotes: BTreeMap<u32, Remote>,
}

pub struct Remote {
    pub association: Association,
    pub received: Vec<Message>,
    pub resets: Vec<u16>,
}

pub fn stream(stream_id: u16) -> SctpStreamParameters {
    SctpStreamParameters { stream_id, ordered: None, max_packet_life_time: None, max_retransmits: None }
}

impl Scene {
    pub fn new() -> Self {
        Self { bench: Bench::new(), remotes: BTreeMap::new() }
    }

    pub fn add(&mut self, socket: u32, options: TransportOptions) -> Result<TransportId, AddTransportError> {
        let id = TransportId(self.bench.id());
        let bound = BoundSocket { id: SocketId(socket), local: address(40_000 + socket as u16) };
        let adapter = PlainTransportOptions { enable_sctp: options.sctp.is_some(), ..Default::default() };
        let transport = PlainTransport::new(&adapter, bound, None, &[0; 46]);
        let router = self.bench.router;
        self.bench.ask(AddTransport { router, id, transport, options }).map(|()| id)
    }

    /// A transport with SCTP whose remote has an association with it.
    pub fn sctp(&mut self, socket: u32, sctp: SctpOptions) -> TransportId {
        self.connected(socket, sctp, None)
    }

    pub fn connected(&mut self, socket: u32, sctp: SctpOptions, pipe: Option<PipeOptions>) -> TransportId {
        let options = TransportOptions { sctp: Some(sctp), pipe, ..Default::default() };
        let id = self.add(socket, options).unwrap();
        let association = Association::new(self.bench.now, AssociationOptions::default()).unwrap();
        self.remotes.insert(socket, Remote { association, received: vec![], resets: vec![] });
        let remote = address(10_000 + socket as u16);
        let options =
            PlainConnectOptions { ip: Some(remote.ip()), port: Some(remote.port()), ..Default::default() };
        self.bench.ask(ConnectTransport { id, options }).unwrap().unwrap();
        self.run(2_000);
        assert_eq!(self.remotes[&socket].association.state(), SctpState::Connected);
        id
    }

    /// The same that leads to another router.
    pub fn pipe(&mut self, socket: u32) -> TransportId {
        self.connected(socket, SctpOptions::default(), Some(PipeOptions::default()))
    }

    pub fn direct(&mut self, socket: u32) -> TransportId {
        self.add(socket, TransportOptions { direct: true, ..Default::default() }).unwrap()
    }

    pub fn produce(
        &mut self,
        transport: TransportId,
        stream: Option<SctpStreamParameters>,
    ) -> DataProducerId {
        let id = DataProducerId(self.bench.id());
        let options = DataProducerOptions {
            id,
            sctp_stream_parameters: stream,
            label: "chat".to_owned(),
            protocol: "text".to_owned(),
            paused: false,
        };
        self.bench.ask(ProduceData { transport, options }).unwrap().id
    }

    pub fn options(&mut self, data_producer_id: DataProducerId) -> DataConsumerOptions {
        DataConsumerOptions {
            id: DataConsumerId(self.bench.id()),
            data_producer_id,
            ordered: None,
            max_packet_life_time: None,
            max_retransmits: None,
            paused: false,
            subchannels: vec![],
        }
    }

    pub fn consume(&mut self, transport: TransportId, producer: DataProducerId) -> DataConsumerInfo {
        let options = self.options(producer);
        self.bench.ask(ConsumeData { transport, options }).unwrap()
    }

    pub fn say(&mut self, socket: u32, stream: u16, text: &str) {
        self.send(socket, stream, Ppid::String, text.as_bytes());
    }

    pub fn send(&mut self, socket: u32, stream: u16, ppid: Ppid, bytes: &[u8]) {
        let now = self.bench.now;
        let association = &mut self.remotes.get_mut(&socket).unwrap().association;
        association.send(now, stream, ppid, bytes, Reliability::default()).unwrap();
        self.run(100);
    }

    /// Gives a message to the association, which is yet to send it.
    pub fn send_at_once(&mut self, socket: u32, stream: u16) {
        let association = &mut self.remotes.get_mut(&socket).unwrap().association;
        association.send(self.bench.now, stream, Ppid::String, b"more", Reliability::default()).unwrap();
    }

    /// Exchanges datagrams without delay for so many milliseconds.
    pub fn run(&mut self, millis: u64) {
        let end = Time::from_millis(self.bench.now.as_millis() + millis);
        while self.bench.now < end {
            for _ in 0..100 {
                self.exchange();
            }
            self.bench.pass(10);
        }
    }

    pub fn exchange(&mut self) {
        let now = self.bench.now;
        for (socket, remote) in &mut self.remotes {
            if remote.association.poll_timeout() <= now {
                remote.association.handle_timeout(now);
            }
            while let Some(datagram) = remote.association.poll_transmit() {
                self.bench.receive(*socket, &datagram);
            }
            for datagram in self.bench.sent_to(*socket).0 {
                remote.association.handle_datagram(now, &datagram);
            }
            while let Some(event) = remote.association.poll_event() {
                match event {
                    AssociationEvent::Message(message) => remote.received.push(message),
                    AssociationEvent::StreamReset(stream) => remote.resets.push(stream),
                    _ => {}
                }
            }
        }
    }

    /// What a remote heard since the last call: stream and text.
    pub fn heard(&mut self, socket: u32) -> Vec<(u16, String)> {
        let received = std::mem::take(&mut self.remotes.get_mut(&socket).unwrap().received);
        let text = |message: Message| String::from_utf8(message.payload.to_vec()).unwrap();
        received.into_iter().map(|message| (message.stream, text(message))).collect()
    }

    /// What the program was told by messages since the last call.
    pub fn told(&mut self) -> Vec<(DataConsumerId, String)> {
        let events = self.bench.events().into_iter();
        let text = |event| match event {
            Event::DataConsumer(id, DataConsumerEvent::Message { payload, .. }) => {
                Some((id, String::from_utf8(payload.to_vec()).unwrap()))
            }
            _ => None,
        };
        events.filter_map(text).collect()
    }
}
