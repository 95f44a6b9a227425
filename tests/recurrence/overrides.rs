//! Series with changed occurrences: what is shown where.

use calsync_core::Zone;
use calsync_core::calendar::{Length, Override, Placed, Reach, Reading, RecurrenceSet, Start, Truncated};
use calsync_core::model::{Recurrence, Slot};
use chrono::{DateTime, Duration, NaiveDateTime, Utc};

/// `2026-11-02`, `2026-11-02T09:00:00` (floating), or `2026-11-02T09:00:00 Europe/Berlin`.
pub(crate) fn start(text: &str) -> Start {
    match text.split_once(' ') {
        Some((time, zone)) => Start::Zoned(time.parse().unwrap(), Zone::new(zone).unwrap()),
        None => text.parse().map_or_else(|_| Start::Day(text.parse().unwrap()), Start::Floating),
    }
}

/// `slot > start minutes value`, `slot >> …` for that and all later ones, `slot x` for a cancelled one.
fn change(text: &str) -> Override<String> {
    let words: Vec<&str> = text.split(' ').collect();
    let slot: Slot = words[0].parse().unwrap();
    let to = match words[2..] {
        [] => None,
        [time, minutes, value] => Some((time.to_owned(), minutes, value)),
        [time, zone, minutes, value] => Some((format!("{time} {zone}"), minutes, value)),
        _ => panic!("{text}"),
    };
    let to = to.map(|(time, minutes, value)| Placed {
        start: start(&time),
        length: Length::exactly(Duration::minutes(minutes.parse().unwrap())),
        value: value.to_owned(),
    });
    let reach = if words[1].starts_with(">>") { Reach::Following } else { Reach::One };
    Override { slot, reach, to }
}

/// An hour each, or a day.
pub(crate) fn set(first: &str, lines: &[&str], changes: &[&str]) -> RecurrenceSet<String> {
    let length = if first.len() == 10 { Length::days(1) } else { Length::exactly(Duration::hours(1)) };
    let own = Placed { start: start(first), length, value: "own".to_owned() };
    let lines = Recurrence::new(lines.iter().map(|line| (*line).to_owned()).collect());
    RecurrenceSet::new(own, lines, changes.iter().map(|text| change(text)), Reading::Strict).unwrap()
}

pub(crate) fn instant(text: &str) -> DateTime<Utc> {
    text.parse::<NaiveDateTime>().unwrap_or_else(|_| format!("{text}T00:00:00").parse().unwrap()).and_utc()
}

/// `slot: start/minutes value`, by the wall clock.
pub(crate) fn shown(set: &RecurrenceSet<String>, from: &str, to: &str) -> Vec<String> {
    let shown = set.instances(instant(from)..instant(to)).map(|instance| {
        let instance = instance.unwrap();
        assert_eq!(instance.is_changed(), instance.value() != "own");
        let same = set.instance(instance.slot()).unwrap().unwrap();
        assert_eq!(
            (same.start(), same.end(), same.value()),
            (instance.start(), instance.end(), instance.value())
        );
        let minutes = (instance.end().instant() - instance.start().instant()).num_minutes();
        let wall = instance.start().wall().format("%d %H:%M");
        format!("{}: {wall}/{minutes} {}", instance.slot(), instance.value())
    });
    shown.collect()
}

#[track_caller]
fn check(set: &RecurrenceSet<String>, from: &str, to: &str, expected: &[&str]) {
    assert_eq!(shown(set, from, to), expected);
}

const DAILY: [&str; 1] = ["RRULE:FREQ=DAILY;COUNT=5"];

#[test]
fn a_moved_occurrence_is_shown_once_where_it_is_now_and_a_cancelled_one_not_at_all() {
    let set = set(
        "2026-11-02T09:00:00 Europe/Berlin",
        &DAILY,
        &["20261103T080000Z > 2026-11-04T08:00:00 Europe/Berlin 30 moved", "20261105T080000Z x"],
    );
    check(
        &set,
        "2026-11-01",
        "2026-12-01",
        &[
            "20261102T080000Z: 02 09:00/60 own",
            "20261103T080000Z: 04 08:00/30 moved",
            "20261104T080000Z: 04 09:00/60 own",
            "20261106T080000Z: 06 09:00/60 own",
        ],
    );
    assert!(set.instance("20261105T080000Z".parse().unwrap()).unwrap().is_none());
}

#[test]
fn what_moves_into_the_window_is_shown_and_what_moves_out_of_it_is_not() {
    let set = set(
        "2026-11-02T09:00:00 UTC",
        &DAILY,
        &[
            "20261102T090000Z > 2026-12-24T18:00:00 UTC 60 late",
            "20261106T090000Z > 2026-11-02T07:00:00 UTC 60 early",
        ],
    );
    check(&set, "2026-11-02", "2026-11-03", &["20261106T090000Z: 02 07:00/60 early"]);
    check(&set, "2026-12-01", "2027-01-01", &["20261102T090000Z: 24 18:00/60 late"]);
    check(&set, "2026-11-06", "2026-11-30", &[]);
}

