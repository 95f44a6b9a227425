//! One history, from its beginning to its end.

use super::gate::{Ended, Gate, drive};
use super::grants::{self, Deed, PEOPLE, Standing};
use super::oracle::{self, Violation};
use super::review;
use super::together::{Worker, drive_together};
use super::transport::{FaultRates, Watch};
use super::user::Users;
use super::world::{CALENDARS, World, WorldSettings};
use calsync_core::clock::EntropyExt;
use calsync_core::engine::Engine;
use calsync_core::report::Report;
use calsync_core::{ErrorKind, Result as Outcome};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::time::Duration;

/// What a history came to.
#[derive(Debug)]
pub struct History {
    /// Its seed.
    pub seed: u64,
    /// A hash of everything that was asked of Google and of what the store holds at the end.
    pub trace: String,
    /// Steps of all runs.
    pub gates: u64,
    /// Requests that Google handled.
    pub requests: u64,
    /// Crashes.
    pub crashes: u64,
    /// What users did.
    pub edits: u64,
    /// Access tokens that were asked for with a grant.
    pub refreshes: u64,
    /// How often a grant was taken back or given again.
    pub deeds: u64,
}

/// Plays a seed's history from its beginning to its end.
///
/// # Errors
/// The invariant that it breaks.
pub fn run_history(seed: u64, settings: WorldSettings, watch: Option<Watch>) -> Result<History, Violation> {
    let mut world = World::new(seed, settings, watch);
    let desk = world.desk();
    let mut play = Play {
        world,
        settings,
        users: Users::default(),
        desk,
        pool: Vec::new(),
        crashes: 0,
        gates: 0,
        deeds: 0,
    };
    // Where several are at it, a step has two and a half of them.
    let steps = if settings.workers_max > 1 { settings.steps * 3 / 4 } else { settings.steps };
    for step in 0..steps {
        play.step(step)?;
    }
    play.rest()?;
    let Play { world, users, crashes, gates, deeds, .. } = play;
    let google = world.google();
    let mut trace = Sha256::new();
    for entry in google.journal() {
        trace.update(entry.method.as_bytes());
        trace.update(entry.path.as_bytes());
        trace.update(format!("{:?}", entry.query).as_bytes());
        trace.update(entry.status.to_le_bytes());
        trace.update(&entry.request);
        trace.update(&entry.answer);
    }
    trace.update(world.store.snapshot().to_string().as_bytes());
    let trace = trace.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let requests = google.requests();
    drop(google);
    let refreshes = world.refreshes().count();
    Ok(History { seed, trace, gates, requests, crashes, edits: users.count(), refreshes, deeds })
}

struct Play {
    world: World,
    settings: WorldSettings,
    users: Users,
    desk: Engine,
    /// Processes that live on from step to step.
    pool: Vec<(Engine, Arc<Gate>)>,
    crashes: u64,
    gates: u64,
    deeds: u64,
}

/// What one of several at once came to.
enum Did {
    Ran(Box<Outcome<Report>>),
    Stands(Outcome<Standing>),
}

impl Play {
    fn step(&mut self, step: u64) -> Result<(), Violation> {
        let settings = self.settings;
        let Self { world, users, desk, .. } = self;
        world.clock.advance(Duration::from_secs(60 + world.chance.below(3600)));
        for _ in 0..world.chance.below(4) {
            users.act(world, desk, step);
        }
        for line in users.log.drain(..) {
            world.tell(&line);
        }
        if world.connected {
            self.people_come_and_go()?;
        }
        let world = &mut self.world;
        if world.chance.below(3) == 0 {
            return Ok(());
        }
        world.set_rates(settings.faults);
        let crashed = if settings.workers_max > 1 { self.run_together(step)? } else { self.run_alone(step)? };
        self.world.set_rates(FaultRates::default());
        self.crashes += crashed;
        if crashed > 0 {
            // Somebody else takes over once the lease has run out.
            self.world.clock.advance(Duration::from_secs(180));
        }
        self.world.look_at_grants()?;
        if self.world.chance.below(6) == 0 {
            self.rest()?;
        }
        Ok(())
    }

    fn rest(&mut self) -> Result<(), Violation> {
        self.world.settle_grants()?;
        self.world.come_to_rest()?;
        self.world.look_at_grants()?;
        if let Err(violation) = oracle::check(&self.world, &self.desk, &self.users) {
            self.world.tell_everything();
            return Err(violation);
        }
        self.users.rested();
        Ok(())
    }

    fn people_come_and_go(&mut self) -> Result<(), Violation> {
        let world = &mut self.world;
        for person in PEOPLE {
            match world.standing(person) {
                Standing::Connected if world.chance.below(24) == 0 => world.leaves(person),
                Standing::Away | Standing::Unsure if world.chance.below(3) == 0 => world.connects(person)?,
                _ => continue,
            }
            self.deeds += 1;
        }
        Ok(())
    }

