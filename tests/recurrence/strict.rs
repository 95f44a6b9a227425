//! What strict reading refuses and what lenient reading notes: of each odd line the place, and the words.
//!
//! A row is the start of the series (`day`, `floating`, or a zone), the lines, and what is said of them: the line from 0, the
//! part, why it is refused when read strictly, and how it is understood when read leniently (`-`: refused for the same reason).

use calsync_core::Zone;
use calsync_core::calendar::{Reading, Series, Start};
use chrono::NaiveDate;

fn start(text: &str) -> Start {
    let day = NaiveDate::from_ymd_opt(2026, 11, 2).unwrap();
    let time = day.and_hms_opt(9, 0, 0).unwrap();
    match text {
        "day" => Start::Day(day),
        "floating" => Start::Floating(time),
        zone => Start::Zoned(time, Zone::new(zone).unwrap()),
    }
}

/// The start, the lines, the number of the odd one, its part, why it is refused, how it is understood.
type Row = (&'static str, &'static [&'static str], usize, &'static str, &'static str, &'static str);

#[track_caller]
fn check(rows: &[Row]) {
    for &(of, lines, line, part, why, how) in rows {
        let read = |reading| Series::parse(&start(of), lines.iter().copied(), reading);
        let refused = read(Reading::Strict).expect_err(lines[line]);
        assert_eq!((refused.line, refused.part.as_str(), refused.why), (line, part, why), "{of} {lines:?}");
        match read(Reading::Lenient) {
            Err(refused) => {
                assert_eq!(
                    (refused.line, refused.part.as_str(), refused.why),
                    (line, part, why),
                    "{of} {lines:?}"
                );
                assert_eq!(how, "-", "{of} {lines:?} is refused leniently as well");
            }
            Ok(series) => {
                let said = series.notes().iter().any(|note| note.part == part && note.how == how);
                assert!(said, "{of} {lines:?}: {:?}", series.notes());
            }
        }
    }
}

#[test]
fn an_until_of_another_kind_than_the_start_is_refused_or_noted() {
    let (day, time) = ("the whole day counts", "a time on the clock of the series");
    check(&[
        (
            "UTC",
            &["RRULE:FREQ=DAILY;UNTIL=20261105"],
            0,
            "UNTIL=20261105",
            "UNTIL is a day in a series by the clock",
            day,
        ),
        (
            "floating",
            &["RRULE:UNTIL=20261105;FREQ=DAILY"],
            0,
            "UNTIL=20261105",
            "UNTIL is a day in a series by the clock",
            day,
        ),
        (
            "Europe/Berlin",
            &["EXDATE;TZID=Europe/Berlin:20261103T090000", "RRULE:FREQ=DAILY;UNTIL=20261105T090000"],
            1,
            "UNTIL=20261105T090000",
            "UNTIL has to be in UTC where the series has a zone",
            time,
        ),
        (
            "floating",
            &["EXRULE:FREQ=DAILY;UNTIL=20261105T090000Z"],
            0,
            "UNTIL=20261105T090000Z",
            "UNTIL in UTC in a series without a zone",
            time,
        ),
        (
            "day",
            &["RRULE:FREQ=DAILY;UNTIL=20261105T090000Z"],
            0,
            "UNTIL=20261105T090000Z",
            "UNTIL is a time in a series of days",
            "its day counts",
        ),
        (
            "day",
            &["RRULE:FREQ=DAILY;BYHOUR=9"],
            0,
            "BYHOUR=9",
            "a time of day in a series of days",
            "a time of day names its day",
        ),
    ]);
}

#[test]
fn a_list_of_another_type_than_it_says_or_than_the_start_is_refused_or_noted() {
    let as_written = "it is read as it is written";
    let type_differs = "another type than VALUE says, or than a list without VALUE has";
    let berlin = "Europe/Berlin";
    check(&[
        (
            berlin,
            &["RRULE:FREQ=DAILY", "EXDATE;VALUE=DATE:20261103,20261104"],
            1,
            "20261103",
            "a day in a series by the clock",
            "that whole day is left out, or has an occurrence at the time of the start",
        ),
        (
            "day",
            &["RRULE:FREQ=DAILY", "EXDATE:20261103T090000Z"],
            1,
            "20261103T090000Z",
            "a time in a series of days",
            "its day counts",
        ),
        ("day", &["EXDATE:20261103"], 0, "20261103", type_differs, as_written),
        (
            "day",
            &["RDATE;VALUE=DATE:20261103,20261104T090000"],
            0,
            "20261104T090000",
            type_differs,
            as_written,
        ),
        (berlin, &["RDATE;VALUE=DATE:20261103T090000"], 0, "20261103T090000", type_differs, as_written),
        (berlin, &["RDATE;VALUE=PERIOD:20261103T090000"], 0, "20261103T090000", type_differs, as_written),
        (berlin, &["RDATE:20261103T090000/PT1H"], 0, "20261103T090000/PT1H", type_differs, as_written),
        (
            berlin,
            &["EXDATE;VALUE=PERIOD:20261103T090000/PT1H"],
            0,
            "PERIOD",
            "a type that this line cannot have",
            "each date is read as it is written",
        ),
        (
            berlin,
            &["RDATE;VALUE=BOGUS:20261103T090000"],
            0,
            "BOGUS",
            "a type that this line cannot have",
            "each date is read as it is written",
        ),
        (
            berlin,
            &["EXDATE;TZID=Europe/Berlin:20261103T090000,20261104T080000Z"],
            0,
            "20261104T080000Z",
            "TZID does not go with days, nor with times in UTC",
            "it is read as it is written, whatever TZID says",
        ),
        (
            "floating",
            &["EXDATE:20261103T090000,20261104T090000Z"],
            0,
            "20261104T090000Z",
            "a time in a zone in a series without one",
            "its time in UTC is one on the clock of the series",
        ),
        (
            "UTC",
            &["EXDATE:20261103T090000Z, 20261104T090000Z"],
            0,
            " 20261104T090000Z",
            "blanks in a list",
            "blanks in a list say nothing",
        ),
    ]);
}

#[test]
fn a_period_that_is_none_is_refused_or_noted() {
    let no_end = "a period that does not end after its start";
    check(&[
        (
            "UTC",
            &["RDATE;VALUE=PERIOD:20261103T090000Z/-PT1H"],
            0,
            "20261103T090000Z/-PT1H",
            no_end,
            "it has no length",
        ),
        (
            "UTC",
            &["RDATE;VALUE=PERIOD:20261103T090000Z/PT0S"],
            0,
            "20261103T090000Z/PT0S",
            no_end,
            "it has no length",
        ),
        (
            "UTC",
            &["RDATE;VALUE=PERIOD:20261103T090000Z/20261103T080000Z"],
            0,
            "20261103T090000Z/20261103T080000Z",
            no_end,
            "it has no length",
        ),
        (
            "UTC",
            &["RDATE;VALUE=PERIOD:20261103T090000Z/"],
            0,
            "20261103T090000Z/",
            "no period of time",
            "only its start counts",
        ),
        (
            "UTC",
            &["RDATE;VALUE=PERIOD:20261103T090000Z/1H"],
            0,
            "20261103T090000Z/1H",
            "no period of time",
            "only its start counts",
        ),
        (
            "UTC",
            &["RDATE;VALUE=PERIOD:20261103/PT1H"],
            0,
            "20261103/PT1H",
            "no period of time",
            "only its start counts",
        ),
        ("UTC", &["RDATE;VALUE=PERIOD:/PT1H"], 0, "/PT1H", "no date or time", "-"),
    ]);
}

#[test]
fn what_stands_before_the_colon_and_around_it_is_refused_or_noted() {
    let (parameter, passed) = ("a parameter is a name, an equals sign and a value", "it is passed over");
    let (blanks, say_nothing) =
        ("blanks around a line or its name", "blanks around a line or its name say nothing");
    check(&[
        ("UTC", &["RRULE;garbage:FREQ=DAILY"], 0, "garbage", parameter, passed),
        ("UTC", &["RRULE;;;:FREQ=DAILY"], 0, "RRULE;;;:FREQ=DAILY", parameter, passed),
        ("UTC", &["RRULE;=1:FREQ=DAILY"], 0, "=1", parameter, passed),
        ("UTC", &["RRULE;A B=1:FREQ=DAILY"], 0, "A B=1", parameter, passed),
        ("UTC", &[" RRULE:FREQ=DAILY"], 0, " RRULE:FREQ=DAILY", blanks, say_nothing),
        ("UTC", &["RRULE :FREQ=DAILY"], 0, "RRULE :FREQ=DAILY", blanks, say_nothing),
        (
            "UTC",
            &["RRULE:DATE;TZID=Europe/Warsaw:20261103T090000"],
            0,
            "RRULE:DATE;TZID=Europe/Warsaw:20261103T090000",
            "a list of dates under the name of a rule",
            "a list of dates, whatever its name",
        ),
        (
            "UTC",
            &["RRULE;X-A=\"b:FREQ=DAILY"],
            0,
            "RRULE;X-A=\"b",
            "a quotation mark that is not closed",
            "-",
        ),
        ("UTC", &["RRULE:FREQ=DAILY", "RRULE"], 1, "RRULE", "a line without a colon", "-"),
        ("UTC", &[""], 0, "", "a line without a colon", "-"),
        ("UTC", &[":"], 0, "", "a line that says nothing about recurrence", "-"),
        (
            "UTC",
            &["DTSTART;TZID=UTC:20261103T090000"],
            0,
            "DTSTART;TZID=UTC",
            "a line that says nothing about recurrence",
            "-",
        ),
    ]);
}

/// A colon in quotation marks ends nothing, and what is whole is no reason for a note.
#[test]
fn what_the_section_allows_is_read_strictly_and_without_a_note() {
    for (of, lines) in [
        ("UTC", &["RRULE;X-FOO=\"a:b\":FREQ=DAILY;UNTIL=20261105T090000Z"][..]),
        ("UTC", &["RRULE;X-FOO=\"a;b=c\";X-BAR=:FREQ=DAILY;"]),
        ("floating", &["RRULE:FREQ=DAILY;UNTIL=20261105T090000", "EXDATE:20261103T090000"]),
        ("day", &["RRULE:FREQ=DAILY;UNTIL=20261105", "EXDATE;VALUE=DATE:20261103,20261104"]),
        ("America/New_York", &["RRULE:FREQ=DAILY", "EXDATE;TZID=Europe/Berlin:20261103T150000"]),
        ("America/New_York", &["RDATE;VALUE=PERIOD;TZID=\"Europe/Berlin\":20261103T150000/20261103T160000"]),
        (
            "America/New_York",
            &["RDATE;VALUE=DATE-TIME:20261103T150000Z", "exdate;value=date-time:20261103T150000Z"],
        ),
    ] {
        let series = Series::parse(&start(of), lines.iter().copied(), Reading::Strict);
        let series = series.unwrap_or_else(|refused| panic!("{of} {lines:?}: {refused}"));
        assert!(series.notes().is_empty(), "{of} {lines:?}: {:?}", series.notes());
    }
}

#[test]
fn rules_that_contradict_the_calendar_or_themselves_are_refused_where_they_do() {
    let (number, unknown) =
        ("a number that the calendar does not have", "a part that RFC 5545 does not have");
    check(&[
        ("UTC", &["RRULE:FREQ=DAILY;FREQ=WEEKLY"], 0, "FREQ=WEEKLY", "said before, and otherwise", "-"),
        ("UTC", &["RRULE:FREQ=DAILY;COUNT=3;COUNT=4"], 0, "COUNT=4", "said before, and otherwise", "-"),
        ("UTC", &["RRULE:FREQ=DAILY;COUNT=0"], 0, "COUNT=0", "a count is a number from 1 on", "-"),
        ("UTC", &["RRULE:FREQ=DAILY;INTERVAL=0"], 0, "INTERVAL=0", "an interval is a number from 1 on", "-"),
        (
            "UTC",
            &["RRULE:FREQ=DAILY;INTERVAL=4294967296"],
            0,
            "INTERVAL=4294967296",
            "an interval is a number from 1 on",
            "-",
        ),
        (
            "UTC",
            &["RRULE:FREQ=HOURLY;BYDAY=2MO"],
            0,
            "FREQ=HOURLY;BYDAY=2MO",
            "numbered days belong to FREQ=MONTHLY or YEARLY",
            "-",
        ),
        ("UTC", &["RRULE:FREQ=DAILY;UNTIL=20260230"], 0, "UNTIL=20260230", "no date or time", "-"),
        ("UTC", &["RRULE:FREQ=FORTNIGHTLY"], 0, "FREQ=FORTNIGHTLY", "no frequency of RFC 5545", "-"),
        ("UTC", &["RRULE:FREQ=DAILY;WKST=XX"], 0, "WKST=XX", "no day of the week", "-"),
        ("UTC", &["RRULE:FREQ=MONTHLY;BYDAY=MO,"], 0, "BYDAY=MO,", "no day of the week", "-"),
        ("UTC", &["RRULE:FREQ=MONTHLY;BYMONTHDAY=32"], 0, "BYMONTHDAY=32", number, "-"),
        ("UTC", &["RRULE:FREQ=DAILY;FOO=1"], 0, "FOO=1", unknown, "-"),
        ("UTC", &["RRULE:FREQ=DAILY;BYDAY"], 0, "BYDAY", "a part is a name, an equals sign and a value", "-"),
        ("UTC", &["RRULE:FREQ=DAILY;BYDAY="], 0, "BYDAY=", "a part without a value", "-"),
        (
            "UTC",
            &["RRULE:FREQ=DAILY;RSCALE=HEBREW"],
            0,
            "RSCALE=HEBREW",
            "of all calendars only the Gregorian one is known",
            "-",
        ),
        ("UTC", &["RRULE:COUNT=3"], 0, "COUNT=3", "a rule needs a frequency", "-"),
        ("UTC", &["EXDATE:"], 0, "", "no date or time", "-"),
        ("UTC", &["EXDATE:20261103T090000Z,20261301T000000Z"], 0, "20261301T000000Z", "no date or time", "-"),
        ("UTC", &["RDATE;TZID=:20261127T090000"], 0, "", "an unknown time zone", "-"),
        (
            "UTC",
            &["RDATE;TZID=Mars/Olympus_Mons:20261127T090000"],
            0,
            "Mars/Olympus_Mons",
            "an unknown time zone",
            "-",
        ),
        ("UTC", &["RRULE:FREQ=DAILY;X-FOO=1"], 0, "X-FOO=1", unknown, "somebody's own part is passed over"),
        (
            "UTC",
            &["RRULE:FREQ=DAILY;COUNT=3;COUNT=3"],
            0,
            "COUNT=3",
            "a part that was said before",
            "said twice in the same words",
        ),
    ]);
}

/// A list may have ten thousand dates: what is odd in it is said once.
#[test]
fn a_list_is_noted_once_however_many_of_its_dates_are_odd() {
    let line = format!("EXDATE:{}", ["20261103"; 10_000].join(","));
    let series = Series::parse(&start("UTC"), ["RRULE:FREQ=DAILY", &line], Reading::Lenient).unwrap();
    assert_eq!(series.notes().len(), 2, "{:?}", series.notes());
}
