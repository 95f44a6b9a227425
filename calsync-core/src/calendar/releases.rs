//! The same series by two releases of the zone data: the answers differ where a rule changed between them, and nowhere else (C12).
//!
//! The older release is the one inside chrono-tz (2025b), read hour by hour; nothing else of that crate is asked.

use super::offsets::Offsets;
use super::overrides::Clock;
use super::rule::Reading;
use super::series::{Series, WORK_MAX};
use super::set::{First, Set};
use super::walk::Gap;
use crate::zone::Zone;
use chrono::{DateTime, Duration, NaiveDateTime, Offset, TimeZone, Utc};
use chrono_tz::{TZ_VARIANTS, Tz};
use std::collections::BTreeSet;
use std::sync::Arc;

/// From before the first occurrence to after the last one that is looked at.
const YEARS: [&str; 2] = ["2023-01-01T00:00:00Z", "2032-01-01T00:00:00Z"];

const WINDOW: [&str; 2] = ["2024-01-01T00:00:00Z", "2031-01-01T00:00:00Z"];

const SERIES: [&[&str]; 6] = [
    &["RRULE:FREQ=DAILY"],
    &["RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=SA,SU;BYHOUR=0,1,2,3"],
    &["RRULE:FREQ=MONTHLY;BYDAY=-1SU,2SU;BYHOUR=1,2;BYMINUTE=0,30;BYSETPOS=1,-1"],
    &["RRULE:FREQ=DAILY;UNTIL=20271103T013000Z", "EXDATE:20261105T023000,20270314T023000"],
    &["RRULE:FREQ=HOURLY;INTERVAL=7;COUNT=9000"],
    &["RDATE:20260308T023000,20261101T013000,20261123T090000", "EXRULE:FREQ=YEARLY;BYMONTH=3"],
];

fn instant(text: &str) -> i64 {
    text.parse::<DateTime<Utc>>().expect("an instant").timestamp()
}

/// The offsets that the older release says.
fn older(zone: Tz) -> Offsets {
    let offset = |at: i64| {
        let at = DateTime::from_timestamp(at, 0).expect("in range").naive_utc();
        zone.offset_from_utc_datetime(&at).fix().local_minus_utc()
    };
    let [from, to] = YEARS.map(instant);
    let mut changes = Vec::new();
    for hours in (from..to).step_by(6 * 3600) {
        let (mut before, mut after) = (hours, hours + 6 * 3600);
        let goes_to = offset(after);
        if offset(before) == goes_to {
            continue;
        }
        while after - before > 1 {
            let middle = (before + after) / 2;
            if offset(middle) == goes_to { after = middle } else { before = middle }
        }
        changes.push((after, goes_to));
    }
    Offsets::new(offset(from), changes.into_iter())
}

fn instants(lines: &[&str], zone: &Arc<Offsets>) -> BTreeSet<i64> {
    let start: NaiveDateTime = "2024-03-10T02:30:00".parse().expect("a wall time");
    let first = First { wall: start.and_utc().timestamp(), clock: Clock::Zoned };
    let set = Set::parse(lines.iter().copied(), first, zone, &|_| None, Reading::Strict).expect("readable");
    let (zone, gap, work_max) = (Arc::clone(zone), Gap::default(), WORK_MAX);
    let series = Series { first, zone, set, gap, work_max, until_midnight: false };
    let [from, to] = WINDOW.map(|at| at.parse::<DateTime<Utc>>().expect("an instant"));
    let mut found = Vec::new();
    series.fill(from..to, &mut found).expect("within the work");
    found.into_iter().collect()
}

#[test]
fn c12_two_releases_of_the_zone_data_differ_only_where_a_rule_changed() {
    let (mut alike, mut changed) = (0, Vec::new());
    for known in TZ_VARIANTS {
        let Ok(zone) = Zone::new(known.name()) else { continue };
        let (older, newer) = (Arc::new(older(known)), zone.offsets().expect("known"));
        let differ_at = |at: i64| older.at(at) != newer.at(at);
        let mut differs = false;
        for lines in SERIES {
            let [before, after] = [instants(lines, &older), instants(lines, &newer)];
            assert!(!after.is_empty());
            for at in before.symmetric_difference(&after) {
                differs = true;
                // What a gap moves is found an hour further on.
                let near = (-3..=3).any(|hours| differ_at(at + hours * 3600));
                assert!(near, "{known}: {lines:?} at {at}, where both releases say the same");
            }
        }
        if differs {
            changed.push(known.name());
        } else {
            alike += 1;
        }
    }
    assert!(changed.contains(&"America/Vancouver"), "the releases are the same: {changed:?}");
    assert!(alike > 20 * changed.len(), "{alike} alike, these not: {changed:?}");
}

/// What changes is the instant; the time on the wall is what was agreed on.
#[test]
fn c12_a_new_rule_of_a_zone_leaves_the_wall_clock_alone() {
    let newer = Zone::new("America/Vancouver").expect("known").offsets().expect("known");
    let older = Arc::new(older(Tz::America__Vancouver));
    let lines = ["RRULE:FREQ=WEEKLY;BYHOUR=9;BYMINUTE=0"];
    let [before, after] = [instants(&lines, &older), instants(&lines, &newer)];
    let moved: Vec<_> = before.iter().zip(&after).filter(|(before, after)| before != after).collect();
    assert_eq!(before.len(), after.len());
    assert!(moved.len() > 40, "Vancouver keeps its summer time from 2026 on");
    for (before, after) in moved {
        assert_eq!(older.at(*before).wall, newer.at(*after).wall);
        assert_eq!(before - after, Duration::hours(1).num_seconds());
    }
}