/// What lasts into the window takes place there; what ends when it begins does not, and neither does what begins when it ends.
#[test]
fn a_window_shows_what_overlaps_it() {
    let set = set("2026-11-02T09:00:00 UTC", &DAILY, &["20261104T090000Z > 2026-11-04T09:00:00 UTC 0 point"]);
    check(&set, "2026-11-02T09:59:59", "2026-11-03T09:00:00", &["20261102T090000Z: 02 09:00/60 own"]);
    check(&set, "2026-11-02T10:00:00", "2026-11-03T09:00:00", &[]);
    check(&set, "2026-11-04T09:00:00", "2026-11-04T09:00:01", &["20261104T090000Z: 04 09:00/0 point"]);
}

/// Seventy days, each.
#[test]
fn what_began_long_before_the_window_and_lasts_into_it_is_shown() {
    let changes = ["20261103T090000Z >> 2026-11-03T09:00:00 UTC 100000 long"];
    check(
        &set("2026-11-02T09:00:00 UTC", &DAILY, &changes),
        "2027-01-13",
        "2027-01-14",
        &["20261105T090000Z: 05 09:00/100000 long", "20261106T090000Z: 06 09:00/100000 long"],
    );
}

#[test]
fn this_and_future_moves_and_changes_later_slots_until_the_next_one_and_a_single_one_wins_over_it() {
    let set = set(
        "2026-10-22T09:00:00 Europe/Berlin",
        &["RRULE:FREQ=DAILY;COUNT=7"],
        &[
            "20261023T070000Z >> 2026-10-24T10:30:00 Europe/Berlin 90 second",
            "20261025T080000Z > 2026-10-25T12:00:00 Europe/Berlin 15 only",
            // Written in UTC: later ones stay on the wall clock of the series all the same.
            "20261026T080000Z >> 2026-10-26T09:00:00 UTC 45 third",
            "20261028T080000Z >>x",
        ],
    );
    check(
        &set,
        "2026-10-01",
        "2026-12-01",
        &[
            "20261022T070000Z: 22 09:00/60 own",
            "20261023T070000Z: 24 10:30/90 second",
            "20261024T070000Z: 25 10:30/90 second",
            "20261025T080000Z: 25 12:00/15 only",
            "20261026T080000Z: 26 10:00/45 third",
            "20261027T080000Z: 27 10:00/45 third",
        ],
    );
    check(
        &set,
        "2026-10-25",
        "2026-10-26",
        &["20261024T070000Z: 25 10:30/90 second", "20261025T080000Z: 25 12:00/15 only"],
    );
}

/// A range that moves a year away is found there without walking through the year.
#[test]
fn a_range_that_moves_far_is_sought_where_it_is_now() {
    let set = set(
        "1990-01-01T09:00:00 UTC",
        &["RRULE:FREQ=DAILY"],
        &["20260101T090000Z >> 2036-01-01T08:00:00 UTC 60 late"],
    )
    .work_max(200);
    check(&set, "2025-12-31", "2026-01-10", &["20251231T090000Z: 31 09:00/60 own"]);
    check(&set, "2040-05-01", "2040-05-02", &["20300502T090000Z: 01 08:00/60 late"]);
    check(&set, "2035-12-31", "2036-01-02", &["20260101T090000Z: 01 08:00/60 late"]);
}

#[test]
fn a_range_by_days_becomes_one_by_the_clock_and_the_other_way_round() {
    let changes = ["20261104 >> 2026-11-04T09:00:00 Europe/Berlin 60 timed"];
    check(
        &set("2026-11-02", &DAILY, &changes),
        "2026-11-03",
        "2026-11-07",
        &[
            "20261103: 03 00:00/1440 own",
            "20261104: 04 09:00/60 timed",
            "20261105: 05 09:00/60 timed",
            "20261106: 06 09:00/60 timed",
        ],
    );
    let changes = ["20261104T080000Z >> 2026-11-04 1440 days"];
    check(
        &set("2026-11-02T09:00:00 Europe/Berlin", &DAILY, &changes),
        "2026-11-03T09:00:00",
        "2026-11-06",
        &["20261104T080000Z: 04 00:00/1440 days", "20261105T080000Z: 05 00:00/1440 days"],
    );
}

/// Its slots are in order; where a clock change moves one of them forward, the next is before it.
#[test]
fn a_range_is_in_order_where_a_clock_change_moves_one_of_its_occurrences() {
    let set = set(
        "2026-03-28T09:00:00 Europe/Berlin",
        &["RRULE:FREQ=DAILY;BYHOUR=9,10;BYMINUTE=0,45;COUNT=8"],
        &["20260328T080000Z >> 2026-03-28T02:00:00 Europe/Berlin 10 early"],
    );
    let starts: Vec<_> = set
        .instances(instant("2026-03-29")..instant("2026-03-30"))
        .map(|i| i.unwrap().start().instant())
        .collect();
    assert!(starts.is_sorted());
    assert_eq!(starts.len(), 4);
}

