//! The periods of a rule that steps by days or more: their days as bits, and what of them comes next.
//!
//! A rule by days or weeks that nothing filters has the same days in every block of up to 384 days, and a rule whose periods all have as many
//! days can be counted without being walked: seven days of a series cost the same however long ago it began.

use super::civil::{Civil, DAY, days_before, first_of};
use super::days::{
    Bits, Start, by_week_years, of_mask, of_month, of_week, of_weeks, of_year, passes, week_year,
};
use super::rule::{Freq, Rule};
use super::walk::{Step, Walk, YEAR_MAX, place_of};
use std::cmp::Reverse;

/// Many periods in one: what a rule by days or weeks has when no other part filters it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plain {
    bits: Bits,
    /// How many periods that is.
    periods: i64,
}

impl Walk<'_> {
    /// The year that the series starts in.
    pub(super) fn year(&self) -> i32 {
        match by_week_years(self.rule) {
            true => week_year(self.rule, self.course.start.day),
            false => self.course.start.civil.year,
        }
    }

    /// The first day of the week that the series starts in.
    pub(super) fn week(&self) -> i32 {
        self.course.start.day - (self.course.start.weekday + 7 - u32::from(self.rule.week_start)) as i32 % 7
    }

    /// The next wall time of a rule that steps by days or more.
    pub(super) fn next_wall(&mut self) -> Option<i64> {
        loop {
            if let Some(wall) = self.taken.pop() {
                return Some(wall);
            }
            if let Some(word) = self.word_with_days() {
                let bit = self.bits[word].trailing_zeros();
                let day = i64::from(self.base) + word as i64 * 64 + i64::from(bit);
                let wall = day * DAY + i64::from(self.course.times[self.time]);
                self.time += 1;
                if self.time == self.course.times.len() {
                    self.time = 0;
                    self.bits[word] &= self.bits[word] - 1;
                }
                return Some(wall);
            }
            if !self.open_period() {
                return None;
            }
            if !self.rule.places.is_empty() {
                self.take_places();
            }
        }
    }

    /// The first word of the period under way that has days still to come.
    pub(super) fn word_with_days(&mut self) -> Option<usize> {
        while self.bits.get(self.word).is_some_and(|word| *word == 0) {
            self.word += 1;
        }
        (self.word < self.bits.len()).then_some(self.word)
    }

    /// Finds the days of the next period that has any; false where the walk ends.
    pub(super) fn open_period(&mut self) -> bool {
        while self.read_period() {
            if self.base < self.floor {
                self.pass_over_days();
            }
            if self.left == Some(0) {
                self.ended = Some(Step::Done);
                return false;
            }
            if self.word_with_days().is_some() || !self.rule.places.is_empty() {
                return true;
            }
        }
        false
    }

    /// Passes over the days of the period under way that are before the floor, and counts those that the series has.
    pub(super) fn pass_over_days(&mut self) {
        if !self.rule.places.is_empty() {
            return;
        }
        let below = |day: i32, word: usize| match day.saturating_sub(self.base).max(0) as usize {
            days if days >= word * 64 + 64 => u64::MAX,
            days => (1u64 << days.saturating_sub(word * 64)) - 1,
        };
        let starts = self.course.start.day >= self.base && {
            let day = (self.course.start.day - self.base) as usize;
            self.bits.get(day / 64).is_some_and(|word| word >> (day % 64) & 1 == 1)
        };
        let mut counted = 0;
        let mut bits = self.bits;
        for (at, word) in bits.iter_mut().enumerate() {
            *word &= !below(self.course.start.day, at);
            let passed = *word & below(self.floor, at);
            counted += u64::from(passed.count_ones());
            *word &= !passed;
        }
        self.bits = bits;
        let mut passed = counted * self.course.times.len() as u64;
        if starts && self.floor > self.course.start.day {
            let own = self.course.first.rem_euclid(DAY);
            passed -= self.course.times.iter().filter(|time| i64::from(**time) < own).count() as u64;
        }
        self.count_off(passed);
    }

    /// Finds the days of the next period; false where the walk ends.
    pub(super) fn read_period(&mut self) -> bool {
        loop {
            if self.ended.is_some() {
                return false;
            }
            if self.work == 0 {
                self.ended = Some(Step::Spent);
                return false;
            }
            self.work -= 1;
            self.word = 0;
            let at = self.next * i64::from(self.rule.interval);
            let start = self.course.start.civil;
            if let Some(plain) = self.plain {
                self.next += plain.periods;
                let first = if self.rule.freq == Freq::Weekly {
                    i64::from(self.week()) + at * 7
                } else {
                    i64::from(self.course.start.day) + at
                };
                if first >= i64::from(first_of(YEAR_MAX + 1)) {
                    self.ended = Some(Step::Done);
                    return false;
                }
                (self.base, self.bits) = (first as i32, plain.bits);
                return true;
            }
            self.next += 1;
            let beyond = match self.rule.freq {
                Freq::Yearly => i64::from(self.year()) + at > i64::from(YEAR_MAX),
                Freq::Monthly => i64::from(start.year) + at / 12 > i64::from(YEAR_MAX),
                Freq::Weekly => i64::from(self.week()) + at * 7 > i64::from(first_of(YEAR_MAX + 1)),
                _ => i64::from(self.course.start.day) + at >= i64::from(first_of(YEAR_MAX + 1)),
            };
            if beyond {
                self.ended = Some(Step::Done);
                return false;
            }
            let word = match self.rule.freq {
                Freq::Yearly => {
                    let year = self.year() + at as i32;
                    (self.base, self.bits) = match by_week_years(self.rule) {
                        true => of_weeks(self.rule, &self.course.start, year),
                        false => (first_of(year), of_year(self.rule, &self.course.start, year)),
                    };
                    if self.bits != [0; 6] {
                        return true;
                    }
                    continue;
                }
                Freq::Monthly => {
                    let months = i64::from(start.year) * 12 + i64::from(start.month) - 1 + at;
                    let (year, month) = (months.div_euclid(12) as i32, months.rem_euclid(12) as u32 + 1);
                    self.base = first_of(year) + days_before(year, month) as i32;
                    of_month(self.rule, &self.course.start, year, month)
                }
                Freq::Weekly => {
                    self.base = self.week() + at as i32 * 7;
                    of_week(self.rule, &self.course.start, self.base)
                }
                _ => {
                    self.base = self.course.start.day + at as i32;
                    match passes(self.rule, self.base) {
                        true => 1,
                        false => {
                            self.skip_months();
                            0
                        }
                    }
                }
            };
            self.bits[0] = word.into();
            if word != 0 {
                return true;
            }
        }
    }

    /// From a day in a month that the rule does not name to the first of the next month that it does.
    fn skip_months(&mut self) {
        let months = self.rule.months;
        let mut civil = Civil::of(self.base);
        if months == 0 || months >> civil.month & 1 == 1 {
            return;
        }
        while months >> civil.month & 1 == 0 {
            civil =
                Civil { year: civil.year + (civil.month / 12) as i32, month: civil.month % 12 + 1, day: 1 };
        }
        let first = first_of(civil.year) + days_before(civil.year, civil.month) as i32;
        let interval = i64::from(self.rule.interval);
        self.next = i64::from(first - self.course.start.day).div_euclid(interval)
            + i64::from(i64::from(first - self.course.start.day).rem_euclid(interval) != 0);
    }

    /// Takes the places that BYSETPOS names out of the days and times of the period.
    fn take_places(&mut self) {
        let days: u32 = self.bits.iter().map(|word| word.count_ones()).sum();
        let times = self.course.times.len() as u32;
        for place in self.rule.places.iter().filter_map(|place| place_of(*place, days * times)) {
            let day = i64::from(self.base) + i64::from(nth_day(&self.bits, place / times));
            self.taken.push(day * DAY + i64::from(self.course.times[(place % times) as usize]));
        }
        self.taken.sort_unstable_by_key(|wall| Reverse(*wall));
        self.taken.dedup();
        self.bits = [0; 6];
    }
}

