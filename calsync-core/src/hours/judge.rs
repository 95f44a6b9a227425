//! One appointment or series with its changed occurrences, judged as a whole.
//!
//! An import by hand, an edit in the CRM, a plan and an unattended run ask here, so that none of them says something else than the
//! others. What comes out goes to [`settle`](super::settle).

use super::check::Skip;
use super::compile::Hours;
use super::series::{Changed, LISTED_MAX, Visit, visits};
use super::warnings::Judged;
use crate::calendar::{Series, has_slot};
use crate::error::{Error, ErrorKind, Result};
use crate::id::{AgentId, RecordId};
use crate::model::{Appointment, Slot};
use chrono::{DateTime, Utc};
use std::collections::BTreeMap;
use std::ops::Range;

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
    /// Judges it in a window, usually the [`horizon`](super::horizon). Without hours, or when it is over before the window, nothing is
    /// true of it; a single appointment after the window is judged all the same.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] for times or recurrence lines that cannot be read, [`ErrorKind::Limit`] for a series that cannot be followed to the
    /// end of the window.
    pub fn judge(&self, hours: Option<&Hours>, window: Range<DateTime<Utc>>) -> Result<Judged> {
        let nothing = || Judged::nothing(self.person.clone(), self.event.clone());
        let Some(hours) = hours else { return Ok(nothing()) };
        let appointment = self.appointment;
        if appointment.recurrence.is_empty() {
            let check = hours.check_appointment(appointment, self.address)?;
            return Ok(match check.end.max(check.start) <= window.start {
                true => nothing(),
                false => Judged::one(self.person.clone(), self.event.clone(), check),
            });
        }
        let mut changed = BTreeMap::new();
        for (slot, own) in self.changed {
            let now = match Skip::of(own, self.address) {
                Some(_) => Changed::Gone,
                None => Changed::Moved { start: own.when.start_instant()?, end: own.when.end_instant()? },
            };
            changed.insert(*slot, now);
        }
        let found = match Skip::of(appointment, self.address) {
            None => {
                let series = Series::of(&appointment.when, &appointment.recurrence)?;
                let length = appointment.when.end_instant()? - appointment.when.start_instant()?;
                visits(&series, length, window.clone(), &changed).map_err(|truncated| {
                    Error::new(ErrorKind::Limit, "the series is too long to be judged")
                        .with("record", self.event)
                        .caused_by(truncated)
                })?
            }
            // Of a series that is not judged, occurrences that differ may be: of a declined series one that the person goes to.
            Some(_) => self.moved(&changed, &window),
        };
        let checked = hours.check_series(found, LISTED_MAX);
        Ok(Judged::series(self.person.clone(), self.event.clone(), window, checked))
    }

    fn moved(&self, changed: &BTreeMap<Slot, Changed>, window: &Range<DateTime<Utc>>) -> Vec<Visit> {
        let Appointment { when, recurrence, .. } = self.appointment;
        let mut found: Vec<Visit> = changed
            .iter()
            .filter_map(|(&slot, changed)| match *changed {
                Changed::Moved { start, end } => Some(Visit { slot, start, end }),
                Changed::Gone => None,
            })
            .filter(|visit| window.contains(&visit.start) && has_slot(when, recurrence, visit.slot))
            .collect();
        found.sort_by_key(|visit| (visit.start, visit.slot));
        found
    }
}
