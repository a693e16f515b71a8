//! Header extensions on the packet path: which ids a source uses, and what a consumer makes of them (RFC 8285).
//!
//! Must not know negotiation, only its result.

use smallvec::SmallVec;
use tureen_rtp_dictionaries::{HeaderExtensionUri, RtpHeaderExtensionParameters};
use tureen_rtp_wire::rtp::{RtpPacket, RtpWriter, extension};

/// Ids of the extensions that the Core itself reads from incoming packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SourceExtensions {
    /// MID.
    pub mid: Option<u8>,
    /// RID.
    pub rid: Option<u8>,
    /// RID of what an RTX stream repairs.
    pub repaired_rid: Option<u8>,
    /// Video orientation.
    pub video_orientation: Option<u8>,
}

impl SourceExtensions {
    /// The ids among `parameters`.
    pub fn new(parameters: &[RtpHeaderExtensionParameters]) -> Self {
        let id =
            |uri: HeaderExtensionUri| parameters.iter().find(|entry| entry.uri == uri).map(|entry| entry.id);
        Self {
            mid: id(HeaderExtensionUri::Mid),
            rid: id(HeaderExtensionUri::RtpStreamId),
            repaired_rid: id(HeaderExtensionUri::RepairedRtpStreamId),
            video_orientation: id(HeaderExtensionUri::VideoOrientation),
        }
    }

    /// The ids by the name that dumps give them.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, u8)> {
        let names = [
            ("mid", self.mid),
            ("rid", self.rid),
            ("rrid", self.repaired_rid),
            ("videoOrientation", self.video_orientation),
        ];
        names.into_iter().filter_map(|(name, id)| Some((name, id?)))
    }
}

/// The most elements of one packet that are carried over.
const MAX_ELEMENTS: usize = 16;

/// The extension elements of one incoming packet, found once and used for every consumer.
#[derive(Clone, Copy, Debug)]
pub struct Elements<'a> {
    elements: [(u8, &'a [u8]); MAX_ELEMENTS],
    count: usize,
    long: bool,
}

impl<'a> Elements<'a> {
    /// The elements of `packet`.
    pub fn of(packet: &RtpPacket<'a>) -> Self {
        let mut found = Self { elements: [(0, &[]); MAX_ELEMENTS], count: 0, long: false };
        for (slot, (id, value)) in found.elements.iter_mut().zip(packet.extensions()) {
            *slot = (id, value);
            found.count += 1;
            found.long |= value.is_empty() || value.len() > 16;
        }
        found
    }

    fn iter(&self) -> impl Iterator<Item = (u8, &'a [u8])> {
        self.elements.iter().take(self.count).copied()
    }
}

/// What the extensions of one outgoing packet say that its source does not know.
#[derive(Clone, Copy, Debug)]
pub struct SendValues {
    /// 24-bit absolute send time.
    pub abs_send_time: u32,
    /// Transport-wide sequence number.
    pub transport_sequence_number: u16,
}

/// What a consumer writes into the header extension of its packets.
#[derive(Clone, Debug, Default)]
pub struct ExtensionPlan {
    mid: Option<(u8, SmallVec<[u8; 8]>)>,
    abs_send_time: Option<u8>,
    transport_wide_cc: Option<u8>,
    /// Source id (0 to 15) to own id, 0 for none.
    copies: [u8; 16],
    /// The same for source ids over 15.
    long_copies: SmallVec<[(u8, u8); 2]>,
    two_byte: bool,
}

impl ExtensionPlan {
    /// A plan from what the consumer and its source negotiated. With `per_send` false, values that differ each time a
    /// packet is sent are left out.
    pub fn new(
        consumer: &[RtpHeaderExtensionParameters],
        source: &[RtpHeaderExtensionParameters],
        mid: Option<&str>,
        per_send: bool,
    ) -> Self {
        let mut plan = Self::default();
        for entry in consumer {
            match entry.uri {
                HeaderExtensionUri::Mid => plan.mid = mid.map(|mid| (entry.id, mid.as_bytes().into())),
                HeaderExtensionUri::AbsSendTime => plan.abs_send_time = per_send.then_some(entry.id),
                HeaderExtensionUri::TransportWideCc => plan.transport_wide_cc = per_send.then_some(entry.id),
                HeaderExtensionUri::RtpStreamId
                | HeaderExtensionUri::RepairedRtpStreamId
                | HeaderExtensionUri::TimeOffset => continue,
                _ => {
                    let Some(from) = source.iter().find(|other| other.uri == entry.uri) else { continue };
                    match plan.copies.get_mut(usize::from(from.id)) {
                        Some(copy) => *copy = entry.id,
                        None => plan.long_copies.push((from.id, entry.id)),
                    }
                }
            }
            plan.two_byte |= entry.id > 14;
        }
        plan
    }

    /// Whether packets carry a transport-wide sequence number.
    pub fn has_transport_sequence_number(&self) -> bool {
        self.transport_wide_cc.is_some()
    }

    /// Whether the packet of `elements` needs the two-byte form.
    pub fn two_byte(&self, elements: &Elements<'_>) -> bool {
        self.two_byte || elements.long
    }

    /// Writes the elements. `None` if they do not fit.
    pub fn write(
        &self,
        writer: &mut RtpWriter<'_>,
        elements: &Elements<'_>,
        values: SendValues,
    ) -> Option<()> {
        if let Some((id, mid)) = &self.mid {
            writer.push_extension(*id, mid).ok()?;
        }
        if let Some(id) = self.abs_send_time {
            let bytes = extension::write_abs_send_time(values.abs_send_time);
            writer.push_extension(id, &bytes).ok()?;
        }
        if let Some(id) = self.transport_wide_cc {
            writer.push_extension(id, &values.transport_sequence_number.to_be_bytes()).ok()?;
        }
        for (from, value) in elements.iter() {
            if let Some(id) = self.copy_of(from) {
                writer.push_extension(id, value).ok()?;
            }
        }
        Some(())
    }

    fn copy_of(&self, from: u8) -> Option<u8> {
        match self.copies.get(usize::from(from)) {
            Some(0) => None,
            Some(&id) => Some(id),
            None => self.long_copies.iter().find(|(other, _)| *other == from).map(|&(_, id)| id),
        }
    }
}
