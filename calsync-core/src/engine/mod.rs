//! The only place where provider, host, store and clock meet.
//!
//! A run observes both sides, decides, commits, and pushes, in bounded passes: each pass starts from what is stored, so that a
//! run that was killed anywhere is continued by the next one. The engine spawns nothing and waits on nothing but the traits
//! it was given; a simulation can poll it on an executor of its own and crash it by dropping the future.

mod act;
mod adopt;
mod appointments;
mod bind;
mod builder;
mod bulk;
mod deliver;
mod discreet;
mod doubt;
mod guard;
mod halt;
mod history;
mod hours;
mod judge;
mod line;
mod look;
mod newcomers;
mod observe;
mod pages;
mod plan;
mod push;
mod run;
#[cfg(test)]
mod tests;
mod unbind;

pub use appointments::{Appointments, Shown};
pub use builder::EngineBuilder;
pub use history::HistoryEntry;
pub use plan::{Imported, Match, Plan, PlanRow, PlanRows, RowState};
pub use unbind::{Made, NotDeleted, Unbound};

use crate::clock::{Clock, Entropy};
use crate::error::{Error, ErrorKind, Result};
use crate::host::Host;
use crate::hours::{Schedules, Words};
use crate::id::{ProviderName, Tenant};
use crate::provider::Provider;
use crate::store::Store;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Keeps the bindings of one tenant in step. Cheap to clone; clones share everything.
#[derive(Clone, Debug)]
pub struct Engine {
    tenant: Tenant,
    shared: Arc<Shared>,
}

/// Where a provider comes from.
enum Source {
    /// One for every tenant.
    One(Arc<dyn Provider>),
    /// One for each.
    PerTenant(Box<PerTenant>),
}

type PerTenant = dyn Fn(&Tenant) -> Result<Arc<dyn Provider>> + Send + Sync;

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(provider) => provider.fmt(f),
            Self::PerTenant(_) => f.write_str("PerTenant"),
        }
    }
}

#[derive(Debug)]
struct Shared {
    store: Arc<dyn Store>,
    host: Option<Arc<dyn Host>>,
    schedules: Option<Arc<dyn Schedules>>,
    words: Words,
    providers: BTreeMap<ProviderName, Source>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    settings: Settings,
}

#[derive(Clone, Copy, Debug)]
struct Settings {
    run_time_max: Duration,
    lease_ttl: Duration,
    page_records_max: usize,
    passes_max: u32,
}

impl Engine {
    /// Starts building an engine over a store.
    pub fn builder(store: impl Store) -> EngineBuilder {
        EngineBuilder::new(Arc::new(store))
    }

    /// As [`Engine::builder`], over a store that is shared with others.
    pub fn builder_shared(store: Arc<dyn Store>) -> EngineBuilder {
        EngineBuilder::new(store)
    }

    /// The same engine for another tenant. No handle sees two tenants.
    pub fn for_tenant(&self, tenant: impl Into<Tenant>) -> Self {
        Self { tenant: tenant.into(), shared: Arc::clone(&self.shared) }
    }

    /// Whose data this handle sees.
    pub fn tenant(&self) -> &Tenant {
        &self.tenant
    }

    /// The store below.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.shared.store
    }

    fn provider(&self, name: &ProviderName) -> Result<Arc<dyn Provider>> {
        match self.shared.providers.get(name) {
            Some(Source::One(provider)) => Ok(Arc::clone(provider)),
            Some(Source::PerTenant(provider)) => provider(&self.tenant),
            None => Err(Error::new(ErrorKind::Config, "the engine has no such provider")
                .with("provider", name)
                .cure("Add it with EngineBuilder::provider under the name that the binding uses.")),
        }
    }
}
