//! Which NACKs of a viewer are answered: while it is of use, and within a share of what it is sent.

mod support;

use support::{Bench, audio, vp8, vp8_parameters};
use tureen_media_model::{Consume, ConsumerId, ConsumerInfo, ExplainConsumer, GetConsumerStats, Repairs};
use tureen_rtp_dictionaries::{MediaKind, RtpParameters};
use tureen_rtp_wire::NtpTime;
use tureen_rtp_wire::rtcp::{Compound, ReportBlock, RtcpPacket, RtcpWriter};
use tureen_rtp_wire::rtp::RtpPacket;

/// A viewer of one stream.
struct Call {
    bench: Bench,
    id: ConsumerId,
    ssrc: u32,
}

impl Call {
    fn new(kind: MediaKind, parameters: RtpParameters) -> Self {
        let mut bench = Bench::new();
        let (source, target) = (bench.transport(1), bench.transport(2));
        let producer = bench.produce(source, kind, parameters);
        let mut options = bench.consumer_options(producer.id);
        options.enable_rtx = Some(true);
        let ConsumerInfo { id, rtp_parameters, .. } =
            bench.ask(Consume { transport: target, options }).unwrap();
        let ssrc = rtp_parameters.encodings[0].ssrc.unwrap();
        Self { bench, id, ssrc }
    }

    fn video() -> Self {
        Self::new(MediaKind::Video, vp8_parameters(1000))
    }

    /// The sequence numbers that the viewer was sent.
    fn got(&mut self) -> Vec<u16> {
        let (sent, _) = self.bench.sent_to(2);
        sent.iter().map(|bytes| RtpPacket::parse(bytes).unwrap().sequence_number()).collect()
    }

    /// Asks for packets; how many come.
    fn nack(&mut self, numbers: &[u16]) -> usize {
        self.bench.sent_to(2);
        let mut buffer = [0; 600];
        let mut writer = RtcpWriter::new(&mut buffer);
        writer.receiver_report(9, &[]).unwrap();
        writer.nack(9, self.ssrc, numbers.iter().copied()).unwrap();
        let len = writer.finish();
        self.bench.receive(2, &buffer[..len]);
        self.bench.sent_to(2).0.len()
    }

    /// The viewer reports, so that the round trip is known.
    fn report(&mut self, round_trip_ms: u64) {
        self.bench.pass(1600);
        let (_, compounds) = self.bench.sent_to(2);
        let packets = compounds.iter().flat_map(|bytes| Compound::parse(bytes).unwrap());
        let reports = packets.filter_map(|packet| match packet.unwrap() {
            RtcpPacket::SenderReport(report) => Some(report.info().ntp),
            _ => None,
        });
        let last: NtpTime = reports.last().expect("a sender report");
        self.bench.pass(round_trip_ms);
        // What passed since beyond the round trip is the viewer's delay.
        let passed = self.bench.now.as_millis() - millis(last);
        let delay = u32::try_from(passed.saturating_sub(round_trip_ms) * 65_536 / 1000).unwrap();
        let block = ReportBlock {
            ssrc: self.ssrc,
            last_sender_report: last.compact(),
            delay_since_last_sender_report: delay,
            ..ReportBlock::default()
        };
        let mut buffer = [0; 100];
        let mut writer = RtcpWriter::new(&mut buffer);
        writer.receiver_report(9, &[block]).unwrap();
        let len = writer.finish();
        self.bench.receive(2, &buffer[..len]);
    }

    fn repairs(&mut self) -> Repairs {
        self.bench.ask(ExplainConsumer { id: self.id }).unwrap().repairs
    }

    fn refused(&mut self, reason: &str) -> u64 {
        let stats = self.bench.ask(GetConsumerStats { id: self.id }).unwrap();
        let refused = stats.outbound[0].retransmissions_refused.get(reason).copied().unwrap_or(0);
        assert_eq!(self.repairs().refused.get(reason).copied().unwrap_or(0), refused);
        refused
    }
}

