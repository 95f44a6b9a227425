//! The endpoints, a file each.
//!
//! A call knows how to ask and how to read the answer, and nothing else; it is tested with recorded answers. Identifiers are
//! percent-encoded segment by segment, so that an id cannot change which endpoint is asked.

mod delete_event;
mod get_calendar;
mod get_calendar_entry;
mod get_calendar_properties;
mod get_event;
mod insert_calendar_entry;
mod insert_event;
mod list_calendar_entries;
mod list_events;
mod list_rooms;
mod patch_event;
mod revoke;
pub(crate) mod token;
mod userinfo;

pub(crate) use delete_event::DeleteEvent;
pub(crate) use get_calendar::{CalendarHead, GetCalendar};
pub(crate) use get_calendar_entry::GetCalendarEntry;
pub(crate) use get_calendar_properties::GetCalendarProperties;
pub(crate) use get_event::GetEvent;
pub(crate) use insert_calendar_entry::InsertCalendarEntry;
pub(crate) use insert_event::InsertEvent;
pub(crate) use list_calendar_entries::ListCalendarEntries;
pub(crate) use list_events::{FINGERPRINT, ListEvents};
pub(crate) use list_rooms::ListRooms;
pub(crate) use patch_event::PatchEvent;
pub(crate) use revoke::Revoke;
pub(crate) use userinfo::GetUserinfo;

use crate::wire::error::{About, refusal};
use bytes::Bytes;
use calsync_core::http::BaseUrl;
use calsync_core::provider::Mail;
use calsync_core::{CalendarId, Error, ErrorKind, RemoteId, Result, Revision};
use serde_json::{Map, Value};

/// The address of a calendar's events, or of one of them.
fn events_path(base: &BaseUrl, calendar: &CalendarId, event: Option<&RemoteId>) -> Result<String> {
    let mut path = format!("{base}/calendars/{}/events", segment("calendar", calendar.as_str())?);
    if let Some(event) = event {
        path.push('/');
        path.push_str(&segment("event", event.as_str())?);
    }
    Ok(path)
}

/// One segment of a path. Everything but RFC 3986's unreserved characters is encoded: `@` as `%40`, `#` as `%23`.
///
/// # Errors
/// [`ErrorKind::Config`] for what no encoding makes a segment: nothing, and the two names of directories, which HTTP clients
/// resolve even when encoded.
fn segment(what: &'static str, id: &str) -> Result<String> {
    if matches!(id, "" | "." | "..") {
        return Err(Error::new(ErrorKind::Config, "this cannot be an id").with(what, format!("{id:?}")));
    }
    Ok(encode(id))
}

/// Percent-encodes for a path segment, a query value or a form.
pub(crate) fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len() + 8);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// A form or a query string.
pub(crate) fn pairs(pairs: &[(&str, &str)]) -> String {
    let pairs: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect();
    pairs.join("&")
}

/// `sendUpdates`, always said: Google's own default differs between methods.
fn send_updates(mail: Mail) -> &'static str {
    match mail {
        Mail::Nobody => "none",
        Mail::Guests => "all",
        Mail::ExternalGuests => "externalOnly",
    }
}

/// `If-Match`; Google compares it with the event's etag and writes nothing where they differ (guide "Versioned resources").
fn if_match(builder: http::request::Builder, revision: Option<&Revision>) -> http::request::Builder {
    match revision.filter(|revision| !revision.as_str().is_empty()) {
        Some(revision) => builder.header(http::header::IF_MATCH, revision.as_str()),
        None => builder,
    }
}

fn finish(builder: http::request::Builder, body: Bytes) -> Result<http::Request<Bytes>> {
    (builder.body(body))
        .map_err(|e| Error::new(ErrorKind::Config, "the request cannot be written").caused_by(e))
}

fn json_body(value: &Map<String, Value>) -> Result<Bytes> {
    let json = serde_json::to_vec(value);
    Ok(json.map_err(|e| Error::new(ErrorKind::Invalid, "the event cannot be written").caused_by(e))?.into())
}

/// A 200 with an object in it; everything else is an error.
fn object(answer: &http::Response<Bytes>, about: About) -> Result<Map<String, Value>> {
    if answer.status() != http::StatusCode::OK {
        return Err(refusal(answer, about));
    }
    crate::wire::read(answer, about.writes())
}

/// The event that a write answers with.
fn written(answer: &http::Response<Bytes>, about: About) -> Result<Map<String, Value>> {
    let event = object(answer, about)?;
    if event.get("id").and_then(Value::as_str).is_none_or(str::is_empty) {
        let error = Error::new(ErrorKind::Protocol, "the answer to a write is not an event");
        return Err(error.later().maybe_sent());
    }
    Ok(event)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_cannot_leave_their_segment() {
        let base = BaseUrl::new("https://www.googleapis.com/calendar/v3").expect("an address");
        for (calendar, event, path) in [
            ("amy@example.com", None, "amy%40example.com/events"),
            (
                "en.usa#holiday@group.v.calendar.google.com",
                None,
                "en.usa%23holiday%40group.v.calendar.google.com/events",
            ),
            ("a/../b?x=1", Some("c d%2F\u{e9}"), "a%2F..%2Fb%3Fx%3D1/events/c%20d%252F%C3%A9"),
        ] {
            let event = event.map(RemoteId::from);
            let path_now = events_path(&base, &calendar.into(), event.as_ref()).expect("a path");
            assert_eq!(path_now, format!("https://www.googleapis.com/calendar/v3/calendars/{path}"));
        }
        for id in ["", ".", ".."] {
            let error = events_path(&base, &id.into(), None).expect_err("no segment");
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(events_path(&base, &"a".into(), Some(&id.into())).is_err());
        }
    }
}
