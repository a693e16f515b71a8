//! Links between two servers: those of the settings, names that change, and messages.

use crate::client::Client;
use crate::pipes::{Publisher, link, peers, producer, report};
use crate::support::{TestServer, eventually, settings};
use serde_json::{Value, json};
use tureen_server::Settings;

/// Settings with a link of room `r` to a server that need not be there yet.
fn linked_with(there: &str, more: &str) -> Settings {
    Settings { links: vec![format!("r={there}{more}").parse().unwrap()], ..settings() }
}

/// What a client says of its chat.
fn chat(transport: &str, stream: u64, label: &str) -> Value {
    let parameters = json!({ "streamId": stream, "ordered": false, "maxRetransmits": 2 });
    json!({ "transportId": transport, "sctpStreamParameters": parameters, "label": label, "protocol": "text" })
}

/// The offer of a data producer of somebody with this label.
fn offer(client: &mut Client, label: &str) -> Value {
    loop {
        let (id, offer) = client.offered_data();
        client.respond(id);
        if offer["label"] == label {
            return offer;
        }
    }
}

#[test]
fn a_link_of_the_settings_is_there_from_the_start_and_after_a_restart() {
    let there = TestServer::start(settings());
    let with_link = linked_with(&there.url(""), "");
    let here = TestServer::start(with_link.clone());
    assert_eq!(report(&here)["configured"], true);
    let publisher = Publisher::new(&here, "speaker");
    eventually("it is there", || producer(&there, &publisher.producer));
    let again = here.post("/api/v1/rooms/r/pipe-to", &json!({ "url": there.url("") }));
    assert!(again.0 == 400 && again.1.contains("already"), "{again:?}");

    here.shutdown();
    eventually("who was here leaves there", || peers(&there).is_empty().then_some(()));
    let here = TestServer::start(with_link);
    let publisher = Publisher::new(&here, "speaker");
    eventually("it is there again", || producer(&there, &publisher.producer));
    let answer = Publisher::new(&there, "answerer");
    eventually("and the answer here", || producer(&here, &answer.producer));
}

#[test]
fn a_link_of_the_settings_waits_for_the_other_server() {
    let there = TestServer::start(settings());
    let (address, url) = (there.address(), there.url(""));
    there.shutdown();
    let here = TestServer::start(linked_with(&url, ""));
    let publisher = Publisher::new(&here, "speaker");
    eventually("nobody answers", || report(&here)["error"].is_string().then_some(()));
    assert_eq!(report(&here)["connected"], false);
    let there = TestServer::start(Settings { http_listen: address, ..settings() });
    eventually("it is there", || producer(&there, &publisher.producer));
}

#[test]
fn a_new_name_is_told_in_the_other_room() {
    let (here, there) = (TestServer::start(settings()), TestServer::start(settings()));
    let (mut viewer, _) = Client::join(&there, "viewer");
    let (mut speaker, _) = Client::join(&here, "speaker");
    let link_of_data = json!({ "url": there.url(""), "enableData": true });
    here.post_json("/api/v1/rooms/r/pipe-to", &link_of_data);
    let transport = speaker.transport();
    speaker.ok("produceData", chat(&transport, 0, "chat"));
    let peer = viewer.notified("newPeer");
    assert_eq!(peer["displayName"], "speaker");
    speaker.ok("changeDisplayName", json!({ "displayName": "Grace" }));
    let renamed = viewer.notified("peerDisplayNameChanged");
    assert_eq!(
        (&renamed["peerId"], &renamed["displayName"], &renamed["oldDisplayName"]),
        (&peer["id"], &json!("Grace"), &json!("speaker"))
    );
    let nameless = here.post_json("/api/v1/rooms/r/pipes", &json!({}))["id"].clone();
    let rename = format!("/api/v1/rooms/r/pipes/{}/rename", nameless.as_str().unwrap());
    let refused = here.post(&rename, &json!({ "displayName": "x" }));
    assert!(refused.0 == 400 && refused.1.contains("peer"), "{refused:?}");
}

#[test]
fn what_is_said_to_everybody_crosses_where_that_is_asked_for() {
    let there = TestServer::start(settings());
    let here = TestServer::start(linked_with(&there.url(""), ";data=true"));
    let (mut viewer, _) = Client::join(&there, "viewer");
    assert_eq!(offer(&mut viewer, "bot")["peerId"], Value::Null);
    let (mut speaker, _) = Client::join(&here, "speaker");
    let transport = speaker.transport();
    // The bot of this room hears it, and nobody of the other.
    speaker.ok("produceData", chat(&transport, 0, "bot"));
    let chat_id = speaker.ok("produceData", chat(&transport, 1, "chat"))["id"].clone();
    let peer = viewer.notified("newPeer");
    let (_, offered) = viewer.offered_data();
    assert_eq!((&offered["label"], &offered["protocol"]), (&json!("chat"), &json!("text")));
    assert_eq!((&offered["dataProducerId"], &offered["peerId"]), (&chat_id, &peer["id"]));
    assert_eq!(offered["appData"]["peerId"], peer["id"]);
    let stream = &offered["sctpStreamParameters"];
    assert_eq!((&stream["ordered"], &stream["maxRetransmits"]), (&json!(false), &json!(2)));
    eventually("one peer is sent", || (report(&here)["sentPeers"] == 1).then_some(()));

    speaker.ok("closeDataProducer", json!({ "dataProducerId": chat_id }));
    assert_eq!(viewer.notified("dataConsumerClosed")["dataConsumerId"], offered["id"]);
    assert_eq!(viewer.notified("peerClosed")["peerId"], peer["id"], "who sends nothing does not cross");
}

#[test]
fn messages_stay_where_they_are_unless_asked_for() {
    let (here, there) = (TestServer::start(settings()), TestServer::start(settings()));
    let (mut speaker, _) = Client::join(&here, "speaker");
    let transport = speaker.transport();
    speaker.ok("produceData", chat(&transport, 0, "chat"));
    link(&here, &there);
    let publisher = Publisher::new(&here, "publisher");
    eventually("media crosses", || producer(&there, &publisher.producer));
    assert_eq!(peers(&there).len(), 1, "and the publisher alone");
}
