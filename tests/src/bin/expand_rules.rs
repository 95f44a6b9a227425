//! Expands recurrence lines for tests in other languages.
//!
//! Reads one JSON object a line: `dtstart` (a date, or a local time), `tzid` (or null), `lines`, `from` and `to` (instants, or null), `count` (how
//! many at most). Answers each with a line: `{"starts": [[wall, instant], …], "truncated": …}`, or `{"refused": why}`.

use calsync_core::Zone;
use calsync_core::calendar::{Reading, Series, Start};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use std::io::{BufRead as _, Write as _};

fn start(question: &Value) -> Option<Start> {
    let text = question["dtstart"].as_str()?;
    Some(match (text.parse(), question["tzid"].as_str()) {
        (Err(_), _) => Start::Day(text.parse().ok()?),
        (Ok(time), None) => Start::Floating(time),
        (Ok(time), Some(zone)) => Start::Zoned(time, Zone::new(zone).ok()?),
    })
}

fn answer(question: &Value) -> Value {
    let Some(start) = start(question) else { return json!({ "refused": "dtstart or tzid" }) };
    let lines = question["lines"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let series = match Series::parse(&start, lines, Reading::Strict) {
        Ok(series) => series,
        Err(refused) => return json!({ "refused": refused.to_string() }),
    };
    let bound = |key: &str| question[key].as_str().and_then(|text| text.parse::<DateTime<Utc>>().ok());
    let (from, to) = (bound("from").unwrap_or(DateTime::<Utc>::MIN_UTC), bound("to"));
    let count = question["count"].as_u64().unwrap_or(1_000);
    let (mut starts, mut truncated) = (Vec::new(), false);
    for found in series.occurrences_from(from).take(usize::try_from(count).unwrap_or(usize::MAX)) {
        match found {
            Ok(found) if to.is_some_and(|to| found.instant() >= to) => break,
            Ok(found) => starts.push(json!([
                found.wall().format("%Y-%m-%dT%H:%M:%S").to_string(),
                found.instant().format("%Y-%m-%dT%H:%M:%SZ").to_string(),
            ])),
            Err(_) => truncated = true,
        }
    }
    json!({ "starts": starts, "truncated": truncated })
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut answers = std::io::stdout().lock();
    for question in std::io::stdin().lock().lines() {
        writeln!(answers, "{}", answer(&serde_json::from_str(&question?)?))?;
    }
    Ok(())
}
