//! Many agents at once: what is proposed for each of them, for a person to look over.
//!
//! A CRM has a list of agents, and an administrator who does not want to bind five hundred of them one by one. From the list as
//! it is now, the bindings as they are now, and what the provider says about each address, [`Proposals`] are made: a row per
//! agent, and one per binding whose agent is gone. They are plain data. They can be printed, stored, sent to a browser and back,
//! selected and deselected; [`Engine::apply_bindings`](crate::Engine::apply_bindings) then carries the selected rows out.
//!
//! The rule: nothing that is proposed deletes or writes an appointment. Whoever leaves the list has the binding paused, and an
//! agent with a new address leaves the old calendar as it is (C22). What only a person can know (which of two agents an address
//! belongs to, why a binding was paused) is never selected by itself.
//!
//! What is decided is in `decide.rs`, pure; asking and carrying out is the engine's.

mod decide;
mod show;

pub(crate) use decide::{decide, unasked};

use crate::binding::{Direction, NewBinding};
use crate::id::{AgentId, BindingId, ProviderName, Tenant};
use crate::provider::Access;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Somebody of the CRM whose appointments may be kept in step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agent {
    /// The agent as the CRM names it in its appointments. It stays when the address changes.
    pub id: AgentId,
    /// The address of the agent's calendar. Its case and blanks around it mean nothing.
    pub address: String,
    /// For people who look the rows over.
    pub name: Option<String>,
}

impl Agent {
    /// An agent without a name.
    pub fn new(id: impl Into<AgentId>, address: impl Into<String>) -> Self {
        Self { id: id.into(), address: address.into(), name: None }
    }

    /// The name that is shown. Default: none.
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// The address as it is compared and bound.
    pub(crate) fn folded(&self) -> String {
        folded(&self.address)
    }
}

pub(crate) fn folded(address: &str) -> String {
    address.trim().to_lowercase()
}

/// The settings that each new binding gets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Template {
    pub(crate) provider: ProviderName,
    pub(crate) settings: NewBinding,
}

impl Template {
    /// Both ways through this provider, with the defaults of [`NewBinding`].
    pub fn two_way(provider: impl Into<ProviderName>) -> Self {
        Self::new(provider, Direction::TwoWay)
    }

    /// From the CRM to the calendars only.
    pub fn to_remote(provider: impl Into<ProviderName>) -> Self {
        Self::new(provider, Direction::ToRemote)
    }

    /// From the calendars to the CRM only.
    pub fn from_remote(provider: impl Into<ProviderName>) -> Self {
        Self::new(provider, Direction::FromRemote)
    }

    fn new(provider: impl Into<ProviderName>, direction: Direction) -> Self {
        let mut settings = crate::Binding::two_way("");
        settings.direction = direction;
        Self { provider: provider.into(), settings }
    }

    /// Other settings than the defaults. Agent and calendar are each row's own; who is acted for is the address, unless it is
    /// set here.
    pub fn with(mut self, change: impl FnOnce(NewBinding) -> NewBinding) -> Self {
        self.settings = change(self.settings);
        self
    }

    /// The binding for one row.
    pub(crate) fn binding(&self, agent: &AgentId, address: &str, direction: Direction) -> NewBinding {
        let mut new = self.settings.clone().to(self.provider.clone(), address);
        new.agent = agent.clone();
        new.direction = direction;
        if new.subject.is_none() {
            new.subject = Some(address.to_owned());
        }
        new
    }
}

/// What the provider said about an address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Answer {
    Access(Access),
    Failed(String),
}

/// What is proposed for a row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Verdict {
    /// A new binding.
    Bind,
    /// A new binding that only reads the calendar, because only that is allowed.
    BindReadOnly,
    /// Bound already; nothing is to be done.
    Keep,
    /// Bound, but paused; can be selected to go on. Not selected by itself, as somebody may have had a reason.
    Resume,
    /// The agent has another address now: bindings to the old calendar are paused, and the new one is bound.
    Move {
        /// The bindings that are paused.
        pauses: Vec<BindingId>,
        /// The paused binding that the new address has already; `None` where one is made.
        resumes: Option<BindingId>,
    },
    /// The calendar is bound for an agent who is gone, and this one has its address now: the binding becomes this agent's, and
    /// is paused until somebody has seen to the appointments.
    Reassign {
        /// Whose it was.
        from: AgentId,
    },
    /// The agent is gone: the binding is paused. Both sides, links and cursor stay as they are.
    Pause,
    /// Several agents have this address. One of them may be selected.
    SameAddress {
        /// The others.
        others: Vec<AgentId>,
    },
    /// The calendar is bound for another agent, who is still there.
    Taken {
        /// Whose it is.
        by: AgentId,
    },
    /// The list has this agent twice, with different addresses.
    TwoAddresses,
    /// The list has no address for this agent.
    NoAddress,
    /// There is no such calendar, or it is not shared with the account.
    NotShared,
    /// The service knows nobody of this address.
    NoSuchUser,
    /// Only when somebody is busy can be seen.
    FreeBusyOnly,
    /// It could not be found out; the reason says why, and whether trying again can help.
    Unreachable,
    /// There was no time left to ask. The same call again asks.
    Unasked,
}

