//! Reports towards a transport's remote: sender and receiver reports, SDES and extended reports (RFC 3550, RFC 3611).

use crate::arena::Key;
use crate::consumer::Consumer;
use crate::core::Core;
use crate::timers::{Timer, Timers};
use crate::transport_state::{Reports, TransportState, TransportTag, lane};
use rand_core::Rng;
use smallvec::SmallVec;
use std::time::Duration;
use tureen_rtp_wire::Time;
use tureen_rtp_wire::rtcp::{DlrrReport, ReportBlock, RtcpWriter, SenderInfo};
use tureen_transport::{Cipher as _, Component, Egress, Transport};

/// The longest RTCP compound that leaves, before protection.
pub(crate) const MAX_COMPOUND: usize = 1200;
/// The first reports leave this long after there is something to report about.
const FIRST_REPORT: Duration = Duration::from_millis(500);
/// Later ones after this times a random factor from 1 to 1.5.
const REPORT_INTERVAL: Duration = Duration::from_millis(1000);
/// Report blocks of one compound (RFC 3550 section 6.4.2).
const MAX_BLOCKS: usize = 31;
/// Sender reports of one compound, at most.
const MAX_SENDERS: usize = 16;
/// Bytes of a sender report and the SDES chunk behind it, without the CNAME (RFC 3550 sections 6.4.1 and 6.5).
const SENDER_LEN: usize = 28 + 14;
/// Bytes that the sender reports of one compound may have: the answer to a reference time has room behind them (RFC 3611 section 4.5).
const MAX_SENDERS_LEN: usize = MAX_COMPOUND - 24;

impl<T: Transport> Core<T> {
    /// Makes sure that reports leave on a transport from now on.
    pub(crate) fn start_reports(&mut self, now: Time, key: Key<TransportTag>) {
        let Some(transport) = self.transports.get_mut(key) else { return };
        transport.reports.timer.arm(&mut self.timers, now + FIRST_REPORT, Timer::Reports(key));
    }

    /// Has reports leave with the next timeout, which is now, if there is anything to report about.
    pub(crate) fn report_at_once(&mut self, now: Time, key: Key<TransportTag>) {
        if self.received_ssrcs(key).is_empty() {
            return;
        }
        let Some(transport) = self.transports.get_mut(key) else { return };
        transport.reports.timer.arm(&mut self.timers, now, Timer::Reports(key));
    }

    pub(crate) fn reports_due(&mut self, now: Time, key: Key<TransportTag>, out: &mut impl Egress) {
        let Some(transport) = self.transports.get_mut(key) else { return };
        if !transport.reports.timer.fired(now) {
            return;
        }
        self.report_received(now, key, out);
        self.report_sent(now, key, out);
        let factor = 1000 + self.rng.next_u32() % 501;
        let next = now + REPORT_INTERVAL * factor / 1000;
        self.rearm_reports(key, next);
    }

    fn rearm_reports(&mut self, key: Key<TransportTag>, at: Time) {
        let timers: &mut Timers = &mut self.timers;
        if let Some(transport) = self.transports.get_mut(key) {
            let idle = transport.producers.is_empty() && transport.consumers.is_empty();
            if !idle {
                transport.reports.timer.arm(timers, at, Timer::Reports(key));
            }
        }
    }

    /// Compounds about what comes in: receiver reports of 31 blocks each (RFC 3550 section 6.4.2), and with the first of them
    /// our reference time, so that the remote lets us measure the round trip (RFC 3611 section 4.4).
    fn report_received(&mut self, now: Time, key: Key<TransportTag>, out: &mut impl Egress) {
        let mut blocks: SmallVec<[ReportBlock; MAX_BLOCKS]> = SmallVec::new();
        let mut is_first = true;
        let mut index = 0;
        while let Some(&producer) = self.transports.get(key).and_then(|state| state.producers.get(index)) {
            index += 1;
            let streams = self.producers.get(producer).map_or(0, |producer| producer.streams.len());
            for encoding in 0..streams {
                let stream = self.producers.get_mut(producer).and_then(|it| it.streams.get_mut(encoding));
                let Some(stream) = stream.and_then(Option::as_mut) else { continue };
                let reports = [stream.recv.report_block(now), stream.recv.rtx_report_block(now)];
                for block in reports.into_iter().flatten() {
                    if blocks.len() == MAX_BLOCKS {
                        self.send_receiver_report(now, key, &blocks, is_first, out);
                        blocks.clear();
                        is_first = false;
                    }
                    blocks.push(block);
                }
            }
        }
        if !blocks.is_empty() {
            self.send_receiver_report(now, key, &blocks, is_first, out);
        }
    }

