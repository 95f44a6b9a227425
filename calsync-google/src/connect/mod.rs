//! Connecting a tenant to Google, and keeping it connected.
//!
//! ```text
//! client file, service account key → method → consent (or delegation) → grant → access tokens → provider
//! ```
//!
//! [`Connections`] keeps what an administrator uploads and what people consent to, sealed in the vault, tenant by tenant; and it
//! hands the engine a provider that finds the right credential for whoever it acts for. Everything here is a function that any web
//! framework can host: calsync opens no page of its own.
//!
//! ```no_run
//! use calsync_core::clock::SystemEntropy;
//! use calsync_core::provider::Effort;
//! use calsync_core::vault::{KeyFile, Vault};
//! use calsync_core::{Engine, Result, Tenant, store::Store};
//! use calsync_google::OAuthClientFile;
//! use calsync_google::connect::{Connections, Consent, Outcome};
//! use std::sync::Arc;
//!
//! # async fn example(store: Arc<dyn Store>, tenant: Tenant, session_cookie: &str, query: &str) -> Result<()> {
//! let vault = Vault::new(store.clone(), Arc::new(KeyFile::new("master.key")), Arc::new(SystemEntropy));
//! let connections = Connections::builder(store.clone(), Arc::new(vault))
//!     .redirect_uri("https://crm.example.com/google/callback")
//!     .return_targets(["/profile"])
//!     .build()?;
//! let engine = Engine::builder_shared(store).provider_per_tenant("google", connections.providers()).build()?;
//!
//! // The administrator uploads the client's file, once.
//! connections.set_client(&tenant, &OAuthClientFile::from_file("client_secret.json")?).await?;
//! // An agent presses "connect": send the browser to the page's address.
//! let consent = Consent::in_session(session_cookie).of("agent-7").expecting("amy@example.com").return_to("/profile");
//! let page = connections.begin(&tenant, &consent).await?;
//! # let _ = page.url;
//! // The browser comes back to the redirect URI.
//! match connections.finish(query, session_cookie, &Effort::default()).await? {
//!     Outcome::Connected(connected) => println!("{} is connected", connected.account),
//!     Outcome::NotConnected { refusal, .. } => println!("{}", refusal.explain()),
//! }
//! # drop(engine);
//! # Ok(()) }
//! ```
//!
//! Authorised is not enabled: a consent binds nothing by itself. A binding is made, paused and resumed as ever
//! ([`Engine::bind`](calsync_core::Engine::bind)), without touching grant or links.
//!
//! What it promises:
//! * Nothing is stored before the signed-in account is known to be the expected one (S6), and nothing at all of a refused consent.
//! * A consent is asked for with a state of 256 random bits, kept as a hash, good once, for ten minutes, for one tenant, person, browser
//!   session, redirect URI and client (S5); PKCE (S256) always.
//! * A refresh happens once, however many workers want it, and a worker that comes late never overwrites or marks what another one
//!   stored (S7).
//! * Every connection, end of a grant, change of scopes, of the client or of the method, and every disconnection is told once in the
//!   history ([`Audited`], S20), without a secret.
//! * No address of an uploaded file is ever called (S1), no error has more of an answer than its two public words (S9).

mod callback;
mod check;
mod client;
mod consent;
mod desktop;
mod disconnect;
mod grant;
mod invitation;
mod leave;
mod method;
mod redirect;
mod tokens;

pub use callback::{Connected, Outcome, Refusal};
pub use client::{ClientChange, ClientFacts, Configuration};
pub use consent::{Consent, ConsentPage};
pub use desktop::Loopback;
pub use disconnect::Disconnected;
pub use grant::{Cause, Grant, GrantState};
pub use invitation::{InvitationState, Invite, Invited, Opening};
pub use leave::{Departure, Leaving};
pub use method::{Method, ServiceAccountFacts};
pub use redirect::RedirectUri;

use crate::auth::lock;
use crate::config::{Endpoints, PAGE_SIZE, check_page_size};
use crate::provider::Google;
use calsync_core::audit::{AuditEvent, Audited};
use calsync_core::clock::{Clock, Entropy, SystemClock, SystemEntropy};
use calsync_core::http::{Backoff, BaseUrl, ReqwestTransport, Sender, Transport};
use calsync_core::planted::{self, Fault};
use calsync_core::provider::Provider;
use calsync_core::store::Store;
use calsync_core::vault::Vault;
use calsync_core::{Error, ErrorKind, Result, Tenant};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use tokens::TenantTokens;

