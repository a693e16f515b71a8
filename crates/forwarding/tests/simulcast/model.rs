//! What may be sent, by what the source made. Knows no selector: it looks at what was decided, run by run. A run is what was sent of one
//! stream without a pause.

use crate::scenario::{Decided, Frame, Packet, Record};
use std::collections::{BTreeMap, BTreeSet};
use tureen_forwarding::{PayloadPatch, Rewrite};

/// What is wrong.
#[derive(Debug)]
#[expect(dead_code, reason = "told by its Debug form")]
pub(crate) enum Fault {
    StartsAmidst(Packet),
    BeforeItsStart(Packet),
    HalfAFrame(Packet),
    Undecodable { frame: Packet, reference: usize },
    Gap { after: Packet, found: u16, expected: u16 },
    PictureGap { after: Packet, found: u16, expected: u16 },
    Time(Packet),
    BaseIndex(Packet),
    NotReached { wanted: (u8, u8), reached: Option<(u8, u8)> },
}

/// What was decided from the first packet of a run to its end, about its own stream.
pub(crate) struct Run<'a> {
    record: &'a Record,
    stream: usize,
    decided: Vec<Decided>,
    /// In the order of the source.
    sent: BTreeMap<(u64, Packet), Rewrite>,
    /// Numbers and frames that leave no hole: they were sent, or taken out while they were the newest.
    settled: (BTreeSet<u64>, BTreeSet<usize>),
}

/// What a run leaves to the next.
struct End {
    last: Packet,
    number: u16,
    picture: u16,
    timestamp: u32,
    base_index: u8,
}

/// Judges all that was sent.
pub(crate) fn judge(record: &Record) -> Result<(), Fault> {
    let mut end: Option<End> = None;
    for run in runs(record) {
        run.starts_on_a_key_frame()?;
        run.frames_are_whole_and_decodable()?;
        run.is_continuous()?;
        if let Some(end) = &end {
            run.follows(end)?;
        }
        end = Some(run.end());
    }
    if record.reached != Some(record.wanted) {
        return Err(Fault::NotReached { wanted: record.wanted, reached: record.reached });
    }
    Ok(())
}

/// The record, each time with another thing wrong.
pub(crate) fn spoilt(record: &Record) -> Vec<Record> {
    let middle = middle_of_a_run(record);
    let changed = |change: &dyn Fn(&mut Option<Rewrite>)| {
        let mut record = record.clone();
        change(&mut record.decided[middle].sent);
        record
    };
    let patched =
        |change: &dyn Fn(&mut Rewrite)| changed(&|sent| change(sent.as_mut().expect("it was sent")));
    vec![
        changed(&|sent| *sent = None),
        patched(&|sent| sent.sequence_number = sent.sequence_number.wrapping_add(1)),
        patched(&|sent| sent.timestamp = sent.timestamp.wrapping_add(1)),
        patched(&|sent| {
            let (picture_id, tl0_pic_idx) = ids(sent);
            set_ids(sent, picture_id ^ 1, tl0_pic_idx);
        }),
        patched(&|sent| {
            let (picture_id, tl0_pic_idx) = ids(sent);
            set_ids(sent, picture_id, tl0_pic_idx.wrapping_add(1));
        }),
        Record { reached: None, ..record.clone() },
    ]
}

/// Where a packet was sent in order, with others of its run in front of it and behind it.
fn middle_of_a_run(record: &Record) -> usize {
    let run = runs(record).into_iter().max_by_key(|run| run.sent.len()).expect("something was sent");
    let mut newest = 0;
    let in_order: Vec<Packet> = run
        .decided
        .iter()
        .filter_map(|decided| {
            let number = run.number(decided.packet);
            let in_order = number > newest;
            newest = newest.max(number);
            (in_order && decided.sent.is_some()).then_some(decided.packet)
        })
        .collect();
    let packet = in_order[in_order.len() / 2];
    let is_it = |decided: &Decided| decided.packet == packet && decided.sent.is_some();
    record.decided.iter().position(is_it).expect("it was decided about")
}

