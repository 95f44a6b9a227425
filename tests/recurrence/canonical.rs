//! What is equal in canonical form has the same occurrences, and what has others is a difference (C2).
//!
//! An edit is seen by comparing canonical forms: two that are equal by mistake are an edit that nobody carries over. Lines are put
//! together from few pieces, so that many of them are equal in canonical form; those that are must show the same in every series.

use super::slow::Chance;
use calsync_core::Zone;
use calsync_core::calendar::{Length, Placed, Reading, RecurrenceSet, Start};
use calsync_core::model::Recurrence;
use chrono::{DateTime, Duration, NaiveDate, Utc};
use std::collections::{BTreeMap, BTreeSet};

const RULE_PARTS: [&str; 24] = [
    "INTERVAL=1",
    "INTERVAL=2",
    "interval=02",
    "WKST=SU",
    "WKST=MO",
    "BYDAY=MO,SU",
    "BYDAY=SU,MO",
    "BYDAY=2MO",
    "BYDAY=+2MO",
    "BYSETPOS=1",
    "BYSETPOS=-1",
    "BYMONTH=11,12",
    "BYMONTHDAY=3,-1",
    "BYMONTHDAY=-1,+3",
    "BYWEEKNO=45",
    "BYHOUR=9,23",
    "COUNT=5",
    "COUNT=05",
    "UNTIL=20261215",
    "UNTIL=20261215T140000Z",
    "UNTIL=20261215T140000",
    "X-A=1",
    "BYSECOND=60",
    "RSCALE=GREGORIAN",
];

const DATES: [&str; 14] = [
    "20261103",
    "20261103T090000",
    "20261103T230000",
    "20261104T040000Z",
    "20261103T140000Z",
    "20261103T080000Z",
    "20261103T090000/PT1H",
    "20261103T090000/20261103T100000",
    "20261103T090000/PT2H",
    "20261103T090000/P1D",
    "20261103T140000Z/PT3600S",
    "20261103T080000Z/20261103T090000Z",
    "20261103T090000/20261103T150000Z",
    "20261103/PT1H",
];

const HEADS: [&str; 10] = [
    "",
    ";TZID=America/New_York",
    ";TZID=Europe/Berlin",
    ";TZID=\"Europe/Berlin\"",
    ";TZID=W. Europe Standard Time",
    ";TZID=Mars/Olympus_Mons",
    ";VALUE=DATE",
    ";VALUE=PERIOD;TZID=Europe/Berlin",
    ";X-A=\"b:c\"",
    ";VALUE=PERIOD",
];

fn pick<'a>(chance: &mut Chance, of: &[&'a str]) -> &'a str {
    of[chance.below(of.len() as u64) as usize]
}

fn draw_line(chance: &mut Chance) -> String {
    if chance.one_in(2) {
        let mut parts =
            vec![pick(chance, &["FREQ=DAILY", "FREQ=WEEKLY", "freq=Weekly", "FREQ=MONTHLY", "FREQ=YEARLY"])];
        parts.extend((0..chance.below(4)).map(|_| pick(chance, &RULE_PARTS)));
        let by = chance.below(parts.len() as u64) as usize;
        parts.rotate_left(by);
        return format!("{}:{}", pick(chance, &["RRULE", "RRULE;X-A=\"b:c\""]), parts.join(";"));
    }
    let dates: Vec<&str> = (0..=chance.below(2)).map(|_| pick(chance, &DATES)).collect();
    let name = pick(chance, &["RDATE", "RDATE", "EXDATE"]);
    format!("{name}{}:{}", pick(chance, &HEADS), dates.join(","))
}

fn starts() -> [(bool, Start); 4] {
    let day = NaiveDate::from_ymd_opt(2026, 11, 2).unwrap();
    let zoned = |zone| Start::Zoned(day.and_hms_opt(9, 0, 0).unwrap(), Zone::new(zone).unwrap());
    [
        (true, Start::Day(day)),
        (false, Start::Floating(day.and_hms_opt(9, 0, 0).unwrap())),
        (false, zoned("Europe/Berlin")),
        (false, zoned("America/New_York")),
    ]
}

