//! The command lines of the real clients: who publishes what to where, who receives what into which file.
//!
//! It must not know of the server: a client sends to a port and receives on one, whoever is at the other end.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::pictures::{FRAME_RATE, HEIGHT, SENT_FRAMES, Source, WIDTH};
use crate::process::Process;
use crate::{ports, shared_directory};

/// Frequency of the tone that publishers send, in Hz.
pub(crate) const TONE: f64 = 1000.0;
/// Length of a run in seconds.
pub(crate) const SECONDS: usize = SENT_FRAMES / FRAME_RATE;
pub(crate) const VIDEO_SSRC: u32 = 2222;
pub(crate) const VIDEO_RTX_SSRC: u32 = 2223;
pub(crate) const AUDIO_SSRC: u32 = 1111;
const BIT_RATE: u32 = 2_000_000;
const READY: Duration = Duration::from_secs(20);

/// A codec that the clients know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Codec {
    Vp8,
    H264,
    Opus,
}

impl Codec {
    /// Its name in SDP and in media types.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Vp8 => "VP8",
            Self::H264 => "H264",
            Self::Opus => "opus",
        }
    }

    pub(crate) const fn kind(self) -> &'static str {
        if matches!(self, Self::Opus) { "audio" } else { "video" }
    }

    pub(crate) const fn clock_rate(self) -> u32 {
        if matches!(self, Self::Opus) { 48_000 } else { 90_000 }
    }
}

/// The key of one direction of SRTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SrtpKey {
    /// The suite, as RFC 4568 and RFC 7714 spell it.
    pub(crate) suite: String,
    /// Master key and salt in base64.
    pub(crate) base64: String,
}

/// Where RTP and RTCP of one stream go, on 127.0.0.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) rtp: u16,
    pub(crate) rtcp: u16,
}

/// A stream that FFmpeg publishes.
#[derive(Clone, Debug)]
pub(crate) struct FfmpegStream {
    pub(crate) codec: Codec,
    pub(crate) ssrc: u32,
    pub(crate) payload_type: u8,
    pub(crate) to: Address,
    pub(crate) srtp: Option<SrtpKey>,
}

/// Draws the pictures and encodes all movies, where no earlier run has. This comes before the first client: FFmpeg gives a
/// stream up that has not started within 10 s.
pub(crate) fn prepare() -> Source {
    let directory = shared_directory();
    let source = Source::render(&directory);
    for codec in [Codec::Vp8, Codec::H264] {
        movie(&directory, &source, codec);
    }
    source
}

/// Encodes the numbered pictures and the tone into a file in `directory`, or takes that of an earlier run: a machine that
/// is busy encoding does not keep real time. A key frame every second, since FFmpeg does not answer requests for one.
pub(crate) fn movie(directory: &Path, source: &Source, video: Codec) -> PathBuf {
    // MPEG-TS keeps the parameter sets of H264 in the stream, where a receiver without the SDP finds them.
    let (suffix, encoder) = match video {
        Codec::H264 => ("ts", "-c:v libx264 -profile:v baseline -preset veryfast -tune zerolatency"),
        _ => ("mkv", "-c:v libvpx -deadline realtime -cpu-used 8"),
    };
    let path = directory.join(format!("movie-{}-{SENT_FRAMES}-1.{suffix}", video.name()));
    let lock = File::create(path.with_extension("lock")).expect("a file to lock");
    lock.lock().expect("a lock");
    if !path.exists() {
        let draft = path.with_extension(format!("draft.{suffix}"));
        let size = format!("{WIDTH}x{HEIGHT}");
        let mut command = Command::new("ffmpeg");
        command.args("-hide_banner -loglevel error -nostdin -y -f rawvideo -pix_fmt yuv420p".split(' '));
        command.args(["-video_size", &size, "-framerate", &FRAME_RATE.to_string(), "-i"]).arg(source.path());
        command.args([
            "-f",
            "lavfi",
            "-i",
            &format!("sine=frequency={TONE}:sample_rate=48000:duration={SECONDS}"),
        ]);
        command.args(encoder.split(' ')).args("-b:v 2M -g 30 -c:a libopus -b:a 64k -ac 2".split(' '));
        let status = command.arg(&draft).status().expect("ffmpeg to run");
        assert!(status.success(), "ffmpeg encodes no {}: {status}", video.name());
        fs::rename(&draft, &path).expect("the movie to be renamed");
    }
    path
}

