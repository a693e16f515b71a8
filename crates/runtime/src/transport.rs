//! The closed set of transports that a shard carries. Must not know sockets or channels.

use tureen_rtp_wire::Time;
use tureen_transport::{
    Arrival, Cipher, CipherError, Claim, Component, Destination, DirectTransport, Opened, PathEvent,
    PlainConnectError, PlainConnectOptions, PlainDetails, PlainTransport, SocketId, SocketIds, Transport,
};
use tureen_transport_webrtc::{WebRtcConnectError, WebRtcConnectOptions, WebRtcDetails, WebRtcTransport};

/// Any transport of a shard.
#[derive(Debug)]
pub struct AnyTransport {
    variant: Variant,
    shape: CipherShape,
}

#[derive(Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "packets of plain transports take no detour through a box, and direct ones are few"
)]
enum Variant {
    Plain(PlainTransport),
    WebRtc(Box<WebRtcTransport>),
    Direct(DirectTransport),
}

/// What a cipher answers without being changed. The variants lend their ciphers only for writing, so [`AnyTransport`] takes
/// these answers along whenever it lends itself as the cipher.
#[derive(Clone, Copy, Debug, Default)]
struct CipherShape {
    rtp_overhead: usize,
    rtcp_overhead: usize,
    forbids_altered_repeats: bool,
}

impl CipherShape {
    fn of(cipher: &impl Cipher) -> Self {
        Self {
            rtp_overhead: cipher.rtp_overhead(),
            rtcp_overhead: cipher.rtcp_overhead(),
            forbids_altered_repeats: cipher.forbids_altered_repeats(),
        }
    }
}

/// What connecting a transport takes, by its kind.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum AnyConnectOptions {
    /// Of a plain transport.
    Plain(PlainConnectOptions),
    /// Of a WebRTC transport.
    WebRtc(WebRtcConnectOptions),
}

impl From<PlainConnectOptions> for AnyConnectOptions {
    fn from(options: PlainConnectOptions) -> Self {
        Self::Plain(options)
    }
}

impl From<WebRtcConnectOptions> for AnyConnectOptions {
    fn from(options: WebRtcConnectOptions) -> Self {
        Self::WebRtc(options)
    }
}

