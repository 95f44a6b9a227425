use super::*;
use calsync_core::check::{CheckName, CheckReport, Outcome};
use calsync_core::http::{TransportError, TransportFault};

fn told(finding: Finding) -> String {
    let mut report = CheckReport::new("google", chrono::DateTime::default());
    report.note(&CheckName::new("x", "x"), finding, None);
    report.to_string()
}

fn known() -> Known {
    Known {
        email: Some("sync@p1.iam.gserviceaccount.com".into()),
        client_id: None,
        project: Some("p1".into()),
    }
}

fn asked(way: Way, direction: Direction, known: &Known) -> Asked<'_> {
    let (calendar, agent) = ("amy@example.com", Some("Amy@Example.com"));
    Asked { way, known, calendar, agent, direction, needed: &[Feature::WriteEvents] }
}

fn head(role: &str) -> Result<CalendarHead> {
    Ok(CalendarHead { summary: None, time_zone: None, access_role: Some(role.into()) })
}

fn refused(kind: ErrorKind, reason: &str) -> Result<CalendarHead> {
    Err(Error::new(kind, "told").reason(reason))
}

#[test]
fn a_disabled_api_is_not_an_unshared_calendar_and_trouble_on_the_way_is_neither() {
    let known = known();
    let asked = asked(Way::Itself, Direction::TwoWay, &known);
    for (answer, enabled, there) in [
        (head("owner"), Outcome::Pass, Outcome::Pass),
        (refused(ErrorKind::Forbidden, "accessNotConfigured"), Outcome::Fail, Outcome::Fail),
        (refused(ErrorKind::Forbidden, "SERVICE_DISABLED"), Outcome::Fail, Outcome::Fail),
        (refused(ErrorKind::NotFound, "notFound"), Outcome::Pass, Outcome::Fail),
        (refused(ErrorKind::Forbidden, "notACalendarUser"), Outcome::Pass, Outcome::Fail),
        (refused(ErrorKind::Forbidden, "forbidden"), Outcome::Pass, Outcome::Fail),
        (refused(ErrorKind::Forbidden, "insufficientPermissions"), Outcome::Pass, Outcome::Fail),
        (refused(ErrorKind::Unavailable, ""), Outcome::Fail, Outcome::Fail),
        (Err(Error::new(ErrorKind::Limit, "time is up").later()), Outcome::Skipped, Outcome::Skipped),
    ] {
        let outcomes = (api_enabled(&answer, &asked).outcome(), reachable(&answer, &asked).outcome());
        assert_eq!(outcomes, (enabled, there), "{answer:?}");
    }
    let told = told(api_enabled(&refused(ErrorKind::Forbidden, "accessNotConfigured"), &asked));
    let page =
        "page: https://console.cloud.google.com/apis/library/calendar-json.googleapis.com?project=p1\n";
    assert!(told.contains(page), "{told}");
}

#[test]
fn a_link_is_made_of_a_project_s_name_and_of_nothing_else() {
    for (project, end) in [
        (Some("p-1"), "?project=p-1"),
        (Some("123456"), "?project=123456"),
        (Some("example.com:p1"), "?project=example.com:p1"),
        (Some("p1&redirect=https://evil.example"), "/x"),
        (Some(""), "/x"),
        (None, "/x"),
    ] {
        assert!(activation("x", project).ends_with(end), "{project:?}");
    }
}

#[test]
fn what_cannot_be_seen_is_shared_with_the_account_at_the_level_that_the_direction_needs() {
    let known = known();
    let not_found = refused(ErrorKind::NotFound, "notFound");
    let told_of = |way, direction| told(reachable(&not_found, &asked(way, direction, &known)));
    let itself = told_of(Way::Itself, Direction::TwoWay);
    assert!(itself.contains("share with: sync@p1.iam.gserviceaccount.com\n"), "{itself}");
    assert!(itself.contains("level: Make changes to events\n"), "{itself}");
    assert!(told_of(Way::Itself, Direction::FromRemote).contains("level: See all event details\n"));
    let own = told_of(Way::Delegated, Direction::TwoWay);
    assert!(own.contains("needs no sharing") && !own.contains("share with"), "{own}");
}

