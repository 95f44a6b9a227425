//! Walks along one rule, from its start or from a later moment on.
//!
//! Rules that step by days and more are walked on the wall clock, period by period: the days of a period are bits, the times of a
//! day are a list that is made once, and nothing else is ever stored, however much a period has. Rules that step by hours and
//! less go by elapsed time, so that an hourly rule neither repeats nor misses an hour when clocks change.
//!
//! Every walk ends: at its bound, at the year 9999, or where its work is spent, and then it says so.

use super::civil::{Civil, DAY, first_of};
use super::course::Course;
use super::days::{Bits, steps_by_days};
use super::offsets::{At, Offsets, Resolved};
use super::period::Plain;
use super::rule::{Freq, Rule, Stamp};
use std::collections::VecDeque;

/// What becomes of an occurrence whose wall time a clock change skips.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Gap {
    /// It moves forward by as much as is skipped (RFC 5545, section 3.8.5.3).
    #[default]
    Forward,
    /// It is left out and not counted (RFC 5545, section 3.3.10).
    Skip,
}

/// The last year that is walked to.
pub(super) const YEAR_MAX: i32 = 9999;
/// When it is over, on the wall clock.
pub(super) const END: i64 = first_of(YEAR_MAX + 1) as i64 * DAY;

/// A step of a walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Found(At),
    /// There is nothing more.
    Done,
    /// The work is spent; there may be more.
    Spent,
}

/// One rule on its way.
#[derive(Debug)]
pub(super) struct Walk<'a> {
    pub(super) course: &'a Course,
    pub(super) rule: &'a Rule,
    pub(super) zone: &'a Offsets,
    pub(super) gap: Gap,
    pub(super) plain: Option<&'a Plain>,
    /// Which period comes next.
    pub(super) next: i64,
    /// The first day of the period under way, its days that are still to come (from this word on), and the next time of the first
    /// of them.
    pub(super) base: i32,
    pub(super) bits: Bits,
    pub(super) word: usize,
    pub(super) time: usize,
    /// What is before this day is passed over.
    pub(super) floor: i32,
    /// What BYSETPOS took of the period under way, last one first.
    pub(super) taken: Vec<i64>,
    pub(super) left: Option<u32>,
    pub(super) hint: usize,
    /// Occurrences that moved forward and come later than what follows them on the wall.
    pub(super) moved: VecDeque<At>,
    pub(super) ended: Option<Step>,
    /// How much may still be looked at: periods, and occurrences that a gap leaves out.
    pub(super) work: u64,
}

impl<'a> Walk<'a> {
    /// Walks along a rule from its start on.
    pub(super) fn new(course: &'a Course, zone: &'a Offsets, gap: Gap, work: u64) -> Self {
        Self {
            course,
            rule: &course.rule,
            zone,
            gap,
            plain: course.plain.as_ref(),
            next: 0,
            base: 0,
            bits: [0; 6],
            word: 0,
            time: 0,
            floor: course.start.day,
            taken: Vec::new(),
            left: course.rule.count,
            hint: 0,
            moved: VecDeque::new(),
            ended: None,
            work,
        }
    }

