//! People on both sides, who create, edit, move, cancel, delete, hand over and split, as the seed says.
//!
//! Everything they write carries a token that is used once, so that the oracle can tell where it is and what became of it.

use super::gate::now;
use super::world::{CALENDARS, World, time};
use calsync_core::clock::EntropyExt;
use calsync_core::engine::Engine;
use calsync_core::model::{Appointment, Attendee, Recurrence, Slot, When};
use calsync_core::store::JournalEntry;
use calsync_core::{RecordId, Zone, calendar};
use chrono::{DateTime, Duration, NaiveDateTime, Utc};
use serde_json::{Value, json};

/// Somebody wrote a value.
#[derive(Clone, Debug)]
pub(super) struct Written {
    /// The token that was written.
    pub token: String,
    /// The token of the appointment that it was written into, in its description.
    pub entity: String,
    /// `summary` or `location`.
    pub unit: &'static str,
    /// After how many moments of rest.
    pub epoch: u64,
}

/// What people did so far.
#[derive(Debug, Default)]
pub(super) struct Users {
    next: u64,
    epoch: u64,
    count: u64,
    /// Values in the order in which they were written.
    pub written: Vec<Written>,
    /// Appointments about whose values nothing is claimed any more: deleted, cancelled, split or handed over.
    pub loose: std::collections::BTreeSet<String>,
    /// Appointments that must be there, and of whose values nothing is claimed.
    pub(super) vague: std::collections::BTreeSet<String>,
    /// Appointments that somebody deleted while both sides were at rest and nobody touched since.
    pub deleted: std::collections::BTreeMap<String, u64>,
    /// Series that were split: their token may stand in occurrences of the other half.
    pub(super) split: std::collections::BTreeSet<String>,
    /// Values that a store which is no more kept in its journal.
    pub(super) kept: Vec<JournalEntry>,
    /// Everything that was touched, in order.
    pub(super) trail: Vec<String>,
    /// Appointments that were touched by anything since the last rest.
    pub(super) touched: std::collections::BTreeSet<String>,
    /// What happened, for a failing seed.
    pub log: Vec<String>,
}

impl Users {
    /// How many things were done.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// Both sides are the same now.
    pub(super) fn rested(&mut self) {
        self.epoch += 1;
        self.touched.clear();
    }

    /// Nothing is claimed about this appointment any more, nor that it is gone.
    pub(super) fn loosen(&mut self, entity: &str, what: &str) {
        self.touch(entity, what);
        self.loose.insert(entity.to_owned());
    }

    /// Somebody entered this in Google.
    pub(super) fn entered(&mut self, entity: &str, title: &str) {
        self.touch(entity, "create in Google");
        self.wrote(entity, "summary", title);
    }

    fn token(&mut self, kind: &str) -> String {
        self.next += 1;
        format!("{kind}{}", self.next)
    }

    fn touch(&mut self, entity: &str, what: &str) {
        self.count += 1;
        self.trail.push(entity.to_owned());
        self.log.push(format!("{} {entity}: {what}", self.epoch));
        if !self.touched.insert(entity.to_owned()) {
            self.deleted.remove(entity);
        }
        if what != "delete" {
            self.deleted.remove(entity);
        }
    }

    fn wrote(&mut self, entity: &str, unit: &'static str, token: &str) {
        let (entity, token) = (entity.to_owned(), token.to_owned());
        self.written.push(Written { token, entity, unit, epoch: self.epoch });
    }

    /// Somebody does something somewhere.
    pub(super) fn act(&mut self, world: &World, engine: &Engine, step: u64) {
        let roll = world.chance.below(100);
        if roll < 50 { self.in_crm(world, engine, step) } else { self.in_google(world, step) }
    }

    fn start(world: &World) -> NaiveDateTime {
        let day = world.chance.below(40) as i64;
        let hour = 8 + world.chance.below(9) as i64;
        let first: NaiveDateTime = chrono::NaiveDate::default().and_time(chrono::NaiveTime::MIN);
        let base = DateTime::<Utc>::from_timestamp(1_792_454_400, 0).map_or(first, |t| t.naive_utc()); // 2026-10-20
        base + Duration::days(day) + Duration::hours(hour)
    }

