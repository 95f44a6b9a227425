//! Looks for what both sides hold already, before anything is made.
//!
//! Only what is pending and linked to nothing is looked at, and only where both sides have some of it: a first binding of a CRM
//! without appointments, and every ordinary run, cost one question. What is found is no more than a proposal to the plan that is
//! made next; nothing is stored here.

use super::run::Pass;
use crate::error::Result;
use crate::id::RecordId;
use crate::model::{Fields, Record};
use crate::plan::adopt::{Candidate, Pairing};
use crate::plan::{Lens, left_alone, sighting};
use crate::planted::{self, Fault};
use crate::store::{Family, Seen, Which};
use std::collections::BTreeSet;

impl Pass<'_> {
    /// Pairs what is only in the CRM with what is only in the calendar, and reads what reviewers deselected.
    pub(super) async fn pair_up(&mut self) -> Result<()> {
        let store = &self.engine.shared.store;
        let (tenant, id) = (&self.binding.tenant, &self.binding.id);
        let count = self.engine.shared.settings.page_records_max;
        self.deselected = store.deselected(tenant, id).await?.into_iter().collect();
        let lens = Lens::new(&*self.provider, &self.binding);
        let now = self.now();
        let candidate = |id: &str, fields: &Fields, from_crm: bool| {
            let in_scope = left_alone(&self.binding, now, fields, from_crm).is_none();
            Some(Candidate { in_scope, ..lens.candidate(id, fields)? })
        };
        let mut local: Vec<Candidate> = Vec::new();
        let mut after: Option<RecordId> = None;
        loop {
            let marks = store.unlinked_local(tenant, id, after.as_ref(), count).await?;
            let Some(last) = marks.last() else { break };
            after = Some(last.id.clone());
            let ours = |record: &&Record| record.agent == self.binding.agent && record.occurrence.is_none();
            let records = marks.iter().filter_map(|mark| mark.record.as_ref()).filter(ours);
            local.extend(
                records.filter_map(|record| candidate(record.id.as_str(), record.fields.as_ref()?, true)),
            );
        }
        self.pairing = Pairing::default();
        if local.is_empty() || planted::on(Fault::NothingJoined) {
            return Ok(());
        }
        let uids: BTreeSet<u64> = local.iter().filter_map(|candidate| candidate.uid).collect();
        let contents: BTreeSet<u64> = local.iter().map(|candidate| candidate.content).collect();
        let mut remote: Vec<Candidate> = Vec::new();
        let mut after = None;
        loop {
            let items = store.unlinked_remote(tenant, id, after.as_ref(), count).await?;
            let Some(last) = items.last() else { break };
            after = Some(last.key.clone());
            remote.extend(items.iter().filter_map(|item| {
                let Seen::Live(fields) = &item.seen else { return None };
                let candidate = candidate(item.id.as_str(), fields, false)?;
                let known = contents.contains(&candidate.content)
                    || candidate.uid.is_some_and(|uid| uids.contains(&uid));
                known.then_some(candidate)
            }));
        }
        self.pairing = Pairing::of(&local, &remote);
        Ok(())
    }

    /// Whether a family is planned with its counterpart, under the calendar's root.
    pub(super) fn planned_with_counterpart(&self, which: Which, root: &str) -> bool {
        which == Which::Local && self.pairing.remote_of(&RecordId::from(root)).is_some()
    }

    /// The family of a record that nothing links, together with that of its counterpart, and the link that there is to be.
    pub(super) async fn with_counterpart(
        &self,
        which: Which,
        root: &str,
        mut family: Family,
    ) -> Result<Family> {
        let unlinked =
            which == Which::Remote && !family.links.iter().any(|link| link.remote_root.as_str() == root);
        let Some((record, _)) = self.pairing.record_of(&root.into()).filter(|_| unlinked) else {
            return Ok(family);
        };
        let (tenant, id) = (&self.binding.tenant, &self.binding.id);
        let other = self.engine.shared.store.family(tenant, id, Which::Local, record.as_str()).await?;
        // Linked to something else meanwhile: then it is not the same any more.
        if other.links.iter().any(|link| link.record == *record) {
            return Ok(family);
        }
        family.links.extend(other.links);
        family.links.push(sighting::found(&root.into(), record.clone()));
        family.local.extend(other.local);
        family.outbox.extend(other.outbox);
        Ok(family)
    }
}
