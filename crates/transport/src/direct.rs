//! The direct transport: RTP and RTCP between the router and the program that embeds it.

use crate::adapter::{Adapter, Opened, PathEvent, SocketIds, Transport};
use crate::address::{Arrival, Component, Destination};
use crate::cipher::{Cipher, NullCipher};
use crate::path::{Loopback, Path};
use std::convert::Infallible;
use tureen_rtp_wire::Time;

/// A transport to the program itself: [`Loopback`] and [`NullCipher`].
#[derive(Debug)]
pub struct DirectTransport {
    adapter: Adapter<Loopback, NullCipher>,
}

impl Default for DirectTransport {
    fn default() -> Self {
        Self::new()
    }
}

impl DirectTransport {
    /// A direct transport.
    pub fn new() -> Self {
        Self { adapter: Adapter::new(Loopback, NullCipher, true) }
    }
}

impl Transport for DirectTransport {
    type ConnectOptions = ();
    type ConnectError = Infallible;
    type Details = ();

    fn open(&mut self, _now: Time, arrival: Arrival, datagram: &mut [u8]) -> Opened {
        self.adapter.open(arrival, Component::Rtp, datagram)
    }

    fn destination(&self, component: Component) -> Option<Destination> {
        self.adapter.path.destination(component)
    }

    fn cipher(&mut self) -> &mut impl Cipher {
        &mut self.adapter.cipher
    }

    fn poll_event(&mut self) -> Option<PathEvent> {
        None
    }

    fn sockets(&self) -> SocketIds {
        SocketIds::new()
    }

    fn connect(&mut self, _now: Time, (): ()) -> Result<(), Infallible> {
        Ok(())
    }

    fn details(&self) {}
}
