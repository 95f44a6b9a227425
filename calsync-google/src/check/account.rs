//! The credential: what its file, the token endpoint and the granted scopes say, pure.
//!
//! Google refuses a delegated service account for one missing scope as it does for all, and does not say which. So each scope is
//! asked for alone, and only what is refused for the scope's sake counts as missing: a person who is not there, or a key that was
//! deleted, says nothing about scopes.

use crate::auth::refusal::no_such_user;
use crate::scope::{Feature, Scopes};
use calsync_core::check::{Cure, Finding, Who};
use calsync_core::planted::{self, Fault};
use calsync_core::{Error, ErrorKind, Result, Retry};

/// Who asks, as far as a cure differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// A service account that acts as the agent.
    Delegated,
    /// A service account that acts as itself.
    Itself,
    /// Somebody's grant.
    Grant,
}

/// What is known of a credential without asking, and may be shown.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    /// The service account's address.
    pub(super) email: Option<String>,
    /// The number to delegate to, or the OAuth client's id.
    pub(super) client_id: Option<String>,
    /// The Google Cloud project: its id, or its number.
    pub(super) project: Option<String>,
}

/// An error on the way to an answer.
pub(super) fn troubled(error: &Error, way: Way) -> Finding {
    if error.kind() == ErrorKind::Limit && error.retry() != Retry::Never {
        return Finding::skip("there was no time left to ask");
    }
    let who = match error.kind() {
        ErrorKind::Unavailable | ErrorKind::Protocol | ErrorKind::Limit | ErrorKind::Clock => {
            Who::NetworkAdministrator
        }
        ErrorKind::Forbidden => Who::WorkspaceAdministrator,
        ErrorKind::RateLimited | ErrorKind::QuotaExhausted => Who::Vendor,
        ErrorKind::Unauthorized if way == Way::Grant => Who::Agent,
        _ => Who::CrmAdministrator,
    };
    Finding::error(error).by(who)
}

/// The file as text that may not be stored yet.
pub(super) fn file(read: std::result::Result<&Known, &Error>) -> Finding {
    match read {
        Ok(known) => match known.email.as_ref().or(known.client_id.as_ref()) {
            Some(name) => Finding::pass_but(name.clone()),
            None => Finding::pass(),
        },
        Err(error) => Finding::error(error).by(Who::CrmAdministrator),
    }
}

/// What asking for one scope alone said.
#[derive(Debug)]
pub(super) enum ScopeAnswer {
    Granted,
    Missing,
    /// It says nothing about scopes.
    Other(Error),
}

/// Whether a token was refused for the sake of the scope.
pub(super) fn for_the_scope(error: &Error) -> bool {
    matches!(error.reason_code(), Some("unauthorized_client" | "invalid_scope"))
}

pub(super) fn scope_answer<T>(answer: Result<T>) -> ScopeAnswer {
    match answer {
        Ok(_) => ScopeAnswer::Granted,
        Err(error) if for_the_scope(&error) => ScopeAnswer::Missing,
        Err(error) => ScopeAnswer::Other(error),
    }
}

/// What asking for all scopes one by one brought.
#[derive(Debug, Default)]
pub(super) struct Probe {
    pub(super) granted: Scopes,
    /// The first answer that says nothing about scopes; asking ended there.
    pub(super) other: Option<Error>,
}

/// The user that a delegated service account acts for.
pub(super) fn user(probe: &Probe, agent: &str) -> Finding {
    match &probe.other {
        _ if !probe.granted.is_empty() => Finding::pass(),
        Some(error) if no_such_user(error) => {
            let who = if error.kind() == ErrorKind::Config {
                Who::CrmAdministrator
            } else {
                Who::WorkspaceAdministrator
            };
            Finding::error(error).by(who)
        }
        Some(error) => troubled(error, Way::Delegated),
        // Also what Google says of somebody who is no user of that Workspace (GAM, issue 1544).
        None => Finding::skip(format!(
            "nothing is authorised, and Google says the same where {agent} is no user of the Workspace: authorise the scopes first"
        )),
    }
}

/// Which scopes are granted, and which are needed: both ways.
#[derive(Debug)]
pub(super) struct Needs<'a> {
    /// What does not work at all without.
    pub(super) needed: &'a [Feature],
    /// What is nice to have.
    pub(super) welcome: &'a [Feature],
}

