//! The broadcaster API of the server under test, call by call, as an HTTP client sees it.
//!
//! It must not know of media: parameters go in and come out as JSON.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::clients::{Address, Codec, SrtpKey, VIDEO_RTX_SSRC};
use crate::process::Process;

const START_LIMIT: Duration = Duration::from_secs(20);

/// The program `tureen`, running.
#[derive(Debug)]
pub(crate) struct Server {
    process: Process,
    address: String,
    agent: ureq::Agent,
}

impl Server {
    /// Starts it with HTTP on a port of the system's choice, which it prints.
    pub(crate) fn start(directory: &Path) -> Self {
        Self::start_with(directory, &["--tls", "false"])
    }

    /// Starts it as a browser needs it: with HTTPS, on every address unless `arguments` name one.
    pub(crate) fn for_browsers(directory: &Path, arguments: &[&str]) -> Self {
        let everywhere = ["--https-listen", "0.0.0.0:0"];
        let all = if arguments.contains(&"--https-listen") {
            arguments.to_vec()
        } else {
            [&everywhere, arguments].concat()
        };
        Self::start_with(directory, &all)
    }

    /// Where a browser goes, as the server prints it.
    pub(crate) fn page(&self) -> String {
        let printed = self.process.stdout();
        let url = printed.split_whitespace().find(|word| word.starts_with("https://"));
        url.unwrap_or_else(|| panic!("no page: {printed}")).to_owned()
    }

    fn start_with(directory: &Path, arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tureen"));
        command.args(["serve", "--http-listen", "127.0.0.1:0"]);
        if !arguments.contains(&"--webrtc-port") {
            command.args(["--webrtc-port", "0"]);
        }
        command.args(arguments);
        let mut process = Process::start(directory, "tureen", &mut command);
        let address =
            process.until(START_LIMIT, |process| listen_address(&(process.stdout() + &process.stderr())));
        // The status is judged here, since the reason stands in the body.
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(10)))
            .build()
            .into();
        Self { process, address, agent }
    }

    /// The room of this name; it need not exist yet.
    pub(crate) const fn room<'a>(&'a self, name: &'a str) -> Room<'a> {
        Room { server: self, name }
    }

    /// The address of a path.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The status and body of a request to `path`.
    pub(crate) fn request(&self, path: &str, body: Option<&Value>) -> (u16, String) {
        let url = self.url(path);
        let answer = match body {
            Some(body) => self.agent.post(&url).send_json(body),
            None => self.agent.get(&url).call(),
        };
        let mut answer = answer.unwrap_or_else(|error| panic!("{url}: {error}\n{}", self.process.stderr()));
        let text = answer.body_mut().read_to_string().expect("a body of text");
        (answer.status().as_u16(), text)
    }

    fn json(&self, path: &str, body: Option<&Value>) -> Value {
        let (status, text) = self.request(path, body);
        assert!((200..300).contains(&status), "{path} with {body:?}: {status} {text}");
        if text.trim().is_empty() {
            return Value::Null;
        }
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}: {text}"))
    }
}

/// The first `127.0.0.1:PORT` in a log.
fn listen_address(log: &str) -> Option<String> {
    const HOST: &str = "127.0.0.1:";
    log.match_indices(HOST).find_map(|(at, _)| {
        let port: String = log[at + HOST.len()..].chars().take_while(char::is_ascii_digit).collect();
        // A digit more may still be on its way: the line has to go on.
        let complete = log.len() > at + HOST.len() + port.len();
        (complete && port.parse::<u16>().is_ok_and(|port| port != 0)).then(|| format!("{HOST}{port}"))
    })
}

/// A room of the server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room<'a> {
    server: &'a Server,
    name: &'a str,
}

impl<'a> Room<'a> {
    /// What its router can do.
    pub(crate) fn rtp_capabilities(self) -> Value {
        self.server.json(&format!("/rooms/{}", self.name), None)
    }

