//! Bad input by name: each has an answer, and the answer comes in bounded time.
//!
//! Every one of these takes less than seconds. A minute is not a measure of speed, which a busy machine would miss: it tells an answer that
//! takes long from one that never comes, and the work of each question is bounded by [`calsync_core::calendar::WORK_MAX`] anyway.

use calsync_core::Zone;
use calsync_core::calendar::{Reading, Series, Start, Truncated};
use chrono::{DateTime, NaiveDate, NaiveDateTime, TimeDelta, Utc};
use std::sync::mpsc;
use std::time::Duration;

/// Runs a test, and fails where it does not come to an end.
fn in_bounded_time(test: impl FnOnce() + Send + 'static) {
    let (done, ended) = mpsc::channel();
    let running = std::thread::spawn(move || {
        test();
        _ = done.send(());
    });
    // A test that fails drops its end.
    let late = ended.recv_timeout(Duration::from_secs(60)) == Err(mpsc::RecvTimeoutError::Timeout);
    assert!(!late, "no answer within a minute");
    if let Err(failed) = running.join() {
        std::panic::resume_unwind(failed);
    }
}

fn time(text: &str) -> NaiveDateTime {
    text.parse().unwrap()
}

fn instant(text: &str) -> DateTime<Utc> {
    time(text).and_utc()
}

fn floating(start: &str, lines: &[&str]) -> Series {
    Series::parse(&Start::Floating(time(start)), lines.iter().copied(), Reading::Lenient).unwrap()
}

/// The first three, and whether there may be more.
fn first(series: &Series) -> (Vec<String>, bool) {
    let found: Vec<_> = series.occurrences().take(3).collect();
    let cut = found.contains(&Err(Truncated));
    (found.into_iter().flatten().map(|o| o.wall().to_string()).collect(), cut)
}

#[test]
fn ten_thousand_exdates_are_left_out_in_whatever_order_they_stand() {
    in_bounded_time(|| {
        let from = instant("2000-01-01T09:00:00");
        let day = |n: i64| (from + TimeDelta::days(n)).format("%Y%m%dT%H%M%S").to_string();
        let one_line = format!("EXDATE:{}", (0..10_000).rev().map(day).collect::<Vec<_>>().join(","));
        let lines: Vec<String> = (0..10_000).map(|n| format!("EXDATE:{}", day(n))).collect();
        for exdates in [vec![one_line], lines] {
            let mut lines = vec!["RRULE:FREQ=DAILY"];
            lines.extend(exdates.iter().map(String::as_str));
            let series = floating("2000-01-01T09:00:00", &lines);
            let next = series.occurrences().next().unwrap().unwrap();
            assert_eq!(next.instant(), from + TimeDelta::days(10_000));
            let mut found = Vec::new();
            series.fill(from..from + TimeDelta::days(10_007), &mut found).unwrap();
            assert_eq!(found.len(), 7);
        }
    });
}

#[test]
fn series_of_the_year_0_and_of_years_before_it_are_followed() {
    in_bounded_time(|| {
        let series = floating("0000-02-29T09:00:00", &["RRULE:FREQ=YEARLY"]);
        assert_eq!(first(&series).0, ["0000-02-29 09:00:00", "0004-02-29 09:00:00", "0008-02-29 09:00:00"]);
        let next = series.occurrences_from(instant("2026-01-01T00:00:00")).next().unwrap().unwrap();
        assert_eq!(next.wall(), time("2028-02-29T09:00:00"));
        let zone = Zone::new("America/New_York").unwrap();
        let series = Series::parse(
            &Start::Zoned(time("0000-01-01T00:00:00"), zone),
            ["RRULE:FREQ=DAILY"],
            Reading::Strict,
        );
        let next = series.unwrap().occurrences_from(instant("2026-07-01T00:00:00")).next().unwrap().unwrap();
        assert_eq!(next.instant(), instant("2026-07-01T04:00:00"));
        let day = NaiveDate::from_ymd_opt(-262_000, 1, 1).unwrap();
        let series = Series::parse(
            &Start::Day(day),
            ["RRULE:FREQ=MONTHLY;COUNT=3", "EXDATE;VALUE=DATE:00000101"],
            Reading::Strict,
        );
        assert_eq!(series.unwrap().occurrences().count(), 3);
    });
}

