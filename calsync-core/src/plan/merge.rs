//! Three-way merge by unit.
//!
//! Different units that the two sides changed are both kept. The same unit changed to different values is a conflict, and the
//! binding's policy names the winner; the losing values are handed back whole, for the journal. A unit that one side may not
//! write (a guest's copy of somebody else's meeting, a one-way binding) cannot win there.

use crate::binding::{Direction, Policy};
use crate::model::appointment::PROVIDER_OWNED;
use crate::model::{Fields, Unit, Writable};
use crate::planted::{self, Fault};
use std::collections::BTreeSet;

/// What to carry where.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Merge {
    /// Units whose remote values go into the CRM.
    pub to_local: BTreeSet<Unit>,
    /// Units whose CRM values go into the calendar.
    pub to_remote: BTreeSet<Unit>,
    /// Units that both sides changed to different values.
    pub conflicts: BTreeSet<Unit>,
    /// The values that lost a conflict.
    pub lost: Option<Fields>,
    /// Units that the CRM changed and that this credential may not write.
    pub forbidden: BTreeSet<Unit>,
    /// Units that were changed on a side from which nothing flows.
    pub one_way: BTreeSet<Unit>,
}

/// Who wins a conflict, once the policy has been applied to this record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Winner {
    /// The CRM.
    Local,
    /// The calendar.
    Remote,
}

/// The winner by policy; `None` when a person has to answer. Times are those of the last change on each side.
pub fn winner<T: Ord>(policy: Policy, local: Option<T>, remote: Option<T>) -> Option<Winner> {
    match policy {
        Policy::Local => Some(Winner::Local),
        Policy::Remote => Some(Winner::Remote),
        Policy::Newest => match (local, remote) {
            (Some(local), Some(remote)) if local > remote => Some(Winner::Local),
            _ => Some(Winner::Remote),
        },
        Policy::Ask => None,
    }
}

/// The units in which a CRM record differs from the base and that the CRM has a say in.
pub fn local_diff(local: &Fields, base: &Fields) -> BTreeSet<Unit> {
    let mut units = local.diff(base);
    units.retain(|unit| !PROVIDER_OWNED.contains(&unit.as_str()));
    units
}

/// Merges two versions of a record over their base. `winner` decides conflicts; without one they are only named.
pub fn merge(
    base: &Fields,
    local: &Fields,
    remote: &Fields,
    direction: Direction,
    writable: &Writable,
    winner: Option<Winner>,
) -> Merge {
    let mut merge = Merge::default();
    let changed_local = local_diff(local, base);
    let changed_remote = remote.diff(base);
    let differ = local.diff(remote);
    for unit in changed_local.union(&changed_remote) {
        let whole = planted::on(Fault::WholeRecordWins);
        let (here, there) = (whole || changed_local.contains(unit), whole || changed_remote.contains(unit));
        // Both changed it to the same value: nothing to carry.
        if !differ.contains(unit) {
            continue;
        }
        let may_push =
            direction.writes_remote() && (writable.allows(unit) || planted::on(Fault::ReadOnlyWritten));
        let may_pull = direction.writes_local();
        match (here, there) {
            (true, false) if may_push => _ = merge.to_remote.insert(unit.clone()),
            (true, false) if direction.writes_remote() => _ = merge.forbidden.insert(unit.clone()),
            (true, false) => _ = merge.one_way.insert(unit.clone()),
            (false, true) if may_pull => _ = merge.to_local.insert(unit.clone()),
            (false, true) => _ = merge.one_way.insert(unit.clone()),
            _ => {
                merge.conflicts.insert(unit.clone());
                let forced = match (may_pull, may_push) {
                    (true, false) => Some(Winner::Remote),
                    (false, true) => Some(Winner::Local),
                    (true, true) => winner,
                    (false, false) => {
                        merge.one_way.insert(unit.clone());
                        continue;
                    }
                };
                let loser = match forced {
                    Some(Winner::Local) => {
                        merge.to_remote.insert(unit.clone());
                        remote
                    }
                    Some(Winner::Remote) => {
                        merge.to_local.insert(unit.clone());
                        local
                    }
                    None => continue,
                };
                if planted::on(Fault::LoserNotKept) {
                    continue;
                }
                let lost = merge.lost.get_or_insert_default();
                lost.set(unit.as_str(), loser.get(unit.as_str()).cloned().unwrap_or_default());
            }
        }
    }
    merge
}

