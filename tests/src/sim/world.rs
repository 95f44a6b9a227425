//! The world of one history: a CRM, Google, and processes that come and go.

use super::crm::{CrmTables, SimHost};
use super::gate::{Ended, Gate, SimClock, SimStore, drive, now};
use super::grants::{CLIENT, REDIRECT, Rotation, Standing, nobody};
use super::oracle::Violation;
use super::refreshes::Refreshes;
use super::transport::{FaultRates, SimTransport, Watch};
use crate::fake_google::{Behaviour, ExceptionPolicy, FakeGoogle};
use crate::marked::{CLIENT_SECRET, refresh_token};
use calsync_core::binding::{Binding, EditOrDelete, Policy};
use calsync_core::clock::{Clock, EntropyExt, SeededEntropy};
use calsync_core::engine::Engine;
use calsync_core::limits::Allowance;
use calsync_core::plan::Waiting;
use calsync_core::provider::Mail;
use calsync_core::report::Report;
use calsync_core::store::{MemoryStore, Store};
use calsync_core::{ErrorKind, Secret};
use calsync_google::{Endpoints, Google, OAuthClient};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

/// The calendars of the world: two of one agent, one of another.
pub(super) const CALENDARS: [(&str, &str); 3] = [
    ("amy@example.com", "amy@example.com"),
    ("amy@example.com", "amy-team@group.calendar.google.com"),
    ("bob@example.com", "bob@example.com"),
];

/// Where Google is.
pub(super) const GOOGLE: &str = "http://127.0.0.1:1";

/// What kind of history it is.
#[derive(Clone, Copy, Debug)]
pub struct WorldSettings {
    /// Steps of the history.
    pub steps: u64,
    /// How often requests fail while it lasts.
    pub faults: FaultRates,
    /// In thousandths of all runs: the process crashes somewhere in it.
    pub crashes: u64,
    /// Whether users edit between two steps of a run.
    pub between: bool,
    /// Whether users split series ("this and following"), on either side and at any moment.
    pub splits: bool,
    /// Whether the CRM has tables of its own.
    pub own_tables: bool,
    /// What one run, and one hour, may delete on each side.
    pub deletions_max: Allowance,
    /// Whether people connect their accounts; otherwise each process is given a refresh token that always works.
    pub connected: bool,
    /// What Google makes of their refresh tokens.
    pub rotation: Rotation,
    /// How many workers may be at it at the same time.
    pub workers_max: u64,
}

/// The settings that all bindings of a world share.
#[derive(Clone, Copy, Debug)]
struct Terms {
    policy: Policy,
    edit_or_delete: EditOrDelete,
    mail: Mail,
    deletions_max: Allowance,
}

impl WorldSettings {
    /// What a seed stands for: calm, faulty, crashing, and everything at once, in turn.
    pub fn of(seed: u64) -> Self {
        let faults = FaultRates {
            lost_request: 15,
            lost_answer: 30,
            cut_answer: 10,
            unavailable: 20,
            rate_limited: 10,
            rate_forbidden: 10,
            tokens_expire: 5,
            sync_tokens_expire: 10,
            html: 5,
        };
        let calm = FaultRates { sync_tokens_expire: 10, ..FaultRates::default() };
        let splits = !(seed / 4).is_multiple_of(4);
        let own_tables = (seed / 16).is_multiple_of(3);
        let deletions_max = Allowance { count: 1_000, percent: 100 };
        let connected = seed % 3 < 2;
        let rotation = match seed % 7 {
            0..=2 => Rotation::Never,
            3 | 4 => Rotation::EndsWithUse,
            5 => Rotation::Grace,
            _ => Rotation::EndsAtOnce,
        };
        let workers_max = if connected && seed % 11 < 6 { 4 } else { 1 };
        let (steps, faults, crashes, between) = match seed % 4 {
            0 => (14, calm, 0, false),
            1 => (16, faults, 0, true),
            2 => (16, calm, 600, true),
            _ => (20, faults, 400, true),
        };
        Self {
            steps,
            faults,
            crashes,
            between,
            splits,
            own_tables,
            deletions_max,
            connected,
            rotation,
            workers_max,
        }
    }
}

