//! SCTP associations and data channels (RFC 8831, RFC 8832, RFC 9260) over any datagram path, without I/O.
//!
//! An [`Association`] takes in datagrams and the time, and hands out datagrams, news and its next deadline. It stands on the
//! package `sctp-proto` and adds what that leaves to its users: who begins when both sides may, a cap on what waits to be
//! sent, limits on streams and messages, and a time that is an argument. [`dcep`] reads and writes the messages that open
//! channels in the band.
//!
//! ```
//! use tureen_data::{Association, AssociationEvent, AssociationOptions, Ppid, Reliability};
//! use tureen_rtp_wire::Time;
//!
//! let now = Time::ZERO;
//! let mut ours = Association::new(now, AssociationOptions::default())?;
//! let mut theirs = Association::new(now, AssociationOptions { start_after: None, ..Default::default() })?;
//! let exchange = |ours: &mut Association, theirs: &mut Association| {
//!     for _ in 0..10 {
//!         while let Some(datagram) = ours.poll_transmit() {
//!             theirs.handle_datagram(now, &datagram);
//!         }
//!         while let Some(datagram) = theirs.poll_transmit() {
//!             ours.handle_datagram(now, &datagram);
//!         }
//!     }
//! };
//! exchange(&mut ours, &mut theirs);
//! ours.send(now, 7, Ppid::String, b"hello", Reliability::default())?;
//! exchange(&mut ours, &mut theirs);
//! let news = std::iter::from_fn(|| theirs.poll_event());
//! let said = news.filter_map(|event| match event {
//!     AssociationEvent::Message(message) => Some((message.stream, message.payload)),
//!     _ => None,
//! });
//! assert_eq!(said.collect::<Vec<_>>(), [(7, "hello".into())]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! What is not ours to say: the library draws the tags, the first sequence numbers and the cookie of an association from the
//! system's random numbers, and reads the clock once when an association begins; the reading is taken as the `now` that was
//! given, so deadlines follow from arguments alone. An association that was lost is not begun again.

mod association;
pub mod dcep;
mod engine;
mod options;
mod ppid;

pub use association::{Association, AssociationCounters, AssociationEvent, Message};
pub use options::{
    AssociationOptions, Limit, MAX_MESSAGE_SIZE, OptionsError, Reliability, SCTP_PORT, SendError,
};
pub use ppid::Ppid;
