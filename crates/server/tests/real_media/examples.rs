//! The example programs that talk to browsers, in front of Chromium, and the one of surround sound between two GStreamers.

use crate::browsers::scenario;
use crate::direct::pair;
use crate::process::{Process, example};
use crate::tone::Sound;
use crate::{report, take_turn};
use serde::Deserialize;
use serde_json::json;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const STARTED: Duration = Duration::from_secs(20);
const LIMIT: Duration = Duration::from_secs(150);

/// What the pages received.
#[derive(Debug, Deserialize)]
struct Pages {
    before: Vec<Page>,
    after: Vec<Page>,
}

#[derive(Debug, Deserialize)]
struct Page {
    streams: Vec<Stream>,
}

#[derive(Clone, Debug, Deserialize)]
struct Stream {
    kind: String,
    frames: Option<u64>,
    energy: Option<f64>,
    height: Option<u32>,
}

impl Pages {
    /// On every page so many streams play, and go on.
    fn assert_playing(&self, streams: usize) {
        for (before, after) in self.before.iter().zip(&self.after) {
            assert_eq!(after.streams.len(), streams, "{self:#?}");
            for (earlier, later) in before.streams.iter().zip(&after.streams) {
                match later.kind.as_str() {
                    "video" => assert!(later.frames > earlier.frames, "{self:#?}"),
                    _ => assert!(later.energy > earlier.energy, "{self:#?}"),
                }
            }
        }
    }
}

/// Starts an example that serves a page; its address is what it prints first.
fn serve(directory: &Path, name: &str, arguments: &[&str]) -> (Process, String) {
    let mut command = Command::new(example(name));
    command.args(["127.0.0.1:0", "127.0.0.1"]).args(arguments);
    let mut process = Process::start(directory, name, &mut command);
    let printed = |process: &Process| {
        process.stdout().lines().find(|line| line.starts_with("http://")).map(str::to_owned)
    };
    let url = process.until(STARTED, printed);
    (process, url)
}

#[test]
fn real_media_examples_a_browser_hears_and_sees_itself() {
    let _turn = take_turn();
    let directory = tempfile::tempdir().expect("a directory");
    let (echo, url) = serve(directory.path(), "browser_echo", &["srtp", "bwe"]);
    let options = json!({ "url": url, "seconds": 4 });
    let pages: Pages = scenario::run(directory.path(), "examples", &options, LIMIT);
    pages.assert_playing(2);

    let lines = echo.stderr();
    let count = |what: &str| lines.lines().filter(|line| line.contains(what)).count();
    let told = [count(" tureen::srtp: "), count("SrtpKeys("), count(" tureen::bwe: "), count(" tureen::")];
    report(&format!("lines of srtp, of keys among them, of bwe, and all: {told:?}"));
    assert!(told[1] == 1 && (1..200).contains(&told[2]), "{lines}");
    assert_eq!(told[0] + told[2], told[3], "nothing but what was asked for: {lines}");
}

#[test]
fn real_media_examples_layers_are_chosen_by_the_program() {
    let _turn = take_turn();
    let directory = tempfile::tempdir().expect("a directory");
    // An encoder of layers wants even numbers.
    for (query, heights, kind) in
        [("", [135, 270, 540], "Simulcast"), ("?mode=L3T3_KEY", [136, 270, 540], "Svc")]
    {
        let (program, url) = serve(directory.path(), "svc_simulcast", &["4"]);
        let options = json!({ "url": format!("{url}{query}"), "seconds": 1, "heights": heights });
        let pages: Pages = scenario::run(directory.path(), "examples", &options, LIMIT);
        let shown = pages.after.iter().flat_map(|page| &page.streams).find_map(|stream| stream.height);
        let printed = program.stdout();
        report(&format!("{kind}: at last {shown:?} lines; {}", last_explained(&printed)));
        assert!(printed.contains(&format!("{kind} with 3 layers")), "{printed}");
        for layer in 0..3 {
            assert!(printed.contains(&format!("preferred: spatial {layer}")), "{printed}");
            assert!(printed.contains(&format!("sent: spatial {layer}")), "{printed}");
        }
        assert!(last_explained(&printed).contains("\"preferredLayers\""), "{printed}");
    }
}