/// A CRM, Google, and what is between them.
#[derive(Debug)]
pub struct World {
    /// The seed it follows.
    pub seed: u64,
    /// Its time.
    pub clock: Arc<SimClock>,
    /// Its chance, for everything but the engine's own.
    pub chance: Arc<SeededEntropy>,
    /// Google.
    pub fake: Arc<Mutex<FakeGoogle>>,
    /// What survives a crash.
    pub store: MemoryStore,
    /// The CRM, where it has tables of its own; otherwise its appointments are in `store`.
    pub crm: Option<CrmTables>,
    /// How requests fail at present.
    pub rates: Arc<Mutex<FaultRates>>,
    /// The bindings.
    pub bindings: Vec<Binding>,
    /// Sees every exchange with Google.
    pub watch: Option<Watch>,
    /// Whether people split series ("this and following").
    pub splits: bool,
    /// The events that were deleted without a trace, whose ids are free again.
    pub purged: BTreeSet<String>,
    /// Whether it is told what happens. Default: whether `CALSYNC_SIM_TRACE` is set.
    pub aloud: bool,
    /// Whether people connect their accounts.
    pub connected: bool,
    pub(super) rotation: Rotation,
    pub(super) standings: BTreeMap<&'static str, Standing>,
    refreshes: Arc<Mutex<Refreshes>>,
    incarnation: u64,
    terms: Terms,
}

impl World {
    /// The world at the beginning of a seed's history.
    ///
    /// # Panics
    /// When the pieces do not fit together, which is a bug of the test.
    #[allow(clippy::expect_used)]
    pub fn new(seed: u64, settings: WorldSettings, watch: Option<Watch>) -> Self {
        let clock = SimClock::new("2026-10-20T08:00:00Z".parse().expect("a time"));
        let chance = Arc::new(SeededEntropy::new(seed ^ 0x5eed));
        let mut fake = FakeGoogle::new();
        for (owner, calendar) in CALENDARS {
            if owner == calendar {
                fake.account(owner);
            } else {
                fake.calendar(owner, calendar, "Team");
            }
            fake.set_zone(calendar, "America/New_York");
        }
        fake.oauth_client("client", CLIENT_SECRET);
        for (owner, _) in CALENDARS {
            fake.refresh_token(
                &refresh_token(owner),
                "client",
                owner,
                &["https://www.googleapis.com/auth/calendar"],
            );
        }
        *fake.behaviour_mut() = behaviour(fake.behaviour().clone(), &chance);
        if settings.connected {
            settings.rotation.set(fake.behaviour_mut());
            fake.oauth_client(CLIENT, CLIENT_SECRET).redirect_uris = vec![REDIRECT.to_owned()];
            fake.set_base_url(GOOGLE);
        }
        let store = MemoryStore::new(clock.clone(), format!("installation-{seed}").into());
        let crm = settings
            .own_tables
            .then(|| CrmTables::new(MemoryStore::new(clock.clone(), format!("crm-{seed}").into())));
        let policy = [Policy::Remote, Policy::Local, Policy::Newest][chance.below(3) as usize];
        let edit_or_delete =
            [EditOrDelete::EditWins, EditOrDelete::DeleteWins][usize::from(chance.below(4) == 0)];
        let mail = if seed.is_multiple_of(5) { Mail::Guests } else { Mail::Nobody };
        let terms = Terms { policy, edit_or_delete, mail, deletions_max: settings.deletions_max };
        let mut world = Self {
            seed,
            clock,
            chance,
            fake: Arc::new(Mutex::new(fake)),
            store,
            crm,
            rates: Arc::default(),
            bindings: Vec::new(),
            watch,
            splits: settings.splits,
            purged: BTreeSet::new(),
            aloud: std::env::var_os("CALSYNC_SIM_TRACE").is_some(),
            connected: settings.connected,
            rotation: settings.rotation,
            standings: nobody(),
            refreshes: Arc::default(),
            incarnation: 0,
            terms,
        };
        if world.connected {
            world.everybody_connects();
        }
        world.bind();
        world
    }

    /// A store of this installation in which there is nothing.
    pub(super) fn empty_store(&self) -> MemoryStore {
        MemoryStore::new(self.clock.clone(), format!("installation-{}", self.seed).into())
    }

    /// Binds all calendars in a store that knows nothing of them.
    ///
    /// # Panics
    /// As [`World::new`].
    #[allow(clippy::expect_used)]
    pub(super) fn bind(&mut self) {
        let (engine, _) = self.process(false);
        let Terms { policy, edit_or_delete, mail, deletions_max } = self.terms;
        self.bindings.clear();
        for (agent, calendar) in CALENDARS {
            let new = Binding::two_way(agent)
                .to(if self.connected { "google" } else { agent }, calendar)
                .policy(policy)
                .edit_or_delete(edit_or_delete)
                .mail(mail)
                .push_past(true)
                .deletions_max(deletions_max);
            self.bindings.push(now(engine.bind(new)).expect("a binding"));
        }
    }

