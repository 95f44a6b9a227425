//! From agents, bindings and answers to rows.
//!
//! Pure, and asked twice: once without an answer where one is needed, which says what has to be asked, and again with them;
//! once more when rows are applied, which says whether they are still true.

use super::{Agent, Answer, Row, Template, Verdict, folded};
use crate::Binding;
use crate::binding::Direction;
use crate::id::{AgentId, BindingId};
use crate::limits::Allowance;
use crate::provider::Access;
use std::collections::{BTreeMap, BTreeSet};

/// The addresses that rows wait for an answer about.
pub(crate) fn unasked(rows: &[Row]) -> Vec<String> {
    let waiting = rows.iter().filter(|row| match row.verdict {
        Verdict::Unasked => true,
        // It may be selected once it is known what is allowed.
        Verdict::SameAddress { .. } => row.direction.is_none() && row.binding.is_none(),
        _ => false,
    });
    waiting.map(|row| row.address.clone()).collect::<BTreeSet<_>>().into_iter().collect()
}

/// A row per agent, in the order of the list, and one per binding whose agent is gone.
pub(crate) fn decide(
    agents: &[Agent],
    bindings: &[Binding],
    answers: &BTreeMap<String, Answer>,
    template: &Template,
) -> Vec<Row> {
    let bindings: Vec<&Binding> = bindings.iter().filter(|b| b.provider == template.provider).collect();
    let mut view = View::new(answers, template);
    for agent in agents {
        view.addresses.entry(&agent.id).or_default().insert(agent.folded());
        let with_it = view.agents.entry(agent.folded()).or_default();
        if !with_it.contains(&&agent.id) {
            with_it.push(&agent.id);
        }
    }
    for binding in &bindings {
        view.bound.insert(folded(binding.target.calendar.as_str()), binding);
        view.of_agent.entry(&binding.agent).or_default().push(binding);
    }
    let mut rows: Vec<Row> = Vec::new();
    let mut taken_over = BTreeSet::new();
    let mut seen = BTreeSet::new();
    for agent in agents {
        if !seen.insert((&agent.id, agent.folded())) {
            continue;
        }
        let row = view.agent(agent);
        if let (Verdict::Reassign { .. }, Some(id)) = (&row.verdict, &row.binding) {
            taken_over.insert(id.clone());
        }
        rows.push(row);
    }
    let gone: Vec<&&Binding> = bindings
        .iter()
        .filter(|b| !view.addresses.contains_key(&b.agent) && !taken_over.contains(&b.id))
        .collect();
    let running = bindings.iter().filter(|b| !b.paused).count() as u64;
    let leaving = gone.iter().filter(|b| !b.paused).count() as u64;
    let many = agents.is_empty() || leaving > Allowance::default().of(running);
    rows.extend(gone.into_iter().map(|binding| gone_row(binding, many, leaving)));
    rows
}

/// What is known, by what it is looked up by.
struct View<'a> {
    answers: &'a BTreeMap<String, Answer>,
    template: &'a Template,
    /// The addresses that the list has for an agent.
    addresses: BTreeMap<&'a AgentId, BTreeSet<String>>,
    /// The agents that the list has for an address.
    agents: BTreeMap<String, Vec<&'a AgentId>>,
    /// By calendar.
    bound: BTreeMap<String, &'a Binding>,
    of_agent: BTreeMap<&'a AgentId, Vec<&'a Binding>>,
}

impl<'a> View<'a> {
    fn new(answers: &'a BTreeMap<String, Answer>, template: &'a Template) -> Self {
        Self {
            answers,
            template,
            addresses: BTreeMap::new(),
            agents: BTreeMap::new(),
            bound: BTreeMap::new(),
            of_agent: BTreeMap::new(),
        }
    }

