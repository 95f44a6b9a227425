//! The browser comes back from Google.
//!
//! Whoever can make somebody's browser open an address can call the callback, so that nothing of it is believed: the state has to be
//! one that was given out, to this very browser session, not longer ago than ten minutes, and it is good once. A callback that does not
//! meet this is refused before anything is asked of Google, and changes nothing.

use super::Connections;
use super::client::{of_facts, to_facts};
use super::consent::{Pending, hash};
use super::grant::{Grant, Tokens};
use crate::auth::oauth::{self, Answered};
use crate::call::GetUserinfo;
use crate::call::token::Refused;
use crate::invitation::text::Seen;
use crate::scope::{Feature, Scopes};
use async_trait::async_trait;
use calsync_core::audit::{AuditEvent, Audited};
use calsync_core::http::TokenSource;
use calsync_core::planted::{self, Fault};
use calsync_core::provider::Effort;
use calsync_core::store::SealedKind;
use calsync_core::{AgentId, Error, ErrorKind, Result, Secret, Tenant};
use chrono::TimeDelta;
use oauth2::url::form_urlencoded;
use serde_json::json;
use std::sync::Arc;

/// How long an access token is taken to last whose answer says nothing about it.
const UNSAID: TimeDelta = TimeDelta::minutes(30);
/// How often a grant may move under the callback that stores it.
const ROUNDS: u32 = 8;
/// Longest callback that is read, in bytes.
const CALLBACK_MAX: usize = 16 * 1024;

/// What came of a consent.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It is stored, and can be used.
    Connected(Connected),
    /// Nothing was stored.
    NotConnected {
        /// Why.
        refusal: Refusal,
        /// Whose it would have been, where the callback is one that was given out.
        tenant: Option<Tenant>,
        /// In whose name.
        agent: Option<AgentId>,
        /// Where the host sends the browser.
        return_to: Option<String>,
    },
}

/// A consent that is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct Connected {
    /// Whose.
    pub tenant: Tenant,
    /// In whose name it was asked for.
    pub agent: Option<AgentId>,
    /// The account that consented, in lower case: its calendar is the one to bind.
    pub account: String,
    /// What was granted of what was asked for.
    pub features: Vec<Feature>,
    /// What was not: it stays off. [`Feature::without`] says what does not work.
    pub missing: Vec<Feature>,
    /// The account had connected before.
    pub again: bool,
    /// Where the host sends the browser.
    pub return_to: Option<String>,
}

/// Why a consent connected nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The state is none that was given out, or was used before: forged, or the page was reloaded.
    Unknown,
    /// It took longer than ten minutes.
    Expired,
    /// It was given out to another browser session.
    OtherSession,
    /// The address was changed on the way: it has no code, or two.
    Altered,
    /// The person said no.
    Declined,
    /// Another account consented than the expected one.
    WrongAccount {
        /// The expected one.
        expected: String,
    },
    /// Boxes that cannot be done without were left unticked.
    Unticked {
        /// For what.
        missing: Vec<Feature>,
    },
    /// The app is in testing, and this account is not among its test users; or the app is not verified.
    NotTestUser,
    /// The app is internal to another organisation.
    OtherOrganisation,
    /// The administrator of the account's Workspace does not allow the app.
    BlockedByAdministrator,
    /// Google refused the code: it took too long, was used before, or the OAuth client's secret is another one by now.
    Code {
        /// Google's word for it.
        code: String,
    },
    /// The invitation was used, taken back or replaced by a newer one in the meantime.
    InvitationOver,
    /// The OAuth client was removed or replaced in the meantime.
    OtherClient,
    /// Google gave no permanent consent.
    NotOffline,
}

impl Refusal {
    /// Which refusal Google means: by the word that comes back with the browser, or that a person reads on Google's own error page ("Error
    /// 403: access_denied"), from where no browser comes back.
    pub fn of_google(word: &str, on_google_s_page: bool) -> Self {
        match word {
            "access_denied" if on_google_s_page => Self::NotTestUser,
            "access_denied" => Self::Declined,
            "org_internal" => Self::OtherOrganisation,
            "admin_policy_enforced" => Self::BlockedByAdministrator,
            other => Self::Code { code: clean(other) },
        }
    }

