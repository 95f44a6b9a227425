//! The typed view of an appointment over the canonical field map.
//!
//! [`Appointment`] has every field that a CRM and Google share, under the names that iCalendar and Google use. What calsync
//! does not model rides along in [`Appointment::extra`] and is never merged. Enumerations are open: a value that tomorrow's
//! Google invents passes through unharmed.

use super::fields::Fields;
use super::recurrence::Recurrence;
use super::when::{When, ZonedTime};
use crate::error::{Error, ErrorKind, Result};
use crate::planted::{self, Fault};
use crate::zone::Zone;
use chrono::{NaiveDate, NaiveDateTime};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// An enumeration that knows its usual values and carries any other.
macro_rules! open_enum {
    ($(#[$doc:meta])* $name:ident, default $default:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(from = "String", into = "String")]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$vdoc])* $variant,)+
            /// A value that this version does not know.
            Other(String),
        }

        impl $name {
            /// The value as it is written.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $text,)+
                    Self::Other(text) => text,
                }
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self::$default
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                match text.as_str() {
                    $($text => Self::$variant,)+
                    _ => Self::Other(text),
                }
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.as_str().to_owned()
            }
        }
    };
}

open_enum! {
    /// Whether it takes place.
    Status, default Confirmed {
        /// It does.
        Confirmed = "confirmed",
        /// Perhaps.
        Tentative = "tentative",
        /// It does not. A cancelled appointment is the same to calsync as a deleted one; the CRM keeps its fields.
        Cancelled = "cancelled",
    }
}

open_enum! {
    /// Whether it blocks time, in iCalendar's word TRANSP.
    Transparency, default Opaque {
        /// Busy.
        Opaque = "opaque",
        /// Free.
        Transparent = "transparent",
    }
}

open_enum! {
    /// Who may see the details.
    Visibility, default Default {
        /// What the calendar says.
        Default = "default",
        /// Everybody who sees the calendar.
        Public = "public",
        /// Only the guests.
        Private = "private",
        /// The same as private; Google keeps it for compatibility.
        Confidential = "confidential",
    }
}

open_enum! {
    /// What kind of entry it is, in Google's words.
    EventType, default Default {
        /// An ordinary appointment.
        Default = "default",
        /// A birthday.
        Birthday = "birthday",
        /// Focus time.
        FocusTime = "focusTime",
        /// Made by Google from a mail.
        FromGmail = "fromGmail",
        /// Out of office.
        OutOfOffice = "outOfOffice",
        /// Where somebody works.
        WorkingLocation = "workingLocation",
    }
}

open_enum! {
    /// A guest's answer.
    Response, default NeedsAction {
        /// None yet.
        NeedsAction = "needsAction",
        /// No.
        Declined = "declined",
        /// Maybe.
        Tentative = "tentative",
        /// Yes.
        Accepted = "accepted",
    }
}

/// One guest. The address is the key in [`Appointment::attendees`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Attendee {
    /// The name shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The answer.
    #[serde(skip_serializing_if = "is_default")]
    pub response: Response,
    /// Need not come.
    #[serde(skip_serializing_if = "is_default")]
    pub optional: bool,
    /// A room or a device.
    #[serde(skip_serializing_if = "is_default")]
    pub resource: bool,
    /// What the guest wrote with the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// How many more people the guest brings.
    #[serde(skip_serializing_if = "is_default")]
    pub additional_guests: u32,
}

/// A person named by an address and perhaps a name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// The e-mail address, in lower case.
    pub email: String,
    /// The name shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// When and how somebody is reminded.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Reminder {
    /// `popup` or `email`.
    pub method: String,
    /// Minutes before the start, 0 to 40,320 (four weeks).
    pub minutes: u32,
}

/// A page that an appointment belongs to, such as the case in the CRM.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceLink {
    /// What the link is called.
    pub title: String,
    /// An http or https address.
    pub url: String,
}

