//! What Google can hold.
//!
//! Both sides are compared after this, so that a value that Google cuts or drops is not corrected for ever. It is pure, and
//! applying it twice changes nothing more. Lengths are counted in UTF-16 units, the smaller of the two ways that "characters"
//! can be meant: what fits here fits Google.

use crate::STAMP;
use calsync_core::model::appointment::{read_when, when_value};
use calsync_core::model::{Fields, Recurrence, Unit, When, ZonedTime};
use chrono::NaiveDateTime;
use serde_json::Value;
use std::borrow::Cow;

/// Google cuts a description here (OutlookGoogleCalendarSync).
const DESCRIPTION_MAX: usize = 8192;
/// Longer property keys are dropped without a word, longer values cut (guide "Extended properties").
const PROPERTY_KEY_MAX: usize = 44;
const PROPERTY_VALUE_MAX: usize = 1024;
/// Reminders of an event (events resource, `reminders.overrides`).
const REMINDERS_MAX: usize = 5;
/// Four weeks.
const REMINDER_MINUTES_MAX: u64 = 40_320;

/// The values as Google can hold them.
pub(crate) fn project(fields: &Fields) -> Fields {
    let mut projected = fields.clone();
    for (unit, value) in fields.iter() {
        match unit_value(unit, value).filter(|_| !value.is_null()) {
            Some(Cow::Borrowed(_)) => {}
            Some(Cow::Owned(other)) if other == *value => {}
            Some(Cow::Owned(other)) => projected.set(unit.clone(), other),
            None => _ = projected.remove(unit.as_str()),
        }
    }
    projected
}

fn unit_value<'a>(unit: &Unit, value: &'a Value) -> Option<Cow<'a, Value>> {
    match unit.as_str() {
        "summary" | "location" | "status" | "transparency" | "visibility" | "extra" => {
            Some(Cow::Borrowed(value))
        }
        // The provider's own; read, never written.
        "organizer" | "conference" | "ical_uid" | "event_type" => Some(Cow::Borrowed(value)),
        "description" => Some(cut_value(value, DESCRIPTION_MAX).unwrap_or(Cow::Borrowed(value))),
        "when" => Some(when(value).map_or(Cow::Borrowed(value), Cow::Owned)),
        "reminders" => Some(Cow::Owned(reminders(value))),
        // http and https only (events resource, `source.url`).
        "source" => {
            let url = value.get("url").and_then(Value::as_str)?;
            (url.starts_with("https://") || url.starts_with("http://")).then_some(Cow::Borrowed(value))
        }
        name => {
            if let Some(address) = name.strip_prefix("attendee/") {
                return (!address.is_empty()).then_some(Cow::Borrowed(value));
            }
            let name = name.strip_prefix("property/")?;
            let (own, key) = match name.strip_prefix("private/") {
                Some(key) => (key == STAMP, key),
                None => (false, name.strip_prefix("shared/")?),
            };
            if own || key.is_empty() || utf16(key) > PROPERTY_KEY_MAX {
                return None;
            }
            cut_value(value, PROPERTY_VALUE_MAX)
        }
    }
}

/// A text of at most so many UTF-16 units; `None` for what is no text.
fn cut_value(value: &Value, max: usize) -> Option<Cow<'_, Value>> {
    let text = value.as_str()?;
    let kept = cut(text, max);
    Some(if kept.len() == text.len() { Cow::Borrowed(value) } else { Cow::Owned(kept.into()) })
}