/// Why a transport refuses to connect. Nothing has changed then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AnyConnectError {
    /// A plain transport refuses.
    #[error(transparent)]
    Plain(#[from] PlainConnectError),
    /// A WebRTC transport refuses.
    #[error(transparent)]
    WebRtc(#[from] WebRtcConnectError),
    /// The options are those of another kind of transport, or the transport has nothing to connect to.
    #[error("these options do not belong to a {0} transport")]
    WrongKind(&'static str),
}

/// What a transport tells of itself, by its kind.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum AnyDetails {
    /// A plain transport.
    Plain(PlainDetails),
    /// A WebRTC transport.
    WebRtc(Box<WebRtcDetails>),
    /// A direct transport.
    Direct,
}

impl From<PlainTransport> for AnyTransport {
    fn from(transport: PlainTransport) -> Self {
        Self { variant: Variant::Plain(transport), shape: CipherShape::default() }
    }
}

impl From<WebRtcTransport> for AnyTransport {
    fn from(transport: WebRtcTransport) -> Self {
        Self { variant: Variant::WebRtc(Box::new(transport)), shape: CipherShape::default() }
    }
}

impl From<DirectTransport> for AnyTransport {
    fn from(transport: DirectTransport) -> Self {
        Self { variant: Variant::Direct(transport), shape: CipherShape::default() }
    }
}

impl AnyTransport {
    /// The one kind that has timers and claims.
    fn webrtc(&mut self) -> Option<&mut WebRtcTransport> {
        match &mut self.variant {
            Variant::WebRtc(transport) => Some(transport),
            _ => None,
        }
    }
}

impl Transport for AnyTransport {
    type ConnectOptions = AnyConnectOptions;
    type ConnectError = AnyConnectError;
    type Details = AnyDetails;

    fn open(&mut self, now: Time, arrival: Arrival, datagram: &mut [u8]) -> Opened {
        match &mut self.variant {
            Variant::Plain(transport) => transport.open(now, arrival, datagram),
            Variant::WebRtc(transport) => transport.open(now, arrival, datagram),
            Variant::Direct(transport) => transport.open(now, arrival, datagram),
        }
    }

    fn destination(&self, component: Component) -> Option<Destination> {
        match &self.variant {
            Variant::Plain(transport) => transport.destination(component),
            Variant::WebRtc(transport) => transport.destination(component),
            Variant::Direct(transport) => transport.destination(component),
        }
    }

    fn cipher(&mut self) -> &mut impl Cipher {
        self.shape = match &mut self.variant {
            Variant::Plain(transport) => CipherShape::of(transport.cipher()),
            Variant::WebRtc(transport) => CipherShape::of(transport.cipher()),
            Variant::Direct(transport) => CipherShape::of(transport.cipher()),
        };
        self
    }

    fn poll_event(&mut self) -> Option<PathEvent> {
        match &mut self.variant {
            Variant::Plain(transport) => transport.poll_event(),
            Variant::WebRtc(transport) => transport.poll_event(),
            Variant::Direct(transport) => transport.poll_event(),
        }
    }

    fn sockets(&self) -> SocketIds {
        match &self.variant {
            Variant::Plain(transport) => transport.sockets(),
            Variant::WebRtc(transport) => transport.sockets(),
            Variant::Direct(transport) => transport.sockets(),
        }
    }

    fn connect(&mut self, now: Time, options: AnyConnectOptions) -> Result<(), AnyConnectError> {
        match (&mut self.variant, options) {
            (Variant::Plain(transport), AnyConnectOptions::Plain(options)) => {
                Ok(transport.connect(now, options)?)
            }
            (Variant::WebRtc(transport), AnyConnectOptions::WebRtc(options)) => {
                Ok(transport.connect(now, options)?)
            }
            (Variant::Plain(_), _) => Err(AnyConnectError::WrongKind("plain")),
            (Variant::WebRtc(_), _) => Err(AnyConnectError::WrongKind("webrtc")),
            (Variant::Direct(_), _) => Err(AnyConnectError::WrongKind("direct")),
        }
    }

    fn poll_transmit(&mut self, buffer: &mut [u8]) -> Option<(Destination, usize)> {
        match &mut self.variant {
            Variant::Plain(transport) => transport.poll_transmit(buffer),
            Variant::WebRtc(transport) => transport.poll_transmit(buffer),
            Variant::Direct(_) => None,
        }
    }

    fn poll_data(&mut self) -> Option<Vec<u8>> {
        match &mut self.variant {
            Variant::Plain(transport) => transport.poll_data(),
            Variant::WebRtc(transport) => transport.poll_data(),
            Variant::Direct(_) => None,
        }
    }

    fn send_data(&mut self, now: Time, datagram: &[u8]) {
        match &mut self.variant {
            Variant::Plain(transport) => transport.send_data(now, datagram),
            Variant::WebRtc(transport) => transport.send_data(now, datagram),
            Variant::Direct(_) => {}
        }
    }

    fn poll_timeout(&self) -> Time {
        match &self.variant {
            Variant::WebRtc(transport) => transport.poll_timeout(),
            _ => Time::NEVER,
        }
    }

    fn handle_timeout(&mut self, now: Time) {
        if let Some(transport) = self.webrtc() {
            transport.handle_timeout(now);
        }
    }

    fn poll_claim(&mut self) -> Option<Claim> {
        self.webrtc()?.poll_claim()
    }

    fn connection_accepted(&mut self, connection: SocketId, listener: SocketId) {
        if let Some(transport) = self.webrtc() {
            transport.connection_accepted(connection, listener);
        }
    }

    fn close(&mut self, now: Time) {
        if let Some(transport) = self.webrtc() {
            transport.close(now);
        }
    }

    fn socket_closed(&mut self, now: Time, socket: SocketId) {
        if let Some(transport) = self.webrtc() {
            transport.socket_closed(now, socket);
        }
    }

    fn details(&self) -> AnyDetails {
        match &self.variant {
            Variant::Plain(transport) => AnyDetails::Plain(transport.details()),
            Variant::WebRtc(transport) => AnyDetails::WebRtc(Box::new(transport.details())),
            Variant::Direct(_) => AnyDetails::Direct,
        }
    }
}

impl Cipher for AnyTransport {
    fn rtp_overhead(&self) -> usize {
        self.shape.rtp_overhead
    }

    fn rtcp_overhead(&self) -> usize {
        self.shape.rtcp_overhead
    }

    fn forbids_altered_repeats(&self) -> bool {
        self.shape.forbids_altered_repeats
    }

    fn protect_rtp(
        &mut self,
        buffer: &mut [u8],
        header_len: usize,
        len: usize,
    ) -> Result<usize, CipherError> {
        match &mut self.variant {
            Variant::Plain(transport) => transport.cipher().protect_rtp(buffer, header_len, len),
            Variant::WebRtc(transport) => transport.cipher().protect_rtp(buffer, header_len, len),
            Variant::Direct(transport) => transport.cipher().protect_rtp(buffer, header_len, len),
        }
    }

    #[inline]
    fn protect_rtp_from(
        &mut self,
        buffer: &mut [u8],
        header_len: usize,
        payload: &[u8],
    ) -> Result<usize, CipherError> {
        match &mut self.variant {
            Variant::Plain(transport) => transport.cipher().protect_rtp_from(buffer, header_len, payload),
            Variant::WebRtc(transport) => transport.cipher().protect_rtp_from(buffer, header_len, payload),
            Variant::Direct(transport) => transport.cipher().protect_rtp_from(buffer, header_len, payload),
        }
    }

    fn protect_rtp_again(
        &mut self,
        buffer: &mut [u8],
        header_len: usize,
        len: usize,
    ) -> Result<usize, CipherError> {
        match &mut self.variant {
            Variant::Plain(transport) => transport.cipher().protect_rtp_again(buffer, header_len, len),
            Variant::WebRtc(transport) => transport.cipher().protect_rtp_again(buffer, header_len, len),
            Variant::Direct(transport) => transport.cipher().protect_rtp_again(buffer, header_len, len),
        }
    }

    fn expect_repeats(&mut self) {
        match &mut self.variant {
            Variant::Plain(transport) => transport.cipher().expect_repeats(),
            Variant::WebRtc(transport) => transport.cipher().expect_repeats(),
            Variant::Direct(transport) => transport.cipher().expect_repeats(),
        }
    }

    fn protect_rtcp(&mut self, buffer: &mut [u8], len: usize) -> Result<usize, CipherError> {
        match &mut self.variant {
            Variant::Plain(transport) => transport.cipher().protect_rtcp(buffer, len),
            Variant::WebRtc(transport) => transport.cipher().protect_rtcp(buffer, len),
            Variant::Direct(transport) => transport.cipher().protect_rtcp(buffer, len),
        }
    }

    fn unprotect_rtp(&mut self, buffer: &mut [u8], header_len: usize) -> Result<usize, CipherError> {
        match &mut self.variant {
            Variant::Plain(transport) => transport.cipher().unprotect_rtp(buffer, header_len),
            Variant::WebRtc(transport) => transport.cipher().unprotect_rtp(buffer, header_len),
            Variant::Direct(transport) => transport.cipher().unprotect_rtp(buffer, header_len),
        }
    }

    fn unprotect_rtcp(&mut self, buffer: &mut [u8]) -> Result<usize, CipherError> {
        match &mut self.variant {
            Variant::Plain(transport) => transport.cipher().unprotect_rtcp(buffer),
            Variant::WebRtc(transport) => transport.cipher().unprotect_rtcp(buffer),
            Variant::Direct(transport) => transport.cipher().unprotect_rtcp(buffer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::SocketAddr;
    use tureen_transport::{BoundSocket, PlainTransportOptions};

    fn plain(enable_srtp: bool) -> AnyTransport {
        let socket = BoundSocket { id: SocketId(3), local: SocketAddr::from(([127, 0, 0, 1], 40_000)) };
        let options = PlainTransportOptions { enable_srtp, ..Default::default() };
        PlainTransport::new(&options, socket, None, &[7; 46]).into()
    }

    #[test]
    fn a_lent_cipher_answers_for_the_variant() {
        let mut transport = plain(false);
        let mut packet = [0; 16];
        let cipher = transport.cipher();
        assert_eq!((cipher.rtp_overhead(), cipher.protect_rtp(&mut packet, 12, 16)), (0, Ok(16)));
        let mut transport = plain(true);
        let cipher = transport.cipher();
        assert_eq!(cipher.protect_rtp(&mut packet, 12, 16), Err(CipherError::NotReady));
    }

    #[test]
    fn only_options_of_the_own_kind_are_taken() {
        let mut direct = AnyTransport::from(DirectTransport::new());
        let options = PlainConnectOptions::default();
        assert_eq!(
            direct.connect(Time::ZERO, options.clone().into()),
            Err(AnyConnectError::WrongKind("direct"))
        );
        let mut plain = plain(false);
        assert_eq!(plain.connect(Time::ZERO, options.into()), Err(PlainConnectError::Missing("ip").into()));
        assert_eq!(plain.sockets().as_slice(), [SocketId(3)]);
        assert_eq!(direct.destination(Component::Rtp), Some(Destination::Program));
    }
}
