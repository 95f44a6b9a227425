//! A series against working hours: each occurrence for itself, over a horizon.
//!
//! Clocks, holidays and leave change under a series, so that one answer for all of it would be wrong for some of it. A daily series
//! that is outside every day must not make ten thousand messages either: how many are outside is counted, and a few are listed.

use super::check::{Check, Verdict};
use super::compile::{Hours, instant};
use super::schedule::ScheduleVersion;
use crate::calendar::{Series, Truncated};
use crate::model::Slot;
use chrono::{DateTime, Duration, Months, Utc};
use std::collections::BTreeMap;
use std::ops::Range;

/// How far ahead series are looked at, in months, unless told otherwise.
pub const HORIZON_MONTHS: u32 = 18;
/// How many occurrences outside are listed per series, unless told otherwise.
pub const LISTED_MAX: usize = 20;

/// The time that series are looked at: from now on for [`HORIZON_MONTHS`].
pub fn horizon(now: DateTime<Utc>) -> Range<DateTime<Utc>> {
    now..now.checked_add_months(Months::new(HORIZON_MONTHS)).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

/// An occurrence to be judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Visit {
    /// Its place in the series, which names it.
    pub slot: Slot,
    /// When it starts.
    pub start: DateTime<Utc>,
    /// When it ends.
    pub end: DateTime<Utc>,
}

/// What became of a slot of a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changed {
    /// It is at another time.
    Moved {
        /// From then on.
        start: DateTime<Utc>,
        /// Until then.
        end: DateTime<Utc>,
    },
    /// It is cancelled, declined, or for another reason not judged.
    Gone,
}

/// The occurrences of a series by the clock that start in `window`, by start. `length` is their length in elapsed time; `changed` says
/// what became of slots, and slots that the series no longer has are passed over.
///
/// # Errors
/// [`Truncated`] when the series could not be followed to the end of the window within its work.
pub fn visits(
    series: &Series,
    length: Duration,
    window: Range<DateTime<Utc>>,
    changed: &BTreeMap<Slot, Changed>,
) -> Result<Vec<Visit>, Truncated> {
    let mut starts = Vec::new();
    series.fill(window.clone(), &mut starts)?;
    let visit = |start: i64| {
        let start = instant(start);
        let end = start.checked_add_signed(length).unwrap_or(DateTime::<Utc>::MAX_UTC);
        Visit { slot: Slot::Time(start), start, end }
    };
    if changed.is_empty() {
        return Ok(starts.into_iter().map(visit).collect());
    }
    let unchanged = starts.into_iter().map(visit).filter(|visit| !changed.contains_key(&visit.slot));
    let mut found: Vec<Visit> = unchanged.collect();
    for (&slot, changed) in changed {
        let Changed::Moved { start, end } = *changed else { continue };
        let Slot::Time(at) = slot else { continue };
        if window.contains(&start) && has(series, at)? {
            found.push(Visit { slot, start, end });
        }
    }
    found.sort_by_key(|visit| (visit.start, visit.slot));
    Ok(found)
}

fn has(series: &Series, slot: DateTime<Utc>) -> Result<bool, Truncated> {
    match series.occurrences_from(slot).next() {
        Some(found) => Ok(found?.instant() == slot),
        None => Ok(false),
    }
}

/// What is outside of a series.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeriesCheck {
    /// How many occurrences were looked at.
    pub looked_at: u64,
    /// How many of them are outside, in part or whole.
    pub outside: u64,
    /// For how many no schedule holds.
    pub no_schedule: u64,
    /// The first ones outside, with their parts.
    pub listed: Vec<(Slot, Check)>,
    /// The start of the first one outside that is not listed; `None` when all are. What starts from then on is counted and no more.
    pub not_listed_from: Option<DateTime<Utc>>,
    /// The version that all of this is true of.
    pub version: ScheduleVersion,
}

impl SeriesCheck {
    /// The first occurrence outside.
    pub fn first(&self) -> Option<&(Slot, Check)> {
        self.listed.first()
    }
}

impl Hours {
    /// Judges occurrences, given by start, and lists at most `listed_max` of those outside, at least one.
    pub fn check_series(&self, visits: impl IntoIterator<Item = Visit>, listed_max: usize) -> SeriesCheck {
        let mut found = SeriesCheck {
            looked_at: 0,
            outside: 0,
            no_schedule: 0,
            listed: Vec::new(),
            not_listed_from: None,
            version: self.rota().version().clone(),
        };
        for visit in visits {
            found.looked_at += 1;
            match self.verdict(visit.start, visit.end) {
                Verdict::Inside | Verdict::Skipped(_) => {}
                Verdict::NoSchedule => found.no_schedule += 1,
                Verdict::PartlyOutside | Verdict::Outside => {
                    found.outside += 1;
                    if found.listed.len() < listed_max.max(1) {
                        found.listed.push((visit.slot, self.check(visit.start, visit.end)));
                    } else if found.not_listed_from.is_none() {
                        found.not_listed_from = Some(visit.start);
                    }
                }
            }
        }
        found
    }
}
