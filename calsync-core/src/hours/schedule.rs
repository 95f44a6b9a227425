//! When somebody works: a pattern of weeks in a zone, and what differs from it on some days.
//!
//! A schedule is read once and is right from then on: whatever is empty, overlaps or cannot be told is refused here, with the place and
//! the reason, so that nothing that asks a schedule has to doubt it. It does not change; a change is another schedule with another
//! version. What many people share (the week of a team, a country's holidays) is one [`Schedule`] behind an [`Arc`]; what is a
//! person's own (leave, a swapped day) is added by their [`Rota`](super::Rota).
//!
//! Periods are minutes on the clock of the wall, counted from midnight: 540 is nine o'clock on every day, also on the one that has
//! only 23 hours. What is past 1440 is on the next day, and still belongs to the day on which the period begins.

use crate::calendar::Offsets;
use crate::error::{Error, ErrorKind};
use crate::zone::Zone;
use chrono::{NaiveDate, Weekday};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;
use std::ops::Range;
use std::str::FromStr;
use std::sync::Arc;

/// How long a period may be, in minutes: a day. Who works longer has a period on the next day as well.
pub const PERIOD_MINUTES_MAX: u32 = DAY_MINUTES;
/// How many periods a day may have.
pub const DAY_PERIODS_MAX: usize = 24;
/// How many layers a schedule, and a person on top of it, may have: decades of leave.
pub const LAYERS_MAX: usize = 10_000;

pub(super) const DAY_MINUTES: u32 = 1440;

/// A time of work on a day, in minutes from its midnight on the wall clock; the end is exclusive and may be on the next day.
///
/// ```
/// use calsync_core::hours::Period;
///
/// # fn main() -> Result<(), calsync_core::hours::Refused> {
/// assert_eq!("09:00-12:30".parse::<Period>()?, Period { start: 540, end: 750 });
/// assert_eq!("22:00-06:00".parse::<Period>()?, Period { start: 1320, end: 1800 }); // into the next morning
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Period {
    /// The first minute, below 1440.
    pub start: u32,
    /// The minute after the last, at most [`PERIOD_MINUTES_MAX`] after the start.
    pub end: u32,
}

impl Period {
    /// From `start` to before `end`, in minutes from midnight; above 1440 is the next day.
    pub const fn new(start: u32, end: u32) -> Self {
        Self { start, end }
    }

    /// From one full hour to another.
    pub const fn hours(start: u32, end: u32) -> Self {
        Self { start: start.saturating_mul(60), end: end.saturating_mul(60) }
    }
}

/// `09:00–17:00`; an end on the next day is marked: `22:00–06:00+1`.
impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = self.end % DAY_MINUTES;
        write!(f, "{:02}:{:02}–{:02}:{:02}", self.start / 60, self.start % 60, end / 60, end % 60)?;
        match self.end / DAY_MINUTES {
            0 => Ok(()),
            days => write!(f, "+{days}"),
        }
    }
}

/// Two times of day as `09:00-17:00`. An end that is not after the start is on the next day, `24:00` is midnight.
impl FromStr for Period {
    type Err = Refused;

    fn from_str(text: &str) -> Result<Self, Refused> {
        let minutes = |text: &str| {
            let (hours, minutes) = text.trim().split_once(':')?;
            let digits = |text: &str| text.len() <= 2 && text.bytes().all(|byte| byte.is_ascii_digit());
            let (true, true) = (digits(hours), digits(minutes)) else { return None };
            let (hours, minutes): (u32, u32) = (hours.parse().ok()?, minutes.parse().ok()?);
            (minutes < 60 && hours * 60 + minutes <= DAY_MINUTES).then_some(hours * 60 + minutes)
        };
        let read =
            text.split_once(['-', '–']).and_then(|(start, end)| Some((minutes(start)?, minutes(end)?)));
        match read {
            Some((start, end)) if start < DAY_MINUTES => {
                Ok(Self { start, end: if end > start { end } else { end + DAY_MINUTES } })
            }
            _ => Err(Refused::new(bounded(text), "not two times of day such as 09:00-17:00")),
        }
    }
}

/// A period of every week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Weekly {
    /// The day on which it begins.
    pub day: Weekday,
    /// As [`Period::start`].
    pub start: u32,
    /// As [`Period::end`].
    pub end: u32,
}

/// What a layer does to the days that it covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LayerKind {
    /// Absence. Without periods, of all work that begins on these days; with periods, at these times.
    Leave,
    /// Other periods than usual, also on a holiday; without periods, none.
    Override,
    /// A holiday: other periods than those of the week; without periods, none.
    Holiday,
    /// Work on top of whatever else holds.
    Extra,
}

