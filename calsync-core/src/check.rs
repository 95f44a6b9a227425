//! Whether everything is in place: named steps, each with a tick or a cross, the cause, who can mend it, and how.
//!
//! An administrator who pastes a key and presses "check configuration" wants to hear all that is missing at once, with the values to
//! paste, and nothing that only follows from it. So a report has every step of its provider, in the same order each time; a
//! step that cannot be looked at because an earlier one failed is skipped and names that one, and the one who reads mends crosses
//! from the top.
//!
//! What the steps are, and how an answer becomes a [`Finding`], is the provider's. Nothing here asks anybody, and a report holds no
//! secret: it can be shown, stored and sent to a browser.

use crate::error::Error;
use crate::id::ProviderName;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

/// A step, by the name that programs branch on and the one that people read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckName {
    /// Stays the same between versions, for example `key_file`.
    pub id: Cow<'static, str>,
    /// What is true when it passes, for example `The key file can be used`.
    pub title: Cow<'static, str>,
}

impl CheckName {
    /// A name that is known at compile time.
    pub const fn new(id: &'static str, title: &'static str) -> Self {
        Self { id: Cow::Borrowed(id), title: Cow::Borrowed(title) }
    }
}

/// How a step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It is in place. A cause beside it is worth reading, and keeps nothing from working.
    Pass,
    /// It is not, and runs will fail or do less than was asked for.
    Fail,
    /// It was not looked at: it does not apply, or an earlier step has to pass first.
    Skipped,
}

impl Outcome {
    /// ✓, ✗ or –.
    pub fn mark(self) -> &'static str {
        match self {
            Self::Pass => "✓",
            Self::Fail => "✗",
            Self::Skipped => "–",
        }
    }
}

/// Who can mend it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Who {
    /// Who sets calsync up in the CRM, and has the key file or the OAuth client.
    CrmAdministrator,
    /// Who administers the accounts of the agents.
    WorkspaceAdministrator,
    /// The agent whose calendar it is.
    Agent,
    /// Who makes or hosts the CRM.
    Vendor,
    /// Who administers the network, its proxy and its firewall.
    NetworkAdministrator,
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CrmAdministrator => "CRM administrator",
            Self::WorkspaceAdministrator => "Workspace administrator",
            Self::Agent => "the agent",
            Self::Vendor => "the CRM's vendor",
            Self::NetworkAdministrator => "network administrator",
        })
    }
}

/// What to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cure {
    /// In sentences.
    pub text: String,
    /// The values that the sentences speak of, to be copied.
    pub paste: Vec<Paste>,
}

/// A value to be copied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paste {
    /// What it is, for example `client ID`.
    pub label: Cow<'static, str>,
    /// Exactly what to paste. Never a secret.
    pub value: String,
}

impl Cure {
    /// A cure without anything to paste.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), paste: Vec::new() }
    }

    /// Adds a value to copy.
    pub fn paste(mut self, label: impl Into<Cow<'static, str>>, value: impl Into<String>) -> Self {
        self.paste.push(Paste { label: label.into(), value: value.into() });
        self
    }
}

/// What was found out about a step, before it is put into a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    outcome: Outcome,
    cause: Option<String>,
    who: Option<Who>,
    cure: Option<Cure>,
    waits_for: Option<CheckName>,
}

impl Finding {
    fn new(outcome: Outcome, cause: Option<String>) -> Self {
        Self { outcome, cause, who: None, cure: None, waits_for: None }
    }

    /// It is in place.
    pub fn pass() -> Self {
        Self::new(Outcome::Pass, None)
    }

    /// It is in place, and this is worth knowing.
    pub fn pass_but(cause: impl Into<String>) -> Self {
        Self::new(Outcome::Pass, Some(cause.into()))
    }

    /// It is not in place.
    pub fn fail(cause: impl Into<String>) -> Self {
        Self::new(Outcome::Fail, Some(cause.into()))
    }

    /// It does not apply, and why.
    pub fn skip(cause: impl Into<String>) -> Self {
        Self::new(Outcome::Skipped, Some(cause.into()))
    }

