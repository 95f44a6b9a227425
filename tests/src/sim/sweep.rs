//! Short histories directed at the cells of the [table](super::coverage) that were not met often enough yet.
//!
//! Each is a few rounds of people's work with a disturbed run after each, and ends as every history does: with the faults
//! off, at rest, and looked at by the oracle. What the calendar showed wrongly, and what it refused, is then touched once by a
//! person, because only a newer version of a record can end such a doubt.

use super::coverage::{Coverage, Step, Trouble};
use super::gate::{Ended, drive, now};
use super::grants::{PEOPLE, Rotation, Standing};
use super::injector::{Injector, Order};
use super::oracle::{self, Violation};
use super::review;
use super::upheaval::Copies;
use super::user::Users;
use super::world::{CALENDARS, World, WorldSettings};
use crate::marked::refresh_token;
use calsync_core::binding::Policy;
use calsync_core::clock::{Clock, EntropyExt};
use calsync_core::engine::Engine;
use calsync_core::guard::Over;
use calsync_core::limits::Allowance;
use calsync_core::model::Status;
use calsync_core::plan::{Action, Waiting};
use calsync_core::report::Report;
use calsync_core::store::{EntryState, Outcome, Store};
use calsync_core::{ErrorKind, RecordId};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

const ROUNDS: u64 = 4;

/// Few enough for people to go beyond.
const TIGHT: Allowance = Allowance { count: 2, percent: 0 };

/// What a history came to.
#[derive(Debug)]
pub struct Swept {
    /// What was met by the end of it.
    pub coverage: Coverage,
    /// What was met in it, in order.
    pub tale: String,
}

/// Plays one history in which cells that were met less than `wanted` times are met; `aloud` tells what happens in it.
///
/// # Errors
/// The invariant that it breaks, with what was met.
pub fn sweep_history(seed: u64, coverage: Coverage, wanted: u64, aloud: bool) -> Result<Swept, Violation> {
    let open = coverage.open(wanted);
    let only_own = open.iter().all(|(t, step)| *step >= Step::HostChanges || *t == Trouble::StoreLost);
    let of_seed = WorldSettings::of(seed);
    // In half of the histories the guards hold back what goes beyond two deletions.
    let deletions_max = if seed.is_multiple_of(2) { TIGHT } else { of_seed.deletions_max };
    // A store that goes back, or is copied, has a token that was good then.
    let rotation = match of_seed.rotation {
        _ if open.iter().all(|(trouble, _)| trouble.comes_alone()) => Rotation::Never,
        // What is lost by that is looked at in `run_history`.
        Rotation::EndsAtOnce => Rotation::EndsWithUse,
        rotation => rotation,
    };
    let settings = WorldSettings {
        own_tables: only_own || seed.is_multiple_of(3),
        connected: open.iter().all(|(_, step)| step.is_of_grants()) || !(seed / 2).is_multiple_of(2),
        deletions_max,
        rotation,
        ..of_seed
    };
    let injector = Arc::new(Injector::new(seed, coverage));
    let mut history = History {
        world: World::new(seed, settings, None),
        users: Users::default(),
        injector: Arc::clone(&injector),
        off: chrono::Duration::zero(),
        copies: Copies::default(),
        tight: seed.is_multiple_of(2),
    };
    history.world.aloud |= aloud;
    let ended = history.play(wanted);
    let (coverage, tale) = (injector.coverage(), injector.tale());
    match ended {
        Ok(()) => Ok(Swept { coverage, tale }),
        Err(violation) => {
            history.world.tell_everything();
            Err(Violation::new(violation.invariant, format!("{} (met: {tale})", violation.what)))
        }
    }
}

struct History {
    world: World,
    users: Users,
    injector: Arc<Injector>,
    /// By how much the clock is to be set right after the run.
    off: chrono::Duration,
    copies: Copies,
    /// Whether the guards let two deletions pass.
    tight: bool,
}

