//! Who somebody is: `userinfo`, `tokeninfo`, and the identity token.
//!
//! The fields are those of the discovery document `oauth2.v2`; an address is told only to who was granted it, a name only
//! to who was granted that. The identity token is well formed and its signature is noise: a client that got it straight
//! from the token endpoint has no reason to look, and one that looks has to find out.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::FakeGoogle;
use super::auth::Principal;
use super::behaviour::TokenInfoForm;
use super::consent::domain_of;
use super::incoming::{Incoming, form};
use super::model::Account;
use super::refusal::Refusal;
use super::reply::Reply;
use super::scope::PREFIX;
use super::seal;

/// The number that stands for an account in every answer: 21 digits.
pub(crate) fn number_of(email: &str) -> String {
    format!("1{:020}", seal::hash(&format!("account {email}")))
}

pub(crate) fn id_token(
    now: DateTime<Utc>,
    account: &Account,
    client: &str,
    scopes: &BTreeSet<String>,
    access_token: &str,
    nonce: Option<&str>,
) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let digest = Sha256::digest(access_token.as_bytes());
    let has = |name: &str| scopes.contains(&format!("{PREFIX}{name}"));
    let mut claims = json!({
        "iss": "https://accounts.google.com",
        "azp": client,
        "aud": client,
        "sub": number_of(&account.email),
        "at_hash": URL_SAFE_NO_PAD.encode(digest.get(..16).unwrap_or_default()),
        "iat": now.timestamp(),
        "exp": now.timestamp() + 3600,
    });
    if has("userinfo.email") {
        claims["email"] = json!(account.email);
        claims["email_verified"] = json!(true);
    }
    if has("userinfo.profile")
        && let Some(name) = &account.display_name
    {
        claims["name"] = json!(name);
    }
    if let Some(domain) = domain_of(account) {
        claims["hd"] = json!(domain);
    }
    if let Some(nonce) = nonce {
        claims["nonce"] = json!(nonce);
    }
    let signed =
        format!("{}.{}", part(&json!({ "alg": "RS256", "kid": "fake", "typ": "JWT" })), part(&claims));
    // As long as a real one.
    let noise: Vec<u8> =
        (0..8_u8).flat_map(|round| Sha256::digest(format!("{round} {signed}").as_bytes()).to_vec()).collect();
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(noise))
}

impl FakeGoogle {
    pub(crate) fn user_info(
        &self,
        now: DateTime<Utc>,
        incoming: &Incoming,
    ) -> Result<(String, Value), Refusal> {
        let principal = self.auth.principal(now, incoming)?;
        let (email, profile) = (principal.has("userinfo.email"), principal.has("userinfo.profile"));
        if !email && !profile && !principal.scopes.contains("openid") {
            return Err(match self.behaviour.userinfo_scope_refusal_is_401 {
                true => Refusal::auth_error(),
                false => Refusal::insufficient_permissions(),
            });
        }
        let mut body = json!({ "id": number_of(&principal.email) });
        if email {
            body["email"] = json!(principal.email);
            body["verified_email"] = json!(true);
        }
        let account = self.accounts.get(&principal.email);
        if profile {
            let name = account.and_then(|account| account.display_name.clone());
            body["name"] = json!(name.unwrap_or_else(|| principal.email.clone()));
            body["picture"] = json!("https://lh3.googleusercontent.com/a/fake=s96-c");
        }
        if let Some(domain) = account.and_then(domain_of) {
            body["hd"] = json!(domain);
        }
        Ok((principal.email, body))
    }

    /// Asked with the token as a parameter, in a form, or as the bearer.
    pub(crate) fn token_info(&self, now: DateTime<Utc>, incoming: &Incoming) -> Reply {
        let fields = form(&String::from_utf8_lossy(&incoming.body));
        let posted = fields.into_iter().find(|(name, _)| name == "access_token").map(|(_, token)| token);
        let token = posted.or_else(|| incoming.bearer.clone()).unwrap_or_default();
        let Some(access) = self.auth.living(now, &token) else {
            let mut reply =
                Reply::json(400, &json!({ "error": "invalid_token", "error_description": "Invalid Value" }));
            reply.reason = Some("invalid_token".to_owned());
            return reply;
        };
        let principal: &Principal = &access.principal;
        let left = (access.expires - now).num_seconds();
        let scope = principal.scopes.iter().map(String::as_str).collect::<Vec<_>>().join(" ");
        let issued_to = &principal.origin.issued_to;
        let newer = incoming.segments.len() == 1 && self.behaviour.tokeninfo_form == TokenInfoForm::V3;
        let mut body = if newer {
            json!({
                "azp": issued_to, "aud": issued_to, "sub": number_of(&principal.email), "scope": scope,
                "exp": access.expires.timestamp().to_string(), "expires_in": left.to_string(),
            })
        } else {
            json!({
                "issued_to": issued_to, "audience": issued_to, "user_id": number_of(&principal.email), "scope": scope,
                "expires_in": left,
            })
        };
        if principal.has("userinfo.email") {
            body["email"] = json!(principal.email);
            let (name, value) =
                if newer { ("email_verified", json!("true")) } else { ("verified_email", json!(true)) };
            body[name] = value;
        }
        Reply::json(200, &body)
    }

    /// The revocation endpoint: the token comes in the form or in the query.
    pub(crate) fn revocation(&mut self, incoming: &Incoming) -> Reply {
        let mut fields = form(&String::from_utf8_lossy(&incoming.body));
        fields.extend(incoming.query.iter().cloned());
        let token = fields.iter().find(|(name, _)| name == "token").map(|(_, token)| token.as_str());
        let (error, text) = match token {
            None => ("invalid_request", "Missing required parameter: token"),
            Some(token) if self.auth.revoke(token, &self.behaviour) => return Reply::json(200, &json!({})),
            Some(_) => ("invalid_token", "Token expired or revoked"),
        };
        let mut reply = Reply::json(400, &json!({ "error": error, "error_description": text }));
        reply.reason = Some(error.to_owned());
        reply
    }
}
