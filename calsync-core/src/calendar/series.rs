//! A series that can be asked for its occurrences.

use super::civil::DAY;
use super::length::Length;
use super::offsets::{At, Offsets};
use super::rule::{Note, Reading, Refused, Stamp};
use super::set::{First, Merged, Set};
use super::walk::Gap;
use crate::error::{Error, ErrorKind, Result};
use crate::model::{Recurrence, Slot, When};
use crate::zone::Zone;
use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use std::ops::Range;
use std::sync::Arc;

/// How much one question looks at, unless told otherwise: periods of its rules, which share it, and as many occurrences that are
/// passed over without being given.
pub const WORK_MAX: u64 = 1_000_000;

/// The start of a series (DTSTART).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// A series of whole days.
    Day(NaiveDate),
    /// A wall time that is the same in every zone.
    Floating(NaiveDateTime),
    /// A wall time in a zone.
    Zoned(NaiveDateTime, Zone),
}

impl From<&When> for Start {
    fn from(when: &When) -> Self {
        match when {
            When::AllDay { start, .. } => Self::Day(*start),
            When::Timed { start, .. } => Self::Zoned(start.time, start.zone.clone()),
        }
    }
}

/// A series: a start, and the lines that repeat it.
#[derive(Clone, Debug)]
pub struct Series {
    pub(super) first: First,
    pub(super) zone: Arc<Offsets>,
    pub(super) set: Set,
    pub(super) gap: Gap,
    pub(super) work_max: u64,
    pub(super) until_midnight: bool,
}

impl Series {
    /// Reads RRULE, EXRULE, RDATE and EXDATE lines (RFC 5545, section 3.8.5). A start that no line names is not an occurrence,
    /// unless there is no rule at all: then it is the first one (section 3.8.5.2), and without any line the only one.
    ///
    /// # Errors
    /// The first part of the first line that cannot be read, and why.
    pub fn parse<'a>(
        start: &Start,
        lines: impl IntoIterator<Item = &'a str>,
        reading: Reading,
    ) -> std::result::Result<Self, Refused> {
        let zone = start.offsets()?;
        let first = First { wall: start.wall(), clock: start.clock() };
        let set = Set::parse(lines, first, &zone, &zone_of, reading)?;
        Ok(Self { first, zone, set, gap: Gap::default(), work_max: WORK_MAX, until_midnight: false })
    }

    /// The series of an appointment, read leniently.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] for lines that cannot be read.
    pub fn of(when: &When, recurrence: &Recurrence) -> Result<Self> {
        let lines = recurrence.lines().iter().map(String::as_str);
        Self::parse(&Start::from(when), lines, Reading::Lenient).map_err(|refused| {
            Error::new(ErrorKind::Invalid, "a recurrence line cannot be read").with("recurrence", refused)
        })
    }

    /// What becomes of an occurrence whose wall time a clock change skips. Default: it moves forward.
    #[must_use]
    pub fn gap(mut self, gap: Gap) -> Self {
        self.gap = gap;
        self
    }

    /// How much one question may look at, from 1 on: so many periods of its rules, which share it, and as many occurrences that it
    /// passes over because they are before what was asked for, left out, or there twice. Default: [`WORK_MAX`].
    #[must_use]
    pub fn work_max(mut self, work: u64) -> Self {
        self.work_max = work.max(1);
        self
    }

    /// An UNTIL that is a day, in a series by the clock, means the midnight that the day begins with, as ical.js and python-dateutil take it.
    /// Default: the whole day.
    #[must_use]
    pub fn until_midnight(mut self) -> Self {
        self.until_midnight = true;
        let courses = self.set.rules.iter_mut().chain(&mut self.set.exceptions);
        for course in courses.filter(|_| !self.first.whole_days()) {
            if let Some(Stamp::Day(day)) = course.rule.until {
                course.rule.until = Some(Stamp::Wall(i64::from(day) * DAY));
            }
        }
        self
    }

    /// What was odd in the lines and is understood so.
    pub fn notes(&self) -> &[Note] {
        &self.set.notes
    }

    /// All occurrences, in order.
    pub fn occurrences(&self) -> Occurrences<'_> {
        self.walk_from(i64::MIN / 4)
    }

    /// The occurrences that start at `from` or later, in order. What is before that is passed over by arithmetic, however long ago the
    /// series began; with COUNT it has to be counted, and with BYSETPOS as well one by one. Of whole days, the midnight in UTC counts.
    pub fn occurrences_from(&self, from: DateTime<Utc>) -> Occurrences<'_> {
        self.walk_from(from.timestamp())
    }

    pub(super) fn walk_from(&self, from: i64) -> Occurrences<'_> {
        Occurrences { merged: self.merged(from, self.work_max), whole_days: self.first.whole_days() }
    }

    pub(super) fn merged(&self, from: i64, work: u64) -> Merged<'_> {
        self.set.walk(&self.zone, self.gap, from, work)
    }

    /// Whether an occurrence starts at this instant. What it takes to know that is taken off the work.
    pub(super) fn has(&self, instant: i64, work: &mut u64) -> std::result::Result<bool, Truncated> {
        let mut merged = self.merged(instant, *work);
        let found = merged.next();
        *work = work.saturating_sub(merged.spent());
        Ok(found.transpose()?.is_some_and(|found| found.instant == instant))
    }

    /// How long the occurrence lasts that starts at this instant, where a list says it (RDATE;VALUE=PERIOD).
    #[inline]
    pub(super) fn length_of(&self, instant: i64) -> Option<Length> {
        let lengths = &self.set.lengths;
        if lengths.is_empty() {
            return None;
        }
        let at = lengths.binary_search_by_key(&instant, |(at, _)| *at).ok()?;
        lengths.get(at).map(|(_, length)| *length)
    }

    /// No occurrence lasts longer than this by a list, in seconds.
    pub(super) fn longest(&self) -> i64 {
        self.set.lengths.iter().map(|(_, length)| length.most()).max().unwrap_or(0)
    }

    /// Appends the starts in `window`, in seconds from 1970 in UTC, to `found`: the fastest way to ask for many. What is found counts
    /// as work: one question does not put more than about [`Series::work_max`] into memory.
    ///
    /// # Errors
    /// [`Truncated`] when the work was spent before all were found; what was found until then stays in `found`.
    pub fn fill(
        &self,
        window: Range<DateTime<Utc>>,
        found: &mut Vec<i64>,
    ) -> std::result::Result<(), Truncated> {
        let window = window.start.timestamp()..window.end.timestamp();
        self.set.fill(&self.zone, self.gap, window, self.work_max, found)
    }
}

