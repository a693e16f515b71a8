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
    /// Absolute send time.
    pub abs_send_time: Option<u8>,
    /// Transport-wide sequence number.
    pub transport_wide_cc: Option<u8>,
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
            abs_send_time: id(HeaderExtensionUri::AbsSendTime),
            transport_wide_cc: id(HeaderExtensionUri::TransportWideCc),
            video_orientation: id(HeaderExtensionUri::VideoOrientation),
        }
    }

    /// The ids by the name that dumps give them.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, u8)> {
        let names = [
            ("mid", self.mid),
            ("rid", self.rid),
            ("rrid", self.repaired_rid),
            ("absSendTime", self.abs_send_time),
            ("transportWideCc01", self.transport_wide_cc),
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
    /// See [`id_bit`].
    ids: u32,
}

/// A bit for each id up to 15, and one for all above.
fn id_bit(id: u8) -> u32 {
    1 << id.min(16)
}

impl<'a> Elements<'a> {
    /// The elements of `packet`.
    pub fn of(packet: &RtpPacket<'a>) -> Self {
        let mut found = Self { elements: [(0, &[]); MAX_ELEMENTS], count: 0, long: false, ids: 0 };
        for (slot, (id, value)) in found.elements.iter_mut().zip(packet.extensions()) {
            *slot = (id, value);
            found.count += 1;
            found.long |= value.is_empty() || value.len() > 16;
            found.ids |= id_bit(id);
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

/// The most octets of a [`Block`], those of profile and length included.
const BLOCK_LEN: usize = 32;

/// A header extension in the one-byte form that is ready but for the values of the moment (RFC 8285 section 4.2).
#[derive(Clone, Copy, Debug, Default)]
struct Block {
    /// Profile, length, elements, padding; zero behind.
    octets: [u8; BLOCK_LEN],
    /// Octets up to the end of the last element; 0 for no header extension at all.
    end: u8,
    /// Where the absolute send time is, 0 for nowhere.
    abs_send_time_at: u8,
    /// Where the transport-wide sequence number is, 0 for nowhere.
    transport_sequence_number_at: u8,
}

impl Block {
    /// Appends an element and says where its value is. `None` if the form or the room does not allow it.
    fn push(&mut self, id: u8, value: &[u8]) -> Option<u8> {
        if !(1..=14).contains(&id) || !(1..=16).contains(&value.len()) {
            return None;
        }
        let start = usize::from(self.end).max(4);
        let end = start + 1 + value.len();
        let (head, place) = self.octets.get_mut(start..end)?.split_first_mut()?;
        *head = id << 4 | (value.len() as u8 - 1);
        place.copy_from_slice(value);
        self.close(end);
        Some(start as u8 + 1)
    }

    fn close(&mut self, end: usize) {
        self.end = end as u8;
        let words = end.div_ceil(4) - 1;
        let [a, b, c, d, ..] = &mut self.octets;
        [*a, *b, *c, *d] = [0xbe, 0xde, 0, words as u8];
    }

    /// Octets with padding.
    fn len(&self) -> usize {
        usize::from(self.end).next_multiple_of(4)
    }

    fn set(&mut self, at: u8, value: &[u8]) {
        let at = usize::from(at);
        if at > 0
            && let Some(place) = self.octets.get_mut(at..at + value.len())
        {
            place.copy_from_slice(value);
        }
    }
}

/// What a consumer writes into the header extension of its packets.
#[derive(Clone, Debug, Default)]
pub struct ExtensionPlan {
    /// Everything but copies, prepared; `None` where the one-byte form does not do.
    block: Option<Block>,
    /// The source ids that are copied, see [`id_bit`].
    copied_ids: u32,
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
                    plan.copied_ids |= id_bit(from.id);
                    match plan.copies.get_mut(usize::from(from.id)) {
                        Some(copy) => *copy = entry.id,
                        None => plan.long_copies.push((from.id, entry.id)),
                    }
                }
            }
            plan.two_byte |= entry.id > 14;
        }
        plan.block = plan.prepare();
        plan
    }

    fn prepare(&self) -> Option<Block> {
        let mut block = Block::default();
        if self.two_byte {
            return None;
        }
        if let Some((id, mid)) = &self.mid {
            block.push(*id, mid)?;
        }
        if let Some(id) = self.abs_send_time {
            block.abs_send_time_at = block.push(id, &[0; 3])?;
        }
        if let Some(id) = self.transport_wide_cc {
            block.transport_sequence_number_at = block.push(id, &[0; 2])?;
        }
        Some(block)
    }

    /// The header extension of a packet of `elements` in the one-byte form, and its length: 0 for none. `None` if it takes
    /// more than what was prepared; [`write`](Self::write) does it then.
    #[inline]
    pub fn short_form(
        &self,
        elements: &Elements<'_>,
        values: SendValues,
    ) -> Option<([u8; BLOCK_LEN], usize)> {
        let mut block = self.block.filter(|_| !elements.long)?;
        if block.abs_send_time_at > 0 {
            block.set(block.abs_send_time_at, &extension::write_abs_send_time(values.abs_send_time));
        }
        if block.transport_sequence_number_at > 0 {
            let at = block.transport_sequence_number_at;
            block.set(at, &values.transport_sequence_number.to_be_bytes());
        }
        if self.copied_ids & elements.ids != 0 {
            for (from, value) in elements.iter() {
                if let Some(id) = self.copy_of(from) {
                    block.push(id, value)?;
                }
            }
        }
        Some((block.octets, block.len()))
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

#[cfg(test)]
mod tests {
    use super::*;
    use tureen_rtp_wire::rtp::{ExtensionForm, RtpHeader};

    fn parameters(entries: &[(HeaderExtensionUri, u8)]) -> Vec<RtpHeaderExtensionParameters> {
        let entry = |(uri, id): &(HeaderExtensionUri, u8)| RtpHeaderExtensionParameters {
            uri: uri.clone(),
            id: *id,
            encrypt: false,
            parameters: Default::default(),
        };
        entries.iter().map(entry).collect()
    }

    /// The same element by element, as the writer has it.
    fn written(plan: &ExtensionPlan, elements: &Elements<'_>, values: SendValues) -> Vec<u8> {
        let mut bytes = [0; 200];
        let mut writer =
            RtpWriter::new(&mut bytes, &RtpHeader::default(), ExtensionForm::OneByte).expect("room");
        plan.write(&mut writer, elements, values).expect("room");
        let len = writer.finish();
        bytes[12..len].to_vec()
    }

    #[test]
    fn the_prepared_block_is_what_the_writer_writes() {
        use HeaderExtensionUri::{AbsSendTime, Mid, TransportWideCc, VideoOrientation};
        let source = parameters(&[(AbsSendTime, 2), (VideoOrientation, 5)]);
        let mut packet = [0; 100];
        let mut writer =
            RtpWriter::new(&mut packet, &RtpHeader::default(), ExtensionForm::OneByte).expect("room");
        writer.push_extension(2, &[9; 3]).expect("room");
        writer.push_extension(5, &[7]).expect("room");
        let len = writer.finish();
        let packet = RtpPacket::parse(&packet[..len]).expect("a packet");
        let bare = RtpPacket::parse(&[0x80; 12]).expect("a packet");
        let values = SendValues { abs_send_time: 0x01_0203, transport_sequence_number: 0x0405 };
        let all = [(Mid, 1), (AbsSendTime, 4), (TransportWideCc, 5), (VideoOrientation, 11)];
        for count in 0..=all.len() {
            for (mid, per_send) in [("0", true), ("12345678", true), ("1234567890123456", false)] {
                let plan = ExtensionPlan::new(&parameters(&all[..count]), &source, Some(mid), per_send);
                for packet in [&packet, &bare] {
                    let elements = Elements::of(packet);
                    let (block, len) = plan.short_form(&elements, values).expect("it fits");
                    assert_eq!(block[..len], written(&plan, &elements, values), "{count} {mid}");
                }
            }
        }
    }

    #[test]
    fn what_is_too_long_is_left_to_the_writer() {
        let plan =
            |mid| ExtensionPlan::new(&parameters(&[(HeaderExtensionUri::Mid, 1)]), &[], Some(mid), true);
        let packet = RtpPacket::parse(&[0x80; 12]).expect("a packet");
        let values = SendValues { abs_send_time: 0, transport_sequence_number: 0 };
        assert!(plan("12345678901234567").short_form(&Elements::of(&packet), values).is_none());
        assert!(plan("1").short_form(&Elements::of(&packet), values).is_some());
    }
}
