//! Making producers.

use crate::arena::Key;
use crate::codec::{CodecTable, Feedback};
use crate::command::{Produce, TraceProducer};
use crate::control::MAX_MID_LEN;
use crate::core::Core;
use crate::description::ProducerInfo;
use crate::error::{NotFoundError, ProduceError};
use crate::extensions::SourceExtensions;
use crate::listener::{Conflict, Identity};
use crate::options::{ContentHint, KeyFrameCache};
use crate::producer::{Producer, ProducerDefinition};
use crate::router::Router;
use crate::sending::LayerRates;
use crate::source::{Origin, Source, SourceStream, new_store};
use crate::transport_state::TransportTag;
use smallvec::SmallVec;
use tureen_rtp_dictionaries::{
    Codec, MediaKind, ProducerType, RtpCapabilities, RtpHeaderExtensionParameters, RtpParameters,
    get_consumable_rtp_parameters, get_producer_rtp_parameters_mapping, validate_rtp_parameters,
};
use tureen_rtp_wire::Time;
use tureen_transport::Transport;

impl From<Conflict> for ProduceError {
    fn from(conflict: Conflict) -> Self {
        match conflict {
            Conflict::Ssrc(ssrc) => Self::DuplicateSsrc(ssrc),
            Conflict::Mid(mid) => Self::DuplicateMid(mid),
            Conflict::Rid(rid) => Self::DuplicateRid(rid),
        }
    }
}

impl<T: Transport> Core<T> {
    pub(crate) fn produce(&mut self, now: Time, request: Produce) -> Result<ProducerInfo, ProduceError> {
        let options = request.options;
        let transport_key = self.transport_key(request.transport)?;
        if self.index.sources.contains_key(&options.id) {
            return Err(ProduceError::AlreadyExists(options.id));
        }
        let mut parameters = options.rtp_parameters;
        validate_rtp_parameters(&mut parameters)?;
        check_parameters(&parameters)?;
        let identity = identify(&parameters)?;
        let cache = options.key_frame_cache;
        cache.map_or(Ok(()), |cache| cache.check(options.kind, &parameters))?;
        check_hint(options.kind, options.content_hint)?;
        let ssrc_base = self.draw_ssrc(u32::try_from(parameters.encodings.len()).unwrap_or(0));
        let state = self.transport_mut(request.transport)?;
        let router_key = state.router;
        state.listener.check(&identity)?;
        let router = self.routers.get(router_key).ok_or(NotFoundError::Transport(request.transport))?;
        let mapping = get_producer_rtp_parameters_mapping(&parameters, &router.capabilities, ssrc_base)?;
        let producer_type = ProducerType::of(&parameters);
        parameters.rtcp.cname = Some(self.settle_cname(transport_key, &parameters));
        let capabilities = router_capabilities(self, router_key);
        let consumable = get_consumable_rtp_parameters(options.kind, &parameters, &capabilities, &mapping)?;
        let codecs = CodecTable::new(&parameters, &mapping);
        let source = Source {
            producer_id: options.id,
            router: router_key,
            // Set below, once the producer has a key.
            origin: Origin::Shard { home: self.config.shard, subscription: 0 },
            kind: options.kind,
            producer_type,
            rtp_parameters: parameters.clone(),
            consumable: consumable.clone(),
            mapping: mapping.clone(),
            dependency_descriptor: SourceExtensions::new(&parameters.header_extensions).dependency_descriptor,
            paused: options.paused,
            left_out: false,
            clock: self.transports.get(transport_key).and_then(|transport| transport.clock.offset()),
            streams: source_streams(options.kind, &consumable, cache),
            key_frame_cache: cache,
            content_hint: options.content_hint,
            consumers: Vec::new(),
            mirrors: SmallVec::new(),
            wanted: Default::default(),
            burst: Default::default(),
        };
        let source_key = self.insert_source(source);
        let producer = Producer {
            transport: transport_key,
            source: source_key,
            codecs,
            extensions: SourceExtensions::new(&parameters.header_extensions),
            streams: parameters.encodings.iter().map(|_| None).collect(),
            paused: options.paused,
            trace: Default::default(),
            orientation: None,
            meter: None,
            score_promised: false,
            orientation_promised: false,
            definition: ProducerDefinition {
                id: options.id,
                kind: options.kind,
                producer_type,
                rtp_parameters: parameters.clone(),
                mapping,
                key_frame_request_delay: options.key_frame_request_delay,
                key_frame_cache: cache,
                content_hint: options.content_hint,
            },
        };
        self.insert_producer(producer, &identity);
        self.start_reports(now, transport_key);
        Ok(ProducerInfo {
            id: options.id,
            producer_type,
            rtp_parameters: parameters,
            consumable_rtp_parameters: consumable,
        })
    }

    fn insert_producer(&mut self, producer: Producer, identity: &Identity) -> Key<Producer> {
        let (id, transport, source, extensions) =
            (producer.definition.id, producer.transport, producer.source, producer.extensions);
        let feedback = producer.codecs.feedback();
        let key = self.producers.insert(producer);
        self.index.producers.insert(id, key);
        if let Some(source) = self.sources.get_mut(source) {
            source.origin = Origin::Here(key);
        }
        if let Some(state) = self.transports.get_mut(transport) {
            state.listener.add(key, identity);
            state.producers.push(key);
            merge(&mut state.extensions.mid, extensions.mid);
            merge(&mut state.extensions.rid, extensions.rid);
            merge(&mut state.extensions.repaired_rid, extensions.repaired_rid);
            merge(&mut state.extensions.abs_send_time, extensions.abs_send_time);
            merge(&mut state.extensions.transport_wide_cc, extensions.transport_wide_cc);
            state.feedback.negotiate(&extensions, feedback, state.incoming_limit.bitrate.map(u64::from));
        }
        key
    }

