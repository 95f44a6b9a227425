//! The consent endpoint: what is asked of a person, and what the person is shown.
//!
//! A request is read and refused as Google refuses it: with a page, never with a redirect, because until client and
//! redirect URI are known to belong together nobody may be sent anywhere. What comes next is decided here and shown
//! elsewhere: `consent_page` draws it for a browser, `person` plays the browser for a test. Nothing is kept between two
//! pages; each page carries the request that it answers.
//!
//! Not here: signing in. Whoever names an account has its password. The implicit flow (`response_type=token`) is answered
//! with 501, and so is everything else that Google has and the fake has not.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use sha2::{Digest as _, Sha256};

use super::FakeGoogle;
use super::incoming::{encode, form};
use super::model::{Account, AccountState};
use super::oauth_client::OAuthClient;
use super::scope::{canonical, is_scope, is_sign_in, told};
use super::screens::{ErrorPage, ScreenAnswer, ScreenKind};

/// The parameters that the endpoint has.
const PARAMETERS: &[&str] = &[
    "access_type",
    "approval_prompt",
    "authuser",
    "client_id",
    "code_challenge",
    "code_challenge_method",
    "display",
    "enable_granular_consent",
    "hd",
    "hl",
    "include_granted_scopes",
    "login_hint",
    "nonce",
    "prompt",
    "redirect_uri",
    "response_type",
    "scope",
    "state",
];

/// A proof key (RFC 7636), as the request gives it.
#[derive(Clone, Debug)]
pub(crate) enum Challenge {
    Plain(String),
    S256(String),
}

impl Challenge {
    pub(crate) fn is_met_by(&self, verifier: &str) -> bool {
        match self {
            Self::Plain(wanted) => wanted == verifier,
            Self::S256(wanted) => *wanted == URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes())),
        }
    }
}

/// A request that Google would show a page for.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) client: String,
    pub(crate) redirect: String,
    pub(crate) state: Option<String>,
    /// In long form, in the order of the request, each once.
    pub(crate) scopes: Vec<String>,
    pub(crate) offline: bool,
    pub(crate) incremental: bool,
    pub(crate) challenge: Option<Challenge>,
    pub(crate) nonce: Option<String>,
    /// `prompt=consent`: ask although it was granted before, and give a refresh token again.
    pub(crate) again: bool,
    silent: bool,
    select: bool,
    hint: Option<String>,
}

/// What stands in the browser's window.
#[derive(Clone, Debug)]
pub(crate) enum View {
    /// Which account?
    Accounts,
    /// Google has not verified the application. Go on?
    Warning { email: String, testing: bool },
    /// May it? With `ticks`, each scope that is not for signing in has a box of its own.
    Consent { email: String, scopes: Vec<String>, ticks: bool },
    /// The end of the way: nobody is redirected.
    Error(ErrorPage),
    /// The browser goes to the application.
    Redirect(String),
}

/// What somebody ticked.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ticked {
    pub(crate) scopes: BTreeSet<String>,
    /// Only for a time, where that was offered.
    pub(crate) limited: bool,
}

