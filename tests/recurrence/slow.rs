//! Random rules against a generator that walks day by day, or step by step, and asks of each whether the rule names it.
//!
//! It is slow and shares nothing with the expansion: each part of a rule is one question about one date, read off RFC 5545.
//! `CALSYNC_RECURRENCE_RULES` says how many rules are made (300 by default), from seed `CALSYNC_RECURRENCE_SEED` on.

use calsync_core::Zone;
use calsync_core::calendar::{Reading, Series, Start};
use calsync_core::model::ZonedTime;
use chrono::{DateTime, Datelike, Duration, NaiveDate, NaiveDateTime, Timelike, Utc};
use std::collections::BTreeMap;
use std::fmt::Write as _;

const DAYS: [&str; 7] = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"];
const FREQS: [&str; 7] = ["YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY", "MINUTELY", "SECONDLY"];
pub(crate) const ZONES: [&str; 5] =
    ["America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "America/Sao_Paulo", "Africa/Casablanca"];
/// How many occurrences are compared.
const COMPARED: usize = 40;

/// Splitmix64.
pub(crate) struct Chance(pub(crate) u64);

impl Chance {
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ mixed >> 31) % n
    }

    pub(crate) fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    /// Up to three numbers, some of them negative.
    fn numbers(&mut self, max: i64, negative: bool) -> Vec<i64> {
        let mut list: Vec<i64> = (0..1 + self.below(3))
            .map(|_| {
                let number = 1 + self.below(max as u64) as i64;
                if negative && self.one_in(3) { -number } else { number }
            })
            .collect();
        list.sort_unstable();
        list.dedup();
        list
    }
}

/// A rule, as it was drawn.
#[derive(Clone, Debug, Default)]
pub(crate) struct Drawn {
    /// Which of `FREQS`.
    pub(crate) freq: usize,
    pub(crate) interval: i64,
    pub(crate) count: Option<usize>,
    week_start: u32,
    pub(crate) months: Vec<i64>,
    pub(crate) month_days: Vec<i64>,
    year_days: Vec<i64>,
    pub(crate) weeks: Vec<i64>,
    /// The number (0: every one) and the day of the week.
    pub(crate) days: Vec<(i64, u32)>,
    hours: Vec<i64>,
    minutes: Vec<i64>,
    seconds: Vec<i64>,
    pub(crate) places: Vec<i64>,
}

impl Drawn {
    /// Only what RFC 5545 allows.
    pub(crate) fn draw(chance: &mut Chance) -> Self {
        let mut rule =
            Self { freq: chance.below(7) as usize, interval: 1 + chance.below(4) as i64, ..Self::default() };
        if chance.one_in(2) {
            rule.count = Some(1 + chance.below(COMPARED as u64) as usize);
        }
        rule.week_start = if chance.one_in(2) { chance.below(7) as u32 } else { 0 };
        if chance.one_in(3) {
            rule.months = chance.numbers(12, false);
        }
        if rule.freq != 2 && chance.one_in(3) {
            rule.month_days = chance.numbers(31, true);
        }
        if matches!(rule.freq, 0 | 4..) && chance.one_in(8) {
            rule.year_days = (0..4).flat_map(|_| chance.numbers(366, true)).collect();
        }
        if rule.freq == 0 && chance.one_in(4) {
            rule.weeks = chance.numbers(53, true);
        }
        if chance.one_in(2) {
            for _ in 0..1 + chance.below(3) {
                let numbered = rule.freq < 2 && rule.weeks.is_empty() && chance.one_in(2);
                let max = if rule.freq == 1 || !rule.months.is_empty() { 5 } else { 53 };
                let number = if numbered { chance.numbers(max, true)[0] } else { 0 };
                rule.days.push((number, chance.below(7) as u32));
            }
        }
        if chance.one_in(4) {
            rule.hours = chance.numbers(23, false);
        }
        if chance.one_in(4) {
            rule.minutes = chance.numbers(59, false);
        }
        if chance.one_in(6) {
            rule.seconds = chance.numbers(59, false);
        }
        if rule.freq < 4 && rule.text().contains(";BY") && chance.one_in(4) {
            rule.places = chance.numbers(4, true);
        }
        rule
    }

