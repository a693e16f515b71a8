//! The program as a process: what it prints, and how it ends.

use crate::support::agent;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The program, killed when this is dropped.
struct Program {
    child: Child,
    address: String,
}

impl Program {
    fn start(arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_tureen"))
            .args(["--http-listen", "127.0.0.1:0", "--tls", "false", "--webrtc-port", "0", "--shards", "1"])
            .args(arguments)
            .env_clear()
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().rsplit(' ').next().unwrap().to_owned();
        Self { child, address }
    }

    fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &id]).status().unwrap().success());
    }

    /// Its exit code, and how long it took to end.
    fn end(&mut self) -> (Option<i32>, Duration) {
        let started = Instant::now();
        let status = self.child.wait().unwrap();
        (status.code(), started.elapsed())
    }

    fn errors(&mut self) -> String {
        let mut text = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut text).unwrap();
        text
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn it_starts_without_configuration_and_ends_on_either_signal() {
    for signal in ["INT", "TERM"] {
        let mut program = Program::start(&[]);
        let health = agent().get(format!("http://{}/healthz", program.address)).call().unwrap();
        assert_eq!(health.status(), 200);
        program.signal(signal);
        let (code, took) = program.end();
        assert_eq!(code, Some(0), "{signal}: {}", program.errors());
        assert!(took < Duration::from_secs(5), "{took:?}");
        assert!(TcpStream::connect(&program.address).is_err(), "nobody listens any more");
    }
}

/// A request that never becomes whole.
fn half_a_request(address: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream
        .write_all(b"POST /rooms/r/broadcasters HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        .unwrap();
    // The server has to have begun with it.
    std::thread::sleep(Duration::from_millis(300));
    stream
}

#[test]
fn requests_under_way_have_the_grace_time() {
    let mut program = Program::start(&["--shutdown-grace", "1", "--log-format", "json"]);
    let _stream = half_a_request(&program.address);
    program.signal("TERM");
    let (code, took) = program.end();
    assert_eq!(code, Some(0));
    assert!((Duration::from_millis(800)..Duration::from_secs(6)).contains(&took), "{took:?}");
    let log = program.errors();
    for line in log.lines() {
        serde_json::from_str::<serde_json::Value>(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    }
    assert!(log.contains("cut off"), "{log}");
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let mut program = Program::start(&["--shutdown-grace", "60"]);
    let _stream = half_a_request(&program.address);
    program.signal("INT");
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(program.child.try_wait().unwrap(), None, "it waits for the request");
    program.signal("INT");
    let (code, took) = program.end();
    assert_eq!(code, Some(130));
    assert!(took < Duration::from_secs(5), "{took:?}");
}

#[test]
fn an_address_in_use_is_an_error_that_names_it() {
    let first = Program::start(&[]);
    let mut second = Command::new(env!("CARGO_BIN_EXE_tureen"));
    let output = second
        .args(["--http-listen", &first.address, "--tls", "false", "--webrtc-port", "0", "--shards", "1"])
        .env_clear()
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains("http_listen") && text.contains(&first.address), "{text}");
}