pub(crate) fn runs(record: &Record) -> Vec<Run<'_>> {
    let sent = record.decided.iter().enumerate().filter(|(_, decided)| decided.sent.is_some());
    let mut starts: Vec<(usize, (usize, u32))> = Vec::new();
    for (at, decided) in sent {
        let key = (decided.packet.stream, decided.pauses);
        if starts.last().is_none_or(|(_, last)| *last != key) {
            starts.push((at, key));
        }
    }
    let ends = starts.iter().skip(1).map(|(at, _)| *at).chain([record.decided.len()]);
    let runs = starts.iter().zip(ends).map(|(&(start, (stream, pauses)), end)| {
        let own = |decided: &&Decided| decided.packet.stream == stream && decided.pauses == pauses;
        let decided: Vec<Decided> = record.decided[start..end].iter().filter(own).copied().collect();
        let place =
            |packet: Packet| (record.streams[stream].frames[packet.frame].number + packet.index, packet);
        let sent =
            decided.iter().filter_map(|decided| Some((place(decided.packet), decided.sent?))).collect();
        let numbers = decided.iter().map(|decided| (place(decided.packet).0, decided.sent.is_some()));
        let frames = decided.iter().map(|decided| (decided.packet.frame, decided.sent.is_some()));
        let settled = (settled(numbers), settled(frames));
        Run { record, stream, decided, sent, settled }
    });
    runs.collect()
}

/// Of places and whether each was sent, those that leave no hole.
fn settled<T: Copy + Ord>(places: impl Iterator<Item = (T, bool)>) -> BTreeSet<T> {
    let mut newest: Option<T> = None;
    let mut settled = BTreeSet::new();
    for (place, sent) in places {
        if sent || newest.is_none_or(|newest| place > newest) {
            settled.insert(place);
        }
        newest = newest.max(Some(place));
    }
    settled
}

fn ids(rewrite: &Rewrite) -> (u16, u8) {
    match rewrite.payload {
        PayloadPatch::Vp8 { picture_id, tl0_pic_idx } | PayloadPatch::Vp9 { picture_id, tl0_pic_idx } => {
            (picture_id, tl0_pic_idx)
        }
        PayloadPatch::None => panic!("all packets have picture ids"),
    }
}

fn set_ids(rewrite: &mut Rewrite, picture_id: u16, tl0_pic_idx: u8) {
    rewrite.payload = PayloadPatch::Vp8 { picture_id, tl0_pic_idx };
}

