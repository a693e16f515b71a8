//! A connectivity check as a client makes it: a STUN binding request with credentials (RFC 8445 section 7.2.2), over UDP or
//! TCP, and whether the answer is genuine. Must not know where the credentials are from.

use aws_lc_rs::hmac;
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;
use tureen_rtp_wire::WireError;
use tureen_rtp_wire::stun::{
    FINGERPRINT_LEN, FINGERPRINT_XOR, MESSAGE_INTEGRITY_LEN, StunClass, StunMessage, StunWriter,
    TransactionId, attribute, xor_mapped_address,
};

/// Requests over UDP: some may be lost.
const ATTEMPTS: u32 = 3;
const PATIENCE: Duration = Duration::from_millis(500);

/// Why nobody was reached.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProbeError {
    #[error("no answer")]
    Silence,
    #[error("the answer is not that of the server")]
    Foreign,
    #[error("{0}")]
    System(#[from] std::io::Error),
    #[error("{0}")]
    Wire(#[from] WireError),
}

/// What to reach the server's ICE agent with.
pub(super) struct Credentials<'a> {
    pub(super) username_fragment: &'a str,
    pub(super) password: &'a str,
}

impl Credentials<'_> {
    /// Asks over UDP; the address that the server saw the request come from.
    pub(super) fn over_udp(&self, server: SocketAddr) -> Result<SocketAddr, ProbeError> {
        let any = if server.is_ipv4() { IpAddr::from([0; 4]) } else { IpAddr::from([0; 16]) };
        let socket = UdpSocket::bind((any, 0))?;
        socket.connect(server)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        let (request, transaction) = self.request()?;
        let mut answer = [0; 1500];
        for _ in 0..ATTEMPTS {
            socket.send(&request)?;
            match socket.recv(&mut answer) {
                Ok(len) => return self.read(answer.get(..len).unwrap_or_default(), &transaction),
                Err(error) if is_timeout(&error) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(ProbeError::Silence)
    }

    /// The same over TCP, each message behind its length (RFC 4571 section 2).
    pub(super) fn over_tcp(&self, server: SocketAddr) -> Result<SocketAddr, ProbeError> {
        let mut stream = TcpStream::connect_timeout(&server, PATIENCE * ATTEMPTS)?;
        stream.set_read_timeout(Some(PATIENCE * ATTEMPTS))?;
        let (request, transaction) = self.request()?;
        let len = u16::try_from(request.len()).unwrap_or_default();
        stream.write_all(&[&len.to_be_bytes()[..], &request].concat())?;
        let mut len = [0; 2];
        let mut read = |buffer: &mut [u8]| {
            stream.read_exact(buffer).map_err(|error| {
                if is_timeout(&error) { ProbeError::Silence } else { ProbeError::System(error) }
            })
        };
        read(&mut len)?;
        let mut answer = vec![0; u16::from_be_bytes(len).into()];
        read(&mut answer)?;
        self.read(&answer, &transaction)
    }

    fn request(&self) -> Result<(Vec<u8>, TransactionId), ProbeError> {
        let mut transaction = TransactionId::default();
        aws_lc_rs::rand::fill(&mut transaction).map_err(|_| std::io::Error::other("no randomness"))?;
        let mut buffer = vec![0; 512];
        let mut writer = StunWriter::new(&mut buffer, StunClass::Request, transaction)?;
        writer.attribute(attribute::USERNAME, format!("{}:check", self.username_fragment).as_bytes())?;
        // That of a host candidate (RFC 8445 section 5.1.2.1).
        writer.attribute(attribute::PRIORITY, &0x7eff_ffff_u32.to_be_bytes())?;
        writer.attribute(attribute::ICE_CONTROLLING, &[0; 8])?;
        let mac = hmac::sign(&self.key(), writer.covered(MESSAGE_INTEGRITY_LEN)?);
        writer.attribute(attribute::MESSAGE_INTEGRITY, mac.as_ref())?;
        let crc = crc32fast::hash(writer.covered(FINGERPRINT_LEN)?) ^ FINGERPRINT_XOR;
        writer.attribute(attribute::FINGERPRINT, &crc.to_be_bytes())?;
        let len = writer.finish();
        buffer.truncate(len);
        Ok((buffer, transaction))
    }

    fn key(&self) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, self.password.as_bytes())
    }

    /// The mapped address of a success that the password proves.
    fn read(&self, answer: &[u8], transaction: &TransactionId) -> Result<SocketAddr, ProbeError> {
        let message = StunMessage::parse(answer).map_err(|_| ProbeError::Foreign)?;
        let integrity = message.attribute(attribute::MESSAGE_INTEGRITY).ok_or(ProbeError::Foreign)?;
        let (header, body) =
            message.covered(integrity.offset, MESSAGE_INTEGRITY_LEN).ok_or(ProbeError::Foreign)?;
        let covered = [&header[..], body].concat();
        hmac::verify(&self.key(), &covered, integrity.value).map_err(|_| ProbeError::Foreign)?;
        if message.class() != StunClass::Success || message.transaction_id() != *transaction {
            return Err(ProbeError::Foreign);
        }
        let mapped = message.attribute(attribute::XOR_MAPPED_ADDRESS).ok_or(ProbeError::Foreign)?;
        xor_mapped_address(mapped.value, transaction).ok_or(ProbeError::Foreign)
    }
}

fn is_timeout(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut)
}
