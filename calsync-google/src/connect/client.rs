//! The OAuth client of a tenant, and how far its connection is.

use super::grant::GrantState;
use super::{Connections, ROWS_AT_ONCE, moved};
use crate::auth::{ClientKind, OAuthClient, OAuthClientFile};
use crate::connect::{Grant, Method};
use calsync_core::audit::Audited;
use calsync_core::store::SealedKind;
use calsync_core::{Error, ErrorKind, Result, Tenant};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// The row under which a tenant's client is kept.
pub(super) const NAME: &str = "google";

/// What is known of an OAuth client and is no secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientFacts {
    /// Its id.
    pub client_id: String,
    /// What it answers to.
    pub kind: ClientKind,
    /// The addresses that are registered, as far as the file says.
    pub redirect_uris: Vec<String>,
    /// The Google Cloud project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project_id: Option<String>,
    /// Whether it is the vendor's, for all tenants.
    #[serde(default)]
    pub vendor: bool,
}

/// How far a tenant's connection to Google is.
#[derive(Clone, Debug, PartialEq)]
pub enum Configuration {
    /// Somebody has to upload something first.
    Unconfigured {
        /// Who must upload what.
        why: String,
    },
    /// It can be used; with people's own consent, nobody has given it yet.
    Configured,
    /// It works, as far as is known: for so many people.
    Authorised {
        /// How many grants live; 0 for a service account, which needs none.
        grants: usize,
    },
    /// Some people have to connect again.
    NeedsReauthorisation {
        /// Who, and why.
        accounts: Vec<(Grant, GrantState)>,
        /// How many grants still live.
        live: usize,
    },
}

/// What another client file would change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientChange {
    /// The client that is configured now.
    pub before: Option<ClientFacts>,
    /// The one that comes.
    pub after: ClientFacts,
    /// How many live grants were given to another client than the one that comes: these people have to connect again. Links, bindings
    /// and cursors stay in any case.
    pub grants_lost: usize,
}

impl ClientChange {
    /// Whether it is the same client: a new secret, or other redirect URIs.
    pub fn same_client(&self) -> bool {
        self.before.as_ref().is_some_and(|before| before.client_id == self.after.client_id)
    }
}

impl ClientFacts {
    pub(super) fn of(file: &OAuthClientFile, vendor: bool) -> Self {
        Self {
            client_id: file.client.id.clone(),
            kind: file.kind,
            redirect_uris: file.redirect_uris.clone(),
            project_id: file.project_id.clone(),
            vendor,
        }
    }
}

