//! WHIP and WHEP as a client of HTTP sees them: sessions from recorded offers, and every status that is no success.

use crate::access::{guarded, minted};
use crate::client::Client;
use crate::http_client::{Reply, send};
use crate::support::{TestServer, eventually, settings};
use serde_json::{Value, json};

const SDP: (&str, &str) = ("Content-Type", "application/sdp");
const FRAGMENT: (&str, &str) = ("Content-Type", "application/trickle-ice-sdpfrag");

/// A recorded offer of a client.
pub(crate) fn offer(name: &str) -> String {
    let path = format!("{}/../sdp-bridge/tests/fixtures/{name}.sdp", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

pub(crate) fn post(server: &TestServer, path: &str, body: impl AsRef<[u8]>) -> Reply {
    send(server, "POST", path, &[SDP], body)
}

fn opened(server: &TestServer, path: &str, name: &str) -> Reply {
    let reply = post(server, path, offer(name));
    assert_eq!(reply.status, 201, "{name}: {}", reply.text);
    reply
}

/// Publishes a recorded offer in room `r`; the path of the session, and its entity-tag.
fn published(server: &TestServer, name: &str) -> (String, String) {
    let reply = opened(server, "/whip/r", name);
    (reply.header("Location"), reply.header("ETag"))
}

/// A refusal: problem details with the same status, whose detail has this part.
pub(crate) fn assert_problem(reply: &Reply, status: u16, part: &str) {
    let problem: Value = serde_json::from_str(&reply.text).unwrap_or_else(|_| panic!("{reply:?}"));
    let detail = problem["detail"].as_str().unwrap_or_default();
    assert!(reply.status == status && detail.contains(part), "{status} with '{part}': {reply:?}");
    assert_eq!(reply.header("Content-Type"), "application/problem+json");
    assert_eq!((&problem["type"], &problem["status"]), (&json!("about:blank"), &json!(status)));
    assert!(problem["title"].as_str().is_some_and(|title| !title.is_empty()), "{problem}");
    assert_eq!(reply.header("Access-Control-Allow-Origin"), "*", "a page has to see why");
}

fn lines<'a>(text: &'a str, start: &str) -> Vec<&'a str> {
    text.lines().filter(|line| line.starts_with(start)).collect()
}

fn peers(server: &TestServer) -> u64 {
    server.get_json("/healthz")["peers"].as_u64().unwrap()
}