/// Starts and ends of what takes place; nothing where the lines are refused.
fn shown(start: &Start, lines: &Recurrence) -> Option<Vec<[DateTime<Utc>; 2]>> {
    let own = Placed { start: start.clone(), length: Length::exactly(Duration::minutes(30)), value: () };
    let set = RecurrenceSet::new(own, lines.clone(), [], Reading::Lenient).ok()?;
    let from: DateTime<Utc> = "2026-01-01T00:00:00Z".parse().unwrap();
    let instances = set.instances(from..from + Duration::days(1_500)).take(60);
    Some(instances.map(|found| found.map(|i| [i.start().instant(), i.end().instant()]).unwrap()).collect())
}

#[test]
fn c02_lines_that_are_equal_in_canonical_form_show_the_same_in_every_series() {
    let chance = &mut Chance(7);
    let mut drawn = BTreeSet::new();
    while drawn.len() < 4_000 {
        // Alone, or next to a rule that it adds to or takes from.
        let mut lines = vec![draw_line(chance)];
        if chance.one_in(3) {
            lines.insert(chance.below(2) as usize, "RRULE:FREQ=DAILY;COUNT=9".to_owned());
        }
        drawn.insert(lines);
    }
    let (mut groups, mut compared) = (BTreeMap::new(), 0);
    for (of, (whole_days, start)) in starts().iter().enumerate() {
        for lines in &drawn {
            let recurrence = Recurrence::new(lines.clone());
            let canonical = recurrence.canonical(*whole_days);
            let again = Recurrence::new(canonical.clone());
            assert_eq!(again.canonical(*whole_days), canonical, "{lines:?} twice");
            let shown = shown(start, &recurrence);
            assert_eq!(self::shown(start, &again), shown, "{lines:?} for {start:?} as {canonical:?}");
            let (first, there) = groups.entry((of, canonical)).or_insert_with(|| (lines, shown.clone()));
            compared += usize::from(*first != lines);
            assert_eq!(shown, *there, "{first:?} and {lines:?} are equal for {start:?}");
        }
    }
    assert!(compared > 4_000, "only {compared} of 16,000 were compared with another spelling");
}

#[test]
fn c02_what_a_period_or_a_zone_says_is_a_difference() {
    for (a, b) in [
        (
            "RDATE;TZID=Europe/Berlin;VALUE=PERIOD:20261103T090000/PT1H",
            "RDATE;TZID=America/New_York;VALUE=PERIOD:20261103T090000/PT1H",
        ),
        ("RDATE;VALUE=PERIOD:20261103T090000Z/PT1H", "RDATE;VALUE=PERIOD:20261103T090000Z/PT2H"),
        ("RDATE;TZID=Mars/Base:20261103T090000", "RDATE;TZID=Mars/Camp:20261103T090000"),
        ("RDATE;TZID=Mars/Base:20261103T090000", "RDATE:20261103T090000"),
        ("RRULE:FREQ=WEEKLY;BYDAY=MO,SU;BYSETPOS=1", "RRULE:FREQ=WEEKLY;BYDAY=MO,SU;BYSETPOS=1;WKST=SU"),
    ] {
        let canonical = |line: &str| Recurrence::new(vec![line.to_owned()]).canonical(false);
        assert_ne!(canonical(a), canonical(b), "{a} and {b}");
    }
}

/// Google rewrites the one as the other, and neither is an edit.
#[test]
fn one_meaning_written_in_two_ways_is_no_difference() {
    for (whole_days, a, b) in [
        (
            false,
            "RDATE;TZID=Europe/Berlin;VALUE=PERIOD:20261103T090000/PT1H",
            "RDATE;VALUE=PERIOD:20261103T080000Z/20261103T090000Z",
        ),
        (false, "RRULE:FREQ=DAILY;BYHOUR=09;INTERVAL=01;COUNT=007", "RRULE:COUNT=7;FREQ=daily;BYHOUR=9"),
        (true, "RRULE:FREQ=DAILY;UNTIL=20110812T070000Z", "RRULE:FREQ=DAILY;UNTIL=20110812"),
        (true, "EXDATE;TZID=Europe/Berlin:20261103T000000", "EXDATE;VALUE=DATE:20261103"),
    ] {
        let canonical = |line: &str| Recurrence::new(vec![line.to_owned()]).canonical(whole_days);
        assert_eq!(canonical(a), canonical(b), "{a} and {b}");
    }
}
