//! Who may do what: tokens and what they grant. Must not know HTTP or what rooms are made of.

mod secret;
mod token;

pub use secret::Secret;
pub use token::{MintError, StaticToken, StaticTokenError, TokenRole, mint};

use crate::config::Settings;
use token::Claims;
use tureen_room::Role;

/// Checks tokens.
pub(crate) struct Access {
    secret: Secret,
    tokens: Vec<StaticToken>,
}

/// What the bearer of a token may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Grant {
    pub(crate) role: Role,
    /// The only id that a peer may take with it, if it says so.
    pub(crate) peer: Option<String>,
    /// The token, to tell one bearer from another; empty where none is needed.
    pub(crate) token: Secret,
}

/// Why a token grants nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Denied {
    #[error("a token is needed")]
    Missing,
    #[error("the token is not valid, or no longer")]
    Invalid,
    #[error("the token is for another room")]
    OtherRoom,
    #[error("the token's role does not allow this")]
    Role,
    #[error("the token is for another peer")]
    OtherPeer,
}

impl Access {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self { secret: settings.token_secret.clone(), tokens: settings.static_tokens.clone() }
    }

    /// Whether tokens are needed at all.
    pub(crate) fn needs_tokens(&self) -> bool {
        !self.secret.is_empty() || !self.tokens.is_empty()
    }

    /// What a token grants in a room. Where no tokens are configured, everybody may publish.
    pub(crate) fn to_room(&self, token: Option<&str>, room: &str) -> Result<Grant, Denied> {
        if !self.needs_tokens() {
            return Ok(Grant { role: Role::Publish, peer: None, token: Secret::default() });
        }
        let token = token.filter(|token| !token.is_empty()).ok_or(Denied::Missing)?;
        let claims = self.claims(token)?;
        if claims.room != "*" && claims.room != room {
            return Err(Denied::OtherRoom);
        }
        Ok(Grant { role: claims.role.into(), peer: claims.sub, token: Secret::new(token) })
    }

    /// Whether a token is an operator's.
    pub(crate) fn to_operate(&self, token: Option<&str>) -> Result<(), Denied> {
        let token = token.filter(|token| !token.is_empty()).ok_or(Denied::Missing)?;
        let claims = self.claims(token)?;
        if claims.role != TokenRole::Admin {
            return Err(Denied::Role);
        }
        if claims.room == "*" { Ok(()) } else { Err(Denied::OtherRoom) }
    }

    fn claims(&self, token: &str) -> Result<Claims, Denied> {
        // Every static token is compared, so that the time tells nothing of which one was close.
        let found =
            self.tokens.iter().filter(|known| known.token().matches(token)).fold(None, |_, one| Some(one));
        match found {
            Some(known) => Ok(known.claims()),
            None => token::verify(token, &self.secret).ok_or(Denied::Invalid),
        }
    }
}

impl Grant {
    /// Refuses a peer's id that the token is not for.
    pub(crate) fn check_peer(&self, id: &str) -> Result<(), Denied> {
        if self.peer.as_deref().is_none_or(|own| own == id) { Ok(()) } else { Err(Denied::OtherPeer) }
    }

    /// Refuses those who may only receive.
    pub(crate) fn check_publish(&self) -> Result<(), Denied> {
        if self.role.may_produce() { Ok(()) } else { Err(Denied::Role) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn access() -> Access {
        let settings = Settings {
            token_secret: Secret::new("0123456789abcdef0123456789abcdef"),
            static_tokens: vec!["subscribe:lobby:word".parse().unwrap(), "admin:*:boss".parse().unwrap()],
            ..Settings::default()
        };
        Access::new(&settings)
    }

    #[test]
    fn static_tokens_grant_what_they_say() {
        let access = access();
        assert_eq!(access.to_room(Some("word"), "lobby").unwrap().role, Role::Subscribe);
        assert_eq!(access.to_room(Some("word"), "other"), Err(Denied::OtherRoom));
        assert_eq!(access.to_room(Some("boss"), "other").unwrap().role, Role::Admin);
        assert_eq!(access.to_room(Some("wor"), "lobby"), Err(Denied::Invalid));
        assert_eq!(access.to_room(None, "lobby"), Err(Denied::Missing));
        assert_eq!(access.to_operate(Some("word")), Err(Denied::Role));
        assert_eq!(access.to_operate(Some("boss")), Ok(()));
        assert_eq!(access.to_operate(Some("")), Err(Denied::Missing));
    }

    #[test]
    fn signed_tokens_expire_and_bind_room_and_peer() {
        let access = access();
        let minted = |secret: &Secret, expires: u64| {
            mint(secret, "lobby", TokenRole::Publish, Some("speaker"), Duration::from_secs(expires)).unwrap()
        };
        let token = minted(&access.secret, 60);
        let grant = access.to_room(Some(&token), "lobby").unwrap();
        assert_eq!((grant.role, grant.check_peer("speaker")), (Role::Publish, Ok(())));
        assert_eq!(grant.check_peer("viewer"), Err(Denied::OtherPeer));
        assert_eq!(access.to_room(Some(&token), "other"), Err(Denied::OtherRoom));
        assert_eq!(access.to_operate(Some(&token)), Err(Denied::Role));
        let foreign = minted(&Secret::new("another secret of thirty-two bytes or so"), 60);
        assert_eq!(access.to_room(Some(&foreign), "lobby"), Err(Denied::Invalid));
        // alg none, with the claims of an administrator.
        let unsigned = "eyJhbGciOiJub25lIn0.eyJyb29tIjoiKiIsInJvbGUiOiJhZG1pbiIsImV4cCI6OTk5OTk5OTk5OX0.";
        assert_eq!(access.to_operate(Some(unsigned)), Err(Denied::Invalid));
        assert_eq!(access.to_room(Some(&minted(&access.secret, 0)), "lobby"), Err(Denied::Invalid));
    }

    #[test]
    fn without_configuration_rooms_are_open_and_nobody_is_an_operator() {
        let access = Access::new(&Settings::default());
        assert_eq!(access.to_room(None, "lobby").unwrap().role, Role::Publish);
        assert_eq!(access.to_operate(None), Err(Denied::Missing));
        assert_eq!(access.to_operate(Some("x")), Err(Denied::Invalid));
    }
}
