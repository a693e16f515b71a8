//! The server's HTTP API, as far as a load needs it.

use crate::child::Process;
use crate::error::Error;
use serde::Deserialize;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;

/// A room on a server.
#[derive(Clone, Debug)]
pub struct Api {
    agent: ureq::Agent,
    url: String,
}

/// A transport that was made.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Transport {
    id: String,
    /// Where the server takes packets for it.
    pub port: u16,
    /// What the server sends with, with SRTP.
    pub srtp_parameters: Option<SrtpParameters>,
}

/// The key that a side sends with.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SrtpParameters {
    /// Master key and salt.
    pub key_base64: String,
}

#[derive(Deserialize)]
struct Made {
    id: String,
}

const SUITE: &str = "AEAD_AES_128_GCM";
/// Master key and salt of what receivers would send, 28 octets in base64. They send nothing.
const UNUSED_KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==";

impl Api {
    /// The room of a load on the server at `http`, such as `http://127.0.0.1:8080`.
    pub fn new(http: &str) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(10)));
        Self { agent: config.build().into(), url: http.trim_end_matches('/').to_owned() }
    }

    /// A broadcaster in the room of this load.
    pub fn add_broadcaster(&self, id: &str) -> Result<(), Error> {
        self.post("/rooms/load/broadcasters", &json!({ "id": id, "displayName": id })).map(drop)
    }

    /// A plain transport that sends to `remote` and takes from there, connected.
    pub fn add_transport(
        &self,
        broadcaster: &str,
        remote: SocketAddr,
        srtp: bool,
    ) -> Result<Transport, Error> {
        let path = format!("/rooms/load/broadcasters/{broadcaster}/transports");
        let mut body = json!({ "type": "plain", "comedia": false, "rtcpMux": true, "enableSrtp": srtp });
        let mut connect = json!({ "ip": remote.ip(), "port": remote.port() });
        if srtp {
            body["srtpCryptoSuite"] = SUITE.into();
            connect["srtpParameters"] = json!({ "cryptoSuite": SUITE, "keyBase64": UNUSED_KEY });
        }
        let transport: Transport = parse(&path, &self.post(&path, &body)?)?;
        self.post(&format!("{path}/{}/connect", transport.id), &connect)?;
        Ok(transport)
    }

    /// A producer of VP8; returns its id.
    pub fn produce(
        &self,
        broadcaster: &str,
        transport: &Transport,
        payload_type: u8,
        ssrc: u32,
    ) -> Result<String, Error> {
        let path = format!("/rooms/load/broadcasters/{broadcaster}/transports/{}/producers", transport.id);
        let feedback = json!([{ "type": "nack" }, { "type": "nack", "parameter": "pli" }]);
        let codec = json!({
            "mimeType": "video/VP8", "payloadType": payload_type, "clockRate": 90_000, "rtcpFeedback": feedback
        });
        let parameters = json!({ "codecs": [codec], "encodings": [{ "ssrc": ssrc }] });
        let answer = self.post(&path, &json!({ "kind": "video", "rtpParameters": parameters }))?;
        Ok(parse::<Made>(&path, &answer)?.id)
    }

    /// Consumes a producer.
    pub fn consume(&self, broadcaster: &str, transport: &Transport, producer: &str) -> Result<(), Error> {
        let path = format!(
            "/rooms/load/broadcasters/{broadcaster}/transports/{}/consume?producerId={producer}",
            transport.id
        );
        self.post(&path, &json!({})).map(drop)
    }

    /// Hands an offer to the WHEP endpoint of the room (draft-ietf-wish-whep); returns the answer.
    pub fn watch(&self, offer: &str) -> Result<String, Error> {
        let url = format!("{}/whep/load", self.url);
        answer(&url, self.agent.post(&url).content_type("application/sdp").send(offer))
    }

    /// The server's metrics.
    pub fn metrics(&self) -> Result<String, Error> {
        let url = format!("{}/metrics", self.url);
        answer(&url, self.agent.get(&url).call())
    }

    fn post(&self, path: &str, body: &Value) -> Result<String, Error> {
        let url = format!("{}{path}", self.url);
        answer(&url, self.agent.post(&url).send_json(body))
    }
}

fn answer(
    url: &str,
    response: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
) -> Result<String, Error> {
    let mut response = response.map_err(|error| Error::Api(format!("{url}: {error}")))?;
    let status = response.status();
    let text = response.body_mut().read_to_string().map_err(|error| Error::Api(format!("{url}: {error}")))?;
    if status.is_success() { Ok(text) } else { Err(Error::Api(format!("{url}: {status}: {text}"))) }
}

fn parse<'t, T: Deserialize<'t>>(path: &str, text: &'t str) -> Result<T, Error> {
    serde_json::from_str(text).map_err(|error| Error::Api(format!("{path}: {error}: {text}")))
}

/// The server's address, without a path, as its lines about HTTP say it.
pub fn http_address(process: &Process) -> Result<String, Error> {
    const SCHEME: &str = "http://";
    loop {
        let line = process.line()?;
        if let Some(address) = line.split_whitespace().find_map(|word| word.strip_prefix(SCHEME)) {
            let authority = address.split('/').next().unwrap_or(address);
            return Ok(format!("{SCHEME}{authority}"));
        }
    }
}

/// The sum over all shards of a metric, in Prometheus' text format.
pub fn metric(text: &str, name: &str) -> f64 {
    sum(text, |series| series == name || series.strip_prefix(name).is_some_and(|rest| rest.starts_with('{')))
}

/// The sum over all shards of packets dropped for one reason.
pub fn dropped(text: &str, reason: &str) -> f64 {
    let label = format!("reason=\"{reason}\"");
    sum(text, |series| series.starts_with("tureen_packets_dropped_total{") && series.contains(&label))
}

fn sum(text: &str, wanted: impl Fn(&str) -> bool) -> f64 {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let values = lines.filter_map(|line| line.rsplit_once(' ')).filter(|(series, _)| wanted(series));
    values.filter_map(|(_, value)| value.parse::<f64>().ok()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# HELP tureen_send_calls_total Calls\n# TYPE tureen_send_calls_total counter\n\
        tureen_send_calls_total{shard=\"0\"} 5\ntureen_send_calls_total{shard=\"1\"} 7\n\
        tureen_send_calls_total_more 100\ntureen_rooms 1\n\
        tureen_packets_dropped_total{shard=\"0\",reason=\"send\"} 3\n\
        tureen_packets_dropped_total{shard=\"0\",reason=\"rejected\"} 4\n";

    #[test]
    fn metrics_are_summed_over_shards() {
        assert_eq!(metric(TEXT, "tureen_send_calls_total"), 12.0);
        assert_eq!(metric(TEXT, "tureen_rooms"), 1.0);
        assert_eq!(metric(TEXT, "tureen_send"), 0.0);
        assert_eq!(dropped(TEXT, "send"), 3.0);
    }
}
