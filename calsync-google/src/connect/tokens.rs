//! Access tokens for whoever a tenant acts for: one refresh, however many workers and processes want it (S7).
//!
//! A grant is one row of the vault, with a version: the refresh token, and the access token that was last got with it. A worker
//! that finds the access token stale takes a lease for that grant, reads the row again, and only then asks Google. What it gets is
//! stored before it is used, and only if the row is still the one it read: who comes late takes what is there. A grant is marked as
//! refused only after it was read again and still has the very refresh token that Google refused, so that a worker with an old one
//! cannot mark, overwrite or delete what another one stored in the meantime.

use super::client::{NAME, of_facts, to_facts, unconfigured};
use super::grant::{Grant, GrantState, Tokens};
use super::method::{KEY, METHOD, Method, ServiceAccountFacts, no_key};
use crate::auth::oauth::{self, Answered};
use crate::auth::refusal::{Who, refusal};
use crate::auth::{OAuthClient, STALE_AHEAD, ServiceAccountKey, ServiceAccountTokens, lock};
use crate::connect::ClientFacts;
use async_trait::async_trait;
use calsync_core::audit::{AuditEvent, Audited};
use calsync_core::clock::{Clock, Entropy, EntropyExt};
use calsync_core::http::{Sender, TokenSource};
use calsync_core::planted::{self, Fault};
use calsync_core::provider::Effort;
use calsync_core::store::{SealedKind, Store};
use calsync_core::vault::{Opened, Vault};
use calsync_core::{Error, ErrorKind, Result, Secret, Tenant};
use chrono::TimeDelta;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How long a worker may take to refresh a grant before another one tries.
const LEASE: Duration = Duration::from_secs(60);
/// How often, and at which distance, a worker looks whether another one is done refreshing: a little longer than the lease.
const WAITS: u32 = 130;
const WAIT: Duration = Duration::from_millis(500);
/// How often a row may move under a worker that refreshes it.
const ROUNDS: u32 = 8;
/// How long a process goes by the method that it read.
const METHOD_LASTS: Duration = Duration::from_secs(60);
/// What a token lasts whose answer says nothing about it.
const UNSAID: Duration = Duration::from_secs(1800);

/// What getting tokens needs.
#[derive(Clone, Debug)]
pub(super) struct Access {
    pub(super) store: Arc<dyn Store>,
    pub(super) vault: Arc<Vault>,
    pub(super) vendor: Option<crate::OAuthClientFile>,
    pub(super) token: Sender,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) entropy: Arc<dyn Entropy>,
}

/// The tokens of one tenant.
#[derive(Debug)]
pub(super) struct TenantTokens {
    access: Access,
    tenant: Tenant,
    memory: Mutex<Memory>,
}

/// What this process remembers; the store is asked where it does not.
#[derive(Debug, Default)]
struct Memory {
    method: Option<(Option<Method>, Duration)>,
    accounts: BTreeMap<String, Arc<Account>>,
    /// The service account, by the version of its key and whether it is delegated.
    service_account: Option<(u64, bool, Arc<ServiceAccountTokens>)>,
}

#[derive(Debug, Default)]
struct Account {
    /// Held while a token is asked for, so that everybody else in this process waits for that one.
    flight: tokio::sync::Mutex<()>,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    token: Option<(Secret, Duration)>,
    /// Google did not accept this one, whatever its age.
    refused: Option<Secret>,
}

/// Who a token is for.
enum Actor {
    ServiceAccount(Arc<ServiceAccountTokens>),
    Grant(String),
}

impl TenantTokens {
    pub(super) fn new(access: Access, tenant: Tenant) -> Self {
        Self { access, tenant, memory: Mutex::default() }
    }

    pub(super) fn forget_all(&self) {
        *lock(&self.memory) = Memory::default();
    }

