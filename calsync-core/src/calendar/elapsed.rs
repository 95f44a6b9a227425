//! The steps of a rule by hours, minutes or seconds: elapsed time, read off the wall clock of the zone.
//!
//! What a step does not meet is not looked for second by second: from a day that is none of the rule's it goes to the first step of the
//! next day, and so with hours and minutes.

use super::civil::DAY;
use super::days::passes;
use super::offsets::At;
use super::rule::Freq;
use super::walk::{END, Step, Walk, place_of, unit};
use std::collections::BTreeSet;

impl Walk<'_> {
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
            let instant = self
                .next
                .checked_mul(step)
                .and_then(|passed| passed.checked_add(self.course.first_at.instant));
            let Some(instant) = instant.filter(|instant| *instant < END) else {
                self.ended = Some(Step::Done);
                return None;
            };
            let at = self.zone.at(instant);
            let day = at.wall.div_euclid(DAY);
            let second = at.wall.rem_euclid(DAY);
            let has = |mask: u64, n: i64| mask == 0 || mask >> n & 1 == 1;
            let rule = self.rule;
            // The wall time at which something that is not met may be met next.
            let later = if !passes(rule, day as i32) {
                Some((day + 1) * DAY)
            } else if !has(rule.hours.into(), second / 3600) {
                Some((at.wall.div_euclid(3600) + 1) * 3600)
            } else if rule.freq < Freq::Hourly && !has(rule.minutes, second / 60 % 60) {
                Some((at.wall.div_euclid(60) + 1) * 60)
            } else if rule.freq == Freq::Secondly && !has(rule.seconds, second % 60) {
                Some(at.wall + 1)
            } else {
                None
            };
            if let Some(later) = later {
                // Where clocks go forward before that, it comes as much sooner.
                let distance = later - at.wall;
                let there = self.zone.at(instant + distance);
                let sooner = ((there.wall - there.instant) - (at.wall - at.instant)).max(0);
                let steps = ((distance - sooner).max(1) + step - 1) / step;
                self.next += steps;
                continue;
            }
            self.next += 1;
            if self.course.times.is_empty() {
                if rule.places.is_empty() || rule.places.iter().any(|place| place.abs() == 1) {
                    return Some(at);
                }
                continue;
            }
            let begin = instant - at.wall.rem_euclid(unit);
            let count = self.course.times.len() as u32;
            let mut found: Vec<i64> = match rule.places.is_empty() {
                true => self.course.times.iter().map(|time| begin + i64::from(*time)).collect(),
                false => {
                    let places: BTreeSet<u32> =
                        rule.places.iter().filter_map(|place| place_of(*place, count)).collect();
                    places
                        .into_iter()
                        .map(|place| begin + i64::from(self.course.times[place as usize]))
                        .collect()
                }
            };
            found.reverse();
            self.taken = found;
        }
    }
}
