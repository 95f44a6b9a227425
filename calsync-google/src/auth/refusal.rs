//! What the token endpoint refuses, and what a person can do about it.
//!
//! Google answers with a code and a sentence, and the sentence is what tells the cases apart. The sentences are those that
//! a long-lived Workspace administration tool matches on (GAM, `handleOAuthTokenError`). Changes in the Admin console may
//! need minutes, in the worst case a day: the cures say so where it matters.

use crate::call::token::Refused;
use calsync_core::planted::{self, Fault};
use calsync_core::{Error, ErrorKind};

/// Whose request was refused, as far as a cure names it. Nothing of this is secret.
#[derive(Debug)]
pub(crate) enum Who<'a> {
    /// A service account, on behalf of a person or of itself.
    ServiceAccount {
        /// Its address.
        email: &'a str,
        /// The number that the administrator enters.
        client_id: Option<&'a str>,
        /// The person, if any.
        subject: Option<&'a str>,
        /// The scopes asked for.
        scopes: &'a [String],
    },
    /// A person's refresh token of this OAuth client.
    Refresh {
        /// The client's id.
        client_id: &'a str,
    },
}

/// Whether Google complains about the times in an assertion.
pub(crate) fn blames_the_clock(refused: &Refused) -> bool {
    refused.description.starts_with("Invalid JWT: Token must be a short-lived")
}

/// Whether the refusal says nothing: worth one more attempt, and no third.
pub(crate) fn says_nothing(refused: &Refused) -> bool {
    refused.code == "invalid_grant" && matches!(refused.description.as_str(), "" | "Bad Request")
}

/// The error for a refusal.
pub(crate) fn refusal(refused: &Refused, who: &Who<'_>) -> Error {
    let (kind, what, cure) = match who {
        Who::ServiceAccount { .. } => service_account(refused, who),
        Who::Refresh { client_id } => refresh(refused, client_id),
    };
    let code: String =
        (refused.code.chars()).filter(|c| c.is_ascii_alphanumeric() || "_-.".contains(*c)).take(64).collect();
    let mut error = Error::new(kind, what).cure(cure).with("status", refused.status);
    if !code.is_empty() {
        error = error.reason(code);
    }
    if !refused.description.is_empty() {
        let loud = planted::on(Fault::EchoQuoted).then(|| refused.description.clone());
        let quiet = loud.unwrap_or_else(|| crate::wire::error::quiet(&refused.description));
        error = error.with("description", quiet);
    }
    match who {
        Who::ServiceAccount { email, subject, .. } => {
            let error = error.with("account", email);
            match subject {
                Some(subject) => error.with("subject", subject),
                None => error,
            }
        }
        Who::Refresh { client_id } => error.with("client", client_id),
    }
}

/// Whether the token endpoint says that there is nobody of this name, or nobody any more. The person is at fault then, and
/// not the credential: others can still be acted for.
pub(crate) fn no_such_user(error: &Error) -> bool {
    match (error.kind(), error.reason_code()) {
        (ErrorKind::Config, Some("invalid_grant")) => true,
        (ErrorKind::Unauthorized, Some("invalid_request")) => error.message().contains("no user of any"),
        (ErrorKind::Unauthorized, Some("invalid_grant")) => {
            error.message().starts_with("the account ") && error.message().ends_with(" was deleted")
        }
        _ => false,
    }
}

fn service_account(refused: &Refused, who: &Who<'_>) -> (ErrorKind, String, String) {
    use ErrorKind as Kind;
    let Who::ServiceAccount { email, client_id, subject, scopes } = who else {
        return (Kind::Unauthorized, "Google refuses the credential".into(), String::new());
    };
    let person = subject.unwrap_or("the service account itself");
    let number = client_id.map_or_else(
        || {
            format!(
                "the numeric \"Unique ID\" of {email} (Google Cloud console > IAM & Admin > Service accounts)"
            )
        },
        |id| format!("the client ID {id}"),
    );
    let scopes = scopes.join(", ");
    let says = |text: &str| refused.description.contains(text);
    match refused.code.as_str() {
        "unauthorized_client" => (
            Kind::Forbidden,
            format!("the service account may not act for {person}"),
            format!(
                "As a Workspace administrator open Admin console > Security > Access and data control > API controls > \
                 Domain-wide delegation, and add {number} with these scopes, all of them, spelt exactly so: {scopes}. It can \
                 take minutes, in the worst case 24 hours. Check as well that {person} is a user of that Workspace; \
                 gmail.com accounts cannot be delegated."
            ),
        ),
        "invalid_grant" if says("Invalid email or User ID") || says("Not a valid email") => (
            Kind::Config,
            format!("Google knows no user {person}"),
            format!(
                "Correct the address: it must be the primary address or an alias of a user of the Workspace whose administrator \
                 authorised {email}."
            ),
        ),
        "invalid_grant" if says("account has been deleted") => (
            Kind::Unauthorized,
            format!("the account {person} was deleted"),
            "Unbind this person, or restore the account in the Admin console (possible for 20 days).".into(),
        ),
        // The quotes come HTML-escaped at times.
        "invalid_request" if says("impersonation") => (
            Kind::Unauthorized,
            format!("{person} is no user of any Workspace, or is gone for long"),
            "Correct the address, or unbind this person.".into(),
        ),
        "invalid_grant" if says("Invalid JWT Signature") => (
            Kind::Unauthorized,
            "Google does not accept the service account's key".into(),
            format!(
                "The key was deleted or disabled, or the file was changed. Make a new JSON key for {email} (Google Cloud \
                 console > IAM & Admin > Service accounts > Keys) and put it in the place of the old one."
            ),
        ),
        "invalid_grant" if says("No valid verifier") => (
            Kind::Unauthorized,
            format!("Google knows no service account {email}"),
            "It was deleted, or its address in the key file was changed. Make a new service account, or use its file \
             unchanged."
                .into(),
        ),
        "invalid_grant" if says("audience") => (
            Kind::Config,
            "the token endpoint does not accept assertions that are made for another address".into(),
            "Leave the endpoints at their defaults.".into(),
        ),
        "invalid_scope" => (
            Kind::Config,
            "a scope is misspelt".into(),
            format!("Correct the configured scopes: {scopes}. A usual one is https://www.googleapis.com/auth/calendar.events."),
        ),
        _ => common(refused, person).unwrap_or_else(|| {
            (
                Kind::Unauthorized,
                format!("Google refuses to let the service account act for {person}"),
                format!(
                    "Check in the Admin console that {person} is active and uses Calendar, and that domain-wide delegation names \
                     {number} with the scopes {scopes}."
                ),
            )
        }),
    }
}

