//! Who gets which layers of what a transport may send: ladders out of what sources take, shares into what selectors are told.
//!
//! Must not know how the estimate is made, nor when packets leave.

use crate::arena::Key;
use crate::codec::Feedback;
use crate::consumer::{Consumer, PauseState};
use crate::core::Core;
use crate::event::{Event, TransportEvent};
use crate::extensions::ExtensionPlan;
use crate::notes::{Note, NoteTopic};
use crate::options::{ContentHint, OutgoingBitrates};
use crate::path::pacing::break_off;
use crate::sending::{PathNews, SendControl, Told, Unwanted, is_starved};
use crate::source::Source;
use crate::switches::SwitchCause;
use crate::trace::{BweTrace, BweType, Trace, TraceDirection, TraceInfo};
use crate::transport_state::{TransportState, TransportTag};
use smallvec::SmallVec;
use tureen_congestion::allocator::{Content, Grant, GrantReason, Ladder, MAX_STEPS, Step};
use tureen_forwarding::Selector;
use tureen_rtp_dictionaries::{ConsumerType, MediaKind, MediaLayers};
use tureen_rtp_wire::Time;
use tureen_transport::Transport;

/// A transport that may send less than this part of what it sends, in hundredths, does not wait for key frames of lower layers.
const AT_ONCE_PERCENT: u64 = 70;

impl<T> TransportState<T> {
    /// Begins to estimate what may be sent, if a new consumer lets the remote tell.
    pub(crate) fn estimate_for(&mut self, kind: MediaKind, feedback: Feedback, extensions: &ExtensionPlan) {
        let Some(bitrates) = self.options.outgoing else { return };
        let transport_wide = feedback.transport_cc && extensions.has_transport_sequence_number();
        let remb = feedback.remb && extensions.has_abs_send_time();
        let by_stream = extensions.is_reported_by_stream();
        if kind == MediaKind::Video && (transport_wide || remb || by_stream) && self.sending.control.is_none()
        {
            self.sending.control = Some(Box::new(SendControl::new(bitrates)));
        }
        if let Some(control) = self.sending.control.as_mut().filter(|_| by_stream) {
            control.expect_stream_reports();
        }
    }
}

impl<T: Transport> Core<T> {
    /// Takes what the remote says of the path, and shares anew. What `take` does not take changes nothing and is counted.
    pub(crate) fn follow_path(
        &mut self,
        now: Time,
        key: Key<TransportTag>,
        take: impl FnOnce(&mut SendControl) -> Result<Told, Unwanted>,
    ) {
        let Some(transport) = self.transports.get_mut(key) else { return };
        let Some(control) = &mut transport.sending.control else { return };
        match take(control) {
            Ok(Told { unknown }) => self.counters.unknown_reported += unknown,
            Err(Unwanted) => {
                self.counters.unwanted_feedback += 1;
                return;
            }
        }
        self.allocate(now, key);
        if let Some(transport) = self.transports.get_mut(key) {
            transport.sending.arm(&mut self.timers, key);
        }
    }

    /// Shares anew since a consumer came, or wants something else than before: it gets at once what there is.
    pub(crate) fn reallocate_for(&mut self, now: Time, key: Key<Consumer>) {
        let Some(consumer) = self.consumers.get(key) else { return };
        let transport_key = consumer.transport;
        let Some(transport) = self.transports.get_mut(transport_key) else { return };
        if let Some(control) = &mut transport.sending.control {
            control.allocator.remove(key.to_bits());
            control.forget_ladders();
            self.allocate(now, transport_key);
        }
    }

    /// Shares what a transport may send among its consumers.
    pub(crate) fn allocate(&mut self, now: Time, key: Key<TransportTag>) {
        let Some(transport) = self.transports.get_mut(key) else { return };
        let Some(mut control) = transport.sending.control.take() else { return };
        if control.governs() {
            let had_news = control.takes_ladders(now);
            if had_news {
                self.set_ladders(now, key, &mut control);
            }
            if control.share(now) || had_news {
                let grants: SmallVec<[Grant; 8]> = control.allocator.grants().collect();
                for grant in grants {
                    self.apply(now, grant, &mut control);
                }
            }
        } else {
            self.lift_shares(now, key, &mut control);
        }
        if let Some(transport) = self.transports.get_mut(key) {
            let (id, traced, noted) =
                (transport.id, transport.trace.bwe, self.events.wants_notes(NoteTopic::Bwe));
            if (traced || noted)
                && let Some(news) = control.take_news(now)
            {
                let bitrates = transport.options.outgoing.unwrap_or_default();
                let estimate = bwe_trace(bitrates, news, control.is_remb());
                self.events.note(now, Note::Estimate { transport: id, estimate });
                if traced {
                    let info = TraceInfo::Bwe(estimate);
                    let trace = Trace { info, timestamp: now.as_millis(), direction: TraceDirection::Out };
                    self.events.trace(Event::Transport(id, TransportEvent::Trace(trace)));
                }
            }
            transport.sending.control = Some(control);
        }
        self.note_switches(now);
    }

    /// Measures what the layers take that consumers can have, and what is sent in any case.
    fn set_ladders(&mut self, now: Time, key: Key<TransportTag>, control: &mut SendControl) {
        let Some(transport) = self.transports.get(key) else { return };
        let mut fixed: u64 = 0;
        for key in &transport.consumers {
            let Some(consumer) = self.consumers.get(*key) else { continue };
            let Some(source) = self.sources.get(consumer.source) else { continue };
            fixed = fixed.saturating_add(consumer.parity_bitrate(now));
            let wants = PauseState { starved: false, ..consumer.pause }.flows();
            match ladder(now, consumer, source) {
                Some(ladder) if wants => control.allocator.set(key.to_bits(), ladder, consumer.priority),
                Some(_) => control.allocator.remove(key.to_bits()),
                None if wants => fixed = fixed.saturating_add(source.bitrate(now)),
                None => {}
            }
        }
        control.set_fixed(fixed);
    }

