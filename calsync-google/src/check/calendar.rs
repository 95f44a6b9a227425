//! The calendar: from Google's answers to findings, pure.
//!
//! Google says "not found" of a calendar that is not shared, so that nobody learns what exists; the cure says how to share it. What
//! the account may do comes from the same answer, in the words of [`Access`].

use super::account::{Known, Way, lacking, troubled};
use super::network::{Answer, host_name};
use crate::call::CalendarHead;
use crate::provider::access;
use crate::scope::Feature;
use crate::wire::calendar::CalendarProperties;
use calsync_core::binding::Direction;
use calsync_core::check::{Cure, Finding, Who};
use calsync_core::http::BaseUrl;
use calsync_core::provider::Access;
use calsync_core::{Error, ErrorKind, Result};

/// What was asked about, and by whom.
#[derive(Debug)]
pub(super) struct Asked<'a> {
    pub(super) way: Way,
    pub(super) known: &'a Known,
    pub(super) calendar: &'a str,
    pub(super) agent: Option<&'a str>,
    pub(super) direction: Direction,
    pub(super) needed: &'a [Feature],
}

fn same(one: &str, other: &str) -> bool {
    one.trim().to_lowercase() == other.trim().to_lowercase()
}

/// The page of the console on which an API is switched on. Made here from the project that the credential names: the link in
/// Google's answer could lead anywhere.
pub(super) fn activation(service: &str, project: Option<&str>) -> String {
    let page = format!("https://console.cloud.google.com/apis/library/{service}");
    match project {
        Some(id)
            if !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.:".contains(&b)) =>
        {
            format!("{page}?project={id}")
        }
        _ => page,
    }
}

fn is_disabled(error: &Error) -> bool {
    matches!(error.reason_code(), Some("accessNotConfigured" | "SERVICE_DISABLED" | "CONSUMER_INVALID"))
}

fn disabled(name: &str, service: &str, known: &Known) -> Finding {
    let text = format!(
        "Open this page with an account that may change the project that the credential belongs to, press \"Enable\", and wait some \
         minutes. It has to be that project: enabling \"{name}\" in another one does not help."
    );
    Finding::fail(format!("\"{name}\" is not enabled in the Google Cloud project"))
        .by(Who::CrmAdministrator)
        .cure(Cure::new(text).paste("page", activation(service, known.project.as_deref())))
}

/// Whether Google said that nobody asked this API before. Any other answer about the calendar comes from an API that is on.
pub(super) fn api_enabled(answer: &Result<CalendarHead>, asked: &Asked<'_>) -> Finding {
    match answer {
        Err(error) if is_disabled(error) => {
            disabled("Google Calendar API", "calendar-json.googleapis.com", asked.known)
        }
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::Unavailable
                    | ErrorKind::Protocol
                    | ErrorKind::Limit
                    | ErrorKind::RateLimited
                    | ErrorKind::QuotaExhausted
            ) =>
        {
            troubled(error, asked.way)
        }
        _ => Finding::pass(),
    }
}

/// Whether the calendar is there for the account.
pub(super) fn reachable(answer: &Result<CalendarHead>, asked: &Asked<'_>) -> Finding {
    let error = match answer {
        Ok(_) => return Finding::pass(),
        Err(error) => error,
    };
    match (error.kind(), error.reason_code()) {
        (ErrorKind::NotFound, _) => {
            let cause = format!(
                "there is no calendar {}, or it is not shared with {}: Google says the same for both",
                asked.calendar,
                account(asked)
            );
            Finding::fail(cause).by(Who::Agent).cure(share(asked))
        }
        (_, Some("insufficientPermissions" | "ACCESS_TOKEN_SCOPE_INSUFFICIENT")) => {
            lacking(asked.needed, asked.way, asked.known)
        }
        (_, Some("notACalendarUser")) => Finding::error(error).by(Who::WorkspaceAdministrator),
        (ErrorKind::Forbidden, _) => {
            let cause =
                format!("Google does not let {} into the calendar {}", account(asked), asked.calendar);
            Finding::fail(cause).by(Who::Agent).cure(share(asked))
        }
        _ => troubled(error, asked.way),
    }
}

