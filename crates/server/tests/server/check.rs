//! `tureen check`, with mistakes made on purpose.

use crate::support::{TestServer, settings};
use rcgen::{CertificateParams, KeyPair};
use std::net::{TcpListener, UdpSocket};
use std::path::Path;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};
use tureen_server::check::{Finding, Report, Verdict, check};
use tureen_server::{Secret, Settings};

/// Settings whose ports are nobody's.
fn sound() -> Settings {
    Settings { http_listen: free(), https_listen: free(), webrtc_port: free_webrtc_port(), ..settings() }
}

fn free() -> std::net::SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// One whose neighbour is free too, for two shards; another one for each test that asks, in this process and others.
fn free_webrtc_port() -> u16 {
    static ASKED: AtomicU32 = AtomicU32::new(0);
    let is_free = |port: u16| {
        UdpSocket::bind(("127.0.0.1", port)).is_ok() && TcpListener::bind(("127.0.0.1", port)).is_ok()
    };
    let first = std::process::id().wrapping_mul(17).wrapping_add(ASKED.fetch_add(1, Ordering::Relaxed));
    let ports = (0..900).map(|next| 22_000 + 2 * (first.wrapping_add(next) % 900) as u16);
    ports.into_iter().find(|port| is_free(*port) && is_free(port + 1)).expect("two free ports")
}

fn of<'r>(report: &'r Report, check: &str) -> Vec<&'r Finding> {
    report.findings.iter().filter(|finding| finding.check == check).collect()
}

/// The one finding of this verdict, which mentions the text.
fn expect(report: &Report, check: &str, verdict: Verdict, text: &str) {
    let found = of(report, check);
    let right = |finding: &&&Finding| finding.verdict == verdict && finding.found.contains(text);
    assert!(found.iter().any(|finding| right(&finding)), "{check} {verdict:?} '{text}': {found:?}");
}

#[test]
fn a_sound_deployment_fails_nothing() {
    let report = check(&sound());
    assert_eq!(report.count(Verdict::Fail), 0, "{report:?}");
    assert!(!report.running);
    expect(&report, "http_listen", Verdict::Ok, "free");
    expect(&report, "webrtc_port", Verdict::Ok, "udp and tcp");
    expect(&report, "rtc_min_port", Verdict::Ok, "free");
    expect(&report, "announced_address", Verdict::Warn, "127.0.0.1 only");
    for check in ["udp_recv_buffer", "udp_send_buffer", "open_files", "shards", "clock"] {
        assert_eq!(of(&report, check).len(), 1, "{check}");
    }
}

#[test]
fn a_taken_port_is_named() {
    let settings = sound();
    let _http = TcpListener::bind(settings.http_listen).unwrap();
    let _udp = UdpSocket::bind(("127.0.0.1", settings.webrtc_port + 1)).unwrap();
    let report = check(&settings);
    expect(&report, "http_listen", Verdict::Fail, &settings.http_listen.to_string());
    expect(&report, "webrtc_port", Verdict::Fail, &format!("{}/udp is taken", settings.webrtc_port + 1));
    assert_eq!(report.count(Verdict::Fail), 2, "{report:?}");
}

#[test]
fn two_settings_with_one_port_are_noticed() {
    let mut settings = Settings { tls: true, ..sound() };
    settings.https_listen = settings.http_listen;
    expect(&check(&settings), "https_listen", Verdict::Fail, "taken");
}

#[test]
fn ports_beyond_the_last_are_noticed() {
    let settings = Settings { webrtc_port: 65_535, shards: 2, ..sound() };
    expect(&check(&settings), "webrtc_port", Verdict::Fail, "2 shards");
}

#[test]
fn a_used_up_range_of_ports_is_noticed() {
    let port = free_webrtc_port();
    let _plain = UdpSocket::bind(("127.0.0.1", port)).unwrap();
    let settings = Settings { rtc_min_port: port, rtc_max_port: port, ..sound() };
    expect(&check(&settings), "rtc_min_port", Verdict::Fail, "taken");
}

#[test]
fn addresses_that_are_not_ours_are_noticed() {
    let elsewhere = "203.0.113.77".parse().unwrap();
    let report = check(&Settings { listen_ips: vec![elsewhere], webrtc_port: 0, ..sound() });
    expect(&report, "listen_ips", Verdict::Fail, "203.0.113.77");
    for (announced, verdict) in
        [("203.0.113.77", Verdict::Fail), ("no-such-host.invalid", Verdict::Fail), ("0.0.0.0", Verdict::Fail)]
    {
        let report = check(&Settings { announced_address: announced.to_owned(), ..sound() });
        expect(&report, "announced_address", verdict, announced);
    }
}

/// Writes a certificate and a key; for how many days it is valid, from today minus `past`.
fn certificate(directory: &Path, name: &str, key: &KeyPair, days: (i64, i64)) -> Settings {
    let today = time::OffsetDateTime::now_utc();
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    (params.not_before, params.not_after) =
        (today + time::Duration::days(days.0), today + time::Duration::days(days.1));
    let made = params.self_signed(key).unwrap();
    let (cert_file, key_file) = (directory.join("c.pem"), directory.join("k.pem"));
    std::fs::write(&cert_file, made.pem()).unwrap();
    std::fs::write(&key_file, key.serialize_pem()).unwrap();
    let path = |path: &Path| path.to_str().unwrap().to_owned();
    let announced_address = name.to_owned();
    Settings { tls: true, tls_cert: path(&cert_file), tls_key: path(&key_file), announced_address, ..sound() }
}