impl Merge {
    /// Whether a person has to answer first.
    pub fn asks(&self) -> bool {
        self.conflicts.iter().any(|unit| {
            !self.to_local.contains(unit) && !self.to_remote.contains(unit) && !self.one_way.contains(unit)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn fields(value: serde_json::Value) -> Fields {
        serde_json::from_value(value).expect("a map")
    }

    fn names(units: &BTreeSet<Unit>) -> String {
        units.iter().map(|u| u.as_str()).collect::<Vec<_>>().join(" ")
    }

    #[track_caller]
    fn check(
        local: serde_json::Value,
        remote: serde_json::Value,
        winner: Option<Winner>,
        to_local: &str,
        to_remote: &str,
    ) {
        let base = fields(json!({"summary": "a", "location": "b", "attendee/x@y.z": {}}));
        let merged = merge(&base, &fields(local), &fields(remote), Direction::TwoWay, &Writable::All, winner);
        assert_eq!(
            (names(&merged.to_local).as_str(), names(&merged.to_remote).as_str()),
            (to_local, to_remote)
        );
    }

    #[test]
    fn a_title_edited_here_and_a_place_edited_there_are_both_kept() {
        check(
            json!({"summary": "A", "location": "b", "attendee/x@y.z": {}}),
            json!({"summary": "a", "location": "B", "attendee/x@y.z": {}}),
            None,
            "location",
            "summary",
        );
    }

    #[test]
    fn guests_are_merged_one_by_one() {
        check(
            json!({"summary": "a", "location": "b", "attendee/x@y.z": {}, "attendee/new@y.z": {}}),
            json!({"summary": "a", "location": "b", "attendee/x@y.z": {"response": "accepted"}}),
            None,
            "attendee/x@y.z",
            "attendee/new@y.z",
        );
    }

    #[test]
    fn the_same_unit_goes_to_the_winner_and_the_loser_is_kept() {
        let (l, r) = (json!({"summary": "L", "location": "b"}), json!({"summary": "R", "location": "b"}));
        let base = fields(json!({"summary": "a", "location": "b"}));
        for (winner, lost) in [(Winner::Local, "R"), (Winner::Remote, "L")] {
            let merged = merge(
                &base,
                &fields(l.clone()),
                &fields(r.clone()),
                Direction::TwoWay,
                &Writable::All,
                Some(winner),
            );
            assert_eq!(merged.lost.and_then(|f| f.get("summary").cloned()), Some(json!(lost)));
        }
    }

    #[test]
    fn a_conflict_without_a_winner_waits_and_the_same_edit_on_both_sides_is_none() {
        let base = fields(json!({"summary": "a"}));
        let (l, r) = (fields(json!({"summary": "L"})), fields(json!({"summary": "R"})));
        assert!(merge(&base, &l, &r, Direction::TwoWay, &Writable::All, None).asks());
        assert_eq!(merge(&base, &l, &l, Direction::TwoWay, &Writable::All, None), Merge::default());
    }

    #[test]
    fn a_guest_may_write_the_own_answer_but_not_the_title() {
        let base = fields(json!({"summary": "a", "attendee/me@y.z": {}}));
        let local = fields(json!({"summary": "A", "attendee/me@y.z": {"response": "accepted"}}));
        let me = Writable::OwnCopy { me: "me@y.z".into() };
        let merged = merge(&base, &local, &base, Direction::TwoWay, &me, None);
        assert_eq!(
            (names(&merged.to_remote).as_str(), names(&merged.forbidden).as_str()),
            ("attendee/me@y.z", "summary")
        );
    }
}
