//! Who gets which layers of what a transport may send.
//!
//! [`Allocator`] shares a budget among the consumers of one transport: by priority and by what a bit is worth, down at once and
//! up with care. It is told rates and gives back layers, with the reason for each. Must not know packets, nor where the budget
//! comes from.
//!
//! ```
//! use tureen_congestion::allocator::{Allocator, Content, Ladder, Step};
//! use std::time::Duration;
//! use tureen_rtp_wire::Time;
//!
//! let layers = [150_000, 500_000, 1_500_000];
//! let layers: Vec<Step> =
//!     (0..).zip(layers).map(|(spatial, bitrate)| Step { spatial, temporal: 0, bitrate }).collect();
//! let mut allocator = Allocator::new();
//! allocator.set(7, Ladder::new(&layers, Content::Camera, None), 1);
//! allocator.set_reserved(32_000);
//! allocator.update(Time::ZERO, 700_000, Duration::ZERO);
//! assert_eq!(allocator.grants().next().and_then(|grant| grant.step), Some(layers[1]));
//! ```

mod ladder;
mod plan;

pub use ladder::{Content, Ladder, MAX_STEPS, Step};

use plan::{Claim, next_step, plan, total};
use std::time::Duration;
use tureen_rtp_wire::Time;

/// The budget must exceed what a higher step takes by this part of it, in hundredths.
const MARGIN_PERCENT: u64 = 2;
/// And must have done so for this long.
const HOLD: Duration = Duration::from_millis(400);
/// Who falls within this long of a rise rose too early.
const TOO_EARLY: Duration = Duration::from_secs(10);
/// Who rose too early waits for this long, then for three times that, up to the second; who stayed up begins again at the first.
const FIRST_WAIT: Duration = Duration::from_secs(30);
const LONGEST_WAIT: Duration = Duration::from_secs(180);
/// Unless the budget comes to so many hundredths of the one that it rose at.
const ESCAPE_PERCENT: u64 = 140;
/// Or to so many hundredths of what everybody takes who has all, and stays there: then it was not the rise that was too much. Not twice
/// in a row.
const PLENTY_PERCENT: u64 = 114;
const PLENTY: Duration = Duration::from_secs(12);

/// A budget below so many hundredths of what it was in the seconds before has broken in: the path is another one.
const BROKEN_IN_PERCENT: u64 = 70;
const SECONDS_BEFORE: Duration = Duration::from_secs(2);
/// Who fell then goes to a higher spatial layer, whose key frame costs a moment without pictures, only where there is so much more than it
/// takes, in hundredths, and for so long; unless the budget comes to [`ESCAPE_PERCENT`] of what it was at the fall.
const CAREFUL_PERCENT: u64 = 25;
const CAREFUL: Duration = Duration::from_secs(30);

/// A backlog of the pacer is long above the first, and bears on layers after the second.
const LONG_BACKLOG: Duration = Duration::from_millis(300);
const PATIENCE: Duration = Duration::from_millis(800);
/// After a rise a key frame is what waits, and not a layer that takes more than it says.
const KEY_FRAME_TIME: Duration = Duration::from_millis(800);

/// Why a consumer has what it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum GrantReason {
    /// It has all that it wants.
    Preferred,
    /// It wants no layer that is sent.
    NoLayers,
    /// The budget does not reach for the next step.
    Budget,
    /// The budget does reach, and has to do so a little longer.
    Hold,
    /// It rose too early before, and waits.
    Wait,
    /// Paused: not even the lowest layer fits.
    Paused,
}

/// What one consumer gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The caller's number of the consumer.
    pub id: u64,
    /// The layer; `None` if it is paused or wants none.
    pub step: Option<Step>,
    /// Why it is no more.
    pub reason: GrantReason,
    /// Bits per second that the next step takes more; `None` if there is no next one.
    pub missing: Option<u64>,
}

/// What a rise that was too early costs.
#[derive(Clone, Copy, Debug)]
struct Wait {
    until: Time,
    /// Where it rose to: it may have all that is lower.
    height: usize,
    /// What there was when it rose. Much more than this ends the wait.
    budget: u64,
    /// Plenty for everybody ends it, too.
    ends_with_plenty: bool,
    /// And has done so.
    cut_short: bool,
}

/// A budget broke in.
#[derive(Clone, Copy, Debug)]
struct Care {
    until: Time,
    /// What was left.
    budget: u64,
}