impl History {
    fn play(&mut self, wanted: u64) -> Result<(), Violation> {
        let mut desk = self.world.desk();
        if self.injector.coverage().open(wanted).iter().any(|(trouble, _)| *trouble == Trouble::EmptyListing)
        {
            self.fill();
        }
        for round in 0..ROUNDS {
            self.people_work(&desk, round);
            self.copies.back_up(&self.world, &self.users);
            for at in 0..CALENDARS.len() {
                if self.world.chance.below(3) > 0 {
                    let own_tables = self.world.crm.is_some();
                    self.injector.arm(&self.injector.coverage().open(wanted), own_tables);
                    self.run(&desk, at, round)?;
                    // The CRM may be another one by now.
                    desk = self.world.desk();
                    self.copies.run_twin(&mut self.world);
                }
            }
            // In the middle of some everything comes to rest: what is touched or deleted from then on, was settled before.
            if round == 1 && self.world.seed.is_multiple_of(3) {
                self.rest()?;
            }
        }
        self.rest()
    }

    fn rest(&mut self) -> Result<(), Violation> {
        let desk = self.world.desk();
        self.set_right(&desk)?;
        self.copies.part(&mut self.world, &mut self.users)?;
        self.set_right(&desk)?;
        self.world.come_to_rest()?;
        oracle::check(&self.world, &desk, &self.users)?;
        self.users.rested();
        self.copies.rested();
        Ok(())
    }

    /// More events than may be missing from a listing without anybody's doubt.
    fn fill(&mut self) {
        for day in 1..=12 {
            let (entity, title) = (format!("f{day}"), format!("filled{day}"));
            let event = json!({"summary": title, "description": entity,
                "start": {"date": format!("2026-12-{day:02}")}, "end": {"date": format!("2026-12-{:02}", day + 1)}});
            let _ = self.world.google().user_insert(self.world.clock.now(), CALENDARS[0].1, &event);
            self.users.entered(&entity, &title);
        }
    }

    fn people_work(&mut self, desk: &Engine, round: u64) {
        let world = &self.world;
        let mut lost = Vec::new();
        world.clock.advance(Duration::from_secs(60 + world.chance.below(3600)));
        for _ in 0..4 + world.chance.below(6) {
            self.users.act(world, desk, round);
        }
        for (_, calendar) in CALENDARS {
            // Enough changes for more than one page.
            if world.chance.below(4) == 0 {
                for (id, _) in living(world, calendar) {
                    let colour = (1 + world.chance.below(11)).to_string();
                    let _ = world.google().user_patch(
                        world.clock.now(),
                        calendar,
                        &id,
                        &json!({"colorId": colour}),
                    );
                }
            }
            // Gone without a trace, as after thirty days in the bin.
            if world.chance.below(6) == 0
                && let Some((id, entity)) = living(world, calendar).into_iter().next()
            {
                lost.push((calendar, id, entity));
            } else if world.chance.below(5) == 0 {
                world.google().expire_sync_tokens_of(calendar);
            }
        }
        for (calendar, id, entity) in lost {
            self.gone(calendar, &id, &entity, true);
        }
        self.tell();
    }

    fn tell(&mut self) {
        for line in self.users.log.drain(..) {
            self.world.tell(&line);
        }
    }

    fn gone(&mut self, calendar: &str, id: &str, entity: &str, purge: bool) {
        let at = self.world.clock.now();
        let mut google = self.world.google();
        if google.user_delete(at, calendar, id).is_ok() {
            self.users.loosen(entity, "delete in Google");
        }
        // Gone without a trace is what was deleted longer ago than any place in the list of changes.
        if purge {
            google.user_purge(calendar, id);
            google.expire_sync_tokens_of(calendar);
            drop(google);
            self.world.purged.insert(id.to_owned());
            // A listing that has shown it already goes on, and nothing would tell of it.
            self.injector.unlisted(calendar);
        }
    }