    /// Passes over what is before `instant`. Where the rule has a count, what is passed over is counted: at once where every
    /// period has as many, and period by period otherwise.
    pub(super) fn seek(&mut self, instant: i64) {
        // A day is more than any zone is away from UTC and any gap is long.
        let wall = instant.saturating_sub(2 * DAY);
        if wall <= self.course.first {
            return;
        }
        let interval = i64::from(self.rule.interval);
        let day = wall.div_euclid(DAY).min(i64::from(first_of(YEAR_MAX + 1))) as i32;
        let (civil, start) = (Civil::of(day), self.course.start.civil);
        let passed = match self.rule.freq {
            // The year of weeks that a day is in may be the one before.
            Freq::Yearly => (i64::from(civil.year - self.year()) - 1).max(0) / interval,
            Freq::Monthly => {
                (i64::from(civil.year - start.year) * 12 + i64::from(civil.month) - i64::from(start.month))
                    / interval
            }
            Freq::Weekly => i64::from(day - self.week()) / 7 / interval,
            Freq::Daily => i64::from(day - self.course.start.day) / interval,
            freq => (wall - self.course.first) / (unit(freq) * interval),
        };
        // With bounds in time nothing has to be counted.
        if self.left.is_none() {
            self.next = passed;
            self.floor = day;
            return;
        }
        // Places, and what a gap leaves uncounted, have to be looked at one by one: whoever asks passes over them.
        let counts = self.rule.places.is_empty() && self.gap == Gap::Forward && self.rule.until.is_none();
        if !counts || !steps_by_days(self.rule.freq) {
            return;
        }
        self.floor = day;
        // The periods between the first and the one that the day is in; the rest is counted when it is opened.
        if let Some(each) = self.course.fixed.filter(|_| passed > 0) {
            let plain = self.plain.take();
            if self.read_period() {
                self.pass_over_days();
            }
            self.plain = plain;
            if self.word_with_days().is_none() && self.next < passed {
                self.count_off(each.saturating_mul((passed - self.next) as u64));
                self.next = passed;
            }
        }
    }

    /// Counts occurrences that are passed over.
    pub(super) fn count_off(&mut self, passed: u64) {
        if let Some(left) = self.left {
            let left = u64::from(left).saturating_sub(passed);
            self.left = Some(left as u32);
        }
    }

    /// The next occurrence.
    pub(super) fn step(&mut self) -> Step {
        let found = match self.moved.front() {
            // What moved is compared with what comes next.
            Some(_) => self.raw(),
            None => match self.raw() {
                Some(Resolved::There(at)) => return Step::Found(at),
                found => found,
            },
        };
        self.in_order(found)
    }

