//! From the canonical model to the smallest body that says it.
//!
//! A creation has all values, under the chosen id. A change has only the units that changed, as a PATCH merges: also inside
//! of `extendedProperties`, where each key is its own and `null` takes one away; only arrays are replaced whole. So the guest
//! list is written when a guest changed and never otherwise, because sending it along has reset answers on whole series
//! (caldir, `update_event.rs`). Every body carries the operation's stamp.
//!
//! Never written: `sequence`, which Google keeps itself and whose lower value it refuses, and the units that the provider
//! owns (organizer, conference, UID, type of event).

use crate::STAMP;
use calsync_core::model::appointment::{PROVIDER_OWNED, read_when};
use calsync_core::model::{Attendee, Fields, Unit, When, ZonedTime};
use calsync_core::{Error, ErrorKind, OperationId, RemoteId, Result, Zone};
use chrono::TimeDelta;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// What a creation writes of the fields that calsync does not model. Conference data is left out on purpose: Google's data of
/// one event must not be copied to another (guide "Create events", conferences).
const EXTRA: [&str; 6] = [
    "anyoneCanAddSelf",
    "attachments",
    "colorId",
    "guestsCanInviteOthers",
    "guestsCanModify",
    "guestsCanSeeOtherGuests",
];

/// The JSON of a write.
pub(crate) struct Body(Map<String, Value>);

impl Body {
    pub(crate) fn json(&self) -> &Map<String, Value> {
        &self.0
    }

    /// The same with zones by their other names, where they have one: for when Google knows the other one only.
    pub(crate) fn with_other_zones(&self) -> Option<Self> {
        let mut body = self.0.clone();
        let mut renamed = Vec::new();
        for edge in ["start", "end"] {
            let name = body.get_mut(edge).and_then(|edge| edge.get_mut("timeZone"));
            let Some(Value::String(name)) = name else { continue };
            let Some(other) = Zone::new(name).ok().and_then(|zone| zone.other_name()) else { continue };
            renamed.push((format!("TZID={name}:"), format!("TZID={other}:")));
            *name = other.to_string();
        }
        for line in body.get_mut("recurrence").and_then(Value::as_array_mut).into_iter().flatten() {
            let Value::String(line) = line else { continue };
            for (before, after) in &renamed {
                *line = line.replacen(before, after, 1);
            }
        }
        if renamed.is_empty() { None } else { Some(Self(body)) }
    }

    /// Whether Google has to be told that attachments are meant.
    pub(crate) fn attachments(&self) -> bool {
        self.0.contains_key("attachments")
    }

    /// A new event.
    pub(crate) fn create(id: &RemoteId, operation: &OperationId, fields: &Fields) -> Result<Self> {
        let mut body = Self(Map::new());
        body.0.insert("id".into(), id.as_str().into());
        body.stamp(operation);
        if fields.get("when").is_none() {
            return Err(unwritable("when", "it is missing"));
        }
        for (unit, _) in fields.iter() {
            body.unit(unit, fields, Form::Whole)?;
        }
        if has_guests(fields) {
            body.guests(fields)?;
        }
        for name in EXTRA {
            if let Some(value) = fields.get("extra").and_then(|extra| extra.get(name)) {
                body.0.insert(name.into(), value.clone());
            }
        }
        Ok(body)
    }

    /// A change of some units.
    pub(crate) fn patch(
        id: &RemoteId,
        operation: &OperationId,
        units: &BTreeSet<Unit>,
        fields: &Fields,
    ) -> Result<Self> {
        let mut body = Self(Map::new());
        body.stamp(operation);
        let form = Form::Patch { occurrence: is_occurrence(id) };
        for unit in units {
            body.unit(unit, fields, form)?;
        }
        let mut guests = units.iter().filter(|unit| unit.guest().is_some());
        match (guests.next(), guests.next()) {
            (None, _) => {}
            (Some(only), None) if omitted(fields) => body.own_answer(only, fields)?,
            (Some(_), Some(_)) if omitted(fields) => {
                return Err(unwritable(
                    "attendees",
                    "the guest list was not shown in full, and writing it would remove guests",
                ));
            }
            _ => body.guests(fields)?,
        }
        Ok(body)
    }

