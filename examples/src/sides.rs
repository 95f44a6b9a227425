//! What each side shows, so that both can be held against each other.
//!
//! Neither list comes from calsync's planner or its links: the CRM's is what its own window shows, Google's is the fake's own
//! expansion of the series. Agreement therefore means that an agent who looks at both sees the same appointments.

use crate::Result;
use calsync_core::engine::Engine;
use calsync_core::model::When;
use calsync_testkit::fake_google::FakeGoogle;
use chrono::{DateTime, NaiveDate, Utc};
use serde_json::Value;
use std::collections::BTreeMap;

/// One occurrence as a calendar shows it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Shown {
    /// Its start: an instant in UTC, or the beginning of a day where it takes whole days.
    pub start: DateTime<Utc>,
    /// Its end, exclusive.
    pub end: DateTime<Utc>,
    /// Whether it takes whole days.
    pub all_day: bool,
    /// Title.
    pub summary: String,
    /// Place.
    pub location: String,
    /// Text.
    pub description: String,
    /// The guests' addresses.
    pub guests: Vec<String>,
}

/// What the CRM shows of an agent.
///
/// # Errors
/// When the CRM cannot be read.
pub async fn in_crm(
    engine: &Engine,
    agent: &str,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> Result<Vec<Shown>> {
    let mut all = Vec::new();
    for shown in engine.appointments()?.window(agent, from, to).await? {
        let appointment = shown.appointment;
        let (start, end, all_day) = match &appointment.when {
            When::AllDay { start, end } => (midnight(*start), midnight(*end), true),
            When::Timed { start, end } => (start.instant()?, end.instant()?, false),
        };
        all.push(Shown {
            start,
            end,
            all_day,
            summary: appointment.summary.unwrap_or_default(),
            location: appointment.location.unwrap_or_default(),
            description: appointment.description.unwrap_or_default(),
            guests: appointment.attendees.into_keys().collect(),
        });
    }
    all.sort();
    Ok(all)
}

/// What Google shows in a calendar.
///
/// # Errors
/// When a time of Google's cannot be read.
pub fn in_google(
    google: &FakeGoogle,
    calendar: &str,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> Result<Vec<Shown>> {
    let mut all = Vec::new();
    for event in google.instances(calendar, from, to).iter().filter(|event| event["status"] != "cancelled") {
        let text = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
        let guests = event["attendees"].as_array().into_iter().flatten();
        let mut guests: Vec<String> =
            guests.filter_map(|guest| guest["email"].as_str()).map(str::to_lowercase).collect();
        guests.sort();
        all.push(Shown {
            start: edge(&event["start"])?,
            end: edge(&event["end"])?,
            all_day: event["start"]["date"].is_string(),
            summary: text("summary"),
            location: text("location"),
            description: text("description"),
            guests,
        });
    }
    all.sort();
    Ok(all)
}

/// One line of both lists beside each other: how many of an occurrence the CRM has, and how many Google has.
pub fn beside(crm: &[Shown], google: &[Shown]) -> Vec<(Shown, usize, usize)> {
    let mut counts: BTreeMap<&Shown, (usize, usize)> = BTreeMap::new();
    for shown in crm {
        counts.entry(shown).or_default().0 += 1;
    }
    for shown in google {
        counts.entry(shown).or_default().1 += 1;
    }
    counts.into_iter().map(|(shown, (here, there))| (shown.clone(), here, there)).collect()
}

fn edge(value: &Value) -> Result<DateTime<Utc>> {
    Ok(match (value["date"].as_str(), value["dateTime"].as_str()) {
        (Some(date), _) => midnight(date.parse()?),
        (None, Some(time)) => time.parse()?,
        (None, None) => return Err("Google has an event without a time".into()),
    })
}

fn midnight(date: NaiveDate) -> DateTime<Utc> {
    date.and_time(chrono::NaiveTime::MIN).and_utc()
}