impl Connections {
    /// What uploading this file would change; nothing is stored.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn preview_client(&self, tenant: &Tenant, file: &OAuthClientFile) -> Result<ClientChange> {
        let before = self.client_facts(tenant).await?;
        let after = ClientFacts::of(file, false);
        let now = self.shared.clock.now();
        // Those that live for the client before, and will not for the one that comes.
        let live = |grant: &Grant, id: &str| grant.state(id, now) == GrantState::Live;
        let grants = self.grants(tenant).await?;
        let lost = |grant: &&Grant| {
            before.as_ref().is_some_and(|before| live(grant, &before.client_id))
                && !live(grant, &after.client_id)
        };
        let grants_lost = grants.iter().filter(lost).count();
        Ok(ClientChange { before, after, grants_lost })
    }

    /// Stores a tenant's OAuth client. A new file for the same client goes on; a file of another client keeps every binding and link,
    /// and the grants that were given to the one before have to be given again ([`Connections::preview_client`] counts them first).
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when the configured redirect URI is not among those of a web client, with the exact address to register, or
    /// when the vault has no key; [`ErrorKind::PreconditionFailed`] when somebody else stores one at the same time.
    pub async fn set_client(&self, tenant: &Tenant, file: &OAuthClientFile) -> Result<ClientChange> {
        if let (ClientKind::Web, Some(redirect)) = (file.kind, &self.shared.redirect) {
            redirect.check(file.kind, &file.redirect_uris)?;
        }
        let change = self.preview_client(tenant, file).await?;
        let vault = &self.shared.vault;
        let expected = self.version_of(tenant, SealedKind::Client, NAME).await?;
        let (kind, facts, secret) = (SealedKind::Client, to_facts(&change.after)?, Some(&file.client.secret));
        let told = json!({"before": change.before.as_ref().map(|before| &before.client_id), "grants_lost": change.grants_lost});
        let events = [self.shared.event(Audited::CredentialChanged, &change.after.client_id, told)];
        if !vault.put_and_tell(tenant, kind, NAME, facts, secret, None, expected, &events).await? {
            return Err(moved(
                "somebody else stored an OAuth client at the same time: nothing of yours was stored",
            ));
        }
        tracing::info!(%tenant, client = change.after.client_id, same = change.same_client(), lost = change.grants_lost, "OAuth client stored");
        self.forget(tenant);
        Ok(change)
    }

    /// Forgets a tenant's own client. Grants stay, and live again when the same client is uploaded.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn remove_client(&self, tenant: &Tenant) -> Result<()> {
        let taken = self.shared.vault.take(tenant, SealedKind::Client, NAME, None).await?;
        self.forget(tenant);
        let Some(row) = taken else { return Ok(()) };
        let id = row.facts["client_id"].as_str().unwrap_or_default();
        self.tell(tenant, Audited::CredentialChanged, id, json!({"removed": true})).await
    }

    /// Which version of a row is stored; it is not opened for that.
    pub(super) async fn version_of(
        &self,
        tenant: &Tenant,
        kind: SealedKind,
        name: &str,
    ) -> Result<Option<u64>> {
        Ok(self.shared.store.sealed(tenant, kind, name).await?.map(|row| row.version))
    }

    /// What is known of the client that a tenant uses: its own, or the vendor's.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn client_facts(&self, tenant: &Tenant) -> Result<Option<ClientFacts>> {
        let row = self.shared.store.sealed(tenant, SealedKind::Client, NAME).await?;
        match row {
            Some(row) => of_facts(&row.facts).map(Some),
            None => Ok(self.shared.vendor.as_ref().map(|file| ClientFacts::of(file, true))),
        }
    }

    /// The client of a tenant, or who must upload what.
    pub(super) async fn client(&self, tenant: &Tenant) -> Result<(ClientFacts, OAuthClient)> {
        self.shared.access().client(tenant).await
    }

    /// How far a tenant's connection is, with the reason.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn configuration(&self, tenant: &Tenant) -> Result<Configuration> {
        let unconfigured = |why: &str| Ok(Configuration::Unconfigured { why: why.to_owned() });
        let method = self.method(tenant).await?;
        if let Some(Method::ServiceAccount { .. }) = method {
            return match self.service_account(tenant).await? {
                Some(_) => Ok(Configuration::Authorised { grants: 0 }),
                None => unconfigured("The administrator has to upload the JSON key of a service account."),
            };
        }
        let Some(client) = self.client_facts(tenant).await? else {
            return unconfigured(NO_CLIENT);
        };
        let now = self.shared.clock.now();
        let grants = self.grants(tenant).await?;
        let wanted = |grant: &Grant| match &method {
            Some(Method::SharedAccount { account }) => grant.account == account.to_lowercase(),
            _ => true,
        };
        let states: Vec<(Grant, GrantState)> = (grants.into_iter().filter(wanted))
            .map(|grant| {
                let state = grant.state(&client.client_id, now);
                (grant, state)
            })
            .collect();
        let live = states.iter().filter(|(_, state)| *state == GrantState::Live).count();
        let accounts: Vec<_> = states.into_iter().filter(|(_, state)| *state != GrantState::Live).collect();
        Ok(match (accounts.is_empty(), live) {
            (false, live) => Configuration::NeedsReauthorisation { accounts, live },
            (true, 0) => Configuration::Configured,
            (true, grants) => Configuration::Authorised { grants },
        })
    }

    /// The grants of a tenant, by account.
    ///
    /// # Errors
    /// When the store fails, or holds a grant that this version cannot read.
    pub async fn grants(&self, tenant: &Tenant) -> Result<Vec<Grant>> {
        let mut grants = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let store = &self.shared.store;
            let rows = store.sealed_rows(tenant, SealedKind::Grant, after.as_deref(), ROWS_AT_ONCE).await?;
            let Some(last) = rows.last() else { return Ok(grants) };
            after = Some(last.name.clone());
            for row in rows.iter().filter(|row| row.sealed.is_some()) {
                grants.push(of_facts(&row.facts)?);
            }
        }
    }
}

pub(super) const NO_CLIENT: &str = "The administrator has to upload the OAuth client file of Google (JSON, `web` or `installed`), or enter its id and secret.";

pub(super) fn unconfigured(tenant: &Tenant) -> Error {
    Error::new(ErrorKind::Config, "there is no OAuth client yet").with("tenant", tenant).cure(NO_CLIENT)
}

pub(super) fn to_facts(facts: &impl Serialize) -> Result<serde_json::Value> {
    serde_json::to_value(facts).map_err(|e| {
        Error::new(ErrorKind::Store, "what is known of a credential cannot be stored").caused_by(e)
    })
}

pub(super) fn of_facts<'de, T: Deserialize<'de>>(facts: &'de serde_json::Value) -> Result<T> {
    T::deserialize(facts).map_err(|e| {
        Error::new(ErrorKind::Store, "what is known of a credential cannot be read")
            .cure("Another version of calsync stored it: use that one, or connect again.")
            .caused_by(e)
    })
}