pub(crate) fn read(
    query: &str,
    clients: &BTreeMap<String, OAuthClient>,
    refuse_unknown: bool,
) -> Result<Asked, ErrorPage> {
    let fields = form(query);
    let bad = |text: &str| ErrorPage::new(400, "invalid_request", text);
    for (at, (name, _)) in fields.iter().enumerate() {
        if refuse_unknown && !PARAMETERS.contains(&name.as_str()) {
            return Err(bad(&format!("Parameter not allowed for this message type: {name}")));
        }
        if fields.iter().take(at).any(|(other, _)| other == name) {
            return Err(bad(&format!("OAuth 2 parameters can only have a single value: {name}")));
        }
    }
    let find = |name: &str| {
        let value = fields.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        value.filter(|value| !value.is_empty())
    };
    let needed = |name: &str| find(name).ok_or_else(|| bad(&format!("Missing required parameter: {name}")));
    let id = needed("client_id")?;
    let unknown = || ErrorPage::new(401, "invalid_client", "The OAuth client was not found.");
    let client = clients.get(id).ok_or_else(unknown)?;
    if let Some(error) = client.disabled {
        let text = format!("The OAuth client was {}.", error.trim_end_matches("_client"));
        return Err(ErrorPage::new(401, error, &text));
    }
    let redirect = needed("redirect_uri")?;
    if !client.may_redirect_to(redirect) {
        let text = format!(
            "You can't sign in to this app because it doesn't comply with Google's OAuth 2.0 policy. If you're the app \
             developer, register the redirect URI in the Google Cloud Console. Request details: redirect_uri={redirect}"
        );
        return Err(ErrorPage::new(400, "redirect_uri_mismatch", &text));
    }
    let one_of = |name: &str, allowed: &[&str]| match find(name) {
        Some(value) if !allowed.contains(&value) => {
            Err(bad(&format!("Invalid parameter value for {name}: '{value}' is not a valid value")))
        }
        value => Ok(value),
    };
    match needed("response_type")? {
        "code" => {}
        "token" | "id_token" | "code token" | "code id_token" | "token id_token" | "code token id_token" => {
            return Err(ErrorPage::new(501, "fake", "The fake Google knows response_type=code only."));
        }
        other => return Err(bad(&format!("Invalid response_type: {other}"))),
    }
    let (valid, invalid): (Vec<&str>, Vec<&str>) =
        needed("scope")?.split_whitespace().partition(|scope| is_scope(scope));
    if !invalid.is_empty() || valid.is_empty() {
        let text = format!(
            "Some requested scopes were invalid. {{valid=[{}], invalid=[{}]}}",
            valid.join(", "),
            invalid.join(", ")
        );
        return Err(ErrorPage::new(400, "invalid_scope", &text));
    }
    let mut scopes: Vec<String> = Vec::new();
    for scope in valid.into_iter().map(canonical) {
        if !scopes.contains(&scope) {
            scopes.push(scope);
        }
    }
    let prompts: Vec<&str> = find("prompt").unwrap_or_default().split_whitespace().collect();
    if let Some(other) = prompts.iter().find(|one| !["none", "consent", "select_account"].contains(one)) {
        return Err(bad(&format!("Invalid prompt: {other}")));
    }
    let silent = prompts.contains(&"none");
    if silent && prompts.len() > 1 {
        return Err(bad("Invalid prompt: none goes with no other value"));
    }
    let approval = one_of("approval_prompt", &["auto", "force"])?;
    if approval.is_some() && !prompts.is_empty() {
        return Err(bad("Conflict params: approval_prompt and prompt"));
    }
    Ok(Asked {
        client: id.to_owned(),
        redirect: redirect.to_owned(),
        state: fields.iter().find(|(name, _)| name == "state").map(|(_, state)| state.clone()),
        scopes,
        offline: one_of("access_type", &["online", "offline"])? == Some("offline"),
        incremental: one_of("include_granted_scopes", &["true", "false"])? == Some("true"),
        challenge: challenge(find("code_challenge"), find("code_challenge_method"))
            .map_err(|text| bad(&text))?,
        nonce: find("nonce").map(str::to_owned),
        again: prompts.contains(&"consent") || approval == Some("force"),
        silent,
        select: prompts.contains(&"select_account"),
        hint: find("login_hint").map(str::to_ascii_lowercase),
    })
}

/// Without a method the challenge is the verifier itself.
fn challenge(value: Option<&str>, method: Option<&str>) -> Result<Option<Challenge>, String> {
    let Some(value) = value else {
        return match method {
            Some(_) => Err("Missing required parameter: code_challenge".to_owned()),
            None => Ok(None),
        };
    };
    let unreserved = value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte));
    if !(43..=128).contains(&value.len()) || !unreserved {
        return Err("Invalid parameter value for code_challenge: it must be 43 to 128 unreserved characters"
            .to_owned());
    }
    match method {
        None | Some("plain") => Ok(Some(Challenge::Plain(value.to_owned()))),
        Some("S256") if value.len() == 43 => Ok(Some(Challenge::S256(value.to_owned()))),
        Some("S256") => {
            Err("Invalid parameter value for code_challenge: it is not a SHA-256 digest".to_owned())
        }
        Some(other) => Err(format!("Invalid parameter value for code_challenge_method: '{other}'")),
    }
}

