//! Scopes: which exist, and which of them a method accepts (discovery document 20261030).

use std::collections::BTreeSet;

use super::incoming::Route;

pub(crate) const PREFIX: &str = "https://www.googleapis.com/auth/";

/// The scopes of which a token needs one to call the method, without their prefix.
pub(crate) fn accepted(route: Route) -> &'static [&'static str] {
    match route {
        Route::InsertEvent | Route::UpdateEvent | Route::PatchEvent | Route::DeleteEvent => {
            &["calendar", "calendar.events", "calendar.events.owned", "calendar.app.created"]
        }
        Route::ListEvents | Route::GetEvent | Route::Instances => &[
            "calendar",
            "calendar.app.created",
            "calendar.events",
            "calendar.events.freebusy",
            "calendar.events.owned",
            "calendar.events.owned.readonly",
            "calendar.events.public.readonly",
            "calendar.events.readonly",
            "calendar.readonly",
        ],
        Route::ListCalendars => {
            &["calendar", "calendar.calendarlist", "calendar.calendarlist.readonly", "calendar.readonly"]
        }
        Route::GetCalendarEntry => &[
            "calendar",
            "calendar.app.created",
            "calendar.calendarlist",
            "calendar.calendarlist.readonly",
            "calendar.readonly",
        ],
        Route::InsertCalendarEntry | Route::DeleteCalendarEntry => &["calendar", "calendar.calendarlist"],
        // Of the two that read, only the one that reads a single rule takes `calendar.readonly`.
        Route::ListAcl => &["calendar", "calendar.acls", "calendar.acls.readonly"],
        Route::GetAcl => &["calendar", "calendar.acls", "calendar.acls.readonly", "calendar.readonly"],
        Route::InsertAcl | Route::ChangeAcl | Route::DeleteAcl => &["calendar", "calendar.acls"],
        Route::GetCalendar => &[
            "calendar",
            "calendar.app.created",
            "calendar.calendars",
            "calendar.calendars.readonly",
            "calendar.readonly",
        ],
        _ => &[],
    }
}

/// `calendar.events` as well as its long form.
pub(crate) fn full_scope(scope: &str) -> String {
    if scope.starts_with("https://") || ["openid", "email", "profile"].contains(&scope) {
        scope.to_owned()
    } else {
        format!("{PREFIX}{scope}")
    }
}

/// The long form, in which scopes are kept and told: also of those that have a short name of their own.
pub(crate) fn canonical(scope: &str) -> String {
    match scope {
        "email" | "profile" => format!("{PREFIX}userinfo.{scope}"),
        scope => full_scope(scope),
    }
}

/// Whether the scope, in long form, opens no more than who somebody is; for such a one there is no box to tick.
pub(crate) fn is_sign_in(scope: &str) -> bool {
    scope == "openid" || scope.strip_prefix(PREFIX).is_some_and(|name| name.starts_with("userinfo."))
}

/// Whether the scope opens mail, so that its refresh tokens end with the password.
pub(crate) fn opens_mail(scope: &str) -> bool {
    scope == "https://mail.google.com/"
        || scope.strip_prefix(PREFIX).is_some_and(|name| name.starts_with("gmail."))
}

/// Granted scopes as a reply tells them: a set, and so never in the order in which they were asked for.
pub(crate) fn told(asked: &[String], granted: &BTreeSet<String>) -> String {
    let mut told: Vec<&str> = granted.iter().map(String::as_str).collect();
    if told.len() > 1 && asked.iter().map(String::as_str).eq(told.iter().copied()) {
        told.reverse();
    }
    told.join(" ")
}

/// Whether Google knows the scope: a comma between two makes one that it does not.
pub(crate) fn is_scope(scope: &str) -> bool {
    const CALENDAR: &[&str] = &[
        "",
        ".acls",
        ".acls.readonly",
        ".app.created",
        ".calendarlist",
        ".calendarlist.readonly",
        ".calendars",
        ".calendars.readonly",
        ".events",
        ".events.freebusy",
        ".events.owned",
        ".events.owned.readonly",
        ".events.public.readonly",
        ".events.readonly",
        ".freebusy",
        ".readonly",
        ".settings",
        ".settings.readonly",
    ];
    if ["openid", "email", "profile", "https://mail.google.com/"].contains(&scope) {
        return true;
    }
    let Some(name) = scope.strip_prefix(PREFIX) else { return false };
    match name.strip_prefix("calendar") {
        Some(rest) => CALENDAR.contains(&rest),
        None => [
            "admin.directory.resource.calendar",
            "admin.directory.resource.calendar.readonly",
            "gmail.readonly",
            "gmail.send",
            "userinfo.email",
            "userinfo.profile",
        ]
        .contains(&name),
    }
}
