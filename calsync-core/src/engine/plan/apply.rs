//! Carries out what is selected of a plan.
//!
//! Each family is decided about once more, from what both sides are now. If that comes to the rows that were reviewed, it is carried
//! out, in the transaction that also says so in the plan; if not, the new rows take the place of the old ones and wait for another
//! look. A crash leaves every family either done, with its rows saying so, or untouched.

use super::kept::{self, RowState};
use super::{FamilyRows, Plan, ROWS_AT_ONCE};
use crate::engine::run::Pass;
use crate::error::Result;
use crate::guard::Kinds;
use crate::id::{PlanId, RecordId, RemoteId};
use crate::plan::{self, Action, FamilyPlan, Row};
use crate::planted::{self, Fault};
use crate::store::{Batch, Which};
use std::collections::BTreeSet;

/// Most families that one transaction carries out.
const FAMILIES_AT_ONCE: usize = 100;

impl Pass<'_> {
    pub(super) async fn take_up(&mut self, id: &PlanId) -> Result<()> {
        self.settle().await?;
        self.deliver().await?;
        self.observe_both().await?;
        let plan = self.engine.open_plan(id).await?;
        self.guests_out = plan.guests_out;
        let mut last = 0;
        let mut said = Vec::new();
        plan.each(|stored, kept| {
            last = stored.number;
            if kept.state.open() {
                said.extend(kept.matched.map(|matched| (stored.root.clone(), matched)));
            }
            Ok(())
        })
        .await?;
        for (root, matched) in said {
            self.say(&root, &matched);
        }
        let hold = self.guard().await?;
        self.show_hours().await;
        let mut taking = Taking { plan, hold, last, chunk: Vec::new(), moved: 0, deselected: 0 };
        let store = std::sync::Arc::clone(&self.engine.shared.store);
        let mut family = FamilyRows::default();
        let mut after = 0;
        // What is planned again on the way is appended, and is not for this time.
        let end = taking.last;
        while after < end {
            let rows = store.plan_rows(&self.binding.tenant, id, after, ROWS_AT_ONCE).await?;
            let Some(read) = rows.last() else { break };
            after = read.number;
            for row in rows.iter().filter(|row| row.number <= end) {
                let kept = kept::read(row)?;
                if kept.state.open()
                    && kept.row.writes()
                    && let Some(whole) = family.add(row, kept)
                {
                    self.take_family(&mut taking, whole).await?;
                }
            }
        }
        self.take_family(&mut taking, family).await?;
        self.carry_out_chunk(&mut taking).await?;
        self.deliver().await?;
        self.push().await?;
        if taking.moved > 0 {
            self.report.warnings.push(format!(
                "{} rows of the plan were not carried out, because something moved since they were planned: they are in the \
                 plan as they would be now, to be selected and applied again",
                taking.moved
            ));
        }
        if taking.deselected > 0 {
            *self.report.waiting.entry(crate::plan::Waiting::Deselected).or_default() += taking.deselected;
        }
        Ok(())
    }

    async fn take_family(&mut self, taking: &mut Taking, rows: FamilyRows) -> Result<()> {
        let Some(root) = rows.root.clone() else { return Ok(()) };
        self.hold().await?;
        let selected = rows.rows.iter().all(|(_, kept)| kept.state == RowState::Selected);
        let (tenant, binding) = (&self.binding.tenant, &self.binding.id);
        let family = self.engine.shared.store.family(tenant, binding, root.0, &root.1).await?;
        let mut roots = roots_of(&root, &rows);
        // Linked, and on one side only: the rows tell of that side.
        roots.extend(plan::roots(&family));
        if !selected {
            // What a plan about guests leaves as it is in the calendar is kept in step as ever.
            if !self.guests_out && rows.rows.iter().any(|(_, kept)| kept.state == RowState::Deselected) {
                taking.deselected += rows.rows.len() as u64;
                // Decided once more as what waits: an intent that an earlier run planned goes with that, unsent.
                self.deselected.extend(roots.iter().cloned());
                let mut decided = self.decide(root.0, &root.1, family, taking.hold).await?;
                // It writes nothing, so that nothing can have moved.
                decided.group.expects.clear();
                decided.group.deselect = roots.into_iter().collect();
                let mut batch = self.batch();
                batch.groups.push(decided.group);
                self.commit(batch).await?;
            }
            return Ok(());
        }
        let was_deselected: Vec<_> =
            roots.iter().filter(|root| self.deselected.contains(*root)).cloned().collect();
        for root in &was_deselected {
            self.deselected.remove(root);
        }
        let mut decided = self.decide(root.0, &root.1, family, taking.hold).await?;
        let writing: Vec<&Row> = decided.rows.iter().filter(|row| row.writes()).collect();
        let same = same_decisions(&rows.decided(), &writing) || planted::on(Fault::MovedGroundApplied);
        if decided.frozen || !same {
            return self.plan_again(taking, &root, rows, decided).await;
        }
        decided.group.select = was_deselected;
        for (number, kept) in &rows.rows {
            let kept = kept::Kept { state: RowState::Done, ..kept.clone() };
            decided.group.plan_rows.push(kept::stored(*number, &root, &kept)?);
        }
        taking.chunk.push((decided, rows));
        if taking.chunk.len() >= FAMILIES_AT_ONCE {
            self.carry_out_chunk(taking).await?;
        }
        Ok(())
    }

    async fn carry_out_chunk(&mut self, taking: &mut Taking) -> Result<()> {
        let families = std::mem::take(&mut taking.chunk);
        if families.is_empty() {
            return Ok(());
        }
        let batch = self.plan_batch(taking);
        let (plans, reviewed): (Vec<FamilyPlan>, Vec<FamilyRows>) = families.into_iter().unzip();
        let moved = self.carry_with(batch, plans).await?;
        let again = reviewed.into_iter().enumerate().filter(|(at, _)| moved.contains(at));
        let again: Vec<FamilyRows> = again.map(|(_, rows)| rows).collect();
        for family in again {
            let Some(root) = family.root.clone() else { continue };
            let (tenant, binding) = (&self.binding.tenant, &self.binding.id);
            let now = self.engine.shared.store.family(tenant, binding, root.0, &root.1).await?;
            let decided = self.decide(root.0, &root.1, now, taking.hold).await?;
            self.plan_again(taking, &root, family, decided).await?;
        }
        Ok(())
    }

    /// Puts what a family comes to now in the place of what was reviewed.
    async fn plan_again(
        &mut self,
        taking: &mut Taking,
        root: &(Which, String),
        old: FamilyRows,
        now: FamilyPlan,
    ) -> Result<()> {
        taking.moved += old.rows.len() as u64;
        let mut batch = self.plan_batch(taking);
        for (number, kept) in &old.rows {
            let kept = kept::Kept { state: RowState::Replaced, ..kept.clone() };
            batch.plan_rows.push(kept::stored(*number, root, &kept)?);
        }
        let said = old.rows.iter().find_map(|(_, kept)| kept.matched.clone());
        for row in now.rows {
            taking.last += 1;
            let state = if row.writes() { RowState::Moved } else { RowState::Idle };
            batch.plan_rows.push(kept::store(taking.last, root, state, said.clone(), row)?);
        }
        self.commit(batch).await.map(drop)
    }

    fn plan_batch(&self, taking: &Taking) -> Batch {
        let mut batch = self.batch();
        batch.plan_of = Some(taking.plan.id.clone());
        batch
    }
}