/// How many rows are read from the store at once.
const ROWS_AT_ONCE: usize = 200;

/// The connections of all tenants to Google. Cheap to clone; clones share everything.
#[derive(Clone, Debug)]
pub struct Connections {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    store: Arc<dyn Store>,
    vault: Arc<Vault>,
    redirect: Option<RedirectUri>,
    /// The name under which the engine has what [`Connections::providers`] makes.
    provider: String,
    /// Where a browser may be sent in the end.
    targets: Vec<String>,
    /// The vendor's own client, for tenants that have none.
    vendor: Option<crate::OAuthClientFile>,
    endpoints: Endpoints,
    transport: Arc<dyn Transport>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    backoff: Backoff,
    page_size: u32,
    tenants: Mutex<BTreeMap<Tenant, PerTenant>>,
}

#[derive(Clone, Debug)]
struct PerTenant {
    tokens: Arc<TenantTokens>,
    provider: Arc<Google>,
}

/// Settings on the way to [`Connections`].
#[derive(Debug)]
pub struct ConnectionsBuilder {
    store: Arc<dyn Store>,
    vault: Arc<Vault>,
    redirect: Option<String>,
    provider: String,
    targets: Vec<String>,
    vendor: Option<crate::OAuthClientFile>,
    endpoints: Endpoints,
    transport: Option<Arc<dyn Transport>>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    backoff: Backoff,
    page_size: u32,
}

impl ConnectionsBuilder {
    /// The redirect URI, whole: with path, sub-directory, and query parameters of its own, such as SuiteCRM's
    /// `https://crm.example.com/index.php?entryPoint=saveGoogleApiKey`. One for all tenants. Default: none, for programs whose only
    /// consents are of desktop clients.
    pub fn redirect_uri(mut self, uri: impl Into<String>) -> Self {
        self.redirect = Some(uri.into());
        self
    }

    /// The name under which the engine has these connections, and bindings name them. Default: `google`.
    pub fn provider_name(mut self, name: impl Into<String>) -> Self {
        self.provider = name.into();
        self
    }

    /// Where a browser may be sent once a consent is over: paths that begin with `/`, or whole addresses. An entry that ends in `/`
    /// allows what is below it. Default: nowhere.
    pub fn return_targets(mut self, targets: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.targets = targets.into_iter().map(Into::into).collect();
        self
    }

    /// The OAuth client of the vendor, for all tenants that bring none of their own. It is not stored.
    pub fn vendor_client(mut self, file: crate::OAuthClientFile) -> Self {
        self.vendor = Some(file);
        self
    }

    /// Where Google is. Default: where it is.
    pub fn endpoints(mut self, endpoints: Endpoints) -> Self {
        self.endpoints = endpoints;
        self
    }

    /// What carries the requests. Default: a [`ReqwestTransport`] of its own.
    pub fn transport(mut self, transport: Arc<dyn Transport>) -> Self {
        self.transport = Some(transport);
        self
    }

    /// What time it is. Default: the system's clock.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Where chance comes from. Default: the system. States and verifiers are made of it.
    pub fn entropy(mut self, entropy: Arc<dyn Entropy>) -> Self {
        self.entropy = entropy;
        self
    }

    /// The bounds of repeating. Default: [`Backoff::default`].
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.backoff = backoff;
        self
    }

    /// How many events a page may have, as [`GoogleBuilder::page_size`](crate::GoogleBuilder::page_size). Default: 600.
    pub fn page_size(mut self, page_size: u32) -> Self {
        self.page_size = page_size;
        self
    }

    /// Checks the settings together. Nothing is connected or asked yet.
    ///
    /// # Errors
    /// [`ErrorKind::Config`], naming the setting: a redirect URI that cannot be one, a return target that is neither a path nor an address,
    /// a page of no events or of more than 2,500.
    pub fn build(self) -> Result<Connections> {
        check_page_size(self.page_size)?;
        for target in &self.targets {
            consent::check_target(target)?;
        }
        let transport = match self.transport {
            Some(transport) => transport,
            None => Arc::new(ReqwestTransport::new()?),
        };
        Ok(Connections {
            shared: Arc::new(Shared {
                store: self.store,
                vault: self.vault,
                redirect: self.redirect.map(RedirectUri::new).transpose()?,
                provider: self.provider,
                targets: self.targets,
                vendor: self.vendor,
                endpoints: self.endpoints,
                transport,
                clock: self.clock,
                entropy: self.entropy,
                backoff: self.backoff,
                page_size: self.page_size,
                tenants: Mutex::default(),
            }),
        })
    }
}

