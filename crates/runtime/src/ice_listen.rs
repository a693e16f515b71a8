//! ICE on a shard: sockets that transports share or own, and the WebRTC transports over them.
//!
//! Runs on the shard's thread. Must not know what STUN or DTLS say.

use crate::error::{AddListeningTransportError, CallError};
use crate::inbox::AddWebRtc;
use crate::listen::{BoundIceSocket, IceSocket};
use crate::shard::Shard;
use crate::transport::AnyTransport;
use tureen_media_model::{AddTransport, Request};
use tureen_rtp_dictionaries::TransportProtocol;
use tureen_transport::{SocketId, Transport};
use tureen_transport_webrtc::{DtlsClock, IceListen, WebRtcDetails, WebRtcTransport};

/// The sockets of a WebRTC transport.
pub(crate) enum WebRtcSockets {
    /// Its own, bound and waiting for their shard.
    Own(Vec<BoundIceSocket>),
    /// Those of the shard that others use as well.
    Shared(Vec<IceListen>),
}

impl Shard {
    /// Takes sockets in that transports of this shard share.
    pub(crate) fn add_listeners(
        &mut self,
        sockets: Vec<BoundIceSocket>,
    ) -> Result<Vec<IceListen>, AddListeningTransportError> {
        let listens = self.take_in(sockets, true)?;
        listens.iter().for_each(|listen| self.core.share_socket(listen.socket));
        Ok(listens)
    }

    /// Closes sockets that transports shared.
    pub(crate) fn remove_listeners(&mut self, sockets: Vec<SocketId>) {
        self.flush();
        for socket in sockets {
            self.core.handle_socket_closed(self.now, socket, &mut self.parts.net.outgoing());
            self.parts.net.release(socket);
        }
    }

    pub(crate) fn add_webrtc(
        &mut self,
        request: AddWebRtc,
    ) -> Result<WebRtcDetails, AddListeningTransportError> {
        let AddWebRtc { router, id, sockets, options, credentials, certificate, model } = request;
        let (listens, own) = match sockets {
            WebRtcSockets::Own(sockets) => {
                let listens = self.take_in(sockets, false)?;
                let own: Vec<SocketId> = listens.iter().map(|listen| listen.socket).collect();
                (listens, own)
            }
            WebRtcSockets::Shared(listens) => (listens, Vec::new()),
        };
        let clock = DtlsClock(self.parts.clock.origin());
        let transport = WebRtcTransport::new(&options, listens, credentials, &certificate, clock);
        let details = transport.details();
        let transport = AnyTransport::from(transport);
        let request = AddTransport { router, id, transport, options: model };
        let reply = self.core.handle_command(self.now, request.into());
        match <AddTransport<AnyTransport> as Request<AnyTransport>>::reply(reply) {
            Some(Ok(())) => Ok(details),
            refused => {
                own.into_iter().for_each(|socket| self.parts.net.release(socket));
                Err(refused.and_then(Result::err).map_or(CallError::WrongReply.into(), Into::into))
            }
        }
    }

    /// All of the sockets, or none.
    fn take_in(
        &mut self,
        sockets: Vec<BoundIceSocket>,
        shared: bool,
    ) -> Result<Vec<IceListen>, AddListeningTransportError> {
        let mut listens: Vec<IceListen> = Vec::with_capacity(sockets.len());
        for BoundIceSocket { socket, announced } in sockets {
            let net = &mut self.parts.net;
            let (added, local, protocol) = match socket {
                IceSocket::Udp(socket) => {
                    let local = socket.local_addr();
                    (net.add(socket), local, TransportProtocol::Udp)
                }
                IceSocket::Tcp(listener, local) => {
                    (net.add_listener(listener), local, TransportProtocol::Tcp)
                }
            };
            match added {
                Ok(socket) => listens.push(IceListen { socket, local, protocol, shared, announced }),
                Err(error) => {
                    listens.iter().for_each(|listen| net.release(listen.socket));
                    return Err(AddListeningTransportError::Register(error));
                }
            }
        }
        Ok(listens)
    }
}
