//! Every member of the RtpSender, and what its media does when anything around it changes.

mod support;

use pollster::block_on;
use serde_json::json;
use support::*;
use tureen::dictionaries::{MediaKind, RtpParameters};
use tureen_room::conference::*;

/// Alice shows VP8, Bob sees it.
struct Scene {
    server: Server,
    room: Room,
    alice: Peer,
    bob: Peer,
    receiver: RtpReceiver,
    sender: RtpSender,
}

impl Scene {
    fn new() -> Self {
        let server = server(1);
        let room = room_of(&server);
        let (alice, bob) = (able(&room, "alice"), able(&room, "bob"));
        let receiver = showing(&alice, &transport(&alice), vp8(1000));
        let sender = only_sender(&bob);
        Self { server, room, alice, bob, receiver, sender }
    }

    /// The same, and the sender has a transport.
    fn sending() -> Self {
        let scene = Self::new();
        block_on(scene.sender.set_transport(&transport(&scene.bob))).expect("a transport");
        scene
    }

    fn heard(&self) -> Heard {
        Heard::of(&self.sender.consumer().expect("a consumer"))
    }

    fn show(&self, number: u16, mark: u8) {
        send(&self.receiver, rtp_packet(1000, 101, number, &vp8_key_frame(mark)));
    }
}

#[test]
fn closed_says_whether_the_receiver_is_closed() {
    let scene = Scene::sending();
    assert!(!scene.sender.closed());
    scene.receiver.close();
    assert!(scene.sender.closed() && scene.bob.rtp_senders().is_empty());
    assert!(
        !scene.sender.active() && scene.sender.transport().is_none() && scene.sender.consumer().is_none()
    );
}

#[test]
fn kind_is_that_of_the_receiver() {
    let scene = Scene::new();
    assert_eq!(scene.sender.kind(), MediaKind::Video);
    let sound = scene.alice.transports().remove(0);
    speaking(&scene.alice, &sound, 3000);
    assert_eq!(scene.bob.rtp_senders()[1].kind(), MediaKind::Audio);
}

#[test]
fn associated_peer_is_who_sends_and_peer_is_who_gets() {
    let scene = Scene::new();
    assert_eq!(scene.sender.associated_peer(), &scene.alice);
    assert_eq!(scene.sender.peer(), &scene.bob);
    assert_eq!(scene.sender.associated_rtp_receiver(), &scene.receiver);
    assert!((10_000_000..=99_999_999).contains(&scene.sender.id()));
}

#[test]
fn transport_is_none_until_it_is_set_and_once_it_closed() {
    let scene = Scene::new();
    assert_eq!(scene.sender.transport(), None);
    let transport = transport(&scene.bob);
    block_on(scene.sender.set_transport(&transport)).unwrap();
    assert_eq!(scene.sender.transport(), Some(transport.clone()));
    transport.close();
    assert_eq!(scene.sender.transport(), None);
    assert!(!scene.sender.closed() && !scene.sender.active() && scene.sender.available());
}

#[test]
fn rtp_parameters_are_the_receivers_within_the_peers_capabilities() {
    let server = server(1);
    let room = room_of(&server);
    let (alice, bob) = (able(&room, "alice"), room.create_peer("bob").unwrap());
    block_on(bob.set_capabilities(only(&room, &["VP8"]))).unwrap();
    let receiver = showing(&alice, &transport(&alice), vp8(1000));
    let (source, sender) = (receiver.rtp_parameters().unwrap(), only_sender(&bob));
    let reduced = sender.rtp_parameters();
    assert_eq!(source.codecs.len(), 2, "with RTX");
    assert_eq!(reduced.codecs, source.codecs[..1], "Bob has no RTX");
    assert_eq!(reduced.header_extensions, source.header_extensions);
    assert_eq!(reduced.rtcp, source.rtcp);
    assert_eq!(reduced.encodings.len(), 1);
    assert_eq!(reduced.mid.as_ref().map(String::len), Some(8));
}

