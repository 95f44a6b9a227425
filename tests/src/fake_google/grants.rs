//! What a person granted to an OAuth client: codes, refresh tokens, and how each of them ends.
//!
//! A code ends after ten minutes and when it was redeemed. A refresh token ends when the person takes the grant back, when
//! it lay unused for six months, after seven days where the application is in testing, after its time where access was
//! given for a time, when a younger one takes its place (rotation, or the hundredth of its kind), and with a new password
//! if it opens mail. The answer is one text for all of these causes. An administrator who blocks the application ends
//! nothing: the refresh is refused as long as the block stands.
//!
//! What was consented to counts for all clients of a project and outlives its tokens, save those that the person took
//! back. The seven days of an application in testing end the consent, too: the next one is a first one.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Duration, Utc};
use serde_json::{Map, Value, json};

use super::auth::{Auth, Origin, TokenRefusal, check_account};
use super::behaviour::Behaviour;
use super::consent::{Asked, Challenge, domain_of};
use super::identity::id_token;
use super::model::Account;
use super::oauth_client::{ClientKind, project_of};
use super::scope::{canonical, is_sign_in, opens_mail, told};
use super::seal;
use crate::marked::MARK;

/// Live refresh tokens per account and client.
const REFRESH_TOKENS_MAX: usize = 100;

const DEAD: &str = "Token has been expired or revoked.";

/// A refresh token.
#[derive(Clone, Debug)]
pub(crate) struct Grant {
    client: String,
    email: String,
    scopes: BTreeSet<String>,
    revoked: bool,
    /// Counts grants, to know the oldest. A token that took the place of another has its number.
    serial: u64,
    first_used: Option<DateTime<Utc>>,
    last_used: Option<DateTime<Utc>>,
    /// Where access was given for a time.
    ends: Option<DateTime<Utc>>,
    /// The token whose place this one takes as soon as it is used.
    replaces: Option<String>,
    /// Since when another one was used in its place.
    replaced: Option<DateTime<Utc>>,
}

impl Grant {
    fn new(client: &str, email: &str, scopes: BTreeSet<String>, serial: u64) -> Self {
        Self {
            client: client.to_owned(),
            email: email.to_owned(),
            scopes,
            revoked: false,
            serial,
            first_used: None,
            last_used: None,
            ends: None,
            replaces: None,
            replaced: None,
        }
    }

    /// Whether the token is dead, whatever it died of.
    fn dead(&self, now: DateTime<Utc>, testing: bool, behaviour: &Behaviour) -> bool {
        let older =
            |since: Option<DateTime<Utc>>, span: Duration| since.is_some_and(|since| now - since > span);
        // Who only signs in is not bound to the seven days.
        let week = testing && !self.scopes.iter().all(|scope| is_sign_in(scope));
        let grace = Duration::seconds(behaviour.rotation_grace_seconds);
        self.revoked
            || older(self.last_used, Duration::days(183))
            || (week && older(self.first_used, Duration::days(7)))
            || self.ends.is_some_and(|ends| now >= ends)
            || self.replaced.is_some_and(|since| now >= since + grace)
    }

    fn belongs(&self, client: &str, email: &str) -> bool {
        self.client == client && self.email == email
    }
}

/// An authorization code.
#[derive(Clone, Debug)]
pub(crate) struct Code {
    asked: Asked,
    email: String,
    scopes: BTreeSet<String>,
    limit: Option<i64>,
    made: DateTime<Utc>,
    used: bool,
}

/// What somebody consented to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Consent {
    scopes: BTreeSet<String>,
    /// Unknown where a test arranged the grant.
    since: Option<DateTime<Utc>>,
}

impl Auth {
    /// A refresh token out of nowhere, which counts as the first consent.
    pub(crate) fn add_refresh_token(&mut self, token: &str, client: &str, email: &str, scopes: &[&str]) {
        self.serial += 1;
        let scopes: BTreeSet<String> = scopes.iter().map(|scope| canonical(scope)).collect();
        let consent = self.consents.entry((self.project(client), email.to_owned())).or_default();
        consent.scopes.extend(scopes.iter().cloned());
        self.offline.insert((client.to_owned(), email.to_owned()));
        let grant = Grant::new(client, email, scopes, self.serial);
        self.refresh_tokens.insert(token.to_owned(), grant);
    }

    pub(crate) fn project(&self, client: &str) -> String {
        self.clients.get(client).map_or_else(|| project_of(client), |client| client.project.clone())
    }

    pub(crate) fn consented(&self, project: &str, email: &str) -> BTreeSet<String> {
        let consent = self.consents.get(&(project.to_owned(), email.to_owned()));
        consent.map(|consent| consent.scopes.clone()).unwrap_or_default()
    }

