//! Lines as Google, and what writes to it, really have them: what becomes of each is an occurrence, and not only a reading.

use calsync_core::Zone;
use calsync_core::calendar::{Reading, Series, Start};
use chrono::{DateTime, NaiveDate, NaiveDateTime};

fn in_zone(start: &str, zone: &str) -> Start {
    Start::Zoned(start.parse().unwrap(), Zone::new(zone).unwrap())
}

/// The starts before a bound, as wall times.
#[track_caller]
fn check(start: &Start, lines: &[&str], until: &str, expected: &[&str]) -> Series {
    let series = Series::parse(start, lines.iter().copied(), Reading::Lenient).unwrap();
    let until: NaiveDateTime = until.parse().unwrap();
    let found = series.occurrences().map(|found| found.unwrap().wall()).take_while(|wall| *wall < until);
    let found: Vec<String> = found.map(|wall| wall.format("%Y-%m-%dT%H:%M").to_string()).collect();
    assert_eq!(found, expected, "{lines:?}");
    series
}

const END: &str = "2026-12-31T00:00:00";

/// Every form of one date left out: by zone, in UTC, as a list, in lines of its own, and as a day.
#[test]
fn an_exdate_in_every_form_leaves_out_what_it_means() {
    let start = in_zone("2026-11-02T09:00:00", "America/New_York");
    let left = ["2026-11-02T09:00", "2026-11-05T09:00"];
    for exdates in [
        &["EXDATE;TZID=America/New_York:20261103T090000,20261104T090000"][..],
        &["EXDATE:20261103T140000Z", "EXDATE:20261104T140000Z"],
        &["EXDATE;TZID=Europe/Berlin:20261103T150000", "EXDATE;VALUE=DATE:20261104"],
        &["EXDATE;VALUE=DATE:20261103,20261104"],
        &["EXDATE:20261103T090000", "EXDATE:20261103T140000Z,20261104T140000Z"],
    ] {
        let lines = [&["RRULE:FREQ=DAILY;COUNT=4"], exdates].concat();
        check(&start, &lines, END, &left);
    }
    // A day that is left out whole takes every occurrence of that day on the clock of the series.
    let lines = ["RRULE:FREQ=DAILY;BYHOUR=1,23;COUNT=6", "EXDATE;VALUE=DATE:20261104"];
    let left = ["2026-11-03T01:00", "2026-11-03T23:00", "2026-11-05T01:00"];
    check(&in_zone("2026-11-03T01:00:00", "America/New_York"), &lines, "2026-11-05T20:00:00", &left);
}

#[test]
fn an_exdate_with_a_time_in_a_series_of_days_leaves_out_its_day() {
    let start = Start::Day(NaiveDate::from_ymd_opt(2026, 11, 2).unwrap());
    let left = ["2026-11-02T00:00", "2026-11-04T00:00"];
    for exdate in
        ["EXDATE:20261103T000000Z", "EXDATE;TZID=Europe/Berlin:20261103T000000", "EXDATE:20261103T090000"]
    {
        check(&start, &["RRULE:FREQ=DAILY;COUNT=3", exdate], END, &left);
    }
}

/// A day as UNTIL of a series by the clock is that whole day on the clock of the series, where an instant would be another day.
#[test]
fn an_until_of_the_other_type_means_its_whole_day() {
    let late = in_zone("2026-11-02T23:00:00", "America/New_York");
    let three = ["2026-11-02T23:00", "2026-11-03T23:00", "2026-11-04T23:00"];
    let series = check(&late, &["RRULE:FREQ=DAILY;UNTIL=20261104"], END, &three);
    assert_eq!(series.notes().len(), 1);
    let midnight = series.until_midnight();
    assert_eq!(midnight.occurrences().count(), 2, "the other reading, by option");
    let early = in_zone("2026-11-02T01:00:00", "Asia/Tokyo");
    check(&early, &["RRULE:FREQ=DAILY;UNTIL=20261103"], END, &["2026-11-02T01:00", "2026-11-03T01:00"]);
    check(
        &early,
        &["RRULE:FREQ=DAILY;UNTIL=20261103T010000"],
        END,
        &["2026-11-02T01:00", "2026-11-03T01:00"],
    );
    let day = Start::Day(NaiveDate::from_ymd_opt(2011, 8, 11).unwrap());
    let two = ["2011-08-11T00:00", "2011-08-12T00:00"];
    check(&day, &["RRULE:FREQ=DAILY;UNTIL=20110812T070000Z"], END, &two);
}