#[test]
fn offers_of_all_clients_can_publish() {
    for name in [
        "aiortc-sendonly",
        "chromium-all-extensions",
        "chromium-maxbundle",
        "chromium-red-first",
        "chromium-sendonly",
        "chromium-sendrecv",
        "chromium-simulcast",
        "chromium-simulcast-paused",
        "chromium-svc-av1",
        "chromium-svc-vp9",
        "firefox-sendonly",
        "firefox-simulcast",
        "firefox-svc-av1",
        "webrtcbin-sendrecv",
    ] {
        let server = TestServer::start(settings());
        let reply = opened(&server, "/whip/r", name);
        assert_eq!(reply.header("Content-Type"), "application/sdp");
        let location = reply.header("Location");
        let id = location.strip_prefix("/whip/r/").unwrap_or_else(|| panic!("{location}"));
        assert!(id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
        let tag = reply.header("ETag");
        assert!(tag.starts_with('"') && tag.ends_with('"') && tag.len() > 5, "{tag}");
        // The server waits for the ClientHello, so that it chooses the cipher of SRTP.
        let setup = lines(&reply.text, "a=setup:");
        assert!(!setup.is_empty() && setup.iter().all(|line| *line == "a=setup:passive"), "{name}");
        assert_eq!(lines(&reply.text, "a=ice-lite").len(), 1, "{name}");
        assert_eq!(lines(&reply.text, "m=").len(), lines(&offer(name), "m=").len(), "{name}");
        assert!(!lines(&reply.text, "a=recvonly").is_empty(), "{name}");
        assert!(lines(&reply.text, "a=sendrecv").is_empty() && lines(&reply.text, "a=sendonly").is_empty());
    }
}

#[test]
fn a_publisher_is_a_peer_that_all_others_hear_of() {
    let server = TestServer::start(settings());
    let (mut speaker, _) = Client::join(&server, "speaker");
    let reply = opened(&server, "/whip/r?name=Camera%201", "chromium-simulcast");
    let peer = speaker.notified("newPeer");
    let id = peer["id"].as_str().unwrap().to_owned();
    assert!(id.starts_with("whip-") && !reply.header("Location").contains(&id), "{id} is no secret");
    let device = json!({ "flag": "whip", "name": "WHIP" });
    assert_eq!((&peer["displayName"], &peer["device"]), (&json!("Camera 1"), &device));
    let mut kinds = Vec::new();
    for _ in 0..2 {
        let (request, consumer) = speaker.offered();
        speaker.respond(request);
        assert_eq!(consumer["peerId"], id);
        kinds.push((consumer["kind"].clone(), consumer["type"].clone()));
    }
    kinds.sort_by_key(|(kind, _)| kind.to_string());
    let wanted = [("audio", "simple"), ("video", "simulcast")];
    assert_eq!(kinds, wanted.map(|(kind, r#type)| (json!(kind), json!(r#type))));
    // Who comes later is told as well.
    let (_viewer, there) = Client::join(&server, "viewer");
    assert!(there["peers"].as_array().unwrap().iter().any(|peer| peer["id"] == id), "{there}");
    assert_eq!(send(&server, "DELETE", &reply.header("Location"), &[], "").status, 200);
    assert_eq!(speaker.notified("peerClosed"), json!({ "peerId": id }));
}

#[test]
fn layers_that_sdp_cannot_tell_come_with_the_request() {
    let server = TestServer::start(settings());
    let (mut speaker, _) = Client::join(&server, "speaker");
    let reply = post(&server, "/whip/r?scalabilityMode=L3T3_KEY", offer("chromium-svc-vp9"));
    assert_eq!(reply.status, 201, "{}", reply.text);
    let video = loop {
        let (request, consumer) = speaker.offered();
        speaker.respond(request);
        if consumer["kind"] == "video" {
            break consumer;
        }
    };
    assert_eq!(video["type"], "svc");
    assert_eq!(video["rtpParameters"]["encodings"][0]["scalabilityMode"], "L3T3_KEY");
}

#[test]
fn a_viewer_gets_what_is_there_and_nobody_hears_of_it() {
    let server = TestServer::start(settings());
    let nobody = post(&server, "/whep/r", offer("chromium-recvonly"));
    assert_problem(&nobody, 409, "nobody sends");
    assert_eq!(nobody.header("Retry-After"), "2");
    published(&server, "chromium-simulcast");
    let (mut speaker, _) = Client::join(&server, "speaker");
    for name in ["chromium-recvonly", "firefox-recvonly", "aiortc-recvonly", "webrtcbin-recvonly"] {
        let reply = opened(&server, "/whep/r", name);
        assert!(reply.header("Location").starts_with("/whep/r/"));
        let wanted = lines(&offer(name), "m=").len();
        assert_eq!(lines(&reply.text, "a=sendonly").len(), wanted, "{name}: {}", reply.text);
        assert_eq!(lines(&reply.text, "a=mid:"), lines(&offer(name), "a=mid:"), "{name}");
        assert!(lines(&reply.text, "a=setup:").iter().all(|line| *line == "a=setup:passive"));
        assert!(!lines(&reply.text, "a=ssrc:").is_empty(), "{name}");
    }
    let (_viewer, there) = Client::join(&server, "viewer");
    let ids: Vec<&str> =
        there["peers"].as_array().unwrap().iter().map(|peer| peer["id"].as_str().unwrap()).collect();
    assert!(ids.len() == 2 && ids.contains(&"speaker"), "{ids:?}");
    speaker.notified("newPeer");
    let told_of_viewers = speaker.heard().iter().any(|message| message.to_string().contains("whep-"));
    assert!(!told_of_viewers, "{:?}", speaker.heard());
}

#[test]
fn a_viewers_session_ends_with_the_last_of_what_it_sees() {
    let server = TestServer::start(settings());
    let (first, _) = published(&server, "chromium-simulcast");
    let (mut speaker, _) = Client::join(&server, "speaker");
    assert!(!speaker.produce(crate::support::vp8(7)).is_empty());
    // The newest picture is the speaker's, the only sound the publisher's.
    let viewer = opened(&server, "/whep/r", "chromium-recvonly").header("Location");
    assert_eq!(send(&server, "DELETE", &first, &[], "").status, 200);
    assert_eq!(peers(&server), 2, "there are pictures still");
    drop(speaker);
    let ended = || send(&server, "DELETE", &viewer, &[], "").status == 404;
    let (second, _) = published(&server, "chromium-simulcast");
    let other = opened(&server, "/whep/r", "chromium-recvonly").header("Location");
    assert_eq!(send(&server, "DELETE", &second, &[], "").status, 200);
    eventually("the end of the other viewer", || {
        (send(&server, "PATCH", &other, &[FRAGMENT], "").status == 404).then_some(())
    });
    assert!(!ended(), "its speaker may come back within the time of grace");
}

#[test]
fn a_viewer_chooses_whom_to_see() {
    let server = TestServer::start(settings());
    let (mut speaker, _) = Client::join(&server, "speaker");
    let producer = speaker.produce(crate::support::vp8(7));
    assert!(!producer.is_empty());
    published(&server, "chromium-simulcast");
    let view = |query: &str| post(&server, &format!("/whep/r{query}"), offer("chromium-recvonly"));
    let answer = view("?peer=speaker");
    // Speaker sends no sound: the section stays, silent.
    assert_eq!(lines(&answer.text, "a=inactive").len(), 1, "{}", answer.text);
    assert_eq!(lines(&answer.text, "a=sendonly").len(), 1);
    assert_eq!(lines(&view("").text, "a=sendonly").len(), 2, "the newest");
    assert_problem(&view("?peer=third"), 404, "'third'");
    let (mut viewer, _) = Client::join(&server, "viewer");
    assert_problem(&view("?peer=viewer"), 409, "nobody sends");
    let only_h264 = offer("chromium-recvonly").replace(" VP8/", " XX8/");
    let reply = post(&server, "/whep/r?peer=speaker", only_h264);
    assert_problem(&reply, 422, "receives nothing that is sent");
    assert_problem(&post(&server, "/whep/r", offer("chromium-sendonly")), 422, "receives nothing");
    viewer.ok("getRouterRtpCapabilities", Value::Null);
}

#[test]
fn ice_servers_are_told_in_links() {
    let mut with_ice = settings();
    with_ice.ice_servers = vec![
        "stun:stun.example:3478".parse().unwrap(),
        "turn:turn.example?transport=udp;username=me;credential=a\"b".parse().unwrap(),
    ];
    let server = TestServer::start(with_ice);
    let reply = opened(&server, "/whip/r", "chromium-sendonly");
    let links: Vec<&str> =
        reply.headers.get_all("Link").iter().map(|value| value.to_str().unwrap()).collect();
    let turn = r#"<turn:turn.example?transport=udp>; rel="ice-server"; username="me"; credential="a\"b"; credential-type="password""#;
    assert_eq!(links, ["<stun:stun.example:3478>; rel=\"ice-server\"", turn]);
}

#[test]
fn other_origins_and_methods() {
    let server = TestServer::start(settings());
    let (session, _) = published(&server, "chromium-sendonly");
    for (path, allowed, header, media_type) in [
        ("/whip/r", "POST, OPTIONS", "Accept-Post", "application/sdp"),
        ("/whep/r", "POST, OPTIONS", "Accept-Post", "application/sdp"),
        (&*session, "PATCH, DELETE, OPTIONS", "Accept-Patch", "application/trickle-ice-sdpfrag"),
    ] {
        let preflight = [("Origin", "https://page.example"), ("Access-Control-Request-Method", "POST")];
        let reply = send(&server, "OPTIONS", path, &preflight, "");
        assert_eq!((reply.status, reply.text.as_str()), (204, ""), "{path}");
        assert_eq!(reply.header("Access-Control-Allow-Origin"), "*");
        assert_eq!(reply.header("Access-Control-Allow-Methods"), allowed);
        assert_eq!(reply.header("Allow"), allowed);
        assert_eq!(reply.header(header), media_type);
        let headers = reply.header("Access-Control-Allow-Headers");
        assert!(
            ["Authorization", "Content-Type", "If-Match"].iter().all(|name| headers.contains(name)),
            "{headers}"
        );
        let exposed = reply.header("Access-Control-Expose-Headers");
        assert!(["Location", "ETag", "Link"].iter().all(|name| exposed.contains(name)), "{exposed}");
        for method in ["GET", "HEAD", "PUT"] {
            let reply = send(&server, method, path, &[], if method == "PUT" { "x" } else { "" });
            assert_eq!(reply.status, 405, "{method} {path}");
            assert_eq!(reply.header("Access-Control-Allow-Origin"), "*");
            assert!(!reply.header("Allow").is_empty());
        }
    }
    assert_eq!(post(&server, &session, "x").status, 405);
    for method in ["PATCH", "DELETE"] {
        assert_eq!(send(&server, method, "/whip/r", &[], "").status, 405, "{method}");
    }
}

#[test]
fn bodies_of_other_kinds_are_refused() {
    let server = TestServer::start(settings());
    let sdp = offer("chromium-sendonly");
    for path in ["/whip/r", "/whep/r"] {
        for headers in [&[("Content-Type", "text/plain")][..], &[]] {
            let reply = send(&server, "POST", path, headers, &sdp);
            assert_problem(&reply, 415, "application/sdp");
            assert_eq!(reply.header("Accept-Post"), "application/sdp");
        }
        let reply = send(&server, "POST", path, &[SDP, ("Accept", "text/html")], &sdp);
        assert_problem(&reply, 406, "application/sdp");
        assert_problem(&post(&server, path, "a=x\n".repeat(20_000)), 413, "");
        assert_problem(&post(&server, path, b"v=0\r\ns=\xff\xfe\r\n"), 400, "UTF-8");
        assert_problem(&post(&server, path, ""), 400, "");
    }
    let typed = [("Content-Type", "Application/SDP; charset=utf-8"), ("Accept", "text/html, */*;q=0.1")];
    assert_eq!(send(&server, "POST", "/whip/r", &typed, &sdp).status, 201);
}

#[test]
fn malformed_offers_name_their_line() {
    let server = TestServer::start(settings());
    let sdp = offer("chromium-simulcast");
    let line_of = |start: &str| 1 + sdp.lines().position(|line| line.starts_with(start)).unwrap();
    for (start, replacement) in [
        ("v=", "v=9"),
        ("m=audio", "m=audio"),
        ("a=ice-pwd:", "a=ice-pwd:short"),
        ("a=rtpmap:111", "a=rtpmap:999 opus/48000/2"),
        ("a=simulcast:", "a=simulcast:send ;;"),
    ] {
        let line = line_of(start);
        let changed: Vec<&str> =
            sdp.lines().zip(1..).map(|(old, at)| if at == line { replacement } else { old }).collect();
        for path in ["/whip/r", "/whep/r"] {
            let reply = post(&server, path, changed.join("\r\n"));
            assert_problem(&reply, 400, &format!("line {line}: "));
        }
    }
    assert_problem(&post(&server, "/whip/r", "hello"), 400, "line 1");
    assert_eq!(server.get_json("/healthz")["rooms"], 0, "nothing came of it");
}

#[test]
fn offers_that_cannot_be_taken_are_told_so() {
    let server = TestServer::start(settings());
    let publish = |text: String| post(&server, "/whip/r", text);
    assert_problem(&publish(offer("chromium-datachannel")), 422, "only audio and video");
    assert_problem(&publish(offer("chromium-recvonly")), 422, "sends nothing");
    let no_codec = offer("aiortc-sendonly").replace(" VP8/", " XX8/").replace(" H264/", " XX264/");
    assert_problem(&publish(no_codec), 422, "line ");
    let apart = offer("chromium-sendonly").replace("a=group:BUNDLE 0 1", "a=group:BUNDLE 0");
    assert_problem(&publish(apart), 422, "BUNDLE");
    let ask = |query: &str| post(&server, &format!("/whip/r?{query}"), offer("chromium-sendonly"));
    assert_problem(&ask("scalabilityMode=tall"), 400, "scalabilityMode");
    assert_problem(&ask("name="), 400, "name");
    assert_problem(&ask(&format!("name={}", "x".repeat(200))), 400, "name");
    let long = "x".repeat(129);
    for path in [format!("/whip/{long}"), format!("/whep/{long}"), "/whip/a%0Ab".to_owned()] {
        assert_problem(&post(&server, &path, offer("chromium-sendrecv")), 400, "room");
    }
    assert_eq!(server.get_json("/healthz")["rooms"], 0, "nothing came of it");
}

/// A fragment as clients send it; with credentials where it restarts ICE.
fn fragment(credentials: Option<(&str, &str)>) -> String {
    let mut text = "a=group:BUNDLE 0 1\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\n".to_owned();
    if let Some((ufrag, pwd)) = credentials {
        text += &format!("a=ice-ufrag:{ufrag}\r\na=ice-pwd:{pwd}\r\n");
    }
    text + "a=candidate:1 1 udp 2122194687 192.0.2.1 40000 typ host\r\na=end-of-candidates\r\n"
}

#[test]
fn candidates_are_taken_and_ice_restarts() {
    let server = TestServer::start(settings());
    let (session, tag) = published(&server, "chromium-simulcast");
    let change = |tag: Option<&str>, text: &str| {
        let mut headers = vec![FRAGMENT];
        headers.extend(tag.map(|tag| ("If-Match", tag)));
        send(&server, "PATCH", &session, &headers, text)
    };
    // Those of the offer: no restart.
    let same = fragment(Some(("Vwbz", "mFQFoLY9KSNfRf8ZlSRbzBGm")));
    for text in [&fragment(None), &same] {
        let reply = change(Some(&tag), text);
        assert_eq!((reply.status, reply.text.as_str()), (204, ""));
    }
    let fresh = fragment(Some(("Zzzz", "aaaaaaaaaaaaaaaaaaaaaaaa")));
    assert_problem(&change(None, &fresh), 428, "If-Match");
    assert_problem(&change(Some("\"other\""), &fresh), 412, "If-Match");
    let restarted = change(Some(&format!("\"other\", {tag}")), &fresh);
    assert_eq!(restarted.status, 200, "{}", restarted.text);
    assert_eq!(restarted.header("Content-Type"), FRAGMENT.1);
    let new_tag = restarted.header("ETag");
    assert!(new_tag != tag && new_tag.len() > 5);
    let ufrag = lines(&restarted.text, "a=ice-ufrag:");
    assert_eq!(ufrag, [format!("a=ice-ufrag:{}", new_tag.trim_matches('"'))]);
    assert!(!lines(&restarted.text, "a=ice-pwd:").is_empty() && restarted.text.contains("a=candidate:"));
    assert_problem(&change(Some(&tag), &fragment(None)), 412, "");
    assert_eq!(change(Some(&new_tag), &fresh).status, 204, "these are no news");
    let again = fragment(Some(("Yyyy", "bbbbbbbbbbbbbbbbbbbbbbbb")));
    assert_eq!(change(Some("*"), &again).status, 200);
}

#[test]
fn wrong_fragments_are_refused() {
    let server = TestServer::start(settings());
    let (session, tag) = published(&server, "chromium-simulcast");
    let patch = |headers: &[(&str, &str)], text: &str| send(&server, "PATCH", &session, headers, text);
    let reply = patch(&[SDP, ("If-Match", &tag)], &fragment(None));
    assert_problem(&reply, 415, FRAGMENT.1);
    assert_eq!(reply.header("Accept-Patch"), FRAGMENT.1);
    let whole = [FRAGMENT, ("If-Match", &tag)];
    assert_problem(&patch(&whole, "m=audio 9 UDP 1\r\n!\r\n"), 400, "line 2");
    assert_problem(&patch(&whole, "a=mid:0\r\na=ice-ufrag:x\r\na=ice-pwd:short\r\n"), 400, "line 2");
    assert_problem(&patch(&whole, &"a=x\r\n".repeat(20_000)), 413, "");
    // What would break out of a line cannot stand in the answer, and nothing restarts.
    let odd = fragment(Some(("Zzzz", "aaaaaaaaaaaaaaaaaaaaaaaa"))).replace("BUNDLE 0", "BUNDLE \u{1}0");
    assert_problem(&patch(&whole, &odd), 400, "line 1: ");
    assert_eq!(patch(&whole, &fragment(None)).status, 204, "the session is as it was");
}

#[test]
fn a_session_ends_once_and_is_nobody_elses() {
    let server = TestServer::start(settings());
    let (session, tag) = published(&server, "chromium-simulcast");
    let (other, _) = published(&server, "firefox-sendonly");
    assert_ne!(session, other);
    let id = session.rsplit('/').next().unwrap();
    let strangers = [format!("/whep/r/{id}"), format!("/whip/s/{id}"), format!("/whip/r/{}", "0".repeat(32))];
    for path in &strangers {
        assert_problem(&send(&server, "DELETE", path, &[], ""), 404, "session");
        let headers = [FRAGMENT, ("If-Match", &*tag)];
        assert_problem(&send(&server, "PATCH", path, &headers, fragment(None)), 404, "session");
    }
    assert_eq!(peers(&server), 2);
    assert_eq!(send(&server, "DELETE", &session, &[], "").status, 200);
    assert_problem(&send(&server, "DELETE", &session, &[], ""), 404, "session");
    assert_eq!(peers(&server), 1);
    assert_eq!(send(&server, "DELETE", &other, &[], "").status, 200);
    eventually("the room's end", || (server.get_json("/healthz")["rooms"] == 0).then_some(()));
}

#[test]
fn tokens_say_who_may_publish_and_view() {
    let server = TestServer::start(guarded());
    let sdp = offer("chromium-sendonly");
    let ask = |path: &str, token: &str, sdp: &str| {
        let bearer = format!("Bearer {token}");
        let headers = [SDP, ("Authorization", &*bearer)];
        send(&server, "POST", path, if token.is_empty() { &headers[..1] } else { &headers }, sdp)
    };
    for (path, token, status) in [
        ("/whip/r", "", 401),
        ("/whip/r", "wrong", 401),
        ("/whep/r", "", 401),
        ("/whip/r", "watch", 403),
        ("/whep/s", "watch", 403),
    ] {
        let reply = ask(path, token, &sdp);
        assert_problem(&reply, status, "token");
        let challenge = if status == 401 { "Bearer" } else { "" };
        assert_eq!(reply.header("WWW-Authenticate"), challenge, "{path} {token}");
    }
    let token = minted(&["--room", "r", "--peer", "camera"]);
    let made = ask("/whip/r", &token, &sdp);
    assert_eq!(made.status, 201, "{}", made.text);
    assert_problem(&ask("/whip/r", &token, &sdp), 409, "'camera'");
    let viewed = ask("/whep/r?peer=camera", "watch", &offer("chromium-recvonly"));
    assert_eq!(viewed.status, 201, "{}", viewed.text);
    let session = made.header("Location");
    assert_problem(&send(&server, "DELETE", &session, &[], ""), 401, "token");
    let elsewhere = format!("Bearer {}", minted(&["--room", "s"]));
    assert_problem(&send(&server, "DELETE", &session, &[("Authorization", &elsewhere)], ""), 403, "room");
    let bearer = format!("Bearer {token}");
    assert_eq!(send(&server, "DELETE", &session, &[("Authorization", &bearer)], "").status, 200);
    // A page asks what it may do before it may say who it is.
    assert_eq!(send(&server, "OPTIONS", "/whip/r", &[], "").status, 204);
}

#[test]
fn sessions_have_limits() {
    let mut tight = settings();
    tight.max_whip_sessions = 2;
    let server = TestServer::start(tight);
    published(&server, "chromium-sendonly");
    let viewer = opened(&server, "/whep/r", "chromium-recvonly");
    for (path, name) in [("/whip/r", "firefox-sendonly"), ("/whep/r", "firefox-recvonly")] {
        let reply = post(&server, path, offer(name));
        assert_problem(&reply, 503, "WHIP and WHEP sessions");
        assert_eq!(reply.header("Retry-After"), "5");
    }
    assert_eq!(send(&server, "DELETE", &viewer.header("Location"), &[], "").status, 200);
    published(&server, "firefox-sendonly");
    let mut few = settings();
    (few.max_rooms, few.max_producers) = (1, 1);
    let server = TestServer::start(few);
    // One section is taken, the second is over the limit: nothing stays.
    assert_problem(&post(&server, "/whip/r", offer("chromium-sendonly")), 503, "producers");
    assert_eq!(peers(&server), 0);
    server.broadcaster("other", "b");
    assert_problem(&post(&server, "/whip/r", offer("chromium-sendonly")), 503, "rooms");
}

#[test]
fn who_never_connects_is_removed() {
    let mut impatient = settings();
    impatient.peer_grace = 1;
    let server = TestServer::start(impatient);
    let (session, _) = published(&server, "chromium-sendonly");
    opened(&server, "/whep/r", "chromium-recvonly");
    assert_eq!(peers(&server), 2);
    eventually("the end of both", || (peers(&server) == 0).then_some(()));
    assert_problem(&send(&server, "DELETE", &session, &[], ""), 404, "session");
}
