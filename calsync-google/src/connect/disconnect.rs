//! Taking grants back, and keeping unused ones alive.

use super::client::of_facts;
use super::grant::{Grant, GrantState, Tokens};
use super::{Connections, moved};
use crate::call::Revoke;
use calsync_core::audit::Audited;
use calsync_core::planted::{self, Fault};
use calsync_core::provider::Effort;
use calsync_core::store::{Batch, SealedKind};
use calsync_core::{Error, Result, Secret, Tenant};
use chrono::TimeDelta;

/// A grant that nobody used for so long is refreshed, so that it does not end by itself after six months.
const REFRESH_AFTER: TimeDelta = TimeDelta::days(30);
/// How long the row of a grant that was taken back stays, without the grant: longer than any worker is at it.
const STONE: TimeDelta = TimeDelta::days(1);
/// How often a grant may move under whoever takes it back.
const ROUNDS: u32 = 8;

/// What became of a grant that was taken back.
#[derive(Debug)]
pub struct Disconnected {
    /// The account.
    pub account: String,
    /// Whether Google took it back: `Ok(false)` where it was dead already. An error leaves it to the person to take it away
    /// at myaccount.google.com; here it is forgotten in any case.
    pub revoked: Result<bool>,
}

impl Connections {
    /// Takes an account's grant back at Google, and forgets it. Bindings and links stay: they say that the account has to connect, and
    /// go on where they were when it does. [`Connections::leave`] takes them apart as well, with or without what calsync made.
    ///
    /// All grants that the account gave to this OAuth client end by that, also those that another installation has. Safe to repeat.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn disconnect(
        &self,
        tenant: &Tenant,
        account: &str,
        effort: &Effort,
    ) -> Result<Option<Disconnected>> {
        let account = account.trim().to_lowercase();
        // Forgotten first: no worker gets a token with it any more, whatever Google says.
        let Some(secret) = self.forget_grant(tenant, &account).await? else { return Ok(None) };
        let sender = self.shared.sender(&self.shared.endpoints.revoke);
        let revoked = match planted::on(Fault::NotRevoked) {
            false => sender.send(&Revoke(Tokens::open(&secret).refresh), "", effort).await,
            true => Ok(true),
        };
        tracing::info!(%tenant, account, revoked = revoked.is_ok(), "disconnected");
        Ok(Some(Disconnected { account, revoked }))
    }

    /// Takes the tokens out of a grant's row. The row stays for a day without them, so that it goes on counting its versions: a worker
    /// that read it before cannot mistake the grant of somebody who connects again for the one it read.
    async fn forget_grant(&self, tenant: &Tenant, account: &str) -> Result<Option<Secret>> {
        let vault = &self.shared.vault;
        for _ in 0..ROUNDS {
            let Some(row) = vault.get(tenant, SealedKind::Grant, account).await? else { return Ok(None) };
            let Some(secret) = row.secret else { return Ok(None) };
            let (ends, version) = (Some(self.shared.clock.now() + STONE), Some(row.version));
            let events = [self.shared.event(Audited::Disconnected, account, serde_json::Value::Null)];
            let left = Some(&secret).filter(|_| planted::on(Fault::TokensLeft));
            let kind = SealedKind::Grant;
            if vault.put_and_tell(tenant, kind, account, row.facts, left, ends, version, &events).await? {
                if planted::on(Fault::VersionsBeginAgain) {
                    vault.remove(tenant, SealedKind::Grant, account, None).await?;
                }
                self.forget(tenant);
                return Ok(Some(secret));
            }
        }
        Err(moved("the grant moved each time it was to be taken back"))
    }

    /// Takes back everything that a tenant has: grants, at Google as well; client, service account key, method, pending consents; and
    /// the keys that they were sealed under (S11). Bindings and links stay. Safe to repeat.
    ///
    /// # Errors
    /// When the store fails: what was taken back until then is.
    pub async fn disconnect_tenant(&self, tenant: &Tenant, effort: &Effort) -> Result<Vec<Disconnected>> {
        let mut all = Vec::new();
        for grant in self.grants(tenant).await? {
            all.extend(self.disconnect(tenant, &grant.account, effort).await?);
        }
        let forgets = !planted::on(Fault::TenantNotForgotten);
        let rows = if forgets { self.shared.vault.forget_tenant(tenant).await? } else { 0 };
        self.forget(tenant);
        if rows > 0 {
            self.tell(tenant, Audited::Disconnected, "", serde_json::json!({"grants": all.len()})).await?;
        }
        Ok(all)
    }

    /// Refreshes the grants that nobody used for thirty days, those of paused bindings too, as a grant that is not used for six months
    /// ends. Answers with those that failed. For a daily run.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn keep_alive(&self, tenant: &Tenant, effort: &Effort) -> Result<Vec<(String, Error)>> {
        let now = self.shared.clock.now();
        let mut failed = Vec::new();
        let Some(client) = self.client_facts(tenant).await? else { return Ok(failed) };
        for grant in self.grants(tenant).await? {
            if grant.state(&client.client_id, now) == GrantState::Live && now - grant.used >= REFRESH_AFTER {
                let asked = self.shared.access().token_of(tenant, &grant.account, None, effort).await;
                failed.extend(asked.err().map(|error| (grant.account, error)));
            }
        }
        Ok(failed)
    }

    /// Tells of what happened to no single row.
    pub(super) async fn tell(
        &self,
        tenant: &Tenant,
        what: Audited,
        about: &str,
        facts: serde_json::Value,
    ) -> Result<()> {
        let event = self.shared.event(what, about, facts);
        self.shared.store.commit(Batch::telling(tenant, event)).await.map(drop)
    }

    /// One account's grant.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn grant(&self, tenant: &Tenant, account: &str) -> Result<Option<Grant>> {
        let account = account.trim().to_lowercase();
        let row = self.shared.store.sealed(tenant, SealedKind::Grant, &account).await?;
        row.filter(|row| row.sealed.is_some()).map(|row| of_facts(&row.facts)).transpose()
    }
}
