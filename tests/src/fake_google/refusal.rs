//! A refused request: the HTTP status, the reason and the text that Google uses for it.
//!
//! Every text that appears here was seen in a documented body or in the wild; clients match on them, so they are kept
//! letter by letter. The constructors are named after the `reason`, because that is what clients have to branch on.

use serde_json::{Value, json};

/// Why a request was refused, in Google's own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// `errors[0].reason`.
    pub reason: String,
    /// `errors[0].message`, and the message of the whole.
    pub message: String,
    /// `errors[0].domain`.
    pub domain: &'static str,
    extra: Option<Box<Extra>>,
}

/// What only some refusals have; boxed, because every `Result` carries the size of its error.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Extra {
    location: Option<(&'static str, String)>,
    infrastructure: Option<(&'static str, &'static str)>,
    top_message: Option<&'static str>,
    /// The project whose API is off.
    project: Option<String>,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}: {}", self.status, self.reason, self.message)
    }
}

impl std::error::Error for Refusal {}

impl Refusal {
    /// A refusal with a status, a reason and a text of the caller's choice.
    pub fn new(status: u16, domain: &'static str, reason: &str, message: &str) -> Self {
        Self { status, reason: reason.to_owned(), message: message.to_owned(), domain, extra: None }
    }

    pub(crate) fn at(mut self, kind: &'static str, location: &str) -> Self {
        self.extra.get_or_insert_default().location = Some((kind, location.to_owned()));
        self
    }

    pub(crate) fn invalid(message: &str) -> Self {
        Self::new(400, "global", "invalid", message)
    }

    pub(crate) fn required(message: &str) -> Self {
        Self::new(400, "global", "required", message)
    }

    pub(crate) fn bad_request(message: &str) -> Self {
        Self::new(400, "global", "badRequest", message)
    }

    pub(crate) fn invalid_parameter(name: &str, message: &str) -> Self {
        Self::new(400, "global", "invalidParameter", message).at("parameter", name)
    }

    pub(crate) fn time_range_empty() -> Self {
        Self::new(400, "calendar", "timeRangeEmpty", "The specified time range is empty.")
            .at("parameter", "timeMax")
    }

    pub(crate) fn size_limit() -> Self {
        Self::invalid("A provided value exceeds the allowed size limit.")
    }

    pub(crate) fn event_type(message: &str) -> Self {
        Self::new(400, "calendar", "eventTypeRestriction", message)
    }

    pub(crate) fn login_required() -> Self {
        let mut refusal =
            Self::new(401, "global", "required", "Login Required.").at("header", "Authorization");
        let extra = refusal.extra.get_or_insert_default();
        extra.infrastructure = Some(("UNAUTHENTICATED", "CREDENTIALS_MISSING"));
        extra.top_message = Some(
            "Request is missing required authentication credential. Expected OAuth 2 access token, login cookie or \
             other valid authentication credential.",
        );
        refusal
    }

    pub(crate) fn auth_error() -> Self {
        Self::new(401, "global", "authError", "Invalid Credentials").at("header", "Authorization")
    }

    pub(crate) fn insufficient_permissions() -> Self {
        let mut refusal = Self::new(403, "global", "insufficientPermissions", "Insufficient Permission");
        let extra = refusal.extra.get_or_insert_default();
        extra.infrastructure = Some(("PERMISSION_DENIED", "ACCESS_TOKEN_SCOPE_INSUFFICIENT"));
        extra.top_message = Some("Request had insufficient authentication scopes.");
        refusal
    }

    /// The Calendar API is off in this project: the only refusal with a link that mends it.
    pub(crate) fn access_not_configured(project: &str) -> Self {
        let message = format!(
            "Google Calendar API has not been used in project {project} before or it is disabled. Enable it by visiting \
             {} then retry. If you enabled this API recently, wait a few minutes for the action to propagate to our \
             systems and retry.",
            activation(project)
        );
        let mut refusal = Self::new(403, "usageLimits", "accessNotConfigured", &message);
        let extra = refusal.extra.get_or_insert_default();
        extra.infrastructure = Some(("PERMISSION_DENIED", "SERVICE_DISABLED"));
        extra.project = Some(project.to_owned());
        refusal
    }