    pub(crate) fn text(&self) -> String {
        let mut text = format!(
            "RRULE:FREQ={};INTERVAL={};WKST={}",
            FREQS[self.freq], self.interval, DAYS[self.week_start as usize]
        );
        if let Some(count) = self.count {
            _ = write!(text, ";COUNT={count}");
        }
        let lists = [
            ("BYMONTH", &self.months),
            ("BYMONTHDAY", &self.month_days),
            ("BYYEARDAY", &self.year_days),
            ("BYWEEKNO", &self.weeks),
            ("BYHOUR", &self.hours),
            ("BYMINUTE", &self.minutes),
            ("BYSECOND", &self.seconds),
            ("BYSETPOS", &self.places),
        ];
        for (name, list) in lists.into_iter().filter(|(_, list)| !list.is_empty()) {
            let list: Vec<String> = list.iter().map(i64::to_string).collect();
            _ = write!(text, ";{name}={}", list.join(","));
        }
        if !self.days.is_empty() {
            let day = |(number, day): &(i64, u32)| match number {
                0 => DAYS[*day as usize].to_owned(),
                number => format!("{number}{}", DAYS[*day as usize]),
            };
            _ = write!(text, ";BYDAY={}", self.days.iter().map(day).collect::<Vec<_>>().join(","));
        }
        text
    }

    /// The first day of the first week of a year: the one with four days in it.
    fn first_week(&self, year: i32) -> NaiveDate {
        let fourth = NaiveDate::from_ymd_opt(year, 1, 4).unwrap();
        let back = (fourth.weekday().num_days_from_monday() + 7 - self.week_start) % 7;
        fourth - Duration::days(back.into())
    }

    fn week_year(&self, day: NaiveDate) -> i32 {
        let year = day.year() + 1;
        (year - 2..=year).rev().find(|year| self.first_week(*year) <= day).unwrap()
    }

    /// Whether the rule names this date, whatever its interval.
    fn names(&self, day: NaiveDate, start: NaiveDate) -> bool {
        let from_end = |at: i64, length: i64, number: i64| number == at || number == at - length - 1;
        let of_month = day.day().into();
        let month_length = i64::from(next_month(day).pred_opt().unwrap().day());
        let year_length = if day.leap_year() { 366 } else { 365 };
        let by_month = self.months.is_empty() || self.months.contains(&day.month().into());
        let by_month_day = self.month_days.is_empty()
            || self.month_days.iter().any(|n| from_end(of_month, month_length, *n));
        let by_year_day = self.year_days.is_empty()
            || self.year_days.iter().any(|n| from_end(day.ordinal().into(), year_length, *n));
        let by_week = self.weeks.is_empty() || {
            let year = self.week_year(day);
            let first = self.first_week(year);
            let week = (day - first).num_days() / 7 + 1;
            let length = (self.first_week(year + 1) - first).num_days() / 7;
            self.weeks.iter().any(|n| from_end(week, length, *n))
        };
        let weekday = day.weekday().num_days_from_monday();
        let by_day = self.days.is_empty()
            || self.days.iter().any(|(number, of)| {
                let in_month = self.freq == 1 || !self.months.is_empty();
                let (at, length) = match in_month {
                    true => (of_month, month_length),
                    false => (day.ordinal().into(), year_length),
                };
                let of_kind = (at - 1) / 7 + 1;
                let all = of_kind + (length - at) / 7;
                *of == weekday && (*number == 0 || from_end(of_kind, all, *number))
            });
        let said = |lists: &[bool]| lists.iter().any(|empty| !empty);
        let (md, yd, wn, wd) = (
            self.month_days.is_empty(),
            self.year_days.is_empty(),
            self.weeks.is_empty(),
            self.days.is_empty(),
        );
        let by_start = match self.freq {
            0 if said(&[md, yd, wd]) => true,
            0 if !wn => weekday == start.weekday().num_days_from_monday(),
            0 => day.day() == start.day() && (!self.months.is_empty() || day.month() == start.month()),
            1 => said(&[md, wd]) || day.day() == start.day(),
            2 => said(&[wd]) || weekday == start.weekday().num_days_from_monday(),
            _ => true,
        };
        by_month && by_month_day && by_year_day && by_week && by_day && by_start
    }