/// One agent, or one binding whose agent is gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// The agent.
    pub agent: AgentId,
    /// The agent's name, as the host gave it.
    pub name: Option<String>,
    /// The address, in lower case; for a binding whose agent is gone, its calendar.
    pub address: String,
    /// What is proposed.
    pub verdict: Verdict,
    /// Why, what follows, and what can be done, for a person.
    pub reason: String,
    /// The binding that there is already.
    pub binding: Option<BindingId>,
    /// Which way changes would flow in the binding that would be made.
    pub direction: Option<Direction>,
    pub(crate) selected: bool,
}

impl Row {
    /// Whether it will be carried out.
    pub fn selected(&self) -> bool {
        self.selected
    }

    /// Whether there is anything to carry out.
    pub fn selectable(&self) -> bool {
        match self.verdict {
            Verdict::Bind
            | Verdict::BindReadOnly
            | Verdict::Resume
            | Verdict::Move { .. }
            | Verdict::Reassign { .. }
            | Verdict::Pause => true,
            Verdict::SameAddress { .. } => self.direction.is_some(),
            _ => false,
        }
    }
}

/// What is proposed for all agents, to be looked over. Made by [`Engine::propose_bindings`](crate::Engine::propose_bindings).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposals {
    pub(crate) tenant: Tenant,
    pub(crate) template: Template,
    pub(crate) agents: Vec<Agent>,
    pub(crate) answers: BTreeMap<String, Answer>,
    pub(crate) rows: Vec<Row>,
}

impl Proposals {
    /// The rows: agents in the order of the list, then the bindings whose agents are gone.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The rows that will be carried out.
    pub fn selected(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(|row| row.selected)
    }

    /// Selects what there is to carry out for this agent; false where there is nothing.
    pub fn select(&mut self, agent: &AgentId) -> bool {
        let mut any = false;
        for row in self.rows.iter_mut().filter(|row| row.agent == *agent && row.selectable()) {
            row.selected = true;
            any = true;
        }
        any
    }

    /// Leaves this agent out.
    pub fn deselect(&mut self, agent: &AgentId) {
        self.rows.iter_mut().filter(|row| row.agent == *agent).for_each(|row| row.selected = false);
    }

    /// Selects just the rows that `wanted` holds for, as far as there is anything to carry out.
    pub fn select_where(&mut self, wanted: impl Fn(&Row) -> bool) {
        for row in &mut self.rows {
            row.selected = row.selectable() && wanted(row);
        }
    }

    /// The rows made anew from other bindings or answers; what a person chose stays where the proposal is still the same.
    pub(crate) fn redecided(&self, bindings: &[crate::Binding]) -> Vec<Row> {
        let mut rows = decide(&self.agents, bindings, &self.answers, &self.template);
        for row in &mut rows {
            let same = |old: &&Row| {
                (&old.agent, &old.address, &old.verdict) == (&row.agent, &row.address, &row.verdict)
            };
            if let Some(old) = self.rows.iter().find(same) {
                row.selected = old.selected;
            }
        }
        rows
    }
}

/// How far the asking is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Addresses that were answered for.
    pub asked: usize,
    /// Addresses to ask about. What is bound already is not asked about.
    pub total: usize,
}

/// What became of the selected rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Applied {
    /// In the order of the proposals.
    pub rows: Vec<AppliedRow>,
}

impl Applied {
    /// Whether any binding was made or changed.
    pub fn changed(&self) -> bool {
        self.rows.iter().any(|row| {
            matches!(row.done, Done::Bound(_) | Done::Resumed(_) | Done::Reassigned(_) | Done::Paused(_))
        })
    }
}

/// What became of one row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppliedRow {
    /// The agent.
    pub agent: AgentId,
    /// The address, or the calendar.
    pub address: String,
    /// What was done.
    pub done: Done,
}

/// What was done about a row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Done {
    /// A binding was made, and the old one paused where the agent moved.
    Bound(BindingId),
    /// The binding goes on.
    Resumed(BindingId),
    /// The binding belongs to this agent now, and is paused.
    Reassigned(BindingId),
    /// The binding was paused.
    Paused(BindingId),
    /// It was so already.
    Already,
    /// Something else is right by now, so nothing was done: propose again.
    Outdated(Verdict),
    /// It failed; the others went on. Propose and apply again once the cause is mended.
    Failed(String),
}