    /// The seven days of an application in testing.
    pub(crate) fn forget_expired_consent(&mut self, now: DateTime<Utc>, client: &str, email: &str) {
        let key = (self.project(client), email.to_owned());
        let testing = self.clients.get(client).is_some_and(|client| client.testing);
        let since = self.consents.get(&key).and_then(|consent| consent.since);
        if testing && since.is_some_and(|since| now - since > Duration::days(7)) {
            self.consents.remove(&key);
            self.offline.remove(&(client.to_owned(), email.to_owned()));
        }
    }

    /// The code that the browser carries back, and all that it stands for.
    pub(crate) fn grant_code(
        &mut self,
        now: DateTime<Utc>,
        asked: &Asked,
        email: &str,
        ticked: &BTreeSet<String>,
        limit: Option<i64>,
    ) -> (String, BTreeSet<String>) {
        let consent = self.consents.entry((self.project(&asked.client), email.to_owned())).or_default();
        let mut scopes = ticked.clone();
        if !asked.again {
            scopes.extend(asked.scopes.iter().filter(|scope| consent.scopes.contains(*scope)).cloned());
        }
        if !ticked.is_empty() {
            consent.since = Some(now);
        }
        consent.scopes.extend(scopes.iter().cloned());
        if asked.incremental {
            scopes.extend(consent.scopes.iter().cloned());
        }
        // Google adds this one whenever an address or a name is asked for.
        if scopes.iter().any(|scope| is_sign_in(scope)) {
            scopes.insert("openid".to_owned());
        }
        self.serial += 1;
        let code = format!("4/0{MARK}-{:016x}", seal::hash(&format!("code-{}", self.serial)));
        let email = email.to_owned();
        let made =
            Code { asked: asked.clone(), email, scopes: scopes.clone(), limit, made: now, used: false };
        self.codes.insert(code.clone(), made);
        (code, scopes)
    }

    pub(crate) fn exchange(
        &mut self,
        now: DateTime<Utc>,
        fields: &BTreeMap<String, String>,
        accounts: &BTreeMap<String, Account>,
        behaviour: &Behaviour,
    ) -> Result<(String, Map<String, Value>), TokenRefusal> {
        let invalid = |text: &str| (400, "invalid_grant", text.to_owned());
        let client = self.client(fields)?;
        let given = |name: &str| fields.get(name).map(String::as_str).unwrap_or_default();
        let code = self.codes.get_mut(given("code")).filter(|code| code.asked.client == client);
        let code = code.ok_or_else(|| invalid("Malformed auth code."))?;
        if code.used {
            return Err(invalid("Code was already redeemed."));
        }
        if now - code.made >= Duration::seconds(behaviour.code_seconds) {
            return Err(invalid("Bad Request"));
        }
        if code.asked.redirect != given("redirect_uri") {
            return Err((400, "redirect_uri_mismatch", "Bad Request".to_owned()));
        }
        match (&code.asked.challenge, given("code_verifier")) {
            (Some(_), "") => return Err(invalid("Missing code verifier.")),
            (Some(challenge), verifier) if !Challenge::is_met_by(challenge, verifier) => {
                return Err(invalid("Invalid code verifier."));
            }
            _ => {}
        }
        code.used = true;
        let Code { asked, email, scopes, limit, .. } = code.clone();
        let account = accounts.get(&email);
        check_account(account)?;
        self.serial += 1;
        let grant = self.serial;
        let origin = Origin { issued_to: client.clone(), project: self.project(&client), grant: Some(grant) };
        let mut body = self.reply(now, &email, false, scopes.clone(), origin, behaviour);
        body.insert("scope".to_owned(), json!(told(&asked.scopes, &scopes)));
        if asked.scopes.iter().any(|scope| scope == "openid")
            && behaviour.id_tokens
            && let Some(account) = account
        {
            let access = body.get("access_token").and_then(Value::as_str).unwrap_or_default().to_owned();
            let nonce = asked.nonce.as_deref();
            body.insert(
                "id_token".to_owned(),
                json!(id_token(now, account, &client, &scopes, &access, nonce)),
            );
        }
        let installed = behaviour.installed_clients_always_offline
            && self.clients.get(&client).is_some_and(|client| client.kind == ClientKind::Installed);
        let first = asked.offline && self.offline.insert((client.clone(), email.clone()));
        if installed || first || (asked.offline && asked.again) {
            let refresh = format!("1//0{MARK}-{:016x}", seal::hash(&format!("refresh-{grant}")));
            let mut grant = Grant::new(&client, &email, scopes, grant);
            (grant.first_used, grant.last_used) = (Some(now), Some(now));
            grant.ends = limit.map(|seconds| now + Duration::seconds(seconds));
            self.refresh_tokens.insert(refresh.clone(), grant);
            self.limit_grants(&client, &email);
            body.insert("refresh_token".to_owned(), json!(refresh));
            if let Some(seconds) = limit {
                body.insert("refresh_token_expires_in".to_owned(), json!(seconds));
            }
        }
        Ok((email, body))
    }

