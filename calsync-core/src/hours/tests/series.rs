//! Series, occurrence by occurrence.

use super::*;
use crate::calendar::{Reading, Series, Start};
use crate::model::Slot;
use std::collections::BTreeMap;

fn series(start: &str, zone: &str, rule: &str) -> Series {
    let start = Start::Zoned(start.parse().expect("a time"), Zone::new(zone).expect("a zone"));
    Series::parse(&start, [rule], Reading::Strict).expect("a good rule")
}

fn slot(text: &str) -> Slot {
    Slot::Time(instant(text))
}

#[test]
fn each_occurrence_is_judged_for_itself_and_the_horizon_is_eighteen_months() {
    let window = horizon(instant("2026-11-27T00:00:00Z"));
    assert_eq!(window.end, instant("2028-05-27T00:00:00Z"));
    // Four in the afternoon in London is eleven in New York, but noon while only one of them has changed its clocks.
    let weekly = series("2026-11-30T16:00:00", "Europe/London", "RRULE:FREQ=WEEKLY");
    let visits = visits(&weekly, Duration::hours(1), window.clone(), &BTreeMap::new()).expect("short");
    let hours = Hours::compile(&rota(office()), window).expect("short");
    let found = hours.check_series(visits, LISTED_MAX);
    assert_eq!((found.looked_at, found.outside), (78, 5));
    let listed: Vec<String> =
        found.listed.iter().map(|(slot, check)| format!("{slot} {}", say(check))).collect();
    assert_eq!(
        listed,
        [
            "20270315T160000Z outside; 03-15 12:00 to 03-15 13:00 break",
            "20270322T160000Z outside; 03-22 12:00 to 03-22 13:00 break",
            "20271101T160000Z outside; 11-01 12:00 to 11-01 13:00 break",
            "20280313T160000Z outside; 03-13 12:00 to 03-13 13:00 break",
            "20280320T160000Z outside; 03-20 12:00 to 03-20 13:00 break",
        ]
    );
}

#[test]
fn changed_occurrences_are_judged_as_they_are_and_cancelled_ones_not_at_all() {
    let daily = series("2026-12-01T18:00:00", "America/New_York", "RRULE:FREQ=DAILY;COUNT=4");
    let window = instant("2026-12-01T00:00:00Z")..instant("2027-01-01T00:00:00Z");
    let moved =
        |start: &str| Changed::Moved { start: instant(start), end: instant(start) + Duration::hours(1) };
    let changed = BTreeMap::from([
        (slot("2026-12-01T23:00:00Z"), moved("2026-12-01T15:00:00Z")),
        (slot("2026-12-02T23:00:00Z"), Changed::Gone),
        (slot("2026-12-03T23:00:00Z"), moved("2026-12-24T02:00:00Z")),
        // A slot that the series no longer has, and one that went beyond the window.
        (slot("2026-12-03T22:00:00Z"), moved("2026-12-03T22:00:00Z")),
        (slot("2026-12-04T23:00:00Z"), moved("2027-02-04T23:00:00Z")),
    ]);
    let visits = visits(&daily, Duration::hours(1), window, &changed).expect("short");
    let found = compile(office(), "2026-12-01..2027-01-01").check_series(visits, LISTED_MAX);
    assert_eq!((found.looked_at, found.outside), (2, 1));
    let (slot, check) = found.first().expect("one");
    assert_eq!(slot.to_string(), "20261203T230000Z");
    assert_eq!(say(check), "outside; 12-23 21:00 to 12-23 22:00 after_end");
}

#[test]
fn what_is_beyond_the_list_is_counted_and_said_from_where() {
    let daily = series("2026-12-01T18:00:00", "America/New_York", "RRULE:FREQ=DAILY");
    let window = instant("2026-12-01T00:00:00Z")..instant("2027-12-01T00:00:00Z");
    let visits = visits(&daily, Duration::hours(1), window, &BTreeMap::new()).expect("short");
    let found = compile(office(), "2026-12-01..2027-12-01").check_series(visits, 3);
    assert_eq!((found.looked_at, found.outside, found.listed.len()), (365, 365, 3));
    assert_eq!(found.not_listed_from, Some(instant("2026-12-04T23:00:00Z")));
}

#[test]
fn a_series_that_cannot_be_followed_to_the_end_says_so() {
    let never =
        series("2026-12-01T18:00:00", "UTC", "RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30").work_max(50);
    let window = instant("2026-12-01T00:00:00Z")..instant("9999-12-01T00:00:00Z");
    assert_eq!(visits(&never, Duration::hours(1), window, &BTreeMap::new()), Err(crate::calendar::Truncated));
}