#[test]
fn parameters_before_the_colon_of_a_rule_change_nothing() {
    let start = in_zone("2026-11-02T09:00:00", "UTC");
    let two = ["2026-11-02T09:00", "2026-11-09T09:00"];
    for rule in [
        "RRULE;X-FOO=BAR:FREQ=WEEKLY;COUNT=2",
        "RRULE;X-FOO=\"a:b;c\";X-BAR=1:FREQ=WEEKLY;COUNT=2",
        "rrule;x-foo=bar:COUNT=2;FREQ=WEEKLY;",
    ] {
        let series = check(&start, &[rule], END, &two);
        assert!(series.notes().is_empty(), "{rule}");
    }
}

/// The 31st is skipped where a month has none. A yearly rule by days of the month means every month here, as in the table of RFC 5545
/// and in Google's library; its calendar shows the month of the start alone (allenporter/gcal_sync), and so does the fake.
#[test]
fn days_that_do_not_exist_are_skipped_and_a_yearly_day_of_the_month_is_one_of_every_month() {
    let start = in_zone("2026-10-31T09:00:00", "UTC");
    check(
        &start,
        &["RRULE:FREQ=MONTHLY"],
        "2027-02-01T00:00:00",
        &["2026-10-31T09:00", "2026-12-31T09:00", "2027-01-31T09:00"],
    );
    let yearly = ["RRULE:FREQ=YEARLY;BYMONTHDAY=31"];
    check(
        &start,
        &yearly,
        "2027-02-01T00:00:00",
        &["2026-10-31T09:00", "2026-12-31T09:00", "2027-01-31T09:00"],
    );
    let october = ["RRULE:FREQ=YEARLY;BYMONTHDAY=31;BYMONTH=10"];
    check(&start, &october, "2028-01-01T00:00:00", &["2026-10-31T09:00", "2027-10-31T09:00"]);
}

#[test]
fn a_windows_name_in_a_list_is_the_zone_that_it_stands_for() {
    let start = in_zone("2026-11-02T09:00:00", "America/New_York");
    for zone in [
        "W. Europe Standard Time",
        "\"W. Europe Standard Time\"",
        "W. Europe Standard Time 2",
        "Europe/Berlin",
    ] {
        let exdate = format!("EXDATE;TZID={zone}:20261103T150000");
        check(&start, &["RRULE:FREQ=DAILY;COUNT=2", &exdate], END, &["2026-11-02T09:00"]);
    }
    assert_eq!(Zone::new("Eastern Standard Time 1").unwrap().as_str(), "America/New_York");
}

/// The signs of these names are the other way round: Etc/GMT+8 is eight hours behind.
#[test]
fn zones_of_etc_are_behind_where_they_say_plus() {
    for (zone, instant) in [
        ("Etc/GMT+8", "2026-11-02T17:00:00Z"),
        ("Etc/GMT-8", "2026-11-02T01:00:00Z"),
        ("Etc/GMT", "2026-11-02T09:00:00Z"),
        ("UTC", "2026-11-02T09:00:00Z"),
    ] {
        let series = check(
            &in_zone("2026-11-02T09:00:00", zone),
            &["RRULE:FREQ=DAILY;COUNT=2", &format!("EXDATE;TZID={zone}:20261103T090000")],
            END,
            &["2026-11-02T09:00"],
        );
        let first = series.occurrences().next().unwrap().unwrap();
        assert_eq!(first.instant(), instant.parse::<DateTime<chrono::Utc>>().unwrap(), "{zone}");
    }
}
