//! Asking for what comes next costs the same however long ago a series began.
//!
//! The work that a question may do is counted in periods, so that a small bound on it is a bound on the search: a series that was walked from
//! its start would spend it long before.

use calsync_core::Zone;
use calsync_core::calendar::{Gap, Reading, Series, Start, Truncated};
use chrono::{DateTime, Utc};

/// Periods that are enough for the search, and for the few occurrences that are asked for.
const WORK: u64 = 64;

fn series(start: &str, rule: &str) -> Series {
    let start = Start::Zoned(start.parse().unwrap(), Zone::new("America/New_York").unwrap());
    Series::parse(&start, [rule], Reading::Strict).unwrap().work_max(WORK)
}

/// Asks for three from an instant on, of series of every age, and compares them.
#[track_caller]
fn check(rule: &str, starts: &[&str]) {
    let from: DateTime<Utc> = "2026-11-27T00:00:00Z".parse().unwrap();
    for gap in [Gap::Forward, Gap::Skip] {
        let mut of_all = starts.iter().map(|start| {
            let series = series(start, rule).gap(gap);
            let found: Result<Vec<_>, Truncated> = series.occurrences_from(from).take(3).collect();
            let found = found.unwrap_or_else(|_| panic!("{rule} since {start} was searched from its start"));
            assert_eq!(found.len(), 3, "{rule} since {start}");
            let mut filled = Vec::new();
            let end = found[2].instant() + chrono::Duration::seconds(1);
            series.fill(from..end, &mut filled).unwrap();
            assert_eq!(filled.len(), 3, "{rule} since {start}");
            found
        });
        let first = of_all.next().unwrap();
        assert!(of_all.all(|found| found == first), "{rule}");
    }
}

#[test]
fn the_next_occurrences_are_found_within_a_few_periods_whatever_the_age_of_the_series() {
    let mondays = ["2026-11-02T09:00:00", "1926-11-01T09:00:00", "0002-11-04T09:00:00"];
    for rule in [
        "RRULE:FREQ=DAILY",
        "RRULE:FREQ=DAILY;INTERVAL=7",
        "RRULE:FREQ=WEEKLY;BYDAY=MO,FR",
        "RRULE:FREQ=MONTHLY;BYDAY=2MO",
        "RRULE:FREQ=MONTHLY;BYMONTHDAY=-1",
        "RRULE:FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
        "RRULE:FREQ=YEARLY;BYMONTH=12;BYMONTHDAY=24",
        "RRULE:FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO",
        "RRULE:FREQ=DAILY;UNTIL=20270301T000000Z",
    ] {
        check(rule, &mondays);
    }
    // By elapsed time it is searched from two days before, more than clocks are ever away from UTC.
    for rule in ["RRULE:FREQ=HOURLY", "RRULE:FREQ=MINUTELY;INTERVAL=120"] {
        check(rule, &["2026-11-02T09:00:00", "1926-11-01T09:00:00"]);
    }
}

/// With COUNT, what lies before has to be counted: at once where every period has as many.
#[test]
fn counted_rules_of_periods_that_are_all_alike_are_found_at_once_too() {
    for rule in [
        "RRULE:FREQ=DAILY;COUNT=900000",
        "RRULE:FREQ=WEEKLY;BYDAY=MO,FR;COUNT=900000",
        "RRULE:FREQ=MONTHLY;BYDAY=2MO;COUNT=90000",
    ] {
        let from: DateTime<Utc> = "2026-11-27T00:00:00Z".parse().unwrap();
        let series = series("0002-11-04T09:00:00", rule);
        let found: Result<Vec<_>, Truncated> = series.occurrences_from(from).take(3).collect();
        assert_eq!(found.map(|found| found.len()), Ok(3), "{rule}");
    }
}

/// The bound bites: what has to be counted one by one is not found within it, and says so.
#[test]
fn a_search_that_takes_more_says_so() {
    let from: DateTime<Utc> = "2026-11-27T00:00:00Z".parse().unwrap();
    let series = series("1926-11-01T09:00:00", "RRULE:FREQ=MONTHLY;BYDAY=MO;BYSETPOS=1;COUNT=9000");
    assert_eq!(series.occurrences_from(from).next(), Some(Err(Truncated)));
}