fn last_explained(printed: &str) -> &str {
    printed.lines().rev().find_map(|line| line.strip_prefix("explained: ")).unwrap_or_default()
}

#[test]
fn real_media_examples_guests_of_a_video_room_see_each_other() {
    let _turn = take_turn();
    let directory = tempfile::tempdir().expect("a directory");
    let (_room, url) = serve(directory.path(), "videoroom", &[]);
    let options = json!({ "url": url, "pages": 2, "seconds": 3, "leave": true });
    let pages: Pages = scenario::run(directory.path(), "examples", &options, LIMIT);
    pages.assert_playing(2);
}

/// Hz of each channel, in the order of a WAV file; the fourth carries low frequencies alone.
const TONES: [u32; 6] = [300, 500, 700, 60, 900, 1100];
const SECONDS: usize = 6;
/// Packets of 20 ms that are recorded.
const RECORDED: usize = 250;
const RECEIVED: &str = "application/x-rtp,media=(string)audio,clock-rate=(int)48000,encoding-name=(string)MULTIOPUS,payload=(int)100,\
    encoding-params=(string)6,num_streams=(string)4,coupled_streams=(string)2,channel_mapping=(string)\"0\\,4\\,1\\,2\\,3\\,5\"";

fn run(command: &mut Command) -> String {
    let output = command.output().expect("it runs");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn real_media_examples_surround_sound_keeps_its_channels() {
    let _turn = take_turn();
    let directory = tempfile::tempdir().expect("a directory");
    let [sent, came] = ["sent.wav", "came.wav"].map(|name| directory.path().join(name));
    let tones = TONES.map(|hertz| format!("0.4*sin(2*PI*{hertz}*t)")).join("|");
    let source = format!("aevalsrc={tones}:c=5.1:d={SECONDS}:s=48000");
    run(Command::new("ffmpeg").args(["-v", "error", "-nostdin", "-f", "lavfi", "-i", &source]).arg(&sent));

    let port = pair().rtp;
    let mut command = Command::new("gst-launch-1.0");
    command.args(["-q", "udpsrc", &format!("port={port}"), &format!("num-buffers={RECORDED}")]);
    command.arg(format!("caps={RECEIVED}"));
    command.args("! rtpjitterbuffer ! rtpopusdepay ! opusdec ! audioconvert".split(' '));
    command.args("! audio/x-raw,format=S16LE ! wavenc ! filesink".split(' '));
    command.arg(format!("location={}", came.display()));
    let mut receiver = Process::start(directory.path(), "receiver", &mut command);
    let mut command = Command::new(example("multiopus"));
    command.args(["127.0.0.1", &port.to_string()]);
    let mut program = Process::start(directory.path(), "multiopus", &mut command);
    let own = program.until(STARTED, |process| {
        let printed = process.stdout();
        let (_, port) = printed.lines().next()?.rsplit_once(' ')?;
        port.parse::<u16>().ok()
    });
    let mut command = Command::new("gst-launch-1.0");
    command.args(["-q", "filesrc", &format!("location={}", sent.display())]);
    command
        .args("! wavparse ! audioconvert ! opusenc bitrate=384000 ! rtpopuspay pt=111 ssrc=1111".split(' '));
    command.args(["!", "udpsink", "host=127.0.0.1", &format!("port={own}")]);
    let mut sender = Process::start(directory.path(), "sender", &mut command);
    receiver.wait(LIMIT);
    sender.wait(LIMIT);
    program.finish(STARTED);
    report(program.stdout().lines().last().unwrap_or_default());

    let channels = ["-v", "error", "-show_entries", "stream=channels", "-of", "csv=p=0"];
    assert_eq!(run(Command::new("ffprobe").args(channels).arg(&came)).trim(), "6");
    for (channel, hertz) in TONES.iter().enumerate() {
        let alone = directory.path().join(format!("channel-{channel}.wav"));
        let mut split = Command::new("ffmpeg");
        split.args(["-v", "error", "-nostdin", "-i"]).arg(&came);
        split.args(["-af", &format!("pan=mono|c0=c{channel}")]).arg(&alone);
        run(&mut split);
        Sound::read(&alone).assert_tone(f64::from(*hertz), RECORDED as f64 / 50.0 - 1.0);
    }
}
