//! Decides about everything that is pending and commits it, chunk by chunk.
//!
//! Each family is a group of its own: what moved since it was read is left out of the commit and is decided anew in the next
//! pass. Families that do nothing of a kind that has a limit are committed as they are found. The others are counted first,
//! and only where they are found again is kept, as many as are allowed and one: when all are seen, they are carried out in a
//! second loop, or they wait, all of a kind. So everything pending is read once, however much it is; where one page's decisions
//! reach into pages that were read ahead, those are read again (`pages.rs`).

use super::pages::{Strays, marks_of};
use super::run::Pass;
use crate::error::Result;
use crate::guard::{Kinds, Over, Room, Tally, Waitlist};
use crate::host::{RecordChange, RecordWrite};
use crate::id::RecordId;
use crate::plan::{Action, FamilyPlan, Row, Waiting};
use crate::planted::{self, Fault};
use crate::report::Taken;
use crate::store::{Batch, Committed, Family, Group, Link, Store, Which};
use futures_util::future::join3;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a run knows of its own doings.
#[derive(Debug, Default)]
pub(super) struct Guard {
    /// How many records were linked when it was first asked.
    linked: Option<u64>,
    /// What this run did in all its passes, but for what was confirmed.
    done: Tally,
    /// What the last pass held back.
    hold: Kinds,
    /// What the last pass does because it was confirmed.
    confirmed: Kinds,
    /// What the last pass left waiting.
    waits: Waits,
}

/// Rows that wait, bounded like a report.
#[derive(Debug, Default)]
struct Waits {
    rows: Vec<Row>,
    taken: Taken,
    beyond: BTreeMap<Waiting, u64>,
}

impl Waits {
    fn add(&mut self, rows: Vec<Row>) {
        for row in rows {
            match row.waiting.filter(|waiting| row.action == Action::Wait && *waiting != Waiting::AfterSeries)
            {
                Some(_) if self.taken.take(&row) => self.rows.push(row),
                Some(waiting) => *self.beyond.entry(waiting).or_default() += 1,
                None => {}
            }
        }
    }
}

/// What was decided about a page.
#[derive(Default)]
struct Decided {
    plans: Vec<FamilyPlan>,
    strays: Strays,
}

/// Plans on their way into the store.
pub(super) struct Parcel {
    pub batch: Batch,
    pub plans: Vec<Packed>,
}

/// What is kept of a plan until it is stored.
pub(super) struct Packed {
    tally: Tally,
    rows: Vec<Row>,
    written: Vec<RecordId>,
    /// The links of what is to be made in the CRM.
    made: Vec<Link>,
}

/// What was sent, and what the store made of it.
pub(super) type Stored = (Vec<Packed>, Committed);

/// The links of what a group makes in the CRM, as they are before both sides have agreed on anything.
fn made(group: &Group) -> Vec<Link> {
    let made = |id: &RecordId| {
        let makes =
            |write: &RecordWrite| matches!(write.change, RecordChange::Create { occurrence: None, .. });
        group.records.iter().any(|write| write.id == *id && makes(write))
    };
    let links = group.links.iter().map(|put| &put.link).filter(|link| made(&link.record));
    links.map(|link| Link { base: None, version: None, revision: None, ..link.clone() }).collect()
}

impl Parcel {
    pub(super) async fn send(self, store: &dyn Store) -> Result<Stored> {
        if self.batch.groups.is_empty() {
            return Ok((self.plans, Committed::default()));
        }
        Ok((self.plans, store.commit(self.batch).await?))
    }
}

