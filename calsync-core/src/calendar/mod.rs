//! Occurrences of a series (RFC 5545, section 3.8.5), usable without anything else of calsync.
//!
//! ```
//! use calsync_core::Zone;
//! use calsync_core::calendar::{Reading, Series, Start};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let start = Start::Zoned("2006-11-27T09:00:00".parse()?, Zone::new("America/New_York")?);
//! let series = Series::parse(&start, ["RRULE:FREQ=WEEKLY;BYDAY=MO,FR"], Reading::Strict)?;
//! let next = series.occurrences_from("2026-11-27T00:00:00Z".parse()?).next();
//! assert_eq!(next.map(|found| found.map(|next| next.wall().to_string())), Some(Ok("2026-11-27 09:00:00".to_owned())));
//! # Ok(()) }
//! ```
//!
//! [`Series`] answers for the slots that lines give; [`RecurrenceSet`] for what takes place, with overrides, and for what an edit makes of it.
//!
//! A rule is read into a compact plan (`rule.rs`), walked on the wall clock by numbers and bit masks (`walk.rs`, `period.rs`, `days.rs`;
//! by elapsed time where it steps by hours or less, `elapsed.rs`), resolved to instants by a table of its zone (`offsets.rs`), and
//! merged with the other lines of its series (`set.rs`) and with what is changed (`overrides.rs`, `instances.rs`, `edit.rs`). What is odd about a
//! line is refused or noted (`odd.rs`); what two spellings have in common is one form (`canonical.rs`). The periods that a question looks at
//! are bounded; the bound ends it with an error and never with a silent cut. What the lines are taken to mean, and what asking for a
//! later part costs, is in [recurrence](crate::docs::recurrence).

mod canonical;
mod civil;
mod course;
mod days;
mod edit;
mod elapsed;
mod instances;
mod length;
mod line;
mod odd;
mod offsets;
mod overrides;
mod period;
#[cfg(test)]
mod releases;
mod rule;
mod series;
mod set;
mod walk;

pub(crate) use canonical::{canonical, each_once};
pub use edit::{EditRefused, Orphans, Split};
pub use instances::{Instance, Instances, Moment};
pub use length::Length;
pub(crate) use line::Line;
pub(crate) use offsets::Offsets;
pub use overrides::{Clock, Override, Placed, Reach, RecurrenceSet};
pub use rule::{Note, Reading, Refused};
pub use series::{Occurrence, Occurrences, Series, Start, Truncated, WORK_MAX};
pub use walk::Gap;

use crate::error::{Error, ErrorKind, Result};
use crate::model::{Recurrence, Slot, When};
use chrono::{DateTime, Utc};

/// Most occurrences that one question of the engine walks through.
pub const OCCURRENCES_MAX: usize = 10_000;

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
    expand_from(when, recurrence, None, until)
}

/// The same from an instant on.
pub(crate) fn expand_from(
    when: &When,
    recurrence: &Recurrence,
    from: Option<DateTime<Utc>>,
    until: DateTime<Utc>,
) -> Result<Expansion> {
    let mut expansion = Expansion { slots: Vec::new(), truncated: false };
    if recurrence.is_empty() {
        expansion.slots.push(when.slot()?);
        return Ok(expansion);
    }
    let series = Series::of(when, recurrence)?;
    let occurrences = match from {
        Some(from) => series.occurrences_from(from),
        None => series.occurrences(),
    };
    for found in occurrences {
        match found {
            Ok(found) if found.instant() >= until => break,
            Ok(found) if expansion.slots.len() < OCCURRENCES_MAX => expansion.slots.push(found.slot()),
            Ok(_) | Err(Truncated) => {
                expansion.truncated = true;
                break;
            }
        }
    }
    Ok(expansion)
}

/// Whether a series has this slot.
///
/// # Errors
/// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) for a rule that cannot be read, [`ErrorKind::Limit`](crate::ErrorKind::Limit) where it
/// cannot be told within the work of one question. Neither is a no: whoever deletes what has no slot has to know.
pub(crate) fn has_slot(when: &When, recurrence: &Recurrence, slot: Slot) -> Result<bool> {
    let from = match slot {
        Slot::Date(date) => date.and_time(chrono::NaiveTime::MIN).and_utc(),
        Slot::Time(instant) => instant,
    };
    let found = expand_from(when, recurrence, Some(from), from + chrono::Duration::seconds(1))?;
    if found.slots.contains(&slot) {
        return Ok(true);
    }
    if found.truncated {
        return Err(Error::new(ErrorKind::Limit, "whether a series has this occurrence cannot be told")
            .with("slot", slot)
            .with("cause", Truncated)
            .cure("Its rule names next to nothing, or has too many parts: make it plainer."));
    }
    Ok(false)
}