    /// The appointments of the CRM, wherever they are.
    pub(super) fn appointments(&self) -> &MemoryStore {
        self.crm.as_ref().map_or(&self.store, |crm| &crm.appointments)
    }

    /// Where the CRM's users sit: an engine that has nothing but the appointments.
    #[allow(clippy::expect_used)]
    pub(super) fn desk(&mut self) -> Engine {
        let entropy = self.entropy();
        let builder = Engine::builder(self.appointments().clone());
        builder.clock(self.clock.clone()).entropy(entropy).build().expect("an engine")
    }

    /// A process: an engine with its own gate. Everything it knows is in the store.
    ///
    /// # Panics
    /// As [`World::new`].
    #[allow(clippy::expect_used)]
    pub fn process(&mut self, yields: bool) -> (Engine, Arc<Gate>) {
        self.process_of(self.store.clone(), self.crm.clone(), yields)
    }

    /// A process that works with another store.
    #[allow(clippy::expect_used)]
    pub(super) fn process_of(
        &mut self,
        store: MemoryStore,
        crm: Option<CrmTables>,
        yields: bool,
    ) -> (Engine, Arc<Gate>) {
        let gate = Gate::new(yields);
        let entropy = self.entropy();
        let store: Arc<dyn Store> = Arc::new(SimStore { inner: store, tap: Arc::clone(&gate) });
        let mut builder = Engine::builder_shared(Arc::clone(&store))
            .clock(self.clock.clone())
            .entropy(entropy.clone())
            .page_records_max(3);
        if let Some(crm) = crm {
            builder = builder.host(SimHost { crm, gate: Arc::clone(&gate) });
        }
        if self.connected {
            let connections = self.connections(store, &gate, &self.rates, &entropy);
            builder = builder.provider_per_tenant("google", connections.providers());
            return (builder.build().expect("an engine"), gate);
        }
        for (owner, _) in CALENDARS {
            let client = OAuthClient { id: "client".into(), secret: Secret::new(CLIENT_SECRET) };
            let google = Google::refresh_token(client, Secret::new(refresh_token(owner)))
                .endpoints(Endpoints::under(GOOGLE).expect("an address"))
                .transport(Arc::new(self.transport(&gate, &self.rates)))
                .clock(self.clock.clone())
                .entropy(entropy.clone())
                .page_size(4)
                .build()
                .expect("a provider");
            builder = builder.provider(owner, google);
        }
        (builder.build().expect("an engine"), gate)
    }

    /// Chance for one process.
    pub(super) fn entropy(&mut self) -> Arc<SeededEntropy> {
        self.incarnation += 1;
        Arc::new(SeededEntropy::new(self.seed.wrapping_mul(1_000_003) ^ self.incarnation))
    }

    /// The way of a process to Google.
    pub(super) fn transport(&self, gate: &Arc<Gate>, rates: &Arc<Mutex<FaultRates>>) -> SimTransport {
        SimTransport {
            fake: Arc::clone(&self.fake),
            clock: self.clock.clone(),
            gate: Arc::clone(gate),
            rates: Arc::clone(rates),
            refreshes: Arc::clone(&self.refreshes),
            chance: Arc::clone(&self.chance),
            watch: self.watch,
        }
    }

    /// What is known of tokens that were given anew.
    pub(super) fn refreshes(&self) -> MutexGuard<'_, Refreshes> {
        self.refreshes.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Google.
    pub fn google(&self) -> MutexGuard<'_, FakeGoogle> {
        self.fake.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub(super) fn set_rates(&self, rates: FaultRates) {
        *self.rates.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = rates;
    }

    /// Prints what happens, in a history that is told aloud.
    pub(super) fn tell(&self, what: &dyn std::fmt::Display) {
        if self.aloud {
            println!("{what}");
        }
    }

