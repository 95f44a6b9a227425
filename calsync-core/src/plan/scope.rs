//! Whether a record that is not linked is left alone, from its values and the time.

use crate::binding::Binding;
use crate::model::Fields;
use crate::model::appointment::read_when;
use chrono::{DateTime, Utc};

/// Why a record that is not linked is left alone; `None` when it is in scope. Judged by the values as they were seen, before
/// any of them is held back.
pub(crate) fn left_alone(
    binding: &Binding,
    now: DateTime<Utc>,
    fields: &Fields,
    from_crm: bool,
) -> Option<&'static str> {
    let end = last_end(fields);
    if let Some(why) = binding.scope.left_alone(fields, end, &binding.own_place(), now) {
        return Some(why);
    }
    if from_crm && !binding.scope.push_past && end.is_some_and(|end| end <= binding.created) {
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
