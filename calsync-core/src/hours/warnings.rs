//! Warnings that stand: raised once, kept while they are true, withdrawn when they no longer are.
//!
//! Whoever is told of the same appointment at every run stops reading. So a warning has a key: the person, the appointment, the
//! occurrence and the version of the schedule. What was not looked at stays as it is: only who was judged can be cleared.
//! [`settle`] compares what stands with what is true now and changes nothing by itself; whoever stores warnings does as it says.

use super::check::Check;
use super::schedule::ScheduleVersion;
use super::series::SeriesCheck;
use crate::id::{AgentId, RecordId};
use crate::model::Slot;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What a warning is about: raised once for each.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct WarningKey {
    /// Whose working hours.
    pub person: AgentId,
    /// Which appointment or series.
    pub event: RecordId,
    /// Which occurrence of a series.
    pub occurrence: Option<Slot>,
    /// At which version of the person's hours.
    pub version: ScheduleVersion,
}

/// A warning, true at the version that its key names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    /// What it is about.
    pub key: WarningKey,
    /// What is outside.
    pub check: Check,
}

/// What was found out about one appointment or series of one person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    person: AgentId,
    event: RecordId,
    /// What starts before was not looked at.
    from: Option<DateTime<Utc>>,
    /// What starts then or later was not looked at, or is not listed.
    until: Option<DateTime<Utc>>,
    /// At which version, where there is one.
    version: Option<ScheduleVersion>,
    found: BTreeMap<WarningKey, Check>,
}

impl Judged {
    /// It was deleted, is not judged any more, or the person has no schedule: nothing about it is true.
    pub fn nothing(person: impl Into<AgentId>, event: impl Into<RecordId>) -> Self {
        let (person, event) = (person.into(), event.into());
        Self { person, event, from: None, until: None, version: None, found: BTreeMap::new() }
    }

    /// A single appointment was judged.
    pub fn one(person: impl Into<AgentId>, event: impl Into<RecordId>, check: Check) -> Self {
        let mut judged = Self::nothing(person, event);
        judged.add(None, check);
        judged
    }

    /// The occurrences of a series that start in `window` were judged.
    pub fn series(
        person: impl Into<AgentId>,
        event: impl Into<RecordId>,
        window: std::ops::Range<DateTime<Utc>>,
        checked: SeriesCheck,
    ) -> Self {
        let mut judged = Self::nothing(person, event);
        judged.from = Some(window.start);
        judged.version = Some(checked.version);
        judged.until = Some(checked.not_listed_from.map_or(window.end, |from| from.min(window.end)));
        for (slot, check) in checked.listed {
            judged.add(Some(slot), check);
        }
        judged
    }

    /// Which appointment or series.
    pub fn event(&self) -> &RecordId {
        &self.event
    }

    fn add(&mut self, occurrence: Option<Slot>, check: Check) {
        let Some(version) = check.version.clone().filter(|_| check.verdict.is_outside()) else { return };
        let (person, event) = (self.person.clone(), self.event.clone());
        self.found.insert(WarningKey { person, event, occurrence, version }, check);
    }

    /// Whether it says anything about a warning that stands.
    fn judges(&self, standing: &Warning) -> bool {
        // A series that was a single appointment until now was judged as the series that it is.
        if standing.key.occurrence.is_none() {
            return true;
        }
        // What is beyond the list may be true, but not of another version than the one that was looked at.
        let other = self.version.as_ref().is_some_and(|version| *version != standing.key.version);
        let start = standing.check.start;
        self.from.is_none_or(|from| from <= start) && (other || self.until.is_none_or(|until| start < until))
    }
}

/// What becomes of warnings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settled {
    /// New: tell whom it concerns, and store it.
    pub raised: Vec<Warning>,
    /// No longer true, as they stood: take them away.
    pub withdrawn: Vec<Warning>,
    /// Still true, or not looked at, as they are now. One whose parts are others than before is to be stored again; nobody is told.
    pub kept: Vec<Warning>,
}

/// Compares the warnings that stand with what was found out. Each list comes out in the order of its keys. Of two findings about one
/// appointment of one person the later in the list holds.
pub fn settle(
    standing: impl IntoIterator<Item = Warning>,
    judged: impl IntoIterator<Item = Judged>,
) -> Settled {
    let mut judged: BTreeMap<(AgentId, RecordId), Judged> =
        judged.into_iter().map(|one| ((one.person.clone(), one.event.clone()), one)).collect();
    let standing: BTreeMap<WarningKey, Warning> =
        standing.into_iter().map(|warning| (warning.key.clone(), warning)).collect();
    let mut settled = Settled::default();
    let mut known = BTreeSet::new();
    for (key, warning) in standing {
        let finding = judged.get_mut(&(key.person.clone(), key.event.clone()));
        match finding {
            None => settled.kept.push(warning),
            Some(finding) => match finding.found.get(&key) {
                Some(check) => {
                    settled.kept.push(Warning { key: key.clone(), check: check.clone() });
                    known.insert(key);
                }
                None if finding.judges(&warning) => settled.withdrawn.push(warning),
                None => settled.kept.push(warning),
            },
        }
    }
    for finding in judged.into_values() {
        let new = finding.found.into_iter().filter(|(key, _)| !known.contains(key));
        settled.raised.extend(new.map(|(key, check)| Warning { key, check }));
    }
    settled
}
