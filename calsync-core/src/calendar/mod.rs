//! Occurrences of a series: bounded, by the wall clock.
//!
//! The `rrule` crate is handed local times as if they were UTC, and each result is resolved through [`Zone`]: its own
//! zone data is out of date, it refuses Windows zones and an UNTIL of the other type, and it would turn dates into midnights.
//! UNTIL is converted to the wall clock first. Every question has a bound; reaching it is an answer ("not known"), never a
//! silent cut.

mod civil;
mod days;
mod elapsed;
mod offsets;
mod period;
mod rule;
mod series;
mod set;
mod walk;

pub(crate) use offsets::Offsets;
pub use rule::{Note, Reading, Refused};
pub use series::{Occurrence, Occurrences, Series, Start, Truncated, WORK_MAX};
pub use walk::Gap;

use crate::error::{Error, ErrorKind, Result};
use crate::model::{Recurrence, Slot, When, ZonedTime};
use crate::zone::Zone;
use chrono::{DateTime, NaiveDateTime, Utc};

/// Most occurrences that one question walks through.
pub const OCCURRENCES_MAX: u16 = 10_000;

/// Some occurrences of a series, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expansion {
    /// The slots, in order.
    pub slots: Vec<Slot>,
    /// Whether the bound was reached before the end.
    pub truncated: bool,
}

/// The slots of a series that start before `until`, from the first on, at most [`OCCURRENCES_MAX`]. For a single
/// appointment, its start. Changed and cancelled occurrences are not known here.
///
/// # Errors
/// [`ErrorKind::Invalid`] for a rule that cannot be read.
pub fn expand(when: &When, recurrence: &Recurrence, until: DateTime<Utc>) -> Result<Expansion> {
    if recurrence.is_empty() {
        return Ok(Expansion { slots: vec![when.slot()?], truncated: false });
    }
    let (start, zone) = match when {
        When::AllDay { start, .. } => (start.and_time(chrono::NaiveTime::MIN), None),
        When::Timed { start, .. } => (start.time, Some(&start.zone)),
    };
    let mut text = format!("DTSTART:{}", wall(start));
    let mut has_rule = false;
    for line in recurrence.lines() {
        let (name, value) = wall_line(line, zone)?;
        has_rule |= name == "RRULE";
        text.push_str(&format!("\n{name}:{value}"));
    }
    if !has_rule {
        // A list of dates alone: the start is the first of them (RFC 5545, section 3.8.5.2).
        text.push_str(&format!("\nRDATE:{}", wall(start)));
    }
    let set: rrule::RRuleSet = text.parse().map_err(|e: rrule::RRuleError| {
        Error::new(ErrorKind::Invalid, "a recurrence rule cannot be read").caused_by(e)
    })?;
    // A day more than any zone is away from UTC, so that nothing before `until` is lost to the conversion.
    let end = (until + chrono::Duration::days(2)).with_timezone(&rrule::Tz::UTC);
    let found = set.before(end).all(OCCURRENCES_MAX);
    let mut slots = Vec::with_capacity(found.dates.len());
    for date in &found.dates {
        let local = date.naive_utc();
        let slot = match zone {
            None => Slot::Date(local.date()),
            Some(zone) => Slot::Time(ZonedTime::new(local, zone.clone()).instant()?),
        };
        let before = match slot {
            Slot::Date(date) => date.and_time(chrono::NaiveTime::MIN).and_utc() < until,
            Slot::Time(instant) => instant < until,
        };
        if before {
            slots.push(slot);
        }
    }
    slots.sort_unstable();
    slots.dedup();
    Ok(Expansion { slots, truncated: found.limited })
}

/// The last slot of a series that ends, if that can be told within the bound.
pub fn last_slot(when: &When, recurrence: &Recurrence) -> Option<Slot> {
    let bounded = recurrence.is_empty()
        || recurrence.until().is_some()
        || recurrence.count().is_some()
        || !recurrence.lines().iter().any(|line| line.to_ascii_uppercase().contains("FREQ="));
    if !bounded {
        return None;
    }
    let far = DateTime::from_timestamp(4_102_444_800, 0)?; // 2100-01-01: what lasts longer has no end worth knowing
    let expansion = expand(when, recurrence, far).ok()?;
    if expansion.truncated { None } else { expansion.slots.last().copied() }
}

fn wall(time: NaiveDateTime) -> String {
    time.format("%Y%m%dT%H%M%SZ").to_string()
}

