//! The recorder, an example of the crate `tureen`, against FFmpeg on both sides: what it writes is played and compared.

use crate::clients::{
    AUDIO_SSRC, Address, Codec, FfmpegStream, SECONDS, TONE, VIDEO_SSRC, ffmpeg_publish, prepare,
};
use crate::pictures::FRAME_RATE;
use crate::process::{Process, example};
use crate::tone::Sound;
use crate::{report, take_turn};
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

/// How far the length of a file may be from what was sent.
const LENGTH: f64 = 0.02;

/// The addresses that it prints, `rtp://127.0.0.1:PORT?rtcpport=PORT`: of audio, of video.
fn addresses(recorder: &Process) -> [Address; 2] {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let text = recorder.stdout();
        let ports: Vec<u16> = text
            .lines()
            .filter_map(|line| line.split_once("127.0.0.1:")?.1.split_once("?rtcpport="))
            .flat_map(|(rtp, rtcp)| [rtp.parse(), rtcp.trim().parse()])
            .map(|port| port.expect("a port"))
            .collect();
        if let [audio, audio_rtcp, video, video_rtcp] = ports[..] {
            return [Address { rtp: audio, rtcp: audio_rtcp }, Address { rtp: video, rtcp: video_rtcp }];
        }
        assert!(Instant::now() < deadline, "no addresses: {text:?} {}", recorder.stderr());
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Runs a program of FFmpeg, which is not to complain.
fn quietly(program: &str, arguments: &[&str]) -> Output {
    let output = Command::new(program).args(["-v", "error"]).args(arguments).output().expect(program);
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && complaints.is_empty(), "{program} {arguments:?}: {complaints}");
    output
}

fn duration(file: &str) -> f64 {
    let output = quietly("ffprobe", &["-show_entries", "format=duration", "-of", "csv=p=0", file]);
    String::from_utf8_lossy(&output.stdout).trim().parse().expect("a duration")
}

fn record(codec: Codec) {
    let _turn = take_turn();
    let source = prepare();
    let directory = tempfile::tempdir().expect("a directory");
    let mut command = Command::new(example("record"));
    command.arg(directory.path()).arg(codec.name().to_lowercase());
    let mut recorder = Process::start(directory.path(), "record", &mut command);
    let [audio, video] = addresses(&recorder);
    let stream = |codec, ssrc, payload_type, to| FfmpegStream { codec, ssrc, payload_type, to, srtp: None };
    let streams = [stream(Codec::Opus, AUDIO_SSRC, 101, audio), stream(codec, VIDEO_SSRC, 102, video)];
    ffmpeg_publish(directory.path(), &source, &streams).finish();
    recorder.wait(Duration::from_secs(20));
    report(recorder.stdout().lines().last().unwrap_or_default());

    let file = |name: &str| directory.path().join(name).to_str().expect("a path").to_owned();
    let [sound, pictures, samples, planes] = ["audio.ogg", "video.mkv", "audio.wav", "video.yuv"].map(file);
    for recorded in [&sound, &pictures] {
        let length = duration(recorded);
        report(&format!("{recorded}: {length:.2} s of {SECONDS} s"));
        // The last frame is known to be whole only when another one comes.
        let allowed = LENGTH * SECONDS as f64 + 1.0 / FRAME_RATE as f64;
        assert!((length - SECONDS as f64).abs() <= allowed, "{recorded}: {length} s");
    }
    quietly("ffmpeg", &["-i", &sound, &samples]);
    quietly(
        "ffmpeg",
        &["-i", &pictures, "-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "yuv420p", &planes],
    );
    let comparison = source.compare(Path::new(&planes));
    report(&format!("recorded {}: {}", codec.name(), comparison.summary()));
    comparison.assert_faithful(0.99);
    Sound::read(Path::new(&samples)).assert_tone(TONE, SECONDS as f64 - 1.0);
}

#[test]
fn real_media_recorder_vp8() {
    record(Codec::Vp8);
}

#[test]
fn real_media_recorder_h264() {
    record(Codec::H264);
}