/// The virtual time of an NTP time: the bench's wall clock began at 3900000000 s.
fn millis(ntp: NtpTime) -> u64 {
    u64::from(ntp.seconds() - 3_900_000_000) * 1000 + ((u64::from(ntp.fraction()) * 1000) >> 32)
}

#[test]
fn a_picture_is_repaired_while_it_can_arrive_in_time() {
    let mut call = Call::video();
    call.bench.receive(1, &vp8(1000, 1, 3000, true));
    call.report(400);
    call.bench.receive(1, &vp8(1000, 2, 6000, false));
    let number = *call.got().last().unwrap();
    call.bench.pass(1790);
    assert_eq!(call.nack(&[number]), 1, "it comes within 2 s: {:?}", call.repairs());
    call.bench.receive(1, &vp8(1000, 3, 9000, false));
    let number = *call.got().last().unwrap();
    call.bench.pass(1810);
    assert_eq!(call.nack(&[number]), 0);
    assert_eq!(call.refused("too_late"), 1);
    assert_eq!(call.nack(&[number.wrapping_add(100)]), 0);
    assert_eq!(call.refused("unknown"), 1);
    let repairs = call.repairs();
    assert_eq!((repairs.asked, repairs.sent), (3, 1));
}

#[test]
fn sound_is_repaired_for_a_shorter_time() {
    let mut call = Call::new(MediaKind::Audio, support::red_parameters(1000));
    call.bench.receive(1, &audio(1000, 111, 1, &[1, 2, 3]));
    let number = *call.got().last().unwrap();
    call.bench.pass(400);
    assert_eq!(call.nack(&[number]), 1, "{:?}", call.repairs());
    call.bench.pass(101);
    assert_eq!(call.nack(&[number]), 0);
    assert_eq!(call.refused("too_late"), 1);
}

#[test]
fn no_packet_is_sent_again_for_ever() {
    let mut call = Call::video();
    call.bench.receive(1, &vp8(1000, 1, 3000, true));
    call.report(40);
    call.bench.receive(1, &vp8(1000, 2, 6000, false));
    let number = *call.got().last().unwrap();
    let mut sent = 0;
    for _ in 0..30 {
        call.bench.pass(50);
        sent += call.nack(&[number]);
    }
    assert_eq!(sent, 10);
    assert_eq!(call.refused("too_often"), 20);
    assert_eq!(call.nack(&[number]), 0);
}

#[test]
fn who_asks_for_everything_gets_a_share() {
    let mut call = Call::video();
    let (mut media, mut repairs, mut asked) = (0usize, 0usize, 0u64);
    for number in 0..20_000u16 {
        call.bench.receive(1, &vp8(1000, number, u32::from(number) * 3000, number == 0));
        let (sent, _) = call.bench.sent_to(2);
        let Some(bytes) = sent.last() else { continue };
        media += bytes.len();
        let wanted = RtpPacket::parse(bytes).unwrap().sequence_number();
        let mut buffer = [0; 100];
        let mut writer = RtcpWriter::new(&mut buffer);
        writer.receiver_report(9, &[]).unwrap();
        writer.nack(9, call.ssrc, [wanted]).unwrap();
        let len = writer.finish();
        call.bench.receive(2, &buffer[..len]);
        asked += 1;
        repairs += call.bench.sent_to(2).0.iter().map(Vec::len).sum::<usize>();
        call.bench.pass(2);
    }
    assert!(media > 500_000, "{media}");
    let most = 200_000 + media / 2;
    assert!((most - 1000..most + 1000).contains(&repairs), "{repairs} of {media}");
    assert!(call.refused("over_share") > asked / 10);
}

#[test]
fn one_message_is_answered_up_to_a_limit() {
    let mut call = Call::video();
    for number in 0..100u16 {
        call.bench.receive(1, &vp8(1000, number, u32::from(number) * 3000, number == 0));
    }
    let numbers = call.got();
    assert_eq!(numbers.len(), 100);
    assert_eq!(call.nack(&numbers), 64);
    assert_eq!(call.refused("too_many"), 36);
}
