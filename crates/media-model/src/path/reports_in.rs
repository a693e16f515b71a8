//! RTCP that comes in: reports update streams, feedback asks for packets or key frames.

use crate::arena::Key;
use crate::consumer::{Consumer, ConsumerStream};
use crate::core::Core;
use crate::event::{ConsumerEvent, Event, ProducerEvent};
use crate::trace::{Trace, TraceDirection, TraceInfo};
use crate::transport_state::TransportTag;
use tureen_rtp_wire::Time;
use tureen_rtp_wire::rtcp::{Compound, ReportBlock, RtcpPacket, SenderReport, Xr, XrBlock};
use tureen_transport::{Egress, Transport};

impl<T: Transport> Core<T> {
    /// Takes an opened RTCP compound.
    pub(crate) fn handle_rtcp(
        &mut self,
        now: Time,
        key: Key<TransportTag>,
        bytes: &[u8],
        out: &mut impl Egress,
    ) {
        let Ok(compound) = Compound::parse(bytes) else {
            self.counters.bad_rtcp += 1;
            return;
        };
        for packet in compound {
            match packet {
                Ok(packet) => self.handle_rtcp_packet(now, key, &packet, out),
                Err(_) => self.counters.bad_rtcp += 1,
            }
        }
    }

    fn handle_rtcp_packet(
        &mut self,
        now: Time,
        key: Key<TransportTag>,
        packet: &RtcpPacket<'_>,
        out: &mut impl Egress,
    ) {
        match packet {
            RtcpPacket::SenderReport(report) => {
                self.handle_sender_report(now, key, report);
                for block in report.report_blocks() {
                    self.handle_report_block(now, key, &block);
                }
            }
            RtcpPacket::ReceiverReport(report) => {
                for block in report.report_blocks() {
                    self.handle_report_block(now, key, &block);
                }
            }
            RtcpPacket::Nack(nack) => {
                let Some(consumer) = self.consumer_of(key, nack.media_ssrc()) else { return };
                self.trace_feedback(now, consumer, |flags| flags.nack, TraceInfo::Nack);
                self.retransmit(now, consumer, nack.media_ssrc(), nack.lost(), out);
            }
            RtcpPacket::Pli(pli) => self.handle_pli(now, key, pli.media_ssrc),
            RtcpPacket::Fir(fir) => {
                for entry in fir.entries() {
                    self.handle_fir(now, key, entry.ssrc);
                }
            }
            RtcpPacket::Xr(xr) => self.handle_xr(now, key, xr),
            RtcpPacket::TransportFeedback(feedback) => {
                self.follow_path(now, key, |control| control.on_transport_feedback(now, feedback));
            }
            RtcpPacket::CongestionFeedback(feedback) => {
                self.follow_path(now, key, |control| control.on_stream_feedback(now, feedback));
            }
            RtcpPacket::Remb(remb) => {
                self.follow_path(now, key, |control| Ok(control.on_remb(remb.bitrate())));
            }
            _ => {}
        }
    }

    /// The consumer that sends `ssrc` on a transport.
    pub(super) fn consumer_of(&self, key: Key<TransportTag>, ssrc: u32) -> Option<Key<Consumer>> {
        self.transports.get(key)?.consumer_ssrcs.get(&ssrc).copied()
    }

    fn consumer_stream(
        &mut self,
        key: Key<TransportTag>,
        ssrc: u32,
    ) -> Option<(Key<Consumer>, &mut ConsumerStream)> {
        let consumer_key = self.consumer_of(key, ssrc)?;
        let consumer = self.consumers.get_mut(consumer_key)?;
        let stream = consumer.streams.iter_mut().find(|stream| stream.ssrc == ssrc)?;
        Some((consumer_key, stream))
    }

