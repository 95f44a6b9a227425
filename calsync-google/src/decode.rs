//! From Google's event to the canonical model.
//!
//! Nothing here fails a page: an event that cannot be read becomes [`Item::Unreadable`], with the reason and without its
//! content. Nothing is guessed either, with two exceptions that users of real calendars need: a time without a zone is shown
//! in the calendar's zone, and a single event in a zone that nobody knows keeps its instant, in UTC. A series in such a zone
//! is unreadable, as its other occurrences would be guesses.
//!
//! Of a cancelled event only its identity and calsync's own stamp are read. Its times can be wrong: for removed guests Google has sent times long past
//! (google-api-nodejs-client #3212).

use crate::STAMP;
use crate::wire::event::{Event, EventDateTime, ExtendedProperties, Guest, Reminders};
use calsync_core::model::{
    Appointment, Attendee, EventType, Person, Recurrence, Reminder, RemoteOccurrence, RemoteRecord, Response,
    Slot, SourceLink, State, Status, When, Writable, ZonedTime,
};
use calsync_core::provider::Item;
use calsync_core::{OperationId, RemoteId, Revision, Zone};
use chrono::{DateTime, Datelike, FixedOffset, NaiveDate, NaiveDateTime, Utc};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// Years that an appointment can be in. What is further off is a slip or a fault, and as a series it would have more occurrences
/// than anybody can count.
const YEARS: std::ops::RangeInclusive<i32> = 1900..=9999;

/// What an event's reading needs to know of its calendar.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CalendarFacts {
    /// The calendar's zone; times without one are meant in it.
    pub(crate) zone: Option<Zone>,
    /// Events may be read, not written.
    pub(crate) read_only: bool,
}

impl CalendarFacts {
    pub(crate) fn new(time_zone: Option<&str>, access_role: Option<&str>) -> Self {
        Self {
            zone: time_zone.and_then(|name| Zone::new(name).ok()),
            read_only: matches!(access_role, Some("none" | "freeBusyReader" | "reader")),
        }
    }
}

/// Whether reading the event needs the calendar's zone.
pub(crate) fn needs_zone(event: &Map<String, Value>) -> bool {
    event.get("status").and_then(Value::as_str) != Some("cancelled")
        && event.get("start").is_some_and(|start| {
            start.get("dateTime").is_some_and(|t| !t.is_null())
                && start.get("timeZone").is_none_or(Value::is_null)
        })
}

/// Reads one entry of a listing.
pub(crate) fn item(entry: &RawValue, calendar: &CalendarFacts) -> Item {
    match serde_json::from_str(entry.get()) {
        Ok(event) => event_item(event, calendar),
        Err(_) => Item::Unreadable {
            id: RemoteId::new(""),
            revision: Revision::new(""),
            occurrence: None,
            reason: "the entry is not an event".into(),
        },
    }
}

/// Reads one event.
pub(crate) fn event_item(event: Map<String, Value>, calendar: &CalendarFacts) -> Item {
    let text = |name: &str| event.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (id, revision, status) = (RemoteId::new(text("id")), Revision::new(text("etag")), text("status"));
    let updated = DateTime::parse_from_rfc3339(&text("updated")).ok().map(|t| t.with_timezone(&Utc));
    let occurrence = occurrence(&event, &id);
    let known = occurrence.as_ref().ok().cloned().flatten();
    let read = occurrence.and_then(|occurrence| {
        if id.as_str().is_empty() {
            return Err("it has no id".to_owned());
        }
        let (id, revision) = (id.clone(), revision.clone());
        if status == "cancelled" {
            // Of a deleted event only the id is sure, but when read by id it tends to have the rest as well.
            let properties = event.get("extendedProperties");
            let properties = properties.and_then(|value| ExtendedProperties::deserialize(value).ok());
            let (state, writable, stamp) = (State::Gone, Writable::All, stamp(properties.as_ref()));
            return Ok(RemoteRecord { id, revision, occurrence, state, updated, stamp, writable });
        }
        let event =
            Event::take(event).map_err(|field| format!("the field {field} has an unexpected form"))?;
        let stamp = stamp(event.extended_properties.as_ref());
        let (appointment, writable) = appointment(event, occurrence.is_some(), calendar)?;
        let state = State::Live(appointment.to_fields());
        Ok(RemoteRecord { id, revision, occurrence, state, updated, stamp, writable })
    });
    match read {
        Ok(record) => Item::Record(record),
        Err(reason) => Item::Unreadable { id, revision, occurrence: known, reason },
    }
}

