//! The canonical field map: what the planner compares and merges, whatever the record is.
//!
//! A record is a map from *merge unit* to a JSON value. A unit is what one person can change without another noticing: the
//! title is one; start, end, zone, all-day and recurrence are one together; each guest and each extended property is one of its
//! own. A unit that is absent has its default value. Two maps are compared unit by unit in canonical form (`normalise`), so
//! that the order of a rule's parts or a line ending is no difference, while the values stay as they were written.

use super::normalise::canonical;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

/// The name of a merge unit, for example `summary`, `when`, `attendee/amy@example.com` or `property/private/crm`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Unit(String);

impl Unit {
    /// A unit by its whole name.
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// The whole name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The address in lower case, where the unit is a guest (`attendee/…`).
    pub fn guest(&self) -> Option<&str> {
        self.0.strip_prefix("attendee/")
    }
}

impl From<&str> for Unit {
    fn from(name: &str) -> Self {
        Self(name.to_owned())
    }
}

impl From<String> for Unit {
    fn from(name: String) -> Self {
        Self(name)
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::borrow::Borrow<str> for Unit {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// A record's values by merge unit.
///
/// Cheap to clone: what is decided about one record, what is written of it and what is agreed on are mostly the same values,
/// and share them until one of them is changed.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fields(Arc<BTreeMap<Unit, Value>>);

impl Fields {
    /// No values: everything has its default.
    pub fn new() -> Self {
        Self::default()
    }

    /// The value of a unit as it was written.
    pub fn get(&self, unit: &str) -> Option<&Value> {
        self.0.get(unit)
    }

    /// Sets a unit; `null` takes it away, as the default is told by absence.
    pub fn set(&mut self, unit: impl Into<Unit>, value: Value) {
        let unit = unit.into();
        if value.is_null() {
            self.remove(unit.as_str());
        } else {
            Arc::make_mut(&mut self.0).insert(unit, value);
        }
    }

    /// Puts a unit back to its default.
    pub fn remove(&mut self, unit: &str) -> Option<Value> {
        if self.0.contains_key(unit) { Arc::make_mut(&mut self.0).remove(unit) } else { None }
    }

    /// All units that have a value, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&Unit, &Value)> {
        self.0.iter()
    }

    /// Keeps the units that `keep` wants.
    pub fn retain(&mut self, keep: impl FnMut(&Unit) -> bool) {
        *self = self.kept(keep);
    }

    /// The units that `keep` wants: the same values where that is all of them, copies of the rest alone where it is not.
    fn kept(&self, mut keep: impl FnMut(&Unit) -> bool) -> Self {
        let kept: Vec<_> = self.0.iter().filter(|(unit, _)| keep(unit)).collect();
        if kept.len() == self.len() {
            return self.clone();
        }
        Self(Arc::new(kept.into_iter().map(|(unit, value)| (unit.clone(), value.clone())).collect()))
    }

    /// How many units have a value.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether everything has its default.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// About how many bytes of memory the values take.
    pub(crate) fn size(&self) -> usize {
        self.0.iter().map(|(unit, value)| unit.as_str().len() + size(value)).sum()
    }

    /// The units in which the two differ in canonical form.
    pub fn diff(&self, other: &Self) -> BTreeSet<Unit> {
        let mut units = BTreeSet::new();
        if Arc::ptr_eq(&self.0, &other.0) {
            return units;
        }
        let mut ours = self.0.iter().peekable();
        let mut theirs = other.0.iter().peekable();
        loop {
            use std::cmp::Ordering::{Equal, Greater, Less};
            let order = match (ours.peek(), theirs.peek()) {
                (None, None) => return units,
                (Some(_), None) => Less,
                (None, Some(_)) => Greater,
                (Some((a, _)), Some((b, _))) => a.cmp(b),
            };
            let (unit, a, b) = match order {
                Less => ours.next().map(|(unit, a)| (unit, Some(a), None)),
                Greater => theirs.next().map(|(unit, b)| (unit, None, Some(b))),
                Equal => ours.next().zip(theirs.next()).map(|((unit, a), (_, b))| (unit, Some(a), Some(b))),
            }
            .unwrap_or_else(|| unreachable!("peeked"));
            if a != b && canonical(unit.as_str(), a) != canonical(unit.as_str(), b) {
                units.insert(unit.clone());
            }
        }
    }

    /// Whether the two are equal in canonical form.
    pub fn same_as(&self, other: &Self) -> bool {
        self.diff(other).is_empty()
    }

    /// Takes the values of `units` over from `other`, absent ones included.
    pub fn take_from(&mut self, other: &Self, units: &BTreeSet<Unit>) {
        for unit in units {
            self.set(unit.clone(), other.0.get(unit).cloned().unwrap_or_default());
        }
    }

    /// The units that are guests.
    pub fn guests(&self) -> impl Iterator<Item = &Unit> {
        self.iter().map(|(unit, _)| unit).filter(|unit| unit.guest().is_some())
    }

    /// Takes over every value that `other` has.
    pub fn take_all(&mut self, other: &Self) {
        for (unit, value) in other.0.iter() {
            self.set(unit.clone(), value.clone());
        }
    }

    /// Only these units.
    pub fn only(&self, units: &BTreeSet<Unit>) -> Self {
        self.kept(|unit| units.contains(unit))
    }
}

fn size(value: &Value) -> usize {
    /// What a value, its key and its place in a map take besides their texts.
    const NODE: usize = 64;
    let inside = match value {
        Value::String(text) => text.len(),
        Value::Array(values) => values.iter().map(size).sum(),
        Value::Object(values) => values.iter().map(|(key, value)| key.len() + size(value)).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    };
    NODE + inside
}

/// Names the units, never their values: the content of an appointment stays out of logs.
impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl FromIterator<(Unit, Value)> for Fields {
    fn from_iter<I: IntoIterator<Item = (Unit, Value)>>(values: I) -> Self {
        let mut fields = Self::new();
        for (unit, value) in values {
            fields.set(unit, value);
        }
        fields
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn fields(value: Value) -> Fields {
        serde_json::from_value(value).expect("a map")
    }

    #[test]
    fn a_difference_names_the_units_that_differ_in_canonical_form_and_no_others() {
        let a = fields(
            json!({"summary": "Visit", "description": "one\r\ntwo", "location": "Here", "extra": {"colorId": "3"}}),
        );
        let b = fields(json!({"summary": "Visit", "description": "one\ntwo", "attendee/a@b.c": {}}));
        let units: Vec<_> = a.diff(&b).into_iter().map(|u| u.to_string()).collect();
        assert_eq!(units, ["attendee/a@b.c", "location"]);
    }

    #[test]
    fn a_change_of_one_copy_is_none_of_the_others() {
        let whole = fields(json!({"summary": "Visit", "location": "Here"}));
        let (mut set, mut removed, mut taken, mut retained) =
            (whole.clone(), whole.clone(), whole.clone(), whole.clone());
        set.set("summary", json!("Call"));
        removed.remove("summary");
        taken.take_from(&Fields::new(), &["summary".into()].into());
        retained.retain(|unit| unit.as_str() != "summary");
        assert_eq!(json!(whole), json!({"summary": "Visit", "location": "Here"}));
        assert_eq!(json!(set), json!({"summary": "Call", "location": "Here"}));
        for other in [removed, taken, retained, whole.only(&["location".into()].into())] {
            assert_eq!(json!(other), json!({"location": "Here"}));
        }
    }

    #[test]
    fn a_default_value_and_an_absent_one_are_the_same() {
        let written = fields(
            json!({"status": "confirmed", "transparency": "opaque", "visibility": "default", "summary": ""}),
        );
        assert!(written.same_as(&Fields::new()));
    }
}
