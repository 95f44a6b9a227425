//! Appointments against the working hours of their agent, at the end of a run.
//!
//! What both sides agree on is judged (`judge.rs`): whatever a run changed, and once a day, or when the agent's hours are others than
//! before, everything that is still to come. A warning is stored with its binding, is told in the report of the run that raises it,
//! and is taken away when it is no longer true (C20). It never stops anything: where hours cannot be had, the report says so and the
//! run is as it was. What is over is not judged, and its warnings are forgotten without a word.
//!
//! What a run changes it owes a look until its end, and stores that with the change: a run that dies leaves it to the next one. A
//! plan tells what the run that carries it out would tell, by the same comparison, and stores nothing of it.

use super::judge::{Agreed, Look, Verdict, foreseen, passing, with_records};
use super::run::Pass;
use super::{Engine, Shared};
use crate::binding::{Binding, BindingState, HoursJudged};
use crate::error::{Error, ErrorKind, Result};
use crate::hours::{Judged, Rota, Settled, Warning, WarningKey, horizon, settle};
use crate::id::{AgentId, RecordId, Tenant};
use crate::model::{Appointment, State};
use crate::plan::{FamilyPlan, Row};
use crate::planted::{self, Fault};
use crate::store::{Batch, Family, Link, WarningPlace, Which};
use chrono::{DateTime, Utc};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Mutex, PoisonError};

/// How many changed appointments one run remembers; with more it looks at all of them.
const TOUCHED_MAX: usize = 1_000;
/// How long what was looked at lasts, in hours: then it is looked at again, as far ahead as ever.
const AGAIN_HOURS: i64 = 24;

/// What a run changed.
#[derive(Debug, Default)]
pub(super) struct Touched(Mutex<BTreeSet<RecordId>>);

impl Touched {
    /// Remembers the appointments and series that a transaction changes.
    pub(super) fn add(&self, batch: &Batch) {
        let mut touched = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for group in &batch.groups {
            let roots = group.links.iter().map(|put| &put.link.record_root).chain(&group.unlink);
            for root in roots {
                if touched.len() <= TOUCHED_MAX {
                    touched.insert(root.clone());
                }
            }
        }
    }

    fn any(&self) -> bool {
        !self.0.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// All of it; `None` where that is too much to remember.
    fn take(&self) -> Option<BTreeSet<RecordId>> {
        let touched = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        (touched.len() <= TOUCHED_MAX).then_some(touched)
    }
}

impl Shared {
    pub(super) async fn rota(&self, tenant: &Tenant, agent: &AgentId) -> Result<Option<Rota>> {
        let agents = std::slice::from_ref(agent);
        let found = match (&self.schedules, &self.host) {
            (Some(schedules), _) => schedules.schedules(tenant, agents).await?,
            (None, Some(host)) => host.schedules(tenant, agents).await?,
            (None, None) => return Ok(None),
        };
        match <[Option<Rota>; 1]>::try_from(found) {
            Ok([rota]) => Ok(rota),
            Err(found) => Err(Error::new(ErrorKind::Host, "schedules were asked of one agent")
                .with("agent", agent)
                .with("answers", found.len())
                .cure("Answer with one rota, or None, for each agent that was asked about.")),
        }
    }

    /// Whether anybody may know of working hours.
    pub(super) fn knows_hours(&self) -> bool {
        self.schedules.is_some() || self.host.is_some()
    }
}

impl Engine {
    /// The warnings of working hours that stand for a binding, in the order of [`WarningPlace`], after `after`.
    ///
    /// # Errors
    /// Whatever the store answers.
    pub async fn hours_warnings(
        &self,
        binding: &Binding,
        after: Option<&WarningPlace>,
        count_max: usize,
    ) -> Result<Vec<Warning>> {
        self.shared.store.warnings(&self.tenant, &binding.id, None, after, count_max).await
    }