fn refresh(refused: &Refused, client_id: &str) -> (ErrorKind, String, String) {
    match refused.code.as_str() {
        "invalid_grant" => (ErrorKind::Unauthorized, DEAD.into(), DEAD_CURE.into()),
        "invalid_client" | "unauthorized_client" => (
            ErrorKind::Config,
            "Google does not accept the OAuth client".into(),
            format!(
                "Check the client ID {client_id} and its secret (Google Cloud console > APIs & Services > Credentials). A refresh \
                 token works only with the client that it was given to."
            ),
        ),
        "invalid_scope" => (
            ErrorKind::Config,
            "the refresh token was not given for the scopes asked for".into(),
            "Connect the account again and tick every permission, or configure fewer scopes.".into(),
        ),
        _ => common(refused, "this account").unwrap_or_else(|| {
            (
                ErrorKind::Unauthorized,
                "Google refuses the refresh token".into(),
                "Connect the account again.".into(),
            )
        }),
    }
}

/// What is the same for both kinds.
fn common(refused: &Refused, person: &str) -> Option<(ErrorKind, String, String)> {
    Some(match refused.code.as_str() {
        "access_denied" | "invalid_account" => (
            ErrorKind::Forbidden,
            format!("Google gives no access to {person}"),
            "In the Admin console, check that the account is not suspended, that the Calendar service is on for it, and that the \
             app is not blocked (Security > API controls > App access control)."
                .into(),
        ),
        "admin_policy_enforced" | "org_internal" => (
            ErrorKind::Forbidden,
            format!("an administrator's policy keeps calsync away from {person}"),
            "Ask the Workspace administrator to trust the app (Admin console > Security > API controls > App access control)."
                .into(),
        ),
        "invalid_client" | "deleted_client" | "disabled_client" => (
            ErrorKind::Config,
            "the OAuth client or its Google Cloud project is deleted or disabled".into(),
            "Restore it in the Google Cloud console, or make a new credential.".into(),
        ),
        _ => return None,
    })
}

/// A dead refresh token. Google's text is the same for all causes, so all of them are named, the most usual first.
pub(crate) const DEAD: &str = "the refresh token is expired or revoked";
/// What to do about it.
pub(crate) const DEAD_CURE: &str = "Connect the account again. Usual causes: the app's publishing status is \"Testing\", where a \
     grant ends after 7 days (publish it, or make it internal); the person removed the app's access; it was not used for six \
     months; the same account was connected more than 100 times with this client; an administrator's policy or session control \
     ended it.";

#[cfg(test)]
mod tests {
    use super::*;
    use ErrorKind as Kind;

    fn refused(status: u16, code: &str, description: &str) -> Refused {
        Refused { status, code: code.into(), description: description.into(), date: None }
    }

    fn as_service_account(refused: &Refused) -> Error {
        let scopes = ["https://www.googleapis.com/auth/calendar.events".to_owned()];
        refusal(
            refused,
            &Who::ServiceAccount {
                email: "sync@p1.iam.gserviceaccount.com",
                client_id: Some("104567890123456789012"),
                subject: Some("amy@example.com"),
                scopes: &scopes,
            },
        )
    }

