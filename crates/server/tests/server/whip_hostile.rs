//! WHIP and WHEP among strangers: descriptions that mean harm, and clients that do not keep to the rules.

use crate::http_client::{Reply, send};
use crate::support::{TestServer, settings};
use crate::whip::{assert_problem, offer, post};
use proptest::prelude::*;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};
use tureen_sdp_bridge::Offer;

/// What a description may be answered with; 409 is for viewers, where nobody sends.
const STATUSES: [u16; 6] = [201, 400, 409, 413, 422, 503];

/// Whatever the description: an answer that is one, or a refusal that leaves nothing behind. Says whether it was taken.
fn survives(server: &TestServer, path: &str, text: &str, what: &str) -> bool {
    let reply = post(server, path, text);
    assert!(STATUSES.contains(&reply.status), "{what}: {reply:?}");
    if reply.status == 201 {
        let sections = text.lines().filter(|line| line.starts_with("m=")).count();
        let answer = Offer::parse(&reply.text).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(answer.media.len(), sections, "{what}");
        assert_eq!(send(server, "DELETE", &reply.header("Location"), &[], "").status, 200, "{what}");
    }
    reply.status == 201
}

/// An offer of one audio section with these lines more, at the session and in the section.
fn with(session: &str, section: &str) -> String {
    let text = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n".to_owned();
    text + session
        + "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\na=sendonly\r\na=rtcp-mux\r\n\
           a=rtpmap:111 opus/48000/2\r\na=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuv\r\na=setup:actpass\r\n\
           a=fingerprint:sha-1 00:01:02:03:04:05:06:07:08:09:0A:0B:0C:0D:0E:0F:10:11:12:13\r\n"
        + section
}

const SSRC: &str = "a=ssrc:7 cname:c\r\n";

#[test]
fn what_is_hostile_is_refused_and_leaves_nothing() {
    let server = TestServer::start(settings());
    assert!(survives(&server, "/whip/r", &with("", SSRC), "the sound one"));
    let many = |line: &str| (0..1500).map(|at| line.replace('#', &at.to_string())).collect::<String>();
    let cases = [
        ("text after a bare CR", with("", "a=ssrc:7 cname:c\ra=evil\r\n")),
        ("NUL", with("", "a=ssrc:7 cname:c\0\r\n")),
        ("a byte order mark", "\u{feff}".to_owned() + &with("", SSRC)),
        ("no line ends", with("", SSRC).replace("\r\n", " ")),
        ("one long line", with("", &format!("a=ssrc:7 cname:{}\r\n", "c".repeat(60_000)))),
        ("many sources", with("", &many("a=ssrc:# cname:c\r\n"))),
        ("many groups", with("", &(SSRC.to_owned() + &many("a=ssrc-group:FID 7 #\r\n")))),
        ("many rids", with("", &many("a=rid:r# send\r\n"))),
        ("many alternatives", with("", &format!("a=simulcast:send {}\r\n", many("r#,")))),
        ("many formats", with("", &(SSRC.to_owned() + &many("a=rtpmap:# x/1\r\n")))),
        ("many parameters", with("", &format!("{SSRC}a=fmtp:111 {}\r\n", many("n#=1;")))),
        ("many extensions", with("", &(SSRC.to_owned() + &many("a=extmap:# urn:x\r\n")))),
        (
            "many candidates",
            with("", &(SSRC.to_owned() + &many("a=candidate:# 1 udp 1 192.0.2.1 9 typ host\r\n"))),
        ),
        ("many fingerprints", with(&many("a=fingerprint:sha-256 #\r\n"), SSRC)),
        ("many groups of sections", with(&many("a=group:BUNDLE # 0\r\n"), SSRC)),
        (
            "many sections",
            with("", &(SSRC.to_owned() + &many("m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:x#\r\n"))),
        ),
        ("a long mid", with("", SSRC).replace("mid:0", &format!("mid:{}", "0".repeat(17)))),
        ("a mid that is no token", with("", SSRC).replace("mid:0", "mid:a b")),
        ("a payload type of RTCP", with("", SSRC).replace("111", "72")),
        ("a huge number", with("", "a=ssrc:99999999999999999999 cname:c\r\n")),
        ("channels without end", with("", SSRC).replace("opus/48000/2", "opus/48000/4294967295")),
        ("a clock that stands", with("", SSRC).replace("opus/48000/2", "opus/0/2")),
        ("a hash of nothing", with("", SSRC).replace("sha-1 00:01", "sha-0 00:01")),
        ("a short fingerprint", with("", SSRC).replace(":12:13", "")),
        ("no fingerprint", with("", SSRC).replace("a=fingerprint", "a=x")),
        ("a port out of range", with("", SSRC).replace("m=audio 9", "m=audio 99999999")),
        ("RTX of itself", with("", &format!("{SSRC}a=rtpmap:97 rtx/48000\r\na=fmtp:97 apt=97\r\n"))),
    ];
    for (what, text) in &cases {
        for path in ["/whip/r", "/whep/r"] {
            let started = Instant::now();
            survives(&server, path, text, what);
            assert!(started.elapsed() < Duration::from_secs(5), "{what} took {:?}", started.elapsed());
        }
    }
    assert_eq!(server.get_json("/healthz")["peers"], 0);
}

