//! How incoming RTP finds its producer: by SSRC, else by MID, else by RID (RFC 8843 section 9.2, RFC 8852).
//!
//! Must not know what a producer does with a packet. The tables hold what was negotiated, and SSRCs learned from it.

use crate::arena::Key;
use crate::producer::Producer;
use rustc_hash::FxHashMap;

/// The most SSRCs that one transport knows; further ones are not learned.
const MAX_SSRCS: usize = 1024;

/// One stream of a producer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StreamRef {
    /// The producer.
    pub producer: Key<Producer>,
    /// Index of the encoding.
    pub encoding: u8,
    /// Whether the SSRC is that of the encoding's retransmissions.
    pub rtx: bool,
}

/// What tells a producer's packets apart from those of others.
#[derive(Clone, Debug, Default)]
pub(crate) struct Identity {
    /// MID of the producer.
    pub mid: Option<String>,
    /// RIDs of its encodings.
    pub rids: Vec<String>,
    /// SSRCs of its encodings, and whether of media or of retransmissions.
    pub ssrcs: Vec<(u32, u8, bool)>,
}

/// Why an [`Identity`] cannot be added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Conflict {
    /// The SSRC is known already, or given twice.
    Ssrc(u32),
    /// The MID is known already.
    Mid(String),
    /// The RID is known already and no MID tells it apart.
    Rid(String),
}

/// The tables of one transport.
#[derive(Debug, Default)]
pub(crate) struct Listener {
    ssrcs: FxHashMap<u32, StreamRef>,
    mids: FxHashMap<Box<[u8]>, Key<Producer>>,
    rids: FxHashMap<Box<[u8]>, Key<Producer>>,
}

impl Listener {
    /// Whether `identity` could be added.
    ///
    /// # Errors
    /// The first conflict.
    pub(crate) fn check(&self, identity: &Identity) -> Result<(), Conflict> {
        for (at, &(ssrc, ..)) in identity.ssrcs.iter().enumerate() {
            let twice = identity.ssrcs.iter().take(at).any(|&(other, ..)| other == ssrc);
            if twice || self.ssrcs.contains_key(&ssrc) {
                return Err(Conflict::Ssrc(ssrc));
            }
        }
        if let Some(mid) = &identity.mid
            && self.mids.contains_key(mid.as_bytes())
        {
            return Err(Conflict::Mid(mid.clone()));
        }
        for (at, rid) in identity.rids.iter().enumerate() {
            let twice = identity.rids.iter().take(at).any(|other| other == rid);
            let taken = identity.mid.is_none() && self.rids.contains_key(rid.as_bytes());
            if twice || taken {
                return Err(Conflict::Rid(rid.clone()));
            }
        }
        Ok(())
    }

    /// Adds a producer whose identity was checked.
    pub(crate) fn add(&mut self, producer: Key<Producer>, identity: &Identity) {
        for &(ssrc, encoding, rtx) in &identity.ssrcs {
            self.ssrcs.insert(ssrc, StreamRef { producer, encoding, rtx });
        }
        match &identity.mid {
            Some(mid) => {
                self.mids.insert(mid.as_bytes().into(), producer);
            }
            None => {
                for rid in &identity.rids {
                    self.rids.insert(rid.as_bytes().into(), producer);
                }
            }
        }
    }

    /// Forgets all of a producer.
    pub(crate) fn remove(&mut self, producer: Key<Producer>) {
        self.ssrcs.retain(|_, stream| stream.producer != producer);
        self.mids.retain(|_, key| *key != producer);
        self.rids.retain(|_, key| *key != producer);
    }

    /// Forgets the SSRCs of one encoding, those of retransmissions included: others are about to take their place.
    pub(crate) fn forget(&mut self, producer: Key<Producer>, encoding: u8) {
        self.ssrcs.retain(|_, stream| (stream.producer, stream.encoding) != (producer, encoding));
    }

    /// The stream of a known SSRC.
    pub(crate) fn by_ssrc(&self, ssrc: u32) -> Option<StreamRef> {
        self.ssrcs.get(&ssrc).copied()
    }

    /// The producer that MID, or without one RID, name.
    pub(crate) fn by_name(&self, mid: Option<&[u8]>, rid: Option<&[u8]>) -> Option<Key<Producer>> {
        match (mid, rid) {
            (Some(mid), _) => self.mids.get(mid).copied(),
            (None, Some(rid)) => self.rids.get(rid).copied(),
            (None, None) => None,
        }
    }

    /// Remembers the SSRC of a stream that was found by name. `false` if the table is full.
    pub(crate) fn learn(&mut self, ssrc: u32, stream: StreamRef) -> bool {
        if self.ssrcs.len() >= MAX_SSRCS {
            return false;
        }
        self.ssrcs.insert(ssrc, stream);
        true
    }

    /// What is known, for dumps: in no order.
    pub(crate) fn entries(&self) -> Entries<'_> {
        Entries {
            ssrcs: self.ssrcs.iter().map(|(&ssrc, stream)| (ssrc, stream.producer)).collect(),
            mids: self.mids.iter().map(|(mid, &key)| (&**mid, key)).collect(),
            rids: self.rids.iter().map(|(rid, &key)| (&**rid, key)).collect(),
        }
    }
}

/// The content of a [`Listener`].
#[derive(Debug)]
pub(crate) struct Entries<'a> {
    /// By SSRC.
    pub ssrcs: Vec<(u32, Key<Producer>)>,
    /// By MID.
    pub mids: Vec<(&'a [u8], Key<Producer>)>,
    /// By RID.
    pub rids: Vec<(&'a [u8], Key<Producer>)>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arena::Arena;

    fn keys() -> (Key<Producer>, Key<Producer>) {
        let mut arena: Arena<(), Producer> = Arena::default();
        (arena.insert(()), arena.insert(()))
    }

    fn identity(mid: Option<&str>, rids: &[&str], ssrcs: &[u32]) -> Identity {
        Identity {
            mid: mid.map(str::to_owned),
            rids: rids.iter().map(|rid| (*rid).to_owned()).collect(),
            ssrcs: ssrcs.iter().enumerate().map(|(at, &ssrc)| (ssrc, at as u8, false)).collect(),
        }
    }

    #[test]
    fn equal_rids_need_different_mids() {
        let (first, second) = keys();
        let mut listener = Listener::default();
        listener.add(first, &identity(Some("0"), &["hi", "lo"], &[]));
        let other = identity(Some("1"), &["hi", "lo"], &[]);
        assert_eq!(listener.check(&other), Ok(()));
        listener.add(second, &other);
        assert_eq!(listener.by_name(Some(b"1"), Some(b"hi")), Some(second));
        assert_eq!(listener.by_name(None, Some(b"hi")), None);
        assert_eq!(listener.check(&identity(Some("1"), &[], &[])), Err(Conflict::Mid("1".to_owned())));
    }

    #[test]
    fn an_ssrc_belongs_to_one_stream() {
        let (first, _) = keys();
        let mut listener = Listener::default();
        listener.add(first, &identity(None, &[], &[7]));
        assert_eq!(listener.check(&identity(None, &[], &[8, 7])), Err(Conflict::Ssrc(7)));
        assert_eq!(listener.check(&identity(None, &[], &[8, 8])), Err(Conflict::Ssrc(8)));
        listener.remove(first);
        assert_eq!(listener.by_ssrc(7), None);
    }
}