    /// Which period a date is in, counted from the one that the series starts in.
    fn period(&self, day: NaiveDate, start: NaiveDate) -> i64 {
        let week = |day: NaiveDate| {
            let days = day.num_days_from_ce() - 1 - self.week_start as i32;
            i64::from(days.div_euclid(7))
        };
        match self.freq {
            0 if !self.weeks.is_empty() && self.places.is_empty() => {
                i64::from(self.week_year(day) - self.week_year(start))
            }
            0 => i64::from(day.year() - start.year()),
            1 => {
                let months = |day: NaiveDate| i64::from(day.year()) * 12 + i64::from(day.month());
                months(day) - months(start)
            }
            2 => week(day) - week(start),
            _ => (day - start).num_days(),
        }
    }

    /// The first occurrences on the wall clock; an empty list where none comes within the time that is walked.
    fn walk(&self, start: NaiveDateTime) -> Vec<NaiveDateTime> {
        let most = self.count.unwrap_or(COMPARED).min(COMPARED);
        match self.freq {
            ..4 => self.by_days(start, most),
            _ => self.by_steps(start, most),
        }
    }

    fn by_days(&self, start: NaiveDateTime, most: usize) -> Vec<NaiveDateTime> {
        let or = |list: &[i64], own: u32| if list.is_empty() { vec![own.into()] } else { list.to_vec() };
        let (hours, minutes) = (or(&self.hours, start.hour()), or(&self.minutes, start.minute()));
        let seconds = or(&self.seconds, start.second());
        let mut found = Vec::new();
        let mut of_period: BTreeMap<i64, Vec<NaiveDateTime>> = BTreeMap::new();
        // The period that the series starts in is looked at whole.
        let mut day = start.date() - Duration::days(400);
        let end = day + Duration::days(365 * 90);
        while day < end && found.len() < most {
            let period = self.period(day, start.date());
            if of_period.last_key_value().is_some_and(|(last, _)| *last < period) {
                let (_, list) = of_period.pop_last().unwrap();
                found.extend(self.placed(list).into_iter().filter(|time| *time >= start));
            }
            if period >= 0 && period % self.interval == 0 && self.names(day, start.date()) {
                let times = of_period.entry(period).or_default();
                for hour in &hours {
                    for minute in &minutes {
                        for second in &seconds {
                            times
                                .push(day.and_hms_opt(*hour as u32, *minute as u32, *second as u32).unwrap());
                        }
                    }
                }
            }
            day += Duration::days(1);
        }
        found.truncate(most);
        found
    }

    fn placed(&self, list: Vec<NaiveDateTime>) -> Vec<NaiveDateTime> {
        if self.places.is_empty() {
            return list;
        }
        let places = (1..).zip(&list);
        let length = list.len() as i64;
        places
            .filter(|(at, _)| self.places.iter().any(|n| n == at || *n == at - length - 1))
            .map(|(_, time)| *time)
            .collect()
    }

