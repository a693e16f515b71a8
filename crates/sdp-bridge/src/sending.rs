//! From a section that sends to the RTP parameters of a producer. Knows the router's capabilities, and nothing of the
//! answer.

use tureen_rtp_dictionaries::{
    Codec, HeaderExtensionUri, RtcpParameters, RtpCapabilities, RtpCodecCapability, RtpCodecParameters,
    RtpEncodingParameters, RtpEncodingRtx, RtpHeaderExtensionParameters, RtpParameters,
    get_producer_rtp_parameters_mapping, keep_one_bandwidth_estimation,
};

use crate::media::OfferedMedia;
use crate::streams::{OfferedRid, StreamDirection};

/// Why a section cannot become a producer. It is answered as rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UnsupportedMediaError {
    /// It is rejected, sends nothing, or is no RTP.
    #[error("line {line}: the m-line does not send RTP")]
    NotSending {
        /// The m-line.
        line: usize,
    },
    /// None of its codecs is one of the router's.
    #[error("line {line}: the router supports no codec of the m-line")]
    NoSupportedCodec {
        /// The m-line.
        line: usize,
    },
    /// Its packets could not be told from those of other sections: there is neither an SSRC nor the header extension
    /// that would carry its mid (RFC 9143 section 9.2), or with simulcast its rids (RFC 8852).
    #[error("line {line}: the m-line has neither SSRCs nor a=extmap of {missing}")]
    UnidentifiedStreams {
        /// The m-line.
        line: usize,
        /// The URI of the header extension.
        missing: &'static str,
    },
}

const MID_URI: &str = "urn:ietf:params:rtp-hdrext:sdes:mid";
const RID_URI: &str = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id";

impl OfferedMedia {
    /// The parameters to make a producer with, under the offerer's payload types and extension ids: the first codec in
    /// the offerer's order that the router has, its RTX, and RED where the offerer prefers it to that codec; header
    /// extensions and feedback that both have, with one way to estimate bandwidth.
    ///
    /// There is one encoding for each simulcast stream (the first of its alternatives), those with fewer pixels first
    /// where all say how many they have, else in the offerer's order. `scalability_mode` is set on each: SDP does
    /// not tell it.
    ///
    /// # Errors
    /// [`UnsupportedMediaError`] names the m-line, which is then to be answered as rejected.
    pub fn producer_rtp_parameters(
        &self,
        router: &RtpCapabilities,
        scalability_mode: Option<&str>,
    ) -> Result<RtpParameters, UnsupportedMediaError> {
        let line = self.line;
        if !self.sends() || self.media_kind().is_none() {
            return Err(UnsupportedMediaError::NotSending { line });
        }
        let (mut codecs, known) =
            self.supported_codecs(router).ok_or(UnsupportedMediaError::NoSupportedCodec { line })?;
        let mut header_extensions = self.supported_extensions(router);
        for (codec, known) in codecs.iter_mut().zip(known) {
            codec.rtcp_feedback.retain(|feedback| known.rtcp_feedback.contains(feedback));
        }
        keep_one_bandwidth_estimation(&mut codecs, &mut header_extensions);
        let with_rtx = codecs.iter().any(RtpCodecParameters::is_rtx);
        let encodings = self.encodings(&header_extensions, with_rtx, scalability_mode)?;
        let streams = &self.streams;
        let of_ssrc = || streams.ssrcs.iter().find_map(|ssrc| ssrc.msid.clone());
        Ok(RtpParameters {
            mid: self.mid.clone(),
            codecs,
            header_extensions,
            encodings,
            rtcp: RtcpParameters {
                cname: self.cname.clone(),
                reduced_size: self.rtcp_reduced_size,
                mux: Some(true),
            },
            msid: streams.msid.clone().or_else(of_ssrc),
            user_parameters: None,
        })
    }

