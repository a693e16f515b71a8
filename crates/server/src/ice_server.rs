//! An ICE server as settings spell it and as clients are told of it. Must not know who asks.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::{Value, json};
use std::fmt;
use std::str::FromStr;

/// A STUN or TURN server for clients: `stun:HOST[:PORT]`, or `turn:HOST[:PORT][?transport=tcp];username=NAME;credential=WORD`.
#[derive(Clone, PartialEq, Eq)]
pub struct IceServer {
    url: String,
    username: Option<String>,
    credential: Option<String>,
}

/// Why a text is no ICE server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IceServerError {
    /// It does not start with a scheme of ICE (RFC 7064, RFC 7065), or has no host.
    #[error("'{0}' is not stun:HOST, stuns:HOST, turn:HOST or turns:HOST")]
    Url(String),
    /// What follows the address is neither `username=` nor `credential=`.
    #[error("'{0}' is neither username= nor credential=")]
    Parameter(String),
    /// A TURN server without a name or a word.
    #[error("turn needs username= and credential=")]
    Credential,
}

impl FromStr for IceServer {
    type Err = IceServerError;

    fn from_str(text: &str) -> Result<Self, IceServerError> {
        let mut parts = text.split(';').map(str::trim);
        let url = parts.next().unwrap_or_default().to_owned();
        let (scheme, host) = url.split_once(':').unwrap_or_default();
        let turn = matches!(scheme, "turn" | "turns");
        if host.is_empty() || !(turn || matches!(scheme, "stun" | "stuns")) {
            return Err(IceServerError::Url(url));
        }
        let (mut username, mut credential) = (None, None);
        for part in parts {
            match part.split_once('=') {
                Some(("username", name)) => username = Some(name.to_owned()),
                Some(("credential", word)) => credential = Some(word.to_owned()),
                _ => return Err(IceServerError::Parameter(part.to_owned())),
            }
        }
        if turn && (username.is_none() || credential.is_none()) {
            return Err(IceServerError::Credential);
        }
        Ok(Self { url, username, credential })
    }
}

impl IceServer {
    /// The `RTCIceServer` of WebRTC 1.0 section 4.2.2.
    pub(crate) fn dictionary(&self) -> Value {
        match (&self.username, &self.credential) {
            (Some(username), Some(credential)) => {
                json!({ "urls": [self.url], "username": username, "credential": credential })
            }
            _ => json!({ "urls": [self.url] }),
        }
    }
}

impl IceServer {
    /// The value of a `Link` header that tells of it (RFC 9725 section 4.6).
    pub(crate) fn link(&self) -> String {
        let mut link = format!("<{}>; rel=\"ice-server\"", self.url);
        if let (Some(username), Some(credential)) = (&self.username, &self.credential) {
            let quoted = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
            let (username, credential) = (quoted(username), quoted(credential));
            link += &format!(
                "; username=\"{username}\"; credential=\"{credential}\"; credential-type=\"password\""
            );
        }
        link
    }
}

impl fmt::Debug for IceServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IceServer").field("url", &self.url).finish_non_exhaustive()
    }
}

impl fmt::Display for IceServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url)?;
        if let Some(username) = &self.username {
            write!(f, ";username={username}")?;
        }
        if let Some(credential) = &self.credential {
            write!(f, ";credential={credential}")?;
        }
        Ok(())
    }
}

impl Serialize for IceServer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for IceServer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_reads_back_what_it_writes_and_names_what_is_wrong() {
        let text = "turn:turn.example:3478?transport=tcp;username=me;credential=a=b";
        let server: IceServer = text.parse().unwrap();
        assert_eq!(server.to_string(), text);
        assert_eq!(server.dictionary()["credential"], "a=b");
        assert_eq!(
            "stun:s.example".parse::<IceServer>().unwrap().dictionary(),
            json!({ "urls": ["stun:s.example"] })
        );
        assert_eq!(
            "turn:t;username=a\"b;credential=c".parse::<IceServer>().unwrap().link(),
            r#"<turn:t>; rel="ice-server"; username="a\"b"; credential="c"; credential-type="password""#
        );
        let error = |text: &str| text.parse::<IceServer>().unwrap_err();
        assert_eq!(error("http://x"), IceServerError::Url("http://x".into()));
        assert_eq!(error("stun:"), IceServerError::Url("stun:".into()));
        assert_eq!(error("turn:x"), IceServerError::Credential);
        assert_eq!(error("stun:x;y"), IceServerError::Parameter("y".into()));
        assert!(!format!("{server:?}").contains("a=b"));
    }
}