#[derive(Clone, Copy, Debug)]
struct Consumer {
    id: u64,
    height: usize,
    reason: GrantReason,
    /// The last rise, and the budget then.
    rose: Option<(Time, u64)>,
    /// Since when the budget has allowed more.
    allowed: Option<Time>,
    /// It rose too early.
    waits: Option<Wait>,
    wait: Duration,
    /// It fell since the budget broke in.
    care: Option<Care>,
    /// The budget would do for more, and it waits.
    waiting: bool,
}

/// Shares a budget among consumers.
///
/// It allocates when consumers come, and not when the budget changes.
#[derive(Clone, Debug, Default)]
pub struct Allocator {
    consumers: Vec<Consumer>,
    claims: Vec<Claim>,
    planned: Vec<usize>,
    /// The same for who is careful.
    safe: Vec<usize>,
    reserved: u64,
    budget: u64,
    /// What the budget was in the seconds before, and when that was looked at.
    usual: u64,
    updated: Time,
    /// Since when the backlog has been long.
    long_since: Option<Time>,
    /// Since when there has been more than enough for everybody.
    plenty_since: Option<Time>,
}

impl Allocator {
    /// An allocator without consumers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a consumer, or changes what it can have. `priority` is 1 to 255, 0 counts as 1. What a consumer has stays until
    /// the next [`update`](Self::update), as far as its new ladder goes.
    pub fn set(&mut self, id: u64, ladder: Ladder, priority: u8) {
        let claim = Claim { ladder, priority: priority.max(1) };
        let known = self.consumers.iter().position(|consumer| consumer.id == id);
        match known.and_then(|at| Some((self.consumers.get_mut(at)?, self.claims.get_mut(at)?))) {
            Some((consumer, slot)) => {
                consumer.height = carried_over(&slot.ladder, consumer.height, &ladder);
                *slot = claim;
            }
            None => {
                self.consumers.push(Consumer::new(id));
                self.claims.push(claim);
                self.planned.push(0);
                self.safe.push(0);
            }
        }
    }

    /// Removes a consumer.
    pub fn remove(&mut self, id: u64) {
        if let Some(at) = self.consumers.iter().position(|consumer| consumer.id == id) {
            self.consumers.remove(at);
            self.claims.remove(at);
            self.planned.pop();
            self.safe.pop();
        }
    }

    /// Sets what is kept for sound and for video without layers to choose from, in bits per second. It comes before all
    /// else.
    pub const fn set_reserved(&mut self, bitrate: u64) {
        self.reserved = bitrate;
    }

    /// Shares `bitrate` bits per second. Says whether anybody's layer has changed.
    ///
    /// `backlog` is how long the pacer takes for what waits in it. Where it stays long, the layers take more than they say, and
    /// somebody has to do with less.
    pub fn update(&mut self, now: Time, bitrate: u64, backlog: Duration) -> bool {
        self.budget = bitrate.saturating_sub(self.reserved);
        self.note_usual(now);
        let rose = |one: &Consumer| one.rose.is_some_and(|(rose, _)| now.since(rose) < KEY_FRAME_TIME);
        if backlog < LONG_BACKLOG || self.consumers.iter().any(rose) {
            self.long_since = None;
        } else if now.since(*self.long_since.get_or_insert(now)) >= PATIENCE {
            self.long_since = Some(now);
            self.budget = self.budget.min(self.granted().saturating_sub(self.reserved).saturating_sub(1));
        }
        self.note_plenty(now);
        let fell = self.fall(now);
        let rose = self.rise(now);
        self.explain();
        fell || rose
    }

    /// What each consumer gets, in the order of their coming.
    pub fn grants(&self) -> impl Iterator<Item = Grant> {
        self.consumers.iter().zip(&self.claims).map(|(consumer, claim)| {
            let step = consumer.height.checked_sub(1).and_then(|step| claim.ladder.steps().get(step));
            let here = claim.ladder.bitrate(consumer.height);
            let next = claim.ladder.steps().get(consumer.height);
            Grant {
                id: consumer.id,
                step: step.copied(),
                reason: consumer.reason,
                missing: next.map(|next| next.bitrate - here),
            }
        })
    }

    /// Bits per second of all that is granted, with what is reserved.
    pub fn granted(&self) -> u64 {
        let rates =
            self.consumers.iter().zip(&self.claims).map(|(one, claim)| claim.ladder.bitrate(one.height));
        rates.fold(self.reserved, u64::saturating_add)
    }

