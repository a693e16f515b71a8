//! Who closes with what, and what each is told: once, leaves before the trunk, and with an error exactly where a failure was the cause.

mod support;

use pollster::block_on;
use support::*;
use tureen::dictionaries::MediaKind;
use tureen::{HandlerId, LogLevel, Transport as _, WorkerUpdateSettings};
use tureen_room::conference::*;

/// Alice speaks on one transport, Bob hears it on another; all of it is watched.
struct Scene {
    server: Server,
    room: Room,
    alice: Peer,
    bob: Peer,
    source: Transport,
    sink: Transport,
    receiver: RtpReceiver,
    sender: RtpSender,
    log: Log,
    _kept: Vec<HandlerId>,
}

impl Scene {
    fn new() -> Self {
        let server = server(1);
        let room = room_of(&server);
        let (alice, bob) = (able(&room, "alice"), able(&room, "bob"));
        let (source, sink) = (transport(&alice), transport(&bob));
        let receiver = speaking(&alice, &source, 1000);
        let sender = only_sender(&bob);
        block_on(sender.set_transport(&sink)).unwrap();
        let log = Log::default();
        let writer = log.clone();
        let kept = vec![
            server.on_close(log.closing("server")),
            room.on_close(log.closing("room")),
            alice.on_close(log.closing("alice")),
            bob.on_close(log.closing("bob")),
            source.on_close(log.closing("source")),
            sink.on_close(log.closing("sink")),
            receiver.on_close(log.closing("receiver")),
            sender.on_close(log.closing("sender")),
            sender.on_active_change(move |active| writer.write(format!("sender active {active}"))),
        ];
        Self { server, room, alice, bob, source, sink, receiver, sender, log, _kept: kept }
    }

    /// Exactly these lines, and none after them.
    fn expect(&self, lines: &[&str]) {
        assert_eq!(self.log.wait(lines.len()), lines);
        // Whatever else there were would be told before this.
        block_on(self.room.router().worker().manager().all_told());
        assert_eq!(self.log.lines(), lines);
    }
}

#[test]
fn closing_a_receiver_closes_its_senders() {
    let scene = Scene::new();
    let (producer, consumer) = (scene.receiver.producer().unwrap(), scene.sender.consumer().unwrap());
    scene.receiver.close();
    scene.receiver.close();
    assert!(scene.sender.closed() && producer.closed() && consumer.closed());
    assert!(!scene.source.closed() && !scene.sink.closed() && !scene.alice.closed() && !scene.bob.closed());
    scene.expect(&["sender close", "receiver close"]);
}

#[test]
fn closing_a_transport_leaves_receivers_and_senders_without_one() {
    let scene = Scene::new();
    scene.sink.close();
    scene.sink.close();
    assert!(scene.sender.transport().is_none() && !scene.sender.closed());
    scene.source.close();
    assert!(scene.receiver.transport().is_none() && !scene.receiver.closed());
    assert!(scene.alice.transports().is_empty() && scene.bob.transports().is_empty());
    scene.expect(&["sender active false", "sink close", "source close"]);
}

#[test]
fn a_transport_that_closes_below_is_closed() {
    let scene = Scene::new();
    scene.sink.handle().close();
    eventually("the end of the transport", || scene.sink.closed());
    scene.expect(&["sender active false", "sink close"]);
}

#[test]
fn who_sends_leaves_with_the_others_senders() {
    let scene = Scene::new();
    scene.alice.close();
    scene.alice.close();
    assert!(scene.source.closed() && scene.sender.closed() && scene.bob.rtp_senders().is_empty());
    assert_eq!(scene.room.peers(), std::slice::from_ref(&scene.bob));
    scene.expect(&["sender close", "receiver close", "source close", "alice close"]);
}

#[test]
fn who_gets_leaves_with_its_senders() {
    let scene = Scene::new();
    scene.bob.close();
    assert!(scene.sender.closed() && scene.receiver.senders().is_empty() && !scene.receiver.closed());
    scene.expect(&["sender close", "sink close", "bob close"]);
}

#[test]
fn a_room_closes_with_all_that_is_in_it() {
    let scene = Scene::new();
    scene.room.close();
    scene.room.close();
    assert!(
        scene.alice.closed() && scene.bob.closed() && scene.room.closed() && scene.room.router().closed()
    );
    assert!(scene.server.rooms().is_empty() && !scene.server.closed());
    scene.expect(&[
        "sender close",
        "receiver close",
        "source close",
        "alice close",
        "sink close",
        "bob close",
        "room close",
    ]);
}

#[test]
fn a_server_closes_with_all_that_is_on_it() {
    let scene = Scene::new();
    let worker = scene.room.router().worker().clone();
    scene.server.close();
    scene.server.close();
    assert!(scene.server.closed() && worker.closed());
    scene.expect(&[
        "sender close",
        "receiver close",
        "source close",
        "alice close",
        "sink close",
        "bob close",
        "room close",
        "server close",
    ]);
}

#[test]
fn dropping_the_last_handle_closes_a_server() {
    let server = server(1);
    let room = room_of(&server);
    let clone = server.clone();
    drop(server);
    assert!(!room.closed());
    drop(clone);
    assert!(room.closed());
}

#[test]
fn a_router_or_worker_that_is_closed_below_takes_its_room_along() {
    let scene = Scene::new();
    scene.room.router().worker().close();
    eventually("the end of the server", || scene.server.closed());
    assert!(scene.room.closed() && scene.sender.closed());
    let lines = scene.log.wait(9);
    assert_eq!(lines.last().map(String::as_str), Some("server close"));
    for name in ["sender", "receiver", "source", "alice", "sink", "bob", "room", "server"] {
        assert_eq!(
            lines.iter().filter(|line| **line == format!("{name} close")).count(),
            1,
            "{name} in {lines:?}"
        );
    }
}