/// The nth day of a period that has so many.
fn nth_day(bits: &Bits, mut nth: u32) -> u32 {
    for (at, word) in (0..).zip(bits) {
        match nth.checked_sub(word.count_ones()) {
            Some(left) => nth = left,
            None => return at * 64 + of_mask(*word).nth(nth as usize).unwrap_or(0),
        }
    }
    0
}

/// A block of a rule by days or weeks that nothing filters.
pub(super) fn plain(rule: &Rule, start: &Start) -> Option<Plain> {
    let filtered = rule.months != 0
        || rule.month_days != (0, 0)
        || !rule.year_days.is_empty()
        || !rule.weeks.is_empty()
        || !rule.places.is_empty();
    let (length, days) = match rule.freq {
        Freq::Daily if rule.days.is_empty() => (1, 1),
        Freq::Weekly => (7, of_week(rule, start, 0)),
        _ => return None,
    };
    let span = u64::from(rule.interval) * length;
    if filtered || span > 128 {
        return None;
    }
    let mut bits = [0; 6];
    let periods = 384 / span;
    for period in 0..periods {
        for day in of_mask(days.into()) {
            let day = period * span + u64::from(day);
            bits[day as usize / 64] |= 1 << (day % 64);
        }
    }
    Some(Plain { bits, periods: periods as i64 })
}

/// How many days each period of a rule has, where that is always the same.
pub(super) fn fixed(rule: &Rule, start: &Start) -> Option<u64> {
    if !rule.places.is_empty() || !rule.year_days.is_empty() || !rule.weeks.is_empty() {
        return None;
    }
    let always = |mask: u32| mask >> 29 == 0;
    let (from_start, from_end) = rule.month_days;
    match rule.freq {
        Freq::Daily if rule.days.is_empty() && rule.months == 0 && rule.month_days == (0, 0) => Some(1),
        Freq::Weekly if rule.months == 0 && rule.month_days == (0, 0) => {
            Some(of_week(rule, start, 0).count_ones().into())
        }
        Freq::Monthly if rule.months == 0 => match (rule.days.is_empty(), rule.month_days) {
            (true, (0, 0)) if start.civil.day <= 28 => Some(1),
            // One from the start and one from the end may be the same day.
            (true, (from_start, 0)) if from_start != 0 && always(from_start) => {
                Some(from_start.count_ones().into())
            }
            (true, (0, _)) if from_end != 0 && always(from_end) => Some(from_end.count_ones().into()),
            (false, (0, 0)) if rule.days.plain == 0 && rule.days.numbered.len() == 1 => {
                (rule.days.numbered[0].0.unsigned_abs() <= 4).then_some(1)
            }
            _ => None,
        },
        Freq::Yearly if rule.days.is_empty() && from_start == 0 && from_end == 0 && start.civil.day <= 28 => {
            Some(if rule.months == 0 { 1 } else { rule.months.count_ones().into() })
        }
        _ => None,
    }
}