    pub(crate) fn refresh(
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
        let invalid = |text: &str| (400, "invalid_grant", text.to_owned());
        let grant = self.refresh_tokens.get(&token).cloned().ok_or_else(|| invalid("Bad Request"))?;
        if grant.client != client {
            return Err((401, "unauthorized_client", "Unauthorized".to_owned()));
        }
        let registered = self.clients.get(&client);
        if grant.dead(now, registered.is_some_and(|client| client.testing), behaviour) {
            return Err(invalid(DEAD));
        }
        let account = accounts.get(&grant.email);
        check_account(account)?;
        let domain = account.and_then(domain_of);
        if registered.zip(domain).is_some_and(|(client, domain)| client.blocked_in.contains(domain)) {
            if !behaviour.admin_block_named_at_refresh {
                return Err(invalid(DEAD));
            }
            let text = "Access to your account data is restricted by policies within your organization.";
            return Err((400, "admin_policy_enforced", text.to_owned()));
        }
        let scopes = match fields.get("scope").filter(|scope| !scope.is_empty()) {
            None => grant.scopes.clone(),
            Some(asked) => {
                let asked: BTreeSet<String> = asked.split_whitespace().map(canonical).collect();
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
        if let Some(old) = grant.replaces.as_ref().and_then(|old| self.refresh_tokens.get_mut(old)) {
            old.replaced = old.replaced.or(Some(now));
        }
        let origin =
            Origin { issued_to: client.clone(), project: self.project(&client), grant: Some(grant.serial) };
        let mut body = self.reply(now, &grant.email, false, scopes, origin, behaviour);
        if behaviour.rotate_refresh_tokens {
            let fresh = format!("1//0{MARK}-{:016x}", seal::hash(&format!("refresh-{}", self.serial)));
            let mut next = Grant { replaces: Some(token.clone()), replaced: None, ..grant.clone() };
            (next.first_used, next.last_used) = (grant.first_used.or(Some(now)), Some(now));
            self.refresh_tokens.insert(fresh.clone(), next);
            if behaviour.rotation_ends_at_once
                && let Some(old) = self.refresh_tokens.get_mut(&token)
            {
                old.replaced = Some(now);
            }
            body.insert("refresh_token".to_owned(), json!(fresh));
        }
        if let Some(ends) = grant.ends {
            body.insert("refresh_token_expires_in".to_owned(), json!((ends - now).num_seconds()));
        }
        Ok((grant.email, body))
    }

    /// Each account has at most a hundred live refresh tokens per client: one more silently kills the oldest.
    fn limit_grants(&mut self, client: &str, email: &str) {
        let mut live: Vec<&mut Grant> = self
            .refresh_tokens
            .values_mut()
            .filter(|grant| !grant.revoked && grant.replaced.is_none() && grant.belongs(client, email))
            .collect();
        live.sort_by_key(|grant| grant.serial);
        let surplus = live.len().saturating_sub(REFRESH_TOKENS_MAX);
        for grant in live.into_iter().take(surplus) {
            grant.revoked = true;
        }
    }

    /// This refresh token dies, with the access tokens made from it, and nothing else.
    pub(crate) fn kill_refresh_token(&mut self, token: &str) {
        let Some(serial) = self.refresh_tokens.get(token).map(|grant| grant.serial) else { return };
        for grant in self.refresh_tokens.values_mut().filter(|grant| grant.serial == serial) {
            grant.revoked = true;
        }
        self.access_tokens.retain(|_, access| access.principal.origin.grant != Some(serial));
    }

    /// The revocation endpoint. Gives whether the token was alive.
    pub(crate) fn revoke(&mut self, token: &str, behaviour: &Behaviour) -> bool {
        if let Some(grant) = self.refresh_tokens.get(token).filter(|grant| !grant.revoked).cloned() {
            if behaviour.revocation_ends_whole_grant {
                self.disconnect(&grant.client, &grant.email);
            } else {
                self.kill_refresh_token(token);
            }
            return true;
        }
        let Some(access) = self.access_tokens.remove(token) else { return false };
        if access.principal.origin.grant.is_some() && behaviour.revocation_ends_whole_grant {
            self.disconnect(&access.principal.origin.issued_to, &access.principal.email);
        }
        true
    }

    /// Everything that the client has of this account is dead, and forgotten.
    pub(crate) fn disconnect(&mut self, client: &str, email: &str) {
        for grant in self.refresh_tokens.values_mut().filter(|grant| grant.belongs(client, email)) {
            grant.revoked = true;
        }
        self.access_tokens.retain(|_, access| {
            access.principal.origin.issued_to != client || access.principal.email != email
        });
        // A code that was not redeemed yet is worth nothing either.
        self.codes.retain(|_, code| code.asked.client != client || code.email != email);
        self.consents.remove(&(self.project(client), email.to_owned()));
        self.offline.remove(&(client.to_owned(), email.to_owned()));
    }

    pub(crate) fn change_password(&mut self, email: &str) {
        for grant in self.refresh_tokens.values_mut().filter(|grant| grant.email == email) {
            grant.revoked |= grant.scopes.iter().any(|scope| opens_mail(scope));
        }
    }
}
