//! An event as Google sends it.
//!
//! Everything is optional. Free/busy readers get events without a title, tombstones have hardly more than an id, organizers
//! come without an address, and tomorrow's fields are unknown today. What is not named here stays in `rest` as it came.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The fields of an event that calsync models, and the rest.
#[derive(Debug, Default)]
pub(crate) struct Event {
    pub(crate) summary: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) location: Option<String>,
    pub(crate) start: Option<EventDateTime>,
    pub(crate) end: Option<EventDateTime>,
    pub(crate) recurrence: Option<Vec<String>>,
    pub(crate) status: Option<String>,
    pub(crate) transparency: Option<String>,
    pub(crate) visibility: Option<String>,
    pub(crate) event_type: Option<String>,
    pub(crate) attendees: Option<Vec<Value>>,
    pub(crate) organizer: Option<Organizer>,
    pub(crate) reminders: Option<Reminders>,
    pub(crate) source: Option<Source>,
    pub(crate) ical_uid: Option<String>,
    pub(crate) extended_properties: Option<ExtendedProperties>,
    pub(crate) hangout_link: Option<String>,
    /// What is left.
    pub(crate) rest: Map<String, Value>,
}

/// Either a date or a time with an offset and perhaps a zone.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EventDateTime {
    pub(crate) date: Option<String>,
    pub(crate) date_time: Option<String>,
    pub(crate) time_zone: Option<String>,
}

/// Who invites.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Organizer {
    pub(crate) email: Option<String>,
    pub(crate) display_name: Option<String>,
    /// This calendar is the organizer: this copy is the one that counts.
    #[serde(rename = "self")]
    pub(crate) itself: Option<bool>,
}

/// A guest.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Guest {
    pub(crate) email: Option<String>,
    pub(crate) display_name: Option<String>,
    pub(crate) optional: Option<bool>,
    pub(crate) resource: Option<bool>,
    pub(crate) response_status: Option<String>,
    pub(crate) comment: Option<String>,
    pub(crate) additional_guests: Option<u32>,
    /// This calendar's own entry.
    #[serde(rename = "self")]
    pub(crate) itself: Option<bool>,
}

/// The reminders of the person who reads.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Reminders {
    pub(crate) use_default: Option<bool>,
    pub(crate) overrides: Option<Vec<Override>>,
}

/// One reminder.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Override {
    pub(crate) method: Option<String>,
    pub(crate) minutes: Option<u32>,
}

/// Where an event came from.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Source {
    pub(crate) title: Option<String>,
    pub(crate) url: Option<String>,
}

/// Properties of this copy and of all copies.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct ExtendedProperties {
    pub(crate) private: Option<BTreeMap<String, Value>>,
    pub(crate) shared: Option<BTreeMap<String, Value>>,
}

impl Event {
    /// Takes the fields out of the object.
    ///
    /// # Errors
    /// The name of the field whose form is unexpected.
    pub(crate) fn take(mut map: Map<String, Value>) -> Result<Self, &'static str> {
        let event = Self {
            summary: take(&mut map, "summary")?,
            description: take(&mut map, "description")?,
            location: take(&mut map, "location")?,
            start: take(&mut map, "start")?,
            end: take(&mut map, "end")?,
            recurrence: take(&mut map, "recurrence")?,
            status: take(&mut map, "status")?,
            transparency: take(&mut map, "transparency")?,
            visibility: take(&mut map, "visibility")?,
            event_type: take(&mut map, "eventType")?,
            attendees: take(&mut map, "attendees")?,
            organizer: peek(&map, "organizer")?,
            reminders: take(&mut map, "reminders")?,
            source: take(&mut map, "source")?,
            ical_uid: take(&mut map, "iCalUID")?,
            extended_properties: take(&mut map, "extendedProperties")?,
            hangout_link: take(&mut map, "hangoutLink")?,
            rest: Map::new(),
        };
        Ok(Self { rest: map, ..event })
    }
}

/// Takes a field; absent and null are the same.
fn take<T: DeserializeOwned>(
    map: &mut Map<String, Value>,
    name: &'static str,
) -> Result<Option<T>, &'static str> {
    match map.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => T::deserialize(value).map(Some).map_err(|_| name),
    }
}

/// Reads a field and leaves it where it is.
fn peek<T: DeserializeOwned>(
    map: &Map<String, Value>,
    name: &'static str,
) -> Result<Option<T>, &'static str> {
    match map.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => T::deserialize(value).map(Some).map_err(|_| name),
    }
}