    /// A cancelled event comes back: its status, and with it the units that the planner names, as patching only the status of a cancelled
    /// occurrence is refused with "Invalid start time." (GAS-ICS-Sync #315).
    pub(crate) fn revive(
        id: &RemoteId,
        operation: &OperationId,
        units: &BTreeSet<Unit>,
        fields: &Fields,
    ) -> Result<Self> {
        let mut body = Self::patch(id, operation, units, fields)?;
        let status = fields.get("status").and_then(Value::as_str).unwrap_or("confirmed");
        body.0.insert("status".into(), status.into());
        Ok(body)
    }

    fn stamp(&mut self, operation: &OperationId) {
        self.property("private", STAMP, operation.as_str().into());
    }

    fn property(&mut self, kind: &str, name: &str, value: Value) {
        self.0.entry("extendedProperties").or_insert_with(|| json!({}))[kind][name] = value;
    }

    /// Says one unit; guests are said together, elsewhere.
    fn unit(&mut self, unit: &Unit, fields: &Fields, form: Form) -> Result<()> {
        let value = fields.get(unit.as_str());
        let name = unit.as_str();
        match name {
            _ if PROVIDER_OWNED.contains(&name) || name == "extra" || unit.guest().is_some() => {}
            "summary" | "description" | "location" | "source" => {
                self.0.insert(name.into(), value.cloned().unwrap_or(Value::Null));
            }
            "status" => {
                let status = value.and_then(Value::as_str).unwrap_or("confirmed");
                if status == "cancelled" {
                    // To Google, writing this is deleting.
                    return Err(unwritable("status", "a cancelled appointment is deleted, not written"));
                }
                self.0.insert(name.into(), status.into());
            }
            "transparency" => {
                self.0.insert(name.into(), value.cloned().unwrap_or_else(|| "opaque".into()));
            }
            "visibility" => {
                self.0.insert(name.into(), value.cloned().unwrap_or_else(|| "default".into()));
            }
            "reminders" => {
                // Minutes are written also where they are 0: without them Google refuses the reminder.
                let reminders = match (value, form) {
                    (Some(overrides), _) => json!({"useDefault": false, "overrides": overrides}),
                    (None, Form::Whole) => json!({"useDefault": true}),
                    // What is left of old ones would contradict the default.
                    (None, Form::Patch { .. }) => json!({"useDefault": true, "overrides": null}),
                };
                self.0.insert(name.into(), reminders);
            }
            "when" => self.when(value.ok_or_else(|| unwritable("when", "it is missing"))?, form)?,
            _ => {
                let property = name.strip_prefix("property/").and_then(|name| name.split_once('/'));
                let Some((kind @ ("private" | "shared"), name)) = property else {
                    return Err(unwritable(name, "Google has no such field"));
                };
                match (value, form) {
                    (None, Form::Whole) => {}
                    (value, _) => self.property(kind, name, value.cloned().unwrap_or(Value::Null)),
                }
            }
        }
        Ok(())
    }

    fn when(&mut self, value: &Value, form: Form) -> Result<()> {
        let (when, recurrence) = read_when(value)?;
        let (start, end) = match &when {
            When::AllDay { start, end } => (day(*start, form), day(*end, form)),
            When::Timed { start, end } => (time(start, form)?, time(end, form)?),
        };
        self.0.insert("start".into(), start);
        self.0.insert("end".into(), end);
        match form {
            _ if !recurrence.is_empty() => {
                // Google bounds the lines of a series (gdata-provider #713), and EXDATEs repeat when several hands add them.
                let once = recurrence.each_once(matches!(when, When::AllDay { .. }));
                self.0.insert("recurrence".into(), json!(once.lines()));
            }
            // A series that became a single event says so; an occurrence has no rule to take away.
            Form::Patch { occurrence: false } => {
                self.0.insert("recurrence".into(), Value::Null);
            }
            _ => {}
        }
        Ok(())
    }

