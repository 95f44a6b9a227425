//! Hours of a few people against appointments, as tables.

mod failures;
mod judge;
mod refused;
mod rules;
mod saying;
mod series;
mod slots;
mod warnings;

use super::*;
use crate::model::When;
use crate::zone::Zone;
use chrono::Weekday::{Fri, Mon, Sat, Sun, Thu, Tue, Wed};
use chrono::{DateTime, Duration, NaiveDate, Utc, Weekday};

const WORKDAYS: [Weekday; 5] = [Mon, Tue, Wed, Thu, Fri];
const ALL_DAYS: [Weekday; 7] = [Mon, Tue, Wed, Thu, Fri, Sat, Sun];

fn instant(text: &str) -> DateTime<Utc> {
    text.parse().expect("an instant")
}

fn date(text: &str) -> NaiveDate {
    text.parse().expect("a date")
}

fn periods(texts: &[&str]) -> Vec<Period> {
    texts.iter().map(|text| text.parse().expect("a period")).collect()
}

fn week(zone: &str, days: &[Weekday], times: &[&str]) -> Draft {
    Draft::new(zone).every(days.iter().copied(), periods(times))
}

/// Office hours in New York: nine to twelve, one to five.
fn office() -> Draft {
    week("America/New_York", &WORKDAYS, &["09:00-12:00", "13:00-17:00"])
}

fn layer(kind: LayerKind, days: &str, times: &[&str]) -> Layer {
    let (from, until) = days.split_once("..").unwrap_or((days, days));
    Layer::days(kind, date(from), date(until)).at(periods(times))
}

fn rota(draft: Draft) -> Rota {
    Rota::new(draft.check().expect("a good schedule"))
}

fn compile(draft: Draft, span: &str) -> Hours {
    let (from, until) = span.split_once("..").expect("two dates");
    let span = instant(&format!("{from}T00:00:00Z"))..instant(&format!("{until}T00:00:00Z"));
    Hours::compile(&rota(draft), span).expect("short enough")
}

/// What is said of an appointment: the verdict, and each part on the wall.
fn say(check: &Check) -> String {
    let parts = check.outside.iter().map(|part| {
        let [start, end] = [part.wall_start, part.wall_end].map(|wall| wall.format("%m-%d %H:%M"));
        format!("; {start} to {end} {}", part.reason)
    });
    let verdict = match check.verdict {
        Verdict::Skipped(skip) => format!("skipped: {skip}"),
        verdict => serde_json::to_value(verdict).expect("text").as_str().expect("text").to_owned(),
    };
    verdict + &parts.collect::<String>()
}

/// An appointment by the clock of the schedule's zone, compiled for that year and, the same, worked out at once.
#[track_caller]
fn judge(draft: &Draft, start: &str, minutes: i64, expected: &str) {
    let zone = Zone::new(&draft.zone).expect("a zone");
    let when =
        When::timed(start.parse().expect("a time"), Duration::minutes(minutes), &zone).expect("resolves");
    let span = when.start_instant().expect("resolves")..when.end_instant().expect("resolves");
    judge_instants(&rota(draft.clone()), span, expected);
}

#[track_caller]
fn judge_instants(rota: &Rota, span: std::ops::Range<DateTime<Utc>>, expected: &str) {
    let around = span.start - Duration::days(200)..span.end + Duration::days(200);
    let compiled = Hours::compile(rota, around).expect("short enough").check(span.start, span.end);
    assert_eq!(say(&compiled), expected);
    let nothing = Hours::compile(rota, span.start..span.start).expect("short enough");
    assert_eq!(nothing.check(span.start, span.end), compiled, "worked out at once");
    assert_eq!(nothing.verdict(span.start, span.end), compiled.verdict);
}