#[test]
fn what_the_consumer_sends_is_what_the_parameters_say() {
    let scene = Scene::sending();
    let (own, sent) =
        (scene.sender.rtp_parameters(), scene.sender.consumer().unwrap().rtp_parameters().clone());
    assert_eq!(own.codecs, sent.codecs);
    assert_eq!(own.header_extensions, sent.header_extensions);
    assert_eq!((&own.mid, &own.rtcp.cname), (&sent.mid, &sent.rtcp.cname));
    assert_eq!(own.encodings[0].ssrc, sent.encodings[0].ssrc);
    assert_eq!(own.encodings[0].rtx, sent.encodings[0].rtx);
}

#[test]
fn available_says_whether_the_peer_can_take_it() {
    let server = server(1);
    let room = room_of(&server);
    let (alice, bob, carol) = (able(&room, "alice"), able(&room, "bob"), room.create_peer("carol").unwrap());
    block_on(carol.set_capabilities(only(&room, &["H264"]))).unwrap();
    showing(&alice, &transport(&alice), vp8(1000));
    assert!(only_sender(&bob).available());
    let carols = only_sender(&carol);
    assert!(!carols.available());
    assert!(carols.rtp_parameters().codecs.is_empty() && carols.rtp_parameters().encodings.is_empty());
    block_on(carols.set_transport(&transport(&carol))).unwrap();
    assert!(!carols.active() && carols.consumer().is_none(), "a transport makes nothing available");
}

#[test]
fn active_is_available_and_enabled_and_with_a_transport() {
    let scene = Scene::new();
    assert!(!scene.sender.active());
    block_on(scene.sender.disable(EnableOptions::default())).unwrap();
    block_on(scene.sender.set_transport(&transport(&scene.bob))).unwrap();
    assert!(!scene.sender.active(), "disabled");
    assert!(scene.sender.consumer().unwrap().paused());
    block_on(scene.sender.enable(EnableOptions::default())).unwrap();
    assert!(scene.sender.active() && !scene.sender.consumer().unwrap().paused());
}

#[test]
fn set_transport_names_what_it_refuses() {
    let scene = Scene::new();
    let foreign = block_on(scene.sender.set_transport(&scene.alice.transports()[0]));
    assert_eq!(foreign, Err(SetTransportError::ForeignTransport));
    let closed = transport(&scene.bob);
    closed.close();
    let refused = block_on(scene.sender.set_transport(&closed)).unwrap_err();
    assert!(
        matches!(refused, SetTransportError::InvalidState(_)) && refused.to_string().contains("transport")
    );
    assert_eq!(scene.sender.transport(), None);
}

#[test]
fn media_goes_on_over_another_transport_under_the_same_ssrc() {
    let scene = Scene::sending();
    let (parameters, heard) = (scene.sender.rtp_parameters(), scene.heard());
    scene.show(1, 1);
    let before = heard.wait_for(1);
    assert_eq!(Some(before.0), parameters.encodings[0].ssrc);
    assert_eq!(before.2, 101);

    let first = scene.sender.transport().unwrap();
    block_on(scene.sender.set_transport(&transport(&scene.bob))).unwrap();
    heard.also(&scene.sender.consumer().unwrap());
    scene.show(2, 2);
    assert_eq!(heard.wait_for(2).0, before.0);
    assert_eq!(scene.sender.rtp_parameters(), parameters);

    block_on(scene.sender.set_transport(&first)).unwrap();
    heard.also(&scene.sender.consumer().unwrap());
    scene.show(3, 3);
    let back = heard.wait_for(3);
    assert_eq!(back.0, before.0);
    assert_eq!(back.1, before.1.wrapping_add(1), "the sequence numbers of this transport go on");
    assert_eq!(heard.packets().len(), 3, "each came once");
}

#[test]
fn media_goes_on_after_its_transport_closed_and_another_is_set() {
    let scene = Scene::sending();
    let ssrc = scene.sender.rtp_parameters().encodings[0].ssrc;
    scene.sender.transport().unwrap().close();
    assert!(scene.sender.consumer().is_none());
    block_on(scene.sender.set_transport(&transport(&scene.bob))).unwrap();
    let heard = scene.heard();
    scene.show(1, 1);
    assert_eq!(Some(heard.wait_for(1).0), ssrc);
}

