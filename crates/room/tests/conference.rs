//! Servers, rooms, peers, transports and receivers: what each makes, tells and refuses; and three peers who see each other as far as they can.

mod support;

use pollster::block_on;
use support::*;
use tureen::dictionaries::{
    DtlsParameters, DtlsRole, DtlsState, IceState, MediaKind, RtpParameters, TransportProtocol,
};
use tureen::{LogLevel, WorkerUpdateSettings};
use tureen_room::conference::*;

#[test]
fn a_server_shares_its_rooms_out_to_its_workers() {
    let server = server(2);
    assert_eq!(server.workers().len(), 2);
    let rooms: Vec<Room> = (0..20).map(|_| room_of(&server)).collect();
    assert_eq!(server.rooms(), rooms);
    let dump = serde_json::to_value(block_on(server.dump()).unwrap()).unwrap();
    let workers = dump["workers"].as_array().unwrap();
    let on_each: Vec<usize> =
        workers.iter().map(|worker| worker["rooms"].as_array().unwrap().len()).collect();
    assert_eq!(on_each.iter().sum::<usize>(), 20);
    assert!(on_each.iter().all(|rooms| *rooms > 0), "at random, {on_each:?}");
    let names: Vec<&str> = workers.iter().map(|worker| worker["workerId"].as_str().unwrap()).collect();
    assert!(names[0].ends_with("#1") && names[1].ends_with("#2") && names[0].len() == 10, "{names:?}");
    assert_eq!(names[0][..8], names[1][..8]);
}

#[test]
fn ids_of_everything_in_a_server_differ() {
    let server = server(1);
    let mut ids = std::collections::BTreeSet::new();
    for _ in 0..3 {
        let room = room_of(&server);
        let (alice, bob) = (able(&room, "alice"), able(&room, "bob"));
        let transport = transport(&alice);
        let receiver = speaking(&alice, &transport, 1000);
        ids.extend([room.id(), alice.id(), bob.id(), transport.id(), receiver.id(), only_sender(&bob).id()]);
    }
    assert_eq!(ids.len(), 18);
    assert!(ids.iter().all(|id| (10_000_000..=99_999_999).contains(id)));
}

#[test]
fn a_server_names_the_setting_that_it_refuses() {
    let refused = |change: fn(&mut ServerSettings)| {
        let mut settings = ServerSettings::with_workers(1);
        change(&mut settings);
        block_on(Server::new(settings)).unwrap_err().to_string()
    };
    assert!(refused(|settings| settings.num_workers = Some(0)).starts_with("numWorkers"));
    assert!(
        refused(|settings| settings.rtc_max_port = 10_000)
            .starts_with("rtcMinPort 10000 to rtcMaxPort 10000")
    );
    let other_family =
        |settings: &mut ServerSettings| settings.rtc_ipv6 = RtcAddress::Address([127, 0, 0, 1].into());
    assert!(refused(other_family).starts_with("rtcIPv6"));
}

#[test]
fn settings_reach_every_worker() {
    let server = server(2);
    let settings = WorkerUpdateSettings { log_level: Some(LogLevel::Warn), log_tags: None };
    block_on(server.update_settings(settings)).unwrap();
    assert!(server.workers().iter().all(|worker| worker.log_filter().level() == LogLevel::Warn));
}

#[test]
fn new_objects_are_told_by_what_they_are_made_on() {
    let server = server(1);
    let log = Log::default();
    let writer = log.clone();
    let _rooms = server.on_new_room(move |room| {
        let on_peer = writer.clone();
        room.on_new_peer(move |peer| {
            let (capabilities, transports) = (on_peer.clone(), on_peer.clone());
            let (receivers, senders) = (on_peer.clone(), on_peer.clone());
            let name = peer.name().to_owned();
            let of = move |what: &str| format!("{name} {what}");
            let (a, b, c, d) = (of("capabilities"), of("transport"), of("receiver"), of("sender"));
            peer.on_capabilities(move |_| capabilities.write(a.clone())).detach();
            peer.on_new_transport(move |_| transports.write(b.clone())).detach();
            peer.on_new_rtp_receiver(move |_| receivers.write(c.clone())).detach();
            peer.on_new_rtp_sender(move |_| senders.write(d.clone())).detach();
            on_peer.write(peer.name());
        })
        .detach();
        writer.write("room");
    });
    let room = room_of(&server);
    log.wait(1);
    let alice = room.create_peer("alice").unwrap();
    let bob = room.create_peer("bob").unwrap();
    log.wait(3);
    block_on(alice.set_capabilities(room.capabilities().clone())).unwrap();
    speaking(&alice, &transport(&alice), 1000);
    block_on(bob.set_capabilities(room.capabilities().clone())).unwrap();
    let expected = [
        "room",
        "alice",
        "bob",
        "alice capabilities",
        "alice transport",
        "alice receiver",
        "bob capabilities",
        "bob sender",
    ];
    assert_eq!(log.lines(), expected, "all of it before the capabilities of Bob were taken");
}