impl fmt::Display for LayerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Leave => "leave",
            Self::Override => "override",
            Self::Holiday => "holiday",
            Self::Extra => "extra time",
        })
    }
}

/// Some days that differ from the week. Of two overrides or two holidays on one day the later in the list holds.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Layer {
    /// What it does.
    pub kind: LayerKind,
    /// The first day.
    pub from: NaiveDate,
    /// The last day.
    pub until: NaiveDate,
    /// At which times of each day; what none means depends on the kind.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub periods: Vec<Period>,
}

impl Layer {
    /// A layer of whole days, the last one included.
    pub fn days(kind: LayerKind, from: NaiveDate, until: NaiveDate) -> Self {
        Self { kind, from, until, periods: Vec::new() }
    }

    /// A layer of one whole day.
    pub fn day(kind: LayerKind, day: NaiveDate) -> Self {
        Self::days(kind, day, day)
    }

    /// At these times only.
    #[must_use]
    pub fn at(mut self, periods: impl IntoIterator<Item = Period>) -> Self {
        self.periods.extend(periods);
        self
    }
}

/// Names a state of a schedule. Two versions are equal or not; there is no order between them.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ScheduleVersion(Arc<str>);

impl ScheduleVersion {
    /// Takes the version as the CRM gives it.
    pub fn new(version: &str) -> Self {
        Self(version.into())
    }

    /// The version as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Of what something says: the beginning of its hash.
    pub(super) fn of(content: &impl Serialize) -> Self {
        let mut hash = Sha256::new();
        // What is hashed has no maps whose keys are no strings, the one thing that JSON cannot write.
        hash.update(serde_json::to_vec(content).unwrap_or_default());
        let hash = hash.finalize();
        Self(hash[..8].iter().map(|byte| format!("{byte:02x}")).collect::<String>().into())
    }
}

impl fmt::Display for ScheduleVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ScheduleVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

/// Why a schedule is refused, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Which part of it.
    pub place: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

impl Refused {
    pub(super) fn new(place: impl Into<String>, reason: &'static str) -> Self {
        Self { place: place.into(), reason }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.reason)
    }
}

impl std::error::Error for Refused {}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        Self::new(ErrorKind::Invalid, "working hours cannot be taken as given")
            .with("place", &refused.place)
            .with("reason", refused.reason)
            .cure("Correct the schedule in the CRM; until then nothing is said about its people's working hours.")
    }
}

/// A schedule as a CRM gives it, before it was looked at.
///
/// ```
/// use calsync_core::hours::{Draft, Layer, LayerKind, Period};
/// use chrono::Weekday::{Fri, Mon, Thu, Tue, Wed};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let schedule = Draft::new("Europe/Amsterdam")
///     .every([Mon, Tue, Wed, Thu], [Period::hours(9, 12), Period::hours(13, 18)])
///     .every([Fri], [Period::hours(9, 13)])
///     .layer(Layer::day(LayerKind::Holiday, "2026-12-25".parse()?))
///     .check()?;
/// assert_eq!(schedule.zone().as_str(), "Europe/Amsterdam");
///
/// let refused = Draft::new("Europe/Amsterdam").every([Mon], [Period::hours(9, 9)]).check().unwrap_err();
/// assert_eq!(refused.to_string(), "weekly period 1 (Mon 09:00–09:00): it is empty: the end is the start");
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Draft {
    /// An IANA name, or a Windows name.
    pub zone: String,
    /// The periods of a week.
    #[serde(default)]
    pub weekly: Vec<Weekly>,
    /// What differs from it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub layers: Vec<Layer>,
    /// The first day that it holds for; `None` for always.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<NaiveDate>,
    /// The last day that it holds for; `None` for always.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<NaiveDate>,
    /// The CRM's name for this state of it; `None` to be named after what it says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<ScheduleVersion>,
}

impl Draft {
    /// No work at all, in a zone.
    pub fn new(zone: impl Into<String>) -> Self {
        let (weekly, layers) = (Vec::new(), Vec::new());
        Self { zone: zone.into(), weekly, layers, from: None, until: None, version: None }
    }

    /// Adds periods to these days of the week.
    #[must_use]
    pub fn every(
        mut self,
        days: impl IntoIterator<Item = Weekday>,
        periods: impl IntoIterator<Item = Period> + Clone,
    ) -> Self {
        for day in days {
            let of_day = periods.clone().into_iter();
            self.weekly.extend(of_day.map(|Period { start, end }| Weekly { day, start, end }));
        }
        self
    }

