//! Notes for log lines: what happens beside the packet path and is no event of an object, told while somebody asks for its topic.
//!
//! Of each topic there are [`NOTES_PER_SECOND`] at most, whatever comes in; the next one says how many were left out. Must not know
//! how a line looks.

use crate::id::{ConsumerId, DataConsumerId, DataProducerId, ProducerId, TransportId};
use crate::trace::BweTrace;
use tureen_data::Ppid;
use tureen_rtp_wire::Time;
use tureen_transport::RejectReason;

/// The most notes of one topic that a Core tells in a second.
pub const NOTES_PER_SECOND: u32 = 20;

/// What notes are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NoteTopic {
    /// Packets that SRTP does not let through.
    Srtp,
    /// Packets asked for and sent again.
    Rtx,
    /// Estimates of paths.
    Bwe,
    /// Messages of data channels.
    Message,
}

impl NoteTopic {
    const COUNT: usize = 4;
}

/// The topics that are asked for. Default: none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NoteTopics {
    /// [`NoteTopic::Srtp`].
    pub srtp: bool,
    /// [`NoteTopic::Rtx`].
    pub rtx: bool,
    /// [`NoteTopic::Bwe`].
    pub bwe: bool,
    /// [`NoteTopic::Message`].
    pub message: bool,
}

impl NoteTopics {
    fn has(self, topic: NoteTopic) -> bool {
        match topic {
            NoteTopic::Srtp => self.srtp,
            NoteTopic::Rtx => self.rtx,
            NoteTopic::Bwe => self.bwe,
            NoteTopic::Message => self.message,
        }
    }
}

/// Something worth a line in a log.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Note {
    /// Keys do not fit, a packet came twice, or there are no keys yet.
    Refused {
        /// The transport that it came to.
        transport: TransportId,
        /// Why.
        reason: RejectReason,
        /// Datagrams that the transport refused for this reason so far.
        datagrams: u64,
    },
    /// A producer's endpoint was asked to send packets again.
    AskedAgain {
        /// The producer.
        producer: ProducerId,
        /// The stream.
        ssrc: u32,
        /// How many packets.
        packets: usize,
    },
    /// A consumer's endpoint asked for packets.
    SentAgain {
        /// The consumer.
        consumer: ConsumerId,
        /// The stream.
        ssrc: u32,
        /// How many packets it asked for.
        asked: usize,
        /// How many of them were sent again, or wait for room on the path.
        answered: usize,
    },
    /// What a transport may send changed.
    Estimate {
        /// The transport.
        transport: TransportId,
        /// What it is now.
        estimate: BweTrace,
    },
    /// A message of a data producer was passed on.
    Message {
        /// The data producer.
        data_producer: DataProducerId,
        /// What it is.
        ppid: Ppid,
        /// Bytes of its payload.
        bytes: usize,
    },
    /// Messages for a data consumer found no room, or nothing that could carry them.
    MessageLost {
        /// The data consumer.
        data_consumer: DataConsumerId,
        /// Messages that it lost so far.
        messages: u64,
    },
    /// Messages of a data producer came faster than its transport may bring them.
    MessageLimited {
        /// The data producer.
        data_producer: DataProducerId,
        /// Messages that went no further so far.
        messages: u64,
    },
    /// A message came on a stream that is no data producer's, or is not framed as it has to be.
    MessageUnclaimed {
        /// The transport that it came to.
        transport: TransportId,
        /// The stream.
        stream: u16,
    },
}

impl Note {
    /// What it is about.
    pub fn topic(&self) -> NoteTopic {
        match self {
            Self::Refused { .. } => NoteTopic::Srtp,
            Self::AskedAgain { .. } | Self::SentAgain { .. } => NoteTopic::Rtx,
            Self::Estimate { .. } => NoteTopic::Bwe,
            Self::Message { .. }
            | Self::MessageLost { .. }
            | Self::MessageLimited { .. }
            | Self::MessageUnclaimed { .. } => NoteTopic::Message,
        }
    }

    /// The note of a datagram that was refused, if that was for its protection.
    pub(crate) fn of_refusal(transport: TransportId, reason: RejectReason, datagrams: u64) -> Option<Self> {
        let is_protection = matches!(
            reason,
            RejectReason::NotGenuine | RejectReason::Replayed | RejectReason::CipherNotReady
        );
        is_protection.then_some(Self::Refused { transport, reason, datagrams })
    }
}

/// What is left of a topic's notes in the second that it counts.
#[derive(Clone, Copy, Debug, Default)]
struct Budget {
    second: u64,
    told: u32,
    left_out: u64,
}

/// Which notes are told.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    topics: NoteTopics,
    budgets: [Budget; NoteTopic::COUNT],
}

impl Notes {
    /// Exchanges the topics; returns those before.
    pub(crate) fn ask_for(&mut self, topics: NoteTopics) -> NoteTopics {
        self.budgets = Default::default();
        std::mem::replace(&mut self.topics, topics)
    }

    pub(crate) fn wants(&self, topic: NoteTopic) -> bool {
        self.topics.has(topic)
    }

    /// Whether a note is told now; if so, how many before it were left out.
    pub(crate) fn admit(&mut self, now: Time, topic: NoteTopic) -> Option<u64> {
        if !self.wants(topic) {
            return None;
        }
        let second = now.as_millis() / 1000;
        let budget = self.budgets.get_mut(topic as usize)?;
        if budget.second != second {
            (budget.second, budget.told) = (second, 0);
        }
        if budget.told >= NOTES_PER_SECOND {
            budget.left_out += 1;
            return None;
        }
        budget.told += 1;
        Some(std::mem::take(&mut budget.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_each_topic_so_many_are_told_a_second_and_the_next_says_what_was_left_out() {
        let mut notes = Notes::default();
        let all = NoteTopics { srtp: true, rtx: true, bwe: false, message: false };
        assert_eq!(notes.ask_for(all), NoteTopics::default());
        let (now, later) = (Time::from_millis(5_100), Time::from_millis(6_000));
        let told = (0..50).filter(|_| notes.admit(now, NoteTopic::Rtx).is_some()).count();
        assert_eq!(told, NOTES_PER_SECOND as usize);
        assert_eq!(notes.admit(now, NoteTopic::Srtp), Some(0), "each topic has its own");
        assert_eq!(notes.admit(later, NoteTopic::Rtx), Some(30));
        assert_eq!(notes.admit(later, NoteTopic::Rtx), Some(0));
        assert_eq!(notes.admit(later, NoteTopic::Bwe), None, "nobody asked for it");
    }
}