    /// For [`Estimator::set_wanted`](crate::send::Estimator::set_wanted): the rate at which somebody would get more, and the
    /// one at which everybody has all.
    pub fn wanted(&mut self) -> (u64, u64) {
        for (height, consumer) in self.planned.iter_mut().zip(&self.consumers) {
            *height = consumer.height;
        }
        let more = next_step(&self.claims, &self.planned).map_or(0, |step| step.more);
        let next = with_margin(self.granted().saturating_add(more));
        let all = with_margin(self.everything().saturating_add(self.reserved));
        (next.min(all), all)
    }

    fn note_usual(&mut self, now: Time) {
        let left = SECONDS_BEFORE.saturating_sub(now.since(self.updated)).as_millis() as u64;
        let above = self.usual.saturating_sub(self.budget);
        self.usual = self.budget + above.saturating_mul(left) / SECONDS_BEFORE.as_millis() as u64;
        self.updated = now;
    }

    /// Bits per second of all steps of everybody.
    fn everything(&self) -> u64 {
        let rates = self.claims.iter().map(|claim| claim.ladder.bitrate(claim.ladder.height()));
        rates.fold(0, u64::saturating_add)
    }

    fn note_plenty(&mut self, now: Time) {
        if self.budget < self.everything() / 100 * PLENTY_PERCENT {
            self.plenty_since = None;
        } else if now.since(*self.plenty_since.get_or_insert(now)) >= PLENTY {
            self.consumers.iter_mut().for_each(|consumer| consumer.cut_wait_short(now));
        }
    }

    /// Takes away what does not fit, at once.
    fn fall(&mut self, now: Time) -> bool {
        let heights = self.consumers.iter().map(|consumer| consumer.height);
        for (slot, height) in self.planned.iter_mut().zip(heights) {
            *slot = height;
        }
        if total(&self.claims, &self.planned) <= self.budget {
            return false;
        }
        plan(&self.claims, self.budget, &mut self.planned);
        let broken_in = self.budget < self.usual / 100 * BROKEN_IN_PERCENT;
        let mut fell = false;
        for (consumer, &height) in self.consumers.iter_mut().zip(&self.planned) {
            if height < consumer.height {
                consumer.fall(now, height);
                if broken_in {
                    consumer.care = Some(Care { until: now + CAREFUL, budget: self.budget });
                }
                fell = true;
            }
        }
        fell
    }

    /// Gives what has fitted for long enough.
    fn rise(&mut self, now: Time) -> bool {
        let budget = without_margin(self.budget);
        plan(&self.claims, budget, &mut self.planned);
        if self.consumers.iter().any(|consumer| consumer.is_careful(now, self.budget)) {
            self.be_careful(now);
        }
        let mut due = false;
        for (consumer, height) in self.consumers.iter_mut().zip(&mut self.planned) {
            let wanted = *height;
            *height = wanted.min(consumer.ceiling(now, self.budget));
            consumer.waiting = *height < wanted && *height <= consumer.height;
            if *height <= consumer.height {
                consumer.allowed = None;
            } else {
                due |= consumer.may_rise(now);
            }
        }
        if !due {
            return false;
        }
        // Who may not rise yet keeps what it has; who has more than its due gives it up only where there is no room.
        let mut heights = std::mem::take(&mut self.planned);
        for (height, consumer) in heights.iter_mut().zip(&self.consumers) {
            if *height > consumer.height && !consumer.has_held(now) {
                *height = consumer.height;
            }
        }
        let kept = |height: usize, consumer: &Consumer| height.max(consumer.height);
        let sum = heights
            .iter()
            .zip(&self.consumers)
            .zip(&self.claims)
            .fold(0, |sum: u64, ((&height, one), claim)| {
                sum.saturating_add(claim.ladder.bitrate(kept(height, one)))
            });
        let mut changed = false;
        for (consumer, &height) in self.consumers.iter_mut().zip(&heights) {
            let height = if sum <= budget { kept(height, consumer) } else { height };
            if height > consumer.height {
                consumer.rise(now, height, self.budget);
                changed = true;
            } else if height < consumer.height {
                consumer.height = height;
                changed = true;
            }
        }
        self.planned = heights;
        changed
    }

    /// Lowers what is planned for who is careful.
    fn be_careful(&mut self, now: Time) {
        plan(&self.claims, self.budget / (100 + CAREFUL_PERCENT) * 100, &mut self.safe);
        let all = self.consumers.iter().zip(&self.claims).zip(self.planned.iter_mut().zip(&self.safe));
        for ((consumer, claim), (planned, &safe)) in all {
            if consumer.is_careful(now, self.budget) {
                *planned = (*planned).min(safe.max(height_within_picture(&claim.ladder, consumer.height)));
            }
        }
    }

