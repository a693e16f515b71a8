//! How a message crosses a pipe: what it is and whom it is for go before its bytes, since the far router has consumers of its own to
//! choose among. Knows no transport and no consumer.
//!
//! Both ends are ours, and speak the same version. Every message of a pipe is binary for SCTP and begins so, numbers in network order:
//!
//! | octets | what |
//! |---|---|
//! | 1 | the version, [`VERSION`] |
//! | 1 | the message's own payload protocol identifier |
//! | 1 | bit 0: there is a required subchannel; bit 1: there is an ignored one; the others are 0 |
//! | 2 | how many subchannels there are |
//! | 2 each | the required one and the ignored one, if they are there, then the subchannels |

use super::DataMessage;
use bytes::Bytes;
use tureen_data::Ppid;

const VERSION: u8 = 1;
const HAS_REQUIRED: u8 = 1;
const HAS_IGNORED: u8 = 2;

/// Octets that associations of pipes take beyond the largest message: what goes before a message with up to 507 subchannels.
pub const PIPE_FRAME_ROOM: u32 = 1024;

/// A message as it goes over a pipe; `None` if it has more subchannels than there are.
pub(super) fn write(message: &DataMessage) -> Option<Bytes> {
    let DataMessage { ppid, payload, subchannels, required_subchannel, ignored_subchannel } = message;
    let count = u16::try_from(subchannels.len()).ok()?;
    let ppid = u8::try_from(ppid.number()).ok()?;
    let flags = if required_subchannel.is_some() { HAS_REQUIRED } else { 0 }
        | if ignored_subchannel.is_some() { HAS_IGNORED } else { 0 };
    let mut frame = vec![VERSION, ppid, flags];
    frame.extend(count.to_be_bytes());
    let numbers = required_subchannel.iter().chain(ignored_subchannel).chain(subchannels);
    numbers.for_each(|number| frame.extend(number.to_be_bytes()));
    frame.extend_from_slice(payload);
    Some(frame.into())
}

/// The message that came over a pipe; `None` if it is none of this version.
pub(super) fn read(ppid: Ppid, frame: &Bytes) -> Option<DataMessage> {
    if ppid != Ppid::Binary {
        return None;
    }
    let (&[version, ppid, flags], mut rest) = frame.split_first_chunk::<3>()?;
    let ppid = Ppid::new(ppid.into()).filter(|ppid| *ppid != Ppid::Dcep)?;
    if version != VERSION || flags & !(HAS_REQUIRED | HAS_IGNORED) != 0 {
        return None;
    }
    let count = take(&mut rest)?;
    let mut named = |flag| if flags & flag == 0 { Some(None) } else { take(&mut rest).map(Some) };
    let (required_subchannel, ignored_subchannel) = (named(HAS_REQUIRED)?, named(HAS_IGNORED)?);
    let subchannels = (0..count).map(|_| take(&mut rest)).collect::<Option<_>>()?;
    if rest.is_empty() != ppid.is_empty() {
        return None;
    }
    let payload = frame.slice_ref(rest);
    Some(DataMessage { ppid, payload, subchannels, required_subchannel, ignored_subchannel })
}

fn take(rest: &mut &[u8]) -> Option<u16> {
    let (number, behind) = rest.split_first_chunk()?;
    *rest = behind;
    Some(u16::from_be_bytes(*number))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn message() -> DataMessage {
        DataMessage {
            subchannels: vec![7, 65_535],
            required_subchannel: Some(1),
            ignored_subchannel: Some(2),
            ..DataMessage::text("hi")
        }
    }

    #[test]
    fn the_layout_is_as_written_above() {
        let frame = write(&message()).unwrap();
        assert_eq!(&frame[..], [1, 51, 3, 0, 2, 0, 1, 0, 2, 0, 7, 0xff, 0xff, b'h', b'i']);
        assert_eq!(read(Ppid::Binary, &frame), Some(message()));
        let empty = write(&DataMessage::text("")).unwrap();
        assert_eq!(&empty[..], [1, 56, 0, 0, 0]);
    }

    #[test]
    fn what_is_no_frame_is_refused() {
        let frame = write(&message()).unwrap();
        assert_eq!(read(Ppid::String, &frame), None, "not binary");
        for len in 0..13 {
            assert_eq!(read(Ppid::Binary, &frame.slice(..len)), None, "{len} octets");
        }
        for (at, octet) in [(0, 2), (1, 50), (1, 99), (1, 56), (2, 7)] {
            let mut wrong = frame.to_vec();
            wrong[at] = octet;
            assert_eq!(read(Ppid::Binary, &wrong.into()), None, "octet {at} is {octet}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(
            payload in prop::collection::vec(any::<u8>(), 0..100),
            subchannels in prop::collection::vec(any::<u16>(), 0..20),
            required_subchannel: Option<u16>,
            ignored_subchannel: Option<u16>,
        ) {
            let message = DataMessage::binary(payload);
            let message = DataMessage { subchannels, required_subchannel, ignored_subchannel, ..message };
            prop_assert_eq!(read(Ppid::Binary, &write(&message).unwrap()), Some(message));
        }

        #[test]
        fn nothing_panics(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let bytes = Bytes::from(bytes);
            if let Some(message) = read(Ppid::Binary, &bytes) {
                prop_assert_eq!(write(&message), Some(bytes));
            }
        }
    }
}