/// The last slot of a series that ends; `None` for one that goes on, and where it takes more than [`OCCURRENCES_MAX`] occurrences, or the
/// work of a question, to tell.
pub fn last_slot(when: &When, recurrence: &Recurrence) -> Option<Slot> {
    let bounded = recurrence.is_empty()
        || recurrence.until().is_some()
        || recurrence.count().is_some()
        || !recurrence.lines().iter().any(|line| line.to_ascii_uppercase().contains("FREQ="));
    if !bounded {
        return None;
    }
    let expansion = expand(when, recurrence, DateTime::<Utc>::MAX_UTC).ok()?;
    if expansion.truncated { None } else { expansion.slots.last().copied() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zone::Zone;

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
    fn a_slot_is_found_however_long_ago_the_series_began() {
        let zone = Zone::new("America/New_York").expect("known");
        let start = "1926-11-27T09:00:00".parse().expect("a time");
        let when = When::timed(start, chrono::Duration::hours(1), &zone).expect("resolves");
        let daily = Recurrence::new(vec!["RRULE:FREQ=DAILY".to_owned()]);
        let instant = |text: &str| text.parse::<DateTime<Utc>>().expect("an instant");
        let from = instant("2026-11-27T00:00:00Z");
        let week =
            expand_from(&when, &daily, Some(from), from + chrono::Duration::days(7)).expect("readable");
        assert_eq!((week.slots.len(), week.truncated), (7, false));
        assert!(has_slot(&when, &daily, Slot::Time(instant("2026-11-27T14:00:00Z"))).expect("told"));
        assert!(!has_slot(&when, &daily, Slot::Time(instant("2026-11-27T13:00:00Z"))).expect("told"));
        assert!(
            expand(&when, &daily, from).expect("readable").truncated,
            "36,000 are more than one asks for"
        );
    }

    fn at_nine(start: &str) -> When {
        let zone = Zone::new("America/New_York").expect("known");
        When::timed(start.parse().expect("a time"), chrono::Duration::hours(1), &zone).expect("resolves")
    }

    /// The last one is the last one that the iterator gives, however far away it is, or none is named.
    #[test]
    fn the_last_slot_is_the_last_one_or_is_not_told() {
        for (line, last) in [
            ("RRULE:FREQ=YEARLY;UNTIL=21500101T000000Z", Some("21491127T140000Z")),
            ("RRULE:FREQ=YEARLY;COUNT=200", Some("22251127T140000Z")),
            ("RRULE:FREQ=DAILY;COUNT=10000", Some("20540413T130000Z")),
            ("RRULE:FREQ=DAILY;COUNT=10001", None),
            ("RRULE:FREQ=DAILY;UNTIL=21500101T000000Z", None),
            ("RRULE:FREQ=YEARLY", None),
            ("RRULE:FREQ=DAILY;BYYEARDAY=366;BYMONTHDAY=1;COUNT=2", None),
        ] {
            let lines = Recurrence::new(vec![line.to_owned()]);
            let found = last_slot(&at_nine("2026-11-27T09:00:00"), &lines).map(|slot| slot.to_string());
            assert_eq!(found.as_deref(), last, "{line}");
            if let Some(last) = last {
                let series = Series::of(&at_nine("2026-11-27T09:00:00"), &lines).expect("readable");
                let walked = series.occurrences().last().expect("there is one").expect("within the work");
                assert_eq!(walked.slot().to_string(), last, "{line}");
            }
        }
    }

    #[test]
    fn that_it_cannot_be_told_whether_a_slot_is_there_is_no_answer_that_it_is_not() {
        let slot = Slot::Time("2026-12-31T14:00:00Z".parse().expect("an instant"));
        for (line, kind) in [
            ("RRULE:FREQ=DAILY;BYYEARDAY=366;BYMONTHDAY=1", ErrorKind::Limit),
            ("RRULE:RSCALE=HEBREW;FREQ=DAILY", ErrorKind::Invalid),
        ] {
            let lines = Recurrence::new(vec![line.to_owned()]);
            let error = has_slot(&at_nine("2026-11-27T09:00:00"), &lines, slot).expect_err(line);
            assert_eq!(error.kind(), kind, "{error}");
        }
    }

    #[test]
    fn a_list_of_dates_that_google_calls_a_rule_is_a_list_of_dates() {
        check(
            "2023-03-06T09:00:00",
            "Europe/Warsaw",
            &["RRULE:DATE;TZID=Europe/Warsaw:20230313T090000,20230327T090000"],
            "2027-01-01T00:00:00Z",
            &["20230306T080000Z", "20230313T080000Z", "20230327T070000Z"],
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

    /// A rule with 31 million occurrences a year, as yearly rule.
    fn every_second(rest: &str) -> String {
        let list = |from: u32, to: u32| (from..=to).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
        format!(
            "FREQ=YEARLY;BYMONTHDAY={};BYHOUR={};BYMINUTE={};BYSECOND={}{rest}",
            list(1, 31),
            list(0, 23),
            list(0, 59),
            list(0, 59)
        )
    }

    fn dense(zone: &str, start: &str, lines: &[String]) -> Series {
        let start = Start::Zoned(start.parse().expect("a time"), Zone::new(zone).expect("known"));
        Series::parse(&start, lines.iter().map(String::as_str), Reading::Lenient).expect("readable")
    }

    #[test]
    fn what_is_passed_over_inside_one_period_is_bounded_too() {
        let far: DateTime<Utc> = "2600-01-01T00:00:00Z".parse().expect("an instant");
        let both = every_second(";COUNT=4294967295;UNTIL=99991231T000000Z");
        let counted = every_second(";COUNT=4294967295");
        for (lines, gap) in [
            (vec![format!("RRULE:{both}")], Gap::Forward),
            (vec![format!("RRULE:{counted}")], Gap::Skip),
            (
                vec![format!("RRULE:{}", every_second("")), format!("EXRULE:{}", every_second(""))],
                Gap::Forward,
            ),
            // Only the exceptions are dense.
            (
                vec![
                    "RRULE:FREQ=YEARLY;BYMONTH=1,7".to_owned(),
                    format!("EXRULE:{}", every_second(";BYMONTH=2,3,4,5")),
                ],
                Gap::Forward,
            ),
        ] {
            let series = dense("America/New_York", "2026-01-01T00:00:00", &lines).gap(gap);
            let found: Vec<_> = series.occurrences_from(far).take(3).collect();
            assert_eq!(found.last(), Some(&Err(Truncated)), "{lines:?}");
            let mut found = Vec::new();
            let window = far..far + chrono::Duration::days(366 * 1_000);
            assert_eq!(series.fill(window, &mut found), Err(Truncated), "{lines:?}");
        }
    }

    #[test]
    fn a_question_for_too_many_at_once_is_cut_and_says_so() {
        let from: DateTime<Utc> = "2026-01-01T00:00:00Z".parse().expect("an instant");
        for lines in [
            vec![format!("RRULE:{}", every_second(""))],
            vec![format!("RRULE:{}", every_second("")), "RDATE:20270101T000000Z".to_owned()],
        ] {
            let mut found = Vec::new();
            let series = dense("UTC", "2026-01-01T00:00:00", &lines);
            let cut = series.fill(from..from + chrono::Duration::days(365_000), &mut found);
            assert_eq!(cut, Err(Truncated));
            // Times are taken by the day.
            assert!((1_000_000..1_086_400).contains(&found.len()), "{}", found.len());
            assert!(found.is_sorted_by(|a, b| a < b));
        }
    }

    /// Samoa left out a whole day.
    #[test]
    fn a_rule_that_names_every_second_of_a_day_that_is_skipped_is_given_in_order_and_none_is_lost() {
        let lines = [format!("RRULE:{}", every_second(";BYMONTH=12"))];
        let series = dense("Pacific/Apia", "2011-12-29T12:00:00", &lines);
        let found: Vec<i64> = series
            .occurrences()
            .take(86_400 + 43_200)
            .map(|found| found.expect("found").instant().timestamp())
            .collect();
        assert!(found.is_sorted_by(|a, b| a < b));
        assert_eq!(found.last().map(|last| last - found[0]), Some(86_400 + 43_199));
    }

    #[test]
    fn many_rules_in_one_series_share_its_work() {
        let never = "RRULE:FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30".to_owned();
        let lines: Vec<String> = (0..500).map(|_| never.clone()).collect();
        let series = dense("UTC", "2026-01-01T00:00:00", &lines);
        assert_eq!(series.occurrences().next(), Some(Err(Truncated)));
    }
}
