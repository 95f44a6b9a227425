//! The token endpoint, and what a token allows.
//!
//! Three grants: `refresh_token` and `authorization_code` for OAuth clients, which [`grants`](super::grants) knows, and
//! signed assertions (RFC 7523) for service accounts with or without delegation. Refusals carry the texts that long-lived Workspace tools match on. The
//! signature of an assertion is really verified; nothing here ever generates one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use super::behaviour::Behaviour;
use super::grants::{Code, Consent, Grant};
use super::incoming::{Incoming, Route, form};
use super::model::{Account, AccountState};
use super::oauth_client::{OAuthClient, project_of};
use super::refusal::Refusal;
use super::scope::{PREFIX, accepted, canonical, is_scope};
use super::seal;
use crate::marked::MARK;

/// The token endpoint's own address, which assertions name as their audience.
pub const GOOGLE_TOKEN_URL: &str = "https://oauth2.googleapis.com/token";

/// On whose behalf a request comes.
#[derive(Clone, Debug)]
pub(crate) struct Principal {
    pub(crate) email: String,
    /// A service account acting as itself: it may not invite.
    pub(crate) undelegated: bool,
    pub(crate) origin: Arc<Origin>,
    pub(crate) scopes: Arc<BTreeSet<String>>,
}

/// Where an access token comes from.
#[derive(Clone, Debug, Default)]
pub(crate) struct Origin {
    /// The OAuth client or the service account.
    pub(crate) issued_to: String,
    /// Its project; empty for a token out of nowhere, to which no project's settings apply.
    pub(crate) project: String,
    /// The number of the grant, where there is one.
    pub(crate) grant: Option<u64>,
}

impl Principal {
    /// Somebody in front of Google's own pages, who needs no scope.
    pub(crate) fn in_person(email: &str) -> Self {
        Self { email: email.to_owned(), undelegated: false, origin: Arc::default(), scopes: Arc::default() }
    }

    pub(crate) fn allows(&self, route: Route) -> bool {
        accepted(route).iter().any(|name| self.has(name))
    }

    /// Whether the token reads events only as free/busy.
    pub(crate) fn free_busy_only(&self) -> bool {
        self.has("calendar.events.freebusy")
            && ![
                "calendar",
                "calendar.events",
                "calendar.events.owned",
                "calendar.events.owned.readonly",
                "calendar.events.readonly",
                "calendar.readonly",
            ]
            .iter()
            .any(|name| self.has(name))
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.scopes.iter().any(|scope| scope.strip_prefix(PREFIX) == Some(name))
    }
}

#[derive(Clone, Debug)]
pub(crate) struct AccessToken {
    pub(crate) principal: Principal,
    pub(crate) expires: DateTime<Utc>,
}

#[derive(Clone, Debug)]
struct ServiceAccount {
    client_id: String,
    public_key: Vec<u8>,
}

/// Everything that the token endpoint knows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Auth {
    service_accounts: BTreeMap<String, ServiceAccount>,
    delegations: BTreeMap<String, BTreeSet<String>>,
    pub(crate) clients: BTreeMap<String, OAuthClient>,
    pub(crate) refresh_tokens: BTreeMap<String, Grant>,
    pub(crate) codes: BTreeMap<String, Code>,
    pub(crate) access_tokens: BTreeMap<String, AccessToken>,
    /// What was consented to, by project and account.
    pub(crate) consents: BTreeMap<(String, String), Consent>,
    /// Which client had its first refresh token of which account.
    pub(crate) offline: BTreeSet<(String, String)>,
    pub(crate) serial: u64,
}

/// The answer of the token endpoint: a status and a body.
pub(crate) struct TokenAnswer {
    pub(crate) status: u16,
    pub(crate) body: Value,
    pub(crate) subject: Option<String>,
}