impl FakeGoogle {
    /// The page that a browser sees next: for a request, with the account that was chosen, if one was, and past the
    /// warning, if one was shown.
    pub(crate) fn look(
        &mut self,
        now: DateTime<Utc>,
        query: &str,
        account: Option<&str>,
        warned: bool,
    ) -> View {
        let asked = match read(query, &self.auth.clients, self.behaviour.refuse_unknown_parameters) {
            Ok(asked) => asked,
            Err(page) => return self.shown(now, "", None, View::Error(page)),
        };
        // A hint chooses the account where the fake has it.
        let hinted = asked.hint.as_deref().filter(|hint| !asked.select && self.accounts.contains_key(*hint));
        let email = account.map(str::to_ascii_lowercase).or_else(|| hinted.map(str::to_owned));
        let view = match &email {
            None if asked.silent => self.back(&asked, "login_required"),
            None => View::Accounts,
            Some(email) => self.look_as(now, &asked, email, warned),
        };
        self.shown(now, &asked.client, email.as_deref(), view)
    }

    fn look_as(&mut self, now: DateTime<Utc>, asked: &Asked, email: &str, warned: bool) -> View {
        let Some(client) = self.auth.clients.get(&asked.client).cloned() else { return View::Accounts };
        let account = match self.accounts.get(email).filter(|account| !account.service) {
            Some(account) => account,
            None => {
                let page = ErrorPage::new(400, "accountNotFound", "Couldn't find your Google Account");
                return View::Error(page);
            }
        };
        if let Some(page) = barred(&client, account) {
            if self.behaviour.consent_refusals_redirect {
                return self.back(asked, &page.error);
            }
            return View::Error(page);
        }
        let domain = domain_of(account).unwrap_or_default();
        let trusted = client.trusted_in.contains(domain);
        self.auth.forget_expired_consent(now, &asked.client, email);
        let granted = self.auth.consented(&client.project, email);
        let wanted: Vec<String> =
            asked.scopes.iter().filter(|scope| asked.again || !granted.contains(*scope)).cloned().collect();
        if wanted.is_empty() {
            return self.land(now, asked, email, &Ticked::default());
        }
        if asked.silent {
            return self.back(asked, "interaction_required");
        }
        let sensitive = asked.scopes.iter().any(|scope| !is_sign_in(scope));
        let suspect = client.testing || (!client.verified && sensitive);
        if suspect && client.internal_to.is_none() && !trusted && !warned {
            return View::Warning { email: email.to_owned(), testing: client.testing };
        }
        let ticks = !trusted && wanted.iter().filter(|scope| !is_sign_in(scope)).count() > 1;
        View::Consent { email: email.to_owned(), scopes: wanted, ticks }
    }

    /// *Allow*: with what was ticked, where ticks were asked.
    pub(crate) fn allow(&mut self, now: DateTime<Utc>, query: &str, email: &str, ticked: &Ticked) -> View {
        let read = read(query, &self.auth.clients, self.behaviour.refuse_unknown_parameters);
        let asked = match read {
            Ok(asked) => asked,
            Err(page) => return self.shown(now, "", None, View::Error(page)),
        };
        // A page may be old: what it asked is looked up again, past its warning.
        match self.look_as(now, &asked, email, true) {
            View::Consent { scopes, ticks, .. } => {
                let mut ticked = ticked.clone();
                ticked.scopes = scopes
                    .into_iter()
                    .filter(|scope| !ticks || is_sign_in(scope) || ticked.scopes.contains(scope))
                    .collect();
                ticked.limited &= self.behaviour.time_limited_access_seconds.is_some();
                self.answered(ScreenAnswer::Allowed);
                if ticked.scopes.is_empty() {
                    return self.back(&asked, "access_denied");
                }
                self.land(now, &asked, email, &ticked)
            }
            other => other,
        }
    }

