//! Reads the body of a write: what Google checks, drops, cuts and fills in before it stores anything.
//!
//! The result is canonical: defaults are left out, unknown fields are gone (Google ignores them), lists are whole. A
//! PATCH is first merged into the stored event and then read by the same code as a PUT, so both refuse the same things.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::behaviour::Behaviour;
use super::expand::{Series, normalise};
use super::model::{Event, Status, email_of};
use super::refusal::Refusal;
use super::when::{When, Zone};

/// What the request and the calendar say about how a body is to be read.
pub(crate) struct Reading<'a> {
    pub(crate) zone: &'a Zone,
    pub(crate) behaviour: &'a Behaviour,
    /// Instances have no recurrence of their own.
    pub(crate) instance: bool,
    /// What users and imports left in real calendars: nothing is refused that can be stored at all.
    pub(crate) lenient: bool,
    pub(crate) conference: bool,
    pub(crate) labels: bool,
    pub(crate) attachments: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(crate) fields: Map<String, Value>,
    pub(crate) start: When,
    pub(crate) end: When,
    pub(crate) status: Option<Status>,
    pub(crate) sequence: Option<i64>,
    pub(crate) reminders: Option<Value>,
    pub(crate) series: Option<Arc<Series>>,
}

impl Draft {
    pub(crate) fn read(body: &Map<String, Value>, reading: &Reading<'_>) -> Result<Self, Refusal> {
        let recurrence = if reading.instance { Vec::new() } else { recurrence(body, reading)? };
        let recurring = !recurrence.is_empty() && !reading.lenient;
        let edge = |name: &str| match body.get(name) {
            None | Some(Value::Null) => Err(Refusal::required(&format!("Missing {name} time."))),
            Some(value) => When::read(value, name, reading.zone, reading.behaviour, recurring),
        };
        let (start, end) = (edge("start")?, edge("end")?);
        check_range(&start, &end, recurring, reading)?;
        let series = if recurrence.is_empty() {
            None
        } else {
            let series = Series::parse(&start, &end, &recurrence, reading.zone, !reading.lenient)?;
            Some(Arc::new(series))
        };
        let mut fields = Map::new();
        let mut keep = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                fields.insert(name.to_owned(), value);
            }
        };
        if !recurrence.is_empty() {
            keep("recurrence", Some(json!(recurrence)));
        }
        for name in ["summary", "location"] {
            keep(name, text(body, name)?.filter(|text| !text.is_empty()).map(Value::String));
        }
        let description = text(body, "description")?.filter(|text| !text.is_empty());
        keep(
            "description",
            description.map(|text| {
                Value::String(text.chars().take(reading.behaviour.description_chars_max).collect())
            }),
        );
        keep("transparency", choice(body, "transparency", &["opaque", "transparent"], reading)?);
        keep(
            "visibility",
            choice(body, "visibility", &["default", "public", "private", "confidential"], reading)?,
        );
        const TYPES: &[&str] =
            &["default", "birthday", "focusTime", "fromGmail", "outOfOffice", "workingLocation"];
        keep("eventType", choice(body, "eventType", TYPES, reading)?);
        for (name, default) in [
            ("endTimeUnspecified", false),
            ("guestsCanModify", false),
            ("guestsCanInviteOthers", true),
            ("guestsCanSeeOtherGuests", true),
            ("anyoneCanAddSelf", false),
            ("privateCopy", false),
        ] {
            keep(name, flag(body, name)?.filter(|value| *value != default).map(Value::Bool));
        }
        for name in [
            "source",
            "gadget",
            "birthdayProperties",
            "focusTimeProperties",
            "outOfOfficeProperties",
            "workingLocationProperties",
        ] {
            keep(name, object(body, name)?.map(Value::Object));
        }
        if reading.labels {
            keep("eventLabelId", text(body, "eventLabelId")?.map(Value::String));
        } else {
            keep("colorId", color(body)?);
        }
        if reading.conference {
            keep("conferenceData", object(body, "conferenceData")?.map(Value::Object));
        }
        if reading.attachments {
            keep("attachments", attachments(body)?);
        }
        keep("attendees", attendees(body)?);
        keep("extendedProperties", properties(body, reading.behaviour)?);
        if reading.lenient {
            // What Google itself puts on events (hangoutLink, locked, fields of next year) stays as it was given.
            for (name, value) in body {
                if !MANAGED.contains(&name.as_str()) && !value.is_null() {
                    keep(name, Some(value.clone()));
                }
            }
        }
        let status = match text(body, "status")?.as_deref() {
            None => None,
            Some("confirmed") => Some(Status::Confirmed),
            Some("tentative") => Some(Status::Tentative),
            Some("cancelled") => Some(Status::Cancelled),
            Some(other) => return Err(Refusal::invalid(&format!("Invalid value for: status: {other}"))),
        };
        let sequence = match body.get("sequence") {
            None | Some(Value::Null) => None,
            Some(value) => Some(value.as_i64().ok_or_else(|| wrong_type("sequence"))?),
        };
        let reminders = reminders(body)?;
        Ok(Self { fields, start, end, status, sequence, reminders, series })
    }
}

