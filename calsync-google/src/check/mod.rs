//! "Check configuration": whether everything at Google is in place, step by step, before anything is stored.
//!
//! [`Check`] takes settings that are not saved yet, such as the text of a key file that was just pasted, asks Google, and says in a
//! [`CheckReport`] what is missing, who can mend it and what to paste. It writes nothing, neither to the calendar nor to a store; it
//! keeps nothing; and its report holds no secret. [`Connections::check`](crate::connect::Connections::check) makes one of what is saved, and
//! [`Engine::keep_check`](calsync_core::Engine::keep_check) keeps a report in the history. The steps are in [`steps`], always all of them and in the same order.
//!
//! What is asked is in `run.rs`; what an answer means is in `network.rs`, `account.rs` and `calendar.rs`, pure.
//!
//! The role "Service Account Token Creator", which some guides have an administrator grant, is not looked for: calsync signs with the
//! key itself and needs no role in the Google Cloud project.
//!
//! ```no_run
//! use calsync_core::provider::Effort;
//! use calsync_google::Check;
//!
//! # async fn example(pasted: &str) {
//! let check = Check::service_account(pasted).agent("amy@example.com");
//! let report = check.run(&Effort::default()).await;
//! println!("{report}"); // ✓ … ✗ … – … with the cures below
//! # }
//! ```

mod account;
mod calendar;
mod network;
mod run;
pub mod steps;

use crate::auth::{OAuthClient, OAuthClientFile, ServiceAccountKey};
use crate::config::Endpoints;
use crate::scope::{Feature, Scopes};
use account::{Known, Needs, Way};
use calsync_core::binding::Direction;
use calsync_core::check::CheckReport;
use calsync_core::clock::{Clock, Entropy, SystemClock, SystemEntropy};
use calsync_core::http::{BaseUrl, TokenSource, Transport};
use calsync_core::provider::Effort;
use calsync_core::{Error, ErrorKind, Result, Secret};
use std::fmt;
use std::sync::Arc;

/// Settings to be checked.
pub struct Check {
    credential: Credential,
    delegated: bool,
    enabled: Option<bool>,
    agent: Option<String>,
    calendar: Option<String>,
    direction: Direction,
    features: Vec<Feature>,
    rooms: Option<String>,
    public_address: Option<String>,
    endpoints: Endpoints,
    directory: Option<BaseUrl>,
    transport: Option<Arc<dyn Transport>>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

#[derive(Debug)]
enum Credential {
    ServiceAccount(Result<ServiceAccountKey>),
    Grant(Result<Client>, Option<Given>),
}

/// What a person granted.
#[derive(Debug)]
enum Given {
    /// A refresh token that is not kept anywhere.
    Token(Secret),
    /// A grant that is kept, where a token is got in the same way as for a run.
    Kept { account: String, scopes: Scopes, tokens: Arc<dyn TokenSource> },
}

#[derive(Debug)]
struct Client {
    client: OAuthClient,
    project: Option<String>,
}

impl Check {
    /// A service account, from the text of its key file as it was pasted. The text is read at once and not kept.
    pub fn service_account(text: &str) -> Self {
        Self::new(Credential::ServiceAccount(ServiceAccountKey::from_json(text)))
    }

    /// A person's grant: the refresh token that was given to this OAuth client.
    pub fn oauth(client: OAuthClient, refresh_token: Secret) -> Self {
        // The number of the project is what an id begins with.
        let number =
            client.id.split('-').next().filter(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
        let project = number.map(str::to_owned);
        Self::new(Credential::Grant(Ok(Client { client, project }), Some(Given::Token(refresh_token))))
    }

    /// An OAuth client, from the text of its file as it was pasted. Nobody needs to have connected yet; where somebody has,
    /// [`Check::refresh_token`] lets the rest be looked at.
    pub fn oauth_file(text: &str) -> Self {
        let file = OAuthClientFile::from_json(text);
        Self::new(Credential::Grant(
            file.map(|file| Client { client: file.client, project: file.project_id }),
            None,
        ))
    }

    /// A client and a grant that are kept, or why there are none.
    pub(crate) fn kept(
        client: Result<(OAuthClient, Option<String>)>,
        grant: Option<(String, Scopes, Arc<dyn TokenSource>)>,
    ) -> Self {
        let client = client.map(|(client, project)| Client { client, project });
        let given = grant.map(|(account, scopes, tokens)| Given::Kept { account, scopes, tokens });
        Self::new(Credential::Grant(client, given))
    }

    /// A service account whose key cannot be had, and why.
    pub(crate) fn without_key(why: Error) -> Self {
        Self::new(Credential::ServiceAccount(Err(why)))
    }

    fn new(credential: Credential) -> Self {
        Self {
            credential,
            delegated: true,
            enabled: None,
            agent: None,
            calendar: None,
            direction: Direction::TwoWay,
            features: Vec::new(),
            rooms: None,
            public_address: None,
            endpoints: Endpoints::default(),
            directory: None,
            transport: None,
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy),
        }
    }

