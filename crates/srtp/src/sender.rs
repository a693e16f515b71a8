//! Protects what one endpoint sends under one master key. Sees to it that no packet index is used for two packets.

use crate::error::{KeyError, ProtectError};
use crate::header;
use crate::index::{MAX_INDEX, MAX_RTCP_INDEX, estimate};
use crate::kdf::{SessionKeys, Use};
use crate::profile::Profile;
use crate::provider::CryptoProvider;
use crate::streams::StreamTable;
use crate::transform::{Fingerprint, RTCP_HEADER_LEN, RtpPosition, Transform};
use crate::window::{Standing, Window};
use std::fmt;

/// How far behind the newest packet a first transmission may be, in packets: room for reordering at the source.
const WINDOW: usize = 1024;
/// Streams per sender: enough for years of coming and going receivers, small enough to bound the memory.
const MAX_STREAMS: usize = 65_536;

/// The sending context: SRTP and SRTCP of one endpoint, all its SSRCs.
///
/// # Why a packet index may be used once only
/// The key stream of a packet follows from the key, the SSRC and the packet index (roll-over counter and sequence
/// number). Two different payloads under one index give away their XOR. AES-GCM is more fragile still: two packets that
/// differ *anywhere*, be it one header extension, under one index give away the authentication key, and with it the
/// power to forge every packet (RFC 7714 section 10). So [`protect_rtp`](Self::protect_rtp) refuses an index that was
/// used, and so do receivers.
///
/// # Retransmissions
/// Send them as RTX (RFC 4588): a stream with sequence numbers of its own, to which all of this does not apply. Where a
/// receiver has no RTX, call [`retransmit_rtp`](Self::retransmit_rtp) with
/// * AES-GCM: the packet byte for byte as it went in first, with the *old* values of abs-send-time and
///   transport-wide sequence number;
/// * AES-CM: the same payload; the header may differ, since it is not encrypted and HMAC needs no nonce.
///
/// The context checks that against a fingerprint per packet and hands out nothing when it does not hold.
pub struct SrtpSender {
    profile: Profile,
    rtp: Transform,
    rtcp: Transform,
    streams: StreamTable<Stream>,
    remembered: usize,
}

#[derive(Debug, Default)]
struct Stream {
    rtp: Option<Sent>,
    next_rtcp: u32,
}

/// What was sent of one RTP stream.
#[derive(Debug)]
struct Sent {
    window: Window,
    /// Fingerprints of the last packets, by the low bits of their index; the length is a power of two or zero.
    fingerprints: Box<[Fingerprint]>,
}

impl SrtpSender {
    /// A context for `keying_material`: the master key, then the master salt, as DTLS-SRTP (RFC 5764 section 4.2) and
    /// SDP security descriptions (RFC 4568 section 6.1) give them. The key derivation rate is zero and there is no MKI.
    ///
    /// # Errors
    /// [`KeyError::WrongLength`] unless there are [`Profile::keying_material_len`] bytes; [`KeyError::Refused`] when the
    /// provider does not take a key.
    pub fn new(
        profile: Profile,
        keying_material: &[u8],
        provider: &dyn CryptoProvider,
    ) -> Result<Self, KeyError> {
        let rtp = SessionKeys::derive(profile, keying_material, Use::Rtp, provider)?;
        let rtcp = SessionKeys::derive(profile, keying_material, Use::Rtcp, provider)?;
        Ok(Self {
            profile,
            rtp: Transform::new(profile, profile.rtp_tag_len(), &rtp, provider)?,
            rtcp: Transform::new(profile, profile.rtcp_tag_len(), &rtcp, provider)?,
            streams: StreamTable::new(MAX_STREAMS),
            remembered: 0,
        })
    }

    /// Remembers the last `packets` packets of each stream that starts from now on, so that they can be retransmitted
    /// without RTX: rounded up to a power of two, at most 1024, 8 bytes each. Default: none.
    #[must_use]
    pub fn with_retransmission(mut self, packets: usize) -> Self {
        self.remembered = if packets == 0 { 0 } else { packets.min(WINDOW).next_power_of_two() };
        self
    }

    /// Limits the number of SSRCs that this context will ever send; default 65,536. A stream takes about 350 bytes.
    #[must_use]
    pub fn with_max_streams(mut self, streams: usize) -> Self {
        self.streams.set_limit(streams);
        self
    }

