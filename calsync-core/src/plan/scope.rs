//! Which records a binding is about.
//!
//! Scope is applied locally and on both sides, and only to what is not linked yet: leaving the scope deletes nothing.

use crate::binding::Binding;
use crate::model::Fields;
use crate::model::appointment::read_when;
use chrono::{DateTime, NaiveTime, Utc};

/// Why a record that is not linked is left alone; `None` when it is in scope.
pub(super) fn left_alone(binding: &Binding, fields: &Fields, from_crm: bool) -> Option<&'static str> {
    let end = last_end(fields)?;
    if binding.since.is_some_and(|since| end <= since.and_time(NaiveTime::MIN).and_utc()) {
        return Some("it ended before the day from which this binding looks");
    }
    if from_crm && !binding.push_past && end <= binding.created {
        return Some("it was over before the binding was made");
    }
    None
}

/// When the last occurrence is over; `None` for a series that goes on or whose end takes counting.
pub(super) fn last_end(fields: &Fields) -> Option<DateTime<Utc>> {
    let (when, recurrence) = read_when(fields.get("when")?).ok()?;
    if recurrence.is_empty() {
        return when.end_instant().ok();
    }
    match crate::calendar::last_slot(&when, &recurrence) {
        Some(slot) => when.moved_to(&slot).ok()?.end_instant().ok(),
        None => None,
    }
}
