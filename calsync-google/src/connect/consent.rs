//! Asking a person for consent: the address to which the browser is sent, and what is remembered until it comes back.

use super::client::to_facts;
use super::{Connections, RedirectUri};
use crate::auth::ClientKind;
use crate::scope::{Feature, Scopes};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use calsync_core::planted::{self, Fault};
use calsync_core::store::SealedKind;
use calsync_core::{AgentId, Error, ErrorKind, Result, Secret, Tenant};
use chrono::{DateTime, TimeDelta, Utc};
use oauth2::basic::BasicClient;
use oauth2::{AuthUrl, ClientId, CsrfToken, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, Scope};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::fmt;

/// How long a person may take on Google's pages (S5).
const PENDING: TimeDelta = TimeDelta::minutes(10);

/// What a consent is asked for.
#[derive(Clone, Debug)]
pub struct Consent {
    agent: Option<AgentId>,
    expected: Option<String>,
    session: Secret,
    features: Vec<Feature>,
    required: Vec<Feature>,
    return_to: Option<String>,
    redirect: Option<RedirectUri>,
    invitation: Option<String>,
}

/// Where to send the browser.
#[derive(Clone, PartialEq, Eq)]
pub struct ConsentPage {
    /// The address of Google's page. It is good for one consent.
    pub url: String,
    /// Until when the person may come back: ten minutes.
    pub expires: DateTime<Utc>,
    /// What somebody should know who set this up.
    pub warnings: Vec<String>,
}

impl fmt::Debug for ConsentPage {
    /// Without the address, as the state is in it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConsentPage")
            .field("expires", &self.expires)
            .field("warnings", &self.warnings)
            .finish_non_exhaustive()
    }
}

/// What is remembered until the browser comes back.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Pending {
    #[serde(default)]
    pub(super) agent: Option<AgentId>,
    #[serde(default)]
    pub(super) expected: Option<String>,
    /// A hash: the session itself is the host's secret.
    pub(super) session: String,
    pub(super) client_id: String,
    pub(super) redirect: String,
    pub(super) features: Vec<Feature>,
    pub(super) required: Vec<Feature>,
    #[serde(default)]
    pub(super) return_to: Option<String>,
    #[serde(default)]
    pub(super) invitation: Option<String>,
}

impl Consent {
    /// For whoever sits in front of the browser whose session this is: an unguessable value that only this browser has, such as a
    /// session cookie's. The same value has to come with the callback.
    pub fn in_session(session: &str) -> Self {
        Self {
            agent: None,
            expected: None,
            session: Secret::new(session),
            features: vec![Feature::WriteEvents],
            required: vec![Feature::WriteEvents],
            return_to: None,
            redirect: None,
            invitation: None,
        }
    }

    /// In the name of this agent of the CRM.
    pub fn of(mut self, agent: impl Into<AgentId>) -> Self {
        self.agent = Some(agent.into());
        self
    }

    /// Only this account may consent; case does not matter. Google's page is opened with it, and nothing is stored of another one
    /// (S6). Default: whoever consents, for an agent who starts from their own profile.
    pub fn expecting(mut self, address: impl Into<String>) -> Self {
        self.expected = Some(address.into().trim().to_lowercase());
        self
    }

    /// What calsync is to do with the calendar. Default: read and write events.
    pub fn features(mut self, features: impl IntoIterator<Item = Feature>) -> Self {
        self.features = features.into_iter().collect();
        self
    }

    /// What there is no use without: a consent that leaves out one of these connects nothing. Default: read and write events.
    pub fn required(mut self, features: impl IntoIterator<Item = Feature>) -> Self {
        self.required = features.into_iter().collect();
        self
    }

    /// Where the host sends the browser in the end: one of [`ConnectionsBuilder::return_targets`](super::ConnectionsBuilder::return_targets).
    pub fn return_to(mut self, target: impl Into<String>) -> Self {
        self.return_to = Some(target.into());
        self
    }

    /// The invitation that this is about.
    pub(super) fn invited_by(mut self, invitation: String) -> Self {
        self.invitation = Some(invitation);
        self
    }

