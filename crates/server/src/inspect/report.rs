//! What is told of a capture: data, as JSON, and as tables.

use super::control::{ControlKey, ControlSummary};
use super::hint::{Codec, PayloadTypeHint};
use super::stream::Stream;
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::Write;
use std::net::SocketAddr;

/// A capture, explained.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Frames in the file.
    pub frames: u64,
    /// Frames of which the file holds only a part.
    pub cut_frames: u64,
    /// Seconds from the first to the last.
    pub duration_seconds: f64,
    /// UDP datagrams by what they carry, and frames that are none.
    pub datagrams: BTreeMap<&'static str, u64>,
    /// RTP, by 5-tuple and SSRC.
    pub streams: Vec<StreamReport>,
    /// RTCP, by 5-tuple, type, sender and source.
    pub control: Vec<ControlReport>,
    /// Why the file could not be read to its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// One RTP stream.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StreamReport {
    /// Where it comes from.
    pub source: SocketAddr,
    /// Where it goes.
    pub destination: SocketAddr,
    /// Its SSRC.
    pub ssrc: u32,
    /// The payload types in it.
    pub payload_types: Vec<u8>,
    /// The codec of most packets, where it is known.
    pub codec: Option<Codec>,
    /// The SSRC that it retransmits.
    pub rtx_of: Option<u32>,
    /// Packets, duplicates included.
    pub packets: u64,
    /// Bytes of RTP, headers included.
    pub bytes: u64,
    /// Seconds from the first packet to the last.
    pub duration_seconds: f64,
    /// Bits per second over that time.
    pub bitrate: f64,
    /// The lowest sequence number, and the highest, extended by wraps (RFC 3550 appendix A.1).
    pub sequence: (i64, i64),
    /// Packets that never came.
    pub lost: u64,
    /// Packets that came behind later ones.
    pub reordered: u64,
    /// Packets that came again.
    pub duplicates: u64,
    /// Interarrival jitter at the end, in milliseconds (RFC 3550 section 6.4.1).
    pub jitter_ms: Option<f64>,
    /// Different timestamps.
    pub frames: u64,
    /// Packets with the marker bit.
    pub markers: u64,
    /// Packets without payload.
    pub padding_only: u64,
    /// Key frames, of video whose codec is known.
    pub key_frames: Option<u64>,
}

/// RTCP of one kind.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ControlReport {
    /// Where it comes from.
    pub source: SocketAddr,
    /// Where it goes.
    pub destination: SocketAddr,
    /// What it is.
    #[serde(flatten)]
    pub key: ControlKey,
    /// What it says.
    #[serde(flatten)]
    pub summary: ControlSummary,
}

/// Nanoseconds as seconds.
pub(super) fn seconds(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / 1e9
}

impl StreamReport {
    pub(super) fn new(
        source: SocketAddr,
        destination: SocketAddr,
        ssrc: u32,
        stream: &Stream,
        hints: &[PayloadTypeHint],
    ) -> Self {
        let (first, last) = stream.span();
        let duration_seconds = seconds(last.saturating_sub(first));
        let codec = stream.codec(hints);
        let clock_rate = codec.as_ref().map(|codec| codec.clock_rate).or_else(|| stream.clock());
        Self {
            source,
            destination,
            ssrc,
            payload_types: stream.payload_types(),
            key_frames: codec.as_ref().and_then(|codec| stream.key_frames(&codec.name)),
            codec,
            rtx_of: stream.rtx_of(),
            packets: stream.packets,
            bytes: stream.bytes,
            duration_seconds,
            bitrate: if duration_seconds > 0.0 { stream.bytes as f64 * 8.0 / duration_seconds } else { 0.0 },
            sequence: stream.lowest_and_highest(),
            lost: stream.lost(),
            reordered: stream.reordered,
            duplicates: stream.duplicates(),
            jitter_ms: clock_rate.map(|clock_rate| stream.jitter_ms(clock_rate)),
            frames: stream.frames(),
            markers: stream.markers,
            padding_only: stream.padding_only,
        }
    }

    fn codec_text(&self) -> String {
        match (&self.codec, self.rtx_of) {
            (_, Some(ssrc)) => format!("rtx of {ssrc}"),
            (Some(codec), None) => {
                format!("{}/{} ({:?})", codec.name, codec.clock_rate, codec.known_from).to_lowercase()
            }
            (None, None) => "?".to_owned(),
        }
    }

    fn row(&self) -> Vec<String> {
        let optional = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
        let types: Vec<_> = self.payload_types.iter().map(ToString::to_string).collect();
        vec![
            format!("{} > {}", self.source, self.destination),
            self.ssrc.to_string(),
            types.join(","),
            self.codec_text(),
            self.packets.to_string(),
            self.bytes.to_string(),
            format!("{:.1}", self.duration_seconds),
            format!("{:.0}", self.bitrate / 1e3),
            self.lost.to_string(),
            self.reordered.to_string(),
            self.duplicates.to_string(),
            optional(self.jitter_ms.map(|jitter| format!("{jitter:.1}"))),
            self.frames.to_string(),
            self.markers.to_string(),
            optional(self.key_frames.map(|count| count.to_string())),
        ]
    }
}

const STREAM_HEAD: [&str; 15] = [
    "RTP",
    "ssrc",
    "pt",
    "codec",
    "packets",
    "bytes",
    "s",
    "kbit/s",
    "lost",
    "reordered",
    "twice",
    "jitter ms",
    "frames",
    "markers",
    "key frames",
];
const CONTROL_HEAD: [&str; 6] = ["RTCP", "type", "sender", "about", "count", "last or sum"];

impl ControlReport {
    fn row(&self) -> Vec<String> {
        let ssrc = |ssrc: Option<u32>| ssrc.map_or_else(|| "-".to_owned(), |ssrc| ssrc.to_string());
        let fields: Vec<_> =
            self.summary.fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
        vec![
            format!("{} > {}", self.source, self.destination),
            self.key.kind.clone(),
            ssrc(self.key.sender),
            ssrc(self.key.media),
            self.summary.count.to_string(),
            fields.join(" "),
        ]
    }
}

impl Report {
    /// Writes it as tables.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write_tables(&self, out: &mut dyn Write) -> std::io::Result<()> {
        writeln!(out, "{} frames in {:.3} s", self.frames, self.duration_seconds)?;
        if self.cut_frames > 0 {
            writeln!(
                out,
                "{} frames were cut by the capture: bytes and key frames are too few",
                self.cut_frames
            )?;
        }
        for (kind, count) in &self.datagrams {
            writeln!(out, "  {kind}: {count}")?;
        }
        table(out, &STREAM_HEAD, self.streams.iter().map(StreamReport::row))?;
        table(out, &CONTROL_HEAD, self.control.iter().map(ControlReport::row))
    }
}

/// Columns as wide as their widest cell; nothing where there are no rows.
fn table(out: &mut dyn Write, head: &[&str], rows: impl Iterator<Item = Vec<String>>) -> std::io::Result<()> {
    let mut rows: Vec<Vec<String>> = rows.collect();
    if rows.is_empty() {
        return Ok(());
    }
    rows.insert(0, head.iter().map(ToString::to_string).collect());
    let width =
        |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<_> = (0..head.len()).map(|column| width(column).unwrap_or_default()).collect();
    writeln!(out)?;
    for row in &rows {
        let cells: Vec<_> = row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:width$}")).collect();
        writeln!(out, "{}", cells.join("  ").trim_end())?;
    }
    Ok(())
}