    fn by_steps(&self, start: NaiveDateTime, most: usize) -> Vec<NaiveDateTime> {
        let unit = [3600, 60, 1][self.freq - 4];
        let has = |list: &[i64], value: u32| list.is_empty() || list.contains(&value.into());
        let mut found = Vec::new();
        let mut time = start;
        // Steps that are none, one after the other, until it is given up.
        for _ in 0..400_000 {
            if found.len() >= most {
                break;
            }
            let met = self.names(time.date(), start.date())
                && has(&self.hours, time.hour())
                && (self.freq < 5 || has(&self.minutes, time.minute()))
                && (self.freq < 6 || has(&self.seconds, time.second()));
            if met {
                let minutes: Vec<u32> = match self.freq {
                    4 if !self.minutes.is_empty() => self.minutes.iter().map(|m| *m as u32).collect(),
                    _ => vec![time.minute()],
                };
                let seconds: Vec<u32> = match self.freq {
                    4 | 5 if !self.seconds.is_empty() => self.seconds.iter().map(|s| *s as u32).collect(),
                    _ => vec![time.second()],
                };
                for minute in &minutes {
                    for second in &seconds {
                        found.push(time.date().and_hms_opt(time.hour(), *minute, *second).unwrap());
                    }
                }
                found.retain(|time| *time >= start);
            }
            time += Duration::seconds(unit * self.interval);
        }
        found.truncate(most);
        found
    }
}

/// Between 1990 and 2030.
pub(crate) fn draw_start(chance: &mut Chance) -> NaiveDateTime {
    let month =
        NaiveDate::from_ymd_opt(1990 + chance.below(40) as i32, 1 + chance.below(12) as u32, 1).unwrap();
    let day = month + Duration::days(chance.below(31) as i64);
    day.and_hms_opt(chance.below(24) as u32, chance.below(60) as u32, chance.below(60) as u32).unwrap()
}

fn next_month(day: NaiveDate) -> NaiveDate {
    let (year, month) = if day.month() == 12 { (day.year() + 1, 1) } else { (day.year(), day.month() + 1) };
    NaiveDate::from_ymd_opt(year, month, 1).unwrap()
}

pub(crate) fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[test]
fn random_rules_give_what_a_walk_through_all_days_gives() {
    let (rules, first) = (setting("CALSYNC_RECURRENCE_RULES", 300), setting("CALSYNC_RECURRENCE_SEED", 1));
    let (mut wrong, mut empty) = (Vec::new(), 0);
    for seed in first..first + rules {
        let mut chance = Chance(seed);
        let rule = Drawn::draw(&mut chance);
        let start = draw_start(&mut chance);
        let slow = rule.walk(start);
        empty += u32::from(slow.is_empty());
        let text = rule.text();
        let found = |start: &Start| -> Vec<_> {
            let series = Series::parse(start, [text.as_str()], Reading::Strict).expect("it is allowed");
            series.occurrences().take(slow.len()).map_while(Result::ok).collect()
        };
        let floating: Vec<NaiveDateTime> = found(&Start::Floating(start)).iter().map(|o| o.wall()).collect();
        if floating != slow {
            wrong.push(format!("{seed}: {start} {text}: {floating:?} instead of {slow:?}"));
            continue;
        }
        // In a zone, what steps by days is the same on the wall clock, each moved forward out of a gap.
        if rule.freq < 4 {
            let zone = Zone::new(ZONES[chance.below(5) as usize]).unwrap();
            let mut instants: Vec<DateTime<Utc>> =
                slow.iter().map(|time| ZonedTime::new(*time, zone.clone()).instant().unwrap()).collect();
            instants.sort_unstable();
            instants.dedup();
            let zoned = found(&Start::Zoned(start, zone.clone()));
            let zoned: Vec<_> =
                zoned.iter().map(|occurrence| occurrence.instant()).take(instants.len()).collect();
            if zoned != instants {
                wrong.push(format!("{seed}: {start} {zone} {text}: {zoned:?} instead of {instants:?}"));
            }
        }
    }
    assert!(u64::from(empty) < rules / 2, "{empty} rules of {rules} name nothing");
    assert!(wrong.is_empty(), "{} of {rules} wrong, the first: {}", wrong.len(), wrong[0]);
}
