//! One appointment or series with its changed occurrences, judged as a whole.
//!
//! An import by hand, an edit in the CRM, a plan and an unattended run ask here, so that none of them says something else than the
//! others. What comes out goes to [`settle`](super::settle).

use super::check::{Check, Skip};
use super::compile::Hours;
use super::series::{Changed, LISTED_MAX, SeriesCheck, Visit, visits};
use super::warnings::Judged;
use super::words::Words;
use crate::calendar::{Series, has_slot};
use crate::error::{Error, ErrorKind, Result};
use crate::id::{AgentId, RecordId};
use crate::model::{Appointment, Slot};
use chrono::{DateTime, Utc};
use std::collections::BTreeMap;
use std::ops::Range;

/// What was found out about an appointment or a series.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// About a single appointment.
    One(Check),
    /// About the occurrences of a series.
    Series(SeriesCheck),
}

impl Finding {
    /// The warning for a person; `None` where there is nothing to warn of.
    pub fn said(&self, words: &Words, title: Option<&str>) -> Option<String> {
        match self {
            Self::One(check) => words.warning(title, check),
            Self::Series(checked) => words.series_warning(title, checked),
        }
    }

    /// What it says about the warnings of a person and an appointment or series, which was judged in `window`.
    pub fn judged(self, person: AgentId, event: RecordId, window: Range<DateTime<Utc>>) -> Judged {
        match self {
            Self::One(check) => Judged::one(person, event, check),
            Self::Series(checked) => Judged::series(person, event, window, checked),
        }
    }
}

/// Holds an appointment, or a series with the occurrences that differ, against hours. `None` for a single appointment that is over
/// before the window begins; one after it is judged all the same. `address` is the person's among the guests.
///
/// # Errors
/// [`ErrorKind::Invalid`] for times or recurrence lines that cannot be read, [`ErrorKind::Limit`] for a series that cannot be followed to the
/// end of the window.
pub fn find(
    hours: &Hours,
    window: &Range<DateTime<Utc>>,
    appointment: &Appointment,
    changed: &BTreeMap<Slot, Appointment>,
    address: Option<&str>,
) -> Result<Option<Finding>> {
    if appointment.recurrence.is_empty() {
        let check = hours.check_appointment(appointment, address)?;
        let over = check.end.max(check.start) <= window.start;
        return Ok((!over).then_some(Finding::One(check)));
    }
    let mut differs = BTreeMap::new();
    for (slot, own) in changed {
        let now = match Skip::of(own, address) {
            Some(_) => Changed::Gone,
            None => Changed::Moved { start: own.when.start_instant()?, end: own.when.end_instant()? },
        };
        differs.insert(*slot, now);
    }
    let found = match Skip::of(appointment, address) {
        None => {
            let series = Series::of(&appointment.when, &appointment.recurrence)?;
            let length = appointment.when.end_instant()? - appointment.when.start_instant()?;
            visits(&series, length, window.clone(), &differs).map_err(|truncated| {
                Error::new(ErrorKind::Limit, "the series has too many occurrences to be followed")
                    .cure("Give its rule an end or a longer step. What was told of it before stands until then.")
                    .caused_by(truncated)
            })?
        }
        // Of a series that is not judged, occurrences that differ may be: of a declined series one that the person goes to.
        Some(_) => moved(appointment, &differs, window),
    };
    Ok(Some(Finding::Series(hours.check_series(found, LISTED_MAX))))
}

fn moved(
    series: &Appointment,
    changed: &BTreeMap<Slot, Changed>,
    window: &Range<DateTime<Utc>>,
) -> Vec<Visit> {
    let mut found: Vec<Visit> = changed
        .iter()
        .filter_map(|(&slot, changed)| match *changed {
            Changed::Moved { start, end } => Some(Visit { slot, start, end }),
            Changed::Gone => None,
        })
        .filter(|visit| {
            // Where it cannot be told whether it is there, what somebody wrote there is.
            window.contains(&visit.start)
                && has_slot(&series.when, &series.recurrence, visit.slot).unwrap_or(true)
        })
        .collect();
    found.sort_by_key(|visit| (visit.start, visit.slot));
    found
}

/// A single appointment, or a series with its changed occurrences, as it is now.
#[derive(Clone, Debug)]
pub struct Subject<'a> {
    /// Whose it is.
    pub person: &'a AgentId,
    /// The person's address among the guests.
    pub address: Option<&'a str>,
    /// The record that warnings name: its own, or the series'.
    pub event: &'a RecordId,
    /// Its values.
    pub appointment: &'a Appointment,
    /// The occurrences of a series that differ, cancelled ones among them, by slot.
    pub changed: &'a BTreeMap<Slot, Appointment>,
}

impl Subject<'_> {
    /// Judges it in a window, usually the [`horizon`](super::horizon), as [`find`] does. Without hours nothing is true of it.
    ///
    /// # Errors
    /// As [`find`].
    pub fn judge(&self, hours: Option<&Hours>, window: Range<DateTime<Utc>>) -> Result<Judged> {
        let found = match hours {
            Some(hours) => find(hours, &window, self.appointment, self.changed, self.address)
                .map_err(|error| error.with("record", self.event))?,
            None => None,
        };
        let (person, event) = (self.person.clone(), self.event.clone());
        Ok(match found {
            None => Judged::nothing(person, event),
            Some(found) => found.judged(person, event, window),
        })
    }
}