/// Who is let in: in words.
fn account(asked: &Asked<'_>) -> String {
    match (asked.way, &asked.known.email, asked.agent) {
        (Way::Delegated, _, Some(agent)) => agent.to_owned(),
        (_, Some(email), _) => email.clone(),
        _ => "the connected account".to_owned(),
    }
}

fn share(asked: &Asked<'_>) -> Cure {
    let level =
        if asked.direction.writes_remote() { "Make changes to events" } else { "See all event details" };
    let own = asked.agent.is_some_and(|agent| same(agent, asked.calendar));
    if asked.way == Way::Delegated && own {
        return Cure::new(format!(
            "It is the agent's own calendar, which needs no sharing: check that {} is the person's primary address and not another \
             calendar's, and that the Calendar service is on for the person (Admin console > Apps > Google Workspace > Calendar).",
            asked.calendar
        ));
    }
    let cure = Cure::new(
        "In Google Calendar, as the owner of the calendar: Settings > the calendar > Share with specific people or groups > Add people and \
         groups, with this address at this level. Where the level cannot be chosen, the Workspace administrator has to allow it \
         for outside of the organisation (Admin console > Apps > Google Workspace > Calendar > Sharing settings).",
    );
    cure.paste("share with", account(asked)).paste("level", level)
}

/// Whether the account may do what the direction needs.
pub(super) fn role(role: Option<&str>, asked: &Asked<'_>) -> Finding {
    let writes = asked.direction.writes_remote();
    match access(role) {
        Ok(Access::Writer) if role == Some("writerWithoutPrivateAccess") => Finding::pass_but(
            "private appointments of the calendar are seen as busy time only (writerWithoutPrivateAccess)",
        ),
        Ok(Access::Writer) => Finding::pass(),
        Ok(Access::Reader) if !writes => Finding::pass(),
        Ok(Access::Reader) => Finding::fail(format!(
            "{} may read the calendar and not change it (reader); writing it needs writer or owner",
            account(asked)
        ))
        .by(Who::Agent)
        .cure(share(asked)),
        Ok(Access::FreeBusy) => Finding::fail(format!(
            "{} sees only when somebody is busy (freeBusyReader): no titles, no ids, nothing that could be synchronised",
            account(asked)
        ))
        .by(Who::Agent)
        .cure(share(asked)),
        Ok(Access::NoSuchUser { message } | Access::NotShared { message }) => {
            Finding::fail(message).by(Who::Agent).cure(share(asked))
        }
        Err(error) => troubled(&error, asked.way),
    }
}

/// Whether the calendar is the agent's own. `primary` is the address that Google has for the account that acts, if it said so. A
/// difference is worth a look, and can be meant.
pub(super) fn agent_matched(asked: &Asked<'_>, primary: Option<&str>) -> Finding {
    let Some(agent) = asked.agent else { return Finding::skip("no agent was named") };
    let look = |cause: String, cure: String| {
        Finding::pass_but(cause).by(Who::CrmAdministrator).cure(Cure::new(cure))
    };
    if !same(agent, asked.calendar) {
        return look(
            format!("the calendar {} is not the one of the agent {agent}", asked.calendar),
            "Nothing, if it is meant. Else bind the agent to the calendar of the agent's own address."
                .to_owned(),
        );
    }
    match primary {
        Some(primary) if asked.way == Way::Delegated && !same(primary, agent) => look(
            format!("Google knows {agent} as {primary}"),
            format!(
                "Give the agent the address {primary} in the CRM: an alias can be taken away, and invitations name the other."
            ),
        ),
        Some(primary) if asked.way == Way::Grant && !same(primary, agent) => look(
            format!(
                "the connected account is {primary}, and reads the agent's calendar because it is shared with it"
            ),
            format!("Nothing, if one account serves many agents. Else connect the account of {agent}."),
        ),
        _ => Finding::pass(),
    }
}

