//! "Check configuration" of what a tenant has saved.

use super::method::{KEY, no_key};
use super::{Connections, Method};
use crate::check::Check;
use crate::scope::Scopes;
use calsync_core::store::SealedKind;
use calsync_core::{ErrorKind, Result, Tenant};

impl Connections {
    /// The settings that a tenant saved, to be checked for one agent: with its method, its client or key, and the grant that the agent's
    /// calendar is reached with. What is missing or cannot be opened is a cross in the report. A token is got as for a run, so that a check
    /// never costs a grant.
    ///
    /// ```no_run
    /// # use calsync_core::{Engine, Result, provider::Effort};
    /// # use calsync_google::connect::Connections;
    /// # async fn example(engine: Engine, connections: Connections) -> Result<()> {
    /// let check = connections.check(engine.tenant(), "amy@example.com").await?.enabled(true);
    /// let report = check.run(&Effort::default()).await;
    /// engine.keep_check("amy@example.com", &report).await?; // as a line of the history
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// When the store fails.
    pub async fn check(&self, tenant: &Tenant, agent: &str) -> Result<Check> {
        let method = self.method(tenant).await?;
        let check = match method {
            Some(Method::ServiceAccount { delegated }) => {
                self.saved_key(tenant).await?.delegated(delegated).agent(agent)
            }
            Some(Method::SharedAccount { account }) => {
                self.saved_grant(tenant, &account).await?.calendar(agent)
            }
            Some(Method::PerUser) | None => self.saved_grant(tenant, agent).await?.agent(agent),
        };
        let shared = &self.shared;
        Ok(check
            .endpoints(shared.endpoints.clone())
            .transport(shared.transport.clone())
            .clock(shared.clock.clone())
            .entropy(shared.entropy.clone()))
    }

    async fn saved_key(&self, tenant: &Tenant) -> Result<Check> {
        let row = match self.shared.vault.get(tenant, SealedKind::Client, KEY).await {
            Err(error) if error.kind() != ErrorKind::Config => return Err(error),
            Err(error) => return Ok(Check::without_key(error)),
            Ok(row) => row,
        };
        let key = row.and_then(|row| row.secret);
        Ok(key.map_or_else(|| Check::without_key(no_key(tenant)), |key| Check::service_account(key.reveal())))
    }

    async fn saved_grant(&self, tenant: &Tenant, account: &str) -> Result<Check> {
        let client = match self.client(tenant).await {
            Err(error) if error.kind() != ErrorKind::Config => return Err(error),
            client => client.map(|(facts, client)| (client, facts.project_id)),
        };
        let grant = self.grant(tenant, account).await?;
        let given = grant.map(|grant| {
            let scopes = Scopes::parse(&grant.scopes);
            (grant.account, scopes, self.of(tenant).tokens as _)
        });
        Ok(Check::kept(client, given))
    }
}