#[test]
fn every_method_of_what_is_closed_is_refused() {
    let scene = Scene::new();
    let Scene { server, room, alice, source, receiver, .. } = &scene;
    scene.server.close();
    let says = |text: String, name: &str| assert_eq!(text, format!("the {name} is closed"));
    says(block_on(server.dump()).unwrap_err().to_string(), "server");
    let settings = WorkerUpdateSettings { log_level: Some(LogLevel::Warn), log_tags: None };
    says(block_on(server.update_settings(settings)).unwrap_err().to_string(), "server");
    says(block_on(server.create_room(RoomOptions::default())).unwrap_err().to_string(), "server");
    says(block_on(room.dump()).unwrap_err().to_string(), "room");
    says(room.create_peer("carol").unwrap_err().to_string(), "room");
    says(block_on(alice.dump()).unwrap_err().to_string(), "peer");
    says(block_on(alice.set_capabilities(room.capabilities().clone())).unwrap_err().to_string(), "peer");
    says(block_on(alice.create_transport(TransportOptions::default())).unwrap_err().to_string(), "peer");
    says(block_on(alice.create_direct_transport(Default::default())).unwrap_err().to_string(), "peer");
    says(alice.create_rtp_receiver(MediaKind::Audio, source).unwrap_err().to_string(), "peer");
    says(block_on(source.dump()).unwrap_err().to_string(), "transport");
    says(block_on(source.set_max_bitrate(1)).unwrap_err().to_string(), "transport");
    says(block_on(source.change_ufrag_pwd()).unwrap_err().to_string(), "transport");
    says(block_on(source.dtls_remote_cert()).unwrap_err().to_string(), "transport");
    says(block_on(receiver.dump()).unwrap_err().to_string(), "rtpReceiver");
    says(block_on(receiver.receive(opus(1))).unwrap_err().to_string(), "rtpReceiver");
    says(block_on(receiver.set_transport(source)).unwrap_err().to_string(), "rtpReceiver");
    says(block_on(receiver.on_rtp_raw(|_| {})).unwrap_err().to_string(), "rtpReceiver");
}

#[test]
fn a_listener_that_panics_is_told_of_and_the_others_hear() {
    let scene = Scene::new();
    let _panics = scene.sender.on_close(|_| panic!("oh no"));
    let log = scene.log.clone();
    let _errors = scene.sender.on_listener_error(move |error| log.write(error.message.clone()));
    scene.receiver.close();
    scene.expect(&["sender close", "oh no", "receiver close"]);
}

#[test]
fn closed_objects_are_let_go() {
    let scene = Scene::new();
    let held = std::sync::Arc::new(());
    for data in
        [scene.sender.app_data(), scene.receiver.app_data(), scene.alice.app_data(), scene.source.app_data()]
    {
        data.set(std::sync::Arc::clone(&held));
    }
    let server = scene.server.clone();
    scene.room.close();
    drop(scene);
    eventually("the end of the data", || std::sync::Arc::strong_count(&held) == 1);
    assert!(!server.closed());
}

#[test]
fn a_sender_whose_media_cannot_be_made_again_closes_with_an_error() {
    let scene = Scene::new();
    let ssrc = scene.sender.rtp_parameters().encodings[0].ssrc.unwrap();
    let own = speaking(&scene.bob, &scene.sink, ssrc);
    block_on(scene.receiver.receive(opus(2000))).unwrap();
    assert!(scene.sender.closed() && !scene.receiver.closed() && !own.closed());
    let why = format!(
        "sender close: the media cannot be sent any more: identity.ssrc: {ssrc} is already in use on this transport"
    );
    scene.expect(&[&why]);
}

#[test]
fn whatever_happens_at_a_time_each_closes_once() {
    let server = server(1);
    let room = room_of(&server);
    let alice = able(&room, "alice");
    let log = Log::default();
    let receiver = showing(&alice, &transport(&alice), vp8(1000));
    let viewers: Vec<Peer> = (0..6).map(|number| able(&room, &format!("viewer {number}"))).collect();
    let kept: Vec<HandlerId> = viewers
        .iter()
        .map(|viewer| only_sender(viewer).on_close(log.closing(viewer.name())))
        .chain([receiver.on_close(log.closing("receiver"))])
        .collect();
    let threads: Vec<_> = viewers
        .iter()
        .map(|viewer| {
            let (viewer, sender) = (viewer.clone(), only_sender(viewer));
            std::thread::spawn(move || {
                for round in 0.. {
                    let Ok(transport) = block_on(viewer.create_direct_transport(Default::default())) else {
                        break;
                    };
                    // Refused once all is closed, which is what this is about.
                    let _ = block_on(sender.set_transport(&transport));
                    let _ = block_on(sender.disable(EnableOptions::default()));
                    let _ = block_on(sender.enable(EnableOptions::default()));
                    if round % 2 == 0 {
                        transport.close();
                    }
                }
            })
        })
        .collect();
    for round in 0..10 {
        let parameters = if round % 2 == 0 { h264(1000) } else { vp8(1000) };
        block_on(receiver.receive(parameters)).unwrap();
        block_on(receiver.set_transport(&transport(&alice))).unwrap();
        viewers.iter().for_each(|viewer| assert!(only_sender(viewer).available()));
    }
    room.close();
    threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
    block_on(room.router().worker().manager().all_told());
    let mut lines = log.lines();
    lines.sort();
    let mut expected: Vec<String> = viewers.iter().map(|viewer| format!("{} close", viewer.name())).collect();
    expected.insert(0, "receiver close".to_owned());
    assert_eq!(lines, expected);
    drop(kept);
}
