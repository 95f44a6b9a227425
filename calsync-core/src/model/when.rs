//! When an appointment is: all day, or by the clock of a zone.
//!
//! Dates stay dates and wall times keep their zone; the instant is derived. Storing only the instant would move every
//! meeting when a government changes its mind about daylight saving. A bare offset is no zone and never stands for one.

use crate::error::Result;
use crate::zone::{Wall, Zone};
use chrono::{DateTime, Days, Duration, NaiveDate, NaiveDateTime, Utc};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A time of day on a date, in a zone.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ZonedTime {
    /// What the clock shows, in whole seconds.
    pub time: NaiveDateTime,
    /// Whose clock.
    pub zone: Zone,
    /// Where the clock shows this time twice, the second time is meant.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub later: bool,
}

impl ZonedTime {
    /// The first time that the clock of `zone` shows `time`.
    pub fn new(time: NaiveDateTime, zone: Zone) -> Self {
        Self { time, zone, later: false }
    }

    /// What the clock of `zone` shows at `instant`.
    ///
    /// # Errors
    /// As [`Zone::wall`].
    pub fn at(instant: DateTime<Utc>, zone: Zone) -> Result<Self> {
        let Wall { time, later } = zone.wall(instant)?;
        Ok(Self { time, zone, later })
    }

    /// The instant.
    ///
    /// # Errors
    /// As [`Zone::instant`].
    pub fn instant(&self) -> Result<DateTime<Utc>> {
        self.zone.instant(Wall { time: self.time, later: self.later })
    }
}

/// When an appointment, or the first occurrence of a series, starts and ends. The end is exclusive.
///
/// An end before or at the start occurs in real data and is kept.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum When {
    /// Whole days: `start` is the first, `end` the day after the last.
    AllDay {
        /// The first day.
        start: NaiveDate,
        /// The day after the last one.
        end: NaiveDate,
    },
    /// By the clock.
    Timed {
        /// Start.
        start: ZonedTime,
        /// End; its zone may differ from the start's, except in a series.
        end: ZonedTime,
    },
}

impl When {
    /// From `start` for `length`, by the clock of `zone`; the end is `length` of elapsed time later.
    ///
    /// # Errors
    /// As [`Zone::instant`].
    pub fn timed(start: NaiveDateTime, length: Duration, zone: &Zone) -> Result<Self> {
        let start = ZonedTime::new(start, zone.clone());
        let end = ZonedTime::at(start.instant()? + length, zone.clone())?;
        Ok(Self::Timed { start, end })
    }

    /// One whole day.
    pub fn day(date: NaiveDate) -> Self {
        Self::AllDay { start: date, end: date.checked_add_days(Days::new(1)).unwrap_or(date) }
    }

    /// The slot that this start is, as an occurrence of a series is named by.
    ///
    /// # Errors
    /// As [`Zone::instant`].
    pub fn slot(&self) -> Result<Slot> {
        Ok(match self {
            Self::AllDay { start, .. } => Slot::Date(*start),
            Self::Timed { start, .. } => Slot::Time(start.instant()?),
        })
    }

    /// The same length and zone, starting at `slot`: what a series puts there when nobody changed that occurrence.
    ///
    /// # Errors
    /// As [`Zone::instant`].
    pub fn moved_to(&self, slot: &Slot) -> Result<Self> {
        Ok(match (self, slot) {
            (Self::AllDay { start, end }, slot) => {
                let first = match slot {
                    Slot::Date(date) => *date,
                    Slot::Time(instant) => instant.date_naive(),
                };
                Self::AllDay { start: first, end: first + (*end - *start) }
            }
            (Self::Timed { start, end }, slot) => {
                let length = end.instant()? - start.instant()?;
                let first = match slot {
                    Slot::Time(instant) => ZonedTime::at(*instant, start.zone.clone())?,
                    Slot::Date(date) => ZonedTime::new(date.and_time(start.time.time()), start.zone.clone()),
                };
                let last = ZonedTime::at(first.instant()? + length, end.zone.clone())?;
                Self::Timed { start: first, end: last }
            }
        })
    }