    /// A new broadcaster; one that consumes has to say what it can take.
    pub(crate) fn broadcaster(self, id: &str, rtp_capabilities: Option<Value>) -> Broadcaster<'a> {
        let mut body = json!({"id": id, "displayName": id, "device": {"name": "real-media"}});
        if let Some(capabilities) = rtp_capabilities {
            body["rtpCapabilities"] = capabilities;
        }
        let path = format!("/rooms/{}/broadcasters", self.name);
        self.server.json(&path, Some(&body));
        Broadcaster { server: self.server, path: format!("{path}/{id}") }
    }
}

/// Someone who publishes or receives without a browser.
#[derive(Clone, Debug)]
pub(crate) struct Broadcaster<'a> {
    server: &'a Server,
    path: String,
}

impl<'a> Broadcaster<'a> {
    /// A plain transport with a port each for RTP and RTCP. With `comedia` it learns the client's from what comes in.
    pub(crate) fn plain_transport(&self, comedia: bool, srtp_suite: Option<&str>) -> PlainTransport<'a> {
        let mut body = json!({"type": "plain", "comedia": comedia, "rtcpMux": false});
        if let Some(suite) = srtp_suite {
            body["enableSrtp"] = true.into();
            body["srtpCryptoSuite"] = suite.into();
        }
        let path = format!("{}/transports", self.path);
        let answer = self.server.json(&path, Some(&body));
        let port = |name: &str| {
            let port = answer[name].as_u64().and_then(|port| u16::try_from(port).ok());
            port.unwrap_or_else(|| panic!("no {name}: {answer}"))
        };
        PlainTransport {
            server: self.server,
            path: format!("{path}/{}", text(&answer, "id")),
            address: Address { rtp: port("port"), rtcp: port("rtcpPort") },
            srtp: srtp_suite.map(|_| SrtpKey {
                suite: text(&answer["srtpParameters"], "cryptoSuite"),
                base64: text(&answer["srtpParameters"], "keyBase64"),
            }),
        }
    }
}

/// A plain transport of a broadcaster.
#[derive(Clone, Debug)]
pub(crate) struct PlainTransport<'a> {
    server: &'a Server,
    path: String,
    /// Where it listens.
    pub(crate) address: Address,
    /// The server's own key.
    pub(crate) srtp: Option<SrtpKey>,
}

impl PlainTransport<'_> {
    /// Tells the server where the client is (not with comedia), and its key (where SRTP is on).
    pub(crate) fn connect(&self, client: Option<Address>, key: Option<&SrtpKey>) {
        let mut body = json!({});
        if let Some(Address { rtp, rtcp }) = client {
            body = json!({"ip": "127.0.0.1", "port": rtp, "rtcpPort": rtcp});
        }
        if let Some(SrtpKey { suite, base64 }) = key {
            body["srtpParameters"] = json!({"cryptoSuite": suite, "keyBase64": base64});
        }
        self.server.json(&format!("{}/connect", self.path), Some(&body));
    }

    /// Starts a producer and gives its id.
    pub(crate) fn produce(&self, kind: &str, rtp_parameters: &Value) -> String {
        let body = json!({"kind": kind, "rtpParameters": rtp_parameters});
        text(&self.server.json(&format!("{}/producers", self.path), Some(&body)), "id")
    }

    /// Starts a consumer of a producer and gives the parameters of what it will send.
    pub(crate) fn consume(&self, producer: &str) -> ConsumedStream {
        let path = format!("{}/consume?producerId={producer}", self.path);
        let answer = self.server.json(&path, Some(&json!({})));
        ConsumedStream(answer["rtpParameters"].clone())
    }
}

/// The RTP parameters of a consumer.
#[derive(Clone, Debug)]
pub(crate) struct ConsumedStream(Value);

impl ConsumedStream {
    /// The payload type of the codec.
    pub(crate) fn payload_type(&self, codec: Codec) -> u8 {
        let media_type = format!("{}/{}", codec.kind(), codec.name());
        self.find(&media_type).unwrap_or_else(|| panic!("no {media_type}: {}", self.0))
    }

