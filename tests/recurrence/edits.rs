//! Edits of series: what becomes of the lines, and that both halves of a split show what the whole showed.

use super::overrides::{instant, set, shown, start};
use super::slow::{Chance, Drawn, ZONES, draw_start, setting};
use calsync_core::Zone;
use calsync_core::calendar::{
    EditRefused, Instance, Length, Orphans, Override, Placed, Reach, Reading, RecurrenceSet, Split, Start,
};
use calsync_core::model::{Recurrence, Slot};
use chrono::{DateTime, Duration, Utc};

fn slot(text: &str) -> Slot {
    text.parse().unwrap()
}

fn halves(whole: &RecurrenceSet<String>, at: &str) -> (Vec<String>, Vec<String>) {
    let Split { before, following } = whole.split(slot(at)).unwrap();
    (before.lines().lines().to_vec(), following.lines().lines().to_vec())
}

#[test]
fn a_split_shares_the_count_and_gives_dates_and_overrides_to_their_half() {
    let whole = set(
        "2026-10-05T09:00:00 America/New_York",
        &[
            "RRULE:FREQ=WEEKLY;COUNT=10;BYDAY=MO",
            "EXDATE;TZID=America/New_York:20261012T090000,20261116T090000",
            "RDATE:20261007T130000Z,20261111T140000Z",
        ],
        &[
            "20261019T130000Z > 2026-10-20T09:00:00 America/New_York 60 early",
            "20261123T140000Z > 2026-11-24T09:00:00 America/New_York 60 late",
        ],
    );
    let (before, following) = halves(&whole, "20261109T140000Z");
    assert_eq!(
        before,
        [
            "RRULE:FREQ=WEEKLY;BYDAY=MO;UNTIL=20261109T135959Z",
            "EXDATE;TZID=America/New_York:20261012T090000",
            "RDATE:20261007T130000Z",
        ]
    );
    assert_eq!(
        following,
        [
            "RRULE:FREQ=WEEKLY;BYDAY=MO;COUNT=5",
            "EXDATE;TZID=America/New_York:20261116T090000",
            "RDATE:20261111T140000Z",
        ]
    );
    let Split { before, following } = whole.split(slot("20261109T140000Z")).unwrap();
    assert_eq!(following.own().start, start("2026-11-09T09:00:00 America/New_York"));
    assert_eq!((before.overrides().len(), following.overrides().len()), (1, 1));
    let mut both = shown(&before, "2026-10-01", "2027-06-01");
    both.extend(shown(&following, "2026-10-01", "2027-06-01"));
    assert_eq!(both, shown(&whole, "2026-10-01", "2027-06-01"));
}

#[test]
fn a_rule_that_ended_before_the_slot_has_no_part_in_the_second_half() {
    let whole = set(
        "2026-11-02T09:00:00 UTC",
        &["RRULE:FREQ=DAILY;COUNT=3", "RRULE:FREQ=WEEKLY;UNTIL=20270101T000000Z"],
        &[],
    );
    let (before, following) = halves(&whole, "20261116T090000Z");
    assert_eq!(before, ["RRULE:FREQ=DAILY;COUNT=3", "RRULE:FREQ=WEEKLY;UNTIL=20261116T085959Z"]);
    assert_eq!(following, ["RRULE:FREQ=WEEKLY;UNTIL=20270101T000000Z"]);
}

#[test]
fn a_slot_that_is_left_out_cannot_be_split_at_and_floating_times_end_floating() {
    let days = set("2026-11-02", &["RRULE:FREQ=DAILY", "EXDATE;VALUE=DATE:20261104"], &[]);
    assert_eq!(days.split(slot("20261104")).unwrap_err(), EditRefused::NoSlot(slot("20261104")));
    assert_eq!(
        halves(&days, "20261105"),
        (
            vec!["RRULE:FREQ=DAILY;UNTIL=20261104".to_owned(), "EXDATE;VALUE=DATE:20261104".to_owned()],
            vec!["RRULE:FREQ=DAILY".to_owned()]
        )
    );
    let floating = set("2026-11-02T09:00:00", &["RRULE:FREQ=DAILY"], &[]);
    assert_eq!(halves(&floating, "20261104T090000Z").0, ["RRULE:FREQ=DAILY;UNTIL=20261104T085959"]);
    let listed = set("2026-11-02", &["RDATE;VALUE=DATE:20261104,20261109"], &[]);
    assert_eq!(
        halves(&listed, "20261109"),
        (vec!["RDATE;VALUE=DATE:20261104".to_owned()], vec!["RDATE;VALUE=DATE:20261109".to_owned()])
    );
}

