//! How many histories the planner brings to a decision in a second, alone: no store, no network, no clock, one core.
//!
//! ```sh
//! cargo bench -p calsync-testkit --bench planner
//! CALSYNC_BENCH_FAMILIES=5000 CALSYNC_BENCH_ROUNDS=15 CALSYNC_BENCH_SEED=7 cargo bench -p calsync-testkit --bench planner
//! ```
//!
//! A *history* is one family (a single appointment or a series, on both sides) with the base that both sides once agreed on
//! and what became of it on either side since. It goes through [`plan_family`] as the engine calls it, with Google's own form
//! of values; every write that then leaves, to the calendar or to a CRM with tables of its own, is taken for done and settled.
//! What both sides have and nothing links is paired first, all of it together, as a run does. Both sides come from one state
//! that is changed twice, and share no memory, as what is read from a store does not.
//!
//! Before anything is timed, every history has to come to just the actions that its kind says, so that a planner that does
//! nothing, or something else, fails here instead of being fast; and every round has to do as much as that one did. The speed
//! is not asserted: it is of the machine that it runs on.

mod histories;

use calsync_core::binding::Binding;
use calsync_core::host::Applied;
use calsync_core::model::{RemoteRecord, State, Writable};
use calsync_core::plan::adopt::{Candidate, Pairing};
use calsync_core::plan::settle::{acknowledge, applied};
use calsync_core::plan::{FamilyPlan, Lens, Rules, plan_family};
use calsync_core::provider::{Provider, Receipt, WriteAction};
use calsync_core::store::{Entry, Family, Group, Intent, Which};
use calsync_core::{InstallationId, RunId, Secret};
use calsync_google::Google;
use histories::{History, KINDS, Kind, Maker};
use std::collections::BTreeSet;
use std::error::Error;
use std::hint::black_box;
use std::time::{Duration, Instant};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// What one core should do, of all kinds together.
const AIM: f64 = 20_000.0;

const GENERATION: u64 = 1;

fn main() -> Outcome<()> {
    calsync_testkit::keep_logs();
    let count = number("CALSYNC_BENCH_FAMILIES", 1000)?.max(1);
    let rounds = number("CALSYNC_BENCH_ROUNDS", 9)?.max(1);
    let seed = number("CALSYNC_BENCH_SEED", 1)?;
    let google = Google::access_token(Secret::new("neversay")).build()?;
    let bench = Bench { google: &google, installation: "bench".into(), run: "run".into() };
    let mut all = Vec::new();
    for (at, kind) in KINDS.iter().enumerate() {
        let binding = histories::binding(kind.policy);
        let mut maker = Maker::new(&google, &binding, &bench.installation, seed, at);
        let histories = (0..count).map(|_| (kind.make)(&mut maker)).collect::<Outcome<Vec<History>>>()?;
        let done = bench.check(kind, &binding, &histories)?;
        all.push((kind, binding, histories, done));
    }
    let mut taken: Vec<Vec<Duration>> = vec![Vec::new(); all.len() + 1];
    for _ in 0..rounds {
        let mut total = Duration::ZERO;
        for (at, (kind, binding, histories, expected)) in all.iter().enumerate() {
            let began = Instant::now();
            let done = bench.play(kind, binding, histories, |_, plan, settled| {
                drop(black_box((plan, settled)));
                Ok(())
            })?;
            let time = began.elapsed();
            if done != *expected {
                return Err(format!("{}: {done:?} in a round, {expected:?} before", kind.name).into());
            }
            taken[at].push(time);
            total += time;
        }
        taken[all.len()].push(total);
    }
    println!("{count} histories of each kind, {rounds} rounds, seed {seed}\n");
    println!(
        "{:<52} {:>9} {:>9} {:>9} {:>7} {:>7}",
        "histories a second", "median", "slowest", "fastest", "actions", "settled"
    );
    for ((kind, _, _, done), taken) in all.iter().zip(&mut taken) {
        line(kind.name, count, taken, *done, "");
    }
    let sum = all.iter().fold(Done::default(), |sum, (_, _, _, done)| sum.and(*done));
    let count = count * u32::try_from(all.len())?;
    if let Some(total) = taken.last_mut() {
        line("all kinds together", count, total, sum, &format!("aim: {AIM} or more"));
    }
    Ok(())
}

fn number(name: &str, default: u32) -> Outcome<u32> {
    let Ok(text) = std::env::var(name) else { return Ok(default) };
    text.parse().map_err(|error| format!("{name}={text}: {error}").into())
}

fn line(name: &str, count: u32, taken: &mut [Duration], done: Done, note: &str) {
    taken.sort_unstable();
    let rate = |time: Duration| f64::from(count) / time.as_secs_f64();
    println!(
        "{name:<52} {:9.0} {:9.0} {:9.0} {:7} {:7}  {note}",
        rate(taken[taken.len() / 2]),
        rate(taken[taken.len() - 1]),
        rate(taken[0]),
        done.rows,
        done.settled,
    );
}

