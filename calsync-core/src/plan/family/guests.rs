//! Guests are taken out of the calendar's event and stay in the CRM.
//!
//! A link whose guests are out compares neither side's guests any more. That the event still has them is told by the base, which
//! keeps them until the write that takes them out is acknowledged: whatever comes in between, the next decision about the record
//! takes them out.

use super::{Home, Planner};
use crate::model::{Fields, State};
use crate::plan::observe::Pair;
use crate::plan::row::Action;

impl<'a> Planner<'a> {
    /// The guests that the calendar's event has by the base, and is not to have any more.
    pub(super) fn guests_due(&self, pair: &Pair<'_>) -> Fields {
        match pair.base() {
            Some(State::Live(base))
                if pair.view.guests_out && self.rules.binding.direction.writes_remote() =>
            {
                base.only(&base.guests().cloned().collect())
            }
            _ => Fields::new(),
        }
    }

    /// What both sides agree on before the guests are out.
    pub(super) fn with_guests_due(&self, pair: &Pair<'_>, mut agreed: Fields) -> Fields {
        agreed.take_all(&self.guests_due(pair));
        agreed
    }

    /// Nothing else is to be written: an update of its own.
    pub(super) fn take_guests_out(&mut self, pair: &'a Pair<'a>) -> Home<'a> {
        let Some(link) = pair.link else { return Home::None };
        let agreed = pair.base_fields();
        let local = pair.local.fields.clone().unwrap_or_else(|| agreed.clone());
        match pair.item {
            None => self.look_at(link),
            Some(item) => {
                let after = pair.remote.fields.clone().unwrap_or_else(|| agreed.clone());
                let reason = "guests are taken out of the calendar and stay in the CRM; nobody is mailed";
                let none = Default::default();
                let action = Action::UpdateRemote;
                self.update_remote(
                    pair,
                    link.clone(),
                    item,
                    none,
                    after,
                    agreed,
                    &local,
                    false,
                    reason,
                    action,
                );
            }
        }
        Home::Linked(link)
    }
}
