//! Whether Google's hosts answer, and the clock: from answers to findings, pure.
//!
//! A host is asked without a credential, in a way that Google refuses in its own form. That form tells Google from a proxy, a sign-in
//! page of a network or a firewall that answers in its place. Where no answer comes, the transport says how far the request came, and
//! with that who has to look.

use bytes::Bytes;
use calsync_core::check::{Cure, Finding, Who};
use calsync_core::http::{BaseUrl, TransportError, TransportFault};
use chrono::TimeDelta;
use serde_json::Value;

/// How far the clocks may be apart. Google takes assertions that are dated a little ahead, and they live for an hour.
pub(super) const CLOCK_SECONDS_MAX: i64 = 60;

/// Which host was asked, and so how Google refuses there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Host {
    /// `{"error": {…}}`.
    Api,
    /// `{"error": "…"}`.
    Token,
    /// A page. Only the browser of whoever consents has to reach it.
    Consent,
}

pub(super) type Answer = Result<http::Response<Bytes>, TransportError>;

/// The name of the host, for people.
pub(super) fn host_name(base: &BaseUrl) -> String {
    let uri = base.as_str().parse::<http::Uri>().ok();
    uri.as_ref().and_then(http::Uri::host).unwrap_or(base.as_str()).to_owned()
}

/// What an answer, or none, says about the way to a host.
pub(super) fn host(host: Host, base: &BaseUrl, answer: &Answer) -> Finding {
    let name = host_name(base);
    let (cause, cure) = match answer {
        Ok(answer) if is_google(host, answer) => return Finding::pass(),
        Ok(answer) => in_between(&name, answer),
        Err(error) => no_answer(&name, error),
    };
    if host == Host::Consent {
        let cause =
            format!("{cause}; only the browser in which somebody connects an account needs this host");
        return Finding::pass_but(cause).by(Who::NetworkAdministrator).cure(cure);
    }
    Finding::fail(cause).by(Who::NetworkAdministrator).cure(cure)
}

fn is_google(host: Host, answer: &http::Response<Bytes>) -> bool {
    let body: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
    match host {
        Host::Api => body.get("error").is_some_and(Value::is_object),
        Host::Token => body.get("error").is_some_and(Value::is_string),
        // Google answers with a page or sends on to one; there is no form to know it by.
        Host::Consent => answer.status() != http::StatusCode::PROXY_AUTHENTICATION_REQUIRED,
    }
}

fn in_between(name: &str, answer: &http::Response<Bytes>) -> (String, Cure) {
    let status = answer.status().as_u16();
    let cause = match status {
        407 => format!("the proxy on the way to {name} wants a login"),
        300..=399 => format!("something on the way to {name} sends elsewhere (status {status})"),
        500..=599 => format!("{name}, or something on the way to it, fails (status {status})"),
        _ => format!("something answers in the place of {name} (status {status})"),
    };
    let text = match status {
        407 => "Put the proxy's login into HTTPS_PROXY, or let this machine through without one.".to_owned(),
        500..=599 => {
            format!("Try again in some minutes. If it stays so, look at the proxy on the way to {name}.")
        }
        _ => format!(
            "A proxy, a firewall or the sign-in page of a network answered. Let this machine reach {name} as it is: no \
             sign-in, no blocking page, no other address in its place."
        ),
    };
    (cause, Cure::new(text))
}

fn no_answer(name: &str, error: &TransportError) -> (String, Cure) {
    let (cause, text) = match error.fault {
        TransportFault::Name => (
            format!("this machine cannot find the name {name} (DNS)"),
            "Let this machine's name server answer for this host. Where everything goes through a proxy, set HTTPS_PROXY for the \
             process that runs calsync."
                .to_owned(),
        ),
        TransportFault::Connect => (
            format!("nobody takes the connection to {name}"),
            "Open the firewall for outgoing connections to this host, TCP port 443. Where everything goes through a proxy, set \
             HTTPS_PROXY for the process that runs calsync."
                .to_owned(),
        ),
        TransportFault::Proxy => (
            format!("the proxy does not open the way to {name}"),
            "Let the proxy pass connections to this host, and check its address and login in HTTPS_PROXY.".to_owned(),
        ),
        TransportFault::Certificate => (
            format!("the certificate that comes in the name of {name} is not trusted here"),
            "A proxy that opens TLS shows a certificate of its own: put its authority (CA) into this machine's trust store, which \
             is the one that calsync uses, or except this host from being opened. Without such a proxy, install ca-certificates \
             and check the clock."
                .to_owned(),
        ),
        TransportFault::Tls => (
            format!("there is no TLS 1.2 or newer with {name}"),
            "Something on the way speaks another protocol, or an old one: look at the proxy and the firewall."
                .to_owned(),
        ),
        TransportFault::Timeout => (
            format!("{name} does not answer in time"),
            "A firewall that drops packets looks like this: open it for outgoing connections to this host, TCP port 443."
                .to_owned(),
        ),
        _ if error.limit => (
            format!("what comes from {name} is too large to be its answer"),
            "A proxy or a sign-in page answered in its place: look at the network in between.".to_owned(),
        ),
        _ => (
            format!("the connection to {name} broke"),
            "Try again. If it stays so, look at the proxy and the firewall in between.".to_owned(),
        ),
    };
    (format!("{cause}: {}", error.message), Cure::new(text).paste("host", name))
}