    fn rule(world: &World) -> Option<&'static str> {
        match world.chance.below(6) {
            0 => Some("RRULE:FREQ=WEEKLY;COUNT=6"),
            1 => Some("RRULE:FREQ=DAILY;INTERVAL=2;COUNT=5"),
            2 => Some("RRULE:FREQ=WEEKLY;UNTIL=20261201T235959Z"),
            _ => None,
        }
    }

    // ---- in the CRM ----

    #[allow(clippy::expect_used)]
    fn in_crm(&mut self, world: &World, engine: &Engine, _step: u64) {
        let crm = engine.appointments().expect("the own table");
        let zones = ["America/New_York", "America/Vancouver", "Europe/Berlin"];
        let agents = ["amy@example.com", "bob@example.com"];
        let records = now(all_records(world));
        if records.is_empty() || world.chance.below(5) == 0 {
            let entity = self.token("e");
            let title = self.token("s");
            let zone = Zone::new(zones[world.chance.below(3) as usize]).expect("a zone");
            let when = if world.chance.below(5) == 0 {
                When::day(Self::start(world).date())
            } else {
                When::timed(
                    Self::start(world),
                    Duration::minutes(30 + 30 * world.chance.below(4) as i64),
                    &zone,
                )
                .expect("a time")
            };
            let mut appointment = Appointment::new(title.clone(), when);
            appointment.description = Some(entity.clone());
            if let Some(rule) = Self::rule(world) {
                let all_day = matches!(appointment.when, When::AllDay { .. });
                let rule = if all_day { rule.replace("T235959Z", "") } else { rule.to_owned() };
                appointment.recurrence = Recurrence::new(vec![rule]);
            }
            if world.chance.below(4) == 0 {
                appointment.attendees.insert("guest@elsewhere.org".into(), Attendee::default());
            }
            let agent = agents[world.chance.below(2) as usize];
            now(crm.create(agent, &appointment)).expect("created");
            self.touch(&entity, "create in CRM");
            self.wrote(&entity, "summary", &title);
            return;
        }
        let Known { id, entity, recurring, copy } =
            records[world.chance.below(records.len() as u64) as usize].clone();
        let what = world.chance.below(12);
        match what {
            0..=3 => {
                let unit = if world.chance.below(2) == 0 { "summary" } else { "location" };
                let token = self.token("v");
                now(crm.edit(&id, |a| {
                    let field = if unit == "summary" { &mut a.summary } else { &mut a.location };
                    *field = Some(token.clone());
                }))
                .expect("edited");
                self.touch(&entity, "edit in CRM");
                self.wrote(&entity, unit, &token);
            }
            4 => {
                let by = Duration::minutes(15 * (1 + world.chance.below(4) as i64));
                now(crm.edit(&id, |a| {
                    if let When::Timed { start, end } = &mut a.when
                        && a.recurrence.is_empty()
                    {
                        start.time += by;
                        end.time += by;
                    }
                }))
                .expect("moved");
                self.touch(&entity, "move in CRM");
            }
            5 => {
                now(crm.edit(&id, |a| {
                    let name = format!("guest{}@elsewhere.org", world.chance.below(3));
                    if a.attendees.remove(&name).is_none() {
                        a.attendees.insert(name, Attendee::default());
                    }
                }))
                .expect("edited");
                self.touch(&entity, "guests in CRM");
            }
            6 | 7 => {
                if what == 6 {
                    now(crm.delete(&id)).expect("deleted");
                } else {
                    now(crm.cancel(&id)).expect("cancelled");
                }
                if copy {
                    self.touch(&entity, "take a copy off in CRM");
                    self.loose.insert(entity);
                } else {
                    self.gone(&entity, "delete");
                }
            }
            8 => {
                let agent = agents[world.chance.below(2) as usize];
                now(crm.reassign(&id, agent)).expect("handed over");
                self.touch(&entity, "hand over in CRM");
                self.loose.insert(entity);
            }
            _ if recurring => {
                let Some(slot) = self.slot(world, &id, &crm) else { return };
                match world.chance.below(4) {
                    0 => {
                        now(crm.cancel_occurrence(&id, slot)).expect("cancelled");
                        self.touch(&entity, "cancel an occurrence in CRM");
                        self.loose.insert(entity);
                    }
                    1 if world.splits => {
                        let title = self.token("s");
                        let other = self.token("e");
                        let split = now(crm.edit_following(&id, slot, |a| {
                            a.summary = Some(title.clone());
                            a.description = Some(other.clone());
                        }));
                        if split.is_ok() {
                            self.halved(entity, other, "split in CRM");
                        }
                    }
                    _ => {
                        let token = self.token("o");
                        let by = Duration::minutes(30);
                        let moves = world.chance.below(2) == 0;
                        now(crm.edit_occurrence(&id, slot, |a| {
                            a.location = Some(token.clone());
                            if let (true, When::Timed { start, end }) = (moves, &mut a.when) {
                                start.time += by;
                                end.time += by;
                            }
                        }))
                        .expect("edited");
                        self.touch(&entity, "edit an occurrence in CRM");
                        self.loose.insert(entity);
                    }
                }
            }
            _ => {}
        }
    }

    #[allow(clippy::expect_used)]
    fn slot(&self, world: &World, id: &RecordId, crm: &calsync_core::engine::Appointments) -> Option<Slot> {
        let record = now(crm.read(id)).expect("read")?;
        let appointment = Appointment::from_fields(&record.fields?).ok()?;
        let far = time(world) + Duration::days(365);
        let slots = calendar::expand(&appointment.when, &appointment.recurrence, far).ok()?.slots;
        if slots.is_empty() { None } else { Some(slots[world.chance.below(slots.len() as u64) as usize]) }
    }

    /// "This and following": nothing is claimed about the values of either half any more.
    fn halved(&mut self, entity: String, other: String, what: &str) {
        self.touch(&entity, what);
        self.touched.insert(other.clone());
        self.split.insert(entity.clone());
        self.loose.extend([entity, other]);
    }

    pub(super) fn gone(&mut self, entity: &str, what: &str) {
        let calm = !self.touched.contains(entity);
        self.touch(entity, what);
        self.loose.insert(entity.to_owned());
        if calm && !self.split.contains(entity) {
            self.deleted.insert(entity.to_owned(), self.epoch);
        }
    }

    // ---- in Google ----

    fn in_google(&mut self, world: &World, _step: u64) {
        let at = world.chance.below(CALENDARS.len() as u64) as usize;
        let calendar = CALENDARS[at].1;
        let now = time(world);
        let mut google = world.google();
        let living: Vec<Value> = (google.events(calendar))
            .filter(|event| event["status"] != "cancelled" && event["recurringEventId"].is_null())
            .collect();
        if living.is_empty() || world.chance.below(5) == 0 {
            let (entity, title) = (self.token("e"), self.token("s"));
            let start = Self::start(world);
            let end = start + Duration::hours(1);
            let zone = ["America/New_York", "Europe/Berlin"][world.chance.below(2) as usize];
            let mut event = json!({"summary": title, "description": entity});
            if world.chance.below(5) == 0 {
                event["start"] = json!({"date": start.date()});
                event["end"] = json!({"date": start.date() + Duration::days(1)});
            } else {
                event["start"] =
                    json!({"dateTime": start.format("%Y-%m-%dT%H:%M:%S").to_string(), "timeZone": zone});
                event["end"] =
                    json!({"dateTime": end.format("%Y-%m-%dT%H:%M:%S").to_string(), "timeZone": zone});
            }
            if let Some(rule) = Self::rule(world) {
                let rule = if event["start"]["date"].is_null() {
                    rule.to_owned()
                } else {
                    rule.replace("T235959Z", "")
                };
                event["recurrence"] = json!([rule]);
            }
            if google.user_insert(now, calendar, &event).is_ok() {
                self.entered(&entity, &title);
            }
            return;
        }
        let event = &living[world.chance.below(living.len() as u64) as usize];
        let (Some(id), Some(entity)) = (event["id"].as_str(), event["description"].as_str()) else { return };
        let entity = entity.to_owned();
        let recurring = !event["recurrence"].is_null();
        match world.chance.below(10) {
            0..=3 => {
                let unit = if world.chance.below(2) == 0 { "summary" } else { "location" };
                let token = self.token("v");
                if google.user_patch(now, calendar, id, &json!({unit: token})).is_ok() {
                    self.touch(&entity, "edit in Google");
                    self.wrote(&entity, unit, &token);
                }
            }
            // A guest who takes a copy off the own calendar says nothing about the meeting.
            4 if event["organizer"]["self"] == true => {
                let deleted = google.user_delete(now, calendar, id).is_ok();
                if deleted {
                    self.gone(&entity, "delete");
                }
            }
            5 => {
                // A detail that calsync does not model.
                let colour = (1 + world.chance.below(11)).to_string();
                let _ = google.user_patch(now, calendar, id, &json!({"colorId": colour}));
                self.touch(&entity, "colour in Google");
            }
            _ if recurring => {
                let instances =
                    google.instances(calendar, now - Duration::days(60), now + Duration::days(120));
                let of: Vec<&Value> = instances.iter().filter(|i| i["recurringEventId"] == id).collect();
                if of.is_empty() {
                    return;
                }
                let instance = of[world.chance.below(of.len() as u64) as usize];
                let Some(instance_id) = instance["id"].as_str().map(str::to_owned) else { return };
                match world.chance.below(4) {
                    0 => {
                        if google.user_delete(now, calendar, &instance_id).is_ok() {
                            self.touch(&entity, "cancel an occurrence in Google");
                            self.loose.insert(entity.clone());
                        }
                    }
                    1 if world.splits => {
                        let slot = instance_id.rsplit('_').next().unwrap_or_default().to_owned();
                        let (title, other) = (self.token("s"), self.token("e"));
                        let patch = json!({"summary": title, "description": other});
                        if google.user_split(now, calendar, id, &slot, &patch).is_ok() {
                            self.halved(entity, other, "split in Google");
                        }
                    }
                    _ => {
                        let token = self.token("o");
                        if google.user_patch(now, calendar, &instance_id, &json!({"location": token})).is_ok()
                        {
                            self.touch(&entity, "edit an occurrence in Google");
                            self.loose.insert(entity.clone());
                        }
                    }
                }
            }
            _ => {}
        }
    }
}

