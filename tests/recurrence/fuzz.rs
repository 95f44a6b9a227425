//! Lines that nobody would write: the parser refuses them or reads them, and what it reads is followed within bounds.
//!
//! `PROPTEST_CASES` says how many are made of each kind.

use super::slow::ZONES;
use calsync_core::Zone;
use calsync_core::calendar::{Length, Occurrence, Placed, Reading, RecurrenceSet, Series, Start, Truncated};
use calsync_core::model::Recurrence;
use chrono::{DateTime, NaiveDate, NaiveDateTime};
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::Value;
use std::sync::LazyLock;

/// The lines of the corpus.
static LINES: LazyLock<Vec<Vec<String>>> = LazyLock::new(|| {
    let cases: Vec<Value> = serde_json::from_str(include_str!("../data/recurrence/cases.json")).unwrap();
    let lines = |case: &Value| -> Vec<String> {
        case["lines"].as_array().unwrap().iter().map(|line| line.as_str().unwrap().to_owned()).collect()
    };
    cases.iter().map(lines).collect()
});

/// What stands in lines, to be put in other places of them.
const SCRAPS: [&str; 24] = [
    ";",
    ":",
    "=",
    ",",
    "-",
    "+",
    "0",
    "9",
    "Z",
    "T",
    "\u{e9}",
    "\u{1f4c5}",
    ";COUNT=3",
    ";UNTIL=20300101",
    ";UNTIL=99991231T235960Z",
    ";INTERVAL=4294967295",
    ";BYSETPOS=-1",
    ";BYDAY=-53SU",
    ";BYMONTHDAY=-31",
    ";BYHOUR=0,23",
    "RDATE:",
    ";TZID=Europe/Berlin",
    "99999999999999999999",
    "/PT1H",
];

#[derive(Clone, Debug)]
enum Change {
    Put(Index, Index),
    Cut(Index, Index),
    Twice(Index, Index),
    Mix(Index, Index),
}

fn change() -> impl Strategy<Value = Change> {
    let two = || (any::<Index>(), any::<Index>());
    prop_oneof![
        two().prop_map(|(at, what)| Change::Put(at, what)),
        two().prop_map(|(from, to)| Change::Cut(from, to)),
        two().prop_map(|(from, to)| Change::Twice(from, to)),
        two().prop_map(|(at, with)| Change::Mix(at, with)),
    ]
}

/// Lines of the corpus, changed in a few places.
fn changed_lines() -> impl Strategy<Value = Vec<String>> {
    (any::<Index>(), prop::collection::vec(change(), 0..5)).prop_map(|(of, changes)| {
        let mut lines = LINES[of.index(LINES.len())].clone();
        for change in changes {
            let Some(line) = lines.last_mut() else { break };
            let place = |line: &str, at: &Index| {
                let at = at.index(line.len() + 1);
                (0..=at).rev().find(|at| line.is_char_boundary(*at)).unwrap()
            };
            match change {
                Change::Put(at, what) => line.insert_str(place(line, &at), SCRAPS[what.index(SCRAPS.len())]),
                Change::Cut(from, to) => {
                    let (from, to) = (place(line, &from), place(line, &to));
                    let (from, to) = (from.min(to), from.max(to));
                    let end = (from..=to.min(from + 8)).rev().find(|at| line.is_char_boundary(*at)).unwrap();
                    line.replace_range(from..end, "");
                }
                Change::Twice(from, to) => {
                    let (from, to) = (place(line, &from), place(line, &to));
                    let piece = line[from.min(to)..from.max(to)].to_owned();
                    line.push_str(&piece);
                }
                Change::Mix(at, with) => {
                    let other = &LINES[with.index(LINES.len())];
                    let parts: Vec<&str> = other[0].split([';', ':']).collect();
                    line.push(';');
                    line.push_str(parts[at.index(parts.len())]);
                }
            }
            lines.rotate_left(1);
        }
        lines
    })
}