/// Which occurrence it replaces. The slot is `originalStartTime`; where that is missing, the end of the id says the same
/// (`<series>_20261123T160000Z`).
fn occurrence(event: &Map<String, Value>, id: &RemoteId) -> Result<Option<RemoteOccurrence>, String> {
    let Some(series) = event.get("recurringEventId").and_then(Value::as_str).filter(|id| !id.is_empty())
    else {
        return Ok(None);
    };
    let slot = match event.get("originalStartTime").filter(|slot| !slot.is_null()) {
        Some(slot) => EventDateTime::deserialize(slot).ok().and_then(|slot| read_slot(&slot)),
        None => slot_of_id(id),
    };
    let slot = slot.ok_or("its slot in the series cannot be read")?;
    Ok(Some(RemoteOccurrence { series: RemoteId::from(series), slot }))
}

fn read_slot(slot: &EventDateTime) -> Option<Slot> {
    if let Some(date) = &slot.date {
        return date.parse().ok().map(Slot::Date);
    }
    let time = slot.date_time.as_deref()?;
    match DateTime::parse_from_rfc3339(time) {
        Ok(time) => Some(Slot::Time(whole_seconds(time.with_timezone(&Utc)))),
        Err(_) => {
            let zone = Zone::new(slot.time_zone.as_deref()?).ok()?;
            Some(Slot::Time(ZonedTime::new(time.parse().ok()?, zone).instant().ok()?))
        }
    }
}

/// The slot at the end of an occurrence's id.
pub(crate) fn slot_of_id(id: &RemoteId) -> Option<Slot> {
    id.as_str().rsplit_once('_')?.1.parse().ok()
}

fn stamp(properties: Option<&ExtendedProperties>) -> Option<OperationId> {
    properties?.private.as_ref()?.get(STAMP)?.as_str().map(OperationId::from)
}

fn appointment(
    mut event: Event,
    is_occurrence: bool,
    calendar: &CalendarFacts,
) -> Result<(Appointment, Writable), String> {
    let recurrence = Recurrence::new(event.recurrence.take().unwrap_or_default());
    let start = event.start.as_ref().ok_or("it has no start")?;
    let end = event.end.as_ref().ok_or("it has no end")?;
    let when = when(start, end, !recurrence.is_empty() && !is_occurrence, calendar.zone.as_ref())?;
    if !recurrence.lines().iter().all(|line| legible(line)) {
        return Err("its recurrence rule is none".into());
    }
    let mut appointment = Appointment::new("", when);
    appointment.recurrence = recurrence;
    appointment.summary = event.summary.take();
    appointment.description = event.description.take();
    appointment.location = event.location.take();
    appointment.status = event.status.take().map(Status::from).unwrap_or_default();
    appointment.transparency = event.transparency.take().map(Into::into).unwrap_or_default();
    appointment.visibility = event.visibility.take().map(Into::into).unwrap_or_default();
    appointment.event_type = event.event_type.take().map(EventType::from).unwrap_or_default();
    appointment.ical_uid = event.ical_uid.take();
    appointment.reminders = reminders(event.reminders.take())?;
    appointment.conference = conference(&event);
    appointment.source = event
        .source
        .take()
        .and_then(|s| Some(SourceLink { title: s.title.unwrap_or_default(), url: s.url? }));
    let me = attendees(&mut event, &mut appointment)?;
    let writable = writable(&event, &appointment, me, calendar);
    properties(&mut event, &mut appointment);
    if let Some(organizer) = event.organizer.take()
        && let Some(email) = organizer.email.filter(|email| !email.is_empty())
    {
        appointment.organizer = Some(Person { email: email.to_lowercase(), name: organizer.display_name });
        event.rest.remove("organizer");
    }
    appointment.extra = event.rest;
    // What is read above, what only names this copy, and what changes by itself is no property of the appointment.
    for name in ["kind", "etag", "id", "updated", "recurringEventId", "originalStartTime", "sequence"] {
        appointment.extra.remove(name);
    }
    Ok((appointment, writable))
}

/// Whether a line of a recurrence can be one. A rule with a frequency or a count that is none would be written to the CRM, and
/// refused by every calendar that it is to go to from there. Google gives out lines that lack a frequency and mean dates
/// (allenporter/gcal_sync #327): they are kept as they are.
fn legible(line: &str) -> bool {
    let (name, value) = line.split_once(':').unwrap_or((line, ""));
    let named =
        |name: &str, one_of: &[&str]| one_of.iter().any(|other| name.trim().eq_ignore_ascii_case(other));
    let rule = name.split(';').next().is_some_and(|name| named(name, &["RRULE", "EXRULE"]));
    let every = ["SECONDLY", "MINUTELY", "HOURLY", "DAILY", "WEEKLY", "MONTHLY", "YEARLY"];
    let mut parts = value.split(';').filter_map(|part| part.split_once('='));
    let possible = |(key, value): (&str, &str)| {
        if named(key, &["FREQ"]) {
            named(value, &every)
        } else {
            !named(key, &["COUNT", "INTERVAL"]) || value.trim().parse::<u32>().is_ok()
        }
    };
    !rule || parts.all(possible)
}