    /// The profile of the context.
    #[must_use]
    pub fn profile(&self) -> Profile {
        self.profile
    }

    /// How many SSRCs have sent so far.
    #[must_use]
    pub fn streams(&self) -> usize {
        self.streams.len()
    }

    /// Protects the RTP packet `buf[..len]` in place and returns its new length, which is
    /// [`Profile::rtp_overhead`] bytes more. `header_len` is the length of the RTP header with CSRCs and extension.
    ///
    /// # Errors
    /// See [`ProtectError`]. [`IndexReused`](ProtectError::IndexReused) when the sequence number was protected before.
    #[inline]
    pub fn protect_rtp(
        &mut self,
        buf: &mut [u8],
        header_len: usize,
        len: usize,
    ) -> Result<usize, ProtectError> {
        self.protect(buf, header_len, len, None)
    }

    /// As [`protect_rtp`](Self::protect_rtp), for a packet whose header is in `buf[..header_len]` and whose payload is still
    /// elsewhere: the result is the same as of copying it behind the header first. AES-GCM of AWS-LC saves the copy.
    ///
    /// # Errors
    /// See [`ProtectError`].
    #[inline]
    pub fn protect_rtp_from(
        &mut self,
        buf: &mut [u8],
        header_len: usize,
        payload: &[u8],
    ) -> Result<usize, ProtectError> {
        self.protect(buf, header_len, header_len.saturating_add(payload.len()), Some(payload))
    }

    #[inline]
    fn protect(
        &mut self,
        buf: &mut [u8],
        header_len: usize,
        len: usize,
        payload: Option<&[u8]>,
    ) -> Result<usize, ProtectError> {
        let (sequence, ssrc) = self.check_rtp(buf, header_len, len)?;
        let remembered = self.remembered;
        // A stream that is known, which is all but the first packet, is looked up once.
        if let Some(sent) = self.streams.get_mut(ssrc).and_then(|stream| stream.rtp.as_mut()) {
            let index = sent.fresh_index(sequence)?;
            let at = RtpPosition { header_len, len, ssrc, index };
            let (sealed, fingerprint) = self.rtp.seal_rtp(buf, at, payload, remembered > 0)?;
            sent.record(index, fingerprint);
            return Ok(sealed);
        }
        if self.streams.get(ssrc).is_none() && self.streams.is_full() {
            return Err(ProtectError::TooManyStreams);
        }
        let index = u64::from(sequence);
        let at = RtpPosition { header_len, len, ssrc, index };
        let (sealed, fingerprint) = self.rtp.seal_rtp(buf, at, payload, remembered > 0)?;
        self.stream(ssrc)?.sent(index, remembered).record(index, fingerprint);
        Ok(sealed)
    }

    /// Protects once more an RTP packet that [`protect_rtp`](Self::protect_rtp) protected before; see
    /// [`with_retransmission`](Self::with_retransmission) and the rules above.
    ///
    /// # Errors
    /// [`NotRemembered`](ProtectError::NotRemembered) when the packet was never protected, or is not among the last;
    /// [`PacketChanged`](ProtectError::PacketChanged), with the packet wiped, when it differs from what went out first.
    pub fn retransmit_rtp(
        &mut self,
        buf: &mut [u8],
        header_len: usize,
        len: usize,
    ) -> Result<usize, ProtectError> {
        let (sequence, ssrc) = self.check_rtp(buf, header_len, len)?;
        let sent = self.streams.get(ssrc).and_then(|stream| stream.rtp.as_ref());
        let (index, expected) =
            sent.and_then(|sent| sent.remembered(sequence)).ok_or(ProtectError::NotRemembered)?;
        let at = RtpPosition { header_len, len, ssrc, index };
        match self.rtp.seal_rtp(buf, at, None, true) {
            Ok((sealed, fingerprint)) if fingerprint == expected => Ok(sealed),
            Ok((sealed, _)) => {
                // Sealed under a nonce that another packet has used: this must not leave.
                buf.get_mut(..sealed).unwrap_or_default().fill(0);
                Err(ProtectError::PacketChanged)
            }
            Err(error) => Err(error),
        }
    }