    /// What happened and what to do, for whoever sits in front of the browser or set this up.
    pub fn explain(&self) -> String {
        let say = |text: &str| text.to_owned();
        match self {
            Self::Unknown => {
                say("This answer of Google's was not asked for, or was used before. Begin again.")
            }
            Self::Expired => say("It took longer than ten minutes. Begin again."),
            Self::OtherSession => say(
                "This was begun in another browser, or by somebody else who was signed in. Begin again in this one.",
            ),
            Self::Altered => say("The address that came back from Google is not complete. Begin again."),
            Self::Declined => {
                say("Nothing was connected, as the permission was declined. It can be given at any time.")
            }
            Self::WrongAccount { expected } => {
                format!("Another Google account was chosen. Begin again and choose {expected}.")
            }
            Self::Unticked { missing } => {
                let missing: Vec<&str> = missing.iter().map(|feature| feature.title()).collect();
                format!(
                    "On Google's page not all boxes were ticked: {}. Nothing was connected. Begin again and tick all boxes.",
                    missing.join(", ")
                )
            }
            Self::NotTestUser => say(
                "The app's publishing status is Testing, and this account is not among its test users. The administrator adds it in the Google \
                 Cloud console (Google Auth Platform > Audience > Test users, up to 100), or publishes the app.",
            ),
            Self::OtherOrganisation => say(
                "The app is internal to another organisation. Choose an account of that organisation, or let the administrator make the app \
                 external (Google Auth Platform > Audience).",
            ),
            Self::BlockedByAdministrator => say(
                "The administrator of this Google Workspace does not allow the app. They allow it in the Admin console under Security > \
                 Access and data control > API controls > App access control.",
            ),
            Self::Code { code } => format!(
                "Google did not accept the consent ({code}). Begin again; if it stays so, the administrator uploads the OAuth client's file anew."
            ),
            Self::InvitationOver => say(
                "This invitation does not work any more: there is a newer one, or it was used. Ask for another.",
            ),
            Self::OtherClient => say("The OAuth client was changed in the meantime. Begin again."),
            Self::NotOffline => say(
                "Google gave a consent for an hour only. Take the app's access away at myaccount.google.com (Security > Third-party \
                 connections), and begin again.",
            ),
        }
    }

    /// Whether the same step can be offered again at once.
    pub fn again(&self) -> bool {
        !matches!(
            self,
            Self::NotTestUser | Self::OtherOrganisation | Self::BlockedByAdministrator | Self::InvitationOver
        )
    }
}

impl Outcome {
    /// What whoever sits in front of the browser reads about it, in their language ([`Seen::page`]).
    pub fn seen(&self) -> Seen {
        let refusal = match self {
            Self::Connected(_) => return Seen::Connected,
            Self::NotConnected { refusal, .. } => refusal,
        };
        match refusal {
            Refusal::Expired | Refusal::InvitationOver => Seen::Expired,
            Refusal::Unknown | Refusal::OtherSession | Refusal::Altered => Seen::Altered,
            Refusal::Declined => Seen::Refused,
            Refusal::WrongAccount { expected } => Seen::WrongAccount { expected: expected.clone() },
            Refusal::Unticked { missing } => Seen::ScopeUnticked { features: missing.clone() },
            Refusal::NotTestUser => Seen::NotTestUser,
            Refusal::OtherOrganisation => Seen::OrgInternal,
            Refusal::BlockedByAdministrator => Seen::AdminBlocked,
            Refusal::OtherClient => Seen::Unconfigured,
            Refusal::Code { .. } | Refusal::NotOffline => Seen::Unknown,
        }
    }
}

/// A callback as it comes: nothing of it is believed.
#[derive(Debug, Default)]
struct Callback {
    state: Vec<Secret>,
    code: Vec<Secret>,
    error: Option<String>,
}

impl Callback {
    /// Takes a query string, with or without what stands before it.
    fn read(text: &str) -> Self {
        let text = text.trim();
        let query = text.split_once('?').map_or(text, |(_, query)| query);
        let query = query.split('#').next().unwrap_or_default();
        let mut callback = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "state" => callback.state.push(Secret::new(value)),
                "code" => callback.code.push(Secret::new(value)),
                "error" => callback.error = Some(value.into_owned()),
                _ => {}
            }
        }
        callback
    }
}