    /// *Cancel*, or *Back to safety*.
    pub(crate) fn turn_back(&mut self, query: &str) -> View {
        match read(query, &self.auth.clients, self.behaviour.refuse_unknown_parameters) {
            Ok(asked) => {
                self.answered(ScreenAnswer::Refused);
                self.back(&asked, "access_denied")
            }
            Err(page) => View::Error(page),
        }
    }

    fn land(&mut self, now: DateTime<Utc>, asked: &Asked, email: &str, ticked: &Ticked) -> View {
        let limit = self.behaviour.time_limited_access_seconds.filter(|_| ticked.limited);
        let (code, granted) = self.auth.grant_code(now, asked, email, &ticked.scopes, limit);
        let mut pairs = vec![
            ("code", code),
            ("scope", told(&asked.scopes, &granted)),
            ("authuser", "0".to_owned()),
            ("prompt", if ticked.scopes.is_empty() { "none" } else { "consent" }.to_owned()),
        ];
        if let Some(domain) = self.accounts.get(email).and_then(domain_of) {
            pairs.push(("hd", domain.to_owned()));
        }
        View::Redirect(redirect(asked, &pairs))
    }

    fn back(&self, asked: &Asked, error: &str) -> View {
        View::Redirect(redirect(asked, &[("error", error.to_owned())]))
    }

    fn shown(&mut self, now: DateTime<Utc>, client: &str, email: Option<&str>, view: View) -> View {
        let kind = match &view {
            View::Accounts => ScreenKind::Accounts,
            View::Warning { testing: true, .. } => ScreenKind::TestingWarning,
            View::Warning { .. } => ScreenKind::UnverifiedWarning,
            View::Consent { scopes, ticks, .. } => {
                ScreenKind::Consent { scopes: scopes.clone(), ticks: *ticks }
            }
            View::Error(page) => ScreenKind::Error(page.clone()),
            View::Redirect(_) => return view,
        };
        self.show(now, client, email, kind);
        view
    }
}

/// Why this account cannot consent at all, if it cannot.
fn barred(client: &OAuthClient, account: &Account) -> Option<ErrorPage> {
    let domain = domain_of(account);
    let name = &client.name;
    match account.state {
        AccountState::Active | AccountState::NoCalendar | AccountState::ServiceOff => {}
        AccountState::Restricted => {
            return Some(ErrorPage::new(403, "disabled_account", "Your account has been suspended."));
        }
        AccountState::DeletedLately | AccountState::DeletedLongAgo => {
            return Some(ErrorPage::new(400, "accountNotFound", "Couldn't find your Google Account"));
        }
    }
    if let Some(home) = &client.internal_to
        && domain != Some(home.as_str())
    {
        let text = format!("{name} can only be used within its organization. Access blocked.");
        return Some(ErrorPage::new(403, "org_internal", &text));
    }
    if client.testing && client.internal_to.is_none() && !client.test_users.contains(&account.email) {
        let text = format!(
            "{name} has not completed the Google verification process. The app is currently being tested, and can only \
             be accessed by developer-approved testers. If you think you should have access, you can contact the \
             developer."
        );
        return Some(ErrorPage::new(403, "access_denied", &text));
    }
    if domain.is_some_and(|domain| client.blocked_in.contains(domain)) {
        let text = format!(
            "Access blocked: your institution's admin needs to review {name}. Access to your account data is restricted \
             by policies within your organization."
        );
        return Some(ErrorPage::new(400, "admin_policy_enforced", &text));
    }
    None
}

/// The Workspace domain of an account; others have none.
pub(crate) fn domain_of(account: &Account) -> Option<&str> {
    account.email.split_once('@').map(|(_, domain)| domain).filter(|_| account.workspace)
}

fn redirect(asked: &Asked, pairs: &[(&str, String)]) -> String {
    let state = asked.state.iter().map(|state| ("state", state.clone()));
    let query: Vec<String> = state
        .chain(pairs.iter().cloned())
        .map(|(name, value)| format!("{name}={}", encode(&value)))
        .collect();
    let joint = if asked.redirect.contains('?') { '&' } else { '?' };
    format!("{}{joint}{}", asked.redirect, query.join("&"))
}