    fn agent(&self, agent: &Agent) -> Row {
        let address = agent.folded();
        let here = self.bound.get(&address).copied();
        let row = |verdict, reason: String| Row {
            agent: agent.id.clone(),
            name: agent.name.clone(),
            address: address.clone(),
            verdict,
            reason,
            binding: here.map(|binding| binding.id.clone()),
            direction: None,
            selected: false,
        };
        if address.is_empty() {
            return row(Verdict::NoAddress, "the list has no address for this agent: correct it".into());
        }
        if self.addresses.get(&agent.id).is_some_and(|all| all.len() > 1) {
            let reason = "the list has this agent with several addresses: leave one of them".to_owned();
            return row(Verdict::TwoAddresses, reason);
        }
        let others: Vec<AgentId> = (self.agents.get(&address).into_iter().flatten())
            .filter(|other| **other != &agent.id)
            .map(|other| (*other).clone())
            .collect();
        match here {
            Some(binding) if binding.agent == agent.id => self.bound_row(row, agent, binding, &others),
            Some(binding) if others.contains(&binding.agent) => {
                let reason = format!(
                    "{} has the same address, and the calendar is bound for that agent: correct one of them",
                    binding.agent
                );
                row(Verdict::SameAddress { others }, reason)
            }
            Some(binding) if self.addresses.contains_key(&binding.agent) => {
                let reason = format!(
                    "the calendar is bound for {}: take that binding apart (unbind) before this agent can have it",
                    binding.agent
                );
                row(Verdict::Taken { by: binding.agent.clone() }, reason)
            }
            Some(_) if !others.is_empty() => {
                let reason = format!(
                    "{} have the same address, and the agent whom its calendar is bound for is gone: correct one of them",
                    names(&agent.id, &others)
                );
                row(Verdict::SameAddress { others }, reason)
            }
            Some(binding) => {
                let from = binding.agent.clone();
                let reason = format!(
                    "{from} is gone, and this agent has the address: the binding becomes this agent's, with its links, and is \
                     paused. Resume it once the appointments belong to this agent; those that still are {from}'s would leave \
                     the calendar as given away"
                );
                Row { selected: true, ..row(Verdict::Reassign { from }, reason) }
            }
            None if !others.is_empty() => self.shared_row(row, agent, others),
            None => self.new_row(row, agent, None),
        }
    }

    /// Bound for this agent already.
    fn bound_row(
        &self,
        row: impl Fn(Verdict, String) -> Row,
        agent: &Agent,
        binding: &Binding,
        others: &[AgentId],
    ) -> Row {
        if !others.is_empty() {
            return row(Verdict::Keep, format!("bound; {} the same address", have(others)));
        }
        if !binding.paused {
            return row(Verdict::Keep, "bound".into());
        }
        if self.elsewhere(agent).is_empty() {
            let reason = "bound, but paused: select it to let it go on where it stopped".to_owned();
            return row(Verdict::Resume, reason);
        }
        self.new_row(row, agent, Some(&binding.id))
    }

    /// The agent's own calendars under other addresses, still running. A calendar that is not the one of the person acted
    /// for is another calendar, not another address.
    fn elsewhere(&self, agent: &Agent) -> Vec<&Binding> {
        let of_agent = self.of_agent.get(&agent.id).into_iter().flatten().copied();
        of_agent
            .filter(|b| !b.paused && folded(b.target.calendar.as_str()) == folded(&b.target.subject))
            .filter(|b| folded(b.target.calendar.as_str()) != agent.folded())
            .collect()
    }

    /// A binding is to be made, or one that is there already to go on in place of another.
    fn new_row(
        &self,
        row: impl Fn(Verdict, String) -> Row,
        agent: &Agent,
        resumes: Option<&BindingId>,
    ) -> Row {
        let (direction, verdict, reason) = match self.allowed(&agent.folded()) {
            Ok(found) => found,
            Err((verdict, reason)) => return row(verdict, reason),
        };
        // A calendar that only reads is not what somebody wants who asked for writing only.
        let selected = verdict == Verdict::Bind || self.template.settings.direction.writes_local();
        let elsewhere = self.elsewhere(agent);
        if elsewhere.is_empty() {
            return Row { direction: Some(direction), selected, ..row(verdict, reason) };
        }
        let old: Vec<&str> = elsewhere.iter().map(|b| b.target.calendar.as_str()).collect();
        let reason = format!(
            "the address was {}: that binding is paused, with its links, and both sides keep what they have; {reason}. What the \
             CRM has ahead for this agent is made in the new calendar as well",
            old.join(", ")
        );
        let pauses = elsewhere.iter().map(|b| b.id.clone()).collect();
        let verdict = Verdict::Move { pauses, resumes: resumes.cloned() };
        Row { direction: Some(direction), selected, ..row(verdict, reason) }
    }

