//! A series with its changed occurrences: what an iCalendar object holds under one UID.
//!
//! An override names the slot that it changes (RECURRENCE-ID) and says where the occurrence is now, how long it lasts and what it
//! carries, or that it does not take place. With RANGE=THISANDFUTURE it does so for every later slot as well, moved by as much on the
//! wall clock, until the next such one; an override of a single slot wins over it (RFC 5545, section 3.8.4.4).
//!
//! An override of a slot that the series does not have changes nothing and is not shown: that is what two engines of different
//! lineage make of it, and what a calendar does after the rule was cut before the slot. [`RecurrenceSet::changed`] can list such slots
//! as dates of their own instead of losing what somebody wrote there.
//!
//! Nothing is decided here about what an override carries, and nothing is written: `edit.rs` makes a new set of an old one.

use super::civil::DAY;
use super::length::Length;
use super::offsets::{At, Offsets};
use super::rule::{Reading, Refused};
use super::series::{Series, Start, Truncated};
use super::walk::Gap;
use crate::model::{Recurrence, Slot};
use chrono::NaiveTime;
use std::sync::Arc;

/// Where an occurrence is, how long it lasts, and what it carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed<T> {
    /// When it starts. Of a series, DTSTART.
    pub start: Start,
    /// How long it lasts.
    pub length: Length,
    /// What else is known of it.
    pub value: T,
}

/// Which slots an override changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reach {
    /// The one that it names.
    One,
    /// That one and all later ones until the next such override (RANGE=THISANDFUTURE).
    Following,
}

/// A changed or cancelled occurrence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override<T> {
    /// The slot (RECURRENCE-ID). A date in a series by the clock names the first occurrence of that day.
    pub slot: Slot,
    /// Which slots it changes.
    pub reach: Reach,
    /// What takes place there now; `None` where nothing does.
    pub to: Option<Placed<T>>,
}

/// What the time of an occurrence means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Clock {
    /// Whole days.
    Days,
    /// A wall time that is the same in every zone.
    Floating,
    /// A wall time in a zone.
    Zoned,
}

impl Start {
    pub(super) fn clock(&self) -> Clock {
        match self {
            Self::Day(_) => Clock::Days,
            Self::Floating(_) => Clock::Floating,
            Self::Zoned(..) => Clock::Zoned,
        }
    }

    /// The wall time in seconds.
    pub(super) fn wall(&self) -> i64 {
        let wall = match self {
            Self::Day(day) => day.and_time(NaiveTime::MIN),
            Self::Floating(time) | Self::Zoned(time, _) => *time,
        };
        wall.and_utc().timestamp()
    }

    pub(super) fn offsets(&self) -> Result<Arc<Offsets>, Refused> {
        match self {
            Self::Day(_) | Self::Floating(_) => Ok(Arc::new(Offsets::none())),
            Self::Zoned(_, zone) => {
                zone.offsets().map_err(|_| Refused::new(zone.as_str(), "an unknown time zone"))
            }
        }
    }
}

/// A series and its overrides, ready to be asked for what takes place.
///
/// ```
/// use calsync_core::Zone;
/// use calsync_core::calendar::{Length, Override, Placed, Reach, Reading, RecurrenceSet, Start};
/// use calsync_core::model::Recurrence;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let start = Start::Zoned("2026-11-02T09:00:00".parse()?, Zone::new("Europe/Berlin")?);
/// let own = Placed { start, length: Length::exactly(chrono::Duration::hours(1)), value: "Stand-up" };
/// let lines = Recurrence::new(vec!["RRULE:FREQ=DAILY;COUNT=5".to_owned()]);
/// let cancelled = Override { slot: "20261104T080000Z".parse()?, reach: Reach::One, to: None };
/// let set = RecurrenceSet::new(own, lines, [cancelled], Reading::Lenient)?;
/// let shown = set.instances("2026-11-04T00:00:00Z".parse()?.."2026-11-06T00:00:00Z".parse()?);
/// let shown: Result<Vec<_>, _> = shown.map(|found| found.map(|found| found.slot().to_string())).collect();
/// assert_eq!(shown?, ["20261105T080000Z"]);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct RecurrenceSet<T> {
    pub(super) own: Placed<T>,
    pub(super) lines: Recurrence,
    /// By slot; at one slot the single one first.
    pub(super) overrides: Vec<Override<T>>,
    pub(super) series: Series,
    /// The slots, as instants, of overrides of one slot: in order.
    pub(super) singles: Vec<i64>,
    /// The overrides of one slot that take place, by start.
    pub(super) by_start: Vec<Single>,
    /// How slots are placed: as the series says, and from each THISANDFUTURE on.
    pub(super) ranges: Vec<Range>,
}