/// An appointment, a series, or one occurrence of a series that differs from it.
#[derive(Clone, Debug, PartialEq)]
pub struct Appointment {
    /// The title.
    pub summary: Option<String>,
    /// The text; may hold HTML, and is treated as untrusted.
    pub description: Option<String>,
    /// Where.
    pub location: Option<String>,
    /// When; for a series, the first occurrence.
    pub when: When,
    /// Recurrence lines; empty for a single appointment.
    pub recurrence: Recurrence,
    /// Whether it takes place.
    pub status: Status,
    /// Whether it blocks time.
    pub transparency: Transparency,
    /// Who may see it.
    pub visibility: Visibility,
    /// The kind of entry.
    pub event_type: EventType,
    /// Guests by address in lower case.
    pub attendees: BTreeMap<String, Attendee>,
    /// Who invites; told by the provider.
    pub organizer: Option<Person>,
    /// Reminders of its own; `None` for the calendar's default ones, an empty list for none.
    pub reminders: Option<Vec<Reminder>>,
    /// The address of the video conference; told by the provider.
    pub conference: Option<String>,
    /// A link back to where the appointment came from.
    pub source: Option<SourceLink>,
    /// iCalendar's UID, shared by all copies and occurrences of a meeting; told by the provider.
    pub ical_uid: Option<String>,
    /// Extended properties, keyed `private/<name>` (this copy) or `shared/<name>` (all copies).
    pub properties: BTreeMap<String, String>,
    /// What calsync does not model, as the provider gave it.
    pub extra: Map<String, Value>,
}

/// Units that the provider alone decides: read into the CRM, never written to the calendar.
pub const PROVIDER_OWNED: [&str; 4] = ["organizer", "conference", "ical_uid", "event_type"];

impl Appointment {
    /// An appointment with a title; the rest has its default.
    pub fn new(summary: impl Into<String>, when: When) -> Self {
        Self {
            summary: Some(summary.into()),
            description: None,
            location: None,
            when,
            recurrence: Recurrence::default(),
            status: Status::default(),
            transparency: Transparency::default(),
            visibility: Visibility::default(),
            event_type: EventType::default(),
            attendees: BTreeMap::new(),
            organizer: None,
            reminders: None,
            conference: None,
            source: None,
            ical_uid: None,
            properties: BTreeMap::new(),
            extra: Map::new(),
        }
    }

    /// The canonical field map.
    pub fn to_fields(&self) -> Fields {
        let mut fields = Fields::new();
        let text = |text: &Option<String>| {
            text.as_deref().filter(|t| !t.is_empty()).map_or(Value::Null, Value::from)
        };
        fields.set("summary", text(&self.summary));
        fields.set("description", text(&self.description));
        fields.set("location", text(&self.location));
        fields.set("when", when_value(&self.when, &self.recurrence));
        fields.set("status", unless_default(&self.status));
        fields.set("transparency", unless_default(&self.transparency));
        fields.set("visibility", unless_default(&self.visibility));
        fields.set("event_type", unless_default(&self.event_type));
        for (address, attendee) in &self.attendees {
            fields.set(format!("attendee/{}", address.to_lowercase()), json!(attendee));
        }
        fields.set("organizer", self.organizer.as_ref().map_or(Value::Null, |p| json!(p)));
        fields.set("reminders", self.reminders.as_ref().map_or(Value::Null, |r| json!(r)));
        fields.set("conference", text(&self.conference));
        fields.set("source", self.source.as_ref().map_or(Value::Null, |s| json!(s)));
        fields.set("ical_uid", text(&self.ical_uid));
        for (name, value) in &self.properties {
            fields.set(format!("property/{name}"), Value::from(value.as_str()));
        }
        if !self.extra.is_empty() {
            fields.set("extra", Value::Object(self.extra.clone()));
        }
        fields
    }

    /// The typed view of a field map.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] naming the unit that cannot be read; `when` must be there.
    pub fn from_fields(fields: &Fields) -> Result<Self> {
        let (when, recurrence) =
            read_when(fields.get("when").ok_or_else(|| unreadable("when", "it is missing"))?)?;
        let text = |unit: &str| fields.get(unit).and_then(Value::as_str).map(str::to_owned);
        let mut appointment = Self::new("", when);
        appointment.recurrence = recurrence;
        appointment.summary = text("summary");
        appointment.description = text("description");
        appointment.location = text("location");
        appointment.status = text("status").map(Status::from).unwrap_or_default();
        appointment.transparency = text("transparency").map(Transparency::from).unwrap_or_default();
        appointment.visibility = text("visibility").map(Visibility::from).unwrap_or_default();
        appointment.event_type = text("event_type").map(EventType::from).unwrap_or_default();
        appointment.organizer = read(fields, "organizer")?;
        appointment.reminders = read(fields, "reminders")?;
        appointment.conference = text("conference");
        appointment.source = read(fields, "source")?;
        appointment.ical_uid = text("ical_uid");
        appointment.extra = read(fields, "extra")?.unwrap_or_default();
        for (unit, value) in fields.iter() {
            if let Some(address) = unit.guest() {
                let attendee = Attendee::deserialize(value).map_err(|e| unreadable(unit.as_str(), e))?;
                appointment.attendees.insert(address.to_owned(), attendee);
            } else if let Some(name) = unit.as_str().strip_prefix("property/")
                && let Some(value) = value.as_str()
            {
                appointment.properties.insert(name.to_owned(), value.to_owned());
            }
        }
        Ok(appointment)
    }
}