    fn send_receiver_report(
        &mut self,
        now: Time,
        key: Key<TransportTag>,
        blocks: &[ReportBlock],
        is_first: bool,
        out: &mut impl Egress,
    ) {
        let ntp = self.config.wall_clock.ntp(now);
        let ssrcs = self.received_ssrcs(key);
        let Some(transport) = self.transports.get_mut(key) else { return };
        let bitrate = if is_first { transport.poll_limit() } else { None };
        let sent = send_compound(now, key, transport, out, |writer, reports| {
            writer.receiver_report(reports.own_ssrc, blocks).ok()?;
            writer.source_description(reports.own_ssrc, reports.cname.as_bytes(), &[]).ok()?;
            if is_first {
                writer.extended_report(reports.own_ssrc, Some(ntp), &[]).ok()?;
            }
            match bitrate {
                Some(bitrate) => writer.remb(reports.own_ssrc, bitrate, &ssrcs).ok(),
                None => Some(()),
            }
        });
        self.count_rtcp(sent);
    }

    /// The sources that share what the remote may send, as far as one REMB message names them.
    pub(crate) fn received_ssrcs(&self, key: Key<TransportTag>) -> SmallVec<[u32; MAX_BLOCKS]> {
        let producers = self.transports.get(key).into_iter().flat_map(|transport| &transport.producers);
        let producers = producers.filter_map(|producer| self.producers.get(*producer));
        let streams = producers.flat_map(|producer| producer.streams.iter().flatten());
        streams.map(|stream| stream.recv.config().ssrc).take(MAX_BLOCKS).collect()
    }

    /// Compounds about what goes out: sender reports, and our answer to the remote's reference time.
    fn report_sent(&mut self, now: Time, key: Key<TransportTag>, out: &mut impl Egress) {
        let ntp = self.config.wall_clock.ntp(now);
        let mut senders: SmallVec<[(u32, SenderInfo, Key<Consumer>); MAX_SENDERS]> = SmallVec::new();
        let (mut index, mut len) = (0, 0);
        while let Some(&consumer_key) = self.transports.get(key).and_then(|state| state.consumers.get(index))
        {
            index += 1;
            let streams = self.consumers.get(consumer_key).map_or(0, |consumer| consumer.streams.len());
            for stream in 0..streams {
                let consumer = self.consumers.get(consumer_key);
                let Some((consumer, stream)) =
                    consumer.and_then(|consumer| Some((consumer, consumer.streams.get(stream)?)))
                else {
                    continue;
                };
                let Some(info) = self.sender_info(now, ntp, consumer, stream) else { continue };
                let (ssrc, more) = (stream.ssrc, SENDER_LEN + consumer.cname().map_or(0, str::len));
                if senders.len() == MAX_SENDERS || len + more > MAX_SENDERS_LEN {
                    self.send_sender_reports(now, key, &senders, out);
                    senders.clear();
                    len = 0;
                }
                senders.push((ssrc, info, consumer_key));
                len += more;
            }
        }
        if !senders.is_empty() {
            self.send_sender_reports(now, key, &senders, out);
        }
    }

    fn send_sender_reports(
        &mut self,
        now: Time,
        key: Key<TransportTag>,
        senders: &[(u32, SenderInfo, Key<Consumer>)],
        out: &mut impl Egress,
    ) {
        let Some(transport) = self.transports.get_mut(key) else { return };
        let consumers = &self.consumers;
        let sent = send_compound(now, key, transport, out, |writer, reports| {
            for (ssrc, info, consumer) in senders {
                let own = consumers.get(*consumer).and_then(Consumer::cname);
                writer.sender_report(*ssrc, info, &[]).ok()?;
                writer.source_description(*ssrc, own.unwrap_or(&reports.cname).as_bytes(), &[]).ok()?;
            }
            let Some((ssrc, ntp, at)) = reports.reference_time else { return Some(()) };
            let delay = now.since(at).as_nanos() * 65_536 / 1_000_000_000;
            let report = DlrrReport {
                ssrc,
                last_receiver_report: ntp.compact(),
                delay_since_last_receiver_report: u32::try_from(delay).unwrap_or(u32::MAX),
            };
            writer.extended_report(reports.own_ssrc, None, &[report]).ok()
        });
        self.count_rtcp(sent);
    }

    fn count_rtcp(&mut self, sent: Option<usize>) {
        if let Some(len) = sent {
            self.counters.rtcp_sent += 1;
            self.counters.bytes_sent += len as u64;
        }
    }
}

/// Writes one compound into the egress and protects it there. `None` if it did not leave.
pub(crate) fn send_compound<T: Transport>(
    now: Time,
    key: Key<TransportTag>,
    transport: &mut TransportState<T>,
    out: &mut impl Egress,
    fill: impl FnOnce(&mut RtcpWriter<'_>, &Reports) -> Option<()>,
) -> Option<usize> {
    let to = transport.adapter.destination(Component::Rtcp)?;
    let overhead = transport.adapter.cipher().rtcp_overhead();
    let slot = out.reserve(lane(key, Component::Rtcp), &to, MAX_COMPOUND + overhead)?;
    let mut writer = RtcpWriter::new(slot.get_mut(..MAX_COMPOUND)?);
    // What no longer fits is left out; whatever was written before is whole.
    let _ = fill(&mut writer, &transport.reports);
    let len = writer.finish();
    if len == 0 {
        return None;
    }
    let len = transport.adapter.cipher().protect_rtcp(slot, len).ok()?;
    out.commit(len);
    transport.meters.control_sent.add(now, len);
    Some(len)
}
