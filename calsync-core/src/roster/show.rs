//! Rows as a table for a terminal: one line per row, and its reason below where there is something to know.

use super::{Applied, Done, Proposals, Row, Verdict};
use std::fmt;

impl Verdict {
    /// The proposal in a few words.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Bind => "bind",
            Self::BindReadOnly => "bind, read only",
            Self::Keep => "keep",
            Self::Resume => "resume",
            Self::Move { .. } => "move",
            Self::Reassign { .. } => "reassign",
            Self::Pause => "pause",
            Self::SameAddress { .. } => "same address",
            Self::Taken { .. } => "taken",
            Self::TwoAddresses => "two addresses",
            Self::NoAddress => "no address",
            Self::NotShared => "not shared",
            Self::NoSuchUser => "no such user",
            Self::FreeBusyOnly => "free/busy only",
            Self::Unreachable => "unreachable",
            Self::Unasked => "not asked",
        }
    }
}

impl Row {
    fn mark(&self) -> &'static str {
        match (self.selected, self.selectable()) {
            (true, _) => "[x]",
            (false, true) => "[ ]",
            (false, false) => "   ",
        }
    }
}

fn width<'a>(texts: impl Iterator<Item = &'a str>) -> usize {
    texts.map(|text| text.chars().count()).max().unwrap_or_default().min(40)
}

impl fmt::Display for Proposals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let agents = width(self.rows.iter().map(|row| row.name.as_deref().unwrap_or(row.agent.as_str())));
        let addresses = width(self.rows.iter().map(|row| row.address.as_str()));
        for row in &self.rows {
            let agent = row.name.as_deref().unwrap_or(row.agent.as_str());
            writeln!(
                f,
                "{} {agent:agents$}  {:addresses$}  {:15}  {}",
                row.mark(),
                row.address,
                row.verdict.as_str(),
                row.reason
            )?;
        }
        let selected = self.selected().count();
        writeln!(
            f,
            "{selected} of {} rows selected; nothing is written before they are applied",
            self.rows.len()
        )
    }
}

impl fmt::Display for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bound(binding) => write!(f, "bound ({binding})"),
            Self::Resumed(binding) => write!(f, "resumed ({binding})"),
            Self::Reassigned(binding) => write!(f, "reassigned and paused ({binding})"),
            Self::Paused(binding) => write!(f, "paused ({binding})"),
            Self::Already => f.write_str("was so already"),
            Self::Outdated(now) => {
                write!(f, "nothing done: by now it is \"{}\"; propose again", now.as_str())
            }
            Self::Failed(message) => write!(f, "failed: {message}"),
        }
    }
}

impl fmt::Display for Applied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let agents = width(self.rows.iter().map(|row| row.agent.as_str()));
        let addresses = width(self.rows.iter().map(|row| row.address.as_str()));
        for row in &self.rows {
            writeln!(f, "{:agents$}  {:addresses$}  {}", row.agent.as_str(), row.address, row.done)?;
        }
        if self.rows.is_empty() {
            writeln!(f, "nothing to do")?;
        }
        Ok(())
    }
}
