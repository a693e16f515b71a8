//! Both ends of one viewer's way, whoever made them: the bench's own, or a pair of endpoints of `str0m`.
//!
//! What passes between them is opaque to who carries it, but for its size. Must not know the link.

use crate::decoder::Decoder;
use crate::forwarding::Switch;
use crate::pair::{Pair, PairError};
use crate::receiver::{Payload, Receiver, Reply};
use crate::scenario::Scenario;
use crate::sender::{Outgoing, Sender};
use crate::source::Packet;
use crate::system::{Controller, System};
use std::time::Duration;
use tureen_rtp_wire::Time;

/// What goes to the viewer.
#[derive(Clone, Debug)]
pub enum Carried {
    /// Of the bench's own ends.
    Packet {
        /// The transport-wide number.
        wide: u16,
        /// What it is.
        payload: Payload,
    },
    /// Of endpoints.
    Datagram(Vec<u8>),
}

/// What goes back to the server.
#[derive(Clone, Debug)]
pub enum Said {
    /// By the bench's own viewer.
    Reply(Reply),
    /// By an endpoint.
    Datagram(Vec<u8>),
}

/// What leaves the server.
#[derive(Clone, Debug)]
pub struct Leaving {
    /// Bytes.
    pub size: u16,
    /// What it is.
    pub carried: Carried,
    /// How long a packet of pictures waited in the pacer.
    pub waited: Option<Duration>,
}

/// Both ends.
#[derive(Debug)]
pub enum Ends {
    /// The bench's own.
    Own {
        /// The server's end.
        sender: Box<Sender>,
        /// The viewer's.
        receiver: Box<Receiver>,
    },
    /// Endpoints of `str0m`.
    Pair(Box<Pair>),
}

impl Ends {
    /// The ends of a system, ready for a viewer who joins at this time.
    ///
    /// # Errors
    /// If endpoints do not connect.
    pub fn new(system: System, scenario: &Scenario, joins: Time) -> Result<Self, PairError> {
        let own = |controller| Self::Own {
            sender: Box::new(Sender::new(scenario.ladder, controller)),
            receiver: Box::new(Receiver::new(scenario.delay * 2)),
        };
        Ok(match system {
            System::Tureen => own(Controller::own()),
            System::Gcc => own(Controller::gcc()),
            System::Str0m => Self::Pair(Box::new(Pair::connect(scenario.ladder, scenario.delay, joins)?)),
        })
    }

    /// A packet of sound is to be sent.
    pub fn on_audio(&mut self, now: Time, size: u16) {
        match self {
            Self::Own { sender, .. } => sender.on_audio(now, size),
            Self::Pair(pair) => pair.on_audio(now, size),
        }
    }

    /// A packet of the source is to be sent, if it is of the rung that is forwarded.
    pub fn on_video(&mut self, now: Time, packet: Packet) {
        match self {
            Self::Own { sender, .. } => sender.on_video(now, packet),
            Self::Pair(pair) => pair.on_video(now, packet),
        }
    }

    /// What the viewer said has come to the server.
    pub fn on_said(&mut self, now: Time, said: Said) {
        match (self, said) {
            (Self::Own { sender, .. }, Said::Reply(reply)) => sender.on_reply(now, reply),
            (Self::Pair(pair), Said::Datagram(datagram)) => pair.on_answer(now, &datagram),
            // Nobody else's comes here.
            _ => {}
        }
    }

    /// The next packet that leaves the server now.
    pub fn poll_server(&mut self, now: Time) -> Option<Leaving> {
        match self {
            Self::Own { sender, .. } => sender.poll(now).map(|Outgoing { wide, size, payload, waited }| {
                let waited = matches!(payload, Payload::Video { .. }).then_some(waited);
                Leaving { size, carried: Carried::Packet { wide, payload }, waited }
            }),
            Self::Pair(pair) => pair.poll_server(now),
        }
    }

    /// The rung of which a key frame is to be asked for, once.
    pub fn take_key_frame_request(&mut self) -> Option<usize> {
        match self {
            Self::Own { sender, .. } => sender.forwarding.take_key_frame_request(),
            Self::Pair(pair) => pair.take_key_frame_request(),
        }
    }

    /// When to poll the server next.
    pub fn server_deadline(&self) -> Time {
        match self {
            Self::Own { sender, .. } => sender.next_deadline(),
            Self::Pair(pair) => pair.server_deadline(),
        }
    }

    /// A packet has come to the viewer: what that says to it.
    pub fn on_arrival(&mut self, now: Time, size: u16, carried: Carried) -> Vec<Said> {
        match (self, carried) {
            (Self::Own { receiver, .. }, Carried::Packet { wide, payload }) => {
                let mut replies = Vec::new();
                receiver.on_packet(now, wide, size, payload, &mut replies);
                replies.into_iter().map(Said::Reply).collect()
            }
            (Self::Pair(pair), Carried::Datagram(datagram)) => pair.on_arrival(now, &datagram),
            // As above.
            _ => Vec::new(),
        }
    }

    /// What the viewer says now.
    pub fn poll_viewer(&mut self, now: Time) -> Vec<Said> {
        match self {
            Self::Own { receiver, .. } => {
                let mut replies = Vec::new();
                receiver.poll(now, &mut replies);
                replies.into_iter().map(Said::Reply).collect()
            }
            Self::Pair(pair) => pair.poll_viewer(now),
        }
    }

    /// When to poll the viewer next.
    pub fn viewer_deadline(&self) -> Time {
        match self {
            Self::Own { receiver, .. } => receiver.next_deadline(),
            Self::Pair(pair) => pair.viewer_deadline(),
        }
    }

    /// The estimate, in bits per second.
    pub fn target_bitrate(&self) -> u64 {
        match self {
            Self::Own { sender, .. } => sender.target_bitrate(),
            Self::Pair(pair) => pair.target_bitrate(),
        }
    }

    /// Bits per second of the rung that is forwarded.
    pub fn rung_bitrate(&self) -> u64 {
        match self {
            Self::Own { sender, .. } => sender.forwarding.rung_bitrate(),
            Self::Pair(pair) => pair.rung_bitrate(),
        }
    }

    /// Bytes of sound and pictures that arrived.
    pub fn media_bytes(&self) -> u64 {
        match self {
            Self::Own { receiver, .. } => receiver.decoder.media_bytes,
            Self::Pair(pair) => pair.decoder().media_bytes,
        }
    }

    /// What the viewer saw, and the changes of rung.
    ///
    /// # Errors
    /// If an endpoint gave up on the way.
    pub fn finish(self) -> Result<(Decoder, Vec<Switch>), PairError> {
        match self {
            Self::Own { sender, receiver } => Ok((receiver.decoder, sender.forwarding.switches)),
            Self::Pair(pair) => pair.finish(),
        }
    }
}
