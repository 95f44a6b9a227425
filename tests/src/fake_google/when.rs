//! Start and end of an event: a date, or an instant with a zone.
//!
//! The one file that asks the time-zone library. Zones come from jiff's bundled database and not from the system's, so
//! that a simulated history is the same on every machine. Wall-clock times that do not exist move forward by the gap,
//! and times that exist twice mean the first, as RFC 5545 wants.

use std::sync::OnceLock;

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, NaiveTime, TimeZone as _, Timelike, Utc};
use jiff::tz::{TimeZone, TimeZoneDatabase};
use serde_json::{Map, Value, json};

use super::behaviour::Behaviour;
use super::refusal::Refusal;

/// A zone by its IANA name.
#[derive(Clone, Debug)]
pub(crate) struct Zone {
    pub(crate) name: String,
    zone: TimeZone,
}

impl PartialEq for Zone {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Zone {
    pub(crate) fn utc() -> Self {
        Self { name: "UTC".to_owned(), zone: TimeZone::UTC }
    }

    /// The zone of this name, or nothing: Windows names, abbreviations with digits only and typing errors are unknown.
    pub(crate) fn named(name: &str) -> Option<Self> {
        static DATABASE: OnceLock<TimeZoneDatabase> = OnceLock::new();
        if name == "UTC" {
            return Some(Self::utc());
        }
        let zone = DATABASE.get_or_init(TimeZoneDatabase::bundled).get(name).ok()?;
        Some(Self { name: name.to_owned(), zone })
    }

    pub(crate) fn wall(&self, at: DateTime<Utc>) -> NaiveDateTime {
        at.naive_utc() + chrono::Duration::seconds(self.offset_seconds(at))
    }

    fn offset_seconds(&self, at: DateTime<Utc>) -> i64 {
        match jiff::Timestamp::from_second(at.timestamp()) {
            Ok(timestamp) => i64::from(self.zone.to_offset(timestamp).seconds()),
            Err(_) => 0,
        }
    }

    pub(crate) fn instant(&self, wall: NaiveDateTime) -> DateTime<Utc> {
        self.resolve(wall).unwrap_or_else(|| Utc.from_utc_datetime(&wall))
    }

    fn resolve(&self, wall: NaiveDateTime) -> Option<DateTime<Utc>> {
        let civil = jiff::civil::DateTime::new(
            i16::try_from(wall.year()).ok()?,
            i8::try_from(wall.month()).ok()?,
            i8::try_from(wall.day()).ok()?,
            i8::try_from(wall.hour()).ok()?,
            i8::try_from(wall.minute()).ok()?,
            i8::try_from(wall.second()).ok()?,
            0,
        )
        .ok()?;
        let timestamp = self.zone.to_ambiguous_timestamp(civil).compatible().ok()?;
        DateTime::from_timestamp(timestamp.as_second(), 0)
    }

    /// `2026-01-05T09:00:00+01:00`, and `Z` where the offset is zero.
    pub(crate) fn render(&self, at: DateTime<Utc>) -> String {
        let offset = self.offset_seconds(at);
        let wall = self.wall(at).format("%Y-%m-%dT%H:%M:%S");
        if offset == 0 {
            return format!("{wall}Z");
        }
        let sign = if offset < 0 { '-' } else { '+' };
        let minutes = offset.abs() / 60;
        format!("{wall}{sign}{:02}:{:02}", minutes / 60, minutes % 60)
    }
}

/// A start or an end.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum When {
    Date(NaiveDate),
    Time { at: DateTime<Utc>, zone: Option<Zone> },
}