fn when(
    start: &EventDateTime,
    end: &EventDateTime,
    is_series: bool,
    calendar_zone: Option<&Zone>,
) -> Result<When, String> {
    // For whole days a zone means nothing (guide "Events and calendars"), and is ignored.
    if let Some(first) = &start.date {
        let last = end.date.as_ref().ok_or("it starts on a date and does not end on one")?;
        let date = |text: &str, what: &str| {
            text.parse::<NaiveDate>().map_err(|_| format!("its {what} is not a date"))
        };
        let (start, end) = (date(first, "start")?, date(last, "end")?);
        if end < start {
            return Err("it ends before it starts".into());
        }
        in_years(start.year(), "start")?;
        return Ok(When::AllDay { start, end });
    }
    let zone = match (start.time_zone.as_deref().filter(|name| !name.is_empty()), calendar_zone) {
        (Some(name), _) => match Zone::new(name) {
            Ok(zone) => zone,
            Err(_) if is_series => {
                return Err(format!("it is a series in an unknown time zone ({})", short(name)));
            }
            Err(_) => Zone::utc(),
        },
        (None, Some(zone)) => zone.clone(),
        (None, None) if is_series => return Err("it is a series without a time zone".into()),
        (None, None) => Zone::utc(),
    };
    let end_zone = match end.time_zone.as_deref().filter(|name| !name.is_empty()) {
        // Without one of its own, the end is read on the start's clock.
        None => zone.clone(),
        Some(_) if end.time_zone == start.time_zone => zone.clone(),
        Some(name) => Zone::new(name).unwrap_or_else(|_| zone.clone()),
    };
    if instant(end).zip(instant(start)).is_some_and(|(end, start)| end < start) {
        return Err("it ends before it starts".into());
    }
    let start = zoned(start.date_time.as_deref(), zone, calendar_zone, "start")?;
    let end = zoned(end.date_time.as_deref(), end_zone, calendar_zone, "end")?;
    in_years(start.time.year(), "start")?;
    Ok(When::Timed { start, end })
}

fn in_years(year: i32, what: &str) -> Result<(), String> {
    if YEARS.contains(&year) { Ok(()) } else { Err(format!("its {what} is in the year {year}")) }
}

/// The instant as it was written, with its offset: a wall clock that is set back shows the end before the start.
fn instant(time: &EventDateTime) -> Option<DateTime<FixedOffset>> {
    DateTime::parse_from_rfc3339(time.date_time.as_deref()?).ok()
}

/// The instant, on the clock of `zone`. Google writes times with the calendar's offset, whatever zone the event has.
fn zoned(time: Option<&str>, zone: Zone, calendar: Option<&Zone>, what: &str) -> Result<ZonedTime, String> {
    let time = time.ok_or_else(|| format!("its {what} has neither a date nor a time"))?;
    let read = match DateTime::parse_from_rfc3339(time) {
        Ok(there) if calendar == Some(&zone) && by_other_zone_data(time, &there, &zone) => {
            Ok(ZonedTime::new(there.naive_local(), zone))
        }
        Ok(time) => ZonedTime::at(whole_seconds(time.with_timezone(&Utc)), zone),
        Err(_) => {
            let time = time.parse::<NaiveDateTime>().map_err(|_| format!("its {what} is not a time"))?;
            Ok(ZonedTime::new(time, zone))
        }
    };
    let outside = |_| format!("its {what} is outside the calendar's range");
    let read = read.map_err(outside)?;
    // Before the zones kept whole minutes, offsets had seconds, which RFC 3339 cannot write: what is written for such a time is
    // not what is read back, and two calendars would correct each other for ever (C5).
    let offset = read.time - read.instant().map_err(outside)?.naive_utc();
    match offset.num_seconds() % 60 {
        0 => Ok(read),
        _ => Err(format!(
            "its {what} is in a time when its zone's offset had seconds, which cannot be written"
        )),
    }
}

/// Whether an offset, written by the clock of `zone`, is what other zone data makes of it: Google's is older or newer than
/// calsync's, and the two are up to an hour apart. The wall time is what people see and mean, and stays (C12).
fn by_other_zone_data(text: &str, there: &DateTime<FixedOffset>, zone: &Zone) -> bool {
    let here = ZonedTime::at(there.with_timezone(&Utc), zone.clone());
    let apart = here.map(|here| (here.time - there.naive_local()).num_minutes().abs());
    !text.ends_with('Z') && apart.is_ok_and(|minutes| (1..=60).contains(&minutes))
}