/// The `when` unit's value: one merge unit, because a new start with an old rule is a third thing that nobody wrote.
pub fn when_value(when: &When, recurrence: &Recurrence) -> Value {
    let mut value = match when {
        When::AllDay { start, end } => json!({"start": start, "end": end}),
        When::Timed { start, end } => {
            let mut value = json!({"start": start.time, "end": end.time, "zone": start.zone});
            if planted::on(Fault::ZoneDropped) {
                value["zone"] = json!("UTC");
            }
            if end.zone != start.zone {
                value["end_zone"] = json!(end.zone);
            }
            if start.later {
                value["start_later"] = json!(true);
            }
            if end.later {
                value["end_later"] = json!(true);
            }
            value
        }
    };
    if !recurrence.is_empty() {
        value["recurrence"] = json!(recurrence.lines());
    }
    value
}

/// The typed view of a `when` unit.
///
/// # Errors
/// [`ErrorKind::Invalid`] when a date, a time or a zone cannot be read.
pub fn read_when(value: &Value) -> Result<(When, Recurrence)> {
    #[derive(Deserialize)]
    struct Raw {
        start: String,
        end: String,
        zone: Option<Zone>,
        end_zone: Option<Zone>,
        #[serde(default)]
        start_later: bool,
        #[serde(default)]
        end_later: bool,
        #[serde(default)]
        recurrence: Vec<String>,
    }
    let raw = Raw::deserialize(value).map_err(|e| unreadable("when", e))?;
    let time = |text: &str| text.parse::<NaiveDateTime>().map_err(|e| unreadable("when", e));
    let date = |text: &str| text.parse::<NaiveDate>().map_err(|e| unreadable("when", e));
    let when = match raw.zone {
        None => When::AllDay { start: date(&raw.start)?, end: date(&raw.end)? },
        Some(zone) => When::Timed {
            start: ZonedTime { time: time(&raw.start)?, zone: zone.clone(), later: raw.start_later },
            end: ZonedTime {
                time: time(&raw.end)?,
                zone: raw.end_zone.unwrap_or(zone),
                later: raw.end_later,
            },
        },
    };
    Ok((when, Recurrence::new(raw.recurrence)))
}

fn read<T: serde::de::DeserializeOwned>(fields: &Fields, unit: &str) -> Result<Option<T>> {
    fields.get(unit).map(|value| T::deserialize(value).map_err(|e| unreadable(unit, e))).transpose()
}

fn unreadable(unit: &str, cause: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Invalid, "a field of the appointment cannot be read")
        .with("field", unit)
        .with("cause", cause)
}

fn unless_default<T: Default + PartialEq + Serialize>(value: &T) -> Value {
    if is_default(value) { Value::Null } else { json!(value) }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_appointment_with_every_field_survives_the_field_map() {
        let zone = Zone::new("America/Vancouver").expect("known");
        let when =
            When::timed("2026-11-23T09:00:00".parse().expect("a time"), chrono::Duration::hours(1), &zone);
        let mut a = Appointment::new("Site visit", when.expect("resolves"));
        a.description = Some("bring <b>keys</b>".into());
        a.location = Some("Dock 4".into());
        a.recurrence = Recurrence::new(vec!["RRULE:FREQ=WEEKLY".into()]);
        a.status = Status::Tentative;
        a.transparency = Transparency::Transparent;
        a.visibility = Visibility::Private;
        a.event_type = EventType::Other("hologram".into());
        a.attendees.insert(
            "bob@example.com".into(),
            Attendee { response: Response::Accepted, ..Default::default() },
        );
        a.organizer = Some(Person { email: "amy@example.com".into(), name: None });
        a.reminders = Some(vec![Reminder { method: "popup".into(), minutes: 0 }]);
        a.conference = Some("https://meet.example.com/x".into());
        a.source = Some(SourceLink { title: "Case 7".into(), url: "https://crm.example.com/7".into() });
        a.ical_uid = Some("uid@example.com".into());
        a.properties.insert("private/crm".into(), "7".into());
        a.extra.insert("colorId".into(), json!("3"));
        assert_eq!(Appointment::from_fields(&a.to_fields()).expect("readable"), a);
    }

    #[test]
    fn a_field_that_cannot_be_read_is_named() {
        let mut fields = Appointment::new("x", When::day("2026-11-23".parse().expect("a date"))).to_fields();
        fields.set("reminders", json!("soon"));
        let error = Appointment::from_fields(&fields).expect_err("unreadable");
        assert!(error.to_string().contains("(field reminders"), "{error}");
    }
}