    /// It is not in place, as this error says; its cure is taken over.
    pub fn error(error: &Error) -> Self {
        let mut cause = error.message().to_owned();
        if let Some(reason) = error.reason_code() {
            cause.push_str(&format!(" [{reason}]"));
        }
        let detail = error.context().iter().find(|(name, _)| *name == "cause");
        if let Some((_, detail)) = detail {
            cause.push_str(&format!(": {detail}"));
        }
        let cure = error.cure_text().filter(|text| !text.is_empty()).map(Cure::new);
        Self { cure, ..Self::fail(cause) }
    }

    /// Who can mend it, or change it.
    pub fn by(mut self, who: Who) -> Self {
        self.who = Some(who);
        self
    }

    /// What to do.
    pub fn cure(mut self, cure: Cure) -> Self {
        self.cure = Some(cure);
        self
    }

    /// How it ended.
    pub fn outcome(&self) -> Outcome {
        self.outcome
    }
}

/// One step of a report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckStep {
    /// Which.
    #[serde(flatten)]
    pub name: CheckName,
    /// How it ended.
    pub outcome: Outcome,
    /// Why, for a person.
    pub cause: Option<String>,
    /// Who can mend it.
    pub who: Option<Who>,
    /// How.
    pub cure: Option<Cure>,
    /// The id of the failed step that has to pass before this one can be looked at.
    pub waits_for: Option<Cow<'static, str>>,
    /// How long looking took; none where nobody was asked. As JSON, in milliseconds.
    #[serde(with = "millis", default)]
    pub took: Option<Duration>,
}

/// All steps, in the provider's order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckReport {
    /// When it was looked at.
    pub at: DateTime<Utc>,
    /// By which provider.
    pub provider: ProviderName,
    /// The steps.
    pub steps: Vec<CheckStep>,
}

impl CheckReport {
    /// A report without steps yet.
    pub fn new(provider: impl Into<ProviderName>, at: DateTime<Utc>) -> Self {
        Self { at, provider: provider.into(), steps: Vec::new() }
    }

    /// Whether no step failed.
    pub fn passed(&self) -> bool {
        self.failed().next().is_none()
    }

    /// The steps that failed.
    pub fn failed(&self) -> impl Iterator<Item = &CheckStep> {
        self.steps.iter().filter(|step| step.outcome == Outcome::Fail)
    }

    /// The step of this id.
    pub fn step(&self, id: &str) -> Option<&CheckStep> {
        self.steps.iter().find(|step| step.name.id == id)
    }

    /// Adds what was found out about a step.
    pub fn note(&mut self, name: &CheckName, finding: Finding, took: Option<Duration>) {
        let Finding { outcome, cause, who, cure, waits_for } = finding;
        let waits_for = waits_for.map(|name| name.id);
        self.steps.push(CheckStep { name: name.clone(), outcome, cause, who, cure, waits_for, took });
    }

    /// That a step is skipped, if one of those that it needs failed, or is skipped because of one that did. It names the one that
    /// failed: mending that is what helps.
    pub fn waiting(&self, needs: &[&CheckName]) -> Option<Finding> {
        let failed = self.steps.iter().filter(|step| needs.iter().any(|need| need.id == step.name.id));
        let failed = failed.filter_map(|step| match (step.outcome, &step.waits_for) {
            (Outcome::Fail, _) => Some(step),
            (Outcome::Skipped, Some(id)) => self.step(id),
            _ => None,
        });
        let step = failed.into_iter().next()?;
        let finding = Finding::skip(format!("waits for \"{}\"", step.name.title));
        Some(Finding { waits_for: Some(step.name.clone()), ..finding })
    }
}

impl fmt::Display for CheckReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.steps.iter().map(|step| step.name.title.chars().count()).max().unwrap_or_default();
        for step in &self.steps {
            let line = format!(
                "{} {:width$}  {}",
                step.outcome.mark(),
                step.name.title,
                step.cause.as_deref().unwrap_or_default()
            );
            writeln!(f, "{}", line.trim_end())?;
            let Some(cure) = &step.cure else { continue };
            match step.who {
                Some(who) => writeln!(f, "    {who}: {}", cure.text)?,
                None => writeln!(f, "    {}", cure.text)?,
            }
            for paste in &cure.paste {
                writeln!(f, "      {}: {}", paste.label, paste.value)?;
            }
        }
        let count = |outcome| self.steps.iter().filter(|step| step.outcome == outcome).count();
        let (passed, failed, skipped) = (count(Outcome::Pass), count(Outcome::Fail), count(Outcome::Skipped));
        writeln!(f, "{passed} passed, {failed} failed, {skipped} not looked at")
    }
}