/// Where an override of one slot takes place.
#[derive(Clone, Debug)]
pub(super) struct Single {
    pub(super) key: i64,
    pub(super) at: At,
    pub(super) end: At,
    pub(super) clock: Clock,
    /// Which override it is.
    pub(super) of: usize,
}

/// How the slots from one on are placed.
#[derive(Clone, Debug)]
pub(super) struct Range {
    /// The first slot, as an instant.
    pub(super) from: i64,
    /// By how much the wall clock differs from the slot's; `None` where nothing is changed about the start.
    pub(super) shift: Option<i64>,
    pub(super) clock: Clock,
    pub(super) zone: Arc<Offsets>,
    pub(super) length: Length,
    /// Which override it is; none for the series' own.
    pub(super) of: Option<usize>,
    /// Whether nothing takes place.
    pub(super) cancelled: bool,
}

impl Range {
    /// Where a slot is placed.
    #[inline]
    pub(super) fn place(&self, slot: At) -> At {
        match self.shift {
            None => slot,
            Some(shift) => self.zone.at_wall(slot.wall + shift),
        }
    }
}

impl<T> RecurrenceSet<T> {
    /// Reads a series and its overrides. Without lines it is a single appointment. Of two overrides that say the same slot and reach, the
    /// later in the list counts.
    ///
    /// # Errors
    /// The first part of the first line that cannot be read, or a zone that this machine's data does not know.
    pub fn new(
        own: Placed<T>,
        lines: Recurrence,
        overrides: impl IntoIterator<Item = Override<T>>,
        reading: Reading,
    ) -> Result<Self, Refused> {
        let series = Series::parse(&own.start, lines.lines().iter().map(String::as_str), reading)?;
        let mut set = Self {
            ranges: vec![Range {
                from: i64::MIN,
                shift: None,
                clock: own.start.clock(),
                zone: Arc::clone(&series.zone),
                length: own.length,
                of: None,
                cancelled: false,
            }],
            own,
            lines,
            overrides: Vec::new(),
            series,
            singles: Vec::new(),
            by_start: Vec::new(),
        };
        let keyed = overrides.into_iter().map(|change| (set.key(change.slot), change));
        let mut keyed: Vec<(i64, Override<T>)> = keyed.collect();
        // Turned round, so that of equal ones the later stands first and stays.
        keyed.reverse();
        keyed.sort_by_key(|(key, change)| (*key, change.reach));
        keyed.dedup_by_key(|(key, change)| (*key, change.reach));
        for (of, (key, change)) in keyed.iter().enumerate() {
            match change.reach {
                Reach::One => set.add_single(of, *key, change)?,
                Reach::Following => set.add_range(of, *key, change)?,
            }
        }
        set.by_start.sort_by_key(|single| (single.at.instant, single.key));
        set.overrides = keyed.into_iter().map(|(_, change)| change).collect();
        Ok(set)
    }

    fn add_single(&mut self, of: usize, key: i64, change: &Override<T>) -> Result<(), Refused> {
        self.singles.push(key);
        let Some(to) = &change.to else { return Ok(()) };
        let zone = to.start.offsets()?;
        let at = zone.at_wall(to.start.wall());
        let end = to.length.end(at, &zone, &mut 0);
        self.by_start.push(Single { key, at, end, clock: to.start.clock(), of });
        Ok(())
    }

