//! What a reviewer does with a plan before it is applied.

use super::kept::{self, Kept, Match, PlanRow, RowState};
use super::{Plan, ROWS_AT_ONCE, ROWS_SHOWN};
use crate::error::{Error, ErrorKind, Result};
use crate::guard::Kinds;
use crate::id::{RecordId, RemoteId};
use crate::plan::adopt::By;
use crate::store::{Batch, StoredRow, Which};
use std::collections::{BTreeMap, BTreeSet};

/// Most rows that one transaction changes.
const ROWS_CHANGED_AT_ONCE: usize = 500;

/// Reads the rows of a plan page by page.
#[derive(Debug)]
pub struct PlanRows {
    plan: Plan,
    after: u64,
}

impl PlanRows {
    /// The next rows; an empty answer is the end. Rows whose place others took are left out.
    ///
    /// # Errors
    /// When the store cannot be read, or holds rows that this version cannot read.
    pub async fn next(&mut self) -> Result<Vec<PlanRow>> {
        loop {
            let rows = self.plan.stored_rows(self.after).await?;
            let Some(last) = rows.last() else { return Ok(Vec::new()) };
            self.after = last.number;
            let rows: Vec<PlanRow> = rows.iter().map(kept::shown).collect::<Result<_>>()?;
            let rows: Vec<_> = rows.into_iter().filter(|row| row.state != RowState::Replaced).collect();
            if !rows.is_empty() {
                return Ok(rows);
            }
        }
    }

    /// All rows that are left, at once: for plans that fit into memory.
    ///
    /// # Errors
    /// As [`PlanRows::next`].
    pub async fn all(mut self) -> Result<Vec<PlanRow>> {
        let mut all = Vec::new();
        loop {
            let rows = self.next().await?;
            if rows.is_empty() {
                return Ok(all);
            }
            all.extend(rows);
        }
    }
}

impl Plan {
    /// The rows in order, from the store, a page at a time.
    pub fn rows(&self) -> PlanRows {
        PlanRows { plan: self.clone(), after: 0 }
    }

    /// Selects rows to be carried out, and the other rows of their series with them; answers with the numbers of all rows that
    /// changed.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] for a number that the plan does not have, [`ErrorKind::Invalid`] for a row that has nothing to be
    /// carried out, was carried out already, or was replaced; nothing is changed then.
    pub async fn select(&mut self, numbers: &[u64]) -> Result<Vec<u64>> {
        self.put_state(numbers, RowState::Selected).await
    }

    /// Deselects rows, and the other rows of their series with them: once the plan is applied they wait until somebody selects
    /// them, in every later run too.
    ///
    /// # Errors
    /// As [`Plan::select`].
    pub async fn deselect(&mut self, numbers: &[u64]) -> Result<Vec<u64>> {
        self.put_state(numbers, RowState::Deselected).await
    }

    /// Selects the rows that `wanted` wants and deselects all others that could be carried out, series by series: a series is
    /// selected if any of its rows is wanted.
    ///
    /// # Errors
    /// When the store cannot be read or written.
    pub async fn select_where(&mut self, wanted: impl Fn(&PlanRow) -> bool) -> Result<()> {
        let mut select = BTreeSet::new();
        self.each(|stored, kept| {
            let row = kept::shown(stored)?;
            if selectable(kept.state) && wanted(&row) {
                select.insert(stored.root.clone());
            }
            Ok(())
        })
        .await?;
        self.change(|stored, kept| {
            let state = match select.contains(&stored.root) {
                true => RowState::Selected,
                false => RowState::Deselected,
            };
            (selectable(kept.state) && kept.state != state).then_some(state)
        })
        .await?;
        self.look_again().await
    }

