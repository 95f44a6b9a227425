//! Decides about everything that is pending and commits it, chunk by chunk.
//!
//! First a count: how many deletions would there be on each side? More than the binding allows are held back, all of them,
//! while the rest goes on. Then the decisions, each family a group of its own: what moved since it was read is left out of the
//! commit and is decided anew in the next pass.

use super::run::Pass;
use crate::error::Result;
use crate::id::{RecordId, RemoteId, Revision};
use crate::model::RemoteOccurrence;
use crate::plan::settle::{looked, missing, no_such_slot, recognised};
use crate::plan::sighting;
use crate::plan::{Action, FamilyPlan, Row, Rules, Waiting, plan_family};
use crate::provider::Item;
use crate::store::{Family, Group, LocalMark, Which};
use std::collections::{BTreeMap, BTreeSet};

/// Most rounds of reading for one family: its series, then what its occurrences need.
const LOOKS_MAX: u32 = 5;

impl Pass<'_> {
    /// One pass over everything pending; whether anything was stored.
    pub(super) async fn act(&mut self) -> Result<bool> {
        self.pair_up().await?;
        let hold = self.guard().await?;
        let mut changed = false;
        for which in [Which::Remote, Which::Local] {
            let mut after: Option<String> = None;
            loop {
                self.hold().await?;
                let families = self.families(which, after.as_deref()).await?;
                let Some(last) = families.last() else { break };
                after = last.root(which).map(str::to_owned);
                let mut batch = self.batch();
                let mut rows: Vec<Vec<Row>> = Vec::new();
                let mut written: Vec<Vec<RecordId>> = Vec::new();
                for family in families {
                    let root = family.root(which).unwrap_or_default().to_owned();
                    if self.planned_with_counterpart(which, &root) {
                        continue;
                    }
                    let plan = self.decide(which, &root, family, hold).await?;
                    if !plan.frozen && plan.writes() {
                        written.push(plan.group.records.iter().map(|write| write.id.clone()).collect());
                        batch.groups.push(plan.group);
                        rows.push(plan.rows);
                    }
                }
                if !batch.groups.is_empty() {
                    let committed = self.commit(batch).await?;
                    let moved = committed.moved.clone();
                    let applied = (0..rows.len()).filter(|at| !moved.contains(at));
                    for at in applied {
                        changed = true;
                        let new: Vec<Row> =
                            rows[at].iter().filter(|row| row.writes() && !row.again).cloned().collect();
                        self.report.add(&new);
                    }
                    for at in committed.moved {
                        changed = true;
                        self.look_again(&written[at]).await?;
                    }
                }
            }
        }
        Ok(changed)
    }

    /// Counts what waits or was left alone, once, at the end of a run.
    pub(super) async fn count_what_waits(&mut self) -> Result<()> {
        let hold = self.guard().await?;
        for which in [Which::Remote, Which::Local] {
            let mut after: Option<String> = None;
            loop {
                let families = self.families(which, after.as_deref()).await?;
                let Some(last) = families.last() else { break };
                after = last.root(which).map(str::to_owned);
                for family in &families {
                    let plan = self.plan(family, hold);
                    let waiting: Vec<Row> = (plan.rows.into_iter())
                        .filter(|row| row.action == Action::Wait && row.waiting != Some(Waiting::AfterSeries))
                        .collect();
                    self.report.add(&waiting);
                }
            }
        }
        if self.report.waiting.contains_key(&Waiting::Guarded) {
            let max = self.binding.deletions_max;
            self.report.warnings.push(format!(
                "deletions are held back: more than {} and more than {} % of what is linked; raise the binding's \
                 deletions_max once you know why there are so many",
                max.count, max.percent
            ));
        }
        Ok(())
    }

    /// Whether deletions in the CRM, and in the calendar, are to be held back.
    pub(super) async fn guard(&self) -> Result<(bool, bool)> {
        let (mut local, mut remote) = (0u64, 0u64);
        for which in [Which::Remote, Which::Local] {
            let mut after: Option<String> = None;
            loop {
                let families = self.families(which, after.as_deref()).await?;
                let Some(last) = families.last() else { break };
                after = last.root(which).map(str::to_owned);
                for row in families.iter().flat_map(|family| self.plan(family, (false, false)).rows) {
                    if row.deletes() {
                        match row.action {
                            Action::DeleteLocal => local += 1,
                            _ => remote += 1,
                        }
                    }
                }
            }
        }
        if local == 0 && remote == 0 {
            return Ok((false, false));
        }
        let linked = self.engine.shared.store.linked(&self.binding.tenant, &self.binding.id).await?;
        let max = self.binding.deletions_max.of(linked);
        Ok((local > max, remote > max))
    }

    pub(super) async fn families(&self, which: Which, after: Option<&str>) -> Result<Vec<Family>> {
        let count = self.engine.shared.settings.page_records_max;
        let (tenant, id) = (&self.binding.tenant, &self.binding.id);
        self.engine.shared.store.families(tenant, id, which, after, count).await
    }

    pub(super) fn plan(&self, family: &Family, hold: (bool, bool)) -> FamilyPlan {
        self.plan_with(family, hold, &BTreeSet::new(), true)
    }

    fn plan_with(
        &self,
        family: &Family,
        hold: (bool, bool),
        fresh: &BTreeSet<RemoteId>,
        occurrences_read: bool,
    ) -> FamilyPlan {
        let rules = Rules {
            binding: &self.binding,
            installation: &self.installation,
            provider: &*self.provider,
            own_table: self.engine.shared.host.is_none(),
            own_calendars: &self.own_calendars,
            organises: self.organises,
            fresh,
            occurrences_read,
            pairing: &self.pairing,
            held: &self.held,
            hold_deletions: hold,
            run: &self.run,
            now: self.now(),
        };
        plan_family(family, &rules)
    }

    /// Plans a family, reading what the plan needs to see first.
    pub(super) async fn decide(
        &mut self,
        which: Which,
        root: &str,
        mut family: Family,
        hold: (bool, bool),
    ) -> Result<FamilyPlan> {
        let mut fresh = BTreeSet::new();
        let mut occurrences_read = false;
        family = self.with_counterpart(which, root, family).await?;
        for _ in 0..LOOKS_MAX {
            let plan = self.plan_with(&family, hold, &fresh, occurrences_read);
            if plan.frozen || !plan.looks() {
                return Ok(plan);
            }
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
    pub(super) async fn look_again(&mut self, records: &[RecordId]) -> Result<()> {
        let records = self.engine.shared.store.records(&self.binding.tenant, records).await?;
        let marks = records.iter().map(|record| LocalMark::of(record, false)).collect();
        let mut batch = self.batch();
        batch.groups.push(Group { marks, ..Group::default() });
        self.commit(batch).await.map(drop)
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
        let mut revision = None;
        for (id, occurrence) in remote {
            self.hold().await?;
            let found = self.provider.get(&self.binding.target, id, &self.effort).await;
            fresh.insert(id.clone());
            match found.map_err(|error| self.about_calendar(error))? {
                Some(item) => {
                    if occurrence.is_none() {
                        revision = Some(revision_of(&item));
                    }
                    let key = sighting::key(&item);
                    let link = family.links.iter().find(|link| link.key == key);
                    let known = family.remote.iter().find(|known| known.key == key);
                    if recognised(link, known) {
                        let seen = BTreeMap::from([(key, item)]);
                        let sighted = self.sight_all(seen, generation, true).await?;
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
            if again.as_ref().map(revision_of) != revision {
                fresh.clear();
            }
        }
        if !local.is_empty() {
            let records = match &self.engine.shared.host {
                Some(host) => host.read(&self.binding.tenant, local).await?,
                None => self.engine.shared.store.records(&self.binding.tenant, local).await?,
            };
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
                        let deleted = self.engine.shared.host.is_some().then(|| crate::model::Record {
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

fn revision_of(item: &Item) -> Revision {
    match item {
        Item::Record(record) => record.revision.clone(),
        Item::Unreadable { revision, .. } => revision.clone(),
    }
}
