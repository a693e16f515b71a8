//! The injector, an example of the crate `tureen`, between files that FFmpeg wrote and an FFmpeg that watches and listens.

use crate::clients::{Codec, Receiver, Reception, SECONDS, TONE, movie, prepare};
use crate::direct::pair;
use crate::process::{Process, example};
use crate::tone::Sound;
use crate::{report, shared_directory, take_turn};
use std::process::Command;
use std::time::Duration;

#[test]
fn real_media_injector() {
    let _turn = take_turn();
    let source = prepare();
    let directory = tempfile::tempdir().expect("a directory");
    let [sound, pictures] = ["sound.ogg", "pictures.ivf"].map(|name| directory.path().join(name));
    let mut split = Command::new("ffmpeg");
    split.args(["-v", "error", "-nostdin", "-i"]).arg(movie(&shared_directory(), &source, Codec::Vp8));
    split.args(["-map", "0:a", "-c", "copy"]).arg(&sound).args(["-map", "0:v", "-c", "copy"]).arg(&pictures);
    assert!(split.status().expect("ffmpeg to run").success());

    let (audio, video) = (pair(), pair());
    let reception = |codec, payload_type, at, rtcp_to| Reception {
        codec,
        payload_type,
        rtx_payload_type: None,
        at,
        rtcp_to,
        nack: false,
        srtp: None,
    };
    let listener =
        Receiver::ffmpeg(directory.path(), "heard", &reception(Codec::Opus, 101, audio, audio.rtcp));
    let viewer = Receiver::ffmpeg(directory.path(), "seen", &reception(Codec::Vp8, 102, video, video.rtcp));
    let mut command = Command::new(example("inject"));
    command.args([&sound, &pictures]).args(["127.0.0.1", &audio.rtp.to_string(), &video.rtp.to_string()]);
    let mut injector = Process::start(directory.path(), "inject", &mut command);
    injector.wait(Duration::from_secs(SECONDS as u64 + 20));
    report(injector.stdout().trim());

    let (seen, _) = viewer.finish();
    let comparison = source.compare(&seen);
    report(&format!("injected VP8: {}", comparison.summary()));
    comparison.assert_faithful(1.0);
    let (heard, _) = listener.finish();
    Sound::read(&heard).assert_tone(TONE, SECONDS as f64 - 1.0);
}