/// What is carried along while a plan is applied.
struct Taking {
    plan: Plan,
    hold: Kinds,
    /// The last number that a row of the plan has.
    last: u64,
    /// What is to be done about each family in the next transaction, and its rows as they were reviewed.
    chunk: Vec<(FamilyPlan, FamilyRows)>,
    moved: u64,
    deselected: u64,
}

/// The roots by which a family is known again: of both sides, where it is joined.
fn roots_of(root: &(Which, String), rows: &FamilyRows) -> BTreeSet<(Which, String)> {
    let mut roots = BTreeSet::from([root.clone()]);
    for (_, kept) in &rows.rows {
        if kept.row.slot.is_none() {
            let local = kept.row.record.as_ref().filter(|_| kept.row.action != Action::CreateLocal);
            roots.extend(local.map(|record| (Which::Local, RecordId::to_string(record))));
            let remote = kept.row.key.as_ref().filter(|_| kept.row.action != Action::CreateRemote);
            roots.extend(remote.map(|key| (Which::Remote, RemoteId::new(key.as_str()).to_string())));
        }
    }
    roots
}

fn same_decisions(then: &[&Row], now: &[&Row]) -> bool {
    fn essence(row: &Row) -> impl PartialEq + '_ {
        (row.action, &row.record, &row.key, &row.units, &row.versions)
    }
    then.len() == now.len() && then.iter().zip(now).all(|(then, now)| essence(then) == essence(now))
}