    pub(super) fn session(&self) -> Secret {
        self.session.clone()
    }

    /// Another redirect URI than the configured one: for the loopback of a desktop client.
    pub(super) fn redirect(mut self, redirect: RedirectUri) -> Self {
        self.redirect = Some(redirect);
        self
    }
}

impl Connections {
    /// Begins a consent: send the browser to the address that comes back. Nothing is stored but what is needed to recognise its return.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] while there is no OAuth client, saying who must upload what; when the redirect URI is not one that the client
    /// answers to, with the exact address to register; for a return target that is not allowed; or when the vault has no key.
    pub async fn begin(&self, tenant: &Tenant, consent: &Consent) -> Result<ConsentPage> {
        let shared = &self.shared;
        let (facts, client) = self.client(tenant).await?;
        let redirect = consent.redirect.as_ref().or(shared.redirect.as_ref()).ok_or_else(|| {
            Error::new(ErrorKind::Config, "there is no redirect URI")
                .cure("Configure it with ConnectionsBuilder::redirect_uri, as it is registered with the OAuth client.")
        })?;
        redirect.check(facts.kind, &facts.redirect_uris)?;
        if consent.session.reveal().is_empty() && !planted::on(Fault::NoSessionTaken) {
            return Err(Error::new(
                ErrorKind::Config,
                "a consent is bound to a browser session, and this one is empty",
            ));
        }
        if consent.features.is_empty() {
            return Err(Error::new(ErrorKind::Config, "a consent has to be for something"));
        }
        self.check_return(consent.return_to.as_deref())?;
        let now = shared.clock.now();
        // What nobody came back for is forgotten with the next one that begins.
        shared.store.drop_expired(SealedKind::Consent, now).await?;
        shared.store.drop_expired(SealedKind::Grant, now).await?;
        let state = Secret::new(self.random());
        let verifier = Secret::new(self.random());
        let expires = now + PENDING;
        let pending = Pending {
            agent: consent.agent.clone(),
            expected: consent.expected.clone(),
            session: hash(consent.session.reveal()),
            client_id: client.id.clone(),
            redirect: redirect.as_str().to_owned(),
            features: consent.features.clone(),
            required: consent.required.clone(),
            return_to: consent.return_to.clone(),
            invitation: consent.invitation.clone(),
        };
        let (name, facts_kept) = (hash(state.reveal()), to_facts(&pending)?);
        let vault = &shared.vault;
        let put =
            vault.put(tenant, SealedKind::Consent, &name, facts_kept, Some(&verifier), Some(expires), None);
        if !put.await? {
            return Err(Error::new(
                ErrorKind::Invariant,
                "256 random bits came twice: the source of chance is broken",
            ));
        }
        let url = page(&self.shared.endpoints.consent, &client.id, redirect, consent, &state, &verifier)?;
        let mut warnings: Vec<String> = redirect.warning().into_iter().collect();
        if facts.kind == ClientKind::Desktop && consent.expected.is_some() && consent.redirect.is_none() {
            warnings.push(
                "The OAuth client is of the type \"Desktop app\": this page works on the machine that calsync runs on, and nowhere else."
                    .to_owned(),
            );
        }
        tracing::info!(%tenant, client = client.id, "consent begun");
        Ok(ConsentPage { url, expires, warnings })
    }

    /// Whether a browser may be sent there.
    pub(super) fn check_return(&self, target: Option<&str>) -> Result<()> {
        let target = target.filter(|_| !planted::on(Fault::TargetNotCompared));
        match target.filter(|target| !allowed(&self.shared.targets, target)) {
            None => Ok(()),
            Some(target) => Err(Error::new(ErrorKind::Config, "this return target is not allowed")
                .with("target", target)
                .cure("Add it to ConnectionsBuilder::return_targets, if it is the host's own.")),
        }
    }

    /// 256 random bits, in the letters that addresses and PKCE verifiers may have (RFC 7636, section 4.1).
    fn random(&self) -> String {
        let mut bytes = [0; 32];
        self.shared.entropy.fill(&mut bytes);
        URL_SAFE_NO_PAD.encode(bytes)
    }
}

