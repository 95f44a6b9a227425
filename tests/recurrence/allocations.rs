//! How often memory is asked for: by a question, and not by an occurrence.

use allocation_counter::measure;
use calsync_core::Zone;
use calsync_core::calendar::{Length, Override, Placed, Reach, Reading, RecurrenceSet, Series, Start};
use calsync_core::model::Recurrence;
use chrono::{DateTime, Duration, NaiveDateTime, Utc};
use std::hint::black_box;

/// Rules such as people make, and those that have to look for what they name.
const RULES: [&[&str]; 9] = [
    &["RRULE:FREQ=DAILY"],
    &["RRULE:FREQ=WEEKLY;BYDAY=TU,TH", "EXDATE;TZID=America/New_York:20220303T090000,20240514T090000"],
    &["RRULE:FREQ=WEEKLY;BYDAY=MO,WE", "EXRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=WE"],
    &["RRULE:FREQ=MONTHLY;BYDAY=2TH"],
    &["RRULE:FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1,1"],
    &["RRULE:FREQ=YEARLY;BYWEEKNO=10,20;BYDAY=MO,SU"],
    &["RRULE:FREQ=DAILY;BYHOUR=2,3;BYMINUTE=0,30"],
    &["RRULE:FREQ=HOURLY;INTERVAL=5"],
    &["RRULE:FREQ=DAILY", "RRULE:FREQ=MONTHLY;BYMONTHDAY=13"],
];

fn start() -> Start {
    Start::Zoned("2022-03-01T09:00:00".parse().unwrap(), Zone::new("America/New_York").unwrap())
}

fn from() -> DateTime<Utc> {
    "2023-01-01T00:00:00Z".parse().unwrap()
}

/// Allocations while the first so many are asked for.
fn asked(count: usize, mut ask: impl FnMut(usize) -> usize) -> u64 {
    let mut found = 0;
    let memory = measure(|| found = ask(count));
    assert_eq!(found, count);
    memory.count_total
}

/// What a clock change moves is kept in a list that grows a few times.
#[track_caller]
fn as_often(many: u64, few: u64, lines: &dyn std::fmt::Debug) {
    assert!(many <= few + 4, "{many} times instead of {few}: {lines:?}");
}

#[test]
fn ten_thousand_occurrences_ask_for_memory_as_often_as_two_thousand() {
    for lines in RULES {
        let series = Series::parse(&start(), lines.iter().copied(), Reading::Lenient).unwrap();
        let walk = |count: usize| {
            let occurrences = series.occurrences_from(from()).take(count);
            occurrences.map_while(Result::ok).inspect(|found| _ = black_box(found.slot())).count()
        };
        as_often(asked(10_000, walk), asked(2_000, walk), &lines);
        let mut into = Vec::with_capacity(1_000_000);
        let mut fill = |years: i64| {
            into.clear();
            measure(|| series.fill(from()..from() + Duration::days(366 * years), &mut into).unwrap())
                .count_total
        };
        as_often(fill(100), fill(10), &lines);
    }
}

#[test]
fn nor_do_moved_and_cancelled_ones_with_their_ends_and_values() {
    for lines in RULES {
        let zone = Zone::new("America/New_York").unwrap();
        let placed = |time: NaiveDateTime| Placed {
            start: Start::Zoned(time, zone.clone()),
            length: Length::exactly(Duration::minutes(30)),
            value: "what it carries".to_owned(),
        };
        let series = Series::parse(&start(), lines.iter().copied(), Reading::Lenient).unwrap();
        let mut overrides = Vec::new();
        for (at, found) in series.occurrences_from(from()).step_by(3).take(200).enumerate() {
            let found = found.unwrap();
            let moved = (at % 3 != 0).then(|| placed(found.wall() + Duration::hours(1)));
            overrides.push(Override { slot: found.slot(), reach: Reach::One, to: moved });
        }
        let own = placed("2022-03-01T09:00:00".parse().unwrap());
        let lines = Recurrence::new(lines.iter().map(|line| (*line).to_owned()).collect());
        let set = RecurrenceSet::new(own, lines.clone(), overrides, Reading::Lenient).unwrap();
        let window = from()..from() + Duration::days(366 * 900);
        let walk = |count: usize| {
            let instances = set.instances(window.clone()).take(count).map_while(Result::ok);
            instances.inspect(|found| _ = black_box((found.start(), found.end(), found.value()))).count()
        };
        as_often(asked(3_000, walk), asked(1_000, walk), &lines);
    }
}
