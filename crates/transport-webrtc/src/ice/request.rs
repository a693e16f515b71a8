//! Judges one STUN message: well-formed, genuine, understood (RFC 8489 sections 6.3 and 9.1.3, RFC 8445 section 7.3).
//! Changes nothing.

use super::answers::{MAX_UNKNOWN, UnknownAttributes};
use super::credentials::IceCredentials;
use crate::integrity::fingerprint_holds;
use tureen_rtp_wire::stun::{
    BINDING, StunAttribute, StunClass, StunMessage, TransactionId, attribute, split_username,
};

/// What a genuine request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) transaction: TransactionId,
    pub(super) use_candidate: bool,
    /// The order of a renomination.
    pub(super) nomination: Option<u32>,
    /// Index of the credentials that it was made with.
    pub(super) credentials: usize,
}

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Judgement {
    Valid(Request),
    /// Not well-formed, or with a wrong FINGERPRINT: no answer.
    Malformed,
    /// No binding request: no answer.
    Unexpected,
    /// Not proved to come from who knows the password.
    Stranger {
        transaction: TransactionId,
        code: u16,
    },
    /// Genuine, and refused.
    Refused {
        transaction: TransactionId,
        credentials: usize,
        code: u16,
        unknown: UnknownAttributes,
    },
}

/// The attributes that count: those before MESSAGE-INTEGRITY (RFC 8489 section 14.5).
#[derive(Default)]
struct Covered<'a> {
    username: Option<&'a [u8]>,
    priority: Option<&'a [u8]>,
    nomination: Option<u32>,
    use_candidate: bool,
    controlled: bool,
    integrity: Option<StunAttribute<'a>>,
    unknown: UnknownAttributes,
}

impl<'a> Covered<'a> {
    fn of(message: &StunMessage<'a>) -> Self {
        let mut covered = Self::default();
        for attribute in message.attributes() {
            if attribute.kind == attribute::MESSAGE_INTEGRITY {
                covered.integrity = Some(attribute);
                break;
            }
            covered.take(attribute);
        }
        covered
    }

    fn take(&mut self, attribute: StunAttribute<'a>) {
        let value = attribute.value;
        // Of attributes that are there twice the first counts (RFC 8489 section 14).
        match attribute.kind {
            attribute::USERNAME => _ = self.username.get_or_insert(value),
            attribute::PRIORITY => _ = self.priority.get_or_insert(value),
            attribute::USE_CANDIDATE => self.use_candidate = true,
            attribute::ICE_CONTROLLED => self.controlled = true,
            attribute::NOMINATION | attribute::GOOG_NOMINATION if self.nomination.is_none() => {
                self.nomination = value.try_into().ok().map(u32::from_be_bytes);
            }
            attribute::NOMINATION | attribute::MESSAGE_INTEGRITY_SHA256 => {}
            unknown if attribute::comprehension_required(unknown) && self.unknown.len() < MAX_UNKNOWN => {
                self.unknown.push(unknown);
            }
            _ => {}
        }
    }
}

/// Judges a datagram against the credentials that are valid, newest first.
pub(super) fn judge<'c>(datagram: &[u8], valid: impl Iterator<Item = &'c IceCredentials>) -> Judgement {
    let Ok(message) = StunMessage::parse(datagram) else {
        return Judgement::Malformed;
    };
    if message.class() != StunClass::Request || message.method() != BINDING {
        return Judgement::Unexpected;
    }
    if !fingerprint_holds(&message) {
        return Judgement::Malformed;
    }
    let transaction = message.transaction_id();
    let covered = Covered::of(&message);
    let (Some(username), Some(integrity)) = (covered.username, covered.integrity) else {
        return Judgement::Stranger { transaction, code: 400 };
    };
    let Some((local, _)) = split_username(username) else {
        return Judgement::Stranger { transaction, code: 401 };
    };
    let named = |credentials: &IceCredentials| credentials.username_fragment.as_bytes() == local;
    let found = valid.enumerate().find(|(_, credentials)| named(credentials));
    let Some((credentials, found)) = found.filter(|(_, found)| found.key.verifies(&message, integrity))
    else {
        return Judgement::Stranger { transaction, code: 401 };
    };
    debug_assert_eq!(found.username_fragment.as_bytes(), local);
    let code = if !covered.unknown.is_empty() {
        420
    } else if covered.priority.is_none_or(|priority| priority.len() != 4) {
        400
    } else if covered.controlled {
        // The other side of a lite agent has to be the controlling one (RFC 8445 sections 6.1.1 and 7.3.1.1).
        487
    } else {
        let Covered { use_candidate, nomination, .. } = covered;
        return Judgement::Valid(Request { transaction, use_candidate, nomination, credentials });
    };
    Judgement::Refused { transaction, credentials, code, unknown: covered.unknown }
}
