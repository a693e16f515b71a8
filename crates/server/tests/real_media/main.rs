//! Real clients against the server: FFmpeg and GStreamer publish, watch and listen over plain RTP and SRTP, browsers over
//! WebRTC.
//!
//! What arrives is decoded and compared with what was sent, picture by picture. Needs `ffmpeg`, and `/usr/bin/python3`
//! with GStreamer's bindings and plugins; Chromium, Firefox, and Node with the packages of `tests/clients/browser`.

mod api;
mod browsers;
mod clients;
mod direct;
mod examples;
mod injector;
mod pictures;
mod pipe;
mod ports;
mod process;
mod recorder;
mod through_server;
mod tone;
mod whip;

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// A directory for what all runs share.
pub(crate) fn shared_directory() -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("real_media");
    fs::create_dir_all(&directory).expect("a directory for the tests");
    directory
}

/// Waits for the turn of this run: two at once would compete for the processor, and real time would not be kept. The
/// turn ends with the file that is returned.
pub(crate) fn take_turn() -> File {
    let file = File::create(shared_directory().join("turn")).expect("a file to lock");
    file.lock().expect("a lock");
    file
}

/// A line for whoever reads the log, and for the report of a full run where one is written.
#[expect(clippy::print_stderr, reason = "measurements of a test belong in its output")]
pub(crate) fn report(line: &str) {
    eprintln!("{line}");
    let Some(figures) = std::env::var_os("TUREEN_TEST_FIGURES") else { return };
    let thread = std::thread::current();
    let test = thread.name().and_then(|path| path.rsplit("::").next()).unwrap_or("?");
    let mut file = File::options().create(true).append(true).open(figures).expect("a file for figures");
    writeln!(file, "{test}: {line}").expect("room for a line");
}