/// Publishes the numbered pictures and the tone with FFmpeg, each stream an output of its own. It ends by itself, which
/// [`Publisher::finish`] waits for.
pub(crate) fn ffmpeg_publish(directory: &Path, source: &Source, streams: &[FfmpegStream]) -> Publisher {
    let video = streams.iter().map(|stream| stream.codec).find(|codec| codec.kind() == "video");
    let movie = movie(&shared_directory(), source, video.unwrap_or(Codec::Vp8));
    let mut command = Command::new("ffmpeg");
    command.args(["-hide_banner", "-loglevel", "warning", "-re", "-i"]).arg(movie);
    for stream in streams {
        command.args(["-map", if stream.codec == Codec::Opus { "0:a" } else { "0:v" }, "-c", "copy"]);
        let Address { rtp, rtcp } = stream.to;
        let mut scheme = "rtp";
        // In the address these two are ignored; as options they work.
        if let Some(key) = &stream.srtp {
            command.args(["-srtp_out_suite", &key.suite, "-srtp_out_params", &key.base64]);
            scheme = "srtp";
        }
        command.args(["-f", "rtp", "-ssrc", &stream.ssrc.to_string()]);
        command.args(["-payload_type", &stream.payload_type.to_string()]);
        command.arg(format!("{scheme}://127.0.0.1:{rtp}?rtcpport={rtcp}&pkt_size=1200"));
    }
    Publisher { process: Process::start(directory, "ffmpeg-publish", &mut command), report: false }
}

/// The ports and format of a stream that a client receives.
#[derive(Clone, Debug)]
pub(crate) struct Reception {
    pub(crate) codec: Codec,
    pub(crate) payload_type: u8,
    /// Of RFC 4588 retransmissions.
    pub(crate) rtx_payload_type: Option<u8>,
    /// Where the client listens.
    pub(crate) at: Address,
    /// Port that the client sends its RTCP to.
    pub(crate) rtcp_to: u16,
    /// Whether it asks for what is missing.
    pub(crate) nack: bool,
    /// Our own key, and the other side's.
    pub(crate) srtp: Option<(SrtpKey, SrtpKey)>,
}

/// A client that receives a stream into a file.
#[derive(Debug)]
pub(crate) struct Receiver {
    process: Process,
    output: PathBuf,
    report: bool,
}

impl Receiver {
    /// GStreamer: `clients/receive.py`. It is ready when this returns.
    pub(crate) fn gstreamer(directory: &Path, name: &str, reception: &Reception) -> Self {
        let output = directory.join(format!("{name}.media"));
        let srtp = reception.srtp.as_ref().map(|(local, remote)| srtp_settings(local, remote));
        let settings = json!({
            "rtp_port": reception.at.rtp,
            "rtcp_port": reception.at.rtcp,
            "rtcp_to": ["127.0.0.1", reception.rtcp_to],
            "codec": reception.codec.name(),
            "payload_type": reception.payload_type,
            "clock_rate": reception.codec.clock_rate(),
            "rtx_payload_type": reception.rtx_payload_type,
            "nack": reception.nack,
            "latency": 400,
            "srtp": srtp,
            "output": output,
        });
        let mut process = Process::start(directory, name, &mut python("receive.py", &settings));
        process.until(READY, |_| ports::is_bound(reception.at.rtp).then_some(()));
        Self { process, output, report: true }
    }

    /// FFmpeg, from an SDP file. It sends receiver reports to nobody and asks for nothing. It is ready when this returns.
    pub(crate) fn ffmpeg(directory: &Path, name: &str, reception: &Reception) -> Self {
        let description = directory.join(format!("{name}.sdp"));
        fs::write(&description, session_description(reception)).expect("an SDP file");
        let (format, suffix) = match reception.codec {
            Codec::Opus => (&["-ac", "1", "-f", "wav"][..], "wav"),
            Codec::Vp8 | Codec::H264 => {
                (&["-fps_mode", "passthrough", "-pix_fmt", "yuv420p", "-f", "rawvideo"][..], "yuv")
            }
        };
        let output = directory.join(format!("{name}.{suffix}"));
        let mut command = Command::new("ffmpeg");
        // What it reads to find out about the stream it decodes as well; too little of it would lose the first key frame.
        command.args(["-hide_banner", "-loglevel", "warning", "-protocol_whitelist", "file,udp,rtp,srtp"]);
        command.args(["-probesize", "20000000", "-analyzeduration", "4000000"]);
        command.arg("-i").arg(&description).args(format).arg("-y").arg(&output);
        let mut process = Process::start(directory, name, &mut command);
        process.until(READY, |_| ports::is_bound(reception.at.rtp).then_some(()));
        Self { process, output, report: false }
    }

