//! How much of an appointment passes between the two sides.
//!
//! A detail is a filter on merge units, and the same one for both directions: what it holds back is neither read from the
//! calendar into the store nor sent from the CRM to the calendar, and it is not compared, so that it is never an edit either.
//! What is there already is not touched: a unit that is held back is never written to a record that exists, so that narrowing
//! the detail wipes nothing, and widening it later finds both sides' values as they were left.
//!
//! Private appointments have a detail of their own. Whether one is private its own visibility says; where the two sides say
//! different things, the appointment is private until they agree, so that visibility never widens on the way (G39).

use crate::binding::Binding;
use crate::model::Fields;
use crate::model::{RemoteRecord, State};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The title of an appointment that is made on the other side as busy time only. It is calsync's and nobody's edit: it is
/// not carried back, and it gives way to the real title once titles pass.
pub const BUSY_TITLE: &str = "Busy";

/// How much of an appointment passes, in order: what is less is smaller.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Detail {
    /// That the time is taken: when, with the rule of a series; status, free or busy, visibility, and the kind of entry.
    /// Made on the other side under the title [`BUSY_TITLE`].
    BusyOnly,
    /// As `BusyOnly`, and the title.
    TitleOnly,
    /// Everything. The default.
    #[default]
    Full,
}

impl Detail {
    /// Whether a merge unit passes. A unit that this version does not know passes only with everything else.
    pub fn keeps(self, unit: &str) -> bool {
        match unit {
            "when" | "status" | "transparency" | "visibility" | "event_type" => true,
            "summary" => self >= Self::TitleOnly,
            _ => self == Self::Full,
        }
    }

    /// Whether it is everything.
    pub fn is_full(&self) -> bool {
        *self == Self::Full
    }

    /// Only what passes.
    pub(crate) fn of(self, mut fields: Fields) -> Fields {
        if self != Self::Full {
            fields.retain(|unit| self.keeps(unit.as_str()));
        }
        fields
    }
}

/// Whether a record says of itself that it is private. Only `default` and `public` are open; a value that this version does
/// not know may mean anything, and is taken for private.
pub(crate) fn private(fields: &Fields) -> bool {
    let open = |value: &Value| {
        value.as_str().is_some_and(|v| ["", "default", "public"].iter().any(|o| v.eq_ignore_ascii_case(o)))
    };
    fields.get("visibility").is_some_and(|visibility| !open(visibility))
}

impl Binding {
    /// How much of a record with these values passes, by its own visibility. What the scope leaves out for its visibility
    /// passes as busy time, so that its details are not even kept where it is linked already.
    pub fn detail_of(&self, fields: &Fields) -> Detail {
        if self.scope.leaves_out_visibility(fields) {
            return Detail::BusyOnly;
        }
        if private(fields) { self.detail.min(self.private_detail) } else { self.detail }
    }

    /// The calendar's own place among the guests.
    pub(crate) fn own_place(&self) -> String {
        format!("attendee/{}", self.target.calendar.as_str().to_lowercase())
    }

    /// The values as they may be stored. Where the scope asks for it, the answer that the calendar's owner gave stays, and
    /// nothing else of the guests: it says whether the record is in scope, and goes no further.
    pub(crate) fn discreet(&self, fields: Fields) -> Fields {
        let detail = self.detail_of(&fields);
        if detail.is_full() {
            return fields;
        }
        let own = self.own_place();
        let answer =
            self.scope.declined_left_out.then(|| fields.get(&own)?.get("response").cloned()).flatten();
        let mut kept = detail.of(fields);
        if let Some(answer) = answer {
            kept.set(own, json!({"response": answer}));
        }
        kept
    }

    /// The same for a record of the calendar.
    pub(crate) fn discreet_record(&self, record: &mut RemoteRecord) {
        if let State::Live(fields) = &mut record.state {
            *fields = self.discreet(std::mem::take(fields));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn less_detail_is_smaller_and_keeps_a_part_of_what_more_keeps() {
        let units =
            ["when", "status", "visibility", "summary", "description", "attendee/a@b.c", "extra", "new"];
        let kept = |detail: Detail| units.iter().filter(|unit| detail.keeps(unit)).count();
        assert!(Detail::BusyOnly < Detail::TitleOnly && Detail::TitleOnly < Detail::Full);
        assert_eq!([Detail::BusyOnly, Detail::TitleOnly, Detail::Full].map(kept), [3, 4, 8]);
    }

    #[test]
    fn g39_only_what_says_that_it_is_open_is_not_private() {
        for (value, is) in [
            (json!(null), false),
            (json!("default"), false),
            (json!("public"), false),
            (json!("PUBLIC"), false),
            (json!("private"), true),
            (json!("confidential"), true),
            (json!("PRIVATE"), true),
            (json!("secret"), true),
            (json!(7), true),
        ] {
            let mut fields = Fields::new();
            fields.set("visibility", value.clone());
            assert_eq!(private(&fields), is, "{value}");
        }
    }
}
