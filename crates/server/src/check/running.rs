//! A server that runs already: whether it is well, and whether its WebRTC ports answer. Makes transports in a room of its
//! own, as a broadcaster would, and removes them.

use super::finding::Report;
use super::ports;
use super::probe::Credentials;
use crate::access::{TokenRole, mint};
use crate::config::Settings;
use crate::net::{addresses, reached_locally};
use serde_json::{Value, json};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;
use tureen::dictionaries::{IceCandidate, IceParameters, TransportProtocol};

const PATIENCE: Duration = Duration::from_secs(3);
const SERVER: &str = "server";
const WEBRTC: &str = "webrtc_port";
/// A transport lies on one shard; so many are made at most to find each shard's port.
const MAX_TRANSPORTS: u8 = 16;

/// A server that answers where the settings say.
pub(super) struct Running {
    agent: ureq::Agent,
    url: String,
    health: (u16, Value),
}

/// Asks where HTTP is to be; `None` if nobody there is a Tureen.
pub(super) fn find(settings: &Settings) -> Option<Running> {
    let listen = settings.http_listen;
    if listen.port() == 0 {
        return None;
    }
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(PATIENCE))
        .build()
        .into();
    let url = format!("http://{}", SocketAddr::new(reached_locally(listen.ip()), listen.port()));
    let mut answer = agent.get(format!("{url}/healthz")).call().ok()?;
    let body: Value = answer.body_mut().read_json().ok()?;
    let health = (answer.status().as_u16(), body);
    health.1["shards"].is_u64().then_some(Running { agent, url, health })
}

impl Running {
    pub(super) fn examine(&self, settings: &Settings, report: &mut Report) {
        let (status, body) = &self.health;
        let version = body["version"].as_str().unwrap_or("of no version");
        let word = body["status"].as_str().unwrap_or("silent");
        if *status == 200 {
            report.ok(SERVER, format!("Tureen {version} answers at {}, {word}", self.url));
        } else {
            let found = format!("Tureen {version} at {} says it is {word}", self.url);
            report.fail(SERVER, found, "see its log, and start it again");
            return;
        }
        if version != env!("CARGO_PKG_VERSION") {
            let found = format!("it is {version}, this program is {}", env!("CARGO_PKG_VERSION"));
            report.warn(SERVER, found, "restart it to run the program that is installed");
        }
        if settings.tls {
            examine_https(settings.https_listen, report);
        }
        self.examine_webrtc(settings, report);
    }

    /// Reaches every candidate of transports on as many shards as turn up.
    fn examine_webrtc(&self, settings: &Settings, report: &mut Report) {
        let (room, token) = match entrance(settings) {
            Ok(entrance) => entrance,
            Err(found) => {
                return report.warn(WEBRTC, found, "run the check with a token_secret, as the server has it");
            }
        };
        let path = format!("{}/rooms/{room}/broadcasters", self.url);
        let id = format!("check-{}", std::process::id());
        let joining = json!({ "id": id, "displayName": "tureen check" });
        if let Err(problem) = self.post(&path, &token, &joining) {
            return report.warn(
                WEBRTC,
                problem,
                "nothing behind HTTP could be looked at: see the server's settings",
            );
        }
        let own = format!("{path}/{id}");
        let mut tried: Vec<(String, u16, TransportProtocol)> = Vec::new();
        for _ in 0..ports::shards(settings).min(MAX_TRANSPORTS) {
            match self.post(&format!("{own}/transports"), &token, &json!({ "type": "webrtc" })) {
                Ok(transport) => reach(transport, &mut tried, report),
                Err(problem) => {
                    report.fail(WEBRTC, problem, "see the server's log");
                    break;
                }
            }
        }
        // It goes with its idle timeout otherwise.
        let _ = self.authorized(self.agent.delete(own), &token).call();
    }

