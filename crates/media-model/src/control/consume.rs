//! Making consumers, and their settings.

use crate::arena::Key;
use crate::codec::{Feedback, payload_format, rtx_of};
use crate::command::{Consume, RequestKeyFrame, SetConsumerPriority, SetPreferredLayers, TraceConsumer};
use crate::consumer::{Consumer, ConsumerDefinition, ConsumerStream, PauseState, PayloadTypes, Renumbering};
use crate::control::MAX_MID_LEN;
use crate::core::Core;
use crate::description::ConsumerInfo;
use crate::error::{ConsumeError, NotFoundError, PriorityError};
use crate::extensions::ExtensionPlan;
use crate::id::ProducerId;
use crate::options::{ConsumerNumbering, ConsumerOptions, PipeOptions};
use crate::source::Source;
use crate::switches::{SwitchCause, SwitchLog};
use crate::transport_state::TransportTag;
use rand_core::Rng;
use smallvec::SmallVec;
use tureen_forwarding::repair::{REPAIR_DEADLINE_AUDIO, REPAIR_DEADLINE_VIDEO};
use tureen_forwarding::score::MAX_SCORE;
use tureen_forwarding::sent_log::{SENT_LOG_AUDIO, SENT_LOG_VIDEO};
use tureen_forwarding::{
    DropCounters, FecConfig, PipeSelector, RtxConfig, Selector, SendStream, SendStreamConfig, SimpleSelector,
    SimpleSelectorConfig, SimulcastSelector, SimulcastSelectorConfig,
};
use tureen_rtp_dictionaries::{
    Codec, ConsumerOffer, ConsumerType, MediaKind, MediaLayers, ProducerType, ReceiverParameters,
    RtpCodecParameters, RtpEncodingParameters, RtpParameters, get_consumer_rtp_parameters,
    get_pipe_consumer_rtp_parameters, get_receiver_consumer_rtp_parameters, validate_rtp_capabilities,
};
use tureen_rtp_wire::Time;
use tureen_rtp_wire::payload::PayloadFormat;
use tureen_transport::{Cipher as _, Transport};

/// The longest CNAME, in bytes: the length of an SDES item has eight bits (RFC 3550 section 6.5).
const MAX_CNAME_LEN: usize = 255;

/// What a consumer sends, and how its payload types follow from the router's.
struct Negotiated {
    parameters: RtpParameters,
    /// Of media, the router's numbers.
    payload_types: PayloadTypes,
    renumbering: Renumbering,
}

impl Negotiated {
    fn router(parameters: RtpParameters) -> Self {
        let media = parameters.codecs.iter().filter(|codec| !codec.is_rtx());
        let payload_types = media.map(|codec| codec.payload_type).collect();
        Self { parameters, payload_types, renumbering: Renumbering::default() }
    }

    fn receiver(negotiated: ReceiverParameters) -> Self {
        let ReceiverParameters { parameters, codecs } = negotiated;
        let is_rtx =
            |number| parameters.codecs.iter().any(|codec| codec.payload_type == number && codec.is_rtx());
        let media = codecs.iter().filter(|codec| !is_rtx(codec.mapped_payload_type));
        let payload_types = media.map(|codec| codec.payload_type).collect();
        Self { parameters, payload_types, renumbering: Renumbering::new(&codecs) }
    }
}