impl Connections {
    /// Starts with where things are kept: the store of the engine, and the vault over it.
    pub fn builder(store: Arc<dyn Store>, vault: Arc<Vault>) -> ConnectionsBuilder {
        ConnectionsBuilder {
            store,
            vault,
            redirect: None,
            provider: "google".to_owned(),
            targets: Vec::new(),
            vendor: None,
            endpoints: Endpoints::default(),
            transport: None,
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy),
            backoff: Backoff::default(),
            page_size: PAGE_SIZE,
        }
    }

    /// The provider of a tenant, whatever its method is now: for [`EngineBuilder::provider_per_tenant`].
    ///
    /// [`EngineBuilder::provider_per_tenant`]: calsync_core::engine::EngineBuilder::provider_per_tenant
    pub fn providers(&self) -> impl Fn(&Tenant) -> Result<Arc<dyn Provider>> + Send + Sync + 'static {
        let connections = self.clone();
        move |tenant| Ok(connections.of(tenant).provider as Arc<dyn Provider>)
    }

    /// Google as a tenant reaches it by its method now, for what only Google has: [`Google::check_calendars`] and [`Google::subscribe`] for one
    /// shared account, or a service account that acts as itself. Made anew with each call.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn google(&self, tenant: &Tenant) -> Result<Google> {
        let (account, delegated) = match self.method(tenant).await? {
            Some(Method::ServiceAccount { delegated }) => {
                (self.service_account(tenant).await?.map(|facts| facts.client_email), delegated)
            }
            Some(Method::SharedAccount { account }) => (Some(account), false),
            Some(Method::PerUser) | None => (None, true),
        };
        let sender = self.shared.sender(&self.shared.endpoints.api).with_tokens(self.of(tenant).tokens);
        Ok(Google::new(sender, account, delegated, self.shared.page_size))
    }

    fn of(&self, tenant: &Tenant) -> PerTenant {
        let mut tenants = lock(&self.shared.tenants);
        let made = tenants.entry(tenant.clone()).or_insert_with(|| {
            let tokens = Arc::new(TenantTokens::new(self.shared.access(), tenant.clone()));
            let sender = self.shared.sender(&self.shared.endpoints.api).with_tokens(tokens.clone());
            let provider = Arc::new(Google::new(sender, None, true, self.shared.page_size));
            PerTenant { tokens, provider }
        });
        made.clone()
    }

    /// What this process remembers of a tenant's tokens and settings is asked for anew.
    fn forget(&self, tenant: &Tenant) {
        if !planted::on(Fault::StillRemembered) {
            self.of(tenant).tokens.forget_all();
        }
    }
}

impl Shared {
    fn sender(&self, base: &BaseUrl) -> Sender {
        Sender::new(base.clone(), self.transport.clone(), self.clock.clone(), self.entropy.clone())
            .with_backoff(self.backoff)
    }

    /// Something to tell in the history (S20).
    fn event(&self, what: Audited, about: &str, facts: serde_json::Value) -> AuditEvent {
        AuditEvent::new(what, about, self.clock.now()).with(facts)
    }

    /// What getting tokens needs.
    fn access(&self) -> tokens::Access {
        tokens::Access {
            store: self.store.clone(),
            vault: self.vault.clone(),
            vendor: self.vendor.clone(),
            token: self.sender(&self.endpoints.token),
            clock: self.clock.clone(),
            entropy: self.entropy.clone(),
        }
    }
}

fn moved(what: &'static str) -> Error {
    Error::new(ErrorKind::PreconditionFailed, what).later()
}
