//! Short histories directed at the cells of the [table](super::coverage) that were not met often enough yet.
//!
//! Each is a few rounds of people's work with a disturbed run after each, and ends as every history does: with the faults
//! off, at rest, and looked at by the oracle. What the calendar showed wrongly, and what it refused, is then touched once by a
//! person, because only a newer version of a record can end such a doubt.

use super::coverage::{Coverage, Step, Trouble};
use super::gate::{Ended, drive, now};
use super::injector::{Injector, Order};
use super::oracle::{self, Violation};
use super::user::Users;
use super::world::{CALENDARS, World, WorldSettings};
use calsync_core::binding::Policy;
use calsync_core::clock::{Clock, EntropyExt};
use calsync_core::engine::Engine;
use calsync_core::model::Status;
use calsync_core::report::Report;
use calsync_core::store::{EntryState, Store};
use calsync_core::{ErrorKind, RecordId};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

const ROUNDS: u64 = 4;

/// What a history came to.
#[derive(Debug)]
pub struct Swept {
    /// What was met by the end of it.
    pub coverage: Coverage,
    /// What was met in it, in order.
    pub tale: String,
}

/// Plays one history in which cells that were met less than `wanted` times are met.
///
/// # Errors
/// The invariant that it breaks, with what was met.
pub fn sweep_history(seed: u64, coverage: Coverage, wanted: u64) -> Result<Swept, Violation> {
    let open = coverage.open(wanted);
    let only_host = open.iter().all(|(_, step)| *step >= Step::HostChanges);
    let settings =
        WorldSettings { own_tables: only_host || seed.is_multiple_of(3), ..WorldSettings::of(seed) };
    let injector = Arc::new(Injector::new(seed, coverage));
    let mut history = History {
        world: World::new(seed, settings, None),
        users: Users::default(),
        injector: Arc::clone(&injector),
        off: chrono::Duration::zero(),
    };
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
}

impl History {
    fn play(&mut self, wanted: u64) -> Result<(), Violation> {
        let desk = self.world.desk();
        for round in 0..ROUNDS {
            self.people_work(&desk, round);
            for at in 0..CALENDARS.len() {
                if self.world.chance.below(3) > 0 {
                    self.injector.arm(&self.injector.coverage().open(wanted));
                    self.run(&desk, at, round)?;
                }
            }
        }
        self.set_right(&desk)?;
        self.world.come_to_rest()?;
        oracle::check(&self.world, &desk, &self.users)
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
            self.world.google().expire_sync_tokens_of(calendar);
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
        if purge {
            google.user_purge(calendar, id);
        }
    }

    fn run(&mut self, desk: &Engine, at: usize, round: u64) -> Result<(), Violation> {
        let binding = self.world.bindings[at].clone();
        let (engine, gate) = self.world.process(true);
        gate.attach(Arc::clone(&self.injector), true);
        // A run that takes its time has to renew its lease.
        let slow = (self.world.chance.below(3) == 0).then(|| 4 + self.world.chance.below(60));
        let mut slept = false;
        let ended = drive(&gate, engine.run(&binding), || {
            for order in gate.take_orders() {
                self.carry_out(&order, desk, at, round);
            }
            if !slept && slow.is_some_and(|slow| gate.passed() >= slow) {
                slept = true;
                self.world.clock.advance(Duration::from_secs(45));
            }
        });
        self.injector.calm();
        self.tell();
        for late in self.injector.due(true) {
            self.world.google().handle(self.world.clock.now(), late);
        }
        self.world.clock.jump(std::mem::take(&mut self.off));
        // Access was taken away for this run only; nobody notices that it was not.
        self.world.google().refresh_token(
            CALENDARS[at].0,
            "client",
            CALENDARS[at].0,
            &["https://www.googleapis.com/auth/calendar"],
        );
        match ended {
            Ended::Crashed => self.world.clock.advance(Duration::from_secs(180)),
            Ended::Finished(Ok(report)) => self.world.tell(&report),
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

    fn carry_out(&mut self, order: &Order, desk: &Engine, at: usize, round: u64) {
        let clock = Arc::clone(&self.world.clock);
        match order.trouble {
            Trouble::HourAhead => clock.jump(chrono::Duration::hours(1)),
            Trouble::DayAhead => clock.jump(chrono::Duration::days(1)),
            Trouble::HourBack => clock.jump(chrono::Duration::hours(-1)),
            Trouble::DecadeAhead => {
                clock.jump(chrono::Duration::days(3650));
                self.off -= chrono::Duration::days(3650);
            }
            Trouble::SecondWorker => self.second_worker(at),
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
            Trouble::TokenRevoked => {
                let mut google = self.world.google();
                google.revoke_refresh_token(CALENDARS[at].0);
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

    fn second_worker(&mut self, at: usize) {
        let (engine, gate) = self.world.process(false);
        gate.attach(Arc::clone(&self.injector), false);
        match drive(&gate, engine.run(&self.world.bindings[at].clone()), || ()) {
            Ended::Finished(Ok(report)) => self.world.tell(&format!("the second worker: {report}")),
            Ended::Finished(Err(error)) => self.world.tell(&format!("the second worker: {error}")),
            Ended::Crashed => {}
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
        for _ in 0..2 {
            for at in 0..CALENDARS.len() {
                self.run_in_the_end(at)?;
            }
            self.touch_refused(desk);
        }
        self.tell();
        Ok(())
    }

    /// A lease that was taken while the clock was years ahead is cut to its length by the first who asks for it.
    fn run_in_the_end(&mut self, at: usize) -> Result<Report, Violation> {
        let first = self.world.run_calmly(at);
        let ended = match first {
            Err(error) if error.kind() == ErrorKind::LeaseLost => self.world.run_calmly(at),
            ended => ended,
        };
        ended.map_err(|error| Violation::new("C15", format!("a calm run failed: {error}")))
    }

    fn touch_refused(&mut self, desk: &Engine) {
        let world = &self.world;
        for (binding, (_, calendar)) in world.bindings.iter().zip(CALENDARS) {
            let entries =
                now(world.store.outbox(&"default".into(), &binding.id, 0, 10_000)).unwrap_or_default();
            for entry in entries.iter().filter(|entry| matches!(entry.state, EntryState::Parked { .. })) {
                let calsync_core::store::Intent::Remote { write, .. } = &entry.intent else { continue };
                let id = write.action.id().as_str();
                match alive(world, calendar, id) && touch(world, calendar, id) {
                    true => {
                        let entity = entity(world, calendar, id).unwrap_or_default();
                        self.users.loosen(&entity, "refused, touched in Google");
                    }
                    false => touch_in_crm(desk, &entry.record, &mut self.users),
                }
            }
        }
    }
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