pub(crate) type TokenRefusal = (u16, &'static str, String);

impl Auth {
    pub(crate) fn add_service_account(
        &mut self,
        email: &str,
        client_id: &str,
        key: &[u8],
    ) -> Result<(), String> {
        let key = public_key(key)?;
        let account = ServiceAccount { client_id: client_id.to_owned(), public_key: key };
        self.service_accounts.insert(email.to_owned(), account);
        Ok(())
    }

    pub(crate) fn remove_service_account(&mut self, email: &str) {
        self.service_accounts.remove(email);
    }

    pub(crate) fn delegate(&mut self, client_id: &str, scopes: &[&str]) {
        self.delegations.insert(client_id.to_owned(), scopes.iter().map(|scope| canonical(scope)).collect());
    }

    pub(crate) fn withdraw_delegation(&mut self, client_id: &str) {
        self.delegations.remove(client_id);
    }

    pub(crate) fn disable_client(&mut self, id: &str, error: &'static str) {
        if let Some(client) = self.clients.get_mut(id) {
            client.disabled = Some(error);
        }
    }

    pub(crate) fn expire_access_tokens(&mut self) {
        self.access_tokens.clear();
    }

    pub(crate) fn issue(
        &mut self,
        now: DateTime<Utc>,
        email: &str,
        undelegated: bool,
        scopes: BTreeSet<String>,
        origin: Origin,
        behaviour: &Behaviour,
    ) -> String {
        self.serial += 1;
        let token = format!("ya29.{MARK}-{:016x}", seal::hash(&format!("access-{}", self.serial)));
        let (scopes, origin) = (Arc::new(scopes), Arc::new(origin));
        let principal = Principal { email: email.to_owned(), undelegated, origin, scopes };
        let expires = now + chrono::Duration::seconds(behaviour.access_token_seconds);
        self.access_tokens.insert(token.clone(), AccessToken { principal, expires });
        token
    }

    pub(crate) fn principal(&self, now: DateTime<Utc>, incoming: &Incoming) -> Result<Principal, Refusal> {
        let bearer = incoming.bearer.as_ref().ok_or_else(Refusal::login_required)?;
        self.living(now, bearer).map(|token| token.principal.clone()).ok_or_else(Refusal::auth_error)
    }

    pub(crate) fn living(&self, now: DateTime<Utc>, bearer: &str) -> Option<&AccessToken> {
        self.access_tokens.get(bearer).filter(|token| now < token.expires)
    }

    pub(crate) fn token(
        &mut self,
        now: DateTime<Utc>,
        incoming: &Incoming,
        base_url: &str,
        accounts: &BTreeMap<String, Account>,
        behaviour: &Behaviour,
    ) -> TokenAnswer {
        let mut fields: BTreeMap<String, String> =
            form(&String::from_utf8_lossy(&incoming.body)).into_iter().collect();
        // Client id and secret may also come as HTTP Basic authentication.
        if let Some((id, secret)) = incoming.basic.as_ref().and_then(|basic| {
            let text = String::from_utf8(STANDARD.decode(basic).ok()?).ok()?;
            text.split_once(':').map(|(id, secret)| (id.to_owned(), secret.to_owned()))
        }) {
            fields.entry("client_id".to_owned()).or_insert(id);
            fields.entry("client_secret".to_owned()).or_insert(secret);
        }
        let answer = match fields.get("grant_type").map(String::as_str) {
            Some("refresh_token") => self.refresh(now, &fields, accounts, behaviour),
            Some("authorization_code") => self.exchange(now, &fields, accounts, behaviour),
            Some("urn:ietf:params:oauth:grant-type:jwt-bearer") => {
                self.assertion(now, &fields, base_url, accounts, behaviour)
            }
            Some(other) => Err((400, "unsupported_grant_type", format!("Invalid grant_type: {other}"))),
            None => Err((400, "invalid_request", "Required parameter is missing: grant_type".to_owned())),
        };
        match answer {
            Ok((subject, body)) => {
                TokenAnswer { status: 200, body: Value::Object(body), subject: Some(subject) }
            }
            Err((status, error, description)) => {
                let mut body = json!({ "error": error });
                if !description.is_empty() {
                    body["error_description"] = json!(description);
                }
                TokenAnswer { status, body, subject: None }
            }
        }
    }

    pub(crate) fn client(&self, fields: &BTreeMap<String, String>) -> Result<String, TokenRefusal> {
        let id = fields.get("client_id").map(String::as_str).unwrap_or_default();
        if id.is_empty() {
            return Err((400, "invalid_request", "Could not determine client ID from request.".to_owned()));
        }
        let client = self
            .clients
            .get(id)
            .ok_or_else(|| (401, "invalid_client", "The OAuth client was not found.".to_owned()))?;
        if let Some(error) = client.disabled {
            return Err((401, error, format!("The OAuth client was {}.", error.trim_end_matches("_client"))));
        }
        match fields.get("client_secret") {
            None => Err((400, "invalid_request", "client_secret is missing.".to_owned())),
            Some(secret) if *secret != client.secret => {
                Err((401, "invalid_client", "The provided client secret is invalid.".to_owned()))
            }
            Some(_) => Ok(id.to_owned()),
        }
    }

    fn assertion(
        &mut self,
        now: DateTime<Utc>,
        fields: &BTreeMap<String, String>,
        base_url: &str,
        accounts: &BTreeMap<String, Account>,
        behaviour: &Behaviour,
    ) -> Result<(String, Map<String, Value>), TokenRefusal> {
        let grant = |text: &str| (400, "invalid_grant", text.to_owned());
        let assertion = fields.get("assertion").map(String::as_str).unwrap_or_default();
        let (signed, signature) = assertion.rsplit_once('.').ok_or_else(|| grant("Bad Request"))?;
        let (header, claims) = signed.split_once('.').ok_or_else(|| grant("Bad Request"))?;
        let parse = |part: &str| {
            let bytes = URL_SAFE_NO_PAD.decode(part).ok()?;
            serde_json::from_slice::<Map<String, Value>>(&bytes).ok()
        };
        let (Some(header), Some(claims)) = (parse(header), parse(claims)) else {
            return Err(grant("Invalid JWT: Failed to parse token."));
        };
        let claim = |name: &str| claims.get(name).and_then(Value::as_str).unwrap_or_default();
        let issuer = claim("iss").to_owned();
        let account = self
            .service_accounts
            .get(&issuer)
            .ok_or_else(|| grant(&format!("Invalid JWT: No valid verifier found for issuer: {issuer}")))?;
        let key = ring::signature::UnparsedPublicKey::new(
            &ring::signature::RSA_PKCS1_2048_8192_SHA256,
            &account.public_key,
        );
        let genuine = header.get("alg").and_then(Value::as_str) == Some("RS256")
            && URL_SAFE_NO_PAD
                .decode(signature)
                .is_ok_and(|signature| key.verify(signed.as_bytes(), &signature).is_ok());
        if !genuine {
            return Err(grant("Invalid JWT Signature."));
        }
        let audience = claim("aud");
        if audience != GOOGLE_TOKEN_URL && audience != format!("{base_url}/token") {
            return Err(grant(&format!(
                "Invalid JWT: Failed audience check. The right audience is {GOOGLE_TOKEN_URL}"
            )));
        }
        let seconds = |name: &str| claims.get(name).and_then(Value::as_i64);
        let in_time = seconds("iat").zip(seconds("exp")).is_some_and(|(issued, expires)| {
            let now = now.timestamp();
            (1..=3600).contains(&(expires - issued))
                && issued <= now + behaviour.assertion_skew_seconds
                && expires > now
        });
        if !in_time {
            return Err(grant(
                "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check \
                 your iat and exp values in the JWT claim.",
            ));
        }
        let scopes: BTreeSet<&str> = claim("scope").split_whitespace().collect();
        if scopes.is_empty() {
            return Err((400, "invalid_scope", "Empty or missing scope not allowed.".to_owned()));
        }
        if !scopes.iter().all(|scope| is_scope(scope)) {
            let text = "Invalid OAuth scope or ID token audience provided.";
            return Err((400, "invalid_scope", text.to_owned()));
        }
        let scopes: BTreeSet<String> = scopes.into_iter().map(canonical).collect();
        let subject = claim("sub").to_owned();
        let project = project_of(&issuer);
        let origin = Origin { issued_to: issuer.clone(), project, grant: None };
        if subject.is_empty() || subject == issuer {
            let body = self.reply(now, &issuer, true, scopes, origin, behaviour);
            return Ok((issuer, body));
        }
        if !subject.contains('@') {
            return Err(grant("Not a valid email or user ID."));
        }
        // One scope that is not on the administrator's list refuses them all, and the answer does not say which.
        let delegated = self.delegations.get(&account.client_id);
        let user = accounts.get(&subject).filter(|user| !user.service);
        if !delegated.is_some_and(|granted| scopes.is_subset(granted))
            || user.is_some_and(|user| !user.workspace)
        {
            return Err((
                401,
                "unauthorized_client",
                "Client is unauthorized to retrieve access tokens using this method, or client not authorized for \
                 any of the scopes requested."
                    .to_owned(),
            ));
        }
        check_account(user)?;
        let body = self.reply(now, &subject, false, scopes, origin, behaviour);
        Ok((subject, body))
    }

    pub(crate) fn reply(
        &mut self,
        now: DateTime<Utc>,
        email: &str,
        undelegated: bool,
        scopes: BTreeSet<String>,
        origin: Origin,
        behaviour: &Behaviour,
    ) -> Map<String, Value> {
        let scope = scopes.iter().map(String::as_str).collect::<Vec<_>>().join(" ");
        let token = self.issue(now, email, undelegated, scopes, origin, behaviour);
        let mut body = Map::new();
        body.insert("access_token".to_owned(), json!(token));
        let seconds = behaviour.access_token_seconds;
        let seconds = if behaviour.expires_in_as_text { json!(seconds.to_string()) } else { json!(seconds) };
        body.insert("expires_in".to_owned(), seconds);
        body.insert("scope".to_owned(), json!(scope));
        body.insert("token_type".to_owned(), json!("Bearer"));
        body
    }
}

pub(crate) fn check_account(account: Option<&Account>) -> Result<(), TokenRefusal> {
    match account.map(|account| account.state) {
        None => Err((400, "invalid_grant", "Invalid email or User ID".to_owned())),
        Some(AccountState::Active | AccountState::NoCalendar) => Ok(()),
        Some(AccountState::DeletedLately) => {
            Err((400, "invalid_grant", "The account has been deleted".to_owned()))
        }
        Some(AccountState::DeletedLongAgo) => {
            Err((400, "invalid_request", "Invalid impersonation &quot;sub&quot; field.".to_owned()))
        }
        Some(AccountState::Restricted) => Err((403, "access_denied", "Account restricted".to_owned())),
        Some(AccountState::ServiceOff) => {
            Err((403, "access_denied", "Requested client not authorized".to_owned()))
        }
    }
}

/// The public key of a PKCS#8 private key in PEM form, or a PEM or DER public key in PKCS#1 form as ring wants it.
fn public_key(key: &[u8]) -> Result<Vec<u8>, String> {
    let Ok(text) = std::str::from_utf8(key) else { return Ok(key.to_vec()) };
    let base64: String = text.lines().filter(|line| !line.starts_with("-----")).map(str::trim).collect();
    let der = STANDARD.decode(base64).map_err(|error| format!("the key is not PEM: {error}"))?;
    if text.contains("PUBLIC KEY") {
        return Ok(der);
    }
    let pair = ring::rsa::KeyPair::from_pkcs8(&der)
        .map_err(|error| format!("the key is not PKCS#8 RSA: {error}"))?;
    Ok(pair.public().as_ref().to_vec())
}