/// The offsets of a zone by its name.
pub(super) fn zone_of(name: &str) -> Option<Arc<Offsets>> {
    Zone::new(name).ok()?.offsets().ok()
}

/// The work that one question may do was spent before its answer was complete: there may be more occurrences.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Truncated;

impl std::fmt::Display for Truncated {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the series was not followed to its end: the work that one question may do was spent")
    }
}

impl std::error::Error for Truncated {}

/// When an occurrence starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Occurrence {
    at: At,
    whole_days: bool,
}

impl Occurrence {
    /// The slot that names it within its series. Of a floating time, the wall time as if it were UTC.
    #[inline]
    pub fn slot(&self) -> Slot {
        match self.whole_days {
            true => Slot::Date(self.wall().date()),
            false => Slot::Time(self.instant()),
        }
    }

    /// The instant; of a whole day or a floating time, its wall time as if it were UTC.
    #[inline]
    pub fn instant(&self) -> DateTime<Utc> {
        DateTime::from_timestamp(self.at.instant, 0).unwrap_or(DateTime::<Utc>::MAX_UTC)
    }

    /// What the clocks show.
    #[inline]
    pub fn wall(&self) -> NaiveDateTime {
        DateTime::from_timestamp(self.at.wall, 0).unwrap_or(DateTime::<Utc>::MAX_UTC).naive_utc()
    }
}

/// Occurrences in order, each once. Ends with an error where the work was spent.
#[derive(Debug)]
pub struct Occurrences<'a> {
    merged: Merged<'a>,
    whole_days: bool,
}

impl Iterator for Occurrences<'_> {
    type Item = std::result::Result<Occurrence, Truncated>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let whole_days = self.whole_days;
        Some(self.merged.next()?.map(|at| Occurrence { at, whole_days }))
    }
}