    /// One run by itself; how many processes crashed.
    fn run_alone(&mut self, step: u64) -> Result<u64, Violation> {
        let Self { world, users, desk, settings, .. } = self;
        let at = world.chance.below(CALENDARS.len() as u64) as usize;
        let binding = world.bindings[at].clone();
        let (engine, gate) = world.process(true);
        may_crash(world, settings, &gate);
        let chance = Arc::clone(&world.chance);
        let ended = drive(&gate, review::run(&engine, &binding, &chance), || {
            if settings.between && world.chance.below(40) == 0 {
                users.act(world, desk, step);
            }
        });
        self.gates += gate.passed();
        match ended {
            Ended::Crashed => Ok(1),
            Ended::Finished(ended) => told(world, ended).map(|()| 0),
        }
    }

    /// Up to four workers at the same time, and perhaps somebody who connects; how many processes crashed.
    fn run_together(&mut self, step: u64) -> Result<u64, Violation> {
        let Self { world, users, desk, settings, pool, .. } = self;
        let count = 1 + world.chance.below(settings.workers_max) as usize;
        while pool.len() < count {
            pool.push(world.process(true));
        }
        let chance = Arc::clone(&world.chance);
        // Two of them may be in one process.
        let crew: Vec<_> = (0..count)
            .map(|worker| {
                let process = if chance.below(4) == 0 { 0 } else { worker };
                (pool[process].clone(), world.bindings[chance.below(CALENDARS.len() as u64) as usize].clone())
            })
            .collect();
        let gates: Vec<Arc<Gate>> = crew.iter().map(|((_, gate), _)| Arc::clone(gate)).collect();
        let before: u64 = pool.iter().map(|(_, gate)| gate.passed()).sum();
        for (_, gate) in pool.iter() {
            may_crash(world, settings, gate);
        }
        let somebody = (settings.connected && chance.below(3) == 0).then(|| {
            let person = PEOPLE[chance.below(PEOPLE.len() as u64) as usize];
            world.stands(person, Standing::Unsure);
            world.refreshes().changes(person, true);
            let (connections, gate) = world.web_process();
            may_crash(world, settings, &gate);
            (person, Deed::any(&chance), connections, gate)
        });
        let browser = world.browser();
        let mut workers: Vec<Worker<'_, Did>> = (crew.iter())
            .map(|((engine, gate), binding)| {
                let chance = &chance;
                Worker::new(
                    gate,
                    async move { Did::Ran(Box::new(review::run(engine, binding, chance).await)) },
                )
            })
            .collect();
        if let Some((person, deed, connections, gate)) = &somebody {
            let (browser, gates, chance) = (&browser, &gates, &chance);
            workers.push(Worker::new(gate, async move {
                let host = (connections, gate);
                Did::Stands(grants::act(*deed, person, host, browser, gates, chance).await)
            }));
        }
        let seldom = 40 * workers.len() as u64;
        let ended = drive_together(workers, &chance, || {
            if settings.between && chance.below(seldom) == 0 {
                users.act(world, desk, step);
            }
        });
        let mut crashed = 0;
        for ended in ended {
            match ended {
                Ended::Crashed => crashed += 1,
                Ended::Finished(Did::Ran(ended)) => told(world, *ended)?,
                Ended::Finished(Did::Stands(standing)) => {
                    if let (Ok(standing), Some((person, ..))) = (standing, &somebody) {
                        world.stands(person, standing);
                    }
                }
            }
        }
        if let Some((person, ..)) = &somebody {
            world.refreshes().changes(person, false);
            self.deeds += 1;
        }
        self.gates += pool.iter().map(|(_, gate)| gate.passed()).sum::<u64>() - before;
        for (_, gate) in pool.iter().filter(|(_, gate)| !gate.crashed()) {
            gate.open();
        }
        pool.retain(|(_, gate)| !gate.crashed());
        Ok(crashed)
    }
}

/// Some processes crash: anywhere, or when Google was asked for a new token.
fn may_crash(world: &World, settings: &WorldSettings, gate: &Gate) {
    if world.chance.below(1000) >= settings.crashes {
        return;
    }
    if settings.connected && world.chance.below(3) == 0 {
        gate.crash_in_a_refresh(1 + world.chance.below(6));
    } else {
        gate.crash_after(1 + world.chance.below(60));
    }
}

/// What became of a run while things went wrong around it.
fn told(world: &World, ended: Outcome<Report>) -> Result<(), Violation> {
    match ended {
        Ok(report) => world.tell(&report),
        Err(error) if expected(error.kind()) => world.tell(&error),
        Err(error) => return Err(Violation::new("C15", format!("a run failed: {error}"))),
    }
    Ok(())
}

/// What a run may fail with while things go wrong around it; the next one goes on.
fn expected(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::Unavailable
            | ErrorKind::RateLimited
            | ErrorKind::Unauthorized
            | ErrorKind::Protocol
            | ErrorKind::CursorExpired
            | ErrorKind::LeaseLost
            | ErrorKind::Limit
    )
}