fn whole_seconds(time: DateTime<Utc>) -> DateTime<Utc> {
    DateTime::from_timestamp(time.timestamp(), 0).unwrap_or(time)
}

/// A zone's name, as far as a name is long.
fn short(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(60).collect()
}

/// Own reminders; `None` for the calendar's. Google gives the defaults of whole-day events back as own ones.
fn reminders(reminders: Option<Reminders>) -> Result<Option<Vec<Reminder>>, String> {
    let Some(reminders) = reminders else { return Ok(None) };
    if reminders.use_default != Some(false) && reminders.overrides.as_ref().is_none_or(Vec::is_empty) {
        return Ok(None);
    }
    let overrides = reminders.overrides.unwrap_or_default().into_iter().map(|reminder| {
        let minutes = reminder.minutes.ok_or("a reminder has no minutes")?;
        Ok(Reminder { method: reminder.method.unwrap_or_else(|| "popup".into()), minutes })
    });
    overrides.collect::<Result<Vec<_>, &str>>().map(Some).map_err(str::to_owned)
}

/// The address to join by: the video entry, else the older link.
fn conference(event: &Event) -> Option<String> {
    let entries =
        event.rest.get("conferenceData").and_then(|data| data.get("entryPoints")).and_then(Value::as_array);
    let video =
        entries.into_iter().flatten().find(|entry| entry.get("entryPointType").is_some_and(|t| t == "video"));
    let uri = video.and_then(|entry| entry.get("uri")).and_then(Value::as_str);
    uri.map(str::to_owned).or_else(|| event.hangout_link.clone())
}

/// Fills the guests in and says which of them this calendar is. Guests without an address cannot be a unit; they stay in
/// `extra` as they came, so that writing the list does not lose them.
fn attendees(event: &mut Event, appointment: &mut Appointment) -> Result<Option<String>, String> {
    let mut me = None;
    let mut nameless = Vec::new();
    for raw in event.attendees.take().unwrap_or_default() {
        let guest = Guest::deserialize(&raw).map_err(|_| "a guest has an unexpected form")?;
        let Some(email) =
            guest.email.map(|email| email.trim().to_lowercase()).filter(|email| !email.is_empty())
        else {
            nameless.push(raw);
            continue;
        };
        if guest.itself == Some(true) {
            me = Some(email.clone());
        }
        appointment.attendees.entry(email).or_insert(Attendee {
            name: guest.display_name.filter(|name| !name.is_empty()),
            response: guest.response_status.map(Response::from).unwrap_or_default(),
            optional: guest.optional.unwrap_or_default(),
            resource: guest.resource.unwrap_or_default(),
            comment: guest.comment.filter(|comment| !comment.is_empty()),
            additional_guests: guest.additional_guests.unwrap_or_default(),
        });
    }
    if !nameless.is_empty() {
        event.rest.insert("attendees".into(), Value::Array(nameless));
    }
    Ok(me)
}

/// Own properties of this copy and of all copies; the stamp is calsync's and no property.
fn properties(event: &mut Event, appointment: &mut Appointment) {
    let Some(properties) = event.extended_properties.take() else { return };
    for (kind, values) in [("private", properties.private), ("shared", properties.shared)] {
        for (name, value) in values.unwrap_or_default() {
            if let Value::String(value) = value
                && !(kind == "private" && name == STAMP)
            {
                appointment.properties.insert(format!("{kind}/{name}"), value);
            }
        }
    }
}

/// What may be written, as far as the event says.
fn writable(
    event: &Event,
    appointment: &Appointment,
    me: Option<String>,
    calendar: &CalendarFacts,
) -> Writable {
    let flag = |name: &str| event.rest.get(name).and_then(Value::as_bool) == Some(true);
    let own_copy = Writable::OwnCopy { me: me.unwrap_or_default() };
    let hidden = event.organizer.is_none() && !event.rest.contains_key("creator");
    let private = matches!(appointment.visibility.as_str(), "private" | "confidential");
    if calendar.read_only || (hidden && private && appointment.summary.is_none()) {
        // Only that the time is taken is told.
        return Writable::Nothing;
    }
    match &appointment.event_type {
        EventType::Default | EventType::FocusTime | EventType::OutOfOffice => {}
        // Made from a mail: reminders, visibility and the like, never the contents.
        EventType::FromGmail => return own_copy,
        // Birthdays and places of work have rules of their own, and tomorrow's types have unknown ones.
        _ => return Writable::Nothing,
    }
    if flag("locked") {
        return own_copy;
    }
    match &event.organizer {
        Some(organizer)
            if organizer.itself != Some(true)
                && !flag("guestsCanModify")
                && !appointment.attendees.is_empty() =>
        {
            own_copy
        }
        _ => Writable::All,
    }
}

#[cfg(test)]
mod tests;