/// The event as the body of a PUT would have to say it, for the given user; a PATCH is merged into this.
pub(crate) fn writable(event: &Event, zone: &Zone, user: &str) -> Map<String, Value> {
    let mut map = event.fields.clone();
    map.insert("start".to_owned(), event.start.render(zone));
    map.insert("end".to_owned(), event.end.render(zone));
    if let Some(reminders) = event.reminders.get(user) {
        map.insert("reminders".to_owned(), reminders.clone());
    }
    map
}

/// Merges a PATCH: objects at any depth, arrays as a whole, null clears.
pub(crate) fn merge(base: &mut Map<String, Value>, patch: &Map<String, Value>) {
    for (key, value) in patch {
        match (base.get_mut(key), value) {
            (_, Value::Null) => {
                base.remove(key);
            }
            (Some(Value::Object(below)), Value::Object(patch)) => merge(below, patch),
            (_, Value::Object(patch)) => {
                let mut fresh = Map::new();
                merge(&mut fresh, patch);
                base.insert(key.clone(), Value::Object(fresh));
            }
            _ => {
                base.insert(key.clone(), value.clone());
            }
        }
    }
}

/// Everything that is read, computed or owned by the server; the rest is the client's invention.
const MANAGED: &[&str] = &[
    "anyoneCanAddSelf",
    "attachments",
    "attendees",
    "attendeesOmitted",
    "birthdayProperties",
    "colorId",
    "conferenceData",
    "created",
    "creator",
    "description",
    "end",
    "endTimeUnspecified",
    "etag",
    "eventLabelId",
    "eventType",
    "extendedProperties",
    "focusTimeProperties",
    "gadget",
    "guestsCanInviteOthers",
    "guestsCanModify",
    "guestsCanSeeOtherGuests",
    "htmlLink",
    "iCalUID",
    "id",
    "kind",
    "location",
    "organizer",
    "originalStartTime",
    "outOfOfficeProperties",
    "privateCopy",
    "recurrence",
    "recurringEventId",
    "reminders",
    "sequence",
    "source",
    "start",
    "status",
    "summary",
    "transparency",
    "updated",
    "visibility",
    "workingLocationProperties",
];

fn wrong_type(name: &str) -> Refusal {
    Refusal::invalid(&format!("Invalid value for: {name}"))
}

fn text(body: &Map<String, Value>, name: &str) -> Result<Option<String>, Refusal> {
    match body.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(wrong_type(name)),
    }
}

fn flag(body: &Map<String, Value>, name: &str) -> Result<Option<bool>, Refusal> {
    match body.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Bool(flag)) => Ok(Some(*flag)),
        Some(_) => Err(wrong_type(name)),
    }
}

fn object(body: &Map<String, Value>, name: &str) -> Result<Option<Map<String, Value>>, Refusal> {
    match body.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(map)) => Ok(Some(map.clone())),
        Some(_) => Err(wrong_type(name)),
    }
}

fn list<'a>(body: &'a Map<String, Value>, name: &str) -> Result<Option<&'a Vec<Value>>, Refusal> {
    match body.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Array(list)) => Ok(Some(list)),
        Some(_) => Err(wrong_type(name)),
    }
}

/// One of the allowed values; the first is the default and is left out.
fn choice(
    body: &Map<String, Value>,
    name: &str,
    allowed: &[&str],
    reading: &Reading<'_>,
) -> Result<Option<Value>, Refusal> {
    match text(body, name)? {
        Some(value) if Some(&value.as_str()) == allowed.first() => Ok(None),
        Some(value) if reading.lenient || allowed.contains(&value.as_str()) => Ok(Some(Value::String(value))),
        Some(value) => Err(Refusal::invalid(&format!("Invalid value for: {name}: {value}"))),
        None => Ok(None),
    }
}

