//! Settings: which source wins, what is refused, and the example file.

use clap::Parser;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tureen_server::{ConfigError, Overrides, Settings};

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tureen.example.toml");

#[derive(Parser)]
struct Flags {
    #[command(flatten)]
    overrides: Overrides,
}

fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tureen.toml");
    std::fs::write(&path, text).unwrap();
    (directory, path)
}

/// Runs the program with nothing in its environment but what is given.
fn tureen(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tureen"))
        .args(arguments)
        .env_clear()
        .envs(environment.iter().copied())
        .output()
        .unwrap()
}

fn printed(output: &Output) -> toml::Table {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).parse().unwrap()
}

#[test]
fn a_flag_beats_the_environment_that_the_file_and_that_the_default() {
    let (_directory, path) = file("shards = 2\nmax_rooms = 20\nidle_timeout = 200\n");
    let path = path.to_str().unwrap();
    let environment = [("TUREEN_SHARDS", "3"), ("TUREEN_MAX_ROOMS", "30"), ("TUREEN_CONFIG", path)];
    let table = printed(&tureen(&["serve", "--print-config", "--shards", "4"], &environment));
    let number = |name: &str| table[name].as_integer().unwrap();
    assert_eq!([number("shards"), number("max_rooms"), number("idle_timeout")], [4, 30, 200]);
    assert_eq!(number("max_consumers"), 1000);
    assert_eq!(table["http_listen"].as_str(), Some("0.0.0.0:8080"));
}

#[test]
fn what_is_printed_reads_back_the_same() {
    let settings = Settings::default();
    let (_directory, path) = file(&settings.to_toml());
    assert_eq!(Settings::resolve(Overrides::default(), Some(&path)).unwrap(), settings);
}

#[test]
fn the_example_names_every_setting_with_its_default() {
    let text = std::fs::read_to_string(EXAMPLE).unwrap();
    let settings = Settings::resolve(Overrides::default(), Some(Path::new(EXAMPLE))).unwrap();
    assert_eq!(settings, Settings::default());
    let example: toml::Table = text.parse().unwrap();
    let all: toml::Table = Settings::default().to_toml().parse().unwrap();
    assert_eq!(example.keys().collect::<Vec<_>>().len(), all.len());
}

#[test]
fn an_unknown_key_is_named() {
    let (_directory, path) = file("shards = 1\nmax_roms = 1\n");
    let error = Settings::resolve(Overrides::default(), Some(&path)).unwrap_err();
    assert!(matches!(error, ConfigError::Parse { .. }) && error.to_string().contains("max_roms"), "{error}");
    let output = tureen(&["--config", path.to_str().unwrap()], &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("max_roms"));
}

#[test]
fn values_out_of_range_name_their_setting() {
    for (text, setting) in [
        ("rtc_min_port = 0", "rtc_min_port"),
        ("rtc_min_port = 5000\nrtc_max_port = 4000", "rtc_max_port"),
        ("listen_ips = []", "listen_ips"),
        ("announced_address = ''", "announced_address"),
        ("media_codecs = []", "media_codecs"),
        ("key_frame_cache = 10001", "key_frame_cache"),
        ("webrtc_ecn = true", "webrtc_ecn"),
        ("log = 'loud=everything'", "log"),
        ("max_rooms = 0", "max_rooms"),
        ("max_body_bytes = 0", "max_body_bytes"),
        ("max_connections = 0", "max_connections"),
        ("tls_cert = 'x.pem'", "tls_cert"),
        ("token_secret = 'short'", "token_secret"),
        ("webhook_url = 'ftp://x'", "webhook_url"),
    ] {
        let (_directory, path) = file(text);
        match Settings::resolve(Overrides::default(), Some(&path)) {
            Err(ConfigError::Value { setting: named, .. }) => assert_eq!(named, setting),
            other => panic!("{text}: {other:?}"),
        }
    }
}

#[test]
fn values_of_the_wrong_type_and_missing_files_are_errors() {
    for text in [
        "shards = 'many'",
        "shards = 256",
        "media_codecs = ['opus']",
        "log_format = 'xml'",
        "shards =",
        "static_tokens = ['word']",
        "ice_servers = ['http://x']",
    ] {
        let (_directory, path) = file(text);
        let error = Settings::resolve(Overrides::default(), Some(&path)).unwrap_err();
        assert!(matches!(error, ConfigError::Parse { .. }), "{text}: {error}");
    }
    let error = Settings::resolve(Overrides::default(), Some(Path::new("/nowhere/tureen.toml"))).unwrap_err();
    assert!(matches!(error, ConfigError::Read { .. }) && error.to_string().contains("/nowhere/tureen.toml"));
}

#[test]
fn lists_are_separated_by_commas_on_the_command_line() {
    let flags = Flags::parse_from([
        "tureen",
        "--listen-ips",
        "127.0.0.1,::1",
        "--media-codecs",
        "audio/opus/48000/2,video/H264/90000;packetization-mode=1;profile-level-id=42e01f",
    ]);
    let settings = flags.overrides.over(Overrides::default());
    assert_eq!(settings.listen_ips.len(), 2);
    let codecs: Vec<_> = settings.media_codecs.iter().map(ToString::to_string).collect();
    assert_eq!(codecs[1], "video/H264/90000;packetization-mode=1;profile-level-id=42e01f");
}