    /// The first instant that is no longer part of it; whole days end at midnight in UTC, for ordering only.
    ///
    /// # Errors
    /// As [`Zone::instant`].
    pub fn end_instant(&self) -> Result<DateTime<Utc>> {
        Ok(match self {
            Self::AllDay { end, .. } => end.and_time(chrono::NaiveTime::MIN).and_utc(),
            Self::Timed { end, .. } => end.instant()?,
        })
    }

    /// The first instant that is part of it; whole days start at midnight in UTC, for ordering only.
    ///
    /// # Errors
    /// As [`Zone::instant`].
    pub fn start_instant(&self) -> Result<DateTime<Utc>> {
        Ok(match self {
            Self::AllDay { start, .. } => start.and_time(chrono::NaiveTime::MIN).and_utc(),
            Self::Timed { start, .. } => start.instant()?,
        })
    }
}

/// Prints for a person: `2026-11-23 09:00–10:00 America/Vancouver`, `2026-11-23`, `2026-11-23–2026-11-25`.
impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AllDay { start, end } => {
                let last = end.pred_opt().filter(|last| last > start);
                write!(f, "{start}")?;
                last.map_or(Ok(()), |last| write!(f, "–{last}"))
            }
            Self::Timed { start, end } => {
                write!(f, "{}–", start.time.format("%Y-%m-%d %H:%M"))?;
                if end.time.date() != start.time.date() {
                    write!(f, "{} ", end.time.format("%Y-%m-%d"))?;
                }
                write!(f, "{} {}", end.time.format("%H:%M"), start.zone)
            }
        }
    }
}

/// The place of an occurrence in its series: the start that the rule gave it, whatever became of it since.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Slot {
    /// In an all-day series.
    Date(NaiveDate),
    /// In a series by the clock: the instant, so that the zone it is written in does not matter.
    Time(DateTime<Utc>),
}

/// `20261123` or `20261123T160000Z`, as iCalendar writes a RECURRENCE-ID and Google the end of an instance id.
impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Date(date) => write!(f, "{}", date.format("%Y%m%d")),
            Self::Time(instant) => write!(f, "{}", instant.format("%Y%m%dT%H%M%SZ")),
        }
    }
}

impl std::str::FromStr for Slot {
    type Err = crate::error::Error;

    fn from_str(text: &str) -> Result<Self> {
        NaiveDate::parse_from_str(text, "%Y%m%d")
            .map(Self::Date)
            .or_else(|_| {
                NaiveDateTime::parse_from_str(text, "%Y%m%dT%H%M%SZ").map(|t| Self::Time(t.and_utc()))
            })
            .map_err(|e| {
                crate::error::Error::new(crate::error::ErrorKind::Invalid, "not a slot of a series")
                    .with("slot", text)
                    .caused_by(e)
            })
    }
}

impl Serialize for Slot {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Slot {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_occurrence_moved_across_a_clock_change_keeps_its_wall_time_and_its_length() {
        let zone = Zone::new("America/New_York").expect("known");
        let when = When::timed("2026-10-30T09:00:00".parse().expect("a time"), Duration::hours(1), &zone)
            .expect("resolves");
        let slot = Slot::Time("2026-11-06T14:00:00Z".parse().expect("an instant"));
        assert_eq!(
            when.moved_to(&slot).expect("resolves").to_string(),
            "2026-11-06 09:00–10:00 America/New_York"
        );
    }

    #[test]
    fn a_slot_is_written_as_icalendar_writes_it_and_read_back() {
        for text in ["20261123", "20261123T160000Z"] {
            assert_eq!(text.parse::<Slot>().expect("a slot").to_string(), text);
        }
        assert!("2026-11-23".parse::<Slot>().is_err());
    }
}