    /// The payload type of retransmissions, if they are to go as RFC 4588 has it.
    pub(crate) fn rtx_payload_type(&self) -> Option<u8> {
        self.find("video/rtx")
    }

    fn find(&self, media_type: &str) -> Option<u8> {
        let codecs = self.0["codecs"].as_array()?.iter();
        let is_it = |codec: &&Value| {
            codec["mimeType"].as_str().is_some_and(|found| found.eq_ignore_ascii_case(media_type))
        };
        codecs.clone().find(is_it)?["payloadType"].as_u64()?.try_into().ok()
    }
}

/// RTP parameters of a producer of one stream.
pub(crate) fn rtp_parameters(
    codec: Codec,
    payload_type: u8,
    ssrc: u32,
    rtx_payload_type: Option<u8>,
) -> Value {
    let mut main = json!({
        "mimeType": format!("{}/{}", codec.kind(), codec.name()),
        "payloadType": payload_type,
        "clockRate": codec.clock_rate(),
    });
    let mut encoding = json!({"ssrc": ssrc});
    match codec {
        Codec::Opus => {
            main["channels"] = 2.into();
            main["parameters"] = json!({"sprop-stereo": 1});
        }
        Codec::Vp8 => main["rtcpFeedback"] = json!([{"type": "nack"}, {"type": "nack", "parameter": "pli"}]),
        Codec::H264 => {
            main["parameters"] =
                json!({"packetization-mode": 1, "profile-level-id": "42e01f", "level-asymmetry-allowed": 1});
            main["rtcpFeedback"] = json!([{"type": "nack"}, {"type": "nack", "parameter": "pli"}]);
        }
    }
    let mut codecs = vec![main];
    if let Some(rtx) = rtx_payload_type {
        encoding["rtx"] = json!({"ssrc": VIDEO_RTX_SSRC});
        codecs.push(json!({
            "mimeType": "video/rtx",
            "payloadType": rtx,
            "clockRate": codec.clock_rate(),
            "parameters": {"apt": payload_type},
        }));
    }
    json!({"codecs": codecs, "encodings": [encoding], "rtcp": {"cname": "real-media"}})
}

/// Capabilities without RFC 4588, so that lost packets have to be sent again as they were.
pub(crate) fn without_rtx(mut capabilities: Value) -> Value {
    if let Some(codecs) = capabilities["codecs"].as_array_mut() {
        codecs.retain(|codec| codec["mimeType"].as_str() != Some("video/rtx"));
    }
    capabilities
}

fn text(object: &Value, name: &str) -> String {
    match &object[name] {
        Value::String(text) => text.clone(),
        _ => panic!("no {name}: {object}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_found_once_its_line_is_complete() {
        assert_eq!(
            listen_address("INFO http on http://127.0.0.1:40123/\n"),
            Some("127.0.0.1:40123".to_owned())
        );
        assert_eq!(listen_address("INFO http on 127.0.0.1:401"), None);
        assert_eq!(listen_address("--http-listen 127.0.0.1:0\n"), None);
    }

    #[test]
    fn payload_types_are_found_by_media_type() {
        let stream = ConsumedStream(rtp_parameters(Codec::Vp8, 102, 1, Some(103)));
        assert_eq!((stream.payload_type(Codec::Vp8), stream.rtx_payload_type()), (102, Some(103)));
        let plain = ConsumedStream(rtp_parameters(Codec::H264, 104, 1, None));
        assert_eq!((plain.payload_type(Codec::H264), plain.rtx_payload_type()), (104, None));
    }

    #[test]
    fn rtx_can_be_left_out_of_capabilities() {
        let all =
            json!({"codecs": [{"mimeType": "video/VP8"}, {"mimeType": "video/rtx"}], "headerExtensions": []});
        let expected = json!({"codecs": [{"mimeType": "video/VP8"}], "headerExtensions": []});
        assert_eq!(without_rtx(all), expected);
    }
}