#[test]
fn rooms_have_the_codecs_that_they_are_made_with() {
    let server = server(1);
    let room = room_of(&server);
    let names = |capabilities: &tureen::dictionaries::RtpCapabilities| -> Vec<(String, u8)> {
        let of = |codec: &tureen::dictionaries::RtpCodecCapability| {
            (codec.mime_type.subtype().to_owned(), codec.preferred_payload_type)
        };
        capabilities.codecs.iter().map(of).collect()
    };
    let pair = |name: &str, payload_type: u8| (name.to_owned(), payload_type);
    assert_eq!(names(&room.get_capabilities(MediaKind::Audio)), [pair("opus", 100)]);
    let video = [pair("VP8", 101), pair("rtx", 102), pair("H264", 103), pair("rtx", 104)];
    assert_eq!(names(&room.get_capabilities(MediaKind::Video)), video);
    let feedback = serde_json::json!([{"mimeType": "video/VP8", "clockRate": 90000, "rtcpFeedback": [{"type": "nack"}]}]);
    let options = RoomOptions::new(tureen::dictionaries::from_json_value(feedback).unwrap());
    let refused = block_on(server.create_room(options)).unwrap_err();
    assert_eq!(refused, CreateRoomError::MediaCodecs(MediaCodecsError::RtcpFeedback(0)));
}

#[test]
fn a_peer_has_a_name_of_its_own() {
    let server = server(1);
    let room = room_of(&server);
    let alice = room.create_peer("alice").unwrap();
    assert_eq!(room.create_peer("alice").unwrap_err(), CreatePeerError::DuplicateName("alice".into()));
    assert_eq!(room.create_peer("").unwrap_err(), CreatePeerError::EmptyName);
    assert_eq!(room.get_peer("alice"), Some(alice.clone()));
    assert_eq!(room.get_peer("bob"), None);
    alice.close();
    assert!(room.peers().is_empty() && room.get_peer("alice").is_none());
    assert_ne!(room.create_peer("alice").unwrap(), alice, "the name is free again");
}

#[test]
fn capabilities_are_set_once_and_before_any_receiver() {
    let server = server(1);
    let room = room_of(&server);
    let alice = room.create_peer("alice").unwrap();
    let transport = transport(&alice);
    let refused = alice.create_rtp_receiver(MediaKind::Audio, &transport).unwrap_err();
    assert_eq!(refused, CreateRtpReceiverError::NoCapabilities);
    let mut malformed = room.capabilities().clone();
    malformed.codecs[0].clock_rate = 0;
    let refused = block_on(alice.set_capabilities(malformed)).unwrap_err();
    assert!(refused.to_string().contains("codecs[0].clockRate"), "{refused}");
    assert_eq!(alice.capabilities(), None);
    let effective = block_on(alice.set_capabilities(only(&room, &["VP8", "rtx"]))).unwrap();
    assert_eq!(effective.codecs.len(), 2, "RTX of H264 goes with it");
    assert_eq!(alice.capabilities(), Some(effective));
    let again = block_on(alice.set_capabilities(room.capabilities().clone()));
    assert_eq!(again, Err(SetCapabilitiesError::AlreadySet));
}

