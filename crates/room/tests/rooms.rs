//! Who is told what, who consumes what, and what closes with whom, over direct transports.

use pollster::block_on;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tureen::dictionaries::{MediaKind, RtpParameters, from_json};
use tureen::{
    AppData, DirectTransportOptions, ProducerOptions, Transport, TransportId, WorkerManager, WorkerSettings,
};
use tureen_room::*;

async fn rooms_with(change: impl FnOnce(&mut RoomsOptions)) -> Rooms {
    let worker = WorkerManager::new().unwrap().create_worker(WorkerSettings::with_shards(1)).await.unwrap();
    let opus = r#"[{"kind": "audio", "mimeType": "audio/opus", "clockRate": 48000, "channels": 2}]"#;
    let mut options = RoomsOptions::new(from_json(opus).unwrap());
    change(&mut options);
    Rooms::new(worker, options).unwrap()
}

async fn rooms() -> Rooms {
    rooms_with(|_| {}).await
}

fn opus(ssrc: u32) -> ProducerOptions {
    let codec = r#"{"mimeType": "audio/opus", "clockRate": 48000, "channels": 2, "payloadType": 111}"#;
    let text = format!(r#"{{"codecs": [{codec}], "encodings": [{{"ssrc": {ssrc}}}]}}"#);
    ProducerOptions::new(MediaKind::Audio, from_json::<RtpParameters>(&text).unwrap())
}

async fn transport(peer: &Peer, direction: Direction) -> TransportId {
    let made = peer.router().create_direct_transport(DirectTransportOptions::default()).await.unwrap();
    peer.add_transport(made, direction).unwrap()
}

/// A peer that has joined, with a transport each way.
async fn member(rooms: &Rooms, room: &str, options: PeerOptions) -> (Peer, Inbox, TransportId) {
    let (peer, inbox) = rooms.enter(room, options).await.unwrap();
    let sends = transport(&peer, Direction::Producing).await;
    transport(&peer, Direction::Consuming).await;
    let capabilities = Some(rooms.rtp_capabilities().clone());
    peer.join(Profile::new(peer.id(), Device::default(), capabilities)).unwrap();
    (peer, inbox, sends)
}

async fn next(inbox: &mut Inbox) -> PeerEvent {
    inbox.next().await.expect("an event")
}

async fn offer(inbox: &mut Inbox) -> Offer {
    match next(inbox).await {
        PeerEvent::ConsumerAdded(offer) => offer,
        other => panic!("{other:?}"),
    }
}

/// Tries until `done`; listeners are told on a thread of their own.
fn eventually(what: &str, done: impl Fn() -> bool) {
    for _ in 0..500 {
        if done() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("{what} did not come to pass");
}

#[test]
fn a_room_is_made_by_the_first_and_goes_with_the_last() {
    block_on(async {
        let rooms = rooms().await;
        let (speaker, _) = rooms.enter("r", PeerOptions::new("speaker")).await.unwrap();
        let (viewer, _) = rooms.enter("r", PeerOptions::new("viewer")).await.unwrap();
        let room = rooms.get("r").unwrap();
        speaker.close();
        assert!(!room.closed() && speaker.closed());
        viewer.close();
        assert!(room.closed() && room.router().closed() && rooms.get("r").is_none());
        let (again, _) = rooms.enter("r", PeerOptions::new("speaker")).await.unwrap();
        assert!(!again.room().closed(), "a new room of the same name");
    });
}

/// A program's data of a peer, which ends with it.
struct Slot {
    inbox: Mutex<Option<Inbox>>,
    _alive: Arc<()>,
}

#[test]
fn a_peer_that_is_gone_leaves_nothing_though_its_data_held_its_inbox() {
    block_on(async {
        let rooms = rooms().await;
        let alive = Arc::new(());
        let mut options = PeerOptions::new("speaker");
        options.app_data = AppData::new(Slot { inbox: Mutex::default(), _alive: Arc::clone(&alive) });
        let (peer, inbox, _) = member(&rooms, "r", options).await;
        let slot = peer.app_data().get::<Slot>().expect("the program's data");
        *slot.inbox.lock().unwrap() = Some(inbox);
        drop(slot);
        peer.close();
        drop(peer);
        eventually("its end", || Arc::strong_count(&alive) == 1);
    });
}

#[test]
fn every_pair_of_peer_and_producer_gets_its_consumers_whoever_comes_first() {
    block_on(async {
        let rooms = rooms().await;
        let (speaker, mut to_speaker, sends) = member(&rooms, "r", PeerOptions::new("speaker")).await;
        let early = speaker.produce(&sends, opus(1)).await.unwrap();
        let mut options = PeerOptions::new("viewer");
        options.subscription = Subscription::All { replicas: 2 };
        let (viewer, mut to_viewer, viewer_sends) = member(&rooms, "r", options).await;
        for _ in 0..3 {
            let offer = offer(&mut to_viewer).await;
            assert_eq!((offer.peer_id.as_str(), offer.producer.id()), ("speaker", early.id()));
            assert!(offer.consumer.paused());
        }
        let late = viewer.produce(&viewer_sends, opus(2)).await.unwrap();
        assert!(matches!(next(&mut to_speaker).await, PeerEvent::PeerJoined(info) if info.id == "viewer"));
        let offer = offer(&mut to_speaker).await;
        assert_eq!(offer.producer.id(), late.id());
        assert_eq!(viewer.consumers().len(), 3);
        assert!(viewer.close_producer(&late.id()));
        assert!(
            matches!(next(&mut to_speaker).await, PeerEvent::ConsumerClosed(id) if id == offer.consumer.id())
        );
        assert!(speaker.consumers().is_empty());
    });
}

#[test]
fn consumers_come_with_the_transport_where_that_is_made_after_joining() {
    block_on(async {
        let rooms = rooms().await;
        let (speaker, _to_speaker, sends) = member(&rooms, "r", PeerOptions::new("speaker")).await;
        speaker.produce(&sends, opus(1)).await.unwrap();
        let (viewer, mut to_viewer) = rooms.enter("r", PeerOptions::new("viewer")).await.unwrap();
        let capabilities = Some(rooms.rtp_capabilities().clone());
        let others = viewer.join(Profile::new("Viewer", Device::default(), capabilities)).unwrap();
        assert_eq!(others[0].producers.len(), 1);
        transport(&viewer, Direction::Consuming).await;
        assert_eq!(offer(&mut to_viewer).await.peer_id, "speaker");
    });
}

#[test]
fn leaving_closes_what_the_peer_has_and_tells_the_others() {
    block_on(async {
        let rooms = rooms().await;
        let mut events = rooms.events();
        let (speaker, _to_speaker, sends) = member(&rooms, "r", PeerOptions::new("speaker")).await;
        let (_viewer, mut to_viewer, _) = member(&rooms, "r", PeerOptions::new("viewer")).await;
        let producer = speaker.produce(&sends, opus(1)).await.unwrap();
        let offer = offer(&mut to_viewer).await;
        let transports = speaker.transports();
        speaker.close_because(CloseReason::Removed);
        assert_eq!(speaker.close_reason(), Some(CloseReason::Removed));
        assert!(transports.iter().all(Transport::closed) && producer.closed() && offer.consumer.closed());
        let mut told = [next(&mut to_viewer).await, next(&mut to_viewer).await].map(|event| match event {
            PeerEvent::PeerLeft { peer_id } => peer_id,
            PeerEvent::ConsumerClosed(_) => "consumer".to_owned(),
            other => panic!("{other:?}"),
        });
        told.sort();
        assert_eq!(told, ["consumer", "speaker"]);
        let mut seen = Vec::new();
        while let Some(event) = events.next().await {
            let end = matches!(event, RoomsEvent::PeerLeft { .. });
            seen.push(event);
            if end {
                break;
            }
        }
        let (room, peer, kind) = (|| "r".to_owned(), || "speaker".to_owned(), MediaKind::Audio);
        let id = producer.id();
        assert_eq!(
            seen,
            [
                RoomsEvent::RoomOpened { room: room() },
                RoomsEvent::PeerJoined { room: room(), peer: peer() },
                RoomsEvent::PeerJoined { room: room(), peer: "viewer".into() },
                RoomsEvent::ProducerAdded { room: room(), peer: peer(), producer: id, kind },
                RoomsEvent::ProducerRemoved { room: room(), peer: peer(), producer: id, kind },
                RoomsEvent::PeerLeft { room: room(), peer: peer(), reason: CloseReason::Removed },
            ]
        );
    });
}

#[test]
fn closing_the_rooms_closes_everything_and_ends_the_inboxes() {
    block_on(async {
        let rooms = rooms().await;
        let (speaker, mut to_speaker, sends) = member(&rooms, "r", PeerOptions::new("speaker")).await;
        let producer = speaker.produce(&sends, opus(1)).await.unwrap();
        let room = speaker.room().clone();
        rooms.close();
        assert!(room.closed() && producer.closed() && rooms.worker().closed());
        assert_eq!(speaker.close_reason(), Some(CloseReason::RoomClosed));
        while to_speaker.next().await.is_some() {}
        let refused = rooms.enter("r", PeerOptions::new("viewer")).await.map(|_| ());
        assert_eq!(refused, Err(EnterError::Closed));
    });
}

#[test]
fn every_refusal_says_why() {
    block_on(async {
        let rooms = rooms_with(|options| (options.max_rooms, options.max_peers) = (1, 2)).await;
        let enter = async |room: &str, id: &str| rooms.enter(room, PeerOptions::new(id)).await.map(|_| ());
        let mut options = PeerOptions::new("speaker");
        options.limits = PeerLimits::new(2, 1, 1);
        let (speaker, _to_speaker, sends) = member(&rooms, "r", options).await;
        assert_eq!(enter("r", "speaker").await, Err(EnterError::Taken("speaker".into())));
        assert_eq!(enter("s", "viewer").await, Err(EnterError::RoomsFull(1)));
        speaker.room().set_locked(true);
        assert_eq!(enter("r", "viewer").await, Err(EnterError::Locked("r".into())));
        speaker.room().set_locked(false);
        let mut listener = PeerOptions::new("listener");
        listener.role = Role::Subscribe;
        let (listener, _to_listener, mute) = member(&rooms, "r", listener).await;
        assert_eq!(enter("r", "viewer").await, Err(EnterError::RoomFull(2)));
        assert_eq!(listener.produce(&mute, opus(9)).await.map(|_| ()), Err(ProduceError::Role));
        let full = speaker.router().create_direct_transport(DirectTransportOptions::default()).await.unwrap();
        assert_eq!(speaker.add_transport(full, Direction::Producing), Err(AddTransportError::Full(2)));
        let producer = speaker.produce(&sends, opus(1)).await.unwrap();
        assert_eq!(speaker.produce(&sends, opus(2)).await.map(|_| ()), Err(ProduceError::Full(1)));
        let foreign = speaker.produce(&mute, opus(2)).await.map(|_| ());
        assert_eq!(foreign, Err(ProduceError::Full(1)));
        assert!(speaker.close_producer(&producer.id()));
        let foreign = speaker.produce(&mute, opus(2)).await.map(|_| ());
        assert_eq!(foreign, Err(ProduceError::TransportNotFound(mute)));
        let gone = speaker.consume(&sends, producer.id(), None, false).await.map(|_| ());
        assert_eq!(gone, Err(ConsumeError::ProducerNotFound(producer.id())));
        rooms.set_draining(true);
        speaker.close();
        listener.close();
        assert_eq!(enter("r", "speaker").await, Err(EnterError::Draining));
    });
}

#[test]
fn a_muted_kind_stays_silent_until_it_is_unmuted() {
    block_on(async {
        let rooms = rooms().await;
        let (speaker, _to_speaker, sends) = member(&rooms, "r", PeerOptions::new("speaker")).await;
        let before = speaker.produce(&sends, opus(1)).await.unwrap();
        speaker.set_muted(MediaKind::Audio, true).await.unwrap();
        let after = speaker.produce(&sends, opus(2)).await.unwrap();
        assert!(before.paused() && after.paused() && speaker.muted(MediaKind::Audio));
        speaker.set_muted(MediaKind::Audio, false).await.unwrap();
        assert!(!before.paused() && !after.paused() && !speaker.muted(MediaKind::Video));
    });
}

#[test]
fn a_transport_that_closes_by_itself_takes_its_producers_along() {
    block_on(async {
        let rooms = rooms().await;
        let (speaker, _to_speaker, sends) = member(&rooms, "r", PeerOptions::new("speaker")).await;
        speaker.produce(&sends, opus(1)).await.unwrap();
        speaker.transport(&sends).unwrap().close();
        eventually("the end of the producer", || {
            speaker.producers().is_empty() && speaker.transports().len() == 1
        });
        assert!(!speaker.closed());
    });
}

#[test]
fn a_peer_that_never_reads_is_closed_instead_of_growing() {
    block_on(async {
        let rooms = rooms().await;
        let (speaker, mut to_speaker, _) = member(&rooms, "r", PeerOptions::new("speaker")).await;
        let (viewer, _to_viewer, _) = member(&rooms, "r", PeerOptions::new("viewer")).await;
        (0..3_000).for_each(|turn| viewer.rename(format!("viewer {turn}")).unwrap());
        assert!(to_speaker.next().await.is_none());
        assert_eq!(speaker.close_reason(), Some(CloseReason::Lagged));
    });
}

/// An RTP packet of a peer's microphone, with an audio level in -dBov (RFC 6464) under the id 10.
fn sound(ssrc: u32, sequence_number: u16, level: u8) -> Vec<u8> {
    let mut bytes = vec![0x90, 111];
    bytes.extend(sequence_number.to_be_bytes());
    bytes.extend((u32::from(sequence_number) * 960).to_be_bytes());
    bytes.extend(ssrc.to_be_bytes());
    bytes.extend([0xbe, 0xde, 0, 1, 10 << 4, level, 0, 0]);
    bytes.extend(b"sound");
    bytes
}

/// The next speaker that a peer is told of; what else it is told is left out.
async fn speaker_told(inbox: &mut Inbox) -> (Option<String>, Option<i8>) {
    loop {
        if let PeerEvent::ActiveSpeaker { peer_id, volume } = next(inbox).await {
            return (peer_id, volume);
        }
    }
}

#[test]
fn everybody_is_told_who_speaks_and_when_nobody_does() {
    block_on(async {
        let rooms = rooms().await;
        let (speaker, mut to_speaker, sends) = member(&rooms, "r", PeerOptions::new("speaker")).await;
        let (_viewer, mut to_viewer, _) = member(&rooms, "r", PeerOptions::new("viewer")).await;
        let (_guest, mut to_guest) = rooms.enter("r", PeerOptions::new("guest")).await.unwrap();
        let mut options = opus(1);
        let level = r#"[{"uri": "urn:ietf:params:rtp-hdrext:ssrc-audio-level", "id": 10}]"#;
        options.rtp_parameters.header_extensions = from_json(level).unwrap();
        let producer = speaker.produce(&sends, options).await.unwrap();
        let microphone = std::thread::spawn(move || {
            for number in 0..150 {
                producer.send(sound(1, number, 30).into()).unwrap();
                std::thread::sleep(Duration::from_millis(20));
            }
            producer
        });
        for inbox in [&mut to_speaker, &mut to_viewer] {
            let (who, _) = speaker_told(inbox).await;
            assert_eq!(who.as_deref(), Some("speaker"));
            assert_eq!(speaker_told(inbox).await, (Some("speaker".to_owned()), Some(-30)));
        }
        let _producer = microphone.join().unwrap();
        for inbox in [&mut to_speaker, &mut to_viewer] {
            while speaker_told(inbox).await != (None, None) {}
        }
        speaker.close();
        rooms.close();
        assert!(to_guest.next().await.is_none(), "who has not joined is told nothing");
    });
}

#[test]
fn only_so_many_microphones_are_forwarded_where_that_is_asked_for() {
    block_on(async {
        let rooms = rooms_with(|options| options.last_n_audio = Some(1)).await;
        let (speaker, _to_speaker, sends) = member(&rooms, "r", PeerOptions::new("speaker")).await;
        let (_viewer, mut to_viewer, _) = member(&rooms, "r", PeerOptions::new("viewer")).await;
        let level = r#"[{"uri": "urn:ietf:params:rtp-hdrext:ssrc-audio-level", "id": 10}]"#;
        let with_levels = |ssrc| {
            let mut options = opus(ssrc);
            options.rtp_parameters.header_extensions = from_json(level).unwrap();
            options
        };
        let mut consumers = Vec::new();
        let mut producers = Vec::new();
        for options in [with_levels(1), with_levels(2), opus(3)] {
            producers.push(speaker.produce(&sends, options).await.unwrap());
        }
        while consumers.len() < 3 {
            if let PeerEvent::ConsumerAdded(offer) = next(&mut to_viewer).await {
                offer.consumer.resume().await.unwrap();
                consumers.push(offer.consumer);
            }
        }
        for number in 0..25 {
            for (ssrc, producer) in (1..).zip(&producers) {
                producer.send(sound(ssrc, number, if ssrc == 2 { 20 } else { 50 }).into()).unwrap();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let mut obstacles = Vec::new();
        for producer in &producers {
            let consumer = consumers.iter().find(|it| it.producer_id() == producer.id()).unwrap();
            obstacles.push(consumer.explain().await.unwrap().obstacle);
        }
        let left_out = Some(tureen::model::Obstacle::LastN);
        assert_eq!(obstacles, [left_out, None, None], "who has no levels is not judged");
    });
}
