//! Random rules against a generator that walks day by day, or step by step, and asks of each whether the rule names it.
//!
//! It is slow and shares nothing with the expansion: each part of a rule is one question about one date, read off RFC 5545. Rules that step
//! by hours and less are walked by elapsed time where there is a zone, each step read off the zone's clock. Both readings of a gap are
//! asked, and whether the rule ends where COUNT or UNTIL says.
//! `CALSYNC_RECURRENCE_RULES` says how many rules are made (300 by default), from seed `CALSYNC_RECURRENCE_SEED` on.

use calsync_core::calendar::{Gap, Reading, Series, Start};
use calsync_core::model::ZonedTime;
use calsync_core::{Wall, Zone};
use chrono::{DateTime, Datelike, Duration, NaiveDate, NaiveDateTime, NaiveTime, Timelike, Utc};
use std::collections::BTreeMap;
use std::fmt::Write as _;

const DAYS: [&str; 7] = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"];
const FREQS: [&str; 7] = ["YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY", "MINUTELY", "SECONDLY"];
pub(crate) const ZONES: [&str; 5] =
    ["America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "America/Sao_Paulo", "Africa/Casablanca"];
/// Seconds of a period, about.
const UNITS: [i64; 7] = [365 * 86_400, 30 * 86_400, 7 * 86_400, 86_400, 3600, 60, 1];
/// How many occurrences are compared.
const COMPARED: usize = 40;
/// How many more are walked to: a gap moves some out of their order.
const AHEAD: usize = 60;

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
    /// Seconds from the start to UNTIL.
    pub(crate) until: Option<i64>,
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
        if rule.count.is_none() && chance.one_in(2) {
            let period = UNITS[rule.freq] * rule.interval;
            rule.until = Some(chance.below(25 * period as u64) as i64);
        }
        rule
    }

    /// As text with its UNTIL, of the kind that goes with the start.
    pub(crate) fn text_for(&self, start: &Start) -> String {
        let Some(until) = self.until.map(Duration::seconds) else { return self.text() };
        let until = match start {
            Start::Day(day) => (*day + until).format("%Y%m%d").to_string(),
            Start::Floating(time) => (*time + until).format("%Y%m%dT%H%M%S").to_string(),
            Start::Zoned(time, zone) => (instant(*time, zone) + until).format("%Y%m%dT%H%M%SZ").to_string(),
        };
        format!("{};UNTIL={until}", self.text())
    }

    /// Whether it names times of the day, as no series of days may.
    pub(crate) fn names_times(&self) -> bool {
        self.freq > 3 || !(self.hours.is_empty() && self.minutes.is_empty() && self.seconds.is_empty())
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

    /// What is walked to from a start, before a gap, COUNT or UNTIL are thought of.
    fn walk(&self, start: &Start) -> Walked {
        let wanted = self.count.unwrap_or(COMPARED) + AHEAD;
        match start {
            Start::Day(day) => Walked::Walls(self.by_days(day.and_time(NaiveTime::MIN), wanted)),
            Start::Zoned(time, zone) if self.freq > 3 => {
                Walked::Instants(self.by_elapsed(*time, zone, wanted))
            }
            Start::Floating(time) if self.freq > 3 => Walked::Walls(self.by_steps(*time, wanted)),
            Start::Floating(time) | Start::Zoned(time, _) => Walked::Walls(self.by_days(*time, wanted)),
        }
    }

    /// The first occurrences in order, as instants, and whether those are all.
    fn expected(&self, start: &Start, walked: &Walked, gap: Gap) -> (Vec<DateTime<Utc>>, bool) {
        let begin = match start {
            Start::Day(day) => day.and_time(NaiveTime::MIN),
            Start::Floating(time) | Start::Zoned(time, _) => *time,
        };
        let (mut found, walked_to) = match (walked, start) {
            (Walked::Instants(walked), _) => walked.clone(),
            (Walked::Walls((walls, to)), Start::Zoned(_, zone)) => {
                let there = walls.iter().filter(|wall| gap == Gap::Forward || exists(**wall, zone));
                (there.map(|wall| instant(*wall, zone)).collect(), instant(*to, zone))
            }
            (Walked::Walls((walls, to)), _) => {
                (walls.iter().map(NaiveDateTime::and_utc).collect(), to.and_utc())
            }
        };
        let until = self.until.map(|until| match start {
            Start::Day(_) => {
                (begin + Duration::seconds(until)).date().and_hms_opt(23, 59, 59).unwrap().and_utc()
            }
            Start::Floating(_) => (begin + Duration::seconds(until)).and_utc(),
            Start::Zoned(_, zone) => instant(begin, zone) + Duration::seconds(until),
        });
        let mut all = self.count.is_some_and(|count| found.len() >= count);
        found.truncate(self.count.unwrap_or(usize::MAX));
        if let Some(until) = until {
            all = walked_to > until || found.iter().any(|found| *found > until);
            found.retain(|found| *found <= until);
        }
        found.sort_unstable();
        found.dedup();
        all &= found.len() <= COMPARED;
        found.truncate(COMPARED);
        (found, all)
    }

    /// So many on the wall clock, and up to where all were found.
    fn by_days(&self, start: NaiveDateTime, most: usize) -> (Vec<NaiveDateTime>, NaiveDateTime) {
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
        let to = found.get(most - 1).copied().unwrap_or(day.and_time(NaiveTime::MIN) - Duration::days(400));
        found.truncate(most);
        (found, to)
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

    /// What a step has, which is at this time of the clock, as seconds from it; nothing where it does not meet the rule.
    fn of_step(&self, time: NaiveDateTime, start: NaiveDateTime) -> Vec<i64> {
        let has = |list: &[i64], value: u32| list.is_empty() || list.contains(&value.into());
        let met = self.names(time.date(), start.date())
            && has(&self.hours, time.hour())
            && (self.freq < 5 || has(&self.minutes, time.minute()))
            && (self.freq < 6 || has(&self.seconds, time.second()));
        if !met {
            return Vec::new();
        }
        let (minute, second) = (i64::from(time.minute()), i64::from(time.second()));
        let own = |list: &[i64], own: i64| if list.is_empty() { vec![own] } else { list.to_vec() };
        let minutes = if self.freq == 4 { own(&self.minutes, minute) } else { vec![minute] };
        let seconds = if self.freq < 6 { own(&self.seconds, second) } else { vec![second] };
        let pairs = minutes.iter().flat_map(|m| seconds.iter().map(move |s| m * 60 + s));
        pairs.map(|at| at - minute * 60 - second).collect()
    }

    fn by_steps(&self, start: NaiveDateTime, most: usize) -> (Vec<NaiveDateTime>, NaiveDateTime) {
        let (mut found, mut time) = (Vec::new(), start);
        // Steps that are none, one after the other, until it is given up.
        for _ in 0..STEPS {
            if found.len() >= most {
                break;
            }
            found.extend(self.of_step(time, start).into_iter().map(|at| time + Duration::seconds(at)));
            found.retain(|time| *time >= start);
            time += Duration::seconds(UNITS[self.freq] * self.interval);
        }
        let to = found.get(most - 1).copied().unwrap_or(time - Duration::hours(1));
        found.truncate(most);
        (found, to)
    }

    /// The same by elapsed time in a zone: each step is an instant, and its clock says what it meets.
    fn by_elapsed(
        &self,
        start: NaiveDateTime,
        zone: &Zone,
        most: usize,
    ) -> (Vec<DateTime<Utc>>, DateTime<Utc>) {
        let first = instant(start, zone);
        let (mut found, mut step) = (Vec::new(), first);
        for _ in 0..STEPS / 10 {
            if found.len() >= most {
                break;
            }
            let wall = zone.wall(step).unwrap().time;
            found.extend(self.of_step(wall, start).into_iter().map(|at| step + Duration::seconds(at)));
            found.retain(|at| *at >= first);
            step += Duration::seconds(UNITS[self.freq] * self.interval);
        }
        let to = found.get(most - 1).copied().unwrap_or(step - Duration::hours(2));
        found.truncate(most);
        (found, to)
    }
}

/// Times on the wall clock, or instants, and up to where all were found.
enum Walked {
    Walls((Vec<NaiveDateTime>, NaiveDateTime)),
    Instants((Vec<DateTime<Utc>>, DateTime<Utc>)),
}

/// How many steps are walked through before it is given up.
const STEPS: usize = 400_000;

fn instant(time: NaiveDateTime, zone: &Zone) -> DateTime<Utc> {
    ZonedTime::new(time, zone.clone()).instant().unwrap()
}

/// Whether the clocks of a zone show this time at all.
fn exists(time: NaiveDateTime, zone: &Zone) -> bool {
    zone.wall(zone.instant(Wall { time, later: false }).unwrap()).unwrap().time == time
}

/// A time less than two days before the clocks of a zone change, in a year near this one; the same time where they do not.
fn near_a_change(time: NaiveDateTime, zone: &Zone, chance: &mut Chance) -> NaiveDateTime {
    let ahead = |time: NaiveDateTime| time - instant(time, zone).naive_utc();
    let days = (0..366).map(|day| time + Duration::days(day));
    let Some(before) = days.into_iter().find(|day| ahead(*day) != ahead(*day + Duration::days(1))) else {
        return time;
    };
    let time = before - Duration::seconds(chance.below(86_400) as i64);
    if exists(time, zone) { time } else { before - Duration::days(2) }
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
    let (mut wrong, mut empty, mut ended, mut asked) = (Vec::new(), 0, 0, 0);
    for seed in first..first + rules {
        let mut chance = Chance(seed);
        let rule = Drawn::draw(&mut chance);
        let time = draw_start(&mut chance);
        let zone = Zone::new(ZONES[chance.below(5) as usize]).unwrap();
        let mut starts = vec![match rule.names_times() || chance.one_in(2) {
            true => Start::Floating(time),
            false => Start::Day(time.date()),
        }];
        let near = rule.freq > 3 || chance.one_in(2);
        let time = if near { near_a_change(time, &zone, &mut chance) } else { time };
        starts.push(Start::Zoned(time, zone));
        for start in starts {
            let text = rule.text_for(&start);
            let series = Series::parse(&start, [text.as_str()], Reading::Strict).expect("it is allowed");
            let walked = rule.walk(&start);
            for gap in [Gap::Forward, Gap::Skip] {
                let (slow, all) = rule.expected(&start, &walked, gap);
                asked += 1;
                empty += u32::from(slow.is_empty());
                ended += u32::from(all);
                let series = series.clone().gap(gap);
                let found: Vec<_> = (series.occurrences().take(slow.len() + usize::from(all)))
                    .map_while(Result::ok)
                    .map(|occurrence| occurrence.instant())
                    .collect();
                if found != slow {
                    let at = (0..).find(|at| found.get(*at) != slow.get(*at)).unwrap();
                    let (found, slow) = (found.get(at), slow.get(at));
                    wrong.push(format!(
                        "{seed}: {start:?} {gap:?} {text}: {at}: {found:?} instead of {slow:?}"
                    ));
                }
            }
        }
    }
    assert!(empty < asked / 2, "{empty} of {asked} name nothing");
    assert!(ended > asked / 4, "{ended} of {asked} were followed to their end");
    let shown = wrong.iter().take(8).cloned().collect::<Vec<_>>().join("\n");
    assert!(wrong.is_empty(), "{} of {asked} wrong, the first:\n{shown}", wrong.len());
}

/// An EXRULE takes out what it names, whatever else it names: another rule altogether, or the same one at longer intervals.
#[test]
fn what_another_rule_names_is_left_out() {
    let (rules, first) =
        (setting("CALSYNC_RECURRENCE_RULES", 300) / 2, setting("CALSYNC_RECURRENCE_SEED", 1));
    let (mut wrong, mut left_out, mut truncated, mut asked) = (Vec::new(), 0, 0, 0);
    for seed in first..first + rules {
        let mut chance = Chance(seed ^ 0x0e6c_0000);
        let rule = Drawn::draw(&mut chance);
        let other = match chance.one_in(3) {
            true => Drawn::draw(&mut chance),
            false => Drawn { interval: rule.interval * 2, count: None, until: None, ..rule.clone() },
        };
        let time = draw_start(&mut chance);
        let zone = Zone::new(ZONES[chance.below(5) as usize]).unwrap();
        let start = match chance.below(4) {
            0 if !rule.names_times() && !other.names_times() => Start::Day(time.date()),
            1 => Start::Floating(time),
            _ => Start::Zoned(near_a_change(time, &zone, &mut chance), zone),
        };
        let lines = [rule.text_for(&start), other.text_for(&start).replace("RRULE:", "EXRULE:")];
        let series = Series::parse(&start, lines.iter().map(String::as_str), Reading::Lenient).expect("read");
        let (walked, walked_out) = (rule.walk(&start), other.walk(&start));
        for gap in [Gap::Forward, Gap::Skip] {
            let (named, all) = rule.expected(&start, &walked, gap);
            let (out, all_out) = other.expected(&start, &walked_out, gap);
            // As far as both are known.
            let to = |list: &[DateTime<Utc>], all| match all {
                true => DateTime::<Utc>::MAX_UTC,
                false => list.last().copied().unwrap_or(DateTime::<Utc>::MIN_UTC),
            };
            let known = to(&named, all).min(to(&out, all_out));
            let mut slow: Vec<_> = named.into_iter().filter(|at| *at <= known).collect();
            slow.retain(|at| {
                let stays = !out.contains(at);
                left_out += u32::from(!stays);
                stays
            });
            let series = series.clone().gap(gap);
            let found: Result<Vec<_>, _> = (series.occurrences())
                .map(|found| found.map(|found| found.instant()))
                .take_while(|at| at.is_err() || at.is_ok_and(|at| at <= known))
                .take(COMPARED)
                .collect();
            asked += 1;
            match found {
                // A rule that steps by seconds, followed for years.
                Err(_) => truncated += 1,
                Ok(found) if found == slow => {}
                Ok(found) => {
                    let at = (0..).find(|at| found.get(*at) != slow.get(*at)).unwrap();
                    let (found, slow) = (found.get(at), slow.get(at));
                    wrong.push(format!(
                        "{seed}: {start:?} {gap:?} {lines:?}: {at}: {found:?} instead of {slow:?}"
                    ));
                }
            }
        }
    }
    assert!(left_out > asked, "{left_out} left out of {asked}");
    assert!(truncated < asked / 10, "{truncated} of {asked} not followed");
    let shown = wrong.iter().take(4).cloned().collect::<Vec<_>>().join("\n");
    assert!(wrong.is_empty(), "{} of {asked} wrong, the first:\n{shown}", wrong.len());
}

/// Lord Howe's clocks change by half an hour: the hour after the change has begun before it, and a step is at another minute than before.
#[test]
fn an_hourly_rule_with_minutes_is_in_order_and_whole_where_clocks_change_by_half_an_hour() {
    let zone = Zone::new("Australia/Lord_Howe").unwrap();
    for day in ["2026-04-05", "2026-10-04"] {
        for minute in [0, 15, 26, 45] {
            let time: NaiveDateTime = format!("{day}T00:{minute:02}:30").parse().unwrap();
            for (minutes, seconds) in [
                (vec![0, 45], vec![]),
                (vec![0, 30, 45], vec![]),
                (vec![], vec![11, 30]),
                (vec![10], vec![0, 59]),
            ] {
                let rule = Drawn { freq: 4, interval: 1, minutes, seconds, ..Drawn::default() };
                let start = Start::Zoned(time, zone.clone());
                let (slow, _) = rule.expected(&start, &rule.walk(&start), Gap::Forward);
                let text = rule.text_for(&start);
                let series = Series::parse(&start, [text.as_str()], Reading::Strict).unwrap();
                let found: Vec<_> =
                    series.occurrences().take(slow.len()).map(|o| o.unwrap().instant()).collect();
                assert_eq!(found, slow, "{time} {text}");
            }
        }
    }
}