    pub(crate) fn insert_source(&mut self, source: Source) -> Key<Source> {
        let (id, router) = (source.producer_id, source.router);
        let key = self.sources.insert(source);
        self.index.sources.insert(id, key);
        if let Some(router) = self.routers.get_mut(router) {
            router.sources.push(key);
        }
        self.wishes_changed(key);
        key
    }

    /// The CNAME of all that a transport sends: the one of its first producer that has one, else drawn.
    fn settle_cname(&mut self, transport: Key<TransportTag>, parameters: &RtpParameters) -> String {
        if let Some(cname) = parameters.rtcp.cname.clone().filter(|cname| !cname.is_empty()) {
            if let Some(state) = self.transports.get_mut(transport)
                && state.reports.cname.is_empty()
            {
                state.reports.cname.clone_from(&cname);
            }
            return cname;
        }
        self.transport_cname(transport)
    }

    pub(crate) fn trace_producer(&mut self, _now: Time, request: TraceProducer) -> Result<(), NotFoundError> {
        self.producer_mut(request.id)?.trace = request.flags;
        Ok(())
    }
}

fn router_capabilities<T>(core: &Core<T>, key: Key<Router>) -> RtpCapabilities {
    core.routers.get(key).map(|router| router.capabilities.clone()).unwrap_or_default()
}

fn merge(known: &mut Option<u8>, new: Option<u8>) {
    *known = new.or(*known);
}

/// One stream for each encoding, with a store if consumers may ask for lost packets, whether the source can be asked or not, or may start
/// from what is in it.
pub(crate) fn source_streams(
    kind: MediaKind,
    consumable: &RtpParameters,
    cache: Option<KeyFrameCache>,
) -> SmallVec<[SourceStream; 3]> {
    let is_asked_for = consumable.codecs.iter().any(|codec| Feedback::of(codec).nack);
    let streams = consumable.encodings.iter().map(|_| {
        let store = (is_asked_for || cache.is_some()).then(|| new_store(kind, cache));
        SourceStream {
            store,
            score: 0,
            packets: 0,
            rates: LayerRates::default(),
            resting: false,
            alignment: None,
            active_layers: None,
            targets: None,
        }
    });
    streams.collect()
}

/// What tells this producer's packets apart, if the parameters say enough.
fn identify(parameters: &RtpParameters) -> Result<Identity, ProduceError> {
    let encodings = &parameters.encodings;
    if encodings.is_empty() {
        return Err(ProduceError::NoEncodings);
    }
    let mut identity = Identity { mid: parameters.mid.clone(), ..Identity::default() };
    for (index, encoding) in encodings.iter().enumerate() {
        let at = u8::try_from(index).map_err(|_| ProduceError::UnidentifiedEncoding(index))?;
        let by_mid = encodings.len() == 1 && parameters.mid.is_some();
        if encoding.ssrc.is_none() && encoding.rid.is_none() && !by_mid {
            return Err(ProduceError::UnidentifiedEncoding(index));
        }
        identity.rids.extend(encoding.rid.clone());
        identity.ssrcs.extend(encoding.ssrc.map(|ssrc| (ssrc, at, false)));
        identity.ssrcs.extend(encoding.rtx.as_ref().map(|rtx| (rtx.ssrc, at, true)));
    }
    Ok(identity)
}

fn check_parameters(parameters: &RtpParameters) -> Result<(), ProduceError> {
    if parameters.mid.as_ref().is_some_and(|mid| mid.len() > MAX_MID_LEN) {
        return Err(ProduceError::Mid);
    }
    check_simulcast(parameters)?;
    check_extension_ids(&parameters.header_extensions)
}

/// What is heard has no layers to choose among.
const fn check_hint(kind: MediaKind, hint: Option<ContentHint>) -> Result<(), ProduceError> {
    match (kind, hint) {
        (MediaKind::Audio, Some(_)) => Err(ProduceError::ContentHintOfAudio),
        _ => Ok(()),
    }
}

/// Several encodings take a codec that consumers can be switched between encodings of.
fn check_simulcast(parameters: &RtpParameters) -> Result<(), ProduceError> {
    let able = |codec: Codec| matches!(codec, Codec::Vp8 | Codec::Vp9 | Codec::H264 | Codec::Av1);
    let mut media = parameters.codecs.iter().filter(|codec| codec.mime_type.codec().is_media());
    let unable = media.find(|codec| !able(codec.mime_type.codec()));
    match unable.filter(|_| parameters.encodings.len() > 1) {
        Some(codec) => Err(ProduceError::SimulcastCodec(codec.mime_type.to_string())),
        None => Ok(()),
    }
}

fn check_extension_ids(extensions: &[RtpHeaderExtensionParameters]) -> Result<(), ProduceError> {
    for (index, extension) in extensions.iter().enumerate() {
        let same_id =
            |other: &RtpHeaderExtensionParameters| other.id == extension.id && other.uri != extension.uri;
        let reused = extensions.iter().take(index).any(same_id);
        if extension.id == 0 || extension.id == 15 || reused {
            return Err(ProduceError::HeaderExtensionId(index));
        }
    }
    Ok(())
}