#[test]
fn a_receiver_is_of_a_kind_and_on_a_transport_of_its_peer() {
    let server = server(1);
    let room = room_of(&server);
    let (alice, bob) = (able(&room, "alice"), able(&room, "bob"));
    let (own, foreign) = (transport(&alice), transport(&bob));
    let refused = |kind, transport| alice.create_rtp_receiver(kind, transport).unwrap_err();
    assert_eq!(refused(ReceiverKind::Depth, &own), CreateRtpReceiverError::Depth);
    assert!(CreateRtpReceiverError::Depth.to_string().contains("depth"));
    assert_eq!(refused(ReceiverKind::Audio, &foreign), CreateRtpReceiverError::ForeignTransport);
    let receiver = alice.create_rtp_receiver(MediaKind::Audio, &own).unwrap();
    assert_eq!(
        (receiver.kind(), receiver.peer(), receiver.associated_peer()),
        (MediaKind::Audio, &alice, &alice)
    );
    assert_eq!((receiver.transport(), receiver.rtp_parameters()), (Some(own.clone()), None));
    own.close();
    assert_eq!(receiver.transport(), None);
    let refused = refused(ReceiverKind::Audio, &own);
    assert_eq!(refused.to_string(), "the transport is closed");
}

#[test]
fn receiving_makes_senders_once_and_tells_changes_after() {
    let server = server(1);
    let room = room_of(&server);
    let (alice, bob, carol) = (able(&room, "alice"), able(&room, "bob"), room.create_peer("carol").unwrap());
    let receiver = alice.create_rtp_receiver(MediaKind::Video, &transport(&alice)).unwrap();
    let log = Log::default();
    let (first, later) = (log.clone(), log.clone());
    let _first =
        receiver.on_parameters(move |it| first.write(format!("parameters {:?}", it.encodings[0].ssrc)));
    let _later =
        receiver.on_parameters_change(move |it| later.write(format!("change {:?}", it.encodings[0].ssrc)));
    block_on(receiver.receive(vp8(1000))).unwrap();
    assert_eq!(receiver.rtp_parameters().unwrap().encodings[0].codec_payload_type, Some(101), "filled in");
    let sender = only_sender(&bob);
    assert!(
        alice.rtp_senders().is_empty() && carol.rtp_senders().is_empty(),
        "Carol has not said what she can"
    );
    let ssrc = sender.rtp_parameters().encodings[0].ssrc;
    block_on(receiver.receive(vp8(2000))).unwrap();
    assert_eq!(receiver.senders(), std::slice::from_ref(&sender));
    assert_eq!(sender.rtp_parameters().encodings[0].ssrc, ssrc);
    block_on(carol.set_capabilities(room.capabilities().clone())).unwrap();
    assert_eq!(receiver.senders(), [sender, only_sender(&carol)]);
    assert_eq!(log.wait(2), ["parameters Some(1000)", "change Some(2000)"]);
}

#[test]
fn what_is_refused_changes_nothing() {
    let server = server(1);
    let room = room_of(&server);
    let (alice, bob) = (able(&room, "alice"), able(&room, "bob"));
    let transport_of_alice = transport(&alice);
    let receiver = showing(&alice, &transport_of_alice, vp8(1000));
    speaking(&alice, &transport_of_alice, 5000);
    let sender = bob.rtp_senders().remove(0);
    block_on(sender.set_transport(&transport(&bob))).unwrap();
    let before = receiver.rtp_parameters();
    let refused = block_on(receiver.receive(vp8(5000))).unwrap_err();
    assert!(matches!(refused, ReceiveError::Produce(_)) && refused.to_string().contains("5000"), "{refused}");
    let mut foreign = vp8(1000);
    foreign.codecs[0].payload_type = 96;
    foreign.codecs.truncate(1);
    let refused = block_on(receiver.receive(foreign)).unwrap_err();
    assert!(refused.to_string().starts_with("codecs[0].payloadType"), "{refused}");
    assert_eq!(receiver.rtp_parameters(), before);
    let heard = Heard::of(&sender.consumer().unwrap());
    send(&receiver, rtp_packet(1000, 101, 1, &vp8_key_frame(9)));
    heard.wait_for(9);
}

#[test]
fn a_receiver_goes_on_over_another_transport_and_its_senders_with_it() {
    let server = server(1);
    let room = room_of(&server);
    let (alice, bob) = (able(&room, "alice"), able(&room, "bob"));
    let receiver = showing(&alice, &transport(&alice), vp8(1000));
    let sender = only_sender(&bob);
    block_on(sender.set_transport(&transport(&bob))).unwrap();
    let heard = Heard::of(&sender.consumer().unwrap());
    send(&receiver, rtp_packet(1000, 101, 1, &vp8_key_frame(1)));
    let before = heard.wait_for(1);

    let log = Log::default();
    let writer = log.clone();
    let _kept = receiver.on_transport(move |transport| writer.write(transport.id().to_string()));
    let (foreign, other) = (sender.transport().unwrap(), transport(&alice));
    let refused = block_on(receiver.set_transport(&foreign));
    assert_eq!(refused, Err(SetTransportError::ForeignTransport));
    receiver.transport().unwrap().close();
    assert!(receiver.producer().is_none() && !receiver.closed());
    block_on(receiver.set_transport(&other)).unwrap();
    assert_eq!(log.wait(1), [other.id().to_string()]);
    heard.also(&sender.consumer().unwrap());
    send(&receiver, rtp_packet(1000, 101, 2, &vp8_key_frame(2)));
    let after = heard.wait_for(2);
    assert_eq!((after.0, after.1), (before.0, before.1.wrapping_add(1)));
}