#[test]
fn what_cannot_be_split_is_refused() {
    let whole =
        set("2026-11-02T09:00:00 UTC", &["RRULE:FREQ=WEEKLY;INTERVAL=2", "RDATE:20261105T090000Z"], &[]);
    for (at, refused) in [
        ("20261102T090000Z", EditRefused::FirstSlot(slot("20261102T090000Z"))),
        ("20261109T090000Z", EditRefused::NoSlot(slot("20261109T090000Z"))),
        ("20261105T090000Z", EditRefused::Rules(slot("20261105T090000Z"))),
    ] {
        assert_eq!(whole.split(slot(at)).unwrap_err(), refused);
    }
    // The other rule would go on in other weeks.
    let two = set(
        "2026-11-02T09:00:00 UTC",
        &["RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=MO", "RRULE:FREQ=WEEKLY;INTERVAL=3;BYDAY=TU"],
        &[],
    );
    let at = slot("20261116T090000Z");
    assert_eq!(two.split(at).unwrap_err(), EditRefused::Rules(at));
    let no_such = Override { slot: slot("20261103T090000Z"), reach: Reach::One, to: None };
    assert_eq!(whole.with(no_such).unwrap_err(), EditRefused::NoSlot(slot("20261103T090000Z")));
}

/// The occurrence is at 03:30 that day; the second half is one of 02:30.
#[test]
fn a_series_split_where_a_clock_change_moved_it_keeps_its_time() {
    let whole = set("2026-03-01T02:30:00 Europe/Berlin", &["RRULE:FREQ=DAILY"], &[]);
    let Split { following, .. } = whole.split(slot("20260329T013000Z")).unwrap();
    assert_eq!(following.own().start, start("2026-03-29T02:30:00 Europe/Berlin"));
    assert_eq!(
        shown(&following, "2026-03-29", "2026-03-31"),
        ["20260329T013000Z: 29 03:30/60 own", "20260330T003000Z: 30 02:30/60 own"]
    );
}

#[test]
fn a_range_that_holds_goes_on_holding_in_the_second_half() {
    let whole = set(
        "2026-11-02T09:00:00 UTC",
        &["RRULE:FREQ=DAILY;COUNT=6"],
        &["20261103T090000Z >> 2026-11-03T11:00:00 UTC 30 from"],
    );
    let Split { before, following } = whole.split(slot("20261105T090000Z")).unwrap();
    assert_eq!(shown(&before, "2026-11-03", "2026-12-01").len(), 2);
    assert_eq!(
        shown(&following, "2026-11-01", "2026-12-01"),
        [
            "20261105T090000Z: 05 11:00/30 from",
            "20261106T090000Z: 06 11:00/30 from",
            "20261107T090000Z: 07 11:00/30 from"
        ]
    );
}

#[test]
fn an_occurrence_is_changed_cancelled_and_given_back_to_its_series() {
    let whole = set("2026-11-02", &["RRULE:FREQ=DAILY;COUNT=3"], &[]);
    let at = slot("20261103");
    let cancelled = whole.with(Override { slot: at, reach: Reach::One, to: None }).unwrap();
    assert_eq!(shown(&cancelled, "2026-11-01", "2026-12-01").len(), 2);
    let to = Placed { start: start("2026-11-09"), length: Length::days(2), value: "moved".to_owned() };
    let moved = cancelled.with(Override { slot: at, reach: Reach::One, to: Some(to) }).unwrap();
    assert_eq!(moved.overrides().len(), 1);
    assert_eq!(shown(&moved, "2026-11-05", "2026-12-01"), ["20261103: 09 00:00/2880 moved"]);
    let back = moved.without(at).unwrap();
    assert_eq!(shown(&back, "2026-11-01", "2026-12-01"), shown(&whole, "2026-11-01", "2026-12-01"));
    assert_eq!(shown(&whole, "2026-11-01", "2026-12-01").len(), 3, "the old set stays as it is");
}

#[test]
fn a_series_that_moves_takes_its_overrides_and_dates_along() {
    let whole = set(
        "2026-10-19T09:00:00 Europe/Berlin",
        &["RRULE:FREQ=WEEKLY;COUNT=4", "EXDATE:20261109T080000Z"],
        &["20261102T080000Z > 2026-11-03T15:00:00 Europe/Berlin 60 moved", "20261026T080000Z x"],
    );
    let to = start("2026-10-19T10:00:00 Europe/Berlin");
    let lines = whole.lines_moved_to(&to).unwrap();
    assert_eq!(lines.lines(), ["RRULE:FREQ=WEEKLY;COUNT=4", "EXDATE:20261109T090000Z"]);
    let own = Placed { start: to, ..whole.own().clone() };
    let later = whole.changed(own, lines, Orphans::Drop).unwrap();
    assert_eq!(
        shown(&later, "2026-10-01", "2026-12-01"),
        ["20261019T080000Z: 19 10:00/60 own", "20261102T090000Z: 03 15:00/60 moved"]
    );
}

#[test]
fn overrides_whose_slot_is_gone_are_dropped_or_listed() {
    let whole = set(
        "2026-11-02T09:00:00 UTC",
        &["RRULE:FREQ=DAILY;COUNT=5"],
        &["20261103T090000Z > 2026-11-03T15:00:00 UTC 60 moved", "20261104T090000Z x"],
    );
    let weekly = Recurrence::new(vec!["RRULE:FREQ=WEEKLY;COUNT=2".to_owned()]);
    let dropped = whole.changed(whole.own().clone(), weekly.clone(), Orphans::Drop).unwrap();
    assert_eq!((dropped.lines(), dropped.overrides().len()), (&weekly, 0));
    let kept = whole.changed(whole.own().clone(), weekly, Orphans::Keep).unwrap();
    assert_eq!(kept.lines().lines(), ["RRULE:FREQ=WEEKLY;COUNT=2", "RDATE:20261103T090000Z"]);
    assert_eq!(
        shown(&kept, "2026-11-01", "2026-12-01"),
        [
            "20261102T090000Z: 02 09:00/60 own",
            "20261103T090000Z: 03 15:00/60 moved",
            "20261109T090000Z: 09 09:00/60 own"
        ]
    );
}