    /// The refresh token that somebody granted to the OAuth client. Default: none, and what needs one is skipped.
    pub fn refresh_token(mut self, token: Secret) -> Self {
        if let Credential::Grant(_, grant) = &mut self.credential {
            *grant = Some(Given::Token(token));
        }
        self
    }

    /// Whether a service account acts as the agent (domain-wide delegation), or as itself in calendars that are shared with it.
    /// Default: true, as for a [`crate::GoogleBuilder`].
    pub fn delegated(mut self, delegated: bool) -> Self {
        self.delegated = delegated;
        self
    }

    /// Whether the way is switched on in the CRM, which only the CRM knows. Default: not said, and the step is skipped.
    pub fn enabled(mut self, enabled: bool) -> Self {
        self.enabled = Some(enabled);
        self
    }

    /// The agent's address; its case and blanks around it mean nothing. Default: none, and what needs one is skipped.
    pub fn agent(mut self, address: impl Into<String>) -> Self {
        self.agent = Some(address.into().trim().to_lowercase()).filter(|address| !address.is_empty());
        self
    }

    /// The calendar. Default: the agent's own.
    pub fn calendar(mut self, calendar: impl Into<String>) -> Self {
        self.calendar = Some(calendar.into().trim().to_owned()).filter(|calendar| !calendar.is_empty());
        self
    }

    /// Which way changes shall flow; it decides what access is enough. Default: both ways.
    pub fn direction(mut self, direction: Direction) -> Self {
        self.direction = direction;
        self
    }

    /// What else has to work, besides the events that the direction needs: a scope that is missing for it is a cross. Default: nothing.
    /// Working hours are looked for in any case, and their lack is only told.
    pub fn features(mut self, features: impl IntoIterator<Item = Feature>) -> Self {
        self.features = features.into_iter().collect();
        self
    }

    /// That rooms are wanted, and the administrator of the Workspace on whose behalf they are listed. Default: they are not.
    pub fn rooms(mut self, administrator: impl Into<String>) -> Self {
        self.rooms = Some(administrator.into().trim().to_owned());
        self
    }

    /// The address at which Google could tell of changes. Default: none; Google is asked at each run then, and nothing is missing.
    pub fn public_address(mut self, address: impl Into<String>) -> Self {
        self.public_address = Some(address.into());
        self
    }

    /// Where Google is. Default: where it is.
    pub fn endpoints(mut self, endpoints: Endpoints) -> Self {
        self.endpoints = endpoints;
        self
    }

    /// Where the Directory API is. Default: `https://admin.googleapis.com/admin/directory/v1`.
    pub fn directory(mut self, base: BaseUrl) -> Self {
        self.directory = Some(base);
        self
    }

    /// What carries the requests. Default: a [`calsync_core::http::ReqwestTransport`] of its own; give the one that runs use, so that
    /// it is that way which is checked.
    pub fn transport(mut self, transport: Arc<dyn Transport>) -> Self {
        self.transport = Some(transport);
        self
    }

    /// What time it is. Default: the system's clock.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Where the chance in waits comes from. Default: the system.
    pub fn entropy(mut self, entropy: Arc<dyn Entropy>) -> Self {
        self.entropy = entropy;
        self
    }

