//! The cases of the corpus, and each of them asked in the middle and for all at once.

use calsync_core::Zone;
use calsync_core::calendar::{Gap, Occurrence, Reading, Refused, Series, Start, Truncated};
use calsync_core::model::ZonedTime;
use chrono::{DateTime, NaiveDateTime, Utc};
use serde_json::Value;

/// Enough for every rule of the corpus.
const WORK: u64 = 3_000_000;

struct Case(Value);

impl Case {
    fn all() -> Vec<Self> {
        let text = include_str!("../data/recurrence/cases.json");
        let cases: Vec<Value> = serde_json::from_str(text).unwrap();
        cases.into_iter().map(Self).collect()
    }

    fn of_kind(kind: &str) -> Vec<Self> {
        let cases: Vec<Self> = Self::all().into_iter().filter(|case| case.0["kind"] == kind).collect();
        assert!(cases.len() > 50, "{kind}: {}", cases.len());
        cases
    }

    fn text(&self, key: &str) -> Option<&str> {
        self.0[key].as_str()
    }

    fn id(&self) -> &str {
        self.text("id").unwrap()
    }

    fn start(&self) -> Start {
        let start = self.text("dtstart").unwrap();
        match (start.parse::<NaiveDateTime>(), self.text("tzid")) {
            (Err(_), _) => Start::Day(start.parse().unwrap()),
            (Ok(time), None) => Start::Floating(time),
            (Ok(time), Some(zone)) => Start::Zoned(time, Zone::new(zone).unwrap()),
        }
    }

    fn parse(&self, reading: Reading) -> Result<Series, Refused> {
        let lines = self.0["lines"].as_array().unwrap().iter().map(|line| line.as_str().unwrap());
        Series::parse(&self.start(), lines, reading).map(|series| series.work_max(WORK))
    }

    /// The bound of a window: local time in the zone of the series.
    fn bound(&self, key: &str) -> Option<DateTime<Utc>> {
        let text = self.text(key)?;
        if let Ok(instant) = text.parse() {
            return Some(instant);
        }
        let time = text.parse().unwrap_or_else(|_| format!("{text}T00:00:00").parse().unwrap());
        Some(match self.start() {
            Start::Zoned(_, zone) => ZonedTime::new(time, zone).instant().unwrap(),
            _ => time.and_utc(),
        })
    }

    /// As the corpus writes it.
    fn show(&self, occurrence: Occurrence) -> String {
        let wall = occurrence.wall();
        match (self.start(), self.text("tzid")) {
            (Start::Day(_), _) => wall.format("%Y-%m-%d").to_string(),
            (Start::Floating(_), _) => wall.format("%Y-%m-%dT%H:%M:%S").to_string(),
            (Start::Zoned(..), Some("UTC")) => wall.format("%Y-%m-%dT%H:%M:%SZ").to_string(),
            (Start::Zoned(..), _) => {
                let ahead = (wall - occurrence.instant().naive_utc()).num_minutes();
                let (sign, ahead) = (if ahead < 0 { '-' } else { '+' }, ahead.abs());
                format!("{}{sign}{:02}:{:02}", wall.format("%Y-%m-%dT%H:%M:%S"), ahead / 60, ahead % 60)
            }
        }
    }

    fn expected(&self, gap: Gap) -> Vec<&str> {
        let skipping = self.0["expected_skip"].as_array().filter(|_| gap == Gap::Skip);
        let list = skipping.unwrap_or_else(|| self.0["expected"].as_array().unwrap());
        let mut list: Vec<&str> = list.iter().map(|text| text.as_str().unwrap()).collect();
        list.dedup();
        list
    }

    /// As many as the corpus lists, and one more where it lists all.
    fn found(&self, series: &Series, gap: Gap) -> Result<Vec<Occurrence>, Truncated> {
        let to = self.bound("to");
        let from = self.bound("from");
        let count = self.expected(gap).len() + usize::from(self.0["complete"] == true);
        let from_start = from.is_none().then(|| series.occurrences());
        let from_there = from.map(|from| series.occurrences_from(from));
        from_start
            .into_iter()
            .flatten()
            .chain(from_there.into_iter().flatten())
            .take_while(|found| found.is_err() || to.is_none_or(|to| found.is_ok_and(|o| o.instant() < to)))
            .take(count)
            .collect()
    }