    async fn actor(&self, subject: &str) -> Result<Actor> {
        match self.method().await? {
            Some(Method::ServiceAccount { delegated }) => {
                self.service_account(delegated).await.map(Actor::ServiceAccount)
            }
            Some(Method::SharedAccount { account }) => Ok(Actor::Grant(account)),
            Some(Method::PerUser) | None => Ok(Actor::Grant(subject.trim().to_lowercase())),
        }
    }

    async fn method(&self) -> Result<Option<Method>> {
        let now = self.access.clock.monotonic();
        if let Some((method, until)) = &lock(&self.memory).method
            && now < *until
        {
            return Ok(method.clone());
        }
        let row = self.access.store.sealed(&self.tenant, SealedKind::Setting, METHOD).await?;
        let method: Option<Method> = row.map(|row| of_facts(&row.facts)).transpose()?;
        lock(&self.memory).method = Some((method.clone(), now + METHOD_LASTS));
        Ok(method)
    }

    async fn service_account(&self, delegated: bool) -> Result<Arc<ServiceAccountTokens>> {
        let kept = lock(&self.memory).service_account.clone();
        if let Some((_, of, tokens)) = &kept
            && *of == delegated
        {
            return Ok(tokens.clone());
        }
        let missing = || no_key(&self.tenant);
        let row = self.access.vault.get(&self.tenant, SealedKind::Client, KEY).await?.ok_or_else(missing)?;
        let facts: ServiceAccountFacts = of_facts(&row.facts)?;
        let key = ServiceAccountKey::from_json(row.secret.as_ref().ok_or_else(missing)?.reveal())?;
        let (token, clock) = (self.access.token.clone(), self.access.clock.clone());
        let tokens = Arc::new(ServiceAccountTokens::new(key, facts.scopes, delegated, token, clock));
        lock(&self.memory).service_account = Some((row.version, delegated, tokens.clone()));
        Ok(tokens)
    }

    fn account(&self, account: &str) -> Arc<Account> {
        lock(&self.memory).accounts.entry(account.to_owned()).or_default().clone()
    }

    async fn of_grant(&self, account: &str, effort: &Effort) -> Result<Secret> {
        let entry = self.account(account);
        if let Some(token) = self.fresh(&entry) {
            return Ok(token);
        }
        let _flight = match planted::on(Fault::NobodyWaits) {
            false => Some(entry.flight.lock().await),
            true => None,
        };
        if let Some(token) = self.fresh(&entry) {
            return Ok(token);
        }
        let refused = lock(&entry.kept).refused.clone();
        let asked = self.access.clock.monotonic();
        let (token, lives) = self.access.token_of(&self.tenant, account, refused.as_ref(), effort).await?;
        let stale = asked + lives.saturating_sub(STALE_AHEAD);
        *lock(&entry.kept) = Kept { token: Some((token.clone(), stale)), refused: None };
        Ok(token)
    }

    fn fresh(&self, entry: &Account) -> Option<Secret> {
        let kept = lock(&entry.kept);
        let now = self.access.clock.monotonic();
        kept.token.as_ref().filter(|(_, stale)| now < *stale).map(|(token, _)| token.clone())
    }
}

#[async_trait]
impl TokenSource for TenantTokens {
    async fn token(&self, subject: &str, effort: &Effort) -> Result<Secret> {
        match self.actor(subject).await? {
            Actor::ServiceAccount(tokens) => tokens.token(subject, effort).await,
            Actor::Grant(account) => self.of_grant(&account, effort).await,
        }
    }

    /// That of the method which this process goes by.
    fn account(&self) -> Option<String> {
        let memory = lock(&self.memory);
        match memory.method.as_ref()?.0.as_ref()? {
            Method::SharedAccount { account } => Some(account.clone()),
            Method::ServiceAccount { .. } => Some(memory.service_account.as_ref()?.2.email().to_owned()),
            Method::PerUser => None,
        }
    }