    /// Prints both sides as they are, in a history that is told aloud.
    pub(super) fn tell_everything(&self) {
        for (_, calendar) in CALENDARS {
            for event in self.google().events(calendar) {
                self.tell(&format!("{calendar} {event}"));
            }
        }
        for entry in self.google().journal().iter().filter(|entry| entry.method != "GET") {
            let (request, answer) =
                (String::from_utf8_lossy(&entry.request), String::from_utf8_lossy(&entry.answer));
            self.tell(&format!("{} {} {} {request} -> {answer}", entry.method, entry.path, entry.status));
        }
        let store = self.store.snapshot();
        let crm = self.appointments().snapshot();
        for row in crm["tenants"]["default"]["own"].as_array().into_iter().flatten() {
            self.tell(&format!("CRM {}", row["record"]));
        }
        for (binding, rows) in store["tenants"]["default"]["rows"].as_object().into_iter().flatten() {
            for kind in ["links", "remote", "marks", "outbox", "journal"] {
                for row in rows[kind].as_array().into_iter().flatten() {
                    self.tell(&format!("{binding} {kind} {row}"));
                }
            }
        }
    }

    /// Runs one binding without disturbance.
    ///
    /// # Errors
    /// What the run failed with.
    pub fn run_calmly(&mut self, at: usize) -> calsync_core::Result<Report> {
        let (engine, gate) = self.process(false);
        let binding = self.bindings[at].clone();
        self.clock.advance(Duration::from_secs(600));
        match drive(&gate, engine.run(&binding), || ()) {
            Ended::Finished(result) => result,
            Ended::Crashed => Err(calsync_core::Error::new(ErrorKind::Invariant, "nothing was to crash")),
        }
    }

    /// Writes that were carried out so far: to Google, and to a CRM with tables of its own.
    pub(super) fn writes(&self) -> usize {
        let to_google = self.google().journal().iter().filter(|entry| entry.wrote()).count();
        to_google + self.crm.as_ref().map_or(0, CrmTables::writes)
    }

    /// Runs everything until nothing changes any more.
    ///
    /// # Errors
    /// The invariant that does not hold: it must come to rest within a few rounds, and then write nothing.
    pub fn come_to_rest(&mut self) -> Result<(), Violation> {
        self.set_rates(FaultRates::default());
        // What waits for its time, waits for an hour at the most.
        self.clock.advance(Duration::from_secs(2 * 3600));
        let mut quiet = 0;
        // A round in which somebody took a deselection back does not count, up to four.
        let mut taken_back = 0;
        for round in 0..14 {
            if round - taken_back.min(4) >= 10 {
                break;
            }
            let before = self.writes();
            let (mut wrote, mut taken) = (false, false);
            for at in 0..self.bindings.len() {
                let report = self
                    .run_calmly(at)
                    .map_err(|e| Violation::new(failed(e.kind()), format!("a calm run failed: {e}")))?;
                wrote |= report.wrote();
                self.tell(&report);
                if report.waiting.contains_key(&Waiting::Deselected) {
                    self.take_back(at)?;
                    taken = true;
                    continue;
                }
                let undecided =
                    report.warnings.iter().any(|warning| warning.contains("left for the next run"));
                if !report.waiting.is_empty() || undecided {
                    return Err(Violation::new("C1", format!("something waits: {report}")));
                }
            }
            taken_back += i32::from(taken);
            quiet = if wrote || taken || self.writes() > before { 0 } else { quiet + 1 };
            if quiet == 1 {
                return Ok(());
            }
        }
        self.tell_everything();
        Err(Violation::new("C1", "it does not come to rest"))
    }
}

/// The promise that a run breaks which fails although nothing disturbs it: everybody is connected then.
fn failed(kind: ErrorKind) -> &'static str {
    if kind == ErrorKind::Unauthorized { "S7" } else { "C15" }
}

/// Undocumented behaviour is drawn: calsync must get along with either.
fn behaviour(mut behaviour: Behaviour, chance: &SeededEntropy) -> Behaviour {
    let flip = || chance.below(2) == 0;
    behaviour.cancelled_masters_listed = flip();
    behaviour.list_exceptions_of_deleted_series = flip();
    behaviour.master_write_touches_exceptions = flip();
    behaviour.unchanged_write_alters_etag = flip();
    behaviour.exceptions_on_master_change =
        if flip() { ExceptionPolicy::Keep } else { ExceptionPolicy::Reset };
    behaviour
}

/// The CRM's appointments, for whoever looks into them.
pub(super) fn store(world: &World) -> &dyn Store {
    world.appointments()
}

/// The world's time.
pub(super) fn time(world: &World) -> chrono::DateTime<chrono::Utc> {
    world.clock.now()
}
