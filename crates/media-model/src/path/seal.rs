//! Seal: one packet for one consumer, written straight into the egress batch and protected there.
//!
//! Reserves a slot, writes header and extensions, and protects the payload into it or, where it differs from what is at hand, copies
//! it once, patches it and protects it in place; then commits.

use crate::extensions::{Elements, ExtensionPlan, SendValues};
use crate::path::forms::BlockNumbers;
use crate::sending::PacketName;
use crate::transport_state::TransportState;
use tureen_congestion::send::{PacketKind, ProbeId};
use tureen_forwarding::{ActiveTargets, DropReason, PayloadPatch, Rewrite, RtxHeader};
use tureen_rtp_wire::payload::flexfec::Parity;
use tureen_rtp_wire::payload::{PayloadDescriptor, vp9};
use tureen_rtp_wire::rtp::{ExtensionForm, FIXED_HEADER_LEN, RtpHeader, RtpPacket, RtpWriter};
use tureen_rtp_wire::{Ecn, Time};
use tureen_transport::{Cipher as _, Destination, Egress, Lane, Transport};

/// Bytes that a packet may grow by: our own extensions, the two-byte form of the others, and the original sequence number
/// of a retransmission.
const GROWTH: usize = 96;

/// What is particular to one outgoing packet.
pub(crate) struct Outgoing<'a> {
    pub(crate) lane: Lane,
    pub(crate) to: &'a Destination,
    pub(crate) ssrc: u32,
    pub(crate) payload_type: u8,
    pub(crate) rewrite: &'a Rewrite,
    /// What makes it a retransmission in a stream of its own.
    pub(crate) rtx: Option<RtxHeader>,
    pub(crate) descriptor: &'a PayloadDescriptor,
    pub(crate) payload: Payload<'a>,
    /// Whether it goes out once more under its old sequence number.
    pub(crate) repeat: bool,
    pub(crate) now: Time,
    pub(crate) abs_send_time: u32,
    /// What it is to the pacer, and the probe that it belongs to.
    pub(crate) kind: PacketKind,
    pub(crate) probe: Option<ProbeId>,
    /// What is added to the frame number of a dependency descriptor.
    pub(crate) frame_number_offset: u16,
    /// What a dependency descriptor is to say of decode targets.
    pub(crate) active_targets: Option<ActiveTargets>,
}

impl Outgoing<'_> {
    /// What it is known by to its receiver.
    #[inline]
    fn name(&self) -> PacketName {
        match &self.rtx {
            Some(rtx) => PacketName { ssrc: rtx.ssrc, sequence_number: rtx.sequence_number },
            None => PacketName { ssrc: self.ssrc, sequence_number: self.rewrite.sequence_number },
        }
    }
}

/// The padding of one packet (RFC 3550 section 5.1): its count is one octet.
pub(crate) const MOST_PADDING: u8 = 255;

/// What is particular to a packet that is of no source: padding, or parity.
pub(crate) struct Own<'a> {
    pub(crate) lane: Lane,
    pub(crate) to: &'a Destination,
    pub(crate) header: RtpHeader,
    pub(crate) now: Time,
    pub(crate) abs_send_time: u32,
    pub(crate) probe: Option<ProbeId>,
}

/// What goes out as payload.
pub(crate) enum Payload<'a> {
    /// This, as it is.
    Ready(&'a [u8]),
    /// A copy of this, patched as `rewrite` says, and its blocks renumbered if it is RED.
    Copied(&'a [u8], Option<BlockNumbers<'a>>),
}

/// Whether the egress has a slot for a packet, as [`seal`] asks for it.
pub(crate) fn has_room<T: Transport>(
    transport: &mut TransportState<T>,
    lane: Lane,
    to: &Destination,
    packet: &RtpPacket<'_>,
    out: &mut impl Egress,
) -> bool {
    out.reserve(lane, to, capacity_for(transport, packet)).is_some()
}

fn capacity_for<T: Transport>(transport: &mut TransportState<T>, packet: &RtpPacket<'_>) -> usize {
    packet.bytes().len() + GROWTH + transport.adapter.cipher().rtp_overhead()
}

/// Writes and protects a packet; returns the length of the datagram.
#[inline]
pub(crate) fn seal<T: Transport>(
    transport: &mut TransportState<T>,
    plan: &ExtensionPlan,
    outgoing: &Outgoing<'_>,
    packet: &RtpPacket<'_>,
    elements: &Elements<'_>,
    out: &mut impl Egress,
) -> Result<usize, DropReason> {
    let capacity = capacity_for(transport, packet);
    let cipher = transport.adapter.cipher();
    let slot = out.reserve(outgoing.lane, outgoing.to, capacity).ok_or(DropReason::EgressFull)?;
    let values = SendValues {
        abs_send_time: outgoing.abs_send_time,
        transport_sequence_number: transport.sending.sequence_number,
        frame_number_offset: outgoing.frame_number_offset,
        active_targets: outgoing.active_targets,
    };
    let header_len =
        write_header(slot, plan, outgoing, packet, elements, values).ok_or(DropReason::TooLarge)?;
    let sealed = match outgoing.payload {
        Payload::Ready(payload) => cipher.protect_rtp_from(slot, header_len, payload),
        Payload::Copied(payload, blocks) => {
            let len =
                write_payload(slot, header_len, outgoing, payload, blocks).ok_or(DropReason::TooLarge)?;
            match outgoing.repeat {
                false => cipher.protect_rtp(slot, header_len, len),
                true => cipher.protect_rtp_again(slot, header_len, len),
            }
        }
    };
    let len = sealed.map_err(|_| DropReason::NotConnected)?;
    let mut mark = Ecn::NotCapable;
    if plan.is_reported() {
        let name = outgoing.name();
        mark = transport.sending.on_sent(outgoing.now, name, len, outgoing.kind, outgoing.probe);
    }
    match plan.is_reported_by_stream() {
        true => out.commit_marked(len, mark),
        false => out.commit(len),
    }
    Ok(len)
}

