//! The token endpoint, and what a token allows.
//!
//! Three grants: `refresh_token` and `authorization_code` for OAuth clients, and signed assertions (RFC 7523) for
//! service accounts with or without delegation. Refusals carry the texts that long-lived Workspace tools match on. The
//! signature of an assertion is really verified; nothing here ever generates one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::behaviour::Behaviour;
use super::incoming::{Incoming, Route, form};
use super::model::{Account, AccountState};
use super::refusal::Refusal;
use super::scope::{PREFIX, accepted, full_scope, is_scope};
use super::seal;

/// The token endpoint's own address, which assertions name as their audience.
pub const GOOGLE_TOKEN_URL: &str = "https://oauth2.googleapis.com/token";

/// Live refresh tokens per account and client.
const REFRESH_TOKENS_MAX: usize = 100;

/// On whose behalf a request comes.
#[derive(Clone, Debug)]
pub(crate) struct Principal {
    pub(crate) email: String,
    /// A service account acting as itself: it may not invite.
    pub(crate) undelegated: bool,
    scopes: Arc<BTreeSet<String>>,
}

impl Principal {
    /// Somebody in front of Google's own pages, who needs no scope.
    pub(crate) fn in_person(email: &str) -> Self {
        Self { email: email.to_owned(), undelegated: false, scopes: Arc::default() }
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

    fn has(&self, name: &str) -> bool {
        self.scopes.iter().any(|scope| scope.strip_prefix(PREFIX) == Some(name))
    }
}

#[derive(Clone, Debug)]
struct AccessToken {
    principal: Principal,
    expires: DateTime<Utc>,
}

#[derive(Clone, Debug)]
struct ServiceAccount {
    client_id: String,
    public_key: Vec<u8>,
}

#[derive(Clone, Debug)]
struct Client {
    secret: String,
    disabled: Option<&'static str>,
    testing: bool,
}

#[derive(Clone, Debug)]
struct Grant {
    client: String,
    email: String,
    scopes: BTreeSet<String>,
    revoked: bool,
    /// Counts grants, to know the oldest.
    serial: u64,
    first_used: Option<DateTime<Utc>>,
    last_used: Option<DateTime<Utc>>,
}

impl Grant {
    fn new(client: &str, email: &str, scopes: &[&str], serial: u64) -> Self {
        Self {
            client: client.to_owned(),
            email: email.to_owned(),
            scopes: scopes.iter().map(|scope| full_scope(scope)).collect(),
            revoked: false,
            serial,
            first_used: None,
            last_used: None,
        }
    }

    /// Dead by itself: unused for six months, or seven days old where the app is still in testing.
    fn expired(&self, now: DateTime<Utc>, testing: bool) -> bool {
        let older = |since: Option<DateTime<Utc>>, days: i64| {
            since.is_some_and(|since| now - since > chrono::Duration::days(days))
        };
        older(self.last_used, 183) || (testing && older(self.first_used, 7))
    }
}

#[derive(Clone, Debug)]
struct Code {
    grant: Grant,
    redirect: String,
    challenge: Option<String>,
    used: bool,
}

/// Everything that the token endpoint knows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Auth {
    service_accounts: BTreeMap<String, ServiceAccount>,
    delegations: BTreeMap<String, BTreeSet<String>>,
    clients: BTreeMap<String, Client>,
    refresh_tokens: BTreeMap<String, Grant>,
    codes: BTreeMap<String, Code>,
    access_tokens: BTreeMap<String, AccessToken>,
    serial: u64,
}

/// The answer of the token endpoint: a status and a body.
pub(crate) struct TokenAnswer {
    pub(crate) status: u16,
    pub(crate) body: Value,
    pub(crate) subject: Option<String>,
}