    fn post(&self, url: &str, token: &str, body: &Value) -> Result<Value, String> {
        let told = |error: ureq::Error| format!("{url}, {error}");
        let mut answer = self.authorized(self.agent.post(url), token).send_json(body).map_err(told)?;
        if answer.status() != 200 {
            let reason = answer.body_mut().read_to_string().unwrap_or_default();
            return Err(format!("{url} answers {} {reason}", answer.status().as_u16()));
        }
        answer.body_mut().read_json().map_err(told)
    }

    fn authorized<B>(&self, request: ureq::RequestBuilder<B>, token: &str) -> ureq::RequestBuilder<B> {
        if token.is_empty() { request } else { request.header("Authorization", format!("Bearer {token}")) }
    }
}

fn examine_https(listen: SocketAddr, report: &mut Report) {
    let address = SocketAddr::new(reached_locally(listen.ip()), listen.port());
    match TcpStream::connect_timeout(&address, PATIENCE) {
        Ok(_) => report.ok("https_listen", format!("{address}/tcp answers")),
        Err(error) => {
            let found = format!("{address}/tcp does not answer, {error}");
            report.fail("https_listen", found, "the server runs with other settings: restart it");
        }
    }
}

/// A room, and a token for it; empty where none is needed.
fn entrance(settings: &Settings) -> Result<(String, String), String> {
    let room = format!("tureen-check-{}", std::process::id());
    if !settings.token_secret.is_empty() {
        let minted = mint(&settings.token_secret, &room, TokenRole::Publish, None, Duration::from_secs(60));
        return minted.map(|token| (room, token)).map_err(|error| error.to_string());
    }
    if settings.static_tokens.is_empty() {
        return Ok((room, String::new()));
    }
    let entrance = settings.static_tokens.iter().find_map(|token| token.entrance(&room));
    entrance.ok_or_else(|| "no static token lets anybody publish".to_owned())
}

/// Sends a connectivity check to each candidate that was not tried yet.
fn reach(transport: Value, tried: &mut Vec<(String, u16, TransportProtocol)>, report: &mut Report) {
    let parameters = serde_json::from_value::<IceParameters>(transport["iceParameters"].clone());
    let candidates = serde_json::from_value::<Vec<IceCandidate>>(transport["iceCandidates"].clone());
    let (Ok(parameters), Ok(candidates)) = (parameters, candidates) else {
        return report.fail(WEBRTC, "the server's transport is not understood", "is it another version?");
    };
    let credentials =
        Credentials { username_fragment: &parameters.username_fragment, password: &parameters.password };
    for candidate in candidates {
        let key = (candidate.address.clone(), candidate.port, candidate.protocol);
        if !tried.contains(&key) {
            tried.push(key);
            reach_candidate(&credentials, &candidate, report);
        }
    }
}

fn reach_candidate(credentials: &Credentials<'_>, candidate: &IceCandidate, report: &mut Report) {
    let IceCandidate { address, port, protocol, .. } = candidate;
    let shown = format!("{address}:{port}/{protocol}");
    let resolved = (address.as_str(), *port).to_socket_addrs().ok().and_then(|mut found| found.next());
    let Some(target) = resolved else {
        let advice = "clients cannot resolve it either: put it into the DNS, or announce an IP address";
        return report.fail(WEBRTC, format!("{shown} has no address"), advice);
    };
    let answer = match protocol {
        TransportProtocol::Udp => credentials.over_udp(target),
        TransportProtocol::Tcp => credentials.over_tcp(target),
    };
    match answer {
        Ok(_) => report.ok(WEBRTC, format!("{shown} answers a connectivity check")),
        Err(error) if addresses().contains(&target.ip()) => {
            let found = format!("{shown}, {error}");
            report.fail(
                WEBRTC,
                found,
                format!("open port {port}/{protocol} in this machine's packet filter"),
            );
        }
        Err(error) => {
            let found = format!("{shown} is not reached from here, {error}");
            let advice = "some routers do not let a machine reach itself from outside: forward the port, and try from elsewhere";
            report.warn(WEBRTC, found, advice);
        }
    }
}