fn any_start() -> impl Strategy<Value = Start> {
    let time = (-70_000_000_000_i64..260_000_000_000)
        .prop_map(|at| DateTime::from_timestamp(at, 0).unwrap().naive_utc());
    let near = (0_i64..2_000_000_000).prop_map(|at| DateTime::from_timestamp(at, 0).unwrap().naive_utc());
    let time = prop_oneof![3 => near, 1 => time];
    (time, 0..7_usize).prop_map(|(time, zone): (NaiveDateTime, usize)| match zone {
        0 => Start::Day(time.date()),
        1 => Start::Floating(time),
        at => Start::Zoned(time, Zone::new(ZONES[at - 2]).unwrap()),
    })
}

fn found(series: &Series) -> Vec<Result<Occurrence, Truncated>> {
    series.occurrences().take(30).collect()
}

/// Reads lines in both ways and follows what is accepted.
fn follow(start: &Start, lines: &[String]) -> Result<(), TestCaseError> {
    let read = |reading| Series::parse(start, lines.iter().map(String::as_str), reading);
    let (strict, lenient) = (read(Reading::Strict), read(Reading::Lenient));
    let series = match (&strict, &lenient) {
        (Ok(strict), Ok(lenient)) => {
            let (strict, lenient) = (strict.clone().work_max(3_000), lenient.clone().work_max(3_000));
            prop_assert_eq!(found(&strict), found(&lenient));
            prop_assert!(lenient.notes().is_empty(), "noted, and not refused: {:?}", lenient.notes());
            lenient
        }
        (Err(refused), Ok(lenient)) => {
            prop_assert!(refused.line < lines.len() && refused.part.chars().count() <= 80);
            prop_assert!(!lenient.notes().is_empty(), "accepted without a note what strictly is {}", refused);
            lenient.clone().work_max(3_000)
        }
        (Ok(_), Err(refused)) => {
            return Err(TestCaseError::fail(format!("strict accepts what lenient does not: {refused}")));
        }
        (Err(_), Err(refused)) => {
            prop_assert!(refused.line < lines.len() && refused.part.chars().count() <= 80);
            return Ok(());
        }
    };
    let found = found(&series);
    prop_assert!(found.iter().flatten().is_sorted_by(|a, b| a.instant() < b.instant()));
    prop_assert!(found.iter().position(Result::is_err).is_none_or(|at| at + 1 == found.len()));
    let known: Vec<_> = found.into_iter().flatten().collect();
    let Some(middle) = known.get(known.len() / 2) else { return Ok(()) };
    let from: Vec<_> = series.occurrences_from(middle.instant()).take(3).map_while(Result::ok).collect();
    prop_assert!(known[known.len() / 2..].iter().zip(&from).all(|(a, b)| a == b));
    let own = Placed { start: start.clone(), length: Length::default(), value: () };
    let set = RecurrenceSet::new(own, Recurrence::new(lines.to_vec()), [], Reading::Lenient).unwrap();
    if let Ok(halves) = set.work_max(3_000).split(middle.slot()) {
        prop_assert_eq!(halves.following.series().occurrences().next(), Some(Ok(*middle)));
    }
    Ok(())
}

proptest! {
    #[test]
    fn changed_lines_of_the_corpus_are_refused_or_followed_within_bounds(start in any_start(), lines in changed_lines()) {
        follow(&start, &lines)?;
    }

    #[test]
    fn any_text_is_refused_or_followed_within_bounds(
        start in any_start(),
        lines in prop::collection::vec("(RRULE|EXRULE|RDATE|EXDATE|rrule;X=Y|)[:;](FREQ=(DAILY|WEEKLY|YEARLY|SECONDLY);?)?[ -~\\PC]{0,40}", 0..4),
    ) {
        follow(&start, &lines)?;
    }

    #[test]
    fn any_duration_is_read_or_not(text in "[-+]?[Pp]?[0-9TWDHMSPé]{0,12}") {
        let _ = Length::parse(&text);
    }
}

#[test]
fn the_corpus_itself_is_followed() {
    let start = Start::Day(NaiveDate::from_ymd_opt(2026, 11, 27).unwrap());
    for lines in LINES.iter() {
        follow(&start, lines).unwrap();
    }
}
