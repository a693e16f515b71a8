//! A client of the signalling, as blocking calls. Must not know what methods mean.

use crate::support::TestServer;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

const PATIENCE: Duration = Duration::from_secs(20);

/// A connection.
pub(crate) struct Client {
    runtime: Arc<Runtime>,
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    next_id: u64,
    heard: VecDeque<Value>,
}

impl Client {
    /// Connects; the status and text of a refusal otherwise.
    pub(crate) fn try_connect(server: &TestServer, query: &str) -> Result<Self, (u16, String)> {
        let mut request = format!("ws://{}/?{query}", server.address()).into_client_request().unwrap();
        request.headers_mut().insert("Sec-WebSocket-Protocol", "protoo".parse().unwrap());
        let runtime = Arc::clone(server.runtime());
        match runtime.block_on(connect_async(request)) {
            Ok((socket, response)) => {
                assert_eq!(response.headers()["Sec-WebSocket-Protocol"], "protoo");
                Ok(Self { runtime, socket, next_id: 1, heard: VecDeque::new() })
            }
            Err(Error::Http(response)) => {
                let text = response.body().clone().map(|body| String::from_utf8_lossy(&body).into_owned());
                Err((response.status().as_u16(), text.unwrap_or_default()))
            }
            Err(error) => panic!("{error}"),
        }
    }

    /// Connects as a peer of room `r`.
    pub(crate) fn connect(server: &TestServer, peer: &str) -> Self {
        Self::try_connect(server, &format!("roomId=r&peerId={peer}")).expect("a connection")
    }

    /// Connects and joins; who is there already.
    pub(crate) fn join(server: &TestServer, peer: &str) -> (Self, Value) {
        let mut client = Self::connect(server, peer);
        client.ok("createWebRtcTransport", json!({ "producing": false, "consuming": true }));
        let peers = client.join_as(peer);
        (client, peers)
    }

    /// Joins with the room's own capabilities.
    pub(crate) fn join_as(&mut self, name: &str) -> Value {
        let capabilities = self.ok("getRouterRtpCapabilities", Value::Null);
        let device = json!({ "flag": "test", "name": "Test", "version": "1" });
        self.ok("join", json!({ "displayName": name, "device": device, "rtpCapabilities": capabilities }))
    }

    pub(crate) fn send_text(&mut self, text: String) -> Result<(), Error> {
        self.runtime.block_on(self.socket.send(Message::Text(text.into())))
    }

    pub(crate) fn send_message(&mut self, message: Message) -> Result<(), Error> {
        self.runtime.block_on(self.socket.send(message))
    }

    /// The next message, or the close frame, or `None` where the connection is gone.
    fn read(&mut self) -> Result<Value, Option<CloseFrame>> {
        loop {
            let next = async { tokio::time::timeout(PATIENCE, self.socket.next()).await };
            match self.runtime.block_on(next).expect("the server says something in time") {
                Some(Ok(Message::Text(text))) => return Ok(serde_json::from_str(&text).expect("JSON")),
                Some(Ok(Message::Close(frame))) => return Err(frame),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Err(None),
            }
        }
    }

    fn until(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        if let Some(at) = self.heard.iter().position(&wanted) {
            return self.heard.remove(at).unwrap();
        }
        loop {
            let message =
                self.read().unwrap_or_else(|frame| panic!("closed: {frame:?}; heard {:?}", self.heard));
            if wanted(&message) {
                return message;
            }
            self.heard.push_back(message);
        }
    }

    /// Sends a request; what the answer says.
    pub(crate) fn call(&mut self, method: &str, data: Value) -> Result<Value, (u64, String)> {
        let id = self.next_id;
        self.next_id += 1;
        let request = json!({ "request": true, "id": id, "method": method, "data": data });
        self.send_text(request.to_string()).expect("sent");
        let answer = self.until(|message| message["response"] == true && message["id"] == id);
        if answer["ok"] == true {
            return Ok(answer["data"].clone());
        }
        Err((answer["errorCode"].as_u64().unwrap(), answer["errorReason"].as_str().unwrap().to_owned()))
    }

    /// A request that succeeds.
    pub(crate) fn ok(&mut self, method: &str, data: Value) -> Value {
        self.call(method, data).unwrap_or_else(|error| panic!("{method}: {error:?}"))
    }

    /// A request that fails with this code, and names what is wrong.
    pub(crate) fn refused(&mut self, method: &str, data: Value, code: u64, part: &str) {
        let refusal = self.call(method, data.clone()).expect_err(method);
        assert!(
            refusal.0 == code && refusal.1.contains(part),
            "{method} {data}: {code} '{part}', got {refusal:?}"
        );
    }

    /// The data of the next notification of this name.
    pub(crate) fn notified(&mut self, method: &str) -> Value {
        self.until(|message| message["notification"] == true && message["method"] == method)["data"].clone()
    }

    /// The id and data of the server's next `newConsumer`.
    pub(crate) fn offered(&mut self) -> (u64, Value) {
        let request = self.until(|message| message["request"] == true && message["method"] == "newConsumer");
        (request["id"].as_u64().unwrap(), request["data"].clone())
    }

    /// The id and data of the server's next `newDataConsumer`.
    pub(crate) fn offered_data(&mut self) -> (u64, Value) {
        let wanted = |message: &Value| message["request"] == true && message["method"] == "newDataConsumer";
        let request = self.until(wanted);
        (request["id"].as_u64().unwrap(), request["data"].clone())
    }

    /// Answers a request of the server with a failure.
    pub(crate) fn decline(&mut self, id: u64) {
        let answer =
            json!({ "response": true, "id": id, "ok": false, "errorCode": 400, "errorReason": "no" });
        self.send_text(answer.to_string()).expect("sent");
    }

    /// Answers a request of the server.
    pub(crate) fn respond(&mut self, id: u64) {
        self.send_text(json!({ "response": true, "id": id, "ok": true }).to_string()).expect("sent");
    }

    /// What was heard so far and not asked for, the newest last.
    pub(crate) fn heard(&self) -> &VecDeque<Value> {
        &self.heard
    }

    /// The code of the close frame that ends the connection, if there is one.
    pub(crate) fn closed(&mut self) -> Option<u16> {
        loop {
            match self.read() {
                Ok(message) => self.heard.push_back(message),
                Err(frame) => return frame.map(|frame| frame.code.into()),
            }
        }
    }

    /// Says goodbye.
    pub(crate) fn goodbye(mut self) {
        let frame = CloseFrame { code: 1000.into(), reason: "".into() };
        self.runtime.block_on(self.socket.close(Some(frame))).expect("closed");
        self.closed();
    }

    /// A new sending transport's id.
    pub(crate) fn transport(&mut self) -> String {
        let made = self.ok("createWebRtcTransport", json!({ "producing": true, "consuming": false }));
        made["id"].as_str().unwrap().to_owned()
    }

    /// Starts to produce on a new transport; the producer's id.
    pub(crate) fn produce(&mut self, mut media: Value) -> String {
        media["transportId"] = self.transport().into();
        media["appData"] = json!({ "source": "test" });
        self.ok("produce", media)["id"].as_str().unwrap().to_owned()
    }
}