    fn run(&mut self, desk: &Engine, at: usize, round: u64) -> Result<(), Violation> {
        let binding = self.world.bindings[at].clone();
        let (engine, gate) = self.world.process(true);
        let allowed = self.allowed(&engine, at);
        gate.attach(Arc::clone(&self.injector), true);
        // A run that takes its time has to renew its lease.
        let slow = (self.world.chance.below(3) == 0).then(|| 4 + self.world.chance.below(60));
        let mut slept = false;
        let chance = Arc::clone(&self.world.chance);
        let ended = drive(&gate, review::run(&engine, &binding, &chance), || {
            for order in gate.take_orders() {
                self.carry_out(&order, desk, at, round);
            }
            if !slept && slow.is_some_and(|slow| gate.passed() >= slow) {
                slept = true;
                self.world.clock.advance(Duration::from_secs(45));
            }
        });
        // A process that died with its store.
        for order in gate.take_orders() {
            match order.trouble {
                Trouble::StoreBack => self.copies.go_back(&mut self.world, &mut self.users),
                Trouble::StoreLost => self.copies.lose(&mut self.world, &mut self.users),
                _ => {}
            }
        }
        let whole = |report: &Report| report.outcome != Outcome::Stopped;
        self.injector.ended(matches!(&ended, Ended::Finished(Ok(report)) if whole(report)));
        self.injector.calm();
        self.tell();
        let _ = now(self.world.store.set_halt(Some(&"default".into()), None));
        for late in self.injector.due(true) {
            self.world.google().handle(self.world.clock.now(), late);
        }
        self.world.clock.jump(std::mem::take(&mut self.off));
        self.give_access_back(at)?;
        match ended {
            Ended::Crashed => self.world.clock.advance(Duration::from_secs(180)),
            Ended::Finished(Ok(report)) => {
                self.world.tell(&report);
                bounded(&report, allowed)?;
            }
            Ended::Finished(Err(error)) => {
                self.world.tell(&error);
                if error.kind() == ErrorKind::Invariant {
                    return Err(Violation::new("C15", format!("a run failed: {error}")));
                }
                // It may not have been able to give its lease back.
                self.world.clock.advance(Duration::from_secs(180));
            }
        }
        self.world.tell(&self.injector.tale());
        Ok(())
    }

    /// Access was taken away for this run only.
    fn give_access_back(&mut self, at: usize) -> Result<(), Violation> {
        let owner = CALENDARS[at].0;
        if !self.world.connected {
            // Nobody notices that it was not.
            let scopes = ["https://www.googleapis.com/auth/calendar"];
            self.world.google().refresh_token(&refresh_token(owner), "client", owner, &scopes);
            return Ok(());
        }
        self.world.refreshes().none_is_good_any_more();
        self.world.look_at_grants()?;
        self.world.return_of_the_others()
    }

    /// How many deletions a run may decide on each side; nothing where it is not to be counted.
    fn allowed(&self, engine: &Engine, at: usize) -> Option<u64> {
        let state = now(engine.state(&self.world.bindings[at])).ok()?;
        (self.tight && state.guard.confirmed.is_empty()).then_some(TIGHT.count.into())
    }

    fn carry_out(&mut self, order: &Order, desk: &Engine, at: usize, round: u64) {
        let clock = Arc::clone(&self.world.clock);
        match order.trouble {
            Trouble::HourAhead => clock.jump(chrono::Duration::hours(1)),
            Trouble::DayAhead => clock.jump(chrono::Duration::days(1)),
            Trouble::HourBack => clock.jump(chrono::Duration::hours(-1)),
            Trouble::DecadeAhead => {
                clock.jump(chrono::Duration::days(3650));
                self.off -= chrono::Duration::days(3650);
                // Google, whose clock it is as well, ends grants that nobody used for six months.
                for person in PEOPLE {
                    self.world.stands(person, Standing::Unsure);
                }
            }
            Trouble::SecondWorker => self.second_worker(at),
            Trouble::CrmHangs => clock.advance(Duration::from_secs(300)),
            Trouble::StoreCopied => self.copies.copy_on(&mut self.world, &self.users),
            Trouble::LeaseLost => {
                clock.advance(Duration::from_secs(130));
                self.second_worker(at);
            }
            Trouble::SettingsChanged => {
                let (engine, _) = self.world.process(false);
                let policy =
                    [Policy::Remote, Policy::Local, Policy::Newest][self.world.chance.below(3) as usize];
                let changed = now(engine.change(&self.world.bindings[at], |binding| binding.policy = policy));
                if let Ok(changed) = changed {
                    self.world.bindings[at] = changed;
                }
            }
            Trouble::Halted => {
                let (engine, _) = self.world.process(false);
                let _ = now(engine.halt("an operator", "something looks wrong"));
            }
            Trouble::TokenRevoked if self.world.connected => self.world.leaves(CALENDARS[at].0),
            Trouble::TokenRevoked => {
                let mut google = self.world.google();
                google.revoke_refresh_token(&refresh_token(CALENDARS[at].0));
                google.expire_access_tokens();
            }
            Trouble::UserEdits => {
                if let Some((calendar, id)) = &order.event
                    && alive(&self.world, calendar, id)
                {
                    let colour = (1 + self.world.chance.below(11)).to_string();
                    let change = json!({"colorId": colour});
                    let _ = self.world.google().user_patch(clock.now(), calendar, id, &change);
                }
                self.users.act(&self.world, desk, round);
                self.users.act(&self.world, desk, round);
            }
            Trouble::Status404 | Trouble::Status410 => {
                let Some((calendar, id)) = &order.event else { return };
                let entity = entity(&self.world, calendar, id);
                self.gone(calendar, id, &entity.unwrap_or_default(), order.trouble == Trouble::Status404);
            }
            _ => {}
        }
    }