impl Run<'_> {
    fn frame(&self, frame: usize) -> &Frame {
        &self.record.streams[self.stream].frames[frame]
    }

    fn number(&self, packet: Packet) -> u64 {
        self.frame(packet.frame).number + packet.index
    }

    fn start(&self) -> Packet {
        self.decided[0].packet
    }

    fn starts_on_a_key_frame(&self) -> Result<(), Fault> {
        let start = self.start();
        if !self.frame(start.frame).is_key || start.index > 0 {
            return Err(Fault::StartsAmidst(start));
        }
        match self.sent.keys().find(|(number, _)| *number < self.number(start)) {
            Some((_, packet)) => Err(Fault::BeforeItsStart(*packet)),
            None => Ok(()),
        }
    }

    /// By frame, whether each of its packets that came was sent.
    fn fates(&self) -> BTreeMap<usize, BTreeSet<bool>> {
        let mut fates: BTreeMap<usize, BTreeSet<bool>> = BTreeMap::new();
        for decided in &self.decided {
            fates.entry(decided.packet.frame).or_default().insert(decided.sent.is_some());
        }
        fates
    }

    fn frames_are_whole_and_decodable(&self) -> Result<(), Fault> {
        let fates = self.fates();
        for &(_, frame) in self.sent.keys() {
            if fates[&frame.frame].contains(&false) {
                return Err(Fault::HalfAFrame(frame));
            }
            for &reference in &self.frame(frame.frame).references {
                let left_out = fates.get(&reference).is_some_and(|fates| fates.contains(&false));
                if left_out || reference < self.start().frame {
                    return Err(Fault::Undecodable { frame, reference });
                }
            }
        }
        Ok(())
    }

    /// The source's numbers in `after + 1 .. before` that leave a hole: lost, or too late to be taken out.
    fn holes(&self, after: u64, before: u64) -> u16 {
        (after + 1..before).filter(|number| !self.settled.0.contains(number)).count() as u16
    }

    /// The same for frames. All that VP9 leaves out keep their numbers.
    fn picture_holes(&self, after: usize, before: usize) -> u16 {
        let is_hole = |frame: &usize| self.record.vp9 || !self.settled.1.contains(frame);
        (after + 1..before).filter(is_hole).count() as u16
    }

    fn picture_step(&self, from: u16, to: u16) -> u16 {
        to.wrapping_sub(from) & if self.record.short_ids { 0x7f } else { 0x7fff }
    }

    fn is_continuous(&self) -> Result<(), Fault> {
        let Some((&(_, first), first_sent)) = self.sent.first_key_value() else { return Ok(()) };
        let clock =
            |packet: Packet, sent: &Rewrite| sent.timestamp.wrapping_sub(self.frame(packet.frame).timestamp);
        let index = |packet: Packet, sent: &Rewrite| ids(sent).1.wrapping_sub(self.frame(packet.frame).tl0);
        let (offset, base) = (clock(first, first_sent), index(first, first_sent));
        let mut before: Option<((u64, Packet), &Rewrite)> = None;
        for (&(number, packet), sent) in &self.sent {
            if clock(packet, sent) != offset {
                return Err(Fault::Time(packet));
            }
            if index(packet, sent) != base {
                return Err(Fault::BaseIndex(packet));
            }
            if let Some(((last, after), from)) = before {
                let expected = 1 + self.holes(last, number);
                let found = sent.sequence_number.wrapping_sub(from.sequence_number);
                if found != expected {
                    return Err(Fault::Gap { after, found, expected });
                }
                let other = u16::from(after.frame != packet.frame);
                let expected = other * (1 + self.picture_holes(after.frame, packet.frame));
                let found = self.picture_step(ids(from).0, ids(sent).0);
                if found != expected {
                    return Err(Fault::PictureGap { after, found, expected });
                }
            }
            before = Some(((number, packet), sent));
        }
        Ok(())
    }

    /// Whether this run goes on where another one ended.
    fn follows(&self, end: &End) -> Result<(), Fault> {
        let Some((&(_, first), sent)) = self.sent.first_key_value() else { return Ok(()) };
        let found = sent.sequence_number.wrapping_sub(end.number);
        if found != 1 {
            return Err(Fault::Gap { after: end.last, found, expected: 1 });
        }
        let found = self.picture_step(end.picture, ids(sent).0);
        if found != 1 {
            return Err(Fault::PictureGap { after: end.last, found, expected: 1 });
        }
        if (sent.timestamp.wrapping_sub(end.timestamp) as i32) <= 0 {
            return Err(Fault::Time(first));
        }
        if ids(sent).1 != end.base_index.wrapping_add(1) {
            return Err(Fault::BaseIndex(first));
        }
        Ok(())
    }

    /// The numbers that the next run has to follow: those of the last packet, plus what was lost behind it before more was left out, plus
    /// one if its frame was cut off.
    fn end(&self) -> End {
        let (&(number, last), sent) = self.sent.last_key_value().expect("a run has sent something");
        let came = self.decided.iter().map(|decided| decided.packet);
        let newest = came.clone().map(|packet| self.number(packet)).max().expect("it was decided");
        // Of what is left out behind the last picture, VP9 knows nothing.
        let frames = came.map(|packet| packet.frame).filter(|_| !self.record.vp9);
        let newest_frame = frames.max().unwrap_or(last.frame);
        let cut_off = u16::from(last.index + 1 < self.frame(last.frame).packets);
        let (picture, _) = ids(sent);
        let mut base_index = ids(sent).1;
        for sent in self.sent.values() {
            if ids(sent).1.wrapping_sub(base_index) < 128 {
                base_index = ids(sent).1;
            }
        }
        End {
            last,
            number: sent.sequence_number.wrapping_add(self.holes(number, newest)).wrapping_add(cut_off),
            picture: picture.wrapping_add(self.picture_holes(last.frame, newest_frame)),
            timestamp: sent.timestamp,
            base_index,
        }
    }
}