    /// The codecs in use, and the router's for each.
    fn supported_codecs<'a>(
        &self,
        router: &'a RtpCapabilities,
    ) -> Option<(Vec<RtpCodecParameters>, Vec<&'a RtpCodecCapability>)> {
        let primaries = self.codecs.iter().enumerate().filter(|(_, codec)| is_primary(codec));
        for (i, primary) in primaries {
            let is_rtx =
                |codec: &&RtpCodecParameters| codec.is_rtx() && codec.apt() == Some(primary.payload_type);
            let rtx = self.codecs.iter().find(is_rtx);
            let red = self.codecs.iter().take(i).find(|codec| codec.mime_type.codec() == Codec::Red);
            // From all that is wanted down to the codec alone.
            let choices = [(rtx, red), (rtx, None), (None, red), (None, None)];
            for (rtx, red) in choices {
                let codecs: Vec<_> = [Some(primary), rtx, red].into_iter().flatten().cloned().collect();
                if let Some(known) = known_by(&codecs, router) {
                    return Some((codecs, known));
                }
            }
        }
        None
    }

    fn supported_extensions(&self, router: &RtpCapabilities) -> Vec<RtpHeaderExtensionParameters> {
        let mut extensions: Vec<RtpHeaderExtensionParameters> = Vec::new();
        for offered in &self.extensions {
            let received = router.header_extensions.iter().any(|known| {
                Some(known.kind) == self.media_kind()
                    && known.uri == offered.uri
                    && known.direction.receives()
            });
            let sent = !offered.encrypt && offered.direction.is_none_or(|direction| direction.sends());
            let again = extensions.iter().any(|extension| extension.uri == offered.uri);
            if received && sent && !again {
                extensions.push(RtpHeaderExtensionParameters::new(offered.uri.clone(), offered.id));
            }
        }
        extensions
    }

    fn encodings(
        &self,
        extensions: &[RtpHeaderExtensionParameters],
        with_rtx: bool,
        scalability_mode: Option<&str>,
    ) -> Result<Vec<RtpEncodingParameters>, UnsupportedMediaError> {
        let has = |uri: HeaderExtensionUri| extensions.iter().any(|extension| extension.uri == uri);
        let lacks = |missing| UnsupportedMediaError::UnidentifiedStreams { line: self.line, missing };
        let mut encodings = self.rid_encodings();
        if encodings.is_empty() {
            encodings = self.ssrc_encodings(with_rtx);
        }
        if encodings.is_empty() {
            encodings.push(RtpEncodingParameters::default());
        }
        let by_rid_only = |encoding: &RtpEncodingParameters| encoding.ssrc.is_none();
        if encodings.iter().any(by_rid_only) && !has(HeaderExtensionUri::Mid) {
            return Err(lacks(MID_URI));
        }
        if encodings.len() > 1 && encodings.iter().any(by_rid_only) && !has(HeaderExtensionUri::RtpStreamId) {
            return Err(lacks(RID_URI));
        }
        for encoding in &mut encodings {
            encoding.scalability_mode = scalability_mode.map(str::to_owned);
        }
        Ok(encodings)
    }

    /// One encoding for each simulcast stream, or for the only rid. SSRCs are left out: nothing ties them to a rid.
    fn rid_encodings(&self) -> Vec<RtpEncodingParameters> {
        let streams = &self.streams;
        let rid =
            |id: &str| streams.rids.iter().find(|rid| rid.id == id && rid.direction == StreamDirection::Send);
        let mut rids: Vec<&OfferedRid> = match &streams.simulcast {
            Some(simulcast) => simulcast.send.iter().filter_map(|ids| rid(&ids.first()?.id)).collect(),
            None => Vec::new(),
        };
        if rids.len() < 2 && streams.simulcast.is_none() {
            return Vec::new();
        }
        let pixels = |rid: &&OfferedRid| Some(u64::from(rid.max_width?) * u64::from(rid.max_height?));
        if rids.iter().all(|rid| pixels(rid).is_some()) {
            rids.sort_by_key(pixels);
        }
        let encoding = |rid: &OfferedRid| RtpEncodingParameters {
            rid: Some(rid.id.clone()),
            max_bitrate: rid.max_bitrate,
            ..RtpEncodingParameters::default()
        };
        rids.into_iter().map(encoding).collect()
    }

    /// One encoding for each SSRC of a `SIM` group, or for the first SSRC.
    fn ssrc_encodings(&self, with_rtx: bool) -> Vec<RtpEncodingParameters> {
        let streams = &self.streams;
        let simulcast = streams.ssrc_groups.iter().find(|group| group.semantics == "SIM");
        let ssrcs: Vec<u32> = match simulcast {
            Some(group) => group.ssrcs.iter().copied().take(tureen_rtp_dictionaries::MAX_ENCODINGS).collect(),
            None => streams.ssrcs.first().map(|first| first.ssrc).into_iter().collect(),
        };
        let encoding = |ssrc: u32| RtpEncodingParameters {
            ssrc: Some(ssrc),
            rtx: streams.rtx_of(ssrc).filter(|_| with_rtx).map(|ssrc| RtpEncodingRtx { ssrc }),
            ..RtpEncodingParameters::default()
        };
        ssrcs.into_iter().map(encoding).collect()
    }
}

/// Whether a codec can be what a track is sent with: comfort noise and telephone events only go along.
pub(crate) fn is_primary(codec: &RtpCodecParameters) -> bool {
    let codec = codec.mime_type.codec();
    codec.is_media() && !matches!(codec, Codec::ComfortNoise | Codec::TelephoneEvent)
}

/// The router's codec for each of `codecs`, if it has all of them.
fn known_by<'a>(
    codecs: &[RtpCodecParameters],
    router: &'a RtpCapabilities,
) -> Option<Vec<&'a RtpCodecCapability>> {
    let mid = Some(String::new());
    let params = RtpParameters { mid, codecs: codecs.to_vec(), ..RtpParameters::default() };
    let mapping = get_producer_rtp_parameters_mapping(&params, router, 0).ok()?;
    let known = |codec: &RtpCodecParameters| {
        let payload_type = mapping.payload_type(codec.payload_type)?;
        router.codecs.iter().find(|known| known.preferred_payload_type == payload_type)
    };
    codecs.iter().map(known).collect()
}
