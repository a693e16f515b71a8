//! `tureen inspect`: explains the RTP and RTCP of a capture. Must not know how captures are made.
//!
//! Packets are parsed by the crates `rtp` and `rtcp`, behind the length checks of [`tureen_rtp_wire::validate`].

mod capture;
mod control;
mod datagram;
mod hint;
mod report;
mod stream;

pub use capture::CaptureError;
pub use control::{ControlKey, ControlSummary};
pub use hint::{Codec, KnownFrom, PayloadTypeHint, PayloadTypeHintError};
pub use report::{ControlReport, Report, StreamReport};

use bytes::Bytes;
use capture::{Capture, Frame};
use control::Control;
use datagram::{Datagram, datagram};
use std::collections::BTreeMap;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use stream::{Packet, Stream};
use tureen_rtp_wire::rtp::{DatagramKind, RtpPacket, classify};
use tureen_rtp_wire::validate;
use webrtc_util::marshal::Unmarshal;

/// What `tureen inspect` takes.
#[derive(Clone, Debug, clap::Args)]
pub struct InspectArgs {
    /// The capture, pcap or pcapng.
    pub file: PathBuf,
    /// What a payload type means, as PT=NAME/CLOCK with the clock in Hz, such as 96=VP8/90000; may be repeated.
    /// Default: guessed.
    #[arg(long, value_name = "PT=NAME/CLOCK")]
    pub payload_type: Vec<PayloadTypeHint>,
    /// Prints JSON in place of tables.
    #[arg(long)]
    pub json: bool,
}