/// Writes a packet as [`seal`] does, with its payload copied, but neither protects it nor says in it when it leaves; returns its length.
pub(crate) fn render(
    buf: &mut [u8],
    plan: &ExtensionPlan,
    outgoing: &Outgoing<'_>,
    packet: &RtpPacket<'_>,
    elements: &Elements<'_>,
) -> Option<usize> {
    let values = SendValues {
        abs_send_time: 0,
        transport_sequence_number: 0,
        frame_number_offset: outgoing.frame_number_offset,
        active_targets: outgoing.active_targets,
    };
    let header_len = write_header(buf, plan, outgoing, packet, elements, values)?;
    let (payload, blocks) = match outgoing.payload {
        Payload::Ready(payload) => (payload, None),
        Payload::Copied(payload, blocks) => (payload, blocks),
    };
    write_payload(buf, header_len, outgoing, payload, blocks)
}

/// Writes and protects a packet of parity; returns the length of the datagram.
pub(crate) fn seal_parity<T: Transport>(
    transport: &mut TransportState<T>,
    plan: &ExtensionPlan,
    (parity, media): (&Parity, u32),
    own: &Own<'_>,
    out: &mut impl Egress,
) -> Option<usize> {
    let capacity =
        FIXED_HEADER_LEN + parity.payload_len() + GROWTH + transport.adapter.cipher().rtp_overhead();
    seal_own(transport, plan, own, capacity, PacketKind::Retransmission, out, |writer| {
        parity.write(media, writer.reserve_payload(parity.payload_len()).ok()?).ok()
    })
}

/// Writes and protects a packet of nothing but padding; returns the length of the datagram.
pub(crate) fn seal_padding<T: Transport>(
    transport: &mut TransportState<T>,
    plan: &ExtensionPlan,
    padding: &Own<'_>,
    out: &mut impl Egress,
) -> Option<usize> {
    let capacity =
        FIXED_HEADER_LEN + usize::from(MOST_PADDING) + GROWTH + transport.adapter.cipher().rtp_overhead();
    seal_own(transport, plan, padding, capacity, PacketKind::Padding, out, |writer| {
        writer.padding(MOST_PADDING).ok()?;
        Some(usize::from(MOST_PADDING))
    })
}

