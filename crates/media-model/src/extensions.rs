//! Header extensions on the packet path: which ids a source uses, and what a consumer makes of them (RFC 8285).
//!
//! Must not know negotiation, only its result.

use smallvec::SmallVec;
use tureen_forwarding::ActiveTargets;
use tureen_rtp_dictionaries::{HeaderExtensionUri, RtpHeaderExtensionParameters};
use tureen_rtp_wire::dependency_descriptor::add_to_frame_number;
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
    /// Dependency descriptor.
    pub dependency_descriptor: Option<u8>,
    /// Audio level.
    pub audio_level: Option<u8>,
    /// Absolute capture time.
    pub abs_capture_time: Option<u8>,
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
            dependency_descriptor: id(HeaderExtensionUri::DependencyDescriptor),
            audio_level: id(HeaderExtensionUri::SsrcAudioLevel),
            abs_capture_time: id(HeaderExtensionUri::AbsCaptureTime),
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
            ("dependencyDescriptor", self.dependency_descriptor),
            ("ssrcAudioLevel", self.audio_level),
            ("absCaptureTime", self.abs_capture_time),
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
    /// Those of a packet of our own.
    pub(crate) const fn none() -> Self {
        Self { elements: [(0, &[]); MAX_ELEMENTS], count: 0, long: false, ids: 0 }
    }

    /// The elements of `packet`.
    pub fn of(packet: &RtpPacket<'a>) -> Self {
        let mut found = Self::none();
        for (slot, (id, value)) in found.elements.iter_mut().zip(packet.extensions()) {
            *slot = (id, value);
            found.count += 1;
            found.long |= value.is_empty() || value.len() > 16;
            found.ids |= id_bit(id);
        }
        found
    }

    /// Whether one has this id; one over 15 counts for all of these.
    pub(crate) fn has(&self, id: u8) -> bool {
        self.ids & id_bit(id) != 0
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
    /// What is added to the frame number of a dependency descriptor.
    pub frame_number_offset: u16,
    /// What a dependency descriptor is to say of decode targets, if not what it says.
    pub active_targets: Option<ActiveTargets>,
}

/// The longest value of an element in the one-byte and the two-byte form (RFC 8285 sections 4.2 and 4.3).
const LONGEST_SHORT: usize = 16;
const LONGEST: usize = 255;

/// The most octets of a prepared header extension, those of profile and length included.
pub(crate) const BLOCK_LEN: usize = 32;

/// A header extension in the one-byte form that is ready but for the values of the moment (RFC 8285 section 4.2).
///
/// What changes with each packet stands first, in the octets 4 to 12, so that it is one number and written at once: octets that are
/// written one by one and read together, as the cipher does right after, make the processor wait.
#[derive(Clone, Copy, Debug, Default)]
struct Block {
    /// Profile, length, elements, padding; zero behind.
    octets: [u8; BLOCK_LEN],
    /// The octets 4 to 12, without the values of the moment.
    changing: u64,
    abs_send_time: Place,
    transport_sequence_number: Place,
    /// Octets up to the end of the last element; 0 for no header extension at all.
    end: u8,
}

/// Where a value goes within the octets 4 to 12.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    /// Which bits of the value; none where the extension is not negotiated.
    mask: u32,
    shift: u8,
}

impl Place {
    /// The place of a value of `len` octets whose element ends at octet `end` of the block.
    fn before(end: u8, len: u32) -> Self {
        Self { mask: u32::MAX >> (32 - 8 * len), shift: 8 * (12 - end) }
    }

    #[inline]
    fn put(self, value: u32) -> u64 {
        u64::from(value & self.mask) << self.shift
    }
}

impl Block {
    /// Appends an element. `None` if the form or the room does not allow it.
    fn push(&mut self, id: u8, value: &[u8]) -> Option<()> {
        self.end = push(&mut self.octets, self.end, id, value)?;
        Some(())
    }
}