#[test]
fn parameters_may_be_said_before_there_is_a_transport() {
    let server = server(1);
    let room = room_of(&server);
    let (alice, bob) = (able(&room, "alice"), able(&room, "bob"));
    let first = transport(&alice);
    let receiver = alice.create_rtp_receiver(MediaKind::Audio, &first).unwrap();
    first.close();
    block_on(receiver.receive(opus(1000))).unwrap();
    let sender = only_sender(&bob);
    block_on(sender.set_transport(&transport(&bob))).unwrap();
    assert!(sender.active() && sender.consumer().is_none());
    block_on(receiver.set_transport(&transport(&alice))).unwrap();
    let heard = Heard::of(&sender.consumer().unwrap());
    send(&receiver, rtp_packet(1000, 100, 1, &[1, 2, 3]));
    heard.wait_for(3);
}

#[test]
fn three_peers_see_each_other_as_far_as_they_can() {
    let server = server(1);
    let room = room_of(&server);
    let (alice, bob, carol) = (able(&room, "alice"), able(&room, "bob"), room.create_peer("carol").unwrap());
    block_on(carol.set_capabilities(only(&room, &["H264"]))).unwrap();
    let receiver = showing(&alice, &transport(&alice), vp8(1000));
    let (bobs, carols) = (only_sender(&bob), only_sender(&carol));
    for sender in [&bobs, &carols] {
        block_on(sender.set_transport(&transport(sender.peer()))).unwrap();
    }
    assert!(bobs.active() && !carols.available());
    let bob_hears = Heard::of(&bobs.consumer().unwrap());
    send(&receiver, rtp_packet(1000, 101, 1, &vp8_key_frame(1)));
    let before = bob_hears.wait_for(1);

    block_on(receiver.receive(h264(1000))).unwrap();
    assert!(bobs.active() && carols.active());
    let carol_hears = Heard::of(&carols.consumer().unwrap());
    bob_hears.also(&bobs.consumer().unwrap());
    send(&receiver, rtp_packet(1000, 103, 2, &h264_key_frame(2)));
    assert_eq!(bob_hears.wait_for(2).0, before.0);
    assert_ne!(carol_hears.wait_for(2).0, before.0, "each sender has an SSRC of its own");

    block_on(receiver.receive(vp8(1000))).unwrap();
    assert!(bobs.active() && !carols.available());
    bob_hears.also(&bobs.consumer().unwrap());
    send(&receiver, rtp_packet(1000, 101, 3, &vp8_key_frame(3)));
    assert_eq!(bob_hears.wait_for(3).1, before.1.wrapping_add(2));
    assert_eq!(carol_hears.packets().len(), 1);
}