/// Whether Google says when the agent works. Without it the CRM's own hours are used, which is no fault.
pub(super) fn hours(answer: &Result<CalendarProperties>, asked: &Asked<'_>) -> Finding {
    match answer {
        Ok(calendar) if calendar.has_working_hours() => Finding::pass(),
        Ok(_) => Finding::pass_but(
            "Google has none for this calendar: they exist for the primary calendars of Workspace users who set them. Those of the CRM count",
        ),
        Err(error) if error.kind() == ErrorKind::Forbidden => Finding::skip(format!(
            "the scope {} is not granted. {}",
            Feature::WorkingHours.smallest(),
            Feature::WorkingHours.without()
        )),
        Err(error) => troubled(error, asked.way),
    }
}

/// The address that Google would call. Google wants https and a certificate of a public authority (guide "Push notifications"); names and
/// numbers of this machine or of a private network are none that it could reach.
pub(super) fn push_address(address: Option<&str>) -> std::result::Result<BaseUrl, Box<Finding>> {
    let Some(address) = address else {
        return Err(Box::new(Finding::skip("no public address was given: Google is asked at each run")));
    };
    let refuse = |why: &str| {
        let finding = Finding::fail(format!("{address} cannot be called by Google: {why}"))
            .by(Who::Vendor)
            .cure(Cure::new("Give an https address that is open to the Internet, or none: without one Google is asked at each run."));
        Box::new(finding)
    };
    let uri: http::Uri = address.parse().map_err(|_| refuse("it is not an address"))?;
    let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']').to_lowercase();
    if uri.scheme_str() != Some("https") {
        return Err(refuse("it is not https"));
    }
    // A number has no certificate of a public authority that matters, public or not.
    if host.parse::<std::net::IpAddr>().is_ok() || !host.contains('.') {
        return Err(refuse("it names no host of the Internet"));
    }
    let private = [".local", ".localhost", ".internal", ".lan", ".home.arpa"];
    if private.iter().any(|end| host.ends_with(end)) {
        return Err(refuse("its host is one of a private network"));
    }
    BaseUrl::new(address).map_err(|_| refuse("it is not an address for calls"))
}

/// What the host's receiver answered to a call as Google makes it.
pub(super) fn push(base: &BaseUrl, answer: &Answer) -> Finding {
    let name = host_name(base);
    let fail = |cause: String, text: &str| {
        Finding::fail(cause).by(Who::Vendor).cure(Cure::new(text).paste("address", base.as_str()))
    };
    match answer {
        Ok(answer) if matches!(answer.status().as_u16(), 102 | 200 | 201 | 202 | 204) => Finding::pass_but(
            "asked from here; whether Google's own calls get through shows when one arrives",
        ),
        Ok(answer) => fail(
            format!("{name} answers with status {}", answer.status().as_u16()),
            "The receiver has to answer every call with 200, 201, 202 or 204, also one of a channel that it does not know.",
        ),
        Err(error) => fail(
            format!("{name} does not answer: {}", error.message),
            "It has to answer from outside, with a certificate of a public authority for its name.",
        ),
    }
}

/// Whether the rooms of the organisation can be listed, by the administrator who is acted for.
pub(super) fn rooms(answer: &Result<()>, administrator: &str, way: Way, known: &Known) -> Finding {
    let Err(error) = answer else { return Finding::pass() };
    match (error.kind(), error.reason_code()) {
        _ if is_disabled(error) => disabled("Admin SDK API", "admin.googleapis.com", known),
        (_, Some("unauthorized_client" | "invalid_scope" | "insufficientPermissions" | "ACCESS_TOKEN_SCOPE_INSUFFICIENT")) => {
            lacking(&[Feature::Rooms], way, known)
        }
        (ErrorKind::Forbidden | ErrorKind::NotFound, _) => {
            Finding::fail(format!("{administrator} is not an administrator who may see the rooms"))
                .by(Who::WorkspaceAdministrator)
                .cure(Cure::new(
                    "Name another administrator, or give this one a role that may read calendar resources (Admin console > Account > \
                     Admin roles > Buildings and resources).",
                ))
        }
        _ => troubled(error, way),
    }
}

#[cfg(test)]
mod tests;