    /// Lets a consumer have its share.
    fn apply(&mut self, now: Time, grant: Grant, control: &mut SendControl) {
        let key = Key::from_bits(grant.id);
        let Some(consumer) = self.consumers.get_mut(key) else { return };
        let granted = grant
            .step
            .map(|step| MediaLayers { spatial_layer: step.spatial, temporal_layer: Some(step.temporal) });
        let starved = is_starved(&grant);
        consumer.is_limited = !matches!(grant.reason, GrantReason::Preferred | GrantReason::NoLayers);
        let has_changed = std::mem::replace(&mut consumer.granted_layers, granted) != granted;
        if std::mem::replace(&mut consumer.pause.starved, starved) != starved {
            if starved {
                break_off(consumer, control);
            }
            self.flow_changed(now, key, SwitchCause::Bandwidth);
        }
        if has_changed && !starved {
            self.choose_layers_of(now, key, SwitchCause::Bandwidth);
            self.leave_at_once(now, key, control);
        }
    }

    /// Where far less may be sent than is, a lower encoding is not waited for: what is sent until its key frame comes would only queue.
    fn leave_at_once(&mut self, now: Time, key: Key<Consumer>, control: &mut SendControl) {
        let Some(consumer) = self.consumers.get_mut(key) else { return };
        let Selector::Simulcast(selector) = &consumer.selector else { return };
        let (Some(current), Some(target)) = (selector.current(), selector.target()) else { return };
        let Some(transport) = self.transports.get(consumer.transport) else { return };
        let sent = u64::from(transport.meters.rtp_sent.bitrate(now));
        let too_much = control.available().is_some_and(|available| available < sent / 100 * AT_ONCE_PERCENT);
        if target.encoding < current.encoding && too_much {
            break_off(consumer, control);
            self.switched.push(key);
        }
    }

    /// Nobody says what may be sent: everybody has all.
    fn lift_shares(&mut self, now: Time, key: Key<TransportTag>, control: &mut SendControl) {
        let keys: SmallVec<[Key<Consumer>; 8]> = self
            .transports
            .get(key)
            .into_iter()
            .flat_map(|transport| &transport.consumers)
            .copied()
            .collect();
        for key in keys {
            let Some(consumer) = self.consumers.get_mut(key) else { continue };
            control.allocator.remove(key.to_bits());
            consumer.is_limited = false;
            let was_limited = consumer.granted_layers.take().is_some();
            if std::mem::take(&mut consumer.pause.starved) {
                self.flow_changed(now, key, SwitchCause::Bandwidth);
            }
            if was_limited {
                self.choose_layers_of(now, key, SwitchCause::Bandwidth);
            }
        }
    }
}

/// What a consumer can have of its source; `None` for what has no layers.
fn ladder(now: Time, consumer: &Consumer, source: &Source) -> Option<Ladder> {
    if !consumer.is_layered() || !matches!(consumer.selector, Selector::Simulcast(_)) {
        return None;
    }
    let mode = consumer.definition.rtp_parameters.encodings.first()?.layers();
    let is_svc = consumer.definition.consumer_type == ConsumerType::Svc;
    let mut steps: SmallVec<[Step; MAX_STEPS]> = SmallVec::new();
    for (encoding, stream) in (0_u8..).zip(&source.streams) {
        if stream.score == 0 && !stream.resting {
            continue;
        }
        for spatial in 0..if is_svc { mode.spatial_layers.max(1) } else { 1 } {
            for temporal in 0..mode.temporal_layers.max(1) {
                let rate = |spatial| match stream.resting {
                    true => stream.rates.known_up_to(spatial, temporal),
                    false => stream.rates.up_to(now, spatial, temporal),
                };
                let below = match spatial.checked_sub(1) {
                    // Each layer stands by itself, but for key frames.
                    Some(below) if mode.ksvc => rate(below),
                    _ => 0,
                };
                let all = rate(if is_svc { spatial } else { u8::MAX });
                let spatial = if is_svc { spatial } else { encoding };
                steps.push(Step { spatial, temporal, bitrate: all.saturating_sub(below) });
            }
        }
    }
    let preferred = consumer.preferred_layers;
    let preferred = preferred.map(|layers| (layers.spatial_layer, layers.temporal_layer.unwrap_or(u8::MAX)));
    Some(Ladder::new(&steps, content(source.content_hint), preferred))
}

/// What of a picture matters.
const fn content(hint: Option<ContentHint>) -> Content {
    match hint {
        None | Some(ContentHint::Motion) => Content::Camera,
        Some(ContentHint::Detail | ContentHint::Text) => Content::Screen,
    }
}

fn bwe_trace(bitrates: OutgoingBitrates, news: PathNews, is_remb: bool) -> BweTrace {
    let saturating = |bitrate: u64| u32::try_from(bitrate).unwrap_or(u32::MAX);
    let PathNews { desired, granted, available } = news;
    BweTrace {
        bwe_type: if is_remb { BweType::Remb } else { BweType::TransportCc },
        desired_bitrate: saturating(desired),
        effective_desired_bitrate: saturating(granted),
        min_bitrate: bitrates.min.max(OutgoingBitrates::LEAST),
        max_bitrate: bitrates.max,
        start_bitrate: bitrates.initial,
        max_padding_bitrate: saturating(desired.saturating_sub(granted)),
        available_bitrate: saturating(available),
    }
}
