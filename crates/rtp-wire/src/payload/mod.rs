//! Codec payload descriptors: what a forwarder may learn from the first octets of a payload.
//!
//! Descriptors are `Copy` and hold no bytes. Nothing here decodes video or knows streams.

pub mod av1;
pub mod flexfec;
pub mod h264;
pub mod h265;
pub mod opus;
pub mod red;
pub mod vp8;
pub mod vp9;

/// How the payload of a stream is laid out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PayloadFormat {
    /// Not looked into.
    #[default]
    Opaque,
    /// RFC 7587.
    Opus,
    /// RFC 7741.
    Vp8,
    /// RFC 9628.
    Vp9,
    /// RFC 6184.
    H264,
    /// RFC 7798.
    H265,
    /// RTP Payload Format For AV1, version 1.0.
    Av1,
}

/// What one payload says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PayloadDescriptor {
    /// Not looked into.
    Opaque,
    /// See [`opus::Descriptor`].
    Opus(opus::Descriptor),
    /// See [`vp8::Descriptor`].
    Vp8(vp8::Descriptor),
    /// See [`vp9::Descriptor`].
    Vp9(vp9::Descriptor),
    /// See [`h264::Descriptor`].
    H264(h264::Descriptor),
    /// See [`h265::Descriptor`].
    H265(h265::Descriptor),
    /// See [`av1::Descriptor`].
    Av1(av1::Descriptor),
}

impl PayloadDescriptor {
    /// Reads the descriptor at the start of `payload`; `None` if the payload breaks its format.
    #[inline]
    pub fn parse(format: PayloadFormat, payload: &[u8]) -> Option<Self> {
        Some(match format {
            PayloadFormat::Opaque => Self::Opaque,
            PayloadFormat::Opus => Self::Opus(opus::Descriptor::parse(payload)?),
            PayloadFormat::Vp8 => Self::Vp8(vp8::Descriptor::parse(payload)?),
            PayloadFormat::Vp9 => Self::Vp9(vp9::Descriptor::parse(payload)?),
            PayloadFormat::H264 => Self::H264(h264::Descriptor::parse(payload)?),
            PayloadFormat::H265 => Self::H265(h265::Descriptor::parse(payload)?),
            PayloadFormat::Av1 => Self::Av1(av1::Descriptor::parse(payload)?),
        })
    }

    /// Whether a decoder can start with this packet: the first packet of a key frame. Opaque and audio payloads
    /// never say so.
    #[inline]
    pub fn is_key_frame(&self) -> bool {
        match self {
            Self::Opaque | Self::Opus(_) => false,
            Self::Vp8(d) => d.is_key_frame(),
            Self::Vp9(d) => d.is_key_frame(),
            Self::H264(d) => d.is_key_frame(),
            Self::H265(d) => d.is_key_frame(),
            Self::Av1(d) => d.is_key_frame(),
        }
    }

    /// Whether this packet may be the first of a frame (of a layer's frame where there are spatial layers). Opaque and
    /// audio payloads always say so; so does H.264 and H.265 for each start of a NAL unit, since only the marker
    /// bit of the packet before ends a frame there.
    #[inline]
    pub fn starts_frame(&self) -> bool {
        match self {
            Self::Opaque | Self::Opus(_) => true,
            Self::Vp8(d) => d.starts_frame(),
            Self::Vp9(d) => d.starts_frame(),
            Self::H264(d) => d.starts_nal_unit(),
            Self::H265(d) => d.starts_nal_unit(),
            Self::Av1(d) => d.starts_frame(),
        }
    }

    /// The spatial layer, 0 where the format has none or leaves it out.
    #[inline]
    pub fn spatial_layer(&self) -> u8 {
        match self {
            Self::Vp9(d) => d.spatial_layer(),
            Self::H265(d) => d.layer_id,
            Self::Av1(d) => d.spatial_layer,
            Self::Opaque | Self::Opus(_) | Self::Vp8(_) | Self::H264(_) => 0,
        }
    }

    /// The temporal layer, 0 where the format has none or leaves it out.
    #[inline]
    pub fn temporal_layer(&self) -> u8 {
        match self {
            Self::Vp8(d) => d.temporal_layer.unwrap_or(0),
            Self::Vp9(d) => d.temporal_layer(),
            Self::H265(d) => d.temporal_layer,
            Self::Av1(d) => d.temporal_layer,
            Self::Opaque | Self::Opus(_) | Self::H264(_) => 0,
        }
    }
}
