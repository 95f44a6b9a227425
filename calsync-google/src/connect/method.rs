//! How a tenant reaches its calendars. A setting that can be switched: bindings and links are not part of it.

use super::client::{of_facts, to_facts};
use super::{Connections, moved};
use crate::auth::ServiceAccountKey;
use calsync_core::audit::{AuditEvent, Audited};
use calsync_core::store::SealedKind;
use calsync_core::{Error, ErrorKind, Result, Secret, Tenant};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// The row under which the method is kept.
pub(super) const METHOD: &str = "google/method";
/// The row under which a service account's key is kept.
pub(super) const KEY: &str = "google/service-account";

/// How calendars are reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "by")]
pub enum Method {
    /// With a service account's key.
    ServiceAccount {
        /// As each person (domain-wide delegation); otherwise as itself, in calendars that are shared with its address.
        delegated: bool,
    },
    /// With one account's consent, in its own calendar and in those that are shared with it.
    SharedAccount {
        /// Its address.
        account: String,
    },
    /// With each person's own consent.
    PerUser,
}

/// What is known of a service account and is no secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceAccountFacts {
    /// Its address: calendars are shared with it.
    pub client_email: String,
    /// The number that the administrator authorises.
    #[serde(default)]
    pub client_id: Option<String>,
    /// The Google Cloud project.
    #[serde(default)]
    pub project_id: Option<String>,
    /// Which of its keys.
    #[serde(default)]
    pub private_key_id: Option<String>,
    /// The scopes to ask for; what the administrator authorised, all of them.
    pub scopes: Vec<String>,
}

/// Who has to upload what.
pub(super) fn no_key(tenant: &Tenant) -> Error {
    Error::new(ErrorKind::Config, "there is no service account key yet")
        .with("tenant", tenant)
        .cure("The administrator has to upload the JSON key of a service account.")
}

impl Connections {
    /// How a tenant reaches its calendars; `None` before anybody chose. People's own consents work without a choice.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn method(&self, tenant: &Tenant) -> Result<Option<Method>> {
        let row = self.shared.store.sealed(tenant, SealedKind::Setting, METHOD).await?;
        row.map(|row| of_facts(&row.facts)).transpose()
    }

    /// Chooses how a tenant reaches its calendars. Bindings and links stay as they are: the next run goes on with the other credential, in
    /// the same calendars. A cursor holds for the account that it was given to: where another one reads the calendar now, Google
    /// refuses it, and the calendar is listed once as a whole, which writes nothing. What the other methods need (key, client, grants) is kept, so that it can be switched back.
    ///
    /// # Errors
    /// When the store fails, or somebody else switches at the same time.
    pub async fn set_method(&self, tenant: &Tenant, method: &Method) -> Result<()> {
        let mut method = method.clone();
        if let Method::SharedAccount { account } = &mut method {
            *account = account.trim().to_lowercase();
        }
        let before = self.shared.store.sealed(tenant, SealedKind::Setting, METHOD).await?;
        let (vault, kind, facts) = (&self.shared.vault, SealedKind::Setting, to_facts(&method)?);
        let expected = before.as_ref().map(|row| row.version);
        let told = json!({"before": before.map(|row| row.facts), "now": facts});
        let events = [self.shared.event(Audited::MethodChanged, "google", told)];
        if !vault.put_and_tell(tenant, kind, METHOD, facts, None, None, expected, &events).await? {
            return Err(moved("somebody else switched the method at the same time"));
        }
        tracing::info!(%tenant, ?method, "method switched");
        self.forget(tenant);
        Ok(())
    }

    /// Stores a service account's key, as the text of its file, with the scopes to ask for.
    ///
    /// # Errors
    /// [`calsync_core::ErrorKind::Config`] for a file that is no such key, saying what it is, or when the vault has no key.
    pub async fn set_service_account(
        &self,
        tenant: &Tenant,
        key_file: &Secret,
        scopes: &[&str],
    ) -> Result<ServiceAccountFacts> {
        let key = ServiceAccountKey::from_json(key_file.reveal())?;
        let facts = ServiceAccountFacts {
            client_email: key.client_email().to_owned(),
            client_id: key.client_id().map(str::to_owned),
            project_id: key.project_id().map(str::to_owned),
            private_key_id: key.private_key_id().map(str::to_owned),
            scopes: scopes.iter().map(|&scope| scope.to_owned()).collect(),
        };
        let vault = &self.shared.vault;
        let before = self.shared.store.sealed(tenant, SealedKind::Client, KEY).await?;
        let expected = before.as_ref().map(|row| row.version);
        let before: Option<ServiceAccountFacts> = before.and_then(|row| of_facts(&row.facts).ok());
        let events = self.told_of_key(&facts, before.as_ref());
        let (kind, stored) = (SealedKind::Client, to_facts(&facts)?);
        if !vault.put_and_tell(tenant, kind, KEY, stored, Some(key_file), None, expected, &events).await? {
            return Err(moved("somebody else stored a key at the same time: yours was not stored"));
        }
        tracing::info!(%tenant, account = facts.client_email, "service account key stored");
        self.forget(tenant);
        Ok(facts)
    }

    /// What the history says of a new key.
    fn told_of_key(
        &self,
        now: &ServiceAccountFacts,
        before: Option<&ServiceAccountFacts>,
    ) -> Vec<AuditEvent> {
        let event = |what, facts| self.shared.event(what, &now.client_email, facts);
        let of =
            |facts: &ServiceAccountFacts| json!({"account": facts.client_email, "key": facts.private_key_id});
        let facts = json!({"before": before.map(of), "now": of(now)});
        let mut events = vec![event(Audited::CredentialChanged, facts)];
        if let Some(before) = before.filter(|before| before.scopes != now.scopes) {
            events.push(event(Audited::ScopeChanged, json!({"before": before.scopes, "now": now.scopes})));
        }
        events
    }

    /// What is known of a tenant's service account.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn service_account(&self, tenant: &Tenant) -> Result<Option<ServiceAccountFacts>> {
        let row = self.shared.store.sealed(tenant, SealedKind::Client, KEY).await?;
        row.map(|row| of_facts(&row.facts)).transpose()
    }
}