#[test]
fn a_source_in_two_sections_is_refused_whole() {
    let server = TestServer::start(settings());
    let sdp = offer("chromium-sendonly");
    let ssrcs: Vec<&str> = sdp
        .lines()
        .filter_map(|line| line.strip_prefix("a=ssrc:")?.split_once(" cname:"))
        .map(|(ssrc, _)| ssrc)
        .collect();
    let text = sdp.replace(ssrcs[1], ssrcs[0]);
    assert_ne!(text, sdp);
    assert_problem(&post(&server, "/whip/r", text), 422, "line ");
    assert_eq!(server.get_json("/healthz")["peers"], 0);
    // Two publishers may have the same, each on a transport of its own.
    assert_eq!(post(&server, "/whip/r", &sdp).status, 201);
    assert_eq!(post(&server, "/whip/r", &sdp).status, 201);
}

#[test]
fn what_a_publisher_says_does_not_break_out_of_a_viewers_answer() {
    let server = TestServer::start(settings());
    let sdp = offer("chromium-simulcast");
    for injected in ["x\ra=evil:1", "x\u{b}a=evil:1", "x\u{85}a=evil:1", "x\0y"] {
        let text = sdp.replace(" cname:LadO/Tx6yDYavY9h", &format!(" cname:{injected}"));
        assert_ne!(text, sdp);
        let published = post(&server, "/whip/r", text);
        assert!(STATUSES.contains(&published.status), "{published:?}");
        let viewed = post(&server, "/whep/r", offer("chromium-recvonly"));
        assert!(matches!(viewed.status, 201 | 409 | 422), "{injected:?}: {viewed:?}");
        if viewed.status == 201 {
            let ends = |c: char| matches!(c, '\r' | '\n' | '\u{b}' | '\u{85}' | '\0');
            let evil = viewed.text.split(ends).any(|line| line.starts_with("a=evil"));
            assert!(!evil && !viewed.text.contains('\0'), "{injected:?}: {}", viewed.text);
        }
        for reply in [published, viewed] {
            if reply.status == 201 {
                send(&server, "DELETE", &reply.header("Location"), &[], "");
            }
        }
    }
}

#[test]
fn a_recorded_offer_without_any_one_of_its_lines_does_no_harm() {
    let server = TestServer::start(settings());
    for (path, name) in
        [("/whip/r", "chromium-simulcast"), ("/whip/r", "aiortc-sendonly"), ("/whip/r", "firefox-simulcast")]
    {
        let sdp = offer(name);
        let all: Vec<&str> = sdp.lines().collect();
        let mut taken = 0;
        for left_out in 0..all.len() {
            let kept: Vec<&str> =
                all.iter().enumerate().filter(|(at, _)| *at != left_out).map(|(_, line)| *line).collect();
            let what = format!("{name} without {}", all[left_out]);
            taken += usize::from(survives(&server, path, &(kept.join("\r\n") + "\r\n"), &what));
        }
        assert!(taken > all.len() / 2 && taken < all.len(), "{name}: {taken} of {}", all.len());
    }
    assert_eq!(server.get_json("/healthz")["peers"], 0);
}

#[test]
fn sessions_that_come_and_go_at_once_leave_nothing() {
    let server = TestServer::start(settings());
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let server = &server;
            scope.spawn(move || {
                let name = ["chromium-simulcast", "firefox-sendonly"][thread % 2];
                for _ in 0..10 {
                    let made: Vec<Reply> = (0..3).map(|_| post(server, "/whip/r", offer(name))).collect();
                    for reply in made {
                        assert_eq!(reply.status, 201, "{}", reply.text);
                        post(server, "/whep/r", offer("chromium-recvonly"));
                        let session = reply.header("Location");
                        assert_eq!(send(server, "DELETE", &session, &[], "").status, 200);
                    }
                }
            });
        }
    });
    // What is left are viewers alone, and one that nobody sends to any more is refused.
    assert_problem(&post(&server, "/whep/r", offer("chromium-recvonly")), 409, "nobody sends");
}

