//! The messages of the protocol, as JSON. Must not know what methods mean.

use crate::refusal::Refusal;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// A message of a client.
#[derive(Debug)]
pub(super) enum Incoming {
    Request {
        id: u64,
        method: String,
        data: Value,
    },
    /// `ok` is whether the client did what it was asked for.
    Response {
        id: u64,
        ok: bool,
    },
    /// Clients send none that mean anything.
    Notification,
}

#[derive(Deserialize)]
#[serde(default)]
struct Raw {
    request: bool,
    response: bool,
    notification: bool,
    id: Option<u64>,
    ok: bool,
    method: Option<String>,
    data: Value,
}

impl Default for Raw {
    fn default() -> Self {
        let (request, response, notification, ok) = (false, false, false, false);
        Self { request, response, notification, id: None, ok, method: None, data: Value::Null }
    }
}

/// What a text says; `None` where it is no message of the protocol.
pub(super) fn parse(text: &str) -> Option<Incoming> {
    // An array would read as the members in their order.
    let raw: Raw = serde_json::from_str(text).ok().filter(|_| text.trim_start().starts_with('{'))?;
    match (raw.request, raw.response, raw.notification) {
        (true, false, false) => Some(Incoming::Request { id: raw.id?, method: raw.method?, data: raw.data }),
        (false, true, false) => Some(Incoming::Response { id: raw.id?, ok: raw.ok }),
        (false, false, true) => Some(Incoming::Notification),
        _ => None,
    }
}

/// The data of a request; a fault is told by the member's name.
pub(super) fn arguments<T: DeserializeOwned>(data: Value) -> Result<T, Refusal> {
    // A method whose members are all optional may come without any.
    let data = if data.is_null() { json!({}) } else { data };
    serde_path_to_error::deserialize(data).map_err(|error| {
        let path = error.path().to_string();
        let field = if path == "." { "data" } else { &path };
        Refusal::Argument(format!("{field}: {}", error.inner()))
    })
}

pub(super) fn request(id: u64, method: &str, data: &Value) -> String {
    json!({ "request": true, "id": id, "method": method, "data": data }).to_string()
}

pub(super) fn notification(method: &str, data: &Value) -> String {
    json!({ "notification": true, "method": method, "data": data }).to_string()
}

pub(super) fn success(id: u64, data: &Value) -> String {
    json!({ "response": true, "id": id, "ok": true, "data": data }).to_string()
}

pub(super) fn failure(id: u64, code: u16, reason: &str) -> String {
    json!({ "response": true, "id": id, "ok": false, "errorCode": code, "errorReason": reason }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_exactly_one_of_three() {
        assert!(matches!(
            parse(r#"{"request":true,"id":1,"method":"x"}"#),
            Some(Incoming::Request { id: 1, .. })
        ));
        assert!(matches!(
            parse(r#"{"response":true,"id":2,"ok":true}"#),
            Some(Incoming::Response { id: 2, ok: true })
        ));
        assert!(matches!(parse(r#"{"notification":true,"method":"x"}"#), Some(Incoming::Notification)));
        for text in [
            "",
            "[]",
            r#"[true,false,false,1,false,"join",null]"#,
            "{}",
            "7",
            r#"{"request":true,"id":1}"#,
            r#"{"request":true,"method":"x"}"#,
            r#"{"request":true,"response":true,"id":1,"method":"x"}"#,
            r#"{"request":true,"id":-1,"method":"x"}"#,
            r#"{"response":true}"#,
        ] {
            assert!(parse(text).is_none(), "{text}");
        }
    }
}