    /// What is wrong with the answers to this case.
    fn check(&self, series: &Series, gap: Gap) -> Option<String> {
        let found = match self.found(series, gap) {
            Ok(found) => found,
            Err(truncated) => return Some(truncated.to_string()),
        };
        let shown: Vec<String> = found.iter().map(|occurrence| self.show(*occurrence)).collect();
        (shown != self.expected(gap)).then(|| format!("{shown:?} instead of {:?}", self.expected(gap)))
    }
}

fn report(wrong: &[String]) {
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_rule_gives_what_engines_of_two_lineages_give() {
    let mut wrong = Vec::new();
    for case in Case::of_kind("expand") {
        for gap in [Gap::Forward, Gap::Skip] {
            for reading in [Reading::Strict, Reading::Lenient] {
                let failed = match case.parse(reading) {
                    Ok(series) => case.check(&series.gap(gap), gap),
                    Err(refused) => Some(refused.to_string()),
                };
                wrong.extend(failed.map(|failed| format!("{} {gap:?} {reading:?}: {failed}", case.id())));
            }
        }
    }
    report(&wrong);
}

#[test]
fn what_the_rfc_has_no_meaning_for_is_refused_when_read_strictly() {
    let accepted = Case::of_kind("reject").into_iter().filter(|case| case.parse(Reading::Strict).is_ok());
    report(&accepted.map(|case| format!("{}: {}", case.id(), case.0["lines"])).collect::<Vec<_>>());
    // Where it stands and why; `strict.rs` holds the words.
    for case in Case::of_kind("reject") {
        let refused = case.parse(Reading::Strict).unwrap_err();
        let line = case.0["lines"][refused.line].as_str().unwrap();
        let place = line.find(&refused.part).is_some_and(|at| at > 0) || line == "RRULE:";
        assert!(place && !refused.why.is_empty(), "{}: {line}: {refused}", case.id());
    }
}

#[test]
fn what_the_rfc_forbids_is_refused_or_means_what_others_take_it_for() {
    let mut wrong = Vec::new();
    for case in Case::of_kind("forbidden") {
        assert!(case.parse(Reading::Strict).is_err(), "{}", case.id());
        if let Ok(series) = case.parse(Reading::Lenient) {
            assert!(!series.notes().is_empty(), "{}: accepted without a note", case.id());
            wrong.extend(case.check(&series, Gap::Forward).map(|failed| format!("{}: {failed}", case.id())));
        }
    }
    report(&wrong);
}

/// Whoever asks for a later part, or for many at once, gets what walking there from the start gives.
#[test]
fn a_series_asked_in_the_middle_answers_as_one_that_is_walked_from_its_start() {
    let mut wrong = Vec::new();
    for case in Case::of_kind("expand") {
        for gap in [Gap::Forward, Gap::Skip] {
            let series = case.parse(Reading::Strict).unwrap().gap(gap);
            let all: Vec<_> = series.occurrences().take(120).map_while(Result::ok).collect();
            let Some(last) = all.last() else { continue };
            for (at, from) in all.iter().enumerate() {
                let tail: Vec<_> = series
                    .occurrences_from(from.instant())
                    .take(all.len() - at)
                    .map_while(Result::ok)
                    .collect();
                let mut filled = Vec::new();
                series.fill(from.instant()..last.instant(), &mut filled).unwrap();
                let instants = all[at..].iter().map(|occurrence| occurrence.instant().timestamp());
                if tail != all[at..] || !instants.take(all.len() - at - 1).eq(filled) {
                    wrong.push(format!("{} {gap:?} from {}: {}", case.id(), from.instant(), case.0["lines"]));
                    break;
                }
            }
        }
    }
    report(&wrong);
}