    /// The whole list, each guest with the answer given so far; those without an address as they came.
    fn guests(&mut self, fields: &Fields) -> Result<()> {
        let mut guests = Vec::new();
        for (unit, value) in fields.iter() {
            if let Some(address) = unit.guest() {
                guests.push(guest(address, value)?);
            }
        }
        let nameless = fields.get("extra").and_then(|extra| extra.get("attendees")).and_then(Value::as_array);
        guests.extend(nameless.into_iter().flatten().cloned());
        self.0.insert("attendees".into(), Value::Array(guests));
        Ok(())
    }

    /// Only one's own answer, which Google takes when it is told that the rest of the list is missing (events resource,
    /// `attendeesOmitted`).
    fn own_answer(&mut self, unit: &Unit, fields: &Fields) -> Result<()> {
        let address = unit.guest().unwrap_or_default();
        let value = fields.get(unit.as_str());
        let value = value.ok_or_else(|| unwritable("attendees", "the guest list was not shown in full"))?;
        self.0.insert("attendeesOmitted".into(), Value::Bool(true));
        self.0.insert("attendees".into(), json!([guest(address, value)?]));
        Ok(())
    }
}

/// Whether all of an event is said or a part of it.
#[derive(Clone, Copy)]
enum Form {
    Whole,
    Patch {
        /// It is one occurrence of a series.
        occurrence: bool,
    },
}

fn has_guests(fields: &Fields) -> bool {
    fields.guests().next().is_some()
}

fn omitted(fields: &Fields) -> bool {
    fields.get("extra").and_then(|extra| extra.get("attendeesOmitted")) == Some(&Value::Bool(true))
}

fn guest(address: &str, value: &Value) -> Result<Value> {
    let guest =
        Attendee::deserialize(value).map_err(|_| unwritable("attendees", "a guest cannot be read"))?;
    let mut json = json!({"email": address, "responseStatus": guest.response.as_str()});
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            json[name] = value;
        }
    };
    put("displayName", guest.name.map(Value::from));
    put("comment", guest.comment.map(Value::from));
    put("optional", guest.optional.then_some(true.into()));
    put("resource", guest.resource.then_some(true.into()));
    put("additionalGuests", (guest.additional_guests > 0).then(|| guest.additional_guests.into()));
    Ok(json)
}

/// A date. In a PATCH the time is taken away by name: left where it is, it makes Google say "Invalid start time."
/// (n8n #35800).
fn day(date: chrono::NaiveDate, form: Form) -> Value {
    match form {
        Form::Whole => json!({"date": date}),
        Form::Patch { .. } => json!({"date": date, "dateTime": null, "timeZone": null}),
    }
}

/// A time with its offset and its zone: a series needs the zone, and the offset tells the two 01:30 of a long night apart.
fn time(time: &ZonedTime, form: Form) -> Result<Value> {
    let instant = time.instant()?;
    let offset = time.time - instant.naive_utc();
    // Offsets of the time before railways have seconds, which RFC 3339 cannot say.
    let offset = if offset.num_seconds() % 60 == 0 { offset } else { TimeDelta::zero() };
    let local = instant.naive_utc() + offset;
    let minutes = offset.num_minutes();
    let text = match minutes {
        0 => format!("{}Z", local.format("%Y-%m-%dT%H:%M:%S")),
        _ => format!(
            "{}{}{:02}:{:02}",
            local.format("%Y-%m-%dT%H:%M:%S"),
            if minutes < 0 { '-' } else { '+' },
            minutes.abs() / 60,
            minutes.abs() % 60
        ),
    };
    let mut json = json!({"dateTime": text, "timeZone": time.zone});
    if let Form::Patch { .. } = form {
        json["date"] = Value::Null;
    }
    Ok(json)
}

/// An occurrence's id ends in its slot; ids that calsync makes have no underscore, and those of split series have an `R`.
fn is_occurrence(id: &RemoteId) -> bool {
    crate::decode::slot_of_id(id).is_some()
}

fn unwritable(unit: &str, why: &'static str) -> Error {
    Error::new(ErrorKind::Invalid, "the appointment cannot be written to Google")
        .with("field", unit)
        .with("cause", why)
}

#[cfg(test)]
mod tests;