impl<T: Transport> Core<T> {
    pub(crate) fn consume(&mut self, now: Time, request: Consume) -> Result<ConsumerInfo, ConsumeError> {
        let mut options = request.options;
        let transport_key = self.transport_key(request.transport)?;
        let source_key = self.source_key(options.producer_id)?;
        let pipe = self.transport(request.transport)?.options.pipe;
        options.pipe |= pipe.is_some();
        if self.index.consumers.contains_key(&options.id) {
            return Err(ConsumeError::AlreadyExists(options.id));
        }
        if options.mid.as_ref().is_some_and(|mid| !(1..=MAX_MID_LEN).contains(&mid.len())) {
            return Err(ConsumeError::Mid);
        }
        if options.identity.cname.as_ref().is_some_and(|cname| !(1..=MAX_CNAME_LEN).contains(&cname.len())) {
            return Err(ConsumeError::Cname);
        }
        let negotiated = self.negotiate(source_key, pipe, &options)?;
        if options.identity.ssrc.is_some() {
            self.check_ssrcs(transport_key, &negotiated.parameters)?;
        }
        let consumer = self.build_consumer(now, transport_key, source_key, options, negotiated)?;
        let info = self.describe_new(&consumer);
        let id = consumer.definition.id;
        let ssrcs: Vec<u32> = consumer
            .streams
            .iter()
            .flat_map(|s| [Some(s.ssrc), rtx_ssrc(s), fec_ssrc(s)])
            .flatten()
            .collect();
        let key = self.consumers.insert(consumer);
        self.index.consumers.insert(id, key);
        if let Some(state) = self.transports.get_mut(transport_key) {
            state.consumers.push(key);
            state.consumer_ssrcs.extend(ssrcs.into_iter().map(|ssrc| (ssrc, key)));
        }
        if let Some(source) = self.sources.get_mut(source_key) {
            source.consumers.push(key);
        }
        self.wishes_changed(source_key);
        self.choose_layers_of(now, key, SwitchCause::Started);
        self.reallocate_for(now, key);
        self.note_switches(now);
        self.start_reports(now, transport_key);
        self.request_key_frames_for(key);
        Ok(info)
    }

    pub(crate) fn source_key(&self, id: ProducerId) -> Result<Key<Source>, NotFoundError> {
        self.index.sources.get(&id).copied().ok_or(NotFoundError::Producer(id))
    }

    fn negotiate(
        &mut self,
        source: Key<Source>,
        pipe: Option<PipeOptions>,
        options: &ConsumerOptions,
    ) -> Result<Negotiated, ConsumeError> {
        let encodings = self.sources.get(source).map_or(1, |source| source.consumable.encodings.len());
        let count = u32::try_from(encodings).unwrap_or(1).saturating_mul(2).max(3);
        let drawn = (self.draw_ssrc(count), self.draw_ssrc(count));
        // One base for both: the retransmissions' SSRCs then come behind the others.
        let (ssrc_base, rtx_ssrc_base) = options.identity.ssrc.map_or(drawn, |ssrc| (ssrc, ssrc));
        let source = self.sources.get(source).ok_or(NotFoundError::Producer(options.producer_id))?;
        if let Some(PipeOptions { enable_rtx }) = pipe {
            let consumable = &source.consumable;
            let parameters =
                get_pipe_consumer_rtp_parameters(consumable, enable_rtx, ssrc_base, rtx_ssrc_base);
            return Ok(Negotiated::router(parameters));
        }
        let mut capabilities = options.rtp_capabilities.clone();
        validate_rtp_capabilities(&mut capabilities)?;
        let enable_rtx = options.enable_rtx.unwrap_or(source.kind == MediaKind::Video);
        let offer = ConsumerOffer {
            consumable: &source.consumable,
            remote_rtp_capabilities: &capabilities,
            pipe: options.pipe,
            enable_rtx,
            ssrc_base,
            rtx_ssrc_base,
        };
        Ok(match options.numbering {
            ConsumerNumbering::Router => Negotiated::router(get_consumer_rtp_parameters(offer)?),
            ConsumerNumbering::Receiver => Negotiated::receiver(get_receiver_consumer_rtp_parameters(offer)?),
        })
    }