/// Writes and protects a packet that is of no source; `fill` appends what follows its header, and returns how much that is.
fn seal_own<T: Transport>(
    transport: &mut TransportState<T>,
    plan: &ExtensionPlan,
    own: &Own<'_>,
    capacity: usize,
    kind: PacketKind,
    out: &mut impl Egress,
    fill: impl FnOnce(&mut RtpWriter<'_>) -> Option<usize>,
) -> Option<usize> {
    let slot = out.reserve(own.lane, own.to, capacity)?;
    let values = SendValues {
        abs_send_time: own.abs_send_time,
        transport_sequence_number: transport.sending.sequence_number,
        frame_number_offset: 0,
        active_targets: None,
    };
    let elements = Elements::none();
    let form = if plan.two_byte(&elements) { ExtensionForm::TwoByte } else { ExtensionForm::OneByte };
    let mut writer = RtpWriter::new(slot, &own.header, form).ok()?;
    plan.write(&mut writer, &elements, values)?;
    let filled = fill(&mut writer)?;
    let len = writer.finish();
    let header_len = len.checked_sub(filled)?;
    let len = transport.adapter.cipher().protect_rtp(slot, header_len, len).ok()?;
    let RtpHeader { ssrc, sequence_number, .. } = own.header;
    let name = PacketName { ssrc, sequence_number };
    let mark = transport.sending.on_sent(own.now, name, len, kind, own.probe);
    match plan.is_reported_by_stream() {
        true => out.commit_marked(len, mark),
        false => out.commit(len),
    }
    Some(len)
}

/// The header as its receiver is to see it; returns its length.
#[inline]
fn write_header(
    slot: &mut [u8],
    plan: &ExtensionPlan,
    outgoing: &Outgoing<'_>,
    packet: &RtpPacket<'_>,
    elements: &Elements<'_>,
    values: SendValues,
) -> Option<usize> {
    let rewrite = outgoing.rewrite;
    let (payload_type, sequence_number, ssrc) = match &outgoing.rtx {
        Some(rtx) => (rtx.payload_type, rtx.sequence_number, rtx.ssrc),
        None => (outgoing.payload_type, rewrite.sequence_number, outgoing.ssrc),
    };
    let header = RtpHeader {
        marker: rewrite.marker.unwrap_or_else(|| packet.marker()),
        payload_type,
        sequence_number,
        timestamp: rewrite.timestamp,
        ssrc,
    };
    match write_short_header(slot, header, plan, packet, elements, values) {
        Some(len) => Some(len),
        None => write_any_header(slot, header, plan, packet, elements, values),
    }
}

/// A copy of the payload, patched, behind the header; returns the length of the packet.
#[inline]
fn write_payload(
    slot: &mut [u8],
    header_len: usize,
    outgoing: &Outgoing<'_>,
    source: &[u8],
    blocks: Option<BlockNumbers<'_>>,
) -> Option<usize> {
    let prefix: &[u8] = outgoing.rtx.as_ref().map_or(&[], |rtx| &rtx.prefix);
    let payload_at = header_len + prefix.len();
    slot.get_mut(header_len..payload_at)?.copy_from_slice(prefix);
    let len = payload_at + source.len();
    let payload = slot.get_mut(payload_at..len)?;
    payload.copy_from_slice(source);
    patch(payload, outgoing.rewrite.payload, outgoing.descriptor);
    if let Some(blocks) = blocks {
        blocks.write(payload);
    }
    Some(len)
}

fn has_csrcs(packet: &RtpPacket<'_>) -> bool {
    packet.bytes().first().is_some_and(|first| first & 0x0f != 0)
}

/// A header whose extension is ready but for a few values. Written in few and whole words, since the cipher reads it in whole words
/// right away. What lies behind the extension is overwritten by the payload. `None` if it takes more than what is ready.
#[inline]
fn write_short_header(
    slot: &mut [u8],
    header: RtpHeader,
    plan: &ExtensionPlan,
    packet: &RtpPacket<'_>,
    elements: &Elements<'_>,
    values: SendValues,
) -> Option<usize> {
    if has_csrcs(packet) {
        return None;
    }
    let (fixed, rest) = slot.split_first_chunk_mut::<FIXED_HEADER_LEN>()?;
    let block_len = plan.write_short(rest.first_chunk_mut()?, elements, values)?;
    let (start, ssrc) = fixed.split_first_chunk_mut::<8>()?;
    let flags = 0x80 | u64::from(block_len > 0) << 4;
    let kind = u64::from(header.marker) << 7 | u64::from(header.payload_type & 0x7f);
    let number = u64::from(header.sequence_number);
    *start = (flags << 56 | kind << 48 | number << 32 | u64::from(header.timestamp)).to_be_bytes();
    *ssrc.first_chunk_mut()? = header.ssrc.to_be_bytes();
    Some(FIXED_HEADER_LEN + block_len)
}

/// Any header: with CSRCs, and with extensions in either form.
#[cold]
fn write_any_header(
    slot: &mut [u8],
    header: RtpHeader,
    plan: &ExtensionPlan,
    packet: &RtpPacket<'_>,
    elements: &Elements<'_>,
    values: SendValues,
) -> Option<usize> {
    let form = if plan.two_byte(elements) { ExtensionForm::TwoByte } else { ExtensionForm::OneByte };
    let mut writer = RtpWriter::new(slot, &header, form).ok()?;
    for csrc in packet.csrcs() {
        writer.csrc(csrc).ok()?;
    }
    plan.write(&mut writer, elements, values)?;
    Some(writer.finish())
}

/// Changes the payload as [`PayloadPatch::apply`] does. The copy is known to carry the descriptor, which was read from the very
/// packet that it was made of, so that it is not read again for every receiver.
#[inline]
pub(crate) fn patch(payload: &mut [u8], patch: PayloadPatch, descriptor: &PayloadDescriptor) {
    match (patch, descriptor) {
        (PayloadPatch::Vp8 { picture_id, tl0_pic_idx }, PayloadDescriptor::Vp8(descriptor)) => {
            // RFC 7741 section 4.2: the ids stand behind the two octets of flags.
            let mut at = 2;
            if let Some(id) = descriptor.picture_id {
                let long = (picture_id | 0x8000).to_be_bytes();
                let short = [long[1] & 0x7f];
                let octets: &[u8] = if id.long { &long } else { &short };
                overwrite(payload, at, octets);
                at += octets.len();
            }
            if descriptor.tl0_pic_idx.is_some() {
                overwrite(payload, at, &[tl0_pic_idx]);
            }
        }
        (PayloadPatch::Vp9 { picture_id, tl0_pic_idx }, PayloadDescriptor::Vp9(descriptor)) => {
            vp9::overwrite_ids(payload, descriptor, picture_id, tl0_pic_idx);
        }
        (patch, descriptor) => {
            patch.apply(payload, descriptor);
        }
    }
}

fn overwrite(payload: &mut [u8], at: usize, octets: &[u8]) {
    if let Some(place) = payload.get_mut(at..at + octets.len()) {
        place.copy_from_slice(octets);
    }
}