    /// Holds an appointment against the working hours of an agent before it is saved, or to show it, and answers in just the words
    /// of a run; `None` where a run would have nothing to tell, or no schedule is known. `record` is the CRM's record where there is one:
    /// a series is judged with those of its occurrences that were changed or cancelled before. An occurrence is given as what it
    /// becomes, without a rule, and is judged by itself. An agent without a binding is the guest with the agent's own id, and of a series
    /// only the rule is known then. What cannot be judged is said as well, with the reason.
    ///
    /// # Errors
    /// Whatever the source of the schedules or the store answers.
    pub async fn hours_notice(
        &self,
        agent: &AgentId,
        record: Option<&RecordId>,
        appointment: &Appointment,
    ) -> Result<Option<String>> {
        let Some(rota) = self.shared.rota(&self.tenant, agent).await? else { return Ok(None) };
        let (store, words) = (&self.shared.store, &self.shared.words);
        let mut look = Look::new(agent, agent.as_str(), &rota, self.shared.clock.now())?;
        let event = record.cloned().unwrap_or_else(|| "".into());
        let whole = appointment.to_fields();
        let mut bindings = store.bindings(&self.tenant).await?;
        bindings.retain(|binding| binding.agent == *agent);
        if bindings.is_empty() {
            return Ok(look.judge(words, &event, &Agreed::alone(&whole)).said);
        }
        let series = record.filter(|_| !appointment.recurrence.is_empty());
        for binding in &bindings {
            look.own = binding.target.calendar.to_string();
            let mut family = Family::default();
            if let Some(series) = series {
                family = store.family(&self.tenant, &binding.id, Which::Local, series.as_str()).await?;
                if self.shared.host.is_none() {
                    let records = store.record_occurrences(&self.tenant, series).await?;
                    family = with_records(family, &records, binding);
                }
            }
            let own = passing(binding, State::Live(whole.clone()));
            let mut agreed = Agreed::of(&family, &event, binding);
            agreed.own = own.fields();
            let said = look.judge(words, &event, &agreed).said;
            if said.is_some() {
                return Ok(said);
            }
        }
        Ok(None)
    }
}

impl Pass<'_> {
    /// Holds what this run changed, or everything, against the agent's working hours.
    pub(super) async fn judge_hours(&mut self) -> Result<()> {
        if !self.engine.shared.knows_hours() {
            return Ok(());
        }
        match self.look_at_hours().await {
            Err(error) if matches!(error.kind(), ErrorKind::LeaseLost | ErrorKind::Halted) => Err(error),
            Err(error) => {
                self.owe_hours();
                self.not_looked_at(&error);
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    fn not_looked_at(&mut self, error: &Error) {
        let warning = format!("working hours were not looked at: {error}");
        if !self.report.warnings.contains(&warning) {
            self.report.warnings.push(warning);
        }
    }

    /// What was changed and could not be looked at makes the next run look at everything.
    pub(super) fn owe_hours(&mut self) {
        owe(&mut self.state, self.engine.shared.clock.now());
    }

    /// Remembers what a transaction changes, and stores with it that this is owed until the run has looked at it: a run that dies
    /// before leaves it to the next one (C20). Only where the run's progress may be stored as it is now (C8).
    pub(super) fn touch(&self, batch: &mut Batch) {
        if !self.engine.shared.knows_hours() {
            return;
        }
        self.touched.add(batch);
        if self.state.hours.is_some() && self.touched.any() && !planted::on(Fault::HoursNotOwed) {
            owe(batch.state.get_or_insert_with(|| self.state.clone()), self.now());
        }
    }

    /// From now on the rows of plans say what is outside; where hours cannot be had, the report does.
    pub(super) async fn show_hours(&mut self) {
        let (tenant, agent) = (&self.binding.tenant, &self.binding.agent);
        let rota = self.engine.shared.rota(tenant, agent).await;
        match rota.and_then(|rota| rota.map(|rota| self.look_with(&rota)).transpose()) {
            Ok(look) => self.shows = look,
            Err(error) => self.not_looked_at(&error),
        }
    }

    fn look_with(&self, rota: &Rota) -> Result<Look> {
        Look::new(&self.binding.agent, self.binding.target.calendar.as_str(), rota, self.now())
    }

    /// Says on the rows of a plan what a run would tell once they are carried out: of an appointment or a series, on the first of
    /// its rows that writes.
    pub(super) async fn say_on_rows(
        &self,
        look: &Look,
        family: &Family,
        plan: &mut FamilyPlan,
    ) -> Result<()> {
        if !plan.rows.iter().any(Row::writes) {
            return Ok(());
        }
        let after = foreseen(family, plan);
        let (tenant, id) = (&self.binding.tenant, &self.binding.id);
        for link in after.links.iter().filter(|link| link.record == link.record_root) {
            let verdict = self.verdict(look, &link.record, &after);
            if verdict.said.is_none() {
                continue;
            }
            let root = &link.record;
            let of_root = |row: &Row| {
                let found =
                    |of: &&Link| row.record.as_ref() == Some(&of.record) || row.key.as_ref() == Some(&of.key);
                after.links.iter().find(found).is_some_and(|of| of.record_root == *root)
            };
            let Some(row) = plan.rows.iter_mut().find(|row| row.writes() && of_root(row)) else { continue };
            let standing =
                self.engine.shared.store.warnings(tenant, id, Some(root), None, usize::MAX).await?;
            row.hours = self.news(standing, vec![verdict]).await?.said.pop();
        }
        Ok(())
    }

    async fn look_at_hours(&mut self) -> Result<()> {
        let touched = self.touched.take();
        let rota = self.engine.shared.rota(&self.binding.tenant, &self.binding.agent).await?;
        let Some(rota) = rota else {
            if self.state.hours.is_some() {
                self.settle_the_rest(&mut Standing::default()).await?;
                self.state.hours = None;
            }
            return Ok(());
        };
        let until = horizon(self.now()).end;
        let soon = until - chrono::Duration::hours(AGAIN_HOURS);
        let known = (self.state.hours.as_ref())
            .is_some_and(|judged| judged.version == *rota.version() && judged.until > soon);
        match touched.filter(|_| known) {
            Some(touched) if touched.is_empty() => Ok(()),
            Some(touched) => self.judge_touched(&self.look_with(&rota)?, touched).await,
            None => {
                self.judge_all(&self.look_with(&rota)?).await?;
                self.state.hours = Some(HoursJudged { version: rota.version().clone(), until });
                Ok(())
            }
        }
    }

    async fn judge_touched(&mut self, look: &Look, touched: BTreeSet<RecordId>) -> Result<()> {
        let (tenant, id) = (self.binding.tenant.clone(), self.binding.id.clone());
        let store = std::sync::Arc::clone(&self.engine.shared.store);
        for root in touched {
            let family = store.family(&tenant, &id, Which::Local, root.as_str()).await?;
            let verdict = self.verdict(look, &root, &family);
            let standing = store.warnings(&tenant, &id, Some(&root), None, usize::MAX).await?;
            self.settle_hours(standing, vec![verdict]).await?;
        }
        Ok(())
    }

    async fn judge_all(&mut self, look: &Look) -> Result<()> {
        let (tenant, id) = (self.binding.tenant.clone(), self.binding.id.clone());
        let store = std::sync::Arc::clone(&self.engine.shared.store);
        let page = self.engine.shared.settings.page_records_max;
        let mut standing = Standing::default();
        let mut after: Option<RecordId> = None;
        loop {
            self.hold().await?;
            let links = store.links_after(&tenant, &id, after.as_ref(), page).await?;
            let Some(last) = links.last().map(|link| link.record.clone()) else { break };
            let mut verdicts = Vec::new();
            for link in links {
                let root = &link.record_root;
                let stands_alone = *root == link.record
                    || store.links(&tenant, &id, std::slice::from_ref(root)).await?.is_empty();
                if !stands_alone {
                    continue;
                }
                let recurring = link.base.as_ref().and_then(State::fields).is_some_and(|fields| {
                    fields.get("when").is_some_and(|when| !when["recurrence"].is_null())
                });
                let family = match recurring {
                    true => store.family(&tenant, &id, Which::Local, root.as_str()).await?,
                    false => Family { links: vec![link.clone()], ..Family::default() },
                };
                verdicts.push(self.verdict(look, &link.record, &family));
            }
            let here = standing.until(self, Some(&last)).await?;
            self.settle_hours(here, verdicts).await?;
            after = Some(last);
        }
        self.settle_the_rest(&mut standing).await
    }

    fn verdict(&self, look: &Look, record: &RecordId, family: &Family) -> Verdict {
        look.judge(&self.engine.shared.words, record, &Agreed::of(family, record, &self.binding))
    }

    /// Warnings about what is not linked any more.
    async fn settle_the_rest(&mut self, standing: &mut Standing) -> Result<()> {
        loop {
            let rest = standing.until(self, None).await?;
            if rest.is_empty() {
                return Ok(());
            }
            self.settle_hours(rest, Vec::new()).await?;
        }
    }

    /// Stores and tells what is new about the warnings that stand of some appointments.
    async fn settle_hours(&mut self, standing: Vec<Warning>, verdicts: Vec<Verdict>) -> Result<()> {
        let news = self.news(standing, verdicts).await?;
        let batch = Batch { warned: news.warned, unwarned: news.unwarned, ..self.batch() };
        if !(batch.warned.is_empty() && batch.unwarned.is_empty()) {
            self.commit(batch).await?;
        }
        for text in news.said {
            self.report.hours.say(text);
        }
        self.report.hours.add(news.raised, news.withdrawn);
        Ok(())
    }

    /// Compares what stands of some appointments with what was found out about them.
    async fn news(&self, standing: Vec<Warning>, verdicts: Vec<Verdict>) -> Result<News> {
        let now = self.now();
        let (over, standing): (Vec<_>, Vec<_>) =
            standing.into_iter().partition(|warning| warning.check.end <= now);
        let before: BTreeMap<WarningKey, Warning> =
            standing.iter().map(|warning| (warning.key.clone(), warning.clone())).collect();
        let mut news = News::default();
        let (mut sentences, mut judged, mut looked_at) = (BTreeMap::new(), Vec::new(), BTreeSet::new());
        for verdict in verdicts {
            match verdict.judged {
                Some(found) => {
                    sentences.extend(verdict.said.map(|text| (verdict.event.clone(), text)));
                    judged.push(found);
                }
                // Nobody can tell: what stands of it stays as it is.
                None => {
                    news.said.extend(verdict.said);
                    if planted::on(Fault::UnjudgedIsInside) {
                        judged.push(Judged::nothing(self.binding.agent.clone(), verdict.event.clone()));
                    }
                }
            }
            looked_at.insert(verdict.event);
        }
        // Nothing is linked to it any more.
        let lost = standing.iter().filter(|warning| !looked_at.contains(&warning.key.event));
        judged.extend(lost.map(|w| Judged::nothing(w.key.person.clone(), w.key.event.clone())));
        let Settled { mut raised, mut withdrawn, kept } = settle(standing, judged);
        news.unwarned = over.iter().chain(&withdrawn).map(|warning| warning.key.clone()).collect();
        news.warned = kept.into_iter().filter(|kept| before.get(&kept.key) != Some(kept)).collect();
        news.warned.extend(raised.iter().cloned());
        self.leave_to_others(&mut raised).await?;
        self.leave_to_others(&mut withdrawn).await?;
        // A series that goes on being outside is told of once for a version of the hours.
        let told: BTreeSet<_> = before.keys().map(|key| (&key.event, &key.version)).collect();
        for WarningKey { event, version, .. } in raised.iter().map(|warning| &warning.key) {
            if !told.contains(&(event, version)) {
                news.said.extend(sentences.remove(event));
            }
        }
        (news.raised, news.withdrawn) = (raised, withdrawn);
        Ok(news)
    }

    /// Leaves out what another binding of the agent has told already, or still has.
    async fn leave_to_others(&self, warnings: &mut Vec<Warning>) -> Result<()> {
        let mut known = BTreeSet::new();
        for event in warnings.iter().map(|warning| &warning.key.event).collect::<BTreeSet<_>>() {
            for other in &self.siblings {
                let store = &self.engine.shared.store;
                let theirs =
                    store.warnings(&self.binding.tenant, other, Some(event), None, usize::MAX).await?;
                known.extend(theirs.into_iter().map(|warning| warning.key));
            }
        }
        warnings.retain(|warning| !known.contains(&warning.key));
        Ok(())
    }
}

/// What is new about the warnings of some appointments.
#[derive(Debug, Default)]
struct News {
    /// To be stored, because they are new or say something else than before.
    warned: Vec<Warning>,
    /// To be forgotten.
    unwarned: Vec<WarningKey>,
    /// To be told, one sentence each.
    said: Vec<String>,
    raised: Vec<Warning>,
    withdrawn: Vec<Warning>,
}

/// Everything is to be looked at again.
fn owe(state: &mut BindingState, now: DateTime<Utc>) {
    if let Some(judged) = &mut state.hours {
        judged.until = judged.until.min(now);
    }
}

/// The warnings that stand, read in order as they are asked for.
#[derive(Debug, Default)]
struct Standing {
    read: VecDeque<Warning>,
    after: Option<WarningPlace>,
    ended: bool,
}

impl Standing {
    /// Those about appointments up to `last`, or the next ones of all.
    async fn until(&mut self, pass: &Pass<'_>, last: Option<&RecordId>) -> Result<Vec<Warning>> {
        let mut found = Vec::new();
        loop {
            if self.read.is_empty() && !self.ended {
                let (tenant, id) = (&pass.binding.tenant, &pass.binding.id);
                let store = &pass.engine.shared.store;
                let page = pass.engine.shared.settings.page_records_max;
                let page = store.warnings(tenant, id, None, self.after.as_ref(), page).await?;
                self.ended = page.is_empty();
                self.after = page.last().map(|warning| WarningPlace::of(&warning.key)).or(self.after.take());
                self.read.extend(page);
            }
            let next = self.read.front().filter(|next| last.is_none_or(|last| next.key.event <= *last));
            if next.is_none() || (last.is_none() && found.len() >= 500) {
                return Ok(found);
            }
            found.extend(self.read.pop_front());
        }
    }
}