    fn build_consumer(
        &mut self,
        now: Time,
        transport_key: Key<TransportTag>,
        source_key: Key<Source>,
        options: ConsumerOptions,
        negotiated: Negotiated,
    ) -> Result<Consumer, ConsumeError> {
        let Negotiated { mut parameters, payload_types, renumbering } = negotiated;
        let missing = NotFoundError::Producer(options.producer_id);
        let cname = options.identity.cname.unwrap_or_else(|| self.transport_cname(transport_key));
        let state = self.transports.get_mut(transport_key).ok_or(missing)?;
        let source = self.sources.get(source_key).ok_or(missing)?;
        if state.router != source.router {
            return Err(ConsumeError::OtherRouter(options.producer_id));
        }
        let named = options.mid.is_some() || state.options.pipe.is_some();
        let mid = if named { options.mid } else { Some(state.identities.draw_mid()) };
        parameters.mid.clone_from(&mid);
        parameters.rtcp.cname = Some(cname);
        let media = parameters.codecs.iter().find(|codec| !codec.is_rtx()).cloned();
        let feedback = media.as_ref().map(Feedback::of).unwrap_or_default();
        let plain_repeats = feedback.nack && repeats_plainly(&parameters);
        let per_send = !(plain_repeats && state.adapter.cipher().forbids_altered_repeats());
        if plain_repeats {
            state.adapter.cipher().expect_repeats();
        }
        let extensions = ExtensionPlan::new(
            &parameters.header_extensions,
            &source.rtp_parameters.header_extensions,
            mid.as_deref(),
            per_send,
        )
        .reported_by_stream(feedback.by_stream);
        state.estimate_for(source.kind, feedback, &extensions);
        let mut first = |ssrc: Option<u32>| {
            let left_off = ssrc.and_then(|ssrc| state.identities.go_on(ssrc));
            left_off.unwrap_or(self.rng.next_u32() as u16)
        };
        let selector =
            build_selector(&mut first, source, &parameters, media.as_ref(), options.ignore_dtx, options.pipe);
        let streams = build_streams(&mut first, source.kind, &parameters, media.as_ref(), options.pipe);
        let consumer_type = ConsumerType::of(source.producer_type, options.pipe);
        let preferred_layers =
            options.preferred_layers.and_then(|layers| clamp_layers(&parameters, consumer_type, layers));
        Ok(Consumer {
            definition: Box::new(ConsumerDefinition {
                id: options.id,
                kind: source.kind,
                consumer_type,
                rtp_parameters: parameters,
                pipe: options.pipe,
                keeps_ssrc: options.identity.ssrc.is_some(),
            }),
            transport: transport_key,
            source: source_key,
            pause: PauseState {
                own: options.paused,
                producer: source.paused,
                left_out: source.left_out,
                starved: false,
            },
            extensions,
            payload_types,
            renumbering,
            selector,
            streams,
            drops: DropCounters::default(),
            priority: 1,
            preferred_layers,
            granted_layers: None,
            is_limited: false,
            trace: Default::default(),
            replay: None,
            score_promised: false,
            layers_promised: false,
            told_layers: None,
            switches: Box::new(SwitchLog::new(now)),
        })
    }

    /// Whether nobody on a transport, neither of us nor of the remote, has these SSRCs.
    fn check_ssrcs(
        &self,
        transport: Key<TransportTag>,
        parameters: &RtpParameters,
    ) -> Result<(), ConsumeError> {
        let Some(state) = self.transports.get(transport) else { return Ok(()) };
        let mut ssrcs = parameters
            .encodings
            .iter()
            .flat_map(|it| [it.ssrc, it.rtx.map(|rtx| rtx.ssrc), it.fec.map(|fec| fec.ssrc)])
            .flatten();
        let taken = ssrcs
            .find(|ssrc| state.consumer_ssrcs.contains_key(ssrc) || state.listener.by_ssrc(*ssrc).is_some());
        taken.map_or(Ok(()), |ssrc| Err(ConsumeError::DuplicateSsrc(ssrc)))
    }

    fn describe_new(&self, consumer: &Consumer) -> ConsumerInfo {
        let definition = &consumer.definition;
        let source = self.sources.get(consumer.source);
        ConsumerInfo {
            id: definition.id,
            producer_id: source.map_or(ProducerId(0), |source| source.producer_id),
            kind: definition.kind,
            rtp_parameters: definition.rtp_parameters.clone(),
            consumer_type: definition.consumer_type,
            paused: consumer.pause.own,
            producer_paused: consumer.pause.producer,
            producer_scores: source.map(|source| source.scores().collect()).unwrap_or_default(),
            preferred_layers: consumer.preferred_layers,
        }
    }