#[test]
fn each_role_is_enough_for_a_direction_or_says_what_it_is() {
    let known = known();
    for (given, direction, outcome, words) in [
        ("owner", Direction::TwoWay, Outcome::Pass, ""),
        ("writer", Direction::ToRemote, Outcome::Pass, ""),
        ("writerWithoutPrivateAccess", Direction::TwoWay, Outcome::Pass, "private appointments"),
        ("reader", Direction::FromRemote, Outcome::Pass, ""),
        ("reader", Direction::TwoWay, Outcome::Fail, "needs writer or owner"),
        ("reader", Direction::ToRemote, Outcome::Fail, "level: Make changes to events"),
        ("freeBusyReader", Direction::FromRemote, Outcome::Fail, "only when somebody is busy"),
        ("freeBusyReader", Direction::TwoWay, Outcome::Fail, "share with: sync@p1"),
        ("emperor", Direction::TwoWay, Outcome::Fail, "does not say how it may be used"),
    ] {
        let finding = role(Some(given), &asked(Way::Itself, direction, &known));
        assert_eq!(finding.outcome(), outcome, "{given}");
        assert!(told(finding).contains(words), "{given}");
    }
}

#[test]
fn a_calendar_of_somebody_else_passes_with_a_word_about_it() {
    let known = Known::default();
    for (way, agent, primary, words) in [
        (Way::Delegated, Some("AMY@example.com"), Some("amy@example.com"), ""),
        (
            Way::Delegated,
            Some("amy@example.com"),
            Some("a.smith@example.com"),
            "knows amy@example.com as a.smith",
        ),
        (
            Way::Grant,
            Some("amy@example.com"),
            Some("sync@example.com"),
            "connected account is sync@example.com",
        ),
        // The account's own address says nothing about calendars that are shared with it.
        (Way::Itself, Some("amy@example.com"), Some("sync@example.com"), ""),
        (Way::Grant, Some("bob@example.com"), None, "not the one of the agent bob@example.com"),
    ] {
        let asked = Asked { agent, ..asked(way, Direction::TwoWay, &known) };
        let finding = agent_matched(&asked, primary);
        assert_eq!(finding.outcome(), Outcome::Pass);
        let told = told(finding);
        assert!(told.contains(words) && words.is_empty() == (told.lines().count() == 2), "{told}");
    }
}

#[test]
fn an_address_is_one_that_google_could_call_or_says_why_not() {
    assert_eq!(push_address(None).expect_err("none").outcome(), Outcome::Skipped);
    assert!(push_address(Some("https://crm.example.com/hooks/google")).is_ok());
    for address in [
        "http://crm.example.com/hook",
        "https://localhost/hook",
        "https://127.0.0.1/hook",
        "https://[::1]/hook",
        "https://10.0.0.7/hook",
        "https://crm/hook",
        "https://crm.local/hook",
        "https://user@crm.example.com/hook",
        "not an address",
    ] {
        assert_eq!(push_address(Some(address)).expect_err(address).outcome(), Outcome::Fail);
    }
    let base = BaseUrl::new("https://crm.example.com/hook").expect("an address");
    for (status, outcome) in
        [(200, Outcome::Pass), (204, Outcome::Pass), (302, Outcome::Fail), (404, Outcome::Fail)]
    {
        let answer = http::Response::builder().status(status).body(bytes::Bytes::new()).expect("an answer");
        assert_eq!(push(&base, &Ok(answer)).outcome(), outcome, "{status}");
    }
    let error = TransportError {
        message: "why".into(),
        maybe_sent: false,
        limit: false,
        fault: TransportFault::Certificate,
    };
    assert!(told(push(&base, &Err(error))).contains("crm.example.com does not answer: why"));
}

#[test]
fn rooms_need_an_api_a_scope_and_an_administrator_and_each_is_told_apart() {
    for (kind, reason, words) in [
        (ErrorKind::Forbidden, "accessNotConfigured", "admin.googleapis.com?project=p1"),
        (ErrorKind::Forbidden, "unauthorized_client", "admin.directory.resource.calendar.readonly"),
        (ErrorKind::Forbidden, "forbidden", "boss@example.com is not an administrator"),
        (ErrorKind::Unavailable, "", "told"),
    ] {
        let answer = Err(Error::new(kind, "told").reason(reason));
        let told = told(rooms(&answer, "boss@example.com", Way::Delegated, &known()));
        assert!(told.starts_with('✗') && told.contains(words), "{told}");
    }
    assert_eq!(rooms(&Ok(()), "boss@example.com", Way::Grant, &known()).outcome(), Outcome::Pass);
}