    /// Says what a row's record is the same as on the other side, or that it is the same as nothing there. The rows of all records
    /// concerned are planned again, under new numbers, and are selected; the answer names them.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] for a row or a record that is not there, [`ErrorKind::Invalid`] for a row that is not about a
    /// record without a counterpart, or for a counterpart that is linked already; [`ErrorKind::LeaseLost`] while a run is going on.
    pub async fn rematch(&mut self, number: u64, matched: Match) -> Result<Vec<u64>> {
        let (root, kept) = self.row(number).await?;
        if !kept.state.open() || !kept.matchable() {
            return Err(Error::new(
                ErrorKind::Invalid,
                "this row is not about a record that could have another counterpart",
            )
            .with("plan", &self.id)
            .with("row", number)
            .with("state", kept.state));
        }
        let engine = self.engine.clone();
        let mut pass = engine.begin(&self.binding).await?;
        let outcome = pass.match_anew(self, &root, &kept, &matched).await;
        pass.release_after(outcome, self).await
    }

    /// Forgets the plan and its rows. What was carried out of it stays; what was deselected and applied stays deselected.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn discard(self) -> Result<()> {
        let mut batch = Batch::new(self.engine.tenant.clone());
        batch.binding = Some(self.binding.clone());
        batch.drop_plan = Some(self.id.clone());
        self.engine.shared.store.commit(batch).await.map(drop)
    }

    /// Counts the rows, and keeps the first to be shown.
    pub(super) async fn look_again(&mut self) -> Result<()> {
        let (mut counts, mut states, mut shown) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
        self.each(|stored, kept| {
            if kept.state != RowState::Replaced {
                *counts.entry(kept.row.action).or_default() += 1;
                *states.entry(kept.state).or_default() += 1;
                if shown.len() < ROWS_SHOWN {
                    shown.push(kept::shown(stored)?);
                }
            }
            Ok(())
        })
        .await?;
        (self.counts, self.states, self.shown) = (counts, states, shown);
        Ok(())
    }

    async fn put_state(&mut self, numbers: &[u64], state: RowState) -> Result<Vec<u64>> {
        let mut roots = BTreeSet::new();
        for number in numbers {
            let (root, kept) = self.row(*number).await?;
            if !selectable(kept.state) {
                return Err(unselectable(self, *number, &kept));
            }
            roots.insert(root);
        }
        let changed = self
            .change(|stored, kept| {
                (roots.contains(&stored.root) && selectable(kept.state) && kept.state != state)
                    .then_some(state)
            })
            .await?;
        self.look_again().await?;
        Ok(changed)
    }

    /// A row by its number.
    pub(super) async fn row(&self, number: u64) -> Result<((Which, String), Kept)> {
        let before = number.checked_sub(1);
        let found = match before {
            Some(before) => {
                let store = &self.engine.shared.store;
                store.plan_rows(&self.engine.tenant, &self.id, before, 1).await?.into_iter().next()
            }
            None => None,
        };
        let row = found.filter(|row| row.number == number).ok_or_else(|| {
            Error::new(ErrorKind::NotFound, "the plan has no such row")
                .with("plan", &self.id)
                .with("row", number)
        })?;
        let kept = kept::read(&row)?;
        Ok((row.root, kept))
    }

    pub(super) async fn stored_rows(&self, after: u64) -> Result<Vec<StoredRow>> {
        self.engine.shared.store.plan_rows(&self.engine.tenant, &self.id, after, ROWS_AT_ONCE).await
    }

    /// Shows every row, replaced ones too.
    pub(super) async fn each(&self, mut show: impl FnMut(&StoredRow, Kept) -> Result<()>) -> Result<()> {
        let mut after = 0;
        loop {
            let rows = self.stored_rows(after).await?;
            let Some(last) = rows.last() else { return Ok(()) };
            after = last.number;
            for row in &rows {
                show(row, kept::read(row)?)?;
            }
        }
    }

    /// Gives rows another state; answers with their numbers.
    pub(super) async fn change(
        &self,
        state_of: impl Fn(&StoredRow, &Kept) -> Option<RowState>,
    ) -> Result<Vec<u64>> {
        let mut changed = Vec::new();
        let mut rows = Vec::new();
        self.each(|stored, mut kept| {
            if let Some(state) = state_of(stored, &kept) {
                kept.state = state;
                changed.push(stored.number);
                rows.push(kept::stored(stored.number, &stored.root, &kept)?);
            }
            Ok(())
        })
        .await?;
        while !rows.is_empty() {
            let later = rows.split_off(rows.len().min(ROWS_CHANGED_AT_ONCE));
            let mut batch = Batch::new(self.engine.tenant.clone());
            batch.binding = Some(self.binding.clone());
            batch.plan_of = Some(self.id.clone());
            batch.plan_rows = std::mem::replace(&mut rows, later);
            self.engine.shared.store.commit(batch).await?;
        }
        Ok(changed)
    }
}

