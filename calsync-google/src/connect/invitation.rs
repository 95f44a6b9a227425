//! Invitation links: an agent connects without signing in to the CRM first.
//!
//! The link has 128 random bits, by which it is found, and a signature over them under a key of its own, so that a link that was
//! altered is told from one that never was. It works until it has connected somebody, until it expires, or until a newer one is made
//! for the same agent; opening it uses nothing up, because programs that look at mail open links too. It carries no address and no
//! name, and never asks for a password: what it leads to is Google's own page.

use super::client::{of_facts, to_facts};
use super::consent::hash;
use super::{Connections, Consent, ConsentPage, ROWS_AT_ONCE, moved};
use crate::invitation::text::{Letter, Seen};
use crate::scope::Feature;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use calsync_core::clock::EntropyExt as _;
use calsync_core::planted::{self, Fault};
use calsync_core::store::{SealedKind, SealedRow};
use calsync_core::{AgentId, Error, ErrorKind, Result, Secret, Tenant};
use chrono::{DateTime, TimeDelta, Utc};
use ring::hmac;
use serde::{Deserialize, Serialize};

/// How long an invitation lasts unless it says otherwise.
const LASTS: TimeDelta = TimeDelta::days(7);
/// The longest that one can last.
const LASTS_MAX: TimeDelta = TimeDelta::days(90);
/// How long an invitation that is over is still recognised.
const REMEMBERED: TimeDelta = TimeDelta::days(90);
/// Random bytes, and the bytes of the signature that follow them.
const ID: usize = 16;
const SIGNATURE: usize = 32;

/// Whom an invitation is for, and to what.
#[derive(Clone, Debug)]
pub struct Invite {
    agent: AgentId,
    address: String,
    features: Vec<Feature>,
    required: Vec<Feature>,
    lasts: TimeDelta,
    return_to: Option<String>,
}

/// An invitation that was made. The link is in here and nowhere else: only its hash is kept.
#[derive(Clone, Debug)]
pub struct Invited {
    /// What goes into the link: the host appends it to the address of its own page.
    pub token: Secret,
    /// Whom it is for.
    pub agent: AgentId,
    /// The account that has to be chosen.
    pub address: String,
    /// Until when it works.
    pub expires: DateTime<Utc>,
    /// How many older links of this agent do not work any more.
    pub replaced: usize,
    /// What somebody should know who sends it.
    pub warnings: Vec<String>,
}

/// How an invitation stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InvitationState {
    /// It works.
    Open {
        /// Whose.
        tenant: Tenant,
        /// Whom it is for.
        agent: AgentId,
        /// The account that has to be chosen.
        address: String,
        /// To what.
        features: Vec<Feature>,
    },
    /// Its time is over.
    Expired,
    /// It has connected somebody.
    Used,
    /// There is a newer one for the same agent.
    Replaced,
    /// It is not as it was sent: a character is missing or another one.
    Altered,
    /// There never was one like it, or it is long over.
    Unknown,
}

/// What comes of opening an invitation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opening {
    /// Send the browser to this page.
    Page(ConsentPage),
    /// It does not work, and this is why.
    Closed(InvitationState),
}

/// What is kept of an invitation.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Kept {
    agent: AgentId,
    address: String,
    features: Vec<Feature>,
    required: Vec<Feature>,
    ends: DateTime<Utc>,
    #[serde(default)]
    return_to: Option<String>,
    #[serde(default)]
    used: Option<DateTime<Utc>>,
    #[serde(default)]
    replaced: Option<DateTime<Utc>>,
}

impl Invite {
    /// This agent of the CRM, with the account of this address.
    pub fn agent(agent: impl Into<AgentId>, address: impl Into<String>) -> Self {
        Self {
            agent: agent.into(),
            address: address.into().trim().to_lowercase(),
            features: vec![Feature::WriteEvents],
            required: vec![Feature::WriteEvents],
            lasts: LASTS,
            return_to: None,
        }
    }

