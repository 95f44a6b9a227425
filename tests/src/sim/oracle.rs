//! What must be true when everything has come to rest, told without any knowledge of how it came about.

use super::gate::now;
use super::user::Users;
use super::world::{CALENDARS, World, time};
use crate::fake_google::FakeGoogle;
use calsync_core::engine::Engine;
use calsync_core::model::When;
use calsync_core::store::Store;
use chrono::{DateTime, Duration, Utc};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// An invariant that does not hold.
#[derive(Clone, Debug)]
pub struct Violation {
    /// Its id.
    pub invariant: &'static str,
    /// What is wrong.
    pub what: String,
}

impl Violation {
    /// A violation.
    pub fn new(invariant: &'static str, what: impl Into<String>) -> Self {
        Self { invariant, what: what.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.invariant, self.what)
    }
}

/// One occurrence as a calendar shows it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Shown {
    /// Start: a date, or an instant.
    pub start: String,
    /// End, exclusive.
    pub end: String,
    /// Title.
    pub summary: String,
    /// Place.
    pub location: String,
    /// Text.
    pub description: String,
    /// Guests' addresses, without the calendars of this world.
    pub guests: String,
}

/// All occurrences that the CRM shows of an agent.
///
/// # Panics
/// When the CRM cannot be read.
#[allow(clippy::expect_used)]
pub fn shown_in_crm(engine: &Engine, agent: &str, from: DateTime<Utc>, to: DateTime<Utc>) -> Vec<Shown> {
    let crm = engine.appointments().expect("the own table");
    let mut shown: Vec<Shown> = (now(crm.window(agent, from, to)).expect("readable").into_iter())
        .map(|shown| {
            let a = shown.appointment;
            let (start, end) = match &a.when {
                When::AllDay { start, end } => (start.to_string(), end.to_string()),
                When::Timed { start, end } => (
                    start.instant().expect("a time").to_rfc3339(),
                    end.instant().expect("a time").to_rfc3339(),
                ),
            };
            let guests: Vec<&str> =
                a.attendees.keys().map(String::as_str).filter(|g| g.contains("guest")).collect();
            let text = |text: Option<String>| text.unwrap_or_default();
            let (summary, location, description) = (text(a.summary), text(a.location), text(a.description));
            Shown { start, end, summary, location, description, guests: guests.join(" ") }
        })
        .collect();
    shown.sort();
    shown
}

/// All occurrences that Google shows in a calendar, by Google's own expansion.
///
/// # Panics
/// When Google gives times that are none.
#[allow(clippy::expect_used)]
pub fn shown_by(google: &FakeGoogle, calendar: &str, from: DateTime<Utc>, to: DateTime<Utc>) -> Vec<Shown> {
    let instances = google.instances(calendar, from, to);
    let edge = |value: &serde_json::Value| match value["date"].as_str() {
        Some(date) => date.to_owned(),
        None => {
            let time: DateTime<Utc> = value["dateTime"].as_str().unwrap_or_default().parse().expect("a time");
            time.to_rfc3339()
        }
    };
    let mut shown: Vec<Shown> = (instances.iter())
        .filter(|event| event["status"] != "cancelled")
        .map(|event| {
            let text = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
            let mut guests: Vec<&str> = (event["attendees"].as_array().into_iter().flatten())
                .filter_map(|guest| guest["email"].as_str())
                .filter(|guest| guest.contains("guest"))
                .collect();
            guests.sort_unstable();
            let (start, end) = (edge(&event["start"]), edge(&event["end"]));
            let (summary, location, description) = (text("summary"), text("location"), text("description"));
            Shown { start, end, summary, location, description, guests: guests.join(" ") }
        })
        .collect();
    shown.sort();
    shown
}

pub(super) fn check(world: &World, engine: &Engine, users: &Users) -> Result<(), Violation> {
    let from = time(world) - Duration::days(400);
    let to = time(world) + Duration::days(400);
    let mut everywhere: BTreeMap<&str, Vec<Vec<Shown>>> = BTreeMap::new();
    for (agent, calendar) in CALENDARS {
        let crm = shown_in_crm(engine, agent, from, to);
        let google = shown_by(&world.google(), calendar, from, to);
        // A meeting that stands in two calendars has its guests in the one that organises it, and in no other (G04).
        let bare = |shown: &[Shown]| -> Vec<Shown> {
            let mut bare: Vec<Shown> =
                shown.iter().map(|s| Shown { guests: String::new(), ..s.clone() }).collect();
            bare.sort();
            bare
        };
        let (crm, bare_google) = (bare(&crm), bare(&google));
        if crm != bare_google {
            let only =
                |a: &[Shown], b: &[Shown]| a.iter().filter(|x| !b.contains(x)).cloned().collect::<Vec<_>>();
            let (here, there) = (only(&crm, &bare_google), only(&bare_google, &crm));
            let twice = |a: &[Shown]| {
                a.windows(2).filter(|pair| pair[0] == pair[1]).map(|p| p[0].clone()).collect::<Vec<_>>()
            };
            if here.is_empty() && there.is_empty() {
                let (here, there) = (twice(&crm), twice(&bare_google));
                return Err(Violation::new(
                    "C3",
                    format!("{calendar}: twice in the CRM {here:?}, in Google {there:?}"),
                ));
            }
            return Err(Violation::new(
                "C1",
                format!("{calendar}: only in the CRM {here:?}, only in Google {there:?}"),
            ));
        }
        if let Some(doubled) =
            google.windows(2).find(|pair| pair[0] == pair[1] && !users.split.contains(&pair[0].description))
        {
            return Err(Violation::new("C3", format!("{calendar}: twice {:?}", doubled[0])));
        }
        everywhere.entry(agent).or_default().push(google);
    }
    for (agent, calendars) in &everywhere {
        for shown in shown_in_crm(engine, agent, from, to) {
            // What was deleted and came back from a second copy came back without its guests.
            let known = !users.loose.contains(&shown.description);
            if known && !calendars.iter().any(|google| google.contains(&shown)) {
                return Err(Violation::new(
                    "C1",
                    format!("no calendar of {agent} has the guests of {shown:?}"),
                ));
            }
        }
    }
    masters_are_single(world)?;
    nothing_comes_back(&everywhere, users)?;
    nothing_is_lost(world, &everywhere, users)?;
    nobody_is_mailed_twice(world)
}

