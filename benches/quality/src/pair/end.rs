//! One endpoint: what goes in, what comes out, when it wants to be woken. It is drained after each change, as its run loop asks.
//!
//! Must not know what is sent, nor what time it is in the scenario.

use super::PairError;
use std::collections::VecDeque;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Instant;
use str0m::config::Fingerprint;
use str0m::ice::IceCreds;
use str0m::net::{Protocol, Receive};
use str0m::{Candidate, Event, Input, Output, Rtc, RtcConfig};

/// An endpoint that is due so often at one time never stops being so.
const ROUNDS: usize = 10_000;

/// An endpoint.
pub(super) struct End {
    rtc: Rtc,
    address: SocketAddr,
    remote: SocketAddr,
    /// `None` once it gave up.
    deadline: Option<Instant>,
    datagrams: VecDeque<Vec<u8>>,
    events: VecDeque<Event>,
    fault: Option<PairError>,
}

impl fmt::Debug for End {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("End").field("address", &self.address).finish_non_exhaustive()
    }
}

impl End {
    /// An endpoint at an address of its own (the last octet).
    pub(super) fn new(config: RtcConfig, now: Instant, host: u8) -> Result<Self, PairError> {
        let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, host)), 5000);
        let mut rtc = config.build(now);
        rtc.add_local_candidate(candidate(address)?);
        let (datagrams, events) = (VecDeque::new(), VecDeque::new());
        let mut end =
            Self { rtc, address, remote: address, deadline: Some(now), datagrams, events, fault: None };
        end.drain();
        Ok(end)
    }

    /// Lets two endpoints know of each other what signalling would tell, and begin.
    pub(super) fn meet(&mut self, other: &mut Self) -> Result<(), PairError> {
        let (mine, others) = (self.introduction(), other.introduction());
        self.learn(others, true)?;
        other.learn(mine, false)
    }

    fn introduction(&mut self) -> (SocketAddr, Fingerprint, IceCreds) {
        let direct = self.rtc.direct_api();
        (self.address, direct.local_dtls_fingerprint().clone(), direct.local_ice_credentials())
    }

    fn learn(
        &mut self,
        (address, fingerprint, credentials): (SocketAddr, Fingerprint, IceCreds),
        is_first: bool,
    ) -> Result<(), PairError> {
        self.remote = address;
        let candidate = candidate(address)?;
        self.change(|rtc| rtc.add_remote_candidate(candidate));
        self.change(|rtc| rtc.direct_api().set_remote_fingerprint(fingerprint));
        self.change(|rtc| rtc.direct_api().set_remote_ice_credentials(credentials));
        self.change(|rtc| rtc.direct_api().set_ice_controlling(is_first));
        Ok(self.change(|rtc| rtc.direct_api().start_dtls(is_first))?)
    }

    /// Changes something, and takes what comes of it.
    pub(super) fn change<T>(&mut self, change: impl FnOnce(&mut Rtc) -> T) -> T {
        let outcome = change(&mut self.rtc);
        self.drain();
        outcome
    }

    /// Takes a datagram.
    pub(super) fn receive(&mut self, now: Instant, datagram: &[u8]) {
        // What is no packet of WebRTC is nobody's.
        let Ok(contents) = datagram.try_into() else { return };
        let (source, destination) = (self.remote, self.address);
        self.put(Input::Receive(now, Receive { proto: Protocol::Udp, source, destination, contents }));
    }

    /// Does what is due.
    pub(super) fn wake(&mut self, now: Instant) {
        for _ in 0..ROUNDS {
            if self.deadline.is_none_or(|deadline| deadline > now) {
                return;
            }
            self.put(Input::Timeout(now));
        }
        self.give_up(PairError::Restless);
    }

    /// When it is to be woken, unless it gave up.
    pub(super) const fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    pub(super) fn is_connected(&self) -> bool {
        self.rtc.is_connected()
    }

    pub(super) fn next_datagram(&mut self) -> Option<Vec<u8>> {
        self.datagrams.pop_front()
    }

    pub(super) fn next_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Whether it is alive to the end.
    pub(super) fn finish(self) -> Result<(), PairError> {
        self.fault.map_or(Ok(()), Err)
    }

    fn put(&mut self, input: Input<'_>) {
        if self.deadline.is_none() {
            return;
        }
        match self.rtc.handle_input(input) {
            Ok(()) => self.drain(),
            Err(fault) => self.give_up(fault.into()),
        }
    }

    fn drain(&mut self) {
        while self.deadline.is_some() {
            match self.rtc.poll_output() {
                Ok(Output::Transmit(datagram)) => self.datagrams.push_back(datagram.contents.to_vec()),
                Ok(Output::Event(event)) => self.events.push_back(event),
                Ok(Output::Timeout(at)) => {
                    self.deadline = Some(at);
                    return;
                }
                Err(fault) => self.give_up(fault.into()),
            }
        }
    }

    fn give_up(&mut self, fault: PairError) {
        self.deadline = None;
        self.fault.get_or_insert(fault);
    }
}

fn candidate(address: SocketAddr) -> Result<Candidate, PairError> {
    Candidate::host(address, "udp").map_err(|error| PairError::Endpoint(error.into()))
}