    /// What calsync is to do with the calendar. Default: read and write events.
    pub fn features(mut self, features: impl IntoIterator<Item = Feature>) -> Self {
        self.features = features.into_iter().collect();
        self
    }

    /// What there is no use without. Default: read and write events.
    pub fn required(mut self, features: impl IntoIterator<Item = Feature>) -> Self {
        self.required = features.into_iter().collect();
        self
    }

    /// How long the link works: a minute to 90 days. Default: seven days.
    pub fn lasts(mut self, lasts: TimeDelta) -> Self {
        self.lasts = lasts;
        self
    }

    /// Where the host sends the browser in the end.
    pub fn return_to(mut self, target: impl Into<String>) -> Self {
        self.return_to = Some(target.into());
        self
    }
}

impl Invited {
    /// The mail that goes with it. `page` is the address of the host's page, to which the token is appended as it stands, for example
    /// `https://crm.example.com/connect?token=`.
    ///
    /// # Errors
    /// As [`Letter::new`]: a page that is not https.
    pub fn letter(&self, app_name: &str, page: &str) -> Result<Letter> {
        let link = Secret::new(format!("{page}{}", self.token.reveal()));
        Letter::new(app_name, &self.address, link.reveal(), self.expires)
    }
}

impl InvitationState {
    /// What the agent reads about it; `None` while it works.
    pub fn seen(&self) -> Option<Seen> {
        match self {
            Self::Open { .. } => None,
            Self::Expired | Self::Replaced => Some(Seen::Expired),
            Self::Used => Some(Seen::Used),
            Self::Altered | Self::Unknown => Some(Seen::Altered),
        }
    }
}

impl Kept {
    fn state(&self, tenant: Tenant, now: DateTime<Utc>) -> InvitationState {
        if self.used.is_some() && !planted::on(Fault::LinkWorksTwice) {
            InvitationState::Used
        } else if self.replaced.is_some() {
            InvitationState::Replaced
        } else if self.ends <= now && !planted::on(Fault::LinkNeverEnds) {
            InvitationState::Expired
        } else {
            InvitationState::Open {
                tenant,
                agent: self.agent.clone(),
                address: self.address.clone(),
                features: self.features.clone(),
            }
        }
    }
}

impl Connections {
    /// Makes an invitation for an agent; older ones of the same agent do not work from then on, whatever their address.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] while there is no OAuth client, for an address that is none, a time out of bounds, a return target that is not allowed,
    /// or when the vault has no key.
    pub async fn invite(&self, tenant: &Tenant, invite: &Invite) -> Result<Invited> {
        let (facts, _) = self.client(tenant).await?;
        if !(TimeDelta::minutes(1)..=LASTS_MAX).contains(&invite.lasts) {
            return Err(Error::new(ErrorKind::Config, "an invitation lasts a minute to 90 days"));
        }
        let local =
            invite.address.split_once('@').filter(|(name, domain)| !name.is_empty() && domain.contains('.'));
        if local.is_none() || invite.address.contains(char::is_whitespace) {
            return Err(Error::new(ErrorKind::Config, "this is no e-mail address")
                .with("agent", &invite.agent)
                .with("address", &invite.address));
        }
        self.check_return(invite.return_to.as_deref())?;
        let now = self.shared.clock.now();
        self.shared.store.drop_expired(SealedKind::Invitation, now).await?;
        let mut id = [0; ID];
        self.shared.entropy.fill(&mut id);
        let key = Secret::new(format!("{}{}", self.shared.entropy.hex(), self.shared.entropy.hex()));
        let signature = hmac::sign(&signing_key(&key), &id);
        let token = Secret::new(URL_SAFE_NO_PAD.encode([&id[..], signature.as_ref()].concat()));
        let ends = now + invite.lasts;
        let kept = Kept {
            agent: invite.agent.clone(),
            address: invite.address.clone(),
            features: invite.features.clone(),
            required: invite.required.clone(),
            ends,
            return_to: invite.return_to.clone(),
            used: None,
            replaced: None,
        };
        // The older ones go first: a crash in between leaves an agent without a link, and never with two.
        let replaced = self.replace_invitations(tenant, &invite.agent, now).await?;
        let (vault, remembered) = (&self.shared.vault, Some(ends + REMEMBERED));
        let name = name_of(&id);
        if !vault
            .put(tenant, SealedKind::Invitation, &name, to_facts(&kept)?, Some(&key), remembered, None)
            .await?
        {
            return Err(Error::new(
                ErrorKind::Invariant,
                "128 random bits came twice: the source of chance is broken",
            ));
        }
        tracing::info!(%tenant, agent = %invite.agent, replaced, "invited");
        let mut warnings: Vec<String> =
            self.shared.redirect.iter().filter_map(|redirect| redirect.warning()).collect();
        if facts.kind == crate::ClientKind::Desktop {
            warnings.push(
                "The OAuth client is of the type \"Desktop app\", whose page ends at the agent's own machine: the agent has to paste the \
                 address at which the browser ends. A client of the type \"Web application\" needs no such step."
                    .to_owned(),
            );
        }
        let (agent, address) = (invite.agent.clone(), invite.address.clone());
        Ok(Invited { token, agent, address, expires: ends, replaced, warnings })
    }