    /// Adds days that differ.
    #[must_use]
    pub fn layer(mut self, layer: Layer) -> Self {
        self.layers.push(layer);
        self
    }

    /// Holds from the one day to the other, both included.
    #[must_use]
    pub fn valid(mut self, from: Option<NaiveDate>, until: Option<NaiveDate>) -> Self {
        (self.from, self.until) = (from, until);
        self
    }

    /// Named so by the CRM.
    #[must_use]
    pub fn version(mut self, version: &str) -> Self {
        self.version = Some(ScheduleVersion::new(version));
        self
    }

    /// The schedule.
    ///
    /// # Errors
    /// The first part that cannot be taken as it is, and why.
    pub fn check(self) -> Result<Schedule, Refused> {
        let unknown = |_| Refused::new(format!("zone {}", bounded(&self.zone)), "an unknown time zone");
        let zone = Zone::new(&self.zone).map_err(unknown)?;
        let offsets = zone.offsets().map_err(unknown)?;
        if let (Some(from), Some(until)) = (self.from, self.until)
            && until < from
        {
            return Err(Refused::new(format!("valid {from} to {until}"), "it ends before it begins"));
        }
        if self.weekly.len() > 7 * DAY_PERIODS_MAX {
            return Err(Refused::new(
                format!("weekly period {}", 7 * DAY_PERIODS_MAX + 1),
                "too many periods",
            ));
        }
        let mut week: [Vec<Period>; 7] = Default::default();
        for (at, weekly) in self.weekly.iter().enumerate() {
            let period = Period::new(weekly.start, weekly.end);
            let place = || format!("weekly period {} ({} {period})", at + 1, weekly.day);
            is_possible(period).map_err(|reason| Refused::new(place(), reason))?;
            week[weekly.day.num_days_from_monday() as usize].push(period);
        }
        for (at, day) in week.iter_mut().enumerate() {
            merge(day).map_err(|(place, reason)| Refused::new(format!("{} {place}", name_of(at)), reason))?;
        }
        for at in 0..7 {
            reaches_into(&week[at], &week[(at + 1) % 7])
                .map_err(|(place, reason)| Refused::new(format!("{} {place}", name_of(at)), reason))?;
        }
        let layers = check_layers(self.layers)?;
        let mut schedule = Schedule {
            zone,
            offsets,
            week,
            layers,
            from: self.from,
            until: self.until,
            version: ScheduleVersion::new(""),
        };
        schedule.version = match self.version {
            Some(version) => version,
            None => ScheduleVersion::of(&schedule.to_draft(None)),
        };
        Ok(schedule)
    }
}

/// A week in a zone with the days that differ from it: checked, never changed, shared by whoever works by it.
///
/// Reads and writes as a [`Draft`]; reading refuses what [`Draft::check`] does.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "Draft", into = "Draft")]
pub struct Schedule {
    zone: Zone,
    offsets: Arc<Offsets>,
    /// Of each day from Monday on, in order, none touching another.
    week: [Vec<Period>; 7],
    layers: Vec<Placed>,
    from: Option<NaiveDate>,
    until: Option<NaiveDate>,
    version: ScheduleVersion,
}

impl Schedule {
    /// Whose clock its times are on.
    pub fn zone(&self) -> &Zone {
        &self.zone
    }

    /// The periods of a day of the week, in order; those that touched are one.
    pub fn day(&self, day: Weekday) -> &[Period] {
        &self.week[day.num_days_from_monday() as usize]
    }

    /// What differs from the week.
    pub fn layers(&self) -> impl Iterator<Item = &Layer> {
        self.layers.iter().map(|placed| &placed.layer)
    }

    /// The first day that it holds for.
    pub fn from(&self) -> Option<NaiveDate> {
        self.from
    }

    /// The last day that it holds for.
    pub fn until(&self) -> Option<NaiveDate> {
        self.until
    }

    /// Names this state of it: what the CRM said, or the hash of what it says.
    pub fn version(&self) -> &ScheduleVersion {
        &self.version
    }

    pub(super) fn offsets(&self) -> &Offsets {
        &self.offsets
    }

    pub(super) fn placed(&self) -> &[Placed] {
        &self.layers
    }

    pub(super) fn week(&self) -> &[Vec<Period>; 7] {
        &self.week
    }

    fn to_draft(&self, version: Option<ScheduleVersion>) -> Draft {
        let weekly = self.week.iter().zip(WEEK).flat_map(|(periods, day)| {
            periods.iter().map(move |&Period { start, end }| Weekly { day, start, end })
        });
        Draft {
            zone: self.zone.to_string(),
            weekly: weekly.collect(),
            layers: self.layers().cloned().collect(),
            from: self.from,
            until: self.until,
            version,
        }
    }
}