#[test]
fn certificates_are_read_and_judged() {
    let directory = tempfile::tempdir().unwrap();
    let key = KeyPair::generate().unwrap();
    let good = certificate(directory.path(), "sfu.example.org", &key, (-1, 90));
    let report = check(&good);
    expect(&report, "tls_cert", Verdict::Ok, "belongs");
    expect(&report, "tls_cert", Verdict::Ok, "valid until");
    expect(&report, "tls_cert", Verdict::Ok, "sfu.example.org");
    expect(&report, "tls_cert", Verdict::Warn, "self-signed");
    let elsewhere = Settings { announced_address: "localhost".to_owned(), ..good.clone() };
    expect(&check(&elsewhere), "tls_cert", Verdict::Warn, "not for localhost");

    let wrong = KeyPair::generate().unwrap();
    std::fs::write(&good.tls_key, wrong.serialize_pem()).unwrap();
    let report = check(&good);
    expect(&report, "tls_cert", Verdict::Fail, "tls_cert");
    std::fs::write(&good.tls_key, "not a key").unwrap();
    expect(&check(&good), "tls_cert", Verdict::Fail, "tls_key");
    std::fs::remove_file(&good.tls_cert).unwrap();
    expect(&check(&good), "tls_cert", Verdict::Fail, "c.pem");

    for (days, verdict, text) in [
        ((-90, -1), Verdict::Fail, "expired"),
        ((1, 90), Verdict::Fail, "not valid before"),
        ((-80, 5), Verdict::Warn, "expires"),
    ] {
        let settings = certificate(directory.path(), "sfu.example.org", &key, days);
        expect(&check(&settings), "tls_cert", verdict, text);
    }
    let none = Settings { tls: true, ..sound() };
    expect(&check(&none), "tls_cert", Verdict::Warn, "self-signed");
}

#[test]
fn a_running_server_is_reached_over_udp_and_tcp() {
    let settings = sound();
    let server = TestServer::start(settings.clone());
    let report = check(&settings);
    assert!(report.running);
    assert_eq!(report.count(Verdict::Fail), 0, "{report:?}");
    expect(&report, "server", Verdict::Ok, "answers");
    let answered: Vec<_> = of(&report, "webrtc_port").iter().map(|finding| finding.found.clone()).collect();
    assert!(answered.iter().any(|found| found.contains("/udp answers")), "{answered:?}");
    assert!(answered.iter().any(|found| found.contains("/tcp answers")), "{answered:?}");
    // What the check made is gone.
    assert_eq!(server.get_json("/healthz")["rooms"], 0);

    // The announced name leads to nobody.
    server.shutdown();
    let lost = Settings { announced_address: "no-such-host.invalid".to_owned(), ..settings };
    let _server = TestServer::start(lost.clone());
    expect(&check(&lost), "webrtc_port", Verdict::Fail, "no-such-host.invalid");
}

#[test]
fn a_server_with_tokens_lets_the_check_in_by_its_own() {
    let signed = Settings { token_secret: Secret::new("0123456789abcdef0123456789abcdef"), ..sound() };
    let words = Settings { static_tokens: vec!["publish:lobby:word".parse().unwrap()], ..sound() };
    for settings in [signed, words] {
        let _server = TestServer::start(settings.clone());
        expect(&check(&settings), "webrtc_port", Verdict::Ok, "/udp answers");
    }
    let deaf = Settings { static_tokens: vec!["subscribe:*:word".parse().unwrap()], ..sound() };
    let _server = TestServer::start(deaf.clone());
    expect(&check(&deaf), "webrtc_port", Verdict::Warn, "publish");
}

fn program(settings: &Settings, arguments: &[&str]) -> Output {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), settings.to_toml()).unwrap();
    Command::new(env!("CARGO_BIN_EXE_tureen"))
        .arg("check")
        .args(arguments)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("TUREEN_CONFIG", file.path())
        .output()
        .unwrap()
}

#[test]
fn the_program_says_a_line_for_each_and_fails_where_something_is_broken() {
    let settings = sound();
    let output = program(&settings, &[]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.lines().any(|line| line.starts_with("ok    http_listen")), "{text}");
    assert!(text.lines().last().unwrap().ends_with("0 broken"), "{text}");

    let _taken = TcpListener::bind(settings.http_listen).unwrap();
    let output = program(&settings, &["--json"]);
    assert_eq!(output.status.code(), Some(1));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let first = &report["findings"][0];
    assert_eq!((&first["check"], &first["verdict"]), (&"http_listen".into(), &"fail".into()));
    assert!(first["advice"].as_str().is_some_and(|advice| !advice.is_empty()), "{first}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("1 of the findings"));

    // A flag beats the file, as of the server.
    let other = free().to_string();
    assert_eq!(program(&settings, &["--http-listen", &other]).status.code(), Some(0));
    let output = program(&settings, &["--rtc-min-port", "0"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("rtc_min_port"));
    assert_eq!(output.status.code(), Some(1));
}
