//! Recurrence lines in one form, whatever way they are written: for telling an edit from another spelling.
//!
//! Google drops `INTERVAL=1`, moves parts around and writes dates of lists in UTC. Lines that are equal in this form have the same
//! occurrences, of the same lengths, in a series that starts alike; that is held by a test. The other way round is not promised: a
//! rule may be said in two ways that are not known here to be one, and then they differ.
//!
//! What a form loses would be an edit that nobody sees. So a rule is written from the plan that it is walked by, a period keeps its
//! length, and what cannot be read keeps its words. Whether the series is one of whole days has to be known: of a time in a list or in
//! UNTIL, such a series takes the day that is written, and any other the instant.

use super::civil::{DAY, date_text};
use super::line::Line;
use super::offsets::Offsets;
use super::rule::{Freq, Reading, Rule, Stamp, WEEKDAYS, stamp};
use super::series::zone_of;
use super::set::period;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;

/// The lines in one form; each is a line again, and in this form already.
pub(crate) fn canonical<'a>(lines: impl IntoIterator<Item = &'a str>, whole_days: bool) -> Vec<String> {
    let mut set = BTreeSet::new();
    for text in lines {
        match Line::of(text) {
            Ok(line) if line.is_rule() => {
                set.insert(format!("{}:{}", line.name, rule(line.value, whole_days)));
            }
            Ok(line) if matches!(line.name.as_str(), "RDATE" | "EXDATE") => {
                set.extend(dates(&line, whole_days));
            }
            Ok(line) => {
                set.insert(format!("{}:{}", line.head(), line.value));
            }
            Err(_) => {
                set.insert(text.trim().to_owned());
            }
        }
    }
    set.into_iter().collect()
}

/// The lines as they are written, but for dates that a line before them, or they themselves, list already.
pub(crate) fn each_once<'a>(lines: impl IntoIterator<Item = &'a str>, whole_days: bool) -> Vec<String> {
    let (mut seen, mut kept) = (BTreeSet::new(), Vec::new());
    for text in lines {
        let list = Line::of(text).ok().filter(|line| matches!(line.name.as_str(), "RDATE" | "EXDATE"));
        let Some(line) = list else {
            kept.push(text.to_owned());
            continue;
        };
        let dates: Vec<&str> = (line.value.split(',').zip(dates(&line, whole_days)))
            .filter_map(|(date, canonical)| seen.insert(canonical).then_some(date))
            .collect();
        if dates.len() == line.value.split(',').count() {
            kept.push(text.to_owned());
        } else if !dates.is_empty() {
            kept.push(format!("{}:{}", line.head(), dates.join(",")));
        }
    }
    kept
}

/// The dates of a list, a line each.
fn dates(line: &Line<'_>, whole_days: bool) -> Vec<String> {
    let named = line.parameter("TZID");
    let zone = named.and_then(zone_of);
    // What a zone means that nobody knows is not known either: its name has to stay.
    let head = match (named, &zone) {
        (Some(name), None) => format!("{};TZID={name}", line.name),
        _ => line.name.clone(),
    };
    let reader = Reader { zone, whole_days };
    let dates = line.value.split(',');
    dates
        .map(|date| match date.split_once('/') {
            None => reader.stamp(date.trim()).unwrap_or_else(|| date.trim().to_owned()),
            Some((begin, end)) => reader
                .period(begin.trim(), end.trim(), line.name == "RDATE")
                .unwrap_or_else(|| date.trim().to_owned()),
        })
        .map(|date| format!("{head}:{date}"))
        .collect()
}

struct Reader {
    /// The list's own zone, if it has one that is known.
    zone: Option<Arc<Offsets>>,
    whole_days: bool,
}

impl Reader {
    /// A date as it is; `None` for what is none.
    fn stamp(&self, text: &str) -> Option<String> {
        Some(match (stamp(text)?, &self.zone) {
            (read, _) if self.whole_days => day_text(read),
            (Stamp::Wall(wall), Some(zone)) => text_of(Stamp::Utc(zone.at_wall(wall).instant)),
            (read, _) => text_of(read),
        })
    }

