//! A link as settings spell it. Must not know what a link does.

use super::{NewLink, check_url};
use crate::access::Secret;
use crate::rooms::check_name;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;
use std::str::FromStr;

/// A link that a server keeps from its start on: `ROOM=URL`, and where there is more to say `;token=WORD`, `;room=NAME` of the other server,
/// `;announced-address=HOST`, `;srtp=BOOL`, `;rtx=BOOL`, `;data=BOOL`. `Debug` does not show the token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfiguredLink {
    room: String,
    link: NewLink,
}

/// Why a text is no link.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfiguredLinkError {
    /// There is no URL behind the name of a room.
    #[error("a link is ROOM=URL")]
    Form,
    /// A name of a room, or the URL, is refused.
    #[error("{0}")]
    Argument(String),
    /// What follows the URL is none of what may.
    #[error("'{0}' is none of token=, room=, announced-address=, srtp=, rtx= and data=")]
    Parameter(String),
    /// A switch is neither on nor off.
    #[error("{0}: must be true or false")]
    Switch(&'static str),
}

impl ConfiguredLink {
    /// The room of this server.
    pub(crate) fn room(&self) -> &str {
        &self.room
    }

    pub(crate) fn link(&self) -> &NewLink {
        &self.link
    }

    /// Whether both are between the same rooms.
    pub(crate) fn same_rooms(&self, other: &Self) -> bool {
        let there = |of: &Self| of.link.remote_room(&of.room).to_owned();
        self.room == other.room && self.link.url == other.link.url && there(self) == there(other)
    }
}

fn switch(name: &'static str, value: &str) -> Result<bool, ConfiguredLinkError> {
    value.parse().map_err(|_| ConfiguredLinkError::Switch(name))
}

fn name(name: &str) -> Result<String, ConfiguredLinkError> {
    check_name("room", name).map_err(|refusal| ConfiguredLinkError::Argument(refusal.to_string()))?;
    Ok(name.to_owned())
}

impl FromStr for ConfiguredLink {
    type Err = ConfiguredLinkError;

    fn from_str(text: &str) -> Result<Self, ConfiguredLinkError> {
        let mut parts = text.split(';').map(str::trim);
        let rooms = parts.next().unwrap_or_default().split_once('=');
        let (room, url) = rooms.ok_or(ConfiguredLinkError::Form)?;
        check_url(url).map_err(|refusal| ConfiguredLinkError::Argument(refusal.to_string()))?;
        let mut link = NewLink::to(url);
        for part in parts {
            match part.split_once('=') {
                Some(("token", word)) => link.token = Secret::new(word),
                Some(("room", there)) => link.room = Some(name(there)?),
                Some(("announced-address", host)) => link.announced_address = Some(host.to_owned()),
                Some(("srtp", value)) => link.enable_srtp = switch("srtp", value)?,
                Some(("rtx", value)) => link.enable_rtx = switch("rtx", value)?,
                Some(("data", value)) => link.enable_data = switch("data", value)?,
                _ => return Err(ConfiguredLinkError::Parameter(part.to_owned())),
            }
        }
        Ok(Self { room: name(room)?, link })
    }
}

impl fmt::Display for ConfiguredLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let NewLink { url, token, room, announced_address, enable_srtp, enable_rtx, enable_data } =
            &self.link;
        write!(f, "{}={url}", self.room)?;
        if !token.is_empty() {
            write!(f, ";token={}", token.as_str())?;
        }
        for (name, value) in [("room", room), ("announced-address", announced_address)] {
            if let Some(value) = value {
                write!(f, ";{name}={value}")?;
            }
        }
        let defaults = NewLink::to(url);
        for (name, value, default) in [
            ("srtp", enable_srtp, defaults.enable_srtp),
            ("rtx", enable_rtx, defaults.enable_rtx),
            ("data", enable_data, defaults.enable_data),
        ] {
            if *value != default {
                write!(f, ";{name}={value}")?;
            }
        }
        Ok(())
    }
}

impl Serialize for ConfiguredLink {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ConfiguredLink {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_reads_back_what_it_writes_and_names_what_is_wrong() {
        for text in [
            "standup=https://other.example:4443",
            "a room=http://[::1]:8080;token=a=b;room=there;announced-address=media.example;srtp=false;rtx=false;data=true",
        ] {
            let link: ConfiguredLink = text.parse().unwrap();
            assert_eq!(link.to_string(), text);
            assert!(!format!("{link:?}").contains("a=b"));
        }
        let spelled: ConfiguredLink = "r=http://host; token=t ; srtp=true".parse().unwrap();
        assert_eq!(spelled.to_string(), "r=http://host;token=t");
        let error = |text: &str| text.parse::<ConfiguredLink>().unwrap_err().to_string();
        assert_eq!(error("https://host"), "a link is ROOM=URL");
        for (text, part) in [
            ("=http://host", "room"),
            ("r=ftp://host", "url"),
            ("r=http://host;room=", "room"),
            ("r=http://host;tls=true", "'tls=true'"),
            ("r=http://host;rtx=1", "rtx"),
        ] {
            assert!(error(text).contains(part), "{text}: {}", error(text));
        }
    }

    #[test]
    fn two_links_between_the_same_rooms_are_the_same() {
        let link = |text: &str| text.parse::<ConfiguredLink>().unwrap();
        assert!(link("r=http://host;token=a").same_rooms(&link("r=http://host;room=r;rtx=false")));
        assert!(!link("r=http://host").same_rooms(&link("r=http://host;room=s")));
        assert!(!link("r=http://host").same_rooms(&link("r=http://other")));
    }
}
