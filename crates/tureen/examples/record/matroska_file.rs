//! VP8 or H264 in a Matroska file (RFC 9559). Must not know where packets come from.

use h264_reader::nal::sps::SeqParameterSet;
use h264_reader::rbsp::{BitReader, decode_nal};
use mkv_element::io::blocking_impl::WriteTo as _;
use mkv_element::prelude::{
    Cluster, CodecId, CodecPrivate, DocType, DocTypeReadVersion, DocTypeVersion, Duration, Ebml, Info,
    MuxingApp, PixelHeight, PixelWidth, SimpleBlock, Timestamp, TimestampScale, TrackEntry, TrackNumber,
    TrackType, TrackUid, Tracks, Video, WritingApp,
};
use rtp::codecs::h264::H264Packet;
use rtp::codecs::vp8::Vp8Packet;
use rtp::packet::Packet;
use std::error::Error;
use std::fs::File;
use std::io::{BufWriter, Seek as _, SeekFrom, Write as _};
use std::path::Path;
use webrtc_media::Sample;
use webrtc_media::io::sample_builder::SampleBuilder;

const CLOCK_RATE: u32 = 90_000;
const TICKS_PER_MS: u32 = CLOCK_RATE / 1000;
/// Packets that a late one is waited for.
const MAX_LATE: u16 = 500;
/// The element of a segment, with room for its length (RFC 9559 section 5.1.1, RFC 8794 section 4).
const SEGMENT: [u8; 12] = [0x18, 0x53, 0x80, 0x67, 0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
const SEGMENT_LEN_AT: u64 = 5;
/// The longest that a cluster may be: blocks say how far they are behind its start in 16 bits.
const MAX_CLUSTER_MS: u64 = 30_000;
const TRACK: u8 = 1;
const KEY_FRAME: u8 = 0x80;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum VideoCodec {
    Vp8,
    H264,
}

impl VideoCodec {
    pub(crate) fn named(name: &str) -> Result<Self, String> {
        match name {
            "vp8" => Ok(Self::Vp8),
            "h264" => Ok(Self::H264),
            other => Err(format!("'{other}' is neither vp8 nor h264")),
        }
    }

    /// What is sent to a producer of it.
    pub(crate) fn rtp_parameters(self) -> String {
        let codec = match self {
            Self::Vp8 => r#""mimeType": "video/VP8", "parameters": {}"#,
            Self::H264 => {
                r#""mimeType": "video/H264", "parameters": {"packetization-mode": 1, "profile-level-id": "42e01f"}"#
            }
        };
        format!(
            r#"{{"codecs": [{{{codec}, "clockRate": 90000, "payloadType": 102}}], "encodings": [{{"ssrc": 2222}}]}}"#
        )
    }
}

/// What a decoder has to know before the first frame.
struct Format {
    width: u64,
    height: u64,
    private: Option<Vec<u8>>,
}

enum Frames {
    Vp8(SampleBuilder<Vp8Packet>),
    H264(SampleBuilder<H264Packet>),
}

impl Frames {
    fn push(&mut self, packet: Packet) {
        match self {
            Self::Vp8(frames) => frames.push(packet),
            Self::H264(frames) => frames.push(packet),
        }
    }

    fn pop(&mut self) -> Option<Sample> {
        match self {
            Self::Vp8(frames) => frames.pop(),
            Self::H264(frames) => frames.pop(),
        }
    }

    fn is_key(&self, frame: &[u8]) -> bool {
        match self {
            // RFC 6386 section 9.1.
            Self::Vp8(_) => frame.first().is_some_and(|first| first & 1 == 0),
            Self::H264(_) => units(frame).any(|unit| kind_of(unit) == 5),
        }
    }

    /// Read from a key frame.
    fn format(&self, frame: &[u8]) -> Option<Format> {
        match self {
            Self::Vp8(_) => {
                let size =
                    |at| Some(u64::from(u16::from_le_bytes(*frame.get(at..)?.first_chunk()?) & 0x3fff));
                Some(Format { width: size(6)?, height: size(8)?, private: None })
            }
            Self::H264(_) => {
                let sps = units(frame).find(|unit| kind_of(unit) == 7)?;
                let pps = units(frame).find(|unit| kind_of(unit) == 8)?;
                let bits = decode_nal(sps).ok()?;
                let (width, height) =
                    SeqParameterSet::from_bits(BitReader::new(&*bits)).ok()?.pixel_dimensions().ok()?;
                let private = Some(decoder_configuration(sps, pps)?);
                Some(Format { width: width.into(), height: height.into(), private })
            }
        }
    }
}

/// The NAL units of a frame, each behind its length in four octets.
fn units(frame: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = frame;
    std::iter::from_fn(move || {
        let (len, behind) = rest.split_first_chunk::<4>()?;
        let (unit, next) = behind.split_at_checked(u32::from_be_bytes(*len) as usize)?;
        rest = next;
        Some(unit)
    })
}

fn kind_of(unit: &[u8]) -> u8 {
    unit.first().map_or(0, |first| first & 0x1f)
}

/// ISO/IEC 14496-15 section 5.3.3.1: one parameter set of either kind, lengths of four octets.
fn decoder_configuration(sps: &[u8], pps: &[u8]) -> Option<Vec<u8>> {
    let mut record = vec![1];
    record.extend(sps.get(1..4)?);
    record.extend([0xff, 0xe1]);
    for (index, set) in [sps, pps].into_iter().enumerate() {
        record.extend((index == 1).then_some(1));
        record.extend(u16::try_from(set.len()).ok()?.to_be_bytes());
        record.extend(set);
    }
    Some(record)
}

pub(crate) struct MatroskaFile {
    file: BufWriter<File>,
    codec: VideoCodec,
    frames: Frames,
    info_at: u64,
    /// RTP timestamp of the first frame; `None` until one can be decoded.
    first: Option<u32>,
    cluster: Option<Cluster>,
    /// Where the last frame ends, in milliseconds.
    end: u64,
    written: u64,
}

impl MatroskaFile {
    pub(crate) fn create(path: &Path, codec: VideoCodec) -> Result<Self, Box<dyn Error>> {
        let frames = match codec {
            VideoCodec::Vp8 => Frames::Vp8(SampleBuilder::new(MAX_LATE, Vp8Packet::default(), CLOCK_RATE)),
            VideoCodec::H264 => {
                let mut depacketizer = H264Packet::default();
                depacketizer.is_avc = true;
                Frames::H264(SampleBuilder::new(MAX_LATE, depacketizer, CLOCK_RATE))
            }
        };
        let file = BufWriter::new(File::create(path)?);
        Ok(Self { file, codec, frames, info_at: 0, first: None, cluster: None, end: 0, written: 0 })
    }

    pub(crate) fn push(&mut self, packet: Packet) -> Result<(), Box<dyn Error>> {
        self.frames.push(packet);
        while let Some(frame) = self.frames.pop() {
            self.write(&frame)?;
        }
        Ok(())
    }

    fn write(&mut self, frame: &Sample) -> Result<(), Box<dyn Error>> {
        let is_key = self.frames.is_key(&frame.data);
        let first = match self.first {
            Some(first) => first,
            // What comes in front of a whole key frame cannot be decoded.
            None => match self.frames.format(&frame.data).filter(|_| is_key) {
                Some(format) => self.begin(&format, frame.packet_timestamp)?,
                None => return Ok(()),
            },
        };
        let at = u64::from(frame.packet_timestamp.wrapping_sub(first) / TICKS_PER_MS);
        let start = self.cluster.as_ref().map(|cluster| *cluster.timestamp);
        let start = match start.filter(|start| !is_key && at - start < MAX_CLUSTER_MS) {
            Some(start) => start,
            None => self.begin_cluster(at)?,
        };
        let mut block = vec![0x80 | TRACK];
        block.extend(u16::try_from(at - start)?.to_be_bytes());
        block.push(if is_key { KEY_FRAME } else { 0 });
        block.extend(&frame.data);
        if let Some(cluster) = &mut self.cluster {
            cluster.blocks.push(SimpleBlock(block.into()).into());
        }
        self.end = at + u64::try_from(frame.duration.as_millis())?;
        self.written += 1;
        Ok(())
    }

    fn begin(&mut self, format: &Format, timestamp: u32) -> Result<u32, Box<dyn Error>> {
        let ebml = Ebml {
            doc_type: Some(DocType("matroska".to_owned())),
            doc_type_version: Some(DocTypeVersion(4)),
            doc_type_read_version: Some(DocTypeReadVersion(2)),
            ..Ebml::default()
        };
        ebml.write_to(&mut self.file)?;
        self.file.write_all(&SEGMENT)?;
        self.info_at = self.file.stream_position()?;
        self.info().write_to(&mut self.file)?;
        let track = TrackEntry {
            track_number: TrackNumber(TRACK.into()),
            track_uid: TrackUid(1),
            track_type: TrackType(1),
            codec_id: CodecId(self.codec_id().to_owned()),
            codec_private: format.private.clone().map(|private| CodecPrivate(private.into())),
            video: Some(Video {
                pixel_width: PixelWidth(format.width),
                pixel_height: PixelHeight(format.height),
                ..Video::default()
            }),
            ..TrackEntry::default()
        };
        Tracks { track_entry: vec![track], ..Tracks::default() }.write_to(&mut self.file)?;
        Ok(*self.first.insert(timestamp))
    }

    fn codec_id(&self) -> &'static str {
        match self.codec {
            VideoCodec::Vp8 => "V_VP8",
            VideoCodec::H264 => "V_MPEG4/ISO/AVC",
        }
    }

    /// It is as long whatever it says, so that the duration can be written at the end.
    fn info(&self) -> Info {
        Info {
            timestamp_scale: TimestampScale(1_000_000),
            duration: Some(Duration(self.end as f64)),
            muxing_app: MuxingApp("tureen".to_owned()),
            writing_app: WritingApp("tureen".to_owned()),
            ..Info::default()
        }
    }

    fn begin_cluster(&mut self, at: u64) -> Result<u64, Box<dyn Error>> {
        self.end_cluster()?;
        self.cluster = Some(Cluster { timestamp: Timestamp(at), ..Cluster::default() });
        Ok(at)
    }

    fn end_cluster(&mut self) -> Result<(), Box<dyn Error>> {
        if let Some(cluster) = self.cluster.take() {
            cluster.write_to(&mut self.file)?;
        }
        Ok(())
    }

    /// Ends the file, and says in it how long it is; returns how many frames it has.
    pub(crate) fn finish(mut self) -> Result<u64, Box<dyn Error>> {
        self.end_cluster()?;
        if self.first.is_some() {
            let end = self.file.stream_position()?;
            let [_, len @ ..] = (end - self.info_at).to_be_bytes();
            self.file.seek(SeekFrom::Start(self.info_at))?;
            self.info().write_to(&mut self.file)?;
            self.file.seek(SeekFrom::Start(self.info_at - SEGMENT.len() as u64 + SEGMENT_LEN_AT))?;
            self.file.write_all(&len)?;
        }
        self.file.flush()?;
        Ok(self.written)
    }
}