impl Needs<'_> {
    fn all(&self) -> Vec<Feature> {
        self.needed.iter().chain(self.welcome).copied().collect()
    }

    /// Every scope that is enough for something: what is asked for one by one.
    pub(super) fn candidates(&self) -> Scopes {
        self.all().iter().flat_map(|feature| feature.any_of()).collect()
    }
}

/// What to ask for: of the scopes granted, those that are enough for as much as they allow, without a spare one.
pub(super) fn to_ask(granted: &Scopes, needs: &Needs<'_>) -> Scopes {
    let spare: Scopes = granted.unneeded(&needs.all()).into_iter().collect();
    granted.iter().filter(|scope| !spare.contains(scope) || planted::on(Fault::SpareIsAsked)).collect()
}

/// S10: granted and needed compared in both directions.
pub(super) fn scopes(granted: &Scopes, needs: &Needs<'_>, way: Way, known: &Known) -> Finding {
    let missing = granted.missing(needs.needed);
    if !missing.is_empty() {
        return lacking(&missing, way, known);
    }
    let lacks: Vec<String> = (granted.missing(needs.welcome).iter())
        .map(|feature| format!("not granted: {feature}. {}", feature.without()))
        .collect();
    let all: Vec<Feature> = needs.all().into_iter().filter(|feature| granted.covers(*feature)).collect();
    let least = Scopes::smallest_for(&all);
    let told = |scope: &&str| !least.contains(scope) && !planted::on(Fault::SpareUntold);
    let wide: Vec<&str> = granted.iter().filter(told).collect();
    let finding = match (lacks.is_empty(), wide.is_empty()) {
        (true, true) => return Finding::pass(),
        (false, true) => return Finding::pass_but(lacks.join(" ")),
        (true, false) => Finding::pass_but(format!("granted is more than is needed: {}", wide.join(", "))),
        (false, false) => Finding::pass_but(format!(
            "{} Granted is more than is needed: {}",
            lacks.join(" "),
            wide.join(", ")
        )),
    };
    let text = match way {
        Way::Grant => {
            "Nothing has to be done. Fewer permissions are enough when accounts are connected anew."
        }
        _ => {
            "Nothing has to be done. Narrower scopes are enough, should you want to authorise no more than that."
        }
    };
    let who = if way == Way::Grant { Who::CrmAdministrator } else { Who::WorkspaceAdministrator };
    finding.by(who).cure(Cure::new(text).paste("enough", least.with_commas()))
}