impl When {
    /// Reads `{date}` or `{dateTime, timeZone}`; `edge` is `start` or `end` and goes into the refusal.
    pub(crate) fn read(
        value: &Value,
        edge: &str,
        calendar: &Zone,
        behaviour: &Behaviour,
        recurring: bool,
    ) -> Result<Self, Refusal> {
        let invalid = || Refusal::invalid(&format!("Invalid {edge} time."));
        let map = value.as_object().ok_or_else(invalid)?;
        let text = |key: &str| match map.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.as_str())),
            Some(_) => Err(invalid()),
        };
        // The zone is checked before anything else, also where an all-day event gives it no meaning.
        let zone_unknown = || Refusal::invalid(&format!("Invalid time zone definition for {edge} time."));
        let zone = match text("timeZone")? {
            None => None,
            Some(name) if behaviour.unknown_zones.iter().any(|unknown| unknown == name) => {
                return Err(zone_unknown());
            }
            Some(name) => Some(Zone::named(name).ok_or_else(zone_unknown)?),
        };
        let zone_missing = || Refusal::required(&format!("Missing time zone definition for {edge} time."));
        match (text("date")?, text("dateTime")?) {
            // Both at once is what a PATCH between all-day and timed produces when the other key is not nulled.
            (Some(_), Some(_)) => Err(invalid()),
            (None, None) => Err(Refusal::required(&format!("Missing {edge} time."))),
            (Some(date), None) => {
                NaiveDate::parse_from_str(date, "%Y-%m-%d").map(Self::Date).map_err(|_| invalid())
            }
            (None, Some(time)) => {
                // A series needs the zone even where the offset says everything about its first occurrence.
                if recurring && zone.is_none() {
                    return Err(zone_missing());
                }
                let at = match DateTime::parse_from_rfc3339(time) {
                    Ok(at) => at.with_timezone(&Utc),
                    Err(_) => {
                        let wall = NaiveDateTime::parse_from_str(time, "%Y-%m-%dT%H:%M:%S%.f")
                            .map_err(|_| invalid())?;
                        zone.as_ref().ok_or_else(zone_missing)?.instant(wall)
                    }
                };
                let at = at.with_nanosecond(0).unwrap_or(at);
                let zone = zone.or_else(|| behaviour.fill_time_zone.then(|| calendar.clone()));
                Ok(Self::Time { at, zone })
            }
        }
    }

    pub(crate) fn is_date(&self) -> bool {
        matches!(self, Self::Date(_))
    }

    /// The instant, where a date means its midnight in `zone`.
    pub(crate) fn instant(&self, zone: &Zone) -> DateTime<Utc> {
        match self {
            Self::Date(date) => zone.instant(date.and_time(NaiveTime::MIN)),
            Self::Time { at, .. } => *at,
        }
    }

    /// The wall-clock time in the event's own zone: what recurrence rules are about.
    pub(crate) fn wall(&self, calendar: &Zone) -> NaiveDateTime {
        match self {
            Self::Date(date) => date.and_time(NaiveTime::MIN),
            Self::Time { at, zone } => zone.as_ref().unwrap_or(calendar).wall(*at),
        }
    }

    pub(crate) fn zone_name(&self) -> Option<&str> {
        match self {
            Self::Time { zone: Some(zone), .. } => Some(&zone.name),
            _ => None,
        }
    }

    /// The part of an instance id behind the underscore.
    pub(crate) fn suffix(&self) -> String {
        match self {
            Self::Date(date) => date.format("%Y%m%d").to_string(),
            Self::Time { at, .. } => at.format("%Y%m%dT%H%M%SZ").to_string(),
        }
    }

    /// As Google shows it: the instant in the calendar's (or the asked) offset, the zone beside it.
    pub(crate) fn render(&self, zone: &Zone) -> Value {
        match self {
            Self::Date(date) => json!({ "date": date.format("%Y-%m-%d").to_string() }),
            Self::Time { at, zone: own } => {
                let mut map = Map::new();
                map.insert("dateTime".to_owned(), Value::String(zone.render(*at)));
                if let Some(own) = own {
                    map.insert("timeZone".to_owned(), Value::String(own.name.clone()));
                }
                Value::Object(map)
            }
        }
    }

    pub(crate) fn plus(&self, length: chrono::Duration) -> Self {
        match self {
            Self::Date(date) => Self::Date(date.checked_add_signed(length).unwrap_or(*date)),
            Self::Time { at, zone } => {
                Self::Time { at: at.checked_add_signed(length).unwrap_or(*at), zone: zone.clone() }
            }
        }
    }
}

/// `2026-01-05T09:00:00.000Z`, the form of `created` and `updated`.
pub(crate) fn render_millis(millis: i64) -> String {
    let at = DateTime::from_timestamp_millis(millis).unwrap_or_default();
    at.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: Value) -> Result<When, String> {
        let berlin = Zone::named("Europe/Berlin").unwrap();
        When::read(&value, "start", &berlin, &Behaviour::default(), false).map_err(|refusal| refusal.message)
    }

    #[test]
    fn a_time_that_does_not_exist_moves_forward_and_one_that_exists_twice_is_the_first() {
        for (wall, instant) in [
            ("2026-03-29T02:30:00", "2026-03-29T01:30:00Z"),
            ("2026-10-25T02:30:00", "2026-10-25T00:30:00Z"),
            ("2026-07-01T12:00:00", "2026-07-01T10:00:00Z"),
        ] {
            let when = read(json!({ "dateTime": wall, "timeZone": "Europe/Berlin" })).unwrap();
            assert_eq!(when.instant(&Zone::utc()).to_rfc3339(), instant.replace('Z', "+00:00"), "{wall}");
        }
    }

    #[test]
    fn what_google_refuses_as_a_start_is_refused_in_its_words() {
        for (value, message) in [
            (json!({}), "Missing start time."),
            (json!("2026-01-01"), "Invalid start time."),
            (json!({ "date": "2026-02-30" }), "Invalid start time."),
            (json!({ "date": "2026-01-01", "dateTime": "2026-01-01T10:00:00Z" }), "Invalid start time."),
            (json!({ "dateTime": "2026-01-01T10:00:00" }), "Missing time zone definition for start time."),
            (
                json!({ "dateTime": "2026-01-01T10:00:00Z", "timeZone": "W. Europe Standard Time" }),
                "Invalid time zone definition for start time.",
            ),
        ] {
            assert_eq!(read(value.clone()), Err(message.to_owned()), "{value}");
        }
    }

    #[test]
    fn instants_are_rendered_in_the_offset_of_the_reader_with_the_zone_beside_them() {
        let when =
            read(json!({ "dateTime": "2026-01-01T10:00:00Z", "timeZone": "America/New_York" })).unwrap();
        let tokyo = Zone::named("Asia/Tokyo").unwrap();
        assert_eq!(
            when.render(&tokyo),
            json!({ "dateTime": "2026-01-01T19:00:00+09:00", "timeZone": "America/New_York" })
        );
    }
}
