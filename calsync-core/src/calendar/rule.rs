//! One rule: the value of an RRULE or EXRULE, read into a compact plan (RFC 5545, section 3.3.10).
//!
//! Read strictly, whatever the grammar or the text of the section forbids is refused. Read leniently, what real calendars hold
//! and what has one plain meaning is taken, with a note: empty parts, a part that is said twice in the same words, parts of
//! somebody's own, COUNT with UNTIL (both hold), and combinations that the section forbids (they filter). Numbers that no calendar
//! has are refused in either way: leaving them out would make another series of it.

use super::civil::{DAY, day_of};
use std::fmt;

/// How strictly recurrence lines are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// Whatever RFC 5545 forbids is refused.
    Strict,
    /// What has one plain meaning is accepted, with a note.
    Lenient,
}

/// Why a recurrence line is refused, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Which line it is in, from 0.
    pub line: usize,
    /// The part of the line, as written, bounded to 80 characters.
    pub part: String,
    /// What is wrong with it.
    pub why: &'static str,
}

impl Refused {
    pub(super) fn new(part: &str, why: &'static str) -> Self {
        Self { line: 0, part: part.chars().take(80).collect(), why }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, {:?}: {}", self.line + 1, self.part, self.why)
    }
}

impl std::error::Error for Refused {}

/// Something odd that was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The part of the line, as written, bounded to 80 characters.
    pub part: String,
    /// How it is understood.
    pub how: &'static str,
}

impl Note {
    pub(super) fn new(part: &str, how: &'static str) -> Self {
        Self { part: part.chars().take(80).collect(), how }
    }
}

/// The unit in which a rule steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Freq {
    /// `FREQ=SECONDLY`
    Secondly,
    /// `FREQ=MINUTELY`
    Minutely,
    /// `FREQ=HOURLY`
    Hourly,
    /// `FREQ=DAILY`
    Daily,
    /// `FREQ=WEEKLY`
    Weekly,
    /// `FREQ=MONTHLY`
    Monthly,
    /// `FREQ=YEARLY`
    Yearly,
}

impl Freq {
    /// As FREQ names it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Secondly => "SECONDLY",
            Self::Minutely => "MINUTELY",
            Self::Hourly => "HOURLY",
            Self::Daily => "DAILY",
            Self::Weekly => "WEEKLY",
            Self::Monthly => "MONTHLY",
            Self::Yearly => "YEARLY",
        }
    }
}

/// A date or time as recurrence lines write it, before a zone gives it a meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stamp {
    /// A day number.
    Day(i32),
    /// Seconds on the wall clock.
    Wall(i64),
    /// Seconds in UTC.
    Utc(i64),
}

/// The days that a BYDAY names: 0 is Monday.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ByDay {
    /// Every one of these, a bit each.
    pub plain: u8,
    /// The n-th of the month or year, from its end where negative.
    pub numbered: Vec<(i8, u8)>,
}

impl ByDay {
    pub(super) fn is_empty(&self) -> bool {
        self.plain == 0 && self.numbered.is_empty()
    }
}

/// A rule. Sets are bit masks: bit n stands for n.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) freq: Freq,
    /// At least 1.
    pub(super) interval: u32,
    pub(super) count: Option<u32>,
    pub(super) until: Option<Stamp>,
    /// The day that weeks begin with: 0 is Monday.
    pub(super) week_start: u8,
    pub(super) months: u16,
    /// Days of the month from its start, and from its end.
    pub(super) month_days: (u32, u32),
    /// Days of the year from its start (1 to 366) or end (-366 to -1), in order.
    pub(super) year_days: Vec<i16>,
    /// Weeks of the year from its start (1 to 53) or end (-53 to -1), in order.
    pub(super) weeks: Vec<i8>,
    pub(super) days: ByDay,
    pub(super) hours: u32,
    pub(super) minutes: u64,
    pub(super) seconds: u64,
    /// Places within the period, from its start (1 to 366) or end (-366 to -1), in order.
    pub(super) places: Vec<i16>,
}

/// Days of the week as BYDAY and WKST name them.
pub(super) const WEEKDAYS: [&str; 7] = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"];

