//! What is new in the calendar is decided as it is seen.
//!
//! A single appointment that was never seen, and that nothing on either side belongs to, is a family by itself: whatever there is
//! to know about it is on the page that shows it. So what is done about it is stored in the transaction of that page, and a
//! first binding, which is made of such appointments, writes and reads each of them once instead of twice.
//!
//! Only what is plain is decided here. Series wait, because their occurrences may stand on another page; so does everything
//! while the CRM has something that is linked to nothing and may be the same ([`super::adopt`]), what counts against a limit,
//! and what has to be read first. And if the ground of a decision has moved when it is to be stored, its observation is stored in
//! its place. All that is pending then and is decided after the listing, as ever.

use super::observe::Sights;
use super::run::Pass;
use crate::error::Result;
use crate::guard::Kinds;
use crate::plan::FamilyPlan;
use crate::store::{Family, Group, RemoteItem};

impl Pass<'_> {
    /// What is done about newcomers at once; the others go to what is decided later.
    pub(super) async fn decide_newcomers(&self, sights: Sights) -> Result<(Group, Vec<FamilyPlan>)> {
        if !self.decides || sights.newcomers.is_empty() || self.has_unlinked_local().await? {
            return Ok((sights.undecided(), Vec::new()));
        }
        let limited = Kinds::limited(&self.binding.limits);
        let Sights { mut group, newcomers } = sights;
        let mut plans = Vec::new();
        for item in newcomers {
            if !is_single(&item) {
                group.remote.push(item);
                continue;
            }
            let family = Family { remote: vec![item], ..Family::default() };
            let mut plan = self.plan(&family);
            if plan.looks() || !plan.writes() || plan.tally.meets(limited) {
                group.remote.extend(family.remote);
            } else {
                // What is only asked for, of a CRM with tables of its own, is pending until it has answered.
                if plan.group.remote.is_empty() {
                    plan.group.remote.clone_from(&family.remote);
                }
                plan.group.otherwise = family.remote;
                plans.push(plan);
            }
        }
        Ok((group, plans))
    }

    async fn has_unlinked_local(&self) -> Result<bool> {
        let (tenant, id) = (&self.binding.tenant, &self.binding.id);
        Ok(!self.engine.shared.store.unlinked_local(tenant, id, None, 1).await?.is_empty())
    }
}

fn is_single(item: &RemoteItem) -> bool {
    let when = item.values().and_then(|fields| fields.get("when"));
    item.stands_alone() && when.is_some_and(|when| when.get("recurrence").is_none())
}
