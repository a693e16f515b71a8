//! Publishers hear which layers anybody wants.

use crate::client::Client;
use crate::support::{TestServer, settings, vp8};
use serde_json::{Value, json};

#[test]
fn a_publisher_hears_when_nobody_wants_what_it_sends_and_when_somebody_does() {
    let server = TestServer::start(settings());
    let (mut speaker, _) = Client::join(&server, "speaker");
    let made = speaker.ok("createWebRtcTransport", json!({ "producing": true, "consuming": false }));
    let producer = speaker.produce(vp8(2222));
    let nothing =
        json!({ "producerId": producer, "spatialLayer": Value::Null, "temporalLayer": Value::Null });
    assert_eq!(speaker.notified("producerWantedLayersChanged"), nothing);

    // What was told to a connection that is lost may not have arrived.
    let mut speaker = Client::connect(&server, "speaker");
    speaker.ok("restartIce", json!({ "transportId": made["id"] }));
    assert_eq!(speaker.notified("producerWantedLayersChanged"), nothing);

    let (mut viewer, _) = Client::join(&server, "viewer");
    let (id, _) = viewer.offered();
    viewer.respond(id);
    let all = json!({ "producerId": producer, "spatialLayer": 0, "temporalLayer": Value::Null });
    assert_eq!(speaker.notified("producerWantedLayersChanged"), all);
}
