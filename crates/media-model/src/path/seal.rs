//! Seal: one packet for one consumer, written straight into the egress batch and protected there.
//!
//! Reserves a slot, writes header and extensions, copies the payload once, patches it, protects it in place and commits.

use crate::extensions::{Elements, ExtensionPlan, SendValues};
use crate::transport_state::TransportState;
use tureen_forwarding::{DropReason, PayloadPatch, Rewrite, RtxHeader};
use tureen_rtp_wire::payload::PayloadDescriptor;
use tureen_rtp_wire::rtp::{ExtensionForm, RtpHeader, RtpPacket, RtpWriter};
use tureen_transport::{Cipher as _, Destination, Egress, Lane, Transport};

/// Room for the header, CSRCs and extensions that a packet may grow to.
const HEADER_ROOM: usize = 320;

/// What is particular to one outgoing packet.
pub(crate) struct Outgoing<'a> {
    pub(crate) lane: Lane,
    pub(crate) to: Destination,
    pub(crate) ssrc: u32,
    pub(crate) payload_type: u8,
    pub(crate) rewrite: &'a Rewrite,
    /// What makes it a retransmission in a stream of its own.
    pub(crate) rtx: Option<RtxHeader>,
    pub(crate) descriptor: &'a PayloadDescriptor,
    /// Whether it goes out once more under its old sequence number.
    pub(crate) repeat: bool,
    pub(crate) abs_send_time: u32,
}

/// Writes and protects a packet; returns the length of the datagram.
pub(crate) fn seal<T: Transport>(
    transport: &mut TransportState<T>,
    plan: &ExtensionPlan,
    outgoing: &Outgoing<'_>,
    packet: &RtpPacket<'_>,
    elements: &Elements<'_>,
    out: &mut impl Egress,
) -> Result<usize, DropReason> {
    let overhead = transport.adapter.cipher().rtp_overhead();
    let capacity = HEADER_ROOM + packet.payload().len() + overhead;
    let slot = out.reserve(outgoing.lane, outgoing.to, capacity).ok_or(DropReason::EgressFull)?;
    let values = SendValues {
        abs_send_time: outgoing.abs_send_time,
        transport_sequence_number: transport.transport_sequence_number,
    };
    let (header_len, len) =
        write(slot, plan, outgoing, packet, elements, values).ok_or(DropReason::TooLarge)?;
    let cipher = transport.adapter.cipher();
    let sealed = match outgoing.repeat {
        false => cipher.protect_rtp(slot, header_len, len),
        true => cipher.protect_rtp_again(slot, header_len, len),
    };
    let len = sealed.map_err(|_| DropReason::NotConnected)?;
    if plan.has_transport_sequence_number() {
        transport.transport_sequence_number = transport.transport_sequence_number.wrapping_add(1);
    }
    out.commit(len);
    Ok(len)
}

/// The packet as its receiver is to see it: lengths of its header and of the whole.
fn write(
    slot: &mut [u8],
    plan: &ExtensionPlan,
    outgoing: &Outgoing<'_>,
    packet: &RtpPacket<'_>,
    elements: &Elements<'_>,
    values: SendValues,
) -> Option<(usize, usize)> {
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
    let form = if plan.two_byte(elements) { ExtensionForm::TwoByte } else { ExtensionForm::OneByte };
    let mut writer = RtpWriter::new(slot, &header, form).ok()?;
    for csrc in packet.csrcs() {
        writer.csrc(csrc).ok()?;
    }
    plan.write(&mut writer, elements, values)?;
    let prefix: &[u8] = outgoing.rtx.as_ref().map_or(&[], |rtx| &rtx.prefix);
    writer.payload(prefix).ok()?;
    writer.payload(packet.payload()).ok()?;
    let len = writer.finish();
    let payload_at = len.checked_sub(packet.payload().len())?;
    let header_len = payload_at.checked_sub(prefix.len())?;
    patch(slot.get_mut(payload_at..len)?, rewrite.payload, outgoing.descriptor);
    Some((header_len, len))
}

fn patch(payload: &mut [u8], patch: PayloadPatch, descriptor: &PayloadDescriptor) {
    patch.apply(payload, descriptor);
}
