//! Messages of a client against its session, without a network: requests in and out of order, whole and broken.
//!
//! The input is messages with NUL between them; `$T`, `$P` and `$C` stand for the ids of the transport, producer and consumer
//! told of last. Each request is answered once, by its id, with success or a refusal that names a cause and is not the server's own
//! fault; what is no message ends the session; all that is told is JSON. In the end nothing is left of the room.
//! Planted: a refusal does not say whose request it is about.

use crate::Fault;
use serde_json::Value;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use tureen_server::{LoneSession, LoneSessions, Settings};

const MAX_MESSAGES: usize = 40;
/// What a refusal may be: all but 500.
const REFUSALS: [u64; 7] = [400, 401, 403, 404, 429, 501, 503];

pub(crate) fn run(data: &[u8], fault: Fault) {
    let sessions = sessions();
    static ROOM: AtomicU64 = AtomicU64::new(0);
    let room = format!("fuzz-{}", ROOM.fetch_add(1, Ordering::Relaxed));
    let mut session = sessions.open(&room, "speaker").expect("rooms are open");
    let mut ids = Ids::default();
    for bytes in data.split(|byte| *byte == 0).take(MAX_MESSAGES) {
        let text = ids.put_into(&String::from_utf8_lossy(bytes));
        let goes_on = sessions.hear(&mut session, &text);
        let expected = Expected::of(&text);
        assert!(expected.is_some() || !goes_on, "{text}");
        // What has a member twice reads as a message here, and is none.
        check(&mut session, expected.filter(|_| goes_on), &mut ids, fault);
        if !goes_on {
            break;
        }
    }
    sessions.close(session);
}

fn sessions() -> &'static LoneSessions {
    static SESSIONS: OnceLock<LoneSessions> = OnceLock::new();
    SESSIONS.get_or_init(|| {
        let local = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let settings = Settings {
            http_listen: local,
            https_listen: local,
            tls: false,
            listen_ips: vec![IpAddr::V4(Ipv4Addr::LOCALHOST)],
            webrtc_port: 0,
            shards: 1,
            max_messages_per_second: 0,
            ..Settings::default()
        };
        LoneSessions::start(settings).expect("sockets and threads")
    })
}

/// What a message asks for.
enum Expected {
    Nothing,
    Answer(u64),
}

impl Expected {
    /// `None` for what is no message of the protocol.
    fn of(text: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(text).ok()?;
        let message = value.as_object()?;
        // A member of the wrong type is as good as a message that is none.
        let flag = |name: &str| match message.get(name) {
            None => Some(false),
            Some(value) => value.as_bool(),
        };
        let kinds = (flag("request")?, flag("response")?, flag("notification")?);
        flag("ok")?;
        let id = match message.get("id") {
            None | Some(Value::Null) => None,
            Some(id) => Some(id.as_u64()?),
        };
        let method = match message.get("method") {
            None | Some(Value::Null) => None,
            Some(method) => Some(method.as_str()?),
        };
        match kinds {
            (true, false, false) => method.and(id).map(Self::Answer),
            (false, true, false) => id.map(|_| Self::Nothing),
            (false, false, true) => Some(Self::Nothing),
            _ => None,
        }
    }
}

/// The objects told of last.
#[derive(Default)]
struct Ids {
    transport: String,
    producer: String,
    consumer: String,
}

impl Ids {
    fn put_into(&self, text: &str) -> String {
        text.replace("$T", &self.transport).replace("$P", &self.producer).replace("$C", &self.consumer)
    }

    fn learn(&mut self, message: &Value) {
        let data = &message["data"];
        let Some(id) = data["id"].as_str() else { return };
        let slot = if data["iceParameters"].is_object() {
            &mut self.transport
        } else if message["request"] == true {
            &mut self.consumer
        } else {
            &mut self.producer
        };
        id.clone_into(slot);
    }
}

fn check(session: &mut LoneSession, expected: Option<Expected>, ids: &mut Ids, fault: Fault) {
    let mut answers = Vec::new();
    while let Some(text) = session.told() {
        let message: Value = serde_json::from_str(&text).expect("what is told is JSON");
        let kinds = ["request", "response", "notification"].map(|kind| message[kind] == true);
        assert_eq!(kinds.iter().filter(|is| **is).count(), 1, "{text}");
        ids.learn(&message);
        if message["response"] == true {
            answers.push(message);
        }
    }
    match expected {
        Some(Expected::Answer(id)) => {
            let [answer] = answers.as_slice() else { panic!("{} answers to one request", answers.len()) };
            let refused = answer["ok"] != true;
            let told = if refused && fault == Fault::Planted { None } else { answer["id"].as_u64() };
            assert_eq!(told, Some(id), "{answer}");
            if refused {
                let code = answer["errorCode"].as_u64().expect("a code");
                assert!(REFUSALS.contains(&code), "{answer}");
                assert!(answer["errorReason"].as_str().is_some_and(|reason| !reason.is_empty()), "{answer}");
            }
        }
        Some(Expected::Nothing) | None => assert!(answers.is_empty(), "{answers:?}"),
    }
}
