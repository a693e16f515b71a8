//! What can be told of DTLS datagrams without keys: whether their records fill them (RFC 6347 section 4.1), and hellos
//! that came too early. Believes nothing of what they say.

use smallvec::SmallVec;

/// The longest datagram that is looked at, in octets. Flights are cut to the MTU of their path.
const MAX_DATAGRAM: usize = 4096;
const HEADER_LEN: usize = 13;

const CHANGE_CIPHER_SPEC: u8 = 20;
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;
const ACK: u8 = 26;
/// First octets of the encrypted records of DTLS 1.3 (RFC 9147 section 4).
const UNIFIED: std::ops::RangeInclusive<u8> = 32..=63;
pub(super) const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;
const HELLO_VERIFY_REQUEST: u8 = 3;
/// The level of an alert that ends the association.
const FATAL: u8 = 2;

/// Whether the datagram consists of whole records that make sense without keys. Of unprotected ones application data
/// never does; once keys are `established`, only a handshake flight that is sent again does.
pub(super) fn is_well_framed(datagram: &[u8], established: bool) -> bool {
    if datagram.is_empty() || datagram.len() > MAX_DATAGRAM {
        return false;
    }
    let mut rest = datagram;
    while let Some(first) = rest.first() {
        if UNIFIED.contains(first) {
            return true;
        }
        let Some((header, body)) = rest.split_at_checked(HEADER_LEN) else {
            return false;
        };
        let &[kind, major, _, epoch_high, epoch_low, .., len_high, len_low] = header else {
            return false;
        };
        let protected = (epoch_high, epoch_low) != (0, 0);
        let allowed = match kind {
            HANDSHAKE | CHANGE_CIPHER_SPEC => true,
            ALERT | ACK => protected || !established,
            APPLICATION_DATA => protected,
            _ => false,
        };
        let Some(next) = body.get(usize::from(u16::from_be_bytes([len_high, len_low]))..) else {
            return false;
        };
        if !allowed || major != 0xfe {
            return false;
        }
        rest = next;
    }
    true
}

/// Type and fragment offset of the first handshake message in an unprotected record (RFC 6347 section 4.2.2).
pub(super) fn first_message(datagram: &[u8]) -> Option<(u8, u32)> {
    let message = datagram.get(HEADER_LEN..).filter(|_| datagram.first() == Some(&HANDSHAKE))?;
    let &[kind, _, _, _, _, _, high, middle, low, ..] = message else {
        return None;
    };
    Some((kind, u32::from_be_bytes([0, high, middle, low])))
}

/// Whether the datagram starts with what a server says first: the beginning of a ServerHello, or a HelloVerifyRequest.
pub(super) fn begins_server_flight(datagram: &[u8]) -> bool {
    matches!(first_message(datagram), Some((SERVER_HELLO, 0) | (HELLO_VERIFY_REQUEST, _)))
}

/// The description of the fatal alert that the datagram starts with, where nothing protects it.
pub(super) fn unprotected_fatal_alert(datagram: &[u8]) -> Option<u8> {
    match datagram {
        [ALERT, _, _, 0, 0, ..] => match datagram.get(HEADER_LEN..)? {
            &[FATAL, description, ..] => Some(description),
            _ => None,
        },
        _ => None,
    }
}

/// ClientHellos that came before the remote's parameters: two datagrams of 4 KiB together, enough for one with a
/// post-quantum key share.
#[derive(Debug, Default)]
pub(super) struct Early {
    datagrams: SmallVec<[Vec<u8>; 2]>,
}

impl Early {
    const MAX_DATAGRAMS: usize = 2;
    const MAX_OCTETS: usize = 4096;

    /// Keeps a piece of a hello; says whether it did. A piece that is there already is not kept twice.
    pub(super) fn keep(&mut self, datagram: &[u8]) -> bool {
        let held: usize = self.datagrams.iter().map(Vec::len).sum();
        let fits = self.datagrams.len() < Self::MAX_DATAGRAMS && held + datagram.len() <= Self::MAX_OCTETS;
        let hello = first_message(datagram).is_some_and(|(kind, _)| kind == CLIENT_HELLO);
        if !fits || !hello || self.datagrams.iter().any(|held| held == datagram) {
            return false;
        }
        self.datagrams.push(datagram.to_vec());
        true
    }

    pub(super) fn take(self) -> impl Iterator<Item = Vec<u8>> {
        self.datagrams.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(kind: u8, epoch: u8, body: &[u8]) -> Vec<u8> {
        let mut record = vec![kind, 0xfe, 0xfd, 0, epoch, 0, 0, 0, 0, 0, 0];
        record.extend((body.len() as u16).to_be_bytes());
        record.extend(body);
        record
    }

    #[test]
    fn only_whole_records_are_looked_at() {
        let whole = [record(HANDSHAKE, 0, &[1; 20]), record(HANDSHAKE, 0, &[])].concat();
        assert!(is_well_framed(&whole, false));
        for len in (0..whole.len()).filter(|&len| len != 33) {
            assert!(!is_well_framed(&whole[..len], false), "{len}");
        }
        assert!(!is_well_framed(&record(HANDSHAKE, 0, &[0; 5000]), false));
        assert!(!is_well_framed(&record(24, 0, &[0]), false));
    }

    #[test]
    fn what_is_not_protected_says_little() {
        assert!(!is_well_framed(&record(APPLICATION_DATA, 0, &[1]), false));
        assert!(is_well_framed(&record(ALERT, 0, &[2, 40]), false));
        assert!(!is_well_framed(&record(ALERT, 0, &[2, 40]), true));
        assert!(is_well_framed(&record(ALERT, 1, &[2, 40]), true));
        let coalesced = [record(HANDSHAKE, 0, &[1; 20]), record(APPLICATION_DATA, 0, &[1])].concat();
        assert!(!is_well_framed(&coalesced, true));
    }

    #[test]
    fn two_pieces_of_a_hello_are_kept() {
        let mut early = Early::default();
        let piece = |seed| record(HANDSHAKE, 0, &[[CLIENT_HELLO].as_slice(), &[seed; 1200]].concat());
        assert!(early.keep(&piece(1)) && !early.keep(&piece(1)) && early.keep(&piece(2)));
        assert!(!early.keep(&piece(3)));
        assert!(!Early::default().keep(&record(ALERT, 0, &[2, 40])));
        assert_eq!(early.take().count(), 2);
    }
}