    /// Takes what is plain: at most `room` occurrences before `stop`, an instant, between two clock changes and away from every
    /// bound. Whatever comes next is for [`Walk::step`].
    pub(super) fn run(&mut self, stop: i64, mut room: usize, mut take: impl FnMut(At)) {
        if !self.moved.is_empty()
            || !self.taken.is_empty()
            || self.ended.is_some()
            || !steps_by_days(self.rule.freq)
        {
            return;
        }
        let times = &self.course.times[..];
        while room > 0 {
            let Some(word) = self.word_with_days() else {
                if !self.rule.places.is_empty() || !self.open_period() {
                    return;
                }
                continue;
            };
            let wall_of = |day: u32, time: u32| {
                (i64::from(self.base) + word as i64 * 64 + i64::from(day)) * DAY + i64::from(time)
            };
            let next = wall_of(self.bits[word].trailing_zeros(), times[self.time]);
            if next < self.course.first {
                return;
            }
            let (offset, end) = self.zone.span(next, &mut self.hint);
            let offset = i64::from(offset);
            let end = end.min(stop.saturating_add(offset)).min(self.until(offset)).min(END);
            if self.left.is_some_and(|left| left < 64 * times.len() as u32) || next >= end {
                return;
            }
            let before = room;
            let mut bits = self.bits[word];
            if let ([time], 0) = (times, self.time) {
                while bits != 0 && room > 0 {
                    let wall = wall_of(bits.trailing_zeros(), *time);
                    if wall >= end {
                        break;
                    }
                    take(At { instant: wall - offset, wall });
                    room -= 1;
                    bits &= bits - 1;
                }
            } else {
                let mut time = self.time;
                'days: while bits != 0 {
                    let day = bits.trailing_zeros();
                    while time < times.len() {
                        let wall = wall_of(day, times[time]);
                        if wall >= end || room == 0 {
                            break 'days;
                        }
                        take(At { instant: wall - offset, wall });
                        room -= 1;
                        time += 1;
                    }
                    time = 0;
                    bits &= bits - 1;
                }
                self.time = time;
            }
            self.bits[word] = bits;
            self.count_off((before - room) as u64);
        }
    }

    /// Puts what moved forward in its place.
    fn in_order(&mut self, mut found: Option<Resolved>) -> Step {
        loop {
            match found {
                Some(Resolved::Skipped(at)) => {
                    let place = self.moved.partition_point(|moved| *moved <= at);
                    self.moved.insert(place, at);
                }
                Some(Resolved::There(at)) => {
                    if self.moved.front().is_none_or(|moved| at <= *moved) {
                        return Step::Found(at);
                    }
                    let place = self.moved.partition_point(|moved| *moved <= at);
                    self.moved.insert(place, at);
                    return self.first_moved();
                }
                None => return self.first_moved(),
            }
            // Nothing that is still to come can be before the first that moved, once a wall time beyond it was found.
            found = self.raw();
        }
    }

    fn first_moved(&mut self) -> Step {
        self.moved.pop_front().map_or(self.ended.unwrap_or(Step::Done), Step::Found)
    }

    /// The next occurrence in the order of the wall clock as it is written.
    pub(super) fn raw(&mut self) -> Option<Resolved> {
        loop {
            if self.ended.is_some() || self.left == Some(0) {
                self.ended = self.ended.or(Some(Step::Done));
                return None;
            }
            let resolved = match steps_by_days(self.rule.freq) {
                true => {
                    let wall = self.next_wall()?;
                    if wall < self.course.first {
                        continue;
                    }
                    if wall >= END {
                        self.ended = Some(Step::Done);
                        return None;
                    }
                    self.zone.resolve(wall, &mut self.hint)
                }
                false => {
                    let at = self.next_elapsed()?;
                    if at < self.course.first_at {
                        continue;
                    }
                    // In a series of days, the day is what counts; whoever merges takes it once.
                    let day = at.wall.div_euclid(DAY) * DAY;
                    Resolved::There(if self.course.whole_days { At { instant: day, wall: day } } else { at })
                }
            };
            let at = match resolved {
                Resolved::There(at) => at,
                Resolved::Skipped(_) if self.gap == Gap::Skip => {
                    // A rule may name nothing but what is skipped.
                    if self.work == 0 {
                        self.ended = Some(Step::Spent);
                        return None;
                    }
                    self.work -= 1;
                    continue;
                }
                Resolved::Skipped(at) => at,
            };
            if at.wall >= self.until(at.wall - at.instant) {
                self.ended = Some(Step::Done);
                return None;
            }
            self.left = self.left.map(|left| left - 1);
            return Some(resolved);
        }
    }

    /// The wall time before which UNTIL lets the rule go on, where clocks are so many seconds ahead of UTC.
    fn until(&self, ahead: i64) -> i64 {
        match self.rule.until {
            None => i64::MAX,
            Some(Stamp::Day(day)) => (i64::from(day) + 1) * DAY,
            Some(Stamp::Wall(wall) | Stamp::Utc(wall)) if self.course.whole_days => {
                (wall.div_euclid(DAY) + 1) * DAY
            }
            Some(Stamp::Wall(wall)) => wall + 1,
            Some(Stamp::Utc(instant)) => instant + ahead + 1,
        }
    }
}

/// Seconds of the unit in which a rule steps.
pub(super) fn unit(freq: Freq) -> i64 {
    match freq {
        Freq::Secondly => 1,
        Freq::Minutely => 60,
        Freq::Hourly => 3600,
        _ => DAY,
    }
}

/// The index that a BYSETPOS names.
pub(super) fn place_of(place: i16, total: u32) -> Option<u32> {
    let at = if place > 0 { i64::from(place) - 1 } else { i64::from(total) + i64::from(place) };
    u32::try_from(at).ok().filter(|at| *at < total)
}