#[test]
fn a_transport_for_browsers_has_ice_and_dtls() {
    let server = server(1);
    let room = room_of(&server);
    let alice = room.create_peer("alice").unwrap();
    let mut options = TransportOptions::default();
    options.prefer_tcp = true;
    let transport = block_on(alice.create_transport(options)).unwrap();
    assert_eq!(transport.peer(), &alice);
    assert_eq!((transport.ice_state(), transport.dtls_state()), (Some(IceState::New), Some(DtlsState::New)));
    assert!(transport.ice_role().is_some() && transport.ice_selected_tuple().is_none());
    let candidates = transport.ice_local_candidates().unwrap();
    let protocols: Vec<_> = candidates.iter().map(|candidate| candidate.protocol).collect();
    assert_eq!(protocols, [TransportProtocol::Tcp, TransportProtocol::Udp]);
    let own = transport.dtls_local_parameters().unwrap();
    assert!(!own.fingerprints.is_empty());
    assert_eq!(block_on(transport.dtls_remote_cert()).unwrap(), None);

    let before = transport.ice_local_parameters().unwrap();
    let after = block_on(transport.change_ufrag_pwd()).unwrap();
    assert_ne!(before, after);
    assert_eq!(transport.ice_local_parameters(), Some(after));
    block_on(transport.set_max_bitrate(500_000)).unwrap();
    let remote = DtlsParameters { role: DtlsRole::Server, fingerprints: own.fingerprints };
    block_on(transport.set_remote_dtls_parameters(remote.clone())).unwrap();
    let again = block_on(transport.set_remote_dtls_parameters(remote)).unwrap_err();
    assert!(matches!(again, TransportError::Connect(_)));
    let dump = serde_json::to_value(block_on(transport.dump()).unwrap()).unwrap();
    assert_eq!(dump["transportId"], transport.id());
    assert_eq!(dump["iceState"], "new");

    let mut neither = TransportOptions::default();
    (neither.udp, neither.tcp) = (false, false);
    let refused = block_on(alice.create_transport(neither)).unwrap_err();
    assert!(matches!(refused, CreateTransportError::NoProtocol));
    let direct = support::transport(&alice);
    let refused = block_on(direct.change_ufrag_pwd()).unwrap_err();
    assert_eq!(refused, TransportError::NotWebRtc);
    assert_eq!(direct.ice_state(), None);
}

#[test]
fn dumps_show_the_whole_tree() {
    let server = server(1);
    let room = room_of(&server);
    let (alice, bob) = (able(&room, "alice"), able(&room, "bob"));
    let receiver = speaking(&alice, &transport(&alice), 1000);
    let sender = only_sender(&bob);
    let dump = serde_json::to_value(block_on(room.dump()).unwrap()).unwrap();
    assert_eq!(dump["roomId"], room.id());
    assert_eq!(dump["peers"][0]["peerName"], "alice");
    assert_eq!(dump["peers"][0]["rtpReceivers"][0]["rtpReceiverId"], receiver.id());
    assert_eq!(dump["peers"][0]["rtpReceivers"][0]["hasTransport"], true);
    assert_eq!(dump["peers"][0]["transports"].as_array().unwrap().len(), 1);
    assert_eq!(dump["peers"][1]["rtpSenders"][0]["rtpSenderId"], sender.id());
    assert_eq!(dump["mapRtpReceiverRtpSenders"][receiver.id().to_string()], serde_json::json!([sender.id()]));
    assert_eq!(dump["mapRtpSenderRtpReceiver"][sender.id().to_string()], receiver.id());
}

#[test]
fn packets_are_handed_out_while_somebody_listens() {
    let server = server(1);
    let room = room_of(&server);
    let alice = able(&room, "alice");
    let receiver = showing(&alice, &transport(&alice), vp8(1000));
    let enabled = || {
        let dump = block_on(receiver.dump()).unwrap();
        (dump.rtp_raw_event_enabled, dump.rtp_object_event_enabled)
    };
    let consumers = || {
        let transports = block_on(room.router().dump()).unwrap().map_producer_id_consumer_ids;
        transports.values().map(|consumers| consumers.len()).sum::<usize>()
    };
    assert_eq!((enabled(), consumers()), ((false, false), 0));
    let log = Log::default();
    let (raws, objects) = (log.clone(), log.clone());
    let raw = block_on(
        receiver.on_rtp_raw(move |packet| raws.write(format!("raw {} {:?}", packet.len(), &packet[8..12]))),
    );
    let raw = raw.unwrap();
    assert_eq!((enabled(), consumers()), ((true, false), 1));
    send(&receiver, rtp_packet(1000, 101, 1, &vp8_key_frame(1)));
    assert_eq!(log.wait(1), [format!("raw {} {:?}", 24, 1000_u32.to_be_bytes())]);

    let object = block_on(receiver.on_rtp_object(move |packet| {
        objects.write(format!(
            "object {} {} {} {}",
            packet.payload_type, packet.marker, packet.ssrc, packet.payload[11]
        ));
    }));
    let object = object.unwrap();
    assert_eq!((enabled(), consumers()), ((true, true), 1));
    drop(raw);
    send(&receiver, rtp_packet(1000, 101, 2, &vp8_key_frame(7)));
    assert_eq!(log.wait(2)[1], "object 101 true 1000 7");

    block_on(receiver.receive(h264(3000))).unwrap();
    send(&receiver, rtp_packet(3000, 103, 3, &h264_key_frame(8)));
    assert_eq!(log.wait(3)[2], "object 103 true 3000 8", "of other parameters too");
    drop(object);
    eventually("the end of the consumer", || consumers() == 0);
    assert_eq!(enabled(), (false, false));
}