#[test]
fn nothing_is_walked_beyond_the_year_9999() {
    in_bounded_time(|| {
        for freq in ["YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY", "MINUTELY", "SECONDLY"] {
            let rule = format!("RRULE:FREQ={freq};INTERVAL=2");
            let all: Vec<_> = floating("9999-12-31T23:59:57", &[&rule]).occurrences().collect();
            assert!((1..=2).contains(&all.len()) && all.iter().all(Result::is_ok), "{freq}: {all:?}");
            let beyond = Start::Day(NaiveDate::from_ymd_opt(262_000, 1, 1).unwrap());
            let beyond = Series::parse(&beyond, [rule.as_str()], Reading::Strict).unwrap();
            assert_eq!(beyond.occurrences().next(), None, "{freq}");
            assert_eq!(beyond.occurrences_from(DateTime::<Utc>::MAX_UTC).next(), None, "{freq}");
            assert_eq!(beyond.occurrences_from(DateTime::<Utc>::MIN_UTC).next(), None, "{freq}");
            let rule = format!("RRULE:FREQ={freq};INTERVAL=4294967295;UNTIL=99991231T235959");
            let found = floating("2026-11-27T09:00:00", &[&rule])
                .occurrences()
                .collect::<Result<Vec<_>, _>>()
                .unwrap();
            assert!(!found.is_empty(), "{freq}");
        }
        let dates = floating("9999-12-30T00:00:00", &["RDATE:99991231T235959,00000101T000000"]);
        assert_eq!(first(&dates).0, ["0000-01-01 00:00:00", "9999-12-30 00:00:00", "9999-12-31 23:59:59"]);
    });
}

#[test]
fn rules_that_never_start_end_by_themselves_or_say_that_they_were_cut() {
    in_bounded_time(|| {
        for (rule, cut) in [
            ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", false),
            ("FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=31", false),
            ("FREQ=WEEKLY;BYMONTH=2;BYMONTHDAY=30", false),
            ("FREQ=MONTHLY;BYDAY=MO;BYSETPOS=300", false),
            ("FREQ=YEARLY;BYWEEKNO=10;BYMONTH=12", false),
            ("FREQ=DAILY;UNTIL=19700101", false),
            ("FREQ=DAILY;UNTIL=00000101T000000", false),
            ("FREQ=DAILY;BYYEARDAY=60;BYMONTH=5", false),
            ("FREQ=DAILY;BYYEARDAY=366;BYMONTHDAY=1", true),
            ("FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30", true),
            ("FREQ=SECONDLY;INTERVAL=60;BYSECOND=1", true),
        ] {
            let series = floating("2026-11-27T09:00:00", &[&format!("RRULE:{rule}")]);
            assert_eq!(first(&series), (Vec::new(), cut), "{rule}");
        }
    });
}

#[test]
fn rules_that_never_end_are_given_as_far_as_one_asks() {
    in_bounded_time(|| {
        let series = floating("2026-11-27T09:00:00", &["RRULE:FREQ=SECONDLY"]);
        assert_eq!(first(&series).0.len(), 3);
        let next = series.occurrences_from(instant("9000-01-01T00:00:00")).next();
        assert_eq!(next.unwrap().unwrap().wall(), time("9000-01-01T00:00:00"));
        assert_eq!(series.occurrences().last(), Some(Err(Truncated)));
    });
}

/// `strict.rs` has those that are refused.
#[test]
fn lines_that_contradict_each_other_are_taken_at_their_word() {
    in_bounded_time(|| {
        // Everything is left out that is there.
        let nothing = floating("2026-11-27T09:00:00", &["RRULE:FREQ=DAILY;COUNT=3", "EXRULE:FREQ=DAILY"]);
        assert_eq!(first(&nothing), (Vec::new(), false));
        let both = floating("2026-11-27T09:00:00", &["RRULE:FREQ=DAILY;COUNT=2;UNTIL=20270101"]);
        assert_eq!(first(&both).0.len(), 2);
    });
}

/// Each day once on which it names a time.
#[test]
fn a_rule_by_hours_in_a_series_of_days_names_days() {
    in_bounded_time(|| {
        let start = Start::Day(NaiveDate::from_ymd_opt(2026, 11, 27).unwrap());
        for line in [
            "RRULE:FREQ=HOURLY;INTERVAL=5",
            "RRULE:FREQ=MINUTELY;BYMINUTE=30",
            "RRULE:FREQ=DAILY;BYHOUR=3,18",
        ] {
            let series = Series::parse(&start, [line], Reading::Lenient).unwrap();
            assert_eq!(
                first(&series).0,
                ["2026-11-27 00:00:00", "2026-11-28 00:00:00", "2026-11-29 00:00:00"],
                "{line}"
            );
            let mut found = Vec::new();
            series.fill(instant("2026-11-28T00:00:00")..instant("2026-11-30T00:00:00"), &mut found).unwrap();
            assert_eq!(found.len(), 2, "{line}");
        }
    });
}

#[test]
fn zones_that_nobody_knows_are_refused_where_they_stand() {
    in_bounded_time(|| {
        assert!(Zone::new("Mars/Olympus_Mons").is_err());
        let refused = Series::parse(
            &Start::Floating(time("2026-11-27T09:00:00")),
            ["RRULE:FREQ=DAILY", "EXDATE;TZID=\"(UTC+01:00) Nowhere\":20261127T090000"],
            Reading::Lenient,
        );
        let refused = refused.unwrap_err();
        assert_eq!((refused.line, refused.why), (1, "an unknown time zone"));
    });
}