    fn explain(&mut self) {
        for (consumer, claim) in self.consumers.iter_mut().zip(&self.claims) {
            let full = consumer.height >= claim.ladder.height();
            consumer.reason = if claim.ladder.height() == 0 {
                GrantReason::NoLayers
            } else if full {
                GrantReason::Preferred
            } else if consumer.waiting {
                GrantReason::Wait
            } else if consumer.allowed.is_some() {
                GrantReason::Hold
            } else if consumer.height == 0 {
                GrantReason::Paused
            } else {
                GrantReason::Budget
            };
        }
    }
}

impl Consumer {
    const fn new(id: u64) -> Self {
        Self {
            id,
            height: 0,
            reason: GrantReason::Paused,
            rose: None,
            allowed: None,
            waits: None,
            wait: FIRST_WAIT,
            care: None,
            waiting: false,
        }
    }

    fn fall(&mut self, now: Time, height: usize) {
        if let Some((_, budget)) = self.rose.filter(|(rose, _)| now.since(*rose) <= TOO_EARLY) {
            let ends_with_plenty = !self.waits.is_some_and(|wait| wait.cut_short);
            let until = now + self.wait;
            self.waits =
                Some(Wait { until, height: self.height, budget, ends_with_plenty, cut_short: false });
            self.wait = (self.wait * 3).min(LONGEST_WAIT);
        }
        (self.height, self.rose, self.allowed) = (height, None, None);
    }

    fn cut_wait_short(&mut self, now: Time) {
        let waits = |wait: &&mut Wait| wait.ends_with_plenty && now < wait.until;
        if let Some(wait) = self.waits.as_mut().filter(waits) {
            (wait.until, wait.cut_short) = (now, true);
            self.wait = (self.wait / 3).max(FIRST_WAIT);
        }
    }

    fn rise(&mut self, now: Time, height: usize, budget: u64) {
        if self.waits.is_some_and(|wait| now >= wait.until + TOO_EARLY) {
            self.wait = FIRST_WAIT;
        }
        (self.height, self.rose, self.allowed) = (height, Some((now, budget)), None);
    }

    fn is_careful(&self, now: Time, budget: u64) -> bool {
        self.care.is_some_and(|care| now < care.until && budget < care.budget / 100 * ESCAPE_PERCENT)
    }

    /// The height up to which it may rise. For the least step of all nobody waits: it costs little, and there is nothing without it.
    fn ceiling(&self, now: Time, budget: u64) -> usize {
        let waits = |wait: &Wait| now < wait.until && budget < wait.budget / 100 * ESCAPE_PERCENT;
        self.waits.filter(waits).map_or(usize::MAX, |wait| wait.height.saturating_sub(1).max(1))
    }

    /// Notes that more fits, and says whether it has for long enough.
    fn may_rise(&mut self, now: Time) -> bool {
        self.allowed.get_or_insert(now);
        self.has_held(now)
    }

    /// Whether more has fitted for long enough. The first layer of all comes at once.
    fn has_held(&self, now: Time) -> bool {
        let first = self.height == 0 && self.rose.is_none() && self.waits.is_none();
        self.allowed.is_some_and(|allowed| first || now.since(allowed) >= HOLD)
    }
}

const fn with_margin(bitrate: u64) -> u64 {
    bitrate.saturating_add(bitrate / 100 * MARGIN_PERCENT + MARGIN_PERCENT)
}

const fn without_margin(bitrate: u64) -> u64 {
    bitrate - bitrate / (100 + MARGIN_PERCENT) * MARGIN_PERCENT
}

/// The height up to which the picture keeps its size, so that no key frame is needed; the first where there is none yet.
fn height_within_picture(ladder: &Ladder, height: usize) -> usize {
    let steps = ladder.steps();
    let Some(current) = height.checked_sub(1).and_then(|step| steps.get(step)) else { return 1 };
    steps.iter().take_while(|step| step.spatial <= current.spatial).count().max(height)
}

/// The height in a new ladder that takes no more than the one in the old.
fn carried_over(old: &Ladder, height: usize, new: &Ladder) -> usize {
    let layer = height.checked_sub(1).and_then(|step| old.steps().get(step));
    let Some(layer) = layer else { return 0 };
    let fits = |step: &&Step| (step.spatial, step.temporal) <= (layer.spatial, layer.temporal);
    new.steps().iter().take_while(fits).count()
}