/// A living record of the CRM that is no occurrence.
#[derive(Clone)]
struct Known {
    id: RecordId,
    /// Its token.
    entity: String,
    recurring: bool,
    /// A guest's copy of a meeting that somebody else organises.
    copy: bool,
}

#[allow(clippy::expect_used)]
async fn all_records(world: &World) -> Vec<Known> {
    let store = super::world::store(world);
    let mut found = Vec::new();
    let mut position = None;
    loop {
        let changes =
            store.record_changes(&"default".into(), None, position.as_ref(), 1000).await.expect("readable");
        for record in changes.records {
            let Some(fields) = record.fields.filter(|_| record.occurrence.is_none()) else { continue };
            if fields.get("status").and_then(|s| s.as_str()) == Some("cancelled") {
                continue;
            }
            let entity = fields.get("description").and_then(|d| d.as_str()).unwrap_or_default().to_owned();
            let recurring = fields.get("when").is_some_and(|when| !when["recurrence"].is_null());
            let organizer = fields.get("organizer").and_then(|organizer| organizer["email"].as_str());
            let own = |address: &str| CALENDARS.contains(&(record.agent.as_str(), address));
            let copy = organizer.is_some_and(|address| !own(address));
            found.push(Known { id: record.id, entity, recurring, copy });
        }
        position = changes.position;
        if !changes.more {
            return found;
        }
    }
}