    fn handle_sender_report(&mut self, now: Time, key: Key<TransportTag>, report: &SenderReport<'_>) {
        let Some(transport) = self.transports.get(key) else { return };
        let Some(stream) = transport.listener.by_ssrc(report.ssrc()) else { return };
        let Some(producer) = self.producers.get_mut(stream.producer) else { return };
        let (id, flags) = (producer.definition.id, producer.trace);
        let Some(state) = producer.stream_mut(stream.encoding) else { return };
        let wire = report.info();
        if stream.rtx {
            state.recv.on_rtx_sender_report(now, wire);
        } else {
            state.recv.on_sender_report(now, wire);
            self.align(now, stream, &wire);
        }
        self.follow_clock(now, key, wire.ntp);
        self.follow_score(now, stream.producer, stream.encoding);
        if flags.sr {
            let info = TraceInfo::Sr {
                ssrc: report.ssrc(),
                ntp_sec: wire.ntp.seconds(),
                ntp_frac: wire.ntp.fraction(),
                rtp_ts: wire.rtp_timestamp,
                packet_count: wire.packet_count,
                octet_count: wire.octet_count,
            };
            let trace = Trace { info, timestamp: now.as_millis(), direction: TraceDirection::In };
            self.events.trace(Event::Producer(id, ProducerEvent::Trace(trace)));
        }
    }

    fn handle_report_block(&mut self, now: Time, key: Key<TransportTag>, block: &ReportBlock) {
        let ntp = self.config.wall_clock.ntp(now);
        let Some((consumer, stream)) = self.consumer_stream(key, block.ssrc) else { return };
        stream.send.on_report_block(ntp, block);
        let score = stream.send.score();
        let rtt = stream.send.rtt();
        if std::mem::replace(&mut stream.told_score, score) != score {
            self.promise_consumer_score(consumer);
        }
        if let (Some(transport), Some(rtt)) = (self.transports.get_mut(key), rtt) {
            transport.reports.round_trip = Some(rtt);
        }
    }

    fn handle_pli(&mut self, now: Time, key: Key<TransportTag>, ssrc: u32) {
        let Some((consumer, stream)) = self.consumer_stream(key, ssrc) else { return };
        stream.send.on_pli();
        self.request_current_key_frame(consumer, Some(ssrc));
        self.trace_feedback(now, consumer, |flags| flags.pli, TraceInfo::Pli { ssrc });
    }

    fn handle_fir(&mut self, now: Time, key: Key<TransportTag>, ssrc: u32) {
        let Some((consumer, stream)) = self.consumer_stream(key, ssrc) else { return };
        stream.send.on_fir();
        self.request_current_key_frame(consumer, Some(ssrc));
        self.trace_feedback(now, consumer, |flags| flags.fir, TraceInfo::Fir { ssrc });
    }

    fn handle_xr(&mut self, now: Time, key: Key<TransportTag>, xr: &Xr<'_>) {
        let ntp = self.config.wall_clock.ntp(now);
        let Some(transport) = self.transports.get_mut(key) else { return };
        for block in xr.blocks() {
            match block {
                XrBlock::ReceiverReferenceTime(remote) => {
                    transport.reports.reference_time = Some((xr.ssrc(), remote, now));
                }
                XrBlock::Dlrr(_) => {
                    let own = transport.reports.own_ssrc;
                    for entry in block.dlrr_reports().filter(|entry| entry.ssrc == own) {
                        for producer in &transport.producers {
                            let Some(producer) = self.producers.get_mut(*producer) else { continue };
                            for stream in producer.streams.iter_mut().flatten() {
                                stream.recv.on_dlrr(
                                    ntp,
                                    entry.last_receiver_report,
                                    entry.delay_since_last_receiver_report,
                                );
                                transport.reports.round_trip =
                                    stream.recv.rtt().or(transport.reports.round_trip);
                            }
                        }
                    }
                }
                _ => {}
            }
        }
    }

    fn trace_feedback(
        &mut self,
        now: Time,
        key: Key<Consumer>,
        wanted: impl Fn(&crate::trace::ConsumerTraceFlags) -> bool,
        info: TraceInfo,
    ) {
        let Some(consumer) = self.consumers.get(key).filter(|consumer| wanted(&consumer.trace)) else {
            return;
        };
        let trace = Trace { info, timestamp: now.as_millis(), direction: TraceDirection::In };
        self.events.trace(Event::Consumer(consumer.definition.id, ConsumerEvent::Trace(trace)));
    }
}