impl TryFrom<Draft> for Schedule {
    type Error = Refused;

    fn try_from(draft: Draft) -> Result<Self, Refused> {
        draft.check()
    }
}

impl From<Schedule> for Draft {
    fn from(schedule: Schedule) -> Self {
        schedule.to_draft(Some(schedule.version.clone()))
    }
}

/// Equal when they say the same, whatever else the zone data knows of their zones.
impl PartialEq for Schedule {
    fn eq(&self, other: &Self) -> bool {
        self.to_draft(Some(self.version.clone())) == other.to_draft(Some(other.version.clone()))
    }
}

impl Eq for Schedule {}

const WEEK: [Weekday; 7] =
    [Weekday::Mon, Weekday::Tue, Weekday::Wed, Weekday::Thu, Weekday::Fri, Weekday::Sat, Weekday::Sun];

fn name_of(day: usize) -> Weekday {
    WEEK[day % 7]
}

fn bounded(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(80).collect()
}

fn is_possible(period: Period) -> Result<(), &'static str> {
    match period {
        Period { start, .. } if start >= DAY_MINUTES => Err("it begins on a later day than its own"),
        Period { start, end } if end == start => Err("it is empty: the end is the start"),
        Period { start, end } if end < start => {
            Err("it ends before it begins; an end on the next day is counted on past 1440")
        }
        Period { start, end } if end - start > PERIOD_MINUTES_MAX => Err("it is longer than a day"),
        _ => Ok(()),
    }
}

/// Sorts the periods of a day, and makes those that touch one.
fn merge(periods: &mut Vec<Period>) -> Result<(), (String, &'static str)> {
    periods.sort_unstable();
    if periods.len() > DAY_PERIODS_MAX {
        return Err((format!("period {}", DAY_PERIODS_MAX + 1), "too many periods on one day"));
    }
    let mut merged: Vec<Period> = Vec::with_capacity(periods.len());
    for period in periods.drain(..) {
        match merged.last_mut() {
            Some(last) if period.start < last.end => {
                return Err((format!("{last} and {period}"), "they overlap"));
            }
            Some(last) if period.start == last.end => last.end = period.end,
            _ => merged.push(period),
        }
    }
    *periods = merged;
    Ok(())
}

/// Whether the last period of a day goes on into the first of the next.
fn reaches_into(day: &[Period], next: &[Period]) -> Result<(), (String, &'static str)> {
    match (day.last(), next.first()) {
        (Some(last), Some(first)) if last.end > first.start + DAY_MINUTES => {
            Err((format!("{last} and {first} of the next day"), "they overlap"))
        }
        _ => Ok(()),
    }
}

/// A layer with its days as numbers, so that whoever looks for those of one day does no arithmetic of dates.
#[derive(Clone, Debug)]
pub(super) struct Placed {
    /// Days since 1970.
    pub(super) days: Range<i64>,
    pub(super) layer: Layer,
}

/// Days since 1970.
pub(super) fn number_of(date: NaiveDate) -> i64 {
    date.signed_duration_since(NaiveDate::default()).num_days()
}

/// Layers of which each is possible, with its periods in order.
pub(super) fn check_layers(mut layers: Vec<Layer>) -> Result<Vec<Placed>, Refused> {
    if layers.len() > LAYERS_MAX {
        return Err(Refused::new(format!("layer {}", LAYERS_MAX + 1), "too many layers"));
    }
    for (at, layer) in layers.iter_mut().enumerate() {
        let place = format!("layer {} ({} {} to {})", at + 1, layer.kind, layer.from, layer.until);
        let refused = |more: &str, reason| Refused::new(format!("{place}{more}"), reason);
        if layer.until < layer.from {
            return Err(refused("", "it ends before it begins"));
        }
        if layer.kind == LayerKind::Extra && layer.periods.is_empty() {
            return Err(refused("", "extra time without a period adds nothing"));
        }
        for period in &layer.periods {
            is_possible(*period).map_err(|reason| refused(&format!(", {period}"), reason))?;
        }
        merge(&mut layer.periods).map_err(|(of, reason)| refused(&format!(", {of}"), reason))?;
        if layer.from < layer.until {
            reaches_into(&layer.periods, &layer.periods)
                .map_err(|(of, reason)| refused(&format!(", {of}"), reason))?;
        }
    }
    let placed = |layer: Layer| Placed { days: number_of(layer.from)..number_of(layer.until) + 1, layer };
    Ok(layers.into_iter().map(placed).collect())
}
