//! Events with a type: birthdays, focus time, absences, places of work, and what Gmail found in a mail.

use serde_json::{Map, Value};

use super::draft::Draft;
use super::model::{Account, Calendar, Event};
use super::refusal::Refusal;
use super::write::{How, timing};

/// Each type with the object that belongs to it; sent with another type, even empty, the object is refused.
const OBJECTS: &[(&str, &str)] = &[
    ("birthday", "birthdayProperties"),
    ("focusTime", "focusTimeProperties"),
    ("outOfOffice", "outOfOfficeProperties"),
    ("workingLocation", "workingLocationProperties"),
];

pub(crate) fn check_insert(
    draft: &Draft,
    calendar: &Calendar,
    owner: Option<&Account>,
) -> Result<(), Refusal> {
    let kind = kind(&draft.fields);
    check_objects(&draft.fields, kind)?;
    let all_day = draft.start.is_date();
    match kind {
        "fromGmail" => return Err(Refusal::event_type("Events of type fromGmail cannot be created.")),
        "birthday" if !all_day || draft.fields.contains_key("attendees") => {
            return Err(Refusal::event_type("A birthday event must be an all-day event without guests."));
        }
        "focusTime" | "outOfOffice" => {
            if all_day {
                return Err(Refusal::event_type("This event type cannot be an all-day event."));
            }
            if draft.fields.contains_key("attendees") || draft.fields.contains_key("conferenceData") {
                return Err(Refusal::event_type("This event type cannot have guests or a conference."));
            }
        }
        "workingLocation" => check_working_location(&draft.fields)?,
        _ => {}
    }
    let status = matches!(kind, "focusTime" | "outOfOffice" | "workingLocation");
    if status && !(calendar.primary() && owner.is_some_and(|owner| owner.workspace)) {
        return Err(Refusal::event_type(
            "This event type can only be created on the primary calendar of a Google Workspace user.",
        ));
    }
    Ok(())
}

pub(crate) fn check_change(
    old: &Event,
    new: &Event,
    body: &Map<String, Value>,
    how: How,
) -> Result<(), Refusal> {
    let kind = kind(&old.fields);
    if let Some(wanted) = body.get("eventType").and_then(Value::as_str)
        && wanted != kind
    {
        return Err(Refusal::event_type("The event type cannot be changed."));
    }
    check_objects(&new.fields, kind)?;
    let changed: Vec<&str> = new
        .fields
        .iter()
        .filter(|(name, value)| old.fields.get(*name) != Some(*value))
        .map(|(name, _)| name.as_str())
        .chain(old.fields.keys().filter(|name| !new.fields.contains_key(*name)).map(String::as_str))
        .collect();
    let only = |allowed: &[&str]| changed.iter().all(|name| allowed.contains(name));
    match kind {
        "birthday" => {
            let one_day = new.start.is_date() && new.end == new.start.plus(chrono::Duration::days(1));
            if how == How::Put || !only(&["colorId", "eventLabelId", "summary"]) || !one_day {
                return Err(Refusal::event_type("This property of a birthday event cannot be changed."));
            }
        }
        "fromGmail" => {
            let own = ["colorId", "eventLabelId", "visibility", "transparency", "extendedProperties"];
            if !only(&own) || timing(old) != timing(new) {
                return Err(Refusal::event_type("This property of an event from Gmail cannot be changed."));
            }
        }
        "focusTime" | "outOfOffice" if new.start.is_date() || new.fields.contains_key("attendees") => {
            return Err(Refusal::event_type("This event type cannot be an all-day event or have guests."));
        }
        "workingLocation" => check_working_location(&new.fields)?,
        _ => {}
    }
    Ok(())
}

fn kind(fields: &Map<String, Value>) -> &str {
    fields.get("eventType").and_then(Value::as_str).unwrap_or("default")
}

fn check_objects(fields: &Map<String, Value>, kind: &str) -> Result<(), Refusal> {
    for (owner, object) in OBJECTS {
        if fields.contains_key(*object) && *owner != kind {
            return Err(Refusal::event_type(&format!("{object} can only be set on events of type {owner}.")));
        }
    }
    Ok(())
}

fn check_working_location(fields: &Map<String, Value>) -> Result<(), Refusal> {
    let place =
        fields.get("workingLocationProperties").and_then(|object| object.get("type")).and_then(Value::as_str);
    let named = matches!(place, Some("homeOffice" | "officeLocation" | "customLocation"));
    let visible = fields.get("visibility").and_then(Value::as_str) == Some("public");
    let free = fields.get("transparency").and_then(Value::as_str) == Some("transparent");
    if named && visible && free {
        return Ok(());
    }
    Err(Refusal::new(
        400,
        "calendar",
        "malformedWorkingLocationEvent",
        "A working location event must be public, transparent and have valid working location properties.",
    ))
}
