//! How an event looks to somebody: the JSON of the event resource.
//!
//! What is seen depends on the reader's role, on the zone that was asked for, and on who the reader is: reminders are
//! the reader's own, `self` marks the calendar that is being read.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use super::behaviour::{Behaviour, TombstoneForm};
use super::model::{Account, Calendar, Event, Role, email_of, same_address};
use super::when::{When, Zone, render_millis};
use std::collections::BTreeMap;

pub(crate) struct View<'a> {
    pub(crate) calendar: &'a Calendar,
    pub(crate) accounts: &'a BTreeMap<String, Account>,
    pub(crate) behaviour: &'a Behaviour,
    pub(crate) reader: &'a str,
    pub(crate) role: Role,
    pub(crate) zone: Zone,
    pub(crate) attendees_max: Option<usize>,
}

impl View<'_> {
    /// The event with all that the reader may see, cancelled or not.
    pub(crate) fn event(&self, event: &Event) -> Value {
        let busy_only = self.role == Role::FreeBusyReader
            || (self.role < Role::Writer && matches!(event.text("visibility"), "private" | "confidential"));
        if busy_only {
            return self.busy(event);
        }
        let mut map = event.fields.clone();
        let mut put = |name: &str, value: Value| {
            map.insert(name.to_owned(), value);
        };
        put("kind", json!("calendar#event"));
        put("etag", json!(event.etag()));
        put("id", json!(event.id));
        put("status", json!(event.status.name()));
        put("htmlLink", json!(self.link(event)));
        put("created", json!(render_millis(event.created)));
        put("updated", json!(render_millis(event.updated)));
        put("creator", self.person(&event.creator));
        put("organizer", self.person(&event.organizer));
        put("iCalUID", json!(event.uid));
        put("sequence", json!(event.sequence));
        put("reminders", self.reminders(event));
        if !event.fields.contains_key("eventType") {
            put("eventType", json!("default"));
        }
        self.times(event, &mut map);
        self.attendees(event, &mut map);
        // `source` is shown to the creator only.
        if !same_address(&event.creator, self.reader) && !same_address(&event.creator, &self.calendar.id) {
            map.remove("source");
        }
        Value::Object(map)
    }

    /// The event in a listing: of a deleted one hardly more than its id is guaranteed.
    pub(crate) fn listed(&self, event: &Event) -> Value {
        if event.cancelled() { self.tombstone(event) } else { self.event(event) }
    }

    fn tombstone(&self, event: &Event) -> Value {
        let form = self.behaviour.tombstone_form;
        if form == TombstoneForm::Full {
            return self.event(event);
        }
        let mut map = Map::new();
        map.insert("id".to_owned(), json!(event.id));
        map.insert("status".to_owned(), json!("cancelled"));
        if let Some(slot) = &event.slot {
            map.insert("recurringEventId".to_owned(), json!(slot.master));
            map.insert("originalStartTime".to_owned(), slot.start.render(&self.zone));
        }
        if form != TombstoneForm::IdOnly {
            map.insert("kind".to_owned(), json!("calendar#event"));
            map.insert("etag".to_owned(), json!(event.etag()));
        }
        if form == TombstoneForm::WrongTimes {
            map.insert("start".to_owned(), json!({ "dateTime": "1970-01-01T00:00:00Z" }));
            map.insert("end".to_owned(), json!({ "dateTime": "1970-01-01T01:00:00Z" }));
        }
        Value::Object(map)
    }

    /// What free/busy readers see, and what everybody but writers sees of a private event: no title, no people.
    fn busy(&self, event: &Event) -> Value {
        let mut map = Map::new();
        map.insert("kind".to_owned(), json!("calendar#event"));
        map.insert("etag".to_owned(), json!(event.etag()));
        map.insert("id".to_owned(), json!(event.id));
        map.insert("status".to_owned(), json!(event.status.name()));
        map.insert("updated".to_owned(), json!(render_millis(event.updated)));
        map.insert("iCalUID".to_owned(), json!(event.uid));
        map.insert("visibility".to_owned(), json!("private"));
        map.insert(
            "eventType".to_owned(),
            json!(event.fields.get("eventType").map_or("default", |kind| kind.as_str().unwrap_or("default"))),
        );
        for name in ["transparency", "recurrence"] {
            if let Some(value) = event.fields.get(name) {
                map.insert(name.to_owned(), value.clone());
            }
        }
        self.times(event, &mut map);
        Value::Object(map)
    }

    fn times(&self, event: &Event, map: &mut Map<String, Value>) {
        let render = |when: &When| match when {
            // A room's calendar shows an all-day event from midnight to midnight.
            When::Date(_) if self.calendar.room => {
                let at = when.instant(&self.calendar.zone);
                When::Time { at, zone: Some(self.calendar.zone.clone()) }.render(&self.zone)
            }
            when => when.render(&self.zone),
        };
        map.insert("start".to_owned(), render(&event.start));
        map.insert("end".to_owned(), render(&event.end));
        if let Some(slot) = &event.slot {
            map.insert("recurringEventId".to_owned(), json!(slot.master));
            map.insert("originalStartTime".to_owned(), render(&slot.start));
        }
    }

    fn attendees(&self, event: &Event, map: &mut Map<String, Value>) {
        if event.attendees().is_empty() {
            return;
        }
        let own = |attendee: &Value| same_address(email_of(attendee), &self.calendar.id);
        let organizing = same_address(&event.organizer, &self.calendar.id);
        let hides = !organizing && !event.flag("guestsCanSeeOtherGuests", true);
        let too_many = self.attendees_max.is_some_and(|max| event.attendees().len() > max);
        let mut attendees = Vec::new();
        for attendee in event.attendees() {
            if (hides || too_many) && !own(attendee) {
                continue;
            }
            let mut attendee = attendee.clone();
            if own(&attendee) {
                attendee["self"] = json!(true);
            }
            if same_address(email_of(&attendee), &event.organizer) {
                attendee["organizer"] = json!(true);
            }
            attendees.push(attendee);
        }
        if too_many {
            map.insert("attendeesOmitted".to_owned(), json!(true));
        }
        map.insert("attendees".to_owned(), Value::Array(attendees));
    }

    fn person(&self, email: &str) -> Value {
        let mut person = json!({ "email": email });
        let name = self.accounts.get(email).and_then(|account| account.display_name.clone());
        if let Some(name) = name.or_else(|| {
            (email == self.calendar.id && !self.calendar.primary()).then(|| self.calendar.summary.clone())
        }) {
            person["displayName"] = json!(name);
        }
        if same_address(email, &self.calendar.id) {
            person["self"] = json!(true);
        }
        person
    }

    fn reminders(&self, event: &Event) -> Value {
        match event.reminders.get(self.reader) {
            Some(reminders) => reminders.clone(),
            // The defaults for all-day events come back spelt out, with `useDefault` false.
            None if event.start.is_date() && !self.calendar.all_day_reminders.is_empty() => {
                json!({ "useDefault": false, "overrides": self.calendar.all_day_reminders })
            }
            None => json!({ "useDefault": true }),
        }
    }

    fn link(&self, event: &Event) -> String {
        let text = format!("{} {}", event.id, self.calendar.id);
        format!("https://www.google.com/calendar/event?eid={}", URL_SAFE_NO_PAD.encode(text))
    }
}
