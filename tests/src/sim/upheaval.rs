//! What befalls a store as a whole: it goes back to an older copy, it is lost, or a copy of it goes on by itself.
//!
//! Where the CRM has tables of its own, only what calsync knows goes back or is lost: every value that somebody wrote must
//! still be there or be kept, and nothing may be doubled. Where the appointments are in the same store, they go back as well;
//! nothing is claimed then about what was touched since, but that both sides are the same again, that there is nothing twice,
//! and that nobody is mailed.
//!
//! Two things cannot be known from what is left, and are not claimed. A store that is lost takes along what both sides last
//! agreed on, so that of two different values nobody knows which is newer: the policy decides, and a deletion that had not
//! reached the other side is not seen. And a copy from before both sides were last the same would bring back such a conflict
//! about what was settled then; copies are therefore taken since.
//!
//! A store that is lost comes again under the same name of the installation, from which the ids of events follow. Under another
//! one, meetings are recognised by what they are; that is shown in `tests/failures/adoption.rs`.

use super::crm::CrmTables;
use super::gate::{Ended, drive, now};
use super::oracle::Violation;
use super::user::Users;
use super::world::{CALENDARS, World};
use calsync_core::binding::Binding;
use calsync_core::clock::EntropyExt;
use calsync_core::store::{MemoryStore, Store};
use std::time::Duration;

/// A store, with the tables of the CRM where they are not in it.
#[derive(Debug)]
struct Copy {
    store: MemoryStore,
    crm: Option<CrmTables>,
    bindings: Vec<Binding>,
    /// How much had been touched.
    trail: usize,
}

/// The copies of a world's store.
#[derive(Debug, Default)]
pub(super) struct Copies {
    older: Vec<Copy>,
    /// A second installation, made from a copy, on the same calendars.
    twin: Option<Copy>,
}

impl Copies {
    /// Somebody makes a backup.
    pub(super) fn back_up(&mut self, world: &World, users: &Users) {
        if self.older.len() == 4 {
            self.older.remove(0);
        }
        self.older.push(copy(world, users));
    }

    /// Both sides are the same: what is older is no backup any more.
    pub(super) fn rested(&mut self) {
        self.older.clear();
    }

    /// The store is an older copy of itself.
    pub(super) fn go_back(&mut self, world: &mut World, users: &mut Users) {
        self.keep_journal(world, users);
        let at = world.chance.below(self.older.len().max(1) as u64) as usize;
        let Some(old) = self.older.get(at) else { return };
        world.store = old.store.copy();
        world.bindings.clone_from(&old.bindings);
        if world.crm.is_none() {
            let since: Vec<String> = users.trail[old.trail..].to_vec();
            for entity in since {
                users.loosen(&entity, "the CRM went back to before this");
            }
        }
        world.tell(&"the store is an older copy of itself");
    }

    /// The store is empty, and everything is bound anew.
    pub(super) fn lose(&mut self, world: &mut World, users: &mut Users) {
        self.keep_journal(world, users);
        self.older.clear();
        world.store = world.empty_store();
        if world.connected {
            world.everybody_connects();
        }
        world.bind();
        let unsettled: Vec<String> = users.touched.iter().cloned().collect();
        for entity in unsettled {
            users.loosen(&entity, "calsync forgot what it was");
        }
        // What is edited or deleted from now on may meet the time in which calsync knows nothing.
        let all = users.trail.clone();
        users.vague.extend(all.iter().cloned());
        users.touched.extend(all);
        world.tell(&"the store is lost, and everything is bound anew");
    }

    /// Somebody makes a second installation out of a copy. It syncs the one calendar of an agent who has one: what two
    /// installations make of an agent's two calendars, each of them mirrors into the other.
    pub(super) fn copy_on(&mut self, world: &mut World, users: &Users) {
        if self.twin.is_none() {
            self.twin = Some(copy(world, users));
        }
        self.run_twin(world);
    }

    /// The second installation runs, if there is one; whether it wrote anything.
    pub(super) fn run_twin(&mut self, world: &mut World) -> bool {
        let at = CALENDARS.len() - 1;
        let Some(twin) = &self.twin else { return false };
        let writes = world.writes();
        // Each of the two has tokens of its own.
        world.refreshes().none_is_good_any_more();
        let (engine, gate) = world.process_of(twin.store.clone(), twin.crm.clone(), false);
        let binding = twin.bindings[at].clone();
        let mut wrote = true;
        if let Ended::Finished(ended) = drive(&gate, engine.run(&binding), || ()) {
            match ended {
                Ok(report) => {
                    wrote = report.wrote();
                    for held in &report.held {
                        let _ = now(engine.confirm(&binding, held));
                        wrote = true;
                    }
                    world.tell(&format!("the copy: {report}"));
                }
                Err(error) => world.tell(&format!("the copy: {error}")),
            }
        }
        world.refreshes().none_is_good_any_more();
        wrote || world.writes() > writes
    }

    /// The second installation is done with: it and the first come to rest with each other, and it goes.
    ///
    /// # Errors
    /// They do not: C5.
    pub(super) fn part(&mut self, world: &mut World, users: &mut Users) -> Result<(), Violation> {
        if self.twin.is_none() {
            return Ok(());
        }
        for _ in 0..12 {
            let mut wrote = false;
            world.clock.advance(Duration::from_secs(3 * 3600));
            wrote |= self.run_twin(world);
            for at in 0..CALENDARS.len() {
                let writes = world.writes();
                let report = world.run_calmly(at);
                wrote |= !report.is_ok_and(|report| !report.wrote()) || world.writes() > writes;
            }
            if !wrote {
                if let Some(twin) = self.twin.take() {
                    keep_journal(&twin.store, &twin.bindings, users);
                }
                return Ok(());
            }
        }
        world.tell_everything();
        Err(Violation::new("C5", "two installations on one calendar do not come to rest"))
    }

    fn keep_journal(&self, world: &World, users: &mut Users) {
        keep_journal(&world.store, &world.bindings, users);
    }
}

fn copy(world: &World, users: &Users) -> Copy {
    let crm = world.crm.as_ref().map(CrmTables::copy);
    Copy { store: world.store.copy(), crm, bindings: world.bindings.clone(), trail: users.trail.len() }
}

/// What a store kept of lost values was kept, wherever the store is now.
fn keep_journal(store: &MemoryStore, bindings: &[Binding], users: &mut Users) {
    for binding in bindings {
        users
            .kept
            .extend(now(store.journal(&"default".into(), &binding.id, None, 100_000)).unwrap_or_default());
    }
}