    /// Somebody else is at the same binding, and with the same grant at the agent's other calendar.
    fn second_worker(&mut self, at: usize) {
        let (engine, gate) = self.world.process(false);
        gate.attach(Arc::clone(&self.injector), false);
        let same =
            |other: &usize| *other == at || (self.world.connected && CALENDARS[*other].0 == CALENDARS[at].0);
        for at in (0..CALENDARS.len()).filter(same) {
            match drive(&gate, engine.run(&self.world.bindings[at].clone()), || ()) {
                Ended::Finished(Ok(report)) => self.world.tell(&format!("the second worker: {report}")),
                Ended::Finished(Err(error)) => self.world.tell(&format!("the second worker: {error}")),
                Ended::Crashed => {}
            }
        }
    }

    /// Somebody touches what was shown wrongly, and what was refused.
    fn set_right(&mut self, desk: &Engine) -> Result<(), Violation> {
        for (calendar, id) in self.injector.take_bent() {
            // What was deleted since is not taken out of the bin for it.
            if alive(&self.world, &calendar, &id)
                && let Some(entity) = entity(&self.world, &calendar, &id)
            {
                self.users.loosen(&entity, "shown wrongly");
                touch(&self.world, &calendar, &id);
            }
        }
        self.world.clock.advance(Duration::from_secs(2 * 3600));
        self.runs_in_the_end(desk)?;
        // What was new while a calendar was listed as empty, or left no trace, comes with no listing of changes; and a
        // listing that was going on then had to come to its end first.
        let unlisted = self.injector.take_unlisted();
        if !unlisted.is_empty() {
            for calendar in unlisted {
                self.world.google().expire_sync_tokens_of(&calendar);
            }
            self.runs_in_the_end(desk)?;
        }
        self.tell();
        Ok(())
    }

    fn runs_in_the_end(&mut self, desk: &Engine) -> Result<(), Violation> {
        for round in 0..12 {
            let mut unfinished = false;
            for at in 0..CALENDARS.len() {
                let report = self.run_in_the_end(at)?;
                unfinished |= !report.held.is_empty();
                self.confirm(at, &report, round);
                if report.waiting.contains_key(&Waiting::Deselected) {
                    unfinished = true;
                    self.world.take_back(at)?;
                }
            }
            self.touch_refused(desk);
            if round > 0 && !unfinished {
                break;
            }
        }
        Ok(())
    }

    /// A person says yes to what is held back, once it is sure that it is no passing trouble.
    fn confirm(&mut self, at: usize, report: &Report, round: u32) {
        let (engine, _) = self.world.process(false);
        for held in report.held.iter().filter(|held| held.over != Over::Listing || round > 2) {
            let _ = now(engine.confirm(&self.world.bindings[at], held));
        }
    }