    fn refused(&self, subject: &str, token: &Secret) {
        let (service_account, accounts) = {
            let memory = lock(&self.memory);
            let accounts: Vec<_> = memory.accounts.values().cloned().collect();
            (memory.service_account.clone(), accounts)
        };
        if let Some((_, _, tokens)) = service_account {
            tokens.refused(subject, token);
        }
        for account in accounts {
            let mut kept = lock(&account.kept);
            if kept.token.as_ref().is_some_and(|(kept, _)| kept.reveal() == token.reveal()) {
                *kept = Kept { token: None, refused: Some(token.clone()) };
            }
        }
    }
}

/// A grant as it is stored.
struct GrantRow {
    version: u64,
    grant: Grant,
    tokens: Tokens,
}

impl Access {
    /// The client of a tenant: its own, or the vendor's.
    pub(super) async fn client(&self, tenant: &Tenant) -> Result<(ClientFacts, OAuthClient)> {
        if let Some(row) = self.vault.get(tenant, SealedKind::Client, NAME).await? {
            let facts: ClientFacts = of_facts(&row.facts)?;
            let secret = row.secret.ok_or_else(|| unconfigured(tenant))?;
            let client = OAuthClient { id: facts.client_id.clone(), secret };
            return Ok((facts, client));
        }
        match &self.vendor {
            Some(file) => Ok((ClientFacts::of(file, true), file.client.clone())),
            None => Err(unconfigured(tenant)),
        }
    }

    /// A token of a grant and how long it lasts: the one that is kept with it, or a new one. `refused` is not accepted any more.
    pub(super) async fn token_of(
        &self,
        tenant: &Tenant,
        account: &str,
        refused: Option<&Secret>,
        effort: &Effort,
    ) -> Result<(Secret, Duration)> {
        let (_, client) = self.client(tenant).await?;
        let name = format!("google-grant:{account}");
        let owner = self.entropy.hex();
        for _ in 0..WAITS {
            let row = self.grant_row(tenant, account).await?;
            if let Some(kept) = self.kept(&row, &client, refused)? {
                return Ok(kept);
            }
            if planted::on(Fault::RefreshedUnleased) {
                return self.refresh(tenant, account, &client, refused, effort).await;
            }
            let Some(lease) = self.store.lease(tenant, &name, &owner, LEASE).await? else {
                self.clock.sleep(WAIT).await;
                continue;
            };
            let outcome = self.refresh(tenant, account, &client, refused, effort).await;
            self.store.release(tenant, &lease).await?;
            return outcome;
        }
        Err(Error::new(ErrorKind::LeaseLost, "another worker has been refreshing this grant for a minute")
            .with("account", account)
            .later())
    }

