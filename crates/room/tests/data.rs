//! Messages in rooms, over direct transports: who is offered what, what is heard, what closes with whom.

use pollster::block_on;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;
use tureen::dictionaries::from_json;
use tureen::{
    DataConsumer, DataConsumerOptions, DataMessage, DataProducer, DataProducerOptions, DataTransport as _,
    DirectTransportOptions, TransportId, WorkerManager, WorkerSettings,
};
use tureen_room::*;

const PATIENCE: Duration = Duration::from_secs(10);

async fn rooms() -> Rooms {
    // Peers are spread over shards, which makes no difference to them.
    let worker = WorkerManager::new().unwrap().create_worker(WorkerSettings::with_shards(2)).await.unwrap();
    let opus = r#"[{"kind": "audio", "mimeType": "audio/opus", "clockRate": 48000, "channels": 2}]"#;
    Rooms::new(worker, RoomsOptions::new(from_json(opus).unwrap())).unwrap()
}

async fn transport(peer: &Peer, shard: u8) -> TransportId {
    let options = DirectTransportOptions::on_shard(shard);
    let made = peer.router().create_direct_transport(options).await.unwrap();
    peer.add_transport(made, Direction::Consuming).unwrap()
}

/// A peer that has joined, with one transport.
async fn member(rooms: &Rooms, options: PeerOptions, shard: u8) -> (Peer, Inbox, TransportId) {
    let (peer, inbox) = rooms.enter("r", options).await.unwrap();
    let transport = transport(&peer, shard).await;
    peer.join(Profile::new(peer.id(), Device::default(), None)).unwrap();
    (peer, inbox, transport)
}

async fn say(peer: &Peer, transport: &TransportId, label: &str, audience: Audience) -> DataProducer {
    let mut options = DataProducerOptions::default();
    options.label = label.to_owned();
    peer.produce_data(transport, options, audience).await.unwrap()
}

/// The next data consumer that is offered.
async fn offer(inbox: &mut Inbox) -> DataOffer {
    loop {
        match inbox.next().await.expect("an event") {
            PeerEvent::DataConsumerAdded(offer) => return offer,
            PeerEvent::PeerJoined(_) | PeerEvent::PeerLeft { .. } => {}
            other => panic!("{other:?}"),
        }
    }
}

async fn closed(inbox: &mut Inbox) -> tureen::DataConsumerId {
    loop {
        match inbox.next().await.expect("an event") {
            PeerEvent::DataConsumerClosed(id) => return id,
            PeerEvent::PeerJoined(_) | PeerEvent::PeerLeft { .. } => {}
            other => panic!("{other:?}"),
        }
    }
}

fn hear(consumer: &DataConsumer) -> Receiver<String> {
    let (sender, heard) = channel();
    let listener = move |message: &DataMessage| {
        // Whoever asked may have heard enough.
        let _ = sender.send(String::from_utf8(message.payload.to_vec()).unwrap());
    };
    consumer.on_message(listener).detach();
    heard
}

#[test]
fn what_is_said_reaches_everybody_else_whoever_comes_first() {
    block_on(async {
        let rooms = rooms().await;
        let (speaker, mut news, sends) = member(&rooms, PeerOptions::new("speaker"), 0).await;
        let (_viewer, mut early, _) = member(&rooms, PeerOptions::new("viewer"), 1).await;
        let chat = say(&speaker, &sends, "chat", Audience::Everybody).await;
        let (_other, mut late, _) = member(&rooms, PeerOptions::new("other"), 0).await;
        let offers = [offer(&mut early).await, offer(&mut late).await];
        let heard: Vec<_> = offers.iter().map(|offer| hear(&offer.data_consumer)).collect();
        for offer in &offers {
            assert_eq!(offer.peer_id.as_deref(), Some("speaker"));
            assert_eq!(offer.data_producer.id(), chat.id());
            assert_eq!(offer.data_consumer.label(), "chat");
        }
        chat.send(DataMessage::text("hello")).await.unwrap();
        for heard in &heard {
            assert_eq!(heard.recv_timeout(PATIENCE).unwrap(), "hello");
        }
        // Its own is offered to nobody else, and so is what is for those who ask.
        let quiet = say(&speaker, &sends, "quiet", Audience::OnRequest).await;
        let last = say(&speaker, &sends, "last", Audience::Everybody).await;
        assert_eq!(offer(&mut early).await.data_producer.id(), last.id());
        let (asking, _, wants) = member(&rooms, PeerOptions::new("asking"), 1).await;
        let consumer = asking.consume_data(&wants, DataConsumerOptions::new(quiet.id())).await.unwrap();
        assert_eq!(asking.data_consumer(&consumer.id()).map(|found| found.id()), Some(consumer.id()));

        assert!(speaker.close_data_producer(&chat.id()) && !speaker.close_data_producer(&chat.id()));
        assert_eq!(closed(&mut early).await, offers[0].data_consumer.id());
        speaker.close();
        assert!(quiet.closed() && consumer.closed());
        while let Some(event) = news.next().await {
            assert!(!matches!(event, PeerEvent::DataConsumerAdded(_)), "{event:?}");
        }
    });
}