fn check_range(start: &When, end: &When, recurring: bool, reading: &Reading<'_>) -> Result<(), Refusal> {
    if reading.lenient {
        return Ok(());
    }
    if start.is_date() != end.is_date() {
        return Err(Refusal::invalid("Invalid end time."));
    }
    // An end that equals the start exists in real calendars; only a negative length is refused.
    if end.instant(reading.zone) < start.instant(reading.zone) {
        return Err(Refusal::time_range_empty());
    }
    if recurring && reading.behaviour.series_zones_must_match && start.zone_name() != end.zone_name() {
        return Err(Refusal::invalid("Invalid time zone definition for end time."));
    }
    Ok(())
}

fn recurrence(body: &Map<String, Value>, reading: &Reading<'_>) -> Result<Vec<String>, Refusal> {
    let mut lines = Vec::new();
    for line in list(body, "recurrence")?.into_iter().flatten() {
        let line = line.as_str().ok_or_else(|| Refusal::invalid("Invalid recurrence rule."))?;
        lines.push(if reading.behaviour.normalise_rules && !reading.lenient {
            normalise(line)
        } else {
            line.to_owned()
        });
    }
    if !reading.lenient
        && lines.iter().map(String::len).sum::<usize>() > reading.behaviour.recurrence_bytes_max
    {
        return Err(Refusal::size_limit());
    }
    Ok(lines)
}

fn color(body: &Map<String, Value>) -> Result<Option<Value>, Refusal> {
    match text(body, "colorId")? {
        None => Ok(None),
        Some(color) if color.parse::<u8>().is_ok_and(|number| (1..=11).contains(&number)) => {
            Ok(Some(Value::String(color)))
        }
        Some(_) => Err(Refusal::invalid("Invalid color id.")),
    }
}

fn attachments(body: &Map<String, Value>) -> Result<Option<Value>, Refusal> {
    let Some(attachments) = list(body, "attachments")?.filter(|list| !list.is_empty()) else {
        return Ok(None);
    };
    if attachments.len() > 25 {
        return Err(Refusal::size_limit());
    }
    for attachment in attachments {
        if attachment.get("fileUrl").and_then(Value::as_str).is_none_or(str::is_empty) {
            return Err(Refusal::required("Missing attachment file URL."));
        }
    }
    Ok(Some(json!(attachments)))
}

fn attendees(body: &Map<String, Value>) -> Result<Option<Value>, Refusal> {
    let Some(given) = list(body, "attendees")?.filter(|list| !list.is_empty()) else { return Ok(None) };
    let mut attendees: Vec<Value> = Vec::new();
    for attendee in given {
        let attendee = attendee.as_object().ok_or_else(|| wrong_type("attendees"))?;
        let email = text(attendee, "email")?.filter(|email| !email.is_empty());
        let email = email.ok_or_else(|| Refusal::required("Missing attendee email."))?;
        let well_formed = email
            .split_once('@')
            .is_some_and(|(name, domain)| !name.is_empty() && !domain.is_empty() && !domain.contains('@'));
        if !well_formed || email.contains(char::is_whitespace) {
            return Err(Refusal::invalid("Invalid attendee email."));
        }
        let response = text(attendee, "responseStatus")?.unwrap_or_else(|| "needsAction".to_owned());
        if !["needsAction", "declined", "tentative", "accepted"].contains(&response.as_str()) {
            return Err(Refusal::invalid("Invalid attendee response status."));
        }
        let mut kept = Map::new();
        kept.insert("email".to_owned(), Value::String(email.clone()));
        kept.insert("responseStatus".to_owned(), Value::String(response));
        for name in ["displayName", "comment", "id"] {
            if let Some(value) = text(attendee, name)?.filter(|value| !value.is_empty()) {
                kept.insert(name.to_owned(), Value::String(value));
            }
        }
        for name in ["optional", "resource"] {
            if flag(attendee, name)? == Some(true) {
                kept.insert(name.to_owned(), Value::Bool(true));
            }
        }
        if let Some(guests) =
            attendee.get("additionalGuests").and_then(Value::as_i64).filter(|guests| *guests != 0)
        {
            kept.insert("additionalGuests".to_owned(), json!(guests));
        }
        // The same address twice is one guest.
        if !attendees.iter().any(|known| email_of(known).eq_ignore_ascii_case(&email)) {
            attendees.push(Value::Object(kept));
        }
    }
    Ok(Some(Value::Array(attendees)))
}