impl Pass<'_> {
    /// One pass over everything pending; whether anything was stored.
    pub(super) async fn act(&mut self) -> Result<bool> {
        self.pair_up().await?;
        let mut changed = false;
        let mut waitlist: Option<Waitlist> = None;
        (self.guard.waits, self.guard.confirmed) = (Waits::default(), Kinds::default());
        for which in [Which::Remote, Which::Local] {
            let mut pages = self.pages(which);
            let mut page = pages.next().await?;
            let mut decided = Decided::default();
            let mut stored = Stored::default();
            // What the two pages before this one wrote elsewhere: it was read before that was stored.
            let mut strays = [Strays::default(), Strays::default()];
            loop {
                if strays.iter().any(|strays| strays.touch(&page)) {
                    self.unpack(std::mem::take(&mut stored)).await?;
                    self.carry(std::mem::take(&mut decided.plans)).await?;
                    page = pages.again().await?;
                }
                if page.is_empty() && decided.plans.is_empty() {
                    self.unpack(std::mem::take(&mut stored)).await?;
                    break;
                }
                self.hold().await?;
                // While this page is decided about, the plans of the one before it are stored and the one after it is read.
                let parcel = self.pack(self.batch(), std::mem::take(&mut decided.plans)).await?;
                let store = Arc::clone(&self.engine.shared.store);
                let meanwhile = async {
                    self.unpack(std::mem::take(&mut stored)).await?;
                    self.decide_page(which, page, &mut waitlist).await
                };
                let (sent, next, now) = join3(parcel.send(&*store), pages.next(), meanwhile).await;
                stored = sent?;
                (page, decided) = (next?, now?);
                changed |= !decided.plans.is_empty();
                strays.swap(0, 1);
                strays[1] = std::mem::take(&mut decided.strays);
            }
        }
        let list = waitlist.unwrap_or_default();
        self.judge(&list);
        changed |= self.carry_out_waitlist(list).await?;
        Ok(changed)
    }

    /// Decides about a page; what has to be counted first goes to the waitlist.
    async fn decide_page(
        &mut self,
        which: Which,
        page: Vec<Family>,
        waitlist: &mut Option<Waitlist>,
    ) -> Result<Decided> {
        let limited = Kinds::limited(&self.binding.limits);
        let mut decided = Decided::default();
        self.looked = false;
        for family in page {
            let root = family.root(which).unwrap_or_default().to_owned();
            if self.planned_with_counterpart(which, &root) {
                continue;
            }
            let marks = marks_of(&family);
            let mut plan = self.decide(which, &root, family, Kinds::default()).await?;
            if plan.tally.meets(limited) && !planted::on(Fault::NothingCounted) {
                let list = match waitlist {
                    Some(list) => list,
                    None => waitlist.insert(self.waitlist().await?),
                };
                let held = list.count(&plan.tally, &plan.rows);
                if !plan.tally.meets(held) {
                    list.roots.push((which, root));
                    continue;
                }
                plan = plan.held(held);
            }
            decided.strays.add(&marks, &plan);
            self.sort(plan, &mut decided.plans);
        }
        decided.strays.all = self.looked;
        Ok(decided)
    }

    /// What was counted, and may be done or has to wait.
    async fn carry_out_waitlist(&mut self, mut list: Waitlist) -> Result<bool> {
        let (mut changed, mut spent) = (false, Tally::default());
        let count = self.engine.shared.settings.page_records_max;
        let roots = std::mem::take(&mut list.roots);
        for chunk in roots.chunks(count) {
            self.hold().await?;
            let mut plans = Vec::new();
            for (which, root) in chunk {
                let (tenant, id) = (&self.binding.tenant, &self.binding.id);
                let family = self.engine.shared.store.family(tenant, id, *which, root).await?;
                let plan = self.decide(*which, root, family, self.guard.hold).await?;
                if !list.fits(&spent, &plan.tally) {
                    // It comes to more than when it was counted: counted again in the next pass.
                    changed = true;
                    continue;
                }
                spent.add_all(&plan.tally);
                self.sort(plan, &mut plans);
            }
            changed |= !plans.is_empty();
            self.carry(plans).await?;
        }
        Ok(changed)
    }

    /// A plan that stores something is carried out; of the others is kept what waits.
    fn sort(&mut self, plan: FamilyPlan, plans: &mut Vec<FamilyPlan>) {
        if !plan.frozen && plan.writes() {
            plans.push(plan);
        } else {
            self.guard.waits.add(plan.rows);
        }
    }

    /// Commits plans, counts what they do in the same transaction, and reports it. Answers with the plans, by index, that were
    /// left out because something had moved.
    pub(super) async fn carry(&mut self, plans: Vec<FamilyPlan>) -> Result<Vec<usize>> {
        self.carry_with(self.batch(), plans).await
    }

    /// The same, with what else belongs into the transaction.
    pub(super) async fn carry_with(&mut self, batch: Batch, plans: Vec<FamilyPlan>) -> Result<Vec<usize>> {
        let parcel = self.pack(batch, plans).await?;
        let store = Arc::clone(&self.engine.shared.store);
        let stored = parcel.send(&*store).await?;
        self.unpack(stored).await
    }

    /// Counts what the plans do, in the same transaction that does it.
    pub(super) async fn pack(&mut self, mut batch: Batch, plans: Vec<FamilyPlan>) -> Result<Parcel> {
        if plans.is_empty() {
            return Ok(Parcel { batch, plans: Vec::new() });
        }
        self.heed_halt().await?;
        let now = self.now();
        let mut kept = Vec::new();
        let mut total = Tally::default();
        for plan in plans {
            total.add_all(&plan.tally);
            let written = plan.group.records.iter().map(|write| write.id.clone()).collect();
            let made = made(&plan.group);
            kept.push(Packed { tally: plan.tally, rows: plan.rows, written, made });
            batch.groups.push(plan.group);
        }
        if !total.is_empty() {
            for place in self.guard.confirmed.iter() {
                self.state.guard.spend(place, total.get(place));
                total.take(place, u64::MAX);
            }
            self.state.guard.count(&total, now);
            self.guard.done.add_all(&total);
            batch.state = Some(self.state.clone());
        }
        self.touch(&mut batch);
        Ok(Parcel { batch, plans: kept })
    }

    /// Reports what was stored, and takes back what was counted of plans that were left out.
    pub(super) async fn unpack(&mut self, (plans, committed): Stored) -> Result<Vec<usize>> {
        for (at, Packed { tally, rows, written, made }) in plans.into_iter().enumerate() {
            if !committed.moved.contains(&at) {
                let new: Vec<Row> = rows.into_iter().filter(|row| row.writes() && !row.again).collect();
                self.report.add(&new);
                continue;
            }
            // Stored with too much until the next transaction: a crash in between errs on the safe side.
            for place in tally.places() {
                if self.guard.confirmed.has(place) {
                    self.state.guard.unspend(place, tally.get(place));
                } else {
                    self.state.guard.uncount(place, tally.get(place));
                    self.guard.done.take(place, tally.get(place));
                }
            }
            self.look_again(&written, made).await?;
        }
        Ok(committed.moved)
    }

    /// Reports what the last pass left waiting: nothing has changed since.
    pub(super) fn add_what_waited(&mut self) {
        let waits = std::mem::take(&mut self.guard.waits);
        self.report.add(&waits.rows);
        for (waiting, count) in waits.beyond {
            *self.report.counts.entry(Action::Wait).or_default() += count;
            *self.report.waiting.entry(waiting).or_default() += count;
            self.report.rows_left_out += count;
        }
    }

    /// Counts what waits by reading it once more, where the last pass changed something.
    pub(super) async fn count_what_waits(&mut self) -> Result<()> {
        self.guard.waits = Waits::default();
        for which in [Which::Remote, Which::Local] {
            let mut pages = self.pages(which);
            loop {
                let page = pages.next().await?;
                if page.is_empty() {
                    break;
                }
                for family in &page {
                    let plan = self.plan(family).held(self.guard.hold);
                    self.guard.waits.add(plan.rows);
                }
            }
        }
        self.add_what_waited();
        Ok(())
    }

    /// The kinds of writes that have to wait, as far as it can be told without reading anything on either side. For plans,
    /// which say so before anything is done.
    pub(super) async fn guard(&mut self) -> Result<Kinds> {
        let limited = Kinds::limited(&self.binding.limits);
        let mut list = self.waitlist().await?;
        for which in [Which::Remote, Which::Local] {
            let mut pages = self.pages(which);
            loop {
                let page = pages.next().await?;
                if page.is_empty() {
                    break;
                }
                // What is joined is made on neither side.
                let alone = |family: &&Family| {
                    let root = family.root(which).unwrap_or_default();
                    which == Which::Remote && self.pairing.record_of(&root.into()).is_none()
                        || which == Which::Local && !self.planned_with_counterpart(which, root)
                };
                for plan in page.iter().filter(alone).map(|family| self.plan(family)) {
                    if plan.tally.meets(limited) {
                        list.count(&plan.tally, &plan.rows);
                    }
                }
            }
        }
        self.judge(&list);
        Ok(self.guard.hold)
    }

    fn judge(&mut self, list: &Waitlist) {
        self.guard.hold = list.held();
        self.guard.confirmed = list.under_confirmation();
        self.report.held.retain(|held| held.over == Over::Listing);
        self.report.held.extend(list.report());
    }

    async fn waitlist(&mut self) -> Result<Waitlist> {
        let linked = match self.guard.linked {
            Some(linked) => linked,
            None => self.engine.shared.store.linked(&self.binding.tenant, &self.binding.id).await?,
        };
        self.guard.linked = Some(linked);
        let (limits, now) = (self.binding.limits, self.now());
        let hour = self.state.guard.last_hour(now);
        let rooms = (Kinds::limited(&limits).iter())
            .filter_map(|place| {
                let confirmed = self.state.guard.confirmed(place, now);
                let (run, hour) = (self.guard.done.get(place), hour.get(place));
                Some((place, Room::new(&limits, place, linked, run, hour, confirmed)?))
            })
            .collect();
        Ok(Waitlist::new(linked, rooms))
    }
}