#[test]
fn listening_asks_for_a_key_frame() {
    let server = server(1);
    let room = room_of(&server);
    let alice = able(&room, "alice");
    let transport = transport(&alice);
    let receiver = showing(&alice, &transport, vp8(1000));
    let tureen::AnyTransport::Direct(direct) = transport.handle() else { panic!("a direct transport") };
    let log = Log::default();
    let writer = log.clone();
    // PLI is payload-specific feedback of format 1 (RFC 4585 section 6.3.1).
    let _kept = direct.on_rtcp(move |compound| {
        let mut rest = &compound[..];
        while rest.len() >= 4 {
            if (rest[0] & 0x1f, rest[1]) == (1, 206) {
                writer.write("pli");
            }
            rest = &rest[rest.len().min(4 + 4 * usize::from(u16::from_be_bytes([rest[2], rest[3]])))..];
        }
    });
    send(&receiver, rtp_packet(1000, 101, 1, &vp8_key_frame(1)));
    eventually("a stream to ask", || !block_on(receiver.dump()).unwrap().rtp_streams.is_empty());
    assert!(log.lines().is_empty());
    let _packets = block_on(receiver.on_rtp_raw(|_| {})).unwrap();
    log.wait(1);
}

/// Opus whose packets say how loud they are (RFC 6464), as extension 10.
fn audible(ssrc: u32) -> RtpParameters {
    let mut parameters = serde_json::to_value(opus(ssrc)).unwrap();
    let level = serde_json::json!([{"uri": "urn:ietf:params:rtp-hdrext:ssrc-audio-level", "id": 10}]);
    parameters["headerExtensions"] = level;
    serde_json::from_value(parameters).unwrap()
}

/// A packet of such a level, in -dBov (RFC 6464 section 3, RFC 8285 section 4.2).
fn loud_packet(ssrc: u32, sequence_number: u16, level: u8) -> Vec<u8> {
    let mut bytes = rtp_packet(ssrc, 100, sequence_number, &[0xbe, 0xde, 0, 1, 10 << 4, level, 0, 0, 1]);
    bytes[0] |= 0x10;
    bytes
}

#[test]
fn the_levels_of_all_are_told_while_somebody_listens() {
    let server = server(1);
    let room = room_of(&server);
    let observers = || block_on(room.router().dump()).unwrap().rtp_observer_ids.len();
    let (alice, bob) = (able(&room, "alice"), able(&room, "bob"));
    let there = transport(&alice);
    let first = alice.create_rtp_receiver(MediaKind::Audio, &there).unwrap();
    block_on(first.receive(audible(1000))).unwrap();
    assert_eq!(observers(), 0);
    let log = Log::default();
    let lines = log.clone();
    let listening = block_on(room.on_audio_levels(move |levels| {
        let entry =
            |it: &AudioLevel| format!("{} {} {}", it.peer.name(), it.rtp_receiver.id(), it.audio_level);
        lines.write(levels.iter().map(entry).collect::<Vec<_>>().join(", "));
    }))
    .unwrap();
    assert_eq!(observers(), 1);
    // Who comes later is heard too.
    let elsewhere = transport(&bob);
    let second = bob.create_rtp_receiver(MediaKind::Audio, &elsewhere).unwrap();
    block_on(second.receive(audible(2000))).unwrap();
    let expected = format!("bob {} -20, alice {} -50", second.id(), first.id());
    let mut number = 0;
    eventually("levels of both", || {
        number += 1;
        send(&first, loud_packet(1000, number, 50));
        send(&second, loud_packet(2000, number, 20));
        std::thread::sleep(std::time::Duration::from_millis(18));
        log.lines().contains(&expected)
    });
    eventually("silence", || log.lines().last().is_some_and(String::is_empty));
    drop(listening);
    eventually("the end of the observer", || observers() == 0);
    room.close();
    let refused = block_on(room.on_audio_levels(|_| {})).unwrap_err();
    assert!(matches!(refused, ListenAudioLevelsError::InvalidState(_)), "{refused}");
}