type TokenRefusal = (u16, &'static str, String);

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
        self.delegations.insert(client_id.to_owned(), scopes.iter().map(|scope| full_scope(scope)).collect());
    }

    pub(crate) fn withdraw_delegation(&mut self, client_id: &str) {
        self.delegations.remove(client_id);
    }

    pub(crate) fn add_client(&mut self, id: &str, secret: &str) {
        self.clients
            .insert(id.to_owned(), Client { secret: secret.to_owned(), disabled: None, testing: false });
    }

    pub(crate) fn disable_client(&mut self, id: &str, error: &'static str) {
        if let Some(client) = self.clients.get_mut(id) {
            client.disabled = Some(error);
        }
    }

    pub(crate) fn set_testing(&mut self, id: &str, testing: bool) {
        if let Some(client) = self.clients.get_mut(id) {
            client.testing = testing;
        }
    }

    pub(crate) fn add_refresh_token(&mut self, token: &str, client: &str, email: &str, scopes: &[&str]) {
        self.serial += 1;
        let grant = Grant::new(client, email, scopes, self.serial);
        self.refresh_tokens.insert(token.to_owned(), grant);
    }

    pub(crate) fn revoke(&mut self, token: &str) -> bool {
        let email = match self.refresh_tokens.get_mut(token) {
            Some(grant) => {
                grant.revoked = true;
                grant.email.clone()
            }
            None => return self.access_tokens.remove(token).is_some(),
        };
        // Revoking a refresh token ends the whole grant, so the access tokens that came from it as well.
        self.access_tokens.retain(|_, access| access.principal.email != email);
        true
    }

    pub(crate) fn expire_access_tokens(&mut self) {
        self.access_tokens.clear();
    }

    pub(crate) fn consent(
        &mut self,
        client: &str,
        redirect: &str,
        email: &str,
        scopes: &[&str],
        challenge: Option<&str>,
    ) -> String {
        self.serial += 1;
        let code = format!("4/fake-{:016x}", seal::hash(&format!("code-{}", self.serial)));
        let grant = Grant::new(client, email, scopes, self.serial);
        let challenge = challenge.map(str::to_owned);
        let redirect = redirect.to_owned();
        self.codes.insert(code.clone(), Code { grant, redirect, challenge, used: false });
        code
    }

    pub(crate) fn issue(
        &mut self,
        now: DateTime<Utc>,
        email: &str,
        undelegated: bool,
        scopes: BTreeSet<String>,
        behaviour: &Behaviour,
    ) -> String {
        self.serial += 1;
        let token = format!("ya29.fake-{:016x}", seal::hash(&format!("access-{}", self.serial)));
        let principal = Principal { email: email.to_owned(), undelegated, scopes: Arc::new(scopes) };
        let expires = now + chrono::Duration::seconds(behaviour.access_token_seconds);
        self.access_tokens.insert(token.clone(), AccessToken { principal, expires });
        token
    }

    pub(crate) fn principal(&self, now: DateTime<Utc>, incoming: &Incoming) -> Result<Principal, Refusal> {
        let bearer = incoming.bearer.as_ref().ok_or_else(Refusal::login_required)?;
        match self.access_tokens.get(bearer) {
            Some(token) if now < token.expires => Ok(token.principal.clone()),
            _ => Err(Refusal::auth_error()),
        }
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

    fn client(&self, fields: &BTreeMap<String, String>) -> Result<String, TokenRefusal> {
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

    fn refresh(
        &mut self,
        now: DateTime<Utc>,
        fields: &BTreeMap<String, String>,
        accounts: &BTreeMap<String, Account>,
        behaviour: &Behaviour,
    ) -> Result<(String, Map<String, Value>), TokenRefusal> {
        let client = self.client(fields)?;
        let token = fields.get("refresh_token").cloned().unwrap_or_default();
        if token.is_empty() {
            return Err((400, "invalid_request", "Missing required parameter: refresh_token".to_owned()));
        }
        let grant = self
            .refresh_tokens
            .get(&token)
            .cloned()
            .ok_or_else(|| (400, "invalid_grant", "Bad Request".to_owned()))?;
        if grant.client != client {
            return Err((401, "unauthorized_client", "Unauthorized".to_owned()));
        }
        // One text for all causes: revoked, unused for six months, seven days of a testing app, too many tokens.
        let testing = self.clients.get(&client).is_some_and(|client| client.testing);
        if grant.revoked || grant.expired(now, testing) {
            return Err((400, "invalid_grant", "Token has been expired or revoked.".to_owned()));
        }
        check_account(accounts.get(&grant.email))?;
        let scopes = match fields.get("scope").filter(|scope| !scope.is_empty()) {
            None => grant.scopes.clone(),
            Some(asked) => {
                let asked: BTreeSet<String> = asked.split_whitespace().map(str::to_owned).collect();
                if !asked.is_subset(&grant.scopes) {
                    return Err((400, "invalid_scope", "Some requested scopes were not granted.".to_owned()));
                }
                asked
            }
        };
        if let Some(used) = self.refresh_tokens.get_mut(&token) {
            used.first_used = used.first_used.or(Some(now));
            used.last_used = Some(now);
        }
        let mut body = self.reply(now, &grant.email, false, scopes, behaviour);
        if behaviour.rotate_refresh_tokens {
            let fresh = format!("1//fake-{:016x}", seal::hash(&format!("refresh-{}", self.serial)));
            self.refresh_tokens.insert(fresh.clone(), grant.clone());
            if let Some(old) = self.refresh_tokens.get_mut(&token) {
                old.revoked = true;
            }
            body.insert("refresh_token".to_owned(), json!(fresh));
        }
        Ok((grant.email, body))
    }

    fn exchange(
        &mut self,
        now: DateTime<Utc>,
        fields: &BTreeMap<String, String>,
        accounts: &BTreeMap<String, Account>,
        behaviour: &Behaviour,
    ) -> Result<(String, Map<String, Value>), TokenRefusal> {
        let client = self.client(fields)?;
        let given = |name: &str| fields.get(name).map(String::as_str).unwrap_or_default();
        let code = self.codes.get_mut(given("code")).filter(|code| code.grant.client == client);
        let code = code.ok_or_else(|| (400, "invalid_grant", "Malformed auth code.".to_owned()))?;
        if code.used {
            return Err((400, "invalid_grant", "Code was already redeemed.".to_owned()));
        }
        if code.redirect != given("redirect_uri") {
            return Err((400, "redirect_uri_mismatch", "Bad Request".to_owned()));
        }
        if let Some(challenge) = &code.challenge {
            let digest = URL_SAFE_NO_PAD.encode(Sha256::digest(given("code_verifier").as_bytes()));
            if digest != *challenge {
                return Err((400, "invalid_grant", "Invalid code verifier.".to_owned()));
            }
        }
        code.used = true;
        let grant = code.grant.clone();
        check_account(accounts.get(&grant.email))?;
        let mut body = self.reply(now, &grant.email, false, grant.scopes.clone(), behaviour);
        let refresh = format!("1//fake-{:016x}", seal::hash(&format!("refresh-{}", self.serial)));
        let email = grant.email.clone();
        let grant = Grant { first_used: Some(now), last_used: Some(now), ..grant };
        self.refresh_tokens.insert(refresh.clone(), grant);
        self.limit_grants(&client, &email);
        body.insert("refresh_token".to_owned(), json!(refresh));
        Ok((email, body))
    }

    /// Each account has at most a hundred live refresh tokens per client: one more silently kills the oldest.
    fn limit_grants(&mut self, client: &str, email: &str) {
        let mut live: Vec<&mut Grant> = self
            .refresh_tokens
            .values_mut()
            .filter(|grant| !grant.revoked && grant.client == client && grant.email == email)
            .collect();
        live.sort_by_key(|grant| grant.serial);
        let surplus = live.len().saturating_sub(REFRESH_TOKENS_MAX);
        for grant in live.into_iter().take(surplus) {
            grant.revoked = true;
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
        let scopes: BTreeSet<String> = claim("scope").split_whitespace().map(str::to_owned).collect();
        if scopes.is_empty() {
            return Err((400, "invalid_scope", "Empty or missing scope not allowed.".to_owned()));
        }
        if !scopes.iter().all(|scope| is_scope(scope)) {
            let text = "Invalid OAuth scope or ID token audience provided.";
            return Err((400, "invalid_scope", text.to_owned()));
        }
        let subject = claim("sub").to_owned();
        if subject.is_empty() || subject == issuer {
            let body = self.reply(now, &issuer, true, scopes, behaviour);
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
        let body = self.reply(now, &subject, false, scopes, behaviour);
        Ok((subject, body))
    }

    fn reply(
        &mut self,
        now: DateTime<Utc>,
        email: &str,
        undelegated: bool,
        scopes: BTreeSet<String>,
        behaviour: &Behaviour,
    ) -> Map<String, Value> {
        let scope = scopes.iter().map(String::as_str).collect::<Vec<_>>().join(" ");
        let token = self.issue(now, email, undelegated, scopes, behaviour);
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

fn check_account(account: Option<&Account>) -> Result<(), TokenRefusal> {
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