    fn add_range(&mut self, of: usize, key: i64, change: &Override<T>) -> Result<(), Refused> {
        let own = &self.ranges[0];
        let mut range = Range { from: key, of: Some(of), cancelled: change.to.is_none(), ..own.clone() };
        if let Some(to) = &change.to {
            let zone = to.start.offsets()?;
            range.length = to.length;
            let mut wall = to.start.wall();
            match (own.clock, to.start.clock()) {
                // Whatever zone it is written in, later ones stay with the wall clock of the series.
                (Clock::Zoned, Clock::Zoned) => wall = own.zone.at(zone.at_wall(wall).instant).wall,
                (_, clock) => (range.clock, range.zone) = (clock, zone),
            }
            let shift = wall - own.zone.at(key).wall;
            range.shift = (shift != 0 || range.clock != own.clock).then_some(shift);
        }
        self.ranges.push(range);
        Ok(())
    }

    /// What becomes of an occurrence whose wall time a clock change skips. Default: it moves forward.
    #[must_use]
    pub fn gap(mut self, gap: Gap) -> Self {
        self.series = self.series.gap(gap);
        self
    }

    /// How much one question may look at, as [`Series::work_max`].
    #[must_use]
    pub fn work_max(mut self, work: u64) -> Self {
        self.series = self.series.work_max(work);
        self
    }

    /// What an UNTIL that is a day means, as [`Series::until_midnight`].
    #[must_use]
    pub fn until_midnight(mut self) -> Self {
        self.series = self.series.until_midnight();
        self
    }

    /// What the series itself says of its occurrences.
    pub fn own(&self) -> &Placed<T> {
        &self.own
    }

    /// The recurrence lines, as written.
    pub fn lines(&self) -> &Recurrence {
        &self.lines
    }

    /// The overrides, by slot.
    pub fn overrides(&self) -> &[Override<T>] {
        &self.overrides
    }

    /// The slots alone.
    pub fn series(&self) -> &Series {
        &self.series
    }

    /// Whether the lines give this slot, whatever the overrides say.
    ///
    /// # Errors
    /// [`Truncated`] when that is not known before the work is spent.
    pub fn has_slot(&self, slot: Slot) -> Result<bool, Truncated> {
        self.series.has(self.key(slot), &mut self.series.work_max.clone())
    }

    /// A slot as an instant.
    pub(super) fn key(&self, slot: Slot) -> i64 {
        let midnight = |date: chrono::NaiveDate| date.and_time(NaiveTime::MIN).and_utc().timestamp();
        match (slot, self.own.start.clock()) {
            (Slot::Date(date), Clock::Days) => midnight(date),
            (Slot::Time(instant), Clock::Days) => midnight(instant.date_naive()),
            (Slot::Time(instant), _) => instant.timestamp(),
            (Slot::Date(date), _) => {
                let day = self.series.zone.at_wall(midnight(date)).instant;
                let found = self.series.walk_from(day).next().and_then(Result::ok);
                let found = found.filter(|found| found.wall().date() == date);
                found.map_or(day, |found| found.instant().timestamp())
            }
        }
    }

    /// What holds for a slot that no override of its own changes.
    pub(super) fn range_of(&self, key: i64) -> usize {
        self.ranges.partition_point(|range| range.from <= key).saturating_sub(1)
    }

    /// What a range carries.
    pub(super) fn value_of(&self, range: &Range) -> &T {
        let to = range.of.and_then(|of| self.overrides[of].to.as_ref());
        &to.unwrap_or(&self.own).value
    }
}

/// The wall time of a slot's instant, as a start of the kind that `like` is of.
pub(super) fn start_like(like: &Start, wall: i64) -> Start {
    let time = chrono::DateTime::from_timestamp(wall, 0).unwrap_or(chrono::DateTime::<chrono::Utc>::MAX_UTC);
    let time = time.naive_utc();
    match like {
        Start::Day(_) => Start::Day(time.date()),
        Start::Floating(_) => Start::Floating(time),
        Start::Zoned(_, zone) => Start::Zoned(time, zone.clone()),
    }
}

/// As far as the wall clocks of two zones are apart, and as a gap is long, at most.
pub(super) const APART: i64 = 3 * DAY;
