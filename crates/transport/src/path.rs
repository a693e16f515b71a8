//! Paths: which remote address a transport takes packets from, and which one it sends to.
//!
//! Media never teaches an address, except the one first packet of a comedia path that asked for it, and only after the
//! cipher has authenticated it. Must not know ciphers or what a packet means.

use crate::address::{Arrival, Component, Destination, SocketId};
use std::net::SocketAddr;

/// What a path thinks of a datagram's origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// From the selected remote address.
    Known,
    /// From an address that the path would learn if the packet proves genuine: then call [`Path::learn`].
    Learnable,
    /// From anywhere else: drop it.
    Foreign,
}

/// Which remote address is valid and selected.
pub trait Path {
    /// Judges the origin of a datagram of `component`.
    fn admit(&self, arrival: Arrival, component: Component) -> Admission;
    /// Takes over the origin of a packet that was [`Admission::Learnable`] and proved genuine.
    fn learn(&mut self, arrival: Arrival, component: Component);
    /// Where packets of `component` go, `None` while unknown.
    fn destination(&self, component: Component) -> Option<Destination>;
}

/// The remote end of a [`SocketPath`] for one component.
#[derive(Clone, Copy, Debug)]
struct Leg {
    socket: SocketId,
    remote: Option<SocketAddr>,
}

/// A path over one socket (RTP/RTCP multiplexed) or two, with a remote that is either given or learned (comedia).
#[derive(Clone, Debug)]
pub struct SocketPath {
    rtp: Leg,
    rtcp: Option<Leg>,
    comedia: bool,
}

impl SocketPath {
    /// A path over `rtp` and, without multiplexing, `rtcp`. With `comedia` the first genuine packet of each component
    /// fixes its remote address; without, [`SocketPath::connect`] does.
    pub fn new(rtp: SocketId, rtcp: Option<SocketId>, comedia: bool) -> Self {
        let leg = |socket| Leg { socket, remote: None };
        Self { rtp: leg(rtp), rtcp: rtcp.map(leg), comedia }
    }

    /// Fixes the remote addresses.
    pub fn connect(&mut self, rtp: SocketAddr, rtcp: Option<SocketAddr>) {
        self.rtp.remote = Some(rtp);
        if let Some(leg) = &mut self.rtcp {
            leg.remote = rtcp;
        }
    }

    /// Whether the remote is learned from the first packet.
    pub fn comedia(&self) -> bool {
        self.comedia
    }

    /// The remote address of `component`.
    pub fn remote(&self, component: Component) -> Option<SocketAddr> {
        self.leg(component).remote
    }

    /// The sockets of this path.
    pub fn sockets(&self) -> (SocketId, Option<SocketId>) {
        (self.rtp.socket, self.rtcp.map(|leg| leg.socket))
    }

    fn leg(&self, component: Component) -> &Leg {
        match component {
            Component::Rtp => &self.rtp,
            Component::Rtcp => self.rtcp.as_ref().unwrap_or(&self.rtp),
        }
    }

    /// Which component `socket` carries.
    pub fn component(&self, socket: SocketId) -> Component {
        match self.rtcp {
            Some(leg) if leg.socket == socket && self.rtp.socket != socket => Component::Rtcp,
            _ => Component::Rtp,
        }
    }
}

impl Path for SocketPath {
    fn admit(&self, arrival: Arrival, component: Component) -> Admission {
        let leg = self.leg(component);
        match leg.remote {
            Some(remote) if remote == arrival.source && leg.socket == arrival.socket => Admission::Known,
            None if self.comedia && leg.socket == arrival.socket => Admission::Learnable,
            _ => Admission::Foreign,
        }
    }

    fn learn(&mut self, arrival: Arrival, component: Component) {
        let leg = match (component, &mut self.rtcp) {
            (Component::Rtcp, Some(leg)) => leg,
            _ => &mut self.rtp,
        };
        if self.comedia && leg.remote.is_none() {
            leg.remote = Some(arrival.source);
        }
    }

    fn destination(&self, component: Component) -> Option<Destination> {
        let leg = self.leg(component);
        leg.remote.map(|remote| Destination::Socket { socket: leg.socket, remote })
    }
}

/// The path to the program itself: nothing arrives by datagram, everything goes to [`Destination::Program`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Loopback;

impl Path for Loopback {
    fn admit(&self, _arrival: Arrival, _component: Component) -> Admission {
        Admission::Known
    }

    fn learn(&mut self, _arrival: Arrival, _component: Component) {}

    fn destination(&self, _component: Component) -> Option<Destination> {
        Some(Destination::Program)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(socket: u32, port: u16) -> Arrival {
        Arrival { socket: SocketId(socket), source: SocketAddr::from(([127, 0, 0, 1], port)) }
    }

    #[test]
    fn comedia_learns_each_component_once_and_never_moves() {
        let mut path = SocketPath::new(SocketId(1), Some(SocketId(2)), true);
        assert_eq!(path.admit(from(1, 5000), Component::Rtp), Admission::Learnable);
        path.learn(from(1, 5000), Component::Rtp);
        assert_eq!(path.admit(from(1, 5000), Component::Rtp), Admission::Known);
        assert_eq!(path.admit(from(1, 6000), Component::Rtp), Admission::Foreign);
        path.learn(from(1, 6000), Component::Rtp);
        assert_eq!(path.remote(Component::Rtp), Some(from(1, 5000).source));
        assert_eq!(path.admit(from(2, 5001), Component::Rtcp), Admission::Learnable);
        assert_eq!(path.destination(Component::Rtcp), None);
    }

    #[test]
    fn a_connected_path_never_learns() {
        let mut path = SocketPath::new(SocketId(1), None, false);
        assert_eq!(path.admit(from(1, 5000), Component::Rtp), Admission::Foreign);
        path.learn(from(1, 5000), Component::Rtp);
        assert_eq!(path.destination(Component::Rtp), None);
        path.connect(from(1, 7000).source, None);
        assert_eq!(path.admit(from(1, 7000), Component::Rtp), Admission::Known);
        assert_eq!(path.destination(Component::Rtcp), Some(from(1, 7000).into()));
    }
}