    /// One address, several agents, no binding: a person chooses.
    fn shared_row(&self, row: impl Fn(Verdict, String) -> Row, agent: &Agent, others: Vec<AgentId>) -> Row {
        let both = names(&agent.id, &others);
        let same = |reason: String| row(Verdict::SameAddress { others: others.clone() }, reason);
        match self.allowed(&agent.folded()) {
            Ok((direction, _, reason)) => Row {
                direction: Some(direction),
                ..same(format!("{both} have the same address: select one of them, or correct it; {reason}"))
            },
            Err((Verdict::Unasked, _)) => same(format!("{both} have the same address")),
            Err((_, reason)) => same(format!("{both} have the same address; {reason}")),
        }
    }

    /// What a binding to this address may do, or why there can be none.
    fn allowed(&self, address: &str) -> Result<(Direction, Verdict, String), (Verdict, String)> {
        let wanted = self.template.settings.direction;
        match self.answers.get(address) {
            None => Err((Verdict::Unasked, "not asked yet: propose again".into())),
            Some(Answer::Failed(message)) => Err((Verdict::Unreachable, message.clone())),
            Some(Answer::Access(access)) => match access {
                Access::Writer => Ok((wanted, Verdict::Bind, "can be read and written".into())),
                Access::Reader if wanted == Direction::FromRemote => {
                    Ok((wanted, Verdict::Bind, "can be read".into()))
                }
                Access::Reader => Ok((
                    Direction::FromRemote,
                    Verdict::BindReadOnly,
                    "can be read, not written, so changes would flow from the calendar only; to write it as well, share it at \
                     the level \"Make changes to events\""
                        .into(),
                )),
                Access::FreeBusy => Err((
                    Verdict::FreeBusyOnly,
                    "only when somebody is busy can be seen: share the calendar at the level \"Make changes to events\"".into(),
                )),
                Access::NoSuchUser { message } => Err((Verdict::NoSuchUser, message.clone())),
                Access::NotShared { message } => Err((Verdict::NotShared, message.clone())),
            },
        }
    }
}

fn gone_row(binding: &Binding, many: bool, leaving: u64) -> Row {
    let (verdict, reason) = if binding.paused {
        (Verdict::Keep, "the agent is gone, and the binding is paused".to_owned())
    } else if many {
        let reason = format!(
            "the agent is not in the list, as are those of {leaving} bindings: is the list whole? Then select it, and it is paused"
        );
        (Verdict::Pause, reason)
    } else {
        (
            Verdict::Pause,
            "the agent is gone: paused, with its links; both sides keep what they have. Unbind it to forget it".to_owned(),
        )
    };
    Row {
        agent: binding.agent.clone(),
        name: None,
        address: folded(binding.target.calendar.as_str()),
        selected: verdict == Verdict::Pause && !many,
        verdict,
        reason,
        binding: Some(binding.id.clone()),
        direction: None,
    }
}

/// `a and b`, by id, so that both rows say the same.
fn names(one: &AgentId, others: &[AgentId]) -> String {
    let all: BTreeSet<&str> = others.iter().chain([one]).map(AgentId::as_str).collect();
    all.into_iter().collect::<Vec<_>>().join(" and ")
}

fn have(others: &[AgentId]) -> String {
    let all: Vec<&str> = others.iter().map(AgentId::as_str).collect();
    format!("{} {}", all.join(" and "), if all.len() == 1 { "has" } else { "have" })
}

#[cfg(test)]
mod tests;