#[test]
fn the_program_speaks_to_everybody() {
    block_on(async {
        let rooms = rooms().await;
        let (peer, mut early, _) = member(&rooms, PeerOptions::new("early"), 0).await;
        let room = peer.room();
        let own = room.router().create_direct_transport(DirectTransportOptions::default()).await.unwrap();
        let voice = own.produce_data(DataProducerOptions::default()).await.unwrap();
        room.add_data_producer(voice.clone());
        room.add_data_producer(voice.clone());
        let (_late, mut late, _) = member(&rooms, PeerOptions::new("late"), 1).await;
        let offers = [offer(&mut early).await, offer(&mut late).await];
        let heard: Vec<_> = offers.iter().map(|offer| hear(&offer.data_consumer)).collect();
        voice.send(DataMessage::text("hello")).await.unwrap();
        for (offer, heard) in offers.iter().zip(&heard) {
            assert_eq!(offer.peer_id, None);
            assert_eq!(heard.recv_timeout(PATIENCE).unwrap(), "hello");
        }
        voice.close();
        assert_eq!(closed(&mut early).await, offers[0].data_consumer.id());
        assert_eq!(room.data_producer(&voice.id()).map(|(peer, _)| peer), None);
        room.app_data().set(7_u8);
        assert_eq!(rooms.get("r").unwrap().app_data().get::<u8>().as_deref(), Some(&7));
    });
}

#[test]
fn those_who_receive_on_request_are_offered_nothing() {
    block_on(async {
        let rooms = rooms().await;
        let mut options = PeerOptions::new("quiet");
        options.subscription = Subscription::OnRequest;
        let (quiet, mut inbox, _) = member(&rooms, options, 0).await;
        let (speaker, _, sends) = member(&rooms, PeerOptions::new("speaker"), 0).await;
        say(&speaker, &sends, "chat", Audience::Everybody).await;
        speaker.close();
        quiet.close();
        while let Some(event) = inbox.next().await {
            assert!(matches!(event, PeerEvent::PeerJoined(_) | PeerEvent::PeerLeft { .. }), "{event:?}");
        }
    });
}

#[test]
fn every_refusal_of_data_says_why() {
    block_on(async {
        let rooms = rooms().await;
        let mut options = PeerOptions::new("speaker");
        (options.limits.data_producers, options.limits.data_consumers) = (1, 1);
        let (speaker, _, sends) = member(&rooms, options, 0).await;
        let chat = say(&speaker, &sends, "chat", Audience::OnRequest).await;
        let produce = |transport: TransportId| {
            let speaker = speaker.clone();
            async move {
                speaker
                    .produce_data(&transport, DataProducerOptions::default(), Audience::Everybody)
                    .await
                    .err()
            }
        };
        assert_eq!(produce(sends).await, Some(ProduceDataError::Full(1)));
        let consume = DataConsumerOptions::new(chat.id());
        speaker.consume_data(&sends, consume.clone()).await.unwrap();
        let refused = speaker.consume_data(&sends, consume.clone()).await.err();
        assert_eq!(refused, Some(ConsumeDataError::Full(1)));
        let nowhere = TransportId(7);
        let refused = speaker.consume_data(&nowhere, consume.clone()).await.err();
        assert_eq!(refused, Some(ConsumeDataError::TransportNotFound(nowhere)));
        chat.close();
        let refused = speaker.consume_data(&sends, consume).await.err();
        assert_eq!(refused, Some(ConsumeDataError::DataProducerNotFound(chat.id())));
        let mut options = PeerOptions::new("viewer");
        options.role = Role::Subscribe;
        let (viewer, _, transport) = member(&rooms, options, 0).await;
        let made = viewer.produce_data(&transport, DataProducerOptions::default(), Audience::Everybody).await;
        assert_eq!(made.err(), Some(ProduceDataError::Role));
        speaker.close();
        assert_eq!(produce(sends).await, Some(ProduceDataError::Closed));
    });
}
