//! What of a record is compared, kept and carried: pure.
//!
//! Three filters lie over the values of both sides, and always all of them: what the provider can hold, what belongs to a
//! second copy of a meeting, and the [`Detail`] that the binding lets through. What a lens holds back is no difference
//! between the sides, so it is neither an edit nor ever written; a base of an older version, or of more detail, is seen
//! through it like everything else.

use super::adopt::Candidate;
use crate::binding::{Binding, Detail};
use crate::model::{Fields, State};
use crate::provider::Provider;

/// The provider's form of values, and the binding's detail.
#[derive(Clone, Copy, Debug)]
pub struct Lens<'a> {
    provider: &'a dyn Provider,
    binding: &'a Binding,
}

/// What of one record passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct View {
    /// A second copy of a meeting that is organised in another calendar: without guests, and without what tells who they are.
    pub mirror: bool,
    /// Guests were taken out of the calendar's event, and stay in the CRM.
    pub guests_out: bool,
    /// How much of the appointment passes between the sides.
    pub detail: Detail,
}

impl View {
    pub(super) fn keeps(self, unit: &str) -> bool {
        let guest = unit.starts_with("attendee/");
        self.detail.keeps(unit) && (!self.mirror || of_the_copy(unit)) && !(self.guests_out && guest)
    }

    pub(super) fn of(self, mut fields: Fields) -> Fields {
        if self.mirror || self.guests_out || !self.detail.is_full() {
            fields.retain(|unit| self.keeps(unit.as_str()));
        }
        fields
    }
}

impl<'a> Lens<'a> {
    /// The lens of a binding. Only the provider's pure functions are used.
    pub fn new(provider: &'a dyn Provider, binding: &'a Binding) -> Self {
        Self { provider, binding }
    }

    /// How much passes of a record with these values, by its own visibility.
    pub(super) fn detail(&self, fields: &Fields) -> Detail {
        self.binding.detail_of(fields)
    }

    /// What a record can be recognised by, of what it lets through: the same on both sides, whoever keeps it. Busy time alone
    /// recognises nothing for sure.
    pub fn candidate(&self, id: &str, fields: &Fields) -> Option<Candidate> {
        let view = View { mirror: false, guests_out: false, detail: self.detail(fields) };
        let calendar = &self.binding.target.calendar;
        let candidate = Candidate::of(id, &self.fields(fields, view), calendar)?;
        Some(Candidate { sure: view.keeps("summary"), ..candidate })
    }

    /// The values as both sides are compared.
    pub(super) fn fields(&self, fields: &Fields, view: View) -> Fields {
        view.of(self.provider.project(fields))
    }

    pub(super) fn state(&self, state: State, view: View) -> State {
        match state {
            State::Live(fields) => State::Live(self.fields(&fields, view)),
            State::Gone => State::Gone,
        }
    }
}

/// Whether a unit belongs to a second copy of a meeting as well.
fn of_the_copy(unit: &str) -> bool {
    !unit.starts_with("attendee/") && !matches!(unit, "organizer" | "ical_uid" | "conference")
}
