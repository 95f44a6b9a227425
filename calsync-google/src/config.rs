//! The settings of a connection to Google.
//!
//! What has no default is the credential; everything else has one, with its reason beside it. Settings are checked together
//! when the provider is built, and nothing is connected before the first call.

use crate::auth::{OAuthClient, RefreshTokens, ServiceAccountKey, ServiceAccountTokens, StaticToken};
use crate::provider::Google;
use calsync_core::clock::{Clock, Entropy, SystemClock, SystemEntropy};
use calsync_core::http::{Backoff, BaseUrl, ReqwestTransport, Sender, TokenSource, Transport};
use calsync_core::{Error, ErrorKind, Result, Secret};
use std::sync::Arc;

/// Reading and writing events: all that a sync needs.
pub const SCOPE_EVENTS: &str = crate::scope::EVENTS;
/// Everything about calendars, sharing and settings included.
pub const SCOPE_CALENDAR: &str = crate::scope::CALENDAR;

/// Google's own limit for a page of events.
const PAGE_SIZE_MAX: u32 = 2500;
/// How many calsync asks for. Three pages are in memory at once, one on its way, one being checked and one being stored: of events of
/// 4 kB, 9 MB as they arrive and more than that once they are read. Fourteen requests for 10,000 events cost no quota to speak of.
pub(crate) const PAGE_SIZE: u32 = 600;

/// Where Google is. Code or the administrator may say otherwise, for tests and gateways; nothing else may: no file that a
/// user uploads, and no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoints {
    /// The Calendar API.
    pub api: BaseUrl,
    /// The token endpoint; assertions are made for this address.
    pub token: BaseUrl,
    /// The page on which a person consents.
    pub consent: BaseUrl,
    /// Where a grant is taken back.
    pub revoke: BaseUrl,
    /// Who consented.
    pub userinfo: BaseUrl,
}

impl Default for Endpoints {
    /// Google's own: `https://www.googleapis.com/calendar/v3`, `https://oauth2.googleapis.com/token`,
    /// `https://accounts.google.com/o/oauth2/v2/auth`, `https://oauth2.googleapis.com/revoke`,
    /// `https://www.googleapis.com/oauth2/v2/userinfo`.
    #[allow(clippy::expect_used, reason = "constants, and a test that reads them")]
    fn default() -> Self {
        let at = |address| BaseUrl::new(address).expect("a constant");
        Self {
            api: at("https://www.googleapis.com/calendar/v3"),
            token: at("https://oauth2.googleapis.com/token"),
            consent: at("https://accounts.google.com/o/oauth2/v2/auth"),
            revoke: at("https://oauth2.googleapis.com/revoke"),
            userinfo: at("https://www.googleapis.com/oauth2/v2/userinfo"),
        }
    }
}

impl Endpoints {
    /// All of it at one server, under the paths that Google has: for a fake, or for a gateway.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for an address that is neither https nor on the loopback.
    pub fn under(base: &str) -> Result<Self> {
        let base = base.trim_end_matches('/');
        let at = |path| BaseUrl::new(&format!("{base}/{path}"));
        Ok(Self {
            api: at("calendar/v3")?,
            token: at("token")?,
            consent: at("o/oauth2/v2/auth")?,
            revoke: at("revoke")?,
            userinfo: at("oauth2/v2/userinfo")?,
        })
    }
}

#[derive(Debug)]
enum Credential {
    ServiceAccount(ServiceAccountKey),
    Refresh(OAuthClient, Secret),
    Access(Secret),
}

/// Settings on the way to a [`Google`].
#[derive(Debug)]
pub struct GoogleBuilder {
    credential: Credential,
    endpoints: Endpoints,
    transport: Option<Arc<dyn Transport>>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    backoff: Backoff,
    scopes: Vec<String>,
    delegated: bool,
    page_size: u32,
}

