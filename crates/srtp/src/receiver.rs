//! Opens what one endpoint receives under one master key. Only packets that authenticate change any state.

use crate::error::{KeyError, UnprotectError};
use crate::header;
use crate::index::estimate;
use crate::kdf::{SessionKeys, Use};
use crate::profile::Profile;
use crate::provider::CryptoProvider;
use crate::streams::StreamTable;
use crate::transform::{RTCP_HEADER_LEN, RtpPosition, Transform};
use crate::window::{Standing, Window};
use std::fmt;

const DEFAULT_WINDOW: usize = 1024;
/// The smallest window that RFC 3711 section 3.3.2 allows.
const MIN_WINDOW: usize = 64;
/// Half the sequence space: beyond it the roll-over counter is ambiguous anyway.
const MAX_WINDOW: usize = 1 << 15;
const MAX_STREAMS: usize = 1024;

/// The receiving context: SRTP and SRTCP of one endpoint, all its SSRCs.
///
/// A stream begins with the first packet of its SSRC that authenticates, with a roll-over counter of zero. Streams are
/// not forgotten while the key lives: an old recording of a forgotten one could be replayed.
pub struct SrtpReceiver {
    profile: Profile,
    rtp: Transform,
    rtcp: Transform,
    streams: StreamTable<Stream>,
    window: usize,
}

#[derive(Debug, Default)]
struct Stream {
    rtp: Option<Window>,
    rtcp: Option<Window>,
}

impl SrtpReceiver {
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
            window: DEFAULT_WINDOW,
        })
    }

    /// Sets the size of the replay window in packets, for streams that start from now on: 64 to 32,768, default 1024;
    /// values outside are moved to the nearest inside (RFC 3711 section 3.3.2).
    #[must_use]
    pub fn with_replay_window(mut self, packets: usize) -> Self {
        self.window = packets.clamp(MIN_WINDOW, MAX_WINDOW);
        self
    }

    /// Limits the number of SSRCs; default 1024. A stream takes about 350 bytes with the default window.
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

    /// How many SSRCs have been authenticated so far.
    #[must_use]
    pub fn streams(&self) -> usize {
        self.streams.len()
    }

    /// Opens the SRTP packet that fills `buf`, in place, and returns the length of the RTP packet. `header_len` is the
    /// length of the RTP header with CSRCs and extension.
    ///
    /// # Errors
    /// See [`UnprotectError`]; whatever it is, the context is as it was before.
    #[inline]
    pub fn unprotect_rtp(&mut self, buf: &mut [u8], header_len: usize) -> Result<usize, UnprotectError> {
        let len = buf.len().checked_sub(self.profile.rtp_tag_len()).ok_or(UnprotectError::TooShort)?;
        if header_len < header::RTP_HEADER_LEN || len < header_len {
            return Err(UnprotectError::TooShort);
        }
        if buf.len() > header::MAX_PACKET_LEN {
            return Err(UnprotectError::TooLong);
        }
        let (sequence, ssrc) = header::rtp(buf).ok_or(UnprotectError::TooShort)?;
        let window = self.known(ssrc)?.and_then(|stream| stream.rtp.as_ref());
        let index = match window {
            Some(window) => estimate(window.highest(), sequence).ok_or(UnprotectError::KeyExhausted)?,
            None => u64::from(sequence),
        };
        check_replay(window, index)?;
        self.rtp.open_rtp(buf, RtpPosition { header_len, len, ssrc, index })?;
        let size = self.window;
        self.stream(ssrc)?.rtp.get_or_insert_with(|| Window::new(size, index)).mark(index);
        Ok(len)
    }

    /// Opens the SRTCP packet that fills `buf`, in place, and returns the length of the compound RTCP packet. Packets
    /// that are authenticated but not encrypted (E flag zero) are accepted, as RFC 3711 section 3.4 allows.
    ///
    /// # Errors
    /// See [`UnprotectError`]; whatever it is, the context is as it was before.
    pub fn unprotect_rtcp(&mut self, buf: &mut [u8]) -> Result<usize, UnprotectError> {
        if buf.len() < RTCP_HEADER_LEN + self.profile.rtcp_overhead() {
            return Err(UnprotectError::TooShort);
        }
        if buf.len() > header::MAX_PACKET_LEN {
            return Err(UnprotectError::TooLong);
        }
        let ssrc = header::rtcp(buf).ok_or(UnprotectError::TooShort)?;
        let (encrypted, index) = self.rtcp.rtcp_word(buf).ok_or(UnprotectError::TooShort)?;
        check_replay(self.known(ssrc)?.and_then(|stream| stream.rtcp.as_ref()), u64::from(index))?;
        let len = self.rtcp.open_rtcp(buf, ssrc, encrypted, index)?;
        let (size, index) = (self.window, u64::from(index));
        self.stream(ssrc)?.rtcp.get_or_insert_with(|| Window::new(size, index)).mark(index);
        Ok(len)
    }

    /// The packet index of the newest RTP packet of a stream: roll-over counter and sequence number.
    #[must_use]
    pub fn highest_index(&self, ssrc: u32) -> Option<u64> {
        self.streams.get(ssrc)?.rtp.as_ref().map(Window::highest)
    }

    /// The stream of an SSRC, or `None` for a new one that there is room for.
    fn known(&self, ssrc: u32) -> Result<Option<&Stream>, UnprotectError> {
        match self.streams.get(ssrc) {
            None if self.streams.is_full() => Err(UnprotectError::TooManyStreams),
            stream => Ok(stream),
        }
    }

    fn stream(&mut self, ssrc: u32) -> Result<&mut Stream, UnprotectError> {
        if self.streams.get(ssrc).is_none() && !self.streams.insert(ssrc, Stream::default()) {
            return Err(UnprotectError::TooManyStreams);
        }
        self.streams.get_mut(ssrc).ok_or(UnprotectError::TooManyStreams)
    }
}

fn check_replay(window: Option<&Window>, index: u64) -> Result<(), UnprotectError> {
    match window.map_or(Standing::New, |window| window.standing(index)) {
        Standing::New => Ok(()),
        Standing::Seen => Err(UnprotectError::Replayed),
        Standing::TooOld => Err(UnprotectError::TooOld),
    }
}

impl fmt::Debug for SrtpReceiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SrtpReceiver")
            .field("profile", &self.profile)
            .field("streams", &self.streams.len())
            .finish_non_exhaustive()
    }
}
