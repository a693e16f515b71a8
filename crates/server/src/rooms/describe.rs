//! Peers and their consumers as JSON tells of them. Must not know what they do.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tureen::ProducerId;
use tureen::dictionaries::{MediaKind, RtpCapabilities};
use tureen::model::ConsumerExplanation;
use tureen_room::{Device, PeerInfo};

/// What an endpoint runs on.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct NewDevice {
    #[serde(skip_serializing_if = "Option::is_none")]
    flag: Option<String>,
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
}

impl From<NewDevice> for Device {
    fn from(device: NewDevice) -> Self {
        let NewDevice { flag, name, version } = device;
        Self::new(flag.unwrap_or_default(), name.unwrap_or_default(), version.unwrap_or_default())
    }
}

impl From<Device> for NewDevice {
    fn from(device: Device) -> Self {
        let given = |text: String| Some(text).filter(|text| !text.is_empty());
        Self { flag: given(device.flag), name: Some(device.name), version: given(device.version) }
    }
}

/// A broadcaster that wants in.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NewBroadcaster {
    /// Its own choice, 1 to 128 bytes.
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) display_name: String,
    #[serde(default)]
    pub(crate) device: NewDevice,
    pub(crate) rtp_capabilities: Option<RtpCapabilities>,
}

/// Somebody in a room, as others are told.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PeerJson {
    id: String,
    display_name: String,
    device: NewDevice,
    #[serde(skip_serializing_if = "Option::is_none")]
    producers: Option<Vec<ProducerJson>>,
}

/// What somebody in a room sends.
#[derive(Debug, Serialize)]
struct ProducerJson {
    id: ProducerId,
    kind: MediaKind,
}

impl PeerJson {
    /// With those of its producers that are wanted.
    pub(crate) fn new(info: PeerInfo, wanted: impl Fn(&ProducerId) -> bool) -> Self {
        let producers = info.producers.iter().filter(|producer| wanted(&producer.id));
        let producers = producers.map(|producer| ProducerJson { id: producer.id, kind: producer.kind });
        Self { producers: Some(producers.collect()), ..Self::without_producers(info.clone()) }
    }

    /// Who it is, and nothing of what it sends.
    pub(crate) fn without_producers(info: PeerInfo) -> Self {
        Self { id: info.id, display_name: info.display_name, device: info.device.into(), producers: None }
    }
}

/// Why a consumer sends what it sends, with the obstacle as a sentence too.
pub(crate) fn explanation_json(explanation: &ConsumerExplanation) -> Value {
    let mut value = json!(explanation);
    if let Some(obstacle) = explanation.obstacle {
        value["obstacle"]["text"] = obstacle.to_string().into();
    }
    value
}
