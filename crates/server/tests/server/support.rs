//! A server in this process, and requests to it.

use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Runtime;
use tureen_server::{Server, Settings};

/// A running server, stopped when dropped.
pub(crate) struct TestServer {
    /// Shared with the clients, who outlive a server that is stopped.
    runtime: Arc<Runtime>,
    server: Option<Server>,
    agent: ureq::Agent,
}

/// Settings for a server on a port of the system's choice.
pub(crate) fn settings() -> Settings {
    Settings {
        http_listen: "127.0.0.1:0".parse().unwrap(),
        https_listen: "127.0.0.1:0".parse().unwrap(),
        tls: false,
        webrtc_port: 0,
        listen_ips: vec!["127.0.0.1".parse().unwrap()],
        shards: 2,
        max_requests_per_second: 0,
        ..Settings::default()
    }
}

/// Answers are judged by their status, since the reason stands in the body.
pub(crate) fn agent() -> ureq::Agent {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(20)))
        .build()
        .into()
}

pub(crate) type Answer = (u16, String);

pub(crate) fn answer(response: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Answer {
    let mut response = response.expect("an answer");
    let text = response.body_mut().read_to_string().expect("text");
    (response.status().as_u16(), text)
}

impl TestServer {
    pub(crate) fn start(settings: Settings) -> Self {
        let runtime = Arc::new(Runtime::new().unwrap());
        let server = runtime.block_on(Server::start(settings)).expect("a server");
        Self { runtime, server: Some(server), agent: agent() }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.server.as_ref().unwrap().local_addr())
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        answer(self.agent.get(self.url(path)).call())
    }

    pub(crate) fn delete(&self, path: &str) -> Answer {
        answer(self.agent.delete(self.url(path)).call())
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Answer {
        answer(self.agent.post(self.url(path)).send_json(body))
    }

    pub(crate) fn post_text(&self, path: &str, body: &str) -> Answer {
        answer(self.agent.post(self.url(path)).send(body))
    }

    /// The JSON of a request that succeeds.
    pub(crate) fn get_json(&self, path: &str) -> Value {
        let (status, text) = self.get(path);
        assert_eq!(status, 200, "{path}: {text}");
        serde_json::from_str(&text).unwrap()
    }

    /// The JSON of a request that succeeds, null where it has none.
    pub(crate) fn post_json(&self, path: &str, body: &Value) -> Value {
        let (status, text) = self.post(path, body);
        assert!(status == 200 || status == 204, "{path}: {status} {text}");
        if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() }
    }

    /// A new broadcaster's path.
    pub(crate) fn broadcaster(&self, room: &str, id: &str) -> String {
        self.post_json(&format!("/rooms/{room}/broadcasters"), &json!({ "id": id, "displayName": id }));
        format!("/rooms/{room}/broadcasters/{id}")
    }

    /// A new transport's path, and what the server said of it.
    pub(crate) fn transport(&self, broadcaster: &str, mut body: Value) -> (String, Value) {
        body["type"] = "plain".into();
        let path = format!("{broadcaster}/transports");
        let transport = self.post_json(&path, &body);
        (format!("{path}/{}", transport["id"].as_str().unwrap()), transport)
    }

    /// Where HTTP listens.
    pub(crate) fn address(&self) -> std::net::SocketAddr {
        self.server.as_ref().unwrap().local_addr()
    }

    /// Where HTTPS listens.
    pub(crate) fn https_address(&self) -> std::net::SocketAddr {
        self.server.as_ref().unwrap().https_addr().expect("HTTPS")
    }

    pub(crate) fn runtime(&self) -> &Arc<Runtime> {
        &self.runtime
    }

    pub(crate) fn agent(&self) -> &ureq::Agent {
        &self.agent
    }

    pub(crate) fn shutdown(mut self) {
        let server = self.server.take().unwrap();
        self.runtime.block_on(server.shutdown());
    }
}

/// Opus with payload type 101.
pub(crate) fn opus(ssrc: u32) -> Value {
    json!({ "kind": "audio", "rtpParameters": {
        "codecs": [{ "mimeType": "audio/opus", "payloadType": 101, "clockRate": 48000, "channels": 2 }],
        "encodings": [{ "ssrc": ssrc }],
    }})
}

/// VP8 with payload type 102.
pub(crate) fn vp8(ssrc: u32) -> Value {
    json!({ "kind": "video", "rtpParameters": {
        "codecs": [{ "mimeType": "video/VP8", "payloadType": 102, "clockRate": 90000 }],
        "encodings": [{ "ssrc": ssrc }],
    }})
}

/// An RTP packet of 20 bytes.
pub(crate) fn rtp(payload_type: u8, sequence_number: u16, timestamp: u32, ssrc: u32) -> Vec<u8> {
    let mut packet = vec![0x80, payload_type];
    packet.extend(sequence_number.to_be_bytes());
    packet.extend(timestamp.to_be_bytes());
    packet.extend(ssrc.to_be_bytes());
    packet.extend([0xf8; 8]);
    packet
}

/// Tries until `attempt` gives something, for ten seconds.
pub(crate) fn eventually<T>(what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    for _ in 0..200 {
        if let Some(value) = attempt() {
            return value;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("{what} did not come to pass");
}