mod millis {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use std::time::Duration;

    pub(super) fn serialize<S: Serializer>(took: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
        let millis = took.map(|took| u64::try_from(took.as_millis()).unwrap_or(u64::MAX));
        millis.serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
        Ok(Option::<u64>::deserialize(from)?.map(Duration::from_millis))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    const FILE: CheckName = CheckName::new("file", "The key file can be used");
    const TOKEN: CheckName = CheckName::new("token", "The account is accepted");
    const ROOMS: CheckName = CheckName::new("rooms", "Rooms can be listed");
    const HOURS: CheckName = CheckName::new("hours", "Hours are known");
    const LAST: CheckName = CheckName::new("last", "The calendar is there");

    fn report() -> CheckReport {
        let mut report = CheckReport::new("paper", "2026-11-28T10:00:00Z".parse().expect("an instant"));
        let bad = Finding::fail("it is cut off")
            .by(Who::CrmAdministrator)
            .cure(Cure::new("Paste all of it.").paste("client ID", "104567890123456789012"));
        report.note(&FILE, bad, None);
        for (name, needs) in [(TOKEN, vec![&FILE]), (LAST, vec![&ROOMS, &TOKEN])] {
            let finding = report.waiting(&needs).unwrap_or_else(Finding::pass);
            report.note(&name, finding, Some(Duration::from_millis(7)));
        }
        report.note(&ROOMS, Finding::skip("nobody asked for rooms"), None);
        let needs = report.waiting(&[&ROOMS]).unwrap_or_else(|| Finding::pass_but("none are set"));
        report.note(&HOURS, needs, None);
        report
    }

    #[test]
    fn a_step_waits_for_the_one_that_failed_however_many_lie_between_and_for_none_that_does_not_apply() {
        let report = report();
        let outcome = |name: &CheckName| report.step(&name.id).map(|step| step.outcome);
        assert_eq!(outcome(&LAST), Some(Outcome::Skipped));
        assert_eq!(report.step("last").expect("a step").waits_for.as_deref(), Some("file"));
        assert_eq!(outcome(&HOURS), Some(Outcome::Pass));
        assert!(!report.passed() && report.failed().count() == 1);
    }

    #[test]
    fn a_report_is_a_table_with_a_mark_per_step_and_what_to_paste_below() {
        assert_eq!(
            report().to_string(),
            "✗ The key file can be used  it is cut off\n\
             \x20   CRM administrator: Paste all of it.\n\
             \x20     client ID: 104567890123456789012\n\
             – The account is accepted   waits for \"The key file can be used\"\n\
             – The calendar is there     waits for \"The key file can be used\"\n\
             – Rooms can be listed       nobody asked for rooms\n\
             ✓ Hours are known           none are set\n\
             1 passed, 1 failed, 3 not looked at\n"
        );
    }

    #[test]
    fn a_report_travels_as_json() {
        let json = serde_json::to_value(report()).expect("JSON");
        assert_eq!((&json["steps"][0]["id"], &json["steps"][0]["outcome"]), (&"file".into(), &"fail".into()));
        assert_eq!(
            (&json["steps"][0]["who"], &json["steps"][1]["took"]),
            (&"crm_administrator".into(), &7.into())
        );
        assert_eq!(serde_json::from_value::<CheckReport>(json).expect("a report"), report());
    }

    #[test]
    fn an_error_becomes_a_cross_with_its_own_cure() {
        let error = Error::new(ErrorKind::Forbidden, "not allowed").reason("code").cure("Allow it.");
        let mut report = report();
        report.note(&LAST, Finding::error(&error), None);
        let step = report.steps.last().expect("a step");
        assert_eq!(step.cause.as_deref(), Some("not allowed [code]"));
        assert_eq!(step.cure, Some(Cure::new("Allow it.")));
    }
}
