//! What both sides had before anything linked it, and what a reviewer left out.
//!
//! A pair that was found to be the same is planned like a link without a base: whatever both agree on is agreed, whatever differs
//! goes to the policy, and the loser to the journal. The link is stored with whatever else the plan stores, never before.

use super::Planner;
use crate::plan::adopt::By;
use crate::plan::observe::Pair;
use crate::plan::row::{Action, Waiting};
use crate::planted::{self, Fault};
use crate::store::{Family, Which};
use std::collections::BTreeSet;

/// Whether a reviewer deselected one of the roots of a family.
pub fn is_deselected(family: &Family, deselected: &BTreeSet<(Which, String)>) -> bool {
    if deselected.is_empty() || planted::on(Fault::DeselectedDone) {
        return false;
    }
    roots(family).any(|root| deselected.contains(&root))
}

/// The roots by which a family is known on either side.
pub(crate) fn roots(family: &Family) -> impl Iterator<Item = (Which, String)> {
    let local = (family.links.iter().map(|link| &link.record_root))
        .chain(family.local.iter().map(|mark| &mark.root))
        .map(|root| (Which::Local, root.to_string()));
    let remote = (family.links.iter().map(|link| &link.remote_root))
        .chain(family.remote.iter().map(|item| &item.root))
        .map(|root| (Which::Remote, root.to_string()));
    local.chain(remote)
}

impl<'a> Planner<'a> {
    /// One row for the family: its series, or else what is left of it.
    pub(super) fn leave_deselected<'p>(&mut self, mut pairs: impl Iterator<Item = &'p Pair<'p>>) {
        if let Some(pair) = pairs.next() {
            self.wait(
                pair,
                Waiting::Deselected,
                "deselected in a review: left alone until somebody selects it",
            );
        }
    }

    /// What a record that nothing links may be the same as.
    pub(super) fn unclear(&self, root: &Pair<'_>) -> Option<Vec<String>> {
        if root.link.is_some() {
            return None;
        }
        let unclear = |which, id| self.rules.pairing.unclear(which, id).map(<[String]>::to_vec);
        let remote = root.item.and_then(|item| unclear(Which::Remote, item.id.as_str()));
        remote.or_else(|| root.record.and_then(|record| unclear(Which::Local, record.id.as_str())))
    }

    /// Why the two sides of a pair are joined by this very plan.
    pub(super) fn joins(&self, root: &Pair<'_>) -> Option<By> {
        let link = root.link.filter(|link| link.adopted && link.base.is_none())?;
        let (record, by) = self.rules.pairing.record_of(&link.remote)?;
        (*record == link.record).then_some(by)
    }

    /// The occurrences of a series that is being joined were perhaps passed over before: all of them are looked at.
    pub(super) fn needs_occurrences(&mut self, root: &Pair<'_>) -> bool {
        let recurring = |fields: &crate::model::Fields| {
            fields.get("when").is_some_and(|when| !when["recurrence"].is_null())
        };
        let needed = self.rules.own_table
            && !self.rules.occurrences_read
            && root.local.fields.as_ref().is_some_and(recurring);
        if needed {
            self.plan.look_occurrences = root.link.map(|link| link.record.clone());
        }
        needed
    }

    /// Stores the link of what is joined, and says so first.
    pub(super) fn join_up(&mut self, root: Option<&Pair<'_>>) {
        let Some((root, by)) = root.and_then(|root| Some((root, self.joins(root)?))) else { return };
        if self.plan.looks() {
            return;
        }
        let Some(link) = root.link else { return };
        if !self.plan.group.links.iter().any(|put| put.link.record == link.record) {
            self.plan.group.links.push(link.clone().into());
        }
        self.row(root, Action::Join, by.reason(), BTreeSet::new(), None);
        if let Some(mut row) = self.plan.rows.pop() {
            row.before = None;
            self.plan.rows.insert(0, row);
        }
    }
}
