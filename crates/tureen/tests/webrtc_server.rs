//! The WebRtcServer: what is on it, whom its end takes along, and what of it is told.

mod support;

use pollster::block_on;
use support::{Kept, Log, Stage};
use tureen::{
    ListenInfo, Transport, WebRtcServer, WebRtcServerOptions, WebRtcTransport, WebRtcTransportOptions,
};

fn server(stage: &Stage) -> WebRtcServer {
    let options = WebRtcServerOptions::new(vec![ListenInfo::loopback()]);
    block_on(stage.worker.create_webrtc_server(options)).expect("a server")
}

fn transport(stage: &Stage, server: &WebRtcServer) -> WebRtcTransport {
    let options = WebRtcTransportOptions::with_server(server);
    block_on(stage.router.create_webrtc_transport(options)).expect("a transport")
}

#[test]
fn closing_it_closes_its_transports_and_says_so() {
    let stage = Stage::new();
    let (server, other) = (server(&stage), server(&stage));
    let (log, mut kept) = (Log::default(), Kept::default());
    let handled = log.clone();
    kept.add(server.observer().on_webrtc_transport_handled(move |_| handled.write("handled".to_owned())));
    kept.add(server.observer().on_webrtc_transport_unhandled({
        let log = log.clone();
        move |_| log.write("unhandled".to_owned())
    }));
    kept.add(server.observer().on_close(log.line("server close")));
    let (own, elsewhere) = (transport(&stage, &server), transport(&stage, &other));
    assert_eq!(log.wait(1), ["handled"]);
    kept.add(own.on_listen_server_close(log.line("listenserverclose")));
    kept.add(own.observer().on_close(log.line("transport close")));
    let dump = block_on(server.dump()).expect("a dump");
    assert_eq!(dump.web_rtc_transport_ids, [own.id()]);
    assert_eq!(dump.udp_sockets.first().map(|socket| socket.ip), Some([127, 0, 0, 1].into()));

    server.close();
    assert!(server.closed() && own.closed());
    assert!(!elsewhere.closed() && !other.closed());
    let told = log.wait(5);
    assert_eq!(told[1..], ["listenserverclose", "transport close", "unhandled", "server close"]);
    let options = WebRtcTransportOptions::with_server(&server);
    assert!(block_on(stage.router.create_webrtc_transport(options)).is_err(), "nothing more is made on it");
}

#[test]
fn a_transport_that_closes_leaves_it_open() {
    let stage = Stage::new();
    let server = server(&stage);
    let (log, mut kept) = (Log::default(), Kept::default());
    let left = log.clone();
    kept.add(server.observer().on_webrtc_transport_unhandled(move |id| left.write(id.to_string())));
    let transport = transport(&stage, &server);
    let id = transport.id();
    transport.close();
    assert_eq!(log.wait(1), [id.to_string()]);
    assert!(!server.closed());
    assert!(block_on(server.dump()).expect("a dump").web_rtc_transport_ids.is_empty());
}
