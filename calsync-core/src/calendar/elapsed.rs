//! The steps of a rule by hours, minutes or seconds: elapsed time, read off the wall clock of the zone.
//!
//! What a step does not meet is not looked for second by second: from a day that is none of the rule's it goes to the first step of the
//! next day, and so with hours and minutes.

use super::civil::DAY;
use super::days::passes;
use super::offsets::At;
use super::rule::Freq;
use super::walk::{END, Step, Walk, place_of, unit};
use std::cmp::Reverse;

impl Walk<'_> {
    /// The instant of the next step; `None` after the last year.
    fn step_at(&self, step: i64) -> Option<i64> {
        let passed = self.next.checked_mul(step)?;
        passed.checked_add(self.course.first_at.instant).filter(|instant| *instant < END)
    }

    /// Where a step does not meet the rule, the wall time from which on one may; `None` where it does.
    fn unmet(&self, at: At) -> Option<i64> {
        let (rule, day, second) = (self.rule, at.wall.div_euclid(DAY), at.wall.rem_euclid(DAY));
        let has = |mask: u64, n: i64| mask == 0 || mask >> n & 1 == 1;
        if !passes(rule, day as i32) {
            Some((day + 1) * DAY)
        } else if !has(rule.hours.into(), second / 3600) {
            Some((at.wall.div_euclid(3600) + 1) * 3600)
        } else if rule.freq < Freq::Hourly && !has(rule.minutes, second / 60 % 60) {
            Some((at.wall.div_euclid(60) + 1) * 60)
        } else if rule.freq == Freq::Secondly && !has(rule.seconds, second % 60) {
            Some(at.wall + 1)
        } else {
            None
        }
    }

    /// The next moment of a rule that steps by hours or less.
    pub(super) fn next_elapsed(&mut self) -> Option<At> {
        let unit = unit(self.rule.freq);
        let step = unit * i64::from(self.rule.interval);
        loop {
            if let Some(instant) = self.taken.pop() {
                return Some(self.zone.at(instant));
            }
            if self.work == 0 {
                self.ended = Some(Step::Spent);
                return None;
            }
            self.work -= 1;
            let Some(instant) = self.step_at(step) else {
                self.ended = Some(Step::Done);
                return None;
            };
            let at = self.zone.at(instant);
            if let Some(later) = self.unmet(at) {
                // Where clocks go forward before that, it comes as much sooner.
                let distance = later - at.wall;
                let there = self.zone.at(instant + distance);
                let sooner = ((there.wall - there.instant) - (at.wall - at.instant)).max(0);
                let steps = ((distance - sooner).max(1) + step - 1) / step;
                self.next += steps;
                continue;
            }
            let rule = self.rule;
            self.next += 1;
            if self.course.times.is_empty() {
                if rule.places.is_empty() || rule.places.iter().any(|place| place.abs() == 1) {
                    return Some(at);
                }
                continue;
            }
            let all = &self.course.times;
            let times = |begin: i64| {
                let every = if rule.places.is_empty() { all.as_slice() } else { &[] };
                let at = |place: &i16| all.get(place_of(*place, all.len() as u32)? as usize);
                let named = rule.places.iter().filter_map(at);
                every.iter().chain(named).map(move |time| begin + i64::from(*time))
            };
            // What the times are counted from: the hour or the minute that the step is in.
            let span = if rule.freq == Freq::Hourly && rule.minutes == 0 { 60 } else { unit };
            let begin_of = |instant: i64, at: At| instant - at.wall.rem_euclid(span);
            let begin = begin_of(instant, at);
            self.taken.extend(times(begin));
            // Where clocks go back by less than an hour, the next step is in an hour that has begun already.
            let mut end = begin + span;
            while let Some(instant) = self.step_at(step) {
                let at = self.zone.at(instant);
                let begin = begin_of(instant, at);
                if begin >= end {
                    break;
                }
                if self.unmet(at).is_none() {
                    self.taken.extend(times(begin));
                }
                (end, self.next) = (begin + span, self.next + 1);
            }
            self.taken.sort_unstable_by_key(|instant| Reverse(*instant));
            self.taken.dedup();
        }
    }
}
