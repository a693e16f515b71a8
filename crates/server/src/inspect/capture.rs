//! Frames out of a capture file, pcap or pcapng. Must not know what is in a frame.

use pcap_file::pcap::PcapReader;
use pcap_file::pcapng::PcapNgReader;
use pcap_file::pcapng::blocks::interface_description::InterfaceDescriptionOption;
use pcap_file::{DataLink, Endianness, PcapError, TsResolution};
use std::fs::File;
use std::io::{Chain, Cursor, Read};
use std::path::{Path, PathBuf};

/// One frame as it was captured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    /// Nanoseconds since 1970.
    pub(super) at: u64,
    pub(super) link: DataLink,
    pub(super) bytes: Vec<u8>,
    /// Whether the capture holds less than there was on the wire.
    pub(super) cut: bool,
}

/// Why a file cannot be read, or cannot be read on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CaptureError {
    /// The system cannot read it.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It starts with neither pcap's nor pcapng's magic number.
    #[error("{} is neither pcap nor pcapng", path.display())]
    Format {
        /// The file.
        path: PathBuf,
    },
    /// It ends in the middle of a packet.
    #[error("the file ends in the middle of packet {0}")]
    Truncated(u64),
    /// A packet is broken.
    #[error("packet {0} is broken: {1}")]
    Broken(u64, String),
}

type Source = Chain<Cursor<Vec<u8>>, File>;

enum Reader {
    Pcap(Box<PcapReader<Source>>),
    PcapNg(Box<PcapNgReader<Source>>),
}

/// The frames of a file, one after the other; an error is the last item.
pub(super) struct Capture {
    reader: Reader,
    count: u64,
    ended: bool,
}

/// Magic numbers of pcap in both byte orders, with microseconds and nanoseconds.
const PCAP: [u32; 4] = [0xa1b2_c3d4, 0xd4c3_b2a1, 0xa1b2_3c4d, 0x4d3c_b2a1];
/// The type of a section header block.
const PCAPNG: u32 = 0x0a0d_0d0a;

impl Capture {
    pub(super) fn open(path: &Path) -> Result<Self, CaptureError> {
        let read = |source| CaptureError::Read { path: path.to_owned(), source };
        let format = || CaptureError::Format { path: path.to_owned() };
        let mut file = File::open(path).map_err(read)?;
        let mut head = Vec::with_capacity(4);
        file.by_ref().take(4).read_to_end(&mut head).map_err(read)?;
        let magic = head.first_chunk().copied().map(u32::from_be_bytes).ok_or_else(format)?;
        let source = Cursor::new(head).chain(file);
        let reader = if PCAP.contains(&magic) {
            Reader::Pcap(Box::new(PcapReader::new(source).map_err(|error| broken(0, &error))?))
        } else if magic == PCAPNG {
            Reader::PcapNg(Box::new(PcapNgReader::new(source).map_err(|error| broken(0, &error))?))
        } else {
            return Err(format());
        };
        Ok(Self { reader, count: 0, ended: false })
    }

    fn read(&mut self) -> Option<Result<Frame, PcapError>> {
        match &mut self.reader {
            Reader::Pcap(reader) => pcap_frame(reader),
            Reader::PcapNg(reader) => pcapng_frame(reader),
        }
    }
}

impl Iterator for Capture {
    type Item = Result<Frame, CaptureError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        self.count += 1;
        let frame = self.read()?.map_err(|error| broken(self.count, &error));
        self.ended = frame.is_err();
        Some(frame)
    }
}

fn broken(packet: u64, error: &PcapError) -> CaptureError {
    match error {
        PcapError::IncompleteBuffer => CaptureError::Truncated(packet),
        PcapError::IoError(source) if source.kind() == std::io::ErrorKind::UnexpectedEof => {
            CaptureError::Truncated(packet)
        }
        error => CaptureError::Broken(packet, error.to_string()),
    }
}

/// Packets as they are in the file: the reader's own check refuses jumbo frames of captures that were cut.
fn pcap_frame(reader: &mut PcapReader<Source>) -> Option<Result<Frame, PcapError>> {
    let header = reader.header();
    let unit = if header.ts_resolution == TsResolution::NanoSecond { 1 } else { 1_000 };
    let raw = match reader.next_raw_packet()? {
        Ok(raw) => raw,
        Err(error) => return Some(Err(error)),
    };
    let at = u64::from(raw.ts_sec) * 1_000_000_000 + u64::from(raw.ts_frac) * unit;
    let cut = raw.orig_len > raw.incl_len;
    Some(Ok(Frame { at, link: header.datalink, bytes: raw.data.into_owned(), cut }))
}

const ENHANCED_PACKET: u32 = 6;

/// The next enhanced packet block; others carry no timestamp, or no packet.
fn pcapng_frame(reader: &mut PcapNgReader<Source>) -> Option<Result<Frame, PcapError>> {
    loop {
        let (kind, body) = match reader.next_raw_block()? {
            Ok(block) => (block.type_, block.body.into_owned()),
            Err(error) => return Some(Err(error)),
        };
        if kind == ENHANCED_PACKET {
            return Some(
                enhanced_packet(reader, &body).ok_or(PcapError::InvalidField("enhanced packet block")),
            );
        }
    }
}

fn enhanced_packet(reader: &PcapNgReader<Source>, body: &[u8]) -> Option<Frame> {
    let big = reader.section().endianness == Endianness::Big;
    let word = |index: usize| {
        let bytes = body.get(4 * index..4 * index + 4)?.try_into().ok()?;
        Some(if big { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    };
    let interface = reader.interfaces().get(usize::try_from(word(0)?).ok()?)?;
    let resolution = interface.options.iter().find_map(|option| match option {
        InterfaceDescriptionOption::IfTsResol(resolution) => Some(*resolution),
        _ => None,
    });
    let ticks = u64::from(word(1)?) << 32 | u64::from(word(2)?);
    let captured = usize::try_from(word(3)?).ok()?;
    let bytes = body.get(20..)?.get(..captured)?.to_vec();
    let cut = word(4)? > word(3)?;
    Some(Frame { at: nanoseconds(ticks, resolution.unwrap_or(6)), link: interface.linktype, bytes, cut })
}

/// Ticks of an interface: its resolution is a negative power of ten or, with the highest bit, of two.
fn nanoseconds(ticks: u64, resolution: u8) -> u64 {
    let exponent = u32::from(resolution & 0x7f);
    let per_second =
        if resolution & 0x80 == 0 { 10u128.checked_pow(exponent) } else { 1u128.checked_shl(exponent) };
    let per_second = per_second.unwrap_or(u128::MAX);
    let nanoseconds = u128::from(ticks).saturating_mul(1_000_000_000) / per_second;
    u64::try_from(nanoseconds).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_of_the_interfaces_resolution() {
        assert_eq!(nanoseconds(1_500_000, 6), 1_500_000_000);
        assert_eq!(nanoseconds(1_500_000_000, 9), 1_500_000_000);
        assert_eq!(nanoseconds(1024, 0x80 | 10), 1_000_000_000);
        assert_eq!(nanoseconds(u64::MAX, 127), 0);
        assert_eq!(nanoseconds(u64::MAX, 0), u64::MAX);
    }
}
