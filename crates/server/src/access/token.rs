//! The two kinds of tokens: words of the settings, and JSON Web Tokens (RFC 7519) signed with HS256.

use super::Secret;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tureen_room::Role;

/// What the bearer of a token may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum TokenRole {
    /// Send and receive.
    Publish,
    /// Receive.
    Subscribe,
    /// Send, receive, and with room `*` use the operators' API.
    Admin,
}

impl From<TokenRole> for Role {
    fn from(role: TokenRole) -> Self {
        match role {
            TokenRole::Publish => Self::Publish,
            TokenRole::Subscribe => Self::Subscribe,
            TokenRole::Admin => Self::Admin,
        }
    }
}

/// What a token says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Claims {
    /// The room, or `*` for all.
    pub(crate) room: String,
    pub(crate) role: TokenRole,
    /// The only peer id that may be taken with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sub: Option<String>,
    /// Seconds since 1970 until which it is valid.
    exp: u64,
}

/// Why a token was not made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MintError {
    /// There is no secret to sign with.
    #[error("token_secret: none is set")]
    NoSecret,
    /// Signing failed.
    #[error("cannot sign: {0}")]
    Sign(#[from] jsonwebtoken::errors::Error),
}

/// Makes a signed token for a room (`*` for all) that is valid for so long.
///
/// # Errors
/// [`MintError`].
pub fn mint(
    secret: &Secret,
    room: &str,
    role: TokenRole,
    peer: Option<&str>,
    valid: Duration,
) -> Result<String, MintError> {
    if secret.is_empty() {
        return Err(MintError::NoSecret);
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let exp = now.saturating_add(valid).as_secs();
    let claims = Claims { room: room.to_owned(), role, sub: peer.map(str::to_owned), exp };
    Ok(encode(&Header::new(Algorithm::HS256), &claims, &EncodingKey::from_secret(secret.as_bytes()))?)
}

/// What a token says, if its signature and time hold.
pub(super) fn verify(token: &str, secret: &Secret) -> Option<Claims> {
    if secret.is_empty() {
        return None;
    }
    let mut validation = Validation::new(Algorithm::HS256);
    validation.leeway = 0;
    // At the second of its end it is over (RFC 7519 section 4.1.4).
    validation.reject_tokens_expiring_in_less_than = 1;
    validation.validate_aud = false;
    let key = DecodingKey::from_secret(secret.as_bytes());
    decode::<Claims>(token, &key, &validation).ok().map(|token| token.claims)
}

/// A token that is a word: `ROLE:ROOM:TOKEN`, room `*` for all. `Debug` does not show the word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaticToken {
    role: TokenRole,
    room: String,
    token: Secret,
}

/// Why a text is no static token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StaticTokenError {
    /// It has not three parts.
    #[error("a static token is ROLE:ROOM:TOKEN")]
    Form,
    /// Its first part is no role.
    #[error("the role of a static token is publish, subscribe or admin")]
    Role,
}

impl StaticToken {
    pub(super) fn token(&self) -> &Secret {
        &self.token
    }

    /// A room that its bearer may send in, this one if there is a choice, and the token.
    pub(crate) fn entrance(&self, room: &str) -> Option<(String, String)> {
        let room = if self.room == "*" { room } else { &self.room };
        (self.role != TokenRole::Subscribe).then(|| (room.to_owned(), self.token.as_str().to_owned()))
    }

    pub(super) fn claims(&self) -> Claims {
        Claims { room: self.room.clone(), role: self.role, sub: None, exp: u64::MAX }
    }
}

impl FromStr for StaticToken {
    type Err = StaticTokenError;

    fn from_str(text: &str) -> Result<Self, StaticTokenError> {
        let mut parts = text.trim().splitn(3, ':');
        let mut part = || parts.next().filter(|part| !part.is_empty()).ok_or(StaticTokenError::Form);
        let (role, room, token) = (part()?, part()?, part()?);
        let role = match role {
            "publish" => TokenRole::Publish,
            "subscribe" => TokenRole::Subscribe,
            "admin" => TokenRole::Admin,
            _ => return Err(StaticTokenError::Role),
        };
        Ok(Self { role, room: room.to_owned(), token: Secret::new(token) })
    }
}

impl fmt::Display for StaticToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let role = match self.role {
            TokenRole::Publish => "publish",
            TokenRole::Subscribe => "subscribe",
            TokenRole::Admin => "admin",
        };
        write!(f, "{role}:{}:{}", self.room, self.token.as_str())
    }
}

impl Serialize for StaticToken {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for StaticToken {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}