/// How much was decided.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Done {
    rows: usize,
    stored: usize,
    settled: usize,
}

impl Done {
    fn and(self, other: Self) -> Self {
        Self {
            rows: self.rows + other.rows,
            stored: self.stored + other.stored,
            settled: self.settled + other.settled,
        }
    }
}

struct Bench<'a> {
    google: &'a Google,
    installation: InstallationId,
    run: RunId,
}

impl Bench<'_> {
    /// Plans the histories of a kind and settles what they send; `each` gets what came of it.
    fn play(
        &self,
        kind: &Kind,
        binding: &Binding,
        histories: &[History],
        mut each: impl FnMut(&History, FamilyPlan, Vec<Group>) -> Outcome<()>,
    ) -> Outcome<Done> {
        let (none, deselected) = (BTreeSet::new(), BTreeSet::new());
        let fresh = BTreeSet::new();
        let lens = Lens::new(self.google, binding);
        let pairing = pair_up(histories, lens);
        let rules = Rules {
            binding,
            installation: &self.installation,
            provider: self.google,
            own_table: kind.own_table,
            own_calendars: &none,
            organises: true,
            guests_out: false,
            fresh: &fresh,
            occurrences_read: false,
            pairing: &pairing,
            deselected: &deselected,
            run: &self.run,
            now: histories::now(),
        };
        let mut done = Done::default();
        for history in histories {
            let plan = plan_family(&history.family, &rules);
            let settled = (plan.group.outbox.iter())
                .filter_map(|entry| settle(entry, &plan.group, &history.family, lens))
                .collect::<Vec<_>>();
            done = done.and(Done {
                rows: plan.rows.len(),
                stored: usize::from(plan.writes()),
                settled: settled.len(),
            });
            each(history, plan, settled)?;
        }
        Ok(done)
    }

    /// That each history comes to what its kind says.
    fn check(&self, kind: &Kind, binding: &Binding, histories: &[History]) -> Outcome<Done> {
        self.play(kind, binding, histories, |history, plan, settled| {
            let actions: Vec<_> = plan.rows.iter().map(|row| row.action).collect();
            let conflicts = plan.rows.iter().filter(|row| row.conflict).count();
            let sent = plan.group.outbox.len();
            let as_expected = actions == history.actions
                && conflicts == history.conflicts
                && plan.writes() == kind.stores
                && !plan.frozen
                && !plan.looks()
                && settled.len() == sent
                && settled.iter().all(|group| group.outbox_drop.len() == 1 && !group.links.is_empty());
            if as_expected {
                return Ok(());
            }
            Err(format!(
                "{}: planned {actions:?} with {conflicts} conflicts, stores: {}, sends {sent}, settles {}, has to look: {}; \
                 it should be {:?} with {}, stores: {}\n{:#?}",
                kind.name,
                plan.writes(),
                settled.len(),
                plan.looks(),
                history.actions,
                history.conflicts,
                kind.stores,
                plan.rows.iter().map(ToString::to_string).collect::<Vec<_>>()
            )
            .into())
        })
    }
}

/// What is on both sides and linked to nothing, all together.
fn pair_up(histories: &[History], lens: Lens<'_>) -> Pairing {
    let of = |which: Which| -> Vec<Candidate> {
        let unlinked = histories.iter().flat_map(|history| &history.unlinked);
        let unlinked = unlinked.filter(|(side, ..)| *side == which);
        unlinked.filter_map(|(_, id, fields)| lens.candidate(id, fields)).collect()
    };
    Pairing::of(&of(Which::Local), &of(Which::Remote))
}

/// What an entry of the outbox comes to when it is carried out as it was meant.
fn settle(entry: &Entry, planned: &Group, family: &Family, lens: Lens<'_>) -> Option<Group> {
    let planned = planned.links.iter().map(|put| &put.link);
    let link = planned.chain(&family.links).find(|link| link.record == entry.record)?;
    match &entry.intent {
        Intent::Remote { write, occurrence, .. } => {
            let receipt = match &write.action {
                WriteAction::Delete { .. } => Receipt::Deleted,
                WriteAction::Create { id, fields } | WriteAction::Update { id, fields, .. } => {
                    Receipt::Written(RemoteRecord {
                        id: id.clone(),
                        revision: "written".into(),
                        occurrence: occurrence.clone(),
                        state: State::Live(fields.clone()),
                        updated: Some(histories::now()),
                        stamp: Some(entry.operation.clone()),
                        writable: Writable::All,
                    })
                }
            };
            Some(acknowledge(entry, link, &receipt, GENERATION, lens, true))
        }
        Intent::Local { write, .. } => {
            let item = family.remote.iter().find(|item| item.key == link.key);
            let answer = Applied::Applied { id: write.id.clone(), version: "written".into() };
            applied(entry, link, item, &answer)
        }
    }
}