impl Connections {
    /// The browser came back to the redirect URI: `query` is the query string of that request (the whole address will do), `session` the
    /// value that [`Consent::in_session`](super::Consent::in_session) was given. Nothing is stored unless the outcome is
    /// [`Outcome::Connected`]. The tenant is found by the state, as one redirect URI serves all.
    ///
    /// A connected account is not bound to anything by that: the host binds it, or resumes its binding.
    ///
    /// # Errors
    /// When the store or the network fails. A code is good once: where the answer to it was lost, the person begins again.
    pub async fn finish(&self, query: &str, session: &str, effort: &Effort) -> Result<Outcome> {
        let refuse = |refusal: Refusal| {
            tracing::warn!(?refusal, "callback refused");
            Ok(Outcome::NotConnected { refusal, tenant: None, agent: None, return_to: None })
        };
        if query.len() > CALLBACK_MAX {
            return refuse(Refusal::Altered);
        }
        let callback = Callback::read(query);
        let [state] = &callback.state[..] else { return refuse(Refusal::Altered) };
        let shared = &self.shared;
        let name = hash(state.reveal());
        let Some((tenant, row)) = shared.store.find_sealed(SealedKind::Consent, &name).await? else {
            return refuse(Refusal::Unknown);
        };
        if row.expired(shared.clock.now()) && !planted::on(Fault::StateNeverEnds) {
            return refuse(Refusal::Expired);
        }
        let pending: Pending = of_facts(&row.facts)?;
        if pending.session != hash(session) && !planted::on(Fault::SessionNotCompared) {
            return refuse(Refusal::OtherSession);
        }
        let code = match (&callback.code[..], &callback.error) {
            ([code], None) if !code.reveal().is_empty() => Some(code),
            ([], Some(_)) => None,
            _ => return refuse(Refusal::Altered),
        };
        // Whoever gets it is the only one: from here on the state is used.
        let version = Some(row.version);
        let taken = match planted::on(Fault::StateNotUsedUp) {
            false => shared.vault.take(&tenant, SealedKind::Consent, &name, version).await?,
            true => shared.vault.get(&tenant, SealedKind::Consent, &name).await?,
        };
        let Some(taken) = taken else { return refuse(Refusal::Unknown) };
        let refusal = match (code, &callback.error) {
            (Some(code), _) => match self.exchange(&tenant, &pending, code, taken.secret, effort).await? {
                Ok(connected) => return Ok(Outcome::Connected(connected)),
                Err(refusal) => refusal,
            },
            (None, error) => Refusal::of_google(error.as_deref().unwrap_or_default(), false),
        };
        tracing::info!(%tenant, ?refusal, "consent connected nothing");
        let Pending { agent, return_to, .. } = pending;
        Ok(Outcome::NotConnected { refusal, tenant: Some(tenant), agent, return_to })
    }

    async fn exchange(
        &self,
        tenant: &Tenant,
        pending: &Pending,
        code: &Secret,
        verifier: Option<Secret>,
        effort: &Effort,
    ) -> Result<Result<Connected, Refusal>> {
        let shared = &self.shared;
        let (facts, client) = self.client(tenant).await?;
        if facts.client_id != pending.client_id && !planted::on(Fault::ClientNotCompared) {
            return Ok(Err(Refusal::OtherClient));
        }
        if let Some(name) = &pending.invitation
            && !self.invitation_stands(tenant, name).await?
            && !planted::on(Fault::LinkNotReadAgain)
        {
            return Ok(Err(Refusal::InvitationOver));
        }
        let verifier =
            verifier.ok_or_else(|| Error::new(ErrorKind::Store, "the verifier of a consent is missing"))?;
        let token = shared.sender(&shared.endpoints.token);
        let answer = oauth::exchange(&token, &client, code, &verifier, &pending.redirect, effort).await?;
        let (access, refresh, lives, granted, grant_lives) = match answer {
            Answered::Tokens { access, refresh, lives, scopes, grant_lives } => {
                (access, refresh, lives, scopes.unwrap_or_default(), grant_lives)
            }
            Answered::Refused(Refused { code, .. }) => return Ok(Err(Refusal::Code { code: clean(&code) })),
        };
        let Some(refresh) = refresh else { return Ok(Err(Refusal::NotOffline)) };
        let scopes = Scopes::parse(&granted);
        let missing = scopes.missing(&pending.required);
        if !missing.is_empty() {
            return Ok(Err(Refusal::Unticked { missing }));
        }
        let account = self.account_of(&access, effort).await?;
        let expected = pending.expected.as_ref().filter(|_| !planted::on(Fault::AccountNotCompared));
        if let Some(expected) = expected.filter(|expected| **expected != account) {
            return Ok(Err(Refusal::WrongAccount { expected: expected.clone() }));
        }
        let now = shared.clock.now();
        let until =
            |lives: Option<std::time::Duration>| lives.and_then(|lives| TimeDelta::from_std(lives).ok());
        let grant = Grant {
            account: account.clone(),
            agent: pending.agent.clone(),
            client_id: client.id,
            scopes: granted,
            granted: now,
            used: now,
            ends: until(grant_lives).map(|lives| now + lives),
            refused: None,
            access_until: Some(now + until(lives).unwrap_or(UNSAID)),
        };
        let again = self.store_grant(tenant, &grant, &Tokens { refresh, access: Some(access) }).await?;
        if let Some(name) = &pending.invitation {
            self.use_invitation(tenant, name).await?;
        }
        tracing::info!(%tenant, account, again, "connected");
        let (features, missing) =
            pending.features.iter().copied().partition(|feature| scopes.covers(*feature));
        Ok(Ok(Connected {
            tenant: tenant.clone(),
            agent: pending.agent.clone(),
            account,
            features,
            missing,
            again,
            return_to: pending.return_to.clone(),
        }))
    }