    /// A lease that was taken while the clock was years ahead is cut to its length by the first who asks for it.
    fn run_in_the_end(&mut self, at: usize) -> Result<Report, Violation> {
        let first = self.world.run_calmly(at);
        let ended = match first {
            Err(error) if error.kind() == ErrorKind::LeaseLost => self.world.run_calmly(at),
            ended => ended,
        };
        let report = ended.map_err(|error| Violation::new("C15", format!("a calm run failed: {error}")))?;
        self.world.tell(&report);
        Ok(report)
    }

    fn touch_refused(&mut self, desk: &Engine) {
        let world = &self.world;
        for (binding, (_, calendar)) in world.bindings.iter().zip(CALENDARS) {
            let entries =
                now(world.store.outbox(&"default".into(), &binding.id, 0, 10_000)).unwrap_or_default();
            for entry in entries.iter().filter(|entry| matches!(entry.state, EntryState::Parked { .. })) {
                let calsync_core::store::Intent::Remote { write, .. } = &entry.intent else { continue };
                let id = write.action.id().as_str();
                if alive(world, calendar, id) && touch(world, calendar, id) {
                    let entity = entity(world, calendar, id).unwrap_or_default();
                    self.users.loosen(&entity, "refused, touched in Google");
                }
                // What is refused is in the CRM: a word that Google does not know, for one.
                touch_in_crm(desk, &entry.record, &mut self.users);
            }
        }
    }
}

/// C9: without a person's yes no run decides on more deletions than it may, on either side.
fn bounded(report: &Report, allowed: Option<u64>) -> Result<(), Violation> {
    let Some(allowed) = allowed else { return Ok(()) };
    for action in [Action::DeleteLocal, Action::DeleteRemote] {
        let rows = report.rows.iter().filter(|row| row.action == action && row.slot.is_none() && !row.again);
        if rows.count() as u64 > allowed {
            return Err(Violation::new("C9", format!("more than {allowed} deletions: {report}")));
        }
    }
    Ok(())
}

fn touch_in_crm(desk: &Engine, record: &RecordId, users: &mut Users) {
    let Ok(crm) = desk.appointments() else { return };
    let entity = std::cell::RefCell::new(String::new());
    let touched = now(crm.edit(record, |appointment| {
        *entity.borrow_mut() = appointment.description.clone().unwrap_or_default();
        appointment.location = Some("touched".into());
        appointment.status = Status::Confirmed;
    }));
    users.loosen(&entity.into_inner(), "refused, touched in the CRM");
    drop(touched);
}

/// Somebody gives an event another colour.
fn touch(world: &World, calendar: &str, id: &str) -> bool {
    let mut google = world.google();
    let colour = google.event(calendar, id).and_then(|event| event["colorId"].as_str()?.parse::<u32>().ok());
    let change = json!({"colorId": (colour.unwrap_or(2) % 11 + 1).to_string()});
    google.user_patch(world.clock.now(), calendar, id, &change).is_ok()
}

/// Whether an event is there, be it as an occurrence that its series puts there.
fn alive(world: &World, calendar: &str, id: &str) -> bool {
    let google = world.google();
    let lives = |id: &str| google.event(calendar, id).map(|event| event["status"] != "cancelled");
    lives(id).or_else(|| lives(id.rsplit_once('_')?.0)).unwrap_or(false)
}

/// The token of an event, be it an occurrence.
fn entity(world: &World, calendar: &str, id: &str) -> Option<String> {
    let google = world.google();
    let event = google.event(calendar, id).or_else(|| google.event(calendar, id.rsplit_once('_')?.0))?;
    event["description"].as_str().map(str::to_owned)
}

/// Single events and series that are there, with their tokens, organised here.
fn living(world: &World, calendar: &str) -> Vec<(String, String)> {
    let google = world.google();
    let alive = google.events(calendar).filter(|event| {
        event["status"] != "cancelled"
            && event["recurringEventId"].is_null()
            && event["organizer"]["self"] == true
    });
    alive
        .filter_map(|e| Some((e["id"].as_str()?.to_owned(), e["description"].as_str()?.to_owned())))
        .collect()
}