fn utf16(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

fn cut(text: &str, max: usize) -> &str {
    if text.len() <= max {
        return text;
    }
    let mut units = 0;
    for (at, c) in text.char_indices() {
        units += c.len_utf16();
        if units > max {
            return &text[..at];
        }
    }
    text
}

/// Methods that Google knows, in minutes that it takes, each once, five at most.
fn reminders(value: &Value) -> Value {
    let Some(list) = value.as_array() else { return value.clone() };
    let mut kept: Vec<Value> = Vec::new();
    for reminder in list {
        let method = reminder.get("method").and_then(Value::as_str).unwrap_or_default();
        let Some(minutes) = reminder.get("minutes").and_then(Value::as_u64) else { continue };
        let reminder = serde_json::json!({"method": method, "minutes": minutes.min(REMINDER_MINUTES_MAX)});
        if matches!(method, "popup" | "email") && kept.len() < REMINDERS_MAX && !kept.contains(&reminder) {
            kept.push(reminder);
        }
    }
    Value::Array(kept)
}

/// A time that a clock change skips is the time after the gap, because Google keeps instants; a series ends in the zone that
/// it starts in; and the end of a rule has the type that Google accepts.
fn when(value: &Value) -> Option<Value> {
    let (when, recurrence) = read_when(value).ok()?;
    let when = match when {
        When::Timed { start, end } => {
            let end_zone = if recurrence.is_empty() { end.zone.clone() } else { start.zone.clone() };
            let (from, to) = (start.instant().ok()?, end.instant().ok()?);
            When::Timed {
                start: ZonedTime::at(from, start.zone).ok()?,
                end: ZonedTime::at(to, end_zone).ok()?,
            }
        }
        days => days,
    };
    let lines = recurrence.lines().iter().map(|line| end_of_rule(line, &when)).collect();
    Some(when_value(&when, &Recurrence::new(lines)))
}

/// `UNTIL` in a form that Google accepts: an instant in UTC for a series by the clock, where a local time is refused
/// ("Invalid recurrence rule.", google/googleapis.dart #223); a date for whole days, where imported series have a time.
fn end_of_rule(line: &str, when: &When) -> String {
    let upper = line.to_ascii_uppercase();
    let Some(at) = upper
        .find("UNTIL=")
        .map(|at| at + 6)
        .filter(|_| upper.starts_with("RRULE") || upper.starts_with("EXRULE"))
    else {
        return line.to_owned();
    };
    let length = line[at..].find(';').unwrap_or(line.len() - at);
    let until = &upper[at..at + length];
    let mended = match when {
        When::AllDay { .. } => until.split_once('T').map(|(date, _)| date.to_owned()),
        When::Timed { start, .. } => NaiveDateTime::parse_from_str(until, "%Y%m%dT%H%M%S")
            .ok()
            .and_then(|time| ZonedTime::new(time, start.zone.clone()).instant().ok())
            .map(|instant| instant.format("%Y%m%dT%H%M%SZ").to_string()),
    };
    match mended {
        Some(mended) => format!("{}{mended}{}", &line[..at], &line[at + length..]),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(unit: &str, given: Value, held: Value) {
        let fields: Fields = [(Unit::from(unit), given)].into_iter().collect();
        let once = project(&fields);
        assert_eq!(once.get(unit).cloned().unwrap_or_default(), held, "{unit}");
        assert_eq!(project(&once), once, "{unit}: twice");
    }

    #[test]
    fn what_google_cuts_is_cut_and_what_it_lacks_is_left_out() {
        check("description", json!("x".repeat(9000)), json!("x".repeat(8192)));
        check("description", json!("é".repeat(8192)), json!("é".repeat(8192)));
        check("description", json!("𝄞".repeat(5000)), json!("𝄞".repeat(4096)));
        check("description", json!(format!("{}𝄞", "x".repeat(8191))), json!("x".repeat(8191)));
        check(&format!("property/private/{}", "k".repeat(44)), json!("v"), json!("v"));
        check(&format!("property/private/{}", "k".repeat(45)), json!("v"), json!(null));
        check("property/shared/k", json!("v".repeat(2000)), json!("v".repeat(1024)));
        check("property/shared/k", json!(7), json!(null));
        check("property/other/k", json!("v"), json!(null));
        check("property/private/", json!("v"), json!(null));
        check("property/private/calsyncOperation", json!("op"), json!(null));
        check("stage", json!("won"), json!(null));
        check("source", json!({"title": "t", "url": "crm://7"}), json!(null));
        check(
            "source",
            json!({"title": "t", "url": "https://c/7"}),
            json!({"title": "t", "url": "https://c/7"}),
        );
        for unit in [
            "summary",
            "location",
            "status",
            "transparency",
            "visibility",
            "attendee/a@b.c",
            "organizer",
            "extra",
        ] {
            check(unit, json!("kept"), json!("kept"));
        }
    }

    #[test]
    fn reminders_are_at_most_five_of_known_methods_within_four_weeks() {
        let popup = |minutes: u32| json!({"method": "popup", "minutes": minutes});
        check("reminders", json!([]), json!([]));
        check("reminders", json!([popup(0)]), json!([popup(0)]));
        check("reminders", json!([popup(50_000), popup(60_000)]), json!([popup(40_320)]));
        check(
            "reminders",
            json!([{"method": "sms", "minutes": 5}, popup(5), {"method": "email"}]),
            json!([popup(5)]),
        );
        let seven: Vec<Value> = (1..=7).map(popup).collect();
        check("reminders", json!(seven), json!(seven[..5]));
    }

    #[test]
    fn times_are_those_that_google_gives_back() {
        // 02:30 does not exist on that day.
        check(
            "when",
            json!({"start": "2026-03-08T02:30:00", "end": "2026-03-08T03:30:00", "zone": "America/New_York"}),
            json!({"start": "2026-03-08T03:30:00", "end": "2026-03-08T03:30:00", "zone": "America/New_York"}),
        );
        check(
            "when",
            json!({"start": "2026-11-01T01:30:00", "end": "2026-11-01T01:45:00", "zone": "America/New_York", "start_later": true, "end_later": true}),
            json!({"start": "2026-11-01T01:30:00", "end": "2026-11-01T01:45:00", "zone": "America/New_York", "start_later": true, "end_later": true}),
        );
        // A single flight ends in another zone, a series does not.
        let flight = json!({"start": "2026-11-23T09:00:00", "end": "2026-11-23T12:00:00", "zone": "Europe/Berlin", "end_zone": "Asia/Tokyo"});
        check("when", flight.clone(), flight.clone());
        let mut weekly = flight;
        weekly["recurrence"] = json!(["RRULE:FREQ=WEEKLY"]);
        check(
            "when",
            weekly,
            json!({"start": "2026-11-23T09:00:00", "end": "2026-11-23T04:00:00", "zone": "Europe/Berlin", "recurrence": ["RRULE:FREQ=WEEKLY"]}),
        );
        check("when", json!({"start": "nonsense"}), json!({"start": "nonsense"}));
    }

    #[test]
    fn g10_17_the_end_of_a_rule_has_the_type_that_google_accepts() {
        for (zone, given, held) in [
            (
                true,
                "RRULE:FREQ=DAILY;UNTIL=20210605T000000;INTERVAL=2",
                "RRULE:FREQ=DAILY;UNTIL=20210605T040000Z;INTERVAL=2",
            ),
            (true, "RRULE:FREQ=DAILY;UNTIL=20210605T000000Z", "RRULE:FREQ=DAILY;UNTIL=20210605T000000Z"),
            (true, "RRULE:FREQ=DAILY;UNTIL=20210605", "RRULE:FREQ=DAILY;UNTIL=20210605"),
            (false, "RRULE:FREQ=DAILY;UNTIL=20110812T070000Z", "RRULE:FREQ=DAILY;UNTIL=20110812"),
            (false, "EXDATE;VALUE=DATE:20110812", "EXDATE;VALUE=DATE:20110812"),
        ] {
            let with = |line: &str| match zone {
                true => {
                    json!({"start": "2021-05-01T09:00:00", "end": "2021-05-01T10:00:00", "zone": "America/New_York", "recurrence": [line]})
                }
                false => json!({"start": "2011-05-01", "end": "2011-05-02", "recurrence": [line]}),
            };
            check("when", with(given), with(held));
        }
    }
}