    /// The newest consent counts: what a worker is refreshing meanwhile finds that its row moved.
    async fn store_grant(&self, tenant: &Tenant, grant: &Grant, tokens: &Tokens) -> Result<bool> {
        let (vault, secret) = (&self.shared.vault, tokens.seal());
        let account = &grant.account;
        for _ in 0..ROUNDS {
            let before = self.shared.store.sealed(tenant, SealedKind::Grant, account).await?;
            let expected = before.as_ref().map(|row| row.version);
            let before = before.filter(|row| row.sealed.is_some());
            let again = before.is_some();
            let events = self.told_of(grant, before.and_then(|row| of_facts(&row.facts).ok()));
            let (kind, facts, secret) = (SealedKind::Grant, to_facts(grant)?, Some(&secret));
            if vault.put_and_tell(tenant, kind, account, facts, secret, None, expected, &events).await? {
                self.forget(tenant);
                return Ok(again);
            }
        }
        Err(Error::new(ErrorKind::StoreBusy, "the grant moved each time it was to be stored")
            .with("account", account)
            .later())
    }

    /// What the history says of a new grant.
    fn told_of(&self, grant: &Grant, before: Option<Grant>) -> Vec<AuditEvent> {
        let event = |what, facts| self.shared.event(what, &grant.account, facts);
        let facts = json!({"agent": grant.agent, "client_id": grant.client_id, "scopes": grant.scopes});
        let mut events = vec![event(Audited::Connected, facts)];
        if planted::on(Fault::ConnectedUntold) {
            events.clear();
        }
        let scopes = |grant: &Grant| Scopes::parse(&grant.scopes);
        if let Some(before) = before.filter(|before| scopes(before) != scopes(grant)) {
            let facts = json!({"before": before.scopes, "now": grant.scopes});
            events.push(event(Audited::ScopeChanged, facts));
        }
        events
    }

    async fn account_of(&self, access: &Secret, effort: &Effort) -> Result<String> {
        let tokens = Arc::new(JustThis(access.clone()));
        let sender = self.shared.sender(&self.shared.endpoints.userinfo).with_tokens(tokens);
        sender.send(&GetUserinfo, "", effort).await
    }
}

/// A token that was just given, and is not kept yet.
#[derive(Debug)]
struct JustThis(Secret);

#[async_trait]
impl TokenSource for JustThis {
    async fn token(&self, _: &str, _: &Effort) -> Result<Secret> {
        Ok(self.0.clone())
    }

    fn refused(&self, _: &str, _: &Secret) {}
}

/// A word of a query, which anybody may have written: short, and only what words have.
fn clean(word: &str) -> String {
    word.chars().filter(|c| c.is_ascii_alphanumeric() || "_-.".contains(*c)).take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_callback_is_read_from_a_query_or_from_the_whole_address() {
        for text in [
            "state=neversay%2Da&code=4%2F0neversay&scope=x",
            "?entryPoint=save&state=neversay-a&code=4/0neversay",
            "https://crm.example.com/index.php?entryPoint=save&state=neversay-a&code=4%2f0neversay#",
            "  http://127.0.0.1:4711/?state=neversay-a&code=4/0neversay \n",
        ] {
            let callback = Callback::read(text);
            assert_eq!(
                callback.state.iter().map(Secret::reveal).collect::<Vec<_>>(),
                ["neversay-a"],
                "{text}"
            );
            assert_eq!(
                callback.code.iter().map(Secret::reveal).collect::<Vec<_>>(),
                ["4/0neversay"],
                "{text}"
            );
            assert_eq!(callback.error, None);
        }
        assert_eq!(Callback::read("state=a&state=b&code=c").state.len(), 2);
        // What is no text is nobody's state, and harms nothing.
        for odd in ["state=%ff%fe", "state=100%", "state=%2"] {
            assert_eq!(Callback::read(odd).state.len(), 1, "{odd}");
        }
    }

    #[test]
    fn refusals_are_told_apart_and_say_what_to_do() {
        for (word, page, refusal) in [
            ("access_denied", false, Refusal::Declined),
            ("access_denied", true, Refusal::NotTestUser),
            ("org_internal", true, Refusal::OtherOrganisation),
            ("admin_policy_enforced", false, Refusal::BlockedByAdministrator),
            ("invalid<script>", false, Refusal::Code { code: "invalidscript".into() }),
        ] {
            let found = Refusal::of_google(word, page);
            assert_eq!(found, refusal);
            assert!(found.explain().len() > 40);
        }
        assert!(Refusal::Declined.again() && !Refusal::NotTestUser.again());
    }
}