    /// Under the lease.
    async fn refresh(
        &self,
        tenant: &Tenant,
        account: &str,
        client: &OAuthClient,
        refused: Option<&Secret>,
        effort: &Effort,
    ) -> Result<(Secret, Duration)> {
        for _ in 0..ROUNDS {
            let row = self.grant_row(tenant, account).await?;
            if let Some(kept) = self.kept(&row, client, refused)? {
                return Ok(kept);
            }
            let GrantRow { mut grant, tokens, version } = row;
            let now = self.clock.now();
            match oauth::refresh(&self.token, client, &tokens.refresh, effort).await? {
                Answered::Tokens { access, refresh, lives, .. } => {
                    let lives = lives.unwrap_or(UNSAID);
                    grant.used = now;
                    grant.access_until = Some(now + TimeDelta::from_std(lives).unwrap_or_default());
                    let refresh = refresh.filter(|_| !planted::on(Fault::OldTokenKept));
                    let next =
                        Tokens { refresh: refresh.unwrap_or(tokens.refresh), access: Some(access.clone()) };
                    let version = match planted::on(Fault::RefreshOverwrites) {
                        false => version,
                        true => self.grant_row(tenant, account).await?.version,
                    };
                    if planted::on(Fault::UsedUnstored)
                        || self.put(tenant, account, &grant, &next, version, &[]).await?
                    {
                        return Ok((access, lives));
                    }
                    // Somebody connected again, or disconnected, while this was under way: theirs counts.
                }
                Answered::Refused(answer) if answer.code == "invalid_grant" => {
                    let again = self.grant_row(tenant, account).await?;
                    let same = again.tokens.refresh.reveal() == tokens.refresh.reveal();
                    if !same && !planted::on(Fault::MarkedUnread) {
                        continue;
                    }
                    grant.refused = Some(now).filter(|_| !planted::on(Fault::RefusalNotKept));
                    let told = AuditEvent::new(Audited::RefreshFailed, account, now).with(json!({
                        "reason": "invalid_grant", "causes": grant.causes(now), "client_id": grant.client_id,
                    }));
                    if self.put(tenant, account, &grant, &tokens, again.version, &[told]).await? {
                        tracing::warn!(%tenant, account, "grant refused: this person has to connect again");
                        return Err(ended(&grant, GrantState::Refused, self.clock.now()));
                    }
                }
                Answered::Refused(answer) => {
                    return Err(
                        refusal(&answer, &Who::Refresh { client_id: &client.id }).with("account", account)
                    );
                }
            }
        }
        Err(Error::new(ErrorKind::StoreBusy, "the grant moved each time it was refreshed")
            .with("account", account)
            .later())
    }

    /// The token that is kept with a grant, if it can be used.
    fn kept(
        &self,
        row: &GrantRow,
        client: &OAuthClient,
        refused: Option<&Secret>,
    ) -> Result<Option<(Secret, Duration)>> {
        let GrantRow { grant, tokens, .. } = row;
        let now = self.clock.now();
        let state = grant.state(&client.id, now);
        if state != GrantState::Live {
            return Err(ended(grant, state, now));
        }
        let Some(lives) = grant.access_until.and_then(|until| (until - now).to_std().ok()) else {
            return Ok(None);
        };
        let access = tokens.access.clone().filter(|access| {
            lives > STALE_AHEAD && refused.is_none_or(|refused| refused.reveal() != access.reveal())
        });
        Ok(access.map(|access| (access, lives)))
    }

    async fn grant_row(&self, tenant: &Tenant, account: &str) -> Result<GrantRow> {
        let row = self.vault.get(tenant, SealedKind::Grant, account).await?;
        match row {
            Some(Opened { version, facts, secret: Some(secret), .. }) => {
                Ok(GrantRow { version, grant: of_facts(&facts)?, tokens: Tokens::open(&secret) })
            }
            _ => Err(Error::new(
                ErrorKind::Unauthorized,
                format!("{account} has not connected its Google account"),
            )
            .with("tenant", tenant)
            .with("account", account)
            .cure("Send this person a link to connect, or let them connect in their profile.")),
        }
    }

    async fn put(
        &self,
        tenant: &Tenant,
        account: &str,
        grant: &Grant,
        tokens: &Tokens,
        version: u64,
        events: &[AuditEvent],
    ) -> Result<bool> {
        let (facts, secret) = (to_facts(grant)?, tokens.seal());
        let (kind, version) = (SealedKind::Grant, Some(version));
        self.vault.put_and_tell(tenant, kind, account, facts, Some(&secret), None, version, events).await
    }
}

fn ended(grant: &Grant, state: GrantState, now: chrono::DateTime<chrono::Utc>) -> Error {
    let what = match state {
        GrantState::OtherClient => "this grant was given to another OAuth client",
        GrantState::Ended => "the time of this grant is over",
        GrantState::Refused | GrantState::Live => "Google ended this grant",
    };
    Error::new(ErrorKind::Unauthorized, what)
        .reason("invalid_grant")
        .with("account", &grant.account)
        .cure(grant.cure(state, now))
}
