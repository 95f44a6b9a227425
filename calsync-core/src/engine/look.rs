//! Plans one family, and reads what its plan needs to see before it decides.
//!
//! What is read is stored before it is planned with, as any observation is: a run that ends in between loses nothing, and the
//! family is read again as a whole, with whatever became of it meanwhile. A slot is compared with its series only where the
//! series was the same before and after the slot was read.

use super::run::Pass;
use crate::error::Result;
use crate::guard::Kinds;
use crate::id::{RecordId, RemoteId};
use crate::model::{Record, RemoteOccurrence};
use crate::plan::settle::{looked, missing, no_such_slot, recognised};
use crate::plan::sighting;
use crate::plan::{FamilyPlan, Rules, plan_family};
use crate::store::{Family, Group, Link, LinkPut, LocalMark, Which};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Most rounds of reading for one family: its series, then what its occurrences need.
const LOOKS_MAX: u32 = 5;

impl Pass<'_> {
    /// Plans a family from what is known, without reading anything.
    pub(super) fn plan(&self, family: &Family) -> FamilyPlan {
        self.plan_with(family, &BTreeSet::new(), true)
    }

    fn plan_with(&self, family: &Family, fresh: &BTreeSet<RemoteId>, occurrences_read: bool) -> FamilyPlan {
        let rules = Rules {
            binding: &self.binding,
            installation: &self.installation,
            provider: &*self.provider,
            own_table: self.engine.shared.host.is_none(),
            own_calendars: &self.own_calendars,
            organises: self.organises,
            guests_out: self.guests_out,
            fresh,
            occurrences_read,
            pairing: &self.pairing,
            deselected: &self.deselected,
            run: &self.run,
            now: self.now(),
        };
        plan_family(family, &rules)
    }

    /// Plans a family, reading what the plan needs to see first; what meets `hold` waits.
    pub(super) async fn decide(
        &mut self,
        which: Which,
        root: &str,
        mut family: Family,
        hold: Kinds,
    ) -> Result<FamilyPlan> {
        let mut fresh = BTreeSet::new();
        let mut occurrences_read = false;
        family = self.with_counterpart(which, root, family).await?;
        for _ in 0..LOOKS_MAX {
            let plan = self.plan_with(&family, &fresh, occurrences_read);
            if plan.frozen || !plan.looks() {
                let mut plan = plan.held(hold);
                if let Some(look) = &self.shows {
                    self.say_on_rows(look, &family, &mut plan).await?;
                }
                return Ok(plan);
            }
            self.looked = true;
            if let Some(series) = &plan.look_occurrences {
                occurrences_read = true;
                self.look_for_occurrences(series).await?;
            }
            self.look(&family, &plan.look_remote, &plan.look_local, &mut fresh).await?;
            let (tenant, id) = (&self.binding.tenant, &self.binding.id);
            family = self.engine.shared.store.family(tenant, id, which, root).await?;
            family = self.with_counterpart(which, root, family).await?;
        }
        tracing::warn!(binding = %self.binding.id, family = root, "undecided after {LOOKS_MAX} looks");
        let warning = format!(
            "{root}: what has to be known of it changes faster than it is read; left for the next run"
        );
        if !self.report.warnings.contains(&warning) {
            self.report.warnings.push(warning);
        }
        Ok(FamilyPlan::default())
    }

    /// What was to be written has moved: whatever is there now is decided about in the next pass.
    pub(super) async fn look_again(&mut self, records: &[RecordId], made: Vec<Link>) -> Result<()> {
        let (store, tenant) = (Arc::clone(&self.engine.shared.store), &self.binding.tenant);
        let records = store.records(tenant, records).await?;
        let marks = records.iter().map(|record| LocalMark::of(record, false)).collect();
        // The record of an event that was to be new in the CRM is there: made for it before, by a store that went back since.
        let mut links: Vec<Link> =
            made.into_iter().filter(|link| records.iter().any(|record| record.id == link.record)).collect();
        if !links.is_empty() {
            let ids: Vec<RecordId> = links.iter().map(|link| link.record.clone()).collect();
            let known = store.links(tenant, &self.binding.id, &ids).await?;
            links.retain(|link| known.iter().all(|known| known.record != link.record));
        }
        let links = links.into_iter().map(LinkPut::from).collect();
        let mut batch = self.batch();
        batch.groups.push(Group { marks, links, ..Group::default() });
        self.commit(batch).await.map(drop)
    }

    /// Reads records of the CRM, whichever table they are in.
    pub(super) async fn records(&self, ids: &[RecordId]) -> Result<Vec<Record>> {
        match self.host() {
            Some(host) => host.read(&self.binding.tenant, ids).await,
            None => self.engine.shared.store.records(&self.binding.tenant, ids).await,
        }
    }

    /// Marks every changed occurrence of a series in calsync's own table.
    async fn look_for_occurrences(&mut self, series: &RecordId) -> Result<()> {
        let records = self.engine.shared.store.record_occurrences(&self.binding.tenant, series).await?;
        let marks = records.iter().map(|record| LocalMark::of(record, false)).collect();
        let mut batch = self.batch();
        batch.groups.push(Group { marks, ..Group::default() });
        self.commit(batch).await.map(drop)
    }

    /// Reads single records on either side and stores what was seen.
    async fn look(
        &mut self,
        family: &Family,
        remote: &[(RemoteId, Option<RemoteOccurrence>)],
        local: &[RecordId],
        fresh: &mut BTreeSet<RemoteId>,
    ) -> Result<()> {
        let generation = self.state.listing.generation;
        let mut group = Group::default();
        // Slots are compared with their series, so both have to be of one moment.
        let series = remote.iter().any(|(_, occurrence)| occurrence.is_some());
        let series = remote.iter().find(|(_, occurrence)| series && occurrence.is_none());
        let mut at_first = None;
        for (id, occurrence) in remote {
            self.hold().await?;
            let found = self.provider.get(&self.binding.target, id, &self.effort).await;
            fresh.insert(id.clone());
            match found.map_err(|error| self.about_calendar(error))? {
                Some(item) => {
                    if series.is_some_and(|(series, _)| series == id) {
                        at_first = Some(item.clone());
                    }
                    let key = sighting::key(&item);
                    let link = family.links.iter().find(|link| link.key == key);
                    let known = family.remote.iter().find(|known| known.key == key);
                    if recognised(link, known) {
                        let seen = BTreeMap::from([(key, item)]);
                        let sighted = self.sight_all(&seen, generation, true).await?.undecided();
                        group.remote.extend(sighted.remote);
                        group.links.extend(sighted.links);
                    } else {
                        group.remote.push(looked(&item, generation));
                    }
                }
                None => {
                    // "Not found" may mean the calendar: only a calendar that answers makes it evidence.
                    let calendar = self.provider.calendar(&self.binding.target, &self.effort).await;
                    calendar.map_err(|error| self.about_calendar(error))?;
                    let link = family.links.iter().find(|link| link.remote == *id);
                    group.remote.extend(match occurrence {
                        Some(occurrence) => Some(no_such_slot(id, occurrence, generation)),
                        None => link.map(|link| missing(link, generation)),
                    });
                }
            }
        }
        if let Some((id, _)) = series {
            let again = self.provider.get(&self.binding.target, id, &self.effort).await;
            let again = again.map_err(|error| self.about_calendar(error))?;
            // What was read of two states of a series is of none: a later round, or the next listing, sees it.
            if again != at_first {
                group = Group::default();
                fresh.clear();
            }
        }
        if !local.is_empty() {
            let records = self.records(local).await?;
            let found: BTreeMap<_, _> = records.iter().map(|record| (&record.id, record)).collect();
            for id in local {
                let root =
                    family.links.iter().find(|link| link.record == *id).map_or(id, |link| &link.record_root);
                group.marks.push(match found.get(id) {
                    Some(record) => LocalMark {
                        root: root.clone(),
                        ..LocalMark::of(record, self.engine.shared.host.is_some())
                    },
                    None => {
                        let deleted = self.engine.shared.host.is_some().then(|| Record {
                            id: id.clone(),
                            version: "".into(),
                            agent: self.binding.agent.clone(),
                            occurrence: None,
                            fields: None,
                            sync: true,
                            modified: self.now(),
                        });
                        LocalMark { id: id.clone(), root: root.clone(), version: "".into(), record: deleted }
                    }
                });
            }
        }
        let mut batch = self.batch();
        batch.groups.push(group);
        self.commit(batch).await?;
        Ok(())
    }
}