    /// Looks at every step. It takes about as long as its ten to fifteen requests, and no longer than `effort` allows; what there
    /// was no time for is skipped. Safe to repeat and to cancel.
    pub async fn run(&self, effort: &Effort) -> CheckReport {
        run::run(self, effort).await
    }

    /// Which scopes are granted, of those that are of use here. For a delegated service account each is asked for alone, as Google does
    /// not say which of several it refuses; a service account that acts as itself needs no grant, so all of them are.
    ///
    /// # Errors
    /// What keeps it from being found out: a bad file, a person who is not there, the network.
    pub async fn granted_scopes(&self, effort: &Effort) -> Result<Scopes> {
        run::granted(self, effort).await
    }

    /// The scopes to configure ([`crate::GoogleBuilder::scopes`]): of those granted, the ones that are enough for the events of this
    /// direction, for the features and, where that is granted, for working hours, and no others. An administrator who authorised the
    /// three scopes of HaloCRM's guide has nothing to change.
    ///
    /// # Errors
    /// As [`Check::granted_scopes`]; [`ErrorKind::Forbidden`] where what is granted is not enough.
    pub async fn scopes_to_ask(&self, effort: &Effort) -> Result<Scopes> {
        let granted = self.granted_scopes(effort).await?;
        let needed = self.needed();
        let missing = granted.missing(&needed);
        if missing.is_empty() {
            return Ok(account::to_ask(&granted, &Needs { needed: &needed, welcome: WELCOME }));
        }
        let names: Vec<&str> = missing.iter().map(|feature| feature.title()).collect();
        let cure = format!("Authorise {}.", Scopes::smallest_for(&missing).with_commas());
        Err(Error::new(ErrorKind::Forbidden, "the granted scopes are not enough")
            .with("missing", names.join(", "))
            .cure(cure))
    }

    /// The calendar to ask for. An id is taken as it is, but for the agent's own, which is the address.
    fn target(&self) -> Option<&str> {
        match (self.calendar.as_deref(), self.agent.as_deref()) {
            (Some(calendar), Some(agent)) if calendar.to_lowercase() == agent => Some(agent),
            (calendar, agent) => calendar.or(agent),
        }
    }

    fn needed(&self) -> Vec<Feature> {
        let events = if self.direction.writes_remote() { Feature::WriteEvents } else { Feature::ReadEvents };
        [events].into_iter().chain(self.features.iter().copied()).collect()
    }

    fn way(&self) -> Way {
        match (&self.credential, self.delegated) {
            (Credential::Grant(..), _) => Way::Grant,
            (Credential::ServiceAccount(_), true) => Way::Delegated,
            (Credential::ServiceAccount(_), false) => Way::Itself,
        }
    }

    /// What the file says, or why it says nothing.
    fn known(&self) -> std::result::Result<Known, &Error> {
        match &self.credential {
            Credential::ServiceAccount(key) => key.as_ref().map(|key| Known {
                email: Some(key.client_email().to_owned()),
                client_id: key.client_id().map(str::to_owned),
                project: key.project_id().map(str::to_owned),
            }),
            Credential::Grant(client, _) => client.as_ref().map(|client| Known {
                email: None,
                client_id: Some(client.client.id.clone()),
                project: client.project.clone(),
            }),
        }
    }
}

/// Looked for wherever it is granted.
const WELCOME: &[Feature] = &[Feature::WorkingHours];

/// Says what is checked. What carries requests may keep them, so it is not printed.
impl fmt::Debug for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Check")
            .field("credential", &self.credential)
            .field("delegated", &self.delegated)
            .field("agent", &self.agent)
            .field("calendar", &self.calendar)
            .field("direction", &self.direction)
            .field("endpoints", &self.endpoints)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s09_settings_print_without_their_secrets() {
        let client =
            OAuthClient { id: "1234-a.apps.googleusercontent.com".into(), secret: Secret::new("neversay") };
        let check = Check::oauth(client, Secret::new("neversay"));
        assert!(!format!("{check:?}").contains("neversay"));
        assert_eq!(check.known().expect("a client").project.as_deref(), Some("1234"));
        let pasted = Check::service_account(r#"{"type":"service_account","private_key":"neversay"}"#);
        assert!(!format!("{pasted:?}").contains("neversay"));
    }
}
