//! Settings of an engine.

use super::{Engine, Settings, Shared, Source};
use crate::clock::{Clock, Entropy};
use crate::error::{Error, ErrorKind, Result};
use crate::host::Host;
use crate::hours::{Schedules, Words};
use crate::id::{ProviderName, Tenant};
use crate::provider::Provider;
use crate::store::Store;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Builds an [`Engine`]. Nothing is connected or read before the first run.
#[derive(Debug)]
pub struct EngineBuilder {
    store: Arc<dyn Store>,
    host: Option<Arc<dyn Host>>,
    schedules: Option<Arc<dyn Schedules>>,
    words: Words,
    providers: BTreeMap<ProviderName, Source>,
    clock: Option<Arc<dyn Clock>>,
    entropy: Option<Arc<dyn Entropy>>,
    tenant: Tenant,
    settings: Settings,
}

impl EngineBuilder {
    pub(super) fn new(store: Arc<dyn Store>) -> Self {
        Self {
            store,
            host: None,
            schedules: None,
            words: Words::english(),
            providers: BTreeMap::new(),
            clock: None,
            entropy: None,
            tenant: "default".into(),
            settings: Settings {
                run_time_max: Duration::from_secs(300),
                lease_ttl: Duration::from_secs(120),
                page_records_max: 500,
                passes_max: 8,
            },
        }
    }

    /// Adds a provider under the name that bindings use.
    pub fn provider(mut self, name: impl Into<ProviderName>, provider: impl Provider) -> Self {
        self.providers.insert(name.into(), Source::One(Arc::new(provider)));
        self
    }

    /// Adds a provider under the name that bindings use, where each tenant has credentials of its own. It is asked for with every
    /// run, so that what was set since holds; it should hand out the same one as long as nothing was.
    pub fn provider_per_tenant(
        mut self,
        name: impl Into<ProviderName>,
        provider: impl Fn(&Tenant) -> Result<Arc<dyn Provider>> + Send + Sync + 'static,
    ) -> Self {
        self.providers.insert(name.into(), Source::PerTenant(Box::new(provider)));
        self
    }

    /// The CRM, where it has tables of its own. Default: calsync's own table in the store.
    pub fn host(mut self, host: impl Host) -> Self {
        self.host = Some(Arc::new(host));
        self
    }

    /// Who knows when people work; what is outside of their hours is then told in the reports of runs. Default: the CRM, where it has
    /// tables of its own and knows ([`Host::schedules`]).
    pub fn schedules(mut self, schedules: impl Schedules) -> Self {
        self.schedules = Some(Arc::new(schedules));
        self
    }

    /// How warnings of working hours are worded. Default: English.
    pub fn words(mut self, words: Words) -> Self {
        self.words = words;
        self
    }

    /// Whose data the first handle sees. Default: `default`, for programs with one customer.
    pub fn tenant(mut self, tenant: impl Into<Tenant>) -> Self {
        self.tenant = tenant.into();
        self
    }

    /// Where time comes from. Default: the operating system.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Where chance comes from. Default: the operating system.
    pub fn entropy(mut self, entropy: Arc<dyn Entropy>) -> Self {
        self.entropy = Some(entropy);
        self
    }

    /// How long one run may take; what is left goes on in the next one. Default: five minutes, below the usual interval of a
    /// scheduler.
    pub fn run_time_max(mut self, time: Duration) -> Self {
        self.settings.run_time_max = time;
        self
    }

    /// How long a lease lasts without being renewed: after a crash nobody else runs the binding for that long. Default: two
    /// minutes.
    pub fn lease_ttl(mut self, ttl: Duration) -> Self {
        self.settings.lease_ttl = ttl;
        self
    }

    /// How many records are read and written at once, 1 to 5,000. Default: 500.
    pub fn page_records_max(mut self, records: usize) -> Self {
        self.settings.page_records_max = records;
        self
    }

    /// Checks the settings together.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] naming the setting that cannot work.
    pub fn build(self) -> Result<Engine> {
        let refuse = |setting: &'static str, why: &'static str| {
            Err(Error::new(ErrorKind::Config, why).with("setting", setting))
        };
        if self.settings.page_records_max == 0 || self.settings.page_records_max > 5_000 {
            return refuse("page_records_max", "must be 1 to 5,000");
        }
        if self.settings.lease_ttl < Duration::from_secs(10) {
            return refuse("lease_ttl", "must be ten seconds or more");
        }
        if self.settings.run_time_max.is_zero() {
            return refuse("run_time_max", "must be more than nothing");
        }
        #[cfg(feature = "system")]
        let (clock, entropy) = (
            self.clock.unwrap_or_else(|| Arc::new(crate::clock::SystemClock)),
            self.entropy.unwrap_or_else(|| Arc::new(crate::clock::SystemEntropy)),
        );
        #[cfg(not(feature = "system"))]
        let (clock, entropy) = match (self.clock, self.entropy) {
            (Some(clock), Some(entropy)) => (clock, entropy),
            _ => return refuse("clock", "without the feature `system`, clock and entropy must be given"),
        };
        Ok(Engine {
            tenant: self.tenant,
            shared: Arc::new(Shared {
                store: self.store,
                host: self.host,
                schedules: self.schedules,
                words: self.words,
                providers: self.providers,
                clock,
                entropy,
                settings: self.settings,
            }),
        })
    }
}