/// C3: an appointment has one event in a calendar.
fn masters_are_single(world: &World) -> Result<(), Violation> {
    for (_, calendar) in CALENDARS {
        let mut seen = BTreeSet::new();
        for event in world.google().events(calendar) {
            if event["status"] == "cancelled" || !event["recurringEventId"].is_null() {
                continue;
            }
            let entity = event["description"].as_str().unwrap_or_default().to_owned();
            if !seen.insert(entity.clone()) {
                return Err(Violation::new("C3", format!("{calendar}: two events of {entity}")));
            }
        }
    }
    Ok(())
}

/// C4: what was deleted while everything was at rest, and not touched since, is nowhere.
fn nothing_comes_back(everywhere: &BTreeMap<&str, Vec<Vec<Shown>>>, users: &Users) -> Result<(), Violation> {
    for (entity, _) in users.deleted.iter() {
        if everywhere.values().flatten().flatten().any(|shown| shown.description == *entity) {
            return Err(Violation::new("C4", format!("{entity} was deleted and is back")));
        }
    }
    Ok(())
}

/// C2: the last value that somebody wrote is visible, or was overwritten by a concurrent one and is in the journal.
#[allow(clippy::expect_used)]
fn nothing_is_lost(
    world: &World,
    everywhere: &BTreeMap<&str, Vec<Vec<Shown>>>,
    users: &Users,
) -> Result<(), Violation> {
    let mut last: BTreeMap<(&str, &str), Vec<&super::user::Written>> = BTreeMap::new();
    for written in users.written.iter().filter(|written| !users.loose.contains(&written.entity)) {
        last.entry((&written.entity, written.unit)).or_default().push(written);
    }
    let mut journal = users.kept.clone();
    for binding in &world.bindings {
        journal.extend(
            now(world.store.journal(&"default".into(), &binding.id, None, 100_000)).expect("readable"),
        );
    }
    let kept = |token: &str| {
        journal.iter().any(|entry| {
            [&entry.lost, &entry.before]
                .into_iter()
                .flatten()
                .any(|fields| fields.iter().any(|(_, value)| value.as_str() == Some(token)))
        })
    };
    for ((entity, unit), writes) in last {
        let values: BTreeSet<&str> = everywhere
            .values()
            .flatten()
            .flatten()
            .filter(|shown| shown.description == entity)
            .map(|shown| if unit == "summary" { shown.summary.as_str() } else { shown.location.as_str() })
            .collect();
        let Some(newest) = writes.last() else { continue };
        if values.is_empty() {
            return Err(Violation::new("C2", format!("{entity} is nowhere although nobody deleted it")));
        }
        if users.vague.contains(entity) {
            continue;
        }
        // Written when both sides were at rest and alone in its time: nothing else may be visible.
        let alone = writes.iter().filter(|written| written.epoch == newest.epoch).count() == 1;
        let visible = values.contains(newest.token.as_str());
        if !visible && (alone || !kept(&newest.token)) {
            return Err(Violation::new(
                "C2",
                format!("{entity}: {unit} {} is neither visible nor kept", newest.token),
            ));
        }
        let ours = writes.iter().filter(|written| written.epoch == newest.epoch);
        let visible_is_theirs = ours.clone().any(|written| values.contains(written.token.as_str()));
        if !visible_is_theirs {
            return Err(Violation::new(
                "C2",
                format!("{entity}: {unit} shows an older value than {}", newest.token),
            ));
        }
    }
    Ok(())
}

/// C7: nobody is mailed without leave, and nobody twice about one operation; but a store that went back to before a meeting that
/// left no trace invites to it for the first time, for all it knows.
fn nobody_is_mailed_twice(world: &World) -> Result<(), Violation> {
    let google = world.google();
    let authorised = world.seed.is_multiple_of(5);
    let mut seen = BTreeSet::new();
    for mail in google.mails() {
        if !authorised {
            return Err(Violation::new("C7", format!("a mail to {} about {}", mail.recipient, mail.event)));
        }
        let stamp =
            mail.stamp.get("calsyncOperation").and_then(|v| v.as_str()).unwrap_or_default().to_owned();
        if !stamp.is_empty()
            && !world.purged.contains(&mail.event)
            && mail.kind != crate::fake_google::MailKind::Cancellation
            && !seen.insert((mail.recipient.clone(), mail.event.clone(), stamp))
        {
            return Err(Violation::new("C7", format!("two mails to {} about one operation", mail.recipient)));
        }
    }
    Ok(())
}