    /// Waits until everything sent so far is surely written, ends the client, and gives the file and its statistics.
    pub(crate) fn finish(mut self) -> (PathBuf, Value) {
        std::thread::sleep(Duration::from_millis(1500));
        if self.report {
            self.process.finish(Duration::from_secs(20));
        } else {
            self.process.interrupt(Duration::from_secs(20));
        }
        let statistics = if self.report { json_output(&self.process) } else { Value::Null };
        (self.output.clone(), statistics)
    }
}

/// What a GStreamer publisher sends, and how it repairs.
#[derive(Clone, Debug)]
pub(crate) struct GstreamerStream {
    pub(crate) codec: Codec,
    pub(crate) payload_type: u8,
    /// Retransmits as RFC 4588 has it with this payload type and [`VIDEO_RTX_SSRC`]; otherwise as the packet was.
    pub(crate) rtx_payload_type: Option<u8>,
    /// Local ports.
    pub(crate) from: Address,
    pub(crate) to: Address,
    /// Our own key, and the other side's.
    pub(crate) srtp: Option<(SrtpKey, SrtpKey)>,
}

/// A client that publishes a whole run and ends by itself.
#[derive(Debug)]
pub(crate) struct Publisher {
    process: Process,
    report: bool,
}

impl Publisher {
    /// Publishes the pictures with GStreamer (`clients/send.py`), and answers NACK.
    pub(crate) fn gstreamer(directory: &Path, source: &Source, stream: &GstreamerStream) -> Self {
        let settings = json!({
            "input": source.path(),
            "width": WIDTH,
            "height": HEIGHT,
            "frame_rate": FRAME_RATE,
            "codec": stream.codec.name(),
            "payload_type": stream.payload_type,
            "ssrc": VIDEO_SSRC,
            "rtx_payload_type": stream.rtx_payload_type,
            "rtx_ssrc": VIDEO_RTX_SSRC,
            "rtp_to": ["127.0.0.1", stream.to.rtp],
            "rtcp_to": ["127.0.0.1", stream.to.rtcp],
            "rtp_port": stream.from.rtp,
            "rtcp_port": stream.from.rtcp,
            "bit_rate": BIT_RATE,
            "srtp": stream.srtp.as_ref().map(|(local, remote)| srtp_settings(local, remote)),
        });
        let process = Process::start(directory, "gstreamer-publish", &mut python("send.py", &settings));
        Self { process, report: true }
    }

    /// Waits until all is sent, and gives its statistics.
    pub(crate) fn finish(mut self) -> Value {
        self.process.wait(Duration::from_secs(SECONDS as u64 + 30));
        if self.report { json_output(&self.process) } else { Value::Null }
    }
}

fn srtp_settings(local: &SrtpKey, remote: &SrtpKey) -> Value {
    assert_eq!(local.suite, remote.suite, "one suite for both directions");
    json!({"suite": local.suite, "local": local.base64, "remote": remote.base64})
}

fn python(script: &str, settings: &Value) -> Command {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(script);
    // The system's own: GStreamer's bindings belong to it. No byte code beside the sources.
    let mut command = Command::new("/usr/bin/python3");
    command.args(["-B", "-W", "ignore"]).arg(script).arg(settings.to_string());
    command
}

fn json_output(process: &Process) -> Value {
    let output = process.stdout();
    serde_json::from_str(output.trim()).unwrap_or_else(|error| panic!("no statistics ({error}): {output:?}"))
}

/// A session description for FFmpeg (RFC 8866, RFC 4568 for the key).
fn session_description(reception: &Reception) -> String {
    let Reception { codec, payload_type, at, .. } = reception;
    let (kind, name, clock_rate) = (codec.kind(), codec.name(), codec.clock_rate());
    let profile = if reception.srtp.is_some() { "RTP/SAVP" } else { "RTP/AVP" };
    let channels = if *codec == Codec::Opus { "/2" } else { "" };
    let mut lines = vec![
        "v=0".to_owned(),
        "o=- 0 0 IN IP4 127.0.0.1".to_owned(),
        "s=-".to_owned(),
        "c=IN IP4 127.0.0.1".to_owned(),
        "t=0 0".to_owned(),
        format!("m={kind} {} {profile} {payload_type}", at.rtp),
        format!("a=rtcp:{}", at.rtcp),
        format!("a=rtpmap:{payload_type} {name}/{clock_rate}{channels}"),
    ];
    if *codec == Codec::H264 {
        lines.push(format!("a=fmtp:{payload_type} packetization-mode=1"));
    }
    if let Some((_, remote)) = &reception.srtp {
        lines.push(format!("a=crypto:1 {} inline:{}", remote.suite, remote.base64));
    }
    lines.join("\r\n") + "\r\n"
}