/// Appends an element to a block of `end` octets; returns its new end. `None` if the form or the room does not allow it.
fn push(octets: &mut [u8; BLOCK_LEN], end: u8, id: u8, value: &[u8]) -> Option<u8> {
    if !(1..=14).contains(&id) || !(1..=16).contains(&value.len()) {
        return None;
    }
    let start = usize::from(end).max(4);
    let end = start + 1 + value.len();
    let (head, place) = octets.get_mut(start..end)?.split_first_mut()?;
    *head = id << 4 | (value.len() as u8 - 1);
    place.copy_from_slice(value);
    let words = end.div_ceil(4) - 1;
    let [a, b, c, d, ..] = octets;
    [*a, *b, *c, *d] = [0xbe, 0xde, 0, words as u8];
    Some(end as u8)
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
    /// The own id of dependency descriptors.
    dependency_descriptor: Option<u8>,
    /// Source id (0 to 15) to own id, 0 for none.
    copies: [u8; 16],
    /// The same for source ids over 15.
    long_copies: SmallVec<[(u8, u8); 2]>,
    two_byte: bool,
    by_stream: bool,
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
                    if entry.uri == HeaderExtensionUri::DependencyDescriptor {
                        plan.dependency_descriptor = Some(entry.id);
                    }
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
        if let Some(id) = self.abs_send_time {
            block.push(id, &[0; 3])?;
            block.abs_send_time = Place::before(block.end, 3);
        }
        if let Some(id) = self.transport_wide_cc {
            block.push(id, &[0; 2])?;
            block.transport_sequence_number = Place::before(block.end, 2);
        }
        if let Some((id, mid)) = &self.mid {
            block.push(*id, mid)?;
        }
        let changing = block.octets.get(4..).and_then(|octets| octets.first_chunk());
        block.changing = changing.map_or(0, |octets| u64::from_be_bytes(*octets));
        Some(block)
    }

    /// Writes the header extension of a packet of `elements` in the one-byte form to `place` and returns its length: 0 for none.
    /// `None` if it takes more than what was prepared; [`write`](Self::write) does it then.
    #[inline]
    pub fn write_short(
        &self,
        place: &mut [u8; BLOCK_LEN],
        elements: &Elements<'_>,
        values: SendValues,
    ) -> Option<usize> {
        let block = self.block.as_ref().filter(|_| !elements.long)?;
        *place = block.octets;
        let changing = block.changing
            | block.abs_send_time.put(values.abs_send_time)
            | block.transport_sequence_number.put(u32::from(values.transport_sequence_number));
        *place.get_mut(4..)?.first_chunk_mut()? = changing.to_be_bytes();
        let mut end = block.end;
        if self.copied_ids & elements.ids != 0 {
            end = self.append_copies(place, end, elements, values)?;
        }
        Some(usize::from(end).next_multiple_of(4))
    }

    fn append_copies(
        &self,
        place: &mut [u8; BLOCK_LEN],
        end: u8,
        elements: &Elements<'_>,
        values: SendValues,
    ) -> Option<u8> {
        let mut end = end;
        for (from, value) in elements.iter() {
            let Some(id) = self.copy_of(from) else { continue };
            if self.dependency_descriptor != Some(id) {
                end = push(place, end, id, value)?;
            } else if values.active_targets.is_some_and(|targets| targets.concern(value)) {
                let mut room = [0; LONGEST];
                end = push(place, end, id, rewrite_dependencies(value, values, LONGEST_SHORT, &mut room)?)?;
            } else {
                end = push(place, end, id, value)?;
                let start = usize::from(end).checked_sub(value.len())?;
                add_to_frame_number(place.get_mut(start..)?, values.frame_number_offset);
            }
        }
        Some(end)
    }

    /// The dependency descriptor among `elements`, if it is copied.
    pub(crate) fn dependencies_of<'a>(&self, elements: &Elements<'a>) -> Option<&'a [u8]> {
        let own = self.dependency_descriptor?;
        let is_it = |(from, _): &(u8, &[u8])| self.copy_of(*from) == Some(own);
        elements.iter().find(is_it).map(|(_, value)| value)
    }

    /// Whether packets say when they were sent.
    pub fn has_abs_send_time(&self) -> bool {
        self.abs_send_time.is_some()
    }

    /// The plan of packets that their receiver reports by stream and sequence number (RFC 8888), without anything in them.
    #[must_use]
    pub(crate) fn reported_by_stream(self, by_stream: bool) -> Self {
        Self { by_stream, ..self }
    }

    /// Whether packets are reported by stream and sequence number.
    #[inline]
    pub(crate) fn is_reported_by_stream(&self) -> bool {
        self.by_stream
    }

    /// Whether the receiver of packets reports what arrived, one way or another.
    #[inline]
    pub(crate) fn is_reported(&self) -> bool {
        self.by_stream || self.has_transport_sequence_number()
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
        if let Some(id) = self.abs_send_time {
            let bytes = extension::write_abs_send_time(values.abs_send_time);
            writer.push_extension(id, &bytes).ok()?;
        }
        if let Some(id) = self.transport_wide_cc {
            writer.push_extension(id, &values.transport_sequence_number.to_be_bytes()).ok()?;
        }
        if let Some((id, mid)) = &self.mid {
            writer.push_extension(*id, mid).ok()?;
        }
        let longest = if self.two_byte(elements) { LONGEST } else { LONGEST_SHORT };
        for (from, value) in elements.iter() {
            match self.copy_of(from) {
                Some(id) if self.dependency_descriptor == Some(id) => {
                    let mut room = [0; LONGEST];
                    let value = rewrite_dependencies(value, values, longest, &mut room)?;
                    writer.push_extension(id, value).ok()?;
                }
                Some(id) => writer.push_extension(id, value).ok()?,
                None => {}
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

/// A dependency descriptor with its frame number and its active decode targets changed. One that would become longer than `longest` keeps
/// its targets.
fn rewrite_dependencies<'r>(
    value: &[u8],
    values: SendValues,
    longest: usize,
    room: &'r mut [u8; LONGEST],
) -> Option<&'r [u8]> {
    let narrowed = values.active_targets.and_then(|targets| targets.write(value, room.get_mut(..longest)?));
    let len = narrowed.unwrap_or(value.len());
    let written = room.get_mut(..len)?;
    if narrowed.is_none() {
        written.copy_from_slice(value);
    }
    add_to_frame_number(written, values.frame_number_offset);
    Some(written)
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
        use HeaderExtensionUri::{AbsSendTime, DependencyDescriptor, Mid, TransportWideCc, VideoOrientation};
        let source = parameters(&[(AbsSendTime, 2), (VideoOrientation, 5), (DependencyDescriptor, 6)]);
        let mut packet = [0; 100];
        let mut writer =
            RtpWriter::new(&mut packet, &RtpHeader::default(), ExtensionForm::OneByte).expect("room");
        writer.push_extension(2, &[9; 3]).expect("room");
        writer.push_extension(5, &[7]).expect("room");
        writer.push_extension(6, &[0xc1, 0x12, 0xfe]).expect("room");
        let len = writer.finish();
        let packet = RtpPacket::parse(&packet[..len]).expect("a packet");
        let bare = RtpPacket::parse(&[0x80; 12]).expect("a packet");
        let values = SendValues {
            abs_send_time: 0x01_0203,
            transport_sequence_number: 0x0405,
            frame_number_offset: 3,
            active_targets: None,
        };
        let all = [
            (Mid, 1),
            (AbsSendTime, 4),
            (TransportWideCc, 5),
            (VideoOrientation, 11),
            (DependencyDescriptor, 12),
        ];
        for count in 0..=all.len() {
            for (mid, per_send) in [("0", true), ("12345678", true), ("1234567890123456", false)] {
                let plan = ExtensionPlan::new(&parameters(&all[..count]), &source, Some(mid), per_send);
                for packet in [&packet, &bare] {
                    let elements = Elements::of(packet);
                    let mut block = [0; BLOCK_LEN];
                    let len = plan.write_short(&mut block, &elements, values).expect("it fits");
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
        let values = SendValues {
            abs_send_time: 0,
            transport_sequence_number: 0,
            frame_number_offset: 0,
            active_targets: None,
        };
        let mut block = [0; BLOCK_LEN];
        let mut short = |plan: ExtensionPlan| plan.write_short(&mut block, &Elements::of(&packet), values);
        assert_eq!(short(plan("12345678901234567")), None);
        assert_eq!(short(plan("1")), Some(8));
    }
}