type Seen = (DateTime<Utc>, DateTime<Utc>, Slot, u32);

fn seen(set: &RecurrenceSet<u32>, to: DateTime<Utc>) -> Vec<Seen> {
    let from = instant("1980-01-01");
    let see = |found: Instance<'_, u32>| {
        (found.start().instant(), found.end().instant(), found.slot(), *found.value())
    };
    set.instances(from..to).map(|found| see(found.unwrap())).collect()
}

/// Random rules with listed, excluded, moved and cancelled occurrences, split at a random slot.
#[test]
fn both_halves_of_a_split_show_what_the_whole_showed() {
    let rules = setting("CALSYNC_RECURRENCE_RULES", 400);
    let (mut split, mut wrong) = (0, Vec::new());
    for seed in 1..=rules {
        let chance = &mut Chance(seed ^ 0x5117);
        let drawn = Drawn::draw(chance);
        let time = draw_start(chance);
        let start = match chance.below(3) {
            0 if drawn.freq < 4 => Start::Day(time.date()),
            0 | 1 => Start::Floating(time),
            _ => Start::Zoned(time, Zone::new(ZONES[chance.below(5) as usize]).unwrap()),
        };
        let rule = drawn.text_for(&start);
        let own = Placed { start, length: Length::exactly(Duration::minutes(50)), value: 0 };
        let Ok(bare) =
            RecurrenceSet::new(own.clone(), Recurrence::new(vec![rule.clone()]), [], Reading::Lenient)
        else {
            continue;
        };
        let slots: Vec<_> = bare.series().occurrences().take(20).map_while(Result::ok).collect();
        if slots.len() < 4 {
            continue;
        }
        let any = |chance: &mut Chance| slots[chance.below(slots.len() as u64) as usize];
        let mut lines = vec![rule];
        for name in ["EXDATE", "RDATE"] {
            let text = match any(chance).slot() {
                Slot::Time(time) if name == "RDATE" => {
                    (time + Duration::minutes(7)).format("%Y%m%dT%H%M%SZ").to_string()
                }
                slot => slot.to_string(),
            };
            if chance.one_in(3) {
                lines.push(format!("{name}:{text}"));
            }
        }
        let mut overrides = Vec::new();
        for value in 1..=chance.below(4) as u32 {
            let at = any(chance);
            let moved = chrono::TimeDelta::minutes(chance.below(6_000) as i64 - 3_000);
            let to = match &own.start {
                Start::Day(_) => Start::Day((at.wall() + moved).date()),
                Start::Floating(_) => Start::Floating(at.wall() + moved),
                Start::Zoned(_, zone) => Start::Zoned(at.wall() + moved, zone.clone()),
            };
            let to = Placed { start: to, length: Length::exactly(Duration::minutes(value.into())), value };
            let reach = if chance.one_in(3) { Reach::Following } else { Reach::One };
            overrides.push(Override { slot: at.slot(), reach, to: (!chance.one_in(4)).then_some(to) });
        }
        let lines = Recurrence::new(lines);
        let whole = RecurrenceSet::new(own, lines, overrides, Reading::Lenient).unwrap();
        let at = any(chance).slot();
        let halves = match whole.split(at) {
            Ok(halves) => halves,
            Err(EditRefused::NoSlot(_) | EditRefused::FirstSlot(_)) => continue,
            Err(refused) => {
                wrong.push(format!("{seed}: {refused}: {:?} at {at}", whole.lines().lines()));
                continue;
            }
        };
        split += 1;
        let to = slots[slots.len() - 1].instant() + Duration::days(1);
        let mut both = seen(&halves.before, to);
        both.extend(seen(&halves.following, to));
        both.sort_by_key(|(start, _, slot, _)| (*start, *slot));
        let mut all = seen(&whole, to);
        assert!(all.is_sorted_by_key(|seen| seen.0), "{seed}");
        all.sort_by_key(|(start, _, slot, _)| (*start, *slot));
        if both != all {
            let lacking: Vec<_> = all.iter().filter(|seen| !both.contains(seen)).take(2).collect();
            let added: Vec<_> = both.iter().filter(|seen| !all.contains(seen)).take(2).collect();
            wrong.push(format!(
                "{seed}: {:?} at {at}: lacks {lacking:?}, adds {added:?}",
                whole.lines().lines()
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {split} wrong:\n{}",
        wrong.len(),
        wrong[..wrong.len().min(8)].join("\n")
    );
    assert!(split > rules / 5, "{split} of {rules} were split");
}