    #[test]
    fn every_refusal_of_a_service_account_has_a_kind_and_a_cure_that_names_what_to_change() {
        const LONG: &str = "Client is unauthorized to retrieve access tokens using this method, or client not authorized for any \
                            of the scopes requested.";
        for (status, code, description, kind, cure) in [
            (401, "unauthorized_client", LONG, Kind::Forbidden, "104567890123456789012"),
            (
                401,
                "unauthorized_client",
                LONG,
                Kind::Forbidden,
                "https://www.googleapis.com/auth/calendar.events",
            ),
            (
                401,
                "unauthorized_client",
                "Unauthorized client or scope in request.",
                Kind::Forbidden,
                "Domain-wide delegation",
            ),
            (400, "invalid_grant", "Invalid email or User ID", Kind::Config, "Correct the address"),
            (400, "invalid_grant", "Not a valid email or user ID.", Kind::Config, "Correct the address"),
            (400, "invalid_grant", "The account has been deleted", Kind::Unauthorized, "Unbind this person"),
            (
                400,
                "invalid_request",
                "Invalid impersonation \"sub\" field.",
                Kind::Unauthorized,
                "unbind this person",
            ),
            (
                400,
                "invalid_request",
                "Invalid impersonation &quot;sub&quot; field.",
                Kind::Unauthorized,
                "unbind",
            ),
            (
                400,
                "invalid_grant",
                "Invalid JWT Signature.",
                Kind::Unauthorized,
                "Make a new JSON key for sync@p1",
            ),
            (
                400,
                "invalid_grant",
                "Invalid JWT: No valid verifier found for issuer",
                Kind::Unauthorized,
                "deleted",
            ),
            (
                400,
                "invalid_scope",
                "Some requested scopes were invalid",
                Kind::Config,
                "Correct the configured scopes",
            ),
            (400, "invalid_grant", "Bad Request", Kind::Unauthorized, "Admin console"),
            (
                403,
                "access_denied",
                "Requested client not authorized",
                Kind::Forbidden,
                "Calendar service is on",
            ),
            (403, "access_denied", "Account restricted", Kind::Forbidden, "not suspended"),
            (403, "invalid_account", "Forbidden", Kind::Forbidden, "not suspended"),
            (401, "disabled_client", "The OAuth client was disabled.", Kind::Config, "Google Cloud console"),
            (401, "deleted_client", "The OAuth client was deleted.", Kind::Config, "Google Cloud console"),
            (401, "invalid_client", "The OAuth client was not found.", Kind::Config, "Google Cloud console"),
        ] {
            let error = as_service_account(&refused(status, code, description));
            assert_eq!((error.kind(), error.reason_code()), (kind, Some(code)), "{description}");
            assert!(error.cure_text().is_some_and(|text| text.contains(cure)), "{error}");
            assert!(error.to_string().contains("(status"), "{error}");
            assert!(error.to_string().contains("amy@example.com"), "{error}");
        }
    }

    #[test]
    fn only_what_is_said_about_the_person_means_that_there_is_no_such_user() {
        for (status, code, description, expected) in [
            (400, "invalid_grant", "Invalid email or User ID", true),
            (400, "invalid_grant", "The account has been deleted", true),
            (400, "invalid_request", "Invalid impersonation &quot;sub&quot; field.", true),
            (400, "invalid_request", "Missing parameter", false),
            (400, "invalid_grant", "Invalid JWT Signature.", false),
            (400, "invalid_grant", "Bad Request", false),
            (401, "unauthorized_client", "Unauthorized client or scope in request.", false),
            (403, "access_denied", "Account restricted", false),
            (400, "invalid_scope", "Some requested scopes were invalid", false),
        ] {
            let error = as_service_account(&refused(status, code, description));
            assert_eq!(no_such_user(&error), expected, "{description}");
        }
        let dead = refused(400, "invalid_grant", "Token has been expired or revoked.");
        assert!(!no_such_user(&refusal(&dead, &Who::Refresh { client_id: "1-a" })));
    }

    #[test]
    fn a_dead_refresh_token_names_the_seven_day_rule_first() {
        let dead = refused(400, "invalid_grant", "Token has been expired or revoked.");
        let error = refusal(&dead, &Who::Refresh { client_id: "1-a.apps.googleusercontent.com" });
        assert_eq!(error.kind(), Kind::Unauthorized);
        let cure = error.cure_text().expect("a cure");
        assert!(cure.find("7 days") < cure.find("six months"), "{cure}");
    }

    #[test]
    fn every_refusal_of_a_refresh_token_has_a_kind() {
        for (code, kind) in [
            ("invalid_grant", Kind::Unauthorized),
            ("invalid_client", Kind::Config),
            ("unauthorized_client", Kind::Config),
            ("invalid_scope", Kind::Config),
            ("admin_policy_enforced", Kind::Forbidden),
            ("access_denied", Kind::Forbidden),
            ("deleted_client", Kind::Config),
            ("something_new", Kind::Unauthorized),
        ] {
            let error = refusal(&refused(400, code, ""), &Who::Refresh { client_id: "1-a" });
            assert_eq!((error.kind(), error.cure_text().is_some()), (kind, true), "{code}");
        }
    }

    #[test]
    fn what_looks_like_a_token_in_a_description_stays_out() {
        let token = "ya29.neversayAfH6SMBx0123456789abcdefghijklmnopqrstuvwxyz";
        let error = as_service_account(&refused(400, "invalid_grant", &format!("Bad token {token}")));
        assert!(!error.to_string().contains("ya29"), "{error}");
    }
}