#[test]
fn a_listed_date_can_be_changed_like_any_other_and_a_period_lasts_as_long_as_it_says() {
    let set = set(
        "2026-11-02T09:00:00 UTC",
        &[
            "RRULE:FREQ=DAILY;COUNT=1",
            "RDATE:20261110T120000Z",
            "RDATE;VALUE=PERIOD:20261111T120000Z/PT3H,20261112T120000Z/20261112T123000Z",
        ],
        &["20261110T120000Z > 2026-11-10T13:00:00 UTC 5 listed"],
    );
    check(
        &set,
        "2026-11-01",
        "2026-12-01",
        &[
            "20261102T090000Z: 02 09:00/60 own",
            "20261110T120000Z: 10 13:00/5 listed",
            "20261111T120000Z: 11 12:00/180 own",
            "20261112T120000Z: 12 12:00/30 own",
        ],
    );
    check(&set, "2026-11-11T14:00:00", "2026-11-11T14:30:00", &["20261111T120000Z: 11 12:00/180 own"]);
}

#[test]
fn an_override_of_a_slot_that_the_series_does_not_have_is_not_shown() {
    let set = set(
        "2026-11-02T09:00:00 UTC",
        &["RRULE:FREQ=DAILY;COUNT=3", "EXDATE:20261103T090000Z"],
        &[
            "20261103T090000Z > 2026-11-03T12:00:00 UTC 60 excluded",
            "20261109T090000Z > 2026-11-09T12:00:00 UTC 60 beyond",
            "20261102T093000Z > 2026-11-02T12:00:00 UTC 60 beside",
        ],
    );
    check(
        &set,
        "2026-11-01",
        "2026-12-01",
        &["20261102T090000Z: 02 09:00/60 own", "20261104T090000Z: 04 09:00/60 own"],
    );
    assert_eq!(set.overrides().len(), 3);
}

#[test]
fn an_occurrence_lasts_as_long_as_the_clock_runs_also_when_it_changes() {
    let set = set("2026-10-24T01:30:00 Europe/Berlin", &["RRULE:FREQ=DAILY;COUNT=3"], &[]);
    let ends = |set: &RecurrenceSet<String>| -> Vec<String> {
        set.instances(instant("2026-10-01")..instant("2026-11-01"))
            .map(|i| i.unwrap().end().wall().to_string())
            .collect()
    };
    let four = Placed { length: Length::exactly(Duration::hours(4)), ..set.own().clone() };
    let four = RecurrenceSet::new(four, set.lines().clone(), [], Reading::Strict).unwrap();
    assert_eq!(ends(&four), ["2026-10-24 05:30:00", "2026-10-25 04:30:00", "2026-10-26 05:30:00"]);
    let day = Placed { length: Length::days(1), ..set.own().clone() };
    let day = RecurrenceSet::new(day, set.lines().clone(), [], Reading::Strict).unwrap();
    assert_eq!(ends(&day), ["2026-10-25 01:30:00", "2026-10-26 01:30:00", "2026-10-27 01:30:00"]);
}

#[test]
fn without_lines_there_is_one_occurrence_and_it_can_be_changed() {
    check(&set("2026-11-02", &[], &[]), "2026-11-01", "2026-12-01", &["20261102: 02 00:00/1440 own"]);
    let moved = set("2026-11-02", &[], &["20261102 > 2026-11-09 2880 moved"]);
    check(&moved, "2026-11-01", "2026-12-01", &["20261102: 09 00:00/2880 moved"]);
}

#[test]
fn a_date_names_the_first_occurrence_of_its_day_and_of_two_overrides_of_a_slot_the_later_counts() {
    let set = set(
        "2026-11-02T23:30:00 America/New_York",
        &DAILY,
        &[
            "20261103 > 2026-11-03T10:00:00 America/New_York 60 first",
            "20261103 > 2026-11-03T11:00:00 America/New_York 60 second",
        ],
    );
    check(&set, "2026-11-03T12:00:00", "2026-11-04T01:00:00", &["20261104T043000Z: 03 11:00/60 second"]);
}

#[test]
fn ten_thousand_overrides_of_a_series_that_is_hard_to_follow_end_with_truncated() {
    let minutes: Vec<String> = (0..60).map(|n| n.to_string()).collect();
    let every = minutes.join(",");
    let rule = format!(
        "RRULE:FREQ=YEARLY;BYMONTH=1,2,3;BYHOUR=0,1,2,3,4,5,6,7;BYMINUTE={every};BYSECOND={every};BYDAY=MO,TU"
    );
    let changes: Vec<String> = (0..10_000)
        .map(|n| {
            let slot = instant("2030-01-01") + Duration::days(n) + Duration::hours(9);
            format!("{} > 2026-06-01T09:00:00 UTC 60 moved", slot.format("%Y%m%dT%H%M%SZ"))
        })
        .collect();
    let set =
        set("2026-01-01T00:00:00 UTC", &[&rule], &changes.iter().map(String::as_str).collect::<Vec<_>>());
    let last = set.instances(instant("2026-05-01")..instant("2026-07-01")).last();
    assert_eq!(last.map(|last| last.map(|_| ())), Some(Err(Truncated)));
}