#[test]
fn a_sender_without_a_transport_or_media_to_take_has_no_consumer() {
    let scene = Scene::new();
    assert!(scene.sender.consumer().is_none());
    block_on(scene.sender.set_transport(&transport(&scene.bob))).unwrap();
    assert!(scene.sender.consumer().is_some());
    block_on(scene.receiver.receive(h264(1000))).unwrap();
    assert!(scene.sender.consumer().is_some(), "Bob has H264 too");
}

#[test]
fn enable_and_disable_are_told_if_they_change_anything_and_are_to_be_told() {
    let scene = Scene::sending();
    let log = Log::default();
    let writer = log.clone();
    let _kept = scene.sender.on_active_change(move |active| writer.write(format!("{active}")));
    let (disable, enable) =
        (|options| block_on(scene.sender.disable(options)), |options| block_on(scene.sender.enable(options)));
    disable(EnableOptions::default()).unwrap();
    disable(EnableOptions::default()).unwrap();
    assert!(scene.sender.consumer().unwrap().paused());
    enable(EnableOptions::silent()).unwrap();
    enable(EnableOptions::default()).unwrap();
    assert!(scene.sender.active());
    disable(EnableOptions::default()).unwrap();
    assert_eq!(log.wait(2), ["false", "false"]);
}

#[test]
fn disabled_media_stays_away_and_comes_back_from_a_key_frame() {
    let scene = Scene::sending();
    let heard = scene.heard();
    scene.show(1, 1);
    heard.wait_for(1);
    block_on(scene.sender.disable(EnableOptions::default())).unwrap();
    scene.show(2, 2);
    eventually("the arrival of what nobody is to see", || {
        block_on(scene.receiver.dump())
            .unwrap()
            .rtp_streams
            .first()
            .is_some_and(|stream| stream.packet_count == 2)
    });
    block_on(scene.sender.enable(EnableOptions::default())).unwrap();
    let no_key_frame = [0x10, 0x11, 0, 0, 0, 3];
    send(&scene.receiver, rtp_packet(1000, 101, 3, &no_key_frame));
    scene.show(4, 4);
    heard.wait_for(4);
    let marks: Vec<u8> = heard.packets().iter().map(|packet| packet.3).collect();
    assert_eq!(marks, [1, 4]);
}

#[test]
fn dump_says_it_all() {
    let scene = Scene::sending();
    let dump = block_on(scene.sender.dump()).unwrap();
    let json = serde_json::to_value(&dump).unwrap();
    assert_eq!(json["rtpSenderId"], scene.sender.id());
    assert_eq!(json["kind"], "video");
    assert_eq!(json["rtpParameters"], serde_json::to_value(scene.sender.rtp_parameters()).unwrap());
    assert_eq!(
        (&json["hasTransport"], &json["available"], &json["active"]),
        (&true.into(), &true.into(), &true.into())
    );
    assert_eq!(json["supportedPayloadTypes"], serde_json::json!([101, 102]));
}

#[test]
fn close_is_told_once_and_without_an_error() {
    let scene = Scene::sending();
    let log = Log::default();
    let _kept = scene.sender.on_close(log.closing("sender"));
    scene.receiver.close();
    scene.server.close();
    let _last = scene.server.on_close(log.closing("server"));
    assert_eq!(log.wait(1), ["sender close"]);
}

#[test]
fn every_method_of_a_closed_sender_is_refused() {
    let scene = Scene::sending();
    let spare = transport(&scene.bob);
    scene.receiver.close();
    let says = |text: String| assert_eq!(text, "the rtpSender is closed");
    says(block_on(scene.sender.set_transport(&spare)).unwrap_err().to_string());
    says(block_on(scene.sender.enable(EnableOptions::default())).unwrap_err().to_string());
    says(block_on(scene.sender.disable(EnableOptions::default())).unwrap_err().to_string());
    let refused = block_on(scene.sender.dump()).unwrap_err();
    assert!(matches!(refused, StateError::InvalidState(_)));
    says(refused.to_string());
}

