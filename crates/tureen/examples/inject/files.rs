//! What is in the files, as RTP packets with the moment at which they are due. Must not know where they go.

use crate::Stream;
use bytes::Bytes;
use ogg::PacketReader;
use rtp::codecs::opus::OpusPayloader;
use rtp::codecs::vp8::Vp8Payloader;
use rtp::header::Header;
use rtp::packet::Packet;
use rtp::packetizer::Payloader;
use std::error::Error;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::time::Duration;
use webrtc_media::io::ivf_reader::{IVFFileHeader, IVFReader};

/// The most bytes of a payload, so that a packet fits into any path.
const PAYLOAD: usize = 1150;

/// A packet of sound, or the packets of a picture.
pub(crate) struct Item {
    /// Since the start of the file.
    pub(crate) at: Duration,
    pub(crate) packets: Vec<Packet>,
}

/// Numbers the packets of one stream.
struct Packetizer {
    stream: Stream,
    payloader: Box<dyn Payloader + Send + Sync>,
    sequence_number: u16,
}

impl Packetizer {
    fn item(&mut self, data: &Bytes, timestamp: u64) -> Result<Item, Box<dyn Error>> {
        let Stream { ssrc, payload_type, clock_rate } = self.stream;
        let payloads = self.payloader.payload(PAYLOAD, data)?;
        let last = payloads.len().saturating_sub(1);
        let mut packets = Vec::with_capacity(payloads.len());
        for (place, payload) in payloads.into_iter().enumerate() {
            let header = Header {
                version: 2,
                // Of sound it would be the start after silence (RFC 7587 section 4.2).
                marker: place == last && clock_rate == 90_000,
                payload_type,
                sequence_number: self.sequence_number,
                timestamp: timestamp as u32,
                ssrc,
                ..Header::default()
            };
            self.sequence_number = self.sequence_number.wrapping_add(1);
            packets.push(Packet { header, payload });
        }
        Ok(Item { at: Duration::from_secs_f64(timestamp as f64 / f64::from(clock_rate)), packets })
    }
}

/// Opus in an Ogg file (RFC 7845).
pub(crate) struct OggFile {
    reader: PacketReader<BufReader<File>>,
    packetizer: Packetizer,
    timestamp: u64,
}

impl OggFile {
    pub(crate) fn open(path: &Path, stream: Stream) -> Result<Self, Box<dyn Error>> {
        let mut reader = PacketReader::new(BufReader::new(File::open(path)?));
        for magic in [b"OpusHead", b"OpusTags"] {
            if !reader.read_packet_expected()?.data.starts_with(magic) {
                return Err(format!("{} has no Opus", path.display()).into());
            }
        }
        let packetizer = Packetizer { stream, payloader: Box::new(OpusPayloader), sequence_number: 0 };
        Ok(Self { reader, packetizer, timestamp: 0 })
    }
}

impl Iterator for OggFile {
    type Item = Result<Item, Box<dyn Error>>;

    fn next(&mut self) -> Option<Self::Item> {
        let packet = match self.reader.read_packet() {
            Ok(packet) => packet?,
            Err(error) => return Some(Err(error.into())),
        };
        let at = self.timestamp;
        self.timestamp += samples(&packet.data);
        Some(self.packetizer.item(&packet.data.into(), at))
    }
}

/// How many samples of 48 kHz an Opus packet has (RFC 6716 section 3.1).
fn samples(packet: &[u8]) -> u64 {
    let Some(&toc) = packet.first() else { return 0 };
    let (configuration, code) = (toc >> 3, toc & 3);
    let frame = match configuration {
        0..12 => [480, 960, 1920, 2880][usize::from(configuration % 4)],
        12..16 => [480, 960][usize::from(configuration % 2)],
        _ => [120, 240, 480, 960][usize::from(configuration % 4)],
    };
    let frames = match code {
        0 => 1,
        1 | 2 => 2,
        _ => packet.get(1).map_or(0, |count| u64::from(count & 0x3f)),
    };
    frame * frames
}

/// VP8 in an IVF file.
pub(crate) struct VideoFile {
    reader: IVFReader<BufReader<File>>,
    header: IVFFileHeader,
    packetizer: Packetizer,
}

impl VideoFile {
    pub(crate) fn open(path: &Path, stream: Stream) -> Result<Self, Box<dyn Error>> {
        let (reader, header) = IVFReader::new(BufReader::new(File::open(path)?))?;
        if &header.four_cc != b"VP80" || header.timebase_denominator == 0 {
            return Err(format!("{} has no VP8", path.display()).into());
        }
        let mut payloader = Vp8Payloader::default();
        payloader.enable_picture_id = true;
        let packetizer = Packetizer { stream, payloader: Box::new(payloader), sequence_number: 0 };
        Ok(Self { reader, header, packetizer })
    }

    fn timestamp(&self, ticks: u64) -> u64 {
        let (numerator, denominator) = (self.header.timebase_numerator, self.header.timebase_denominator);
        ticks * u64::from(numerator) * u64::from(self.packetizer.stream.clock_rate) / u64::from(denominator)
    }
}

impl Iterator for VideoFile {
    type Item = Result<Item, Box<dyn Error>>;

    fn next(&mut self) -> Option<Self::Item> {
        // The reader tells the end of the file as one more error.
        let (frame, header) = self.reader.parse_next_frame().ok()?;
        let timestamp = self.timestamp(header.timestamp);
        Some(self.packetizer.item(&frame.freeze(), timestamp))
    }
}