impl GoogleBuilder {
    fn new(credential: Credential) -> Self {
        Self {
            credential,
            endpoints: Endpoints::default(),
            transport: None,
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy),
            backoff: Backoff::default(),
            scopes: vec![SCOPE_EVENTS.to_owned()],
            delegated: true,
            page_size: PAGE_SIZE,
        }
    }

    /// Where Google is. Default: where it is.
    pub fn endpoints(mut self, endpoints: Endpoints) -> Self {
        self.endpoints = endpoints;
        self
    }

    /// What carries the requests. Default: a [`ReqwestTransport`] of its own; share one between providers to share its
    /// connections.
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

    /// The bounds of repeating. Default: [`Backoff::default`].
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.backoff = backoff;
        self
    }

    /// The scopes that a service account asks for. Default: [`SCOPE_EVENTS`] alone, because one scope that the administrator
    /// did not authorise refuses them all. A refresh token has the scopes it was given.
    pub fn scopes(mut self, scopes: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.scopes = scopes.into_iter().map(Into::into).collect();
        self
    }

    /// Whether a service account acts as the person whose calendar it is (domain-wide delegation), or as itself in calendars
    /// that are shared with its address. Default: true, as only then guests can be invited.
    pub fn delegated(mut self, delegated: bool) -> Self {
        self.delegated = delegated;
        self
    }

    /// How many events a page may have, 1 to 2,500. Default: 600, so that three pages of large events fit into memory.
    pub fn page_size(mut self, page_size: u32) -> Self {
        self.page_size = page_size;
        self
    }

    /// Checks the settings together. Nothing is connected or asked yet.
    ///
    /// # Errors
    /// [`ErrorKind::Config`], naming the setting.
    pub fn build(self) -> Result<Google> {
        let refuse = |what: &'static str| Err(Error::new(ErrorKind::Config, what));
        check_page_size(self.page_size)?;
        if self.scopes.is_empty() {
            return refuse("at least one scope is needed")
                .map_err(|e| e.cure(format!("A usual one is {SCOPE_EVENTS}.")));
        }
        if let Some(bad) = self
            .scopes
            .iter()
            .find(|s| s.is_empty() || s.contains([',', ';', '"']) || s.contains(char::is_whitespace))
        {
            let error = Error::new(ErrorKind::Config, "this is not one scope").with("scope", bad);
            return Err(error.cure("Give each scope on its own, without commas or blanks."));
        }
        let transport = match self.transport {
            Some(transport) => transport,
            None => Arc::new(ReqwestTransport::new()?),
        };
        let sender = |base: BaseUrl| {
            Sender::new(base, transport.clone(), self.clock.clone(), self.entropy.clone())
                .with_backoff(self.backoff)
        };
        let account = match &self.credential {
            Credential::ServiceAccount(key) => Some(key.client_email().to_owned()),
            Credential::Refresh(..) | Credential::Access(_) => None,
        };
        let delegated = account.is_some() && self.delegated;
        let token = sender(self.endpoints.token);
        let tokens: Arc<dyn TokenSource> = match self.credential {
            Credential::ServiceAccount(key) => Arc::new(ServiceAccountTokens::new(
                key,
                self.scopes,
                self.delegated,
                token,
                self.clock.clone(),
            )),
            Credential::Refresh(client, grant) => {
                if client.id.trim().is_empty() || client.secret.reveal().trim().is_empty() {
                    return refuse("the OAuth client needs an id and a secret");
                }
                check_token(&grant, "refresh token")?;
                Arc::new(RefreshTokens::new(client, grant, token, self.clock.clone()))
            }
            Credential::Access(access) => {
                check_token(&access, "access token")?;
                Arc::new(StaticToken(access))
            }
        };
        Ok(Google::new(sender(self.endpoints.api).with_tokens(tokens), account, delegated, self.page_size))
    }
}

pub(crate) fn check_page_size(page_size: u32) -> Result<()> {
    if (1..=PAGE_SIZE_MAX).contains(&page_size) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Config, "a page has 1 to 2,500 events"))
}

/// A token is printable ASCII without blanks; a line break at its end is the usual accident.
fn check_token(token: &Secret, what: &'static str) -> Result<()> {
    if token.reveal().is_empty() || !token.reveal().bytes().all(|b| b.is_ascii_graphic()) {
        let error =
            Error::new(ErrorKind::Config, format!("the {what} is empty or has characters that no token has"));
        return Err(error.cure("Give it without blanks and line breaks around it."));
    }
    Ok(())
}

/// The ways to connect.
impl Google {
    /// With a service account's key.
    pub fn service_account(key: ServiceAccountKey) -> GoogleBuilder {
        GoogleBuilder::new(Credential::ServiceAccount(key))
    }

    /// With the refresh token that a person granted to an OAuth client.
    pub fn refresh_token(client: OAuthClient, token: Secret) -> GoogleBuilder {
        GoogleBuilder::new(Credential::Refresh(client, token))
    }

    /// With an access token that somebody else obtained and renews; it lasts about an hour.
    pub fn access_token(token: Secret) -> GoogleBuilder {
        GoogleBuilder::new(Credential::Access(token))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn builder() -> GoogleBuilder {
        Google::access_token(Secret::new("ya29.neversay"))
    }

    #[track_caller]
    fn refused(builder: GoogleBuilder, what: &str) {
        let error = builder.build().expect_err("refused");
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains(what) && !error.to_string().contains("neversay"), "{error}");
    }

    #[test]
    fn the_default_endpoints_are_google_s() {
        let endpoints = Endpoints::default();
        assert_eq!(endpoints.api.as_str(), "https://www.googleapis.com/calendar/v3");
        assert_eq!(endpoints.token.as_str(), "https://oauth2.googleapis.com/token");
        assert_eq!(endpoints.consent.as_str(), "https://accounts.google.com/o/oauth2/v2/auth");
        let fake = Endpoints::under("http://127.0.0.1:9/").expect("a server");
        assert_eq!(fake.api.as_str(), "http://127.0.0.1:9/calendar/v3");
        assert!(Endpoints::under("http://10.0.0.1").is_err());
    }

    #[test]
    fn settings_that_cannot_work_are_named_before_anything_is_sent() {
        refused(builder().page_size(0), "1 to 2,500");
        refused(builder().page_size(2501), "1 to 2,500");
        refused(builder().scopes(Vec::<String>::new()), "at least one scope");
        refused(builder().scopes(["https://a,https://b"]), "not one scope");
        refused(builder().scopes(["a b"]), "not one scope");
        refused(Google::access_token(Secret::new("neversay\n")), "the access token");
        refused(Google::access_token(Secret::new("")), "the access token");
        let client = OAuthClient { id: " ".into(), secret: Secret::new("neversay") };
        refused(Google::refresh_token(client, Secret::new("neversay")), "an id and a secret");
    }

    #[test]
    fn neither_the_builder_nor_the_provider_prints_a_secret() {
        let builder = builder();
        let printed = format!("{builder:?}");
        let google = builder.build().expect("a provider");
        assert!(!format!("{printed} {google:?}").contains("neversay"));
    }
}