/// Google's page, with everything that it is to know (developers.google.com/identity/protocols/oauth2/web-server).
fn page(
    endpoint: &calsync_core::http::BaseUrl,
    client_id: &str,
    redirect: &RedirectUri,
    consent: &Consent,
    state: &Secret,
    verifier: &Secret,
) -> Result<String> {
    let broken = || Error::new(ErrorKind::Config, "the address of the consent page cannot be made");
    let client = BasicClient::new(ClientId::new(client_id.to_owned()))
        .set_auth_uri(AuthUrl::new(endpoint.as_str().to_owned()).map_err(|_| broken())?)
        .set_redirect_uri(RedirectUrl::new(redirect.as_str().to_owned()).map_err(|_| broken())?);
    let challenge =
        PkceCodeChallenge::from_code_verifier_sha256(&PkceCodeVerifier::new(verifier.reveal().to_owned()));
    // Who consented is asked for in any case: it is a sign-in scope, which brings no further box to tick.
    let features: Vec<Feature> = consent.features.iter().copied().chain([Feature::Identity]).collect();
    let scopes: Vec<String> = Scopes::smallest_for(&features).iter().map(str::to_owned).collect();
    let state = state.reveal().to_owned();
    let mut request = client
        .authorize_url(|| CsrfToken::new(state))
        .add_scopes(scopes.into_iter().map(Scope::new))
        // Without these two there is no refresh token, or only the first time.
        .add_extra_param("access_type", "offline")
        .add_extra_param("prompt", "consent")
        .add_extra_param("include_granted_scopes", "true");
    if !planted::on(Fault::ChallengeNotSent) {
        request = request.set_pkce_challenge(challenge);
    }
    if let Some(expected) = &consent.expected {
        request = request.add_extra_param("login_hint", expected);
    }
    Ok(request.url().0.to_string())
}

/// Under which name something is kept that is itself a secret.
pub(super) fn hash(text: &str) -> String {
    if planted::on(Fault::StateInTheClear) {
        return text.to_owned();
    }
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether an entry of the list of return targets can be meant.
pub(super) fn check_target(target: &str) -> Result<()> {
    let path = target.starts_with('/') && !target.starts_with("//");
    let address = target.starts_with("https://") || target.starts_with("http://");
    if (path || address) && clean(target) {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Config,
        "a return target is a path that begins with one /, or an http or https address",
    )
    .with("target", target))
}

fn allowed(targets: &[String], target: &str) -> bool {
    let climbs =
        target.split(['/', '?', '#']).any(|part| part == "..") || target.to_lowercase().contains("%2e");
    clean(target)
        && !climbs
        && targets.iter().any(|allowed| {
            let below = || {
                let rest = target.strip_prefix(allowed.as_str()).filter(|_| allowed.ends_with('/'));
                rest.is_some_and(|rest| !rest.starts_with('/'))
            };
            target == allowed || below()
        })
}

/// No browser takes it for another address than it looks like.
fn clean(target: &str) -> bool {
    target.len() <= 2_048 && target.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_is_sent_to_targets_of_the_list_and_nowhere_else() {
        let targets = ["/profile".to_owned(), "/app/".to_owned(), "https://crm.example.com/done".to_owned()];
        for good in ["/profile", "/app/", "/app/settings?tab=google", "https://crm.example.com/done"] {
            assert!(allowed(&targets, good), "{good}");
        }
        for bad in [
            "/profile/x",
            "/profile?next=//evil.example",
            "//evil.example/app/",
            "/app//evil.example",
            "/app/../admin",
            "/app/%2e%2e/admin",
            "/app/x\\y",
            "/app/\r\nLocation: https://evil.example",
            "https://crm.example.com/done.evil.example",
            "https://evil.example",
            "javascript:alert(1)",
            "",
        ] {
            assert!(!allowed(&targets, bad), "{bad}");
        }
        for bad in ["//evil.example", "profile", "javascript:alert(1)", "/a b"] {
            assert!(check_target(bad).is_err(), "{bad}");
        }
    }
}