/// What a connection hears that sends this, and then nothing.
fn raw(server: &TestServer, request: impl AsRef<[u8]>) -> (String, Duration) {
    let started = Instant::now();
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    // A server that has heard enough may answer and close before it has read all.
    let _ = stream.write_all(request.as_ref());
    let (mut heard, mut buffer) = (Vec::new(), [0; 4096]);
    while !heard.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(len) => heard.extend_from_slice(&buffer[..len]),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => break,
            Err(error) => panic!("the server says nothing: {error}"),
        }
    }
    (String::from_utf8_lossy(&heard).into_owned(), started.elapsed())
}

#[test]
fn a_body_that_does_not_come_is_not_waited_for() {
    let server = TestServer::start(settings());
    let head = "POST /whip/r HTTP/1.1\r\nHost: x\r\nContent-Type: application/sdp\r\n";
    let (heard, took) = raw(&server, format!("{head}Content-Length: 500\r\n\r\nv=0\r\n"));
    assert!(heard.starts_with("HTTP/1.1 408 "), "{heard}");
    assert!((Duration::from_secs(8)..Duration::from_secs(20)).contains(&took), "{took:?}");
    // One that says beforehand that it is too large is refused before it comes.
    let (heard, took) = raw(&server, format!("{head}Content-Length: 99999999999\r\n\r\n"));
    assert!(heard.starts_with("HTTP/1.1 413 ") && took < Duration::from_secs(5), "{heard}");
}

/// A request of any method, address, headers and body, as bytes; `SESSION` stands for one that is there.
fn request() -> impl Strategy<Value = Vec<u8>> {
    let method = "GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS|BREW";
    let path = "/wh[ie]p(/[a-z%.0-9]{0,6}|/r){0,1}(/[0-9a-f]{0,33}|/SESSION)?(\\?[a-zA-Z=&%]{0,20})?";
    let header = prop_oneof![
        Just("Content-Type: application/sdp".to_owned()),
        Just("Content-Type: application/trickle-ice-sdpfrag".to_owned()),
        "(Content-Type|Accept|If-Match|Authorization|Origin|Content-Encoding): [ -~]{0,24}",
        Just("If-Match: *".to_owned()),
    ];
    let body = prop_oneof![
        prop::sample::select(vec!["chromium-simulcast", "firefox-recvonly", "chromium-datachannel"])
            .prop_map(|name| offer(name).into_bytes()),
        Just(b"a=ice-ufrag:Zzzz\r\na=ice-pwd:aaaaaaaaaaaaaaaaaaaaaaaa\r\n".to_vec()),
        prop::collection::vec(any::<u8>(), 0..200),
        "([a-z]=[ -~]{0,20}\r\n){0,20}".prop_map(String::into_bytes),
    ];
    (method, path, prop::collection::vec(header, 0..4), body).prop_map(|(method, path, headers, body)| {
        let mut request = format!("{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n");
        for header in headers {
            request += &format!("{header}\r\n");
        }
        request += &format!("Content-Length: {}\r\n\r\n", body.len());
        let mut request = request.into_bytes();
        request.extend(body);
        request
    })
}

#[test]
fn any_request_gets_an_answer_and_none_breaks_the_server() {
    let server = TestServer::start(settings());
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(600));
    let session = post(&server, "/whip/r", offer("chromium-simulcast")).header("Location");
    let id = session.rsplit('/').next().unwrap().to_owned();
    let result = runner.run(&request(), |request| {
        let head = request.windows(4).position(|end| end == b"\r\n\r\n").unwrap();
        let mut sent = String::from_utf8_lossy(&request[..head]).replace("SESSION", &id).into_bytes();
        sent.extend_from_slice(&request[head..]);
        let (heard, _) = raw(&server, &sent);
        let status: u16 = heard.get(9..12).and_then(|code| code.parse().ok()).unwrap_or(0);
        prop_assert!((200..500).contains(&status) || status == 503, "{heard}");
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(server.get_json("/healthz")["status"], "ok");
}