    /// Protects the compound RTCP packet `buf[..len]` in place and returns its new length, which is
    /// [`Profile::rtcp_overhead`] bytes more. The SRTCP index counts up from zero for each SSRC.
    ///
    /// # Errors
    /// See [`ProtectError`].
    pub fn protect_rtcp(&mut self, buf: &mut [u8], len: usize) -> Result<usize, ProtectError> {
        if len < RTCP_HEADER_LEN || len > buf.len() {
            return Err(ProtectError::TooShort);
        }
        check_room(buf.len(), len, self.profile.rtcp_overhead())?;
        let ssrc = header::rtcp(buf).ok_or(ProtectError::TooShort)?;
        let index = self.stream(ssrc)?.next_rtcp;
        if index > MAX_RTCP_INDEX {
            return Err(ProtectError::KeyExhausted);
        }
        let sealed = self.rtcp.seal_rtcp(buf, len, ssrc, index)?;
        self.stream(ssrc)?.next_rtcp = index + 1;
        Ok(sealed)
    }

    /// The packet index of the newest RTP packet of a stream: roll-over counter and sequence number.
    #[must_use]
    pub fn highest_index(&self, ssrc: u32) -> Option<u64> {
        self.streams.get(ssrc)?.rtp.as_ref().map(|sent| sent.window.highest())
    }

    #[inline]
    fn check_rtp(&self, buf: &[u8], header_len: usize, len: usize) -> Result<(u16, u32), ProtectError> {
        if header_len < header::RTP_HEADER_LEN || len < header_len || len > buf.len() {
            return Err(ProtectError::TooShort);
        }
        check_room(buf.len(), len, self.profile.rtp_overhead())?;
        header::rtp(buf).ok_or(ProtectError::TooShort)
    }

    fn stream(&mut self, ssrc: u32) -> Result<&mut Stream, ProtectError> {
        if self.streams.get(ssrc).is_none() && !self.streams.insert(ssrc, Stream::default()) {
            return Err(ProtectError::TooManyStreams);
        }
        self.streams.get_mut(ssrc).ok_or(ProtectError::TooManyStreams)
    }
}

fn check_room(room: usize, len: usize, overhead: usize) -> Result<(), ProtectError> {
    if len + overhead > header::MAX_PACKET_LEN {
        return Err(ProtectError::TooLong);
    }
    if len + overhead > room {
        return Err(ProtectError::BufferTooSmall);
    }
    Ok(())
}

impl Stream {
    fn sent(&mut self, first: u64, remembered: usize) -> &mut Sent {
        self.rtp.get_or_insert_with(|| Sent {
            window: Window::new(WINDOW, first),
            fingerprints: vec![Fingerprint::default(); remembered].into_boxed_slice(),
        })
    }
}

impl Sent {
    #[inline]
    fn fresh_index(&self, sequence: u16) -> Result<u64, ProtectError> {
        let highest = self.window.highest();
        // The next one in order, which is nearly all there are.
        if sequence == (highest as u16).wrapping_add(1) && highest < MAX_INDEX {
            return Ok(highest + 1);
        }
        let index = estimate(highest, sequence).ok_or(ProtectError::KeyExhausted)?;
        match self.window.standing(index) {
            Standing::New => Ok(index),
            Standing::Seen => Err(ProtectError::IndexReused),
            Standing::TooOld => Err(ProtectError::TooOld),
        }
    }

    #[inline]
    fn record(&mut self, index: u64, fingerprint: Fingerprint) {
        self.window.mark(index);
        if self.fingerprints.is_empty() {
            return;
        }
        let slot = self.slot(index);
        let remembered = self.window.highest() - index < self.fingerprints.len() as u64;
        if let Some(place) = self.fingerprints.get_mut(slot).filter(|_| remembered) {
            *place = fingerprint;
        }
    }

    fn remembered(&self, sequence: u16) -> Option<(u64, Fingerprint)> {
        let highest = self.window.highest();
        let index = estimate(highest, sequence)?;
        let behind = highest.checked_sub(index)?;
        if behind >= self.fingerprints.len() as u64 || self.window.standing(index) != Standing::Seen {
            return None;
        }
        self.fingerprints.get(self.slot(index)).map(|fingerprint| (index, *fingerprint))
    }

    fn slot(&self, index: u64) -> usize {
        index as usize & self.fingerprints.len().saturating_sub(1)
    }
}

impl fmt::Debug for SrtpSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SrtpSender")
            .field("profile", &self.profile)
            .field("streams", &self.streams.len())
            .finish_non_exhaustive()
    }
}
