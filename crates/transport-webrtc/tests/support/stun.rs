//! Binding requests as an ICE agent makes them, right or wrong in one point.

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use tureen_rtp_wire::stun::{
    FINGERPRINT_LEN, FINGERPRINT_XOR, MESSAGE_INTEGRITY_LEN, StunClass, StunMessage, StunWriter, attribute,
};
use tureen_transport_webrtc::IceCredentials;

#[derive(Clone, Debug)]
pub(crate) struct BindingRequest {
    pub(crate) username: Option<String>,
    pub(crate) password: Option<String>,
    pub(crate) attributes: Vec<(u16, Vec<u8>)>,
    pub(crate) after_integrity: Vec<(u16, Vec<u8>)>,
    pub(crate) fingerprint: bool,
    pub(crate) class: StunClass,
    pub(crate) transaction: [u8; 12],
}

impl BindingRequest {
    /// What a controlling agent sends to these credentials.
    pub(crate) fn to(credentials: &IceCredentials) -> Self {
        let parameters = credentials.parameters();
        Self {
            username: Some(format!("{}:peer", parameters.username_fragment)),
            password: Some(parameters.password),
            attributes: vec![
                (attribute::PRIORITY, vec![0x6e, 0, 1, 0xff]),
                (attribute::ICE_CONTROLLING, vec![7; 8]),
            ],
            after_integrity: vec![],
            fingerprint: true,
            class: StunClass::Request,
            transaction: *b"transaction!",
        }
    }

    pub(crate) fn nominating(mut self) -> Self {
        self.attributes.push((attribute::USE_CANDIDATE, vec![]));
        self
    }

    pub(crate) fn with(mut self, kind: u16, value: &[u8]) -> Self {
        self.attributes.push((kind, value.to_vec()));
        self
    }

    pub(crate) fn without(mut self, kind: u16) -> Self {
        self.attributes.retain(|(other, _)| *other != kind);
        self
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut buffer = vec![0; 1024];
        let mut writer = StunWriter::new(&mut buffer, self.class, self.transaction).unwrap();
        if let Some(username) = &self.username {
            writer.attribute(attribute::USERNAME, username.as_bytes()).unwrap();
        }
        for (kind, value) in &self.attributes {
            writer.attribute(*kind, value).unwrap();
        }
        if let Some(password) = &self.password {
            let mac = mac(password, writer.covered(MESSAGE_INTEGRITY_LEN).unwrap());
            writer.attribute(attribute::MESSAGE_INTEGRITY, &mac).unwrap();
        }
        for (kind, value) in &self.after_integrity {
            writer.attribute(*kind, value).unwrap();
        }
        if self.fingerprint {
            let crc = crc32fast::hash(writer.covered(FINGERPRINT_LEN).unwrap()) ^ FINGERPRINT_XOR;
            writer.attribute(attribute::FINGERPRINT, &crc.to_be_bytes()).unwrap();
        }
        let len = writer.finish();
        buffer.truncate(len);
        buffer
    }
}

fn mac(password: &str, covered: &[u8]) -> Vec<u8> {
    let mac = Hmac::<Sha1>::new_from_slice(password.as_bytes()).unwrap().chain_update(covered);
    mac.finalize().into_bytes().to_vec()
}

/// What an answer says, once its MESSAGE-INTEGRITY (with a password) and FINGERPRINT have proved right.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Success,
    Error(u16),
}

pub(crate) fn read_answer(datagram: &[u8], password: Option<&str>) -> Answer {
    let message = StunMessage::parse(datagram).unwrap();
    if let Some(password) = password {
        let integrity = message.attribute(attribute::MESSAGE_INTEGRITY).expect("an answer with integrity");
        let (header, body) = message.covered(integrity.offset, MESSAGE_INTEGRITY_LEN).unwrap();
        assert_eq!(mac(password, &[&header, body].concat()), integrity.value);
    }
    if let Some(fingerprint) = message.attribute(attribute::FINGERPRINT) {
        let (header, body) = message.covered(fingerprint.offset, FINGERPRINT_LEN).unwrap();
        let crc = crc32fast::hash(&[&header, body].concat()) ^ FINGERPRINT_XOR;
        assert_eq!(crc.to_be_bytes(), fingerprint.value);
    }
    match message.class() {
        StunClass::Success => Answer::Success,
        StunClass::Error => {
            let value = message.attribute(attribute::ERROR_CODE).unwrap().value;
            Answer::Error(u16::from(value[2]) * 100 + u16::from(value[3]))
        }
        other => panic!("{other:?} is no answer"),
    }
}