/// Why a capture was not, or not wholly, explained.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InspectError {
    /// The file cannot be read.
    #[error(transparent)]
    Capture(#[from] CaptureError),
    /// What could be read was explained; the rest cannot be.
    #[error("{0}")]
    Incomplete(String),
    /// The report cannot be written.
    #[error("cannot write the report: {0}")]
    Write(#[from] std::io::Error),
}

/// Explains a capture.
///
/// # Errors
/// [`CaptureError`] if the file does not start as a capture. One that is broken later is explained up to there, and
/// [`Report::problem`] says so.
pub fn inspect(file: &Path, hints: &[PayloadTypeHint]) -> Result<Report, CaptureError> {
    let mut survey = Survey::default();
    let mut problem = None;
    for frame in Capture::open(file)? {
        match frame {
            Ok(frame) => survey.add(&frame),
            Err(error) => problem = Some(error.to_string()),
        }
    }
    Ok(Report { problem, ..survey.report(hints) })
}

/// Explains a capture to `out`, and fails behind that if it could not be read to its end.
pub(crate) fn run(args: &InspectArgs, out: &mut dyn Write) -> Result<(), InspectError> {
    let report = inspect(&args.file, &args.payload_type)?;
    if args.json {
        serde_json::to_writer_pretty(&mut *out, &report).map_err(std::io::Error::from)?;
        writeln!(out)?;
    } else {
        report.write_tables(out)?;
    }
    report.problem.map_or(Ok(()), |problem| Err(InspectError::Incomplete(problem)))
}

/// Everything between one source and one destination.
#[derive(Default)]
struct Flow {
    streams: BTreeMap<u32, Stream>,
    control: Control,
}

/// A capture, as far as it was read.
#[derive(Default)]
struct Survey {
    flows: BTreeMap<(SocketAddr, SocketAddr), Flow>,
    datagrams: BTreeMap<&'static str, u64>,
    frames: u64,
    cut_frames: u64,
    span: Option<(u64, u64)>,
}

impl Survey {
    fn add(&mut self, frame: &Frame) {
        self.frames += 1;
        self.cut_frames += u64::from(frame.cut);
        let (first, last) = self.span.unwrap_or((frame.at, frame.at));
        self.span = Some((first.min(frame.at), last.max(frame.at)));
        let kind = match datagram(frame) {
            Some(datagram) => self.add_datagram(frame.at, &datagram),
            None => "not UDP, or a fragment",
        };
        *self.datagrams.entry(kind).or_default() += 1;
    }

    /// Says what the datagram is.
    fn add_datagram(&mut self, at: u64, datagram: &Datagram<'_>) -> &'static str {
        let flow = (datagram.source, datagram.destination);
        match classify(datagram.payload) {
            DatagramKind::Rtp => match parse_rtp(datagram.payload) {
                Some((header, payload)) => {
                    let packet = Packet { at, bytes: datagram.payload.len(), header: &header, payload };
                    self.flows.entry(flow).or_default().add(&packet);
                    "RTP"
                }
                None => "RTP that does not parse",
            },
            DatagramKind::Rtcp => match parse_rtcp(datagram.payload) {
                Some(packets) => {
                    let flow = self.flows.entry(flow).or_default();
                    packets.iter().for_each(|packet| control::add(&mut flow.control, packet.as_ref()));
                    "RTCP"
                }
                None => "RTCP that does not parse or is encrypted",
            },
            DatagramKind::Stun => "STUN",
            DatagramKind::Dtls => "DTLS",
            DatagramKind::TurnChannel => "TURN channel",
            _ => "other UDP",
        }
    }

    fn report(self, hints: &[PayloadTypeHint]) -> Report {
        let mut report = Report { frames: self.frames, cut_frames: self.cut_frames, ..Report::default() };
        report.datagrams = self.datagrams;
        report.duration_seconds = self.span.map_or(0.0, |(first, last)| report::seconds(last - first));
        for ((source, destination), flow) in self.flows {
            let stream = |(ssrc, stream): (&u32, &Stream)| {
                StreamReport::new(source, destination, *ssrc, stream, hints)
            };
            report.streams.extend(flow.streams.iter().map(stream));
            let control = |(key, summary)| ControlReport { source, destination, key, summary };
            report.control.extend(flow.control.into_iter().map(control));
        }
        report
    }
}

impl Flow {
    fn add(&mut self, packet: &Packet<'_>) {
        let ssrc = packet.header.ssrc;
        let original = packet.payload.first_chunk().copied().map(u16::from_be_bytes);
        let wants_votes = self.streams.get(&ssrc).is_none_or(Stream::wants_rtx_votes);
        let voted: Vec<u32> = match original.filter(|_| wants_votes) {
            Some(original) => {
                let others = self.streams.iter().filter(|&(&other, _)| other != ssrc);
                let sent =
                    others.filter(|(_, other)| other.could_have_sent(original, packet.header.timestamp));
                sent.map(|(&other, _)| other).collect()
            }
            None => Vec::new(),
        };
        let stream = self.streams.entry(ssrc).or_default();
        stream.add(packet);
        if wants_votes && original.is_some() {
            stream.vote_rtx(voted.into_iter());
        }
    }
}

fn parse_rtp(bytes: &[u8]) -> Option<(rtp::header::Header, &[u8])> {
    validate::rtp(bytes).ok()?;
    let header = rtp::header::Header::unmarshal(&mut Bytes::copy_from_slice(bytes)).ok()?;
    Some((header, RtpPacket::parse(bytes).ok()?.payload()))
}

fn parse_rtcp(bytes: &[u8]) -> Option<Vec<Box<dyn rtcp::packet::Packet + Send + Sync>>> {
    validate::rtcp(bytes).ok()?;
    rtcp::packet::unmarshal(&mut Bytes::copy_from_slice(bytes)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn packets_that_the_parsers_stumble_over_are_refused() {
        let element_overrun =
            b"\x90\x60\x00\x01\x00\x00\x00\x01\x00\x00\x00\x09\xBE\xDE\x00\x01\x1F\x01\x02\x03";
        assert!(parse_rtp(element_overrun).is_none());
        assert!(parse_rtcp(b"\x84\xCE\x00\x01\x00\x00\x00\x01").is_none());
        assert!(parse_rtcp(b"\x81\xCD\x00\x01\x00\x00\x00\x01").is_none());
    }

    proptest! {
        #[test]
        fn no_datagram_panics(
            first in 0x80u8..0xc0,
            second in any::<u8>(),
            rest in proptest::collection::vec(any::<u8>(), 0..120),
        ) {
            let bytes = [&[first, second][..], &rest].concat();
            let address: SocketAddr = "192.0.2.1:1".parse().unwrap();
            let mut survey = Survey::default();
            survey.add_datagram(0, &Datagram { source: address, destination: address, payload: &bytes });
            survey.report(&[]);
        }
    }
}