pub(super) fn lacking(missing: &[Feature], way: Way, known: &Known) -> Finding {
    let list: Vec<String> =
        missing.iter().map(|feature| format!("{feature} ({})", feature.smallest())).collect();
    let finding = Finding::fail(format!("not granted: {}", list.join("; ")));
    let wanted = Scopes::smallest_for(missing);
    if way == Way::Grant {
        return finding.by(Who::Agent).cure(
            Cure::new(
                "Connect the account again, and tick every permission on the consent page. The OAuth client's consent screen (Google Auth \
                 Platform > Data access) has to name these scopes.",
            )
            .paste("missing scopes", wanted.to_string()),
        );
    }
    let (number, mut cure) = match &known.client_id {
        Some(id) => (id.clone(), Cure::new("").paste("client ID", id.clone())),
        None => (
            format!(
                "the numeric \"Unique ID\" of {} (Google Cloud console > IAM & Admin > Service accounts)",
                known.email.as_deref().unwrap_or("the service account")
            ),
            Cure::new(""),
        ),
    };
    cure.text = format!(
        "In the Admin console open Security > Access and data control > API controls > Domain-wide delegation \
         (https://admin.google.com/ac/owl/domainwidedelegation). Where {number} is in the list, edit it and add the missing scopes to \
         those that are there; else add it with them. It can take minutes, in the worst case 24 hours. gmail.com accounts cannot be \
         delegated."
    );
    finding.by(Who::WorkspaceAdministrator).cure(cure.paste("missing scopes", wanted.with_commas()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use calsync_core::check::{CheckName, CheckReport, Outcome};

    const HALO: [&str; 2] = [crate::scope::CALENDAR, crate::scope::EVENTS];
    const BOTH: Needs<'_> = Needs { needed: &[Feature::WriteEvents], welcome: &[Feature::WorkingHours] };

    fn known() -> Known {
        Known {
            email: Some("sync@p1.iam.gserviceaccount.com".into()),
            client_id: Some("104567890123456789012".into()),
            project: Some("p1".into()),
        }
    }

    fn told(finding: Finding) -> String {
        let mut report = CheckReport::new("google", chrono::DateTime::default());
        report.note(&CheckName::new("x", "x"), finding, None);
        report.to_string()
    }

    fn set(short: &str) -> Scopes {
        short.split_whitespace().map(|s| format!("https://www.googleapis.com/auth/{s}")).collect()
    }

    #[test]
    fn s10_what_is_asked_for_is_the_least_that_was_granted_and_enough() {
        for (granted, asked) in [
            ("calendar calendar.events admin.directory.resource.calendar", "calendar"),
            ("calendar.events", "calendar.events"),
            ("calendar.events calendar.calendars.readonly", "calendar.events calendar.calendars.readonly"),
            (
                "calendar calendar.events calendar.calendars.readonly",
                "calendar.events calendar.calendars.readonly",
            ),
            ("calendar.events calendar.readonly", "calendar.events calendar.readonly"),
        ] {
            assert_eq!(to_ask(&set(granted), &BOTH), set(asked), "{granted}");
        }
    }

    #[test]
    fn s10_scopes_are_compared_both_ways_and_a_wider_grant_passes() {
        let halo = scopes(&HALO.iter().collect(), &BOTH, Way::Delegated, &known());
        assert_eq!(halo.outcome(), Outcome::Pass);
        let halo = told(halo);
        assert!(halo.contains("more than is needed: https://www.googleapis.com/auth/calendar"), "{halo}");
        assert!(
            halo.contains("enough: https://www.googleapis.com/auth/calendar.calendars.readonly,"),
            "{halo}"
        );
        let least = told(scopes(
            &set("calendar.events calendar.calendars.readonly"),
            &BOTH,
            Way::Delegated,
            &known(),
        ));
        assert!(least.starts_with("✓ x\n"), "{least}");
        let hours = scopes(&set("calendar.events"), &BOTH, Way::Delegated, &known());
        assert_eq!(hours.outcome(), Outcome::Pass);
        assert!(told(hours).contains("Working hours and the time zone come from the CRM alone"));
    }

    #[test]
    fn s10_a_missing_scope_is_named_with_the_feature_and_the_number_to_paste() {
        for way in [Way::Delegated, Way::Grant] {
            let finding = scopes(&set("calendar.events.readonly"), &BOTH, way, &known());
            assert_eq!(finding.outcome(), Outcome::Fail);
            let told = told(finding);
            assert!(
                told.contains("read and write events (https://www.googleapis.com/auth/calendar.events)"),
                "{told}"
            );
            assert!(
                told.contains("missing scopes: https://www.googleapis.com/auth/calendar.events\n"),
                "{told}"
            );
            assert_eq!(told.contains("client ID: 104567890123456789012"), way == Way::Delegated, "{told}");
        }
        let unnumbered =
            told(lacking(&[Feature::WriteEvents], Way::Delegated, &Known { client_id: None, ..known() }));
        assert!(unnumbered.contains("\"Unique ID\" of sync@p1"), "{unnumbered}");
    }

    #[test]
    fn only_a_refusal_for_a_scope_s_sake_makes_it_missing() {
        let error = |kind, reason: &str| Err::<(), _>(Error::new(kind, "told").reason(reason));
        let missing = |answer| matches!(scope_answer(answer), ScopeAnswer::Missing);
        assert!(missing(error(ErrorKind::Forbidden, "unauthorized_client")));
        assert!(missing(error(ErrorKind::Config, "invalid_scope")));
        assert!(
            !missing(error(ErrorKind::Config, "invalid_grant"))
                && !missing(error(ErrorKind::Forbidden, "access_denied"))
        );
        assert!(!missing(Ok(())));
    }

    #[test]
    fn nobody_is_called_missing_who_may_only_not_be_delegated() {
        let unknown = Error::new(ErrorKind::Config, "Google knows no user amy").reason("invalid_grant");
        for (granted, other, outcome) in [
            ("calendar.events", None, Outcome::Pass),
            ("", None, Outcome::Skipped),
            ("", Some(unknown), Outcome::Fail),
            ("", Some(Error::new(ErrorKind::Forbidden, "restricted").reason("access_denied")), Outcome::Fail),
            ("", Some(Error::new(ErrorKind::Limit, "time is up").later()), Outcome::Skipped),
        ] {
            let probe = Probe { granted: set(granted), other };
            assert_eq!(user(&probe, "amy@example.com").outcome(), outcome, "{probe:?}");
        }
    }
}