fn properties(body: &Map<String, Value>, behaviour: &Behaviour) -> Result<Option<Value>, Refusal> {
    let Some(given) = object(body, "extendedProperties")? else { return Ok(None) };
    let mut kinds = Map::new();
    for kind in ["private", "shared"] {
        let Some(pairs) = object(&given, kind)? else { continue };
        let mut kept = Map::new();
        for (key, value) in pairs {
            // Keys that are too long are dropped without a word, values are cut.
            if value.is_null() || key.chars().count() > 44 {
                continue;
            }
            let value = value.as_str().ok_or_else(|| wrong_type("extendedProperties"))?;
            kept.insert(key, Value::String(value.chars().take(1024).collect()));
        }
        let bytes: usize =
            kept.iter().map(|(key, value)| key.len() + value.as_str().map_or(0, str::len)).sum();
        if kept.len() > behaviour.properties_max || bytes > behaviour.properties_bytes_max {
            return Err(Refusal::size_limit());
        }
        if !kept.is_empty() {
            kinds.insert(kind.to_owned(), Value::Object(kept));
        }
    }
    Ok((!kinds.is_empty()).then_some(Value::Object(kinds)))
}

/// The reminders; nothing means the calendar's default.
fn reminders(body: &Map<String, Value>) -> Result<Option<Value>, Refusal> {
    let Some(given) = object(body, "reminders")? else { return Ok(None) };
    let use_default = flag(&given, "useDefault")?.unwrap_or(false);
    let mut overrides = Vec::new();
    for reminder in list(&given, "overrides")?.into_iter().flatten() {
        let reminder = reminder.as_object().ok_or_else(|| wrong_type("reminders"))?;
        let method =
            text(reminder, "method")?.ok_or_else(|| Refusal::required("Missing override reminder method"))?;
        if !["email", "popup"].contains(&method.as_str()) {
            return Err(Refusal::invalid("Invalid override reminder method"));
        }
        // A serializer that leaves a zero out fails here.
        let minutes = reminder
            .get("minutes")
            .filter(|minutes| !minutes.is_null())
            .ok_or_else(|| Refusal::required("Missing override reminder minutes"))?;
        let minutes = minutes.as_i64().filter(|minutes| (0..=40_320).contains(minutes));
        let minutes = minutes.ok_or_else(|| Refusal::invalid("Invalid override reminder minutes"))?;
        overrides.push(json!({ "method": method, "minutes": minutes }));
    }
    if use_default && !overrides.is_empty() {
        return Err(Refusal::new(
            400,
            "calendar",
            "cannotUseDefaultRemindersAndSpecifyOverride",
            "Cannot specify both default reminders and overrides at the same time.",
        ));
    }
    if overrides.len() > 5 {
        return Err(Refusal::invalid("Too many override reminders"));
    }
    if use_default {
        return Ok(None);
    }
    let mut kept = Map::new();
    kept.insert("useDefault".to_owned(), Value::Bool(false));
    if !overrides.is_empty() {
        kept.insert("overrides".to_owned(), Value::Array(overrides));
    }
    Ok(Some(Value::Object(kept)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: Value) -> Result<Draft, Refusal> {
        let (zone, behaviour) = (Zone::named("Europe/Berlin").unwrap(), Behaviour::default());
        let reading = Reading {
            zone: &zone,
            behaviour: &behaviour,
            instance: false,
            lenient: false,
            conference: false,
            labels: false,
            attachments: true,
        };
        Draft::read(body.as_object().unwrap(), &reading)
    }

    fn with(name: &str, value: Value) -> Value {
        let mut body = json!({
            "start": { "dateTime": "2026-01-05T09:00:00+01:00" },
            "end": { "dateTime": "2026-01-05T10:00:00+01:00" },
        });
        body[name] = value;
        body
    }

    #[test]
    fn bodies_that_google_refuses_are_refused_in_its_words() {
        let rule = json!(["RRULE:FREQ=DAILY"]);
        for (name, value, message) in [
            ("start", Value::Null, "Missing start time."),
            ("end", Value::Null, "Missing end time."),
            ("end", json!({ "date": "2026-01-05" }), "Invalid end time."),
            ("end", json!({ "dateTime": "2026-01-05T08:00:00+01:00" }), "The specified time range is empty."),
            ("recurrence", rule, "Missing time zone definition for start time."),
            ("recurrence", json!(["RRULE:FREQ=NEVER"]), "Missing time zone definition for start time."),
            ("attendees", json!([{ "displayName": "Bob" }]), "Missing attendee email."),
            ("attendees", json!([{ "email": "bob" }]), "Invalid attendee email."),
            (
                "attendees",
                json!([{ "email": "b@x", "responseStatus": "maybe" }]),
                "Invalid attendee response status.",
            ),
            (
                "reminders",
                json!({ "useDefault": true, "overrides": [{ "method": "popup", "minutes": 1 }] }),
                "Cannot specify both default reminders and overrides at the same time.",
            ),
            (
                "reminders",
                json!({ "overrides": [{ "method": "popup" }] }),
                "Missing override reminder minutes",
            ),
            (
                "reminders",
                json!({ "overrides": [{ "method": "popup", "minutes": 40321 }] }),
                "Invalid override reminder minutes",
            ),
            (
                "reminders",
                json!({ "overrides": [{ "method": "sms", "minutes": 1 }] }),
                "Invalid override reminder method",
            ),
            ("colorId", json!("12"), "Invalid color id."),
            ("status", json!("done"), "Invalid value for: status: done"),
            ("transparency", json!("glass"), "Invalid value for: transparency: glass"),
            ("summary", json!(7), "Invalid value for: summary"),
            ("attachments", json!([{ "title": "x" }]), "Missing attachment file URL."),
        ] {
            let refused = read(with(name, value.clone())).map(|_| ()).unwrap_err();
            assert_eq!((refused.status, refused.message.as_str()), (400, message), "{name}: {value}");
        }
    }

    #[test]
    fn six_reminders_are_one_too_many_and_zero_minutes_are_fine() {
        let reminder = json!({ "method": "email", "minutes": 0 });
        assert!(read(with("reminders", json!({ "overrides": vec![reminder.clone(); 5] }))).is_ok());
        let refused = read(with("reminders", json!({ "overrides": vec![reminder; 6] }))).map(|_| ());
        assert_eq!(refused.unwrap_err().status, 400);
    }

    #[test]
    fn defaults_and_unknown_fields_are_not_kept_and_long_values_are_cut() {
        let draft = read(json!({
            "start": { "date": "2026-01-05" }, "end": { "date": "2026-01-06" },
            "transparency": "opaque", "visibility": "default", "eventType": "default", "guestsCanModify": false,
            "guestsCanInviteOthers": true, "nonsense": 1, "etag": "x", "htmlLink": "y",
            "description": "x".repeat(9000),
            "extendedProperties": { "private": { "k".repeat(45): "v", "cut": "v".repeat(2000) }, "shared": {} },
        }))
        .unwrap();
        let names: Vec<&str> = draft.fields.keys().map(String::as_str).collect();
        assert_eq!(names, ["description", "extendedProperties"]);
        assert_eq!(draft.fields["description"].as_str().unwrap().len(), 8192);
        let private = &draft.fields["extendedProperties"]["private"];
        assert_eq!(private.as_object().unwrap().len(), 1);
        assert_eq!(private["cut"].as_str().unwrap().len(), 1024);
    }

    #[test]
    fn a_patch_merges_objects_replaces_lists_and_clears_with_null() {
        let mut base = json!({
            "summary": "a", "location": "b", "attendees": [1, 2],
            "extendedProperties": { "private": { "one": "1", "two": "2" } },
        });
        let patch = json!({
            "location": null, "attendees": [3],
            "extendedProperties": { "private": { "one": null, "three": "3" }, "shared": { "s": "t", "n": null } },
        });
        merge(base.as_object_mut().unwrap(), patch.as_object().unwrap());
        assert_eq!(
            base,
            json!({
                "summary": "a", "attendees": [3],
                "extendedProperties": { "private": { "two": "2", "three": "3" }, "shared": { "s": "t" } },
            })
        );
    }

    #[test]
    fn too_many_recurrence_lines_exceed_the_size_limit() {
        let mut lines = vec!["RRULE:FREQ=DAILY;COUNT=2".to_owned()];
        lines.extend((0..800).map(|_| "EXDATE;TZID=Europe/Berlin:20260106T090000".to_owned()));
        let refused = read(json!({
            "start": { "date": "2026-01-05" }, "end": { "date": "2026-01-06" }, "recurrence": lines,
        }));
        assert_eq!(
            refused.map(|_| ()).unwrap_err().message,
            "A provided value exceeds the allowed size limit."
        );
    }
}