impl Rule {
    /// Reads the value of a line, what stands behind its colon.
    ///
    /// # Errors
    /// The first part that cannot be read.
    pub(super) fn parse(value: &str, reading: Reading, notes: &mut Vec<Note>) -> Result<Self, Refused> {
        let mut rule = Self {
            freq: Freq::Daily,
            interval: 1,
            count: None,
            until: None,
            week_start: 0,
            months: 0,
            month_days: (0, 0),
            year_days: Vec::new(),
            weeks: Vec::new(),
            days: ByDay::default(),
            hours: 0,
            minutes: 0,
            seconds: 0,
            places: Vec::new(),
        };
        let strict = reading == Reading::Strict;
        let mut odd = |part: &str, how: &'static str, why: &'static str| {
            if strict {
                return Err(Refused::new(part, why));
            }
            notes.push(Note::new(part, how));
            Ok(())
        };
        let mut said: Vec<(String, &str)> = Vec::new();
        // Google and others end a rule so.
        let parts = value.strip_suffix(';').unwrap_or(value);
        for part in parts.split(';') {
            let trimmed = part.trim();
            if trimmed.is_empty() {
                odd(value, "an empty part says nothing", "an empty part")?;
                continue;
            }
            if trimmed.len() != part.len() {
                odd(part, "blanks around a part say nothing", "blanks around a part")?;
            }
            let Some((name, value)) = trimmed.split_once('=').filter(|(_, value)| !value.contains('='))
            else {
                return Err(Refused::new(part, "a part is a name, an equals sign and a value"));
            };
            let name = name.to_ascii_uppercase();
            if value.is_empty() {
                return Err(Refused::new(part, "a part without a value"));
            }
            if let Some((_, before)) = said.iter().find(|(known, _)| *known == name) {
                if !before.eq_ignore_ascii_case(value) {
                    return Err(Refused::new(part, "said before, and otherwise"));
                }
                odd(part, "said twice in the same words", "a part that was said before")?;
                continue;
            }
            match name.as_str() {
                "FREQ" => {
                    rule.freq = freq(value).ok_or_else(|| Refused::new(part, "no frequency of RFC 5545"))?
                }
                "INTERVAL" => {
                    rule.interval = number(value)
                        .filter(|n| *n > 0)
                        .ok_or_else(|| Refused::new(part, "an interval is a number from 1 on"))?;
                }
                "COUNT" => {
                    let count = number(value).filter(|n| *n > 0);
                    rule.count =
                        Some(count.ok_or_else(|| Refused::new(part, "a count is a number from 1 on"))?);
                }
                "UNTIL" => {
                    rule.until = Some(stamp(value).ok_or_else(|| Refused::new(part, "no date or time"))?);
                }
                "WKST" => {
                    rule.week_start =
                        weekday(value).ok_or_else(|| Refused::new(part, "no day of the week"))?;
                }
                "BYMONTH" => rule.months = mask(part, value, 1..=12)? as u16,
                "BYMONTHDAY" => {
                    for number in numbers(part, value, 31)? {
                        match number > 0 {
                            true => rule.month_days.0 |= 1 << number,
                            false => rule.month_days.1 |= 1 << -number,
                        }
                    }
                }
                "BYYEARDAY" => rule.year_days = numbers(part, value, 366)?,
                "BYWEEKNO" => {
                    rule.weeks = numbers(part, value, 53)?.into_iter().map(|number| number as i8).collect();
                }
                "BYSETPOS" => rule.places = numbers(part, value, 366)?,
                "BYHOUR" => rule.hours = mask(part, value, 0..=23)? as u32,
                "BYMINUTE" => rule.minutes = mask(part, value, 0..=59)?,
                // A leap second is the second before it on every clock that calsync reads.
                "BYSECOND" => {
                    let seconds = mask(part, value, 0..=60)?;
                    rule.seconds = seconds & !(1 << 60) | (seconds >> 60) << 59;
                }
                "BYDAY" => rule.days = by_day(part, value)?,
                "RSCALE" if value.eq_ignore_ascii_case("GREGORIAN") => {
                    odd(part, "the calendar that is meant anyway", "a part that RFC 5545 does not have")?;
                }
                "RSCALE" => {
                    return Err(Refused::new(part, "of all calendars only the Gregorian one is known"));
                }
                "SKIP" if value.eq_ignore_ascii_case("OMIT") => {
                    odd(part, "what is done anyway", "a part that RFC 5545 does not have")?;
                }
                name if name.starts_with("X-") => {
                    odd(part, "somebody's own part is passed over", "a part that RFC 5545 does not have")?;
                }
                _ => return Err(Refused::new(part, "a part that RFC 5545 does not have")),
            }
            said.push((name, value));
        }
        if !said.iter().any(|(name, _)| name == "FREQ") {
            return Err(Refused::new(value, "a rule needs a frequency"));
        }
        if rule.freq < Freq::Daily && !rule.days.numbered.is_empty() {
            return Err(Refused::new(value, "numbered days belong to FREQ=MONTHLY or YEARLY"));
        }
        for (is, how, why) in rule.forbidden() {
            if is {
                odd(value, how, why)?;
            }
        }
        Ok(rule)
    }