impl super::super::run::Pass<'_> {
    /// Gives the lease back after a review, and lets the plan be seen as it is now.
    pub(super) async fn release_after<T>(self, outcome: Result<T>, plan: &mut Plan) -> Result<T> {
        let released = self.engine.shared.store.release(&self.binding.tenant, &self.lease).await;
        let done = outcome?;
        released?;
        plan.look_again().await?;
        Ok(done)
    }

    /// The event and the record that a match is about; nothing where it says that there is no counterpart.
    ///
    /// # Errors
    /// For a match that cannot be: of the wrong kind, with what is not there, or with what is linked.
    pub(super) async fn matched(
        &self,
        plan: &Plan,
        root: &(Which, String),
        matched: &Match,
    ) -> Result<Option<(RemoteId, RecordId)>> {
        let invalid = |what: &'static str| Error::new(ErrorKind::Invalid, what).with("plan", &plan.id);
        let (remote, record) = match (&root.0, matched) {
            (_, Match::Nothing) => return Ok(None),
            (Which::Remote, Match::Record(record)) => (RemoteId::from(root.1.as_str()), record.clone()),
            (Which::Local, Match::Event(remote)) => (remote.clone(), RecordId::from(root.1.as_str())),
            (Which::Remote, Match::Event(_)) => {
                return Err(invalid(
                    "a record of the calendar is the same as one of the CRM, not as another event",
                ));
            }
            (Which::Local, Match::Record(_)) => {
                return Err(invalid("a record of the CRM is the same as an event, not as another record"));
            }
        };
        let store = &self.engine.shared.store;
        let (tenant, id) = (&self.binding.tenant, &self.binding.id);
        let there = store.family(tenant, id, Which::Remote, remote.as_str()).await?;
        let here = store.family(tenant, id, Which::Local, record.as_str()).await?;
        let known = there.remote.iter().any(|item| item.id == remote)
            && here.local.iter().any(|mark| mark.id == record);
        if !known {
            return Err(Error::new(
                ErrorKind::NotFound,
                "there is nothing pending on the other side under this id",
            )
            .with("plan", &plan.id)
            .with("event", &remote)
            .with("record", &record)
            .cure("Choose one of the row's candidates, or an appointment that is on one side only."));
        }
        if !there.links.is_empty() || !here.links.is_empty() {
            return Err(invalid("one of the two is linked to something else already")
                .with("event", &remote)
                .with("record", &record)
                .cure("Only what is on one side alone can be matched."));
        }
        Ok(Some((remote, record)))
    }

    /// Plans the families that a new match concerns, and puts the new rows into the plan in place of theirs.
    pub(super) async fn match_anew(
        &mut self,
        plan: &Plan,
        root: &(Which, String),
        kept: &Kept,
        matched: &Match,
    ) -> Result<Vec<u64>> {
        let counterparts = self.matched(plan, root, matched).await?;
        self.heeds_halt = false;
        self.pair_up().await?;
        let reviewed = std::mem::take(&mut self.deselected);
        let hold = self.guard().await?;
        self.show_hours().await;
        // What was said before about other rows still holds.
        let mut last = 0;
        let mut said = Vec::new();
        plan.each(|stored, kept| {
            last = stored.number;
            if kept.state.open() && stored.root != *root {
                said.extend(kept.matched.map(|matched| (stored.root.clone(), matched)));
            }
            Ok(())
        })
        .await?;
        for (root, matched) in said {
            self.say(&root, &matched);
        }
        // Everything that the old and the new match concern.
        let mut concerned: BTreeSet<(Which, String)> = BTreeSet::from([root.clone()]);
        let mut add = |which: Which, id: &str| {
            concerned.insert((which, id.to_owned()));
            match which {
                Which::Remote => {
                    let other = self.pairing.record_of(&RemoteId::from(id));
                    concerned.extend(other.map(|(record, _)| (Which::Local, record.to_string())));
                }
                Which::Local => {
                    let other = self.pairing.remote_of(&RecordId::from(id));
                    concerned.extend(other.map(|remote| (Which::Remote, remote.to_string())));
                }
            }
        };
        add(root.0, &root.1);
        if let Some(record) =
            kept.row.record.as_ref().filter(|_| kept.row.action == crate::plan::Action::Join)
        {
            add(Which::Local, record.as_str());
        }
        if let Some((remote, record)) = counterparts {
            add(Which::Remote, remote.as_str());
            add(Which::Local, record.as_str());
            self.pairing.set(remote, Some(record), By::Person);
        } else {
            for (which, id) in &concerned {
                self.pairing.part(*which, id);
            }
        }
        self.replace_rows(plan, &concerned, root, matched, &reviewed, hold, last).await
    }

    /// Takes what a reviewer said about a record into the pairing.
    pub(super) fn say(&mut self, root: &(Which, String), matched: &Match) {
        match (root.0, matched) {
            (Which::Remote, Match::Record(record)) => {
                self.pairing.set(root.1.as_str().into(), Some(record.clone()), By::Person);
            }
            (Which::Local, Match::Event(remote)) => {
                self.pairing.set(remote.clone(), Some(root.1.as_str().into()), By::Person);
            }
            (which, _) => self.pairing.part(which, &root.1),
        }
    }

    #[allow(clippy::too_many_arguments)]
    async fn replace_rows(
        &mut self,
        plan: &Plan,
        concerned: &BTreeSet<(Which, String)>,
        said_of: &(Which, String),
        matched: &Match,
        reviewed: &BTreeSet<(Which, String)>,
        hold: Kinds,
        mut last: u64,
    ) -> Result<Vec<u64>> {
        let mut batch = self.batch();
        batch.plan_of = Some(plan.id.clone());
        plan.each(|stored, mut kept| {
            if concerned.contains(&stored.root) && kept.state.open() {
                kept.state = RowState::Replaced;
                batch.plan_rows.push(kept::stored(stored.number, &stored.root, &kept)?);
            }
            Ok(())
        })
        .await?;
        let mut numbers = Vec::new();
        for (which, id) in concerned {
            if self.planned_with_counterpart(*which, id) {
                continue;
            }
            let (tenant, binding) = (&self.binding.tenant, &self.binding.id);
            let family = self.engine.shared.store.family(tenant, binding, *which, id).await?;
            let deselected = crate::plan::is_deselected(&family, reviewed);
            let root = (*which, id.clone());
            // What was said is kept with the calendar's record, if there is one: under it the two are planned.
            let said = match (said_of == &root, matched) {
                (true, said) => Some(said.clone()),
                (false, Match::Event(remote)) if *which == Which::Remote && remote.as_str() == id => {
                    Some(Match::Record(said_of.1.as_str().into()))
                }
                (false, Match::Nothing) => Some(Match::Nothing),
                _ => None,
            };
            for row in self.decide(*which, id, family, hold).await?.rows {
                last += 1;
                numbers.push(last);
                let state = RowState::of(&row, !deselected);
                batch.plan_rows.push(kept::store(last, &root, state, said.clone(), row)?);
            }
        }
        self.commit(batch).await?;
        Ok(numbers)
    }
}

fn selectable(state: RowState) -> bool {
    matches!(state, RowState::Selected | RowState::Deselected | RowState::Moved)
}

fn unselectable(plan: &Plan, number: u64, kept: &Kept) -> Error {
    let why = match kept.state {
        RowState::Done => "this row was carried out already",
        RowState::Replaced => "other rows took the place of this row",
        _ => "there is nothing to carry out in this row: it waits for something else, or is left alone",
    };
    Error::new(ErrorKind::Invalid, why)
        .with("plan", &plan.id)
        .with("row", number)
        .with("its reason", &kept.row.reason)
        .cure("Nothing was selected or deselected. Look at the rows of the plan as they are now.")
}