    /// A period by its start and its length; of what is left out only the start counts.
    fn period(&self, begin: &str, end: &str, added: bool) -> Option<String> {
        let (start, read) = (self.stamp(begin)?, stamp(begin)?);
        if !added {
            return Some(start);
        }
        let said = stamp(end);
        let local = [Some(read), said].iter().any(|read| matches!(read, Some(Stamp::Wall(_))));
        if let (true, None, Some(end)) = (local, &self.zone, said) {
            // How long it is from one reading of a clock to another takes the zone of the series, which is not known here.
            return Some(format!("{}/{}", text_of(read), text_of(end)));
        }
        let none = Offsets::none();
        let length = period(read, end, self.zone.as_deref().unwrap_or(&none));
        Some(length.map_or(start.clone(), |length| format!("{start}/{length}")))
    }
}

/// The rule as it is walked.
fn rule(value: &str, whole_days: bool) -> String {
    let Ok(mut rule) = Rule::parse(value, Reading::Lenient, &mut Vec::new()) else {
        return unreadable(value);
    };
    // The week's first day matters only where weeks are counted (section 3.3.10).
    let counts_weeks =
        !rule.weeks.is_empty() || rule.freq == Freq::Weekly && (rule.interval > 1 || !rule.places.is_empty());
    if !counts_weeks {
        rule.week_start = 0;
    }
    let mut text = format!("FREQ={}", rule.freq.name());
    let mut part = |name: &str, values: String| {
        if !values.is_empty() {
            _ = write!(text, ";{name}={values}");
        }
    };
    part("INTERVAL", if rule.interval > 1 { rule.interval.to_string() } else { String::new() });
    part("COUNT", rule.count.map_or(String::new(), |count| count.to_string()));
    part(
        "UNTIL",
        rule.until.map_or(String::new(), |until| if whole_days { day_text(until) } else { text_of(until) }),
    );
    part("BYMONTH", list(bits(rule.months.into())));
    let from_end = bits(rule.month_days.1.into()).map(|day| -day);
    part("BYMONTHDAY", list(bits(rule.month_days.0.into()).chain(from_end)));
    part("BYYEARDAY", list(rule.year_days.iter()));
    part("BYWEEKNO", list(rule.weeks.iter()));
    let day = |day: u8| WEEKDAYS.get(usize::from(day)).copied().unwrap_or_default();
    let plain = bits(rule.days.plain.into()).map(|at| day(at as u8).to_owned());
    let numbered = rule.days.numbered.iter().map(|(number, at)| format!("{number}{}", day(*at)));
    part("BYDAY", list(plain.chain(numbered)));
    part("BYHOUR", list(bits(rule.hours.into())));
    part("BYMINUTE", list(bits(rule.minutes)));
    part("BYSECOND", list(bits(rule.seconds)));
    part("BYSETPOS", list(rule.places.iter()));
    part("WKST", if rule.week_start > 0 { day(rule.week_start).to_owned() } else { String::new() });
    text
}

/// The parts of a rule that cannot be read, in order: nobody knows more of it than its words, nor which of them say nothing.
fn unreadable(value: &str) -> String {
    let mut parts: Vec<String> = value.split(';').map(|part| part.trim().to_ascii_uppercase()).collect();
    parts.sort_unstable();
    parts.join(";")
}

fn bits(mask: u64) -> impl Iterator<Item = i32> {
    (0..64).filter(move |bit| mask >> bit & 1 == 1)
}

fn list(values: impl Iterator<Item = impl ToString>) -> String {
    values.map(|value| value.to_string()).collect::<Vec<_>>().join(",")
}

fn day_text(read: Stamp) -> String {
    match read {
        Stamp::Day(day) => text_of(Stamp::Day(day)),
        Stamp::Wall(wall) | Stamp::Utc(wall) => text_of(Stamp::Day(wall.div_euclid(DAY) as i32)),
    }
}

/// As recurrence lines write it.
fn text_of(read: Stamp) -> String {
    let time = |wall: i64| {
        let of_day = wall.rem_euclid(DAY);
        let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
        format!("{}T{hour:02}{minute:02}{second:02}", date_text(wall.div_euclid(DAY) as i32))
    };
    match read {
        Stamp::Day(day) => date_text(day),
        Stamp::Wall(wall) => time(wall),
        Stamp::Utc(instant) => time(instant) + "Z",
    }
}