/// What the difference between the clocks means. `ahead` is how far Google's is ahead of ours.
pub(super) fn clock(ahead: Option<TimeDelta>) -> Finding {
    let Some(ahead) = ahead else { return Finding::skip("no answer said what time it is") };
    let seconds = ahead.num_seconds();
    if seconds.abs() <= CLOCK_SECONDS_MAX {
        return Finding::pass();
    }
    let side = if seconds < 0 { "ahead of" } else { "behind" };
    Finding::fail(format!("this machine's clock is {} s {side} Google's", seconds.abs()))
        .by(Who::NetworkAdministrator)
        .cure(Cure::new(
            "Set the clock, and let a time server keep it (NTP). In a virtual machine, check the host's clock as well.",
        ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use calsync_core::check::CheckName;
    use calsync_core::check::{CheckReport, Outcome};

    fn base() -> BaseUrl {
        BaseUrl::new("https://www.googleapis.com/calendar/v3").expect("an address")
    }

    fn answer(status: u16, body: &str) -> Answer {
        let answer = http::Response::builder().status(status).body(Bytes::copy_from_slice(body.as_bytes()));
        Ok(answer.expect("an answer"))
    }

    fn told(finding: Finding) -> String {
        let mut report = CheckReport::new("google", chrono::DateTime::default());
        report.note(&CheckName::new("x", "x"), finding, None);
        report.to_string()
    }

    #[test]
    fn only_google_s_own_form_of_a_refusal_is_google() {
        const API: &str =
            r#"{"error":{"code":401,"message":"Login Required.","errors":[{"reason":"required"}]}}"#;
        const TOKEN: &str = r#"{"error":"unsupported_grant_type"}"#;
        for (kind, status, body, words) in [
            (Host::Api, 401, API, ""),
            (Host::Token, 400, TOKEN, ""),
            (Host::Consent, 404, "<html>", ""),
            (Host::Consent, 302, "", ""),
            (Host::Api, 400, TOKEN, "in the place of www.googleapis.com"),
            (Host::Token, 401, API, "in the place of"),
            (Host::Api, 200, "<html>Sign in", "sign-in page"),
            (Host::Api, 403, "blocked by policy", "blocking page"),
            (Host::Token, 407, "", "wants a login"),
            (Host::Api, 302, "", "sends elsewhere"),
            (Host::Api, 503, "<html>", "Try again in some minutes"),
        ] {
            let finding = host(kind, &base(), &answer(status, body));
            let expected = if words.is_empty() { Outcome::Pass } else { Outcome::Fail };
            assert_eq!(finding.outcome(), expected, "{status} {body}");
            let told = told(finding);
            assert!(told.contains(words) && !told.contains("blocked by policy"), "{told}");
            assert_eq!(words.is_empty(), !told.contains("network administrator"), "{told}");
        }
    }

    #[test]
    fn each_place_where_a_request_gets_lost_has_its_own_cause_and_cure() {
        for (fault, cause, cure) in [
            (TransportFault::Name, "cannot find the name www.googleapis.com (DNS)", "name server"),
            (TransportFault::Connect, "nobody takes the connection", "port 443"),
            (TransportFault::Proxy, "the proxy does not open", "HTTPS_PROXY"),
            (TransportFault::Certificate, "is not trusted here", "trust store"),
            (TransportFault::Tls, "no TLS 1.2", "old one"),
            (TransportFault::Timeout, "does not answer in time", "drops packets"),
            (TransportFault::Other, "broke", "Try again"),
        ] {
            let error = TransportError { message: "why".into(), maybe_sent: false, limit: false, fault };
            let finding = host(Host::Api, &base(), &Err(error));
            assert_eq!(finding.outcome(), Outcome::Fail);
            let told = told(finding);
            assert!(told.contains(cause) && told.contains(cure) && told.contains(": why"), "{told}");
        }
        let error = TransportError {
            message: "why".into(),
            maybe_sent: false,
            limit: false,
            fault: TransportFault::Name,
        };
        // Connecting an account needs it, in somebody's browser; runs never do.
        assert_eq!(host(Host::Consent, &base(), &Err(error)).outcome(), Outcome::Pass);
    }

    #[test]
    fn a_clock_may_be_a_minute_off_and_no_second_more() {
        for (seconds, outcome, words) in [
            (0, Outcome::Pass, ""),
            (60, Outcome::Pass, ""),
            (-60, Outcome::Pass, ""),
            (61, Outcome::Fail, "61 s behind Google's"),
            (-7200, Outcome::Fail, "7200 s ahead of Google's"),
        ] {
            let finding = clock(Some(TimeDelta::seconds(seconds)));
            assert_eq!(finding.outcome(), outcome, "{seconds}");
            assert!(told(finding).contains(words));
        }
        assert_eq!(clock(None).outcome(), Outcome::Skipped);
    }
}