    /// The combinations that section 3.3.10 forbids in its text, and how each is understood where it is accepted.
    fn forbidden(&self) -> [(bool, &'static str, &'static str); 7] {
        use Freq::{Daily, Monthly, Weekly, Yearly};
        let numbered = !self.days.numbered.is_empty();
        let of_days = self.months != 0
            || self.month_days != (0, 0)
            || !self.year_days.is_empty()
            || !self.weeks.is_empty()
            || !self.days.is_empty();
        let any = of_days || self.hours != 0 || self.minutes != 0 || self.seconds != 0;
        [
            (self.count.is_some() && self.until.is_some(), "both bounds hold", "COUNT and UNTIL together"),
            (
                self.freq != Yearly && !self.weeks.is_empty(),
                "the weeks filter",
                "BYWEEKNO belongs to FREQ=YEARLY",
            ),
            (
                matches!(self.freq, Daily | Weekly | Monthly) && !self.year_days.is_empty(),
                "the days of the year filter",
                "BYYEARDAY does not belong to FREQ=DAILY, WEEKLY or MONTHLY",
            ),
            (
                self.freq == Weekly && self.month_days != (0, 0),
                "the days of the month filter",
                "BYMONTHDAY does not belong to FREQ=WEEKLY",
            ),
            (
                numbered && !matches!(self.freq, Monthly | Yearly),
                "the numbers of the days are passed over",
                "numbered days belong to FREQ=MONTHLY or YEARLY",
            ),
            (
                numbered && self.freq == Yearly && !self.weeks.is_empty(),
                "the numbered days filter",
                "numbered days do not go with BYWEEKNO",
            ),
            (
                !self.places.is_empty() && !any,
                "places are taken of what the period has",
                "BYSETPOS needs another part that begins with BY",
            ),
        ]
    }
}

fn freq(text: &str) -> Option<Freq> {
    use Freq::{Daily, Hourly, Minutely, Monthly, Secondly, Weekly, Yearly};
    let all = [Secondly, Minutely, Hourly, Daily, Weekly, Monthly, Yearly];
    all.into_iter().find(|freq| freq.name().eq_ignore_ascii_case(text))
}

fn weekday(text: &str) -> Option<u8> {
    WEEKDAYS.iter().position(|day| day.eq_ignore_ascii_case(text)).map(|at| at as u8)
}

fn number(text: &str) -> Option<u32> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

/// Numbers from `-max` to `max` but 0, in order and once each.
fn numbers(part: &str, list: &str, max: u32) -> Result<Vec<i16>, Refused> {
    let mut numbers = Vec::new();
    for text in list.split(',') {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let number = number(digits).filter(|number| (1..=max).contains(number));
        let number =
            number.ok_or_else(|| Refused::new(part, "a number that the calendar does not have"))? as i16;
        numbers.push(if negative { -number } else { number });
    }
    numbers.sort_unstable();
    numbers.dedup();
    Ok(numbers)
}

fn mask(part: &str, list: &str, range: std::ops::RangeInclusive<u32>) -> Result<u64, Refused> {
    let mut mask = 0;
    for text in list.split(',') {
        let number = number(text).filter(|number| range.contains(number));
        mask |= 1 << number.ok_or_else(|| Refused::new(part, "a number that the calendar does not have"))?;
    }
    Ok(mask)
}

fn by_day(part: &str, list: &str) -> Result<ByDay, Refused> {
    let mut days = ByDay::default();
    for text in list.split(',') {
        let refused = || Refused::new(part, "no day of the week");
        let at = text.len().checked_sub(2).filter(|at| text.is_char_boundary(*at)).ok_or_else(refused)?;
        let day = weekday(&text[at..]).ok_or_else(refused)?;
        match &text[..at] {
            "" => days.plain |= 1 << day,
            place => {
                let place = numbers(part, place, 53)?;
                let [place] = place[..] else { return Err(refused()) };
                days.numbered.push((place as i8, day));
            }
        }
    }
    days.numbered.sort_unstable();
    days.numbered.dedup();
    Ok(days)
}

/// Reads `20261127`, `20261127T090000` or `20261127T090000Z`. A sixtieth second is the one before.
pub(super) fn stamp(text: &str) -> Option<Stamp> {
    let bytes = text.as_bytes();
    let digits = |from: usize, to: usize| -> Option<u32> {
        let part = bytes.get(from..to)?;
        part.iter()
            .all(u8::is_ascii_digit)
            .then(|| part.iter().fold(0, |n, digit| n * 10 + u32::from(digit - b'0')))
    };
    let (year, month, day) = (digits(0, 4)? as i32, digits(4, 6)?, digits(6, 8)?);
    if !(1..=12).contains(&month) || !(1..=super::civil::days_in_month(year, month)).contains(&day) {
        return None;
    }
    let date = day_of(year, month, day);
    if bytes.len() == 8 {
        return Some(Stamp::Day(date));
    }
    let (hour, minute, second) = (digits(9, 11)?, digits(11, 13)?, digits(13, 15)?);
    if !matches!(bytes[8], b'T' | b't') || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let wall = i64::from(date) * DAY + i64::from(hour * 3600 + minute * 60 + second.min(59));
    match &bytes[15..] {
        [] => Some(Stamp::Wall(wall)),
        [b'Z' | b'z'] => Some(Stamp::Utc(wall)),
        _ => None,
    }
}