    /// The CNAME of what a transport sends, drawn if it has none yet.
    pub(crate) fn transport_cname(&mut self, key: Key<TransportTag>) -> String {
        let drawn = format!("{:08x}", self.rng.next_u32());
        let Some(state) = self.transports.get_mut(key) else { return drawn };
        if state.reports.cname.is_empty() {
            state.reports.cname = drawn;
        }
        state.reports.cname.clone()
    }

    pub(crate) fn request_key_frame(
        &mut self,
        _now: Time,
        request: RequestKeyFrame,
    ) -> Result<(), NotFoundError> {
        let key = self.consumer_key(request.id)?;
        self.request_current_key_frame(key, None);
        Ok(())
    }

    pub(crate) fn set_consumer_priority(
        &mut self,
        now: Time,
        request: SetConsumerPriority,
    ) -> Result<u8, PriorityError> {
        if request.priority == Some(0) {
            return Err(PriorityError::Zero);
        }
        let consumer = self.consumer_mut(request.id)?;
        let priority = request.priority.unwrap_or(1);
        consumer.priority = priority;
        let transport = consumer.transport;
        if let Some(state) = self.transports.get_mut(transport)
            && let Some(control) = &mut state.sending.control
        {
            control.forget_ladders();
            self.allocate(now, transport);
        }
        Ok(priority)
    }

    pub(crate) fn set_preferred_layers(
        &mut self,
        now: Time,
        request: SetPreferredLayers,
    ) -> Result<Option<MediaLayers>, NotFoundError> {
        let key = self.consumer_key(request.id)?;
        let consumer = self.consumer_mut(request.id)?;
        let definition = &consumer.definition;
        let layers = clamp_layers(&definition.rtp_parameters, definition.consumer_type, request.layers);
        consumer.preferred_layers = layers;
        let source = consumer.source;
        self.wishes_changed(source);
        self.choose_layers_of(now, key, SwitchCause::Preferred);
        self.reallocate_for(now, key);
        self.note_switches(now);
        Ok(layers)
    }

    pub(crate) fn trace_consumer(&mut self, _now: Time, request: TraceConsumer) -> Result<(), NotFoundError> {
        self.consumer_mut(request.id)?.trace = request.flags;
        Ok(())
    }
}

/// Whether lost packets of some encoding are sent again in its own stream.
fn repeats_plainly(parameters: &RtpParameters) -> bool {
    parameters.encodings.iter().any(|encoding| encoding.rtx.is_none())
}

/// The wanted layers, limited to those there are; `None` where there are none to choose from.
fn clamp_layers(
    parameters: &RtpParameters,
    consumer_type: ConsumerType,
    wanted: MediaLayers,
) -> Option<MediaLayers> {
    if !matches!(consumer_type, ConsumerType::Simulcast | ConsumerType::Svc) {
        return None;
    }
    let mode = parameters.encodings.first()?.layers();
    let top_temporal = mode.temporal_layers.saturating_sub(1);
    Some(MediaLayers {
        spatial_layer: wanted.spatial_layer.min(mode.spatial_layers.saturating_sub(1)),
        temporal_layer: Some(wanted.temporal_layer.unwrap_or(top_temporal).min(top_temporal)),
    })
}

/// The SSRC of a stream's retransmissions.
pub(crate) fn rtx_ssrc(stream: &ConsumerStream) -> Option<u32> {
    stream.send.config().rtx.map(|rtx| rtx.ssrc)
}

/// The SSRC of a stream's parity.
pub(crate) fn fec_ssrc(stream: &ConsumerStream) -> Option<u32> {
    stream.send.config().fec.map(|fec| fec.ssrc)
}