    /// How an invitation stands, for the page of the host's that a link opens. Uses nothing up.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn invitation(&self, token: &str) -> Result<InvitationState> {
        match self.find_invitation(token).await? {
            Ok((tenant, _, kept)) => Ok(kept.state(tenant, self.shared.clock.now())),
            Err(state) => Ok(state),
        }
    }

    /// The agent goes on from the host's page: begins the consent, bound to this browser's session as ever.
    ///
    /// # Errors
    /// As [`Connections::begin`].
    pub async fn open_invitation(&self, token: &str, session: &str) -> Result<Opening> {
        let (tenant, row, kept) = match self.find_invitation(token).await? {
            Ok(found) => found,
            Err(state) => return Ok(Opening::Closed(state)),
        };
        match kept.state(tenant.clone(), self.shared.clock.now()) {
            InvitationState::Open { .. } => {}
            closed => return Ok(Opening::Closed(closed)),
        }
        let mut consent = Consent::in_session(session)
            .of(kept.agent)
            .expecting(kept.address)
            .features(kept.features)
            .required(kept.required)
            .invited_by(row.name);
        if let Some(target) = kept.return_to {
            consent = consent.return_to(target);
        }
        self.begin(&tenant, &consent).await.map(Opening::Page)
    }

    /// What waits for agents, with how each stands; those that are over for ninety days are forgotten.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn invitations(&self, tenant: &Tenant) -> Result<Vec<(AgentId, String, InvitationState)>> {
        let now = self.shared.clock.now();
        let mut all = Vec::new();
        self.each_invitation(tenant, |_, kept| {
            let state = kept.state(tenant.clone(), now);
            all.push((kept.agent, kept.address, state));
        })
        .await?;
        Ok(all)
    }

    /// Takes the open invitations of an agent back; answers how many.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn withdraw_invitations(&self, tenant: &Tenant, agent: &AgentId) -> Result<usize> {
        self.replace_invitations(tenant, agent, self.shared.clock.now()).await
    }

    /// Whether the invitation behind a consent still stands.
    pub(super) async fn invitation_stands(&self, tenant: &Tenant, name: &str) -> Result<bool> {
        let Some(row) = self.shared.store.sealed(tenant, SealedKind::Invitation, name).await? else {
            return Ok(false);
        };
        let kept: Kept = of_facts(&row.facts)?;
        Ok(matches!(kept.state(tenant.clone(), self.shared.clock.now()), InvitationState::Open { .. }))
    }

    /// It has connected its agent.
    pub(super) async fn use_invitation(&self, tenant: &Tenant, name: &str) -> Result<()> {
        let now = self.shared.clock.now();
        self.alter_invitation(tenant, name, |kept| kept.used = kept.used.or(Some(now))).await
    }

    async fn replace_invitations(
        &self,
        tenant: &Tenant,
        agent: &AgentId,
        now: DateTime<Utc>,
    ) -> Result<usize> {
        let mut open = Vec::new();
        self.each_invitation(tenant, |row, kept| {
            let state = kept.state(tenant.clone(), now);
            if kept.agent == *agent && matches!(state, InvitationState::Open { .. }) {
                open.push(row.name);
            }
        })
        .await?;
        let replaced = Some(now).filter(|_| !planted::on(Fault::OlderLinkWorks));
        for name in &open {
            self.alter_invitation(tenant, name, |kept| kept.replaced = replaced).await?;
        }
        Ok(open.len())
    }

    async fn alter_invitation(&self, tenant: &Tenant, name: &str, alter: impl Fn(&mut Kept)) -> Result<()> {
        let vault = &self.shared.vault;
        for _ in 0..8 {
            let Some(row) = vault.get(tenant, SealedKind::Invitation, name).await? else { return Ok(()) };
            let mut kept: Kept = of_facts(&row.facts)?;
            alter(&mut kept);
            let (facts, key, version) = (to_facts(&kept)?, row.secret.as_ref(), Some(row.version));
            if vault.put(tenant, SealedKind::Invitation, name, facts, key, row.expires, version).await? {
                return Ok(());
            }
        }
        Err(moved("the invitation moved each time it was to be changed"))
    }

    async fn each_invitation(
        &self,
        tenant: &Tenant,
        mut each: impl FnMut(SealedRow, Kept) + Send,
    ) -> Result<()> {
        let mut after: Option<String> = None;
        loop {
            let store = &self.shared.store;
            let rows =
                store.sealed_rows(tenant, SealedKind::Invitation, after.as_deref(), ROWS_AT_ONCE).await?;
            let Some(last) = rows.last() else { return Ok(()) };
            after = Some(last.name.clone());
            for row in rows {
                let kept = of_facts(&row.facts)?;
                each(row, kept);
            }
        }
    }

    async fn find_invitation(
        &self,
        token: &str,
    ) -> Result<Result<(Tenant, SealedRow, Kept), InvitationState>> {
        let Some((id, signature)) = parts(token) else { return Ok(Err(InvitationState::Altered)) };
        let found = self.shared.store.find_sealed(SealedKind::Invitation, &name_of(&id)).await?;
        let Some((tenant, row)) = found else { return Ok(Err(InvitationState::Unknown)) };
        let key = self.shared.vault.open(&tenant, &row).await?;
        // As long for a right guess as for a wrong one.
        let verified = hmac::verify(&signing_key(&key), &id, &signature);
        if verified.is_err() && !planted::on(Fault::SignatureNotCompared) {
            return Ok(Err(InvitationState::Altered));
        }
        let kept = of_facts(&row.facts)?;
        Ok(Ok((tenant, row, kept)))
    }
}

fn name_of(id: &[u8; ID]) -> String {
    hash(&URL_SAFE_NO_PAD.encode(id))
}

fn signing_key(key: &Secret) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, key.reveal().as_bytes())
}

fn parts(token: &str) -> Option<([u8; ID], [u8; SIGNATURE])> {
    let bytes = URL_SAFE_NO_PAD.decode(token.trim()).ok()?;
    let (id, signature) = bytes.split_at_checked(ID)?;
    Some((id.try_into().ok()?, signature.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_has_an_id_and_a_signature_and_nothing_else_is_one() {
        let token = URL_SAFE_NO_PAD.encode([7; ID + SIGNATURE]);
        assert_eq!(parts(&format!(" {token}\n")), Some(([7; ID], [7; SIGNATURE])));
        for bad in ["", "abc", &token[1..], &format!("{token}A"), "../../etc/passwd", "é"] {
            assert_eq!(parts(bad), None, "{bad}");
        }
    }
}