#[test]
fn parameters_that_change_are_told_with_what_becomes_available() {
    let server = server(1);
    let room = room_of(&server);
    let (alice, carol) = (able(&room, "alice"), room.create_peer("carol").unwrap());
    block_on(carol.set_capabilities(only(&room, &["H264"]))).unwrap();
    let receiver = showing(&alice, &transport(&alice), vp8(1000));
    let sender = only_sender(&carol);
    block_on(sender.set_transport(&transport(&carol))).unwrap();
    let log = Log::default();
    let (changes, actives, transports) = (log.clone(), log.clone(), log.clone());
    let _changes = sender.on_parameters_change(move |change| {
        let payload_types: Vec<u8> =
            change.rtp_parameters.codecs.iter().map(|codec| codec.payload_type).collect();
        changes.write(format!("parameters {payload_types:?} {}", change.available));
    });
    let _actives = sender.on_active_change(move |active| actives.write(format!("active {active}")));
    let _transports = sender.on_transport(move |_| transports.write("transport"));

    block_on(receiver.receive(h264(2000))).unwrap();
    assert!(sender.available() && sender.active());
    let heard = Heard::of(&sender.consumer().unwrap());
    send(&receiver, rtp_packet(2000, 103, 1, &h264_key_frame(7)));
    let heard = heard.wait_for(7);
    assert_eq!((Some(heard.0), heard.2), (sender.rtp_parameters().encodings[0].ssrc, 103));

    block_on(receiver.receive(vp8(1000))).unwrap();
    assert!(!sender.available() && !sender.active() && sender.consumer().is_none());
    block_on(sender.set_transport(&transport(&carol))).unwrap();
    let expected =
        ["parameters [103] true", "active true", "parameters [] false", "active false", "transport"];
    assert_eq!(log.wait(5), expected);
}

#[test]
fn user_parameters_go_from_receiver_to_sender_as_they_are() {
    let server = server(1);
    let room = room_of(&server);
    let (alice, bob) = (able(&room, "alice"), able(&room, "bob"));
    let saying = |title: &str| {
        let mut parameters = serde_json::to_value(vp8(1000)).unwrap();
        parameters["userParameters"] = json!({"title": title, "at": {"x": [1, null, true]}});
        serde_json::from_value::<RtpParameters>(parameters).unwrap()
    };
    let receiver = showing(&alice, &transport(&alice), saying("a slide"));
    let sender = only_sender(&bob);
    block_on(sender.set_transport(&transport(&bob))).unwrap();
    assert_eq!(sender.rtp_parameters().user_parameters, saying("a slide").user_parameters);
    let dump = serde_json::to_value(block_on(sender.dump()).unwrap()).unwrap();
    let said = json!({"title": "a slide", "at": {"x": [1, null, true]}});
    assert_eq!(dump["rtpParameters"]["userParameters"], said);

    let consumer = sender.consumer().unwrap();
    let (log, told) = (Log::default(), Log::default());
    let _changes = sender.on_parameters_change({
        let log = log.clone();
        move |change| log.write(change.rtp_parameters.user_parameters.clone().unwrap()["title"].to_string())
    });
    let _closes = consumer.observer().on_close({
        let told = told.clone();
        move || told.write("the consumer closed")
    });
    block_on(receiver.receive(saying("the next slide"))).unwrap();
    assert_eq!(log.wait(1), ["\"the next slide\""]);
    assert_eq!(sender.consumer().unwrap().id(), consumer.id(), "media goes on");
    assert!(!consumer.closed() && told.lines().is_empty());
    assert!(consumer.rtp_parameters().user_parameters.is_none(), "negotiation leaves them out");
}

#[test]
fn streams_tell_the_same_as_listeners() {
    let scene = Scene::new();
    let mut events = scene.sender.events();
    let transport = transport(&scene.bob);
    block_on(scene.sender.set_transport(&transport)).unwrap();
    scene.room.close();
    let told: Vec<String> = block_on(async {
        let mut told = Vec::new();
        while let Some(event) = events.next().await {
            told.push(match event {
                RtpSenderEvent::Transport(other) => format!("transport {}", other == transport),
                RtpSenderEvent::ActiveChange(active) => format!("active {active}"),
                RtpSenderEvent::Close(error) => format!("close {error:?}"),
                other => format!("{other:?}"),
            });
        }
        told
    });
    assert_eq!(told, ["transport true", "active true", "close None"]);
}