/// What decides, given how the streams of the source are coded. `first` has the sequence number that an SSRC starts with.
fn build_selector(
    first: &mut impl FnMut(Option<u32>) -> u16,
    source: &Source,
    parameters: &RtpParameters,
    media: Option<&RtpCodecParameters>,
    ignore_dtx: bool,
    pipe: bool,
) -> Selector {
    let format = media.map(payload_format).unwrap_or_default();
    let ssrc = |index: usize| parameters.encodings.get(index).and_then(|encoding| encoding.ssrc);
    let config = SimpleSelectorConfig {
        needs_key_frame: source.kind == MediaKind::Video && format != PayloadFormat::Opaque,
        ignore_dtx,
        clock_rate: media.map_or(90_000, |codec| codec.clock_rate),
        first_sequence_number: first(ssrc(0)),
    };
    if pipe {
        let of = |index| match index {
            0 => config,
            _ => SimpleSelectorConfig { first_sequence_number: first(ssrc(index)), ..config },
        };
        Selector::Pipe(PipeSelector::new((0..source.streams.len()).map(of)))
    } else if source.streams.len() > 1 || source.producer_type == ProducerType::Svc {
        let mut selector = SimulcastSelector::new(SimulcastSelectorConfig {
            needs_key_frame: config.needs_key_frame,
            clock_rate: config.clock_rate,
            first_sequence_number: config.first_sequence_number,
        });
        for (encoding, stream) in (0..).zip(&source.streams) {
            if let Some(alignment) = stream.alignment {
                selector.set_alignment(encoding, alignment);
            }
        }
        Selector::Simulcast(Box::new(selector))
    } else {
        Selector::Simple(Box::new(SimpleSelector::new(config)))
    }
}

fn fec_payload_type(parameters: &RtpParameters) -> Option<u8> {
    let is_parity = |codec: &&RtpCodecParameters| codec.mime_type.codec() == Codec::FlexFec;
    parameters.codecs.iter().find(is_parity).map(|codec| codec.payload_type)
}

fn build_streams(
    first: &mut impl FnMut(Option<u32>) -> u16,
    kind: MediaKind,
    parameters: &RtpParameters,
    media: Option<&RtpCodecParameters>,
    pipe: bool,
) -> SmallVec<[ConsumerStream; 1]> {
    let Some(media) = media else { return SmallVec::new() };
    // What is to be sent again is looked up there, and what parity is made of.
    let looks_up = Feedback::of(media).nack || fec_payload_type(parameters).is_some();
    let log_capacity = match (looks_up, kind) {
        (false, _) => 0,
        (true, MediaKind::Video) => SENT_LOG_VIDEO,
        (true, MediaKind::Audio) => SENT_LOG_AUDIO,
    };
    let deadline = match kind {
        MediaKind::Video => REPAIR_DEADLINE_VIDEO,
        MediaKind::Audio => REPAIR_DEADLINE_AUDIO,
    };
    let mut build = |(index, encoding): (usize, &RtpEncodingParameters)| {
        let rtx = encoding.rtx.as_ref().zip(rtx_of(parameters, media.payload_type));
        let fec = encoding.fec.as_ref().zip(fec_payload_type(parameters));
        let ssrc = encoding.ssrc.unwrap_or(0);
        ConsumerStream {
            ssrc,
            encoding: pipe.then_some(index as u8),
            send: SendStream::new(SendStreamConfig {
                ssrc,
                payload_type: media.payload_type,
                clock_rate: media.clock_rate,
                rtx: rtx.map(|(rtx, payload_type)| RtxConfig { ssrc: rtx.ssrc, payload_type }),
                rtx_first_sequence_number: first(rtx.map(|(rtx, _)| rtx.ssrc)),
                fec: fec.map(|(fec, payload_type)| FecConfig { ssrc: fec.ssrc, payload_type }),
                fec_first_sequence_number: fec.map_or(0, |(fec, _)| first(Some(fec.ssrc))),
                log_capacity,
            })
            .with_repair_deadline(deadline),
            told_score: MAX_SCORE,
        }
    };
    parameters.encodings.iter().enumerate().map(&mut build).collect()
}
