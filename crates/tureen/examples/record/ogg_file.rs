//! Opus in an Ogg file (RFC 7845). Must not know where packets come from.

use ogg::writing::{PacketWriteEndInfo, PacketWriter};
use rtp::codecs::opus::OpusPacket;
use rtp::packet::Packet;
use std::error::Error;
use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use webrtc_media::io::sample_builder::SampleBuilder;

const CLOCK_RATE: u32 = 48_000;
/// Names the one stream of the file.
const SERIAL: u32 = 1;
/// Samples that decoders drop at the start: what encoders look ahead.
const PRE_SKIP: u16 = 312;
/// Packets that a late one is waited for.
const MAX_LATE: u16 = 50;

pub(crate) struct OggFile {
    writer: PacketWriter<'static, BufWriter<File>>,
    samples: SampleBuilder<OpusPacket>,
    first: Option<u32>,
    /// The next packet to be written, and where it ends: only the last of all says that it is the last.
    held: Option<(Vec<u8>, u64)>,
    written: u64,
}

impl OggFile {
    pub(crate) fn create(path: &Path) -> Result<Self, Box<dyn Error>> {
        let mut writer = PacketWriter::new(BufWriter::new(File::create(path)?));
        writer.write_packet(head(), SERIAL, PacketWriteEndInfo::EndPage, 0)?;
        writer.write_packet(tags(), SERIAL, PacketWriteEndInfo::EndPage, 0)?;
        let samples = SampleBuilder::new(MAX_LATE, OpusPacket, CLOCK_RATE);
        Ok(Self { writer, samples, first: None, held: None, written: 0 })
    }

    pub(crate) fn push(&mut self, packet: Packet) -> Result<(), Box<dyn Error>> {
        self.samples.push(packet);
        while let Some(sample) = self.samples.pop() {
            let first = *self.first.get_or_insert(sample.packet_timestamp);
            let duration = sample.duration.as_nanos() * u128::from(CLOCK_RATE) / 1_000_000_000;
            let start = u64::from(sample.packet_timestamp.wrapping_sub(first)) + u64::from(PRE_SKIP);
            let next = (sample.data.to_vec(), start + u64::try_from(duration)?);
            if let Some(before) = self.held.replace(next) {
                self.write(before, PacketWriteEndInfo::NormalPacket)?;
            }
        }
        Ok(())
    }

    fn write(&mut self, (data, end): (Vec<u8>, u64), info: PacketWriteEndInfo) -> Result<(), Box<dyn Error>> {
        self.written += 1;
        Ok(self.writer.write_packet(data, SERIAL, info, end)?)
    }

    /// Ends the file; returns how many packets it has.
    pub(crate) fn finish(mut self) -> Result<u64, Box<dyn Error>> {
        if let Some(last) = self.held.take() {
            self.write(last, PacketWriteEndInfo::EndStream)?;
        }
        Ok(self.written)
    }
}

/// The identification header, RFC 7845 section 5.1: two channels, no gain.
fn head() -> Vec<u8> {
    let mut head = b"OpusHead\x01\x02".to_vec();
    head.extend(PRE_SKIP.to_le_bytes());
    head.extend(CLOCK_RATE.to_le_bytes());
    head.extend([0, 0, 0]);
    head
}

/// The comment header, RFC 7845 section 5.2: who wrote it, and no comments.
fn tags() -> Vec<u8> {
    let vendor = b"tureen";
    let mut tags = b"OpusTags".to_vec();
    tags.extend((vendor.len() as u32).to_le_bytes());
    tags.extend(vendor);
    tags.extend(0u32.to_le_bytes());
    tags
}
