//! Tokens: who gets in with which, and who is an operator.

use crate::client::Client;
use crate::support::{Answer, TestServer, answer, opus, settings};
use serde_json::{Value, json};
use std::process::Command;
use tureen_server::{Secret, Settings};

const SECRET: &str = "0123456789abcdef0123456789abcdef";

pub(crate) fn guarded() -> Settings {
    let mut guarded = settings();
    guarded.token_secret = Secret::new(SECRET);
    guarded.static_tokens = vec!["subscribe:r:watch".parse().unwrap(), "admin:*:boss".parse().unwrap()];
    guarded
}

/// What `tureen token` prints.
pub(crate) fn minted(arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tureen"));
    let output =
        command.arg("token").args(arguments).env_clear().env("TUREEN_TOKEN_SECRET", SECRET).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn get(server: &TestServer, path: &str, token: &str) -> Answer {
    answer(server.agent().get(server.url(path)).header("Authorization", format!("Bearer {token}")).call())
}

fn post(server: &TestServer, path: &str, token: &str, body: &Value) -> Answer {
    answer(
        server
            .agent()
            .post(server.url(path))
            .header("Authorization", format!("Bearer {token}"))
            .send_json(body),
    )
}

#[test]
fn a_websocket_needs_a_token_of_its_room_and_peer() {
    let server = TestServer::start(guarded());
    let status = |query: &str| Client::try_connect(&server, query).err().map(|(status, _)| status);
    let token = minted(&["--room", "r", "--peer", "speaker", "--expires", "60"]);
    assert_eq!(status("roomId=r&peerId=speaker"), Some(401));
    assert_eq!(status("roomId=r&peerId=speaker&token=wrong"), Some(401));
    assert_eq!(status(&format!("roomId=s&peerId=speaker&token={token}")), Some(403));
    assert_eq!(status(&format!("roomId=r&peerId=viewer&token={token}")), Some(403));
    assert_eq!(status(&format!("roomId=r&peerId=speaker&token={token}")), None);
    let expired = minted(&["--room", "r", "--expires", "0"]);
    assert_eq!(status(&format!("roomId=r&peerId=speaker&token={expired}")), Some(401));
}

#[test]
fn who_may_only_watch_produces_nothing() {
    let server = TestServer::start(guarded());
    let mut client = Client::try_connect(&server, "roomId=r&peerId=speaker&token=watch").unwrap();
    let mut media = opus(1);
    media["transportId"] = client.transport().into();
    client.join_as("speaker");
    client.refused("produce", media, 403, "produce");
    let (status, text) = post(&server, "/rooms/r/broadcasters", "watch", &json!({ "id": "b" }));
    assert!(status == 403, "{status} {text}");
}

#[test]
fn another_token_takes_the_id_but_not_what_the_peer_had() {
    let server = TestServer::start(guarded());
    let connect =
        |token: &str| Client::try_connect(&server, &format!("roomId=r&peerId=speaker&token={token}")).unwrap();
    let (one, other) =
        (minted(&["--room", "r", "--expires", "60"]), minted(&["--room", "r", "--expires", "61"]));
    let mut first = connect(&one);
    let transport = first.transport();
    let mut thief = connect(&other);
    assert_eq!(first.closed(), Some(4000));
    thief.refused("restartIce", json!({ "transportId": transport }), 404, &transport);
    let transport = thief.transport();
    let mut same = connect(&other);
    same.ok("restartIce", json!({ "transportId": transport }));
}

#[test]
fn broadcasters_need_a_token_too() {
    let server = TestServer::start(guarded());
    assert_eq!(server.get("/rooms/r").0, 401);
    assert_eq!(server.post("/rooms/r/broadcasters", &json!({ "id": "b" })).0, 401);
    let token = minted(&["--room", "r"]);
    assert_eq!(get(&server, "/rooms/r", &token).0, 200);
    assert_eq!(post(&server, "/rooms/r/broadcasters", &token, &json!({ "id": "b" })).0, 200);
    assert_eq!(post(&server, "/rooms/s/broadcasters", &token, &json!({ "id": "b" })).0, 403);
    let path = "/rooms/r/broadcasters/b/transports";
    assert_eq!(server.post(path, &json!({ "type": "plain" })).0, 401);
    assert_eq!(post(&server, path, "watch", &json!({ "type": "plain" })).0, 403);
    assert_eq!(post(&server, path, &token, &json!({ "type": "plain" })).0, 200);
    assert_eq!(server.delete("/rooms/r/broadcasters/b").0, 401);
}

#[test]
fn the_operators_api_is_for_administrators() {
    let server = TestServer::start(guarded());
    for path in ["/api/v1/rooms", "/api/v1/load", "/api/v1/drain", "/api/v1/nothing"] {
        assert_eq!(server.get(path).0, 401, "{path}");
        assert_eq!(get(&server, path, "watch").0, 403, "{path}");
        assert_eq!(
            get(&server, path, &minted(&["--room", "r", "--role", "admin"])).0,
            403,
            "{path}: of one room only"
        );
    }
    assert_eq!(server.delete("/api/v1/rooms/r").0, 401);
    assert_eq!(get(&server, "/api/v1/rooms", "boss").0, 200);
    assert_eq!(get(&server, "/api/v1/rooms", &minted(&["--room", "*", "--role", "admin"])).0, 200);
}

#[test]
fn without_tokens_a_page_from_elsewhere_is_no_operator() {
    let server = TestServer::start(settings());
    let ask = |name: &str, value: &str| {
        answer(server.agent().get(server.url("/api/v1/rooms")).header(name, value).call()).0
    };
    assert_eq!(ask("X-Nothing", "x"), 200);
    assert_eq!(ask("Origin", "https://evil.example"), 403);
    assert_eq!(ask("Host", "evil.example"), 403);
}

#[test]
fn a_token_needs_a_secret() {
    let output = Command::new(env!("CARGO_BIN_EXE_tureen"))
        .args(["token", "--room", "r"])
        .env_clear()
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("token_secret"));
}