/// A recurrence line with every date as wall clock, written as UTC.
fn wall_line(line: &str, zone: Option<&Zone>) -> Result<(String, String)> {
    let (head, value) = line.split_once(':').unwrap_or((line, ""));
    let name = head.split(';').next().unwrap_or_default().trim().to_ascii_uppercase();
    let own_zone = (head.split(';').skip(1))
        .filter_map(|word| word.split_once('='))
        .find(|(key, _)| key.eq_ignore_ascii_case("TZID"))
        .and_then(|(_, name)| Zone::new(name.trim_matches('"')).ok());
    let date = |text: &str| -> Result<String> {
        let text = text.trim();
        let refuse = || Error::new(ErrorKind::Invalid, "a recurrence line holds no date where one belongs");
        match text.parse::<Slot>() {
            Ok(Slot::Date(day)) if zone.is_none() => Ok(wall(day.and_time(chrono::NaiveTime::MIN))),
            // A date where a time belongs: that whole day.
            Ok(Slot::Date(day)) => Ok(wall(day.and_hms_opt(23, 59, 59).ok_or_else(refuse)?)),
            Ok(Slot::Time(instant)) => match zone {
                Some(zone) => Ok(wall(zone.wall(instant)?.time)),
                None => Ok(wall(instant.date_naive().and_time(chrono::NaiveTime::MIN))),
            },
            Err(_) => {
                let local = NaiveDateTime::parse_from_str(text, "%Y%m%dT%H%M%S").map_err(|_| refuse())?;
                match (&own_zone, zone) {
                    (Some(own), Some(zone)) if own != zone => {
                        let instant = own.instant(crate::zone::Wall { time: local, later: false })?;
                        Ok(wall(zone.wall(instant)?.time))
                    }
                    (_, None) => Ok(wall(local.date().and_time(chrono::NaiveTime::MIN))),
                    _ => Ok(wall(local)),
                }
            }
        }
    };
    let value = match name.as_str() {
        "RRULE" | "EXRULE" => {
            let mut parts = Vec::new();
            for part in value.split(';').filter(|part| !part.is_empty()) {
                match part.split_once('=') {
                    Some((key, until)) if key.eq_ignore_ascii_case("UNTIL") => {
                        parts.push(format!("UNTIL={}", date(until)?))
                    }
                    _ => parts.push(part.to_owned()),
                }
            }
            parts.join(";")
        }
        "RDATE" | "EXDATE" => {
            let dates: Result<Vec<String>> =
                value.split(',').map(|text| date(text.split('/').next().unwrap_or(text))).collect();
            dates?.join(",")
        }
        _ => value.to_owned(),
    };
    Ok((name, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(start: &str, zone: &str, lines: &[&str], until: &str, slots: &[&str]) {
        let when = match zone {
            "" => When::day(start.parse().expect("a date")),
            zone => {
                let zone = Zone::new(zone).expect("known");
                When::timed(start.parse().expect("a time"), chrono::Duration::hours(1), &zone)
                    .expect("resolves")
            }
        };
        let recurrence = Recurrence::new(lines.iter().map(|line| (*line).to_owned()).collect());
        let expansion = expand(&when, &recurrence, until.parse().expect("an instant")).expect("readable");
        let found: Vec<String> = expansion.slots.iter().map(Slot::to_string).collect();
        assert_eq!(found, slots);
    }

    #[test]
    fn a_series_follows_the_wall_clock_of_its_zone_over_a_clock_change() {
        check(
            "2026-10-26T09:00:00",
            "America/Vancouver",
            &["RRULE:FREQ=WEEKLY;COUNT=3"],
            "2027-01-01T00:00:00Z",
            &["20261026T160000Z", "20261102T160000Z", "20261109T160000Z"],
        );
        check(
            "2026-10-26T09:00:00",
            "America/New_York",
            &["RRULE:FREQ=WEEKLY;COUNT=2"],
            "2027-01-01T00:00:00Z",
            &["20261026T130000Z", "20261102T140000Z"],
        );
    }

    #[test]
    fn until_in_utc_dates_in_other_zones_and_whole_days_mean_what_they_say() {
        check(
            "2026-11-02T09:00:00",
            "America/New_York",
            &["RRULE:FREQ=DAILY;UNTIL=20261104T140000Z", "EXDATE;TZID=Europe/Berlin:20261103T150000"],
            "2027-01-01T00:00:00Z",
            &["20261102T140000Z", "20261104T140000Z"],
        );
        check(
            "2026-11-02",
            "",
            &["RRULE:FREQ=DAILY;UNTIL=20261104T070000Z"],
            "2027-01-01T00:00:00Z",
            &["20261102", "20261103", "20261104"],
        );
    }

    #[test]
    fn a_series_of_listed_dates_alone_has_its_start_as_the_first() {
        check(
            "2026-11-02T09:00:00",
            "UTC",
            &["RDATE:20261105T090000Z"],
            "2027-01-01T00:00:00Z",
            &["20261102T090000Z", "20261105T090000Z"],
        );
    }
}
