//! Deadlines: what is due is done, and the next deadline set.

use crate::arena::Key;
use crate::core::Core;
use crate::event::{Event, ProducerEvent};
use crate::notes::Note;
use crate::producer::Producer;
use crate::timers::Timer;
use crate::trace::{Trace, TraceDirection, TraceInfo};
use smallvec::SmallVec;
use tureen_forwarding::KeyFrameRequest;
use tureen_rtp_wire::Time;
use tureen_rtp_wire::rtcp::{FirEntry, RtcpWriter};
use tureen_transport::{Egress, Transport};

/// The most sequence numbers that one NACK message asks for.
const MAX_NACKED: usize = 512;

impl<T: Transport> Core<T> {
    /// Does what is due; packets that follow from it go to `out`, behind those that the batch left waiting.
    pub fn handle_timeout(&mut self, now: Time, out: &mut impl Egress) {
        self.send_bursts(now, out);
        self.say_farewells(out);
        while let Some(timer) = self.timers.pop_due(now) {
            match timer {
                Timer::Reports(transport) => self.reports_due(now, transport, out),
                Timer::Stream(producer, encoding) => self.stream_due(now, producer, encoding, out),
                Timer::Transport(transport) => self.transport_due(now, transport, out),
                Timer::Feedback(transport) => self.feedback_due(now, transport, out),
                Timer::Sending(transport) => self.sending_due(now, transport, out),
                Timer::Data(transport) => self.data_due(now, transport, out),
                Timer::Replay(consumer) => self.replay_due(now, consumer, out),
                Timer::WantedLayers(source) => self.wanted_due(now, source),
                Timer::Levels => self.levels_due(now),
                Timer::Observer(observer) => self.observer_due(now, observer),
            }
        }
    }

    /// Follows up on a packet of a stream: its score may have changed, and its deadlines may have moved forward.
    pub(crate) fn tend_stream(&mut self, now: Time, key: Key<Producer>, encoding: u8) {
        self.follow_score(now, key, encoding);
        self.arm_stream(key, encoding);
    }

    pub(crate) fn arm_stream(&mut self, key: Key<Producer>, encoding: u8) {
        let Some(stream) = self.producers.get_mut(key).and_then(|producer| producer.stream_mut(encoding))
        else {
            return;
        };
        let deadline = stream.recv.next_deadline();
        stream.timer.arm(&mut self.timers, deadline, Timer::Stream(key, encoding));
    }

    /// Tells of a stream's score if it changed.
    pub(crate) fn follow_score(&mut self, now: Time, key: Key<Producer>, encoding: u8) {
        let Some(producer) = self.producers.get_mut(key) else { return };
        let source = producer.source;
        let Some(stream) = producer.stream_mut(encoding) else { return };
        let score = stream.recv.score();
        if std::mem::replace(&mut stream.told_score, score) != score {
            self.set_score(now, source, encoding, score);
            self.promise_producer_score(key);
        }
    }

    fn stream_due(&mut self, now: Time, key: Key<Producer>, encoding: u8, out: &mut impl Egress) {
        let Some(stream) = self.producers.get_mut(key).and_then(|producer| producer.stream_mut(encoding))
        else {
            return;
        };
        if !stream.timer.fired(now) {
            return;
        }
        self.rest_unwanted(now, key, encoding);
        let Some(stream) = self.producers.get_mut(key).and_then(|producer| producer.stream_mut(encoding))
        else {
            return;
        };
        stream.recv.poll_inactivity(now);
        let mut lost: SmallVec<[u16; MAX_NACKED]> = SmallVec::new();
        stream.recv.poll_nack(now, &mut |sequence_number| {
            if lost.len() < MAX_NACKED {
                lost.push(sequence_number);
            }
        });
        let request = stream.recv.poll_key_frame_request(now);
        self.follow_score(now, key, encoding);
        if !lost.is_empty() || request.is_some() {
            self.send_feedback(now, key, encoding, &lost, request, out);
        }
        self.arm_stream(key, encoding);
    }

    fn send_feedback(
        &mut self,
        now: Time,
        key: Key<Producer>,
        encoding: u8,
        lost: &[u16],
        request: Option<KeyFrameRequest>,
        out: &mut impl Egress,
    ) {
        let Some(producer) = self.producers.get(key) else { return };
        let (id, flags, transport) = (producer.definition.id, producer.trace, producer.transport);
        let Some(ssrc) = producer.stream(encoding).map(|stream| stream.recv.config().ssrc) else { return };
        self.counters.key_frame_requests += u64::from(request.is_some());
        self.send_rtcp(now, transport, out, |writer, own_ssrc| {
            if !lost.is_empty() {
                writer.nack(own_ssrc, ssrc, lost.iter().copied()).ok()?;
            }
            match request {
                Some(KeyFrameRequest::Pli) => writer.pli(own_ssrc, ssrc).ok(),
                Some(KeyFrameRequest::Fir { sequence_number }) => {
                    writer.fir(own_ssrc, &[FirEntry { ssrc, sequence_number }]).ok()
                }
                None => Some(()),
            }
        });
        if !lost.is_empty() {
            self.events.note(now, Note::AskedAgain { producer: id, ssrc, packets: lost.len() });
        }
        let mut trace = |info| {
            let trace = Trace { info, timestamp: now.as_millis(), direction: TraceDirection::Out };
            self.events.trace(Event::Producer(id, ProducerEvent::Trace(trace)));
        };
        if flags.nack && !lost.is_empty() {
            trace(TraceInfo::Nack);
        }
        match request {
            Some(KeyFrameRequest::Pli) if flags.pli => trace(TraceInfo::Pli { ssrc }),
            Some(KeyFrameRequest::Fir { .. }) if flags.fir => trace(TraceInfo::Fir { ssrc }),
            _ => {}
        }
    }

    /// Sends one RTCP compound that `fill` writes: an empty receiver report first, as compounds must begin
    /// (RFC 3550 section 6.1). `fill` gets the writer and the SSRC that we report with.
    pub(crate) fn send_rtcp(
        &mut self,
        now: Time,
        key: Key<crate::transport_state::TransportTag>,
        out: &mut impl Egress,
        fill: impl FnOnce(&mut RtcpWriter<'_>, u32) -> Option<()>,
    ) {
        let Some(transport) = self.transports.get_mut(key) else { return };
        let sent = crate::path::reports_out::send_compound(now, key, transport, out, |writer, reports| {
            writer.receiver_report(reports.own_ssrc, &[]).ok()?;
            fill(writer, reports.own_ssrc)
        });
        if let Some(len) = sent {
            self.counters.rtcp_sent += 1;
            self.counters.bytes_sent += len as u64;
        }
    }
}
