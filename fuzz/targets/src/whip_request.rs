//! What a publisher and a viewer post, through negotiation to both answers: WHIP and WHEP without their HTTP.
//!
//! The input is the publisher's offer, the viewer's offer and a fragment, with NUL between them. Planted: the viewer is told
//! the router's payload types and extension ids instead of its own.

use crate::Fault;
use crate::sdp_offer::{Local, check, router, written};
use tureen_rtp_dictionaries::{
    ConsumerOffer, MediaKind, RtpCapabilities, RtpParameters, get_consumable_rtp_parameters,
    get_consumer_rtp_parameters, get_producer_rtp_parameters_mapping, get_receiver_consumer_rtp_parameters,
    validate_rtp_capabilities, validate_rtp_parameters,
};
use tureen_sdp_bridge::{Answer, Offer, OfferedMedia, TrickleFragment};

/// A producer as a router offers it to consumers.
type Source = (MediaKind, RtpParameters);

pub(crate) fn run(data: &[u8], fault: Fault) {
    let mut parts = data.split(|byte| *byte == 0).map(|part| std::str::from_utf8(part).unwrap_or_default());
    let mut next = || parts.next().unwrap_or_default();
    let (publisher, viewer, fragment) = (next(), next(), next());
    let router = router();
    let sources = publish(publisher, &router).unwrap_or_default();
    play(viewer, &sources, fault);
    if let Ok(fragment) = TrickleFragment::parse(fragment) {
        Local::new().restart(&fragment);
    }
}

/// Answers a publisher, whose offer is taken as a whole or not at all.
fn publish(text: &str, router: &RtpCapabilities) -> Option<Vec<Source>> {
    let offer = Offer::parse(text).ok()?;
    let sending = offer.media.iter().filter(|media| media.sends() && media.mid.is_some());
    let producers: Vec<(&OfferedMedia, RtpParameters)> = sending
        .map(|media| media.producer_rtp_parameters(router, None).ok().map(|own| (media, own)))
        .collect::<Option<_>>()?;
    let local = Local::new();
    let mut answer = Answer::new(&offer, local.transport()).ok()?;
    let mut sources = Vec::new();
    for (media, producer) in &producers {
        let (mid, kind) = (media.mid.as_ref()?, media.media_kind()?);
        answer.receive(mid, producer).expect("what was offered can be received");
        let mapping =
            get_producer_rtp_parameters_mapping(producer, router, 1000).expect("the router's codecs");
        let consumable = get_consumable_rtp_parameters(kind, producer, router, &mapping);
        sources.push((kind, consumable.expect("a mapped producer can be consumed")));
    }
    if let Some(text) = written(&answer) {
        check(&offer, &text);
    }
    Some(sources)
}

/// Answers a viewer: each section that receives gets the first source that it can.
fn play(text: &str, sources: &[Source], fault: Fault) {
    let Ok(offer) = Offer::parse(text) else { return };
    let mut free: Vec<&Source> = sources.iter().collect();
    let consumers: Vec<Option<RtpParameters>> = offer
        .media
        .iter()
        .map(|media| {
            let kind = media.media_kind().filter(|_| media.receives() && media.mid.is_some())?;
            let mut capabilities = media.rtp_capabilities();
            validate_rtp_capabilities(&mut capabilities).ok()?;
            let found = free.iter().enumerate().find_map(|(at, (own, source))| {
                let consumer = (*own == kind).then(|| consume(source, &capabilities, fault)).flatten()?;
                Some((at, consumer))
            });
            let (at, mut consumer) = found?;
            free.remove(at);
            consumer.mid.clone_from(&media.mid);
            Some(consumer)
        })
        .collect();
    let local = Local::new();
    let Ok(mut answer) = Answer::new(&offer, local.transport()) else { return };
    for (media, consumer) in offer.media.iter().zip(&consumers) {
        let (Some(mid), Some(consumer)) = (&media.mid, consumer) else { continue };
        validate_rtp_parameters(&mut consumer.clone()).expect("parameters of a consumer are valid");
        answer.send(mid, consumer).expect("what is received was offered so");
    }
    if let Some(text) = written(&answer) {
        check(&offer, &text);
    }
}

fn consume(source: &RtpParameters, capabilities: &RtpCapabilities, fault: Fault) -> Option<RtpParameters> {
    let offer = ConsumerOffer {
        consumable: source,
        remote_rtp_capabilities: capabilities,
        pipe: false,
        enable_rtx: true,
        ssrc_base: 100_000_000,
        rtx_ssrc_base: 200_000_000,
    };
    if fault == Fault::Planted {
        return get_consumer_rtp_parameters(offer).ok();
    }
    get_receiver_consumer_rtp_parameters(offer).ok().map(|found| found.parameters)
}