    pub(crate) fn forbidden() -> Self {
        Self::new(403, "global", "forbidden", "Forbidden")
    }

    pub(crate) fn writer_needed() -> Self {
        Self::new(403, "calendar", "requiredAccessLevel", "You need to have writer access to this calendar.")
    }

    pub(crate) fn non_organizer() -> Self {
        Self::new(
            403,
            "calendar",
            "forbiddenForNonOrganizer",
            "Shared properties can only be changed by the organizer of the event.",
        )
    }

    pub(crate) fn service_account_invites() -> Self {
        Self::new(
            403,
            "calendar",
            "forbiddenForServiceAccounts",
            "Service accounts cannot invite attendees without Domain-Wide Delegation of Authority.",
        )
    }

    pub(crate) fn not_a_calendar_user() -> Self {
        Self::new(403, "calendar", "notACalendarUser", "The user must be signed up for Google Calendar.")
    }

    pub(crate) fn not_found() -> Self {
        Self::new(404, "global", "notFound", "Not Found")
    }

    pub(crate) fn duplicate() -> Self {
        Self::new(409, "global", "duplicate", "The requested identifier already exists.")
    }

    pub(crate) fn deleted() -> Self {
        Self::new(410, "global", "deleted", "Resource has been deleted")
    }

    pub(crate) fn full_sync_required() -> Self {
        Self::new(
            410,
            "calendar",
            "fullSyncRequired",
            "Sync token is no longer valid, a full sync is required.",
        )
        .at("parameter", "syncToken")
    }

    pub(crate) fn updated_min_too_long_ago() -> Self {
        Self::new(
            410,
            "calendar",
            "updatedMinTooLongAgo",
            "The requested minimum modification time lies too far in the past.",
        )
        .at("parameter", "updatedMin")
    }

    pub(crate) fn sync_token_restrictions() -> Self {
        Self::new(
            400,
            "calendar",
            "syncTokenWithRequestRestrictions",
            "Sync token cannot be used with other request restrictions.",
        )
        .at("parameter", "syncToken")
    }

    pub(crate) fn invalid_sync_token() -> Self {
        Self::invalid("Invalid sync token value.").at("parameter", "syncToken")
    }

    pub(crate) fn invalid_page_token() -> Self {
        Self::invalid("Invalid page token value.").at("parameter", "pageToken")
    }

    pub(crate) fn condition_not_met() -> Self {
        Self::new(412, "global", "conditionNotMet", "Precondition Failed").at("header", "If-Match")
    }

    /// The JSON body, in the form of the Calendar API.
    pub fn body(&self) -> Value {
        let mut entry = json!({ "domain": self.domain, "reason": self.reason, "message": self.message });
        let extra = self.extra.as_deref().cloned().unwrap_or_default();
        if let Some((kind, name)) = &extra.location {
            entry["locationType"] = json!(kind);
            entry["location"] = json!(name);
        }
        if extra.project.is_some() {
            entry["extendedHelp"] = json!("https://console.developers.google.com");
        }
        let message = extra.top_message.unwrap_or(&self.message);
        let mut error = json!({ "code": self.status, "message": message, "errors": [entry] });
        // `status` and `details` come with infrastructure errors only: scope, missing credentials, API disabled.
        if let Some((status, detail)) = extra.infrastructure {
            error["status"] = json!(status);
            error["details"] = json!([{
                "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": detail,
                "domain": "googleapis.com",
                "metadata": { "service": "calendar-json.googleapis.com" },
            }]);
        }
        if let Some(project) = &extra.project {
            let metadata = &mut error["details"][0]["metadata"];
            metadata["consumer"] = json!(format!("projects/{project}"));
            metadata["serviceTitle"] = json!("Google Calendar API");
            metadata["activationUrl"] = json!(activation(project));
            if let Some(details) = error["details"].as_array_mut() {
                details.push(json!({
                    "@type": "type.googleapis.com/google.rpc.Help",
                    "links": [{ "description": "Google developers console API activation", "url": activation(project) }],
                }));
            }
        }
        json!({ "error": error })
    }
}

fn activation(project: &str) -> String {
    format!(
        "https://console.developers.google.com/apis/api/calendar-json.googleapis.com/overview?project={project}"
    )
}
